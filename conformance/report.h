/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts and what is printed of them: TAP 14 on standard output, a
 * diagnosis for each failure that says what to do next. */
#ifndef CONFORM_REPORT_H
#define CONFORM_REPORT_H

#include "rules.h"
#include "world.h"

enum verdict {
    VERDICT_PASS,
    VERDICT_FAIL,
    VERDICT_WARN,        /* a SHOULD did not hold */
    VERDICT_UNSUPPORTED, /* cannot be run against this server */
    VERDICT_HARNESS      /* the harness or the scenario is at fault */
};

struct result {
    const struct scenario *s;
    enum verdict verdict;
    const char *rules;  /* ids named by the failure, with spaces between */
    const char *detail; /* the diagnosis; for UNSUPPORTED the reason */
};

/* The diagnosis of a failed case. `repeat` is the command that runs it
 * again. */
const char *report_failure(const struct world *w, const struct rules *rules,
                           const char *repeat);
void report_plan(size_t count);
void report_result(size_t number, const struct result *r);
/* Counts, on standard error. */
struct tally {
    size_t passed, failed, warned, unsupported, harness;
};
void report_count(struct tally *t, const struct result *r);
void report_summary(const struct tally *t);

#endif
