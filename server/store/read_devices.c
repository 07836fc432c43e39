/* SPDX-License-Identifier: Apache-2.0 */
/* SESSIONS and REVOKED. [DEV-2], [DEV-3] */
#include <string.h>

#include "../core/alloc.h"
#include "db.h"
#include "reader.h"

static bool copy_text(sqlite3_stmt *row, int column, char *out, size_t cap)
{
    struct roam_slice text = roam_db_column(row, column);

    if (text.len >= cap) {
        return false;
    }
    if (text.len > 0) {
        memcpy(out, text.data, text.len);
    }
    out[text.len] = '\0';
    return true;
}

static bool fill(sqlite3_stmt *row, struct roam_store_session *out)
{
    out->type = (uint32_t)sqlite3_column_int64(row, 0);
    out->since_ms = roam_db_u64(row, 3);
    out->seen_ms = roam_db_u64(row, 4);
    out->generation = roam_db_u64(row, 5);
    return copy_text(row, 1, out->name, sizeof(out->name)) &&
           copy_text(row, 2, out->software, sizeof(out->software));
}

/* Without memory the request is answered without rows. */
bool roam_read_sessions(struct roam_store_reader *r,
                        struct roam_store_sessions *list)
{
    sqlite3_stmt *row = r->stmt[ROAM_READER_SESSIONS];
    int rc;

    list->rows = roam__alloc(ROAM_SESSION_ROWS_MAX * sizeof(*list->rows));
    if (list->rows == NULL) {
        return true;
    }
    sqlite3_bind_int64(row, 1, list->user);
    while ((rc = sqlite3_step(row)) == SQLITE_ROW &&
           list->count < ROAM_SESSION_ROWS_MAX &&
           fill(row, &list->rows[list->count])) {
        list->count++;
    }
    sqlite3_reset(row);
    return rc == SQLITE_DONE;
}

bool roam_read_revoked(struct roam_store_reader *r,
                       struct roam_store_revoked *revoked)
{
    sqlite3_stmt *row = r->stmt[ROAM_READER_REVOKED];
    int rc;

    revoked->upto = revoked->after;
    roam_db_bind_u64(row, 1, revoked->after);
    while ((rc = sqlite3_step(row)) == SQLITE_ROW &&
           revoked->count < ROAM_STORE_REVOKED_MAX) {
        revoked->rows[revoked->count++] = (struct roam_store_revocation){
            sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1)};
        revoked->upto = roam_db_u64(row, 2);
    }
    revoked->more = rc == SQLITE_ROW;
    sqlite3_reset(row);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}
