/* SPDX-License-Identifier: Apache-2.0 */
/* What sessions share, and must not take from each other: the loop's time,
 * the log's readers, memory for output. Spec: section 9.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core_rig.h"

#define PHONE roam_v1_DeviceType_PHONE
#define TABLET roam_v1_DeviceType_TABLET
#define DESKTOP roam_v1_DeviceType_DESKTOP

static const struct roam_rate ten = {10, 10000};

static void start(struct rig *rig)
{
    rig_init(rig);
    rig->config.heartbeat_ms = 60000;
}

/* Frames that may be skipped, in one read. */
static void feed_frames(struct peer *p, uint32_t payload, unsigned count)
{
    size_t each = ROAM_FRAME_HEADER_BYTES + payload;
    uint8_t *bytes = calloc(count, each);
    assert_non_null(bytes);
    for (unsigned i = 0; i < count; i++) {
        roam_frame_put_header(bytes + i * each, 0x80, payload);
    }
    peer_feed(p, bytes, count * each);
    free(bytes);
    rig_settle(p->rig);
}

/* ------------------------------------------------------------------- cost */

static void test_frames_up_to_the_cost_and_one_more(void **state)
{
    (void)state; /* [FLOW-9] */
    struct rig rig;
    struct peer p, other;
    start(&rig);
    rig.config.session_cost = ten;
    rig_start(&rig);
    peer_connect(&rig, &other);
    peer_connect(&rig, &p);
    feed_frames(&p, 300, 10);
    rig_take_none(&p);
    rig_pass(&rig, 1000);
    feed_frames(&p, 300, 1); /* one more has come back by now */
    rig_take_none(&p);
    feed_frames(&p, 300, 1);
    const struct roam_message *m =
        rig_take_kick(&p, roam_v1_KickReason_TOO_FAST);
    assert_int_equal(m->u.kick.retry, roam_v1_Retry_AFTER);
    assert_int_equal(m->u.kick.retry_after_ms, rig.config.retry_window_ms);
    feed_frames(&other, 300, 10); /* has its own */
    rig_take_none(&other);
    assert_int_equal(rig.core->stats.too_fast, 1);
    peer_free(&p);
    peer_free(&other);
    rig_stop(&rig);
}

static void test_tiny_reads_up_to_the_cost_and_one_more(void **state)
{
    (void)state; /* [FLOW-9] */
    struct rig rig;
    struct peer p;
    start(&rig);
    rig.config.session_cost = ten;
    rig_start(&rig);
    peer_connect(&rig, &p);
    uint8_t bytes[400] = {0};
    roam_frame_put_header(bytes, 0x80, 4000); /* more than will come */
    peer_feed(&p, bytes, 255);                /* the longest tiny one */
    for (int i = 1; i < 9; i++) {
        peer_feed(&p, bytes, 1);
    }
    peer_feed(&p, bytes, 0); /* a piece of a TLS record */
    for (int i = 0; i < 5; i++) {
        peer_feed(&p, bytes, 256); /* not tiny */
    }
    rig_settle(&rig);
    rig_take_none(&p);
    peer_feed(&p, bytes, 0);
    rig_settle(&rig);
    rig_take_kick(&p, roam_v1_KickReason_TOO_FAST);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_empty_read_is_no_sign_of_life(void **state)
{
    (void)state; /* [TIME-2], [TIME-4] */
    struct rig rig;
    struct peer p;
    start(&rig);
    rig_start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    for (int i = 0; i < 149; i++) {
        rig_pass(&rig, 1000);
        peer_feed(&p, "", 0);
        rig_settle(&rig);
        rig_take_none(&p);
    }
    rig_pass(&rig, 1000);
    rig_take_kick(&p, roam_v1_KickReason_IDLE);
    peer_free(&p);
    rig_stop(&rig);
}

/* ------------------------------------------------------------------ syncs */

static void test_syncs_up_to_the_rate_and_one_more(void **state)
{
    (void)state; /* [FLOW-9] */
    struct rig rig;
    struct peer p, sender;
    start(&rig);
    rig.config.user_rates[ROAM_RATE_SYNCS] = (struct roam_rate){3, 3000};
    rig_start(&rig);
    peer_login(&rig, &sender, "bob", 1, PHONE, 1, 0);
    peer_send_many(&sender, "alice", 1, 5);
    rig_settle(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    for (int i = 0; i < 3; i++) {
        peer_sync(&p, 0);
        p.cursor = 0;
        assert_int_equal(rig_catch_up(&p, NULL, NULL), 5);
    }
    peer_say(&p, say_sync(0));
    rig_take_kick(&p, roam_v1_KickReason_TOO_FAST);
    peer_free(&p);
    /* It comes back, and nothing is missing. */
    rig_pass(&rig, 1000);
    peer_login(&rig, &p, "alice", 1, PHONE, 2, 0);
    peer_sync(&p, 0);
    assert_int_equal(rig_catch_up(&p, NULL, NULL), 5);
    peer_free(&p);
    peer_free(&sender);
    rig_stop(&rig);
}

/* ---------------------------------------------------------------- backlog */

/* Entries that the rig's users cost: 64 and the body each. */
#define BODY 936u

static void send_bodies(struct rig *rig, struct peer *sender, const char *to,
                        uint64_t first, unsigned count)
{
    char body[BODY + 1];
    memset(body, 'x', BODY);
    body[BODY] = '\0';
    for (unsigned i = 0; i < count; i++) {
        peer_send(sender, first + i, to, body);
    }
    rig_settle(rig);
}

/* A rate of 10 such entries at once, and one each 100 ms; a read of at most
 * two. */
static void start_paced(struct rig *rig)
{
    start(rig);
    rig->config.max_body = BODY;
    rig->config.max_inflated = 2 * BODY;
    rig->config.user_rates[ROAM_RATE_BACKLOG_BYTES] =
        (struct roam_rate){10000, 1000};
    rig_start(rig);
}

/* So many entries of bob's wait for alice, who asks for them. */
static void begin_backlog(struct rig *rig, struct peer *sender, struct peer *p,
                          unsigned count)
{
    peer_login(rig, sender, "bob", 1, PHONE, 1, 0);
    send_bodies(rig, sender, "alice", 1, count);
    peer_login(rig, p, "alice", 1, PHONE, 1, 0);
    peer_put(p, say_sync(0));
    rig_settle(rig);
    assert_int_equal(rig_take(p, ROAM_SYNC_OK)->u.sync_ok.result,
                     roam_v1_SyncResult_DELTA);
}

static void test_backlog_pauses_and_comes_whole(void **state)
{
    (void)state; /* [FLOW-8] */
    struct rig rig;
    struct peer sender, p;
    start_paced(&rig);
    begin_backlog(&rig, &sender, &p, 60);
    size_t come = rig_catch_up(&p, NULL, NULL);
    assert_true(come >= 10 && come <= 12);
    for (uint64_t ms = 100; come < 60; ms += 100) {
        rig_pass(&rig, 100);
        come += rig_catch_up(&p, NULL, NULL);
        assert_true(come <= 12 + ms / 100);                   /* not faster */
        assert_true(come >= 60 || come + 1 >= 10 + ms / 100); /* nor slower */
        if (come < 60) {
            assert_int_equal(p.session->state, ROAM__DELIVERING);
        }
    }
    rig_take_none(&p);
    peer_free(&p);
    peer_free(&sender);
    rig_stop(&rig);
}

/* What pages bring counts with it: a page more waits as long as needed. */
static void test_pages_count_as_backlog(void **state)
{
    (void)state; /* [FLOW-2] */
    struct rig rig;
    struct peer sender, p;
    start_paced(&rig);
    peer_login(&rig, &sender, "bob", 1, PHONE, 1, 0);
    send_bodies(&rig, &sender, "alice", 1, 1);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    for (uint64_t ref = 1; ref <= 10; ref++) {
        peer_say(&p, say_history(ref, "bob", 0, 0));
        rig_take(&p, ROAM_HISTORY_PAGE);
    }
    peer_say(&p, say_conversations(11, 0, ""));
    const roam_v1_Error *e = &rig_take(&p, ROAM_ERROR)->u.error;
    assert_int_equal(e->code, roam_v1_ErrorCode_RATE_LIMITED);
    assert_int_equal(e->retry_after_ms, 1);
    rig_pass(&rig, 1);
    peer_say(&p, say_conversations(11, 0, ""));
    rig_take(&p, ROAM_CONVERSATION_PAGE);
    peer_free(&p);
    peer_free(&sender);
    rig_stop(&rig);
}

/* A page of one row, for which much is looked at, also when whoever asked is
 * gone before it comes. */
static void test_page_costs_what_was_looked_at(void **state)
{
    (void)state;
    struct rig rig;
    struct peer sender, p;
    start(&rig);
    rig.config.user_rates[ROAM_RATE_PAGES] = (struct roam_rate){10, 1000};
    rig_start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &sender, "bob", 1, PHONE, 1, 0);
    peer_send_many(&sender, "alice", 1, 300); /* the price of two pages */
    peer_free(&sender);
    unsigned answered = 0;
    uint8_t type = ROAM_CONVERSATION_PAGE;
    while (type == ROAM_CONVERSATION_PAGE) {
        struct roam_message *m = say_conversations(1, 0, "");
        m->u.conversations.max_rows = 1;
        peer_say(&p, m);
        type = rig_peek(&p);
        rig_take(&p, type);
        answered += type == ROAM_CONVERSATION_PAGE ? 1 : 0;
    }
    assert_int_equal(type, ROAM_ERROR);
    assert_int_equal(answered, 4); /* of ten */
    rig_pass(&rig, 2000);
    for (uint64_t attempt = 2; attempt <= 4; attempt++) {
        peer_put(&p, say_conversations(2, 0, ""));
        peer_cut(&p);
        rig_settle(&rig);
        peer_free(&p);
        peer_login(&rig, &p, "alice", 1, PHONE, attempt, 0);
    }
    peer_say(&p, say_conversations(2, 0, ""));
    rig_take(&p, ROAM_CONVERSATION_PAGE);
    peer_say(&p, say_conversations(2, 0, ""));
    assert_int_equal(rig_take(&p, ROAM_ERROR)->u.error.code,
                     roam_v1_ErrorCode_RATE_LIMITED);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_live_entries_do_not_pause(void **state)
{
    (void)state; /* [FLOW-8]: of a sibling whose backlog does */
    struct rig rig;
    struct peer sender, live, p;
    start_paced(&rig);
    peer_login(&rig, &sender, "bob", 1, PHONE, 1, 0);
    peer_join(&rig, &live, "alice", DESKTOP);
    send_bodies(&rig, &sender, "alice", 1, 30);
    assert_int_equal(rig_catch_up(&live, NULL, NULL), 30);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    peer_put(&p, say_sync(0));
    rig_settle(&rig);
    rig_take(&p, ROAM_SYNC_OK);
    assert_true(rig_catch_up(&p, NULL, NULL) < 30);
    assert_true(p.session->read_again_ms > rig.now.mono_ms);
    send_bodies(&rig, &sender, "alice", 100, 5);
    assert_int_equal(rig_catch_up(&live, NULL, NULL), 5);
    peer_say(&p, say_ping(7)); /* nor does anything else of its own */
    rig_catch_up(&p, NULL, NULL);
    assert_int_equal(rig_take(&p, ROAM_PONG)->u.pong.id, 7);
    peer_free(&live);
    peer_free(&p);
    peer_free(&sender);
    rig_stop(&rig);
}

static void test_new_sync_does_not_shorten_the_pause(void **state)
{
    (void)state;
    struct rig rig;
    struct peer sender, p;
    start_paced(&rig);
    peer_login(&rig, &sender, "bob", 1, PHONE, 1, 0);
    send_bodies(&rig, &sender, "alice", 1, 30);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    size_t come = 0;
    for (int i = 0; i < 10; i++) {
        peer_put(&p, say_sync(0));
        rig_settle(&rig);
        p.cursor = 0;
        rig_take(&p, ROAM_SYNC_OK);
        come += rig_catch_up(&p, NULL, NULL);
    }
    assert_true(come <= 12);
    peer_free(&p);
    peer_free(&sender);
    rig_stop(&rig);
}

/* So much time passes; the longest without an entry until p has so many. */
static uint64_t longest_pause(struct rig *rig, struct peer *p, uint64_t entries,
                              unsigned ms)
{
    uint64_t longest_ms = 0;
    uint64_t last_ms = rig->now.mono_ms;
    for (; ms > 0; ms--) {
        if (rig_catch_up(p, NULL, NULL) > 0 || p->cursor >= entries) {
            last_ms = rig->now.mono_ms;
        }
        rig_pass(rig, 1);
        uint64_t pause_ms = rig->now.mono_ms - last_ms;
        longest_ms = pause_ms > longest_ms ? pause_ms : longest_ms;
    }
    return longest_ms;
}

/* The smallest settings, where a read takes more than the rate gives back in
 * that time: many entries that are all head, and a crowd of pages before. */
static void test_no_pause_is_half_a_heartbeat(void **state)
{
    (void)state; /* [FLOW-8] */
    struct rig rig;
    struct peer sender, p;
    start(&rig);
    rig.config.heartbeat_ms = 1000;
    rig.config.max_body = 1;
    rig.config.max_inflated = ROAM_INFLATED_MIN;
    rig.config.user_rates[ROAM_RATE_BACKLOG_BYTES] =
        (struct roam_rate){1, 1000};
    rig_start(&rig);
    peer_login(&rig, &sender, "bob", 1, PHONE, 1, 0);
    for (uint64_t id = 1; id <= 3000; id++) {
        peer_send(&sender, id, "alice", "x");
    }
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    for (uint64_t ref = 1; ref <= rig.config.max_commands; ref++) {
        peer_put(&p, say_history(ref, "bob", 0, 0));
    }
    rig_settle(&rig);
    for (uint64_t ref = 1; ref <= rig.config.max_commands; ref++) {
        rig_take(&p, ROAM_HISTORY_PAGE);
    }
    struct roam_message *m = say_sync(0);
    m->u.sync.max_unacked = 3000;
    peer_say(&p, m);
    rig_take(&p, ROAM_SYNC_OK);
    assert_in_range(longest_pause(&rig, &p, 3000, 2000), 1, 499);
    assert_int_equal(p.cursor, 3000);
    peer_free(&p);
    peer_free(&sender);
    rig_stop(&rig);
}

static void test_silence_ends_a_session_whose_backlog_pauses(void **state)
{
    (void)state; /* [TIME-2] */
    struct rig rig;
    struct peer sender, p;
    start(&rig);
    rig.config.heartbeat_ms = 1000;
    rig.config.max_body = BODY;
    rig.config.max_inflated = BODY;
    rig.config.user_rates[ROAM_RATE_BACKLOG_BYTES] =
        (struct roam_rate){1, 100000}; /* raised to what is allowed */
    rig_start(&rig);
    begin_backlog(&rig, &sender, &p, 100);
    uint64_t longest_ms = longest_pause(&rig, &p, 100, 2499);
    assert_true(longest_ms < 500); /* half of the heartbeat [FLOW-8] */
    rig_pass(&rig, 1);
    rig_catch_up(&p, NULL, NULL);
    rig_take_kick(&p, roam_v1_KickReason_IDLE);
    peer_free(&p);
    peer_free(&sender);
    rig_stop(&rig);
}

/* What the store has is answered, though the pause ends before it is. */
static void test_drain_answers_a_session_whose_backlog_pauses(void **state)
{
    (void)state; /* [KICK-10] */
    struct rig rig;
    struct peer sender, p;
    start_paced(&rig);
    begin_backlog(&rig, &sender, &p, 30);
    rig_catch_up(&p, NULL, NULL);
    uint64_t pause_ms = p.session->read_again_ms - rig.now.mono_ms;
    assert_in_range(pause_ms, 1, rig.config.drain_ms - 1);
    peer_put(&p, say_send(1, "bob", "x"));
    roam_core_drain(rig.core, rig.now);
    rig.now.mono_ms += pause_ms; /* the store is not done yet */
    roam_core_tick(rig.core, rig.now);
    rig_settle(&rig);
    rig_take(&p, ROAM_SEND_OK);
    rig_take_kick(&p, roam_v1_KickReason_GOING_AWAY);
    peer_free(&p);
    peer_free(&sender);
    rig_stop(&rig);
}

/* ------------------------------------------------------------------ turns */

enum {
    CROWD = 60
};

static void add_crowd(struct rig *rig)
{
    char name[16];
    for (unsigned i = 0; i < CROWD; i++) {
        snprintf(name, sizeof name, "u%u", i);
        assert_true(roam_store_mem_add_user(rig->store, name));
        rig_add_tokens(rig, name);
    }
}

/* Each of the crowd has `count` entries waiting, and a connection. */
static void let_wait(struct rig *rig, struct peer *crowd, unsigned count)
{
    struct peer sender;
    char name[16];
    peer_login(rig, &sender, "bob", 1, PHONE, 1, 0);
    for (unsigned i = 0; i < CROWD; i++) {
        snprintf(name, sizeof name, "u%u", i);
        send_bodies(rig, &sender, name, 1000 * (i + 1), count);
        peer_login(rig, &crowd[i], name, 1, PHONE, 1, 0);
    }
    peer_free(&sender);
}

static void test_turn_of_the_loop_packs_a_bounded_number_of_bytes(void **st)
{
    (void)st;
    struct rig rig;
    static struct peer crowd[CROWD];
    start(&rig);
    rig.config.max_inflated = 20000;
    rig.config.max_body = BODY;
    rig_start(&rig);
    add_crowd(&rig);
    let_wait(&rig, crowd, 30);
    for (unsigned i = 0; i < CROWD; i++) {
        peer_put(&crowd[i], say_sync(0));
    }
    uint64_t most = 0;
    for (int turn = 0; turn < 200; turn++) {
        uint64_t before = rig.core->stats.packed_bytes;
        assert_int_equal(roam_core_poll(rig.core, rig.now), ROAM_STORE_OK);
        uint64_t packed = rig.core->stats.packed_bytes - before;
        most = packed > most ? packed : most;
        assert_true(packed <= ROAM__READERS_MAX * (20000 + 30 * 64));
        assert_true(rig.core->reads <= ROAM__READERS_MAX);
        rig_flush(&rig);
    }
    assert_true(most > 20000); /* some together, though */
    for (unsigned i = 0; i < CROWD; i++) {
        rig_take(&crowd[i], ROAM_SYNC_OK);
        assert_int_equal(rig_catch_up(&crowd[i], NULL, NULL), 30);
        peer_free(&crowd[i]);
    }
    assert_null(rig.core->turn_first);
    rig_stop(&rig);
}

/* One that has all the room there is gets no more than its share either. */
static void test_turn_packs_a_bounded_number_of_bytes_for_one(void **state)
{
    (void)state;
    const uint64_t most =
        ROAM__READ_MAX_BYTES + BODY + 64 * (ROAM__READ_MAX_BYTES / BODY + 2);
    struct rig rig;
    struct peer sender, p;
    start(&rig);
    rig.config.output_max_bytes = 1u << 24;
    rig_start(&rig);
    peer_login(&rig, &sender, "bob", 1, PHONE, 1, 0);
    send_bodies(&rig, &sender, "alice", 1, 400);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    peer_put(&p, say_sync(0));
    peer_put(&p, say_history(1, "bob", 0, 0));
    uint64_t turns = 0;
    while (rig.core->reads > 0 || p.session->state != ROAM__DELIVERING) {
        uint64_t before = rig.core->stats.packed_bytes;
        assert_int_equal(roam_core_poll(rig.core, rig.now), ROAM_STORE_OK);
        assert_true(rig.core->stats.packed_bytes - before <= most);
        rig_flush(&rig);
        turns++;
    }
    assert_true(turns > 400 * BODY / ROAM__READ_MAX_BYTES);
    /* The page is one of the turns, and short of what it might hold. */
    rig_take(&p, ROAM_SYNC_OK);
    size_t come = rig_catch_up(&p, NULL, NULL);
    const roam_v1_HistoryPage *page =
        &rig_take(&p, ROAM_HISTORY_PAGE)->u.history_page;
    assert_true(page->more);
    assert_true(page->inflated_size <= most);
    assert_int_equal(come + rig_catch_up(&p, NULL, NULL), 400);
    peer_free(&p);
    peer_free(&sender);
    rig_stop(&rig);
}

/* Pages and deliveries wait in one queue; who leaves it leaves it whole. */
static void test_readers_that_leave_the_queue_hold_up_nobody(void **state)
{
    (void)state;
    struct rig rig;
    static struct peer crowd[CROWD];
    start(&rig);
    rig_start(&rig);
    add_crowd(&rig);
    let_wait(&rig, crowd, 2);
    for (unsigned i = 0; i < CROWD; i++) {
        peer_put(&crowd[i], say_conversations(1, 0, ""));
    }
    assert_int_equal(rig.core->reads, ROAM__READERS_MAX);
    for (unsigned i = 0; i < CROWD; i += 3) {
        peer_cut(&crowd[i]); /* readers and waiting ones */
    }
    rig_settle(&rig);
    for (unsigned i = 0; i < CROWD; i++) {
        if (i % 3 != 0) {
            rig_take(&crowd[i], ROAM_CONVERSATION_PAGE);
        }
        peer_free(&crowd[i]);
    }
    assert_int_equal(rig.core->reads, 0);
    assert_null(rig.core->turn_first);
    assert_null(rig.core->turn_last);
    rig_stop(&rig);
}

/* ----------------------------------------------------------------- output */

/* [FLOW-11]: those that do not read hold at most the budget; the one with
 * the most goes first, and who reads loses nothing. */
static void test_output_of_all_together_is_bounded(void **state)
{
    (void)state;
    struct rig rig;
    static struct peer crowd[CROWD];
    struct peer sender, reader;
    start(&rig);
    rig.config.max_body = BODY;
    rig.config.output_max_bytes = 20000;
    rig.config.output_total_bytes = 100000;
    rig_start(&rig);
    add_crowd(&rig);
    peer_login(&rig, &sender, "bob", 1, TABLET, 1, 0);
    peer_join(&rig, &reader, "alice", PHONE);
    char name[16];
    for (unsigned i = 0; i < CROWD; i++) {
        snprintf(name, sizeof name, "u%u", i);
        peer_join(&rig, &crowd[i], name, PHONE);
        crowd[i].stuck = true;
    }
    for (unsigned k = 0; k < 12; k++) {
        for (unsigned i = 0; i < CROWD; i++) {
            snprintf(name, sizeof name, "u%u", i);
            send_bodies(&rig, &sender, name, 1 + k * CROWD + i, 1);
            assert_true(rig.core->output_bytes <= 100000);
        }
        send_bodies(&rig, &sender, "alice", 5000 + k, 1);
        assert_int_equal(rig_catch_up(&reader, NULL, NULL), 1);
    }
    /* Above half of it nobody gets a second frame: nobody had to go. */
    for (unsigned i = 0; i < CROWD; i++) {
        assert_non_null(crowd[i].session);
        peer_free(&crowd[i]);
    }
    assert_int_equal(rig.core->output_bytes, 0);
    peer_free(&sender);
    peer_free(&reader);
    rig_stop(&rig);
}

static void test_biggest_output_goes_when_there_is_too_much(void **state)
{
    (void)state; /* [FLOW-11] */
    struct rig rig;
    struct peer peers[3];
    static const roam_v1_DeviceType types[] = {PHONE, TABLET, DESKTOP};
    start(&rig);
    rig.config.max_body = BODY;
    rig.config.output_max_bytes = 5000;
    rig.config.output_total_bytes = 10000;
    rig_start(&rig);
    for (int i = 0; i < 3; i++) {
        peer_login(&rig, &peers[i], "alice", (uint8_t)(i + 1), types[i], 1, 0);
        peers[i].stuck = true;
    }
    /* PONGs are no delivery: up to 5,000 each wait. */
    while (rig.core->output_bytes + 2000 < 10000) {
        peer_say(&peers[0], say_ping(1u << 30));
        peer_say(&peers[1], say_ping(1u << 30));
    }
    peer_say(&peers[1], say_ping(1u << 30)); /* the biggest by one */
    for (int i = 0; i < 300; i++) {
        peer_say(&peers[2], say_ping(1u << 30));
    }
    assert_true(rig.core->output_bytes <= 10000);
    assert_null(peers[1].session);
    assert_non_null(peers[0].session);
    assert_non_null(peers[2].session);
    assert_string_not_equal(rig.log, "");
    assert_non_null(strstr(rig.log, "reason=TOO_SLOW"));
    for (int i = 0; i < 3; i++) {
        peer_free(&peers[i]);
    }
    rig_stop(&rig);
}

/* Delivery stops there, whatever waits in the log. */
static void test_output_of_one_is_bounded(void **state)
{
    (void)state; /* [TIME-5] bounds how long */
    struct rig rig;
    struct peer p, sender;
    start(&rig);
    rig.config.max_body = BODY;
    rig.config.max_inflated = 2000;
    rig.config.output_max_bytes = 8000;
    rig_start(&rig);
    peer_login(&rig, &sender, "bob", 1, PHONE, 1, 0);
    peer_join(&rig, &p, "alice", PHONE);
    p.stuck = true;
    for (uint64_t id = 1; id <= 40; id++) {
        send_bodies(&rig, &sender, "alice", id, 1);
        assert_true(p.session->out.len <= 8000);
    }
    assert_true(p.session->out.len > 4000);
    p.stuck = false;
    roam__session_ready(p.session);
    rig_settle(&rig);
    assert_int_equal(rig_catch_up(&p, NULL, NULL), 40);
    peer_free(&p);
    peer_free(&sender);
    rig_stop(&rig);
}

/* A frame is at most half the bound, so up to half there is room for one. */
static void test_output_has_room_up_to_half_its_bound(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p, sender;
    start(&rig);
    rig_start(&rig);
    peer_login(&rig, &sender, "bob", 1, PHONE, 1, 0);
    peer_join(&rig, &p, "alice", PHONE);
    p.stuck = true;
    peer_send_many(&sender, "alice", 1, 2);
    size_t waits = p.session->out.len;
    assert_true(waits > 0);
    rig.core->config.output_max_bytes = 2 * waits;
    assert_true(roam__session_has_room(p.session));
    rig.core->config.output_max_bytes = 2 * waits - 1;
    assert_false(roam__session_has_room(p.session));
    peer_free(&p);
    peer_free(&sender);
    rig_stop(&rig);
}

/* [FLOW-13]: what it says is heard, whatever waits for it. */
static void test_stuck_writing_does_not_stop_reading(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p, other;
    start(&rig);
    rig.config.max_body = BODY;
    rig.config.max_commands = 50;
    rig.config.output_max_bytes = 4000;
    rig_start(&rig);
    peer_join(&rig, &other, "bob", PHONE);
    peer_join(&rig, &p, "alice", PHONE);
    p.stuck = true;
    for (uint64_t id = 1; id <= 20; id++) { /* until it is full */
        send_bodies(&rig, &other, "alice", id, 1);
        rig_catch_up(&other, NULL, NULL);
    }
    assert_false(roam__session_has_room(p.session));
    for (uint64_t id = 1; id <= 40; id++) {
        peer_say(&p, say_send(id, "bob", "still talking"));
        peer_say(&p, say_ping(id));
        assert_int_equal(rig_catch_up(&other, NULL, NULL), 1);
    }
    assert_int_equal(p.session->state, ROAM__DELIVERING);
    peer_free(&p);
    peer_free(&other);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_up_to_the_cost_and_one_more),
        cmocka_unit_test(test_tiny_reads_up_to_the_cost_and_one_more),
        cmocka_unit_test(test_empty_read_is_no_sign_of_life),
        cmocka_unit_test(test_syncs_up_to_the_rate_and_one_more),
        cmocka_unit_test(test_backlog_pauses_and_comes_whole),
        cmocka_unit_test(test_pages_count_as_backlog),
        cmocka_unit_test(test_page_costs_what_was_looked_at),
        cmocka_unit_test(test_live_entries_do_not_pause),
        cmocka_unit_test(test_new_sync_does_not_shorten_the_pause),
        cmocka_unit_test(test_no_pause_is_half_a_heartbeat),
        cmocka_unit_test(test_silence_ends_a_session_whose_backlog_pauses),
        cmocka_unit_test(test_drain_answers_a_session_whose_backlog_pauses),
        cmocka_unit_test(test_turn_of_the_loop_packs_a_bounded_number_of_bytes),
        cmocka_unit_test(test_turn_packs_a_bounded_number_of_bytes_for_one),
        cmocka_unit_test(test_readers_that_leave_the_queue_hold_up_nobody),
        cmocka_unit_test(test_output_of_all_together_is_bounded),
        cmocka_unit_test(test_biggest_output_goes_when_there_is_too_much),
        cmocka_unit_test(test_output_of_one_is_bounded),
        cmocka_unit_test(test_output_has_room_up_to_half_its_bound),
        cmocka_unit_test(test_stuck_writing_does_not_stop_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
