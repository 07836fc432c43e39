/* SPDX-License-Identifier: Apache-2.0 */
/* The local store and a server that was put back to an older state: what a
 * survey told of the lost past is told anew, and stands as it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "local_rig.h"

static const struct happening
    said = {.conversation = "bob", .sender = "bob"},
    reads = {"bob", ROAM_KIND_READ, "alice", 14, 0, NULL, NULL, 0, true},
    invited = {"#g", ROAM_KIND_GROUP, "bob", 0, GROUP(INVITE), "alice", NULL, 0,
               false},
    promoted = {
        "#g", ROAM_KIND_GROUP, "bob", 0, GROUP(SET_ADMIN), "alice", NULL, 0,
        false};

/* Where a survey goes on; UINT64_MAX: none is due. */
static uint64_t survey_at(struct roam_local *l)
{
    struct roam_local_survey s;
    bool due;
    assert_int_equal(roam_local_survey(l, &s, &due), OK);
    return due ? s.before : UINT64_MAX;
}

static void page(struct roam_local *l, uint64_t as_of, bool more)
{
    const struct roam_local_survey next = {50, "zoe"};
    assert_int_equal(roam_local_survey_page(l, more ? &next : NULL, as_of), OK);
}

static void head_told(struct roam_local *l, uint64_t head)
{
    assert_int_equal(roam_local_head_told(l, head), OK);
    assert_int_equal(roam_local_commit(l), OK);
}

static void told(struct roam_local *l, const struct happening *h,
                 uint64_t msg_id, uint64_t mark, enum roam_role role)
{
    struct roam_entry_event e = local_rig_entry(h, msg_id);
    e.read_mark = mark;
    e.role = role;
    assert_int_equal(roam_local_survey_row(l, &e), OK);
}

/* A store behind RESET to 100, whose survey's pages were of these states. */
static struct roam_local *surveyed(uint64_t first, uint64_t last)
{
    struct roam_local *l = local_rig_store();
    assert_int_equal(roam_local_add_reset(l, 100, 1), OK);
    assert_true(survey_at(l) == 0);
    page(l, first, true);
    assert_true(survey_at(l) == 50);
    page(l, last, false);
    assert_true(survey_at(l) == UINT64_MAX);
    assert_int_equal(roam_local_commit(l), OK);
    return l;
}

/* The next entry of the chain, of this version. */
static void arrive_as(struct roam_local *l, uint64_t version, uint32_t kind)
{
    struct roam_local_device d;
    roam_local_device(l, &d);
    struct roam_entry_event e = local_rig_entry(&said, version);
    e.kind = kind;
    e.prev_version = d.cursor;
    e.version = version;
    assert_int_equal(roam_local_add_entry(l, &e), OK);
}

/* ------------------------------------------------------------------ doubt */

static void test_a_head_below_a_page_makes_another_survey_due(void **state)
{
    (void)state;
    struct roam_local *l = surveyed(120, 110); /* the highest counts */
    head_told(l, 120);
    assert_true(survey_at(l) == UINT64_MAX);
    roam_local_close(l);
    l = local_rig_store(); /* also in another run */
    head_told(l, 119);
    assert_true(survey_at(l) == 0);
    head_told(l, 90); /* is due already */
    page(l, 119, false);
    head_told(l, 119);
    assert_true(survey_at(l) == UINT64_MAX);
    head_told(l, 118); /* put back once more */
    assert_true(survey_at(l) == 0);
    roam_local_close(l);
}

static void test_an_entry_of_that_version_proves_the_page(void **state)
{
    (void)state;
    struct roam_local *l = surveyed(102, 102);
    arrive_as(l, 101, ROAM_KIND_NOOP);
    arrive_as(l, 102, ROAM_KIND_NOOP);
    arrive_as(l, 5000, ROAM_KIND_NOOP);
    assert_true(survey_at(l) == UINT64_MAX);
    roam_local_close(l);
}

static void test_a_chain_that_passes_it_makes_another_survey_due(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {ROAM_KIND_MESSAGE, ROAM_KIND_NOOP,
                                     ROAM_KIND_READ, 99};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct roam_local *l = surveyed(102, 102);
        arrive_as(l, 101, ROAM_KIND_NOOP);
        assert_true(survey_at(l) == UINT64_MAX);
        arrive_as(l, 103, kinds[i]);
        assert_true(survey_at(l) == 0);
        page(l, 103, false);
        arrive_as(l, 5000, kinds[i]);
        assert_true(survey_at(l) == UINT64_MAX);
        roam_local_rollback(l);
        roam_local_close(l);
    }
}

static void test_a_survey_under_way_starts_over(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    assert_int_equal(roam_local_add_reset(l, 100, 1), OK);
    assert_true(survey_at(l) == 0);
    page(l, 120, true);
    assert_true(survey_at(l) == 50); /* and is asked for */
    arrive_as(l, 121, ROAM_KIND_NOOP);
    page(l, 121, false);
    assert_true(survey_at(l) == 0);
    roam_local_close(l);
}

static void test_without_a_survey_no_head_is_news(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    head_told(l, 0);
    arrive_as(l, 7, ROAM_KIND_MESSAGE);
    head_told(l, 3);
    assert_true(survey_at(l) == UINT64_MAX);
    assert_int_equal(roam_local_add_reset(l, 3, 1), OK);
    page(l, 3, false);
    head_told(l, 3);
    assert_true(survey_at(l) == UINT64_MAX);
    roam_local_close(l);
}

/* ---------------------------------------------------------- what is told anew
 */

static void test_a_mark_is_what_the_list_tells_be_it_lower(void **state)
{
    (void)state;
    struct happening read = reads;
    struct roam_local *l = local_rig_store();
    for (uint64_t id = 10; id <= 14; id++) {
        local_rig_arrive(l, local_rig_entry(&said, id));
    }
    local_rig_arrive(l, local_rig_entry(&reads, 15));
    assert_int_equal(local_rig_listed(l, "bob").read_mark, 14);
    assert_int_equal(roam_local_add_reset(l, 2, 1), OK);
    told(l, &said, 12, 11, ROAM_ROLE_NONE);
    struct roam_local_row row = local_rig_listed(l, "bob");
    assert_int_equal(row.read_mark, 11);
    assert_int_equal(row.unread, 3); /* it has 12 to 14, whoever lost them */
    read.target = 10;
    local_rig_arrive(l, local_rig_entry(&read, 30)); /* was in the page */
    assert_int_equal(local_rig_listed(l, "bob").read_mark, 11);
    read.target = 13;
    local_rig_arrive(l, local_rig_entry(&read, 31));
    assert_int_equal(local_rig_listed(l, "bob").read_mark, 13);
    roam_local_close(l);
}

static void test_a_role_is_what_the_list_tells_be_its_row_older(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    local_rig_arrive(l, local_rig_entry(&invited, 30));
    local_rig_arrive(l, local_rig_entry(&promoted, 40));
    assert_int_equal(local_rig_listed(l, "#g").role, ROAM_ROLE_ADMIN);
    assert_int_equal(roam_local_add_reset(l, 1, 1), OK);
    told(l, &invited, 30, 0, ROAM_ROLE_MEMBER);
    assert_int_equal(local_rig_listed(l, "#g").role, ROAM_ROLE_MEMBER);
    local_rig_arrive(l, local_rig_entry(&promoted, 50));
    assert_int_equal(local_rig_listed(l, "#g").role, ROAM_ROLE_ADMIN);
    roam_local_close(l);
}

/* A message that the server lost is one that this person has read. What comes
 * after it has a higher msg_id, and no hole hides it. */
static void test_messages_of_the_lost_past_stay_and_hide_nothing(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    struct roam_local_hole hole;
    bool found;
    assert_int_equal(roam_local_add_reset(l, 100, 1), OK);
    told(l, &said, 20, 20, ROAM_ROLE_NONE);
    page(l, 120, false);
    assert_int_equal(roam_local_hole(l, "bob", &hole, &found), OK);
    assert_true(found);
    assert_int_equal(roam_local_hole_page(l, &hole, 0, 0, false), OK);
    head_told(l, 100);
    assert_true(survey_at(l) == 0);
    told(l, &said, 10, 10, ROAM_ROLE_NONE);
    page(l, 100, false);
    arrive_as(l, 200, ROAM_KIND_MESSAGE);
    assert_int_equal(roam_local_hole(l, NULL, &hole, &found), OK);
    assert_false(found);
    assert_string_equal(local_rig_dump(l),
                        "bob 20 k0 \"bob20\"\n"
                        "bob 200 k0 \"bob200\"\n"
                        "bob 200 k0 \"bob200\" '' mark 10 unread 2 role 0\n");
    roam_local_close(l);
}

#define T(f) cmocka_unit_test_setup_teardown(f, local_rig_open, local_rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_head_below_a_page_makes_another_survey_due),
        T(test_an_entry_of_that_version_proves_the_page),
        T(test_a_chain_that_passes_it_makes_another_survey_due),
        T(test_a_survey_under_way_starts_over),
        T(test_without_a_survey_no_head_is_news),
        T(test_a_mark_is_what_the_list_tells_be_it_lower),
        T(test_a_role_is_what_the_list_tells_be_its_row_older),
        T(test_messages_of_the_lost_past_stay_and_hide_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
