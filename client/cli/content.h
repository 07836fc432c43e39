/* SPDX-License-Identifier: Apache-2.0 */
/* What a message or an operation says, for people and for programs.
 *
 * JSON has these members, beside those of its event:
 *
 *   message          content_type, cut_size, body; or "recalled":true; or
 *                    "attachment":{"sha256","size","content_type","name",
 *                    "url","thumbnail_bytes"}
 *   recall, delete,  "target":"MSG_ID"
 *   read
 *   app              "users":["carol"], data
 *   group            "action":"INVITE", and users, name, join, text
 *   device           device_type, device_name, since_ms
 *
 * An operation whose body is broken has body alone. */
#ifndef ROAM_CLI_CONTENT_H
#define ROAM_CLI_CONTENT_H

#include "roam.h"
#include "text.h"

struct roam_content {
    uint32_t kind;
    bool recalled;
    struct roam_bytes content_type, body;
    uint32_t cut_size;
};

void roam_content_json(struct roam_text *t, const struct roam_content *c);

/* Text of type text/..., or without a type, is shown; the rest is named, in
 * brackets. */
void roam_content_say(struct roam_text *t, const struct roam_content *c);

#endif
