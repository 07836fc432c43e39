/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader needs for groups: histories by spans, roles, unread
 * messages. Inside server/store/ only. Each function returns false on an
 * SQLite error, or without memory. */
#ifndef ROAM_STORE_READ_GROUPS_H
#define ROAM_STORE_READ_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "../core/store.h"
#include "gather.h"

enum roam_group_reader_statement {
    ROAM_GROUP_READER_FIND,
    ROAM_GROUP_READER_SPANS_FALLING,
    ROAM_GROUP_READER_SPANS_RISING,
    ROAM_GROUP_READER_NEWEST,
    ROAM_GROUP_READER_OLDEST,
    ROAM_GROUP_READER_ROLE,
    ROAM_GROUP_READER_UNREAD,
    ROAM_GROUP_READER_STATEMENTS
};

struct roam_group_reader {
    sqlite3_stmt *stmt[ROAM_GROUP_READER_STATEMENTS];
};

struct roam_store_reader;

/* False with a reason in error; the statements belong to the connection. */
bool roam_group_reader_open(struct roam_group_reader *g, sqlite3 *db,
                            char *error, size_t cap);

/* The group of that id, if the user has a span in it; else *peer is 0. */
bool roam_group_reader_find(struct roam_store_reader *r, int64_t user,
                            struct roam_slice id, int64_t *peer);
/* Gathers the rows of the range asked for, and sets h->more. */
bool roam_read_group_history(struct roam_store_reader *r,
                             struct roam_gathering *g,
                             struct roam_store_history *h, int64_t peer,
                             bool newest);
/* Sets role and unread of a row of CONVERSATIONS: what is above `after`. */
bool roam_read_group_part(struct roam_store_reader *r, int64_t user,
                          int64_t peer, uint64_t after, struct roam_entry *e);

#endif
