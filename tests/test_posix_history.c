/* SPDX-License-Identifier: Apache-2.0 */
/* Missing history in the local store: where the holes are after a RESET, how
 * pages fill them, and that crashes and live messages in between change
 * nothing in the outcome. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "roam_local.h"

#define OK ROAM_POSIX_STATUS_OK

static char directory[64], path[96];

static int set_up(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/roam-history-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/messages.db", directory);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const suffix[] = {"", "-wal", "-shm", ".lock"};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", path, suffix[i]);
        unlink(name);
    }
    return rmdir(directory);
}

/* ------------------------------------------------------------------ helpers */

static struct roam_local *open_store(void)
{
    char detail[ROAM_POSIX_DETAIL_MAX] = "";
    struct roam_local *l;
    if (roam_local_open(path, "alice", ROAM_PHONE, ROAM_LOCAL_OWN, &l,
                        detail) != OK) {
        fail_msg("%s", detail);
    }
    return l;
}

static struct roam_bytes b(const char *text)
{
    struct roam_bytes bytes = {(const uint8_t *)text, strlen(text)};
    return bytes;
}

static struct roam_entry_event message(const char *conversation,
                                       uint64_t msg_id)
{
    static char bodies[64][24];
    static size_t next;
    struct roam_entry_event e;
    char *body = bodies[next++ % 64];
    snprintf(body, 24, "%s%u", conversation, (unsigned)msg_id);
    memset(&e, 0, sizeof e);
    e.msg_id = msg_id;
    e.conversation = b(conversation);
    e.sender = b(conversation);
    e.body = b(body);
    return e;
}

/* The next entry of the chain. */
static void arrive(struct roam_local *l, const char *conversation,
                   uint64_t msg_id)
{
    struct roam_entry_event e = message(conversation, msg_id);
    struct roam_local_device d;
    roam_local_device(l, &d);
    e.prev_version = d.cursor;
    e.version = d.cursor + 1;
    assert_int_equal(roam_local_add_entry(l, &e), OK);
}

/* The next entry of the chain: a message of this device's, without it. */
static void arrive_own(struct roam_local *l)
{
    struct roam_entry_event e;
    struct roam_local_device d;
    memset(&e, 0, sizeof e);
    roam_local_device(l, &d);
    e.kind = ROAM_KIND_NOOP;
    e.prev_version = d.cursor;
    e.version = d.cursor + 1;
    assert_int_equal(roam_local_add_entry(l, &e), OK);
}

/* A message goes out that the server will store, or has stored, under this
 * msg_id; its client_msg_id is the same number. */
static void post(struct roam_local *l, const char *conversation,
                 uint64_t msg_id)
{
    struct roam_entry_event e = message(conversation, msg_id);
    struct roam_local_outgoing m = {.client_msg_id = msg_id,
                                    .conversation = e.conversation,
                                    .body = e.body,
                                    .queued_ms = 1,
                                    .first_sent_ms = 1};
    assert_int_equal(roam_local_outbox_add(l, &m), OK);
}

static void sent_as(struct roam_local *l, uint64_t client_msg_id,
                    uint64_t msg_id)
{
    const struct roam_local_sent s = {.client_msg_id = client_msg_id,
                                      .msg_id = msg_id};
    assert_int_equal(roam_local_outbox_sent(l, &s), OK);
}

static void sent(struct roam_local *l, uint64_t msg_id)
{
    sent_as(l, msg_id, msg_id);
}

static void reset(struct roam_local *l, uint64_t head)
{
    assert_int_equal(roam_local_add_reset(l, head, 1700000000000u), OK);
}

static void survey_row(struct roam_local *l, const char *conversation,
                       uint64_t msg_id)
{
    struct roam_entry_event e = message(conversation, msg_id);
    assert_int_equal(roam_local_survey_row(l, &e), OK);
}

static void end_survey(struct roam_local *l)
{
    assert_int_equal(roam_local_survey_page(l, NULL, 0), OK);
}

/* Where the survey goes on, as whoever asks for its next page learns it;
 * UINT64_MAX: none is due. */
static uint64_t ask_survey(struct roam_local *l)
{
    struct roam_local_survey s;
    bool due;
    assert_int_equal(roam_local_survey(l, &s, &due), OK);
    return due ? s.before : UINT64_MAX;
}

static void survey_page(struct roam_local *l, uint64_t before)
{
    struct roam_local_survey next = {before, "zoe"};
    assert_int_equal(roam_local_survey_page(l, &next, 0), OK);
}

/* All holes, as "bob 3..9", 0 for an open end. */
static const char *holes(const char *store_path)
{
    static char text[512];
    sqlite3 *db;
    sqlite3_stmt *s;
    size_t n = 0;
    assert_int_equal(sqlite3_open(store_path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT conversation, above, below FROM hole"
                           " ORDER BY conversation, above, below",
                           -1, &s, NULL),
        SQLITE_OK);
    text[0] = '\0';
    while (sqlite3_step(s) == SQLITE_ROW) {
        sqlite3_int64 below = sqlite3_column_int64(s, 2);
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s %d..%d",
                              n ? ", " : "", sqlite3_column_text(s, 0),
                              sqlite3_column_int(s, 1),
                              below == INT64_MAX ? 0 : (int)below);
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    return text;
}

static void assert_holes(struct roam_local *l, const char *expected)
{
    assert_int_equal(roam_local_commit(l), OK);
    assert_string_equal(holes(path), expected);
}

static const char *bodies(struct roam_local *l, const char *conversation)
{
    static char text[2048];
    struct roam_local_row row;
    bool found;
    size_t n = 0;
    struct roam_local_history *h = roam_local_history_open(l, conversation);
    assert_non_null(h);
    text[0] = '\0';
    while (assert_int_equal(roam_local_history_next(h, &row, &found), OK),
           found) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%.*s|",
                              row.hole ? 4 : (int)row.body.len,
                              row.hole ? "HOLE" : (const char *)row.body.data);
    }
    roam_local_history_close(h);
    return text;
}

static uint64_t message_count(struct roam_local *l)
{
    struct roam_local_counts c;
    assert_int_equal(roam_local_count(l, &c), OK);
    return c.messages;
}

/* -------------------------------------------------------------- where holes */

static void test_a_reset_opens_a_hole_in_every_known_conversation(void **state)
{
    (void)state;
    struct roam_local *l = open_store();
    arrive(l, "bob", 5);
    arrive(l, "carol", 9);
    arrive(l, "bob", 7);
    reset(l, 100);
    assert_holes(l, "bob 7..0, carol 9..0");
    assert_string_equal(bodies(l, NULL), "HOLE|bob5|bob7|HOLE|carol9|HOLE|");
    roam_local_close(l);
}

static void test_the_next_message_ends_the_hole(void **state)
{
    (void)state;
    struct roam_local *l = open_store();
    arrive(l, "bob", 5);
    reset(l, 100);
    arrive(l, "bob", 20);
    arrive(l, "bob", 21);
    assert_holes(l, "bob 5..20");
    assert_string_equal(bodies(l, "bob"), "bob5|HOLE|bob20|bob21|");
    roam_local_close(l);
}

static void test_each_conversation_ends_its_own_hole(void **state)
{
    (void)state; /* also long after the survey, and in another run */
    struct roam_local *l = open_store();
    arrive(l, "bob", 5);
    arrive(l, "carol", 9);
    arrive(l, "dave", 11);
    reset(l, 100);
    end_survey(l);
    arrive(l, "bob", 20);
    arrive(l, "carol", 30);
    assert_int_equal(roam_local_commit(l), OK);
    roam_local_close(l);
    l = open_store();
    arrive(l, "bob", 40);
    arrive(l, "dave", 41);
    arrive(l, "dave", 42);
    assert_holes(l, "bob 5..20, carol 9..30, dave 11..41");
    roam_local_close(l);
}

static void test_a_sent_message_neither_ends_a_hole_nor_is_ground(void **state)
{
    (void)state; /* what lies on both sides may be missing still */
    struct roam_local *l = open_store();
    arrive(l, "bob", 5);
    reset(l, 100);
    post(l, "bob", 30);
    sent(l, 30);
    assert_holes(l, "bob 5..0");
    assert_string_equal(bodies(l, "bob"), "bob5|HOLE|bob30|");
    reset(l, 200);
    assert_holes(l, "bob 5..0");
    roam_local_close(l);
}

static void test_the_survey_ends_open_holes_and_finds_unknown_conversations(
    void **state)
{
    (void)state;
    struct roam_local *l = open_store();
    arrive(l, "bob", 5);
    arrive(l, "carol", 9);
    reset(l, 100);
    survey_row(l, "dave", 50);
    survey_row(l, "bob", 20);
    survey_row(l, "carol", 9);
    end_survey(l);
    assert_holes(l, "bob 5..20, dave 0..50");
    assert_string_equal(bodies(l, "dave"), "HOLE|dave50|");
    assert_string_equal(bodies(l, "bob"), "bob5|HOLE|bob20|");
    assert_string_equal(bodies(l, "carol"), "carol9|");
    roam_local_close(l);
}

static void test_the_first_message_of_a_conversation_has_a_past_behind_a_reset(
    void **state)
{
    (void)state; /* it may have moved past where the survey was */
    struct roam_local *l = open_store();
    arrive(l, "alice", 10); /* no RESET yet */
    assert_holes(l, "");
    reset(l, 100);
    arrive(l, "alice", 15);
    arrive(l, "bob", 20);
    assert_holes(l, "alice 10..15, bob 0..20");
    end_survey(l);
    arrive(l, "carol", 30); /* sent in mid-survey, and arrives behind it */
    assert_holes(l, "alice 10..15, bob 0..20, carol 0..30");
    struct roam_local_hole hole;
    bool found;
    assert_int_equal(roam_local_hole(l, "carol", &hole, &found), OK);
    assert_true(found);
    assert_int_equal(roam_local_hole_page(l, &hole, 0, 0, false), OK);
    arrive(l, "carol", 31); /* known now */
    assert_holes(l, "alice 10..15, bob 0..20");
    assert_int_equal(roam_local_commit(l), OK);
    roam_local_close(l);
    l = open_store(); /* and so it is after a restart */
    arrive(l, "dave", 40);
    arrive(l, "carol", 41);
    assert_holes(l, "alice 10..15, bob 0..20, dave 0..40");
    roam_local_close(l);
}

static void test_the_survey_leaves_to_the_chain_what_comes_with_it(void **state)
{
    (void)state; /* stored early, it would be ground for the next RESET */
    struct roam_local *l = open_store();
    arrive(l, "bob", 5);
    reset(l, 100);
    arrive(l, "bob", 20);
    survey_row(l, "bob", 40);
    assert_holes(l, "bob 5..20");
    assert_string_equal(bodies(l, "bob"), "bob5|HOLE|bob20|");
    reset(l, 200); /* before 21..40 came */
    assert_holes(l, "bob 5..20, bob 20..0");
    roam_local_close(l);
}

static void test_a_survey_goes_on_where_it_was(void **state)
{
    (void)state;
    struct roam_local_survey s = {0, ""};
    bool due;
    struct roam_local *l = open_store();
    assert_int_equal(roam_local_survey(l, &s, &due), OK);
    assert_false(due);
    reset(l, 100);
    assert_int_equal(roam_local_survey(l, &s, &due), OK);
    assert_true(due && s.before == 0 && s.conversation[0] == '\0');
    struct roam_local_survey next = {50, "dave"};
    survey_row(l, "dave", 50);
    assert_int_equal(roam_local_survey_page(l, &next, 0), OK);
    assert_int_equal(roam_local_commit(l), OK);
    roam_local_close(l);
    l = open_store();
    assert_int_equal(roam_local_survey(l, &s, &due), OK);
    assert_true(due && s.before == 50);
    assert_string_equal(s.conversation, "dave");
    reset(l, 200); /* and starts over */
    assert_int_equal(roam_local_survey(l, &s, &due), OK);
    assert_true(due && s.before == 0);
    end_survey(l);
    assert_int_equal(roam_local_survey(l, &s, &due), OK);
    assert_false(due);
    roam_local_close(l);
}

/* ------------------------------------------------------- sent from here */

/* The server's head is bob30, and 20 is this device's: its answer comes
 * behind the RESET that passed over both. */
static void answered_below_the_head(struct roam_local *l, const char *expected)
{
    sent(l, 20);
    assert_true(ask_survey(l) == 0);
    survey_row(l, "bob", 30);
    end_survey(l);
    assert_holes(l, expected);
    arrive(l, "bob", 31);
    assert_holes(l, expected);
    assert_string_equal(bodies(l, "bob"), expected[4] == '5'
                                              ? "bob5|HOLE|bob20|bob30|bob31|"
                                              : "HOLE|bob20|bob30|bob31|");
    roam_local_close(l);
}

static void test_an_answer_that_comes_twice_behind_a_reset_ends_no_hole(
    void **state)
{
    (void)state;
    struct roam_local *l = open_store();
    arrive(l, "bob", 5);
    post(l, "bob", 20); /* stored; the answer is lost, then bob writes */
    roam_local_close(l);
    l = open_store();
    reset(l, 100);
    answered_below_the_head(l, "bob 5..30");
}

static void test_a_message_sent_before_the_reset_is_read_ends_no_hole(
    void **state)
{
    (void)state;
    struct roam_local *l = open_store();
    arrive(l, "bob", 5);
    assert_int_equal(roam_local_commit(l), OK);
    post(l, "bob", 20); /* between LOGIN_OK and SYNC_OK */
    reset(l, 100);
    assert_true(ask_survey(l) == 0);
    answered_below_the_head(l, "bob 5..30");
}

static void test_a_sent_message_does_not_make_its_conversation_known(
    void **state)
{
    (void)state;
    struct roam_local *l = open_store();
    post(l, "bob", 20);
    reset(l, 100);
    answered_below_the_head(l, "bob 0..30");
    unlink(path);
    l = open_store(); /* and when the chain tells of it first */
    post(l, "bob", 20);
    reset(l, 100);
    sent(l, 20);
    arrive(l, "bob", 31);
    assert_holes(l, "bob 0..31");
    roam_local_close(l);
}

/* The message may have moved its conversation past the survey's place. */
static void sets_back(bool by_answer)
{
    struct roam_local *l = open_store();
    arrive(l, "bob", 5);
    reset(l, 100);
    assert_true(ask_survey(l) == 0);
    survey_page(l, 50);
    assert_true(ask_survey(l) == 50);
    post(l, "bob", 60);
    if (by_answer) {
        sent(l, 60);
    } else {
        arrive_own(l);
    }
    survey_page(l, 40); /* of the page that was under way */
    assert_int_equal(roam_local_commit(l), OK);
    assert_true(ask_survey(l) == 0);
    survey_page(l, 55);
    assert_true(ask_survey(l) == 55);
    by_answer ? arrive_own(l) : sent(l, 60);
    end_survey(l); /* as void as any other */
    assert_true(ask_survey(l) == 0);
    survey_row(l, "bob", 60);
    end_survey(l);
    assert_true(ask_survey(l) == UINT64_MAX);
    assert_holes(l, "bob 5..60");
    roam_local_close(l);
    unlink(path);
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
    struct roam_local *l = open_store();
    arrive(l, "bob", 5);
    post(l, "bob", 6);
    sent(l, 6);
    arrive_own(l);
    assert_true(ask_survey(l) == UINT64_MAX); /* there was no RESET */
    reset(l, 100);
    end_survey(l); /* without bob, whose conversation moved */
    assert_true(ask_survey(l) == UINT64_MAX);
    post(l, "bob", 30);
    sent(l, 30);
    assert_int_equal(roam_local_commit(l), OK);
    roam_local_close(l);
    l = open_store();
    assert_true(ask_survey(l) == 0);
    survey_row(l, "bob", 30);
    end_survey(l);
    assert_holes(l, "bob 5..30");
    arrive_own(l);
    assert_true(ask_survey(l) == UINT64_MAX); /* none is open */
    roam_local_close(l);
}

static void test_a_survey_that_ends_before_an_answer_misses_nothing(
    void **state)
{
    (void)state; /* bob is unknown, and moved before the page was read */
    struct roam_local *l = open_store();
    reset(l, 100);
    post(l, "bob", 60);
    assert_int_equal(
        roam_local_outbox_add(
            l, &(struct roam_local_outgoing){.client_msg_id = 7,
                                             .conversation = b("dave")}),
        OK);
    assert_true(ask_survey(l) == 0);
    end_survey(l);
    assert_holes(l, "bob 0..0"); /* to dave nothing was sent */
    assert_true(ask_survey(l) == UINT64_MAX);
    sent(l, 60);
    assert_true(ask_survey(l) == 0);
    survey_row(l, "bob", 60);
    end_survey(l);
    assert_holes(l, "bob 0..60");
    roam_local_close(l);
}

/* ------------------------------------------------------------------- filling
 */

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
        struct roam_entry_event e = message("bob", id);
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
    assert_int_equal(message_count(l), newest);
    char expected[2048];
    size_t n = 0;
    for (uint64_t id = 1; id <= newest; id++) {
        n += (size_t)snprintf(expected + n, sizeof expected - n, "bob%u|",
                              (unsigned)id);
    }
    assert_string_equal(bodies(l, "bob"), expected);
}

static void test_a_page_and_its_bounds_are_there_together_or_not(void **state)
{
    (void)state;
    struct roam_local_hole h;
    bool found;
    struct roam_local *l = open_store();
    arrive(l, "bob", 1);
    reset(l, 100);
    arrive(l, "bob", LAST);
    assert_int_equal(roam_local_hole(l, "bob", &h, &found), OK);
    assert_true(found && h.above == 1 && h.below == LAST);
    assert_int_equal(roam_local_commit(l), OK);
    assert_true(fill(l, &h, LAST));
    roam_local_close(l); /* killed before the commit */
    l = open_store();
    assert_holes(l, "bob 1..30");
    assert_int_equal(message_count(l), 2);
    assert_true(fill(l, &h, LAST));
    assert_holes(l, "bob 1..26");
    assert_int_equal(message_count(l), 2 + PAGE);
    roam_local_close(l);
}

static void test_a_fill_that_is_killed_at_every_page_ends_with_all(void **state)
{
    (void)state;
    bool found = true;
    struct roam_local *l = open_store();
    arrive(l, "bob", 1);
    reset(l, 100);
    arrive(l, "bob", LAST);
    end_survey(l);
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
        l = open_store();
    }
    assert_all(l, LAST);
    roam_local_close(l);
}

static void test_a_message_by_page_and_by_entry_is_one(void **state)
{
    (void)state;
    struct roam_entry_event e = message("bob", 20);
    for (int page_first = 0; page_first < 2; page_first++) {
        struct roam_local *l = open_store();
        if (page_first) {
            assert_int_equal(roam_local_add_history(l, &e), OK);
            arrive(l, "bob", 20);
        } else {
            arrive(l, "bob", 20);
            assert_int_equal(roam_local_add_history(l, &e), OK);
        }
        reset(l, 100); /* either way it is ground */
        assert_holes(l, "bob 20..0");
        assert_int_equal(message_count(l), 1);
        roam_local_close(l);
        unlink(path);
    }
}

static void test_a_page_makes_a_sent_message_ground(void **state)
{
    (void)state;
    struct roam_local *l = open_store();
    struct roam_local_outgoing m = {.client_msg_id = 4,
                                    .conversation = b("bob"),
                                    .body = b("bob30"),
                                    .queued_ms = 1};
    assert_int_equal(roam_local_outbox_add(l, &m), OK);
    sent_as(l, 4, 30);
    struct roam_entry_event e = message("bob", 30);
    e.client_msg_id = 4;
    assert_int_equal(roam_local_add_history(l, &e), OK);
    assert_int_equal(message_count(l), 1);
    reset(l, 100);
    assert_holes(l, "bob 30..0");
    roam_local_close(l);
}

/* Pages, live messages and the survey come in every order that the protocol
 * allows; `order` picks one in each step. */
static void converge(unsigned order, bool known, bool survey)
{
    struct roam_local *l = open_store();
    uint64_t newest = 20, arrived = 20;
    bool due = survey;
    if (known) {
        arrive(l, "bob", 1);
    }
    reset(l, 100);
    if (!survey) {
        end_survey(l);
    }
    for (int step = 0; step < 64; step++, order = order >> 1 | order << 15) {
        struct roam_local_hole h;
        bool found;
        assert_int_equal(roam_local_hole(l, NULL, &h, &found), OK);
        if ((order & 1) && newest < LAST) {
            newest++; /* stored by the server, not delivered yet */
        } else if ((order & 2) && arrived < newest) {
            arrive(l, "bob", ++arrived);
        } else if (due) {
            survey_row(l, "bob", newest);
            end_survey(l);
            due = false;
        } else if (found) {
            /* The page is read now, and a message overtakes the rows. */
            bool overtaken = (order & 4) && arrived < newest;
            uint64_t state = newest;
            if (overtaken) {
                arrive(l, "bob", ++arrived);
            }
            fill(l, &h, state);
        }
        assert_int_equal(roam_local_commit(l), OK);
    }
    while (newest < LAST) {
        newest++;
    }
    while (arrived < newest) {
        arrive(l, "bob", ++arrived);
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
    unlink(path);
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
    struct roam_local *l = open_store();
    uint64_t newest = 20, arrived = 20, answered = 15;
    if (known) {
        arrive(l, "bob", 1);
    }
    for (uint64_t id = answered; id <= LAST; id += 3) {
        post(l, "bob", id);
    }
    reset(l, 100);
    for (int step = 0; step < 256; step++, order = order >> 1 | order << 15) {
        struct roam_local_hole h;
        bool found, calm = step >= 64;
        assert_int_equal(roam_local_hole(l, NULL, &h, &found), OK);
        if ((calm || (order & 1)) && newest < LAST) {
            newest++;
        } else if ((calm || (order & 2)) && arrived < newest) {
            ++arrived % 3 == 0 ? arrive_own(l) : arrive(l, "bob", arrived);
        } else if ((calm || (order & 8)) && answered <= newest) {
            sent(l, answered);
            answered += 3;
        } else if (ask_survey(l) == 0) {
            survey_row(l, "bob", newest);
            if ((order & 4) && answered <= newest) {
                sent(l, answered);
                answered += 3;
            }
            end_survey(l);
        } else if (found) {
            fill(l, &h, newest);
        }
        assert_int_equal(roam_local_commit(l), OK);
    }
    assert_all(l, LAST);
    roam_local_close(l);
    unlink(path);
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
        struct roam_local *l = open_store();
        struct roam_local_hole h;
        bool found;
        arrive(l, "bob", 1);
        reset(l, 100);
        survey_row(l, "bob", 20);
        end_survey(l);
        for (int i = 0; i < pages; i++) {
            assert_int_equal(roam_local_hole(l, NULL, &h, &found), OK);
            if (found) {
                fill(l, &h, 20);
            }
        }
        reset(l, 200);
        survey_row(l, "bob", LAST);
        end_survey(l);
        do {
            assert_int_equal(roam_local_hole(l, "bob", &h, &found), OK);
            if (found) {
                fill(l, &h, LAST);
            }
        } while (found);
        assert_all(l, LAST);
        roam_local_close(l);
        unlink(path);
    }
}

static void test_a_hole_that_ended_meanwhile_is_not_widened(void **state)
{
    (void)state;
    struct roam_local_hole h;
    bool found;
    struct roam_local *l = open_store();
    struct roam_local_outgoing m = {.client_msg_id = 4,
                                    .conversation = b("bob"),
                                    .body = b("mine"),
                                    .queued_ms = 1};
    assert_int_equal(roam_local_outbox_add(l, &m), OK);
    sent_as(l, 4, 3);
    reset(l, 100);
    assert_int_equal(roam_local_hole(l, "bob", &h, &found), OK);
    assert_true(found && h.above == 0 && h.below == 0);
    arrive(l, "bob", 20);
    assert_int_equal(roam_local_hole_page(l, &h, 25, 28, true), OK);
    assert_holes(l, "bob 0..20");
    assert_int_equal(roam_local_hole_page(l, &h, 15, 28, true), OK);
    assert_holes(l, "bob 0..15");
    assert_int_equal(roam_local_hole_page(l, &h, 1, 14, true), OK);
    assert_holes(l, ""); /* there is no msg_id below 1 */
    roam_local_close(l);
}

static void test_holes_of_a_conversation_that_is_gone_are_dropped(void **state)
{
    (void)state;
    struct roam_local *l = open_store();
    arrive(l, "bob", 5);
    arrive(l, "carol", 6);
    reset(l, 100);
    assert_int_equal(roam_local_drop_holes(l, "bob"), OK);
    assert_holes(l, "carol 6..0");
    roam_local_close(l);
}

/* ------------------------------------------------------------------- reading
 */

static void test_conversations_are_listed_newest_first(void **state)
{
    (void)state;
    struct roam_local_row row;
    bool found;
    char text[256] = "";
    struct roam_local *l = open_store();
    arrive(l, "bob", 5);
    arrive(l, "carol", 7);
    reset(l, 100);
    arrive(l, "bob", 20);
    survey_row(l, "carol", 7);
    end_survey(l);
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

/* ------------------------------------------------------------------- upgrade
 */

static void test_a_store_of_format_1_keeps_its_holes(void **state)
{
    (void)state;
    struct roam_local *l = open_store();
    arrive(l, "bob", 5);
    arrive(l, "carol", 9);
    arrive(l, "bob", 20);
    assert_int_equal(roam_local_commit(l), OK);
    roam_local_close(l);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
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
        l = open_store();
        assert_holes(l, "bob 5..20, carol 9..0");
        struct roam_local_counts c;
        assert_int_equal(roam_local_count(l, &c), OK);
        assert_int_equal(c.messages, 3);
        assert_true(c.survey_due);
        roam_local_close(l);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_a_reset_opens_a_hole_in_every_known_conversation),
        T(test_the_next_message_ends_the_hole),
        T(test_each_conversation_ends_its_own_hole),
        T(test_a_sent_message_neither_ends_a_hole_nor_is_ground),
        T(test_the_survey_ends_open_holes_and_finds_unknown_conversations),
        T(test_the_first_message_of_a_conversation_has_a_past_behind_a_reset),
        T(test_the_survey_leaves_to_the_chain_what_comes_with_it),
        T(test_a_survey_goes_on_where_it_was),
        T(test_an_answer_that_comes_twice_behind_a_reset_ends_no_hole),
        T(test_a_message_sent_before_the_reset_is_read_ends_no_hole),
        T(test_a_sent_message_does_not_make_its_conversation_known),
        T(test_what_was_sent_sets_the_survey_back),
        T(test_a_survey_is_due_again_only_while_a_hole_is_open),
        T(test_a_survey_that_ends_before_an_answer_misses_nothing),
        T(test_a_page_and_its_bounds_are_there_together_or_not),
        T(test_a_fill_that_is_killed_at_every_page_ends_with_all),
        T(test_a_message_by_page_and_by_entry_is_one),
        T(test_a_page_makes_a_sent_message_ground),
        T(test_every_order_of_pages_and_arrivals_gives_the_same),
        T(test_answers_in_between_change_nothing),
        T(test_a_second_reset_in_the_middle_of_filling_loses_nothing),
        T(test_a_hole_that_ended_meanwhile_is_not_widened),
        T(test_holes_of_a_conversation_that_is_gone_are_dropped),
        T(test_conversations_are_listed_newest_first),
        T(test_a_store_of_format_1_keeps_its_holes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
