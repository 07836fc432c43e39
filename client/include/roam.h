/* SPDX-License-Identifier: Apache-2.0 */
/* libroam: the client's half of Roam 1, as an engine without I/O.
 *
 * You own the socket, the clock, the disk and all memory; the engine owns
 * the protocol. Bytes and time go in, bytes, events and a deadline come out:
 *
 *   roam_client_init()      once, with your buffers
 *   roam_client_open()      a transport is up
 *   roam_client_login()     you stored a fresh attempt: log in
 *   roam_client_feed()      bytes came
 *   roam_client_pending() / roam_client_sent()   bytes to be sent
 *   roam_client_next_event()                     what happened
 *   roam_client_stored()    you stored entries up to a version
 *   roam_client_tick() / roam_client_deadline_ms()   time
 *   roam_client_closed()    the transport is gone
 *
 * No callback, no heap, no global, no clock inside. A client is one thread's.
 * After each call that takes the engine forward, drain next_event() until it
 * is empty, then send what is pending.
 *
 * Words: an *entry* is one link of the user's timeline; the *cursor* is the
 * version of the last entry that you have stored; the *attempt* counts this
 * device's logins; a *generation* counts the changes of a slot's holder.
 * Pointers are borrowed (until return), kept (until you say so) or copied.
 *
 * Spec: spec/roam-1.md, "client" rules of every section. */
#ifndef ROAM_H
#define ROAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ROAM_VERSION_STRING "1.0.0"

/* Every status, its text, and when it is returned. The first error of a
 * connection sticks until roam_client_open().
 * -1.. the caller's mistake; -20.. the peer's; -40.. resources. */
#define ROAM_STATUS_LIST(X)                                                    \
    X(OK, 0, "no error")                                                       \
    X(BAD_STATE, -1, "call not allowed in this state")                         \
    X(BAD_ARGUMENT, -2, "argument out of its range")                           \
    X(BUFFER_SIZE, -3, "a buffer of the config is below its minimum")          \
    X(FRAME, -20, "server sent a broken or over-long frame")                   \
    X(UNEXPECTED, -21, "server sent a frame that this state does not allow")   \
    X(CHAIN, -22, "server left a gap in the chain twice")                      \
    X(BATCH, -23, "server sent a batch or page that lies about itself")        \
    X(SILENT, -24, "server did not answer in time")                            \
    X(NO_PROGRESS, -25, "server withholds entries that it told of")            \
    X(OUTBOX_FULL, -40, "no free outbox item")                                 \
    X(TX_FULL, -41, "send buffer too small for the frame")

enum roam_status {
#define ROAM_STATUS_ENUM(name, value, text) ROAM_STATUS_##name = value,
    ROAM_STATUS_LIST(ROAM_STATUS_ENUM)
#undef ROAM_STATUS_ENUM
};
const char *roam_status_text(enum roam_status status);

/* Wire values, as in proto/roam.proto. */
enum roam_device_type {
    ROAM_PHONE = 1,
    ROAM_TABLET,
    ROAM_DESKTOP,
    ROAM_WEB,
    ROAM_WATCH,
    ROAM_EMBEDDED
};
enum roam_refused {
    ROAM_REFUSED_OCCUPIED = 1,
    ROAM_REFUSED_KICKED,
    ROAM_REFUSED_FREE,
    ROAM_REFUSED_STALE,
    ROAM_REFUSED_CREDENTIAL,
    ROAM_REFUSED_TOKEN_EXPIRED,
    ROAM_REFUSED_TYPE_FORBIDDEN,
    ROAM_REFUSED_PROTOCOL_VERSION,
    ROAM_REFUSED_TOKEN_BOUND,
    ROAM_REFUSED_THROTTLED
};
enum roam_kick {
    ROAM_KICK_TAKEN_OVER = 1,
    ROAM_KICK_SUPERSEDED,
    ROAM_KICK_LOGGED_OUT,
    ROAM_KICK_GOING_AWAY,
    ROAM_KICK_TOO_SLOW,
    ROAM_KICK_PROTOCOL_ERROR,
    ROAM_KICK_IDLE,
    ROAM_KICK_LOGIN_TIMEOUT,
    ROAM_KICK_OVERLOADED,
    ROAM_KICK_REVOKED,
    ROAM_KICK_EXPIRED,
    ROAM_KICK_RESYNC,
    ROAM_KICK_TOO_FAST
};
enum roam_retry {
    ROAM_RETRY_NOW = 1,
    ROAM_RETRY_AFTER,
    ROAM_RETRY_REAUTHENTICATE,
    ROAM_RETRY_NEVER
};
enum roam_reset {
    ROAM_RESET_NOT_A_LINK = 1,
    ROAM_RESET_AHEAD,
    ROAM_RESET_TOO_MANY
};
/* Other values are kinds of later versions, to be kept raw. */
enum roam_kind {
    ROAM_KIND_MESSAGE = 0,
    ROAM_KIND_NOOP,
    ROAM_KIND_RECALL,
    ROAM_KIND_DELETE,
    ROAM_KIND_READ,
    ROAM_KIND_APP,
    ROAM_KIND_GROUP,
    ROAM_KIND_DEVICE
};
enum roam_role {
    ROAM_ROLE_NONE = 0,
    ROAM_ROLE_APPLICANT,
    ROAM_ROLE_MEMBER,
    ROAM_ROLE_ADMIN,
    ROAM_ROLE_OWNER
};

/* Who may come into a group. */
enum roam_join {
    ROAM_JOIN_OPEN = 1,
    ROAM_JOIN_APPROVAL,
    ROAM_JOIN_CLOSED
};

struct roam_bytes {
    const uint8_t *data;
    size_t len; /* bytes */
};

/* --------------------------------------------------------------- outbox */

enum roam_outbox_state {
    ROAM_OUTBOX_EMPTY = 0,
    ROAM_OUTBOX_QUEUED, /* to be sent, or sent on a lost connection */
    ROAM_OUTBOX_SENT    /* sent on this connection, no answer yet */
};
/* One message under way; the array is the caller's, the engine fills it. */
struct roam_outbox_item {
    uint64_t client_msg_id;
    /* When it was first sent, on the caller's clock; 0: never. Set by the
     * engine. A program keeps it with the message: roam_client_resend(). */
    uint64_t first_sent_ms;
    enum roam_kind kind;
    uint8_t delays; /* the engine's: told to come again, and no time */
    struct roam_bytes conversation, content_type, body;
    uint32_t payload_bytes; /* of its SEND */
    uint32_t order;         /* rises with each roam_client_send() */
    enum roam_outbox_state state;
};

/* --------------------------------------------------------------- config */

#define ROAM_RX_BYTES_MIN (512u + 4u) /* smallest frame and its header */
#define ROAM_TX_BYTES_MIN                                                      \
    512u /* a LOGIN with every field at its bound                              \
            and the SYNC behind it fit */
#define ROAM_INFLATED_BYTES_MIN 1024u

/* Copied by roam_client_init(); the pointers in it are kept. */
struct roam_client_config {
    const char *user;  /* UTF-8, 1..64 bytes */
    const char *token; /* 1..128 bytes */
    uint8_t device_id[16];
    enum roam_device_type device_type;
    const char *device_name; /* 0..64 bytes, for people; may be NULL */
    const char *software;    /* 0..64 bytes; may be NULL */

    uint64_t cursor;      /* as stored; 0: nothing yet */
    uint32_t max_entries; /* prefer RESET above this many; 0: from now on */
    uint32_t max_unacked; /* entries in flight, 4..100000 */
    bool deflate;         /* offer the DEFLATE codec */

    uint8_t *rx; /* frames from the server; rx_bytes - 4 is max_frame */
    size_t rx_bytes;
    uint8_t *tx; /* bytes to the server; the longest SEND plus 64 */
    size_t tx_bytes;
    uint8_t *inflated; /* an unpacked batch or page; its size is
                          max_inflated */
    size_t inflated_bytes;
    struct roam_outbox_item *outbox;
    size_t outbox_count; /* items */

    uint64_t random_seed; /* for jitter only; differ between devices */
    /* Time limits, ms; 0: the defaults in parentheses. */
    uint32_t answer_timeout_ms; /* LOGIN, SYNC, PING unanswered, or a page
                                   with nothing else coming (10,000) */
    uint32_t backoff_first_ms;  /* bound of the first reconnect delay, at
                                   most 500 (500) */
    uint32_t backoff_max_ms;    /* bound of the longest, at least the first
                                   and at most 60,000 (60,000) */
};

/* Stored entries are acked when half of max_unacked wait for it, together
 * with the next frame, or this long after the first of them was stored,
 * whichever comes first. */
#define ROAM_ACK_DELAY_MS 1000u

/* --------------------------------------------------------------- events */

enum roam_event_type {
    ROAM_EVENT_NONE = 0,
    ROAM_EVENT_LOGGED_IN,   /* u.logged_in */
    ROAM_EVENT_REFUSED,     /* u.refused; the connection stays open: a person
                               may decide, then roam_client_login() again;
                               with THROTTLED, CLOSE follows instead */
    ROAM_EVENT_RESET,       /* u.reset: history before head is not delivered;
                               store head as the cursor, then stored(head) */
    ROAM_EVENT_ENTRY,       /* u.entry: store it, then stored(version) */
    ROAM_EVENT_SYNCED,      /* u.synced: reached the head told by SYNC_OK */
    ROAM_EVENT_SENT,        /* u.sent: the server has it for good; the outbox
                               item is empty again */
    ROAM_EVENT_SEND_FAILED, /* u.send_failed: the server said no, or it may
                               not be sent (again); the outbox item is empty
                               again */
    ROAM_EVENT_PAGE_ROW,    /* u.page_row: a row of the page asked for */
    ROAM_EVENT_MEMBER,      /* u.member: of the group asked for */
    ROAM_EVENT_SESSION,     /* u.session: of this user's */
    ROAM_EVENT_PAGE_END,    /* u.page_end: that was the answer */
    ROAM_EVENT_PAGE_FAILED, /* u.page_failed: none came, or an error */
    ROAM_EVENT_KICKED,      /* u.kicked: the server ended the session */
    ROAM_EVENT_CLOSE        /* u.close: close the transport now, then
                               roam_client_closed() */
};

struct roam_holder {
    enum roam_device_type device_type; /* 0: not told */
    char device_name[65];
    uint64_t since_ms; /* Unix time */
};

/* Slices live until the next call of next_event(), feed(), open(). */
struct roam_entry_event {
    uint64_t version;
    uint64_t prev_version;
    uint64_t msg_id;        /* 0 in a NOOP */
    uint64_t time_ms;       /* Unix time, from msg_id */
    uint64_t client_msg_id; /* of this device's own entry; else 0 */
    uint32_t kind;          /* enum roam_kind */
    uint32_t cut_size;      /* bytes of a body above this device's limits */
    struct roam_bytes conversation, sender, content_type, body;
    struct roam_bytes conversation_name, sender_name; /* for people; may be
                                                         empty */
    bool recalled; /* its sender took it back: there is no body */
    bool batched;  /* came in a BATCH */
    /* In a row of roam_client_conversations(); else 0. */
    uint64_t read_mark; /* msg_id up to which the user has read */
    uint32_t unread;    /* messages; 1,000 is "at least" */
    enum roam_role role;
};

struct roam_event {
    enum roam_event_type type;
    union {
        struct {
            uint64_t generation, head, floor, dedup_ms;
            uint32_t max_body;
            uint64_t capabilities; /* of those named; none in Roam 1 */
            /* What the server keeps; 0: without limit. */
            uint64_t timeline_ms, history_ms, recall_ms;
            uint32_t timeline_entries;
            uint32_t max_members; /* of a group; 0: not told */
        } logged_in;
        struct {
            enum roam_refused reason;
            enum roam_retry retry;
            uint64_t generation;     /* to be named in take_over */
            uint32_t retry_after_ms; /* with THROTTLED */
            struct roam_holder holder;
            uint32_t protocol_min, protocol_max; /* with PROTOCOL_VERSION */
        } refused;
        struct {
            enum roam_reset reason;
            uint64_t head;
        } reset;
        struct roam_entry_event entry;
        struct {
            uint64_t version;
        } synced;
        struct {
            uint64_t client_msg_id, msg_id;
            bool duplicate; /* an earlier try had got through, or the
                               operation changed nothing */
            struct roam_bytes conversation; /* the group that was made;
                                               else empty */
        } sent;
        struct {
            uint64_t client_msg_id;
            /* roam_v1_ErrorCode as the server told; without asking it:
             * BODY_TOO_LONG when the SEND exceeds the server's max_frame, 0
             * when it was first sent more than dedup_ms ago and all that
             * was delivered since does not tell whether it got through. */
            uint32_t code;
            enum roam_retry retry;
        } send_failed;
        struct {
            uint64_t ref;
            struct roam_entry_event row; /* version and prev_version are 0 */
        } page_row;
        struct {
            uint64_t ref;
            struct roam_bytes user, name;
            enum roam_role role;
            bool muted;
            uint64_t since_msg_id; /* of the change that made them so */
        } member;
        struct {
            uint64_t ref;
            enum roam_device_type device_type;
            struct roam_bytes device_name, software;
            uint64_t since_ms, last_seen_ms; /* Unix time */
            bool online;
            bool self; /* this very session */
            uint64_t generation;
        } session;
        struct {
            uint64_t ref;
            uint32_t rows;
            bool more;      /* further rows in the range asked for */
            uint64_t as_of; /* of CONVERSATIONS and MEMBERS: the head it was
                               read at. If a login names a lower one, or no
                               entry of this version comes, ask anew: what
                               it told is of a past that the server lost.
                               [HIST-16] */
            /* Of MEMBERS: the group. */
            struct roam_bytes name;
            uint32_t join; /* enum roam_join */
            bool muted;    /* all but admins and the owner */
            uint32_t member_count;
        } page_end;
        struct {
            uint64_t ref;
            uint32_t code; /* roam_v1_ErrorCode; 0: the connection ended */
        } page_failed;
        struct {
            enum roam_kick reason;
            enum roam_retry retry;
            uint32_t error; /* roam_v1_ErrorCode with PROTOCOL_ERROR */
            struct roam_holder holder;
            char detail[129];
        } kicked;
        struct {
            enum roam_status status; /* OK: kicked, asked for, or gone */
            bool reconnect; /* may the client come back by itself? Never
                               after roam_client_close(), LOGOUT, a refusal
                               that a person must answer, or a KICK that
                               forbids it */
            uint64_t reconnect_at_ms; /* caller's clock; if reconnect */
        } close;
    } u;
};

/* ---------------------------------------------------------------- client */

/* Complete, so that it can be static; the contents are private. The size
 * grows with that of a pointer, and is 1168 bytes on 32-bit targets. */
#define ROAM_CLIENT_BYTES (976u + 48u * sizeof(void *))
struct roam_client {
    uint64_t private_storage[ROAM_CLIENT_BYTES / sizeof(uint64_t)];
};

/* Sets up *c, logged out. config and its strings: see there.
 * BUFFER_SIZE, BAD_ARGUMENT: nothing was set up. */
enum roam_status roam_client_init(struct roam_client *c,
                                  const struct roam_client_config *config);

/* A transport is up. Sends nothing by itself. Entries that were handed out
 * and not told to be stored by now are handed out again.
 * BAD_STATE: one is open, or events of the last one are not drained. */
enum roam_status roam_client_open(struct roam_client *c, uint64_t now_ms);

/* Queues LOGIN and, behind it, SYNC.
 *
 * attempt    above every one used by this device; stored durably before this
 *            call.
 * take_over  0; or, for a person's decision, the generation that REFUSED
 *            told. Never stored, never used twice.
 *
 * BAD_STATE: not open, logged in, a login under way, or refused with STALE
 * and no new device_id since.
 * BAD_ARGUMENT: attempt or take_over out of range, or used before. */
enum roam_status roam_client_login(struct roam_client *c, uint64_t attempt,
                                   uint64_t take_over, uint64_t now_ms);

/* The next LOGIN names this device_id (copied): needed after REFUSED STALE.
 * Its attempts count anew. BAD_STATE: logged in, or a login under way. */
enum roam_status roam_client_set_device_id(struct roam_client *c,
                                           const uint8_t device_id[16]);

/* The next LOGIN names this token (kept), 1..128 bytes.
 * BAD_STATE: logged in, or a login under way. BAD_ARGUMENT: its length. */
enum roam_status roam_client_set_token(struct roam_client *c,
                                       const char *token);

/* The next SYNC names this max_entries. */
void roam_client_set_max_entries(struct roam_client *c, uint32_t max_entries);

/* Queues LOGOUT; the server ends the session with KICKED LOGGED_OUT. Nothing
 * is sent behind it. BAD_STATE: not logged in, or done before. */
enum roam_status roam_client_logout(struct roam_client *c, uint64_t now_ms);

/* Hands received bytes to the engine.
 *
 * data  borrowed; any split is legal, down to one byte a call.
 *
 * Returns the bytes taken; fewer than len: drain the events, call again. It
 * takes nothing while events wait. After a KICK it takes and ignores all.
 * Negative enum roam_status: the connection has failed, an event CLOSE waits;
 * BAD_STATE: none is open. */
ptrdiff_t roam_client_feed(struct roam_client *c, const uint8_t *data,
                           size_t len, uint64_t now_ms);

/* The next bytes to send (len 0: none); valid until the next call. */
struct roam_bytes roam_client_pending(struct roam_client *c);
/* The transport took the first n of them. */
void roam_client_sent(struct roam_client *c, size_t n, uint64_t now_ms);

/* The next event; type NONE: no more for now. */
void roam_client_next_event(struct roam_client *c, struct roam_event *event,
                            uint64_t now_ms);

/* All entries up to `version` are stored, and so is the cursor: as durably
 * as this device stores anything. The engine acks.
 * After RESET the first call names its head, or an entry behind it.
 * BAD_ARGUMENT, and nothing happened: above the last entry handed out since
 * roam_client_open(), or below the cursor. */
enum roam_status roam_client_stored(struct roam_client *c, uint64_t version,
                                    uint64_t now_ms);

/* Puts a message or an operation into the outbox; it is sent when a session is
 * there, again after each reconnect under the same id, until SENT or
 * SEND_FAILED. While the server limits its user (RATE_LIMITED), it waits by
 * itself.
 *
 * client_msg_id  random, not 0; stored by the caller with the message if the
 *                message is to survive a restart of the program.
 * kind           any but NOOP and DEVICE.
 * conversation   a user, a group, or "#" for one that CREATE makes.
 * body           of an operation: what roam_operation_encode() wrote.
 * The slices are kept until SENT or SEND_FAILED.
 *
 * OUTBOX_FULL; BAD_ARGUMENT (lengths, kind, id 0 or in use); TX_FULL: the
 * message can never fit the tx buffer. */
enum roam_status roam_client_send(struct roam_client *c, uint64_t client_msg_id,
                                  enum roam_kind kind,
                                  struct roam_bytes conversation,
                                  struct roam_bytes content_type,
                                  struct roam_bytes body, uint64_t now_ms);

/* The same for a message of an earlier run of the program. Of the item
 * (borrowed; its slices are kept) client_msg_id, kind, conversation,
 * content_type, body and first_sent_ms count. */
enum roam_status roam_client_resend(struct roam_client *c,
                                    const struct roam_outbox_item *item,
                                    uint64_t now_ms);

/* Asks for a page of a conversation's history. One page request at a time,
 * of either kind; the answer is any number of PAGE_ROWs and a PAGE_END, or
 * PAGE_FAILED. A page moves no cursor. While the server limits its user, a
 * request waits by itself. Spec: section 8.3.
 *
 * ref           not 0; comes back in the events.
 * conversation  borrowed, 1..64 bytes.
 * before        messages below this msg_id, newest first to be paged through;
 *               0: from the newest.
 * after         messages above this msg_id; with before 0, oldest first to be
 *               paged through. 0: no bound.
 * operations_only  leave messages out.
 * max_rows      1..1,000.
 *
 * BAD_STATE: not logged in, leaving, or a page is under way: until its
 * PAGE_END or PAGE_FAILED was told. BAD_ARGUMENT: out of range, or ref is a
 * client_msg_id of the outbox. */
enum roam_status roam_client_history(struct roam_client *c, uint64_t ref,
                                     struct roam_bytes conversation,
                                     uint64_t before, uint64_t after,
                                     bool operations_only, uint32_t max_rows,
                                     uint64_t now_ms);

/* Asks for a page of the user's conversations, each with its newest message,
 * newest first.
 *
 * before, conversation  of the last row of the page before; 0 and empty: the
 *                       first page.
 *
 * Otherwise as roam_client_history(). */
enum roam_status roam_client_conversations(struct roam_client *c, uint64_t ref,
                                           uint64_t before,
                                           struct roam_bytes conversation,
                                           uint32_t max_rows, uint64_t now_ms);

/* Asks for members of a group, by rising bytes of their ids: any number of
 * events MEMBER and a PAGE_END, or PAGE_FAILED. Counts as a page request.
 *
 * after  the last user of the answer before; empty: from the first.
 *
 * Otherwise as roam_client_history(). Spec: section 7.2. */
enum roam_status roam_client_members(struct roam_client *c, uint64_t ref,
                                     struct roam_bytes conversation,
                                     struct roam_bytes after, uint32_t max_rows,
                                     uint64_t now_ms);

/* Asks where this user is logged in, by rising device type: any number of
 * events SESSION and a PAGE_END, or PAGE_FAILED. Counts as a page request.
 *
 * after  the last device type of the answer before; 0: from the first.
 *
 * Otherwise as roam_client_history(). Spec: section 5.3. */
enum roam_status roam_client_sessions(struct roam_client *c, uint64_t ref,
                                      uint32_t after, uint64_t now_ms);

/* Logs another device of this user's out for good: its token is revoked. A
 * PAGE_END tells that it is done, PAGE_FAILED that there is no such session.
 * Counts as a page request.
 *
 * generation  of the slot, as an event SESSION told it.
 *
 * Otherwise as roam_client_history(). Spec: section 5.3. */
enum roam_status roam_client_end_session(struct roam_client *c, uint64_t ref,
                                         enum roam_device_type device_type,
                                         uint64_t generation, uint64_t now_ms);

/* Ends the connection from this side; an event CLOSE follows. */
void roam_client_close(struct roam_client *c, uint64_t now_ms);
/* The transport is gone, whoever ended it, or could not be had at all. An
 * event CLOSE follows unless this connection had one already; it tells
 * whether and when to come back. */
void roam_client_closed(struct roam_client *c, uint64_t now_ms);

/* Time passed. */
void roam_client_tick(struct roam_client *c, uint64_t now_ms);
/* When tick() has work next; UINT64_MAX: never. */
uint64_t roam_client_deadline_ms(const struct roam_client *c);

/* The version of the last entry told to be stored. */
uint64_t roam_client_cursor(const struct roam_client *c);
bool roam_client_logged_in(const struct roam_client *c);

#ifdef __cplusplus
}
#endif

#endif
