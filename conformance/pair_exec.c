/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of the role pair. What is not of this role alone is done by the
 * server role's executor, whose links are here those of the relays. The verbs
 * are in pair_verbs.c. */
#include "exec.h"
#include "exec_server.h"

#include <signal.h>

#include "expect.h"
#include "expr.h"
#include "judge.h"
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

static struct expect_outcome decide_down(struct stage *g, struct sut *s,
                                         const struct step *step)
{
    struct link *now = s->device->link, *l = relay_newest_link(s);
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

static bool do_absent(struct stage *g, const struct step *step)
{
    struct sut *s = &g->suts[step->device];
    struct link *now, *l;
    if (!pair_fence(g, s)) {
        return false;
    }
    l = relay_newest_link(s);
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
        return pair_verb(g, step);
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
