/* SPDX-License-Identifier: Apache-2.0 */
/* Group ids: `#` and 16 random bytes in base64url. As no user id begins with
 * `#`, a conversation is one text everywhere. Spec: section 2, [GRP-1]. */
#ifndef ROAM_GROUP_ID_H
#define ROAM_GROUP_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

#define ROAM_GROUP_ID_RANDOM_BYTES 16u
/* `#` and 22 characters. */
#define ROAM_GROUP_ID_BYTES 23u

/* Writes ROAM_GROUP_ID_BYTES to out, without a NUL. */
void roam_group_id_write(const uint8_t random[ROAM_GROUP_ID_RANDOM_BYTES],
                         char *out);
/* True for what begins as a group id does: it names no user. */
bool roam_group_id_looks_like(struct roam_slice conversation);
/* True for the conversation that CREATE is sent to. */
bool roam_group_id_is_new(struct roam_slice conversation);

#endif
