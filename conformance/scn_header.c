/* SPDX-License-Identifier: Apache-2.0 */
/* What stands above the first step of a scenario: its rules, roles and needs,
 * its users, tokens and devices. See scn_parse.h. */
#include "scn_parse.h"

#include <arpa/inet.h>
#include <string.h>

#include "client_scn.h"
#include "control.h"
#include "scn_server.h"

static void add_user(struct scenario *s, const char *name)
{
    for (size_t i = 0; i < s->user_count; i++) {
        if (strcmp(s->users[i], name) == 0) {
            return;
        }
    }
    arena_grow((void **)&s->users, s->user_count, &s->user_cap,
               sizeof *s->users);
    s->users[s->user_count++] = name;
}

struct option {
    const char *name;
    const char **value;
};

/* key=value words from `from` on into the options that are listed. */
static bool parse_options(struct parser *p, int line, const struct words *w,
                          size_t from, const struct option *options)
{
    for (size_t i = from; i < w->count; i++) {
        struct term t;
        if (!term_split(w->at[i], &t) || t.op != OP_EQ) {
            return parser_fail(p, line,
                               arena_printf("%s is not name=value", w->at[i]));
        }
        const struct option *o = options;
        while (o->name && strcmp(o->name, t.left) != 0) {
            o++;
        }
        if (!o->name) {
            return parser_fail(p, line, arena_printf("no option %s", t.left));
        }
        *o->value = t.right;
    }
    return true;
}

static bool parse_token(struct parser *p, int line, const struct words *w)
{
    struct scenario *s = p->s;
    arena_grow((void **)&s->tokens, s->token_count, &s->token_cap,
               sizeof *s->tokens);
    struct token_decl *t = &s->tokens[s->token_count];
    memset(t, 0, sizeof *t);
    const struct option options[] = {{"user", &t->user},
                                     {"type", &t->type},
                                     {"expires", &t->expires},
                                     {NULL, NULL}};
    if (w->count < 3 || w->at[1][0] != '$' ||
        !parse_options(p, line, w, 2, options) || !t->user) {
        return parser_fail(p, line,
                           "token $NAME user=U [type=T] [expires=WHEN]");
    }
    if (t->expires && strcmp(t->expires, "past") != 0 &&
        !duration_parse(t->expires, &(uint64_t){0})) {
        return parser_fail(p, line, "expires is past, or a time such as 60s");
    }
    t->name = w->at[1];
    add_user(s, t->user);
    s->token_count++;
    return true;
}

bool parser_device(const struct scenario *s, const char *name, size_t len,
                   size_t *out)
{
    for (size_t i = 0; i < s->device_count; i++) {
        if (strlen(s->devices[i].name) == len &&
            memcmp(s->devices[i].name, name, len) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool parse_device(struct parser *p, int line, const struct words *w)
{
    struct scenario *s = p->s;
    arena_grow((void **)&s->devices, s->device_count, &s->device_cap,
               sizeof *s->devices);
    struct device_decl *d = &s->devices[s->device_count];
    memset(d, 0, sizeof *d);
    const char *ack = "auto";
    const struct option options[] = {{"user", &d->user},
                                     {"type", &d->type},
                                     {"id", &d->id},
                                     {"token", &d->token},
                                     {"from", &d->from},
                                     {"max_frame", &d->max_frame},
                                     {"max_unacked", &d->max_unacked},
                                     {"max_inflated", &d->max_inflated},
                                     {"max_entries", &d->max_entries},
                                     {"codecs", &d->codecs},
                                     {"ack", &ack},
                                     {NULL, NULL}};
    if (w->count < 4 || !parse_options(p, line, w, 2, options) || !d->user ||
        !d->type) {
        return parser_fail(p, line,
                           "device NAME user=U type=T [option=value...]");
    }
    size_t other;
    if (parser_device(s, w->at[1], strlen(w->at[1]), &other)) {
        return parser_fail(p, line, "device declared twice");
    }
    if (d->id && !parser_device(s, d->id, strlen(d->id), &other)) {
        return parser_fail(p, line, "id= names no device above");
    }
    struct in_addr from;
    if (d->from && inet_pton(AF_INET, d->from, &from) != 1) {
        return parser_fail(p, line, "from= is no IPv4 address");
    }
    if (s->role == ROLE_PAIR && (d->id || d->from)) {
        return parser_fail(p, line, "id= and from= are of the role server");
    }
    d->name = w->at[1];
    d->manual_ack = strcmp(ack, "manual") == 0;
    add_user(s, d->user);
    s->device_count++;
    return true;
}

static const char *join(const struct words *w, size_t from)
{
    struct text t = {0};
    for (size_t i = from; i < w->count; i++) {
        text_add(&t, "%s%s", i > from ? " " : "", w->at[i]);
    }
    return text_str(&t);
}

static bool parse_rules(struct scenario *s, const struct words *w)
{
    for (size_t i = 1; i < w->count; i++) {
        arena_grow((void **)&s->rules, s->rule_count, &s->rule_cap,
                   sizeof *s->rules);
        s->rules[s->rule_count++] = w->at[i];
    }
    return w->count > 1;
}

static const enum role all_roles[] = {ROLE_SERVER, ROLE_CLIENT, ROLE_PAIR};

const char *role_name(enum role role)
{
    return role == ROLE_SERVER ? "server"
           : role == ROLE_PAIR ? "pair"
                               : "client";
}

/* server and client never share a file: what one sends the other expects,
 * with other defaults. */
static bool parse_roles(struct scenario *s, const struct words *w)
{
    s->roles = 0;
    for (size_t i = 1; i < w->count; i++) {
        unsigned before = s->roles;
        for (size_t k = 0; k < sizeof all_roles / sizeof all_roles[0]; k++) {
            if (strcmp(w->at[i], role_name(all_roles[k])) == 0) {
                s->roles |= all_roles[k];
            }
        }
        if (s->roles == before) {
            return false;
        }
    }
    for (size_t k = sizeof all_roles / sizeof all_roles[0]; k-- > 0;) {
        if (s->wanted ? s->wanted == all_roles[k]
                      : (s->roles & all_roles[k]) != 0) {
            s->role = all_roles[k];
        }
    }
    return (s->roles & ROLE_SERVER) == 0 || (s->roles & ROLE_CLIENT) == 0;
}

bool parser_header(struct parser *p, int line, const struct words *w)
{
    struct scenario *s = p->s;
    const char *word = w->at[0];
    if (strcmp(word, "rules") == 0) {
        if (!parse_rules(s, w)) {
            parser_fail(p, line, "rules without an id");
        }
    } else if (strcmp(word, "roles") == 0) {
        if (!parse_roles(s, w)) {
            parser_fail(
                p, line,
                "roles server, client, pair, server pair or client pair");
        }
    } else if (strcmp(word, "needs") == 0) {
        s->needs = join(w, 1);
        if (s->roles == (ROLE_SERVER | ROLE_PAIR)) {
            parser_fail(p, line, "needs of a server, or of an adapter?");
        }
        for (size_t i = 1; i < w->count; i++) {
            bool server = s->roles == ROLE_SERVER;
            bool pair = s->roles == ROLE_PAIR;
            /* TLS disturbs nobody. */
            s->is_private =
                s->is_private || (server && strcmp(w->at[i], "tls") != 0);
            if ((s->roles & ROLE_PAIR) && strcmp(w->at[i], "tls") == 0) {
                parser_fail(p, line, "the role pair has no tls");
            }
            if (!((server || pair) && control_capability_known(w->at[i])) &&
                !(!server && client_capability_known(w->at[i]))) {
                parser_fail(p, line,
                            arena_printf("no capability %s", w->at[i]));
            }
        }
    } else if (strcmp(word, "level") == 0) {
        s->is_should = strcmp(join(w, 1), "should") == 0;
        if (!s->is_should && strcmp(join(w, 1), "must") != 0) {
            parser_fail(p, line, "level must or level should");
        }
    } else if (strcmp(word, "private") == 0) {
        s->is_private = true;
    } else if (strcmp(word, "user") == 0) {
        for (size_t i = 1; i < w->count; i++) {
            add_user(s, w->at[i]);
        }
    } else if (strcmp(word, "token") == 0) {
        parse_token(p, line, w);
    } else if (strcmp(word, "device") == 0) {
        parse_device(p, line, w);
    } else if (strcmp(word, "server") == 0 && w->count > 1 &&
               strchr(w->at[1], '=')) {
        s->settings = join(w, 1);
    } else {
        return false;
    }
    return true;
}
