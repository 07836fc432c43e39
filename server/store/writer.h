/* SPDX-License-Identifier: Apache-2.0 */
/* The writing half of the store: a connection, and what each write request
 * does inside the transaction. Used by one thread at a time. Inside
 * server/store/ only.
 *
 * A function here that returns false has met an SQLite error, or an empty
 * heap, in the middle of a transaction: nothing of this writer can be
 * trusted any more. Refusals are results, not failures. */
#ifndef ROAM_STORE_WRITER_H
#define ROAM_STORE_WRITER_H

#include <stdbool.h>
#include <stddef.h>

#include <sqlite3.h>

#include "../core/arbitration.h"
#include "../core/store.h"
#include "groups.h"
#include "msg_ids.h"
#include "store_sqlite.h"
#include "timelines.h"
#include "user_names.h"

/* How long the writer waits for another process before it looks around: a
 * transaction that somebody forgot to end must not keep the store from
 * closing, nor a long reader every commit from its answer. */
#define ROAM_WRITER_BUSY_MS 250

enum roam_writer_statement {
    ROAM_WRITER_BEGIN,
    ROAM_WRITER_COMMIT,
    ROAM_WRITER_USER,
    ROAM_WRITER_TOKEN,
    ROAM_WRITER_DEVICE,
    ROAM_WRITER_DEVICE_KNOWN,
    ROAM_WRITER_DEVICE_ADD,
    ROAM_WRITER_DEVICE_GRANT,
    ROAM_WRITER_DEVICE_LEAVE,
    ROAM_WRITER_DEVICE_NAME,
    ROAM_WRITER_SLOT,
    ROAM_WRITER_SLOT_SET,
    ROAM_WRITER_MESSAGE_ADD,
    ROAM_WRITER_CONVERSATION_ADD,
    ROAM_WRITER_MESSAGE_FIRST,
    ROAM_WRITER_MESSAGE_AT,
    ROAM_WRITER_ROW_AT,
    ROAM_WRITER_NEWEST,
    ROAM_WRITER_ERASE,
    ROAM_WRITER_UNDO,
    ROAM_WRITER_CONTENT,
    ROAM_WRITER_PRIVATE_ADD,
    ROAM_WRITER_DELETION,
    ROAM_WRITER_DELETION_ADD,
    ROAM_WRITER_MARK,
    ROAM_WRITER_MARK_SET,
    ROAM_WRITER_BLOCK,
    ROAM_WRITER_SPOKE,
    ROAM_WRITER_CHANGED,
    ROAM_WRITER_TOKEN_BIND,
    ROAM_WRITER_TOKEN_END,
    ROAM_WRITER_REVOCATIONS,
    ROAM_WRITER_SEEN,
    ROAM_WRITER_TRIM_USER,
    ROAM_WRITER_TRIM_EXCESS,
    ROAM_WRITER_TRIM_OLDEST,
    ROAM_WRITER_TRIM_MESSAGES,
    ROAM_WRITER_TRIM_LAST,
    ROAM_WRITER_TRIM_PRIVATE,
    ROAM_WRITER_TRIM_DELETIONS,
    ROAM_WRITER_TRIM_ERASE,
    ROAM_WRITER_STATEMENTS
};

/* Where a round of trimming is. */
struct roam_trim_place {
    int64_t user; /* the last one that is done */
    bool users_done;
    int64_t message; /* likewise */
};

struct roam_writer {
    sqlite3 *db;
    sqlite3_stmt *stmt[ROAM_WRITER_STATEMENTS];
    struct roam_user_names *names;
    struct roam_timelines timelines;
    struct roam_msg_ids msg_ids;
    struct roam_pair_map silent; /* see write_policy.c */
    struct roam_groups groups;
    struct roam_store_settings settings;
    struct roam_store_keep keep;
    struct roam_trim_place trim;
    bool has_send;    /* since the open; for a fault of tests */
    int log_pages;    /* of the write-ahead log, after the last commit */
    int insist_pages; /* from here on readers of the log are waited for */
};

/* Opens a connection and empties the log. False with a reason in error;
 * close in any case. */
bool roam_writer_open(struct roam_writer *w,
                      const struct roam_store_sqlite_config *config,
                      char *error, size_t cap);
void roam_writer_close(struct roam_writer *w);

/* Begins the transaction of a group. *busy: another process writes for long;
 * nothing was begun, trying again is right. False: an error, but nothing was
 * written. */
bool roam_writer_begin(struct roam_writer *w, bool *busy);
/* Carries out one request inside the transaction. */
bool roam_writer_do(struct roam_writer *w, struct roam_store_request *req);
/* True: all since begin is durable. */
bool roam_writer_commit(struct roam_writer *w);

/* Moves the log into the file when it has grown long; for when the answers
 * are out. */
bool roam_writer_tidy(struct roam_writer *w);

/* ---------------------------------------------- one for each kind, below */

bool roam_write_login(struct roam_writer *w, struct roam_store_request *req);
bool roam_write_logout(struct roam_writer *w, struct roam_store_logout *logout);
bool roam_write_send(struct roam_writer *w, struct roam_store_request *req);

bool roam_write_seen(struct roam_writer *w, const struct roam_store_seen *seen);
bool roam_write_end_session(struct roam_writer *w,
                            struct roam_store_end_session *end);
bool roam_write_trim(struct roam_writer *w, struct roam_store_trim *trim);

/* seen_ms: when it was last used. */
bool roam_writer_save_slot(struct roam_writer *w, int64_t user, uint32_t type,
                           const struct roam_slot *slot, uint64_t seen_ms);
/* The slot as stored; all zero when it was never used. */
bool roam_writer_slot(struct roam_writer *w, int64_t user, uint32_t type,
                      struct roam_slot *slot);

#endif
