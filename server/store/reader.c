/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's statements, SYNC, READ, and the credential of a LOGIN. [SYNC-3],
 * [SYNC-4], [PUSH-2] */
#include "reader.h"

#include "../core/fault.h"
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

/* A conversation, ?1 and ?2 as roam_db_low() and roam_db_high(). */
#define IN_PAIR                                                                \
    " min(m.sender, m.receiver) = ?1"                                          \
    " AND max(m.sender, m.receiver) * (m.receiver > 0) = ?2"
/* The rows of one part of it in a range of msg_ids, and those of the private
 * ones that ?6 sees. */
#define PART(part)                                                             \
    "SELECT " ROAM_GATHER_COLUMNS(                                             \
        "m.msg_id", "?5") " FROM message m WHERE" IN_PAIR                      \
                          " AND m.part = " part                                \
                          " AND m.msg_id > ?3 AND m.msg_id <= ?4"
#define PRIVATE                                                                \
    "SELECT " ROAM_GATHER_COLUMNS(                                             \
        "p.msg_id",                                                            \
        "?5") " FROM private p CROSS JOIN message m ON m.id = p.message"       \
              " WHERE p.user = ?6 AND p.peer = ?7"                             \
              " AND p.msg_id > ?3 AND p.msg_id <= ?4"
/* Merged in order, each from its own index. */
#define OPERATIONS PART("1") " UNION ALL " PRIVATE " ORDER BY 1"
#define ALL PART("0") " UNION ALL " OPERATIONS

/* The newest row of each part of a conversation c that c.user sees. */
#define NEWEST_OF(part)                                                        \
    "SELECT * FROM (SELECT n.id, n.msg_id FROM message n"                      \
    " WHERE min(n.sender, n.receiver) = min(c.user, c.peer)"                   \
    " AND max(n.sender, n.receiver) * (n.receiver > 0)"                        \
    " = max(c.user, c.peer) * (c.peer > 0)"                                    \
    " AND n.part = " part                                                      \
    " AND n.msg_id <= c.until ORDER BY n.msg_id DESC LIMIT 1)"
#define NEWEST_ROWS                                                                \
    NEWEST_OF("0")                                                                 \
    " UNION ALL " NEWEST_OF(                                                       \
        "1") " UNION ALL SELECT * FROM (SELECT p.message, p.msg_id FROM private p" \
             " WHERE p.user = c.user AND p.peer = c.peer"                          \
             " ORDER BY p.msg_id DESC LIMIT 1)"

/* Of a conversation, its id, and up to where its user sees it: to the end, or
 * to that of the last span in a group. */
#define PEER_NAME                                                              \
    "CASE WHEN peer > 0 THEN (SELECT name FROM user WHERE id = peer)"          \
    " ELSE (SELECT gid FROM grp WHERE id = -peer) END"
#define SEEN_UNTIL                                                             \
    "CASE WHEN peer > 0 THEN 9223372036854775807 ELSE (SELECT until FROM span" \
    " WHERE user = ?1 AND grp = -peer ORDER BY since DESC LIMIT 1) END"

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
        "m.msg_id",
        "?5") " FROM timeline t LEFT JOIN message m ON m.id = t.message"
              " WHERE t.user = ?1 AND t.version > ?2 AND t.version <= ?3"
              " ORDER BY t.version LIMIT ?4",
    [ROAM_READER_HEAD] = "SELECT version FROM timeline WHERE user = ?1"
                         " ORDER BY version DESC LIMIT 1",
    [ROAM_READER_NEWEST] = ALL " DESC",
    [ROAM_READER_OLDEST] = ALL,
    [ROAM_READER_NEWEST_OPERATIONS] = OPERATIONS " DESC",
    [ROAM_READER_OLDEST_OPERATIONS] = OPERATIONS,
    /* Three steps into indexes for each conversation, whatever is in it;
     * only ids are sorted, never bodies. */
    [ROAM_READER_CONVERSATIONS] =
        "SELECT m.id, c.peer, c.read_mark FROM (SELECT user, peer, read_mark,"
        " " PEER_NAME " AS name, " SEEN_UNTIL " AS until"
        " FROM conversation WHERE user = ?1) c"
        " CROSS JOIN message m ON m.id = (SELECT id FROM (" NEWEST_ROWS
        ") ORDER BY msg_id DESC LIMIT 1)"
        " WHERE (?2 = 0 OR m.msg_id < ?2 OR m.msg_id = ?2 AND c.name < ?3)"
        " AND m.msg_id >= ?4 ORDER BY m.msg_id DESC, c.name DESC",
    [ROAM_READER_MESSAGE] = "SELECT " ROAM_GATHER_COLUMNS(
        "m.msg_id", "?2") " FROM message m WHERE m.id = ?1",
    [ROAM_READER_UNREAD] =
        "SELECT count(*) FROM (SELECT 1 FROM message m WHERE" IN_PAIR
        " AND m.part = 0 AND m.msg_id > ?3"
        " AND m.sender <> ?4 AND m.undone_by = 0 AND NOT EXISTS"
        " (SELECT 1 FROM deletion d WHERE d.target = m.id AND d.user = ?4)"
        " LIMIT ?5)",
    [ROAM_READER_USER] = ROAM_CREDENTIAL_USER,
    [ROAM_READER_TOKEN] = ROAM_CREDENTIAL_TOKEN,
    [ROAM_READER_GROUP] =
        "SELECT g.id, g.name, g.join_mode, g.muted, g.members, m.role"
        " FROM grp g CROSS JOIN member m ON m.grp = g.id"
        " WHERE g.gid = ?1 AND m.user = ?2",
    [ROAM_READER_MEMBERS] =
        "SELECT u.name, u.title, m.role, m.muted, m.since"
        " FROM member m CROSS JOIN user u ON u.id = m.user WHERE m.grp = ?1"
        " AND m.role >= ?2 AND u.name > ?3 ORDER BY u.name LIMIT ?4",
    [ROAM_READER_SESSIONS] =
        "SELECT s.type, d.name, d.software, s.since_ms, s.seen_ms,"
        " s.generation FROM slot s JOIN device d ON d.id = s.device"
        " WHERE s.user = ?1 ORDER BY s.type",
    [ROAM_READER_REVOKED] = "SELECT user, id, revoked FROM token"
                            " WHERE revoked > 0 AND revoked > ?1"
                            " ORDER BY revoked"};

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
                           cap) &&
           roam_group_reader_open(&r->groups, r->db, error, cap);
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
    return roam_db_run(r->stmt[ROAM_READER_BEGIN]) == SQLITE_OK &&
           roam_user_names_refresh(r->names);
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

/* Its message is too old. [KEEP-6] */
static bool is_erased(sqlite3_stmt *row)
{
    int msg_id = COLUMN_MESSAGE + (int)ROAM_GATHER_MSG_ID;
    return sqlite3_column_type(row, msg_id) == SQLITE_NULL;
}

/* Did this very session send it? [PUSH-2] */
static bool is_own(const struct roam_store_read *read, sqlite3_stmt *row)
{
    const int at = COLUMN_MESSAGE;

    return sqlite3_column_int64(row, at + ROAM_GATHER_DEVICE) == read->device &&
           roam_db_u64(row, at + ROAM_GATHER_GENERATION) == read->generation &&
           roam_db_u64(row, at + ROAM_GATHER_ATTEMPT) == read->attempt;
}

static bool add_entry(struct roam_gathering *g, sqlite3_stmt *row, bool noop)
{
    struct roam_entry *e = roam_gather_add(g);

    if (e == NULL) {
        return false;
    }
    e->version = roam_db_u64(row, COLUMN_VERSION);
    e->prev_version = e->version - roam_db_u64(row, COLUMN_GAP);
    if (noop) {
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
        bool noop =
            is_erased(row) || is_own(read, row) || roam_gather_is_void(g, row);
        if (!noop && roam_gather_is_too_much(g, row)) {
            rc = SQLITE_DONE;
            break;
        }
        if (!add_entry(g, row, noop)) {
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

    return ROAM_FAULT("failed-logins-are-stored") ||
           roam_credential_check(r->stmt[ROAM_READER_USER],
                                 r->stmt[ROAM_READER_TOKEN], login, &user);
}

/* -------------------------------------------------------------------- pages */

/* Steps of SQLite's machine that go into a row of a page: so many are needed
 * when nothing else is looked at. */
#define STEPS_A_ROW 64u

/* All so far, modulo 2^32. */
static uint32_t steps_of(sqlite3_stmt *const *stmt, size_t count)
{
    uint32_t steps = 0;

    for (size_t i = 0; i < count; i++) {
        steps += (uint32_t)sqlite3_stmt_status(stmt[i],
                                               SQLITE_STMTSTATUS_VM_STEP, 0);
    }
    return steps;
}

static uint32_t steps(const struct roam_store_reader *r)
{
    return steps_of(r->stmt, ROAM_READER_STATEMENTS) +
           steps_of(r->groups.stmt, ROAM_GROUP_READER_STATEMENTS);
}

static bool do_page(struct roam_store_reader *r, struct roam_store_request *req)
{
    bool list = req->kind == ROAM_STORE_CONVERSATIONS;
    uint64_t *cost = list ? &req->u.conversations.cost : &req->u.history.cost;
    uint32_t before = steps(r);
    bool ok =
        list ? roam_read_conversations(r, req) : roam_read_history(r, req);

    *cost = (uint32_t)(steps(r) - before) / STEPS_A_ROW;
    return ok;
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
    case ROAM_STORE_CONVERSATIONS:
        return do_page(r, req);
    case ROAM_STORE_MEMBERS:
        return roam_read_members(r, req);
    case ROAM_STORE_LOGIN:
        return do_login(r, &req->u.login);
    case ROAM_STORE_SESSIONS:
        return roam_read_sessions(r, &req->u.sessions);
    case ROAM_STORE_REVOKED:
        return roam_read_revoked(r, &req->u.revoked);
    case ROAM_STORE_LOGOUT:
    case ROAM_STORE_SEND:
    case ROAM_STORE_TRIM:
    case ROAM_STORE_SEEN:
    case ROAM_STORE_END_SESSION:
        break;
    }
    return false; /* the writer's */
}
