/* SPDX-License-Identifier: Apache-2.0 */
/* send: one message; its text, or what describes a file. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attach.h"
#include "attachment.h"
#include "commands.h"
#include "submit.h"

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

static bool read_text(const struct roam_options *o, struct roam_bytes *body)
{
    static char buffer[ROAM_POSIX_BODY_MAX + 1];
    if (o->argument_count > 1) {
        *body = roam_bytes_of(o->arguments[1]);
        return true;
    }
    if (!read_body(buffer, sizeof buffer, body)) {
        fprintf(stderr,
                "roam: input cannot be read, or is longer than %u bytes\n",
                ROAM_POSIX_BODY_MAX);
        return false;
    }
    if (body->len == 0) { /* what should have written it failed */
        fputs("roam: nothing to send: the input is empty\n", stderr);
        return false;
    }
    return true;
}

static bool describe(const struct roam_options *o, struct roam_bytes *body)
{
    static uint8_t buffer[ROAM_ATTACH_BODY_MAX];
    char error[ROAM_ATTACH_ERROR_MAX];
    if (o->argument_count > 1) {
        fputs("roam: a text does not go with --attach\n", stderr);
        return false;
    }
    body->len = roam_attach_describe(o, buffer, error);
    body->data = buffer;
    if (body->len == 0) {
        fprintf(stderr, "roam: %s\n", error);
    }
    return body->len > 0;
}

enum roam_exit roam_command_send(const struct roam_options *o)
{
    struct roam_submission what = {
        .kind = ROAM_KIND_MESSAGE,
        .conversation = roam_bytes_of(o->arguments[0]),
    };
    if (o->attach) {
        what.content_type = roam_bytes_of(ROAM_ATTACHMENT_TYPE);
    } else if (o->content_type) {
        what.content_type = roam_bytes_of(o->content_type);
    }
    bool good = o->attach ? describe(o, &what.body) : read_text(o, &what.body);
    return good ? roam_submit_alone(o, &what) : ROAM_EXIT_USAGE;
}
