/* SPDX-License-Identifier: Apache-2.0 */
/* One step of erasing what is older than is kept. A round goes over all users
 * by their numbers, then over the messages from the first one on; a step goes
 * on where the last one stopped. Spec: section 6.5.
 *
 * The age of a message, and of the entries that name it, is told by its
 * msg_id. Whoever gets an entry whose message is erased before it gets a NOOP
 * [KEEP-6]. A message is erased when neither the history nor the memory of
 * client_msg_ids needs it [KEEP-4]; its msg_id stays behind in `erased` when it
 * was the newest, so that no later one is lower [SEND-6].
 *
 * The last message of all stays: SQLite numbers rows from there on, and an
 * entry that names an erased message must never come to name another.
 *
 * Messages lie in the order of commits, which is nearly that of their ids.
 * One from the future, left by a clock that was wrong, is passed over: it
 * must not keep all behind it. */
#include "writer.h"

#include "../core/fault.h"
#include "db.h"
#include "roam_limits.h"

/* The bounds of a step: a few milliseconds of work, in the same transaction
 * as the SENDs of a group. */
#define USERS_MAX 64
#define ROWS_MAX 512

static uint64_t time_of(uint64_t msg_id)
{
    return msg_id >> ROAM_MSG_ID_TIME_SHIFT;
}

/* What is n ms old is kept for n ms. */
static bool is_older(uint64_t msg_id, uint64_t now_ms, uint64_t kept_ms)
{
    uint64_t time = time_of(msg_id);

    if (ROAM_FAULT("old-too-soon") && now_ms - time == kept_ms) {
        return true;
    }
    return kept_ms != 0 && now_ms > time && now_ms - time > kept_ms;
}

/* How long a message is kept; 0: for ever. */
static uint64_t message_ms(const struct roam_store_keep *keep)
{
    uint64_t dedup_ms = keep->dedup_ms + ROAM_STORE_DEDUP_GRACE_MS;

    if (keep->history_ms == 0 || keep->dedup_ms == 0 ||
        ROAM_FAULT("ids-go-with-history")) {
        return keep->history_ms;
    }
    return keep->history_ms > dedup_ms ? keep->history_ms : dedup_ms;
}

/* -------------------------------------------------------------- timelines */

/* The version up to which there are more than timeline_entries; 0: none. */
static bool find_excess(struct roam_writer *w, int64_t user, uint64_t *upto)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_TRIM_EXCESS];

    *upto = 0;
    if (w->keep.timeline_entries == 0) {
        return true;
    }
    sqlite3_bind_int64(stmt, 1, user);
    sqlite3_bind_int64(stmt, 2, w->keep.timeline_entries);
    int rc = sqlite3_step(stmt);
    *upto = rc == SQLITE_ROW ? roam_db_u64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* What a look at the front of a timeline has found. */
struct front {
    int seen;      /* entries looked at */
    int old;       /* of these may go: up to the last old one that has one
                      behind it [KEEP-2] */
    uint64_t upto; /* its version */
};

/* Is the entry in the row old? Where its message is erased its age is not
 * known: it is old then if it counted as such before the message did, else when
 * one behind it is. *ends: nothing behind it is old. [KEEP-1] */
static bool entry_is_old(const struct roam_writer *w, sqlite3_stmt *row,
                         uint64_t excess, uint64_t now_ms, bool *ends)
{
    uint64_t kept_ms = w->keep.timeline_ms;

    *ends = false;
    if (roam_db_u64(row, 0) <= excess) {
        return true;
    }
    if (sqlite3_column_type(row, 1) == SQLITE_NULL) {
        return kept_ms != 0 && kept_ms <= message_ms(&w->keep);
    }
    *ends = !is_older(roam_db_u64(row, 1), now_ms, kept_ms);
    return !*ends;
}

/* Looks at `most` entries at most, and at one behind these. */
static bool look_at_front(struct roam_writer *w, int64_t user, uint64_t now_ms,
                          int most, struct front *f)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_TRIM_OLDEST];
    uint64_t excess;
    uint64_t last = 0;
    struct front next = {0}; /* when there is one behind it */
    bool ends = false;
    int rc = SQLITE_DONE;

    *f = (struct front){0};
    if (!find_excess(w, user, &excess)) {
        return false;
    }
    sqlite3_bind_int64(stmt, 1, user);
    while (!ends && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        f->old = next.old;
        f->upto = next.upto;
        if (f->seen == most) {
            break;
        }
        f->seen++;
        last = roam_db_u64(stmt, 0);
        if (entry_is_old(w, stmt, excess, now_ms, &ends)) {
            next.old = f->seen;
            next.upto = last;
        }
    }
    sqlite3_reset(stmt);
    if (ROAM_FAULT("newest-goes") && rc == SQLITE_DONE && last != 0) {
        f->upto = last;
        f->old = f->seen;
    }
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* *rows is what the step may still look at. *all: nothing old is left, or it
 * lies behind more entries of erased messages than a whole step looks at. */
static bool trim_user(struct roam_writer *w, int64_t user, uint64_t now_ms,
                      int *rows, bool *all)
{
    struct front f;

    if (!look_at_front(w, user, now_ms, *rows, &f)) {
        return false;
    }
    *all = f.seen < *rows || (f.old == 0 && *rows == ROWS_MAX);
    *rows -= f.seen;
    return f.old == 0 || roam_timelines_cut(&w->timelines, user, f.upto);
}

/* The user behind that one; 0: there is none. */
static bool next_user(struct roam_writer *w, int64_t after, int64_t *user)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_TRIM_USER];

    sqlite3_bind_int64(stmt, 1, after);
    int rc = sqlite3_step(stmt);
    *user = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* *done: the round is through with users. */
static bool trim_timelines(struct roam_writer *w, uint64_t now_ms, int *rows,
                           bool *done)
{
    *done = w->keep.timeline_ms == 0 && w->keep.timeline_entries == 0;
    for (int i = 0; i < USERS_MAX && !*done && *rows > 0; i++) {
        int64_t user;
        bool all;
        if (!next_user(w, w->trim.user, &user)) {
            return false;
        }
        *done = user == 0;
        if (*done) {
            break;
        }
        if (!trim_user(w, user, now_ms, rows, &all)) {
            return false;
        }
        w->trim.user = all ? user : w->trim.user;
    }
    return true;
}

/* ---------------------------------------------------------------- messages */

struct old_message {
    int64_t id;
    int64_t sender;
    int64_t receiver;
    uint64_t msg_id;
};

/* The next old messages, at most ROWS_MAX. *done: behind them are none. */
static bool find_old(struct roam_writer *w, uint64_t now_ms, int rows,
                     struct old_message *old, int *count, bool *done)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_TRIM_MESSAGES];
    int rc;

    *count = 0;
    sqlite3_bind_int64(stmt, 1, w->trim.message);
    sqlite3_bind_int64(stmt, 2, rows);
    int looked_at = 0;
    *done = false;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && !*done) {
        struct old_message m = {
            sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1),
            sqlite3_column_int64(stmt, 2), roam_db_u64(stmt, 3)};
        looked_at++;
        if (is_older(m.msg_id, now_ms, message_ms(&w->keep))) {
            old[(*count)++] = m;
        } else {
            *done = time_of(m.msg_id) <= now_ms;
        }
        w->trim.message = *done ? w->trim.message : m.id;
    }
    sqlite3_reset(stmt);
    *done = *done || looked_at < rows;
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

static bool keep_number(struct roam_writer *w, int64_t low, int64_t high,
                        uint64_t last)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_TRIM_LAST];

    sqlite3_bind_int64(stmt, 1, low);
    sqlite3_bind_int64(stmt, 2, high);
    roam_db_bind_u64(stmt, 3, last);
    return roam_db_run(stmt) == SQLITE_OK;
}

/* Keeps the newest msg_id of a conversation that becomes empty. */
static bool keep_last(struct roam_writer *w, const struct old_message *m)
{
    return keep_number(w, roam_db_low(m->sender, m->receiver),
                       roam_db_high(m->sender, m->receiver), m->msg_id);
}

static bool erase(struct roam_writer *w, const struct old_message *m)
{
    static const enum roam_writer_statement statements[] = {
        ROAM_WRITER_TRIM_PRIVATE, ROAM_WRITER_TRIM_DELETIONS,
        ROAM_WRITER_TRIM_ERASE};

    bool ok = keep_last(w, m);
    for (int i = 0; ok && i < 3; i++) {
        sqlite3_bind_int64(w->stmt[statements[i]], 1, m->id);
        ok = roam_db_run(w->stmt[statements[i]]) == SQLITE_OK;
    }
    return ok;
}

static bool trim_messages(struct roam_writer *w, uint64_t now_ms, int rows,
                          bool *done)
{
    struct old_message old[ROWS_MAX];
    int count;

    *done = message_ms(&w->keep) == 0;
    if (*done) {
        return true;
    }
    if (!find_old(w, now_ms, rows, old, &count, done)) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (!erase(w, &old[i])) {
            return false;
        }
    }
    /* For the check of the store: it is no damage that they are missing. */
    return count == 0 || keep_number(w, 0, 0, (uint64_t)old[count - 1].id);
}

bool roam_write_trim(struct roam_writer *w, struct roam_store_trim *trim)
{
    int rows = ROWS_MAX;

    trim->more = true;
    if (!w->trim.users_done &&
        !trim_timelines(w, trim->now_ms, &rows, &w->trim.users_done)) {
        return false;
    }
    if (!w->trim.users_done || rows == 0) {
        return true;
    }
    bool done;
    if (!trim_messages(w, trim->now_ms, rows, &done)) {
        return false;
    }
    if (done) {
        trim->more = false;
        w->trim = (struct roam_trim_place){0};
    }
    return true;
}
