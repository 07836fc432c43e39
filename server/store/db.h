/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to the store's file: opening, schema, statements. What
 * every other file of the store has in common. Inside server/store/ only.
 *
 * Numbers on the wire are unsigned, columns are signed: versions, msg_ids,
 * generations and attempts never exceed ROAM_VERSION_MAX and so keep their
 * order; a client_msg_id is 64 random bits and is only ever compared for
 * equality. */
#ifndef ROAM_STORE_DB_H
#define ROAM_STORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "slice.h"

/* The pair of numbers under which a conversation is found: the two users, or
 * a group, which is a number below 0, and 0. In SQL, as in the index
 * message_pair, min(sender, receiver) and
 * max(sender, receiver) * (receiver > 0). */
static inline int64_t roam_db_low(int64_t user, int64_t peer)
{
    return user < peer ? user : peer;
}

static inline int64_t roam_db_high(int64_t user, int64_t peer)
{
    return peer < 0 ? 0 : user < peer ? peer : user;
}

/* "Roam", which the file of a store says of itself. */
#define ROAM_DB_APPLICATION_ID 1383031149

/* The parts of a conversation, see db.c. In SQL they are written as numbers,
 * so that the index serves them. */
enum roam_db_part {
    ROAM_PART_MESSAGES = 0,
    ROAM_PART_OPERATIONS = 1,
    ROAM_PART_PRIVATE = 2
};

/* How long a statement waits for another process (a provisioning command)
 * to leave the file, in milliseconds. */
#define ROAM_DB_BUSY_MS 10000

/* Opens the file and makes sure that it holds this version's schema, in WAL
 * mode; an empty file gets it. create: a missing file is made.
 *
 * Returns NULL with one line of reason in error (cap bytes). */
sqlite3 *roam_db_open(const char *path, bool create, char *error, size_t cap);
/* Opens a store that is there, for reading alone; the file stays as it is.
 * NULL with a reason in error, also when it is no store of this version. */
sqlite3 *roam_db_open_read(const char *path, char *error, size_t cap);
/* Finalizes all statements of the connection and closes it. NULL is fine. */
void roam_db_close(sqlite3 *db);

/* Prepares count statements; false with a reason in error. */
bool roam_db_prepare(sqlite3 *db, const char *const *sql, size_t count,
                     sqlite3_stmt **out, char *error, size_t cap);

/* Moves the whole log into the file and empties it, both synced; waits for
 * readers. False with a reason in error. */
bool roam_db_checkpoint(sqlite3 *db, char *error, size_t cap);

/* Runs SQL text that gives no rows; an SQLite result code. */
int roam_db_exec(sqlite3 *db, const char *sql);
/* Steps a statement that gives no rows, and resets it. */
int roam_db_run(sqlite3_stmt *stmt);

static inline void roam_db_bind_u64(sqlite3_stmt *stmt, int at, uint64_t n)
{
    sqlite3_bind_int64(stmt, at, (sqlite3_int64)n);
}

static inline uint64_t roam_db_u64(sqlite3_stmt *stmt, int column)
{
    return (uint64_t)sqlite3_column_int64(stmt, column);
}

/* Borrowed until the statement is stepped or reset. Empty slices are bound
 * as empty values, not as NULL. */
void roam_db_bind_text(sqlite3_stmt *stmt, int at, struct roam_slice text);
void roam_db_bind_blob(sqlite3_stmt *stmt, int at, struct roam_slice blob);

/* A text or blob column; valid until the statement is stepped or reset. */
struct roam_slice roam_db_column(sqlite3_stmt *stmt, int column);

#endif
