/* SPDX-License-Identifier: Apache-2.0 */
/* See msg_ids.h. */
#include "msg_ids.h"

#include "db.h"
#include "roam_limits.h"

#define TIME_MAX (ROAM_VERSION_MAX >> ROAM_MSG_ID_TIME_SHIFT)

/* The last id of one part. */
#define LAST(part)                                                             \
    "coalesce((SELECT max(msg_id) FROM message"                                \
    " WHERE min(sender, receiver) = ?1"                                        \
    " AND max(sender, receiver) * (receiver > 0) = ?2"                         \
    " AND part = " part "), 0)"

static const char *const sql[] = {"SELECT max(" LAST("0") ", " LAST("1") ", " LAST(
    "2") ","
         " coalesce((SELECT last FROM erased WHERE low = ?1 AND high = ?2), 0))"};

bool roam_msg_ids_open(struct roam_msg_ids *ids, sqlite3 *db, char *error,
                       size_t cap)
{
    return roam_db_prepare(db, sql, 1, &ids->find_last, error, cap);
}

void roam_msg_ids_close(struct roam_msg_ids *ids)
{
    roam_pair_map_clear(&ids->last);
}

/* 0: there is none. */
static bool find_last(struct roam_msg_ids *ids, int64_t low, int64_t high,
                      uint64_t *last)
{
    const uint64_t *known = roam_pair_map_find(&ids->last, low, high);
    sqlite3_stmt *stmt = ids->find_last;

    if (known != NULL) {
        *last = *known;
        return true;
    }
    sqlite3_bind_int64(stmt, 1, low);
    sqlite3_bind_int64(stmt, 2, high);
    int rc = sqlite3_step(stmt);
    *last = rc == SQLITE_ROW ? roam_db_u64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

bool roam_msg_ids_next(struct roam_msg_ids *ids, int64_t user, int64_t peer,
                       uint64_t now_ms, uint64_t *msg_id, bool *first)
{
    uint64_t time = now_ms < TIME_MAX ? now_ms : TIME_MAX;
    uint64_t clock = time << ROAM_MSG_ID_TIME_SHIFT;
    int64_t low = roam_db_low(user, peer);
    int64_t high = roam_db_high(user, peer);
    uint64_t last;

    if (!find_last(ids, low, high, &last) || last >= ROAM_VERSION_MAX) {
        return false;
    }
    *msg_id = clock > last ? clock : last + 1;
    *first = last == 0;
    return true;
}

bool roam_msg_ids_last(struct roam_msg_ids *ids, int64_t user, int64_t peer,
                       uint64_t *last)
{
    return find_last(ids, roam_db_low(user, peer), roam_db_high(user, peer),
                     last);
}

bool roam_msg_ids_used(struct roam_msg_ids *ids, int64_t user, int64_t peer,
                       uint64_t msg_id)
{
    int64_t low = roam_db_low(user, peer);
    int64_t high = roam_db_high(user, peer);

    if (ids->last.count >= ROAM_MSG_IDS_REMEMBERED_MAX) {
        roam_pair_map_clear(&ids->last);
    }
    return roam_pair_map_put(&ids->last, low, high, msg_id);
}
