/* SPDX-License-Identifier: Apache-2.0 */
/* One case of the client role from its adapter's start to its verdict. */
#include "client_role.h"

#include <inttypes.h>
#include <string.h>

#include "adapter_say.h"
#include "client_case.h"
#include "expr.h"
#include "scn_lex.h"

bool client_greet(struct stage *g, struct adapter *a)
{
    uint64_t deadline = now_ms() + g->start_ms;
    while (!adapter_greeted(a)) {
        if (g->world.failure.happened) {
            return false;
        }
        if (a->fault) {
            return world_fail(&g->world, "",
                              arena_printf("adapter: %s", a->fault),
                              "a hello, see conformance/ADAPTER.md", NULL);
        }
        if (!net_pump(g, deadline) && now_ms() >= deadline) {
            return world_fail(&g->world, "",
                              arena_printf("adapter: no hello within %" PRIu64
                                           " ms",
                                           g->start_ms),
                              "a hello as its first line, flushed", NULL);
        }
    }
    return true;
}

bool client_open_suts(struct stage *g)
{
    struct world *w = &g->world;
    const char *reason = "";
    const struct value now = value_number(0);
    var_set(w, "$now", &now);
    g->suts = arena_alloc(w->s->device_count * sizeof *g->suts);
    for (size_t i = 0; i < w->s->device_count; i++) {
        struct sut *s = &g->suts[i];
        s->decl = &w->s->devices[i];
        s->device = &w->devices[i];
        s->handle = arena_printf("%s-%s", s->decl->name, w->suffix);
        s->store = s->handle;
        s->manual = s->decl->manual_ack;
        s->adapter = &g->adapters[i % g->adapter_count];
        if (!net_listen(g, s, &reason)) {
            return world_mistake(w, reason);
        }
        if (!secure_begin(g, s)) {
            return false;
        }
    }
    return true;
}

bool client_wait_for_key(const struct run_options *o, const struct stage *g)
{
    struct text t = {0};
    const struct adapter *a = &g->adapters[0];
    const struct adapter_target *target = a->target;
    const char *who = target->argv ? arena_printf("process %ld", (long)a->pid)
                      : target->serial ? arena_printf("at %s", target->serial)
                                       : arena_printf("at %s:%u", target->host,
                                                      (unsigned)target->port);
    text_add(&t, "%s: adapter: %s", g->world.s->id, who);
    for (size_t i = 0; i < g->world.s->device_count; i++) {
        text_add(&t, "; the server of %s: %s:%u", g->suts[i].decl->name,
                 g->address, (unsigned)g->suts[i].port);
    }
    run_wait_for_key(o, text_str(&t));
    return true;
}

/* Capabilities that the scenario names, and those that follow from it. */
bool client_can_run(struct stage *g, const struct adapter *a)
{
    struct words w;
    words_split(g->world.s->needs, &w);
    for (size_t i = 0; i < w.count; i++) {
        if (!adapter_meets(a, w.at[i])) {
            g->unsupported =
                arena_printf("the adapter has no capability %s", w.at[i]);
            return false;
        }
    }
    if (g->is_secure && !adapter_can(a, "tls")) {
        g->unsupported = "the adapter has no capability tls";
        return false;
    }
    return true;
}

/* An orderly end: quit is answered, and the status is 0. */
bool client_quit(struct stage *g)
{
    world_event(&g->world, NULL, "!", "quit");
    if (!adapter_tell_all(g, "quit", NULL, 0)) {
        return false;
    }
    for (size_t i = 0; i < g->adapter_count; i++) {
        struct adapter *a = &g->adapters[i];
        int status = adapter_close(a, g->start_ms);
        if (status > 0) {
            return world_fail(&g->world, "",
                              arena_printf("adapter: it ended %s\n%s",
                                           adapter_say_status(status),
                                           adapter_errors(a)),
                              "status 0 behind quit", NULL);
        }
    }
    return true;
}

enum verdict client_verdict(const struct stage *g, bool passed)
{
    if (passed) {
        return VERDICT_PASS;
    }
    if (g->world.failure.is_harness) {
        return VERDICT_HARNESS;
    }
    if (!g->world.failure.happened) {
        return VERDICT_UNSUPPORTED;
    }
    return g->world.s->is_should ? VERDICT_WARN : VERDICT_FAIL;
}

struct result client_run_case(const struct run_options *o,
                              const struct scenario *s,
                              const struct rules *rules)
{
    static struct server nobody; /* users and tokens are taken as they are */
    struct stage *g = arena_alloc(sizeof *g);
    struct adapter *a = arena_alloc(sizeof *a);
    const char *reason = "";
    g->adapters = a;
    g->adapter_count = 1;
    g->address = o->listen;
    g->is_secure = o->tls || scenario_needs(s, "tls");
    g->world.timeout_ms = o->timeout_ms;
    g->start_ms = o->start_ms;
    g->world.trace = o->trace;
    record_begin(&g->world, o->timeless);
    uint64_t start = now_ms();
    bool passed = world_open(&g->world, s, &nobody, o->seed, o->nonce) &&
                  client_open_suts(g) &&
                  (adapter_open(a, o->adapter, &reason) ||
                   world_fail(&g->world, "", reason, NULL, NULL)) &&
                  client_wait_for_key(o, g) && client_greet(g, a) &&
                  client_can_run(g, a) && client_exec(g) && client_quit(g);
    passed = passed && !g->world.failure.happened;
    adapter_close(a, 0);
    struct result r = {.s = s,
                       .verdict = client_verdict(g, passed),
                       .rules =
                           g->world.failure.rules ? g->world.failure.rules : "",
                       .what = passed ? "" : g->world.failure.what,
                       .detail = "",
                       .ms = now_ms() - start};
    if (r.verdict == VERDICT_UNSUPPORTED) {
        r.what = r.detail = g->unsupported ? g->unsupported : "not supported";
    } else if (!passed) {
        r.detail = report_failure(&g->world, rules, run_repeat_command(o, s));
    }
    run_close_case(o, &g->world, &r);
    return r;
}
