/* SPDX-License-Identifier: Apache-2.0 */
/* The local store of one device: one SQLite file with its identity, its
 * cursor, its messages and its outbox.
 *
 * What it guarantees, across crashes and power cuts:
 *   - an attempt is on the disk before next_attempt() returns;
 *   - the cursor moves in the transaction that holds the entries up to it;
 *   - a message is there once, whichever way it came;
 *   - operations have the same effect in whatever order they come;
 *   - what may be missing is known as a hole, or a survey is due;
 *   - a message in the outbox stays until it is known to be sent or refused.
 *
 * Changes marked *gathered* go into one transaction that lasts until
 * roam_local_commit(); the others are durable when they return, and commit
 * what was gathered before.
 *
 * One thread at a time. Slices handed out are *borrowed* until the next call
 * with the same object. After a failure, roam_local_error() says more. */
#ifndef ROAM_LOCAL_H
#define ROAM_LOCAL_H

#include <stdbool.h>
#include <stdint.h>

#include "roam.h"
#include "roam_posix_status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct roam_local;

struct roam_local_device {
    char user[65]; /* UTF-8 */
    enum roam_device_type device_type;
    uint8_t device_id[16];
    uint64_t attempt; /* the last one used */
    uint64_t cursor;
    uint64_t dedup_ms; /* as the server told last; 0: not yet */
};

enum roam_local_mode {
    ROAM_LOCAL_OWN, /* create if need be, keep all others out */
    ROAM_LOCAL_READ /* look only, also while another process owns it */
};

/* "phone"...; NULL for a type that there is not. */
const char *roam_device_type_name(enum roam_device_type type);

/* Opens the store at `path` (borrowed), or creates it with a fresh random
 * device_id. A new file is readable by its owner alone.
 *
 * path         NULL, with mode OWN: a new one in memory, gone when it is
 *              closed.
 * user         borrowed, 1..64 bytes.
 *
 * *store       the store; to be closed by the caller. NULL on failure.
 * detail       ROAM_POSIX_DETAIL_MAX bytes; the cause of a failure.
 *
 * STORE_IN_USE   another process owns it (mode OWN).
 * STORE_OTHER    it belongs to another user or device type.
 * STORE_VERSION  a later version of this program wrote it.
 * STORE, MEMORY, RANDOM, BAD_ARGUMENT. */
enum roam_posix_status roam_local_open(const char *path, const char *user,
                                       enum roam_device_type device_type,
                                       enum roam_local_mode mode,
                                       struct roam_local **store, char *detail);

/* What was gathered and not committed is gone. NULL is allowed. */
void roam_local_close(struct roam_local *store);

/* The cause of the last failure, for people. */
const char *roam_local_error(const struct roam_local *store);

/* Identity and counters, as of the last successful call. */
void roam_local_device(const struct roam_local *store,
                       struct roam_local_device *device);

/* Is it this user's, on this type of device? False: detail says whose. */
bool roam_local_is_of(const struct roam_local *store, const char *user,
                      enum roam_device_type device_type, char *detail);

/* ------------------------------------------------------------------ login */

/* Raises the attempt by one, durably. [LOGIN-2] STORE. */
enum roam_posix_status roam_local_next_attempt(struct roam_local *store,
                                               uint64_t *attempt);

/* Draws a new device_id, durably: this store is a copy of another
 * installation's. Messages, cursor and outbox stay. [LOGIN-17]
 * STORE, RANDOM. */
enum roam_posix_status roam_local_new_device(struct roam_local *store);

/* Notes how long the server remembers a client_msg_id; gathered. STORE. */
enum roam_posix_status roam_local_set_dedup(struct roam_local *store,
                                            uint64_t dedup_ms);

/* --------------------------------------------------------------- timeline */

/* Adds one entry and moves the cursor to it; gathered. A row that is there
 * already stays as it is. An operation takes effect: a recalled message loses
 * its body, a deleted one is shown no more, a read mark rises, a change of a
 * group may change this user's role. An entry with a client_msg_id of the
 * outbox completes that item. Entries of unknown kinds are kept apart, raw.
 *
 * BAD_ARGUMENT: its prev_version is not the cursor; nothing was changed.
 * STORE. */
enum roam_posix_status roam_local_add_entry(
    struct roam_local *store, const struct roam_entry_event *entry);

/* Moves the cursor to head: in every conversation messages may be missing
 * from here on, up to the next one that comes, and a survey is due; gathered.
 * STORE. */
enum roam_posix_status roam_local_add_reset(struct roam_local *store,
                                            uint64_t head, uint64_t unix_ms);

/* Makes all that was gathered durable. On failure all of it is undone.
 * STORE. */
enum roam_posix_status roam_local_commit(struct roam_local *store);

/* Undoes all that was gathered. */
void roam_local_rollback(struct roam_local *store);

/* ----------------------------------------------------------------- outbox */

struct roam_local_outgoing {
    uint64_t order; /* rises with each message added */
    uint64_t client_msg_id;
    enum roam_kind kind;
    struct roam_bytes conversation, content_type, body;
    uint64_t queued_ms;     /* Unix time */
    uint64_t first_sent_ms; /* Unix time; 0: never sent */
};

/* Adds a message or an operation, durably. `order` of *message is set; all else
 * is borrowed. BAD_ARGUMENT: the client_msg_id is there already. STORE. */
enum roam_posix_status roam_local_outbox_add(
    struct roam_local *store, struct roam_local_outgoing *message);

/* The first message whose order is above `after`.
 *
 * *found  false: there is none. STORE. */
enum roam_posix_status roam_local_outbox_next(
    struct roam_local *store, uint64_t after,
    struct roam_local_outgoing *message, bool *found);

/* Notes when a message is sent for the first time; gathered. STORE. */
enum roam_posix_status roam_local_outbox_mark(struct roam_local *store,
                                              uint64_t client_msg_id,
                                              uint64_t first_sent_ms);

struct roam_local_sent {
    uint64_t client_msg_id, msg_id;
    struct roam_bytes conversation; /* that CREATE made; else empty */
    bool duplicate;
};

/* The server has it: it leaves the outbox and becomes part of the history
 * under its msg_id, or takes effect, but ends no hole; gathered. One that is
 * not in the outbox any more changes nothing. STORE. */
enum roam_posix_status roam_local_outbox_sent(
    struct roam_local *store, const struct roam_local_sent *sent);

/* The message is given up; gathered. STORE. */
enum roam_posix_status roam_local_outbox_drop(struct roam_local *store,
                                              uint64_t client_msg_id);

/* ---------------------------------------------------------- missing history
 *
 * After RESET, the *survey* asks the server for all conversations: it finds
 * where the *holes* of known ones end, and those that are unknown here. Each
 * hole is then filled page by page; its bounds move in the transaction that
 * holds the messages of the page. While a survey is due, or a hole has no
 * upper end, a message of this device's sets the survey back to its start:
 * it may have moved its conversation past the place. */

/* Where the survey goes on: behind this pair; 0 and empty: at its start. */
struct roam_local_survey {
    uint64_t before;
    char conversation[65];
};

/* To be called before each page of the survey is asked for, and not while
 * one is under way.
 *
 * *due  false: there is none. STORE. */
enum roam_posix_status roam_local_survey(struct roam_local *store,
                                         struct roam_local_survey *survey,
                                         bool *due);

/* A row of CONVERSATIONS: the newest of its conversation. Ends an open hole
 * there, or is a hole of its own; what the chain will bring is left to it.
 * Its mark, role, names and count are taken, unless newer ones are known;
 * gathered. STORE. */
enum roam_posix_status roam_local_survey_row(
    struct roam_local *store, const struct roam_entry_event *row);

/* The page is over, read at the head as_of; next NULL: and so is the survey.
 * Nothing changes if something that came set the survey back since
 * roam_local_survey(). Gathered. STORE. */
enum roam_posix_status roam_local_survey_page(
    struct roam_local *store, const struct roam_local_survey *next,
    uint64_t as_of);

/* LOGIN_OK named this head. If the survey was told things as of a version
 * above it, the server has lost them, and another one is due; gathered.
 * [HIST-16] STORE. */
enum roam_posix_status roam_local_head_told(struct roam_local *store,
                                            uint64_t head);

struct roam_local_hole {
    uint64_t id;
    char conversation[65];
    uint64_t above, below; /* messages between may be missing; below 0: no
                              message above it is known */
};

/* The hole with the newest messages.
 *
 * conversation  borrowed; NULL: of all.
 *
 * *found        false: there is none. STORE. */
enum roam_posix_status roam_local_hole(struct roam_local *store,
                                       const char *conversation,
                                       struct roam_local_hole *hole,
                                       bool *found);

/* A row of a page of HISTORY (version 0), taken like an entry; gathered.
 * STORE. */
enum roam_posix_status roam_local_add_history(
    struct roam_local *store, const struct roam_entry_event *row);

/* The page that was asked for with the bounds of *hole is over: it brought
 * all messages from `first` to `last` (msg_ids; 0: none), or, without `more`,
 * all that are in the hole; gathered. STORE. */
enum roam_posix_status roam_local_hole_page(struct roam_local *store,
                                            const struct roam_local_hole *hole,
                                            uint64_t first, uint64_t last,
                                            bool more);

/* The server does not know the conversation any more: nothing will fill its
 * holes; gathered. STORE. */
enum roam_posix_status roam_local_drop_holes(struct roam_local *store,
                                             const char *conversation);

/* ---------------------------------------------------------------- reading */

struct roam_local_counts {
    uint64_t messages;
    uint64_t outbox;
    uint64_t holes;   /* in conversations */
    bool survey_due;  /* there may be more */
    uint64_t unknown; /* entries of kinds that this version does not know */
};
/* STORE. */
enum roam_posix_status roam_local_count(struct roam_local *store,
                                        struct roam_local_counts *counts);

struct roam_local_row {
    bool hole; /* messages may be missing here; in a list of conversations:
                  somewhere in this one */
    uint64_t msg_id;  /* of a hole: the message before it */
    uint64_t time_ms; /* Unix time; of a hole: when it came to be */
    uint32_t kind;    /* enum roam_kind */
    bool recalled;    /* its sender took it back */
    struct roam_bytes conversation, sender, content_type, body;
    struct roam_bytes conversation_name, sender_name; /* the last known */
    uint32_t cut_size; /* bytes of a body that did not come along */
    /* In a list of conversations; else 0. */
    uint64_t read_mark; /* msg_id up to which the user has read */
    uint32_t unread;    /* ROAM_UNREAD_MAX is "at least" */
    bool unread_open;   /* a hole lies above the mark: this is what is known */
    enum roam_role role;
};

/* A walk over the history, in the order of msg_id, with its holes, or over
 * the conversations. */
struct roam_local_history;

/* conversation  borrowed; NULL: all of them. A hole without conversation says
 *               that there may be others.
 *
 * NULL: out of memory, or the store cannot be read. */
struct roam_local_history *roam_local_history_open(struct roam_local *store,
                                                   const char *conversation);

/* Each conversation with its newest row that is neither a DELETE nor
 * deleted, the newest first.
 *
 * NULL: out of memory, or the store cannot be read. */
struct roam_local_history *roam_local_conversations_open(
    struct roam_local *store);

/* The next row; its slices are borrowed until the next call.
 *
 * *found  false: that was the last one. STORE. */
enum roam_posix_status roam_local_history_next(
    struct roam_local_history *history, struct roam_local_row *row,
    bool *found);

/* How the user stands in a conversation (borrowed, 0..64 bytes): fills
 * read_mark, unread, unread_open and role of *row; all else is 0. STORE. */
enum roam_posix_status roam_local_state(struct roam_local *store,
                                        const char *conversation,
                                        struct roam_local_row *row);

/* NULL is allowed. */
void roam_local_history_close(struct roam_local_history *history);

#ifdef __cplusplus
}
#endif

#endif
