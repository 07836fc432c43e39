/* SPDX-License-Identifier: Apache-2.0 */
/* What the writer remembers: the map, the msg_ids when a conversation was
 * forgotten, and the versions at the end of their range. [CHAIN-1],
 * [CHAIN-8], [SEND-6] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "db.h"
#include "roam_limits.h"
#include "msg_ids.h"
#include "pair_map.h"
#include "sqlite_rig.h"
#include "timelines.h"

#define SHIFT ROAM_MSG_ID_TIME_SHIFT
#define NOW RIG_NOW_MS

static struct sqlite_rig rig;
static sqlite3 *db;

static int setup(void **state)
{
    char error[256] = "";

    (void)state;
    rig_setup(&rig);
    rig.crafted = true;
    db = roam_db_open(rig.path, true, error, sizeof(error));
    if (db == NULL) {
        fail_msg("%s", error);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    roam_db_close(db);
    rig_teardown(&rig);
    return 0;
}

/* --------------------------------------------------------------- the map */

static void test_map_keeps_many_pairs_apart(void **state)
{
    struct roam_pair_map map = {0};

    (void)state;
    assert_null(roam_pair_map_find(&map, 1, 1));
    for (int64_t a = 1; a <= 100; a++) {
        for (int64_t b = 0; b < 100; b++) {
            assert_true(
                roam_pair_map_put(&map, a, b, (uint64_t)(a * 1000 + b)));
        }
    }
    assert_int_equal(map.count, 10000);
    assert_true(map.count * 4 <= map.cap * 3);
    for (int64_t a = 1; a <= 100; a++) {
        for (int64_t b = 0; b < 100; b++) {
            uint64_t *value = roam_pair_map_find(&map, a, b);
            assert_non_null(value);
            assert_true(*value == (uint64_t)(a * 1000 + b));
        }
        assert_null(roam_pair_map_find(&map, a, 100));
    }
    assert_true(roam_pair_map_put(&map, 7, 7, 1));
    assert_int_equal(map.count, 10000);
    assert_true(*roam_pair_map_find(&map, 7, 7) == 1);
    roam_pair_map_clear(&map);
    assert_null(roam_pair_map_find(&map, 7, 7));
    assert_true(roam_pair_map_put(&map, 7, 7, 2));
    roam_pair_map_clear(&map);
}

/* ------------------------------------------------------------- the msg_ids */

static void put_message(int64_t row, int64_t sender, int64_t receiver,
                        uint64_t msg_id)
{
    char *sql = sqlite3_mprintf(
        "INSERT INTO message VALUES(%lld, %lld, %lld, %lld, 1, 1, 1, %lld,"
        " 0, '', '', 0, 0); INSERT INTO timeline VALUES(%lld, %lld, 1, %lld);",
        (long long)row, (long long)msg_id, (long long)sender,
        (long long)receiver, (long long)row, (long long)sender, (long long)row,
        (long long)row);

    assert_int_equal(roam_db_exec(db, sql), SQLITE_OK);
    sqlite3_free(sql);
}

static void open_ids(struct roam_msg_ids *ids)
{
    char error[256];

    memset(ids, 0, sizeof(*ids));
    assert_true(roam_msg_ids_open(ids, db, error, sizeof(error)));
}

static uint64_t next(struct roam_msg_ids *ids, int64_t user, int64_t peer,
                     uint64_t now_ms)
{
    uint64_t id = 0;
    bool first;

    assert_true(roam_msg_ids_next(ids, user, peer, now_ms, &id, &first));
    return id;
}

/* So many other conversations that the one of 1 and 2 is forgotten; whether
 * the clock goes on or goes back then, its ids rise. */
static void test_forgotten_conversation_goes_on_rising(void **state)
{
    struct roam_msg_ids ids;

    (void)state;
    open_ids(&ids);
    put_message(1, 1, 2, next(&ids, 1, 2, NOW));
    assert_true(roam_msg_ids_used(&ids, 1, 2, NOW << SHIFT));
    for (size_t i = 0; i < ROAM_MSG_IDS_REMEMBERED_MAX - 1; i++) {
        assert_non_null(roam_pair_map_find(&ids.last, 1, 2));
        assert_true(roam_msg_ids_used(&ids, 1, 10 + (int64_t)i, NOW << SHIFT));
    }
    assert_non_null(roam_pair_map_find(&ids.last, 1, 2));
    assert_true(roam_msg_ids_used(&ids, 1, 3, NOW << SHIFT)); /* n + 1 */
    assert_null(roam_pair_map_find(&ids.last, 1, 2));
    assert_true(next(&ids, 1, 2, NOW) == (NOW << SHIFT) + 1);
    assert_true(next(&ids, 2, 1, NOW - 5000) == (NOW << SHIFT) + 1);
    assert_true(next(&ids, 2, 1, NOW + 1) == (NOW + 1) << SHIFT);
    roam_msg_ids_close(&ids);
}

static void test_first_message_of_two_users_is_told(void **state)
{
    struct roam_msg_ids ids;
    uint64_t id;
    bool first;

    (void)state;
    open_ids(&ids);
    assert_true(roam_msg_ids_next(&ids, 1, 2, NOW, &id, &first));
    assert_true(first);
    put_message(1, 2, 1, id); /* it was written, but not remembered */
    assert_true(roam_msg_ids_next(&ids, 1, 2, NOW, &id, &first));
    assert_false(first);
    assert_true(roam_msg_ids_next(&ids, 2, 2, NOW, &id, &first));
    assert_true(first);
    assert_true(roam_msg_ids_used(&ids, 2, 2, id));
    assert_true(roam_msg_ids_next(&ids, 2, 2, 0, &id, &first));
    assert_false(first);
    roam_msg_ids_close(&ids);
}

static void test_msg_ids_end_with_their_range(void **state)
{
    struct roam_msg_ids ids;
    uint64_t id;
    bool first;

    (void)state;
    open_ids(&ids);
    assert_true(next(&ids, 1, 2, UINT64_MAX) <= ROAM_VERSION_MAX);
    assert_true(roam_msg_ids_used(&ids, 1, 2, ROAM_VERSION_MAX - 1));
    assert_true(next(&ids, 1, 2, NOW) == ROAM_VERSION_MAX);
    assert_true(roam_msg_ids_used(&ids, 1, 2, ROAM_VERSION_MAX));
    assert_false(roam_msg_ids_next(&ids, 1, 2, NOW, &id, &first));
    roam_msg_ids_close(&ids);
}

/* ------------------------------------------------------------ the versions */

static void fill_ff(void *ctx, uint8_t *out, size_t len)
{
    (void)ctx;
    memset(out, 0xff, len);
}

static void open_timelines(struct roam_timelines *t, roam_random_fn random)
{
    char error[256];

    memset(t, 0, sizeof(*t));
    struct roam_store_sqlite_config config = {.random = random};
    assert_true(roam_timelines_open(t, db, &config, error, sizeof(error)));
}

static void test_longest_skip_is_2_to_the_32(void **state)
{
    struct roam_timelines t;
    uint64_t version;
    uint64_t prev;

    (void)state;
    open_timelines(&t, fill_ff);
    assert_true(roam_timelines_append(&t, 1, 1, &version, &prev));
    assert_true(prev == 0);
    assert_true(version == ROAM_VERSION_SKIP_MAX + 1);
    roam_timelines_close(&t);
}

static void test_versions_end_with_their_range(void **state)
{
    struct roam_timelines t;
    uint64_t version;
    uint64_t prev;

    (void)state;
    assert_int_equal(roam_db_exec(db, "INSERT INTO timeline"
                                      " VALUES(1, 9223372036854775805, 1, 1)"),
                     SQLITE_OK);
    open_timelines(&t, fill_ff); /* there is no room for a skip */
    assert_true(roam_timelines_append(&t, 1, 2, &version, &prev));
    assert_true(version == ROAM_VERSION_MAX - 1);
    assert_true(prev == ROAM_VERSION_MAX - 2);
    assert_true(roam_timelines_append(&t, 1, 3, &version, &prev));
    assert_true(version == ROAM_VERSION_MAX);
    assert_false(roam_timelines_append(&t, 1, 4, &version, &prev));
    roam_timelines_close(&t);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_map_keeps_many_pairs_apart),
        TEST(test_forgotten_conversation_goes_on_rising),
        TEST(test_first_message_of_two_users_is_told),
        TEST(test_msg_ids_end_with_their_range),
        TEST(test_longest_skip_is_2_to_the_32),
        TEST(test_versions_end_with_their_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
