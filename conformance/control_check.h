/* SPDX-License-Identifier: Apache-2.0 */
/* The self-check of what stands between the suite and a server that it did
 * not start itself: the program that runs it (CONTROL.md), and the command
 * that makes users for it. */
#ifndef CONFORM_CONTROL_CHECK_H
#define CONFORM_CONTROL_CHECK_H

#include "rules.h"
#include "runner.h"

/* Proves that they can be believed, before any verdict. False with what is
 * wrong. A roamd needs none of them. */
bool control_self_check(const struct run_options *o, const struct rules *rules,
                        const char **reason);

#endif
