/* SPDX-License-Identifier: Apache-2.0 */
/* A group in a server where much happens at once: people come, go, are taken
 * in and put out while messages flow, several commands wait for one commit,
 * and connections break with answers and entries under way. Devices repeat
 * what was not answered. In the end every device must have exactly the
 * entries of the rows that were for its user, each once and in the chain:
 * who was in the group at each row is replayed from the rows alone.
 *
 * Each SEND is marked by its content type, so that a row says which SEND it
 * is also when its answer was lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core_rig.h"
#include "operation.h"

#define USERS 4u
#define TYPES 2u
#define DEVICES (USERS * TYPES)
#define STEPS 500u
#define SEEDS 12u
#define SENDS_MAX (STEPS + 1)
#define IN_FLIGHT 6u

#define ACTION(name) roam_v1_GroupAction_##name

static const char *const names[USERS] = {"alice", "bob", "carol", "dave"};

struct sent {
    uint32_t device, kind, action, join, user;
    bool answered;
    uint64_t msg_id; /* of its row; 0: no row is known */
};

struct device {
    struct peer peer;
    bool on;
    uint64_t attempt, cursor;
    uint32_t pending[SENDS_MAX]; /* not answered, in order */
    uint32_t pending_count;
    size_t entries; /* all, NOOPs too */
    bool has[SENDS_MAX];
};

static struct {
    struct rig rig;
    struct device devices[DEVICES];
    struct sent sends[SENDS_MAX];
    uint32_t send_count;
    char group[ROAM_CONVERSATION_MAX + 1];
    uint64_t lot;
} w;

static uint32_t draw(uint32_t below)
{
    w.lot = w.lot * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w.lot >> 33) % below;
}

/* -------------------------------------------------------------------- sends */

static void put_send(struct device *d, uint32_t at)
{
    static uint8_t body[ROAM_OPERATION_BYTES_MAX];
    const struct sent *s = &w.sends[at];
    struct roam_message *m = say_send(at + 1, at == 0 ? "#" : w.group, "words");
    if (s->kind == roam_v1_Kind_GROUP) {
        struct roam_operation op = {
            .kind = s->kind, .action = s->action, .join = s->join};
        struct roam_slice user = {NULL, 0};
        if (s->user < USERS) {
            user = (struct roam_slice){(const uint8_t *)names[s->user],
                                       strlen(names[s->user])};
        }
        m->body.data = body;
        m->body.len = roam_operation_encode(&op, &user, s->user < USERS, body,
                                            sizeof body);
    }
    m->u.send.kind = (roam_v1_Kind)s->kind;
    snprintf(m->u.send.content_type, sizeof m->u.send.content_type, "%u",
             (unsigned)at);
    peer_put(&d->peer, m);
}

static void new_send(struct device *d, struct sent s)
{
    uint32_t at = w.send_count++;
    s.device = (uint32_t)(d - w.devices);
    w.sends[at] = s;
    d->pending[d->pending_count++] = at;
    put_send(d, at);
}

static struct sent draw_change(void)
{
    static const uint32_t actions[] = {
        ACTION(INVITE),    ACTION(INVITE),      ACTION(JOIN),
        ACTION(JOIN),      ACTION(LEAVE),       ACTION(REMOVE),
        ACTION(APPROVE),   ACTION(DENY),        ACTION(REMOVE),
        ACTION(SET_ADMIN), ACTION(UNSET_ADMIN), ACTION(SET_JOIN),
        ACTION(TRANSFER)};
    struct sent s = {.kind = roam_v1_Kind_GROUP, .user = USERS};
    s.action = actions[draw(sizeof actions / sizeof *actions)];
    if (s.action == ACTION(SET_JOIN)) {
        s.join = 1 + draw(3);
    } else if (s.action != ACTION(JOIN) && s.action != ACTION(LEAVE)) {
        s.user = draw(USERS);
    }
    return s;
}

static void done_with(struct device *d, uint64_t id, uint64_t msg_id)
{
    uint32_t at = (uint32_t)id - 1;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < d->pending_count; i++) {
        if (d->pending[i] != at) {
            d->pending[kept++] = d->pending[i];
        }
    }
    d->pending_count = kept;
    w.sends[at].answered = true;
    if (msg_id != 0) {
        assert_true(w.sends[at].msg_id == 0 || w.sends[at].msg_id == msg_id);
        w.sends[at].msg_id = msg_id;
    }
}

/* ------------------------------------------------------------------ devices */

static void log_in(struct device *d)
{
    uint32_t at = (uint32_t)(d - w.devices);
    peer_connect(&w.rig, &d->peer);
    d->peer.cursor = d->cursor;
    d->on = true;
    peer_put(&d->peer,
             say_login(names[at / TYPES], (uint8_t)(1 + at % TYPES),
                       (roam_v1_DeviceType)(1 + at % TYPES), ++d->attempt, 0));
    peer_put(&d->peer, say_sync(d->cursor));
}

static void cut(struct device *d)
{
    peer_free(&d->peer);
    d->on = false;
}

static void take_entry(void *ctx, const struct roam_entry *e)
{
    struct device *d = ctx;
    d->entries++;
    if (e->kind == roam_v1_Kind_NOOP) {
        return;
    }
    char mark[16];
    snprintf(mark, sizeof mark, "%.*s", (int)e->content_type.len,
             (const char *)e->content_type.data);
    uint32_t at = (uint32_t)strtoul(mark, NULL, 10);
    assert_true(at < w.send_count);
    assert_false(d->has[at]); /* once */
    d->has[at] = true;
    assert_true(w.sends[at].msg_id == 0 || w.sends[at].msg_id == e->msg_id);
    w.sends[at].msg_id = e->msg_id;
    assert_int_equal(e->kind, w.sends[at].kind);
    assert_int_equal(e->conversation.len, strlen(w.group));
}

static void take_answer(struct device *d)
{
    const roam_v1_SendOk ok = rig_take(&d->peer, ROAM_SEND_OK)->u.send_ok;
    if (ok.conversation[0] != '\0') {
        memcpy(w.group, ok.conversation, sizeof w.group);
    }
    /* of a duplicate the row may be another SEND's: entries tell */
    done_with(d, ok.client_msg_id, ok.duplicate ? 0 : ok.msg_id);
}

static void drain(struct device *d)
{
    for (;;) {
        switch (rig_peek(&d->peer)) {
        case ROAM_LOGIN_OK:
            rig_take(&d->peer, ROAM_LOGIN_OK);
            for (uint32_t i = 0; i < d->pending_count; i++) {
                put_send(d, d->pending[i]); /* [SEND-13] */
            }
            break;
        case ROAM_SYNC_OK:
            rig_take(&d->peer, ROAM_SYNC_OK);
            break;
        case ROAM_SEND_OK:
            take_answer(d);
            break;
        case ROAM_ERROR:
            done_with(d, rig_take(&d->peer, ROAM_ERROR)->u.error.ref, 0);
            break;
        case ROAM_PUSH:
        case ROAM_BATCH:
            rig_catch_up(&d->peer, take_entry, d);
            d->cursor = d->peer.cursor;
            peer_put(&d->peer, say_ack(d->cursor));
            break;
        case 0:
            return;
        default:
            fail_msg("frame 0x%x", rig_peek(&d->peer));
        }
    }
}

static void settle(void)
{
    rig_settle(&w.rig);
    for (uint32_t i = 0; i < DEVICES; i++) {
        if (w.devices[i].on) {
            drain(&w.devices[i]);
        }
    }
}

static void step(void)
{
    struct device *d = &w.devices[draw(DEVICES)];
    uint32_t dice = draw(100);
    if (!d->on) {
        log_in(d);
    } else if (dice < 8) {
        cut(d);
    } else if (d->pending_count < IN_FLIGHT && d->peer.session != NULL &&
               roam__session_is_live(d->peer.session)) {
        new_send(d, dice < 60 ? (struct sent){.kind = roam_v1_Kind_MESSAGE,
                                              .user = USERS}
                              : draw_change());
    }
    if (draw(3) == 0) {
        settle();
    }
}

/* ------------------------------------------------------------------- replay */

static uint32_t roles[USERS];
static uint32_t join;

static unsigned set_of(uint32_t least)
{
    unsigned set = 0;
    for (uint32_t u = 0; u < USERS; u++) {
        set |= roles[u] >= least ? 1u << u : 0;
    }
    return set;
}

static void change(const struct sent *s, uint32_t actor)
{
    switch (s->action) {
    case ACTION(CREATE):
        roles[actor] = roam_v1_Role_OWNER;
        join = s->join;
        break;
    case ACTION(JOIN):
        roles[actor] = join == roam_v1_JoinMode_JOIN_OPEN
                           ? roam_v1_Role_MEMBER
                           : roam_v1_Role_APPLICANT;
        break;
    case ACTION(LEAVE):
        roles[actor] = roam_v1_Role_ROLE_NONE;
        break;
    case ACTION(REMOVE):
    case ACTION(DENY):
        roles[s->user] = roam_v1_Role_ROLE_NONE;
        break;
    case ACTION(SET_ADMIN):
        roles[s->user] = roam_v1_Role_ADMIN;
        break;
    case ACTION(SET_JOIN):
        join = s->join;
        break;
    case ACTION(TRANSFER):
        roles[actor] = roam_v1_Role_ADMIN;
        roles[s->user] = roam_v1_Role_OWNER;
        break;
    default: /* INVITE, APPROVE, UNSET_ADMIN */
        roles[s->user] = roam_v1_Role_MEMBER;
        break;
    }
}

/* Whose timelines the next row is on. [GRP-11], [GRP-12] */
static unsigned audience_of(const struct sent *s)
{
    uint32_t actor = s->device / TYPES;
    unsigned before = set_of(roam_v1_Role_MEMBER);
    if (s->kind != roam_v1_Kind_GROUP) {
        assert_true((before >> actor & 1) != 0);
        return before;
    }
    change(s, actor);
    bool applies =
        s->action == ACTION(JOIN) && roles[actor] == roam_v1_Role_APPLICANT;
    if (applies || s->action == ACTION(DENY)) {
        return set_of(roam_v1_Role_ADMIN) | 1u << (applies ? actor : s->user);
    }
    return before | set_of(roam_v1_Role_MEMBER);
}

static int by_msg_id(const void *left, const void *right)
{
    uint64_t a = w.sends[*(const uint32_t *)left].msg_id;
    uint64_t b = w.sends[*(const uint32_t *)right].msg_id;
    return (a > b) - (a < b);
}

static void check_row(uint32_t at, size_t wanted[DEVICES])
{
    unsigned audience = audience_of(&w.sends[at]);
    for (uint32_t i = 0; i < DEVICES; i++) {
        bool for_it = (audience >> (i / TYPES) & 1) != 0;
        bool own = w.sends[at].device == i;
        wanted[i] += for_it ? 1 : 0;
        if (for_it ? !w.devices[i].has[at] && !own : w.devices[i].has[at]) {
            fail_msg("send %u, kind %u, action %u: device %u %s", at,
                     w.sends[at].kind, w.sends[at].action, i,
                     for_it ? "has it not" : "has it");
        }
    }
}

static size_t check_all(void)
{
    uint32_t order[SENDS_MAX];
    size_t wanted[DEVICES] = {0};
    size_t rows = 0;
    for (uint32_t i = 0; i < w.send_count; i++) {
        assert_true(w.sends[i].answered);
        if (w.sends[i].msg_id != 0) {
            order[rows++] = i;
        }
    }
    qsort(order, rows, sizeof *order, by_msg_id);
    memset(roles, 0, sizeof roles);
    for (size_t i = 0; i < rows; i++) {
        assert_true(i == 0 ||
                    w.sends[order[i]].msg_id != w.sends[order[i - 1]].msg_id);
        check_row(order[i], wanted);
    }
    for (uint32_t i = 0; i < DEVICES; i++) {
        assert_int_equal(w.devices[i].entries, wanted[i]);
    }
    return rows;
}

/* --------------------------------------------------------------------- walk */

static void start(uint64_t seed)
{
    memset(&w, 0, sizeof w);
    w.lot = seed;
    rig_init(&w.rig);
    w.rig.config.max_commands = IN_FLIGHT;
    rig_start(&w.rig);
    for (uint32_t u = 2; u < USERS; u++) {
        assert_true(roam_store_mem_add_user(w.rig.store, names[u]));
        rig_add_tokens(&w.rig, names[u]);
    }
    log_in(&w.devices[0]);
    settle();
    new_send(&w.devices[0], (struct sent){.kind = roam_v1_Kind_GROUP,
                                          .action = ACTION(CREATE),
                                          .join = roam_v1_JoinMode_JOIN_OPEN,
                                          .user = USERS});
    settle();
    assert_int_equal(w.group[0], '#');
}

/* Everybody comes back and gets what is left. */
static void calm(void)
{
    for (uint32_t i = 0; i < DEVICES; i++) {
        if (!w.devices[i].on) {
            log_in(&w.devices[i]);
        }
    }
    for (int turn = 0; turn < 20; turn++) {
        settle();
    }
}

static void test_every_device_has_what_was_for_its_user(void **state)
{
    (void)state;
    size_t rows = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        start(seed);
        while (w.send_count < SENDS_MAX - 1) {
            step();
        }
        calm();
        rows += check_all();
        for (uint32_t i = 0; i < DEVICES; i++) {
            peer_free(&w.devices[i].peer);
        }
        rig_stop(&w.rig);
    }
    assert_true(rows > SEEDS * STEPS / 4); /* not all was refused */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_device_has_what_was_for_its_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
