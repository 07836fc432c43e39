/* SPDX-License-Identifier: Apache-2.0 */
/* What an app does about the history that it missed: which messages it has,
 * where it has holes, and the pages that it asks for to fill them.
 *
 * Words: a *hole* is a range of a conversation's msg_ids of which the device
 * has not everything. After RESET every conversation is *open*: it has a hole
 * from its *top* up to an end that is not known before the list of
 * conversations, or the first entry that comes since, tells it. The top is
 * the msg_id up to which the device has everything but for its holes; rows
 * that it happens to see in a page do not move it, see HIST-11. */
#ifndef SIM_PULL_H
#define SIM_PULL_H

#include "oracle.h"
#include "roam.h"
#include "sim.h"

/* More than this, and two of a conversation become one that has both; more
 * than there are conversations. */
#define SIM_HOLES_MAX (SIM_PARTIES + 7u)

/* Above all kinds: the content was erased. */
#define SIM_RECALLED 0x100u

struct sim_device;

/* An entry, or a row of a page, as the device has it. */
struct sim_stored {
    uint64_t version, prev_version, msg_id; /* a row has no versions */
    uint64_t conversation;                  /* the party, as its number */
    uint64_t target;         /* msg_id that RECALL, DELETE and READ name */
    uint32_t from;           /* user */
    uint32_t kind, cut_size; /* kind: with SIM_RECALLED or not */
    uint64_t content;        /* hash of names, type and body */
};

struct sim_hole {
    uint32_t conversation;
    uint64_t after, before; /* exclusive */
};

/* On the disk: what a device knows of a group. */
struct sim_group_copy {
    bool known;          /* its user is a member, and the rest is so */
    bool asks;           /* it must be asked for */
    bool told;           /* by an answer, which may be newer than the chain */
    uint64_t as_of;      /* what has a higher version changes it */
    uint64_t as_of_high; /* of its last page: above this nothing was told */
    uint64_t changed;    /* version of the last change that was stored */
    uint32_t join;
    bool muted;
    uint64_t name; /* hash */
    struct {
        uint32_t role;
        bool muted;
    } parts[SIM_USERS];
};

/* MEMBERS, page by page. */
struct sim_members_asked {
    bool more;      /* another page is to follow */
    bool again;     /* what made it ask came up again meanwhile */
    uint32_t group; /* SIM_GROUPS: one that does not exist */
    uint32_t after; /* user */
    struct sim_group_copy copy;
};

/* The list alone tells of the mark of a conversation and of the role there. It
 * may miss one that is closed up by the chain meanwhile. */
enum sim_listing {
    SIM_LISTED,
    SIM_MISSED,
    SIM_LOOKED_FOR /* by a list that began since */
};

/* SESSIONS, and END_SESSION after it. */
struct sim_sessions_asked {
    bool ends;     /* END_SESSION is under way */
    uint32_t type; /* to be ended next; 0: none */
    uint64_t generation;
};

/* On the disk. */
struct sim_history {
    struct sim_stored *rows; /* that are no entries since the last RESET */
    size_t count, cap;
    uint64_t top[SIM_PARTIES];
    bool open[SIM_PARTIES];
    enum sim_listing listing[SIM_PARTIES];
    uint64_t mark[SIM_PARTIES]; /* read up to here, by others' word */
    /* Lists told them as of these versions, and the chain is not there yet: the
     * lowest and the highest; 0: there is none. */
    uint64_t as_of_low, as_of_high;
    struct sim_hole holes[SIM_HOLES_MAX];
    size_t hole_count;
    bool list_due;
    uint64_t list_before; /* the pair at which the list goes on; 0: start */
    uint32_t list_conversation;
};

enum sim_asks {
    SIM_ASKS_NOTHING,
    SIM_ASKS_RANGE,
    SIM_ASKS_LIST,
    SIM_ASKS_MEMBERS,
    SIM_ASKS_SESSIONS
};

/* In memory: the page asked for. */
struct sim_page_asked {
    bool asked; /* without its answer so far */
    bool waits; /* an event is in the queue */
    bool hold;  /* a RESET is not stored yet */
    enum sim_asks what;
    bool is_void; /* of a list that began before a RESET */
    bool is_probe;
    struct sim_sessions_asked sessions;
    struct sim_members_asked members;
    uint64_t ref;
    struct sim_hole range; /* before 0: no bound */
    struct sim_stored *rows;
    size_t count, cap;
};

/* ------------------------------------------------- what happens elsewhere */

/* RESET was handed out; it is stored; the connection or the app is gone. */
void sim_pull_reset_told(struct sim_device *d);
void sim_pull_reset_stored(struct sim_device *d);
void sim_pull_lost(struct sim_device *d);
/* An entry is being stored. */
void sim_pull_entry_stored(struct sim_device *d, const struct sim_stored *e);
/* Something of its own was stored: an open conversation may be the one. */
void sim_pull_own_stored(struct sim_device *d);
/* The disk is not what it was: nothing of it counts. */
void sim_pull_forget(struct sim_device *d);

/* ----------------------------------------------------------------- asking */

/* Asks for a page before long, if there is a reason. */
void sim_pull_soon(struct sim_world *w, struct sim_device *d);
void sim_pull_event(struct sim_world *w, struct sim_device *d, uint64_t boots);
/* Is something missing that it is after? */
bool sim_pull_pending(const struct sim_device *d);

/* What a page tells is as of a version. When the chain comes to that place and
 * has no such version, or a login tells a lower head, then the page was of a
 * past that is lost, and has to be asked for again. */
void sim_pull_head_told(struct sim_device *d, uint64_t head);
void sim_pull_passed(struct sim_device *d, uint64_t from, uint64_t to);

/* From the engine. */
void sim_pull_on_row(struct sim_world *w, struct sim_device *d,
                     const struct roam_event *ev);
void sim_pull_on_end(struct sim_world *w, struct sim_device *d,
                     const struct roam_event *ev);
void sim_pull_on_failed(struct sim_world *w, struct sim_device *d,
                        const struct roam_event *ev);

/* ------------------------------------------- shared by the pull_*.c files */

/* How often does it have that message? */
uint32_t sim_pull_count_message(const struct sim_device *d,
                                const struct sim_stored *s);
/* [HIST-11]: what it has already is that one. */
void sim_pull_keep_row(struct sim_device *d, const struct sim_stored *s);
void sim_pull_raise_top(struct sim_history *h, uint64_t conversation,
                        uint64_t id);
void sim_pull_raise_mark(struct sim_history *h, uint64_t conversation,
                         uint64_t msg_id);
/* The end of an open conversation's hole is known: this message. */
void sim_pull_close_up(struct sim_history *h, uint32_t conversation,
                       uint64_t msg_id, bool is_listed);
/* The line of this message on the user's timeline; NULL: there is none. */
const struct sim_line *sim_pull_line_of(const struct sim_world *w,
                                        const struct sim_device *d,
                                        const struct sim_stored *s);

/* -------------------------------------------------------- pull_groups.c */

void sim_groups_reset_stored(struct sim_device *d);
void sim_groups_lost(struct sim_device *d);
/* An entry of kind GROUP is being stored; change: NULL: it was cut. */
void sim_groups_entry_stored(struct sim_device *d, const struct sim_stored *e,
                             const struct sim_change *change);
/* It is told that its own operation is stored, or changed nothing. */
void sim_groups_own_sent(struct sim_device *d, const struct sim_message *m);
/* A row of the list tells of a group. */
void sim_groups_listed(struct sim_device *d, uint64_t conversation);
/* What was told as of a version between these two was never so; above: 0. */
void sim_groups_doubt(struct sim_device *d, uint64_t from, uint64_t to);
/* A login: what an ERROR said, which is as of nothing, may be so no more. */
void sim_groups_look_again(struct sim_device *d);
bool sim_groups_pending(const struct sim_device *d);
/* Asks for the members of a group; BAD_STATE: of none. */
enum roam_status sim_groups_ask(struct sim_world *w, struct sim_device *d,
                                uint32_t rows);
void sim_groups_on_member(struct sim_world *w, struct sim_device *d,
                          const struct roam_event *ev);
void sim_groups_on_end(struct sim_world *w, struct sim_device *d,
                       const struct roam_event *ev);
void sim_groups_on_failed(struct sim_device *d, uint32_t code);
/* At the end: it knows its groups as they are. */
void sim_groups_check(struct sim_world *w, const struct sim_device *d);

/* ------------------------------------------------------ pull_sessions.c */

enum roam_status sim_sessions_ask(struct sim_world *w, struct sim_device *d);
void sim_sessions_on_row(struct sim_world *w, struct sim_device *d,
                         const struct roam_event *ev);
void sim_sessions_on_end(struct sim_world *w, struct sim_device *d);

/* ----------------------------------------------------------------- at end */

/* At the end: nothing twice, and when it pulls and is at rest, everything. */
void sim_pull_check(struct sim_world *w, const struct sim_device *d);

#endif
