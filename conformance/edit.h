/* SPDX-License-Identifier: Apache-2.0 */
/* Named edits of a valid frame: the only way to bytes that no library would
 * write. Because the frame was valid before, and the edit has a name, what
 * the scenario says and what is sent cannot differ. */
#ifndef CONFORM_EDIT_H
#define CONFORM_EDIT_H

#include "codec.h"

/* One encoded frame on its way out. */
struct raw_frame {
    const struct frame_type *type; /* before any edit */
    uint8_t *bytes;                /* header and payload */
    size_t len;
    size_t split;    /* bytes a write; 0: all at once */
    bool is_foreign; /* the header's type was edited */
};

enum edit_argument {
    EDIT_TAKES_NOTHING,
    EDIT_TAKES_NUMBER, /* an expression */
    EDIT_TAKES_FIELD,  /* name of a field */
    EDIT_TAKES_HEX,
    EDIT_TAKES_FIELD_HEX /* field:hex */
};

/* NULL, or why there is no such edit with such an argument. */
const char *edit_check(const char *name, const char *argument);
enum edit_argument edit_argument(const char *name);
/* Applies one edit. `number` is the argument's value where it is a number.
 * NULL, or why this frame cannot be edited so. */
const char *edit_apply(struct raw_frame *r, const char *name,
                       const char *argument, uint64_t number);

#endif
