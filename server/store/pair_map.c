/* SPDX-License-Identifier: Apache-2.0 */
/* See pair_map.h. */
#include "pair_map.h"

#include <stdlib.h>

#define FIRST_CAP ((size_t)64)

/* The keys are small counting numbers: the mixer of splitmix64 spreads them
 * over all bits. */
static size_t hash_pair(int64_t a, int64_t b)
{
    uint64_t x = (uint64_t)a * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)b;

    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (size_t)(x ^ (x >> 31));
}

/* The slot of (a, b), or the empty slot where it belongs. */
static struct roam_pair_slot *probe(struct roam_pair_slot *slots, size_t cap,
                                    int64_t a, int64_t b)
{
    size_t i = hash_pair(a, b) & (cap - 1);

    while (slots[i].a != 0 && (slots[i].a != a || slots[i].b != b)) {
        i = (i + 1) & (cap - 1);
    }
    return &slots[i];
}

static bool grow(struct roam_pair_map *map)
{
    size_t cap = map->cap == 0 ? FIRST_CAP : map->cap * 2;
    struct roam_pair_slot *slots = calloc(cap, sizeof(*slots));

    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < map->cap; i++) {
        const struct roam_pair_slot *old = &map->slots[i];
        if (old->a != 0) {
            *probe(slots, cap, old->a, old->b) = *old;
        }
    }
    free(map->slots);
    map->slots = slots;
    map->cap = cap;
    return true;
}

uint64_t *roam_pair_map_find(const struct roam_pair_map *map, int64_t a,
                             int64_t b)
{
    if (map->cap == 0) {
        return NULL;
    }
    struct roam_pair_slot *slot = probe(map->slots, map->cap, a, b);
    return slot->a == 0 ? NULL : &slot->value;
}

bool roam_pair_map_put(struct roam_pair_map *map, int64_t a, int64_t b,
                       uint64_t value)
{
    if ((map->count + 1) * 4 > map->cap * 3 && !grow(map)) {
        return false;
    }
    struct roam_pair_slot *slot = probe(map->slots, map->cap, a, b);
    if (slot->a == 0) {
        slot->a = a;
        slot->b = b;
        map->count++;
    }
    slot->value = value;
    return true;
}

void roam_pair_map_clear(struct roam_pair_map *map)
{
    free(map->slots);
    map->slots = NULL;
    map->cap = 0;
    map->count = 0;
}
