/* SPDX-License-Identifier: Apache-2.0 */
/* See rate.h. */
#include "rate.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"

/* Debt is compared between rates in this many parts of a full bucket. */
#define PARTS 65536u

/* ------------------------------------------------------------ one bucket */

static uint64_t full(const struct roam_rate *rate)
{
    return (uint64_t)rate->burst * rate->fill_ms;
}

/* Whatever is taken without asking, or was under another rate than today's,
 * nobody waits longer than for two. */
static uint64_t bounded(const struct roam_rate *rate, uint64_t debt)
{
    uint64_t most = 2 * full(rate);
    return debt < most ? debt : most;
}

static uint64_t debt_at(const struct roam__bucket *b,
                        const struct roam_rate *rate, uint64_t now_ms)
{
    uint64_t passed = now_ms > b->at_ms ? now_ms - b->at_ms : 0;
    uint64_t debt = bounded(rate, b->debt);
    if (rate->burst == 0 || passed > debt / rate->burst) {
        return 0;
    }
    return debt - passed * rate->burst;
}

static uint64_t cost(const struct roam_rate *rate, uint64_t n)
{
    return (n < rate->burst ? n : rate->burst) * rate->fill_ms;
}

uint64_t roam__bucket_wait(const struct roam__bucket *b,
                           const struct roam_rate *rate, uint64_t n,
                           uint64_t now_ms)
{
    if (rate->burst == 0) {
        return 0;
    }
    uint64_t room = full(rate) - cost(rate, n);
    uint64_t debt = debt_at(b, rate, now_ms);
    return debt <= room ? 0 : (debt - room + rate->burst - 1) / rate->burst;
}

void roam__bucket_take(struct roam__bucket *b, const struct roam_rate *rate,
                       uint64_t n, uint64_t now_ms)
{
    if (rate->burst == 0) {
        return;
    }
    b->debt = bounded(rate, debt_at(b, rate, now_ms) + cost(rate, n));
    b->at_ms = now_ms;
}

/* -------------------------------------------------------------- the table */

bool roam__meters_open(struct roam__meters *m, const struct roam_rate *rates,
                       unsigned rate_count, size_t count)
{
    m->rates = rates;
    m->rate_count = rate_count;
    m->sets = 1;
    while (m->sets * ROAM__METER_WAYS < count) {
        m->sets *= 2;
    }
    count = m->sets * ROAM__METER_WAYS;
    m->keys = roam__alloc(count * sizeof *m->keys);
    m->buckets = roam__alloc(count * rate_count * sizeof *m->buckets);
    return m->keys != NULL && m->buckets != NULL;
}

void roam__meters_close(struct roam__meters *m)
{
    free(m->keys);
    free(m->buckets);
    m->keys = NULL;
    m->buckets = NULL;
}

static struct roam__bucket *buckets_at(const struct roam__meters *m,
                                       size_t index)
{
    return m->buckets + index * m->rate_count;
}

/* 0 marks a free place. */
static uint64_t usable(uint64_t key)
{
    return key == 0 ? 1 : key;
}

static size_t first_place(const struct roam__meters *m, uint64_t key)
{
    return (size_t)(key & (m->sets - 1)) * ROAM__METER_WAYS;
}

/* NULL: no debt is known. */
static struct roam__bucket *find(const struct roam__meters *m, uint64_t key)
{
    size_t first = first_place(m, key);
    for (size_t i = first; i < first + ROAM__METER_WAYS; i++) {
        if (m->keys[i] == key) {
            return buckets_at(m, i);
        }
    }
    return NULL;
}

/* The fullest bucket of a meter, in PARTS of it. */
static uint64_t worst(const struct roam__meters *m, size_t index,
                      uint64_t now_ms)
{
    const struct roam__bucket *b = buckets_at(m, index);
    uint64_t worst = 0;
    for (unsigned r = 0; r < m->rate_count; r++) {
        uint64_t part = full(&m->rates[r]) / PARTS + 1;
        uint64_t debt = debt_at(&b[r], &m->rates[r], now_ms) / part;
        worst = debt > worst ? debt : worst;
    }
    return worst;
}

/* A place of its own for the key: a free one, or the least indebted's. */
static struct roam__bucket *settle(struct roam__meters *m, uint64_t key,
                                   uint64_t now_ms)
{
    size_t first = first_place(m, key);
    size_t best = first;
    uint64_t least = UINT64_MAX;
    for (size_t i = first; i < first + ROAM__METER_WAYS; i++) {
        uint64_t debt = m->keys[i] == 0 ? 0 : worst(m, i, now_ms);
        if (debt < least) {
            least = debt;
            best = i;
        }
    }
    struct roam__bucket *b = buckets_at(m, best);
    m->keys[best] = key;
    memset(b, 0, m->rate_count * sizeof *b);
    return b;
}

uint64_t roam__meters_wait(const struct roam__meters *m, uint64_t key,
                           unsigned rate, uint64_t n, uint64_t now_ms)
{
    const struct roam__bucket *b = find(m, usable(key));
    return b == NULL ? 0
                     : roam__bucket_wait(&b[rate], &m->rates[rate], n, now_ms);
}

void roam__meters_take(struct roam__meters *m, uint64_t key, unsigned rate,
                       uint64_t n, uint64_t now_ms)
{
    if (m->rates[rate].burst == 0) {
        return;
    }
    key = usable(key);
    struct roam__bucket *b = find(m, key);
    if (b == NULL) {
        b = settle(m, key, now_ms);
    }
    roam__bucket_take(&b[rate], &m->rates[rate], n, now_ms);
}

void roam__meters_give(struct roam__meters *m, uint64_t key, unsigned rate,
                       uint64_t n, uint64_t now_ms)
{
    const struct roam_rate *of = &m->rates[rate];
    struct roam__bucket *b = find(m, usable(key));
    if (b != NULL) {
        uint64_t debt = debt_at(&b[rate], of, now_ms);
        uint64_t back = cost(of, n);
        b[rate].debt = debt > back ? debt - back : 0;
        b[rate].at_ms = now_ms;
    }
}
