/* SPDX-License-Identifier: Apache-2.0 */
/* What the driver tells, shown to people or, with --json, to programs.
 *
 * People read messages on standard output, and all else on standard error.
 * Programs read one JSON object a line on standard output:
 *
 *   {"device":"alice/phone","device_name":"Ann's","event":"message",
 *    "version":"7","prev_version":"5","batched":false,"msg_id":"9",
 *    "time_ms":"1","conversation":"bob","sender":"bob","body":"hello"}
 *
 * event is one of connected, logged_in, refused, new_device, reset, holes,
 * filled, message, noop, recall, delete, read, app, group, device, unknown,
 * synced, sent, send_failed, member, group_state, session, done, failed,
 * kicked, disconnected, stats; hole and conversation in what is stored. A
 * body that is not UTF-8 is "body_base64"; numbers of 64 bits are strings.
 * content.h says how operations and attachments look. "unread_open" with a
 * conversation says that history is missing above its mark: "unread" is then
 * what the server counted, or what is known here. */
#ifndef ROAM_CLI_SHOW_H
#define ROAM_CLI_SHOW_H

#include <stdbool.h>

#include "names.h"
#include "options.h"
#include "roam_posix.h"

struct roam_show {
    const struct roam_options *options; /* kept */
    const char *device_name;            /* kept; may be NULL */
    bool quiet; /* only what goes wrong is shown to people */
};

/* Shows one event. Ends the program with EXIT_FAILED when standard output
 * cannot be written. */
void roam_show_event(const struct roam_show *out,
                     const struct roam_posix_event *event);
void roam_show_stats(const struct roam_show *out,
                     const struct roam_posix_stats *stats);

/* Shows a row of the history. */
void roam_show_row(const struct roam_show *out,
                   const struct roam_local_row *row);

/* Shows a row of the list of conversations. */
void roam_show_conversation(const struct roam_show *out,
                            const struct roam_local_row *row);

#endif
