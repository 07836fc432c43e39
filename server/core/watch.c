/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that are revoked while their sessions live: by another process, or
 * by END_SESSION. As long as anybody is logged in, the store is asked every
 * few seconds for those that are new: one look at an index, whatever number
 * of sessions there is. [DEV-2]
 *
 * A LOGIN may be granted before a token is revoked and be answered after the
 * core was told of that. It says how many revocations it saw: the core asks
 * for those behind them again. */
#include "session.h"

#include "fault.h"

uint64_t roam__watch_deadline(const struct roam_core *core)
{
    bool idle = core->stats.sessions == 0 || core->config.watch_ms == 0;
    return core->watching || core->draining || idle ? UINT64_MAX
                                                    : core->watch_by_ms;
}

static void end_session_of(struct roam_core *core,
                           const struct roam_store_revocation *row)
{
    struct roam__user *user = roam__users_find(core, row->user);
    if (user == NULL) {
        return;
    }
    /* A copy: with its last session the user goes. */
    struct roam_session *live[ROAM__DEVICE_TYPES];
    for (size_t type = 0; type < ROAM__DEVICE_TYPES; type++) {
        live[type] = user->live[type];
    }
    for (size_t type = 1; type < ROAM__DEVICE_TYPES; type++) {
        if (live[type] != NULL && live[type]->token == row->token) {
            roam__session_end(live[type], roam_v1_KickReason_REVOKED);
        }
    }
}

static void watch_done(struct roam_store_request *req)
{
    struct roam_core *core = req->owner;
    const struct roam_store_revoked *revoked = &req->u.revoked;
    core->watching = false;
    core->watch_by_ms = core->now.mono_ms;
    if (!revoked->more) {
        core->watch_by_ms += core->config.watch_ms;
    }
    if (core->revocations == revoked->after) { /* no LOGIN saw fewer since */
        core->revocations = revoked->upto;
    }
    for (size_t i = 0; i < revoked->count; i++) {
        if (!ROAM_FAULT("ended-goes-on") && !ROAM_FAULT("revoked-goes-on")) {
            end_session_of(core, &revoked->rows[i]);
        }
    }
    roam_store_request_free(req);
}

void roam__watch_run(struct roam_core *core)
{
    if (roam__watch_deadline(core) > core->now.mono_ms) {
        return;
    }
    struct roam_store *store = core->config.store;
    struct roam_store_request *req =
        roam_store_request_new(ROAM_STORE_REVOKED, 0);
    if (req == NULL) { /* soon enough the next time */
        core->watch_by_ms = core->now.mono_ms + core->config.watch_ms;
        return;
    }
    req->done = watch_done;
    req->owner = core;
    req->u.revoked.after = core->revocations;
    core->watching = true;
    store->ops->submit(store, req);
}

void roam__watch_now(struct roam_core *core)
{
    core->watch_by_ms = core->now.mono_ms;
}

void roam__watch_login(struct roam_core *core, uint64_t revocations)
{
    if (core->stats.sessions == 0) { /* nobody else needs to know of more */
        core->revocations = revocations;
        core->watch_by_ms = core->now.mono_ms + core->config.watch_ms;
    } else if (revocations < core->revocations) {
        core->revocations = revocations;
    }
}
