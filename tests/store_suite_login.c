/* SPDX-License-Identifier: Apache-2.0 */
/* The claims about stores: credentials, slots, devices. Spec: section 5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "roam.pb.h"
#include "roam_limits.h"
#include "store_probe.h"

static void test_first_login_is_granted_with_all_it_needs(void **state)
{
    (void)state;
    struct roam_store_login l =
        probe_login(&(struct probe_login){"alice", NULL, 1, PHONE, 5, 0, 0});
    assert_int_equal(l.refused, 0);
    assert_int_equal(l.head, 0);
    assert_int_equal(l.floor, 0);
    assert_true(l.identity.user > 0);
    assert_true(l.identity.device > 0);
    assert_int_equal(l.identity.device_type, PHONE);
    assert_int_equal(l.identity.generation, 1);
    assert_int_equal(l.identity.attempt, 5);
    assert_int_equal(l.generation, 1);
}

static void test_refusals_name_generation_and_holder(void **state)
{
    (void)state;
    probe_enter("alice", 1, PHONE, 5, 0);
    struct roam_store_login l = probe_login(
        &(struct probe_login){"alice", NULL, 2, PHONE, 1, 0, NOW_MS + 10});
    assert_int_equal(l.refused, roam_v1_RefusedReason_OCCUPIED);
    assert_int_equal(l.generation, 1);
    probe_check_holder(&l, 1, NOW_MS);
    l = probe_login(
        &(struct probe_login){"alice", NULL, 1, PHONE, 5, 0, NOW_MS + 20});
    assert_int_equal(l.refused, roam_v1_RefusedReason_STALE);
    probe_check_holder(&l, 1, NOW_MS);
    l = probe_login(
        &(struct probe_login){"alice", NULL, 2, PHONE, 2, 1, NOW_MS + 30});
    assert_int_equal(l.refused, 0);
    assert_int_equal(l.generation, 2);
    probe_check_holder(&l, 2, NOW_MS + 30);
    l = probe_login(&(struct probe_login){"alice", NULL, 1, PHONE, 6, 0, 0});
    assert_int_equal(l.refused, roam_v1_RefusedReason_KICKED);
    assert_int_equal(l.generation, 2);
    probe_check_holder(&l, 2, NOW_MS + 30);
}

static void test_holder_comes_back_with_its_generation(void **state)
{
    (void)state;
    struct roam_identity first = probe_enter("alice", 1, PHONE, 5, 0);
    struct roam_store_login l = probe_login(
        &(struct probe_login){"alice", NULL, 1, PHONE, 6, 0, NOW_MS + 10});
    assert_int_equal(l.refused, 0);
    assert_int_equal(l.identity.generation, first.generation);
    assert_int_equal(l.identity.attempt, 6);
    assert_true(l.identity.device == first.device);
    probe_check_holder(&l, 1, NOW_MS); /* it took the slot then, not now */
}

static void credential(const char *user, const char *token, uint32_t type,
                       uint64_t now_ms, uint32_t refused)
{
    struct roam_store_login l =
        probe_login(&(struct probe_login){user, token, 1, type, 1, 0, now_ms});
    assert_int_equal(l.refused, refused);
}

static void test_credentials(void **state)
{
    (void)state;
    probe_suite->add_token(probe_suite, "alice", "phones", PHONE, 0);
    probe_suite->add_token(probe_suite, "alice", "short", 0, NOW_MS + 100);
    probe_suite->add_token(probe_suite, "alice", "gone", 0, 0);
    probe_suite->revoke_token(probe_suite, "gone");
    credential("nobody", "alice-token", PHONE, 0,
               roam_v1_RefusedReason_CREDENTIAL);
    credential("alice", "wrong", PHONE, 0, roam_v1_RefusedReason_CREDENTIAL);
    credential("alice", "bob-token", PHONE, 0,
               roam_v1_RefusedReason_CREDENTIAL);
    credential("bob", "alice-token", PHONE, 0,
               roam_v1_RefusedReason_CREDENTIAL);
    credential("alice", "gone", PHONE, 0, roam_v1_RefusedReason_CREDENTIAL);
    credential("Alice", "alice-token", PHONE, 0,
               roam_v1_RefusedReason_CREDENTIAL);
    credential("alice", "short", PHONE, NOW_MS + 100,
               roam_v1_RefusedReason_TOKEN_EXPIRED);
    credential("alice", "phones", DESKTOP, 0,
               roam_v1_RefusedReason_TYPE_FORBIDDEN);
    credential("alice", "short", PHONE, NOW_MS + 99, 0);
    credential("alice", "alice-token", DESKTOP, 0, 0);
}

static void test_slots_of_other_types_and_users_are_apart(void **state)
{
    (void)state;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity b = probe_enter("alice", 1, DESKTOP, 1, 0);
    struct roam_identity c = probe_enter("bob", 1, PHONE, 1, 0);
    assert_true(a.user == b.user && a.user != c.user);
    assert_true(a.device != c.device);
    assert_int_equal(probe_must_send(&a, 1, "bob", "x") != 0, true);
    assert_int_equal(probe_must_send(&b, 2, "bob", "x") != 0, true);
    assert_int_equal(probe_must_send(&c, 1, "alice", "x") != 0, true);
}

static void test_logout_frees_the_slot_once(void **state)
{
    (void)state;
    uint64_t generation;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    assert_true(probe_logout(&a, &generation));
    assert_int_equal(generation, 2);
    assert_false(probe_logout(&a, &generation));
    struct roam_store_login l =
        probe_login(&(struct probe_login){"alice", NULL, 1, PHONE, 2, 0, 0});
    assert_int_equal(l.refused, roam_v1_RefusedReason_FREE);
    assert_int_equal(l.generation, 2);
    assert_false(l.has_holder);
    /* It logged out, so the next holder is a stranger to it. */
    probe_enter("alice", 2, PHONE, 1, 2);
    l = probe_login(&(struct probe_login){"alice", NULL, 1, PHONE, 3, 0, 0});
    assert_int_equal(l.refused, roam_v1_RefusedReason_OCCUPIED);
}

static void test_late_logout_of_a_displaced_session_is_fenced(void **state)
{
    (void)state;
    uint64_t generation;
    struct roam_identity old = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity new = probe_enter("alice", 2, PHONE, 1, 1);
    assert_false(probe_logout(&old, &generation));
    struct roam_identity newest = probe_enter("alice", 2, PHONE, 2, 0);
    assert_false(probe_logout(&new, &generation));
    assert_int_equal(probe_send(&newest, 1, "bob", "x").result,
                     ROAM_SEND_STORED);
}

static void test_sixteen_devices_that_held_a_slot_are_told_kicked(void **state)
{
    (void)state;
    uint64_t generation = 0;
    for (uint8_t device = 1; device <= ROAM_SLOT_DEVICES + 1; device++) {
        generation =
            probe_enter("alice", device, PHONE, 1, generation).generation;
    }
    for (uint8_t device = 1; device <= ROAM_SLOT_DEVICES; device++) {
        struct roam_store_login l = probe_login(
            &(struct probe_login){"alice", NULL, device, PHONE, 2, 0, 0});
        assert_int_equal(l.refused, roam_v1_RefusedReason_KICKED);
    }
    struct roam_store_login l =
        probe_login(&(struct probe_login){"alice", NULL, 20, PHONE, 1, 0, 0});
    assert_int_equal(l.refused, roam_v1_RefusedReason_OCCUPIED);
}

/* One that is throttled: nobody is displaced, no attempt is used. */
static void test_check_of_a_credential_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *token;
        uint32_t refused;
    } cases[] = {{NULL, 0}, {"wrong", roam_v1_RefusedReason_CREDENTIAL}};
    struct roam_identity holder = probe_enter("alice", 1, PHONE, 5, 0);
    for (size_t i = 0; i < 2; i++) {
        struct roam_store_request *req = probe_make_login(&(struct probe_login){
            "alice", cases[i].token, 2, PHONE, 9, holder.generation, NOW_MS});
        req->u.login.only_check = true;
        probe_answer(req);
        assert_int_equal(req->u.login.refused, cases[i].refused);
        assert_int_equal(req->u.login.generation, 0);
        assert_false(req->u.login.has_holder);
        roam_store_request_free(req);
    }
    struct roam_identity again = probe_enter("alice", 1, PHONE, 6, 0);
    assert_int_equal(again.generation, holder.generation);
    assert_int_equal(again.device, holder.device);
}

int store_suite_login(void)
{
    const struct CMUnitTest tests[] = {
        PROBE_CLAIM(test_first_login_is_granted_with_all_it_needs),
        PROBE_CLAIM(test_refusals_name_generation_and_holder),
        PROBE_CLAIM(test_holder_comes_back_with_its_generation),
        PROBE_CLAIM(test_credentials),
        PROBE_CLAIM(test_check_of_a_credential_changes_nothing),
        PROBE_CLAIM(test_slots_of_other_types_and_users_are_apart),
        PROBE_CLAIM(test_logout_frees_the_slot_once),
        PROBE_CLAIM(test_late_logout_of_a_displaced_session_is_fenced),
        PROBE_CLAIM(test_sixteen_devices_that_held_a_slot_are_told_kicked),
    };
    return cmocka_run_group_tests_name("store: login", tests, NULL, NULL);
}
