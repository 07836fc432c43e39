/* SPDX-License-Identifier: Apache-2.0 */
/* How much is stored, from one state of the store. */
#include "store_file.h"

#include <stdio.h>
#include <sys/stat.h>

#include "db.h"

#define LOG_PATH_MAX 4096

static const struct {
    const char *name;
    const char *meaning;
    const char *sql; /* ?1 is the time */
} counts[] = {
    {"users", "users", "SELECT count(*) FROM user"},
    {"tokens", "tokens that a login is possible with",
     "SELECT count(*) FROM token WHERE revoked = 0"
     " AND (expires_ms = 0 OR expires_ms > ?1)"},
    {"tokens_ended", "tokens that were revoked or have expired",
     "SELECT count(*) FROM token WHERE revoked <> 0"
     " OR (expires_ms <> 0 AND expires_ms <= ?1)"},
    {"devices", "devices that ever held a slot", "SELECT count(*) FROM device"},
    {"slots_held", "slots that a device holds",
     "SELECT count(*) FROM slot WHERE device <> 0"},
    {"groups", "groups that were not dissolved",
     "SELECT count(*) FROM grp WHERE members > 0"},
    {"messages", "messages", "SELECT count(*) FROM message"},
    {"body_bytes", "bytes of their bodies",
     "SELECT coalesce(sum(length(body)), 0) FROM message"},
    {"entries", "entries of all timelines", "SELECT count(*) FROM timeline"},
    {"conversations", "conversations, one for each party",
     "SELECT count(*) FROM conversation"},
};

static bool count_rows(sqlite3 *db, const char *sql, uint64_t now_ms,
                       uint64_t *out)
{
    sqlite3_stmt *stmt = NULL;
    bool ok = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK;

    if (ok && sqlite3_bind_parameter_count(stmt) == 1) {
        roam_db_bind_u64(stmt, 1, now_ms);
    }
    ok = ok && sqlite3_step(stmt) == SQLITE_ROW;
    if (ok) {
        *out = roam_db_u64(stmt, 0);
    }
    sqlite3_finalize(stmt);
    return ok;
}

static uint64_t size_of(const char *path, const char *suffix)
{
    char full[LOG_PATH_MAX];
    struct stat st;
    int len = snprintf(full, sizeof(full), "%s%s", path, suffix);

    if (len < 0 || (size_t)len >= sizeof(full) || stat(full, &st) != 0) {
        return 0;
    }
    return (uint64_t)st.st_size;
}

static bool count_all(sqlite3 *db, uint64_t now_ms, roam_count_fn fn, void *ctx)
{
    uint64_t n;

    if (roam_db_exec(db, "BEGIN") != SQLITE_OK) {
        return false;
    }
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        if (!count_rows(db, counts[i].sql, now_ms, &n)) {
            return false;
        }
        fn(ctx, counts[i].name, counts[i].meaning, n);
    }
    return true;
}

bool roam_store_count(const char *path, uint64_t now_ms, roam_count_fn fn,
                      void *ctx, char *error, size_t cap)
{
    sqlite3 *db = roam_db_open_read(path, error, cap);

    if (db == NULL) {
        return false;
    }
    bool ok = count_all(db, now_ms, fn, ctx);
    if (ok) {
        fn(ctx, "file_bytes", "bytes of the file", size_of(path, ""));
        fn(ctx, "log_bytes", "bytes of its log, not yet in the file",
           size_of(path, "-wal"));
    } else {
        snprintf(error, cap, "%s: %s", path, sqlite3_errmsg(db));
    }
    roam_db_close(db);
    return ok;
}
