/* SPDX-License-Identifier: Apache-2.0 */
/* The msg_ids of all conversations: the clock, or the last one of that
 * conversation plus 1, whichever is higher. [SEND-6]
 *
 * A message row has no index by conversation, since one would cost every
 * SEND a page. What a conversation's last msg_id was is remembered here, and
 * where it is not, it is almost always enough to know that no message of the
 * store is above the clock. Only when the clock went back, the conversation
 * is searched for on a timeline. For this the row `clock` bounds all msg_ids
 * from above, together with the newest message:
 *
 *   every msg_id <= max(clock.high_msg_id, end of the newest one's ms)
 *
 * which holds because the row is written, in the same transaction, with each
 * message that gets an earlier millisecond than one before. Inside
 * server/store/ only. */
#ifndef ROAM_MSG_IDS_H
#define ROAM_MSG_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "pair_map.h"

enum roam_msg_ids_statement {
    ROAM_MSG_IDS_NEWEST,
    ROAM_MSG_IDS_CLOCK,
    ROAM_MSG_IDS_SET_CLOCK,
    ROAM_MSG_IDS_LAST,
    ROAM_MSG_IDS_STATEMENTS
};

struct roam_msg_ids {
    sqlite3_stmt *stmt[ROAM_MSG_IDS_STATEMENTS];
    struct roam_pair_map last; /* by (lower, higher) user number */
    uint64_t cold_max;   /* bounds every conversation that is not in `last` */
    uint64_t max;        /* bounds every msg_id of the store */
    uint64_t stored_max; /* what the row says */
};

/* db is kept. False with a reason in error; close in any case. */
bool roam_msg_ids_open(struct roam_msg_ids *ids, sqlite3 *db, char *error,
                       size_t cap);
/* The statements belong to the connection and go with it. */
void roam_msg_ids_close(struct roam_msg_ids *ids);

/* The id that a message between two users gets now. now_ms is the wall
 * clock since 2020-01-01 UTC. False on an SQLite error, or past the last
 * possible id. */
bool roam_msg_ids_next(struct roam_msg_ids *ids, int64_t user, int64_t peer,
                       uint64_t now_ms, uint64_t *msg_id);
/* A message with that id was written. False on an SQLite error, or without
 * memory. */
bool roam_msg_ids_used(struct roam_msg_ids *ids, int64_t user, int64_t peer,
                       uint64_t msg_id);

#endif
