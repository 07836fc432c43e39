/* SPDX-License-Identifier: Apache-2.0 */
/* How far a long run is, on standard error: one line drawn again and again
 * on a terminal; elsewhere a plain line now and then, nothing in a run that
 * is over before the first. */
#ifndef CONFORM_PROGRESS_H
#define CONFORM_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Between two plain lines. */
#define PROGRESS_PLAIN_MS 10000u

struct progress {
    size_t done, total, failed;
    bool is_terminal, is_drawn;
    uint64_t last_ms; /* of the last plain line */
};

/* quiet: nothing is shown. is_alone: nobody else writes there meanwhile;
 * otherwise there are plain lines on a terminal, too. */
void progress_begin(struct progress *p, size_t total, bool quiet,
                    bool is_alone);
/* A case has ended. */
void progress_show(struct progress *p, const char *id, bool failed);
/* The line goes, so that something else can be printed. */
void progress_hide(struct progress *p);
/* What progress_show() would print; `width` 0: a plain line. */
const char *progress_line(const struct progress *p, const char *id,
                          size_t width);

#endif
