/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void wire_put_raw(struct wire_out *out, const void *data, size_t len)
{
    assert_true(len <= sizeof out->bytes - out->len);
    if (len != 0) {
        memcpy(out->bytes + out->len, data, len);
    }
    out->len += len;
}

void wire_put_varint(struct wire_out *out, uint64_t value)
{
    do {
        uint8_t byte = (uint8_t)(value & 0x7f);
        value >>= 7;
        byte = (uint8_t)(byte | (value != 0 ? 0x80 : 0));
        wire_put_raw(out, &byte, 1);
    } while (value != 0);
}

void wire_put_tag(struct wire_out *out, uint32_t number, unsigned wire_type)
{
    wire_put_varint(out, (uint64_t)number << 3 | wire_type);
}

void wire_put_number(struct wire_out *out, uint32_t number, uint64_t value)
{
    wire_put_tag(out, number, 0);
    wire_put_varint(out, value);
}

void wire_put_fixed64(struct wire_out *out, uint32_t number, uint64_t value)
{
    wire_put_tag(out, number, 1);
    for (unsigned i = 0; i < 8; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * i);
        wire_put_raw(out, &byte, 1);
    }
}

void wire_put_bytes(struct wire_out *out, uint32_t number, const void *data,
                    size_t len)
{
    wire_put_tag(out, number, 2);
    wire_put_varint(out, len);
    wire_put_raw(out, data, len);
}

static unsigned hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = strchr(digits, c);
    assert_true(c != '\0' && at != NULL);
    return (unsigned)(at - digits);
}

void wire_put_hex(struct wire_out *out, const char *hex)
{
    while (*hex != '\0') {
        if (*hex == ' ') {
            hex++;
            continue;
        }
        uint8_t byte = (uint8_t)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
        wire_put_raw(out, &byte, 1);
        hex += 2;
    }
}

struct roam_slice wire_slice(const struct wire_out *out)
{
    struct roam_slice slice = {out->bytes, out->len};
    return slice;
}

uint8_t *wire_exact(const void *data, size_t len)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    if (len != 0) {
        memcpy(copy, data, len);
    }
    return copy;
}
