/* SPDX-License-Identifier: Apache-2.0 */
/* Missing history in the local store: where the holes are after a RESET, and
 * what ends them and the survey: messages that come, and those sent from here.
 * test_posix_fill.c has the pages that fill them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "history_rig.h"

/* -------------------------------------------------------------- where holes */

static void test_a_reset_opens_a_hole_in_every_known_conversation(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    rig_arrive(l, "bob", 5);
    rig_arrive(l, "carol", 9);
    rig_arrive(l, "bob", 7);
    rig_reset(l, 100);
    rig_assert_holes(l, "bob 7..0, carol 9..0");
    assert_string_equal(rig_bodies(l, NULL),
                        "HOLE|bob5|bob7|HOLE|carol9|HOLE|");
    roam_local_close(l);
}

static void test_the_next_message_ends_the_hole(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    rig_arrive(l, "bob", 5);
    rig_reset(l, 100);
    rig_arrive(l, "bob", 20);
    rig_arrive(l, "bob", 21);
    rig_assert_holes(l, "bob 5..20");
    assert_string_equal(rig_bodies(l, "bob"), "bob5|HOLE|bob20|bob21|");
    roam_local_close(l);
}

static void test_each_conversation_ends_its_own_hole(void **state)
{
    (void)state; /* also long after the survey, and in another run */
    struct roam_local *l = local_rig_store();
    rig_arrive(l, "bob", 5);
    rig_arrive(l, "carol", 9);
    rig_arrive(l, "dave", 11);
    rig_reset(l, 100);
    rig_end_survey(l);
    rig_arrive(l, "bob", 20);
    rig_arrive(l, "carol", 30);
    assert_int_equal(roam_local_commit(l), OK);
    roam_local_close(l);
    l = local_rig_store();
    rig_arrive(l, "bob", 40);
    rig_arrive(l, "dave", 41);
    rig_arrive(l, "dave", 42);
    rig_assert_holes(l, "bob 5..20, carol 9..30, dave 11..41");
    roam_local_close(l);
}

static void test_a_sent_message_neither_ends_a_hole_nor_is_ground(void **state)
{
    (void)state; /* what lies on both sides may be missing still */
    struct roam_local *l = local_rig_store();
    rig_arrive(l, "bob", 5);
    rig_reset(l, 100);
    rig_post(l, "bob", 30);
    rig_sent(l, 30);
    rig_assert_holes(l, "bob 5..0");
    assert_string_equal(rig_bodies(l, "bob"), "bob5|HOLE|bob30|");
    rig_reset(l, 200);
    rig_assert_holes(l, "bob 5..0");
    roam_local_close(l);
}

static void test_the_survey_ends_open_holes_and_finds_unknown_conversations(
    void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    rig_arrive(l, "bob", 5);
    rig_arrive(l, "carol", 9);
    rig_reset(l, 100);
    rig_survey_row(l, "dave", 50);
    rig_survey_row(l, "bob", 20);
    rig_survey_row(l, "carol", 9);
    rig_end_survey(l);
    rig_assert_holes(l, "bob 5..20, dave 0..50");
    assert_string_equal(rig_bodies(l, "dave"), "HOLE|dave50|");
    assert_string_equal(rig_bodies(l, "bob"), "bob5|HOLE|bob20|");
    assert_string_equal(rig_bodies(l, "carol"), "carol9|");
    roam_local_close(l);
}

static void test_the_first_message_of_a_conversation_has_a_past_behind_a_reset(
    void **state)
{
    (void)state; /* it may have moved past where the survey was */
    struct roam_local *l = local_rig_store();
    rig_arrive(l, "alice", 10); /* no RESET yet */
    rig_assert_holes(l, "");
    rig_reset(l, 100);
    rig_arrive(l, "alice", 15);
    rig_arrive(l, "bob", 20);
    rig_assert_holes(l, "alice 10..15, bob 0..20");
    rig_end_survey(l);
    rig_arrive(l, "carol", 30); /* sent in mid-survey, and arrives behind it */
    rig_assert_holes(l, "alice 10..15, bob 0..20, carol 0..30");
    struct roam_local_hole hole;
    bool found;
    assert_int_equal(roam_local_hole(l, "carol", &hole, &found), OK);
    assert_true(found);
    assert_int_equal(roam_local_hole_page(l, &hole, 0, 0, false), OK);
    rig_arrive(l, "carol", 31); /* known now */
    rig_assert_holes(l, "alice 10..15, bob 0..20");
    assert_int_equal(roam_local_commit(l), OK);
    roam_local_close(l);
    l = local_rig_store(); /* and so it is after a restart */
    rig_arrive(l, "dave", 40);
    rig_arrive(l, "carol", 41);
    rig_assert_holes(l, "alice 10..15, bob 0..20, dave 0..40");
    roam_local_close(l);
}

static void test_the_survey_leaves_to_the_chain_what_comes_with_it(void **state)
{
    (void)state; /* stored early, it would be ground for the next RESET */
    struct roam_local *l = local_rig_store();
    rig_arrive(l, "bob", 5);
    rig_reset(l, 100);
    rig_arrive(l, "bob", 20);
    rig_survey_row(l, "bob", 40);
    rig_assert_holes(l, "bob 5..20");
    assert_string_equal(rig_bodies(l, "bob"), "bob5|HOLE|bob20|");
    rig_reset(l, 200); /* before 21..40 came */
    rig_assert_holes(l, "bob 5..20, bob 20..0");
    roam_local_close(l);
}

static void test_a_survey_goes_on_where_it_was(void **state)
{
    (void)state;
    struct roam_local_survey s = {0, ""};
    bool due;
    struct roam_local *l = local_rig_store();
    assert_int_equal(roam_local_survey(l, &s, &due), OK);
    assert_false(due);
    rig_reset(l, 100);
    assert_int_equal(roam_local_survey(l, &s, &due), OK);
    assert_true(due && s.before == 0 && s.conversation[0] == '\0');
    struct roam_local_survey next = {50, "dave"};
    rig_survey_row(l, "dave", 50);
    assert_int_equal(roam_local_survey_page(l, &next, 0), OK);
    assert_int_equal(roam_local_commit(l), OK);
    roam_local_close(l);
    l = local_rig_store();
    assert_int_equal(roam_local_survey(l, &s, &due), OK);
    assert_true(due && s.before == 50);
    assert_string_equal(s.conversation, "dave");
    rig_reset(l, 200); /* and starts over */
    assert_int_equal(roam_local_survey(l, &s, &due), OK);
    assert_true(due && s.before == 0);
    rig_end_survey(l);
    assert_int_equal(roam_local_survey(l, &s, &due), OK);
    assert_false(due);
    roam_local_close(l);
}

static void test_holes_of_a_conversation_that_is_gone_are_dropped(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    rig_arrive(l, "bob", 5);
    rig_arrive(l, "carol", 6);
    rig_reset(l, 100);
    assert_int_equal(roam_local_drop_holes(l, "bob"), OK);
    rig_assert_holes(l, "carol 6..0");
    roam_local_close(l);
}

static void test_conversations_are_listed_newest_first(void **state)
{
    (void)state;
    struct roam_local_row row;
    bool found;
    char text[256] = "";
    struct roam_local *l = local_rig_store();
    rig_arrive(l, "bob", 5);
    rig_arrive(l, "carol", 7);
    rig_reset(l, 100);
    rig_arrive(l, "bob", 20);
    rig_survey_row(l, "carol", 7);
    rig_end_survey(l);
    struct roam_local_history *h = roam_local_conversations_open(l);
    assert_non_null(h);
    while (assert_int_equal(roam_local_history_next(h, &row, &found), OK),
           found) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "%.*s %.*s%s|",
                 (int)row.conversation.len, (const char *)row.conversation.data,
                 (int)row.body.len, (const char *)row.body.data,
                 row.hole ? " hole" : "");
    }
    roam_local_history_close(h);
    assert_string_equal(text, "bob bob20 hole|carol carol7|");
    roam_local_close(l);
}

static void test_a_store_of_format_1_keeps_its_holes(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    rig_arrive(l, "bob", 5);
    rig_arrive(l, "carol", 9);
    rig_arrive(l, "bob", 20);
    assert_int_equal(roam_local_commit(l), OK);
    roam_local_close(l);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(local_path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            db,
            "DROP TABLE hole; DROP TABLE survey; DROP TABLE last_reset;"
            "DROP INDEX message_target; DROP TABLE conversation;"
            "DROP TABLE name; ALTER TABLE message DROP COLUMN kind;"
            "ALTER TABLE message DROP COLUMN target;"
            "ALTER TABLE message DROP COLUMN recalled;"
            "ALTER TABLE message DROP COLUMN deleted;"
            "ALTER TABLE outbox DROP COLUMN kind;"
            "CREATE TABLE hole(id INTEGER PRIMARY KEY,"
            " after_msg_id INTEGER NOT NULL, cursor INTEGER NOT NULL,"
            " head INTEGER NOT NULL, reason INTEGER NOT NULL,"
            " unix_ms INTEGER NOT NULL);"
            "INSERT INTO hole VALUES(1, 9, 2, 2, 1, 1700000000000);"
            "PRAGMA user_version = 1",
            NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    for (int i = 0; i < 2; i++) { /* once is enough */
        l = local_rig_store();
        rig_assert_holes(l, "bob 5..20, carol 9..0");
        struct roam_local_counts c;
        assert_int_equal(roam_local_count(l, &c), OK);
        assert_int_equal(c.messages, 3);
        assert_true(c.survey_due);
        roam_local_close(l);
    }
}

/* ------------------------------------------------------- sent from here */

/* The server's head is bob30, and 20 is this device's: its answer comes
 * behind the RESET that passed over both. */
static void answered_below_the_head(struct roam_local *l, const char *expected)
{
    rig_sent(l, 20);
    assert_true(rig_ask_survey(l) == 0);
    rig_survey_row(l, "bob", 30);
    rig_end_survey(l);
    rig_assert_holes(l, expected);
    rig_arrive(l, "bob", 31);
    rig_assert_holes(l, expected);
    assert_string_equal(rig_bodies(l, "bob"),
                        expected[4] == '5' ? "bob5|HOLE|bob20|bob30|bob31|"
                                           : "HOLE|bob20|bob30|bob31|");
    roam_local_close(l);
}

static void test_an_answer_that_comes_twice_behind_a_reset_ends_no_hole(
    void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    rig_arrive(l, "bob", 5);
    rig_post(l, "bob", 20); /* stored; the answer is lost, then bob writes */
    roam_local_close(l);
    l = local_rig_store();
    rig_reset(l, 100);
    answered_below_the_head(l, "bob 5..30");
}

static void test_a_message_sent_before_the_reset_is_read_ends_no_hole(
    void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    rig_arrive(l, "bob", 5);
    assert_int_equal(roam_local_commit(l), OK);
    rig_post(l, "bob", 20); /* between LOGIN_OK and SYNC_OK */
    rig_reset(l, 100);
    assert_true(rig_ask_survey(l) == 0);
    answered_below_the_head(l, "bob 5..30");
}

static void test_a_sent_message_does_not_make_its_conversation_known(
    void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    rig_post(l, "bob", 20);
    rig_reset(l, 100);
    answered_below_the_head(l, "bob 0..30");
    unlink(local_path);
    l = local_rig_store(); /* and when the chain tells of it first */
    rig_post(l, "bob", 20);
    rig_reset(l, 100);
    rig_sent(l, 20);
    rig_arrive(l, "bob", 31);
    rig_assert_holes(l, "bob 0..31");
    roam_local_close(l);
}

/* The message may have moved its conversation past the survey's place. */
static void sets_back(bool by_answer)
{
    struct roam_local *l = local_rig_store();
    rig_arrive(l, "bob", 5);
    rig_reset(l, 100);
    assert_true(rig_ask_survey(l) == 0);
    rig_survey_page(l, 50);
    assert_true(rig_ask_survey(l) == 50);
    rig_post(l, "bob", 60);
    if (by_answer) {
        rig_sent(l, 60);
    } else {
        local_rig_arrive_noop(l);
    }
    rig_survey_page(l, 40); /* of the page that was under way */
    assert_int_equal(roam_local_commit(l), OK);
    assert_true(rig_ask_survey(l) == 0);
    rig_survey_page(l, 55);
    assert_true(rig_ask_survey(l) == 55);
    by_answer ? local_rig_arrive_noop(l) : rig_sent(l, 60);
    rig_end_survey(l); /* as void as any other */
    assert_true(rig_ask_survey(l) == 0);
    rig_survey_row(l, "bob", 60);
    rig_end_survey(l);
    assert_true(rig_ask_survey(l) == UINT64_MAX);
    rig_assert_holes(l, "bob 5..60");
    roam_local_close(l);
    unlink(local_path);
}

/* HIST-17 */
static void test_what_was_sent_sets_the_survey_back(void **state)
{
    (void)state;
    sets_back(true);
    sets_back(false);
}

/* HIST-17 */
static void test_a_survey_is_due_again_only_while_a_hole_is_open(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    rig_arrive(l, "bob", 5);
    rig_post(l, "bob", 6);
    rig_sent(l, 6);
    local_rig_arrive_noop(l);
    assert_true(rig_ask_survey(l) == UINT64_MAX); /* there was no RESET */
    rig_reset(l, 100);
    rig_end_survey(l); /* without bob, whose conversation moved */
    assert_true(rig_ask_survey(l) == UINT64_MAX);
    rig_post(l, "bob", 30);
    rig_sent(l, 30);
    assert_int_equal(roam_local_commit(l), OK);
    roam_local_close(l);
    l = local_rig_store();
    assert_true(rig_ask_survey(l) == 0);
    rig_survey_row(l, "bob", 30);
    rig_end_survey(l);
    rig_assert_holes(l, "bob 5..30");
    local_rig_arrive_noop(l);
    assert_true(rig_ask_survey(l) == UINT64_MAX); /* none is open */
    roam_local_close(l);
}

static void test_a_survey_that_ends_before_an_answer_misses_nothing(
    void **state)
{
    (void)state; /* bob is unknown, and moved before the page was read */
    struct roam_local *l = local_rig_store();
    rig_reset(l, 100);
    rig_post(l, "bob", 60);
    assert_int_equal(
        roam_local_outbox_add(
            l,
            &(struct roam_local_outgoing){
                .client_msg_id = 7, .conversation = local_rig_text("dave")}),
        OK);
    assert_true(rig_ask_survey(l) == 0);
    rig_end_survey(l);
    rig_assert_holes(l, "bob 0..0"); /* to dave nothing was sent */
    assert_true(rig_ask_survey(l) == UINT64_MAX);
    rig_sent(l, 60);
    assert_true(rig_ask_survey(l) == 0);
    rig_survey_row(l, "bob", 60);
    rig_end_survey(l);
    rig_assert_holes(l, "bob 0..60");
    roam_local_close(l);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, local_rig_open, local_rig_close)
    const struct CMUnitTest tests[] = {
        T(test_a_reset_opens_a_hole_in_every_known_conversation),
        T(test_the_next_message_ends_the_hole),
        T(test_each_conversation_ends_its_own_hole),
        T(test_a_sent_message_neither_ends_a_hole_nor_is_ground),
        T(test_the_survey_ends_open_holes_and_finds_unknown_conversations),
        T(test_the_first_message_of_a_conversation_has_a_past_behind_a_reset),
        T(test_the_survey_leaves_to_the_chain_what_comes_with_it),
        T(test_a_survey_goes_on_where_it_was),
        T(test_holes_of_a_conversation_that_is_gone_are_dropped),
        T(test_conversations_are_listed_newest_first),
        T(test_a_store_of_format_1_keeps_its_holes),
        T(test_an_answer_that_comes_twice_behind_a_reset_ends_no_hole),
        T(test_a_message_sent_before_the_reset_is_read_ends_no_hole),
        T(test_a_sent_message_does_not_make_its_conversation_known),
        T(test_what_was_sent_sets_the_survey_back),
        T(test_a_survey_is_due_again_only_while_a_hole_is_open),
        T(test_a_survey_that_ends_before_an_answer_misses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
