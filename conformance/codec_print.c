/* SPDX-License-Identifier: Apache-2.0 */
/* Frames for people to read: see codec.h. */
#include "codec.h"

#include <inttypes.h>
#include <string.h>

#include "wire.h"

/* Longer values are cut in reports: a body may have a megabyte. */
#define SHOWN_TEXT 48u
#define SHOWN_BYTES 16u

static bool is_printable(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f) {
            return false;
        }
    }
    return wire_is_text(p, len);
}

void value_print(struct text *out, const struct value *v)
{
    if (v->kind == VALUE_ABSENT) {
        text_add(out, "absent");
        return;
    }
    if (v->kind == VALUE_NUMBER) {
        text_add(out, "%" PRIu64, v->number);
        return;
    }
    bool printable = is_printable(v->data, v->len);
    size_t most = printable ? SHOWN_TEXT : SHOWN_BYTES;
    size_t shown = v->len < most ? v->len : most;
    text_add(out, printable ? "\"" : "0x");
    for (size_t i = 0; i < shown; i++) {
        text_add(out, printable ? "%c" : "%02x", v->data[i]);
    }
    text_add(out, printable ? "\"" : "");
    if (shown < v->len) {
        text_add(out, "... (%zu bytes)", v->len);
    }
}

void value_print_as(struct text *out, const struct value *v,
                    const ProtobufCFieldDescriptor *fd)
{
    if (fd->type != PROTOBUF_C_TYPE_ENUM) {
        value_print(out, v);
        return;
    }
    const ProtobufCEnumValue *e =
        protobuf_c_enum_descriptor_get_value(fd->descriptor, (int)v->number);
    if (e) {
        text_add(out, "%s", e->name);
    } else {
        text_add(out, "unknown(%" PRIu64 ")", v->number);
    }
}

static bool is_zero(const struct value *v)
{
    return v->kind == VALUE_ABSENT ||
           (v->kind == VALUE_NUMBER ? v->number == 0 : v->len == 0);
}

static void field_print(struct text *out, const ProtobufCMessage *m,
                        const ProtobufCFieldDescriptor *fd)
{
    struct value v;
    if (!field_get(m, fd->name, &v)) {
        return;
    }
    text_add(out, "%s=", fd->name);
    if (fd->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessage *inner = *(
            const ProtobufCMessage *const *)(const void *)((const uint8_t *)m +
                                                           fd->offset);
        text_add(out, "{");
        message_print_line(out, inner);
        text_add(out, "}");
        return;
    }
    value_print_as(out, &v, fd);
}

void message_print_line(struct text *out, const ProtobufCMessage *m)
{
    const char *space = "";
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *fd = &m->descriptor->fields[i];
        struct value v;
        if (fd->label != PROTOBUF_C_LABEL_REPEATED &&
            field_get(m, fd->name, &v) && !is_zero(&v)) {
            text_add(out, "%s", space);
            field_print(out, m, fd);
            space = " ";
        }
    }
}

static void name_print(struct text *out, const struct frame *f)
{
    if (f->type) {
        text_add(out, "%s", f->type->name);
    } else {
        text_add(out, "type 0x%02x", f->number);
    }
}

void frame_print_line(struct text *out, const struct frame *f)
{
    name_print(out, f);
    if (f->msg) {
        struct text fields = {0};
        message_print_line(&fields, f->msg);
        text_add(out, "%s%s", fields.len ? " " : "", text_str(&fields));
    } else {
        text_add(out, " (%zu bytes, not decodable)", f->len);
    }
}

void frame_print_offsets(struct text *out, const struct frame *f)
{
    name_print(out, f);
    text_add(out, " (0x%02x), %zu bytes of payload\n", f->number, f->len);
    size_t at = 0;
    struct wire_field w;
    enum wire_result r;
    while ((r = wire_next(f->payload, f->len, &at, &w)) == WIRE_FIELD) {
        const ProtobufCFieldDescriptor *fd =
            f->type ? protobuf_c_message_descriptor_get_field(f->type->desc,
                                                              w.number)
                    : NULL;
        text_add(out, "  @%-4zu ", w.at + FRAME_HEADER);
        if (fd && f->msg) {
            field_print(out, f->msg, fd);
        } else {
            text_add(out, "field %" PRIu32 " (not in roam.proto)", w.number);
        }
        text_add(out, "\n");
    }
    if (r == WIRE_BROKEN) {
        text_add(out, "  @%-4zu no protobuf field from here on\n",
                 w.at + FRAME_HEADER);
    }
}
