/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, stopping and provisioning the peer: see server.h. */
#include "server.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "broken.h"
#include "scn_lex.h"
#include "spawn.h"
#include "text.h"

#define LOG_TAIL_BYTES 600u
/* A command that makes a user syncs a store, which takes its time where many
 * do so; it is no step of a case, and decides no verdict. */
#define COMMAND_MS 60000u
/* For what a process does between SIGKILL and its end. */
#define REMOVAL_MS 2000u

static const char *ended_how(int status)
{
    if (WIFSIGNALED(status)) {
        return arena_printf("ended by signal %d", WTERMSIG(status));
    }
    return arena_printf("exited with status %d", WEXITSTATUS(status));
}

/* What roamd's test build and whoever provisions finds in its environment;
 * see CONTROL.md. */
static void set_environment(const struct server *s, int channel,
                            struct spawn_environment *e)
{
    broken_environment(BROKEN_SERVER, e);
    if (s->host) {
        spawn_add(e, arena_printf("ROAM_AT=%s:%u", s->host, (unsigned)s->port));
    }
    if (channel < 0) {
        return;
    }
    spawn_add(e, arena_printf("ROAM_CONTROL_FD=%d", channel));
    if (s->is_held) {
        spawn_add(e, arena_printf("ROAM_CONTROL_NOW=%" PRIu64, s->now_ms));
    }
}

/* A program with its standard output and error in `out`. */
static pid_t spawn(const struct server *s, const char *const *argv, int out,
                   int channel)
{
    struct spawn p = {
        .argv = argv, .in = -1, .out = out, .err = out, .kept = channel};
    set_environment(s, channel, &p.more);
    return spawn_start(&p);
}

/* Runs a command to its end; *output is what it wrote, without the last
 * newline. */
bool server_run(struct server *s, const char *const *argv, const char **output,
                const char **reason)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        *reason = arena_string(strerror(errno));
        return false;
    }
    pid_t pid = spawn(s, argv, fds[1], -1);
    close(fds[1]);
    if (pid < 0) {
        *reason = arena_printf("%s: %s", argv[0], strerror(errno));
        close(fds[0]);
        return false;
    }
    uint64_t deadline = now_ms() + COMMAND_MS;
    struct text t = {0};
    char buf[512];
    for (;;) {
        struct pollfd p = {.fd = fds[0], .events = POLLIN};
        uint64_t now = now_ms();
        int wait = deadline > now ? (int)(deadline - now) : 0;
        if (poll(&p, 1, wait) <= 0) {
            break;
        }
        ssize_t n = read(fds[0], buf, sizeof buf);
        if (n <= 0) {
            break;
        }
        text_add_bytes(&t, buf, (size_t)n);
    }
    close(fds[0]);
    int status = 0;
    if (!spawn_wait(pid, deadline, &status)) {
        spawn_kill(pid);
        *reason =
            arena_printf("%s %s does not end", argv[0], argv[1] ? argv[1] : "");
        return false;
    }
    while (t.len > 0 && t.s[t.len - 1] == '\n') {
        t.s[--t.len] = '\0';
    }
    *output = text_str(&t);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        *reason = arena_printf("%s %s: %s: %s", argv[0], argv[1] ? argv[1] : "",
                               ended_how(status), *output);
        return false;
    }
    return true;
}

/* ---------------------------------------------------------------- process */

static const char *log_tail(const struct server *s)
{
    size_t len = 0;
    char *log = file_read(arena_printf("%s/log", s->dir), &len);
    if (!log) {
        return "";
    }
    return len > LOG_TAIL_BYTES ? log + len - LOG_TAIL_BYTES : log;
}

/* A line of the port file: `PORT KIND ADDRESS`; 0: there is none. */
static uint16_t port_of(const char *text, const char *kind)
{
    for (const char *line = text; line && *line;) {
        char *end;
        unsigned long port = strtoul(line, &end, 10);
        size_t len = strlen(kind);
        if (strncmp(end + (*end == ' '), kind, len) == 0 &&
            end[1 + len] == ' ') {
            return (uint16_t)port;
        }
        line = strchr(line, '\n');
        line += line ? 1 : 0;
    }
    return 0;
}

/* The port file appears when it is whole. */
static bool read_port(struct server *s)
{
    const char *text = file_read(arena_printf("%s/port", s->dir), NULL);
    s->plain_port = port_of(text, "plain");
    s->port = s->is_tls ? port_of(text, "tls") : s->plain_port;
    return s->port != 0;
}

static bool wait_for_port(struct server *s, const char **reason)
{
    const struct timespec step = {.tv_nsec = 2000000};
    uint64_t deadline = now_ms() + s->timeout_ms;
    while (!read_port(s)) {
        int status;
        if (waitpid(s->pid, &status, WNOHANG) == s->pid) {
            s->pid = 0;
            *reason = arena_printf("the server %s: %s", ended_how(status),
                                   log_tail(s));
            return false;
        }
        if (now_ms() >= deadline) {
            *reason = arena_printf("the server wrote no port: %s", log_tail(s));
            return false;
        }
        nanosleep(&step, NULL);
    }
    return true;
}

/* A roamd that has a channel has said hello before it wrote its port. */
static bool greet(struct server *s, const char **reason)
{
    if (!control_greet(s->channel, 0, reason)) {
        if (control_hello(s->channel)) {
            return false;
        }
        control_close(s->channel, 0);
        s->channel = NULL;
    }
    return true;
}

/* *theirs: its end of the channel; -1: it gets none. */
static bool open_channel(struct server *s, int *theirs, const char **reason)
{
    *theirs = -1;
    if (!s->has_needs) {
        return true;
    }
    s->channel = control_pair(theirs, reason);
    return s->channel != NULL;
}

static bool start(struct server *s, const char *const *argv,
                  const char **reason)
{
    int channel;
    if (!open_channel(s, &channel, reason)) {
        return false;
    }
    int log = open(arena_printf("%s/log", s->dir),
                   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    s->pid = spawn(s, argv, log, channel);
    close(log);
    if (channel >= 0) {
        close(channel);
    }
    if (s->pid < 0) {
        *reason = arena_string(strerror(errno));
        s->pid = 0;
        return false;
    }
    return wait_for_port(s, reason) && (!s->channel || greet(s, reason));
}

static bool put_relay_before(struct server *s, const char **reason)
{
    bool ok = relay_start(&s->relay, s->bend, s->host, s->port, reason);
    s->port = s->relay.port;
    return ok;
}

bool server_start(struct server *s, const char **reason)
{
    if (s->control) {
        return server_control_start(s, reason);
    }
    unlink(arena_printf("%s/port", s->dir));
    peer_stop(&s->relay); /* it has passed on what the last one said */
    struct words settings;
    words_split(s->settings ? s->settings : "", &settings);
    const char **argv = arena_alloc((settings.count * 2 + 15) * sizeof *argv);
    size_t n = 0;
    argv[n++] = s->roamd;
    argv[n++] = "-d";
    argv[n++] = s->dir;
    argv[n++] = "run";
    argv[n++] = "--plain-port";
    argv[n++] = "0";
    argv[n++] = "--port-file";
    argv[n++] = arena_printf("%s/port", s->dir);
    argv[n++] = "--set"; /* or its port is a fixed one */
    argv[n++] = s->is_tls ? "port=0" : "port=off";
    argv[n++] = "--set";
    argv[n++] = "listen=127.0.0.1";
    argv[n++] = "--set"; /* an entry more in every case with two devices */
    argv[n++] = "announce_devices=no";
    for (size_t i = 0; i < settings.count; i++) {
        argv[n++] = "--set";
        argv[n++] = settings.at[i];
    }
    return start(s, argv, reason) && (!s->bend || put_relay_before(s, reason));
}

static int remove_one(const char *path, const struct stat *st, int flag,
                      struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

const char *server_base_make(const char **reason)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = arena_printf("%s/roam-conform-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) {
        *reason = arena_printf("%s: %s", dir, strerror(errno));
        return NULL;
    }
    return dir;
}

/* A server that was killed may still be making a file in it. */
void server_base_remove(const char *base)
{
    const struct timespec step = {.tv_nsec = 2000000};
    uint64_t deadline = now_ms() + REMOVAL_MS;
    while (nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 &&
           access(base, F_OK) == 0 && now_ms() < deadline) {
        nanosleep(&step, NULL);
    }
}

bool server_open(struct server *s, const char **reason)
{
    if (s->control) {
        return server_control_open(s, reason);
    }
    if (!s->roamd) {
        return true;
    }
    char *dir = arena_printf("%s/server-XXXXXX", s->base);
    if (!mkdtemp(dir)) {
        *reason = arena_printf("%s: %s", dir, strerror(errno));
        return false;
    }
    s->dir = dir;
    s->host = "127.0.0.1";
    s->tls_name = "localhost";
    s->ca = arena_printf("%s/cert.pem", s->dir); /* made by init */
    const char *argv[] = {s->roamd, "-d", s->dir, "init", NULL};
    const char *output;
    return server_run(s, argv, &output, reason) && server_start(s, reason);
}

bool server_reap(struct server *s, int signal, bool may_fail,
                 const char **reason)
{
    int status;
    pid_t pid = s->pid;
    s->pid = 0;
    if (!spawn_wait(pid, now_ms() + s->timeout_ms, &status)) {
        spawn_kill(pid);
        *reason = signal ? arena_printf("the server does not end on signal %d",
                                        signal)
                         : "the server does not end";
        return false;
    }
    if (s->channel) {
        control_close(s->channel, 0);
        s->channel = NULL;
    }
    bool by_signal =
        signal && WIFSIGNALED(status) && WTERMSIG(status) == signal;
    if (by_signal ||
        (WIFEXITED(status) && (may_fail || WEXITSTATUS(status) == 0))) {
        return true;
    }
    *reason = arena_printf("the server %s: %s", ended_how(status), log_tail(s));
    return false;
}

bool server_stop(struct server *s, int signal, const char **reason)
{
    const char *unused;
    if (s->is_store_held) { /* or it waits for that as well */
        server_free_store(s, &unused);
    }
    if (s->control) {
        return server_control_stop(s, signal, reason);
    }
    if (s->pid == 0) {
        *reason = "the server is not running";
        return false;
    }
    kill(s->pid, signal);
    if (s->is_held && signal == SIGTERM) {
        server_control_let_go(s);
    }
    return server_reap(s, signal, false, reason);
}

bool server_is_alive(struct server *s, const char **how)
{
    int status;
    if (!s->roamd) {
        return true;
    }
    if (s->pid == 0 || waitpid(s->pid, &status, WNOHANG) == 0) {
        *how = "is not running";
        return s->pid != 0;
    }
    s->pid = 0;
    *how = arena_printf("%s: %s", ended_how(status), log_tail(s));
    return false;
}

bool server_close(struct server *s, const char **reason)
{
    bool ok = true;
    if (s->control && s->channel) {
        control_close(s->channel, s->timeout_ms);
        s->channel = NULL;
    }
    if (s->pid != 0) {
        ok = server_stop(s, SIGTERM, reason);
    }
    peer_stop(&s->relay);
    if (s->dir) {
        server_base_remove(s->dir);
        s->dir = NULL;
    }
    return ok;
}

/* ----------------------------------------------------------- provisioning */

/* Runs the words of --provision, and up to four more. */
static bool provide(struct server *s, const char **output, const char **reason,
                    const char *verb, const char *a, const char *b,
                    const char *c)
{
    const char *what = "";
    const char *more[] = {verb, a, b, c, NULL};
    char **words = command_words(s->provision);
    size_t count = 0;
    while (words[count]) {
        count++;
    }
    const char **argv = arena_alloc((count + 5) * sizeof *argv);
    memcpy(argv, words, count * sizeof *argv);
    memcpy(argv + count, more, sizeof more);
    if (!server_run(s, argv, output, &what)) {
        *reason =
            arena_printf("the command that provisions: %s: %s", verb, what);
        return false;
    }
    return true;
}

bool server_add_user(struct server *s, const char *user, const char **reason)
{
    const char *output;
    if (!s->roamd && !s->provision) {
        return true;
    }
    if (s->provision) {
        return provide(s, &output, reason, "user", user, NULL, NULL);
    }
    const char *argv[] = {s->roamd, "-d", s->dir, "user", "add", user, NULL};
    return server_run(s, argv, &output, reason);
}

/* roamd spells device types in lower case. */
static const char *lower_case(const char *s)
{
    char *copy = arena_string(s);
    for (char *c = copy; *c; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    return copy;
}

/* A second after 2020-01-01, long over. */
#define PAST_EXPIRY "2020-01-01T00:00:01Z"

static const char *expiry(const char *expires)
{
    return strcmp(expires, "past") == 0 ? PAST_EXPIRY : expires;
}

bool server_issue_token(struct server *s, const char *user, const char *type,
                        const char *expires, const char **token,
                        const char **reason)
{
    if (!s->roamd && !s->provision) {
        *token = arena_printf("token-of-%s", user);
        return true;
    }
    if (s->provision) {
        if (!provide(s, token, reason, "token", user, type ? type : "any",
                     expires ? expiry(expires) : "never")) {
            return false;
        }
        *reason = "the command that provisions: token: it says ok, and prints "
                  "not one line";
        return **token && !strchr(*token, '\n');
    }
    const char *argv[12] = {s->roamd, "-d", s->dir, "token", "issue", user};
    size_t n = 6;
    if (type) {
        argv[n++] = "--type";
        argv[n++] = lower_case(type);
    }
    if (expires) {
        argv[n++] = "--expires";
        argv[n++] = expiry(expires);
        argv[n++] = "--allow-past";
    }
    return server_run(s, argv, token, reason);
}

bool server_change_user(struct server *s, const char *command, const char *user,
                        const char *what, const char **reason)
{
    const char *output;
    if (s->provision) {
        return provide(s, &output, reason, command, user, what, NULL);
    }
    if (!s->roamd) {
        *reason = "users of that server cannot be changed: no --provision";
        return false;
    }
    const char *argv[] = {s->roamd, "-d", s->dir, "user",
                          command,  user, what,   NULL};
    return server_run(s, argv, &output, reason);
}

bool server_revoke_token(struct server *s, const char *token,
                         const char **reason)
{
    const char *output;
    if (s->provision) {
        return provide(s, &output, reason, "revoke", token, NULL, NULL);
    }
    if (!s->roamd) {
        *reason = "tokens of that server cannot be revoked: no --provision";
        return false;
    }
    const char *argv[] = {s->roamd, "-d",  s->dir, "token",
                          "revoke", token, NULL};
    return server_run(s, argv, &output, reason);
}
