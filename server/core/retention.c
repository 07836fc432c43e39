/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept for how long. The store erases; here is when it is asked to:
 * in small steps, so that no SEND waits long behind one, with a pause between
 * rounds. And what is too old is no history any more from the very
 * millisecond, whether it has been erased yet or not. Spec: section 6.5. */
#include "session.h"

#include "fault.h"

/* Between two steps of a round. */
#define STEP_PAUSE_MS 20u

/* A wall clock that is set ahead by mistake would have removed for good what
 * is not old. So what is old goes by a clock that follows the wall clock, but
 * at no more than this pace: an hour of a wrong clock costs an hour of what
 * is kept, and one that was set right is reached in the end. [KEEP-8] */
#define PACE 2u
/* Behind by more, which is more than clocks drift, and the operator is told. */
#define BEHIND_TOLD_MS 3600000u

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

static void tell_behind(struct roam_core *core, uint64_t behind_ms)
{
    bool is_behind = behind_ms > BEHIND_TOLD_MS;
    if (is_behind && !core->behind_told) {
        roam__log(core, ROAM__WARNING, "clock-ahead ms=%llu",
                  (unsigned long long)behind_ms);
    }
    core->behind_told = is_behind;
}

static uint64_t now_to_keep_by(struct roam_core *core)
{
    struct roam_now *kept = &core->kept;
    uint64_t wall = roam__stored_now(core);
    uint64_t passed = core->now.mono_ms - kept->mono_ms;
    bool is_first = kept->wall_ms == 0; /* there is nothing to doubt it by */
    uint64_t most = is_first ? wall : kept->wall_ms + PACE * passed;
    kept->wall_ms = wall < most ? wall : most;
    kept->mono_ms = core->now.mono_ms;
    tell_behind(core, wall - kept->wall_ms);
    return kept->wall_ms;
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
    req->u.trim.now_ms = now_to_keep_by(core);
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
