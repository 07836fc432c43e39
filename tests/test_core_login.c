/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions and slots, through the core: who gets in, who is told what, and
 * who is ended by it. Spec: section 5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core_rig.h"

#define PHONE roam_v1_DeviceType_PHONE
#define DESKTOP roam_v1_DeviceType_DESKTOP

static const roam_v1_Refused *refused(struct peer *peer,
                                      roam_v1_RefusedReason reason)
{
    const roam_v1_Refused *r = &rig_take(peer, ROAM_REFUSED)->u.refused;
    assert_int_equal(r->reason, reason);
    return r;
}

static void test_first_login_of_a_slot_is_granted(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    rig_init(&rig);
    rig_start(&rig);
    peer_connect(&rig, &a);
    peer_say(&a, say_login("alice", 1, PHONE, 1, 0));
    const roam_v1_LoginOk *ok = &rig_take(&a, ROAM_LOGIN_OK)->u.login_ok;
    assert_int_equal(ok->generation, 1);
    assert_int_equal(ok->head, 0);
    assert_int_equal(ok->floor, 0);
    assert_int_equal(ok->max_frame, rig.config.max_frame);
    assert_int_equal(ok->max_body, rig.config.max_body);
    assert_int_equal(ok->max_commands, rig.config.max_commands);
    assert_int_equal(ok->heartbeat_ms, rig.config.heartbeat_ms);
    assert_int_equal(ok->dedup_ms, rig.config.dedup_ms);
    rig_take_none(&a);
    peer_free(&a);
    rig_stop(&rig);
}

static void test_takeover_needs_the_generation_and_kicks_the_holder(void **st)
{
    (void)st;
    struct rig rig;
    struct peer old, new;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &old, "alice", 1, PHONE, 1, 0);
    peer_connect(&rig, &new);
    peer_say(&new, say_login("alice", 2, PHONE, 1, 0));
    const roam_v1_Refused *r = refused(&new, roam_v1_RefusedReason_OCCUPIED);
    assert_int_equal(r->retry, roam_v1_Retry_NEVER);
    assert_int_equal(r->generation, 1);
    assert_true(r->has_holder);
    assert_int_equal(r->holder.device_type, PHONE);
    assert_string_equal(r->holder.device_name, "device 1");
    rig_take_none(&old);
    rig_pass(&rig, 700);
    peer_say(&new, say_login("alice", 2, PHONE, 2, 1));
    const roam_v1_Kick *kick =
        &rig_take_kick(&old, roam_v1_KickReason_TAKEN_OVER)->u.kick;
    assert_int_equal(kick->retry, roam_v1_Retry_NEVER);
    assert_int_equal(kick->generation, 2);
    assert_true(kick->has_holder);
    assert_int_equal(kick->holder.device_type, PHONE);
    assert_string_equal(kick->holder.device_name, "device 2");
    assert_int_equal(kick->holder.since, rig.now.wall_ms - ROAM_EPOCH_UNIX_MS);
    assert_int_equal(rig_take(&new, ROAM_LOGIN_OK)->u.login_ok.generation, 2);
    peer_free(&old);
    peer_free(&new);
    rig_stop(&rig);
}

static void test_generation_of_the_past_takes_nothing_over(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, b, late;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &b, "alice", 2, PHONE, 1, 1);
    rig_take_kick(&a, roam_v1_KickReason_TAKEN_OVER);
    peer_connect(&rig, &late); /* a person was asked when 1 was current */
    peer_say(&late, say_login("alice", 3, PHONE, 1, 1));
    assert_int_equal(refused(&late, roam_v1_RefusedReason_OCCUPIED)->generation,
                     2);
    rig_take_none(&b);
    peer_free(&a);
    peer_free(&b);
    peer_free(&late);
    rig_stop(&rig);
}

static void test_kicked_device_is_told_kicked_and_not_granted(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, b;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &b, "alice", 2, PHONE, 1, 1);
    rig_take_kick(&a, roam_v1_KickReason_TAKEN_OVER);
    peer_free(&a);
    peer_connect(&rig, &a);
    peer_say(&a, say_login("alice", 1, PHONE, 2, 0));
    const roam_v1_Refused *r = refused(&a, roam_v1_RefusedReason_KICKED);
    assert_int_equal(r->generation, 2);
    assert_string_equal(r->holder.device_name, "device 2");
    assert_int_equal(r->retry, roam_v1_Retry_NEVER);
    rig_take_none(&b);
    peer_free(&a);
    peer_free(&b);
    rig_stop(&rig);
}

static void test_holder_coming_back_supersedes_its_own_session(void **state)
{
    (void)state;
    struct rig rig;
    struct peer first, second;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &first, "alice", 1, PHONE, 5, 0);
    peer_connect(&rig, &second);
    peer_say(&second, say_login("alice", 1, PHONE, 6, 0));
    const roam_v1_Kick *kick =
        &rig_take_kick(&first, roam_v1_KickReason_SUPERSEDED)->u.kick;
    assert_int_equal(kick->retry, roam_v1_Retry_NEVER);
    assert_int_equal(rig_take(&second, ROAM_LOGIN_OK)->u.login_ok.generation,
                     1);
    peer_free(&first);
    peer_free(&second);
    rig_stop(&rig);
}

static void test_attempt_not_above_the_last_is_stale(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, copy;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 5, 0);
    peer_connect(&rig, &copy);
    for (uint64_t attempt = 4; attempt <= 5; attempt++) {
        peer_say(&copy, say_login("alice", 1, PHONE, attempt, 1));
        const roam_v1_Refused *r = refused(&copy, roam_v1_RefusedReason_STALE);
        assert_int_equal(r->retry, roam_v1_Retry_NOW);
        assert_int_equal(r->generation, 1);
    }
    rig_take_none(&a);
    peer_say(&copy, say_login("alice", 1, PHONE, 6, 0));
    rig_take(&copy, ROAM_LOGIN_OK);
    rig_take_kick(&a, roam_v1_KickReason_SUPERSEDED);
    peer_free(&a);
    peer_free(&copy);
    rig_stop(&rig);
}

static void test_logout_frees_the_slot_for_whoever_names_it(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, b;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_say(&a, say_logout());
    const roam_v1_Kick *kick =
        &rig_take_kick(&a, roam_v1_KickReason_LOGGED_OUT)->u.kick;
    assert_int_equal(kick->retry, roam_v1_Retry_NEVER);
    peer_connect(&rig, &b);
    for (uint8_t device = 1; device <= 2; device++) {
        peer_say(&b, say_login("alice", device, PHONE, 9, 0));
        const roam_v1_Refused *r = refused(&b, roam_v1_RefusedReason_FREE);
        assert_int_equal(r->generation, 2);
        assert_false(r->has_holder);
    }
    peer_say(&b, say_login("alice", 2, PHONE, 10, 2));
    assert_int_equal(rig_take(&b, ROAM_LOGIN_OK)->u.login_ok.generation, 3);
    peer_free(&a);
    peer_free(&b);
    rig_stop(&rig);
}

static void test_login_leaves_other_slots_alone(void **state)
{
    (void)state;
    struct rig rig;
    struct peer desktop, phone, other, bob;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &desktop, "alice", 1, DESKTOP, 1, 0);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    peer_login(&rig, &phone, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &other, "alice", 2, PHONE, 1, 1);
    rig_take_kick(&phone, roam_v1_KickReason_TAKEN_OVER);
    rig_take_none(&desktop);
    rig_take_none(&bob);
    peer_say(&desktop, say_ping(1));
    rig_take(&desktop, ROAM_PONG);
    peer_say(&bob, say_ping(1));
    rig_take(&bob, ROAM_PONG);
    peer_free(&desktop);
    peer_free(&phone);
    peer_free(&other);
    peer_free(&bob);
    rig_stop(&rig);
}

static void credential_case(struct rig *rig, const char *user,
                            const char *token, roam_v1_DeviceType type,
                            roam_v1_RefusedReason reason)
{
    struct peer p;
    peer_connect(rig, &p);
    struct roam_message *m = say_login(user, 9, type, 1, 0);
    strcpy(m->u.login.token, token);
    peer_say(&p, m);
    const roam_v1_Refused *r = refused(&p, reason);
    assert_int_equal(r->retry, roam_v1_Retry_REAUTHENTICATE);
    assert_int_equal(r->generation, 0);
    assert_false(r->has_holder);
    peer_free(&p);
}

static void test_bad_credentials_tell_nothing_of_the_slot(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    rig_init(&rig);
    rig_start(&rig);
    uint64_t now = rig.now.wall_ms - ROAM_EPOCH_UNIX_MS;
    roam_store_mem_add_token(rig.store, "alice", "phones", PHONE, 0);
    roam_store_mem_add_token(rig.store, "alice", "old", 0, now);
    roam_store_mem_add_token(rig.store, "alice", "fresh", 0, now + 1);
    roam_store_mem_add_token(rig.store, "alice", "gone", 0, 0);
    roam_store_mem_revoke_token(rig.store, "gone");
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    credential_case(&rig, "nobody", "alice-token", PHONE,
                    roam_v1_RefusedReason_CREDENTIAL);
    credential_case(&rig, "alice", "wrong", PHONE,
                    roam_v1_RefusedReason_CREDENTIAL);
    credential_case(&rig, "alice", "bob-token", PHONE,
                    roam_v1_RefusedReason_CREDENTIAL);
    credential_case(&rig, "alice", "gone", PHONE,
                    roam_v1_RefusedReason_CREDENTIAL);
    credential_case(&rig, "alice", "old", PHONE,
                    roam_v1_RefusedReason_TOKEN_EXPIRED);
    credential_case(&rig, "alice", "phones", DESKTOP,
                    roam_v1_RefusedReason_TYPE_FORBIDDEN);
    struct peer b;
    peer_connect(&rig, &b);
    struct roam_message *m = say_login("alice", 2, DESKTOP, 1, 0);
    strcpy(m->u.login.token, "fresh");
    peer_say(&b, m);
    rig_take(&b, ROAM_LOGIN_OK);
    peer_free(&a);
    peer_free(&b);
    rig_stop(&rig);
}

static void test_other_protocol_version_is_refused_and_may_try_again(void **st)
{
    (void)st;
    struct rig rig;
    struct peer a;
    rig_init(&rig);
    rig_start(&rig);
    peer_connect(&rig, &a);
    struct roam_message *m = say_login("alice", 1, PHONE, 1, 0);
    m->u.login.protocol = 2;
    peer_put(&a, m);
    peer_say(&a, say_sync(0)); /* pipelined: dropped with the refusal */
    assert_int_equal(refused(&a, roam_v1_RefusedReason_PROTOCOL_VERSION)->retry,
                     roam_v1_Retry_NEVER);
    rig_take_none(&a);
    peer_say(&a, say_login("alice", 1, PHONE, 1, 0));
    rig_take(&a, ROAM_LOGIN_OK);
    peer_free(&a);
    rig_stop(&rig);
}

static void test_login_and_sync_work_in_one_flight(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    rig_init(&rig);
    rig_start(&rig);
    peer_connect(&rig, &a);
    peer_put(&a, say_login("alice", 1, PHONE, 1, 0));
    peer_put(&a, say_sync(0));
    rig_settle(&rig);
    rig_take(&a, ROAM_LOGIN_OK);
    assert_int_equal(rig_take(&a, ROAM_SYNC_OK)->u.sync_ok.result,
                     roam_v1_SyncResult_UP_TO_DATE);
    rig_take_none(&a);
    peer_free(&a);
    rig_stop(&rig);
}

static void test_one_sync_per_refusal_is_dropped_before_or_behind_it(void **st)
{
    (void)st;
    struct rig rig;
    struct peer holder, a;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &holder, "alice", 1, PHONE, 1, 0);
    peer_connect(&rig, &a);
    /* Kept while the store decides, then dropped. */
    peer_put(&a, say_login("alice", 2, PHONE, 1, 0));
    peer_put(&a, say_sync(0));
    rig_settle(&rig);
    refused(&a, roam_v1_RefusedReason_OCCUPIED);
    rig_take_none(&a);
    /* Behind the refusal. */
    peer_say(&a, say_login("alice", 2, PHONE, 2, 0));
    peer_say(&a, say_sync(0));
    refused(&a, roam_v1_RefusedReason_OCCUPIED);
    rig_take_none(&a);
    /* A second one belongs to no refusal. */
    peer_say(&a, say_sync(0));
    rig_take_error(&a, roam_v1_ErrorCode_FRAME_UNEXPECTED);
    peer_free(&holder);
    peer_free(&a);
    rig_stop(&rig);
}

static void test_sync_dropped_while_deciding_allows_none_behind(void **state)
{
    (void)state;
    struct rig rig;
    struct peer holder, a;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &holder, "alice", 1, PHONE, 1, 0);
    peer_connect(&rig, &a);
    peer_put(&a, say_login("alice", 2, PHONE, 1, 0));
    peer_put(&a, say_sync(0));
    rig_settle(&rig);
    refused(&a, roam_v1_RefusedReason_OCCUPIED);
    peer_say(&a, say_sync(0));
    rig_take_error(&a, roam_v1_ErrorCode_FRAME_UNEXPECTED);
    peer_free(&holder);
    peer_free(&a);
    rig_stop(&rig);
}

static void test_takeover_kicks_even_when_the_winner_is_gone(void **state)
{
    (void)state;
    struct rig rig;
    struct peer old, new;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &old, "alice", 1, PHONE, 1, 0);
    peer_connect(&rig, &new);
    peer_put(&new, say_login("alice", 2, PHONE, 1, 1));
    peer_cut(&new); /* before the store has decided */
    rig_settle(&rig);
    rig_take_kick(&old, roam_v1_KickReason_TAKEN_OVER);
    struct roam_core_stats stats;
    roam_core_get_stats(rig.core, &stats);
    assert_int_equal(stats.connections, 0);
    assert_int_equal(stats.sessions, 0);
    peer_free(&old);
    peer_free(&new);
    rig_stop(&rig);
}

static void test_send_behind_a_takeover_is_not_carried_out(void **state)
{
    (void)state;
    struct rig rig;
    struct peer old, new, bob;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    peer_sync(&bob, 0);
    peer_login(&rig, &old, "alice", 1, PHONE, 1, 0);
    peer_connect(&rig, &new);
    /* Both are in the store's queue at once, the takeover first. */
    peer_put(&new, say_login("alice", 2, PHONE, 1, 1));
    peer_put(&old, say_send(77, "bob", "too late"));
    rig_settle(&rig);
    rig_take_kick(&old, roam_v1_KickReason_TAKEN_OVER);
    rig_take(&new, ROAM_LOGIN_OK);
    rig_take_none(&bob);
    peer_say(&bob, say_ping(1));
    assert_int_equal(rig_take(&bob, ROAM_PONG)->u.pong.head, 0);
    peer_free(&old);
    peer_free(&new);
    peer_free(&bob);
    rig_stop(&rig);
}

static void test_send_before_a_takeover_is_answered_before_the_kick(void **st)
{
    (void)st;
    struct rig rig;
    struct peer old, new;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &old, "alice", 1, PHONE, 1, 0);
    peer_connect(&rig, &new);
    peer_put(&old, say_send(77, "bob", "in time"));
    peer_put(&new, say_login("alice", 2, PHONE, 1, 1));
    rig_settle(&rig);
    rig_take(&old, ROAM_SEND_OK);
    rig_take_kick(&old, roam_v1_KickReason_TAKEN_OVER);
    rig_take(&new, ROAM_LOGIN_OK);
    peer_free(&old);
    peer_free(&new);
    rig_stop(&rig);
}

static void test_takeover_ends_a_session_that_is_logging_out(void **state)
{
    (void)state;
    struct rig rig;
    struct peer old, new;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &old, "alice", 1, PHONE, 1, 0);
    peer_connect(&rig, &new);
    peer_put(&new, say_login("alice", 2, PHONE, 1, 1));
    peer_put(&old, say_logout());
    rig_settle(&rig);
    rig_take_kick(&old, roam_v1_KickReason_TAKEN_OVER);
    rig_take(&new, ROAM_LOGIN_OK);
    peer_say(&new, say_ping(1)); /* the late LOGOUT freed nothing */
    rig_take(&new, ROAM_PONG);
    peer_free(&old);
    peer_free(&new);
    rig_stop(&rig);
}

static void test_slot_survives_a_lost_connection_for_its_holder(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, b;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_cut(&a);
    peer_connect(&rig, &b);
    peer_say(&b, say_login("alice", 2, PHONE, 1, 0));
    refused(&b, roam_v1_RefusedReason_OCCUPIED);
    peer_free(&a);
    assert_int_equal(peer_login(&rig, &a, "alice", 1, PHONE, 2, 0), 1);
    peer_free(&a);
    peer_free(&b);
    rig_stop(&rig);
}

static void test_log_holds_no_token_and_no_body(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_send(&a, 1, "bob", "secret-body");
    peer_say(&a, say_logout());
    rig.log[rig.log_len] = '\0';
    assert_non_null(strstr(rig.log, "login peer=test user=alice"));
    assert_null(strstr(rig.log, "alice-token"));
    assert_null(strstr(rig.log, "secret-body"));
    peer_free(&a);
    rig_stop(&rig);
}

static void test_log_text_cannot_forge_a_line(void **state)
{
    (void)state;
    char out[ROAM__LOG_TEXT_MAX];
    assert_string_equal(roam__log_text(out, "a b\nc=\"\\\xc3\xa9"),
                        "a\\x20b\\x0ac\\x3d\\x22\\x5c\\xc3\\xa9");
    char longest[ROAM_USER_MAX + 1];
    memset(longest, '\n', ROAM_USER_MAX);
    longest[ROAM_USER_MAX] = '\0';
    assert_int_equal(strlen(roam__log_text(out, longest)), 4 * ROAM_USER_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_login_of_a_slot_is_granted),
        cmocka_unit_test(
            test_takeover_needs_the_generation_and_kicks_the_holder),
        cmocka_unit_test(test_generation_of_the_past_takes_nothing_over),
        cmocka_unit_test(test_kicked_device_is_told_kicked_and_not_granted),
        cmocka_unit_test(test_holder_coming_back_supersedes_its_own_session),
        cmocka_unit_test(test_attempt_not_above_the_last_is_stale),
        cmocka_unit_test(test_logout_frees_the_slot_for_whoever_names_it),
        cmocka_unit_test(test_login_leaves_other_slots_alone),
        cmocka_unit_test(test_bad_credentials_tell_nothing_of_the_slot),
        cmocka_unit_test(
            test_other_protocol_version_is_refused_and_may_try_again),
        cmocka_unit_test(test_login_and_sync_work_in_one_flight),
        cmocka_unit_test(
            test_one_sync_per_refusal_is_dropped_before_or_behind_it),
        cmocka_unit_test(test_sync_dropped_while_deciding_allows_none_behind),
        cmocka_unit_test(test_takeover_kicks_even_when_the_winner_is_gone),
        cmocka_unit_test(test_send_behind_a_takeover_is_not_carried_out),
        cmocka_unit_test(
            test_send_before_a_takeover_is_answered_before_the_kick),
        cmocka_unit_test(test_takeover_ends_a_session_that_is_logging_out),
        cmocka_unit_test(test_slot_survives_a_lost_connection_for_its_holder),
        cmocka_unit_test(test_log_holds_no_token_and_no_body),
        cmocka_unit_test(test_log_text_cannot_forge_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
