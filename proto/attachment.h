/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a message that describes an attachment: what a device needs to
 * fetch it and to see that it got the right one. Its bytes are elsewhere.
 * Spec: section 4.3. */
#ifndef ROAM_ATTACHMENT_H
#define ROAM_ATTACHMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

/* The content type of such a message. */
#define ROAM_ATTACHMENT_TYPE "application/vnd.roam.attachment"

/* The slices point into the body. */
struct roam_attachment {
    struct roam_slice sha256; /* 32 bytes, of the content */
    uint64_t size;            /* bytes of the content */
    struct roam_slice content_type;
    struct roam_slice name; /* of the file, for people; may be empty */
    struct roam_slice url;
    struct roam_slice thumbnail; /* an image, or empty */
};

/* False: it is no good description. body borrowed. */
bool roam_attachment_decode(struct roam_slice body, struct roam_attachment *a);

/* Returns the bytes written; 0 when cap is too small. Bounds are not
 * checked. */
size_t roam_attachment_encode(const struct roam_attachment *a, uint8_t *out,
                              size_t cap);

#endif
