/* SPDX-License-Identifier: Apache-2.0 */
/* The one source of chance of a simulated world. */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_rng {
    uint64_t state;
};

uint64_t sim_rng_next(struct sim_rng *r);
/* 0..n-1; n above 0. */
uint32_t sim_rng_below(struct sim_rng *r, uint32_t n);
/* lo..hi, both included. */
uint64_t sim_rng_between(struct sim_rng *r, uint64_t lo, uint64_t hi);
/* True in `permille` of 1,000 cases. */
bool sim_rng_chance(struct sim_rng *r, uint32_t permille);
void sim_rng_fill(struct sim_rng *r, uint8_t *out, size_t len);

#endif
