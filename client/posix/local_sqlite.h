/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the local store share. SQLite is known to these files
 * and to no others of the client.
 *
 * One connection, WAL, synchronous=FULL: a commit is on the disk when it
 * returns. `device` mirrors the only row of its table as the open
 * transaction has it, `committed` as the disk has it; the row is written
 * once for all that a transaction gathered.
 *
 * 64-bit numbers are stored by their bits: a client_msg_id may read as
 * negative. */
#ifndef ROAM_LOCAL_SQLITE_H
#define ROAM_LOCAL_SQLITE_H

#include <sqlite3.h>

#include "roam_local.h"

#define ROAM_LOCAL_DEVICE_ID_BYTES 16u

#define STATEMENT_LIST(X)                                                      \
    X(BEGIN, "BEGIN IMMEDIATE")                                                \
    X(COMMIT, "COMMIT")                                                        \
    X(ROLLBACK, "ROLLBACK")                                                    \
    X(DEVICE_GET, "SELECT user, type, device_id, attempt, cursor, dedup_ms"    \
                  " FROM device")                                              \
    X(DEVICE_PUT, "INSERT OR REPLACE INTO device VALUES"                       \
                  "(1, ?1, ?2, ?3, ?4, ?5, ?6)")                               \
    X(MESSAGE_ADD,                                                             \
      "INSERT INTO message VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"             \
      " ON CONFLICT(conversation, msg_id) DO UPDATE"                           \
      " SET version = excluded.version"                                        \
      " WHERE message.version IS NULL")                                        \
    X(UNKNOWN_ADD, "INSERT OR IGNORE INTO unknown_entry VALUES"                \
                   "(?3, ?9, ?2, ?1, ?4, ?5, ?6, ?7)")                         \
    X(HOLE_ADD,                                                                \
      "INSERT INTO hole(after_msg_id, cursor, head, reason, unix_ms)"          \
      " VALUES((SELECT coalesce(max(msg_id), 0) FROM message),"                \
      " ?1, ?2, ?3, ?4)")                                                      \
    X(OUTBOX_ADD,                                                              \
      "INSERT INTO outbox(client_msg_id, conversation, content_type, body,"    \
      " queued_ms, first_sent_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6)")             \
    X(OUTBOX_NEXT,                                                             \
      "SELECT id, client_msg_id, conversation, content_type, body,"            \
      " queued_ms, first_sent_ms FROM outbox WHERE id > ?1"                    \
      " ORDER BY id LIMIT 1")                                                  \
    X(OUTBOX_MARK, "UPDATE outbox SET first_sent_ms = ?2"                      \
                   " WHERE client_msg_id = ?1 AND first_sent_ms = 0")          \
    X(OUTBOX_TO_MESSAGE,                                                       \
      "INSERT OR IGNORE INTO message SELECT conversation, ?2, NULL,"           \
      " (SELECT user FROM device), content_type, body, 0, client_msg_id"       \
      " FROM outbox WHERE client_msg_id = ?1")                                 \
    X(OUTBOX_DROP, "DELETE FROM outbox WHERE client_msg_id = ?1")              \
    X(COUNT, "SELECT (SELECT count(*) FROM message),"                          \
             " (SELECT count(*) FROM outbox), (SELECT count(*) FROM hole),"    \
             " (SELECT count(*) FROM unknown_entry)")

enum roam__local_sql {
#define STATEMENT_ENUM(name, sql) SQL_##name,
    STATEMENT_LIST(STATEMENT_ENUM)
#undef STATEMENT_ENUM
    STATEMENT_COUNT
};

struct roam_local {
    sqlite3 *db;
    sqlite3_stmt *statement[STATEMENT_COUNT]; /* prepared at first use */
    int lock_fd;                              /* -1: mode READ */
    struct roam_local_device device, committed;
    char error[ROAM_POSIX_DETAIL_MAX];
};

/* Keeps SQLite's text of the failure; returns STORE. */
enum roam_posix_status roam__local_failed(struct roam_local *l);

/* The statement, reset and without bindings; NULL when it cannot be had. */
sqlite3_stmt *roam__local_statement(struct roam_local *l,
                                    enum roam__local_sql which);
/* Steps it once and resets it. STORE. */
enum roam_posix_status roam__local_finish(struct roam_local *l,
                                          sqlite3_stmt *s);

/* Bound bytes are borrowed until the statement is finished. An empty run is
 * an empty text or blob, never NULL. */
void roam__local_bind_u64(sqlite3_stmt *s, int at, uint64_t value);
void roam__local_bind_text(sqlite3_stmt *s, int at, struct roam_bytes b);
void roam__local_bind_blob(sqlite3_stmt *s, int at, struct roam_bytes b);

uint64_t roam__local_u64(sqlite3_stmt *s, int at);
struct roam_bytes roam__local_bytes(sqlite3_stmt *s, int at);

/* Begins a transaction unless one is open. STORE. */
enum roam_posix_status roam__local_gather(struct roam_local *l);
/* Ends a durable call: commits when `status` is OK, else undoes it all and
 * returns `status`. */
enum roam_posix_status roam__local_settle(struct roam_local *l,
                                          enum roam_posix_status status);

#endif
