/* SPDX-License-Identifier: Apache-2.0 */
/* Statements and transactions of the local store. */
#include "local_sqlite.h"

#include <stdio.h>
#include <string.h>

static const char *const statement_sql[] = {
#define STATEMENT_SQL(name, sql) sql,
    STATEMENT_LIST(STATEMENT_SQL)
#undef STATEMENT_SQL
};

/* ------------------------------------------------------------- statements */

enum roam_posix_status roam__local_failed(struct roam_local *l)
{
    snprintf(l->error, sizeof l->error, "%s", sqlite3_errmsg(l->db));
    return ROAM_POSIX_STATUS_STORE;
}

sqlite3_stmt *roam__local_statement(struct roam_local *l,
                                    enum roam__local_sql which)
{
    sqlite3_stmt **s = &l->statement[which];
    if (!*s &&
        sqlite3_prepare_v3(l->db, statement_sql[which], -1,
                           SQLITE_PREPARE_PERSISTENT, s, NULL) != SQLITE_OK) {
        roam__local_failed(l);
        return NULL;
    }
    sqlite3_reset(*s);
    sqlite3_clear_bindings(*s);
    return *s;
}

enum roam_posix_status roam__local_finish(struct roam_local *l, sqlite3_stmt *s)
{
    int rc = sqlite3_step(s);
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) {
        enum roam_posix_status status = roam__local_failed(l);
        sqlite3_reset(s);
        return status;
    }
    sqlite3_reset(s);
    return ROAM_POSIX_STATUS_OK;
}

enum roam_posix_status roam__local_run(struct roam_local *l,
                                       enum roam__local_sql which)
{
    sqlite3_stmt *s = roam__local_statement(l, which);
    return s ? roam__local_finish(l, s) : ROAM_POSIX_STATUS_STORE;
}

void roam__local_bind_u64(sqlite3_stmt *s, int at, uint64_t value)
{
    sqlite3_int64 bits;
    memcpy(&bits, &value, sizeof bits);
    sqlite3_bind_int64(s, at, bits);
}

void roam__local_bind_text(sqlite3_stmt *s, int at, struct roam_bytes b)
{
    sqlite3_bind_text(s, at, b.len ? (const char *)b.data : "", (int)b.len,
                      SQLITE_STATIC);
}

void roam__local_bind_blob(sqlite3_stmt *s, int at, struct roam_bytes b)
{
    sqlite3_bind_blob(s, at, b.len ? (const void *)b.data : "", (int)b.len,
                      SQLITE_STATIC);
}

uint64_t roam__local_u64(sqlite3_stmt *s, int at)
{
    sqlite3_int64 bits = sqlite3_column_int64(s, at);
    uint64_t value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

struct roam_bytes roam__local_bytes(sqlite3_stmt *s, int at)
{
    struct roam_bytes b;
    b.data = sqlite3_column_blob(s, at);
    b.len = (size_t)sqlite3_column_bytes(s, at);
    return b;
}

/* ------------------------------------------------------------ transaction */

enum roam_posix_status roam__local_gather(struct roam_local *l)
{
    return sqlite3_get_autocommit(l->db) ? roam__local_run(l, SQL_BEGIN)
                                         : ROAM_POSIX_STATUS_OK;
}

void roam_local_rollback(struct roam_local *l)
{
    if (!sqlite3_get_autocommit(l->db)) {
        char error[sizeof l->error];
        memcpy(error, l->error, sizeof error);
        roam__local_run(l, SQL_ROLLBACK);
        memcpy(l->error, error, sizeof error);
    }
    l->device = l->committed;
    l->watch = WATCH_UNKNOWN;
}

static enum roam_posix_status put_device(struct roam_local *l)
{
    const struct roam_local_device *d = &l->device;
    sqlite3_stmt *s = roam__local_statement(l, SQL_DEVICE_PUT);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    sqlite3_bind_text(s, 1, d->user, -1, SQLITE_STATIC);
    sqlite3_bind_int(s, 2, (int)d->device_type);
    sqlite3_bind_blob(s, 3, d->device_id, ROAM_LOCAL_DEVICE_ID_BYTES,
                      SQLITE_STATIC);
    roam__local_bind_u64(s, 4, d->attempt);
    roam__local_bind_u64(s, 5, d->cursor);
    roam__local_bind_u64(s, 6, d->dedup_ms);
    return roam__local_finish(l, s);
}

enum roam_posix_status roam_local_commit(struct roam_local *l)
{
    if (sqlite3_get_autocommit(l->db)) {
        return ROAM_POSIX_STATUS_OK;
    }
    /* The row is written once for all the entries that were gathered. */
    if (memcmp(&l->device, &l->committed, sizeof l->device) != 0 &&
        put_device(l) != ROAM_POSIX_STATUS_OK) {
        roam_local_rollback(l);
        return ROAM_POSIX_STATUS_STORE;
    }
    if (roam__local_run(l, SQL_COMMIT) != ROAM_POSIX_STATUS_OK) {
        roam_local_rollback(l);
        return ROAM_POSIX_STATUS_STORE;
    }
    l->committed = l->device;
    return ROAM_POSIX_STATUS_OK;
}

enum roam_posix_status roam__local_settle(struct roam_local *l,
                                          enum roam_posix_status status)
{
    if (status != ROAM_POSIX_STATUS_OK) {
        roam_local_rollback(l);
        return status;
    }
    return roam_local_commit(l);
}
