/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold in every store, as queries that find where it does not:
 * each row they give is one line for the operator. Whoever adds a table, or
 * loosens what is kept of one, changes this list. A receiver below 0 is no
 * user.
 *
 * The queries that count duplicates read the tables, not the indices that
 * are meant to prevent them. */
#include "store_file.h"

#include <stdio.h>

#include "db.h"

#define LINE_MAX_BYTES 1024

struct invariant {
    const char *name;
    const char *sql;
};

static const struct invariant invariants[] = {
    {"chain", /* [CHAIN-1], [CHAIN-2] */
     "SELECT 'user ' || user || ': entry ' || version || ' follows ' || prev"
     " || ', but says ' || (version - gap) FROM"
     " (SELECT user, version, gap, lag(version) OVER"
     " (PARTITION BY user ORDER BY version) AS prev FROM timeline)"
     " WHERE prev <> version - gap"},
    {"version",
     "SELECT 'user ' || user || ': entry ' || version || ' is ' || gap"
     " || ' behind the one before' FROM timeline"
     " WHERE version < 1 OR gap < 1 OR gap > version"},
    {"entry-user", "SELECT 'entry ' || version || ' is of user ' || user"
                   " || ', who does not exist' FROM timeline"
                   " WHERE user NOT IN (SELECT id FROM user)"},
    {"entry-message",
     "SELECT 'user ' || user || ': entry ' || version || ' is message '"
     " || message || ', which does not exist' FROM timeline"
     /* Erased is fine, up to the last that ever was. */
     " WHERE message NOT IN (SELECT id FROM message) AND message > coalesce("
     "(SELECT last FROM erased WHERE low = 0 AND high = 0), 0)"},
    {"entry-party",
     "SELECT 'user ' || t.user || ': entry ' || t.version || ' is message '"
     " || t.message || ' between others' FROM timeline t"
     " JOIN message m ON m.id = t.message"
     " WHERE t.user <> m.sender AND t.user <> m.receiver"
     " AND m.receiver > 0"},
    {"message-user",
     "SELECT 'message ' || id || ' is from ' || sender"
     " || ' to ' || receiver || ', not both of whom exist'"
     " FROM message WHERE sender NOT IN (SELECT id FROM user)"
     " OR receiver > 0 AND receiver NOT IN (SELECT id FROM user)"
     " OR receiver < 0 AND -receiver NOT IN"
     " (SELECT id FROM grp)"},
    {"message-device",
     "SELECT 'message ' || m.id || ' is from device ' || m.device"
     " || ', which is not its sender''s' FROM message m"
     " LEFT JOIN device d ON d.id = m.device WHERE d.user IS NOT m.sender"
     " AND (m.kind <> 7 OR m.device <> 0)"},
    {"message-id", /* the order of history is that of the commits */
     "SELECT 'message ' || id || ' has msg_id ' || msg_id || ', after '"
     " || prev FROM (SELECT id, msg_id, lag(msg_id, 1, 0) OVER"
     " (PARTITION BY min(sender, receiver), max(sender, receiver)"
     " ORDER BY id) AS prev FROM message NOT INDEXED) WHERE msg_id <= prev"},
    {"dedup", /* [SEND-4] */
     "SELECT 'user ' || sender || ' has ' || count(*)"
     " || ' messages of client_msg_id ' || client_msg_id"
     " FROM message NOT INDEXED WHERE client_msg_id IS NOT NULL"
     " GROUP BY sender, client_msg_id HAVING count(*) > 1"},
    {"news", /* what the server says itself is to one user, of a device */
     "SELECT 'message ' || id || ' is of no session, from ' || sender || ' to '"
     " || receiver || ', kind ' || kind FROM message"
     " WHERE (client_msg_id IS NULL) <> (kind = 7)"
     " OR kind = 7 AND (sender <> receiver OR part <> 2)"},
    {"conversation",
     "SELECT 'message ' || id || ' is in no conversation of user ' || user"
     " FROM (SELECT id, sender AS user, receiver AS peer FROM message"
     " WHERE kind = 0 UNION SELECT id, receiver, sender FROM message"
     " WHERE kind = 0 AND receiver > 0) m WHERE NOT EXISTS"
     " (SELECT 1 FROM conversation c WHERE c.user = m.user"
     " AND c.peer = m.peer)"},
    {"slot-device", /* device 0: nobody holds it */
     "SELECT 'slot ' || s.user || '/' || s.type || ' is held by device '"
     " || s.device || ', which is not of that user and type' FROM slot s"
     " LEFT JOIN device d ON d.id = s.device WHERE s.device <> 0"
     " AND (d.user IS NOT s.user OR d.type IS NOT s.type)"},
    {"slot-generation",
     "SELECT 'slot ' || user || '/' || type || ' has generation '"
     " || generation FROM slot WHERE generation < 1"},
    {"device-user", "SELECT 'device ' || id || ' is of user ' || user"
                    " || ', who does not exist' FROM device"
                    " WHERE user NOT IN (SELECT id FROM user)"},
    {"private", /* rows of a history that not all parties see */
     "SELECT 'user ' || p.user || ': private row ' || p.msg_id"
     " || ' is message ' || p.message || ', which is another one'"
     " FROM private p LEFT JOIN message m ON m.id = p.message"
     " WHERE m.msg_id IS NOT p.msg_id"},
    {"deletion", "SELECT 'user ' || user || ' has deleted message ' || target"
                 " || ', which does not exist' FROM deletion"
                 " WHERE target NOT IN (SELECT id FROM message)"},
    {"recalled", /* [OP-3]: the body is the hash of what it was */
     "SELECT 'message ' || id || ' was recalled by ' || undone_by"
     " || ', and has ' || length(body) || ' bytes' FROM message"
     " WHERE kind = 0 AND undone_by <> 0 AND length(body) <> 32"},
    {"read-mark", /* the READ itself may be gone */
     "SELECT 'user ' || c.user || ': read up to ' || c.read_mark"
     " || ' says message ' || m.id || ', which is no such READ'"
     " FROM conversation c JOIN message m ON m.id = c.read_row"
     " WHERE m.kind <> 4 OR m.sender <> c.user OR m.msg_id <> c.read_id"},
    {"group-size",
     "SELECT 'group ' || id || ' has ' || members || ' members and '"
     " || applicants || ' applicants, by another count ' || m || ' and ' || a"
     " FROM (SELECT g.*, (SELECT count(*) FROM member x WHERE x.grp = g.id"
     " AND x.role > 1) AS m, (SELECT count(*) FROM member x"
     " WHERE x.grp = g.id AND x.role = 1) AS a FROM grp g)"
     " WHERE members <> m OR applicants <> a"},
    {"group-owner", /* of a group that was dissolved nobody is a member */
     "SELECT 'group ' || id || ' has ' || n || ' owners' FROM"
     " (SELECT id, members, (SELECT count(*) FROM member x WHERE x.grp = g.id"
     " AND x.role = 4) AS n FROM grp g) WHERE n <> (members > 0)"},
    {"member", "SELECT 'user ' || user || ' is in group ' || grp"
               " || ', one of which does not exist' FROM member"
               " WHERE user NOT IN (SELECT id FROM user)"
               " OR grp NOT IN (SELECT id FROM grp)"},
    {"span", /* members have one that goes on, and nobody else has */
     "SELECT 'user ' || user || ' sees group ' || grp || ' from ' || since"
     " || ' to ' || until FROM span s WHERE until < since OR (until ="
     " 9223372036854775807) <> EXISTS (SELECT 1 FROM member m"
     " WHERE m.grp = s.grp AND m.user = s.user AND m.role > 1"
     " AND m.since = s.since)"},
    {"blocks", "SELECT 'user ' || id || ' has blocked ' || blocks"
               " || ' others, by another count ' || n FROM (SELECT id, blocks,"
               " (SELECT count(*) FROM block b WHERE b.user = u.id) AS n"
               " FROM user u) WHERE blocks <> n"},
    {"token-user", "SELECT 'token ' || lower(substr(hex(hash), 1, 16))"
                   " || ' is of user ' || user || ', who does not exist'"
                   " FROM token WHERE user NOT IN (SELECT id FROM user)"},
};

/* Tells each row but those above the bound. False on an SQLite error. */
static bool tell_rows(sqlite3_stmt *stmt, const char *name, roam_line_fn fn,
                      void *ctx, size_t *rows)
{
    char line[LINE_MAX_BYTES];
    int rc;

    *rows = 0;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        if (*rows == ROAM_CHECK_LINES_MAX) {
            break;
        }
        snprintf(line, sizeof(line), "%s: %s", name, text == NULL ? "" : text);
        fn(ctx, line);
        ++*rows;
    }
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* A file so broken that the query cannot run does not keep it either. */
static size_t check_one(sqlite3 *db, const struct invariant *v, roam_line_fn fn,
                        void *ctx)
{
    char line[LINE_MAX_BYTES];
    sqlite3_stmt *stmt = NULL;
    size_t rows = 0;
    bool ok = sqlite3_prepare_v2(db, v->sql, -1, &stmt, NULL) == SQLITE_OK &&
              tell_rows(stmt, v->name, fn, ctx, &rows);

    if (!ok) {
        snprintf(line, sizeof(line), "%s: %s", v->name, sqlite3_errmsg(db));
        fn(ctx, line);
    }
    sqlite3_finalize(stmt);
    return !ok || rows > 0 ? 1 : 0;
}

/* SQLite's own view of its pages and indices: one row, "ok", or the faults.
 * Newer versions take a bound that is given to the function for a table. */
static size_t check_pages(sqlite3 *db, roam_line_fn fn, void *ctx)
{
    static const struct invariant pages = {
        "pages", "SELECT integrity_check FROM pragma_integrity_check"
                 " WHERE integrity_check <> 'ok' LIMIT 20"};

    return check_one(db, &pages, fn, ctx);
}

bool roam_store_check(const char *path, roam_line_fn fn, void *ctx, size_t *bad,
                      char *error, size_t cap)
{
    sqlite3 *db = roam_db_open_read(path, error, cap);

    *bad = 0;
    if (db == NULL) {
        return false;
    }
    /* One state of it, while others write. */
    bool ok = roam_db_exec(db, "BEGIN") == SQLITE_OK;
    if (ok) {
        *bad = check_pages(db, fn, ctx);
        for (size_t i = 0; i < sizeof(invariants) / sizeof(invariants[0]);
             i++) {
            *bad += check_one(db, &invariants[i], fn, ctx);
        }
    } else {
        snprintf(error, cap, "%s: %s", path, sqlite3_errmsg(db));
    }
    roam_db_close(db);
    return ok;
}
