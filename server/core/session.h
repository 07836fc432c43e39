/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the server core, shared by its files and its tests.
 *
 * Words: a *session* here is one connection, logged in or not; it is *live*
 * from LOGIN_OK until KICK or the loss of the connection. A *user* is kept
 * while it has live sessions. *head* is the newest version of a user's
 * timeline that the core has been told of by the store; nothing above it is
 * ever sent. A session is *behind* while `sent` is below the head.
 *
 * Invariants:
 * - only roam__session_event() writes `state`;
 * - a session is in user->live[] exactly while it is live;
 * - struct roam_session stays until its last store request is done, also
 *   when the connection is long gone (`closed`);
 * - after state ENDING nothing is appended to the output. */
#ifndef ROAM_SESSION_H
#define ROAM_SESSION_H

#include "core.h"
#include "frame.h"
#include "output.h"
#include "rate.h"
#include "roam_limits.h"
#include "window.h"

enum roam__state {
    ROAM__OPEN,       /* no session; LOGIN expected */
    ROAM__DECIDING,   /* a LOGIN is before the store */
    ROAM__IDLE,       /* live, without a delivery */
    ROAM__SYNCING,    /* live, a SYNC is before the store */
    ROAM__DELIVERING, /* live, entries flow */
    ROAM__LEAVING,    /* live, a LOGOUT is before the store */
    ROAM__ENDING      /* KICK is the last frame, nothing is read */
};

enum roam__event {
    /* Frames. The values are those of enum roam_frame_type. */
    ROAM__ON_LOGIN = ROAM_LOGIN,
    ROAM__ON_LOGOUT = ROAM_LOGOUT,
    ROAM__ON_SYNC = ROAM_SYNC,
    ROAM__ON_ACK = ROAM_ACK,
    ROAM__ON_SEND = ROAM_SEND,
    ROAM__ON_PING = ROAM_PING,
    ROAM__ON_HISTORY = ROAM_HISTORY,
    ROAM__ON_CONVERSATIONS = ROAM_CONVERSATIONS,
    ROAM__ON_MEMBERS = ROAM_MEMBERS,
    ROAM__ON_SESSIONS = ROAM_SESSIONS,
    ROAM__ON_END_SESSION = ROAM_END_SESSION,
    /* From inside. */
    ROAM__ON_REFUSED = 0x100, /* the LOGIN was refused */
    ROAM__ON_GRANTED,         /* ... or granted */
    ROAM__ON_SYNCED,          /* the store knows where the cursor is */
    ROAM__ON_KICK             /* KICK was queued */
};

struct roam__user;
struct roam_session;

/* What a row of the state table does with the frame. */
typedef void (*roam__action_fn)(struct roam_session *s,
                                const struct roam_message *m);

/* Most device types, plus one: they count from 1. */
#define ROAM__DEVICE_TYPES 7u

/* A user with at least one live session. */
struct roam__user {
    int64_t id;
    uint64_t head;
    uint32_t live_count;
    struct roam_session *live[ROAM__DEVICE_TYPES]; /* by device type */
    struct roam__user *next;                       /* same hash bucket */
};

struct roam_session {
    struct roam_core *core;
    void *owner;                      /* the loop's */
    struct roam_session *prev, *next; /* all of the core */
    struct roam_session *ready_prev, *ready_next;
    bool is_ready; /* in the ready list */

    enum roam__state state;
    bool deaf;         /* the server drains: input is dropped, KICK follows */
    bool given_up;     /* ENDING, and the output will not be sent */
    bool closed;       /* the connection is gone, only requests are left */
    uint32_t requests; /* in the store */
    uint32_t writes;   /* of these, the ones that change something */
    struct roam_store_request *held; /* waits for output to leave, because
                                        its answer would only add to it */

    uint32_t timer_index; /* place in the heap */
    uint64_t timer_ms;    /* key there: at or before the true deadline */
    uint64_t login_by_ms; /* OPEN: LOGIN_TIMEOUT */
    uint64_t accepted_ms;
    uint64_t heard_ms;  /* last bytes received */
    uint64_t moved_ms;  /* last bytes taken by the transport, or the first
                           to wait for it */
    uint64_t end_by_ms; /* ENDING or deaf: give up */

    struct roam_reader reader;
    size_t reader_room; /* bytes really at reader.buf */
    struct roam__output out;

    bool has_sync;        /* a SYNC came behind the LOGIN being decided */
    bool may_drop_sync;   /* [LOGIN-6] */
    bool credential_seen; /* a good one: the person may take time now */
    uint32_t peer_max_frame;
    uint64_t capabilities; /* of the last LOGIN */
    roam_v1_Sync sync;     /* kept while has_sync; then of the delivery */

    struct roam_identity identity; /* valid while live */
    struct roam__user *user;       /* NULL unless live */
    int64_t token;                 /* by which it is */
    uint64_t expires_ms;           /* when that ends; UINT64_MAX: never */

    uint32_t commands; /* those of [SEND-11] whose answer has not left */
    struct roam_store_request *pages, *last_page; /* wait for their turn: one
                                                     is in the store at most */
    bool paging;                                  /* it is */
    uint64_t told; /* the newest version that an answer has told of */
    bool has_ping; /* one waits behind stuck output */
    uint64_t ping_id;

    uint64_t delivery;      /* number of the delivery; late answers to an
                               older one are dropped */
    uint64_t sent;          /* version of the last entry sent */
    uint64_t read_again_ms; /* the backlog pauses until then; 0: it does not */
    bool pause_over;        /* it did, and has not read since */
    bool reading;           /* a READ is in the store */
    uint32_t body_limit;    /* longer bodies are cut */
    struct roam__window window;

    /* Flow and abuse. */
    uint64_t address;     /* 0: exempt from limits for addresses */
    uint64_t user_key;    /* of the LOGIN's user, in the table of users */
    uint64_t failure_key; /* of the LOGIN's user at this address */
    uint64_t refused[ROAM_HELD_SENDS];  /* client_msg_ids of SENDs that were
                                  limited, since one of them came again */
    size_t refused_count;               /* 0: nothing is held up */
    uint64_t send_again_ms;             /* when they may come again */
    struct roam__bucket cost;           /* of frames and tiny reads */
    bool is_stranger;                   /* in the list of strangers */
    struct roam_session *older, *newer; /* strangers by age */
    struct roam_session *same_address;  /* next in the same chain */
    bool awaits_turn;                   /* in the queue of readers */
    struct roam_session *turn_prev, *turn_next;

    char user_name[ROAM_USER_MAX + 1]; /* for the log */
    char peer[64];
};

#define ROAM__STRANGER_CHAINS 256u

/* Connections that have not shown a good credential yet. */
struct roam__strangers {
    struct roam_session *oldest, *newest;
    struct roam_session *chains[ROAM__STRANGER_CHAINS]; /* by address */
    uint32_t count;
};

struct roam_core {
    struct roam_core_config config;
    struct roam_now now; /* of the call under way */
    struct roam_session *sessions, *ready_first, *ready_last;

    struct roam_session **timers; /* binary heap, least timer_ms first */
    uint32_t timer_count, timer_room;

    struct roam__user **users; /* hash table, chained */
    size_t user_buckets;       /* a power of two */
    size_t user_count;

    struct roam_packer *packer;
    uint8_t *scratch; /* one encoded PUSH, shared by its receivers, or the
                         rows of a MEMBER_PAGE */
    size_t scratch_room;

    struct roam__meters user_meters, address_meters, failure_meters;
    struct roam__bucket told; /* newcomers that were told OVERLOADED */
    struct roam__strangers strangers;
    uint32_t reads; /* requests of readers in the store */
    struct roam_session *turn_first, *turn_last; /* wait to read */
    uint64_t output_bytes;                       /* of all sessions */

    bool watching;        /* a REVOKED is in the store */
    uint64_t watch_by_ms; /* when the next one goes there */
    uint64_t revocations; /* that were seen */
    bool trimming;        /* a TRIM is in the store */
    uint64_t trim_by_ms;  /* when the next one goes there */
    struct roam_now kept; /* what is old by age, and when that was so */
    bool behind_told;     /* that it is behind the wall clock */

    bool draining;
    uint64_t drain_by_ms;
    struct roam_core_stats stats;
};

/* ------------------------------------------------------------ states.c */

/* Takes the step of the row for (state, event) and runs its action with m.
 * There must be one: ask roam__session_expects() about frames. */
void roam__session_event(struct roam_session *s, enum roam__event on,
                         const struct roam_message *m);
/* True when there is a row for a frame of that type. */
bool roam__session_expects(const struct roam_session *s, uint8_t type);
bool roam__session_is_live(const struct roam_session *s);

/* ----------------------------------------------------------- session.c */

/* Queues a frame. False: the session was ended for lack of memory. */
bool roam__session_queue(struct roam_session *s, const struct roam_message *m);
/* The same for a frame that is encoded already. data borrowed. */
bool roam__session_queue_bytes(struct roam_session *s, const uint8_t *data,
                               size_t len);
/* Tells the loop that s has output or is finished. */
void roam__session_ready(struct roam_session *s);
/* True when delivery may add to the output. */
bool roam__session_has_room(const struct roam_session *s);
/* True when the output is above its bound: only what cannot wait is added. */
bool roam__session_is_full(const struct roam_session *s);
void roam__session_answer_ping(struct roam_session *s, uint64_t id);
/* An answer that tells of the head leaves: see pages.c. */
void roam__session_tells(struct roam_session *s, uint64_t head);
/* Takes one of max_commands. False: s was ended, it had all. [SEND-11] */
bool roam__session_count_command(struct roam_session *s);
/* ERROR, with a code whose retry class is NEVER. */
void roam__session_answer_error(struct roam_session *s, uint64_t ref,
                                roam_v1_ErrorCode code);
/* ERROR RATE_LIMITED. */
void roam__session_answer_limited(struct roam_session *s, uint64_t ref,
                                  uint64_t wait_ms);
/* The connection is closed and the last request done. */
void roam__session_free(struct roam_session *s);

/* ---------------------------------------------------------------- end.c */

/* Ends s with KICK; nothing when it is ending already. The retry class is
 * filled in, the other fields are the caller's. kick borrowed. */
void roam__session_kick(struct roam_session *s, const roam_v1_Kick *kick);
void roam__session_end(struct roam_session *s, roam_v1_KickReason reason);
void roam__session_protocol_error(struct roam_session *s,
                                  roam_v1_ErrorCode code, const char *detail);
/* The store says that s does not hold its slot any more, to somebody that this
 * core did not see log in, so the winner has no name here; unheld: to nobody,
 * so it was ended. [KICK-5] */
void roam__session_fenced(struct roam_session *s, bool unheld);
/* No memory for what s needs: it alone ends, its device comes back later. */
void roam__session_no_memory(struct roam_session *s);
/* Leaves the user, stops delivery, frees what a dead session needs not. */
void roam__session_release(struct roam_session *s);

/* ----------------------------------------------------------- requests.c */

/* A new request of s; NULL: s was ended for lack of memory. */
struct roam_store_request *roam__request_new(struct roam_session *s,
                                             enum roam_store_kind kind,
                                             size_t extra);
void roam__request_submit(struct roam_session *s,
                          struct roam_store_request *req);
/* Has the store note when s, which is live, was last seen; of no weight, so
 * without memory it is left out. */
void roam__request_seen(struct roam_session *s);
/* The same for a request whose answer nothing else bounds: while the output
 * is above its bound, it is held. At most one is, because the state allows
 * no second one. */
void roam__request_submit_or_hold(struct roam_session *s,
                                  struct roam_store_request *req);
/* Output has left: submits what was held, if there is room now. */
void roam__request_release_held(struct roam_session *s);

/* -------------------------------------------------------------- pages.c */

/* What the answer to a page request needs of it. It is the memory of the
 * store's request, whose conversation points here. */
struct roam__page_ask {
    uint64_t ref;
    uint32_t max_inflated;
    uint32_t codecs;
    char conversation[ROAM_CONVERSATION_MAX + 1];
    char after[ROAM_USER_MAX + 1]; /* MEMBERS */
};

/* The page as the store gave it. */
struct roam__page {
    const struct roam__page_ask *ask;
    uint64_t head;           /* in the state it was read from */
    struct roam_entry *rows; /* may be changed */
    size_t count;
    bool more;
    bool no_memory;
    uint64_t cost; /* of the search for them, in rows */
};

/* A new request for a page, which counts as a command; what both kinds
 * share is filled in. NULL: s was ended. */
struct roam_store_request *roam__page_new(struct roam_session *s,
                                          enum roam_store_kind kind,
                                          const struct roam__page_ask *ask);
/* Submits it when its turn comes. */
void roam__page_submit(struct roam_session *s, struct roam_store_request *req);
/* Output has left, or a page has come: the next one's turn, if there is
 * room. */
void roam__pages_pump(struct roam_session *s);
/* The store has read a page. False: it is not to be sent, because s is over,
 * ends here without memory, or the page was stale and is read again. */
bool roam__page_arrived(struct roam_session *s, struct roam_store_request *req,
                        const struct roam__page *page);
/* The core's head, or that of the state read if that is lower; no entry above
 * either has been sent. [HIST-9] */
uint64_t roam__page_as_of(const struct roam_session *s, uint64_t head);
/* Packs what fits of a page's rows into m: of its end when from_end, else of
 * its front. *more becomes true when rows are left out. False: s was ended
 * for lack of memory. */
bool roam__page_pack(struct roam_session *s, const struct roam__page *page,
                     bool from_end, struct roam_message *m, bool *more);
/* The page is answered: delivery goes on, then the next page. */
void roam__page_answered(struct roam_session *s);
void roam__pages_drop(struct roam_session *s);

/* ------------------------------------------------- handle_<message>.c */

void roam__handle_login(struct roam_session *s, const struct roam_message *m);
void roam__handle_logout(struct roam_session *s, const struct roam_message *m);
void roam__handle_sync(struct roam_session *s, const struct roam_message *m);
void roam__handle_ack(struct roam_session *s, const struct roam_message *m);
void roam__handle_send(struct roam_session *s, const struct roam_message *m);
void roam__handle_ping(struct roam_session *s, const struct roam_message *m);
void roam__handle_history(struct roam_session *s, const struct roam_message *m);
void roam__handle_conversations(struct roam_session *s,
                                const struct roam_message *m);
void roam__handle_members(struct roam_session *s, const struct roam_message *m);
void roam__handle_sessions(struct roam_session *s,
                           const struct roam_message *m);
void roam__handle_end_session(struct roam_session *s,
                              const struct roam_message *m);
/* Their answers from the store. s may have ended or be closed meanwhile. */
void roam__login_done(struct roam_session *s, struct roam_store_request *req);
void roam__logout_done(struct roam_session *s, struct roam_store_request *req);
void roam__sync_done(struct roam_session *s, struct roam_store_request *req);
void roam__send_done(struct roam_session *s, struct roam_store_request *req);
void roam__read_done(struct roam_session *s, struct roam_store_request *req);
void roam__history_done(struct roam_session *s, struct roam_store_request *req);
void roam__sessions_done(struct roam_session *s,
                         struct roam_store_request *req);
void roam__end_session_done(struct roam_session *s,
                            struct roam_store_request *req);
void roam__conversations_done(struct roam_session *s,
                              struct roam_store_request *req);
void roam__members_done(struct roam_session *s, struct roam_store_request *req);

/* ----------------------------------------------------------- delivery.c */

/* Starts delivery behind `cursor`, with the limits in s->sync. */
void roam__delivery_start(struct roam_session *s, uint64_t cursor);
/* Forgets the delivery and what is in flight. */
void roam__delivery_stop(struct roam_session *s);
/* Goes on when s is behind and there is room. */
void roam__delivery_pump(struct roam_session *s);
/* A SEND is stored: its entries go to the live sessions of their users. */
void roam__delivery_fan_out(struct roam_core *core,
                            const struct roam_store_send *send);

/* --------------------------------------------------------------- core.c */

/* At least len bytes, the core's, until the next call; NULL without memory.
 * len above 0. */
uint8_t *roam__core_scratch(struct roam_core *core, size_t len);

/* -------------------------------------------------------------- users.c */

/* NULL: not known, nobody of this user is live. */
struct roam__user *roam__users_find(const struct roam_core *core, int64_t id);
/* Puts s into its user's live[] (its place must be free); creates the user
 * with this head if need be. False without memory. */
bool roam__users_join(struct roam_session *s, uint64_t head);
void roam__users_leave(struct roam_session *s);
void roam__users_close(struct roam_core *core);

/* ------------------------------------------------------------- timers.c */

/* False without memory. */
bool roam__timers_add(struct roam_session *s);
void roam__timers_remove(struct roam_session *s);
/* The deadline of s may have become earlier. (When it becomes later, the
 * heap finds out by itself.) */
void roam__timers_update(struct roam_session *s);
/* Ends the sessions whose time is over. */
void roam__timers_run(struct roam_core *core);

/* --------------------------------------------------------------- flow.c */

/* The tables of rates. False without memory. */
bool roam__flow_open(struct roam_core *core);
void roam__flow_close(struct roam_core *core);
/* A connection from there: false when its address makes too many. */
bool roam__flow_connect(struct roam_core *core, uint64_t address);
/* One more newcomer may be told that there is no place. */
bool roam__flow_tell(struct roam_core *core);
/* A frame, or a read of len bytes, has come. False: s was ended, too many
 * did. [FLOW-9] */
bool roam__flow_frame(struct roam_session *s);
bool roam__flow_read(struct roam_session *s, size_t len);
/* s->user_name tries to log in. Returns how long it must wait for what others
 * at its address did; 0: the LOGIN may go to the store, and counts as a
 * failure until told otherwise. */
uint64_t roam__flow_login(struct roam_session *s);
/* How long that user must wait, which is told to the user alone. */
uint64_t roam__flow_login_wait(const struct roam_session *s);
/* The credential of that LOGIN was good. Also of a dead session. counts: it
 * was decided on. */
void roam__flow_login_good(struct roam_session *s, bool counts);
/* False: s was ended, its user sends too many SYNCs. */
bool roam__flow_sync(struct roam_session *s);
/* A SEND with a body of that length, or a page or another question: false
 * when it was answered with RATE_LIMITED. ref as in ERROR. */
bool roam__flow_send(struct roam_session *s, uint64_t ref, size_t body_len);
bool roam__flow_page(struct roam_session *s, uint64_t ref);
/* A SEND of s made so many entries; also of a dead session. */
void roam__flow_delivered(struct roam_session *s, size_t count);
/* False: the backlog of s pauses; the timer goes on with it. [FLOW-8] */
bool roam__flow_backlog(struct roam_session *s);
/* The pause is over: what comes next is a read, be the debt what it is. */
void roam__flow_backlog_again(struct roam_session *s);
/* These rows were read for it, or for a page; also of a dead session, as the
 * next one. */
void roam__flow_backlog_read(struct roam_session *s,
                             const struct roam_entry *rows, size_t count);
/* To find the rows of a page cost as much as so many. */
void roam__flow_page_found(struct roam_session *s, uint64_t cost);

/* ---------------------------------------------------------- strangers.c */

/* Is there room for one from this address? The oldest stranger may have to
 * give way. [FLOW-10] */
bool roam__strangers_room(struct roam_core *core, uint64_t address);
void roam__strangers_add(struct roam_session *s);
/* It has shown a credential, or is gone; nothing when it was not in. */
void roam__strangers_remove(struct roam_session *s);

/* -------------------------------------------------------------- turns.c */

/* Requests of readers in the store at most, in all, and bytes of bodies that
 * one may bring, but for a single body that is longer. Together they are what
 * a turn of the loop may have to pack: some 10 ms of deflating. */
#define ROAM__READERS_MAX 8u
#define ROAM__READ_MAX_BYTES 65536u
/* Entries in one read of the log: more would keep the loop from others. */
#define ROAM__READ_MAX_ENTRIES 1024u
/* What each of them counts beside its body, in the bytes of a backlog. */
#define ROAM__ROW_BYTES 64u

/* May s read now? False: its turn comes later, through the pump functions. */
bool roam__turns_mine(struct roam_session *s);
/* A reader's request was submitted, or is done: the next one's turn. */
void roam__turns_began(struct roam_core *core);
void roam__turns_ended(struct roam_core *core);
void roam__turns_leave(struct roam_session *s);
/* Bytes were added to, or have left, an output. */
void roam__output_added(struct roam_core *core, size_t len);
void roam__output_left(struct roam_core *core, size_t len);
/* While more waits for all sessions than may: the one with the most goes.
 * Only called when nobody holds a session. */
void roam__output_relieve(struct roam_core *core);

/* --------------------------------------------------------------- watch.c */

/* When the store is asked for revoked tokens; UINT64_MAX: nobody is here. */
uint64_t roam__watch_deadline(const struct roam_core *core);
void roam__watch_run(struct roam_core *core);
/* The next time is now. */
void roam__watch_now(struct roam_core *core);
/* A LOGIN was granted that saw so many revocations; before it joins. */
void roam__watch_login(struct roam_core *core, uint64_t revocations);

/* ----------------------------------------------------------- retention.c */

/* The core starts: the first round of trimming is due after a pause. */
void roam__retention_open(struct roam_core *core);
/* When a step of trimming is due; UINT64_MAX: none is. */
uint64_t roam__retention_deadline(const struct roam_core *core);
/* Asks the store for a step that is due. */
void roam__retention_run(struct roam_core *core);
/* The least msg_id of what still is history; 0: any. [KEEP-5] */
uint64_t roam__retention_oldest(const struct roam_core *core);

/* ---------------------------------------------------------------- log.c */

enum roam__log_level {
    ROAM__ERROR,
    ROAM__WARNING,
    ROAM__INFO,
    ROAM__DEBUG
};

/* One line: the printf-formatted text, "event key=value key=value". Text
 * that came from a peer must go through roam__log_text() first. */
void roam__log(struct roam_core *core, enum roam__log_level level,
               const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Room for a text of 64 bytes, all of them escaped, and the NUL. */
#define ROAM__LOG_TEXT_MAX 257u
/* Copies text to out with everything but graphic ASCII as \xNN. */
const char *roam__log_text(char out[ROAM__LOG_TEXT_MAX], const char *text);

/* Milliseconds since 2020-01-01 UTC, the time that is stored. */
uint64_t roam__stored_now(const struct roam_core *core);

#endif
