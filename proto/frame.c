/* SPDX-License-Identifier: Apache-2.0 */
/* The frame header and the reassembly of frames. What is inside a frame is
 * message.c's.
 *
 * The reader copies only what it must: a frame that is whole in the input is
 * handed out from there, and of any other exactly its own bytes go to buf.
 * So buf never holds more than one frame. */
#include "frame.h"

#include <string.h>

const char *roam_frame_name(uint8_t type)
{
    static const char *const from_client[] = {
        NULL,       "LOGIN",      "LOGOUT",  "SYNC",          "ACK",
        "SEND",     "PING",       "HISTORY", "CONVERSATIONS", "MEMBERS",
        "SESSIONS", "END_SESSION"};
    static const char *const from_server[] = {
        NULL,          "LOGIN_OK",     "REFUSED",      "KICK",
        "SYNC_OK",     "PUSH",         "BATCH",        "SEND_OK",
        "PONG",        "ERROR",        "HISTORY_PAGE", "CONVERSATION_PAGE",
        "MEMBER_PAGE", "SESSION_LIST", "SESSION_ENDED"};
    size_t index = type & ~ROAM_FRAME_FROM_SERVER;
    if ((type & ROAM_FRAME_FROM_SERVER) != 0) {
        return index < sizeof from_server / sizeof from_server[0]
                   ? from_server[index]
                   : NULL;
    }
    return index < sizeof from_client / sizeof from_client[0]
               ? from_client[index]
               : NULL;
}

void roam_frame_put_header(uint8_t out[ROAM_FRAME_HEADER_BYTES], uint8_t type,
                           uint32_t length)
{
    out[0] = type;
    out[1] = (uint8_t)(length >> 16);
    out[2] = (uint8_t)(length >> 8);
    out[3] = (uint8_t)length;
}

static uint32_t header_length(const uint8_t *header)
{
    return (uint32_t)header[1] << 16 | (uint32_t)header[2] << 8 | header[3];
}

void roam_reader_init(struct roam_reader *r, uint8_t *buf, size_t cap,
                      uint32_t max)
{
    r->buf = buf;
    r->cap = cap;
    r->have = 0;
    r->max = max;
    r->frame_out = false;
}

size_t roam_reader_need(const struct roam_reader *r)
{
    if (r->have < ROAM_FRAME_HEADER_BYTES) {
        return ROAM_FRAME_HEADER_BYTES;
    }
    return (size_t)ROAM_FRAME_HEADER_BYTES + header_length(r->buf);
}

/* Hands out the frame at `frame`, which is whole. */
static enum roam_reader_result hand_out(const uint8_t *frame, uint8_t *type,
                                        struct roam_slice *payload)
{
    *type = frame[0];
    payload->data = frame + ROAM_FRAME_HEADER_BYTES;
    payload->len = header_length(frame);
    return ROAM_READER_FRAME;
}

/* Moves bytes from the input to buf until it holds `want`. */
static enum roam_reader_result gather(struct roam_reader *r,
                                      struct roam_slice *in, size_t want)
{
    if (in->len == 0 && r->have < want) {
        return ROAM_READER_MORE;
    }
    if (r->cap < want) {
        return ROAM_READER_ROOM;
    }
    size_t take = want - r->have;
    if (take > in->len) {
        take = in->len;
    }
    if (take != 0) {
        memcpy(r->buf + r->have, in->data, take);
        r->have += take;
        in->data += take;
        in->len -= take;
    }
    return r->have == want ? ROAM_READER_FRAME : ROAM_READER_MORE;
}

enum roam_reader_result roam_reader_next(struct roam_reader *r,
                                         struct roam_slice *in, uint8_t *type,
                                         struct roam_slice *payload)
{
    if (r->frame_out) {
        r->frame_out = false;
        r->have = 0;
    }
    if (r->have == 0 && in->len >= ROAM_FRAME_HEADER_BYTES) {
        uint32_t length = header_length(in->data);
        if (length > r->max) {
            return ROAM_READER_TOO_LONG;
        }
        if (length <= in->len - ROAM_FRAME_HEADER_BYTES) {
            const uint8_t *frame = in->data;
            in->data += ROAM_FRAME_HEADER_BYTES + length;
            in->len -= ROAM_FRAME_HEADER_BYTES + length;
            return hand_out(frame, type, payload);
        }
    }
    if (r->have < ROAM_FRAME_HEADER_BYTES) {
        enum roam_reader_result result = gather(r, in, ROAM_FRAME_HEADER_BYTES);
        if (result != ROAM_READER_FRAME) {
            return result;
        }
    }
    if (header_length(r->buf) > r->max) {
        return ROAM_READER_TOO_LONG;
    }
    enum roam_reader_result result = gather(r, in, roam_reader_need(r));
    if (result != ROAM_READER_FRAME) {
        return result;
    }
    r->frame_out = true;
    return hand_out(r->buf, type, payload);
}
