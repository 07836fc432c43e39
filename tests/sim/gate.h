/* SPDX-License-Identifier: Apache-2.0 */
/* A store in front of the store: it lets requests through after a while and
 * brings their answers after another, writes in order, reads as they come. So
 * a commit is old news by the time the core hears of it, as with a disk. */
#ifndef SIM_GATE_H
#define SIM_GATE_H

#include "sim.h"
#include "store.h"

struct sim_held {
    struct roam_store_request *req;
    roam_store_done_fn done; /* the core's */
    uint64_t number;
    uint64_t run_ms, answer_ms;
    bool write, ran;
    struct sim_held *next;
};

struct sim_gate {
    struct roam_store base; /* first */
    struct sim_world *world;
    struct roam_store *inner;
    struct sim_held *first, **last; /* in order of submission */
    uint64_t next_number;
    uint64_t last_run_ms, last_answer_ms; /* of writes */
    bool fail_next, fail_committed;       /* the next commit's outcome */
    bool failed;
};

void sim_gate_open(struct sim_gate *gate, struct sim_world *w,
                   struct roam_store *inner);
/* The process died: everything in the gate is gone. Requests not yet carried
 * out go to the store, which drops or commits them. Returns how many they
 * were. */
size_t sim_gate_die(struct sim_gate *gate, bool commit_first);

#endif
