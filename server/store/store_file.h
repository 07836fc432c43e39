/* SPDX-License-Identifier: Apache-2.0 */
/* The store as a file that an operator has to look after: copies that are
 * whole, going back to one, and what is wrong with it. Each call opens and
 * closes the file by itself; a server may run, except where it is said.
 *
 * Words: a *backup* is one file, in no use, that holds a state the store had
 * between two commits. An *invariant* is what every commit keeps; one that
 * does not hold is damage, or a bug. */
#ifndef ROAM_STORE_FILE_H
#define ROAM_STORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line for the operator, without its end. line is borrowed. */
typedef void (*roam_line_fn)(void *ctx, const char *line);

/* Copies the store at `path` to `to`, which appears whole, synced and
 * readable by its owner alone, or not at all. A backup that was there, of any
 * version, is replaced, and nothing else. The server goes on writing meanwhile.
 *
 * False with one line of reason in error (cap bytes): `path` is no store of
 * this version, `to` is part of it or something else than a backup, or a
 * write failed. */
bool roam_store_backup(const char *path, const char *to, char *error,
                       size_t cap);

/* Puts the backup `from` in the place of the store at `path`, if it is a
 * store of this version in which everything holds. What was there is kept
 * beside it, under roam_store_kept_suffix; the one before that is gone.
 * Needs room for a copy.
 *
 * False with one line of reason in error: a server runs, `from` is not good
 * (fn is told each thing that is wrong), or a write failed. Where it failed
 * the store is as it was, or the same call again completes the work. */
bool roam_store_restore(const char *from, const char *path, roam_line_fn fn,
                        void *ctx, char *error, size_t cap);
extern const char roam_store_kept_suffix[];

/* Reads all of the store and tells fn what does not hold, `NAME: what`, at
 * most ROAM_CHECK_LINES_MAX lines for each invariant. *bad becomes the
 * number of invariants that do not hold.
 *
 * False with one line of reason in error: the file cannot be read, or is no
 * store of this version. */
#define ROAM_CHECK_LINES_MAX 20
bool roam_store_check(const char *path, roam_line_fn fn, void *ctx, size_t *bad,
                      char *error, size_t cap);

/* A number that tells how much is stored. */
typedef void (*roam_count_fn)(void *ctx, const char *name, const char *meaning,
                              uint64_t count);
/* Tells fn all of them, from one state of the store, in the same order
 * always. now_ms: since 2020-01-01 UTC. False with a reason in error. */
bool roam_store_count(const char *path, uint64_t now_ms, roam_count_fn fn,
                      void *ctx, char *error, size_t cap);

/* Tells the names of all users, by name. False with a reason in error. */
typedef void (*roam_user_fn)(void *ctx, const char *name);
bool roam_store_list_users(const char *path, roam_user_fn fn, void *ctx,
                           char *error, size_t cap);

/* What is known of a token. The token itself is not. */
struct roam_token_row {
    const char *id; /* the first ROAM_TOKEN_ID_CHARS hex digits of its hash */
    const char *user;
    uint32_t device_type; /* 0: any */
    uint64_t created_ms;  /* since 2020-01-01 UTC */
    uint64_t expires_ms;  /* likewise; 0: never */
    bool revoked;
    const char *device; /* hex digits of the device it is bound to; "": none */
};
typedef void (*roam_token_fn)(void *ctx, const struct roam_token_row *row);
#define ROAM_TOKEN_ID_CHARS 16
/* Tells the tokens of `user`, of all users when NULL, by user and id. False
 * with a reason in error, also when there is no such user. */
bool roam_store_list_tokens(const char *path, const char *user,
                            roam_token_fn fn, void *ctx, char *error,
                            size_t cap);

/* A slot that a device holds. Whether its session is live, the server knows. */
struct roam_held_slot {
    uint32_t device_type;
    const char *device; /* hex digits of the device_id */
    uint64_t generation;
    uint64_t since_ms; /* since 2020-01-01 UTC: it took the slot */
    uint64_t seen_ms;  /* likewise: its last session began, or ended */
    const char *name, *software; /* as the device said, any UTF-8 */
};
typedef void (*roam_held_slot_fn)(void *ctx, const struct roam_held_slot *row);
/* Tells the slots of `user` that are held, by device type. False with a reason
 * in error, also when there is no such user. */
bool roam_store_list_sessions(const char *path, const char *user,
                              roam_held_slot_fn fn, void *ctx, char *error,
                              size_t cap);

/* Locks the store at `path` against servers and restores for as long as the
 * descriptor is open. -1 with a reason in error. */
int roam_store_lock(const char *path, char *error, size_t cap);

/* When root made the file of a store at `path`: gives it to the owner of the
 * directory, so that a server under its own user can open it. False with
 * errno. */
bool roam_store_give_away(int fd, const char *path);

#endif
