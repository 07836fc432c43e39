/* SPDX-License-Identifier: Apache-2.0 */
/* The server's process: the real core over a store that takes its time. It
 * can die at any moment, and then all but the store is gone. */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include "core.h"
#include "gate.h"
#include "sim.h"
#include "backup.h"
#include "store_mem.h"

struct sim_server {
    bool up;
    bool draining;
    uint64_t epoch; /* rises with each start: events of older ones are void */
    struct roam_core_config config;
    struct roam_core *core; /* NULL while down */
    struct roam_store *inner;
    struct sim_gate gate;
    uint64_t tick_at_ms; /* of the next tick event; UINT64_MAX: none */
    struct sim_rng rng;  /* the store's own */
    struct sim_backup backup;
};

void sim_server_open(struct sim_world *w);
void sim_server_close(struct sim_world *w);
/* An empty store with the users, in the place of the one before. */
void sim_server_new_store(struct sim_world *w, uint64_t rng_state);
/* The memory store, for checkers. */
struct roam_store *sim_server_store(const struct sim_world *w);
struct roam_now sim_server_now(const struct sim_world *w);

/* After any call into the core: moves its output, closes what is finished,
 * and arranges for the next tick. */
void sim_server_pump(struct sim_world *w);

/* Events. */
void sim_server_tick(struct sim_world *w);
void sim_server_store_event(struct sim_world *w, uint64_t epoch);
void sim_server_start_event(struct sim_world *w);
void sim_server_stop_event(struct sim_world *w, uint64_t epoch);

/* The process dies now. What waits in the store's queue is committed without
 * an answer, or lost. It comes back after a while. */
void sim_server_die(struct sim_world *w, bool commit_first);
void sim_server_drain(struct sim_world *w);

/* The most that a session may have ready for its transport, in bytes. */
size_t sim_server_output_bound(const struct sim_world *w);

#endif
