/* SPDX-License-Identifier: Apache-2.0 */
/* Judges of delivery: the chain on one connection, the window, and what
 * several devices of a user were told of the same timeline. See judge.h. */
#include "judge.h"

#include <inttypes.h>
#include <string.h>

#include "batch_check.h"
#include "schema.h"

/* ROAM_ENTRY_OVERHEAD of section 11. */
#define ENTRY_OVERHEAD 448u

void judge_note_ack(struct link *l, uint64_t version)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->flight_count; i++) {
        if (l->in_flight[i] > version) {
            l->in_flight[kept++] = l->in_flight[i];
        }
    }
    l->flight_count = kept;
    if (version > l->acked) {
        l->acked = version;
    }
}

/* The conversation of a stored SEND as `u` sees it; NULL: not u's. */
static const char *seen_as(const struct sent *s, const struct user *u)
{
    const struct user *sender = s->link->device->user;
    const char *to = (const char *)s->conversation.data;
    if (judge_is_group(to)) {
        return judge_seen_in_group(s, u);
    }
    if (u == sender) {
        return to;
    }
    if (judge_is_private(s->kind)) {
        return NULL;
    }
    return strcmp(u->name, to) == 0 ? sender->name : NULL;
}

static bool is_entry_of(const struct sent *s, const struct user *u,
                        const Roam__V1__Push *message)
{
    const char *conversation = seen_as(s, u);
    return conversation && s->msg_id == message->msg_id &&
           strcmp(conversation, message->conversation) == 0;
}

uint64_t judge_answered_head(const struct world *w, const struct user *u)
{
    uint64_t head = 0;
    for (size_t i = 0; i < u->known_count; i++) {
        const struct known *k = &u->known[i];
        for (size_t n = 0; k->message && n < w->sent_count; n++) {
            if (k->version > head && w->sent[n].msg_id == k->message->msg_id) {
                head = k->version;
            }
        }
    }
    return head;
}

/* --------------------------------------------------------- one connection */

static bool check_chain(struct world *w, const struct link *l,
                        const Roam__V1__Push *p, struct frame *f)
{
    const char *legal =
        arena_printf("prev_version=%" PRIu64 ", version above it", l->last);
    if (p->version <= l->last) {
        return world_fail(w, "CHAIN-3 CHAIN-2",
                          arena_printf("version %" PRIu64 " is not above the "
                                       "last one",
                                       p->version),
                          legal, f);
    }
    if (p->prev_version != l->last) {
        return world_fail(w, l->last == l->start ? "SYNC-5 CHAIN-3" : "CHAIN-3",
                          arena_printf("prev_version %" PRIu64
                                       " is not the version before "
                                       "it",
                                       p->prev_version),
                          legal, f);
    }
    return true;
}

static bool check_window(struct world *w, struct link *l, uint64_t version,
                         struct frame *f)
{
    arena_grow((void **)&l->in_flight, l->flight_count, &l->flight_cap,
               sizeof *l->in_flight);
    l->in_flight[l->flight_count++] = version;
    if (l->flight_count <= l->active.max_unacked) {
        return true;
    }
    return world_fail(w, "ACK-3", "more entries in flight than max_unacked",
                      arena_printf("at most %" PRIu32, l->active.max_unacked),
                      f);
}

static bool check_cut(struct world *w, const struct link *l,
                      const Roam__V1__Push *p, struct frame *f)
{
    uint32_t least = l->max_frame < l->active.max_inflated
                         ? l->max_frame
                         : l->active.max_inflated;
    uint32_t limit = least - ENTRY_OVERHEAD;
    const char *legal = arena_printf("bodies up to %" PRIu32 " bytes whole, "
                                     "longer ones cut",
                                     limit);
    if (p->body.len > limit) {
        return world_fail(w, "BATCH-4", "a body above the limit", legal, f);
    }
    if (p->cut_size > 0 && p->cut_size <= limit) {
        return world_fail(w, "BATCH-4", "a body within the limit is cut", legal,
                          f);
    }
    return true;
}

static bool has_sent(const struct world *w, const struct link *l,
                     uint64_t client_msg_id, bool this_link)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        const struct sent *s = &w->sent[i];
        if (s->client_msg_id == client_msg_id && !s->is_duplicate &&
            s->link->device->installation == l->device->installation &&
            s->link->device->user == l->device->user &&
            (!this_link || s->link == l)) {
            return true;
        }
    }
    return false;
}

static bool check_own(struct world *w, const struct link *l,
                      const Roam__V1__Push *p, struct frame *f)
{
    if (p->client_msg_id == 0) {
        return true;
    }
    if (!has_sent(w, l, p->client_msg_id, false)) {
        return world_fail(w, "PUSH-4",
                          "a client_msg_id that this device never used",
                          "no client_msg_id", f);
    }
    bool elsewhere = false;
    for (size_t i = 0; i < w->sent_count; i++) {
        elsewhere =
            elsewhere || (w->sent[i].client_msg_id == p->client_msg_id &&
                          w->sent[i].link != l);
    }
    if (!elsewhere && has_sent(w, l, p->client_msg_id, true)) {
        return world_fail(w, "PUSH-2", "this very session sent the message",
                          "NOOP with version and prev_version", f);
    }
    return true;
}

/* ---------------------------------------------------------- the timeline */

bool judge_same_message(const Roam__V1__Push *a, const Roam__V1__Push *b)
{
    bool same_body = a->cut_size || b->cut_size ||
                     (a->body.len == b->body.len &&
                      (a->body.len == 0 ||
                       memcmp(a->body.data, b->body.data, a->body.len) == 0));
    bool erased = a->recalled || b->recalled;
    return a->kind == b->kind && a->msg_id == b->msg_id &&
           strcmp(a->conversation, b->conversation) == 0 &&
           strcmp(a->sender, b->sender) == 0 &&
           (erased ||
            (strcmp(a->content_type, b->content_type) == 0 && same_body));
}

static bool is_known(const struct user *u, uint64_t version)
{
    for (size_t i = 0; i < u->known_count; i++) {
        if (u->known[i].version == version) {
            return true;
        }
    }
    return false;
}

/* A version that was seen before, on this device or another. */
static bool check_again(struct world *w, const struct user *u, struct known *k,
                        const Roam__V1__Push *p, const char *gap_rules,
                        struct frame *f)
{
    bool is_noop = p->kind == ROAM__V1__KIND__NOOP;
    if (!is_noop && k->message && !judge_same_message(k->message, p)) {
        struct text t = {0};
        message_print_line(&t, &k->message->base);
        return world_fail(w, "CHAIN-2",
                          "this version was told with another content",
                          text_str(&t), f);
    }
    if (p->prev_version < k->prev_version && is_known(u, k->prev_version)) {
        return world_fail(w, gap_rules,
                          arena_printf("version %" PRIu64
                                       " is left out, as another device "
                                       "was told",
                                       k->prev_version),
                          "every entry of the timeline", f);
    }
    if (k->prev_version != p->prev_version) {
        return world_fail(
            w, "CHAIN-1",
            "another device was told another prev_version of this version",
            arena_printf("prev_version=%" PRIu64, k->prev_version), f);
    }
    if (!is_noop && (!k->message || k->message->recalled)) {
        k->message = p;
    }
    return true;
}

/* Does what is known leave room for this link of the chain? */
static bool check_place(struct world *w, const struct known *k,
                        const Roam__V1__Push *p, const char *gap_rules,
                        struct frame *f)
{
    if (k->version > p->prev_version && k->version < p->version) {
        return world_fail(w, gap_rules,
                          arena_printf("version %" PRIu64
                                       " lies between, as another "
                                       "device was told",
                                       k->version),
                          "every entry of the timeline", f);
    }
    if (k->prev_version < p->version && p->version < k->version) {
        return world_fail(w, "CHAIN-1 CHAIN-3",
                          arena_printf("nothing lay between %" PRIu64
                                       " and %" PRIu64
                                       ", as another device was told",
                                       k->prev_version, k->version),
                          NULL, f);
    }
    if (p->kind != ROAM__V1__KIND__NOOP && k->message &&
        k->message->msg_id == p->msg_id &&
        strcmp(k->message->conversation, p->conversation) == 0) {
        return world_fail(w, "PUSH-3 SEND-6",
                          "the message was already told under another "
                          "version",
                          "one entry for one message", f);
    }
    return true;
}

static bool note_known(struct world *w, struct user *u, const Roam__V1__Push *p,
                       bool from_batch, struct frame *f)
{
    const char *gap_rules = from_batch ? "BATCH-3 CHAIN-3" : "CHAIN-3";
    for (size_t i = 0; i < u->known_count; i++) {
        if (u->known[i].version == p->version) {
            return check_again(w, u, &u->known[i], p, gap_rules, f);
        }
    }
    for (size_t i = 0; i < u->known_count; i++) {
        if (!check_place(w, &u->known[i], p, gap_rules, f)) {
            return false;
        }
    }
    if (!judge_never_reused(w, u, p, f)) {
        return false;
    }
    arena_grow((void **)&u->known, u->known_count, &u->known_cap,
               sizeof *u->known);
    u->known[u->known_count++] =
        (struct known){.version = p->version,
                       .prev_version = p->prev_version,
                       .message = p->kind == ROAM__V1__KIND__NOOP ? NULL : p};
    return true;
}

/* --------------------------------------------------------------- delivery */

static bool take_entry(struct world *w, struct link *l, const Roam__V1__Push *p,
                       struct frame *f, size_t index, bool from_batch)
{
    if (!check_chain(w, l, p, f) || !check_window(w, l, p->version, f) ||
        !check_own(w, l, p, f) || !check_cut(w, l, p, f) ||
        !judge_operation(w, l->device->user, p, l->active.order, f) ||
        !note_known(w, l->device->user, p, from_batch, f)) {
        return false;
    }
    l->last = p->version;
    if (p->version > l->told_version) {
        l->told_version = p->version;
    }
    if (judge_is_row((uint64_t)p->kind)) {
        judge_tell(l, p->conversation, p->msg_id, (uint64_t)p->kind);
    }
    if (l->syncs_open > 0) {
        return true; /* [SYNC-8]: a client drops it */
    }
    l->device->cursor = p->version;
    arena_grow((void **)&l->rows, l->row_count, &l->row_cap, sizeof *l->rows);
    l->rows[l->row_count++] = (struct row){
        .push = p, .frame = f, .index = index, .from_batch = from_batch};
    return true;
}

static bool take_batch(struct world *w, struct link *l, struct frame *f)
{
    const Roam__V1__Batch *b = (const Roam__V1__Batch *)f->msg;
    struct batch_rows rows;
    struct batch_fault fault = {NULL, NULL};
    if (!batch_expand(b, l->active.max_inflated, l->active.codecs, &rows,
                      &fault)) {
        return world_fail(w, fault.rule, fault.what, NULL, f);
    }
    for (size_t i = 0; i < rows.count; i++) {
        struct schema_fault bad;
        if (!schema_check_entry(rows.at[i], &bad)) {
            return world_fail(w, arena_printf("BATCH-3 %s", bad.rule),
                              arena_printf("row %zu: %s", i, bad.what), NULL,
                              f);
        }
        struct text line = {0};
        message_print_line(&line, &rows.at[i]->base);
        world_event(w, l->device, " ",
                    arena_printf("  row %zu: %s", i, text_str(&line)));
        if (!take_entry(w, l, rows.at[i], f, i, true)) {
            return false;
        }
    }
    return true;
}

bool judge_delivery(struct world *w, struct link *l, struct frame *f)
{
    if (!l->is_live || !l->is_delivering) {
        return world_fail(w, "SYNC-1", "an entry before the first SYNC_OK",
                          "nothing before SYNC_OK", f);
    }
    if (f->number == F_BATCH) {
        return take_batch(w, l, f);
    }
    return take_entry(w, l, (const Roam__V1__Push *)f->msg, f, 0, false);
}

/* ------------------------------------------------------------- at the end */

static bool check_content(struct world *w, const struct sent *s,
                          const struct known *k, const char *conversation)
{
    const Roam__V1__Push *p = k->message;
    const struct value type = value_text(p->content_type);
    const struct value body = {
        .kind = VALUE_BYTES, .data = p->body.data, .len = p->body.len};
    bool same_body =
        p->cut_size ? p->cut_size == s->body.len : value_equal(&body, &s->body);
    bool same_content =
        p->recalled || (value_equal(&type, &s->content_type) && same_body);
    if (strcmp(p->sender, s->link->device->user->name) == 0 &&
        strcmp(p->conversation, conversation) == 0 &&
        (uint64_t)p->kind == s->kind && same_content) {
        return true;
    }
    struct text t = {0};
    message_print_line(&t, &p->base);
    return world_fail(
        w,
        judge_is_group(conversation) ? "PUSH-6 GRP-14 BATCH-3"
                                     : "PUSH-6 BATCH-3",
        arena_printf("an entry differs from what was sent: %s", text_str(&t)),
        arena_printf("sender=%s conversation=%s, content type and %zu bytes "
                     "of body as sent",
                     s->link->device->user->name, conversation, s->body.len),
        NULL);
}

/* Has a device of u seen the whole timeline, from 0 to a fence? */
static bool is_complete(const struct world *w, const struct user *u)
{
    for (size_t i = 0; i < w->link_count; i++) {
        const struct link *l = w->links[i];
        if (l->device->user == u && l->is_live && l->is_delivering &&
            l->start == 0 && l->fenced > 0 && l->last >= l->fenced) {
            return true;
        }
    }
    return false;
}

static bool check_sent(struct world *w, const struct sent *s, struct user *u)
{
    const char *conversation = seen_as(s, u);
    if (!conversation || s->msg_id == 0 || judge_stands(s)) {
        return true;
    }
    for (size_t i = 0; i < u->known_count; i++) {
        const struct known *k = &u->known[i];
        if (k->message && is_entry_of(s, u, k->message)) {
            return check_content(w, s, k, conversation);
        }
    }
    bool could_be_noop =
        u == s->link->device->user || world_is_old(w, s->msg_id);
    if (could_be_noop || !judge_must_see(s, u) || !is_complete(w, u)) {
        return true;
    }
    return world_fail(w, "PUSH-1",
                      arena_printf("msg_id %" PRIu64
                                   " was answered with SEND_OK, yet is "
                                   "not on the timeline of %s",
                                   s->msg_id, u->word),
                      "an entry for each stored message", NULL);
}

/* A row is a NOOP exactly when its link sent the message. */
static bool check_noop(struct world *w, const struct link *l,
                       const struct row *r)
{
    const struct user *u = l->device->user;
    const Roam__V1__Push *message = NULL;
    for (size_t i = 0; i < u->known_count; i++) {
        if (u->known[i].version == r->push->version) {
            message = u->known[i].message;
        }
    }
    bool own = false, open = false;
    for (size_t i = 0; i < w->sent_count; i++) {
        const struct sent *s = &w->sent[i];
        if (s->link != l || s->is_duplicate) {
            continue;
        }
        open = open || s->msg_id == 0;
        own = own || (message && is_entry_of(s, u, message));
    }
    bool is_noop = r->push->kind == ROAM__V1__KIND__NOOP;
    if (own && !is_noop) {
        return world_fail(w, "PUSH-2", "this very session sent the message",
                          "NOOP with version and prev_version", r->frame);
    }
    if (is_noop && message && !own && !open &&
        !world_is_old(w, message->msg_id) &&
        !judge_was_replaced(w, u, message, 0)) {
        return world_fail(w, "PUSH-1 PUSH-2",
                          "NOOP, yet this session did not send the message",
                          "the message in full", r->frame);
    }
    return true;
}

/* msg_ids of a conversation rise along the chain. */
static bool check_order(struct world *w, const struct user *u)
{
    for (size_t i = 0; i < u->known_count; i++) {
        for (size_t k = 0; k < u->known_count; k++) {
            const struct known *a = &u->known[i], *b = &u->known[k];
            if (a->message && b->message && a->version < b->version &&
                a->message->msg_id >= b->message->msg_id &&
                strcmp(a->message->conversation, b->message->conversation) ==
                    0) {
                return world_fail(w, "SEND-6",
                                  "msg_ids of a conversation do not rise "
                                  "along the timeline",
                                  NULL, NULL);
            }
        }
    }
    return true;
}

bool judge_finish(struct world *w)
{
    if (!judge_page_rows(w)) {
        return false;
    }
    for (size_t i = 0; i < w->s->user_count; i++) {
        struct user *u = &w->users[i];
        for (size_t k = 0; k < w->sent_count; k++) {
            if (!check_sent(w, &w->sent[k], u)) {
                return false;
            }
        }
        if (!check_order(w, u) || !judge_group_entries(w, u) ||
            !judge_news_count(w, u)) {
            return false;
        }
    }
    for (size_t i = 0; i < w->link_count; i++) {
        const struct link *l = w->links[i];
        for (size_t k = 0; k < l->row_count; k++) {
            if (!check_noop(w, l, &l->rows[k])) {
                return false;
            }
        }
    }
    return true;
}

const char *judge_seen_as(const struct sent *s, const struct user *u)
{
    return seen_as(s, u);
}
