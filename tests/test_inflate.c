/* SPDX-License-Identifier: Apache-2.0 */
/* Our inflate against zlib: everything that zlib deflates comes out the
 * same, and whatever is done to a stream, both say yes or both say no. Inputs
 * and outputs lie on the heap to the byte, so a sanitizer sees one too many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "inflate.h"
#include "wire_writer.h"

enum {
    DATA_BYTES = 70000,
    SHAPES = 6
};

struct stream {
    uint8_t *bytes;
    size_t len;
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Data of several shapes: what each kind of block is good at. */
static void make_data(uint8_t *data, size_t len, unsigned shape)
{
    uint64_t seed = 0x9e3779b97f4a7c15ull + shape;
    for (size_t i = 0; i < len; i++) {
        uint64_t r = next_random(&seed);
        switch (shape) {
        case 0: /* one byte: the longest copies, distance 1 */
            data[i] = 'a';
            break;
        case 1: /* noise: stored blocks, literals above 143 */
            data[i] = (uint8_t)r;
            break;
        case 2: /* words */
            data[i] = (uint8_t)("what time is it, see you "[i % 25] ^
                                (r % 9 == 0 ? 1 : 0));
            break;
        case 3: /* the longest distances */
            data[i] = i < 32768 ? (uint8_t)r : data[i - 32768];
            break;
        case 4: /* few symbols, very uneven: long codes */
            data[i] = (uint8_t)__builtin_ctzll(r | 1ull << 40);
            break;
        default: /* copies of every length and distance */
            data[i] = i > 300 && r % 3 != 0
                          ? data[i - 1 - (r >> 8) % (i < 9000 ? i : 9000)]
                          : (uint8_t)(r >> 32);
            break;
        }
    }
}

static struct stream deflated(const uint8_t *data, size_t len, int level,
                              int memory, int strategy)
{
    z_stream z;
    struct stream s;
    memset(&z, 0, sizeof z);
    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, -15, memory, strategy),
                     Z_OK);
    s.len = deflateBound(&z, (uLong)len) + 64;
    s.bytes = malloc(s.len);
    assert_non_null(s.bytes);
    z.next_in = (Bytef *)(uintptr_t)data;
    z.avail_in = (uInt)len;
    z.next_out = s.bytes;
    z.avail_out = (uInt)s.len;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    s.len = z.total_out;
    assert_int_equal(deflateEnd(&z), Z_OK);
    return s;
}

/* What zlib thinks of in, as our result would say it. */
static enum roam_inflate_result judge(const uint8_t *in, size_t in_len,
                                      uint8_t *out, size_t out_len)
{
    z_stream z;
    uint8_t none;
    memset(&z, 0, sizeof z);
    assert_int_equal(inflateInit2(&z, -15), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)in;
    z.avail_in = (uInt)in_len;
    z.next_out = out_len == 0 ? &none : out;
    z.avail_out = (uInt)out_len;
    int result = inflate(&z, Z_FINISH);
    enum roam_inflate_result verdict = result != Z_STREAM_END
                                           ? ROAM_INFLATE_BROKEN
                                       : z.avail_in != 0 ? ROAM_INFLATE_TRAILING
                                       : z.avail_out != 0 ? ROAM_INFLATE_SIZE
                                                          : ROAM_INFLATE_OK;
    assert_int_equal(inflateEnd(&z), Z_OK);
    return verdict;
}

/* Both must agree on yes and no, and on every byte of a yes. */
static void assert_same_verdict(const uint8_t *in, size_t in_len,
                                size_t out_len)
{
    uint8_t *exact = wire_exact(in, in_len);
    uint8_t *ours = malloc(out_len == 0 ? 1 : out_len);
    uint8_t *theirs = malloc(out_len == 0 ? 1 : out_len);
    assert_non_null(ours);
    assert_non_null(theirs);
    enum roam_inflate_result a = roam_inflate(exact, in_len, ours, out_len);
    enum roam_inflate_result b = judge(exact, in_len, theirs, out_len);
    assert_int_equal(a == ROAM_INFLATE_OK, b == ROAM_INFLATE_OK);
    if (a == ROAM_INFLATE_OK && out_len != 0) {
        assert_memory_equal(ours, theirs, out_len);
    }
    free(theirs);
    free(ours);
    free(exact);
}

static void assert_inflates(const struct stream *s, const uint8_t *data,
                            size_t len)
{
    uint8_t *exact = wire_exact(s->bytes, s->len);
    uint8_t *out = malloc(len == 0 ? 1 : len);
    assert_non_null(out);
    assert_int_equal(roam_inflate(exact, s->len, out, len), ROAM_INFLATE_OK);
    if (len != 0) {
        assert_memory_equal(out, data, len);
    }
    free(out);
    free(exact);
}

static void test_all_that_zlib_deflates_comes_out_the_same(void **state)
{
    (void)state;
    static const int strategies[] = {Z_DEFAULT_STRATEGY, Z_FILTERED,
                                     Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED};
    static const size_t lengths[] = {0,   1,   2,    3,         257,
                                     258, 259, 4000, DATA_BYTES};
    uint8_t *data = malloc(DATA_BYTES);
    assert_non_null(data);
    for (unsigned shape = 0; shape < SHAPES; shape++) {
        make_data(data, DATA_BYTES, shape);
        for (size_t n = 0; n < sizeof lengths / sizeof lengths[0]; n++) {
            for (int level = 0; level <= 9; level++) {
                struct stream s = deflated(data, lengths[n], level, 8,
                                           strategies[(size_t)level % 5]);
                assert_inflates(&s, data, lengths[n]);
                free(s.bytes);
            }
            for (size_t i = 0; i < 5; i++) {
                struct stream s =
                    deflated(data, lengths[n], 6, 1, strategies[i]);
                assert_inflates(&s, data, lengths[n]);
                free(s.bytes);
            }
        }
    }
    free(data);
}

/* One short stream of each kind of block. */
static struct stream sample(unsigned kind, uint8_t *data, size_t len)
{
    make_data(data, len, kind == 0 ? 1 : 5);
    return kind == 0   ? deflated(data, len, 0, 8, Z_DEFAULT_STRATEGY)
           : kind == 1 ? deflated(data, len, 9, 8, Z_FIXED)
                       : deflated(data, len, 9, 1, Z_DEFAULT_STRATEGY);
}

static void test_every_truncation_is_broken(void **state)
{
    (void)state;
    uint8_t data[900];
    for (unsigned kind = 0; kind < 3; kind++) {
        struct stream s = sample(kind, data, sizeof data);
        for (size_t len = 0; len < s.len; len++) {
            uint8_t *exact = wire_exact(s.bytes, len);
            uint8_t *out = malloc(sizeof data);
            assert_int_equal(roam_inflate(exact, len, out, sizeof data),
                             ROAM_INFLATE_BROKEN);
            free(out);
            free(exact);
        }
        free(s.bytes);
    }
}

static void test_every_flipped_bit_is_judged_as_zlib_does(void **state)
{
    (void)state;
    uint8_t data[900];
    for (unsigned kind = 0; kind < 3; kind++) {
        struct stream s = sample(kind, data, sizeof data);
        for (size_t bit = 0; bit < 8 * s.len; bit++) {
            s.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_same_verdict(s.bytes, s.len, sizeof data);
            s.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        free(s.bytes);
    }
}

static void test_the_output_is_exactly_as_long_as_told(void **state)
{
    (void)state;
    uint8_t data[900];
    for (unsigned kind = 0; kind < 3; kind++) {
        struct stream s = sample(kind, data, sizeof data);
        for (size_t len = 0; len < 1000; len++) {
            uint8_t *out = malloc(len == 0 ? 1 : len);
            assert_int_equal(roam_inflate(s.bytes, s.len, out, len),
                             len == sizeof data ? ROAM_INFLATE_OK
                                                : ROAM_INFLATE_SIZE);
            free(out);
        }
        free(s.bytes);
    }
}

static void test_bytes_behind_the_end_are_told(void **state)
{
    (void)state;
    uint8_t data[900];
    for (unsigned kind = 0; kind < 3; kind++) {
        struct stream s = sample(kind, data, sizeof data);
        uint8_t *longer = malloc(s.len + 1);
        assert_non_null(longer);
        memcpy(longer, s.bytes, s.len);
        longer[s.len] = 0;
        assert_int_equal(roam_inflate(longer, s.len + 1, data, sizeof data),
                         ROAM_INFLATE_TRAILING);
        free(longer);
        free(s.bytes);
    }
}

struct written {
    const char *what;
    const char *hex;
    size_t out_len;
    enum roam_inflate_result result;
};

/* Streams that no deflater writes. Bits run from the low end of each byte. */
static const struct written by_hand[] = {
    {"empty, fixed", "0300", 0, ROAM_INFLATE_OK},
    {"'a', fixed", "4b0400", 1, ROAM_INFLATE_OK},
    {"empty, stored", "010000ffff", 0, ROAM_INFLATE_OK},
    {"two bytes, stored", "010200fdff6869", 2, ROAM_INFLATE_OK},
    {"stored, length and inverse differ", "010200fcff6869", 2,
     ROAM_INFLATE_BROKEN},
    {"stored, cut short", "010200fdff68", 2, ROAM_INFLATE_BROKEN},
    {"stored, no room", "010200fdff6869", 1, ROAM_INFLATE_SIZE},
    {"block type 3", "07", 0, ROAM_INFLATE_BROKEN},
    {"two blocks", "000100feff61 010100feff62", 2, ROAM_INFLATE_OK},
    {"no last block", "000100feff61", 1, ROAM_INFLATE_BROKEN},
    {"the longest copy, fixed", "4b1c0500", 259, ROAM_INFLATE_OK},
    {"a copy, fixed", "4b040200", 4, ROAM_INFLATE_OK},
    {"copy from before the start", "030200", 3, ROAM_INFLATE_BROKEN},
    {"copy from one byte before the start", "4b044200", 4, ROAM_INFLATE_BROKEN},
    {"length symbol 286", "4b1c0300", 4, ROAM_INFLATE_BROKEN},
    {"length symbol 287", "4b1c0700", 4, ROAM_INFLATE_BROKEN},
    {"distance symbol 30", "4b043e00", 4, ROAM_INFLATE_BROKEN},
    {"distance symbol 31", "4b047e00", 4, ROAM_INFLATE_BROKEN},
    {"one literal code, no distance code", "05e005090000000020fc7f2d00", 0,
     ROAM_INFLATE_OK},
    {"one literal code, one distance code", "05e005090000000020fc7fad00", 0,
     ROAM_INFLATE_OK},
    {"286 literal codes", "ede005090000000020fc7fed1200", 0, ROAM_INFLATE_OK},
    {"30 distance codes", "05fd05090000000020fc7fed13", 0, ROAM_INFLATE_OK},
    {"287 literal codes", "f5e005090000000020fc7f2d00000000", 0,
     ROAM_INFLATE_BROKEN},
    {"31 distance codes", "05fe05090000000020fc7fed1400000000", 0,
     ROAM_INFLATE_BROKEN},
    {"a bit that is no literal", "05e005090000000020fc7f2d0100000000", 0,
     ROAM_INFLATE_BROKEN},
    {"a distance without a code", "0de005090000000020fc7fad0400000000", 3,
     ROAM_INFLATE_BROKEN},
    {"no end of block", "05e005090000000020f87f350000000000", 0,
     ROAM_INFLATE_BROKEN},
    {"too many literal codes", "05e005090000000020e8ffd30200000000", 0,
     ROAM_INFLATE_BROKEN},
    {"too few literal codes", "05e005090000008000fc7f2d0000000000", 0,
     ROAM_INFLATE_BROKEN},
    {"too few distance codes", "05e10509000000c030f46fbd1f00000000", 0,
     ROAM_INFLATE_BROKEN},
    {"too many codes of code lengths", "05e0810400000000100000000000", 0,
     ROAM_INFLATE_BROKEN},
    {"too few codes of code lengths", "05e001090000000020f46f2d0000000000", 0,
     ROAM_INFLATE_BROKEN},
    {"a repeat of nothing", "05e005090000000020c4ffd10200000000", 0,
     ROAM_INFLATE_BROKEN},
    {"a repeat past the end", "05e005090000000020fc7f6d0300000000", 0,
     ROAM_INFLATE_BROKEN},
    {"no code lengths at all", "0500000000000000", 0, ROAM_INFLATE_BROKEN},
    {"nothing", "", 0, ROAM_INFLATE_BROKEN},
};

static void test_streams_written_by_hand_are_judged_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof by_hand / sizeof by_hand[0]; i++) {
        const struct written *w = &by_hand[i];
        struct wire_out in = {.len = 0};
        uint8_t out[300];
        wire_put_hex(&in, w->hex);
        enum roam_inflate_result result =
            roam_inflate(in.bytes, in.len, out, w->out_len);
        if (result != w->result) {
            fail_msg("%s: %d, not %d", w->what, (int)result, (int)w->result);
        }
        assert_same_verdict(in.bytes, in.len, w->out_len);
    }
}

/* Where so far back there are bytes, only the symbol is at fault: 40,000
 * stored ones, then a copy in a fixed block. */
static void test_distance_symbols_end_at_29_however_much_is_there(void **state)
{
    (void)state;
    enum {
        STORED = 40000
    };
    static const uint8_t symbols[] = {0x5e, 0x3e, 0x7e}; /* 29, 30, 31 */
    static uint8_t in[5 + STORED + 5], out[STORED + 3];
    for (size_t i = 0; i < sizeof symbols; i++) {
        const uint8_t head[] = {0, STORED & 0xff, STORED >> 8,
                                (uint8_t) ~(STORED & 0xff),
                                (uint8_t) ~(STORED >> 8)};
        const uint8_t copy[] = {0x03, symbols[i], 0, 0, 0};
        memcpy(in, head, sizeof head);
        memcpy(in + sizeof head + STORED, copy, sizeof copy);
        assert_int_equal(roam_inflate(in, sizeof in, out, sizeof out),
                         i == 0 ? ROAM_INFLATE_OK : ROAM_INFLATE_BROKEN);
    }
}

/* Where zlib sees the end of a stream: input and output bytes. False: not a
 * stream. */
static bool find_end(const uint8_t *in, size_t *in_len, size_t *out_len)
{
    static uint8_t out[1 << 16];
    z_stream z;
    memset(&z, 0, sizeof z);
    assert_int_equal(inflateInit2(&z, -15), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)in;
    z.avail_in = (uInt)*in_len;
    z.next_out = out;
    z.avail_out = sizeof out;
    bool found = inflate(&z, Z_FINISH) == Z_STREAM_END;
    *in_len = z.total_in;
    *out_len = z.total_out;
    assert_int_equal(inflateEnd(&z), Z_OK);
    return found;
}

/* Streams made of random bits, half of them with few ones: these have short
 * code lengths, and so codes that are complete. */
static void test_random_streams_are_judged_as_zlib_does(void **state)
{
    (void)state;
    uint64_t seed = 20200101;
    unsigned good = 0;
    for (unsigned round = 0; round < 100000; round++) {
        uint8_t in[96];
        size_t len = 1 + (size_t)(next_random(&seed) % sizeof in);
        for (size_t i = 0; i < len; i++) {
            uint64_t r = next_random(&seed);
            in[i] = (uint8_t)(round % 2 == 0 ? r : r & r >> 16 & r >> 32);
        }
        in[0] = (uint8_t)((in[0] & ~7u) | (round % 4 == 3 ? 3u : 5u));
        size_t out_len;
        if (find_end(in, &len, &out_len)) {
            good++;
        }
        assert_same_verdict(in, len, out_len);
    }
    assert_true(good > 1000);
}

/* Bytes that inflate a thousandfold: not one is written past the end. */
static void test_a_bomb_stops_at_the_size_told(void **state)
{
    (void)state;
    enum {
        BOMB = 1000000
    };
    uint8_t *data = malloc(BOMB);
    assert_non_null(data);
    memset(data, 0, BOMB);
    struct stream s = deflated(data, BOMB, 9, 9, Z_DEFAULT_STRATEGY);
    assert_true(s.len < 2000);
    for (size_t len = 0; len < 1500; len += 7) {
        uint8_t *out = malloc(len == 0 ? 1 : len);
        assert_int_equal(roam_inflate(s.bytes, s.len, out, len),
                         ROAM_INFLATE_SIZE);
        free(out);
    }
    assert_inflates(&s, data, BOMB);
    free(s.bytes);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_zlib_deflates_comes_out_the_same),
        cmocka_unit_test(test_every_truncation_is_broken),
        cmocka_unit_test(test_every_flipped_bit_is_judged_as_zlib_does),
        cmocka_unit_test(test_the_output_is_exactly_as_long_as_told),
        cmocka_unit_test(test_bytes_behind_the_end_are_told),
        cmocka_unit_test(test_streams_written_by_hand_are_judged_right),
        cmocka_unit_test(test_distance_symbols_end_at_29_however_much_is_there),
        cmocka_unit_test(test_random_streams_are_judged_as_zlib_does),
        cmocka_unit_test(test_a_bomb_stops_at_the_size_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
