/* SPDX-License-Identifier: Apache-2.0 */
/* What verbs of the client role are made of: telling the adapter, the fence
 * that its verb `state` gives, and virtual time. */
#include <inttypes.h>
#include <string.h>

#include "adapter_say.h"
#include "client_case.h"
#include "expr.h"
#include "pair_case.h"

/* ------------------------------------------------------------- the adapter */

static bool no_answer(struct stage *g, const char *verb)
{
    return world_fail(&g->world, "",
                      arena_printf("adapter: no answer to %s within %" PRIu64
                                   " ms",
                                   verb, g->world.timeout_ms),
                      "an answer, flushed behind every line", NULL);
}

static json_t *wait_answer(struct stage *g, struct adapter *a, const char *verb,
                           uint64_t id)
{
    uint64_t deadline = now_ms() + g->world.timeout_ms;
    for (;;) {
        const char *stray = adapter_say_stray(a, id);
        if (stray) {
            world_fail(
                &g->world, "",
                arena_printf("adapter: %s (waiting for %s)", stray, verb),
                "one answer for each request", NULL);
            return NULL;
        }
        json_t *answer = adapter_answer(a, id);
        if (answer) {
            return answer;
        }
        if (!net_pump(g, deadline) && now_ms() >= deadline) {
            no_answer(g, verb);
        }
        if (g->world.failure.happened) {
            return NULL;
        }
    }
}

void stage_trace(const struct stage *g, const char *arrow, const json_t *line)
{
    if (g->world.trace) {
        world_trace(&g->world, arena_printf("adapter%s", arrow),
                    adapter_say_line(line));
    }
}

/* NULL with a failure noted, or with g->unsupported set. */
static json_t *tell(struct stage *g, struct adapter *a, const char *verb,
                    json_t *request)
{
    uint64_t id = adapter_request(a, verb, request);
    stage_trace(g, ">", request);
    json_t *answer = id ? wait_answer(g, a, verb, id) : NULL;
    if (answer) {
        stage_trace(g, "<", answer);
    }
    const char *result = answer ? adapter_result(answer) : NULL;
    if (result && strcmp(result, "ok") == 0) {
        return answer;
    }
    if (result && strcmp(result, "unsupported") == 0) {
        g->unsupported = arena_printf("the adapter does not support %s", verb);
        return NULL;
    }
    const char *code = answer ? json_text(answer, "code") : NULL;
    world_fail(&g->world, result ? NULL : "",
               a->fault ? arena_printf("adapter: %s", adapter_say_fault(a))
                        : arena_printf("adapter: %s failed with %s", verb,
                                       code ? code : "no answer that is legal"),
               "ok", NULL);
    return NULL;
}

json_t *adapter_tell(struct stage *g, struct sut *s, const char *verb,
                     json_t *request)
{
    json_object_set_new(request, "handle", json_string(s->handle));
    if (strcmp(verb, "state") != 0) { /* a fence is nobody's act */
        world_event(&g->world, s->device, "!", verb);
    }
    const char *before = relay_accuse(g, s);
    json_t *answer = tell(g, s->adapter, verb, request);
    g->world.accused = before;
    return answer;
}

bool adapter_tell_all(struct stage *g, const char *verb, const char *key,
                      uint64_t number)
{
    for (size_t i = 0; i < g->adapter_count; i++) {
        json_t *r = json_object();
        if (key) {
            json_set_u64(r, key, number);
        }
        if (!tell(g, &g->adapters[i], verb, r)) {
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------- the fence
 */

void stage_set_var(struct stage *g, const struct sut *s, const char *name,
                   uint64_t n)
{
    const struct value v = value_number(n);
    var_set(&g->world, arena_printf("$%s.%s", s->decl->name, name), &v);
}

uint64_t answer_number(const json_t *answer, const char *key,
                       uint64_t otherwise)
{
    uint64_t n;
    return json_u64(answer, key, &n) ? n : otherwise;
}

/* next_ms is 0 where the client has come back already, and 2^64-1 where it
 * never will. */
static void publish(struct stage *g, const struct sut *s, const json_t *state)
{
    stage_set_var(g, s, "cursor", answer_number(state, "cursor", 0));
    stage_set_var(g, s, "attempt", answer_number(state, "attempt", 0));
    stage_set_var(g, s, "connections", answer_number(state, "connections", 0));
    stage_set_var(g, s, "unsent", answer_number(state, "unsent", 0));
    stage_set_var(g, s, "tickets", s->tickets);
    stage_set_var(g, s, "resumed", s->resumed);
    bool connected = json_is_true(json_object_get(state, "connected"));
    stage_set_var(g, s, "next_ms",
                  answer_number(state, "next_ms", connected ? 0 : UINT64_MAX));
}

static bool never_came(struct stage *g, const struct sut *s,
                       const json_t *state)
{
    const struct conn *c = s->conn;
    bool open = json_is_true(json_object_get(state, "connected"));
    return world_fail(
        &g->world, "",
        arena_printf("adapter: `state` tells of connections=%s, sent=%s, "
                     "connected=%s; what came is %" PRIu64
                     " connections, and %" PRIu64 " bytes on the last%s",
                     json_text(state, "connections"), json_text(state, "sent"),
                     open ? "true" : "false", s->connections,
                     c ? c->received : 0, open ? "" : ", which has not ended"),
        "`connections`, `sent` and `connected` as ADAPTER.md has them", NULL);
}

/* What the client wrote before it answered has to come. */
static bool catch_up(struct stage *g, struct sut *s, const json_t *state)
{
    uint64_t deadline = now_ms() + g->world.timeout_ms;
    uint64_t connections = answer_number(state, "connections", 0);
    uint64_t sent = answer_number(state, "sent", 0);
    bool open = json_is_true(json_object_get(state, "connected"));
    for (;;) {
        const struct conn *c = s->conn;
        bool all = s->connections >= connections &&
                   (!c || c->fd < 0 || c->is_closed || c->is_stalled ||
                    (open && c->received >= sent));
        if (all) {
            return true;
        }
        if (!net_pump(g, deadline) && now_ms() >= deadline) {
            return never_came(g, s, state);
        }
        if (g->world.failure.happened) {
            return false;
        }
    }
}

/* The rule that a cursor breaks which is not the shadow's. */
static const char *cursor_rule(const struct sut *s, uint64_t cursor)
{
    bool ahead = cursor > s->cursor;
    return s->by_reset                ? "SYNC-9"
           : ahead && s->pages_served ? "HIST-11"
           : ahead && s->manual       ? "ACK-1"
                                      : "CHAIN-4";
}

static bool judge_state(struct stage *g, struct sut *s, const json_t *state)
{
    uint64_t cursor = answer_number(state, "cursor", s->cursor);
    if (cursor != s->cursor) {
        return world_fail(&g->world, cursor_rule(s, cursor),
                          arena_printf("the cursor is %" PRIu64
                                       ", what was served and stored ends at "
                                       "%" PRIu64,
                                       cursor, s->cursor),
                          s->manual ? "what the verb `ack` named last: the "
                                      "device is opened with \"ack\":\"manual\""
                                    : "the version of the last entry stored",
                          NULL);
    }
    const struct conn *c = s->conn;
    bool open = json_is_true(json_object_get(state, "connected"));
    if (c && c->must_end && open && s->connections > 0 && c->fd >= 0) {
        return world_fail(&g->world, c->must_end,
                          "the client keeps a connection that it has to close",
                          "it closes", NULL);
    }
    return true;
}

/* The client takes all that was sent, and all that it wrote comes. */
static json_t *settle(struct stage *g, struct sut *s)
{
    struct conn *c = s->conn;
    json_t *r = json_object();
    if (c && c->fd >= 0 && !c->is_closed) {
        json_set_u64(r, "connections", s->connections);
        json_set_u64(r, "received", c->sent);
    }
    if (c && c->is_left) {
        json_set_u64(r, "connections", s->connections);
        json_object_set_new(r, "ended", json_true());
    }
    json_t *state = adapter_tell(g, s, "state", r);
    const char *mistake = state ? adapter_say_state(state) : NULL;
    if (mistake) {
        world_fail(&g->world, "",
                   arena_printf("adapter: the answer to state: %s", mistake),
                   "the fields that ADAPTER.md has", NULL);
        return NULL;
    }
    return state && catch_up(g, s, state) && events_judge(g) ? state : NULL;
}

json_t *verb_settled(struct stage *g, struct sut *s)
{
    const char *before = relay_accuse(g, s);
    json_t *state = settle(g, s);
    g->world.accused = before;
    return state;
}

bool verb_settle(struct stage *g, struct sut *s)
{
    return verb_settled(g, s) != NULL;
}

bool verb_fence(struct stage *g, struct sut *s)
{
    json_t *state = verb_settled(g, s);
    if (!state) {
        return false;
    }
    publish(g, s, state);
    const char *before = relay_accuse(g, s);
    bool ok = judge_state(g, s, state) && client_judge_fenced(g, s);
    g->world.accused = before;
    return ok;
}

/* ------------------------------------------------------------------------ time
 */

/* The longest step of the clock: within it no two timers of section 9 that
 * matter here hide behind each other. */
#define ADVANCE_STEP_MS 3600000u

bool verb_tick(struct stage *g, uint64_t ms)
{
    if (!g->adapters[0].is_virtual) {
        g->unsupported = "needs an adapter with a virtual clock";
        return false;
    }
    for (size_t i = 0; i < g->world.s->device_count; i++) {
        if (g->suts[i].is_open && !verb_fence(g, &g->suts[i])) {
            return false;
        }
    }
    g->now_ms += ms;
    const struct value now = value_number(g->now_ms);
    var_set(&g->world, "$now", &now);
    if (!adapter_tell_all(g, "advance", "ms", ms)) {
        return false;
    }
    for (size_t i = 0; i < g->world.s->device_count; i++) {
        if (g->suts[i].is_open && !verb_fence(g, &g->suts[i])) {
            return false;
        }
    }
    return true;
}

bool verb_advance(struct stage *g, uint64_t ms)
{
    world_event(&g->world, NULL, "-", arena_printf("%" PRIu64 " ms pass", ms));
    return verb_tick(g, ms);
}

static bool stays_away(struct stage *g, const char *what)
{
    return world_fail(&g->world, NULL, what,
                      "it connects again by itself, in its time", NULL);
}

/* With a real clock the client takes its own time. */
static bool wait_return(struct stage *g, const struct sut *s)
{
    uint64_t deadline = now_ms() + g->world.timeout_ms;
    while (!s->conn || s->conn->is_closed || s->conn->fd < 0) {
        if (!net_pump(g, deadline) && now_ms() >= deadline) {
            return stays_away(g, "the client does not come back");
        }
        if (g->world.failure.happened) {
            return false;
        }
    }
    return true;
}

bool verb_return(struct stage *g, struct sut *s)
{
    uint64_t before = s->connections;
    json_t *state = verb_settled(g, s);
    if (!state) {
        return false;
    }
    bool connected = json_is_true(json_object_get(state, "connected"));
    if (connected && !json_object_get(state, "next_ms")) {
        return true;
    }
    if (!s->adapter->is_virtual) {
        return wait_return(g, s);
    }
    uint64_t ms = answer_number(state, "next_ms", UINT64_MAX);
    if (ms == UINT64_MAX) {
        return stays_away(g, "the client does not mean to come back");
    }
    return verb_advance(g, ms) &&
           (connected || s->connections > before ||
            stays_away(g, "the client did not come when it said"));
}
