/* SPDX-License-Identifier: Apache-2.0 */
/* The driver and missing history: what it asks for, when, and what is on the
 * disk after each page. The test plays the server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "batch.h"
#include "posix_rig.h"

/* msg_ids of this test are small numbers; bob's messages are 1..999. */
enum {
    ROWS_MAX = 256
};

/* That the lists tell. */
static uint64_t as_of;

/* A page for `m`, the request: HISTORY rows first..last of bob's, or one row
 * of CONVERSATIONS, bob's `last`. */
static void answer(struct posix_rig *r, const struct roam_message *m,
                   uint64_t first, uint64_t last, bool more)
{
    static char bodies[ROWS_MAX][8];
    static struct roam_entry rows[ROWS_MAX];
    const struct roam_slice bob = {(const uint8_t *)"bob", 3};
    const struct roam_pack_limits limits = {100000, 100000, 0};
    bool history = m->type == ROAM_HISTORY;
    struct roam_message page;
    size_t n = 0;
    memset(rows, 0, sizeof rows);
    for (uint64_t id = first; id <= last && last > 0; id++, n++) {
        assert_true(n < ROWS_MAX);
        rows[n].msg_id = id;
        rows[n].conversation = rows[n].sender = bob;
        snprintf(bodies[n], sizeof bodies[n], "%u", (unsigned)id);
        rows[n].body.data = (const uint8_t *)bodies[n];
        rows[n].body.len = strlen(bodies[n]);
    }
    roam_message_init(&page,
                      history ? ROAM_HISTORY_PAGE : ROAM_CONVERSATION_PAGE);
    struct roam_packer *packer = roam_packer_new();
    assert_non_null(packer);
    assert_int_equal(roam_page_pack(packer, rows, n, &limits, &page), n);
    if (history) {
        page.u.history_page.ref = m->u.history.ref;
        page.u.history_page.more = more;
    } else {
        page.u.conversation_page.ref = m->u.conversations.ref;
        page.u.conversation_page.more = more;
        page.u.conversation_page.as_of = as_of;
    }
    rig_answer(r, &page);
    roam_packer_free(packer);
}

/* Logs in, and is told RESET with this head. */
static void log_in_behind_reset(struct posix_rig *r, uint64_t head,
                                struct roam_message *sync)
{
    struct roam_message m;
    rig_frame(r, ROAM_LOGIN, &m);
    rig_frame(r, ROAM_SYNC, sync);
    rig_login_ok(r, head);
    rig_sync_ok(r, head, roam_v1_SyncResult_RESET);
    rig_event(r, ROAM_EVENT_RESET);
}

/* The next frame is HISTORY of bob with these bounds. */
static void expect_history(struct posix_rig *r, struct roam_message *m,
                           uint64_t after, uint64_t before)
{
    rig_frame(r, ROAM_HISTORY, m);
    assert_string_equal(m->u.history.conversation, "bob");
    assert_true(m->u.history.after == after);
    assert_true(m->u.history.before == before);
}

static void assert_filled(struct posix_rig *r, uint32_t rows, bool done)
{
    struct roam_posix_event e = rig_driver_event(r, ROAM_POSIX_FILLED);
    assert_int_equal(e.u.filled.rows, rows);
    assert_int_equal(e.u.filled.done, done);
    assert_int_equal(e.u.filled.code, 0);
}

/* Nothing but PING comes although the driver had every occasion. */
static void assert_quiet(struct posix_rig *r)
{
    struct roam_message m;
    for (int i = 0; i < 3; i++) {
        rig_run(r);
    }
    assert_false(roam_posix_fetching(r->posix));
    assert_int_equal(roam_posix_logout(r->posix), ROAM_POSIX_STATUS_OK);
    rig_frame(r, ROAM_LOGOUT, &m); /* whatever was due went before it */
}

/* ------------------------------------------------------------------- survey */

static void test_a_reset_is_followed_by_a_survey(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    log_in_behind_reset(r, 500, &m);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    assert_true(m.u.conversations.before == 0);
    assert_true(rig_counts(r).survey_due);
    answer(r, &m, 80, 80, true);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    assert_true(m.u.conversations.before == 80);
    assert_string_equal(m.u.conversations.conversation, "bob");
    assert_int_equal(rig_counts(r).holes, 1);
    assert_int_equal(rig_counts(r).messages, 1);
    answer(r, &m, 0, 0, false);
    struct roam_posix_event e = rig_driver_event(r, ROAM_POSIX_HOLES);
    assert_int_equal(e.u.holes.count, 1);
    assert_false(rig_counts(r).survey_due);
    assert_int_equal(rig_device(r).cursor, 500); /* HIST-11 */
    assert_quiet(r);                             /* filling was not asked for */
}

static void test_without_a_reset_nothing_is_asked(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    r->config.fill_holes = true;
    rig_start(r);
    rig_log_in(r, 0, &m);
    rig_event(r, ROAM_EVENT_SYNCED);
    assert_quiet(r);
}

static void test_a_survey_may_be_declined(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    r->config.no_survey = true;
    rig_start(r);
    log_in_behind_reset(r, 500, &m);
    rig_event(r, ROAM_EVENT_SYNCED);
    assert_quiet(r);
}

static void test_a_reset_behind_the_request_starts_the_survey_over(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m, page;
    rig_start(r);
    log_in_behind_reset(r, 500, &m);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    answer(r, &m, 80, 80, true);
    rig_frame(r, ROAM_CONVERSATIONS, &page);
    rig_push(r, 900, 800, "behind a gap");
    rig_frame(r, ROAM_SYNC, &m);
    rig_sync_ok(r, 900, roam_v1_SyncResult_RESET);
    rig_event(r, ROAM_EVENT_RESET);
    answer(r, &page, 0, 0, false);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    assert_true(m.u.conversations.before == 0);
    assert_true(rig_counts(r).survey_due);
    answer(r, &m, 0, 0, false);
    rig_driver_event(r, ROAM_POSIX_HOLES);
    assert_false(rig_counts(r).survey_due);
}

static void test_an_answer_behind_the_request_starts_the_survey_over(
    void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m, page;
    rig_start(r);
    log_in_behind_reset(r, 500, &m);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    answer(r, &m, 80, 80, true);
    rig_frame(r, ROAM_CONVERSATIONS, &page);
    assert_true(page.u.conversations.before == 80);
    uint64_t id = rig_send(r, "90");
    rig_frame(r, ROAM_SEND, &m);
    rig_send_ok(r, id, 90, false);
    rig_event(r, ROAM_EVENT_SENT);
    answer(r, &page, 70, 70, true);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    assert_true(m.u.conversations.before == 0);
    assert_true(rig_counts(r).survey_due);
    answer(r, &m, 90, 90, false);
    rig_driver_event(r, ROAM_POSIX_HOLES);
    assert_false(rig_counts(r).survey_due);
    assert_quiet(r);
}

static void test_a_void_last_page_ends_no_survey(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m, page;
    rig_start(r);
    log_in_behind_reset(r, 500, &m);
    rig_frame(r, ROAM_CONVERSATIONS, &page);
    uint64_t id = rig_send(r, "90");
    rig_frame(r, ROAM_SEND, &m);
    rig_send_ok(r, id, 90, false);
    rig_event(r, ROAM_EVENT_SENT);
    answer(r, &page, 70, 70, false);
    rig_frame(r, ROAM_CONVERSATIONS, &m); /* so the page was taken */
    rig_run(r);
    for (size_t i = 0; i < r->event_count; i++) {
        assert_int_not_equal(r->events[i].type, ROAM_POSIX_HOLES);
    }
    answer(r, &m, 90, 90, false);
    rig_driver_event(r, ROAM_POSIX_HOLES);
    assert_quiet(r);
}

/* bob wrote 21..80 when the answer for 20 was lost. */
static void test_an_answer_that_comes_twice_hides_nothing_above_it(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m, page;
    r->config.fill_holes = true;
    rig_start(r);
    rig_log_in(r, 0, &m);
    rig_event(r, ROAM_EVENT_SYNCED);
    uint64_t id = rig_send(r, "20");
    rig_frame(r, ROAM_SEND, &m);
    rig_crash(r);
    rig_start(r);
    rig_frame(r, ROAM_LOGIN, &m);
    rig_frame(r, ROAM_SYNC, &m);
    rig_login_ok(r, 500);
    rig_frame(r, ROAM_SEND, &m);
    assert_true(m.u.send.client_msg_id == id);
    rig_sync_ok(r, 500, roam_v1_SyncResult_RESET);
    rig_event(r, ROAM_EVENT_RESET);
    rig_frame(r, ROAM_CONVERSATIONS, &page);
    rig_send_ok(r, id, 20, true);
    rig_event(r, ROAM_EVENT_SENT);
    answer(r, &page, 80, 80, false);
    rig_frame(r, ROAM_CONVERSATIONS, &page);
    answer(r, &page, 80, 80, false);
    expect_history(r, &m, 0, 80);
    answer(r, &m, 1, 79, false);
    assert_filled(r, 79, true);
    assert_int_equal(rig_counts(r).messages, 80);
    assert_quiet(r);
}

static void test_a_survey_survives_connection_and_program(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    log_in_behind_reset(r, 500, &m);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    answer(r, &m, 80, 80, true);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    rig_hang_up(r);
    rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    rig_log_in(r, 500, &m);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    assert_true(m.u.conversations.before == 80);
    rig_crash(r);
    rig_start(r);
    rig_log_in(r, 500, &m);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    assert_true(m.u.conversations.before == 80);
    answer(r, &m, 0, 0, false);
    rig_driver_event(r, ROAM_POSIX_HOLES);
}

static void test_a_head_below_a_page_is_followed_by_a_survey(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    log_in_behind_reset(r, 500, &m);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    as_of = 520;
    answer(r, &m, 80, 80, false);
    rig_driver_event(r, ROAM_POSIX_HOLES);
    rig_hang_up(r);
    rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    rig_log_in(r, 519, &m); /* HIST-16 */
    rig_push(r, 519, 500, "the newest that is there");
    rig_frame(r, ROAM_ACK, &m);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    assert_true(m.u.conversations.before == 0);
    as_of = 521;
    answer(r, &m, 70, 70, false);
    rig_driver_event(r, ROAM_POSIX_HOLES);
    rig_push(r, 700, 519, "past it");
    rig_frame(r, ROAM_ACK, &m);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    assert_true(m.u.conversations.before == 0);
    as_of = 700;
    answer(r, &m, 90, 90, false);
    rig_driver_event(r, ROAM_POSIX_HOLES);
    as_of = 0;
    assert_quiet(r);
}

/* ------------------------------------------------------------------- filling
 */

static void test_holes_are_filled_newest_first_between_live_messages(
    void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    r->config.fill_holes = true;
    rig_start(r);
    log_in_behind_reset(r, 500, &m);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    answer(r, &m, 80, 80, false);
    expect_history(r, &m, 0, 80);
    answer(r, &m, 70, 79, true);
    rig_push(r, 501, 500, "live");
    assert_filled(r, 10, false);
    rig_event(r, ROAM_EVENT_ENTRY);
    assert_int_equal(rig_device(r).cursor, 501);
    expect_history(r, &m, 0, 70);
    answer(r, &m, 1, 69, false);
    assert_filled(r, 69, true);
    assert_int_equal(rig_counts(r).messages, 81);
    assert_int_equal(rig_counts(r).holes, 0);
    assert_quiet(r);
}

static void test_a_killed_program_goes_on_at_the_last_page(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    r->config.fill_holes = true;
    rig_start(r);
    log_in_behind_reset(r, 500, &m);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    answer(r, &m, 80, 80, false);
    expect_history(r, &m, 0, 80);
    rig_crash(r);
    rig_start(r);
    rig_log_in(r, 500, &m);
    expect_history(r, &m, 0, 80);
    answer(r, &m, 60, 79, true);
    expect_history(r, &m, 0, 60);
    rig_crash(r);
    rig_start(r);
    rig_log_in(r, 500, &m);
    expect_history(r, &m, 0, 60);
    answer(r, &m, 1, 59, false);
    assert_filled(r, 59, true);
    assert_int_equal(rig_counts(r).messages, 80);
}

static void test_fetching_is_for_one_conversation_or_all(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    char long_name[66];
    rig_start(r);
    memset(long_name, 'n', 65);
    long_name[65] = '\0';
    assert_int_equal(roam_posix_fetch(r->posix, long_name),
                     ROAM_POSIX_STATUS_BAD_ARGUMENT);
    log_in_behind_reset(r, 500, &m);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    answer(r, &m, 80, 80, false);
    rig_driver_event(r, ROAM_POSIX_HOLES);
    assert_int_equal(roam_posix_fetch(r->posix, "carol"), ROAM_POSIX_STATUS_OK);
    assert_false(roam_posix_fetching(r->posix));
    assert_int_equal(roam_posix_fetch(r->posix, NULL), ROAM_POSIX_STATUS_OK);
    assert_true(roam_posix_fetching(r->posix));
    expect_history(r, &m, 0, 80);
    answer(r, &m, 0, 0, false);
    assert_filled(r, 0, true);
    assert_quiet(r);
}

static void test_from_now_is_for_a_new_device_and_once(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    r->config.from_now = true;
    r->config.max_entries = 9;
    rig_start(r);
    log_in_behind_reset(r, 500, &m);
    assert_int_equal(m.u.sync.max_entries, 0);
    rig_event(r, ROAM_EVENT_SYNCED);
    rig_hang_up(r);
    rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    rig_frame(r, ROAM_LOGIN, &m);
    rig_frame(r, ROAM_SYNC, &m);
    assert_int_equal(m.u.sync.max_entries, 9);
    rig_crash(r);
    rig_start(r);
    rig_frame(r, ROAM_LOGIN, &m);
    rig_frame(r, ROAM_SYNC, &m);
    assert_true(m.u.sync.cursor == 500);
    assert_int_equal(m.u.sync.max_entries, 9);
}

/* ------------------------------------------------------------------ failure */

static void test_a_conversation_that_is_gone_is_given_up(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m, error;
    r->config.fill_holes = true;
    rig_start(r);
    log_in_behind_reset(r, 500, &m);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    answer(r, &m, 80, 80, false);
    expect_history(r, &m, 0, 80);
    roam_message_init(&error, ROAM_ERROR);
    error.u.error.code = roam_v1_ErrorCode_NO_SUCH_CONVERSATION;
    error.u.error.retry = roam_v1_Retry_NEVER;
    error.u.error.ref = m.u.history.ref;
    rig_answer(r, &error);
    struct roam_posix_event e = rig_driver_event(r, ROAM_POSIX_FILLED);
    assert_int_equal(e.u.filled.code, 32);
    assert_true(e.u.filled.done);
    assert_int_equal(rig_counts(r).holes, 0);
    assert_int_equal(rig_counts(r).messages, 1);
    assert_quiet(r);
}

static void test_pages_that_end_the_connection_are_not_asked_for_ever(
    void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    log_in_behind_reset(r, 500, &m);
    for (int i = 0; i < 5; i++) {
        rig_frame(r, ROAM_CONVERSATIONS, &m);
        m.u.conversations.ref++; /* a lie */
        answer(r, &m, 80, 80, false);
        rig_eof(r);
        rig_hang_up(r);
        rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
        assert_int_equal(rig_counts(r).messages, 0);
        /* A person connects: that is sooner than the back-off. */
        roam_posix_connect(r->posix);
        rig_log_in(r, 500, &m);
        rig_event(r, ROAM_EVENT_SYNCED);
    }
    assert_true(rig_counts(r).survey_due);
    assert_quiet(r);
}

/* -------------------------------------------------- what the program asks for
 */

/* A RESET that nobody surveys, with a message of bob's before it. */
static void begin_with_a_hole(struct posix_rig *r)
{
    struct roam_message m;
    r->config.no_survey = true;
    rig_start(r);
    log_in_behind_reset(r, 500, &m);
    rig_event(r, ROAM_EVENT_SYNCED);
}

static void test_a_page_is_told_and_stored(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    uint64_t ref = 0, other = 0;
    rig_start(r);
    assert_int_equal(roam_posix_history(r->posix, "bob", 90, 10, 7, &ref),
                     ROAM_POSIX_STATUS_OK); /* when there is a session */
    assert_int_equal(roam_posix_history(r->posix, "bob", 0, 0, 7, &other),
                     ROAM_POSIX_STATUS_BAD_STATE);
    rig_log_in(r, 0, &m);
    expect_history(r, &m, 10, 90);
    assert_int_equal(m.u.history.max_rows, 7);
    assert_true(m.u.history.ref == ref);
    answer(r, &m, 60, 62, true);
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_PAGE_END);
    assert_true(e.u.engine.u.page_end.ref == ref);
    assert_int_equal(e.u.engine.u.page_end.rows, 3);
    assert_true(e.u.engine.u.page_end.more);
    assert_string_equal(r->bodies, "60|61|62|");
    assert_int_equal(rig_counts(r).messages, 3);
    assert_int_equal(rig_device(r).cursor, 0); /* HIST-11 */
    assert_int_equal(roam_posix_history(r->posix, "bob", 0, 0, 7, &other),
                     ROAM_POSIX_STATUS_OK);
    assert_true(other != ref);
    expect_history(r, &m, 0, 0);
}

static void test_a_page_of_the_program_goes_before_the_survey(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    uint64_t ref;
    rig_start(r);
    assert_int_equal(roam_posix_history(r->posix, "bob", 0, 0, 5, &ref),
                     ROAM_POSIX_STATUS_OK);
    log_in_behind_reset(r, 500, &m);
    expect_history(r, &m, 0, 0);
    answer(r, &m, 5, 5, false);
    rig_event(r, ROAM_EVENT_PAGE_END);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    assert_int_equal(roam_posix_history(r->posix, "bob", 5, 0, 5, &ref),
                     ROAM_POSIX_STATUS_OK); /* behind this page */
    answer(r, &m, 0, 0, false);
    rig_driver_event(r, ROAM_POSIX_HOLES);
    expect_history(r, &m, 0, 5);
}

/* HIST-13 */
static void test_a_page_ends_with_its_connection(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    uint64_t ref;
    rig_start(r);
    rig_log_in(r, 0, &m);
    assert_int_equal(roam_posix_history(r->posix, "bob", 0, 0, 5, &ref),
                     ROAM_POSIX_STATUS_OK);
    expect_history(r, &m, 0, 0);
    rig_hang_up(r);
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_PAGE_FAILED);
    assert_true(e.u.engine.u.page_failed.ref == ref);
    assert_int_equal(e.u.engine.u.page_failed.code, 0);
    rig_log_in(r, 0, &m);
    assert_quiet(r);
}

static void test_a_list_from_the_start_is_the_survey(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    uint64_t ref;
    begin_with_a_hole(r);
    assert_int_equal(roam_posix_conversations(r->posix, 0, "", 9, &ref),
                     ROAM_POSIX_STATUS_OK);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    assert_int_equal(m.u.conversations.max_rows, 9);
    answer(r, &m, 80, 80, true);
    rig_event(r, ROAM_EVENT_PAGE_END);
    assert_string_equal(r->bodies, "80|");
    assert_int_equal(rig_counts(r).messages, 1);
    assert_true(rig_counts(r).survey_due);

    /* One from elsewhere is not, and does not end it. */
    assert_int_equal(roam_posix_conversations(r->posix, 70, "carol", 9, &ref),
                     ROAM_POSIX_STATUS_OK);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    assert_true(m.u.conversations.before == 70);
    assert_string_equal(m.u.conversations.conversation, "carol");
    answer(r, &m, 0, 0, false);
    rig_event(r, ROAM_EVENT_PAGE_END);
    assert_true(rig_counts(r).survey_due);

    assert_int_equal(roam_posix_conversations(r->posix, 80, "bob", 9, &ref),
                     ROAM_POSIX_STATUS_OK);
    rig_frame(r, ROAM_CONVERSATIONS, &m);
    answer(r, &m, 0, 0, false);
    rig_event(r, ROAM_EVENT_PAGE_END);
    assert_false(rig_counts(r).survey_due);
    assert_quiet(r);
}

/* HIST-16, also for a list that the survey did not ask for. */
static void test_a_list_of_a_lost_past_is_surveyed(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    uint64_t ref;
    begin_with_a_hole(r);
    for (int i = 0; i < 3; i++) { /* the survey's; at its end; behind it */
        static const uint64_t before[] = {0, 80, 0};
        assert_int_equal(roam_posix_conversations(r->posix, before[i],
                                                  before[i] ? "bob" : "", 9,
                                                  &ref),
                         ROAM_POSIX_STATUS_OK);
        rig_frame(r, ROAM_CONVERSATIONS, &m);
        as_of = 510 + 10 * (uint64_t)i;
        answer(r, &m, 80, i == 1 ? 0 : 80, i == 0);
        rig_event(r, ROAM_EVENT_PAGE_END);
    }
    as_of = 0;
    assert_false(rig_counts(r).survey_due);
    rig_hang_up(r);
    rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    rig_log_in(r, 529, &m); /* above the survey's, below the last one */
    assert_true(rig_counts(r).survey_due);
}

static void test_a_page_has_its_bounds(void **state)
{
    struct posix_rig *r = *state;
    char name[66];
    const uint64_t above = (uint64_t)INT64_MAX + 1;
    uint64_t ref;
    memset(name, 'b', 65);
    name[65] = '\0';
    rig_start(r);
#define BAD(call) assert_int_equal(call, ROAM_POSIX_STATUS_BAD_ARGUMENT)
    BAD(roam_posix_history(r->posix, "", 0, 0, 1, &ref));
    BAD(roam_posix_history(r->posix, name, 0, 0, 1, &ref));
    BAD(roam_posix_history(r->posix, "\xff", 0, 0, 1, &ref));
    BAD(roam_posix_history(r->posix, "bob", above, 0, 1, &ref));
    BAD(roam_posix_history(r->posix, "bob", 0, above, 1, &ref));
    BAD(roam_posix_history(r->posix, "bob", 0, 0, 1001, &ref));
    BAD(roam_posix_conversations(r->posix, 0, "bob", 1, &ref));
    BAD(roam_posix_conversations(r->posix, 5, "", 1, &ref));
    name[64] = '\0';
    assert_int_equal(roam_posix_history(r->posix, name, 1, 1, 1000, &ref),
                     ROAM_POSIX_STATUS_OK);
}

static void test_how_the_user_stands_is_told(void **state)
{
    struct posix_rig *r = *state;
    struct roam_local_row row;
    struct roam_message m;
    rig_start(r);
    rig_log_in(r, 1, &m);
    rig_push(r, 1, 0, "unread");
    rig_event(r, ROAM_EVENT_SYNCED);
    struct roam_local *store = roam_posix_store(r->posix);
    assert_int_equal(roam_local_state(store, "bob", &row),
                     ROAM_POSIX_STATUS_OK);
    assert_int_equal(row.unread, 1);
    assert_int_equal(row.role, ROAM_ROLE_NONE);
    assert_int_equal(roam_local_state(store, "nobody", &row),
                     ROAM_POSIX_STATUS_OK);
    assert_int_equal(row.unread, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, posix_rig_open, posix_rig_close)
    const struct CMUnitTest tests[] = {
        T(test_a_reset_is_followed_by_a_survey),
        T(test_without_a_reset_nothing_is_asked),
        T(test_a_survey_may_be_declined),
        T(test_a_reset_behind_the_request_starts_the_survey_over),
        T(test_an_answer_behind_the_request_starts_the_survey_over),
        T(test_a_void_last_page_ends_no_survey),
        T(test_an_answer_that_comes_twice_hides_nothing_above_it),
        T(test_a_survey_survives_connection_and_program),
        T(test_a_head_below_a_page_is_followed_by_a_survey),
        T(test_holes_are_filled_newest_first_between_live_messages),
        T(test_a_killed_program_goes_on_at_the_last_page),
        T(test_fetching_is_for_one_conversation_or_all),
        T(test_from_now_is_for_a_new_device_and_once),
        T(test_a_conversation_that_is_gone_is_given_up),
        T(test_pages_that_end_the_connection_are_not_asked_for_ever),
        T(test_a_page_is_told_and_stored),
        T(test_a_page_of_the_program_goes_before_the_survey),
        T(test_a_page_ends_with_its_connection),
        T(test_a_list_from_the_start_is_the_survey),
        T(test_a_list_of_a_lost_past_is_surveyed),
        T(test_a_page_has_its_bounds),
        T(test_how_the_user_stands_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
