/* SPDX-License-Identifier: Apache-2.0 */
/* What is missing in the local store, and how it is filled.
 *
 * Invariant: after a RESET, each message of the user is stored, lies in a
 * hole, will come with the chain, is in the outbox, or belongs to a
 * conversation that the survey has not told of yet. It stands on two facts of
 * the protocol: the msg_ids of a conversation rise with its entries, and a
 * page is never read from a state before the entries and answers sent ahead
 * of it. [SEND-6] [HIST-6]
 *
 * A conversation of which nothing is known may have a past once there was a
 * RESET, also behind the survey: a message that comes can move it past the
 * survey's place, and arrive when the survey has ended. So the first message
 * that comes in it opens a hole below it, which one empty page fills if the
 * conversation is new.
 *
 * The survey tells marks and roles as well, and those of a conversation that
 * moved past its place are missed, too. So a row that comes while it is under
 * way, of a conversation that it has not told of, sets it back to its start,
 * and one that was there already when its last page was read starts another.
 * [HIST-17]
 *
 * What the survey told can be of a past that the server lost: then a login
 * names a head below as_of, or no entry of that version comes, and the survey
 * starts anew. Messages of that past stay: they close no hole that what is new
 * could lie in, for new msg_ids are above. [HIST-16]
 *
 * At RESET a hole opens above the newest message of each conversation that
 * came with the chain or with a page. The hole stays *open* until such a
 * message is known above it.
 *
 * A message that was sent from here tells nothing of those below it, nor of
 * those above: the RESET may have passed over it, when its answer comes twice
 * or comes late. [SEND-5] So it neither opens nor ends a hole. But it may
 * have moved its conversation past the survey's place: the survey starts
 * over, and a page that was asked for from the old place is void. One that
 * moved before the survey ended and is answered behind that is told by an
 * open hole: see roam_local_survey_page(). */
#include <stdio.h>
#include <string.h>

#include "local_sqlite.h"
#include "roam_limits.h"

#define OK ROAM_POSIX_STATUS_OK

static struct roam_bytes text_of(const char *text)
{
    struct roam_bytes b = {(const uint8_t *)text, strlen(text)};
    return b;
}

static void copy_text(char out[65], struct roam_bytes text)
{
    size_t n = text.len < 64 ? text.len : 64;
    if (n > 0) {
        memcpy(out, text.data, n);
    }
    out[n] = '\0';
}

/* ------------------------------------------------------------------ RESET */

static enum roam_posix_status run_with_number(struct roam_local *l,
                                              enum roam__local_sql which,
                                              uint64_t number)
{
    sqlite3_stmt *s = roam__local_statement(l, which);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    roam__local_bind_u64(s, 1, number);
    return roam__local_finish(l, s);
}

enum roam_posix_status roam_local_add_reset(struct roam_local *l, uint64_t head,
                                            uint64_t unix_ms)
{
    enum roam_posix_status status = roam__local_gather(l);
    if (status == OK) {
        status = run_with_number(l, SQL_HOLES_OPEN, unix_ms);
    }
    if (status == OK) {
        status = run_with_number(l, SQL_SURVEY_START, unix_ms);
    }
    if (status == OK) {
        status = run_with_number(l, SQL_RESET_NOTE, unix_ms);
    }
    if (status == OK) {
        status = roam__local_run(l, SQL_TOLD_NONE);
    }
    if (status == OK) {
        l->device.cursor = head;
        l->watch = WATCH_YES;
        l->as_of = 0;
    }
    return status;
}

/* ------------------------------------------------------- messages that come */

static enum roam_posix_status look_whether_to_watch(struct roam_local *l)
{
    if (l->watch != WATCH_UNKNOWN) {
        return OK;
    }
    sqlite3_stmt *s = roam__local_statement(l, SQL_WATCH);
    if (!s || sqlite3_step(s) != SQLITE_ROW) {
        return roam__local_failed(l);
    }
    l->watch = sqlite3_column_int(s, 0) ? WATCH_YES : WATCH_NO;
    l->as_of = roam__local_u64(s, 1);
    sqlite3_reset(s);
    return OK;
}

enum roam_posix_status roam__local_run_at(struct roam_local *l,
                                          enum roam__local_sql which,
                                          struct roam_bytes conversation,
                                          uint64_t msg_id)
{
    sqlite3_stmt *s = roam__local_statement(l, which);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    roam__local_bind_text(s, 1, conversation);
    roam__local_bind_u64(s, 2, msg_id);
    return roam__local_finish(l, s);
}

enum roam_posix_status roam__local_hole_at(struct roam_local *l,
                                           struct roam_bytes conversation,
                                           uint64_t msg_id)
{
    sqlite3_stmt *s = roam__local_statement(l, SQL_HOLE_AT);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    roam__local_bind_text(s, 1, conversation);
    roam__local_bind_u64(s, 2, msg_id);
    roam__local_bind_u64(
        s, 3, (msg_id >> ROAM_MSG_ID_TIME_SHIFT) + ROAM_EPOCH_UNIX_MS);
    return roam__local_finish(l, s);
}

static enum roam_posix_status look_whether_missed(
    struct roam_local *l, const struct roam_entry_event *e)
{
    enum roam_posix_status status =
        roam__local_run_at(l, SQL_SURVEY_MISSED, e->conversation, e->version);
    if (status == OK && sqlite3_changes(l->db) > 0) {
        l->survey_void = true;
    }
    return status;
}

enum roam_posix_status roam__local_arrived(struct roam_local *l,
                                           const struct roam_entry_event *e)
{
    enum roam_posix_status status = look_whether_to_watch(l);
    if (status != OK || l->watch == WATCH_NO) {
        return status;
    }
    l->watch = WATCH_UNKNOWN; /* that may have been the last open hole */
    status = roam__local_run_at(l, SQL_HOLE_CLOSE, e->conversation, e->msg_id);
    if (status == OK) {
        status =
            roam__local_run_at(l, SQL_HOLE_FIRST, e->conversation, e->msg_id);
    }
    return status == OK ? look_whether_missed(l, e) : status;
}

/* Pages were read as of a version of which the timeline has no entry, between
 * two that it has: all that they told is told anew. */
enum roam_posix_status roam__local_passed(struct roam_local *l, uint64_t from,
                                          uint64_t to)
{
    enum roam_posix_status status = look_whether_to_watch(l);
    if (status != OK || l->watch == WATCH_NO || l->as_of <= from ||
        l->as_of >= to) {
        return status;
    }
    status = roam__local_run(l, SQL_SURVEY_DOUBT);
    if (status == OK) {
        status = roam__local_run(l, SQL_TOLD_NONE);
    }
    l->survey_void = true;
    l->watch = WATCH_UNKNOWN;
    return status == OK ? roam__local_run(l, SQL_AS_OF_NONE) : status;
}

enum roam_posix_status roam_local_head_told(struct roam_local *l, uint64_t head)
{
    enum roam_posix_status status = roam__local_gather(l);
    return status == OK ? roam__local_passed(l, head, UINT64_MAX) : status;
}

enum roam_posix_status roam__local_own_stored(struct roam_local *l)
{
    enum roam_posix_status status = look_whether_to_watch(l);
    if (status != OK || l->watch == WATCH_NO) {
        return status;
    }
    l->survey_void = true;
    return roam__local_run(l, SQL_SURVEY_BACK);
}

/* ------------------------------------------------------------------ holes */

static void read_hole(sqlite3_stmt *s, struct roam_local_hole *hole)
{
    hole->id = roam__local_u64(s, 0);
    copy_text(hole->conversation, roam__local_bytes(s, 1));
    hole->above = roam__local_u64(s, 2);
    hole->below = roam__local_u64(s, 3);
    if (hole->below == INT64_MAX) {
        hole->below = 0;
    }
}

/* Steps a statement that gives a hole, or none. */
static enum roam_posix_status find_hole(struct roam_local *l, sqlite3_stmt *s,
                                        struct roam_local_hole *hole,
                                        bool *found)
{
    int rc = sqlite3_step(s);
    *found = rc == SQLITE_ROW;
    if (*found) {
        read_hole(s, hole);
    }
    enum roam_posix_status status =
        *found || rc == SQLITE_DONE ? OK : roam__local_failed(l);
    sqlite3_reset(s);
    return status;
}

enum roam_posix_status roam_local_hole(struct roam_local *l,
                                       const char *conversation,
                                       struct roam_local_hole *hole,
                                       bool *found)
{
    *found = false;
    sqlite3_stmt *s = roam__local_statement(l, SQL_HOLE_NEXT);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    if (conversation) {
        roam__local_bind_text(s, 1, text_of(conversation));
    }
    return find_hole(l, s, hole, found);
}

static enum roam_posix_status drop_hole(struct roam_local *l, uint64_t id)
{
    l->watch = WATCH_UNKNOWN;
    return run_with_number(l, SQL_HOLE_DROP, id);
}

static enum roam_posix_status set_hole(struct roam_local *l, uint64_t id,
                                       uint64_t above, uint64_t below)
{
    if (below != 0 && above + 1 >= below) { /* no msg_id fits in between */
        return drop_hole(l, id);
    }
    sqlite3_stmt *s = roam__local_statement(l, SQL_HOLE_SET);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    l->watch = WATCH_UNKNOWN;
    roam__local_bind_u64(s, 1, id);
    roam__local_bind_u64(s, 2, above);
    roam__local_bind_u64(s, 3, below ? below : INT64_MAX);
    return roam__local_finish(l, s);
}

enum roam_posix_status roam_local_add_history(
    struct roam_local *l, const struct roam_entry_event *row)
{
    enum roam_posix_status status = roam__local_gather(l);
    return status == OK ? roam__local_apply(l, row, WAY_PAGE) : status;
}

/* The hole may have got an end since the page was asked for; `asked` says in
 * which direction the page walked. */
enum roam_posix_status roam_local_hole_page(struct roam_local *l,
                                            const struct roam_local_hole *asked,
                                            uint64_t first, uint64_t last,
                                            bool more)
{
    struct roam_local_hole hole;
    bool found = false;
    enum roam_posix_status status = roam__local_gather(l);
    sqlite3_stmt *s = roam__local_statement(l, SQL_HOLE_GET);
    if (status != OK || !s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    roam__local_bind_u64(s, 1, asked->id);
    status = find_hole(l, s, &hole, &found);
    if (status != OK || !found) {
        return status;
    }
    if (!more) {
        return drop_hole(l, hole.id);
    }
    bool up = asked->below == 0 && asked->above != 0;
    if (up) {
        return set_hole(l, hole.id, last, hole.below);
    }
    bool lower = hole.below == 0 || first < hole.below;
    return set_hole(l, hole.id, hole.above, lower ? first : hole.below);
}

enum roam_posix_status roam_local_drop_holes(struct roam_local *l,
                                             const char *conversation)
{
    enum roam_posix_status status = roam__local_gather(l);
    sqlite3_stmt *s = roam__local_statement(l, SQL_HOLES_DROP);
    if (status != OK || !s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    l->watch = WATCH_UNKNOWN;
    roam__local_bind_text(s, 1, text_of(conversation));
    return roam__local_finish(l, s);
}

/* ----------------------------------------------------------------- survey */

enum roam_posix_status roam_local_survey(struct roam_local *l,
                                         struct roam_local_survey *survey,
                                         bool *due)
{
    *due = false;
    l->survey_void = false;
    sqlite3_stmt *s = roam__local_statement(l, SQL_SURVEY_GET);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        *due = true;
        survey->before = roam__local_u64(s, 0);
        copy_text(survey->conversation, roam__local_bytes(s, 1));
    }
    enum roam_posix_status status =
        *due || rc == SQLITE_DONE ? OK : roam__local_failed(l);
    sqlite3_reset(s);
    return status;
}

/* The newest message of a conversation with an open hole: there it ends. */
static enum roam_posix_status end_hole(struct roam_local *l,
                                       const struct roam_local_hole *hole,
                                       const struct roam_entry_event *row)
{
    if (row->msg_id <= hole->above) { /* nothing came since */
        return drop_hole(l, hole->id);
    }
    enum roam_posix_status status =
        set_hole(l, hole->id, hole->above, row->msg_id);
    return status == OK ? roam_local_add_history(l, row) : status;
}

enum roam_posix_status roam_local_survey_row(struct roam_local *l,
                                             const struct roam_entry_event *row)
{
    struct roam_local_hole hole;
    bool found = false;
    enum roam_posix_status status = roam__local_gather(l);
    if (status == OK) {
        status = roam__local_told(l, row);
    }
    sqlite3_stmt *s = roam__local_statement(l, SQL_HOLE_OPEN_OF);
    if (status != OK || !s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    roam__local_bind_text(s, 1, row->conversation);
    status = find_hole(l, s, &hole, &found);
    if (status != OK) {
        return status;
    }
    if (found) {
        return end_hole(l, &hole, row);
    }
    status =
        roam__local_run_at(l, SQL_HOLE_FIRST, row->conversation, row->msg_id);
    /* Without a hole of its own, the chain brings the message. */
    return status == OK && sqlite3_changes(l->db) > 0
               ? roam_local_add_history(l, row)
               : status;
}

static enum roam_posix_status set_survey(struct roam_local *l,
                                         const struct roam_local_survey *next)
{
    sqlite3_stmt *s = roam__local_statement(l, SQL_SURVEY_SET);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    roam__local_bind_u64(s, 1, next->before);
    roam__local_bind_text(s, 2, text_of(next->conversation));
    return roam__local_finish(l, s);
}

/* A message that is not answered yet may have moved an unknown conversation
 * past the survey's place: a hole there says to look again at the answer. */
static enum roam_posix_status end_survey(struct roam_local *l)
{
    enum roam_posix_status status = roam__local_run(l, SQL_HOLES_OF_OUTBOX);
    return status == OK ? roam__local_run(l, SQL_SURVEY_END) : status;
}

enum roam_posix_status roam_local_survey_page(
    struct roam_local *l, const struct roam_local_survey *next, uint64_t as_of)
{
    if (l->survey_void) {
        return OK;
    }
    l->watch = WATCH_UNKNOWN;
    enum roam_posix_status status = roam__local_gather(l);
    if (status == OK) {
        status = run_with_number(l, SQL_AS_OF_RISE, as_of);
    }
    if (status != OK) {
        return status;
    }
    return next ? set_survey(l, next) : end_survey(l);
}
