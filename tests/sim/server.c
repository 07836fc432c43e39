/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, stopping and driving the core, as the loop in server/net/ does. */
#include "server.h"

#include <string.h>

#include "net.h"
#include "oracle.h"

/* A dead server is back after this. */
#define DOWN_MS_MAX 8000u
/* Ticks that may follow each other without any progress of the deadline. */
#define IDLE_TICKS_MAX 8u
/* Connections with the fault FEW: one for each slot, and one to take a slot
 * over with. Lost connections, and those whose person is still being asked,
 * take places away until their time is over. */
#define FEW_PLACES 8u
/* Bodies go up to this; more than the smallest device takes whole. */
#define BODY_MAX 2000u

static void server_random(void *ctx, uint8_t *out, size_t len)
{
    sim_rng_fill(ctx, out, len);
}

struct roam_store *sim_server_store(const struct sim_world *w)
{
    return w->server->inner;
}

/* So that some group is full. */
#define MEMBERS_MAX (SIM_USERS - 1)
/* Some recalls come too late. */
#define RECALL_MS 20000u

struct roam_now sim_server_now(const struct sim_world *w)
{
    return (struct roam_now){w->now_ms, sim_wall_ms(w)};
}

size_t sim_server_output_bound(const struct sim_world *w)
{
    const struct roam_core_config *c = &w->server->config;
    /* Delivery stops above output_max_bytes, so by then one frame may be
     * over it; answers to commands come on top, and one of the rest each. */
    return c->output_max_bytes + ROAM_INFLATED_MIN * 64 +
           c->max_commands * ROAM_FRAME_MIN + 4 * ROAM_FRAME_MIN;
}

/* ------------------------------------------------------------- the life */

/* So low that people and their devices meet them all the time. */
static void draw_limits(struct sim_world *w, struct roam_core_config *c)
{
    static const struct roam_rate user_rates[ROAM_USER_RATES] = {
        [ROAM_RATE_LOGINS] = {6, 24000},
        [ROAM_RATE_SYNCS] = {8, 16000},
        [ROAM_RATE_SENDS] = {8, 4000},
        [ROAM_RATE_SEND_BYTES] = {4000, 4000},
        [ROAM_RATE_PAGES] = {6, 3000},
        /* Raised to the least that a heartbeat allows. */
        [ROAM_RATE_BACKLOG_BYTES] = {1, 4000}};
    memcpy(c->user_rates, user_rates, sizeof user_rates);
    c->login_failures = (struct roam_rate){3, 9000};
    c->output_total_bytes = 3 * c->output_max_bytes;
    c->max_strangers = 4;
    c->max_inflated = 1024;
    sim_rng_fill(&w->rng, c->hash_key, sizeof c->hash_key);
}

static void draw_config(struct sim_world *w)
{
    static const uint32_t outputs[] = {2048, 16384, 262144};
    struct sim_server *s = w->server;
    struct roam_core_config *c = &s->config;
    roam_core_config_default(c);
    c->store = &s->gate.base;
    c->log = NULL;
    c->max_body = BODY_MAX;
    c->heartbeat_ms = w->heartbeat_ms;
    c->output_max_bytes = outputs[sim_rng_below(&w->rng, 3)];
    c->retry_window_ms = 5000;
    c->store_settings.recall_ms = RECALL_MS;
    c->store_settings.announce_devices = sim_rng_chance(&w->rng, 700);
    c->store_settings.strangers_ask = sim_rng_chance(&w->rng, 100);
    c->store_settings.max_members =
        sim_rng_chance(&w->rng, 500) ? MEMBERS_MAX : ROAM_MEMBERS_MAX;
    if (sim_fault_on(w, SIM_FAULT_FEW)) {
        c->max_sessions = FEW_PLACES;
    }
    if (sim_fault_on(w, SIM_FAULT_LIMITS)) {
        draw_limits(w, c);
    }
}

static void start(struct sim_world *w)
{
    struct sim_server *s = w->server;
    s->epoch++;
    s->up = true;
    s->draining = false;
    s->tick_at_ms = UINT64_MAX;
    /* Whoever starts it may set it otherwise. */
    s->config.max_commands = (uint32_t)sim_rng_between(&w->rng, 1, 16);
    s->core = roam_core_new(&s->config);
    if (s->core == NULL) {
        sim_fail(w, "core", "does not start");
        s->up = false;
        return;
    }
    sim_step(w, SIM_STEP_SERVER_STARTS, 0, 0, 0);
}

void sim_server_new_store(struct sim_world *w, uint64_t rng_state)
{
    struct sim_server *s = w->server;
    s->rng.state = rng_state;
    s->inner = roam_store_mem_new(server_random, &s->rng);
    if (s->inner == NULL) {
        sim_fail(w, "store", "does not start");
        return;
    }
    roam_store_mem_set_settings(s->inner, &s->config.store_settings);
    sim_gate_open(&s->gate, w, s->inner);
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        if (!roam_store_mem_add_user(s->inner, sim_oracle_user_name(u))) {
            sim_fail(w, "store", "takes no users");
            return;
        }
    }
}

void sim_server_open(struct sim_world *w)
{
    struct sim_server *s = sim_alloc(w, sizeof *s);
    w->server = s;
    s->backup.rng_state = sim_rng_next(&w->rng);
    draw_config(w);
    sim_server_new_store(w, s->backup.rng_state);
    if (!w->failed) {
        start(w);
    }
}

void sim_server_close(struct sim_world *w)
{
    struct sim_server *s = w->server;
    if (s == NULL || s->inner == NULL) {
        return;
    }
    if (s->core != NULL) { /* its sessions' ends still go to the gate */
        roam_core_free(s->core);
    }
    sim_gate_die(&s->gate, false);
    s->inner->ops->close(s->inner);
    s->inner = NULL;
    sim_backup_free(w);
}

/* The other ends see it at once, later, or only by silence. */
static void lose_links(struct sim_world *w)
{
    for (uint32_t i = 0; i < w->link_count; i++) {
        struct sim_link *l = w->links[i];
        if (!l->server_open) {
            continue;
        }
        l->server_open = false;
        l->session = NULL; /* roam_core_free() takes it along */
        bool silent = sim_fault_on(w, SIM_FAULT_HALF_OPEN) &&
                      sim_rng_chance(&w->rng, 300);
        sim_link_break(w, l, !silent, false);
    }
}

static void stop(struct sim_world *w)
{
    struct sim_server *s = w->server;
    lose_links(w);
    roam_core_free(s->core);
    s->core = NULL;
    s->up = false;
    sim_queue_push(&w->queue, w->now_ms + sim_rng_below(&w->rng, DOWN_MS_MAX),
                   SIM_EV_SERVER_START, 0, 0);
}

void sim_server_die(struct sim_world *w, bool commit_first)
{
    struct sim_server *s = w->server;
    size_t queued = sim_gate_die(&s->gate, commit_first);
    sim_step(w, SIM_STEP_SERVER_DIES, queued, commit_first, 0);
    roam_store_mem_restart(s->inner, commit_first);
    const struct sim_deed deed = {.kind = SIM_DEED_RESTART};
    sim_backup_note(w, &deed);
    sim_oracle_scan(w, true);
    stop(w);
}

void sim_server_start_event(struct sim_world *w)
{
    start(w);
}

void sim_server_drain(struct sim_world *w)
{
    struct sim_server *s = w->server;
    sim_step(w, SIM_STEP_SERVER_DRAINS, 0, 0, 0);
    s->draining = true;
    roam_core_drain(s->core, sim_server_now(w));
    sim_queue_push(&w->queue, w->now_ms + 2 * s->config.drain_ms,
                   SIM_EV_SERVER_STOP, 0, s->epoch);
    sim_server_pump(w);
}

/* Whoever sent SIGTERM waited long enough. */
void sim_server_stop_event(struct sim_world *w, uint64_t epoch)
{
    struct sim_server *s = w->server;
    if (!s->up || s->epoch != epoch) {
        return;
    }
    if (!roam_core_drained(s->core)) {
        sim_fail(w, "KICK-10", "the server does not get drained");
    }
    sim_server_die(w, false);
}

/* ---------------------------------------------------------------- calls */

static void arrange_tick(struct sim_world *w)
{
    struct sim_server *s = w->server;
    uint64_t deadline = roam_core_deadline(s->core);
    if (deadline < w->now_ms) {
        deadline = w->now_ms;
    }
    if (deadline < s->tick_at_ms) {
        s->tick_at_ms = deadline;
        sim_queue_push(&w->queue, deadline, SIM_EV_SERVER_TICK, 0, s->epoch);
    }
}

void sim_server_pump(struct sim_world *w)
{
    struct sim_server *s = w->server;
    if (!s->up || w->failed) {
        return;
    }
    struct roam_session *ready = NULL;
    while ((ready = roam_core_next_ready(s->core)) != NULL) {
        sim_link_pull_server(w, roam_session_owner(ready));
    }
    sim_watch_slots(w);
    arrange_tick(w);
}

void sim_server_tick(struct sim_world *w)
{
    struct sim_server *s = w->server;
    if (!s->up || w->now_ms != s->tick_at_ms) {
        return;
    }
    s->tick_at_ms = UINT64_MAX;
    for (uint32_t i = 0; roam_core_deadline(s->core) <= w->now_ms; i++) {
        if (i == IDLE_TICKS_MAX) {
            sim_fail(w, "timer", "the server's deadline stays at %llu",
                     (unsigned long long)roam_core_deadline(s->core));
            return;
        }
        roam_core_tick(s->core, sim_server_now(w));
        sim_server_pump(w);
    }
    arrange_tick(w);
}

void sim_server_store_event(struct sim_world *w, uint64_t epoch)
{
    struct sim_server *s = w->server;
    if (!s->up || s->epoch != epoch) {
        return;
    }
    if (roam_core_poll(s->core, sim_server_now(w)) == ROAM_STORE_OK) {
        sim_server_pump(w);
    } else {
        /* An unknown commit: nobody is told anything, [SEND-3]. */
        sim_server_die(w, false);
    }
}
