/* SPDX-License-Identifier: Apache-2.0 */
/* The versions in flight: sent in this delivery and not acknowledged. Exact,
 * never more than `limit`, and without memory while nothing is in flight.
 * Spec: section 6.4. */
#ifndef ROAM_WINDOW_H
#define ROAM_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct roam__window {
    uint64_t *ring; /* heap; NULL while cap is 0 */
    uint32_t cap;
    uint32_t first; /* index of the oldest */
    uint32_t count;
    uint32_t limit; /* entries */
};

/* Entries that may still be sent. */
uint32_t roam__window_room(const struct roam__window *w);
/* Makes sure that n more versions can be added; n at most 2^24. False
 * without memory. */
bool roam__window_reserve(struct roam__window *w, uint32_t n);
/* One more version, above all before; room was reserved. */
void roam__window_add(struct roam__window *w, uint64_t version);
/* Everything up to version is acknowledged. */
void roam__window_ack(struct roam__window *w, uint64_t version);
/* Forgets everything in flight and gives the memory back. */
void roam__window_clear(struct roam__window *w);

#endif
