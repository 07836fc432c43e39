/* SPDX-License-Identifier: Apache-2.0 */
/* MEMBERS. [GRP-17] to [GRP-21] */
#include <string.h>

#include "../core/alloc.h"
#include "../core/fault.h"
#include "../core/group_rules.h"
#include "db.h"
#include "reader.h"
#include "roam.pb.h"

/* Columns of the group, as its asker sees it. */
enum group_column {
    GROUP_NUMBER,
    GROUP_NAME,
    GROUP_JOIN,
    GROUP_MUTED,
    GROUP_MEMBERS,
    GROUP_ROLE
};

/* Columns of a member. */
enum member_column {
    MEMBER_USER,
    MEMBER_NAME,
    MEMBER_ROLE,
    MEMBER_MUTED,
    MEMBER_SINCE
};

static void copy_group(sqlite3_stmt *stmt, struct roam_store_members *m)
{
    struct roam_slice name = roam_db_column(stmt, GROUP_NAME);

    if (name.len > 0 && name.len < sizeof(m->name)) {
        memcpy(m->name, name.data, name.len);
    }
    m->join = (uint32_t)sqlite3_column_int64(stmt, GROUP_JOIN);
    m->muted = sqlite3_column_int64(stmt, GROUP_MUTED) != 0;
    m->member_count = (uint32_t)sqlite3_column_int64(stmt, GROUP_MEMBERS);
}

/* The group, if the asker is a member. *least: the role from which on the
 * asker sees rows. */
static bool find_group(struct roam_store_reader *r,
                       struct roam_store_members *m, int64_t *number,
                       uint32_t *least)
{
    sqlite3_stmt *stmt = r->stmt[ROAM_READER_GROUP];

    roam_db_bind_text(stmt, 1, m->conversation);
    sqlite3_bind_int64(stmt, 2, m->user);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        uint32_t role = (uint32_t)sqlite3_column_int64(stmt, GROUP_ROLE);
        bool all = role >= roam_v1_Role_ADMIN ||
                   ROAM_FAULT("applicants-shown-to-members");
        *number = sqlite3_column_int64(stmt, GROUP_NUMBER);
        *least = all ? roam_v1_Role_APPLICANT : roam_v1_Role_MEMBER;
        m->found = roam_role_is_member(role);
        copy_group(stmt, m);
    }
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* Texts go into req->results, which has room for max_count rows. */
static void add_row(struct roam_store_request *req, sqlite3_stmt *stmt,
                    uint8_t **at)
{
    struct roam_store_members *m = &req->u.members;
    struct roam_member_row *row = &m->rows[m->count++];
    const int columns[] = {MEMBER_USER, MEMBER_NAME};
    struct roam_slice *texts[] = {&row->user, &row->name};

    for (int i = 0; i < 2; i++) {
        *texts[i] = roam_db_column(stmt, columns[i]);
        if (texts[i]->len > 0) {
            memcpy(*at, texts[i]->data, texts[i]->len);
        }
        texts[i]->data = *at;
        *at += texts[i]->len;
    }
    row->role = (uint32_t)sqlite3_column_int64(stmt, MEMBER_ROLE);
    row->muted = sqlite3_column_int64(stmt, MEMBER_MUTED) != 0;
    row->since = roam_db_u64(stmt, MEMBER_SINCE);
}

static bool gather(struct roam_store_reader *r, struct roam_store_request *req,
                   int64_t number, uint32_t least)
{
    struct roam_store_members *m = &req->u.members;
    sqlite3_stmt *stmt = r->stmt[ROAM_READER_MEMBERS];
    uint8_t *at = req->results;
    int rc;

    sqlite3_bind_int64(stmt, 1, number);
    sqlite3_bind_int64(stmt, 2, least);
    roam_db_bind_text(stmt, 3, m->after);
    sqlite3_bind_int64(stmt, 4, (int64_t)m->max_count + 1);
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (m->count == m->max_count) {
            m->more = true;
            rc = SQLITE_DONE;
            break;
        }
        add_row(req, stmt, &at);
    }
    sqlite3_reset(stmt);
    return rc == SQLITE_DONE;
}

bool roam_read_members(struct roam_store_reader *r,
                       struct roam_store_request *req)
{
    struct roam_store_members *m = &req->u.members;
    int64_t number = 0;
    uint32_t least = 0;

    if (!roam_read_head(r, m->user, &m->head) ||
        !find_group(r, m, &number, &least)) {
        return false;
    }
    if (!m->found) {
        return true;
    }
    m->rows = roam__alloc(m->max_count * sizeof(*m->rows));
    req->results =
        roam__alloc(m->max_count * (size_t)(ROAM_USER_MAX + ROAM_NAME_MAX));
    if (m->rows == NULL || req->results == NULL) {
        return false;
    }
    return gather(r, req, number, least);
}
