/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that the harness starts: peers, and commands that provision. */
#ifndef CONFORM_SPAWN_H
#define CONFORM_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a program finds in its environment besides ours: "NAME=value". */
#define SPAWN_WORDS 4
struct spawn_environment {
    const char *words[SPAWN_WORDS];
    int count;
};
void spawn_add(struct spawn_environment *e, const char *word);

struct spawn {
    const char *const *argv; /* its last one NULL; [0] looked for in PATH */
    struct spawn_environment more; /* wins over ours */
    int in;                        /* -1: /dev/null */
    int out, err;
    int kept; /* stays open under its own number; -1: none */
};

/* A child that dies with us. One that cannot be run says why on `err`, and has
 * ended with status 127. Less than 0: errno. */
pid_t spawn_start(const struct spawn *s);
/* Waits for its end until the deadline (of now_ms()); false: it still runs. */
bool spawn_wait(pid_t pid, uint64_t deadline_ms, int *status);
/* Returns its status, which is another if it had ended before. */
int spawn_kill(pid_t pid);

#endif
