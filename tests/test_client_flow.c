/* SPDX-License-Identifier: Apache-2.0 */
/* What a client does when the server limits it. Spec: section 9.1. */
#include <string.h>

#include "client_rig.h"

static void begin(struct rig *r)
{
    rig_prepare(r);
    rig_init(r);
    rig_go_live(r, 0);
}

static void say_limited(struct rig *r, uint64_t ref, uint32_t retry_after_ms)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_ERROR);
    m.u.error.code = roam_v1_ErrorCode_RATE_LIMITED;
    m.u.error.retry = roam_v1_Retry_AFTER;
    m.u.error.ref = ref;
    m.u.error.retry_after_ms = retry_after_ms;
    rig_say(r, &m);
}

static void say_throttled(struct rig *r, uint32_t retry_after_ms)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_REFUSED);
    m.u.refused.reason = roam_v1_RefusedReason_THROTTLED;
    m.u.refused.retry = roam_v1_Retry_AFTER;
    m.u.refused.retry_after_ms = retry_after_ms;
    rig_say(r, &m);
}

static void test_limited_messages_go_again_in_order_when_told(void **unused)
{
    (void)unused; /* FLOW-4 */
    static struct rig r;
    begin(&r);
    rig_send(&r, 30, "a");
    rig_send(&r, 20, "b");
    rig_run(&r);
    rig_forget(&r);
    say_limited(&r, 30, 2000);
    say_limited(&r, 20, 1990); /* a little later */
    rig_run(&r);
    rig_send(&r, 10, "c");
    rig_run(&r);
    assert_events(&r, "");
    assert_frames(&r, "");
    assert_int_equal(roam_client_deadline_ms(&r.client), r.now_ms + 2000);
    rig_wait(&r, 1999);
    assert_frames(&r, "");
    rig_wait(&r, 1);
    assert_frames(&r, "SEND 30 a\nSEND 20 b\nSEND 10 c\n");
    rig_say_send_ok(&r, 30, false);
    rig_run(&r);
    assert_events(&r, "SENT 30\n");
}

static void say_error_of_class(struct rig *r, uint64_t ref, int code, int retry,
                               uint32_t retry_after_ms)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_ERROR);
    m.u.error.code = (roam_v1_ErrorCode)code;
    m.u.error.retry = (roam_v1_Retry)retry;
    m.u.error.ref = ref;
    m.u.error.retry_after_ms = retry_after_ms;
    rig_say(r, &m);
}

static void test_an_unknown_error_is_what_its_class_says(void **unused)
{
    (void)unused; /* CODE-1 */
    static const struct {
        int retry;
        uint32_t told_ms, wait_ms; /* wait_ms 0: it has failed */
    } cases[] = {
        {roam_v1_Retry_AFTER, 300, 300},        {roam_v1_Retry_AFTER, 0, 1000},
        {roam_v1_Retry_NOW, 0, 1000},           {77, 1500, 1500},
        {roam_v1_Retry_REAUTHENTICATE, 300, 0}, {roam_v1_Retry_NEVER, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        static struct rig r;
        begin(&r);
        rig_send(&r, 1, "a");
        rig_run(&r);
        rig_forget(&r);
        say_error_of_class(&r, 1, 99, cases[i].retry, cases[i].told_ms);
        rig_run(&r);
        if (cases[i].wait_ms == 0) {
            assert_events(&r, "SEND_FAILED 1 99\n");
            continue;
        }
        assert_events(&r, "");
        rig_wait(&r, cases[i].wait_ms - 1);
        assert_frames(&r, "");
        rig_wait(&r, 1);
        assert_frames(&r, "SEND 1 a\n");
    }
}

/* Whole seconds until the client sends this; PINGs are answered. */
static uint32_t seconds_until(struct rig *r, const char *frame)
{
    uint32_t seconds = 0;
    rig_forget(r);
    while (strstr(r->frames, frame) == NULL) {
        assert_in_range(++seconds, 1, 100);
        bool pinged = strstr(r->frames, "PING") != NULL;
        if (pinged) {
            rig_forget(r);
            rig_say_pong(r, 0);
        }
        rig_wait(r, 1000);
    }
    return seconds;
}

static void test_a_wait_without_a_time_doubles_up_to_a_minute(void **unused)
{
    (void)unused; /* FLOW-14 */
    static const uint32_t waits[] = {1, 2, 4, 8, 16, 32, 60, 60};
    static struct rig r;
    for (int page = 0; page < 2; page++) {
        const char *frame = page ? "HISTORY 1" : "SEND 1";
        begin(&r);
        page ? rig_ask(&r, 1, 0, 0) : rig_send(&r, 1, "a");
        rig_run(&r);
        for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
            say_error_of_class(&r, 1, 99, roam_v1_Retry_AFTER, 0);
            rig_run(&r);
            assert_int_equal(seconds_until(&r, frame), waits[i]);
        }
        /* A time that is told is the time, and others begin anew. */
        say_error_of_class(&r, 1, 99, roam_v1_Retry_AFTER, 2000);
        rig_run(&r);
        assert_int_equal(seconds_until(&r, frame), 2);
        rig_say_error(&r, 1, roam_v1_ErrorCode_FORBIDDEN);
        rig_run(&r);
        frame = page ? "HISTORY 2" : "SEND 2";
        page ? rig_ask(&r, 2, 0, 0) : rig_send(&r, 2, "b");
        rig_run(&r);
        say_error_of_class(&r, 2, 99, roam_v1_Retry_AFTER, 0);
        rig_run(&r);
        assert_int_equal(seconds_until(&r, frame), 1);
    }
}

static void test_a_known_error_is_what_its_code_says(void **unused)
{
    (void)unused; /* CODE-1; the last one known, and the first one not */
    for (int unknown = 0; unknown < 2; unknown++) {
        static struct rig r;
        char failed[32];
        int code = (int)_roam_v1_ErrorCode_MAX + unknown;
        begin(&r);
        rig_send(&r, 1, "a");
        rig_run(&r);
        rig_forget(&r);
        say_error_of_class(&r, 1, code, roam_v1_Retry_AFTER, 300);
        rig_run(&r);
        snprintf(failed, sizeof failed, "SEND_FAILED 1 %d\n", code);
        assert_events(&r, unknown ? "" : failed);
    }
}

static void test_answers_behind_a_limited_one_count(void **unused)
{
    (void)unused;
    static struct rig r;
    begin(&r);
    rig_send(&r, 1, "a");
    rig_send(&r, 2, "b");
    rig_run(&r);
    say_limited(&r, 1, 100);
    rig_say_send_ok(&r, 2, false);
    rig_run(&r);
    assert_events(&r, "SENT 2\n");
    rig_forget(&r);
    rig_wait(&r, 100);
    assert_frames(&r, "SEND 1 a\n");
    assert_int_equal(roam__engine(&r.client)->commands, 1);
}

static void test_nothing_goes_before_all_that_is_open_is_answered(void **unused)
{
    (void)unused; /* FLOW-4 */
    static struct rig r;
    begin(&r);
    rig_send(&r, 1, "a");
    rig_send(&r, 2, "b");
    rig_run(&r);
    rig_forget(&r);
    say_limited(&r, 1, 100);
    rig_run(&r);
    rig_send(&r, 3, "c");
    rig_wait(&r, 5000); /* the answer to 2 is long on its way */
    assert_frames(&r, "");
    say_limited(&r, 2, 1);
    rig_run(&r);
    rig_wait(&r, 1);
    assert_frames(&r, "SEND 1 a\nSEND 2 b\nSEND 3 c\n");
}

static void test_wait_outlives_the_connection(void **unused)
{
    (void)unused;
    static struct rig r;
    begin(&r);
    rig_send(&r, 1, "a");
    rig_run(&r);
    say_limited(&r, 1, 5000);
    rig_run(&r);
    rig_lose(&r);
    rig_login(&r);
    rig_forget(&r);
    rig_say_login_ok(&r, 1);
    rig_run(&r);
    assert_frames(&r, "");
    rig_say_sync_ok(&r, roam_v1_SyncResult_UP_TO_DATE, 0);
    rig_run(&r);
    rig_forget(&r);
    rig_wait(&r, 4999);
    assert_frames(&r, "");
    rig_wait(&r, 1);
    assert_frames(&r, "SEND 1 a\n");
}

static void test_no_other_frame_waits_for_a_limited_message(void **unused)
{
    (void)unused;
    static struct rig r;
    begin(&r);
    rig_send(&r, 1, "a");
    rig_run(&r);
    say_limited(&r, 1, 60000);
    rig_run(&r);
    rig_forget(&r);
    rig_ask(&r, 9, 0, 0);
    rig_run(&r);
    assert_non_null(strstr(r.frames, "HISTORY"));
    assert_null(strstr(r.frames, "SEND"));
    rig_say_page(&r, ROAM_HISTORY_PAGE, 9, 100, 1, false);
    rig_run(&r);
    rig_forget(&r);
    rig_wait(&r, 28000); /* of a heartbeat of 32 s */
    assert_non_null(strstr(r.frames, "PING"));
}

static void test_limited_page_is_asked_for_again(void **unused)
{
    (void)unused; /* FLOW-4 */
    static struct rig r;
    begin(&r);
    rig_ask(&r, 9, 0, 0);
    rig_run(&r);
    rig_forget(&r);
    say_limited(&r, 9, 700);
    rig_run(&r);
    rig_send(&r, 1, "a"); /* no page */
    rig_run(&r);
    assert_frames(&r, "SEND 1 a\n");
    rig_forget(&r);
    rig_wait(&r, 699);
    assert_frames(&r, "");
    rig_wait(&r, 1);
    assert_non_null(strstr(r.frames, "HISTORY"));
    assert_events(&r, "");
    rig_say_page(&r, ROAM_HISTORY_PAGE, 9, 100, 1, false);
    rig_run(&r);
    assert_non_null(strstr(r.events, "END 9"));
}

static void test_limited_page_of_a_lost_connection_has_failed(void **unused)
{
    (void)unused;
    static struct rig r;
    begin(&r);
    rig_ask(&r, 9, 0, 0);
    rig_run(&r);
    say_limited(&r, 9, 700);
    rig_run(&r);
    rig_forget(&r);
    rig_lose(&r);
    assert_non_null(strstr(r.events, "PAGE_FAILED"));
}

static void test_next_page_waits_on_the_next_connection_too(void **unused)
{
    (void)unused; /* FLOW-4 */
    static struct rig r;
    begin(&r);
    rig_ask(&r, 9, 0, 0);
    rig_run(&r);
    say_limited(&r, 9, 700);
    rig_run(&r);
    rig_lose(&r);
    rig_go_live(&r, 0);
    rig_ask(&r, 10, 0, 0);
    rig_wait(&r, 699);
    assert_null(strstr(r.frames, "HISTORY"));
    rig_wait(&r, 1);
    assert_non_null(strstr(r.frames, "HISTORY"));
}

static void test_throttled_login_waits_for_its_time_and_the_back_off(
    void **unused)
{
    (void)unused; /* FLOW-6 */
    static struct rig r;
    for (int i = 0; i < 20; i++) {
        rig_prepare(&r);
        r.config.random_seed = (uint64_t)i * 7919;
        rig_init(&r);
        rig_login(&r);
        rig_run(&r);
        rig_forget(&r);
        say_throttled(&r, 30000);
        rig_run(&r);
        assert_events(&r, "REFUSED 10 0\nCLOSE 0 back\n");
        uint64_t at_ms = r.last_event.u.close.reconnect_at_ms;
        assert_true(at_ms >= r.now_ms + 30000);
        assert_true(at_ms <= r.now_ms + 30000 + 500);
        assert_int_equal(rig_state(&r), ST_ENDED);
    }
}

static void test_throttled_time_is_told_to_the_caller(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_login(&r);
    rig_pull(&r, SIZE_MAX);
    struct roam_message m;
    uint8_t bytes[64];
    roam_message_init(&m, ROAM_REFUSED);
    m.u.refused.reason = roam_v1_RefusedReason_THROTTLED;
    m.u.refused.retry = roam_v1_Retry_AFTER;
    m.u.refused.retry_after_ms = 1234;
    size_t len = roam_message_encode(&m, bytes, sizeof bytes);
    assert_int_equal(roam_client_feed(&r.client, bytes, len, r.now_ms), len);
    struct roam_event e;
    roam_client_next_event(&r.client, &e, r.now_ms);
    assert_int_equal(e.type, ROAM_EVENT_REFUSED);
    assert_int_equal(e.u.refused.reason, ROAM_REFUSED_THROTTLED);
    assert_int_equal(e.u.refused.retry, ROAM_RETRY_AFTER);
    assert_int_equal(e.u.refused.retry_after_ms, 1234);
}

static void test_too_fast_comes_back_after_its_window(void **unused)
{
    (void)unused;
    static struct rig r;
    begin(&r);
    rig_say_kick(&r, roam_v1_KickReason_TOO_FAST, roam_v1_Retry_AFTER, 4000);
    rig_run(&r);
    assert_non_null(strstr(r.events, "back"));
    assert_true(r.last_event.u.close.reconnect_at_ms <= r.now_ms + 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limited_messages_go_again_in_order_when_told),
        cmocka_unit_test(test_an_unknown_error_is_what_its_class_says),
        cmocka_unit_test(test_a_wait_without_a_time_doubles_up_to_a_minute),
        cmocka_unit_test(test_a_known_error_is_what_its_code_says),
        cmocka_unit_test(test_answers_behind_a_limited_one_count),
        cmocka_unit_test(test_nothing_goes_before_all_that_is_open_is_answered),
        cmocka_unit_test(test_wait_outlives_the_connection),
        cmocka_unit_test(test_no_other_frame_waits_for_a_limited_message),
        cmocka_unit_test(test_limited_page_is_asked_for_again),
        cmocka_unit_test(test_limited_page_of_a_lost_connection_has_failed),
        cmocka_unit_test(test_next_page_waits_on_the_next_connection_too),
        cmocka_unit_test(
            test_throttled_login_waits_for_its_time_and_the_back_off),
        cmocka_unit_test(test_throttled_time_is_told_to_the_caller),
        cmocka_unit_test(test_too_fast_comes_back_after_its_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
