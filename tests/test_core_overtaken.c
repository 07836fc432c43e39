/* SPDX-License-Identifier: Apache-2.0 */
/* Pages whose reader was overtaken by what happened meanwhile: what they must
 * not be older than, and that delivery does not suffer. Spec: section 8.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core_pages.h"
#include "core_rig.h"
#include "late_store.h"

#define PHONE roam_v1_DeviceType_PHONE

static struct late_store late;

static bool is_page(const struct roam_store_request *req)
{
    return req->kind == ROAM_STORE_HISTORY ||
           req->kind == ROAM_STORE_CONVERSATIONS;
}

static void release(struct rig *rig)
{
    late_store_release(&late);
    rig_settle(rig);
}

/* rig has its settings. */
static void start_late_with(struct rig *rig)
{
    rig_start(rig);
    roam_core_free(rig->core);
    late_store_open(&late, rig->store, is_page);
    rig->store = &late.store;
    rig_start(rig);
}

static void start_late(struct rig *rig)
{
    rig_init(rig);
    start_late_with(rig);
}

static void test_entries_wait_for_a_page_that_is_being_read(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    start_late(&rig);
    peer_join(&rig, &a, "alice", PHONE);
    peer_join(&rig, &bob, "bob", PHONE);
    peer_send_many(&bob, "alice", 1, 2);
    assert_int_equal(rig_catch_up(&a, NULL, NULL), 2);
    peer_say(&a, say_history(1, "bob", 0, 0));
    peer_send_many(&bob, "alice", 3, 2); /* newer than what was read */
    rig_take_none(&a);
    release(&rig);
    rig_expect_history(&a, 1, 1, 2, false);
    assert_int_equal(rig_catch_up(&a, NULL, NULL), 2); /* nothing is lost */
    assert_int_equal(late.reads, 1);
    peer_say(&a, say_conversations(2, 0, ""));
    peer_send_many(&bob, "alice", 5, 1);
    release(&rig);
    assert_int_equal(
        rig_take(&a, ROAM_CONVERSATION_PAGE)->u.conversation_page.as_of, 4);
    assert_int_equal(rig_catch_up(&a, NULL, NULL), 1);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

static void test_page_older_than_an_answer_is_read_again(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    start_late(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_send_many(&a, "bob", 1, 1);
    rig_take(&a, ROAM_SEND_OK);
    peer_say(&a, say_history(1, "bob", 0, 0));
    peer_say(&a, say_conversations(2, 0, "")); /* waits for its turn */
    peer_send_many(&a, "bob", 2, 1);
    rig_take(&a, ROAM_SEND_OK); /* told of before the page */
    release(&rig);
    rig_take_none(&a);
    release(&rig);
    rig_expect_history(&a, 1, 1, 2, false);
    release(&rig);
    assert_int_equal(
        rig_take(&a, ROAM_CONVERSATION_PAGE)->u.conversation_page.as_of, 2);
    assert_int_equal(late.reads, 3);
    peer_free(&a);
    rig_stop(&rig);
}

static void test_page_older_than_a_head_that_was_told_is_read_again(void **s)
{
    (void)s;
    for (int how = 0; how < 2; how++) {
        struct rig rig;
        struct peer a, bob;
        start_late(&rig);
        peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
        peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
        peer_say(&a, say_conversations(1, 0, ""));
        peer_send_many(&bob, "alice", 1, 1);
        if (how == 0) {
            peer_say(&a, say_ping(1));
            assert_int_equal(rig_take(&a, ROAM_PONG)->u.pong.head, 1);
        } else {
            peer_say(&a, say_sync(0));
            assert_int_equal(rig_take(&a, ROAM_SYNC_OK)->u.sync_ok.head, 1);
        }
        release(&rig);
        release(&rig);
        if (how == 1 && rig_peek(&a) != ROAM_CONVERSATION_PAGE) {
            assert_int_equal(rig_catch_up(&a, NULL, NULL), 1);
        }
        const struct roam_message *m = rig_take(&a, ROAM_CONVERSATION_PAGE);
        assert_int_equal(m->u.conversation_page.count, 1);
        assert_int_equal(m->u.conversation_page.as_of, 1);
        peer_free(&a);
        peer_free(&bob);
        rig_stop(&rig);
    }
}

/* What is too old by the first request is so by the second one. [KEEP-5] */
static void test_page_that_is_read_again_ends_at_the_same_age(void **s)
{
    (void)s;
    struct rig rig;
    struct peer a, bob;
    rig_init(&rig);
    rig.config.heartbeat_ms = 100000000;
    rig.config.history_ms = 1000;
    start_late_with(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    peer_send_many(&bob, "alice", 1, 1); /* old when it is asked for */
    rig_pass(&rig, 1001);
    peer_send_many(&bob, "alice", 2, 1);
    peer_say(&a, say_history(1, "bob", 0, 0));
    peer_send_many(&bob, "alice", 3, 1);
    peer_say(&a, say_ping(1)); /* tells of what the page has not seen */
    rig_take(&a, ROAM_PONG);
    release(&rig);
    release(&rig);
    assert_int_equal(rig_take(&a, ROAM_HISTORY_PAGE)->u.history_page.count, 2);
    peer_say(&a, say_conversations(2, 0, ""));
    peer_send_many(&bob, "alice", 4, 1);
    peer_say(&a, say_ping(2));
    rig_take(&a, ROAM_PONG);
    release(&rig);
    release(&rig);
    struct rig_page page;
    rig_take_page(&a, ROAM_CONVERSATION_PAGE, 2, &page);
    assert_int_equal(page.rows[0].unread, 3);
    free(page.buf);
    assert_int_equal(late.reads, 4);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

static bool is_sync(const struct roam_store_request *req)
{
    return req->kind == ROAM_STORE_SYNC;
}

/* A SYNC that was read before is told later, and takes nothing back. */
static void test_a_head_that_was_told_stands(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    start_late(&rig);
    late.is_late = is_sync;
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    peer_say(&a, say_sync(0));
    peer_send_many(&bob, "alice", 1, 2);
    peer_say(&a, say_ping(1));
    assert_int_equal(rig_take(&a, ROAM_PONG)->u.pong.head, 2);
    release(&rig);
    assert_int_equal(rig_take(&a, ROAM_SYNC_OK)->u.sync_ok.head, 0);
    assert_int_equal(a.session->told, 2);
    assert_int_equal(rig_catch_up(&a, NULL, NULL), 2);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

/* Another process may have committed what the core hears of later: no page is
 * as of more than the entries that can come. */
static void test_page_is_as_of_no_more_than_the_core_knows(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    start_late(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_send_many(&a, "bob", 1, 1);
    rig_take(&a, ROAM_SEND_OK);
    peer_say(&a, say_conversations(1, 0, ""));
    late.kept->u.conversations.head++;
    release(&rig);
    assert_int_equal(
        rig_take(&a, ROAM_CONVERSATION_PAGE)->u.conversation_page.as_of, 1);
    peer_free(&a);
    rig_stop(&rig);
}

/* Page after page, and still every entry comes: delivery has its turn. */
static void test_delivery_goes_on_between_pages(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    start_late(&rig);
    peer_join(&rig, &a, "alice", PHONE);
    peer_join(&rig, &bob, "bob", PHONE);
    size_t entries = 0;
    peer_say(&a, say_history(1, "bob", 0, 0));
    for (uint64_t id = 1; id <= 20; id++) {
        peer_say(&a, say_history(id + 1, "bob", 0, 0));
        peer_send_many(&bob, "alice", id, 1);
        release(&rig);
        rig_take(&a, ROAM_HISTORY_PAGE);
        entries += rig_catch_up(&a, NULL, NULL);
        assert_int_equal(entries, id);
    }
    release(&rig);
    rig_take(&a, ROAM_HISTORY_PAGE);
    rig_take_none(&a);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_wait_for_a_page_that_is_being_read),
        cmocka_unit_test(test_page_older_than_an_answer_is_read_again),
        cmocka_unit_test(
            test_page_older_than_a_head_that_was_told_is_read_again),
        cmocka_unit_test(test_page_that_is_read_again_ends_at_the_same_age),
        cmocka_unit_test(test_a_head_that_was_told_stands),
        cmocka_unit_test(test_page_is_as_of_no_more_than_the_core_knows),
        cmocka_unit_test(test_delivery_goes_on_between_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
