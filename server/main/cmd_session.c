/* SPDX-License-Identifier: Apache-2.0 */
/* roamd session list, session end: where a user is logged in, for an operator
 * who is asked to end it. A server that runs on the same directory ends the
 * session as it does when a token is revoked. */
#include "commands.h"

#include <string.h>

#include "../store/store_sqlite.h"

static int end_session(const char *dir, const char *user, const char *device)
{
    char path[ROAMD_PATH_MAX];
    char error[ROAMD_ERROR_MAX];

    if (!roamd_is_home(dir) || !roamd_path(path, dir, ROAMD_STORE_FILE)) {
        return ROAMD_FAILED;
    }
    struct roam_admin *admin =
        roam_admin_open(path, false, error, sizeof(error));
    bool ok = admin != NULL &&
              roam_admin_end_session(admin, user, device, error, sizeof(error));
    roam_admin_close(admin);
    return ok ? ROAMD_OK : roamd_failed("session end: %s", error);
}

int roamd_session(const char *dir, int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "list") == 0) {
        return roamd_session_list(dir, argv[2]);
    }
    if (argc == 4 && strcmp(argv[1], "end") == 0) {
        return end_session(dir, argv[2], argv[3]);
    }
    return roamd_misused("it is `session list USER` or"
                         " `session end USER DEVICE`");
}
