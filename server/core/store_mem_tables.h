/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the memory store, shared by its files. All memory is freed
 * at close() only, so slices into it outlive every request. */
#ifndef ROAM_STORE_MEM_TABLES_H
#define ROAM_STORE_MEM_TABLES_H

#include "arbitration.h"
#include "store_mem.h"

/* Device types count from 1. */
#define ROAM__MEM_TYPES 7u
#define ROAM__MEM_BUCKETS 1024u

struct roam__mem_device {
    int64_t id;
    uint8_t device_id[ROAM_DEVICE_ID_BYTES];
    uint32_t type;
    char name[ROAM_DEVICE_NAME_MAX + 1];
    uint64_t held; /* order in which devices took the slot; 0: did not, or
                      logged out, or forgotten */
    struct roam__mem_device *next;
};

struct roam__mem_token {
    char text[ROAM_TOKEN_MAX + 1];
    uint32_t type; /* 0: any */
    uint64_t expires_ms;
    bool revoked;
    struct roam__mem_token *next;
};

/* What one user and another have in common. */
struct roam__mem_pair {
    int64_t other;
    uint64_t last_msg_id;
    struct roam__mem_pair *next;
};

struct roam__mem_message {
    struct roam__mem_user *sender, *receiver;
    int64_t device;
    uint64_t generation;
    uint64_t attempt;
    uint64_t client_msg_id;
    uint64_t msg_id;
    uint64_t stored_ms;
    uint32_t kind;
    struct roam_slice content_type, body; /* in data */
    struct roam__mem_message *next_same;  /* bucket of client_msg_ids */
    struct roam__mem_message *next;       /* all, the newest first */
    uint8_t data[];
};

struct roam__mem_entry {
    uint64_t version, prev_version;
    struct roam__mem_message *message;
};

struct roam__mem_user {
    int64_t id;
    char name[ROAM_USER_MAX + 1];
    struct roam__mem_entry *entries; /* retained, in order */
    size_t count, room;
    uint64_t head, floor;
    bool started; /* has written an entry since the last start */
    struct roam_slot slots[ROAM__MEM_TYPES];
    struct roam__mem_device *devices;
    struct roam__mem_token *tokens;
    struct roam__mem_pair *pairs; /* with users of the same or a higher id */
    struct roam__mem_user *next;
};

struct roam__mem {
    struct roam_store store; /* first */
    roam_random_fn random;
    void *random_ctx;
    uint64_t dedup_ms;
    int64_t last_user, last_device;
    uint64_t last_held;
    struct roam__mem_user *users;
    struct roam__mem_message *messages;
    struct roam__mem_message *same[ROAM__MEM_BUCKETS];
    struct roam_store_request *first, *last; /* queue */
    bool fail_next, fail_committed, failed;
};

struct roam__mem_user *roam__mem_user(const struct roam__mem *mem,
                                      const char *name, size_t len);
struct roam__mem_user *roam__mem_user_by_id(const struct roam__mem *mem,
                                            int64_t id);

/* Each carries out one request; false without memory, nothing changed. */
bool roam__mem_login(struct roam__mem *mem, struct roam_store_request *req);
bool roam__mem_logout(struct roam__mem *mem, struct roam_store_request *req);
bool roam__mem_send(struct roam__mem *mem, struct roam_store_request *req);
bool roam__mem_sync(struct roam__mem *mem, struct roam_store_request *req);
bool roam__mem_read(struct roam__mem *mem, struct roam_store_request *req);
bool roam__mem_history(struct roam__mem *mem, struct roam_store_request *req);
bool roam__mem_conversations(struct roam__mem *mem,
                             struct roam_store_request *req);

struct roam_slice roam__mem_name(const struct roam__mem_user *user);
/* A message as one device of one of its two users sees it; version 0. */
void roam__mem_show(struct roam_entry *out, const struct roam__mem_message *m,
                    const struct roam__mem_user *user, int64_t device,
                    uint32_t body_limit);

/* Removes the newest message and its entries, as if its commit had not
 * happened. */
void roam__mem_forget_newest(struct roam__mem *mem);

#endif
