/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a run: faults and persons stop, but for one person in each slot
 * who insists on one device. Then everything must come to rest: these devices
 * are at the head with nothing unsent, and what they hold is what the oracle
 * says. And it must stay so. */
#include <inttypes.h>

#include "device.h"
#include "net.h"
#include "oracle.h"
#include "server.h"

/* At rest for this many heartbeats: enough for every timer to run once. */
#define REST_HEARTBEATS 3u
/* Events of a connection at rest, in one heartbeat: PING, PONG, and the ticks
 * around them, in pieces of one byte. */
#define REST_EVENTS_MAX 200u

/* ------------------------------------------------------------- beginning */

static bool same_slot(const struct sim_device *a, const struct sim_device *b)
{
    return a->user == b->user && a->type == b->type;
}

/* One device for each slot, by lot. */
static void choose(struct sim_world *w)
{
    for (uint32_t i = 0; i < SIM_DEVICES; i++) {
        struct sim_device *found = NULL;
        uint32_t count = 0;
        for (uint32_t k = 0; k < SIM_DEVICES; k++) {
            struct sim_device *d = &w->devices[k];
            if (!d->exists || !same_slot(d, &w->devices[i])) {
                continue;
            }
            if (d->chosen) {
                found = NULL;
                break;
            }
            if (sim_rng_below(&w->rng, ++count) == 0) {
                found = d;
            }
        }
        if (found != NULL) {
            found->chosen = true;
        }
    }
}

/* The persons of the others have answered no; a LOGIN for which one of them
 * said yes before may still be under way, so the insisting ones look again. */
static void insist(struct sim_world *w)
{
    for (uint32_t i = 0; i < SIM_DEVICES && !w->failed; i++) {
        struct sim_device *d = &w->devices[i];
        if (d->exists && d->question != 0) {
            sim_device_answer(w, d, d->chosen);
        } else if (d->chosen) {
            sim_device_open_app(w, d);
        }
    }
}

void sim_calm_begin(struct sim_world *w)
{
    sim_step(w, SIM_STEP_CALM, 0, 0, 0);
    w->calm = true;
    w->calm_at_ms = w->now_ms;
    w->server->gate.fail_next = false;
    for (uint32_t i = 0; i < w->link_count; i++) {
        sim_link_unstall(w, w->links[i]);
    }
    sim_oracle_revoke_expiring(w); /* or else there is no rest */
    choose(w);
    insist(w);
}

/* ------------------------------------------------------------------ rest */

static bool is_out(const struct sim_device *d)
{
    return !d->exists || d->asleep ||
           (!d->chosen && (d->forbidden || !d->disk.may_return));
}

static bool holds_slot(const struct sim_world *w, const struct sim_device *d)
{
    return sim_oracle_is_holder(w, d->user, (uint32_t)d->type, &d->disk.id);
}

/* Why the device is not at rest; NULL: it is. */
static const char *unrest(const struct sim_world *w, const struct sim_device *d)
{
    if (d->exists && !d->on) {
        return "is off";
    }
    if (is_out(d)) {
        if (d->chosen) {
            return "is out, though its person insists";
        }
        return d->link != NULL || d->connecting ? "goes on though it is out"
                                                : NULL;
    }
    if (d->link != NULL && (d->link->cut || d->link->watch.client_left)) {
        return "is about to lose its connection";
    }
    if (!d->logged_in || !roam_client_logged_in(&d->client)) {
        return "is not logged in";
    }
    if (d->disk.token->revoked || d->disk.token->lost) {
        return "is about to lose its session";
    }
    if (!holds_slot(w, d)) {
        return "does not hold its slot";
    }
    if (d->disk.cursor != sim_oracle_head(w, d->user)) {
        return "is not at the head";
    }
    if (d->disk.draft_count != 0) {
        return "has unsent messages";
    }
    if (sim_pull_pending(d)) {
        return "has holes in its history";
    }
    return NULL;
}

/* Nothing waits in the store but what the server does by itself. */
static bool store_at_rest(const struct sim_world *w)
{
    const struct sim_held *held = w->server->gate.first;
    while (held != NULL && (held->req->kind == ROAM_STORE_TRIM ||
                            held->req->kind == ROAM_STORE_REVOKED ||
                            held->req->kind == ROAM_STORE_SEEN)) {
        held = held->next;
    }
    return held == NULL;
}

static bool all_at_rest(const struct sim_world *w)
{
    struct roam_core_stats stats;
    uint32_t online = 0;
    for (uint32_t i = 0; i < SIM_DEVICES; i++) {
        if (unrest(w, &w->devices[i]) != NULL) {
            return false;
        }
        online += w->devices[i].link != NULL;
    }
    if (!w->server->up || !store_at_rest(w)) {
        return false;
    }
    roam_core_get_stats(w->server->core, &stats);
    return stats.sessions == online && stats.connections == online;
}

static void tell_unrest(struct sim_world *w)
{
    for (uint32_t i = 0; i < SIM_DEVICES; i++) {
        const char *why = unrest(w, &w->devices[i]);
        if (why != NULL) {
            sim_fail(w, "liveness", "%s %s", w->devices[i].name, why);
            return;
        }
    }
    sim_fail(w, "liveness", "the server keeps sessions that nobody has");
}

/* ----------------------------------------------------------------- final */

static bool has(const struct sim_device *d, const struct sim_message *m)
{
    for (size_t i = 0; i < d->disk.mine_count; i++) {
        if (d->disk.mine[i] == m) {
            return true;
        }
    }
    return false;
}

static void check_stored(struct sim_world *w, const struct sim_device *d,
                         size_t i, size_t number)
{
    const struct sim_stored *s = &d->disk.entries[i];
    const struct sim_line *line = sim_oracle_line(w, d->user, number);
    size_t limit = sim_body_limit(d->config.rx_bytes - ROAM_FRAME_HEADER_BYTES,
                                  d->config.inflated_bytes);
    bool right = s->kind == ROAM_KIND_NOOP
                     ? has(d, line->message) ||
                           sim_oracle_is_void(line->message) ||
                           line->message->was_undone
                     : sim_stored_fits(w, s, line, d->user, limit);
    if (!right || s->version != line->version) {
        sim_fail(w, "CHAIN-4", "%s has stored something else as %" PRIu64,
                 d->name, line->version);
    }
}

/* What a device has stored is the timeline behind its last RESET. */
static void check_disk(struct sim_world *w, const struct sim_device *d)
{
    if (d->disk.foreign) {
        return; /* it was not connected since */
    }
    size_t from = 0;
    size_t to = 0;
    if (!sim_oracle_find(w, d->user, d->disk.base, &from) ||
        !sim_oracle_find(w, d->user, d->disk.cursor, &to) ||
        to - from != d->disk.entry_count) {
        sim_fail(w, "CHAIN-7", "%s has stored %zu entries, not %zu", d->name,
                 d->disk.entry_count, to - from);
        return;
    }
    for (size_t i = 0; i < d->disk.entry_count && !w->failed; i++) {
        check_stored(w, d, i, from + 1 + i);
    }
}

static void check_mine(struct sim_world *w, const struct sim_device *d)
{
    for (size_t i = 0; i < d->disk.mine_count; i++) {
        const struct sim_message *m = d->disk.mine[i];
        bool unsent = false;
        for (size_t k = 0; k < d->disk.draft_count; k++) {
            unsent = unsent || d->disk.drafts[k].message == m;
        }
        bool unsendable = m->must_fail != 0 || m->refusals != 0 || m->stood ||
                          m->body.len + ROAM_FRAME_MIN / 2 > d->config.tx_bytes;
        if (!m->stored && !unsent && !unsendable && !m->lost) {
            sim_fail(w, "SEND-13", "%s has lost message %" PRIx64, d->name,
                     m->client_msg_id);
        }
        if (m->stored && m->must_fail != 0) {
            sim_fail(w, "SEND-8", "message %" PRIx64 " was stored",
                     m->client_msg_id);
        }
    }
}

static void check_end(struct sim_world *w)
{
    sim_oracle_scan(w, true);
    for (uint32_t i = 0; i < SIM_DEVICES && !w->failed; i++) {
        if (w->devices[i].exists) {
            check_disk(w, &w->devices[i]);
            check_mine(w, &w->devices[i]);
            sim_pull_check(w, &w->devices[i]);
        }
    }
    w->over = true;
}

/* ----------------------------------------------------------------- sweep */

static void sweep_rest(struct sim_world *w)
{
    insist(w);
    bool rest = all_at_rest(w);
    if (rest && w->rest_since_ms == 0) {
        sim_step(w, SIM_STEP_AT_REST, 0, 0, 0);
        w->rest_since_ms = w->now_ms;
        w->rest_events = w->event_count;
    }
    if (!rest && w->rest_since_ms != 0) {
        tell_unrest(w); /* it was, and nothing happened since */
    }
    if (!rest && w->now_ms - w->calm_at_ms > SIM_CALM_MS) {
        tell_unrest(w);
    }
    if (rest && w->now_ms - w->rest_since_ms >=
                    (uint64_t)REST_HEARTBEATS * w->heartbeat_ms) {
        if (w->event_count - w->rest_events >
            REST_EVENTS_MAX * REST_HEARTBEATS * SIM_DEVICES) {
            sim_fail(w, "timer", "%" PRIu64 " events at rest",
                     w->event_count - w->rest_events);
        }
        check_end(w);
    }
}

static void sweep_connections(struct sim_world *w)
{
    struct roam_core_stats stats;
    uint32_t open = 0;
    for (uint32_t i = 0; i < w->link_count; i++) {
        if (w->links[i]->client_open || w->links[i]->server_open) {
            sim_watch_sweep(w, w->links[i]);
        }
        open += w->links[i]->session != NULL;
    }
    if (w->server->up) {
        roam_core_get_stats(w->server->core, &stats);
        if (stats.connections != open || stats.sessions > open) {
            sim_fail(w, "core", "%" PRIu32 " connections, %" PRIu32 " are open",
                     stats.connections, open);
        }
    }
}

void sim_sweep(struct sim_world *w)
{
    sweep_connections(w);
    if (w->calm && !w->failed) {
        sweep_rest(w);
    }
    if (!w->over && !w->failed) {
        sim_queue_push(&w->queue, w->now_ms + 1000, SIM_EV_SWEEP, 0, 0);
    }
}
