/* SPDX-License-Identifier: Apache-2.0 */
/* The heap of the server core, with one seam: a test can refuse any single
 * allocation and see what the core makes of it. Memory is given back with
 * free(). */
#ifndef ROAM_ALLOC_H
#define ROAM_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* Asked before every allocation; true: it fails. NULL but in tests. */
extern bool (*roam__alloc_refuse)(void);

/* Zeroed memory; NULL when there is none. */
void *roam__alloc(size_t bytes);

/* As realloc(): on NULL the old block is still there. bytes above 0. */
void *roam__resize(void *old, size_t bytes);

#endif
