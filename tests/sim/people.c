/* SPDX-License-Identifier: Apache-2.0 */
/* The persons: they write, open and close apps, log out, and say yes or no
 * when a device asks whether it may take a slot over. */
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "operation.h"
#include "people.h"
#include "roam.pb.h"
#include "server.h"

#define ACT_MS_MAX 6000u
#define BURST_MAX 25u
/* Longer than any draft that a person has patience for. */
#define DRAFTS_MAX 40u
/* Of what a person does in a conversation, the rest is written. */
#define OPERATIONS_PERMILLE 300u
/* Of what a person does, changes of groups. */
#define CHANGES_PERMILLE 200u
/* Of what is no note, that in a group if there is one. */
#define GROUP_PERMILLE 500u
/* Of the APPs in a group, and with a user, those that name users. */
#define NAMING_PERMILLE 400u
#define NAMING_USER_PERMILLE 50u
/* Of the tokens with the fault EXPIRE. */
#define EXPIRE_PERMILLE 400u
#define EXPIRE_MS_MAX 300000u
/* Their bodies are short here. */
#define OPERATION_MAX 64u

/* ----------------------------------------------------------------- texts */

static struct roam_bytes text(const char *s)
{
    return (struct roam_bytes){(const uint8_t *)s, strlen(s)};
}

static uint32_t draw_party(struct sim_world *w, uint32_t user)
{
    if (sim_rng_chance(&w->rng, 20)) {
        return SIM_PARTIES;
    }
    if (sim_rng_chance(&w->rng, 150)) {
        return user;
    }
    uint32_t group = sim_people_draw_group(w, user);
    if (group != SIM_PARTIES && sim_rng_chance(&w->rng, GROUP_PERMILLE)) {
        return group;
    }
    uint32_t other = sim_rng_below(&w->rng, SIM_USERS - 1);
    return other < user ? other : other + 1;
}

/* There is no such conversation. */
static struct roam_bytes nobody(struct sim_world *w)
{
    static const char *const names[] = {"nobody", "#",
                                        "#AAAAAAAAAAAAAAAAAAAAAA"};
    return text(names[sim_rng_below(&w->rng, 3)]);
}

static struct roam_bytes draw_type(struct sim_world *w)
{
    static const char *const types[] = {"", "", "", "text/markdown",
                                        "application/octet-stream"};
    return text(types[sim_rng_below(&w->rng, 5)]);
}

static size_t draw_length(struct sim_world *w)
{
    size_t longest = w->server->config.max_body;
    uint32_t dice = sim_rng_below(&w->rng, 100);
    if (dice < 70) {
        return sim_rng_below(&w->rng, 80);
    }
    if (dice < 96) {
        return sim_rng_below(&w->rng, 900);
    }
    return longest - 1 + sim_rng_below(&w->rng, 3);
}

static struct roam_bytes draw_body(struct sim_world *w)
{
    static const char words[] = "the quick brown fox jumps over a lazy dog ";
    struct roam_bytes body = {NULL, draw_length(w)};
    uint8_t *bytes = sim_alloc(w, body.len + 1);
    body.data = bytes;
    if (sim_rng_chance(&w->rng, 100)) {
        sim_rng_fill(&w->rng, bytes, body.len);
        return body;
    }
    size_t at = sim_rng_below(&w->rng, sizeof words - 1);
    for (size_t i = 0; i < body.len; i++) {
        bytes[i] = (uint8_t)words[(at + i) % (sizeof words - 1)];
    }
    return body;
}

/* An APP may be for some alone. */
static struct sim_change draw_named(struct sim_world *w, uint32_t party)
{
    struct sim_change c = {0};
    uint32_t often = party < SIM_USERS ? NAMING_USER_PERMILLE : NAMING_PERMILLE;
    if (sim_rng_chance(&w->rng, often)) {
        c.users = 1u << sim_rng_below(&w->rng, SIM_USERS);
        c.users |= 1u << sim_rng_below(&w->rng, SIM_USERS);
        c.nobody = sim_rng_chance(&w->rng, 50);
    }
    return c;
}

/* An operation on something in the conversation, or beside it. NULL: there
 * is nothing. */
static struct sim_message *draw_operation(struct sim_world *w,
                                          struct sim_device *d, uint32_t party)
{
    static const uint32_t kinds[] = {
        roam_v1_Kind_RECALL, roam_v1_Kind_DELETE, roam_v1_Kind_READ,
        roam_v1_Kind_READ,   roam_v1_Kind_APP,
    };
    uint8_t *body = sim_alloc(w, OPERATION_MAX);
    struct roam_operation op = {.kind = kinds[sim_rng_below(&w->rng, 5)]};
    bool app = op.kind == roam_v1_Kind_APP;
    struct roam_slice names[SIM_USERS + 1];
    struct sim_change named = {0};
    op.msg_id = sim_oracle_draw_target(w, d->user, party);
    if (op.msg_id == 0) {
        return NULL;
    }
    op.msg_id += sim_rng_chance(&w->rng, 50) ? 1 : 0;
    op.data = (struct roam_slice){(const uint8_t *)"poke", 4};
    if (app) {
        named = draw_named(w, party);
    }
    size_t count = sim_people_name(w, &named, names);
    size_t len = roam_operation_encode(&op, names, count, body, OPERATION_MAX);
    struct sim_message *m =
        sim_oracle_message_new(w, d->user, sim_oracle_party_name(w, party),
                               text(""), (struct roam_bytes){body, len});
    sim_oracle_message_aims(m, op.kind, app ? 0 : op.msg_id);
    m->change = named;
    return m;
}

static struct sim_message *draw_message(struct sim_world *w,
                                        struct sim_device *d)
{
    struct sim_message *m = NULL;
    if (sim_rng_chance(&w->rng, CHANGES_PERMILLE)) {
        m = sim_people_draw_change(w, d->user);
    }
    uint32_t party = draw_party(w, d->user);
    if (m == NULL && party != SIM_PARTIES &&
        sim_rng_chance(&w->rng, OPERATIONS_PERMILLE)) {
        m = draw_operation(w, d, party);
    }
    if (m == NULL) {
        struct roam_bytes conversation =
            party == SIM_PARTIES ? nobody(w) : sim_oracle_party_name(w, party);
        struct roam_bytes type = draw_type(w);
        m = sim_oracle_message_new(w, d->user, conversation, type,
                                   draw_body(w));
    }
    return m;
}

void sim_people_write(struct sim_world *w, struct sim_device *d)
{
    if (!d->on || d->disk.draft_count > DRAFTS_MAX) {
        return;
    }
    struct sim_message *m = draw_message(w, d);
    if (m->party == SIM_PARTIES && !sim_oracle_makes_group(m)) {
        m->must_fail = roam_v1_ErrorCode_NO_SUCH_CONVERSATION;
    }
    if (m->body.len > w->server->config.max_body) {
        m->must_fail = roam_v1_ErrorCode_BODY_TOO_LONG;
    }
    w->written++;
    sim_device_write(w, d, m);
}

/* ------------------------------------------------------------------ acts */

uint64_t sim_people_expiry(struct sim_world *w)
{
    if (!sim_fault_on(w, SIM_FAULT_EXPIRE) ||
        !sim_rng_chance(&w->rng, EXPIRE_PERMILLE)) {
        return 0;
    }
    sim_fault_happened(w, SIM_FAULT_EXPIRE);
    return sim_wall_ms(w) - ROAM_EPOCH_UNIX_MS +
           sim_rng_between(&w->rng, 1000, EXPIRE_MS_MAX);
}

static struct sim_device *any_device(struct sim_world *w)
{
    struct sim_device *d = NULL;
    do {
        d = &w->devices[sim_rng_below(&w->rng, SIM_DEVICES)];
    } while (!d->exists);
    return d;
}

static void open_or_wake(struct sim_world *w, struct sim_device *d)
{
    if (d->question != 0) {
        return; /* the person is looking at it already */
    }
    sim_device_open_app(w, d);
}

void sim_people_act(struct sim_world *w)
{
    if (w->calm) {
        return;
    }
    struct sim_device *d = any_device(w);
    uint32_t dice = sim_rng_below(&w->rng, 100);
    if (dice < 45) {
        sim_people_write(w, d);
    } else if (dice < 50) {
        uint32_t count = 1 + sim_rng_below(&w->rng, BURST_MAX);
        for (uint32_t i = 0; i < count && !w->failed; i++) {
            sim_people_write(w, d);
        }
    } else if (dice < 90) {
        open_or_wake(w, d);
    } else if (dice < 96) {
        sim_device_put_away(w, d);
    } else {
        sim_device_log_out(w, d);
    }
    sim_queue_push(&w->queue,
                   w->now_ms + sim_rng_between(&w->rng, 1, ACT_MS_MAX),
                   SIM_EV_PERSON, 0, 0);
}

void sim_people_decide(struct sim_world *w, struct sim_device *d, uint64_t b)
{
    if (!d->on || d->question != b || b == 0) {
        return;
    }
    bool yes =
        w->calm ? d->chosen : sim_rng_chance(&w->rng, d->manual ? 700 : 250);
    sim_device_answer(w, d, yes);
}
