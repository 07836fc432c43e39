/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves the server as SYNC_OK, PUSH and BATCH, entry by entry. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "device.h"
#include "net.h"
#include "watch.h"

/* --------------------------------------------------------------- SYNC_OK */

/* A cursor that is retained now was retained then; the contrary cannot be
 * told, so only the first reason that is surely wrong counts. */
static bool reset_is_right(const struct sim_world *w, const struct sim_watch *t,
                           const roam_v1_SyncOk *ok, bool is_line,
                           size_t number, size_t head)
{
    uint64_t cursor = t->asked_for.cursor;
    bool retained = is_line && number >= sim_oracle_floor(w, t->user);
    switch ((int)ok->reason) {
    case roam_v1_ResetReason_AHEAD:
        return cursor > ok->head;
    case roam_v1_ResetReason_NOT_A_LINK:
        return cursor <= ok->head && !retained;
    case roam_v1_ResetReason_TOO_MANY:
        return cursor <= ok->head && is_line &&
               head - number > t->asked_for.max_entries;
    default:
        return false;
    }
}

void sim_watch_sync_ok(struct sim_world *w, struct sim_link *l,
                       const roam_v1_SyncOk *ok)
{
    struct sim_watch *t = &l->watch;
    size_t head = 0;
    size_t number = 0;
    bool is_line = sim_oracle_find(w, t->user, t->asked_for.cursor, &number);
    if (!t->sync_asked || !sim_oracle_find(w, t->user, ok->head, &head)) {
        sim_fail(w, "SYNC-2", "#%u: SYNC_OK to nothing, or of no head",
                 l->number);
        return;
    }
    bool right = false;
    if (ok->result == roam_v1_SyncResult_RESET) {
        right = reset_is_right(w, t, ok, is_line, number, head);
        number = head;
    } else if (ok->result == roam_v1_SyncResult_UP_TO_DATE) {
        right = t->asked_for.cursor == ok->head;
    } else {
        right = is_line && number < head &&
                head - number <= t->asked_for.max_entries;
    }
    if (!right) {
        sim_fail(
            w, "SYNC-4",
            "#%u: cursor %" PRIu64 ", head %" PRIu64 ": result %d, reason %d",
            l->number, t->asked_for.cursor, ok->head, ok->result, ok->reason);
    }
    sim_watch_told(w, l, ok->head);
    t->sync_asked = false;
    t->granted = t->asked_for;
    t->delivering = true;
    t->sent = number;
    if (t->acked < number) {
        t->acked = number;
    }
}

/* --------------------------------------------------------------- entries */

static bool same(struct roam_slice a, struct roam_bytes b)
{
    return sim_same_bytes(a.data, a.len, b.data, b.len);
}

/* An answer may be under way for so long since its names were read, if nothing
 * holds it up. */
#define NAMES_MS 20000u

void sim_watch_names(struct sim_world *w, const struct sim_link *l,
                     const struct sim_message *m, const struct roam_entry *e)
{
    uint64_t since =
        l->watch.was_stuck || w->now_ms < NAMES_MS || sim_is_slow(w)
            ? 0
            : w->now_ms - NAMES_MS;
    uint32_t party = sim_oracle_party_of(m, l->watch.user);
    if (!sim_oracle_was_named(w, m->user, e->sender_name, since) ||
        !sim_oracle_was_named(w, party, e->conversation_name, since)) {
        sim_fail(w, "PUSH-8", "#%u: msg_id %" PRIu64 " from %.*s in %.*s",
                 l->number, e->msg_id, (int)e->sender_name.len,
                 (const char *)e->sender_name.data,
                 (int)e->conversation_name.len,
                 (const char *)e->conversation_name.data);
    }
}

static void check_content(struct sim_world *w, struct sim_link *l,
                          const struct sim_message *m,
                          const struct roam_entry *e)
{
    const struct sim_watch *t = &l->watch;
    bool cut =
        m->body.len > sim_body_limit(t->max_frame, t->granted.max_inflated);
    struct roam_bytes sender = sim_oracle_party_name(w, m->user);
    struct roam_bytes body = {m->body.data, cut ? 0 : m->body.len};
    static const struct roam_bytes nothing;
    if (e->recalled) {
        cut = false;
        body = nothing;
        if (m->undone_by == NULL) {
            sim_fail(w, "OP-3", "#%u: entry %" PRIu64 " is recalled", l->number,
                     e->version);
        }
    }
    if (e->kind != m->kind || e->msg_id != m->msg_id ||
        !same(e->sender, sender) ||
        !same(e->conversation, sim_oracle_conversation(w, m, t->user)) ||
        !same(e->content_type, e->recalled ? nothing : m->content_type) ||
        !same(e->body, body) || e->cut_size != (cut ? m->body.len : 0)) {
        sim_fail(w, "PUSH-6", "#%u: entry %" PRIu64 " is not what was sent",
                 l->number, e->version);
    }
    bool own = m->user == t->user && sim_same_id(&m->device, &t->device);
    if (e->client_msg_id != (own ? m->client_msg_id : 0)) {
        sim_fail(w, "PUSH-4",
                 "#%u: entry %" PRIu64 " has client_msg_id %" PRIx64, l->number,
                 e->version, e->client_msg_id);
    }
}

static void check_entry(struct sim_world *w, struct sim_link *l,
                        const struct roam_entry *e)
{
    struct sim_watch *t = &l->watch;
    if (t->sent == sim_oracle_count(w, t->user)) {
        sim_fail(w, "PUSH-5", "#%u: entry %" PRIu64 " is not stored", l->number,
                 e->version);
        return;
    }
    const struct sim_line *line = sim_oracle_line(w, t->user, t->sent + 1);
    if (e->version != line->version || e->prev_version != line->prev_version) {
        sim_fail(w, "CHAIN-3",
                 "#%u: entry %" PRIu64 " behind %" PRIu64 ", must be %" PRIu64
                 " behind %" PRIu64,
                 l->number, e->version, e->prev_version, line->version,
                 line->prev_version);
        return;
    }
    const struct sim_message *m = line->message;
    bool own = sim_watch_is_own(t, m);
    bool is_noop = e->kind == roam_v1_Kind_NOOP;
    if (is_noop && !own && sim_oracle_is_void(m)) {
        own = true; /* [OP-5] */
    }
    if (own != is_noop) {
        sim_fail(w, "PUSH-2", "#%u: entry %" PRIu64 " has kind %" PRIu32,
                 l->number, e->version, e->kind);
    } else if (!own) {
        check_content(w, l, m, e);
        sim_watch_names(w, l, m, e);
    }
    t->sent++;
    t->sent_most = t->sent > t->sent_most ? t->sent : t->sent_most;
    t->told = t->sent > t->told ? t->sent : t->told;
}

static void check_window(struct sim_world *w, struct sim_link *l)
{
    const struct sim_watch *t = &l->watch;
    if (t->sent > t->acked && t->sent - t->acked > t->granted.max_unacked) {
        sim_fail(w, "ACK-3", "#%u: %zu entries in flight, more than %" PRIu32,
                 l->number, t->sent - t->acked, t->granted.max_unacked);
    }
}

static bool delivering(struct sim_world *w, struct sim_link *l)
{
    if (!l->watch.delivering) {
        sim_fail(w, "SYNC-1", "#%u: an entry before SYNC_OK", l->number);
    }
    return l->watch.delivering;
}

static struct roam_slice text_slice(const char *text)
{
    return (struct roam_slice){(const uint8_t *)text, strlen(text)};
}

void sim_watch_push(struct sim_world *w, struct sim_link *l,
                    const struct roam_message *m)
{
    const roam_v1_Push *p = &m->u.push;
    struct roam_entry e = {
        .version = p->version,
        .prev_version = p->prev_version,
        .msg_id = p->msg_id,
        .client_msg_id = p->client_msg_id,
        .kind = (uint32_t)p->kind,
        .cut_size = p->cut_size,
        .conversation = text_slice(p->conversation),
        .sender = text_slice(p->sender),
        .recalled = p->recalled,
        .sender_name = text_slice(p->sender_name),
        .conversation_name = text_slice(p->conversation_name),
        .content_type = text_slice(p->content_type),
        .body = m->body,
    };
    if (delivering(w, l)) {
        check_entry(w, l, &e);
        check_window(w, l);
    }
}

void sim_watch_batch(struct sim_world *w, struct sim_link *l,
                     const struct roam_message *m)
{
    if (!delivering(w, l)) {
        return;
    }
    const struct sim_sync_asked *g = &l->watch.granted;
    uint8_t *buf = malloc(g->max_inflated);
    if (buf == NULL) {
        abort();
    }
    struct roam_unpack u;
    enum roam_batch_error error =
        roam_unpack_open(&u, m, g->codecs, buf, g->max_inflated);
    if (error != ROAM_BATCH_OK) {
        sim_fail(w, "BATCH-2", "#%u: the batch does not unpack: %d", l->number,
                 error);
    }
    struct roam_entry e;
    while (!w->failed && roam_unpack_next(&u, &e)) {
        check_entry(w, l, &e);
    }
    check_window(w, l);
    free(buf);
}
