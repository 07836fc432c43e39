/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept for how long. The store erases; here is when it is asked to:
 * in small steps, so that no SEND waits long behind one, with a pause between
 * rounds. And what is too old is no history any more from the very
 * millisecond, whether it has been erased yet or not. Spec: section 6.5. */
#include "session.h"

#include "fault.h"

/* Between two steps of a round. */
#define STEP_PAUSE_MS 20u

void roam__retention_open(struct roam_core *core)
{
    const struct roam_core_config *config = &core->config;
    bool limits = config->timeline_ms != 0 || config->timeline_entries != 0 ||
                  config->history_ms != 0;
    /* The clock is not known yet: due at the first tick. */
    core->trim_by_ms = limits && config->trim_ms != 0 ? 0 : UINT64_MAX;
}

uint64_t roam__retention_deadline(const struct roam_core *core)
{
    return core->trimming || core->draining ? UINT64_MAX : core->trim_by_ms;
}

static void trim_done(struct roam_store_request *req)
{
    struct roam_core *core = req->owner;
    core->trimming = false;
    core->trim_by_ms =
        core->now.mono_ms +
        (req->u.trim.more ? STEP_PAUSE_MS : core->config.trim_ms);
    roam_store_request_free(req);
}

void roam__retention_run(struct roam_core *core)
{
    if (roam__retention_deadline(core) > core->now.mono_ms) {
        return;
    }
    struct roam_store *store = core->config.store;
    struct roam_store_request *req = roam_store_request_new(ROAM_STORE_TRIM, 0);
    if (req == NULL) { /* nothing is lost by waiting */
        core->trim_by_ms = core->now.mono_ms + core->config.trim_ms;
        return;
    }
    req->done = trim_done;
    req->owner = core;
    req->u.trim.now_ms = roam__stored_now(core);
    core->trimming = true;
    store->ops->submit(store, req);
}

uint64_t roam__retention_oldest(const struct roam_core *core)
{
    uint64_t now = roam__stored_now(core);
    uint64_t kept =
        ROAM_FAULT("history-without-end") ? 0 : core->config.history_ms;
    return kept == 0 || kept >= now ? 0
                                    : (now - kept) << ROAM_MSG_ID_TIME_SHIFT;
}
