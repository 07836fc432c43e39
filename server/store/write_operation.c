/* SPDX-License-Identifier: Apache-2.0 */
/* RECALL, DELETE and READ inside the transaction. Each looks at its target
 * first: what changes nothing writes nothing. [OP-1] to [OP-5] */
#include "post.h"

#include "../core/fault.h"
#include "content_hash.h"
#include "db.h"
#include "roam.pb.h"

static void bind_pair(sqlite3_stmt *stmt, const struct roam_post *post)
{
    int64_t user = post->send->identity.user;

    sqlite3_bind_int64(stmt, 1, roam_db_low(user, post->receiver));
    sqlite3_bind_int64(stmt, 2, roam_db_high(user, post->receiver));
}

/* The row of an operation, whose client_msg_id was looked for before. */
static bool add(struct roam_writer *w, struct roam_post *post, uint32_t part)
{
    bool added;

    post->part = part;
    return roam_post_add(w, post, &added) && added &&
           roam_post_prepare(w, post);
}

/* Does the sender see the target, if all parties of the conversation do? In a
 * group that is so in the sender's spans. [GRP-15] */
static bool sees_target(struct roam_writer *w, const struct roam_post *post,
                        bool *yes)
{
    const struct roam_store_send *send = post->send;

    *yes = true;
    return post->receiver > 0 || ROAM_FAULT("hidden-row-told") ||
           roam_groups_in_span(&w->groups, post->receiver, send->identity.user,
                               send->operation.msg_id, yes);
}

/* ---------------------------------------------------------------- RECALL */

struct target {
    int64_t row; /* 0: there is none */
    int64_t sender;
    uint32_t kind;
    uint64_t undone_by;
};

static bool find_message(struct roam_writer *w, const struct roam_post *post,
                         struct target *target)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_MESSAGE_AT];

    *target = (struct target){0};
    bind_pair(stmt, post);
    roam_db_bind_u64(stmt, 3, post->send->operation.msg_id);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        target->row = sqlite3_column_int64(stmt, 0);
        target->sender = sqlite3_column_int64(stmt, 1);
        target->kind = (uint32_t)sqlite3_column_int64(stmt, 2);
        target->undone_by = roam_db_u64(stmt, 3);
    }
    sqlite3_reset(stmt);
    bool seen;
    if (!sees_target(w, post, &seen)) {
        return false;
    }
    target->row = seen ? target->row : 0;
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* By the server's clock, from the time in the msg_id. */
static bool is_too_late(const struct roam_writer *w,
                        const struct roam_store_send *send)
{
    uint64_t limit = w->settings.recall_ms;
    uint64_t sent = send->operation.msg_id >> ROAM_MSG_ID_TIME_SHIFT;

    return limit != 0 && send->now_ms > sent && send->now_ms - sent > limit;
}

/* What it was is gone, but for its hash. [OP-3] */
static bool erase(struct roam_writer *w, int64_t row, uint64_t undone_by)
{
    sqlite3_stmt *content = w->stmt[ROAM_WRITER_CONTENT];
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_ERASE];
    uint8_t hash[ROAM_CONTENT_HASH_BYTES];

    sqlite3_bind_int64(content, 1, row);
    bool ok = sqlite3_step(content) == SQLITE_ROW &&
              roam_content_hash(roam_db_column(content, 0),
                                roam_db_column(content, 1), hash);
    sqlite3_reset(content);
    if (!ok) {
        return false;
    }
    sqlite3_bind_int64(stmt, 1, row);
    sqlite3_bind_blob(stmt, 2, hash, sizeof(hash), SQLITE_STATIC);
    roam_db_bind_u64(stmt, 3, undone_by);
    return roam_db_run(stmt) == SQLITE_OK;
}

/* The fault: what is other people's is told from what is not there. */
static bool is_elsewhere(struct roam_writer *w, uint64_t msg_id)
{
    char *sql = sqlite3_mprintf("SELECT 1 FROM message WHERE msg_id = %lld",
                                (long long)msg_id);
    sqlite3_stmt *stmt = NULL;
    bool found = sql != NULL &&
                 sqlite3_prepare_v2(w->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
                 sqlite3_step(stmt) == SQLITE_ROW;

    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return found;
}

static bool recall(struct roam_writer *w, struct roam_post *post)
{
    struct roam_store_send *send = post->send;
    struct target target;

    if (!find_message(w, post, &target)) {
        return false;
    }
    if (target.row == 0 && ROAM_FAULT("foreign-message-told") &&
        is_elsewhere(w, send->operation.msg_id)) {
        return roam_post_refuse(post, roam_v1_ErrorCode_FORBIDDEN);
    }
    if (target.row == 0) {
        return roam_post_refuse(post, roam_v1_ErrorCode_NO_SUCH_MESSAGE);
    }
    if (target.sender != send->identity.user &&
        !ROAM_FAULT("recall-by-anybody")) {
        return roam_post_refuse(post, roam_v1_ErrorCode_FORBIDDEN);
    }
    if (target.undone_by != 0 && !ROAM_FAULT("recall-twice")) {
        return roam_post_stands(post, target.undone_by);
    }
    if (is_too_late(w, send) && !ROAM_FAULT("recall-any-time")) {
        return roam_post_refuse(post, roam_v1_ErrorCode_TOO_LATE);
    }
    return add(w, post, ROAM_PART_OPERATIONS) &&
           (ROAM_FAULT("recall-keeps-body") ||
            erase(w, target.row, send->msg_id)) &&
           roam_post_deliver_all(w, post);
}

/* ---------------------------------------------------------------- DELETE */

/* A row of the history as the sender sees it; 0: there is none. */
static bool find_row(struct roam_writer *w, const struct roam_post *post,
                     int64_t *row)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_ROW_AT];

    bind_pair(stmt, post);
    roam_db_bind_u64(stmt, 3, post->send->operation.msg_id);
    sqlite3_bind_int64(stmt, 4, post->send->identity.user);
    sqlite3_bind_int64(stmt, 5, post->receiver);
    int rc = sqlite3_step(stmt);
    *row = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    bool own = rc == SQLITE_ROW && sqlite3_column_int64(stmt, 1) != 0;
    sqlite3_reset(stmt);
    bool seen;
    if (!sees_target(w, post, &seen)) {
        return false;
    }
    *row = seen || own ? *row : 0;
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* The msg_id of the user's DELETE of that row; 0: there is none. */
static bool find_deletion(struct roam_writer *w, int64_t row, int64_t user,
                          uint64_t *msg_id)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_DELETION];

    sqlite3_bind_int64(stmt, 1, row);
    sqlite3_bind_int64(stmt, 2, user);
    int rc = sqlite3_step(stmt);
    *msg_id = rc == SQLITE_ROW ? roam_db_u64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

static bool add_deletion(struct roam_writer *w, int64_t row,
                         const struct roam_store_send *send)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_DELETION_ADD];

    sqlite3_bind_int64(stmt, 1, row);
    sqlite3_bind_int64(stmt, 2, send->identity.user);
    roam_db_bind_u64(stmt, 3, send->msg_id);
    return roam_db_run(stmt) == SQLITE_OK;
}

static bool delete_for_me(struct roam_writer *w, struct roam_post *post)
{
    struct roam_store_send *send = post->send;
    uint64_t standing = 0;
    int64_t row;

    if (!find_row(w, post, &row)) {
        return false;
    }
    if (row == 0 && ROAM_FAULT("delete-of-nothing")) {
        return roam_post_stands(post, send->operation.msg_id);
    }
    if (row == 0) {
        return roam_post_refuse(post, roam_v1_ErrorCode_NO_SUCH_MESSAGE);
    }
    if (!find_deletion(w, row, send->identity.user, &standing)) {
        return false;
    }
    if (standing != 0) {
        return roam_post_stands(post, standing);
    }
    bool to_all = ROAM_FAULT("delete-for-all");
    return add(w, post, ROAM_PART_PRIVATE) && add_deletion(w, row, send) &&
           roam_post_show(w, post, send->identity.user) &&
           (to_all ? roam_post_deliver_all(w, post)
                   : roam_post_deliver_own(w, post));
}

/* ------------------------------------------------------------------ READ */

struct mark {
    uint64_t msg_id;  /* read up to here; 0: nothing */
    uint64_t read_id; /* msg_id of the READ that says so */
    int64_t read_row;
};

static bool find_newest(struct roam_writer *w, const struct roam_post *post,
                        uint64_t *newest)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_NEWEST];
    uint64_t until = ROAM_VERSION_MAX;

    if (post->receiver < 0 &&
        !roam_groups_seen_until(&w->groups, post->receiver,
                                post->send->identity.user, &until)) {
        return false;
    }
    bind_pair(stmt, post);
    roam_db_bind_u64(stmt, 5, until);
    sqlite3_bind_int64(stmt, 3, post->send->identity.user);
    sqlite3_bind_int64(stmt, 4, post->receiver);
    bool found = sqlite3_step(stmt) == SQLITE_ROW;
    *newest = found ? roam_db_u64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return found;
}

static bool find_mark(struct roam_writer *w, const struct roam_post *post,
                      struct mark *mark)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_MARK];

    *mark = (struct mark){0};
    sqlite3_bind_int64(stmt, 1, post->send->identity.user);
    sqlite3_bind_int64(stmt, 2, post->receiver);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        mark->msg_id = roam_db_u64(stmt, 0);
        mark->read_id = roam_db_u64(stmt, 1);
        mark->read_row = sqlite3_column_int64(stmt, 2);
    }
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

static bool set_mark(struct roam_writer *w, const struct roam_post *post)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_MARK_SET];

    sqlite3_bind_int64(stmt, 1, post->send->identity.user);
    sqlite3_bind_int64(stmt, 2, post->receiver);
    roam_db_bind_u64(stmt, 3, post->send->operation.msg_id);
    roam_db_bind_u64(stmt, 4, post->send->msg_id);
    sqlite3_bind_int64(stmt, 5, post->row);
    return roam_db_run(stmt) == SQLITE_OK && sqlite3_changes(w->db) == 1;
}

/* The older READ's entry is a NOOP from now on. Its row may be gone for its
 * age, and its number be another message's by now. */
static bool supersede(struct roam_writer *w, const struct mark *mark,
                      uint64_t by)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_UNDO];

    if (mark->read_row == 0 || ROAM_FAULT("old-read-stays")) {
        return true;
    }
    sqlite3_bind_int64(stmt, 1, mark->read_row);
    roam_db_bind_u64(stmt, 2, by);
    roam_db_bind_u64(stmt, 3, mark->read_id);
    return roam_db_run(stmt) == SQLITE_OK;
}

static bool read_up_to(struct roam_writer *w, struct roam_post *post)
{
    struct roam_store_send *send = post->send;
    uint64_t newest;
    struct mark mark;

    if (!find_newest(w, post, &newest) || !find_mark(w, post, &mark)) {
        return false;
    }
    if (send->operation.msg_id > newest) {
        return roam_post_refuse(post, roam_v1_ErrorCode_NO_SUCH_MESSAGE);
    }
    if (send->operation.msg_id <= mark.msg_id &&
        !ROAM_FAULT("mark-goes-back")) {
        return roam_post_stands(post, mark.read_id);
    }
    bool to_all = ROAM_FAULT("read-for-all");
    return add(w, post, ROAM_PART_PRIVATE) &&
           supersede(w, &mark, send->msg_id) && set_mark(w, post) &&
           (to_all ? roam_post_deliver_all(w, post)
                   : roam_post_deliver_own(w, post));
}

bool roam_write_operation(struct roam_writer *w, struct roam_post *post)
{
    switch (post->send->kind) {
    case roam_v1_Kind_RECALL:
        return recall(w, post);
    case roam_v1_Kind_DELETE:
        return delete_for_me(w, post);
    case roam_v1_Kind_READ:
        return read_up_to(w, post);
    default:
        return roam_post_refuse(post, roam_v1_ErrorCode_KIND_UNKNOWN);
    }
}
