/* SPDX-License-Identifier: Apache-2.0 */
/* The claims about stores: recall, delete for me, read marks, and what the
 * application makes of its own. Spec: section 7.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "roam.pb.h"
#include "store_probe.h"

#define RECALL ((uint32_t)roam_v1_Kind_RECALL)
#define DELETE ((uint32_t)roam_v1_Kind_DELETE)
#define READ ((uint32_t)roam_v1_Kind_READ)
#define NO_SUCH_MESSAGE roam_v1_ErrorCode_NO_SUCH_MESSAGE

static struct roam_identity a, b;

/* Alice and bob are logged in. */
static void enter(void)
{
    a = probe_enter("alice", 1, PHONE, 1, 0);
    b = probe_enter("bob", 1, PHONE, 1, 0);
}

static void expect_error(struct probe_sent sent, uint32_t error)
{
    assert_int_equal(sent.result, ROAM_SEND_REFUSED);
    assert_int_equal(sent.error, error);
    assert_int_equal(sent.count, 0);
}

static void expect_stands(struct probe_sent sent, uint64_t msg_id)
{
    assert_int_equal(sent.result, ROAM_SEND_DUPLICATE);
    assert_true(sent.msg_id == msg_id);
    assert_int_equal(sent.count, 0);
}

/* The history must have these rows: a msg_id and a kind each. */
struct row {
    uint64_t msg_id;
    uint32_t kind;
};

static void expect_rows(const struct roam_identity *who,
                        const char *conversation, bool operations_only,
                        const struct row *rows, size_t count)
{
    struct roam_store_request *req =
        probe_history(who, conversation, operations_only);
    assert_true(req->u.history.found);
    assert_int_equal(req->u.history.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(req->u.history.rows[i].msg_id == rows[i].msg_id);
        assert_int_equal(req->u.history.rows[i].kind, rows[i].kind);
    }
    roam_store_request_free(req);
}

/* The only conversation of the list must say this. */
static void expect_marks(const struct roam_identity *who, uint64_t read_mark,
                         uint32_t unread)
{
    struct roam_store_request *req = probe_conversations(who);
    const struct roam_store_conversations *c = &req->u.conversations;
    assert_int_equal(c->count, 1);
    assert_true(c->rows[0].read_mark == read_mark);
    assert_int_equal(c->rows[0].unread, unread);
    assert_int_equal(c->rows[0].role, 0);
    roam_store_request_free(req);
}

/* --------------------------------------------------------------- recall */

static void test_recalled_message_has_no_content_for_anybody(void **state)
{
    (void)state;
    enter();
    uint64_t said = probe_must_send(&a, 1, "bob", "oops");
    uint64_t recall = probe_must_aim(&a, 2, "bob", RECALL, said);
    assert_true(recall > said);
    struct roam_identity d = probe_enter("alice", 2, DESKTOP, 1, 0);
    const struct roam_identity *who[] = {&d, &b};
    for (size_t i = 0; i < 2; i++) {
        struct roam_store_request *req = probe_read_all(who[i]);
        const struct roam_entry *e = req->u.read.entries;
        assert_int_equal(req->u.read.count, 2);
        assert_true(e[0].recalled);
        assert_int_equal(e[0].kind, roam_v1_Kind_MESSAGE);
        assert_true(e[0].msg_id == said);
        assert_int_equal(e[0].body.len + e[0].content_type.len, 0);
        assert_int_equal(e[0].cut_size, 0);
        probe_assert_slice(e[0].sender, "alice");
        assert_false(e[1].recalled);
        assert_int_equal(e[1].kind, RECALL);
        assert_true(e[1].msg_id == recall);
        struct roam_operation op;
        assert_true(roam_operation_decode(RECALL, e[1].body, &op));
        assert_true(op.msg_id == said);
        roam_store_request_free(req);
        req = probe_history(who[i], i == 0 ? "bob" : "alice", false);
        assert_int_equal(req->u.history.count, 2);
        assert_true(req->u.history.rows[0].recalled);
        assert_int_equal(req->u.history.rows[0].body.len, 0);
        roam_store_request_free(req);
    }
}

static void test_recall_is_its_senders_and_of_a_message(void **state)
{
    (void)state;
    enter();
    uint64_t said = probe_must_send(&a, 1, "bob", "x");
    uint64_t note = probe_send_at(&a, 2, "alice", "note", NOW_MS + 77).msg_id;
    expect_error(probe_aim(&b, 1, "alice", RECALL, said),
                 roam_v1_ErrorCode_FORBIDDEN);
    expect_error(probe_aim(&a, 3, "bob", RECALL, said + 1), NO_SUCH_MESSAGE);
    expect_error(probe_aim(&a, 3, "bob", RECALL, note), NO_SUCH_MESSAGE);
    expect_error(probe_aim(&a, 3, "alice", RECALL, said), NO_SUCH_MESSAGE);
    expect_error(probe_aim(&a, 3, "nobody", RECALL, said),
                 roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    uint64_t recall = probe_must_aim(&a, 3, "bob", RECALL, said);
    expect_error(probe_aim(&a, 4, "bob", RECALL, recall), NO_SUCH_MESSAGE);
    assert_true(probe_must_aim(&a, 4, "alice", RECALL, note) > note);
}

static void test_recall_comes_too_late_after_recall_ms(void **state)
{
    (void)state;
    probe_suite->settings.recall_ms = 1000;
    probe_suite->reopen(probe_suite);
    enter();
    struct roam_operation op = {.kind = RECALL};
    op.msg_id = probe_must_send(&a, 1, "bob", "x");
    expect_error(probe_operate_at(&a, 2, "bob", &op, NOW_MS + 1001),
                 roam_v1_ErrorCode_TOO_LATE);
    struct probe_sent sent = probe_operate_at(&a, 2, "bob", &op, NOW_MS + 1000);
    assert_int_equal(sent.result, ROAM_SEND_STORED);
    /* What stands, stands: also when it would be too late now. */
    expect_stands(probe_operate_at(&a, 3, "bob", &op, NOW_MS + 9999),
                  sent.msg_id);
    op.msg_id = probe_must_send(&a, 4, "bob", "x");
    probe_suite->settings.recall_ms = 0;
    probe_suite->reopen(probe_suite);
    sent = probe_operate_at(&a, 5, "bob", &op, NOW_MS + 100 * WEEK_MS);
    assert_int_equal(sent.result, ROAM_SEND_STORED);
}

static void test_recalled_message_is_known_again_by_its_content(void **state)
{
    (void)state;
    enter();
    uint64_t said = probe_must_send(&a, 1, "bob", "oops");
    probe_must_aim(&a, 2, "bob", RECALL, said);
    uint64_t head = probe_head(&a);
    expect_stands(probe_send(&a, 1, "bob", "oops"), said);
    expect_error(probe_send(&a, 1, "bob", ""), roam_v1_ErrorCode_ID_REUSED);
    expect_error(probe_send(&a, 1, "bob", "ooops"),
                 roam_v1_ErrorCode_ID_REUSED);
    struct roam_store_request *req = probe_make_send_of(
        &a, 1, "bob", probe_text("text/plaino"), probe_text("ops"));
    probe_answer(req);
    assert_int_equal(req->u.send.error, roam_v1_ErrorCode_ID_REUSED);
    roam_store_request_free(req);
    assert_true(probe_head(&a) == head);
}

/* --------------------------------------------------------------- delete */

static void test_deletion_is_its_users_alone(void **state)
{
    (void)state;
    enter();
    uint64_t said = probe_must_send(&a, 1, "bob", "x");
    struct probe_sent sent = probe_aim(&b, 1, "alice", DELETE, said);
    assert_int_equal(sent.result, ROAM_SEND_STORED);
    assert_int_equal(sent.count, 1);
    uint64_t own = probe_must_aim(&b, 2, "alice", DELETE, sent.msg_id);
    const struct row mine[] = {{said, 0}, {sent.msg_id, DELETE}, {own, DELETE}};
    expect_rows(&b, "alice", false, mine, 3);
    expect_rows(&b, "alice", true, mine + 1, 2);
    expect_rows(&a, "bob", false, mine, 1);
    expect_rows(&a, "bob", true, NULL, 0);
    struct roam_store_request *req = probe_read_all(&a);
    assert_int_equal(req->u.read.count, 1);
    roam_store_request_free(req);
    /* The other one's deletion is no row that could be deleted. */
    expect_error(probe_aim(&a, 2, "bob", DELETE, sent.msg_id), NO_SUCH_MESSAGE);
    expect_error(probe_aim(&b, 3, "alice", DELETE, own + 1), NO_SUCH_MESSAGE);
    expect_stands(probe_aim(&b, 3, "alice", DELETE, said), sent.msg_id);
    assert_true(probe_must_aim(&a, 3, "bob", DELETE, said) > own);
}

/* ----------------------------------------------------------------- read */

static void test_read_mark_rises_and_older_reads_become_noops(void **state)
{
    (void)state;
    enter();
    struct roam_identity d = probe_enter("bob", 2, DESKTOP, 1, 0);
    uint64_t first = probe_must_send(&a, 1, "bob", "x");
    uint64_t second = probe_must_send(&a, 2, "bob", "y");
    struct probe_sent early = probe_aim(&b, 1, "alice", READ, first);
    assert_int_equal(early.result, ROAM_SEND_STORED);
    assert_int_equal(early.count, 1);
    expect_marks(&b, first, 1);
    expect_stands(probe_aim(&b, 2, "alice", READ, first - 1), early.msg_id);
    uint64_t late = probe_must_aim(&b, 2, "alice", READ, second);
    expect_marks(&b, second, 0);
    expect_stands(probe_aim(&b, 3, "alice", READ, first), late);
    expect_stands(probe_aim(&b, 3, "alice", READ, second), late);
    /* The repetition of what was stored is that. */
    expect_stands(probe_aim(&b, 1, "alice", READ, first), early.msg_id);
    expect_error(probe_aim(&b, 1, "alice", READ, second),
                 roam_v1_ErrorCode_ID_REUSED);
    struct roam_store_request *req = probe_read_all(&d);
    const struct roam_entry *e = req->u.read.entries;
    assert_int_equal(req->u.read.count, 4);
    assert_int_equal(e[2].kind, roam_v1_Kind_NOOP);
    assert_int_equal(e[2].msg_id + e[2].body.len + e[2].sender.len, 0);
    assert_int_equal(e[3].kind, READ);
    assert_true(e[3].msg_id == late);
    roam_store_request_free(req);
    const struct row rows[] = {{first, 0}, {second, 0}};
    expect_rows(&b, "alice", false, rows, 2);
    expect_rows(&a, "bob", false, rows, 2);
    req = probe_read_all(&a); /* it is nobody else's */
    assert_int_equal(req->u.read.count, 2);
    roam_store_request_free(req);
}

static void test_read_names_nothing_above_the_newest_row_seen(void **state)
{
    (void)state;
    enter();
    expect_error(probe_aim(&b, 1, "alice", READ, 1), NO_SUCH_MESSAGE);
    uint64_t said = probe_must_send(&a, 1, "bob", "x");
    uint64_t hidden = probe_must_aim(&a, 2, "bob", DELETE, said);
    expect_error(probe_aim(&b, 1, "alice", READ, hidden), NO_SUCH_MESSAGE);
    expect_error(probe_aim(&b, 1, "alice", READ, said + 1), NO_SUCH_MESSAGE);
    probe_must_aim(&b, 1, "alice", READ, said);
    probe_must_aim(&a, 3, "bob", READ, hidden);
}

static void test_unread_counts_what_others_said_and_stands(void **state)
{
    (void)state;
    enter();
    uint64_t ids[5];
    for (uint64_t i = 0; i < 5; i++) {
        ids[i] = probe_must_send(&a, 1 + i, "bob", "x");
    }
    expect_marks(&b, 0, 5);
    expect_marks(&a, 0, 0);
    probe_must_send(&b, 1, "alice", "own"); /* moves no mark */
    expect_marks(&b, 0, 5);
    expect_marks(&a, 0, 1);
    probe_must_aim(&a, 10, "bob", RECALL, ids[0]);
    expect_marks(&b, 0, 4);
    probe_must_aim(&b, 2, "alice", DELETE, ids[1]);
    probe_must_aim(&a, 11, "bob", DELETE, ids[2]); /* not bob's deletion */
    expect_marks(&b, 0, 3);
    probe_must_aim(&a, 12, "bob", RECALL, ids[1]); /* both: counted once */
    expect_marks(&b, 0, 3);
    probe_must_aim(&b, 3, "alice", READ, ids[3]);
    expect_marks(&b, ids[3], 1);
    probe_suite->reopen(probe_suite);
    expect_marks(&b, ids[3], 1);
}

static void test_unread_is_told_up_to_its_cap(void **state)
{
    (void)state;
    enter();
    for (uint64_t i = 1; i < ROAM_UNREAD_MAX; i++) {
        probe_must_send(&a, i, "bob", "x");
    }
    expect_marks(&b, 0, ROAM_UNREAD_MAX - 1);
    probe_must_send(&a, ROAM_UNREAD_MAX, "bob", "x");
    expect_marks(&b, 0, ROAM_UNREAD_MAX);
    probe_must_send(&a, ROAM_UNREAD_MAX + 1, "bob", "x");
    expect_marks(&b, 0, ROAM_UNREAD_MAX);
}

/* ------------------------------------------------------------------ app */

static void test_app_operation_is_a_row_for_both(void **state)
{
    (void)state;
    enter();
    const struct roam_operation op = {.kind = roam_v1_Kind_APP,
                                      .data = probe_text("poke")};
    struct probe_sent sent = probe_operate_at(&a, 1, "bob", &op, NOW_MS);
    assert_int_equal(sent.result, ROAM_SEND_STORED);
    assert_int_equal(sent.count, 2);
    const struct row row = {sent.msg_id, roam_v1_Kind_APP};
    expect_rows(&a, "bob", false, &row, 1);
    expect_rows(&b, "alice", true, &row, 1);
    expect_marks(&b, 0, 0); /* the newest row, and no message */
    expect_error(probe_aim(&a, 2, "bob", RECALL, sent.msg_id), NO_SUCH_MESSAGE);
    probe_must_aim(&b, 1, "alice", READ, sent.msg_id);
    probe_must_aim(&b, 2, "alice", DELETE, sent.msg_id);
}

static void test_app_between_two_names_nobody(void **state)
{
    (void)state;
    enter();
    static const char *const users[] = {"bob"};
    const struct roam_operation op = {.kind = roam_v1_Kind_APP,
                                      .data = probe_text("poke")};
    struct roam_store_request *req =
        probe_make_naming(&a, 1, "bob", &op, users, 1);
    probe_answer(req);
    assert_int_equal(req->u.send.error, roam_v1_ErrorCode_NO_SUCH_USER);
    roam_store_request_free(req);
    assert_int_equal(probe_head(&b), 0);
}

/* ------------------------------------------------------- all of them alike */

static void test_repeated_operation_gets_the_first_answer(void **state)
{
    (void)state;
    enter();
    uint64_t said = probe_must_send(&a, 1, "bob", "x");
    static const uint32_t kinds[] = {RECALL, DELETE, READ};
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t msg_id = probe_must_aim(&a, 10 + i, "bob", kinds[i], said);
        uint64_t head = probe_head(&a);
        expect_stands(probe_aim(&a, 10 + i, "bob", kinds[i], said), msg_id);
        expect_error(probe_aim(&a, 10 + i, "alice", kinds[i], said),
                     roam_v1_ErrorCode_ID_REUSED);
        expect_error(probe_aim(&a, 10 + i, "bob", kinds[i], said + 1),
                     roam_v1_ErrorCode_ID_REUSED);
        expect_error(probe_aim(&a, 10 + i, "bob", kinds[(i + 1) % 3], said),
                     roam_v1_ErrorCode_ID_REUSED);
        assert_true(probe_head(&a) == head);
    }
}

static void test_fenced_operation_writes_nothing(void **state)
{
    (void)state;
    enter();
    uint64_t said = probe_must_send(&a, 1, "bob", "x");
    struct roam_identity late = a;
    probe_enter("alice", 1, PHONE, 2, 0);
    uint64_t head = probe_head(&b);
    static const uint32_t kinds[] = {RECALL, DELETE, READ};
    for (uint64_t i = 0; i < 3; i++) {
        struct probe_sent sent = probe_aim(&late, 2, "bob", kinds[i], said);
        assert_int_equal(sent.result, ROAM_SEND_FENCED);
    }
    assert_true(probe_head(&b) == head);
    expect_marks(&b, 0, 1);
}

static void test_own_operation_comes_as_noop_to_its_session(void **state)
{
    (void)state;
    enter();
    uint64_t said = probe_must_send(&a, 1, "bob", "x");
    probe_must_aim(&a, 7, "bob", READ, said);
    struct roam_store_request *req = probe_read_all(&a);
    assert_int_equal(req->u.read.count, 2);
    assert_int_equal(req->u.read.entries[1].kind, roam_v1_Kind_NOOP);
    roam_store_request_free(req);
    a = probe_enter("alice", 1, PHONE, 2, 0);
    req = probe_read_all(&a);
    assert_int_equal(req->u.read.entries[1].kind, READ);
    assert_true(req->u.read.entries[1].client_msg_id == 7);
    roam_store_request_free(req);
}

/* ----------------------------------------------------------- every order */

enum step {
    STEP_MESSAGE,
    STEP_RECALL,
    STEP_RECALL_AGAIN,
    STEP_DELETE,
    STEP_READ,
    STEPS
};

/* What is known before the message is; it has the id of that time. */
static const uint64_t target = NOW_MS << ROAM_MSG_ID_TIME_SHIFT;

static struct probe_sent take(enum step step, uint64_t id)
{
    switch (step) {
    case STEP_MESSAGE:
        return probe_send(&a, id, "bob", "x");
    case STEP_RECALL:
    case STEP_RECALL_AGAIN:
        return probe_aim(&a, id, "bob", RECALL, target);
    case STEP_DELETE:
        return probe_aim(&b, id, "alice", DELETE, target);
    default:
        return probe_aim(&b, id, "alice", READ, target);
    }
}

/* Takes a step and holds the answer against what must be. */
static void take_checked(enum step step, uint64_t id, bool *said,
                         bool *recalled)
{
    struct probe_sent sent = take(step, id);
    bool recalls = step == STEP_RECALL || step == STEP_RECALL_AGAIN;
    if (step != STEP_MESSAGE && !*said) {
        expect_error(sent, NO_SUCH_MESSAGE);
        return;
    }
    assert_int_equal(sent.result, recalls && *recalled ? ROAM_SEND_DUPLICATE
                                                       : ROAM_SEND_STORED);
    *said = true;
    *recalled = *recalled || recalls;
}

static void check_end(void)
{
    expect_marks(&b, target, 0);
    struct roam_store_request *req = probe_history(&b, "alice", false);
    assert_int_equal(req->u.history.count, 3); /* RECALL once, DELETE once */
    assert_true(req->u.history.rows[0].recalled);
    roam_store_request_free(req);
    req = probe_history(&a, "bob", true);
    assert_int_equal(req->u.history.count, 1);
    roam_store_request_free(req);
}

/* The rest of the order; what came before the message is sent again at the
 * end, as its client would. */
static void run_order(const enum step *order)
{
    bool said = false;
    bool recalled = false;
    bool missed[STEPS] = {false};
    enter();
    for (uint64_t i = 0; i < STEPS; i++) {
        missed[i] = order[i] != STEP_MESSAGE && !said;
        take_checked(order[i], 1 + i, &said, &recalled);
    }
    for (uint64_t i = 0; i < STEPS; i++) {
        if (missed[i]) {
            take_checked(order[i], 1 + i, &said, &recalled);
        }
    }
    check_end();
}

/* The next order by value; false after the last. */
static bool next_order(enum step *order)
{
    size_t i = STEPS - 1;
    while (i > 0 && order[i - 1] > order[i]) {
        i--;
    }
    if (i == 0) {
        return false;
    }
    size_t k = STEPS - 1;
    while (order[k] < order[i - 1]) {
        k--;
    }
    enum step step = order[k];
    order[k] = order[i - 1];
    order[i - 1] = step;
    for (size_t low = i, high = STEPS - 1; low < high; low++, high--) {
        step = order[low];
        order[low] = order[high];
        order[high] = step;
    }
    return true;
}

static void test_every_order_ends_alike(void **state)
{
    enum step order[STEPS] = {0, 1, 2, 3, 4};
    unsigned orders = 0;
    do {
        run_order(order);
        orders++;
        probe_done(state);
        probe_fresh(state);
    } while (next_order(order));
    assert_int_equal(orders, 120);
}

int store_suite_operations(void)
{
    const struct CMUnitTest tests[] = {
        PROBE_CLAIM(test_recalled_message_has_no_content_for_anybody),
        PROBE_CLAIM(test_recall_is_its_senders_and_of_a_message),
        PROBE_CLAIM(test_recall_comes_too_late_after_recall_ms),
        PROBE_CLAIM(test_recalled_message_is_known_again_by_its_content),
        PROBE_CLAIM(test_deletion_is_its_users_alone),
        PROBE_CLAIM(test_read_mark_rises_and_older_reads_become_noops),
        PROBE_CLAIM(test_read_names_nothing_above_the_newest_row_seen),
        PROBE_CLAIM(test_unread_counts_what_others_said_and_stands),
        PROBE_CLAIM(test_unread_is_told_up_to_its_cap),
        PROBE_CLAIM(test_app_operation_is_a_row_for_both),
        PROBE_CLAIM(test_app_between_two_names_nobody),
        PROBE_CLAIM(test_repeated_operation_gets_the_first_answer),
        PROBE_CLAIM(test_fenced_operation_writes_nothing),
        PROBE_CLAIM(test_own_operation_comes_as_noop_to_its_session),
        PROBE_CLAIM(test_every_order_ends_alike),
    };
    return cmocka_run_group_tests_name("store: operations", tests, NULL, NULL);
}
