/* SPDX-License-Identifier: Apache-2.0 */
/* The memory store: SEND. Spec: section 7. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "fault.h"
#include "group_id.h"
#include "policy.h"
#include "roam.pb.h"
#include "store_mem_tables.h"

#define ROOM_MIN 16u

static bool same_bytes(struct roam_slice a, struct roam_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool roam__mem_post_refuse(struct roam__mem_post *post, uint32_t error)
{
    post->send->result = ROAM_SEND_REFUSED;
    post->send->error = error;
    return true;
}

bool roam__mem_post_stands(struct roam__mem_post *post, uint64_t msg_id)
{
    post->send->result = ROAM_SEND_DUPLICATE;
    post->send->msg_id = msg_id;
    return true;
}

/* ------------------------------------------------------------------ dedup */

struct roam__mem_message **roam__mem_bucket(struct roam__mem *mem, uint64_t id)
{
    return &mem->same[(id ^ id >> 32) % ROAM__MEM_BUCKETS];
}

/* The newest message that this user sent under this id, if it still counts.
 * Time that ran backwards makes nothing older. */
static struct roam__mem_message *find_earlier(
    struct roam__mem *mem, const struct roam_store_send *send)
{
    struct roam__mem_message *m = *roam__mem_bucket(mem, send->client_msg_id);
    while (m != NULL && (m->client_msg_id != send->client_msg_id ||
                         m->sender->id != send->identity.user)) {
        m = m->next_same;
    }
    if (m == NULL || ROAM_FAULT("dedup-forgotten")) {
        return NULL;
    }
    bool expired = mem->keep.dedup_ms != 0 && send->now_ms > m->stored_ms &&
                   send->now_ms - m->stored_ms >= mem->keep.dedup_ms;
    return expired ? NULL : m;
}

/* CREATE was sent to `#`, and has made the receiver; nothing else has its
 * body. */
static bool is_same_conversation(const struct roam__mem_message *m,
                                 const struct roam_store_send *send)
{
    bool created = m->receiver->group != NULL &&
                   send->operation.action == roam_v1_GroupAction_CREATE;
    return created
               ? roam_group_id_is_new(send->conversation)
               : same_bytes(roam__mem_name(m->receiver), send->conversation);
}

static bool is_same(const struct roam__mem_message *m,
                    const struct roam_store_send *send)
{
    if (ROAM_FAULT("dedup-content-ignored")) {
        return true;
    }
    return m->kind == send->kind && is_same_conversation(m, send) &&
           same_bytes(m->content_type, send->content_type) &&
           same_bytes(m->body, send->body);
}

/* ------------------------------------------------------------------- post */

bool roam__mem_post_new(struct roam__mem_post *post)
{
    const struct roam_store_send *send = post->send;
    size_t type_len = send->content_type.len;
    size_t body_len = send->body.len;
    struct roam__mem_message *m = roam__alloc(sizeof *m + type_len + body_len);
    post->message = m;
    if (m == NULL) {
        return false;
    }
    if (type_len > 0) {
        memcpy(m->data, send->content_type.data, type_len);
    }
    if (body_len > 0) {
        memcpy(m->data + type_len, send->body.data, body_len);
    }
    m->content_type = (struct roam_slice){m->data, type_len};
    m->body = (struct roam_slice){m->data + type_len, body_len};
    m->sender = post->sender;
    m->receiver = post->receiver;
    m->device = send->identity.device;
    m->generation = send->identity.generation;
    m->attempt = send->identity.attempt;
    m->client_msg_id = send->client_msg_id;
    m->stored_ms = send->now_ms;
    m->kind = send->kind;
    return true;
}

bool roam__mem_post_reserve(struct roam__mem_post *post,
                            struct roam__mem_user *user)
{
    if (!roam_store_send_reserve(post->send, post->send->delivery_room + 1)) {
        return false;
    }
    if (user->count < user->room) {
        return true;
    }
    size_t room = user->room == 0 ? ROOM_MIN : 2 * user->room;
    struct roam__mem_entry *entries =
        roam__resize(user->entries, room * sizeof *entries);
    if (entries == NULL) {
        return false;
    }
    user->entries = entries;
    user->room = room;
    return true;
}

bool roam__mem_post_show(struct roam__mem_post *post,
                         struct roam__mem_user *user)
{
    struct roam__mem_viewer *viewer = roam__alloc(sizeof *viewer);
    if (viewer == NULL) {
        return false;
    }
    viewer->user = user;
    viewer->next = post->message->viewers;
    post->message->viewers = viewer;
    post->message->is_private = true;
    return true;
}

void roam__mem_post_drop(struct roam__mem_post *post)
{
    roam__mem_message_free(post->message);
    post->message = NULL;
}

void roam__mem_post_store(struct roam__mem_post *post)
{
    struct roam__mem *mem = post->mem;
    struct roam_store_send *send = post->send;
    struct roam__mem_message *m = post->message;
    uint64_t clock = send->now_ms << ROAM_MSG_ID_TIME_SHIFT; /* [SEND-6] */
    uint64_t after_last = *post->last_msg_id + 1;
    m->msg_id = clock > after_last ? clock : after_last;
    *post->last_msg_id = m->msg_id;
    m->next = mem->messages;
    mem->messages = m;
    struct roam__mem_message **bucket = roam__mem_bucket(mem, m->client_msg_id);
    m->next_same = *bucket;
    *bucket = m;
    send->result = ROAM_SEND_STORED;
    send->msg_id = m->msg_id;
    send->sender_name = roam__mem_title(post->sender);
}

static uint64_t next_version(struct roam__mem *mem, struct roam__mem_user *user)
{
    if (ROAM_FAULT("version-reused") && user->head != 0) {
        return user->head;
    }
    uint64_t version = user->head + 1;
    if (!user->started && mem->random != NULL &&
        !ROAM_FAULT("start-without-skip")) { /* [CHAIN-8] */
        uint32_t skip;
        mem->random(mem->random_ctx, (uint8_t *)&skip, sizeof skip);
        version += 1 + (uint64_t)skip;
    }
    user->started = true;
    return version;
}

void roam__mem_post_deliver(struct roam__mem_post *post,
                            struct roam__mem_user *user,
                            struct roam_slice conversation,
                            struct roam_slice conversation_name)
{
    uint64_t version = next_version(post->mem, user);
    user->entries[user->count++] =
        (struct roam__mem_entry){version, user->head, post->message};
    struct roam_delivery *d = roam_store_send_deliver(post->send);
    d->user = user->id;
    d->version = version;
    d->prev_version = user->head;
    d->conversation = conversation;
    d->conversation_name = conversation_name;
    user->head = version;
    roam__mem_trim_excess(post->mem, user);
}

/* ------------------------------------------------------- between two users */

static void deliver_own(struct roam__mem_post *post)
{
    roam__mem_post_deliver(post, post->sender, roam__mem_name(post->receiver),
                           roam__mem_title(post->receiver));
}

bool roam__mem_post_own(struct roam__mem_post *post)
{
    if (!roam__mem_post_reserve(post, post->sender)) {
        return false;
    }
    roam__mem_post_store(post);
    deliver_own(post);
    return true;
}

bool roam__mem_post_both(struct roam__mem_post *post)
{
    if (post->receiver->group != NULL) {
        return roam__mem_post_members(post);
    }
    if (!roam__mem_post_reserve(post, post->sender) ||
        !roam__mem_post_reserve(post, post->receiver)) {
        return false;
    }
    roam__mem_post_store(post);
    deliver_own(post);
    if (post->sender != post->receiver) { /* [PUSH-3] */
        roam__mem_post_deliver(post, post->receiver,
                               roam__mem_name(post->sender),
                               roam__mem_title(post->sender));
    }
    return true;
}

/* What the two have in common, on the side of the lower id. NULL without
 * memory. */
static struct roam__mem_pair *find_pair(struct roam__mem_user *a,
                                        struct roam__mem_user *b)
{
    struct roam__mem_user *low = a->id < b->id ? a : b;
    struct roam__mem_user *high = a->id < b->id ? b : a;
    struct roam__mem_pair *pair = low->pairs;
    while (pair != NULL && pair->other != high->id) {
        pair = pair->next;
    }
    if (pair == NULL) {
        pair = roam__alloc(sizeof *pair);
        if (pair != NULL) {
            pair->other = high->id;
            pair->next = low->pairs;
            low->pairs = pair;
        }
    }
    return pair;
}

/* ------------------------------------------------------ news of a device */

bool roam__mem_news_new(struct roam__mem_post *post)
{
    struct roam__mem_pair *pair = find_pair(post->sender, post->sender);
    post->receiver = post->sender;
    if (pair == NULL || !roam__mem_post_new(post)) {
        return false;
    }
    post->last_msg_id = &pair->last_msg_id;
    post->message->is_private = true; /* of nobody's history */
    if (!roam__mem_post_reserve(post, post->sender)) {
        roam__mem_post_drop(post);
        return false;
    }
    return true;
}

void roam__mem_news_store(struct roam__mem_post *post)
{
    post->send->sender = roam__mem_name(post->sender);
    roam__mem_post_store(post);
    deliver_own(post);
}

/* -------------------------------------------------------------- judgement */

static bool has_blocked(const struct roam__mem_user *user,
                        const struct roam__mem_user *other)
{
    const struct roam__mem_block *block = user->blocks;
    while (block != NULL && block->other != other) {
        block = block->next;
    }
    return block != NULL && !block->lifted;
}

static bool has_spoken(const struct roam__mem *mem,
                       const struct roam__mem_user *user,
                       const struct roam__mem_user *other)
{
    const struct roam__mem_message *m = mem->messages;
    while (m != NULL &&
           (m->is_private || m->sender != user || m->receiver != other)) {
        m = m->next;
    }
    return m != NULL;
}

bool roam__mem_policy_refuses(const struct roam__mem *mem,
                              const struct roam__mem_user *sender,
                              const struct roam__mem_user *receiver,
                              uint32_t kind)
{
    struct roam_policy_facts facts = {
        .kind = kind,
        .blocked = has_blocked(receiver, sender),
        .strangers_ask = mem->settings.strangers_ask,
        .known = has_spoken(mem, receiver, sender)};
    return sender != receiver && !roam_policy_allows(&facts);
}

/* The first of the faults that concern the conversation; 0: none.
 * [SEND-19] */
static uint32_t judge(const struct roam__mem_post *post)
{
    const struct roam_store_send *send = post->send;
    if (post->receiver == NULL || send->kind == roam_v1_Kind_GROUP) {
        return roam_v1_ErrorCode_NO_SUCH_CONVERSATION;
    }
    if (send->kind == roam_v1_Kind_APP && send->operation.users.count > 0) {
        return roam_v1_ErrorCode_NO_SUCH_USER; /* [OP-12] */
    }
    bool is_asked =
        send->kind == roam_v1_Kind_MESSAGE || send->kind == roam_v1_Kind_APP;
    return is_asked && roam__mem_policy_refuses(post->mem, post->sender,
                                                post->receiver, send->kind)
               ? roam_v1_ErrorCode_POLICY
               : 0;
}

/* ------------------------------------------------------------------- send */

/* Nothing is against it. */
static bool carry_out(struct roam__mem_post *post)
{
    uint32_t kind = post->send->kind;
    struct roam__mem_pair *pair = find_pair(post->sender, post->receiver);
    if (pair == NULL) {
        return false;
    }
    post->last_msg_id = &pair->last_msg_id;
    if (kind != roam_v1_Kind_MESSAGE && kind != roam_v1_Kind_APP) {
        return roam__mem_operation(post);
    }
    if (!roam__mem_post_new(post)) {
        return false;
    }
    if (!roam__mem_post_both(post)) {
        roam__mem_post_drop(post);
        return false;
    }
    return true;
}

bool roam__mem_send(struct roam__mem *mem, struct roam_store_request *req)
{
    struct roam_store_send *send = &req->u.send;
    struct roam__mem_post post = {.mem = mem, .send = send};
    post.sender = roam__mem_user_by_id(mem, send->identity.user);
    send->sender = roam__mem_name(post.sender);
    const struct roam_slot *slot =
        &post.sender->slots[send->identity.device_type];
    if (!roam_slot_holds(slot, &send->identity)) { /* [KICK-5] */
        send->result = ROAM_SEND_FENCED;
        send->unheld = slot->device == 0;
        return true;
    }
    const struct roam__mem_message *earlier = find_earlier(mem, send);
    if (earlier != NULL) {
        if (send->operation.action == roam_v1_GroupAction_CREATE) {
            send->made = roam__mem_name(earlier->receiver); /* [GRP-1] */
        }
        return is_same(earlier, send) /* [SEND-4], [SEND-5] */
                   ? roam__mem_post_stands(&post, earlier->msg_id)
                   : roam__mem_post_refuse(&post, roam_v1_ErrorCode_ID_REUSED);
    }
    if (roam_group_id_looks_like(send->conversation)) {
        return roam__mem_send_to_group(&post);
    }
    post.receiver = roam__mem_user(mem, (const char *)send->conversation.data,
                                   send->conversation.len);
    uint32_t error = judge(&post);
    return error != 0 ? roam__mem_post_refuse(&post, error) : carry_out(&post);
}
