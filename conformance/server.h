/* SPDX-License-Identifier: Apache-2.0 */
/* The server under test: started, stopped and given users. Either a roamd
 * in a temporary directory of its own, or one that somebody else runs. */
#ifndef CONFORM_SERVER_H
#define CONFORM_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct server {
    const char *roamd;    /* program; NULL: it runs elsewhere */
    const char *settings; /* "name=value ..." for its start */
    const char *host;
    uint16_t port;
    const char *provision; /* command, when it runs elsewhere; NULL: users
                              and tokens are taken as they are */
    const char *base;      /* directory in which it makes its own */
    const char *dir;       /* its own; NULL: none */
    pid_t pid;             /* 0: not running */
    uint64_t timeout_ms;   /* for each start and each command */
};

/* A new directory for servers; NULL with a reason. */
const char *server_base_make(const char **reason);
/* Removes it with all that is in it. */
void server_base_remove(const char *base);

/* Makes its directory and starts it. False with a reason. */
bool server_open(struct server *s, const char **reason);
/* Starts it again on the same directory. */
bool server_start(struct server *s, const char **reason);
/* Ends it by a signal and waits for it; it must end by that signal, or with
 * status 0. False with how it ended instead. */
bool server_stop(struct server *s, int signal, const char **reason);
/* True unless it has ended by itself; says how then. Only for the process
 * that started it. */
bool server_is_alive(struct server *s, const char **how);
/* Ends it in order and removes the directory; false with how it ended. */
bool server_close(struct server *s, const char **reason);

/* A user; and a token for one, copied into the arena. type and expires may
 * be NULL; expires "past" is a token that is over. False with a reason. */
bool server_add_user(struct server *s, const char *user, const char **reason);
bool server_issue_token(struct server *s, const char *user, const char *type,
                        const char *expires, const char **token,
                        const char **reason);
/* command: "name" gives the user a name that people read, "block" and
 * "unblock" another user. False with a reason. */
bool server_change_user(struct server *s, const char *command, const char *user,
                        const char *what, const char **reason);

#endif
