/* SPDX-License-Identifier: Apache-2.0 */
/* `explain ID` and `coverage`: what the files say, without a run. */
#ifndef CONFORM_EXPLAIN_H
#define CONFORM_EXPLAIN_H

#include "options.h"
#include "rules.h"
#include "scn.h"

/* Prints what a case is about, its rules, and its steps. */
void explain_case(const struct rules *rules, const struct scenario *s);
/* Prints the rule, where it stands, why it is there, what judges it, its
 * scenarios and the broken peers that break it. The id is one of the spec's.
 * False when a file cannot be read. */
bool explain_rule(const struct options *o, const struct rules *rules,
                  const struct scenarios *all, const char *id);
/* Prints the rules of an area, which is the part before their number. False:
 * there is no such area. */
bool explain_area(const struct rules *rules, const char *area);
/* The areas, a space before each. */
const char *explain_areas(const struct rules *rules);
/* Prints the rules that bind a server and have no scenario. */
void explain_gaps(const struct rules *rules, const struct scenarios *all);
/* What the Rationale of the spec says of the rule: the item about it, the
 * failure that it prevents, or where else it is named; NULL: nothing. */
const char *explain_why(const char *spec, const char *id);

#endif
