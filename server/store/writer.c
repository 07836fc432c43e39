/* SPDX-License-Identifier: Apache-2.0 */
/* See writer.h. */
#include "writer.h"

#include <stdio.h>

#include "../core/fault.h"
#include "credential.h"
#include "db.h"
#include "token.h"

/* A log of 32 MiB: pages that many messages change are moved once. */
#define LOG_PAGES_TIDY 8192
/* Readers that never pause keep the log from starting over; from here on
 * the writer waits for them. */
#define LOG_PAGES_INSIST (8 * LOG_PAGES_TIDY)

/* The rows of one conversation. */
#define IN_PAIR                                                                \
    " WHERE min(sender, receiver) = ?1"                                        \
    " AND max(sender, receiver) * (receiver > 0) = ?2"

static const char *const sql[ROAM_WRITER_STATEMENTS] = {
    [ROAM_WRITER_BEGIN] = "BEGIN IMMEDIATE",
    [ROAM_WRITER_COMMIT] = "COMMIT",
    [ROAM_WRITER_USER] = ROAM_CREDENTIAL_USER,
    [ROAM_WRITER_TOKEN] = ROAM_CREDENTIAL_TOKEN,
    [ROAM_WRITER_DEVICE] = "SELECT id, held FROM device"
                           " WHERE user = ?1 AND type = ?2 AND device_id = ?3",
    [ROAM_WRITER_DEVICE_KNOWN] =
        "SELECT EXISTS (SELECT 1 FROM device WHERE user = ?1),"
        " EXISTS (SELECT 1 FROM device WHERE user = ?1 AND device_id = ?2)",
    [ROAM_WRITER_DEVICE_ADD] =
        "INSERT INTO device(user, type, device_id, name, software, held)"
        " VALUES(?1, ?2, ?3, ?4, ?5, 1)",
    [ROAM_WRITER_DEVICE_GRANT] =
        "UPDATE device SET name = ?2, software = ?3, held = 1 WHERE id = ?1"
        " AND (name <> ?2 OR software <> ?3 OR held = 0)",
    [ROAM_WRITER_DEVICE_LEAVE] = "UPDATE device SET held = 0 WHERE id = ?1",
    [ROAM_WRITER_DEVICE_NAME] = "SELECT name FROM device WHERE id = ?1",
    [ROAM_WRITER_SLOT] = "SELECT device, generation, attempt, since_ms"
                         " FROM slot WHERE user = ?1 AND type = ?2",
    [ROAM_WRITER_SLOT_SET] =
        "INSERT INTO slot(user, type, device, generation, attempt, since_ms,"
        " seen_ms) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(user, type)"
        " DO UPDATE SET device = ?3, generation = ?4, attempt = ?5,"
        " since_ms = ?6, seen_ms = ?7",
    [ROAM_WRITER_MESSAGE_ADD] =
        "INSERT INTO message(msg_id, sender, receiver, device, generation,"
        " attempt, client_msg_id, kind, content_type, body, part)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        " ON CONFLICT(sender, client_msg_id) DO NOTHING",
    [ROAM_WRITER_CONVERSATION_ADD] =
        "INSERT INTO conversation(user, peer) VALUES(?1, ?2)"
        " ON CONFLICT DO NOTHING",
    [ROAM_WRITER_MESSAGE_FIRST] =
        "SELECT id, msg_id, receiver, kind, content_type, body, undone_by"
        " FROM message WHERE sender = ?1 AND client_msg_id = ?2",
    [ROAM_WRITER_MESSAGE_AT] =
        "SELECT id, sender, kind, undone_by FROM message" IN_PAIR
        " AND part = 0 AND msg_id = ?3",
    [ROAM_WRITER_ROW_AT] =
        "SELECT id, 0 FROM message" IN_PAIR " AND part = 0 AND msg_id = ?3"
        " UNION ALL"
        " SELECT id, 0 FROM message" IN_PAIR " AND part = 1 AND msg_id = ?3"
        " UNION ALL"
        " SELECT message, 1 FROM private WHERE user = ?4 AND peer = ?5"
        " AND msg_id = ?3",
    [ROAM_WRITER_NEWEST] =
        "SELECT max(coalesce((SELECT max(msg_id) FROM message" IN_PAIR
        " AND part = 0 AND msg_id <= ?5), 0),"
        " coalesce((SELECT max(msg_id) FROM message" IN_PAIR
        " AND part = 1 AND msg_id <= ?5), 0),"
        " coalesce((SELECT max(msg_id) FROM private"
        " WHERE user = ?3 AND peer = ?4), 0))",
    [ROAM_WRITER_ERASE] = "UPDATE message SET content_type = '', body = ?2,"
                          " undone_by = ?3 WHERE id = ?1",
    [ROAM_WRITER_UNDO] = "UPDATE message SET undone_by = ?2"
                         " WHERE id = ?1 AND msg_id = ?3 AND kind = 4",
    [ROAM_WRITER_CONTENT] =
        "SELECT content_type, body FROM message WHERE id = ?1",
    [ROAM_WRITER_PRIVATE_ADD] =
        "INSERT INTO private(user, peer, msg_id, message)"
        " VALUES(?1, ?2, ?3, ?4)",
    [ROAM_WRITER_DELETION] =
        "SELECT msg_id FROM deletion WHERE target = ?1 AND user = ?2",
    [ROAM_WRITER_DELETION_ADD] =
        "INSERT INTO deletion(target, user, msg_id) VALUES(?1, ?2, ?3)",
    [ROAM_WRITER_MARK] = "SELECT read_mark, read_id, read_row"
                         " FROM conversation WHERE user = ?1 AND peer = ?2",
    [ROAM_WRITER_MARK_SET] =
        "UPDATE conversation SET read_mark = ?3, read_id = ?4, read_row = ?5"
        " WHERE user = ?1 AND peer = ?2",
    [ROAM_WRITER_BLOCK] = "SELECT 1 FROM block WHERE user = ?1 AND other = ?2",
    [ROAM_WRITER_SPOKE] =
        "SELECT 1 FROM message" IN_PAIR " AND part IN (0, 1) AND msg_id > ?4"
        " AND sender = ?3 LIMIT 1",
    [ROAM_WRITER_CHANGED] = "UPDATE provision SET changes = changes + 1",
    [ROAM_WRITER_TOKEN_BIND] = "UPDATE token SET device_id = ?2"
                               " WHERE id = ?1 AND device_id IS NULL",
    [ROAM_WRITER_TOKEN_END] = ROAM_TOKEN_REVOKE(
        "id = (SELECT t.id FROM token t, device d WHERE d.id = ?1"
        " AND t.user = d.user AND t.device_id = d.device_id"
        " AND t.revoked = 0 LIMIT 1)"),
    [ROAM_WRITER_REVOCATIONS] = ROAM_TOKEN_REVOCATIONS,
    [ROAM_WRITER_SEEN] = "UPDATE slot SET seen_ms = ?5 WHERE user = ?1"
                         " AND type = ?2 AND device = ?3 AND generation = ?4"
                         " AND attempt = ?6",
    [ROAM_WRITER_TRIM_USER] =
        "SELECT id FROM user WHERE id > ?1 ORDER BY id LIMIT 1",
    [ROAM_WRITER_TRIM_EXCESS] = "SELECT version FROM timeline WHERE user = ?1"
                                " ORDER BY version DESC LIMIT 1 OFFSET ?2",
    [ROAM_WRITER_TRIM_OLDEST] = "SELECT t.version, m.msg_id FROM timeline t"
                                " LEFT JOIN message m ON m.id = t.message"
                                " WHERE t.user = ?1 ORDER BY t.version",
    [ROAM_WRITER_TRIM_MESSAGES] =
        "SELECT id, sender, receiver, msg_id FROM message WHERE id > ?1"
        " AND id < (SELECT max(id) FROM message) ORDER BY id LIMIT ?2",
    [ROAM_WRITER_TRIM_LAST] =
        "INSERT INTO erased(low, high, last) SELECT ?1, ?2, ?3"
        " WHERE NOT EXISTS (SELECT 1 FROM message" IN_PAIR
        " AND part IN (0, 1, 2) AND msg_id > ?3)"
        " ON CONFLICT(low, high) DO UPDATE SET last = max(last, ?3)",
    [ROAM_WRITER_TRIM_PRIVATE] = "DELETE FROM private WHERE message = ?1",
    [ROAM_WRITER_TRIM_DELETIONS] = "DELETE FROM deletion WHERE target = ?1",
    [ROAM_WRITER_TRIM_ERASE] = "DELETE FROM message WHERE id = ?1"};

static int note_log_pages(void *self, sqlite3 *db, const char *schema,
                          int pages)
{
    struct roam_writer *w = self;

    (void)db;
    (void)schema;
    w->log_pages = pages;
    return SQLITE_OK;
}

bool roam_writer_open(struct roam_writer *w,
                      const struct roam_store_sqlite_config *config,
                      char *error, size_t cap)
{
    w->keep = config->keep;
    w->settings = config->settings;
    w->db = roam_db_open(config->path, true, error, cap);
    if (w->db == NULL || !roam_db_checkpoint(w->db, error, cap)) {
        return false;
    }
    w->insist_pages = LOG_PAGES_INSIST;
    sqlite3_busy_timeout(w->db, ROAM_WRITER_BUSY_MS);
    sqlite3_wal_hook(w->db, note_log_pages, w);
    w->names = roam_user_names_new(w->db, error, cap);
    return w->names != NULL &&
           roam_db_prepare(w->db, sql, ROAM_WRITER_STATEMENTS, w->stmt, error,
                           cap) &&
           roam_timelines_open(&w->timelines, w->db, config, error, cap) &&
           roam_msg_ids_open(&w->msg_ids, w->db, error, cap) &&
           roam_groups_open(&w->groups, w->db, config->random,
                            config->random_ctx, error, cap);
}

void roam_writer_close(struct roam_writer *w)
{
    roam_pair_map_clear(&w->silent);
    roam_msg_ids_close(&w->msg_ids);
    roam_timelines_close(&w->timelines);
    roam_user_names_free(w->names);
    roam_db_close(w->db);
    w->names = NULL;
    w->db = NULL;
}

bool roam_writer_begin(struct roam_writer *w, bool *busy)
{
    *busy = false;
    if (ROAM_FAULT("answer-before-commit") &&
        sqlite3_get_autocommit(w->db) == 0) {
        return true; /* the transaction that commit() left open */
    }
    int rc = roam_db_run(w->stmt[ROAM_WRITER_BEGIN]);
    *busy = (rc & 0xff) == SQLITE_BUSY;
    return *busy || (rc == SQLITE_OK && roam_user_names_refresh(w->names));
}

bool roam_writer_commit(struct roam_writer *w)
{
    if (ROAM_FAULT("answer-before-commit") && w->has_send) {
        return true; /* [SEND-3] broken: readers never see it */
    }
    if (ROAM_FAULT_COMMIT(false)) {
        return false;
    }
    return roam_db_run(w->stmt[ROAM_WRITER_COMMIT]) == SQLITE_OK &&
           (!ROAM_FAULT_COMMIT(true) || ROAM_FAULT("unknown-is-answered"));
}

bool roam_writer_do(struct roam_writer *w, struct roam_store_request *req)
{
    switch (req->kind) {
    case ROAM_STORE_LOGIN:
        return roam_write_login(w, req);
    case ROAM_STORE_LOGOUT:
        return roam_write_logout(w, &req->u.logout);
    case ROAM_STORE_SEND:
        w->has_send = true;
        ROAM_FAULT_SEND();
        return roam_write_send(w, req);
    case ROAM_STORE_SEEN:
        return roam_write_seen(w, &req->u.seen);
    case ROAM_STORE_END_SESSION:
        return roam_write_end_session(w, &req->u.end_session);
    case ROAM_STORE_TRIM:
        return roam_write_trim(w, &req->u.trim);
    case ROAM_STORE_SYNC:
    case ROAM_STORE_READ:
    case ROAM_STORE_HISTORY:
    case ROAM_STORE_CONVERSATIONS:
    case ROAM_STORE_MEMBERS:
    case ROAM_STORE_SESSIONS:
    case ROAM_STORE_REVOKED:
        break;
    }
    return false; /* the reader's */
}

bool roam_writer_tidy(struct roam_writer *w)
{
    if (w->log_pages < LOG_PAGES_TIDY) {
        w->insist_pages = LOG_PAGES_INSIST;
        return true;
    }
    bool insist = w->log_pages >= w->insist_pages;
    int rc = sqlite3_wal_checkpoint_v2(w->db, NULL,
                                       insist ? SQLITE_CHECKPOINT_RESTART
                                              : SQLITE_CHECKPOINT_PASSIVE,
                                       NULL, NULL);
    bool busy = (rc & 0xff) == SQLITE_BUSY;
    if (insist && busy) {
        /* Somebody reads or copies the file for long: waited for again when
         * the log has grown, not at each commit. */
        w->insist_pages = w->log_pages + LOG_PAGES_TIDY;
    }
    return rc == SQLITE_OK || busy;
}

bool roam_writer_slot(struct roam_writer *w, int64_t user, uint32_t type,
                      struct roam_slot *slot)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_SLOT];

    *slot = (struct roam_slot){0};
    sqlite3_bind_int64(stmt, 1, user);
    sqlite3_bind_int64(stmt, 2, type);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        slot->device = sqlite3_column_int64(stmt, 0);
        slot->generation = roam_db_u64(stmt, 1);
        slot->attempt = roam_db_u64(stmt, 2);
        slot->since_ms = roam_db_u64(stmt, 3);
    }
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}
