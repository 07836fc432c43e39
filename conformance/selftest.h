/* SPDX-License-Identifier: Apache-2.0 */
/* The harness tested: scenarios against scripted servers, whose verdict and
 * diagnosis must be exactly what the golden files say. */
#ifndef CONFORM_SELFTEST_H
#define CONFORM_SELFTEST_H

#include <stdbool.h>

#include "rules.h"

/* dir has NAME.scn with NAME.peer, or NAME.bad, a scenario that must not
 * load; and NAME.expected. update: write the last instead of comparing.
 * Returns an exit code. */
int selftest_run(const char *dir, const struct rules *rules, bool update);

#endif
