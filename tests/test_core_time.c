/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines, stuck output, and the drain. Time is the rig's; nothing sleeps.
 * Spec: sections 5.2 and 9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core_rig.h"

#define PHONE roam_v1_DeviceType_PHONE

static void start(struct rig *rig)
{
    rig_init(rig);
    rig_start(rig);
}

static void test_login_timeout_is_absolute(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    start(&rig);
    peer_connect(&rig, &p);
    uint64_t timeout = rig.config.login_timeout_ms;
    const uint8_t ignorable[] = {0x80, 0, 0, 0};
    for (uint64_t ms = 0; ms + 1000 < timeout; ms += 1000) {
        rig_pass(&rig, 1000);
        peer_feed(&p, ignorable, sizeof ignorable); /* extends nothing */
    }
    rig_pass(&rig, 999);
    rig_take_none(&p);
    rig_pass(&rig, 1);
    rig_take_kick(&p, roam_v1_KickReason_LOGIN_TIMEOUT);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_good_credential_gives_the_person_time_once(void **state)
{
    (void)state;
    struct rig rig;
    struct peer holder, p;
    rig_init(&rig);
    rig.config.heartbeat_ms = 1000000;
    rig_start(&rig);
    peer_login(&rig, &holder, "alice", 1, PHONE, 1, 0);
    peer_connect(&rig, &p);
    rig_pass(&rig, rig.config.login_timeout_ms - 1);
    peer_say(&p, say_login("alice", 2, PHONE, 1, 0));
    rig_take(&p, ROAM_REFUSED);
    rig_pass(&rig, rig.config.decision_timeout_ms - 1);
    peer_say(&p, say_login("alice", 2, PHONE, 2, 0)); /* extends nothing */
    rig_take(&p, ROAM_REFUSED);
    rig_take_none(&p);
    rig_pass(&rig, 1);
    rig_take_kick(&p, roam_v1_KickReason_LOGIN_TIMEOUT);
    rig_take_none(&holder);
    peer_free(&holder);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_bad_credential_gives_no_time(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    start(&rig);
    peer_connect(&rig, &p);
    peer_say(&p, say_login("nobody", 1, PHONE, 1, 0));
    rig_take(&p, ROAM_REFUSED);
    rig_pass(&rig, rig.config.login_timeout_ms);
    rig_take_kick(&p, roam_v1_KickReason_LOGIN_TIMEOUT);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_silence_ends_at_two_and_a_half_heartbeats(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    uint64_t limit = rig.config.heartbeat_ms * 5 / 2;
    for (uint64_t id = 1; id <= 5; id++) {
        rig_pass(&rig, limit - 1);
        peer_say(&p, say_ping(id));
        rig_take(&p, ROAM_PONG);
    }
    rig_pass(&rig, limit - 1);
    rig_take_none(&p);
    rig_pass(&rig, 1);
    assert_int_equal(rig_take_kick(&p, roam_v1_KickReason_IDLE)->u.kick.retry,
                     roam_v1_Retry_NOW);
    peer_free(&p);
    rig_stop(&rig);
}

/* Sends to bob until his output is full; he has synced and reads nothing. */
static void fill_output(struct peer *from, const char *to)
{
    char body[2001];
    memset(body, 'x', 2000);
    body[2000] = '\0';
    for (uint64_t id = 1; id <= 10; id++) {
        peer_send(from, id, to, body);
    }
}

static void test_stuck_output_ends_with_too_slow_and_is_given_up(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    rig_init(&rig);
    rig.config.heartbeat_ms = 1000000;
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    peer_sync(&bob, 0);
    bob.stuck = true;
    fill_output(&a, "bob");
    rig_pass(&rig, rig.config.write_timeout_ms - 1);
    assert_int_equal(bob.session->state, ROAM__DELIVERING);
    /* One byte is progress. */
    roam_session_sent(bob.session, 1, rig.now);
    rig_pass(&rig, rig.config.write_timeout_ms - 1);
    assert_int_equal(bob.session->state, ROAM__DELIVERING);
    rig_pass(&rig, 1);
    assert_int_equal(bob.session->state, ROAM__ENDING);
    assert_false(roam_session_finished(bob.session));
    rig_pass(&rig, rig.config.drain_ms);
    assert_null(bob.session);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

static void test_kick_that_nobody_reads_is_given_up(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig.config.heartbeat_ms = 1000000;
    rig_start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    rig_pass(&rig, rig.config.write_timeout_ms); /* no old deadline is left */
    p.stuck = true;
    peer_say(&p, say_ack(1)); /* a protocol error */
    assert_int_equal(p.session->state, ROAM__ENDING);
    rig_pass(&rig, rig.config.write_timeout_ms - 1);
    assert_non_null(p.session);
    rig_pass(&rig, 1);
    assert_null(p.session);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_too_slow_reader_that_wakes_up_is_told(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    rig_init(&rig);
    rig.config.heartbeat_ms = 1000000;
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    peer_sync(&bob, 0);
    bob.stuck = true;
    fill_output(&a, "bob");
    rig_pass(&rig, rig.config.write_timeout_ms);
    bob.stuck = false;
    roam__session_ready(bob.session);
    rig_settle(&rig);
    assert_int_equal(rig_catch_up(&bob, NULL, NULL), 10);
    rig_take_kick(&bob, roam_v1_KickReason_TOO_SLOW);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

static void test_pings_behind_stuck_output_are_answered_by_the_last(void **st)
{
    (void)st;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig.config.max_body = 1000;
    rig.config.output_max_bytes = 4096;
    rig.config.session_cost.burst = 0; /* not what is tested here */
    rig_start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    p.stuck = true;
    for (uint64_t id = 1; id <= 10000; id++) {
        peer_say(&p, say_ping(id));
    }
    assert_true(roam_session_pending(p.session).len <= 4096 + 16);
    p.stuck = false;
    roam__session_ready(p.session);
    rig_settle(&rig);
    uint64_t last = 0;
    size_t pongs = 0;
    while (rig_peek(&p) == ROAM_PONG) {
        uint64_t id = rig_take(&p, ROAM_PONG)->u.pong.id;
        assert_true(id > last);
        last = id;
        pongs++;
    }
    assert_int_equal(last, 10000);
    assert_true(pongs < 1000);
    rig_take_none(&p);
    peer_free(&p);
    rig_stop(&rig);
}

/* Small output, so that little is needed to fill it. */
static void start_small(struct rig *rig)
{
    rig_init(rig);
    rig->config.max_body = 1000;
    rig->config.output_max_bytes = 4096;
    rig->config.heartbeat_ms = 1000000;
    rig_start(rig);
}

static void test_syncs_behind_stuck_output_do_not_pile_up(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    start_small(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    p.stuck = true;
    size_t syncs = 0;
    while (p.session->state != ROAM__SYNCING) { /* until one is held */
        peer_say(&p, say_sync(0));
        syncs++;
        assert_true(syncs < 4096);
    }
    assert_true(roam_session_pending(p.session).len <= 4096 + 64);
    p.stuck = false;
    roam__session_ready(p.session);
    rig_settle(&rig);
    for (size_t i = 0; i < syncs; i++) {
        rig_take(&p, ROAM_SYNC_OK);
    }
    rig_take_none(&p);
    assert_int_equal(p.session->state, ROAM__DELIVERING);
    /* Held again, and one more: the device does not wait for SYNC_OK. */
    p.stuck = true;
    while (p.session->state != ROAM__SYNCING) {
        peer_say(&p, say_sync(0));
    }
    peer_say(&p, say_sync(0));
    p.stuck = false;
    roam__session_ready(p.session);
    rig_settle(&rig);
    while (rig_peek(&p) == ROAM_SYNC_OK) {
        rig_take(&p, ROAM_SYNC_OK);
    }
    rig_take_error(&p, roam_v1_ErrorCode_SYNC_BUSY);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_refusals_behind_stuck_output_do_not_pile_up(void **state)
{
    (void)state;
    struct rig rig;
    struct peer holder, p;
    start_small(&rig);
    peer_login(&rig, &holder, "alice", 1, PHONE, 1, 0);
    peer_connect(&rig, &p);
    p.stuck = true;
    uint64_t logins = 0;
    while (p.session->state != ROAM__DECIDING) {
        peer_say(&p, say_login("alice", 2, PHONE, ++logins, 0));
        assert_true(logins < 4096);
    }
    assert_true(roam_session_pending(p.session).len <= 4096 + 128);
    roam_session_sent(p.session, 1, rig.now);
    rig_pass(&rig, rig.config.write_timeout_ms - 1);
    p.stuck = false;
    roam__session_ready(p.session);
    rig_settle(&rig);
    for (uint64_t i = 0; i < logins; i++) {
        if (i == 0) { /* its first byte went nowhere */
            p.taken += ROAM_FRAME_HEADER_BYTES - 1 + p.in[2];
            continue;
        }
        rig_take(&p, ROAM_REFUSED);
    }
    rig_take_none(&p);
    /* Held for so long that the person's time is over. */
    p.stuck = true;
    while (p.session->state != ROAM__DECIDING) {
        peer_say(&p, say_login("alice", 2, PHONE, ++logins, 0));
    }
    for (int i = 0; i < 3; i++) {
        roam_session_sent(p.session, 1, rig.now);
        rig_pass(&rig, rig.config.write_timeout_ms - 1);
    }
    assert_int_equal(p.session->state, ROAM__DECIDING);
    roam_session_sent(p.session, 1, rig.now);
    rig_pass(&rig, rig.config.write_timeout_ms - 1);
    assert_int_equal(p.session->state, ROAM__ENDING);
    rig_take_none(&holder);
    peer_free(&holder);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_other_versions_behind_stuck_output_do_not_pile_up(void **st)
{
    (void)st;
    struct rig rig;
    struct peer p;
    start_small(&rig);
    peer_connect(&rig, &p);
    p.stuck = true;
    struct roam_message *m = say_login("alice", 2, PHONE, 1, 0);
    m->u.login.protocol = 2;
    for (int i = 0; i < 4096 && p.session->state == ROAM__OPEN; i++) {
        peer_say(&p, m);
    }
    assert_int_equal(p.session->state, ROAM__ENDING);
    assert_true(roam_session_pending(p.session).len <= 4096 + 64);
    peer_free(&p);
    rig_stop(&rig);
}

/* ------------------------------------------------------------------- drain */

static void test_drain_tells_everybody_and_refuses_newcomers(void **state)
{
    (void)state;
    struct rig rig;
    struct peer open, idle, delivering, late;
    start(&rig);
    peer_connect(&rig, &open);
    peer_login(&rig, &idle, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &delivering, "bob", 1, PHONE, 1, 0);
    peer_sync(&delivering, 0);
    assert_false(roam_core_drained(rig.core));
    roam_core_drain(rig.core, rig.now);
    assert_false(roam_core_drained(rig.core));
    rig_settle(&rig);
    struct peer *all[] = {&open, &idle, &delivering};
    for (size_t i = 0; i < 3; i++) {
        const roam_v1_Kick *kick =
            &rig_take_kick(all[i], roam_v1_KickReason_GOING_AWAY)->u.kick;
        assert_int_equal(kick->retry, roam_v1_Retry_AFTER);
        assert_int_equal(kick->retry_after_ms, rig.config.retry_window_ms);
    }
    assert_true(roam_core_drained(rig.core));
    peer_connect(&rig, &late);
    rig_settle(&rig);
    rig_take_kick(&late, roam_v1_KickReason_GOING_AWAY);
    assert_true(roam_core_drained(rig.core));
    for (size_t i = 0; i < 3; i++) {
        peer_free(all[i]);
    }
    peer_free(&late);
    rig_stop(&rig);
}

static void test_drain_answers_what_is_in_the_store_first(void **state)
{
    (void)state;
    struct rig rig;
    struct peer sender, deciding, leaving;
    start(&rig);
    roam_store_mem_add_user(rig.store, "carol");
    rig_add_tokens(&rig, "carol");
    peer_login(&rig, &sender, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &leaving, "bob", 1, PHONE, 1, 0);
    peer_connect(&rig, &deciding);
    peer_put(&sender, say_send(1, "bob", "x"));
    peer_put(&sender, say_send(2, "nobody", "x"));
    peer_put(&leaving, say_logout());
    peer_put(&deciding, say_login("carol", 1, PHONE, 1, 0));
    peer_put(&deciding, say_sync(0));
    roam_core_drain(rig.core, rig.now);
    /* What comes after the drain began is dropped, not carried out. */
    peer_put(&sender, say_send(3, "bob", "x"));
    rig_settle(&rig);
    rig_take(&sender, ROAM_SEND_OK);
    rig_take(&sender, ROAM_ERROR);
    rig_take_kick(&sender, roam_v1_KickReason_GOING_AWAY);
    rig_take_kick(&leaving, roam_v1_KickReason_LOGGED_OUT);
    rig_take(&deciding, ROAM_LOGIN_OK);
    rig_take_kick(&deciding, roam_v1_KickReason_GOING_AWAY);
    assert_true(roam_core_drained(rig.core));
    peer_free(&sender);
    peer_free(&deciding);
    peer_free(&leaving);
    rig_stop(&rig);
}

static void test_drain_does_not_wait_longer_than_its_time(void **state)
{
    (void)state;
    struct rig rig;
    struct peer stuck;
    start(&rig);
    peer_login(&rig, &stuck, "alice", 1, PHONE, 1, 0);
    stuck.stuck = true;
    roam_core_drain(rig.core, rig.now);
    rig_pass(&rig, rig.config.drain_ms - 1);
    assert_false(roam_core_drained(rig.core));
    rig_pass(&rig, 1);
    assert_true(roam_core_drained(rig.core));
    peer_free(&stuck);
    rig_stop(&rig);
}

static void test_drain_does_not_wait_for_a_store_that_hangs(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    peer_put(&p, say_send(1, "bob", "x"));
    roam_core_drain(rig.core, rig.now);
    rig.now.mono_ms += rig.config.drain_ms; /* nobody polls the store */
    roam_core_tick(rig.core, rig.now);
    rig_flush(&rig);
    assert_null(p.session);
    assert_true(roam_core_drained(rig.core));
    peer_free(&p);
    rig_stop(&rig);
}

static void test_thousands_of_deadlines_stay_in_order(void **state)
{
    (void)state;
    enum {
        COUNT = 3000
    };
    struct rig rig;
    start(&rig);
    struct peer *peers = calloc(COUNT, sizeof *peers);
    assert_non_null(peers);
    for (int i = 0; i < COUNT; i++) {
        peer_connect(&rig, &peers[i]);
        rig.now.mono_ms += 1;
    }
    for (int i = 0; i < COUNT; i += 3) { /* holes in the heap */
        peer_cut(&peers[(i * 7) % COUNT]);
    }
    uint64_t first = peers[0].session != NULL ? 0 : 1;
    assert_int_equal(roam_core_deadline(rig.core),
                     1 + first + rig.config.login_timeout_ms);
    for (int i = 0; i < COUNT; i++) {
        uint64_t by = 1 + (uint64_t)i + rig.config.login_timeout_ms;
        rig_pass(&rig, by - 1 - rig.now.mono_ms);
        bool there = peers[i].session != NULL;
        rig_pass(&rig, 1);
        if (there) {
            rig_take_kick(&peers[i], roam_v1_KickReason_LOGIN_TIMEOUT);
        }
    }
    assert_int_equal(roam_core_deadline(rig.core), UINT64_MAX);
    for (int i = 0; i < COUNT; i++) {
        peer_free(&peers[i]);
    }
    free(peers);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login_timeout_is_absolute),
        cmocka_unit_test(test_good_credential_gives_the_person_time_once),
        cmocka_unit_test(test_bad_credential_gives_no_time),
        cmocka_unit_test(test_silence_ends_at_two_and_a_half_heartbeats),
        cmocka_unit_test(test_stuck_output_ends_with_too_slow_and_is_given_up),
        cmocka_unit_test(test_kick_that_nobody_reads_is_given_up),
        cmocka_unit_test(test_too_slow_reader_that_wakes_up_is_told),
        cmocka_unit_test(
            test_pings_behind_stuck_output_are_answered_by_the_last),
        cmocka_unit_test(test_syncs_behind_stuck_output_do_not_pile_up),
        cmocka_unit_test(test_refusals_behind_stuck_output_do_not_pile_up),
        cmocka_unit_test(
            test_other_versions_behind_stuck_output_do_not_pile_up),
        cmocka_unit_test(test_drain_tells_everybody_and_refuses_newcomers),
        cmocka_unit_test(test_drain_answers_what_is_in_the_store_first),
        cmocka_unit_test(test_drain_does_not_wait_longer_than_its_time),
        cmocka_unit_test(test_drain_does_not_wait_for_a_store_that_hangs),
        cmocka_unit_test(test_thousands_of_deadlines_stay_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
