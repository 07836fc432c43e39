/* SPDX-License-Identifier: Apache-2.0 */
#include "window.h"

#include <assert.h>
#include <stdlib.h>

#include "alloc.h"
#include "fault.h"

/* First size of the ring, in versions: live traffic on a good connection
 * rarely has more in flight. */
#define RING_MIN 16u

uint32_t roam__window_room(const struct roam__window *w)
{
    if (ROAM_FAULT("push-beyond-window")) {
        return 1000;
    }
    return w->limit - w->count;
}

bool roam__window_reserve(struct roam__window *w, uint32_t n)
{
    uint32_t need = w->count + n;
    if (need <= w->cap) {
        return true;
    }
    uint32_t cap = w->cap == 0 ? RING_MIN : w->cap;
    while (cap < need) {
        cap *= 2;
    }
    uint64_t *ring = roam__alloc(cap * sizeof *ring);
    if (ring == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < w->count; i++) {
        ring[i] = w->ring[(w->first + i) % w->cap];
    }
    free(w->ring);
    w->ring = ring;
    w->cap = cap;
    w->first = 0;
    return true;
}

void roam__window_add(struct roam__window *w, uint64_t version)
{
    assert(w->count < w->cap);
    w->ring[(w->first + w->count) % w->cap] = version;
    w->count++;
}

void roam__window_ack(struct roam__window *w, uint64_t version)
{
    while (w->count > 0 && w->ring[w->first] <= version) {
        w->first = (w->first + 1) % w->cap;
        w->count--;
    }
    if (w->count == 0) {
        roam__window_clear(w);
    }
}

void roam__window_clear(struct roam__window *w)
{
    free(w->ring);
    w->ring = NULL;
    w->cap = 0;
    w->first = 0;
    w->count = 0;
}
