/* SPDX-License-Identifier: Apache-2.0 */
/* The suite measured: every named fault of a server must be caught by a
 * check that names the fault's rule, and servers that speak no Roam must
 * pass nothing. */
#ifndef CONFORM_BROKEN_H
#define CONFORM_BROKEN_H

#include "report_model.h"
#include "runner.h"

/* o->roamd: a server built with the fault points; or o->adapter: one that
 * takes ROAM_FAULT. table: the file that ties
 * faults to rules. only: one fault, or NULL. full: run the whole suite for
 * each fault, not only the cases that the table names. Returns an exit
 * code.
 * report: has role, all and rules; gets kills, and the results of the run
 * without a fault unless `only` is given. */
int broken_run(const struct run_options *o, const char *table, const char *only,
               bool full, struct report_run *report);

/* Prints the faults of the table that break a rule; false: it cannot be
 * read, and the reason was printed. `who`: servers or clients. */
bool broken_explain(const char *table, const struct rules *rules,
                    const char *id, const char *who);

#endif
