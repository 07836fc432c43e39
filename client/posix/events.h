/* SPDX-License-Identifier: Apache-2.0 */
/* The driver's queue of events, with copies of all bytes in them.
 *
 * Events of entries that are not committed yet are *held*: they become
 * visible by commit, and are dropped by rollback. */
#ifndef ROAM_EVENTS_H
#define ROAM_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "roam_posix.h"

struct roam_queued_event {
    struct roam_posix_event event;
    void *bytes; /* what its slices point into; the queue's */
};

struct roam_events {
    struct roam_queued_event *items;
    size_t first, count, cap; /* items[first] is next; count: end */
    size_t committed;         /* events before this index are visible */
    void *lent;               /* bytes of the event handed out last */
};

void roam_events_init(struct roam_events *q);
void roam_events_free(struct roam_events *q);

/* Adds a copy of *event.
 *
 * bytes  what the slices of *event point into, from the heap: becomes the
 *        queue's. NULL: the slices are borrowed, and copied here.
 *
 * False: out of memory; `bytes` was freed. */
bool roam_events_add(struct roam_events *q,
                     const struct roam_posix_event *event, void *bytes);

void roam_events_commit(struct roam_events *q);
void roam_events_rollback(struct roam_events *q);

/* See roam_posix_next_event(). */
bool roam_events_next(struct roam_events *q, struct roam_posix_event *event);

#endif
