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
    char software[ROAM_SOFTWARE_MAX + 1];
    uint64_t held; /* order in which devices took the slot; 0: did not, or
                      logged out, or forgotten */
    struct roam__mem_device *next;
};

struct roam__mem_token {
    char text[ROAM_TOKEN_MAX + 1];
    uint32_t type; /* 0: any */
    uint64_t expires_ms;
    int64_t id;
    uint64_t revoked; /* its place among those that were; 0: it is good */
    bool bound;       /* to this device */
    uint8_t device_id[ROAM_DEVICE_ID_BYTES];
    struct roam__mem_token *next;
};

/* What one user and another have in common. */
struct roam__mem_pair {
    int64_t other;
    uint64_t last_msg_id;
    struct roam__mem_pair *next;
};

/* One of those who see a private row. */
struct roam__mem_viewer {
    struct roam__mem_user *user;
    struct roam__mem_viewer *next;
};

struct roam__mem_group;

struct roam__mem_message {
    struct roam__mem_user *sender, *receiver;
    bool is_private;                  /* a row of history for viewers alone */
    struct roam__mem_viewer *viewers; /* none: of nobody's history */
    uint64_t undone_by; /* msg_id of what recalled it, or of the READ that
                           took its place */
    int64_t device;
    uint64_t generation;
    uint64_t attempt;
    uint64_t client_msg_id;
    uint64_t msg_id;
    uint64_t stored_ms;
    bool erased; /* too old for history; kept for who still holds slices */
    uint32_t kind;
    struct roam_slice content_type, body; /* in data; kept when recalled, to
                                             know a repetition by */
    struct roam__mem_message *next_same;  /* bucket of client_msg_ids */
    struct roam__mem_message *next;       /* all, the newest first */
    uint8_t data[];
};

struct roam__mem_entry {
    uint64_t version, prev_version;
    struct roam__mem_message *message;
};

/* Up to where a user has read in the conversation with another. */
struct roam__mem_mark {
    struct roam__mem_user *peer;
    uint64_t msg_id;
    struct roam__mem_message *read; /* the READ that says so */
    struct roam__mem_mark *next;
};

struct roam__mem_deletion {
    const struct roam__mem_message *target;
    uint64_t msg_id; /* of the DELETE */
    struct roam__mem_deletion *next;
};

struct roam__mem_block {
    const struct roam__mem_user *other;
    bool lifted;
    struct roam__mem_block *next;
};

/* What people read. A name that was is kept as long as the store: slices of
 * requests under way point into it. */
struct roam__mem_title {
    struct roam__mem_title *before;
    char text[ROAM_NAME_MAX + 1];
};

/* A user; or a group, which is the other party of its members, and of these
 * fields has id (below 0), name and title alone. */
struct roam__mem_user {
    int64_t id;
    struct roam__mem_group *group; /* NULL: a user */
    char name[ROAM_USER_MAX + 1];
    struct roam__mem_title *title;   /* NULL: none */
    struct roam__mem_entry *entries; /* retained, in order */
    size_t count, room;
    uint64_t head, floor;
    bool started; /* has written an entry since the last start */
    struct roam_slot slots[ROAM__MEM_TYPES];
    uint64_t seen_ms[ROAM__MEM_TYPES];
    struct roam__mem_device *devices;
    struct roam__mem_token *tokens;
    struct roam__mem_pair *pairs; /* with users of the same or a higher id */
    struct roam__mem_mark *marks;
    struct roam__mem_deletion *deletions;
    struct roam__mem_block *blocks;
    struct roam__mem_user *next;
};

struct roam__mem {
    struct roam_store store; /* first */
    roam_random_fn random;
    void *random_ctx;
    struct roam_store_keep keep;
    struct roam_store_settings settings;
    int64_t last_user, last_device, last_token;
    uint64_t revocations;
    uint64_t last_held;
    uint64_t last_group;
    struct roam__mem_user *users;
    struct roam__mem_group *groups; /* see store_mem_groups.h */
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
bool roam__mem_members(struct roam__mem *mem, struct roam_store_request *req);
bool roam__mem_seen(struct roam__mem *mem, struct roam_store_request *req);
bool roam__mem_sessions(struct roam__mem *mem, struct roam_store_request *req);
bool roam__mem_end_session(struct roam__mem *mem,
                           struct roam_store_request *req);
bool roam__mem_revoked(struct roam__mem *mem, struct roam_store_request *req);
bool roam__mem_trim(struct roam__mem *mem, struct roam_store_request *req);

/* ------------------------------------------------------------------- post */

/* A SEND on its way into the tables. All memory is there before anything is
 * changed: first roam__mem_post_new(), one roam__mem_post_reserve() for each
 * timeline, roam__mem_post_show() for each who sees a private row; then
 * roam__mem_post_store() and one roam__mem_post_deliver() for each timeline. */
struct roam__mem_post {
    struct roam__mem *mem;
    struct roam_store_send *send;
    struct roam__mem_user *sender, *receiver;
    uint64_t *last_msg_id; /* of the conversation; store() moves it on */
    struct roam__mem_message *message;
};

/* Each false without memory. */
bool roam__mem_post_new(struct roam__mem_post *post);
bool roam__mem_post_reserve(struct roam__mem_post *post,
                            struct roam__mem_user *user);
bool roam__mem_post_show(struct roam__mem_post *post,
                         struct roam__mem_user *user);
void roam__mem_post_store(struct roam__mem_post *post);
void roam__mem_post_deliver(struct roam__mem_post *post,
                            struct roam__mem_user *user,
                            struct roam_slice conversation,
                            struct roam_slice conversation_name);
/* The memory of a post that is not stored. */
void roam__mem_post_drop(struct roam__mem_post *post);
/* The answer is an ERROR, or names the operation that stands. Always true. */
bool roam__mem_post_refuse(struct roam__mem_post *post, uint32_t error);
bool roam__mem_post_stands(struct roam__mem_post *post, uint64_t msg_id);

/* RECALL, DELETE and READ, where no fault was found yet. */
bool roam__mem_operation(struct roam__mem_post *post);
/* The entry that tells post->sender of a device; a LOGIN's news is post->send.
 * First new, which is false without memory; then store, or drop. */
bool roam__mem_news_new(struct roam__mem_post *post);
void roam__mem_news_store(struct roam__mem_post *post);
/* To the sender's own timeline, and to the receiver's or the members'. */
bool roam__mem_post_own(struct roam__mem_post *post);
bool roam__mem_post_both(struct roam__mem_post *post);

/* Is the receiver's policy against that kind from the sender? */
bool roam__mem_policy_refuses(const struct roam__mem *mem,
                              const struct roam__mem_user *sender,
                              const struct roam__mem_user *receiver,
                              uint32_t kind);

/* ------------------------------------------------------------------ groups */

/* An entry for all members; false without memory, nothing is stored. */
bool roam__mem_post_members(struct roam__mem_post *post);
/* A SEND to what begins as a group's id does, not sent before. */
bool roam__mem_send_to_group(struct roam__mem_post *post);
/* A change of a group (NULL: CREATE), which the sender may see. */
bool roam__mem_change(struct roam__mem_post *post,
                      struct roam__mem_group *group);

/* ----------------------------------------------------------------- looking */

/* Takes the entries in excess of timeline_entries off the front. */
void roam__mem_trim_excess(const struct roam__mem *mem,
                           struct roam__mem_user *user);

struct roam_slice roam__mem_name(const struct roam__mem_user *user);
/* NULL without memory. */
struct roam__mem_title *roam__mem_title_new(struct roam_slice text);
/* From now on this is the title, unless it is NULL; takes it over. */
void roam__mem_title_set(struct roam__mem_user *user,
                         struct roam__mem_title *title);
void roam__mem_titles_free(struct roam__mem_user *user);
struct roam_slice roam__mem_title(const struct roam__mem_user *user);
/* The other party of a message of this user; NULL: it is not theirs. */
const struct roam__mem_user *roam__mem_peer(const struct roam__mem_message *m,
                                            const struct roam__mem_user *user);
/* Is it a row of this user's history? */
bool roam__mem_sees(const struct roam__mem_user *user,
                    const struct roam__mem_message *m);
bool roam__mem_has_deleted(const struct roam__mem_user *user,
                           const struct roam__mem_message *m, uint64_t *msg_id);
/* NULL: nothing was read there. */
struct roam__mem_mark *roam__mem_mark(const struct roam__mem_user *user,
                                      const struct roam__mem_user *peer);
/* A message as one device of one of its two users sees it; version 0. */
void roam__mem_show(struct roam_entry *out, const struct roam__mem_message *m,
                    const struct roam__mem_user *user, int64_t device,
                    uint32_t body_limit);

/* Removes the newest message and its entries, as if its commit had not
 * happened; nothing when it is an operation. */
void roam__mem_forget_newest(struct roam__mem *mem);
void roam__mem_message_free(struct roam__mem_message *m);
/* The bucket that has the messages of this client_msg_id. */
struct roam__mem_message **roam__mem_bucket(struct roam__mem *mem, uint64_t id);

#endif
