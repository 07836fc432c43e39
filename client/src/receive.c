/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes from the server: cut into frames, decode, look up what they mean in
 * this state, act. What concerns entries is in delivery.c.
 *
 * A frame that breaks a rule changes nothing but the state: FRAME-14. */
#include <string.h>

#include "engine.h"

/* The version that the server picked is the one that we speak; 0: likewise. */
static bool version_ok(const roam_v1_LoginOk *ok)
{
    return ok->protocol == 0 || ok->protocol == ROAM_PROTOCOL_VERSION;
}

/* The event that a decoded frame is. */
static enum roam__on event_of(const struct roam__engine *e)
{
    const struct roam_message *m = &e->hand.message;
    switch (m->type) {
    case ROAM_LOGIN_OK:
        if (!version_ok(&m->u.login_ok)) {
            return ON_BROKEN;
        }
        return e->login_due ? ON_OTHER : ON_LOGIN_OK;
    case ROAM_REFUSED:
        if (e->login_due) {
            return ON_OTHER;
        }
        return m->u.refused.reason == roam_v1_RefusedReason_THROTTLED
                   ? ON_THROTTLED
                   : ON_REFUSED;
    case ROAM_KICK:
        return ON_KICK;
    case ROAM_SYNC_OK:
        return e->sync_due ? ON_OTHER : roam__sync_answer(e);
    case ROAM_PUSH:
    case ROAM_BATCH:
        return roam__meets(e);
    case ROAM_HISTORY_PAGE:
    case ROAM_CONVERSATION_PAGE:
    case ROAM_MEMBER_PAGE:
    case ROAM_SESSION_LIST:
    case ROAM_SESSION_ENDED:
        return roam__page_answer(e);
    case ROAM_SEND_OK:
    case ROAM_ERROR:
        return ON_ANSWER;
    case ROAM_PONG:
        return ON_PONG;
    default:
        return ON_OTHER;
    }
}

/* A payload that does not decode. */
static enum roam__on event_of_broken(const struct roam__engine *e, uint8_t type)
{
    switch (type) {
    case ROAM_BATCH:
        return ON_LIES;
    case ROAM_HISTORY_PAGE:
    case ROAM_CONVERSATION_PAGE:
    case ROAM_MEMBER_PAGE:
    case ROAM_SESSION_LIST:
        return e->page.state == PAGE_ASKED ? ON_PAGE_LIES : ON_BROKEN;
    default:
        return ON_BROKEN;
    }
}

static void take_frame(struct roam__engine *e, uint8_t type,
                       struct roam_slice payload)
{
    if (roam_frame_name(type) == NULL) {
        /* FRAME-6; a peer MUST NOT skip any other. */
        roam__step(e, (type & ROAM_FRAME_IGNORABLE) != 0 ? ON_NONE : ON_OTHER);
    } else if ((type & ROAM_FRAME_FROM_SERVER) == 0) {
        roam__step(e, ON_OTHER);
    } else if (roam_message_decode(type, payload, &e->hand.message) !=
               roam_v1_ErrorCode_ERROR_UNSPECIFIED) {
        roam__step(e, event_of_broken(e, type));
    } else {
        roam__step(e, event_of(e));
    }
}

/* Takes bytes up to the end of one frame, and the frame.
 *
 * The reader hands a frame that lies whole in the input out from there. Its
 * strings must outlive this call, so the first byte goes in alone: then the
 * reader collects the frame in our buffer. */
static void take(struct roam__engine *e, struct roam_slice *in)
{
    struct roam_slice part = *in;
    if (!e->mid_frame) {
        part.len = 1;
    }
    size_t offered = part.len;
    uint8_t type = 0;
    struct roam_slice payload = {NULL, 0};
    enum roam_reader_result result =
        roam_reader_next(&e->reader, &part, &type, &payload);
    size_t taken = offered - part.len;
    in->data += taken;
    in->len -= taken;
    e->mid_frame = result == ROAM_READER_MORE;
    if (result == ROAM_READER_FRAME) {
        take_frame(e, type, payload);
    } else if (result != ROAM_READER_MORE) {
        roam__step(e, ON_BROKEN);
    }
}

ptrdiff_t roam_client_feed(struct roam_client *c, const uint8_t *data,
                           size_t len, uint64_t now_ms)
{
    struct roam__engine *e = roam__engine(c);
    roam__now(e, now_ms);
    if (e->state == ST_CLOSED) {
        return ROAM_STATUS_BAD_STATE;
    }
    if (len > 0) {
        e->rx_ms = e->now_ms;
        e->probing = false;
    }
    struct roam_slice in = {data, len};
    while (in.len > 0 && e->owes == 0 && e->state != ST_ENDED) {
        take(e, &in);
    }
    if (e->status != ROAM_STATUS_OK) {
        return e->status;
    }
    /* Behind a KICK, or after the caller's close, nothing counts. */
    return (ptrdiff_t)(e->state == ST_ENDED ? len : len - in.len);
}

/* ------------------------------------------------------ answers to LOGIN */

enum roam__on roam__act_granted(struct roam__engine *e)
{
    const roam_v1_LoginOk *ok = &e->hand.message.u.login_ok;
    e->peer_max_frame = ok->max_frame;
    e->max_commands = ok->max_commands;
    e->heartbeat_ms = ok->heartbeat_ms;
    e->dedup_ms = ok->dedup_ms;
    e->since_ms = e->now_ms;
    e->answer_ms = e->now_ms + e->config.answer_timeout_ms;
    e->owes |= OWES_LOGGED_IN;
    return ON_NONE;
}

/* LOGIN-17, LOGIN-18, and the retry class for the rest. */
enum roam__on roam__act_refused(struct roam__engine *e)
{
    const roam_v1_Refused *refused = &e->hand.message.u.refused;
    /* A class of a later version counts as AFTER. */
    bool by_itself = refused->retry != roam_v1_Retry_REAUTHENTICATE &&
                     refused->retry != roam_v1_Retry_NEVER;
    switch ((int)refused->reason) {
    case roam_v1_RefusedReason_STALE:
        e->stale = true;
        break;
    case roam_v1_RefusedReason_OCCUPIED:
    case roam_v1_RefusedReason_KICKED:
    case roam_v1_RefusedReason_FREE:
        by_itself = false;
        break;
    default:
        break;
    }
    e->stay_out = !by_itself;
    e->sync_due = false;
    e->used_take_over = 0;
    e->owes |= OWES_REFUSED;
    return ON_NONE;
}

/* FLOW-6: at least the time told, and the back-off on top, which spreads
 * those who were throttled together. */
enum roam__on roam__act_throttled(struct roam__engine *e)
{
    uint32_t wait_ms = e->hand.message.u.refused.retry_after_ms;
    e->sync_due = false;
    e->used_take_over = 0;
    e->owes |= OWES_REFUSED;
    roam__end(e, ROAM_STATUS_OK, RETURN_LATER, 0);
    if (e->close_reconnect) {
        e->close_at_ms += wait_ms;
    }
    return ON_NONE;
}

/* ---------------------------------------------- answers to SEND and pages */

/* [FLOW-4], and for a code that this version does not know what its retry
 * class says. [CODE-1] */
static bool comes_again(const roam_v1_Error *error)
{
    if ((int)error->code <= (int)_roam_v1_ErrorCode_MAX) {
        return error->code == roam_v1_ErrorCode_RATE_LIMITED;
    }
    return error->retry != roam_v1_Retry_REAUTHENTICATE &&
           error->retry != roam_v1_Retry_NEVER;
}

/* An answer to what was not sent on this connection, or has its answer, is
 * a fault; nothing comes of it. */
enum roam__on roam__act_answer(struct roam__engine *e)
{
    const struct roam_message *m = &e->hand.message;
    bool failed = m->type == ROAM_ERROR;
    uint64_t id = failed ? m->u.error.ref : m->u.send_ok.client_msg_id;
    bool limited = failed && comes_again(&m->u.error);
    if (limited && roam__page_limited(e, id, m->u.error.retry_after_ms)) {
        return ON_NONE;
    }
    if (failed && roam__page_refused(e, id, (uint32_t)m->u.error.code)) {
        return ON_NONE;
    }
    if (!roam__outbox_answered(e, id)) {
        return ON_NONE;
    }
    if (limited) {
        roam__outbox_limited(e, id, m->u.error.retry_after_ms);
    } else {
        e->owes |= failed ? OWES_FAILED : OWES_SENT;
        e->done_id = id;
        e->done_msg_id = failed ? 0 : m->u.send_ok.msg_id;
        e->done_duplicate = !failed && m->u.send_ok.duplicate;
        e->done_conversation.data = (const uint8_t *)m->u.send_ok.conversation;
        e->done_conversation.len =
            failed ? 0 : strlen(m->u.send_ok.conversation);
    }
    return ON_NONE;
}

/* ---------------------------------------------------------------- endings */

enum roam__on roam__act_kicked(struct roam__engine *e)
{
    const roam_v1_Kick *kick = &e->hand.message.u.kick;
    enum roam__return way = RETURN_LATER;
    uint32_t window_ms = 0;
    switch ((int)kick->retry) {
    case roam_v1_Retry_NOW:
        way = RETURN_AT_ONCE;
        break;
    case roam_v1_Retry_AFTER:
        window_ms = kick->retry_after_ms; /* KICK-8 */
        break;
    case roam_v1_Retry_REAUTHENTICATE:
    case roam_v1_Retry_NEVER:
        way = RETURN_NOT;
        break;
    default: /* a class of a later version */
        break;
    }
    if (kick->reason == roam_v1_KickReason_TAKEN_OVER ||
        kick->reason == roam_v1_KickReason_SUPERSEDED ||
        kick->reason == roam_v1_KickReason_LOGGED_OUT) {
        way = RETURN_NOT; /* KICK-7, whatever class is told */
    }
    /* A refusal that a person must answer stands: LOGIN-18. */
    e->stay_out = e->stay_out || way == RETURN_NOT;
    e->owes |= OWES_KICKED;
    roam__end(e, ROAM_STATUS_OK, way, window_ms);
    return ON_NONE;
}

enum roam__on roam__act_broken(struct roam__engine *e)
{
    roam__end(e, ROAM_STATUS_FRAME, RETURN_LATER, 0);
    return ON_NONE;
}

enum roam__on roam__act_other(struct roam__engine *e)
{
    roam__end(e, ROAM_STATUS_UNEXPECTED, RETURN_LATER, 0);
    return ON_NONE;
}

enum roam__on roam__act_chain(struct roam__engine *e)
{
    roam__end(e, ROAM_STATUS_CHAIN, RETURN_LATER, 0);
    return ON_NONE;
}

enum roam__on roam__act_stuck(struct roam__engine *e)
{
    roam__end(e, ROAM_STATUS_NO_PROGRESS, RETURN_LATER, 0);
    return ON_NONE;
}

enum roam__on roam__act_silent(struct roam__engine *e)
{
    roam__end(e, ROAM_STATUS_SILENT, RETURN_LATER, 0);
    return ON_NONE;
}

enum roam__on roam__act_close(struct roam__engine *e)
{
    roam__end(e, ROAM_STATUS_OK, RETURN_NOT, 0);
    return ON_NONE;
}

enum roam__on roam__act_gone(struct roam__engine *e)
{
    /* A caller may say "gone" twice; what waits to be told stands. */
    if ((e->owes & OWES_CLOSE) == 0) {
        roam__end(e, ROAM_STATUS_OK, RETURN_LATER, 0);
    }
    return ON_NONE;
}
