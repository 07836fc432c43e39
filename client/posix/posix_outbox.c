/* SPDX-License-Identifier: Apache-2.0 */
/* Messages under way: from the caller to the store, from the store into the
 * engine's slots, and out of both when the server answered. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"
#include "utf8.h"

#define CONVERSATION_MAX 64u
#define CONTENT_TYPE_MAX 64u

/* ----------------------------------------------------------------- outbox */

static struct roam__slot *slot_of(struct roam_posix *p, uint64_t client_msg_id)
{
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        if (p->slots[i].client_msg_id == client_msg_id) {
            return &p->slots[i];
        }
    }
    return NULL;
}

static const struct roam_outbox_item *item_of(const struct roam_posix *p,
                                              uint64_t client_msg_id)
{
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        if (p->items[i].state != ROAM_OUTBOX_EMPTY &&
            p->items[i].client_msg_id == client_msg_id) {
            return &p->items[i];
        }
    }
    return NULL;
}

static struct roam_bytes append(uint8_t **at, struct roam_bytes b)
{
    struct roam_bytes copy = {*at, b.len};
    if (b.len > 0) {
        memcpy(*at, b.data, b.len);
    }
    *at += b.len;
    return copy;
}

static bool fill_slot(struct roam__slot *s, const struct roam_local_outgoing *m)
{
    size_t total = m->conversation.len + m->content_type.len + m->body.len;
    uint8_t *at = malloc(total); /* a conversation has a byte at least */
    if (!at) {
        return false;
    }
    s->bytes = at;
    s->client_msg_id = m->client_msg_id;
    s->kind = m->kind;
    s->marked = m->first_sent_ms != 0;
    s->conversation = append(&at, m->conversation);
    s->content_type = append(&at, m->content_type);
    s->body = append(&at, m->body);
    return true;
}

static bool hand_over(struct roam_posix *p, struct roam__slot *s,
                      const struct roam_local_outgoing *m)
{
    if (!fill_slot(s, m)) {
        roam__posix_fail(p, ROAM_POSIX_STATUS_MEMORY, "outbox");
        return false;
    }
    const struct roam_outbox_item item = {.client_msg_id = s->client_msg_id,
                                          .first_sent_ms = m->first_sent_ms,
                                          .kind = s->kind,
                                          .conversation = s->conversation,
                                          .content_type = s->content_type,
                                          .body = s->body};
    if (roam_client_resend(&p->client, &item, roam__posix_now_ms(p)) !=
        ROAM_STATUS_OK) {
        roam__posix_fail(p, ROAM_POSIX_STATUS_STORE,
                         "a message in the outbox is not one");
        return false;
    }
    p->outbox_order = m->order;
    return true;
}

void roam__posix_fill_outbox(struct roam_posix *p)
{
    for (struct roam__slot *s = slot_of(p, 0); s; s = slot_of(p, 0)) {
        struct roam_local_outgoing m;
        bool found = false;
        if (!roam__posix_stored(p, roam_local_outbox_next(p->store,
                                                          p->outbox_order, &m,
                                                          &found)) ||
            !found || !hand_over(p, s, &m)) {
            return;
        }
    }
}

bool roam__posix_mark_sent(struct roam_posix *p)
{
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        struct roam__slot *s = &p->slots[i];
        if (s->client_msg_id == 0 || s->marked) {
            continue;
        }
        const struct roam_outbox_item *item = item_of(p, s->client_msg_id);
        if (item && item->first_sent_ms != 0) {
            s->marked = true;
            if (!roam__posix_stored(
                    p, roam_local_outbox_mark(p->store, s->client_msg_id,
                                              item->first_sent_ms))) {
                return false;
            }
        }
    }
    return roam__posix_stored(p, roam_local_commit(p->store));
}

void roam__posix_answered(struct roam_posix *p, const struct roam_event *e,
                          uint64_t client_msg_id)
{
    struct roam__slot *s = slot_of(p, client_msg_id);
    const struct roam_local_sent sent = {
        .client_msg_id = client_msg_id,
        .msg_id = e->u.sent.msg_id,
        .conversation = e->u.sent.conversation,
        .duplicate = e->u.sent.duplicate,
    };
    enum roam_posix_status status =
        e->type == ROAM_EVENT_SENT
            ? roam_local_outbox_sent(p->store, &sent)
            : roam_local_outbox_drop(p->store, client_msg_id);
    if (!roam__posix_stored(p, status) || !s) {
        return;
    }
    struct roam_posix_event event;
    memset(&event, 0, sizeof event);
    event.type = ROAM_POSIX_PROTOCOL;
    event.u.engine = *e;
    event.message.client_msg_id = client_msg_id;
    event.message.kind = s->kind;
    event.message.conversation = s->conversation;
    event.message.content_type = s->content_type;
    event.message.body = s->body;
    void *bytes = s->bytes;
    memset(s, 0, sizeof *s);
    if (e->type == ROAM_EVENT_SENT && sent.conversation.len > 0) {
        /* The group was made: its name is the engine's, and all is copied. */
        event.message.conversation = sent.conversation;
        memset(&event.u.engine.u.sent.conversation, 0,
               sizeof event.u.engine.u.sent.conversation);
        roam__posix_tell(p, &event, NULL);
        free(bytes);
        return;
    }
    roam__posix_tell(p, &event, bytes);
}

/* ---------------------------------------------------------------- sending */

static bool text_fits(struct roam_bytes text, size_t min, size_t max)
{
    return text.len >= min && text.len <= max &&
           (text.len == 0 ||
            roam_utf8_valid((const char *)text.data, text.len));
}

enum roam_posix_status roam_posix_send(struct roam_posix *p,
                                       enum roam_kind kind,
                                       struct roam_bytes conversation,
                                       struct roam_bytes content_type,
                                       struct roam_bytes body,
                                       uint64_t *client_msg_id)
{
    if (!text_fits(conversation, 1, CONVERSATION_MAX) ||
        !text_fits(content_type, 0, CONTENT_TYPE_MAX) ||
        body.len > p->config.max_body ||
        (kind != ROAM_KIND_MESSAGE &&
         (kind < ROAM_KIND_RECALL || kind > ROAM_KIND_GROUP))) {
        return ROAM_POSIX_STATUS_BAD_ARGUMENT;
    }
    if (p->failure != ROAM_POSIX_STATUS_OK) {
        return p->failure;
    }
    struct roam_local_outgoing m = {.kind = kind,
                                    .conversation = conversation,
                                    .content_type = content_type,
                                    .body = body};
    do {
        if (getentropy(&m.client_msg_id, sizeof m.client_msg_id) != 0) {
            return ROAM_POSIX_STATUS_RANDOM;
        }
    } while (m.client_msg_id == 0); /* SEND-1 */
    m.queued_ms = roam__posix_unix_ms(p);
    if (roam_client_logged_in(&p->client)) {
        m.first_sent_ms =
            roam__posix_now_ms(p); /* saves a second transaction */
    }
    if (!roam__posix_stored(p, roam_local_outbox_add(p->store, &m))) {
        return p->failure;
    }
    *client_msg_id = m.client_msg_id;
    roam__posix_fill_outbox(p);
    if (p->phase == OPEN) {
        roam__posix_write(p);
    }
    return ROAM_POSIX_STATUS_OK;
}
