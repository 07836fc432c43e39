/* SPDX-License-Identifier: Apache-2.0 */
/* roamd as a process, in a directory of its own and on ports that the system
 * chose, and a connection that speaks whole frames. */
#ifndef ROAMD_RIG_H
#define ROAMD_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "frame.h"

#define RIG_OUTPUT_MAX 16384

struct roamd_rig {
    char dir[128];  /* temporary */
    char home[160]; /* the server's, in it */
    char port_file[160];
    char log_file[160];
    const char *program;      /* what is run, beside the tests: roamd */
    pid_t pid;                /* of a server that runs; 0: none */
    uint16_t tls_port;        /* 0: none */
    uint16_t plain_port;      /* 0: none */
    uint16_t metrics_port;    /* 0: none */
    int status;               /* exit status of the last command */
    char out[RIG_OUTPUT_MAX]; /* what it printed */
    char err[RIG_OUTPUT_MAX];
};

/* Makes the directory; no home yet. */
void roamd_rig_setup(struct roamd_rig *rig);
/* Fails the test when a server is still there. */
void roamd_rig_teardown(struct roamd_rig *rig);

/* The path of roamd, beside the tests. */
const char *roamd_program(void);

/* Runs `roamd -d home WORDS...` to its end, input from `input` or empty when
 * NULL. The words end with NULL. */
void roamd_do(struct roamd_rig *rig, const char *input, ...);
/* The same; the test fails when the exit status is another one. */
#define roamd_expect(rig, status_, ...)                                        \
    do {                                                                       \
        roamd_do((rig), NULL, __VA_ARGS__, NULL);                              \
        if ((rig)->status != (status_)) {                                      \
            fail_msg("exit status %d: %s", (rig)->status, (rig)->err);         \
        }                                                                      \
    } while (0)

/* Calls of setrlimit() between fork and exec; {0}: none. */
struct roamd_limits {
    unsigned long files; /* RLIMIT_NOFILE; 0: as it is */
    unsigned long bytes; /* RLIMIT_FSIZE; 0: as it is */
};

/* Starts `roamd run --port-file ... WORDS...` and waits for its ports. */
void roamd_start(struct roamd_rig *rig, struct roamd_limits limits, ...);
/* Waits for its end; the exit status, or minus the signal. */
int roamd_wait(struct roamd_rig *rig);
/* Sends a signal, then the same. */
int roamd_stop(struct roamd_rig *rig, int signum);
/* Does the server's log have this text? */
bool roamd_log_has(const struct roamd_rig *rig, const char *text);
/* Waits until it has; fails the test when that takes for ever. */
void roamd_await_log(const struct roamd_rig *rig, const char *text);

/* init, one user, and a token into token (44 bytes). */
void roamd_rig_provision(struct roamd_rig *rig, const char *user,
                         char token[44]);

/* ---------------------------------------------------------------- frames */

struct wire {
    int fd;
    uint8_t buf[1 << 18];
    struct roam_reader reader;
    uint8_t input[65536];
    struct roam_slice rest; /* of the input */
};

/* A TCP connection to 127.0.0.1. */
int roamd_connect(uint16_t port);
void wire_open(struct wire *w, uint16_t port);
/* The same on a connection that there is. */
void wire_attach(struct wire *w, int fd);
void wire_close(struct wire *w);
/* False when the server has closed the connection. */
bool wire_send(struct wire *w, const struct roam_message *m);
/* The next message; false at the end of the stream. */
bool wire_receive(struct wire *w, struct roam_message *m);
/* A LOGIN, and the answer to it. */
void wire_login(struct wire *w, const char *user, const char *token,
                uint8_t device, const char *device_name,
                struct roam_message *answer);
struct roam_message login_message(const char *user, const char *token,
                                  uint8_t device, const char *device_name);

#endif
