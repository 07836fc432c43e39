/* SPDX-License-Identifier: Apache-2.0 */
/* One slot: every state of it, every login and logout that can come.
 * Spec: [LOGIN-10] to [LOGIN-15], [KICK-5], [KICK-9]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "arbitration.h"
#include "roam.pb.h"

#define GRANTED 0
#define OCCUPIED roam_v1_RefusedReason_OCCUPIED
#define KICKED roam_v1_RefusedReason_KICKED
#define FREE roam_v1_RefusedReason_FREE
#define STALE roam_v1_RefusedReason_STALE

#define A 11
#define B 22
#define NOW 5000u
#define BEFORE 4000u

static const struct roam_slot unused = {0, 0, 0, 0};
static const struct roam_slot freed = {0, 7, 0, 0};
static const struct roam_slot held_by_a = {A, 7, 3, BEFORE};

struct login_case {
    const struct roam_slot *slot;
    int64_t device;
    uint64_t attempt, take_over;
    bool held_before;
    uint32_t refused;
    uint64_t generation; /* afterwards */
};

static const struct login_case cases[] = {
    /* never used: generation 0 is what take_over is by default */
    {&unused, A, 1, 0, false, GRANTED, 1},
    {&unused, A, 1, 1, false, FREE, 0},
    {&unused, A, 1, 7, false, FREE, 0},
    /* freed: its generation must be named */
    {&freed, A, 1, 0, false, FREE, 7},
    {&freed, A, 1, 6, false, FREE, 7},
    {&freed, A, 1, 8, false, FREE, 7},
    {&freed, A, 1, 0, true, FREE, 7},
    {&freed, A, 1, 7, false, GRANTED, 8},
    {&freed, A, 1, 7, true, GRANTED, 8},
    /* held: the holder wins by its attempt, whatever take_over says */
    {&held_by_a, A, 4, 0, true, GRANTED, 7},
    {&held_by_a, A, 4, 7, true, GRANTED, 7},
    {&held_by_a, A, 4, 6, true, GRANTED, 7},
    {&held_by_a, A, 4, 99, true, GRANTED, 7},
    {&held_by_a, A, 3, 0, true, STALE, 7},
    {&held_by_a, A, 3, 7, true, STALE, 7},
    {&held_by_a, A, 2, 7, true, STALE, 7},
    {&held_by_a, A, 1, 0, true, STALE, 7},
    /* held: anybody else by its generation, whatever attempt says */
    {&held_by_a, B, 1, 7, false, GRANTED, 8},
    {&held_by_a, B, 1, 7, true, GRANTED, 8},
    {&held_by_a, B, 99, 0, false, OCCUPIED, 7},
    {&held_by_a, B, 99, 6, false, OCCUPIED, 7},
    {&held_by_a, B, 99, 8, false, OCCUPIED, 7},
    {&held_by_a, B, 99, 0, true, KICKED, 7},
    {&held_by_a, B, 99, 6, true, KICKED, 7},
};

static void test_login_is_compare_and_set_in_every_state(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct login_case *c = &cases[i];
        struct roam_slot slot = *c->slot;
        uint32_t refused = roam_slot_login(&slot, c->device, c->attempt,
                                           c->take_over, c->held_before, NOW);
        assert_int_equal(refused, c->refused);
        assert_int_equal(slot.generation, c->generation);
        if (refused != GRANTED) {
            assert_memory_equal(&slot, c->slot, sizeof slot);
            continue;
        }
        bool came_back = c->slot->device == c->device;
        assert_int_equal(slot.device, c->device);
        assert_int_equal(slot.attempt, c->attempt);
        assert_int_equal(slot.since_ms, came_back ? BEFORE : NOW);
    }
}

static void test_generation_exists_once(void **state)
{
    (void)state;
    struct roam_slot slot = unused;
    assert_int_equal(roam_slot_login(&slot, A, 1, 0, false, NOW), GRANTED);
    uint64_t named = slot.generation;
    assert_int_equal(roam_slot_login(&slot, B, 1, named, false, NOW), GRANTED);
    /* The same LOGIN repeated, and one that was told the same generation. */
    assert_int_equal(roam_slot_login(&slot, B, 1, named, true, NOW), STALE);
    assert_int_equal(roam_slot_login(&slot, A, 2, named, true, NOW), KICKED);
    assert_int_equal(slot.device, B);
}

struct identity_case {
    struct roam_identity who;
    bool holds; /* of held_by_a */
};

static const struct identity_case identities[] = {
    {{1, A, 1, 7, 3}, true},
    {{1, A, 1, 7, 2}, false}, /* an older session of the holder */
    {{1, A, 1, 7, 4}, false},
    {{1, A, 1, 6, 3}, false},
    {{1, A, 1, 8, 3}, false},
    {{1, B, 1, 7, 3}, false},
};

static void test_only_the_slots_own_session_holds_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof identities / sizeof identities[0]; i++) {
        const struct identity_case *c = &identities[i];
        assert_int_equal(roam_slot_holds(&held_by_a, &c->who), c->holds);
        assert_false(roam_slot_holds(&freed, &c->who));
        assert_false(roam_slot_holds(&unused, &c->who));
    }
}

static void test_logout_frees_and_raises_or_is_fenced(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof identities / sizeof identities[0]; i++) {
        const struct identity_case *c = &identities[i];
        struct roam_slot slot = held_by_a;
        assert_int_equal(roam_slot_logout(&slot, &c->who), c->holds);
        if (c->holds) {
            assert_int_equal(slot.device, 0);
            assert_int_equal(slot.generation, 8);
            assert_false(roam_slot_logout(&slot, &c->who));
        } else {
            assert_memory_equal(&slot, &held_by_a, sizeof slot);
        }
    }
}

static void test_session_before_logout_does_not_hold_after_it(void **state)
{
    (void)state;
    struct roam_slot slot = held_by_a;
    struct roam_identity who = {1, A, 1, 7, 3};
    assert_true(roam_slot_logout(&slot, &who));
    assert_int_equal(roam_slot_login(&slot, A, 3, 8, false, NOW), GRANTED);
    assert_false(roam_slot_holds(&slot, &who)); /* same device and attempt */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login_is_compare_and_set_in_every_state),
        cmocka_unit_test(test_generation_exists_once),
        cmocka_unit_test(test_only_the_slots_own_session_holds_it),
        cmocka_unit_test(test_logout_frees_and_raises_or_is_fenced),
        cmocka_unit_test(test_session_before_logout_does_not_hold_after_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
