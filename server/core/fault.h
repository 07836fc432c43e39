/* SPDX-License-Identifier: Apache-2.0 */
/* Named faults, so that the tests can prove that they would notice them.
 *
 * In a build with -DROAM_FAULTS, ROAM_FAULT("name") is true when the
 * environment variable ROAM_FAULT is that name: the server then breaks one
 * rule of the spec on purpose. In every other build it is the constant
 * false and nothing of it is left in the program. */
#ifndef ROAM_FAULT_H
#define ROAM_FAULT_H

#include <stdbool.h>

#ifdef ROAM_FAULTS
bool roam__fault(const char *name);
#define ROAM_FAULT(name) roam__fault(name)
#else
#define ROAM_FAULT(name) false
#endif

#endif
