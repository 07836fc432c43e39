/* SPDX-License-Identifier: Apache-2.0 */
/* Writing protobuf by hand, field by field, for the messages inside a bytes
 * field. A value that is 0 or empty is left out, as proto3 has it. */
#ifndef ROAM_PUT_H
#define ROAM_PUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

struct roam__put {
    uint8_t *out; /* borrowed */
    size_t cap;
    size_t len;
    bool full; /* something did not fit; sticks */
};

void roam__put_number(struct roam__put *p, uint32_t number, uint64_t value);
void roam__put_bytes(struct roam__put *p, uint32_t number,
                     struct roam_slice bytes);
/* The same, written also when it is empty: an element of a list. */
void roam__put_element(struct roam__put *p, uint32_t number,
                       struct roam_slice bytes);

#endif
