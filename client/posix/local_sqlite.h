/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the local store share. SQLite is known to these files
 * and to no others of the client.
 *
 * One connection, WAL, synchronous=FULL: a commit is on the disk when it
 * returns. `device` mirrors the only row of its table as the open
 * transaction has it, `committed` as the disk has it; the row is written
 * once for all that a transaction gathered.
 *
 * `version` of a row of history: of its entry; 0: a page was first; NULL: it
 * was sent from here, what lies on either side of it may not have come yet,
 * and a page or the chain knows better what it says.
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

/* The index is named where the planner, without figures, would rather walk
 * the whole conversation. */
#define STATEMENT_LIST(X)                                                      \
    X(BEGIN, "BEGIN IMMEDIATE")                                                \
    X(COMMIT, "COMMIT")                                                        \
    X(ROLLBACK, "ROLLBACK")                                                    \
    X(DEVICE_GET, "SELECT user, type, device_id, attempt, cursor, dedup_ms"    \
                  " FROM device")                                              \
    X(DEVICE_PUT, "INSERT OR REPLACE INTO device VALUES"                       \
                  "(1, ?1, ?2, ?3, ?4, ?5, ?6)")                               \
    X(ROW_ADD,                                                                 \
      "INSERT INTO message(conversation, msg_id, version, sender,"             \
      " content_type, body, cut_size, client_msg_id, kind, target, recalled)"  \
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"                  \
      " ON CONFLICT(conversation, msg_id) DO UPDATE"                           \
      " SET version = excluded.version, sender = excluded.sender,"             \
      " content_type = excluded.content_type, body = excluded.body,"           \
      " cut_size = excluded.cut_size, kind = excluded.kind,"                   \
      " target = excluded.target, recalled = excluded.recalled"                \
      " WHERE message.version IS NULL")                                        \
    X(ROW_RECALLED,                                                            \
      "UPDATE message SET recalled = 1, content_type = '', body = x'',"        \
      " cut_size = 0 WHERE conversation = ?1 AND msg_id = ?2 AND kind = 0"     \
      " AND recalled = 0 AND (?3 OR EXISTS(SELECT 1 FROM message o"            \
      " INDEXED BY message_target"                                             \
      " WHERE o.conversation = ?1 AND o.target = ?2 AND o.kind = 2))")         \
    X(ROW_DELETED,                                                             \
      "UPDATE message SET deleted = 1 WHERE conversation = ?1"                 \
      " AND msg_id = ?2 AND deleted = 0 AND EXISTS(SELECT 1 FROM message o"    \
      " INDEXED BY message_target"                                             \
      " WHERE o.conversation = ?1 AND o.target = ?2 AND o.kind = 3)")          \
    X(HOLE_AT, "INSERT INTO hole(conversation, above, below, unix_ms)"         \
               " SELECT ?1, ?2 - 1, ?2 + 1, ?3 WHERE NOT EXISTS(SELECT 1"      \
               " FROM hole WHERE conversation = ?1 AND above < ?2"             \
               " AND below > ?2) AND NOT EXISTS(SELECT 1 FROM message"         \
               " WHERE conversation = ?1 AND msg_id = ?2)")                    \
    X(HOLE_ABOVE, "INSERT OR IGNORE INTO hole(conversation, above, below,"     \
                  " unix_ms) SELECT ?1, ?2, " OPEN_END ", unix_ms"             \
                  " FROM last_reset")                                          \
    X(NAME_PUT, "INSERT INTO name VALUES(?1, ?2) ON CONFLICT(id) DO UPDATE"    \
                " SET name = excluded.name WHERE name <> excluded.name")       \
    X(NAME_DROP, "DELETE FROM name WHERE id = ?1")                             \
    X(MARK_RISE, "INSERT INTO conversation(conversation, read_mark)"           \
                 " VALUES(?1, ?2) ON CONFLICT(conversation) DO UPDATE"         \
                 " SET read_mark = excluded.read_mark"                         \
                 " WHERE excluded.read_mark > read_mark")                      \
    X(ROLE_GET, "SELECT role, role_at FROM conversation"                       \
                " WHERE conversation = ?1")                                    \
    X(ROLE_PUT, "INSERT INTO conversation(conversation, role_at, role)"        \
                " VALUES(?1, ?2, ?3) ON CONFLICT(conversation) DO UPDATE"      \
                " SET role = excluded.role, role_at = excluded.role_at")       \
    X(TOLD_PUT,                                                                \
      "INSERT INTO conversation(conversation, told, told_at, told_mark,"       \
      " told_unread, read_mark) VALUES(?1, 1, ?2, ?3, ?4, ?3)"                 \
      " ON CONFLICT(conversation) DO UPDATE SET told = 1,"                     \
      " told_at = excluded.told_at, told_mark = excluded.told_mark,"           \
      " told_unread = excluded.told_unread, read_mark = excluded.read_mark")   \
    X(STATE_GET, "SELECT read_mark, role, told_at, told_mark, told_unread,"    \
                 " EXISTS(SELECT 1 FROM hole WHERE conversation = ?1"          \
                 " AND below - 1 > coalesce(read_mark, 0))"                    \
                 " FROM (SELECT ?1 AS wanted) LEFT JOIN conversation"          \
                 " ON conversation = wanted")                                  \
    X(UNREAD_KNOWN,                                                            \
      "SELECT count(*) FROM (SELECT 1 FROM message WHERE conversation = ?1"    \
      " AND msg_id > ?2 AND kind = 0 AND recalled = 0 AND deleted = 0"         \
      " AND sender <> (SELECT user FROM device) LIMIT 1000)")                  \
    X(UNREAD_LOST,                                                             \
      "SELECT count(DISTINCT o.target) FROM message o LEFT JOIN message t"     \
      " ON t.conversation = ?1 AND t.msg_id = o.target"                        \
      " WHERE o.conversation = ?1 AND o.msg_id > ?2"                           \
      " AND o.target > ?3 AND o.target <= ?2"                                  \
      " AND (o.kind = 2 AND o.sender <> (SELECT user FROM device)"             \
      " OR o.kind = 3 AND t.kind = 0"                                          \
      " AND t.sender <> (SELECT user FROM device))")                           \
    X(UNKNOWN_ADD, "INSERT OR IGNORE INTO unknown_entry VALUES"                \
                   "(?3, ?9, ?2, ?1, ?4, ?5, ?6, ?7)")                         \
    X(UNKNOWN_GET, "SELECT version, kind, msg_id, conversation, sender,"       \
                   " content_type, body, cut_size FROM unknown_entry"          \
                   " WHERE kind BETWEEN 2 AND 7 ORDER BY version")             \
    X(UNKNOWN_DROP, "DELETE FROM unknown_entry WHERE kind BETWEEN 2 AND 7")    \
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
      " AND NOT EXISTS(SELECT 1 FROM hole WHERE conversation = ?1"             \
      " AND above = 0)")                                                       \
    X(HOLES_OF_OUTBOX,                                                         \
      "INSERT OR IGNORE INTO hole(conversation, above, below, unix_ms)"        \
      " SELECT DISTINCT o.conversation, 0, " OPEN_END ", s.unix_ms"            \
      " FROM survey s, outbox o WHERE o.first_sent_ms <> 0"                    \
      " AND o.conversation <> '#'"                                             \
      " AND NOT EXISTS(SELECT 1 FROM message m"                                \
      " WHERE m.conversation = o.conversation AND m.version IS NOT NULL)"      \
      " AND NOT EXISTS(SELECT 1 FROM hole h"                                   \
      " WHERE h.conversation = o.conversation AND h.above = 0)")               \
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
    X(RESET_NOTE, "INSERT OR REPLACE INTO last_reset(id, unix_ms)"             \
                  " VALUES(1, ?1)")                                            \
    X(SURVEY_START, "INSERT OR REPLACE INTO survey VALUES(1, 0, '', ?1)")      \
    X(SURVEY_BACK,                                                             \
      "INSERT OR REPLACE INTO survey SELECT 1, 0, '', newest FROM"             \
      " (SELECT max(unix_ms) AS newest FROM (SELECT unix_ms FROM survey"       \
      " UNION ALL SELECT unix_ms FROM hole WHERE below = " OPEN_END "))"       \
      " WHERE newest IS NOT NULL")                                             \
    X(SURVEY_MISSED,                                                           \
      "INSERT OR REPLACE INTO survey SELECT 1, 0, '',"                         \
      " coalesce((SELECT unix_ms FROM survey), unix_ms) FROM last_reset"       \
      " WHERE (EXISTS(SELECT 1 FROM survey WHERE before <> 0)"                 \
      " OR (as_of >= ?2 AND NOT EXISTS(SELECT 1 FROM survey)))"                \
      " AND NOT EXISTS(SELECT 1 FROM conversation"                             \
      " WHERE conversation = ?1 AND told = 1)")                                \
    X(SURVEY_DOUBT, "INSERT OR REPLACE INTO survey SELECT 1, 0, '', unix_ms"   \
                    " FROM last_reset")                                        \
    X(AS_OF_RISE, "UPDATE last_reset SET as_of = max(as_of, ?1)")              \
    X(AS_OF_NONE, "UPDATE last_reset SET as_of = 0")                           \
    X(TOLD_NONE, "UPDATE conversation SET told = 0 WHERE told = 1")            \
    X(SURVEY_GET, "SELECT before, conversation FROM survey")                   \
    X(SURVEY_SET, "UPDATE survey SET before = ?1, conversation = ?2")          \
    X(SURVEY_END, "DELETE FROM survey")                                        \
    X(WATCH, "SELECT count(*), max(as_of) FROM last_reset")                    \
    X(OUTBOX_ADD,                                                              \
      "INSERT INTO outbox(client_msg_id, conversation, content_type, body,"    \
      " queued_ms, first_sent_ms, kind) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")   \
    X(OUTBOX_NEXT,                                                             \
      "SELECT id, client_msg_id, conversation, content_type, body,"            \
      " queued_ms, first_sent_ms, kind FROM outbox WHERE id > ?1"              \
      " ORDER BY id LIMIT 1")                                                  \
    X(OUTBOX_MARK, "UPDATE outbox SET first_sent_ms = ?2"                      \
                   " WHERE client_msg_id = ?1 AND first_sent_ms = 0")          \
    X(OUTBOX_GET, "SELECT kind, conversation, content_type, body FROM outbox"  \
                  " WHERE client_msg_id = ?1")                                 \
    X(OUTBOX_DROP, "DELETE FROM outbox WHERE client_msg_id = ?1")              \
    X(COUNT, "SELECT (SELECT count(*) FROM message"                            \
             " WHERE kind = 0),"                                               \
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
    uint64_t as_of; /* with WATCH_YES: of the pages of the last survey */
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

/* How an entry came to be known here. */
enum roam__local_way {
    WAY_CHAIN,
    WAY_PAGE,
    WAY_ANSWER /* this device sent it; its version is not known */
};

/* Keeps an entry of a kind that this version does not know, raw. */
enum roam_posix_status roam__local_keep_unknown(
    struct roam_local *l, const struct roam_entry_event *e);

/* An entry of a known kind, a row of a page, or an own SEND that was answered
 * takes effect: see local_apply.c. Not NOOP. */
enum roam_posix_status roam__local_apply(struct roam_local *l,
                                         const struct roam_entry_event *e,
                                         enum roam__local_way way);

/* Takes what a row of CONVERSATIONS tells beside its message: names, mark,
 * role, and how many are unread. */
enum roam_posix_status roam__local_told(struct roam_local *l,
                                        const struct roam_entry_event *row);

/* Fills what a list of conversations tells of one, beside its message. */
enum roam_posix_status roam__local_state(struct roam_local *l,
                                         struct roam_local_row *row);

/* Runs a statement whose ?1 is a conversation and ?2 a msg_id. */
enum roam_posix_status roam__local_run_at(struct roam_local *l,
                                          enum roam__local_sql which,
                                          struct roam_bytes conversation,
                                          uint64_t msg_id);

/* Notes that the row msg_id may be missing, and no other; nothing changes if
 * it is there, or lies in a hole. */
enum roam_posix_status roam__local_hole_at(struct roam_local *l,
                                           struct roam_bytes conversation,
                                           uint64_t msg_id);

/* A row of its conversation comes with the chain and is not stored yet: all
 * above it comes with the chain, too, so an open hole ends here. The
 * conversation may have moved past the survey's place. */
enum roam_posix_status roam__local_arrived(struct roam_local *l,
                                           const struct roam_entry_event *e);

/* The chain goes from one version to another: pages of which no entry can
 * come any more are of a past that the server lost. [HIST-16] */
enum roam_posix_status roam__local_passed(struct roam_local *l, uint64_t from,
                                          uint64_t to);

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
