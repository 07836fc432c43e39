/* SPDX-License-Identifier: Apache-2.0 */
/* The store of a device, opened for reading. */
#ifndef ROAM_CLI_STORE_H
#define ROAM_CLI_STORE_H

#include "options.h"
#include "profile.h"
#include "roam_local.h"

/* Loads the profile and opens the store that it names.
 *
 * NULL: said on standard error already. */
struct roam_local *roam_open_store(const struct roam_options *o,
                                   struct roam_profile *profile);

#endif
