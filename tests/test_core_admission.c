/* SPDX-License-Identifier: Apache-2.0 */
/* Who is let in: the limits of logins, of connections, and of those who have
 * not shown a credential, each at n and n + 1, in virtual time. Spec:
 * section 9.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core_rig.h"

#define PHONE roam_v1_DeviceType_PHONE

static const struct roam_rate three = {3, 3000};

static void rig_init_limited(struct rig *rig, enum roam_user_rate rate)
{
    rig_init(rig);
    rig->config.heartbeat_ms = 60000;
    rig->config.user_rates[rate] = three;
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
