/* SPDX-License-Identifier: Apache-2.0 */
/* What a run leaves besides TAP: its reports, its expectations, and its exit
 * code. */
#ifndef CONFORM_OUTPUTS_H
#define CONFORM_OUTPUTS_H

#include "report_model.h"
#include "runner.h"

struct outputs {
    const char *junit, *json, *html, *coverage; /* files; NULL: none */
    const char *expectations;                   /* file; NULL: none */
    bool update;                                /* the expectations */
    const char *html_dir;                       /* parts of the page */
    uint64_t start_ms;
    const char *started; /* RFC 3339 */
    struct expectations loaded;
};

/* Before the run: loads the expectations, sets what `run` needs for it.
 * EXIT_AS_EXPECTED, or why not. */
int outputs_begin(struct outputs *o, struct run_options *run);
/* Behind it: prints counts and stale entries, writes the files. Returns the
 * exit code. `report` has role, peer, rules, all, results, kills. */
int outputs_end(struct outputs *o, const struct run_options *run,
                struct report_run *report, bool is_complete);
/* Writes the files of a report whose exit code is known. */
int outputs_write(const struct outputs *o, const struct report_run *report);

#endif
