/* SPDX-License-Identifier: Apache-2.0 */
/* What is acked, when; the window. */
#include <string.h>

#include "client_rig.h"

/* ---------------------------------------------------------------------- ACK */

static void test_ack_goes_at_half_the_window(void **unused)
{
    (void)unused; /* ACK-2, rounded down: n - 1 waits, n goes */
    static const uint32_t windows[] = {4, 5, 8, 9, 100};
    static struct rig r;
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        rig_prepare(&r);
        r.config.max_unacked = windows[i];
        rig_init(&r);
        rig_go_live(&r, 0);
        uint64_t half = windows[i] / 2;
        for (uint64_t v = 1; v < half; v++) {
            rig_say_push(&r, v, v - 1, "x");
        }
        rig_run(&r);
        assert_frames(&r, "");
        rig_say_noop(&r, half, half - 1); /* NOOPs count */
        rig_run(&r);
        char expected[32];
        snprintf(expected, sizeof expected, "ACK %d\n", (int)half);
        assert_frames(&r, expected);
        /* And the same again: the count starts anew with each ACK... */
        for (uint64_t v = half + 1; v < 2 * half; v++) {
            rig_say_push(&r, v, v - 1, "x");
            rig_run(&r);
        }
        assert_frames(&r, expected);
        /* ... and with each SYNC. */
        rig_say_push(&r, 999, 998, "gap");
        rig_run(&r);
        rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, 999);
        for (uint64_t v = 2 * half; v < 3 * half - 1; v++) {
            rig_say_push(&r, v, v - 1, "x");
            rig_run(&r);
            rig_wait(&r, 1);
        }
        assert_null(strstr(r.frames + strlen(expected), "ACK"));
        rig_say_push(&r, 3 * half - 1, 3 * half - 2, "x");
        rig_run(&r);
        assert_int_equal(r.last_frame.type, ROAM_ACK);
        assert_true(r.last_frame.u.ack.version == 3 * half - 1);
    }
}

static void test_ack_goes_at_half_of_a_smaller_window_told(void **unused)
{
    (void)unused; /* ACK-8: and a wider one than named is not believed */
    static const struct {
        uint32_t told, half;
    } cases[] = {{4, 2}, {9, 4}, {20, 10}, {22, 10}, {0, 10}};
    static struct rig r;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_prepare(&r);
        r.config.max_unacked = 20;
        rig_init(&r);
        rig_go_live(&r, 0);
        rig_say_push(&r, 999, 998, "gap"); /* SYNC again */
        rig_run(&r);
        struct roam_message m;
        roam_message_init(&m, ROAM_SYNC_OK);
        m.u.sync_ok.result = roam_v1_SyncResult_DELTA;
        m.u.sync_ok.head = 999;
        m.u.sync_ok.max_unacked = cases[i].told;
        rig_say(&r, &m);
        rig_run(&r);
        rig_forget(&r);
        for (uint64_t v = 1; v < cases[i].half; v++) {
            rig_say_push(&r, v, v - 1, "x");
            rig_run(&r);
        }
        assert_frames(&r, "");
        rig_say_push(&r, cases[i].half, cases[i].half - 1, "x");
        rig_run(&r);
        assert_int_equal(r.last_frame.type, ROAM_ACK);
        assert_true(r.last_frame.u.ack.version == cases[i].half);
    }
}

static void test_rows_of_a_batch_count_for_the_ack(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r); /* max_unacked 8 */
    rig_init(&r);
    rig_go_live(&r, 0);
    rig_say_batch(&r, 0, 3, false);
    rig_run(&r);
    assert_frames(&r, "");
    rig_say_batch(&r, 3, 3, false);
    rig_run(&r);
    assert_frames(&r, "ACK 6\n"); /* due at 4, written after the drain */
}

static void test_less_than_half_is_acked_after_a_second(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 0);
    rig_say_push(&r, 1, 0, "x");
    rig_run(&r);
    assert_true(roam_client_deadline_ms(&r.client) ==
                r.now_ms + ROAM_ACK_DELAY_MS);
    rig_wait(&r, 400);
    rig_say_push(&r, 2, 1, "y"); /* does not put it off */
    rig_run(&r);
    rig_wait(&r, ROAM_ACK_DELAY_MS - 401);
    assert_frames(&r, "");
    rig_wait(&r, 1);
    assert_frames(&r, "ACK 2\n");
    rig_wait(&r, 5000);
    assert_frames(&r, "ACK 2\n");
}

static void test_an_ack_starts_its_second_anew(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 0);
    for (uint64_t v = 1; v <= 4; v++) { /* half of the window */
        rig_say_push(&r, v, v - 1, "x");
        rig_run(&r);
    }
    assert_frames(&r, "ACK 4\n");
    rig_wait(&r, ROAM_ACK_DELAY_MS);
    rig_say_push(&r, 5, 4, "x");
    rig_run(&r);
    rig_wait(&r, ROAM_ACK_DELAY_MS - 1);
    assert_frames(&r, "ACK 4\n");
    rig_wait(&r, 1);
    assert_frames(&r, "ACK 4\nACK 5\n");
}

static void test_an_ack_due_before_a_sync_is_not_due_behind_it(void **unused)
{
    (void)unused; /* SYNC says all that the ACK would have said */
    static struct rig r;
    for (uint64_t n = 1; n <= 4; n += 3) { /* by time, and by the window */
        rig_prepare(&r);
        rig_init(&r);
        rig_go_live(&r, 0);
        r.pull = false;
        for (uint64_t v = 1; v <= n; v++) {
            rig_say_push(&r, v, v - 1, "x");
        }
        rig_run(&r);
        rig_wait(&r, ROAM_ACK_DELAY_MS - 100);
        rig_say_push(&r, 99, 98, "gap");
        rig_run(&r);
        r.pull = true;
        rig_run(&r);
        rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, 99);
        rig_say_push(&r, n + 1, n, "x");
        rig_run(&r);
        rig_wait(&r, ROAM_ACK_DELAY_MS - 1);
        assert_int_equal(r.last_frame.type, ROAM_SYNC);
        rig_wait(&r, 1);
        assert_int_equal(r.last_frame.type, ROAM_ACK);
        assert_true(r.last_frame.u.ack.version == n + 1);
    }
}

static void test_rows_dropped_as_old_count_for_the_ack(void **unused)
{
    (void)unused; /* they are in flight like any other */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    r.store = false;
    rig_go_live(&r, 0);
    rig_say_batch(&r, 0, 2, false);
    rig_say_push(&r, 9, 8, "gap");
    rig_run(&r);
    assert_frames(&r, "SYNC 0\n");
    rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, 9);
    rig_say_batch(&r, 0, 4, false);
    rig_run(&r);
    assert_int_equal(roam_client_stored(&r.client, 4, r.now_ms), 0);
    rig_run(&r);
    assert_frames(&r, "SYNC 0\nACK 4\n");
    assert_events(&r, "ENTRY 1<0 bob:1\nENTRY 2<1 bob:2\n"
                      "ENTRY 3<2 bob:3\nENTRY 4<3 bob:4\n");
}

static void test_an_ack_goes_along_with_another_frame(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 0);
    rig_say_push(&r, 1, 0, "x");
    rig_run(&r);
    rig_send(&r, 5, "y");
    rig_run(&r);
    assert_frames(&r, "ACK 1\nSEND 5 y\n");
}

static void test_only_what_is_stored_is_acked(void **unused)
{
    (void)unused; /* ACK-1 */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    r.store = false;
    rig_go_live(&r, 0);
    rig_say_batch(&r, 0, 8, false);
    rig_run(&r);
    rig_wait(&r, 5000);
    assert_frames(&r, "");
    assert_int_equal(roam_client_stored(&r.client, 5, r.now_ms), 0);
    rig_run(&r);
    assert_frames(&r, "ACK 5\n");
    assert_int_equal(roam_client_stored(&r.client, 8, r.now_ms), 0);
    rig_run(&r);
    rig_wait(&r, ROAM_ACK_DELAY_MS);
    assert_frames(&r, "ACK 5\nACK 8\n");
}

static void test_more_in_flight_than_allowed_ends_the_connection(void **unused)
{
    (void)unused; /* ACK-3 at n and n+1 */
    static struct rig r;
    for (int batch = 0; batch < 2; batch++) {
        for (size_t n = 8; n <= 9; n++) {
            rig_prepare(&r);
            rig_init(&r);
            r.store = false;
            rig_go_live(&r, 0);
            if (batch) {
                rig_say_batch(&r, 0, n, false);
            } else {
                for (uint64_t v = 1; v <= n; v++) {
                    rig_say_push(&r, v, v - 1, "x");
                }
            }
            rig_run(&r);
            assert_int_equal(r.feed_error, n == 8 ? 0 : ROAM_STATUS_UNEXPECTED);
            assert_true(r.last_entry == (n == 9 && batch ? 0 : 8));
        }
    }
}

static void test_a_window_that_is_acked_is_free_again(void **unused)
{
    (void)unused; /* ACK-3: no false alarm, wherever the acks fall */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    r.store = false;
    rig_go_live(&r, 0);
    uint64_t acked = 0;
    uint64_t sent = 0;
    for (uint64_t step = 0; step < 500; step++) {
        while (sent < acked + 8) { /* the server fills the window */
            rig_say_push(&r, sent + 1, sent, "x");
            sent++;
        }
        rig_run(&r);
        assert_int_equal(r.feed_error, 0);
        uint64_t upto = acked + 1 + step % 8;
        assert_int_equal(roam_client_stored(&r.client, upto, r.now_ms), 0);
        rig_wait(&r, ROAM_ACK_DELAY_MS);
        assert_int_equal(r.last_frame.type, ROAM_ACK);
        assert_true(r.last_frame.u.ack.version == upto);
        acked = upto;
    }
}

static void test_no_ack_is_sent_without_a_delivery(void **unused)
{
    (void)unused; /* ACK-4: before SYNC_OK, and for a head told by RESET */
    static struct rig r;
    rig_prepare(&r);
    r.config.cursor = 10;
    rig_init(&r);
    rig_login(&r);
    rig_say_login_ok(&r, 1);
    rig_run(&r);
    rig_forget(&r);
    assert_int_equal(roam_client_stored(&r.client, 10, r.now_ms), 0);
    rig_send(&r, 5, "x");
    rig_wait(&r, 2000);
    assert_frames(&r, "SEND 5 x\n");
    rig_say_reset(&r, roam_v1_ResetReason_NOT_A_LINK, 50);
    rig_run(&r);
    rig_send(&r, 6, "y");
    rig_wait(&r, 2000);
    assert_frames(&r, "SEND 5 x\nSEND 6 y\n");
}

static void test_reading_goes_on_while_writing_is_stuck(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare_minimal(&r);
    rig_init(&r);
    rig_go_live(&r, 0);
    r.pull = false;
    static char body[ROAM_TX_BYTES_MIN - 40];
    memset(body, 'b', sizeof body - 1);
    rig_send(&r, 5, body);
    assert_true(roam_client_pending(&r.client).len > 400); /* and stays */
    for (uint64_t v = 1; v <= 4; v++) {
        rig_say_push(&r, v, v - 1, "x");
        rig_say_pong(&r, 0);
    }
    rig_run(&r);
    (void)roam_client_pending(&r.client);
    assert_true(roam_client_cursor(&r.client) == 4);
    rig_pull(&r, SIZE_MAX);
    assert_int_equal(r.last_frame.type, ROAM_ACK);
    assert_true(r.last_frame.u.ack.version == 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ack_goes_at_half_the_window),
        cmocka_unit_test(test_ack_goes_at_half_of_a_smaller_window_told),
        cmocka_unit_test(test_rows_of_a_batch_count_for_the_ack),
        cmocka_unit_test(test_less_than_half_is_acked_after_a_second),
        cmocka_unit_test(test_an_ack_starts_its_second_anew),
        cmocka_unit_test(test_an_ack_due_before_a_sync_is_not_due_behind_it),
        cmocka_unit_test(test_rows_dropped_as_old_count_for_the_ack),
        cmocka_unit_test(test_an_ack_goes_along_with_another_frame),
        cmocka_unit_test(test_only_what_is_stored_is_acked),
        cmocka_unit_test(test_more_in_flight_than_allowed_ends_the_connection),
        cmocka_unit_test(test_a_window_that_is_acked_is_free_again),
        cmocka_unit_test(test_no_ack_is_sent_without_a_delivery),
        cmocka_unit_test(test_reading_goes_on_while_writing_is_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
