/* SPDX-License-Identifier: Apache-2.0 */
/* The memory store: pages of history. They come from the messages, not from
 * the timelines, so what is trimmed there is still here. Every request walks
 * over all messages: this store is for tests. Spec: section 8.3. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "roam.pb.h"
#include "store_mem_groups.h"

/* A page being gathered. */
struct gathering {
    const struct roam__mem_user *user;
    int64_t device;
    uint32_t body_limit;
    struct roam_entry *rows;
    size_t count;
};

static void add(struct gathering *g, const struct roam__mem_message *m)
{
    roam__mem_show(&g->rows[g->count++], m, g->user, g->device, g->body_limit);
}

/* How many of the rows, from the front or from the end, go into the
 * page: one in any case, if there is one. */
static size_t within(const struct gathering *g, bool from_end,
                     uint32_t max_count, size_t max_bytes)
{
    size_t count = 0;
    size_t bytes = 0;
    while (count < g->count && count < max_count) {
        size_t at = from_end ? g->count - 1 - count : count;
        bytes += g->rows[at].body.len;
        if (bytes > max_bytes && count > 0) {
            break;
        }
        count++;
    }
    return count;
}

/* ----------------------------------------------------------------- history */

static bool in_range(const struct roam__mem_message *m,
                     const struct roam_store_history *history)
{
    bool wanted = !history->operations_only || m->kind != roam_v1_Kind_MESSAGE;
    return wanted && m->msg_id >= history->oldest &&
           m->msg_id > history->after &&
           (history->before == 0 || m->msg_id < history->before);
}

/* A row of this user's history with that peer. */
static bool is_row(const struct gathering *g, const struct roam__mem_message *m,
                   const struct roam__mem_user *peer)
{
    return roam__mem_peer(m, g->user) == peer && roam__mem_sees(g->user, m);
}

/* All of the range, by rising msg_id: a conversation's ids rise, and the
 * newest message is the first in the list. False without memory. */
static bool gather_range(struct gathering *g, const struct roam__mem *mem,
                         const struct roam__mem_user *peer,
                         const struct roam_store_history *history)
{
    size_t count = 0;
    for (const struct roam__mem_message *m = mem->messages; m != NULL;
         m = m->next) {
        count += is_row(g, m, peer) && in_range(m, history) ? 1 : 0;
    }
    if (count == 0) {
        return true;
    }
    g->rows = roam__alloc(count * sizeof *g->rows);
    if (g->rows == NULL) {
        return false;
    }
    for (const struct roam__mem_message *m = mem->messages; m != NULL;
         m = m->next) {
        if (is_row(g, m, peer) && in_range(m, history)) {
            add(g, m);
        }
    }
    for (size_t low = 0, high = count - 1; low < high; low++, high--) {
        struct roam_entry row = g->rows[low];
        g->rows[low] = g->rows[high];
        g->rows[high] = row;
    }
    return true;
}

/* The other party; NULL: no such conversation, or none of this user's. */
static const struct roam__mem_user *find_peer(
    const struct roam__mem *mem, const struct roam_store_history *history)
{
    if (!roam_group_id_looks_like(history->conversation)) {
        return roam__mem_user(mem, (const char *)history->conversation.data,
                              history->conversation.len);
    }
    const struct roam__mem_group *group =
        roam__mem_group(mem, history->conversation);
    bool seen =
        group != NULL &&
        roam__mem_in_span(group, roam__mem_user_by_id(mem, history->user), 0);
    return seen ? &group->self : NULL;
}

bool roam__mem_history(struct roam__mem *mem, struct roam_store_request *req)
{
    struct roam_store_history *history = &req->u.history;
    const struct roam__mem_user *peer = find_peer(mem, history);
    struct gathering g = {.user = roam__mem_user_by_id(mem, history->user),
                          .device = history->device,
                          .body_limit = history->body_limit};
    history->head = g.user->head;
    history->found = peer != NULL;
    if (peer == NULL) {
        return true;
    }
    history->no_memory = !gather_range(&g, mem, peer, history);
    if (history->no_memory) {
        return true;
    }
    bool newest = history->before != 0 || history->after == 0; /* [HIST-1] */
    size_t count = within(&g, newest, history->max_count, history->max_bytes);
    history->more = count < g.count; /* [HIST-3] */
    history->rows = g.rows;
    history->count = count;
    if (newest && history->more) {
        memmove(g.rows, g.rows + (g.count - count), count * sizeof *g.rows);
    }
    return true;
}

/* ----------------------------------------------------------- conversations */

/* Below 0: a comes before b. [HIST-8] */
static int by_newest(const void *left, const void *right)
{
    const struct roam_entry *a = left;
    const struct roam_entry *b = right;
    if (a->msg_id != b->msg_id) {
        return a->msg_id > b->msg_id ? -1 : 1;
    }
    size_t alen = a->conversation.len;
    size_t blen = b->conversation.len;
    int order = memcmp(b->conversation.data, a->conversation.data,
                       alen < blen ? alen : blen);
    return order != 0 ? order : (blen > alen) - (blen < alen);
}

static bool is_known(const struct gathering *g,
                     const struct roam__mem_user *peer)
{
    for (size_t i = 0; i < g->count; i++) {
        if (g->rows[i].conversation.data == (const uint8_t *)peer->name) {
            return true;
        }
    }
    return false;
}

/* [HIST-15] */
static bool is_unread(const struct roam__mem_message *m,
                      const struct roam__mem_user *user,
                      const struct roam__mem_user *peer, uint64_t mark)
{
    uint64_t deletion;
    return m->kind == roam_v1_Kind_MESSAGE && m->msg_id > mark &&
           m->sender != user && roam__mem_peer(m, user) == peer &&
           roam__mem_sees(user, m) && m->undone_by == 0 &&
           !roam__mem_has_deleted(user, m, &deletion);
}

static void tell_marks(struct roam_entry *row, const struct roam__mem *mem,
                       const struct roam__mem_user *user,
                       const struct roam__mem_user *peer, uint64_t oldest)
{
    const struct roam__mem_mark *mark = roam__mem_mark(user, peer);
    row->read_mark = mark == NULL ? 0 : mark->msg_id;
    if (peer->group != NULL) {
        uint32_t role = roam__mem_part(peer->group, user).role;
        row->role = roam_role_is_member(role) ? role : roam_v1_Role_ROLE_NONE;
    }
    for (const struct roam__mem_message *m = mem->messages;
         m != NULL && row->unread < ROAM_UNREAD_MAX; m = m->next) {
        bool counts =
            m->msg_id >= oldest && is_unread(m, user, peer, row->read_mark);
        row->unread += counts ? 1 : 0;
    }
}

/* The newest row with each other user, newest first. */
static bool gather_newest(struct gathering *g, const struct roam__mem *mem,
                          uint64_t oldest, uint64_t *cost)
{
    *cost = 0;
    g->rows = roam__alloc(((size_t)mem->last_user + (size_t)mem->last_group) *
                          sizeof *g->rows);
    if (g->rows == NULL) {
        return false;
    }
    for (const struct roam__mem_message *m = mem->messages; m != NULL;
         m = m->next) {
        const struct roam__mem_user *peer = roam__mem_peer(m, g->user);
        ++*cost;
        if (peer != NULL && m->msg_id >= oldest && !is_known(g, peer) &&
            roam__mem_sees(g->user, m)) {
            add(g, m);
            tell_marks(&g->rows[g->count - 1], mem, g->user, peer, oldest);
        }
    }
    qsort(g->rows, g->count, sizeof *g->rows, by_newest);
    return true;
}

bool roam__mem_conversations(struct roam__mem *mem,
                             struct roam_store_request *req)
{
    struct roam_store_conversations *read = &req->u.conversations;
    struct gathering g = {.user = roam__mem_user_by_id(mem, read->user),
                          .device = read->device,
                          .body_limit = read->body_limit};
    const struct roam_entry last = {.msg_id = read->before,
                                    .conversation = read->conversation};
    read->head = g.user->head;
    read->no_memory = !gather_newest(&g, mem, read->oldest, &read->cost);
    if (read->no_memory) {
        return true;
    }
    read->rows = g.rows;
    size_t skip = 0;
    while (read->before != 0 && skip < g.count &&
           by_newest(&g.rows[skip], &last) <= 0) {
        skip++;
    }
    g.rows += skip;
    g.count -= skip;
    read->count = within(&g, false, read->max_count, read->max_bytes);
    read->more = read->count < g.count;
    if (skip > 0) {
        memmove(read->rows, g.rows, read->count * sizeof *g.rows);
    }
    return true;
}
