/* SPDX-License-Identifier: Apache-2.0 */
#include "client_rig.h"

#include <inttypes.h>
#include <string.h>

static void log_line(char *log, size_t cap, const char *format, ...)
{
    size_t len = strlen(log);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(log + len, cap - len, format, args);
    va_end(args);
    assert_true(n >= 0 && (size_t)n + len + 1 < cap);
    len += (size_t)n;
    log[len] = '\n';
    log[len + 1] = '\0';
}

#define LOG_EVENT(r, ...) log_line((r)->events, sizeof(r)->events, __VA_ARGS__)
#define LOG_FRAME(r, ...) log_line((r)->frames, sizeof(r)->frames, __VA_ARGS__)

/* ----------------------------------------------------------------- set up */

void rig_prepare(struct rig *r)
{
    memset(r, 0, sizeof *r);
    r->now_ms = 1000;
    r->store = true;
    r->pull = true;
    r->config.user = "alice";
    r->config.token = "secret";
    memset(r->config.device_id, 0xd1, sizeof r->config.device_id);
    r->config.device_type = ROAM_EMBEDDED;
    r->config.max_entries = 100;
    r->config.max_unacked = 8;
    r->config.deflate = true;
    r->config.rx = r->rx;
    r->config.rx_bytes = sizeof r->rx;
    r->config.tx = r->tx;
    r->config.tx_bytes = sizeof r->tx;
    r->config.inflated = r->inflated;
    r->config.inflated_bytes = sizeof r->inflated;
    r->config.outbox = r->outbox;
    r->config.outbox_count = RIG_OUTBOX_MAX;
    r->config.random_seed = 42;
}

void rig_prepare_minimal(struct rig *r)
{
    rig_prepare(r);
    r->config.rx_bytes = ROAM_RX_BYTES_MIN;
    r->config.tx_bytes = ROAM_TX_BYTES_MIN;
    r->config.inflated_bytes = ROAM_INFLATED_BYTES_MIN;
    r->config.max_unacked = ROAM_UNACKED_MIN;
    r->config.outbox_count = 1;
}

void rig_init(struct rig *r)
{
    assert_int_equal(roam_client_init(&r->client, &r->config), ROAM_STATUS_OK);
}

enum roam__state rig_state(const struct rig *r)
{
    return (enum roam__state)roam__engine_const(&r->client)->state;
}

void rig_forget(struct rig *r)
{
    r->events[0] = '\0';
    r->frames[0] = '\0';
}

/* ------------------------------------------------------ the server's side */

void rig_say_bytes(struct rig *r, const void *bytes, size_t len)
{
    assert_true(len <= sizeof r->said - r->said_len);
    memcpy(r->said + r->said_len, bytes, len);
    r->said_len += len;
}

void rig_say(struct rig *r, const struct roam_message *m)
{
    size_t n = roam_message_encode(m, r->said + r->said_len,
                                   sizeof r->said - r->said_len);
    assert_true(n > 0);
    r->said_len += n;
}

void rig_say_login_ok(struct rig *r, uint64_t generation)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_LOGIN_OK);
    m.u.login_ok.generation = generation;
    m.u.login_ok.max_frame = 4096;
    m.u.login_ok.max_body = 2048;
    m.u.login_ok.max_commands = 4;
    m.u.login_ok.heartbeat_ms = 32000;
    m.u.login_ok.dedup_ms = 600000;
    rig_say(r, &m);
}

void rig_say_refused(struct rig *r, roam_v1_RefusedReason reason,
                     roam_v1_Retry retry, uint64_t generation)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_REFUSED);
    m.u.refused.reason = reason;
    m.u.refused.retry = retry;
    m.u.refused.generation = generation;
    rig_say(r, &m);
}

void rig_say_sync_ok(struct rig *r, roam_v1_SyncResult result, uint64_t head)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_SYNC_OK);
    m.u.sync_ok.result = result;
    m.u.sync_ok.head = head;
    rig_say(r, &m);
}

void rig_say_reset(struct rig *r, roam_v1_ResetReason reason, uint64_t head)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_SYNC_OK);
    m.u.sync_ok.result = roam_v1_SyncResult_RESET;
    m.u.sync_ok.head = head;
    m.u.sync_ok.floor = head;
    m.u.sync_ok.reason = reason;
    rig_say(r, &m);
}

void rig_say_push(struct rig *r, uint64_t version, uint64_t prev,
                  const char *body)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_PUSH);
    m.u.push.version = version;
    m.u.push.prev_version = prev;
    m.u.push.msg_id = version << ROAM_MSG_ID_TIME_SHIFT;
    strcpy(m.u.push.conversation, "bob");
    strcpy(m.u.push.sender, "bob");
    m.body.data = (const uint8_t *)body;
    m.body.len = strlen(body);
    rig_say(r, &m);
}

void rig_say_noop(struct rig *r, uint64_t version, uint64_t prev)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_PUSH);
    m.u.push.version = version;
    m.u.push.prev_version = prev;
    m.u.push.kind = roam_v1_Kind_NOOP;
    rig_say(r, &m);
}

void rig_batch(struct roam_message *m, uint64_t prev, size_t count,
               bool deflate)
{
    static uint8_t payload[32768];
    static char bodies[512][8];
    static struct roam_entry entries[512];
    const struct roam_slice bob = {(const uint8_t *)"bob", 3};
    assert_true(count <= 512);
    for (size_t i = 0; i < count; i++) {
        struct roam_entry e = {.version = prev + i + 1,
                               .prev_version = prev + i,
                               .conversation = bob,
                               .sender = bob};
        e.msg_id = e.version << ROAM_MSG_ID_TIME_SHIFT;
        int n = snprintf(bodies[i], sizeof bodies[i], "%u", (unsigned)i + 1);
        e.body.data = (const uint8_t *)bodies[i];
        e.body.len = (size_t)n;
        entries[i] = e;
    }
    struct roam_pack_limits limits = {
        ROAM_FRAME_MAX, ROAM_INFLATED_MAX,
        deflate ? 1u << roam_v1_Codec_CODEC_DEFLATE : 0};
    struct roam_packer *packer = roam_packer_new();
    assert_non_null(packer);
    assert_int_equal(roam_batch_pack(packer, entries, count, &limits, m),
                     count);
    assert_true(m->body.len <= sizeof payload);
    memcpy(payload, m->body.data, m->body.len);
    m->body.data = payload;
    roam_packer_free(packer);
}

void rig_say_batch(struct rig *r, uint64_t prev, size_t count, bool deflate)
{
    struct roam_message m;
    rig_batch(&m, prev, count, deflate);
    rig_say(r, &m);
}

void rig_page(struct roam_message *m, uint8_t type, uint64_t ref,
              uint64_t first, size_t count, bool more, bool deflate)
{
    static uint8_t payload[32768];
    static char texts[512][2][8];
    static struct roam_entry rows[512];
    bool history = type == ROAM_HISTORY_PAGE;
    assert_true(count <= 512);
    memset(rows, 0, sizeof rows);
    for (size_t i = 0; i < count; i++) {
        char *name = texts[i][0], *body = texts[i][1];
        snprintf(body, 8, "%u", (unsigned)i + 1);
        snprintf(name, 8, "bob%.3s", history || i == 0 ? "" : body);
        rows[i].msg_id = history ? first + i : first - i;
        rows[i].conversation.data = (const uint8_t *)name;
        rows[i].conversation.len = strlen(name);
        rows[i].sender = rows[i].conversation;
        rows[i].body.data = (const uint8_t *)body;
        rows[i].body.len = strlen(body);
    }
    struct roam_pack_limits limits = {
        ROAM_FRAME_MAX, ROAM_INFLATED_MAX,
        deflate ? 1u << roam_v1_Codec_CODEC_DEFLATE : 0};
    struct roam_packer *packer = roam_packer_new();
    assert_non_null(packer);
    roam_message_init(m, type);
    assert_int_equal(roam_page_pack(packer, rows, count, &limits, m), count);
    assert_true(m->body.len <= sizeof payload);
    if (m->body.len > 0) {
        memcpy(payload, m->body.data, m->body.len);
        m->body.data = payload;
    }
    roam_packer_free(packer);
    if (history) {
        m->u.history_page.ref = ref;
        m->u.history_page.more = more;
    } else {
        m->u.conversation_page.ref = ref;
        m->u.conversation_page.more = more;
        m->u.conversation_page.as_of = 77;
    }
}

void rig_say_page(struct rig *r, uint8_t type, uint64_t ref, uint64_t first,
                  size_t count, bool more)
{
    struct roam_message m;
    rig_page(&m, type, ref, first, count, more, false);
    rig_say(r, &m);
}

void rig_ask(struct rig *r, uint64_t ref, uint64_t before, uint64_t after)
{
    const struct roam_bytes bob = {(const uint8_t *)"bob", 3};
    assert_int_equal(roam_client_history(&r->client, ref, bob, before, after,
                                         false, 10, r->now_ms),
                     ROAM_STATUS_OK);
}

void rig_say_send_ok(struct rig *r, uint64_t client_msg_id, bool duplicate)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_SEND_OK);
    m.u.send_ok.client_msg_id = client_msg_id;
    m.u.send_ok.msg_id = client_msg_id << ROAM_MSG_ID_TIME_SHIFT;
    m.u.send_ok.duplicate = duplicate;
    rig_say(r, &m);
}

void rig_say_error(struct rig *r, uint64_t client_msg_id,
                   roam_v1_ErrorCode code)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_ERROR);
    m.u.error.code = code;
    m.u.error.retry = roam_v1_Retry_NEVER;
    m.u.error.ref = client_msg_id;
    rig_say(r, &m);
}

void rig_say_pong(struct rig *r, uint64_t head)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_PONG);
    m.u.pong.head = head;
    rig_say(r, &m);
}

void rig_say_kick(struct rig *r, roam_v1_KickReason reason, roam_v1_Retry retry,
                  uint32_t retry_after_ms)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_KICK);
    m.u.kick.reason = reason;
    m.u.kick.retry = retry;
    m.u.kick.retry_after_ms = retry_after_ms;
    if (reason == roam_v1_KickReason_PROTOCOL_ERROR) {
        m.u.kick.error = roam_v1_ErrorCode_SYNC_BUSY;
    }
    rig_say(r, &m);
}

/* ------------------------------------------------- the application's side */

static void log_entry(struct rig *r, const struct roam_entry_event *e)
{
    char extra[64] = "";
    if (e->client_msg_id != 0) {
        snprintf(extra, sizeof extra, " own=%" PRIu64, e->client_msg_id);
    } else if (e->cut_size != 0) {
        snprintf(extra, sizeof extra, " cut=%" PRIu32, e->cut_size);
    } else if (e->kind > ROAM_KIND_NOOP) {
        snprintf(extra, sizeof extra, " kind=%" PRIu32, e->kind);
    }
    if (e->kind == ROAM_KIND_NOOP) {
        LOG_EVENT(r, "ENTRY %" PRIu64 "<%" PRIu64 " NOOP", e->version,
                  e->prev_version);
    } else {
        LOG_EVENT(r, "ENTRY %" PRIu64 "<%" PRIu64 " %.*s:%.*s%s", e->version,
                  e->prev_version, (int)e->sender.len,
                  (const char *)e->sender.data, (int)e->body.len,
                  (const char *)e->body.data, extra);
    }
}

/* What comes of a question: rows, and how they ended. */
static void log_page_event(struct rig *r, const struct roam_event *e)
{
    switch (e->type) {
    case ROAM_EVENT_PAGE_ROW:
        assert_true(e->u.page_row.row.version == 0);
        assert_true(e->u.page_row.row.prev_version == 0);
        LOG_EVENT(r, "ROW %" PRIu64 " %" PRIu64 " %.*s:%.*s", e->u.page_row.ref,
                  e->u.page_row.row.msg_id,
                  (int)e->u.page_row.row.conversation.len,
                  (const char *)e->u.page_row.row.conversation.data,
                  (int)e->u.page_row.row.body.len,
                  (const char *)e->u.page_row.row.body.data);
        break;
    case ROAM_EVENT_MEMBER:
        LOG_EVENT(r, "MEMBER %" PRIu64 " %.*s \"%.*s\" %d%s %" PRIu64,
                  e->u.member.ref, (int)e->u.member.user.len,
                  (const char *)e->u.member.user.data,
                  (int)e->u.member.name.len,
                  (const char *)e->u.member.name.data, (int)e->u.member.role,
                  e->u.member.muted ? " muted" : "", e->u.member.since_msg_id);
        break;
    case ROAM_EVENT_SESSION:
        LOG_EVENT(r, "SESSION %" PRIu64 " %d \"%.*s\" \"%.*s\" %" PRIu64 "%s%s",
                  e->u.session.ref, (int)e->u.session.device_type,
                  (int)e->u.session.device_name.len,
                  (const char *)e->u.session.device_name.data,
                  (int)e->u.session.software.len,
                  (const char *)e->u.session.software.data,
                  e->u.session.generation, e->u.session.online ? " online" : "",
                  e->u.session.self ? " self" : "");
        break;
    case ROAM_EVENT_PAGE_END:
        LOG_EVENT(r, "END %" PRIu64 " rows %" PRIu32 "%s", e->u.page_end.ref,
                  e->u.page_end.rows, e->u.page_end.more ? " more" : "");
        break;
    case ROAM_EVENT_PAGE_FAILED:
        LOG_EVENT(r, "PAGE_FAILED %" PRIu64 " %" PRIu32, e->u.page_failed.ref,
                  e->u.page_failed.code);
        break;
    default:
        break;
    }
}

static void log_event(struct rig *r, const struct roam_event *e)
{
    switch (e->type) {
    case ROAM_EVENT_NONE:
        break;
    case ROAM_EVENT_LOGGED_IN:
        LOG_EVENT(r, "LOGGED_IN %" PRIu64, e->u.logged_in.generation);
        break;
    case ROAM_EVENT_REFUSED:
        LOG_EVENT(r, "REFUSED %d %" PRIu64, (int)e->u.refused.reason,
                  e->u.refused.generation);
        break;
    case ROAM_EVENT_RESET:
        LOG_EVENT(r, "RESET %d %" PRIu64, (int)e->u.reset.reason,
                  e->u.reset.head);
        break;
    case ROAM_EVENT_ENTRY:
        log_entry(r, &e->u.entry);
        break;
    case ROAM_EVENT_SYNCED:
        LOG_EVENT(r, "SYNCED %" PRIu64, e->u.synced.version);
        break;
    case ROAM_EVENT_SENT:
        r->last_sent_msg_id = e->u.sent.msg_id;
        LOG_EVENT(r, "SENT %" PRIu64 "%s", e->u.sent.client_msg_id,
                  e->u.sent.duplicate ? " duplicate" : "");
        break;
    case ROAM_EVENT_SEND_FAILED:
        LOG_EVENT(r, "SEND_FAILED %" PRIu64 " %" PRIu32,
                  e->u.send_failed.client_msg_id, e->u.send_failed.code);
        break;
    case ROAM_EVENT_PAGE_ROW:
    case ROAM_EVENT_MEMBER:
    case ROAM_EVENT_SESSION:
    case ROAM_EVENT_PAGE_END:
    case ROAM_EVENT_PAGE_FAILED:
        log_page_event(r, e);
        break;
    case ROAM_EVENT_KICKED:
        LOG_EVENT(r, "KICKED %d", (int)e->u.kicked.reason);
        break;
    case ROAM_EVENT_CLOSE:
        LOG_EVENT(r, "CLOSE %d%s", (int)e->u.close.status,
                  e->u.close.reconnect ? " back" : "");
        break;
    }
}

void rig_drain(struct rig *r)
{
    for (;;) {
        struct roam_event e;
        roam_client_next_event(&r->client, &e, r->now_ms);
        if (e.type == ROAM_EVENT_NONE) {
            return;
        }
        log_event(r, &e);
        r->last_event = e;
        uint64_t version = e.type == ROAM_EVENT_ENTRY   ? e.u.entry.version
                           : e.type == ROAM_EVENT_RESET ? e.u.reset.head
                                                        : UINT64_MAX;
        if (version != UINT64_MAX) {
            r->last_entry = version;
            if (r->store) {
                assert_int_equal(
                    roam_client_stored(&r->client, version, r->now_ms),
                    ROAM_STATUS_OK);
            }
        }
    }
}

static void log_frame(struct rig *r, const struct roam_message *m)
{
    switch (m->type) {
    case ROAM_LOGIN:
        if (m->u.login.take_over != 0) {
            LOG_FRAME(r, "LOGIN %" PRIu64 " take_over=%" PRIu64,
                      m->u.login.attempt, m->u.login.take_over);
        } else {
            LOG_FRAME(r, "LOGIN %" PRIu64, m->u.login.attempt);
        }
        break;
    case ROAM_SYNC:
        LOG_FRAME(r, "SYNC %" PRIu64 "%s%s", m->u.sync.cursor,
                  m->u.sync.codecs == 0 ? " plain" : "",
                  m->u.sync.max_entries == 0 ? " from-now" : "");
        break;
    case ROAM_ACK:
        LOG_FRAME(r, "ACK %" PRIu64, m->u.ack.version);
        break;
    case ROAM_SEND:
        LOG_FRAME(r, "SEND %" PRIu64 " %.*s", m->u.send.client_msg_id,
                  (int)m->body.len, (const char *)m->body.data);
        break;
    case ROAM_MEMBERS:
        LOG_FRAME(r, "MEMBERS %" PRIu64 " %s behind \"%s\" max %" PRIu32,
                  m->u.members.ref, m->u.members.conversation,
                  m->u.members.after, m->u.members.max_rows);
        break;
    case ROAM_SESSIONS:
        LOG_FRAME(r, "SESSIONS %" PRIu64 " behind %d", m->u.sessions.ref,
                  (int)m->u.sessions.after);
        break;
    case ROAM_END_SESSION:
        LOG_FRAME(r, "END_SESSION %" PRIu64 " %d %" PRIu64,
                  m->u.end_session.ref, (int)m->u.end_session.device_type,
                  m->u.end_session.generation);
        break;
    case ROAM_HISTORY:
        LOG_FRAME(
            r,
            "HISTORY %" PRIu64 " %s %" PRIu64 "..%" PRIu64 " max %" PRIu32 "%s",
            m->u.history.ref, m->u.history.conversation, m->u.history.after,
            m->u.history.before, m->u.history.max_rows,
            m->u.history.codecs == 0 ? " plain" : "");
        break;
    case ROAM_CONVERSATIONS:
        LOG_FRAME(r,
                  "CONVERSATIONS %" PRIu64 " %s %" PRIu64 " max %" PRIu32 "%s",
                  m->u.conversations.ref, m->u.conversations.conversation,
                  m->u.conversations.before, m->u.conversations.max_rows,
                  m->u.conversations.codecs == 0 ? " plain" : "");
        break;
    default:
        LOG_FRAME(r, "%s", roam_frame_name(m->type));
        break;
    }
}

/* Takes whole frames off the front of `heard`. */
static void hear(struct rig *r)
{
    size_t at = 0;
    while (r->heard_len - at >= ROAM_FRAME_HEADER_BYTES) {
        const uint8_t *h = r->heard + at;
        size_t len = (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
        if (r->heard_len - at < ROAM_FRAME_HEADER_BYTES + len) {
            break;
        }
        struct roam_slice payload = {h + ROAM_FRAME_HEADER_BYTES, len};
        assert_int_equal(roam_message_decode(h[0], payload, &r->last_frame),
                         roam_v1_ErrorCode_ERROR_UNSPECIFIED);
        log_frame(r, &r->last_frame);
        at += ROAM_FRAME_HEADER_BYTES + len;
    }
    memmove(r->heard, r->heard + at, r->heard_len - at);
    r->heard_len -= at;
}

void rig_pull(struct rig *r, size_t limit)
{
    while (limit > 0) {
        struct roam_bytes pending = roam_client_pending(&r->client);
        size_t n = pending.len < limit ? pending.len : limit;
        if (n == 0) {
            return;
        }
        assert_true(n <= sizeof r->heard - r->heard_len);
        memcpy(r->heard + r->heard_len, pending.data, n);
        r->heard_len += n;
        limit -= n;
        roam_client_sent(&r->client, n, r->now_ms);
        hear(r);
    }
}

/* The bytes offered lie in memory of their own that is gone after the call,
 * so that a sanitizer sees who keeps a pointer into it. */
static ptrdiff_t feed(struct rig *r, size_t len)
{
    uint8_t *copy = test_malloc(len);
    memcpy(copy, r->said + r->fed, len);
    ptrdiff_t n = roam_client_feed(&r->client, copy, len, r->now_ms);
    memset(copy, 0xee, len);
    test_free(copy);
    assert_true(n <= (ptrdiff_t)len);
    return n;
}

void rig_run(struct rig *r)
{
    rig_drain(r);
    if (r->pull) {
        rig_pull(r, SIZE_MAX);
    }
    while (r->fed < r->said_len) {
        size_t len = r->said_len - r->fed;
        if (r->chunk != 0 && r->chunk < len) {
            len = r->chunk;
        }
        ptrdiff_t n = feed(r, len);
        size_t before = strlen(r->events);
        rig_drain(r);
        if (n < 0) {
            r->feed_error = r->feed_error != 0 ? r->feed_error : (int)n;
            r->fed = r->said_len; /* nobody reads the rest */
        } else {
            /* No standstill: bytes are taken, or events were in the way. */
            assert_true(n > 0 || strlen(r->events) > before);
            r->fed += (size_t)n;
        }
        if (r->pull) {
            rig_pull(r, SIZE_MAX);
        }
    }
    r->said_len = 0;
    r->fed = 0;
    rig_drain(r);
}

void rig_wait(struct rig *r, uint64_t ms)
{
    r->now_ms += ms;
    roam_client_tick(&r->client, r->now_ms);
    assert_true(roam_client_deadline_ms(&r->client) > r->now_ms);
    rig_run(r);
}

void rig_open(struct rig *r)
{
    r->said_len = 0;
    r->fed = 0;
    r->heard_len = 0;
    r->feed_error = 0;
    assert_int_equal(roam_client_open(&r->client, r->now_ms), ROAM_STATUS_OK);
}

void rig_login(struct rig *r)
{
    rig_open(r);
    assert_int_equal(roam_client_login(&r->client, ++r->attempt, 0, r->now_ms),
                     ROAM_STATUS_OK);
    rig_run(r);
}

void rig_go_live(struct rig *r, uint64_t head)
{
    rig_login(r);
    rig_say_login_ok(r, 1);
    rig_say_sync_ok(r,
                    head > roam_client_cursor(&r->client)
                        ? roam_v1_SyncResult_DELTA
                        : roam_v1_SyncResult_UP_TO_DATE,
                    head);
    rig_run(r);
    assert_int_equal(rig_state(r), ST_LIVE);
    rig_forget(r);
}

void rig_lose(struct rig *r)
{
    roam_client_closed(&r->client, r->now_ms);
    rig_drain(r);
}

void rig_send(struct rig *r, uint64_t client_msg_id, const char *body)
{
    const struct roam_bytes to = {(const uint8_t *)"bob", 3};
    const struct roam_bytes type = {NULL, 0};
    const struct roam_bytes text = {(const uint8_t *)body, strlen(body)};
    assert_int_equal(roam_client_send(&r->client, client_msg_id,
                                      ROAM_KIND_MESSAGE, to, type, text,
                                      r->now_ms),
                     ROAM_STATUS_OK);
}
