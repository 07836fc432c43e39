/* SPDX-License-Identifier: Apache-2.0 */
/* Connections without a credential, the only ones that anybody can open.
 *
 * There is room for max_strangers, and for max_strangers_address of one
 * address. When the room is full, the oldest stranger gives way to the
 * newcomer, if it had its time: who means to log in needs one round trip, who
 * only holds a place needs all of them. [FLOW-10] */
#include "session.h"

/* Longer than a handshake and a LOGIN take on a bad line. */
#define STRANGER_GRACE_MS 2000u

static struct roam_session **chain_of(struct roam_core *core, uint64_t address)
{
    uint64_t hash = address * 0x9e3779b97f4a7c15ull;
    return &core->strangers.chains[hash >> 32 & (ROAM__STRANGER_CHAINS - 1)];
}

static bool address_is_full(struct roam_core *core, uint64_t address)
{
    uint32_t count = 0;
    if (address == 0) {
        return false;
    }
    const struct roam_session *s = *chain_of(core, address);
    for (; s != NULL; s = s->same_address) {
        count += s->address == address ? 1 : 0;
    }
    return count >= core->config.max_strangers_address;
}

bool roam__strangers_room(struct roam_core *core, uint64_t address)
{
    if (address_is_full(core, address)) {
        return false;
    }
    struct roam_session *oldest = core->strangers.oldest;
    if (core->strangers.count < core->config.max_strangers) {
        return true;
    }
    if (core->now.mono_ms < oldest->accepted_ms + STRANGER_GRACE_MS) {
        return false;
    }
    roam__session_end(oldest, roam_v1_KickReason_OVERLOADED);
    return true;
}

void roam__strangers_add(struct roam_session *s)
{
    struct roam__strangers *all = &s->core->strangers;
    s->is_stranger = true;
    s->older = all->newest;
    *(all->newest != NULL ? &all->newest->newer : &all->oldest) = s;
    all->newest = s;
    struct roam_session **chain = chain_of(s->core, s->address);
    s->same_address = *chain;
    *chain = s;
    all->count++;
}

void roam__strangers_remove(struct roam_session *s)
{
    struct roam__strangers *all = &s->core->strangers;
    if (!s->is_stranger) {
        return;
    }
    s->is_stranger = false;
    *(s->older != NULL ? &s->older->newer : &all->oldest) = s->newer;
    *(s->newer != NULL ? &s->newer->older : &all->newest) = s->older;
    struct roam_session **link = chain_of(s->core, s->address);
    while (*link != s) {
        link = &(*link)->same_address;
    }
    *link = s->same_address;
    all->count--;
}
