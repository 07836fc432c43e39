/* SPDX-License-Identifier: Apache-2.0 */
/* Taking streams apart into frames, and the client's side of them. */
#include "watch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "net.h"
#include "server.h"

/* A tick is as exact as the simulator's clock; this is for frames that wait
 * for room in between. */
#define HEARTBEAT_SLACK_MS 1000u

typedef void (*frame_fn)(struct sim_world *w, struct sim_link *l,
                         const struct roam_message *m, size_t payload_bytes);

/* ------------------------------------------------------------------ taps */

static void tap_open(struct sim_tap *t)
{
    memset(t, 0, sizeof *t);
    roam_reader_init(&t->reader, NULL, 0, ROAM_FRAME_MAX);
}

void sim_watch_open(struct sim_world *w, struct sim_link *l)
{
    tap_open(&l->watch.client_out);
    tap_open(&l->watch.server_in);
    tap_open(&l->watch.server_out);
    l->watch.opened_ms = w->now_ms;
    l->watch.heard_ms = w->now_ms;
}

void sim_watch_close(struct sim_link *l)
{
    free(l->watch.client_out.reader.buf);
    free(l->watch.server_in.reader.buf);
    free(l->watch.server_out.reader.buf);
}

static void tap_grow(struct sim_tap *t)
{
    size_t need = roam_reader_need(&t->reader);
    t->reader.buf = realloc(t->reader.buf, need);
    if (t->reader.buf == NULL) {
        abort();
    }
    t->reader.cap = need;
}

/* A number that tells steps with this frame apart. */
static uint64_t key_of(const struct roam_message *m)
{
    switch (m->type) {
    case ROAM_LOGIN:
        return m->u.login.attempt;
    case ROAM_SYNC:
        return m->u.sync.cursor;
    case ROAM_ACK:
        return m->u.ack.version;
    case ROAM_SEND:
        return m->u.send.client_msg_id;
    case ROAM_PING:
        return m->u.ping.id;
    case ROAM_HISTORY:
        return m->u.history.ref;
    case ROAM_CONVERSATIONS:
        return m->u.conversations.ref;
    case ROAM_SESSIONS:
        return m->u.sessions.ref;
    case ROAM_END_SESSION:
        return m->u.end_session.ref;
    case ROAM_MEMBERS:
        return m->u.members.ref;
    case ROAM_MEMBER_PAGE:
        return m->u.member_page.ref;
    case ROAM_HISTORY_PAGE:
        return m->u.history_page.ref;
    case ROAM_CONVERSATION_PAGE:
        return m->u.conversation_page.ref;
    case ROAM_LOGIN_OK:
        return m->u.login_ok.generation;
    case ROAM_REFUSED:
        return (uint64_t)m->u.refused.reason;
    case ROAM_KICK:
        return (uint64_t)m->u.kick.reason;
    case ROAM_SYNC_OK:
        return m->u.sync_ok.head;
    case ROAM_PUSH:
        return m->u.push.version;
    case ROAM_BATCH:
        return m->u.batch.last_version;
    case ROAM_SEND_OK:
        return m->u.send_ok.client_msg_id;
    case ROAM_PONG:
        return m->u.pong.head;
    case ROAM_ERROR:
        return m->u.error.ref;
    default:
        return 0;
    }
}

static void tap_frame(struct sim_world *w, struct sim_link *l,
                      enum sim_step step, frame_fn fn, uint8_t type,
                      struct roam_slice payload)
{
    struct roam_message m;
    if (roam_frame_name(type) == NULL ||
        roam_message_decode(type, payload, &m) !=
            roam_v1_ErrorCode_ERROR_UNSPECIFIED) {
        sim_fail(w, "FRAME-1", "#%u: broken frame of type %02x", l->number,
                 type);
        return;
    }
    sim_step(w, step, l->number, type, key_of(&m));
    fn(w, l, &m, payload.len);
}

static void tap_feed(struct sim_world *w, struct sim_link *l, struct sim_tap *t,
                     enum sim_step step, frame_fn fn, const uint8_t *data,
                     size_t len)
{
    struct roam_slice in = {data, len};
    while (!w->failed) {
        uint8_t type = 0;
        struct roam_slice payload = {NULL, 0};
        switch (roam_reader_next(&t->reader, &in, &type, &payload)) {
        case ROAM_READER_MORE:
            return;
        case ROAM_READER_ROOM:
            tap_grow(t);
            break;
        case ROAM_READER_FRAME:
            tap_frame(w, l, step, fn, type, payload);
            break;
        case ROAM_READER_TOO_LONG:
            sim_fail(w, "FRAME-1", "#%u: a frame without end", l->number);
            return;
        }
    }
}

/* ---------------------------------------------------------------- client */

static void check_heartbeat(struct sim_world *w, const struct sim_link *l)
{
    const struct sim_watch *t = &l->watch;
    bool full = l->client_full_ms >= t->client_sent_ms;
    if (t->client_live && !t->client_left && !full &&
        w->now_ms - t->client_sent_ms > w->heartbeat_ms + HEARTBEAT_SLACK_MS) {
        sim_fail(w, "TIME-1", "#%u: nothing from the client for %" PRIu64 " ms",
                 l->number, w->now_ms - t->client_sent_ms);
    }
}

static void check_ack(struct sim_world *w, const struct sim_device *d,
                      uint64_t version)
{
    if (d->disk.foreign || version > d->disk.cursor) {
        sim_fail(w, "ACK-1", "%s acks %" PRIu64 ", has stored %" PRIu64,
                 d->name, version, d->disk.cursor);
    }
}

static void client_frame(struct sim_world *w, struct sim_link *l,
                         const struct roam_message *m, size_t payload_bytes)
{
    const struct sim_device *d = l->device;
    if (payload_bytes > w->server->config.max_frame) {
        sim_fail(w, "FRAME-3", "%s sends %zu bytes", d->name, payload_bytes);
    }
    if (l->watch.client_left) {
        sim_fail(w, "TIME-1", "%s sends %s behind LOGOUT", d->name,
                 roam_frame_name(m->type));
    }
    l->watch.client_left = m->type == ROAM_LOGOUT;
    if (m->type == ROAM_ACK) {
        if (l->server_open) { /* or else nobody hears it */
            check_ack(w, d, m->u.ack.version);
        }
        l->device->unacked = 0;
    }
    if (m->type == ROAM_SYNC && m->u.sync.cursor > d->disk.cursor) {
        sim_fail(w, "CHAIN-6", "%s syncs from %" PRIu64 ", stored %" PRIu64,
                 d->name, m->u.sync.cursor, d->disk.cursor);
    }
    bool told = d->disk.needs_token && m->type == ROAM_LOGIN &&
                strcmp(m->u.login.token, d->disk.token->text) == 0;
    if (told) {
        sim_fail(w, "KICK-11", "%s comes back with token %zu", d->name,
                 d->disk.token->number);
    }
    if (m->type == ROAM_LOGIN && m->u.login.attempt != d->disk.attempt) {
        sim_fail(w, "LOGIN-2", "%s sends attempt %" PRIu64 ", stored %" PRIu64,
                 d->name, m->u.login.attempt, d->disk.attempt);
    }
}

void sim_watch_client_out(struct sim_world *w, struct sim_link *l,
                          const uint8_t *data, size_t len)
{
    check_heartbeat(w, l);
    l->watch.client_sent_ms = w->now_ms;
    tap_feed(w, l, &l->watch.client_out, SIM_STEP_CLIENT_OUT, client_frame,
             data, len);
}

/* -------------------------------------------------------- to the server */

static void take_login(struct sim_world *w, struct sim_watch *t,
                       const roam_v1_Login *login)
{
    struct roam_bytes user = {(const uint8_t *)login->user,
                              strlen(login->user)};
    t->asked = true;
    t->sync_asked = false;
    t->user = sim_oracle_user(user);
    t->type = (uint32_t)login->device_type;
    memcpy(t->device.bytes, login->device_id.bytes, sizeof t->device.bytes);
    t->attempt = login->attempt;
    t->max_frame = login->max_frame;
    t->token = sim_oracle_token(w, login->token);
    t->login_ms = w->now_ms;
    uint64_t wall = sim_wall_ms(w) - ROAM_EPOCH_UNIX_MS;
    t->expires_ms = UINT64_MAX;
    if (t->token != NULL && t->token->expires_ms != 0) {
        uint64_t at = t->token->expires_ms;
        t->expires_ms = w->now_ms + (at > wall ? at - wall : 0);
    }
}

/* A second SYNC says that the server left something out, or took very long.
 * It would hide a delivery that stands still, so it needs an excuse. */
static void check_second_sync(struct sim_world *w, const struct sim_link *l)
{
    if (l->watch.delivering && !sim_is_slow(w)) {
        sim_fail(w, "PING-3", "#%u: %s starts its delivery again", l->number,
                 l->device->name);
    }
}

static void take_sync(struct sim_watch *t, const roam_v1_Sync *sync)
{
    if (!t->asked && !t->live) {
        return; /* behind a LOGIN that was refused */
    }
    t->sync_asked = true;
    t->asked_for = (struct sim_sync_asked){sync->cursor, sync->max_entries,
                                           sync->max_unacked,
                                           sync->max_inflated, sync->codecs};
}

static void take_ack(struct sim_world *w, struct sim_watch *t, uint64_t version)
{
    size_t number = 0;
    if (sim_oracle_find(w, t->user, version, &number) && number > t->acked) {
        t->acked = number;
    }
}

static void take_send(struct sim_world *w, struct sim_link *l,
                      uint64_t client_msg_id)
{
    struct sim_message *m = sim_oracle_message(w, client_msg_id);
    if (m != NULL) {
        m->arrived = true;
        m->arrived_ms = w->now_ms;
    }
    struct sim_watch *t = &l->watch;
    if (t->send_count == SIM_SENDS_KEPT) {
        sim_fail(w, "SEND-12", "#%u: %zu sends without an answer", l->number,
                 t->send_count);
        return;
    }
    t->sends[t->send_count++] = client_msg_id;
}

static void take_ping(struct sim_world *w, struct sim_watch *t, uint64_t id)
{
    if (t->ping_count == SIM_PINGS_KEPT) {
        memmove(&t->pings[0], &t->pings[1],
                (SIM_PINGS_KEPT - 1) * sizeof t->pings[0]);
        t->ping_count--;
    }
    t->pings[t->ping_count].id = id;
    t->pings[t->ping_count].fence = sim_oracle_told_head(w, t->user);
    t->ping_count++;
}

static void server_gets(struct sim_world *w, struct sim_link *l,
                        const struct roam_message *m, size_t payload_bytes)
{
    (void)payload_bytes;
    struct sim_watch *t = &l->watch;
    switch (m->type) {
    case ROAM_LOGIN:
        take_login(w, t, &m->u.login);
        return;
    case ROAM_SYNC:
        check_second_sync(w, l);
        take_sync(t, &m->u.sync);
        return;
    case ROAM_ACK:
        take_ack(w, t, m->u.ack.version);
        return;
    case ROAM_SEND:
        take_send(w, l, m->u.send.client_msg_id);
        return;
    case ROAM_PING:
        take_ping(w, t, m->u.ping.id);
        return;
    case ROAM_HISTORY:
        sim_watch_take_history(w, l, &m->u.history);
        return;
    case ROAM_CONVERSATIONS:
        sim_watch_take_list(w, l, &m->u.conversations);
        return;
    case ROAM_MEMBERS:
        sim_watch_take_members(w, l, &m->u.members);
        return;
    case ROAM_SESSIONS:
    case ROAM_END_SESSION:
        sim_watch_take_sessions(w, l, m);
        return;
    case ROAM_LOGOUT:
        t->leaving = true; /* the store takes its time */
        return;
    default:
        return;
    }
}

void sim_watch_server_in(struct sim_world *w, struct sim_link *l,
                         const uint8_t *data, size_t len)
{
    tap_feed(w, l, &l->watch.server_in, SIM_STEP_SERVER_IN, server_gets, data,
             len);
}

void sim_watch_server_out(struct sim_world *w, struct sim_link *l,
                          const uint8_t *data, size_t len)
{
    tap_feed(w, l, &l->watch.server_out, SIM_STEP_SERVER_OUT,
             sim_watch_frame_out, data, len);
}

/* ----------------------------------------------------------------- sweep */

/* A session that lost its slot or its token ends within this. [DEV-2] */
#define END_MS 5000u

/* Whether its token expires is told by the clock or by the time that passes:
 * they part when the clock is set, and then the later one counts. */
static void check_end(struct sim_world *w, struct sim_link *l)
{
    struct sim_watch *t = &l->watch;
    bool lives = t->live && !t->kicked && !t->leaving && l->session != NULL;
    if (!lives || t->was_stuck || sim_is_slow(w) || w->server->draining) {
        return;
    }
    if (!sim_watch_is_fenced(w, t)) {
        t->fenced_ms = 0;
    } else if (t->fenced_ms == 0) {
        t->fenced_ms = w->now_ms;
    }
    uint64_t wall = sim_wall_ms(w) - ROAM_EPOCH_UNIX_MS;
    bool expired = t->token->expires_ms != 0 &&
                   t->expires_ms + END_MS < w->now_ms &&
                   t->token->expires_ms + END_MS < wall;
    bool revoked =
        t->token->revoked && t->token->revoked_ms + END_MS < w->now_ms;
    if (expired || revoked) {
        sim_fail(w, "DEV-2", "#%u lives on with token %zu", l->number,
                 t->token->number);
    } else if (t->fenced_ms != 0 && t->fenced_ms + END_MS < w->now_ms) {
        sim_fail(w, "DEV-6", "#%u lives on without its slot", l->number);
    }
}

void sim_watch_sweep(struct sim_world *w, struct sim_link *l)
{
    const struct sim_watch *t = &l->watch;
    check_end(w, l);
    size_t under_way = l->to_server.len - l->to_server.at;
    if (l->client_open && !l->cut && under_way < l->to_server.room) {
        check_heartbeat(w, l);
    }
    /* Two and a half heartbeats, [TIME-2]. */
    uint64_t longest = 5ull * w->heartbeat_ms / 2 + HEARTBEAT_SLACK_MS;
    if (t->live && !t->kicked && !t->leaving && l->session != NULL &&
        !t->was_stuck && !w->server->draining &&
        w->now_ms - t->heard_ms > longest) {
        sim_fail(w, "TIME-2", "#%u lives, silent for %" PRIu64 " ms", l->number,
                 w->now_ms - t->heard_ms);
    }
}
