/* SPDX-License-Identifier: Apache-2.0 */
/* SYNC: stops the delivery there is, asks the store where the cursor is,
 * answers, and starts delivery anew. Spec: section 6.1. */
#include "session.h"

#include "fault.h"

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void ask_store(struct roam_session *s)
{
    struct roam_store_request *req = roam__request_new(s, ROAM_STORE_SYNC, 0);
    if (req == NULL) {
        return;
    }
    req->tag = s->delivery;
    req->u.sync.user = s->identity.user;
    req->u.sync.cursor = s->sync.cursor;
    req->u.sync.head = s->user->head;
    req->u.sync.max_entries = s->sync.max_entries;
    roam__request_submit_or_hold(s, req);
}

void roam__handle_sync(struct roam_session *s, const struct roam_message *m)
{
    const struct roam_core_config *config = &s->core->config;
    if (!roam__flow_sync(s)) {
        return;
    }
    roam__delivery_stop(s); /* [SYNC-10] */
    s->sync = m->u.sync;
    /* [BATCH-4] goes by the client's numbers, everything else by the
     * smaller of these and the server's own [LIMIT-1]. */
    s->body_limit = roam_body_limit(s->peer_max_frame, s->sync.max_inflated);
    s->sync.max_inflated = smaller(s->sync.max_inflated, config->max_inflated);
    s->window.limit = smaller(s->sync.max_unacked, config->max_unacked);
    ask_store(s);
}

/* [SYNC-2] to [SYNC-4] */
static void decide(roam_v1_SyncOk *ok, const struct roam_store_sync *sync)
{
    ok->head = sync->head;
    ok->floor = ROAM_FAULT("floor-not-told") ? 0 : sync->floor;
    if (sync->cursor == sync->head) {
        ok->result = roam_v1_SyncResult_UP_TO_DATE;
        return;
    }
    ok->result = roam_v1_SyncResult_RESET;
    if (sync->cursor > sync->head) {
        ok->reason = roam_v1_ResetReason_AHEAD;
    } else if (!sync->is_link) {
        ok->reason = roam_v1_ResetReason_NOT_A_LINK;
    } else if (sync->too_many) {
        ok->reason = roam_v1_ResetReason_TOO_MANY;
    } else {
        ok->result = roam_v1_SyncResult_DELTA;
    }
}

void roam__sync_done(struct roam_session *s, struct roam_store_request *req)
{
    if (s->closed || s->state != ROAM__SYNCING || req->tag != s->delivery) {
        return;
    }
    /* All that the core knew of is trimmed away: what is there instead is
     * stored, and on its way to the core. A floor above the head would be told
     * else, and a delivery begun that has no next entry. */
    if (req->u.sync.floor > req->u.sync.head) {
        ask_store(s);
        return;
    }
    struct roam_message m;
    roam_message_init(&m, ROAM_SYNC_OK);
    roam_v1_SyncOk *ok = &m.u.sync_ok;
    decide(ok, &req->u.sync);
    if (ROAM_FAULT("limit-resets") && !roam__flow_backlog(s)) {
        ok->result = roam_v1_SyncResult_RESET;
        ok->reason = roam_v1_ResetReason_TOO_MANY;
    }
    if (s->window.limit < s->sync.max_unacked &&
        !ROAM_FAULT("window-not-told")) {
        ok->max_unacked = s->window.limit; /* [ACK-8] */
    }
    /* [SYNC-5] */
    uint64_t start =
        ok->result == roam_v1_SyncResult_RESET ? ok->head : req->u.sync.cursor;
    if (ROAM_FAULT("sync-reset-as-up-to-date") &&
        ok->result == roam_v1_SyncResult_RESET) {
        ok->result = roam_v1_SyncResult_UP_TO_DATE;
        ok->reason = roam_v1_ResetReason_RESET_UNSPECIFIED;
    }
    roam__session_event(s, ROAM__ON_SYNCED, NULL);
    roam__session_tells(s, req->u.sync.head);
    if (roam__session_queue(s, &m)) {
        roam__delivery_start(s, start);
    }
}
