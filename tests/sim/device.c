/* SPDX-License-Identifier: Apache-2.0 */
/* The devices of a world: who they are and what they can do. */
#include "device.h"
#include "fault.h"

#include <stdlib.h>
#include <string.h>

/* Frames that are sent hold at most this beside their body. */
#define TX_SPARE 200u
/* An app stores within this, one with SLOW_APP within that. */
#define STORE_MS 20u
#define STORE_SLOW_MS 5000u
/* Of the devices, those that fetch what they missed. */
#define PULLS_PERMILLE 800u

static const struct {
    const char *name;
    uint32_t user;
    enum roam_device_type type, crowded;
} cast[SIM_DEVICES] = {
    {"alice/phone-A", 0, ROAM_PHONE, ROAM_PHONE},
    {"alice/phone-B", 0, ROAM_PHONE, ROAM_PHONE},
    {"alice/desktop", 0, ROAM_DESKTOP, ROAM_PHONE},
    {"bob/phone", 1, ROAM_PHONE, ROAM_WEB},
    {"bob/web", 1, ROAM_WEB, ROAM_WEB},
    {"bob/tablet", 1, ROAM_TABLET, ROAM_WEB},
    {"carol/phone", 2, ROAM_PHONE, ROAM_PHONE},
    {"dave/desktop", 3, ROAM_DESKTOP, ROAM_DESKTOP},
    {"clone", 0, ROAM_PHONE, ROAM_PHONE},
};

static uint32_t draw_limit(struct sim_world *w, const uint32_t *choices,
                           size_t count)
{
    bool small = sim_fault_on(w, SIM_FAULT_SMALL);
    size_t i = small ? sim_rng_below(&w->rng, (uint32_t)count) : count - 1;
    if (i != count - 1) {
        sim_fault_happened(w, SIM_FAULT_SMALL);
    }
    return choices[i];
}

static void draw_limits(struct sim_world *w, struct roam_client_config *c)
{
    static const uint32_t rx[] = {516, 600, 2000, 65536};
    static const uint32_t tx[] = {512, 1000, 2600};
    static const uint32_t inflated[] = {1024, 1100, 3000, 65536};
    static const uint32_t unacked[] = {4, 5, 30, 1000};
    static const uint32_t entries[] = {0, 3, 40, UINT32_MAX};
    static const uint32_t items[] = {1, 2, SIM_OUTBOX_MAX};
    c->rx_bytes = draw_limit(w, rx, 4);
    c->tx_bytes = draw_limit(w, tx, 3);
    c->inflated_bytes = draw_limit(w, inflated, 4);
    c->max_unacked = draw_limit(w, unacked, 4);
    /* A device that never wants history would hide most of what can go
     * wrong, so it is rare. */
    c->max_entries =
        sim_rng_chance(&w->rng, 800) ? UINT32_MAX : draw_limit(w, entries, 4);
    c->outbox_count = draw_limit(w, items, 3);
    c->deflate = sim_rng_chance(&w->rng, 500);
}

static void draw_device(struct sim_world *w, struct sim_device *d, uint32_t i)
{
    bool crowded = sim_fault_on(w, SIM_FAULT_CROWD);
    d->index = i;
    d->name = cast[i].name;
    d->user = cast[i].user;
    d->type = crowded ? cast[i].crowded : cast[i].type;
    d->exists = i != SIM_CLONE;
    d->tick_at_ms = UINT64_MAX;
    sim_rng_fill(&w->rng, d->disk.id.bytes, sizeof d->disk.id.bytes);
    draw_limits(w, &d->config);
    d->disk.token = sim_oracle_grant(w, d->user, sim_people_expiry(w));
    d->config.backoff_max_ms = sim_rng_chance(&w->rng, 500) ? 5000 : 0;
    d->store_ms_max = STORE_MS;
    d->pulls = sim_rng_chance(&w->rng, PULLS_PERMILLE);
    if (sim_fault_on(w, SIM_FAULT_SLOW_APP) && sim_rng_chance(&w->rng, 500)) {
        sim_fault_happened(w, SIM_FAULT_SLOW_APP);
        d->store_ms_max = STORE_SLOW_MS;
    }
}

void sim_devices_open(struct sim_world *w)
{
    if (sim_fault_on(w, SIM_FAULT_CROWD)) {
        sim_fault_happened(w, SIM_FAULT_CROWD);
    }
    w->devices = sim_alloc(w, SIM_DEVICES * sizeof *w->devices);
    for (uint32_t i = 0; i < SIM_DEVICES; i++) {
        draw_device(w, &w->devices[i], i);
    }
    for (uint32_t i = 0; i < SIM_DEVICES; i++) {
        if (w->devices[i].exists) {
            sim_device_boot(w, &w->devices[i]);
        }
    }
}

void sim_devices_close(struct sim_world *w)
{
    for (uint32_t i = 0; w->devices != NULL && i < SIM_DEVICES; i++) {
        struct sim_device *d = &w->devices[i];
        free(d->memory);
        free(d->unsaved);
        free(d->disk.entries);
        free(d->disk.history.rows);
        free(d->page.rows);
        free(d->disk.drafts);
        free(d->disk.mine);
    }
}

size_t sim_body_limit(size_t max_frame, size_t max_inflated)
{
    size_t least = max_frame < max_inflated ? max_frame : max_inflated;
    return least - ROAM_ENTRY_OVERHEAD;
}

struct sim_stored sim_stored_of(const struct sim_world *w,
                                const struct sim_line *line, uint32_t user,
                                size_t body_limit)
{
    const struct sim_message *m = line->message;
    bool cut = m->body.len > body_limit;
    struct roam_bytes conversation = sim_oracle_conversation(w, m, user);
    const char *sender = sim_oracle_user_name(m->user);
    uint64_t h = sim_hash(0, conversation.data, conversation.len);
    h = sim_hash(h, sender, strlen(sender));
    h = sim_hash(h, m->content_type.data, m->content_type.len);
    h = sim_hash(h, m->body.data, cut ? 0 : m->body.len);
    return (struct sim_stored){
        .version = line->version,
        .prev_version = line->prev_version,
        .msg_id = m->msg_id,
        .conversation = sim_oracle_party_of(m, user),
        .target = m->target,
        .from = m->user,
        .kind = m->kind,
        .cut_size = cut ? (uint32_t)m->body.len : 0,
        .content = h,
    };
}

static bool same_stored(const struct sim_stored *a, const struct sim_stored *b)
{
    return a->msg_id == b->msg_id && a->conversation == b->conversation &&
           a->kind == b->kind && a->cut_size == b->cut_size &&
           a->target == b->target && a->from == b->from &&
           a->content == b->content;
}

bool sim_stored_fits(const struct sim_world *w, const struct sim_stored *s,
                     const struct sim_line *line, uint32_t user,
                     size_t body_limit)
{
    const struct sim_message *m = line->message;
    struct sim_stored must = sim_stored_of(w, line, user, body_limit);
    if (same_stored(s, &must)) {
        return true;
    }
    if (m->kind != ROAM_KIND_MESSAGE ||
        (m->undone_by == NULL && !m->was_undone)) {
        return false;
    }
    struct sim_message erased = *m;
    erased.body.len = erased.content_type.len = 0;
    const struct sim_line empty = {line->version, line->prev_version, &erased};
    must = sim_stored_of(w, &empty, user, body_limit);
    must.kind |= SIM_RECALLED;
    return same_stored(s, &must);
}

/* ---------------------------------------------------------------- power */

static void wire_up(struct sim_world *w, struct sim_device *d)
{
    struct roam_client_config *c = &d->config;
    size_t bytes = c->rx_bytes + c->tx_bytes + c->inflated_bytes;
    d->memory = malloc(bytes);
    if (d->memory == NULL) {
        abort();
    }
    c->rx = d->memory;
    c->tx = c->rx + c->rx_bytes;
    c->inflated = c->tx + c->tx_bytes;
    c->outbox = d->outbox;
    c->user = sim_oracle_user_name(d->user);
    c->token = d->disk.token->text;
    c->device_type = d->type;
    c->device_name = d->name;
    c->software = "roam-sim";
    c->cursor = d->disk.cursor;
    c->random_seed = sim_rng_next(&w->rng);
    memcpy(c->device_id, d->disk.id.bytes, sizeof c->device_id);
}

void sim_device_boot(struct sim_world *w, struct sim_device *d)
{
    sim_step(w, SIM_STEP_BOOTS, d->index, 0, 0);
    d->on = true;
    d->asleep = false;
    d->epoch++;
    d->boots++;
    d->handed = d->disk.cursor;
    wire_up(w, d);
    /* What was in memory before is not to be relied upon. */
    memset(&d->client, 0xa5, sizeof d->client);
    if (roam_client_init(&d->client, &d->config) != ROAM_STATUS_OK) {
        sim_fail(w, "client", "%s: init failed", d->name);
        return;
    }
    sim_device_fill_outbox(w, d);
    if (d->disk.may_return || d->chosen) {
        sim_device_connect_in(w, d, sim_rng_below(&w->rng, 2000));
    }
    sim_device_pump(w, d);
}

/* The engine is gone: it has to be told of them again. */
static void forget_drafts(struct sim_disk *disk)
{
    for (size_t i = 0; i < disk->draft_count; i++) {
        disk->drafts[i].in_engine = false;
    }
}

/* Its cursor is from before the server was set up anew, or from another one:
 * any number at all. */
static void make_foreign(struct sim_world *w, struct sim_device *d)
{
    sim_fault_happened(w, SIM_FAULT_FOREIGN);
    uint64_t head = sim_oracle_head(w, d->user);
    bool ahead = sim_rng_chance(&w->rng, 500);
    uint64_t from = ahead ? head + 1 : 1;
    uint64_t to = ahead ? ROAM_VERSION_MAX : head + 1;
    d->disk.cursor = sim_rng_between(&w->rng, from, to);
    d->disk.foreign = true;
    d->disk.entry_count = 0;
    sim_pull_forget(d);
}

/* The disk stays as it is; the faults are apps that do not care for theirs. */
static void forget_memory(struct sim_world *w, struct sim_device *d)
{
    d->on = false;
    d->epoch++;
    d->boots++;
    free(d->memory);
    d->memory = NULL;
    forget_drafts(&d->disk);
    if (ROAM_FAULT("app-forgets-attempt")) {
        d->disk.attempt = 0;
    }
    if (ROAM_FAULT("app-forgets-outbox")) {
        d->disk.draft_count = 0;
    }
    if (ROAM_FAULT("app-cursor-first") && d->disk.entry_count != 0) {
        d->disk.entry_count--;
    }
    if (sim_fault_on(w, SIM_FAULT_FOREIGN) && sim_rng_chance(&w->rng, 200)) {
        make_foreign(w, d);
    }
    d->link = NULL;
    d->unsaved_at = 0;
    d->unsaved_count = 0;
    sim_pull_lost(d);
    d->page.waits = false;
    d->connecting = d->logged_in = d->manual = d->storing = false;
    d->forbidden = false;
    d->kicked = 0;
    d->take_over = 0;
    d->question = 0;
}

void sim_device_crash(struct sim_world *w, struct sim_device *d)
{
    sim_step(w, SIM_STEP_CRASHES, d->index, 0, 0);
    struct sim_link *l = d->link;
    forget_memory(w, d);
    if (l != NULL) {
        bool silent = sim_rng_chance(&w->rng, 500);
        l->client_open = false;
        sim_link_break(w, l, false, !silent);
    }
    sim_queue_push(&w->queue, w->now_ms + sim_rng_between(&w->rng, 100, 30000),
                   SIM_EV_BOOT, d->index, d->epoch);
}

static void *copy_array(const void *from, size_t count, size_t item_bytes,
                        size_t *cap)
{
    *cap = 0;
    void *to = NULL;
    while (*cap < count || *cap == 0) {
        to = sim_grow(to, cap, *cap, item_bytes);
    }
    if (count != 0) {
        memcpy(to, from, count * item_bytes);
    }
    return to;
}

void sim_device_clone(struct sim_world *w, struct sim_device *from)
{
    struct sim_device *d = &w->devices[SIM_CLONE];
    sim_step(w, SIM_STEP_CLONED, d->index, from->index, 0);
    d->exists = true;
    d->user = from->user;
    d->type = from->type;
    d->config = from->config;
    d->store_ms_max = from->store_ms_max;
    d->pulls = from->pulls;
    struct sim_disk *disk = &d->disk;
    *disk = from->disk;
    disk->entries = copy_array(disk->entries, disk->entry_count,
                               sizeof *disk->entries, &disk->entry_cap);
    struct sim_history *history = &disk->history;
    history->rows = copy_array(history->rows, history->count,
                               sizeof *history->rows, &history->cap);
    disk->drafts = copy_array(disk->drafts, disk->draft_count,
                              sizeof *disk->drafts, &disk->draft_cap);
    disk->mine = copy_array(disk->mine, disk->mine_count, sizeof *disk->mine,
                            &disk->mine_cap);
    forget_drafts(disk);
    d->copied = true;
    from->copied = true;
    sim_device_boot(w, d);
}

void sim_device_boot_event(struct sim_world *w, struct sim_device *d,
                           uint64_t epoch)
{
    if (d->epoch == epoch && !d->on) {
        sim_device_boot(w, d);
    }
}

/* --------------------------------------------------------------- outbox */

static void drop_draft(struct sim_disk *disk, size_t i)
{
    disk->draft_count--;
    memmove(&disk->drafts[i], &disk->drafts[i + 1],
            (disk->draft_count - i) * sizeof *disk->drafts);
}

/* False when there is no more room. */
static bool hand_draft(struct sim_world *w, struct sim_device *d, size_t i)
{
    struct sim_draft *draft = &d->disk.drafts[i];
    const struct sim_message *m = draft->message;
    enum roam_status status =
        roam_client_send(&d->client, m->client_msg_id, (enum roam_kind)m->kind,
                         m->conversation, m->content_type, m->body, w->now_ms);
    if (status == ROAM_STATUS_OUTBOX_FULL) {
        return false;
    }
    draft->in_engine = status == ROAM_STATUS_OK;
    if (status == ROAM_STATUS_TX_FULL &&
        m->body.len + TX_SPARE > d->config.tx_bytes) {
        return true; /* the person is told that it is too long */
    }
    if (status != ROAM_STATUS_OK) {
        sim_fail(w, "client", "%s: send: %s", d->name,
                 roam_status_text(status));
    }
    return true;
}

void sim_device_fill_outbox(struct sim_world *w, struct sim_device *d)
{
    for (size_t i = 0; i < d->disk.draft_count && !w->failed;) {
        if (d->disk.drafts[i].in_engine) {
            i++;
        } else if (!hand_draft(w, d, i)) {
            return;
        } else if (!d->disk.drafts[i].in_engine) {
            drop_draft(&d->disk, i);
        }
    }
}

void sim_device_write(struct sim_world *w, struct sim_device *d,
                      struct sim_message *m)
{
    sim_step(w, SIM_STEP_WRITES, d->index, m->client_msg_id, m->body.len);
    struct sim_disk *disk = &d->disk;
    disk->drafts = sim_grow(disk->drafts, &disk->draft_cap, disk->draft_count,
                            sizeof *disk->drafts);
    disk->drafts[disk->draft_count++] = (struct sim_draft){m, false};
    m->before = disk->mine_count > 0 ? disk->mine[disk->mine_count - 1] : NULL;
    disk->mine =
        sim_grow(disk->mine, &disk->mine_cap, disk->mine_count, sizeof(void *));
    disk->mine[disk->mine_count++] = m;
    sim_device_fill_outbox(w, d);
    sim_device_pump(w, d);
}
