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

/* More than this, and two of a conversation become one that has both. */
#define SIM_HOLES_MAX 12u

/* Above all kinds: the content was erased. */
#define SIM_RECALLED 0x100u

struct sim_device;

/* An entry, or a row of a page, as the device has it. */
struct sim_stored {
    uint64_t version, prev_version, msg_id; /* a row has no versions */
    uint64_t conversation;                  /* the party, as a user's number */
    uint32_t kind, cut_size;                /* kind: with SIM_RECALLED or not */
    uint64_t content;                       /* hash of names, type and body */
};

struct sim_hole {
    uint32_t conversation;
    uint64_t after, before; /* exclusive */
};

/* On the disk. */
struct sim_history {
    struct sim_stored *rows; /* that are no entries since the last RESET */
    size_t count, cap;
    uint64_t top[SIM_USERS];
    bool open[SIM_USERS];
    struct sim_hole holes[SIM_HOLES_MAX];
    size_t hole_count;
    bool list_due;
    uint64_t list_before; /* the pair at which the list goes on; 0: start */
    uint32_t list_conversation;
};

/* In memory: the page asked for. */
struct sim_page_asked {
    bool asked; /* without its answer so far */
    bool waits; /* an event is in the queue */
    bool hold;  /* a RESET is not stored yet */
    bool is_list;
    bool is_void; /* of a list that began before a RESET */
    bool is_probe;
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

/* From the engine. */
void sim_pull_on_row(struct sim_world *w, struct sim_device *d,
                     const struct roam_event *ev);
void sim_pull_on_end(struct sim_world *w, struct sim_device *d,
                     const struct roam_event *ev);
void sim_pull_on_failed(struct sim_world *w, struct sim_device *d,
                        const struct roam_event *ev);

/* At the end: nothing twice, and when it pulls and is at rest, everything. */
void sim_pull_check(struct sim_world *w, const struct sim_device *d);

#endif
