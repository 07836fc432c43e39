/* SPDX-License-Identifier: Apache-2.0 */
/* SYNC and READ. Text and bodies of an answer are gathered in one growing
 * block; as it moves while it grows, the entries hold offsets until it is
 * complete. [SYNC-3], [SYNC-4], [PUSH-2], [PUSH-4], [PUSH-6], [BATCH-4] */
#include "reader.h"

#include <string.h>

#include "../core/alloc.h"
#include "db.h"
#include "roam.pb.h"

/* Room for this many entries is taken first, and doubled when used up. */
#define FIRST_ENTRIES ((size_t)16)
#define FIRST_BYTES ((size_t)4096)

enum entry_column {
    COLUMN_VERSION,
    COLUMN_GAP,
    COLUMN_MSG_ID,
    COLUMN_SENDER,
    COLUMN_RECEIVER,
    COLUMN_DEVICE,
    COLUMN_GENERATION,
    COLUMN_ATTEMPT,
    COLUMN_CLIENT_MSG_ID,
    COLUMN_KIND,
    COLUMN_CONTENT_TYPE,
    COLUMN_BODY_LENGTH,
    COLUMN_BODY
};

/* length() of a blob is known without reading it, so a body that is cut
 * costs nothing. */
static const char *const sql[ROAM_READER_STATEMENTS] = {
    [ROAM_READER_BEGIN] = "BEGIN",
    [ROAM_READER_END] = "COMMIT",
    [ROAM_READER_FLOOR] = "SELECT version - gap FROM timeline"
                          " WHERE user = ?1 ORDER BY version LIMIT 1",
    [ROAM_READER_ENTRY] = "SELECT 1 FROM timeline"
                          " WHERE user = ?1 AND version = ?2",
    [ROAM_READER_NTH] = "SELECT 1 FROM timeline WHERE user = ?1"
                        " AND version > ?2 AND version <= ?3"
                        " ORDER BY version LIMIT 1 OFFSET ?4",
    [ROAM_READER_ENTRIES] =
        "SELECT t.version, t.gap, m.msg_id, m.sender, m.receiver, m.device,"
        " m.generation, m.attempt, m.client_msg_id, m.kind, m.content_type,"
        " length(m.body), CASE WHEN length(m.body) <= ?5 THEN m.body END"
        " FROM timeline t CROSS JOIN message m ON m.id = t.message"
        " WHERE t.user = ?1 AND t.version > ?2 AND t.version <= ?3"
        " ORDER BY t.version LIMIT ?4"};

bool roam_store_reader_open(struct roam_store_reader *r, const char *path,
                            char *error, size_t cap)
{
    r->db = roam_db_open(path, false, error, cap);
    if (r->db == NULL) {
        return false;
    }
    r->names = roam_user_names_new(r->db, error, cap);
    return r->names != NULL &&
           roam_db_prepare(r->db, sql, ROAM_READER_STATEMENTS, r->stmt, error,
                           cap);
}

void roam_store_reader_close(struct roam_store_reader *r)
{
    roam_user_names_free(r->names);
    roam_db_close(r->db);
    r->names = NULL;
    r->db = NULL;
}

bool roam_store_reader_begin(struct roam_store_reader *r)
{
    return roam_db_run(r->stmt[ROAM_READER_BEGIN]) == SQLITE_OK;
}

bool roam_store_reader_end(struct roam_store_reader *r)
{
    return roam_db_run(r->stmt[ROAM_READER_END]) == SQLITE_OK;
}

/* ------------------------------------------------------------------- SYNC */

static bool read_floor(struct roam_store_reader *r, int64_t user,
                       uint64_t *floor)
{
    sqlite3_stmt *stmt = r->stmt[ROAM_READER_FLOOR];

    sqlite3_bind_int64(stmt, 1, user);
    int rc = sqlite3_step(stmt);
    *floor = rc == SQLITE_ROW ? roam_db_u64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* Steps a statement that gives one row or none. */
static bool ask(sqlite3_stmt *stmt, bool *yes)
{
    int rc = sqlite3_step(stmt);

    *yes = rc == SQLITE_ROW;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* Is `version` the floor or the version of a retained entry? */
static bool is_link(struct roam_store_reader *r, int64_t user, uint64_t version,
                    uint64_t floor, bool *yes)
{
    sqlite3_stmt *stmt = r->stmt[ROAM_READER_ENTRY];

    *yes = version == floor;
    if (*yes || version > ROAM_VERSION_MAX) {
        return true;
    }
    sqlite3_bind_int64(stmt, 1, user);
    roam_db_bind_u64(stmt, 2, version);
    return ask(stmt, yes);
}

static bool do_sync(struct roam_store_reader *r, struct roam_store_sync *sync)
{
    sqlite3_stmt *stmt = r->stmt[ROAM_READER_NTH];

    sync->is_link = false;
    sync->too_many = false;
    if (!read_floor(r, sync->user, &sync->floor)) {
        return false;
    }
    if (sync->cursor > sync->head) {
        return true;
    }
    if (!is_link(r, sync->user, sync->cursor, sync->floor, &sync->is_link)) {
        return false;
    }
    if (sync->head - sync->cursor <= sync->max_entries) {
        return true; /* versions differ, so no need to count */
    }
    sqlite3_bind_int64(stmt, 1, sync->user);
    roam_db_bind_u64(stmt, 2, sync->cursor);
    roam_db_bind_u64(stmt, 3, sync->head);
    sqlite3_bind_int64(stmt, 4, sync->max_entries);
    return ask(stmt, &sync->too_many);
}

/* ------------------------------------------------------------------- READ */

/* The answer while it is gathered. */
struct gathering {
    struct roam_store_request *req;
    size_t entries_cap;
    size_t used; /* bytes at req->results */
    size_t cap;
    size_t body_bytes;
};

static bool room_for_entry(struct gathering *g)
{
    struct roam_store_read *read = &g->req->u.read;

    if (read->count < g->entries_cap) {
        return true;
    }
    size_t cap = g->entries_cap == 0 ? FIRST_ENTRIES : g->entries_cap * 2;
    struct roam_entry *bigger =
        roam__resize(read->entries, cap * sizeof(*bigger));
    if (bigger == NULL) {
        return false;
    }
    read->entries = bigger;
    g->entries_cap = cap;
    return true;
}

static bool room_for_bytes(struct gathering *g, size_t len)
{
    size_t cap = g->cap == 0 ? FIRST_BYTES : g->cap;

    while (cap - g->used < len) {
        cap *= 2;
    }
    if (cap == g->cap) {
        return true;
    }
    uint8_t *bigger = roam__resize(g->req->results, cap);
    if (bigger == NULL) {
        return false;
    }
    g->req->results = bigger;
    g->cap = cap;
    return true;
}

/* Copies bytes into the block; *out has only its length until
 * place_slices(). */
static bool keep(struct gathering *g, struct roam_slice from,
                 struct roam_slice *out)
{
    if (!room_for_bytes(g, from.len)) {
        return false;
    }
    if (from.len > 0) {
        memcpy(g->req->results + g->used, from.data, from.len);
    }
    g->used += from.len;
    out->len = from.len;
    return true;
}

/* The block has stopped moving: the slices follow each other in it. */
static void place_slices(struct gathering *g)
{
    struct roam_store_read *read = &g->req->u.read;
    const uint8_t *at = g->req->results;

    for (size_t i = 0; i < read->count; i++) {
        struct roam_entry *e = &read->entries[i];
        struct roam_slice *slices[] = {&e->conversation, &e->sender,
                                       &e->content_type, &e->body};
        for (size_t k = 0; k < sizeof(slices) / sizeof(slices[0]); k++) {
            slices[k]->data = at;
            if (slices[k]->len > 0) { /* at may be NULL else */
                at += slices[k]->len;
            }
        }
    }
}

static bool fill_message(struct roam_store_reader *r, struct gathering *g,
                         sqlite3_stmt *row, struct roam_entry *e)
{
    const struct roam_store_read *read = &g->req->u.read;
    int64_t sender = sqlite3_column_int64(row, COLUMN_SENDER);
    int64_t receiver = sqlite3_column_int64(row, COLUMN_RECEIVER);
    int64_t peer = sender == read->user ? receiver : sender;
    uint32_t length = (uint32_t)sqlite3_column_int64(row, COLUMN_BODY_LENGTH);

    e->msg_id = roam_db_u64(row, COLUMN_MSG_ID);
    e->kind = (uint32_t)sqlite3_column_int64(row, COLUMN_KIND);
    if (sqlite3_column_int64(row, COLUMN_DEVICE) == read->device) {
        e->client_msg_id = roam_db_u64(row, COLUMN_CLIENT_MSG_ID);
    }
    bool cut = length > read->body_limit;
    e->cut_size = cut ? length : 0;
    g->body_bytes += cut ? 0 : length;
    return keep(g, roam_user_names_get(r->names, peer), &e->conversation) &&
           e->conversation.len > 0 &&
           keep(g, roam_user_names_get(r->names, sender), &e->sender) &&
           e->sender.len > 0 &&
           keep(g, roam_db_column(row, COLUMN_CONTENT_TYPE),
                &e->content_type) &&
           keep(g, roam_db_column(row, COLUMN_BODY), &e->body);
}

/* Did this very session send it? [PUSH-2] */
static bool is_own(const struct roam_store_read *read, sqlite3_stmt *row)
{
    return sqlite3_column_int64(row, COLUMN_DEVICE) == read->device &&
           roam_db_u64(row, COLUMN_GENERATION) == read->generation &&
           roam_db_u64(row, COLUMN_ATTEMPT) == read->attempt;
}

/* Would this row, not the first, bring the bodies above max_bytes? */
static bool is_too_much(const struct gathering *g, sqlite3_stmt *row)
{
    const struct roam_store_read *read = &g->req->u.read;
    uint64_t length = roam_db_u64(row, COLUMN_BODY_LENGTH);

    return read->count > 0 && length <= read->body_limit &&
           !is_own(read, row) && g->body_bytes + length > read->max_bytes;
}

static bool add_entry(struct roam_store_reader *r, struct gathering *g,
                      sqlite3_stmt *row)
{
    struct roam_store_read *read = &g->req->u.read;

    if (!room_for_entry(g)) {
        return false;
    }
    struct roam_entry *e = &read->entries[read->count];
    memset(e, 0, sizeof(*e));
    e->version = roam_db_u64(row, COLUMN_VERSION);
    e->prev_version = e->version - roam_db_u64(row, COLUMN_GAP);
    if (is_own(read, row)) {
        e->kind = roam_v1_Kind_NOOP;
    } else if (!fill_message(r, g, row, e)) {
        return false;
    }
    read->count++;
    return true;
}

static bool gather(struct roam_store_reader *r, struct gathering *g)
{
    sqlite3_stmt *row = r->stmt[ROAM_READER_ENTRIES];
    const struct roam_store_read *read = &g->req->u.read;
    int rc;

    sqlite3_bind_int64(row, 1, read->user);
    roam_db_bind_u64(row, 2, read->after);
    roam_db_bind_u64(row, 3, read->upto);
    sqlite3_bind_int64(row, 4, read->max_count);
    sqlite3_bind_int64(row, 5, read->body_limit);
    while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
        if (is_too_much(g, row)) {
            rc = SQLITE_DONE;
            break;
        }
        if (!add_entry(r, g, row)) {
            break;
        }
    }
    sqlite3_reset(row);
    return rc == SQLITE_DONE;
}

static bool do_read(struct roam_store_reader *r, struct roam_store_request *req)
{
    struct roam_store_read *read = &req->u.read;
    struct gathering g = {.req = req};
    uint64_t floor;

    read->count = 0;
    if (!gather(r, &g)) {
        return false;
    }
    place_slices(&g);
    if (read->count > 0) { /* the chain tells whether `after` is a link */
        read->is_link = read->entries[0].prev_version == read->after;
        read->count = read->is_link ? read->count : 0;
        return true;
    }
    return read_floor(r, read->user, &floor) &&
           is_link(r, read->user, read->after, floor, &read->is_link);
}

bool roam_store_reader_do(struct roam_store_reader *r,
                          struct roam_store_request *req)
{
    switch (req->kind) {
    case ROAM_STORE_SYNC:
        return do_sync(r, &req->u.sync);
    case ROAM_STORE_READ:
        return do_read(r, req);
    case ROAM_STORE_LOGIN:
    case ROAM_STORE_LOGOUT:
    case ROAM_STORE_SEND:
        break;
    }
    return false; /* the writer's */
}
