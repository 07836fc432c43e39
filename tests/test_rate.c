/* SPDX-License-Identifier: Apache-2.0 */
/* The hash, the token bucket against a model of it, and the table that must
 * not forget whom it should remember. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc.h"
#include "rate.h"
#include "siphash.h"

static const struct roam_rate three_in_a_second = {3, 1000};

static void test_hash_is_siphash_2_4(void **state)
{
    (void)state;
    uint8_t key[ROAM_HASH_KEY_BYTES];
    uint8_t data[15];
    for (uint8_t i = 0; i < sizeof key; i++) {
        key[i] = i;
    }
    for (uint8_t i = 0; i < sizeof data; i++) {
        data[i] = i;
    }
    /* The example of its authors. */
    assert_true(roam__siphash(key, data, 15) == 0xa129ca6149be45e5ull);
    assert_true(roam__siphash(key, data, 0) == 0x726fdb47dd0e0e31ull);
    assert_true(roam__siphash(key, data, 8) == 0x93f5f5799a932462ull);
}

/* ------------------------------------------------------------ one bucket */

static void test_bucket_gives_its_burst_and_no_more(void **state)
{
    (void)state;
    struct roam__bucket b = {0};
    for (int i = 0; i < 3; i++) {
        assert_true(roam__bucket_wait(&b, &three_in_a_second, 1, 5000) == 0);
        roam__bucket_take(&b, &three_in_a_second, 1, 5000);
    }
    assert_true(roam__bucket_wait(&b, &three_in_a_second, 1, 5000) == 334);
    assert_true(roam__bucket_wait(&b, &three_in_a_second, 2, 5000) == 667);
    assert_true(roam__bucket_wait(&b, &three_in_a_second, 3, 5000) == 1000);
}

static void test_wait_is_exact_to_the_millisecond(void **state)
{
    (void)state;
    struct roam__bucket b = {0};
    roam__bucket_take(&b, &three_in_a_second, 3, 0);
    assert_true(roam__bucket_wait(&b, &three_in_a_second, 1, 333) == 1);
    assert_true(roam__bucket_wait(&b, &three_in_a_second, 1, 334) == 0);
    roam__bucket_take(&b, &three_in_a_second, 1, 334);
    /* What was left of the millisecond is not lost: a third of a second for
     * each, on average. */
    assert_true(roam__bucket_wait(&b, &three_in_a_second, 1, 334) == 333);
    assert_true(roam__bucket_wait(&b, &three_in_a_second, 1, 667) == 0);
    assert_true(roam__bucket_wait(&b, &three_in_a_second, 3, 1334) == 0);
}

static void test_more_than_the_burst_waits_for_all_of_it(void **state)
{
    (void)state;
    struct roam__bucket b = {0};
    assert_true(roam__bucket_wait(&b, &three_in_a_second, 100, 0) == 0);
    roam__bucket_take(&b, &three_in_a_second, 1, 0);
    assert_true(roam__bucket_wait(&b, &three_in_a_second, 100, 0) == 334);
}

static void test_debt_beyond_the_burst_is_bounded(void **state)
{
    (void)state;
    struct roam__bucket b = {0};
    for (int i = 0; i < 1000; i++) {
        roam__bucket_take(&b, &three_in_a_second, 3, 0);
    }
    assert_true(roam__bucket_wait(&b, &three_in_a_second, 3, 0) == 2000);
}

/* The rate changes under a debt: nobody waits for longer than for two buckets
 * of the new one. */
static void test_debt_of_an_old_rate_is_bounded_by_the_new_one(void **state)
{
    (void)state;
    const struct roam_rate before = {1000000, 100000};
    const struct roam_rate after = {10, 1000};
    struct roam__bucket b = {0};
    roam__bucket_take(&b, &before, 1000000, 0);
    assert_true(roam__bucket_wait(&b, &after, 10, 0) == 2000);
    assert_true(roam__bucket_wait(&b, &after, 10, 1500) == 500);
    assert_true(roam__bucket_wait(&b, &after, 1, 2000) == 0);
}

static void test_no_burst_is_no_limit(void **state)
{
    (void)state;
    const struct roam_rate none = {0, 1000};
    struct roam__bucket b = {0};
    roam__bucket_take(&b, &none, 1000000, 0);
    assert_true(roam__bucket_wait(&b, &none, 1000000, 0) == 0);
}

static void test_widest_rate_does_not_overflow(void **state)
{
    (void)state;
    const struct roam_rate widest = {ROAM_RATE_BURST_MAX,
                                     ROAM_RATE_FILL_MAX_MS};
    struct roam__bucket b = {0};
    for (int i = 0; i < 5; i++) {
        roam__bucket_take(&b, &widest, UINT64_MAX, 7);
    }
    assert_true(roam__bucket_wait(&b, &widest, UINT64_MAX, 7) ==
                2ull * ROAM_RATE_FILL_MAX_MS);
    assert_true(roam__bucket_wait(&b, &widest, 1, UINT64_MAX) == 0);
}

/* Whatever is asked for and when, what was given within any time is at most
 * the burst and what that time brings. */
static void test_never_more_than_the_rate_over_any_time(void **state)
{
    (void)state;
    enum {
        STEPS = 2000
    };
    static uint64_t at[STEPS];
    static uint64_t given[STEPS + 1];
    const struct roam_rate rate = {7, 900};
    struct roam__bucket b = {0};
    uint32_t random = 1;
    uint64_t now = 0;
    for (int i = 0; i < STEPS; i++) {
        random = random * 1664525u + 1013904223u;
        uint64_t n = 1 + (random >> 20) % 7;
        now += (random >> 8) % 300;
        bool ok = roam__bucket_wait(&b, &rate, n, now) == 0;
        if (ok) {
            roam__bucket_take(&b, &rate, n, now);
        }
        at[i] = now;
        given[i + 1] = given[i] + (ok ? n : 0);
    }
    assert_true(given[STEPS] > now / 900 * 7 / 2); /* and something was */
    for (int from = 0; from < STEPS; from++) {
        for (int to = from; to < STEPS; to++) {
            uint64_t most = 7 * 900 + (at[to] - at[from]) * 7;
            assert_true((given[to + 1] - given[from]) * 900 <= most);
        }
    }
}

/* -------------------------------------------------------------- the table */

static struct roam__meters open_meters(const struct roam_rate *rates,
                                       unsigned count, size_t places)
{
    struct roam__meters m;
    assert_true(roam__meters_open(&m, rates, count, places));
    return m;
}

static void test_keys_and_rates_have_buckets_of_their_own(void **state)
{
    (void)state;
    const struct roam_rate rates[2] = {{1, 1000}, {2, 1000}};
    struct roam__meters m = open_meters(rates, 2, 100);
    roam__meters_take(&m, 5, 0, 1, 0);
    assert_true(roam__meters_wait(&m, 5, 0, 1, 0) == 1000);
    assert_true(roam__meters_wait(&m, 5, 1, 2, 0) == 0);
    assert_true(roam__meters_wait(&m, 6, 0, 1, 0) == 0);
    assert_true(roam__meters_wait(&m, 0, 0, 1, 0) == 0);
    roam__meters_take(&m, 0, 0, 1, 0); /* a key like any other */
    assert_true(roam__meters_wait(&m, 0, 0, 1, 0) == 1000);
    roam__meters_close(&m);
}

static void test_what_is_given_back_can_be_taken_again(void **state)
{
    (void)state;
    struct roam__meters m = open_meters(&three_in_a_second, 1, 8);
    for (int i = 0; i < 3; i++) {
        roam__meters_take(&m, 5, 0, 1, 0);
    }
    roam__meters_give(&m, 5, 0, 1, 0);
    assert_true(roam__meters_wait(&m, 5, 0, 1, 0) == 0);
    assert_true(roam__meters_wait(&m, 5, 0, 2, 0) == 334);
    roam__meters_give(&m, 5, 0, 3, 0); /* no credit comes of it */
    assert_true(roam__meters_wait(&m, 5, 0, 3, 0) == 0);
    roam__meters_take(&m, 5, 0, 3, 0);
    assert_true(roam__meters_wait(&m, 5, 0, 1, 0) > 0);
    roam__meters_close(&m);
}

/* All keys lie in the one set of this table. */
static void test_crowd_of_small_debts_does_not_hide_a_large_one(void **state)
{
    (void)state;
    struct roam__meters m = open_meters(&three_in_a_second, 1, 8);
    roam__meters_take(&m, 1, 0, 3, 0);
    for (uint64_t key = 2; key < 10000; key++) {
        roam__meters_take(&m, key, 0, 2, 0);
    }
    assert_true(roam__meters_wait(&m, 1, 0, 1, 0) > 0);
    roam__meters_close(&m);
}

/* To have a debt forgotten takes as much debt under every other key. */
static void test_forgetting_a_debt_costs_seven_as_large(void **state)
{
    (void)state;
    struct roam__meters m = open_meters(&three_in_a_second, 1, 8);
    roam__meters_take(&m, 1, 0, 2, 0);
    for (uint64_t key = 2; key < 2 + ROAM__METER_WAYS - 1; key++) {
        roam__meters_take(&m, key, 0, 3, 0);
    }
    assert_true(roam__meters_wait(&m, 1, 0, 3, 0) > 0);
    roam__meters_take(&m, 100, 0, 1, 0); /* the eighth */
    assert_true(roam__meters_wait(&m, 1, 0, 3, 0) == 0);
    assert_true(roam__meters_wait(&m, 2, 0, 1, 0) > 0);
    roam__meters_close(&m);
}

static void test_paid_debts_make_room_first(void **state)
{
    (void)state;
    struct roam__meters m = open_meters(&three_in_a_second, 1, 8);
    roam__meters_take(&m, 1, 0, 3, 0);
    for (uint64_t key = 2; key < 2 + ROAM__METER_WAYS - 1; key++) {
        roam__meters_take(&m, key, 0, 1, 900);
    }
    roam__meters_take(&m, 100, 0, 1, 1000); /* 1 has paid, the others owe */
    assert_true(roam__meters_wait(&m, 2, 0, 3, 1000) > 0);
    roam__meters_close(&m);
}

static bool refuse_all(void)
{
    return true;
}

static void test_no_memory_is_told(void **state)
{
    (void)state;
    struct roam__meters m;
    roam__alloc_refuse = refuse_all;
    bool opened = roam__meters_open(&m, &three_in_a_second, 1, 8);
    roam__alloc_refuse = NULL;
    assert_false(opened);
    roam__meters_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_is_siphash_2_4),
        cmocka_unit_test(test_bucket_gives_its_burst_and_no_more),
        cmocka_unit_test(test_wait_is_exact_to_the_millisecond),
        cmocka_unit_test(test_more_than_the_burst_waits_for_all_of_it),
        cmocka_unit_test(test_debt_beyond_the_burst_is_bounded),
        cmocka_unit_test(test_debt_of_an_old_rate_is_bounded_by_the_new_one),
        cmocka_unit_test(test_no_burst_is_no_limit),
        cmocka_unit_test(test_widest_rate_does_not_overflow),
        cmocka_unit_test(test_never_more_than_the_rate_over_any_time),
        cmocka_unit_test(test_keys_and_rates_have_buckets_of_their_own),
        cmocka_unit_test(test_what_is_given_back_can_be_taken_again),
        cmocka_unit_test(test_crowd_of_small_debts_does_not_hide_a_large_one),
        cmocka_unit_test(test_forgetting_a_debt_costs_seven_as_large),
        cmocka_unit_test(test_paid_debts_make_room_first),
        cmocka_unit_test(test_no_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
