/* SPDX-License-Identifier: Apache-2.0 */
/* What a user may send and ask for, each limit at n and n + 1, in virtual time;
 * test_core_admission.c has who is let in. Spec: section 9.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core_rig.h"

#define PHONE roam_v1_DeviceType_PHONE
#define DESKTOP roam_v1_DeviceType_DESKTOP

static const struct roam_rate three = {3, 3000};

static void rig_init_limited(struct rig *rig, enum roam_user_rate rate)
{
    rig_init(rig);
    rig->config.heartbeat_ms = 60000;
    rig->config.user_rates[rate] = three;
}

/* alice, her phone logged in. */
static void start_limited(struct rig *rig, enum roam_user_rate rate,
                          struct peer *p)
{
    rig_init_limited(rig, rate);
    rig_start(rig);
    peer_login(rig, p, "alice", 1, PHONE, 1, 0);
}

static void take_limited(struct peer *p, uint64_t ref, uint32_t wait_ms)
{
    const roam_v1_Error *e = &rig_take(p, ROAM_ERROR)->u.error;
    assert_int_equal(e->code, roam_v1_ErrorCode_RATE_LIMITED);
    assert_int_equal(e->retry, roam_v1_Retry_AFTER);
    assert_int_equal(e->ref, ref);
    assert_int_equal(e->retry_after_ms, wait_ms);
}

/* ------------------------------------------------------------------ sends */

/* alice's phone is at its rate, and 4 was refused: again in 1,000 ms. */
static void begin_held(struct rig *rig, struct peer *p)
{
    start_limited(rig, ROAM_RATE_SENDS, p);
    for (uint64_t id = 1; id <= 3; id++) {
        peer_send(p, id, "bob", "x");
    }
    peer_say(p, say_send(4, "bob", "x"));
    take_limited(p, 4, 1000);
}

static void end_held(struct rig *rig, struct peer *p)
{
    peer_free(p);
    rig_stop(rig);
}

static void test_sends_up_to_the_rate_and_one_more(void **state)
{
    (void)state; /* [FLOW-2] */
    struct rig rig;
    struct peer p;
    begin_held(&rig, &p);
    rig_pass(&rig, 999);
    peer_say(&p, say_send(4, "bob", "x"));
    take_limited(&p, 4, 1);
    rig_pass(&rig, 1);
    peer_say(&p, say_send(4, "bob", "x"));
    assert_false(rig_take(&p, ROAM_SEND_OK)->u.send_ok.duplicate);
    struct roam_core_stats stats;
    roam_core_get_stats(rig.core, &stats);
    assert_int_equal(stats.rate_limited, 2);
    assert_int_equal(stats.sends, 4);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_rate_is_the_users_on_all_devices_and_connections(void **st)
{
    (void)st;
    struct rig rig;
    struct peer phone, desktop, other;
    rig_init_limited(&rig, ROAM_RATE_SENDS);
    rig_start(&rig);
    peer_login(&rig, &phone, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &desktop, "alice", 2, DESKTOP, 1, 0);
    peer_send(&phone, 1, "bob", "x");
    peer_send(&desktop, 2, "bob", "x");
    peer_send(&phone, 3, "bob", "x");
    peer_free(&phone);
    peer_login(&rig, &phone, "alice", 1, PHONE, 2, 0);
    peer_say(&phone, say_send(4, "bob", "x"));
    take_limited(&phone, 4, 1000);
    peer_login(&rig, &other, "bob", 3, PHONE, 1, 0);
    peer_send(&other, 5, "alice", "x"); /* no other user's */
    peer_free(&phone);
    peer_free(&desktop);
    peer_free(&other);
    rig_stop(&rig);
}

static void test_bytes_of_bodies_up_to_the_rate(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    start_limited(&rig, ROAM_RATE_SEND_BYTES, &p);
    peer_send(&p, 1, "bob", "abc");
    peer_send(&p, 2, "bob", ""); /* costs no byte */
    peer_say(&p, say_send(3, "bob", "d"));
    take_limited(&p, 3, 1000);
    rig_pass(&rig, 3000);
    /* Longer than the rate: goes when nothing is owed. */
    peer_send(&p, 3, "bob", "0123456789");
    peer_free(&p);
    rig_stop(&rig);
}

/* A message to another user makes two entries, a note one. */
static void test_entries_of_all_receivers_count(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    start_limited(&rig, ROAM_RATE_DELIVERIES, &p);
    peer_send(&p, 1, "bob", "x");
    peer_say(&p, say_send(1, "bob", "x")); /* a repetition makes none */
    assert_true(rig_take(&p, ROAM_SEND_OK)->u.send_ok.duplicate);
    peer_send(&p, 2, "bob", "x"); /* one above, which is known too late */
    peer_say(&p, say_send(3, "bob", "x"));
    take_limited(&p, 3, 2000);
    rig_pass(&rig, 2000);
    peer_send(&p, 3, "alice", "x");
    peer_say(&p, say_send(4, "alice", "x"));
    take_limited(&p, 4, 1000);
    peer_free(&p);
    rig_stop(&rig);
}

/* A short SEND must not pass a long one that waits. */
static void test_limited_send_is_not_overtaken(void **state)
{
    (void)state; /* [FLOW-3] */
    struct rig rig;
    struct peer p;
    start_limited(&rig, ROAM_RATE_SEND_BYTES, &p);
    peer_send(&p, 1, "bob", "ab");
    peer_put(&p, say_send(2, "bob", "cd"));
    peer_put(&p, say_send(3, "bob", "e"));
    rig_settle(&rig);
    take_limited(&p, 2, 1000);
    take_limited(&p, 3, 1000);
    rig_pass(&rig, 1000);
    peer_send(&p, 2, "bob", "cd");
    peer_free(&p);
    rig_stop(&rig);
}

static void test_what_is_wrong_with_a_send_is_told_before_its_limit(void **st)
{
    (void)st;
    struct rig rig;
    struct peer p;
    start_limited(&rig, ROAM_RATE_SENDS, &p);
    for (uint64_t id = 1; id <= 3; id++) {
        peer_send(&p, id, "bob", "x");
    }
    struct roam_message *m = say_send(4, "bob", "x");
    m->u.send.kind = (roam_v1_Kind)77;
    peer_say(&p, m);
    rig_take(&p, ROAM_ERROR);
    peer_say(&p, say_send(5, "nobody", "x"));
    take_limited(&p, 5, 1000); /* that costs the store a look */
    peer_free(&p);
    rig_stop(&rig);
}

/* One that was on its way already comes when the rate would let it pass. */
static void test_late_send_does_not_overtake_a_limited_one(void **state)
{
    (void)state; /* [FLOW-3] */
    struct rig rig;
    struct peer p;
    begin_held(&rig, &p);
    rig_pass(&rig, 3000);
    peer_say(&p, say_send(5, "bob", "x"));
    take_limited(&p, 5, 1);
    peer_send(&p, 4, "bob", "x");
    peer_send(&p, 5, "bob", "x");
    peer_free(&p);
    rig_stop(&rig);
}

static void test_forgotten_limited_send_holds_up_nobody_for_ever(void **state)
{
    (void)state; /* [FLOW-3] */
    struct rig rig;
    struct peer p, other;
    begin_held(&rig, &p);
    peer_login(&rig, &other, "alice", 2, DESKTOP, 1, 0);
    rig_pass(&rig, 1000 + 9999);
    peer_send(&other, 5, "bob", "x"); /* another session is not held */
    peer_say(&p, say_send(6, "bob", "x"));
    take_limited(&p, 6, 1);
    rig_pass(&rig, 1 + 9999);
    peer_say(&p, say_send(7, "bob", "x"));
    take_limited(&p, 7, 1);
    rig_pass(&rig, 1 + 10000);
    peer_send(&p, 8, "bob", "x");
    peer_free(&other);
    end_held(&rig, &p);
}

/* 4 turned out to be stored: the client goes on with 5. */
static void test_any_limited_send_that_comes_again_ends_the_hold(void **state)
{
    (void)state; /* [FLOW-3] */
    struct rig rig;
    struct peer p;
    begin_held(&rig, &p);
    rig_pass(&rig, 3000);
    peer_say(&p, say_send(5, "bob", "x"));
    take_limited(&p, 5, 1);
    peer_say(&p, say_send(6, "bob", "x"));
    take_limited(&p, 6, 1);
    peer_send(&p, 5, "bob", "x");
    peer_send(&p, 6, "bob", "x");
    end_held(&rig, &p);
}

/* What comes again and is limited again holds up those behind it again. */
static void test_send_limited_twice_holds_twice(void **state)
{
    (void)state; /* [FLOW-3] */
    struct rig rig;
    struct peer p;
    begin_held(&rig, &p);
    peer_say(&p, say_send(4, "bob", "x"));
    take_limited(&p, 4, 1000);
    rig_pass(&rig, 3000);
    peer_say(&p, say_send(5, "bob", "x"));
    take_limited(&p, 5, 1);
    peer_send(&p, 4, "bob", "x");
    peer_send(&p, 5, "bob", "x");
    end_held(&rig, &p);
}

static void test_sends_known_to_be_held_and_one_more(void **state)
{
    (void)state; /* [FLOW-3] */
    for (uint64_t behind = 15; behind <= 16; behind++) {
        struct rig rig;
        struct peer p;
        begin_held(&rig, &p);
        for (uint64_t id = 5; id < 5 + behind; id++) {
            peer_say(&p, say_send(id, "bob", "x"));
            take_limited(&p, id, 1000);
        }
        rig_pass(&rig, 1000);
        uint64_t last = 4 + behind;
        if (behind < ROAM_HELD_SENDS) {
            peer_send(&p, last, "bob", "x");
        } else {
            peer_say(&p, say_send(last, "bob", "x"));
            take_limited(&p, last, 1);
        }
        end_held(&rig, &p);
    }
}

/* ------------------------------------------------------------------ pages */

static void test_pages_up_to_the_rate_and_one_more(void **state)
{
    (void)state; /* [FLOW-2] */
    struct rig rig;
    struct peer p;
    start_limited(&rig, ROAM_RATE_PAGES, &p);
    peer_send(&p, 1, "bob", "x");
    peer_say(&p, say_history(11, "bob", 0, 0));
    rig_take(&p, ROAM_HISTORY_PAGE);
    peer_say(&p, say_conversations(12, 0, ""));
    rig_take(&p, ROAM_CONVERSATION_PAGE);
    peer_say(&p, say_history(13, "bob", 0, 0));
    rig_take(&p, ROAM_HISTORY_PAGE);
    peer_say(&p, say_history(14, "bob", 0, 0));
    take_limited(&p, 14, 1000);
    peer_say(&p, say_conversations(15, 0, ""));
    take_limited(&p, 15, 1000);
    peer_send(&p, 2, "bob", "x"); /* has a rate of its own */
    rig_pass(&rig, 1000);
    peer_say(&p, say_history(14, "bob", 0, 0));
    rig_take(&p, ROAM_HISTORY_PAGE);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_limited_commands_are_counted_as_answered(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    rig_init_limited(&rig, ROAM_RATE_SENDS);
    rig.config.user_rates[ROAM_RATE_PAGES] = three;
    rig_start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    for (uint64_t id = 1; id <= 50; id++) {
        peer_say(&p, say_send(id, "bob", "x"));
        peer_say(&p, say_history(100 + id, "bob", 0, 0));
    }
    assert_int_equal(p.session->commands, 0);
    peer_free(&p);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sends_up_to_the_rate_and_one_more),
        cmocka_unit_test(test_rate_is_the_users_on_all_devices_and_connections),
        cmocka_unit_test(test_bytes_of_bodies_up_to_the_rate),
        cmocka_unit_test(test_entries_of_all_receivers_count),
        cmocka_unit_test(test_limited_send_is_not_overtaken),
        cmocka_unit_test(
            test_what_is_wrong_with_a_send_is_told_before_its_limit),
        cmocka_unit_test(test_late_send_does_not_overtake_a_limited_one),
        cmocka_unit_test(test_forgotten_limited_send_holds_up_nobody_for_ever),
        cmocka_unit_test(test_any_limited_send_that_comes_again_ends_the_hold),
        cmocka_unit_test(test_send_limited_twice_holds_twice),
        cmocka_unit_test(test_sends_known_to_be_held_and_one_more),
        cmocka_unit_test(test_pages_up_to_the_rate_and_one_more),
        cmocka_unit_test(test_limited_commands_are_counted_as_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
