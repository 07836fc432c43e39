/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets: one, and a table of them that never grows.
 *
 * A *rate* allows `burst` units at once and as many again in fill_ms; burst
 * 0 is no limit. A *bucket* is what of it was used; it runs empty by itself.
 * A *meter* is the row of a table: one bucket for each rate of the table,
 * under a key (of a user, an address, ...). An empty meter is as good as
 * none, so the table needs to remember only those in debt.
 *
 * A key has ROAM__METER_WAYS places to lie in. When all are taken, the one
 * with the least debt is forgotten: so whoever wants a debt forgotten has to
 * run up at least the same under each of the other keys first. Keys are
 * hashes under a secret, so that nobody can choose where they lie.
 *
 * Numbers are exact: debt is counted in units times fill_ms, and runs off by
 * `burst` each millisecond. */
#ifndef ROAM_RATE_H
#define ROAM_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core.h"

#define ROAM__METER_WAYS 8u

struct roam__bucket {
    uint64_t debt;
    uint64_t at_ms; /* when that was so */
};

/* How long until n units may be taken; 0: now. More than `burst` at once
 * count as `burst`: they need the whole bucket. */
uint64_t roam__bucket_wait(const struct roam__bucket *b,
                           const struct roam_rate *rate, uint64_t n,
                           uint64_t now_ms);
/* Takes n units, also beyond the burst. */
void roam__bucket_take(struct roam__bucket *b, const struct roam_rate *rate,
                       uint64_t n, uint64_t now_ms);

struct roam__meters {
    const struct roam_rate *rates; /* kept */
    unsigned rate_count;
    size_t sets;                  /* a power of two, of ROAM__METER_WAYS */
    uint64_t *keys;               /* 0: free */
    struct roam__bucket *buckets; /* rate_count for each key */
};

/* A table of at least `count` meters. False without memory. */
bool roam__meters_open(struct roam__meters *m, const struct roam_rate *rates,
                       unsigned rate_count, size_t count);
void roam__meters_close(struct roam__meters *m);
/* The same for the bucket of a key and a rate (its index). */
uint64_t roam__meters_wait(const struct roam__meters *m, uint64_t key,
                           unsigned rate, uint64_t n, uint64_t now_ms);
void roam__meters_take(struct roam__meters *m, uint64_t key, unsigned rate,
                       uint64_t n, uint64_t now_ms);
/* n units that were taken are given back. */
void roam__meters_give(struct roam__meters *m, uint64_t key, unsigned rate,
                       uint64_t n, uint64_t now_ms);

#endif
