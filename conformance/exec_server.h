/* SPDX-License-Identifier: Apache-2.0 */
/* The steps `server ACT [OPERAND]`, carried out. */
#ifndef CONFORM_EXEC_SERVER_H
#define CONFORM_EXEC_SERVER_H

#include "world.h"

/* False: failure noted. */
bool exec_server(struct world *w, const struct step *step);
/* In exec_secrets.c. */
bool exec_secrets(struct world *w);
/* In exec_inside.c. */
bool exec_note(struct world *w);
bool exec_store_is_same(struct world *w, bool same);
bool exec_memory_below(struct world *w, const char *limit);

#endif
