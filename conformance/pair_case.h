/* SPDX-License-Identifier: Apache-2.0 */
/* The role `pair`: real clients and a real server, the harness between them.
 * A case is a `stage` of the client role whose frames for the client come
 * from a server instead of from steps, and its world's links are what the
 * harness makes to that server. So both sides' judges look at the same trace.
 *
 * Words: a *relay* is one connection of a client and the one behind it to the
 * server. *Up* is to the server, *down* to the client. A frame *passes* when
 * it goes on to its receiver. A *view* is what the program behind a client
 * knows of messages, from its events alone.
 *
 * Down, one frame passes at a time, and not before the client has done all
 * that it does about the one before: so what a client sends is always judged
 * against exactly what it has read. Up, whole frames pass as they come.
 *
 * Time. The server's clock is real, the client's stands still unless a step
 * moves it, and it moves only when nothing is under way: to a client every
 * server is infinitely fast. No verdict compares the two clocks. */
#ifndef CONFORM_PAIR_CASE_H
#define CONFORM_PAIR_CASE_H

#include <poll.h>

#include "client_case.h"

/* A frame of the server on its way. */
struct passing {
    struct frame *frame;
    const uint8_t *bytes;
    size_t len;
    uint64_t due_ms; /* virtual: not before */
};

struct relay {
    struct conn *conn;
    struct link *link;
    struct passing *down; /* those before down_at have passed */
    size_t down_count, down_cap, down_at;
    uint8_t *up; /* not written yet */
    size_t up_len, up_cap;
    struct frame **waiting; /* of the client, judged as its own, not yet sent */
    size_t waiting_count, waiting_cap;
    bool is_broken;    /* nothing passes any more, the ends do not know */
    bool end_passed;   /* the client was told that the server ended it */
    bool link_was_cut; /* by the server */
};

/* What the steps ask of a device's connection, now and later ones. */
struct passage {
    bool is_held;      /* what the server sends waits */
    bool is_withheld;  /* what the client sends waits */
    uint64_t delay_ms; /* virtual, each way to the client */
    uint64_t split;    /* bytes at a time; 0: as they come */
    uint64_t tear;     /* the next frame: so many bytes, then a cut; 0: no */
};

/* ------------------------------------------------------------ pair_relay.c */

/* From now on s (NULL: the server) is looked at; returns who was before.
 * Does nothing in the role client. */
const char *relay_accuse(struct stage *g, const struct sut *s);
/* A client connected: so does the harness, to the server. */
bool relay_open(struct stage *g, struct conn *c);
/* A client's frame came: judged, and on its way. */
bool relay_up(struct stage *g, struct conn *c, struct frame *f);
/* What was withheld of the device goes to the server. */
void relay_let_go(struct stage *g, struct sut *s);
bool relay_client_ended(struct stage *g, struct conn *c, bool cut);
/* For poll(), and what came of it. */
struct pollfd relay_polled(const struct conn *c);
bool relay_ready(struct stage *g, struct conn *c, short revents);
/* Adds a frame of the harness's own; false: failure noted. */
bool relay_add(struct stage *g, struct link *l, const uint8_t *bytes,
               size_t len);
/* Lets one frame pass that may; *did: there was one. */
bool relay_pass(struct stage *g, bool *did);
/* All that may; false: failure noted. */
bool relay_pass_all(struct stage *g);
/* The time at which the next delayed frame may pass; UINT64_MAX: none. */
uint64_t relay_next_ms(const struct stage *g);
/* Both connections end by a reset, and with them what has not passed. */
void relay_cut(struct stage *g, struct conn *c);
/* The client's end is gone; the server's stays, for ever unread. */
void relay_half_open(struct stage *g, struct conn *c);
/* Nothing passes any more, and neither end is told. */
void relay_break(struct conn *c);
struct passage *relay_passage(struct stage *g, const struct sut *s);
/* That of the newest connection, also when it has ended; NULL: none yet. */
struct link *relay_newest_link(const struct sut *s);

/* ------------------------------------------------------------- pair_view.c */

/* An event of the device; false: failure noted. */
bool view_event(struct stage *g, struct sut *s, const json_t *event);
/* The program said `send`; all is kept. */
struct said_fields {
    uint64_t client_msg_id, kind;
    const char *conversation, *content_type;
    struct value body;
};
bool view_said(struct stage *g, struct sut *s, const struct said_fields *f);
/* A SEND came: is it what the program said? */
bool view_send(struct stage *g, struct sut *s, struct frame *f);
/* All devices of a user that miss nothing know the same. */
bool view_compare(struct stage *g, const char *user_word);
/* Has the device a hole that no page has filled? */
bool view_misses(const struct sut *s);
/* All of its history was fetched. */
void view_filled(struct sut *s);
/* Has it said what has never left? */
bool view_unsent(const struct sut *s);
/* How many messages the program knows. */
size_t view_count(const struct sut *s);

/* ----------------------------------------------------------- pair_served.c */

/* Was the device told of that message, or of an operation on it, by an entry,
 * a row, or the answer to a SEND of its own? */
bool served(const struct stage *g, const struct sut *s,
            const char *conversation, uint64_t msg_id, bool as_target);
/* The message as it is on its user's timeline; NULL: nobody was told. */
const Roam__V1__Push *served_message(const struct sut *s,
                                     const char *conversation, uint64_t msg_id);

/* ------------------------------------------------- pair_exec.c, pair_time.c */

extern const struct world_ops pair_ops;
/* All steps, and what must hold behind them. */
bool pair_exec(struct stage *g);
/* Passes or reads; false: a failure was noted, or nothing came. */
bool pair_pump(struct stage *g, uint64_t deadline_ms);
/* The server owes nothing, every client has taken all, the judges agree. */
bool pair_quiet(struct stage *g);
bool pair_fence(struct stage *g, struct sut *s);
bool pair_advance(struct stage *g, uint64_t ms);
bool pair_return(struct stage *g, struct sut *s);
/* pair_pull.c */
bool pair_pull(struct stage *g, struct sut *s);
/* pair_verbs.c: a step that is a verb, with all that it waits for. */
bool pair_verb(struct stage *g, const struct step *step);

/* ------------------------------------------------------------ pair_needs.c */

/* Gives each device an adapter that can do its steps; false: g->unsupported
 * is set. */
bool pair_assign(struct stage *g);

/* ------------------------------------------------------------ pair_blame.c */

void pair_blame(struct world *w, const struct step *step);
/* An event that differs from what a step says: the client's doing if what it
 * was sent fits. */
const struct sut *pair_liar(struct stage *g, struct sut *s,
                            const struct step *step);

#endif
