/* SPDX-License-Identifier: Apache-2.0 */
/* The reading half of the store: a connection of its own, which sees what is
 * committed. Used by one thread at a time. Inside server/store/ only. */
#ifndef ROAM_STORE_READER_H
#define ROAM_STORE_READER_H

#include <stdbool.h>
#include <stddef.h>

#include <sqlite3.h>

#include "../core/store.h"
#include "read_groups.h"
#include "user_names.h"

enum roam_reader_statement {
    ROAM_READER_BEGIN,
    ROAM_READER_END,
    ROAM_READER_FLOOR,
    ROAM_READER_ENTRY,
    ROAM_READER_NTH,
    ROAM_READER_ENTRIES,
    ROAM_READER_HEAD,
    ROAM_READER_NEWEST,
    ROAM_READER_OLDEST,
    ROAM_READER_NEWEST_OPERATIONS,
    ROAM_READER_OLDEST_OPERATIONS,
    ROAM_READER_CONVERSATIONS,
    ROAM_READER_MESSAGE,
    ROAM_READER_USER,
    ROAM_READER_TOKEN,
    ROAM_READER_UNREAD,
    ROAM_READER_GROUP,
    ROAM_READER_MEMBERS,
    ROAM_READER_SESSIONS,
    ROAM_READER_REVOKED,
    ROAM_READER_STATEMENTS
};

struct roam_store_reader {
    sqlite3 *db;
    sqlite3_stmt *stmt[ROAM_READER_STATEMENTS];
    struct roam_user_names *names;
    struct roam_group_reader groups;
};

/* Opens a connection to a store that the writer has opened already. False
 * with a reason in error; close in any case. */
bool roam_store_reader_open(struct roam_store_reader *r, const char *path,
                            char *error, size_t cap);
void roam_store_reader_close(struct roam_store_reader *r);

/* A group of requests sees one state of the store: begin, do..., end. False
 * on an SQLite error, or without memory for the answer. */
bool roam_store_reader_begin(struct roam_store_reader *r);
bool roam_store_reader_do(struct roam_store_reader *r,
                          struct roam_store_request *req);
bool roam_store_reader_end(struct roam_store_reader *r);

/* ------------------------------------------------- read_pages.c, for _do() */

bool roam_read_history(struct roam_store_reader *r,
                       struct roam_store_request *req);
bool roam_read_conversations(struct roam_store_reader *r,
                             struct roam_store_request *req);
/* The statement for the rows that a HISTORY asks for. */
sqlite3_stmt *roam_read_statement(struct roam_store_reader *r,
                                  const struct roam_store_history *h,
                                  bool newest);
/* Gathers its rows in (after, upto]; h->more: there is one more. */
bool roam_read_range(struct roam_store_history *h, struct roam_gathering *g,
                     sqlite3_stmt *row, int64_t peer, uint64_t after,
                     uint64_t upto);
/* The head of the state that the group of requests sees. */
bool roam_read_head(struct roam_store_reader *r, int64_t user, uint64_t *head);

/* ----------------------------------------------- read_members.c, for _do() */

bool roam_read_members(struct roam_store_reader *r,
                       struct roam_store_request *req);

/* --------------------------------------------- read_devices.c, likewise */

bool roam_read_sessions(struct roam_store_reader *r,
                        struct roam_store_sessions *list);
bool roam_read_revoked(struct roam_store_reader *r,
                       struct roam_store_revoked *revoked);

#endif
