/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of all online commands. */
#include "online.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SOFTWARE "roam " ROAM_VERSION_STRING
#define NEVER UINT64_MAX

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

/* ---------------------------------------------------------------- opening */

static enum roam_exit complain(enum roam_exit code, const char *text)
{
    fprintf(stderr, "roam: %s\n", text);
    return code;
}

static enum roam_exit open_driver(struct roam_online *s)
{
    char *host, *port;
    char detail[ROAM_POSIX_DETAIL_MAX] = "";
    struct roam_posix_config c;
    memset(&c, 0, sizeof c);
    strcpy(s->host_port, s->profile.server);
    if (!roam_options_split_server(s->host_port, &host, &port)) {
        return complain(ROAM_EXIT_USAGE, "--server is not HOST:PORT");
    }
    c.host = host;
    c.port = port;
    c.ca_file = s->profile.ca[0] ? s->profile.ca : NULL;
    c.plain = s->profile.plain;
    c.user = s->options->user;
    c.token = s->profile.token;
    c.device_type = s->options->device_type;
    c.device_name = s->profile.device_name;
    c.software = SOFTWARE;
    c.store_path = s->profile.store;
    c.from_now = s->options->from_now;
    c.fill_holes = s->fill_holes;
    enum roam_posix_status status = roam_posix_new(&c, &s->posix, detail);
    if (status != ROAM_POSIX_STATUS_OK) {
        fprintf(stderr, "roam: %s: %s\n", roam_posix_status_text(status),
                detail);
        return status == ROAM_POSIX_STATUS_BAD_ARGUMENT ||
                       status == ROAM_POSIX_STATUS_CA_FILE
                   ? ROAM_EXIT_USAGE
                   : ROAM_EXIT_FAILED;
    }
    return ROAM_EXIT_OK;
}

enum roam_exit roam_online_open(struct roam_online *s,
                                const struct roam_options *options, bool quiet,
                                uint64_t timeout_s)
{
    char error[ROAM_PROFILE_ERROR_MAX];
    memset(s, 0, sizeof *s);
    /* What stays online gets what is missing, in the background. */
    s->fill_holes = options->command == ROAM_COMMAND_CHAT ||
                    options->command == ROAM_COMMAND_TAIL;
    s->options = options;
    s->show.options = options;
    s->show.quiet = quiet;
    s->may_take_over = options->take_over;
    uint64_t limit_s = options->timeout_s ? options->timeout_s : timeout_s;
    s->deadline_ms = limit_s ? now_ms() + limit_s * 1000u : NEVER;
    if (!roam_profile_load(&s->profile, options, error)) {
        return complain(ROAM_EXIT_USAGE, error);
    }
    s->show.device_name = s->profile.device_name;
    if (!s->profile.server[0]) {
        return complain(ROAM_EXIT_USAGE, "which server? `roam login "
                                         "--server HOST:PORT` remembers it");
    }
    if (!s->profile.token[0]) {
        return complain(ROAM_EXIT_USAGE, "which token? --token-file or "
                                         "$ROAM_TOKEN, with `roam login`");
    }
    if (!roam_profile_make_directory(&s->profile, error)) {
        return complain(ROAM_EXIT_FAILED, error);
    }
    enum roam_exit code = open_driver(s);
    if (code == ROAM_EXIT_OK) {
        roam_posix_connect(s->posix);
    }
    return code;
}

/* ---------------------------------------------------------------- refusal */

/* A slot that somebody else has, or that waits for a person's word. */
static bool can_be_taken(enum roam_refused reason)
{
    return reason == ROAM_REFUSED_OCCUPIED || reason == ROAM_REFUSED_KICKED ||
           reason == ROAM_REFUSED_FREE;
}

static bool ask_person(void)
{
    char answer[16];
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        return false;
    }
    fputs("Use this device from now on? [y/N] ", stderr);
    return fgets(answer, sizeof answer, stdin) &&
           (answer[0] == 'y' || answer[0] == 'Y');
}

static void take_refusal(struct roam_online *s, const struct roam_event *e)
{
    if (e->u.refused.reason == ROAM_REFUSED_THROTTLED) {
        /* It comes back by itself, and this program waits. */
        if (!s->options->json) {
            fprintf(stderr, "roam: %s\n",
                    roam_refused_advice(e->u.refused.reason));
        }
        return;
    }
    if (can_be_taken(e->u.refused.reason) &&
        (s->may_take_over || ask_person())) {
        s->may_take_over = false;
        if (roam_posix_take_over(s->posix, e->u.refused.generation) ==
            ROAM_POSIX_STATUS_OK) {
            return;
        }
    }
    if (!s->options->json) {
        fprintf(stderr, "roam: %s\n", roam_refused_advice(e->u.refused.reason));
    }
    roam_online_finish(s, e->u.refused.reason == ROAM_REFUSED_KICKED
                              ? ROAM_EXIT_KICKED
                              : ROAM_EXIT_REFUSED);
}

/* ------------------------------------------------------------------- loop */

static void take_kick(struct roam_online *s, const struct roam_event *e)
{
    if (e->u.kicked.reason == ROAM_KICK_TAKEN_OVER ||
        e->u.kicked.reason == ROAM_KICK_SUPERSEDED) {
        s->exit_code = ROAM_EXIT_KICKED;
    } else if (!s->finishing) {
        s->exit_code = ROAM_EXIT_FAILED;
    }
}

/* A server that was not trusted from the start: the person who named it, and
 * --ca, is there to look. */
static bool is_misled(const struct roam_online *s,
                      const struct roam_posix_event *event)
{
    return event->u.disconnected.status == ROAM_POSIX_STATUS_UNTRUSTED &&
           !s->has_connected;
}

/* What every command does at an event. True: it was the last one. */
static bool take_event(struct roam_online *s,
                       const struct roam_posix_event *event)
{
    roam_show_event(&s->show, event);
    if (event->type == ROAM_POSIX_CONNECTED) {
        s->has_connected = true;
    }
    if (event->type == ROAM_POSIX_DISCONNECTED) {
        if (event->u.disconnected.reconnect && !s->finishing &&
            !is_misled(s, event)) {
            s->exit_code = ROAM_EXIT_OK;
            return false;
        }
        if (event->u.disconnected.status != ROAM_POSIX_STATUS_OK &&
            !s->finishing && s->exit_code == ROAM_EXIT_OK) {
            s->exit_code = ROAM_EXIT_FAILED;
        }
        return true;
    }
    if (event->type != ROAM_POSIX_PROTOCOL) {
        return false;
    }
    switch (event->u.engine.type) {
    case ROAM_EVENT_LOGGED_IN:
        s->may_take_over = false; /* the act was for this login */
        break;
    case ROAM_EVENT_REFUSED:
        take_refusal(s, &event->u.engine);
        break;
    case ROAM_EVENT_KICKED:
        take_kick(s, &event->u.engine);
        break;
    default:
        break;
    }
    return false;
}

static int wait_ms(const struct roam_online *s, int driver_ms)
{
    if (s->deadline_ms == NEVER) {
        return driver_ms;
    }
    uint64_t now = now_ms();
    uint64_t left = s->deadline_ms > now ? s->deadline_ms - now : 0;
    return driver_ms >= 0 && (uint64_t)driver_ms < left ? driver_ms : (int)left;
}

static bool is_late(struct roam_online *s)
{
    if (now_ms() < s->deadline_ms) {
        return false;
    }
    fputs("roam: it took too long\n", stderr);
    s->deadline_ms = NEVER;
    s->exit_code = ROAM_EXIT_FAILED;
    return true;
}

enum roam_online_what roam_online_next(struct roam_online *s, bool want_input,
                                       struct roam_posix_event *event)
{
    for (;;) {
        if (roam_posix_next_event(s->posix, event)) {
            return take_event(s, event) ? ROAM_ONLINE_OVER : ROAM_ONLINE_EVENT;
        }
        if (is_late(s)) {
            return ROAM_ONLINE_OVER;
        }
        struct pollfd fds[2];
        int timeout = wait_ms(s, roam_posix_poll(s->posix, &fds[0]));
        fds[1].fd = want_input ? STDIN_FILENO : -1;
        fds[1].events = POLLIN;
        fds[1].revents = 0;
        if (poll(fds, 2, timeout) < 0 && errno != EINTR) {
            perror("roam: poll");
            s->exit_code = ROAM_EXIT_FAILED;
            return ROAM_ONLINE_OVER;
        }
        roam_posix_run(s->posix);
        if (fds[1].revents) {
            return ROAM_ONLINE_INPUT;
        }
    }
}

void roam_online_finish(struct roam_online *s, enum roam_exit exit_code)
{
    s->finishing = true;
    s->exit_code = exit_code;
    roam_posix_close(s->posix);
}

enum roam_exit roam_online_close(struct roam_online *s)
{
    if (s->options->stats) {
        struct roam_posix_stats stats;
        roam_posix_stats(s->posix, &stats);
        roam_show_stats(&s->show, &stats);
    }
    roam_posix_free(s->posix);
    return s->exit_code;
}
