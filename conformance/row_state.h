/* SPDX-License-Identifier: Apache-2.0 */
/* The fields that a row of a CONVERSATION_PAGE has beside those of an entry:
 * read_mark, unread, role. */
#ifndef CONFORM_ROW_STATE_H
#define CONFORM_ROW_STATE_H

#include "batch_check.h"

/* The field of that name, so that words mean its enum's names; NULL: there is
 * none. */
const ProtobufCFieldDescriptor *row_state_find(const char *name);
/* Its value; name is one that row_state_find() knows. */
struct value row_state_get(const struct row_state *state, const char *name);

#endif
