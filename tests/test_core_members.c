/* SPDX-License-Identifier: Apache-2.0 */
/* Groups as the core has them: SEND_OK names what was made, one body goes to
 * every member, MEMBERS fits its frames. What changes do is claimed of the
 * stores and of group_rules.c. Spec: section 7.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "core_rig.h"
#include "operation.h"

#define PHONE roam_v1_DeviceType_PHONE
#define DESKTOP roam_v1_DeviceType_DESKTOP
#define OPEN roam_v1_JoinMode_JOIN_OPEN
#define CREATE roam_v1_GroupAction_CREATE
#define JOIN roam_v1_GroupAction_JOIN
#define REMOVE roam_v1_GroupAction_REMOVE

/* A user beside alice and bob. */
static void add_user(struct rig *rig, const char *user)
{
    char token[ROAM_TOKEN_MAX + 1];
    snprintf(token, sizeof token, "%s-token", user);
    assert_true(roam_store_mem_add_user(rig->store, user));
    assert_true(roam_store_mem_add_token(rig->store, user, token, 0, 0));
}

/* A SEND with a body that lives until the next call. */
static struct roam_message *say_change(uint64_t id, const char *group,
                                       const struct roam_operation *op,
                                       const char *user)
{
    static uint8_t body[ROAM_OPERATION_BYTES_MAX];
    struct roam_slice users[1] = {{NULL, 0}};
    if (user != NULL) {
        users[0] = (struct roam_slice){(const uint8_t *)user, strlen(user)};
    }
    size_t len = roam_operation_encode(op, users, user == NULL ? 0 : 1, body,
                                       sizeof body);
    assert_true(len > 0);
    struct roam_message *m = say_send(id, group, "");
    m->u.send.kind = roam_v1_Kind_GROUP;
    m->body = (struct roam_slice){body, len};
    return m;
}

static struct roam_message *say_action(uint64_t id, const char *group,
                                       uint32_t action, const char *user)
{
    struct roam_operation op = {.kind = roam_v1_Kind_GROUP,
                                .action = action,
                                .join = action == CREATE ? OPEN : 0};
    return say_change(id, group, &op, user);
}

/* Makes a group of alice's with bob in it, and takes what came of it. */
static void make_group(struct peer *alice,
                       char group[ROAM_CONVERSATION_MAX + 1])
{
    peer_say(alice, say_action(1, "#", CREATE, "bob"));
    const roam_v1_SendOk *ok = &rig_take(alice, ROAM_SEND_OK)->u.send_ok;
    assert_false(ok->duplicate);
    assert_int_equal(ok->conversation[0], '#');
    memcpy(group, ok->conversation, sizeof ok->conversation);
}

static void take_error(struct peer *p, uint64_t ref, roam_v1_ErrorCode code)
{
    const roam_v1_Error *e = &rig_take(p, ROAM_ERROR)->u.error;
    assert_int_equal(e->code, code);
    assert_int_equal(e->retry, roam_v1_Retry_NEVER);
    assert_true(e->ref == ref);
}

/* ------------------------------------------------------------------- sends */

static void test_send_ok_names_the_group_also_to_a_repetition(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    char group[ROAM_CONVERSATION_MAX + 1];
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    make_group(&a, group);
    peer_say(&a, say_action(1, "#", CREATE, "bob"));
    const roam_v1_SendOk *ok = &rig_take(&a, ROAM_SEND_OK)->u.send_ok;
    assert_true(ok->duplicate);
    assert_string_equal(ok->conversation, group);
    /* what makes nothing names nothing */
    peer_say(&a, say_send(2, group, "soup"));
    assert_string_equal(rig_take(&a, ROAM_SEND_OK)->u.send_ok.conversation, "");
    peer_free(&a);
    rig_stop(&rig);
}

static void test_a_message_reaches_all_members_live(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    struct peer desk;
    struct peer b;
    char group[ROAM_CONVERSATION_MAX + 1];
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    make_group(&a, group);
    peer_join(&rig, &desk, "alice", DESKTOP);
    peer_join(&rig, &b, "bob", PHONE);
    rig_catch_up(&desk, NULL, NULL);
    rig_catch_up(&b, NULL, NULL);
    peer_say(&a, say_send(7, group, "soup"));
    struct peer *receivers[] = {&desk, &b};
    for (size_t i = 0; i < 2; i++) {
        const struct roam_message *m = rig_take(receivers[i], ROAM_PUSH);
        assert_string_equal(m->u.push.conversation, group);
        assert_string_equal(m->u.push.sender, "alice");
        assert_int_equal(m->body.len, 4);
        assert_memory_equal(m->body.data, "soup", 4);
        assert_true(m->u.push.client_msg_id == 0);
    }
    peer_free(&a);
    peer_free(&desk);
    peer_free(&b);
    rig_stop(&rig);
}

static void test_a_message_behind_the_removal_of_its_sender_is_refused(
    void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    struct peer b;
    char group[ROAM_CONVERSATION_MAX + 1];
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    make_group(&a, group);
    peer_login(&rig, &b, "bob", 1, PHONE, 1, 0);
    peer_put(&a, say_action(2, group, REMOVE, "bob"));
    peer_put(&b, say_send(3, group, "still here?"));
    rig_settle(&rig);
    rig_take(&a, ROAM_SEND_OK);
    take_error(&b, 3, roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    peer_free(&a);
    peer_free(&b);
    rig_stop(&rig);
}

/* An INVITE of the users m<from> to m<to - 1>. */
static void invite(struct peer *p, uint64_t id, const char *group,
                   unsigned from, unsigned to)
{
    static uint8_t body[ROAM_OPERATION_BYTES_MAX];
    static char names[ROAM_CHANGE_USERS_MAX][8];
    struct roam_slice users[ROAM_CHANGE_USERS_MAX];
    struct roam_operation op = {.kind = roam_v1_Kind_GROUP,
                                .action = roam_v1_GroupAction_INVITE};
    for (unsigned i = 0; i < to - from; i++) {
        int len = snprintf(names[i], sizeof names[i], "m%u", from + i);
        users[i] = (struct roam_slice){(const uint8_t *)names[i], (size_t)len};
    }
    struct roam_message *m = say_send(id, group, "");
    m->u.send.kind = roam_v1_Kind_GROUP;
    m->body.data = body;
    m->body.len =
        roam_operation_encode(&op, users, to - from, body, sizeof body);
    peer_say(p, m);
    rig_take(p, ROAM_SEND_OK);
}

/* One SEND, some hundred timelines: each has it once, and who is live gets it
 * at once. */
static void test_a_message_reaches_a_group_of_500(void **state)
{
    (void)state;
    enum {
        ALL = 500,
        STEP = ROAM_CHANGE_USERS_MAX
    };
    struct rig rig;
    struct peer a;
    struct peer first;
    struct peer last;
    char group[ROAM_CONVERSATION_MAX + 1];
    char name[8];
    rig_init(&rig);
    rig_start(&rig);
    for (unsigned i = 0; i < ALL - 2; i++) { /* beside alice and bob */
        snprintf(name, sizeof name, "m%u", i);
        add_user(&rig, name);
    }
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    make_group(&a, group);
    for (unsigned i = 0; i < ALL - 2; i += STEP) {
        unsigned to = i + STEP < ALL - 2 ? i + STEP : ALL - 2;
        invite(&a, 10 + i, group, i, to);
    }
    peer_join(&rig, &first, "m0", PHONE);
    peer_join(&rig, &last, name, PHONE);
    rig_catch_up(&first, NULL, NULL);
    rig_catch_up(&last, NULL, NULL);
    peer_say(&a, say_send(7, group, "soup"));
    rig_take(&a, ROAM_SEND_OK);
    struct peer *live[] = {&first, &last};
    for (size_t i = 0; i < 2; i++) {
        const struct roam_message *m = rig_take(live[i], ROAM_PUSH);
        assert_string_equal(m->u.push.conversation, group);
        assert_memory_equal(m->body.data, "soup", 4);
        rig_take_none(live[i]);
    }
    peer_say(&a, say_members(5, group, "", 1000));
    assert_int_equal(rig_take(&a, ROAM_MEMBER_PAGE)->u.member_page.member_count,
                     ALL);
    peer_free(&a);
    peer_free(&first);
    peer_free(&last);
    rig_stop(&rig);
}

/* ----------------------------------------------------------------- MEMBERS */

static void test_members_tells_the_group(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    char group[ROAM_CONVERSATION_MAX + 1];
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    make_group(&a, group);
    peer_say(&a, say_members(5, group, "", 10));
    const struct roam_message *m = rig_take(&a, ROAM_MEMBER_PAGE);
    const roam_v1_MemberPage *page = &m->u.member_page;
    assert_true(page->ref == 5);
    assert_false(page->more);
    assert_int_equal(page->count, 2);
    assert_int_equal(page->join, OPEN);
    assert_int_equal(page->member_count, 2);
    assert_true(page->as_of > 0);
    assert_true(roam_member_rows_good(m->body, 2));
    struct roam_slice rows = m->body;
    struct roam_member_row row;
    assert_true(roam_member_row_next(&rows, &row));
    assert_int_equal(row.role, roam_v1_Role_OWNER);
    assert_memory_equal(row.user.data, "alice", 5);
    peer_free(&a);
    rig_stop(&rig);
}

static void test_members_of_others_groups_are_not_told(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    struct peer c;
    char group[ROAM_CONVERSATION_MAX + 1];
    rig_init(&rig);
    rig_start(&rig);
    add_user(&rig, "carol");
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &c, "carol", 1, PHONE, 1, 0);
    make_group(&a, group);
    const char *const others[] = {group, "#",     "#no-such-group",
                                  "bob", "carol", "nobody"};
    for (uint64_t i = 0; i < sizeof others / sizeof *others; i++) {
        peer_say(&c, say_members(i + 1, others[i], "", 10));
        take_error(&c, i + 1, roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    }
    peer_free(&a);
    peer_free(&c);
    rig_stop(&rig);
}

/* The longest rows in the smallest frame: two at least, and none is lost.
 * [GRP-17], [GRP-20] */
static void test_members_fit_the_smallest_frame(void **state)
{
    (void)state;
    enum {
        USERS = 7
    };
    struct rig rig;
    struct peer a;
    struct peer small;
    char group[ROAM_CONVERSATION_MAX + 1];
    char name[ROAM_USER_MAX + 1];
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    make_group(&a, group);
    memset(name, 'x', ROAM_USER_MAX);
    name[ROAM_USER_MAX] = '\0';
    for (int i = 0; i < USERS; i++) {
        struct peer p;
        name[ROAM_USER_MAX - 1] = (char)('a' + i);
        add_user(&rig, name);
        assert_true(roam_store_mem_name_user(
            rig.store, name,
            "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"));
        peer_login(&rig, &p, name, 1, PHONE, 1, 0);
        peer_say(&p, say_action(9, group, JOIN, NULL));
        peer_free(&p);
    }
    peer_connect(&rig, &small);
    struct roam_message *login = say_login("bob", 1, DESKTOP, 1, 0);
    login->u.login.max_frame = ROAM_FRAME_MIN;
    peer_say(&small, login);
    rig_take(&small, ROAM_LOGIN_OK);
    char after[ROAM_USER_MAX + 1] = "";
    uint32_t seen = 0;
    bool more = true;
    for (uint64_t ref = 1; more; ref++) {
        peer_say(&small, say_members(ref, group, after, 1000));
        const struct roam_message *m = rig_take(&small, ROAM_MEMBER_PAGE);
        assert_true(roam_message_size(m) <=
                    ROAM_FRAME_MIN + ROAM_FRAME_HEADER_BYTES);
        assert_true(m->u.member_page.count >= 2 || !m->u.member_page.more);
        struct roam_slice rows = m->body;
        struct roam_member_row row;
        while (roam_member_row_next(&rows, &row)) {
            memcpy(after, row.user.data, row.user.len);
            after[row.user.len] = '\0';
            seen++;
        }
        more = m->u.member_page.more;
    }
    assert_int_equal(seen, USERS + 2);
    peer_free(&a);
    peer_free(&small);
    rig_stop(&rig);
}

static void test_members_counts_as_a_command(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    char group[ROAM_CONVERSATION_MAX + 1];
    make_group(&a, group);
    for (uint64_t i = 1; i <= 2 * rig.config.max_commands; i++) {
        peer_say(&a, say_members(i, group, "", 1)); /* one by one */
        rig_take(&a, ROAM_MEMBER_PAGE);
    }
    for (uint64_t i = 1; i <= rig.config.max_commands; i++) {
        peer_put(&a, say_members(i, "bob", "", 1));
    }
    assert_int_equal(a.session->state, ROAM__IDLE);
    peer_put(&a, say_members(99, "bob", "", 1)); /* [GRP-22] */
    rig_settle(&rig);
    rig_take_kick(&a, roam_v1_KickReason_PROTOCOL_ERROR);
    peer_free(&a);
    rig_stop(&rig);
}

/* ---------------------------------------------------------------- failures */

static unsigned allowed;

static bool refuse_nth(void)
{
    return allowed-- == 0;
}

/* Whatever allocation fails, nothing leaks and a session ends in order. */
static void test_members_without_memory_ends_the_session_alone(void **state)
{
    (void)state;
    for (unsigned nth = 0; nth < 6; nth++) {
        struct rig rig;
        struct peer a;
        struct peer b;
        char group[ROAM_CONVERSATION_MAX + 1];
        rig_init(&rig);
        rig_start(&rig);
        peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
        make_group(&a, group);
        peer_login(&rig, &b, "bob", 1, PHONE, 1, 0);
        allowed = nth;
        roam__alloc_refuse = refuse_nth;
        peer_say(&a, say_members(1, group, "", 10));
        roam__alloc_refuse = NULL;
        if (rig_peek(&a) == ROAM_KICK) {
            rig_take_kick(&a, roam_v1_KickReason_OVERLOADED);
        } else {
            rig_take(&a, ROAM_MEMBER_PAGE);
        }
        peer_say(&b, say_members(2, group, "", 10));
        rig_take(&b, ROAM_MEMBER_PAGE);
        peer_free(&a);
        peer_free(&b);
        rig_stop(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_send_ok_names_the_group_also_to_a_repetition),
        cmocka_unit_test(test_a_message_reaches_all_members_live),
        cmocka_unit_test(
            test_a_message_behind_the_removal_of_its_sender_is_refused),
        cmocka_unit_test(test_a_message_reaches_a_group_of_500),
        cmocka_unit_test(test_members_tells_the_group),
        cmocka_unit_test(test_members_of_others_groups_are_not_told),
        cmocka_unit_test(test_members_fit_the_smallest_frame),
        cmocka_unit_test(test_members_counts_as_a_command),
        cmocka_unit_test(test_members_without_memory_ends_the_session_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
