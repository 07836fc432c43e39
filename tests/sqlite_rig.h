/* SPDX-License-Identifier: Apache-2.0 */
/* A SQLite store in a temporary directory, and requests that are waited for
 * one by one. */
#ifndef SQLITE_RIG_H
#define SQLITE_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store_sqlite.h"

#define RIG_PATH_MAX 256
/* 2026-05-04, a wall clock for tests. */
#define RIG_NOW_MS UINT64_C(200000000000)

struct sqlite_rig {
    char dir[RIG_PATH_MAX];
    char path[RIG_PATH_MAX + 16];
    struct roam_store_keep keep;         /* likewise */
    struct roam_store_settings settings; /* of the next rig_open() */
    struct roam_store *store;            /* NULL: closed */
    bool crafted; /* the test writes rows of its own: what holds of all that
                     requests write need not hold at its end */
};

/* Makes the directory, without a store. */
void rig_setup(struct sqlite_rig *rig);
/* Closes and removes all. */
void rig_teardown(struct sqlite_rig *rig);

void rig_open(struct sqlite_rig *rig);
void rig_close(struct sqlite_rig *rig);

/* A user with a token for each of 20 devices: the user's name for device 1,
 * else "name-N". */
void rig_add_user(struct sqlite_rig *rig, const char *user);

/* Submits, and waits for the answer; false when the store failed instead.
 * Free it with roam_store_request_free() if true. */
bool rig_do(struct sqlite_rig *rig, struct roam_store_request *req);
/* Polls until done() was called for one more of the requests that were given
 * it; false when the store has failed. */
bool rig_wait(struct sqlite_rig *rig);
/* Until the store has called its wake function once more. */
void rig_sleep(void);
/* The done() for requests that rig_wait() waits for; see rig_last(). */
void rig_done(struct roam_store_request *req);
/* The request of the last done(). */
struct roam_store_request *rig_last(void);

/* A login that must be granted; device n is always the same device. */
struct roam_identity rig_login(struct sqlite_rig *rig, const char *user,
                               uint32_t type, uint8_t device, uint64_t attempt,
                               uint64_t take_over);

struct roam_store_request *rig_send_request(const struct roam_identity *from,
                                            const char *to, uint64_t id,
                                            const char *body, uint64_t now_ms);
/* A SEND that must be answered; its result, and the msg_id. */
enum roam_send_result rig_send(struct sqlite_rig *rig,
                               const struct roam_identity *from, const char *to,
                               uint64_t id, const char *body, uint64_t now_ms,
                               uint64_t *msg_id);

/* The whole timeline of a user, as a device gets it that sent nothing: the
 * request, and the answered request, to be freed. */
struct roam_store_request *rig_read_request(int64_t user);
struct roam_store_request *rig_read(struct sqlite_rig *rig, int64_t user);
/* Fails the test unless the entries are a chain from 0. */
void rig_check_chain(const struct roam_store_read *read);

#endif
