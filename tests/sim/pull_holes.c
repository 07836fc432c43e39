/* SPDX-License-Identifier: Apache-2.0 */
/* What an app has of the history, and where it has holes: see pull.h. */
#include <string.h>

#include "device.h"
#include "fault.h"
#include "pull.h"

/* ------------------------------------------------------------ what it has */

/* Is it a row of history? */
static bool is_row(const struct sim_stored *s)
{
    return s->kind != ROAM_KIND_NOOP && s->kind != ROAM_KIND_READ &&
           s->kind != ROAM_KIND_DEVICE;
}

static bool same_message(const struct sim_stored *a, const struct sim_stored *b)
{
    return is_row(a) && is_row(b) && a->msg_id == b->msg_id &&
           a->conversation == b->conversation;
}

static size_t find_in(const struct sim_stored *at, size_t count,
                      const struct sim_stored *s)
{
    size_t i = 0;
    while (i < count && !same_message(&at[i], s)) {
        i++;
    }
    return i;
}

uint32_t sim_pull_count_message(const struct sim_device *d,
                                const struct sim_stored *s)
{
    const struct sim_stored *const at[] = {d->disk.history.rows,
                                           d->disk.entries};
    const size_t counts[] = {d->disk.history.count, d->disk.entry_count};
    uint32_t found = 0;
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < counts[k]; i++) {
            found += same_message(&at[k][i], s) ? 1u : 0u;
        }
    }
    return found;
}

static bool has_message(const struct sim_device *d, const struct sim_stored *s)
{
    const struct sim_disk *disk = &d->disk;
    return find_in(disk->history.rows, disk->history.count, s) <
               disk->history.count ||
           find_in(disk->entries, disk->entry_count, s) < disk->entry_count;
}

static void keep_row(struct sim_history *h, const struct sim_stored *s)
{
    h->rows = sim_grow(h->rows, &h->cap, h->count, sizeof *h->rows);
    h->rows[h->count++] = *s;
}

/* [HIST-11]: what it has already is that one. */
void sim_pull_keep_row(struct sim_device *d, const struct sim_stored *s)
{
    if (!has_message(d, s) || ROAM_FAULT("app-keeps-rows-twice")) {
        keep_row(&d->disk.history, s);
    }
}

/* ------------------------------------------------------------------ holes */

/* Two holes of one conversation become one that has both. There are more
 * places than conversations, so there are such two. */
static void make_room(struct sim_history *h)
{
    for (size_t i = 0; i < h->hole_count; i++) {
        for (size_t k = i + 1; k < h->hole_count; k++) {
            struct sim_hole *a = &h->holes[i];
            const struct sim_hole *b = &h->holes[k];
            if (a->conversation == b->conversation) {
                a->after = a->after < b->after ? a->after : b->after;
                a->before = a->before > b->before ? a->before : b->before;
                h->holes[k] = h->holes[--h->hole_count];
                return;
            }
        }
    }
}

static void add_hole(struct sim_history *h, uint32_t conversation,
                     uint64_t after, uint64_t before)
{
    if (before <= after + 1) {
        return;
    }
    if (h->hole_count == SIM_HOLES_MAX) {
        make_room(h);
    }
    h->holes[h->hole_count++] = (struct sim_hole){conversation, after, before};
}

void sim_pull_raise_top(struct sim_history *h, uint64_t conversation,
                        uint64_t id)
{
    if (id > h->top[conversation]) {
        h->top[conversation] = id;
    }
}

void sim_pull_raise_mark(struct sim_history *h, uint64_t conversation,
                         uint64_t msg_id)
{
    if (msg_id > h->mark[conversation]) {
        h->mark[conversation] = msg_id;
    }
}

/* The list may have passed the place where the conversation was. [HIST-17] */
static void miss(struct sim_history *h, uint64_t conversation)
{
    h->listing[conversation] = SIM_MISSED;
    h->list_before = h->list_due ? h->list_before : 0;
    h->list_due = true;
}

/* The end of an open conversation's hole is known now: this message, which
 * is in it when it came with the list. Of a conversation that is not open
 * the list tells nothing: what is above the top comes by the chain, and may
 * have to come again. */
void sim_pull_close_up(struct sim_history *h, uint32_t conversation,
                       uint64_t msg_id, bool is_listed)
{
    if (h->open[conversation]) {
        h->open[conversation] = false;
        if (!is_listed) {
            miss(h, conversation);
        }
        add_hole(h, conversation, h->top[conversation], msg_id + is_listed);
        sim_pull_raise_top(h, conversation, msg_id);
    }
}

void sim_pull_reset_told(struct sim_device *d)
{
    d->page.hold = true;
    d->page.is_void = true;
}

void sim_pull_reset_stored(struct sim_device *d)
{
    struct sim_disk *disk = &d->disk;
    struct sim_history *h = &disk->history;
    d->page.hold = false;
    for (size_t i = 0; i < disk->entry_count; i++) {
        if (is_row(&disk->entries[i])) {
            keep_row(h, &disk->entries[i]);
        }
    }
    for (uint32_t c = 0; c < SIM_PARTIES; c++) {
        h->open[c] = d->pulls;
        h->mark[c] = 0;
        h->listing[c] = SIM_LISTED;
    }
    h->as_of_low = h->as_of_high = 0;
    h->list_due = d->pulls;
    h->list_before = 0;
    sim_groups_reset_stored(d);
}

void sim_pull_entry_stored(struct sim_device *d, const struct sim_stored *e)
{
    struct sim_history *h = &d->disk.history;
    if (e->kind == ROAM_KIND_READ) {
        sim_pull_raise_mark(h, e->conversation, e->target);
    }
    if (!is_row(e)) {
        sim_pull_own_stored(d);
        return;
    }
    size_t i = find_in(h->rows, h->count, e);
    if (i < h->count) {
        h->rows[i] = h->rows[--h->count]; /* the entry takes its place */
    }
    if (h->listing[e->conversation] == SIM_LOOKED_FOR) {
        miss(h, e->conversation);
    }
    sim_pull_close_up(h, (uint32_t)e->conversation, e->msg_id, false);
    sim_pull_raise_top(h, e->conversation, e->msg_id);
}

/* It may have moved a conversation past the place where the list was being
 * read, so an open one is looked for again. */
void sim_pull_own_stored(struct sim_device *d)
{
    struct sim_history *h = &d->disk.history;
    for (uint32_t c = 0; c < SIM_PARTIES; c++) {
        if (h->open[c]) {
            h->list_due = true;
            h->list_before = 0;
            d->page.is_void = true;
        }
    }
}

/* The marks are those of the entries alone; the list tells the rest again.
 * [HIST-16] */
static void doubt_marks(struct sim_device *d)
{
    struct sim_history *h = &d->disk.history;
    memset(h->mark, 0, sizeof h->mark);
    for (size_t i = 0; i < d->disk.entry_count; i++) {
        const struct sim_stored *e = &d->disk.entries[i];
        if (e->kind == ROAM_KIND_READ) {
            sim_pull_raise_mark(h, e->conversation, e->target);
        }
    }
    h->as_of_low = h->as_of_high = 0;
    h->list_due = d->pulls;
    h->list_before = 0;
    d->page.is_void = true;
}

static bool is_between(uint64_t version, uint64_t from, uint64_t to)
{
    return version > from && version < to;
}

void sim_pull_passed(struct sim_device *d, uint64_t from, uint64_t to)
{
    struct sim_history *h = &d->disk.history;
    if (ROAM_FAULT("app-trusts-lost-pages")) {
        return;
    }
    sim_groups_doubt(d, from, to);
    if (is_between(h->as_of_low, from, to) ||
        is_between(h->as_of_high, from, to)) {
        doubt_marks(d);
    } else if (h->as_of_high <= to) {
        h->as_of_low = h->as_of_high = 0;
    }
}

void sim_pull_head_told(struct sim_device *d, uint64_t head)
{
    if (ROAM_FAULT("app-trusts-lost-pages")) {
        return;
    }
    sim_groups_look_again(d);
    sim_groups_doubt(d, head, UINT64_MAX);
    if (d->disk.history.as_of_high > head) {
        doubt_marks(d);
    }
}

void sim_pull_forget(struct sim_device *d)
{
    struct sim_history *h = &d->disk.history;
    struct sim_stored *rows = h->rows;
    size_t cap = h->cap;
    memset(h, 0, sizeof *h);
    h->rows = rows;
    h->cap = cap;
    memset(d->disk.groups, 0, sizeof d->disk.groups);
}

void sim_pull_lost(struct sim_device *d)
{
    sim_groups_lost(d);
    d->disk.history.list_before = 0; /* all of it from one connection */
    d->page.asked = false;
    d->page.hold = false;
    d->page.count = 0;
}
