/* SPDX-License-Identifier: Apache-2.0 */
/* All that one case of the client role knows while it runs. The harness is
 * the server: it listens, one port a device, and answers only what the
 * scenario says. The client stands behind an adapter.
 *
 * Words: a *subject* is one device of the client under test, a handle of
 * the adapter; a *conn* is one connection that it made. The *shadow* is what
 * a client that follows the spec would hold after all that was served: which
 * entries it applied, where its cursor is. Frames and events of the sut
 * are judged against it. */
#ifndef CONFORM_CLIENT_CASE_H
#define CONFORM_CLIENT_CASE_H

#include "adapter.h"
#include "client_scn.h"
#include "expect.h"
#include "report.h"
#include "runner.h"
#include "tls.h"
#include "world.h"

enum conn_state {
    CONN_OPEN,    /* accepted, no LOGIN */
    CONN_LOGIN,   /* LOGIN came, not answered */
    CONN_SESSION, /* LOGIN_OK was sent */
    CONN_ENDING   /* KICK was sent, or a lie that ends it */
};

/* A frame that came, for steps to expect. */
struct client_frame {
    struct frame *frame;
    bool consumed;
};

struct conn {
    struct sut *subject;
    int fd;
    uint64_t since_ms; /* virtual */
    bool is_closed;    /* by the client: end of stream or reset */
    bool is_left;      /* ended by this side */
    bool is_stalled;   /* not read for now */
    bool close_expected;
    struct tls *tls;     /* NULL: without */
    bool is_shaking;     /* its handshake is under way */
    const char *shown;   /* tls_server.c */
    bool is_doubtful;    /* what it was shown nobody may trust */
    uint32_t record_max; /* plaintext of a record: [TLS-5] */
    uint8_t *in;
    size_t have, cap;
    uint64_t received, sent; /* bytes of frames in all */

    struct client_frame *frames;
    size_t frame_count, frame_cap;

    enum conn_state state;
    bool sync_open;     /* a SYNC came and is not answered */
    bool is_delivering; /* a SYNC_OK was sent in this session */
    bool logout_came;
    bool is_limited;        /* RATE_LIMITED was told, and no SEND came since */
    bool is_hushed;         /* PINGs are not answered */
    const char *must_end;   /* the rule by which the client has to close it, or
                               NULL: what was sent leaves it the choice */
    Roam__V1__Sync *sync;   /* the last one */
    Roam__V1__Sync *active; /* the one that delivery goes by */
    uint64_t window;        /* entries in flight allowed */
    uint64_t acked, last_sent; /* versions */
    uint64_t *flight;          /* versions sent, not acknowledged, rising */
    size_t flight_count, flight_cap;
    uint32_t max_frame; /* told in LOGIN_OK */
    uint32_t max_commands;
    uint64_t *open_commands; /* ids, not answered */
    size_t command_count, command_cap;
    uint64_t ping;       /* of the last PING */
    struct relay *relay; /* role pair: to the server; else NULL */
};

/* A message that the client was told to send. */
struct client_send {
    uint64_t client_msg_id;
    const Roam__V1__Send *first; /* as it came first; NULL: not yet */
    uint64_t first_at_ms;        /* virtual */
    bool is_done;
    bool by_entry; /* an own entry was its answer */
    const struct conn *last_conn;
    unsigned delays; /* in the session: told to come again, and no time */
};

struct sut {
    const struct device_decl *decl;
    struct device *device; /* of the world: names, installation for id() */
    struct adapter *adapter;
    struct view *view;  /* role pair: what its program knows; else NULL */
    uint64_t last_said; /* role pair: client_msg_id of the last `send` */
    const char *handle, *store;
    int listener;
    uint16_t port;
    bool is_unplugged; /* connections are refused */
    bool is_open;      /* the adapter has the handle */
    struct conn *conn; /* the newest; NULL: none */
    uint64_t connections;
    struct tls_server *tls; /* NULL: without */
    uint64_t tickets;       /* handshakes that offered the last ticket */
    uint64_t resumed;       /* that went on from one */

    /* login */
    uint8_t device_id[16];
    bool has_id, must_change_id;
    uint64_t attempt;
    const char *stay_out;   /* rule that keeps it away; NULL: it may come */
    uint64_t may_take_over; /* named by a person, not used yet; 0: none */
    bool person_waits;      /* a login verb whose LOGIN has not come */
    bool by_person;         /* the last LOGIN was one's */
    bool free_repeat;       /* LOGIN-18: FREE may be repeated once */
    uint64_t generation, floor, dedup_ms;
    uint64_t login_from_ms, sends_from_ms; /* virtual: [FLOW-6], [FLOW-4] */
    bool is_told_when;                     /* the latter; else [FLOW-14] */

    /* the timeline as this device is served it */
    uint64_t head, next_msg_id;
    Roam__V1__Push **rows;    /* of the next BATCH or page */
    struct row_state *states; /* of these rows */
    size_t row_count, row_cap, state_cap;
    Roam__V1__Push **packed; /* of the last one */
    size_t packed_count;
    const char *bend; /* how it lies; NULL: it does not */

    /* the shadow */
    uint64_t cursor;  /* applied and stored */
    bool manual;      /* stored only when the verb `ack` says so */
    uint64_t applied; /* handed out; above cursor only if manual */
    struct row *told; /* entries that events must tell, in order */
    size_t told_count, told_cap, told_at;
    bool by_reset; /* the cursor is the head of a RESET */
    bool pages_served;
    bool overlapped; /* the last batch began below the cursor */
    size_t gaps;     /* since an entry fitted */
    size_t bad_batches;
    uint64_t bad_cursor;
    bool owes_sync; /* a gap was served, the SYNC has not come */
    bool owes_less; /* BATCH-9: the next SYNC offers less */

    struct client_send *sends;
    size_t send_count, send_cap;
};

struct stage {
    struct world world;       /* names, variables, events, the failure */
    struct adapter *adapters; /* role pair: there can be two */
    size_t adapter_count;
    const char *address; /* IPv4; where the SDK finds its server */
    uint64_t start_ms;   /* for an adapter to start, and to end */
    bool is_pair;
    bool is_secure;           /* role client: over TLS */
    struct passage *passages; /* role pair: one a device */
    bool is_stopped;          /* role pair: a step stopped the server */
    struct sut *suts;
    struct conn **conns;
    size_t conn_count, conn_cap;
    uint64_t now_ms;         /* of the virtual clock */
    const char *unsupported; /* the adapter cannot do it; NULL: it can */
};

/* ------------------------------------------------------------ client_net.c */

/* A free port of the address for the device. */
bool net_listen(const struct stage *g, struct sut *s, const char **reason);
/* Reads adapter, listeners and connections until something came or the
 * deadline (of now_ms()); false: nothing came, or a failure was noted. */
bool net_pump(struct stage *g, uint64_t deadline_ms);
bool net_write(struct stage *g, struct conn *c, const uint8_t *bytes,
               size_t len);
/* So many bytes at a time (0: all at once), and the client takes each piece
 * before the next one comes. */
bool net_write_pieces(struct stage *g, struct conn *c, const uint8_t *bytes,
                      size_t len, size_t split);
void net_end(struct stage *g, struct conn *c, bool reset);
/* Refuses connections on the device's port, and takes them again. */
bool net_unplug(struct stage *g, struct sut *s);
bool net_plug(struct stage *g, struct sut *s);

/* ------------------------------------------------------------ client_tls.c */

/* Where the case goes over TLS. False: a mistake was noted. */
bool secure_begin(struct stage *g, struct sut *s);
/* What the device is shown from its next connection on: tls_server.c. */
bool secure_show(struct stage *g, const struct sut *s, const char *name);
bool secure_accept(struct stage *g, struct conn *c);
/* Goes on with the handshake. False: a failure was noted. */
bool secure_shake(struct stage *g, struct conn *c);
/* As recv() and send(), with TLS or without. */
ssize_t secure_read(const struct conn *c, uint8_t *out, size_t cap);
ssize_t secure_write(const struct conn *c, const uint8_t *data, size_t len);

/* ---------------------------------------------------------- client_serve.c */

/* A frame for the client, honest where the step does not say otherwise. */
ProtobufCMessage *serve_build(struct stage *g, struct sut *s,
                              const struct frame_type *type,
                              const struct terms *fields);
bool serve_step(struct stage *g, struct sut *s, const struct step *step);
/* Sends a frame of this type with all defaults. */
bool serve_frame(struct stage *g, struct sut *s, uint8_t number);
bool serve_pong(struct stage *g, struct conn *c);

/* --------------------------------------------------------- client_shadow.c */

/* A frame leaves; `lie`: the client must not take it, by this rule; NULL: it
 * is as the spec has it. False: the scenario's mistake was noted. */
bool shadow_served(struct stage *g, struct conn *c, struct frame *f,
                   const char *lie);
/* The adapter was told that all up to a version is stored. */
void shadow_stored(struct sut *s, uint64_t version);

/* ---------------------------------------------------------- client_judge.c */

bool client_judge_frame(struct stage *g, struct conn *c, struct frame *f);
bool client_judge_accept(struct stage *g, struct conn *c);
/* Behind a fence, when the client has taken all that was sent to c. */
bool client_judge_fenced(struct stage *g, struct sut *s);
struct client_send *client_find_send(struct sut *s, uint64_t id);
/* Above every kind of this version and the next ones: [PUSH-7]. */
#define LATER_KIND 64
/* The rule by which an entry that was served is applied. */
const char *client_rule_of(const struct sut *s, const Roam__V1__Push *p);

/* ---------------------------------------------------------- client_event.c */

/* Makes the message that an adapter's event tells. NULL: fault in *reason. */
ProtobufCMessage *event_message(const json_t *event, const char **reason);
/* Judges the events that have come since the last call. */
bool events_judge(struct stage *g);
/* The first event of this name that no step took; NULL: there is none. */
json_t *event_next(const struct sut *s, const char *name);
void event_take(const struct sut *s, const json_t *event);

/* ---------------------------------------------------------- client_fence.c */

/* Tells the adapter; waits for its answer. NULL: failure noted, or `gone`. */
json_t *adapter_tell(struct stage *g, struct sut *s, const char *verb,
                     json_t *request);
/* The same, about no handle, to each adapter. */
bool adapter_tell_all(struct stage *g, const char *verb, const char *key,
                      uint64_t number);
/* The client takes all bytes, and its own have all come. */
bool verb_settle(struct stage *g, struct sut *s);
/* The same; the adapter's answer. NULL: failure noted. */
json_t *verb_settled(struct stage *g, struct sut *s);
/* The same, and what must hold then is judged. */
bool verb_fence(struct stage *g, struct sut *s);
/* Time passes, told or not. */
bool verb_advance(struct stage *g, uint64_t ms);
bool verb_tick(struct stage *g, uint64_t ms);
/* A number of an answer, and the variable $dev.name. */
uint64_t answer_number(const json_t *answer, const char *key,
                       uint64_t otherwise);
void stage_set_var(struct stage *g, const struct sut *s, const char *name,
                   uint64_t n);
/* With --trace: a line to the adapter, ">", or from it, "<". */
void stage_trace(const struct stage *g, const char *arrow, const json_t *line);
/* It comes back by itself, in its own time. */
bool verb_return(struct stage *g, struct sut *s);

/* ---------------------------------------------------------- client_verbs.c */

bool verb_open(struct stage *g, struct sut *s);
bool verb_do(struct stage *g, struct sut *s, const struct step *step);

/* ----------------------------------------------------------- client_exec.c */

/* All steps of the scenario; false: a failure was noted, or `unsupported`. */
bool client_exec(struct stage *g);
/* Decide a step on what has come from the client. */
struct expect_outcome client_try_frame(struct stage *g, struct sut *s,
                                       const struct step *step);
struct expect_outcome client_try_event(struct stage *g, struct sut *s,
                                       const struct step *step);
struct expect_outcome client_try_closed(struct stage *g, const struct sut *s);
/* A step of kind ABSENT about a frame or an event; behind a fence. */
bool client_absent(struct stage *g, const struct step *step);
/* Did the client end a connection on which nothing was wrong? */
bool client_closed_for_nothing(const struct conn *c);
bool client_false_end(struct stage *g);
/* Waits for a frame as a step `dev> TYPE` would. */
bool client_await(struct stage *g, struct sut *s, uint8_t number);

/* ----------------------------------------------------------- client_role.c */

bool client_open_suts(struct stage *g);
bool client_greet(struct stage *g, struct adapter *a);
/* Capabilities that the scenario names; false: one is missing. */
bool client_can_run(struct stage *g, const struct adapter *a);
bool client_wait_for_key(const struct run_options *o, const struct stage *g);
/* An orderly end: quit is answered, and the status is 0. */
bool client_quit(struct stage *g);
enum verdict client_verdict(const struct stage *g, bool passed);

#endif
