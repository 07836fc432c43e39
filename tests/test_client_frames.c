/* SPDX-License-Identifier: Apache-2.0 */
/* A server that lies, and frames that are broken. */
#include <string.h>

#include "client_rig.h"

/* --------------------------------------------------------- a lying server */

static void test_answers_to_a_login_not_yet_written_end_the_connection(
    void **unused)
{
    (void)unused;
    static struct rig r;
    for (int refused = 0; refused < 2; refused++) {
        rig_prepare(&r);
        r.pull = false;
        rig_init(&r);
        rig_open(&r);
        assert_int_equal(roam_client_login(&r.client, 1, 0, r.now_ms), 0);
        if (refused) {
            rig_say_refused(&r, roam_v1_RefusedReason_FREE, roam_v1_Retry_NEVER,
                            1);
        } else {
            rig_say_login_ok(&r, 1);
        }
        rig_run(&r);
        assert_int_equal(r.feed_error, ROAM_STATUS_UNEXPECTED);
    }
}

static void say_ignorable(struct rig *r, size_t len)
{
    static uint8_t bytes[8200];
    roam_frame_put_header(bytes, 0x80, (uint32_t)len);
    rig_say_bytes(r, bytes, 4 + len);
}

static void test_frames_are_bounded_by_512_before_login_and_by_max_frame_then(
    void **unused)
{
    (void)unused; /* FRAME-5, FRAME-14 */
    static const struct {
        bool login;
        size_t len;
        int error;
    } cases[] = {
        {false, 512, 0},
        {false, 513, ROAM_STATUS_FRAME},
        {true, 8192 - 4, 0},
        {true, 8192 - 3, ROAM_STATUS_FRAME},
    };
    static struct rig r;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t chunk = 0; chunk < 2; chunk++) {
            rig_prepare(&r);
            r.chunk = chunk;
            rig_init(&r);
            if (cases[i].login) {
                rig_login(&r);
            } else {
                rig_open(&r);
            }
            say_ignorable(&r, cases[i].len);
            rig_run(&r);
            assert_int_equal(r.feed_error, cases[i].error);
        }
    }
}

static void test_an_overlong_frame_is_told_from_its_header(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_open(&r);
    static const uint8_t header[] = {ROAM_KICK, 0xff, 0xff, 0xff};
    rig_say_bytes(&r, header, sizeof header);
    rig_run(&r);
    assert_int_equal(r.feed_error, ROAM_STATUS_FRAME);
    assert_events(&r, "CLOSE -20 back\n");
}

static void test_the_first_error_sticks_until_the_next_open(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 0);
    rig_say_bytes(&r, "\x45\x00\x00\x00", 4); /* PUSH without fields */
    rig_run(&r);
    assert_int_equal(r.feed_error, ROAM_STATUS_FRAME);
    const uint8_t other[] = {0x01, 0, 0, 0};
    assert_int_equal(roam_client_feed(&r.client, other, 4, r.now_ms),
                     ROAM_STATUS_FRAME);
    roam_client_tick(&r.client, r.now_ms + 1000000);
    roam_client_close(&r.client, r.now_ms);
    rig_drain(&r);
    assert_events(&r, "CLOSE -20 back\n"); /* once */
    assert_int_equal(roam_client_pending(&r.client).len, 0);
    rig_lose(&r);
    assert_events(&r, "CLOSE -20 back\n");
    rig_go_live(&r, 0);
    assert_int_equal(r.feed_error, 0);
}

static void test_every_frame_cut_short_ends_the_connection(void **unused)
{
    (void)unused; /* FRAME-9, FRAME-14 */
    static struct rig whole;
    rig_prepare(&whole);
    rig_say_login_ok(&whole, 300);
    size_t len = whole.said_len - 4;
    static struct rig r;
    for (size_t cut = 0; cut < len; cut++) {
        rig_prepare(&r);
        rig_init(&r);
        rig_login(&r);
        uint8_t header[4];
        roam_frame_put_header(header, ROAM_LOGIN_OK, (uint32_t)cut);
        rig_say_bytes(&r, header, 4);
        rig_say_bytes(&r, whole.said + 4, cut);
        rig_run(&r);
        /* Short of the last field's first byte something required is away;
         * inside a field the field is broken. */
        assert_int_equal(r.feed_error, ROAM_STATUS_FRAME);
        assert_events(&r, "CLOSE -20 back\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_answers_to_a_login_not_yet_written_end_the_connection),
        cmocka_unit_test(
            test_frames_are_bounded_by_512_before_login_and_by_max_frame_then),
        cmocka_unit_test(test_an_overlong_frame_is_told_from_its_header),
        cmocka_unit_test(test_the_first_error_sticks_until_the_next_open),
        cmocka_unit_test(test_every_frame_cut_short_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
