/* SPDX-License-Identifier: Apache-2.0 */
/* See put.h. */
#include "put.h"

#include <string.h>

#include "wire.h"

static void put_byte(struct roam__put *p, uint8_t byte)
{
    if (p->len == p->cap) {
        p->full = true;
        return;
    }
    p->out[p->len++] = byte;
}

static void put_varint(struct roam__put *p, uint64_t value)
{
    for (; value > 0x7f; value >>= 7) {
        put_byte(p, (uint8_t)(value | 0x80));
    }
    put_byte(p, (uint8_t)value);
}

void roam__put_number(struct roam__put *p, uint32_t number, uint64_t value)
{
    if (value != 0) {
        put_varint(p, (uint64_t)number << 3 | ROAM__WIRE_VARINT);
        put_varint(p, value);
    }
}

void roam__put_element(struct roam__put *p, uint32_t number,
                       struct roam_slice bytes)
{
    put_varint(p, (uint64_t)number << 3 | ROAM__WIRE_BYTES);
    put_varint(p, bytes.len);
    if (bytes.len > p->cap - p->len) {
        p->full = true;
    } else if (bytes.len != 0) {
        memcpy(p->out + p->len, bytes.data, bytes.len);
        p->len += bytes.len;
    }
}

void roam__put_bytes(struct roam__put *p, uint32_t number,
                     struct roam_slice bytes)
{
    if (bytes.len != 0) {
        roam__put_element(p, number, bytes);
    }
}
