/* SPDX-License-Identifier: Apache-2.0 */
/* Frames to messages and back, on protobuf-c and nothing of the peers that
 * are judged. Fields are reached by their names in roam.proto, so that
 * scenarios, judges and reports speak the spec's words.
 *
 * Words: a *value* is a number or bytes; a *path* is a field's name, or
 * `holder.device_name` for a field of a message inside. */
#ifndef CONFORM_CODEC_H
#define CONFORM_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "roam.pb-c.h"
#include "text.h"

#define FRAME_HEADER 4u

enum frame_number {
    F_LOGIN = 0x01,
    F_LOGOUT = 0x02,
    F_SYNC = 0x03,
    F_ACK = 0x04,
    F_SEND = 0x05,
    F_PING = 0x06,
    F_HISTORY = 0x07,
    F_CONVERSATIONS = 0x08,
    F_MEMBERS = 0x09,
    F_SESSIONS = 0x0a,
    F_END_SESSION = 0x0b,
    F_LOGIN_OK = 0x41,
    F_REFUSED = 0x42,
    F_KICK = 0x43,
    F_SYNC_OK = 0x44,
    F_PUSH = 0x45,
    F_BATCH = 0x46,
    F_SEND_OK = 0x47,
    F_PONG = 0x48,
    F_ERROR = 0x49,
    F_HISTORY_PAGE = 0x4a,
    F_CONVERSATION_PAGE = 0x4b,
    F_MEMBER_PAGE = 0x4c,
    F_SESSION_LIST = 0x4d,
    F_SESSION_ENDED = 0x4e
};

struct frame_type {
    uint8_t number;
    const char *name;
    const ProtobufCMessageDescriptor *desc;
    bool from_server;
};
/* NULL: no such type. */
const struct frame_type *frame_type_named(const char *name);
const struct frame_type *frame_type_numbered(uint8_t number);

struct frame {
    uint8_t number;
    const struct frame_type *type; /* NULL: unknown */
    const uint8_t *payload;
    size_t len;
    ProtobufCMessage *msg; /* NULL: unknown type, or not decodable */
};

/* NULL: not a message of this kind. The payload is borrowed for ever. */
ProtobufCMessage *message_decode(const ProtobufCMessageDescriptor *desc,
                                 const uint8_t *payload, size_t len);
/* Decodes; the payload is copied. */
struct frame *frame_decode(uint8_t number, const uint8_t *payload, size_t len);
/* An empty message of a type. */
ProtobufCMessage *message_new(const ProtobufCMessageDescriptor *desc);
/* Header and payload; returns the length of both. */
size_t frame_encode(const struct frame_type *type, const ProtobufCMessage *m,
                    uint8_t **out);

/* ----------------------------------------------------------------- values */

enum value_kind {
    VALUE_ABSENT,
    VALUE_NUMBER,
    VALUE_BYTES
};
struct value {
    enum value_kind kind;
    uint64_t number;
    const uint8_t *data;
    size_t len;
};
struct value value_number(uint64_t n);
struct value value_text(const char *s);
bool value_equal(const struct value *a, const struct value *b);
/* For people: numbers, text in quotes, other bytes by size and first bytes. */
void value_print(struct text *out, const struct value *v);
/* The same, by the name of the enum's value if the field is an enum. */
void value_print_as(struct text *out, const struct value *v,
                    const ProtobufCFieldDescriptor *fd);

/* The descriptor of the field at a path; NULL: no such field. */
const ProtobufCFieldDescriptor *field_find(
    const ProtobufCMessageDescriptor *desc, const char *path);
/* The field's value; ABSENT for a message that is not there, NUMBER 1 for
 * one that is. False: no such field. */
bool field_get(const ProtobufCMessage *m, const char *path, struct value *out);
/* Sets it; makes the messages on the way. False with a reason. */
bool field_set(ProtobufCMessage *m, const char *path, const struct value *v,
               const char **reason);
/* The number of an enum's value by its name in roam.proto; a name without
 * its enum's prefix (DEFLATE for CODEC_DEFLATE) will do. */
bool field_enum(const ProtobufCFieldDescriptor *fd, const char *word,
                uint64_t *number);

/* --------------------------------------------------------------- printing */

/* One line: type and the fields that are not zero. */
void frame_print_line(struct text *out, const struct frame *f);
/* A line for the frame and one for each field with its offset in bytes,
 * counted from the first byte of the frame's header. */
void frame_print_offsets(struct text *out, const struct frame *f);
void message_print_line(struct text *out, const ProtobufCMessage *m);

#endif
