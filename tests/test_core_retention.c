/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept for how long, as sessions see it. Time is the rig's. Spec:
 * section 6.5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "core_rig.h"

#define PHONE roam_v1_DeviceType_PHONE
#define TRIM_MS 5000u

static void start(struct rig *rig, const struct roam_store_keep *keep)
{
    rig_init(rig);
    rig->config.heartbeat_ms = 100000000;
    rig->config.trim_ms = TRIM_MS;
    rig->config.timeline_ms = keep->timeline_ms;
    rig->config.timeline_entries = keep->timeline_entries;
    rig->config.history_ms = keep->history_ms;
    rig_start(rig);
    roam_store_mem_set_keep(rig->store, keep);
    rig_pass(rig, 0); /* the first round is due with the first tick */
}

static uint64_t floor_of(struct rig *rig, uint64_t attempt)
{
    struct peer p;
    peer_connect(rig, &p);
    peer_say(&p, say_login("bob", 1, PHONE, attempt, 0));
    uint64_t floor = rig_take(&p, ROAM_LOGIN_OK)->u.login_ok.floor;
    peer_free(&p);
    return floor;
}

static void test_login_ok_tells_what_is_kept(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig.config.timeline_ms = 11;
    rig.config.timeline_entries = 12;
    rig.config.history_ms = 13;
    rig.config.store_settings.recall_ms = 14;
    rig_start(&rig);
    peer_connect(&rig, &p);
    peer_say(&p, say_login("bob", 1, PHONE, 1, 0));
    const roam_v1_LoginOk *ok = &rig_take(&p, ROAM_LOGIN_OK)->u.login_ok;
    assert_int_equal(ok->timeline_ms, 11);
    assert_int_equal(ok->timeline_entries, 12);
    assert_int_equal(ok->history_ms, 13);
    assert_int_equal(ok->recall_ms, 14);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_old_entries_are_gone_after_the_next_round(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    start(&rig, &(struct roam_store_keep){.timeline_ms = TRIM_MS});
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_send(&a, 1, "bob", "x");
    peer_send(&a, 2, "bob", "x");
    rig_pass(&rig, TRIM_MS); /* as old as it may be */
    assert_int_equal(floor_of(&rig, 1), 0);
    rig_pass(&rig, TRIM_MS - 1);
    assert_int_equal(floor_of(&rig, 2), 0);
    rig_pass(&rig, 1);
    assert_int_equal(floor_of(&rig, 3), 1);
    rig_pass(&rig, 100 * TRIM_MS);
    assert_int_equal(floor_of(&rig, 4), 1); /* never the newest */
    peer_free(&a);
    rig_stop(&rig);
}

static void test_without_limits_there_are_no_rounds(void **state)
{
    (void)state;
    struct rig rig;
    start(&rig, &(struct roam_store_keep){.dedup_ms = 1});
    assert_true(roam_core_deadline(rig.core) == UINT64_MAX);
    rig_stop(&rig);
    start(&rig, &(struct roam_store_keep){.timeline_entries = 1});
    assert_int_equal(roam_core_deadline(rig.core), rig.now.mono_ms + TRIM_MS);
    roam_core_drain(rig.core, rig.now);
    assert_true(roam_core_deadline(rig.core) == UINT64_MAX);
    rig_stop(&rig);
}

static bool refuse_all(void)
{
    return true;
}

static void test_round_without_memory_is_left_out(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    start(&rig, &(struct roam_store_keep){.timeline_ms = 1});
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_send(&a, 1, "bob", "x");
    peer_send(&a, 2, "bob", "x");
    roam__alloc_refuse = refuse_all;
    rig_pass(&rig, TRIM_MS);
    roam__alloc_refuse = NULL;
    assert_int_equal(floor_of(&rig, 1), 0);
    rig_pass(&rig, TRIM_MS);
    assert_int_equal(floor_of(&rig, 2), 1);
    peer_free(&a);
    rig_stop(&rig);
}

static uint32_t rows_of(struct peer *p)
{
    peer_say(p, say_history(1, "bob", 0, 0));
    return rig_take(p, ROAM_HISTORY_PAGE)->u.history_page.count;
}

static uint32_t conversations_of(struct peer *p)
{
    peer_say(p, say_conversations(1, 0, ""));
    return rig_take(p, ROAM_CONVERSATION_PAGE)->u.conversation_page.count;
}

/* Whether it has been erased yet or not. [KEEP-5] */
static void test_history_ends_at_its_age_to_the_millisecond(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    start(&rig, &(struct roam_store_keep){.history_ms = 1000});
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_send(&a, 1, "bob", "x");
    rig_pass(&rig, 1);
    peer_send(&a, 2, "bob", "x");
    rig_pass(&rig, 999);
    assert_int_equal(rows_of(&a), 2);
    rig_pass(&rig, 1);
    assert_int_equal(rows_of(&a), 1);
    assert_int_equal(conversations_of(&a), 1);
    rig_pass(&rig, 1);
    assert_int_equal(rows_of(&a), 0);
    assert_int_equal(conversations_of(&a), 0);
    peer_free(&a);
    rig_stop(&rig);
}

/* Entries in excess go under the eyes of a device that reads them. */
static void test_slow_device_is_told_to_come_back(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    start(&rig, &(struct roam_store_keep){.timeline_entries = 4});
    peer_join(&rig, &a, "alice", PHONE);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    struct roam_message *m = say_sync(0);
    m->u.sync.max_unacked = 4;
    peer_say(&bob, m);
    rig_take(&bob, ROAM_SYNC_OK);
    peer_send_many(&a, "bob", 1, 8); /* 5 to 8 are kept */
    assert_int_equal(rig_catch_up(&bob, NULL, NULL), 4);
    peer_say(&bob, say_ack(4)); /* 4 is the floor: still a link */
    assert_int_equal(rig_catch_up(&bob, NULL, NULL), 4);
    peer_send_many(&a, "bob", 9, 5);
    peer_say(&bob, say_ack(8)); /* 9 is gone, the floor */
    assert_int_equal(
        rig_take_kick(&bob, roam_v1_KickReason_RESYNC)->u.kick.retry,
        roam_v1_Retry_NOW);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

/* By mistake, for a round and a half; and rightly, for good. What was sent
 * first is as old as that clock says when it is removed, and no newer. */
static void test_clock_set_ahead_makes_nothing_old_at_once(void **state)
{
    (void)state; /* [KEEP-8] */
    struct rig rig;
    struct peer a;
    const uint64_t kept_ms = 10 * TRIM_MS;
    const uint64_t ahead_ms = 30 * TRIM_MS + 3600001;
    start(&rig, &(struct roam_store_keep){.timeline_ms = kept_ms});
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_send(&a, 1, "bob", "x");
    peer_send(&a, 2, "bob", "x");
    rig.now.wall_ms += ahead_ms;
    rig_pass(&rig, TRIM_MS);
    assert_int_equal(floor_of(&rig, 1), 0);
    assert_non_null(strstr(rig.log, "clock-ahead ms="));
    rig.now.wall_ms -= ahead_ms;
    rig_pass(&rig, 9 * TRIM_MS); /* as old as it may be */
    assert_int_equal(floor_of(&rig, 2), 0);
    rig_pass(&rig, TRIM_MS);
    assert_int_equal(floor_of(&rig, 3), 1);

    peer_send(&a, 3, "bob", "x");
    peer_send(&a, 4, "bob", "x");
    rig.now.wall_ms += ahead_ms;
    rig_pass(&rig, 5 * TRIM_MS);
    assert_int_equal(floor_of(&rig, 4), 2);
    rig_pass(&rig, TRIM_MS);
    assert_int_equal(floor_of(&rig, 5), 3);
    peer_free(&a);
    rig_stop(&rig);
}

/* Entries that the core has not heard of yet have put all that it knows of
 * out of the timeline. */
static void test_floor_told_is_never_above_the_head_told(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    start(&rig, &(struct roam_store_keep){.timeline_entries = 1});
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    peer_put(&a, say_send(1, "bob", "message 1"));
    peer_put(&a, say_send(2, "bob", "message 2"));
    peer_put(&a, say_send(3, "bob", "message 3"));
    peer_put(&bob, say_sync(0));
    rig_settle(&rig);
    const roam_v1_SyncOk *ok = &rig_take(&bob, ROAM_SYNC_OK)->u.sync_ok;
    assert_int_equal(ok->result, roam_v1_SyncResult_RESET);
    assert_int_equal(ok->reason, roam_v1_ResetReason_NOT_A_LINK);
    assert_int_equal(ok->head, 3);
    assert_int_equal(ok->floor, 2);
    bob.cursor = 3; /* [SYNC-9] */
    peer_say(&a, say_send(4, "bob", "message 4"));
    assert_int_equal(rig_catch_up(&bob, NULL, NULL), 1);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login_ok_tells_what_is_kept),
        cmocka_unit_test(test_old_entries_are_gone_after_the_next_round),
        cmocka_unit_test(test_without_limits_there_are_no_rounds),
        cmocka_unit_test(test_round_without_memory_is_left_out),
        cmocka_unit_test(test_history_ends_at_its_age_to_the_millisecond),
        cmocka_unit_test(test_slow_device_is_told_to_come_back),
        cmocka_unit_test(test_clock_set_ahead_makes_nothing_old_at_once),
        cmocka_unit_test(test_floor_told_is_never_above_the_head_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
