/* SPDX-License-Identifier: Apache-2.0 */
/* See operation.h. The tables are section 4.3 of the spec; which field goes
 * with which action of a group is a table of its own. */
#include "operation.h"

#include <string.h>

#include "fields.h"
#include "put.h"
#include "roam_limits.h"

#define ANY UINT32_MAX
#define COUNT(rules) (sizeof(rules) / sizeof(rules)[0])

/* Field numbers, as in proto/roam.proto. */
enum {
    TARGET_MSG_ID = 1,
    APP_USERS = 1,
    APP_DATA = 2,
    CHANGE_ACTION = 1,
    CHANGE_USERS = 2,
    CHANGE_NAME = 3,
    CHANGE_JOIN = 4,
    CHANGE_TEXT = 5,
    DEVICE_TYPE = 1,
    DEVICE_NAME = 2,
    DEVICE_SINCE = 3
};

/* The first member, the frame type, says nothing here. */
static const struct roam__field_rule target_rules[] = {
    {0, TARGET_MSG_ID, ROAM__VERSION, 1, 0},
};
static const struct roam__field_rule app_rules[] = {
    {0, APP_USERS, ROAM__TEXTS, 0, ROAM_APP_USERS_MAX},
    {0, APP_DATA, ROAM__BYTES, 1, ANY},
};
static const struct roam__field_rule change_rules[] = {
    {0, CHANGE_ACTION, ROAM__UINT32, roam_v1_GroupAction_CREATE,
     roam_v1_GroupAction_DISSOLVE},
    {0, CHANGE_USERS, ROAM__TEXTS, 0, ROAM_CHANGE_USERS_MAX},
    {0, CHANGE_NAME, ROAM__TEXT, 0, ROAM_NAME_MAX},
    {0, CHANGE_JOIN, ROAM__UINT32, 0, roam_v1_JoinMode_JOIN_CLOSED},
    {0, CHANGE_TEXT, ROAM__TEXT, 0, ROAM_JOIN_TEXT_MAX},
};
static const struct roam__field_rule device_rules[] = {
    {0, DEVICE_TYPE, ROAM__UINT32, roam_v1_DeviceType_PHONE,
     roam_v1_DeviceType_EMBEDDED},
    {0, DEVICE_NAME, ROAM__TEXT, 0, ROAM_DEVICE_NAME_MAX},
    {0, DEVICE_SINCE, ROAM__VERSION, 0, 0},
};

/* What each action of a group names. */
struct action_form {
    uint32_t users_min, users_max;
    bool needs_name, may_have_name;
    bool needs_join, may_have_text;
};

static const struct action_form action_forms[] = {
    [roam_v1_GroupAction_CREATE] = {0, ROAM_CHANGE_USERS_MAX, false, true, true,
                                    false},
    [roam_v1_GroupAction_INVITE] = {1, ROAM_CHANGE_USERS_MAX, false, false,
                                    false, false},
    [roam_v1_GroupAction_JOIN] = {0, 0, false, false, false, true},
    [roam_v1_GroupAction_APPROVE] = {1, 1, false, false, false, false},
    [roam_v1_GroupAction_DENY] = {1, 1, false, false, false, false},
    [roam_v1_GroupAction_LEAVE] = {0, 0, false, false, false, false},
    [roam_v1_GroupAction_REMOVE] = {1, 1, false, false, false, false},
    [roam_v1_GroupAction_RENAME] = {0, 0, true, true, false, false},
    [roam_v1_GroupAction_SET_ADMIN] = {1, 1, false, false, false, false},
    [roam_v1_GroupAction_UNSET_ADMIN] = {1, 1, false, false, false, false},
    [roam_v1_GroupAction_MUTE] = {0, 1, false, false, false, false},
    [roam_v1_GroupAction_UNMUTE] = {0, 1, false, false, false, false},
    [roam_v1_GroupAction_SET_JOIN] = {0, 0, false, false, true, false},
    [roam_v1_GroupAction_TRANSFER] = {1, 1, false, false, false, false},
    [roam_v1_GroupAction_DISSOLVE] = {0, 0, false, false, false, false},
};

bool roam_kind_is_operation(uint32_t kind)
{
    return kind >= roam_v1_Kind_RECALL && kind <= roam_v1_Kind_DEVICE;
}

static bool read_fields(const struct roam__field_rule *rules, size_t count,
                        struct roam_slice body, struct roam__field *values)
{
    struct roam__found found;
    memset(&found, 0, sizeof found);
    found.values = values;
    return roam__fields_check(rules, count, body, &found) ==
           roam_v1_ErrorCode_ERROR_UNSPECIFIED;
}

static bool decode_app(struct roam_slice body, struct roam__field *v,
                       struct roam_operation *op)
{
    if (!read_fields(app_rules, COUNT(app_rules), body, v)) {
        return false;
    }
    op->data = v[APP_DATA].bytes;
    op->users.rest = body;
    op->users.number = APP_USERS;
    op->users.count = (uint32_t)v[APP_USERS].value;
    return true;
}

/* Fields that the action does not use would be a second meaning. */
static bool change_is_good(const struct roam_operation *op)
{
    const struct action_form *form = &action_forms[op->action];
    bool named = op->name.len != 0;
    return op->users.count >= form->users_min &&
           op->users.count <= form->users_max &&
           (named ? form->may_have_name : !form->needs_name) &&
           (op->join != 0) == form->needs_join &&
           (op->text.len == 0 || form->may_have_text);
}

static bool decode_change(struct roam_slice body, struct roam__field *v,
                          struct roam_operation *op)
{
    if (!read_fields(change_rules, COUNT(change_rules), body, v)) {
        return false;
    }
    op->action = (uint32_t)v[CHANGE_ACTION].value;
    op->users.rest = body;
    op->users.number = CHANGE_USERS;
    op->users.count = (uint32_t)v[CHANGE_USERS].value;
    op->name = v[CHANGE_NAME].bytes;
    op->join = (uint32_t)v[CHANGE_JOIN].value;
    op->text = v[CHANGE_TEXT].bytes;
    return change_is_good(op);
}

static bool decode_device(struct roam_slice body, struct roam__field *v,
                          struct roam_operation *op)
{
    if (!read_fields(device_rules, COUNT(device_rules), body, v)) {
        return false;
    }
    op->device_type = (uint32_t)v[DEVICE_TYPE].value;
    op->name = v[DEVICE_NAME].bytes;
    op->since_ms = v[DEVICE_SINCE].value;
    return true;
}

bool roam_operation_decode(uint32_t kind, struct roam_slice body,
                           struct roam_operation *op)
{
    struct roam__field values[ROAM__INNER_FIELD_MAX + 1];
    memset(values, 0, sizeof values);
    memset(op, 0, sizeof *op);
    op->kind = kind;
    switch (kind) {
    case roam_v1_Kind_RECALL:
    case roam_v1_Kind_DELETE:
    case roam_v1_Kind_READ:
        if (!read_fields(target_rules, COUNT(target_rules), body, values)) {
            return false;
        }
        op->msg_id = values[TARGET_MSG_ID].value;
        return true;
    case roam_v1_Kind_APP:
        return decode_app(body, values, op);
    case roam_v1_Kind_GROUP:
        return decode_change(body, values, op);
    case roam_v1_Kind_DEVICE:
        return decode_device(body, values, op);
    default:
        return false;
    }
}

bool roam_user_list_next(struct roam_user_list *users, struct roam_slice *user)
{
    struct roam__field f;
    while (users->rest.len != 0 && roam__wire_field(&users->rest, &f)) {
        if (f.type == ROAM__WIRE_BYTES && f.number == users->number) {
            *user = f.bytes;
            return true;
        }
    }
    return false;
}

/* --------------------------------------------------------------- encoding */

static void put_users(struct roam__put *p, uint32_t number,
                      const struct roam_slice *users, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        roam__put_element(p, number, users[i]);
    }
}

size_t roam_operation_encode(const struct roam_operation *op,
                             const struct roam_slice *users, size_t count,
                             uint8_t *out, size_t cap)
{
    struct roam__put p = {out, cap, 0, false};
    switch (op->kind) {
    case roam_v1_Kind_RECALL:
    case roam_v1_Kind_DELETE:
    case roam_v1_Kind_READ:
        roam__put_number(&p, TARGET_MSG_ID, op->msg_id);
        break;
    case roam_v1_Kind_APP:
        put_users(&p, APP_USERS, users, count);
        roam__put_bytes(&p, APP_DATA, op->data);
        break;
    case roam_v1_Kind_GROUP:
        roam__put_number(&p, CHANGE_ACTION, op->action);
        put_users(&p, CHANGE_USERS, users, count);
        roam__put_bytes(&p, CHANGE_NAME, op->name);
        roam__put_number(&p, CHANGE_JOIN, op->join);
        roam__put_bytes(&p, CHANGE_TEXT, op->text);
        break;
    case roam_v1_Kind_DEVICE:
        roam__put_number(&p, DEVICE_TYPE, op->device_type);
        roam__put_bytes(&p, DEVICE_NAME, op->name);
        roam__put_number(&p, DEVICE_SINCE, op->since_ms);
        break;
    default:
        return 0;
    }
    return p.full ? 0 : p.len;
}
