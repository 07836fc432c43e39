/* SPDX-License-Identifier: Apache-2.0 */
/* See content.h. */
#include "content.h"

#include <inttypes.h>
#include <string.h>

#include "attachment.h"
#include "frame.h"
#include "names.h"
#include "operation.h"
#include "options.h"
#include "roam_limits.h"

static struct roam_slice slice_of(struct roam_bytes b)
{
    struct roam_slice s = {b.data, b.len};
    return s;
}

static struct roam_bytes bytes_of(struct roam_slice s)
{
    struct roam_bytes b = {s.data, s.len};
    return b;
}

static bool is_type(struct roam_bytes type, const char *text)
{
    return type.len == strlen(text) && memcmp(type.data, text, type.len) == 0;
}

static bool read_attachment(const struct roam_content *c,
                            struct roam_attachment *a)
{
    return c->cut_size == 0 && is_type(c->content_type, ROAM_ATTACHMENT_TYPE) &&
           roam_attachment_decode(slice_of(c->body), a);
}

/* A type that is not known has no name of its own. */
static const char *device_type(uint32_t type)
{
    const char *name = roam_device_type_name((enum roam_device_type)type);
    return name ? name : "?";
}

/* ------------------------------------------------------------------- JSON */

static void json_attachment(struct roam_text *t,
                            const struct roam_attachment *a)
{
    char hex[2 * ROAM_SHA256_BYTES + 1];
    for (size_t i = 0; i < ROAM_SHA256_BYTES; i++) {
        static const char digits[] = "0123456789abcdef";
        hex[2 * i] = digits[a->sha256.data[i] >> 4];
        hex[2 * i + 1] = digits[a->sha256.data[i] & 15];
    }
    hex[2 * ROAM_SHA256_BYTES] = '\0';
    roam_text_printf(t, ",\"attachment\":{");
    roam_text_add_json_text(t, "sha256", hex);
    roam_text_add_json_u64(t, "size", a->size);
    roam_text_add_json_bytes(t, "content_type", bytes_of(a->content_type));
    roam_text_add_json_bytes(t, "name", bytes_of(a->name));
    roam_text_add_json_bytes(t, "url", bytes_of(a->url));
    roam_text_add_json_u32(t, "thumbnail_bytes", (uint32_t)a->thumbnail.len);
    roam_text_add(t, "}", 1);
}

static void json_message(struct roam_text *t, const struct roam_content *c)
{
    struct roam_attachment a;
    if (c->recalled) {
        roam_text_add_json_bool(t, "recalled", true);
        return;
    }
    if (read_attachment(c, &a)) {
        json_attachment(t, &a);
        return;
    }
    if (c->content_type.len) {
        roam_text_add_json_bytes(t, "content_type", c->content_type);
    }
    if (c->cut_size) {
        roam_text_add_json_u32(t, "cut_size", c->cut_size);
    }
    roam_text_add_json_bytes(t, "body", c->body);
}

static void json_users(struct roam_text *t, struct roam_user_list users)
{
    struct roam_slice user;
    const char *comma = "";
    if (users.count == 0) {
        return;
    }
    roam_text_printf(t, ",\"users\":[");
    while (roam_user_list_next(&users, &user)) {
        roam_text_printf(t, "%s", comma);
        (void)roam_text_add_json_string(t, bytes_of(user));
        comma = ",";
    }
    roam_text_add(t, "]", 1);
}

static void json_change(struct roam_text *t, const struct roam_operation *op)
{
    roam_text_add_json_text(t, "action", roam_action_name(op->action));
    json_users(t, op->users);
    if (op->name.len) {
        roam_text_add_json_bytes(t, "name", bytes_of(op->name));
    }
    if (op->join) {
        roam_text_add_json_text(t, "join", roam_join_name(op->join));
    }
    if (op->text.len) {
        roam_text_add_json_bytes(t, "text", bytes_of(op->text));
    }
}

static void json_operation(struct roam_text *t, const struct roam_operation *op)
{
    switch (op->kind) {
    case ROAM_KIND_APP:
        json_users(t, op->users);
        roam_text_add_json_bytes(t, "data", bytes_of(op->data));
        break;
    case ROAM_KIND_GROUP:
        json_change(t, op);
        break;
    case ROAM_KIND_DEVICE:
        roam_text_add_json_text(t, "device_type", device_type(op->device_type));
        roam_text_add_json_bytes(t, "device_name", bytes_of(op->name));
        roam_text_add_json_u64(t, "since_ms",
                               op->since_ms + ROAM_EPOCH_UNIX_MS);
        break;
    default:
        roam_text_add_json_u64(t, "target", op->msg_id);
        break;
    }
}

void roam_content_json(struct roam_text *t, const struct roam_content *c)
{
    struct roam_operation op;
    if (roam_operation_decode(c->kind, slice_of(c->body), &op)) {
        json_operation(t, &op);
    } else {
        json_message(t, c);
    }
}

/* ------------------------------------------------------------------- text */

static void say_attachment(struct roam_text *t, const struct roam_attachment *a)
{
    roam_text_printf(t, "[attachment ");
    roam_text_add_visible(t, bytes_of(a->name));
    roam_text_printf(t, "%s", a->name.len ? ", " : "");
    roam_text_add_visible(t, bytes_of(a->content_type));
    roam_text_printf(t, ", %" PRIu64 " bytes: ", a->size);
    roam_text_add_visible(t, bytes_of(a->url));
    roam_text_printf(t, "]");
}

static void say_message(struct roam_text *t, const struct roam_content *c)
{
    struct roam_attachment a;
    if (c->recalled) {
        roam_text_printf(t, "[taken back]");
    } else if (read_attachment(c, &a)) {
        say_attachment(t, &a);
    } else if (c->kind == ROAM_KIND_MESSAGE && c->cut_size == 0 &&
               (c->content_type.len == 0 ||
                (c->content_type.len > 5 &&
                 memcmp(c->content_type.data, "text/", 5) == 0))) {
        roam_text_add_visible(t, c->body);
    } else {
        roam_text_printf(t, "[");
        roam_text_add_visible(t, c->content_type);
        roam_text_printf(t, " %zu bytes%s]",
                         c->cut_size ? c->cut_size : c->body.len,
                         c->cut_size ? ", too long for this device" : "");
    }
}

static void say_users(struct roam_text *t, struct roam_user_list users)
{
    struct roam_slice user;
    const char *comma = " ";
    while (roam_user_list_next(&users, &user)) {
        roam_text_printf(t, "%s", comma);
        roam_text_add_visible(t, bytes_of(user));
        comma = ", ";
    }
}

/* What stands before the users, or alone. */
static const char *const deeds[] = {
    [roam_v1_GroupAction_CREATE] = "made the group",
    [roam_v1_GroupAction_INVITE] = "invited",
    [roam_v1_GroupAction_JOIN] = "joins, or asks to",
    [roam_v1_GroupAction_APPROVE] = "let in",
    [roam_v1_GroupAction_DENY] = "did not let in",
    [roam_v1_GroupAction_LEAVE] = "left",
    [roam_v1_GroupAction_REMOVE] = "removed",
    [roam_v1_GroupAction_RENAME] = "called it",
    [roam_v1_GroupAction_SET_ADMIN] = "made an admin:",
    [roam_v1_GroupAction_UNSET_ADMIN] = "no more an admin:",
    [roam_v1_GroupAction_MUTE] = "muted",
    [roam_v1_GroupAction_UNMUTE] = "lets speak",
    [roam_v1_GroupAction_SET_JOIN] = "changed who may join:",
    [roam_v1_GroupAction_TRANSFER] = "gave it to",
    [roam_v1_GroupAction_DISSOLVE] = "dissolved the group",
};

static void say_change(struct roam_text *t, const struct roam_operation *op)
{
    bool all = op->action == roam_v1_GroupAction_MUTE ||
               op->action == roam_v1_GroupAction_UNMUTE;
    roam_text_printf(t, "%s", deeds[op->action]);
    if (op->name.len) {
        roam_text_printf(t, " \"");
        roam_text_add_visible(t, bytes_of(op->name));
        roam_text_printf(t, "\"");
    }
    bool with = op->action == roam_v1_GroupAction_CREATE && op->users.count > 0;
    roam_text_printf(t, "%s", with ? " with" : "");
    say_users(t, op->users);
    if (all && op->users.count == 0) {
        roam_text_printf(t, " all");
    }
    if (op->action == roam_v1_GroupAction_SET_JOIN) {
        roam_text_printf(t, " %s", roam_join_name(op->join));
    }
    if (op->text.len) {
        roam_text_printf(t, ": ");
        roam_text_add_visible(t, bytes_of(op->text));
    }
}

static void say_operation(struct roam_text *t, const struct roam_operation *op)
{
    switch (op->kind) {
    case ROAM_KIND_RECALL:
        roam_text_printf(t, "took back %" PRIu64, op->msg_id);
        break;
    case ROAM_KIND_DELETE:
        roam_text_printf(t, "deleted %" PRIu64 ", for this user", op->msg_id);
        break;
    case ROAM_KIND_READ:
        roam_text_printf(t, "read up to %" PRIu64, op->msg_id);
        break;
    case ROAM_KIND_APP:
        roam_text_printf(t, "app%s", op->users.count ? " to" : "");
        say_users(t, op->users);
        roam_text_printf(t, ": ");
        roam_text_add_visible(t, bytes_of(op->data));
        break;
    case ROAM_KIND_GROUP:
        say_change(t, op);
        break;
    default:
        roam_text_printf(t, "new device: %s \"", device_type(op->device_type));
        roam_text_add_visible(t, bytes_of(op->name));
        roam_text_printf(t, "\"");
        break;
    }
}

void roam_content_say(struct roam_text *t, const struct roam_content *c)
{
    struct roam_operation op;
    if (roam_operation_decode(c->kind, slice_of(c->body), &op)) {
        roam_text_printf(t, "[");
        say_operation(t, &op);
        roam_text_printf(t, "]");
    } else {
        say_message(t, c);
    }
}
