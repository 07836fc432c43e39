/* SPDX-License-Identifier: Apache-2.0 */
/* All that one case knows while it runs: users, devices, connections, what
 * was sent and received, and the first failure.
 *
 * Words: an *installation* is what a device_id names; two devices of a
 * scenario can share one. A *link* is one connection of a device. A *row* is
 * one entry as it reached one link, by PUSH or out of a BATCH; a row of a
 * *page* is a message out of a HISTORY_PAGE or CONVERSATION_PAGE. A *lane* is a
 * kind of answer: answers of one lane are expected in the order in which
 * they came, those of different lanes in any order, as the spec has it. */
#ifndef CONFORM_WORLD_H
#define CONFORM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch_check.h"
#include "codec.h"
#include "record.h"
#include "scn.h"
#include "server.h"
#include "text.h"

struct var {
    const char *name; /* with its $ */
    struct value value;
};

/* A SEND, from when it left until the case ends. */
struct sent {
    struct link *link;
    uint64_t client_msg_id;
    struct value conversation, content_type, body;
    uint64_t kind;
    uint64_t target;  /* msg_id that RECALL, DELETE or READ names; else 0 */
    uint64_t order;   /* event number when it was sent */
    uint64_t done;    /* and when it was answered */
    uint64_t done_ms; /* world's passed_ms then */
    bool is_answered;
    bool is_duplicate;
    uint64_t msg_id; /* 0: no SEND_OK */
    /* To a group, once it was stored: whose timelines and whose histories it
     * is for, as bits by struct user's index. */
    const char *group; /* its id; NULL: to a user */
    uint64_t sees, shows;
    bool is_vague; /* who was in it is not known for sure */
};

/* A HISTORY or CONVERSATIONS, from when it left until the case ends. */
struct page_sent {
    const struct link *link;
    bool is_list;       /* CONVERSATIONS */
    bool is_members;    /* MEMBERS */
    const char *behind; /* MEMBERS: its `after` */
    uint8_t question;   /* 0, or it is no page but SESSIONS or END_SESSION */
    uint64_t ref;
    const char *conversation;
    uint64_t before, after;
    uint32_t max_rows, max_inflated, codecs;
    bool operations_only;
    uint64_t order; /* event number when it was sent */
    bool is_answered;
};

/* A row of a page that came. */
struct page_row {
    const struct link *link;
    const Roam__V1__Push *push;
    struct frame *frame;
};

/* A row of history that one connection was told of: by an entry, by SEND_OK
 * or by an earlier page. [HIST-6] is about these. */
struct told {
    const char *conversation; /* as the link's user sees it */
    uint64_t msg_id;
    bool is_message;
};

/* What is known of one entry of a user's timeline, from all devices. */
struct known {
    uint64_t version, prev_version;
    const Roam__V1__Push *message; /* NULL: only seen as NOOP; with its
                                      content, if it was ever seen so */
};

struct user {
    size_t index;     /* in the scenario */
    const char *word; /* in the scenario */
    const char *name; /* on the wire */
    struct known *known;
    size_t known_count, known_cap;
    size_t backup_known; /* of them, at the last backup */
    struct known *lost;  /* by a restored store */
    size_t lost_count, lost_cap;
};

struct installation {
    uint8_t id[16];
    uint64_t attempt;  /* highest used */
    const char *token; /* its own; NULL: all of its devices name others */
};

struct device {
    const struct device_decl *decl;
    struct user *user;
    struct installation *installation;
    uint64_t type; /* DeviceType */
    const char *token;
    uint32_t max_frame, max_unacked, max_inflated, max_entries, codecs;
    bool auto_ack;
    uint64_t cursor;                 /* of the last entry received */
    struct link *link;               /* NULL: not connected */
    const struct tls_ticket *ticket; /* to be offered; NULL: none */
};

enum lane {
    LANE_LOGIN,
    LANE_SYNC,
    LANE_COMMAND,
    LANE_PONG,
    LANE_KICK
};

/* The rows of a MEMBER_PAGE. */
struct member_rows {
    Roam__V1__MemberRow **at;
    size_t count;
};

struct item {
    struct frame *frame;
    enum lane lane;
    const struct batch_rows *page;     /* of a page; NULL: none */
    const struct member_rows *members; /* of a MEMBER_PAGE; NULL: none */
    bool consumed;
};

struct row {
    const Roam__V1__Push *push;
    struct frame *frame;
    size_t index; /* in its batch */
    bool from_batch;
    bool consumed;
};

struct login_sent {
    struct installation *installation;
    uint64_t take_over;
};

struct ping_sent {
    uint64_t id;
    uint64_t least_head; /* what PONG must tell at least */
    uint64_t head;       /* what it told */
    bool is_fence;       /* the harness's own */
    bool is_answered;
};

/* What a SYNC asked for. */
struct sync_sent {
    uint64_t order; /* event number when it was sent */
    uint64_t cursor;
    uint32_t max_entries, max_unacked, max_inflated, codecs;
};

struct link {
    struct device *device;
    int fd;
    struct tls *tls;   /* NULL: plain TCP */
    bool is_closed;    /* by the peer: end of stream or reset */
    bool end_expected; /* a step said `closed` */
    bool is_stalled;   /* not read for now */
    bool was_stalled;  /* at some time, or is */
    bool is_gathering; /* what is written waits in `gathered` */
    struct text gathered;
    bool is_dropped; /* ended or left alone by the scenario */
    uint8_t *in;
    size_t have, cap;

    struct item *items;
    size_t item_count, item_cap;
    struct row *rows;
    size_t row_count, row_cap;
    struct told *told;
    size_t told_count, told_cap;
    uint64_t told_version; /* highest of an entry, in any delivery */
    uint64_t as_of;        /* highest of a page ... */
    size_t as_of_pings;    /* ... and the PINGs that left before it came */
    /* The page that a step took last, and its next unread row. */
    const struct batch_rows *page;
    struct frame *page_frame;
    size_t page_at;
    const struct member_rows *members; /* likewise of a MEMBER_PAGE */
    size_t member_at;

    /* The judge's own view of the protocol's state. */
    struct login_sent *logins; /* not answered yet */
    size_t login_count, login_cap;
    bool is_live; /* LOGIN_OK, and no KICK yet */
    bool is_kicked;
    bool logout_sent;
    uint64_t generation;
    uint64_t displaced;    /* event at which its slot or session went; 0: not */
    uint32_t max_frame;    /* named by the last LOGIN */
    uint32_t max_commands; /* told by LOGIN_OK */
    uint64_t dedup_ms;     /* likewise */
    struct ping_sent *pings;
    size_t ping_count, ping_cap;
    struct sync_sent sync; /* of the last SYNC sent */
    size_t syncs_open;
    bool is_delivering;
    struct sync_sent active; /* of the delivery that runs */
    uint64_t start;          /* where it began */
    uint64_t last;           /* version last received in it */
    uint64_t acked;
    uint64_t *in_flight; /* versions received and not acknowledged */
    size_t flight_count, flight_cap;
    uint64_t fenced; /* head reached by the last fence */

    struct seed_files *seeds; /* NULL: not dumped */
};

/* A grant: which installation had which generation of which slot. */
struct grant {
    const struct user *user;
    uint64_t type, generation;
    const struct installation *installation;
};

/* A LOGIN that left: what the news of a device must be about. */
struct caller {
    const struct user *user;
    const struct installation *installation;
    uint64_t type;
    const char *name; /* device_name */
};

struct failure {
    bool happened;
    bool is_harness;   /* the scenario's or the harness's own mistake */
    const char *rules; /* ids with spaces between */
    const char *what;
    const char *legal;       /* what would have been right; may be NULL */
    const char *got;         /* the frame that came, decoded; may be NULL */
    const struct step *step; /* NULL: at the end */
    const struct frame *got_frame; /* what `got` was printed from */
    const char *blame;             /* whose doing it is; NULL: role server or
                                      client, there is but one peer */
};

struct expect_outcome;
/* Role pair: the links are those that the harness makes for clients, so
 * reading, writing and some steps are done elsewhere. */
struct world_ops {
    /* As link_pump() and link_write(). */
    bool (*pump)(struct world *w, uint64_t deadline_ms);
    bool (*write)(struct world *w, struct link *l, const uint8_t *bytes,
                  size_t len);
    /* Steps that are not the executor's own, and doing one. */
    bool (*takes)(const struct step *step);
    bool (*carry_out)(struct world *w, const struct step *step);
    /* Decides an expectation on what has come. */
    void (*decide)(struct world *w, const struct step *step,
                   struct expect_outcome *out);
    /* What a step waits for has not come: sets `accused`, or notes a
     * failure of its own. */
    void (*nothing_came)(struct world *w, const struct step *step);
};

struct world {
    const struct scenario *s;
    struct server *server;
    struct prng prng;
    const char *suffix; /* makes the case's names fresh */
    uint64_t timeout_ms;
    bool trace;
    const struct step *step;     /* being carried out */
    const struct world_ops *ops; /* NULL: the links are the harness's own */
    const char *accused;         /* whose doing is looked at; NULL: nobody's */

    struct user *users;
    struct device *devices;
    struct installation *installations;
    struct link **links; /* all that ever were */
    size_t link_count, link_cap;
    struct var *vars;
    size_t var_count, var_cap;
    struct sent *sent;
    size_t sent_count, sent_cap;
    struct page_sent *pages;
    size_t page_count, page_cap;
    struct page_row *page_rows;
    size_t page_row_count, page_row_cap;
    struct grant *grants;
    size_t grant_count, grant_cap;
    uint64_t history_ms; /* told by LOGIN_OK; 0: any */
    struct caller *callers;
    size_t caller_count, caller_cap;
    const char **events; /* lines, oldest first */
    size_t event_count, event_cap;

    const char **secrets; /* see secret.h */
    size_t secret_count, secret_cap;
    uint64_t passed_ms; /* of the server's clock, told to go on */
    size_t backup_event, backup_grants; /* at the last backup */
    uint64_t noted_store, noted_bytes;  /* at `server note` */

    struct failure failure;
    struct seeds *seeds;   /* NULL: nothing is dumped */
    struct record *record; /* NULL: nothing is reported or traced */
};

/* Notes the first failure; always returns false. `rules` NULL: those of the
 * step, or else of the scenario; "": none, for what breaks no rule of the
 * protocol, such as an adapter that ends. `got` may be NULL. */
bool world_fail(struct world *w, const char *rules, const char *what,
                const char *legal, const struct frame *got);
/* The same for a mistake on this side. */
bool world_mistake(struct world *w, const char *what);
/* The same for what its server did not do: the server's failure, unless it is
 * that of the program which runs it. */
bool world_server_fail(struct world *w, const char *what, const char *legal);
/* A line for the last events. */
void world_event(struct world *w, const struct device *d, const char *arrow,
                 const char *text);
/* A line for --trace alone. */
void world_trace(const struct world *w, const char *arrow, const char *text);
struct user *world_user_named(struct world *w, const char *name);

/* Is a message more than history_ms old, by the server's clock? Then it may be
 * erased, and is in no page. [KEEP-5], [KEEP-6] */
bool world_is_old(const struct world *w, uint64_t msg_id);
/* $now: the server's clock, in milliseconds since 2020, if it stands still;
 * $now_id: the least msg_id of this time. */
void world_set_now(struct world *w);
/* Makes users, tokens and devices; false: failure noted. */
bool world_open(struct world *w, const struct scenario *s,
                struct server *server, uint64_t seed, const char *nonce);

#endif
