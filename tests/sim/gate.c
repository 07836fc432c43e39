/* SPDX-License-Identifier: Apache-2.0 */
/* Each request is carried out by the memory store alone and at once, when its
 * time has come; the oracle sees it there, before the core hears of it. */
#include "gate.h"

#include <inttypes.h>
#include <stdlib.h>

#include "fault.h"
#include "oracle.h"
#include "server.h"

/* A request waits, and its answer travels, up to this long. */
#define STORE_MS_MAX 15u
/* With the fault SLOW_STORE, now and then this. */
#define STORE_SLOW_MS_MAX 9000u
/* Of the answers, with a fault that loses them. */
#define LOST_PERMILLE 50u

static struct sim_gate *gate_of(struct roam_store *self)
{
    return (struct sim_gate *)(void *)self;
}

static bool is_write(enum roam_store_kind kind)
{
    return kind == ROAM_STORE_LOGIN || kind == ROAM_STORE_LOGOUT ||
           kind == ROAM_STORE_SEND || kind == ROAM_STORE_END_SESSION;
}

static uint64_t delay(struct sim_world *w)
{
    if (sim_fault_on(w, SIM_FAULT_SLOW_STORE) && sim_rng_chance(&w->rng, 30)) {
        sim_fault_happened(w, SIM_FAULT_SLOW_STORE);
        return sim_rng_between(&w->rng, 0, STORE_SLOW_MS_MAX);
    }
    return sim_rng_below(&w->rng, STORE_MS_MAX);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void gate_submit(struct roam_store *self, struct roam_store_request *req)
{
    struct sim_gate *g = gate_of(self);
    struct sim_world *w = g->world;
    struct sim_held *h = sim_alloc(w, sizeof *h);
    h->req = req;
    h->done = req->done;
    h->number = g->next_number++;
    h->write = is_write(req->kind);
    h->run_ms = w->now_ms + delay(w);
    if (h->write) {
        h->run_ms = later(h->run_ms, g->last_run_ms);
        g->last_run_ms = h->run_ms;
    }
    h->answer_ms = h->run_ms + delay(w);
    if (h->write) {
        h->answer_ms = later(h->answer_ms, g->last_answer_ms);
        g->last_answer_ms = h->answer_ms;
    }
    *g->last = h;
    g->last = &h->next;
    uint64_t epoch = w->server->epoch;
    sim_queue_push(&w->queue, h->run_ms, SIM_EV_STORE, 0, epoch);
    sim_queue_push(&w->queue, h->answer_ms, SIM_EV_STORE, 0, epoch);
}

/* -------------------------------------------------------------- running */

/* The inner store's done(): that it was called is all we need to know. */
static void on_ran(struct roam_store_request *req)
{
    req->done = NULL;
}

static void tell_oracle(struct sim_world *w,
                        const struct roam_store_request *req, bool told)
{
    if (req->kind == ROAM_STORE_LOGIN) {
        sim_oracle_login(w, &req->u.login, told);
    } else if (req->kind == ROAM_STORE_LOGOUT) {
        sim_oracle_logout(w, &req->u.logout, told);
    } else if (req->kind == ROAM_STORE_SEND) {
        sim_oracle_send(w, &req->u.send, told);
    } else if (req->kind == ROAM_STORE_END_SESSION) {
        sim_oracle_end_session(w, &req->u.end_session, told);
    }
}

/* The commit's outcome is never told: the store keeps the request. */
static void run_failing(struct sim_gate *g, struct sim_held *h)
{
    struct sim_world *w = g->world;
    sim_step(w, SIM_STEP_STORE_FAILS, h->number, g->fail_committed, 0);
    sim_fault_happened(w, SIM_FAULT_COMMIT);
    if (g->fail_committed) {
        sim_backup_note_request(w, h->req);
        tell_oracle(w, h->req, false);
    }
    roam_store_mem_fail_next(g->inner, g->fail_committed);
    g->inner->ops->submit(g->inner, h->req);
    if (g->inner->ops->poll(g->inner) != ROAM_STORE_FAILED) {
        sim_fail(w, "store", "a failed commit was not told");
    }
    sim_oracle_scan(w, false);
    h->req = NULL;
    g->failed = true;
}

static void run(struct sim_gate *g, struct sim_held *h)
{
    struct sim_world *w = g->world;
    h->ran = true;
    h->req->done = on_ran;
    if (h->write && g->fail_next) {
        run_failing(g, h);
        return;
    }
    sim_step(w, SIM_STEP_STORE_RUNS, h->number, (uint64_t)h->req->kind, 0);
    if (h->write || h->req->kind == ROAM_STORE_SEEN ||
        h->req->kind == ROAM_STORE_TRIM) {
        sim_backup_note_request(w, h->req);
    }
    g->inner->ops->submit(g->inner, h->req);
    enum roam_store_status status = g->inner->ops->poll(g->inner);
    if (status != ROAM_STORE_OK || h->req->done != NULL) {
        sim_fail(w, "store", "request %" PRIu64 " was not answered", h->number);
        g->failed = true;
        return;
    }
    if (h->write) {
        tell_oracle(w, h->req, true);
        sim_oracle_scan(w, false);
    }
}

static void take_out(struct sim_gate *g, struct sim_held *h)
{
    struct sim_held **at = &g->first;
    while (*at != h) {
        at = &(*at)->next;
    }
    *at = h->next;
    if (g->last == &h->next) {
        g->last = at;
    }
}

/* The first answer that is due; NULL: none. */
static struct sim_held *due_answer(const struct sim_gate *g)
{
    for (struct sim_held *h = g->first; h != NULL; h = h->next) {
        if (h->ran && h->answer_ms <= g->world->now_ms) {
            return h;
        }
    }
    return NULL;
}

/* Faults of a store that breaks its contract. */
static bool loses(const struct sim_gate *g,
                  const struct roam_store_request *req)
{
    bool fault =
        (req->kind == ROAM_STORE_SEND &&
         ROAM_FAULT("store-loses-send-answer")) ||
        (req->kind == ROAM_STORE_READ && ROAM_FAULT("store-loses-read-answer"));
    return fault && sim_rng_chance(&g->world->rng, LOST_PERMILLE);
}

static enum roam_store_status gate_poll(struct roam_store *self)
{
    struct sim_gate *g = gate_of(self);
    for (struct sim_held *h = g->first; h != NULL && !g->failed; h = h->next) {
        if (!h->ran && h->run_ms <= g->world->now_ms) {
            run(g, h);
        }
    }
    struct sim_held *h = NULL;
    while (!g->failed && (h = due_answer(g)) != NULL) {
        take_out(g, h);
        sim_step(g->world, SIM_STEP_STORE_ANSWERS, h->number, 0, 0);
        h->req->done = h->done;
        if (loses(g, h->req)) {
            roam_store_request_free(h->req);
        } else {
            h->done(h->req);
        }
    }
    return g->failed ? ROAM_STORE_FAILED : ROAM_STORE_OK;
}

static void gate_close(struct roam_store *self)
{
    (void)self; /* closed by the simulator, not by the core */
}

/* ------------------------------------------------------- opening, dying */

void sim_gate_open(struct sim_gate *gate, struct sim_world *w,
                   struct roam_store *inner)
{
    static const struct roam_store_ops ops = {gate_submit, gate_poll,
                                              gate_close};
    *gate = (struct sim_gate){{&ops}, w, inner, NULL,  NULL, 0,
                              0,      0, false, false, false};
    gate->last = &gate->first;
}

size_t sim_gate_die(struct sim_gate *gate, bool commit_first)
{
    size_t queued = 0;
    for (struct sim_held *h = gate->first; h != NULL; h = h->next) {
        if (h->req == NULL) {
            continue;
        }
        if (h->ran || !h->write) {
            roam_store_request_free(h->req);
            continue;
        }
        if (commit_first) {
            sim_backup_note_request(gate->world, h->req);
            tell_oracle(gate->world, h->req, false);
        }
        h->req->done = on_ran;
        gate->inner->ops->submit(gate->inner, h->req);
        queued++;
    }
    gate->first = NULL;
    gate->last = &gate->first;
    gate->last_run_ms = 0;
    gate->last_answer_ms = 0;
    gate->failed = false;
    gate->fail_next = false;
    return queued;
}
