/* SPDX-License-Identifier: Apache-2.0 */
/* Login as compare-and-set, on one slot. See arbitration.h. */
#include "arbitration.h"

#include "fault.h"
#include "roam.pb.h"

uint32_t roam_slot_login(struct roam_slot *slot, int64_t device,
                         uint64_t attempt, uint64_t take_over, bool held_before,
                         uint64_t now_ms)
{
    if (slot->device == device) { /* [LOGIN-10], [LOGIN-11] */
        if (attempt <= slot->attempt && !ROAM_FAULT("stale-attempt-granted")) {
            return roam_v1_RefusedReason_STALE;
        }
        if (ROAM_FAULT("holder-needs-take-over") &&
            take_over != slot->generation) {
            return roam_v1_RefusedReason_STALE;
        }
        slot->attempt = attempt; /* the generation stays: [LOGIN-15] */
        return 0;
    }
    bool wins = take_over == slot->generation; /* [LOGIN-12] */
    if (ROAM_FAULT("stale-takeover-granted") && take_over != 0) {
        wins = true;
    }
    if (!wins) { /* [LOGIN-13] */
        if (slot->device == 0) {
            return roam_v1_RefusedReason_FREE;
        }
        return held_before ? roam_v1_RefusedReason_KICKED
                           : roam_v1_RefusedReason_OCCUPIED;
    }
    bool raise =
        slot->generation == 0 || !ROAM_FAULT("generation-kept-on-takeover");
    slot->generation += raise ? 1 : 0; /* [LOGIN-15] */
    slot->device = device;
    slot->attempt = attempt;
    slot->since_ms = now_ms;
    return 0;
}

bool roam_slot_holds(const struct roam_slot *slot,
                     const struct roam_identity *who)
{
    if (ROAM_FAULT("command-after-kick")) {
        return true;
    }
    return slot->device == who->device && slot->generation == who->generation &&
           slot->attempt == who->attempt;
}

static void set_free(struct roam_slot *slot)
{
    slot->device = 0;
    slot->attempt = 0;
    slot->since_ms = 0;
    slot->generation += 1;
}

bool roam_slot_end(struct roam_slot *slot, uint64_t generation)
{
    if (slot->device == 0 ||
        (slot->generation != generation && !ROAM_FAULT("end-any-generation"))) {
        return false;
    }
    set_free(slot);
    return true;
}

bool roam_slot_logout(struct roam_slot *slot, const struct roam_identity *who)
{
    if (!roam_slot_holds(slot, who)) {
        return false;
    }
    set_free(slot); /* [KICK-9] */
    return true;
}
