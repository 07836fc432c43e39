/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: bytes in, frames to the state machine, bytes out.
 *
 * Reading never waits for writing: all bytes are taken, whatever is stuck.
 * What a peer can make wait is bounded: an unfinished frame by what was
 * received [SEC-3], answers to SENDs by max_commands, PONGs by coalescing,
 * delivery by output_max_bytes, REFUSED, SYNC_OK and pages by holding the
 * request back while the output is above that. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "fault.h"

/* The first bytes of a frame that came in pieces; most frames fit. */
#define READER_MIN_BYTES 64u

/* ------------------------------------------------------------------ input */

/* Makes room for what of the unfinished frame is there and has just come in.
 *
 * The reader is promised a buffer for the whole frame, but memory follows
 * the bytes received, by doubling, and never the length announced [SEC-3]:
 * this is called before each read, and one read stores at most `incoming`
 * bytes. */
static bool make_room(struct roam_session *s, size_t incoming)
{
    struct roam_reader *r = &s->reader;
    size_t need = roam_reader_need(r);
    size_t target = r->have + incoming < need ? r->have + incoming : need;
    if (s->reader_room < target) {
        size_t room = 2 * s->reader_room;
        room = room < target ? target : room;
        room = room > need ? need : room;
        room = room < READER_MIN_BYTES ? READER_MIN_BYTES : room;
        room = ROAM_FAULT("announced-is-taken") ? need : room;
        uint8_t *buf = roam__resize(r->buf, room);
        if (buf == NULL) {
            return false;
        }
        if (ROAM_FAULT("announced-is-taken")) {
            memset(buf + r->have, 0, room - r->have);
        }
        r->buf = buf;
        s->reader_room = room;
    }
    r->cap = need;
    return true;
}

/* The frame in the reader's buffer is done with. */
static void empty_reader(struct roam_session *s)
{
    free(s->reader.buf);
    s->reader_room = 0;
    roam_reader_init(&s->reader, NULL, 0, s->reader.max);
}

static void take_frame(struct roam_session *s, uint8_t type,
                       struct roam_slice payload)
{
    if (!roam__flow_frame(s)) {
        return;
    }
    if (roam_frame_name(type) == NULL) {
        if ((type & ROAM_FRAME_IGNORABLE) == 0) { /* [FRAME-6], [FRAME-7] */
            roam__session_protocol_error(s, roam_v1_ErrorCode_FRAME_UNKNOWN,
                                         "");
        }
        return;
    }
    if (ROAM_FAULT("second-login-accepted") && type == ROAM_LOGIN &&
        roam__session_is_live(s)) {
        return;
    }
    if (!roam__session_expects(s, type)) {
        roam__session_protocol_error(s, roam_v1_ErrorCode_FRAME_UNEXPECTED,
                                     roam_frame_name(type));
        return;
    }
    struct roam_message m;
    roam_v1_ErrorCode error = roam_message_decode(type, payload, &m);
    if (error != roam_v1_ErrorCode_ERROR_UNSPECIFIED) {
        roam__session_protocol_error(s, error, roam_frame_name(type));
        return;
    }
    roam__session_event(s, (enum roam__event)type, &m);
}

static bool is_reading(const struct roam_session *s)
{
    if (ROAM_FAULT("stuck-is-not-heard") && !roam__session_has_room(s)) {
        return false;
    }
    return s->state != ROAM__ENDING && !s->deaf;
}

static void take_bytes(struct roam_session *s, struct roam_slice in)
{
    while (is_reading(s)) {
        if (s->reader.have > 0 && !make_room(s, in.len)) {
            roam__session_no_memory(s);
            return;
        }
        uint8_t type;
        struct roam_slice payload;
        switch (roam_reader_next(&s->reader, &in, &type, &payload)) {
        case ROAM_READER_MORE:
            return;
        case ROAM_READER_ROOM:
            if (!make_room(s, in.len)) {
                roam__session_no_memory(s);
            }
            break;
        case ROAM_READER_TOO_LONG:
            roam__session_protocol_error(s, roam_v1_ErrorCode_FRAME_TOO_LONG,
                                         "");
            break;
        case ROAM_READER_FRAME:
            take_frame(s, type, payload);
            if (s->reader.frame_out) {
                empty_reader(s);
            }
            break;
        }
    }
}

void roam_session_feed(struct roam_session *s, const uint8_t *data, size_t len,
                       struct roam_now now)
{
    s->core->now = now;
    if (!is_reading(s) || !roam__flow_read(s, len) || len == 0) {
        return;
    }
    s->heard_ms = now.mono_ms;
    take_bytes(s, (struct roam_slice){data, len});
    roam__output_relieve(s->core);
}

/* ----------------------------------------------------------------- output */

/* len bytes were written behind the output. */
static void added(struct roam_session *s, size_t len)
{
    if (s->out.len == 0) {
        s->moved_ms = s->core->now.mono_ms;
    }
    roam__output_add(&s->out, len);
    roam__output_added(s->core, len);
    roam__session_ready(s);
    roam__timers_update(s);
}

bool roam__session_queue(struct roam_session *s, const struct roam_message *m)
{
    size_t size = roam_message_size(m);
    uint8_t *room = roam__output_room(&s->out, size);
    if (room == NULL) {
        roam__session_no_memory(s);
        return false;
    }
    added(s, roam_message_encode(m, room, size));
    return true;
}

bool roam__session_queue_bytes(struct roam_session *s, const uint8_t *data,
                               size_t len)
{
    uint8_t *room = roam__output_room(&s->out, len);
    if (room == NULL) {
        roam__session_no_memory(s);
        return false;
    }
    memcpy(room, data, len);
    added(s, len);
    return true;
}

void roam__session_tells(struct roam_session *s, uint64_t head)
{
    s->told = head > s->told ? head : s->told;
}

bool roam__session_count_command(struct roam_session *s)
{
    if (s->commands >= s->core->config.max_commands &&
        !ROAM_FAULT("commands-unlimited")) {
        roam__session_protocol_error(s, roam_v1_ErrorCode_TOO_MANY_COMMANDS,
                                     "");
        return false;
    }
    s->commands++;
    return true;
}

void roam__session_answer_error(struct roam_session *s, uint64_t ref,
                                roam_v1_ErrorCode code)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_ERROR);
    m.u.error.code = code;
    m.u.error.retry = roam_v1_Retry_NEVER; /* all of section 12.1 */
    m.u.error.ref = ref;
    roam__session_queue(s, &m);
}

void roam__session_answer_limited(struct roam_session *s, uint64_t ref,
                                  uint64_t wait_ms)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_ERROR);
    m.u.error.code = roam_v1_ErrorCode_RATE_LIMITED;
    m.u.error.retry = roam_v1_Retry_AFTER;
    m.u.error.ref = ref;
    m.u.error.retry_after_ms =
        wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX;
    if (ROAM_FAULT("told-too-short")) {
        m.u.error.retry_after_ms /= 2;
    }
    if (ROAM_FAULT("limited-without-time")) {
        m.u.error.retry_after_ms = 0;
    }
    s->core->stats.rate_limited++;
    roam__session_queue(s, &m);
}

bool roam__session_has_room(const struct roam_session *s)
{
    const struct roam_core *core = s->core;
    if (s->out.len > 0 &&
        core->output_bytes > core->config.output_total_bytes / 2 &&
        !ROAM_FAULT("output-of-all-unbounded")) {
        return false; /* one frame each, while there is little for all */
    }
    /* Half, because one more frame is at most the other half. */
    return s->out.len <= core->config.output_max_bytes / 2;
}

bool roam__session_is_full(const struct roam_session *s)
{
    return s->out.len > s->core->config.output_max_bytes;
}

struct roam_slice roam_session_pending(struct roam_session *s)
{
    if (s->given_up) {
        return (struct roam_slice){NULL, 0};
    }
    return roam__output_pending(&s->out);
}

void roam_session_sent(struct roam_session *s, size_t n, struct roam_now now)
{
    s->core->now = now;
    if (n == 0) {
        return;
    }
    roam__output_left(s->core, n < s->out.len ? n : s->out.len);
    s->commands -= roam__output_sent(&s->out, n);
    s->moved_ms = now.mono_ms;
    if (s->state == ROAM__ENDING) {
        if (s->out.len == 0) {
            roam__session_ready(s);
        }
        return;
    }
    if (s->has_ping && !roam__session_is_full(s)) {
        s->has_ping = false;
        roam__session_answer_ping(s, s->ping_id);
    }
    roam__request_release_held(s);
    roam__delivery_pump(s);
    roam__pages_pump(s);
}

uint32_t roam_session_peer_max_frame(const struct roam_session *s)
{
    return s->peer_max_frame;
}

bool roam_session_finished(const struct roam_session *s)
{
    return s->state == ROAM__ENDING && (s->given_up || s->out.len == 0);
}

/* ------------------------------------------------------------- ready list */

void roam__session_ready(struct roam_session *s)
{
    struct roam_core *core = s->core;
    if (s->is_ready || s->closed) {
        return;
    }
    s->is_ready = true;
    s->ready_next = NULL;
    s->ready_prev = core->ready_last;
    if (core->ready_last != NULL) {
        core->ready_last->ready_next = s;
    } else {
        core->ready_first = s;
    }
    core->ready_last = s;
}

static void unready(struct roam_session *s)
{
    struct roam_core *core = s->core;
    if (!s->is_ready) {
        return;
    }
    s->is_ready = false;
    if (s->ready_prev != NULL) {
        s->ready_prev->ready_next = s->ready_next;
    } else {
        core->ready_first = s->ready_next;
    }
    if (s->ready_next != NULL) {
        s->ready_next->ready_prev = s->ready_prev;
    } else {
        core->ready_last = s->ready_prev;
    }
}

struct roam_session *roam_core_next_ready(struct roam_core *core)
{
    struct roam_session *s = core->ready_first;
    if (s != NULL) {
        unready(s);
    }
    return s;
}

/* --------------------------------------------------------- birth and death */

/* How many connections beyond max_sessions are still told OVERLOADED, if
 * there were not too many of late; the rest is closed without a word, so that
 * a flood costs nothing. */
#define OVERLOAD_TOLD 64u

static void link_session(struct roam_session *s)
{
    struct roam_core *core = s->core;
    s->next = core->sessions;
    if (s->next != NULL) {
        s->next->prev = s;
    }
    core->sessions = s;
    core->stats.connections++;
}

/* True: this newcomer is one too many. */
static bool is_too_many(struct roam_core *core, uint64_t address)
{
    return core->stats.connections >= core->config.max_sessions ||
           !roam__flow_connect(core, address) ||
           !roam__strangers_room(core, address);
}

static bool may_be_told(struct roam_core *core)
{
    uint32_t connections = core->stats.connections;
    uint32_t places = core->config.max_sessions;
    return (connections < places || connections - places < OVERLOAD_TOLD) &&
           roam__flow_tell(core);
}

struct roam_session *roam_core_accept(struct roam_core *core, const char *peer,
                                      uint64_t address, struct roam_now now)
{
    core->now = now;
    bool overloaded = is_too_many(core, address);
    if (overloaded && !may_be_told(core)) {
        return NULL;
    }
    struct roam_session *s = roam__alloc(sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->core = core;
    s->state = ROAM__OPEN;
    s->address = address;
    s->accepted_ms = now.mono_ms;
    s->heard_ms = now.mono_ms;
    s->login_by_ms = now.mono_ms + core->config.login_timeout_ms;
    s->peer_max_frame = ROAM_FRAME_MIN;
    strncpy(s->peer, peer, sizeof s->peer - 1);
    roam_reader_init(&s->reader, NULL, 0,
                     ROAM_FAULT("frame-limit-ignored")
                         ? ROAM_FRAME_MAX
                         : ROAM_PRE_LOGIN_FRAME_MAX); /* [FRAME-3] */
    if (!roam__timers_add(s)) {
        free(s);
        return NULL;
    }
    link_session(s);
    roam__strangers_add(s);
    if (core->draining) {
        roam__session_end(s, roam_v1_KickReason_GOING_AWAY);
    } else if (overloaded) {
        roam__session_end(s, roam_v1_KickReason_OVERLOADED);
    }
    return s;
}

void roam__session_release(struct roam_session *s)
{
    roam__strangers_remove(s);
    if (s->user != NULL) {
        roam__request_seen(s);
    }
    roam__users_leave(s);
    roam__turns_leave(s);
    roam__delivery_stop(s);
    roam_store_request_free(s->held);
    s->held = NULL;
    roam__pages_drop(s);
    empty_reader(s);
}

void roam_session_closed(struct roam_session *s, struct roam_now now)
{
    struct roam_core *core = s->core;
    core->now = now;
    if (s->state != ROAM__ENDING) {
        roam__log(core, ROAM__INFO, "lost peer=%s", s->peer);
    }
    roam__session_release(s);
    roam__output_left(core, s->out.len);
    roam__output_close(&s->out);
    roam__timers_remove(s);
    unready(s);
    s->closed = true;
    core->stats.connections--;
    if (s->requests == 0) {
        roam__session_free(s);
    }
}

void roam__session_free(struct roam_session *s)
{
    struct roam_core *core = s->core;
    if (s->prev != NULL) {
        s->prev->next = s->next;
    } else {
        core->sessions = s->next;
    }
    if (s->next != NULL) {
        s->next->prev = s->prev;
    }
    free(s);
}

void roam_session_set_owner(struct roam_session *s, void *owner)
{
    s->owner = owner;
}

void *roam_session_owner(const struct roam_session *s)
{
    return s->owner;
}
