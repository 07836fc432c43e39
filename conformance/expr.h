/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions of scenarios: numbers, "text", words, $variables, bytes(n),
 * text(n), random, id(device), bodies of operations, sums. SCENARIOS.md has the
 * list. */
#ifndef CONFORM_EXPR_H
#define CONFORM_EXPR_H

#include "world.h"

enum expr_result {
    EXPR_OK,
    EXPR_UNBOUND, /* it is a single variable without a value */
    EXPR_BAD      /* *reason says why */
};

/* fd: the field that the value is for, so that words mean its enum's names
 * or the case's users; NULL: none. */
enum expr_result expr_eval(struct world *w, const char *expr,
                           const ProtobufCFieldDescriptor *fd,
                           struct value *out, const char **reason);
/* A number; false: mistake noted. */
bool expr_number(struct world *w, const char *expr, uint64_t *out);

const struct value *var_find(const struct world *w, const char *name);
void var_set(struct world *w, const char *name, const struct value *v);

/* left op right; both must be of one kind, and order needs numbers. */
bool value_compare(const struct value *left, enum op op,
                   const struct value *right);

#endif
