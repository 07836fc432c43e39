/* SPDX-License-Identifier: Apache-2.0 */
/* Missing history in the local store: how pages fill the holes, and that
 * crashes, live messages and late answers in between change nothing in the
 * outcome. test_posix_history.c has where holes come from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "history_rig.h"

/* A server's conversation with bob: messages 1..LAST. */
enum {
    LAST = 30,
    PAGE = 4
};

/* Answers HISTORY of [HIST-1] for a hole and applies the page. */
static bool fill(struct roam_local *l, const struct roam_local_hole *h,
                 uint64_t newest)
{
    uint64_t low = h->above + 1;
    uint64_t high = h->below ? h->below - 1 : newest;
    bool up = h->below == 0 && h->above != 0;
    bool more = high >= low && high - low >= PAGE;
    if (more && up) {
        high = low + PAGE - 1;
    } else if (more) {
        low = high - PAGE + 1;
    }
    uint64_t first = 0, last = 0;
    for (uint64_t id = low; id <= high; id++) {
        struct roam_entry_event e = rig_message("bob", id);
        assert_int_equal(roam_local_add_history(l, &e), OK);
        first = first ? first : id;
        last = id;
    }
    assert_int_equal(roam_local_hole_page(l, h, first, last, more), OK);
    return more;
}

static void assert_all(struct roam_local *l, uint64_t newest)
{
    struct roam_local_hole h;
    bool found;
    assert_int_equal(roam_local_hole(l, NULL, &h, &found), OK);
    assert_false(found);
    assert_int_equal(rig_message_count(l), newest);
    char expected[2048];
    size_t n = 0;
    for (uint64_t id = 1; id <= newest; id++) {
        n += (size_t)snprintf(expected + n, sizeof expected - n, "bob%u|",
                              (unsigned)id);
    }
    assert_string_equal(rig_bodies(l, "bob"), expected);
}

static void test_a_page_and_its_bounds_are_there_together_or_not(void **state)
{
    (void)state;
    struct roam_local_hole h;
    bool found;
    struct roam_local *l = local_rig_store();
    rig_arrive(l, "bob", 1);
    rig_reset(l, 100);
    rig_arrive(l, "bob", LAST);
    assert_int_equal(roam_local_hole(l, "bob", &h, &found), OK);
    assert_true(found && h.above == 1 && h.below == LAST);
    assert_int_equal(roam_local_commit(l), OK);
    assert_true(fill(l, &h, LAST));
    roam_local_close(l); /* killed before the commit */
    l = local_rig_store();
    rig_assert_holes(l, "bob 1..30");
    assert_int_equal(rig_message_count(l), 2);
    assert_true(fill(l, &h, LAST));
    rig_assert_holes(l, "bob 1..26");
    assert_int_equal(rig_message_count(l), 2 + PAGE);
    roam_local_close(l);
}

static void test_a_fill_that_is_killed_at_every_page_ends_with_all(void **state)
{
    (void)state;
    bool found = true;
    struct roam_local *l = local_rig_store();
    rig_arrive(l, "bob", 1);
    rig_reset(l, 100);
    rig_arrive(l, "bob", LAST);
    rig_end_survey(l);
    assert_int_equal(roam_local_commit(l), OK);
    for (int page = 0; found; page++) {
        struct roam_local_hole h;
        assert_true(page < LAST);
        assert_int_equal(roam_local_hole(l, NULL, &h, &found), OK);
        if (found) {
            fill(l, &h, LAST);
            if (page % 2 == 0) { /* every other page is lost, too */
                assert_int_equal(roam_local_commit(l), OK);
            }
        }
        roam_local_close(l);
        l = local_rig_store();
    }
    assert_all(l, LAST);
    roam_local_close(l);
}

static void test_a_message_by_page_and_by_entry_is_one(void **state)
{
    (void)state;
    struct roam_entry_event e = rig_message("bob", 20);
    for (int page_first = 0; page_first < 2; page_first++) {
        struct roam_local *l = local_rig_store();
        if (page_first) {
            assert_int_equal(roam_local_add_history(l, &e), OK);
            rig_arrive(l, "bob", 20);
        } else {
            rig_arrive(l, "bob", 20);
            assert_int_equal(roam_local_add_history(l, &e), OK);
        }
        rig_reset(l, 100); /* either way it is ground */
        rig_assert_holes(l, "bob 20..0");
        assert_int_equal(rig_message_count(l), 1);
        roam_local_close(l);
        unlink(local_path);
    }
}

static void test_a_page_makes_a_sent_message_ground(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    struct roam_local_outgoing m = {.client_msg_id = 4,
                                    .conversation = local_rig_text("bob"),
                                    .body = local_rig_text("bob30"),
                                    .queued_ms = 1};
    assert_int_equal(roam_local_outbox_add(l, &m), OK);
    rig_sent_as(l, 4, 30);
    struct roam_entry_event e = rig_message("bob", 30);
    e.client_msg_id = 4;
    assert_int_equal(roam_local_add_history(l, &e), OK);
    assert_int_equal(rig_message_count(l), 1);
    rig_reset(l, 100);
    rig_assert_holes(l, "bob 30..0");
    roam_local_close(l);
}

/* Pages, live messages and the survey come in every order that the protocol
 * allows; `order` picks one in each step. */
static void converge(unsigned order, bool known, bool survey)
{
    struct roam_local *l = local_rig_store();
    uint64_t newest = 20, arrived = 20;
    bool due = survey;
    if (known) {
        rig_arrive(l, "bob", 1);
    }
    rig_reset(l, 100);
    if (!survey) {
        rig_end_survey(l);
    }
    for (int step = 0; step < 64; step++, order = order >> 1 | order << 15) {
        struct roam_local_hole h;
        bool found;
        assert_int_equal(roam_local_hole(l, NULL, &h, &found), OK);
        if ((order & 1) && newest < LAST) {
            newest++; /* stored by the server, not delivered yet */
        } else if ((order & 2) && arrived < newest) {
            rig_arrive(l, "bob", ++arrived);
        } else if (due) {
            rig_survey_row(l, "bob", newest);
            rig_end_survey(l);
            due = false;
        } else if (found) {
            /* The page is read now, and a message overtakes the rows. */
            bool overtaken = (order & 4) && arrived < newest;
            uint64_t state = newest;
            if (overtaken) {
                rig_arrive(l, "bob", ++arrived);
            }
            fill(l, &h, state);
        }
        assert_int_equal(roam_local_commit(l), OK);
    }
    while (newest < LAST) {
        newest++;
    }
    while (arrived < newest) {
        rig_arrive(l, "bob", ++arrived);
    }
    for (int page = 0; page < LAST; page++) {
        struct roam_local_hole h;
        bool found;
        assert_int_equal(roam_local_hole(l, NULL, &h, &found), OK);
        if (found) {
            fill(l, &h, newest);
        }
    }
    assert_all(l, LAST);
    roam_local_close(l);
    unlink(local_path);
}

static void test_every_order_of_pages_and_arrivals_gives_the_same(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 48; i++) {
        unsigned order = i * 1361u & 0xffffu;
        converge(order, true, true);
        converge(order, true, false); /* without a survey: walks up */
        converge(order, false, true);
    }
}

/* The same with messages of this device's, every third one. Those up to 20
 * were stored, but their answers come behind the RESET. */
static void converge_with_own(unsigned order, bool known)
{
    struct roam_local *l = local_rig_store();
    uint64_t newest = 20, arrived = 20, answered = 15;
    if (known) {
        rig_arrive(l, "bob", 1);
    }
    for (uint64_t id = answered; id <= LAST; id += 3) {
        rig_post(l, "bob", id);
    }
    rig_reset(l, 100);
    for (int step = 0; step < 256; step++, order = order >> 1 | order << 15) {
        struct roam_local_hole h;
        bool found, calm = step >= 64;
        assert_int_equal(roam_local_hole(l, NULL, &h, &found), OK);
        if ((calm || (order & 1)) && newest < LAST) {
            newest++;
        } else if ((calm || (order & 2)) && arrived < newest) {
            ++arrived % 3 == 0 ? local_rig_arrive_noop(l)
                               : rig_arrive(l, "bob", arrived);
        } else if ((calm || (order & 8)) && answered <= newest) {
            rig_sent(l, answered);
            answered += 3;
        } else if (rig_ask_survey(l) == 0) {
            rig_survey_row(l, "bob", newest);
            if ((order & 4) && answered <= newest) {
                rig_sent(l, answered);
                answered += 3;
            }
            rig_end_survey(l);
        } else if (found) {
            fill(l, &h, newest);
        }
        assert_int_equal(roam_local_commit(l), OK);
    }
    assert_all(l, LAST);
    roam_local_close(l);
    unlink(local_path);
}

static void test_answers_in_between_change_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 48; i++) {
        unsigned order = i * 1361u & 0xffffu;
        converge_with_own(order, true);
        converge_with_own(order, false);
    }
}

static void test_a_second_reset_in_the_middle_of_filling_loses_nothing(
    void **state)
{
    (void)state;
    for (int pages = 0; pages < 6; pages++) {
        struct roam_local *l = local_rig_store();
        struct roam_local_hole h;
        bool found;
        rig_arrive(l, "bob", 1);
        rig_reset(l, 100);
        rig_survey_row(l, "bob", 20);
        rig_end_survey(l);
        for (int i = 0; i < pages; i++) {
            assert_int_equal(roam_local_hole(l, NULL, &h, &found), OK);
            if (found) {
                fill(l, &h, 20);
            }
        }
        rig_reset(l, 200);
        rig_survey_row(l, "bob", LAST);
        rig_end_survey(l);
        do {
            assert_int_equal(roam_local_hole(l, "bob", &h, &found), OK);
            if (found) {
                fill(l, &h, LAST);
            }
        } while (found);
        assert_all(l, LAST);
        roam_local_close(l);
        unlink(local_path);
    }
}

static void test_a_hole_that_ended_meanwhile_is_not_widened(void **state)
{
    (void)state;
    struct roam_local_hole h;
    bool found;
    struct roam_local *l = local_rig_store();
    struct roam_local_outgoing m = {.client_msg_id = 4,
                                    .conversation = local_rig_text("bob"),
                                    .body = local_rig_text("mine"),
                                    .queued_ms = 1};
    assert_int_equal(roam_local_outbox_add(l, &m), OK);
    rig_sent_as(l, 4, 3);
    rig_reset(l, 100);
    assert_int_equal(roam_local_hole(l, "bob", &h, &found), OK);
    assert_true(found && h.above == 0 && h.below == 0);
    rig_arrive(l, "bob", 20);
    assert_int_equal(roam_local_hole_page(l, &h, 25, 28, true), OK);
    rig_assert_holes(l, "bob 0..20");
    assert_int_equal(roam_local_hole_page(l, &h, 15, 28, true), OK);
    rig_assert_holes(l, "bob 0..15");
    assert_int_equal(roam_local_hole_page(l, &h, 1, 14, true), OK);
    rig_assert_holes(l, ""); /* there is no msg_id below 1 */
    roam_local_close(l);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, local_rig_open, local_rig_close)
    const struct CMUnitTest tests[] = {
        T(test_a_page_and_its_bounds_are_there_together_or_not),
        T(test_a_fill_that_is_killed_at_every_page_ends_with_all),
        T(test_a_message_by_page_and_by_entry_is_one),
        T(test_a_page_makes_a_sent_message_ground),
        T(test_every_order_of_pages_and_arrivals_gives_the_same),
        T(test_answers_in_between_change_nothing),
        T(test_a_second_reset_in_the_middle_of_filling_loses_nothing),
        T(test_a_hole_that_ended_meanwhile_is_not_widened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
