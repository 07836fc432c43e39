/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine of a connection, as the spec has it (section 10.1):
 *
 *            LOGIN            granted            SYNC
 *   OPEN ------------> DECIDING ------> IDLE -----------> SYNCING
 *     ^    refused      |                |  ^  SYNC        |  |
 *     +-----------------+                |  |         +----+  | known
 *                                        |  |         |       v
 *                                 LOGOUT |  +---- (SYNC) -- DELIVERING
 *                                        v
 *                                     LEAVING        any --KICK--> ENDING
 *
 * A frame without a row is FRAME_UNEXPECTED [FRAME-8]. A row whose action
 * finds the frame wrong ends the session through ON_KICK. Time, loss of the
 * connection, and the ends that others cause need no row but that one. */
#include "session.h"

#include <assert.h>
#include <stddef.h>

#include "fault.h"

#define IN(state) (1u << (state))
#define LIVE (IN(ROAM__IDLE) | IN(ROAM__SYNCING) | IN(ROAM__DELIVERING))
#define ALL_BUT_ENDING                                                         \
    (IN(ROAM__OPEN) | IN(ROAM__DECIDING) | LIVE | IN(ROAM__LEAVING))
/* Next state: the one it is in. */
#define SAME 0xff

static void drop_sync_of_refused(struct roam_session *s,
                                 const struct roam_message *m)
{
    (void)m;
    if (!s->may_drop_sync || ROAM_FAULT("refused-sync-ends")) {
        roam__session_protocol_error(s, roam_v1_ErrorCode_FRAME_UNEXPECTED,
                                     "SYNC without a session");
        return;
    }
    s->may_drop_sync = false;
}

static void keep_sync(struct roam_session *s, const struct roam_message *m)
{
    if (s->has_sync) {
        roam__session_protocol_error(s, roam_v1_ErrorCode_FRAME_UNEXPECTED,
                                     "second SYNC behind a LOGIN");
        return;
    }
    s->has_sync = true;
    s->sync = m->u.sync;
}

static void refuse_second_sync(struct roam_session *s,
                               const struct roam_message *m)
{
    (void)m;
    if (!ROAM_FAULT("second-sync-ignored")) {
        roam__session_protocol_error(s, roam_v1_ErrorCode_SYNC_BUSY, "");
    }
}

static void drop(struct roam_session *s, const struct roam_message *m)
{
    (void)s;
    (void)m;
}

static void refuse_ack(struct roam_session *s, const struct roam_message *m)
{
    (void)m;
    roam__session_protocol_error(s, roam_v1_ErrorCode_ACK_AHEAD,
                                 "ACK before the first SYNC_OK");
}

struct edge {
    unsigned from; /* set of states */
    enum roam__event on;
    unsigned to;
    roam__action_fn action; /* may be NULL */
};

static const struct edge edges[] = {
    /* [LOGIN-5] */
    {IN(ROAM__OPEN), ROAM__ON_LOGIN, ROAM__DECIDING, roam__handle_login},
    /* [LOGIN-6] */
    {IN(ROAM__OPEN), ROAM__ON_SYNC, SAME, drop_sync_of_refused},
    /* [LOGIN-4] */
    {IN(ROAM__DECIDING), ROAM__ON_SYNC, SAME, keep_sync},
    /* [LOGIN-6] */
    {IN(ROAM__DECIDING), ROAM__ON_REFUSED, ROAM__OPEN, NULL},
    /* [KICK-1], [KICK-2]; a SYNC kept follows as a frame in IDLE [SYNC-1] */
    {IN(ROAM__DECIDING), ROAM__ON_GRANTED, ROAM__IDLE, NULL},
    /* [SYNC-10] */
    {IN(ROAM__IDLE) | IN(ROAM__DELIVERING), ROAM__ON_SYNC, ROAM__SYNCING,
     roam__handle_sync},
    /* [SYNC-2] to [SYNC-5] */
    {IN(ROAM__SYNCING), ROAM__ON_SYNCED, ROAM__DELIVERING, NULL},
    /* [SYNC-7] */
    {IN(ROAM__SYNCING), ROAM__ON_SYNC, SAME, refuse_second_sync},
    /* [ACK-5] */
    {IN(ROAM__SYNCING), ROAM__ON_ACK, SAME, drop},
    /* [ACK-4], [ACK-6] */
    {IN(ROAM__DELIVERING), ROAM__ON_ACK, SAME, roam__handle_ack},
    /* [ACK-4] */
    {IN(ROAM__IDLE), ROAM__ON_ACK, SAME, refuse_ack},
    /* [SEND-2] */
    {LIVE, ROAM__ON_SEND, SAME, roam__handle_send},
    /* [HIST-1] */
    {LIVE, ROAM__ON_HISTORY, SAME, roam__handle_history},
    /* [HIST-8] */
    {LIVE, ROAM__ON_CONVERSATIONS, SAME, roam__handle_conversations},
    /* [GRP-17] */
    {LIVE, ROAM__ON_MEMBERS, SAME, roam__handle_members},
    /* [DEV-3] */
    {LIVE, ROAM__ON_SESSIONS, SAME, roam__handle_sessions},
    /* [DEV-6] */
    {LIVE, ROAM__ON_END_SESSION, SAME, roam__handle_end_session},
    /* [PING-1] */
    {LIVE, ROAM__ON_PING, SAME, roam__handle_ping},
    /* [KICK-9] */
    {LIVE, ROAM__ON_LOGOUT, ROAM__LEAVING, roam__handle_logout},
    /* section 5.2 */
    {ALL_BUT_ENDING, ROAM__ON_KICK, ROAM__ENDING, NULL},
};

static const struct edge *find_edge(const struct roam_session *s, unsigned on)
{
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        const struct edge *e = &edges[i];
        if (e->on == on && (e->from & IN(s->state)) != 0) {
            return e;
        }
    }
    return NULL;
}

void roam__session_event(struct roam_session *s, enum roam__event on,
                         const struct roam_message *m)
{
    const struct edge *e = find_edge(s, on);
    assert(e != NULL);
    if (e->to != SAME) {
        s->state = (enum roam__state)e->to;
        roam__timers_update(s);
    }
    if (e->action != NULL) {
        e->action(s, m);
    }
}

bool roam__session_expects(const struct roam_session *s, uint8_t type)
{
    return find_edge(s, type) != NULL;
}

bool roam__session_is_live(const struct roam_session *s)
{
    return (IN(s->state) & (LIVE | IN(ROAM__LEAVING))) != 0;
}
