/* SPDX-License-Identifier: Apache-2.0 */
/* Named faults, so that the tests can prove that they would notice them.
 *
 * In a build with -DROAM_FAULTS, ROAM_FAULT("name") is true when the
 * environment variable ROAM_FAULT is that name: the server then breaks one
 * rule of the spec on purpose. In every other build it is the constant
 * false and nothing of it is left in the program. So it is with a commit that
 * fails when it is told to. */
#ifndef ROAM_FAULT_H
#define ROAM_FAULT_H

#include <stdbool.h>

#ifdef ROAM_FAULTS
bool roam__fault(const char *name);
#define ROAM_FAULT(name) roam__fault(name)

/* From now on the commit with the next SEND in it fails; the store may have
 * it nevertheless. From any thread. */
void roam__fault_arm(bool stored);
/* A SEND is in the store's transaction. */
void roam__fault_send(void);
#define ROAM_FAULT_SEND() roam__fault_send()
/* Is the transaction's commit to fail so? */
bool roam__fault_commit(bool stored);
#define ROAM_FAULT_COMMIT(stored) roam__fault_commit(stored)
#else
#define ROAM_FAULT(name) false
#define ROAM_FAULT_SEND() ((void)0)
#define ROAM_FAULT_COMMIT(stored) false
#endif

#endif
