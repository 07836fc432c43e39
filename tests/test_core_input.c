/* SPDX-License-Identifier: Apache-2.0 */
/* The same bytes, in any pieces, lead to the same answer [FRAME-2]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core_rig.h"

#define PHONE roam_v1_DeviceType_PHONE

#define STAGES 3
#define ROOM 4096

/* What the peer writes, in flights: the next one starts when all that the
 * one before asked for was answered. */
struct script {
    uint8_t bytes[STAGES][ROOM];
    size_t len[STAGES];
};

static void add(struct script *s, int stage, const struct roam_message *m)
{
    size_t len = roam_message_encode(m, s->bytes[stage] + s->len[stage],
                                     ROOM - s->len[stage]);
    assert_true(len > 0);
    s->len[stage] += len;
}

static void add_raw(struct script *s, int stage, const void *data, size_t len)
{
    assert_true(s->len[stage] + len <= ROOM);
    memcpy(s->bytes[stage] + s->len[stage], data, len);
    s->len[stage] += len;
}

static void make_good(struct script *s)
{
    memset(s, 0, sizeof *s);
    add(s, 0, say_login("alice", 1, PHONE, 1, 0));
    add(s, 0, say_sync(0));
    add(s, 1, say_send(1, "bob", "one"));
    add(s, 1, say_ping(7));
    add_raw(s, 1, "\x90\0\0\3abc", 7); /* ignorable */
    add(s, 1, say_send(2, "alice", "a note, a little longer than the rest"));
    add(s, 1, say_send(3, "nobody", ""));
    add(s, 2, say_ack(1));
    add(s, 2, say_ack(2));
    add(s, 2, say_ping(8));
    add(s, 2, say_logout());
}

static void make_broken(struct script *s, const void *end, size_t len)
{
    make_good(s);
    s->len[2] = 0;
    add(s, 2, say_ack(2));
    add_raw(s, 2, end, len);
    add(s, 2, say_ping(9)); /* never processed */
}

/* How a stage is cut: into pieces of `piece` bytes, or in two at `at`. */
static void feed_pieces(struct peer *p, const uint8_t *data, size_t len,
                        size_t piece)
{
    while (len > 0 && p->session != NULL) {
        size_t some = piece < len ? piece : len;
        /* In a block of its own, so that reading past it is seen. */
        uint8_t *block = malloc(some);
        assert_non_null(block);
        memcpy(block, data, some);
        peer_feed(p, block, some);
        free(block);
        data += some;
        len -= some;
    }
}

/* Runs the script; stage `cut` is split at `at`, the others come in pieces.
 * The result, to be freed, is all that the peer received. */
static uint8_t *run(const struct script *s, int cut, size_t at, size_t piece,
                    size_t *len)
{
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig_start(&rig);
    peer_connect(&rig, &p);
    for (int stage = 0; stage < STAGES; stage++) {
        const uint8_t *data = s->bytes[stage];
        size_t rest = s->len[stage];
        if (stage == cut) {
            feed_pieces(&p, data, at, at);
            data += at;
            rest -= at;
        }
        feed_pieces(&p, data, rest, piece);
        rig_settle(&rig);
    }
    assert_null(p.session); /* both kinds of script end it */
    uint8_t *in = p.in;
    *len = p.in_len;
    rig_stop(&rig);
    return in;
}

static void same_at_every_split(const struct script *s)
{
    size_t want_len;
    uint8_t *want = run(s, -1, 0, ROOM, &want_len);
    static const size_t pieces[] = {1, 2, 3, 5, 64};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        size_t len;
        uint8_t *got = run(s, -1, 0, pieces[i], &len);
        assert_int_equal(len, want_len);
        assert_memory_equal(got, want, len);
        free(got);
    }
    for (int stage = 0; stage < STAGES; stage++) {
        for (size_t at = 1; at < s->len[stage]; at++) {
            size_t len;
            uint8_t *got = run(s, stage, at, ROOM, &len);
            assert_int_equal(len, want_len);
            assert_memory_equal(got, want, len);
            free(got);
        }
    }
    free(want);
}

static void test_good_session_is_the_same_at_every_split(void **state)
{
    (void)state;
    struct script s;
    make_good(&s);
    same_at_every_split(&s);
}

static void test_protocol_errors_are_the_same_at_every_split(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } ends[] = {
        {"\x05\xff\xff\xff", 4},   /* too long */
        {"\x07\0\0\1x", 5},        /* unknown */
        {"\x45\0\0\0", 4},         /* only a server sends PUSH */
        {"\x06\0\0\2\x08\xff", 6}, /* truncated varint */
        {"\x04\0\0\0", 4},         /* ACK of nothing */
    };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct script s;
        make_broken(&s, ends[i].bytes, ends[i].len);
        same_at_every_split(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_session_is_the_same_at_every_split),
        cmocka_unit_test(test_protocol_errors_are_the_same_at_every_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
