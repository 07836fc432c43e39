/* SPDX-License-Identifier: Apache-2.0 */
/* The byte stream: the same bytes give the same events however they are
 * split, whatever the buffers, and however late the events are drained. */
#include <string.h>

#include "client_rig.h"

/* ------------------------------------------------------------------- splits */

/* A long session with everything in it. */
static void say_story(struct rig *r)
{
    rig_say_login_ok(r, 1);
    rig_say_sync_ok(r, roam_v1_SyncResult_DELTA, 9);
    rig_say_push(r, 1, 0, "one");
    rig_say_batch(r, 1, 3, false);
    rig_say_bytes(r, "\x80\x00\x00\x02..", 6); /* FRAME-6 */
    rig_say_send_ok(r, 5, false);
    rig_say_batch(r, 4, 5, true);
    rig_say_noop(r, 11, 9);
    rig_say_noop(r, 11, 9); /* again: dropped */
    rig_say_error(r, 6, roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    rig_say_pong(r, 11);
    rig_say_push(r, 20, 11, "");
    rig_say_kick(r, roam_v1_KickReason_GOING_AWAY, roam_v1_Retry_AFTER, 0);
}

static const char story[] = "LOGGED_IN 1\n"
                            "ENTRY 1<0 bob:one\n"
                            "ENTRY 2<1 bob:1\n"
                            "ENTRY 3<2 bob:2\n"
                            "ENTRY 4<3 bob:3\n"
                            "SENT 5\n"
                            "ENTRY 5<4 bob:1\n"
                            "ENTRY 6<5 bob:2\n"
                            "ENTRY 7<6 bob:3\n"
                            "ENTRY 8<7 bob:4\n"
                            "ENTRY 9<8 bob:5\n"
                            "SYNCED 9\n"
                            "ENTRY 11<9 NOOP\n"
                            "SEND_FAILED 6 32\n"
                            "ENTRY 20<11 bob:\n"
                            "KICKED 4\n"
                            "CLOSE 0 back\n";

static void begin_story(struct rig *r)
{
    rig_prepare(r);
    rig_init(r);
    rig_send(r, 5, "hello");
    rig_send(r, 6, "nobody");
    rig_login(r);
    rig_forget(r);
}

static void test_any_chunk_size_gives_the_same_events(void **unused)
{
    (void)unused; /* FRAME-2 */
    static struct rig r;
    for (size_t chunk = 0; chunk <= 64; chunk++) {
        begin_story(&r);
        r.chunk = chunk;
        say_story(&r);
        rig_run(&r);
        assert_events(&r, story);
        assert_int_equal(r.feed_error, 0);
    }
}

static void test_a_split_at_any_offset_gives_the_same_events(void **unused)
{
    (void)unused;
    static struct rig r;
    static uint8_t stream[4096];
    begin_story(&r);
    say_story(&r);
    size_t len = r.said_len;
    assert_true(len <= sizeof stream);
    memcpy(stream, r.said, len);
    for (size_t at = 1; at < len; at++) {
        begin_story(&r);
        rig_say_bytes(&r, stream, at);
        rig_run(&r);
        rig_say_bytes(&r, stream + at, len - at);
        rig_run(&r);
        assert_events(&r, story);
    }
}

static void test_minimal_buffers_carry_the_same_story(void **unused)
{
    (void)unused;
    static struct rig r;
    for (size_t chunk = 0; chunk <= 5; chunk++) {
        rig_prepare_minimal(&r);
        rig_init(&r);
        r.chunk = chunk;
        rig_go_live(&r, 8);
        rig_send(&r, 5, "hello");
        rig_say_batch(&r, 0, 4, true);
        rig_say_send_ok(&r, 5, false);
        rig_run(&r);
        rig_send(&r, 6, "again");
        rig_say_batch(&r, 4, 4, false);
        rig_say_send_ok(&r, 6, true);
        rig_run(&r);
        assert_events(&r, "ENTRY 1<0 bob:1\nENTRY 2<1 bob:2\n"
                          "ENTRY 3<2 bob:3\nENTRY 4<3 bob:4\nSENT 5\n"
                          "ENTRY 5<4 bob:1\nENTRY 6<5 bob:2\n"
                          "ENTRY 7<6 bob:3\nENTRY 8<7 bob:4\nSYNCED 8\n"
                          "SENT 6 duplicate\n");
    }
}

static void test_the_longest_entry_fits_the_smallest_buffers(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare_minimal(&r);
    rig_init(&r);
    rig_go_live(&r, 0);
    static uint8_t body[ROAM_FRAME_MIN];
    memset(body, 'b', sizeof body);
    struct roam_message m;
    roam_message_init(&m, ROAM_PUSH);
    m.u.push.version = ROAM_VERSION_MAX;
    m.u.push.msg_id = ROAM_VERSION_MAX;
    memset(m.u.push.conversation, 'c', 64);
    memset(m.u.push.sender, 's', 64);
    memset(m.u.push.content_type, 't', 64);
    memset(m.u.push.conversation_name, 'n', 48);
    memset(m.u.push.sender_name, 'n', 48);
    m.u.push.client_msg_id = UINT64_MAX;
    m.body.data = body;
    m.body.len = roam_body_limit(ROAM_FRAME_MIN, ROAM_INFLATED_MIN);
    assert_int_equal(m.body.len, 64);
    assert_true(roam_message_size(&m) <= ROAM_RX_BYTES_MIN);
    rig_say(&r, &m);
    rig_run(&r);
    assert_int_equal(r.last_event.type, ROAM_EVENT_ENTRY);
    assert_int_equal(r.last_event.u.entry.body.len, 64);
    assert_true(r.last_entry == ROAM_VERSION_MAX);
}

/* --------------------------------------------------------------- late drain */

static void test_nothing_is_lost_or_read_while_events_wait(void **unused)
{
    (void)unused;
    static struct rig r;
    begin_story(&r);
    say_story(&r);
    r.pull = true;
    /* One event at a time, feeding in between as often as one likes. */
    struct roam_event e;
    size_t at = 0;
    char seen[sizeof r.events] = "";
    for (int guard = 0; guard < 1000; guard++) {
        for (int again = 0; again < 3; again++) {
            ptrdiff_t n = roam_client_feed(&r.client, r.said + at,
                                           r.said_len - at, r.now_ms);
            assert_true(n >= 0);
            assert_true(again == 0 || n == 0 || rig_state(&r) == ST_ENDED);
            at += (size_t)n;
        }
        roam_client_tick(&r.client, r.now_ms);
        roam_client_next_event(&r.client, &e, r.now_ms);
        if (e.type == ROAM_EVENT_NONE) {
            break;
        }
        if (e.type == ROAM_EVENT_ENTRY) {
            char line[64];
            snprintf(line, sizeof line, "%d ", (int)e.u.entry.version);
            strcat(seen, line);
            assert_int_equal(
                roam_client_stored(&r.client, e.u.entry.version, r.now_ms),
                ROAM_STATUS_OK);
        }
        rig_pull(&r, SIZE_MAX);
    }
    assert_int_equal(at, r.said_len);
    assert_string_equal(seen, "1 2 3 4 5 6 7 8 9 11 20 ");
}

static void test_entries_in_hand_are_told_after_the_connection_is_lost(
    void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 3);
    rig_say_batch(&r, 0, 3, true);
    assert_true(roam_client_feed(&r.client, r.said, r.said_len, r.now_ms) > 0);
    rig_lose(&r);
    assert_events(&r, "ENTRY 1<0 bob:1\nENTRY 2<1 bob:2\nENTRY 3<2 bob:3\n"
                      "SYNCED 3\nCLOSE 0 back\n");
    assert_true(roam_client_cursor(&r.client) == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_chunk_size_gives_the_same_events),
        cmocka_unit_test(test_a_split_at_any_offset_gives_the_same_events),
        cmocka_unit_test(test_minimal_buffers_carry_the_same_story),
        cmocka_unit_test(test_the_longest_entry_fits_the_smallest_buffers),
        cmocka_unit_test(test_nothing_is_lost_or_read_while_events_wait),
        cmocka_unit_test(
            test_entries_in_hand_are_told_after_the_connection_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
