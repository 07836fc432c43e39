/* SPDX-License-Identifier: Apache-2.0 */
/* chat: a conversation on a terminal, or between two pipes.
 *
 * Each line of input is a message to the peer. A line that begins with a
 * slash is a command; two slashes begin a message with one:
 *
 *   /to NAME   another peer, or a group
 *   /recall    takes back the last message that this user sent to the peer
 *   /read      all that the peer's conversation has is read now
 *   /quit
 *
 * At the end of the input, chat waits until all is sent. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "input.h"
#include "online.h"
#include "operation.h"

/* Messages without an answer from which on input is not read. */
#define UNANSWERED_MAX 256u

struct chat {
    struct roam_online session;
    struct roam_input input;
    char peer[65]; /* empty: nobody yet */
    bool ready;    /* logged in once: from then on, lines are messages */
    bool leaving;  /* the input is over */
    uint64_t unanswered;
    bool failed; /* a line was not taken */
};

/* A line that is not taken is told of, now and at the end. */
static void refuse(struct chat *c, const char *text)
{
    fprintf(stderr, "-- %s\n", text);
    c->failed = true;
}

static void set_peer(struct chat *c, const char *name, size_t len)
{
    if (len < 1 || len >= sizeof c->peer || memchr(name, '\0', len)) {
        refuse(c, "a name has 1 to 64 bytes");
        return;
    }
    memcpy(c->peer, name, len);
    c->peer[len] = '\0';
}

static void send_as(struct chat *c, enum roam_kind kind, struct roam_bytes body)
{
    static const struct roam_bytes no_type;
    struct roam_bytes peer = {(const uint8_t *)c->peer, strlen(c->peer)};
    uint64_t id;
    if (!c->peer[0]) {
        refuse(c, "to whom? say /to NAME");
        return;
    }
    enum roam_posix_status status =
        roam_posix_send(c->session.posix, kind, peer, no_type, body, &id);
    if (status == ROAM_POSIX_STATUS_OK) {
        c->unanswered++;
        return;
    }
    fprintf(stderr, "-- not sent: %s\n", roam_posix_status_text(status));
    c->failed = true;
    if (status != ROAM_POSIX_STATUS_BAD_ARGUMENT) {
        roam_online_finish(&c->session, ROAM_EXIT_FAILED);
    }
}

static bool is_own(const struct chat *c, struct roam_bytes sender)
{
    const char *user = c->session.options->user;
    return sender.len == strlen(user) &&
           memcmp(sender.data, user, sender.len) == 0;
}

/* What an operation of this kind is about: the last message that this user
 * sent to the peer, or the last row of all; 0: there is none. */
static uint64_t find_target(struct chat *c, enum roam_kind kind)
{
    struct roam_local_row row;
    bool found = true;
    uint64_t target = 0;
    struct roam_local_history *h =
        roam_local_history_open(roam_posix_store(c->session.posix), c->peer);
    while (h &&
           roam_local_history_next(h, &row, &found) == ROAM_POSIX_STATUS_OK &&
           found) {
        bool fits =
            kind == ROAM_KIND_READ || (row.kind == ROAM_KIND_MESSAGE &&
                                       !row.recalled && is_own(c, row.sender));
        target = fits && !row.hole ? row.msg_id : target;
    }
    roam_local_history_close(h);
    return target;
}

static void operate(struct chat *c, enum roam_kind kind)
{
    uint8_t bytes[16];
    const struct roam_operation op = {.kind = kind,
                                      .msg_id = find_target(c, kind)};
    if (op.msg_id == 0) {
        refuse(c, "there is nothing yet");
        return;
    }
    struct roam_bytes body = {
        bytes, roam_operation_encode(&op, NULL, 0, bytes, sizeof bytes)};
    send_as(c, kind, body);
}

static void take_command(struct chat *c, const char *line, size_t len)
{
    if (len > 4 && memcmp(line, "/to ", 4) == 0) {
        set_peer(c, line + 4, len - 4);
    } else if (len == 5 && memcmp(line, "/quit", 5) == 0) {
        c->leaving = true;
    } else if (len == 7 && memcmp(line, "/recall", 7) == 0) {
        operate(c, ROAM_KIND_RECALL);
    } else if (len == 5 && memcmp(line, "/read", 5) == 0) {
        operate(c, ROAM_KIND_READ);
    } else {
        refuse(c, "commands are /to NAME, /recall, /read and /quit; // begins"
                  " a message");
    }
}

static void take_line(struct chat *c, struct roam_bytes line)
{
    const char *text = (const char *)line.data;
    if (line.len == 0) {
        return;
    }
    if (text[0] != '/') {
        send_as(c, ROAM_KIND_MESSAGE, line);
    } else if (line.len > 1 && text[1] == '/') {
        line.data++;
        line.len--;
        send_as(c, ROAM_KIND_MESSAGE, line);
    } else {
        take_command(c, text, line.len);
    }
}

static void take_input(struct chat *c)
{
    struct roam_bytes line;
    bool too_long = false;
    roam_input_fill(&c->input, STDIN_FILENO);
    while (!c->leaving && roam_input_line(&c->input, &line, &too_long)) {
        if (too_long) {
            refuse(c, "line too long for a message; not sent");
        } else {
            take_line(c, line);
        }
    }
    c->leaving = c->leaving || c->input.ended;
}

static void take_event(struct chat *c, const struct roam_posix_event *e)
{
    if (e->type != ROAM_POSIX_PROTOCOL) {
        return;
    }
    switch (e->u.engine.type) {
    case ROAM_EVENT_LOGGED_IN:
        c->ready = true;
        break;
    case ROAM_EVENT_SEND_FAILED:
        c->failed = true;
        /* fallthrough */
    case ROAM_EVENT_SENT:
        if (c->unanswered > 0) {
            c->unanswered--;
        }
        break;
    default:
        break;
    }
}

/* Messages of earlier runs are waited for, too. */
static bool count_outbox(struct chat *c)
{
    struct roam_local_counts counts;
    if (roam_local_count(roam_posix_store(c->session.posix), &counts) !=
        ROAM_POSIX_STATUS_OK) {
        refuse(c, roam_local_error(roam_posix_store(c->session.posix)));
        return false;
    }
    c->unanswered = counts.outbox;
    return true;
}

static void talk(struct chat *c)
{
    for (;;) {
        struct roam_posix_event e;
        bool want_input =
            c->ready && !c->leaving && c->unanswered < UNANSWERED_MAX;
        switch (roam_online_next(&c->session, want_input, &e)) {
        case ROAM_ONLINE_EVENT:
            take_event(c, &e);
            break;
        case ROAM_ONLINE_INPUT:
            take_input(c);
            break;
        case ROAM_ONLINE_OVER:
            return;
        }
        if (c->leaving && c->unanswered == 0 && !c->session.finishing) {
            roam_online_finish(&c->session,
                               c->failed ? ROAM_EXIT_FAILED : ROAM_EXIT_OK);
        }
    }
}

enum roam_exit roam_command_chat(const struct roam_options *o)
{
    static struct chat c;
    enum roam_exit code = roam_online_open(&c.session, o, false, 0);
    if (code != ROAM_EXIT_OK) {
        return code;
    }
    roam_input_init(&c.input);
    if (o->argument_count > 0) {
        set_peer(&c, o->arguments[0], strlen(o->arguments[0]));
    }
    if (count_outbox(&c)) {
        talk(&c);
    } else {
        c.session.exit_code = ROAM_EXIT_FAILED;
    }
    return roam_online_close(&c.session);
}
