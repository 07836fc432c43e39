/* SPDX-License-Identifier: Apache-2.0 */
/* Who may have a slot: login as compare-and-set. Pure functions on one slot;
 * both stores call them inside the transaction that writes the slot.
 * Spec: section 5, [LOGIN-*]. */
#ifndef ROAM_ARBITRATION_H
#define ROAM_ARBITRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "store.h"

/* One slot (user, device type) as stored. All zero: never used. */
struct roam_slot {
    int64_t device;      /* holder's device row; 0: free */
    uint64_t generation; /* rises with every change of holder */
    uint64_t attempt;    /* of the holder's last granted login */
    uint64_t since_ms;   /* when the holder took it, since 2020-01-01 UTC */
};

/* Decides on a login by `device` with valid credentials.
 *
 * device       the store's number for it, above 0; for a device that is not
 *              stored yet, the number that it will get when it is granted.
 * held_before  the device held this slot once and did not log out.
 *
 * Returns 0 and updates *slot (device, generation, attempt, since_ms), or
 * the roam_v1_RefusedReason (OCCUPIED, KICKED, FREE, STALE) and leaves it. */
uint32_t roam_slot_login(struct roam_slot *slot, int64_t device,
                         uint64_t attempt, uint64_t take_over, bool held_before,
                         uint64_t now_ms);

/* True when the identity still is this slot's session. */
bool roam_slot_holds(const struct roam_slot *slot,
                     const struct roam_identity *who);

/* Frees the slot, whoever holds it, if that is its generation. False: nobody
 * holds it, or not with that one. [DEV-5] */
bool roam_slot_end(struct roam_slot *slot, uint64_t generation);

/* Frees the slot and raises its generation; false when fenced. */
bool roam_slot_logout(struct roam_slot *slot, const struct roam_identity *who);

#endif
