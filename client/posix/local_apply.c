/* SPDX-License-Identifier: Apache-2.0 */
/* What entries do to the local store: rows of history, and what operations
 * change in them and beside them.
 *
 * The outcome is the same whatever the order in which the chain, pages and
 * answers bring things:
 *   - a RECALL or DELETE and its target meet whichever comes second, for both
 *     are rows;
 *   - READ only raises the mark;
 *   - the role is that behind the newest row that tells of it. Rows of a
 *     conversation have rising msg_ids, and one of CONVERSATIONS tells the
 *     role behind its row: so msg_ids say which is newer, also where no
 *     version is known. [OP-6] [OP-7]
 *   - mark and role of a row of CONVERSATIONS are those at that moment: no
 *     page is older than what was applied before it came. [HIST-6] [OP-14]
 *
 * A JOIN of this user's is an application in one kind of group and makes a
 * member at once in another, and does not say which. It is taken for an
 * application until something comes that only a member gets, and a hole of
 * the size of its row asks whether the row is there for this user to see. */
#include <string.h>

#include "frame.h"
#include "local_sqlite.h"
#include "operation.h"
#include "roam_limits.h"

#define OK ROAM_POSIX_STATUS_OK

/* --------------------------------------------------------------- the row */

static struct roam_slice slice_of(struct roam_bytes b)
{
    struct roam_slice s = {b.data, b.len};
    return s;
}

static void bind_entry(sqlite3_stmt *s, const struct roam_entry_event *e)
{
    roam__local_bind_text(s, 1, e->conversation);
    roam__local_bind_u64(s, 2, e->msg_id);
    roam__local_bind_u64(s, 3, e->version);
    roam__local_bind_text(s, 4, e->sender);
    roam__local_bind_text(s, 5, e->content_type);
    roam__local_bind_blob(s, 6, e->body);
    sqlite3_bind_int64(s, 7, e->cut_size);
    sqlite3_bind_int64(s, 9, e->kind);
}

enum roam_posix_status roam__local_keep_unknown(
    struct roam_local *l, const struct roam_entry_event *e)
{
    sqlite3_stmt *s = roam__local_statement(l, SQL_UNKNOWN_ADD);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    bind_entry(s, e);
    return roam__local_finish(l, s);
}

static enum roam_posix_status add_row(struct roam_local *l,
                                      const struct roam_entry_event *e,
                                      enum roam__local_way way, uint64_t target)
{
    sqlite3_stmt *s = roam__local_statement(l, SQL_ROW_ADD);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    bind_entry(s, e);
    if (way == WAY_ANSWER) {
        sqlite3_bind_null(s, 3);
    }
    if (e->client_msg_id) {
        roam__local_bind_u64(s, 8, e->client_msg_id);
    }
    if (target) {
        roam__local_bind_u64(s, 10, target);
    }
    sqlite3_bind_int(s, 11, e->recalled);
    return roam__local_finish(l, s);
}

/* Lets a row have what is known to have happened to it. */
static enum roam_posix_status settle_row(struct roam_local *l,
                                         struct roam_bytes conversation,
                                         uint64_t msg_id, bool recalled)
{
    sqlite3_stmt *s = roam__local_statement(l, SQL_ROW_RECALLED);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    roam__local_bind_text(s, 1, conversation);
    roam__local_bind_u64(s, 2, msg_id);
    sqlite3_bind_int(s, 3, recalled);
    enum roam_posix_status status = roam__local_finish(l, s);
    return status == OK
               ? roam__local_run_at(l, SQL_ROW_DELETED, conversation, msg_id)
               : status;
}

static enum roam_posix_status take_row(struct roam_local *l,
                                       const struct roam_entry_event *e,
                                       enum roam__local_way way,
                                       const struct roam_operation *op)
{
    bool aims = op->kind == ROAM_KIND_RECALL || op->kind == ROAM_KIND_DELETE;
    enum roam_posix_status status =
        way == WAY_CHAIN ? roam__local_arrived(l, e) : OK;
    if (status == OK) {
        status = add_row(l, e, way, aims ? op->msg_id : 0);
    }
    if (status == OK) {
        status = settle_row(l, e->conversation, e->msg_id, e->recalled);
    }
    return status == OK && aims
               ? settle_row(l, e->conversation, op->msg_id, false)
               : status;
}

/* ------------------------------------------------------------------ names */

static enum roam_posix_status put_name(struct roam_local *l,
                                       struct roam_bytes id,
                                       struct roam_bytes name)
{
    sqlite3_stmt *s =
        roam__local_statement(l, name.len ? SQL_NAME_PUT : SQL_NAME_DROP);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    roam__local_bind_text(s, 1, id);
    if (name.len) {
        roam__local_bind_text(s, 2, name);
    }
    return roam__local_finish(l, s);
}

/* As they were when the entry was sent: the last to come is right. */
static enum roam_posix_status take_names(struct roam_local *l,
                                         const struct roam_entry_event *e)
{
    enum roam_posix_status status =
        put_name(l, e->conversation, e->conversation_name);
    return status == OK ? put_name(l, e->sender, e->sender_name) : status;
}

/* ------------------------------------------------------------------- role */

static bool is_me(const struct roam_local *l, const uint8_t *data, size_t len)
{
    return len == strlen(l->device.user) &&
           memcmp(data, l->device.user, len) == 0;
}

static bool names_me(const struct roam_local *l,
                     const struct roam_operation *op)
{
    struct roam_user_list users = op->users;
    struct roam_slice user;
    while (roam_user_list_next(&users, &user)) {
        if (is_me(l, user.data, user.len)) {
            return true;
        }
    }
    return false;
}

/* What a change of a group says of this user. */
struct say {
    bool by_me, of_me; /* sent by them; they are named */
    bool seen;         /* it is a row that they may see */
};

/* The role behind a change; false: it says nothing of this user's. */
static bool role_behind(uint32_t action, const struct say *say,
                        enum roam_role *role)
{
    enum roam_role least = ROAM_ROLE_NONE;
    switch (action) {
    case roam_v1_GroupAction_CREATE:
        least = say->by_me   ? ROAM_ROLE_OWNER
                : say->of_me ? ROAM_ROLE_MEMBER
                             : ROAM_ROLE_NONE;
        break;
    case roam_v1_GroupAction_INVITE:
    case roam_v1_GroupAction_APPROVE:
        least = say->of_me ? ROAM_ROLE_MEMBER : ROAM_ROLE_NONE;
        break;
    case roam_v1_GroupAction_JOIN:
        least = !say->by_me ? ROAM_ROLE_NONE
                : say->seen ? ROAM_ROLE_MEMBER
                            : ROAM_ROLE_APPLICANT;
        break;
    case roam_v1_GroupAction_LEAVE:
        *role = say->by_me ? ROAM_ROLE_NONE : *role;
        return say->by_me;
    case roam_v1_GroupAction_DENY:
    case roam_v1_GroupAction_REMOVE:
        *role = say->of_me ? ROAM_ROLE_NONE : *role;
        return say->of_me;
    case roam_v1_GroupAction_SET_ADMIN:
        *role = say->of_me ? ROAM_ROLE_ADMIN : *role;
        return say->of_me;
    case roam_v1_GroupAction_UNSET_ADMIN:
        *role = say->of_me ? ROAM_ROLE_MEMBER : *role;
        return say->of_me;
    case roam_v1_GroupAction_TRANSFER:
        *role = say->of_me   ? ROAM_ROLE_OWNER
                : say->by_me ? ROAM_ROLE_ADMIN
                             : *role;
        return say->of_me || say->by_me;
    case roam_v1_GroupAction_DISSOLVE:
        *role = ROAM_ROLE_NONE;
        return true;
    default:
        break;
    }
    *role = *role < least ? least : *role;
    return least != ROAM_ROLE_NONE;
}

static enum roam_posix_status get_role(struct roam_local *l,
                                       struct roam_bytes conversation,
                                       enum roam_role *role, uint64_t *at)
{
    sqlite3_stmt *s = roam__local_statement(l, SQL_ROLE_GET);
    *role = ROAM_ROLE_NONE;
    *at = 0;
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    roam__local_bind_text(s, 1, conversation);
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        *role = (enum roam_role)sqlite3_column_int(s, 0);
        *at = roam__local_u64(s, 1);
    }
    enum roam_posix_status status =
        rc == SQLITE_ROW || rc == SQLITE_DONE ? OK : roam__local_failed(l);
    sqlite3_reset(s);
    return status;
}

static enum roam_posix_status put_role(struct roam_local *l,
                                       struct roam_bytes conversation,
                                       enum roam_role role, uint64_t at)
{
    sqlite3_stmt *s = roam__local_statement(l, SQL_ROLE_PUT);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    roam__local_bind_text(s, 1, conversation);
    roam__local_bind_u64(s, 2, at);
    sqlite3_bind_int(s, 3, (int)role);
    return roam__local_finish(l, s);
}

/* What a row of a group, change or not, says of this user's role. */
static enum roam_posix_status take_role(struct roam_local *l,
                                        const struct roam_entry_event *e,
                                        const struct roam_operation *op,
                                        const struct say *say)
{
    enum roam_role role;
    uint64_t at;
    enum roam_posix_status status = get_role(l, e->conversation, &role, &at);
    bool newer = e->msg_id > at || (say->seen && e->msg_id == at);
    if (status != OK || !newer) {
        return status;
    }
    bool applies = op->action == roam_v1_GroupAction_JOIN ||
                   op->action == roam_v1_GroupAction_DENY;
    bool told = role_behind(op->action, say, &role);
    if (!told && role == ROAM_ROLE_APPLICANT && !applies) {
        role = ROAM_ROLE_MEMBER; /* nobody else would get it */
        told = true;
    }
    return told ? put_role(l, e->conversation, role, e->msg_id) : OK;
}

static bool is_group(struct roam_bytes conversation)
{
    return conversation.len > 1 && conversation.data[0] == '#';
}

static enum roam_posix_status take_group_row(struct roam_local *l,
                                             const struct roam_entry_event *e,
                                             enum roam__local_way way,
                                             const struct roam_operation *op)
{
    const struct say say = {
        .by_me = is_me(l, e->sender.data, e->sender.len),
        .of_me = op->kind == ROAM_KIND_GROUP && names_me(l, op),
        .seen = way == WAY_PAGE,
    };
    enum roam_posix_status status = take_role(l, e, op, &say);
    if (status != OK) {
        return status;
    }
    if (op->action == roam_v1_GroupAction_JOIN && say.by_me && !say.seen) {
        return roam__local_hole_at(l, e->conversation, e->msg_id);
    }
    if (op->action == roam_v1_GroupAction_DENY && say.of_me) {
        return OK; /* only members see rows */
    }
    if (way == WAY_ANSWER && op->name.len) {
        status = put_name(l, e->conversation,
                          (struct roam_bytes){op->name.data, op->name.len});
    }
    return status == OK ? take_row(l, e, way, op) : status;
}

/* ------------------------------------------------------------------- public */

enum roam_posix_status roam__local_apply(struct roam_local *l,
                                         const struct roam_entry_event *e,
                                         enum roam__local_way way)
{
    struct roam_operation op;
    enum roam_posix_status status = way == WAY_ANSWER ? OK : take_names(l, e);
    memset(&op, 0, sizeof op);
    if (roam_kind_is_operation(e->kind) &&
        !roam_operation_decode(e->kind, slice_of(e->body), &op)) {
        memset(&op, 0, sizeof op); /* kept as a row, and does nothing */
    }
    if (status != OK || e->kind == ROAM_KIND_DEVICE) {
        return status; /* news, not history */
    }
    if (e->kind == ROAM_KIND_READ) {
        return roam__local_run_at(l, SQL_MARK_RISE, e->conversation, op.msg_id);
    }
    return is_group(e->conversation) ? take_group_row(l, e, way, &op)
                                     : take_row(l, e, way, &op);
}

enum roam_posix_status roam__local_told(struct roam_local *l,
                                        const struct roam_entry_event *row)
{
    sqlite3_stmt *s = roam__local_statement(l, SQL_TOLD_PUT);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    roam__local_bind_text(s, 1, row->conversation);
    roam__local_bind_u64(s, 2, row->msg_id);
    roam__local_bind_u64(s, 3, row->read_mark);
    sqlite3_bind_int64(s, 4, row->unread);
    enum roam_posix_status status = roam__local_finish(l, s);
    if (status == OK) {
        status = take_names(l, row);
    }
    return status == OK && is_group(row->conversation)
               ? put_role(l, row->conversation, row->role, row->msg_id)
               : status;
}

/* ------------------------------------------------------------------ unread */

static enum roam_posix_status count_unread(struct roam_local *l,
                                           enum roam__local_sql which,
                                           struct roam_bytes conversation,
                                           uint64_t above, uint64_t mark,
                                           uint64_t *count)
{
    sqlite3_stmt *s = roam__local_statement(l, which);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    roam__local_bind_text(s, 1, conversation);
    roam__local_bind_u64(s, 2, above);
    if (which == SQL_UNREAD_LOST) {
        roam__local_bind_u64(s, 3, mark);
    }
    if (sqlite3_step(s) != SQLITE_ROW) {
        return roam__local_failed(l);
    }
    *count = roam__local_u64(s, 0);
    sqlite3_reset(s);
    return OK;
}

struct told {
    uint64_t at, mark, unread;
};

/* A hole hides some: what the server told, and what came and went since. */
static enum roam_posix_status guess_unread(struct roam_local *l,
                                           struct roam_bytes conversation,
                                           const struct told *told,
                                           uint64_t *unread)
{
    uint64_t come = 0, lost = 0;
    enum roam_posix_status status = count_unread(
        l, SQL_UNREAD_KNOWN, conversation, told->at, told->mark, &come);
    if (status == OK) {
        status = count_unread(l, SQL_UNREAD_LOST, conversation, told->at,
                              told->mark, &lost);
    }
    uint64_t all = told->unread + come;
    uint64_t left = all > lost ? all - lost : 0;
    *unread = *unread > left ? *unread : left;
    return status;
}

enum roam_posix_status roam__local_state(struct roam_local *l,
                                         struct roam_local_row *row)
{
    struct told told = {0, 0, 0};
    uint64_t unread = 0;
    sqlite3_stmt *s = roam__local_statement(l, SQL_STATE_GET);
    if (!s) {
        return ROAM_POSIX_STATUS_STORE;
    }
    roam__local_bind_text(s, 1, row->conversation);
    if (sqlite3_step(s) != SQLITE_ROW) {
        return roam__local_failed(l);
    }
    row->read_mark = roam__local_u64(s, 0);
    row->role = (enum roam_role)sqlite3_column_int(s, 1);
    told.at = roam__local_u64(s, 2);
    told.mark = roam__local_u64(s, 3);
    told.unread = roam__local_u64(s, 4);
    row->unread_open = sqlite3_column_int(s, 5) != 0;
    sqlite3_reset(s);
    enum roam_posix_status status = count_unread(
        l, SQL_UNREAD_KNOWN, row->conversation, row->read_mark, 0, &unread);
    if (status == OK && row->unread_open && told.mark == row->read_mark) {
        status = guess_unread(l, row->conversation, &told, &unread);
    }
    row->unread =
        (uint32_t)(unread < ROAM_UNREAD_MAX ? unread : ROAM_UNREAD_MAX);
    return status;
}
