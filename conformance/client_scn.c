/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs and events of the client role: see client_scn.h. */
#include "client_scn.h"

#include <string.h>

#define BOTH (ROLE_CLIENT | ROLE_PAIR)

static const struct client_verb verbs[] = {
    {"open", ACT_OPEN, NULL, false, BOTH},
    {"login", ACT_LOGIN, &roam__v1__login__descriptor, false, BOTH},
    {"send", ACT_SEND, &roam__v1__send__descriptor, false, BOTH},
    {"ack", ACT_ACK, &roam__v1__ack__descriptor, false, BOTH},
    {"sync", ACT_SYNC, NULL, false, BOTH},
    {"history", ACT_HISTORY, &roam__v1__history__descriptor, false, BOTH},
    {"conversations", ACT_CONVERSATIONS, &roam__v1__conversations__descriptor,
     false, BOTH},
    {"view", ACT_VIEW, &roam__v1__history__descriptor, false, BOTH},
    {"state", ACT_STATE, NULL, false, BOTH},
    {"drop", ACT_DROP, NULL, false, BOTH},
    {"close", ACT_CLOSE, NULL, false, BOTH},
    {"logout", ACT_LOGOUT, NULL, false, BOTH},
    {"return", ACT_RETURN, NULL, false, BOTH},
    {"restart", ACT_RESTART, NULL, false, BOTH},
    {"start", ACT_START, NULL, false, BOTH},
    {"grant", ACT_GRANT, NULL, false, BOTH},
    {"fence", ACT_FENCE, NULL, false, BOTH},
    {"drain", ACT_DRAIN, NULL, false, BOTH},
    {"cut", ACT_CUT, NULL, false, BOTH},
    {"end", ACT_END, NULL, false, ROLE_CLIENT},
    {"hush", ACT_HUSH, NULL, false, BOTH},
    {"stall", ACT_STALL, NULL, false, BOTH},
    {"resume", ACT_RESUME, NULL, false, BOTH},
    {"unplug", ACT_UNPLUG, NULL, false, BOTH},
    {"plug", ACT_PLUG, NULL, false, BOTH},
    {"show", ACT_SHOW, NULL, true, ROLE_CLIENT},
    {"row", ACT_ROW, &roam__v1__push__descriptor, false, ROLE_CLIENT},
    {"bend", ACT_BEND, NULL, true, ROLE_CLIENT},
    {"pull", ACT_PULL, NULL, false, ROLE_PAIR},
    {"half-open", ACT_HALF_OPEN, NULL, false, ROLE_PAIR},
    {"hold", ACT_HOLD, NULL, false, ROLE_PAIR},
    {"release", ACT_RELEASE, NULL, false, ROLE_PAIR},
    {"delay", ACT_DELAY, NULL, true, ROLE_PAIR},
    {"split", ACT_SPLIT, NULL, true, ROLE_PAIR},
    {"tear", ACT_TEAR, NULL, true, ROLE_PAIR},
    {"withhold", ACT_WITHHOLD, NULL, false, ROLE_PAIR},
    {"let-go", ACT_LET_GO, NULL, false, ROLE_PAIR},
};

const struct client_verb *client_verb_find(const char *name, enum role role)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verbs[i].name, name) == 0 && (verbs[i].roles & role)) {
            return &verbs[i];
        }
    }
    return NULL;
}

static const struct {
    uint8_t number;
    enum client_act act;
    const char *fields[6];
} told[] = {
    {F_LOGIN, ACT_LOGIN, {"take_over", NULL}},
    {F_LOGOUT, ACT_LOGOUT, {NULL}},
    {F_SEND,
     ACT_SEND,
     {"client_msg_id", "conversation", "kind", "content_type", "body", NULL}},
    {F_HISTORY,
     ACT_HISTORY,
     {"conversation", "before", "after", "max_rows", NULL}},
    {F_CONVERSATIONS, ACT_CONVERSATIONS, {"max_rows", NULL}},
};

enum client_act client_told_act(uint8_t number)
{
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        if (told[i].number == number) {
            return told[i].act;
        }
    }
    return ACT_OPEN;
}

const char *const *client_told_fields(uint8_t number)
{
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        if (told[i].number == number) {
            return told[i].fields;
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
    {"shown", &roam__v1__push__descriptor},
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
    static const char *const known[] = {
        "ack",        "sync", "history", "drop", "limits", "restart",
        "operations", "view", "clock",   "tls",  "survey"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i], name) == 0) {
            return true;
        }
    }
    return false;
}
