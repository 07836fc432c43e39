/* SPDX-License-Identifier: Apache-2.0 */
/* The ends of all timelines, as the writer thread knows them, and what is
 * appended there. Inside server/store/ only.
 *
 * Invariant: the first entry that is appended to a timeline after an open
 * skips a random number of versions, so that a cursor from a past that the
 * store has lost (a restored backup) is no link any more. [CHAIN-8] A head is
 * remembered from then on; heads that were not are read each time. */
#ifndef ROAM_TIMELINES_H
#define ROAM_TIMELINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "pair_map.h"
#include "store_sqlite.h"

enum roam_timelines_statement {
    ROAM_TIMELINES_HEAD,
    ROAM_TIMELINES_FLOOR,
    ROAM_TIMELINES_APPEND,
    ROAM_TIMELINES_COUNT,
    ROAM_TIMELINES_NTH,
    ROAM_TIMELINES_CUT,
    ROAM_TIMELINES_STATEMENTS
};

struct roam_timelines {
    sqlite3 *db;
    sqlite3_stmt *stmt[ROAM_TIMELINES_STATEMENTS];
    struct roam_pair_map heads; /* by (user, 0); how many entries there are,
                                   by (user, 1) */
    uint32_t most;              /* entries of a timeline; 0: any number */
    roam_random_fn random;      /* NULL: nothing is skipped */
    void *random_ctx;
};

/* db is kept. False with a reason in error; close in any case. */
bool roam_timelines_open(struct roam_timelines *t, sqlite3 *db,
                         const struct roam_store_sqlite_config *config,
                         char *error, size_t cap);
/* The statements belong to the connection and go with it. */
void roam_timelines_close(struct roam_timelines *t);

/* False on an SQLite error. */
bool roam_timelines_head(struct roam_timelines *t, int64_t user,
                         uint64_t *head);
bool roam_timelines_floor(struct roam_timelines *t, int64_t user,
                          uint64_t *floor);

/* Erases the entries up to and including `upto`, which is below the head. */
bool roam_timelines_cut(struct roam_timelines *t, int64_t user, uint64_t upto);

/* Puts message row `message` on the user's timeline; entries in excess go.
 * False on an SQLite
 * error, without memory, or when the versions are used up. */
bool roam_timelines_append(struct roam_timelines *t, int64_t user,
                           int64_t message, uint64_t *version,
                           uint64_t *prev_version);

#endif
