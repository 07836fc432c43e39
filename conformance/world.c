/* SPDX-License-Identifier: Apache-2.0 */
/* A case's users and devices, its events and its failure: see world.h. */
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "expr.h"
#include "secret.h"
#include "scn_server.h"

/* What a device asks for unless its line says otherwise: large enough that
 * nothing is cut or paused by accident. */
#define DEFAULT_MAX_FRAME 262144u
#define DEFAULT_MAX_INFLATED 262144u
#define DEFAULT_MAX_UNACKED 1000u
#define DEFAULT_MAX_ENTRIES 100000u
#define DEFAULT_CODECS 2u /* DEFLATE */

static const char *hide(const struct world *w, const char *text)
{
    return (const char *)secret_hide(w, (const uint8_t *)text, strlen(text));
}

static const char *scenario_rules(const struct scenario *s)
{
    struct text t = {0};
    for (size_t i = 0; i < s->rule_count; i++) {
        text_add(&t, "%s%s", i ? " " : "", s->rules[i]);
    }
    return text_str(&t);
}

bool world_fail(struct world *w, const char *rules, const char *what,
                const char *legal, const struct frame *got)
{
    if (w->failure.happened) {
        return false;
    }
    if (!rules) {
        rules = w->step && w->step->rule ? w->step->rule : scenario_rules(w->s);
    }
    struct text t = {0};
    if (got) {
        frame_print_offsets(&t, got);
    }
    w->failure = (struct failure){.happened = true,
                                  .rules = rules,
                                  .what = what,
                                  .legal = legal,
                                  .got = got ? hide(w, text_str(&t)) : NULL,
                                  .step = w->step,
                                  .got_frame = got,
                                  .blame = w->accused};
    return false;
}

bool world_mistake(struct world *w, const char *what)
{
    if (!w->failure.happened) {
        world_fail(w, NULL, what, NULL, NULL);
        w->failure.is_harness = true;
        w->failure.blame = w->ops ? "the harness" : NULL;
    }
    return false;
}

bool world_server_fail(struct world *w, const char *what, const char *legal)
{
    return w->server->is_mistake ? world_mistake(w, what)
                                 : world_fail(w, "", what, legal, NULL);
}

void world_event(struct world *w, const struct device *d, const char *arrow,
                 const char *text)
{
    arena_grow((void **)&w->events, w->event_count, &w->event_cap,
               sizeof *w->events);
    text = hide(w, text);
    const char *line =
        arena_printf("%-8s %s %s", d ? d->decl->name : "-", arrow, text);
    w->events[w->event_count++] = line;
    record_note(w, d, arrow, text);
    if (w->trace) {
        fprintf(stderr, "%s: %s\n", w->s->id, line);
    }
}

void world_trace(const struct world *w, const char *arrow, const char *text)
{
    if (w->trace) {
        fprintf(stderr, "%s: %s %s\n", w->s->id, arrow, hide(w, text));
    }
}

struct user *world_user_named(struct world *w, const char *name)
{
    for (size_t i = 0; i < w->s->user_count; i++) {
        if (strcmp(w->users[i].name, name) == 0) {
            return &w->users[i];
        }
    }
    return NULL;
}

static struct user *user_by_word(struct world *w, const char *word)
{
    for (size_t i = 0; i < w->s->user_count; i++) {
        if (strcmp(w->users[i].word, word) == 0) {
            return &w->users[i];
        }
    }
    return NULL;
}

static bool open_users(struct world *w)
{
    const char *reason = "";
    w->users = arena_alloc(w->s->user_count * sizeof *w->users);
    for (size_t i = 0; i < w->s->user_count; i++) {
        struct user *u = &w->users[i];
        u->index = i;
        u->word = w->s->users[i];
        u->name = arena_printf("%s-%s", u->word, w->suffix);
        if (!server_add_user(w->server, u->name, &reason)) {
            return world_mistake(w, reason);
        }
    }
    return true;
}

/* A span from now on, as a time in whole seconds, rather later than it. */
static const char *expiry(const struct world *w, const char *expires)
{
    uint64_t ms;
    char text[sizeof "YYYY-MM-DDThh:mm:ssZ"];
    struct tm tm;
    if (!expires || !duration_parse(expires, &ms)) {
        return expires;
    }
    time_t at = (time_t)((server_now(w->server) + ms + 999) / 1000);
    gmtime_r(&at, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return arena_string(text);
}

/* What a server of somebody else's has given must not be shown. */
static bool issue_token(struct world *w, const char *user, const char *type,
                        const char *expires, const char **token,
                        const char **reason)
{
    const struct server *s = w->server;
    if (!server_issue_token(w->server, user, type, expires, token, reason)) {
        return false;
    }
    if (s->roamd || s->provision) {
        secret_add(w, *token);
    }
    return true;
}

static bool open_tokens(struct world *w)
{
    const char *reason = "";
    for (size_t i = 0; i < w->s->token_count; i++) {
        const struct token_decl *t = &w->s->tokens[i];
        const char *secret;
        if (!issue_token(w, user_by_word(w, t->user)->name, t->type,
                         expiry(w, t->expires), &secret, &reason)) {
            return world_mistake(w, reason);
        }
        arena_grow((void **)&w->vars, w->var_count, &w->var_cap,
                   sizeof *w->vars);
        w->vars[w->var_count++] = (struct var){t->name, value_text(secret)};
    }
    return true;
}

static bool number_option(struct world *w, const char *text, uint32_t otherwise,
                          uint32_t *out)
{
    *out = otherwise;
    if (!text) {
        return true;
    }
    char *end;
    unsigned long n = strtoul(text, &end, 0);
    *out = (uint32_t)n;
    if (*end != '\0' || n > UINT32_MAX) {
        return world_mistake(w, arena_printf("%s is not a number", text));
    }
    return true;
}

static bool open_token_of(struct world *w, struct device *d)
{
    const char *reason = "";
    if (!d->decl->token) { /* one for each installation [DEV-1] */
        struct installation *i = d->installation;
        if (!i->token &&
            !issue_token(w, d->user->name, NULL, NULL, &i->token, &reason)) {
            return world_mistake(w, reason);
        }
        d->token = i->token;
        return true;
    }
    for (size_t i = 0; i < w->var_count; i++) {
        if (strcmp(w->vars[i].name, d->decl->token) == 0) {
            d->token = (const char *)w->vars[i].value.data;
            return true;
        }
    }
    return world_mistake(w, "token= names no token line");
}

static void draw_installation(struct world *w, struct installation *i)
{
    for (size_t k = 0; k < sizeof i->id; k += 8) {
        uint64_t r = prng_next(&w->prng);
        memcpy(i->id + k, &r, 8);
    }
}

static bool open_device(struct world *w, size_t index)
{
    struct device *d = &w->devices[index];
    const struct device_decl *decl = &w->s->devices[index];
    d->decl = decl;
    d->user = user_by_word(w, decl->user);
    d->installation = &w->installations[index];
    for (size_t i = 0; decl->id && i < index; i++) {
        if (strcmp(w->s->devices[i].name, decl->id) == 0) {
            d->installation = w->devices[i].installation;
        }
    }
    d->auto_ack = !decl->manual_ack;
    const ProtobufCFieldDescriptor *fd =
        field_find(&roam__v1__login__descriptor, "device_type");
    if (!field_enum(fd, decl->type, &d->type)) {
        return world_mistake(w, "no such device type");
    }
    return open_token_of(w, d) &&
           number_option(w, decl->max_frame, DEFAULT_MAX_FRAME,
                         &d->max_frame) &&
           number_option(w, decl->max_unacked, DEFAULT_MAX_UNACKED,
                         &d->max_unacked) &&
           number_option(w, decl->max_inflated, DEFAULT_MAX_INFLATED,
                         &d->max_inflated) &&
           number_option(w, decl->max_entries, DEFAULT_MAX_ENTRIES,
                         &d->max_entries) &&
           number_option(w, decl->codecs, DEFAULT_CODECS, &d->codecs);
}

/* 2020-01-01 in Unix time. */
#define EPOCH_UNIX_MS UINT64_C(1577836800000)
/* Where the milliseconds of a msg_id begin; section 2. */
#define MSG_ID_TIME_SHIFT 22

void world_set_now(struct world *w)
{
    if (w->server->is_held) {
        uint64_t ms = server_now(w->server) - EPOCH_UNIX_MS;
        const struct value now = value_number(ms);
        const struct value id = value_number(ms << MSG_ID_TIME_SHIFT);
        var_set(w, "$now", &now);
        var_set(w, "$now_id", &id);
    }
}

bool world_open(struct world *w, const struct scenario *s,
                struct server *server, uint64_t seed, const char *nonce)
{
    w->s = s;
    w->server = server;
    prng_seed(&w->prng, seed, s->id);
    w->suffix =
        arena_printf("%08" PRIx32 "%s", (uint32_t)prng_next(&w->prng), nonce);
    world_set_now(w);
    w->installations = arena_alloc(s->device_count * sizeof *w->installations);
    w->devices = arena_alloc(s->device_count * sizeof *w->devices);
    if (!open_users(w) || !open_tokens(w)) {
        return false;
    }
    for (size_t i = 0; i < s->device_count; i++) {
        draw_installation(w, &w->installations[i]);
        if (!open_device(w, i)) {
            return false;
        }
    }
    return true;
}

bool world_is_old(const struct world *w, uint64_t msg_id)
{
    uint64_t sent = EPOCH_UNIX_MS + (msg_id >> MSG_ID_TIME_SHIFT);
    return w->history_ms > 0 && server_now(w->server) > sent + w->history_ms;
}
