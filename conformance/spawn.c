/* SPDX-License-Identifier: Apache-2.0 */
/* See spawn.h. A suite starts some thousand programs, and each fork() would
 * copy the page tables of all scenarios for them; vfork() lends the child our
 * memory until it is that program. So all that it needs is made before. */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

void spawn_add(struct spawn_environment *e, const char *word)
{
    e->words[e->count++] = word;
}

static bool is_same_name(const char *a, const char *b)
{
    size_t len = strcspn(a, "=");
    return strncmp(a, b, len + 1) == 0;
}

static bool is_replaced(const struct spawn_environment *e, const char *word)
{
    bool found = false;
    for (int i = 0; i < e->count; i++) {
        found = found || is_same_name(e->words[i], word);
    }
    return found;
}

static const char **whole_environment(const struct spawn_environment *more)
{
    size_t count = 0;
    while (environ[count]) {
        count++;
    }
    const char **all = arena_alloc((count + SPAWN_WORDS + 1) * sizeof *all);
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_replaced(more, environ[i])) {
            all[n++] = environ[i];
        }
    }
    for (int i = 0; i < more->count; i++) {
        all[n++] = more->words[i];
    }
    all[n] = NULL;
    return all;
}

/* In the child, which has our memory: it calls the system, and no more. */
static int become(const struct spawn *s, int in, const char **env)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    if (dup2(in, STDIN_FILENO) < 0 || dup2(s->out, STDOUT_FILENO) < 0 ||
        dup2(s->err, STDERR_FILENO) < 0 ||
        (s->kept >= 0 && fcntl(s->kept, F_SETFD, 0) < 0)) {
        return errno;
    }
    execvpe(s->argv[0], (char *const *)s->argv, (char *const *)env);
    return errno;
}

pid_t spawn_start(const struct spawn *s)
{
    const char **env = whole_environment(&s->more);
    int null = s->in < 0 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
    volatile int error = 0; /* the child's */
    pid_t pid = vfork();
    if (pid == 0) {
        error = become(s, s->in < 0 ? null : s->in, env);
        _exit(127);
    }
    if (null >= 0) {
        close(null);
    }
    if (error != 0) {
        dprintf(s->err, "%s: %s\n", s->argv[0], strerror(error));
    }
    return pid;
}

bool spawn_wait(pid_t pid, uint64_t deadline_ms, int *status)
{
    const struct timespec step = {.tv_nsec = 2000000};
    while (waitpid(pid, status, WNOHANG) == 0) {
        if (now_ms() >= deadline_ms) {
            return false;
        }
        nanosleep(&step, NULL);
    }
    return true;
}

int spawn_kill(pid_t pid)
{
    int status = 0;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return status;
}
