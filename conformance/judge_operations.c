/* SPDX-License-Identifier: Apache-2.0 */
/* Judges of operations: who may see them, and what they do to messages that
 * come later. See judge.h.
 *
 * An operation that was answered before a delivery or a page was asked for
 * must have had its effect there. One that is still under way, or that was
 * answered meanwhile, may or may not have. */
#include "judge.h"

#include <inttypes.h>
#include <string.h>

bool judge_is_private(uint64_t kind)
{
    return kind == ROAM__V1__KIND__DELETE || kind == ROAM__V1__KIND__READ;
}

bool judge_is_row(uint64_t kind)
{
    return kind != ROAM__V1__KIND__NOOP && kind != ROAM__V1__KIND__READ &&
           kind != ROAM__V1__KIND__DEVICE;
}

bool judge_stands(const struct sent *s)
{
    return s->is_duplicate && s->kind != ROAM__V1__KIND__MESSAGE;
}

uint64_t judge_target(uint64_t kind, const ProtobufCBinaryData *body)
{
    if (kind != ROAM__V1__KIND__RECALL && kind != ROAM__V1__KIND__DELETE &&
        kind != ROAM__V1__KIND__READ) {
        return 0;
    }
    Roam__V1__Target *target =
        roam__v1__target__unpack(NULL, body->len, body->data);
    uint64_t msg_id = target ? target->msg_id : 0;
    if (target) {
        roam__v1__target__free_unpacked(target, NULL);
    }
    return msg_id;
}

/* Was it answered, with a SEND_OK, before that event? 0: ever, or not yet. */
static bool was_done(const struct sent *s, uint64_t before)
{
    return before == 0 ? !s->is_answered || s->msg_id != 0
                       : s->msg_id != 0 && s->done < before;
}

/* Is it in the conversation of an entry, as u sees that one? */
static bool is_beside(const struct sent *s, const struct user *u,
                      const Roam__V1__Push *p)
{
    const char *seen = judge_seen_as(s, u);
    return seen && strcmp(seen, p->conversation) == 0;
}

/* A RECALL takes a group's message from everybody, also from who left meanwhile
 * and is told of it by nothing else. */
static bool is_in_reach(const struct sent *s, const struct user *u,
                        const Roam__V1__Push *message)
{
    const char *to = (const char *)s->conversation.data;
    return judge_is_group(to) ? strcmp(to, message->conversation) == 0
                              : is_beside(s, u, message);
}

bool judge_was_recalled(const struct world *w, const struct user *u,
                        const Roam__V1__Push *message, uint64_t before)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        const struct sent *s = &w->sent[i];
        if (s->kind == ROAM__V1__KIND__RECALL && s->target == message->msg_id &&
            is_in_reach(s, u, message) && was_done(s, before)) {
            return true;
        }
    }
    return false;
}

bool judge_was_replaced(const struct world *w, const struct user *u,
                        const Roam__V1__Push *read, uint64_t before)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        const struct sent *s = &w->sent[i];
        if (read->kind == ROAM__V1__KIND__READ &&
            s->kind == ROAM__V1__KIND__READ && s->link->device->user == u &&
            is_beside(s, u, read) && was_done(s, before) &&
            (s->msg_id == 0 || s->msg_id > read->msg_id)) {
            return true;
        }
    }
    return false;
}

bool judge_operation(struct world *w, const struct user *u,
                     const Roam__V1__Push *p, uint64_t asked, struct frame *f)
{
    if (judge_is_private((uint64_t)p->kind) &&
        strcmp(p->sender, u->name) != 0) {
        return world_fail(w, "OP-11", "another user's DELETE or READ",
                          "nothing: it is its sender's alone", f);
    }
    if (p->kind == ROAM__V1__KIND__DEVICE && !judge_news(w, u, p, f)) {
        return false;
    }
    if (p->kind == ROAM__V1__KIND__MESSAGE && !p->recalled &&
        judge_was_recalled(w, u, p, asked)) {
        return world_fail(w, "OP-3",
                          "this message was recalled before it was asked for",
                          "recalled=true, without content", f);
    }
    if (p->recalled && !judge_was_recalled(w, u, p, 0)) {
        return world_fail(w, "OP-3", "nobody has recalled this message",
                          "the message with its content", f);
    }
    if (judge_was_replaced(w, u, p, asked)) {
        return world_fail(w, "OP-5",
                          "a newer READ of that conversation was answered "
                          "before this one was asked for",
                          "NOOP with version and prev_version", f);
    }
    return true;
}
