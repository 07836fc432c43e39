/* SPDX-License-Identifier: Apache-2.0 */
/* The protobuf wire format at its lowest level: where each field of a
 * payload begins and ends. The codec prints offsets with it, raw edits find
 * the bytes to bend, the batch checker sees order and repetition, which a
 * decoded message no longer shows. */
#ifndef CONFORM_WIRE_H
#define CONFORM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WIRE_VARINT = 0,
    WIRE_64 = 1,
    WIRE_LENGTH = 2,
    WIRE_32 = 5
};

struct wire_field {
    uint32_t number;
    uint32_t wire;
    size_t at;       /* offset of the tag */
    size_t value_at; /* offset of the value, behind a length prefix */
    size_t value_len;
    size_t end;      /* offset behind the field */
    uint64_t varint; /* the value, when wire is WIRE_VARINT */
};

/* One varint at *at; false: truncated or of more than 64 bits. */
bool wire_varint(const uint8_t *p, size_t len, size_t *at, uint64_t *v);

enum wire_result {
    WIRE_FIELD,
    WIRE_END,
    WIRE_BROKEN
};
/* The field at *at, which moves behind it. */
enum wire_result wire_next(const uint8_t *p, size_t len, size_t *at,
                           struct wire_field *f);

/* Writes v in its shortest form; returns the bytes (at most 10). */
size_t wire_put_varint(uint8_t *out, uint64_t v);

/* RFC 3629 and no U+0000. */
bool wire_is_text(const uint8_t *p, size_t len);

#endif
