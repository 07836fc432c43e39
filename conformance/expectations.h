/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer is known to fail: a file that belongs to the peer, one line
 * an entry:
 *
 *   case[:RULE]  fail|unsupported  "start of the message"  URL
 *
 * `fail` stands for a warning too; RULE is one that the failure names; URL
 * says where it is being worked on, `-` nowhere yet. # starts a comment.
 *
 * An entry is *stale* when its case ran and did not end so, or is not one of
 * the suite's: whoever repairs the peer is told to take it out. */
#ifndef CONFORM_EXPECTATIONS_H
#define CONFORM_EXPECTATIONS_H

#include "report.h"

struct expectation {
    const char *id, *rule; /* rule NULL: any */
    bool is_unsupported;
    const char *message, *url;
    int line;
    const char *above; /* comments between the entry before it and this one */
    bool is_met;       /* by some result */
    bool is_run;       /* its case has a result */
};

struct expectations {
    const char *path;
    const char *head, *tail; /* comments before the first, behind the last */
    struct expectation *at;
    size_t count, cap;
};

/* False with "path:line: reason". */
bool expectations_load(const char *path, struct expectations *out,
                       const char **error);
/* Sets the result's standing and expectation. `e` may be NULL. */
void expectations_judge(struct expectations *e, struct result *r);
/* Why an entry is stale; NULL: it is not. Behind the last result. */
const char *expectations_stale(const struct expectation *e,
                               const struct scenarios *all);
/* Keeps what was met, with the comments above it, and adds what failed; counts
 * it in *out. Only behind a full run. */
struct expectations_change {
    size_t kept, gone, added;
};
bool expectations_update(const struct expectations *e,
                         const struct results *results,
                         struct expectations_change *out, const char **error);

#endif
