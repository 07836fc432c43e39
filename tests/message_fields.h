/* SPDX-License-Identifier: Apache-2.0 */
/* The field tables of the spec (section 4) a second time, in plain numbers,
 * and good messages made from them by hand. For the tests of the codec. */
#ifndef ROAM_MESSAGE_FIELDS_H
#define ROAM_MESSAGE_FIELDS_H

#include <stdint.h>

#include "frame.h"
#include "wire_writer.h"

#define OK roam_v1_ErrorCode_ERROR_UNSPECIFIED
#define MALFORMED roam_v1_ErrorCode_MALFORMED
#define FIELD_RANGE roam_v1_ErrorCode_FIELD_RANGE
#define INVALID_UTF8 roam_v1_ErrorCode_INVALID_UTF8

/* Number, fixed64, text, bytes, body (bytes without bound), holder. */
enum form {
    NUM,
    FIX,
    TXT,
    BYT,
    BOD,
    HOL
};

struct field {
    uint8_t type; /* of the frame; 0: Holder */
    uint8_t number;
    enum form form;
    uint64_t min;  /* value or length */
    uint64_t max;  /* likewise */
    uint64_t wide; /* above this a number is MALFORMED */
    uint64_t base; /* in a good message */
};

enum {
    SPEC_FIELDS = 141,
    SPEC_TYPES = 25
};
extern const struct field spec_fields[SPEC_FIELDS];
extern const uint8_t spec_types[SPEC_TYPES];

/* Writes a field with this value, or as many letters. */
void spec_put_field(struct wire_out *out, const struct field *f,
                    uint64_t value);
/* Writes a good message in which one field (NULL: none) has another value. */
void spec_put_message(struct wire_out *out, uint8_t type,
                      const struct field *other, uint64_t value);
/* Writes a good message without one of its fields. */
void spec_put_without(struct wire_out *out, const struct field *f);

/* What the codec says to these bytes; those of a Holder it gets inside a
 * REFUSED. They lie in memory of just their size. */
roam_v1_ErrorCode spec_decode(uint8_t type, const struct wire_out *message);
roam_v1_ErrorCode spec_decode_hex(uint8_t type, const char *hex);

#endif
