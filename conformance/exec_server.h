/* SPDX-License-Identifier: Apache-2.0 */
/* The steps `server ACT [OPERAND]`, carried out. */
#ifndef CONFORM_EXEC_SERVER_H
#define CONFORM_EXEC_SERVER_H

#include "world.h"

/* False: failure noted. */
bool exec_server(struct world *w, const struct step *step);
/* In exec_secrets.c. */
bool exec_secrets(struct world *w);

#endif
