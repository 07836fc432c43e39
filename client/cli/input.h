/* SPDX-License-Identifier: Apache-2.0 */
/* Lines from standard input, without waiting for more than is there. */
#ifndef ROAM_CLI_INPUT_H
#define ROAM_CLI_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "roam_posix.h"

struct roam_input {
    char data[ROAM_POSIX_BODY_MAX + 1]; /* a line of a body's length, and \n */
    size_t len, at;
    bool ended;    /* nothing more will come */
    bool too_long; /* the line at hand: the rest of it is skipped */
};

void roam_input_init(struct roam_input *in);

/* Reads what is there, once. */
void roam_input_fill(struct roam_input *in, int fd);

/* The next whole line without its newline; at the end also a last one that
 * has none. Valid until the next call.
 *
 * *too_long  this line is longer than a body may be; it is not in *line.
 *
 * False: no more for now. */
bool roam_input_line(struct roam_input *in, struct roam_bytes *line,
                     bool *too_long);

#endif
