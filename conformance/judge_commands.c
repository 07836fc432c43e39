/* SPDX-License-Identifier: Apache-2.0 */
/* Judges of commands: SEND and its answers, PING and PONG. See judge.h. */
#include "judge.h"

#include <inttypes.h>
#include <string.h>

void judge_note_send(struct world *w, struct link *l, const Roam__V1__Send *m)
{
    arena_grow((void **)&w->sent, w->sent_count, &w->sent_cap, sizeof *w->sent);
    w->sent[w->sent_count++] = (struct sent){
        .link = l,
        .client_msg_id = m->client_msg_id,
        .conversation = value_text(m->conversation),
        .content_type = value_text(m->content_type),
        .body = {.kind = VALUE_BYTES, .data = m->body.data, .len = m->body.len},
        .kind = (uint64_t)(int64_t)m->kind,
        .target = judge_target((uint64_t)m->kind, &m->body),
        .order = w->event_count,
    };
}

/* The oldest SEND of that id on this link that has no answer. */
struct sent *judge_find_sent(struct world *w, const struct link *l,
                             uint64_t client_msg_id)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        struct sent *s = &w->sent[i];
        if (s->link == l && s->client_msg_id == client_msg_id &&
            !s->is_answered) {
            return s;
        }
    }
    return NULL;
}

/* Was it answered so long ago that its id may be new again? [SEND-4] */
static bool is_forgotten(const struct world *w, const struct link *l,
                         const struct sent *s)
{
    return l->dedup_ms != 0 && w->passed_ms - s->done_ms >= l->dedup_ms;
}

/* A SEND of the same id and user that SEND_OK answered before. */
static const struct sent *first_of(const struct world *w, const struct sent *s)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        const struct sent *o = &w->sent[i];
        if (o != s && o->client_msg_id == s->client_msg_id && o->msg_id &&
            !is_forgotten(w, s->link, o) &&
            o->link->device->user == s->link->device->user) {
            return o;
        }
    }
    return NULL;
}

/* True when another SEND of the same id and user has no answer, or one that
 * is long ago: which of the two was the first cannot be known from outside. */
static bool has_unanswered_twin(const struct world *w, const struct sent *s)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        const struct sent *o = &w->sent[i];
        if (o != s && o->client_msg_id == s->client_msg_id &&
            (!o->is_answered || is_forgotten(w, s->link, o)) &&
            o->link->device->user == s->link->device->user) {
            return true;
        }
    }
    return false;
}

static bool same_parties(const struct sent *a, const struct sent *b)
{
    const struct value ua = value_text(a->link->device->user->name);
    const struct value ub = value_text(b->link->device->user->name);
    if (a->group && b->group) {
        return strcmp(a->group, b->group) == 0;
    }
    return (value_equal(&ua, &ub) &&
            value_equal(&a->conversation, &b->conversation)) ||
           (value_equal(&ua, &b->conversation) &&
            value_equal(&ub, &a->conversation));
}

static bool check_msg_id(struct world *w, const struct sent *s, struct frame *f)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        const struct sent *o = &w->sent[i];
        if (o != s && o->msg_id == s->msg_id && !o->is_duplicate &&
            same_parties(o, s)) {
            return world_fail(
                w,
                s->kind == ROAM__V1__KIND__MESSAGE ? "SEND-6" : "SEND-6 OP-1",
                "this msg_id was given to another message of "
                "the conversation",
                "a msg_id above it", f);
        }
    }
    return true;
}

bool judge_overtaken(struct world *w, const struct link *l, uint64_t order,
                     struct frame *f)
{
    size_t open = 1;
    bool members = false, question = false;
    for (size_t i = 0; i < w->sent_count; i++) {
        const struct sent *s = &w->sent[i];
        open += s->link == l && s->order < order && !s->is_answered;
    }
    for (size_t i = 0; i < w->page_count; i++) {
        const struct page_sent *p = &w->pages[i];
        bool is_open = p->link == l && p->order < order && !p->is_answered;
        open += is_open;
        members = members || (is_open && p->is_members);
        question = question || (is_open && p->question != 0);
    }
    return open <= l->max_commands ||
           world_fail(
               w,
               question  ? "SEND-11 DEV-11"
               : members ? "SEND-11 GRP-22"
                         : "SEND-11 HIST-10",
               arena_printf("%zu commands were unanswered together", open),
               arena_printf("KICK TOO_MANY_COMMANDS above %" PRIu32,
                            l->max_commands),
               f);
}

bool judge_send_ok(struct world *w, struct link *l, struct frame *f)
{
    const Roam__V1__SendOk *m = (const Roam__V1__SendOk *)f->msg;
    struct sent *s = judge_find_sent(w, l, m->client_msg_id);
    if (!s) {
        return world_fail(w, "SEND-2", "no SEND of this id is unanswered",
                          "exactly one answer for each SEND", f);
    }
    const struct sent *first = first_of(w, s);
    if (!judge_overtaken(w, l, s->order, f)) {
        return false;
    }
    s->is_answered = true;
    s->done = w->event_count;
    s->done_ms = w->passed_ms;
    s->msg_id = m->msg_id;
    s->is_duplicate = m->duplicate != 0;
    if (l->displaced && s->order >= l->displaced) {
        return world_fail(w, "KICK-5",
                          "a SEND was carried out that left after the slot "
                          "had been granted to somebody else",
                          "KICK, and the SEND without effect", f);
    }
    if (first && (!m->duplicate || first->msg_id != m->msg_id)) {
        bool is_old = world_is_old(w, first->msg_id);
        return world_fail(w, is_old ? "KEEP-4 SEND-4" : "SEND-4",
                          "this id was stored before, and is stored again",
                          "the first msg_id and duplicate=1", f);
    }
    bool may_stand = s->kind != ROAM__V1__KIND__MESSAGE; /* [OP-10] */
    if (!first && m->duplicate && !may_stand && !has_unanswered_twin(w, s)) {
        return world_fail(w, "SEND-4", "`duplicate`, yet the id is new",
                          "duplicate=0", f);
    }
    judge_note_group(w, s, m->conversation);
    if (judge_is_row(s->kind)) {
        judge_tell(l, s->group ? s->group : (const char *)s->conversation.data,
                   m->msg_id, s->kind);
    }
    return m->duplicate || check_msg_id(w, s, f);
}

bool judge_error(struct world *w, struct link *l, struct frame *f)
{
    const Roam__V1__Error *m = (const Roam__V1__Error *)f->msg;
    struct sent *s = judge_find_sent(w, l, m->ref);
    if (s) {
        s->is_answered = true;
        return judge_overtaken(w, l, s->order, f);
    }
    bool taken;
    bool fine = judge_members_error(w, l, m, f, &taken);
    if (taken) {
        return fine;
    }
    struct page_sent *p = judge_find_question(w, l, 0, m->ref);
    if (p) {
        return judge_question_error(w, l, p, f);
    }
    p = judge_find_page(w, l, false, m->ref);
    bool limited = m->code == ROAM__V1__ERROR_CODE__RATE_LIMITED;
    if (!p && limited) {
        p = judge_find_page(w, l, true, m->ref);
    }
    if (!p) {
        return world_fail(w, "SEND-2", "no command of this id is unanswered",
                          "exactly one answer for each command", f);
    }
    p->is_answered = true;
    if (!judge_overtaken(w, l, p->order, f)) {
        return false;
    }
    return limited || m->code == ROAM__V1__ERROR_CODE__NO_SUCH_CONVERSATION ||
           world_fail(w, "HIST-5", "HISTORY has only these errors",
                      "NO_SUCH_CONVERSATION, RATE_LIMITED, or a page", f);
}

bool judge_pong(struct world *w, struct link *l, struct frame *f,
                bool *is_fence)
{
    const Roam__V1__Pong *m = (const Roam__V1__Pong *)f->msg;
    for (size_t i = 0; i < l->ping_count; i++) {
        struct ping_sent *p = &l->pings[i];
        if (p->id != m->id || p->is_answered) {
            continue;
        }
        p->is_answered = true;
        p->head = m->head;
        *is_fence = p->is_fence;
        if (m->head < p->least_head) {
            return world_fail(
                w, "PING-2", "the head is below an entry answered before",
                arena_printf("head at least %" PRIu64, p->least_head), f);
        }
        return judge_page_pong(w, l, i, f);
    }
    return world_fail(w, "PING-1", "no PING of this id is unanswered",
                      "the id of a PING", f);
}
