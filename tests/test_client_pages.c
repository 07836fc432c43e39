/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of history: what is asked, what is told, and what is not believed.
 * Spec: section 8.3. */
#include <string.h>

#include "client_rig.h"

static const struct roam_bytes bob = {(const uint8_t *)"bob", 3};
static const struct roam_bytes nobody;

static void live(struct rig *r)
{
    rig_prepare(r);
    rig_init(r);
    rig_go_live(r, 0);
}

static enum roam_status ask(struct rig *r, uint64_t ref, uint32_t max_rows)
{
    return roam_client_history(&r->client, ref, bob, 0, 0, false, max_rows,
                               r->now_ms);
}

/* ------------------------------------------------------------------- asking */

static void test_a_page_is_asked_for_and_told_row_by_row(void **unused)
{
    (void)unused;
    static struct rig r;
    live(&r);
    rig_ask(&r, 7, 9, 3);
    rig_run(&r);
    assert_frames(&r, "HISTORY 7 bob 3..9 max 10\n");
    assert_int_equal(r.last_frame.u.history.max_inflated, sizeof r.inflated);
    rig_say_page(&r, ROAM_HISTORY_PAGE, 7, 4, 3, true);
    rig_run(&r);
    assert_events(&r, "ROW 7 4 bob:1\nROW 7 5 bob:2\nROW 7 6 bob:3\n"
                      "END 7 rows 3 more\n");
    assert_int_equal(rig_state(&r), ST_LIVE);
}

static void test_conversations_are_asked_for_behind_a_pair(void **unused)
{
    (void)unused;
    static struct rig r;
    live(&r);
    assert_int_equal(
        roam_client_conversations(&r.client, 8, 0, nobody, 2, r.now_ms),
        ROAM_STATUS_OK);
    rig_run(&r);
    rig_say_page(&r, ROAM_CONVERSATION_PAGE, 8, 9, 2, true);
    rig_run(&r);
    assert_events(&r, "ROW 8 9 bob:1\nROW 8 8 bob2:2\nEND 8 rows 2 more\n");
    assert_true(r.last_event.u.page_end.as_of == 77);
    assert_int_equal(
        roam_client_conversations(&r.client, 9, 8, bob, 1000, r.now_ms),
        ROAM_STATUS_OK);
    rig_run(&r);
    assert_frames(&r, "CONVERSATIONS 8  0 max 2\n"
                      "CONVERSATIONS 9 bob 8 max 1000\n");
    rig_say_page(&r, ROAM_CONVERSATION_PAGE, 9, 0, 0, false);
    rig_forget(&r);
    rig_run(&r);
    assert_events(&r, "END 9 rows 0\n");
}

static void test_as_many_rows_as_the_bounds_say_may_be_asked_for(void **unused)
{
    (void)unused;
    static struct rig r;
    live(&r);
    assert_int_equal(ask(&r, 7, 1), ROAM_STATUS_OK);
    live(&r);
    assert_int_equal(ask(&r, 7, ROAM_PAGE_ROWS_MAX), ROAM_STATUS_OK);
}

static void test_arguments_have_bounds(void **unused)
{
    (void)unused;
    static struct rig r;
    static const uint8_t name[66] = {'n'};
    struct roam_bytes longest = {name, 1};
    live(&r);
    assert_int_equal(ask(&r, 0, 10), ROAM_STATUS_BAD_ARGUMENT);
    assert_int_equal(ask(&r, 7, 0), ROAM_STATUS_BAD_ARGUMENT);
    assert_int_equal(ask(&r, 7, 1001), ROAM_STATUS_BAD_ARGUMENT);
    assert_int_equal(
        roam_client_history(&r.client, 7, nobody, 0, 0, false, 1, 0),
        ROAM_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_client_history(&r.client, 7, bob,
                                         ROAM_VERSION_MAX + 1, 0, false, 1, 0),
                     ROAM_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_client_history(&r.client, 7, bob, 0,
                                         ROAM_VERSION_MAX + 1, false, 1, 0),
                     ROAM_STATUS_BAD_ARGUMENT);
    /* The name comes with `before`, and only then. */
    assert_int_equal(roam_client_conversations(&r.client, 7, 0, bob, 1, 0),
                     ROAM_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_client_conversations(&r.client, 7, 1, nobody, 1, 0),
                     ROAM_STATUS_BAD_ARGUMENT);
    static uint8_t text[65];
    memset(text, 'n', sizeof text);
    longest.data = text;
    longest.len = 65;
    assert_int_equal(
        roam_client_history(&r.client, 7, longest, 0, 0, false, 1, 0),
        ROAM_STATUS_BAD_ARGUMENT);
    text[0] = 0xff;
    longest.len = 64;
    assert_int_equal(
        roam_client_history(&r.client, 7, longest, 0, 0, false, 1, 0),
        ROAM_STATUS_BAD_ARGUMENT);
    text[0] = 'n';
    assert_int_equal(roam_client_history(&r.client, 7, longest,
                                         ROAM_VERSION_MAX, ROAM_VERSION_MAX - 1,
                                         false, 1000, 0),
                     ROAM_STATUS_OK);
    rig_run(&r);
    assert_int_equal(strlen(r.last_frame.u.history.conversation), 64);
}

static void test_there_is_one_page_at_a_time(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    assert_int_equal(ask(&r, 7, 10), ROAM_STATUS_BAD_STATE); /* no session */
    rig_go_live(&r, 0);
    rig_ask(&r, 7, 0, 0);
    assert_int_equal(ask(&r, 8, 10), ROAM_STATUS_BAD_STATE); /* due */
    rig_run(&r);
    assert_int_equal(ask(&r, 8, 10), ROAM_STATUS_BAD_STATE); /* asked */
    struct roam_message m;
    uint8_t frame[256];
    rig_page(&m, ROAM_HISTORY_PAGE, 7, 1, 1, false, false);
    size_t len = roam_message_encode(&m, frame, sizeof frame);
    assert_int_equal(roam_client_feed(&r.client, frame, len, r.now_ms), len);
    struct roam_event e;
    for (int i = 0; i < 2; i++) { /* answered, until the end is told */
        assert_int_equal(ask(&r, 8, 10), ROAM_STATUS_BAD_STATE);
        roam_client_next_event(&r.client, &e, r.now_ms);
    }
    assert_int_equal(e.type, ROAM_EVENT_PAGE_END);
    assert_int_equal(ask(&r, 8, 10), ROAM_STATUS_OK);
    rig_run(&r);
    rig_say_error(&r, 8, roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    rig_run(&r);
    assert_int_equal(roam_client_logout(&r.client, r.now_ms), ROAM_STATUS_OK);
    assert_int_equal(ask(&r, 9, 10), ROAM_STATUS_BAD_STATE); /* leaving */
}

static void test_a_ref_is_no_id_of_the_outbox(void **unused)
{
    (void)unused; /* an ERROR that names it must have one meaning */
    static struct rig r;
    live(&r);
    rig_send(&r, 7, "x");
    assert_int_equal(ask(&r, 7, 10), ROAM_STATUS_BAD_ARGUMENT);
    rig_ask(&r, 8, 0, 0);
    assert_int_equal(roam_client_send(&r.client, 8, ROAM_KIND_MESSAGE, bob,
                                      nobody, bob, r.now_ms),
                     ROAM_STATUS_BAD_ARGUMENT);
}

static void test_a_page_counts_among_the_commands(void **unused)
{
    (void)unused; /* SEND-12; the rig's server allows 4 */
    static struct rig r;
    live(&r);
    for (uint64_t id = 1; id <= 5; id++) {
        rig_send(&r, id, "x");
    }
    rig_run(&r);
    rig_ask(&r, 7, 0, 0);
    rig_run(&r);
    assert_frames(&r, "SEND 1 x\nSEND 2 x\nSEND 3 x\nSEND 4 x\n");
    rig_forget(&r);
    rig_say_send_ok(&r, 1, false);
    rig_run(&r);
    assert_frames(&r, "HISTORY 7 bob 0..0 max 10\n");
    rig_forget(&r);
    rig_say_page(&r, ROAM_HISTORY_PAGE, 7, 1, 1, false);
    rig_run(&r);
    assert_frames(&r, "SEND 5 x\n");
    rig_forget(&r);
    rig_say_send_ok(&r, 2, false);
    rig_ask(&r, 8, 0, 0);
    rig_run(&r);
    rig_say_error(&r, 8, roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    rig_send(&r, 6, "y");
    rig_run(&r);
    assert_frames(&r, "HISTORY 8 bob 0..0 max 10\nSEND 6 y\n");
}

static void test_a_page_may_be_had_before_sync_ok(void **unused)
{
    (void)unused; /* HIST-13 */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_login(&r);
    rig_say_login_ok(&r, 1);
    rig_run(&r);
    rig_forget(&r);
    rig_ask(&r, 7, 0, 0);
    rig_run(&r);
    rig_say_page(&r, ROAM_HISTORY_PAGE, 7, 5, 1, false);
    rig_say_sync_ok(&r, roam_v1_SyncResult_UP_TO_DATE, 0);
    rig_run(&r);
    assert_events(&r, "ROW 7 5 bob:1\nEND 7 rows 1\nSYNCED 0\n");
}

/* ---------------------------------------------------------------- delivery */

/* Pages between live entries, a batch and a RESET. */
static void say_a_mixture(struct rig *r)
{
    rig_say_push(r, 1, 0, "a");
    rig_say_page(r, ROAM_HISTORY_PAGE, 7, 90, 3, true);
    rig_say_batch(r, 1, 3, false);
    rig_say_noop(r, 5, 4);
}

static const char mixture[] = "ENTRY 1<0 bob:a\n"
                              "ROW 7 90 bob:1\nROW 7 91 bob:2\nROW 7 92 bob:3\n"
                              "END 7 rows 3 more\n"
                              "ENTRY 2<1 bob:1\nENTRY 3<2 bob:2\n"
                              "ENTRY 4<3 bob:3\nSYNCED 4\nENTRY 5<4 NOOP\n";

static void test_a_page_comes_between_entries_however_it_is_cut(void **unused)
{
    (void)unused;
    static struct rig r;
    for (int small = 0; small < 2; small++) {
        for (size_t chunk = 0; chunk < 400; chunk++) {
            (small ? rig_prepare_minimal : rig_prepare)(&r);
            r.config.max_unacked = 16;
            r.chunk = chunk;
            rig_init(&r);
            rig_go_live(&r, 4);
            rig_ask(&r, 7, 0, 0);
            rig_run(&r);
            say_a_mixture(&r);
            rig_run(&r);
            assert_events(&r, mixture);
            assert_true(roam_client_cursor(&r.client) == 5);
        }
    }
}

static void test_a_page_moves_neither_cursor_nor_ack(void **unused)
{
    (void)unused; /* HIST-11 */
    static struct rig r;
    live(&r);
    rig_ask(&r, 7, 0, 0);
    rig_run(&r);
    rig_say_page(&r, ROAM_HISTORY_PAGE, 7, 90, 10, false);
    rig_run(&r);
    assert_true(roam_client_cursor(&r.client) == 0);
    assert_int_equal(roam_client_stored(&r.client, 90, r.now_ms),
                     ROAM_STATUS_BAD_ARGUMENT);
    rig_wait(&r, ROAM_ACK_DELAY_MS);
    assert_frames(&r, "HISTORY 7 bob 0..0 max 10\n");
    rig_say_push(&r, 1, 0, "next");
    rig_run(&r);
    assert_non_null(strstr(r.events, "ENTRY 1<0"));
}

static void test_a_deflated_page_is_inflated_where_batches_are(void **unused)
{
    (void)unused;
    static struct rig r;
    struct roam_message m;
    live(&r);
    assert_int_equal(ask(&r, 7, 400), ROAM_STATUS_OK);
    rig_run(&r);
    rig_page(&m, ROAM_HISTORY_PAGE, 7, 1, 400, false, true);
    assert_int_equal(m.u.history_page.codec, roam_v1_Codec_CODEC_DEFLATE);
    rig_say(&r, &m);
    rig_run(&r);
    assert_non_null(strstr(r.events, "ROW 7 400 bob:400\nEND 7 rows 400\n"));
    rig_say_batch(&r, 0, 3, true);
    rig_run(&r);
    assert_non_null(strstr(r.events, "ENTRY 3<2 bob:3\n"));
}

/* ------------------------------------------------------------------ failure */

static void test_an_error_that_names_the_ref_is_the_answer(void **unused)
{
    (void)unused; /* HIST-5 */
    static struct rig r;
    live(&r);
    rig_ask(&r, 7, 0, 0);
    rig_run(&r);
    rig_say_error(&r, 6, roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    rig_run(&r);
    assert_events(&r, "");
    rig_say_error(&r, 7, roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    rig_run(&r);
    assert_events(&r, "PAGE_FAILED 7 32\n");
    rig_ask(&r, 8, 0, 0);
    rig_say_error(&r, 8, roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    rig_forget(&r);
    r.pull = false; /* an answer to what was not asked yet is none */
    rig_run(&r);
    assert_events(&r, "");
}

static void test_an_answer_to_nothing_frees_no_command(void **unused)
{
    (void)unused;
    static struct rig r;
    live(&r);
    rig_ask(&r, 7, 0, 0);
    rig_run(&r);
    rig_say_send_ok(&r, 99, false);
    rig_say_page(&r, ROAM_HISTORY_PAGE, 7, 1, 1, false);
    rig_run(&r);
    rig_forget(&r);
    rig_send(&r, 1, "x");
    rig_run(&r);
    assert_frames(&r, "SEND 1 x\n");
}

static void test_the_end_of_the_connection_ends_the_page(void **unused)
{
    (void)unused;
    static struct rig r;
    for (int asked = 0; asked < 2; asked++) {
        live(&r);
        rig_ask(&r, 7, 0, 0);
        if (asked) {
            rig_run(&r);
        }
        rig_lose(&r);
        assert_events(&r, "PAGE_FAILED 7 0\nCLOSE 0 back\n");
        rig_forget(&r);
        rig_go_live(&r, 0); /* and is not asked for again by itself */
        rig_run(&r);
        assert_frames(&r, "");
        rig_ask(&r, 7, 0, 0);
        rig_run(&r);
        assert_frames(&r, "HISTORY 7 bob 0..0 max 10\n");
    }
    rig_forget(&r);
    rig_say_kick(&r, roam_v1_KickReason_GOING_AWAY, roam_v1_Retry_AFTER, 0);
    rig_run(&r);
    assert_events(&r, "KICKED 4\nPAGE_FAILED 7 0\nCLOSE 0 back\n");
}

static void test_rows_that_came_are_told_after_the_connection_is_gone(
    void **unused)
{
    (void)unused;
    static struct rig r;
    uint8_t frame[256];
    struct roam_message m;
    live(&r);
    rig_ask(&r, 7, 0, 0);
    rig_run(&r);
    rig_page(&m, ROAM_HISTORY_PAGE, 7, 4, 2, false, false);
    size_t len = roam_message_encode(&m, frame, sizeof frame);
    assert_int_equal(roam_client_feed(&r.client, frame, len, r.now_ms), len);
    rig_lose(&r);
    assert_events(&r, "ROW 7 4 bob:1\nROW 7 5 bob:2\nEND 7 rows 2\n"
                      "CLOSE 0 back\n");
}

static void test_silence_about_a_page_ends_the_connection(void **unused)
{
    (void)unused;
    static struct rig r;
    live(&r);
    rig_wait(&r, 5000);
    rig_ask(&r, 7, 0, 0);
    rig_run(&r);
    rig_wait(&r, 9000);
    rig_say_push(&r, 1, 0, "still busy with others");
    rig_run(&r);
    rig_forget(&r);
    rig_wait(&r, 9999);
    assert_events(&r, "");
    assert_true(roam_client_deadline_ms(&r.client) == r.now_ms + 1);
    rig_wait(&r, 1);
    assert_events(&r, "PAGE_FAILED 7 0\nCLOSE -24 back\n");
}

static void test_a_page_that_waits_for_its_turn_is_not_overdue(void **unused)
{
    (void)unused;
    static struct rig r;
    live(&r);
    for (uint64_t id = 1; id <= 4; id++) {
        rig_send(&r, id, "x");
    }
    rig_run(&r);
    rig_ask(&r, 7, 0, 0);
    rig_wait(&r, 20000);
    assert_events(&r, "");
    assert_int_equal(rig_state(&r), ST_LIVE);
}

/* --------------------------------------------------------------------- lies */

typedef void (*spoil_fn)(struct roam_message *m);

static void spoil_ref(struct roam_message *m)
{
    m->u.history_page.ref = 8;
}
static void spoil_count(struct roam_message *m)
{
    m->u.history_page.count--;
}
static void spoil_size(struct roam_message *m)
{
    m->u.history_page.inflated_size++;
}
static void spoil_limit(struct roam_message *m)
{
    m->u.history_page.inflated_size = 8193; /* one above max_inflated */
}
static void spoil_codec(struct roam_message *m)
{
    m->u.history_page.codec = (roam_v1_Codec)5;
}
static void spoil_bytes(struct roam_message *m)
{
    m->body.len--;
}
static void spoil_rows(struct roam_message *m)
{
    rig_page(m, ROAM_HISTORY_PAGE, 7, 11, 11, false, false);
}
static void spoil_above(struct roam_message *m)
{
    rig_page(m, ROAM_HISTORY_PAGE, 7, 91, 10, false, false);
}
static void spoil_below(struct roam_message *m)
{
    rig_page(m, ROAM_HISTORY_PAGE, 7, 10, 10, false, false);
}
static void spoil_more(struct roam_message *m)
{
    rig_page(m, ROAM_HISTORY_PAGE, 7, 0, 0, true, false); /* HIST-4 */
}
static void spoil_kind(struct roam_message *m)
{
    rig_page(m, ROAM_CONVERSATION_PAGE, 7, 50, 2, false, false);
}

/* Of what is no part of a history: the one row that was asked for. */
static void spoil_row(struct roam_message *m, uint32_t kind)
{
    static uint8_t payload[512];
    const struct roam_slice them = {(const uint8_t *)"bob", 3};
    const struct roam_entry row = {
        .msg_id = 11, .kind = kind, .conversation = them, .sender = them};
    const struct roam_pack_limits limits = {ROAM_FRAME_MAX, ROAM_INFLATED_MAX,
                                            0};
    struct roam_packer *packer = roam_packer_new();
    assert_non_null(packer);
    roam_message_init(m, ROAM_HISTORY_PAGE);
    assert_int_equal(roam_page_pack(packer, &row, 1, &limits, m), 1);
    assert_true(m->body.len <= sizeof payload);
    memcpy(payload, m->body.data, m->body.len);
    m->body.data = payload;
    m->u.history_page.ref = 7;
    roam_packer_free(packer);
}
static void spoil_noop(struct roam_message *m)
{
    spoil_row(m, roam_v1_Kind_NOOP);
}
static void spoil_read(struct roam_message *m)
{
    spoil_row(m, roam_v1_Kind_READ);
}
static void spoil_device(struct roam_message *m)
{
    spoil_row(m, roam_v1_Kind_DEVICE);
}
static void spoil_conversation(struct roam_message *m)
{
    rig_page(m, ROAM_CONVERSATION_PAGE, 7, 50, 1, false, false);
    roam_v1_ConversationPage page = m->u.conversation_page;
    uint8_t *name = memchr(m->body.data, 'o', m->body.len);
    assert_non_null(name);
    *name = 'i';
    m->type = ROAM_HISTORY_PAGE;
    memset(&m->u.history_page, 0, sizeof m->u.history_page);
    m->u.history_page.ref = 7;
    m->u.history_page.count = page.count;
    m->u.history_page.inflated_size = page.inflated_size;
}

static void say_bad_page(struct rig *r, spoil_fn spoil)
{
    struct roam_message m;
    rig_ask(r, 7, 100, 10);
    rig_run(r);
    rig_page(&m, ROAM_HISTORY_PAGE, 7, 11, 10, false, false);
    spoil(&m);
    rig_say(r, &m);
    rig_forget(r);
    rig_run(r);
}

static void spoil_nothing(struct roam_message *m)
{
    (void)m;
}

static void test_a_page_that_lies_is_not_told_at_all(void **unused)
{
    (void)unused; /* HIST-12; the bounds of the request are 10 and 100 */
    static const spoil_fn spoil[] = {
        spoil_ref,   spoil_count, spoil_size,  spoil_limit,
        spoil_codec, spoil_bytes, spoil_rows,  spoil_above,
        spoil_below, spoil_more,  spoil_kind,  spoil_conversation,
        spoil_noop,  spoil_read,  spoil_device};
    static struct rig r;
    for (size_t i = 0; i < sizeof spoil / sizeof spoil[0]; i++) {
        live(&r);
        say_bad_page(&r, spoil[i]);
        assert_events(&r, "PAGE_FAILED 7 0\nCLOSE -23 back\n");
        assert_int_equal(r.feed_error, ROAM_STATUS_BATCH);
    }
    live(&r);
    say_bad_page(&r, spoil_nothing);
    assert_non_null(strstr(r.events, "END 7 rows 10\n"));
}

static void test_conversations_must_fall_behind_the_pair(void **unused)
{
    (void)unused; /* HIST-8; the page's rows are bob 9, bob2 8, bob3 7 */
    static const struct {
        uint64_t before;
        const char *name;
        bool good;
    } asked[] = {
        {10, "bob", true},  {9, "bob", false}, {9, "bobb", true},
        {9, "carol", true}, {9, "ann", false}, {8, "carol", false},
    };
    static struct rig r;
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        struct roam_bytes name = {(const uint8_t *)asked[i].name,
                                  strlen(asked[i].name)};
        live(&r);
        assert_int_equal(roam_client_conversations(
                             &r.client, 7, asked[i].before, name, 3, r.now_ms),
                         ROAM_STATUS_OK);
        rig_run(&r);
        rig_say_page(&r, ROAM_CONVERSATION_PAGE, 7, 9, 3, true);
        rig_run(&r);
        assert_int_equal(strstr(r.events, "END 7 rows 3 more") != NULL,
                         asked[i].good);
        assert_int_equal(r.feed_error != 0, !asked[i].good);
    }
}

static void test_a_page_that_nobody_asked_for_ends_the_connection(void **unused)
{
    (void)unused;
    static struct rig r;
    live(&r);
    rig_say_page(&r, ROAM_HISTORY_PAGE, 7, 4, 1, false);
    rig_run(&r);
    assert_events(&r, "CLOSE -21 back\n");
    live(&r);
    rig_ask(&r, 7, 0, 0);
    rig_run(&r);
    rig_say_page(&r, ROAM_HISTORY_PAGE, 7, 4, 1, false);
    rig_say_page(&r, ROAM_HISTORY_PAGE, 7, 5, 1, false);
    rig_run(&r);
    assert_events(&r, "ROW 7 4 bob:1\nEND 7 rows 1\nCLOSE -21 back\n");
}

static void test_after_a_bad_page_no_codec_is_offered_until_one_is_good(
    void **unused)
{
    (void)unused;
    static struct rig r;
    live(&r);
    say_bad_page(&r, spoil_size);
    rig_lose(&r);
    rig_go_live(&r, 0);
    rig_ask(&r, 8, 0, 0);
    rig_run(&r);
    assert_frames(&r, "HISTORY 8 bob 0..0 max 10 plain\n");
    rig_say_page(&r, ROAM_HISTORY_PAGE, 8, 4, 1, false);
    rig_run(&r);
    rig_forget(&r);
    rig_ask(&r, 9, 0, 0);
    rig_run(&r);
    assert_frames(&r, "HISTORY 9 bob 0..0 max 10\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_page_is_asked_for_and_told_row_by_row),
        cmocka_unit_test(test_conversations_are_asked_for_behind_a_pair),
        cmocka_unit_test(test_as_many_rows_as_the_bounds_say_may_be_asked_for),
        cmocka_unit_test(test_arguments_have_bounds),
        cmocka_unit_test(test_there_is_one_page_at_a_time),
        cmocka_unit_test(test_a_ref_is_no_id_of_the_outbox),
        cmocka_unit_test(test_a_page_counts_among_the_commands),
        cmocka_unit_test(test_a_page_may_be_had_before_sync_ok),
        cmocka_unit_test(test_a_page_comes_between_entries_however_it_is_cut),
        cmocka_unit_test(test_a_page_moves_neither_cursor_nor_ack),
        cmocka_unit_test(test_a_deflated_page_is_inflated_where_batches_are),
        cmocka_unit_test(test_an_error_that_names_the_ref_is_the_answer),
        cmocka_unit_test(test_an_answer_to_nothing_frees_no_command),
        cmocka_unit_test(test_the_end_of_the_connection_ends_the_page),
        cmocka_unit_test(
            test_rows_that_came_are_told_after_the_connection_is_gone),
        cmocka_unit_test(test_silence_about_a_page_ends_the_connection),
        cmocka_unit_test(test_a_page_that_waits_for_its_turn_is_not_overdue),
        cmocka_unit_test(test_a_page_that_lies_is_not_told_at_all),
        cmocka_unit_test(test_conversations_must_fall_behind_the_pair),
        cmocka_unit_test(test_a_page_that_nobody_asked_for_ends_the_connection),
        cmocka_unit_test(
            test_after_a_bad_page_no_codec_is_offered_until_one_is_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
