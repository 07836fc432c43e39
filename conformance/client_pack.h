/* SPDX-License-Identifier: Apache-2.0 */
/* Rows to the columns of section 8, as an honest server packs them, or bent
 * in one named way that a client has to notice. */
#ifndef CONFORM_CLIENT_PACK_H
#define CONFORM_CLIENT_PACK_H

#include "batch_check.h"

struct packed {
    uint8_t *payload;
    size_t len;
    uint32_t inflated_size;
    Roam__V1__Codec codec;
};

/* states: of as many rows; NULL: it is no page of conversations.
 * prev_version: of the first row; is_page: rows have no versions.
 * codec: what the payload is encoded by. bend: NULL, or a name that
 * pack_bend_known() knows. */
void pack_rows(Roam__V1__Push *const *rows, const struct row_state *states,
               size_t count, uint64_t prev_version, bool is_page,
               Roam__V1__Codec codec, const char *bend, struct packed *out);
bool pack_bend_known(const char *name);

#endif
