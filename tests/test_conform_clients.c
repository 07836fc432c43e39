/* SPDX-License-Identifier: Apache-2.0 */
/* What the judge of clients says of a frame, and behind a fence, to the letter,
 * and what it says nothing of: each comparison from both sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

/* Before cmocka.h, which has macros of the same names. */
#include "client_case.h"
#include "client_role.h"

#include <cmocka.h>

#include "judge_rig.h"

#define LOGIN                                                                  \
    "LOGIN protocol=1 user=\"ann\" token=\"t\" device_id=text(16) "            \
    "device_type=PHONE attempt=2 max_frame=700"
#define SYNC "SYNC max_unacked=4 max_inflated=1024 cursor=3"
#define SEND "SEND client_msg_id=7 conversation=\"bob\""
#define FIRST SEND " content_type=t body=x"
#define NAMED "a take_over that no person decided on now"
#define OPENED "LOGIN-1: not the user, token or type of `open`"
#define CURSOR(n) "SYNC names " #n ", but what was served and stored ends at 3"

/* `first` has been sent before, and waits. */
static const struct probe {
    const char *frame, *says;
    enum conn_state state;
    uint64_t now_ms;
    struct sut sut;
    struct conn conn;
    const char *first;
    struct client_send sent;
} probes[] = {
    /* --------------------------------------------------------------- LOGIN */
    {LOGIN, "", .sut.person_waits = true},
    {LOGIN, "", .sut.has_id = true, .sut.attempt = 1},
    {LOGIN, "LOGIN-2: attempt 2 behind 2", .sut.has_id = true,
     .sut.attempt = 2},
    {LOGIN, "LOGIN-17: the same device_id behind STALE", .sut.has_id = true,
     .sut.must_change_id = true},
    {LOGIN " take_over=5", "LOGIN-3: " NAMED, .state = CONN_OPEN},
    {LOGIN " take_over=5", "", .sut.may_take_over = 5},
    {LOGIN " take_over=5", "LOGIN-3: " NAMED, .sut.may_take_over = 4},
    {LOGIN " take_over=5", "", .sut.free_repeat = true, .sut.generation = 5,
     .sut.stay_out = "LOGIN-18"},
    {LOGIN " take_over=5", "LOGIN-3: " NAMED, .sut.free_repeat = true,
     .sut.generation = 4},
    {LOGIN, "KICK-7: the client logs in again, and nobody told it to",
     .sut.stay_out = "KICK-7"},
    {LOGIN, "", .sut.stay_out = "KICK-7", .sut.person_waits = true},
    {LOGIN, "FLOW-6: LOGIN before retry_after_ms have passed", .now_ms = 99,
     .sut.login_from_ms = 100},
    {LOGIN, "", .now_ms = 100, .sut.login_from_ms = 100},
    {LOGIN, "", .now_ms = 99, .sut.login_from_ms = 100,
     .sut.person_waits = true},
    {LOGIN " user=\"bob\"", OPENED, .state = CONN_OPEN},
    {LOGIN " token=\"u\"", OPENED, .state = CONN_OPEN},
    {LOGIN " device_type=WEB", OPENED, .state = CONN_OPEN},
    {LOGIN, "TLS-3: LOGIN to a server that shows: expired",
     .conn.is_doubtful = true, .conn.shown = "expired"},
    {LOGIN, "LOGIN-4: LOGIN while one is under way, or in a session",
     .state = CONN_LOGIN},
    {LOGIN, "LOGIN-1: LOGIN while one is under way, or in a session",
     .state = CONN_SESSION},
    /* ---------------------------------------------------------------- form */
    {SEND " body=text(4079)", "LOGIN-1: it comes without a session",
     .state = CONN_OPEN},
    {SEND " body=text(4080)", "FRAME-16: a payload of 4097 bytes",
     .state = CONN_OPEN},
    {SEND " body=text(4079)", "", .state = CONN_SESSION,
     .conn.max_frame = 4096},
    {SEND " body=text(4080)", "FRAME-16: a payload of 4097 bytes",
     .state = CONN_SESSION, .conn.max_frame = 4096},
    {"PONG id=1", "FRAME-1: a frame that no client sends",
     .state = CONN_SESSION},
    {"PING id=1", "", .state = CONN_SESSION},
    {"PING id=1", "LOGIN-4: it comes before the answer to LOGIN",
     .state = CONN_LOGIN},
    {"PING id=1", "FRAME-8: a frame behind LOGOUT", .state = CONN_SESSION,
     .conn.logout_came = true},
    {"PONG id=1", "", .state = CONN_ENDING},
    {"PONG id=1", "", .state = CONN_SESSION, .conn.must_end = "FRAME-14"},
    /* ---------------------------------------------------------------- SYNC */
    {SYNC, "", .state = CONN_SESSION, .sut.cursor = 3},
    {SYNC, "LOGIN-1: SYNC without a LOGIN", .sut.cursor = 3},
    {SYNC, "SYNC-6: a second SYNC before the answer to the first",
     .state = CONN_SESSION, .sut.cursor = 3, .conn.sync_open = true},
    {SYNC, "LOGIN-4: a second SYNC before the answer to the first",
     .state = CONN_LOGIN, .sut.cursor = 3, .conn.sync_open = true},
    {SYNC " cursor=4", "CHAIN-6: " CURSOR(4), .state = CONN_SESSION,
     .sut.cursor = 3},
    {SYNC " cursor=2", "CHAIN-7: " CURSOR(2), .state = CONN_LOGIN,
     .sut.cursor = 3},
    {SYNC " cursor=2", "SYNC-9: " CURSOR(2), .state = CONN_LOGIN,
     .sut.cursor = 3, .sut.by_reset = true},
    {SYNC " cursor=5", "", .state = CONN_LOGIN, .sut.cursor = 0,
     .sut.floor = 5},
    {SYNC " cursor=5", "CHAIN-7: " CURSOR(5), .state = CONN_LOGIN,
     .sut.cursor = 3, .sut.floor = 5},
    {SYNC " codecs=2", "BATCH-9: a codec is offered behind a bad batch",
     .state = CONN_SESSION, .sut.cursor = 3, .sut.bad_cursor = 3,
     .sut.bad_batches = 1},
    {SYNC " codecs=1", "", .state = CONN_SESSION, .sut.cursor = 3,
     .sut.bad_cursor = 3, .sut.bad_batches = 1},
    {SYNC " codecs=2", "", .state = CONN_SESSION, .sut.cursor = 3,
     .sut.bad_cursor = 2, .sut.bad_batches = 1},
    {SYNC " max_entries=1", "", .state = CONN_SESSION, .sut.cursor = 3,
     .sut.bad_cursor = 3, .sut.bad_batches = 1},
    {SYNC " max_entries=1",
     "BATCH-9: entries are wanted behind two bad batches",
     .state = CONN_SESSION, .sut.cursor = 3, .sut.bad_cursor = 3,
     .sut.bad_batches = 2},
    /* ----------------------------------------------------------------- ACK */
    {"ACK version=3", "ACK-1: ACK before any entry was served",
     .state = CONN_SESSION, .sut.cursor = 3, .conn.last_sent = 3},
    {"ACK version=3", "", .state = CONN_SESSION, .sut.cursor = 3,
     .conn.last_sent = 3, .conn.is_delivering = true},
    {"ACK version=4",
     "ACK-1: 4 is acknowledged, but only what ends at 3 is stored",
     .state = CONN_SESSION, .sut.cursor = 3, .conn.last_sent = 4,
     .conn.is_delivering = true},
    {"ACK version=4",
     "ACK-1 CHAIN-6: 4 is acknowledged, but only what ends at 3 is stored",
     .state = CONN_SESSION, .sut.cursor = 3, .sut.owes_sync = true,
     .conn.last_sent = 4, .conn.is_delivering = true},
    {"ACK version=3", "ACK-1: ACK above the last version of this delivery",
     .state = CONN_SESSION, .sut.cursor = 3, .conn.last_sent = 2,
     .conn.is_delivering = true},
    {"ACK version=3", "", .state = CONN_SESSION, .sut.cursor = 3,
     .conn.last_sent = 2, .conn.is_delivering = true, .conn.sync_open = true},
    /* ------------------------------------------------------------ commands */
    {SEND, "", .state = CONN_SESSION, .conn.command_count = 3},
    {SEND, "SEND-12: 5 commands are unanswered", .state = CONN_SESSION,
     .conn.command_count = 4},
    {"HISTORY ref=1 conversation=\"bob\" max_rows=1 max_inflated=1024",
     "SEND-12: 5 commands are unanswered", .state = CONN_SESSION,
     .conn.command_count = 4},
    {FIRST, "", .state = CONN_SESSION, .first = FIRST},
    {FIRST " body=y", "SEND-13: the same client_msg_id with another content",
     .state = CONN_SESSION, .first = FIRST},
    {FIRST " body=xx", "SEND-13: the same client_msg_id with another content",
     .state = CONN_SESSION, .first = FIRST},
    {FIRST " content_type=u",
     "SEND-13: the same client_msg_id with another content",
     .state = CONN_SESSION, .first = FIRST},
    {FIRST " conversation=\"carl\"",
     "SEND-13: the same client_msg_id with another content",
     .state = CONN_SESSION, .first = FIRST},
    {FIRST " kind=APP", "SEND-13: the same client_msg_id with another content",
     .state = CONN_SESSION, .first = FIRST},
    {FIRST, "SEND-13: a message that was answered comes again",
     .state = CONN_SESSION, .first = FIRST, .sent.is_done = true},
    {FIRST, "SEND-15: a message that was answered comes again",
     .state = CONN_SESSION, .first = FIRST, .sent.is_done = true,
     .sent.by_entry = true},
    {SEND, "FLOW-4: a SEND before retry_after_ms have passed",
     .state = CONN_SESSION, .now_ms = 99, .sut.sends_from_ms = 100,
     .sut.is_told_when = true},
    {SEND, "FLOW-14: a SEND before the time where none was told",
     .state = CONN_SESSION, .now_ms = 99, .sut.sends_from_ms = 100},
    {SEND, "", .state = CONN_SESSION, .now_ms = 100, .sut.sends_from_ms = 100},
    {SEND " client_msg_id=8",
     "FLOW-4: a SEND while others wait for an answer, behind RATE_LIMITED",
     .state = CONN_SESSION, .conn.is_limited = true, .first = FIRST,
     .sent.last_conn = &probes[0].conn},
    {SEND " client_msg_id=8", "", .state = CONN_SESSION,
     .conn.is_limited = true, .first = FIRST, .sent.last_conn = &probes[0].conn,
     .sent.is_done = true},
    {SEND " client_msg_id=8", "", .state = CONN_SESSION,
     .conn.is_limited = true, .first = FIRST},
    {FIRST, "", .state = CONN_SESSION, .now_ms = 110, .sut.dedup_ms = 100,
     .first = FIRST, .sent.first_at_ms = 10},
    {FIRST, "SEND-14: a repetition later than dedup_ms", .state = CONN_SESSION,
     .now_ms = 111, .sut.dedup_ms = 100, .first = FIRST,
     .sent.first_at_ms = 10},
};

/* What stands around a frame: a device that was opened as ann's phone. */
struct scene {
    struct stage g;
    struct sut sut;
    struct conn conn;
    struct client_send sends[2];
    uint64_t open_commands[8], flight[8];
    struct user user;
    struct device_decl decl;
    struct installation installation;
    struct device device;
};

static const struct scenario nothing = {.id = "x", .path = "x"};

static void set(struct scene *s, const struct probe *p)
{
    *s = (struct scene){.g = {.world = {.s = &nothing}, .now_ms = p->now_ms},
                        .sut = p->sut,
                        .conn = p->conn,
                        .user = {.name = "ann"},
                        .decl = {.name = "ann"}};
    s->device = (struct device){.decl = &s->decl,
                                .user = &s->user,
                                .installation = &s->installation,
                                .token = "t",
                                .type = ROAM__V1__DEVICE_TYPE__PHONE};
    s->sut.device = &s->device;
    s->sut.conn = &s->conn;
    memcpy(s->sut.device_id, "abcdefghijklmnop", 16);
    s->conn.subject = &s->sut;
    s->conn.state = p->state;
    s->conn.fd = -1;
    s->conn.max_commands = 4;
    s->conn.max_frame = s->conn.max_frame ? s->conn.max_frame : 4096;
    s->conn.open_commands = s->open_commands;
    s->conn.command_cap = 8;
    s->conn.flight = s->flight;
    s->conn.flight_cap = 8;
    s->sut.sends = s->sends;
    s->sut.send_cap = 2;
    if (p->first) {
        s->sends[0] = p->sent;
        s->sends[0].client_msg_id = 7;
        s->sends[0].first = (Roam__V1__Send *)rig_frame(p->first)->msg;
        s->sends[0].last_conn = p->sent.last_conn ? &s->conn : NULL;
        s->sut.send_count = 1;
    }
}

static void expect(const struct scene *s, bool good, const char *about,
                   const char *says)
{
    const struct failure *f = &s->g.world.failure;
    assert_int_equal(good, !f->happened);
    rig_expect(about, good, f->rules, f->what, says);
}

static void test_of_a_frame_of_a_client(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
        struct scene s;
        set(&s, &probes[i]);
        bool good =
            client_judge_frame(&s.g, &s.conn, rig_frame(probes[i].frame));
        expect(&s, good, probes[i].frame, probes[i].says);
    }
}

/* [TLS-5]: its server is the harness. */
static void test_a_login_names_the_length_of_records(void **state)
{
    (void)state;
    struct scene s;
    set(&s, &probes[0]);
    assert_true(client_judge_frame(&s.g, &s.conn, rig_frame(LOGIN)));
    assert_int_equal(s.conn.record_max, 700);
}

static void test_a_take_over_is_used_once(void **state)
{
    (void)state;
    struct scene s;
    const struct probe p = {
        .state = CONN_OPEN,
        .sut = {.may_take_over = 5, .free_repeat = true, .generation = 5}};
    set(&s, &p);
    for (int i = 0; i < 2; i++) {
        s.conn.state = CONN_OPEN;
        const char *again =
            i ? LOGIN " take_over=5 attempt=3" : LOGIN " take_over=5";
        bool good = client_judge_frame(&s.g, &s.conn, rig_frame(again));
        expect(&s, good, again, i ? "LOGIN-3: " NAMED : "");
    }
}

static void test_an_ack_takes_out_of_flight_what_it_names(void **state)
{
    (void)state;
    struct scene s;
    const struct probe p = {.state = CONN_SESSION,
                            .sut = {.cursor = 3},
                            .conn = {.last_sent = 3, .is_delivering = true}};
    set(&s, &p);
    for (size_t i = 0; i < 3; i++) {
        s.flight[i] = i + 1;
    }
    s.conn.flight_count = 3;
    assert_true(client_judge_frame(&s.g, &s.conn, rig_frame("ACK version=2")));
    assert_int_equal(s.conn.flight_count, 1);
    assert_int_equal(s.flight[0], 3);
    assert_int_equal(s.conn.acked, 2);
}

/* ---------------------------------------------------------- behind a fence */

#define UNSENT "SEND-13: message 7 has no answer and is not sent again"

static const struct fenced {
    const char *about, *says;
    size_t flight; /* entries, from version 1 on */
    struct probe p;
} fenced[] = {
    {"nothing", "", 0, .p.state = CONN_SESSION},
    {"a gap", "CHAIN-6: no SYNC behind a gap", 0, .p.state = CONN_SESSION,
     .p.sut.owes_sync = true},
    {"a gap, and the end of it", "", 0, .p.state = CONN_ENDING,
     .p.sut.owes_sync = true},
    {"less than half a window", "", 3, .p.state = CONN_SESSION,
     .p.sut.cursor = 4, .p.conn.is_delivering = true, .p.conn.window = 8},
    {"half a window",
     "ACK-2: 4 entries are stored and not acknowledged, the window is 8", 4,
     .p.state = CONN_SESSION, .p.sut.cursor = 4, .p.conn.is_delivering = true,
     .p.conn.window = 8},
    {"half a window, not all of it stored", "", 4, .p.state = CONN_SESSION,
     .p.sut.cursor = 3, .p.conn.is_delivering = true, .p.conn.window = 8},
    {"half a window, and a SYNC", "", 4, .p.state = CONN_SESSION,
     .p.sut.cursor = 4, .p.conn.is_delivering = true, .p.conn.window = 8,
     .p.conn.sync_open = true},
    {"a message that waits", UNSENT, 0, .p.state = CONN_SESSION,
     .p.first = FIRST},
    {"a message that was answered", "", 0, .p.state = CONN_SESSION,
     .p.first = FIRST, .p.sent.is_done = true},
    {"a message that was sent here", "", 0, .p.state = CONN_SESSION,
     .p.first = FIRST, .p.sent.last_conn = &probes[0].conn},
    {"just not too late", UNSENT, 0, .p.state = CONN_SESSION, .p.first = FIRST,
     .p.now_ms = 110, .p.sut.dedup_ms = 100, .p.sent.first_at_ms = 10},
    {"too late", "", 0, .p.state = CONN_SESSION, .p.first = FIRST,
     .p.now_ms = 111, .p.sut.dedup_ms = 100, .p.sent.first_at_ms = 10},
    {"told to wait", "", 0, .p.state = CONN_SESSION, .p.first = FIRST,
     .p.now_ms = 9, .p.sut.dedup_ms = 100, .p.sut.sends_from_ms = 10},
    {"done with waiting", UNSENT, 0, .p.state = CONN_SESSION, .p.first = FIRST,
     .p.now_ms = 10, .p.sut.dedup_ms = 100, .p.sut.sends_from_ms = 10},
    {"no room for a command", "", 0, .p.state = CONN_SESSION, .p.first = FIRST,
     .p.conn.command_count = 4},
    {"room for one command", UNSENT, 0, .p.state = CONN_SESSION,
     .p.first = FIRST, .p.conn.command_count = 3},
};

static void test_behind_a_fence(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof fenced / sizeof fenced[0]; i++) {
        const struct fenced *f = &fenced[i];
        struct scene s;
        set(&s, &f->p);
        s.conn.fd = 0; /* open: nothing is read or written */
        for (size_t k = 0; k < f->flight; k++) {
            s.flight[k] = k + 1;
        }
        s.conn.flight_count = f->flight;
        expect(&s, client_judge_fenced(&s.g, &s.sut), f->about, f->says);
    }
}

static void test_what_was_served_is_told(void **state)
{
    (void)state;
    const struct probe p = {.state = CONN_SESSION};
    struct scene s;
    struct row row = {
        .push = (const Roam__V1__Push *)rig_frame("PUSH version=5")->msg};
    set(&s, &p);
    s.sut.told = &row;
    s.sut.told_count = s.sut.told_at = 1;
    assert_true(client_judge_fenced(&s.g, &s.sut));
    s.sut.told_at = 0;
    expect(&s, client_judge_fenced(&s.g, &s.sut), "an entry",
           "CHAIN-4: the entry of version 5 was served and not told");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_a_frame_of_a_client),
        cmocka_unit_test(test_a_login_names_the_length_of_records),
        cmocka_unit_test(test_a_take_over_is_used_once),
        cmocka_unit_test(test_an_ack_takes_out_of_flight_what_it_names),
        cmocka_unit_test(test_behind_a_fence),
        cmocka_unit_test(test_what_was_served_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
