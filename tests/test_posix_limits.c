/* SPDX-License-Identifier: Apache-2.0 */
/* The driver under a server that limits it: nothing is lost, nothing is asked
 * of a person, and it goes on by itself. [FLOW-4], [FLOW-6] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "posix_rig.h"

#define WAIT_MS 40u

static void limit(struct posix_rig *r, uint64_t ref)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_ERROR);
    m.u.error.code = roam_v1_ErrorCode_RATE_LIMITED;
    m.u.error.retry = roam_v1_Retry_AFTER;
    m.u.error.ref = ref;
    m.u.error.retry_after_ms = WAIT_MS;
    rig_answer(r, &m);
}

static void test_a_limited_message_stays_in_the_outbox_and_goes_again(
    void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    rig_log_in(r, 0, &m);
    uint64_t first = rig_send(r, "first");
    uint64_t second = rig_send(r, "second");
    rig_frame(r, ROAM_SEND, &m);
    rig_frame(r, ROAM_SEND, &m);
    limit(r, first);
    limit(r, second);
    rig_frame(r, ROAM_SEND, &m);
    assert_true(m.u.send.client_msg_id == first);
    assert_int_equal(rig_counts(r).outbox, 2);
    rig_frame(r, ROAM_SEND, &m);
    assert_true(m.u.send.client_msg_id == second);
    rig_send_ok(r, first, 77, false);
    rig_send_ok(r, second, 78, false);
    rig_event(r, ROAM_EVENT_SENT);
    rig_event(r, ROAM_EVENT_SENT);
    assert_int_equal(rig_counts(r).outbox, 0);
    assert_int_equal(rig_counts(r).messages, 2);
}

static void test_a_throttled_login_comes_back_by_itself(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    rig_frame(r, ROAM_LOGIN, &m);
    rig_frame(r, ROAM_SYNC, &m);
    roam_message_init(&m, ROAM_REFUSED);
    m.u.refused.reason = roam_v1_RefusedReason_THROTTLED;
    m.u.refused.retry = roam_v1_Retry_AFTER;
    m.u.refused.retry_after_ms = WAIT_MS;
    rig_answer(r, &m);
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_REFUSED);
    assert_int_equal(e.u.engine.u.refused.reason, ROAM_REFUSED_THROTTLED);
    e = rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    assert_true(e.u.disconnected.reconnect);
    rig_eof(r);
    rig_hang_up(r);
    rig_log_in(r, 0, &m);
    assert_int_equal(m.u.login.attempt, 2);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, posix_rig_open, posix_rig_close)
    const struct CMUnitTest tests[] = {
        TEST(test_a_limited_message_stays_in_the_outbox_and_goes_again),
        TEST(test_a_throttled_login_comes_back_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
