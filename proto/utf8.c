/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 check by ranges (RFC 3629, section 4): a lead byte gives the number
 * of bytes that follow and the range of the first of them; the others are
 * 80..BF. That range is what keeps out overlong forms, surrogates and
 * everything above U+10FFFF. */
#include "utf8.h"

#include <stdint.h>

/* Checks the sequence with this lead byte; `next` holds `left` bytes behind
 * it. Returns the number of bytes that follow the lead, or -1. */
static int tail_length(uint8_t lead, const uint8_t *next, size_t left)
{
    if (lead < 0xc2 || lead > 0xf4) {
        return -1;
    }
    size_t tail = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (left < tail) {
        return -1;
    }
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (next[0] < low || next[0] > high) {
        return -1;
    }
    for (size_t i = 1; i < tail; i++) {
        if ((next[i] & 0xc0) != 0x80) {
            return -1;
        }
    }
    return (int)tail;
}

bool roam_utf8_valid(const char *s, size_t len)
{
    const uint8_t *bytes = (const uint8_t *)s;
    size_t at = 0;
    while (at < len) {
        uint8_t lead = bytes[at++];
        if (lead == 0) {
            return false;
        }
        if (lead < 0x80) {
            continue;
        }
        int tail = tail_length(lead, bytes + at, len - at);
        if (tail < 0) {
            return false;
        }
        at += (size_t)tail;
    }
    return true;
}
