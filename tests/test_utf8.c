/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8, against a decoder that works the other way round: it computes the
 * code point, then asks whether that form was the right one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "utf8.h"
#include "wire_writer.h"

#include <stdlib.h>

static size_t put_code_point(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* Whether these 4 bytes begin with a good sequence of `len` bytes. */
static bool is_sequence(const uint8_t *s, size_t len)
{
    static const uint32_t least[5] = {0, 1, 0x80, 0x800, 0x10000};
    static const uint8_t mark[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    static const uint8_t mask[5] = {0, 0x80, 0xe0, 0xf0, 0xf8};
    if ((s[0] & mask[len]) != mark[len]) {
        return false;
    }
    uint32_t c = s[0] & (uint8_t)~mask[len];
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return false;
        }
        c = c << 6 | (s[i] & 0x3fu);
    }
    return c >= least[len] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

static bool is_text(const uint8_t *s, size_t len)
{
    while (len != 0) {
        size_t n = 1;
        while (n <= 4 && !(n <= len && is_sequence(s, n))) {
            n++;
        }
        if (n > 4) {
            return false;
        }
        s += n;
        len -= n;
    }
    return true;
}

static void test_every_code_point_but_nul_and_surrogates_is_text(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x1fffff; c++) {
        char s[4];
        size_t len = put_code_point(c, s);
        bool good = c != 0 && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
        if (roam_utf8_valid(s, len) != good) {
            fail_msg("U+%04X", (unsigned)c);
        }
        if (good && len > 1 && roam_utf8_valid(s, len - 1)) {
            fail_msg("U+%04X, cut short", (unsigned)c);
        }
    }
}

static void test_all_sequences_of_three_bytes_are_judged_right(void **state)
{
    (void)state;
    for (uint32_t v = 0; v < 1u << 24; v++) {
        uint8_t s[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
        if (roam_utf8_valid((const char *)s, 3) != is_text(s, 3)) {
            fail_msg("%06x", (unsigned)v);
        }
    }
}

/* Bytes at the ends of every range, in all positions of four. */
static void test_edges_of_four_byte_sequences_are_judged_right(void **state)
{
    (void)state;
    static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0x8f, 0x90, 0x9f,
                                    0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
                                    0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1,
                                    0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xfe, 0xff};
    enum {
        N = sizeof edges
    };
    unsigned good = 0;
    for (size_t i = 0; i < (size_t)N * N * N * N; i++) {
        uint8_t s[4] = {edges[i % N], edges[i / N % N], edges[i / N / N % N],
                        edges[i / N / N / N]};
        bool valid = roam_utf8_valid((const char *)s, 4);
        assert_int_equal(valid, is_text(s, 4));
        good += valid ? 1 : 0;
    }
    assert_true(good > 100);
}

static void test_nothing_is_read_behind_the_end(void **state)
{
    (void)state;
    static const char *const cut[] = {"\xc3",         "\xe2\x82", "\xe2",
                                      "\xf0\x9f\x98", "\xf0\x9f", "\xf0"};
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        char *exact = (char *)wire_exact(cut[i], strlen(cut[i]));
        assert_false(roam_utf8_valid(exact, strlen(cut[i])));
        free(exact);
    }
    assert_true(roam_utf8_valid(NULL, 0));
    assert_true(roam_utf8_valid("", 0));
    assert_false(roam_utf8_valid("", 1));
    assert_false(roam_utf8_valid("a\0b", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_point_but_nul_and_surrogates_is_text),
        cmocka_unit_test(test_all_sequences_of_three_bytes_are_judged_right),
        cmocka_unit_test(test_edges_of_four_byte_sequences_are_judged_right),
        cmocka_unit_test(test_nothing_is_read_behind_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
