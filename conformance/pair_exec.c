/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of the role pair. What is not of this role alone is done by the
 * server role's executor, whose links are here those of the relays. */
#include "exec.h"
#include "exec_server.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "expect.h"
#include "expr.h"
#include "judge.h"
#include "link.h"
#include "pair_case.h"
#include "scn_server.h"

static struct stage *stage_of(struct world *w)
{
    return (struct stage *)(void *)w; /* its first member */
}

bool pair_pump(struct stage *g, uint64_t deadline_ms)
{
    bool did;
    if (g->world.failure.happened || !relay_pass(g, &did)) {
        return false;
    }
    return did ? !g->world.failure.happened : net_pump(g, deadline_ms);
}

static bool op_pump(struct world *w, uint64_t deadline_ms)
{
    return pair_pump(stage_of(w), deadline_ms);
}

static bool op_write(struct world *w, struct link *l, const uint8_t *bytes,
                     size_t len)
{
    return relay_add(stage_of(w), l, bytes, len);
}

/* ----------------------------------------------------------- expectations */

/* The link of the newest connection, also when it has ended. */
static struct link *newest_link(const struct sut *s)
{
    return s->conn && s->conn->relay ? s->conn->relay->link : NULL;
}

static struct expect_outcome decide_down(struct stage *g, struct sut *s,
                                         const struct step *step)
{
    struct link *now = s->device->link, *l = newest_link(s);
    struct expect_outcome o = {EXPECT_PENDING, NULL, NULL};
    if (!l) {
        return o;
    }
    if (step->subject == ABOUT_CLOSED) {
        o.result = l->is_closed ? EXPECT_MATCH : EXPECT_PENDING;
        return o;
    }
    s->device->link = l;
    o = expect_try_link(&g->world, step);
    s->device->link = now;
    return o;
}

static bool is_of_client(const struct step *step)
{
    return step->subject == ABOUT_CLOSED
               ? !step->to_client
               : step->type != NULL && !step->type->from_server;
}

static void op_decide(struct world *w, const struct step *step,
                      struct expect_outcome *out)
{
    struct stage *g = stage_of(w);
    struct sut *s = &g->suts[step->device];
    const struct sut *liar = NULL;
    w->accused = NULL;
    if (step->kind == STEP_EVENT) {
        *out = client_try_event(g, s, step);
        liar = out->result == EXPECT_MISMATCH ? pair_liar(g, s, step) : NULL;
    } else if (is_of_client(step)) {
        *out = step->subject == ABOUT_CLOSED ? client_try_closed(g, s)
                                             : client_try_frame(g, s, step);
        liar = s;
    } else {
        *out = decide_down(g, s, step);
    }
    if (out->result == EXPECT_MISMATCH) {
        relay_accuse(g, liar);
    }
}

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

static bool do_absent(struct stage *g, const struct step *step)
{
    struct sut *s = &g->suts[step->device];
    struct link *now, *l;
    if (!pair_fence(g, s)) {
        return false;
    }
    l = newest_link(s);
    if (step->word || is_of_client(step)) {
        relay_accuse(g, s);
        return client_absent(g, step);
    }
    relay_accuse(g, NULL);
    now = s->device->link;
    s->device->link = l;
    bool ok = !l || expect_absent(&g->world, step);
    s->device->link = now;
    return ok;
}

/* ------------------------------------------------------------------ verbs */

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
    struct link *l = newest_link(s);
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

static bool do_verb(struct stage *g, const struct step *step)
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

/* ------------------------------------------------------------ other steps */

/* Connections that are made while there is no server are refused, as they
 * would be without a harness. */
static bool plug_all(struct stage *g, bool plugged)
{
    for (size_t i = 0; i < g->world.s->device_count; i++) {
        struct sut *s = &g->suts[i];
        if (s->is_unplugged == plugged &&
            !(plugged ? net_plug(g, s) : net_unplug(g, s))) {
            return false;
        }
    }
    return true;
}

static bool all_ended(const struct stage *g)
{
    for (size_t i = 0; i < g->conn_count; i++) {
        const struct relay *r = g->conns[i]->relay;
        if (r && !r->is_broken && r->link->fd >= 0 && !r->link->is_stalled) {
            return false;
        }
    }
    return true;
}

static bool await_ends(struct stage *g)
{
    uint64_t deadline = now_ms() + g->world.timeout_ms;
    while (!all_ended(g)) {
        if (!pair_pump(g, deadline) && now_ms() >= deadline) {
            return world_mistake(&g->world, "a connection outlives its server");
        }
        if (g->world.failure.happened) {
            return false;
        }
    }
    return relay_pass_all(g);
}

/* By a signal, or as the step says: by itself. */
static bool stop_server(struct stage *g, const struct step *step, int how)
{
    const char *reason = "";
    if (!plug_all(g, false)) {
        return false;
    }
    relay_accuse(g, NULL);
    g->is_stopped = true;
    if (!(how ? server_stop(g->world.server, how, &reason)
              : exec_server(&g->world, step))) {
        return world_server_fail(&g->world, reason, "an end with status 0");
    }
    return await_ends(g);
}

static bool start_server(struct stage *g)
{
    const char *reason = "";
    relay_accuse(g, NULL);
    g->is_stopped = false;
    return (server_start(g->world.server, &reason) ||
            world_server_fail(&g->world, reason, "a server that starts")) &&
           plug_all(g, true);
}

static bool do_server(struct stage *g, const struct step *step)
{
    if (step->act == SERVER_ENDED) {
        return stop_server(g, step, 0);
    }
    if (step->act == SERVER_FAIL_WRITE) {
        relay_accuse(g, NULL);
        return exec_server(&g->world, step);
    }
    world_event(&g->world, NULL, "-", arena_printf("server %s", step->word));
    switch (step->act) {
    case SERVER_START:
        return start_server(g);
    case SERVER_RESTART:
        return stop_server(g, step, SIGTERM) && start_server(g);
    default:
        return stop_server(g, step,
                           step->act == SERVER_KILL ? SIGKILL : SIGTERM);
    }
}

static bool do_checkpoint(struct stage *g, const struct step *step)
{
    if (!pair_quiet(g)) {
        return false;
    }
    relay_accuse(g, NULL);
    return exec_checkpoint(&g->world, step) && relay_pass_all(g) &&
           view_compare(g, step->word);
}

static bool op_takes(const struct step *step)
{
    return step->kind == STEP_VERB || step->kind == STEP_ABSENT ||
           step->kind == STEP_CHECKPOINT || step->kind == STEP_SERVER ||
           step->kind == STEP_ADVANCE || step->kind == STEP_EVENT;
}

static bool op_carry_out(struct world *w, const struct step *step)
{
    struct stage *g = stage_of(w);
    uint64_t ms;
    w->accused = NULL;
    switch (step->kind) {
    case STEP_VERB:
        return do_verb(g, step);
    case STEP_ABSENT:
        return do_absent(g, step);
    case STEP_CHECKPOINT:
        return do_checkpoint(g, step);
    case STEP_SERVER:
        return do_server(g, step);
    case STEP_ADVANCE:
        return expr_number(w, step->operand, &ms) && pair_advance(g, ms);
    default:
        return expect_wait(w, step);
    }
}

const struct world_ops pair_ops = {.pump = op_pump,
                                   .write = op_write,
                                   .takes = op_takes,
                                   .carry_out = op_carry_out,
                                   .decide = op_decide,
                                   .nothing_came = pair_blame};

/* ------------------------------------------------------------- at the end */

static bool clients_stayed(struct stage *g)
{
    for (size_t i = 0; i < g->conn_count; i++) {
        const struct conn *c = g->conns[i];
        if (client_closed_for_nothing(c) && c->since_ms == g->now_ms) {
            relay_accuse(g, c->subject);
            return client_false_end(g);
        }
    }
    return true;
}

bool pair_exec(struct stage *g)
{
    struct world *w = &g->world;
    if (!exec_steps(w)) {
        return false;
    }
    w->accused = NULL;
    if (!pair_quiet(g) || !clients_stayed(g)) {
        return false;
    }
    relay_accuse(g, NULL);
    if (!exec_wait_for_ends(w) || !judge_finish(w)) {
        return false;
    }
    for (size_t i = 0; i < w->s->user_count; i++) {
        if (!view_compare(g, w->users[i].word)) {
            return false;
        }
    }
    w->accused = NULL;
    return true;
}
