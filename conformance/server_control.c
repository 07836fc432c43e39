/* SPDX-License-Identifier: Apache-2.0 */
/* What a server does by its control channel, or what is done to a roamd from
 * outside: see server.h and CONTROL.md. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "adapter.h"
#include "scn_lex.h"
#include "server.h"

const char *server_far_address(void)
{
    struct ifaddrs *list, *at;
    char text[INET_ADDRSTRLEN] = "";
    if (getifaddrs(&list) != 0) {
        return NULL;
    }
    for (at = list; at && !*text; at = at->ifa_next) {
        bool is_far = at->ifa_addr && at->ifa_addr->sa_family == AF_INET &&
                      (at->ifa_flags & IFF_UP) &&
                      !(at->ifa_flags & IFF_LOOPBACK);
        if (is_far) {
            const struct sockaddr_in *in =
                (const struct sockaddr_in *)(const void *)at->ifa_addr;
            inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
        }
    }
    freeifaddrs(list);
    return *text ? arena_string(text) : NULL;
}

#define KIB 1024u
/* More than any process has, but one in which a sanitizer keeps its own books:
 * what that one takes tells nothing of the program. */
#define SANITIZED_BYTES (UINT64_C(1) << 40)

/* A line of /proc/PID/status; 0: there is none. */
static uint64_t status_bytes(const char *status, const char *name)
{
    const char *line = strstr(status, arena_printf("\n%s:", name));
    return line ? strtoull(strchr(line, ':') + 1, NULL, 10) * KIB : 0;
}

uint64_t server_memory(const struct server *s)
{
    const char *status =
        s->pid ? file_read(arena_printf("/proc/%d/status", (int)s->pid), NULL)
               : NULL;
    return status && status_bytes(status, "VmSize") < SANITIZED_BYTES
               ? status_bytes(status, "RssAnon")
               : 0;
}

/* Any roamd can do this: by signals, and by the commands and settings that it
 * has. */
static bool is_from_outside(const struct server *s, const char *capability)
{
    if (strcmp(capability, "tls") == 0) {
        return s->is_tls;
    }
    return s->roamd &&
           (strcmp(capability, "restart") == 0 ||
            strcmp(capability, "backup") == 0 ||
            strcmp(capability, "files") == 0 ||
            (strcmp(capability, "memory") == 0 && server_memory(s) > 0) ||
            (strcmp(capability, "far") == 0 && server_far_address()));
}

const char *server_lacks(const struct server *s, const char *needs)
{
    struct words w;
    words_split(needs, &w);
    for (size_t i = 0; i < w.count; i++) {
        if (!is_from_outside(s, w.at[i]) &&
            !(s->channel && control_can(s->channel, w.at[i]))) {
            return w.at[i];
        }
    }
    return NULL;
}

/* ------------------------------------------------------------- the channel */

static json_t *ask(struct server *s, const char *verb, json_t *request,
                   const char **reason)
{
    if (!s->channel) {
        *reason = arena_printf("%s: the server is not running", verb);
        return NULL;
    }
    json_t *answer = control_ask(s->channel, verb, request,
                                 now_ms() + s->timeout_ms, reason);
    s->is_mistake = !answer && !control_blames_server(s->channel);
    return answer;
}

/* An answer that says ok and cannot be used. */
static bool is_bad(struct server *s, const char *reason, const char **out)
{
    s->is_mistake = s->control != NULL;
    *out = arena_printf("%s %s", control_name(s->channel), reason);
    return false;
}

static bool tell(struct server *s, const char *verb, const char **reason)
{
    return ask(s, verb, json_object(), reason) != NULL;
}

static bool take_now(struct server *s, const char *verb, json_t *request,
                     const char **reason)
{
    const json_t *answer = ask(s, verb, request, reason);
    if (answer && !json_u64(answer, "now", &s->now_ms)) {
        const char *what = "answered %s without \"now\"";
        return is_bad(s, arena_printf(what, verb), reason);
    }
    return answer != NULL;
}

/* The same, and what it has to be. */
static bool move(struct server *s, const char *verb, uint64_t ms, uint64_t now,
                 const char **reason)
{
    json_t *request = json_object();
    json_set_u64(request, "ms", ms);
    if (!take_now(s, verb, request, reason)) {
        return false;
    }
    if (s->now_ms != now) {
        return is_bad(s,
                      arena_printf("answered %s: now is %" PRIu64
                                   ", not %" PRIu64,
                                   verb, s->now_ms, now),
                      reason);
    }
    return true;
}

bool server_hold(struct server *s, const char **reason)
{
    s->is_held = take_now(s, "hold", json_object(), reason);
    return s->is_held;
}

uint64_t server_now(const struct server *s)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return s->is_held
               ? s->now_ms
               : (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool server_advance(struct server *s, uint64_t ms, const char **reason)
{
    if (s->roamd && s->pid == 0) { /* it will be told at its start */
        s->now_ms += ms;
        return true;
    }
    return move(s, "advance", ms, s->now_ms + ms, reason);
}

bool server_set_back(struct server *s, uint64_t ms, const char **reason)
{
    return move(s, "set-back", ms, s->now_ms - ms, reason);
}

/* More than a server waits for those that do not read. */
#define LET_GO_MS 60000u

void server_control_let_go(struct server *s)
{
    const char *reason;
    json_t *request = json_object();
    json_set_u64(request, "ms", LET_GO_MS);
    ask(s, "advance", request, &reason);
}

bool server_fail_write(struct server *s, bool stored, const char **reason)
{
    json_t *request = json_object();
    json_object_set_new(request, "stored", json_boolean(stored));
    return ask(s, "fail-write", request, reason) != NULL;
}

bool server_hold_store(struct server *s, const char **reason)
{
    s->is_store_held = tell(s, "hold-store", reason);
    return s->is_store_held;
}

bool server_free_store(struct server *s, const char **reason)
{
    s->is_store_held = false;
    return tell(s, "free-store", reason);
}

bool server_trim(struct server *s, const char **reason)
{
    return tell(s, "trim", reason);
}

/* ----------------------------------------------------------- from outside */

static bool command(struct server *s, const char *verb, const char *file,
                    const char **reason)
{
    const char *argv[] = {s->roamd, "-d", s->dir, verb, file, NULL};
    const char *output;
    return server_run(s, argv, &output, reason);
}

bool server_backup(struct server *s, const char **reason)
{
    static unsigned count;
    if (!s->roamd) {
        return tell(s, "backup", reason);
    }
    s->backup = arena_printf("%s/backup-%u", s->dir, ++count);
    return command(s, "backup", s->backup, reason);
}

bool server_restore(struct server *s, const char **reason)
{
    if (!s->roamd) {
        return tell(s, "restore", reason);
    }
    if (!s->backup) {
        *reason = "restore: there is no backup";
        return false;
    }
    return command(s, "restore", s->backup, reason);
}

bool server_drain(struct server *s, const char **reason)
{
    if (!s->roamd) {
        return tell(s, "drain", reason);
    }
    *reason = "the server is not running";
    return s->pid != 0 && kill(s->pid, SIGTERM) == 0;
}

bool server_await_end(struct server *s, const char **reason)
{
    if (!s->roamd) {
        return tell(s, "ended", reason);
    }
    *reason = "the server is not running";
    return s->pid != 0 && server_reap(s, 0, true, reason);
}

/* --------------------------------------------- a program that runs servers */

/* "HOST:PORT" in the hello, or in the answer to a start. */
static bool take_address(struct server *s, const json_t *line,
                         const char **reason)
{
    const char *at = json_text(line, "at");
    const char *colon = at ? strrchr(at, ':') : NULL;
    unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
    if (port == 0 || port > UINT16_MAX) {
        return is_bad(s, "says no \"at\" that is HOST:PORT", reason);
    }
    s->host = arena_copy(at, (size_t)(colon - at));
    s->port = (uint16_t)port;
    return true;
}

bool server_control_open(struct server *s, const char **reason)
{
    s->channel = control_run(s->control, reason);
    return s->channel &&
           control_greet(s->channel, now_ms() + s->timeout_ms, reason) &&
           take_address(s, control_hello(s->channel), reason);
}

bool server_control_start(struct server *s, const char **reason)
{
    const json_t *answer = ask(s, "start", json_object(), reason);
    return answer &&
           (!json_object_get(answer, "at") || take_address(s, answer, reason));
}

bool server_control_stop(struct server *s, int signal, const char **reason)
{
    return tell(s, signal == SIGKILL ? "kill" : "terminate", reason);
}
