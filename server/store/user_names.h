/* SPDX-License-Identifier: Apache-2.0 */
/* Users by name and by number, with a cache of constant size in front of the
 * table. A number below 0 is a group's, whose title is its name: see groups.h.
 * A user is never removed, and its name, which is its id, never
 * changes; the title that people read and whether it blocks somebody do, by
 * another process, which is noticed at each refresh. One per connection.
 * Inside server/store/ only. */
#ifndef ROAM_USER_NAMES_H
#define ROAM_USER_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "roam_limits.h"
#include "slice.h"

struct roam_user_name {
    int64_t user; /* 0: empty */
    uint8_t len;
    uint8_t title_len;
    bool blocks; /* somebody */
    char text[ROAM_USER_MAX];
    char title[ROAM_NAME_MAX];
};

struct roam_user_names;

/* db is kept. NULL with a reason in error. */
struct roam_user_names *roam_user_names_new(sqlite3 *db, char *error,
                                            size_t cap);
/* Before the connection is closed. NULL is fine. */
void roam_user_names_free(struct roam_user_names *names);

/* The user's number, or 0 when there is none. name is borrowed. False on an
 * SQLite error. */
bool roam_user_names_find(struct roam_user_names *names, struct roam_slice name,
                          int64_t *user);

/* The name of an existing user, valid until the next call; len 0 on an
 * SQLite error or a number that no user has. */
struct roam_slice roam_user_names_get(struct roam_user_names *names,
                                      int64_t user);
/* All that is known of an existing user, valid until the next call; NULL on
 * an SQLite error or a number that no user has. */
const struct roam_user_name *roam_user_names_entry(
    struct roam_user_names *names, int64_t user);

/* Forgets what another process has changed since the last call: once in a
 * transaction, before names are used. False on an SQLite error. */
bool roam_user_names_refresh(struct roam_user_names *names);

#endif
