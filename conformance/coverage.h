/* SPDX-License-Identifier: Apache-2.0 */
/* Which rules a run has tested, from what was observed and not from what
 * scenarios promise.
 *
 * A passed case has seen a rule *accepting* where a step under that rule held
 * that asks for something: an answer, an entry, a value. It has seen it
 * *rejecting* where the step asks for a refusal: REFUSED, ERROR, KICK, an
 * end, an absence, or that a lie is not believed. A step is under the rule
 * that closes its line, else under that of its scenario, if that has only one.
 * A rule is *caught* when a broken peer that breaks it was, by a check that
 * names it, and in the role pair with the side to blame that broke it. */
#ifndef CONFORM_COVERAGE_H
#define CONFORM_COVERAGE_H

#include "report.h"

enum seen {
    SEEN_NOTHING,
    SEEN_ACCEPTING,
    SEEN_REJECTING
};
/* What is seen when this step holds. */
enum seen coverage_seen(const struct step *step);

/* A broken peer, and what the suite made of it. */
struct kill {
    const char *fault, *rule;
    bool is_caught;
    const char *by; /* case; NULL: by none */
    size_t red, cases;
};
struct kills {
    struct kill *at;
    size_t count, cap;
};

struct coverage_row {
    const struct rule *rule;
    bool is_judged;                         /* in every case, by a judge */
    json_t *accepting, *rejecting, *caught; /* cases, cases, faults */
};
struct coverage {
    enum role role;
    struct coverage_row *at; /* the rules that bind the role */
    size_t count, cap;
};

/* kills NULL: no broken peer was run. */
void coverage_collect(const struct rules *rules, enum role role,
                      const struct results *results, const struct kills *kills,
                      struct coverage *out);
/* Tab-separated, one rule a line: role, rule, level, and `yes` or `-` for
 * accepting, rejecting, caught. Of the role pair only what was seen. */
const char *coverage_table(const struct coverage *c);

#endif
