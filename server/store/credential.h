/* SPDX-License-Identifier: Apache-2.0 */
/* Do user and token of a LOGIN belong together? Asked on the reading side
 * first, so that who has no good credential never comes near a transaction
 * that writes, and again in the transaction that grants, because it may have
 * been revoked meanwhile. [LOGIN-8], [LOGIN-9], [FLOW-12]
 *
 * Whatever is wrong, the same two statements run and one hash is made and
 * compared: an answer's time does not tell whether there is such a user. */
#ifndef ROAM_STORE_CREDENTIAL_H
#define ROAM_STORE_CREDENTIAL_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "../core/store.h"

/* What both sides prepare: by name, and by hash. */
#define ROAM_CREDENTIAL_USER "SELECT id FROM user WHERE name = ?1"
#define ROAM_CREDENTIAL_TOKEN                                                  \
    "SELECT hash, user, device_type, expires_ms, revoked, id, device_id"       \
    " FROM token WHERE hash = ?1"

/* Sets login->refused, 0 when it is good, and *user and the token's number and
 * expiry then. False on an SQLite
 * error, or when a hash cannot be made. */
bool roam_credential_check(sqlite3_stmt *user_stmt, sqlite3_stmt *token_stmt,
                           struct roam_store_login *login, int64_t *user);

#endif
