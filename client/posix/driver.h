/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct roam_posix, shared by the files of the driver:
 * posix_new.c (new, free), posix.c (loop), posix_round.c (what the engine
 * says), posix_outbox.c (messages under way), posix_history.c (what is missing)
 * and posix_question.c (what the program asks).
 *
 * One run() is one round: read what is there, let the engine speak, gather
 * what it says in one transaction, commit, tell the engine that it is
 * stored, write. Bytes leave only behind the commit, so nothing is
 * acknowledged, and nothing sent for the first time, that the disk does not
 * know of.
 *
 * Unless the program has a clock, the driver's runs like the monotonic one and
 * reads like Unix time at the start, so that times of earlier runs can be
 * compared with it. */
#ifndef ROAM_POSIX_DRIVER_H
#define ROAM_POSIX_DRIVER_H

#include <time.h>

#include "events.h"
#include "link.h"
#include "meter.h"
#include "roam_posix.h"

/* A batch of this size holds some thousand messages; a larger one would only
 * delay its first entry. */
#define MAX_FRAME (256u * 1024u)
#define MAX_INFLATED (1024u * 1024u)
/* Entries in flight: two full batches. */
#define MAX_UNACKED 8192u
/* SENDs in the engine's hands; the rest of the outbox waits on the disk. */
#define SLOT_COUNT 64u
/* Rows of a page: few enough that what comes live is not kept waiting. */
#define PAGE_ROWS 200u
/* Pages in a row whose connection ended before they came, from which on it
 * is taken for their fault. */
#define PAGES_LOST_MAX 5u
/* One TLS record, and what a round reads before it commits. */
#define CHUNK_BYTES 16384u
#define ROUND_BYTES (16u * CHUNK_BYTES)

enum roam__phase {
    IDLE,       /* stays away */
    WAITING,    /* until reconnect_at_ms */
    CONNECTING, /* the link is coming up */
    OPEN        /* the engine has the link */
};

/* A message of the outbox that the engine holds. */
struct roam__slot {
    uint64_t client_msg_id; /* 0: free */
    enum roam_kind kind;
    struct roam_bytes conversation, content_type, body;
    void *bytes; /* what they point into */
    bool marked; /* the store knows that it was sent */
};

/* The page under way, and what is wanted of the history. */
struct roam__pages {
    uint64_t ref; /* of the last request */
    bool under_way;
    bool survey;     /* it is CONVERSATIONS; else HISTORY */
    bool superseded; /* a RESET came behind its request: the survey starts
                        over */
    struct roam_local_hole hole; /* of HISTORY */
    uint64_t first, last;        /* msg_id of its rows */
    struct roam_local_survey at; /* of CONVERSATIONS: its last row */
    uint32_t lost;               /* pages in a row that did not come */
    bool stopped; /* the server does not give them, in this session */
    bool synced;  /* in this session */
    bool fetch;   /* asked for by roam_posix_fetch() */
    char fetch_conversation[65]; /* empty: all */
};

/* The page that the program asked for, and has no answer to yet. */
struct roam__wish {
    uint64_t ref; /* 0: none */
    bool list;    /* of conversations */
    char conversation[65];
    uint64_t before, after;
    uint32_t max_rows;
    bool under_way;
    struct roam_local_survey place; /* of the survey, when it was asked for */
    bool due;                       /* there was one */
};

/* What the program asked, and has no answer to yet. */
struct roam__question {
    enum {
        ASK_NOTHING,
        ASK_MEMBERS,
        ASK_SESSIONS,
        ASK_END_SESSION
    } what;
    bool under_way;
    char conversation[65], after[65];  /* of ASK_MEMBERS */
    enum roam_device_type device_type; /* ASK_SESSIONS: the last one told */
    uint64_t generation;
};

struct roam_posix {
    struct roam_posix_config config;
    struct roam_local *store;
    struct roam_link_tls *tls; /* NULL: plain */
    struct roam_link link;
    struct roam_client client;
    struct roam_events events;
    struct roam_meter meter;

    enum roam__phase phase;
    uint64_t reconnect_at_ms; /* of WAITING */
    uint64_t take_over;       /* of the next LOGIN */
    uint64_t clock_offset_ms; /* to the monotonic clock */
    bool logging_in;          /* a LOGIN of this connection has no answer */
    uint32_t new_devices;     /* ids drawn since the last session */
    bool more;                /* the link may hold more without an event */

    bool closing; /* roam_posix_close() was called */

    uint64_t gathered; /* version to be told as stored; 0: none */
    struct {
        bool wanted; /* the engine said CLOSE */
        enum roam_status status;
        bool reconnect;
        uint64_t reconnect_at_ms;
    } close;
    enum roam_posix_status failure; /* not OK: for good */
    char failure_detail[ROAM_POSIX_DETAIL_MAX];

    struct roam__pages pages;
    struct roam__wish wish;
    struct roam__question question;
    struct roam__slot slots[SLOT_COUNT];
    struct roam_outbox_item items[SLOT_COUNT];
    uint64_t outbox_order; /* of the last message handed to the engine */

    uint8_t out[CHUNK_BYTES]; /* bytes that the engine gave away */
    size_t out_at, out_len;
    uint8_t in[CHUNK_BYTES];
    uint8_t *rx, *tx, *inflated; /* of the limits in the config */
};

uint64_t roam__posix_clock_ms(clockid_t which);
uint64_t roam__posix_now_ms(const struct roam_posix *p);
/* For what people read: follows the system's clock when that is set. */
uint64_t roam__posix_unix_ms(const struct roam_posix *p);
/* From how many entries on RESET is preferred. */
uint32_t roam__posix_max_entries(const struct roam_posix *p);

/* The disk or the memory failed: what was gathered is undone, nothing more
 * is applied, and the driver does not come back. The first one sticks. */
void roam__posix_fail(struct roam_posix *p, enum roam_posix_status status,
                      const char *detail);
/* True when status is OK; else the store's failure is the driver's. */
bool roam__posix_stored(struct roam_posix *p, enum roam_posix_status status);

/* Queues an event. bytes: see roam_events_add(). */
void roam__posix_tell(struct roam_posix *p,
                      const struct roam_posix_event *event, void *bytes);
void roam__posix_tell_engine(struct roam_posix *p, const struct roam_event *e);
void roam__posix_tell_simple(struct roam_posix *p,
                             enum roam_posix_event_type type);

/* ------------------------------------------------------------------ round */

/* Queues LOGIN with a fresh attempt that is on the disk. */
void roam__posix_log_in(struct roam_posix *p);

/* Takes all that the engine has to tell now. Behind a failure its events
 * are read, so that it can go on to CLOSE, but not applied. */
void roam__posix_drain(struct roam_posix *p);

/* The end of a round: drains, commits, tells the engine, and takes what it
 * says to that. */
void roam__posix_settle(struct roam_posix *p);

/* Writes as much as the link takes now. A link that is lost over it is dealt
 * with by the next run(). */
void roam__posix_write(struct roam_posix *p);

/* ---------------------------------------------------------------- history */

/* A session begins. */
void roam__posix_pages_begin(struct roam_posix *p);
/* Asks for the next page, if one is wanted and none is under way. */
void roam__posix_ask(struct roam_posix *p);
/* PAGE_ROW, PAGE_END, PAGE_FAILED: gathered, and told. */
void roam__posix_page(struct roam_posix *p, const struct roam_event *e);

/* Asks what the program wants to know, if that is due; true: it is under
 * way. */
bool roam__posix_ask_question(struct roam_posix *p);
/* MEMBER, SESSION, PAGE_END, PAGE_FAILED. False: of a page of history. */
bool roam__posix_answer(struct roam_posix *p, const struct roam_event *e);

/* ----------------------------------------------------------------- outbox */

/* Gives the engine as much of the outbox as it has room for. */
void roam__posix_fill_outbox(struct roam_posix *p);

/* Before bytes leave: the store learns which messages go out for the first
 * time, so that a later run knows how old they are. [SEND-14] False: the
 * driver has failed. */
bool roam__posix_mark_sent(struct roam_posix *p);

/* The engine is done with a message: the store first, then the event with
 * the message's bytes, which become the queue's. */
void roam__posix_answered(struct roam_posix *p, const struct roam_event *e,
                          uint64_t client_msg_id);

#endif
