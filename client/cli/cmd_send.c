/* SPDX-License-Identifier: Apache-2.0 */
/* send: one message. Done means that the server has it for good; until then
 * it is in the outbox, from where any later command of this device sends
 * it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "online.h"

#define TIMEOUT_S 30u

static struct roam_bytes bytes_of(const char *text)
{
    struct roam_bytes b = {(const uint8_t *)text, strlen(text)};
    return b;
}

/* All of standard input; one byte more than is allowed tells too much. */
static bool read_body(char *buffer, size_t cap, struct roam_bytes *body)
{
    size_t n = fread(buffer, 1, cap, stdin);
    if (ferror(stdin) || n == cap) {
        return false;
    }
    body->data = (const uint8_t *)buffer;
    body->len = n;
    return true;
}

/* Sends and waits for the answer to this very message. */
static void send_and_wait(struct roam_online *s, struct roam_bytes body)
{
    static const struct roam_bytes no_type;
    struct roam_posix_event e;
    uint64_t id = 0;
    enum roam_posix_status status =
        roam_posix_send(s->posix, ROAM_KIND_MESSAGE,
                        bytes_of(s->options->arguments[0]), no_type, body, &id);
    if (status != ROAM_POSIX_STATUS_OK) {
        fprintf(stderr, "roam: not sent: %s\n",
                status == ROAM_POSIX_STATUS_BAD_ARGUMENT
                    ? "peer or text is empty, too long or not UTF-8"
                    : roam_posix_status_text(status));
        s->exit_code = status == ROAM_POSIX_STATUS_BAD_ARGUMENT
                           ? ROAM_EXIT_USAGE
                           : ROAM_EXIT_FAILED;
        return;
    }
    bool answered = false;
    while (roam_online_next(s, false, &e) != ROAM_ONLINE_OVER) {
        if (e.type != ROAM_POSIX_PROTOCOL || e.message.client_msg_id != id) {
            continue;
        }
        answered = true;
        if (e.u.engine.type == ROAM_EVENT_SENT) {
            if (!s->options->json) {
                printf("%" PRIu64 "\n", e.u.engine.u.sent.msg_id);
            }
            roam_online_finish(s, ROAM_EXIT_OK);
        } else {
            roam_online_finish(s, ROAM_EXIT_FAILED);
        }
    }
    if (!answered) {
        fputs("roam: the message stays in the outbox\n", stderr);
        if (s->exit_code == ROAM_EXIT_OK) {
            s->exit_code = ROAM_EXIT_FAILED;
        }
    }
}

enum roam_exit roam_command_send(const struct roam_options *o)
{
    static char buffer[ROAM_POSIX_BODY_MAX + 1];
    struct roam_bytes body;
    struct roam_online s;
    if (o->argument_count > 1) {
        body = bytes_of(o->arguments[1]);
    } else if (!read_body(buffer, sizeof buffer, &body)) {
        fprintf(stderr,
                "roam: input cannot be read, or is longer than %u "
                "bytes\n",
                ROAM_POSIX_BODY_MAX);
        return ROAM_EXIT_USAGE;
    }
    enum roam_exit code = roam_online_open(&s, o, true, TIMEOUT_S);
    if (code != ROAM_EXIT_OK) {
        return code;
    }
    send_and_wait(&s, body);
    return roam_online_close(&s);
}
