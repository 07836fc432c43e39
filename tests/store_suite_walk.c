/* SPDX-License-Identifier: Apache-2.0 */
/* The claims about stores: a long walk in one group. Six users change it,
 * speak in it, leave it and come back, by lot; after each step the store must
 * have answered and told what group_model.h says, and everybody must see that
 * history, those members, and that row of CONVERSATIONS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "group_model.h"
#include "store_probe.h"

#define STEPS ROWS_MAX
#define SEEDS 2u

static const char *const names[USERS + 1] = {"alice", "bob",   "carol", "dave",
                                             "erin",  "frank", "nobody"};

static struct model g;
static struct roam_identity who[USERS];
static char group[ROAM_CONVERSATION_MAX + 1];
static uint64_t last_client_id, lot;

static uint32_t draw(uint32_t below)
{
    lot = lot * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(lot >> 33) % below;
}

/* -------------------------------------------------------------------- draws */

static uint32_t draw_user(void)
{
    return draw(25) == 0 ? NOBODY : draw(USERS);
}

/* The owner as often as all, so that much is granted. */
static uint32_t draw_actor(void)
{
    uint32_t u = 0;
    while (u < USERS && g.parts[u].role != roam_v1_Role_OWNER) {
        u++;
    }
    return u < USERS && draw(2) == 0 ? u : draw(USERS);
}

static struct step draw_change(void)
{
    struct step s = {.kind = KIND(GROUP), .user = draw_actor()};
    do {
        s.action = ACTION(INVITE) + draw(ACTION(DISSOLVE) - ACTION(INVITE));
    } while (s.action == ACTION(TRANSFER) && draw(4) != 0);
    bool maybe = s.action == ACTION(MUTE) || s.action == ACTION(UNMUTE);
    bool lone = s.action == ACTION(JOIN) || s.action == ACTION(LEAVE) ||
                s.action == ACTION(RENAME) || s.action == ACTION(SET_JOIN);
    s.named_count = lone                         ? 0
                    : s.action == ACTION(INVITE) ? 1 + draw(2)
                    : maybe && draw(3) == 0      ? 0
                                                 : 1;
    s.named[0] = draw_user();
    s.named[1] = draw_user();
    s.name = 1 + draw(3);
    s.join = 1 + draw(3);
    return s;
}

static struct step draw_step(void)
{
    uint32_t dice = draw(100);
    if (dice < 55) {
        return draw_change();
    }
    struct step s = {.user = draw(USERS)};
    if (dice < 75) {
        s.kind = KIND(MESSAGE);
        return s;
    }
    if (dice < 82) {
        s.kind = KIND(APP);
        s.named_count = draw(3);
        s.named[0] = draw_user();
        s.named[1] = draw_user();
        return s;
    }
    s.kind = dice < 88 ? KIND(RECALL) : dice < 94 ? KIND(DELETE) : KIND(READ);
    size_t back = draw(12);
    size_t at = back < g.row_count ? g.row_count - 1 - back : 0;
    s.target = g.rows[at].msg_id + (draw(20) == 0 ? 1 : 0);
    return s;
}

/* ------------------------------------------------------------------ the store
 */

static struct roam_store_request *make(const struct step *s, uint64_t id)
{
    static const char *const titles[] = {"", "one", "two", "three"};
    const char *users[] = {names[s->named[0]], names[s->named[1]]};
    struct roam_operation op = {.kind = s->kind, .msg_id = s->target};
    if (s->kind == KIND(MESSAGE)) {
        return probe_make_send(&who[s->user], id, group, "words");
    }
    op.action = s->action;
    op.name = probe_text(s->action == ACTION(RENAME) ? titles[s->name] : "");
    op.join = s->action == ACTION(SET_JOIN) ? s->join : 0;
    op.data = probe_text(s->kind == KIND(APP) ? "poke" : "");
    return probe_make_naming(&who[s->user], id, group, &op, users,
                             s->named_count);
}

static unsigned audience_of(const struct roam_store_send *send)
{
    unsigned set = 0;
    for (size_t i = 0; i < send->delivery_count; i++) {
        for (uint32_t u = 0; u < USERS; u++) {
            if (who[u].user == send->deliveries[i].user) {
                assert_true((set >> u & 1) == 0); /* once */
                set |= 1u << u;
            }
        }
    }
    return set;
}

static void take_step(unsigned number)
{
    struct step s = draw_step();
    struct wanted w = model_want(&g, &s);
    struct roam_store_request *req = make(&s, ++last_client_id);
    probe_answer(req);
    const struct roam_store_send *send = &req->u.send;
    uint32_t error = send->result == ROAM_SEND_REFUSED ? send->error : 0;
    bool stood = send->result == ROAM_SEND_DUPLICATE;
    if (error != w.error || stood != w.stands) {
        fail_msg("step %u: kind %u action %u of %s on %s (%zu named): error "
                 "%u, must be %u; stands %d, must be %d",
                 number, s.kind, s.action, names[s.user], names[s.named[0]],
                 s.named_count, error, w.error, stood, w.stands);
    }
    unsigned audience = 0;
    if (w.error == 0 && w.stands) {
        assert_int_equal(send->msg_id, w.msg_id);
    } else if (w.error == 0) {
        assert_true(send->msg_id > g.last_msg_id);
        audience = model_carry_out(&g, &s, send->msg_id);
    }
    if (audience_of(send) != audience) {
        fail_msg("step %u: kind %u action %u: audience %x, must be %x", number,
                 s.kind, s.action, audience_of(send), audience);
    }
    roam_store_request_free(req);
}

/* ------------------------------------------------------------------- checks */

/* Pages of `max` rows, from the newest down, must be what u sees. */
static void check_history(uint32_t u, uint32_t max)
{
    size_t len = strlen(group);
    uint64_t before = 0;
    size_t at = g.row_count;
    bool more = true;
    while (more) {
        struct roam_store_request *req = probe_make(ROAM_STORE_HISTORY, len);
        struct roam_store_history *h = &req->u.history;
        memcpy(req->memory, group, len);
        h->user = who[u].user;
        h->device = who[u].device;
        h->conversation = (struct roam_slice){req->memory, len};
        h->before = before;
        h->max_count = max;
        h->max_bytes = SIZE_MAX;
        h->body_limit = UINT32_MAX;
        probe_answer(req);
        assert_int_equal(h->found, g.parts[u].span_count > 0);
        for (size_t i = h->count; i-- > 0;) {
            do {
                assert_true(at > 0);
                at--;
            } while (!model_sees(&g, u, &g.rows[at]));
            assert_int_equal(h->rows[i].msg_id, g.rows[at].msg_id);
            assert_int_equal(h->rows[i].kind, g.rows[at].kind);
            assert_int_equal(h->rows[i].recalled, g.rows[at].recalled);
        }
        before = h->count > 0 ? h->rows[0].msg_id : before;
        more = h->more;
        roam_store_request_free(req);
    }
    while (at > 0 && g.parts[u].span_count > 0) {
        assert_false(model_sees(&g, u, &g.rows[--at]));
    }
}

static void check_conversation(uint32_t u)
{
    struct roam_store_request *req = probe_conversations(&who[u]);
    const struct roam_store_conversations *c = &req->u.conversations;
    assert_int_equal(c->count, g.parts[u].span_count > 0);
    if (c->count > 0) {
        uint32_t role = model_is_member(&g, u) ? g.parts[u].role : 0;
        probe_assert_slice(c->rows->conversation, group);
        assert_int_equal(c->rows->msg_id, model_newest(&g, u));
        assert_int_equal(c->rows->role, role);
        assert_int_equal(c->rows->read_mark, g.parts[u].mark);
        assert_int_equal(c->rows->unread, model_unread(&g, u));
    }
    roam_store_request_free(req);
}

static void check_members(uint32_t u)
{
    size_t len = strlen(group);
    struct roam_store_request *req = probe_make(ROAM_STORE_MEMBERS, len);
    struct roam_store_members *m = &req->u.members;
    memcpy(req->memory, group, len);
    m->user = who[u].user;
    m->conversation = (struct roam_slice){req->memory, len};
    m->max_count = USERS;
    probe_answer(req);
    assert_int_equal(m->found, model_is_member(&g, u));
    size_t at = 0;
    bool all = g.parts[u].role >= roam_v1_Role_ADMIN;
    for (uint32_t v = 0; v < USERS && m->found; v++) {
        const struct part *p = &g.parts[v];
        if (model_is_member(&g, v) || (all && p->role != 0)) {
            assert_true(at < m->count);
            probe_assert_slice(m->rows[at].user, names[v]);
            assert_int_equal(m->rows[at].role, p->role);
            assert_int_equal(m->rows[at].muted, p->muted);
            assert_int_equal(m->rows[at].since, p->since);
            at++;
        }
    }
    assert_int_equal(at, m->count);
    if (m->found) {
        assert_int_equal(m->member_count, model_size_of(model_members(&g)));
        assert_int_equal(m->join, g.join);
        assert_int_equal(m->muted, g.muted);
    }
    roam_store_request_free(req);
}

/* --------------------------------------------------------------------- walk */

static void start(uint64_t seed)
{
    memset(&g, 0, sizeof g);
    memset(group, 0, sizeof group);
    last_client_id = 0;
    lot = seed;
    probe_suite->settings.max_members = MEMBERS_MAX;
    probe_suite->reopen(probe_suite);
    for (uint32_t u = 0; u < USERS; u++) {
        char token[32];
        snprintf(token, sizeof token, "%s-token", names[u]);
        if (u > 1) {
            probe_suite->add_user(probe_suite, names[u]);
            probe_suite->add_token(probe_suite, names[u], token, 0, 0);
        }
        who[u] = probe_enter(names[u], 1, PHONE, 1, 0);
    }
    struct roam_operation op = {.kind = KIND(GROUP),
                                .action = ACTION(CREATE),
                                .join = roam_v1_JoinMode_JOIN_APPROVAL};
    struct roam_store_request *req =
        probe_make_operation(&who[0], ++last_client_id, "#", &op);
    probe_answer(req);
    assert_int_equal(req->u.send.result, ROAM_SEND_STORED);
    memcpy(group, req->u.send.made.data, req->u.send.made.len);
    g.join = op.join;
    g.rows[g.row_count++] = (struct row){
        .msg_id = req->u.send.msg_id, .kind = op.kind, .for_all = true};
    g.last_msg_id = req->u.send.msg_id;
    model_set_role(&g, 0, roam_v1_Role_OWNER, req->u.send.msg_id);
    roam_store_request_free(req);
}

static void walk(uint64_t seed)
{
    start(seed);
    for (unsigned i = 1; i < STEPS; i++) {
        take_step(i);
        uint32_t u = i % USERS;
        if (i % 5 == 0) {
            check_members(u);
            check_conversation(u);
        }
        if (i % 20 == 0) {
            check_history(u, 1 + draw(9));
        }
        if (i % 150 == 0) {
            probe_suite->reopen(probe_suite);
        }
    }
    for (uint32_t u = 0; u < USERS; u++) {
        check_members(u);
        check_conversation(u);
        check_history(u, 1 + draw(9));
    }
    probe_suite->settings.max_members = 0;
}

static void test_a_walk_in_a_group_ends_where_the_spec_says(void **state)
{
    walk((uint64_t)(uintptr_t)*state);
}

int store_suite_walk(void)
{
    int failed = 0;
    for (uintptr_t seed = 1; seed <= SEEDS; seed++) {
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_prestate_setup_teardown(
                test_a_walk_in_a_group_ends_where_the_spec_says, probe_fresh,
                probe_done, (void *)seed),
        };
        failed +=
            cmocka_run_group_tests_name("a walk in a group", tests, NULL, NULL);
    }
    return failed;
}
