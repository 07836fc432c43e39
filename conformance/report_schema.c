/* SPDX-License-Identifier: Apache-2.0 */
/* What roam.proto says, as JSON, for the page's decoder:
 *
 *   frames    number: [name, message]
 *   messages  name: {field number: [name, type, repeated, message or enum]}
 *   enums     name: {number: name}
 *
 * Taken from the code generated from roam.proto, so that it cannot drift. */
#include <string.h>

#include "report_model.h"

static const char *type_name(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SINT64:
        return "zigzag";
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return "fixed";
    case PROTOBUF_C_TYPE_BOOL:
        return "bool";
    case PROTOBUF_C_TYPE_ENUM:
        return "enum";
    case PROTOBUF_C_TYPE_STRING:
        return "string";
    case PROTOBUF_C_TYPE_BYTES:
        return "bytes";
    case PROTOBUF_C_TYPE_MESSAGE:
        return "message";
    default:
        return "uint";
    }
}

static const char *number_key(unsigned n)
{
    return arena_printf("%u", n);
}

static void add_enum(json_t *enums, const ProtobufCEnumDescriptor *d)
{
    json_t *j = json_object();
    for (unsigned i = 0; i < d->n_values; i++) {
        json_object_set_new(j, number_key((unsigned)d->values[i].value),
                            json_string(d->values[i].name));
    }
    json_object_set_new(enums, d->short_name, j);
}

/* Recursion as deep as roam.proto nests messages; each is taken once. */
static void add_message(json_t *schema, const ProtobufCMessageDescriptor *d)
{
    json_t *messages = json_object_get(schema, "messages");
    if (json_object_get(messages, d->short_name)) {
        return;
    }
    json_t *fields = json_object();
    json_object_set_new(messages, d->short_name, fields);
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        const char *kind = "";
        if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
            const ProtobufCMessageDescriptor *inner = f->descriptor;
            kind = inner->short_name;
            add_message(schema, inner);
        } else if (f->type == PROTOBUF_C_TYPE_ENUM) {
            const ProtobufCEnumDescriptor *e = f->descriptor;
            kind = e->short_name;
            add_enum(json_object_get(schema, "enums"), e);
        }
        json_object_set_new(
            fields, number_key(f->id),
            json_pack("[s, s, b, s]", f->name, type_name(f->type),
                      f->label == PROTOBUF_C_LABEL_REPEATED, kind));
    }
}

json_t *report_schema(void)
{
    /* What stands in a field of bytes, by the name of what holds it. */
    static const ProtobufCMessageDescriptor *const inside[] = {
        &roam__v1__columns__descriptor, &roam__v1__member_rows__descriptor,
        &roam__v1__session_rows__descriptor};
    json_t *schema =
        json_pack("{s:{}, s:{}, s:{}}", "frames", "messages", "enums");
    for (unsigned i = 0; i <= UINT8_MAX; i++) {
        const struct frame_type *type = frame_type_numbered((uint8_t)i);
        if (type) {
            json_object_set_new(
                json_object_get(schema, "frames"), number_key(i),
                json_pack("[s, s]", type->name, type->desc->short_name));
            add_message(schema, type->desc);
        }
    }
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        add_message(schema, inside[i]);
    }
    return schema;
}
