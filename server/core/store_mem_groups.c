/* SPDX-License-Identifier: Apache-2.0 */
/* See store_mem_groups.h. */
#include "store_mem_groups.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "fault.h"
#include "roam.pb.h"

struct roam__mem_group *roam__mem_group(const struct roam__mem *mem,
                                        struct roam_slice id)
{
    struct roam__mem_group *group = mem->groups;
    while (group != NULL && (strlen(group->self.name) != id.len ||
                             memcmp(group->self.name, id.data, id.len) != 0)) {
        group = group->next;
    }
    return group;
}

struct roam__mem_member *roam__mem_member(const struct roam__mem_group *group,
                                          const struct roam__mem_user *user)
{
    struct roam__mem_member *m = group->members;
    while (m != NULL && m->user != user) {
        m = m->next;
    }
    return m;
}

struct roam_group_part roam__mem_part(const struct roam__mem_group *group,
                                      const struct roam__mem_user *user)
{
    const struct roam__mem_member *m = roam__mem_member(group, user);
    return m == NULL ? (struct roam_group_part){0} : m->part;
}

bool roam__mem_in_span(const struct roam__mem_group *group,
                       const struct roam__mem_user *user, uint64_t msg_id)
{
    for (const struct roam__mem_span *s = group->spans; s != NULL;
         s = s->next) {
        if (s->user == user &&
            (msg_id == 0 || (s->since <= msg_id && msg_id <= s->until))) {
            return true;
        }
    }
    return false;
}

/* In it, or of the user's own beside it, as a DELETE may be. */
static bool has_rows(const struct roam__mem *mem,
                     const struct roam__mem_group *group,
                     const struct roam__mem_span *s)
{
    const struct roam__mem_message *m = mem->messages;
    while (m != NULL &&
           (m->erased || m->receiver != &group->self ||
            ((m->msg_id < s->since || m->msg_id > s->until) &&
             !(m->kind == roam_v1_Kind_DELETE && m->sender == s->user)))) {
        m = m->next;
    }
    return m != NULL;
}

/* Those of the user in one group that count, and forgets the others. */
static uint32_t count_spans(const struct roam__mem *mem,
                            struct roam__mem_group *group,
                            const struct roam__mem_user *user)
{
    uint32_t count = 0;
    struct roam__mem_span **link = &group->spans;
    while (*link != NULL) {
        struct roam__mem_span *s = *link;
        if (s->user == user && s->until != ROAM_VERSION_MAX &&
            !has_rows(mem, group, s)) {
            *link = s->next;
            free(s);
            continue;
        }
        count += s->user == user ? 1u : 0u;
        link = &s->next;
    }
    return count;
}

bool roam__mem_is_crowded(struct roam__mem *mem,
                          const struct roam__mem_user *user, uint32_t most)
{
    uint32_t count = 0;
    for (struct roam__mem_group *g = mem->groups; most != 0 && g != NULL;
         g = g->next) {
        count += count_spans(mem, g, user);
    }
    return most != 0 && count >= most;
}

/* Without a source of randomness the ids are numbers. */
struct roam__mem_group *roam__mem_group_new(struct roam__mem *mem)
{
    struct roam__mem_group *group = roam__alloc(sizeof *group);
    if (group == NULL) {
        return NULL;
    }
    uint8_t random[ROAM_GROUP_ID_RANDOM_BYTES] = {0};
    uint64_t number = ++mem->last_group;
    if (mem->random != NULL) {
        mem->random(mem->random_ctx, random, sizeof random);
    } else {
        memcpy(random, &number, sizeof number);
    }
    group->self.id = -(int64_t)number;
    group->self.group = group;
    roam_group_id_write(random, group->self.name);
    return group;
}

/* ----------------------------------------------------------------- changes */

bool roam__mem_step_new(struct roam__mem_step *step)
{
    step->member = roam__alloc(sizeof *step->member);
    step->span = roam__alloc(sizeof *step->span);
    return step->member != NULL && step->span != NULL;
}

void roam__mem_step_free(struct roam__mem_step *step)
{
    free(step->member);
    free(step->span);
    step->member = NULL;
    step->span = NULL;
}

static void close_span(struct roam__mem_group *group,
                       const struct roam__mem_user *user, uint64_t msg_id)
{
    for (struct roam__mem_span *s = group->spans; s != NULL; s = s->next) {
        if (s->user == user && s->until == ROAM_VERSION_MAX) {
            s->until = msg_id;
        }
    }
}

static void open_span(struct roam__mem_group *group,
                      const struct roam__mem_user *user, uint64_t msg_id,
                      struct roam__mem_step *step)
{
    struct roam__mem_span *s = step->span;
    step->span = NULL;
    *s = (struct roam__mem_span){user, msg_id, ROAM_VERSION_MAX, group->spans};
    group->spans = s;
}

/* The place of the user in the list: the first that does not come before. */
static struct roam__mem_member **place_of(struct roam__mem_group *group,
                                          const struct roam__mem_user *user)
{
    struct roam__mem_member **at = &group->members;
    while (*at != NULL && strcmp((*at)->user->name, user->name) < 0) {
        at = &(*at)->next;
    }
    return at;
}

static void drop(struct roam__mem_member **at)
{
    struct roam__mem_member *m = *at;
    *at = m->next;
    free(m);
}

void roam__mem_move(struct roam__mem_group *group, struct roam__mem_user *user,
                    struct roam_group_part after, uint64_t msg_id,
                    struct roam__mem_step *step)
{
    struct roam_group_part before = roam__mem_part(group, user);
    bool was = roam_role_is_member(before.role);
    bool is = roam_role_is_member(after.role);
    struct roam__mem_member **at = place_of(group, user);
    if (after.role == roam_v1_Role_ROLE_NONE) {
        if (before.role != roam_v1_Role_ROLE_NONE) {
            drop(at);
        }
    } else {
        if (before.role == roam_v1_Role_ROLE_NONE) {
            struct roam__mem_member *m = step->member;
            step->member = NULL;
            *m = (struct roam__mem_member){.user = user, .next = *at};
            *at = m;
        }
        bool fresh = before.role == roam_v1_Role_ROLE_NONE || was != is;
        (*at)->since = fresh ? msg_id : (*at)->since;
        (*at)->part = after;
    }
    if (was && !is && !ROAM_FAULT("group-span-stays-open")) {
        close_span(group, user, msg_id);
    } else if (is && !was) {
        open_span(group, user, msg_id, step);
    }
}

void roam__mem_dissolve(struct roam__mem_group *group, uint64_t msg_id)
{
    while (group->members != NULL) {
        close_span(group, group->members->user, msg_id);
        drop(&group->members);
    }
}

void roam__mem_groups_free(struct roam__mem *mem)
{
    while (mem->groups != NULL) {
        struct roam__mem_group *group = mem->groups;
        mem->groups = group->next;
        while (group->members != NULL) {
            drop(&group->members);
        }
        while (group->spans != NULL) {
            struct roam__mem_span *span = group->spans;
            group->spans = span->next;
            free(span);
        }
        roam__mem_titles_free(&group->self);
        free(group);
    }
}

/* ----------------------------------------------------------------- MEMBERS */

/* Below 0: a comes before b. */
static int compare(struct roam_slice a, struct roam_slice b)
{
    size_t least = a.len < b.len ? a.len : b.len;
    int order = least == 0 ? 0 : memcmp(a.data, b.data, least);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static void add_row(struct roam_store_members *read,
                    const struct roam__mem_member *m)
{
    if (read->count == read->max_count) {
        read->more = true;
        return;
    }
    read->rows[read->count++] =
        (struct roam_member_row){.user = roam__mem_name(m->user),
                                 .name = roam__mem_title(m->user),
                                 .role = m->part.role,
                                 .muted = m->part.muted,
                                 .since = m->since};
}

static void gather(struct roam_store_members *read,
                   const struct roam__mem_group *group, uint32_t asker)
{
    bool all = asker >= roam_v1_Role_ADMIN ||
               ROAM_FAULT("applicants-shown-to-members"); /* [GRP-18] */
    for (const struct roam__mem_member *m = group->members; m != NULL;
         m = m->next) {
        if (compare(roam__mem_name(m->user), read->after) > 0 &&
            (all || roam_role_is_member(m->part.role))) {
            add_row(read, m);
        }
    }
}

bool roam__mem_members(struct roam__mem *mem, struct roam_store_request *req)
{
    struct roam_store_members *read = &req->u.members;
    const struct roam__mem_user *user = roam__mem_user_by_id(mem, read->user);
    const struct roam__mem_group *group =
        roam__mem_group(mem, read->conversation);
    struct roam_group_part part = {0};
    if (group != NULL) {
        part = roam__mem_part(group, user);
    }
    read->head = user->head;
    read->found = roam_role_is_member(part.role);
    if (!read->found) { /* [GRP-19] */
        return true;
    }
    struct roam_slice title = roam__mem_title(&group->self);
    if (title.len != 0) {
        memcpy(read->name, title.data, title.len);
    }
    read->join = group->state.join;
    read->muted = group->state.muted;
    read->member_count = group->state.members;
    read->rows = roam__alloc(read->max_count * sizeof *read->rows);
    read->no_memory = read->rows == NULL;
    if (!read->no_memory) {
        gather(read, group, part.role);
    }
    return true;
}
