/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of the role pair: what a device's program is told to do, and what
 * the harness does to its connection. */
#include <inttypes.h>
#include <string.h>

#include "expect.h"
#include "expr.h"
#include "pair_case.h"

static bool await(struct stage *g, struct sut *s, uint8_t number,
                  const struct term *field)
{
    const struct frame_type *type = frame_type_numbered(number);
    struct term copy;
    struct step step = {.kind = STEP_EXPECT,
                        .line = g->world.step->line,
                        .rule = g->world.step->rule,
                        .device = (size_t)(s - g->suts),
                        .type = type,
                        .text = arena_printf("%s%c %s", s->decl->name,
                                             type->from_server ? '<' : '>',
                                             type->name)};
    if (field) {
        copy = *field;
        step.fields = (struct terms){&copy, 1, 1};
    }
    return expect_wait(&g->world, &step);
}

/* What the client writes at once has come before anything else passes to it:
 * otherwise a frame that it has not read would be held against it. */
static bool tell(struct stage *g, struct sut *s, const struct step *step)
{
    return verb_do(g, s, step) && (!s->is_open || verb_settle(g, s));
}

static bool adapter_does(struct stage *g, struct sut *s,
                         const struct step *step, enum client_act act)
{
    struct step copy = *step;
    copy.act = (int)act;
    return tell(g, s, &copy);
}

/* LOGIN and SYNC, and both are granted. */
static bool grant(struct stage *g, struct sut *s)
{
    return await(g, s, F_LOGIN, NULL) && await(g, s, F_SYNC, NULL) &&
           await(g, s, F_LOGIN_OK, NULL) && await(g, s, F_SYNC_OK, NULL) &&
           relay_pass_all(g);
}

static bool start(struct stage *g, struct sut *s, const struct step *step)
{
    return adapter_does(g, s, step, ACT_LOGIN) && grant(g, s);
}

/* Files that the server role has too: the answer belongs to the verb. */
static bool send_whole(struct stage *g, struct sut *s, const struct step *step)
{
    if (!adapter_does(g, s, step, ACT_SEND)) {
        return false;
    }
    const struct term id = {"client_msg_id", OP_EQ,
                            arena_printf("%" PRIu64, s->last_said)};
    return await(g, s, F_SEND, &id) && await(g, s, F_SEND_OK, &id);
}

static bool logout_whole(struct stage *g, struct sut *s,
                         const struct step *step)
{
    const struct term reason = {"reason", OP_EQ, "LOGGED_OUT"};
    return adapter_does(g, s, step, ACT_LOGOUT) &&
           await(g, s, F_LOGOUT, NULL) && await(g, s, F_KICK, &reason);
}

static bool drain(struct stage *g, struct sut *s)
{
    struct link *l = relay_newest_link(s);
    for (size_t i = 0; l && i < l->row_count; i++) {
        l->rows[i].consumed = true;
    }
    for (size_t i = 0; i < s->adapter->judged; i++) {
        struct adapter_line *line = &s->adapter->events[i];
        line->taken = line->taken ||
                      strcmp(json_text(line->json, "handle"), s->handle) == 0;
    }
    (void)g;
    return true;
}

static bool on_relay(struct stage *g, struct sut *s, enum client_act act)
{
    struct conn *c = s->conn;
    if (!c || !c->relay || c->fd < 0 || c->is_closed) {
        return world_mistake(&g->world, "the device has no connection");
    }
    switch ((int)act) {
    case ACT_CUT:
        relay_cut(g, c);
        break;
    case ACT_HALF_OPEN:
        relay_half_open(g, c);
        break;
    case ACT_HUSH:
        relay_break(c);
        break;
    default:
        c->is_stalled = act == ACT_STALL;
        c->relay->link->is_stalled = c->is_stalled;
        break;
    }
    return true;
}

static bool set_passage(struct stage *g, struct sut *s, const struct step *step)
{
    struct passage *way = relay_passage(g, s);
    uint64_t n = 0;
    if (step->word && !expr_number(&g->world, step->word, &n)) {
        return false;
    }
    switch (step->act) {
    case ACT_DELAY:
        way->delay_ms = n;
        break;
    case ACT_SPLIT:
        way->split = n;
        break;
    case ACT_TEAR:
        way->tear = n;
        break;
    default:
        way->is_held = step->act == ACT_HOLD;
        break;
    }
    return true;
}

/* Everything that the client has been sent is taken first, so that what is
 * lost with a connection is only what the scenario holds back. */
static bool needs_fence(enum client_act act)
{
    return act == ACT_CUT || act == ACT_HALF_OPEN || act == ACT_HUSH ||
           act == ACT_STALL || act == ACT_DELAY || act == ACT_SPLIT ||
           act == ACT_TEAR || act == ACT_HOLD || act == ACT_WITHHOLD;
}

/* A client syncs with its LOGIN, unasked. */
static bool do_whole(struct stage *g, struct sut *s, const struct step *step)
{
    switch (step->act) {
    case ACT_SEND:
        return send_whole(g, s, step);
    case ACT_LOGOUT:
        return logout_whole(g, s, step);
    case ACT_SYNC:
        return await(g, s, F_SYNC_OK, NULL);
    default:
        return adapter_does(g, s, step, ACT_LOGIN) &&
               await(g, s, F_LOGIN, NULL) && await(g, s, F_SYNC, NULL) &&
               await(g, s, F_LOGIN_OK, NULL);
    }
}

static bool is_with_answer(const struct step *step)
{
    return step->is_whole && !step->type &&
           (step->act == ACT_SEND || step->act == ACT_LOGOUT ||
            step->act == ACT_LOGIN || step->act == ACT_SYNC);
}

/* `dev> TYPE` of a file that the role server has too. */
static bool do_told(struct stage *g, struct sut *s, const struct step *step)
{
    uint8_t number = step->type->number;
    if (!tell(g, s, step)) {
        return false;
    }
    if (number == F_SEND) {
        const struct term id = {"client_msg_id", OP_EQ,
                                arena_printf("%" PRIu64, s->last_said)};
        return await(g, s, F_SEND, &id);
    }
    return await(g, s, number, NULL) &&
           (number != F_LOGIN || await(g, s, F_SYNC, NULL));
}

bool pair_verb(struct stage *g, const struct step *step)
{
    struct sut *s = &g->suts[step->device];
    enum client_act act = (enum client_act)step->act;
    if (!relay_pass_all(g) ||
        (needs_fence(act) && s->is_open && !verb_fence(g, s))) {
        return false;
    }
    if (step->type) {
        return do_told(g, s, step);
    }
    if (is_with_answer(step)) {
        return do_whole(g, s, step);
    }
    switch (act) {
    case ACT_START:
        return start(g, s, step);
    case ACT_GRANT:
        return grant(g, s);
    case ACT_FENCE:
    case ACT_STATE:
        return pair_fence(g, s);
    case ACT_DRAIN:
        return pair_fence(g, s) && drain(g, s);
    case ACT_RETURN:
        return pair_return(g, s);
    case ACT_PULL:
        return pair_pull(g, s);
    case ACT_CUT:
    case ACT_HALF_OPEN:
    case ACT_HUSH:
    case ACT_STALL:
    case ACT_RESUME:
        return on_relay(g, s, act);
    case ACT_HOLD:
    case ACT_RELEASE:
    case ACT_DELAY:
    case ACT_SPLIT:
    case ACT_TEAR:
        return set_passage(g, s, step) && relay_pass_all(g);
    case ACT_WITHHOLD:
        relay_passage(g, s)->is_withheld = true;
        return true;
    case ACT_LET_GO:
        relay_let_go(g, s);
        return relay_pass_all(g);
    default:
        return tell(g, s, step);
    }
}
