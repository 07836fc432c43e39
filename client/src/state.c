/* SPDX-License-Identifier: Apache-2.0 */
/* Section 10.2 as a table. Only roam__step() writes the state; a row that is
 * not there is the peer's error.
 *
 *           connected          login            LOGIN_OK
 *  CLOSED ------------> OPEN --------> LOGIN -------------> SYNC
 *    ^                   ^               |                  |  ^
 *    |                   +--- REFUSED ---+           SYNC_OK|  | gap, once;
 *    |                                                      v  | PONG ahead
 *    |  transport gone                                      LIVE
 *    +----------------- ENDED <-- KICK, broken or other frame, silence,
 *    |                            BATCH or page that lies, gap again,
 *    |                            close
 *    +----------------- any state: transport gone
 */
#include "state.h"

#include "engine.h"

#define IN(state) (1u << (state))
#define SESSION (IN(ST_SYNC) | IN(ST_LIVE))
#define ASKING (IN(ST_LOGIN) | SESSION)
#define CONNECTED (IN(ST_OPEN) | ASKING)
#define STAY ST_COUNT

const struct roam__edge roam__edges[] = {
    /* from            on               to         action */
    {IN(ST_CLOSED), ON_CONNECTED, ST_OPEN, roam__act_open},
    {IN(ST_OPEN), ON_LOGIN, ST_LOGIN, roam__act_login},      /* LOGIN-2, -4 */
    {IN(ST_LOGIN), ON_LOGIN_OK, ST_SYNC, roam__act_granted}, /* SEND-13 */
    {IN(ST_LOGIN), ON_REFUSED, ST_OPEN, roam__act_refused},  /* LOGIN-17 */
    {IN(ST_LOGIN), ON_THROTTLED, ST_ENDED, roam__act_throttled}, /* FLOW-6 */

    {IN(ST_SYNC), ON_SYNC_OK, ST_LIVE, roam__act_sync_ok},
    {IN(ST_SYNC), ON_RESET, ST_LIVE, roam__act_reset}, /* SYNC-9 */
    {IN(ST_SYNC), ON_FITS, STAY, NULL},                /* SYNC-8 */
    {IN(ST_SYNC), ON_OLD, STAY, NULL},                 /* SYNC-8 */
    {IN(ST_SYNC), ON_GAP, STAY, NULL},                 /* SYNC-8 */
    {IN(ST_SYNC), ON_GAP_AGAIN, STAY, NULL},           /* SYNC-8 */

    {IN(ST_LIVE), ON_FITS, STAY, roam__act_apply},          /* CHAIN-4 */
    {IN(ST_LIVE), ON_OLD, STAY, roam__act_drop},            /* CHAIN-5 */
    {IN(ST_LIVE), ON_GAP, ST_SYNC, roam__act_gap},          /* CHAIN-6 */
    {IN(ST_LIVE), ON_GAP_AGAIN, ST_ENDED, roam__act_chain}, /* CHAIN-6 */
    {SESSION, ON_LIES, ST_ENDED, roam__act_lies},           /* BATCH-9 */

    {SESSION, ON_PAGE, STAY, roam__act_page},                  /* HIST-11 */
    {SESSION, ON_PAGE_LIES, ST_ENDED, roam__act_page_lies},    /* HIST-12 */
    {SESSION, ON_ANSWER, STAY, roam__act_answer},              /* SEND-2 */
    {SESSION, ON_PONG, STAY, roam__act_pong},                  /* PING-3 */
    {IN(ST_LIVE), ON_BEHIND, ST_SYNC, roam__act_behind},       /* PING-3 */
    {IN(ST_LIVE), ON_BEHIND_AGAIN, ST_ENDED, roam__act_stuck}, /* PING-3 */

    {CONNECTED, ON_KICK, ST_ENDED, roam__act_kicked},   /* KICK-7, -8 */
    {CONNECTED, ON_BROKEN, ST_ENDED, roam__act_broken}, /* FRAME-14 */
    {CONNECTED, ON_OTHER, ST_ENDED, roam__act_other},   /* FRAME-14 */
    {ASKING, ON_SILENT, ST_ENDED, roam__act_silent},    /* TIME-3 */
    {CONNECTED, ON_CLOSE, ST_ENDED, roam__act_close},
    {CONNECTED, ON_GONE, ST_CLOSED, roam__act_gone}, /* TIME-6 */
    {IN(ST_ENDED), ON_GONE, ST_CLOSED, NULL},        /* CLOSE is told or owed */
    {IN(ST_CLOSED), ON_GONE, ST_CLOSED, roam__act_gone}, /* TIME-6 */
};
const size_t roam__edge_count = sizeof roam__edges / sizeof roam__edges[0];

const struct roam__edge *roam__edge_find(enum roam__state state,
                                         enum roam__on on)
{
    for (size_t i = 0; i < roam__edge_count; i++) {
        if (roam__edges[i].on == on && (roam__edges[i].from & IN(state)) != 0) {
            return &roam__edges[i];
        }
    }
    return NULL;
}

void roam__step(struct roam__engine *e, enum roam__on on)
{
    while (on != ON_NONE) {
        const struct roam__edge *edge =
            roam__edge_find((enum roam__state)e->state, on);
        if (edge == NULL) {
            edge = roam__edge_find((enum roam__state)e->state, ON_OTHER);
        }
        if (edge == NULL) {
            return;
        }
        if (edge->to != STAY) {
            e->state = edge->to;
        }
        on = edge->act != NULL ? edge->act(e) : ON_NONE;
    }
}
