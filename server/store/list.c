/* SPDX-License-Identifier: Apache-2.0 */
/* Who and what was provisioned, for an operator to read. */
#include "store_file.h"

#include <stdio.h>
#include <string.h>

#include "db.h"

static bool complain(sqlite3 *db, const char *path, char *error, size_t cap)
{
    snprintf(error, cap, "%s: %s", path, sqlite3_errmsg(db));
    return false;
}

static const char *text_column(sqlite3_stmt *stmt, int column)
{
    const unsigned char *text = sqlite3_column_text(stmt, column);

    return text == NULL ? "" : (const char *)text;
}

static bool tell_users(sqlite3 *db, roam_user_fn fn, void *ctx)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT name FROM user ORDER BY name", -1,
                                &stmt, NULL);

    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        fn(ctx, text_column(stmt, 0));
        rc = SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE;
}

bool roam_store_list_users(const char *path, roam_user_fn fn, void *ctx,
                           char *error, size_t cap)
{
    sqlite3 *db = roam_db_open_read(path, error, cap);

    if (db == NULL) {
        return false;
    }
    bool ok = tell_users(db, fn, ctx) || complain(db, path, error, cap);
    roam_db_close(db);
    return ok;
}

/* One row with no id stands for a user without tokens. */
static const char tokens[] =
    "SELECT lower(substr(hex(t.hash), 1, 16)), u.name, t.device_type,"
    " t.expires_ms, t.revoked, lower(hex(t.device_id)), t.created_ms"
    " FROM user u LEFT JOIN token t ON t.user = u.id"
    " WHERE ?1 IS NULL OR u.name = ?1 ORDER BY u.name, t.hash";

/* Likewise, no device for a user who is logged in nowhere. */
static const char sessions[] =
    "SELECT s.type, lower(hex(d.device_id)), s.generation, s.since_ms,"
    " s.seen_ms, d.name, d.software FROM user u"
    " LEFT JOIN (slot s JOIN device d ON d.id = s.device) ON s.user = u.id"
    " WHERE u.name = ?1 ORDER BY s.type";

/* What is called for the rows of a query. */
struct listing {
    roam_token_fn token;
    roam_held_slot_fn session; /* or this */
    void *ctx;
};

static void tell_token(sqlite3_stmt *stmt, const struct listing *to)
{
    struct roam_token_row row = {.id = text_column(stmt, 0),
                                 .user = text_column(stmt, 1),
                                 .device_type =
                                     (uint32_t)sqlite3_column_int64(stmt, 2),
                                 .created_ms = roam_db_u64(stmt, 6),
                                 .expires_ms = roam_db_u64(stmt, 3),
                                 .revoked = sqlite3_column_int(stmt, 4) != 0,
                                 .device = text_column(stmt, 5)};

    if (row.id[0] != '\0') {
        to->token(to->ctx, &row);
    }
}

static void tell_session(sqlite3_stmt *stmt, const struct listing *to)
{
    struct roam_held_slot row = {.device_type =
                                     (uint32_t)sqlite3_column_int64(stmt, 0),
                                 .device = text_column(stmt, 1),
                                 .generation = roam_db_u64(stmt, 2),
                                 .since_ms = roam_db_u64(stmt, 3),
                                 .seen_ms = roam_db_u64(stmt, 4),
                                 .name = text_column(stmt, 5),
                                 .software = text_column(stmt, 6)};

    if (row.device[0] != '\0') {
        to->session(to->ctx, &row);
    }
}

static bool tell_rows(sqlite3_stmt *stmt, const struct listing *to,
                      size_t *count)
{
    int rc;

    *count = 0;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        ++*count;
        if (to->token != NULL) {
            tell_token(stmt, to);
        } else {
            tell_session(stmt, to);
        }
    }
    return rc == SQLITE_DONE;
}

/* user NULL: of all. */
static bool list(const char *path, const char *sql, const char *user,
                 const struct listing *to, char *error, size_t cap)
{
    sqlite3 *db = roam_db_open_read(path, error, cap);
    sqlite3_stmt *stmt = NULL;
    size_t count = 0;

    if (db == NULL) {
        return false;
    }
    bool ok = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK;
    if (ok && user != NULL) {
        roam_db_bind_text(
            stmt, 1, (struct roam_slice){(const uint8_t *)user, strlen(user)});
    }
    ok = (ok && tell_rows(stmt, to, &count)) || complain(db, path, error, cap);
    if (ok && user != NULL && count == 0) {
        snprintf(error, cap, "there is no user of that name");
        ok = false;
    }
    sqlite3_finalize(stmt);
    roam_db_close(db);
    return ok;
}

bool roam_store_list_tokens(const char *path, const char *user,
                            roam_token_fn fn, void *ctx, char *error,
                            size_t cap)
{
    return list(path, tokens, user, &(struct listing){.token = fn, .ctx = ctx},
                error, cap);
}

bool roam_store_list_sessions(const char *path, const char *user,
                              roam_held_slot_fn fn, void *ctx, char *error,
                              size_t cap)
{
    return list(path, sessions, user,
                &(struct listing){.session = fn, .ctx = ctx}, error, cap);
}
