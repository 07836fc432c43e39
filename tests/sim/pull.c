/* SPDX-License-Identifier: Apache-2.0 */
/* An app asks for what it lacks: see pull.h. */
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
/* Of the requests, those for members when history is missing, too. */
#define MEMBERS_PERMILLE 500u
/* Of the looks around, those at members, and of the others those at the user's
 * sessions. */
#define PROBE_MEMBERS_PERMILLE 300u
/* The same of a device that is behind: there they are ahead of its entries. */
#define LAG_MEMBERS_PERMILLE 700u
#define SESSIONS_PERMILLE 250u

/* ----------------------------------------------------------------- asking */

bool sim_pull_pending(const struct sim_device *d)
{
    const struct sim_history *h = &d->disk.history;
    return d->pulls && !d->disk.foreign &&
           (h->list_due || h->hole_count != 0 || d->page.asked ||
            sim_groups_pending(d));
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
    uint32_t parties = SIM_USERS + sim_oracle_groups(w);
    struct sim_hole range = {
        nobody ? SIM_PARTIES : sim_rng_below(&w->rng, parties), 0, 0};
    range.after = draw_bound(w, d);
    range.before = draw_bound(w, d);
    return range;
}

static enum roam_status ask_list(struct sim_world *w, struct sim_device *d,
                                 uint32_t rows)
{
    const struct sim_history *h = &d->disk.history;
    struct roam_bytes none = {NULL, 0};
    d->page.is_void = false;
    d->page.range = (struct sim_hole){h->list_conversation, 0, h->list_before};
    sim_step(w, SIM_STEP_ASKS_LIST, d->index, h->list_before, rows);
    return roam_client_conversations(
        &d->client, d->page.ref, h->list_before,
        h->list_before == 0 ? none
                            : sim_oracle_party_name(w, h->list_conversation),
        rows, w->now_ms);
}

static enum roam_status ask_range(struct sim_world *w, struct sim_device *d,
                                  struct sim_hole range, uint32_t rows)
{
    d->page.range = range;
    sim_step(w, SIM_STEP_ASKS_PAGE, d->index, range.after, range.before);
    return roam_client_history(
        &d->client, d->page.ref, sim_oracle_party_name(w, range.conversation),
        range.before, range.after, d->page.is_probe && rows % 3 == 0, rows,
        w->now_ms);
}

/* What it looks around for. */
static enum sim_asks draw_probe_kind(struct sim_world *w,
                                     const struct sim_device *d)
{
    uint32_t permille = d->lags ? LAG_MEMBERS_PERMILLE : PROBE_MEMBERS_PERMILLE;
    if (sim_rng_chance(&w->rng, permille)) {
        return SIM_ASKS_MEMBERS;
    }
    bool sessions = d->page.sessions.type != 0 ||
                    sim_rng_chance(&w->rng, SESSIONS_PERMILLE);
    return sessions ? SIM_ASKS_SESSIONS : SIM_ASKS_RANGE;
}

/* What it asks for of all that is missing. */
static enum sim_asks draw_kind(struct sim_world *w, const struct sim_device *d)
{
    const struct sim_history *h = &d->disk.history;
    bool list = h->list_due && !d->page.hold &&
                (h->hole_count == 0 || sim_rng_chance(&w->rng, 500));
    bool rest = !list && h->hole_count == 0;
    if (sim_groups_pending(d) &&
        (rest || sim_rng_chance(&w->rng, MEMBERS_PERMILLE))) {
        return SIM_ASKS_MEMBERS;
    }
    if (rest) {
        return SIM_ASKS_NOTHING;
    }
    return list ? SIM_ASKS_LIST : SIM_ASKS_RANGE;
}

static enum roam_status ask_for(struct sim_world *w, struct sim_device *d,
                                uint32_t rows)
{
    const struct sim_history *h = &d->disk.history;
    struct sim_hole range;
    switch (d->page.what) {
    case SIM_ASKS_RANGE:
        range = d->page.is_probe
                    ? draw_probe(w, d)
                    : h->holes[sim_rng_below(&w->rng, (uint32_t)h->hole_count)];
        return ask_range(w, d, range, rows);
    case SIM_ASKS_LIST:
        return ask_list(w, d, rows);
    case SIM_ASKS_MEMBERS:
        return sim_groups_ask(w, d, 1 + rows % SIM_USERS);
    case SIM_ASKS_SESSIONS:
        return sim_sessions_ask(w, d);
    case SIM_ASKS_NOTHING:
        break;
    }
    return ROAM_STATUS_BAD_STATE;
}

static void ask(struct sim_world *w, struct sim_device *d)
{
    uint32_t rows = 1 + sim_rng_below(&w->rng, ROWS_MAX);
    d->page.is_probe =
        !w->calm && (d->page.is_probe || d->lags || !sim_pull_pending(d) ||
                     sim_rng_chance(&w->rng, PROBE_PERMILLE));
    d->page.what = d->page.is_probe ? draw_probe_kind(w, d) : draw_kind(w, d);
    d->page.ref = sim_rng_next(&w->rng) | 1;
    enum roam_status status = ask_for(w, d, rows);
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

const struct sim_line *sim_pull_line_of(const struct sim_world *w,
                                        const struct sim_device *d,
                                        const struct sim_stored *s)
{
    for (size_t i = sim_oracle_count(w, d->user); i > 0; i--) {
        const struct sim_line *line = sim_oracle_line(w, d->user, i);
        if (line->message->msg_id == s->msg_id &&
            sim_oracle_party_of(line->message, d->user) == s->conversation) {
            return line;
        }
    }
    return NULL;
}

/* [HIST-7]: as its entry had it, and its own id if this device sent it. */
static void check_row(struct sim_world *w, const struct sim_device *d,
                      const struct sim_stored *s, uint64_t client_msg_id)
{
    const struct sim_line *line = sim_pull_line_of(w, d, s);
    if (line == NULL) {
        sim_fail(w, "HIST-1", "%s gets a row that is not stored: %" PRIu64,
                 d->name, s->msg_id);
        return;
    }
    size_t limit = sim_body_limit(d->config.rx_bytes - ROAM_FRAME_HEADER_BYTES,
                                  d->config.inflated_bytes);
    bool own = line->message->user == d->user &&
               sim_same_id(&line->message->device, &d->disk.id);
    if (!sim_oracle_is_row(line->message, d->user) ||
        !sim_stored_fits(w, s, line, d->user, limit)) {
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
    struct sim_stored s = sim_stored_from(w, &ev->u.page_row.row);
    if (!p->asked || ev->u.page_row.ref != p->ref || s.version != 0) {
        sim_fail(w, "client", "%s gets a row of no page", d->name);
        return;
    }
    check_row(w, d, &s, ev->u.page_row.row.client_msg_id);
    sim_device_check_names(w, d, &ev->u.page_row.row);
    p->rows = sim_grow(p->rows, &p->cap, p->count, sizeof *p->rows);
    p->rows[p->count++] = s;
    if (p->what == SIM_ASKS_LIST) {
        sim_pull_raise_mark(&d->disk.history, s.conversation,
                            ev->u.page_row.row.read_mark);
        sim_groups_listed(d, s.conversation);
    }
}

/* Did a conversation move past the place of the list? What is not in it after
 * that is none of the user's. */
static bool list_again(struct sim_history *h)
{
    bool again = false;
    for (uint32_t c = 0; c < SIM_PARTIES; c++) {
        bool missed = h->listing[c] == SIM_MISSED;
        again = again || missed;
        h->listing[c] = missed ? SIM_LOOKED_FOR : SIM_LISTED;
    }
    return again;
}

static void list_ended(struct sim_history *h, const struct sim_page_asked *p,
                       bool more)
{
    if (p->is_void) {
        return; /* it is read again from its start */
    }
    for (size_t i = 0; i < p->count; i++) {
        h->listing[p->rows[i].conversation] = SIM_LISTED;
        sim_pull_close_up(h, (uint32_t)p->rows[i].conversation,
                          p->rows[i].msg_id, true);
    }
    h->list_due = more || list_again(h);
    h->list_before = 0;
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

static void note_as_of(struct sim_device *d, uint64_t as_of)
{
    struct sim_history *h = &d->disk.history;
    if (as_of > d->disk.cursor) {
        bool first = h->as_of_low == 0;
        h->as_of_low = first || as_of < h->as_of_low ? as_of : h->as_of_low;
        h->as_of_high = as_of > h->as_of_high ? as_of : h->as_of_high;
    }
}

static bool has_rows(const struct sim_page_asked *p)
{
    return p->what == SIM_ASKS_RANGE || p->what == SIM_ASKS_LIST;
}

void sim_pull_on_end(struct sim_world *w, struct sim_device *d,
                     const struct roam_event *ev)
{
    struct sim_page_asked *p = &d->page;
    struct sim_history *h = &d->disk.history;
    bool more = ev->u.page_end.more;
    sim_step(w, SIM_STEP_PAGE, d->index, ev->u.page_end.rows, more);
    if (!p->asked || ev->u.page_end.ref != p->ref ||
        (has_rows(p) &&
         (ev->u.page_end.rows != p->count || (more && p->count == 0)))) {
        sim_fail(w, "client", "%s gets the end of no page", d->name);
        return;
    }
    p->asked = false;
    if (p->what == SIM_ASKS_SESSIONS) {
        sim_sessions_on_end(w, d);
        sim_pull_soon(w, d);
        return;
    }
    if (p->what == SIM_ASKS_MEMBERS) {
        sim_groups_on_end(w, d, ev);
        sim_pull_soon(w, d);
        return;
    }
    for (size_t i = 0; p->what == SIM_ASKS_RANGE && i < p->count; i++) {
        sim_pull_keep_row(d, &p->rows[i]);
        if (ROAM_FAULT("app-trusts-pages")) {
            sim_pull_raise_top(h, p->rows[i].conversation, p->rows[i].msg_id);
        }
    }
    if (p->what == SIM_ASKS_LIST) {
        note_as_of(d, ev->u.page_end.as_of);
        list_ended(h, p, more);
    } else {
        range_ended(h, p, more);
    }
    p->count = 0;
    w->pages++;
    sim_pull_soon(w, d);
}

/* What an ERROR may say. [HIST-5], [GRP-19], [DEV-5] */
static bool may_fail(const struct sim_page_asked *p, uint32_t code)
{
    if (p->what == SIM_ASKS_SESSIONS) {
        return p->sessions.ends && code == roam_v1_ErrorCode_NO_SUCH_DEVICE;
    }
    return p->what != SIM_ASKS_LIST &&
           code == roam_v1_ErrorCode_NO_SUCH_CONVERSATION &&
           (p->what == SIM_ASKS_MEMBERS || p->range.conversation >= SIM_USERS);
}

void sim_pull_on_failed(struct sim_world *w, struct sim_device *d,
                        const struct roam_event *ev)
{
    struct sim_page_asked *p = &d->page;
    uint32_t code = ev->u.page_failed.code;
    sim_step(w, SIM_STEP_PAGE_FAILED, d->index, code, 0);
    if (!p->asked || ev->u.page_failed.ref != p->ref ||
        (code != 0 && !may_fail(p, code))) {
        sim_fail(w, "HIST-5", "%s: a page fails: code %" PRIu32, d->name, code);
    }
    p->asked = false;
    p->count = 0;
    if (p->what == SIM_ASKS_MEMBERS) {
        sim_groups_on_failed(d, code);
    } else if (p->what == SIM_ASKS_RANGE && code != 0) {
        /* It asked to become a member, and has no row there yet. */
        range_ended(&d->disk.history, p, false);
    }
    sim_pull_soon(w, d);
}
