/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzzes the server core over the memory store: a few connections, of which
 * each may do anything at any time, and a judge who reads all that the
 * server writes, see server_judge.h.
 *
 * The input is a program: one byte for what happens (enum op), one for the
 * connection, then its operands. So an input can be raw bytes, as from a
 * hostile peer, and whole messages, which reach every state. Missing
 * operands are 0. Time passes and memory runs out only when the input says
 * so. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "client_frames.h"
#include "core.h"
#include "session.h"
#include "store_mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CONNECTIONS 4
/* Small, so that small inputs reach them. */
#define MAX_COMMANDS 4
#define OUTPUT_MAX 1500
/* What does not wait for room: answers to SENDs, KICK, one of the others; and
 * a page, which is half the bound at most. */
#define OUTPUT_EXTRA (1000 + OUTPUT_MAX / 2)

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

/* What is a message with operands. */
static fuzz_say_fn *const says[OP_COUNT] = {
    [OP_LOGIN] = fuzz_say_login,
    [OP_SYNC] = fuzz_say_sync,
    [OP_ACK] = fuzz_say_ack,
    [OP_SEND] = fuzz_say_send,
    [OP_PING] = fuzz_say_ping,
    [OP_LOGOUT] = fuzz_say_logout,
    [OP_HISTORY] = fuzz_say_history,
    [OP_CONVERSATIONS] = fuzz_say_conversations,
    [OP_CHANGE] = fuzz_say_change,
    [OP_GROUP] = fuzz_say_group,
    [OP_MEMBERS] = fuzz_say_members,
    [OP_SESSIONS] = fuzz_say_sessions,
    [OP_END_SESSION] = fuzz_say_end_session,
};

struct conn {
    struct roam_session *session;
    struct judge judge;
};

struct world {
    struct fuzz_input in;
    struct roam_core_config config;
    struct roam_store *store;
    struct roam_core *core;
    struct roam_now now;
    struct conn conns[CONNECTIONS];
    struct token tokens[2][TOKENS];
};

static long refuse_in;
static bool refuse(void)
{
    return refuse_in > 0 && --refuse_in == 0;
}

/* ----------------------------------------------------------- connections */

static void accept_one(struct world *w, struct conn *c)
{
    memset(c, 0, sizeof *c);
    c->judge.tokens = w->tokens;
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
    judge_free(&c->judge);
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
        judge_bytes(&c->judge, bytes);
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

static void say(struct world *w, struct conn *c, fuzz_say_fn *make)
{
    uint8_t bytes[2048];
    struct roam_message m;
    make(&w->in, &c->judge, &m);
    size_t len = roam_message_encode(&m, bytes, sizeof bytes);
    JUDGE(len > 0);
    roam_session_feed(c->session, bytes, len, w->now);
}

static void say_raw(struct world *w, struct conn *c)
{
    size_t len = fuzz_take(&w->in);
    len = len < w->in.left ? len : w->in.left;
    uint8_t *copy = malloc(len + 1);
    JUDGE(copy != NULL);
    if (len > 0) {
        memcpy(copy, w->in.at, len);
    }
    w->in.at += len;
    w->in.left -= len;
    c->judge.acks_unknown = true;
    roam_session_feed(c->session, copy, len, w->now);
    free(copy);
}

static void pass_time(struct world *w)
{
    uint64_t ms = 50u * fuzz_take(&w->in);
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
    if (says[op] != NULL) {
        say(w, c, says[op]);
    } else if (op == OP_RAW) {
        say_raw(w, c);
    } else if (op == OP_TAKE) {
        take(w, c, 1u + 8u * fuzz_take(&w->in));
    } else {
        drop_one(w, c);
    }
}

static void step(struct world *w)
{
    enum op op = (enum op)(fuzz_take(&w->in) % OP_COUNT);
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
        roam_store_mem_trim(w->store, fuzz_take(&w->in) % 2 ? "bob" : "alice",
                            fuzz_take(&w->in));
        break;
    case OP_REFUSE:
        refuse_in = 1 + fuzz_take(&w->in);
        break;
    case OP_DRAIN:
        roam_core_drain(w->core, w->now);
        break;
    default:
        on_connection(w, &w->conns[fuzz_take(&w->in) % CONNECTIONS], op);
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
    w->in = (struct fuzz_input){data, size};
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
    while (w.in.left > 0) {
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
