/* SPDX-License-Identifier: Apache-2.0 */
/* The driver and what it carries beside messages: operations through the
 * outbox, and questions about groups and devices. The test plays the server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "operation.h"
#include "posix_rig.h"
#include "roam_limits.h"
#include "rows.h"

#define OK ROAM_POSIX_STATUS_OK

static struct roam_bytes b(const char *text)
{
    struct roam_bytes bytes = {(const uint8_t *)text, strlen(text)};
    return bytes;
}

static struct roam_slice slice(const char *text)
{
    struct roam_slice s = {(const uint8_t *)text, strlen(text)};
    return s;
}

static uint64_t operate(struct posix_rig *r, const struct roam_operation *op,
                        const char *conversation)
{
    uint8_t body[256];
    uint64_t id = 0;
    struct roam_bytes bytes = {
        body, roam_operation_encode(op, NULL, 0, body, sizeof body)};
    assert_true(bytes.len > 0);
    assert_int_equal(roam_posix_send(r->posix, (enum roam_kind)op->kind,
                                     b(conversation), b(""), bytes, &id),
                     OK);
    return id;
}

/* Logs in and is synced. */
static void begin(struct posix_rig *r)
{
    struct roam_message m;
    rig_start(r);
    rig_log_in(r, 0, &m);
    rig_event(r, ROAM_EVENT_SYNCED);
}

/* --------------------------------------------------------------- operations */

static void test_a_recall_waits_offline_and_goes_out_under_its_id(void **state)
{
    struct posix_rig *r = *state;
    const struct roam_operation op = {.kind = ROAM_KIND_RECALL, .msg_id = 5};
    struct roam_operation sent;
    struct roam_message m;
    rig_start(r);
    uint64_t id = operate(r, &op, "bob");
    rig_crash(r);
    begin(r);
    rig_frame(r, ROAM_SEND, &m);
    assert_true(m.u.send.client_msg_id == id);
    assert_int_equal(m.u.send.kind, roam_v1_Kind_RECALL);
    assert_true(roam_operation_decode(m.u.send.kind, m.body, &sent));
    assert_true(sent.msg_id == 5);
    rig_send_ok(r, id, 9, false);
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_SENT);
    assert_int_equal(e.message.kind, ROAM_KIND_RECALL);
    assert_int_equal(rig_counts(r).outbox, 0);
    assert_int_equal(rig_counts(r).messages, 0); /* it is none */
}

static void test_only_kinds_that_a_client_sends_are_taken(void **state)
{
    struct posix_rig *r = *state;
    uint64_t id;
    begin(r);
    for (int kind = -1; kind <= ROAM_KIND_DEVICE + 1; kind++) {
        bool good = kind == ROAM_KIND_MESSAGE ||
                    (kind >= ROAM_KIND_RECALL && kind <= ROAM_KIND_GROUP);
        assert_int_equal(roam_posix_send(r->posix, (enum roam_kind)kind,
                                         b("bob"), b(""), b("x"), &id),
                         good ? OK : ROAM_POSIX_STATUS_BAD_ARGUMENT);
    }
}

static void test_a_group_that_is_made_is_told_by_its_name(void **state)
{
    struct posix_rig *r = *state;
    const struct roam_operation op = {.kind = ROAM_KIND_GROUP,
                                      .action = roam_v1_GroupAction_CREATE,
                                      .join = roam_v1_JoinMode_JOIN_CLOSED,
                                      .name = slice("Walks")};
    struct roam_message m;
    struct roam_local_row row;
    bool found;
    begin(r);
    uint64_t id = operate(r, &op, "#");
    rig_frame(r, ROAM_SEND, &m);
    assert_string_equal(m.u.send.conversation, "#");
    roam_message_init(&m, ROAM_SEND_OK);
    m.u.send_ok.client_msg_id = id;
    m.u.send_ok.msg_id = 9;
    strcpy(m.u.send_ok.conversation, "#0123456789012345678901");
    rig_answer(r, &m);
    rig_event(r, ROAM_EVENT_SENT);
    assert_string_equal(r->bodies, "#0123456789012345678901|");
    struct roam_local_history *h =
        roam_local_conversations_open(roam_posix_store(r->posix));
    assert_non_null(h);
    assert_int_equal(roam_local_history_next(h, &row, &found), OK);
    assert_true(found && row.role == ROAM_ROLE_OWNER);
    assert_int_equal(row.conversation_name.len, 5);
    assert_int_equal(row.conversation.len, 23);
    roam_local_history_close(h);
}

static void test_names_of_an_entry_outlive_its_frame(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    struct roam_posix_event e;
    begin(r);
    roam_message_init(&m, ROAM_PUSH);
    m.u.push.version = 1;
    m.u.push.msg_id = 9;
    strcpy(m.u.push.conversation, "bob");
    strcpy(m.u.push.sender, "bob");
    strcpy(m.u.push.conversation_name, "Bob B.");
    strcpy(m.u.push.sender_name, "Bob B.");
    rig_answer(r, &m);
    rig_push(r, 2, 1, "the next frame");
    do { /* not by the rig, which keeps no slices */
        roam_posix_run(r->posix);
    } while (!roam_posix_next_event(r->posix, &e));
    assert_int_equal(e.type, ROAM_POSIX_PROTOCOL);
    assert_int_equal(e.u.engine.type, ROAM_EVENT_ENTRY);
    const struct roam_entry_event *entry = &e.u.engine.u.entry;
    assert_int_equal(entry->conversation_name.len, 6);
    assert_memory_equal(entry->conversation_name.data, "Bob B.", 6);
    assert_memory_equal(entry->sender_name.data, "Bob B.", 6);
}

/* ---------------------------------------------------------------- questions */

static void say_members(struct posix_rig *r, uint64_t ref, const char *user,
                        bool more)
{
    uint8_t rows[ROAM_ROW_BYTES_MAX];
    const struct roam_member_row row = {slice(user), slice("N"),
                                        roam_v1_Role_MEMBER, false, 7};
    struct roam_message m;
    roam_message_init(&m, ROAM_MEMBER_PAGE);
    m.u.member_page.ref = ref;
    m.u.member_page.count = 1;
    m.u.member_page.more = more;
    m.u.member_page.join = roam_v1_JoinMode_JOIN_OPEN;
    m.u.member_page.member_count = 2;
    m.body.data = rows;
    m.body.len = roam_member_row_put(&row, rows, sizeof rows);
    assert_true(m.body.len > 0);
    rig_answer(r, &m);
}

static void say_error(struct posix_rig *r, uint64_t ref, roam_v1_ErrorCode code)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_ERROR);
    m.u.error.ref = ref;
    m.u.error.code = code;
    m.u.error.retry = roam_v1_Retry_NEVER;
    rig_answer(r, &m);
}

static void test_members_come_in_parts_and_end_once(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    begin(r);
    assert_int_equal(roam_posix_members(r->posix, "#w"), OK);
    rig_frame(r, ROAM_MEMBERS, &m);
    assert_string_equal(m.u.members.conversation, "#w");
    assert_string_equal(m.u.members.after, "");
    assert_int_equal(roam_posix_sessions(r->posix),
                     ROAM_POSIX_STATUS_BAD_STATE);
    say_members(r, m.u.members.ref, "bob", true);
    rig_frame(r, ROAM_MEMBERS, &m);
    assert_string_equal(m.u.members.after, "bob");
    say_members(r, m.u.members.ref, "carol", false);
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_PAGE_END);
    assert_int_equal(e.u.engine.u.page_end.member_count, 2);
    assert_int_equal(e.u.engine.u.page_end.join, ROAM_JOIN_OPEN);
    assert_string_equal(r->bodies, "bob|carol|");
    assert_int_equal(roam_posix_sessions(r->posix), OK); /* the next one */
}

static void test_a_question_survives_the_connection(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    assert_int_equal(roam_posix_members(r->posix, "#w"), OK); /* not yet */
    rig_log_in(r, 0, &m);
    rig_frame(r, ROAM_MEMBERS, &m);
    say_members(r, m.u.members.ref, "bob", true);
    rig_frame(r, ROAM_MEMBERS, &m);
    rig_hang_up(r);
    rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    rig_log_in(r, 0, &m);
    rig_frame(r, ROAM_MEMBERS, &m);
    assert_string_equal(m.u.members.after, "bob");
    say_members(r, m.u.members.ref, "carol", false);
    rig_event(r, ROAM_EVENT_PAGE_END);
    assert_string_equal(r->bodies, "bob|carol|");
}

static void test_a_no_is_told_and_ends_the_question(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    begin(r);
    assert_int_equal(roam_posix_members(r->posix, "#w"), OK);
    rig_frame(r, ROAM_MEMBERS, &m);
    say_error(r, m.u.members.ref, roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_PAGE_FAILED);
    assert_int_equal(e.u.engine.u.page_failed.code,
                     roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    assert_int_equal(
        roam_posix_end_session(r->posix, ROAM_TABLET, ROAM_VERSION_MAX), OK);
    rig_frame(r, ROAM_END_SESSION, &m);
    assert_int_equal(m.u.end_session.device_type, roam_v1_DeviceType_TABLET);
    assert_true(m.u.end_session.generation == ROAM_VERSION_MAX);
    uint64_t ref = m.u.end_session.ref;
    roam_message_init(&m, ROAM_SESSION_ENDED);
    m.u.session_ended.ref = ref;
    rig_answer(r, &m);
    rig_event(r, ROAM_EVENT_PAGE_END);
}

static void test_sessions_are_told(void **state)
{
    struct posix_rig *r = *state;
    uint8_t rows[ROAM_ROW_BYTES_MAX];
    const struct roam_session_row row = {.device_type =
                                             roam_v1_DeviceType_WATCH,
                                         .device_name = slice("wrist"),
                                         .generation = 4};
    struct roam_message m, list;
    begin(r);
    assert_int_equal(roam_posix_sessions(r->posix), OK);
    for (int part = 0; part < 2; part++) {
        rig_frame(r, ROAM_SESSIONS, &m);
        assert_int_equal(m.u.sessions.after,
                         part ? roam_v1_DeviceType_WATCH : 0);
        roam_message_init(&list, ROAM_SESSION_LIST);
        list.u.session_list.ref = m.u.sessions.ref;
        list.u.session_list.count = part == 0;
        list.u.session_list.more = part == 0;
        list.body.data = rows;
        list.body.len =
            part ? 0 : roam_session_row_put(&row, rows, sizeof rows);
        rig_answer(r, &list);
    }
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_SESSION);
    assert_true(e.u.engine.u.session.generation == 4);
    rig_event(r, ROAM_EVENT_PAGE_END);
    assert_string_equal(r->bodies, "wrist|");
}

static void test_a_question_has_its_bounds(void **state)
{
    struct posix_rig *r = *state;
    char name[66];
    memset(name, 'g', sizeof name);
    name[65] = '\0';
    begin(r);
    assert_int_equal(roam_posix_members(r->posix, ""),
                     ROAM_POSIX_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_posix_members(r->posix, name),
                     ROAM_POSIX_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_posix_members(r->posix, "#\xff"),
                     ROAM_POSIX_STATUS_BAD_ARGUMENT);
    assert_int_equal(
        roam_posix_end_session(r->posix, (enum roam_device_type)0, 1),
        ROAM_POSIX_STATUS_BAD_ARGUMENT);
    assert_int_equal(
        roam_posix_end_session(r->posix, ROAM_WEB, ROAM_VERSION_MAX + 1),
        ROAM_POSIX_STATUS_BAD_ARGUMENT);
    name[64] = '\0';
    assert_int_equal(roam_posix_members(r->posix, name), OK);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, posix_rig_open, posix_rig_close)
    const struct CMUnitTest tests[] = {
        T(test_a_recall_waits_offline_and_goes_out_under_its_id),
        T(test_only_kinds_that_a_client_sends_are_taken),
        T(test_a_group_that_is_made_is_told_by_its_name),
        T(test_names_of_an_entry_outlive_its_frame),
        T(test_members_come_in_parts_and_end_once),
        T(test_a_question_survives_the_connection),
        T(test_a_no_is_told_and_ends_the_question),
        T(test_sessions_are_told),
        T(test_a_question_has_its_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
