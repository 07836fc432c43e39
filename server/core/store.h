/* SPDX-License-Identifier: Apache-2.0 */
/* The store seam: everything that must survive, behind asynchronous
 * requests. Two implementations: SQLite with a writer and a reader thread
 * (server/store/), and memory (store_mem.c) for tests and the simulator.
 *
 * Words: a *write* request (LOGIN, LOGOUT, SEND, END_SESSION,
 * SEEN, TRIM) changes the store in a
 * transaction; several may share one commit, and each is answered only after
 * that commit is durable, in the order of submission; only a LOGIN, whose
 * credential is looked at first, may be overtaken before it gets there, and
 * is no write at all when the credential is bad. A *read* request (SYNC,
 * READ, HISTORY, CONVERSATIONS, MEMBERS, SESSIONS, REVOKED) sees committed data
 * only, all that was answered before its submission and maybe more, and may
 * overtake writes.
 *
 * Invariants: a request is answered exactly once, from within poll(), on the
 * thread that calls poll(). The decision whether a session may still write
 * (fencing) is taken inside the transaction, by roam_slot_*() of
 * arbitration.h, never from memory of the caller. A commit that failed has
 * an unknown outcome: the store answers nothing any more and poll() returns
 * ROAM_STORE_FAILED; the process must end.
 *
 * Left out: who is connected; that is the core's. */
#ifndef ROAM_STORE_H
#define ROAM_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch.h"
#include "operation.h"
#include "roam_limits.h"
#include "rows.h"
#include "slice.h"

/* Who writes: fixed at login, checked in every transaction. */
struct roam_identity {
    int64_t user;         /* the store's number for the user */
    int64_t device;       /* the store's number for the device row */
    uint32_t device_type; /* roam_v1_DeviceType */
    uint64_t generation;
    uint64_t attempt;
};

enum roam_store_kind {
    ROAM_STORE_LOGIN,
    ROAM_STORE_LOGOUT,
    ROAM_STORE_SEND,
    ROAM_STORE_SYNC,
    ROAM_STORE_READ,
    ROAM_STORE_HISTORY,
    ROAM_STORE_CONVERSATIONS,
    ROAM_STORE_MEMBERS,
    ROAM_STORE_TRIM,
    ROAM_STORE_SEEN,
    ROAM_STORE_SESSIONS,
    ROAM_STORE_END_SESSION,
    ROAM_STORE_REVOKED
};

/* How long a store keeps what; spec, section 6.5. 0: without limit. */
struct roam_store_keep {
    uint64_t timeline_ms;
    uint32_t timeline_entries;
    uint64_t history_ms;
    uint64_t dedup_ms; /* client_msg_ids; 0: as long as history */
};
/* An id is remembered this much longer than clients are told: their clocks
 * and ours need not run alike. */
#define ROAM_STORE_DEDUP_GRACE_MS 3600000u

/* What the stores judge a request by, besides what they hold. */
struct roam_store_settings {
    uint64_t recall_ms;    /* a message can be recalled this long; 0: always */
    uint32_t max_members;  /* of a group */
    uint32_t max_groups;   /* that a user is in, or was in as far back as its
                              history is kept; 0: any number */
    bool strangers_ask;    /* strangers may send APP alone; see policy.h */
    bool announce_devices; /* a user's timeline tells of new devices [DEV-7] */
};

/* One entry that a SEND, or the news of a device, put on a user's timeline. */
struct roam_delivery {
    int64_t user;
    uint64_t version;
    uint64_t prev_version;
    struct roam_slice conversation; /* as that user sees it; this one and the
                                       next live as long as the request */
    struct roam_slice conversation_name; /* what people read; may be empty */
};

enum roam_send_result {
    ROAM_SEND_STORED,
    ROAM_SEND_DUPLICATE, /* msg_id is the first one's, or that of the operation
                            that stands; nothing was written */
    ROAM_SEND_FENCED,    /* the identity no longer holds its slot */
    ROAM_SEND_REFUSED    /* for the reason in `error`; nothing was written */
};

struct roam_store_send {
    /* in; the slices point into memory that the request owns */
    struct roam_identity identity;
    uint64_t client_msg_id;
    uint32_t kind; /* roam_v1_Kind */
    struct roam_slice conversation;
    struct roam_slice content_type;
    struct roam_slice body;
    struct roam_operation operation; /* the body, decoded; all zero when kind
                                        is MESSAGE */
    uint64_t now_ms;                 /* wall clock, since 2020-01-01 UTC */
    /* out */
    enum roam_send_result result;
    bool unheld;    /* FENCED: nor does anybody else hold it */
    uint32_t error; /* roam_v1_ErrorCode, with REFUSED */
    uint64_t msg_id;
    struct roam_slice made;   /* a group's id, when one was made by this SEND
                                 or the one that it repeats */
    struct roam_slice sender; /* the sender's user id */
    struct roam_slice sender_name;
    struct roam_delivery *deliveries; /* whose timelines have the entry; a
                                         malloc() of its own, freed with the
                                         request */
    size_t delivery_count;            /* 0 unless STORED */
    size_t delivery_room;
};

/* Bytes of a DeviceChange, at most: three tags, a number of one byte, a text
 * and its length, a number of ten. */
#define ROAM_STORE_NEWS_MAX (3u + 1u + 1u + ROAM_DEVICE_NAME_MAX + 10u)

struct roam_store_login {
    /* in; copied by the submitter into the request */
    char user[ROAM_USER_MAX + 1];
    char token[ROAM_TOKEN_MAX + 1];
    uint8_t device_id[ROAM_DEVICE_ID_BYTES];
    char device_name[ROAM_DEVICE_NAME_MAX + 1];
    char software[ROAM_SOFTWARE_MAX + 1];
    uint32_t device_type;
    uint64_t attempt;
    uint64_t take_over;
    uint64_t now_ms; /* wall clock, since 2020-01-01 UTC */
    bool only_check; /* the credential alone: nothing else is looked at */
    /* out */
    uint32_t refused; /* roam_v1_RefusedReason; 0: granted */
    struct roam_identity identity;
    int64_t token_number;
    uint64_t token_expires_ms; /* since 2020-01-01 UTC; 0: never */
    uint64_t revocations;      /* how many tokens were revoked before */
    uint64_t head;
    uint64_t floor;
    uint64_t generation; /* of the slot, also when refused for its state */
    bool has_holder;     /* the fields below describe who holds the slot */
    uint32_t holder_type;
    char holder_name[ROAM_DEVICE_NAME_MAX + 1];
    uint64_t holder_since_ms; /* since 2020-01-01 UTC */
    /* The entry that tells of a new device, as if the user had sent it to
     * itself, from no session; no deliveries: there is none. [DEV-7] */
    struct roam_store_send news;
    uint8_t news_body[ROAM_STORE_NEWS_MAX];
};

struct roam_store_logout {
    struct roam_identity identity; /* in */
    bool fenced;                   /* out: the slot is no longer theirs */
    bool unheld;                   /* out, fenced: nor anybody else's */
    uint64_t generation;           /* out */
};

/* Is this cursor a link, and how much lies behind it? */
struct roam_store_sync {
    /* in */
    int64_t user;
    uint64_t cursor;
    uint64_t head; /* the core's head: nothing above it counts */
    uint32_t max_entries;
    /* out */
    bool is_link;
    bool too_many; /* more than max_entries in (cursor, head] */
    uint64_t floor;
};

/* Retained entries in (after, upto], in order. */
struct roam_store_read {
    /* in */
    int64_t user;
    int64_t device;      /* for client_msg_id: this device's own entries */
    uint64_t generation; /* with device and attempt: entries of this very */
    uint64_t attempt;    /* session come as NOOP */
    uint64_t after;
    uint64_t upto;
    uint32_t max_count;
    size_t max_bytes;    /* of bodies; the first entry comes in any case */
    uint32_t body_limit; /* longer bodies are cut (cut_size set) */
    /* out */
    bool is_link;               /* false: `after` has been trimmed away */
    struct roam_entry *entries; /* a malloc() of its own, freed with the
                                   request; its slices point into results */
    size_t count;               /* 0 although the log has more: the store
                                   had no memory */
};

/* Rows of one conversation's history; spec, section 8.3. */
struct roam_store_history {
    /* in; conversation points into memory that the request owns */
    int64_t user;
    int64_t device; /* for client_msg_id: this device's own messages */
    struct roam_slice conversation;
    uint64_t before;
    uint64_t after;
    uint64_t oldest;      /* no row below: it is no history any more */
    bool operations_only; /* no MESSAGE */
    uint32_t max_count;
    size_t max_bytes;    /* of bodies; the first row comes in any case */
    uint32_t body_limit; /* longer bodies are cut (cut_size set) */
    /* out */
    bool found;              /* false: there is no such conversation */
    bool more;               /* rows of the range were left out */
    uint64_t head;           /* of the user's timeline, in the state read */
    bool no_memory;          /* for the answer: nothing else out holds */
    struct roam_entry *rows; /* rising msg_id, version 0; a malloc() of its
                                own, freed with the request; its slices
                                point into results */
    size_t count;
    uint64_t cost; /* of the search, in rows read; it may be far above count */
};

/* The user's conversations by the newest row of each, newest first, with
 * read_mark, unread and role. */
struct roam_store_conversations {
    /* in; conversation points into memory that the request owns */
    int64_t user;
    int64_t device;
    uint64_t before; /* 0: the first page */
    uint64_t oldest; /* as above */
    struct roam_slice conversation;
    uint32_t max_count;
    size_t max_bytes;
    uint32_t body_limit;
    /* out; as above */
    bool more;
    uint64_t head;
    bool no_memory;
    struct roam_entry *rows; /* falling (msg_id, conversation) */
    size_t count;
    uint64_t cost;
};

/* The members of a group, as one of them sees them; spec, section 7.2. */
struct roam_store_members {
    /* in; the slices point into memory that the request owns */
    int64_t user;
    struct roam_slice conversation;
    struct roam_slice after;
    uint32_t max_count;
    /* out */
    bool found;     /* false: no such group, or none of the user's */
    bool more;      /* rows behind the last one were left out */
    uint64_t head;  /* of the user's timeline, in the state read */
    bool no_memory; /* for the answer: nothing else out holds */
    char name[ROAM_NAME_MAX + 1];
    uint32_t join; /* roam_v1_JoinMode */
    bool muted;
    uint32_t member_count;
    struct roam_member_row *rows; /* rising user; a malloc() of its own, freed
                                     with the request; its slices point into
                                     results */
    size_t count;
};

/* One step of erasing what is older than is kept: a bounded piece of work, in
 * the transaction of its group. Entries in excess of timeline_entries need no
 * step, they go with the SENDs that make them so. */
struct roam_store_trim {
    uint64_t now_ms; /* in: wall clock, since 2020-01-01 UTC */
    bool more;       /* out: another step may find more */
};

/* The session is over; nothing is told when it was fenced. */
struct roam_store_seen {
    struct roam_identity identity;
    uint64_t now_ms;
};

/* One slot of the user that is held. */
struct roam_store_session {
    uint32_t type; /* roam_v1_DeviceType */
    char name[ROAM_DEVICE_NAME_MAX + 1];
    char software[ROAM_SOFTWARE_MAX + 1];
    uint64_t since_ms;
    uint64_t seen_ms; /* as the last SEEN or LOGIN had it */
    uint64_t generation;
};

struct roam_store_sessions {
    int64_t user;                    /* in */
    struct roam_store_session *rows; /* out: by rising type; a malloc() of its
                                        own, freed with the request; NULL: no
                                        memory */
    size_t count;
};

enum roam_end_result {
    ROAM_END_DONE,
    ROAM_END_FENCED,   /* the identity no longer holds its slot */
    ROAM_END_NO_DEVICE /* no slot of that type is held with that generation */
};

/* Ends the session that holds a slot, and revokes the tokens that are bound
 * to its device. */
struct roam_store_end_session {
    /* in */
    struct roam_identity identity; /* who asks */
    uint32_t device_type;
    uint64_t generation;
    /* out */
    enum roam_end_result result;
    bool unheld; /* FENCED: nor does anybody else hold it */
};

#define ROAM_STORE_REVOKED_MAX 64u

struct roam_store_revocation {
    int64_t user;
    int64_t token;
};

/* The tokens that were revoked, in their order, behind the first `after`. */
struct roam_store_revoked {
    uint64_t after; /* in */
    /* out */
    struct roam_store_revocation rows[ROAM_STORE_REVOKED_MAX];
    size_t count;
    uint64_t upto; /* `after` for what comes next */
    bool more;
};

struct roam_store_request;
typedef void (*roam_store_done_fn)(struct roam_store_request *req);

/* A request belongs to the store from submit() until done() is called, and
 * then to done(), which frees it with roam_store_request_free(). */
struct roam_store_request {
    enum roam_store_kind kind;
    roam_store_done_fn done;
    void *owner;      /* the core's; kept, not used by the store */
    uint64_t tag;     /* likewise */
    uint8_t *memory;  /* what the in-slices point into; freed with req */
    uint8_t *results; /* what the out-slices point into; freed with req */
    struct roam_store_request *next; /* the store's queue link */
    union {
        struct roam_store_login login;
        struct roam_store_logout logout;
        struct roam_store_send send;
        struct roam_store_sync sync;
        struct roam_store_read read;
        struct roam_store_history history;
        struct roam_store_conversations conversations;
        struct roam_store_members members;
        struct roam_store_trim trim;
        struct roam_store_seen seen;
        struct roam_store_sessions sessions;
        struct roam_store_end_session end_session;
        struct roam_store_revoked revoked;
    } u;
};

/* Zeroed request; NULL without memory. `extra` bytes are put at ->memory. */
struct roam_store_request *roam_store_request_new(enum roam_store_kind kind,
                                                  size_t extra);
void roam_store_request_free(struct roam_store_request *req);

/* For stores: one more delivery of this SEND, all zero; valid until the next
 * call. NULL without memory. */
struct roam_delivery *roam_store_send_deliver(struct roam_store_send *send);
/* For stores: makes login->news the entry that tells of the device that logs
 * in, up to its deliveries. The sender of what no session sent is device 0. */
void roam_store_login_announce(struct roam_store_login *login, int64_t user);
/* For stores: that many deliveries more will find room. False without
 * memory. */
bool roam_store_send_reserve(struct roam_store_send *send, size_t count);

enum roam_store_status {
    ROAM_STORE_OK = 0,
    ROAM_STORE_FAILED = -1 /* a commit's outcome is unknown: end the process */
};

struct roam_store;
struct roam_store_ops {
    /* Takes ownership of req. Never blocks, never calls done(). */
    void (*submit)(struct roam_store *self, struct roam_store_request *req);
    /* Calls done() of everything that is finished. Never blocks. */
    enum roam_store_status (*poll)(struct roam_store *self);
    /* Waits for what is queued, then frees the store. Requests that were not
     * polled are freed without done(). */
    void (*close)(struct roam_store *self);
};
/* First member of each implementation. */
struct roam_store {
    const struct roam_store_ops *ops;
};

#endif
