/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes that wait for a session's transport: whole frames, end to end.
 *
 * It owns heap memory only while something waits (or a little of it), so
 * that an idle session costs next to nothing. It knows where frames begin,
 * so that it can tell which answers have left. */
#ifndef ROAM_OUTPUT_H
#define ROAM_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

struct roam__output {
    uint8_t *data;     /* heap; may be NULL while len is 0 */
    size_t cap;        /* bytes at data */
    size_t start;      /* of the first waiting byte, in data */
    size_t len;        /* bytes that wait */
    size_t front_left; /* bytes left of the frame in front; 0: a header is
                          next */
    uint8_t front_type;
};

/* Room for one more frame of len bytes (at least a header), which the caller
 * writes there and then adds with roam__output_add(). NULL: no memory, nothing
 * changed. */
uint8_t *roam__output_room(struct roam__output *out, size_t len);
void roam__output_add(struct roam__output *out, size_t len);

/* The transport took the first n bytes (at most len). Returns how many
 * answers to commands (SEND_OK, ERROR, pages) have now left whole. */
uint32_t roam__output_sent(struct roam__output *out, size_t n);

struct roam_slice roam__output_pending(const struct roam__output *out);
void roam__output_close(struct roam__output *out);

#endif
