/* SPDX-License-Identifier: Apache-2.0 */
/* The ends of sessions inside the transaction: one that is over was seen last
 * then; one that another device ends loses its slot and its tokens at once.
 * [DEV-4], [DEV-6] */
#include "writer.h"

#include "db.h"

bool roam_write_seen(struct roam_writer *w, const struct roam_store_seen *seen)
{
    const struct roam_identity *who = &seen->identity;
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_SEEN];

    sqlite3_bind_int64(stmt, 1, who->user);
    sqlite3_bind_int64(stmt, 2, who->device_type);
    sqlite3_bind_int64(stmt, 3, who->device);
    roam_db_bind_u64(stmt, 4, who->generation);
    roam_db_bind_u64(stmt, 5, seen->now_ms);
    roam_db_bind_u64(stmt, 6, who->attempt);
    return roam_db_run(stmt) == SQLITE_OK;
}

/* One after the other: each has a place of its own among the revoked. */
static bool revoke_tokens(struct roam_writer *w, int64_t device)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_TOKEN_END];

    do {
        sqlite3_bind_int64(stmt, 1, device);
        if (roam_db_run(stmt) != SQLITE_OK) {
            return false;
        }
    } while (sqlite3_changes(w->db) > 0);
    return true;
}

bool roam_write_end_session(struct roam_writer *w,
                            struct roam_store_end_session *end)
{
    const struct roam_identity *who = &end->identity;
    struct roam_slot slot;

    if (!roam_writer_slot(w, who->user, who->device_type, &slot)) {
        return false;
    }
    if (!roam_slot_holds(&slot, who)) { /* [KICK-5] */
        end->result = ROAM_END_FENCED;
        end->unheld = slot.device == 0;
        return true;
    }
    if (!roam_writer_slot(w, who->user, end->device_type, &slot)) {
        return false;
    }
    int64_t device = slot.device;
    if (!roam_slot_end(&slot, end->generation)) {
        end->result = ROAM_END_NO_DEVICE;
        return true;
    }
    end->result = ROAM_END_DONE;
    return revoke_tokens(w, device) &&
           roam_writer_save_slot(w, who->user, end->device_type, &slot, 0);
}
