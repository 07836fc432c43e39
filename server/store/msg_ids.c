/* SPDX-License-Identifier: Apache-2.0 */
/* See msg_ids.h. */
#include "msg_ids.h"

#include "db.h"
#include "roam_limits.h"

/* Conversations remembered; 24 bytes each, so some 3 MB. */
#define REMEMBERED_MAX ((size_t)65536)

#define TIME_MAX (ROAM_VERSION_MAX >> ROAM_MSG_ID_TIME_SHIFT)
#define REST_MASK ((UINT64_C(1) << ROAM_MSG_ID_TIME_SHIFT) - 1)

static const char *const sql[ROAM_MSG_IDS_STATEMENTS] = {
    [ROAM_MSG_IDS_NEWEST] =
        "SELECT msg_id FROM message ORDER BY id DESC LIMIT 1",
    [ROAM_MSG_IDS_CLOCK] = "SELECT high_msg_id FROM clock",
    [ROAM_MSG_IDS_SET_CLOCK] = "UPDATE clock SET high_msg_id = ?1",
    [ROAM_MSG_IDS_LAST] =
        "SELECT max(m.msg_id) FROM timeline t CROSS JOIN message m"
        " ON m.id = t.message WHERE t.user = ?1 AND"
        " (m.sender = ?2 AND m.receiver = ?1 OR"
        " m.sender = ?1 AND m.receiver = ?2)"};

/* One value from a statement; 0 when it gives none. */
static bool read_u64(sqlite3_stmt *stmt, uint64_t *out)
{
    int rc = sqlite3_step(stmt);

    *out = rc == SQLITE_ROW ? roam_db_u64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

bool roam_msg_ids_open(struct roam_msg_ids *ids, sqlite3 *db, char *error,
                       size_t cap)
{
    uint64_t newest;

    if (!roam_db_prepare(db, sql, ROAM_MSG_IDS_STATEMENTS, ids->stmt, error,
                         cap)) {
        return false;
    }
    if (!read_u64(ids->stmt[ROAM_MSG_IDS_NEWEST], &newest) ||
        !read_u64(ids->stmt[ROAM_MSG_IDS_CLOCK], &ids->stored_max)) {
        sqlite3_snprintf((int)cap, error, "%s", sqlite3_errmsg(db));
        return false;
    }
    ids->max = newest == 0 ? 0 : newest | REST_MASK;
    if (ids->max < ids->stored_max) {
        ids->max = ids->stored_max;
    }
    ids->cold_max = ids->max;
    return true;
}

void roam_msg_ids_close(struct roam_msg_ids *ids)
{
    roam_pair_map_clear(&ids->last);
}

static bool find_last(struct roam_msg_ids *ids, int64_t low, int64_t high,
                      uint64_t clock, uint64_t *last)
{
    const uint64_t *known = roam_pair_map_find(&ids->last, low, high);
    sqlite3_stmt *stmt = ids->stmt[ROAM_MSG_IDS_LAST];

    if (known != NULL) {
        *last = *known;
        return true;
    }
    if (ids->cold_max < clock) {
        *last = 0;
        return true;
    }
    sqlite3_bind_int64(stmt, 1, low);
    sqlite3_bind_int64(stmt, 2, high);
    return read_u64(stmt, last);
}

bool roam_msg_ids_next(struct roam_msg_ids *ids, int64_t user, int64_t peer,
                       uint64_t now_ms, uint64_t *msg_id)
{
    uint64_t time = now_ms < TIME_MAX ? now_ms : TIME_MAX;
    uint64_t clock = time << ROAM_MSG_ID_TIME_SHIFT;
    int64_t low = user < peer ? user : peer;
    int64_t high = user < peer ? peer : user;
    uint64_t last;

    if (!find_last(ids, low, high, clock, &last) || last >= ROAM_VERSION_MAX) {
        return false;
    }
    *msg_id = clock > last ? clock : last + 1;
    return true;
}

/* Keeps the row's promise: see msg_ids.h. */
static bool note_clock_back(struct roam_msg_ids *ids, uint64_t msg_id)
{
    uint64_t bound = ids->max | REST_MASK;
    sqlite3_stmt *stmt = ids->stmt[ROAM_MSG_IDS_SET_CLOCK];

    if ((msg_id | REST_MASK) >= bound || ids->stored_max >= bound) {
        return true;
    }
    roam_db_bind_u64(stmt, 1, bound);
    ids->stored_max = bound;
    return roam_db_run(stmt) == SQLITE_OK;
}

bool roam_msg_ids_used(struct roam_msg_ids *ids, int64_t user, int64_t peer,
                       uint64_t msg_id)
{
    int64_t low = user < peer ? user : peer;
    int64_t high = user < peer ? peer : user;

    if (!note_clock_back(ids, msg_id)) {
        return false;
    }
    if (ids->max < msg_id) {
        ids->max = msg_id;
    }
    if (ids->last.count >= REMEMBERED_MAX) {
        roam_pair_map_clear(&ids->last);
        ids->cold_max = ids->max;
    }
    return roam_pair_map_put(&ids->last, low, high, msg_id);
}
