/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery: entries of a timeline to a session, in the order of the chain.
 *
 * All that the core knows of a delivery is `sent`, the version of the last
 * entry sent, and what is in flight. A session whose `sent` is the head gets
 * the next entry live, from memory. Any other is behind, because its window
 * or its output was full or because it just came: it reads the store, from
 * `sent` up to the core's head, whenever there is room. So memory is
 * constant for a device however slow, and nothing is lost in between
 * [ACK-6]. Nothing above the core's head is ever sent: it moves only when
 * the store has answered the SEND. While a page of history is being read,
 * nothing newer is sent: see pages.c. Spec: section 6. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "fault.h"
#include "put.h"

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* ------------------------------------------------------------ one entry */

static void put_text(char *out, size_t cap, struct roam_slice text)
{
    size_t len = text.len < cap ? text.len : cap - 1;
    if (len > 0) { /* data may be NULL else */
        memcpy(out, text.data, len);
    }
    out[len] = '\0';
}

static void make_push(struct roam_message *m, const struct roam_entry *e)
{
    roam_message_init(m, ROAM_PUSH);
    roam_v1_Push *push = &m->u.push;
    push->version = e->version;
    push->prev_version = e->prev_version;
    if (ROAM_FAULT("prev-wrong") && e->prev_version > 0) {
        push->prev_version--;
    }
    push->kind = (roam_v1_Kind)e->kind;
    if (e->kind == roam_v1_Kind_NOOP) {
        return;
    }
    push->msg_id = e->msg_id;
    push->client_msg_id = e->client_msg_id;
    push->cut_size = e->cut_size;
    put_text(push->conversation, sizeof push->conversation, e->conversation);
    put_text(push->sender, sizeof push->sender, e->sender);
    put_text(push->content_type, sizeof push->content_type, e->content_type);
    put_text(push->conversation_name, sizeof push->conversation_name,
             e->conversation_name);
    put_text(push->sender_name, sizeof push->sender_name, e->sender_name);
    push->recalled = e->recalled;
    m->body = e->body;
}

/* The entry with this version is in the output: it is in flight now. */
static void note_sent(struct roam_session *s, uint64_t version)
{
    roam__window_add(&s->window, version);
    s->sent = version;
}

/* ----------------------------------------------------------------- backlog */

static void push_one(struct roam_session *s, const struct roam_entry *e)
{
    struct roam_message m;
    make_push(&m, e);
    if (roam__session_queue(s, &m)) {
        s->core->stats.pushes++;
        note_sent(s, e->version);
    }
}

/* Leaves the second entry out and mends the chain over it. */
static size_t lose_one(struct roam_entry *entries, size_t count)
{
    if (count < 3) {
        return count;
    }
    entries[2].prev_version = entries[0].version;
    memmove(&entries[1], &entries[2], (count - 2) * sizeof *entries);
    return count - 1;
}

/* Sends the first entries as one frame. Returns how many; 0: s has ended. */
static size_t send_some(struct roam_session *s, struct roam_entry *entries,
                        size_t count)
{
    struct roam_core *core = s->core;
    size_t half = core->config.output_max_bytes / 2 - ROAM_FRAME_HEADER_BYTES;
    struct roam_pack_limits limits = {
        half < s->peer_max_frame ? (uint32_t)half : s->peer_max_frame,
        s->sync.max_inflated, s->sync.codecs};
    /* A body may be longer than today's settings say; it goes alone. */
    size_t first = entries[0].body.len + ROAM_ENTRY_OVERHEAD;
    bool fits = first <= limits.max_frame && first <= limits.max_inflated;
    size_t packed = 1;
    struct roam_message m;
    if (count > 1 && fits) { /* [BATCH-6] */
        packed = roam_batch_pack(core->packer, entries, count, &limits, &m);
    }
    if (packed == 0) {
        roam__session_no_memory(s);
        return 0;
    }
    if (packed == 1) {
        push_one(s, &entries[0]);
        return s->state == ROAM__DELIVERING ? 1 : 0;
    }
    if (!roam__session_queue(s, &m)) {
        return 0;
    }
    core->stats.batches++;
    core->stats.packed_bytes += m.u.batch.inflated_size;
    for (size_t i = 0; i < packed; i++) {
        note_sent(s, entries[i].version);
    }
    return packed;
}

/* The fault: of an old message the entry stays without its content. [KEEP-6] */
static void empty_old(const struct roam_core *core, struct roam_entry *entries,
                      size_t count)
{
    uint64_t now = roam__stored_now(core);
    for (size_t i = 0; i < count; i++) {
        uint64_t sent = entries[i].msg_id >> ROAM_MSG_ID_TIME_SHIFT;
        if (core->config.history_ms != 0 &&
            now > sent + core->config.history_ms) {
            entries[i].body.len = 0;
        }
    }
}

static void send_backlog(struct roam_session *s, struct roam_entry *entries,
                         size_t count)
{
    while (count > 0 && roam__session_has_room(s)) {
        uint32_t room = roam__window_room(&s->window);
        size_t some = count < room ? count : room;
        if (some == 0) {
            return;
        }
        if (!roam__window_reserve(&s->window, (uint32_t)some)) {
            roam__session_no_memory(s);
            return;
        }
        size_t gone = send_some(s, entries, some);
        if (gone == 0) {
            return;
        }
        entries += gone;
        count -= gone;
    }
}

static void read_more(struct roam_session *s, uint32_t room)
{
    struct roam_store_request *req = roam__request_new(s, ROAM_STORE_READ, 0);
    if (req == NULL) {
        return;
    }
    struct roam_store_read *read = &req->u.read;
    req->tag = s->delivery;
    read->user = s->identity.user;
    read->device = s->identity.device;
    read->generation = s->identity.generation;
    read->attempt = s->identity.attempt;
    read->after = s->sent;
    read->upto = s->user->head;
    read->max_count = smaller(room, ROAM__READ_MAX_ENTRIES);
    read->max_bytes = smaller(s->sync.max_inflated, ROAM__READ_MAX_BYTES);
    read->body_limit = s->body_limit;
    s->reading = true;
    s->pause_over = false;
    roam__request_submit(s, req);
}

void roam__delivery_pump(struct roam_session *s)
{
    if (s->state != ROAM__DELIVERING || s->deaf || s->reading || s->paging ||
        s->sent >= s->user->head || !roam__session_has_room(s)) {
        return;
    }
    uint32_t room = roam__window_room(&s->window);
    if (room > 0 && roam__flow_backlog(s) && roam__turns_mine(s)) {
        read_more(s, room);
    }
}

void roam__read_done(struct roam_session *s, struct roam_store_request *req)
{
    struct roam_store_read *read = &req->u.read;
    if (s->closed || s->state != ROAM__DELIVERING || s->deaf ||
        req->tag != s->delivery) {
        return;
    }
    s->reading = false;
    if (!read->is_link) {
        /* The log was trimmed under the reader: it fell behind what is
         * kept. It comes back and is told RESET. [KEEP-7] */
        roam__session_end(s, ROAM_FAULT("resync-as-too-slow")
                                 ? roam_v1_KickReason_TOO_SLOW
                                 : roam_v1_KickReason_RESYNC);
        return;
    }
    if (read->count == 0 || read->entries[0].prev_version != s->sent) {
        roam__session_no_memory(s);
        return;
    }
    roam__flow_backlog_read(s, read->entries, read->count);
    if (ROAM_FAULT("lost-in-batch")) {
        read->count = lose_one(read->entries, read->count);
    }
    if (ROAM_FAULT("old-entry-emptied")) {
        empty_old(s->core, read->entries, read->count);
    }
    send_backlog(s, read->entries, read->count);
    roam__delivery_pump(s);
}

void roam__delivery_start(struct roam_session *s, uint64_t cursor)
{
    s->sent = cursor;
    roam__delivery_pump(s);
}

void roam__delivery_stop(struct roam_session *s)
{
    roam__window_clear(&s->window);
    s->read_again_ms = 0;
    s->pause_over = false;
    s->delivery++; /* what the store still answers is late */
    s->reading = false;
}

/* -------------------------------------------------------------------- live */

/* An entry as one session sees it. */
static void adapt(struct roam_entry *e, const struct roam_session *s,
                  const struct roam_store_send *send)
{
    bool same_device = s->identity.device == send->identity.device;
    if (same_device && s->identity.generation == send->identity.generation &&
        s->identity.attempt == send->identity.attempt &&
        !ROAM_FAULT("echo-to-sender")) {
        struct roam_entry noop = {0}; /* [PUSH-2] */
        noop.version = e->version;
        noop.prev_version = e->prev_version;
        noop.kind = roam_v1_Kind_NOOP;
        *e = noop;
        return;
    }
    if (same_device || ROAM_FAULT("client-msg-id-leaked")) { /* [PUSH-4] */
        e->client_msg_id = send->client_msg_id;
    }
    if (e->body.len > s->body_limit) { /* [BATCH-4] */
        e->cut_size = (uint32_t)e->body.len;
        e->body.len = 0;
    }
}

/* The frame header, and the fields that differ between two who see the same
 * conversation: version and prev_version, each a tag and a varint. */
#define PREFIX_MAX (ROAM_FRAME_HEADER_BYTES + 2 * (1 + 10))

/* The plain form of an entry, encoded once into core->scratch for all who get
 * it: the payload behind its first two fields at PREFIX_MAX, and before it,
 * up to there, the rest of the frame for one of them after the other. */
struct shared {
    const uint8_t *conversation; /* of the payload there; NULL: none yet */
    size_t tail;                 /* its bytes */
    size_t start;                /* of the frame; 0: for nobody yet */
};

/* False without memory. */
static bool encode_tail(struct roam_core *core, const struct roam_entry *e,
                        struct shared *shared)
{
    struct roam_message m;
    make_push(&m, e);
    m.u.push.version = 0;
    m.u.push.prev_version = 0;
    size_t size = roam_message_size(&m);
    size_t at = PREFIX_MAX - ROAM_FRAME_HEADER_BYTES;
    uint8_t *scratch = roam__core_scratch(core, at + size);
    if (scratch == NULL || roam_message_encode(&m, scratch + at, size) == 0) {
        return false;
    }
    shared->conversation = e->conversation.data;
    shared->tail = size - ROAM_FRAME_HEADER_BYTES;
    return true;
}

static void write_prefix(uint8_t *scratch, const struct roam_entry *e,
                         struct shared *shared)
{
    uint8_t fields[PREFIX_MAX];
    struct roam__put put = {fields, sizeof fields, 0, false};
    uint64_t prev = e->prev_version;
    bool wrong = ROAM_FAULT("prev-wrong") && prev > 0;
    roam__put_number(&put, roam_v1_Push_version_tag, e->version);
    roam__put_number(&put, roam_v1_Push_prev_version_tag,
                     wrong ? prev - 1 : prev);
    shared->start = PREFIX_MAX - put.len - ROAM_FRAME_HEADER_BYTES;
    memcpy(scratch + PREFIX_MAX - put.len, fields, put.len);
    roam_frame_put_header(scratch + shared->start, ROAM_PUSH,
                          (uint32_t)(put.len + shared->tail));
}

/* The entry's frame, in core->scratch; len 0 without memory. */
static struct roam_slice shared_frame(struct roam_core *core,
                                      const struct roam_entry *e,
                                      struct shared *shared)
{
    struct roam_slice frame = {NULL, 0};
    if (shared->conversation != e->conversation.data &&
        !encode_tail(core, e, shared)) {
        return frame;
    }
    if (shared->start == 0) {
        write_prefix(core->scratch, e, shared);
    }
    frame.data = core->scratch + shared->start;
    frame.len = PREFIX_MAX - shared->start + shared->tail;
    return frame;
}

/* Gives one stored entry to one session, or leaves it to the log. */
static void deliver_live(struct roam_session *s, const struct roam_entry *plain,
                         const struct roam_store_send *send,
                         struct shared *shared)
{
    if (s->state != ROAM__DELIVERING || s->deaf) {
        return;
    }
    if (plain->prev_version != s->sent || s->paging ||
        !roam__session_has_room(s) || roam__window_room(&s->window) == 0) {
        roam__delivery_pump(s);
        return;
    }
    if (!roam__window_reserve(&s->window, 1)) {
        roam__session_no_memory(s);
        return;
    }
    struct roam_entry e = *plain;
    adapt(&e, s, send);
    if (e.kind == roam_v1_Kind_NOOP && ROAM_FAULT("noop-forgotten")) {
        note_sent(s, e.version);
        return;
    }
    if (e.kind != plain->kind || e.client_msg_id != 0 || e.cut_size != 0) {
        push_one(s, &e);
        return;
    }
    struct roam_slice frame = shared_frame(s->core, plain, shared);
    if (frame.len == 0) {
        roam__session_no_memory(s);
        return;
    }
    if (roam__session_queue_bytes(s, frame.data, frame.len)) {
        s->core->stats.pushes++;
        note_sent(s, e.version);
    }
}

void roam__delivery_fan_out(struct roam_core *core,
                            const struct roam_store_send *send)
{
    struct shared shared = {NULL, 0, 0};
    for (size_t i = 0; i < send->delivery_count; i++) {
        const struct roam_delivery *d = &send->deliveries[i];
        struct roam__user *user = roam__users_find(core, d->user);
        if (user == NULL) {
            continue;
        }
        struct roam_entry plain = {0};
        plain.version = d->version;
        plain.prev_version = d->prev_version;
        plain.msg_id = send->msg_id;
        plain.kind = send->kind;
        plain.conversation = d->conversation;
        plain.conversation_name = d->conversation_name;
        plain.sender = send->sender;
        plain.sender_name = send->sender_name;
        plain.content_type = send->content_type;
        plain.body = send->body;
        user->head = d->version;
        /* A copy: a session may end in this loop, and with the last one the
         * user goes. */
        struct roam_session *live[ROAM__DEVICE_TYPES];
        memcpy(live, user->live, sizeof live);
        shared.start = 0;
        for (size_t type = 1; type < ROAM__DEVICE_TYPES; type++) {
            if (live[type] != NULL && ROAM_FAULT("slow-stops-others") &&
                roam__window_room(&live[type]->window) == 0) {
                break;
            }
            if (live[type] != NULL) {
                deliver_live(live[type], &plain, send, &shared);
            }
        }
    }
}
