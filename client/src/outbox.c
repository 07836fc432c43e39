/* SPDX-License-Identifier: Apache-2.0 */
/* Messages under way, in the caller's array. An item is QUEUED until its
 * SEND is written, SENT until it is answered, and QUEUED again when the
 * connection ends first: under the same client_msg_id, in the same order.
 * Its place is free again when the event SENT or SEND_FAILED is told.
 * Spec: section 7. */
#include <string.h>

#include "engine.h"
#include "utf8.h"

static bool text_ok(struct roam_bytes text, size_t min, size_t max)
{
    return text.len >= min && text.len <= max &&
           (text.len == 0 ||
            roam_utf8_valid((const char *)text.data, text.len));
}

struct roam_outbox_item *roam__outbox_find(struct roam__engine *e,
                                           uint64_t client_msg_id)
{
    for (size_t i = 0; i < e->config.outbox_count; i++) {
        struct roam_outbox_item *item = &e->config.outbox[i];
        if (item->state != ROAM_OUTBOX_EMPTY &&
            item->client_msg_id == client_msg_id) {
            return item;
        }
    }
    return NULL;
}

static struct roam_outbox_item *find_empty(struct roam__engine *e)
{
    for (size_t i = 0; i < e->config.outbox_count; i++) {
        if (e->config.outbox[i].state == ROAM_OUTBOX_EMPTY) {
            return &e->config.outbox[i];
        }
    }
    return NULL;
}

void roam__outbox_free(struct roam__engine *e, uint64_t client_msg_id)
{
    struct roam_outbox_item *item = roam__outbox_find(e, client_msg_id);
    if (item != NULL) {
        memset(item, 0, sizeof *item);
    }
}

/* More commands than wait for an answer: own entries have told the fate of
 * some items, and the server's answers to these are under way.
 * Anything else that names no waiting item answers nothing. */
bool roam__outbox_answered(struct roam__engine *e, uint64_t client_msg_id)
{
    const struct roam_outbox_item *item = roam__outbox_find(e, client_msg_id);
    bool waits = item != NULL && item->state == ROAM_OUTBOX_SENT;
    uint32_t waiting = e->page.state == PAGE_ASKED ? 1 : 0;
    for (size_t i = 0; i < e->config.outbox_count; i++) {
        waiting += e->config.outbox[i].state == ROAM_OUTBOX_SENT ? 1 : 0;
    }
    if (waits || e->commands > waiting) {
        e->commands--;
    }
    return waits;
}

void roam__outbox_limited(struct roam__engine *e, uint64_t client_msg_id,
                          uint32_t retry_after_ms)
{
    struct roam_outbox_item *item = roam__outbox_find(e, client_msg_id);
    uint64_t at_ms = e->now_ms + roam__delay_ms(retry_after_ms, &item->delays);
    item->state = ROAM_OUTBOX_QUEUED;
    e->limited = true;
    e->send_at_ms = at_ms > e->send_at_ms ? at_ms : e->send_at_ms;
}

void roam__outbox_message(const struct roam_outbox_item *item,
                          struct roam_message *m)
{
    roam_message_init(m, ROAM_SEND);
    m->u.send.client_msg_id = item->client_msg_id;
    m->u.send.kind = (roam_v1_Kind)item->kind;
    memcpy(m->u.send.conversation, item->conversation.data,
           item->conversation.len);
    if (item->content_type.len > 0) {
        memcpy(m->u.send.content_type, item->content_type.data,
               item->content_type.len);
    }
    m->body = roam__slice(item->body);
}

/* Bytes of a whole frame, or 0 if there is no frame as long as that. */
static size_t frame_bytes(const struct roam_outbox_item *item)
{
    if (item->body.len > ROAM_FRAME_MAX) {
        return 0;
    }
    struct roam_message m;
    roam__outbox_message(item, &m);
    size_t bytes = roam_message_size(&m);
    return bytes <= ROAM_FRAME_MAX + ROAM_FRAME_HEADER_BYTES ? bytes : 0;
}

/* SEND-9: a NOOP is nobody's, news of devices are the server's. */
static bool kind_ok(enum roam_kind kind)
{
    return kind == ROAM_KIND_MESSAGE ||
           (kind >= ROAM_KIND_RECALL && kind <= ROAM_KIND_GROUP);
}

enum roam_status roam_client_send(struct roam_client *c, uint64_t client_msg_id,
                                  enum roam_kind kind,
                                  struct roam_bytes conversation,
                                  struct roam_bytes content_type,
                                  struct roam_bytes body, uint64_t now_ms)
{
    struct roam_outbox_item item;
    memset(&item, 0, sizeof item);
    item.client_msg_id = client_msg_id;
    item.kind = kind;
    item.conversation = conversation;
    item.content_type = content_type;
    item.body = body;
    return roam_client_resend(c, &item, now_ms);
}

enum roam_status roam_client_resend(struct roam_client *c,
                                    const struct roam_outbox_item *item,
                                    uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    roam__now(e, now_ms);
    if (item->client_msg_id == 0 || !kind_ok(item->kind) ||
        !text_ok(item->conversation, 1, ROAM_CONVERSATION_MAX) ||
        !text_ok(item->content_type, 0, ROAM_CONTENT_TYPE_MAX) ||
        roam__outbox_find(e, item->client_msg_id) != NULL ||
        (e->page.state != PAGE_NONE && e->page.ref == item->client_msg_id)) {
        return ROAM_STATUS_BAD_ARGUMENT;
    }
    size_t bytes = frame_bytes(item);
    if (bytes == 0 || bytes > e->config.tx_bytes) {
        return ROAM_STATUS_TX_FULL;
    }
    struct roam_outbox_item *place = find_empty(e);
    if (place == NULL) {
        return ROAM_STATUS_OUTBOX_FULL;
    }
    *place = *item;
    place->payload_bytes = (uint32_t)(bytes - ROAM_FRAME_HEADER_BYTES);
    place->delays = 0;
    place->order = e->next_order++;
    place->state = ROAM_OUTBOX_QUEUED;
    return ROAM_STATUS_OK;
}

/* ----------------------------------------------------------------- order */

static bool expired(const struct roam__engine *e,
                    const struct roam_outbox_item *item)
{
    return item->first_sent_ms != 0 && item->first_sent_ms < e->now_ms &&
           e->now_ms - item->first_sent_ms > e->dedup_ms;
}

/* May it be written in this session at all? */
static bool sendable(const struct roam__engine *e,
                     const struct roam_outbox_item *item)
{
    return item->state == ROAM_OUTBOX_QUEUED && !expired(e, item) &&
           item->payload_bytes <= e->peer_max_frame;
}

/* The order counter wraps; no outbox holds half of its range. */
static bool before(const struct roam_outbox_item *a,
                   const struct roam_outbox_item *b)
{
    return a->order - b->order > UINT32_MAX / 2;
}

/* FLOW-4. What is unanswered may be limited, too, and then goes before all
 * that would be sent now. */
static bool is_held(struct roam__engine *e)
{
    bool open = false;
    for (size_t i = 0; e->limited && i < e->config.outbox_count; i++) {
        open = open || e->config.outbox[i].state == ROAM_OUTBOX_SENT;
    }
    e->limited = open;
    return open || e->now_ms < e->send_at_ms;
}

struct roam_outbox_item *roam__outbox_next(struct roam__engine *e)
{
    struct roam_outbox_item *next = NULL;
    if (e->commands >= e->max_commands || is_held(e)) { /* SEND-12 */
        return NULL;
    }
    for (size_t i = 0; i < e->config.outbox_count; i++) {
        struct roam_outbox_item *item = &e->config.outbox[i];
        if (sendable(e, item) && (next == NULL || before(item, next))) {
            next = item;
        }
    }
    return next;
}

/* SEND-14. An item that is too old may have got through all the same; the
 * entries that are still to come may tell, so it waits for them. */
struct roam_outbox_item *roam__outbox_doomed(struct roam__engine *e,
                                             uint32_t *code)
{
    for (size_t i = 0; i < e->config.outbox_count; i++) {
        struct roam_outbox_item *item = &e->config.outbox[i];
        if (item->state != ROAM_OUTBOX_QUEUED) {
            continue;
        }
        if (expired(e, item)) {
            if (e->caught_up) {
                *code = roam_v1_ErrorCode_ERROR_UNSPECIFIED;
                return item;
            }
        } else if (item->payload_bytes > e->peer_max_frame) {
            *code = roam_v1_ErrorCode_BODY_TOO_LONG;
            return item;
        }
    }
    return NULL;
}

void roam__outbox_requeue(struct roam__engine *e)
{
    for (size_t i = 0; i < e->config.outbox_count; i++) {
        if (e->config.outbox[i].state == ROAM_OUTBOX_SENT) {
            e->config.outbox[i].state = ROAM_OUTBOX_QUEUED;
        }
    }
}
