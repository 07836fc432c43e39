/* SPDX-License-Identifier: Apache-2.0 */
/* What is there, but not for the asker to see, is answered like what is not
 * there: byte for byte, whatever a command can name. One table, asked of the
 * core over the memory store and of roamd over SQLite. [OP-8]
 *
 * Each question of the table is asked twice with the same reference, once with
 * ids of others and once with ids of nobody. The asker is eve; all others are
 * the scene. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "alloc.h"
#include "core_rig.h"
#include "operation.h"
#include "roamd_rig.h"

#define REF 0x1234567890abcdefull
#define ANSWER_MAX 4096
#define PHONE roam_v1_DeviceType_PHONE
#define WEB roam_v1_DeviceType_WEB
/* As a group's id is, but nobody's. */
#define NO_GROUP "#AAAAAAAAAAAAAAAAAAAAAA"

/* ---------------------------------------------------------------- sessions */

/* One session: a peer of the core, or a connection to roamd. */
struct client {
    struct peer *peer;
    struct wire *wire;
};

struct answer {
    uint8_t bytes[ANSWER_MAX]; /* type, then payload */
    size_t len;
};

static void put_answer(struct answer *out, uint8_t type,
                       struct roam_slice payload)
{
    assert_true(payload.len < sizeof out->bytes);
    out->bytes[0] = type;
    if (payload.len > 0) {
        memcpy(out->bytes + 1, payload.data, payload.len);
    }
    out->len = 1 + payload.len;
}

static void ask_core(struct peer *p, const struct roam_message *m,
                     struct answer *out)
{
    peer_say(p, m);
    const uint8_t *at = p->in + p->taken;
    size_t left = p->in_len - p->taken;
    assert_true(left >= ROAM_FRAME_HEADER_BYTES);
    struct roam_slice payload = {at + ROAM_FRAME_HEADER_BYTES,
                                 left - ROAM_FRAME_HEADER_BYTES};
    size_t told = (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
    assert_int_equal(payload.len, told); /* one frame, and no more */
    put_answer(out, at[0], payload);
    p->taken = p->in_len;
}

static void ask_roamd(struct wire *w, const struct roam_message *m,
                      struct answer *out)
{
    struct roam_slice payload;
    uint8_t type;
    assert_true(wire_send(w, m));
    while (roam_reader_next(&w->reader, &w->rest, &type, &payload) !=
           ROAM_READER_FRAME) {
        ssize_t n = recv(w->fd, w->input, sizeof w->input, 0);
        assert_true(n > 0);
        w->rest = (struct roam_slice){w->input, (size_t)n};
    }
    put_answer(out, type, payload);
}

static void ask(const struct client *c, const struct roam_message *m,
                struct answer *out)
{
    if (c->peer != NULL) {
        ask_core(c->peer, m, out);
    } else {
        ask_roamd(c->wire, m, out);
    }
}

/* The answer must be of this type. */
static struct roam_message take(const struct client *c,
                                const struct roam_message *m, uint8_t type)
{
    static struct answer answer;
    struct roam_message out;
    ask(c, m, &answer);
    struct roam_slice payload = {answer.bytes + 1, answer.len - 1};
    assert_int_equal(answer.bytes[0], type);
    assert_int_equal(roam_message_decode(type, payload, &out), 0);
    return out;
}

/* ---------------------------------------------------------------- commands */

static struct roam_message send_of(uint64_t id, const char *to,
                                   const struct roam_operation *op,
                                   const char *user)
{
    static uint8_t body[ROAM_OPERATION_BYTES_MAX];
    struct roam_message m;
    roam_message_init(&m, ROAM_SEND);
    m.u.send.client_msg_id = id;
    m.u.send.kind = (roam_v1_Kind)op->kind;
    snprintf(m.u.send.conversation, sizeof m.u.send.conversation, "%s", to);
    struct roam_slice name = {(const uint8_t *)user,
                              user == NULL ? 0 : strlen(user)};
    size_t len = roam_operation_encode(op, &name, user == NULL ? 0 : 1, body,
                                       sizeof body);
    m.body = (struct roam_slice){body, len};
    return m;
}

static const struct roam_slice some_text = {(const uint8_t *)"text", 4};

static struct roam_message message_of(uint64_t id, const char *to)
{
    const struct roam_operation none = {.kind = roam_v1_Kind_MESSAGE};
    struct roam_message m = send_of(id, to, &none, NULL);
    m.body = some_text;
    return m;
}

/* Sends what must be stored; its msg_id. */
static uint64_t must_send(const struct client *c, const struct roam_message *m)
{
    struct roam_message ok = take(c, m, ROAM_SEND_OK);
    assert_false(ok.u.send_ok.duplicate);
    return ok.u.send_ok.msg_id;
}

static uint64_t next_id = 1;

static uint64_t say(const struct client *c, const char *to)
{
    const struct roam_message m = message_of(next_id++, to);
    return must_send(c, &m);
}

static uint64_t change(const struct client *c, const char *group,
                       roam_v1_GroupAction action, const char *user)
{
    const struct roam_operation op = {.kind = roam_v1_Kind_GROUP,
                                      .action = action};
    const struct roam_message m = send_of(next_id++, group, &op, user);
    return must_send(c, &m);
}

static void create(const struct client *c, roam_v1_JoinMode join,
                   char group[ROAM_CONVERSATION_MAX + 1])
{
    const struct roam_operation op = {.kind = roam_v1_Kind_GROUP,
                                      .action = roam_v1_GroupAction_CREATE,
                                      .join = join};
    const struct roam_message m = send_of(next_id++, "#", &op, NULL);
    struct roam_message ok = take(c, &m, ROAM_SEND_OK);
    snprintf(group, ROAM_CONVERSATION_MAX + 1, "%s", ok.u.send_ok.conversation);
}

/* ------------------------------------------------------------------- scene */

/* What a question names. */
struct ids {
    const char *group; /* that eve is not in */
    uint64_t said;     /* a message there, or between two others */
    uint64_t before;   /* a row of `ours` from before eve was in it */
    uint64_t hidden;   /* an APP there that names others */
    uint64_t deleted;  /* alice's DELETE in her conversation with eve */
    const char *user;  /* who is in no group with eve; or an applicant of
                          `ours`, which eve, a MEMBER, must not know */
    const char *applicant;
    roam_v1_DeviceType type; /* of a session that another user has */
    uint64_t generation;
};

static struct {
    struct client alice, bob, eve;
    char closed[ROAM_CONVERSATION_MAX + 1];
    char asking[ROAM_CONVERSATION_MAX + 1]; /* JOIN_APPROVAL */
    char ours[ROAM_CONVERSATION_MAX + 1];   /* alice's; eve is a MEMBER */
    char mine[ROAM_CONVERSATION_MAX + 1];   /* eve's own */
    struct ids foreign, absent;
} scene;

/* Eve's own rows come first, so that no id of others is one of hers. What
 * nobody has lies beside what it is compared with: nothing of hers between. */
static void set_scene(void (*let_time_pass)(void))
{
    const struct client *alice = &scene.alice;
    struct ids *f = &scene.foreign;
    const struct roam_operation app = {.kind = roam_v1_Kind_APP,
                                       .data = some_text};
    uint64_t to_alice = say(&scene.eve, "alice");
    create(&scene.eve, roam_v1_JoinMode_JOIN_CLOSED, scene.mine);
    let_time_pass();
    create(alice, roam_v1_JoinMode_JOIN_CLOSED, scene.closed);
    create(alice, roam_v1_JoinMode_JOIN_APPROVAL, scene.asking);
    create(alice, roam_v1_JoinMode_JOIN_APPROVAL, scene.ours);
    f->before = say(alice, scene.ours);
    change(alice, scene.ours, roam_v1_GroupAction_INVITE, "eve");
    change(alice, scene.ours, roam_v1_GroupAction_INVITE, "carol");
    change(&scene.bob, scene.ours, roam_v1_GroupAction_JOIN, NULL);
    struct roam_message m = send_of(next_id++, scene.ours, &app, "carol");
    f->hidden = must_send(alice, &m);
    const struct roam_operation delete = {.kind = roam_v1_Kind_DELETE,
                                          .msg_id = to_alice};
    m = send_of(next_id++, "eve", &delete, NULL);
    f->deleted = must_send(alice, &m);
    let_time_pass();
    say(alice, scene.closed);
    f->said = say(alice, "bob");
    f->group = scene.closed;
    f->user = "dave";
    f->applicant = "bob";
    f->type = PHONE;
    f->generation = 1;
    scene.absent = (struct ids){.group = NO_GROUP,
                                .said = f->said + 4321,
                                .before = f->before + 4321,
                                .hidden = f->hidden + 4321,
                                .deleted = f->deleted + 4321,
                                .user = "davf",
                                .applicant = "boc",
                                .type = roam_v1_DeviceType_WATCH,
                                .generation = 7};
}

/* --------------------------------------------------------------- questions */

enum where {
    THEIR_GROUP,
    OUR_GROUP,
    MY_GROUP,
    ALICE,
    BOB,
    EVE
};
enum who {
    NOBODY,
    USER,
    APPLICANT
};
enum what {
    NOTHING,
    SAID,
    BEFORE,
    HIDDEN,
    DELETED
};

struct question {
    uint8_t frame;
    uint32_t kind;   /* of a SEND */
    uint32_t action; /* of a GROUP */
    enum where where;
    enum who who;
    enum what what;
    uint32_t answer; /* the code of the ERROR; 0: it is no error */
};

enum {
    NO_CONVERSATION = roam_v1_ErrorCode_NO_SUCH_CONVERSATION,
    NO_MESSAGE = roam_v1_ErrorCode_NO_SUCH_MESSAGE,
    NO_USER = roam_v1_ErrorCode_NO_SUCH_USER,
    NO_DEVICE = roam_v1_ErrorCode_NO_SUCH_DEVICE
};

/* clang-format off */
#define OP(kind, where, what, answer) \
    {ROAM_SEND, roam_v1_Kind_##kind, 0, where, NOBODY, what, answer}
#define APP_TO(where, who, answer) \
    {ROAM_SEND, roam_v1_Kind_APP, 0, where, who, NOTHING, answer}
#define GROUP(action, where, who, answer) \
    {ROAM_SEND, roam_v1_Kind_GROUP, roam_v1_GroupAction_##action, where, \
     who, NOTHING, answer}
#define PAGE(frame, where, who, what, answer) \
    {ROAM_##frame, 0, 0, where, who, what, answer}
/* clang-format on */
#define THERE(action, who) GROUP(action, THEIR_GROUP, who, NO_CONVERSATION)
#define TARGETS(where, what)                                                   \
    OP(RECALL, where, what, NO_MESSAGE), OP(DELETE, where, what, NO_MESSAGE)

static const struct question questions[] = {
    /* A group that eve is not in. */
    OP(MESSAGE, THEIR_GROUP, NOTHING, NO_CONVERSATION),
    OP(APP, THEIR_GROUP, NOTHING, NO_CONVERSATION),
    APP_TO(THEIR_GROUP, USER, NO_CONVERSATION),
    OP(RECALL, THEIR_GROUP, SAID, NO_CONVERSATION),
    OP(DELETE, THEIR_GROUP, SAID, NO_CONVERSATION),
    OP(READ, THEIR_GROUP, SAID, NO_CONVERSATION),
    THERE(CREATE, NOBODY),
    THERE(INVITE, USER),
    THERE(JOIN, NOBODY),
    THERE(APPROVE, USER),
    THERE(DENY, USER),
    THERE(LEAVE, NOBODY),
    THERE(REMOVE, USER),
    THERE(RENAME, NOBODY),
    THERE(SET_ADMIN, USER),
    THERE(UNSET_ADMIN, USER),
    THERE(MUTE, NOBODY),
    THERE(MUTE, USER),
    THERE(UNMUTE, NOBODY),
    THERE(UNMUTE, USER),
    THERE(SET_JOIN, NOBODY),
    THERE(TRANSFER, USER),
    THERE(DISSOLVE, NOBODY),
    PAGE(HISTORY, THEIR_GROUP, NOBODY, NOTHING, NO_CONVERSATION),
    PAGE(HISTORY, THEIR_GROUP, NOBODY, SAID, NO_CONVERSATION),
    PAGE(MEMBERS, THEIR_GROUP, NOBODY, NOTHING, NO_CONVERSATION),
    PAGE(MEMBERS, THEIR_GROUP, USER, NOTHING, NO_CONVERSATION),
    PAGE(CONVERSATIONS, THEIR_GROUP, NOBODY, SAID, 0),
    /* What others said to one another, or did for themselves. */
    TARGETS(ALICE, SAID),
    TARGETS(BOB, SAID),
    TARGETS(EVE, SAID),
    TARGETS(MY_GROUP, SAID),
    TARGETS(ALICE, DELETED),
    OP(READ, ALICE, SAID, NO_MESSAGE),
    OP(READ, BOB, SAID, NO_MESSAGE),
    OP(READ, EVE, SAID, NO_MESSAGE),
    OP(READ, MY_GROUP, SAID, NO_MESSAGE),
    OP(READ, ALICE, DELETED, NO_MESSAGE),
    PAGE(HISTORY, ALICE, NOBODY, SAID, 0),
    PAGE(HISTORY, BOB, NOBODY, SAID, 0),
    PAGE(HISTORY, EVE, NOBODY, SAID, 0),
    PAGE(HISTORY, MY_GROUP, NOBODY, SAID, 0),
    PAGE(CONVERSATIONS, BOB, NOBODY, SAID, 0),
    /* Rows of a group that eve is in, which are not for her. */
    TARGETS(OUR_GROUP, BEFORE),
    TARGETS(OUR_GROUP, HIDDEN),
    TARGETS(OUR_GROUP, SAID),
    /* Users: who is in no group with eve is no more than who is nobody. */
    GROUP(APPROVE, MY_GROUP, USER, NO_USER),
    GROUP(DENY, MY_GROUP, USER, NO_USER),
    GROUP(REMOVE, MY_GROUP, USER, NO_USER),
    GROUP(SET_ADMIN, MY_GROUP, USER, NO_USER),
    GROUP(UNSET_ADMIN, MY_GROUP, USER, NO_USER),
    GROUP(MUTE, MY_GROUP, USER, NO_USER),
    GROUP(UNMUTE, MY_GROUP, USER, NO_USER),
    GROUP(TRANSFER, MY_GROUP, USER, NO_USER),
    APP_TO(MY_GROUP, USER, NO_USER),
    APP_TO(ALICE, USER, NO_USER),
    PAGE(MEMBERS, MY_GROUP, USER, NOTHING, 0),
    /* Whom a MEMBER does not see. */
    GROUP(APPROVE, OUR_GROUP, APPLICANT, NO_USER),
    GROUP(DENY, OUR_GROUP, APPLICANT, NO_USER),
    GROUP(REMOVE, OUR_GROUP, APPLICANT, NO_USER),
    GROUP(MUTE, OUR_GROUP, APPLICANT, NO_USER),
    APP_TO(OUR_GROUP, APPLICANT, NO_USER),
    PAGE(MEMBERS, OUR_GROUP, APPLICANT, NOTHING, 0),
    /* Devices. */
    PAGE(END_SESSION, EVE, NOBODY, NOTHING, NO_DEVICE),
};
#define QUESTION_COUNT (sizeof questions / sizeof questions[0])

static const char *name_where(enum where where, const struct ids *ids)
{
    const char *const names[] = {ids->group, scene.ours, scene.mine,
                                 "alice",    "bob",      "eve"};
    return names[where];
}

static const char *name_who(enum who who, const struct ids *ids)
{
    const char *const names[] = {NULL, ids->user, ids->applicant};
    return names[who];
}

static uint64_t name_what(enum what what, const struct ids *ids)
{
    const uint64_t numbers[] = {0, ids->said, ids->before, ids->hidden,
                                ids->deleted};
    return numbers[what];
}

static struct roam_message make_send(const struct question *q,
                                     const struct ids *ids)
{
    uint32_t action = q->kind == roam_v1_Kind_GROUP ? q->action : 0;
    bool joins = action == roam_v1_GroupAction_CREATE ||
                 action == roam_v1_GroupAction_SET_JOIN;
    struct roam_operation op = {.kind = q->kind, .action = action};
    op.msg_id = name_what(q->what, ids);
    op.join = joins ? roam_v1_JoinMode_JOIN_OPEN : 0;
    if (q->kind == roam_v1_Kind_APP) {
        op.data = some_text;
    }
    if (action == roam_v1_GroupAction_RENAME) {
        op.name = some_text;
    }
    const char *where = name_where(q->where, ids);
    return q->kind == roam_v1_Kind_MESSAGE
               ? message_of(REF, where)
               : send_of(REF, where, &op, name_who(q->who, ids));
}

static struct roam_message make(const struct question *q, const struct ids *ids)
{
    const char *where = name_where(q->where, ids);
    const char *who = name_who(q->who, ids);
    uint64_t what = name_what(q->what, ids);
    switch (q->frame) {
    case ROAM_SEND:
        return make_send(q, ids);
    case ROAM_HISTORY:
        return *say_history(REF, where, what, 0);
    case ROAM_CONVERSATIONS:
        return *say_conversations(REF, what, where);
    case ROAM_MEMBERS:
        return *say_members(REF, where, who == NULL ? "" : who, 10);
    default:
        return *say_end_session(REF, ids->type, ids->generation);
    }
}

static void check_code(const struct question *q, const struct answer *a,
                       size_t number)
{
    struct roam_message m;
    struct roam_slice payload = {a->bytes + 1, a->len - 1};
    assert_int_equal(roam_message_decode(a->bytes[0], payload, &m), 0);
    uint32_t code = m.type == ROAM_ERROR ? (uint32_t)m.u.error.code : 0;
    if (code != q->answer) {
        fail_msg("question %zu: code %u, must be %u", number, code, q->answer);
    }
}

static void ask_both_ways(size_t number)
{
    static struct answer foreign, absent;
    const struct question *q = &questions[number];
    struct roam_message m = make(q, &scene.foreign);
    ask(&scene.eve, &m, &foreign);
    m = make(q, &scene.absent);
    ask(&scene.eve, &m, &absent);
    check_code(q, &absent, number);
    if (foreign.len != absent.len ||
        memcmp(foreign.bytes, absent.bytes, foreign.len) != 0) {
        fail_msg("question %zu is answered differently", number);
    }
}

static uint64_t head_of(const struct client *c)
{
    const struct roam_message ping = *say_ping(5);
    return take(c, &ping, ROAM_PONG).u.pong.head;
}

/* Nor has a question done anything: nobody has an entry more. A group that may
 * be asked to join is no secret to who asks so. */
static void ask_all(void)
{
    const struct client *const all[] = {&scene.alice, &scene.bob, &scene.eve};
    uint64_t heads[3];
    for (size_t i = 0; i < 3; i++) {
        heads[i] = head_of(all[i]);
    }
    for (size_t i = 0; i < QUESTION_COUNT; i++) {
        scene.foreign.group = scene.closed;
        ask_both_ways(i);
        if (questions[i].action != roam_v1_GroupAction_JOIN) {
            scene.foreign.group = scene.asking;
            ask_both_ways(i);
        }
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(head_of(all[i]), heads[i]);
    }
}

/* ----------------------------------------------------------------- servers */

static struct rig rig;
static struct roamd_rig server;
static const char *const users[] = {"alice", "bob", "carol", "dave", "eve"};
#define USER_COUNT (sizeof users / sizeof users[0])

static void pass_in_core(void)
{
    rig_pass(&rig, 10);
}

static void test_core(void **state)
{
    (void)state;
    struct peer alice, bob, eve;
    rig_init(&rig);
    rig.config.heartbeat_ms = 1000000;
    memset(rig.config.user_rates, 0, sizeof rig.config.user_rates);
    rig.config.session_cost = (struct roam_rate){0};
    rig_start(&rig);
    for (size_t i = 2; i < USER_COUNT; i++) {
        assert_true(roam_store_mem_add_user(rig.store, users[i]));
        rig_add_tokens(&rig, users[i]);
    }
    peer_login(&rig, &alice, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    peer_login(&rig, &eve, "eve", 1, WEB, 1, 0);
    scene.alice = (struct client){.peer = &alice};
    scene.bob = (struct client){.peer = &bob};
    scene.eve = (struct client){.peer = &eve};
    set_scene(pass_in_core);
    ask_all();
    peer_free(&alice);
    peer_free(&bob);
    peer_free(&eve);
    rig_stop(&rig);
}

/* The next millisecond is there when the clock says so. */
static void pass_in_roamd(void)
{
    uint64_t first = say(&scene.bob, "bob") >> ROAM_MSG_ID_TIME_SHIFT;
    uint64_t now;
    do {
        now = say(&scene.bob, "bob") >> ROAM_MSG_ID_TIME_SHIFT;
    } while (now == first);
}

static void enter(struct wire *w, const char *user, const char *token,
                  roam_v1_DeviceType type)
{
    struct roam_message m = login_message(user, token, 1, "device");
    m.u.login.device_type = type;
    wire_open(w, server.plain_port);
    assert_true(wire_send(w, &m));
    assert_true(wire_receive(w, &m));
    assert_int_equal(m.type, ROAM_LOGIN_OK);
}

static void test_roamd(void **state)
{
    (void)state;
    static struct wire wires[3];
    char token[44];
    struct client *const clients[] = {&scene.alice, &scene.bob, &scene.eve};
    roamd_expect(&server, 0, "init");
    roamd_start(&server, (struct roamd_limits){0, 0}, "run", "--plain-port",
                "0", "--set", "user_sends=off", "--set", "user_pages=off",
                "--set", "session_cost=off", NULL);
    for (size_t i = 0, next = 0; i < USER_COUNT; i++) {
        roamd_expect(&server, 0, "user", "add", users[i]);
        roamd_expect(&server, 0, "token", "issue", users[i]);
        snprintf(token, sizeof token, "%.43s", server.out);
        if (i != 2 && i != 3) { /* carol and dave are never there */
            enter(&wires[next], users[i], token, next == 2 ? WEB : PHONE);
            *clients[next] = (struct client){.wire = &wires[next]};
            next++;
        }
    }
    set_scene(pass_in_roamd);
    ask_all();
    for (size_t i = 0; i < 3; i++) {
        wire_close(&wires[i]);
    }
    assert_int_equal(roamd_stop(&server, SIGTERM), 0);
}

static int set_up_roamd(void **state)
{
    (void)state;
    roamd_rig_setup(&server);
    return 0;
}

static int tear_down_roamd(void **state)
{
    (void)state;
    roamd_rig_teardown(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core),
        cmocka_unit_test_setup_teardown(test_roamd, set_up_roamd,
                                        tear_down_roamd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
