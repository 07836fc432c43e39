/* SPDX-License-Identifier: Apache-2.0 */
/* A map from two numbers to one, for what the writer thread remembers of
 * users (heads) and of conversations (last msg_id). Open addressing, grows
 * by doubling, at most 3/4 full; nothing is ever removed but all at once. */
#ifndef ROAM_PAIR_MAP_H
#define ROAM_PAIR_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct roam_pair_slot {
    int64_t a; /* 0: the slot is empty */
    int64_t b;
    uint64_t value;
};

struct roam_pair_map {
    struct roam_pair_slot *slots;
    size_t cap; /* a power of two, or 0 */
    size_t count;
};

/* The value of (a, b), to be read or changed until the next put; NULL when
 * there is none. a is not 0. */
uint64_t *roam_pair_map_find(const struct roam_pair_map *map, int64_t a,
                             int64_t b);

/* Sets the value of (a, b). False without memory: nothing changed. */
bool roam_pair_map_put(struct roam_pair_map *map, int64_t a, int64_t b,
                       uint64_t value);

/* Forgets all and frees the memory; the map can be used again. */
void roam_pair_map_clear(struct roam_pair_map *map);

#endif
