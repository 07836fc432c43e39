/* SPDX-License-Identifier: Apache-2.0 */
/* The judges of the client role: every frame of every client, whatever the
 * case is about, against what it was served and what it was told to do. */
#include <inttypes.h>
#include <string.h>

#include "client_case.h"
#include "client_role.h"
#include "client_schema.h"
#include "wire.h"

const struct judge_rule client_judge_rules[] = {
    {"FRAME-1", "every frame is one that a client sends, and decodes"},
    {"FRAME-8", "nothing behind LOGOUT"},
    {"FRAME-14", "a connection with a lie on it is closed, and no other; "
                 "nothing of the lie is told"},
    {"FRAME-16", "the bounds of section 4, and the length that the server "
                 "takes"},
    {"LOGIN-1", "LOGIN is the first frame, once in a session"},
    {"LOGIN-2", "attempts of a device_id rise"},
    {"LOGIN-3", "take_over is what a person named, once"},
    {"LOGIN-4", "nothing but one SYNC between a LOGIN and its answer"},
    {"LOGIN-17", "another device_id behind STALE"},
    {"LOGIN-18", "no LOGIN and no connection before a person asked"},
    {"KICK-7", "no connection behind TAKEN_OVER, SUPERSEDED, LOGGED_OUT"},
    {"KICK-11", "none behind NEVER or REAUTHENTICATE"},
    {"SYNC-6", "one SYNC at a time"},
    {"SYNC-8", "entries before SYNC_OK are not told"},
    {"SYNC-9", "behind RESET the cursor is its head"},
    {"CHAIN-4", "every entry that fits is told, once, in order, as it was "
                "served, and the cursor is its version"},
    {"CHAIN-5", "no entry is told twice"},
    {"CHAIN-6", "SYNC behind a gap; nothing behind it is told"},
    {"CHAIN-7", "on a new connection SYNC names what was stored"},
    {"CHAIN-9", "rows of a batch that began below the cursor"},
    {"PUSH-7", "an unknown kind is chained and told"},
    {"ACK-1", "only what is stored is acknowledged, and not before it was "
              "served"},
    {"ACK-2", "half of the window waits for no ACK"},
    {"SEND-12", "no more commands unanswered than max_commands"},
    {"SEND-13", "what has no answer goes out again, with the same content, "
                "and what has one does not"},
    {"SEND-14", "nothing goes out again after dedup_ms"},
    {"SEND-15", "nor what an own entry has answered"},
    {"BATCH-9", "behind a bad batch SYNC offers less"},
    {"FLOW-4", "no SEND before the time that RATE_LIMITED told"},
    {"FLOW-6", "no LOGIN before the time that THROTTLED told"},
    {"FLOW-14", "no SEND before its time where none was told"},
    {"TLS-3", "no LOGIN to a server whose certificate nobody may trust"},
};
const size_t client_judge_rule_count =
    sizeof client_judge_rules / sizeof client_judge_rules[0];

/* [FRAME-3]: before a session. */
#define PRE_LOGIN_FRAME_MAX 4096u

static bool fail(struct stage *g, const char *rule, const char *what,
                 const char *legal, const struct frame *f)
{
    return world_fail(&g->world, rule, what, legal, f);
}

bool client_judge_accept(struct stage *g, struct conn *c)
{
    struct sut *s = c->subject;
    if (s->stay_out && !s->person_waits) {
        return fail(g, s->stay_out,
                    "the client connects again, and nobody told it to",
                    "it stays away until a person decides", NULL);
    }
    return true;
}

/* ------------------------------------------------------------------- LOGIN */

static bool judge_identity(struct stage *g, struct sut *s,
                           const struct frame *f, const Roam__V1__Login *m)
{
    bool same = s->has_id && memcmp(s->device_id, m->device_id.data, 16) == 0;
    if (s->must_change_id && same) {
        return fail(g, "LOGIN-17", "the same device_id behind STALE",
                    "a new device_id", f);
    }
    if (same && m->attempt <= s->attempt) {
        return fail(g, "LOGIN-2",
                    arena_printf("attempt %" PRIu64 " behind %" PRIu64,
                                 m->attempt, s->attempt),
                    "an attempt above all before", f);
    }
    memcpy(s->device_id, m->device_id.data, 16);
    memcpy(s->device->installation->id, m->device_id.data, 16);
    s->has_id = true;
    s->must_change_id = false;
    s->attempt = m->attempt;
    return true;
}

/* [LOGIN-3]: once for one act, with the generation that was seen; FREE may
 * be answered without asking: [LOGIN-18]. */
static bool judge_take_over(struct stage *g, struct sut *s,
                            const struct frame *f, uint64_t take_over)
{
    bool free_repeat = s->free_repeat && take_over == s->generation;
    if (take_over != 0 && take_over != s->may_take_over && !free_repeat) {
        return fail(g, "LOGIN-3", "a take_over that no person decided on now",
                    "take_over=0, or once what a person said", f);
    }
    if (s->stay_out && !s->person_waits && !free_repeat) {
        return fail(g, s->stay_out,
                    "the client logs in again, and nobody told it to",
                    "it waits for a person", f);
    }
    if (!s->person_waits && g->now_ms < s->login_from_ms) {
        return fail(g, "FLOW-6", "LOGIN before retry_after_ms have passed",
                    "it waits", f);
    }
    s->by_person = s->person_waits;
    s->person_waits = false;
    s->free_repeat = false;
    s->stay_out = NULL;
    s->may_take_over = 0;
    return true;
}

static bool judge_login(struct stage *g, struct conn *c, const struct frame *f)
{
    const Roam__V1__Login *m = (const Roam__V1__Login *)f->msg;
    struct sut *s = c->subject;
    if (c->state != CONN_OPEN) {
        return fail(g, c->state == CONN_LOGIN ? "LOGIN-4" : "LOGIN-1",
                    "LOGIN while one is under way, or in a session",
                    "one LOGIN, then its answer", f);
    }
    if (strcmp(m->user, s->device->user->name) != 0 ||
        strcmp(m->token, s->device->token) != 0 ||
        (uint64_t)m->device_type != s->device->type) {
        return fail(g, "LOGIN-1", "not the user, token or type of `open`", NULL,
                    f);
    }
    if (c->is_doubtful) {
        return fail(g, "TLS-3",
                    arena_printf("LOGIN to a server that shows: %s", c->shown),
                    "it ends the connection", f);
    }
    c->state = CONN_LOGIN;
    c->sync_open = false;
    c->record_max = m->max_frame;
    return judge_identity(g, s, f, m) && judge_take_over(g, s, f, m->take_over);
}

/* ------------------------------------------------------------------- SYNC */

/* [BATCH-9] */
static bool judge_offer(struct stage *g, struct sut *s, const struct frame *f,
                        const Roam__V1__Sync *m)
{
    if (s->bad_batches == 0 || s->bad_cursor != s->cursor) {
        return true;
    }
    if (m->codecs & ~1u) {
        return fail(g, "BATCH-9", "a codec is offered behind a bad batch",
                    "codecs=0", f);
    }
    if (s->bad_batches > 1 && m->max_entries != 0) {
        return fail(g, "BATCH-9", "entries are wanted behind two bad batches",
                    "max_entries=0", f);
    }
    return true;
}

const char *client_rule_of(const struct sut *s, const Roam__V1__Push *p)
{
    return p && p->kind >= LATER_KIND ? "PUSH-7"
           : s->overlapped            ? "CHAIN-9"
                                      : "CHAIN-4";
}

/* The rule that a cursor breaks which is not the shadow's. */
static const char *cursor_rule(const struct conn *c, uint64_t cursor)
{
    const struct sut *s = c->subject;
    if (s->by_reset) {
        return "SYNC-9";
    }
    if (c->state != CONN_SESSION) {
        return "CHAIN-7";
    }
    for (size_t i = 0; i < s->told_count; i++) {
        if (s->told[i].push->version > cursor) {
            return client_rule_of(s, s->told[i].push);
        }
    }
    return "CHAIN-6";
}

static bool judge_cursor(struct stage *g, struct conn *c, const struct frame *f,
                         uint64_t cursor)
{
    struct sut *s = c->subject;
    bool from_floor = s->cursor == 0 && cursor == s->floor; /* SYNC-11 */
    if (cursor == s->cursor || from_floor) {
        return true;
    }
    return fail(g, cursor_rule(c, cursor),
                arena_printf("SYNC names %" PRIu64
                             ", but what was served and stored ends at "
                             "%" PRIu64,
                             cursor, s->cursor),
                arena_printf("cursor=%" PRIu64, s->cursor), f);
}

static bool judge_sync(struct stage *g, struct conn *c, const struct frame *f)
{
    struct sut *s = c->subject;
    if (c->sync_open) {
        return fail(g, c->state == CONN_LOGIN ? "LOGIN-4" : "SYNC-6",
                    "a second SYNC before the answer to the first",
                    "one SYNC at a time", f);
    }
    if (c->state == CONN_OPEN) {
        return fail(g, "LOGIN-1", "SYNC without a LOGIN", "LOGIN first", f);
    }
    c->sync_open = true;
    c->sync = (Roam__V1__Sync *)f->msg;
    s->owes_sync = false;
    return judge_cursor(g, c, f, c->sync->cursor) &&
           judge_offer(g, s, f, c->sync);
}

/* -------------------------------------------------------------------- ACK */

static void land(struct conn *c, uint64_t version)
{
    size_t n = 0;
    for (size_t i = 0; i < c->flight_count; i++) {
        if (c->flight[i] > version) {
            c->flight[n++] = c->flight[i];
        }
    }
    c->flight_count = n;
    c->acked = version > c->acked ? version : c->acked;
}

static bool judge_ack(struct stage *g, struct conn *c, const struct frame *f)
{
    uint64_t version = ((const Roam__V1__Ack *)f->msg)->version;
    if (!c->is_delivering) {
        return fail(g, "ACK-1", "ACK before any entry was served",
                    "ACK of what is stored", f);
    }
    if (version > c->subject->cursor) {
        return fail(g, c->subject->owes_sync ? "ACK-1 CHAIN-6" : "ACK-1",
                    arena_printf("%" PRIu64 " is acknowledged, but only what "
                                 "ends at %" PRIu64 " is stored",
                                 version, c->subject->cursor),
                    "ACK of what is stored", f);
    }
    if (version > c->last_sent && !c->sync_open) {
        return fail(g, "ACK-1", "ACK above the last version of this delivery",
                    arena_printf("a version up to %" PRIu64, c->last_sent), f);
    }
    land(c, version);
    return true;
}

/* --------------------------------------------------------------- commands */

struct client_send *client_find_send(struct sut *s, uint64_t id)
{
    for (size_t i = 0; i < s->send_count; i++) {
        if (s->sends[i].client_msg_id == id) {
            return &s->sends[i];
        }
    }
    return NULL;
}

static bool same_content(const Roam__V1__Send *a, const Roam__V1__Send *b)
{
    return strcmp(a->conversation, b->conversation) == 0 &&
           a->kind == b->kind &&
           strcmp(a->content_type, b->content_type) == 0 &&
           a->body.len == b->body.len &&
           (a->body.len == 0 ||
            memcmp(a->body.data, b->body.data, a->body.len) == 0);
}

static bool note_command(struct stage *g, struct conn *c, const struct frame *f,
                         uint64_t id)
{
    arena_grow((void **)&c->open_commands, c->command_count, &c->command_cap,
               sizeof *c->open_commands);
    c->open_commands[c->command_count++] = id;
    if (c->command_count > c->max_commands) {
        return fail(
            g, "SEND-12",
            arena_printf("%zu commands are unanswered", c->command_count),
            arena_printf("at most %" PRIu32, c->max_commands), f);
    }
    return true;
}

/* SENDs of this connection without an answer. */
static bool has_open_sends(const struct conn *c)
{
    const struct sut *s = c->subject;
    for (size_t i = 0; i < s->send_count; i++) {
        if (s->sends[i].last_conn == c && !s->sends[i].is_done) {
            return true;
        }
    }
    return false;
}

static bool judge_repetition(struct stage *g, struct client_send *sent,
                             const struct frame *f)
{
    const Roam__V1__Send *m = (const Roam__V1__Send *)f->msg;
    if (!same_content(sent->first, m)) {
        return fail(g, "SEND-13", "the same client_msg_id with another content",
                    "a repetition is the same message", f);
    }
    if (sent->is_done) {
        return fail(g, sent->by_entry ? "SEND-15" : "SEND-13",
                    "a message that was answered comes again",
                    "nothing more of it", f);
    }
    return true;
}

static bool judge_send(struct stage *g, struct conn *c, const struct frame *f)
{
    const Roam__V1__Send *m = (const Roam__V1__Send *)f->msg;
    struct sut *s = c->subject;
    struct client_send *sent = client_find_send(s, m->client_msg_id);
    if (!sent) {
        arena_grow((void **)&s->sends, s->send_count, &s->send_cap,
                   sizeof *s->sends);
        sent = &s->sends[s->send_count++];
        *sent = (struct client_send){.client_msg_id = m->client_msg_id};
    }
    if (!sent->first) {
        sent->first = m;
        sent->first_at_ms = g->now_ms;
    } else if (!judge_repetition(g, sent, f)) {
        return false;
    }
    if (g->now_ms < s->sends_from_ms) {
        return s->is_told_when
                   ? fail(g, "FLOW-4",
                          "a SEND before retry_after_ms have passed",
                          "it waits", f)
                   : fail(g, "FLOW-14",
                          "a SEND before the time where none was told",
                          "it waits, twice as long each time", f);
    }
    if (c->is_limited && has_open_sends(c)) {
        return fail(g, "FLOW-4",
                    "a SEND while others wait for an answer, behind "
                    "RATE_LIMITED",
                    "it waits for all of them", f);
    }
    c->is_limited = false;
    if (g->now_ms - sent->first_at_ms > s->dedup_ms) {
        return fail(g, "SEND-14", "a repetition later than dedup_ms",
                    "it is given up", f);
    }
    sent->last_conn = c;
    return note_command(g, c, f, m->client_msg_id);
}

static uint64_t ref_of(const struct frame *f)
{
    struct value v = value_number(0);
    field_get(f->msg, "ref", &v);
    return v.number;
}

/* --------------------------------------------------------------- all frames */

static bool judge_session_frame(struct stage *g, struct conn *c,
                                struct frame *f)
{
    if (c->state == CONN_LOGIN) {
        return fail(g, "LOGIN-4", "it comes before the answer to LOGIN",
                    "nothing but one SYNC", f);
    }
    if (c->state == CONN_OPEN) {
        return fail(g, "LOGIN-1", "it comes without a session", "LOGIN", f);
    }
    switch (f->number) {
    case F_ACK:
        return judge_ack(g, c, f);
    case F_SEND:
        return judge_send(g, c, f);
    case F_PING:
        c->ping = ((const Roam__V1__Ping *)f->msg)->id;
        return serve_pong(g, c);
    case F_LOGOUT:
        c->logout_came = true;
        return true;
    default:
        return note_command(g, c, f, ref_of(f));
    }
}

static bool judge_form(struct stage *g, const struct conn *c,
                       const struct frame *f)
{
    struct schema_fault fault = {NULL, NULL};
    uint32_t most =
        c->state == CONN_SESSION ? c->max_frame : PRE_LOGIN_FRAME_MAX;
    if (f->len > most) {
        return fail(g, "FRAME-16",
                    arena_printf("a payload of %zu bytes", f->len),
                    arena_printf("at most %" PRIu32, most), f);
    }
    if (!f->type || f->type->from_server) {
        return fail(g, "FRAME-1", "a frame that no client sends", NULL, f);
    }
    if (!f->msg) {
        return fail(g, "FRAME-1", "the payload is no message of its type", NULL,
                    f);
    }
    return client_schema_check(f, &fault) ||
           fail(g, fault.rule, fault.what, NULL, f);
}

static bool judge_frame(struct stage *g, struct conn *c, struct frame *f)
{
    if (c->state == CONN_ENDING || c->must_end) {
        return true; /* it left before our last frame was read */
    }
    if (!judge_form(g, c, f)) {
        return false;
    }
    if (c->logout_came) {
        return fail(g, "FRAME-8", "a frame behind LOGOUT", "nothing more", f);
    }
    switch (f->number) {
    case F_LOGIN:
        return judge_login(g, c, f);
    case F_SYNC:
        return judge_sync(g, c, f);
    default:
        return judge_session_frame(g, c, f);
    }
}

/* ACK and PING need no step: a client may send them at any time. */
static bool needs_no_step(const struct frame *f)
{
    return f->number == F_ACK || f->number == F_PING;
}

bool client_judge_frame(struct stage *g, struct conn *c, struct frame *f)
{
    struct text t = {0};
    frame_print_line(&t, f);
    world_event(&g->world, c->subject->device, ">", text_str(&t));
    arena_grow((void **)&c->frames, c->frame_count, &c->frame_cap,
               sizeof *c->frames);
    c->frames[c->frame_count++] = (struct client_frame){
        .frame = f, .consumed = c->must_end != NULL && !needs_no_step(f)};
    return judge_frame(g, c, f);
}

/* ------------------------------------------------------------ behind a fence
 */

static size_t stored_in_flight(const struct conn *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->flight_count; i++) {
        n += c->flight[i] <= c->subject->cursor;
    }
    return n;
}

static bool judge_unacked(struct stage *g, const struct conn *c)
{
    size_t n = stored_in_flight(c);
    if (c->is_delivering && !c->sync_open && n >= c->window / 2) {
        return fail(g, "ACK-2",
                    arena_printf("%zu entries are stored and not "
                                 "acknowledged, the window is %" PRIu64,
                                 n, c->window),
                    "ACK at half of the window", NULL);
    }
    return true;
}

/* [SEND-13]: whatever waits goes out again in a session with room for it. */
static bool judge_outbox(struct stage *g, const struct conn *c)
{
    struct sut *s = c->subject;
    bool is_held = c->is_limited && has_open_sends(c); /* [FLOW-4] */
    for (size_t i = 0; i < s->send_count; i++) {
        const struct client_send *sent = &s->sends[i];
        bool may = sent->first &&
                   g->now_ms - sent->first_at_ms <= s->dedup_ms && !is_held;
        if (may && !sent->is_done && sent->last_conn != c &&
            g->now_ms >= s->sends_from_ms &&
            c->command_count < c->max_commands) {
            return fail(g, "SEND-13",
                        arena_printf("message %" PRIu64
                                     " has no answer and is not sent again",
                                     sent->client_msg_id),
                        "it goes out again in the next session", NULL);
        }
    }
    return true;
}

static bool judge_told(struct stage *g, const struct sut *s)
{
    if (s->told_at == s->told_count) {
        return true;
    }
    const struct row *r = &s->told[s->told_at];
    return fail(g, client_rule_of(s, r->push),
                arena_printf("the entry of version %" PRIu64
                             " was served and not told",
                             r->push->version),
                "every entry that fits is applied", r->frame);
}

bool client_judge_fenced(struct stage *g, struct sut *s)
{
    const struct conn *c = s->conn;
    if (!judge_told(g, s)) {
        return false;
    }
    if (!c || c->is_closed || c->fd < 0 || c->state != CONN_SESSION ||
        c->must_end) {
        return true;
    }
    if (s->owes_sync) {
        return fail(g, "CHAIN-6", "no SYNC behind a gap",
                    "SYNC with the cursor", NULL);
    }
    return judge_unacked(g, c) && judge_outbox(g, c);
}
