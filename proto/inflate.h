/* SPDX-License-Identifier: Apache-2.0 */
/* Raw inflate (RFC 1951) from one buffer into another: the output is the
 * window, so there is no other state, no heap and no global. For devices
 * where zlib's 7 KiB of state do not fit; the server deflates with zlib. */
#ifndef ROAM_INFLATE_H
#define ROAM_INFLATE_H

#include <stddef.h>
#include <stdint.h>

enum roam_inflate_result {
    ROAM_INFLATE_OK,       /* the stream ended, all input used, exactly
                              out_len bytes written */
    ROAM_INFLATE_BROKEN,   /* not a valid stream, or it ends early */
    ROAM_INFLATE_TRAILING, /* input left after the end of the stream */
    ROAM_INFLATE_SIZE      /* more, or fewer, than out_len bytes */
};

/* Inflates all of in[0..in_len) to exactly out_len bytes; never writes more.
 * Work is linear in in_len + out_len. */
enum roam_inflate_result roam_inflate(const uint8_t *in, size_t in_len,
                                      uint8_t *out, size_t out_len);

#endif
