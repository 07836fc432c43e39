/* SPDX-License-Identifier: Apache-2.0 */
/* A backup of the store, and its return: everything that was stored since is
 * lost, and what clients were told of it is a past that never was.
 *
 * The memory store has no copies of itself. But all that happens to it is a
 * list of deeds, and a store to which the same is done in the same order is
 * the same: so a backup is a place in that list, and the oracle's own state at
 * that time. */
#ifndef SIM_BACKUP_H
#define SIM_BACKUP_H

#include "oracle.h"
#include "sim.h"
#include "store_mem.h"

enum sim_deed_kind {
    SIM_DEED_REQUEST,
    SIM_DEED_RESTART,
    SIM_DEED_TRIM,
    SIM_DEED_TOKEN,
    SIM_DEED_REVOKE,
    SIM_DEED_NAME,
    SIM_DEED_BLOCK
};

/* Something that was done to the store. */
struct sim_deed {
    enum sim_deed_kind kind;
    struct roam_store_request *request; /* not yet carried out */
    uint32_t user, other;
    const char *text;
    uint64_t number;
};

struct sim_backup {
    struct sim_deed *deeds;
    size_t deed_count, deed_cap;
    uint64_t rng_state; /* the store's, before the first deed */
    size_t place;       /* deeds in the backup; 0: there is none */
    struct sim_oracle_copy *oracle;
};

/* Before the store carries a request out, or after something else was done to
 * it. */
void sim_backup_note_request(struct sim_world *w,
                             const struct roam_store_request *req);
void sim_backup_note(struct sim_world *w, const struct sim_deed *deed);

/* Events. */
/* Some devices hardly store from now on, until the return. */
void sim_backup_near(struct sim_world *w);
void sim_backup_take(struct sim_world *w);
/* The server is stopped, and comes back with the store of that time. */
void sim_backup_return(struct sim_world *w);
void sim_backup_free(struct sim_world *w);

#endif
