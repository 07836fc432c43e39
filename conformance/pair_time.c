/* SPDX-License-Identifier: Apache-2.0 */
/* When nothing is under way any more, and how time passes then: the client's
 * clock moves only behind pair_quiet(), and in steps so short that what a
 * timer sends is answered before the next one goes off. */
#include <inttypes.h>
#include <string.h>

#include "exec.h"
#include "pair_case.h"

/* Below the 10 s of [TIME-3] and [TIME-7] that a client waits for an answer,
 * so that it always has it in time. */
#define SLICE_MS 5000u
/* Each turn answers what the turn before made clients send; a client that
 * never comes to rest is at fault. */
#define TURNS_MAX 1000u

/* What the server still has to answer on a link; NULL: nothing. */
static const char *owed(const struct world *w, const struct link *l,
                        const char **rule)
{
    if (l->login_count > 0) {
        *rule = "LOGIN-5";
        return "LOGIN";
    }
    if (l->is_live && l->syncs_open > 0) {
        *rule = "SYNC-2";
        return "SYNC";
    }
    for (size_t i = 0; i < w->sent_count; i++) {
        if (w->sent[i].link == l && !w->sent[i].is_answered) {
            *rule = "SEND-2";
            return "SEND";
        }
    }
    for (size_t i = 0; i < w->page_count; i++) {
        if (w->pages[i].link == l && !w->pages[i].is_answered) {
            *rule = "HIST-1";
            return "a question";
        }
    }
    for (size_t i = 0; i < l->ping_count; i++) {
        if (!l->pings[i].is_answered) {
            *rule = "PING-1";
            return "PING";
        }
    }
    return NULL;
}

static bool is_open(const struct conn *c)
{
    const struct link *l = c->relay ? c->relay->link : NULL;
    return l && l->fd >= 0 && !c->relay->is_broken && !l->is_stalled &&
           !l->is_closed && !l->is_dropped && !l->is_kicked && !c->is_closed &&
           c->fd >= 0;
}

static const char *any_owed(const struct stage *g, const char **rule)
{
    for (size_t i = 0; i < g->conn_count; i++) {
        const struct conn *c = g->conns[i];
        const char *what =
            is_open(c) ? owed(&g->world, c->relay->link, rule) : NULL;
        if (what) {
            return arena_printf("%s of %s", what, c->subject->decl->name);
        }
    }
    return NULL;
}

static bool wait_for_answers(struct stage *g)
{
    uint64_t deadline = now_ms() + g->world.timeout_ms;
    const char *what, *rule = NULL;
    while ((what = any_owed(g, &rule)) != NULL) {
        if (!pair_pump(g, deadline) && now_ms() >= deadline) {
            relay_accuse(g, NULL);
            return world_fail(&g->world, rule,
                              arena_printf("no answer to %s within %" PRIu64
                                           " ms",
                                           what, g->world.timeout_ms),
                              "an answer, or the session's end", NULL);
        }
        if (g->world.failure.happened) {
            return false;
        }
    }
    return true;
}

/* PING of the harness's own, until all that PONG tells of has come. */
static bool fence_link(struct stage *g, struct sut *s)
{
    const struct link *l = s->device->link;
    if (!l || !l->is_live || l->is_stalled || l->fd < 0 ||
        (s->conn && s->conn->is_closed)) {
        return true;
    }
    const char *before = relay_accuse(g, NULL);
    bool ok = exec_fence(&g->world, s->device);
    g->world.accused = before;
    return ok;
}

bool pair_fence(struct stage *g, struct sut *s)
{
    return fence_link(g, s) && relay_pass_all(g) &&
           (!s->is_open || verb_fence(g, s));
}

static bool turn(struct stage *g)
{
    if (!wait_for_answers(g)) {
        return false;
    }
    for (size_t i = 0; i < g->world.s->device_count; i++) {
        if (!pair_fence(g, &g->suts[i])) {
            return false;
        }
    }
    return relay_pass_all(g);
}

bool pair_quiet(struct stage *g)
{
    const char *rule = NULL;
    for (size_t i = 0; i < TURNS_MAX; i++) {
        if (!turn(g)) {
            return false;
        }
        if (!any_owed(g, &rule)) {
            return true;
        }
    }
    return world_mistake(&g->world, "the clients do not come to rest");
}

static bool is_virtual(struct stage *g)
{
    for (size_t i = 0; i < g->adapter_count; i++) {
        if (!g->adapters[i].is_virtual) {
            g->unsupported = "needs adapters with a virtual clock";
            return false;
        }
    }
    return true;
}

bool pair_advance(struct stage *g, uint64_t ms)
{
    uint64_t end = g->now_ms + ms;
    if (!is_virtual(g)) {
        return false;
    }
    world_event(&g->world, NULL, "-", arena_printf("%" PRIu64 " ms pass", ms));
    do {
        if (!pair_quiet(g)) {
            return false;
        }
        uint64_t next = g->now_ms + SLICE_MS, due = relay_next_ms(g);
        next = due > g->now_ms && due < next ? due : next;
        next = next < end ? next : end;
        if (!verb_tick(g, next - g->now_ms) || !relay_pass_all(g)) {
            return false;
        }
    } while (g->now_ms < end);
    return pair_quiet(g);
}

static bool stays_away(struct stage *g, const struct sut *s, const char *what)
{
    relay_accuse(g, s);
    return world_fail(&g->world, NULL, what,
                      "it connects again by itself, in its time", NULL);
}

/* With a real clock the client takes its own time. */
static bool wait_return(struct stage *g, struct sut *s, uint64_t before)
{
    uint64_t deadline = now_ms() + g->world.timeout_ms;
    while (s->connections == before) {
        if (!pair_pump(g, deadline) && now_ms() >= deadline) {
            return stays_away(g, s, "the client does not come back");
        }
        if (g->world.failure.happened) {
            return false;
        }
    }
    return true;
}

bool pair_return(struct stage *g, struct sut *s)
{
    uint64_t before = s->connections, ms = UINT64_MAX;
    json_t *state = pair_quiet(g) ? verb_settled(g, s) : NULL;
    if (!state) {
        return false;
    }
    bool waits = json_u64(state, "next_ms", &ms);
    if (json_is_true(json_object_get(state, "connected")) && !waits) {
        return true;
    }
    if (!s->adapter->is_virtual) {
        return wait_return(g, s, before);
    }
    if (!waits) {
        return stays_away(g, s, "the client does not mean to come back");
    }
    return pair_advance(g, ms) &&
           (s->connections > before ||
            stays_away(g, s, "the client did not come when it said"));
}
