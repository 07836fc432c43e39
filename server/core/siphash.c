/* SPDX-License-Identifier: Apache-2.0 */
/* As Aumasson and Bernstein published it: two rounds for each word of eight
 * bytes, the last of which holds the length, and four at the end. */
#include "siphash.h"

struct state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t load(const uint8_t *p, size_t len)
{
    uint64_t word = 0;
    for (size_t i = 0; i < len; i++) {
        word |= (uint64_t)p[i] << (8 * i);
    }
    return word;
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void rounds(struct state *s, unsigned count)
{
    while (count-- > 0) {
        s->v0 += s->v1;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
    }
}

static void take(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    rounds(s, 2);
    s->v0 ^= word;
}

uint64_t roam__siphash(const uint8_t key[ROAM_HASH_KEY_BYTES], const void *data,
                       size_t len)
{
    const uint8_t *p = data;
    uint64_t k0 = load(key, 8);
    uint64_t k1 = load(key + 8, 8);
    struct state s = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du,
                      k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u};
    size_t left = len;
    for (; left >= 8; left -= 8) {
        take(&s, load(p, 8));
        p += 8;
    }
    take(&s, load(p, left) | (uint64_t)len << 56);
    s.v2 ^= 0xff;
    rounds(&s, 4);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
