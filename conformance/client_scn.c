/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs and events of the client role: see client_scn.h. */
#include "client_scn.h"

#include <string.h>

static const struct client_verb verbs[] = {
    {"open", ACT_OPEN, NULL, false},
    {"login", ACT_LOGIN, &roam__v1__login__descriptor, false},
    {"send", ACT_SEND, &roam__v1__send__descriptor, false},
    {"ack", ACT_ACK, &roam__v1__ack__descriptor, false},
    {"sync", ACT_SYNC, NULL, false},
    {"history", ACT_HISTORY, &roam__v1__history__descriptor, false},
    {"conversations", ACT_CONVERSATIONS, &roam__v1__conversations__descriptor,
     false},
    {"state", ACT_STATE, NULL, false},
    {"drop", ACT_DROP, NULL, false},
    {"close", ACT_CLOSE, NULL, false},
    {"logout", ACT_LOGOUT, NULL, false},
    {"return", ACT_RETURN, NULL, false},
    {"restart", ACT_RESTART, NULL, false},
    {"start", ACT_START, NULL, false},
    {"grant", ACT_GRANT, NULL, false},
    {"fence", ACT_FENCE, NULL, false},
    {"drain", ACT_DRAIN, NULL, false},
    {"cut", ACT_CUT, NULL, false},
    {"end", ACT_END, NULL, false},
    {"hush", ACT_HUSH, NULL, false},
    {"stall", ACT_STALL, NULL, false},
    {"resume", ACT_RESUME, NULL, false},
    {"unplug", ACT_UNPLUG, NULL, false},
    {"plug", ACT_PLUG, NULL, false},
    {"row", ACT_ROW, &roam__v1__push__descriptor, false},
    {"bend", ACT_BEND, NULL, true},
};

const struct client_verb *client_verb_find(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, name) == 0) {
            return &verbs[i];
        }
    }
    return NULL;
}

/* An event has the fields of the frame that it tells about. */
static const struct {
    const char *name;
    const ProtobufCMessageDescriptor *fields;
} events[] = {
    {"granted", &roam__v1__login_ok__descriptor},
    {"refused", &roam__v1__refused__descriptor},
    {"reset", &roam__v1__sync_ok__descriptor},
    {"synced", &roam__v1__ack__descriptor}, /* version */
    {"message", &roam__v1__push__descriptor},
    {"operation", &roam__v1__push__descriptor},
    {"sent", &roam__v1__send_ok__descriptor},
    {"failed", &roam__v1__error__descriptor},
    {"page-row", &roam__v1__push__descriptor},
    {"page", &roam__v1__conversation_page__descriptor},
    {"kicked", &roam__v1__kick__descriptor},
    {"closed", &roam__v1__kick__descriptor}, /* retry, detail: why */
};

const ProtobufCMessageDescriptor *client_event_find(const char *name)
{
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (strcmp(events[i].name, name) == 0) {
            return events[i].fields;
        }
    }
    return NULL;
}

bool client_capability_known(const char *name)
{
    static const char *const known[] = {"ack",        "sync",   "history",
                                        "drop",       "limits", "restart",
                                        "operations", "clock"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i], name) == 0) {
            return true;
        }
    }
    return false;
}
