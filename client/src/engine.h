/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of struct roam_client, shared by the files of client/src/.
 *
 * Invariants:
 *   - One frame is in hand at a time. What it has to tell is in `owes`; no
 *     byte is read before all of it is told, so its strings stay where they
 *     are: in `rx`, in `inflated`, or in `hand`.
 *   - What has to be sent is state (`..._due`), written into `tx` only when
 *     there is room. So reading never waits for writing.
 *   - cursor <= received, except after RESET until its head is stored;
 *     acked <= delivered in a delivery.
 *   - Only roam__step() writes `state`. */
#ifndef ROAM_CLIENT_ENGINE_H
#define ROAM_CLIENT_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch.h"
#include "frame.h"
#include "roam.h"
#include "state.h"

#define ROAM__NEVER UINT64_MAX /* no time at all */

/* What is to be told by events, as bits, in the order of telling. */
enum roam__owes {
    OWES_LOGGED_IN = 1 << 0,
    OWES_REFUSED = 1 << 1,
    OWES_RESET = 1 << 2,
    OWES_KICKED = 1 << 3,
    OWES_SENT = 1 << 4,
    OWES_FAILED = 1 << 5,
    OWES_SYNCED = 1 << 6,
    OWES_ENTRY = 1 << 7,    /* `entry` holds the next one */
    OWES_PAGE_ROW = 1 << 8, /* `entry` holds the next one */
    OWES_PAGE_END = 1 << 9,
    OWES_PAGE_FAILED = 1 << 10,
    OWES_CLOSE = 1 << 11
};

/* The page or list that was asked for; at most one at a time. */
enum roam__page_state {
    PAGE_NONE,
    PAGE_DUE,   /* to be asked for */
    PAGE_ASKED, /* no answer yet */
    PAGE_TOLD   /* answered: by rows and an end, or a failure, that are owed */
};

struct roam__page {
    uint64_t ref;
    uint64_t before; /* of END_SESSION: the generation */
    uint64_t after;  /* of SESSIONS, END_SESSION: a device type */
    uint64_t asked_ms;
    uint64_t ask_at_ms; /* RATE_LIMITED: not before; 0: none waits */
    uint64_t as_of;     /* from the answer */
    uint32_t code;      /* of OWES_PAGE_FAILED */
    uint16_t max_rows;
    uint8_t state; /* enum roam__page_state */
    uint8_t type;  /* of the request: enum roam_frame_type */
    uint8_t codecs;
    uint8_t conversation_len, user_len;
    bool operations_only;
    bool more;      /* from the answer */
    bool bad;       /* the last page lied: offer no codec */
    uint8_t delays; /* told to come again, and no time */
    char conversation[ROAM_CONVERSATION_MAX];
    char user[ROAM_USER_MAX]; /* of MEMBERS: behind this one */
    struct roam_slice rows;   /* of a list: those not told yet */
    uint32_t count, left;     /* rows of the answer; not told yet */
};

struct roam__engine {
    struct roam_client_config config;
    uint64_t now_ms; /* the latest time told */
    uint32_t random;
    uint16_t owes;    /* bits of enum roam__owes */
    uint8_t state;    /* enum roam__state */
    uint8_t failures; /* in a row, for the back-off */
    int8_t status;    /* enum roam_status; the first error sticks */
    uint8_t ping_id;

    /* Login. */
    bool login_due;
    bool leaving;  /* LOGOUT due or sent on this connection */
    bool left;     /* LOGOUT written: nothing goes behind it */
    bool stay_out; /* no reconnect before a login that a person asks for */
    bool stale;    /* refused with STALE, same device_id: LOGIN-17 */
    uint64_t attempt;
    uint64_t take_over;      /* of the LOGIN that is due */
    uint64_t used_take_over; /* since the last REFUSED */
    uint64_t since_ms;       /* of the session; ROAM__NEVER: none yet */
    /* From LOGIN_OK. */
    uint32_t peer_max_frame, max_commands, heartbeat_ms;
    uint64_t dedup_ms;

    /* Delivery. */
    bool sync_due;
    bool reset_open;     /* RESET told, head not stored yet */
    bool unsynced;       /* sync_head not reached yet */
    bool caught_up;      /* a head told by SYNC_OK was reached, this session */
    bool gap;            /* since the last entry that fitted */
    bool behind;         /* SYNC sent for PING-3, no entry fitted since */
    uint8_t bad_batches; /* 0, 1: offer no codec, 2: and ask for RESET */
    uint64_t bad_at;     /* version behind which the last one was */
    uint64_t cursor;     /* stored */
    uint64_t received;   /* handed out: what the chain is checked against */
    uint64_t reset_head;
    uint64_t sync_cursor; /* named in the last SYNC */
    uint64_t sync_head;
    uint64_t delivered; /* last one seen in this delivery */
    uint64_t acked;
    uint64_t ahead;      /* head told by PONG; 0: nothing expected */
    uint64_t ahead_from; /* `received` at that time */
    uint32_t window;     /* entries that may be in flight: ACK-3 */
    uint32_t unacked;    /* entries delivered and not acked, at most */
    uint32_t fresh;      /* entries delivered since the last ACK was written */
    uint32_t codecs;     /* offered in the last SYNC */
    bool ack_due;

    /* Time. */
    bool ping_due;
    bool probing;       /* PING sent for silence, nothing came since */
    uint64_t ack_ms;    /* when an ACK is due; ROAM__NEVER: none */
    uint64_t answer_ms; /* when an answer is overdue; ROAM__NEVER: none */
    uint64_t probe_ms;
    uint64_t rx_ms; /* bytes came last */
    uint64_t tx_ms; /* a frame was written last */

    /* Sending. */
    uint32_t next_order;
    uint32_t commands;   /* without answer on this connection */
    bool limited;        /* RATE_LIMITED: first come all answers, FLOW-4 */
    uint64_t send_at_ms; /* and no SEND goes before; 0: none waits */
    uint64_t done_id;    /* of OWES_SENT and OWES_FAILED */
    uint64_t done_msg_id;
    bool done_duplicate;
    struct roam_slice done_conversation;
    bool close_reconnect; /* of OWES_CLOSE */
    uint64_t close_at_ms;

    struct roam__page page;

    size_t tx_from, tx_len; /* unsent bytes in config.tx */
    bool mid_frame;         /* the reader holds the front of a frame */
    bool unpacking;         /* hand.batch has more rows */
    struct roam_reader reader;
    struct roam_entry entry; /* of OWES_ENTRY */
    union {
        struct roam_message message;
        struct roam_unpack batch; /* while unpacking, and of a page */
    } hand;
};

struct roam__engine *roam__engine(struct roam_client *c);
const struct roam__engine *roam__engine_const(const struct roam_client *c);

/* How long a command waits that is to come again: the time told, or if that
 * is 0 one that doubles with each delay. [FLOW-14] */
uint32_t roam__delay_ms(uint32_t retry_after_ms, uint8_t *delays);

/* Notes the time; it never runs backwards. */
void roam__now(struct roam__engine *e, uint64_t now_ms);
bool roam__in_session(const struct roam__engine *e);
struct roam_slice roam__slice(struct roam_bytes b);
struct roam_bytes roam__bytes(struct roam_slice s);

/* ------------------------------------------------- actions of the table */

enum roam__on roam__act_open(struct roam__engine *e);
enum roam__on roam__act_login(struct roam__engine *e);
enum roam__on roam__act_granted(struct roam__engine *e);
enum roam__on roam__act_refused(struct roam__engine *e);
enum roam__on roam__act_throttled(struct roam__engine *e);
enum roam__on roam__act_sync_ok(struct roam__engine *e);
enum roam__on roam__act_reset(struct roam__engine *e);
enum roam__on roam__act_apply(struct roam__engine *e);
enum roam__on roam__act_drop(struct roam__engine *e);
enum roam__on roam__act_gap(struct roam__engine *e);
enum roam__on roam__act_chain(struct roam__engine *e);
enum roam__on roam__act_lies(struct roam__engine *e);
enum roam__on roam__act_page(struct roam__engine *e);
enum roam__on roam__act_page_lies(struct roam__engine *e);
enum roam__on roam__act_answer(struct roam__engine *e);
enum roam__on roam__act_pong(struct roam__engine *e);
enum roam__on roam__act_behind(struct roam__engine *e);
enum roam__on roam__act_stuck(struct roam__engine *e);
enum roam__on roam__act_kicked(struct roam__engine *e);
enum roam__on roam__act_broken(struct roam__engine *e);
enum roam__on roam__act_other(struct roam__engine *e);
enum roam__on roam__act_silent(struct roam__engine *e);
enum roam__on roam__act_close(struct roam__engine *e);
enum roam__on roam__act_gone(struct roam__engine *e);

/* --------------------------------------------------------------- delivery */

/* How the PUSH or BATCH in hand meets the chain. */
enum roam__on roam__meets(const struct roam__engine *e);
/* What the SYNC_OK in hand is, ON_BROKEN if it contradicts its SYNC. */
enum roam__on roam__sync_answer(const struct roam__engine *e);
/* `entry` was handed out: the next one of the batch, if any, takes its
 * place. */
void roam__entry_told(struct roam__engine *e);
/* The version that may be acked, 0 if none above the last. */
uint64_t roam__ack_version(const struct roam__engine *e);
/* An ACK of this version was written. */
void roam__acked(struct roam__engine *e, uint64_t version);

/* ------------------------------------------------------------------ pages */

/* What the page or list in hand is. */
enum roam__on roam__page_answer(const struct roam__engine *e);
/* May the request that is due be written? */
bool roam__page_sendable(const struct roam__engine *e);
/* It, as a message. */
void roam__page_message(const struct roam__engine *e, struct roam_message *m);
/* True when the request names max_inflated and codecs. */
bool roam__page_is_packed(const struct roam__engine *e);
/* It was written. */
void roam__page_asked(struct roam__engine *e, uint32_t codecs);
/* Tells the next row of a list. */
void roam__list_tell(struct roam__engine *e, struct roam_event *event);
/* `entry` was handed out: the next row takes its place, or the end is owed. */
void roam__page_row_told(struct roam__engine *e);
/* ERROR names this ref. False: it is not the page's. */
bool roam__page_refused(struct roam__engine *e, uint64_t ref, uint32_t code);
/* ERROR RATE_LIMITED names this ref: it is asked for again, later. False: it
 * is not the page's. */
bool roam__page_limited(struct roam__engine *e, uint64_t ref,
                        uint32_t retry_after_ms);
/* The connection is over: what was asked for does not come. */
void roam__page_lost(struct roam__engine *e);
/* When the answer is overdue; ROAM__NEVER: none is awaited. */
uint64_t roam__page_due_ms(const struct roam__engine *e);

/* ----------------------------------------------------------------- outbox */

struct roam_outbox_item *roam__outbox_find(struct roam__engine *e,
                                           uint64_t client_msg_id);
void roam__outbox_free(struct roam__engine *e, uint64_t client_msg_id);
/* The server answered this SEND: counts it. False: the item is not waiting
 * for an answer. */
bool roam__outbox_answered(struct roam__engine *e, uint64_t client_msg_id);
/* The server wants this SEND, and with it all others, later: FLOW-4. */
void roam__outbox_limited(struct roam__engine *e, uint64_t client_msg_id,
                          uint32_t retry_after_ms);
/* The item to be sent next; NULL: none, or max_commands are unanswered. */
struct roam_outbox_item *roam__outbox_next(struct roam__engine *e);
/* An item that must not be sent in this session, and why (`code` as in the
 * event SEND_FAILED); NULL: none. */
struct roam_outbox_item *roam__outbox_doomed(struct roam__engine *e,
                                             uint32_t *code);
/* The connection is gone: what it left unanswered is to be sent again. */
void roam__outbox_requeue(struct roam__engine *e);
/* The item as a message; m borrows its body. */
void roam__outbox_message(const struct roam_outbox_item *item,
                          struct roam_message *m);

/* ----------------------------------------------------------------- ending */

/* How to come back. */
enum roam__return {
    RETURN_NOT,
    RETURN_LATER,  /* after the back-off */
    RETURN_AT_ONCE /* the first time; then after the back-off */
};

/* The connection is over: sets the status and owes CLOSE.
 * window_ms  with RETURN_LATER: wait a random time within it, if longer. */
void roam__end(struct roam__engine *e, enum roam_status status,
               enum roam__return way, uint32_t window_ms);

#endif
