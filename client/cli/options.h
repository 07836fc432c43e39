/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, parsed: no file is read and nothing is printed here. */
#ifndef ROAM_CLI_OPTIONS_H
#define ROAM_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "roam_local.h"

/* Every command, its arguments, and what it is for. */
#define ROAM_COMMAND_LIST(X)                                                   \
    X(LOGIN, "login", "", "log in for the first time and remember how")        \
    X(LOGOUT, "logout", "", "give the slot up")                                \
    X(CHAT, "chat", "[PEER]",                                                  \
      "talk: one line a message; /to NAME, /recall, /read")                    \
    X(SEND, "send", "PEER [TEXT]", "send one message (TEXT or the input)")     \
    X(RECALL, "recall", "PEER MSG_ID", "take a message back")                  \
    X(DELETE, "delete", "PEER MSG_ID",                                         \
      "delete a message, for this user alone")                                 \
    X(READ, "read", "PEER MSG_ID", "set the read mark, on all devices")        \
    X(APP, "app", "PEER [DATA]", "send an application's own operation")        \
    X(GROUP, "group", "ACTION ...", "make and change a group, see below")      \
    X(SESSIONS, "sessions", "[end ...]",                                       \
      "list this user's devices; `end`: see below")                            \
    X(TAIL, "tail", "", "show messages and events as they come")               \
    X(HISTORY, "history", "[PEER]", "show what is stored on this device")      \
    X(CONVERSATIONS, "conversations", "",                                      \
      "list the conversations, each with its newest message")                  \
    X(STATUS, "status", "", "show this device's cursor, attempt, outbox")

enum roam_command {
    ROAM_COMMAND_NONE = 0,
#define ROAM_COMMAND_ENUM(id, name, arguments, help) ROAM_COMMAND_##id,
    ROAM_COMMAND_LIST(ROAM_COMMAND_ENUM)
#undef ROAM_COMMAND_ENUM
};

/* Strings point into argv. */
struct roam_options {
    enum roam_command command;
    bool help, version;

    const char *user;                  /* NULL: not given */
    enum roam_device_type device_type; /* DESKTOP unless given */
    const char *server;                /* HOST:PORT */
    const char *ca;
    const char *token_file;
    const char *state;
    const char *device_name;
    bool plain;
    bool take_over;
    bool json;
    bool stats;
    bool fetch;
    bool all;
    bool from_now;
    bool ids;
    bool exit_when_synced;
    uint64_t exit_at;                        /* version; 0: not given */
    uint64_t until_count;                    /* messages; 0: not given */
    uint64_t timeout_s;                      /* 0: the command's own */
    const char *attach, *url, *content_type; /* of an attachment */
    const char *name;                        /* of a new group */
    const char *join;   /* of a new group: open, approval, closed */
    const char *to[16]; /* of app: ROAM_APP_USERS_MAX */
    size_t to_count;
    bool off; /* of group admin and mute: undo it */

    char **arguments; /* behind the command, options taken out */
    int argument_count;
};

#define ROAM_OPTIONS_ERROR_MAX 160u

/* Parses; moves the arguments within argv.
 *
 * error  ROAM_OPTIONS_ERROR_MAX bytes; what is wrong, when false. */
bool roam_options_parse(struct roam_options *o, int argc, char **argv,
                        char *error);

/* Splits HOST:PORT, [V6ADDRESS]:PORT as well, in place.
 * False: it is neither. */
bool roam_options_split_server(char *server, char **host, char **port);

/* "phone"...: see roam_device_type_name(). False: there is none. */
bool roam_device_type_parse(const char *text, enum roam_device_type *type);

/* Decimal digits only, 1 to max. */
bool roam_number_parse(const char *text, uint64_t max, uint64_t *number);

/* The text of --help, for standard output. */
void roam_options_print_help(void);

#endif
