/* SPDX-License-Identifier: Apache-2.0 */
/* A run of bytes in somebody else's memory. */
#ifndef ROAM_SLICE_H
#define ROAM_SLICE_H

#include <stddef.h>
#include <stdint.h>

struct roam_slice {
    const uint8_t *data;
    size_t len; /* bytes */
};

#endif
