/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine tells its app, and what must be true of it. */
#include <inttypes.h>
#include <string.h>

#include "device.h"
#include "roam.pb.h"

/* No engine waits longer to come back: [TIME-6] and every window here. */
#define RETURN_MS_MAX 60000u

/* ----------------------------------------------------------------- login */

static void on_logged_in(struct sim_world *w, struct sim_device *d,
                         const struct roam_event *ev)
{
    sim_step(w, SIM_STEP_LOGGED_IN, d->index, ev->u.logged_in.generation, 0);
    d->logged_in = true;
    d->manual = false;
    d->disk.may_return = true;
    d->link->watch.client_live = true;
    d->link->watch.client_sent_ms = w->now_ms;
    sim_pull_head_told(d, ev->u.logged_in.head);
    sim_device_fill_outbox(w, d);
    sim_pull_soon(w, d);
}

static void ask_person(struct sim_world *w, struct sim_device *d,
                       uint64_t generation)
{
    static const uint32_t patience[] = {500, 5000, 60000, 200000};
    d->forbidden = true;
    d->disk.may_return = false;
    d->question_generation = generation;
    d->question = w->step_count;
    uint64_t in_ms = w->calm
                         ? 100
                         : sim_rng_between(&w->rng, 100,
                                           patience[sim_rng_below(&w->rng, 4)]);
    sim_queue_push(&w->queue, w->now_ms + in_ms, SIM_EV_DECIDES, d->index,
                   d->question);
}

void sim_device_draw_id(struct sim_world *w, struct sim_device *d)
{
    sim_step(w, SIM_STEP_NEW_ID, d->index, 0, 0);
    d->take_over = 0;
    sim_rng_fill(&w->rng, d->disk.id.bytes, sizeof d->disk.id.bytes);
    d->disk.attempt = 0;
    if (roam_client_set_device_id(&d->client, d->disk.id.bytes) !=
        ROAM_STATUS_OK) {
        sim_fail(w, "client", "%s: set_device_id", d->name);
    }
}

/* It does not know yet that its token is bound to the old one. */
static void new_id(struct sim_world *w, struct sim_device *d)
{
    w->stale++;
    if (!d->copied) {
        sim_fail(w, "LOGIN-2", "%s is no copy, and refused as one", d->name);
    }
    d->copied = false;
    sim_device_draw_id(w, d);
    uint64_t attempt = ++d->disk.attempt;
    sim_step(w, SIM_STEP_LOGS_IN, d->index, attempt, 0);
    if (roam_client_login(&d->client, attempt, 0, w->now_ms) !=
        ROAM_STATUS_OK) {
        sim_fail(w, "client", "%s: login with a new id", d->name);
    }
}

static bool token_may_be_bad(const struct sim_device *d,
                             enum roam_refused reason)
{
    const struct sim_token *t = d->disk.token;
    switch (reason) {
    case ROAM_REFUSED_CREDENTIAL:
        return d->typo || t->revoked || t->lost;
    case ROAM_REFUSED_TOKEN_EXPIRED:
        return !d->typo && t->expires_ms != 0;
    case ROAM_REFUSED_TOKEN_BOUND:
        return !d->typo && t->bound && !sim_same_id(&t->device, &d->disk.id);
    default:
        return false;
    }
}

static void on_refused(struct sim_world *w, struct sim_device *d,
                       const struct roam_event *ev)
{
    sim_step(w, SIM_STEP_REFUSED, d->index, ev->u.refused.reason,
             ev->u.refused.generation);
    switch (ev->u.refused.reason) {
    case ROAM_REFUSED_OCCUPIED:
    case ROAM_REFUSED_KICKED:
    case ROAM_REFUSED_FREE:
        ask_person(w, d, ev->u.refused.generation);
        return;
    case ROAM_REFUSED_STALE:
        new_id(w, d);
        return;
    case ROAM_REFUSED_THROTTLED:
        return; /* the engine comes back when it may */
    default:
        if (!token_may_be_bad(d, ev->u.refused.reason)) {
            sim_fail(w, "LOGIN-8", "%s: refused %d", d->name,
                     ev->u.refused.reason);
        }
        d->disk.needs_token = d->disk.needs_token || !d->typo;
        ask_person(w, d, 0); /* to type it again, or for another one */
    }
}

/* ---------------------------------------------------------------- answers */

static bool answered(struct sim_world *w, struct sim_device *d,
                     uint64_t client_msg_id)
{
    struct sim_disk *disk = &d->disk;
    for (size_t i = 0; i < disk->draft_count; i++) {
        if (disk->drafts[i].message->client_msg_id == client_msg_id) {
            disk->draft_count--;
            memmove(&disk->drafts[i], &disk->drafts[i + 1],
                    (disk->draft_count - i) * sizeof *disk->drafts);
            return true;
        }
    }
    sim_fail(w, "SEND-2", "%s: an answer to nothing: %" PRIx64, d->name,
             client_msg_id);
    return false;
}

/* [GRP-1] */
static void check_made(struct sim_world *w, const struct sim_device *d,
                       const struct sim_message *m, struct roam_bytes made)
{
    bool makes = m != NULL && sim_oracle_makes_group(m);
    struct roam_bytes must = {NULL, 0};
    if (makes) {
        must = sim_oracle_party_name(w, m->party);
    }
    if (!sim_same_bytes(made.data, made.len, must.data, must.len)) {
        sim_fail(w, "GRP-1", "%s is told of a wrong group", d->name);
    }
}

static void on_sent(struct sim_world *w, struct sim_device *d,
                    const struct roam_event *ev)
{
    uint64_t id = ev->u.sent.client_msg_id;
    sim_step(w, SIM_STEP_SENT, d->index, id, ev->u.sent.msg_id);
    const struct sim_message *m = sim_oracle_message(w, id);
    if (!answered(w, d, id)) {
        return;
    }
    bool stored = m != NULL && m->stored && m->msg_id == ev->u.sent.msg_id;
    if (!stored &&
        (m == NULL || !sim_oracle_may_stand(w, m, ev->u.sent.msg_id))) {
        sim_fail(w, "SEND-3", "%s is told that %" PRIx64 " is stored", d->name,
                 id);
    }
    check_made(w, d, m, ev->u.sent.conversation);
    sim_groups_own_sent(d, m);
    sim_pull_own_stored(d);
    sim_pull_soon(w, d);
}

static void on_send_failed(struct sim_world *w, struct sim_device *d,
                           const struct roam_event *ev)
{
    uint64_t id = ev->u.send_failed.client_msg_id;
    sim_step(w, SIM_STEP_SEND_FAILED, d->index, id, ev->u.send_failed.code);
    const struct sim_message *m = sim_oracle_message(w, id);
    if (!answered(w, d, id)) {
        return;
    }
    uint32_t code = ev->u.send_failed.code;
    bool refused = m != NULL && code < 64 && (m->refusals >> code & 1) != 0;
    if (m == NULL || (m->must_fail != code && !refused)) {
        sim_fail(w, "SEND-7", "%s: code %" PRIu32 ", must be %" PRIu32, d->name,
                 ev->u.send_failed.code, m == NULL ? 0 : m->must_fail);
    }
}

/* ---------------------------------------------------------------- endings */

/* [KICK-7], [KICK-11] */
static bool must_stay_away(const struct sim_device *d)
{
    return d->kicked == ROAM_KICK_TAKEN_OVER ||
           d->kicked == ROAM_KICK_SUPERSEDED ||
           d->kicked == ROAM_KICK_LOGGED_OUT ||
           d->kicked == ROAM_KICK_REVOKED || d->kicked == ROAM_KICK_EXPIRED;
}

static void on_kicked(struct sim_world *w, struct sim_device *d,
                      const struct roam_event *ev)
{
    d->kicked = ev->u.kicked.reason;
    sim_step(w, SIM_STEP_KICKED, d->index, ev->u.kicked.reason, 0);
    if (must_stay_away(d)) {
        d->disk.may_return = false;
    }
    if (d->kicked == ROAM_KICK_REVOKED || d->kicked == ROAM_KICK_EXPIRED) {
        d->disk.needs_token = true;
        ask_person(w, d, 0);
    }
}

/* Servers and clients here are correct: these cannot be. */
static void check_status(struct sim_world *w, struct sim_device *d,
                         enum roam_status status)
{
    bool fine = status == ROAM_STATUS_OK || status == ROAM_STATUS_SILENT ||
                (status == ROAM_STATUS_NO_PROGRESS && sim_is_slow(w));
    if (!fine) {
        sim_fail(w, "client", "%s closes: %s", d->name,
                 roam_status_text(status));
    }
}

static void check_return(struct sim_world *w, struct sim_device *d,
                         const struct roam_event *ev)
{
    if (!ev->u.close.reconnect) {
        return;
    }
    if (must_stay_away(d)) {
        sim_fail(w, "KICK-7", "%s comes back by itself", d->name);
    }
    if (d->forbidden) {
        sim_fail(w, "LOGIN-18", "%s comes back by itself", d->name);
    }
    if (ev->u.close.reconnect_at_ms > w->now_ms + RETURN_MS_MAX) {
        sim_fail(w, "TIME-6", "%s comes back too late", d->name);
    }
}

static void on_close(struct sim_world *w, struct sim_device *d,
                     const struct roam_event *ev)
{
    sim_step(w, SIM_STEP_CLOSE, d->index, (uint64_t)(-ev->u.close.status),
             ev->u.close.reconnect);
    check_status(w, d, ev->u.close.status);
    check_return(w, d, ev);
    d->logged_in = false;
    if (d->link != NULL) {
        struct sim_link *l = d->link;
        d->link = NULL;
        sim_link_client_closes(w, l);
        roam_client_closed(&d->client, w->now_ms);
    }
    if (ev->u.close.reconnect && !d->forbidden) {
        uint64_t at = ev->u.close.reconnect_at_ms;
        sim_device_connect_in(w, d, at > w->now_ms ? at - w->now_ms : 0);
    }
}

static void on_event(struct sim_world *w, struct sim_device *d,
                     const struct roam_event *ev)
{
    switch (ev->type) {
    case ROAM_EVENT_NONE:
        return;
    case ROAM_EVENT_SESSION:
        sim_sessions_on_row(w, d, ev);
        return;
    case ROAM_EVENT_MEMBER:
        sim_groups_on_member(w, d, ev);
        return;
    case ROAM_EVENT_LOGGED_IN:
        on_logged_in(w, d, ev);
        return;
    case ROAM_EVENT_REFUSED:
        on_refused(w, d, ev);
        return;
    case ROAM_EVENT_RESET:
        sim_device_on_reset(w, d, ev);
        return;
    case ROAM_EVENT_ENTRY:
        sim_device_on_entry(w, d, &ev->u.entry);
        return;
    case ROAM_EVENT_SYNCED:
        sim_step(w, SIM_STEP_SYNCED, d->index, ev->u.synced.version, 0);
        return;
    case ROAM_EVENT_SENT:
        on_sent(w, d, ev);
        return;
    case ROAM_EVENT_SEND_FAILED:
        on_send_failed(w, d, ev);
        return;
    case ROAM_EVENT_PAGE_ROW:
        sim_pull_on_row(w, d, ev);
        return;
    case ROAM_EVENT_PAGE_END:
        sim_pull_on_end(w, d, ev);
        return;
    case ROAM_EVENT_PAGE_FAILED:
        sim_pull_on_failed(w, d, ev);
        return;
    case ROAM_EVENT_KICKED:
        on_kicked(w, d, ev);
        return;
    case ROAM_EVENT_CLOSE:
        on_close(w, d, ev);
        return;
    }
}

/* --------------------------------------------------------------- pumping */

static void drain_events(struct sim_world *w, struct sim_device *d)
{
    struct roam_event ev;
    do {
        roam_client_next_event(&d->client, &ev, w->now_ms);
        on_event(w, d, &ev);
    } while (ev.type != ROAM_EVENT_NONE && !w->failed);
    sim_device_fill_outbox(w, d);
}

static void arrange_tick(struct sim_world *w, struct sim_device *d)
{
    uint64_t deadline = roam_client_deadline_ms(&d->client);
    if (deadline < w->now_ms) {
        deadline = w->now_ms;
    }
    if (deadline < d->tick_at_ms) {
        d->tick_at_ms = deadline;
        sim_queue_push(&w->queue, deadline, SIM_EV_DEVICE_TICK, d->index, 0);
    }
}

void sim_device_pump(struct sim_world *w, struct sim_device *d)
{
    if (!d->on || w->failed) {
        return;
    }
    drain_events(w, d);
    if (d->link != NULL) {
        sim_link_pull_client(w, d->link);
    }
    arrange_tick(w, d);
}

void sim_device_feed(struct sim_world *w, struct sim_device *d,
                     const uint8_t *data, size_t len)
{
    struct sim_link *l = d->link;
    bool idle = false; /* it took nothing, though no event waits */
    while (len > 0 && d->link == l && l != NULL && !w->failed) {
        ptrdiff_t n = roam_client_feed(&d->client, data, len, w->now_ms);
        if (n < 0) {
            break; /* CLOSE waits */
        }
        if (n == 0 && idle) {
            sim_fail(w, "client", "%s: the engine takes nothing", d->name);
        }
        idle = n == 0;
        data += n;
        len -= (size_t)n;
        drain_events(w, d);
    }
    sim_device_pump(w, d);
}

void sim_device_transport_gone(struct sim_world *w, struct sim_device *d)
{
    d->link = NULL;
    roam_client_closed(&d->client, w->now_ms);
    sim_device_pump(w, d);
}
