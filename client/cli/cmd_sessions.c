/* SPDX-License-Identifier: Apache-2.0 */
/* sessions: where this user is logged in; and the end of one of them. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "roam_limits.h"
#include "submit.h"

struct target {
    enum roam_device_type device_type;
    uint64_t generation;
};

static bool parse_target(const struct roam_options *o, struct target *t)
{
    return o->argument_count == 3 && strcmp(o->arguments[0], "end") == 0 &&
           roam_device_type_parse(o->arguments[1], &t->device_type) &&
           roam_number_parse(o->arguments[2], ROAM_VERSION_MAX, &t->generation);
}

enum roam_exit roam_command_sessions(const struct roam_options *o)
{
    struct roam_online s;
    struct target t;
    bool ends = o->argument_count > 0;
    if (ends && !parse_target(o, &t)) {
        fputs("roam: sessions end TYPE GENERATION, as sessions lists them\n",
              stderr);
        return ROAM_EXIT_USAGE;
    }
    enum roam_exit code = roam_online_open(&s, o, true, ROAM_SUBMIT_TIMEOUT_S);
    if (code != ROAM_EXIT_OK) {
        return code;
    }
    (void)(ends ? roam_posix_end_session(s.posix, t.device_type, t.generation)
                : roam_posix_sessions(s.posix));
    (void)roam_await_answer(&s);
    return roam_online_close(&s);
}
