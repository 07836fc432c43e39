/* SPDX-License-Identifier: Apache-2.0 */
/* Expectations: has what a step describes arrived, or something else in its
 * place? */
#ifndef CONFORM_EXPECT_H
#define CONFORM_EXPECT_H

#include "world.h"

enum expect_result {
    EXPECT_MATCH,
    EXPECT_MISMATCH,
    EXPECT_PENDING /* nothing that decides it has come */
};

struct expect_outcome {
    enum expect_result result;
    const char *why;         /* of a mismatch */
    const struct frame *got; /* of a mismatch; may be NULL */
};

/* Matches a message that came in `f` against the whole step; binds the
 * variables if it fits. */
struct expect_outcome expect_message(struct world *w, const ProtobufCMessage *m,
                                     const struct step *step,
                                     const struct frame *f);
/* Decides a step of kind EXPECT on what has arrived. A match consumes it
 * and binds the variables; anything else changes nothing. */
struct expect_outcome expect_try(struct world *w, const struct step *step);
/* The same, always on what came on the device's link. */
struct expect_outcome expect_try_link(struct world *w, const struct step *step);
/* Waits until it is decided; false: failure noted. */
bool expect_wait(struct world *w, const struct step *step);
/* Waits until one of the alternatives matches, and sets *chosen. */
bool expect_any(struct world *w, const struct step *any_of, size_t *chosen);
/* A step of kind ABSENT: nothing unread matches. The caller has fenced. */
bool expect_absent(struct world *w, const struct step *step);
/* At the end: every answer was expected by some step. */
bool expect_nothing_left(struct world *w);
/* Evaluates comparisons; false: failure noted. */
bool expect_check(struct world *w, const struct terms *where);

#endif
