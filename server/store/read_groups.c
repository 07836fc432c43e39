/* SPDX-License-Identifier: Apache-2.0 */
/* A group's history as one user sees it, span by span: what lies between two
 * spans is not walked over, however much it is. The user's own private rows,
 * a DELETE after the user left, are seen wherever they lie. [GRP-15] */
#include "read_groups.h"

#include "../core/fault.h"
#include "db.h"
#include "reader.h"
#include "roam.pb.h"

#define PRIVATE                                                                \
    "SELECT " ROAM_GATHER_COLUMNS(                                             \
        "p.msg_id",                                                            \
        "?5") " FROM private p CROSS JOIN message m ON m.id = p.message"       \
              " WHERE p.user = ?6 AND p.peer = ?7"                             \
              " AND p.msg_id > ?3 AND p.msg_id <= ?4 ORDER BY 1"
#define SPANS                                                                  \
    "SELECT since, until FROM span WHERE user = ?1 AND grp = ?2 ORDER BY since"

static const char *const sql[ROAM_GROUP_READER_STATEMENTS] = {
    [ROAM_GROUP_READER_FIND] = "SELECT id FROM grp WHERE gid = ?1 AND EXISTS"
                               " (SELECT 1 FROM span WHERE user = ?2"
                               " AND grp = grp.id)",
    [ROAM_GROUP_READER_SPANS_FALLING] = SPANS " DESC",
    [ROAM_GROUP_READER_SPANS_RISING] = SPANS,
    [ROAM_GROUP_READER_NEWEST] = PRIVATE " DESC",
    [ROAM_GROUP_READER_OLDEST] = PRIVATE,
    [ROAM_GROUP_READER_ROLE] =
        "SELECT role FROM member WHERE grp = ?1 AND user = ?2",
    /* As for users, but from span to span. */
    [ROAM_GROUP_READER_UNREAD] =
        "SELECT count(*) FROM (SELECT 1 FROM span s CROSS JOIN message m"
        " ON min(m.sender, m.receiver) = -?2"
        " AND max(m.sender, m.receiver) * (m.receiver > 0) = 0"
        " AND m.part = 0"
        " AND m.msg_id > max(s.since, ?3) AND m.msg_id <= s.until"
        " WHERE s.user = ?1 AND s.grp = ?2 AND s.until > ?3"
        " AND m.sender <> ?1 AND m.undone_by = 0 AND NOT EXISTS"
        " (SELECT 1 FROM deletion d WHERE d.target = m.id AND d.user = ?1)"
        " LIMIT ?4)"};

bool roam_group_reader_open(struct roam_group_reader *g, sqlite3 *db,
                            char *error, size_t cap)
{
    return roam_db_prepare(db, sql, ROAM_GROUP_READER_STATEMENTS, g->stmt,
                           error, cap);
}

bool roam_group_reader_find(struct roam_store_reader *r, int64_t user,
                            struct roam_slice id, int64_t *peer)
{
    sqlite3_stmt *stmt = r->groups.stmt[ROAM_GROUP_READER_FIND];

    roam_db_bind_text(stmt, 1, id);
    sqlite3_bind_int64(stmt, 2, user);
    int rc = sqlite3_step(stmt);
    *peer = rc == SQLITE_ROW ? -sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* ----------------------------------------------------------------- history */

/* A walk through a range of msg_ids; what is left is (after, upto]. */
struct walk {
    struct roam_store_reader *r;
    struct roam_gathering *g;
    struct roam_store_history *h;
    int64_t peer;
    bool newest; /* from the end */
    uint64_t after, upto;
};

static uint64_t lower(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t higher(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Gathers (after, upto], of what is left: all rows, or the private ones. */
static bool gather(const struct walk *w, uint64_t after, uint64_t upto,
                   bool inside)
{
    sqlite3_stmt *rows =
        w->r->groups.stmt[w->newest ? ROAM_GROUP_READER_NEWEST
                                    : ROAM_GROUP_READER_OLDEST];
    uint64_t from = higher(after, w->after);
    uint64_t to = lower(upto, w->upto);

    if (w->h->more || from >= to) {
        return true;
    }
    if (inside || ROAM_FAULT("group-history-whole")) {
        rows = roam_read_statement(w->r, w->h, w->newest);
    }
    return roam_read_range(w->h, w->g, rows, w->peer, from, to);
}

/* One span, and what lies before it in the direction of the walk. */
static bool gather_span(struct walk *w, uint64_t since, uint64_t until)
{
    bool ok = w->newest ? gather(w, until, ROAM_VERSION_MAX, false)
                        : gather(w, 0, since - 1, false);

    ok = ok && gather(w, since - 1, until, true);
    if (w->newest) {
        w->upto = lower(w->upto, since - 1);
    } else {
        w->after = higher(w->after, until);
    }
    return ok;
}

bool roam_read_group_history(struct roam_store_reader *r,
                             struct roam_gathering *g,
                             struct roam_store_history *h, int64_t peer,
                             bool newest)
{
    sqlite3_stmt *spans =
        r->groups.stmt[newest ? ROAM_GROUP_READER_SPANS_FALLING
                              : ROAM_GROUP_READER_SPANS_RISING];
    struct walk w = {.r = r,
                     .g = g,
                     .h = h,
                     .peer = peer,
                     .newest = newest,
                     .after = h->after,
                     .upto = h->before == 0 ? ROAM_VERSION_MAX : h->before - 1};
    int rc = SQLITE_DONE;
    bool ok = true;

    sqlite3_bind_int64(spans, 1, h->user);
    sqlite3_bind_int64(spans, 2, -peer);
    while (ok && !h->more && (rc = sqlite3_step(spans)) == SQLITE_ROW) {
        ok = gather_span(&w, roam_db_u64(spans, 0), roam_db_u64(spans, 1));
    }
    sqlite3_reset(spans);
    return ok && (h->more || (rc == SQLITE_DONE &&
                              gather(&w, 0, ROAM_VERSION_MAX, false)));
}

/* ----------------------------------------------------------- conversations */

static bool read_number(sqlite3_stmt *stmt, uint32_t *out)
{
    int rc = sqlite3_step(stmt);

    *out = rc == SQLITE_ROW ? (uint32_t)sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

bool roam_read_group_part(struct roam_store_reader *r, int64_t user,
                          int64_t peer, uint64_t after, struct roam_entry *e)
{
    sqlite3_stmt *role = r->groups.stmt[ROAM_GROUP_READER_ROLE];
    sqlite3_stmt *unread = r->groups.stmt[ROAM_GROUP_READER_UNREAD];

    sqlite3_bind_int64(role, 1, -peer);
    sqlite3_bind_int64(role, 2, user);
    sqlite3_bind_int64(unread, 1, user);
    sqlite3_bind_int64(unread, 2, -peer);
    roam_db_bind_u64(unread, 3, after);
    sqlite3_bind_int64(unread, 4, ROAM_UNREAD_MAX);
    if (!read_number(role, &e->role) || !read_number(unread, &e->unread)) {
        return false;
    }
    if (e->role < roam_v1_Role_MEMBER) {
        e->role = roam_v1_Role_ROLE_NONE; /* an applicant again */
    }
    return true;
}
