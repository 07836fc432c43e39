/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the server core over the memory store: a few connections, of which
 * each may do anything at any time, and a judge who reads all that the
 * server writes.
 *
 * The input is a program: one byte for what happens (enum op), one for the
 * connection, then its operands. So an input can be raw bytes, as from a
 * hostile peer, and whole messages, which reach every state. Missing
 * operands are 0. Time passes and memory runs out only when the input says
 * so.
 *
 * The judge aborts when the server's output is not well-formed, breaks the
 * chain, exceeds the window, goes on after KICK, answers more commands than
 * there were, tells an `as_of` below what it told before, or takes a token
 * from a second device. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "core.h"
#include "frame.h"
#include "operation.h"
#include "rows.h"
#include "session.h"
#include "store_mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CONNECTIONS 4
#define TOKENS 8 /* of each user */
#define START_WALL_MS 1767225600000ull
/* Small, so that small inputs reach them. */
#define MAX_BODY 300
#define MAX_COMMANDS 4
#define MAX_UNACKED 9
#define SMALL_WINDOW 4
#define OUTPUT_MAX 1500
/* What does not wait for room: answers to SENDs, KICK, one of the others; and
 * a page, which is half the bound at most. */
#define OUTPUT_EXTRA (1000 + OUTPUT_MAX / 2)

#define JUDGE(claim)                                                           \
    do {                                                                       \
        if (!(claim)) {                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #claim);        \
            abort();                                                           \
        }                                                                      \
    } while (0)

enum op {
    OP_RAW, /* length, bytes */
    OP_LOGIN,
    OP_SYNC,
    OP_ACK,
    OP_SEND,
    OP_PING,
    OP_LOGOUT,
    OP_POLL,   /* the store answers once */
    OP_TAKE,   /* the transport takes some bytes */
    OP_SETTLE, /* until nothing happens any more */
    OP_TIME,
    OP_CUT, /* the connection breaks; a new one comes */
    OP_TRIM,
    OP_REFUSE, /* an allocation fails soon */
    OP_DRAIN,
    OP_HISTORY,
    OP_CONVERSATIONS,
    OP_CHANGE, /* of a group */
    OP_GROUP,  /* something said in one */
    OP_MEMBERS,
    OP_SESSIONS,
    OP_END_SESSION,
    OP_COUNT
};

struct conn {
    struct roam_session *session;
    uint8_t *out; /* an unfinished frame of the server */
    size_t out_len;
    size_t in_flight; /* entries received, and not acknowledged */
    uint64_t cursor;
    bool syncing; /* cursor is not known: the next entry tells it */
    bool kicked;
    bool acks_unknown; /* raw bytes may have been an ACK or a SYNC */
    uint64_t commands, answers;
    struct token *token; /* of the LOGIN that is to be answered */
    uint8_t device;
};

/* Which device was granted a login with it; 0: none that is known. */
struct token {
    uint8_t device;
};

struct world {
    const uint8_t *data;
    size_t size;
    struct roam_core_config config;
    struct roam_store *store;
    struct roam_core *core;
    struct roam_now now;
    struct conn conns[CONNECTIONS];
    struct token tokens[2][TOKENS];
};

/* ------------------------------------------------------------------ input */

static uint8_t next_byte(struct world *w)
{
    if (w->size == 0) {
        return 0;
    }
    w->size--;
    return *w->data++;
}

static long refuse_in;
static bool refuse(void)
{
    return refuse_in > 0 && --refuse_in == 0;
}

/* ------------------------------------------------------------------ judge */

static void judge_login(struct conn *c) /* [DEV-1] */
{
    if (c->token != NULL) {
        JUDGE(c->token->device == 0 || c->token->device == c->device);
        c->token->device = c->device;
    }
}

static void judge_entries(struct conn *c, uint64_t prev, uint64_t last,
                          uint32_t count)
{
    JUDGE(last > prev);
    if (!c->syncing) {
        JUDGE(prev == c->cursor); /* [CHAIN-3] */
    }
    c->syncing = false;
    c->cursor = last;
    c->in_flight += count;
    JUDGE(c->acks_unknown || c->in_flight <= MAX_UNACKED); /* [ACK-3] */
}

static void judge_sync_ok(struct conn *c, const roam_v1_SyncOk *ok)
{
    JUDGE((ok->reason != 0) == (ok->result == roam_v1_SyncResult_RESET));
    JUDGE(ok->floor <= ok->head);
    c->in_flight = 0;
    c->cursor = ok->head;
    c->syncing = ok->result == roam_v1_SyncResult_DELTA;
}

static void judge_batch(struct conn *c, const struct roam_message *m)
{
    static uint8_t buf[1u << 20];
    struct roam_unpack unpack;
    JUDGE(roam_unpack_open(&unpack, m, ~0u, buf, sizeof buf) == ROAM_BATCH_OK);
    JUDGE(m->u.batch.count >= 2);
    judge_entries(c, m->u.batch.prev_version, m->u.batch.last_version,
                  m->u.batch.count);
}

static void judge_page(struct conn *c, const struct roam_message *m)
{
    static uint8_t buf[1u << 20];
    struct roam_unpack unpack;
    c->answers++;
    JUDGE(c->acks_unknown || c->answers <= c->commands);
    JUDGE(roam_unpack_open_page(&unpack, m, ROAM_PAGE_ROWS_MAX, ~0u, buf,
                                sizeof buf) == ROAM_BATCH_OK);
    if (m->type == ROAM_CONVERSATION_PAGE) {
        JUDGE(m->u.conversation_page.as_of >= c->cursor); /* [HIST-9] */
        JUDGE(m->u.conversation_page.count > 0 || !m->u.conversation_page.more);
    } else {
        JUDGE(m->u.history_page.count > 0 ||
              !m->u.history_page.more); /* [HIST-4] */
    }
}

static void judge_members(struct conn *c, const struct roam_message *m)
{
    const roam_v1_MemberPage *page = &m->u.member_page;
    c->answers++;
    JUDGE(c->acks_unknown || c->answers <= c->commands);
    JUDGE(roam_member_rows_good(m->body, page->count)); /* [GRP-17] */
    JUDGE(page->count > 0 || !page->more);              /* [GRP-20] */
    JUDGE(page->as_of >= c->cursor);                    /* [GRP-21] */
    JUDGE(page->count <= page->member_count + ROAM_APPLICANTS_MAX);
}

static void judge_sessions(struct conn *c, const struct roam_message *m)
{
    const roam_v1_SessionList *list = &m->u.session_list;
    c->answers++;
    JUDGE(c->acks_unknown || c->answers <= c->commands);
    JUDGE(roam_session_rows_good(m->body, list->count));
    JUDGE(list->count > 0 || !list->more); /* [DEV-3] */
    struct roam_slice rows = m->body;
    struct roam_session_row row;
    unsigned self = 0, last = 0;
    while (roam_session_row_next(&rows, &row)) {
        JUDGE(row.device_type > last);
        JUDGE(row.online || !row.self); /* [DEV-4] */
        last = row.device_type;
        self += row.self;
    }
    JUDGE(self <= 1);
}

static void judge_frame(struct conn *c, uint8_t type, struct roam_slice p)
{
    struct roam_message m;
    JUDGE(roam_frame_name(type) != NULL);
    JUDGE((type & ROAM_FRAME_FROM_SERVER) != 0);
    JUDGE(roam_message_decode(type, p, &m) == 0);
    JUDGE(!c->kicked); /* [KICK-4] */
    switch (type) {
    case ROAM_KICK:
        c->kicked = true;
        JUDGE((m.u.kick.error != 0) ==
              (m.u.kick.reason == roam_v1_KickReason_PROTOCOL_ERROR));
        break;
    case ROAM_LOGIN_OK:
        judge_login(c);
        break;
    case ROAM_SYNC_OK:
        judge_sync_ok(c, &m.u.sync_ok);
        break;
    case ROAM_PUSH:
        judge_entries(c, m.u.push.prev_version, m.u.push.version, 1);
        break;
    case ROAM_BATCH:
        judge_batch(c, &m);
        break;
    case ROAM_SEND_OK:
    case ROAM_ERROR:
    case ROAM_SESSION_ENDED:
        c->answers++;
        JUDGE(c->acks_unknown || c->answers <= c->commands); /* [SEND-2] */
        break;
    case ROAM_HISTORY_PAGE:
    case ROAM_CONVERSATION_PAGE:
        judge_page(c, &m);
        break;
    case ROAM_MEMBER_PAGE:
        judge_members(c, &m);
        break;
    case ROAM_SESSION_LIST:
        judge_sessions(c, &m);
        break;
    default:
        break;
    }
}

/* ----------------------------------------------------------- connections */

static void accept_one(struct world *w, struct conn *c)
{
    memset(c, 0, sizeof *c);
    c->session = roam_core_accept(w->core, "fuzz", 1, w->now);
    if (c->session != NULL) {
        roam_session_set_owner(c->session, c);
    }
}

static void drop_one(struct world *w, struct conn *c)
{
    if (c->session != NULL) {
        roam_session_closed(c->session, w->now);
    }
    c->session = NULL;
    free(c->out);
    c->out = NULL;
    c->out_len = 0;
}

static void receive(struct conn *c, struct roam_slice bytes)
{
    c->out = realloc(c->out, c->out_len + bytes.len);
    JUDGE(c->out != NULL);
    memcpy(c->out + c->out_len, bytes.data, bytes.len);
    c->out_len += bytes.len;
    size_t at = 0;
    while (c->out_len - at >= ROAM_FRAME_HEADER_BYTES) {
        const uint8_t *h = c->out + at;
        size_t len = (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
        if (c->out_len - at - ROAM_FRAME_HEADER_BYTES < len) {
            break;
        }
        struct roam_slice p = {h + ROAM_FRAME_HEADER_BYTES, len};
        judge_frame(c, h[0], p);
        at += ROAM_FRAME_HEADER_BYTES + len;
    }
    memmove(c->out, c->out + at, c->out_len - at);
    c->out_len -= at;
}

static void take(struct world *w, struct conn *c, size_t most)
{
    while (c->session != NULL && most > 0) {
        struct roam_slice bytes = roam_session_pending(c->session);
        if (bytes.len == 0) {
            break;
        }
        bytes.len = bytes.len < most ? bytes.len : most;
        most -= bytes.len;
        receive(c, bytes);
        roam_session_sent(c->session, bytes.len, w->now);
    }
    if (c->session != NULL && roam_session_finished(c->session)) {
        drop_one(w, c);
    }
}

static void start_core(struct world *w)
{
    w->core = roam_core_new(&w->config);
    if (w->core == NULL) { /* refused, once */
        w->core = roam_core_new(&w->config);
    }
    JUDGE(w->core != NULL);
}

/* The process ends with all connections, and comes back. */
static void restart(struct world *w)
{
    roam_core_free(w->core);
    roam_store_mem_restart(w->store, false);
    start_core(w);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        w->conns[i].session = NULL;
        drop_one(w, &w->conns[i]);
    }
}

static void poll_store(struct world *w)
{
    if (roam_core_poll(w->core, w->now) != ROAM_STORE_OK) {
        restart(w);
    }
}

static void settle(struct world *w)
{
    /* A full window and a full queue are worked off in far fewer rounds. */
    for (int round = 0; round < 16; round++) {
        poll_store(w);
        struct roam_session *s;
        while ((s = roam_core_next_ready(w->core)) != NULL) {
            take(w, roam_session_owner(s), SIZE_MAX);
        }
    }
}

/* -------------------------------------------------------------- operations */

static void put(struct world *w, struct conn *c, const struct roam_message *m)
{
    uint8_t bytes[2048];
    size_t len = roam_message_encode(m, bytes, sizeof bytes);
    JUDGE(len > 0);
    roam_session_feed(c->session, bytes, len, w->now);
}

static void put_raw(struct world *w, struct conn *c)
{
    size_t len = next_byte(w);
    len = len < w->size ? len : w->size;
    uint8_t *copy = malloc(len + 1);
    JUDGE(copy != NULL);
    if (len > 0) {
        memcpy(copy, w->data, len);
    }
    w->data += len;
    w->size -= len;
    c->acks_unknown = true;
    roam_session_feed(c->session, copy, len, w->now);
    free(copy);
}

static void put_login(struct world *w, struct conn *c)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_LOGIN);
    roam_v1_Login *login = &m.u.login;
    uint8_t who = next_byte(w);
    const char *user = (who & 1) != 0 ? "bob" : "alice";
    login->protocol = ROAM_PROTOCOL_VERSION;
    snprintf(login->user, sizeof login->user, "%s", user);
    uint8_t device = who >> 1 & 3;
    uint8_t token = device ^ (who >> 4 & 7); /* mostly its own */
    snprintf(login->token, sizeof login->token, "%s-%u", user, token);
    login->device_id.size = ROAM_DEVICE_ID_BYTES;
    memset(login->device_id.bytes, device, ROAM_DEVICE_ID_BYTES);
    /* A LOGIN behind another frame may not be the one that is answered. */
    bool first = c->token == NULL && !c->acks_unknown;
    c->token = first ? &w->tokens[who & 1][token] : NULL;
    c->device = 1u + device;
    login->device_type = (roam_v1_DeviceType)(1 + (who >> 3) % 2);
    login->attempt = 1u + next_byte(w);
    login->take_over = next_byte(w);
    login->max_frame = ROAM_FRAME_MIN + 4u * next_byte(w);
    put(w, c, &m);
}

static void put_sync(struct world *w, struct conn *c)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_SYNC);
    m.u.sync.cursor = next_byte(w);
    m.u.sync.max_entries = next_byte(w);
    m.u.sync.max_unacked = SMALL_WINDOW + next_byte(w) % 8u;
    m.u.sync.max_inflated = ROAM_INFLATED_MIN;
    m.u.sync.codecs = next_byte(w) % 4u;
    put(w, c, &m);
}

static void put_ack(struct world *w, struct conn *c)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_ACK);
    /* Mostly of what was received; sometimes of anything. */
    uint8_t back = next_byte(w);
    m.u.ack.version = c->cursor > back ? c->cursor - back : 1u + back;
    c->in_flight = back == 0 ? 0 : c->in_flight;
    c->acks_unknown = c->acks_unknown || back != 0;
    put(w, c, &m);
}

static void put_send(struct world *w, struct conn *c)
{
    static const char *const to[] = {"alice", "bob", "nobody", "alice"};
    static const uint8_t zeros[2 * MAX_BODY] = {0};
    struct roam_message m;
    roam_message_init(&m, ROAM_SEND);
    m.u.send.client_msg_id = 1u + next_byte(w);
    uint8_t what = next_byte(w);
    snprintf(m.u.send.conversation, sizeof m.u.send.conversation, "%s",
             to[what & 3]);
    m.u.send.kind = (roam_v1_Kind)(what == 255);
    m.body.data = zeros;
    m.body.len = 2u * (what >> 2) + next_byte(w);
    c->commands++;
    put(w, c, &m);
}

/* A msg_id of the world: of its first millisecond and above. */
static uint64_t some_id(uint8_t byte)
{
    uint64_t ms = START_WALL_MS - ROAM_EPOCH_UNIX_MS + (byte >> 4) * 50u;
    return byte == 0 ? 0 : (ms << ROAM_MSG_ID_TIME_SHIFT) + (byte & 15u);
}

static void put_history(struct world *w, struct conn *c)
{
    static const char *const of[] = {"alice", "bob", "#AQAAAAAAAAAAAAAAAAAAAA",
                                     "bob"};
    struct roam_message m;
    roam_message_init(&m, ROAM_HISTORY);
    uint8_t what = next_byte(w);
    m.u.history.ref = 1u + what;
    snprintf(m.u.history.conversation, sizeof m.u.history.conversation, "%s",
             of[what & 3]);
    m.u.history.max_rows = 1u + (what >> 3);
    m.u.history.codecs = what >> 1 & 2u;
    m.u.history.max_inflated = ROAM_INFLATED_MIN;
    m.u.history.before = some_id(next_byte(w));
    m.u.history.after = some_id(next_byte(w));
    c->commands++;
    put(w, c, &m);
}

static void put_conversations(struct world *w, struct conn *c)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_CONVERSATIONS);
    uint8_t what = next_byte(w);
    m.u.conversations.ref = 1u + what;
    m.u.conversations.max_rows = 1u + (what >> 2);
    m.u.conversations.max_inflated = ROAM_INFLATED_MIN;
    m.u.conversations.before = some_id(next_byte(w));
    if (m.u.conversations.before != 0) {
        snprintf(m.u.conversations.conversation,
                 sizeof m.u.conversations.conversation, "%s",
                 (what & 1) != 0 ? "bob" : "alice");
    }
    c->commands++;
    put(w, c, &m);
}

/* Groups of this world have their numbers as ids, from 1. */
static const char *some_group(uint8_t byte)
{
    static const char *const ids[] = {"#AQAAAAAAAAAAAAAAAAAAAA",
                                      "#AgAAAAAAAAAAAAAAAAAAAA", "#",
                                      "#AQAAAAAAAAAAAAAAAAAAAA"};
    return ids[byte & 3];
}

static void put_operation(struct world *w, struct conn *c, const char *to,
                          const struct roam_operation *op, uint8_t named)
{
    static const char *const users[] = {"alice", "bob", "nobody", "alice"};
    struct roam_slice list[4];
    struct roam_message m;
    uint8_t body[MAX_BODY];
    size_t count = 0;
    for (size_t i = 0; i < 4; i++) {
        if ((named >> i & 1) != 0) {
            list[count++] = (struct roam_slice){(const uint8_t *)users[i],
                                                strlen(users[i])};
        }
    }
    roam_message_init(&m, ROAM_SEND);
    m.u.send.client_msg_id = 1u + next_byte(w);
    m.u.send.kind = (roam_v1_Kind)op->kind;
    snprintf(m.u.send.conversation, sizeof m.u.send.conversation, "%s", to);
    m.body.data = body;
    m.body.len =
        op->kind == roam_v1_Kind_MESSAGE
            ? 0
            : roam_operation_encode(op, list, count, body, sizeof body);
    c->commands++;
    put(w, c, &m);
}

static void put_change(struct world *w, struct conn *c)
{
    static const uint8_t name[] = "Lunch";
    uint8_t what = next_byte(w);
    uint8_t how = next_byte(w);
    struct roam_operation op = {.kind = roam_v1_Kind_GROUP,
                                .action = 1u + (what & 15u) % 15u};
    bool create = op.action == roam_v1_GroupAction_CREATE;
    if (create || op.action == roam_v1_GroupAction_SET_JOIN) {
        op.join = 1u + (how & 3u) % 3u;
    }
    if (op.action == roam_v1_GroupAction_RENAME || (create && how > 127)) {
        op.name = (struct roam_slice){name, 1u + (how >> 2 & 3u)};
    }
    put_operation(w, c, create ? "#" : some_group(what >> 4), &op, how >> 4);
}

static void put_group(struct world *w, struct conn *c)
{
    static const uint8_t kinds[] = {roam_v1_Kind_MESSAGE, roam_v1_Kind_RECALL,
                                    roam_v1_Kind_DELETE,  roam_v1_Kind_READ,
                                    roam_v1_Kind_APP,     roam_v1_Kind_MESSAGE};
    uint8_t what = next_byte(w);
    struct roam_operation op = {.kind = kinds[(what & 7u) % 6u],
                                .msg_id = some_id(next_byte(w)),
                                .data = {(const uint8_t *)"poke", 4}};
    put_operation(w, c, some_group(what >> 3), &op, what >> 5);
}

static void put_members(struct world *w, struct conn *c)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_MEMBERS);
    uint8_t what = next_byte(w);
    m.u.members.ref = 1u + what;
    snprintf(m.u.members.conversation, sizeof m.u.members.conversation, "%s",
             some_group(what));
    snprintf(m.u.members.after, sizeof m.u.members.after, "%s",
             (what & 4) != 0 ? "alice" : "");
    m.u.members.max_rows = 1u + (what >> 5);
    c->commands++;
    put(w, c, &m);
}

static void put_sessions(struct world *w, struct conn *c)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_SESSIONS);
    uint8_t what = next_byte(w);
    m.u.sessions.ref = 1u + what;
    m.u.sessions.after = (roam_v1_DeviceType)(what & 3);
    c->commands++;
    put(w, c, &m);
}

static void put_end_session(struct world *w, struct conn *c)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_END_SESSION);
    uint8_t what = next_byte(w);
    m.u.end_session.ref = 1u + what;
    m.u.end_session.device_type = (roam_v1_DeviceType)(1 + (what & 1));
    m.u.end_session.generation = 1u + (what >> 1);
    c->commands++;
    put(w, c, &m);
}

static void put_small(struct world *w, struct conn *c, uint8_t type)
{
    struct roam_message m;
    roam_message_init(&m, type);
    if (type == ROAM_PING) {
        m.u.ping.id = next_byte(w);
    }
    put(w, c, &m);
}

static void pass_time(struct world *w)
{
    uint64_t ms = 50u * next_byte(w);
    w->now.mono_ms += ms;
    w->now.wall_ms += ms;
    roam_core_tick(w->core, w->now);
    JUDGE(roam_core_deadline(w->core) > w->now.mono_ms);
}

static void on_connection(struct world *w, struct conn *c, enum op op)
{
    if (c->session == NULL) {
        accept_one(w, c);
        if (c->session == NULL) {
            return;
        }
    }
    switch (op) {
    case OP_RAW:
        put_raw(w, c);
        break;
    case OP_LOGIN:
        put_login(w, c);
        break;
    case OP_SYNC:
        put_sync(w, c);
        break;
    case OP_ACK:
        put_ack(w, c);
        break;
    case OP_SEND:
        put_send(w, c);
        break;
    case OP_PING:
        put_small(w, c, ROAM_PING);
        break;
    case OP_LOGOUT:
        put_small(w, c, ROAM_LOGOUT);
        break;
    case OP_HISTORY:
        put_history(w, c);
        break;
    case OP_CONVERSATIONS:
        put_conversations(w, c);
        break;
    case OP_CHANGE:
        put_change(w, c);
        break;
    case OP_GROUP:
        put_group(w, c);
        break;
    case OP_MEMBERS:
        put_members(w, c);
        break;
    case OP_SESSIONS:
        put_sessions(w, c);
        break;
    case OP_END_SESSION:
        put_end_session(w, c);
        break;
    case OP_TAKE:
        take(w, c, 1u + 8u * next_byte(w));
        break;
    default:
        drop_one(w, c);
        break;
    }
}

static void step(struct world *w)
{
    enum op op = (enum op)(next_byte(w) % OP_COUNT);
    switch (op) {
    case OP_POLL:
        poll_store(w);
        break;
    case OP_SETTLE:
        settle(w);
        break;
    case OP_TIME:
        pass_time(w);
        break;
    case OP_TRIM:
        roam_store_mem_trim(w->store, next_byte(w) % 2 ? "bob" : "alice",
                            next_byte(w));
        break;
    case OP_REFUSE:
        refuse_in = 1 + next_byte(w);
        break;
    case OP_DRAIN:
        roam_core_drain(w->core, w->now);
        break;
    default:
        on_connection(w, &w->conns[next_byte(w) % CONNECTIONS], op);
        break;
    }
}

/* What a connection costs is bounded, whatever its peer does. */
static void judge_memory(const struct world *w)
{
    for (size_t i = 0; i < CONNECTIONS; i++) {
        const struct roam_session *s = w->conns[i].session;
        if (s != NULL) {
            JUDGE(s->out.len <= OUTPUT_MAX + OUTPUT_EXTRA);
            JUDGE(s->window.count <= MAX_UNACKED);
            JUDGE(s->commands <= MAX_COMMANDS);
        }
    }
}

static void set_limits(struct roam_core_config *config)
{
    for (unsigned i = 0; i < ROAM_USER_RATES; i++) {
        config->user_rates[i] = (struct roam_rate){3, 3000};
    }
    config->address_rates[ROAM_RATE_ADDRESS_LOGINS] =
        (struct roam_rate){6, 3000};
    config->login_failures = (struct roam_rate){2, 3000};
    config->session_cost = (struct roam_rate){60, 3000};
    config->max_inflated = MAX_BODY + ROAM_ENTRY_OVERHEAD;
    config->max_strangers = 2;
    config->output_total_bytes = 2 * OUTPUT_MAX;
}

static void open_world(struct world *w, const uint8_t *data, size_t size)
{
    memset(w, 0, sizeof *w);
    w->data = data;
    w->size = size;
    w->now = (struct roam_now){1, START_WALL_MS};
    w->store = roam_store_mem_new(NULL, NULL);
    JUDGE(w->store != NULL);
    roam_store_mem_add_user(w->store, "alice");
    roam_store_mem_add_user(w->store, "bob");
    for (unsigned i = 0; i < TOKENS; i++) {
        char text[16];
        snprintf(text, sizeof text, "alice-%u", i);
        roam_store_mem_add_token(w->store, "alice", text, 0, 0);
        snprintf(text, sizeof text, "bob-%u", i);
        roam_store_mem_add_token(w->store, "bob", text, 0, 0);
    }
    roam_core_config_default(&w->config);
    w->config.store = w->store;
    w->config.max_body = MAX_BODY;
    w->config.max_commands = MAX_COMMANDS;
    w->config.max_unacked = MAX_UNACKED;
    w->config.output_max_bytes = OUTPUT_MAX;
    w->config.max_sessions = CONNECTIONS - 1;
    w->config.heartbeat_ms = 1000;
    if (size % 2 != 0) { /* half of the inputs meet the limits */
        set_limits(&w->config);
    }
    start_core(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w;
    refuse_in = 0;
    roam__alloc_refuse = refuse;
    open_world(&w, data, size);
    while (w.size > 0) {
        step(&w);
        judge_memory(&w);
    }
    settle(&w);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        drop_one(&w, &w.conns[i]);
    }
    settle(&w);
    JUDGE(w.core->sessions == NULL); /* nothing is kept of the dead */
    JUDGE(w.core->user_count == 0);
    roam_core_free(w.core);
    w.store->ops->close(w.store);
    roam__alloc_refuse = NULL;
    return 0;
}
