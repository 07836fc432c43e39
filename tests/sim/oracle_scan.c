/* SPDX-License-Identifier: Apache-2.0 */
/* The store's timelines against the oracle's lines. */
#include "oracle.h"

#include <inttypes.h>
#include <string.h>

#include "oracle_state.h"
#include "server.h"

/* -------------------------------------------------------------- reading */

size_t sim_oracle_count(const struct sim_world *w, uint32_t user)
{
    return w->oracle->timelines[user].count;
}

size_t sim_oracle_floor(const struct sim_world *w, uint32_t user)
{
    return w->oracle->timelines[user].floor;
}

const struct sim_line *sim_oracle_line(const struct sim_world *w, uint32_t user,
                                       size_t number)
{
    static const struct sim_line nothing;
    return number == 0 ? &nothing
                       : &w->oracle->timelines[user].lines[number - 1];
}

uint64_t sim_oracle_head(const struct sim_world *w, uint32_t user)
{
    return sim_oracle_line(w, user, sim_oracle_count(w, user))->version;
}

bool sim_oracle_find(const struct sim_world *w, uint32_t user, uint64_t version,
                     size_t *number)
{
    size_t low = 0;
    size_t high = sim_oracle_count(w, user);
    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;
        if (sim_oracle_line(w, user, middle)->version <= version) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    *number = low;
    return sim_oracle_line(w, user, low)->version == version;
}

void sim_oracle_told(struct sim_world *w, const struct sim_message *m)
{
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        uint64_t *head = &w->oracle->told_head[u];
        *head = m->version[u] > *head ? m->version[u] : *head;
    }
}

uint64_t sim_oracle_told_head(const struct sim_world *w, uint32_t user)
{
    return w->oracle->told_head[user];
}

/* ------------------------------------------------------------- scanning */

struct scan {
    struct sim_world *w;
    uint32_t user;
    size_t number; /* of the line to be seen next */
    bool deep;
};

static bool same_text(struct roam_slice a, struct roam_bytes b)
{
    return sim_same_bytes(a.data, a.len, b.data, b.len);
}

static void check_content(struct scan *c, const struct sim_message *m,
                          const struct roam_entry *e)
{
    struct roam_bytes name = sim_oracle_party_name(c->w, m->user);
    static const struct roam_bytes nothing;
    if (sim_oracle_makes_group(m)) {
        sim_oracle_group_id(c->w, m, e->conversation);
    }
    if (sim_oracle_is_void(m)) {
        if (e->kind != roam_v1_Kind_NOOP) {
            sim_fail(c->w, "OP-5", "entry %" PRIu64 " is an old READ",
                     e->version);
        }
        return;
    }
    bool recalled = m->kind == roam_v1_Kind_MESSAGE && m->undone_by != NULL;
    if (e->recalled != recalled) {
        sim_fail(c->w, "OP-3", "entry %" PRIu64 ": recalled is %d", e->version,
                 e->recalled);
    }
    if (e->kind != m->kind || e->cut_size != 0 || !same_text(e->sender, name) ||
        !same_text(e->conversation,
                   sim_oracle_conversation(c->w, m, c->user)) ||
        !same_text(e->content_type, recalled ? nothing : m->content_type) ||
        !same_text(e->body, recalled ? nothing : m->body)) {
        sim_fail(c->w, "PUSH-6", "entry %" PRIu64 " is not what was sent",
                 e->version);
    }
}

static void check_old(struct scan *c, const struct roam_entry *e)
{
    const struct sim_line *line = sim_oracle_line(c->w, c->user, c->number);
    if (e->version != line->version || e->prev_version != line->prev_version ||
        (e->msg_id != line->message->msg_id &&
         !sim_oracle_is_void(line->message))) {
        sim_fail(c->w, "CHAIN-2",
                 "line %zu of %s changed from version %" PRIu64 " to %" PRIu64,
                 c->number, sim_oracle_user_name(c->user), line->version,
                 e->version);
    } else if (c->deep) {
        check_content(c, line->message, e);
    }
}

static void take_msg_id(struct scan *c, struct sim_message *m, uint64_t msg_id)
{
    if (m->msg_id != 0 && m->msg_id != msg_id) {
        sim_fail(c->w, "SEND-6", "the parties see different msg_ids");
    }
    m->msg_id = msg_id;
}

static void check_msg_id(struct sim_world *w, const struct sim_message *m)
{
    uint64_t *last = sim_oracle_last_msg_id(w, m);
    if (m->msg_id == 0 && sim_oracle_is_void(m)) {
        return; /* a READ that a later one of the same transaction made a NOOP,
                   before anybody was told its id */
    }
    if (m->msg_id <= *last || m->msg_id > ROAM_VERSION_MAX ||
        (m->msg_id >> ROAM_MSG_ID_TIME_SHIFT) < m->stored_ms) {
        sim_fail(w, "SEND-6", "msg_id %" PRIu64 " after %" PRIu64, m->msg_id,
                 *last);
    }
    *last = m->msg_id;
}

/* All that is new, in the order in which it was stored: a READ is on one
 * timeline alone, so neither of them tells the order by itself. */
static void check_msg_ids(struct sim_world *w)
{
    struct sim_oracle *o = w->oracle;
    size_t at[SIM_USERS] = {0};
    uint64_t done = 0;
    for (;;) {
        const struct sim_message *first = NULL;
        for (uint32_t u = 0; u < SIM_USERS; u++) {
            struct sim_timeline *t = &o->timelines[u];
            while (at[u] < t->due_count && t->due[at[u]]->order <= done) {
                at[u]++; /* it was on the other one, too */
            }
            if (at[u] < t->due_count &&
                (first == NULL || t->due[at[u]]->order < first->order)) {
                first = t->due[at[u]];
            }
        }
        if (first == NULL || w->failed) {
            return;
        }
        check_msg_id(w, first);
        done = first->order;
    }
}

static void take_new(struct scan *c, const struct roam_entry *e)
{
    struct sim_timeline *t = &c->w->oracle->timelines[c->user];
    uint64_t head = sim_oracle_head(c->w, c->user);
    if (t->due_seen == t->due_count) {
        sim_fail(c->w, "SEND-4", "entry %" PRIu64 " of %s came from nowhere",
                 e->version, sim_oracle_user_name(c->user));
        return;
    }
    struct sim_message *m = t->due[t->due_seen++];
    if (e->version <= head || e->version > ROAM_VERSION_MAX ||
        e->prev_version != head) {
        sim_fail(c->w, "CHAIN-1",
                 "entry %" PRIu64 " behind %" PRIu64 " at head %" PRIu64,
                 e->version, e->prev_version, head);
    }
    check_content(c, m, e);
    take_msg_id(c, m, e->msg_id);
    m->version[c->user] = e->version;
    t->lines = sim_grow(t->lines, &t->cap, t->count, sizeof *t->lines);
    t->lines[t->count++] = (struct sim_line){e->version, e->prev_version, m};
}

static void on_entry(void *ctx, const struct roam_entry *e)
{
    struct scan *c = ctx;
    if (c->w->failed) {
        return;
    }
    if (c->number <= sim_oracle_count(c->w, c->user)) {
        check_old(c, e);
    } else {
        take_new(c, e);
    }
    c->number++;
}

static void check_answer(struct sim_world *w)
{
    struct sim_oracle *o = w->oracle;
    if (o->told_msg_id == 0) {
        return;
    }
    const struct sim_message *m = NULL;
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        if (o->timelines[u].due_count != 0) {
            m = o->timelines[u].due[o->timelines[u].due_count - 1];
        }
    }
    size_t copies = 0;
    for (uint32_t u = 0; m != NULL && u < SIM_USERS; u++) {
        copies += m->version[u] != 0 ? 1u : 0u;
    }
    if (m == NULL || m->msg_id != o->told_msg_id || copies != o->told_count) {
        sim_fail(w, "SEND-3", "msg_id %" PRIu64 " was told, not stored",
                 o->told_msg_id);
    }
    o->told_msg_id = 0;
}

void sim_oracle_scan(struct sim_world *w, bool deep)
{
    for (uint32_t u = 0; u < SIM_USERS && !w->failed; u++) {
        struct sim_timeline *t = &w->oracle->timelines[u];
        struct scan c = {w, u, t->floor + 1, deep};
        roam_store_mem_walk(sim_server_store(w), sim_oracle_user_name(u),
                            on_entry, &c);
        if (c.number != t->count + 1 || t->due_seen != t->due_count) {
            sim_fail(w, "SEND-3", "the timeline of %s has %zu lines, not %zu",
                     sim_oracle_user_name(u), c.number - 1,
                     t->count + t->due_count - t->due_seen);
        }
    }
    if (!w->failed) {
        check_msg_ids(w);
        check_answer(w);
    }
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        w->oracle->timelines[u].due_count = 0;
        w->oracle->timelines[u].due_seen = 0;
    }
}

void sim_oracle_trim(struct sim_world *w, uint32_t user, uint64_t version)
{
    size_t number;
    if (sim_oracle_find(w, user, version, &number)) {
        w->oracle->timelines[user].floor = number;
    }
}

size_t sim_oracle_first_row(const struct sim_world *w, uint32_t user,
                            uint32_t party)
{
    for (size_t i = 1; i <= sim_oracle_count(w, user); i++) {
        const struct sim_message *m = sim_oracle_line(w, user, i)->message;
        if (sim_oracle_is_row(m, user) &&
            sim_oracle_party_of(m, user) == party) {
            return i;
        }
    }
    return 0;
}
