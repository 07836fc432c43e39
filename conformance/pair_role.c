/* SPDX-License-Identifier: Apache-2.0 */
/* One case of the role pair from its adapters' start to its verdict. */
#include "pair_role.h"

#include <inttypes.h>

#include "pair_case.h"

static bool open_adapters(const struct run_options *o, struct stage *g)
{
    const char *reason = "";
    for (size_t i = 0; i < g->adapter_count; i++) {
        const struct adapter_target *t = i == 0 ? o->adapter : o->sibling;
        if (!adapter_open(&g->adapters[i], t, &reason)) {
            return world_fail(&g->world, "", reason, NULL, NULL);
        }
    }
    return true;
}

static bool greet_all(struct stage *g)
{
    for (size_t i = 0; i < g->adapter_count; i++) {
        if (!client_greet(g, &g->adapters[i])) {
            return false;
        }
    }
    return pair_assign(g);
}

static bool run(const struct run_options *o, const struct scenario *s,
                struct server *server, struct stage *g)
{
    struct world *w = &g->world;
    w->ops = &pair_ops;
    g->is_pair = true;
    g->address = o->listen;
    g->passages = arena_alloc(s->device_count * sizeof *g->passages);
    g->adapter_count = o->sibling ? 2 : 1;
    g->adapters = arena_alloc(g->adapter_count * sizeof *g->adapters);
    return world_open(w, s, server, o->seed, o->nonce) && client_open_suts(g) &&
           open_adapters(o, g) && client_wait_for_key(o, g) && greet_all(g) &&
           pair_exec(g) && client_quit(g);
}

struct result pair_run_case(const struct run_options *o,
                            const struct scenario *s, struct server *server,
                            const struct rules *rules)
{
    struct stage *g = arena_alloc(sizeof *g);
    struct world *w = &g->world;
    w->timeout_ms = o->timeout_ms;
    g->start_ms = o->start_ms;
    w->trace = o->trace;
    record_begin(w, o->timeless);
    uint64_t start = now_ms();
    bool passed = run(o, s, server, g) && !w->failure.happened;
    for (size_t i = 0; i < g->adapter_count; i++) {
        adapter_close(&g->adapters[i], 0);
    }
    struct result r = {.s = s,
                       .verdict = client_verdict(g, passed),
                       .rules = w->failure.rules ? w->failure.rules : "",
                       .what = passed ? "" : w->failure.what,
                       .blame = w->failure.blame,
                       .detail = "",
                       .ms = now_ms() - start};
    if (r.verdict == VERDICT_UNSUPPORTED) {
        r.what = r.detail = g->unsupported ? g->unsupported : "not supported";
    } else if (!passed) {
        r.detail = report_failure(w, rules, run_repeat_command(o, s));
    }
    run_close_case(o, w, &r);
    return r;
}
