/* SPDX-License-Identifier: Apache-2.0 */
/* The protobuf wire format, one field at a time. Shared by the files of
 * proto/; not part of any public interface.
 *
 * Stricter than nanopb where two decoders could otherwise differ: see
 * roam__wire_field(). */
#ifndef ROAM_WIRE_H
#define ROAM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

enum roam__wire_type {
    ROAM__WIRE_VARINT = 0,
    ROAM__WIRE_FIXED64 = 1,
    ROAM__WIRE_BYTES = 2,
    ROAM__WIRE_FIXED32 = 5
};

struct roam__field {
    uint32_t number;         /* 1 or above */
    uint8_t type;            /* enum roam__wire_type */
    uint64_t value;          /* of a number; 0 with ROAM__WIRE_BYTES */
    struct roam_slice bytes; /* of ROAM__WIRE_BYTES; else empty */
};

/* Takes a varint off the front of *in (borrowed). False when it is cut short
 * or does not fit 64 bits; more bytes than needed are fine up to 10. */
bool roam__wire_varint(struct roam_slice *in, uint64_t *value);

/* Takes eight bytes, least significant first. False when there are fewer. */
bool roam__wire_fixed64(struct roam_slice *in, uint64_t *value);

/* Takes one field off the front of *in; f->bytes points into it. False on
 * anything that is not a whole field: cut short, field number 0 or above
 * 2^29 - 1, a group, an unknown wire type. */
bool roam__wire_field(struct roam_slice *in, struct roam__field *f);

#endif
