/* SPDX-License-Identifier: Apache-2.0 */
/* The chain, SYNC and RESET; what an entry tells. */
#include <string.h>

#include "client_rig.h"

/* ---------------------------------------------------------------- the chain */

static void test_an_entry_at_or_below_the_cursor_is_dropped(void **unused)
{
    (void)unused; /* CHAIN-5 */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 0);
    rig_say_push(&r, 5, 0, "a");
    rig_say_push(&r, 5, 0, "a");
    rig_say_push(&r, 4, 3, "b");
    rig_say_batch(&r, 1, 4, false);
    rig_say_push(&r, 6, 5, "c");
    rig_run(&r);
    assert_events(&r, "ENTRY 5<0 bob:a\nENTRY 6<5 bob:c\n");
    assert_int_equal(r.feed_error, 0);
}

static void test_the_rows_of_a_batch_above_the_cursor_are_applied(void **unused)
{
    (void)unused; /* CHAIN-4, CHAIN-5, row by row */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 0);
    rig_say_push(&r, 1, 0, "a");
    rig_say_push(&r, 2, 1, "b");
    rig_say_batch(&r, 0, 4, true);
    rig_run(&r);
    assert_events(&r, "ENTRY 1<0 bob:a\nENTRY 2<1 bob:b\n"
                      "ENTRY 3<2 bob:3\nENTRY 4<3 bob:4\n");
}

static void test_a_batch_that_jumps_over_the_cursor_is_a_gap(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 0);
    rig_say_push(&r, 5, 0, "a");
    rig_run(&r);
    /* 3, then 7: no row links to 5. */
    struct roam_entry rows[2];
    memset(rows, 0, sizeof rows);
    rows[0].version = 3;
    rows[0].prev_version = 2;
    rows[0].kind = roam_v1_Kind_NOOP;
    rows[1].version = 7;
    rows[1].prev_version = 3;
    rows[1].kind = roam_v1_Kind_NOOP;
    struct roam_packer *packer = roam_packer_new();
    struct roam_pack_limits limits = {4096, 4096, 0};
    struct roam_message m;
    assert_int_equal(roam_batch_pack(packer, rows, 2, &limits, &m), 2);
    rig_say(&r, &m);
    roam_packer_free(packer);
    rig_forget(&r);
    rig_run(&r);
    assert_events(&r, "");
    assert_frames(&r, "SYNC 5\n"); /* half of the window is not reached */
    assert_int_equal(rig_state(&r), ST_SYNC);
    /* Nothing of that batch is left behind. */
    rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, 6);
    rig_run(&r);
    assert_events(&r, "");
    rig_say_push(&r, 6, 5, "b");
    assert_true(roam_client_feed(&r.client, r.said, r.said_len, r.now_ms) > 0);
    struct roam_event e;
    roam_client_next_event(&r.client, &e, r.now_ms);
    assert_int_equal(e.type, ROAM_EVENT_ENTRY);
    assert_false(e.u.entry.batched);
    rig_drain(&r);
    assert_events(&r, "SYNCED 6\n");
}

static void test_a_gap_is_answered_with_sync_and_a_second_one_with_the_end(
    void **unused)
{
    (void)unused; /* CHAIN-6 */
    static struct rig r;
    for (int batch = 0; batch < 2; batch++) {
        rig_prepare(&r);
        rig_init(&r);
        rig_go_live(&r, 0);
        rig_say_push(&r, 3, 0, "a");
        if (batch) {
            rig_say_batch(&r, 4, 2, false);
        } else {
            rig_say_push(&r, 5, 4, "behind a gap");
        }
        rig_say_push(&r, 6, 5, "dropped: SYNC is not answered");
        rig_run(&r);
        assert_events(&r, "ENTRY 3<0 bob:a\n");
        assert_frames(&r, "SYNC 3\n");
        rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, 6);
        rig_say_push(&r, 5, 4, "again");
        rig_forget(&r);
        rig_run(&r);
        assert_int_equal(r.feed_error, ROAM_STATUS_CHAIN);
        assert_events(&r, "CLOSE -22 back\n");
        assert_frames(&r, "");
    }
}

static void test_an_entry_that_fits_forgives_a_gap(void **unused)
{
    (void)unused; /* CHAIN-6 */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 0);
    for (uint64_t v = 0; v < 30; v += 3) {
        rig_say_push(&r, v + 3, v + 2, "gap");
        rig_run(&r);
        assert_int_equal(rig_state(&r), ST_SYNC);
        rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, v + 3);
        rig_say_push(&r, v + 3, v, "fits");
        rig_run(&r);
        assert_int_equal(rig_state(&r), ST_LIVE);
    }
    assert_true(roam_client_cursor(&r.client) == 30);
}

static void test_entries_told_but_not_stored_are_not_told_twice_after_a_gap(
    void **unused)
{
    (void)unused; /* SYNC names what is stored; the rest is in the caller's
                     hands already */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    r.store = false;
    rig_go_live(&r, 0);
    rig_say_push(&r, 1, 0, "a");
    rig_say_push(&r, 2, 1, "b");
    rig_run(&r);
    assert_int_equal(roam_client_stored(&r.client, 1, r.now_ms), 0);
    rig_say_push(&r, 9, 8, "gap");
    rig_run(&r);
    assert_frames(&r, "SYNC 1\n");
    rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, 3);
    rig_run(&r);
    /* Nothing of this delivery was seen yet: 2 must not be acked. */
    assert_int_equal(roam_client_stored(&r.client, 2, r.now_ms), 0);
    rig_wait(&r, ROAM_ACK_DELAY_MS);
    assert_frames(&r, "SYNC 1\n");
    rig_say_push(&r, 2, 1, "b");
    rig_wait(&r, ROAM_ACK_DELAY_MS);
    rig_wait(&r, ROAM_ACK_DELAY_MS);
    assert_frames(&r, "SYNC 1\nACK 2\n");
    rig_say_push(&r, 3, 2, "c");
    rig_run(&r);
    assert_events(&r, "ENTRY 1<0 bob:a\nENTRY 2<1 bob:b\n"
                      "ENTRY 3<2 bob:c\nSYNCED 3\n");
}

static void test_entries_not_stored_are_told_again_on_a_new_connection(
    void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    r.store = false;
    rig_go_live(&r, 0);
    rig_say_batch(&r, 0, 3, false);
    rig_run(&r);
    assert_int_equal(roam_client_stored(&r.client, 1, r.now_ms), 0);
    rig_lose(&r);
    rig_forget(&r);
    rig_login(&r);
    assert_frames(&r, "LOGIN 2\nSYNC 1\n");
    assert_int_equal(roam_client_stored(&r.client, 3, r.now_ms),
                     ROAM_STATUS_BAD_ARGUMENT);
    rig_say_login_ok(&r, 1);
    rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, 3);
    rig_say_batch(&r, 1, 2, false);
    rig_run(&r);
    assert_events(&r, "LOGGED_IN 1\nENTRY 2<1 bob:1\nENTRY 3<2 bob:2\n"
                      "SYNCED 3\n");
}

static void test_entries_between_sync_and_its_answer_are_dropped(void **unused)
{
    (void)unused; /* SYNC-8 */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_login(&r);
    rig_say_login_ok(&r, 1);
    rig_say_push(&r, 1, 0, "too early");
    rig_say_batch(&r, 0, 2, false);
    rig_say_push(&r, 9, 7, "and not a gap");
    rig_say_push(&r, 9, 7, "nor a second one");
    rig_say_sync_ok(&r, roam_v1_SyncResult_DELTA, 1);
    rig_say_push(&r, 1, 0, "in time");
    rig_run(&r);
    assert_events(&r, "LOGGED_IN 1\nENTRY 1<0 bob:in time\nSYNCED 1\n");
}

static void test_stored_is_checked(void **unused)
{
    (void)unused; /* n and n+1 of what was handed out */
    static struct rig r;
    rig_prepare(&r);
    r.config.cursor = 10;
    rig_init(&r);
    r.store = false;
    rig_go_live(&r, 12);
    rig_say_push(&r, 11, 10, "a");
    rig_say_push(&r, 12, 11, "b");
    rig_run(&r);
    struct roam_client *c = &r.client;
    assert_int_equal(roam_client_stored(c, 13, 0), ROAM_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_client_stored(c, 9, 0), ROAM_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_client_stored(c, 10, 0), ROAM_STATUS_OK);
    assert_int_equal(roam_client_stored(c, 12, 0), ROAM_STATUS_OK);
    assert_int_equal(roam_client_stored(c, 11, 0), ROAM_STATUS_BAD_ARGUMENT);
    assert_true(roam_client_cursor(c) == 12);
}

/* ------------------------------------------------------------ SYNC's answer */

static void test_an_answer_that_contradicts_its_sync_ends_the_connection(
    void **unused)
{
    (void)unused; /* SYNC-2 to SYNC-4, FRAME-14; the cursor is 10 */
    static const struct {
        roam_v1_SyncResult result;
        uint64_t head, floor;
        roam_v1_ResetReason reason;
        bool good;
    } cases[] = {
        {roam_v1_SyncResult_UP_TO_DATE, 10, 0, 0, true},
        {roam_v1_SyncResult_UP_TO_DATE, 11, 0, 0, false},
        {roam_v1_SyncResult_UP_TO_DATE, 9, 0, 0, false},
        {roam_v1_SyncResult_DELTA, 11, 10, 0, true},
        {roam_v1_SyncResult_DELTA, 10, 0, 0, false},
        {roam_v1_SyncResult_DELTA, 9, 0, 0, false},
        {roam_v1_SyncResult_DELTA, 12, 11, 0, false},
        {roam_v1_SyncResult_RESET, 9, 0, roam_v1_ResetReason_AHEAD, true},
        {roam_v1_SyncResult_RESET, 11, 0, roam_v1_ResetReason_AHEAD, false},
        {roam_v1_SyncResult_RESET, 11, 0, roam_v1_ResetReason_NOT_A_LINK, true},
        {roam_v1_SyncResult_RESET, 9, 0, roam_v1_ResetReason_NOT_A_LINK, false},
        {roam_v1_SyncResult_RESET, 11, 0, roam_v1_ResetReason_TOO_MANY, true},
        {roam_v1_SyncResult_RESET, 10, 0, roam_v1_ResetReason_TOO_MANY, false},
    };
    static struct rig r;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_prepare(&r);
        r.config.cursor = 10;
        rig_init(&r);
        rig_login(&r);
        rig_say_login_ok(&r, 1);
        struct roam_message m;
        roam_message_init(&m, ROAM_SYNC_OK);
        m.u.sync_ok.result = cases[i].result;
        m.u.sync_ok.head = cases[i].head;
        m.u.sync_ok.floor = cases[i].floor;
        m.u.sync_ok.reason = cases[i].reason;
        rig_say(&r, &m);
        rig_run(&r);
        if (rig_state(&r) != (cases[i].good ? ST_LIVE : ST_ENDED)) {
            fail_msg("case %u", (unsigned)i);
        }
        assert_int_equal(r.feed_error, cases[i].good ? 0 : ROAM_STATUS_FRAME);
    }
}

static void test_reset_starts_the_chain_at_the_head(void **unused)
{
    (void)unused; /* SYNC-9 */
    static struct rig r;
    rig_prepare(&r);
    r.config.cursor = 10;
    rig_init(&r);
    rig_login(&r);
    rig_say_login_ok(&r, 1);
    rig_say_reset(&r, roam_v1_ResetReason_NOT_A_LINK, 500);
    rig_say_push(&r, 501, 500, "new");
    rig_run(&r);
    assert_events(&r, "LOGGED_IN 1\nRESET 1 500\nSYNCED 500\n"
                      "ENTRY 501<500 bob:new\n");
    assert_true(roam_client_cursor(&r.client) == 501);
    assert_int_equal(r.feed_error, 0);
}

static void test_reset_may_lead_back(void **unused)
{
    (void)unused; /* a server that lost the past: AHEAD */
    static struct rig r;
    for (int stored = 0; stored < 2; stored++) {
        rig_prepare(&r);
        r.config.cursor = 10;
        rig_init(&r);
        r.store = false;
        rig_login(&r);
        rig_say_login_ok(&r, 1);
        rig_say_reset(&r, roam_v1_ResetReason_AHEAD, 4);
        rig_run(&r);
        struct roam_client *c = &r.client;
        assert_int_equal(roam_client_stored(c, 10, r.now_ms),
                         ROAM_STATUS_BAD_ARGUMENT);
        assert_int_equal(roam_client_stored(c, 3, r.now_ms),
                         ROAM_STATUS_BAD_ARGUMENT);
        assert_true(roam_client_cursor(c) == 10);
        if (stored) {
            assert_int_equal(roam_client_stored(c, 4, r.now_ms),
                             ROAM_STATUS_OK);
        }
        rig_lose(&r);
        rig_forget(&r);
        rig_login(&r);
        /* Until its head is stored, RESET did not happen. */
        assert_frames(&r, stored ? "LOGIN 2\nSYNC 4\n" : "LOGIN 2\nSYNC 10\n");
    }
}

static void test_stored_behind_a_reset_covers_its_head(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    r.config.cursor = 10;
    rig_init(&r);
    r.store = false;
    rig_login(&r);
    rig_say_login_ok(&r, 1);
    rig_say_reset(&r, roam_v1_ResetReason_TOO_MANY, 50);
    rig_say_push(&r, 51, 50, "a");
    rig_run(&r);
    assert_int_equal(roam_client_stored(&r.client, 51, r.now_ms),
                     ROAM_STATUS_OK);
    assert_true(roam_client_cursor(&r.client) == 51);
    rig_wait(&r, ROAM_ACK_DELAY_MS);
    assert_frames(&r, "LOGIN 1\nSYNC 10\nACK 51\n");
}

/* --------------------------------------------------------- kinds and bodies */

static void test_an_entry_of_an_unknown_kind_is_chained_and_kept_raw(
    void **unused)
{
    (void)unused; /* PUSH-7 */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 0);
    struct roam_message m;
    roam_message_init(&m, ROAM_PUSH);
    m.u.push.version = 1;
    m.u.push.kind = (roam_v1_Kind)77;
    strcpy(m.u.push.sender, "eve");
    m.body.data = (const uint8_t *)"raw";
    m.body.len = 3;
    rig_say(&r, &m);
    struct roam_entry row;
    memset(&row, 0, sizeof row);
    row.version = 2;
    row.prev_version = 1;
    row.kind = 78;
    row.msg_id = 5;
    row.conversation.data = row.sender.data = (const uint8_t *)"eve";
    row.conversation.len = row.sender.len = 3;
    struct roam_packer *packer = roam_packer_new();
    struct roam_pack_limits limits = {4096, 4096, 0};
    assert_int_equal(roam_batch_pack(packer, &row, 1, &limits, &m), 1);
    rig_say(&r, &m);
    roam_packer_free(packer);
    rig_say_push(&r, 3, 2, "known");
    rig_run(&r);
    assert_events(&r, "ENTRY 1<0 eve:raw kind=77\nENTRY 2<1 eve: kind=78\n"
                      "ENTRY 3<2 bob:known\n");
}

static void test_a_cut_body_is_told_by_its_size(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 0);
    struct roam_message m;
    roam_message_init(&m, ROAM_PUSH);
    m.u.push.version = 1;
    m.u.push.msg_id = 1;
    strcpy(m.u.push.conversation, "bob");
    strcpy(m.u.push.sender, "bob");
    m.u.push.cut_size = 70000;
    rig_say(&r, &m);
    rig_run(&r);
    assert_events(&r, "ENTRY 1<0 bob: cut=70000\n");
}

static void test_an_entry_tells_when_and_where(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 0);
    for (int batched = 0; batched < 2; batched++) {
        struct roam_entry row;
        memset(&row, 0, sizeof row);
        row.version = 7 + (unsigned)batched;
        row.prev_version = batched ? 7 : 0;
        row.msg_id = row.version << ROAM_MSG_ID_TIME_SHIFT;
        row.conversation.data = (const uint8_t *)"bob";
        row.conversation.len = 3;
        row.sender.data = (const uint8_t *)"carol";
        row.sender.len = 5;
        row.content_type.data = (const uint8_t *)"a/b";
        row.content_type.len = 3;
        struct roam_packer *packer = roam_packer_new();
        struct roam_pack_limits limits = {4096, 4096, 2};
        struct roam_message m;
        assert_int_equal(roam_batch_pack(packer, &row, 1, &limits, &m), 1);
        if (!batched) {
            roam_message_init(&m, ROAM_PUSH);
            m.u.push.version = row.version;
            m.u.push.msg_id = row.msg_id;
            strcpy(m.u.push.conversation, "bob");
            strcpy(m.u.push.sender, "carol");
            strcpy(m.u.push.content_type, "a/b");
        }
        rig_say(&r, &m);
        roam_packer_free(packer);
        struct roam_event e;
        assert_true(roam_client_feed(&r.client, r.said, r.said_len, r.now_ms) >
                    0);
        r.said_len = 0;
        roam_client_next_event(&r.client, &e, r.now_ms);
        assert_int_equal(e.type, ROAM_EVENT_ENTRY);
        assert_int_equal(e.u.entry.batched, batched);
        assert_true(e.u.entry.time_ms ==
                    ROAM_EPOCH_UNIX_MS + 7u + (unsigned)batched);
        assert_int_equal(e.u.entry.conversation.len, 3);
        assert_memory_equal(e.u.entry.conversation.data, "bob", 3);
        assert_int_equal(e.u.entry.sender.len, 5);
        assert_memory_equal(e.u.entry.sender.data, "carol", 5);
        assert_int_equal(e.u.entry.content_type.len, 3);
        assert_memory_equal(e.u.entry.content_type.data, "a/b", 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_entry_at_or_below_the_cursor_is_dropped),
        cmocka_unit_test(test_the_rows_of_a_batch_above_the_cursor_are_applied),
        cmocka_unit_test(test_a_batch_that_jumps_over_the_cursor_is_a_gap),
        cmocka_unit_test(
            test_a_gap_is_answered_with_sync_and_a_second_one_with_the_end),
        cmocka_unit_test(test_an_entry_that_fits_forgives_a_gap),
        cmocka_unit_test(
            test_entries_told_but_not_stored_are_not_told_twice_after_a_gap),
        cmocka_unit_test(
            test_entries_not_stored_are_told_again_on_a_new_connection),
        cmocka_unit_test(test_entries_between_sync_and_its_answer_are_dropped),
        cmocka_unit_test(test_stored_is_checked),
        cmocka_unit_test(
            test_an_answer_that_contradicts_its_sync_ends_the_connection),
        cmocka_unit_test(test_reset_starts_the_chain_at_the_head),
        cmocka_unit_test(test_reset_may_lead_back),
        cmocka_unit_test(test_stored_behind_a_reset_covers_its_head),
        cmocka_unit_test(
            test_an_entry_of_an_unknown_kind_is_chained_and_kept_raw),
        cmocka_unit_test(test_a_cut_body_is_told_by_its_size),
        cmocka_unit_test(test_an_entry_tells_when_and_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
