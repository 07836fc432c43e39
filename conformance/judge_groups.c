/* SPDX-License-Identifier: Apache-2.0 */
/* Judges of groups: who is in them when something is said there. See judge.h.
 *
 * The judge has a model of its own. It takes the changes that were answered
 * with SEND_OK, in the order of their msg_ids, and does with them what
 * section 7.2 says; so it knows of every SEND whose timelines it belongs on
 * and in whose history it is a row. While a change is unanswered it may have
 * been carried out or not, and what comes behind it is not judged. */
#include "judge.h"

#include <stdlib.h>
#include <string.h>

/* Users are bits of a set, by their places in the scenario. */
static uint64_t bit_of(const struct user *u)
{
    return u && u->index < 64 ? UINT64_C(1) << u->index : 0;
}

static bool is_text(const struct value *v, const char *text)
{
    const struct value other = value_text(text);
    return value_equal(v, &other);
}

bool judge_is_group(const char *conversation)
{
    return conversation[0] == '#';
}

static uint64_t with_role(const struct group *g, Roam__V1__Role least)
{
    uint64_t set = 0;
    for (size_t i = 0; i < GROUP_USERS_MAX; i++) {
        set |= g->roles[i] >= (uint8_t)least ? UINT64_C(1) << i : 0;
    }
    return set;
}

static uint64_t members_of(const struct group *g)
{
    return with_role(g, ROAM__V1__ROLE__MEMBER);
}

static void set_role(struct group *g, const struct user *u, Roam__V1__Role role)
{
    if (u && u->index < GROUP_USERS_MAX) {
        g->roles[u->index] = (uint8_t)role;
    }
}

static Roam__V1__Role role_of(const struct group *g, const struct user *u)
{
    return u && u->index < GROUP_USERS_MAX ? (Roam__V1__Role)g->roles[u->index]
                                           : ROAM__V1__ROLE__ROLE_NONE;
}

/* ----------------------------------------------------------------- changes */

static void take_in(struct world *w, struct group *g,
                    const Roam__V1__GroupChange *c)
{
    for (size_t i = 0; i < c->n_users; i++) {
        struct user *u = world_user_named(w, c->users[i]);
        if (role_of(g, u) < ROAM__V1__ROLE__MEMBER) {
            set_role(g, u, ROAM__V1__ROLE__MEMBER);
        }
    }
}

static void apply(struct world *w, struct group *g, struct user *actor,
                  const Roam__V1__GroupChange *c)
{
    struct user *target =
        c->n_users > 0 ? world_user_named(w, c->users[0]) : NULL;
    switch (c->action) {
    case ROAM__V1__GROUP_ACTION__CREATE:
        set_role(g, actor, ROAM__V1__ROLE__OWNER);
        g->join = c->join;
        take_in(w, g, c);
        break;
    case ROAM__V1__GROUP_ACTION__INVITE:
    case ROAM__V1__GROUP_ACTION__APPROVE:
        take_in(w, g, c);
        break;
    case ROAM__V1__GROUP_ACTION__JOIN:
        set_role(g, actor,
                 g->join == ROAM__V1__JOIN_MODE__JOIN_OPEN
                     ? ROAM__V1__ROLE__MEMBER
                     : ROAM__V1__ROLE__APPLICANT);
        break;
    case ROAM__V1__GROUP_ACTION__DENY:
    case ROAM__V1__GROUP_ACTION__REMOVE:
        set_role(g, target, ROAM__V1__ROLE__ROLE_NONE);
        break;
    case ROAM__V1__GROUP_ACTION__LEAVE:
        set_role(g, actor, ROAM__V1__ROLE__ROLE_NONE);
        break;
    case ROAM__V1__GROUP_ACTION__SET_ADMIN:
        set_role(g, target, ROAM__V1__ROLE__ADMIN);
        break;
    case ROAM__V1__GROUP_ACTION__UNSET_ADMIN:
        set_role(g, target, ROAM__V1__ROLE__MEMBER);
        break;
    case ROAM__V1__GROUP_ACTION__SET_JOIN:
        g->join = c->join;
        break;
    case ROAM__V1__GROUP_ACTION__TRANSFER:
        set_role(g, actor, ROAM__V1__ROLE__ADMIN);
        set_role(g, target, ROAM__V1__ROLE__OWNER);
        break;
    case ROAM__V1__GROUP_ACTION__DISSOLVE:
        memset(g->roles, 0, sizeof g->roles);
        break;
    default: /* RENAME, MUTE, UNMUTE */
        break;
    }
}

/* Who gets an application, or the denial of one: [GRP-12]. */
static bool is_application(const struct group *after, const struct user *actor,
                           const Roam__V1__GroupChange *c)
{
    return c->action == ROAM__V1__GROUP_ACTION__DENY ||
           (c->action == ROAM__V1__GROUP_ACTION__JOIN &&
            role_of(after, actor) == ROAM__V1__ROLE__APPLICANT);
}

static void judge_change(struct world *w, struct group *g, struct sent *s)
{
    Roam__V1__GroupChange *c = (Roam__V1__GroupChange *)message_decode(
        &roam__v1__group_change__descriptor, s->body.data, s->body.len);
    struct user *actor = s->link->device->user;
    uint64_t before = members_of(g);
    if (!c) {
        g->is_vague = true;
        return;
    }
    apply(w, g, actor, c);
    s->sees = s->shows = before | members_of(g); /* [GRP-11] */
    if (is_application(g, actor, c)) {
        struct user *target =
            c->n_users > 0 ? world_user_named(w, c->users[0]) : NULL;
        s->shows = with_role(g, ROAM__V1__ROLE__ADMIN);
        s->sees = s->shows | bit_of(actor) | bit_of(target);
    }
}

static uint64_t named_by(struct world *w, const struct sent *s, uint64_t all)
{
    Roam__V1__App *app = (Roam__V1__App *)message_decode(
        &roam__v1__app__descriptor, s->body.data, s->body.len);
    uint64_t set =
        app && app->n_users > 0 ? bit_of(s->link->device->user) : all;
    for (size_t i = 0; app && i < app->n_users; i++) {
        set |= bit_of(world_user_named(w, app->users[i]));
    }
    return set; /* [GRP-24] */
}

/* -------------------------------------------------------------------- walk */

static int by_msg_id(const void *left, const void *right)
{
    const struct sent *a = *(struct sent *const *)left;
    const struct sent *b = *(struct sent *const *)right;
    return (a->msg_id > b->msg_id) - (a->msg_id < b->msg_id);
}

static bool is_of(const struct sent *s, const char *id)
{
    return s->group && strcmp(s->group, id) == 0;
}

/* Anything that was not answered and may be a change of this group. */
static bool may_have_changed(const struct world *w, const char *id)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        const struct sent *s = &w->sent[i];
        if (s->kind == ROAM__V1__KIND__GROUP && !s->is_answered &&
            is_text(&s->conversation, id)) {
            return true;
        }
    }
    return false;
}

/* What was answered without being stored anew has the id of another row. */
static size_t collect(struct world *w, const char *id, struct sent **out)
{
    size_t count = 0;
    for (size_t i = 0; i < w->sent_count; i++) {
        struct sent *s = &w->sent[i];
        if (is_of(s, id) && s->msg_id != 0 && !s->is_duplicate) {
            out[count++] = s;
        }
    }
    qsort(out, count, sizeof *out, by_msg_id);
    return count;
}

static struct group replay(struct world *w, const char *id)
{
    struct group g = {.id = id, .is_vague = may_have_changed(w, id)};
    struct sent **list = arena_alloc((w->sent_count + 1) * sizeof *list);
    size_t count = collect(w, id, list);
    for (size_t i = 0; i < count; i++) {
        struct sent *s = list[i];
        uint64_t all = members_of(&g);
        s->is_vague = g.is_vague;
        if (s->kind == ROAM__V1__KIND__GROUP) {
            judge_change(w, &g, s);
        } else if (judge_is_private(s->kind)) {
            s->sees = s->shows = bit_of(s->link->device->user);
        } else if (s->kind == ROAM__V1__KIND__APP) {
            s->sees = s->shows = named_by(w, s, all);
        } else {
            s->sees = s->shows = all;
        }
    }
    return g;
}

void judge_note_group(struct world *w, struct sent *s, const char *made)
{
    const char *to = (const char *)s->conversation.data;
    if (!judge_is_group(to)) {
        return;
    }
    s->group = made[0] ? made : to;
    (void)replay(w, s->group);
}

const char *judge_seen_in_group(const struct sent *s, const struct user *u)
{
    bool seen = s->is_vague || s->msg_id == 0 || (s->sees & bit_of(u)) != 0;
    return seen ? s->group ? s->group : (const char *)s->conversation.data
                : NULL;
}

bool judge_must_see(const struct sent *s, const struct user *u)
{
    return !s->group || (!s->is_vague && (s->sees & bit_of(u)) != 0);
}

/* ---------------------------------------------------------------- entries */

static const struct sent *stored_as(const struct world *w, const char *id,
                                    uint64_t msg_id)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        const struct sent *s = &w->sent[i];
        if (is_of(s, id) && s->msg_id == msg_id && !s->is_duplicate) {
            return s;
        }
    }
    return NULL;
}

bool judge_row_is_hidden(const struct world *w, const struct user *u,
                         const char *conversation, uint64_t msg_id)
{
    if (!judge_is_group(conversation)) {
        return world_is_old(w, msg_id); /* [KEEP-5] */
    }
    const struct sent *s = stored_as(w, conversation, msg_id);
    return world_is_old(w, msg_id) || !s || s->is_vague ||
           (s->shows & bit_of(u)) == 0;
}

bool judge_group_entries(struct world *w, const struct user *u)
{
    for (size_t i = 0; i < u->known_count; i++) {
        const Roam__V1__Push *p = u->known[i].message;
        if (!p || !judge_is_group(p->conversation)) {
            continue;
        }
        const struct sent *s = stored_as(w, p->conversation, p->msg_id);
        if (s && !s->is_vague && (s->sees & bit_of(u)) == 0) {
            return world_fail(
                w, "GRP-13 GRP-12 GRP-24",
                arena_printf("%s has an entry of a group that is not for them",
                             u->word),
                "nothing on the timelines of others", NULL);
        }
    }
    return true;
}

bool judge_group_row(struct world *w, const struct user *u,
                     const Roam__V1__Push *row, struct frame *f)
{
    const struct sent *s = judge_is_group(row->conversation)
                               ? stored_as(w, row->conversation, row->msg_id)
                               : NULL;
    return !s || s->is_vague || (s->shows & bit_of(u)) != 0 ||
           world_fail(w, "GRP-15",
                      "a row of a group that lies in no span of this user, or "
                      "was not for them",
                      "the rows that the user's spans show", f);
}

/* ----------------------------------------------------------------- MEMBERS */

static struct page_sent *find_members(struct world *w, const struct link *l,
                                      uint64_t ref)
{
    for (size_t i = 0; i < w->page_count; i++) {
        struct page_sent *p = &w->pages[i];
        if (p->link == l && p->is_members && p->ref == ref && !p->is_answered) {
            return p;
        }
    }
    return NULL;
}

void judge_note_members(struct world *w, struct link *l,
                        const Roam__V1__Members *m)
{
    arena_grow((void **)&w->pages, w->page_count, &w->page_cap,
               sizeof *w->pages);
    w->pages[w->page_count++] =
        (struct page_sent){.link = l,
                           .is_members = true,
                           .ref = m->ref,
                           .conversation = m->conversation,
                           .behind = m->after,
                           .max_rows = m->max_rows,
                           .order = w->event_count};
}

/* Was a change of the group under way while the page was? */
static bool is_settled(const struct world *w, const struct page_sent *p)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        const struct sent *s = &w->sent[i];
        bool of_it = is_of(s, p->conversation) ||
                     is_text(&s->conversation, p->conversation);
        if (of_it && s->kind == ROAM__V1__KIND__GROUP &&
            (!s->is_answered || s->done > p->order)) {
            return false;
        }
    }
    return true;
}

static bool row_is_right(const struct group *g, struct world *w,
                         const Roam__V1__MemberRow *row, bool sees_all)
{
    Roam__V1__Role role = role_of(g, world_user_named(w, row->user));
    return row->role == role && (sees_all || role >= ROAM__V1__ROLE__MEMBER);
}

/* All in the model behind `after` are there, up to the last row if there is
 * more. */
static bool nobody_is_missing(const struct group *g, const struct world *w,
                              const struct page_sent *p,
                              const struct member_rows *rows, bool more,
                              bool sees_all)
{
    const char *last =
        more && rows->count > 0 ? rows->at[rows->count - 1]->user : NULL;
    for (size_t i = 0; i < w->s->user_count; i++) {
        const struct user *u = &w->users[i];
        bool wanted = role_of(g, u) >= ROAM__V1__ROLE__MEMBER ||
                      (sees_all && role_of(g, u) != ROAM__V1__ROLE__ROLE_NONE);
        size_t at = 0;
        while (at < rows->count && strcmp(rows->at[at]->user, u->name) != 0) {
            at++;
        }
        if (wanted && strcmp(u->name, p->behind) > 0 &&
            (!last || strcmp(u->name, last) < 0) && at == rows->count) {
            return false;
        }
    }
    return true;
}

static bool check_members(struct world *w, struct link *l,
                          const struct page_sent *p,
                          const Roam__V1__MemberPage *m,
                          const struct member_rows *rows, struct frame *f)
{
    const struct user *u = l->device->user;
    struct group g = replay(w, p->conversation);
    bool sees_all = role_of(&g, u) >= ROAM__V1__ROLE__ADMIN;
    if (g.is_vague || !is_settled(w, p)) {
        return true;
    }
    if (role_of(&g, u) < ROAM__V1__ROLE__MEMBER) {
        return world_fail(w, "GRP-19", "members are told to a stranger",
                          "ERROR NO_SUCH_CONVERSATION", f);
    }
    for (size_t i = 0; i < rows->count; i++) {
        if (!row_is_right(&g, w, rows->at[i], sees_all)) {
            return world_fail(
                w, "GRP-17 GRP-18",
                arena_printf("%s is not that in the group", rows->at[i]->user),
                "who is there, as what they are", f);
        }
    }
    return nobody_is_missing(&g, w, p, rows, m->more != 0, sees_all) ||
           world_fail(w, "GRP-17 GRP-18", "somebody is left out",
                      "all behind `after`, without a gap", f);
}

bool judge_member_page(struct world *w, struct link *l, struct frame *f)
{
    const Roam__V1__MemberPage *m = (const Roam__V1__MemberPage *)f->msg;
    struct page_sent *p = find_members(w, l, m->ref);
    if (!p) {
        return world_fail(w, "GRP-17", "no MEMBERS of this ref is unanswered",
                          "one answer for each MEMBERS", f);
    }
    p->is_answered = true;
    Roam__V1__MemberRows *rows = (Roam__V1__MemberRows *)message_decode(
        &roam__v1__member_rows__descriptor, m->rows.data, m->rows.len);
    struct member_rows *kept = arena_alloc(sizeof *kept);
    *kept =
        (struct member_rows){rows ? rows->rows : NULL, rows ? rows->n_rows : 0};
    judge_add_item(l, f, LANE_COMMAND);
    l->items[l->item_count - 1].members = kept;
    if (kept->count > p->max_rows) {
        return world_fail(w, "GRP-17", "more rows than asked for", NULL, f);
    }
    if (m->more && kept->count == 0) {
        return world_fail(w, "GRP-20", "an empty page, yet there is more",
                          "one row at least", f);
    }
    if (m->as_of < l->told_version) {
        return world_fail(w, "GRP-21 HIST-9",
                          "as_of is below an entry sent before", NULL, f);
    }
    return judge_overtaken(w, l, p->order, f) &&
           check_members(w, l, p, m, kept, f);
}

bool judge_members_error(struct world *w, struct link *l,
                         const Roam__V1__Error *e, struct frame *f, bool *taken)
{
    struct page_sent *p = find_members(w, l, e->ref);
    *taken = p != NULL;
    if (!p) {
        return true;
    }
    p->is_answered = true;
    bool known = e->code == ROAM__V1__ERROR_CODE__NO_SUCH_CONVERSATION ||
                 e->code == ROAM__V1__ERROR_CODE__RATE_LIMITED;
    return judge_overtaken(w, l, p->order, f) &&
           (known ||
            world_fail(w, "GRP-19", "MEMBERS has only these errors",
                       "NO_SUCH_CONVERSATION, RATE_LIMITED, or a page", f));
}
