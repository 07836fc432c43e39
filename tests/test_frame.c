/* SPDX-License-Identifier: Apache-2.0 */
/* The reader: frames come out whole and in order whatever the split of the
 * stream, the size of the buffer, or the lie in a header. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "frame.h"
#include "wire_writer.h"

enum {
    MAX = 600
};

/* The stream that every test reads: lengths around what matters. */
static const struct {
    uint8_t type;
    uint32_t length;
} frames[] = {{ROAM_PING, 0},          {ROAM_SEND, 1},   {ROAM_PUSH, 255},
              {ROAM_LOGOUT, 0},        {ROAM_KICK, 256}, {ROAM_BATCH, MAX},
              {0xff /* unknown */, 3}, {ROAM_PONG, 0}};
enum {
    FRAMES = sizeof frames / sizeof frames[0]
};

static uint8_t body_byte(size_t frame, size_t at)
{
    return (uint8_t)(frame * 31 + at * 7);
}

static void put_stream(struct wire_out *out)
{
    for (size_t i = 0; i < FRAMES; i++) {
        uint8_t header[ROAM_FRAME_HEADER_BYTES];
        roam_frame_put_header(header, frames[i].type, frames[i].length);
        wire_put_raw(out, header, sizeof header);
        for (size_t n = 0; n < frames[i].length; n++) {
            uint8_t byte = body_byte(i, n);
            wire_put_raw(out, &byte, 1);
        }
    }
}

static void assert_frame(size_t i, uint8_t type, struct roam_slice payload)
{
    assert_true(i < FRAMES);
    assert_int_equal(type, frames[i].type);
    assert_int_equal(payload.len, frames[i].length);
    for (size_t n = 0; n < payload.len; n++) {
        assert_int_equal(payload.data[n], body_byte(i, n));
    }
}

/* Feeds one piece, in memory of its own; checks all frames that come out. */
static size_t feed(struct roam_reader *r, const uint8_t *data, size_t len,
                   size_t next)
{
    uint8_t *piece = wire_exact(data, len);
    struct roam_slice in = {piece, len};
    uint8_t type;
    struct roam_slice payload;
    enum roam_reader_result result;
    while ((result = roam_reader_next(r, &in, &type, &payload)) ==
           ROAM_READER_FRAME) {
        assert_frame(next++, type, payload);
    }
    assert_int_equal(result, ROAM_READER_MORE);
    assert_int_equal(in.len, 0);
    free(piece);
    return next;
}

static void test_a_stream_in_one_piece_needs_no_buffer(void **state)
{
    (void)state;
    struct wire_out out = {.len = 0};
    struct roam_reader r;
    put_stream(&out);
    roam_reader_init(&r, NULL, 0, MAX);
    assert_int_equal(feed(&r, out.bytes, out.len, 0), FRAMES);
}

static void test_a_stream_byte_by_byte_gives_the_same_frames(void **state)
{
    (void)state;
    struct wire_out out = {.len = 0};
    struct roam_reader r;
    uint8_t buf[ROAM_FRAME_HEADER_BYTES + MAX];
    put_stream(&out);
    roam_reader_init(&r, buf, sizeof buf, MAX);
    size_t next = 0;
    for (size_t i = 0; i < out.len; i++) {
        next = feed(&r, out.bytes + i, 1, next);
    }
    assert_int_equal(next, FRAMES);
}

static void test_a_stream_split_anywhere_gives_the_same_frames(void **state)
{
    (void)state;
    struct wire_out out = {.len = 0};
    put_stream(&out);
    for (size_t split = 0; split <= out.len; split++) {
        struct roam_reader r;
        uint8_t buf[ROAM_FRAME_HEADER_BYTES + MAX];
        roam_reader_init(&r, buf, sizeof buf, MAX);
        size_t next = feed(&r, out.bytes, split, 0);
        next = feed(&r, out.bytes + split, out.len - split, next);
        assert_int_equal(next, FRAMES);
    }
}

static void test_pieces_of_every_length_give_the_same_frames(void **state)
{
    (void)state;
    struct wire_out out = {.len = 0};
    put_stream(&out);
    for (size_t piece = 1; piece < 300; piece++) {
        struct roam_reader r;
        uint8_t buf[ROAM_FRAME_HEADER_BYTES + MAX];
        roam_reader_init(&r, buf, sizeof buf, MAX);
        size_t next = 0;
        for (size_t at = 0; at < out.len; at += piece) {
            size_t len = out.len - at < piece ? out.len - at : piece;
            next = feed(&r, out.bytes + at, len, next);
        }
        assert_int_equal(next, FRAMES);
    }
}

/* The payload of a frame from buf stays until the next call. */
static void test_a_payload_lies_where_it_is_said_to_lie(void **state)
{
    (void)state;
    struct wire_out out = {.len = 0};
    struct roam_reader r;
    uint8_t buf[64];
    uint8_t type;
    struct roam_slice payload;
    wire_put_hex(&out, "05000003 616263");
    roam_reader_init(&r, buf, sizeof buf, MAX);
    struct roam_slice in = wire_slice(&out);
    assert_int_equal(roam_reader_next(&r, &in, &type, &payload),
                     ROAM_READER_FRAME);
    assert_ptr_equal(payload.data, out.bytes + 4);

    in = wire_slice(&out);
    in.len = 6;
    assert_int_equal(roam_reader_next(&r, &in, &type, &payload),
                     ROAM_READER_MORE);
    assert_int_equal(r.have, 6);
    in.data = out.bytes + 6;
    in.len = 1;
    assert_int_equal(roam_reader_next(&r, &in, &type, &payload),
                     ROAM_READER_FRAME);
    assert_ptr_equal(payload.data, buf + 4);
    assert_memory_equal(payload.data, "abc", 3);
    assert_int_equal(roam_reader_next(&r, &in, &type, &payload),
                     ROAM_READER_MORE);
    assert_int_equal(r.have, 0);
}

/* A reader that starts without a buffer and gets just what it asks for. */
static void test_room_is_asked_for_and_nothing_is_lost(void **state)
{
    (void)state;
    struct wire_out out = {.len = 0};
    put_stream(&out);
    for (size_t piece = 1; piece < 40; piece++) {
        struct roam_reader r;
        roam_reader_init(&r, NULL, 0, MAX);
        size_t next = 0;
        unsigned asked = 0;
        for (size_t at = 0; at < out.len;) {
            size_t len = out.len - at < piece ? out.len - at : piece;
            struct roam_slice in = {out.bytes + at, len};
            uint8_t type;
            struct roam_slice payload;
            enum roam_reader_result result;
            while ((result = roam_reader_next(&r, &in, &type, &payload)) !=
                   ROAM_READER_MORE) {
                if (result == ROAM_READER_FRAME) {
                    assert_frame(next++, type, payload);
                    continue;
                }
                assert_int_equal(result, ROAM_READER_ROOM);
                size_t need = roam_reader_need(&r);
                assert_true(need > r.cap);
                r.buf = realloc(r.buf, need);
                assert_non_null(r.buf);
                r.cap = need;
                asked++;
            }
            assert_int_equal(in.len, 0);
            at += len;
        }
        assert_int_equal(next, FRAMES);
        assert_in_range(asked, 1, 2 * FRAMES);
        assert_true(r.cap <= ROAM_FRAME_HEADER_BYTES + MAX);
        free(r.buf);
    }
}

static enum roam_reader_result read_header(uint32_t length, uint32_t max,
                                           size_t piece)
{
    uint8_t header[ROAM_FRAME_HEADER_BYTES];
    uint8_t buf[ROAM_FRAME_HEADER_BYTES];
    struct roam_reader r;
    enum roam_reader_result result = ROAM_READER_MORE;
    roam_frame_put_header(header, ROAM_SEND, length);
    roam_reader_init(&r, buf, sizeof buf, max);
    for (size_t at = 0; at < sizeof header && result == ROAM_READER_MORE;
         at += piece) {
        struct roam_slice in = {header + at, piece};
        uint8_t type;
        struct roam_slice payload;
        result = roam_reader_next(&r, &in, &type, &payload);
    }
    return result;
}

/* Told from the header alone: not one byte of the payload is there. */
static void test_a_frame_is_too_long_from_max_plus_1_on(void **state)
{
    (void)state;
    static const uint32_t bounds[] = {
        0, 1, 255, 256, 512, 4096, 65535, 65536, ROAM_FRAME_MAX - 1};
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        uint32_t max = bounds[i];
        for (size_t piece = 1; piece <= 4; piece *= 2) {
            assert_int_equal(read_header(max + 1, max, piece),
                             ROAM_READER_TOO_LONG);
            assert_int_not_equal(read_header(max, max, piece),
                                 ROAM_READER_TOO_LONG);
            assert_int_equal(read_header(ROAM_FRAME_MAX, max, piece),
                             ROAM_READER_TOO_LONG);
        }
    }
}

static void test_after_too_long_the_stream_stays_where_it_is(void **state)
{
    (void)state;
    struct wire_out out = {.len = 0};
    struct roam_reader r;
    uint8_t type;
    struct roam_slice payload;
    wire_put_hex(&out, "06000000 05000259 6162");
    roam_reader_init(&r, NULL, 0, MAX);
    struct roam_slice in = wire_slice(&out);
    assert_int_equal(roam_reader_next(&r, &in, &type, &payload),
                     ROAM_READER_FRAME);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(roam_reader_next(&r, &in, &type, &payload),
                         ROAM_READER_TOO_LONG);
        assert_int_equal(in.len, 6);
    }
}

static void test_a_limit_raised_between_frames_holds_from_then_on(void **state)
{
    (void)state;
    struct wire_out out = {.len = 0};
    struct roam_reader r;
    uint8_t type;
    struct roam_slice payload;
    wire_put_hex(&out, "01000001 61 05000002 6262");
    roam_reader_init(&r, NULL, 0, 1);
    struct roam_slice in = wire_slice(&out);
    assert_int_equal(roam_reader_next(&r, &in, &type, &payload),
                     ROAM_READER_FRAME);
    assert_int_equal(roam_reader_next(&r, &in, &type, &payload),
                     ROAM_READER_TOO_LONG);
    r.max = 2;
    assert_int_equal(roam_reader_next(&r, &in, &type, &payload),
                     ROAM_READER_FRAME);
    assert_int_equal(payload.len, 2);
}

static void test_the_header_is_type_and_length_in_network_order(void **state)
{
    (void)state;
    static const struct {
        uint32_t length;
        uint8_t header[4];
    } cases[] = {{0, {0x45, 0, 0, 0}},
                 {1, {0x45, 0, 0, 1}},
                 {0x010203, {0x45, 1, 2, 3}},
                 {ROAM_FRAME_MAX, {0x45, 0xff, 0xff, 0xff}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t header[ROAM_FRAME_HEADER_BYTES];
        roam_frame_put_header(header, ROAM_PUSH, cases[i].length);
        assert_memory_equal(header, cases[i].header, 4);
    }
}

static void test_the_frame_types_have_their_names_and_no_others(void **state)
{
    (void)state;
    static const struct {
        uint8_t type;
        const char *name;
    } names[] = {{0x01, "LOGIN"},        {0x02, "LOGOUT"},
                 {0x03, "SYNC"},         {0x04, "ACK"},
                 {0x05, "SEND"},         {0x06, "PING"},
                 {0x07, "HISTORY"},      {0x08, "CONVERSATIONS"},
                 {0x09, "MEMBERS"},      {0x0a, "SESSIONS"},
                 {0x0b, "END_SESSION"},  {0x41, "LOGIN_OK"},
                 {0x42, "REFUSED"},      {0x43, "KICK"},
                 {0x44, "SYNC_OK"},      {0x45, "PUSH"},
                 {0x46, "BATCH"},        {0x47, "SEND_OK"},
                 {0x48, "PONG"},         {0x49, "ERROR"},
                 {0x4a, "HISTORY_PAGE"}, {0x4b, "CONVERSATION_PAGE"},
                 {0x4c, "MEMBER_PAGE"},  {0x4d, "SESSION_LIST"},
                 {0x4e, "SESSION_ENDED"}};
    size_t known = 0;
    for (unsigned type = 0; type <= 0xff; type++) {
        const char *name = roam_frame_name((uint8_t)type);
        if (known < sizeof names / sizeof names[0] &&
            names[known].type == type) {
            assert_non_null(name);
            assert_string_equal(name, names[known++].name);
        } else {
            assert_null(name);
        }
    }
    assert_int_equal(known, sizeof names / sizeof names[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_stream_in_one_piece_needs_no_buffer),
        cmocka_unit_test(test_a_stream_byte_by_byte_gives_the_same_frames),
        cmocka_unit_test(test_a_stream_split_anywhere_gives_the_same_frames),
        cmocka_unit_test(test_pieces_of_every_length_give_the_same_frames),
        cmocka_unit_test(test_a_payload_lies_where_it_is_said_to_lie),
        cmocka_unit_test(test_room_is_asked_for_and_nothing_is_lost),
        cmocka_unit_test(test_a_frame_is_too_long_from_max_plus_1_on),
        cmocka_unit_test(test_after_too_long_the_stream_stays_where_it_is),
        cmocka_unit_test(test_a_limit_raised_between_frames_holds_from_then_on),
        cmocka_unit_test(test_the_header_is_type_and_length_in_network_order),
        cmocka_unit_test(test_the_frame_types_have_their_names_and_no_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
