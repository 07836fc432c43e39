/* SPDX-License-Identifier: Apache-2.0 */
/* Each connection is a descriptor, and the server needs some of its own. */
#include "run.h"

#include <sys/resource.h>

/* The store's connections, sockets that listen, those that linger, ... */
#define OWN_FILES 64

/* As many as the hard limit allows: what lingers is not counted. */
void roamd_run_raise_files(struct roamd_run *r)
{
    rlim_t wanted = (rlim_t)r->config.core.max_sessions + OWN_FILES;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
        return;
    }
    roamd_run_log(r, 1,
                  "file-limit files=%llu needed=%llu max_sessions=%u"
                  " detail=\"more connections than that wait until others"
                  " have ended; raise the hard limit of descriptors\"",
                  (unsigned long long)limit.rlim_cur,
                  (unsigned long long)wanted, r->config.core.max_sessions);
}
