/* SPDX-License-Identifier: Apache-2.0 */
/* Judges of pages: HISTORY, CONVERSATIONS and their answers. See judge.h.
 *
 * A judge knows only a part of what the server has stored: what the page's
 * own connection was told before the page came. Of that nothing may be left
 * out; of the rest it can say nothing, because a page may be as old as that
 * connection. That `more` is exact is for scenarios to show. */
#include "judge.h"

#include <inttypes.h>
#include <string.h>

#include "schema.h"

/* ROAM_ENTRY_OVERHEAD of section 11. */
#define ENTRY_OVERHEAD 448u

void judge_tell(struct link *l, const char *conversation, uint64_t msg_id,
                uint64_t kind)
{
    arena_grow((void **)&l->told, l->told_count, &l->told_cap, sizeof *l->told);
    l->told[l->told_count++] =
        (struct told){conversation, msg_id, kind == ROAM__V1__KIND__MESSAGE};
}

void judge_note_page(struct world *w, struct link *l, bool is_list,
                     const ProtobufCMessage *m)
{
    struct page_sent p = {
        .link = l, .is_list = is_list, .order = w->event_count};
    if (is_list) {
        const Roam__V1__Conversations *c = (const Roam__V1__Conversations *)m;
        p.ref = c->ref;
        p.conversation = c->conversation;
        p.before = c->before;
        p.max_rows = c->max_rows;
        p.max_inflated = c->max_inflated;
        p.codecs = c->codecs;
    } else {
        const Roam__V1__History *h = (const Roam__V1__History *)m;
        p.ref = h->ref;
        p.conversation = h->conversation;
        p.before = h->before;
        p.after = h->after;
        p.max_rows = h->max_rows;
        p.max_inflated = h->max_inflated;
        p.codecs = h->codecs;
        p.operations_only = h->operations_only;
    }
    arena_grow((void **)&w->pages, w->page_count, &w->page_cap,
               sizeof *w->pages);
    w->pages[w->page_count++] = p;
}

struct page_sent *judge_find_page(struct world *w, const struct link *l,
                                  bool is_list, uint64_t ref)
{
    for (size_t i = 0; i < w->page_count; i++) {
        struct page_sent *p = &w->pages[i];
        if (p->link == l && !p->is_members && p->question == 0 &&
            p->is_list == is_list && p->ref == ref && !p->is_answered) {
            return p;
        }
    }
    return NULL;
}

/* ------------------------------------------------------------ single rows */

/* The SEND that this row is known to come from; NULL: none is known. */
static const struct sent *origin(const struct world *w, const struct user *u,
                                 const Roam__V1__Push *row)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        const struct sent *s = &w->sent[i];
        const char *seen = judge_seen_as(s, u);
        if (seen && s->msg_id == row->msg_id && !s->is_duplicate &&
            strcmp(seen, row->conversation) == 0) {
            return s;
        }
    }
    return NULL;
}

static bool has_used(const struct world *w, const struct link *l, uint64_t id)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        const struct sent *s = &w->sent[i];
        if (s->client_msg_id == id &&
            s->link->device->installation == l->device->installation &&
            s->link->device->user == l->device->user) {
            return true;
        }
    }
    return false;
}

static bool check_own(struct world *w, const struct link *l,
                      const Roam__V1__Push *row, struct frame *f)
{
    const struct sent *s = origin(w, l->device->user, row);
    if (row->client_msg_id != 0 && !has_used(w, l, row->client_msg_id)) {
        return world_fail(w, "HIST-7 PUSH-4",
                          "a client_msg_id that this device never used",
                          "no client_msg_id", f);
    }
    bool own = s && s->link->device->user == l->device->user &&
               s->link->device->installation == l->device->installation;
    if (own && row->client_msg_id != s->client_msg_id) {
        return world_fail(
            w, "HIST-7", "this very device sent the message",
            arena_printf("client_msg_id=%" PRIu64, s->client_msg_id), f);
    }
    return true;
}

static bool check_cut(struct world *w, const struct link *l,
                      const struct page_sent *p, const Roam__V1__Push *row,
                      struct frame *f)
{
    uint32_t least =
        l->max_frame < p->max_inflated ? l->max_frame : p->max_inflated;
    uint32_t limit = least - ENTRY_OVERHEAD;
    if (row->body.len > limit ||
        (row->cut_size > 0 && row->cut_size <= limit)) {
        return world_fail(w, "HIST-7 BATCH-4",
                          row->cut_size ? "a body within the limit is cut"
                                        : "a body above the limit",
                          arena_printf("bodies up to %" PRIu32
                                       " bytes whole, longer ones cut",
                                       limit),
                          f);
    }
    return true;
}

/* What any device of this user was told of the same message. */
static bool check_known(struct world *w, const struct user *u,
                        const Roam__V1__Push *row, struct frame *f)
{
    for (size_t i = 0; i < u->known_count; i++) {
        const Roam__V1__Push *k = u->known[i].message;
        if (k && k->msg_id == row->msg_id &&
            strcmp(k->conversation, row->conversation) == 0 &&
            !judge_same_message(k, row)) {
            struct text t = {0};
            message_print_line(&t, &k->base);
            return world_fail(w, "HIST-7",
                              "the message had another content as an entry",
                              text_str(&t), f);
        }
    }
    return true;
}

static bool check_row(struct world *w, const struct link *l,
                      const struct page_sent *p, const Roam__V1__Push *row,
                      struct frame *f)
{
    struct schema_fault bad;
    if (!schema_check_row(row, &bad)) {
        return world_fail(w, bad.rule, bad.what, NULL, f);
    }
    return check_own(w, l, row, f) && check_cut(w, l, p, row, f) &&
           judge_operation(w, l->device->user, row, p->order, f) &&
           judge_group_row(w, l->device->user, row, f) &&
           check_known(w, l->device->user, row, f);
}

/* ---------------------------------------------------------- HISTORY_PAGE */

static bool in_range(const struct page_sent *p, uint64_t msg_id)
{
    return msg_id > p->after && (p->before == 0 || msg_id < p->before);
}

static bool walks_up(const struct page_sent *p)
{
    return p->before == 0 && p->after != 0;
}

static bool check_history_order(struct world *w, const struct page_sent *p,
                                const struct batch_rows *rows, struct frame *f)
{
    for (size_t i = 0; i < rows->count; i++) {
        const Roam__V1__Push *row = rows->at[i];
        if (strcmp(row->conversation, p->conversation) != 0) {
            return world_fail(w, "HIST-1", "a row of another conversation",
                              p->conversation, f);
        }
        if (!in_range(p, row->msg_id)) {
            return world_fail(w, "HIST-1", "a row outside of the range",
                              arena_printf("msg_id above %" PRIu64
                                           ", below %" PRIu64,
                                           p->after, p->before),
                              f);
        }
        if (p->operations_only && row->kind == ROAM__V1__KIND__MESSAGE) {
            return world_fail(w, "HIST-14", "a message among operations",
                              "rows of other kinds", f);
        }
        if (i > 0 && row->msg_id <= rows->at[i - 1]->msg_id) {
            return world_fail(w, "HIST-2", "the rows do not rise", NULL, f);
        }
    }
    return true;
}

static const Roam__V1__Push *find_row(const struct batch_rows *rows,
                                      const char *conversation, uint64_t msg_id)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->at[i]->msg_id == msg_id &&
            strcmp(rows->at[i]->conversation, conversation) == 0) {
            return rows->at[i];
        }
    }
    return NULL;
}

/* A message of the range is not in the page: legal only behind the page's
 * far end, and then `more` says so. */
static bool check_left_out(struct world *w, const struct page_sent *p,
                           const struct batch_rows *rows, bool more,
                           uint64_t msg_id, struct frame *f)
{
    bool behind = rows->count == 0 ||
                  (walks_up(p) ? msg_id > rows->at[rows->count - 1]->msg_id
                               : msg_id < rows->at[0]->msg_id);
    if (behind && more) {
        return true;
    }
    return world_fail(
        w, behind ? "HIST-1 HIST-3 HIST-6" : "HIST-1 HIST-6",
        arena_printf("msg_id %" PRIu64 " is left out, of which this "
                     "connection was told before",
                     msg_id),
        behind ? "the message, or more=true" : "the message between the others",
        f);
}

static bool check_history(struct world *w, const struct link *l,
                          const struct page_sent *p,
                          const struct batch_rows *rows, struct frame *f)
{
    bool more = ((const Roam__V1__HistoryPage *)f->msg)->more != 0;
    if (!check_history_order(w, p, rows, f)) {
        return false;
    }
    if (more && rows->count == 0) {
        return world_fail(w, "HIST-4", "an empty page, yet there is more",
                          "at least one row", f);
    }
    for (size_t i = 0; i < l->told_count; i++) {
        const struct told *t = &l->told[i];
        if (strcmp(t->conversation, p->conversation) == 0 &&
            in_range(p, t->msg_id) &&
            !judge_row_is_hidden(w, l->device->user, t->conversation,
                                 t->msg_id) &&
            !(p->operations_only && t->is_message) &&
            !find_row(rows, t->conversation, t->msg_id) &&
            !check_left_out(w, p, rows, more, t->msg_id, f)) {
            return false;
        }
    }
    return true;
}

/* ----------------------------------------------------- CONVERSATION_PAGE */

/* Does the first pair stand before the second: newer, or the same and with
 * the greater name? */
static bool precedes(uint64_t a_id, const char *a, uint64_t b_id, const char *b)
{
    return a_id != b_id ? a_id > b_id : strcmp(a, b) > 0;
}

static bool check_list_order(struct world *w, const struct page_sent *p,
                             const struct batch_rows *rows, struct frame *f)
{
    for (size_t i = 0; i < rows->count; i++) {
        const Roam__V1__Push *row = rows->at[i];
        bool in_place =
            i > 0 ? precedes(rows->at[i - 1]->msg_id,
                             rows->at[i - 1]->conversation, row->msg_id,
                             row->conversation)
                  : p->before == 0 || precedes(p->before, p->conversation,
                                               row->msg_id, row->conversation);
        if (!in_place) {
            return world_fail(w, "HIST-8",
                              i > 0 ? "the rows do not fall"
                                    : "the page does not start behind the pair "
                                      "asked for",
                              NULL, f);
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(rows->at[k]->conversation, row->conversation) == 0) {
                return world_fail(w, "HIST-8", "a conversation is there twice",
                                  "one row for each", f);
            }
        }
    }
    return true;
}

/* The conversation of a message that was told is in the list with this
 * message or a newer one, unless it may stand before or behind the page. */
static bool check_listed(struct world *w, const struct page_sent *p,
                         const struct batch_rows *rows, bool more,
                         const struct told *t, struct frame *f)
{
    for (size_t i = 0; i < rows->count; i++) {
        const Roam__V1__Push *row = rows->at[i];
        if (strcmp(row->conversation, t->conversation) == 0) {
            return row->msg_id >= t->msg_id ||
                   world_fail(
                       w, "HIST-8 HIST-6",
                       "not the newest message of its conversation, as "
                       "this connection was told before",
                       arena_printf("msg_id %" PRIu64 " or above", t->msg_id),
                       f);
        }
    }
    const Roam__V1__Push *last =
        rows->count > 0 ? rows->at[rows->count - 1] : NULL;
    bool behind = more && (!last || precedes(last->msg_id, last->conversation,
                                             t->msg_id, t->conversation));
    return p->before != 0 || behind ||
           world_fail(w, "HIST-8 HIST-6",
                      arena_printf("conversation %s is left out, of which this "
                                   "connection was told before",
                                   t->conversation),
                      "one row for each conversation", f);
}

static bool check_list(struct world *w, struct link *l,
                       const struct page_sent *p, const struct batch_rows *rows,
                       struct frame *f)
{
    const Roam__V1__ConversationPage *c =
        (const Roam__V1__ConversationPage *)f->msg;
    if (c->as_of < l->told_version) {
        return world_fail(w, "HIST-9", "as_of is below an entry sent before",
                          arena_printf("at least %" PRIu64, l->told_version),
                          f);
    }
    if (c->as_of > l->as_of) {
        l->as_of = c->as_of;
        l->as_of_pings = l->ping_count;
    }
    if (!check_list_order(w, p, rows, f)) {
        return false;
    }
    if (c->more && rows->count == 0) {
        return world_fail(w, "HIST-8", "an empty page, yet there is more",
                          "at least one row", f);
    }
    for (size_t i = 0; i < l->told_count; i++) {
        const struct told *t = &l->told[i];
        if (!judge_row_is_hidden(w, l->device->user, t->conversation,
                                 t->msg_id) &&
            !check_listed(w, p, rows, c->more != 0, t, f)) {
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------ pages */

static struct page_head head_of(const struct frame *f, uint64_t *ref)
{
    if (f->number == F_CONVERSATION_PAGE) {
        const Roam__V1__ConversationPage *c =
            (const Roam__V1__ConversationPage *)f->msg;
        *ref = c->ref;
        return (struct page_head){true, c->count, c->inflated_size, c->codec,
                                  &c->payload};
    }
    const Roam__V1__HistoryPage *h = (const Roam__V1__HistoryPage *)f->msg;
    *ref = h->ref;
    return (struct page_head){false, h->count, h->inflated_size, h->codec,
                              &h->payload};
}

/* The rows become known to the connection, and to the check at the end. */
static void note_rows(struct world *w, struct link *l,
                      const struct batch_rows *rows, struct frame *f)
{
    for (size_t i = 0; i < rows->count; i++) {
        judge_tell(l, rows->at[i]->conversation, rows->at[i]->msg_id,
                   (uint64_t)rows->at[i]->kind);
        arena_grow((void **)&w->page_rows, w->page_row_count, &w->page_row_cap,
                   sizeof *w->page_rows);
        w->page_rows[w->page_row_count++] =
            (struct page_row){l, rows->at[i], f};
    }
}

static bool check_rows(struct world *w, const struct link *l,
                       const struct page_sent *p, const struct batch_rows *rows,
                       struct frame *f)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct text line = {0};
        message_print_line(&line, &rows->at[i]->base);
        world_event(w, l->device, " ",
                    arena_printf("  row %zu: %s", i, text_str(&line)));
        if (!check_row(w, l, p, rows->at[i], f)) {
            return false;
        }
    }
    return true;
}

bool judge_page(struct world *w, struct link *l, struct frame *f)
{
    bool is_list = f->number == F_CONVERSATION_PAGE;
    uint64_t ref;
    const struct page_head head = head_of(f, &ref);
    struct page_sent *p = judge_find_page(w, l, is_list, ref);
    if (!p || !l->is_live) {
        return world_fail(w, is_list ? "HIST-8" : "HIST-1",
                          "no request of this ref is unanswered",
                          "one answer for each request", f);
    }
    p->is_answered = true;
    if (!judge_overtaken(w, l, p->order, f)) {
        return false;
    }
    struct batch_rows *rows = arena_alloc(sizeof *rows);
    struct batch_fault fault = {NULL, NULL};
    if (!page_expand(&head, p->max_rows, p->max_inflated, p->codecs, rows,
                     &fault)) {
        return world_fail(w, fault.rule, fault.what, NULL, f);
    }
    if (!check_rows(w, l, p, rows, f) ||
        !(is_list ? check_list(w, l, p, rows, f)
                  : check_history(w, l, p, rows, f))) {
        return false;
    }
    note_rows(w, l, rows, f);
    judge_add_item(l, f, LANE_COMMAND);
    l->items[l->item_count - 1].page = rows;
    return true;
}

/* A SEND without an answer may be stored already, in a state that a page
 * shows and PONG need not: [PING-2] is about answered ones. */
bool judge_page_pong(struct world *w, const struct link *l, size_t ping,
                     struct frame *f)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        if (!w->sent[i].is_answered) {
            return true;
        }
    }
    return ping < l->as_of_pings || l->pings[ping].head >= l->as_of ||
           world_fail(w, "HIST-9",
                      arena_printf("a page was read as of %" PRIu64
                                   ", above the head told later",
                                   l->as_of),
                      "as_of up to the head", f);
}

/* ------------------------------------------------------------- at the end */

static bool is_from(const struct world *w, const struct sent *s,
                    const struct page_row *r)
{
    const struct user *u = r->link->device->user;
    const Roam__V1__Push *p = r->push;
    const char *seen = judge_seen_as(s, u);
    const struct value type = value_text(p->content_type);
    const struct value body = {
        .kind = VALUE_BYTES, .data = p->body.data, .len = p->body.len};
    return seen && (s->msg_id == p->msg_id || s->msg_id == 0) &&
           strcmp(seen, p->conversation) == 0 &&
           strcmp(p->sender, s->link->device->user->name) == 0 &&
           (uint64_t)p->kind == s->kind &&
           (p->recalled || value_equal(&type, &s->content_type)) &&
           (p->recalled   ? judge_was_recalled(w, u, p, 0)
            : p->cut_size ? p->cut_size == s->body.len
                          : value_equal(&body, &s->body));
}

bool judge_page_rows(struct world *w)
{
    for (size_t i = 0; i < w->page_row_count; i++) {
        const struct page_row *r = &w->page_rows[i];
        size_t k = 0;
        while (k < w->sent_count && !is_from(w, &w->sent[k], r)) {
            k++;
        }
        if (k == w->sent_count) {
            struct text t = {0};
            message_print_line(&t, &r->push->base);
            return world_fail(
                w, "HIST-7 HIST-1",
                arena_printf("nobody sent this row of a page: %s",
                             text_str(&t)),
                "sender, content type and body of a message as sent", r->frame);
        }
    }
    return true;
}
