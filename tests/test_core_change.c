/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that change under live sessions: those that may do at once, those
 * that clients were told of do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core_rig.h"

#define PHONE roam_v1_DeviceType_PHONE

static struct rig rig;
static struct peer alice;

static int setup(void **state)
{
    (void)state;
    rig_init(&rig);
    rig.config.heartbeat_ms = 1000000; /* nobody is idle here */
    rig_start(&rig);
    peer_login(&rig, &alice, "alice", 1, PHONE, 1, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    peer_free(&alice);
    rig_stop(&rig);
    return 0;
}

static void change(const struct roam_core_config *config)
{
    roam_core_change(rig.core, config, rig.now);
}

/* Every number another one, and all of them legal. */
static struct roam_core_config all_other(void)
{
    struct roam_core_config c = rig.core->config;

    c.max_frame *= 2;
    c.max_body /= 2;
    c.max_commands++;
    c.max_unacked++;
    c.max_inflated++;
    c.heartbeat_ms++;
    c.login_timeout_ms++;
    c.decision_timeout_ms++;
    c.write_timeout_ms++;
    c.drain_ms++;
    c.retry_window_ms++;
    c.output_max_bytes++;
    c.max_sessions++;
    c.dedup_ms++;
    for (unsigned i = 0; i < ROAM_USER_RATES; i++) {
        c.user_rates[i] = (struct roam_rate){1u << 29, 1000 + i};
    }
    for (unsigned i = 0; i < ROAM_ADDRESS_RATES; i++) {
        c.address_rates[i] = (struct roam_rate){77, 2000 + i};
    }
    c.login_failures = (struct roam_rate){78, 3000};
    c.session_cost = (struct roam_rate){79, 4000};
    c.max_strangers++;
    c.max_strangers_address++;
    c.output_total_bytes *= 2;
    memset(c.hash_key, 0x5a, sizeof c.hash_key);
    c.store = NULL;
    c.log = NULL;
    return c;
}

static void test_what_may_change_does_and_nothing_else(void **state)
{
    (void)state;
    struct roam_core_config before = rig.core->config;
    struct roam_core_config other = all_other();
    const struct roam_core_config *c = &rig.core->config;

    change(&other);
    assert_int_equal(c->max_sessions, other.max_sessions);
    assert_int_equal(c->login_timeout_ms, other.login_timeout_ms);
    assert_int_equal(c->decision_timeout_ms, other.decision_timeout_ms);
    assert_int_equal(c->write_timeout_ms, other.write_timeout_ms);
    assert_int_equal(c->drain_ms, other.drain_ms);
    assert_int_equal(c->retry_window_ms, other.retry_window_ms);
    assert_int_equal(c->max_strangers, other.max_strangers);
    assert_int_equal(c->max_strangers_address, other.max_strangers_address);
    assert_int_equal(c->output_total_bytes, other.output_total_bytes);
    assert_memory_equal(c->user_rates, other.user_rates, sizeof c->user_rates);
    assert_memory_equal(c->address_rates, other.address_rates,
                        sizeof c->address_rates);
    assert_int_equal(c->login_failures.burst, 78);
    assert_int_equal(c->session_cost.burst, 79);
    assert_ptr_equal(c->store, before.store);
    assert_ptr_equal(c->log, before.log);
    assert_int_equal(c->max_frame, before.max_frame);
    assert_int_equal(c->max_body, before.max_body);
    assert_int_equal(c->max_commands, before.max_commands);
    assert_int_equal(c->max_unacked, before.max_unacked);
    assert_int_equal(c->max_inflated, before.max_inflated);
    assert_int_equal(c->heartbeat_ms, before.heartbeat_ms);
    assert_int_equal(c->output_max_bytes, before.output_max_bytes);
    assert_int_equal(c->dedup_ms, before.dedup_ms);
    assert_memory_equal(c->hash_key, before.hash_key, sizeof c->hash_key);
    peer_say(&alice, say_ping(1));
    rig_take(&alice, ROAM_PONG);
}

/* The heap of deadlines has the later one. */
static void test_shorter_time_holds_for_output_that_is_stuck(void **state)
{
    (void)state;
    struct roam_core_config next = rig.core->config;

    alice.stuck = true;
    peer_say(&alice, say_ping(1));
    rig_pass(&rig, 100);
    next.write_timeout_ms = 1000;
    change(&next);
    rig_pass(&rig, 899);
    assert_int_equal(alice.session->state, ROAM__IDLE);
    rig_pass(&rig, 1);
    assert_int_equal(alice.session->state, ROAM__ENDING);
}

static void test_rates_hold_from_now_on(void **state)
{
    (void)state;
    struct roam_core_config next = rig.core->config;

    next.user_rates[ROAM_RATE_SENDS] = (struct roam_rate){2, 1000};
    change(&next);
    peer_send(&alice, 1, "bob", "one");
    peer_send(&alice, 2, "bob", "two");
    peer_say(&alice, say_send(3, "bob", "three"));
    assert_int_equal(rig_take(&alice, ROAM_ERROR)->u.error.code,
                     roam_v1_ErrorCode_RATE_LIMITED);
    rig_pass(&rig, 2000);
    next.user_rates[ROAM_RATE_SENDS].burst = 0; /* no limit any more */
    change(&next);
    for (uint64_t id = 3; id < 40; id++) { /* the limited one first: FLOW-4 */
        peer_send(&alice, id, "bob", "more");
    }
}

static void test_places_may_become_fewer_than_are_taken(void **state)
{
    (void)state;
    struct roam_core_config next = rig.core->config;
    struct peer more;

    next.max_sessions = 1;
    change(&next);
    peer_connect(&rig, &more);
    rig_settle(&rig);
    rig_take_kick(&more, roam_v1_KickReason_OVERLOADED);
    peer_free(&more);
    next.max_sessions = 2;
    change(&next);
    peer_login(&rig, &more, "bob", 1, PHONE, 1, 0);
    next.max_sessions = 1; /* nobody is sent away for it */
    change(&next);
    peer_say(&more, say_ping(1));
    rig_take(&more, ROAM_PONG);
    peer_free(&more);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_what_may_change_does_and_nothing_else),
        TEST(test_shorter_time_holds_for_output_that_is_stuck),
        TEST(test_rates_hold_from_now_on),
        TEST(test_places_may_become_fewer_than_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
