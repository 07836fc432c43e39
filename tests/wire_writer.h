/* SPDX-License-Identifier: Apache-2.0 */
/* Writes protobuf by hand, also such as no encoder would: the tests of the
 * codec need bytes that do not come from the codec. */
#ifndef ROAM_WIRE_WRITER_H
#define ROAM_WIRE_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "slice.h"

enum {
    WIRE_OUT_BYTES = 8192
};

struct wire_out {
    uint8_t bytes[WIRE_OUT_BYTES];
    size_t len;
};

/* Each adds to *out and fails the running test when it is full. */
void wire_put_raw(struct wire_out *out, const void *data, size_t len);
void wire_put_varint(struct wire_out *out, uint64_t value);
void wire_put_tag(struct wire_out *out, uint32_t number, unsigned wire_type);
void wire_put_number(struct wire_out *out, uint32_t number, uint64_t value);
void wire_put_fixed64(struct wire_out *out, uint32_t number, uint64_t value);
void wire_put_bytes(struct wire_out *out, uint32_t number, const void *data,
                    size_t len);
/* Hex digits, blanks between bytes allowed. */
void wire_put_hex(struct wire_out *out, const char *hex);

struct roam_slice wire_slice(const struct wire_out *out);
/* A copy on the heap of exactly its size, so that a sanitizer sees one byte
 * too many; to be freed. */
uint8_t *wire_exact(const void *data, size_t len);

#endif
