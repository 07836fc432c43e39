/* SPDX-License-Identifier: Apache-2.0 */
/* The local store's calls: login, timeline and outbox. What concerns missing
 * history is in local_history.c, reading in local_read.c. */
#include "local_sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------ login */

enum roam_posix_status roam_local_next_attempt(struct roam_local *l,
                                               uint64_t *attempt)
{
    enum roam_posix_status status = roam__local_gather(l);
    if (status == ROAM_POSIX_STATUS_OK) {
        l->device.attempt++;
    }
    status = roam__local_settle(l, status);
    *attempt = l->device.attempt;
    return status;
}

enum roam_posix_status roam_local_new_device(struct roam_local *l)
{
    uint8_t id[ROAM_LOCAL_DEVICE_ID_BYTES];
    if (getentropy(id, sizeof id) != 0) {
        snprintf(l->error, sizeof l->error, "%s", strerror(errno));
        return ROAM_POSIX_STATUS_RANDOM;
    }
    enum roam_posix_status status = roam__local_gather(l);
    if (status == ROAM_POSIX_STATUS_OK) {
        memcpy(l->device.device_id, id, sizeof id);
    }
    return roam__local_settle(l, status);
}

enum roam_posix_status roam_local_set_dedup(struct roam_local *l,
                                            uint64_t dedup_ms)
{
    enum roam_posix_status status = roam__local_gather(l);
    if (status == ROAM_POSIX_STATUS_OK) {
        l->device.dedup_ms = dedup_ms;
    }
    return status;
}

/* --------------------------------------------------------------- timeline */

static enum roam_posix_status take_entry(struct roam_local *l,
                                         const struct roam_entry_event *e)
{
    if (e->kind == ROAM_KIND_NOOP) {
        return roam__local_own_stored(l);
    }
    return e->kind <= ROAM_KIND_DEVICE ? roam__local_apply(l, e, WAY_CHAIN)
                                       : roam__local_keep_unknown(l, e);
}

enum roam_posix_status roam_local_add_entry(struct roam_local *l,
                                            const struct roam_entry_event *e)
{
    if (e->prev_version != l->device.cursor || e->version <= l->device.cursor) {
        snprintf(l->error, sizeof l->error,
                 "entry does not continue the chain");
        return ROAM_POSIX_STATUS_BAD_ARGUMENT;
    }
    enum roam_posix_status status = roam__local_gather(l);
    if (status == ROAM_POSIX_STATUS_OK) {
        status = roam__local_passed(l, e->prev_version, e->version);
    }
    if (status == ROAM_POSIX_STATUS_OK) {
        status = take_entry(l, e);
    }
    if (status == ROAM_POSIX_STATUS_OK && e->client_msg_id) {
        status = roam_local_outbox_drop(l, e->client_msg_id);
    }
    if (status == ROAM_POSIX_STATUS_OK) {
        l->device.cursor = e->version;
    }
    return status;
}

/* ----------------------------------------------------------------- outbox */

enum roam_posix_status roam_local_outbox_add(struct roam_local *l,
                                             struct roam_local_outgoing *m)
{
    enum roam_posix_status status = roam_local_commit(l);
    if (status == ROAM_POSIX_STATUS_OK) {
        status = roam__local_gather(l);
    }
    sqlite3_stmt *s = roam__local_statement(l, SQL_OUTBOX_ADD);
    if (status != ROAM_POSIX_STATUS_OK || !s) {
        return roam__local_settle(l, ROAM_POSIX_STATUS_STORE);
    }
    roam__local_bind_u64(s, 1, m->client_msg_id);
    roam__local_bind_text(s, 2, m->conversation);
    roam__local_bind_text(s, 3, m->content_type);
    roam__local_bind_blob(s, 4, m->body);
    roam__local_bind_u64(s, 5, m->queued_ms);
    roam__local_bind_u64(s, 6, m->first_sent_ms);
    sqlite3_bind_int(s, 7, (int)m->kind);
    status = roam__local_finish(l, s);
    if (status != ROAM_POSIX_STATUS_OK &&
        sqlite3_errcode(l->db) == SQLITE_CONSTRAINT) {
        status = ROAM_POSIX_STATUS_BAD_ARGUMENT;
    }
    m->order = (uint64_t)sqlite3_last_insert_rowid(l->db);
    return roam__local_settle(l, status);
}

enum roam_posix_status roam_local_outbox_next(struct roam_local *l,
                                              uint64_t after,
                                              struct roam_local_outgoing *m,
                                              bool *found)
{
    *found = false;
    sqlite3_stmt *s = roam__local_statement(l, SQL_OUTBOX_NEXT);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    roam__local_bind_u64(s, 1, after);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_DONE) {
        sqlite3_reset(s);
        return ROAM_POSIX_STATUS_OK;
    }
    if (rc != SQLITE_ROW) {
        return roam__local_failed(l);
    }
    m->order = roam__local_u64(s, 0);
    m->client_msg_id = roam__local_u64(s, 1);
    m->conversation = roam__local_bytes(s, 2);
    m->content_type = roam__local_bytes(s, 3);
    m->body = roam__local_bytes(s, 4);
    m->queued_ms = roam__local_u64(s, 5);
    m->first_sent_ms = roam__local_u64(s, 6);
    m->kind = (enum roam_kind)sqlite3_column_int(s, 7);
    *found = true;
    return ROAM_POSIX_STATUS_OK;
}

/* One outbox statement with an id and, in one of them, a number. */
static enum roam_posix_status outbox_change(struct roam_local *l,
                                            enum roam__local_sql which,
                                            uint64_t client_msg_id,
                                            uint64_t value)
{
    enum roam_posix_status status = roam__local_gather(l);
    sqlite3_stmt *s = roam__local_statement(l, which);
    if (status != ROAM_POSIX_STATUS_OK || !s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    roam__local_bind_u64(s, 1, client_msg_id);
    if (which != SQL_OUTBOX_DROP) {
        roam__local_bind_u64(s, 2, value);
    }
    return roam__local_finish(l, s);
}

enum roam_posix_status roam_local_outbox_mark(struct roam_local *l,
                                              uint64_t client_msg_id,
                                              uint64_t first_sent_ms)
{
    return outbox_change(l, SQL_OUTBOX_MARK, client_msg_id, first_sent_ms);
}

enum roam_posix_status roam_local_outbox_drop(struct roam_local *l,
                                              uint64_t client_msg_id)
{
    return outbox_change(l, SQL_OUTBOX_DROP, client_msg_id, 0);
}

/* A GROUP that changed nothing is answered with the msg_id of another one,
 * or of whatever is the newest: a page tells, if it is there to be seen. */
static enum roam_posix_status take_answer(struct roam_local *l,
                                          const struct roam_entry_event *e,
                                          bool made, bool duplicate)
{
    if (e->kind == ROAM_KIND_GROUP && duplicate && !made) {
        return roam__local_hole_at(l, e->conversation, e->msg_id);
    }
    enum roam_posix_status status = roam__local_apply(l, e, WAY_ANSWER);
    /* Its members may have written before a RESET that came before this. */
    return status == ROAM_POSIX_STATUS_OK && made
               ? roam__local_run_at(l, SQL_HOLE_ABOVE, e->conversation,
                                    e->msg_id)
               : status;
}

static enum roam_posix_status answer_item(struct roam_local *l,
                                          sqlite3_stmt *item,
                                          const struct roam_local_sent *sent)
{
    struct roam_entry_event e;
    memset(&e, 0, sizeof e);
    e.msg_id = sent->msg_id;
    e.client_msg_id = sent->client_msg_id;
    e.kind = (uint32_t)sqlite3_column_int(item, 0);
    e.conversation = roam__local_bytes(item, 1);
    e.content_type = roam__local_bytes(item, 2);
    e.body = roam__local_bytes(item, 3);
    e.sender.data = (const uint8_t *)l->device.user;
    e.sender.len = strlen(l->device.user);
    bool made = sent->conversation.len > 0;
    if (made) {
        e.conversation = sent->conversation;
    }
    return take_answer(l, &e, made, sent->duplicate);
}

enum roam_posix_status roam_local_outbox_sent(
    struct roam_local *l, const struct roam_local_sent *sent)
{
    enum roam_posix_status status = roam__local_gather(l);
    sqlite3_stmt *s = roam__local_statement(l, SQL_OUTBOX_GET);
    if (status != ROAM_POSIX_STATUS_OK || !s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    roam__local_bind_u64(s, 1, sent->client_msg_id);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        status = answer_item(l, s, sent);
    } else if (rc != SQLITE_DONE) {
        status = roam__local_failed(l);
    }
    sqlite3_reset(s);
    if (rc != SQLITE_ROW || status != ROAM_POSIX_STATUS_OK) {
        return status;
    }
    status = roam_local_outbox_drop(l, sent->client_msg_id);
    return status == ROAM_POSIX_STATUS_OK ? roam__local_own_stored(l) : status;
}

/* ---------------------------------------------------------------- reading */

enum roam_posix_status roam_local_count(struct roam_local *l,
                                        struct roam_local_counts *counts)
{
    sqlite3_stmt *s = roam__local_statement(l, SQL_COUNT);
    if (!s || sqlite3_step(s) != SQLITE_ROW) {
        return roam__local_failed(l);
    }
    counts->messages = roam__local_u64(s, 0);
    counts->outbox = roam__local_u64(s, 1);
    counts->holes = roam__local_u64(s, 2);
    counts->unknown = roam__local_u64(s, 3);
    counts->survey_due = roam__local_u64(s, 4) != 0;
    sqlite3_reset(s);
    return ROAM_POSIX_STATUS_OK;
}
