/* SPDX-License-Identifier: Apache-2.0 */
/* The server under test: started, stopped and given users. Either a roamd
 * in a temporary directory of its own, or one that a program runs for us
 * (CONTROL.md), or one that somebody else runs. */
#ifndef CONFORM_SERVER_H
#define CONFORM_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bend.h"
#include "control.h"

struct server {
    const char *roamd;    /* program; NULL: it runs elsewhere */
    const char *control;  /* words of a program that runs it; NULL: none */
    const char *settings; /* "name=value ..." for its start */
    const char *host;
    uint16_t port;
    bool is_tls;             /* at that port */
    const char *ca;          /* PEM file of the certificates to be trusted */
    const char *tls_name;    /* what its certificate is for */
    uint16_t plain_port;     /* roamd: where it listens without TLS */
    const char *provision;   /* command, when it runs elsewhere; NULL: users
                                and tokens are taken as they are */
    const char *base;        /* directory in which it makes its own */
    const char *dir;         /* its own; NULL: none */
    pid_t pid;               /* 0: not running */
    uint64_t timeout_ms;     /* for each start and each command */
    bool has_needs;          /* roamd: it is to open its control channel */
    bool is_held;            /* its clock stands still */
    bool is_store_held;      /* it answers nothing */
    uint64_t now_ms;         /* its clock, Unix time, while it stands still */
    bool is_mistake;         /* the last failure was not its own: of the program
                                that runs it, or the one that provisions */
    const char *backup;      /* roamd: the file; NULL: there is none */
    struct control *channel; /* NULL: none */
    const struct bend *bend; /* what a relay before it does; NULL: none */
    struct peer relay;       /* where `port` is then */
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
 * be NULL; expires is RFC 3339 in whole seconds, or "past" for a token that
 * is over. False with a reason. */
bool server_add_user(struct server *s, const char *user, const char **reason);
bool server_issue_token(struct server *s, const char *user, const char *type,
                        const char *expires, const char **token,
                        const char **reason);
/* From now on the token is good for nothing. False with a reason. */
bool server_revoke_token(struct server *s, const char *token,
                         const char **reason);
/* command: "name" gives the user a name that people read, "block" and
 * "unblock" another user. False with a reason. */
bool server_change_user(struct server *s, const char *command, const char *user,
                        const char *what, const char **reason);

/* ------------------------------------------ what not every server can do */

/* The first of some capabilities (words with spaces between) that it does
 * not have; NULL: it has them all. */
const char *server_lacks(const struct server *s, const char *needs);
/* Holds its clock: from now on it stands still. */
bool server_hold(struct server *s, const char **reason);
/* Its clock, Unix time. */
uint64_t server_now(const struct server *s);
/* Time passes, also while it does not run. What fell due is done then. */
bool server_advance(struct server *s, uint64_t ms, const char **reason);
/* Its wall clock goes back, while it runs; no timer does. */
bool server_set_back(struct server *s, uint64_t ms, const char **reason);
/* The commit of the next SEND fails; is it stored nevertheless? */
bool server_fail_write(struct server *s, bool stored, const char **reason);
/* Its store answers nothing any more; and again, what it was asked meanwhile
 * in order. */
bool server_hold_store(struct server *s, const char **reason);
bool server_free_store(struct server *s, const char **reason);
/* What is old is removed now. */
bool server_trim(struct server *s, const char **reason);
/* Keeps a copy of its store; and puts it in the store's place, while the
 * server does not run. */
bool server_backup(struct server *s, const char **reason);
bool server_restore(struct server *s, const char **reason);
/* Tells it to stop, and does not wait for that. */
bool server_drain(struct server *s, const char **reason);
/* Waits until it has ended by itself; not by a signal. */
bool server_await_end(struct server *s, const char **reason);

/* What a roamd has written to of its memory, in bytes; 0: it cannot be told. */
uint64_t server_memory(const struct server *s);
/* An address of this machine that others can reach; NULL: there is none. */
const char *server_far_address(void);

/* For server_control.c: runs a command to its end; *output is what it wrote,
 * without the last newline. */
bool server_run(struct server *s, const char *const *argv, const char **output,
                const char **reason);
/* The end of the process, which comes by itself, and whether it was a good
 * one: by that signal, with status 0, or as may_fail says with another one. */
bool server_reap(struct server *s, int signal, bool may_fail,
                 const char **reason);
/* It is about to end: time passes, so that it waits for nobody. */
void server_control_let_go(struct server *s);
/* With a program in front of it: the same as with roamd. */
bool server_control_open(struct server *s, const char **reason);
bool server_control_start(struct server *s, const char **reason);
bool server_control_stop(struct server *s, int signal, const char **reason);

#endif
