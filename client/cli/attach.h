/* SPDX-License-Identifier: Apache-2.0 */
/* A file becomes the body of a message that describes it. */
#ifndef ROAM_CLI_ATTACH_H
#define ROAM_CLI_ATTACH_H

#include <stddef.h>
#include <stdint.h>

#include "options.h"

/* The longest description without a thumbnail, and room to spare. */
#define ROAM_ATTACH_BODY_MAX 2048u
#define ROAM_ATTACH_ERROR_MAX 512u

/* Reads the file that --attach names, and describes it with --url and
 * --content-type (application/octet-stream).
 *
 * Returns the bytes written to out; 0: see error. */
size_t roam_attach_describe(const struct roam_options *o,
                            uint8_t out[ROAM_ATTACH_BODY_MAX],
                            char error[ROAM_ATTACH_ERROR_MAX]);

#endif
