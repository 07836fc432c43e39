/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's statements, SYNC, READ, and the credential of a LOGIN. [SYNC-3],
 * [SYNC-4], [PUSH-2] */
#include "reader.h"

#include "credential.h"
#include "db.h"
#include "gather.h"
#include "roam.pb.h"

/* Columns of a row of READ: the entry, then the message. */
enum entry_column {
    COLUMN_VERSION,
    COLUMN_GAP,
    COLUMN_MESSAGE
};

/* The messages of the conversation of two users, by msg_id. */
#define IN_CONVERSATION                                                        \
    " FROM message m WHERE min(m.sender, m.receiver) = min(?1, ?2)"            \
    " AND max(m.sender, m.receiver) = max(?1, ?2)"                             \
    " AND m.msg_id > ?3 AND m.msg_id <= ?4 ORDER BY m.msg_id"

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
    [ROAM_READER_ENTRIES] = "SELECT t.version, t.gap, " ROAM_GATHER_COLUMNS(
        "?5") " FROM timeline t CROSS JOIN message m ON m.id = t.message"
              " WHERE t.user = ?1 AND t.version > ?2 AND t.version <= ?3"
              " ORDER BY t.version LIMIT ?4",
    [ROAM_READER_HEAD] = "SELECT version FROM timeline WHERE user = ?1"
                         " ORDER BY version DESC LIMIT 1",
    [ROAM_READER_NEWEST] =
        "SELECT " ROAM_GATHER_COLUMNS("?5") IN_CONVERSATION " DESC",
    [ROAM_READER_OLDEST] = "SELECT " ROAM_GATHER_COLUMNS("?5") IN_CONVERSATION,
    /* One step into the index for each conversation, whatever is in it;
     * only ids are sorted, never bodies. */
    [ROAM_READER_CONVERSATIONS] =
        "SELECT m.id FROM conversation c CROSS JOIN user u ON u.id = c.peer"
        " CROSS JOIN message m ON m.id = (SELECT n.id FROM message n"
        " WHERE min(n.sender, n.receiver) = min(c.user, c.peer)"
        " AND max(n.sender, n.receiver) = max(c.user, c.peer)"
        " ORDER BY n.msg_id DESC LIMIT 1)"
        " WHERE c.user = ?1 AND (?2 = 0 OR m.msg_id < ?2"
        " OR m.msg_id = ?2 AND u.name < ?3)"
        " ORDER BY m.msg_id DESC, u.name DESC",
    [ROAM_READER_MESSAGE] =
        "SELECT " ROAM_GATHER_COLUMNS("?2") " FROM message m WHERE m.id = ?1",
    [ROAM_READER_USER] = ROAM_CREDENTIAL_USER,
    [ROAM_READER_TOKEN] = ROAM_CREDENTIAL_TOKEN};

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

/* Did this very session send it? [PUSH-2] */
static bool is_own(const struct roam_store_read *read, sqlite3_stmt *row)
{
    const int at = COLUMN_MESSAGE;

    return sqlite3_column_int64(row, at + ROAM_GATHER_DEVICE) == read->device &&
           roam_db_u64(row, at + ROAM_GATHER_GENERATION) == read->generation &&
           roam_db_u64(row, at + ROAM_GATHER_ATTEMPT) == read->attempt;
}

static bool add_entry(struct roam_gathering *g, sqlite3_stmt *row, bool own)
{
    struct roam_entry *e = roam_gather_add(g);

    if (e == NULL) {
        return false;
    }
    e->version = roam_db_u64(row, COLUMN_VERSION);
    e->prev_version = e->version - roam_db_u64(row, COLUMN_GAP);
    if (own) {
        e->kind = roam_v1_Kind_NOOP;
        return true;
    }
    return roam_gather_message(g, row);
}

static bool gather(struct roam_store_reader *r, struct roam_gathering *g,
                   const struct roam_store_read *read)
{
    sqlite3_stmt *row = r->stmt[ROAM_READER_ENTRIES];
    int rc;

    sqlite3_bind_int64(row, 1, read->user);
    roam_db_bind_u64(row, 2, read->after);
    roam_db_bind_u64(row, 3, read->upto);
    sqlite3_bind_int64(row, 4, read->max_count);
    sqlite3_bind_int64(row, 5, read->body_limit);
    while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
        bool own = is_own(read, row);
        if (!own && roam_gather_is_too_much(g, row)) {
            rc = SQLITE_DONE;
            break;
        }
        if (!add_entry(g, row, own)) {
            break;
        }
    }
    sqlite3_reset(row);
    return rc == SQLITE_DONE;
}

static bool do_read(struct roam_store_reader *r, struct roam_store_request *req)
{
    struct roam_store_read *read = &req->u.read;
    struct roam_gathering g = {.req = req,
                               .names = r->names,
                               .user = read->user,
                               .device = read->device,
                               .body_limit = read->body_limit,
                               .max_bytes = read->max_bytes,
                               .first = COLUMN_MESSAGE};
    uint64_t floor;

    bool ok = gather(r, &g, read);
    read->entries = g.entries; /* freed with the request */
    read->count = ok ? g.count : 0;
    if (!ok) {
        return false;
    }
    roam_gather_finish(&g);
    if (read->count > 0) { /* the chain tells whether `after` is a link */
        read->is_link = read->entries[0].prev_version == read->after;
        read->count = read->is_link ? read->count : 0;
        return true;
    }
    return read_floor(r, read->user, &floor) &&
           is_link(r, read->user, read->after, floor, &read->is_link);
}

/* Only whether it may go on to the writer. */
static bool do_login(struct roam_store_reader *r,
                     struct roam_store_login *login)
{
    int64_t user;

    return roam_credential_check(r->stmt[ROAM_READER_USER],
                                 r->stmt[ROAM_READER_TOKEN], login, &user);
}

bool roam_store_reader_do(struct roam_store_reader *r,
                          struct roam_store_request *req)
{
    switch (req->kind) {
    case ROAM_STORE_SYNC:
        return do_sync(r, &req->u.sync);
    case ROAM_STORE_READ:
        return do_read(r, req);
    case ROAM_STORE_HISTORY:
        return roam_read_history(r, req);
    case ROAM_STORE_CONVERSATIONS:
        return roam_read_conversations(r, req);
    case ROAM_STORE_LOGIN:
        return do_login(r, &req->u.login);
    case ROAM_STORE_LOGOUT:
    case ROAM_STORE_SEND:
        break;
    }
    return false; /* the writer's */
}
