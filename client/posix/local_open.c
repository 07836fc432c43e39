/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and creating the local store.
 *
 * An advisory lock on a file beside the store keeps a second owner out; it
 * goes with the process, however that ends. */
#include "local_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define FORMAT_VERSION 3
/* How long to wait for a reader that is just now checkpointing. */
#define BUSY_TIMEOUT_MS 5000
#define USER_MAX 64u

/* A hole: messages of the conversation with above < msg_id < below may be
 * missing. A survey is due while its table has its row: conversations in
 * which all is missing are found by it. last_reset has a row once a RESET has
 * been: from then on a conversation that is new here may have a past. */
#define HISTORY_SCHEMA                                                         \
    "CREATE TABLE hole(id INTEGER PRIMARY KEY, conversation TEXT NOT NULL,"    \
    " above INTEGER NOT NULL, below INTEGER NOT NULL,"                         \
    " unix_ms INTEGER NOT NULL);"                                              \
    "CREATE INDEX hole_of ON hole(conversation);"                              \
    "CREATE UNIQUE INDEX hole_open ON hole(conversation)"                      \
    " WHERE below = " OPEN_END ";"                                             \
    "CREATE TABLE survey(id INTEGER PRIMARY KEY CHECK(id = 1),"                \
    " before INTEGER NOT NULL, conversation TEXT NOT NULL,"                    \
    " unix_ms INTEGER NOT NULL);"                                              \
    "CREATE TABLE last_reset(id INTEGER PRIMARY KEY CHECK(id = 1),"            \
    " unix_ms INTEGER NOT NULL);"

/* What is known of a conversation beside its rows; of one that is not there,
 * all of it is 0. `role` is that behind the row role_at. `told`: the survey
 * has told of it since the last RESET; told_unread is what the server counted
 * above told_mark when told_at was the newest row. as_of is the highest head
 * at which pages of the last survey were read; 0: there was none since the
 * last RESET, or it is in doubt and done again. */
#define STATE_SCHEMA                                                           \
    "CREATE INDEX message_target ON message(conversation, target, kind)"       \
    " WHERE target IS NOT NULL;"                                               \
    "CREATE TABLE conversation(conversation TEXT PRIMARY KEY,"                 \
    " read_mark INTEGER NOT NULL DEFAULT 0,"                                   \
    " role INTEGER NOT NULL DEFAULT 0, role_at INTEGER NOT NULL DEFAULT 0,"    \
    " told INTEGER NOT NULL DEFAULT 0,"                                        \
    " told_at INTEGER NOT NULL DEFAULT 0,"                                     \
    " told_mark INTEGER NOT NULL DEFAULT 0,"                                   \
    " told_unread INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"                  \
    "ALTER TABLE last_reset ADD COLUMN as_of INTEGER NOT NULL DEFAULT 0;"      \
    "CREATE TABLE name(id TEXT PRIMARY KEY, name TEXT NOT NULL)"               \
    " WITHOUT ROWID;"

/* A row of history: `target` is the msg_id that a RECALL or DELETE names,
 * `deleted` says that a DELETE names this one. */
static const char schema[] =
    "CREATE TABLE device(id INTEGER PRIMARY KEY CHECK(id = 1),"
    " user TEXT NOT NULL, type INTEGER NOT NULL, device_id BLOB NOT NULL,"
    " attempt INTEGER NOT NULL, cursor INTEGER NOT NULL,"
    " dedup_ms INTEGER NOT NULL);"
    "CREATE TABLE message(conversation TEXT NOT NULL,"
    " msg_id INTEGER NOT NULL, version INTEGER, sender TEXT NOT NULL,"
    " content_type TEXT NOT NULL, body BLOB NOT NULL,"
    " cut_size INTEGER NOT NULL, client_msg_id INTEGER,"
    " kind INTEGER NOT NULL DEFAULT 0, target INTEGER,"
    " recalled INTEGER NOT NULL DEFAULT 0,"
    " deleted INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY(conversation, msg_id)) WITHOUT ROWID;"
    "CREATE INDEX message_order ON message(msg_id);"
    "CREATE TABLE unknown_entry(version INTEGER PRIMARY KEY,"
    " kind INTEGER NOT NULL, msg_id INTEGER NOT NULL,"
    " conversation TEXT NOT NULL, sender TEXT NOT NULL,"
    " content_type TEXT NOT NULL, body BLOB NOT NULL,"
    " cut_size INTEGER NOT NULL);"
    "CREATE TABLE outbox(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " client_msg_id INTEGER NOT NULL UNIQUE, conversation TEXT NOT NULL,"
    " content_type TEXT NOT NULL, body BLOB NOT NULL,"
    " queued_ms INTEGER NOT NULL, first_sent_ms INTEGER NOT NULL,"
    " kind INTEGER NOT NULL DEFAULT 0);" HISTORY_SCHEMA STATE_SCHEMA;

/* Format 1 knew where a RESET had been, but not in which conversations
 * messages were missing: in each of them, then, and there may be others. */
static const char from_1_to_2[] =
    "BEGIN IMMEDIATE;"
    "ALTER TABLE hole RENAME TO old_hole;" HISTORY_SCHEMA
    "INSERT OR IGNORE INTO hole(conversation, above, below, unix_ms)"
    " SELECT m.conversation,"
    " coalesce(max(CASE WHEN m.msg_id <= h.after_msg_id"
    " THEN m.msg_id END), 0),"
    " coalesce(min(CASE WHEN m.msg_id > h.after_msg_id"
    " THEN m.msg_id END), " OPEN_END "), h.unix_ms"
    " FROM old_hole h, message m GROUP BY h.id, m.conversation;"
    "INSERT INTO survey SELECT 1, 0, '', last"
    " FROM (SELECT max(unix_ms) AS last FROM old_hole) WHERE last IS NOT NULL;"
    "INSERT INTO last_reset SELECT id, unix_ms FROM survey;"
    "DROP TABLE old_hole;"
    "PRAGMA user_version = 2;"
    "COMMIT";

/* Format 2 knew messages only; see take_unknown(). Marks and roles that a
 * RESET passed over have to be asked for. */
static const char from_2_to_3[] =
    "BEGIN IMMEDIATE;"
    "ALTER TABLE message ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN target INTEGER;"
    "ALTER TABLE message ADD COLUMN recalled INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE outbox ADD COLUMN kind INTEGER NOT NULL"
    " DEFAULT 0;" STATE_SCHEMA
    "INSERT OR IGNORE INTO survey SELECT 1, 0, '', unix_ms FROM last_reset;"
    "PRAGMA user_version = 3;"
    "COMMIT";

/* ---------------------------------------------------------------- opening */

static enum roam_posix_status load_device(struct roam_local *l, bool *there)
{
    sqlite3_stmt *s = roam__local_statement(l, SQL_DEVICE_GET);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    int rc = sqlite3_step(s);
    *there = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        struct roam_local_device *d = &l->device;
        struct roam_bytes id = roam__local_bytes(s, 2);
        snprintf(d->user, sizeof d->user, "%s",
                 (const char *)sqlite3_column_text(s, 0));
        d->device_type = (enum roam_device_type)sqlite3_column_int(s, 1);
        memcpy(d->device_id, id.data,
               id.len < ROAM_LOCAL_DEVICE_ID_BYTES
                   ? id.len
                   : ROAM_LOCAL_DEVICE_ID_BYTES);
        d->attempt = roam__local_u64(s, 3);
        d->cursor = roam__local_u64(s, 4);
        d->dedup_ms = roam__local_u64(s, 5);
        l->committed = l->device;
    }
    enum roam_posix_status status = rc == SQLITE_ROW || rc == SQLITE_DONE
                                        ? ROAM_POSIX_STATUS_OK
                                        : roam__local_failed(l);
    sqlite3_reset(s);
    return status;
}

static enum roam_posix_status execute(struct roam_local *l, const char *sql)
{
    return sqlite3_exec(l->db, sql, NULL, NULL, NULL) == SQLITE_OK
               ? ROAM_POSIX_STATUS_OK
               : roam__local_failed(l);
}

static enum roam_posix_status format_version(struct roam_local *l, int *version)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v2(l->db, "PRAGMA user_version", -1, &s, NULL) !=
        SQLITE_OK) {
        return roam__local_failed(l);
    }
    enum roam_posix_status status = sqlite3_step(s) == SQLITE_ROW
                                        ? ROAM_POSIX_STATUS_OK
                                        : roam__local_failed(l);
    *version = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return status;
}

static enum roam_posix_status create(struct roam_local *l, const char *user,
                                     enum roam_device_type device_type)
{
    snprintf(l->device.user, sizeof l->device.user, "%s", user);
    l->device.device_type = device_type;
    if (getentropy(l->device.device_id, ROAM_LOCAL_DEVICE_ID_BYTES) != 0) {
        snprintf(l->error, sizeof l->error, "%s", strerror(errno));
        return ROAM_POSIX_STATUS_RANDOM;
    }
    enum roam_posix_status status = roam__local_gather(l);
    if (status == ROAM_POSIX_STATUS_OK) {
        status = execute(l, schema);
    }
    if (status == ROAM_POSIX_STATUS_OK) {
        char pragma[48];
        snprintf(pragma, sizeof pragma, "PRAGMA user_version = %d",
                 FORMAT_VERSION);
        status = execute(l, pragma);
    }
    return roam__local_settle(l, status);
}

static enum roam_posix_status upgrade(struct roam_local *l, int *version)
{
    enum roam_posix_status status = ROAM_POSIX_STATUS_OK;
    if (*version == 1) {
        status = execute(l, from_1_to_2);
        *version = 2;
    }
    if (status == ROAM_POSIX_STATUS_OK && *version == 2) {
        status = execute(l, from_2_to_3);
        *version = FORMAT_VERSION;
    }
    return status;
}

static struct roam_entry_event unknown_entry(sqlite3_stmt *s)
{
    struct roam_entry_event e;
    memset(&e, 0, sizeof e);
    e.kind = (uint32_t)sqlite3_column_int(s, 1);
    e.msg_id = roam__local_u64(s, 2);
    e.conversation = roam__local_bytes(s, 3);
    e.sender = roam__local_bytes(s, 4);
    e.content_type = roam__local_bytes(s, 5);
    e.body = roam__local_bytes(s, 6);
    e.cut_size = (uint32_t)sqlite3_column_int64(s, 7);
    return e;
}

/* What an earlier program kept raw, and this one knows, takes effect now, in
 * one transaction. As rows of a page: they end no hole, for it may have been
 * opened after they came. */
static enum roam_posix_status take_unknown(struct roam_local *l)
{
    enum roam_posix_status status = roam__local_gather(l);
    sqlite3_stmt *s = roam__local_statement(l, SQL_UNKNOWN_GET);
    int rc = SQLITE_ERROR;
    if (status != ROAM_POSIX_STATUS_OK || !s) {
        return roam__local_settle(l, ROAM_POSIX_STATUS_STORE);
    }
    while (status == ROAM_POSIX_STATUS_OK &&
           (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct roam_entry_event e = unknown_entry(s);
        status = roam__local_apply(l, &e, WAY_PAGE);
    }
    if (status == ROAM_POSIX_STATUS_OK && rc != SQLITE_DONE) {
        status = roam__local_failed(l);
    }
    sqlite3_reset(s);
    if (status == ROAM_POSIX_STATUS_OK) {
        status = roam__local_run(l, SQL_UNKNOWN_DROP);
    }
    return roam__local_settle(l, status);
}

/* Reads what is there, or makes it; then checks whose it is. */
static enum roam_posix_status adopt(struct roam_local *l, const char *user,
                                    enum roam_device_type device_type,
                                    enum roam_local_mode mode)
{
    int version = 0;
    bool there = false;
    enum roam_posix_status status = format_version(l, &version);
    if (status == ROAM_POSIX_STATUS_OK && version == 0 &&
        mode == ROAM_LOCAL_OWN) {
        return create(l, user, device_type);
    }
    bool old = version < FORMAT_VERSION && mode == ROAM_LOCAL_OWN;
    if (status == ROAM_POSIX_STATUS_OK && old) {
        status = upgrade(l, &version);
    }
    if (status == ROAM_POSIX_STATUS_OK && version != FORMAT_VERSION) {
        snprintf(l->error, sizeof l->error, "format %d, this program reads %d",
                 version, FORMAT_VERSION);
        return version > FORMAT_VERSION ? ROAM_POSIX_STATUS_STORE_VERSION
                                        : ROAM_POSIX_STATUS_STORE;
    }
    if (status == ROAM_POSIX_STATUS_OK) {
        status = load_device(l, &there);
    }
    if (status == ROAM_POSIX_STATUS_OK &&
        !roam_local_is_of(l, user, device_type, l->error)) {
        return ROAM_POSIX_STATUS_STORE_OTHER;
    }
    return status == ROAM_POSIX_STATUS_OK && mode == ROAM_LOCAL_OWN
               ? take_unknown(l)
               : status;
}

static enum roam_posix_status take_lock(struct roam_local *l, const char *path)
{
    char lock_path[4096];
    int n = snprintf(lock_path, sizeof lock_path, "%s.lock", path);
    if (n < 0 || (size_t)n >= sizeof lock_path) {
        snprintf(l->error, sizeof l->error, "path too long");
        return ROAM_POSIX_STATUS_BAD_ARGUMENT;
    }
    l->lock_fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (l->lock_fd < 0) {
        snprintf(l->error, sizeof l->error, "%.180s: %s", lock_path,
                 strerror(errno));
        return ROAM_POSIX_STATUS_STORE;
    }
    if (flock(l->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        snprintf(l->error, sizeof l->error, "%.180s: %s", lock_path,
                 strerror(errno));
        return errno == EWOULDBLOCK ? ROAM_POSIX_STATUS_STORE_IN_USE
                                    : ROAM_POSIX_STATUS_STORE;
    }
    return ROAM_POSIX_STATUS_OK;
}

/* SQLite would make the file readable by all whom the umask lets in. */
static enum roam_posix_status make_private(struct roam_local *l,
                                           const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(l->error, sizeof l->error, "%.180s: %s", path,
                 strerror(errno));
        return ROAM_POSIX_STATUS_STORE;
    }
    close(fd);
    return ROAM_POSIX_STATUS_OK;
}

static enum roam_posix_status open_database(struct roam_local *l,
                                            const char *path,
                                            enum roam_local_mode mode)
{
    enum roam_posix_status status = ROAM_POSIX_STATUS_OK;
    if (!path) {
        path = ":memory:";
    } else if (mode == ROAM_LOCAL_OWN) {
        status = take_lock(l, path);
        if (status == ROAM_POSIX_STATUS_OK) {
            status = make_private(l, path);
        }
    }
    if (status != ROAM_POSIX_STATUS_OK) {
        return status;
    }
    if (sqlite3_open_v2(path, &l->db, SQLITE_OPEN_READWRITE, NULL) !=
        SQLITE_OK) {
        snprintf(l->error, sizeof l->error, "%.180s: %s", path,
                 l->db ? sqlite3_errmsg(l->db) : "out of memory");
        return ROAM_POSIX_STATUS_STORE;
    }
    sqlite3_busy_timeout(l->db, BUSY_TIMEOUT_MS);
    /* What was taken back leaves no trace in the file. */
    return mode == ROAM_LOCAL_OWN ? execute(l, "PRAGMA journal_mode = WAL;"
                                               "PRAGMA synchronous = FULL;"
                                               "PRAGMA secure_delete = 1")
                                  : execute(l, "PRAGMA query_only = 1");
}

enum roam_posix_status roam_local_open(const char *path, const char *user,
                                       enum roam_device_type device_type,
                                       enum roam_local_mode mode,
                                       struct roam_local **store, char *detail)
{
    *store = NULL;
    size_t user_len = user ? strlen(user) : 0;
    if ((!path && mode != ROAM_LOCAL_OWN) || user_len < 1 ||
        user_len > USER_MAX || device_type < ROAM_PHONE ||
        device_type > ROAM_EMBEDDED) {
        snprintf(detail, ROAM_POSIX_DETAIL_MAX, "path, user or device type");
        return ROAM_POSIX_STATUS_BAD_ARGUMENT;
    }
    struct roam_local *l = calloc(1, sizeof *l);
    if (!l) {
        snprintf(detail, ROAM_POSIX_DETAIL_MAX, "local store");
        return ROAM_POSIX_STATUS_MEMORY;
    }
    l->lock_fd = -1;
    enum roam_posix_status status = open_database(l, path, mode);
    if (status == ROAM_POSIX_STATUS_OK) {
        status = adopt(l, user, device_type, mode);
    }
    if (status != ROAM_POSIX_STATUS_OK) {
        snprintf(detail, ROAM_POSIX_DETAIL_MAX, "%s", l->error);
        roam_local_close(l);
        return status;
    }
    *store = l;
    return ROAM_POSIX_STATUS_OK;
}

void roam_local_close(struct roam_local *l)
{
    if (!l) {
        return;
    }
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(l->statement[i]);
    }
    sqlite3_close(l->db); /* rolls back */
    if (l->lock_fd >= 0) {
        close(l->lock_fd);
    }
    free(l);
}

const char *roam_local_error(const struct roam_local *l)
{
    return l->error;
}

const char *roam_device_type_name(enum roam_device_type type)
{
    static const char *const names[] = {NULL,  "phone", "tablet",  "desktop",
                                        "web", "watch", "embedded"};
    return type >= ROAM_PHONE && type <= ROAM_EMBEDDED ? names[type] : NULL;
}

bool roam_local_is_of(const struct roam_local *l, const char *user,
                      enum roam_device_type device_type, char *detail)
{
    const struct roam_local_device *d = &l->device;
    const char *type = roam_device_type_name(d->device_type);
    bool yes = d->device_type == device_type && strcmp(d->user, user) == 0;
    if (!yes && type) {
        snprintf(detail, ROAM_POSIX_DETAIL_MAX, "it belongs to %s's %s",
                 d->user, type);
    } else if (!yes) {
        snprintf(detail, ROAM_POSIX_DETAIL_MAX, "it belongs to nobody");
    }
    return yes;
}

void roam_local_device(const struct roam_local *l,
                       struct roam_local_device *device)
{
    *device = l->device;
}
