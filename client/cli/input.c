/* SPDX-License-Identifier: Apache-2.0 */
/* Lines from a file descriptor. */
#include "input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void roam_input_init(struct roam_input *in)
{
    in->len = in->at = 0;
    in->ended = in->too_long = false;
}

void roam_input_fill(struct roam_input *in, int fd)
{
    memmove(in->data, in->data + in->at, in->len - in->at);
    in->len -= in->at;
    in->at = 0;
    if (in->len == sizeof in->data) {
        in->too_long = true; /* no newline in all of it */
        in->len = 0;
    }
    ssize_t n = read(fd, in->data + in->len, sizeof in->data - in->len);
    if (n > 0) {
        in->len += (size_t)n;
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
        in->ended = true;
    }
}

bool roam_input_line(struct roam_input *in, struct roam_bytes *line,
                     bool *too_long)
{
    char *start = in->data + in->at;
    size_t left = in->len - in->at;
    char *newline = memchr(start, '\n', left);
    if (!newline && !(in->ended && (left > 0 || in->too_long))) {
        return false;
    }
    size_t len = newline ? (size_t)(newline - start) : left;
    in->at += newline ? len + 1 : len;
    line->data = (const uint8_t *)start;
    line->len = len;
    *too_long = in->too_long || len > ROAM_POSIX_BODY_MAX;
    in->too_long = false;
    return true;
}
