/* SPDX-License-Identifier: Apache-2.0 */
/* A growing array that starts over whenever it was drained. */
#include "events.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64u
#define SLICES_MAX 6u

void roam_events_init(struct roam_events *q)
{
    memset(q, 0, sizeof *q);
}

static void drop(struct roam_events *q, size_t from)
{
    for (size_t i = from; i < q->count; i++) {
        free(q->items[i].bytes);
    }
    q->count = from;
}

void roam_events_free(struct roam_events *q)
{
    drop(q, q->first);
    free(q->lent);
    free(q->items);
    roam_events_init(q);
}

static bool make_room(struct roam_events *q)
{
    if (q->count < q->cap) {
        return true;
    }
    size_t cap = q->cap ? q->cap * 2 : FIRST_CAP;
    struct roam_queued_event *items = realloc(q->items, cap * sizeof *items);
    if (!items) {
        return false;
    }
    q->items = items;
    q->cap = cap;
    return true;
}

static size_t entry_slices(struct roam_entry_event *e,
                           struct roam_bytes *out[SLICES_MAX])
{
    out[0] = &e->conversation;
    out[1] = &e->sender;
    out[2] = &e->content_type;
    out[3] = &e->body;
    out[4] = &e->conversation_name;
    out[5] = &e->sender_name;
    return 6;
}

/* 0: it has none of its own. */
static size_t engine_slices(struct roam_event *e,
                            struct roam_bytes *out[SLICES_MAX])
{
    switch (e->type) {
    case ROAM_EVENT_ENTRY:
        return entry_slices(&e->u.entry, out);
    case ROAM_EVENT_PAGE_ROW:
        return entry_slices(&e->u.page_row.row, out);
    case ROAM_EVENT_MEMBER:
        out[0] = &e->u.member.user;
        out[1] = &e->u.member.name;
        return 2;
    case ROAM_EVENT_SESSION:
        out[0] = &e->u.session.device_name;
        out[1] = &e->u.session.software;
        return 2;
    case ROAM_EVENT_PAGE_END:
        out[0] = &e->u.page_end.name;
        return 1;
    default:
        return 0;
    }
}

/* The slices of an event that are in use. */
static size_t slices(struct roam_posix_event *e,
                     struct roam_bytes *out[SLICES_MAX])
{
    if (e->type == ROAM_POSIX_PROTOCOL) {
        size_t n = engine_slices(&e->u.engine, out);
        if (n > 0) {
            return n;
        }
    }
    out[0] = &e->message.conversation;
    out[1] = &e->message.content_type;
    out[2] = &e->message.body;
    return 3;
}

/* Copies what the slices point to into one block. */
static bool copy_bytes(struct roam_queued_event *item)
{
    struct roam_bytes *slice[SLICES_MAX];
    size_t n = slices(&item->event, slice);
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += slice[i]->len;
    }
    uint8_t *at = NULL;
    if (total > 0) {
        at = malloc(total);
        if (!at) {
            return false;
        }
    }
    item->bytes = at;
    for (size_t i = 0; i < n; i++) {
        if (slice[i]->len > 0) {
            memcpy(at, slice[i]->data, slice[i]->len);
            slice[i]->data = at;
            at += slice[i]->len;
        }
    }
    return true;
}

bool roam_events_add(struct roam_events *q,
                     const struct roam_posix_event *event, void *bytes)
{
    if (!make_room(q)) {
        free(bytes);
        return false;
    }
    struct roam_queued_event *item = &q->items[q->count];
    item->event = *event;
    item->bytes = bytes;
    if (!bytes && !copy_bytes(item)) {
        return false;
    }
    q->count++;
    return true;
}

void roam_events_commit(struct roam_events *q)
{
    q->committed = q->count;
}

void roam_events_rollback(struct roam_events *q)
{
    drop(q, q->committed);
}

bool roam_events_next(struct roam_events *q, struct roam_posix_event *event)
{
    free(q->lent);
    q->lent = NULL;
    if (q->first == q->committed) {
        return false;
    }
    *event = q->items[q->first].event;
    q->lent = q->items[q->first].bytes;
    q->first++;
    if (q->first == q->count) {
        q->first = q->count = q->committed = 0;
    }
    return true;
}
