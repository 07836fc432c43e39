/* SPDX-License-Identifier: Apache-2.0 */
/* The switch behind ROAM_FAULT(); empty in a product build. */
#include "fault.h"

#ifdef ROAM_FAULTS

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

bool roam__fault(const char *name)
{
    const char *wanted = getenv("ROAM_FAULT");
    return wanted != NULL && strcmp(wanted, name) == 0;
}

/* Written by the loop's thread, and by the store's from SEND on. */
static atomic_int to_fail;
enum {
    TO_FAIL_NEVER,
    TO_FAIL_LOST,
    TO_FAIL_STORED,
    FAILS_LOST, /* a SEND is in the transaction */
    FAILS_STORED
};

void roam__fault_arm(bool stored)
{
    atomic_store(&to_fail, stored ? TO_FAIL_STORED : TO_FAIL_LOST);
}

void roam__fault_send(void)
{
    int now = atomic_load(&to_fail);
    if (now == TO_FAIL_LOST || now == TO_FAIL_STORED) {
        atomic_store(&to_fail, now == TO_FAIL_LOST ? FAILS_LOST : FAILS_STORED);
    }
}

bool roam__fault_commit(bool stored)
{
    return atomic_load(&to_fail) == (stored ? FAILS_STORED : FAILS_LOST);
}

#endif
