/* SPDX-License-Identifier: Apache-2.0 */
/* Operations through the core: what may be sent, who gets the entry, and how
 * it looks. Spec: sections 6.3 and 7.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core_rig.h"
#include "operation.h"
#include "store_mem.h"

#define PHONE roam_v1_DeviceType_PHONE
#define DESKTOP roam_v1_DeviceType_DESKTOP
#define RECALL roam_v1_Kind_RECALL
#define DELETE roam_v1_Kind_DELETE
#define READ roam_v1_Kind_READ
#define APP roam_v1_Kind_APP
#define NOOP roam_v1_Kind_NOOP

static struct rig rig;
static struct peer phone, desktop, bob; /* alice's, alice's, bob's */

static int setup(void **state)
{
    (void)state;
    rig_init(&rig);
    rig_start(&rig);
    peer_join(&rig, &phone, "alice", PHONE);
    peer_join(&rig, &desktop, "alice", DESKTOP);
    peer_join(&rig, &bob, "bob", PHONE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    peer_free(&phone);
    peer_free(&desktop);
    peer_free(&bob);
    rig_stop(&rig);
    return 0;
}

static uint8_t body[ROAM_OPERATION_BYTES_MAX];

/* A SEND of an operation, in the rig's static message. */
static struct roam_message *say_operation(uint64_t id, const char *to,
                                          const struct roam_operation *op)
{
    struct roam_message *m = say_send(id, to, "");
    size_t len = roam_operation_encode(op, NULL, 0, body, sizeof body);
    m->u.send.kind = (roam_v1_Kind)op->kind;
    memset(m->u.send.content_type, 0, sizeof m->u.send.content_type);
    m->body = (struct roam_slice){body, len};
    return m;
}

static struct roam_message *say_aim(uint64_t id, const char *to, uint32_t kind,
                                    uint64_t target)
{
    const struct roam_operation op = {.kind = kind, .msg_id = target};
    return say_operation(id, to, &op);
}

static void take_error(struct peer *p, roam_v1_ErrorCode code)
{
    const roam_v1_Error *e = &rig_take(p, ROAM_ERROR)->u.error;
    assert_int_equal(e->code, code);
    assert_int_equal(e->retry, roam_v1_Retry_NEVER);
}

/* Takes SEND_OK; its msg_id. */
static uint64_t take_ok(struct peer *p, bool duplicate)
{
    const roam_v1_SendOk *ok = &rig_take(p, ROAM_SEND_OK)->u.send_ok;
    assert_int_equal(ok->duplicate, duplicate);
    assert_string_equal(ok->conversation, "");
    return ok->msg_id;
}

/* Takes a PUSH of that kind; of an operation, with that target. */
static const roam_v1_Push *take_push(struct peer *p, uint32_t kind,
                                     uint64_t target)
{
    const struct roam_message *m = rig_take(p, ROAM_PUSH);
    assert_int_equal(m->u.push.kind, kind);
    if (target != 0) {
        struct roam_operation op;
        assert_true(roam_operation_decode(kind, m->body, &op));
        assert_true(op.msg_id == target);
    }
    return &m->u.push;
}

/* -------------------------------------------------------- what may be sent */

static void test_kinds_of_the_server_and_unknown_ones_are_refused(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {NOOP, roam_v1_Kind_DEVICE, 8, 1000};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct roam_message *m = say_send(1, "bob", "x");
        m->u.send.kind = (roam_v1_Kind)kinds[i];
        peer_say(&phone, m);
        take_error(&phone, roam_v1_ErrorCode_KIND_UNKNOWN);
    }
    rig_take_none(&bob);
}

static void test_body_that_is_not_of_its_kind_is_refused(void **state)
{
    (void)state;
    static const uint8_t none[] = {0x08, 0x00};
    static const struct roam_slice bodies[] = {
        {NULL, 0}, {none, 1}, {none, 2}, {(const uint8_t *)"text", 4}};
    static const uint32_t kinds[] = {RECALL, DELETE, READ, APP,
                                     roam_v1_Kind_GROUP};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
            struct roam_message *m = say_send(1, "bob", "");
            m->u.send.kind = (roam_v1_Kind)kinds[k];
            m->body = bodies[i];
            peer_say(&phone, m);
            take_error(&phone, roam_v1_ErrorCode_BODY_INVALID);
        }
    }
    rig_take_none(&bob);
}

static void test_longest_body_comes_before_a_bad_one(void **state)
{
    (void)state;
    uint8_t *bytes = calloc(1, rig.config.max_body + 1);
    struct roam_message *m = say_send(1, "bob", "");
    m->u.send.kind = RECALL;
    m->body = (struct roam_slice){bytes, rig.config.max_body + 1};
    peer_say(&phone, m);
    take_error(&phone, roam_v1_ErrorCode_BODY_TOO_LONG);
    m = say_send(1, "bob", "");
    m->u.send.kind = RECALL;
    m->body = (struct roam_slice){bytes, rig.config.max_body};
    peer_say(&phone, m);
    take_error(&phone, roam_v1_ErrorCode_BODY_INVALID);
    free(bytes);
}

/* ------------------------------------------------------------ who gets it */

/* Alice's phone has sent this, and everybody has its entry. */
static uint64_t say_something(void)
{
    uint64_t msg_id = peer_send(&phone, 1, "bob", "oops");
    take_push(&phone, NOOP, 0);
    take_push(&desktop, 0, 0);
    take_push(&bob, 0, 0);
    return msg_id;
}

static void test_recall_reaches_all_devices_of_both(void **state)
{
    (void)state;
    uint64_t said = say_something();
    peer_say(&phone, say_aim(2, "bob", RECALL, said));
    uint64_t recall = take_ok(&phone, false);
    assert_true(recall > said);
    take_push(&phone, NOOP, 0);
    const roam_v1_Push *push = take_push(&desktop, RECALL, said);
    assert_true(push->msg_id == recall);
    assert_string_equal(push->conversation, "bob");
    assert_string_equal(push->sender, "alice");
    push = take_push(&bob, RECALL, said);
    assert_string_equal(push->conversation, "alice");
    assert_false(push->recalled);
    peer_say(&desktop, say_aim(3, "bob", RECALL, said));
    assert_true(take_ok(&desktop, true) == recall);
    rig_take_none(&bob);
}

static void test_deletion_and_mark_stay_with_their_user(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {DELETE, READ};
    uint64_t said = say_something();
    for (uint64_t i = 0; i < 2; i++) {
        peer_say(&phone, say_aim(2 + i, "bob", kinds[i], said));
        take_ok(&phone, false);
        take_push(&phone, NOOP, 0);
        take_push(&desktop, kinds[i], said);
        rig_take_none(&bob);
    }
}

static void test_refused_operation_reaches_nobody(void **state)
{
    (void)state;
    uint64_t said = say_something();
    peer_say(&bob, say_aim(1, "alice", RECALL, said));
    take_error(&bob, roam_v1_ErrorCode_FORBIDDEN);
    peer_say(&phone, say_aim(2, "bob", DELETE, said + 1));
    take_error(&phone, roam_v1_ErrorCode_NO_SUCH_MESSAGE);
    peer_say(&phone, say_aim(2, "nobody", READ, said));
    take_error(&phone, roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    rig_take_none(&bob);
    rig_take_none(&desktop);
}

static void test_policy_is_told(void **state)
{
    (void)state;
    assert_true(roam_store_mem_block_user(rig.store, "bob", "alice", true));
    peer_say(&phone, say_send(1, "bob", "x"));
    take_error(&phone, roam_v1_ErrorCode_POLICY);
    assert_true(roam_store_mem_block_user(rig.store, "bob", "alice", false));
    peer_send(&phone, 1, "bob", "x");
}

/* [OP-8]: who asks for what others have, and for what nobody has, is told
 * the same. */
static void test_what_is_not_the_askers_is_as_if_it_were_not_there(void **st)
{
    (void)st;
    static const uint32_t kinds[] = {RECALL, DELETE, READ};
    struct peer eve;
    uint64_t said = say_something();
    assert_true(roam_store_mem_add_user(rig.store, "eve"));
    assert_true(roam_store_mem_add_token(rig.store, "eve", "eve-token", 0, 0));
    peer_join(&rig, &eve, "eve", PHONE);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const struct {
            const char *conversation;
            uint64_t target;
            roam_v1_ErrorCode code;
        } cases[] = {
            {"bob", said, roam_v1_ErrorCode_NO_SUCH_MESSAGE},
            {"bob", said + 99, roam_v1_ErrorCode_NO_SUCH_MESSAGE},
            {"alice", said, roam_v1_ErrorCode_NO_SUCH_MESSAGE},
            {"alice", said + 99, roam_v1_ErrorCode_NO_SUCH_MESSAGE},
            {"eve", said, roam_v1_ErrorCode_NO_SUCH_MESSAGE},
            {"nobody", said, roam_v1_ErrorCode_NO_SUCH_CONVERSATION},
        };
        for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
            peer_say(&eve, say_aim(1, cases[k].conversation, kinds[i],
                                   cases[k].target));
            take_error(&eve, cases[k].code);
        }
    }
    for (int only = 0; only < 2; only++) {
        struct roam_message *m = say_history(9, "bob", 0, 0);
        m->u.history.operations_only = only != 0;
        peer_say(&eve, m);
        assert_int_equal(
            rig_take(&eve, ROAM_HISTORY_PAGE)->u.history_page.count, 0);
    }
    peer_say(&eve, say_conversations(10, 0, ""));
    assert_int_equal(
        rig_take(&eve, ROAM_CONVERSATION_PAGE)->u.conversation_page.count, 0);
    peer_free(&eve);
}

/* ------------------------------------------------------------ how it looks */

static void test_names_are_in_the_push(void **state)
{
    (void)state;
    assert_true(roam_store_mem_name_user(rig.store, "alice", "Alice"));
    assert_true(roam_store_mem_name_user(rig.store, "bob", "Bob"));
    peer_send(&phone, 1, "bob", "x");
    const roam_v1_Push *push = take_push(&bob, 0, 0);
    assert_string_equal(push->sender_name, "Alice");
    assert_string_equal(push->conversation_name, "Alice");
    push = take_push(&desktop, 0, 0);
    assert_string_equal(push->sender_name, "Alice");
    assert_string_equal(push->conversation_name, "Bob");
}

static void note_recalled(void *ctx, const struct roam_entry *e)
{
    struct roam_entry *seen = ctx;
    if (e->kind == roam_v1_Kind_MESSAGE) {
        *seen = *e;
    }
}

static void test_recalled_message_comes_without_content_later(void **state)
{
    (void)state;
    uint64_t said = say_something();
    peer_say(&phone, say_aim(2, "bob", RECALL, said));
    struct peer late;
    peer_join(&rig, &late, "bob", DESKTOP);
    struct roam_entry seen = {0};
    assert_int_equal(rig_catch_up(&late, note_recalled, &seen), 2);
    assert_true(seen.recalled);
    assert_true(seen.msg_id == said);
    assert_int_equal(seen.body.len + seen.content_type.len, 0);
    peer_free(&late);
}

/* The page has what was asked for also when it is read a second time. */
static void test_operations_only_reaches_the_store(void **state)
{
    (void)state;
    uint64_t said = say_something();
    peer_say(&phone, say_aim(2, "bob", RECALL, said));
    take_ok(&phone, false);
    struct roam_message *m = say_history(7, "alice", 0, 0);
    peer_say(&bob, m);
    take_push(&bob, RECALL, said);
    assert_int_equal(rig_take(&bob, ROAM_HISTORY_PAGE)->u.history_page.count,
                     2);
    m = say_history(8, "alice", 0, 0);
    m->u.history.operations_only = true;
    peer_say(&bob, m);
    assert_int_equal(rig_take(&bob, ROAM_HISTORY_PAGE)->u.history_page.count,
                     1);
}

static void test_login_tells_how_long_a_message_can_be_recalled(void **state)
{
    struct peer p;
    teardown(state);
    rig_init(&rig);
    rig.config.store_settings.recall_ms = 4711;
    rig_start(&rig);
    peer_connect(&rig, &p);
    peer_say(&p, say_login("alice", 1, PHONE, 1, 0));
    assert_int_equal(rig_take(&p, ROAM_LOGIN_OK)->u.login_ok.recall_ms, 4711);
    peer_free(&p);
    rig_stop(&rig);
    setup(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_kinds_of_the_server_and_unknown_ones_are_refused),
        TEST(test_body_that_is_not_of_its_kind_is_refused),
        TEST(test_longest_body_comes_before_a_bad_one),
        TEST(test_recall_reaches_all_devices_of_both),
        TEST(test_deletion_and_mark_stay_with_their_user),
        TEST(test_refused_operation_reaches_nobody),
        TEST(test_what_is_not_the_askers_is_as_if_it_were_not_there),
        TEST(test_policy_is_told),
        TEST(test_names_are_in_the_push),
        TEST(test_recalled_message_comes_without_content_later),
        TEST(test_operations_only_reaches_the_store),
        TEST(test_login_tells_how_long_a_message_can_be_recalled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
