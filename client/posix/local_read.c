/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the local store: history and list of conversations. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "local_sqlite.h"

/* Columns of both: hole, msg_id, conversation, sender, content_type, body,
 * cut_size, unix_ms (0: from msg_id), kind, recalled, names. */
#define NAME_OF(id) "(SELECT name FROM name WHERE id = " id ")"

static const char history_sql[] =
    "SELECT 0 AS hole, msg_id, conversation, sender, content_type, body,"
    " cut_size, 0 AS unix_ms, kind, recalled, " NAME_OF("conversation") ", " NAME_OF(
        "sender") " FROM message"
                  " WHERE deleted = 0 AND (?1 IS NULL OR conversation = ?1)"
                  " UNION ALL SELECT 1, above, conversation, '', '', '', 0, unix_ms, 0, 0,"
                  " '', '' FROM hole WHERE ?1 IS NULL OR conversation = ?1"
                  " UNION ALL SELECT 1, 0, '', '', '', '', 0, unix_ms, 0, 0, '', ''"
                  " FROM survey WHERE ?1 IS NULL"
                  " ORDER BY msg_id, hole, conversation";

/* The bare columns are those of the row with the maximum. */
static const char conversations_sql[] =
    "SELECT EXISTS(SELECT 1 FROM hole h"
    " WHERE h.conversation = m.conversation), max(msg_id) AS newest,"
    " conversation, sender, content_type, body, cut_size, 0, kind, recalled,"
    " " NAME_OF("m.conversation") ", " NAME_OF(
        "m.sender") " FROM message m WHERE kind <> 3 AND deleted = 0"
                    " GROUP BY conversation ORDER BY newest DESC, conversation DESC";

/* Unix time of the moment from which a msg_id counts. */
#define MSG_ID_EPOCH_MS 1577836800000ull
#define MSG_ID_TIME_SHIFT 22

struct roam_local_history {
    struct roam_local *store;
    sqlite3_stmt *statement;
    bool list; /* of conversations */
};

static struct roam_local_history *open_rows(struct roam_local *l,
                                            const char *sql,
                                            const char *conversation, bool list)
{
    struct roam_local_history *h = calloc(1, sizeof *h);
    if (!h) {
        snprintf(l->error, sizeof l->error, "out of memory");
        return NULL;
    }
    h->store = l;
    h->list = list;
    if (sqlite3_prepare_v2(l->db, sql, -1, &h->statement, NULL) != SQLITE_OK ||
        (conversation && sqlite3_bind_text(h->statement, 1, conversation, -1,
                                           SQLITE_TRANSIENT) != SQLITE_OK)) {
        roam__local_failed(l);
        roam_local_history_close(h);
        return NULL;
    }
    return h;
}

struct roam_local_history *roam_local_history_open(struct roam_local *l,
                                                   const char *conversation)
{
    return open_rows(l, history_sql, conversation, false);
}

struct roam_local_history *roam_local_conversations_open(struct roam_local *l)
{
    return open_rows(l, conversations_sql, NULL, true);
}

enum roam_posix_status roam_local_history_next(struct roam_local_history *h,
                                               struct roam_local_row *row,
                                               bool *found)
{
    int rc = sqlite3_step(h->statement);
    *found = rc == SQLITE_ROW;
    if (rc != SQLITE_ROW) {
        return rc == SQLITE_DONE ? ROAM_POSIX_STATUS_OK
                                 : roam__local_failed(h->store);
    }
    memset(row, 0, sizeof *row);
    row->hole = sqlite3_column_int(h->statement, 0) != 0;
    row->msg_id = roam__local_u64(h->statement, 1);
    row->conversation = roam__local_bytes(h->statement, 2);
    row->sender = roam__local_bytes(h->statement, 3);
    row->content_type = roam__local_bytes(h->statement, 4);
    row->body = roam__local_bytes(h->statement, 5);
    row->cut_size = (uint32_t)sqlite3_column_int64(h->statement, 6);
    row->time_ms = roam__local_u64(h->statement, 7);
    row->kind = (uint32_t)sqlite3_column_int(h->statement, 8);
    row->recalled = sqlite3_column_int(h->statement, 9) != 0;
    row->conversation_name = roam__local_bytes(h->statement, 10);
    row->sender_name = roam__local_bytes(h->statement, 11);
    if (row->time_ms == 0) {
        row->time_ms = (row->msg_id >> MSG_ID_TIME_SHIFT) + MSG_ID_EPOCH_MS;
    }
    return h->list ? roam__local_state(h->store, row) : ROAM_POSIX_STATUS_OK;
}

void roam_local_history_close(struct roam_local_history *h)
{
    if (h) {
        sqlite3_finalize(h->statement);
        free(h);
    }
}

enum roam_posix_status roam_local_state(struct roam_local *l,
                                        const char *conversation,
                                        struct roam_local_row *row)
{
    memset(row, 0, sizeof *row);
    row->conversation.data = (const uint8_t *)conversation;
    row->conversation.len = strlen(conversation);
    enum roam_posix_status status = roam__local_state(l, row);
    memset(&row->conversation, 0, sizeof row->conversation);
    return status;
}
