/* SPDX-License-Identifier: Apache-2.0 */
/* What an app must have at the end: see pull.h. */
#include <inttypes.h>

#include "device.h"
#include "pull.h"
#include "roam.pb.h"

static void check_once(struct sim_world *w, const struct sim_device *d)
{
    const struct sim_history *h = &d->disk.history;
    for (size_t i = 0; i < h->count && !w->failed; i++) {
        const struct sim_stored *s = &h->rows[i];
        if (sim_pull_count_message(d, s) > 1) {
            sim_fail(w, "HIST-11", "%s has message %" PRIu64 " twice", d->name,
                     s->msg_id);
        } else if (sim_pull_line_of(w, d, s) == NULL &&
                   !sim_oracle_is_ghost(w, d->user, s->conversation,
                                        s->msg_id)) {
            sim_fail(w, "HIST-1", "%s has message %" PRIu64 " of nobody",
                     d->name, s->msg_id);
        }
    }
}

static bool wrote(const struct sim_device *d, const struct sim_message *m)
{
    for (size_t i = 0; i < d->disk.mine_count; i++) {
        if (d->disk.mine[i] == m) {
            return true;
        }
    }
    return false;
}

static void check_everything(struct sim_world *w, const struct sim_device *d)
{
    size_t head = 0;
    if (!sim_oracle_find(w, d->user, d->disk.cursor, &head)) {
        return; /* not this server's; check_disk() told if it must be */
    }
    for (size_t i = 1; i <= head && !w->failed; i++) {
        const struct sim_line *line = sim_oracle_line(w, d->user, i);
        const struct sim_stored must =
            sim_stored_of(w, line, d->user, SIZE_MAX);
        if (sim_oracle_is_row(line->message, d->user) &&
            !wrote(d, line->message) && sim_pull_count_message(d, &must) == 0) {
            sim_fail(w, "HIST-1",
                     "%s lacks message %" PRIu64 " with party %" PRIu64
                     ", line %zu",
                     d->name, must.msg_id, must.conversation, i);
        }
    }
}

/* ------------------------------------------------------------------ marks */

/* What this device itself did counts as soon as it is stored: it comes back
 * as NOOP. */
static bool did(const struct sim_device *d, uint32_t kind, uint32_t party,
                uint64_t target)
{
    for (size_t i = 0; i < d->disk.mine_count; i++) {
        const struct sim_message *m = d->disk.mine[i];
        if (m->stored && m->kind == kind && m->party == party &&
            m->target == target) {
            return true;
        }
    }
    return false;
}

static uint64_t mark_of(const struct sim_device *d, uint32_t party)
{
    uint64_t mark = d->disk.history.mark[party];
    for (size_t i = 0; i < d->disk.mine_count; i++) {
        const struct sim_message *m = d->disk.mine[i];
        if (m->stored && m->kind == ROAM_KIND_READ && m->party == party &&
            m->target > mark) {
            mark = m->target;
        }
    }
    return mark;
}

/* The rows and the entries that a device has, one after the other; NULL: there
 * are no more. */
static const struct sim_stored *stored_at(const struct sim_device *d, size_t i)
{
    const struct sim_disk *disk = &d->disk;
    if (i < disk->history.count) {
        return &disk->history.rows[i];
    }
    i -= disk->history.count;
    return i < disk->entry_count ? &disk->entries[i] : NULL;
}

/* Of a past that is lost? An app shows it, but it counts no more. */
static bool is_ghost(const struct sim_world *w, const struct sim_device *d,
                     const struct sim_stored *s)
{
    return sim_oracle_is_ghost(w, d->user, s->conversation, s->msg_id) &&
           sim_pull_line_of(w, d, s) == NULL;
}

/* Is there an operation that takes this message from the unread ones?
 * [OP-6], [OP-13] */
static bool is_gone(const struct sim_world *w, const struct sim_device *d,
                    const struct sim_stored *s)
{
    const struct sim_stored *o;
    for (size_t i = 0; (o = stored_at(d, i)) != NULL; i++) {
        bool takes = o->kind == ROAM_KIND_RECALL ||
                     (o->kind == ROAM_KIND_DELETE && o->from == d->user);
        if (takes && o->conversation == s->conversation &&
            o->target == s->msg_id && !is_ghost(w, d, o)) {
            return true;
        }
    }
    return did(d, ROAM_KIND_DELETE, (uint32_t)s->conversation, s->msg_id);
}

/* A READ that stands again since a newer one is lost: a device that was given
 * it as NOOP before does not know. */
static bool stands_again(const struct sim_world *w, uint32_t user,
                         uint32_t party, uint64_t mark)
{
    for (size_t i = 1; i <= sim_oracle_count(w, user); i++) {
        const struct sim_message *m = sim_oracle_line(w, user, i)->message;
        if (m->kind == roam_v1_Kind_READ && m->party == party &&
            m->target == mark && m->was_undone) {
            return true;
        }
    }
    return false;
}

/* [OP-7], [HIST-15]: by all that it has. */
static void check_marks(struct sim_world *w, const struct sim_device *d,
                        uint32_t party)
{
    uint64_t mark = mark_of(d, party);
    uint32_t unread = 0;
    const struct sim_stored *s;
    for (size_t i = 0; (s = stored_at(d, i)) != NULL; i++) {
        bool counts = s->kind == ROAM_KIND_MESSAGE &&
                      s->conversation == party && s->from != d->user &&
                      s->msg_id > mark && !is_gone(w, d, s) &&
                      !is_ghost(w, d, s);
        unread += counts ? 1u : 0u;
    }
    uint64_t must = 0;
    struct sim_unread range;
    sim_oracle_marks(w, d->user, party, sim_oracle_count(w, d->user), &must,
                     &range);
    if (mark < must && stands_again(w, d->user, party, must)) {
        return;
    }
    if (mark != must || unread < range.least || unread > range.most) {
        sim_fail(w, "OP-7",
                 "%s: party %" PRIu32 " is read up to %" PRIu64 ", %" PRIu32
                 " unread; must be %" PRIu64 ", %" PRIu32 " to %" PRIu32,
                 d->name, party, mark, unread, must, range.least, range.most);
    }
}

void sim_pull_check(struct sim_world *w, const struct sim_device *d)
{
    if (d->disk.foreign) {
        return; /* it was not connected since */
    }
    check_once(w, d);
    if (d->pulls && d->logged_in && !sim_pull_pending(d)) {
        check_everything(w, d);
        sim_groups_check(w, d);
        for (uint32_t p = 0; p < SIM_PARTIES && !w->failed; p++) {
            check_marks(w, d, p);
        }
    }
}
