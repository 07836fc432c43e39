/* SPDX-License-Identifier: Apache-2.0 */
/* HISTORY and CONVERSATIONS: what pages say, and what they cost. What they
 * must not be older than is claimed in test_core_overtaken.c. Spec: section
 * 8.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "core_pages.h"
#include "core_rig.h"

#define PHONE roam_v1_DeviceType_PHONE
#define DESKTOP roam_v1_DeviceType_DESKTOP

static void start(struct rig *rig)
{
    rig_init(rig);
    rig_start(rig);
}

static void stop(struct rig *rig, struct peer *a, struct peer *b)
{
    peer_free(a);
    if (b != NULL) {
        peer_free(b);
    }
    rig_stop(rig);
}

static void take_error(struct peer *p, uint64_t ref, roam_v1_ErrorCode code)
{
    const roam_v1_Error *e = &rig_take(p, ROAM_ERROR)->u.error;
    assert_int_equal(e->code, code);
    assert_int_equal(e->retry, roam_v1_Retry_NEVER);
    assert_true(e->ref == ref);
}

/* -------------------------------------------------------------- the pages */

static void test_history_walks_down_up_and_into_a_hole(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    uint64_t id[11] = {0};
    for (uint64_t i = 1; i <= 10; i++) {
        char body[32];
        snprintf(body, sizeof body, "message %u", (unsigned)i);
        id[i] = peer_send(&a, i, "bob", body);
    }
    static const struct {
        unsigned before, after, max_rows, first, last;
        bool more;
    } cases[] = {{0, 0, 1000, 1, 10, false}, {0, 0, 10, 1, 10, false},
                 {0, 0, 9, 2, 10, true},     {8, 0, 3, 5, 7, true},
                 {3, 0, 3, 1, 2, false},     {1, 0, 3, 1, 0, false},
                 {0, 3, 3, 4, 6, true},      {0, 3, 7, 4, 10, false},
                 {0, 10, 7, 1, 0, false},    {8, 3, 3, 5, 7, true},
                 {8, 3, 4, 4, 7, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct roam_message *m =
            say_history(i + 1, "bob", id[cases[i].before], id[cases[i].after]);
        m->u.history.max_rows = cases[i].max_rows;
        m->u.history.codecs = i % 2 == 0 ? 0 : ~0u;
        peer_say(&a, m);
        rig_expect_history(&a, i + 1, cases[i].first, cases[i].last,
                           cases[i].more);
    }
    stop(&rig, &a, NULL);
}

static void test_conversation_that_does_not_exist_is_an_error(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_say(&a, say_history(77, "nobody", 0, 0));
    take_error(&a, 77, roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    peer_say(&a, say_history(78, "bob", 0, 0)); /* the session goes on */
    rig_expect_history(&a, 78, 1, 0, false);
    stop(&rig, &a, NULL);
}

static void test_conversations_tell_each_newest_and_the_head(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_say(&a, say_conversations(1, 0, ""));
    struct rig_page page;
    rig_take_page(&a, ROAM_CONVERSATION_PAGE, 1, &page);
    assert_int_equal(page.count, 0);
    assert_int_equal(page.m.u.conversation_page.as_of, 0);
    free(page.buf);
    peer_send(&a, 1, "bob", "old");
    rig.now.wall_ms++;
    uint64_t to_bob = peer_send(&a, 2, "bob", "newer");
    rig.now.wall_ms++;
    uint64_t note = peer_send(&a, 3, "alice", "a note");
    struct roam_message *m = say_conversations(2, 0, "");
    m->u.conversations.max_rows = 1;
    peer_say(&a, m);
    rig_take_page(&a, ROAM_CONVERSATION_PAGE, 2, &page);
    assert_int_equal(page.count, 1);
    assert_true(page.more);
    assert_true(page.rows[0].msg_id == note);
    assert_int_equal(page.rows[0].client_msg_id, 3);
    assert_int_equal(page.m.u.conversation_page.as_of, 3);
    free(page.buf);
    peer_say(&a, say_conversations(3, note, "alice"));
    rig_take_page(&a, ROAM_CONVERSATION_PAGE, 3, &page);
    assert_int_equal(page.count, 1);
    assert_false(page.more);
    assert_true(page.rows[0].msg_id == to_bob);
    assert_memory_equal(page.rows[0].body.data, "newer", 5);
    free(page.buf);
    stop(&rig, &a, NULL);
}

static void test_pages_are_asked_for_before_sync_and_in_any_live_state(void **s)
{
    (void)s;
    struct rig rig;
    struct peer a;
    start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_send_many(&a, "bob", 1, 2);
    a.taken = a.in_len;
    peer_put(&a, say_sync(0));
    peer_put(&a, say_history(1, "bob", 0, 0));
    peer_put(&a, say_logout());
    rig_settle(&rig);
    rig_expect_history(&a, 1, 1, 2, false);
    rig_take_kick(&a, roam_v1_KickReason_LOGGED_OUT);
    peer_free(&a);
    peer_login(&rig, &a, "alice", 1, PHONE, 2, 2);
    peer_say(&a, say_history(2, "bob", 0, 0));
    rig_expect_history(&a, 2, 1, 2, false);
    stop(&rig, &a, NULL);
}

/* --------------------------------------------------------------- the limits */

static void test_fields_of_page_requests_up_to_their_bounds(void **state)
{
    (void)state;
    static const struct {
        uint32_t max_rows, max_inflated;
        bool good;
    } cases[] = {{1, ROAM_INFLATED_MIN, true},
                 {0, ROAM_INFLATED_MIN, false},
                 {1, ROAM_INFLATED_MIN - 1, false},
                 {ROAM_PAGE_ROWS_MAX, ROAM_INFLATED_MAX, true},
                 {ROAM_PAGE_ROWS_MAX + 1, ROAM_INFLATED_MAX, false},
                 {ROAM_PAGE_ROWS_MAX, ROAM_INFLATED_MAX + 1, false}};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        bool history = i % 2 == 0;
        struct rig rig;
        struct peer a;
        start(&rig);
        peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
        struct roam_message *m =
            history ? say_history(1, "bob", 0, 0) : say_conversations(1, 0, "");
        if (history) {
            m->u.history.max_rows = cases[i / 2].max_rows;
            m->u.history.max_inflated = cases[i / 2].max_inflated;
        } else {
            m->u.conversations.max_rows = cases[i / 2].max_rows;
            m->u.conversations.max_inflated = cases[i / 2].max_inflated;
        }
        peer_say(&a, m);
        if (cases[i / 2].good) {
            rig_take(&a, history ? ROAM_HISTORY_PAGE : ROAM_CONVERSATION_PAGE);
        } else {
            rig_take_error(&a, roam_v1_ErrorCode_FIELD_RANGE);
        }
        stop(&rig, &a, NULL);
    }
}

static const struct roam_message *any_command(uint64_t id)
{
    return id % 3 == 0   ? say_send(id, "bob", "x")
           : id % 3 == 1 ? say_history(id, id % 2 == 0 ? "bob" : "nobody", 0, 0)
                         : say_conversations(id, 0, "");
}

static void test_page_requests_are_commands_until_their_page_left(void **st)
{
    (void)st;
    struct rig rig;
    struct peer a;
    start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    uint32_t max = rig.config.max_commands;
    for (int round = 0; round < 3; round++) {
        for (uint64_t id = 1; id <= max; id++) {
            peer_put(&a, any_command(id));
        }
        assert_int_equal(a.session->commands, max);
        rig_settle(&rig);
        assert_int_equal(a.session->commands, 0);
    }
    a.stuck = true; /* answered, but the answers do not leave */
    for (uint64_t id = 1; id <= max; id++) {
        peer_say(&a, any_command(id));
    }
    assert_int_equal(a.session->commands, max);
    assert_int_equal(a.session->state, ROAM__IDLE);
    peer_say(&a, say_history(99, "bob", 0, 0));
    assert_int_equal(a.session->state, ROAM__ENDING);
    a.stuck = false;
    roam__session_ready(a.session);
    rig_settle(&rig);
    while (rig_peek(&a) != ROAM_KICK) {
        rig_take(&a, rig_peek(&a));
    }
    rig_take_error(&a, roam_v1_ErrorCode_TOO_MANY_COMMANDS);
    stop(&rig, &a, NULL);
}

/* A conversation of long bodies that hardly deflate. */
static void send_noise(struct peer *p, unsigned count, size_t len)
{
    char *body = malloc(len + 1);
    assert_non_null(body);
    uint32_t seed = 1;
    for (unsigned i = 0; i < count; i++) {
        for (size_t k = 0; k < len; k++) {
            seed = seed * 1664525u + 1013904223u;
            body[k] = (char)('!' + (seed >> 24) % 90);
        }
        body[len] = '\0';
        peer_send(p, i + 1, "bob", body);
    }
    free(body);
}

static void test_page_keeps_to_the_limits_and_has_the_newest(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    send_noise(&a, 40, 300);
    static const uint32_t limits[] = {ROAM_INFLATED_MIN, 2000, 5000, 10000,
                                      20000};
    for (size_t i = 0; i < 5; i++) {
        for (uint32_t codecs = 0; codecs <= 2; codecs += 2) {
            for (int up = 0; up < 2; up++) {
                struct rig_page page;
                struct roam_message *m = say_history(1, "bob", 0, up ? 1 : 0);
                m->u.history.max_inflated = limits[i];
                m->u.history.codecs = codecs;
                peer_say(&a, m);
                rig_take_page(&a, ROAM_HISTORY_PAGE, 1, &page);
                assert_true(page.m.u.history_page.inflated_size <= limits[i]);
                assert_true(page.count >= limits[i] / 600);
                assert_int_equal(page.more, page.count < 40);
                size_t first = up ? 1 : 41 - page.count;
                for (size_t k = 0; k < page.count; k++) {
                    assert_int_equal(page.rows[k].client_msg_id, first + k);
                }
                free(page.buf);
            }
        }
    }
    stop(&rig, &a, NULL);
}

/* Old messages are short and new ones long: what fits from the front of what
 * was read says little about its end. */
static void test_newest_are_found_when_only_a_few_fit_a_frame(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    start(&rig);
    peer_connect(&rig, &a);
    struct roam_message *m = say_login("alice", 1, PHONE, 1, 0);
    m->u.login.max_frame = 2000;
    peer_say(&a, m);
    rig_take(&a, ROAM_LOGIN_OK);
    for (uint64_t id = 1; id <= 30; id++) {
        peer_send(&a, 1000 + id, "bob", "x");
    }
    send_noise(&a, 10, 1000);
    for (uint32_t codecs = 0; codecs <= 2; codecs += 2) {
        struct rig_page page;
        m = say_history(1, "bob", 0, 0);
        m->u.history.codecs = codecs;
        peer_say(&a, m);
        rig_take_page(&a, ROAM_HISTORY_PAGE, 1, &page);
        assert_true(page.count >= 1 && page.count <= 2);
        assert_true(page.more);
        assert_int_equal(page.rows[page.count - 1].client_msg_id, 10);
        free(page.buf);
    }
    stop(&rig, &a, NULL);
}

static void test_body_is_cut_by_the_clients_limits_and_no_other(void **state)
{
    (void)state;
    static const struct {
        uint32_t max_frame, max_inflated;
        size_t len;
        bool cut;
    } cases[] = {{70000, 2000, 2000 - ROAM_ENTRY_OVERHEAD, false},
                 {70000, 2000, 2001 - ROAM_ENTRY_OVERHEAD, true},
                 {2000, 70000, 2000 - ROAM_ENTRY_OVERHEAD, false},
                 {2000, 70000, 2001 - ROAM_ENTRY_OVERHEAD, true}};
    for (size_t i = 0; i < 2 * sizeof cases / sizeof cases[0]; i++) {
        bool history = i % 2 == 0;
        struct rig rig;
        struct peer a;
        struct rig_page page;
        start(&rig);
        peer_connect(&rig, &a);
        struct roam_message *m = say_login("alice", 1, PHONE, 1, 0);
        m->u.login.max_frame = cases[i / 2].max_frame;
        peer_say(&a, m);
        rig_take(&a, ROAM_LOGIN_OK);
        send_noise(&a, 1, cases[i / 2].len);
        m = history ? say_history(1, "bob", 0, 0) : say_conversations(1, 0, "");
        *(history ? &m->u.history.max_inflated
                  : &m->u.conversations.max_inflated) =
            cases[i / 2].max_inflated;
        peer_say(&a, m);
        rig_take_page(&a, history ? ROAM_HISTORY_PAGE : ROAM_CONVERSATION_PAGE,
                      1, &page);
        assert_int_equal(page.count, 1);
        assert_int_equal(page.rows[0].cut_size,
                         cases[i / 2].cut ? cases[i / 2].len : 0);
        assert_int_equal(page.rows[0].body.len,
                         cases[i / 2].cut ? 0 : cases[i / 2].len);
        free(page.buf);
        stop(&rig, &a, NULL);
    }
}

/* The settings were lowered since: what was stored then still comes whole. */
static void test_body_longer_than_todays_settings_comes_whole(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    struct rig_page page;
    start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    send_noise(&a, 3, 9000);
    peer_free(&a);
    roam_core_free(rig.core);
    rig.config.max_body = 100;
    rig.config.max_inflated = 1;
    rig.config.output_max_bytes = 1;
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 2, 0);
    peer_say(&a, say_history(1, "bob", 0, 0));
    rig_take_page(&a, ROAM_HISTORY_PAGE, 1, &page);
    assert_int_equal(page.count, 1);
    assert_true(page.more);
    assert_int_equal(page.rows[0].body.len, 9000);
    assert_int_equal(page.rows[0].client_msg_id, 3);
    free(page.buf);
    stop(&rig, &a, NULL);
}

/* ------------------------------------------------------------- slow readers */

static void test_pages_behind_stuck_output_do_not_pile_up(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    rig_init(&rig);
    rig.config.max_body = 1000;
    rig.config.output_max_bytes = 4096;
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    send_noise(&a, 20, 900);
    a.stuck = true;
    for (uint64_t id = 1; id <= rig.config.max_commands; id++) {
        peer_say(&a, say_history(id, "bob", 0, 0));
    }
    /* One page beyond the bound, and a page is half of it. */
    size_t most = 4096 + 4096 / 2;
    assert_true(a.session->out.len > 4096 && a.session->out.len <= most);
    assert_non_null(a.session->pages);
    assert_int_equal(a.session->requests, 0); /* none is in the store */
    uint64_t pages = 0;
    a.stuck = false;
    while (roam_session_pending(a.session).len > 0) {
        /* Byte by byte: the bound holds at every moment. */
        struct roam_slice bytes = roam_session_pending(a.session);
        uint8_t *in = realloc(a.in, a.in_len + 1);
        assert_non_null(in);
        in[a.in_len++] = bytes.data[0];
        a.in = in;
        a.in_room = a.in_len;
        roam_session_sent(a.session, 1, rig.now);
        roam_core_poll(rig.core, rig.now);
        assert_true(a.session->out.len <= most);
    }
    while (rig_peek(&a) == ROAM_HISTORY_PAGE) {
        struct rig_page page;
        rig_take_page(&a, ROAM_HISTORY_PAGE, ++pages, &page);
        assert_int_equal(page.rows[page.count - 1].client_msg_id, 20);
        free(page.buf);
    }
    assert_int_equal(pages, rig.config.max_commands);
    assert_int_equal(a.session->commands, 0);
    stop(&rig, &a, NULL);
}

static void test_session_that_ends_drops_the_pages_it_waited_for(void **st)
{
    (void)st;
    for (int how = 0; how < 3; how++) {
        struct rig rig;
        struct peer a, winner;
        start(&rig);
        peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
        peer_send(&a, 1, "bob", "x");
        for (uint64_t id = 1; id <= 4; id++) { /* one in the store, 3 wait */
            peer_put(&a, say_history(id, "bob", 0, 0));
        }
        assert_int_equal(a.session->requests, 1);
        assert_non_null(a.session->pages);
        if (how == 0) { /* the connection breaks */
            peer_cut(&a);
            rig_settle(&rig);
            assert_null(rig.core->sessions);
        } else if (how == 1) { /* the slot is lost */
            peer_connect(&rig, &winner);
            peer_put(&winner, say_login("alice", 2, PHONE, 1, 1));
            rig_settle(&rig);
            rig_take(&a, ROAM_HISTORY_PAGE); /* was read before */
            rig_take_kick(&a, roam_v1_KickReason_TAKEN_OVER);
            peer_free(&winner);
        } else { /* the server stops */
            roam_core_drain(rig.core, rig.now);
            rig_settle(&rig);
            rig_take_kick(&a, roam_v1_KickReason_GOING_AWAY);
        }
        stop(&rig, &a, NULL);
    }
}

/* ---------------------------------------------------------------- no memory */

static long refuse_in;
static bool refuse(void)
{
    return refuse_in > 0 && --refuse_in == 0;
}

/* Returns whether allocation number n was reached at all. */
static bool page_with_nth_refused(long n, bool history, bool packer)
{
    struct rig rig;
    struct peer a, bob;
    start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    send_noise(&a, 3, 600);
    refuse_in = n;
    *(packer ? &roam__packer_refuse : &roam__alloc_refuse) = refuse;
    struct roam_message *m =
        history ? say_history(1, "bob", 0, 0) : say_conversations(1, 0, "");
    *(history ? &m->u.history.codecs : &m->u.conversations.codecs) = 2;
    peer_say(&a, m);
    roam__alloc_refuse = NULL;
    roam__packer_refuse = NULL;
    bool reached = refuse_in == 0;
    refuse_in = 0;
    if (reached) { /* this session alone ends, and may come back */
        if (rig_peek(&a) != 0) {
            rig_take_kick(&a, roam_v1_KickReason_OVERLOADED);
        }
        assert_null(a.session);
        peer_free(&a);
        peer_login(&rig, &a, "alice", 1, PHONE, 2, 0);
        peer_say(&a, history ? say_history(1, "bob", 0, 0)
                             : say_conversations(1, 0, ""));
    }
    rig_take(&a, history ? ROAM_HISTORY_PAGE : ROAM_CONVERSATION_PAGE);
    peer_say(&bob, say_ping(1));
    rig_take(&bob, ROAM_PONG);
    stop(&rig, &a, &bob);
    return reached;
}

static void test_any_single_allocation_of_a_page_may_fail(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        long n = 1;
        while (page_with_nth_refused(n, kind % 2 == 0, kind >= 2)) {
            n++;
        }
        assert_true(n > 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_history_walks_down_up_and_into_a_hole),
        cmocka_unit_test(test_conversation_that_does_not_exist_is_an_error),
        cmocka_unit_test(test_conversations_tell_each_newest_and_the_head),
        cmocka_unit_test(
            test_pages_are_asked_for_before_sync_and_in_any_live_state),
        cmocka_unit_test(test_fields_of_page_requests_up_to_their_bounds),
        cmocka_unit_test(test_page_requests_are_commands_until_their_page_left),
        cmocka_unit_test(test_page_keeps_to_the_limits_and_has_the_newest),
        cmocka_unit_test(test_newest_are_found_when_only_a_few_fit_a_frame),
        cmocka_unit_test(test_body_is_cut_by_the_clients_limits_and_no_other),
        cmocka_unit_test(test_body_longer_than_todays_settings_comes_whole),
        cmocka_unit_test(test_pages_behind_stuck_output_do_not_pile_up),
        cmocka_unit_test(test_session_that_ends_drops_the_pages_it_waited_for),
        cmocka_unit_test(test_any_single_allocation_of_a_page_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
