/* SPDX-License-Identifier: Apache-2.0 */
/* See post.h. [SEND-3] to [SEND-6], [PUSH-1], [PUSH-3] */
#include "post.h"

#include <string.h>

#include "../core/alloc.h"
#include "../core/fault.h"
#include "content_hash.h"
#include "db.h"
#include "roam.pb.h"

bool roam_post_refuse(struct roam_post *post, uint32_t error)
{
    post->send->result = ROAM_SEND_REFUSED;
    post->send->error = error;
    return true;
}

bool roam_post_stands(struct roam_post *post, uint64_t msg_id)
{
    post->send->result = ROAM_SEND_DUPLICATE;
    post->send->msg_id = msg_id;
    return true;
}

/* ----------------------------------------------------------------- dedup */

enum first_column {
    FIRST_ROW,
    FIRST_MSG_ID,
    FIRST_RECEIVER,
    FIRST_KIND,
    FIRST_CONTENT_TYPE,
    FIRST_BODY,
    FIRST_UNDONE_BY
};

static bool same(struct roam_slice a, struct roam_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Of a recalled message only the hash is left. */
static bool same_content(sqlite3_stmt *row, const struct roam_store_send *send,
                         bool *ok)
{
    struct roam_slice body = roam_db_column(row, FIRST_BODY);
    bool erased = send->kind == roam_v1_Kind_MESSAGE &&
                  sqlite3_column_int64(row, FIRST_UNDONE_BY) != 0;
    uint8_t hash[ROAM_CONTENT_HASH_BYTES];

    *ok = true;
    if (erased && ROAM_FAULT("recall-forgets-content")) {
        return true;
    }
    if (!erased) {
        return same(roam_db_column(row, FIRST_CONTENT_TYPE),
                    send->content_type) &&
               same(body, send->body);
    }
    *ok = roam_content_hash(send->content_type, send->body, hash);
    return same(body, (struct roam_slice){hash, sizeof(hash)});
}

/* Before it is carried out, CREATE has no receiver; nothing else has its
 * body. */
static bool same_receiver(struct roam_post *post, int64_t first)
{
    if (roam_post_is_create(post->send) && first < 0) {
        post->receiver = first;
    }
    return first == post->receiver;
}

static bool answer_again(struct roam_post *post, sqlite3_stmt *row)
{
    struct roam_store_send *send = post->send;
    bool ok;
    bool equal =
        same_receiver(post, sqlite3_column_int64(row, FIRST_RECEIVER)) &&
        sqlite3_column_int64(row, FIRST_KIND) == send->kind &&
        same_content(row, send, &ok);

    post->row = sqlite3_column_int64(row, FIRST_ROW);
    if (equal || ROAM_FAULT("dedup-content-ignored")) {
        return roam_post_stands(post, roam_db_u64(row, FIRST_MSG_ID));
    }
    return roam_post_refuse(post, roam_v1_ErrorCode_ID_REUSED);
}

/* The fault: what has been removed from the sender's timeline is not known any
 * more. [KEEP-4] */
static bool is_forgotten(struct roam_writer *w, const struct roam_post *post)
{
    char *sql = sqlite3_mprintf(
        "SELECT 1 FROM timeline WHERE user = %lld AND message = %lld",
        (long long)post->send->identity.user, (long long)post->row);
    sqlite3_stmt *stmt = NULL;
    bool there = sql != NULL &&
                 sqlite3_prepare_v2(w->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
                 sqlite3_step(stmt) == SQLITE_ROW;

    sqlite3_finalize(stmt);
    sqlite3_free(sql);
    return !there;
}

bool roam_post_find_earlier(struct roam_writer *w, struct roam_post *post,
                            bool *found)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_MESSAGE_FIRST];

    sqlite3_bind_int64(stmt, 1, post->send->identity.user);
    roam_db_bind_u64(stmt, 2, post->send->client_msg_id);
    int rc = sqlite3_step(stmt);
    *found = rc == SQLITE_ROW;
    bool ok = rc == SQLITE_DONE || (*found && answer_again(post, stmt));
    sqlite3_reset(stmt);
    if (*found && ROAM_FAULT("removed-is-forgotten") && is_forgotten(w, post)) {
        return roam_post_refuse(post, roam_v1_ErrorCode_ID_REUSED);
    }
    return ok;
}

/* ------------------------------------------------------------------- row */

/* The two have their first message: each has a conversation more. A group's
 * are made with its members. */
static bool add_conversation(struct roam_writer *w, int64_t user, int64_t peer)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_CONVERSATION_ADD];

    sqlite3_bind_int64(stmt, 1, user);
    sqlite3_bind_int64(stmt, 2, peer);
    if (roam_db_run(stmt) != SQLITE_OK) {
        return false;
    }
    sqlite3_bind_int64(stmt, 1, peer); /* the same one, for a note to self */
    sqlite3_bind_int64(stmt, 2, user);
    return roam_db_run(stmt) == SQLITE_OK;
}

static bool insert(struct roam_writer *w, const struct roam_post *post)
{
    const struct roam_store_send *send = post->send;
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_MESSAGE_ADD];

    roam_db_bind_u64(stmt, 1, send->msg_id);
    sqlite3_bind_int64(stmt, 2, send->identity.user);
    sqlite3_bind_int64(stmt, 3, post->receiver);
    sqlite3_bind_int64(stmt, 4, send->identity.device);
    roam_db_bind_u64(stmt, 5, send->identity.generation);
    roam_db_bind_u64(stmt, 6, send->identity.attempt);
    if (send->client_msg_id != 0) {
        roam_db_bind_u64(stmt, 7, send->client_msg_id);
    } else {
        sqlite3_bind_null(stmt, 7); /* the server's own conflicts with none */
    }
    sqlite3_bind_int64(stmt, 8, send->kind);
    roam_db_bind_text(stmt, 9, send->content_type);
    roam_db_bind_blob(stmt, 10, send->body);
    sqlite3_bind_int64(stmt, 11, post->part);
    return roam_db_run(stmt) == SQLITE_OK;
}

bool roam_post_add(struct roam_writer *w, struct roam_post *post, bool *added)
{
    struct roam_store_send *send = post->send;
    int64_t sender = send->identity.user;
    bool first;

    if (!roam_msg_ids_next(&w->msg_ids, sender, post->receiver, send->now_ms,
                           &send->msg_id, &first) ||
        !insert(w, post)) {
        return false;
    }
    *added = sqlite3_changes(w->db) == 1;
    if (!*added) {
        return true;
    }
    post->row = sqlite3_last_insert_rowid(w->db);
    return roam_msg_ids_used(&w->msg_ids, sender, post->receiver,
                             send->msg_id) &&
           (!first || post->receiver < 0 ||
            add_conversation(w, sender, post->receiver));
}

/* ---------------------------------------------------------------- answer */

static struct roam_slice keep(char *room, const char *text, size_t len)
{
    if (len > 0) {
        memcpy(room, text, len);
    }
    return (struct roam_slice){(const uint8_t *)room, len};
}

/* The receiver's name is read first: the next look may take its place. */
bool roam_post_prepare(struct roam_writer *w, struct roam_post *post)
{
    struct roam_store_send *send = post->send;
    struct roam_post_texts *texts = roam__alloc(sizeof(*texts));
    const struct roam_user_name *user;

    post->req->results = (uint8_t *)texts;
    if (texts == NULL || !roam_store_send_reserve(send, 2)) {
        return false;
    }
    if (post->receiver > 0) {
        user = roam_user_names_entry(w->names, post->receiver);
        if (user == NULL) {
            return false;
        }
        post->receiver_name = keep(texts->name, user->title, user->title_len);
    } else {
        post->receiver_name =
            keep(texts->name, post->group->name, post->group->name_len);
    }
    if (post->has_made) {
        send->made = keep(texts->made, post->made, sizeof(post->made));
    }
    user = roam_user_names_entry(w->names, send->identity.user);
    if (user == NULL) {
        return false;
    }
    send->sender = keep(texts->sender, user->text, user->len);
    send->sender_name = keep(texts->sender_name, user->title, user->title_len);
    send->result = ROAM_SEND_STORED;
    return true;
}

/* -------------------------------------------------------------- audience */

bool roam_post_deliver(struct roam_writer *w, struct roam_post *post,
                       int64_t user, struct roam_slice conversation,
                       struct roam_slice conversation_name)
{
    struct roam_delivery *d = roam_store_send_deliver(post->send);

    if (d == NULL) {
        return false;
    }
    d->user = user;
    d->conversation = conversation;
    d->conversation_name = conversation_name;
    return roam_timelines_append(&w->timelines, user, post->row, &d->version,
                                 &d->prev_version);
}

bool roam_post_deliver_own(struct roam_writer *w, struct roam_post *post)
{
    return roam_post_deliver(w, post, post->send->identity.user,
                             post->send->conversation, post->receiver_name);
}

bool roam_post_deliver_all(struct roam_writer *w, struct roam_post *post)
{
    const struct roam_store_send *send = post->send;

    if (post->receiver < 0) {
        return roam_post_deliver_members(w, post);
    }
    if (!ROAM_FAULT("sender-left-out") && !roam_post_deliver_own(w, post)) {
        return false;
    }
    return (post->receiver == send->identity.user &&
            !ROAM_FAULT("note-twice")) ||
           roam_post_deliver(w, post, post->receiver, send->sender,
                             send->sender_name);
}

bool roam_post_show(struct roam_writer *w, struct roam_post *post, int64_t user)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_PRIVATE_ADD];
    int64_t sender = post->send->identity.user;
    bool other = post->receiver > 0 && user == post->receiver;

    sqlite3_bind_int64(stmt, 1, user);
    sqlite3_bind_int64(stmt, 2, other ? sender : post->receiver);
    roam_db_bind_u64(stmt, 3, post->send->msg_id);
    sqlite3_bind_int64(stmt, 4, post->row);
    return roam_db_run(stmt) == SQLITE_OK;
}
