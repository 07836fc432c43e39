/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a session on their own: the output queue and the window,
 * against the simplest models of them; the registry of users; settings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "core_rig.h"
#include "output.h"
#include "window.h"

#define PHONE roam_v1_DeviceType_PHONE

/* The same numbers in each run. */
static uint32_t next_number(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* ----------------------------------------------------------------- output */

#define MODEL_BYTES 400000u

struct model {
    uint8_t *all;      /* every byte ever queued */
    bool *ends_answer; /* this byte is the last of a SEND_OK or ERROR */
    size_t queued, sent;
};

static void queue_frame(struct roam__output *out, struct model *m,
                        uint32_t number)
{
    static const uint8_t types[] = {ROAM_SEND_OK, ROAM_PUSH, ROAM_ERROR,
                                    ROAM_PONG};
    uint8_t type = types[number % 4];
    size_t len = number % 7 == 0 ? number % 900 : number % 60;
    uint8_t *room = roam__output_room(out, ROAM_FRAME_HEADER_BYTES + len);
    assert_non_null(room);
    roam_frame_put_header(room, type, (uint32_t)len);
    memset(room + ROAM_FRAME_HEADER_BYTES, (int)(number % 251), len);
    roam__output_add(out, ROAM_FRAME_HEADER_BYTES + len);
    memcpy(m->all + m->queued, room, ROAM_FRAME_HEADER_BYTES + len);
    m->queued += ROAM_FRAME_HEADER_BYTES + len;
    m->ends_answer[m->queued - 1] = type == ROAM_SEND_OK || type == ROAM_ERROR;
}

static void send_bytes(struct roam__output *out, struct model *m, size_t n)
{
    struct roam_slice pending = roam__output_pending(out);
    assert_int_equal(pending.len, m->queued - m->sent);
    n = n < pending.len ? n : pending.len;
    if (n == 0) {
        return;
    }
    assert_memory_equal(pending.data, m->all + m->sent, pending.len);
    uint32_t answers = 0;
    for (size_t i = 0; i < n; i++) {
        answers += m->ends_answer[m->sent + i] ? 1 : 0;
    }
    assert_int_equal(roam__output_sent(out, n), answers);
    m->sent += n;
}

static void test_output_is_a_queue_that_knows_which_answers_left(void **st)
{
    (void)st;
    struct roam__output out = {0};
    struct model m = {calloc(1, MODEL_BYTES), calloc(MODEL_BYTES, 1), 0, 0};
    assert_true(m.all != NULL && m.ends_answer != NULL);
    uint32_t state = 1;
    while (m.queued < MODEL_BYTES - 1000) {
        uint32_t number = next_number(&state);
        queue_frame(&out, &m, number);
        send_bytes(&out, &m, next_number(&state) % 90);
        size_t waiting = m.queued - m.sent;
        assert_true(out.cap <= 1024 + 8 * waiting + 8 * 904);
    }
    send_bytes(&out, &m, SIZE_MAX);
    assert_true(out.cap <= 256); /* an empty queue keeps next to nothing */
    roam__output_close(&out);
    free(m.all);
    free(m.ends_answer);
}

static bool refuse_all(void)
{
    return true;
}

static void test_output_without_memory_is_unchanged(void **state)
{
    (void)state;
    struct roam__output out = {0};
    roam__alloc_refuse = refuse_all;
    assert_null(roam__output_room(&out, 10));
    roam__alloc_refuse = NULL;
    uint8_t *room = roam__output_room(&out, 200);
    assert_non_null(room);
    memset(room, 0, 200);
    roam__output_add(&out, 200);
    roam__alloc_refuse = refuse_all;
    assert_null(roam__output_room(&out, 5000));
    roam__alloc_refuse = NULL;
    assert_int_equal(roam__output_pending(&out).len, 200);
    roam__output_close(&out);
}

/* ----------------------------------------------------------------- window */

static void test_window_counts_exactly(void **state)
{
    (void)state;
    struct roam__window w = {.limit = 100};
    uint64_t last = 0, acked = 0;
    uint32_t number = 1;
    for (int i = 0; i < 5000; i++) {
        uint32_t in_flight = (uint32_t)(last - acked);
        assert_int_equal(w.count, in_flight);
        assert_int_equal(roam__window_room(&w), 100 - in_flight);
        assert_true(w.cap <= 128);
        assert_int_equal(w.ring == NULL, in_flight == 0);
        uint32_t n = next_number(&number) % 20;
        n = n < roam__window_room(&w) ? n : roam__window_room(&w);
        assert_true(n == 0 || roam__window_reserve(&w, n));
        for (uint32_t k = 0; k < n; k++) {
            roam__window_add(&w, 10 * ++last);
        }
        if (next_number(&number) % 3 == 0 && last > acked) {
            acked += 1 + next_number(&number) % (last - acked);
            /* Anything from this version up to below the next one. */
            roam__window_ack(&w, 10 * acked + next_number(&number) % 10);
        }
    }
    roam__window_clear(&w);
}

static void test_window_without_memory_is_unchanged(void **state)
{
    (void)state;
    struct roam__window w = {.limit = 100};
    roam__alloc_refuse = refuse_all;
    assert_false(roam__window_reserve(&w, 1));
    roam__alloc_refuse = NULL;
    assert_true(roam__window_reserve(&w, 16));
    roam__window_add(&w, 5);
    roam__alloc_refuse = refuse_all;
    assert_true(roam__window_reserve(&w, 15));
    assert_false(roam__window_reserve(&w, 16));
    roam__alloc_refuse = NULL;
    assert_int_equal(w.count, 1);
    roam__window_ack(&w, 5);
    assert_null(w.ring);
}

/* ------------------------------------------------------------------- users */

static void add_user(struct rig *rig, const char *name)
{
    assert_true(roam_store_mem_add_user(rig->store, name));
    rig_add_tokens(rig, name);
}

static void test_many_users_come_and_go(void **state)
{
    (void)state;
    enum {
        COUNT = 300
    };
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig);
    struct peer *peers = calloc(COUNT, sizeof *peers);
    assert_non_null(peers);
    char name[16];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "user%d", i);
        add_user(&rig, name);
        peer_login(&rig, &peers[i], name, 1, PHONE, 1, 0);
        peer_sync(&peers[i], 0);
    }
    assert_int_equal(rig.core->user_count, COUNT);
    for (int i = 0; i < COUNT; i++) { /* each finds its neighbour */
        snprintf(name, sizeof name, "user%d", (i + 1) % COUNT);
        peer_say(&peers[i], say_send(1, name, "hello"));
    }
    for (int i = 0; i < COUNT; i++) {
        size_t entries = rig_catch_up(&peers[i], NULL, NULL);
        rig_take(&peers[i], ROAM_SEND_OK);
        entries += rig_catch_up(&peers[i], NULL, NULL);
        assert_int_equal(entries, 2);
    }
    for (int i = 0; i < COUNT; i += 2) {
        peer_cut(&peers[i]);
    }
    assert_int_equal(rig.core->user_count, COUNT / 2);
    struct roam_core_stats stats;
    roam_core_get_stats(rig.core, &stats);
    assert_int_equal(stats.sessions, COUNT / 2);
    assert_int_equal(stats.sends, COUNT);
    assert_int_equal(stats.pushes, 2 * COUNT);
    rig_stop(&rig); /* with the others live */
    for (int i = 0; i < COUNT; i++) {
        peers[i].rig->core = NULL;
        peer_free(&peers[i]);
    }
    free(peers);
}

static void test_users_are_found_whatever_their_numbers(void **state)
{
    (void)state;
    enum {
        COUNT = 1000
    };
    struct rig rig;
    rig_init(&rig);
    rig_start(&rig);
    struct roam_session *sessions = calloc(COUNT, sizeof *sessions);
    assert_non_null(sessions);
    uint32_t number = 3;
    for (int i = 0; i < COUNT; i++) { /* of which many share a bucket */
        sessions[i].core = rig.core;
        sessions[i].identity.user =
            (int64_t)next_number(&number) * COUNT + i + 1;
        sessions[i].identity.device_type = (uint32_t)PHONE;
        assert_true(roam__users_join(&sessions[i], (uint64_t)i));
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++) {
            const struct roam__user *user =
                roam__users_find(rig.core, sessions[i].identity.user);
            if (round == 1 && i % 2 == 0) {
                assert_null(user);
            } else {
                assert_int_equal(user->head, i);
                assert_ptr_equal(user->live[PHONE], &sessions[i]);
            }
        }
        for (int i = 0; i < COUNT; i += 2 - round) {
            roam__users_leave(&sessions[i]);
        }
    }
    assert_int_equal(rig.core->user_count, 0);
    free(sessions);
    rig_stop(&rig);
}

/* ---------------------------------------------------------------- settings */

static void test_settings_that_contradict_each_other_are_raised(void **state)
{
    (void)state;
    static const uint32_t bodies[] = {0, 100, 65536};
    for (size_t i = 0; i < 3; i++) {
        struct rig rig;
        rig_init(&rig);
        rig.config.max_body = bodies[i];
        rig.config.max_frame = 0;
        rig.config.max_inflated = 0;
        rig.config.max_unacked = 0;
        rig.config.output_max_bytes = 0;
        rig.config.max_commands = 0;
        rig.config.heartbeat_ms = 0;
        rig.config.dedup_ms = 0;
        rig.config.log = NULL;
        rig_start(&rig);
        const struct roam_core_config *c = &rig.core->config;
        uint32_t entry = bodies[i] + ROAM_ENTRY_OVERHEAD;
        assert_true(c->max_frame >= entry && c->max_frame >= ROAM_FRAME_MIN);
        assert_true(c->max_inflated >= entry &&
                    c->max_inflated >= ROAM_INFLATED_MIN);
        assert_int_equal(c->max_unacked, ROAM_UNACKED_MIN);
        assert_true(c->output_max_bytes / 2 >=
                    (size_t)entry + ROAM_FRAME_HEADER_BYTES);
        struct peer p; /* decoding checks what LOGIN_OK promises */
        peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
        peer_send(&p, 1, "bob", bodies[i] == 0 ? "x" : "hello");
        peer_free(&p);
        rig_stop(&rig);
    }
    roam_core_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_is_a_queue_that_knows_which_answers_left),
        cmocka_unit_test(test_output_without_memory_is_unchanged),
        cmocka_unit_test(test_window_counts_exactly),
        cmocka_unit_test(test_window_without_memory_is_unchanged),
        cmocka_unit_test(test_many_users_come_and_go),
        cmocka_unit_test(test_users_are_found_whatever_their_numbers),
        cmocka_unit_test(test_settings_that_contradict_each_other_are_raised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
