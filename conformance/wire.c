/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of a protobuf payload: see wire.h. */
#include "wire.h"

bool wire_varint(const uint8_t *p, size_t len, size_t *at, uint64_t *v)
{
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (*at >= len) {
            return false;
        }
        uint8_t byte = p[(*at)++];
        if (shift == 63 && byte > 1) {
            return false;
        }
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *v = result;
            return true;
        }
    }
    return false;
}

static bool read_value(const uint8_t *p, size_t len, size_t *at,
                       struct wire_field *f)
{
    uint64_t size = 0;
    switch (f->wire) {
    case WIRE_VARINT:
        f->value_at = *at;
        if (!wire_varint(p, len, at, &f->varint)) {
            return false;
        }
        f->value_len = *at - f->value_at;
        return true;
    case WIRE_64:
        size = 8;
        break;
    case WIRE_32:
        size = 4;
        break;
    case WIRE_LENGTH:
        if (!wire_varint(p, len, at, &size)) {
            return false;
        }
        break;
    default:
        return false; /* groups are not proto3 */
    }
    if (size > len - *at) {
        return false;
    }
    f->value_at = *at;
    f->value_len = (size_t)size;
    *at += (size_t)size;
    return true;
}

enum wire_result wire_next(const uint8_t *p, size_t len, size_t *at,
                           struct wire_field *f)
{
    if (*at >= len) {
        return WIRE_END;
    }
    uint64_t tag;
    f->at = *at;
    if (!wire_varint(p, len, at, &tag) || tag >> 3 == 0 ||
        tag >> 3 > 0x1fffffff) {
        return WIRE_BROKEN;
    }
    f->number = (uint32_t)(tag >> 3);
    f->wire = (uint32_t)(tag & 7);
    if (!read_value(p, len, at, f)) {
        return WIRE_BROKEN;
    }
    f->end = *at;
    return WIRE_FIELD;
}

size_t wire_put_varint(uint8_t *out, uint64_t v)
{
    size_t n = 0;
    while (v >= 0x80) {
        out[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    out[n++] = (uint8_t)v;
    return n;
}

/* Bytes of the sequence that `lead` starts, and the smallest code point that
 * may be written with so many; 0: no such lead byte. */
static size_t sequence(uint8_t lead, uint32_t *code, uint32_t *least)
{
    if (lead < 0x80) {
        *code = lead;
        *least = 1; /* U+0000 is not text here */
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        *code = lead & 0x1fu;
        *least = 0x80;
        return 2;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        *code = lead & 0x0fu;
        *least = 0x800;
        return 3;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        *code = lead & 0x07u;
        *least = 0x10000;
        return 4;
    }
    return 0;
}

bool wire_is_text(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t code = 0, least = 0;
        size_t n = sequence(p[i], &code, &least);
        if (n == 0 || n > len - i) {
            return false;
        }
        for (size_t k = 1; k < n; k++) {
            if ((p[i + k] & 0xc0) != 0x80) {
                return false;
            }
            code = code << 6 | (p[i + k] & 0x3fu);
        }
        if (code < least || code > 0x10ffff ||
            (code >= 0xd800 && code <= 0xdfff)) {
            return false;
        }
        i += n;
    }
    return true;
}
