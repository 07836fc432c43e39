/* SPDX-License-Identifier: Apache-2.0 */
/* The msg_ids of all conversations: the clock, or the last one of that
 * conversation plus 1, whichever is higher. [SEND-6]
 *
 * A conversation's last msg_id is the last of its entries in the index
 * message_pair, of whatever part, or in `erased` when that is gone; once read
 * or written, it is remembered here, so that a lively conversation costs no
 * look into the index. Inside server/store/ only. */
#ifndef ROAM_MSG_IDS_H
#define ROAM_MSG_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "pair_map.h"

/* Conversations remembered; 24 bytes each, so some 3 MB. */
#define ROAM_MSG_IDS_REMEMBERED_MAX ((size_t)65536)

struct roam_msg_ids {
    sqlite3_stmt *find_last;
    struct roam_pair_map last; /* by roam_db_low(), roam_db_high() */
};

/* db is kept. False with a reason in error; close in any case. */
bool roam_msg_ids_open(struct roam_msg_ids *ids, sqlite3 *db, char *error,
                       size_t cap);
/* The statement belongs to the connection and goes with it. */
void roam_msg_ids_close(struct roam_msg_ids *ids);

/* The id that a message between two users, or of a group (peer below 0), gets
 * now. now_ms is the wall
 * clock since 2020-01-01 UTC. *first: the two have no message yet. False on
 * an SQLite error, or past the last possible id. */
bool roam_msg_ids_next(struct roam_msg_ids *ids, int64_t user, int64_t peer,
                       uint64_t now_ms, uint64_t *msg_id, bool *first);
/* The last one of that conversation; 0: there is none. False on an SQLite
 * error. */
bool roam_msg_ids_last(struct roam_msg_ids *ids, int64_t user, int64_t peer,
                       uint64_t *last);
/* A message with that id was written. False without memory. */
bool roam_msg_ids_used(struct roam_msg_ids *ids, int64_t user, int64_t peer,
                       uint64_t msg_id);

#endif
