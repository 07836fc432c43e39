/* SPDX-License-Identifier: Apache-2.0 */
#include "row_state.h"

#include <string.h>

const ProtobufCFieldDescriptor *row_state_find(const char *name)
{
    static const char *const names[] = {"read_mark", "unread", "role"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], name) == 0) {
            return field_find(&roam__v1__columns__descriptor, name);
        }
    }
    return NULL;
}

struct value row_state_get(const struct row_state *state, const char *name)
{
    if (strcmp(name, "read_mark") == 0) {
        return value_number(state->read_mark);
    }
    return value_number(strcmp(name, "unread") == 0 ? state->unread
                                                    : (uint64_t)state->role);
}
