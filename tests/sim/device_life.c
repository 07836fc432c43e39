/* SPDX-License-Identifier: Apache-2.0 */
/* What a device does by itself or because its person wants it: connect, log
 * in, store, go away. */
#include <string.h>

#include "device.h"
#include "fault.h"

/* Ticks that may follow each other while the deadline stays where it is. */
#define IDLE_TICKS_MAX 8u
/* Of the logins with the fault TYPO. */
#define TYPO_PERMILLE 200u
/* Of the devices that get a new token, those that are set up anew: what they
 * had stored is carried over. */
#define INSTALLED_PERMILLE 300u
/* After a failed connection that a person asked for. */
#define CONNECT_AGAIN_MS 2000u

/* ---------------------------------------------------------- connections */

void sim_device_connect_in(struct sim_world *w, struct sim_device *d,
                           uint64_t in_ms)
{
    if (!d->on || d->asleep || d->link != NULL || d->connecting) {
        return;
    }
    d->connecting = true;
    d->epoch++;
    sim_queue_push(&w->queue, w->now_ms + in_ms, SIM_EV_CONNECT, d->index,
                   d->epoch);
}

/* A person who logs in may mistype. */
static void choose_token(struct sim_world *w, struct sim_device *d)
{
    d->typo = d->manual && sim_fault_on(w, SIM_FAULT_TYPO) &&
              sim_rng_chance(&w->rng, TYPO_PERMILLE);
    if (d->typo) {
        sim_fault_happened(w, SIM_FAULT_TYPO);
    }
    const char *token = d->typo ? "wrong-token" : d->disk.token->text;
    if (roam_client_set_token(&d->client, token) != ROAM_STATUS_OK) {
        sim_fail(w, "client", "%s: set_token", d->name);
    }
}

void sim_device_new_token(struct sim_world *w, struct sim_device *d)
{
    struct sim_disk *disk = &d->disk;
    disk->needs_token = false;
    if (sim_rng_chance(&w->rng, INSTALLED_PERMILLE)) {
        d->copied = false;
        sim_device_draw_id(w, d);
    }
    disk->token = sim_oracle_grant(w, d->user, sim_people_expiry(w));
    sim_step(w, SIM_STEP_GRANTED, d->index, disk->token->number,
             disk->token->expires_ms);
}

static void log_in(struct sim_world *w, struct sim_device *d,
                   uint64_t take_over)
{
    if (d->forbidden) {
        sim_fail(w, "LOGIN-18", "%s logs in by itself", d->name);
    }
    d->question = 0;
    if (d->disk.needs_token && !ROAM_FAULT("app-keeps-its-token")) {
        sim_device_new_token(w, d);
    }
    choose_token(w, d);
    uint64_t attempt = ++d->disk.attempt;
    sim_step(w, SIM_STEP_LOGS_IN, d->index, attempt, take_over);
    enum roam_status status =
        roam_client_login(&d->client, attempt, take_over, w->now_ms);
    if (status != ROAM_STATUS_OK) {
        sim_fail(w, "client", "%s: login: %s", d->name,
                 roam_status_text(status));
    }
}

static void connected(struct sim_world *w, struct sim_device *d)
{
    enum roam_status status = roam_client_open(&d->client, w->now_ms);
    if (status != ROAM_STATUS_OK) {
        sim_fail(w, "client", "%s: open: %s", d->name,
                 roam_status_text(status));
        return;
    }
    if (roam_client_cursor(&d->client) != d->disk.cursor) {
        sim_fail(w, "CHAIN-7", "%s: the engine's cursor is not the stored one",
                 d->name);
    }
    /* What was handed out and not stored comes again. */
    d->unsaved_at = d->unsaved_count = 0;
    sim_pull_lost(d);
    d->handed = d->disk.cursor;
    d->unacked = 0;
    d->kicked = 0;
    uint64_t take_over = ROAM_FAULT("app-takes-over-by-itself")
                             ? d->question_generation
                             : d->take_over;
    d->take_over = 0;
    log_in(w, d, take_over);
}

void sim_device_connect_event(struct sim_world *w, struct sim_device *d,
                              uint64_t epoch)
{
    if (d->epoch != epoch || !d->connecting) {
        return;
    }
    d->connecting = false;
    bool late = d->late_next && !w->calm;
    d->late_next = false;
    struct sim_link *l = sim_link_open(w, d, late);
    if (l == NULL) {
        roam_client_closed(&d->client, w->now_ms);
    } else {
        d->link = l;
        connected(w, d);
    }
    sim_device_pump(w, d);
    if (l == NULL && d->manual) {
        /* The engine knows of no wish to log in yet; the app does. */
        sim_device_connect_in(w, d, CONNECT_AGAIN_MS);
    }
}

/* --------------------------------------------------------------- person */

void sim_device_open_app(struct sim_world *w, struct sim_device *d)
{
    if (!d->on || d->link != NULL || d->connecting) {
        return;
    }
    sim_step(w, SIM_STEP_OPENS, d->index, 0, 0);
    d->asleep = false;
    d->manual = true;
    d->forbidden = false;
    d->question = 0;
    sim_device_connect_in(w, d, sim_rng_between(&w->rng, 5, 200));
}

static void drop_connection(struct sim_world *w, struct sim_device *d)
{
    if (d->connecting) {
        d->connecting = false;
        d->epoch++;
    }
    if (d->link != NULL) {
        roam_client_close(&d->client, w->now_ms);
        sim_device_pump(w, d);
    }
}

void sim_device_put_away(struct sim_world *w, struct sim_device *d)
{
    if (!d->on || d->asleep) {
        return;
    }
    sim_step(w, SIM_STEP_PUTS_AWAY, d->index, 0, 0);
    d->asleep = true;
    d->manual = false;
    d->take_over = 0;
    d->question = 0;
    drop_connection(w, d);
}

void sim_device_log_out(struct sim_world *w, struct sim_device *d)
{
    if (!d->on || !d->logged_in || d->link == NULL) {
        return;
    }
    if (roam_client_logout(&d->client, w->now_ms) != ROAM_STATUS_OK) {
        return; /* it is leaving already */
    }
    sim_step(w, SIM_STEP_LOGS_OUT, d->index, 0, 0);
    d->disk.may_return = false;
    sim_device_pump(w, d);
}

static bool can_log_in_here(const struct sim_device *d)
{
    return d->link != NULL && d->link->client_open && d->kicked == 0;
}

void sim_device_answer(struct sim_world *w, struct sim_device *d, bool yes)
{
    uint64_t generation = d->question_generation;
    d->question = 0;
    if (!yes) {
        sim_step(w, SIM_STEP_LEAVES_IT, d->index, 0, 0);
        d->manual = false;
        drop_connection(w, d);
        return;
    }
    sim_step(w, SIM_STEP_TAKES_OVER, d->index, generation, 0);
    if (generation != 0) { /* or only the token was wrong */
        sim_oracle_person_takes(w, &d->disk.id, generation);
    }
    d->manual = true;
    d->forbidden = false;
    if (can_log_in_here(d)) {
        log_in(w, d, generation);
        sim_device_pump(w, d);
    } else {
        d->take_over = generation;
        sim_device_connect_in(w, d, sim_rng_between(&w->rng, 5, 200));
    }
}

/* ------------------------------------------------------------------ time */

void sim_device_tick_event(struct sim_world *w, struct sim_device *d)
{
    if (w->now_ms != d->tick_at_ms) {
        return;
    }
    d->tick_at_ms = UINT64_MAX;
    if (!d->on) {
        return;
    }
    for (uint32_t i = 0;
         d->on && roam_client_deadline_ms(&d->client) <= w->now_ms; i++) {
        if (i == IDLE_TICKS_MAX) {
            sim_fail(w, "timer", "%s: the deadline stays in the past", d->name);
            return;
        }
        roam_client_tick(&d->client, w->now_ms);
        sim_device_pump(w, d);
    }
    sim_device_pump(w, d);
}

/* --------------------------------------------------------------- storing */

/* A healthy app stores within this. */
#define STORE_MS_MAX 20u
/* One whose device has no time for it, within this. */
#define STORE_LAG_MS_MAX 120000u

void sim_device_store_soon(struct sim_world *w, struct sim_device *d)
{
    if (d->storing || d->unsaved_at == d->unsaved_count) {
        return;
    }
    d->storing = true;
    uint32_t max = d->lags ? STORE_LAG_MS_MAX : d->store_ms_max;
    max = w->calm ? STORE_MS_MAX : max;
    sim_queue_push(&w->queue, w->now_ms + sim_rng_below(&w->rng, max),
                   SIM_EV_APP_STORES, d->index, d->boots);
}

static void store_one(const struct sim_world *w, struct sim_device *d,
                      const struct sim_unsaved *u)
{
    bool changes = u->entry.kind == ROAM_KIND_GROUP && !u->is_reset;
    struct sim_disk *disk = &d->disk;
    size_t number;
    disk->cursor = u->entry.version;
    /* It may have waited since a past that is lost. */
    bool lost = !sim_oracle_find(w, d->user, disk->cursor, &number);
    disk->foreign = (disk->foreign && !u->is_reset) || lost;
    if (u->is_reset) {
        sim_pull_reset_stored(d);
        disk->base = disk->cursor;
        disk->entry_count = 0;
        return;
    }
    disk->entries = sim_grow(disk->entries, &disk->entry_cap, disk->entry_count,
                             sizeof *disk->entries);
    disk->entries[disk->entry_count++] = u->entry;
    sim_pull_passed(d, u->entry.prev_version, u->entry.version);
    sim_pull_entry_stored(d, &u->entry);
    if (changes && !ROAM_FAULT("app-forgets-changes")) {
        sim_groups_entry_stored(d, &u->entry, u->change);
    }
    d->unacked++;
}

/* [ACK-2], when the ACK was not waiting for room, and no SYNC may be. */
static void check_acked(struct sim_world *w, struct sim_device *d)
{
    const struct sim_link *l = d->link;
    if (l == NULL || !d->logged_in || l->watch.client_left || sim_is_slow(w) ||
        roam_client_pending(&d->client).len != 0) {
        return;
    }
    if (d->unacked >= d->config.max_unacked / 2) {
        sim_fail(w, "ACK-2", "%s has stored %u entries without an ACK", d->name,
                 d->unacked);
    }
}

void sim_device_store_event(struct sim_world *w, struct sim_device *d,
                            uint64_t boots)
{
    size_t left = d->unsaved_count - d->unsaved_at;
    if (d->boots != boots) {
        return;
    }
    d->storing = false;
    if (left == 0) {
        return;
    }
    size_t n = 1 + sim_rng_below(&w->rng, (uint32_t)left);
    for (size_t i = 0; i < n; i++) {
        store_one(w, d, &d->unsaved[d->unsaved_at++]);
    }
    sim_step(w, SIM_STEP_STORED, d->index, d->disk.cursor, 0);
    uint64_t upto = ROAM_FAULT("app-acks-first") ? d->handed : d->disk.cursor;
    enum roam_status status = roam_client_stored(&d->client, upto, w->now_ms);
    if (status != ROAM_STATUS_OK) {
        sim_fail(w, "client", "%s: stored: %s", d->name,
                 roam_status_text(status));
    }
    sim_device_store_soon(w, d);
    sim_pull_soon(w, d);
    sim_device_pump(w, d);
    check_acked(w, d);
}
