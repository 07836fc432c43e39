/* SPDX-License-Identifier: Apache-2.0 */
/* One case as JSON: what a case's process tells the runner, and what the
 * reports show. REPORTS.md has the fields. */
#ifndef CONFORM_REPORT_CASE_H
#define CONFORM_REPORT_CASE_H

#include <jansson.h>

#include "report.h"
#include "world.h"

/* Longer ones are cut there: a trace has them whole. */
#define REPORT_FRAME_MAX 2048u
/* Of more events in one case, the middle is left out. */
#define REPORT_EVENTS_FIRST 300u
#define REPORT_EVENTS_LAST 100u

/* Devices, steps that held, events, failure; NULL without a record. */
json_t *report_case_record(const struct world *w);

/* The line from a case's process to the runner, and back. Of a line that is
 * none: false. */
char *report_case_pack(const struct result *r);
bool report_case_unpack(const char *line, struct result *out);

#endif
