/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of an answer while they are gathered. Text and bodies go into one
 * growing block, req->results; as it moves while it grows, the rows hold only
 * lengths until roam_gather_finish(). Inside server/store/ only. */
#ifndef ROAM_STORE_GATHER_H
#define ROAM_STORE_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "../core/store.h"
#include "user_names.h"

/* The columns that a message row is read from, in this order; length() of a
 * blob is known without reading it, so a body that is cut costs nothing.
 * id: whatever has the msg_id, so that an index can order by it.
 * limit: the parameter with the length up to which a body is wanted. */
#define ROAM_GATHER_COLUMNS(id, limit)                                         \
    id ", m.sender, m.receiver, m.device, m.generation, m.attempt,"            \
       " m.client_msg_id, m.kind, m.undone_by, m.content_type,"                \
       " length(m.body), CASE WHEN length(m.body) <= " limit                   \
       " THEN m.body END"

enum roam_gather_column {
    ROAM_GATHER_MSG_ID,
    ROAM_GATHER_SENDER,
    ROAM_GATHER_RECEIVER,
    ROAM_GATHER_DEVICE,
    ROAM_GATHER_GENERATION,
    ROAM_GATHER_ATTEMPT,
    ROAM_GATHER_CLIENT_MSG_ID,
    ROAM_GATHER_KIND,
    ROAM_GATHER_UNDONE_BY,
    ROAM_GATHER_CONTENT_TYPE,
    ROAM_GATHER_BODY_LENGTH,
    ROAM_GATHER_BODY
};

struct roam_gathering {
    /* Set by the caller; the rest is zero at first. */
    struct roam_store_request *req;
    struct roam_user_names *names;
    int64_t user;   /* whose view it is */
    int64_t device; /* whose client_msg_ids are told [PUSH-4] */
    uint32_t body_limit;
    size_t max_bytes; /* of bodies; the first row comes in any case */
    int first;        /* column of ROAM_GATHER_MSG_ID */

    struct roam_entry *entries; /* heap; the caller's to keep or free */
    size_t count;
    size_t cap;
    size_t used; /* bytes at req->results */
    size_t room;
    size_t body_bytes;
};

/* Is it a READ whose place a newer one has taken? Then its entry is a NOOP. */
bool roam_gather_is_void(const struct roam_gathering *g, sqlite3_stmt *row);
/* Would this row, not the first, bring the bodies above max_bytes? */
bool roam_gather_is_too_much(const struct roam_gathering *g, sqlite3_stmt *row);
/* A new row, all zero; NULL without memory. */
struct roam_entry *roam_gather_add(struct roam_gathering *g);
/* Fills the row just added with the message. False on an SQLite error, or
 * without memory. */
bool roam_gather_message(struct roam_gathering *g, sqlite3_stmt *row);
/* All are there: their slices are set. */
void roam_gather_finish(struct roam_gathering *g);

#endif
