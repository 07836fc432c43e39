/* SPDX-License-Identifier: Apache-2.0 */
/* One world from its seed to its end: the loop over the events. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "net.h"
#include "oracle.h"
#include "server.h"
#include "sim.h"

/* --------------------------------------------------------------- memory */

/* Every block of a world, so that they end with it. */
struct sim_memory {
    struct sim_memory *next;
    max_align_t data[];
};

void *sim_alloc(struct sim_world *w, size_t bytes)
{
    struct sim_memory *m = calloc(1, sizeof *m + bytes);
    if (m == NULL) {
        abort(); /* the simulator does without memory errors of its own */
    }
    m->next = w->memory;
    w->memory = m;
    return m->data;
}

void *sim_grow(void *array, size_t *cap, size_t count, size_t item_bytes)
{
    if (count < *cap) {
        return array;
    }
    *cap = *cap == 0 ? 16 : 2 * *cap;
    void *bigger = realloc(array, *cap * item_bytes);
    if (bigger == NULL) {
        abort(); /* the simulator does without memory errors of its own */
    }
    return bigger;
}

uint64_t sim_hash(uint64_t hash, const void *data, size_t bytes)
{
    const uint8_t *p = data;
    hash ^= 0xcbf29ce484222325u + bytes;
    while (bytes > 0) {
        uint64_t word = 0;
        size_t n = bytes < 8 ? bytes : 8;
        for (size_t i = 0; i < n; i++) {
            word |= (uint64_t)p[i] << (8 * i);
        }
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
        p += n;
        bytes -= n;
    }
    return hash;
}

uint64_t sim_wall_ms(const struct sim_world *w)
{
    return SIM_WALL_START_MS + w->now_ms + w->clock_ms;
}

bool sim_fault_on(const struct sim_world *w, enum sim_fault fault)
{
    return (w->faults >> fault & 1) != 0 && !w->calm;
}

bool sim_has_limits(const struct sim_world *w)
{
    return (w->faults & 1u << SIM_FAULT_LIMITS) != 0;
}

bool sim_is_slow(const struct sim_world *w)
{
    uint32_t slow = 1u << SIM_FAULT_SLOW_STORE | 1u << SIM_FAULT_SLOW_APP |
                    1u << SIM_FAULT_STALL | 1u << SIM_FAULT_LATENCY;
    return (w->faults & slow) != 0;
}

void sim_fault_happened(struct sim_world *w, enum sim_fault fault)
{
    w->happened |= 1u << fault;
}

/* --------------------------------------------------------------- options */

void sim_world_print_options(const struct sim_world *w, FILE *out)
{
    fprintf(out, "seed %" PRIu64 ": heartbeat %" PRIu32 " ms, faults:", w->seed,
            w->heartbeat_ms);
    for (uint32_t i = 0; i < SIM_FAULT_COUNT; i++) {
        if ((w->faults >> i & 1) != 0) {
            fprintf(out, " %s", sim_fault_name((enum sim_fault)i));
        }
    }
    fputc('\n', out);
    for (uint32_t i = 0; w->devices != NULL && i < SIM_DEVICES; i++) {
        const struct sim_device *d = &w->devices[i];
        fprintf(out,
                "  %s: slot %s/%d, rx %zu, tx %zu, inflated %zu, unacked "
                "%" PRIu32 ", entries %" PRIu32 ", outbox %zu, %s\n",
                d->name, sim_oracle_user_name(d->user), d->type,
                d->config.rx_bytes, d->config.tx_bytes,
                d->config.inflated_bytes, d->config.max_unacked,
                d->config.max_entries, d->config.outbox_count,
                d->config.deflate ? "deflate" : "no codec");
    }
}

/* ---------------------------------------------------------------- events */

static void happen(struct sim_world *w, const struct sim_queued *e)
{
    struct sim_device *d = &w->devices[e->a % SIM_DEVICES];
    switch (e->kind) {
    case SIM_EV_DELIVER_TO_SERVER:
        sim_link_deliver(w, e->a, true);
        return;
    case SIM_EV_DELIVER_TO_CLIENT:
        sim_link_deliver(w, e->a, false);
        return;
    case SIM_EV_CLIENT_NOTICES:
        sim_link_notice(w, e->a, true);
        return;
    case SIM_EV_SERVER_NOTICES:
        sim_link_notice(w, e->a, false);
        return;
    case SIM_EV_CONNECT:
        sim_device_connect_event(w, d, e->b);
        return;
    case SIM_EV_BOOT:
        sim_device_boot_event(w, d, e->b);
        return;
    case SIM_EV_DEVICE_TICK:
        sim_device_tick_event(w, d);
        return;
    case SIM_EV_APP_STORES:
        sim_device_store_event(w, d, e->b);
        return;
    case SIM_EV_APP_PULLS:
        sim_pull_event(w, d, e->b);
        return;
    case SIM_EV_DECIDES:
        sim_people_decide(w, d, e->b);
        return;
    case SIM_EV_PERSON:
        sim_people_act(w);
        return;
    case SIM_EV_FAULT:
        sim_faults_strike(w);
        return;
    case SIM_EV_SERVER_TICK:
        sim_server_tick(w);
        return;
    case SIM_EV_STORE:
        sim_server_store_event(w, e->b);
        return;
    case SIM_EV_SERVER_START:
        sim_server_start_event(w);
        return;
    case SIM_EV_SERVER_STOP:
        sim_server_stop_event(w, e->b);
        return;
    case SIM_EV_BACKUP_NEAR:
        sim_backup_near(w);
        return;
    case SIM_EV_BACKUP:
        sim_backup_take(w);
        return;
    case SIM_EV_RESTORE:
        sim_backup_return(w);
        return;
    case SIM_EV_SWEEP:
        sim_sweep(w);
        return;
    case SIM_EV_CALM:
        sim_calm_begin(w);
        return;
    }
}

/* A core or an engine that never has enough of the same millisecond, or of
 * the world, has a timer that runs in circles. */
static void count_event(struct sim_world *w, uint64_t at_ms)
{
    if (at_ms != w->now_ms) {
        w->now_ms = at_ms;
        w->events_now = 0;
    }
    w->event_count++;
    w->events_now++;
    if (w->event_count > SIM_EVENTS_MAX ||
        w->events_now > SIM_EVENTS_PER_MS_MAX) {
        sim_fail(w, "timer",
                 "%" PRIu64 " events, %" PRIu32 " of them in this millisecond",
                 w->event_count, w->events_now);
    }
}

/* Before a backup: by then windows are full with what will not be lost. */
#define BACKUP_NEAR_MS 20000u
/* Before the calm: a backup is taken in the first third of this, and put back
 * in the last seconds. */
#define LATE_MS 90000u
#define LAST_MS 3000u

/* What was lost close to the end little that comes behind can mend, so half of
 * them are. */
static void plan_restore(struct sim_world *w, uint64_t calm_ms)
{
    uint64_t first = calm_ms / 10, last = calm_ms / 2;
    w->dooms = sim_rng_chance(&w->rng, 500);
    if (w->dooms) {
        first = calm_ms - LATE_MS;
        last = calm_ms - LATE_MS / 3 * 2;
    }
    uint64_t at_ms = sim_rng_between(&w->rng, first, last);
    sim_queue_push(&w->queue, at_ms - BACKUP_NEAR_MS, SIM_EV_BACKUP_NEAR, 0, 0);
    sim_queue_push(&w->queue, at_ms, SIM_EV_BACKUP, 0, 0);
    first = w->dooms ? calm_ms - LAST_MS : at_ms;
    last = w->dooms ? calm_ms - 1 : calm_ms - calm_ms / 10;
    at_ms = sim_rng_between(&w->rng, first, last);
    sim_queue_push(&w->queue, at_ms, SIM_EV_RESTORE, 0, 0);
}

static void open_world(struct sim_world *w)
{
    sim_faults_draw(w);
    w->heartbeat_ms = (uint32_t)sim_rng_between(&w->rng, 2000, 30000);
    sim_oracle_open(w);
    sim_server_open(w);
    if (w->failed) {
        return;
    }
    sim_devices_open(w);
    uint64_t calm_ms =
        sim_rng_between(&w->rng, SIM_ACTIVE_MS_MIN, SIM_ACTIVE_MS_MAX);
    sim_queue_push(&w->queue, 1, SIM_EV_PERSON, 0, 0);
    sim_queue_push(&w->queue, 5000, SIM_EV_FAULT, 0, 0);
    sim_queue_push(&w->queue, 1000, SIM_EV_SWEEP, 0, 0);
    sim_queue_push(&w->queue, calm_ms, SIM_EV_CALM, 0, 0);
    if (sim_fault_on(w, SIM_FAULT_RESTORE)) {
        plan_restore(w, calm_ms);
    }
}

bool sim_world_run(struct sim_world *w, uint64_t seed, FILE *trace)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->rng.state = seed;
    w->trace = trace;
    open_world(w);
    if (trace != NULL) {
        sim_world_print_options(w, trace);
    }
    struct sim_queued e;
    while (!w->failed && !w->over && sim_queue_pop(&w->queue, &e)) {
        count_event(w, e.at_ms);
        happen(w, &e);
    }
    if (!w->failed && !w->over) {
        sim_fail(w, "liveness", "nothing is left to happen");
    }
    return !w->failed;
}

void sim_world_free(struct sim_world *w)
{
    sim_server_close(w);
    sim_devices_close(w);
    sim_oracle_close(w);
    sim_links_free(w);
    sim_queue_free(&w->queue);
    while (w->memory != NULL) {
        struct sim_memory *m = w->memory;
        w->memory = m->next;
        free(m);
    }
}
