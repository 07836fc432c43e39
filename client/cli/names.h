/* SPDX-License-Identifier: Apache-2.0 */
/* Values on the wire as words; "?" for one that Roam 1 does not have. */
#ifndef ROAM_CLI_NAMES_H
#define ROAM_CLI_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "roam.h"

const char *roam_kick_name(enum roam_kick reason); /* "TAKEN_OVER"... */
const char *roam_refused_name(enum roam_refused reason);
/* What a person can do about it, a line without an end. */
const char *roam_refused_advice(enum roam_refused reason);
const char *roam_retry_name(enum roam_retry retry);
const char *roam_reset_name(enum roam_reset reason);
/* Of a roam_v1_ErrorCode that answers a command; "EXPIRED" for 0. */
const char *roam_send_error_name(uint32_t code);
const char *roam_role_name(enum roam_role role); /* "none", "owner"... */
const char *roam_join_name(uint32_t join);       /* "open"... */
bool roam_join_parse(const char *text, uint32_t *join);
const char *roam_action_name(uint32_t action); /* "CREATE"... */
/* The JSON event of an entry: "message", "recall"..., "unknown". */
const char *roam_kind_event(uint32_t kind);

#endif
