/* SPDX-License-Identifier: Apache-2.0 */
/* An app and its holes: see pull.h. */
#include "pull.h"

#include <inttypes.h>
#include <string.h>

#include "device.h"
#include "fault.h"
#include "roam.pb.h"

/* Between two pages; calm, a healthy app does not dawdle. */
#define PULL_MS_MAX 3000u
#define PULL_CALM_MS_MAX 50u
/* Of the requests, those that look around instead of filling a hole. */
#define PROBE_PERMILLE 250u
/* A person scrolls now and then, also where nothing is missing. */
#define SCROLL_PERMILLE 100u
#define ROWS_MAX 12u

/* ------------------------------------------------------------ what it has */

/* Is it a row of history? */
static bool is_row(const struct sim_stored *s)
{
    return s->kind != ROAM_KIND_NOOP && s->kind != ROAM_KIND_READ;
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
static void keep_new_row(struct sim_device *d, const struct sim_stored *s)
{
    if (!has_message(d, s) || ROAM_FAULT("app-keeps-rows-twice")) {
        keep_row(&d->disk.history, s);
    }
}

/* ------------------------------------------------------------------ holes */

static void add_hole(struct sim_history *h, uint32_t conversation,
                     uint64_t after, uint64_t before)
{
    if (before <= after + 1) {
        return;
    }
    for (size_t i = 0; h->hole_count == SIM_HOLES_MAX && i < h->hole_count;
         i++) {
        struct sim_hole *o = &h->holes[i];
        if (o->conversation == conversation) {
            o->after = o->after < after ? o->after : after;
            o->before = o->before > before ? o->before : before;
            return;
        }
    }
    /* There are two conversations at most, so one of them was found. */
    h->holes[h->hole_count++] = (struct sim_hole){conversation, after, before};
}

static void raise_top(struct sim_history *h, uint64_t conversation, uint64_t id)
{
    if (id > h->top[conversation]) {
        h->top[conversation] = id;
    }
}

/* The end of an open conversation's hole is known now: this message, which
 * is in it when it came with the list. Of a conversation that is not open
 * the list tells nothing: what is above the top comes by the chain, and may
 * have to come again. */
static void close_up(struct sim_history *h, uint32_t conversation,
                     uint64_t msg_id, bool is_listed)
{
    if (h->open[conversation]) {
        h->open[conversation] = false;
        add_hole(h, conversation, h->top[conversation], msg_id + is_listed);
        raise_top(h, conversation, msg_id);
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
    for (uint32_t c = 0; c < SIM_USERS; c++) {
        h->open[c] = d->pulls;
    }
    h->list_due = d->pulls;
    h->list_before = 0;
}

void sim_pull_entry_stored(struct sim_device *d, const struct sim_stored *e)
{
    struct sim_history *h = &d->disk.history;
    if (!is_row(e)) {
        sim_pull_own_stored(d);
        return;
    }
    size_t i = find_in(h->rows, h->count, e);
    if (i < h->count) {
        h->rows[i] = h->rows[--h->count]; /* the entry takes its place */
    }
    close_up(h, (uint32_t)e->conversation, e->msg_id, false);
    raise_top(h, e->conversation, e->msg_id);
}

/* It may have moved a conversation past the place where the list was being
 * read, so an open one is looked for again. */
void sim_pull_own_stored(struct sim_device *d)
{
    struct sim_history *h = &d->disk.history;
    for (uint32_t c = 0; c < SIM_USERS; c++) {
        if (h->open[c]) {
            h->list_due = true;
            h->list_before = 0;
            d->page.is_void = true;
        }
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
}

void sim_pull_lost(struct sim_device *d)
{
    d->page.asked = false;
    d->page.hold = false;
    d->page.count = 0;
}

/* ----------------------------------------------------------------- asking */

bool sim_pull_pending(const struct sim_device *d)
{
    const struct sim_history *h = &d->disk.history;
    return d->pulls && !d->disk.foreign &&
           (h->list_due || h->hole_count != 0 || d->page.asked);
}

void sim_pull_soon(struct sim_world *w, struct sim_device *d)
{
    bool scroll =
        !w->calm && d->logged_in && sim_rng_chance(&w->rng, SCROLL_PERMILLE);
    if (!d->pulls || d->page.waits || (!sim_pull_pending(d) && !scroll)) {
        return;
    }
    d->page.waits = true;
    d->page.is_probe = scroll;
    uint32_t max = w->calm ? PULL_CALM_MS_MAX : PULL_MS_MAX;
    sim_queue_push(&w->queue, w->now_ms + 1 + sim_rng_below(&w->rng, max),
                   SIM_EV_APP_PULLS, d->index, d->boots);
}

static struct roam_bytes name_of(uint32_t conversation)
{
    const char *name = conversation == SIM_USERS
                           ? "nobody"
                           : sim_oracle_user_name(conversation);
    return (struct roam_bytes){(const uint8_t *)name, strlen(name)};
}

/* A msg_id that it knows, one beside it, or no bound. */
static uint64_t draw_bound(struct sim_world *w, const struct sim_device *d)
{
    const struct sim_disk *disk = &d->disk;
    if (disk->entry_count == 0 || sim_rng_chance(&w->rng, 500)) {
        return 0;
    }
    size_t i = sim_rng_below(&w->rng, (uint32_t)disk->entry_count);
    uint64_t id = disk->entries[i].msg_id;
    return id == 0 ? 0 : id - 1 + sim_rng_below(&w->rng, 3);
}

static struct sim_hole draw_probe(struct sim_world *w,
                                  const struct sim_device *d)
{
    bool nobody = sim_rng_chance(&w->rng, 50);
    struct sim_hole range = {
        nobody ? SIM_USERS : sim_rng_below(&w->rng, SIM_USERS), 0, 0};
    range.after = draw_bound(w, d);
    range.before = draw_bound(w, d);
    return range;
}

static enum roam_status ask_list(struct sim_world *w, struct sim_device *d,
                                 uint32_t rows)
{
    const struct sim_history *h = &d->disk.history;
    struct roam_bytes none = {NULL, 0};
    d->page.is_list = true;
    d->page.is_void = false;
    d->page.range = (struct sim_hole){h->list_conversation, 0, h->list_before};
    sim_step(w, SIM_STEP_ASKS_LIST, d->index, h->list_before, rows);
    return roam_client_conversations(
        &d->client, d->page.ref, h->list_before,
        h->list_before == 0 ? none : name_of(h->list_conversation), rows,
        w->now_ms);
}

static enum roam_status ask_range(struct sim_world *w, struct sim_device *d,
                                  struct sim_hole range, uint32_t rows)
{
    d->page.is_list = false;
    d->page.range = range;
    sim_step(w, SIM_STEP_ASKS_PAGE, d->index, range.after, range.before);
    return roam_client_history(
        &d->client, d->page.ref, name_of(range.conversation), range.before,
        range.after, d->page.is_probe && rows % 3 == 0, rows, w->now_ms);
}

static void ask(struct sim_world *w, struct sim_device *d)
{
    const struct sim_history *h = &d->disk.history;
    uint32_t rows = 1 + sim_rng_below(&w->rng, ROWS_MAX);
    bool pending = sim_pull_pending(d);
    bool probe = !w->calm && (d->page.is_probe || !pending ||
                              sim_rng_chance(&w->rng, PROBE_PERMILLE));
    bool list = h->list_due && !d->page.hold &&
                (h->hole_count == 0 || sim_rng_chance(&w->rng, 500));
    enum roam_status status = ROAM_STATUS_BAD_STATE;
    d->page.is_probe = probe;
    d->page.ref = sim_rng_next(&w->rng) | 1;
    if (probe) {
        status = ask_range(w, d, draw_probe(w, d), rows);
    } else if (list) {
        status = ask_list(w, d, rows);
    } else if (h->hole_count != 0) {
        uint32_t i = sim_rng_below(&w->rng, (uint32_t)h->hole_count);
        status = ask_range(w, d, h->holes[i], rows);
    }
    d->page.asked = status == ROAM_STATUS_OK;
    if (status != ROAM_STATUS_OK && status != ROAM_STATUS_BAD_STATE) {
        sim_fail(w, "client", "%s: asks for a page: %s", d->name,
                 roam_status_text(status));
    }
}

void sim_pull_event(struct sim_world *w, struct sim_device *d, uint64_t boots)
{
    if (d->boots != boots) {
        return;
    }
    d->page.waits = false;
    if (!d->on || !d->logged_in || d->link == NULL || d->page.asked) {
        return; /* a login, or the answer, brings it up again */
    }
    ask(w, d);
    sim_device_pump(w, d);
}

/* ---------------------------------------------------------------- answers */

/* The message of this row, on the user's timeline; NULL: there is none. */
static const struct sim_line *line_of(const struct sim_world *w,
                                      const struct sim_device *d,
                                      const struct sim_stored *s)
{
    for (size_t i = sim_oracle_count(w, d->user); i > 0; i--) {
        const struct sim_line *line = sim_oracle_line(w, d->user, i);
        if (line->message->msg_id == s->msg_id &&
            sim_oracle_user(sim_oracle_conversation(line->message, d->user)) ==
                s->conversation) {
            return line;
        }
    }
    return NULL;
}

/* [HIST-7]: as its entry had it, and its own id if this device sent it. */
static void check_row(struct sim_world *w, const struct sim_device *d,
                      const struct sim_stored *s, uint64_t client_msg_id)
{
    const struct sim_line *line = line_of(w, d, s);
    if (line == NULL) {
        sim_fail(w, "HIST-1", "%s gets a row that is not stored: %" PRIu64,
                 d->name, s->msg_id);
        return;
    }
    size_t limit = sim_body_limit(d->config.rx_bytes - ROAM_FRAME_HEADER_BYTES,
                                  d->config.inflated_bytes);
    bool own = line->message->user == d->user &&
               sim_same_id(&line->message->device, &d->disk.id);
    if (!sim_oracle_is_row(line->message) ||
        !sim_stored_fits(s, line, d->user, limit)) {
        sim_fail(w, "HIST-7", "%s: row %" PRIu64 " is not what was sent",
                 d->name, s->msg_id);
    }
    if (client_msg_id != (own ? line->message->client_msg_id : 0)) {
        sim_fail(w, "HIST-7", "%s: row %" PRIu64 " has id %" PRIx64, d->name,
                 s->msg_id, client_msg_id);
    }
}

void sim_pull_on_row(struct sim_world *w, struct sim_device *d,
                     const struct roam_event *ev)
{
    struct sim_page_asked *p = &d->page;
    struct sim_stored s = sim_stored_from(&ev->u.page_row.row);
    if (!p->asked || ev->u.page_row.ref != p->ref || s.version != 0) {
        sim_fail(w, "client", "%s gets a row of no page", d->name);
        return;
    }
    check_row(w, d, &s, ev->u.page_row.row.client_msg_id);
    p->rows = sim_grow(p->rows, &p->cap, p->count, sizeof *p->rows);
    p->rows[p->count++] = s;
}

static void list_ended(struct sim_history *h, const struct sim_page_asked *p,
                       bool more)
{
    if (p->is_void) {
        return; /* it is read again from its start */
    }
    for (size_t i = 0; i < p->count; i++) {
        close_up(h, (uint32_t)p->rows[i].conversation, p->rows[i].msg_id, true);
    }
    h->list_due = more;
    if (more) {
        h->list_before = p->rows[p->count - 1].msg_id;
        h->list_conversation = (uint32_t)p->rows[p->count - 1].conversation;
    }
}

/* What is left of the hole that was asked for, if it is still there. */
static void range_ended(struct sim_history *h, const struct sim_page_asked *p,
                        bool more)
{
    for (size_t i = 0; !p->is_probe && i < h->hole_count; i++) {
        struct sim_hole *o = &h->holes[i];
        if (o->conversation != p->range.conversation ||
            o->after != p->range.after || o->before != p->range.before) {
            continue;
        }
        if (more) {
            o->before = p->rows[0].msg_id;
        } else {
            *o = h->holes[--h->hole_count];
        }
        return;
    }
}

void sim_pull_on_end(struct sim_world *w, struct sim_device *d,
                     const struct roam_event *ev)
{
    struct sim_page_asked *p = &d->page;
    struct sim_history *h = &d->disk.history;
    bool more = ev->u.page_end.more;
    sim_step(w, SIM_STEP_PAGE, d->index, ev->u.page_end.rows, more);
    if (!p->asked || ev->u.page_end.ref != p->ref ||
        ev->u.page_end.rows != p->count || (more && p->count == 0)) {
        sim_fail(w, "client", "%s gets the end of no page", d->name);
        return;
    }
    p->asked = false;
    for (size_t i = 0; !p->is_list && i < p->count; i++) {
        keep_new_row(d, &p->rows[i]);
        if (ROAM_FAULT("app-trusts-pages")) {
            raise_top(h, p->rows[i].conversation, p->rows[i].msg_id);
        }
    }
    if (p->is_list) {
        list_ended(h, p, more);
    } else {
        range_ended(h, p, more);
    }
    p->count = 0;
    w->pages++;
    sim_pull_soon(w, d);
}

void sim_pull_on_failed(struct sim_world *w, struct sim_device *d,
                        const struct roam_event *ev)
{
    struct sim_page_asked *p = &d->page;
    uint32_t code = ev->u.page_failed.code;
    bool nobody = !p->is_list && p->range.conversation == SIM_USERS;
    sim_step(w, SIM_STEP_PAGE_FAILED, d->index, code, 0);
    if (!p->asked || ev->u.page_failed.ref != p->ref ||
        (code != 0 &&
         !(nobody && code == roam_v1_ErrorCode_NO_SUCH_CONVERSATION))) {
        sim_fail(w, "HIST-5", "%s: a page fails: code %" PRIu32, d->name, code);
    }
    p->asked = false;
    p->count = 0;
    sim_pull_soon(w, d);
}

/* ----------------------------------------------------------------- at end */

static void check_once(struct sim_world *w, const struct sim_device *d)
{
    const struct sim_history *h = &d->disk.history;
    for (size_t i = 0; i < h->count && !w->failed; i++) {
        const struct sim_stored *s = &h->rows[i];
        if (find_in(h->rows, i, s) < i ||
            find_in(d->disk.entries, d->disk.entry_count, s) <
                d->disk.entry_count) {
            sim_fail(w, "HIST-11", "%s has message %" PRIu64 " twice", d->name,
                     s->msg_id);
        } else if (line_of(w, d, s) == NULL) {
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
        const struct sim_stored must = sim_stored_of(line, d->user, SIZE_MAX);
        if (sim_oracle_is_row(line->message) && !wrote(d, line->message) &&
            !has_message(d, &must)) {
            sim_fail(w, "HIST-1",
                     "%s lacks message %" PRIu64 " of %s, line %zu", d->name,
                     must.msg_id,
                     sim_oracle_user_name((uint32_t)must.conversation), i);
        }
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
    }
}
