/* SPDX-License-Identifier: Apache-2.0 */
/* login and logout. */
#include <stdio.h>

#include "commands.h"
#include "online.h"

#define TIMEOUT_S 30u

static bool is_engine_event(const struct roam_posix_event *e,
                            enum roam_event_type type)
{
    return e->type == ROAM_POSIX_PROTOCOL && e->u.engine.type == type;
}

/* Remembers how, once it worked: with --from-now, once the device has its
 * cursor, so that the next command does not get the backlog after all. */
enum roam_exit roam_command_login(const struct roam_options *o)
{
    struct roam_online s;
    struct roam_posix_event e;
    char error[ROAM_PROFILE_ERROR_MAX];
    enum roam_exit code = roam_online_open(&s, o, false, TIMEOUT_S);
    if (code != ROAM_EXIT_OK) {
        return code;
    }
    while (roam_online_next(&s, false, &e) != ROAM_ONLINE_OVER) {
        if (!is_engine_event(&e, o->from_now ? ROAM_EVENT_SYNCED
                                             : ROAM_EVENT_LOGGED_IN)) {
            continue;
        }
        if (roam_profile_save(&s.profile, error)) {
            roam_online_finish(&s, ROAM_EXIT_OK);
        } else {
            fprintf(stderr, "roam: %s\n", error);
            roam_online_finish(&s, ROAM_EXIT_FAILED);
        }
    }
    return roam_online_close(&s);
}

enum roam_exit roam_command_logout(const struct roam_options *o)
{
    struct roam_online s;
    struct roam_posix_event e;
    enum roam_exit code = roam_online_open(&s, o, true, TIMEOUT_S);
    if (code != ROAM_EXIT_OK) {
        return code;
    }
    while (roam_online_next(&s, false, &e) != ROAM_ONLINE_OVER) {
        if (is_engine_event(&e, ROAM_EVENT_LOGGED_IN)) {
            (void)roam_posix_logout(s.posix);
        } else if (is_engine_event(&e, ROAM_EVENT_KICKED) &&
                   e.u.engine.u.kicked.reason == ROAM_KICK_LOGGED_OUT) {
            s.finishing = true;
            s.exit_code = ROAM_EXIT_OK;
        }
    }
    return roam_online_close(&s);
}
