/* SPDX-License-Identifier: Apache-2.0 */
/* See timelines.h. */
#include "timelines.h"

#include "../core/fault.h"
#include "db.h"
#include "roam_limits.h"

static const char *const sql[ROAM_TIMELINES_STATEMENTS] = {
    [ROAM_TIMELINES_HEAD] = "SELECT version FROM timeline WHERE user = ?1"
                            " ORDER BY version DESC LIMIT 1",
    [ROAM_TIMELINES_FLOOR] = "SELECT version - gap FROM timeline"
                             " WHERE user = ?1 ORDER BY version LIMIT 1",
    [ROAM_TIMELINES_APPEND] = "INSERT INTO timeline(user, version, gap,"
                              " message) VALUES(?1, ?2, ?3, ?4)",
    [ROAM_TIMELINES_COUNT] = "SELECT count(*) FROM timeline WHERE user = ?1",
    [ROAM_TIMELINES_NTH] = "SELECT version FROM timeline WHERE user = ?1"
                           " ORDER BY version LIMIT 1 OFFSET ?2",
    [ROAM_TIMELINES_CUT] =
        "DELETE FROM timeline WHERE user = ?1 AND version <= ?2"};

/* Entries in excess are taken off in one go, when there are more than a 64th
 * of those kept; neighbours cost less than single ones. */
#define EXCESS_PART 64
/* ... but at most so many, because a SEND waits for it. */
#define EXCESS_MAX 256

#define COUNT_OF 1

bool roam_timelines_open(struct roam_timelines *t, sqlite3 *db,
                         const struct roam_store_sqlite_config *config,
                         char *error, size_t cap)
{
    t->db = db;
    t->random = config->random;
    t->random_ctx = config->random_ctx;
    t->most = config->keep.timeline_entries;
    return roam_db_prepare(db, sql, ROAM_TIMELINES_STATEMENTS, t->stmt, error,
                           cap);
}

void roam_timelines_close(struct roam_timelines *t)
{
    roam_pair_map_clear(&t->heads);
}

static bool read_end(sqlite3_stmt *stmt, int64_t user, uint64_t *out)
{
    sqlite3_bind_int64(stmt, 1, user);
    int rc = sqlite3_step(stmt);
    *out = rc == SQLITE_ROW ? roam_db_u64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

bool roam_timelines_head(struct roam_timelines *t, int64_t user, uint64_t *head)
{
    const uint64_t *known = roam_pair_map_find(&t->heads, user, 0);

    if (known != NULL) {
        *head = *known;
        return true;
    }
    return read_end(t->stmt[ROAM_TIMELINES_HEAD], user, head);
}

bool roam_timelines_floor(struct roam_timelines *t, int64_t user,
                          uint64_t *floor)
{
    return read_end(t->stmt[ROAM_TIMELINES_FLOOR], user, floor);
}

/* The version behind `head`, the first one of this timeline since the open
 * when fresh. */
static uint64_t next_version(struct roam_timelines *t, uint64_t head,
                             bool fresh)
{
    uint64_t skip = 0;

    if (fresh && t->random != NULL && !ROAM_FAULT("versions-go-back")) {
        t->random(t->random_ctx, (uint8_t *)&skip, sizeof(skip));
        skip = skip % ROAM_VERSION_SKIP_MAX + 1;
    }
    if (skip >= ROAM_VERSION_MAX - head) {
        skip = 0;
    }
    return head + 1 + skip;
}

/* The fault: the newest entry is replaced instead of followed. [CHAIN-2] */
static bool forget_newest(struct roam_timelines *t, int64_t user, uint64_t head)
{
    char *text = sqlite3_mprintf(
        "DELETE FROM timeline WHERE user = %lld AND version = %lld",
        (long long)user, (long long)head);
    int rc = text == NULL ? SQLITE_NOMEM : roam_db_exec(t->db, text);

    sqlite3_free(text);
    return rc == SQLITE_OK;
}

/* ----------------------------------------------------------------- excess */

bool roam_timelines_cut(struct roam_timelines *t, int64_t user, uint64_t upto)
{
    sqlite3_stmt *stmt = t->stmt[ROAM_TIMELINES_CUT];
    uint64_t *count = roam_pair_map_find(&t->heads, user, COUNT_OF);

    sqlite3_bind_int64(stmt, 1, user);
    roam_db_bind_u64(stmt, 2, upto);
    if (roam_db_run(stmt) != SQLITE_OK) {
        return false;
    }
    if (count != NULL) {
        *count -= (uint64_t)sqlite3_changes(t->db);
    }
    return true;
}

/* How many entries there are, one having just been appended. */
static bool count_one(struct roam_timelines *t, int64_t user, uint64_t *count)
{
    uint64_t *known = roam_pair_map_find(&t->heads, user, COUNT_OF);
    sqlite3_stmt *stmt = t->stmt[ROAM_TIMELINES_COUNT];

    if (known != NULL) {
        *known += 1;
        *count = *known;
        return true;
    }
    sqlite3_bind_int64(stmt, 1, user);
    bool ok = sqlite3_step(stmt) == SQLITE_ROW;
    *count = ok ? roam_db_u64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return ok && roam_pair_map_put(&t->heads, user, COUNT_OF, *count);
}

static bool cut_excess(struct roam_timelines *t, int64_t user)
{
    sqlite3_stmt *stmt = t->stmt[ROAM_TIMELINES_NTH];
    uint64_t count;

    if (t->most == 0) {
        return true;
    }
    if (!count_one(t, user, &count)) {
        return false;
    }
    uint64_t slack = t->most / EXCESS_PART;
    if (count <= t->most + (slack < EXCESS_MAX ? slack : EXCESS_MAX - 1)) {
        return true;
    }
    uint64_t gone = count - t->most;
    gone = gone < EXCESS_MAX ? gone : EXCESS_MAX;
    sqlite3_bind_int64(stmt, 1, user);
    roam_db_bind_u64(stmt, 2, gone - 1);
    bool ok = sqlite3_step(stmt) == SQLITE_ROW;
    uint64_t upto = ok ? roam_db_u64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    if (ROAM_FAULT("trims-one-more")) {
        upto++;
    }
    if (ROAM_FAULT("newest-removed")) { /* [KEEP-2] broken */
        upto = ROAM_VERSION_MAX;
    }
    return ok && roam_timelines_cut(t, user, upto);
}

bool roam_timelines_append(struct roam_timelines *t, int64_t user,
                           int64_t message, uint64_t *version,
                           uint64_t *prev_version)
{
    uint64_t *known = roam_pair_map_find(&t->heads, user, 0);
    sqlite3_stmt *stmt = t->stmt[ROAM_TIMELINES_APPEND];
    uint64_t head;

    if (!roam_timelines_head(t, user, &head) || head >= ROAM_VERSION_MAX) {
        return false;
    }
    if (ROAM_FAULT("version-reused") && known != NULL) {
        if (!forget_newest(t, user, head)) {
            return false;
        }
        head--;
    }
    *version = next_version(t, head, known == NULL);
    *prev_version = head;
    sqlite3_bind_int64(stmt, 1, user);
    roam_db_bind_u64(stmt, 2, *version);
    roam_db_bind_u64(stmt, 3, *version - head);
    sqlite3_bind_int64(stmt, 4, message);
    if (roam_db_run(stmt) != SQLITE_OK) {
        return false;
    }
    if (known != NULL) {
        *known = *version;
    } else if (!roam_pair_map_put(&t->heads, user, 0, *version)) {
        return false;
    }
    return cut_excess(t, user);
}
