/* SPDX-License-Identifier: Apache-2.0 */
/* The outbox: order, repetition, answers, limits. */
#include <string.h>

#include "client_rig.h"

static struct roam_bytes bytes_of(const char *s)
{
    struct roam_bytes b = {(const uint8_t *)s, strlen(s)};
    return b;
}

static void begin(struct rig *r)
{
    rig_prepare(r);
    rig_init(r);
    rig_go_live(r, 0);
}

static void relogin(struct rig *r)
{
    rig_lose(r);
    rig_login(r);
    rig_forget(r);
    rig_say_login_ok(r, 1);
    rig_run(r);
}

/* -------------------------------------------------------------------- order */

static void test_messages_wait_for_a_session(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_send(&r, 7, "a");
    rig_send(&r, 3, "b");
    rig_open(&r);
    rig_run(&r);
    assert_frames(&r, "");
    assert_int_equal(roam_client_login(&r.client, 1, 0, r.now_ms), 0);
    rig_run(&r);
    assert_frames(&r, "LOGIN 1\nSYNC 0\n");
    rig_forget(&r);
    rig_say_login_ok(&r, 1); /* without waiting for SYNC_OK: SEND-13 */
    rig_run(&r);
    assert_frames(&r, "SEND 7 a\nSEND 3 b\n");
}

static void test_unanswered_messages_go_again_in_order_after_reconnect(
    void **unused)
{
    (void)unused; /* SEND-13 */
    static struct rig r;
    begin(&r);
    rig_send(&r, 30, "a");
    rig_send(&r, 20, "b");
    rig_send(&r, 10, "c");
    rig_run(&r);
    rig_say_send_ok(&r, 20, false); /* answers come in any order */
    rig_run(&r);
    rig_send(&r, 40, "d"); /* takes the place of the one answered */
    assert_events(&r, "SENT 20\n");
    relogin(&r);
    assert_frames(&r, "SEND 30 a\nSEND 10 c\nSEND 40 d\n");
    relogin(&r);
    assert_frames(&r, "SEND 30 a\nSEND 10 c\nSEND 40 d\n");
}

static void test_the_order_survives_its_counters_wrap(void **unused)
{
    (void)unused;
    static struct rig r;
    begin(&r);
    roam__engine(&r.client)->next_order = UINT32_MAX - 1;
    rig_send(&r, 1, "a");
    rig_send(&r, 2, "b");
    rig_send(&r, 3, "c");
    rig_send(&r, 4, "d");
    rig_run(&r);
    assert_frames(&r, "SEND 1 a\nSEND 2 b\nSEND 3 c\nSEND 4 d\n");
}

static void test_at_most_max_commands_are_unanswered(void **unused)
{
    (void)unused; /* SEND-12: n and n+1 */
    static struct rig r;
    begin(&r); /* max_commands 4 */
    for (uint64_t id = 1; id <= 6; id++) {
        rig_send(&r, id, "x");
    }
    rig_run(&r);
    assert_frames(&r, "SEND 1 x\nSEND 2 x\nSEND 3 x\nSEND 4 x\n");
    rig_forget(&r);
    rig_say_error(&r, 3, roam_v1_ErrorCode_KIND_UNKNOWN);
    rig_run(&r);
    assert_frames(&r, "SEND 5 x\n");
    rig_say_send_ok(&r, 1, false);
    rig_run(&r);
    assert_frames(&r, "SEND 5 x\nSEND 6 x\n");
}

static void test_a_message_is_written_whole_or_not_yet(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare_minimal(&r);
    r.config.outbox_count = 2;
    rig_init(&r);
    rig_go_live(&r, 0);
    r.pull = false;
    static char body[300];
    memset(body, 'b', sizeof body - 1);
    rig_send(&r, 1, body);
    rig_send(&r, 2, body);
    size_t first = roam_client_pending(&r.client).len;
    assert_true(first > 300 && first < 400);
    assert_int_equal(r.outbox[0].state, ROAM_OUTBOX_SENT);
    assert_int_equal(r.outbox[1].state, ROAM_OUTBOX_QUEUED);
    rig_pull(&r, 100); /* the transport takes a part */
    assert_int_equal(r.outbox[1].state, ROAM_OUTBOX_QUEUED);
    rig_pull(&r, SIZE_MAX);
    assert_int_equal(r.outbox[1].state, ROAM_OUTBOX_SENT);
    assert_true(strncmp(r.frames, "SEND 1 bbb", 10) == 0);
    assert_non_null(strstr(r.frames, "SEND 2 bbb"));
}

static void test_bytes_leave_in_any_pieces(void **unused)
{
    (void)unused;
    static struct rig r;
    for (size_t piece = 1; piece < 40; piece++) {
        rig_prepare_minimal(&r);
        r.config.outbox_count = 4;
        rig_init(&r);
        rig_go_live(&r, 0);
        r.pull = false;
        for (uint64_t id = 1; id <= 4; id++) {
            rig_send(&r, id, "some text of some length");
        }
        for (int i = 0; i < 400; i++) {
            rig_pull(&r, piece);
        }
        assert_frames(&r, "SEND 1 some text of some length\n"
                          "SEND 2 some text of some length\n"
                          "SEND 3 some text of some length\n"
                          "SEND 4 some text of some length\n");
    }
}

/* ------------------------------------------------------------------ answers */

static void test_answers_free_the_place(void **unused)
{
    (void)unused;
    static struct rig r;
    begin(&r);
    rig_send(&r, 1, "a");
    rig_send(&r, 2, "b");
    rig_run(&r);
    rig_say_send_ok(&r, 1, true);
    rig_say_error(&r, 2, roam_v1_ErrorCode_ID_REUSED);
    rig_run(&r);
    assert_events(&r, "SENT 1 duplicate\nSEND_FAILED 2 34\n");
    assert_true(r.last_sent_msg_id == 1u << ROAM_MSG_ID_TIME_SHIFT);
    assert_int_equal(r.last_event.u.send_failed.retry, ROAM_RETRY_NEVER);
    for (size_t i = 0; i < RIG_OUTBOX_MAX; i++) {
        assert_int_equal(r.outbox[i].state, ROAM_OUTBOX_EMPTY);
    }
    rig_send(&r, 1, "the same id again is another message");
}

static void test_an_answer_to_something_unknown_changes_nothing(void **unused)
{
    (void)unused;
    static struct rig r;
    begin(&r);
    rig_send(&r, 1, "a");
    rig_run(&r);
    rig_say_send_ok(&r, 99, false);
    rig_say_error(&r, 98, roam_v1_ErrorCode_ID_REUSED);
    rig_say_send_ok(&r, 1, false);
    rig_say_send_ok(&r, 1, false);
    rig_run(&r);
    assert_events(&r, "SENT 1\n");
    assert_int_equal(rig_state(&r), ST_LIVE);
}

static void test_answers_to_nothing_do_not_make_room_for_commands(void **unused)
{
    (void)unused; /* SEND-12, whatever the server makes up */
    static struct rig r;
    begin(&r); /* max_commands 4 */
    for (uint64_t id = 1; id <= 6; id++) {
        rig_send(&r, id, "x");
    }
    rig_say_send_ok(&r, 99, false);
    rig_say_error(&r, 98, roam_v1_ErrorCode_ID_REUSED);
    rig_say_send_ok(&r, 6, false); /* in the outbox, but not sent yet */
    rig_run(&r);
    assert_frames(&r, "SEND 1 x\nSEND 2 x\nSEND 3 x\nSEND 4 x\n");
    assert_events(&r, "");
}

static void say_own(struct rig *r, uint64_t version, uint64_t prev, uint64_t id)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_PUSH);
    m.u.push.version = version;
    m.u.push.prev_version = prev;
    m.u.push.msg_id = 4711;
    strcpy(m.u.push.conversation, "bob");
    strcpy(m.u.push.sender, "alice");
    m.u.push.client_msg_id = id;
    rig_say(r, &m);
}

static void test_an_own_entry_is_the_answer(void **unused)
{
    (void)unused; /* SEND-15 */
    static struct rig r;
    begin(&r);
    rig_send(&r, 1, "a");
    rig_run(&r);
    relogin(&r); /* sends it again: one command without answer */
    rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, 2);
    say_own(&r, 1, 0, 1);
    say_own(&r, 2, 1, 55); /* of an earlier life: no item */
    rig_run(&r);
    assert_events(&r, "LOGGED_IN 1\nENTRY 1<0 alice: own=1\n"
                      "SENT 1 duplicate\nENTRY 2<1 alice: own=55\n"
                      "SYNCED 2\n");
    assert_true(r.last_sent_msg_id == 4711);
    /* SEND-12: the server still owes the answer to the repetition. */
    for (uint64_t id = 11; id <= 14; id++) {
        rig_send(&r, id, "x");
    }
    rig_forget(&r);
    rig_run(&r);
    assert_frames(&r, "ACK 2\nSEND 11 x\nSEND 12 x\nSEND 13 x\n");
    rig_say_send_ok(&r, 1, true);
    rig_run(&r);
    assert_frames(&r, "ACK 2\nSEND 11 x\nSEND 12 x\nSEND 13 x\n"
                      "SEND 14 x\n");
    assert_events(&r, "");
}

static void test_an_own_row_of_a_batch_is_the_answer(void **unused)
{
    (void)unused;
    static struct rig r;
    begin(&r);
    rig_send(&r, 77, "a");
    rig_run(&r);
    relogin(&r);
    struct roam_entry rows[3];
    memset(rows, 0, sizeof rows);
    for (size_t i = 0; i < 3; i++) {
        rows[i].version = i + 1;
        rows[i].prev_version = i;
        rows[i].msg_id = i + 1;
        rows[i].client_msg_id = i == 1 ? 77 : 0;
        rows[i].conversation.data = (const uint8_t *)"bob";
        rows[i].conversation.len = 3;
        rows[i].sender = rows[i].conversation;
    }
    struct roam_packer *packer = roam_packer_new();
    struct roam_pack_limits limits = {4096, 4096, 0};
    struct roam_message m;
    assert_int_equal(roam_batch_pack(packer, rows, 3, &limits, &m), 3);
    rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, 3);
    rig_say(&r, &m);
    roam_packer_free(packer);
    rig_forget(&r);
    rig_run(&r);
    assert_events(&r, "ENTRY 1<0 bob:\nENTRY 2<1 bob: own=77\n"
                      "SENT 77 duplicate\nENTRY 3<2 bob:\nSYNCED 3\n");
}

static void test_an_answer_not_drained_yet_survives_the_connection(
    void **unused)
{
    (void)unused;
    static struct rig r;
    begin(&r);
    rig_send(&r, 1, "a");
    rig_run(&r);
    rig_say_send_ok(&r, 1, false);
    assert_true(roam_client_feed(&r.client, r.said, r.said_len, r.now_ms) > 0);
    rig_lose(&r);
    assert_events(&r, "SENT 1\nCLOSE 0 back\n");
    rig_login(&r);
    rig_forget(&r);
    rig_say_login_ok(&r, 1);
    rig_run(&r);
    assert_frames(&r, "");
}

/* ------------------------------------------------------------------- limits */

static void test_send_checks_its_arguments(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare_minimal(&r);
    rig_init(&r);
    static char text[66];
    memset(text, 'x', 65);
    struct roam_bytes none = {NULL, 0};
    struct roam_bytes bob = bytes_of("bob");
    struct roam_bytes long_64 = {(const uint8_t *)text, 64};
    struct roam_bytes long_65 = {(const uint8_t *)text, 65};
    struct roam_bytes bad = {(const uint8_t *)"\xc0\x80", 2};
    struct roam_client *c = &r.client;
    const enum roam_status arg = ROAM_STATUS_BAD_ARGUMENT;
    assert_int_equal(
        roam_client_send(c, 0, ROAM_KIND_MESSAGE, bob, none, none, 0), arg);
    assert_int_equal(
        roam_client_send(c, 1, ROAM_KIND_MESSAGE, none, none, none, 0), arg);
    assert_int_equal(
        roam_client_send(c, 1, ROAM_KIND_MESSAGE, long_65, none, none, 0), arg);
    assert_int_equal(
        roam_client_send(c, 1, ROAM_KIND_MESSAGE, bad, none, none, 0), arg);
    assert_int_equal(
        roam_client_send(c, 1, ROAM_KIND_MESSAGE, bob, long_65, none, 0), arg);
    assert_int_equal(
        roam_client_send(c, 1, ROAM_KIND_MESSAGE, bob, bad, none, 0), arg);
    assert_int_equal(roam_client_send(c, UINT64_MAX, ROAM_KIND_MESSAGE, long_64,
                                      long_64, bad, 0),
                     ROAM_STATUS_OK); /* a body is any bytes */
    assert_int_equal(
        roam_client_send(c, UINT64_MAX, ROAM_KIND_MESSAGE, bob, none, none, 0),
        arg); /* in use */
    assert_int_equal(
        roam_client_send(c, 2, ROAM_KIND_MESSAGE, bob, none, none, 0),
        ROAM_STATUS_OUTBOX_FULL);
}

static void test_a_message_must_fit_the_tx_buffer(void **unused)
{
    (void)unused; /* n and n+1 */
    static struct rig r;
    static uint8_t body[ROAM_TX_BYTES_MIN];
    memset(body, 'b', sizeof body);
    struct roam_bytes none = {NULL, 0};
    /* header 4, id 9, conversation 2 + 3, body 3 + n */
    for (size_t n = ROAM_TX_BYTES_MIN - 21; n <= ROAM_TX_BYTES_MIN - 20; n++) {
        rig_prepare_minimal(&r);
        rig_init(&r);
        struct roam_bytes b = {body, n};
        enum roam_status got = roam_client_send(&r.client, 1, ROAM_KIND_MESSAGE,
                                                bytes_of("bob"), none, b, 0);
        assert_int_equal(got, n == ROAM_TX_BYTES_MIN - 21
                                  ? ROAM_STATUS_OK
                                  : ROAM_STATUS_TX_FULL);
        if (got == ROAM_STATUS_OK) {
            rig_go_live(&r, 0);
            assert_int_equal(r.outbox[0].state, ROAM_OUTBOX_SENT);
        }
    }
    /* Nor may it be longer than a frame can be. */
    static uint8_t longest[ROAM_FRAME_MAX];
    for (size_t over = 0; over < 2; over++) {
        rig_prepare_minimal(&r);
        r.config.tx_bytes = 2 * ROAM_FRAME_MAX; /* never written to here */
        rig_init(&r);
        /* id 9, conversation 2 + 3, body 5 + n */
        struct roam_bytes b = {longest, ROAM_FRAME_MAX - 19 + over};
        assert_int_equal(roam_client_send(&r.client, 1, ROAM_KIND_MESSAGE,
                                          bytes_of("bob"), none, b, 0),
                         over ? ROAM_STATUS_TX_FULL : ROAM_STATUS_OK);
    }
    /* Far above everything: its length must not be cut to 32 bits. */
    struct roam_bytes huge = {body, SIZE_MAX};
    assert_int_equal(roam_client_send(&r.client, 9, ROAM_KIND_MESSAGE,
                                      bytes_of("bob"), none, huge, 0),
                     ROAM_STATUS_TX_FULL);
}

static void login_ok_with(struct rig *r, uint32_t max_frame, uint64_t dedup_ms)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_LOGIN_OK);
    m.u.login_ok.generation = 1;
    m.u.login_ok.max_frame = max_frame;
    m.u.login_ok.max_body = 1 << 20;
    m.u.login_ok.max_commands = 4;
    m.u.login_ok.heartbeat_ms = 32000;
    m.u.login_ok.dedup_ms = dedup_ms;
    rig_say(r, &m);
}

static void test_a_message_above_the_servers_max_frame_fails_unsent(
    void **unused)
{
    (void)unused; /* n and n+1; such a frame would end the session */
    static struct rig r;
    static char body[2][512];
    rig_prepare(&r);
    rig_init(&r);
    memset(body[0], 'b', 512 - 17); /* payload: 9 + 5 + 3 + n = 512 */
    memset(body[1], 'b', 512 - 16);
    rig_send(&r, 1, body[1]);
    rig_send(&r, 2, body[0]);
    rig_login(&r);
    login_ok_with(&r, 512, 1000);
    rig_forget(&r);
    rig_run(&r);
    assert_events(&r, "LOGGED_IN 1\nSEND_FAILED 1 33\n");
    assert_true(strncmp(r.frames, "SEND 2 bb", 9) == 0);
    assert_null(strstr(r.frames, "SEND 1"));
}

/* ------------------------------------------------------------------- expiry */

static void expire(struct rig *r, uint64_t age_ms)
{
    rig_prepare(r);
    rig_init(r);
    rig_login(r);
    login_ok_with(r, 4096, 1000);
    rig_say_sync_ok(r, roam_v1_SyncResult_UP_TO_DATE, 0);
    rig_run(r);
    rig_send(r, 1, "old");
    rig_run(r);
    rig_lose(r);
    r->now_ms += age_ms;
    rig_login(r);
    rig_forget(r);
    login_ok_with(r, 4096, 1000);
    rig_run(r);
}

static void test_a_message_is_not_repeated_after_dedup_ms(void **unused)
{
    (void)unused; /* SEND-14: n and n+1 */
    static struct rig r;
    expire(&r, 1000);
    assert_frames(&r, "SEND 1 old\n");
    expire(&r, 1001);
    assert_frames(&r, "");
    /* Entries may still tell that it got through; so it waits for them. */
    assert_events(&r, "LOGGED_IN 1\n");
    rig_say_sync_ok(&r, roam_v1_SyncResult_UP_TO_DATE, 0);
    rig_run(&r);
    assert_events(&r, "LOGGED_IN 1\nSYNCED 0\nSEND_FAILED 1 0\n");
    assert_frames(&r, "");
}

static void test_an_own_entry_saves_a_message_that_is_too_old(void **unused)
{
    (void)unused;
    static struct rig r;
    expire(&r, 5000);
    rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, 1);
    say_own(&r, 1, 0, 1);
    rig_run(&r);
    assert_events(&r, "LOGGED_IN 1\nENTRY 1<0 alice: own=1\n"
                      "SENT 1 duplicate\nSYNCED 1\n");
}

static void test_the_age_of_a_message_of_an_earlier_run_counts(void **unused)
{
    (void)unused;
    static struct rig r;
    for (int old = 0; old < 2; old++) {
        rig_prepare(&r);
        r.now_ms = 100000;
        rig_init(&r);
        const struct roam_outbox_item stored = {
            .client_msg_id = 1,
            .first_sent_ms = r.now_ms - 1000 - (unsigned)old,
            .conversation = {(const uint8_t *)"bob", 3},
            .body = {(const uint8_t *)"stored", 6}};
        assert_int_equal(roam_client_resend(&r.client, &stored, r.now_ms),
                         ROAM_STATUS_OK);
        assert_int_equal(roam_client_resend(&r.client, &stored, r.now_ms),
                         ROAM_STATUS_BAD_ARGUMENT); /* it is there */
        rig_login(&r);
        login_ok_with(&r, 4096, 1000);
        rig_say_sync_ok(&r, roam_v1_SyncResult_UP_TO_DATE, 0);
        rig_forget(&r);
        rig_run(&r);
        assert_frames(&r, old ? "" : "SEND 1 stored\n");
    }
}

static void test_a_message_sent_at_time_zero_was_sent(void **unused)
{
    (void)unused; /* a clock may start there */
    static struct rig r;
    rig_prepare(&r);
    r.now_ms = 0;
    rig_init(&r);
    rig_go_live(&r, 0);
    rig_send(&r, 1, "x");
    rig_run(&r);
    assert_true(r.outbox[0].first_sent_ms != 0);
}

static void test_a_new_message_never_expires_unsent(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    r.now_ms = 0;
    rig_init(&r);
    rig_send(&r, 1, "patient");
    r.now_ms = 1u << 30;
    rig_login(&r);
    login_ok_with(&r, 4096, 1000);
    rig_forget(&r);
    rig_run(&r);
    assert_frames(&r, "SEND 1 patient\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_wait_for_a_session),
        cmocka_unit_test(
            test_unanswered_messages_go_again_in_order_after_reconnect),
        cmocka_unit_test(test_the_order_survives_its_counters_wrap),
        cmocka_unit_test(test_at_most_max_commands_are_unanswered),
        cmocka_unit_test(test_a_message_is_written_whole_or_not_yet),
        cmocka_unit_test(test_bytes_leave_in_any_pieces),
        cmocka_unit_test(test_answers_free_the_place),
        cmocka_unit_test(test_an_answer_to_something_unknown_changes_nothing),
        cmocka_unit_test(test_answers_to_nothing_do_not_make_room_for_commands),
        cmocka_unit_test(test_an_own_entry_is_the_answer),
        cmocka_unit_test(test_an_own_row_of_a_batch_is_the_answer),
        cmocka_unit_test(
            test_an_answer_not_drained_yet_survives_the_connection),
        cmocka_unit_test(test_send_checks_its_arguments),
        cmocka_unit_test(test_a_message_must_fit_the_tx_buffer),
        cmocka_unit_test(
            test_a_message_above_the_servers_max_frame_fails_unsent),
        cmocka_unit_test(test_a_message_is_not_repeated_after_dedup_ms),
        cmocka_unit_test(test_an_own_entry_saves_a_message_that_is_too_old),
        cmocka_unit_test(test_the_age_of_a_message_of_an_earlier_run_counts),
        cmocka_unit_test(test_a_message_sent_at_time_zero_was_sent),
        cmocka_unit_test(test_a_new_message_never_expires_unsent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
