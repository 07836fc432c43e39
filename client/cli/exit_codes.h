/* SPDX-License-Identifier: Apache-2.0 */
/* How the program ends; `roam --help` tells the same. */
#ifndef ROAM_CLI_EXIT_CODES_H
#define ROAM_CLI_EXIT_CODES_H

enum roam_exit {
    ROAM_EXIT_OK = 0,
    ROAM_EXIT_FAILED = 1,  /* network, store, time limit, or the server
                              did not take the message */
    ROAM_EXIT_USAGE = 2,   /* the command line or the configuration */
    ROAM_EXIT_REFUSED = 3, /* the server refused the login */
    ROAM_EXIT_KICKED = 4   /* another device has the slot now */
};

#endif
