/* SPDX-License-Identifier: Apache-2.0 */
/* The strict walk over one protobuf message: every field held against its
 * rule. For the messages that are frames (message.c) and for those inside a
 * bytes field (operation.c, rows.c, attachment.c).
 *
 * It refuses what decoders disagree on: a field that comes twice, the wrong
 * wire type, text with a NUL that a C string would hide. Of several faults
 * MALFORMED is told before INVALID_UTF8, and that before FIELD_RANGE. Fields
 * without a rule are skipped. Spec: [FRAME-9] to [FRAME-12]. */
#ifndef ROAM_FIELDS_H
#define ROAM_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "field_rules.h"
#include "roam.pb.h"
#include "wire.h"

/* Highest field number of a message inside a bytes field. */
#define ROAM__INNER_FIELD_MAX 8u

/* What the walk finds besides faults. */
struct roam__found {
    struct roam_slice body;
    struct roam_slice holder;   /* data NULL: none */
    struct roam__field *values; /* in; NULL, or ROAM__INNER_FIELD_MAX + 1 of
                                   them, zeroed: field n goes to values[n]. Of
                                   ROAM__TEXTS the last one, and how many
                                   there are in `value` */
};

/* payload borrowed; found->body and values point into it. */
roam_v1_ErrorCode roam__fields_check(const struct roam__field_rule *rules,
                                     size_t count, struct roam_slice payload,
                                     struct roam__found *found);

/* The one of two faults that is told. */
roam_v1_ErrorCode roam__worse_fault(roam_v1_ErrorCode a, roam_v1_ErrorCode b);

#endif
