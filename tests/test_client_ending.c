/* SPDX-License-Identifier: Apache-2.0 */
/* How connections end, and that the next one starts afresh. */
#include <string.h>

#include "client_rig.h"

/* ------------------------------------------------------------------ endings */

static void test_every_kick_leads_back_as_the_spec_says(void **unused)
{
    (void)unused; /* KICK-7, KICK-8, section 12.3 */
    static const struct {
        roam_v1_KickReason reason;
        roam_v1_Retry retry;
        bool back;
    } cases[] = {
        {roam_v1_KickReason_TAKEN_OVER, roam_v1_Retry_NEVER, false},
        {roam_v1_KickReason_SUPERSEDED, roam_v1_Retry_NEVER, false},
        {roam_v1_KickReason_LOGGED_OUT, roam_v1_Retry_NEVER, false},
        {roam_v1_KickReason_GOING_AWAY, roam_v1_Retry_AFTER, true},
        {roam_v1_KickReason_TOO_SLOW, roam_v1_Retry_AFTER, true},
        {roam_v1_KickReason_PROTOCOL_ERROR, roam_v1_Retry_AFTER, true},
        {roam_v1_KickReason_IDLE, roam_v1_Retry_NOW, true},
        {roam_v1_KickReason_LOGIN_TIMEOUT, roam_v1_Retry_AFTER, true},
        {roam_v1_KickReason_OVERLOADED, roam_v1_Retry_AFTER, true},
        /* KICK-7 holds whatever class is told. */
        {roam_v1_KickReason_TAKEN_OVER, roam_v1_Retry_NOW, false},
        {roam_v1_KickReason_SUPERSEDED, roam_v1_Retry_AFTER, false},
        {roam_v1_KickReason_LOGGED_OUT, roam_v1_Retry_NOW, false},
        /* Otherwise the class decides. */
        {roam_v1_KickReason_OVERLOADED, roam_v1_Retry_NEVER, false},
        {roam_v1_KickReason_IDLE, roam_v1_Retry_REAUTHENTICATE, false},
        {(roam_v1_KickReason)99, roam_v1_Retry_NOW, true},
        {(roam_v1_KickReason)99, roam_v1_Retry_NEVER, false},
        {(roam_v1_KickReason)99, (roam_v1_Retry)99, true},
    };
    static struct rig r;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_prepare(&r);
        rig_init(&r);
        rig_go_live(&r, 0);
        rig_say_kick(&r, cases[i].reason, cases[i].retry, 0);
        rig_run(&r);
        char expected[64];
        snprintf(expected, sizeof expected, "KICKED %d\nCLOSE 0%s\n",
                 (int)cases[i].reason, cases[i].back ? " back" : "");
        assert_events(&r, expected);
        rig_lose(&r);
        assert_events(&r, expected); /* CLOSE is told once */
        rig_lose(&r);                /* a connection cannot be had */
        assert_int_equal(r.last_event.u.close.reconnect, cases[i].back);
        /* A person's act undoes it. */
        rig_login(&r);
        rig_lose(&r);
        assert_true(r.last_event.u.close.reconnect);
    }
}

static void test_a_kick_is_told_with_all_that_it_says(void **unused)
{
    (void)unused;
    static struct rig r;
    struct roam_message m;
    roam_message_init(&m, ROAM_KICK);
    m.u.kick.reason = roam_v1_KickReason_PROTOCOL_ERROR;
    m.u.kick.retry = roam_v1_Retry_AFTER;
    m.u.kick.error = roam_v1_ErrorCode_ACK_AHEAD;
    m.u.kick.has_holder = true;
    m.u.kick.holder.device_type = roam_v1_DeviceType_WEB;
    memset(m.u.kick.detail, 'd', ROAM_DETAIL_MAX);
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 0);
    rig_say(&r, &m);
    struct roam_event e;
    assert_int_equal(roam_client_feed(&r.client, r.said, r.said_len, r.now_ms),
                     r.said_len);
    roam_client_next_event(&r.client, &e, r.now_ms);
    assert_int_equal(e.type, ROAM_EVENT_KICKED);
    assert_int_equal(e.u.kicked.reason, ROAM_KICK_PROTOCOL_ERROR);
    assert_int_equal(e.u.kicked.retry, ROAM_RETRY_AFTER);
    assert_int_equal(e.u.kicked.error, roam_v1_ErrorCode_ACK_AHEAD);
    assert_int_equal(e.u.kicked.holder.device_type, ROAM_WEB);
    assert_int_equal(strlen(e.u.kicked.detail), ROAM_DETAIL_MAX);
    roam_client_next_event(&r.client, &e, r.now_ms);
    assert_int_equal(e.type, ROAM_EVENT_CLOSE);
    roam_client_next_event(&r.client, &e, r.now_ms);
    assert_int_equal(e.type, ROAM_EVENT_NONE);
}

static void test_a_kick_that_is_drained_late_is_not_lost(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 0);
    rig_say_kick(&r, roam_v1_KickReason_TAKEN_OVER, roam_v1_Retry_NEVER, 0);
    assert_int_equal(roam_client_feed(&r.client, r.said, r.said_len, r.now_ms),
                     r.said_len);
    roam_client_closed(&r.client, r.now_ms);
    assert_int_equal(roam_client_open(&r.client, r.now_ms),
                     ROAM_STATUS_BAD_STATE);
    rig_drain(&r);
    assert_events(&r, "KICKED 1\nCLOSE 0\n");
    rig_open(&r);
}

static void test_nothing_is_sent_behind_logout(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 9);
    rig_send(&r, 5, "never mind");
    assert_int_equal(roam_client_logout(&r.client, r.now_ms), ROAM_STATUS_OK);
    assert_int_equal(roam_client_logout(&r.client, r.now_ms),
                     ROAM_STATUS_BAD_STATE);
    rig_say_push(&r, 1, 0, "a");
    rig_say_push(&r, 2, 1, "b");
    rig_say_push(&r, 3, 2, "c");
    rig_say_push(&r, 4, 3, "d");
    rig_say_push(&r, 9, 8, "behind a gap");
    rig_run(&r);
    rig_wait(&r, 9000);
    assert_frames(&r, "LOGOUT\n");
    rig_say_kick(&r, roam_v1_KickReason_LOGGED_OUT, roam_v1_Retry_NEVER, 0);
    rig_forget(&r);
    rig_run(&r);
    assert_events(&r, "KICKED 3\nCLOSE 0\n");
}

static void test_a_logout_without_answer_ends_without_coming_back(void **unused)
{
    (void)unused;
    static struct rig r;
    for (int lost = 0; lost < 2; lost++) {
        rig_prepare(&r);
        rig_init(&r);
        rig_go_live(&r, 0);
        assert_int_equal(roam_client_logout(&r.client, r.now_ms), 0);
        rig_run(&r);
        if (lost) {
            rig_lose(&r);
            assert_events(&r, "CLOSE 0\n");
        } else {
            rig_wait(&r, 9999);
            assert_events(&r, "");
            rig_wait(&r, 1);
            assert_events(&r, "CLOSE -24\n");
        }
    }
}

static void test_the_callers_close_does_not_come_back(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    roam_client_close(&r.client, r.now_ms); /* nothing is open: nothing */
    rig_drain(&r);
    assert_events(&r, "");
    rig_go_live(&r, 0);
    roam_client_close(&r.client, r.now_ms);
    rig_run(&r);
    assert_events(&r, "CLOSE 0\n");
    rig_lose(&r);
    assert_events(&r, "CLOSE 0\n");
}

/* --------------------------------------------------------- a fresh start */

static void mess_mid_frame(struct rig *r)
{
    rig_say_bytes(r, "\x45\x00", 2);
    rig_run(r);
}
static void mess_unsent(struct rig *r)
{
    r->pull = false;
    rig_send(r, 70, "half of this goes");
    rig_pull(r, 10);
    rig_say_send_ok(r, 70, false);
    rig_run(r);
}
static void mess_gap(struct rig *r)
{
    rig_say_push(r, 9, 8, "gap");
    rig_run(r);
}
static void mess_unsent_sync(struct rig *r)
{
    r->pull = false;
    mess_gap(r);
}
static void mess_behind(struct rig *r)
{
    rig_say_pong(r, 50);
    rig_say_pong(r, 50);
    rig_run(r);
}
static void mess_ahead(struct rig *r)
{
    rig_say_pong(r, 50);
    rig_run(r);
}
static void mess_silence(struct rig *r)
{
    rig_wait(r, 32000);
}
static void mess_unsent_ping(struct rig *r)
{
    r->pull = false;
    rig_wait(r, 32000);
}
static void mess_logout(struct rig *r)
{
    assert_int_equal(roam_client_logout(&r->client, r->now_ms), 0);
    rig_run(r);
}
static void mess_unsent_logout(struct rig *r)
{
    r->pull = false;
    mess_logout(r);
}
static void mess_ack(struct rig *r)
{
    r->pull = false;
    rig_say_push(r, 1, 0, "x");
    rig_run(r);
}
static void mess_lost_login(struct rig *r)
{
    rig_lose(r);
    rig_login(r);
}
static void mess_unsent_login(struct rig *r)
{
    rig_lose(r);
    r->pull = false;
    rig_login(r);
}
static void mess_commands(struct rig *r)
{
    for (uint64_t id = 90; id < 94; id++) {
        rig_send(r, id, "x");
    }
    rig_run(r);
    for (uint64_t id = 90; id < 94; id++) {
        roam__outbox_free(roam__engine(&r->client), id);
    }
}

static void test_a_new_connection_keeps_nothing_of_the_old_one(void **unused)
{
    (void)unused;
    static void (*const mess[])(struct rig *) = {
        mess_mid_frame,    mess_unsent,        mess_gap,     mess_unsent_sync,
        mess_behind,       mess_ahead,         mess_silence, mess_unsent_ping,
        mess_logout,       mess_unsent_logout, mess_ack,     mess_lost_login,
        mess_unsent_login, mess_commands,
    };
    static struct rig r;
    for (size_t i = 0; i < sizeof mess / sizeof mess[0]; i++) {
        rig_prepare(&r);
        rig_init(&r);
        rig_go_live(&r, 0);
        mess[i](&r);
        rig_lose(&r);
        r.now_ms += 100000;
        r.pull = true;
        uint64_t at = roam_client_cursor(&r.client);
        rig_open(&r);
        assert_true(roam_client_deadline_ms(&r.client) == UINT64_MAX);
        rig_forget(&r);
        rig_run(&r);
        assert_frames(&r, "");
        r.attempt = 10;
        assert_int_equal(roam_client_login(&r.client, 10, 0, r.now_ms), 0);
        rig_send(&r, 71, "new");
        rig_say_login_ok(&r, 1);
        rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, at + 2);
        rig_run(&r);
        rig_say_pong(&r, 50); /* a first PONG, and a second */
        rig_run(&r);
        assert_int_equal(rig_state(&r), ST_LIVE);
        rig_say_pong(&r, 50);
        rig_run(&r);
        rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, at + 2);
        rig_say_push(&r, at + 9, at + 8, "a first gap");
        rig_run(&r);
        rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, at + 2);
        rig_say_push(&r, at + 1, at, "a");
        rig_say_push(&r, at + 2, at + 1, "b");
        rig_run(&r);
        char frames[80], events[200];
        snprintf(frames, sizeof frames,
                 "LOGIN 10\nSYNC %d\nSEND 71 new\nSYNC %d\nSYNC %d\n", (int)at,
                 (int)at, (int)at);
        snprintf(events, sizeof events,
                 "LOGGED_IN 1\nENTRY %d<%d bob:a\nENTRY %d<%d bob:b\n"
                 "SYNCED %d\n",
                 (int)at + 1, (int)at, (int)at + 2, (int)at + 1, (int)at + 2);
        if (strcmp(r.frames, frames) != 0 || strcmp(r.events, events) != 0) {
            fail_msg("mess %u:\n%s%s", (unsigned)i, r.frames, r.events);
        }
        rig_wait(&r, 9999); /* no old timer is left */
        rig_say_pong(&r, 2);
        rig_run(&r);
        assert_int_equal(rig_state(&r), ST_LIVE);
    }
}

static void test_nothing_is_sent_on_a_connection_that_ended(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 0);
    rig_send(&r, 5, "too late");
    assert_true(roam_client_pending(&r.client).len > 0);
    roam_client_close(&r.client, r.now_ms);
    assert_int_equal(roam_client_pending(&r.client).len, 0);
    rig_lose(&r);
    assert_int_equal(roam_client_pending(&r.client).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kick_leads_back_as_the_spec_says),
        cmocka_unit_test(test_a_kick_is_told_with_all_that_it_says),
        cmocka_unit_test(test_a_kick_that_is_drained_late_is_not_lost),
        cmocka_unit_test(test_nothing_is_sent_behind_logout),
        cmocka_unit_test(test_a_logout_without_answer_ends_without_coming_back),
        cmocka_unit_test(test_the_callers_close_does_not_come_back),
        cmocka_unit_test(test_a_new_connection_keeps_nothing_of_the_old_one),
        cmocka_unit_test(test_nothing_is_sent_on_a_connection_that_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
