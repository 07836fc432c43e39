/* SPDX-License-Identifier: Apache-2.0 */
/* One run of a command that talks to the server: driver, output, time limit,
 * and what to do when the slot is somebody else's.
 *
 * A refusal asks for a person. --take-over is a person's act, good for one
 * login; without it the person is asked, if there is a terminal; otherwise
 * the command ends with EXIT_REFUSED or EXIT_KICKED. */
#ifndef ROAM_CLI_ONLINE_H
#define ROAM_CLI_ONLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "exit_codes.h"
#include "options.h"
#include "show.h"
#include "profile.h"
#include "roam_posix.h"

enum roam_online_what {
    ROAM_ONLINE_EVENT, /* *event was shown already */
    ROAM_ONLINE_INPUT, /* standard input is readable, or at its end */
    ROAM_ONLINE_OVER   /* nothing more comes; see exit_code */
};

struct roam_online {
    const struct roam_options *options; /* kept */
    struct roam_profile profile;
    struct roam_show show;
    struct roam_posix *posix;
    char host_port[512];
    bool may_take_over;   /* --take-over, not used up yet */
    bool fill_holes;      /* fetch missing history in the background */
    bool finishing;       /* the command ends the connection itself */
    bool has_connected;   /* to a server that is trusted */
    uint64_t deadline_ms; /* UINT64_MAX: none */
    enum roam_exit exit_code;
};

/* Loads the profile, opens the driver and begins to connect.
 *
 * timeout_s  time limit unless the options name one; 0: none.
 *
 * Anything but EXIT_OK: said on standard error already, nothing is open. */
enum roam_exit roam_online_open(struct roam_online *s,
                                const struct roam_options *options, bool quiet,
                                uint64_t timeout_s);

/* Waits for what comes next.
 *
 * want_input  look at standard input, too. */
enum roam_online_what roam_online_next(struct roam_online *s, bool want_input,
                                       struct roam_posix_event *event);

/* Ends the connection; OVER follows, with this exit code. */
void roam_online_finish(struct roam_online *s, enum roam_exit exit_code);

/* Shows the figures, if asked for, closes everything, and returns the exit
 * code. */
enum roam_exit roam_online_close(struct roam_online *s);

#endif
