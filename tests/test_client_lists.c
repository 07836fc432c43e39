/* SPDX-License-Identifier: Apache-2.0 */
/* Members, sessions and operations at the client's engine: asked for, told
 * row by row, and refused when they lie. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client_rig.h"
#include "operation.h"
#include "rows.h"

static const struct roam_bytes new_group = {(const uint8_t *)"#", 1};
static const struct roam_bytes group = {(const uint8_t *)"#group", 6};
static const struct roam_bytes bob = {(const uint8_t *)"bob", 3};
static const struct roam_bytes nobody = {NULL, 0};

static struct roam_slice text(const char *s)
{
    struct roam_slice slice = {(const uint8_t *)s, strlen(s)};
    return slice;
}

static void live(struct rig *r)
{
    rig_prepare(r);
    rig_init(r);
    rig_go_live(r, 0);
}

/* ----------------------------------------------------------------- answers */

static uint8_t rows[4096];

/* A page of these users, in this order. */
static void say_members(struct rig *r, uint64_t ref, const char *const *users,
                        uint32_t count, bool more)
{
    struct roam_message m;
    size_t len = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct roam_member_row row = {
            text(users[i]), text(i == 0 ? "B" : ""),
            i == 0 ? roam_v1_Role_OWNER : roam_v1_Role_MEMBER, i == 1, 100 + i};
        len += roam_member_row_put(&row, rows + len, sizeof rows - len);
    }
    roam_message_init(&m, ROAM_MEMBER_PAGE);
    m.u.member_page.ref = ref;
    m.u.member_page.count = count;
    m.u.member_page.more = more;
    m.u.member_page.as_of = 55;
    strcpy(m.u.member_page.name, "Lunch");
    m.u.member_page.join = roam_v1_JoinMode_JOIN_APPROVAL;
    m.u.member_page.muted = true;
    m.u.member_page.member_count = 9;
    m.body.data = rows;
    m.body.len = len;
    rig_say(r, &m);
}

static void say_sessions(struct rig *r, uint64_t ref, uint32_t first,
                         uint32_t count, bool more)
{
    struct roam_message m;
    size_t len = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct roam_session_row row = {
            first + i, text("browser"), text("s/1"), 1,
            2,         i == 0,          i == 0,      10 + i};
        len += roam_session_row_put(&row, rows + len, sizeof rows - len);
    }
    roam_message_init(&m, ROAM_SESSION_LIST);
    m.u.session_list.ref = ref;
    m.u.session_list.count = count;
    m.u.session_list.more = more;
    m.body.data = rows;
    m.body.len = len;
    rig_say(r, &m);
}

static void say_ended(struct rig *r, uint64_t ref)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_SESSION_ENDED);
    m.u.session_ended.ref = ref;
    rig_say(r, &m);
}

/* ------------------------------------------------------------------ asking */

static void test_members_are_asked_for_and_told_one_by_one(void **state)
{
    (void)state;
    static struct rig r;
    static const char *const users[] = {"bob", "carol"};
    live(&r);
    assert_int_equal(
        roam_client_members(&r.client, 7, group, nobody, 10, r.now_ms),
        ROAM_STATUS_OK);
    rig_run(&r);
    assert_frames(&r, "MEMBERS 7 #group behind \"\" max 10\n");
    say_members(&r, 7, users, 2, true);
    rig_run(&r);
    assert_events(&r, "MEMBER 7 bob \"B\" 4 100\n"
                      "MEMBER 7 carol \"\" 2 muted 101\n"
                      "END 7 rows 2 more\n");
    assert_true(r.last_event.u.page_end.as_of == 55);
    assert_int_equal(r.last_event.u.page_end.join, ROAM_JOIN_APPROVAL);
    assert_int_equal(r.last_event.u.page_end.member_count, 9);
    assert_true(r.last_event.u.page_end.muted);
    assert_int_equal(r.last_event.u.page_end.name.len, 5);
    rig_forget(&r);
    assert_int_equal(
        roam_client_members(&r.client, 8, group, bob, 1000, r.now_ms),
        ROAM_STATUS_OK);
    rig_run(&r);
    assert_frames(&r, "MEMBERS 8 #group behind \"bob\" max 1000\n");
    say_members(&r, 8, users, 0, false);
    rig_run(&r);
    assert_events(&r, "END 8 rows 0\n");
}

static void test_sessions_are_asked_for_and_ended(void **state)
{
    (void)state;
    static struct rig r;
    live(&r);
    assert_int_equal(roam_client_sessions(&r.client, 7, 0, r.now_ms),
                     ROAM_STATUS_OK);
    rig_run(&r);
    say_sessions(&r, 7, 4, 2, false);
    rig_run(&r);
    assert_events(&r, "SESSION 7 4 \"browser\" \"s/1\" 10 online self\n"
                      "SESSION 7 5 \"browser\" \"s/1\" 11\n"
                      "END 7 rows 2\n");
    assert_int_equal(
        roam_client_end_session(&r.client, 8, ROAM_WATCH, 11, r.now_ms),
        ROAM_STATUS_OK);
    rig_run(&r);
    assert_frames(&r, "SESSIONS 7 behind 0\nEND_SESSION 8 5 11\n");
    rig_forget(&r);
    say_ended(&r, 8);
    rig_run(&r);
    assert_events(&r, "END 8 rows 0\n");
    assert_int_equal(
        roam_client_end_session(&r.client, 9, ROAM_WATCH, 11, r.now_ms),
        ROAM_STATUS_OK);
    rig_run(&r);
    rig_forget(&r);
    rig_say_error(&r, 9, roam_v1_ErrorCode_NO_SUCH_DEVICE);
    rig_run(&r);
    assert_events(&r, "PAGE_FAILED 9 45\n");
}

static void test_lists_are_asked_for_within_bounds(void **state)
{
    (void)state;
    static struct rig r;
    static const uint8_t letters[65] = {'x'};
    const struct roam_bytes long_65 = {letters, 65};
    const enum roam_status bad = ROAM_STATUS_BAD_ARGUMENT;
    live(&r);
    struct roam_client *c = &r.client;
    assert_int_equal(roam_client_members(c, 7, nobody, bob, 1, 0), bad);
    assert_int_equal(roam_client_members(c, 7, long_65, bob, 1, 0), bad);
    assert_int_equal(roam_client_members(c, 7, group, long_65, 1, 0), bad);
    assert_int_equal(roam_client_members(c, 7, group, bob, 0, 0), bad);
    assert_int_equal(roam_client_members(c, 7, group, bob, 1001, 0), bad);
    assert_int_equal(roam_client_members(c, 0, group, bob, 1, 0), bad);
    assert_int_equal(roam_client_sessions(c, 7, 7, 0), bad);
    assert_int_equal(
        roam_client_end_session(c, 7, (enum roam_device_type)0, 1, 0), bad);
    assert_int_equal(
        roam_client_end_session(c, 7, (enum roam_device_type)7, 1, 0), bad);
    assert_int_equal(roam_client_end_session(c, 7, ROAM_WEB, 0, 0), bad);
    assert_int_equal(
        roam_client_end_session(c, 7, ROAM_WEB, ROAM_VERSION_MAX + 1, 0), bad);
    assert_int_equal(roam_client_sessions(c, 7, 6, 0), ROAM_STATUS_OK);
    assert_int_equal(roam_client_sessions(c, 8, 0, 0), ROAM_STATUS_BAD_STATE);
}

/* What the server says in one case to MEMBERS 7 behind "bob", max 2, or to
 * SESSIONS 7 behind 2. */
static void members_in_order(struct rig *r, const char *a, const char *b,
                             uint64_t ref, uint32_t count)
{
    const char *const users[] = {a, b, "zoe"};
    say_members(r, ref, users, count, false);
}

static void test_lists_that_lie_end_the_connection(void **state)
{
    (void)state;
    static struct rig r;
    for (int lie = 0; lie < 10; lie++) {
        live(&r);
        if (lie < 6) {
            assert_int_equal(
                roam_client_members(&r.client, 7, group, bob, 2, r.now_ms),
                ROAM_STATUS_OK);
        } else {
            assert_int_equal(roam_client_sessions(&r.client, 7, 2, r.now_ms),
                             ROAM_STATUS_OK);
        }
        rig_run(&r);
        rig_forget(&r);
        switch (lie) {
        case 0: /* falls */
            members_in_order(&r, "dave", "carol", 7, 2);
            break;
        case 1: /* not behind the one named */
            members_in_order(&r, "bob", "carol", 7, 2);
            break;
        case 2:
            members_in_order(&r, "al", "carol", 7, 2);
            break;
        case 3: /* more than asked for */
            members_in_order(&r, "carol", "dave", 7, 3);
            break;
        case 4: /* another ref */
            members_in_order(&r, "carol", "dave", 8, 2);
            break;
        case 5: /* another answer */
            say_sessions(&r, 7, 3, 1, false);
            break;
        case 6: /* not behind the type named */
            say_sessions(&r, 7, 2, 2, false);
            break;
        case 7: /* more of nothing */
            say_sessions(&r, 7, 3, 0, true);
            break;
        case 8:
            say_ended(&r, 7);
            break;
        default:
            say_sessions(&r, 7, 6, 2, false); /* type 7 */
            break;
        }
        rig_run(&r);
        assert_events(&r, "PAGE_FAILED 7 0\nCLOSE -23 back\n");
    }
}

static void test_an_unasked_list_ends_the_connection(void **state)
{
    (void)state;
    static struct rig r;
    static const char *const users[] = {"bob"};
    for (int i = 0; i < 3; i++) {
        live(&r);
        if (i == 0) {
            say_members(&r, 7, users, 1, false);
        } else if (i == 1) {
            say_sessions(&r, 7, 1, 1, false);
        } else {
            say_ended(&r, 7);
        }
        rig_run(&r);
        assert_events(&r, "CLOSE -21 back\n");
    }
}

static void test_a_list_lost_with_its_connection_is_told(void **state)
{
    (void)state;
    static struct rig r;
    live(&r);
    assert_int_equal(roam_client_sessions(&r.client, 7, 0, r.now_ms),
                     ROAM_STATUS_OK);
    rig_run(&r);
    rig_forget(&r);
    rig_lose(&r);
    assert_events(&r, "PAGE_FAILED 7 0\nCLOSE 0 back\n");
}

/* -------------------------------------------------------------- operations */

static void test_an_operation_is_sent_with_its_kind(void **state)
{
    (void)state;
    static struct rig r;
    uint8_t body[16];
    struct roam_operation op = {.kind = roam_v1_Kind_RECALL, .msg_id = 5};
    size_t len = roam_operation_encode(&op, NULL, 0, body, sizeof body);
    const struct roam_bytes bytes = {body, len};
    live(&r);
    assert_int_equal(roam_client_send(&r.client, 9, ROAM_KIND_RECALL, bob,
                                      nobody, bytes, r.now_ms),
                     ROAM_STATUS_OK);
    rig_run(&r);
    assert_int_equal(r.last_frame.type, ROAM_SEND);
    assert_int_equal(r.last_frame.u.send.kind, roam_v1_Kind_RECALL);
    /* And again on the next connection. */
    rig_lose(&r);
    rig_login(&r);
    rig_say_login_ok(&r, 1);
    rig_say_sync_ok(&r, roam_v1_SyncResult_UP_TO_DATE, 0);
    rig_run(&r);
    assert_int_equal(r.last_frame.type, ROAM_SEND);
    assert_int_equal(r.last_frame.u.send.kind, roam_v1_Kind_RECALL);
    assert_true(r.last_frame.u.send.client_msg_id == 9);
}

static void test_kinds_that_no_client_sends_are_refused(void **state)
{
    (void)state;
    static struct rig r;
    live(&r);
    for (unsigned kind = 0; kind < 12; kind++) {
        enum roam_status want =
            kind == 1 || kind > 6 ? ROAM_STATUS_BAD_ARGUMENT : ROAM_STATUS_OK;
        assert_int_equal(roam_client_send(&r.client, 1 + kind,
                                          (enum roam_kind)kind, bob, nobody,
                                          bob, r.now_ms),
                         want);
    }
}

static void test_a_group_that_was_made_is_told_by_its_id(void **state)
{
    (void)state;
    static struct rig r;
    struct roam_message m;
    live(&r);
    assert_int_equal(roam_client_send(&r.client, 9, ROAM_KIND_GROUP, group,
                                      nobody, bob, r.now_ms),
                     ROAM_STATUS_OK);
    rig_run(&r);
    roam_message_init(&m, ROAM_SEND_OK);
    m.u.send_ok.client_msg_id = 9;
    m.u.send_ok.msg_id = 5;
    strcpy(m.u.send_ok.conversation, "#made");
    rig_say(&r, &m);
    rig_run(&r);
    assert_int_equal(r.last_event.type, ROAM_EVENT_SENT);
    assert_int_equal(r.last_event.u.sent.conversation.len, 5);
    rig_send(&r, 10, "hi");
    rig_run(&r);
    rig_say_send_ok(&r, 10, false);
    rig_run(&r);
    assert_int_equal(r.last_event.u.sent.conversation.len, 0);
}

/* The SEND_OK was lost: the own entry tells the group. */
static void test_a_group_is_told_by_its_entry_too(void **state)
{
    (void)state;
    static struct rig r;
    struct roam_message m;
    live(&r);
    assert_int_equal(roam_client_send(&r.client, 9, ROAM_KIND_GROUP, new_group,
                                      nobody, bob, r.now_ms),
                     ROAM_STATUS_OK);
    assert_int_equal(roam_client_send(&r.client, 10, ROAM_KIND_GROUP, group,
                                      nobody, bob, r.now_ms),
                     ROAM_STATUS_OK);
    rig_run(&r);
    rig_forget(&r);
    roam_message_init(&m, ROAM_PUSH);
    m.u.push.version = 1;
    m.u.push.kind = roam_v1_Kind_GROUP;
    m.u.push.msg_id = 5;
    strcpy(m.u.push.conversation, "#made");
    strcpy(m.u.push.sender, "alice");
    m.u.push.client_msg_id = 9;
    rig_say(&r, &m);
    rig_run(&r);
    assert_events(&r, "ENTRY 1<0 alice: own=9\nSENT 9 duplicate\n");
    assert_int_equal(r.last_event.u.sent.conversation.len, 5);
    rig_forget(&r);
    m.u.push.version = 2; /* another change makes none */
    m.u.push.prev_version = 1;
    m.u.push.client_msg_id = 10;
    rig_say(&r, &m);
    rig_run(&r);
    assert_events(&r, "ENTRY 2<1 alice: own=10\nSENT 10 duplicate\n");
    assert_int_equal(r.last_event.u.sent.conversation.len, 0);
}

static void test_an_entry_tells_names_and_what_was_recalled(void **state)
{
    (void)state;
    static struct rig r;
    struct roam_message m;
    live(&r);
    roam_message_init(&m, ROAM_PUSH);
    m.u.push.version = 1;
    m.u.push.msg_id = 5;
    strcpy(m.u.push.conversation, "bob");
    strcpy(m.u.push.sender, "bob");
    strcpy(m.u.push.sender_name, "Bob");
    strcpy(m.u.push.conversation_name, "Bobby");
    m.u.push.recalled = true;
    rig_say(&r, &m);
    rig_run(&r);
    const struct roam_entry_event *e = &r.last_event.u.entry;
    assert_int_equal(r.last_event.type, ROAM_EVENT_ENTRY);
    assert_true(e->recalled);
    assert_int_equal(e->sender_name.len, 3);
    assert_int_equal(e->conversation_name.len, 5);
    assert_int_equal(e->body.len, 0);
}

static void test_a_version_that_we_do_not_speak_ends_the_connection(
    void **state)
{
    (void)state;
    static struct rig r;
    for (uint32_t version = 0; version <= 2; version++) {
        struct roam_message m;
        rig_prepare(&r);
        rig_init(&r);
        rig_login(&r);
        rig_run(&r);
        rig_forget(&r);
        roam_message_init(&m, ROAM_LOGIN_OK);
        m.u.login_ok.generation = 1;
        m.u.login_ok.max_frame = 65536;
        m.u.login_ok.max_body = 1000;
        m.u.login_ok.max_commands = 4;
        m.u.login_ok.heartbeat_ms = 30000;
        m.u.login_ok.dedup_ms = 1000;
        m.u.login_ok.protocol = version;
        m.u.login_ok.history_ms = 7;
        m.u.login_ok.max_members = 200;
        rig_say(&r, &m);
        rig_run(&r);
        if (version <= 1) {
            assert_events(&r, "LOGGED_IN 1\n");
            assert_true(r.last_event.u.logged_in.history_ms == 7);
            assert_int_equal(r.last_event.u.logged_in.max_members, 200);
        } else {
            assert_events(&r, "CLOSE -20 back\n");
        }
    }
}

static void test_operations_are_asked_for_alone(void **state)
{
    (void)state;
    static struct rig r;
    for (uint32_t kind = 0; kind <= 8; kind++) {
        for (int only = 0; only < 2; only++) {
            struct roam_message m;
            struct roam_packer *p = roam_packer_new();
            const struct roam_pack_limits limits = {8000, 8000, 0};
            struct roam_entry e = {.kind = kind,
                                   .msg_id = 5,
                                   .conversation = {bob.data, bob.len},
                                   .sender = {bob.data, bob.len}};
            assert_non_null(p);
            live(&r);
            assert_int_equal(roam_client_history(&r.client, 7, bob, 0, 0,
                                                 only == 1, 10, r.now_ms),
                             ROAM_STATUS_OK);
            rig_run(&r);
            assert_int_equal(r.last_frame.u.history.operations_only, only);
            rig_forget(&r);
            roam_message_init(&m, ROAM_HISTORY_PAGE);
            m.u.history_page.ref = 7;
            assert_int_equal(roam_page_pack(p, &e, 1, &limits, &m), 1);
            rig_say(&r, &m);
            rig_run(&r);
            bool good = kind != roam_v1_Kind_NOOP &&
                        kind != roam_v1_Kind_READ &&
                        kind != roam_v1_Kind_DEVICE &&
                        (kind != roam_v1_Kind_MESSAGE || only == 0);
            assert_events(&r, good ? "ROW 7 5 bob:\nEND 7 rows 1\n"
                                   : "PAGE_FAILED 7 0\nCLOSE -23 back\n");
            roam_packer_free(p);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_are_asked_for_and_told_one_by_one),
        cmocka_unit_test(test_sessions_are_asked_for_and_ended),
        cmocka_unit_test(test_lists_are_asked_for_within_bounds),
        cmocka_unit_test(test_lists_that_lie_end_the_connection),
        cmocka_unit_test(test_an_unasked_list_ends_the_connection),
        cmocka_unit_test(test_a_list_lost_with_its_connection_is_told),
        cmocka_unit_test(test_an_operation_is_sent_with_its_kind),
        cmocka_unit_test(test_kinds_that_no_client_sends_are_refused),
        cmocka_unit_test(test_a_group_that_was_made_is_told_by_its_id),
        cmocka_unit_test(test_a_group_is_told_by_its_entry_too),
        cmocka_unit_test(test_an_entry_tells_names_and_what_was_recalled),
        cmocka_unit_test(
            test_a_version_that_we_do_not_speak_ends_the_connection),
        cmocka_unit_test(test_operations_are_asked_for_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
