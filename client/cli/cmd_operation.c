/* SPDX-License-Identifier: Apache-2.0 */
/* recall, delete, read, app: one operation, sent like a message. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "operation.h"
#include "roam_limits.h"
#include "submit.h"

static struct roam_slice slice_of(const char *text)
{
    struct roam_slice s = {(const uint8_t *)text, strlen(text)};
    return s;
}

static enum roam_exit complain(const char *text, const char *what)
{
    fprintf(stderr, "roam: %s: %s\n", text, what);
    return ROAM_EXIT_USAGE;
}

static enum roam_exit submit(const struct roam_options *o,
                             const struct roam_operation *op)
{
    static uint8_t body[ROAM_POSIX_BODY_MAX];
    struct roam_slice users[ROAM_APP_USERS_MAX];
    struct roam_operation check;
    for (size_t i = 0; i < o->to_count; i++) {
        users[i] = slice_of(o->to[i]);
    }
    size_t len =
        roam_operation_encode(op, users, o->to_count, body, sizeof body);
    struct roam_slice encoded = {body, len};
    if (len == 0 || !roam_operation_decode(op->kind, encoded, &check)) {
        return complain("an argument is empty, too long or not UTF-8",
                        o->arguments[o->argument_count - 1]);
    }
    const struct roam_submission what = {
        .kind = (enum roam_kind)op->kind,
        .conversation = roam_bytes_of(o->arguments[0]),
        .body = {body, len},
    };
    return roam_submit_alone(o, &what);
}

enum roam_exit roam_command_operation(const struct roam_options *o)
{
    struct roam_operation op;
    memset(&op, 0, sizeof op);
    if (o->command == ROAM_COMMAND_APP) {
        op.kind = ROAM_KIND_APP;
        op.data = slice_of(o->argument_count > 1 ? o->arguments[1] : "");
        return submit(o, &op);
    }
    op.kind = o->command == ROAM_COMMAND_RECALL   ? ROAM_KIND_RECALL
              : o->command == ROAM_COMMAND_DELETE ? ROAM_KIND_DELETE
                                                  : ROAM_KIND_READ;
    if (!roam_number_parse(o->arguments[1], ROAM_VERSION_MAX, &op.msg_id)) {
        return complain("MSG_ID is a number, as history --ids shows it",
                        o->arguments[1]);
    }
    return submit(o, &op);
}
