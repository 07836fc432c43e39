/* SPDX-License-Identifier: Apache-2.0 */
/* Raw inflate for small devices: less than 1 KiB of stack, no tables beyond
 * one of 19 bytes.
 *
 * A Huffman code is canonical, so it is told by the number of codes of each
 * length and the symbols in code order. Symbols are kept in one byte each:
 * among the codes of one length those above 255 come last, and `wide` counts
 * them. Bits are read one byte at a time and only when needed, so the end of
 * the stream is exact to the byte.
 *
 * Accepts and rejects the same streams as zlib: a code must be complete,
 * except that a single code of one bit, or no distance code at all, will do
 * (RFC 1951, 3.2.7). The first error sticks in `result`. */
#include "inflate.h"

#include <stdbool.h>
#include <string.h>

enum {
    CODE_BITS_MAX = 15,
    LITERALS = 288,     /* symbols of the fixed literal and length code */
    LITERALS_MAX = 286, /* those that may be used, and transmitted */
    DISTANCES = 32,
    DISTANCES_MAX = 30,
    END_OF_BLOCK = 256,
    FIRST_LENGTH = 257
};

struct code {
    uint16_t count[CODE_BITS_MAX + 1]; /* codes of each length, in bits */
    uint8_t wide[CODE_BITS_MAX + 1];   /* how many of them are above 255 */
    uint8_t *symbols;                  /* low bytes, in code order */
};

struct inflate {
    const uint8_t *in;
    size_t in_len;
    size_t in_at;
    uint8_t *out;
    size_t out_len;
    size_t out_at;
    uint32_t hold; /* bits read but not taken; the next is bit 0 */
    unsigned held; /* how many, below 8 between calls */
    enum roam_inflate_result result;
    struct code literal;
    struct code distance; /* also the code of the code lengths */
    uint8_t literal_symbols[LITERALS];
    uint8_t distance_symbols[DISTANCES];
    uint8_t lengths[LITERALS + DISTANCES];
};

static void fail(struct inflate *s, enum roam_inflate_result result)
{
    if (s->result == ROAM_INFLATE_OK) {
        s->result = result;
    }
}

/* The next n bits, n <= 16; 0 after the end of the input, which fails. */
static unsigned take_bits(struct inflate *s, unsigned n)
{
    while (s->held < n) {
        if (s->in_at == s->in_len) {
            fail(s, ROAM_INFLATE_BROKEN);
            return 0;
        }
        s->hold |= (uint32_t)s->in[s->in_at++] << s->held;
        s->held += 8;
    }
    unsigned bits = s->hold & ((1u << n) - 1);
    s->hold >>= n;
    s->held -= n;
    return bits;
}

/* The next symbol; fails and returns 0 on bits that are no code. */
static unsigned take_symbol(struct inflate *s, const struct code *code)
{
    unsigned bits = 0;
    unsigned first = 0; /* the first code of this length */
    unsigned index = 0; /* its place in symbols */
    for (unsigned len = 1; len <= CODE_BITS_MAX; len++) {
        bits |= take_bits(s, 1);
        unsigned count = code->count[len];
        if (bits - first < count) {
            unsigned symbol = code->symbols[index + bits - first];
            bool wide = bits - first >= count - code->wide[len];
            return wide ? symbol + 256 : symbol;
        }
        index += count;
        first = (first + count) << 1;
        bits <<= 1;
    }
    fail(s, ROAM_INFLATE_BROKEN);
    return 0;
}

/* Builds the code of n symbols from their lengths. False when there are more
 * codes than bits can tell apart, or fewer and not excusably so. */
static bool build_code(struct code *code, const uint8_t *lengths, unsigned n)
{
    memset(code->count, 0, sizeof code->count);
    memset(code->wide, 0, sizeof code->wide);
    for (unsigned i = 0; i < n; i++) {
        code->count[lengths[i]]++;
        code->wide[lengths[i]] =
            (uint8_t)(code->wide[lengths[i]] + (i > 255 ? 1 : 0));
    }
    unsigned used = n - code->count[0];
    uint16_t next[CODE_BITS_MAX + 1];
    next[0] = 0; /* never read: a length of 0 is no code */
    uint16_t at = 0;
    unsigned room = 1; /* codes of this length that are still free */
    for (unsigned len = 1; len <= CODE_BITS_MAX; len++) {
        room <<= 1;
        if (code->count[len] > room) {
            return false;
        }
        room -= code->count[len];
        next[len] = at;
        at = (uint16_t)(at + code->count[len]);
    }
    for (unsigned i = 0; i < n; i++) {
        if (lengths[i] != 0) {
            code->symbols[next[lengths[i]]++] = (uint8_t)i;
        }
    }
    return room == 0 || used == 0 || (used == 1 && code->count[1] == 1);
}

static void build_fixed_codes(struct inflate *s)
{
    memset(s->lengths, 8, 144);
    memset(s->lengths + 144, 9, 112);
    memset(s->lengths + 256, 7, 24);
    memset(s->lengths + 280, 8, 8);
    memset(s->lengths + LITERALS, 5, DISTANCES);
    (void)build_code(&s->literal, s->lengths, LITERALS);
    (void)build_code(&s->distance, s->lengths + LITERALS, DISTANCES);
}

/* Reads n code lengths, themselves coded with s->distance. */
static void read_lengths(struct inflate *s, unsigned n)
{
    unsigned at = 0;
    while (at < n && s->result == ROAM_INFLATE_OK) {
        unsigned symbol = take_symbol(s, &s->distance);
        if (symbol < 16) {
            s->lengths[at++] = (uint8_t)symbol;
            continue;
        }
        /* 16 repeats the last length, 17 and 18 repeat 0. */
        unsigned bits = symbol == 16 ? 2 : symbol == 17 ? 3 : 7;
        unsigned repeat = take_bits(s, bits) + (symbol == 18 ? 11 : 3);
        if (repeat > n - at || (symbol == 16 && at == 0)) {
            fail(s, ROAM_INFLATE_BROKEN);
            return;
        }
        memset(s->lengths + at, symbol == 16 ? s->lengths[at - 1] : 0, repeat);
        at += repeat;
    }
}

static void read_dynamic_codes(struct inflate *s)
{
    static const uint8_t order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                      11, 4,  12, 3, 13, 2, 14, 1, 15};
    unsigned counts = take_bits(s, 14);
    unsigned literals = FIRST_LENGTH + (counts & 0x1f);
    unsigned distances = 1 + (counts >> 5 & 0x1f);
    unsigned ordered = 4 + (counts >> 10);
    if (literals > LITERALS_MAX || distances > DISTANCES_MAX) {
        fail(s, ROAM_INFLATE_BROKEN);
        return;
    }
    memset(s->lengths, 0, sizeof order);
    for (unsigned i = 0; i < ordered; i++) {
        s->lengths[order[i]] = (uint8_t)take_bits(s, 3);
    }
    if (!build_code(&s->distance, s->lengths, sizeof order)) {
        fail(s, ROAM_INFLATE_BROKEN);
        return;
    }
    read_lengths(s, literals + distances);
    if (s->result != ROAM_INFLATE_OK) {
        return;
    }
    if (s->lengths[END_OF_BLOCK] == 0 ||
        !build_code(&s->literal, s->lengths, literals) ||
        !build_code(&s->distance, s->lengths + literals, distances)) {
        fail(s, ROAM_INFLATE_BROKEN);
    }
}

static void copy_back(struct inflate *s, size_t distance, size_t length)
{
    if (distance > s->out_at) {
        fail(s, ROAM_INFLATE_BROKEN);
    } else if (length > s->out_len - s->out_at) {
        fail(s, ROAM_INFLATE_SIZE);
    } else {
        /* Byte by byte: the two may overlap, and then repeat. */
        for (; length != 0; length--, s->out_at++) {
            s->out[s->out_at] = s->out[s->out_at - distance];
        }
    }
}

/* The rest of a copy whose length symbol is 257 + code. The bases of RFC
 * 1951, 3.2.5 are a formula: four lengths, then two distances, to each
 * number of extra bits. */
static void take_copy(struct inflate *s, unsigned code)
{
    unsigned length = 258;
    if (code < 8) {
        length = 3 + code;
    } else if (code < 28) {
        unsigned extra = code / 4 - 1;
        length = 3 + ((4 + code % 4) << extra) + take_bits(s, extra);
    }
    unsigned distance = take_symbol(s, &s->distance);
    if (code > LITERALS_MAX - 1 - FIRST_LENGTH ||
        distance > DISTANCES_MAX - 1) {
        fail(s, ROAM_INFLATE_BROKEN);
        return;
    }
    if (distance >= 4) {
        unsigned extra = distance / 2 - 1;
        distance = ((2 + distance % 2) << extra) + take_bits(s, extra);
    }
    if (s->result == ROAM_INFLATE_OK) {
        copy_back(s, (size_t)distance + 1, length);
    }
}

static void inflate_coded_block(struct inflate *s)
{
    while (s->result == ROAM_INFLATE_OK) {
        unsigned symbol = take_symbol(s, &s->literal);
        if (s->result != ROAM_INFLATE_OK || symbol == END_OF_BLOCK) {
            return;
        }
        if (symbol > END_OF_BLOCK) {
            take_copy(s, symbol - FIRST_LENGTH);
        } else if (s->out_at == s->out_len) {
            fail(s, ROAM_INFLATE_SIZE);
        } else {
            s->out[s->out_at++] = (uint8_t)symbol;
        }
    }
}

static void inflate_stored_block(struct inflate *s)
{
    s->hold = 0; /* to the next byte */
    s->held = 0;
    unsigned length = take_bits(s, 16);
    unsigned inverse = take_bits(s, 16);
    if (s->result != ROAM_INFLATE_OK || (length ^ inverse) != 0xffff ||
        length > s->in_len - s->in_at) {
        fail(s, ROAM_INFLATE_BROKEN);
    } else if (length > s->out_len - s->out_at) {
        fail(s, ROAM_INFLATE_SIZE);
    } else if (length != 0) {
        memcpy(s->out + s->out_at, s->in + s->in_at, length);
        s->in_at += length;
        s->out_at += length;
    }
}

/* Inflates one block; true if it is the last. */
static bool inflate_block(struct inflate *s)
{
    unsigned header = take_bits(s, 3);
    switch (header >> 1) {
    case 0:
        inflate_stored_block(s);
        break;
    case 1:
        build_fixed_codes(s);
        inflate_coded_block(s);
        break;
    case 2:
        read_dynamic_codes(s);
        inflate_coded_block(s);
        break;
    default:
        fail(s, ROAM_INFLATE_BROKEN);
        break;
    }
    return (header & 1) != 0;
}

enum roam_inflate_result roam_inflate(const uint8_t *in, size_t in_len,
                                      uint8_t *out, size_t out_len)
{
    struct inflate s;
    s.in = in;
    s.in_len = in_len;
    s.in_at = 0;
    s.out = out;
    s.out_len = out_len;
    s.out_at = 0;
    s.hold = 0;
    s.held = 0;
    s.result = ROAM_INFLATE_OK;
    s.literal.symbols = s.literal_symbols;
    s.distance.symbols = s.distance_symbols;
    while (!inflate_block(&s) && s.result == ROAM_INFLATE_OK) {
    }
    if (s.result == ROAM_INFLATE_OK && s.in_at != s.in_len) {
        s.result = ROAM_INFLATE_TRAILING;
    }
    if (s.result == ROAM_INFLATE_OK && s.out_at != s.out_len) {
        s.result = ROAM_INFLATE_SIZE;
    }
    return s.result;
}
