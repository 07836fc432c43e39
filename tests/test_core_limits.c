/* SPDX-License-Identifier: Apache-2.0 */
/* Every limit of a session at n and at n + 1, and what is done with input
 * that breaks a rule of sections 3, 4 and 7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core_rig.h"

#define PHONE roam_v1_DeviceType_PHONE

static void start(struct rig *rig)
{
    rig_init(rig);
    rig_start(rig);
}

/* An ignorable frame of that payload length. */
static void feed_ignorable(struct peer *p, uint32_t len)
{
    uint8_t *frame = calloc(1, ROAM_FRAME_HEADER_BYTES + len);
    assert_non_null(frame);
    roam_frame_put_header(frame, 0x80, len);
    peer_feed(p, frame, ROAM_FRAME_HEADER_BYTES + len);
    free(frame);
    rig_settle(p->rig);
}

static void test_frame_before_login_up_to_its_limit_and_no_longer(void **st)
{
    (void)st;
    struct rig rig;
    struct peer p;
    start(&rig);
    peer_connect(&rig, &p);
    feed_ignorable(&p, ROAM_PRE_LOGIN_FRAME_MAX);
    rig_take_none(&p);
    uint8_t header[ROAM_FRAME_HEADER_BYTES];
    roam_frame_put_header(header, 0x80, ROAM_PRE_LOGIN_FRAME_MAX + 1);
    peer_feed(&p, header, sizeof header); /* the header alone [FRAME-4] */
    rig_settle(&rig);
    rig_take_error(&p, roam_v1_ErrorCode_FRAME_TOO_LONG);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_frame_in_a_session_up_to_max_frame_and_no_longer(void **st)
{
    (void)st;
    struct rig rig;
    struct peer p;
    start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    feed_ignorable(&p, rig.config.max_frame);
    rig_take_none(&p);
    uint8_t header[ROAM_FRAME_HEADER_BYTES];
    roam_frame_put_header(header, ROAM_SEND, rig.config.max_frame + 1);
    peer_feed(&p, header, sizeof header);
    rig_settle(&rig);
    rig_take_error(&p, roam_v1_ErrorCode_FRAME_TOO_LONG);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_announced_length_costs_no_memory(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    uint8_t bytes[1000] = {0};
    roam_frame_put_header(bytes, 0x80, rig.config.max_frame);
    size_t fed = 0;
    for (size_t i = 0; i < sizeof bytes; i++) {
        peer_feed(&p, bytes + i, 1);
        fed++;
        assert_true(p.session->reader_room <= (fed < 64 ? 64 : 2 * fed));
    }
    peer_feed(&p, bytes + ROAM_FRAME_HEADER_BYTES, 900);
    fed += 900;
    assert_true(p.session->reader_room <= 2 * fed);
    size_t whole = ROAM_FRAME_HEADER_BYTES + rig.config.max_frame;
    while (fed < whole) {
        assert_true(p.session->reader_room <= whole);
        assert_true(p.session->reader_room <= 2 * fed);
        size_t some = whole - fed < 500 ? whole - fed : 500;
        peer_feed(&p, bytes + ROAM_FRAME_HEADER_BYTES, some);
        fed += some;
    }
    assert_int_equal(p.session->reader_room, 0); /* the frame is done with */
    peer_free(&p);
    rig_stop(&rig);
}

static void test_body_up_to_max_body_and_no_longer(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig.config.max_body = 1000;
    rig_start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    char body[1002];
    memset(body, 'x', sizeof body);
    body[1000] = '\0';
    peer_send(&p, 1, "bob", body);
    body[1000] = 'x';
    body[1001] = '\0';
    peer_say(&p, say_send(2, "bob", body));
    const roam_v1_Error *e = &rig_take(&p, ROAM_ERROR)->u.error;
    assert_int_equal(e->code, roam_v1_ErrorCode_BODY_TOO_LONG);
    assert_int_equal(e->retry, roam_v1_Retry_NEVER);
    assert_int_equal(e->ref, 2);
    peer_send(&p, 3, "bob", "the session goes on"); /* [SEND-10] */
    peer_free(&p);
    rig_stop(&rig);
}

static void test_longest_body_with_longest_names_fits_the_frame(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig.config.max_frame = 1; /* raised to what a body needs */
    rig_start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    char *body = malloc(rig.config.max_body + 1);
    assert_non_null(body);
    memset(body, 'x', rig.config.max_body);
    body[rig.config.max_body] = '\0';
    struct roam_message *m = say_send(1, "bob", body);
    memset(m->u.send.content_type, 't', ROAM_CONTENT_TYPE_MAX);
    peer_say(&p, m);
    rig_take(&p, ROAM_SEND_OK);
    free(body);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_max_commands_unanswered_and_no_more(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    for (int round = 0; round < 2; round++) {
        for (uint64_t id = 1; id <= rig.config.max_commands; id++) {
            peer_put(&p, say_send(id, "bob", "x"));
        }
        rig_settle(&rig);
        for (uint64_t id = 1; id <= rig.config.max_commands; id++) {
            const roam_v1_SendOk *ok = &rig_take(&p, ROAM_SEND_OK)->u.send_ok;
            assert_int_equal(ok->client_msg_id, id);
            assert_int_equal(ok->duplicate, round == 1);
        }
        rig_take_none(&p);
    }
    for (uint64_t id = 1; id <= rig.config.max_commands + 1; id++) {
        peer_put(&p, say_send(id, "bob", "x"));
    }
    rig_settle(&rig);
    rig_take_error(&p, roam_v1_ErrorCode_TOO_MANY_COMMANDS);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_answers_that_did_not_leave_count_as_unanswered(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    p.stuck = true; /* answers come, and stay in the output */
    for (uint64_t id = 1; id <= rig.config.max_commands; id++) {
        /* Every other one is answered with an ERROR. */
        peer_say(&p, say_send(id, id % 2 == 0 ? "nobody" : "bob", "x"));
    }
    assert_int_equal(p.session->state, ROAM__IDLE);
    /* One answer leaves but for its last byte: still unanswered. */
    struct roam_slice waiting = roam_session_pending(p.session);
    size_t first = ROAM_FRAME_HEADER_BYTES + waiting.data[3];
    roam_session_sent(p.session, first - 1, rig.now);
    assert_int_equal(p.session->commands, rig.config.max_commands);
    roam_session_sent(p.session, 1, rig.now);
    assert_int_equal(p.session->commands, rig.config.max_commands - 1);
    peer_say(&p, say_send(100, "bob", "x"));
    assert_int_equal(p.session->state, ROAM__IDLE);
    peer_say(&p, say_send(101, "bob", "x"));
    assert_int_equal(p.session->state, ROAM__ENDING);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_window_in_sync_up_to_its_bounds(void **state)
{
    (void)state;
    static const struct {
        uint32_t max_unacked, max_inflated;
        bool good;
    } cases[] = {
        {ROAM_UNACKED_MIN, ROAM_INFLATED_MIN, true},
        {ROAM_UNACKED_MIN - 1, ROAM_INFLATED_MIN, false},
        {ROAM_UNACKED_MIN, ROAM_INFLATED_MIN - 1, false},
        {ROAM_UNACKED_MAX, ROAM_INFLATED_MAX, true},
        {ROAM_UNACKED_MAX + 1, ROAM_INFLATED_MAX, false},
        {ROAM_UNACKED_MAX, ROAM_INFLATED_MAX + 1, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig rig;
        struct peer p;
        start(&rig);
        peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
        struct roam_message *m = say_sync(0);
        m->u.sync.max_unacked = cases[i].max_unacked;
        m->u.sync.max_inflated = cases[i].max_inflated;
        peer_say(&p, m);
        if (cases[i].good) {
            rig_take(&p, ROAM_SYNC_OK);
        } else {
            rig_take_error(&p, roam_v1_ErrorCode_FIELD_RANGE);
        }
        peer_free(&p);
        rig_stop(&rig);
    }
}

static void test_connections_above_max_sessions_are_told_overloaded(void **st)
{
    (void)st;
    enum {
        MAX = 3
    };
    struct rig rig;
    struct peer peers[MAX];
    struct peer more;
    rig_init(&rig);
    rig.config.max_sessions = MAX;
    rig_start(&rig);
    for (int i = 0; i < MAX; i++) {
        peer_connect(&rig, &peers[i]);
    }
    rig_settle(&rig);
    rig_take_none(&peers[MAX - 1]);
    peer_connect(&rig, &more);
    rig_settle(&rig);
    const roam_v1_Kick *kick =
        &rig_take_kick(&more, roam_v1_KickReason_OVERLOADED)->u.kick;
    assert_int_equal(kick->retry, roam_v1_Retry_AFTER);
    assert_int_equal(kick->retry_after_ms, rig.config.retry_window_ms);
    peer_free(&more);
    peer_cut(&peers[0]); /* makes room for one */
    peer_connect(&rig, &more);
    peer_say(&more, say_login("alice", 1, PHONE, 1, 0));
    rig_take(&more, ROAM_LOGIN_OK);
    peer_free(&more);
    for (int i = 0; i < MAX; i++) {
        peer_free(&peers[i]);
    }
    rig_stop(&rig);
}

static void test_flood_beyond_overload_is_closed_without_a_word(void **state)
{
    (void)state;
    enum {
        TOLD = 64
    };
    struct rig rig;
    struct peer peers[TOLD];
    rig_init(&rig);
    rig.config.max_sessions = 0;
    rig_start(&rig);
    for (int i = 0; i < TOLD; i++) {
        peer_connect(&rig, &peers[i]);
        peers[i].stuck = true;
    }
    assert_null(roam_core_accept(rig.core, "flood", 0, rig.now));
    rig.now.mono_ms += 100; /* one more could be told, if one had gone */
    assert_null(roam_core_accept(rig.core, "flood", 0, rig.now));
    peer_free(&peers[0]);
    peer_connect(&rig, &peers[0]);
    for (int i = 0; i < TOLD; i++) {
        peer_free(&peers[i]);
    }
    rig_stop(&rig);
}

/* --------------------------------------------------------------- commands */

static void error_case(struct peer *p, const struct roam_message *m,
                       roam_v1_ErrorCode code)
{
    uint64_t id = m->u.send.client_msg_id;
    peer_say(p, m);
    const roam_v1_Error *e = &rig_take(p, ROAM_ERROR)->u.error;
    assert_int_equal(e->code, code);
    assert_int_equal(e->retry, roam_v1_Retry_NEVER);
    assert_int_equal(e->ref, id);
    rig_take_none(p);
}

static void test_command_errors_name_their_command_and_write_nothing(void **st)
{
    (void)st;
    struct rig rig;
    struct peer p;
    start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    peer_send(&p, 9, "bob", "first");
    error_case(&p, say_send(1, "nobody", "x"),
               roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    error_case(&p, say_send(9, "bob", "second"), roam_v1_ErrorCode_ID_REUSED);
    error_case(&p, say_send(9, "alice", "first"), roam_v1_ErrorCode_ID_REUSED);
    struct roam_message *m = say_send(9, "bob", "first");
    strcpy(m->u.send.content_type, "text/html");
    error_case(&p, m, roam_v1_ErrorCode_ID_REUSED);
    m = say_send(2, "bob", "x");
    m->u.send.kind = roam_v1_Kind_NOOP;
    error_case(&p, m, roam_v1_ErrorCode_KIND_UNKNOWN);
    m = say_send(3, "bob", "x");
    m->u.send.kind = (roam_v1_Kind)77;
    error_case(&p, m, roam_v1_ErrorCode_KIND_UNKNOWN);
    peer_say(&p, say_ping(1));
    assert_int_equal(rig_take(&p, ROAM_PONG)->u.pong.head, 1);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_repeated_send_gets_the_first_answer(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    uint64_t msg_id = peer_send(&p, 5, "bob", "once");
    peer_free(&p);
    peer_login(&rig, &p, "alice", 1, PHONE, 2, 0);
    rig.now.wall_ms += 1000;
    peer_say(&p, say_send(5, "bob", "once"));
    const roam_v1_SendOk *ok = &rig_take(&p, ROAM_SEND_OK)->u.send_ok;
    assert_true(ok->duplicate);
    assert_int_equal(ok->msg_id, msg_id);
    peer_say(&p, say_ping(1));
    assert_int_equal(rig_take(&p, ROAM_PONG)->u.pong.head, 1);
    struct roam_core_stats stats;
    roam_core_get_stats(rig.core, &stats);
    assert_int_equal(stats.sends, 1);
    assert_int_equal(stats.duplicates, 1);
    peer_free(&p);
    rig_stop(&rig);
}

static void payload_case(uint8_t type, const void *payload, uint8_t len,
                         roam_v1_ErrorCode code)
{
    struct rig rig;
    struct peer p;
    start(&rig);
    if (type == ROAM_LOGIN) {
        peer_connect(&rig, &p);
    } else {
        peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    }
    uint8_t frame[ROAM_FRAME_HEADER_BYTES + 64];
    roam_frame_put_header(frame, type, len);
    memcpy(frame + ROAM_FRAME_HEADER_BYTES, payload, len);
    peer_feed(&p, frame, ROAM_FRAME_HEADER_BYTES + len);
    rig_settle(&rig);
    rig_take_error(&p, code);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_broken_payloads_end_the_connection_with_their_code(void **st)
{
    (void)st;
    payload_case(ROAM_PING, "\x08", 1, roam_v1_ErrorCode_MALFORMED);
    payload_case(ROAM_PING, "\xff\xff\xff", 3, roam_v1_ErrorCode_MALFORMED);
    payload_case(ROAM_ACK, "", 0, roam_v1_ErrorCode_FIELD_RANGE);
    payload_case(ROAM_LOGIN, "", 0, roam_v1_ErrorCode_FIELD_RANGE);
    /* client_msg_id 1, conversation "\xff" */
    payload_case(ROAM_SEND, "\x09\1\0\0\0\0\0\0\0\x12\1\xff", 12,
                 roam_v1_ErrorCode_INVALID_UTF8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_before_login_up_to_its_limit_and_no_longer),
        cmocka_unit_test(test_frame_in_a_session_up_to_max_frame_and_no_longer),
        cmocka_unit_test(test_announced_length_costs_no_memory),
        cmocka_unit_test(test_body_up_to_max_body_and_no_longer),
        cmocka_unit_test(test_longest_body_with_longest_names_fits_the_frame),
        cmocka_unit_test(test_max_commands_unanswered_and_no_more),
        cmocka_unit_test(test_answers_that_did_not_leave_count_as_unanswered),
        cmocka_unit_test(test_window_in_sync_up_to_its_bounds),
        cmocka_unit_test(
            test_connections_above_max_sessions_are_told_overloaded),
        cmocka_unit_test(test_flood_beyond_overload_is_closed_without_a_word),
        cmocka_unit_test(
            test_command_errors_name_their_command_and_write_nothing),
        cmocka_unit_test(test_repeated_send_gets_the_first_answer),
        cmocka_unit_test(
            test_broken_payloads_end_the_connection_with_their_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
