/* SPDX-License-Identifier: Apache-2.0 */
/* Values on the wire as words. */
#include "names.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Indexed by the values on the wire. */
static const char *const refused_names[] = {"?",
                                            "OCCUPIED",
                                            "KICKED",
                                            "FREE",
                                            "STALE",
                                            "CREDENTIAL",
                                            "TOKEN_EXPIRED",
                                            "TYPE_FORBIDDEN",
                                            "PROTOCOL_VERSION",
                                            "TOKEN_BOUND",
                                            "THROTTLED"};
static const char *const kick_names[] = {
    "?",        "TAKEN_OVER",     "SUPERSEDED", "LOGGED_OUT",    "GOING_AWAY",
    "TOO_SLOW", "PROTOCOL_ERROR", "IDLE",       "LOGIN_TIMEOUT", "OVERLOADED",
    "REVOKED",  "EXPIRED",        "RESYNC",     "TOO_FAST"};
static const char *const retry_names[] = {"?", "NOW", "AFTER", "REAUTHENTICATE",
                                          "NEVER"};
static const char *const reset_names[] = {"?", "NOT_A_LINK", "AHEAD",
                                          "TOO_MANY"};
/* Those that answer a command, from this value on. */
#define FIRST_COMMAND_ERROR 32u
static const char *const error_names[] = {"NO_SUCH_CONVERSATION",
                                          "BODY_TOO_LONG",
                                          "ID_REUSED",
                                          "KIND_UNKNOWN",
                                          "NO_SUCH_MESSAGE",
                                          "FORBIDDEN",
                                          "TOO_LATE",
                                          "GROUP_FULL",
                                          "MUTED",
                                          "NO_SUCH_USER",
                                          "BODY_INVALID",
                                          "POLICY",
                                          "RATE_LIMITED",
                                          "NO_SUCH_DEVICE"};

static const char *const role_names[] = {"none", "applicant", "member", "admin",
                                         "owner"};
static const char *const join_names[] = {"?", "open", "approval", "closed"};
static const char *const action_names[] = {
    "?",      "CREATE",   "INVITE",   "JOIN",      "APPROVE",     "DENY",
    "LEAVE",  "REMOVE",   "RENAME",   "SET_ADMIN", "UNSET_ADMIN", "MUTE",
    "UNMUTE", "SET_JOIN", "TRANSFER", "DISSOLVE"};
static const char *const kind_events[] = {
    "message", "noop", "recall", "delete", "read", "app", "group", "device"};

static const char *pick(const char *const *names, size_t count, size_t i)
{
    return names[i < count ? i : 0];
}

const char *roam_kick_name(enum roam_kick reason)
{
    return pick(kick_names, COUNT(kick_names), (size_t)reason);
}

const char *roam_refused_name(enum roam_refused reason)
{
    return pick(refused_names, COUNT(refused_names), (size_t)reason);
}

const char *roam_reset_name(enum roam_reset reason)
{
    return pick(reset_names, COUNT(reset_names), (size_t)reason);
}

const char *roam_role_name(enum roam_role role)
{
    return pick(role_names, COUNT(role_names), (size_t)role);
}

const char *roam_join_name(uint32_t join)
{
    return pick(join_names, COUNT(join_names), join);
}

bool roam_join_parse(const char *text, uint32_t *join)
{
    for (size_t i = 1; i < COUNT(join_names); i++) {
        if (strcmp(text, join_names[i]) == 0) {
            *join = (uint32_t)i;
            return true;
        }
    }
    return false;
}

const char *roam_action_name(uint32_t action)
{
    return pick(action_names, COUNT(action_names), action);
}

const char *roam_kind_event(uint32_t kind)
{
    return kind < COUNT(kind_events) ? kind_events[kind] : "unknown";
}

const char *roam_refused_advice(enum roam_refused reason)
{
    switch (reason) {
    case ROAM_REFUSED_OCCUPIED:
    case ROAM_REFUSED_KICKED:
        return "--take-over uses this device and logs the other one out";
    case ROAM_REFUSED_FREE:
        return "no device is in use; --take-over uses this one";
    case ROAM_REFUSED_STALE:
        return "this state is in use elsewhere; --state names another one";
    case ROAM_REFUSED_CREDENTIAL:
        return "user and token do not belong together, or the token was"
               " revoked; `roam login --token-file` remembers another one";
    case ROAM_REFUSED_TOKEN_EXPIRED:
        return "the token has expired; `roam login --token-file` remembers"
               " another one";
    case ROAM_REFUSED_TYPE_FORBIDDEN:
        return "the token is for another type of device, see --type";
    case ROAM_REFUSED_PROTOCOL_VERSION:
        return "the server speaks another version of Roam";
    case ROAM_REFUSED_TOKEN_BOUND:
        return "the token is another device's; `roam login --token-file`"
               " remembers one of this device's own";
    case ROAM_REFUSED_THROTTLED:
        return "too many logins of late; it is tried again later";
    }
    return "the server gave a reason that this program does not know";
}

const char *roam_retry_name(enum roam_retry retry)
{
    return pick(retry_names, COUNT(retry_names), (size_t)retry);
}

/* Code 0: the client itself gave up, see roam.h. */
const char *roam_send_error_name(uint32_t code)
{
    if (code == 0) {
        return "EXPIRED";
    }
    return code >= FIRST_COMMAND_ERROR &&
                   code - FIRST_COMMAND_ERROR < COUNT(error_names)
               ? error_names[code - FIRST_COMMAND_ERROR]
               : "?";
}
