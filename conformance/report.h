/* SPDX-License-Identifier: Apache-2.0 */
/* Verdicts and what is printed of them: TAP 14 on standard output, a
 * diagnosis for each failure that says what to do next. */
#ifndef CONFORM_REPORT_H
#define CONFORM_REPORT_H

#include <jansson.h>

#include "rules.h"
#include "world.h"

enum verdict {
    VERDICT_PASS,
    VERDICT_FAIL,
    VERDICT_WARN,          /* a SHOULD did not hold */
    VERDICT_UNSUPPORTED,   /* cannot be run against this peer */
    VERDICT_NOT_EXERCISED, /* nothing was checked: as bad as FAIL */
    VERDICT_HARNESS,       /* the harness or the scenario is at fault */
    VERDICT_COUNT
};
/* "pass", "fail", ... "harness-error" */
const char *verdict_name(enum verdict v);

/* The verdict beside the peer's file of expectations. */
enum standing {
    STANDING_AS_EXPECTED,
    STANDING_KNOWN, /* the file has it */
    STANDING_UNEXPECTED,
    STANDING_UNEXPECTED_PASS
};

struct expectation;
struct result {
    const struct scenario *s; /* NULL: it has not ended */
    enum verdict verdict;
    const char *rules;  /* ids named by the failure, with spaces between */
    const char *what;   /* the failure in one sentence, or the reason */
    const char *blame;  /* role pair: whose it is; else "" or NULL */
    const char *detail; /* the diagnosis; for UNSUPPORTED the reason */
    uint64_t ms;
    size_t round;   /* of --repeat, from 0 */
    json_t *record; /* report_case.h; NULL: none was asked for */
    enum standing standing;
    const struct expectation *expectation; /* NULL: none is about it */
};

struct results {
    struct result *at;
    size_t count, cap;
};

/* The diagnosis of a failed case. `repeat` is the command that runs it
 * again. */
const char *report_failure(const struct world *w, const struct rules *rules,
                           const char *repeat);
void report_version(void);
void report_plan(size_t count);
/* rounds: above 1, the name tells which round it was. */
const char *report_tap(size_t number, const struct result *r, size_t rounds);
void report_result(size_t number, const struct result *r, size_t rounds);
/* Counts, on standard error. */
struct tally {
    size_t of[VERDICT_COUNT];
    size_t known;      /* to fail, or to be unsupported */
    size_t unexpected; /* of all verdicts */
};
void report_count(struct tally *t, const struct result *r);
void report_summary(const struct tally *t);

#endif
