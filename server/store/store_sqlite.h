/* SPDX-License-Identifier: Apache-2.0 */
/* The durable store: SQLite in WAL mode with synchronous=FULL, one writer
 * thread that commits everything that queued up meanwhile in one
 * transaction, one reader thread with its own connection.
 *
 * A failed commit is an unknown commit: nothing is answered any more. Before
 * the first answer after an open, the log is checkpointed (TRUNCATE), so
 * that nothing is answered from an unsynced page cache. */
#ifndef ROAM_STORE_SQLITE_H
#define ROAM_STORE_SQLITE_H

#include "../core/core.h"

/* Called on a store thread when poll() has work; must be thread-safe. */
typedef void (*roam_store_wake_fn)(void *ctx);

struct roam_store_sqlite_config {
    const char *path;      /* borrowed */
    roam_random_fn random; /* called on the writer thread; NULL: versions
                              are never skipped */
    void *random_ctx;
    struct roam_store_keep keep;
    struct roam_store_settings settings;
    roam_log_fn log; /* called from poll(); may be NULL */
    void *log_ctx;
    roam_store_wake_fn wake; /* may be NULL (tests that spin on poll) */
    void *wake_ctx;
};

/* NULL on failure, with one line of reason in error (cap bytes). Creates the
 * file and, in an empty file, the schema; refuses a schema of another
 * version. A lock on PATH.lock keeps a second server out for as long as the
 * store is open.
 *
 * A client_msg_id is remembered for as long as its message is stored: for
 * history_ms, or for dedup_ms and an hour if that is longer. */
struct roam_store *roam_store_sqlite_open(
    const struct roam_store_sqlite_config *config, char *error, size_t cap);

/* How long commits took: those up to each bound, in microseconds, that are
 * above the bound before; the last one, those above all. */
#define ROAM_COMMIT_BOUNDS 10
extern const uint32_t roam_commit_bounds_us[ROAM_COMMIT_BOUNDS];

struct roam_store_sqlite_stats {
    uint64_t writes_waiting, reads_waiting; /* requests, now */
    uint64_t commits;
    uint64_t commits_us; /* all of them together */
    uint64_t commits_by_time[ROAM_COMMIT_BOUNDS + 1];
    uint64_t lock_waits; /* for other processes */
};
/* Any thread. */
void roam_store_sqlite_get_stats(struct roam_store *store,
                                 struct roam_store_sqlite_stats *out);

/* Why the store failed, one line for the log; valid until close. Only after
 * poll() returned ROAM_STORE_FAILED. */
const char *roam_store_sqlite_error(const struct roam_store *store);

/* Provisioning, from any process, while a server runs or not. All return
 * false with one line of reason. */
struct roam_admin;
struct roam_admin *roam_admin_open(const char *path, bool create, char *error,
                                   size_t cap);
void roam_admin_close(struct roam_admin *admin);
bool roam_admin_add_user(struct roam_admin *admin, const char *user,
                         char *error, size_t cap);
/* What people read instead of the user's id: up to ROAM_NAME_MAX bytes, empty
 * for none. */
bool roam_admin_name_user(struct roam_admin *admin, const char *user,
                          const char *name, char *error, size_t cap);
/* From now on `other` cannot write to `user`, or can again. Nothing changes
 * when it was so before. */
bool roam_admin_block_user(struct roam_admin *admin, const char *user,
                           const char *other, bool blocked, char *error,
                           size_t cap);
/* token: the secret, which the caller drew at random; its SHA-256 is kept.
 * device_type 0: any. expires_ms since 2020-01-01 UTC, 0: never. */
bool roam_admin_add_token(struct roam_admin *admin, const char *user,
                          const char *token, uint32_t device_type,
                          uint64_t expires_ms, char *error, size_t cap);
bool roam_admin_revoke_token(struct roam_admin *admin, const char *token,
                             char *error, size_t cap);
/* The same by the id that store_file.h tells of it. */
bool roam_admin_revoke_token_id(struct roam_admin *admin, const char *id,
                                char *error, size_t cap);

/* Logs a device of the user out for good: frees the slots that it holds and
 * revokes the tokens that are bound to it, in one step. device: the hex digits
 * that store_file.h tells. False also when it has neither. [DEV-6] */
bool roam_admin_end_session(struct roam_admin *admin, const char *user,
                            const char *device, char *error, size_t cap);

/* ------------------------------------------------------------------ groups */

struct roam_admin_group {
    char id[ROAM_CONVERSATION_MAX + 1];
    char name[ROAM_NAME_MAX + 1]; /* what its members say, any UTF-8 */
    uint32_t join;                /* roam_v1_JoinMode */
    bool muted;
    uint32_t members, applicants;
};

struct roam_admin_member {
    char user[ROAM_USER_MAX + 1];
    char name[ROAM_NAME_MAX + 1];
    uint32_t role; /* roam_v1_Role */
    bool muted;
    uint64_t since_ms; /* since 2020-01-01 UTC */
};

/* What is called for each; borrowed. */
struct roam_admin_look {
    void (*group)(void *ctx, const struct roam_admin_group *group);
    void (*member)(void *ctx, const struct roam_admin_member *member);
    void *ctx;
};

/* All groups, the oldest first; or, when id is not empty, that one and who is
 * in it, applicants too, by user id. False with one line of reason, also when
 * there is no such group. */
bool roam_admin_look_at_groups(const char *path, const char *id,
                               const struct roam_admin_look *look, char *error,
                               size_t cap);

#endif
