/* SPDX-License-Identifier: Apache-2.0 */
/* Steps about what lies below the frames: TLS, and where a server listens. */
#ifndef CONFORM_EXEC_TLS_H
#define CONFORM_EXEC_TLS_H

#include "world.h"

/* `dev greets`, `dev greets-in-vain`: see tls_hello.c. */
bool exec_greets(struct world *w, struct device *d, const struct step *step,
                 bool in_vain);
/* `dev by-ticket` */
bool exec_by_ticket(struct world *w, struct device *d);
/* `dev renegotiates-in-vain` */
bool exec_renegotiates(struct world *w, struct device *d);
/* `dev elsewhere` */
bool exec_elsewhere(struct world *w);

#endif
