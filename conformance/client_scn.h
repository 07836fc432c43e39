/* SPDX-License-Identifier: Apache-2.0 */
/* What the client role adds to the language of scenarios: verbs, most of
 * which are told to the adapter, and the adapter's events. SCENARIOS.md has
 * the list for people. */
#ifndef CONFORM_CLIENT_SCN_H
#define CONFORM_CLIENT_SCN_H

#include "scn.h"

enum client_act {
    /* told to the adapter */
    ACT_OPEN = 1,
    ACT_LOGIN,
    ACT_SEND,
    ACT_ACK,
    ACT_SYNC,
    ACT_HISTORY,
    ACT_CONVERSATIONS,
    ACT_VIEW,  /* sets $DEV.count, $DEV.unread, $DEV.read_mark, $DEV.role */
    ACT_STATE, /* sets $DEV.cursor, $DEV.attempt, $DEV.connections... */
    ACT_DROP,
    ACT_CLOSE,
    ACT_LOGOUT,
    ACT_RETURN,  /* time passes until the client comes back by itself */
    ACT_RESTART, /* close, and open with the same store */
    /* done by the server that the harness plays */
    ACT_START, /* login, and all that is granted and synced honestly */
    ACT_GRANT, /* the same without the person: a client comes by itself */
    ACT_FENCE, /* the client has taken all that was sent */
    ACT_DRAIN, /* fence, and its events need no step */
    ACT_CUT,
    ACT_END,
    ACT_HUSH, /* answers no PING from now on, on this connection */
    ACT_STALL,
    ACT_RESUME,
    ACT_UNPLUG, /* connections are refused */
    ACT_PLUG,
    ACT_SHOW, /* by TLS, from the next connection on: tls_server.c */
    ACT_ROW,  /* of the next BATCH or page */
    ACT_BEND, /* the next BATCH or page lies so: client_pack.h */
    /* role pair: done by the relay */
    ACT_PULL,      /* all pages of history */
    ACT_HALF_OPEN, /* the client's end is gone, the server's stays */
    ACT_HOLD,      /* what the server sends waits, until released */
    ACT_RELEASE,
    ACT_DELAY,    /* it takes so long */
    ACT_SPLIT,    /* so many bytes at a time */
    ACT_TEAR,     /* the beginning of the next frame, then a cut */
    ACT_WITHHOLD, /* what the client sends waits */
    ACT_LET_GO    /* and passes on */
};

struct client_verb {
    const char *name;
    enum client_act act;
    const ProtobufCMessageDescriptor *fields; /* NULL: takes none */
    bool takes_word;
    unsigned roles; /* that have it */
};
/* NULL: the role has no such verb. */
const struct client_verb *client_verb_find(const char *name, enum role role);
/* What makes a client send a frame of that type, and the fields that its
 * program chooses, NULL at the end; NULL: nothing does. */
enum client_act client_told_act(uint8_t number);
const char *const *client_told_fields(uint8_t number);
/* The message that has the event's fields; NULL: no such event. */
const ProtobufCMessageDescriptor *client_event_find(const char *name);

/* What an adapter may name in its hello, and `clock`. */
bool client_capability_known(const char *name);

#endif
