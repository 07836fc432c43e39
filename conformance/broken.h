/* SPDX-License-Identifier: Apache-2.0 */
/* The suite measured: every named fault of a server must be caught by a
 * check that names the fault's rule, and servers that speak no Roam must
 * pass nothing. */
#ifndef CONFORM_BROKEN_H
#define CONFORM_BROKEN_H

#include "report_model.h"
#include "runner.h"
#include "spawn.h"

/* In the role pair a fault is one side's: the matrix names it in one of these
 * variables, and each peer's process finds its own as ROAM_FAULT. */
#define BROKEN_SERVER "ROAM_SERVER_FAULT"
#define BROKEN_CLIENT "ROAM_CLIENT_FAULT"
/* For the process that becomes that peer. */
void broken_environment(const char *side, struct spawn_environment *e);

/* o->roamd: a server built with the fault points; or o->adapter: one that
 * takes ROAM_FAULT; in the role pair both. table: the file that ties
 * faults to rules, and in the role pair to the side that is to blame. only: one
 * fault, or NULL. full: run the whole suite for each fault, not only the cases
 * that the table names. Returns an exit code. report: has role, all and rules;
 * gets kills, and the results of the run without a fault unless `only` is
 * given. */
int broken_run(const struct run_options *o, const char *table, const char *only,
               bool full, struct report_run *report);

/* Prints the faults of the table that break a rule; false: it cannot be
 * read, and the reason was printed. `who`: servers or clients. */
bool broken_explain(const char *table, const struct rules *rules,
                    const char *id, const char *who);

#endif
