/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves the server as MEMBER_PAGE.
 *
 * A change that a member can see is on that member's timeline. So a page may
 * be of any state from the one on that the last change has which this
 * connection was told of, or which is not above as_of. */
#include <inttypes.h>
#include <string.h>

#include "net.h"
#include "roam.pb.h"
#include "rows.h"
#include "watch.h"

/* A member page being compared. */
struct check {
    const struct sim_world *w;
    struct sim_page_wanted p;
    uint32_t asker;
    const roam_v1_MemberPage *page;
    struct roam_member_row rows[SIM_USERS];
    size_t count;
};

/* The number of the oldest state that the group may be in. */
static size_t first_state(const struct sim_world *w, const struct sim_link *l,
                          uint32_t group, uint64_t as_of)
{
    const struct sim_watch *t = &l->watch;
    uint64_t told = sim_oracle_line(w, t->user, t->told)->version;
    uint64_t version = as_of > told ? as_of : told;
    const struct sim_message *change = NULL;
    size_t first = 0;
    for (size_t i = 0; sim_oracle_group_was(w, group, i, &change) != NULL;
         i++) {
        uint64_t at = change->version[t->user];
        first = at != 0 && at <= version ? i : first;
    }
    return first;
}

bool sim_watch_may_be_out(const struct sim_world *w, const struct sim_link *l,
                          uint32_t group)
{
    const struct sim_message *change = NULL;
    const struct sim_group_state *s = NULL;
    size_t i = first_state(w, l, group, 0);
    bool out = false;
    if (i == 0) { /* it may not have been told of the first one either */
        sim_oracle_group_was(w, group, 0, &change);
        out = change->version[l->watch.user] == 0 ||
              change->version[l->watch.user] >
                  sim_oracle_line(w, l->watch.user, l->watch.told)->version;
    }
    for (; (s = sim_oracle_group_was(w, group, i, &change)) != NULL; i++) {
        out = out || !sim_role_is_member(s->parts[l->watch.user].role);
    }
    return out;
}

/* The next user, by name, whom the page must show; SIM_USERS: none. The names
 * rise as the numbers do. */
static uint32_t next_shown(const struct check *c,
                           const struct sim_group_state *s, uint32_t from)
{
    bool all = s->parts[c->asker].role == roam_v1_Role_ADMIN ||
               s->parts[c->asker].role == roam_v1_Role_OWNER; /* [GRP-18] */
    uint32_t u = from;
    while (u < SIM_USERS &&
           !(sim_role_is_member(s->parts[u].role) ||
             (all && s->parts[u].role == roam_v1_Role_APPLICANT))) {
        u++;
    }
    return u;
}

static bool is_row_of(const struct check *c, const struct roam_member_row *row,
                      uint32_t user, const struct sim_part *part)
{
    struct roam_bytes name = sim_oracle_party_name(c->w, user);
    return user < SIM_USERS &&
           sim_same_bytes(row->user.data, row->user.len, name.data, name.len) &&
           row->role == part->role && row->muted == part->muted &&
           row->since == part->since->msg_id;
}

/* [GRP-17], [GRP-21] */
static bool is_of(const struct check *c, const struct sim_group_state *s)
{
    uint32_t members = 0;
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        members += sim_role_is_member(s->parts[u].role) ? 1u : 0u;
    }
    if (!sim_role_is_member(s->parts[c->asker].role) ||
        (uint32_t)c->page->join != s->join || c->page->muted != s->muted ||
        c->page->member_count != members ||
        !sim_same_bytes(c->page->name, strlen(c->page->name), s->name.data,
                        s->name.len)) {
        return false;
    }
    bool from_first = c->p.user >= SIM_USERS;
    uint32_t u = next_shown(c, s, from_first ? 0 : c->p.user + 1);
    for (size_t i = 0; i < c->count; i++) {
        if (u == SIM_USERS || !is_row_of(c, &c->rows[i], u, &s->parts[u])) {
            return false;
        }
        u = next_shown(c, s, u + 1);
    }
    return c->page->more == (u < SIM_USERS) && (c->count > 0 || u == SIM_USERS);
}

static void check_as_of(struct sim_world *w, const struct sim_link *l,
                        uint64_t as_of)
{
    const struct sim_watch *t = &l->watch;
    size_t number = 0;
    sim_oracle_find(w, t->user, as_of, &number);
    if (as_of > sim_oracle_head(w, t->user) ||
        (t->delivering && number < t->sent_most)) {
        sim_fail(w, "GRP-21", "#%u: as_of %" PRIu64, l->number, as_of);
    }
}

void sim_watch_members(struct sim_world *w, struct sim_link *l,
                       const struct roam_message *m)
{
    struct check c = {
        .w = w, .asker = l->watch.user, .page = &m->u.member_page};
    struct roam_slice rows = m->body;
    if (!sim_watch_page_answers(w, l, ROAM_MEMBERS, c.page->ref, &c.p)) {
        return;
    }
    while (c.count < SIM_USERS &&
           roam_member_row_next(&rows, &c.rows[c.count])) {
        c.count++;
    }
    check_as_of(w, l, c.page->as_of);
    for (size_t i = 0; i < c.count; i++) {
        const struct roam_bytes user = {c.rows[i].user.data,
                                        c.rows[i].user.len};
        uint32_t u = sim_oracle_user(user);
        if (u < SIM_USERS && !sim_oracle_was_named(w, u, c.rows[i].name, 0)) {
            sim_fail(w, "GRP-17", "#%u: member %" PRIu32 " has a wrong name",
                     l->number, u);
        }
    }
    if (c.count != c.page->count || c.count > c.p.max_rows ||
        c.p.conversation < SIM_USERS || c.p.conversation == SIM_PARTIES) {
        sim_fail(w, "GRP-17", "#%u: %zu rows", l->number, c.count);
        return;
    }
    uint32_t group = c.p.conversation - SIM_USERS;
    const struct sim_message *change = NULL;
    const struct sim_group_state *s = NULL;
    for (size_t i = first_state(w, l, group, c.page->as_of);
         (s = sim_oracle_group_was(w, group, i, &change)) != NULL; i++) {
        if (is_of(&c, s)) {
            return;
        }
    }
    sim_fail(w, "GRP-17",
             "#%u: %zu rows of group %" PRIu32 " behind %" PRIu32
             " as it never was",
             l->number, c.count, group, c.p.user);
}
