/* SPDX-License-Identifier: Apache-2.0 */
/* What the core makes of a commit that fails, of a store that restarts, and
 * of memory that runs out at any point: nothing that was confirmed is lost,
 * nothing comes twice, nobody but the one concerned notices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "core_rig.h"

#define PHONE roam_v1_DeviceType_PHONE
#define DESKTOP roam_v1_DeviceType_DESKTOP

/* -------------------------------------------------------- unknown outcomes */

static void failed_commit_case(bool committed)
{
    struct rig rig;
    struct peer a, bob, desktop;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    peer_sync(&bob, 0);
    peer_connect(&rig, &desktop);
    roam_store_mem_fail_next(rig.store, committed);
    peer_put(&a, say_send(1, "bob", "unknown"));
    peer_put(&desktop, say_login("alice", 2, DESKTOP, 1, 0));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(roam_core_poll(rig.core, rig.now), ROAM_STORE_FAILED);
        rig_flush(&rig);
    }
    rig_take_none(&a);
    rig_take_none(&bob);
    rig_take_none(&desktop);
    peer_free(&a);
    peer_free(&bob);
    peer_free(&desktop);
    /* The process ends and comes back; the client repeats. */
    roam_core_free(rig.core);
    roam_store_mem_restart(rig.store, false);
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 2, 0);
    peer_login(&rig, &bob, "bob", 1, PHONE, 2, 0);
    peer_sync(&bob, 0);
    peer_say(&a, say_send(1, "bob", "unknown"));
    assert_int_equal(rig_take(&a, ROAM_SEND_OK)->u.send_ok.duplicate,
                     committed);
    assert_int_equal(rig_catch_up(&bob, NULL, NULL), 1);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

static void test_failed_commit_answers_nobody_and_repeating_finds_out(void **s)
{
    (void)s;
    failed_commit_case(false);
    failed_commit_case(true);
}

static void test_answer_lost_in_a_restart_is_found_by_repeating(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 1, 0);
    peer_put(&a, say_send(1, "bob", "stored"));
    peer_free(&a);
    roam_core_free(rig.core);
    roam_store_mem_restart(rig.store, true);
    rig_start(&rig);
    peer_login(&rig, &a, "alice", 1, PHONE, 2, 0);
    peer_say(&a, say_send(1, "bob", "stored"));
    assert_true(rig_take(&a, ROAM_SEND_OK)->u.send_ok.duplicate);
    peer_free(&a);
    rig_stop(&rig);
}

static void test_session_that_dies_with_requests_in_the_store(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    peer_sync(&bob, 0);
    /* One request of every kind is under way when its connection breaks. */
    peer_connect(&rig, &a);
    peer_put(&a, say_login("alice", 1, PHONE, 1, 0));
    peer_free(&a);
    peer_login(&rig, &a, "alice", 1, PHONE, 2, 0);
    peer_put(&a, say_sync(0));
    peer_free(&a);
    peer_login(&rig, &a, "alice", 1, PHONE, 3, 0);
    peer_put(&a, say_send(1, "bob", "still delivered"));
    peer_free(&a);
    rig_settle(&rig);
    assert_int_equal(rig_catch_up(&bob, NULL, NULL), 1);
    peer_login(&rig, &a, "alice", 1, PHONE, 4, 0);
    peer_put(&a, say_sync(0));
    roam_core_poll(rig.core, rig.now); /* now a READ is under way */
    assert_true(a.session->reading);
    peer_free(&a);
    peer_login(&rig, &a, "alice", 1, PHONE, 5, 0);
    peer_put(&a, say_logout());
    peer_free(&a);
    rig_settle(&rig);
    assert_null(rig.core->sessions->next); /* bob's is the only one left */
    peer_connect(&rig, &a);
    peer_say(&a, say_login("alice", 1, PHONE, 6, 0));
    assert_int_equal(rig_take(&a, ROAM_REFUSED)->u.refused.reason,
                     roam_v1_RefusedReason_FREE);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

/* ------------------------------------------------------------- no memory */

/* Refuses the nth allocation from now on, once. */
static long refuse_in = 0;
static bool refuse(void)
{
    return refuse_in > 0 && --refuse_in == 0;
}

#define MESSAGES 12

/* A device that never gives up: reconnects, repeats, checks what it gets. */
struct device {
    struct peer peer;
    const char *user;
    roam_v1_DeviceType type;
    uint64_t attempt;
    bool live;
    uint64_t answered; /* SENDs, in order: one at a time */
    uint64_t got;      /* messages, in order */
};

struct world {
    struct rig rig;
    struct device devices[3]; /* 0 sends to bob; 1 its sibling; 2 bob */
};

static void apply_body(struct device *d, uint32_t kind, struct roam_slice body)
{
    if (kind == roam_v1_Kind_MESSAGE) {
        assert_int_equal(body.len, 400);
        assert_int_equal(body.data[0], 'a' + d->got);
    }
    d->got++;
}

static void note_entry(void *ctx, const struct roam_entry *e)
{
    apply_body(ctx, e->kind, e->body);
}

static void read_frames(struct device *d)
{
    uint8_t type;
    while ((type = rig_peek(&d->peer)) != 0) {
        switch (type) {
        case ROAM_PUSH:
        case ROAM_BATCH:
            rig_catch_up(&d->peer, note_entry, d);
            break;
        case ROAM_SEND_OK:
            assert_int_equal(rig_take(&d->peer, type)->u.send_ok.client_msg_id,
                             d->answered + 1);
            d->answered++;
            break;
        case ROAM_LOGIN_OK:
            d->live = true;
            rig_take(&d->peer, type);
            break;
        case ROAM_KICK:
            assert_int_equal(rig_take(&d->peer, type)->u.kick.reason,
                             roam_v1_KickReason_OVERLOADED);
            rig_take_none(&d->peer);
            break;
        default:
            assert_int_equal(
                rig_take(&d->peer, ROAM_SYNC_OK)->u.sync_ok.result !=
                    roam_v1_SyncResult_RESET,
                1);
            break;
        }
    }
}

static void drop_peer(struct device *d)
{
    uint64_t cursor = d->peer.cursor;
    peer_free(&d->peer);
    memset(&d->peer, 0, sizeof d->peer);
    d->peer.rig = NULL;
    d->peer.cursor = cursor;
    d->live = false;
}

/* The process is gone with all connections; what it was asked meanwhile is
 * not stored. */
static void restart(struct world *w)
{
    for (size_t i = 0; i < 3; i++) {
        if (w->devices[i].peer.rig != NULL) {
            drop_peer(&w->devices[i]);
        }
    }
    roam_core_free(w->rig.core);
    roam_store_mem_restart(w->rig.store, false);
    w->rig.core = roam_core_new(&w->rig.config);
    if (w->rig.core == NULL) { /* refused, once */
        w->rig.core = roam_core_new(&w->rig.config);
    }
    assert_non_null(w->rig.core);
}

static void settle(struct world *w)
{
    for (int round = 0; round < 12; round++) {
        rig_flush(&w->rig);
        if (roam_core_poll(w->rig.core, w->rig.now) != ROAM_STORE_OK) {
            restart(w);
            return;
        }
        rig_flush(&w->rig);
    }
    for (size_t i = 0; i < 3; i++) {
        if (w->devices[i].peer.rig != NULL) {
            read_frames(&w->devices[i]);
        }
    }
}

/* In two halves, so that an unfinished frame needs memory, too. */
static void put(struct device *d, const struct roam_message *m)
{
    uint8_t bytes[1024];
    size_t len = roam_message_encode(m, bytes, sizeof bytes);
    assert_true(len > 0);
    size_t half = len / 2;
    peer_feed(&d->peer, bytes, half);
    peer_feed(&d->peer, bytes + half, len - half);
}

static void connect_device(struct world *w, struct device *d)
{
    if (d->peer.rig != NULL && d->peer.session != NULL) {
        return;
    }
    if (d->peer.rig != NULL) {
        drop_peer(d);
    }
    struct roam_session *s =
        roam_core_accept(w->rig.core, "test", 0, w->rig.now);
    if (s == NULL) {
        return;
    }
    d->peer.rig = &w->rig;
    d->peer.session = s;
    roam_session_set_owner(s, &d->peer);
    put(d, say_login(d->user, 1, d->type, ++d->attempt, 0));
    if (d->peer.session == NULL) {
        return;
    }
    struct roam_message *m = say_sync(d->peer.cursor);
    m->u.sync.max_unacked = 4; /* so that reads of the log are needed */
    put(d, m);
}

static void act(struct world *w)
{
    for (size_t i = 0; i < 3; i++) {
        connect_device(w, &w->devices[i]);
    }
    settle(w);
    struct device *d = &w->devices[0];
    char body[401];
    memset(body, 'a' + (int)d->answered, 400);
    body[400] = '\0';
    if (d->live && d->peer.session != NULL && d->answered < MESSAGES) {
        put(d, say_send(d->answered + 1, "bob", body));
    }
    settle(w);
    for (size_t i = 0; i < 3; i++) {
        d = &w->devices[i];
        /* The reader acknowledges late, so that it falls behind. */
        bool due = i != 2 || w->devices[0].answered % 7 == 0 ||
                   w->devices[0].answered == MESSAGES;
        if (due && d->live && d->peer.session != NULL && d->peer.cursor > 0) {
            put(d, say_ack(d->peer.cursor));
        }
    }
    settle(w);
}

static bool is_done(const struct world *w)
{
    return w->devices[0].answered == MESSAGES &&
           w->devices[0].got == MESSAGES && w->devices[1].got == MESSAGES &&
           w->devices[2].got == MESSAGES;
}

/* Returns whether allocation number n was reached at all. */
static bool run_with_nth_refused(long n)
{
    struct world w;
    memset(&w, 0, sizeof w);
    rig_init(&w.rig);
    rig_start(&w.rig);
    w.devices[0].user = w.devices[1].user = "alice";
    w.devices[2].user = "bob";
    w.devices[0].type = w.devices[2].type = PHONE;
    w.devices[1].type = DESKTOP;
    refuse_in = n;
    roam__alloc_refuse = refuse;
    for (int round = 0; round < 60 && !is_done(&w); round++) {
        act(&w);
    }
    bool reached = refuse_in == 0;
    refuse_in = 0;
    roam__alloc_refuse = NULL;
    assert_true(is_done(&w));
    for (size_t i = 0; i < 3; i++) {
        peer_free(&w.devices[i].peer);
    }
    rig_stop(&w.rig);
    return reached;
}

static void test_any_single_allocation_may_fail(void **state)
{
    (void)state;
    long n = 1;
    while (run_with_nth_refused(n)) {
        n++;
    }
    assert_true(n > 100); /* the run without failure has as many */
}

static void test_without_memory_for_kick_the_connection_just_ends(void **st)
{
    (void)st;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    roam__output_close(&p.session->out); /* not even the little it keeps */
    roam__alloc_refuse = refuse;
    refuse_in = 2; /* behind what the store is told of the end */
    peer_say(&p, say_sync(UINT64_MAX)); /* out of range */
    roam__alloc_refuse = NULL;
    assert_int_equal(refuse_in, 0);
    rig_take_none(&p);
    assert_null(p.session);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_logout_without_memory_keeps_the_slot(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    roam__alloc_refuse = refuse;
    refuse_in = 1;
    peer_say(&p, say_logout());
    roam__alloc_refuse = NULL;
    rig_take_kick(&p, roam_v1_KickReason_OVERLOADED);
    peer_free(&p);
    assert_int_equal(peer_login(&rig, &p, "alice", 1, PHONE, 2, 0), 1);
    peer_free(&p);
    rig_stop(&rig);
}

/* ------------------------------------------------- two cores on one store */

/* A second core over the same store: it takes the slot over, and the first
 * learns of it only from the store. */
static void start_second(struct rig *first, struct rig *second)
{
    rig_init(second);
    second->store = first->store;
    rig_start(second);
}

static void test_store_fences_what_the_core_did_not_see(void **state)
{
    (void)state;
    struct rig rig, second;
    struct peer sender, leaver, winner, other;
    rig_init(&rig);
    rig_start(&rig);
    start_second(&rig, &second);
    peer_login(&rig, &sender, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &leaver, "alice", 1, DESKTOP, 1, 0);
    peer_login(&second, &winner, "alice", 2, PHONE, 1, 1);
    peer_login(&second, &other, "alice", 2, DESKTOP, 1, 1);
    rig_take_none(&sender);
    peer_say(&sender, say_send(1, "bob", "fenced"));
    rig_take_kick(&sender, roam_v1_KickReason_TAKEN_OVER);
    peer_say(&leaver, say_logout());
    rig_take_kick(&leaver, roam_v1_KickReason_TAKEN_OVER);
    peer_send(&winner, 2, "bob", "the slot is still theirs");
    peer_send(&other, 3, "bob", "likewise");
    peer_free(&sender);
    peer_free(&leaver);
    peer_free(&winner);
    peer_free(&other);
    roam_core_free(second.core);
    rig_stop(&rig);
}

/* Ended by somebody that this core did not see: nobody took over. */
static void test_store_fences_who_was_ended_elsewhere(void **state)
{
    (void)state;
    struct rig rig, second;
    struct peer sender, leaver, ender, sibling;
    rig_init(&rig);
    rig_start(&rig);
    start_second(&rig, &second);
    peer_login(&rig, &sender, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &leaver, "alice", 2, DESKTOP, 1, 0);
    peer_login(&rig, &ender, "alice", 3, roam_v1_DeviceType_WEB, 1, 0);
    peer_login(&second, &sibling, "alice", 4, roam_v1_DeviceType_WATCH, 1, 0);
    for (int type = PHONE; type <= roam_v1_DeviceType_WEB; type++) {
        if (type != roam_v1_DeviceType_TABLET) {
            peer_say(&sibling, say_end_session(7, (roam_v1_DeviceType)type, 1));
            rig_take(&sibling, ROAM_SESSION_ENDED);
        }
    }
    peer_say(&sender, say_send(1, "bob", "fenced"));
    rig_take_kick(&sender, roam_v1_KickReason_REVOKED);
    peer_say(&leaver, say_logout());
    rig_take_kick(&leaver, roam_v1_KickReason_REVOKED);
    peer_say(&ender, say_end_session(8, roam_v1_DeviceType_WATCH, 1));
    rig_take_kick(&ender, roam_v1_KickReason_REVOKED);
    peer_send(&sibling, 2, "bob", "still here");
    peer_free(&sender);
    peer_free(&leaver);
    peer_free(&ender);
    peer_free(&sibling);
    roam_core_free(second.core);
    rig_stop(&rig);
}

static void test_core_and_store_without_memory_are_not_made(void **state)
{
    (void)state;
    struct rig rig;
    rig_init(&rig);
    roam__alloc_refuse = refuse;
    refuse_in = 1;
    assert_null(roam_store_mem_new(NULL, NULL));
    rig_start(&rig);
    refuse_in = 1;
    assert_null(roam_core_new(&rig.config));
    refuse_in = 1;
    assert_null(roam_store_request_new(ROAM_STORE_SEND, 10));
    refuse_in = 2;
    assert_null(roam_store_request_new(ROAM_STORE_SEND, 10));
    refuse_in = 1;
    assert_false(roam_store_mem_add_user(rig.store, "carol"));
    refuse_in = 1;
    assert_false(roam_store_mem_add_token(rig.store, "alice", "t", 0, 0));
    refuse_in = 0;
    roam__alloc_refuse = NULL;
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_failed_commit_answers_nobody_and_repeating_finds_out),
        cmocka_unit_test(test_answer_lost_in_a_restart_is_found_by_repeating),
        cmocka_unit_test(test_session_that_dies_with_requests_in_the_store),
        cmocka_unit_test(test_any_single_allocation_may_fail),
        cmocka_unit_test(test_without_memory_for_kick_the_connection_just_ends),
        cmocka_unit_test(test_logout_without_memory_keeps_the_slot),
        cmocka_unit_test(test_store_fences_what_the_core_did_not_see),
        cmocka_unit_test(test_store_fences_who_was_ended_elsewhere),
        cmocka_unit_test(test_core_and_store_without_memory_are_not_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
