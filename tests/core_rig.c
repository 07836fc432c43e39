/* SPDX-License-Identifier: Apache-2.0 */
#include "core_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* 2026-01-01 00:00:00 UTC. */
#define START_WALL_MS 1767225600000ull
/* More than any batch that the rig's limits allow. */
#define INFLATED_ROOM (1u << 20)

/* ------------------------------------------------------------------- rig */

static void keep_log(void *ctx, int level, const char *line)
{
    struct rig *rig = ctx;
    (void)level;
    size_t len = strlen(line);
    if (rig->log_len + len + 2 < sizeof rig->log) {
        memcpy(rig->log + rig->log_len, line, len);
        rig->log_len += len;
        rig->log[rig->log_len++] = '\n';
    }
}

void rig_init(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    roam_core_config_default(&rig->config);
    rig->config.log = keep_log;
    rig->config.log_ctx = rig;
    rig->config.max_commands = 8;
    rig->config.heartbeat_ms = 1000;
    rig->config.trim_ms = 0;
    rig->config.watch_ms = 0;
    rig->now.mono_ms = 1;
    rig->now.wall_ms = START_WALL_MS;
}

/* A token is one device's. [DEV-1] */
static void name_token(char out[ROAM_TOKEN_MAX + 1], const char *user,
                       unsigned device)
{
    if (device == 1) {
        snprintf(out, ROAM_TOKEN_MAX + 1, "%.64s-token", user);
    } else {
        snprintf(out, ROAM_TOKEN_MAX + 1, "%.64s-token-%u", user, device);
    }
}

void rig_add_tokens(struct rig *rig, const char *user)
{
    for (unsigned device = 0; device < RIG_DEVICES; device++) {
        char token[ROAM_TOKEN_MAX + 1];
        name_token(token, user, device);
        assert_true(roam_store_mem_add_token(rig->store, user, token, 0, 0));
    }
}

void rig_start(struct rig *rig)
{
    if (rig->store == NULL) {
        rig->store = roam_store_mem_new(NULL, NULL);
        assert_non_null(rig->store);
        static const char *const users[] = {"alice", "bob"};
        for (size_t i = 0; i < 2; i++) {
            assert_true(roam_store_mem_add_user(rig->store, users[i]));
            rig_add_tokens(rig, users[i]);
        }
    }
    rig->config.store = rig->store;
    rig->core = roam_core_new(&rig->config);
    assert_non_null(rig->core);
}

void rig_stop(struct rig *rig)
{
    roam_core_free(rig->core);
    rig->store->ops->close(rig->store);
    rig->core = NULL;
    rig->store = NULL;
}

/* ------------------------------------------------------------- transport */

static void receive(struct peer *peer, struct roam_slice bytes)
{
    if (peer->in_len + bytes.len > peer->in_room) {
        peer->in_room = 2 * (peer->in_len + bytes.len);
        peer->in = realloc(peer->in, peer->in_room);
        assert_non_null(peer->in);
    }
    memcpy(peer->in + peer->in_len, bytes.data, bytes.len);
    peer->in_len += bytes.len;
}

static void move_bytes(struct rig *rig, struct peer *peer)
{
    for (;;) {
        struct roam_slice bytes = roam_session_pending(peer->session);
        if (peer->stuck || bytes.len == 0) {
            break;
        }
        bytes.len = rig->split_writes ? 1 : bytes.len;
        receive(peer, bytes);
        roam_session_sent(peer->session, bytes.len, rig->now);
    }
    if (roam_session_finished(peer->session)) {
        roam_session_closed(peer->session, rig->now);
        peer->session = NULL;
    }
}

/* True when anything moved. */
static bool move_all(struct rig *rig)
{
    bool moved = false;
    struct roam_session *s;
    while ((s = roam_core_next_ready(rig->core)) != NULL) {
        move_bytes(rig, roam_session_owner(s));
        moved = true;
    }
    return moved;
}

void rig_flush(struct rig *rig)
{
    while (move_all(rig)) {
    }
}

void rig_settle(struct rig *rig)
{
    /* An answer of the store may lead to another request without a byte
     * sent, once; so two quiet rounds mean that all is done. */
    int quiet = 0;
    while (quiet < 2) {
        bool moved = move_all(rig);
        assert_int_equal(roam_core_poll(rig->core, rig->now), ROAM_STORE_OK);
        moved = move_all(rig) || moved;
        quiet = moved ? 0 : quiet + 1;
    }
}

void rig_pass(struct rig *rig, uint64_t ms)
{
    uint64_t until = rig->now.mono_ms + ms;
    for (;;) {
        uint64_t next = roam_core_deadline(rig->core);
        next = next < until ? next : until;
        if (next > rig->now.mono_ms) {
            rig->now.wall_ms += next - rig->now.mono_ms;
            rig->now.mono_ms = next;
        }
        roam_core_tick(rig->core, rig->now);
        rig_settle(rig);
        if (rig->now.mono_ms == until &&
            roam_core_deadline(rig->core) > until) {
            return;
        }
    }
}

/* ------------------------------------------------------------------ peers */

void peer_connect(struct rig *rig, struct peer *peer)
{
    memset(peer, 0, sizeof *peer);
    peer->rig = rig;
    peer->session = roam_core_accept(rig->core, "test", rig->address, rig->now);
    assert_non_null(peer->session);
    roam_session_set_owner(peer->session, peer);
}

void peer_cut(struct peer *peer)
{
    if (peer->session != NULL) {
        roam_session_closed(peer->session, peer->rig->now);
        peer->session = NULL;
    }
}

void peer_free(struct peer *peer)
{
    if (peer->rig->core != NULL) {
        peer_cut(peer);
    }
    free(peer->in);
    peer->in = NULL;
}

void peer_feed(struct peer *peer, const void *data, size_t len)
{
    assert_non_null(peer->session);
    roam_session_feed(peer->session, data, len, peer->rig->now);
}

void peer_put(struct peer *peer, const struct roam_message *m)
{
    size_t size = roam_message_size(m);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    assert_int_equal(roam_message_encode(m, bytes, size), size);
    peer_feed(peer, bytes, size);
    free(bytes);
}

void peer_say(struct peer *peer, const struct roam_message *m)
{
    peer_put(peer, m);
    rig_settle(peer->rig);
}

/* --------------------------------------------------------------- messages */

static struct roam_message said;

struct roam_message *say_login(const char *user, uint8_t device,
                               roam_v1_DeviceType type, uint64_t attempt,
                               uint64_t take_over)
{
    roam_message_init(&said, ROAM_LOGIN);
    roam_v1_Login *login = &said.u.login;
    login->protocol = ROAM_PROTOCOL_VERSION;
    snprintf(login->user, sizeof login->user, "%s", user);
    name_token(login->token, user, device);
    login->device_id.size = ROAM_DEVICE_ID_BYTES;
    memset(login->device_id.bytes, device, ROAM_DEVICE_ID_BYTES);
    login->device_type = type;
    snprintf(login->device_name, sizeof login->device_name, "device %u",
             device);
    login->attempt = attempt;
    login->take_over = take_over;
    login->max_frame = 70000;
    return &said;
}

struct roam_message *say_sync(uint64_t cursor)
{
    roam_message_init(&said, ROAM_SYNC);
    said.u.sync.cursor = cursor;
    said.u.sync.max_entries = 1000000;
    said.u.sync.max_unacked = 1000;
    said.u.sync.max_inflated = 70000;
    said.u.sync.codecs = 1u << roam_v1_Codec_CODEC_DEFLATE;
    return &said;
}

struct roam_message *say_ack(uint64_t version)
{
    roam_message_init(&said, ROAM_ACK);
    said.u.ack.version = version;
    return &said;
}

struct roam_message *say_ping(uint64_t id)
{
    roam_message_init(&said, ROAM_PING);
    said.u.ping.id = id;
    return &said;
}

struct roam_message *say_logout(void)
{
    roam_message_init(&said, ROAM_LOGOUT);
    return &said;
}

struct roam_message *say_send(uint64_t id, const char *conversation,
                              const char *body)
{
    roam_message_init(&said, ROAM_SEND);
    said.u.send.client_msg_id = id;
    snprintf(said.u.send.conversation, sizeof said.u.send.conversation, "%s",
             conversation);
    said.body.data = (const uint8_t *)body;
    said.body.len = strlen(body);
    return &said;
}

struct roam_message *say_history(uint64_t ref, const char *conversation,
                                 uint64_t before, uint64_t after)
{
    roam_message_init(&said, ROAM_HISTORY);
    roam_v1_History *history = &said.u.history;
    history->ref = ref;
    snprintf(history->conversation, sizeof history->conversation, "%s",
             conversation);
    history->before = before;
    history->after = after;
    history->max_rows = ROAM_PAGE_ROWS_MAX;
    history->max_inflated = ROAM_INFLATED_MAX;
    return &said;
}

struct roam_message *say_members(uint64_t ref, const char *group,
                                 const char *after, uint32_t max_rows)
{
    roam_message_init(&said, ROAM_MEMBERS);
    said.u.members.ref = ref;
    snprintf(said.u.members.conversation, sizeof said.u.members.conversation,
             "%s", group);
    snprintf(said.u.members.after, sizeof said.u.members.after, "%s", after);
    said.u.members.max_rows = max_rows;
    return &said;
}

struct roam_message *say_conversations(uint64_t ref, uint64_t before,
                                       const char *conversation)
{
    roam_message_init(&said, ROAM_CONVERSATIONS);
    roam_v1_Conversations *c = &said.u.conversations;
    c->ref = ref;
    c->before = before;
    snprintf(c->conversation, sizeof c->conversation, "%s", conversation);
    c->max_rows = ROAM_PAGE_ROWS_MAX;
    c->max_inflated = ROAM_INFLATED_MAX;
    return &said;
}

struct roam_message *say_sessions(uint64_t ref, uint32_t after)
{
    roam_message_init(&said, ROAM_SESSIONS);
    said.u.sessions.ref = ref;
    said.u.sessions.after = (roam_v1_DeviceType)after;
    return &said;
}

struct roam_message *say_end_session(uint64_t ref, roam_v1_DeviceType type,
                                     uint64_t generation)
{
    roam_message_init(&said, ROAM_END_SESSION);
    said.u.end_session.ref = ref;
    said.u.end_session.device_type = type;
    said.u.end_session.generation = generation;
    return &said;
}

uint64_t peer_login(struct rig *rig, struct peer *peer, const char *user,
                    uint8_t device, roam_v1_DeviceType type, uint64_t attempt,
                    uint64_t take_over)
{
    peer_connect(rig, peer);
    peer_say(peer, say_login(user, device, type, attempt, take_over));
    return rig_take(peer, ROAM_LOGIN_OK)->u.login_ok.generation;
}

void peer_sync(struct peer *peer, uint64_t cursor)
{
    peer_say(peer, say_sync(cursor));
    rig_take(peer, ROAM_SYNC_OK);
    peer->cursor = cursor;
}

uint64_t peer_send(struct peer *peer, uint64_t id, const char *conversation,
                   const char *body)
{
    peer_say(peer, say_send(id, conversation, body));
    const roam_v1_SendOk *ok = &rig_take(peer, ROAM_SEND_OK)->u.send_ok;
    assert_int_equal(ok->client_msg_id, id);
    return ok->msg_id;
}

void peer_join(struct rig *rig, struct peer *p, const char *user,
               roam_v1_DeviceType type)
{
    peer_login(rig, p, user, (uint8_t)type, type, 1, 0);
    peer_sync(p, 0);
}

void peer_send_many(struct peer *p, const char *to, uint64_t first,
                    uint64_t count)
{
    for (uint64_t id = first; id < first + count; id++) {
        char body[32];
        snprintf(body, sizeof body, "message %u", (unsigned)id);
        peer_say(p, say_send(id, to, body));
    }
}

/* ---------------------------------------------------------- expectations */

uint8_t rig_peek(const struct peer *peer)
{
    return peer->taken < peer->in_len ? peer->in[peer->taken] : 0;
}

const struct roam_message *rig_take(struct peer *peer, uint8_t type)
{
    static struct roam_message m;
    uint8_t came = rig_peek(peer);
    if (came != type) {
        fail_msg("%s expected, %s came; log:\n%s", roam_frame_name(type),
                 came == 0 ? "nothing" : roam_frame_name(came), peer->rig->log);
    }
    const uint8_t *frame = peer->in + peer->taken;
    size_t left = peer->in_len - peer->taken;
    assert_true(left >= ROAM_FRAME_HEADER_BYTES);
    size_t len = (size_t)frame[1] << 16 | (size_t)frame[2] << 8 | frame[3];
    assert_true(left >= ROAM_FRAME_HEADER_BYTES + len);
    struct roam_slice payload = {frame + ROAM_FRAME_HEADER_BYTES, len};
    assert_int_equal(roam_message_decode(type, payload, &m), 0);
    peer->taken += ROAM_FRAME_HEADER_BYTES + len;
    return &m;
}

void rig_take_none(struct peer *peer)
{
    uint8_t came = rig_peek(peer);
    if (came != 0) {
        fail_msg("nothing expected, %s came", roam_frame_name(came));
    }
}

const struct roam_message *rig_take_kick(struct peer *peer,
                                         roam_v1_KickReason reason)
{
    const struct roam_message *m = rig_take(peer, ROAM_KICK);
    assert_int_equal(m->u.kick.reason, reason);
    rig_take_none(peer);
    assert_null(peer->session);
    return m;
}

void rig_take_error(struct peer *peer, roam_v1_ErrorCode code)
{
    const struct roam_message *m =
        rig_take_kick(peer, roam_v1_KickReason_PROTOCOL_ERROR);
    assert_int_equal(m->u.kick.error, code);
    assert_int_equal(m->u.kick.retry, roam_v1_Retry_AFTER);
}

/* ----------------------------------------------------------------- entries */

static void apply(struct peer *peer, const struct roam_entry *e,
                  rig_entry_fn fn, void *ctx)
{
    assert_int_equal(e->prev_version, peer->cursor);
    assert_true(e->version > e->prev_version);
    peer->cursor = e->version;
    if (fn != NULL) {
        fn(ctx, e);
    }
}

static struct roam_slice text(const char *s)
{
    return (struct roam_slice){(const uint8_t *)s, strlen(s)};
}

static void apply_push(struct peer *peer, rig_entry_fn fn, void *ctx)
{
    struct roam_message m = *rig_take(peer, ROAM_PUSH);
    struct roam_entry e = {0};
    e.version = m.u.push.version;
    e.prev_version = m.u.push.prev_version;
    e.kind = (uint32_t)m.u.push.kind;
    e.msg_id = m.u.push.msg_id;
    e.client_msg_id = m.u.push.client_msg_id;
    e.cut_size = m.u.push.cut_size;
    e.conversation = text(m.u.push.conversation);
    e.sender = text(m.u.push.sender);
    e.content_type = text(m.u.push.content_type);
    e.body = m.body;
    apply(peer, &e, fn, ctx);
}

static size_t apply_batch(struct peer *peer, rig_entry_fn fn, void *ctx)
{
    struct roam_message m = *rig_take(peer, ROAM_BATCH);
    uint8_t *buf = malloc(INFLATED_ROOM);
    assert_non_null(buf);
    struct roam_unpack unpack;
    assert_int_equal(roam_unpack_open(&unpack, &m, ~0u, buf, INFLATED_ROOM),
                     ROAM_BATCH_OK);
    struct roam_entry e;
    size_t count = 0;
    while (roam_unpack_next(&unpack, &e)) {
        apply(peer, &e, fn, ctx);
        count++;
    }
    assert_int_equal(count, m.u.batch.count);
    free(buf);
    return count;
}

size_t rig_catch_up(struct peer *peer, rig_entry_fn fn, void *ctx)
{
    size_t count = 0;
    for (;;) {
        uint8_t type = rig_peek(peer);
        if (type == ROAM_PUSH) {
            apply_push(peer, fn, ctx);
            count++;
        } else if (type == ROAM_BATCH) {
            count += apply_batch(peer, fn, ctx);
        } else {
            return count;
        }
    }
}

void rig_expect_next(void *ctx, const struct roam_entry *e)
{
    struct rig_expected *x = ctx;
    x->client_msg_ids += e->client_msg_id != 0 ? 1 : 0;
    if (e->kind == roam_v1_Kind_NOOP) {
        x->noops++;
        x->next_id++;
        return;
    }
    char body[32];
    int len = snprintf(body, sizeof body, "message %u", (unsigned)x->next_id);
    assert_int_equal(e->body.len, len);
    assert_memory_equal(e->body.data, body, (size_t)len);
    assert_true(e->msg_id > x->msg_id);
    x->msg_id = e->msg_id;
    x->next_id++;
}
