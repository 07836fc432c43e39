/* SPDX-License-Identifier: Apache-2.0 */
/* Varints, fixed-width numbers and fields of the protobuf wire format. */
#include "wire.h"

bool roam__wire_varint(struct roam_slice *in, uint64_t *value)
{
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 64 && in->len != 0; shift += 7) {
        uint8_t byte = *in->data++;
        in->len--;
        if (shift == 63 && byte > 1) {
            return false;
        }
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = result;
            return true;
        }
    }
    return false;
}

static bool take_fixed(struct roam_slice *in, unsigned bytes, uint64_t *value)
{
    if (in->len < bytes) {
        return false;
    }
    uint64_t result = 0;
    for (unsigned i = bytes; i-- != 0;) {
        result = result << 8 | in->data[i];
    }
    in->data += bytes;
    in->len -= bytes;
    *value = result;
    return true;
}

bool roam__wire_fixed64(struct roam_slice *in, uint64_t *value)
{
    return take_fixed(in, 8, value);
}

static bool take_bytes(struct roam_slice *in, struct roam_slice *bytes)
{
    uint64_t len;
    if (!roam__wire_varint(in, &len) || len > in->len) {
        return false;
    }
    bytes->data = in->data;
    bytes->len = (size_t)len;
    in->data += bytes->len;
    in->len -= bytes->len;
    return true;
}

bool roam__wire_field(struct roam_slice *in, struct roam__field *f)
{
    uint64_t tag;
    if (!roam__wire_varint(in, &tag) || tag > UINT32_MAX || tag < 8) {
        return false;
    }
    f->number = (uint32_t)tag >> 3;
    f->type = (uint8_t)(tag & 7);
    f->value = 0;
    f->bytes.data = NULL;
    f->bytes.len = 0;
    switch (f->type) {
    case ROAM__WIRE_VARINT:
        return roam__wire_varint(in, &f->value);
    case ROAM__WIRE_FIXED64:
        return take_fixed(in, 8, &f->value);
    case ROAM__WIRE_BYTES:
        return take_bytes(in, &f->bytes);
    case ROAM__WIRE_FIXED32:
        return take_fixed(in, 4, &f->value);
    default:
        return false;
    }
}
