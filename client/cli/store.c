/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the store for the commands that only look. */
#include "store.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct roam_local *roam_open_store(const struct roam_options *o,
                                   struct roam_profile *profile)
{
    char error[ROAM_POSIX_DETAIL_MAX];
    struct roam_local *store = NULL;
    if (!roam_profile_load(profile, o, error)) {
        fprintf(stderr, "roam: %s\n", error);
        return NULL;
    }
    if (access(profile->store, F_OK) != 0 && errno == ENOENT) {
        fprintf(stderr,
                "roam: %s: nothing is stored yet; `roam login` is"
                " first\n",
                profile->directory);
        return NULL;
    }
    enum roam_posix_status status =
        roam_local_open(profile->store, o->user, o->device_type,
                        ROAM_LOCAL_READ, &store, error);
    if (status != ROAM_POSIX_STATUS_OK) {
        fprintf(stderr, "roam: %s: %s\n", roam_posix_status_text(status),
                error);
    }
    return store;
}
