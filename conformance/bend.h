/* SPDX-License-Identifier: Apache-2.0 */
/* Broken servers without a line in the server: between the harness and a
 * server that is right stands a relay, which bends frames of one type. What a
 * server says is bent on its way out; what it should have refused is made good
 * on its way in, and the other way round.
 *
 * Framing, order, bounds and lies about single fields are here; what needs
 * the server's own knowledge is a fault point, see server/core/fault.h. */
#ifndef CONFORM_BEND_H
#define CONFORM_BEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peers.h"
#include "text.h"

struct bend;
/* NULL: no bend has this name. "none" bends nothing. */
const struct bend *bend_find(const char *name);

/* What a bend remembers of one connection; all zero at its beginning. */
struct bend_memory {
    size_t seen;            /* frames that were to be bent */
    struct text held;       /* goes behind the next frame from the server */
    const uint8_t *payload; /* of the first frame that was bent */
    size_t len;
    bool is_meant;  /* a question whose answer is bent */
    bool has_ended; /* the connection, when all of it has gone out */
};

/* Is a frame with this header bent, so that all of it is needed? */
bool bend_takes(const struct bend *b, const struct bend_memory *m,
                bool to_server, uint8_t type);
/* Does an unfinished frame get lost when nothing follows at once? */
bool bend_loses_pieces(const struct bend *b);
/* Adds to out what goes on instead of that frame. */
void bend_frame(const struct bend *b, struct bend_memory *m, bool to_server,
                const uint8_t *frame, size_t len, struct text *out);

/* Starts a relay in a child process: connections to its port go on to
 * host:target, from the address they come from. */
bool relay_start(struct peer *p, const struct bend *b, const char *host,
                 uint16_t target, const char **reason);

#endif
