/* SPDX-License-Identifier: Apache-2.0 */
/* Two direct-mapped tables: a user takes the place of whoever was there. */
#include "user_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/fault.h"
#include "db.h"

/* 2 x 128 bytes each: 1 MB, and every user of a small server is in it. */
#define CACHE_SIZE 4096u

enum statement {
    BY_NAME,
    BY_NUMBER,
    GROUP_BY_NUMBER,
    CHANGES,
    STATEMENT_COUNT
};

static const char *const sql[STATEMENT_COUNT] = {
    [BY_NAME] = "SELECT id FROM user WHERE name = ?1",
    [BY_NUMBER] = "SELECT name, title, blocks FROM user WHERE id = ?1",
    [GROUP_BY_NUMBER] = "SELECT gid, name, 0 FROM grp WHERE id = -?1",
    [CHANGES] = "SELECT changes FROM provision WHERE id = 1"};

struct roam_user_names {
    sqlite3_stmt *stmt[STATEMENT_COUNT];
    int64_t changes; /* up to which by_number is true */
    struct roam_user_name by_name[CACHE_SIZE];
    struct roam_user_name by_number[CACHE_SIZE];
};

struct roam_user_names *roam_user_names_new(sqlite3 *db, char *error,
                                            size_t cap)
{
    struct roam_user_names *names = calloc(1, sizeof(*names));

    if (names == NULL) {
        snprintf(error, cap, "out of memory");
        return NULL;
    }
    if (!roam_db_prepare(db, sql, STATEMENT_COUNT, names->stmt, error, cap)) {
        roam_user_names_free(names);
        return NULL;
    }
    return names;
}

void roam_user_names_free(struct roam_user_names *names)
{
    if (names == NULL) {
        return;
    }
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(names->stmt[i]);
    }
    free(names);
}

/* FNV-1a. */
static size_t place_of_name(struct roam_slice name)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < name.len; i++) {
        h = (h ^ name.data[i]) * 16777619u;
    }
    return h % CACHE_SIZE;
}

static void remember(struct roam_user_name *place, int64_t user,
                     struct roam_slice name)
{
    place->user = user;
    place->len = (uint8_t)name.len;
    memcpy(place->text, name.data, name.len);
}

bool roam_user_names_find(struct roam_user_names *names, struct roam_slice name,
                          int64_t *user)
{
    struct roam_user_name *place = &names->by_name[place_of_name(name)];
    sqlite3_stmt *stmt = names->stmt[BY_NAME];

    *user = 0;
    if (name.len == 0 || name.len > ROAM_USER_MAX) {
        return true;
    }
    if (place->user != 0 && place->len == name.len &&
        memcmp(place->text, name.data, name.len) == 0) {
        *user = place->user;
        return true;
    }
    roam_db_bind_text(stmt, 1, name);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        *user = sqlite3_column_int64(stmt, 0);
        remember(place, *user, name);
    }
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* Reads the user's row into its place. */
static bool read_entry(sqlite3_stmt *row, int64_t user,
                       struct roam_user_name *place)
{
    struct roam_slice name = roam_db_column(row, 0);
    struct roam_slice title = roam_db_column(row, 1);

    if (name.len == 0 || name.len > ROAM_USER_MAX ||
        title.len > ROAM_NAME_MAX) {
        return false;
    }
    remember(place, user, name);
    if (ROAM_FAULT("names-forgotten")) {
        title.len = 0;
    }
    place->title_len = (uint8_t)title.len;
    if (title.len > 0) {
        memcpy(place->title, title.data, title.len);
    }
    place->blocks = sqlite3_column_int64(row, 2) > 0;
    return true;
}

const struct roam_user_name *roam_user_names_entry(
    struct roam_user_names *names, int64_t user)
{
    struct roam_user_name *place =
        &names->by_number[(uint64_t)user % CACHE_SIZE];
    sqlite3_stmt *stmt = names->stmt[user > 0 ? BY_NUMBER : GROUP_BY_NUMBER];

    if (place->user == user) {
        return place;
    }
    sqlite3_bind_int64(stmt, 1, user);
    bool found =
        sqlite3_step(stmt) == SQLITE_ROW && read_entry(stmt, user, place);
    sqlite3_reset(stmt);
    return found ? place : NULL;
}

struct roam_slice roam_user_names_get(struct roam_user_names *names,
                                      int64_t user)
{
    const struct roam_user_name *entry = roam_user_names_entry(names, user);
    struct roam_slice none = {NULL, 0};

    return entry == NULL
               ? none
               : (struct roam_slice){(const uint8_t *)entry->text, entry->len};
}

bool roam_user_names_refresh(struct roam_user_names *names)
{
    sqlite3_stmt *stmt = names->stmt[CHANGES];
    bool found = sqlite3_step(stmt) == SQLITE_ROW;
    int64_t changes = found ? sqlite3_column_int64(stmt, 0) : 0;

    sqlite3_reset(stmt);
    if (found && changes != names->changes) {
        memset(names->by_number, 0, sizeof(names->by_number));
        names->changes = changes;
    }
    return found;
}
