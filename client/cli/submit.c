/* SPDX-License-Identifier: Apache-2.0 */
/* See submit.h. */
#include "submit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

struct roam_bytes roam_bytes_of(const char *text)
{
    struct roam_bytes b = {(const uint8_t *)text, strlen(text)};
    return b;
}

static void complain(struct roam_online *s, enum roam_posix_status status)
{
    bool usage = status == ROAM_POSIX_STATUS_BAD_ARGUMENT;
    fprintf(stderr, "roam: not sent: %s\n",
            usage ? "an argument is empty, too long or not UTF-8"
                  : roam_posix_status_text(status));
    s->exit_code = usage ? ROAM_EXIT_USAGE : ROAM_EXIT_FAILED;
}

/* What a script wants to know: how to name it from now on. */
static bool print_answer(const struct roam_submission *what,
                         const struct roam_posix_event *e)
{
    struct roam_text t = {0};
    bool made =
        what->conversation.len == 1 && what->conversation.data[0] == '#';
    if (made) {
        roam_text_add_visible(&t, e->message.conversation);
        roam_text_printf(&t, "\n");
    } else {
        roam_text_printf(&t, "%" PRIu64 "\n", e->u.engine.u.sent.msg_id);
    }
    bool good = roam_text_print(&t);
    roam_text_free(&t);
    return good;
}

bool roam_submit(struct roam_online *s, const struct roam_submission *what)
{
    struct roam_posix_event e;
    uint64_t id = 0;
    enum roam_posix_status status =
        roam_posix_send(s->posix, what->kind, what->conversation,
                        what->content_type, what->body, &id);
    if (status != ROAM_POSIX_STATUS_OK) {
        complain(s, status);
        return false;
    }
    bool answered = false;
    while (roam_online_next(s, false, &e) != ROAM_ONLINE_OVER) {
        if (e.type != ROAM_POSIX_PROTOCOL || e.message.client_msg_id != id) {
            continue;
        }
        if (e.u.engine.type == ROAM_EVENT_SENT) {
            if (s->options->json || print_answer(what, &e)) {
                return true;
            }
            fputs("roam: it is sent, though\n", stderr);
            roam_online_finish(s, ROAM_EXIT_FAILED);
            answered = true;
            continue;
        }
        answered = true;
        roam_online_finish(s, ROAM_EXIT_FAILED);
    }
    if (!answered) {
        fputs("roam: it stays in the outbox\n", stderr);
        if (s->exit_code == ROAM_EXIT_OK) {
            s->exit_code = ROAM_EXIT_FAILED;
        }
    }
    return false;
}

/* Leaves a session whose command is done. */
static void leave(struct roam_online *s)
{
    struct roam_posix_event e;
    roam_online_finish(s, ROAM_EXIT_OK);
    while (roam_online_next(s, false, &e) != ROAM_ONLINE_OVER) {
    }
}

enum roam_exit roam_submit_alone(const struct roam_options *o,
                                 const struct roam_submission *what)
{
    struct roam_online s;
    enum roam_exit code = roam_online_open(&s, o, true, ROAM_SUBMIT_TIMEOUT_S);
    if (code != ROAM_EXIT_OK) {
        return code;
    }
    if (roam_submit(&s, what)) {
        leave(&s);
    }
    return roam_online_close(&s);
}

bool roam_await_answer(struct roam_online *s)
{
    struct roam_posix_event e;
    bool good = false;
    while (roam_online_next(s, false, &e) != ROAM_ONLINE_OVER) {
        if (e.type != ROAM_POSIX_PROTOCOL) {
            continue;
        }
        if (e.u.engine.type == ROAM_EVENT_PAGE_END) {
            good = true;
            roam_online_finish(s, ROAM_EXIT_OK);
        } else if (e.u.engine.type == ROAM_EVENT_PAGE_FAILED) {
            roam_online_finish(s, ROAM_EXIT_FAILED);
        }
    }
    return good;
}
