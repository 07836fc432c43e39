/* SPDX-License-Identifier: Apache-2.0 */
/* The Roam client for POSIX systems: the engine of roam.h with a socket, TLS
 * and a message store. You own the loop:
 *
 *   roam_posix_new()          opens the store; nothing is sent yet
 *   roam_posix_connect()      begins, and comes back by itself from then on
 *   roam_posix_poll()         what to wait for, and how long
 *   roam_posix_run()          does what can be done now; never blocks on the
 *                             network (it does wait for the disk)
 *   roam_posix_next_event()   what happened; drain it after each run
 *   roam_posix_send()         a message or an operation, durable before it
 *                             returns
 *   roam_posix_free()
 *
 *   while (going) {
 *       struct pollfd fd;
 *       int timeout_ms = roam_posix_poll(p, &fd);
 *       poll(&fd, 1, timeout_ms);
 *       roam_posix_run(p);
 *       while (roam_posix_next_event(p, &event)) { ... }
 *   }
 *
 * What an event tells is on the disk already: an entry and the cursor behind
 * it in one transaction, a sent message out of the outbox and in the history.
 * The program may be killed at any moment; nothing is lost and nothing is
 * there twice after it comes back. All entries that one run() reads go into
 * one transaction, so catching up costs few syncs.
 *
 * A driver is one thread's. The messages themselves are read with
 * roam_local.h, from this or another process. */
#ifndef ROAM_POSIX_H
#define ROAM_POSIX_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "roam.h"
#include "roam_local.h"
#include "roam_posix_status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Longest body that can be sent, bytes, unless the config says otherwise:
 * what a server takes by default. */
#define ROAM_POSIX_BODY_MAX 65536u
/* Fresh device ids in a row that are tried at once when a server says STALE:
 * with one in its right mind the first is enough, and with another one nothing
 * goes round without end. [LOGIN-17] */
#define ROAM_POSIX_NEW_DEVICES_MAX 3u

/* The strings are kept until roam_posix_free(). */
struct roam_posix_config {
    const char *host;    /* name or address; the certificate must be for it */
    const char *port;    /* number or service name */
    const char *ca_file; /* PEM; NULL: the system's certificates */
    const char *ca_pem;  /* the same as text, in place of a file; or NULL */
    bool plain;          /* TCP without TLS; refused unless host is loopback */

    const char *user;  /* UTF-8, 1..64 bytes */
    const char *token; /* 1..128 bytes */
    enum roam_device_type device_type;
    const char *device_name; /* 0..64 bytes, for people; may be NULL */
    const char *software;    /* 0..64 bytes; may be NULL */
    const char *store_path;  /* of this user and device type alone */
    /* In place of a path: a store that the program opened, in mode OWN, and
     * closes behind roam_posix_free(). Until then it is the driver's, and the
     * program's for reading. Or NULL. */
    struct roam_local *store;

    uint32_t max_entries; /* prefer RESET above this many; 0: never */
    bool from_now;        /* a new device wants no backlog; its history can be
                             filled like after any RESET */
    bool no_survey;       /* after RESET, do not ask which history is missing */
    bool fill_holes;      /* fetch what is missing in the background */
    bool no_deflate;      /* take batches, but not compressed ones */
    uint32_t connect_timeout_ms; /* for each address; 0: 10,000 */

    /* What this device tells the server that it takes, and the longest body
     * that it sends. Each has memory of its size, but max_unacked. */
    uint32_t max_frame;    /* 512..2^24-1 bytes; 0: 262,144 */
    uint32_t max_inflated; /* 1,024..2^24-1 bytes; 0: 1,048,576 */
    uint32_t max_unacked;  /* 4..100,000 entries; 0: 8,192 */
    uint32_t max_body;     /* up to 16,000,000; 0: ROAM_POSIX_BODY_MAX */

    /* The program says with roam_posix_stored() what it is done with, say
     * because it passes entries on, and no more than max_unacked come before
     * it does. Entries above the last one that it said come again with the
     * next connection, and are in the store once. [ACK-1] */
    bool says_stored;
    uint64_t cursor; /* with says_stored: said last, in an earlier run */

    /* A clock of the program's, asked with clock_context: Unix time, ms, not
     * 0; its steps alone count, and none goes back. All of the driver's time
     * is this one. NULL: the system's. */
    uint64_t (*clock_ms)(void *context);
    void *clock_context;
};

struct roam_posix; /* the heap's */

/* Opens the store, reads the CA certificates and sets up the engine.
 *
 * config  borrowed, its strings kept.
 *
 * *out    the driver; NULL on failure.
 * detail  ROAM_POSIX_DETAIL_MAX bytes; the cause of a failure.
 *
 * BAD_ARGUMENT: a string or a limit is out of range. CA_FILE, MEMORY, RANDOM,
 * STORE, STORE_IN_USE, STORE_OTHER, STORE_VERSION. */
enum roam_posix_status roam_posix_new(const struct roam_posix_config *config,
                                      struct roam_posix **out, char *detail);

/* Drops the connection without a word and closes the store; the slot stays
 * this device's. NULL is allowed. */
void roam_posix_free(struct roam_posix *p);

/* ----------------------------------------------------------------- events */

enum roam_posix_event_type {
    ROAM_POSIX_CONNECTED = 1, /* the transport is up, LOGIN is under way */
    ROAM_POSIX_PROTOCOL,      /* u.engine, as roam.h tells; never CLOSE, never
                                 of a page that the program did not ask for.
                                 With SENT and SEND_FAILED: `message` as
                                 well, whose conversation is the group that
                                 CREATE made */
    ROAM_POSIX_NEW_DEVICE,    /* the store was a copy of another one's; it got
                                 a device_id of its own; u.engine is the
                                 REFUSED that said so */
    ROAM_POSIX_HOLES,         /* u.holes: after a RESET it is known now which
                                 history is missing */
    ROAM_POSIX_FILLED,        /* u.filled: older messages are stored;
                                 `message.conversation` says where */
    ROAM_POSIX_DISCONNECTED   /* u.disconnected */
};

struct roam_posix_event {
    enum roam_posix_event_type type;
    union {
        struct roam_event engine;
        struct {
            uint64_t count; /* holes */
        } holes;
        struct {
            uint32_t rows; /* messages of this page */
            bool done;     /* the conversation has no hole any more */
            uint32_t code; /* roam_v1_ErrorCode: the server does not give
                              them; 0: it did */
        } filled;
        struct {
            enum roam_posix_status status; /* OK: kicked, or asked for */
            char detail[ROAM_POSIX_DETAIL_MAX];
            bool reconnect; /* it will connect again by itself */
            uint64_t reconnect_in_ms;
        } disconnected;
    } u;
    struct {
        uint64_t client_msg_id;
        enum roam_kind kind;
        struct roam_bytes conversation, content_type, body;
    } message;
};

/* The next event; its slices are borrowed until the next call with p.
 * False: no more for now. */
bool roam_posix_next_event(struct roam_posix *p,
                           struct roam_posix_event *event);

/* ------------------------------------------------------------------- loop */

/* What to wait for: fills *fd (fd -1: nothing) and returns the time limit
 * as poll() takes it, ms of the driver's clock. */
int roam_posix_poll(struct roam_posix *p, struct pollfd *fd);

/* Does all that can be done now; a call too many does no harm. Drain the
 * events behind it. */
void roam_posix_run(struct roam_posix *p);

/* For programs that can wait: runs until there is nothing more to do now, and
 * a connection on its way up is there or has failed; with a clock of the
 * program's, no time passes over that. Drain the events behind it. */
void roam_posix_work(struct roam_posix *p);

/* ---------------------------------------------------------------- session */

/* Connects now and logs in without take_over; does nothing if that is under
 * way. Legal again after DISCONNECTED, if a person wants so. */
void roam_posix_connect(struct roam_posix *p);

/* A person decided to use this device: logs in naming the generation that
 * REFUSED told, once, on the same connection if it is still there.
 * BAD_STATE: logged in, or a LOGIN has no answer yet; then its answer decides
 * whether there is anything to take over. BAD_ARGUMENT: above 2^63-1. */
enum roam_posix_status roam_posix_take_over(struct roam_posix *p,
                                            uint64_t generation);

/* Gives the slot up; KICKED with LOGGED_OUT follows. BAD_STATE: not logged
 * in. */
enum roam_posix_status roam_posix_logout(struct roam_posix *p);

/* Ends the connection, or the wait for one, and stays away. DISCONNECTED
 * follows at the next run(), unless the driver stayed away already. */
void roam_posix_close(struct roam_posix *p);

bool roam_posix_logged_in(const struct roam_posix *p);

/* With says_stored: the program is done with all entries up to `version`, and
 * will know so when it is started again. The cursor follows; a RESET moves it
 * by itself. BAD_STATE: without says_stored. BAD_ARGUMENT: no such entry came
 * on this connection, or it is below the cursor. */
enum roam_posix_status roam_posix_stored(struct roam_posix *p,
                                         uint64_t version);

/* Is there a connection, logged in or not? */
bool roam_posix_connected(const struct roam_posix *p);
/* How long until the driver connects by itself, ms; UINT64_MAX: it does not. */
uint64_t roam_posix_reconnect_ms(const struct roam_posix *p);

/* The version that the next SYNC names. */
uint64_t roam_posix_cursor(const struct roam_posix *p);

/* ---------------------------------------------------------------- sending */

/* Puts a message or an operation into the outbox. It is sent in its turn, and
 * again after each reconnect and restart, until SENT or SEND_FAILED.
 *
 * kind          MESSAGE, or RECALL to GROUP: the body is then what
 *               roam_operation_encode() wrote.
 * conversation  1..64 bytes UTF-8; all slices are copied.
 * content_type  0..64 bytes UTF-8; empty: text/plain.
 * body          up to max_body of the config.
 *
 * *client_msg_id  names it in the events.
 *
 * BAD_ARGUMENT; RANDOM; STORE: the message was not taken. */
enum roam_posix_status roam_posix_send(struct roam_posix *p,
                                       enum roam_kind kind,
                                       struct roam_bytes conversation,
                                       struct roam_bytes content_type,
                                       struct roam_bytes body,
                                       uint64_t *client_msg_id);

/* ---------------------------------------------------------------- history */

/* Fetches the messages that are missing, newest first, page by page, from
 * now on or as soon as there is a session; FILLED tells of each page. After a
 * restart it has to be asked for again, and goes on where it was.
 *
 * conversation  borrowed; NULL: all of them.
 *
 * BAD_ARGUMENT: longer than 64 bytes. */
enum roam_posix_status roam_posix_fetch(struct roam_posix *p,
                                        const char *conversation);

/* Is there history that is wanted and not here? False before the session is
 * synced, and when the server does not give it. */
bool roam_posix_fetching(struct roam_posix *p);

/* One page of a conversation, or of the list of conversations, as
 * roam_client_history() and roam_client_conversations() have it: asked for
 * now or as soon as there is a session and no other page is under way. The
 * answer is any number of PAGE_ROW, which are in the store, and a PAGE_END;
 * or PAGE_FAILED, also when the connection ends over it. [HIST-13]
 *
 * max_rows  1..1,000; 0: 200.
 *
 * *ref  comes back in the events.
 *
 * BAD_STATE: the last one has no answer yet. BAD_ARGUMENT: out of range. */
enum roam_posix_status roam_posix_history(struct roam_posix *p,
                                          const char *conversation,
                                          uint64_t before, uint64_t after,
                                          uint32_t max_rows, uint64_t *ref);
enum roam_posix_status roam_posix_conversations(struct roam_posix *p,
                                                uint64_t before,
                                                const char *conversation,
                                                uint32_t max_rows,
                                                uint64_t *ref);

/* -------------------------------------------------------------- questions
 *
 * One at a time: asked now or as soon as there is a session, and again when
 * the connection was lost over it. The answer is any number of MEMBER or
 * SESSION, and a PAGE_END or PAGE_FAILED. Nothing of it is stored.
 * BAD_STATE: another one has no answer yet. */

/* Who is in this group. conversation borrowed. BAD_ARGUMENT: its length. */
enum roam_posix_status roam_posix_members(struct roam_posix *p,
                                          const char *conversation);

/* Where this user is logged in. */
enum roam_posix_status roam_posix_sessions(struct roam_posix *p);

/* Logs another device out for good, see roam_client_end_session().
 * BAD_ARGUMENT: out of range. */
enum roam_posix_status roam_posix_end_session(struct roam_posix *p,
                                              enum roam_device_type device_type,
                                              uint64_t generation);

/* ---------------------------------------------------------------- reading */

/* The store, for reading; kept by the driver. */
struct roam_local *roam_posix_store(struct roam_posix *p);

/* Counted since roam_posix_new(). Bytes are those of frames, headers
 * included, before TLS. */
struct roam_posix_stats {
    uint64_t connections; /* transports that came up */
    uint64_t bytes_received, bytes_sent;
    uint64_t last_received, last_sent; /* of the last of them alone */
    uint64_t push_frames, push_bytes;
    uint64_t batch_frames, batch_bytes;
    uint64_t batch_entries;       /* entries that came in batches */
    uint64_t batch_as_push_bytes; /* what PUSHes of the same would take */
    uint64_t batch_body_bytes;    /* their bodies alone */
};
void roam_posix_stats(const struct roam_posix *p,
                      struct roam_posix_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
