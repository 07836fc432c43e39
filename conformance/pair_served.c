/* SPDX-License-Identifier: Apache-2.0 */
/* What a device was told by the server, whatever its client made of it: who
 * was told and does not know is to blame, and not the server. */
#include <string.h>

#include "judge.h"
#include "pair_case.h"

struct wanted {
    const struct sut *s;
    const char *conversation;
    uint64_t msg_id;
    bool as_target; /* of an operation, instead of a message */
};

static bool is_it(const struct wanted *w, const char *conversation,
                  uint64_t msg_id, uint64_t target)
{
    return strcmp(conversation, w->conversation) == 0 &&
           (w->as_target ? target : msg_id) == w->msg_id;
}

static bool is_push(const struct wanted *w, const Roam__V1__Push *p)
{
    return is_it(w, p->conversation, p->msg_id,
                 judge_target((uint64_t)p->kind, &p->body));
}

static bool by_entry(const struct stage *g, const struct wanted *w)
{
    for (size_t i = 0; i < g->world.link_count; i++) {
        const struct link *l = g->world.links[i];
        for (size_t k = 0; l->device == w->s->device && k < l->row_count; k++) {
            if (is_push(w, l->rows[k].push)) {
                return true;
            }
        }
    }
    return false;
}

static bool by_page(const struct stage *g, const struct wanted *w)
{
    for (size_t i = 0; i < g->world.page_row_count; i++) {
        const struct page_row *r = &g->world.page_rows[i];
        if (r->link->device == w->s->device && is_push(w, r->push)) {
            return true;
        }
    }
    return false;
}

static bool by_answer(const struct stage *g, const struct wanted *w)
{
    for (size_t i = 0; i < g->world.sent_count; i++) {
        const struct sent *s = &g->world.sent[i];
        const char *to =
            arena_copy((const char *)s->conversation.data, s->conversation.len);
        if (s->link->device == w->s->device && s->msg_id &&
            is_it(w, to, s->msg_id, s->target)) {
            return true;
        }
    }
    return false;
}

bool served(const struct stage *g, const struct sut *s,
            const char *conversation, uint64_t msg_id, bool as_target)
{
    const struct wanted w = {s, conversation, msg_id, as_target};
    return by_entry(g, &w) || by_page(g, &w) || by_answer(g, &w);
}

const Roam__V1__Push *served_message(const struct sut *s,
                                     const char *conversation, uint64_t msg_id)
{
    const struct user *u = s->device->user;
    for (size_t i = 0; i < u->known_count; i++) {
        const Roam__V1__Push *p = u->known[i].message;
        if (p && p->msg_id == msg_id &&
            strcmp(p->conversation, conversation) == 0) {
            return p;
        }
    }
    return NULL;
}
