/* SPDX-License-Identifier: Apache-2.0 */
/* An app on a device: the real client engine, a disk, and a person's wishes.
 * What is on the disk survives a crash, all else does not. */
#ifndef SIM_DEVICE_H
#define SIM_DEVICE_H

#include "net.h"
#include "oracle.h"
#include "pull.h"
#include "roam.h"
#include "sim.h"

#define SIM_OUTBOX_MAX 8u

struct sim_draft {
    struct sim_message *message;
    bool in_engine; /* not on the disk: false after a crash */
};

/* Durable, and written in one piece each time. */
struct sim_disk {
    struct sim_id id;
    uint64_t attempt;
    uint64_t cursor;
    uint64_t base;   /* the cursor of the last RESET; 0: there was none */
    bool foreign;    /* the cursor is of another server: no RESET since */
    bool may_return; /* by itself; a person logged in and nobody out */
    const struct sim_token *token;
    bool needs_token;           /* it was told that this one is good no more */
    struct sim_stored *entries; /* since base */
    size_t entry_count, entry_cap;
    struct sim_history history; /* what is not among them */
    struct sim_group_copy groups[SIM_GROUPS];
    struct sim_draft *drafts; /* unanswered, oldest first */
    size_t draft_count, draft_cap;
    struct sim_message **mine; /* everything ever written here */
    size_t mine_count, mine_cap;
};

/* Something that the engine handed out and the app has not stored yet. */
struct sim_unsaved {
    bool is_reset;
    struct sim_stored entry;         /* of a RESET: only the version */
    const struct sim_change *change; /* of a GROUP that was not cut */
};

struct sim_device {
    uint32_t index;
    const char *name;
    uint32_t user;
    enum roam_device_type type;
    bool exists, on, asleep;
    uint64_t epoch; /* rises with each boot and connection */
    uint64_t boots; /* rises with each boot and crash */

    struct roam_client_config config;
    uint32_t store_ms_max; /* the app takes this long to store */
    bool lags;             /* it hardly stores, around backup and return */
    struct sim_disk disk;

    struct roam_client client;
    uint8_t *memory; /* the engine's buffers, while on */
    struct roam_outbox_item outbox[SIM_OUTBOX_MAX];
    struct sim_link *link;
    bool connecting;
    bool late_next; /* its next connection takes a long way */
    uint64_t tick_at_ms;

    bool manual;        /* a person asked for a login that is not answered */
    bool forbidden;     /* refused, and no person asked again */
    uint64_t take_over; /* decided while there was no connection */
    uint64_t question;  /* number of the open one; 0: none */
    uint64_t question_generation;
    bool typo;   /* its person mistyped the token of the last login */
    bool copied; /* another device has the same device_id */
    bool logged_in;
    enum roam_kick kicked; /* in this connection; 0: not */
    bool chosen;           /* calm: its person insists */

    uint32_t unacked; /* stored in this delivery, and no ACK since */
    uint64_t handed;  /* version of the last entry handed out */
    struct sim_unsaved *unsaved;
    size_t unsaved_at, unsaved_count, unsaved_cap;
    bool storing; /* an event is in the queue */

    bool pulls; /* it is after the history that it missed */
    struct sim_page_asked page;
};

void sim_devices_open(struct sim_world *w);
void sim_devices_close(struct sim_world *w);

/* ---------------------------------------------------- device_life.c */

/* Power. */
void sim_device_boot(struct sim_world *w, struct sim_device *d);
void sim_device_crash(struct sim_world *w, struct sim_device *d);
/* The clone's place gets a copy of the state of `from`, and starts. */
void sim_device_clone(struct sim_world *w, struct sim_device *from);
/* A person's acts. */
void sim_device_open_app(struct sim_world *w, struct sim_device *d);
void sim_device_put_away(struct sim_world *w, struct sim_device *d);
void sim_device_log_out(struct sim_world *w, struct sim_device *d);
void sim_device_answer(struct sim_world *w, struct sim_device *d, bool yes);
void sim_device_write(struct sim_world *w, struct sim_device *d,
                      struct sim_message *m);

/* It is another installation from now on. */
void sim_device_draw_id(struct sim_world *w, struct sim_device *d);
/* The operator gives it another token. */
void sim_device_new_token(struct sim_world *w, struct sim_device *d);

/* Events. */
void sim_device_boot_event(struct sim_world *w, struct sim_device *d,
                           uint64_t epoch);
void sim_device_connect_event(struct sim_world *w, struct sim_device *d,
                              uint64_t epoch);
void sim_device_tick_event(struct sim_world *w, struct sim_device *d);
void sim_device_store_event(struct sim_world *w, struct sim_device *d,
                            uint64_t boots);

/* Connects after `in_ms`, unless it is connected or about to be. */
void sim_device_connect_in(struct sim_world *w, struct sim_device *d,
                           uint64_t in_ms);
/* Arranges for the app to store what it was handed. */
void sim_device_store_soon(struct sim_world *w, struct sim_device *d);
void sim_device_fill_outbox(struct sim_world *w, struct sim_device *d);

/* --------------------------------------------------- device_events.c */

/* From the network. */
void sim_device_feed(struct sim_world *w, struct sim_device *d,
                     const uint8_t *data, size_t len);
void sim_device_transport_gone(struct sim_world *w, struct sim_device *d);
/* After any call into the engine: handles its events, sends what waits and
 * arranges for the next tick. */
void sim_device_pump(struct sim_world *w, struct sim_device *d);

/* -------------------------------------------------- device_entries.c */

void sim_device_on_reset(struct sim_world *w, struct sim_device *d,
                         const struct roam_event *ev);
/* [PUSH-8]: the names of an entry or a row are what these were called. */
void sim_device_check_names(struct sim_world *w, const struct sim_device *d,
                            const struct roam_entry_event *e);
void sim_device_on_entry(struct sim_world *w, struct sim_device *d,
                         const struct roam_entry_event *e);

/* The longest body that this device gets whole: [BATCH-4]. */
size_t sim_body_limit(size_t max_frame, size_t max_inflated);
/* What the engine handed out, as the device has it. */
struct sim_stored sim_stored_from(const struct sim_world *w,
                                  const struct roam_entry_event *e);
/* A message as an entry of this device's. */
struct sim_stored sim_stored_of(const struct sim_world *w,
                                const struct sim_line *line, uint32_t user,
                                size_t body_limit);
/* Is this the content of that line, as it was sent or as it is since it was
 * recalled? The versions are not compared. */
bool sim_stored_fits(const struct sim_world *w, const struct sim_stored *s,
                     const struct sim_line *line, uint32_t user,
                     size_t body_limit);

#endif
