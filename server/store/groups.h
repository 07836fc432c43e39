/* SPDX-License-Identifier: Apache-2.0 */
/* Groups, their members and the spans of their histories, as the writer's
 * connection reads and writes them. Who may change what is decided by
 * core/group_rules.h. Inside server/store/ only.
 *
 * A group's number is below 0, a user's above, so that one column holds the
 * other party of a conversation, whichever it is. A *span* is the part of a
 * group's history that a user sees: from the change that made the user a
 * member to the one that ended it, both included. [GRP-15]
 *
 * Each function returns false on an SQLite error or without memory. */
#ifndef ROAM_STORE_GROUPS_H
#define ROAM_STORE_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "../core/core.h"
#include "../core/group_id.h"
#include "../core/group_rules.h"
#include "roam_limits.h"
#include "slice.h"

enum roam_groups_statement {
    ROAM_GROUPS_FIND,
    ROAM_GROUPS_LOAD,
    ROAM_GROUPS_ADD,
    ROAM_GROUPS_SAVE,
    ROAM_GROUPS_PART,
    ROAM_GROUPS_PART_SET,
    ROAM_GROUPS_PART_DROP,
    ROAM_GROUPS_PARTS,
    ROAM_GROUPS_PARTS_DROP,
    ROAM_GROUPS_SPAN_OPEN,
    ROAM_GROUPS_SPAN_CLOSE,
    ROAM_GROUPS_SPAN_CLOSE_ALL,
    ROAM_GROUPS_SPAN,
    ROAM_GROUPS_SPAN_END,
    ROAM_GROUPS_SPAN_COUNT,
    ROAM_GROUPS_SPAN_FORGET,
    ROAM_GROUPS_STATEMENTS
};

struct roam_groups {
    sqlite3 *db;
    sqlite3_stmt *stmt[ROAM_GROUPS_STATEMENTS];
    roam_random_fn random; /* NULL: SQLite's own */
    void *random_ctx;
};

/* One group as stored. */
struct roam_group_row {
    int64_t number; /* below 0; 0: there is none */
    struct roam_group_state state;
    char name[ROAM_NAME_MAX];
    size_t name_len;
};

/* db is kept. False with a reason in error; the statements belong to the
 * connection and go with it. */
bool roam_groups_open(struct roam_groups *g, sqlite3 *db, roam_random_fn random,
                      void *random_ctx, char *error, size_t cap);

/* The group of that id, or number 0. */
bool roam_groups_find(struct roam_groups *g, struct roam_slice id,
                      int64_t *number);
bool roam_groups_load(struct roam_groups *g, int64_t number,
                      struct roam_group_row *out);
/* A new group under a drawn id; row->number is set, the rest is stored. */
bool roam_groups_add(struct roam_groups *g, struct roam_group_row *row,
                     char id[ROAM_GROUP_ID_BYTES]);
bool roam_groups_save(struct roam_groups *g, const struct roam_group_row *row);

/* What a user is in a group; all zero and 0 for a stranger. since: msg_id. */
bool roam_groups_part(struct roam_groups *g, int64_t number, int64_t user,
                      struct roam_group_part *part, uint64_t *since);
/* Stores what a user becomes by the change msg_id, and begins or ends the
 * user's span when that makes or unmakes a member. `before` and since are
 * what roam_groups_part() gave. */
bool roam_groups_move(struct roam_groups *g, int64_t number, int64_t user,
                      const struct roam_group_part *before,
                      const struct roam_group_part *after, uint64_t since,
                      uint64_t msg_id);
/* Everybody's part and span ends. */
bool roam_groups_dissolve(struct roam_groups *g, int64_t number,
                          uint64_t msg_id);

/* The users whose role is at least that, in no order: *users is the caller's
 * to free(), NULL when there are none. */
bool roam_groups_users(struct roam_groups *g, int64_t number, uint32_t least,
                       int64_t **users, size_t *count);
/* Was, or is, the user a member when msg_id was given? 0: ever. */
bool roam_groups_in_span(struct roam_groups *g, int64_t number, int64_t user,
                         uint64_t msg_id, bool *inside);
/* Up to where the user sees the group's rows; 0: nowhere. */
bool roam_groups_seen_until(struct roam_groups *g, int64_t number, int64_t user,
                            uint64_t *until);

/* Has the user as many spans as may be (0: any number)? Those that ended and
 * have no row any more are forgotten before they count. [GRP-26], [GRP-27] */
bool roam_groups_is_crowded(struct roam_groups *g, int64_t user, uint32_t most,
                            bool *yes);

#endif
