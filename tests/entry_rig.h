/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of batches and rows of pages, compared. */
#ifndef ROAM_TEST_ENTRY_RIG_H
#define ROAM_TEST_ENTRY_RIG_H

#include "batch.h"

struct roam_slice rig_text(const char *s);
/* Fails the test at the first field that differs. */
void rig_assert_same_entry(const struct roam_entry *a,
                           const struct roam_entry *b);

#endif
