/* SPDX-License-Identifier: Apache-2.0 */
/* HISTORY and CONVERSATIONS. Both go down the index message_pair: of a
 * conversation's rows only those of the page are touched, and of the
 * conversations of a user only the newest row of each and what is unread.
 * [HIST-1] to [HIST-9], [HIST-14], [HIST-15] */
#include <stdlib.h>
#include <string.h>

#include "../core/fault.h"
#include "../core/group_id.h"
#include "db.h"
#include "gather.h"
#include "reader.h"

bool roam_read_head(struct roam_store_reader *r, int64_t user, uint64_t *head)
{
    sqlite3_stmt *stmt = r->stmt[ROAM_READER_HEAD];

    sqlite3_bind_int64(stmt, 1, user);
    int rc = sqlite3_step(stmt);
    *head = rc == SQLITE_ROW ? roam_db_u64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

static bool add_row(struct roam_gathering *g, sqlite3_stmt *row)
{
    return roam_gather_add(g) != NULL && roam_gather_message(g, row);
}

/* ----------------------------------------------------------------- history */

static void reverse(struct roam_entry *rows, size_t count)
{
    for (size_t low = 0, high = count; low + 1 < high; low++) {
        struct roam_entry row = rows[low];
        rows[low] = rows[--high];
        rows[high] = row;
    }
}

/* Steps a statement that gives the rows of the range, and one more than
 * wanted if there is one. False on an error. */
static bool gather_range(struct roam_gathering *g, sqlite3_stmt *row,
                         uint32_t max_count, bool *more)
{
    int rc;

    *more = false;
    while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
        *more = g->count == max_count || roam_gather_is_too_much(g, row);
        if (*more || !add_row(g, row)) {
            break;
        }
    }
    sqlite3_reset(row);
    return rc == SQLITE_DONE || *more;
}

sqlite3_stmt *roam_read_statement(struct roam_store_reader *r,
                                  const struct roam_store_history *h,
                                  bool newest)
{
    if (h->operations_only && !ROAM_FAULT("messages-among-operations")) {
        /* [HIST-14] */
        return r->stmt[newest ? ROAM_READER_NEWEST_OPERATIONS
                              : ROAM_READER_OLDEST_OPERATIONS];
    }
    return r->stmt[newest ? ROAM_READER_NEWEST : ROAM_READER_OLDEST];
}

bool roam_read_range(struct roam_store_history *h, struct roam_gathering *g,
                     sqlite3_stmt *row, int64_t peer, uint64_t after,
                     uint64_t upto)
{
    sqlite3_bind_int64(row, 1, roam_db_low(h->user, peer));
    sqlite3_bind_int64(row, 2, roam_db_high(h->user, peer));
    roam_db_bind_u64(row, 3, h->oldest > after ? h->oldest - 1 : after);
    roam_db_bind_u64(row, 4, upto);
    sqlite3_bind_int64(row, 5, h->body_limit);
    sqlite3_bind_int64(row, 6, h->user);
    sqlite3_bind_int64(row, 7, peer);
    return gather_range(g, row, h->max_count, &h->more);
}

/* *peer 0: there is no such conversation. */
static bool find_peer(struct roam_store_reader *r,
                      const struct roam_store_history *h, int64_t *peer)
{
    if (roam_group_id_looks_like(h->conversation)) {
        return roam_group_reader_find(r, h->user, h->conversation, peer);
    }
    return roam_user_names_find(r->names, h->conversation, peer);
}

static bool gather_history(struct roam_store_reader *r,
                           struct roam_gathering *g,
                           struct roam_store_history *h, int64_t peer,
                           bool newest)
{
    uint64_t upto = h->before == 0 ? ROAM_VERSION_MAX : h->before - 1;

    if (peer < 0) {
        return roam_read_group_history(r, g, h, peer, newest);
    }
    return roam_read_range(h, g, roam_read_statement(r, h, newest), peer,
                           h->after, upto);
}

bool roam_read_history(struct roam_store_reader *r,
                       struct roam_store_request *req)
{
    struct roam_store_history *h = &req->u.history;
    bool newest = h->before != 0 || h->after == 0; /* [HIST-1] */
    struct roam_gathering g = {.req = req,
                               .names = r->names,
                               .user = h->user,
                               .device = h->device,
                               .body_limit = h->body_limit,
                               .max_bytes = h->max_bytes};
    int64_t peer;

    if (!find_peer(r, h, &peer) || !roam_read_head(r, h->user, &h->head)) {
        return false;
    }
    h->found = peer != 0;
    if (!h->found) {
        return true;
    }
    bool ok = gather_history(r, &g, h, peer, newest);
    h->rows = g.entries; /* freed with the request */
    h->count = ok ? g.count : 0;
    roam_gather_finish(&g);
    if (newest) {
        reverse(h->rows, h->count);
    }
    return ok;
}

/* ----------------------------------------------------------- conversations */

/* The message of that row, if it is still to go into the page. */
static bool gather_message(struct roam_store_reader *r,
                           struct roam_gathering *g, int64_t message,
                           bool *full)
{
    sqlite3_stmt *row = r->stmt[ROAM_READER_MESSAGE];

    sqlite3_bind_int64(row, 1, message);
    sqlite3_bind_int64(row, 2, g->body_limit);
    bool ok = sqlite3_step(row) == SQLITE_ROW;
    *full = ok && roam_gather_is_too_much(g, row);
    ok = ok && (*full || add_row(g, row));
    sqlite3_reset(row);
    return ok;
}

/* Columns of a row of CONVERSATIONS. */
enum conversation_column {
    COLUMN_NEWEST,
    COLUMN_PEER,
    COLUMN_READ_MARK
};

/* What the user has not read there, at most ROAM_UNREAD_MAX. [HIST-15] */
static bool count_unread(struct roam_store_reader *r, int64_t user,
                         int64_t peer, uint64_t after, struct roam_entry *e)
{
    sqlite3_stmt *stmt = r->stmt[ROAM_READER_UNREAD];

    if (user == peer) {
        return true; /* notes: all of them are the user's own */
    }
    sqlite3_bind_int64(stmt, 1, roam_db_low(user, peer));
    sqlite3_bind_int64(stmt, 2, roam_db_high(user, peer));
    roam_db_bind_u64(stmt, 3, after);
    sqlite3_bind_int64(stmt, 4, ROAM_FAULT("unread-counts-own") ? 0 : user);
    sqlite3_bind_int64(stmt, 5, ROAM_UNREAD_MAX);
    bool found = sqlite3_step(stmt) == SQLITE_ROW;
    e->unread = found ? (uint32_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return found;
}

/* One conversation, of which nothing below oldest counts; *full: it does not go
 * into the page any more. */
static bool gather_conversation(struct roam_store_reader *r,
                                struct roam_gathering *g, sqlite3_stmt *row,
                                uint64_t oldest, bool *full)
{
    if (!gather_message(r, g, sqlite3_column_int64(row, COLUMN_NEWEST), full)) {
        return false;
    }
    if (*full) {
        return true;
    }
    struct roam_entry *e = &g->entries[g->count - 1];
    e->read_mark = roam_db_u64(row, COLUMN_READ_MARK);
    uint64_t after = oldest > e->read_mark ? oldest - 1 : e->read_mark;
    int64_t peer = sqlite3_column_int64(row, COLUMN_PEER);
    return peer < 0 ? roam_read_group_part(r, g->user, peer, after, e)
                    : count_unread(r, g->user, peer, after, e);
}

static bool gather_newest(struct roam_store_reader *r, struct roam_gathering *g,
                          sqlite3_stmt *row,
                          const struct roam_store_conversations *c, bool *more)
{
    int rc;

    *more = false;
    while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
        *more = g->count == c->max_count;
        if (*more || !gather_conversation(r, g, row, c->oldest, more) ||
            *more) {
            break;
        }
    }
    sqlite3_reset(row);
    return rc == SQLITE_DONE || *more;
}

bool roam_read_conversations(struct roam_store_reader *r,
                             struct roam_store_request *req)
{
    struct roam_store_conversations *c = &req->u.conversations;
    sqlite3_stmt *row = r->stmt[ROAM_READER_CONVERSATIONS];
    struct roam_gathering g = {.req = req,
                               .names = r->names,
                               .user = c->user,
                               .device = c->device,
                               .body_limit = c->body_limit,
                               .max_bytes = c->max_bytes};

    if (!roam_read_head(r, c->user, &c->head)) {
        return false;
    }
    sqlite3_bind_int64(row, 1, c->user);
    roam_db_bind_u64(row, 2, c->before);
    roam_db_bind_text(row, 3, c->conversation);
    roam_db_bind_u64(row, 4, c->oldest);
    bool ok = gather_newest(r, &g, row, c, &c->more);
    c->rows = g.entries; /* freed with the request */
    c->count = ok ? g.count : 0;
    roam_gather_finish(&g);
    return ok;
}
