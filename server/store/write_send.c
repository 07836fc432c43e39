/* SPDX-License-Identifier: Apache-2.0 */
/* SEND inside the transaction: one row for the message, one for each
 * timeline that it is on. [SEND-3] to [SEND-7], [PUSH-1], [PUSH-3] */
#include "writer.h"

#include <string.h>

#include "../core/alloc.h"
#include "../core/fault.h"
#include "db.h"

/* Sender and receiver. */
#define DELIVERIES_MAX 2

static bool same(struct roam_slice a, struct roam_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* *added false: the client_msg_id was used before. */
static bool add_message(struct roam_writer *w,
                        const struct roam_store_send *send, int64_t receiver,
                        bool *added)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_MESSAGE_ADD];

    roam_db_bind_u64(stmt, 1, send->msg_id);
    sqlite3_bind_int64(stmt, 2, send->identity.user);
    sqlite3_bind_int64(stmt, 3, receiver);
    sqlite3_bind_int64(stmt, 4, send->identity.device);
    roam_db_bind_u64(stmt, 5, send->identity.generation);
    roam_db_bind_u64(stmt, 6, send->identity.attempt);
    roam_db_bind_u64(stmt, 7, send->client_msg_id);
    sqlite3_bind_int64(stmt, 8, send->kind);
    roam_db_bind_text(stmt, 9, send->content_type);
    roam_db_bind_blob(stmt, 10, send->body);
    bool ok = roam_db_run(stmt) == SQLITE_OK;
    *added = ok && sqlite3_changes(w->db) == 1;
    return ok;
}

/* The answer to a client_msg_id that was used before. *message is the row
 * of the first message. */
static bool answer_again(struct roam_writer *w, struct roam_store_send *send,
                         int64_t receiver, int64_t *message)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_MESSAGE_FIRST];

    sqlite3_bind_int64(stmt, 1, send->identity.user);
    roam_db_bind_u64(stmt, 2, send->client_msg_id);
    bool found = sqlite3_step(stmt) == SQLITE_ROW;
    if (found) {
        bool equal = sqlite3_column_int64(stmt, 2) == receiver &&
                     sqlite3_column_int64(stmt, 3) == send->kind &&
                     same(roam_db_column(stmt, 4), send->content_type) &&
                     same(roam_db_column(stmt, 5), send->body);
        *message = sqlite3_column_int64(stmt, 0);
        send->msg_id = roam_db_u64(stmt, 1);
        send->result = equal || ROAM_FAULT("dedup-content-ignored")
                           ? ROAM_SEND_DUPLICATE
                           : ROAM_SEND_ID_REUSED;
    }
    sqlite3_reset(stmt);
    return found;
}

/* Memory for the answer; without it the whole group fails. The sender's
 * name is also the conversation, as the receiver sees it. */
static bool prepare_answer(struct roam_writer *w,
                           struct roam_store_request *req)
{
    struct roam_store_send *send = &req->u.send;
    struct roam_slice name = roam_user_names_get(w->names, send->identity.user);

    req->results = roam__alloc(ROAM_USER_MAX);
    send->deliveries = roam__alloc(DELIVERIES_MAX * sizeof(*send->deliveries));
    if (name.len == 0 || req->results == NULL || send->deliveries == NULL) {
        return false;
    }
    memcpy(req->results, name.data, name.len);
    send->sender = (struct roam_slice){req->results, name.len};
    return true;
}

static bool deliver(struct roam_writer *w, struct roam_store_send *send,
                    int64_t user, struct roam_slice conversation,
                    int64_t message)
{
    struct roam_delivery *d = &send->deliveries[send->delivery_count];

    d->user = user;
    d->conversation = conversation;
    send->delivery_count++;
    return roam_timelines_append(&w->timelines, user, message, &d->version,
                                 &d->prev_version);
}

static bool deliver_to_both(struct roam_writer *w, struct roam_store_send *send,
                            int64_t receiver, int64_t message)
{
    int64_t sender = send->identity.user;

    send->result = ROAM_SEND_STORED;
    if (!deliver(w, send, sender, send->conversation, message)) {
        return false;
    }
    return receiver == sender ||
           deliver(w, send, receiver, send->sender, message);
}

/* The two have their first message: each has a conversation more. */
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

static bool store_message(struct roam_writer *w, struct roam_store_request *req,
                          int64_t receiver)
{
    struct roam_store_send *send = &req->u.send;
    int64_t sender = send->identity.user;
    int64_t message = 0;
    bool added;
    bool first;

    if (!roam_msg_ids_next(&w->msg_ids, sender, receiver, send->now_ms,
                           &send->msg_id, &first) ||
        !add_message(w, send, receiver, &added)) {
        return false;
    }
    if (added) {
        message = sqlite3_last_insert_rowid(w->db);
        if (!roam_msg_ids_used(&w->msg_ids, sender, receiver, send->msg_id) ||
            (first && !add_conversation(w, sender, receiver))) {
            return false;
        }
    } else {
        if (!answer_again(w, send, receiver, &message)) {
            return false;
        }
        if (!ROAM_FAULT("dedup-forgotten")) {
            return true;
        }
    }
    return prepare_answer(w, req) &&
           deliver_to_both(w, send, receiver, message);
}

bool roam_write_send(struct roam_writer *w, struct roam_store_request *req)
{
    struct roam_store_send *send = &req->u.send;
    struct roam_slot slot;
    int64_t receiver;

    send->delivery_count = 0;
    if (!roam_writer_slot(w, send->identity.user, send->identity.device_type,
                          &slot)) {
        return false;
    }
    if (!roam_slot_holds(&slot, &send->identity)) { /* [KICK-5] */
        send->result = ROAM_SEND_FENCED;
        return true;
    }
    if (!roam_user_names_find(w->names, send->conversation, &receiver)) {
        return false;
    }
    if (receiver == 0) {
        send->result = ROAM_SEND_NO_CONVERSATION;
        return true;
    }
    return store_message(w, req, receiver);
}
