/* SPDX-License-Identifier: Apache-2.0 */
/* tail: what comes, as it comes, until it is told to stop or a condition on
 * the command line holds. None of these is a time, so that a script which
 * waits for tail never guesses. */
#include "commands.h"
#include "online.h"

/* Does this event fulfil a condition? */
static bool is_enough(const struct roam_options *o,
                      const struct roam_posix_event *event, uint64_t *count)
{
    const struct roam_event *e = &event->u.engine;
    uint64_t cursor = 0;
    if (event->type != ROAM_POSIX_PROTOCOL) {
        return false;
    }
    switch (e->type) {
    case ROAM_EVENT_ENTRY:
        *count += e->u.entry.kind == ROAM_KIND_MESSAGE;
        cursor = e->u.entry.version;
        break;
    case ROAM_EVENT_RESET:
        cursor = e->u.reset.head;
        break;
    case ROAM_EVENT_SYNCED:
        if (o->exit_when_synced) {
            return true;
        }
        cursor = e->u.synced.version;
        break;
    default:
        break;
    }
    return (o->exit_at && cursor >= o->exit_at) ||
           (o->until_count && *count >= o->until_count);
}

enum roam_exit roam_command_tail(const struct roam_options *o)
{
    struct roam_online s;
    struct roam_posix_event e;
    uint64_t count = 0;
    enum roam_exit code = roam_online_open(&s, o, false, 0);
    if (code != ROAM_EXIT_OK) {
        return code;
    }
    while (roam_online_next(&s, false, &e) != ROAM_ONLINE_OVER) {
        if (!s.finishing && is_enough(o, &e, &count)) {
            roam_online_finish(&s, ROAM_EXIT_OK);
        }
    }
    return roam_online_close(&s);
}
