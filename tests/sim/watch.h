/* SPDX-License-Identifier: Apache-2.0 */
/* Reads every frame of a link at three places: as the client lets it go, as
 * it reaches the server, and as the server lets it go; and compares it with
 * the oracle and with what both sides may do. */
#ifndef SIM_WATCH_H
#define SIM_WATCH_H

#include "frame.h"
#include "oracle.h"
#include "sim.h"

#define SIM_PINGS_KEPT 64u
#define SIM_SENDS_KEPT 64u
/* An engine has one under way. */
#define SIM_PAGES_KEPT 1u

struct sim_tap {
    struct roam_reader reader;
    size_t room;
};

struct sim_sync_asked {
    uint64_t cursor;
    uint32_t max_entries, max_unacked, max_inflated, codecs;
};

/* HISTORY, CONVERSATIONS or MEMBERS, as it reached the server. */
struct sim_page_wanted {
    uint64_t ref;
    uint8_t type;          /* of the request's frame */
    uint32_t conversation; /* the party; SIM_PARTIES: there is none */
    uint32_t user;         /* of MEMBERS: behind this one; SIM_USERS: all; of
                              SESSIONS and END_SESSION: the device type */
    uint64_t asked_ms;
    uint64_t before, after;
    uint32_t max_rows, max_inflated, codecs;
    bool operations_only;
};

struct sim_watch {
    struct sim_tap client_out, server_in, server_out;

    /* Client: what it let go. */
    uint64_t client_sent_ms; /* its last bytes */
    bool client_live;        /* it was told LOGIN_OK */
    bool client_left;        /* it sent LOGOUT: nothing may follow */

    /* The LOGIN that reached the server last. */
    bool asked, answered;
    uint32_t user, type;
    struct sim_id device;
    uint64_t attempt;
    uint32_t max_frame;
    const struct sim_token *token; /* NULL: nobody's */
    uint64_t login_ms;             /* when it arrived */
    uint64_t expires_ms; /* the token, by the time that passes from then on */

    /* The session, as the server told it. */
    bool live;      /* LOGIN_OK left the server */
    bool kicked;    /* so did KICK */
    bool leaving;   /* LOGOUT reached the server */
    bool displaced; /* a younger session of the slot is live */
    uint64_t generation;
    uint64_t opened_ms, heard_ms; /* connection, last byte received */
    bool stuck;                   /* its output waits for room */
    bool was_stuck;               /* so it did once */
    uint64_t fenced_ms; /* a sweep found that it lost its slot; 0: none did */

    /* Delivery. Numbers are the oracle's of lines. */
    bool sync_asked; /* without its SYNC_OK so far */
    struct sim_sync_asked asked_for, granted;
    bool delivering;
    size_t sent, acked;
    size_t sent_most; /* of all deliveries */
    size_t told;      /* the newest that an entry or an answer told of */

    /* Unanswered. */
    uint64_t sends[SIM_SENDS_KEPT];
    size_t send_count;
    struct sim_page_wanted pages[SIM_PAGES_KEPT];
    size_t page_count;
    struct {
        uint64_t id, fence;
    } pings[SIM_PINGS_KEPT];
    size_t ping_count;
};

void sim_watch_open(struct sim_world *w, struct sim_link *l);
void sim_watch_close(struct sim_link *l);
void sim_watch_client_out(struct sim_world *w, struct sim_link *l,
                          const uint8_t *data, size_t len);
void sim_watch_server_in(struct sim_world *w, struct sim_link *l,
                         const uint8_t *data, size_t len);
void sim_watch_server_out(struct sim_world *w, struct sim_link *l,
                          const uint8_t *data, size_t len);
/* Is the slot no longer its own? */
bool sim_watch_is_fenced(const struct sim_world *w, const struct sim_watch *t);
/* After the server has let go of all it could: nobody is left in a slot that
 * somebody else was told to have. */
void sim_watch_slots(struct sim_world *w);
/* The slow checks of one link. */
void sim_watch_sweep(struct sim_world *w, struct sim_link *l);

/* ------------------------------------------- shared by the watch_*.c files */

/* Was it stored for this very session? */
bool sim_watch_is_own(const struct sim_watch *t, const struct sim_message *m);
/* One frame leaves the server. */
void sim_watch_frame_out(struct sim_world *w, struct sim_link *l,
                         const struct roam_message *m, size_t payload_bytes);
void sim_watch_sync_ok(struct sim_world *w, struct sim_link *l,
                       const roam_v1_SyncOk *ok);
void sim_watch_push(struct sim_world *w, struct sim_link *l,
                    const struct roam_message *m);
void sim_watch_batch(struct sim_world *w, struct sim_link *l,
                     const struct roam_message *m);

/* Pages: asked for, and answered. */
void sim_watch_take_history(struct sim_world *w, struct sim_link *l,
                            const roam_v1_History *h);
void sim_watch_take_list(struct sim_world *w, struct sim_link *l,
                         const roam_v1_Conversations *c);
void sim_watch_take_members(struct sim_world *w, struct sim_link *l,
                            const roam_v1_Members *m);
void sim_watch_take_sessions(struct sim_world *w, struct sim_link *l,
                             const struct roam_message *m);
void sim_watch_session_list(struct sim_world *w, struct sim_link *l,
                            const struct roam_message *m);
void sim_watch_session_ended(struct sim_world *w, struct sim_link *l,
                             uint64_t ref);
void sim_watch_page(struct sim_world *w, struct sim_link *l,
                    const struct roam_message *m);
/* Takes the request that this answers off; false, and failed: there is none.
 */
bool sim_watch_page_answers(struct sim_world *w, struct sim_link *l,
                            uint8_t type, uint64_t ref,
                            struct sim_page_wanted *out);
void sim_watch_members(struct sim_world *w, struct sim_link *l,
                       const struct roam_message *m);
/* May this user be told now that the group has no such member? */
bool sim_watch_may_be_out(const struct sim_world *w, const struct sim_link *l,
                          uint32_t group);
/* False: this ERROR is not for a page. */
/* True for RATE_LIMITED, which must be in its place here. */
bool sim_watch_is_limit(struct sim_world *w, const roam_v1_Error *e);
bool sim_watch_page_error(struct sim_world *w, struct sim_link *l,
                          const roam_v1_Error *e);
/* [PUSH-8] */
void sim_watch_names(struct sim_world *w, const struct sim_link *l,
                     const struct sim_message *m, const struct roam_entry *e);
/* An answer tells of this version: no page may be older, [HIST-6]. */
void sim_watch_told(struct sim_world *w, struct sim_link *l, uint64_t version);

#endif
