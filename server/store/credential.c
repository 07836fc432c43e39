/* SPDX-License-Identifier: Apache-2.0 */
/* See credential.h. */
#include "credential.h"

#include <string.h>

#include "db.h"
#include "fault.h"
#include "roam.pb.h"
#include "token_hash.h"

struct token {
    uint8_t hash[ROAM_TOKEN_HASH_BYTES]; /* all zero: there is none */
    int64_t user;
    uint32_t device_type; /* 0: any */
    uint64_t expires_ms;  /* 0: never */
    bool revoked;
    int64_t id;
    bool bound; /* to this device */
    uint8_t device_id[ROAM_DEVICE_ID_BYTES];
};

/* *user is 0 when there is none of that name. */
static bool find_user(sqlite3_stmt *stmt, const char *name, int64_t *user)
{
    const struct roam_slice text = {(const uint8_t *)name, strlen(name)};

    roam_db_bind_text(stmt, 1, text);
    int rc = sqlite3_step(stmt);
    *user = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

static bool find_token(sqlite3_stmt *stmt,
                       const uint8_t hash[ROAM_TOKEN_HASH_BYTES],
                       struct token *t)
{
    *t = (struct token){.user = 0};
    sqlite3_bind_blob(stmt, 1, hash, ROAM_TOKEN_HASH_BYTES, SQLITE_STATIC);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        struct roam_slice stored = roam_db_column(stmt, 0);
        if (stored.len == sizeof(t->hash)) {
            memcpy(t->hash, stored.data, sizeof(t->hash));
        }
        t->user = sqlite3_column_int64(stmt, 1);
        t->device_type = (uint32_t)sqlite3_column_int64(stmt, 2);
        t->expires_ms = roam_db_u64(stmt, 3);
        t->revoked = sqlite3_column_int64(stmt, 4) != 0;
        t->id = sqlite3_column_int64(stmt, 5);
        struct roam_slice device = roam_db_column(stmt, 6);
        t->bound = device.len == sizeof(t->device_id);
        if (t->bound) {
            memcpy(t->device_id, device.data, device.len);
        }
    }
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* Looks at every byte, wherever they differ. */
static bool same_hash(const uint8_t *a, const uint8_t *b)
{
    unsigned differing = 0;

    for (int i = 0; i < ROAM_TOKEN_HASH_BYTES; i++) {
        differing |= (unsigned)(a[i] ^ b[i]);
    }
    return differing == 0;
}

bool roam_credential_check(sqlite3_stmt *user_stmt, sqlite3_stmt *token_stmt,
                           struct roam_store_login *login, int64_t *user)
{
    uint8_t hash[ROAM_TOKEN_HASH_BYTES];
    struct token t;

    login->refused = 0;
    if (!roam_token_hash(login->token, hash) ||
        !find_user(user_stmt, login->user, user) ||
        !find_token(token_stmt, hash, &t)) {
        return false;
    }
    bool same = same_hash(hash, t.hash);
    if (!same || *user == 0 || t.user != *user || t.revoked) {
        login->refused = roam_v1_RefusedReason_CREDENTIAL;
    } else if (t.expires_ms != 0 && login->now_ms >= t.expires_ms &&
               !ROAM_FAULT("type-before-expiry")) {
        login->refused = roam_v1_RefusedReason_TOKEN_EXPIRED;
    } else if (t.device_type != 0 && t.device_type != login->device_type) {
        login->refused = roam_v1_RefusedReason_TYPE_FORBIDDEN;
    } else if (t.bound && memcmp(t.device_id, login->device_id,
                                 sizeof(t.device_id)) != 0) {
        login->refused = roam_v1_RefusedReason_TOKEN_BOUND;
    }
    login->token_number = t.id;
    login->token_expires_ms = t.expires_ms;
    return true;
}
