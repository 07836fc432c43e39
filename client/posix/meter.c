/* SPDX-License-Identifier: Apache-2.0 */
/* The meter. */
#include "meter.h"

#include <string.h>

#include "frame.h"

void roam_meter_start(struct roam_meter *m)
{
    m->stats.connections++;
    m->stats.last_received = m->stats.last_sent = 0;
    m->header_have = 0;
    m->payload_left = 0;
}

static void count_frame(struct roam_meter *m)
{
    const uint8_t *h = m->header;
    m->payload_left =
        (uint32_t)h[1] << 16 | (uint32_t)h[2] << 8 | (uint32_t)h[3];
    uint64_t bytes = m->payload_left + ROAM_FRAME_HEADER_BYTES;
    if (h[0] == ROAM_PUSH) {
        m->stats.push_frames++;
        m->stats.push_bytes += bytes;
    } else if (h[0] == ROAM_BATCH) {
        m->stats.batch_frames++;
        m->stats.batch_bytes += bytes;
    }
}

void roam_meter_bytes(struct roam_meter *m, const uint8_t *data, size_t len)
{
    m->stats.bytes_received += len;
    m->stats.last_received += len;
    while (len > 0) {
        if (m->payload_left > 0) {
            size_t n = len < m->payload_left ? len : m->payload_left;
            m->payload_left -= (uint32_t)n;
            data += n;
            len -= n;
            continue;
        }
        m->header[m->header_have++] = *data++;
        len--;
        if (m->header_have == sizeof m->header) {
            m->header_have = 0;
            count_frame(m);
        }
    }
}

void roam_meter_sent(struct roam_meter *m, size_t len)
{
    m->stats.bytes_sent += len;
    m->stats.last_sent += len;
}

static void copy_text(char *out, size_t cap, struct roam_bytes text)
{
    size_t n = text.len < cap - 1 ? text.len : cap - 1;
    if (n > 0) {
        memcpy(out, text.data, n);
    }
    out[n] = '\0';
}

/* The bytes of the PUSH that would carry the same entry. */
static size_t push_size(const struct roam_entry_event *e)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_PUSH);
    m.u.push.version = e->version;
    m.u.push.prev_version = e->prev_version;
    m.u.push.kind = (roam_v1_Kind)e->kind;
    m.u.push.msg_id = e->msg_id;
    m.u.push.client_msg_id = e->client_msg_id;
    m.u.push.cut_size = e->cut_size;
    copy_text(m.u.push.conversation, sizeof m.u.push.conversation,
              e->conversation);
    copy_text(m.u.push.sender, sizeof m.u.push.sender, e->sender);
    copy_text(m.u.push.content_type, sizeof m.u.push.content_type,
              e->content_type);
    m.body.data = e->body.data;
    m.body.len = e->body.len;
    return roam_message_size(&m);
}

void roam_meter_entry(struct roam_meter *m, const struct roam_entry_event *e)
{
    if (e->batched) {
        m->stats.batch_entries++;
        m->stats.batch_as_push_bytes += push_size(e);
        m->stats.batch_body_bytes += e->body.len;
    }
}
