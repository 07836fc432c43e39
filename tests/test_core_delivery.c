/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery through the core: who gets which entry, in what form, and that
 * nothing is lost between the live tail and the backlog. Spec: section 6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core_rig.h"
#include "late_store.h"

#define PHONE roam_v1_DeviceType_PHONE
#define DESKTOP roam_v1_DeviceType_DESKTOP
#define MESSAGE roam_v1_Kind_MESSAGE
#define NOOP roam_v1_Kind_NOOP

static void start(struct rig *rig)
{
    rig_init(rig);
    rig_start(rig);
}

static void test_message_reaches_receiver_and_siblings(void **state)
{
    (void)state;
    struct rig rig;
    struct peer phone, desktop, bob;
    start(&rig);
    peer_join(&rig, &phone, "alice", PHONE);
    peer_join(&rig, &desktop, "alice", DESKTOP);
    peer_join(&rig, &bob, "bob", PHONE);
    struct roam_message *m = say_send(42, "bob", "hello");
    strcpy(m->u.send.content_type, "text/markdown");
    peer_say(&phone, m);
    uint64_t msg_id = rig_take(&phone, ROAM_SEND_OK)->u.send_ok.msg_id;
    assert_int_equal(msg_id >> ROAM_MSG_ID_TIME_SHIFT,
                     rig.now.wall_ms - ROAM_EPOCH_UNIX_MS);

    const roam_v1_Push *push = &rig_take(&phone, ROAM_PUSH)->u.push;
    assert_int_equal(push->kind, NOOP); /* [PUSH-2] */
    assert_int_equal(push->version, 1);
    assert_int_equal(push->msg_id, 0);
    assert_int_equal(push->client_msg_id, 0);
    assert_string_equal(push->conversation, "");

    const struct roam_message *got = rig_take(&desktop, ROAM_PUSH);
    push = &got->u.push;
    assert_int_equal(push->kind, MESSAGE);
    assert_int_equal(push->version, 1);
    assert_int_equal(push->prev_version, 0);
    assert_int_equal(push->msg_id, msg_id);
    assert_string_equal(push->conversation, "bob");
    assert_string_equal(push->sender, "alice");
    assert_string_equal(push->content_type, "text/markdown");
    assert_int_equal(push->client_msg_id, 0); /* [PUSH-4] */
    assert_int_equal(got->body.len, 5);
    assert_memory_equal(got->body.data, "hello", 5);

    push = &rig_take(&bob, ROAM_PUSH)->u.push;
    assert_int_equal(push->msg_id, msg_id);
    assert_string_equal(push->conversation, "alice");
    assert_string_equal(push->sender, "alice");
    assert_int_equal(push->client_msg_id, 0);
    rig_take_none(&phone);
    rig_take_none(&desktop);
    rig_take_none(&bob);
    peer_free(&phone);
    peer_free(&desktop);
    peer_free(&bob);
    rig_stop(&rig);
}

static void test_note_to_self_is_one_entry(void **state)
{
    (void)state;
    struct rig rig;
    struct peer phone, desktop;
    start(&rig);
    peer_join(&rig, &phone, "alice", PHONE);
    peer_join(&rig, &desktop, "alice", DESKTOP);
    peer_send(&phone, 1, "alice", "milk");
    const roam_v1_Push *push = &rig_take(&desktop, ROAM_PUSH)->u.push;
    assert_string_equal(push->conversation, "alice");
    assert_string_equal(push->sender, "alice");
    rig_take_none(&desktop);
    assert_int_equal(rig_take(&phone, ROAM_PUSH)->u.push.kind, NOOP);
    rig_take_none(&phone);
    peer_free(&phone);
    peer_free(&desktop);
    rig_stop(&rig);
}

static void test_nothing_is_delivered_without_sync(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    start(&rig);
    peer_join(&rig, &a, "alice", PHONE);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    peer_send_many(&a, "bob", 1, 3);
    rig_take_none(&bob);
    peer_sync(&bob, 0);
    struct rig_expected x = {.next_id = 1};
    assert_int_equal(rig_catch_up(&bob, rig_expect_next, &x), 3);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

static void test_backlog_comes_as_batch_and_goes_over_into_live(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    start(&rig);
    peer_join(&rig, &a, "alice", PHONE);
    peer_send_many(&a, "bob", 1, 50);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    peer_say(&bob, say_sync(0));
    const roam_v1_SyncOk *ok = &rig_take(&bob, ROAM_SYNC_OK)->u.sync_ok;
    assert_int_equal(ok->result, roam_v1_SyncResult_DELTA);
    assert_int_equal(ok->head, 50);
    assert_int_equal(rig_peek(&bob), ROAM_BATCH);
    struct rig_expected x = {.next_id = 1};
    assert_int_equal(rig_catch_up(&bob, rig_expect_next, &x), 50);
    peer_send_many(&a, "bob", 51, 1);
    assert_int_equal(rig_peek(&bob), ROAM_PUSH);
    assert_int_equal(rig_catch_up(&bob, rig_expect_next, &x), 1);
    assert_int_equal(x.client_msg_ids, 0);
    assert_int_equal(x.noops, 0);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

static void test_entries_stored_while_syncing_are_not_lost(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    start(&rig);
    peer_join(&rig, &a, "alice", PHONE);
    peer_send_many(&a, "bob", 1, 3);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    /* In one queue: SYNC between two SENDs, then one behind the READ. */
    peer_put(&a, say_send(4, "bob", "message 4"));
    peer_put(&bob, say_sync(0));
    peer_put(&a, say_send(5, "bob", "message 5"));
    roam_core_poll(rig.core, rig.now);
    peer_put(&a, say_send(6, "bob", "message 6"));
    rig_settle(&rig);
    assert_int_equal(rig_take(&bob, ROAM_SYNC_OK)->u.sync_ok.head, 3);
    struct rig_expected x = {.next_id = 1};
    assert_int_equal(rig_catch_up(&bob, rig_expect_next, &x), 6);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

static void test_own_entries_in_catch_up(void **state)
{
    (void)state;
    struct rig rig;
    struct peer phone, desktop;
    start(&rig);
    peer_join(&rig, &phone, "alice", PHONE);
    peer_send_many(&phone, "bob", 1, 4);
    rig_catch_up(&phone, NULL, NULL);
    peer_free(&phone);
    /* The same device later: with client_msg_id, which completes its outbox;
     * what this very session sends: as NOOP, also behind a second SYNC. */
    peer_login(&rig, &phone, "alice", PHONE, PHONE, 2, 0);
    peer_send_many(&phone, "bob", 5, 2);
    rig_take(&phone, ROAM_SEND_OK);
    rig_take(&phone, ROAM_SEND_OK);
    for (int round = 0; round < 2; round++) {
        peer_sync(&phone, 0);
        struct rig_expected x = {.next_id = 1};
        assert_int_equal(rig_catch_up(&phone, rig_expect_next, &x), 6);
        assert_int_equal(x.client_msg_ids, 4);
        assert_int_equal(x.noops, 2);
    }
    /* A sibling: in full, without it. */
    peer_join(&rig, &desktop, "alice", DESKTOP);
    struct rig_expected x = {.next_id = 1};
    assert_int_equal(rig_catch_up(&desktop, rig_expect_next, &x), 6);
    assert_int_equal(x.client_msg_ids, 0);
    assert_int_equal(x.noops, 0);
    peer_free(&phone);
    peer_free(&desktop);
    rig_stop(&rig);
}

static void test_window_is_never_exceeded_and_acks_go_on_from_the_log(void **st)
{
    (void)st;
    struct rig rig;
    struct peer a, bob;
    start(&rig);
    peer_join(&rig, &a, "alice", PHONE);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    struct roam_message *m = say_sync(0);
    m->u.sync.max_unacked = 4;
    peer_say(&bob, m);
    rig_take(&bob, ROAM_SYNC_OK);
    struct rig_expected x = {.next_id = 1};
    peer_send_many(&a, "bob", 1, 10);
    assert_int_equal(rig_catch_up(&bob, rig_expect_next, &x), 4);
    peer_say(&bob, say_ack(1));
    assert_int_equal(rig_catch_up(&bob, rig_expect_next, &x), 1);
    peer_say(&bob, say_ack(1)); /* frees nothing */
    assert_int_equal(rig_catch_up(&bob, rig_expect_next, &x), 0);
    peer_say(&bob, say_ack(5));
    assert_int_equal(rig_catch_up(&bob, rig_expect_next, &x), 4);
    peer_say(&bob, say_ack(9));
    assert_int_equal(rig_catch_up(&bob, rig_expect_next, &x), 1);
    assert_int_equal(bob.session->window.count, 1);
    peer_say(&bob, say_ack(10));
    assert_null(bob.session->window.ring); /* nothing in flight */
    peer_send_many(&a, "bob", 11, 1);
    assert_int_equal(rig_catch_up(&bob, rig_expect_next, &x), 1);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

static void test_server_uses_no_more_than_its_own_window(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    rig_init(&rig);
    rig.config.max_unacked = 5;
    rig_start(&rig);
    peer_join(&rig, &a, "alice", PHONE);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    peer_say(&bob, say_sync(0)); /* asks for 1000 */
    const struct roam_message *ok = rig_take(&bob, ROAM_SYNC_OK);
    assert_int_equal(ok->u.sync_ok.max_unacked, 5); /* [ACK-8] */
    peer_send_many(&a, "bob", 1, 8);
    assert_int_equal(rig_catch_up(&bob, NULL, NULL), 5);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

static void test_second_sync_starts_anew_and_old_reads_are_dropped(void **st)
{
    (void)st;
    struct rig rig;
    struct peer a, bob;
    start(&rig);
    peer_join(&rig, &a, "alice", PHONE);
    peer_send_many(&a, "bob", 1, 6);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    struct roam_message *m = say_sync(0);
    m->u.sync.max_unacked = 4;
    peer_put(&bob, m);
    roam_core_poll(rig.core, rig.now); /* SYNC_OK; its READ is queued */
    rig_flush(&rig);
    rig_take(&bob, ROAM_SYNC_OK);
    assert_true(bob.session->reading);
    peer_say(&bob, say_sync(2));
    rig_take(&bob, ROAM_SYNC_OK);
    bob.cursor = 2;
    struct rig_expected x = {.next_id = 3};
    assert_int_equal(rig_catch_up(&bob, rig_expect_next, &x), 4);
    /* Nothing is in flight in the new delivery, and its window is new. */
    m = say_sync(2);
    m->u.sync.max_unacked = 4;
    peer_say(&bob, m);
    rig_take(&bob, ROAM_SYNC_OK);
    bob.cursor = 2;
    x = (struct rig_expected){.next_id = 3};
    assert_int_equal(rig_catch_up(&bob, rig_expect_next, &x), 4);
    assert_int_equal(bob.session->window.count, 4);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

static bool is_read(const struct roam_store_request *req)
{
    return req->kind == ROAM_STORE_READ;
}

static void test_read_of_an_older_delivery_is_dropped_however_late(void **st)
{
    (void)st;
    struct rig rig;
    struct peer a, bob;
    start(&rig);
    struct late_store late;
    late_store_open(&late, rig.store, is_read);
    peer_join(&rig, &a, "alice", PHONE);
    peer_send_many(&a, "bob", 1, 6);
    rig.core->config.store = &late.store;
    peer_join(&rig, &bob, "bob", PHONE);
    rig_take_none(&bob); /* its entries are in the READ held back */
    late.is_late = NULL;
    peer_sync(&bob, 0); /* and come with the second delivery */
    struct rig_expected x = {.next_id = 1};
    assert_int_equal(rig_catch_up(&bob, rig_expect_next, &x), 6);
    late_store_release(&late);
    rig_settle(&rig);
    rig_take_none(&bob);
    assert_int_equal(bob.session->window.count, 6);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

static void sync_case(struct peer *p, uint64_t cursor, uint32_t max_entries,
                      roam_v1_SyncResult result, roam_v1_ResetReason reason)
{
    struct roam_message *m = say_sync(cursor);
    m->u.sync.max_entries = max_entries;
    peer_say(p, m);
    const roam_v1_SyncOk *ok = &rig_take(p, ROAM_SYNC_OK)->u.sync_ok;
    assert_int_equal(ok->result, result);
    assert_int_equal(ok->reason, reason);
    uint64_t head = ok->head;
    p->cursor = result == roam_v1_SyncResult_RESET ? head : cursor;
    rig_catch_up(p, NULL, NULL);
    assert_int_equal(p->cursor, head); /* [SYNC-5] */
}

static void test_sync_tells_up_to_date_delta_and_every_reset(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    start(&rig);
    peer_join(&rig, &a, "alice", PHONE);
    peer_send_many(&a, "bob", 1, 10);
    roam_store_mem_trim(rig.store, "bob", 3); /* floor 3, head 10 */
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    sync_case(&bob, 10, 0, roam_v1_SyncResult_UP_TO_DATE, 0);
    sync_case(&bob, 3, 7, roam_v1_SyncResult_DELTA, 0);
    sync_case(&bob, 9, 1, roam_v1_SyncResult_DELTA, 0);
    sync_case(&bob, 3, 6, roam_v1_SyncResult_RESET,
              roam_v1_ResetReason_TOO_MANY);
    sync_case(&bob, 9, 0, roam_v1_SyncResult_RESET,
              roam_v1_ResetReason_TOO_MANY);
    sync_case(&bob, 2, 100, roam_v1_SyncResult_RESET,
              roam_v1_ResetReason_NOT_A_LINK);
    sync_case(&bob, 0, 0, roam_v1_SyncResult_RESET,
              roam_v1_ResetReason_NOT_A_LINK);
    sync_case(&bob, 11, 100, roam_v1_SyncResult_RESET,
              roam_v1_ResetReason_AHEAD);
    /* Delivery goes on from the head told. */
    peer_send_many(&a, "bob", 11, 1);
    assert_int_equal(rig_catch_up(&bob, NULL, NULL), 1);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

static void test_reader_overtaken_by_trimming_is_told_to_come_back(void **st)
{
    (void)st;
    struct rig rig;
    struct peer a, bob;
    start(&rig);
    peer_join(&rig, &a, "alice", PHONE);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    struct roam_message *m = say_sync(0);
    m->u.sync.max_unacked = 4;
    peer_say(&bob, m);
    rig_take(&bob, ROAM_SYNC_OK);
    peer_send_many(&a, "bob", 1, 10);
    assert_int_equal(rig_catch_up(&bob, NULL, NULL), 4);
    roam_store_mem_trim(rig.store, "bob", 8);
    peer_say(&bob, say_ack(4));
    assert_int_equal(
        rig_take_kick(&bob, roam_v1_KickReason_RESYNC)->u.kick.retry,
        roam_v1_Retry_NOW);
    peer_free(&bob);
    peer_login(&rig, &bob, "bob", 1, PHONE, 2, 0);
    sync_case(&bob, 4, 100, roam_v1_SyncResult_RESET,
              roam_v1_ResetReason_NOT_A_LINK);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

static void test_pong_head_is_never_below_what_was_confirmed(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    start(&rig);
    peer_join(&rig, &a, "alice", PHONE);
    peer_join(&rig, &bob, "bob", PHONE);
    for (uint64_t id = 1; id <= 20; id++) {
        peer_put(&a, say_send(id, "bob", "x"));
        peer_put(&bob, say_ping(id)); /* before the store answers */
        rig_settle(&rig);
        rig_take(&a, ROAM_SEND_OK);
        assert_int_equal(rig_take(&bob, ROAM_PONG)->u.pong.head, id - 1);
        rig_take(&bob, ROAM_PUSH);
        peer_say(&bob, say_ping(id)); /* after SEND_OK */
        const roam_v1_Pong *pong = &rig_take(&bob, ROAM_PONG)->u.pong;
        assert_int_equal(pong->id, id);
        assert_int_equal(pong->head, id);
        rig_catch_up(&a, NULL, NULL);
    }
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_reaches_receiver_and_siblings),
        cmocka_unit_test(test_note_to_self_is_one_entry),
        cmocka_unit_test(test_nothing_is_delivered_without_sync),
        cmocka_unit_test(test_backlog_comes_as_batch_and_goes_over_into_live),
        cmocka_unit_test(test_entries_stored_while_syncing_are_not_lost),
        cmocka_unit_test(test_own_entries_in_catch_up),
        cmocka_unit_test(
            test_window_is_never_exceeded_and_acks_go_on_from_the_log),
        cmocka_unit_test(test_server_uses_no_more_than_its_own_window),
        cmocka_unit_test(
            test_second_sync_starts_anew_and_old_reads_are_dropped),
        cmocka_unit_test(
            test_read_of_an_older_delivery_is_dropped_however_late),
        cmocka_unit_test(test_sync_tells_up_to_date_delta_and_every_reset),
        cmocka_unit_test(
            test_reader_overtaken_by_trimming_is_told_to_come_back),
        cmocka_unit_test(test_pong_head_is_never_below_what_was_confirmed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
