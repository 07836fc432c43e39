/* SPDX-License-Identifier: Apache-2.0 */
/* The limits of users, addresses and all together, each at n and n + 1, in
 * virtual time. Spec: section 9.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static void take_limited(struct peer *p, uint64_t ref, uint32_t wait_ms)
{
    const roam_v1_Error *e = &rig_take(p, ROAM_ERROR)->u.error;
    assert_int_equal(e->code, roam_v1_ErrorCode_RATE_LIMITED);
    assert_int_equal(e->retry, roam_v1_Retry_AFTER);
    assert_int_equal(e->ref, ref);
    assert_int_equal(e->retry_after_ms, wait_ms);
}

static void take_throttled(struct peer *p, uint32_t wait_ms)
{
    const roam_v1_Refused *r = &rig_take(p, ROAM_REFUSED)->u.refused;
    assert_int_equal(r->reason, roam_v1_RefusedReason_THROTTLED);
    assert_int_equal(r->retry, roam_v1_Retry_AFTER);
    assert_int_equal(r->retry_after_ms, wait_ms);
    assert_int_equal(r->generation, 0);
    assert_false(r->has_holder);
}

static void say_bad_login(struct peer *p, const char *user)
{
    struct roam_message *m = say_login(user, 1, PHONE, 1, 0);
    strcpy(m->u.login.token, "wrong");
    peer_say(p, m);
}

static void take_bad_credential(struct peer *p)
{
    assert_int_equal(rig_take(p, ROAM_REFUSED)->u.refused.reason,
                     roam_v1_RefusedReason_CREDENTIAL);
}

/* ------------------------------------------------------------------ sends */

/* alice's phone is at its rate, and 4 was refused: again in 1,000 ms. */
static void begin_held(struct rig *rig, struct peer *p)
{
    rig_init_limited(rig, ROAM_RATE_SENDS);
    rig_start(rig);
    peer_login(rig, p, "alice", 1, PHONE, 1, 0);
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
    rig_init_limited(&rig, ROAM_RATE_SEND_BYTES);
    rig_start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
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
    rig_init_limited(&rig, ROAM_RATE_DELIVERIES);
    rig_start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
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
    rig_init_limited(&rig, ROAM_RATE_SEND_BYTES);
    rig_start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
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
    rig_init_limited(&rig, ROAM_RATE_SENDS);
    rig_start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
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
    rig_init_limited(&rig, ROAM_RATE_PAGES);
    rig_start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
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

/* ------------------------------------------------------------------ logins */

static void test_logins_of_a_user_up_to_the_rate_and_one_more(void **state)
{
    (void)state; /* [FLOW-5] */
    struct rig rig;
    struct peer p;
    rig_init_limited(&rig, ROAM_RATE_LOGINS);
    rig_start(&rig);
    for (uint64_t attempt = 1; attempt <= 3; attempt++) {
        peer_login(&rig, &p, "alice", 1, PHONE, attempt, 0);
        peer_free(&p);
    }
    peer_connect(&rig, &p);
    peer_say(&p, say_login("alice", 1, PHONE, 4, 0));
    take_throttled(&p, 1000);
    rig_pass(&rig, 1000);
    peer_say(&p, say_login("alice", 1, PHONE, 4, 0)); /* the same connection */
    rig_take(&p, ROAM_LOGIN_OK);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_refused_logins_with_a_good_credential_count(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p, other;
    rig_init_limited(&rig, ROAM_RATE_LOGINS);
    rig_start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    peer_connect(&rig, &other);
    for (int i = 0; i < 2; i++) {
        peer_say(&other, say_login("alice", 2, PHONE, 1, 0));
        assert_int_equal(rig_take(&other, ROAM_REFUSED)->u.refused.reason,
                         roam_v1_RefusedReason_OCCUPIED);
    }
    peer_say(&other, say_login("alice", 2, PHONE, 1, 0));
    take_throttled(&other, 1000);
    peer_free(&p);
    peer_free(&other);
    rig_stop(&rig);
}

/* [LOGIN-8]: how busy a user is, and that there is one, is not told. */
static void test_stranger_is_not_told_that_a_user_is_throttled(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    rig_init_limited(&rig, ROAM_RATE_LOGINS);
    rig_start(&rig);
    for (uint64_t attempt = 1; attempt <= 3; attempt++) {
        peer_login(&rig, &p, "alice", 1, PHONE, attempt, 0);
        peer_free(&p);
    }
    peer_connect(&rig, &p);
    say_bad_login(&p, "alice");
    take_bad_credential(&p);
    peer_say(&p, say_login("alice", 1, PHONE, 4, 0));
    take_throttled(&p, 1000);
    rig_pass(&rig, 1000);
    /* The slot was not touched: the same attempt is good for it. */
    peer_say(&p, say_login("alice", 1, PHONE, 4, 0));
    rig_take(&p, ROAM_LOGIN_OK);
    struct roam_core_stats stats;
    roam_core_get_stats(rig.core, &stats);
    assert_int_equal(stats.throttled, 1);
    peer_free(&p);
    rig_stop(&rig);
}

/* The wait may be over when the store answers; it is told as one that is. */
static void test_throttled_wait_is_never_none(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    rig_init_limited(&rig, ROAM_RATE_LOGINS);
    rig_start(&rig);
    for (uint64_t attempt = 1; attempt <= 3; attempt++) {
        peer_login(&rig, &p, "alice", 1, PHONE, attempt, 0);
        peer_free(&p);
    }
    peer_connect(&rig, &p);
    peer_put(&p, say_login("alice", 1, PHONE, 4, 0));
    rig.now.mono_ms += 5000;
    rig_settle(&rig);
    take_throttled(&p, 1);
    peer_free(&p);
    rig_stop(&rig);
}

/* [FLOW-7] */
static void test_stranger_uses_up_nothing_of_a_users(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p, owner;
    rig_init_limited(&rig, ROAM_RATE_LOGINS);
    rig.address = 1;
    rig.config.login_failures = three;
    rig_start(&rig);
    peer_connect(&rig, &p);
    for (int i = 0; i < 3; i++) {
        say_bad_login(&p, "alice");
        take_bad_credential(&p);
    }
    say_bad_login(&p, "alice");
    take_throttled(&p, 1000);
    peer_say(&p, say_login("alice", 1, PHONE, 1, 0)); /* good, from there */
    take_throttled(&p, 1000);
    say_bad_login(&p, "bob"); /* as somebody else */
    take_bad_credential(&p);
    rig.address = 2;
    peer_login(&rig, &owner, "alice", 1, PHONE, 1, 0);
    peer_free(&p);
    peer_free(&owner);
    rig_stop(&rig);
}

/* [FLOW-5], [FLOW-12]: throttled alike, and no request to the store. */
static void test_user_that_does_not_exist_is_throttled_alike(void **state)
{
    (void)state;
    static const char *const users[] = {"alice", "nobody"};
    for (int u = 0; u < 2; u++) {
        struct rig rig;
        struct peer p;
        rig_init(&rig);
        rig.address = 1;
        rig.config.login_failures = three;
        rig_start(&rig);
        peer_connect(&rig, &p);
        for (int i = 0; i < 3; i++) {
            say_bad_login(&p, users[u]);
            take_bad_credential(&p);
        }
        struct roam_message *m = say_login(users[u], 1, PHONE, 1, 0);
        peer_put(&p, m);
        assert_int_equal(p.session->requests, 0);
        rig_settle(&rig);
        take_throttled(&p, 1000);
        peer_free(&p);
        rig_stop(&rig);
    }
}

/* Those that are with the store count already. */
static void test_failures_at_once_do_not_slip_through_together(void **state)
{
    (void)state;
    struct rig rig;
    struct peer peers[5];
    rig_init(&rig);
    rig.address = 1;
    rig.config.login_failures = three;
    rig_start(&rig);
    for (int i = 0; i < 5; i++) {
        struct roam_message *m = say_login("alice", 1, PHONE, 1, 0);
        strcpy(m->u.login.token, "wrong");
        peer_connect(&rig, &peers[i]);
        peer_put(&peers[i], m);
    }
    rig_settle(&rig);
    for (int i = 0; i < 5; i++) {
        if (i < 3) {
            take_bad_credential(&peers[i]);
        } else {
            take_throttled(&peers[i], 1000);
        }
        peer_free(&peers[i]);
    }
    rig_stop(&rig);
}

static void test_good_logins_are_no_failures(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig.address = 1;
    rig.config.login_failures = three;
    rig_start(&rig);
    for (uint64_t attempt = 1; attempt <= 20; attempt++) {
        peer_login(&rig, &p, "alice", 1, PHONE, attempt, 0);
        peer_free(&p);
    }
    rig_stop(&rig);
}

/* A connection that is cut before its answer has failed all the same. */
static void test_failure_counts_when_nobody_waits_for_the_answer(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig.address = 1;
    rig.config.login_failures = three;
    rig_start(&rig);
    for (int i = 0; i < 3; i++) {
        struct roam_message *m = say_login("alice", 1, PHONE, 1, 0);
        strcpy(m->u.login.token, "wrong");
        peer_connect(&rig, &p);
        peer_put(&p, m);
        peer_free(&p);
        rig_settle(&rig);
    }
    peer_connect(&rig, &p);
    say_bad_login(&p, "alice");
    take_throttled(&p, 1000);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_logins_of_an_address_up_to_the_rate_and_one_more(void **st)
{
    (void)st;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig.address = 1;
    rig.config.address_rates[ROAM_RATE_ADDRESS_LOGINS] = three;
    rig_start(&rig);
    peer_connect(&rig, &p);
    static const char *const users[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        say_bad_login(&p, users[i]);
        take_bad_credential(&p);
    }
    say_bad_login(&p, "d");
    take_throttled(&p, 1000);
    rig_pass(&rig, 1000);
    say_bad_login(&p, "d");
    take_bad_credential(&p);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_exempt_address_is_not_limited(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig.config.login_failures = three;
    rig.config.address_rates[ROAM_RATE_ADDRESS_LOGINS] = three;
    rig.config.address_rates[ROAM_RATE_CONNECTIONS] = three;
    rig.config.max_strangers_address = 1;
    rig_start(&rig);
    for (int i = 0; i < 10; i++) {
        peer_connect(&rig, &p);
        say_bad_login(&p, "alice");
        take_bad_credential(&p);
        peer_free(&p);
    }
    rig_stop(&rig);
}

/* ------------------------------------------------------------- connections */

static void test_connections_of_an_address_up_to_the_rate(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig.address = 1;
    rig.config.address_rates[ROAM_RATE_CONNECTIONS] = three;
    rig_start(&rig);
    for (int i = 0; i < 3; i++) {
        peer_connect(&rig, &p);
        rig_settle(&rig);
        rig_take_none(&p);
        peer_free(&p);
    }
    peer_connect(&rig, &p);
    rig_settle(&rig);
    rig_take_kick(&p, roam_v1_KickReason_OVERLOADED);
    peer_free(&p);
    rig.address = 2;
    peer_connect(&rig, &p);
    rig_settle(&rig);
    rig_take_none(&p);
    peer_free(&p);
    rig.address = 1;
    rig_pass(&rig, 1000);
    peer_connect(&rig, &p);
    rig_settle(&rig);
    rig_take_none(&p);
    peer_free(&p);
    rig_stop(&rig);
}

/* To tell one costs a handshake: the 65th in a moment is not told. */
static void test_turning_away_is_told_to_few(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig.address = 1;
    rig.config.address_rates[ROAM_RATE_CONNECTIONS] = three;
    rig_start(&rig);
    for (int i = 0; i < 3 + 64; i++) {
        peer_connect(&rig, &p);
        rig_settle(&rig);
        peer_free(&p);
    }
    assert_null(roam_core_accept(rig.core, "flood", 1, rig.now));
    assert_int_equal(rig.core->stats.connections, 0);
    rig.now.mono_ms += 99;
    assert_null(roam_core_accept(rig.core, "flood", 1, rig.now));
    rig.now.mono_ms += 1;
    peer_connect(&rig, &p);
    rig_settle(&rig);
    rig_take_kick(&p, roam_v1_KickReason_OVERLOADED);
    peer_free(&p);
    rig_stop(&rig);
}

/* -------------------------------------------------------------- strangers */

static void test_strangers_of_an_address_up_to_their_number(void **state)
{
    (void)state; /* [FLOW-10] */
    struct rig rig;
    struct peer peers[4];
    rig_init(&rig);
    rig.address = 1;
    rig.config.max_strangers_address = 2;
    rig_start(&rig);
    peer_connect(&rig, &peers[0]);
    peer_connect(&rig, &peers[1]);
    peer_connect(&rig, &peers[2]);
    rig_settle(&rig);
    rig_take_none(&peers[0]);
    rig_take_none(&peers[1]);
    rig_take_kick(&peers[2], roam_v1_KickReason_OVERLOADED);
    peer_free(&peers[2]);
    /* Who has logged in is none any more. */
    peer_say(&peers[0], say_login("alice", 1, PHONE, 1, 0));
    rig_take(&peers[0], ROAM_LOGIN_OK);
    peer_connect(&rig, &peers[2]);
    rig_settle(&rig);
    rig_take_none(&peers[2]);
    rig.address = 2;
    peer_connect(&rig, &peers[3]);
    rig_settle(&rig);
    rig_take_none(&peers[3]);
    for (int i = 0; i < 4; i++) {
        peer_free(&peers[i]);
    }
    rig_stop(&rig);
}

static void test_stranger_that_had_its_time_gives_way(void **state)
{
    (void)state; /* [FLOW-10] */
    struct rig rig;
    struct peer peers[4];
    rig_init(&rig);
    rig.config.max_strangers = 2;
    rig_start(&rig);
    peer_connect(&rig, &peers[0]);
    rig_pass(&rig, 1);
    peer_connect(&rig, &peers[1]);
    rig_pass(&rig, 1998);
    peer_connect(&rig, &peers[2]); /* nobody had its time */
    rig_settle(&rig);
    rig_take_kick(&peers[2], roam_v1_KickReason_OVERLOADED);
    rig_pass(&rig, 1);
    peer_connect(&rig, &peers[3]);
    rig_settle(&rig);
    rig_take_kick(&peers[0], roam_v1_KickReason_OVERLOADED);
    rig_take_none(&peers[1]);
    rig_take_none(&peers[3]);
    for (int i = 0; i < 4; i++) {
        peer_free(&peers[i]);
    }
    assert_int_equal(rig.core->strangers.count, 0);
    rig_stop(&rig);
}

static void test_who_showed_a_credential_is_no_stranger(void **state)
{
    (void)state;
    struct rig rig;
    struct peer holder, p, q;
    rig_init(&rig);
    rig.config.max_strangers = 1;
    rig_start(&rig);
    peer_login(&rig, &holder, "alice", 1, PHONE, 1, 0);
    peer_connect(&rig, &p);
    say_bad_login(&p, "alice");
    take_bad_credential(&p);
    peer_connect(&rig, &q);
    rig_settle(&rig);
    rig_take_kick(&q, roam_v1_KickReason_OVERLOADED);
    peer_free(&q);
    peer_say(&p, say_login("alice", 2, PHONE, 1, 0)); /* a person decides */
    rig_take(&p, ROAM_REFUSED);
    peer_connect(&rig, &q);
    rig_settle(&rig);
    rig_take_none(&q);
    peer_free(&holder);
    peer_free(&p);
    peer_free(&q);
    rig_stop(&rig);
}

/* Thousands of all addresses come and go; the lists stay whole. */
static void test_strangers_come_and_go_in_any_order(void **state)
{
    (void)state;
    enum {
        PLACES = 40
    };
    struct rig rig;
    static struct peer peers[PLACES];
    bool there[PLACES] = {false};
    uint32_t random = 7;
    uint32_t count = 0;
    rig_init(&rig);
    rig_start(&rig);
    for (int i = 0; i < 5000; i++) {
        random = random * 1664525u + 1013904223u;
        uint32_t at = (random >> 10) % PLACES;
        if (there[at]) {
            peer_free(&peers[at]);
            count--;
        } else {
            rig.address = (random >> 20) % 5;
            rig.now.mono_ms += 100;
            peer_connect(&rig, &peers[at]);
            count++;
        }
        there[at] = !there[at];
        assert_int_equal(rig.core->strangers.count, count);
        uint32_t seen = 0;
        const struct roam_session *s = rig.core->strangers.oldest;
        for (; s != NULL; s = s->newer) {
            assert_true(s->newer == NULL ||
                        s->accepted_ms <= s->newer->accepted_ms);
            seen++;
        }
        assert_int_equal(seen, count);
    }
    for (int i = 0; i < PLACES; i++) {
        if (there[i]) {
            peer_free(&peers[i]);
        }
    }
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
        cmocka_unit_test(test_late_send_does_not_overtake_a_limited_one),
        cmocka_unit_test(test_forgotten_limited_send_holds_up_nobody_for_ever),
        cmocka_unit_test(test_any_limited_send_that_comes_again_ends_the_hold),
        cmocka_unit_test(test_send_limited_twice_holds_twice),
        cmocka_unit_test(test_sends_known_to_be_held_and_one_more),
        cmocka_unit_test(
            test_what_is_wrong_with_a_send_is_told_before_its_limit),
        cmocka_unit_test(test_pages_up_to_the_rate_and_one_more),
        cmocka_unit_test(test_limited_commands_are_counted_as_answered),
        cmocka_unit_test(test_logins_of_a_user_up_to_the_rate_and_one_more),
        cmocka_unit_test(test_refused_logins_with_a_good_credential_count),
        cmocka_unit_test(test_stranger_is_not_told_that_a_user_is_throttled),
        cmocka_unit_test(test_throttled_wait_is_never_none),
        cmocka_unit_test(test_stranger_uses_up_nothing_of_a_users),
        cmocka_unit_test(test_user_that_does_not_exist_is_throttled_alike),
        cmocka_unit_test(test_failures_at_once_do_not_slip_through_together),
        cmocka_unit_test(test_good_logins_are_no_failures),
        cmocka_unit_test(test_failure_counts_when_nobody_waits_for_the_answer),
        cmocka_unit_test(test_logins_of_an_address_up_to_the_rate_and_one_more),
        cmocka_unit_test(test_exempt_address_is_not_limited),
        cmocka_unit_test(test_connections_of_an_address_up_to_the_rate),
        cmocka_unit_test(test_turning_away_is_told_to_few),
        cmocka_unit_test(test_strangers_of_an_address_up_to_their_number),
        cmocka_unit_test(test_stranger_that_had_its_time_gives_way),
        cmocka_unit_test(test_who_showed_a_credential_is_no_stranger),
        cmocka_unit_test(test_strangers_come_and_go_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
