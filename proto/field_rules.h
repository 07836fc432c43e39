/* SPDX-License-Identifier: Apache-2.0 */
/* The spec's field tables as data: what each field of each message may hold.
 * Shared by the files of proto/, and walked by the tests, which try every
 * field at its bound and one past it. Spec: section 4. */
#ifndef ROAM_FIELD_RULES_H
#define ROAM_FIELD_RULES_H

#include <stddef.h>
#include <stdint.h>

/* What a field is on the wire, and what its bounds mean. */
enum roam__field_form {
    ROAM__UINT32,  /* varint, min..max; also bools and enums */
    ROAM__UINT64,  /* varint, min.. */
    ROAM__VERSION, /* varint, min..ROAM_VERSION_MAX */
    ROAM__FIXED64, /* fixed64, min.. */
    ROAM__TEXT,    /* UTF-8, min..max bytes */
    ROAM__BYTES,   /* min..max bytes */
    ROAM__BODY,    /* min.. bytes, becomes roam_message.body */
    ROAM__HOLDER,  /* a Holder, checked with the rules of that */
    ROAM__TEXTS    /* repeated text, min..max of them, each a user id; inner
                      messages only */
};

/* Not a frame type: the rules of the message Holder, which others contain. */
#define ROAM__HOLDER_RULES 0u

struct roam__field_rule {
    uint8_t message; /* enum roam_frame_type, or ROAM__HOLDER_RULES */
    uint8_t number;  /* below 32 */
    uint8_t form;    /* enum roam__field_form */
    uint32_t min;    /* an absent field counts as 0, or 0 bytes long */
    uint32_t max;
};

/* The rules of one message stand together. */
extern const struct roam__field_rule roam__field_rules[];
extern const size_t roam__field_rule_count;

#endif
