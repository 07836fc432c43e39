/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of a recalled message: enough to know a repetition of its SEND
 * again, not to read it. [OP-3] */
#ifndef ROAM_CONTENT_HASH_H
#define ROAM_CONTENT_HASH_H

#include <stdbool.h>
#include <stdint.h>

#include "slice.h"

#define ROAM_CONTENT_HASH_BYTES 32

/* SHA-256 over both, the first with its length before it. False when it could
 * not be computed. */
bool roam_content_hash(struct roam_slice content_type, struct roam_slice body,
                       uint8_t out[ROAM_CONTENT_HASH_BYTES]);

#endif
