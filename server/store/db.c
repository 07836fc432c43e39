/* SPDX-License-Identifier: Apache-2.0 */
/* The store's file. Its tables:
 *
 *   user      who there is; `title` is what people read, `blocks` how many
 *             they have blocked
 *   block     of them, whom
 *   provision  one row; `changes` rises with each change of a user by
 *             another process, so that what was remembered is read again
 *   token     SHA-256 of a bearer token, what it is good for, and the device
 *             that used it first. `revoked` is its place among all that were
 *             revoked, 0 while it is good, so that a running server finds the
 *             new ones; written by provisioning, too
 *   device    installations that were ever granted a slot; `held` while the
 *             device has not logged out since, for KICKED. Rows stay for
 *             ever: messages name their device by this number. [PUSH-4]
 *   slot      who holds (user, device type); see arbitration.h
 *   message   what was sent, once, in the order of commits. `id` is the
 *             place in that order and never leaves the store, so that new
 *             rows go to the end of the table, whoever sends to whom. A
 *             receiver below 0 is a group. `part` is below; `undone_by` the
 *             msg_id of the operation that recalled a message, whose body is
 *             then the SHA-256 of what it was, or that took a READ's place.
 *             The news of a device is of no session: device 0, and NULL for
 *             a client_msg_id
 *   timeline  the logs of all users. `gap` is version minus prev_version,
 *             almost always 1, which SQLite stores in no bytes
 *   grp       the groups; `gid` is the id on the wire, `members` and
 *             `applicants` count the rows of `member`
 *   member    who is in a group, or applied to it; `since` is the msg_id of
 *             the change that made them so
 *   span      the parts of a group's history that a user sees; `until` of
 *             one that goes on is the last possible msg_id
 *   conversation  of each user, with whom there is a message; and up to
 *             where the user has read (read_id, read_row: the READ that says
 *             so)
 *   erased    conversations (as roam_db_low() and roam_db_high() have them)
 *             whose newest row is too old for history: its msg_id.
 *             That of no users (0, 0) is the last message row erased
 *   private   rows of history that only some parties see, for each of them
 *   deletion  messages that a user deleted, by which DELETE (its msg_id)
 *
 * The index message_client is the memory of client_msg_ids: a repetition
 * conflicts with it. It is kept as long as the message, so dedup_ms is a
 * lower bound. [SEND-4]
 *
 * The index message_pair is the conversations: both parties' messages by
 * msg_id, under the lower and the higher user number, so that one entry
 * serves both; those of a group under its number and 0. Each conversation has
 * three parts there: messages, operations that all parties see, and what not
 * all see, of which `private` has the histories. So operations are found
 * without reading messages, and a history is the merge of two parts and of
 * what is private. The newest row of a conversation is the last entry of one
 * of them, which is why `conversation` is written once and not with every
 * message. */
#include "db.h"

#include <stdio.h>
#include <string.h>

#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x
#define MARK(name, value) "PRAGMA " #name "=" TEXT(value) ";"

#define SCHEMA_VERSION 6

static const char schema[] =
    "CREATE TABLE user(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " title TEXT NOT NULL DEFAULT '', blocks INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE block(user INTEGER NOT NULL, other INTEGER NOT NULL,"
    " PRIMARY KEY(user, other)) WITHOUT ROWID;"
    "CREATE TABLE provision(id INTEGER PRIMARY KEY, changes INTEGER NOT NULL);"
    "INSERT INTO provision VALUES(1, 0);"
    "CREATE TABLE token(id INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE,"
    " user INTEGER NOT NULL, device_type INTEGER NOT NULL,"
    " expires_ms INTEGER NOT NULL, created_ms INTEGER NOT NULL,"
    " revoked INTEGER NOT NULL DEFAULT 0, device_id BLOB);"
    "CREATE INDEX token_revoked ON token(revoked) WHERE revoked > 0;"
    "CREATE INDEX token_user ON token(user);"
    "CREATE TABLE device(id INTEGER PRIMARY KEY, user INTEGER NOT NULL,"
    " type INTEGER NOT NULL, device_id BLOB NOT NULL, name TEXT NOT NULL,"
    " software TEXT NOT NULL, held INTEGER NOT NULL,"
    " UNIQUE(user, type, device_id));"
    "CREATE TABLE slot(user INTEGER NOT NULL, type INTEGER NOT NULL,"
    " device INTEGER NOT NULL, generation INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, since_ms INTEGER NOT NULL,"
    " seen_ms INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(user, type)) WITHOUT ROWID;"
    "CREATE TABLE message(id INTEGER PRIMARY KEY, msg_id INTEGER NOT NULL,"
    " sender INTEGER NOT NULL, receiver INTEGER NOT NULL,"
    " device INTEGER NOT NULL, generation INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL,"
    " client_msg_id INTEGER, kind INTEGER NOT NULL,"
    " content_type TEXT NOT NULL, body BLOB NOT NULL,"
    " part INTEGER NOT NULL, undone_by INTEGER NOT NULL DEFAULT 0);"
    "CREATE UNIQUE INDEX message_client ON message(sender, client_msg_id);"
    "CREATE UNIQUE INDEX message_pair ON message(min(sender, receiver),"
    " max(sender, receiver) * (receiver > 0), part, msg_id);"
    "CREATE TABLE conversation(user INTEGER NOT NULL, peer INTEGER NOT NULL,"
    " read_mark INTEGER NOT NULL DEFAULT 0,"
    " read_id INTEGER NOT NULL DEFAULT 0,"
    " read_row INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(user, peer)) WITHOUT ROWID;"
    "CREATE TABLE erased(low INTEGER NOT NULL, high INTEGER NOT NULL,"
    " last INTEGER NOT NULL, PRIMARY KEY(low, high)) WITHOUT ROWID;"
    "CREATE TABLE private(user INTEGER NOT NULL, peer INTEGER NOT NULL,"
    " msg_id INTEGER NOT NULL, message INTEGER NOT NULL,"
    " PRIMARY KEY(user, peer, msg_id)) WITHOUT ROWID;"
    "CREATE INDEX private_message ON private(message);"
    "CREATE TABLE deletion(target INTEGER NOT NULL, user INTEGER NOT NULL,"
    " msg_id INTEGER NOT NULL, PRIMARY KEY(target, user)) WITHOUT ROWID;"
    "CREATE TABLE grp(id INTEGER PRIMARY KEY, gid TEXT NOT NULL UNIQUE,"
    " name TEXT NOT NULL, join_mode INTEGER NOT NULL, muted INTEGER NOT NULL,"
    " members INTEGER NOT NULL, applicants INTEGER NOT NULL);"
    "CREATE TABLE member(grp INTEGER NOT NULL, user INTEGER NOT NULL,"
    " role INTEGER NOT NULL, muted INTEGER NOT NULL, since INTEGER NOT NULL,"
    " PRIMARY KEY(grp, user)) WITHOUT ROWID;"
    "CREATE TABLE span(user INTEGER NOT NULL, grp INTEGER NOT NULL,"
    " since INTEGER NOT NULL, until INTEGER NOT NULL,"
    " PRIMARY KEY(user, grp, since)) WITHOUT ROWID;"
    "CREATE TABLE timeline(user INTEGER NOT NULL, version INTEGER NOT NULL,"
    " gap INTEGER NOT NULL, message INTEGER NOT NULL,"
    " PRIMARY KEY(user, version)) WITHOUT ROWID;";

static const char marks[] = MARK(application_id, ROAM_DB_APPLICATION_ID)
    MARK(user_version, SCHEMA_VERSION);

/* Full sync: a commit has reached the disk when COMMIT returns. The log is
 * checkpointed by the writer, after it has answered. No memory map: an I/O
 * error must come as a result code, not as a signal. What is erased is
 * overwritten [OP-9]; the log has it until it starts over. */
static const char settings[] = "PRAGMA journal_mode=WAL;"
                               "PRAGMA synchronous=FULL;"
                               "PRAGMA wal_autocheckpoint=0;"
                               "PRAGMA mmap_size=0;"
                               "PRAGMA cache_size=-32768;"
                               "PRAGMA secure_delete=ON;"
                               "PRAGMA trusted_schema=OFF;";

int roam_db_exec(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int roam_db_run(sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);

    sqlite3_reset(stmt);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

void roam_db_bind_text(sqlite3_stmt *stmt, int at, struct roam_slice text)
{
    const char *data = text.len == 0 ? "" : (const char *)text.data;

    sqlite3_bind_text(stmt, at, data, (int)text.len, SQLITE_STATIC);
}

void roam_db_bind_blob(sqlite3_stmt *stmt, int at, struct roam_slice blob)
{
    const void *data = blob.len == 0 ? "" : (const void *)blob.data;

    sqlite3_bind_blob64(stmt, at, data, blob.len, SQLITE_STATIC);
}

struct roam_slice roam_db_column(sqlite3_stmt *stmt, int column)
{
    struct roam_slice s;

    s.data = sqlite3_column_blob(stmt, column);
    s.len = (size_t)sqlite3_column_bytes(stmt, column);
    return s;
}

static bool read_number(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
              sqlite3_step(stmt) == SQLITE_ROW;

    if (ok) {
        *out = sqlite3_column_int64(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return ok;
}

struct file_marks {
    int64_t application;
    int64_t version;
    int64_t objects;
};

static bool read_marks(sqlite3 *db, const char *path, struct file_marks *found,
                       char *error, size_t cap)
{
    if (!read_number(db, "PRAGMA application_id", &found->application) ||
        !read_number(db, "PRAGMA user_version", &found->version) ||
        !read_number(db, "SELECT count(*) FROM sqlite_schema",
                     &found->objects)) {
        snprintf(error, cap, "%s: %s", path, sqlite3_errmsg(db));
        return false;
    }
    return true;
}

static bool check_marks(const struct file_marks *found, const char *path,
                        char *error, size_t cap)
{
    if (found->application != ROAM_DB_APPLICATION_ID) {
        snprintf(error, cap, "%s: not a Roam store", path);
        return false;
    }
    if (found->version != SCHEMA_VERSION) {
        snprintf(error, cap,
                 "%s: schema version %lld, this program knows version %d", path,
                 (long long)found->version, SCHEMA_VERSION);
        return false;
    }
    return true;
}

/* Inside a write transaction, so that of two processes which find an empty
 * file one makes the schema and the other one sees it. */
static bool check_schema(sqlite3 *db, const char *path, char *error, size_t cap)
{
    struct file_marks found = {0, 0, 0};

    if (!read_marks(db, path, &found, error, cap)) {
        return false;
    }
    if (found.application != 0 || found.version != 0 || found.objects != 0) {
        return check_marks(&found, path, error, cap);
    }
    if (roam_db_exec(db, schema) != SQLITE_OK ||
        roam_db_exec(db, marks) != SQLITE_OK) {
        snprintf(error, cap, "%s: cannot create the schema: %s", path,
                 sqlite3_errmsg(db));
        return false;
    }
    return true;
}

/* SQLite stays with another journal where it finds no shared memory, and
 * does not call that an error. */
static bool is_wal(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    bool wal =
        sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &stmt, NULL) ==
            SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW &&
        sqlite3_stricmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;

    sqlite3_finalize(stmt);
    return wal;
}

static bool prepare_file(sqlite3 *db, const char *path, char *error, size_t cap)
{
    sqlite3_busy_timeout(db, ROAM_DB_BUSY_MS);
    if (sqlite3_db_readonly(db, "main") != 0) { /* opened, but not as asked */
        snprintf(error, cap, "%s: cannot be written", path);
        return false;
    }
    if (roam_db_exec(db, "BEGIN IMMEDIATE") != SQLITE_OK) {
        snprintf(error, cap, "%s: %s", path, sqlite3_errmsg(db));
        return false;
    }
    if (!check_schema(db, path, error, cap)) {
        roam_db_exec(db, "ROLLBACK");
        return false;
    }
    if (roam_db_exec(db, "COMMIT") != SQLITE_OK ||
        roam_db_exec(db, settings) != SQLITE_OK) {
        snprintf(error, cap, "%s: %s", path, sqlite3_errmsg(db));
        return false;
    }
    if (!is_wal(db)) {
        snprintf(error, cap,
                 "%s: the file system cannot hold a store in WAL"
                 " mode",
                 path);
        return false;
    }
    return true;
}

sqlite3 *roam_db_open(const char *path, bool create, char *error, size_t cap)
{
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                      SQLITE_OPEN_EXRESCODE | (create ? SQLITE_OPEN_CREATE : 0);
    sqlite3 *db = NULL;

    if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) {
        snprintf(error, cap, "%s: %s", path,
                 db == NULL ? "out of memory" : sqlite3_errmsg(db));
        roam_db_close(db);
        return NULL;
    }
    if (!prepare_file(db, path, error, cap)) {
        roam_db_close(db);
        return NULL;
    }
    return db;
}

sqlite3 *roam_db_open_read(const char *path, char *error, size_t cap)
{
    const int flags =
        SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    struct file_marks found = {0, 0, 0};
    sqlite3 *db = NULL;

    if (sqlite3_open_v2(path, &db, flags, NULL) != SQLITE_OK) {
        snprintf(error, cap, "%s: %s", path,
                 db == NULL ? "out of memory" : sqlite3_errmsg(db));
        roam_db_close(db);
        return NULL;
    }
    sqlite3_busy_timeout(db, ROAM_DB_BUSY_MS);
    if (!read_marks(db, path, &found, error, cap) ||
        !check_marks(&found, path, error, cap)) {
        roam_db_close(db);
        return NULL;
    }
    return db;
}

void roam_db_close(sqlite3 *db)
{
    sqlite3_stmt *stmt;

    if (db == NULL) {
        return;
    }
    while ((stmt = sqlite3_next_stmt(db, NULL)) != NULL) {
        sqlite3_finalize(stmt);
    }
    sqlite3_close(db);
}

bool roam_db_prepare(sqlite3 *db, const char *const *sql, size_t count,
                     sqlite3_stmt **out, char *error, size_t cap)
{
    for (size_t i = 0; i < count; i++) {
        if (sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &out[i], NULL) != SQLITE_OK) {
            snprintf(error, cap, "%s", sqlite3_errmsg(db));
            return false;
        }
    }
    return true;
}

bool roam_db_checkpoint(sqlite3 *db, char *error, size_t cap)
{
    int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE,
                                       NULL, NULL);

    if (rc != SQLITE_OK) {
        snprintf(error, cap, "cannot checkpoint the log: %s",
                 sqlite3_errstr(rc));
        return false;
    }
    return true;
}
