/* SPDX-License-Identifier: Apache-2.0 */
/* The claims about stores: what people read beside ids, and who may write to
 * whom. Spec: sections 6.3 and 7.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "roam.pb.h"
#include "store_probe.h"

#define POLICY roam_v1_ErrorCode_POLICY

static struct roam_identity a, b;

static void enter(void)
{
    a = probe_enter("alice", 1, PHONE, 1, 0);
    b = probe_enter("bob", 1, PHONE, 1, 0);
}

/* ---------------------------------------------------------------- names */

static void expect_names(const struct roam_entry *e, const char *sender,
                         const char *conversation)
{
    probe_assert_slice(e->sender_name, sender);
    probe_assert_slice(e->conversation_name, conversation);
}

static void test_names_travel_with_what_is_sent(void **state)
{
    (void)state;
    enter();
    probe_suite->name_user(probe_suite, "alice", "Alice A.");
    probe_suite->name_user(probe_suite, "bob", "Bob \xc3\xa9");
    struct roam_store_request *req = probe_make_send(&a, 1, "bob", "x");
    probe_answer(req);
    const struct roam_store_send *send = &req->u.send;
    probe_assert_slice(send->sender_name, "Alice A.");
    assert_int_equal(send->delivery_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct roam_delivery *d = &send->deliveries[i];
        probe_assert_slice(d->conversation_name,
                           d->user == a.user ? "Bob \xc3\xa9" : "Alice A.");
    }
    roam_store_request_free(req);
    req = probe_read_all(&b);
    expect_names(&req->u.read.entries[0], "Alice A.", "Alice A.");
    roam_store_request_free(req);
    req = probe_history(&a, "bob", false);
    expect_names(&req->u.history.rows[0], "Alice A.", "Bob \xc3\xa9");
    roam_store_request_free(req);
    req = probe_conversations(&b);
    expect_names(&req->u.conversations.rows[0], "Alice A.", "Alice A.");
    roam_store_request_free(req);
}

/* Also what was written before the change. */
static void test_names_are_those_of_now(void **state)
{
    (void)state;
    enter();
    probe_must_send(&a, 1, "bob", "x");
    probe_must_send(&a, 2, "alice", "note");
    struct roam_store_request *req = probe_history(&b, "alice", false);
    expect_names(&req->u.history.rows[0], "", "");
    roam_store_request_free(req);
    char longest[ROAM_NAME_MAX + 1];
    memset(longest, 'n', ROAM_NAME_MAX);
    longest[ROAM_NAME_MAX] = '\0';
    static const char *const names[] = {"Alice", NULL, ""};
    for (size_t i = 0; i < 3; i++) {
        const char *name = names[i] == NULL ? longest : names[i];
        probe_suite->name_user(probe_suite, "alice", name);
        req = probe_history(&b, "alice", false);
        expect_names(&req->u.history.rows[0], name, name);
        roam_store_request_free(req);
        req = probe_history(&a, "alice", false);
        expect_names(&req->u.history.rows[0], name, name);
        roam_store_request_free(req);
        req = probe_make_send(&a, 10 + i, "bob", "x");
        probe_answer(req);
        probe_assert_slice(req->u.send.sender_name, name);
        roam_store_request_free(req);
    }
}

/* An answer shows what was when it was read, however long it is under way. */
static void test_an_answer_keeps_the_names_of_its_time(void **state)
{
    (void)state;
    enter();
    probe_suite->name_user(probe_suite, "alice", "Alice");
    probe_must_send(&a, 1, "bob", "x");
    struct roam_store_request *req = probe_history(&b, "alice", false);
    probe_suite->name_user(probe_suite, "alice", "Zoe");
    expect_names(&req->u.history.rows[0], "Alice", "Alice");
    roam_store_request_free(req);
}

/* --------------------------------------------------------------- policy */

static struct probe_sent poke(const struct roam_identity *who, uint64_t id,
                              const char *to)
{
    const struct roam_operation op = {.kind = roam_v1_Kind_APP,
                                      .data = probe_text("poke")};
    return probe_operate_at(who, id, to, &op, NOW_MS);
}

static void expect_policy(struct probe_sent sent)
{
    assert_int_equal(sent.result, ROAM_SEND_REFUSED);
    assert_int_equal(sent.error, POLICY);
    assert_int_equal(sent.count, 0);
}

static void test_who_is_blocked_cannot_write(void **state)
{
    (void)state;
    enter();
    uint64_t said = probe_must_send(&a, 1, "bob", "x");
    probe_suite->block_user(probe_suite, "bob", "alice", true);
    probe_suite->block_user(probe_suite, "bob", "alice", true);
    uint64_t head = probe_head(&b);
    expect_policy(probe_send(&a, 2, "bob", "x"));
    expect_policy(poke(&a, 3, "bob"));
    /* What was sent before is answered as it was. */
    struct probe_sent sent = probe_send(&a, 1, "bob", "x");
    assert_int_equal(sent.result, ROAM_SEND_DUPLICATE);
    assert_true(sent.msg_id == said);
    assert_int_equal(probe_send(&a, 1, "bob", "y").error,
                     roam_v1_ErrorCode_ID_REUSED);
    assert_true(probe_head(&b) == head);
    /* It goes one way, and only for what is said. */
    probe_must_send(&b, 1, "alice", "x");
    probe_must_send(&a, 4, "alice", "note");
    probe_must_aim(&a, 5, "bob", roam_v1_Kind_RECALL, said);
    probe_suite->block_user(probe_suite, "bob", "alice", false);
    probe_must_send(&a, 2, "bob", "x");
}

static void test_stranger_asks_before_writing(void **state)
{
    (void)state;
    probe_suite->settings.strangers_ask = true;
    probe_suite->reopen(probe_suite);
    enter();
    expect_policy(probe_send(&a, 1, "bob", "x"));
    assert_int_equal(poke(&a, 2, "bob").result, ROAM_SEND_STORED);
    expect_policy(probe_send(&a, 1, "bob", "x")); /* not answered yet */
    probe_must_send(&a, 3, "alice", "note");
    assert_int_equal(poke(&b, 1, "alice").result, ROAM_SEND_STORED);
    probe_must_send(&a, 1, "bob", "x");
    probe_must_send(&b, 2, "alice", "x");
}

/* A deletion is said to nobody. */
static void test_what_the_other_does_not_see_makes_nobody_known(void **state)
{
    (void)state;
    probe_suite->settings.strangers_ask = true;
    probe_suite->reopen(probe_suite);
    enter();
    uint64_t asked = poke(&a, 1, "bob").msg_id;
    probe_must_aim(&b, 1, "alice", roam_v1_Kind_READ, asked);
    probe_must_aim(&b, 2, "alice", roam_v1_Kind_DELETE, asked);
    expect_policy(probe_send(&a, 2, "bob", "x"));
}

int store_suite_names(void)
{
    const struct CMUnitTest tests[] = {
        PROBE_CLAIM(test_names_travel_with_what_is_sent),
        PROBE_CLAIM(test_names_are_those_of_now),
        PROBE_CLAIM(test_an_answer_keeps_the_names_of_its_time),
        PROBE_CLAIM(test_who_is_blocked_cannot_write),
        PROBE_CLAIM(test_stranger_asks_before_writing),
        PROBE_CLAIM(test_what_the_other_does_not_see_makes_nobody_known),
    };
    return cmocka_run_group_tests_name("store: names", tests, NULL, NULL);
}
