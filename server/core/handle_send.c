/* SPDX-License-Identifier: Apache-2.0 */
/* SEND: what can be refused here is; the rest is the store's, in one
 * transaction. SEND_OK goes out before the entry goes to anybody.
 * Spec: section 7. */
#include "session.h"

#include <string.h>

#include "fault.h"

/* Copies the texts and the body behind each other into the request. */
static void fill(struct roam_store_request *req, const struct roam_message *m,
                 size_t conversation_len, size_t content_type_len)
{
    struct roam_store_send *send = &req->u.send;
    uint8_t *at = req->memory;
    memcpy(at, m->u.send.conversation, conversation_len);
    send->conversation = (struct roam_slice){at, conversation_len};
    at += conversation_len;
    memcpy(at, m->u.send.content_type, content_type_len);
    send->content_type = (struct roam_slice){at, content_type_len};
    at += content_type_len;
    if (m->body.len > 0) {
        memcpy(at, m->body.data, m->body.len);
    }
    send->body = (struct roam_slice){at, m->body.len};
    send->client_msg_id = m->u.send.client_msg_id;
    send->kind = (uint32_t)m->u.send.kind;
}

/* What a client may send. [SEND-9] */
static bool is_sendable(uint32_t kind)
{
    return kind == roam_v1_Kind_MESSAGE ||
           (roam_kind_is_operation(kind) && kind != roam_v1_Kind_DEVICE);
}

/* [SEND-20] */
static bool body_is_good(const struct roam_message *m)
{
    uint32_t kind = (uint32_t)m->u.send.kind;
    struct roam_operation op;
    return kind == roam_v1_Kind_MESSAGE || ROAM_FAULT("body-unchecked") ||
           roam_operation_decode(kind, m->body, &op);
}

/* The first fault of the SEND that shows without the store; 0: none. */
static roam_v1_ErrorCode fault_of(const struct roam_session *s,
                                  const struct roam_message *m)
{
    if (!is_sendable((uint32_t)m->u.send.kind)) {
        return roam_v1_ErrorCode_KIND_UNKNOWN;
    }
    if (m->body.len > s->core->config.max_body) { /* [SEND-8] */
        return roam_v1_ErrorCode_BODY_TOO_LONG;
    }
    return body_is_good(m) ? roam_v1_ErrorCode_ERROR_UNSPECIFIED
                           : roam_v1_ErrorCode_BODY_INVALID;
}

void roam__handle_send(struct roam_session *s, const struct roam_message *m)
{
    const roam_v1_Send *send = &m->u.send;
    if (!roam__session_count_command(s)) {
        return;
    }
    roam_v1_ErrorCode fault = fault_of(s, m); /* [SEND-19] */
    if (fault != roam_v1_ErrorCode_ERROR_UNSPECIFIED) {
        roam__session_answer_error(s, send->client_msg_id, fault);
        return;
    }
    if (!roam__flow_send(s, send->client_msg_id, m->body.len)) {
        return;
    }
    size_t conversation_len = strlen(send->conversation);
    size_t content_type_len = strlen(send->content_type);
    struct roam_store_request *req = roam__request_new(
        s, ROAM_STORE_SEND, conversation_len + content_type_len + m->body.len);
    if (req == NULL) {
        return;
    }
    fill(req, m, conversation_len, content_type_len);
    if (req->u.send.kind != roam_v1_Kind_MESSAGE) {
        (void)roam_operation_decode(req->u.send.kind, req->u.send.body,
                                    &req->u.send.operation);
    }
    req->u.send.identity = s->identity;
    req->u.send.now_ms = roam__stored_now(s->core);
    roam__request_submit(s, req);
}

/* ------------------------------------------------------------------ answer */

static void answer_ok(struct roam_session *s,
                      const struct roam_store_send *send)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_SEND_OK);
    m.u.send_ok.client_msg_id = send->client_msg_id;
    m.u.send_ok.msg_id = send->msg_id;
    m.u.send_ok.duplicate = send->result == ROAM_SEND_DUPLICATE;
    if (ROAM_FAULT("operation-without-id") &&
        send->kind != roam_v1_Kind_MESSAGE) {
        m.u.send_ok.msg_id = send->operation.msg_id;
    }
    if (send->made.len > 0 && send->made.len <= ROAM_CONVERSATION_MAX) {
        memcpy(m.u.send_ok.conversation, send->made.data, send->made.len);
    }
    roam__session_queue(s, &m);
}

static void answer(struct roam_session *s, const struct roam_store_send *send)
{
    switch (send->result) {
    case ROAM_SEND_STORED:
    case ROAM_SEND_DUPLICATE:
        answer_ok(s, send);
        break;
    case ROAM_SEND_REFUSED:
        roam__session_answer_error(s, send->client_msg_id,
                                   (roam_v1_ErrorCode)send->error);
        break;
    case ROAM_SEND_FENCED: /* [KICK-5] */
        roam__session_fenced(s, send->unheld);
        break;
    }
}

void roam__send_done(struct roam_session *s, struct roam_store_request *req)
{
    const struct roam_store_send *send = &req->u.send;
    struct roam_core_stats *stats = &s->core->stats;
    stats->sends += send->result == ROAM_SEND_STORED ? 1 : 0;
    stats->duplicates += send->result == ROAM_SEND_DUPLICATE ? 1 : 0;
    if (!s->closed && roam__session_is_live(s)) {
        answer(s, send);
    }
    roam__flow_delivered(s, send->delivery_count);
    roam__delivery_fan_out(s->core, send);
    if (s->user != NULL) {
        roam__session_tells(s, s->user->head);
    }
}
