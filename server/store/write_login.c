/* SPDX-License-Identifier: Apache-2.0 */
/* LOGIN and LOGOUT inside the transaction. Who may have the slot is decided
 * by arbitration.c, whether user and token are good by credential.c; here
 * is who asks, what is kept, and what the user is told. [LOGIN-10] to
 * [LOGIN-16], [DEV-7] to [DEV-9] */
#include "writer.h"

#include <string.h>

#include "../core/fault.h"
#include "credential.h"
#include "db.h"
#include "post.h"

/* The number of a device that was never granted anything; no row has it. */
#define NO_DEVICE_YET INT64_C(-1)

static struct roam_slice text_of(const char *s)
{
    return (struct roam_slice){(const uint8_t *)s, strlen(s)};
}

static bool find_device(struct roam_writer *w, int64_t user,
                        const struct roam_store_login *login, int64_t *device,
                        bool *held)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_DEVICE];
    struct roam_slice id = {login->device_id, sizeof(login->device_id)};

    sqlite3_bind_int64(stmt, 1, user);
    sqlite3_bind_int64(stmt, 2, login->device_type);
    roam_db_bind_blob(stmt, 3, id);
    int rc = sqlite3_step(stmt);
    *device = rc == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : NO_DEVICE_YET;
    *held = rc == SQLITE_ROW && sqlite3_column_int(stmt, 1) != 0 &&
            !ROAM_FAULT("former-holders-forgotten");
    sqlite3_reset(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE;
}

/* Writes the device's row, and makes it if there is none: only a device
 * that was granted a slot costs one. */
static bool save_device(struct roam_writer *w, int64_t user,
                        const struct roam_store_login *login, int64_t *device)
{
    struct roam_slice id = {login->device_id, sizeof(login->device_id)};
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_DEVICE_GRANT];

    if (*device != NO_DEVICE_YET) {
        sqlite3_bind_int64(stmt, 1, *device);
        roam_db_bind_text(stmt, 2, text_of(login->device_name));
        roam_db_bind_text(stmt, 3, text_of(login->software));
        return roam_db_run(stmt) == SQLITE_OK;
    }
    stmt = w->stmt[ROAM_WRITER_DEVICE_ADD];
    sqlite3_bind_int64(stmt, 1, user);
    sqlite3_bind_int64(stmt, 2, login->device_type);
    roam_db_bind_blob(stmt, 3, id);
    roam_db_bind_text(stmt, 4, text_of(login->device_name));
    roam_db_bind_text(stmt, 5, text_of(login->software));
    if (roam_db_run(stmt) != SQLITE_OK) {
        return false;
    }
    *device = sqlite3_last_insert_rowid(w->db);
    return true;
}

bool roam_writer_save_slot(struct roam_writer *w, int64_t user, uint32_t type,
                           const struct roam_slot *slot, uint64_t seen_ms)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_SLOT_SET];

    sqlite3_bind_int64(stmt, 1, user);
    sqlite3_bind_int64(stmt, 2, type);
    sqlite3_bind_int64(stmt, 3, slot->device);
    roam_db_bind_u64(stmt, 4, slot->generation);
    roam_db_bind_u64(stmt, 5, slot->attempt);
    roam_db_bind_u64(stmt, 6, slot->since_ms);
    roam_db_bind_u64(stmt, 7, seen_ms);
    return roam_db_run(stmt) == SQLITE_OK;
}

/* The slot as it is after the decision, for LOGIN_OK, REFUSED and KICK. */
static bool tell_holder(struct roam_writer *w, const struct roam_slot *slot,
                        struct roam_store_login *login)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_DEVICE_NAME];

    login->generation = slot->generation;
    login->has_holder = slot->device != 0;
    if (!login->has_holder) {
        return true;
    }
    login->holder_type = login->device_type;
    login->holder_since_ms = slot->since_ms;
    sqlite3_bind_int64(stmt, 1, slot->device);
    bool found = sqlite3_step(stmt) == SQLITE_ROW;
    if (found) {
        struct roam_slice name = roam_db_column(stmt, 0);
        found = name.len < sizeof(login->holder_name);
        if (found && name.len > 0) {
            memcpy(login->holder_name, name.data, name.len);
        }
    }
    sqlite3_reset(stmt);
    return found;
}

/* The device that a token is first used by keeps it. [DEV-1] */
static bool bind_token(struct roam_writer *w, struct roam_store_login *login)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_TOKEN_BIND];
    struct roam_slice id = {login->device_id, sizeof(login->device_id)};

    sqlite3_bind_int64(stmt, 1, login->token_number);
    roam_db_bind_blob(stmt, 2, id);
    return ROAM_FAULT("token-unbound") || roam_db_run(stmt) == SQLITE_OK;
}

static bool count_revocations(struct roam_writer *w, uint64_t *count)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_REVOCATIONS];

    bool ok = sqlite3_step(stmt) == SQLITE_ROW;
    *count = ok ? roam_db_u64(stmt, 0) : 0;
    sqlite3_reset(stmt);
    return ok;
}

/* Is this a device to tell its user of? Not the first one, nor one that has
 * been granted a slot before, be it of another type. */
static bool look_for_news(struct roam_writer *w, int64_t user, int64_t device,
                          const struct roam_store_login *login, bool *yes)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_DEVICE_KNOWN];
    struct roam_slice id = {login->device_id, sizeof(login->device_id)};

    *yes = w->settings.announce_devices && ROAM_FAULT("device-told-again");
    if (!w->settings.announce_devices || device != NO_DEVICE_YET) {
        return true;
    }
    sqlite3_bind_int64(stmt, 1, user);
    roam_db_bind_blob(stmt, 2, id);
    bool ok = sqlite3_step(stmt) == SQLITE_ROW;
    bool others = ok && sqlite3_column_int(stmt, 0) != 0;
    bool known = ok && sqlite3_column_int(stmt, 1) != 0;
    sqlite3_reset(stmt);
    *yes = *yes || ((others || ROAM_FAULT("first-device-told")) && !known &&
                    !ROAM_FAULT("device-untold"));
    return ok;
}

/* A row of nobody's history, and an entry for the user's devices. */
static bool announce(struct roam_writer *w, int64_t user,
                     struct roam_store_request *req)
{
    struct roam_store_login *login = &req->u.login;
    struct roam_post post = {.req = req,
                             .send = &login->news,
                             .receiver = user,
                             .part = ROAM_PART_PRIVATE};
    bool added;

    roam_store_login_announce(login, user);
    return roam_post_add(w, &post, &added) && added &&
           roam_post_prepare(w, &post) && roam_post_deliver_own(w, &post);
}

static bool grant(struct roam_writer *w, int64_t user, int64_t device,
                  struct roam_slot *slot, struct roam_store_request *req)
{
    struct roam_store_login *login = &req->u.login;
    bool news;

    if (!look_for_news(w, user, device, login, &news) ||
        !save_device(w, user, login, &device)) {
        return false;
    }
    slot->device = device;
    login->identity = (struct roam_identity){.user = user,
                                             .device = device,
                                             .device_type = login->device_type,
                                             .generation = slot->generation,
                                             .attempt = slot->attempt};
    return bind_token(w, login) && count_revocations(w, &login->revocations) &&
           (ROAM_FAULT("login-not-stored") ||
            roam_writer_save_slot(w, user, login->device_type, slot,
                                  login->now_ms)) &&
           (!news || announce(w, user, req)) &&
           roam_timelines_head(&w->timelines, user, &login->head) &&
           roam_timelines_floor(&w->timelines, user, &login->floor);
}

bool roam_write_login(struct roam_writer *w, struct roam_store_request *req)
{
    struct roam_store_login *login = &req->u.login;
    struct roam_slot slot;
    int64_t user;
    int64_t device;
    bool held;

    if (!roam_credential_check(w->stmt[ROAM_WRITER_USER],
                               w->stmt[ROAM_WRITER_TOKEN], login, &user)) {
        return false;
    }
    if (login->refused != 0) {
        return !ROAM_FAULT("failed-logins-are-stored") ||
               sqlite3_exec(w->db, "UPDATE user SET id = id", NULL, NULL,
                            NULL) == SQLITE_OK;
    }
    if (!roam_writer_slot(w, user, login->device_type, &slot) ||
        !find_device(w, user, login, &device, &held)) {
        return false;
    }
    login->refused = roam_slot_login(&slot, device, login->attempt,
                                     login->take_over, held, login->now_ms);
    if (login->refused == 0 && !grant(w, user, device, &slot, req)) {
        return false;
    }
    return tell_holder(w, &slot, login);
}

bool roam_write_logout(struct roam_writer *w, struct roam_store_logout *logout)
{
    const struct roam_identity *who = &logout->identity;
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_DEVICE_LEAVE];
    struct roam_slot slot;

    if (!roam_writer_slot(w, who->user, who->device_type, &slot)) {
        return false;
    }
    logout->fenced = !roam_slot_logout(&slot, who);
    logout->unheld = slot.device == 0;
    logout->generation = slot.generation;
    if (logout->fenced) {
        return true;
    }
    sqlite3_bind_int64(stmt, 1, who->device);
    return roam_db_run(stmt) == SQLITE_OK &&
           roam_writer_save_slot(w, who->user, who->device_type, &slot, 0);
}
