/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the client engine: the input is a list of steps, each one byte and
 * its arguments. Some feed raw bytes, some a frame that is well-formed and
 * says something near the truth, some are the caller's calls. So the fuzzer
 * gets deep without having to find varints and deflate streams first.
 *
 * After every step:
 *   - entries come in the order of the chain, each once on a connection, and
 *     start at the cursor or at a RESET's head;
 *   - what an event points at lies in the engine's memory, not in the bytes
 *     that were fed, which are gone;
 *   - rows of pages come only when asked for, in the range and order asked
 *     for, and every page that was taken ends once;
 *   - the cursor moves only by stored(), and backwards only by a RESET;
 *   - the client's bytes are frames that the codec accepts, in an order that
 *     the server's table allows; no ACK names what is not stored;
 *   - CLOSE comes once a connection, and last;
 *   - a deadline that has passed was worked off by tick(). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine.h"
#include "frame.h"
#include "roam.h"
#include "server_frames.h"

enum {
    OUTBOX = 3,
    BUFFER = 4096,
    ROWS = 24,
    EVENTS_MAX = 1 << 16
};

#define CHECK(claim)                                                           \
    do {                                                                       \
        if (!(claim)) {                                                        \
            abort();                                                           \
        }                                                                      \
    } while (0)

/* ---------------------------------------------------------------- the world */

struct world {
    struct roam_client client;
    struct roam_client_config config;
    struct roam_outbox_item outbox[OUTBOX];
    uint8_t *rx, *tx, *inflated;
    uint64_t now_ms;
    uint64_t attempt;

    uint64_t chain;  /* version of the last entry told, or where it starts */
    uint64_t cursor; /* as the caller stored it */
    uint64_t reset;  /* head told by a RESET that is not stored */
    bool has_reset;
    bool closed_told; /* CLOSE was told on this connection */
    bool connected;   /* between open() and closed() */
    bool eager;       /* the transport takes all bytes before it brings any */
    uint64_t next_id;

    struct fuzz_asked asked;
    bool page;          /* asked for, its end not told */
    uint32_t page_rows; /* told of it */
    uint64_t page_last; /* msg_id of the last one */

    uint8_t heard[2 * BUFFER]; /* client bytes without a whole frame */
    size_t heard_len;
    bool login_heard, sync_heard, logout_heard, granted, synced;
    uint64_t acked; /* in this delivery */
};

static void check_slice(const struct world *w, struct roam_bytes b)
{
    const uint8_t *mine = (const uint8_t *)&w->client;
    if (b.len == 0) {
        return;
    }
    CHECK((b.data >= w->rx && b.data + b.len <= w->rx + w->config.rx_bytes) ||
          (b.data >= w->inflated &&
           b.data + b.len <= w->inflated + w->config.inflated_bytes) ||
          (b.data >= mine && b.data + b.len <= mine + sizeof w->client));
    uint8_t sum = 0; /* and can be read */
    for (size_t i = 0; i < b.len; i++) {
        sum = (uint8_t)(sum ^ b.data[i]);
    }
    (void)sum;
}

static void check_entry(struct world *w, const struct roam_entry_event *e)
{
    CHECK(e->prev_version == w->chain);
    CHECK(e->version > e->prev_version && e->version <= ROAM_VERSION_MAX);
    w->chain = e->version;
    check_slice(w, e->conversation);
    check_slice(w, e->sender);
    check_slice(w, e->content_type);
    check_slice(w, e->body);
    CHECK(e->conversation.len <= ROAM_CONVERSATION_MAX);
    CHECK(e->sender.len <= ROAM_USER_MAX);
    CHECK(e->content_type.len <= ROAM_CONTENT_TYPE_MAX);
    CHECK(e->kind != ROAM_KIND_MESSAGE ||
          (e->msg_id != 0 && e->conversation.len > 0 && e->sender.len > 0));
    CHECK(e->kind != ROAM_KIND_NOOP || (e->msg_id == 0 && e->body.len == 0));
}

static void check_row(struct world *w, uint64_t ref,
                      const struct roam_entry_event *row)
{
    CHECK(w->page && !w->asked.list && ref == w->asked.ref);
    CHECK(++w->page_rows <= w->asked.max_rows);
    CHECK(row->version == 0 && row->prev_version == 0);
    CHECK(row->kind != ROAM_KIND_NOOP && row->kind != ROAM_KIND_READ &&
          row->kind != ROAM_KIND_DEVICE && row->msg_id != 0);
    CHECK(!row->recalled ||
          (row->kind == ROAM_KIND_MESSAGE && row->body.len == 0));
    if (w->asked.history) {
        CHECK(row->msg_id > w->asked.after && row->msg_id > w->page_last);
        CHECK(w->asked.before == 0 || row->msg_id < w->asked.before);
        CHECK(row->conversation.len == 3);
    } else {
        CHECK(w->page_last == 0 || row->msg_id <= w->page_last);
        CHECK(w->asked.before == 0 || row->msg_id <= w->asked.before);
    }
    w->page_last = row->msg_id;
    check_slice(w, row->conversation);
    check_slice(w, row->sender);
    check_slice(w, row->content_type);
    check_slice(w, row->body);
}

static void check_event(struct world *w, const struct roam_event *e)
{
    CHECK(!w->closed_told);
    switch (e->type) {
    case ROAM_EVENT_ENTRY:
        check_entry(w, &e->u.entry);
        break;
    case ROAM_EVENT_RESET:
        w->chain = e->u.reset.head;
        w->reset = e->u.reset.head;
        w->has_reset = true;
        break;
    case ROAM_EVENT_SYNCED:
        CHECK(e->u.synced.version == w->chain);
        break;
    case ROAM_EVENT_PAGE_ROW:
        check_row(w, e->u.page_row.ref, &e->u.page_row.row);
        break;
    case ROAM_EVENT_MEMBER:
        CHECK(w->page && w->asked.list && e->u.member.ref == w->asked.ref);
        CHECK(++w->page_rows <= w->asked.max_rows);
        CHECK(e->u.member.role >= ROAM_ROLE_APPLICANT);
        check_slice(w, e->u.member.user);
        check_slice(w, e->u.member.name);
        break;
    case ROAM_EVENT_SESSION:
        CHECK(w->page && w->asked.list && e->u.session.ref == w->asked.ref);
        CHECK(++w->page_rows <= ROAM_SESSION_ROWS_MAX);
        check_slice(w, e->u.session.device_name);
        check_slice(w, e->u.session.software);
        break;
    case ROAM_EVENT_PAGE_END:
        CHECK(w->page && e->u.page_end.ref == w->asked.ref);
        CHECK(e->u.page_end.rows == w->page_rows);
        CHECK(!e->u.page_end.more || w->page_rows > 0);
        w->page = false;
        break;
    case ROAM_EVENT_PAGE_FAILED:
        CHECK(w->page && e->u.page_failed.ref == w->asked.ref);
        CHECK(w->page_rows == 0);
        w->page = false;
        break;
    case ROAM_EVENT_CLOSE:
        CHECK(!w->page);
        CHECK(e->u.close.status <= 0);
        CHECK(e->u.close.status != ROAM_STATUS_BAD_STATE);
        CHECK(e->u.close.reconnect_at_ms <= w->now_ms + UINT32_MAX);
        w->closed_told = true;
        break;
    case ROAM_EVENT_KICKED:
        CHECK(memchr(e->u.kicked.detail, 0, sizeof e->u.kicked.detail) != NULL);
        break;
    default:
        break;
    }
}

/* False: nothing more to tell. */
static bool drain_one(struct world *w)
{
    struct roam_event e;
    memset(&e, 0xa5, sizeof e);
    roam_client_next_event(&w->client, &e, w->now_ms);
    if (e.type == ROAM_EVENT_NONE) {
        return false;
    }
    check_event(w, &e);
    return true;
}

static void drain(struct world *w)
{
    int events = 0;
    while (drain_one(w)) {
        CHECK(++events < EVENTS_MAX);
    }
}

static void store(struct world *w, uint64_t version)
{
    bool legal =
        version <= w->chain && version >= (w->has_reset ? w->reset : w->cursor);
    enum roam_status status =
        roam_client_stored(&w->client, version, w->now_ms);
    if (status == ROAM_STATUS_OK) {
        /* What waits undrained may be a RESET that we do not know of. */
        w->cursor = version;
        w->has_reset = false;
        CHECK(legal || roam__engine(&w->client)->owes != 0);
    } else {
        CHECK(!legal || roam__engine(&w->client)->owes != 0);
    }
    CHECK(roam_client_cursor(&w->client) == w->cursor);
}

/* ------------------------------------------------- what the client may say */

static void hear_frame(struct world *w, uint8_t type, struct roam_slice payload)
{
    struct roam_message m;
    CHECK(roam_frame_name(type) != NULL);
    CHECK((type & ROAM_FRAME_FROM_SERVER) == 0);
    CHECK(roam_message_decode(type, payload, &m) ==
          roam_v1_ErrorCode_ERROR_UNSPECIFIED);
    CHECK(!w->logout_heard);
    if (!w->eager) {
        return; /* the server answered what it had not seen: no order */
    }
    switch (type) {
    case ROAM_LOGIN:
        CHECK(!w->granted);
        CHECK(m.u.login.attempt == w->attempt); /* LOGIN-2 */
        w->login_heard = true;
        w->sync_heard = false;
        break;
    case ROAM_SYNC:
        CHECK(w->login_heard && !w->sync_heard); /* LOGIN-4, SYNC-6 */
        CHECK(m.u.sync.cursor == w->cursor);
        w->sync_heard = true;
        w->synced = false;
        break;
    case ROAM_ACK:
        CHECK(w->granted && w->synced); /* ACK-4 */
        CHECK(m.u.ack.version <= w->cursor && m.u.ack.version > w->acked);
        w->acked = m.u.ack.version;
        break;
    case ROAM_LOGOUT:
        CHECK(w->granted);
        w->logout_heard = true;
        break;
    default:
        CHECK(w->granted);
        break;
    }
}

static void hear(struct world *w)
{
    size_t at = 0;
    while (w->heard_len - at >= ROAM_FRAME_HEADER_BYTES) {
        const uint8_t *h = w->heard + at;
        size_t len = (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
        if (w->heard_len - at < ROAM_FRAME_HEADER_BYTES + len) {
            break;
        }
        struct roam_slice payload = {h + ROAM_FRAME_HEADER_BYTES, len};
        hear_frame(w, h[0], payload);
        at += ROAM_FRAME_HEADER_BYTES + len;
    }
    memmove(w->heard, w->heard + at, w->heard_len - at);
    w->heard_len -= at;
}

static void pull(struct world *w, size_t limit)
{
    struct roam_bytes pending = roam_client_pending(&w->client);
    size_t n = pending.len < limit ? pending.len : limit;
    CHECK(pending.len <= w->config.tx_bytes);
    if (n > 0) {
        CHECK(w->connected && n <= sizeof w->heard - w->heard_len);
        memcpy(w->heard + w->heard_len, pending.data, n);
        w->heard_len += n;
        roam_client_sent(&w->client, n, w->now_ms);
        hear(w);
    }
    size_t sent = 0;
    for (size_t i = 0; i < w->config.outbox_count; i++) {
        sent += w->outbox[i].state == ROAM_OUTBOX_SENT;
    }
    const struct roam__engine *e = roam__engine(&w->client);
    bool answered = (e->owes & (OWES_SENT | OWES_FAILED)) != 0;
    CHECK(sent <= e->max_commands + answered); /* SEND-12 */
    CHECK(e->commands <= e->max_commands);
}

/* ----------------------------------------------------- what the server says */

/* Feeds from memory that is gone afterwards, draining when asked to. */
static void feed(struct world *w, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        uint8_t *copy = malloc(len);
        if (copy == NULL) {
            return;
        }
        memcpy(copy, bytes, len);
        if (w->eager) {
            pull(w, SIZE_MAX); /* an answer to what is unsent is a fault */
        }
        struct roam__engine *e = roam__engine(&w->client);
        uint8_t before = e->state;
        ptrdiff_t n = roam_client_feed(&w->client, copy, len, w->now_ms);
        free(copy);
        CHECK(n <= (ptrdiff_t)len);
        /* The server's answers, as far as the client took them for such. */
        if (before == ST_LOGIN && roam__in_session(e)) {
            w->granted = true;
        }
        if (before != ST_LIVE && e->state == ST_LIVE) {
            w->synced = true;
            w->sync_heard = false;
            w->acked = 0;
        }
        if (before == ST_LOGIN && e->state == ST_OPEN) {
            w->login_heard = false;
        }
        if (n < 0) {
            return;
        }
        CHECK(n > 0 || e->owes != 0);
        bytes += n;
        len -= (size_t)n;
        drain(w);
    }
}

static void say(struct world *w, struct fuzz_input *in, enum fuzz_frame what)
{
    static uint8_t frame[2 * BUFFER];
    size_t n = fuzz_server_frame(what, in, w->chain, w->cursor, &w->asked,
                                 frame, sizeof frame);
    /* One frame a call: then feed() sees every change of the state. */
    feed(w, frame, n);
}

static void say_raw(struct world *w, struct fuzz_input *in)
{
    size_t len = fuzz_take(in);
    if (len > in->left) {
        len = in->left;
    }
    const uint8_t *bytes = in->at;
    in->at += len;
    in->left -= len;
    /* A frame a call would hide what a frame in two calls does. */
    for (size_t at = 0; at < len; at++) {
        feed(w, bytes + at, 1);
    }
}

/* ------------------------------------------------------- the caller's steps */

static void connect(struct world *w, uint8_t how)
{
    drain(w);
    if (roam_client_open(&w->client, w->now_ms) == ROAM_STATUS_OK) {
        w->connected = true;
        w->closed_told = false;
        w->chain = w->cursor;
        w->has_reset = false;
        w->heard_len = 0;
        w->login_heard = w->sync_heard = w->logout_heard = false;
        w->granted = w->synced = false;
        w->acked = 0;
    }
    if ((how & 1) != 0) {
        w->next_id++;
        memset(w->config.device_id, how, 16);
        (void)roam_client_set_device_id(&w->client, w->config.device_id);
    }
    if (roam_client_login(&w->client, w->attempt + 1, how & 2, w->now_ms) ==
        ROAM_STATUS_OK) {
        w->attempt++;
    }
}

static void disconnect(struct world *w)
{
    drain(w);
    bool told = w->closed_told;
    bool was = w->connected;
    roam_client_closed(&w->client, w->now_ms);
    w->closed_told = was && told;
    w->connected = false;
    drain(w);
    CHECK(w->closed_told);
    CHECK(roam_client_pending(&w->client).len == 0);
}

static void send_something(struct world *w, struct fuzz_input *in)
{
    static const uint8_t body[300] = {'x'};
    uint8_t how = fuzz_take(in);
    struct roam_bytes to = {(const uint8_t *)"bob", 3};
    struct roam_bytes type = {(const uint8_t *)"a/b", how & 3};
    struct roam_bytes text_body = {body, how};
    (void)roam_client_send(&w->client, 1u + (w->next_id++ & 63),
                           ROAM_KIND_MESSAGE, to, type, text_body, w->now_ms);
}

static enum roam_status ask_for_a_list(struct world *w,
                                       const struct fuzz_asked *asked,
                                       struct roam_bytes bob)
{
    const struct roam_bytes nobody = {NULL, 0};
    if (asked->history) {
        return roam_client_members(&w->client, asked->ref, bob,
                                   asked->before != 0 ? bob : nobody,
                                   asked->max_rows, w->now_ms);
    }
    return asked->before != 0
               ? roam_client_end_session(&w->client, asked->ref, ROAM_WEB,
                                         asked->before, w->now_ms)
               : roam_client_sessions(&w->client, asked->ref, 0, w->now_ms);
}

static void ask_for_a_page(struct world *w, struct fuzz_input *in)
{
    struct fuzz_asked asked;
    uint8_t how = fuzz_take(in);
    struct roam_bytes bob = {(const uint8_t *)"bob", 3};
    struct roam_bytes nobody = {NULL, 0};
    asked.history = (how & 1) != 0;
    asked.ref = 1u + (how & 62);
    asked.before = (how & 64) != 0 ? 16u + fuzz_take(in) : 0;
    asked.after = asked.history && (how & 128) != 0 ? fuzz_take(in) : 0;
    uint8_t rows = fuzz_take(in);
    asked.max_rows = 1u + rows % ROWS;
    asked.list = rows >= 192;
    enum roam_status status =
        asked.list ? ask_for_a_list(w, &asked, bob)
        : asked.history
            ? roam_client_history(&w->client, asked.ref, bob, asked.before,
                                  asked.after, false, asked.max_rows, w->now_ms)
            : roam_client_conversations(&w->client, asked.ref, asked.before,
                                        asked.before != 0 ? bob : nobody,
                                        asked.max_rows, w->now_ms);
    CHECK(status != ROAM_STATUS_OK || !w->page);
    if (status == ROAM_STATUS_OK) {
        w->asked = asked;
        w->page = true;
        w->page_rows = 0;
        w->page_last = 0;
    }
}

static void pass(struct world *w, uint32_t ms)
{
    w->now_ms += ms;
    roam_client_tick(&w->client, w->now_ms);
    CHECK(roam_client_deadline_ms(&w->client) > w->now_ms);
}

static void step(struct world *w, struct fuzz_input *in)
{
    uint8_t op = fuzz_take(in);
    switch (op % 20) {
    case 0:
        say_raw(w, in);
        break;
    case 1:
        say(w, in, FUZZ_LOGIN_OK);
        break;
    case 2:
        say(w, in, FUZZ_SYNC_OK);
        break;
    case 3:
    case 4:
        say(w, in, FUZZ_PUSH);
        break;
    case 5:
    case 6:
        say(w, in, FUZZ_BATCH);
        break;
    case 7:
        say(w, in, FUZZ_ANSWER);
        break;
    case 8:
        say(w, in, FUZZ_OTHER);
        break;
    case 9:
        (void)drain_one(w);
        break;
    case 10:
        store(w, w->chain);
        break;
    case 11:
        store(w, w->chain - fuzz_take(in) % 4);
        break;
    case 12:
        send_something(w, in);
        break;
    case 13:
        pass(w, fuzz_take(in));
        break;
    case 14:
        pass(w, fuzz_take(in) * 500u);
        break;
    case 15:
        pull(w, fuzz_take(in));
        break;
    case 16:
        pull(w, SIZE_MAX);
        break;
    case 17:
        disconnect(w);
        break;
    case 18:
        connect(w, fuzz_take(in));
        break;
    default:
        if (op >= 200) {
            (void)roam_client_logout(&w->client, w->now_ms);
        } else if (op >= 160) {
            roam_client_close(&w->client, w->now_ms);
        } else if (op >= 80) {
            say(w, in, FUZZ_PAGE);
        } else {
            ask_for_a_page(w, in);
        }
        break;
    }
    CHECK(roam_client_cursor(&w->client) == w->cursor);
}

/* ------------------------------------------------------------------- set up */

static bool set_up(struct world *w, struct fuzz_input *in)
{
    uint8_t how = fuzz_take(in);
    bool small = (how & 1) != 0;
    memset(w, 0, sizeof *w);
    w->eager = (how & 16) == 0;
    w->config.user = "alice";
    w->config.token = "t";
    w->config.device_type = ROAM_WATCH;
    w->config.max_entries = 1000;
    w->config.max_unacked = small ? ROAM_UNACKED_MIN : 32;
    w->config.deflate = (how & 2) != 0;
    w->config.cursor = (how & 4) != 0 ? 0 : 1000;
    w->config.rx_bytes = small ? ROAM_RX_BYTES_MIN : BUFFER;
    w->config.tx_bytes = small ? ROAM_TX_BYTES_MIN : BUFFER;
    w->config.inflated_bytes = small ? ROAM_INFLATED_BYTES_MIN : BUFFER;
    /* Buffers of their own, so that a step outside is seen. */
    w->config.rx = w->rx = malloc(w->config.rx_bytes);
    w->config.tx = w->tx = malloc(w->config.tx_bytes);
    w->config.inflated = w->inflated = malloc(w->config.inflated_bytes);
    w->config.outbox = w->outbox;
    w->config.outbox_count = (how & 8) != 0 ? 1 : OUTBOX;
    w->config.random_seed = how;
    w->cursor = w->chain = w->config.cursor;
    return w->rx != NULL && w->tx != NULL && w->inflated != NULL &&
           roam_client_init(&w->client, &w->config) == ROAM_STATUS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world w;
    struct fuzz_input in = {data, size};
    if (set_up(&w, &in)) {
        while (in.left > 0) {
            step(&w, &in);
        }
        disconnect(&w);
    }
    free(w.rx);
    free(w.tx);
    free(w.inflated);
    return 0;
}
