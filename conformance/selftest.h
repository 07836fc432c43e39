/* SPDX-License-Identifier: Apache-2.0 */
/* The harness tested: scenarios against scripted servers, whose verdict and
 * diagnosis must be exactly what the golden files say. */
#ifndef CONFORM_SELFTEST_H
#define CONFORM_SELFTEST_H

#include <stdbool.h>

#include "rules.h"
#include "runner.h"

/* dir has NAME.scn with NAME.peer, or NAME.bad, a scenario that must not
 * load; and NAME.expected. update: write the last instead of comparing.
 * Returns an exit code. */
int selftest_run(const char *dir, const struct rules *rules, bool update);

/* Parts of it. */
struct selftest {
    const char *dir;
    const struct rules *rules;
    bool update;
    size_t count, failed;
};
/* Counts and prints whether `got` is what NAME.expected has. */
void selftest_check(struct selftest *t, const char *name, const char *got);
/* One case against its scripted peer. trace_dir may be NULL. */
struct result selftest_case(const char *dir, const struct scenario *s,
                            const struct rules *rules, const char *trace_dir);
/* Each report of one run that has every verdict in it. */
void selftest_reports(struct selftest *t, const struct scenarios *all);
extern const size_t selftest_report_count;

#endif
