/* SPDX-License-Identifier: Apache-2.0 */
/* See groups.h. A row of `grp` has the number above 0; it is turned round
 * here and nowhere else. An open span ends at ROAM_VERSION_MAX. */
#include "groups.h"

#include <stdlib.h>
#include <string.h>

#include "../core/alloc.h"
#include "../core/fault.h"
#include "db.h"
#include "roam.pb.h"

#define FIRST_USERS ((size_t)64)

static const char *const sql[ROAM_GROUPS_STATEMENTS] = {
    [ROAM_GROUPS_FIND] = "SELECT id FROM grp WHERE gid = ?1",
    [ROAM_GROUPS_LOAD] = "SELECT name, join_mode, muted, members, applicants"
                         " FROM grp WHERE id = ?1",
    [ROAM_GROUPS_ADD] =
        "INSERT INTO grp(gid, name, join_mode, muted, members, applicants)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [ROAM_GROUPS_SAVE] = "UPDATE grp SET name = ?2, join_mode = ?3, muted = ?4,"
                         " members = ?5, applicants = ?6 WHERE id = ?1",
    [ROAM_GROUPS_PART] =
        "SELECT role, muted, since FROM member WHERE grp = ?1 AND user = ?2",
    [ROAM_GROUPS_PART_SET] =
        "INSERT OR REPLACE INTO member(grp, user, role, muted, since)"
        " VALUES(?1, ?2, ?3, ?4, ?5)",
    [ROAM_GROUPS_PART_DROP] = "DELETE FROM member WHERE grp = ?1 AND user = ?2",
    [ROAM_GROUPS_PARTS] =
        "SELECT user FROM member WHERE grp = ?1 AND role >= ?2",
    [ROAM_GROUPS_PARTS_DROP] = "DELETE FROM member WHERE grp = ?1",
    [ROAM_GROUPS_SPAN_OPEN] = "INSERT INTO span(user, grp, since, until)"
                              " VALUES(?1, ?2, ?3, ?4)",
    [ROAM_GROUPS_SPAN_CLOSE] = "UPDATE span SET until = ?4"
                               " WHERE user = ?1 AND grp = ?2 AND until = ?3",
    [ROAM_GROUPS_SPAN_CLOSE_ALL] =
        "UPDATE span SET until = ?3 WHERE grp = ?1 AND until = ?2 AND user IN"
        " (SELECT user FROM member WHERE grp = ?1)",
    [ROAM_GROUPS_SPAN] = "SELECT 1 FROM span WHERE user = ?1 AND grp = ?2"
                         " AND (?3 = 0 OR since <= ?3 AND until >= ?3) LIMIT 1",
    [ROAM_GROUPS_SPAN_END] = "SELECT until FROM span WHERE user = ?1"
                             " AND grp = ?2 ORDER BY since DESC LIMIT 1",
    [ROAM_GROUPS_SPAN_COUNT] =
        "SELECT count(*) FROM (SELECT 1 FROM span WHERE user = ?1 LIMIT ?2)",
    /* A few steps into message_pair for each that ended. */
    [ROAM_GROUPS_SPAN_FORGET] =
        "DELETE FROM span WHERE user = ?1 AND until <> ?2 AND NOT EXISTS"
        " (SELECT 1 FROM message m WHERE min(m.sender, m.receiver) = -span.grp"
        " AND max(m.sender, m.receiver) * (m.receiver > 0) = 0"
        " AND m.part IN (0, 1, 2)"
        " AND m.msg_id BETWEEN span.since AND span.until) AND NOT EXISTS"
        " (SELECT 1 FROM private p WHERE p.user = span.user"
        " AND p.peer = -span.grp)"};

bool roam_groups_open(struct roam_groups *g, sqlite3 *db, roam_random_fn random,
                      void *random_ctx, char *error, size_t cap)
{
    g->db = db;
    g->random = random;
    g->random_ctx = random_ctx;
    return roam_db_prepare(db, sql, ROAM_GROUPS_STATEMENTS, g->stmt, error,
                           cap);
}

/* ------------------------------------------------------------------ groups */

bool roam_groups_find(struct roam_groups *g, struct roam_slice id,
                      int64_t *number)
{
    sqlite3_stmt *stmt = g->stmt[ROAM_GROUPS_FIND];

    roam_db_bind_text(stmt, 1, id);
    int rc = sqlite3_step(stmt);
    *number = rc == SQLITE_ROW ? -sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

static void read_row(sqlite3_stmt *stmt, struct roam_group_row *out)
{
    struct roam_slice name = roam_db_column(stmt, 0);

    out->name_len = name.len < ROAM_NAME_MAX ? name.len : ROAM_NAME_MAX;
    if (out->name_len > 0) {
        memcpy(out->name, name.data, out->name_len);
    }
    out->state.join = (uint32_t)sqlite3_column_int64(stmt, 1);
    out->state.muted = sqlite3_column_int64(stmt, 2) != 0;
    out->state.members = (uint32_t)sqlite3_column_int64(stmt, 3);
    out->state.applicants = (uint32_t)sqlite3_column_int64(stmt, 4);
}

bool roam_groups_load(struct roam_groups *g, int64_t number,
                      struct roam_group_row *out)
{
    sqlite3_stmt *stmt = g->stmt[ROAM_GROUPS_LOAD];

    memset(out, 0, sizeof(*out));
    sqlite3_bind_int64(stmt, 1, -number);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        read_row(stmt, out);
        out->number = number;
    }
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* Name and state into the parameters 2 to 6. */
static void bind_row(sqlite3_stmt *stmt, const struct roam_group_row *row)
{
    roam_db_bind_text(
        stmt, 2,
        (struct roam_slice){(const uint8_t *)row->name, row->name_len});
    sqlite3_bind_int64(stmt, 3, row->state.join);
    sqlite3_bind_int64(stmt, 4, row->state.muted ? 1 : 0);
    sqlite3_bind_int64(stmt, 5, row->state.members);
    sqlite3_bind_int64(stmt, 6, row->state.applicants);
}

bool roam_groups_add(struct roam_groups *g, struct roam_group_row *row,
                     char id[ROAM_GROUP_ID_BYTES])
{
    sqlite3_stmt *stmt = g->stmt[ROAM_GROUPS_ADD];
    uint8_t random[ROAM_GROUP_ID_RANDOM_BYTES];

    if (g->random != NULL) {
        g->random(g->random_ctx, random, sizeof(random));
    } else {
        sqlite3_randomness(sizeof(random), random);
    }
    roam_group_id_write(random, id);
    roam_db_bind_text(stmt, 1,
                      (struct roam_slice){(uint8_t *)id, ROAM_GROUP_ID_BYTES});
    bind_row(stmt, row);
    bool ok = roam_db_run(stmt) == SQLITE_OK;
    row->number = -sqlite3_last_insert_rowid(g->db);
    return ok;
}

bool roam_groups_save(struct roam_groups *g, const struct roam_group_row *row)
{
    sqlite3_stmt *stmt = g->stmt[ROAM_GROUPS_SAVE];

    sqlite3_bind_int64(stmt, 1, -row->number);
    bind_row(stmt, row);
    return roam_db_run(stmt) == SQLITE_OK;
}

/* ------------------------------------------------------------------- parts */

bool roam_groups_part(struct roam_groups *g, int64_t number, int64_t user,
                      struct roam_group_part *part, uint64_t *since)
{
    sqlite3_stmt *stmt = g->stmt[ROAM_GROUPS_PART];

    memset(part, 0, sizeof(*part));
    *since = 0;
    sqlite3_bind_int64(stmt, 1, -number);
    sqlite3_bind_int64(stmt, 2, user);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        part->role = (uint32_t)sqlite3_column_int64(stmt, 0);
        part->muted = sqlite3_column_int64(stmt, 1) != 0;
        *since = roam_db_u64(stmt, 2);
    }
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

static bool set_part(struct roam_groups *g, int64_t number, int64_t user,
                     const struct roam_group_part *part, uint64_t since)
{
    bool gone = part->role == roam_v1_Role_ROLE_NONE;
    sqlite3_stmt *stmt =
        g->stmt[gone ? ROAM_GROUPS_PART_DROP : ROAM_GROUPS_PART_SET];

    sqlite3_bind_int64(stmt, 1, -number);
    sqlite3_bind_int64(stmt, 2, user);
    if (!gone) {
        sqlite3_bind_int64(stmt, 3, part->role);
        sqlite3_bind_int64(stmt, 4, part->muted ? 1 : 0);
        roam_db_bind_u64(stmt, 5, since);
    }
    return roam_db_run(stmt) == SQLITE_OK;
}

/* Opens a span at msg_id, or closes the open one there. */
static bool set_span(struct roam_groups *g, int64_t number, int64_t user,
                     bool open, uint64_t msg_id)
{
    sqlite3_stmt *stmt =
        g->stmt[open ? ROAM_GROUPS_SPAN_OPEN : ROAM_GROUPS_SPAN_CLOSE];

    sqlite3_bind_int64(stmt, 1, user);
    sqlite3_bind_int64(stmt, 2, -number);
    roam_db_bind_u64(stmt, open ? 3 : 4, msg_id);
    roam_db_bind_u64(stmt, open ? 4 : 3, ROAM_VERSION_MAX);
    return roam_db_run(stmt) == SQLITE_OK;
}

bool roam_groups_move(struct roam_groups *g, int64_t number, int64_t user,
                      const struct roam_group_part *before,
                      const struct roam_group_part *after, uint64_t since,
                      uint64_t msg_id)
{
    bool was = roam_role_is_member(before->role);
    bool is = roam_role_is_member(after->role);
    bool fresh = before->role == roam_v1_Role_ROLE_NONE || was != is;

    if (before->role == after->role && before->muted == after->muted) {
        return true;
    }
    return set_part(g, number, user, after, fresh ? msg_id : since) &&
           (was == is || (!is && ROAM_FAULT("group-span-stays-open")) ||
            set_span(g, number, user, is, msg_id));
}

bool roam_groups_dissolve(struct roam_groups *g, int64_t number,
                          uint64_t msg_id)
{
    sqlite3_stmt *spans = g->stmt[ROAM_GROUPS_SPAN_CLOSE_ALL];
    sqlite3_stmt *parts = g->stmt[ROAM_GROUPS_PARTS_DROP];

    sqlite3_bind_int64(spans, 1, -number);
    roam_db_bind_u64(spans, 2, ROAM_VERSION_MAX);
    roam_db_bind_u64(spans, 3, msg_id);
    sqlite3_bind_int64(parts, 1, -number);
    return roam_db_run(spans) == SQLITE_OK && roam_db_run(parts) == SQLITE_OK;
}

/* -------------------------------------------------------------------- many */

static bool add_user(int64_t **users, size_t *count, size_t *room, int64_t user)
{
    if (*count == *room) {
        size_t more = *room == 0 ? FIRST_USERS : *room * 2;
        int64_t *bigger = roam__resize(*users, more * sizeof(*bigger));
        if (bigger == NULL) {
            return false;
        }
        *users = bigger;
        *room = more;
    }
    (*users)[(*count)++] = user;
    return true;
}

bool roam_groups_users(struct roam_groups *g, int64_t number, uint32_t least,
                       int64_t **users, size_t *count)
{
    sqlite3_stmt *stmt = g->stmt[ROAM_GROUPS_PARTS];
    size_t room = 0;
    int rc;

    *users = NULL;
    *count = 0;
    sqlite3_bind_int64(stmt, 1, -number);
    sqlite3_bind_int64(stmt, 2, least);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (!add_user(users, count, &room, sqlite3_column_int64(stmt, 0))) {
            break;
        }
    }
    sqlite3_reset(stmt);
    if (rc != SQLITE_DONE) {
        free(*users);
        *users = NULL;
        *count = 0;
    }
    return rc == SQLITE_DONE;
}

bool roam_groups_in_span(struct roam_groups *g, int64_t number, int64_t user,
                         uint64_t msg_id, bool *inside)
{
    sqlite3_stmt *stmt = g->stmt[ROAM_GROUPS_SPAN];

    sqlite3_bind_int64(stmt, 1, user);
    sqlite3_bind_int64(stmt, 2, -number);
    roam_db_bind_u64(stmt, 3, msg_id);
    int rc = sqlite3_step(stmt);
    *inside = rc == SQLITE_ROW;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

bool roam_groups_seen_until(struct roam_groups *g, int64_t number, int64_t user,
                            uint64_t *until)
{
    sqlite3_stmt *stmt = g->stmt[ROAM_GROUPS_SPAN_END];

    sqlite3_bind_int64(stmt, 1, user);
    sqlite3_bind_int64(stmt, 2, -number);
    int rc = sqlite3_step(stmt);
    *until = rc == SQLITE_ROW ? roam_db_u64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

static bool has_spans(struct roam_groups *g, int64_t user, uint32_t count,
                      bool *yes)
{
    sqlite3_stmt *stmt = g->stmt[ROAM_GROUPS_SPAN_COUNT];

    sqlite3_bind_int64(stmt, 1, user);
    sqlite3_bind_int64(stmt, 2, count);
    int rc = sqlite3_step(stmt);
    *yes = rc == SQLITE_ROW && sqlite3_column_int64(stmt, 0) >= count;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW;
}

bool roam_groups_is_crowded(struct roam_groups *g, int64_t user, uint32_t most,
                            bool *yes)
{
    sqlite3_stmt *stmt = g->stmt[ROAM_GROUPS_SPAN_FORGET];

    *yes = false;
    if (most == 0 || !has_spans(g, user, most, yes) || !*yes) {
        return most == 0 || !*yes;
    }
    sqlite3_bind_int64(stmt, 1, user);
    roam_db_bind_u64(stmt, 2, ROAM_VERSION_MAX);
    return roam_db_run(stmt) == SQLITE_OK && has_spans(g, user, most, yes);
}
