/* SPDX-License-Identifier: Apache-2.0 */
/* Frames and messages: the 4-byte header, the reassembly of frames from any
 * split of the byte stream, and the glue to nanopb. Both sides use it.
 *
 * A message that roam_message_decode() accepts is within every bound of the
 * spec's field tables: required fields are there, numbers and enums are in
 * range, text is UTF-8. No caller checks these again.
 *
 * No heap, no globals, no recursion. Spec: sections 3 and 4. */
#ifndef ROAM_FRAME_H
#define ROAM_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "roam_limits.h"
#include "roam.pb.h"
#include "slice.h"

#define ROAM_FRAME_HEADER_BYTES 4u

/* Bit 6: from server to client. Bit 7: may be ignored when unknown. */
enum roam_frame_type {
    ROAM_LOGIN = 0x01,
    ROAM_LOGOUT = 0x02,
    ROAM_SYNC = 0x03,
    ROAM_ACK = 0x04,
    ROAM_SEND = 0x05,
    ROAM_PING = 0x06,
    ROAM_HISTORY = 0x07,
    ROAM_CONVERSATIONS = 0x08,
    ROAM_MEMBERS = 0x09,
    ROAM_SESSIONS = 0x0a,
    ROAM_END_SESSION = 0x0b,
    ROAM_LOGIN_OK = 0x41,
    ROAM_REFUSED = 0x42,
    ROAM_KICK = 0x43,
    ROAM_SYNC_OK = 0x44,
    ROAM_PUSH = 0x45,
    ROAM_BATCH = 0x46,
    ROAM_SEND_OK = 0x47,
    ROAM_PONG = 0x48,
    ROAM_ERROR = 0x49,
    ROAM_HISTORY_PAGE = 0x4a,
    ROAM_CONVERSATION_PAGE = 0x4b,
    ROAM_MEMBER_PAGE = 0x4c,
    ROAM_SESSION_LIST = 0x4d,
    ROAM_SESSION_ENDED = 0x4e
};
#define ROAM_FRAME_IGNORABLE 0x80u
#define ROAM_FRAME_FROM_SERVER 0x40u

/* "LOGIN", "PUSH"...; NULL for a type that Roam 1 does not define. */
const char *roam_frame_name(uint8_t type);

/* One decoded message. The bytes field of SEND and PUSH (body), of BATCH and
 * the pages of messages (payload), and of MEMBER_PAGE and SESSION_LIST (rows)
 * is `body`; the nanopb callback field of these is never used by callers. */
struct roam_message {
    uint8_t type; /* enum roam_frame_type */
    union {
        roam_v1_Login login;
        roam_v1_Logout logout;
        roam_v1_Sync sync;
        roam_v1_Ack ack;
        roam_v1_Send send;
        roam_v1_Ping ping;
        roam_v1_History history;
        roam_v1_Conversations conversations;
        roam_v1_Members members;
        roam_v1_Sessions sessions;
        roam_v1_EndSession end_session;
        roam_v1_LoginOk login_ok;
        roam_v1_Refused refused;
        roam_v1_Kick kick;
        roam_v1_SyncOk sync_ok;
        roam_v1_Push push;
        roam_v1_Batch batch;
        roam_v1_SendOk send_ok;
        roam_v1_Pong pong;
        roam_v1_Error error;
        roam_v1_HistoryPage history_page;
        roam_v1_ConversationPage conversation_page;
        roam_v1_MemberPage member_page;
        roam_v1_SessionList session_list;
        roam_v1_SessionEnded session_ended;
    } u;
    struct roam_slice body;
};

/* True for the kinds of entries that Roam 1 defines. All of them but a NOOP
 * have msg_id, conversation and sender. */
bool roam_kind_is_known(uint32_t kind);

/* Sets *m to an empty message of that type. */
void roam_message_init(struct roam_message *m, uint8_t type);

/* Decodes and checks one payload.
 *
 * type     of the frame; must be one that roam_frame_name() knows.
 * payload  borrowed; m->body points into it afterwards.
 *
 * Returns ERROR_UNSPECIFIED (0) when *m is good; otherwise the first of these
 * that is true
 *   MALFORMED     not protobuf, truncated, a group, a varint of more than 64
 *                 bits; of a known field: there twice, of another wire type,
 *                 text, bytes or an integer wider than its bound; or a type
 *                 that roam_frame_name() does not know
 *   INVALID_UTF8  a text field is not UTF-8 or contains NUL
 *   FIELD_RANGE   a required field is absent, or a value out of its range
 * and *m must not be used. */
roam_v1_ErrorCode roam_message_decode(uint8_t type, struct roam_slice payload,
                                      struct roam_message *m);

/* Encodes header and payload of *m.
 *
 * out  kept by nobody; cap in bytes.
 *
 * Returns the bytes written, header included; 0 when cap is too small or the
 * payload would be above ROAM_FRAME_MAX. Bounds are not checked again. */
size_t roam_message_encode(const struct roam_message *m, uint8_t *out,
                           size_t cap);

/* The bytes that roam_message_encode() would write, header included; 0 when
 * none of any number would do. */
size_t roam_message_size(const struct roam_message *m);

void roam_frame_put_header(uint8_t out[ROAM_FRAME_HEADER_BYTES], uint8_t type,
                           uint32_t length);

/* ------------------------------------------------------------ reassembly */

/* Cuts a byte stream into frames. The memory is the caller's; a frame that
 * lies whole in the input is handed out from there, without a copy. */
struct roam_reader {
    uint8_t *buf;   /* kept; may be NULL while cap is 0 */
    size_t cap;     /* bytes at buf */
    size_t have;    /* bytes of the unfinished frame, header included */
    uint32_t max;   /* longest payload accepted, bytes */
    bool frame_out; /* buf holds a frame that was handed out */
};

enum roam_reader_result {
    ROAM_READER_MORE,    /* all input taken, no whole frame yet */
    ROAM_READER_FRAME,   /* *type and *payload are a frame */
    ROAM_READER_ROOM,    /* cap is below header + length: enlarge buf
                            (keeping its first `have` bytes) to at least
                            roam_reader_need() bytes, then call again */
    ROAM_READER_TOO_LONG /* length above max: nothing more is read */
};

void roam_reader_init(struct roam_reader *r, uint8_t *buf, size_t cap,
                      uint32_t max);

/* Takes bytes until one frame is whole.
 *
 * in       borrowed; advanced past what was taken.
 * payload  valid until the next call with this reader, and while the input
 *          stays.
 *
 * An over-long frame is told from its header alone. */
enum roam_reader_result roam_reader_next(struct roam_reader *r,
                                         struct roam_slice *in, uint8_t *type,
                                         struct roam_slice *payload);

/* Bytes of buf that the unfinished frame needs, header included. */
size_t roam_reader_need(const struct roam_reader *r);

#endif
