/* SPDX-License-Identifier: Apache-2.0 */
/* The verb `pull`: what a device does that has missed something, and the
 * check that it has everything then. */
#ifndef CONFORM_EXEC_PULL_H
#define CONFORM_EXEC_PULL_H

#include "world.h"

/* Asks for the conversations page by page, and for the messages of each,
 * newest first, down to the end. Then it must have every message of its user
 * that any device was told of before: [HIST-1], [HIST-3], [HIST-8]. The
 * step's fields are those of HISTORY that bound a page. */
bool exec_pull(struct world *w, struct device *d, const struct step *step);

#endif
