/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine of a client's connection: section 10.2 of the spec.
 * state.c holds the drawing, the table and the one function that changes
 * the state. */
#ifndef ROAM_CLIENT_STATE_H
#define ROAM_CLIENT_STATE_H

#include <stddef.h>
#include <stdint.h>

struct roam__engine;

enum roam__state {
    ST_CLOSED, /* no connection */
    ST_OPEN,   /* connection without a login under way */
    ST_LOGIN,  /* LOGIN and SYNC due or sent, no answer */
    ST_SYNC,   /* session; SYNC due or sent, no answer */
    ST_LIVE,   /* session; entries flow */
    ST_ENDED,  /* closing */
    ST_COUNT
};

enum roam__on {
    ON_NONE,
    /* The caller. */
    ON_CONNECTED, /* a transport is up */
    ON_LOGIN,     /* log in */
    ON_CLOSE,     /* end the connection */
    ON_GONE,      /* the transport is gone, or could not be had */
    /* Time. */
    ON_SILENT, /* no answer in time */
    /* Frames. PUSH and BATCH are told apart by how they meet the chain. */
    ON_LOGIN_OK,
    ON_REFUSED,
    ON_THROTTLED, /* REFUSED, and another LOGIN would be too */
    ON_SYNC_OK,   /* UP_TO_DATE or DELTA */
    ON_RESET,     /* SYNC_OK RESET */
    ON_FITS,
    ON_OLD, /* at or below the last entry received */
    ON_GAP,
    ON_GAP_AGAIN, /* no entry fitted since the last gap */
    ON_LIES,      /* a BATCH that breaks the rules of section 8 */
    ON_PAGE,      /* HISTORY_PAGE or CONVERSATION_PAGE that was asked for */
    ON_PAGE_LIES, /* one that breaks the rules of section 8 */
    ON_ANSWER,    /* SEND_OK or ERROR */
    ON_PONG,
    ON_BEHIND,       /* entries up to an earlier PONG's head did not come */
    ON_BEHIND_AGAIN, /* nor after the SYNC that asked for them */
    ON_KICK,
    ON_BROKEN, /* a frame that breaks a rule of sections 3 to 9 */
    ON_OTHER,  /* a frame that this state does not allow */
    ON_COUNT
};

/* What a transition does. It may find that something else happened, and
 * returns that, or ON_NONE. */
typedef enum roam__on (*roam__action_fn)(struct roam__engine *e);

struct roam__edge {
    uint8_t from; /* set of states: bit 1 << enum roam__state */
    uint8_t on;   /* enum roam__on */
    uint8_t to;   /* enum roam__state; ST_COUNT: stay */
    roam__action_fn act;
};

/* The table; at most one edge for a state and an event. */
extern const struct roam__edge roam__edges[];
extern const size_t roam__edge_count;

/* The edge for this event, or NULL: not allowed. */
const struct roam__edge *roam__edge_find(enum roam__state state,
                                         enum roam__on on);

/* Takes the edge for `on`, then whatever its action found. An event without
 * an edge is the peer's error ON_OTHER; in CLOSED and ENDED it is nothing. */
void roam__step(struct roam__engine *e, enum roam__on on);

#endif
