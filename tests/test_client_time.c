/* SPDX-License-Identifier: Apache-2.0 */
/* Time: heartbeats, silence, answers that do not come, coming back. Nothing
 * here sleeps; time is a number. */
#include <string.h>

#include "client_rig.h"

enum {
    HEARTBEAT_MS = 32000
}; /* as rig_say_login_ok() tells */

static void begin(struct rig *r)
{
    rig_prepare(r);
    rig_init(r);
    rig_go_live(r, 0);
}

/* ------------------------------------------------------- heartbeat, silence */

static void test_a_frame_is_sent_within_every_heartbeat(void **unused)
{
    (void)unused; /* TIME-1 */
    static struct rig r;
    begin(&r);
    uint64_t last_ms = r.now_ms;
    for (int i = 0; i < 50; i++) {
        uint64_t due = roam_client_deadline_ms(&r.client);
        assert_true(due > r.now_ms && due - last_ms < HEARTBEAT_MS);
        rig_forget(&r);
        rig_wait(&r, due - r.now_ms);
        assert_frames(&r, "PING\n");
        last_ms = r.now_ms;
        rig_say_pong(&r, 0);
        rig_run(&r);
    }
}

static void test_any_frame_puts_the_heartbeat_off(void **unused)
{
    (void)unused;
    static struct rig r;
    begin(&r);
    for (uint64_t v = 1; v <= 50; v++) {
        rig_wait(&r, HEARTBEAT_MS / 2);
        rig_send(&r, v, "x");
        rig_say_send_ok(&r, v, false);
        rig_run(&r);
    }
    assert_null(strstr(r.frames, "PING"));
}

static void test_silence_is_answered_with_ping_and_then_with_the_end(
    void **unused)
{
    (void)unused; /* TIME-3, at n - 1 and n */
    static struct rig r;
    begin(&r);
    uint64_t start_ms = r.now_ms;
    rig_wait(&r, HEARTBEAT_MS - 1); /* the heartbeat's own PING */
    assert_frames(&r, "PING\n");
    rig_wait(&r, 1);
    assert_frames(&r, "PING\nPING\n");
    rig_wait(&r, 9999);
    assert_events(&r, "");
    assert_true(roam_client_deadline_ms(&r.client) ==
                start_ms + HEARTBEAT_MS + 10000);
    rig_wait(&r, 1);
    assert_events(&r, "CLOSE -24 back\n");
    assert_true(roam_client_deadline_ms(&r.client) == UINT64_MAX);
}

static void test_any_byte_ends_the_silence(void **unused)
{
    (void)unused; /* TIME-3: "nothing came" */
    static struct rig r;
    begin(&r);
    rig_wait(&r, HEARTBEAT_MS);
    rig_wait(&r, 9999);
    rig_say_bytes(&r, "\x80", 1); /* the front of a frame */
    rig_run(&r);
    rig_wait(&r, 20000);
    assert_events(&r, "");
    assert_int_equal(rig_state(&r), ST_LIVE);
}

static void test_a_device_that_slept_asks_before_it_gives_up(void **unused)
{
    (void)unused; /* tick() long after everything was due */
    static struct rig r;
    begin(&r);
    rig_wait(&r, 3600000);
    assert_frames(&r, "PING\n");
    assert_events(&r, "");
    rig_say_pong(&r, 0);
    rig_run(&r);
    rig_wait(&r, 10000);
    assert_int_equal(rig_state(&r), ST_LIVE);
}

static void test_time_never_runs_backwards(void **unused)
{
    (void)unused;
    static struct rig r;
    begin(&r);
    uint64_t due = roam_client_deadline_ms(&r.client);
    roam_client_tick(&r.client, 0);
    roam_client_tick(&r.client, 5);
    assert_true(roam_client_deadline_ms(&r.client) == due);
    rig_run(&r);
    assert_frames(&r, "");
}

static void test_answers_are_waited_for_ten_seconds(void **unused)
{
    (void)unused; /* LOGIN and SYNC, at login and after a gap */
    static struct rig r;
    for (int what = 0; what < 3; what++) {
        rig_prepare(&r);
        rig_init(&r);
        rig_login(&r);
        if (what >= 1) {
            rig_wait(&r, 5000);
            rig_say_login_ok(&r, 1);
            rig_run(&r);
        }
        if (what == 2) {
            rig_say_sync_ok(&r, roam_v1_SyncResult_UP_TO_DATE, 0);
            rig_run(&r);
            rig_wait(&r, 5000);
            rig_say_push(&r, 9, 8, "gap");
            rig_run(&r);
        }
        rig_forget(&r);
        assert_true(roam_client_deadline_ms(&r.client) == r.now_ms + 10000);
        rig_wait(&r, 9999);
        assert_events(&r, "");
        rig_wait(&r, 1);
        assert_events(&r, "CLOSE -24 back\n");
    }
}

static void test_the_answer_time_is_the_configs(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    r.config.answer_timeout_ms = 200;
    rig_init(&r);
    rig_login(&r);
    rig_wait(&r, 199);
    assert_events(&r, "");
    rig_wait(&r, 1);
    assert_events(&r, "CLOSE -24 back\n");
}

/* ------------------------------------------------------------ PONG's head */

static void test_entries_missing_at_the_next_pong_are_asked_for(void **unused)
{
    (void)unused; /* PING-3 */
    static struct rig r;
    begin(&r);
    rig_say_pong(&r, 5);
    rig_run(&r);
    assert_frames(&r, "");
    rig_say_pong(&r, 5);
    rig_run(&r);
    assert_frames(&r, "SYNC 0\n");
    rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, 5);
    rig_say_push(&r, 5, 0, "there");
    rig_say_pong(&r, 5);
    rig_say_pong(&r, 5);
    rig_run(&r);
    assert_events(&r, "ENTRY 5<0 bob:there\nSYNCED 5\n");
    assert_frames(&r, "SYNC 0\n");
}

static void test_a_pong_below_the_expected_head_proves_nothing(void **unused)
{
    (void)unused; /* PING-3: "a head at or above that one" */
    static struct rig r;
    begin(&r);
    rig_say_pong(&r, 5);
    rig_say_pong(&r, 4);
    rig_run(&r);
    assert_frames(&r, "");
}

static void test_a_stream_that_moved_and_stopped_is_asked_for(void **unused)
{
    (void)unused; /* and may be so more than once */
    static struct rig r;
    begin(&r);
    for (uint64_t v = 1; v <= 3; v++) {
        rig_say_push(&r, v, v - 1, "x");
        rig_say_pong(&r, v + 1);
        rig_wait(&r, 10);
        rig_wait(&r, ROAM_ACK_DELAY_MS);
        rig_forget(&r);
        rig_say_pong(&r, v + 1);
        rig_run(&r);
        char expected[32];
        snprintf(expected, sizeof expected, "SYNC %d\n", (int)v);
        assert_frames(&r, expected);
        rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, v + 1);
        rig_run(&r);
        assert_int_equal(rig_state(&r), ST_LIVE);
    }
}

static void test_a_stream_that_moves_is_not_interrupted(void **unused)
{
    (void)unused;
    static struct rig r;
    begin(&r);
    for (uint64_t v = 1; v <= 20; v++) {
        rig_say_pong(&r, 1000);
        rig_say_push(&r, v, v - 1, "slow");
        rig_run(&r);
        rig_wait(&r, ROAM_ACK_DELAY_MS);
    }
    assert_null(strstr(r.frames, "SYNC"));
}

static void test_a_server_that_waits_for_our_ack_is_not_asked(void **unused)
{
    (void)unused;
    static struct rig r;
    begin(&r);
    r.store = false;
    rig_say_push(&r, 1, 0, "not stored yet");
    rig_say_pong(&r, 5);
    rig_say_pong(&r, 5);
    rig_say_pong(&r, 5);
    rig_run(&r);
    assert_frames(&r, "");
}

static void test_a_server_that_withholds_entries_is_left(void **unused)
{
    (void)unused; /* SYNC did not help either */
    static struct rig r;
    begin(&r);
    rig_say_pong(&r, 5);
    rig_say_pong(&r, 5);
    rig_run(&r);
    assert_frames(&r, "SYNC 0\n");
    rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, 5);
    rig_say_pong(&r, 5);
    rig_run(&r);
    assert_events(&r, "");
    rig_say_pong(&r, 5);
    rig_run(&r);
    assert_events(&r, "CLOSE -25 back\n");
}

static void test_an_answer_to_a_sync_not_yet_written_ends_the_connection(
    void **unused)
{
    (void)unused;
    static struct rig r;
    begin(&r);
    r.pull = false;
    rig_say_pong(&r, 5);
    rig_say_pong(&r, 5);
    rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, 5);
    rig_run(&r);
    assert_int_equal(r.feed_error, ROAM_STATUS_UNEXPECTED);
}

/* ------------------------------------------------------------- coming back */

static uint64_t lose_and_measure(struct rig *r)
{
    roam_client_closed(&r->client, r->now_ms);
    rig_drain(r);
    assert_int_equal(r->last_event.type, ROAM_EVENT_CLOSE);
    assert_true(r->last_event.u.close.reconnect);
    uint64_t at_ms = r->last_event.u.close.reconnect_at_ms;
    assert_true(at_ms >= r->now_ms);
    uint64_t wait_ms = at_ms - r->now_ms;
    r->now_ms = at_ms;
    return wait_ms;
}

static void test_waits_are_random_below_a_bound_that_doubles(void **unused)
{
    (void)unused; /* TIME-6 */
    static struct rig r;
    enum {
        SEEDS = 400,
        FAILURES = 12
    };
    static uint64_t highest[FAILURES], lowest[FAILURES];
    memset(highest, 0, sizeof highest);
    memset(lowest, 0xff, sizeof lowest);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        rig_prepare(&r);
        r.config.random_seed = seed;
        rig_init(&r);
        uint64_t bound = 500;
        for (int i = 0; i < FAILURES; i++) {
            if (i % 2 == 0) { /* connected or not is the same failure */
                rig_login(&r);
            }
            uint64_t wait_ms = lose_and_measure(&r);
            assert_true(wait_ms >= 1 && wait_ms <= bound);
            highest[i] = wait_ms > highest[i] ? wait_ms : highest[i];
            lowest[i] = wait_ms < lowest[i] ? wait_ms : lowest[i];
            bound = bound * 2 < 60000 ? bound * 2 : 60000;
        }
    }
    /* Spread over the whole range: the chance that none of 400 falls into
     * the upper or lower twentieth is below 2 in a billion each. */
    uint64_t bound = 500;
    for (int i = 0; i < FAILURES; i++) {
        assert_true(highest[i] > bound - bound / 20);
        assert_true(lowest[i] < bound / 20);
        bound = bound * 2 < 60000 ? bound * 2 : 60000;
    }
}

static void test_devices_with_different_seeds_do_not_come_back_together(
    void **unused)
{
    (void)unused;
    static struct rig r;
    static uint64_t waits[64];
    unsigned same = 0;
    for (uint64_t seed = 0; seed < 64; seed++) {
        rig_prepare(&r);
        r.config.random_seed = seed;
        rig_init(&r);
        waits[seed] = lose_and_measure(&r);
        for (uint64_t other = 0; other < seed; other++) {
            same += waits[other] == waits[seed];
        }
    }
    assert_true(same < 30); /* 64 out of 500: about 4 pairs */
}

static void test_a_session_that_lasted_starts_the_waits_anew(void **unused)
{
    (void)unused;
    static struct rig r;
    uint64_t highest = 0;
    uint64_t later = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        rig_prepare(&r);
        r.config.random_seed = seed;
        rig_init(&r);
        for (int i = 0; i < 10; i++) {
            (void)lose_and_measure(&r);
        }
        rig_go_live(&r, 0);
        r.now_ms += 60000;
        uint64_t wait_ms = lose_and_measure(&r);
        highest = wait_ms > highest ? wait_ms : highest;
        /* But only once: what fails behind it counts. */
        r.now_ms += 60000;
        for (int i = 0; i < 9; i++) {
            wait_ms = lose_and_measure(&r);
        }
        later = wait_ms > later ? wait_ms : later;
    }
    assert_true(highest <= 500);
    assert_true(later > 55000);
}

static void test_one_device_does_not_wait_the_same_time_again(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    r.config.backoff_first_ms = 500;
    r.config.backoff_max_ms = 500;
    rig_init(&r);
    uint64_t before = UINT64_MAX;
    unsigned same = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t wait_ms = lose_and_measure(&r);
        assert_true(wait_ms <= 500);
        same += wait_ms == before;
        before = wait_ms;
    }
    assert_true(same < 5);
}

static void test_sessions_that_end_at_once_back_off_all_the_same(void **unused)
{
    (void)unused;
    static struct rig r;
    uint64_t highest = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        rig_prepare(&r);
        r.config.random_seed = seed;
        rig_init(&r);
        uint64_t wait_ms = 0;
        for (int i = 0; i < 10; i++) {
            rig_go_live(&r, 0);
            wait_ms = lose_and_measure(&r);
        }
        highest = wait_ms > highest ? wait_ms : highest;
    }
    assert_true(highest > 55000);
}

static uint64_t kick_and_measure(struct rig *r, roam_v1_Retry retry,
                                 uint32_t window_ms)
{
    rig_go_live(r, 0);
    rig_say_kick(r, roam_v1_KickReason_GOING_AWAY, retry, window_ms);
    rig_run(r);
    assert_true(r->last_event.u.close.reconnect);
    uint64_t wait_ms = r->last_event.u.close.reconnect_at_ms - r->now_ms;
    rig_lose(r);
    return wait_ms;
}

static void test_after_spreads_the_return_over_the_window(void **unused)
{
    (void)unused; /* KICK-8 */
    static struct rig r;
    uint64_t highest = 0;
    uint64_t lowest = UINT64_MAX;
    for (uint64_t seed = 0; seed < 400; seed++) {
        rig_prepare(&r);
        r.config.random_seed = seed;
        rig_init(&r);
        uint64_t wait_ms = kick_and_measure(&r, roam_v1_Retry_AFTER, 1000000);
        assert_true(wait_ms <= 1000000);
        highest = wait_ms > highest ? wait_ms : highest;
        lowest = wait_ms < lowest ? wait_ms : lowest;
    }
    assert_true(highest > 950000);
    assert_true(lowest < 50000);
}

static void test_after_waits_at_least_the_back_off(void **unused)
{
    (void)unused; /* KICK-8, with a window of nothing */
    static struct rig r;
    uint64_t highest = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        rig_prepare(&r);
        r.config.random_seed = seed;
        rig_init(&r);
        for (int i = 0; i < 9; i++) {
            (void)kick_and_measure(&r, roam_v1_Retry_AFTER, 0);
        }
        uint64_t wait_ms = kick_and_measure(&r, roam_v1_Retry_AFTER, 1);
        highest = wait_ms > highest ? wait_ms : highest;
    }
    assert_true(highest > 55000);
}

static void test_now_is_at_once_but_only_once(void **unused)
{
    (void)unused; /* section 12.4 */
    static struct rig r;
    uint64_t highest = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        rig_prepare(&r);
        r.config.random_seed = seed;
        rig_init(&r);
        assert_true(kick_and_measure(&r, roam_v1_Retry_NOW, 0) == 0);
        uint64_t wait_ms = kick_and_measure(&r, roam_v1_Retry_NOW, 0);
        assert_true(wait_ms <= 1000);
        highest = wait_ms > highest ? wait_ms : highest;
    }
    assert_true(highest > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_frame_is_sent_within_every_heartbeat),
        cmocka_unit_test(test_any_frame_puts_the_heartbeat_off),
        cmocka_unit_test(
            test_silence_is_answered_with_ping_and_then_with_the_end),
        cmocka_unit_test(test_any_byte_ends_the_silence),
        cmocka_unit_test(test_a_device_that_slept_asks_before_it_gives_up),
        cmocka_unit_test(test_time_never_runs_backwards),
        cmocka_unit_test(test_answers_are_waited_for_ten_seconds),
        cmocka_unit_test(test_the_answer_time_is_the_configs),
        cmocka_unit_test(test_entries_missing_at_the_next_pong_are_asked_for),
        cmocka_unit_test(test_a_pong_below_the_expected_head_proves_nothing),
        cmocka_unit_test(test_a_stream_that_moved_and_stopped_is_asked_for),
        cmocka_unit_test(test_a_stream_that_moves_is_not_interrupted),
        cmocka_unit_test(test_a_server_that_waits_for_our_ack_is_not_asked),
        cmocka_unit_test(test_a_server_that_withholds_entries_is_left),
        cmocka_unit_test(
            test_an_answer_to_a_sync_not_yet_written_ends_the_connection),
        cmocka_unit_test(test_waits_are_random_below_a_bound_that_doubles),
        cmocka_unit_test(
            test_devices_with_different_seeds_do_not_come_back_together),
        cmocka_unit_test(test_a_session_that_lasted_starts_the_waits_anew),
        cmocka_unit_test(test_one_device_does_not_wait_the_same_time_again),
        cmocka_unit_test(test_sessions_that_end_at_once_back_off_all_the_same),
        cmocka_unit_test(test_after_spreads_the_return_over_the_window),
        cmocka_unit_test(test_after_waits_at_least_the_back_off),
        cmocka_unit_test(test_now_is_at_once_but_only_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
