/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines: one per session, in a binary heap.
 *
 * Deadlines mostly move further away, with every byte received. The heap is
 * lazy: a session's key is at or before its true deadline; only an earlier
 * deadline moves it at once, a later one when its key comes up. So a frame
 * costs nothing here. Spec: section 9. */
#include "session.h"

#include "alloc.h"
#include "fault.h"

#define HEAP_MIN 64u

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t idle_by(const struct roam_session *s)
{
    uint64_t heartbeat = s->core->config.heartbeat_ms;
    if (ROAM_FAULT("idle-early")) {
        return s->heard_ms + heartbeat / 2;
    }
    return s->heard_ms + (heartbeat * 5 + 1) / 2; /* not before [TIME-2] */
}

static uint64_t stuck_by(const struct roam_session *s)
{
    return s->out.len == 0 || ROAM_FAULT("stuck-for-ever")
               ? UINT64_MAX
               : s->moved_ms + s->core->config.write_timeout_ms; /* [TIME-5] */
}

/* When its token is over. [DEV-2] */
static uint64_t expires_by(const struct roam_session *s)
{
    uint64_t by = s->expires_ms;
    if (ROAM_FAULT("expired-by-the-wall") && by != UINT64_MAX) {
        uint64_t wall = s->core->now.wall_ms;
        by = s->core->now.mono_ms + (by > wall ? by - wall : 0);
    }
    return by;
}

/* The time limit of the state alone. */
static uint64_t state_by(const struct roam_session *s)
{
    if (s->deaf) {
        return s->end_by_ms;
    }
    switch (s->state) {
    case ROAM__OPEN:
        return ROAM_FAULT("login-time-for-ever")
                   ? UINT64_MAX
                   : s->login_by_ms; /* [TIME-4] */
    case ROAM__IDLE:
    case ROAM__SYNCING:
    case ROAM__DELIVERING:
        return earlier(idle_by(s), expires_by(s));
    case ROAM__DECIDING:
        /* Held back by the peer's own doing, or the store will answer. */
        return s->held != NULL ? s->login_by_ms : UINT64_MAX;
    case ROAM__LEAVING:
    case ROAM__ENDING:
        break;
    }
    return UINT64_MAX;
}

/* When a backlog that pauses goes on. [FLOW-8] */
static uint64_t read_by(const struct roam_session *s)
{
    return s->read_again_ms == 0 ? UINT64_MAX : s->read_again_ms;
}

static uint64_t deadline(const struct roam_session *s)
{
    if (s->state == ROAM__ENDING) {
        return s->given_up || s->out.len == 0 ? UINT64_MAX : s->end_by_ms;
    }
    return earlier(earlier(state_by(s), stuck_by(s)), read_by(s));
}

static void expire(struct roam_session *s)
{
    uint64_t now = s->core->now.mono_ms;
    if (s->state == ROAM__ENDING) {
        s->given_up = true;
        roam__session_ready(s);
    } else if (s->deaf) {
        roam__session_end(s, roam_v1_KickReason_GOING_AWAY);
    } else if (stuck_by(s) <= now) {
        roam__session_end(s, roam_v1_KickReason_TOO_SLOW);
    } else if (s->state == ROAM__OPEN || s->state == ROAM__DECIDING) {
        roam__session_end(s, roam_v1_KickReason_LOGIN_TIMEOUT);
    } else if (read_by(s) <= now && state_by(s) > now) {
        roam__flow_backlog_again(s);
    } else if (expires_by(s) <= now) {
        roam__session_end(s, roam_v1_KickReason_EXPIRED);
    } else {
        roam__session_end(s, roam_v1_KickReason_IDLE);
    }
}

/* ------------------------------------------------------------------- heap */

static void place(struct roam_core *core, uint32_t index,
                  struct roam_session *s)
{
    core->timers[index] = s;
    s->timer_index = index;
}

static void sift_up(struct roam_session *s)
{
    struct roam_core *core = s->core;
    uint32_t index = s->timer_index;
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (core->timers[parent]->timer_ms <= s->timer_ms) {
            break;
        }
        place(core, index, core->timers[parent]);
        index = parent;
    }
    place(core, index, s);
}

static void sift_down(struct roam_session *s)
{
    struct roam_core *core = s->core;
    uint32_t index = s->timer_index;
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= core->timer_count) {
            break;
        }
        if (child + 1 < core->timer_count &&
            core->timers[child + 1]->timer_ms < core->timers[child]->timer_ms) {
            child++;
        }
        if (core->timers[child]->timer_ms >= s->timer_ms) {
            break;
        }
        place(core, index, core->timers[child]);
        index = child;
    }
    place(core, index, s);
}

bool roam__timers_add(struct roam_session *s)
{
    struct roam_core *core = s->core;
    if (core->timer_count == core->timer_room) {
        uint32_t room = core->timer_room == 0 ? HEAP_MIN : 2 * core->timer_room;
        struct roam_session **timers =
            roam__resize(core->timers, room * sizeof(*timers));
        if (timers == NULL) {
            return false;
        }
        core->timers = timers;
        core->timer_room = room;
    }
    s->timer_ms = deadline(s);
    place(core, core->timer_count++, s);
    sift_up(s);
    return true;
}

void roam__timers_remove(struct roam_session *s)
{
    struct roam_core *core = s->core;
    struct roam_session *last = core->timers[--core->timer_count];
    if (last != s) {
        place(core, s->timer_index, last);
        sift_up(last);
        sift_down(last);
    }
}

void roam__timers_update(struct roam_session *s)
{
    uint64_t by = deadline(s);
    if (by < s->timer_ms) {
        s->timer_ms = by;
        sift_up(s);
    }
}

void roam__timers_run(struct roam_core *core)
{
    uint64_t now = core->now.mono_ms;
    while (core->timer_count > 0 && core->timers[0]->timer_ms <= now) {
        struct roam_session *s = core->timers[0];
        if (deadline(s) <= now) {
            expire(s);
        }
        s->timer_ms = deadline(s);
        sift_down(s);
    }
}

uint64_t roam_core_deadline(const struct roam_core *core)
{
    uint64_t by =
        core->timer_count == 0 ? UINT64_MAX : core->timers[0]->timer_ms;
    by = earlier(by, roam__watch_deadline(core));
    return earlier(by, roam__retention_deadline(core));
}
