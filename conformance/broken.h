/* SPDX-License-Identifier: Apache-2.0 */
/* The suite measured: every named fault of a server must be caught by a
 * check that names the fault's rule, and servers that speak no Roam must
 * pass nothing. */
#ifndef CONFORM_BROKEN_H
#define CONFORM_BROKEN_H

#include "runner.h"

/* o->roamd: a server built with the fault points; or o->adapter: one that
 * takes ROAM_FAULT. table: the file that ties
 * faults to rules. only: one fault, or NULL. full: run the whole suite for
 * each fault, not only the cases that the table names. Returns an exit
 * code. */
int broken_run(const struct run_options *o, const char *table, const char *only,
               bool full, const struct scenarios *all,
               const struct rules *rules);

#endif
