/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the local store share. SQLite is known to these files
 * and to no others of the client.
 *
 * One connection, WAL, synchronous=FULL: a commit is on the disk when it
 * returns. `device` mirrors the only row of its table as the open
 * transaction has it, `committed` as the disk has it; the row is written
 * once for all that a transaction gathered.
 *
 * `version` of a message: of its entry; 0: a page was first; NULL: it was
 * sent from here, and what lies on either side of it may not have come yet.
 *
 * 64-bit numbers are stored by their bits: a client_msg_id may read as
 * negative. */
#ifndef ROAM_LOCAL_SQLITE_H
#define ROAM_LOCAL_SQLITE_H

#include <sqlite3.h>

#include "roam_local.h"

#define ROAM_LOCAL_DEVICE_ID_BYTES 16u

/* `below` of a hole above which no message is known yet. */
#define OPEN_END "9223372036854775807"

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
    X(HOLES_OPEN,                                                              \
      "INSERT OR IGNORE INTO hole(conversation, above, below, unix_ms)"        \
      " SELECT conversation, coalesce(max(CASE WHEN version IS NOT NULL"       \
      " THEN msg_id END), 0), " OPEN_END ", ?1"                                \
      " FROM message GROUP BY conversation")                                   \
    X(HOLE_FIRST,                                                              \
      "INSERT OR IGNORE INTO hole(conversation, above, below, unix_ms)"        \
      " SELECT ?1, 0, ?2, unix_ms FROM last_reset"                             \
      " WHERE NOT EXISTS(SELECT 1 FROM message WHERE conversation = ?1"        \
      " AND version IS NOT NULL)"                                              \
      " AND NOT EXISTS(SELECT 1 FROM hole WHERE conversation = ?1)")           \
    X(HOLES_OF_OUTBOX,                                                         \
      "INSERT OR IGNORE INTO hole(conversation, above, below, unix_ms)"        \
      " SELECT DISTINCT o.conversation, 0, " OPEN_END ", s.unix_ms"            \
      " FROM survey s, outbox o WHERE o.first_sent_ms <> 0"                    \
      " AND NOT EXISTS(SELECT 1 FROM message m"                                \
      " WHERE m.conversation = o.conversation AND m.version IS NOT NULL)"      \
      " AND NOT EXISTS(SELECT 1 FROM hole h"                                   \
      " WHERE h.conversation = o.conversation)")                               \
    X(HOLE_CLOSE,                                                              \
      "UPDATE hole SET below = ?2"                                             \
      " WHERE conversation = ?1 AND below = " OPEN_END " AND above < ?2")      \
    X(HOLE_NEXT, "SELECT id, conversation, above, below FROM hole"             \
                 " WHERE ?1 IS NULL OR conversation = ?1"                      \
                 " ORDER BY below DESC, id LIMIT 1")                           \
    X(HOLE_GET, "SELECT id, conversation, above, below FROM hole"              \
                " WHERE id = ?1")                                              \
    X(HOLE_OPEN_OF, "SELECT id, conversation, above, below FROM hole"          \
                    " WHERE conversation = ?1 AND below = " OPEN_END)          \
    X(HOLE_SET, "UPDATE hole SET above = ?2, below = ?3"                       \
                " WHERE id = ?1")                                              \
    X(HOLE_DROP, "DELETE FROM hole WHERE id = ?1")                             \
    X(HOLES_DROP, "DELETE FROM hole WHERE conversation = ?1")                  \
    X(RESET_NOTE, "INSERT OR REPLACE INTO last_reset VALUES(1, ?1)")           \
    X(SURVEY_START, "INSERT OR REPLACE INTO survey VALUES(1, 0, '', ?1)")      \
    X(SURVEY_BACK,                                                             \
      "INSERT OR REPLACE INTO survey SELECT 1, 0, '', newest FROM"             \
      " (SELECT max(unix_ms) AS newest FROM (SELECT unix_ms FROM survey"       \
      " UNION ALL SELECT unix_ms FROM hole WHERE below = " OPEN_END "))"       \
      " WHERE newest IS NOT NULL")                                             \
    X(SURVEY_GET, "SELECT before, conversation FROM survey")                   \
    X(SURVEY_SET, "UPDATE survey SET before = ?1, conversation = ?2")          \
    X(SURVEY_END, "DELETE FROM survey")                                        \
    X(WATCH, "SELECT EXISTS(SELECT 1 FROM last_reset)")                        \
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
             " (SELECT count(*) FROM unknown_entry),"                          \
             " EXISTS(SELECT 1 FROM survey)")

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
    bool survey_void; /* set back since its place was told */
    /* Does a message that comes concern a hole? Asked of the disk once, and
     * again after each change. */
    enum {
        WATCH_UNKNOWN,
        WATCH_NO,
        WATCH_YES
    } watch;
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

/* Steps a statement without result. STORE. */
enum roam_posix_status roam__local_run(struct roam_local *l,
                                       enum roam__local_sql which);

/* A message, from an entry or a page, becomes a row. */
enum roam_posix_status roam__local_insert(struct roam_local *l,
                                          const struct roam_entry_event *e,
                                          enum roam__local_sql which);

/* A message of this conversation came with the chain and is not stored yet:
 * all above it comes with the chain, too, so an open hole ends here. */
enum roam_posix_status roam__local_arrived(struct roam_local *l,
                                           struct roam_bytes conversation,
                                           uint64_t msg_id);

/* The server has stored a message of this device's: it says so to the
 * sender, or in the chain. That ends no hole, but may have moved a
 * conversation past the survey's place. */
enum roam_posix_status roam__local_own_stored(struct roam_local *l);

/* Begins a transaction unless one is open. STORE. */
enum roam_posix_status roam__local_gather(struct roam_local *l);
/* Ends a durable call: commits when `status` is OK, else undoes it all and
 * returns `status`. */
enum roam_posix_status roam__local_settle(struct roam_local *l,
                                          enum roam_posix_status status);

#endif
