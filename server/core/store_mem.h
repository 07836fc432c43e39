/* SPDX-License-Identifier: Apache-2.0 */
/* The store in memory, with the SQLite store's semantics: for tests and the
 * simulator. Requests are done at the poll() after their submit(). An
 * allocation that fails inside a write counts as a failed commit. */
#ifndef ROAM_STORE_MEM_H
#define ROAM_STORE_MEM_H

#include "core.h"

/* random: for the version skip after a restart; may be NULL: no skip. */
struct roam_store *roam_store_mem_new(roam_random_fn random, void *ctx);

/* What is kept for how long. Until this is called: client_msg_ids for seven
 * days, the rest without limit. */
void roam_store_mem_set_keep(struct roam_store *store,
                             const struct roam_store_keep *keep);
/* How long a client_msg_id is remembered, of that alone. */
void roam_store_mem_set_dedup(struct roam_store *store, uint64_t dedup_ms);

/* What SENDs are judged by; all zero until this is called. */
void roam_store_mem_set_settings(struct roam_store *store,
                                 const struct roam_store_settings *settings);

/* Provisioning; false without memory or when the user exists / is unknown.
 * device_type 0: any. expires_ms: since 2020-01-01 UTC, 0: never. */
bool roam_store_mem_add_user(struct roam_store *store, const char *user);
bool roam_store_mem_add_token(struct roam_store *store, const char *user,
                              const char *token, uint32_t device_type,
                              uint64_t expires_ms);
bool roam_store_mem_revoke_token(struct roam_store *store, const char *token);
bool roam_store_mem_name_user(struct roam_store *store, const char *user,
                              const char *name);
bool roam_store_mem_block_user(struct roam_store *store, const char *user,
                               const char *other, bool blocked);

/* A server restart: requests in the queue are dropped as a crash would drop
 * them (commit_first: after committing them, before answering), caches are
 * forgotten, and the next entry of each timeline skips versions. */
void roam_store_mem_restart(struct roam_store *store, bool commit_first);
/* The next commit fails: poll() returns ROAM_STORE_FAILED at the next write,
 * and answers nothing until a restart. committed: what was queued is stored
 * all the same. */
void roam_store_mem_fail_next(struct roam_store *store, bool committed);
/* Removes entries up to and including `upto` from a user's timeline (never
 * the newest). */
void roam_store_mem_trim(struct roam_store *store, const char *user,
                         uint64_t upto);
/* For checkers: calls fn for each retained entry, in order, as a device sees
 * it that sent none of them. */
typedef void (*roam_store_mem_entry_fn)(void *ctx, const struct roam_entry *e);
void roam_store_mem_walk(struct roam_store *store, const char *user,
                         roam_store_mem_entry_fn fn, void *ctx);

#endif
