/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to and from their payloads.
 *
 * Decoding walks the payload twice. The first walk, ours (fields.c), holds
 * every field against field_rules.c and refuses what decoders disagree on. The
 * second is nanopb's and fills the struct. So nothing that nanopb would quietly
 * repair gets through.
 *
 * Of several faults in one payload, MALFORMED is reported before
 * INVALID_UTF8, and that before FIELD_RANGE.
 *
 * A body (or payload) is written behind what nanopb wrote, without a copy, be
 * its number the highest or not: fields may come in any order. */
#include <string.h>

#include <pb_decode.h>
#include <pb_encode.h>

#include "field_rules.h"
#include "fields.h"
#include "frame.h"

#define OK roam_v1_ErrorCode_ERROR_UNSPECIFIED
#define MALFORMED roam_v1_ErrorCode_MALFORMED
#define FIELD_RANGE roam_v1_ErrorCode_FIELD_RANGE

/* An unknown kind may be any 32-bit number and must survive: compile with
 * -fno-short-enums where enums are short by default. */
typedef char enums_hold_32_bits[sizeof(roam_v1_Kind) >= 4 ? 1 : -1];

struct message_form {
    uint8_t type;
    uint8_t body_field; /* number of the body; 0: none */
    const pb_msgdesc_t *fields;
};

static const struct message_form *form_of(uint8_t type)
{
    static const struct message_form forms[] = {
        {ROAM_LOGIN, 0, &roam_v1_Login_msg},
        {ROAM_LOGOUT, 0, &roam_v1_Logout_msg},
        {ROAM_SYNC, 0, &roam_v1_Sync_msg},
        {ROAM_ACK, 0, &roam_v1_Ack_msg},
        {ROAM_SEND, roam_v1_Send_body_tag, &roam_v1_Send_msg},
        {ROAM_PING, 0, &roam_v1_Ping_msg},
        {ROAM_HISTORY, 0, &roam_v1_History_msg},
        {ROAM_CONVERSATIONS, 0, &roam_v1_Conversations_msg},
        {ROAM_MEMBERS, 0, &roam_v1_Members_msg},
        {ROAM_SESSIONS, 0, &roam_v1_Sessions_msg},
        {ROAM_END_SESSION, 0, &roam_v1_EndSession_msg},
        {ROAM_LOGIN_OK, 0, &roam_v1_LoginOk_msg},
        {ROAM_REFUSED, 0, &roam_v1_Refused_msg},
        {ROAM_KICK, 0, &roam_v1_Kick_msg},
        {ROAM_SYNC_OK, 0, &roam_v1_SyncOk_msg},
        {ROAM_PUSH, roam_v1_Push_body_tag, &roam_v1_Push_msg},
        {ROAM_BATCH, roam_v1_Batch_payload_tag, &roam_v1_Batch_msg},
        {ROAM_SEND_OK, 0, &roam_v1_SendOk_msg},
        {ROAM_PONG, 0, &roam_v1_Pong_msg},
        {ROAM_ERROR, 0, &roam_v1_Error_msg},
        {ROAM_HISTORY_PAGE, roam_v1_HistoryPage_payload_tag,
         &roam_v1_HistoryPage_msg},
        {ROAM_CONVERSATION_PAGE, roam_v1_ConversationPage_payload_tag,
         &roam_v1_ConversationPage_msg},
        {ROAM_MEMBER_PAGE, roam_v1_MemberPage_rows_tag,
         &roam_v1_MemberPage_msg},
        {ROAM_SESSION_LIST, roam_v1_SessionList_rows_tag,
         &roam_v1_SessionList_msg},
        {ROAM_SESSION_ENDED, 0, &roam_v1_SessionEnded_msg},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (forms[i].type == type) {
            return &forms[i];
        }
    }
    return NULL;
}

bool roam_kind_is_known(uint32_t kind)
{
    return kind <= roam_v1_Kind_DEVICE;
}

void roam_message_init(struct roam_message *m, uint8_t type)
{
    memset(m, 0, sizeof *m);
    m->type = type;
}

/* The rules of a message: *count of them. */
static const struct roam__field_rule *rules_of(uint8_t message, size_t *count)
{
    size_t first = 0;
    while (first < roam__field_rule_count &&
           roam__field_rules[first].message != message) {
        first++;
    }
    size_t end = first;
    while (end < roam__field_rule_count &&
           roam__field_rules[end].message == message) {
        end++;
    }
    *count = end - first;
    return &roam__field_rules[first];
}

static roam_v1_ErrorCode check_fields(uint8_t message,
                                      struct roam_slice payload,
                                      struct roam__found *found)
{
    size_t count;
    const struct roam__field_rule *rules = rules_of(message, &count);
    return roam__fields_check(rules, count, payload, found);
}

/* ------------------------------------------- rules about several fields */

/* A recalled message has neither content type nor body. */
static bool recall_is_good(const roam_v1_Push *push, size_t body_len)
{
    return !push->recalled || (push->kind == roam_v1_Kind_MESSAGE &&
                               push->content_type[0] == '\0' &&
                               push->cut_size == 0 && body_len == 0);
}

static bool push_is_good(const roam_v1_Push *push, size_t body_len)
{
    bool cut = push->cut_size == 0 || body_len == 0;
    if (push->prev_version >= push->version ||
        !recall_is_good(push, body_len)) {
        return false;
    }
    if (push->kind == roam_v1_Kind_NOOP) {
        return push->msg_id == 0 && push->conversation[0] == '\0' &&
               push->sender[0] == '\0' && push->content_type[0] == '\0' &&
               push->cut_size == 0 && push->client_msg_id == 0 &&
               body_len == 0 && push->conversation_name[0] == '\0' &&
               push->sender_name[0] == '\0';
    }
    if (roam_kind_is_known((uint32_t)push->kind)) {
        return push->msg_id != 0 && push->conversation[0] != '\0' &&
               push->sender[0] != '\0' && cut;
    }
    return cut;
}

static bool sync_ok_is_good(const roam_v1_SyncOk *ok)
{
    bool reset = ok->result == roam_v1_SyncResult_RESET;
    bool reason = ok->reason != roam_v1_ResetReason_RESET_UNSPECIFIED;
    return reset == reason &&
           (ok->max_unacked == 0 || ok->max_unacked >= ROAM_UNACKED_MIN);
}

/* A page without rows has no columns, and one with rows has some. */
static bool page_is_good(uint32_t count, uint32_t inflated_size,
                         size_t payload_len)
{
    return (count == 0) == (inflated_size == 0) &&
           (count == 0) == (payload_len == 0);
}

static bool fields_agree(const struct roam_message *m)
{
    switch (m->type) {
    case ROAM_SYNC_OK:
        return sync_ok_is_good(&m->u.sync_ok);
    case ROAM_PUSH:
        return push_is_good(&m->u.push, m->body.len);
    case ROAM_BATCH:
        return m->u.batch.prev_version < m->u.batch.last_version;
    case ROAM_CONVERSATIONS:
        return (m->u.conversations.before == 0) ==
               (m->u.conversations.conversation[0] == '\0');
    case ROAM_MEMBER_PAGE:
        return (m->u.member_page.count == 0) == (m->body.len == 0);
    case ROAM_SESSION_LIST:
        return (m->u.session_list.count == 0) == (m->body.len == 0);
    case ROAM_HISTORY_PAGE:
        return page_is_good(m->u.history_page.count,
                            m->u.history_page.inflated_size, m->body.len);
    case ROAM_CONVERSATION_PAGE:
        return page_is_good(m->u.conversation_page.count,
                            m->u.conversation_page.inflated_size, m->body.len);
    default:
        return true;
    }
}

roam_v1_ErrorCode roam_message_decode(uint8_t type, struct roam_slice payload,
                                      struct roam_message *m)
{
    const struct message_form *form = form_of(type);
    struct roam__found found;
    memset(&found, 0, sizeof found);
    if (form == NULL) {
        return MALFORMED;
    }
    roam_v1_ErrorCode error = check_fields(type, payload, &found);
    if (error != MALFORMED && found.holder.data != NULL) {
        error = roam__worse_fault(
            error, check_fields(ROAM__HOLDER_RULES, found.holder, &found));
    }
    if (error != OK) {
        return error;
    }
    roam_message_init(m, type);
    pb_istream_t in = pb_istream_from_buffer(payload.data, payload.len);
    if (!pb_decode(&in, form->fields, &m->u)) {
        return MALFORMED;
    }
    m->body = found.body;
    return fields_agree(m) ? OK : FIELD_RANGE;
}

/* --------------------------------------------------------------- encoding */

/* Writes the payload; with an empty stream, only counts. */
static bool encode_payload(const struct roam_message *m, pb_ostream_t *out)
{
    const struct message_form *form = form_of(m->type);
    if (form == NULL || !pb_encode(out, form->fields, &m->u)) {
        return false;
    }
    if (form->body_field == 0 || m->body.len == 0) {
        return true;
    }
    return pb_encode_tag(out, PB_WT_STRING, form->body_field) &&
           pb_encode_string(out, m->body.data, m->body.len);
}

size_t roam_message_size(const struct roam_message *m)
{
    pb_ostream_t out = PB_OSTREAM_SIZING;
    if (!encode_payload(m, &out) || out.bytes_written > ROAM_FRAME_MAX) {
        return 0;
    }
    return ROAM_FRAME_HEADER_BYTES + out.bytes_written;
}

size_t roam_message_encode(const struct roam_message *m, uint8_t *out,
                           size_t cap)
{
    if (cap < ROAM_FRAME_HEADER_BYTES) {
        return 0;
    }
    size_t room = cap - ROAM_FRAME_HEADER_BYTES;
    if (room > ROAM_FRAME_MAX) {
        room = ROAM_FRAME_MAX;
    }
    pb_ostream_t stream =
        pb_ostream_from_buffer(out + ROAM_FRAME_HEADER_BYTES, room);
    if (!encode_payload(m, &stream)) {
        return 0;
    }
    roam_frame_put_header(out, m->type, (uint32_t)stream.bytes_written);
    return ROAM_FRAME_HEADER_BYTES + stream.bytes_written;
}
