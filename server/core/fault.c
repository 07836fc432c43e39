/* SPDX-License-Identifier: Apache-2.0 */
/* The switch behind ROAM_FAULT(); empty in a product build. */
#include "fault.h"

#ifdef ROAM_FAULTS

#include <stdlib.h>
#include <string.h>

bool roam__fault(const char *name)
{
    const char *wanted = getenv("ROAM_FAULT");
    return wanted != NULL && strcmp(wanted, name) == 0;
}

#endif
