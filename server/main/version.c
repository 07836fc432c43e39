/* SPDX-License-Identifier: Apache-2.0 */
/* Client and server are released together: one number for both. */
#include "../../client/include/roam.h"
#include "commands.h"

const char roamd_version[] = ROAM_VERSION_STRING;
