/* SPDX-License-Identifier: Apache-2.0 */
/* Provisioning: users, tokens and sessions, by a connection of its own. A
 * server that runs on the same file is only waited for; it finds by itself what
 * was revoked. */
#include "store_sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/alloc.h"
#include "db.h"
#include "token.h"
#include "token_hash.h"
#include "utf8.h"

enum statement {
    ADD_USER,
    FIND_USER,
    ADD_TOKEN,
    REVOKE,
    REVOKE_ID,
    REVOKE_NEXT,
    FREE_SLOTS,
    NAME_USER,
    BLOCK,
    UNBLOCK,
    COUNT_BLOCKS,
    NOTE_CHANGE,
    STATEMENT_COUNT
};

/* ?2: hex digits. */
#define OF_DEVICE "lower(hex(device_id)) = lower(?2)"

static const char *const sql[STATEMENT_COUNT] = {
    [ADD_USER] = "INSERT INTO user(name) VALUES(?1)"
                 " ON CONFLICT(name) DO NOTHING",
    [FIND_USER] = "SELECT id FROM user WHERE name = ?1",
    /* The clock is in seconds since 1970; see ROAM_EPOCH_UNIX_MS. */
    [ADD_TOKEN] = "INSERT INTO token(hash, user, device_type, expires_ms,"
                  " created_ms) VALUES(?1, ?2, ?3, ?4,"
                  " (strftime('%s', 'now') - 1577836800) * 1000)"
                  " ON CONFLICT(hash) DO NOTHING",
    [REVOKE] = ROAM_TOKEN_REVOKE("hash = ?1"),
    [REVOKE_ID] =
        ROAM_TOKEN_REVOKE("lower(substr(hex(hash), 1, 16)) = lower(?1)"),
    [REVOKE_NEXT] = ROAM_TOKEN_REVOKE("id = (SELECT id FROM token"
                                      " WHERE user = ?1 AND " OF_DEVICE
                                      " AND revoked = 0 LIMIT 1)"),
    /* As roam_slot_end() does. */
    [FREE_SLOTS] = "UPDATE slot SET device = 0, generation = generation + 1,"
                   " attempt = 0, since_ms = 0, seen_ms = 0 WHERE user = ?1"
                   " AND device IN (SELECT id FROM device WHERE user = ?1"
                   " AND " OF_DEVICE ")",
    [NAME_USER] = "UPDATE user SET title = ?2 WHERE id = ?1",
    [BLOCK] = "INSERT INTO block(user, other) VALUES(?1, ?2)"
              " ON CONFLICT DO NOTHING",
    [UNBLOCK] = "DELETE FROM block WHERE user = ?1 AND other = ?2",
    [COUNT_BLOCKS] = "UPDATE user SET blocks = (SELECT count(*) FROM block"
                     " WHERE user = ?1) WHERE id = ?1",
    [NOTE_CHANGE] = "UPDATE provision SET changes = changes + 1"};

struct roam_admin {
    sqlite3 *db;
    sqlite3_stmt *stmt[STATEMENT_COUNT];
};

struct roam_admin *roam_admin_open(const char *path, bool create, char *error,
                                   size_t cap)
{
    struct roam_admin *admin = roam__alloc(sizeof(*admin));

    if (admin == NULL) {
        snprintf(error, cap, "out of memory");
        return NULL;
    }
    admin->db = roam_db_open(path, create, error, cap);
    if (admin->db == NULL || !roam_db_prepare(admin->db, sql, STATEMENT_COUNT,
                                              admin->stmt, error, cap)) {
        roam_admin_close(admin);
        return NULL;
    }
    return admin;
}

void roam_admin_close(struct roam_admin *admin)
{
    if (admin != NULL) {
        roam_db_close(admin->db);
        free(admin);
    }
}

/* One row must change; `otherwise` says what it means when none does. */
static bool change_one(struct roam_admin *admin, sqlite3_stmt *stmt,
                       const char *otherwise, char *error, size_t cap)
{
    if (roam_db_run(stmt) != SQLITE_OK) {
        snprintf(error, cap, "%s", sqlite3_errmsg(admin->db));
        return false;
    }
    if (sqlite3_changes(admin->db) != 1) {
        snprintf(error, cap, "%s", otherwise);
        return false;
    }
    return true;
}

static struct roam_slice text_of(const char *s)
{
    return (struct roam_slice){(const uint8_t *)s, strlen(s)};
}

bool roam_admin_add_user(struct roam_admin *admin, const char *user,
                         char *error, size_t cap)
{
    size_t len = strlen(user);

    if (len == 0 || len > ROAM_USER_MAX || !roam_utf8_valid(user, len)) {
        snprintf(error, cap, "a user name is UTF-8 text of 1 to %u bytes",
                 ROAM_USER_MAX);
        return false;
    }
    if (user[0] == '#') {
        snprintf(error, cap, "a user name does not begin with #: groups do");
        return false;
    }
    roam_db_bind_text(admin->stmt[ADD_USER], 1, text_of(user));
    return change_one(admin, admin->stmt[ADD_USER],
                      "there is a user of that name already", error, cap);
}

static bool find_user(struct roam_admin *admin, const char *user,
                      int64_t *number, char *error, size_t cap)
{
    sqlite3_stmt *stmt = admin->stmt[FIND_USER];

    roam_db_bind_text(stmt, 1, text_of(user));
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        *number = sqlite3_column_int64(stmt, 0);
    } else {
        snprintf(error, cap, "%s",
                 rc == SQLITE_DONE ? "there is no user of that name"
                                   : sqlite3_errmsg(admin->db));
    }
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW;
}

/* Runs the statements in one transaction, with what makes a server look
 * again. */
static bool change_user(struct roam_admin *admin, sqlite3_stmt *first,
                        sqlite3_stmt *second, char *error, size_t cap)
{
    bool ok = roam_db_exec(admin->db, "BEGIN IMMEDIATE") == SQLITE_OK &&
              roam_db_run(first) == SQLITE_OK &&
              (second == NULL || roam_db_run(second) == SQLITE_OK) &&
              roam_db_run(admin->stmt[NOTE_CHANGE]) == SQLITE_OK &&
              roam_db_exec(admin->db, "COMMIT") == SQLITE_OK;

    if (!ok) {
        snprintf(error, cap, "%s", sqlite3_errmsg(admin->db));
        roam_db_exec(admin->db, "ROLLBACK");
    }
    return ok;
}

bool roam_admin_name_user(struct roam_admin *admin, const char *user,
                          const char *name, char *error, size_t cap)
{
    sqlite3_stmt *stmt = admin->stmt[NAME_USER];
    size_t len = strlen(name);
    int64_t number;

    if (len > ROAM_NAME_MAX || !roam_utf8_valid(name, len)) {
        snprintf(error, cap, "what people read is UTF-8 text of up to %u bytes",
                 ROAM_NAME_MAX);
        return false;
    }
    if (!find_user(admin, user, &number, error, cap)) {
        return false;
    }
    sqlite3_bind_int64(stmt, 1, number);
    roam_db_bind_text(stmt, 2, text_of(name));
    return change_user(admin, stmt, NULL, error, cap);
}

bool roam_admin_block_user(struct roam_admin *admin, const char *user,
                           const char *other, bool blocked, char *error,
                           size_t cap)
{
    sqlite3_stmt *stmt = admin->stmt[blocked ? BLOCK : UNBLOCK];
    sqlite3_stmt *count = admin->stmt[COUNT_BLOCKS];
    int64_t number;
    int64_t other_number;

    if (!find_user(admin, user, &number, error, cap) ||
        !find_user(admin, other, &other_number, error, cap)) {
        return false;
    }
    if (number == other_number) {
        snprintf(error, cap, "nobody can be blocked by themselves");
        return false;
    }
    sqlite3_bind_int64(stmt, 1, number);
    sqlite3_bind_int64(stmt, 2, other_number);
    sqlite3_bind_int64(count, 1, number);
    return change_user(admin, stmt, count, error, cap);
}

/* Binds the token's hash; bad tokens have none. */
static bool bind_hash(sqlite3_stmt *stmt, const char *token, char *error,
                      size_t cap)
{
    uint8_t hash[ROAM_TOKEN_HASH_BYTES];
    size_t len = strlen(token);

    if (len == 0 || len > ROAM_TOKEN_MAX || !roam_utf8_valid(token, len)) {
        snprintf(error, cap, "a token is UTF-8 text of 1 to %u bytes",
                 ROAM_TOKEN_MAX);
        return false;
    }
    if (!roam_token_hash(token, hash) ||
        sqlite3_bind_blob(stmt, 1, hash, sizeof(hash), SQLITE_TRANSIENT) !=
            SQLITE_OK) {
        snprintf(error, cap, "out of memory");
        return false;
    }
    return true;
}

bool roam_admin_add_token(struct roam_admin *admin, const char *user,
                          const char *token, uint32_t device_type,
                          uint64_t expires_ms, char *error, size_t cap)
{
    sqlite3_stmt *stmt = admin->stmt[ADD_TOKEN];
    int64_t number;

    if (expires_ms > ROAM_VERSION_MAX) {
        snprintf(error, cap, "the expiry is out of range");
        return false;
    }
    if (!find_user(admin, user, &number, error, cap) ||
        !bind_hash(stmt, token, error, cap)) {
        return false;
    }
    sqlite3_bind_int64(stmt, 2, number);
    sqlite3_bind_int64(stmt, 3, device_type);
    roam_db_bind_u64(stmt, 4, expires_ms);
    return change_one(admin, stmt, "that token was issued before", error, cap);
}

bool roam_admin_revoke_token(struct roam_admin *admin, const char *token,
                             char *error, size_t cap)
{
    sqlite3_stmt *stmt = admin->stmt[REVOKE];

    return bind_hash(stmt, token, error, cap) &&
           change_one(admin, stmt, "there is no such token", error, cap);
}

bool roam_admin_revoke_token_id(struct roam_admin *admin, const char *id,
                                char *error, size_t cap)
{
    sqlite3_stmt *stmt = admin->stmt[REVOKE_ID];

    roam_db_bind_text(stmt, 1, text_of(id));
    return change_one(admin, stmt, "there is no token of that id", error, cap);
}

/* Runs it for one device of the user; *count rises by the rows changed. */
static bool change_device(struct roam_admin *admin, enum statement which,
                          int64_t user, const char *device, int *count)
{
    sqlite3_stmt *stmt = admin->stmt[which];

    sqlite3_bind_int64(stmt, 1, user);
    roam_db_bind_text(stmt, 2, text_of(device));
    if (roam_db_run(stmt) != SQLITE_OK) {
        return false;
    }
    *count += sqlite3_changes(admin->db);
    return true;
}

/* Each token has a place of its own among the revoked. */
static bool end_device(struct roam_admin *admin, int64_t user,
                       const char *device, int *count)
{
    int before;
    bool ok = change_device(admin, FREE_SLOTS, user, device, count);

    do {
        before = *count;
        ok = ok && change_device(admin, REVOKE_NEXT, user, device, count);
    } while (ok && *count > before);
    return ok;
}

bool roam_admin_end_session(struct roam_admin *admin, const char *user,
                            const char *device, char *error, size_t cap)
{
    int64_t number;
    int count = 0;

    if (strlen(device) != 2 * (size_t)ROAM_DEVICE_ID_BYTES) {
        snprintf(error, cap, "a device is named by %u hex digits",
                 2 * ROAM_DEVICE_ID_BYTES);
        return false;
    }
    if (!find_user(admin, user, &number, error, cap)) {
        return false;
    }
    bool ok = roam_db_exec(admin->db, "BEGIN IMMEDIATE") == SQLITE_OK &&
              end_device(admin, number, device, &count) &&
              roam_db_exec(admin->db, "COMMIT") == SQLITE_OK;
    if (!ok) {
        snprintf(error, cap, "%s", sqlite3_errmsg(admin->db));
        roam_db_exec(admin->db, "ROLLBACK");
    } else if (count == 0) {
        snprintf(error, cap, "that user is logged in on no such device");
    }
    return ok && count > 0;
}
