/* SPDX-License-Identifier: Apache-2.0 */
/* What a device remembers between commands: where the server is, whom to
 * trust, and the token. It lives in the state directory, beside the message
 * store:
 *
 *   DIR/profile     name=value lines: server, ca, plain, device-name
 *   DIR/token       the token, mode 0600
 *   DIR/messages.db the store
 *
 * What the command line says goes before what is remembered. */
#ifndef ROAM_CLI_PROFILE_H
#define ROAM_CLI_PROFILE_H

#include <stdbool.h>

#include "options.h"

#define ROAM_PROFILE_PATH_MAX 4096u
#define ROAM_PROFILE_LINE_MAX 4096u
#define ROAM_PROFILE_ERROR_MAX 256u

struct roam_profile {
    char directory[ROAM_PROFILE_PATH_MAX];
    char store[ROAM_PROFILE_PATH_MAX];
    char server[512];               /* HOST:PORT; empty: not known */
    char ca[ROAM_PROFILE_PATH_MAX]; /* empty: the system's */
    bool plain;
    char device_name[65];
    char token[129]; /* empty: not known */
};

/* Finds the directory and reads what is there; a missing file is empty.
 *
 * error  ROAM_PROFILE_ERROR_MAX bytes; what is wrong, when false. */
bool roam_profile_load(struct roam_profile *p, const struct roam_options *o,
                       char *error);

/* Makes the directory (mode 0700) if it is missing. False: see error. */
bool roam_profile_make_directory(const struct roam_profile *p, char *error);

/* Writes profile and token, each whole or not at all. False: see error. */
bool roam_profile_save(const struct roam_profile *p, char *error);

/* NAME-TYPE as a file name: bytes other than letters, digits, and . _ - @ +
 * become %XX, and so does a dot in front. out holds 3 * 64 + 16 bytes. */
void roam_profile_directory_name(const struct roam_options *o, char *out);

#endif
