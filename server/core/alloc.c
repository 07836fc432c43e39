/* SPDX-License-Identifier: Apache-2.0 */
#include "alloc.h"

#include <stdlib.h>

bool (*roam__alloc_refuse)(void) = NULL;

static bool refused(void)
{
    return roam__alloc_refuse != NULL && roam__alloc_refuse();
}

void *roam__alloc(size_t bytes)
{
    return refused() ? NULL : calloc(1, bytes);
}

void *roam__resize(void *old, size_t bytes)
{
    return refused() ? NULL : realloc(old, bytes);
}
