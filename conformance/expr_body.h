/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of operations as expressions of scenarios: target($id) of RECALL,
 * DELETE and READ; app("data") and app("data", bob, carol) of APP;
 * change(INVITE, bob, carol), change(CREATE, JOIN_OPEN, name="Lunch", bob) of
 * GROUP. */
#ifndef CONFORM_EXPR_BODY_H
#define CONFORM_EXPR_BODY_H

#include "expr.h"

/* The body that name(arg) is; *known false: there is no such body. */
enum expr_result expr_body(struct world *w, const char *name, const char *arg,
                           struct value *out, const char **reason, bool *known);

#endif
