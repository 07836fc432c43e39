/* SPDX-License-Identifier: Apache-2.0 */
/* The memory store: messages, timelines, what a cursor means. Spec: sections
 * 6 and 7. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "fault.h"
#include "roam.pb.h"
#include "store_mem_tables.h"

#define ROOM_MIN 16u

struct roam_slice roam__mem_name(const struct roam__mem_user *user)
{
    return (struct roam_slice){(const uint8_t *)user->name, strlen(user->name)};
}

static bool same_bytes(struct roam_slice a, struct roam_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* ------------------------------------------------------------------ dedup */

static struct roam__mem_message **bucket_of(struct roam__mem *mem, uint64_t id)
{
    return &mem->same[(id ^ id >> 32) % ROAM__MEM_BUCKETS];
}

/* The newest message that this user sent under this id, if it still counts.
 * Time that ran backwards makes nothing older. */
static struct roam__mem_message *find_earlier(
    struct roam__mem *mem, const struct roam_store_send *send)
{
    struct roam__mem_message *m = *bucket_of(mem, send->client_msg_id);
    while (m != NULL && (m->client_msg_id != send->client_msg_id ||
                         m->sender->id != send->identity.user)) {
        m = m->next_same;
    }
    if (m == NULL || ROAM_FAULT("dedup-forgotten")) {
        return NULL;
    }
    bool expired = send->now_ms > m->stored_ms &&
                   send->now_ms - m->stored_ms >= mem->dedup_ms;
    return expired ? NULL : m;
}

static bool is_same(const struct roam__mem_message *m,
                    const struct roam_store_send *send)
{
    if (ROAM_FAULT("dedup-content-ignored")) {
        return true;
    }
    return m->kind == send->kind &&
           same_bytes(roam__mem_name(m->receiver), send->conversation) &&
           same_bytes(m->content_type, send->content_type) &&
           same_bytes(m->body, send->body);
}

/* ------------------------------------------------------------------- send */

/* What a SEND needs, all there before anything is changed. */
struct plan {
    struct roam__mem_user *sender, *receiver;
    struct roam__mem_pair *pair;
    struct roam__mem_message *message;
};

/* The pair's record; on the side of the lower id. */
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

static bool reserve_entry(struct roam__mem_user *user)
{
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

static struct roam__mem_message *new_message(const struct roam_store_send *send)
{
    size_t type_len = send->content_type.len;
    size_t body_len = send->body.len;
    struct roam__mem_message *m = roam__alloc(sizeof *m + type_len + body_len);
    if (m == NULL) {
        return NULL;
    }
    if (type_len > 0) {
        memcpy(m->data, send->content_type.data, type_len);
    }
    if (body_len > 0) {
        memcpy(m->data + type_len, send->body.data, body_len);
    }
    m->content_type = (struct roam_slice){m->data, type_len};
    m->body = (struct roam_slice){m->data + type_len, body_len};
    m->device = send->identity.device;
    m->generation = send->identity.generation;
    m->attempt = send->identity.attempt;
    m->client_msg_id = send->client_msg_id;
    m->stored_ms = send->now_ms;
    m->kind = send->kind;
    return m;
}

static bool make_plan(struct plan *plan, struct roam_store_send *send)
{
    plan->pair = find_pair(plan->sender, plan->receiver);
    if (plan->pair == NULL || !reserve_entry(plan->sender) ||
        !reserve_entry(plan->receiver)) {
        return false;
    }
    send->deliveries = roam__alloc(2 * sizeof *send->deliveries);
    plan->message = send->deliveries == NULL ? NULL : new_message(send);
    return plan->message != NULL;
}

static uint64_t next_version(struct roam__mem *mem, struct roam__mem_user *user)
{
    if (ROAM_FAULT("version-reused") && user->head != 0) {
        return user->head;
    }
    uint64_t version = user->head + 1;
    if (!user->started && mem->random != NULL) { /* [CHAIN-8] */
        uint32_t skip;
        mem->random(mem->random_ctx, (uint8_t *)&skip, sizeof skip);
        version += 1 + (uint64_t)skip;
    }
    user->started = true;
    return version;
}

/* Appends the message to a timeline, and notes the delivery. */
static void append(struct roam__mem *mem, struct roam__mem_user *user,
                   struct roam__mem_user *conversation,
                   struct roam__mem_message *message,
                   struct roam_store_send *send)
{
    uint64_t version = next_version(mem, user);
    user->entries[user->count++] =
        (struct roam__mem_entry){version, user->head, message};
    send->deliveries[send->delivery_count++] = (struct roam_delivery){
        user->id, version, user->head, roam__mem_name(conversation)};
    user->head = version;
}

static void carry_out(struct roam__mem *mem, const struct plan *plan,
                      struct roam_store_send *send)
{
    struct roam__mem_message *m = plan->message;
    m->sender = plan->sender;
    m->receiver = plan->receiver;
    uint64_t clock = send->now_ms << ROAM_MSG_ID_TIME_SHIFT; /* [SEND-6] */
    uint64_t after_last = plan->pair->last_msg_id + 1;
    m->msg_id = clock > after_last ? clock : after_last;
    plan->pair->last_msg_id = m->msg_id;
    m->next = mem->messages;
    mem->messages = m;
    struct roam__mem_message **bucket = bucket_of(mem, m->client_msg_id);
    m->next_same = *bucket;
    *bucket = m;
    append(mem, plan->sender, plan->receiver, m, send);
    if (plan->sender != plan->receiver) { /* [PUSH-3] */
        append(mem, plan->receiver, plan->sender, m, send);
    }
    send->result = ROAM_SEND_STORED;
    send->msg_id = m->msg_id;
}

bool roam__mem_send(struct roam__mem *mem, struct roam_store_request *req)
{
    struct roam_store_send *send = &req->u.send;
    struct plan plan = {0};
    plan.sender = roam__mem_user_by_id(mem, send->identity.user);
    send->sender = roam__mem_name(plan.sender);
    const struct roam_slot *slot =
        &plan.sender->slots[send->identity.device_type];
    if (!roam_slot_holds(slot, &send->identity)) { /* [KICK-5] */
        send->result = ROAM_SEND_FENCED;
        return true;
    }
    /* [SEND-17]: no such conversation comes before a reused id. */
    plan.receiver = roam__mem_user(mem, (const char *)send->conversation.data,
                                   send->conversation.len);
    if (plan.receiver == NULL) {
        send->result = ROAM_SEND_NO_CONVERSATION;
        return true;
    }
    const struct roam__mem_message *earlier = find_earlier(mem, send);
    if (earlier != NULL) {
        bool same = is_same(earlier, send); /* [SEND-4], [SEND-5] */
        send->result = same ? ROAM_SEND_DUPLICATE : ROAM_SEND_ID_REUSED;
        send->msg_id = same ? earlier->msg_id : 0;
        return true;
    }
    if (!make_plan(&plan, send)) {
        return false;
    }
    carry_out(mem, &plan, send);
    return true;
}

/* ---------------------------------------------------------- sync and read */

/* Index of the first retained entry above version. */
static size_t first_above(const struct roam__mem_user *user, uint64_t version)
{
    size_t low = 0;
    size_t high = user->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (user->entries[mid].version <= version) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static bool is_link(const struct roam__mem_user *user, uint64_t version)
{
    size_t above = first_above(user, version);
    return version == user->floor ||
           (above > 0 && user->entries[above - 1].version == version);
}

bool roam__mem_sync(struct roam__mem *mem, struct roam_store_request *req)
{
    struct roam_store_sync *sync = &req->u.sync;
    const struct roam__mem_user *user = roam__mem_user_by_id(mem, sync->user);
    sync->is_link = sync->cursor <= sync->head && is_link(user, sync->cursor);
    sync->floor = user->floor;
    size_t from = first_above(user, sync->cursor);
    size_t to = first_above(user, sync->head);
    sync->too_many = to > from && to - from > sync->max_entries;
    return true;
}

void roam__mem_show(struct roam_entry *out, const struct roam__mem_message *m,
                    const struct roam__mem_user *user, int64_t device,
                    uint32_t body_limit)
{
    bool own = m->device == device;
    *out = (struct roam_entry){0};
    out->kind = m->kind;
    out->msg_id = m->msg_id;
    out->client_msg_id = own ? m->client_msg_id : 0; /* [PUSH-4] */
    out->sender = roam__mem_name(m->sender);
    out->conversation =
        roam__mem_name(m->sender == user ? m->receiver : m->sender);
    out->content_type = m->content_type;
    if (m->body.len > body_limit) { /* [BATCH-4] */
        out->cut_size = (uint32_t)m->body.len;
    } else {
        out->body = m->body;
    }
}

static void show(struct roam_entry *out, const struct roam__mem_entry *entry,
                 const struct roam__mem_user *user,
                 const struct roam_store_read *read)
{
    const struct roam__mem_message *m = entry->message;
    *out = (struct roam_entry){0};
    if (m->device == read->device && m->generation == read->generation &&
        m->attempt == read->attempt) { /* [PUSH-2] */
        out->kind = roam_v1_Kind_NOOP;
    } else {
        roam__mem_show(out, m, user, read->device, read->body_limit);
    }
    out->version = entry->version;
    out->prev_version = entry->prev_version;
}

/* Without memory the request is answered with no entries. */
bool roam__mem_read(struct roam__mem *mem, struct roam_store_request *req)
{
    struct roam_store_read *read = &req->u.read;
    const struct roam__mem_user *user = roam__mem_user_by_id(mem, read->user);
    read->is_link = is_link(user, read->after);
    size_t from = first_above(user, read->after);
    size_t to = first_above(user, read->upto);
    if (!read->is_link || from >= to || read->max_count == 0) {
        return true;
    }
    size_t count = to - from < read->max_count ? to - from : read->max_count;
    read->entries = roam__alloc(count * sizeof *read->entries);
    if (read->entries == NULL) {
        return true;
    }
    size_t bytes = 0;
    while (read->count < count) {
        struct roam_entry *e = &read->entries[read->count];
        show(e, &user->entries[from + read->count], user, read);
        bytes += e->body.len;
        if (bytes > read->max_bytes && read->count > 0) {
            break;
        }
        read->count++;
    }
    return true;
}

/* ----------------------------------------------------- trimming, checkers */

void roam_store_mem_trim(struct roam_store *store, const char *name,
                         uint64_t upto)
{
    struct roam__mem *mem = (struct roam__mem *)store;
    struct roam__mem_user *user = roam__mem_user(mem, name, strlen(name));
    if (user == NULL || user->count == 0) {
        return;
    }
    size_t gone = first_above(user, upto);
    if (gone == user->count) {
        gone--; /* never the newest */
    }
    user->floor = user->entries[gone].prev_version;
    user->count -= gone;
    memmove(user->entries, user->entries + gone,
            user->count * sizeof *user->entries);
}

void roam_store_mem_walk(struct roam_store *store, const char *name,
                         roam_store_mem_entry_fn fn, void *ctx)
{
    struct roam__mem *mem = (struct roam__mem *)store;
    const struct roam__mem_user *user = roam__mem_user(mem, name, strlen(name));
    struct roam_store_read nobody = {.body_limit = UINT32_MAX};
    for (size_t i = 0; user != NULL && i < user->count; i++) {
        struct roam_entry e;
        show(&e, &user->entries[i], user, &nobody);
        fn(ctx, &e);
    }
}

/* Takes the message off the end of a timeline. */
static void cut_end(struct roam__mem_user *user,
                    const struct roam__mem_message *m)
{
    if (user->count > 0 && user->entries[user->count - 1].message == m) {
        user->count--;
        user->head = user->entries[user->count].prev_version;
    }
}

void roam__mem_forget_newest(struct roam__mem *mem)
{
    struct roam__mem_message *m = mem->messages;
    if (m == NULL) {
        return;
    }
    cut_end(m->sender, m);
    cut_end(m->receiver, m);
    mem->messages = m->next;
    struct roam__mem_message **bucket = bucket_of(mem, m->client_msg_id);
    *bucket = m->next_same; /* the newest is in front */
    free(m);
}
