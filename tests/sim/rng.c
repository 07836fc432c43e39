/* SPDX-License-Identifier: Apache-2.0 */
/* splitmix64: a counter and a mixer, so that a seed of any value is as good
 * as any other, and the same on every machine. */
#include "rng.h"

uint64_t sim_rng_next(struct sim_rng *r)
{
    r->state += 0x9e3779b97f4a7c15u;
    uint64_t z = r->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t sim_rng_below(struct sim_rng *r, uint32_t n)
{
    return (uint32_t)(sim_rng_next(r) % n);
}

uint64_t sim_rng_between(struct sim_rng *r, uint64_t lo, uint64_t hi)
{
    return lo + sim_rng_next(r) % (hi - lo + 1);
}

bool sim_rng_chance(struct sim_rng *r, uint32_t permille)
{
    return sim_rng_below(r, 1000) < permille;
}

void sim_rng_fill(struct sim_rng *r, uint8_t *out, size_t len)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < len; i++) {
        if (i % 8 == 0) {
            bits = sim_rng_next(r);
        }
        out[i] = (uint8_t)(bits >> (8 * (i % 8)));
    }
}
