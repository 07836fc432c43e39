/* SPDX-License-Identifier: Apache-2.0 */
/* SEND inside the transaction: who it goes to, what is against it, and the
 * message or the application's operation. [SEND-3] to [SEND-7], [SEND-19] */
#include "post.h"

#include "../core/fault.h"
#include "db.h"
#include "roam.pb.h"

/* A message or an operation that all parties see, between two users. */
static bool send_to_both(struct roam_writer *w, struct roam_post *post)
{
    bool added;
    bool found;

    if (!roam_post_add(w, post, &added)) {
        return false;
    }
    if (!added) {
        if (!roam_post_find_earlier(w, post, &found) || !found) {
            return false;
        }
        if (!ROAM_FAULT("dedup-forgotten")) {
            return true;
        }
    }
    return roam_post_prepare(w, post) && roam_post_deliver_all(w, post);
}

/* *error: the first of the faults that only the store knows and that concern
 * the conversation; 0: none. */
static bool judge(struct roam_writer *w, const struct roam_post *post,
                  uint32_t *error)
{
    const struct roam_store_send *send = post->send;
    bool refused;

    *error = 0;
    if (post->receiver == 0 || send->kind == roam_v1_Kind_GROUP) {
        *error = roam_v1_ErrorCode_NO_SUCH_CONVERSATION;
        return true;
    }
    if (send->kind == roam_v1_Kind_APP && send->operation.users.count > 0 &&
        !ROAM_FAULT("app-names-anybody")) {
        *error = roam_v1_ErrorCode_NO_SUCH_USER; /* [OP-12] */
        return true;
    }
    if (send->kind != roam_v1_Kind_MESSAGE && send->kind != roam_v1_Kind_APP) {
        return true;
    }
    if (!roam_policy_refuses(w, send->identity.user, post->receiver, send->kind,
                             &refused)) {
        return false;
    }
    *error = refused ? roam_v1_ErrorCode_POLICY : 0;
    return true;
}

/* To a user. A message that nothing is against finds a repetition by itself;
 * everything else looks for one first. */
static bool write_to_user(struct roam_writer *w, struct roam_post *post)
{
    uint32_t kind = post->send->kind;
    uint32_t error;
    bool found;

    if (!judge(w, post, &error)) {
        return false;
    }
    if (kind == roam_v1_Kind_MESSAGE && error == 0) {
        return send_to_both(w, post);
    }
    if (error != 0 && ROAM_FAULT("refusal-before-repetition")) {
        return roam_post_refuse(post, error);
    }
    if (!roam_post_find_earlier(w, post, &found)) {
        return false;
    }
    if (found) {
        return true;
    }
    if (error != 0) {
        return roam_post_refuse(post, error);
    }
    if (kind == roam_v1_Kind_APP) {
        post->part = ROAM_PART_OPERATIONS;
        return send_to_both(w, post);
    }
    return roam_write_operation(w, post);
}

bool roam_write_send(struct roam_writer *w, struct roam_store_request *req)
{
    struct roam_store_send *send = &req->u.send;
    struct roam_post post = {
        .req = req, .send = send, .part = ROAM_PART_MESSAGES};
    struct roam_slot slot;

    send->delivery_count = 0;
    if (!roam_writer_slot(w, send->identity.user, send->identity.device_type,
                          &slot)) {
        return false;
    }
    if (!roam_slot_holds(&slot, &send->identity)) { /* [KICK-5] */
        send->result = ROAM_SEND_FENCED;
        send->unheld = slot.device == 0;
        return true;
    }
    if (roam_group_id_looks_like(send->conversation)) {
        return roam_write_to_group(w, &post);
    }
    return roam_user_names_find(w->names, send->conversation, &post.receiver) &&
           write_to_user(w, &post);
}
