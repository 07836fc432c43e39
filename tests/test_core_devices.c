/* SPDX-License-Identifier: Apache-2.0 */
/* Devices that are slow or small: what they cost, and that they get all the
 * same. Spec: sections 6.4 and 8. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core_rig.h"

#define PHONE roam_v1_DeviceType_PHONE
#define DESKTOP roam_v1_DeviceType_DESKTOP
#define WATCH roam_v1_DeviceType_WATCH

static void start(struct rig *rig)
{
    rig_init(rig);
    rig_start(rig);
}

/* ------------------------------------------------------------------- slow */

static size_t heap_of(const struct roam_session *s)
{
    return sizeof *s + s->reader_room + s->out.cap +
           s->window.cap * sizeof *s->window.ring;
}

static void test_slow_reader_costs_constant_memory_and_loses_nothing(void **st)
{
    (void)st;
    struct rig rig;
    struct peer a, bob, sibling;
    rig_init(&rig);
    rig.config.max_body = 1000;
    rig.config.output_max_bytes = 4096;
    rig_start(&rig);
    peer_join(&rig, &a, "alice", PHONE);
    peer_join(&rig, &bob, "bob", PHONE);
    peer_join(&rig, &sibling, "bob", DESKTOP);
    bob.stuck = true;
    struct rig_expected y = {.next_id = 1};
    size_t most = 0;
    for (uint64_t id = 1; id <= 900; id++) {
        peer_send_many(&a, "bob", id, 1);
        assert_true(roam_session_pending(bob.session).len <= 4096);
        size_t heap = heap_of(bob.session);
        most = heap > most ? heap : most;
        /* Nobody waits for the slow one [ACK-7]. */
        assert_int_equal(rig_catch_up(&sibling, rig_expect_next, &y), 1);
    }
    assert_true(most < 12288);
    assert_false(bob.session->reading); /* in vain */
    bob.stuck = false;
    roam__session_ready(bob.session); /* its socket can be written again */
    rig_settle(&rig);
    struct rig_expected x = {.next_id = 1};
    assert_int_equal(rig_catch_up(&bob, rig_expect_next, &x), 900);
    peer_free(&a);
    peer_free(&bob);
    peer_free(&sibling);
    rig_stop(&rig);
}

static void test_one_byte_writes_deliver_the_same(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    start(&rig);
    rig.split_writes = true;
    peer_join(&rig, &a, "alice", PHONE);
    peer_send_many(&a, "bob", 1, 20);
    peer_join(&rig, &bob, "bob", PHONE);
    peer_send_many(&a, "bob", 21, 20);
    struct rig_expected x = {.next_id = 1};
    assert_int_equal(rig_catch_up(&bob, rig_expect_next, &x), 40);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

static void test_idle_session_costs_at_most_two_kib(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    start(&rig);
    peer_join(&rig, &a, "alice", PHONE);
    peer_join(&rig, &bob, "bob", PHONE);
    char *body = malloc(60001);
    assert_non_null(body);
    memset(body, 'x', 60000);
    body[60000] = '\0';
    peer_send(&a, 1, "bob", body);
    assert_int_equal(rig_catch_up(&bob, NULL, NULL), 1);
    peer_say(&bob, say_ack(1));
    peer_say(&a, say_ack(1));
    assert_true(heap_of(a.session) + sizeof(struct roam__user) <= 2048);
    assert_true(heap_of(bob.session) + sizeof(struct roam__user) <= 2048);
    free(body);
    peer_free(&a);
    peer_free(&bob);
    rig_stop(&rig);
}

/* ------------------------------------------------------------------ small */

struct cut_case {
    size_t bodies[4];
    size_t limit;
    size_t at;
};

static void expect_cut(void *ctx, const struct roam_entry *e)
{
    struct cut_case *x = ctx;
    size_t size = x->bodies[x->at++];
    if (size > x->limit) {
        assert_int_equal(e->cut_size, size);
        assert_int_equal(e->body.len, 0);
    } else {
        assert_int_equal(e->cut_size, 0);
        assert_int_equal(e->body.len, size);
    }
    assert_true(e->msg_id != 0);
}

static void check_frame_sizes(const struct peer *p, size_t max_frame)
{
    size_t at = p->taken;
    while (at < p->in_len) {
        const uint8_t *h = p->in + at;
        size_t len = (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
        assert_true(len <= max_frame);
        at += ROAM_FRAME_HEADER_BYTES + len;
    }
}

static void test_small_device_gets_long_bodies_cut_live_and_in_backlog(void **s)
{
    (void)s;
    struct rig rig;
    struct peer a, watch;
    start(&rig);
    peer_join(&rig, &a, "alice", PHONE);
    char body[200];
    memset(body, 'x', sizeof body);
    /* max_frame 512 and max_inflated 1024: the smaller less 448 is 64. */
    struct cut_case x = {{64, 65, 0, 199}, 64, 0};
    for (int round = 0; round < 2; round++) {
        if (round == 1) { /* live; the first round is the backlog */
            assert_int_equal(rig_catch_up(&watch, expect_cut, &x), 4);
            x.at = 0;
        }
        for (uint64_t i = 0; i < 4; i++) {
            body[x.bodies[i]] = '\0';
            peer_say(&a, say_send((uint64_t)round * 4 + i + 1, "bob", body));
            body[x.bodies[i]] = 'x';
        }
        if (round == 0) {
            peer_connect(&rig, &watch);
            struct roam_message *m = say_login("bob", 1, WATCH, 1, 0);
            m->u.login.max_frame = ROAM_FRAME_MIN;
            peer_say(&watch, m);
            rig_take(&watch, ROAM_LOGIN_OK);
            m = say_sync(0);
            m->u.sync.max_inflated = ROAM_INFLATED_MIN;
            peer_say(&watch, m);
            rig_take(&watch, ROAM_SYNC_OK);
        }
        check_frame_sizes(&watch, ROAM_FRAME_MIN);
    }
    assert_int_equal(rig_catch_up(&watch, expect_cut, &x), 4);
    peer_free(&a);
    peer_free(&watch);
    rig_stop(&rig);
}

static void test_batches_keep_to_what_the_device_named(void **state)
{
    (void)state;
    static const uint32_t codecs[] = {0, 1, 2, 3, ~0u};
    for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++) {
        struct rig rig;
        struct peer a, watch;
        start(&rig);
        peer_join(&rig, &a, "alice", PHONE);
        peer_send_many(&a, "bob", 1, 300);
        peer_connect(&rig, &watch);
        struct roam_message *m = say_login("bob", 1, WATCH, 1, 0);
        m->u.login.max_frame = 700;
        peer_say(&watch, m);
        rig_take(&watch, ROAM_LOGIN_OK);
        m = say_sync(0);
        m->u.sync.max_inflated = 2000;
        m->u.sync.codecs = codecs[i];
        peer_say(&watch, m);
        rig_take(&watch, ROAM_SYNC_OK);
        check_frame_sizes(&watch, 700);
        struct roam_message first;
        size_t taken = watch.taken;
        first = *rig_take(&watch, ROAM_BATCH);
        watch.taken = taken;
        bool deflate = (codecs[i] >> roam_v1_Codec_CODEC_DEFLATE & 1) != 0;
        assert_int_equal(first.u.batch.codec, deflate
                                                  ? roam_v1_Codec_CODEC_DEFLATE
                                                  : roam_v1_Codec_CODEC_NONE);
        assert_true(first.u.batch.inflated_size <= 2000);
        struct rig_expected x = {.next_id = 1};
        assert_int_equal(rig_catch_up(&watch, rig_expect_next, &x), 300);
        peer_free(&a);
        peer_free(&watch);
        rig_stop(&rig);
    }
}

static void test_body_above_todays_limit_is_still_delivered(void **state)
{
    (void)state;
    struct rig rig;
    struct peer a, bob;
    start(&rig);
    peer_join(&rig, &a, "alice", PHONE);
    char *body = malloc(60001);
    assert_non_null(body);
    memset(body, 'x', 60000);
    body[60000] = '\0';
    for (uint64_t id = 1; id <= 3; id++) {
        peer_say(&a, say_send(id, "bob", body));
    }
    peer_free(&a);
    roam_core_free(rig.core);
    rig.config.max_body = 100; /* the operator thought again */
    rig.config.max_inflated = 1024;
    rig.config.output_max_bytes = 1024;
    rig_start(&rig);
    peer_join(&rig, &bob, "bob", PHONE);
    assert_int_equal(rig_catch_up(&bob, NULL, NULL), 3);
    free(body);
    peer_free(&bob);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_slow_reader_costs_constant_memory_and_loses_nothing),
        cmocka_unit_test(test_one_byte_writes_deliver_the_same),
        cmocka_unit_test(test_idle_session_costs_at_most_two_kib),
        cmocka_unit_test(
            test_small_device_gets_long_bodies_cut_live_and_in_backlog),
        cmocka_unit_test(test_batches_keep_to_what_the_device_named),
        cmocka_unit_test(test_body_above_todays_limit_is_still_delivered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
