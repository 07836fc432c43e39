/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator may look at: the groups, and who is in them. */
#include "store_sqlite.h"

#include <stdio.h>
#include <string.h>

#include "db.h"

static const char *const list_sql[] = {
    "SELECT gid, name, join_mode, muted, members, applicants FROM grp"
    " WHERE ?1 = '' OR gid = ?1 ORDER BY id"};

static const char *const show_sql[] = {
    "SELECT u.name, u.title, m.role, m.muted, m.since FROM grp g"
    " CROSS JOIN member m ON m.grp = g.id CROSS JOIN user u ON u.id = m.user"
    " WHERE g.gid = ?1 ORDER BY u.name"};

static void copy(char *out, size_t cap, struct roam_slice text)
{
    size_t len = text.len < cap ? text.len : cap - 1;

    if (len > 0) {
        memcpy(out, text.data, len);
    }
    out[len] = '\0';
}

static void tell_group(sqlite3_stmt *row, const struct roam_admin_look *look)
{
    struct roam_admin_group g;

    copy(g.id, sizeof(g.id), roam_db_column(row, 0));
    copy(g.name, sizeof(g.name), roam_db_column(row, 1));
    g.join = (uint32_t)sqlite3_column_int64(row, 2);
    g.muted = sqlite3_column_int64(row, 3) != 0;
    g.members = (uint32_t)sqlite3_column_int64(row, 4);
    g.applicants = (uint32_t)sqlite3_column_int64(row, 5);
    look->group(look->ctx, &g);
}

static void tell_member(sqlite3_stmt *row, const struct roam_admin_look *look)
{
    struct roam_admin_member m;

    copy(m.user, sizeof(m.user), roam_db_column(row, 0));
    copy(m.name, sizeof(m.name), roam_db_column(row, 1));
    m.role = (uint32_t)sqlite3_column_int64(row, 2);
    m.muted = sqlite3_column_int64(row, 3) != 0;
    m.since_ms = roam_db_u64(row, 4) >> ROAM_MSG_ID_TIME_SHIFT;
    look->member(look->ctx, &m);
}

typedef void (*tell_fn)(sqlite3_stmt *row, const struct roam_admin_look *look);

/* *count: how many there were. */
static bool walk(sqlite3 *db, const char *const *sql, const char *id,
                 tell_fn tell, const struct roam_admin_look *look,
                 size_t *count, char *error, size_t cap)
{
    sqlite3_stmt *row = NULL;
    int rc;

    *count = 0;
    if (!roam_db_prepare(db, sql, 1, &row, error, cap)) {
        return false;
    }
    roam_db_bind_text(row, 1,
                      (struct roam_slice){(const uint8_t *)id, strlen(id)});
    while ((rc = sqlite3_step(row)) == SQLITE_ROW) {
        tell(row, look);
        (*count)++;
    }
    if (rc != SQLITE_DONE) {
        snprintf(error, cap, "%s", sqlite3_errmsg(db));
    }
    sqlite3_finalize(row);
    return rc == SQLITE_DONE;
}

bool roam_admin_look_at_groups(const char *path, const char *id,
                               const struct roam_admin_look *look, char *error,
                               size_t cap)
{
    sqlite3 *db = roam_db_open(path, false, error, cap);
    size_t count;

    if (db == NULL) {
        return false;
    }
    bool ok = roam_db_exec(db, "BEGIN") == SQLITE_OK &&
              walk(db, list_sql, id, tell_group, look, &count, error, cap);
    if (ok && id[0] != '\0') {
        ok = count > 0;
        if (!ok) {
            snprintf(error, cap, "there is no such group");
        }
        ok =
            ok && walk(db, show_sql, id, tell_member, look, &count, error, cap);
    }
    roam_db_close(db);
    return ok;
}
