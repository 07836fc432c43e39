/* SPDX-License-Identifier: Apache-2.0 */
/* A whole run as one JSON value, from which JSON and HTML are made, and the
 * writers of all reports. REPORTS.md has the fields. */
#ifndef CONFORM_REPORT_MODEL_H
#define CONFORM_REPORT_MODEL_H

#include <jansson.h>

#include "coverage.h"
#include "report.h"

/* Of the JSON's form; rises when a field changes its meaning or goes. */
#define REPORT_FORMAT 1

/* What the page shows of a passed case; whoever wants more takes a trace. */
#define REPORT_PASSED_FIRST 60u
#define REPORT_PASSED_LAST 20u
#define REPORT_PASSED_BYTES 256u

struct report_run {
    enum role role;
    const char *peer; /* what was judged, for people */
    uint64_t seed;
    const char *started; /* RFC 3339; "" for none */
    uint64_t ms;
    bool is_complete;
    int exit;
    const struct rules *rules;
    const struct scenarios *all; /* of the role */
    const struct results *results;
    const struct kills *kills; /* NULL: no broken peer was run */
    const struct expectations *expectations;
};

/* all_events: of passed cases too. */
json_t *report_model(const struct report_run *run, bool all_events);

/* What is written into a file of each format. */
const char *report_json(const struct report_run *run);
const char *report_junit(const struct report_run *run);
/* The page's data before it is packed. */
const char *report_html_data(const struct report_run *run);
/* dir: where page.html and its parts are. NULL with a reason. */
const char *report_html(const struct report_run *run, const char *dir,
                        const char **reason);
/* Frame types, messages and enums of roam.proto, for the page's decoder. */
json_t *report_schema(void);

#endif
