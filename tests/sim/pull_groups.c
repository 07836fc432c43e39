/* SPDX-License-Identifier: Apache-2.0 */
/* What an app knows of its groups. It asks for the members of a group when it
 * comes to know of it otherwise than by the CREATE, and again after each own
 * change, which comes as NOOP. What lies behind the page in the chain changes
 * what the page told: [GRP-23]. */
#include <inttypes.h>

#include "device.h"
#include "fault.h"
#include "pull.h"
#include "roam.pb.h"

static bool is_admin(uint32_t role)
{
    return role >= roam_v1_Role_ADMIN;
}

/* ---------------------------------------------------------------- changes */

static void set_role(struct sim_group_copy *g, sim_users users, uint32_t role)
{
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        if ((users >> u & 1) != 0) {
            g->parts[u].role = role;
            g->parts[u].muted =
                g->parts[u].muted && role >= roam_v1_Role_MEMBER;
        }
    }
}

static void mute(struct sim_group_copy *g, sim_users users, bool muted)
{
    g->muted = users == 0 ? muted : g->muted;
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        if ((users >> u & 1) != 0) {
            g->parts[u].muted = muted;
        }
    }
}

static void invite(struct sim_group_copy *g, sim_users users)
{
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        if ((users >> u & 1) != 0 && g->parts[u].role < roam_v1_Role_MEMBER) {
            g->parts[u].role = roam_v1_Role_MEMBER;
        }
    }
}

static void create(struct sim_group_copy *g, sim_users from,
                   const struct sim_change *c)
{
    *g = (struct sim_group_copy){
        .known = true, .asks = g->asks, .join = c->join};
    g->name = sim_hash(0, c->name.data, c->name.len);
    set_role(g, from, roam_v1_Role_OWNER);
    invite(g, c->users);
}

static void apply(struct sim_group_copy *g, sim_users from,
                  const struct sim_change *c)
{
    uint32_t joined = g->join == roam_v1_JoinMode_JOIN_OPEN
                          ? roam_v1_Role_MEMBER
                          : roam_v1_Role_APPLICANT;
    switch ((int)c->action) {
    case roam_v1_GroupAction_CREATE:
        create(g, from, c);
        return;
    case roam_v1_GroupAction_INVITE:
    case roam_v1_GroupAction_APPROVE:
        invite(g, c->users);
        return;
    case roam_v1_GroupAction_JOIN:
        set_role(g, from, joined);
        return;
    case roam_v1_GroupAction_DENY:
    case roam_v1_GroupAction_REMOVE:
        set_role(g, c->users, roam_v1_Role_ROLE_NONE);
        return;
    case roam_v1_GroupAction_LEAVE:
        set_role(g, from, roam_v1_Role_ROLE_NONE);
        return;
    case roam_v1_GroupAction_RENAME:
        g->name = sim_hash(0, c->name.data, c->name.len);
        return;
    case roam_v1_GroupAction_SET_ADMIN:
        set_role(g, c->users, roam_v1_Role_ADMIN);
        return;
    case roam_v1_GroupAction_UNSET_ADMIN:
        set_role(g, c->users, roam_v1_Role_MEMBER);
        return;
    case roam_v1_GroupAction_MUTE:
    case roam_v1_GroupAction_UNMUTE:
        mute(g, c->users, c->action == roam_v1_GroupAction_MUTE);
        return;
    case roam_v1_GroupAction_SET_JOIN:
        g->join = c->join;
        return;
    case roam_v1_GroupAction_TRANSFER:
        set_role(g, from, roam_v1_Role_ADMIN);
        set_role(g, c->users, roam_v1_Role_OWNER);
        mute(g, c->users, false);
        return;
    default: /* DISSOLVE */
        g->known = false;
        return;
    }
}

/* The group has to be asked for, also if that is under way. */
static void must_ask(struct sim_device *d, struct sim_group_copy *g)
{
    struct sim_members_asked *p = &d->page.members;
    g->asks = true;
    p->again =
        p->again || (p->group < SIM_GROUPS && g == &d->disk.groups[p->group]);
}

/* What its user is no more, it does not see. */
static void settle(struct sim_device *d, struct sim_group_copy *g,
                   uint32_t before)
{
    uint32_t role = g->parts[d->user].role;
    g->known = g->known && role >= roam_v1_Role_MEMBER;
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        if (!is_admin(role) && g->parts[u].role == roam_v1_Role_APPLICANT) {
            g->parts[u].role = roam_v1_Role_ROLE_NONE;
        }
    }
    if (is_admin(role) && !is_admin(before)) {
        must_ask(d, g); /* for the applicants */
    }
}

void sim_groups_entry_stored(struct sim_device *d, const struct sim_stored *e,
                             const struct sim_change *change)
{
    struct sim_group_copy *g = &d->disk.groups[e->conversation - SIM_USERS];
    uint32_t before = g->parts[d->user].role;
    bool newer = e->version > g->as_of || ROAM_FAULT("app-ignores-as-of");
    bool creates =
        change != NULL && change->action == roam_v1_GroupAction_CREATE;
    creates = creates && !g->told;
    if (change == NULL || (!g->known && !creates)) {
        must_ask(d, g); /* it may be how its user came in */
    } else if (newer) {
        apply(g, 1u << e->from, change);
        settle(d, g, before);
    }
    g->changed = e->version;
}

void sim_groups_own_sent(struct sim_device *d, const struct sim_message *m)
{
    if (m->kind == roam_v1_Kind_GROUP && m->party >= SIM_USERS &&
        m->party < SIM_PARTIES) {
        must_ask(d, &d->disk.groups[m->party - SIM_USERS]);
        d->disk.groups[m->party - SIM_USERS].told = true;
    }
}

void sim_groups_reset_stored(struct sim_device *d)
{
    for (uint32_t g = 0; g < SIM_GROUPS; g++) {
        bool told = d->disk.groups[g].told;
        d->disk.groups[g] = (struct sim_group_copy){.told = told};
    }
    d->page.members.more = false;
}

void sim_groups_doubt(struct sim_device *d, uint64_t from, uint64_t to)
{
    for (uint32_t i = 0; i < SIM_GROUPS; i++) {
        struct sim_group_copy *g = &d->disk.groups[i];
        if ((g->as_of > from && g->as_of < to) ||
            (g->as_of_high > from && g->as_of_high < to)) {
            g->known = false;
            g->as_of = g->as_of_high = 0;
            must_ask(d, g);
        }
    }
}

/* Out by an ERROR that overtook the entry of the REMOVE; then the server lost
 * both, with the device's cursor still a link: nobody tells that its user is
 * in. */
void sim_groups_look_again(struct sim_device *d)
{
    if (ROAM_FAULT("app-trusts-lost-errors")) {
        return;
    }
    for (uint32_t i = 0; i < SIM_GROUPS; i++) {
        struct sim_group_copy *g = &d->disk.groups[i];
        if (g->told && !g->known) {
            must_ask(d, g);
        }
    }
}

void sim_groups_listed(struct sim_device *d, uint64_t conversation)
{
    if (conversation >= SIM_USERS &&
        !d->disk.groups[conversation - SIM_USERS].known) {
        must_ask(d, &d->disk.groups[conversation - SIM_USERS]);
    }
}

/* ----------------------------------------------------------------- asking */

void sim_groups_lost(struct sim_device *d)
{
    d->page.members.more = false;
}

bool sim_groups_pending(const struct sim_device *d)
{
    bool asks = d->page.members.more;
    for (uint32_t g = 0; g < SIM_GROUPS; g++) {
        asks = asks || d->disk.groups[g].asks;
    }
    return asks;
}

/* One that it has to ask for; or, to look around, any at all. */
static uint32_t choose(struct sim_world *w, const struct sim_device *d)
{
    uint32_t found = SIM_GROUPS;
    uint32_t count = 0;
    if (d->page.is_probe) {
        found = sim_rng_below(&w->rng, SIM_GROUPS + 1);
        return found < sim_oracle_groups(w) ? found : SIM_GROUPS;
    }
    for (uint32_t g = 0; g < sim_oracle_groups(w); g++) {
        if (d->disk.groups[g].asks && sim_rng_below(&w->rng, ++count) == 0) {
            found = g;
        }
    }
    return found;
}

enum roam_status sim_groups_ask(struct sim_world *w, struct sim_device *d,
                                uint32_t rows)
{
    struct sim_members_asked *p = &d->page.members;
    struct roam_bytes after = {NULL, 0};
    if (p->more) {
        after = sim_oracle_party_name(w, p->after);
    } else {
        *p = (struct sim_members_asked){.group = choose(w, d)};
    }
    struct roam_bytes name = sim_oracle_party_name(
        w, p->group == SIM_GROUPS ? SIM_PARTIES : SIM_USERS + p->group);
    sim_step(w, SIM_STEP_ASKS_MEMBERS, d->index, p->group, rows);
    enum roam_status status = roam_client_members(&d->client, d->page.ref, name,
                                                  after, rows, w->now_ms);
    p->more = false;
    return status;
}

/* ---------------------------------------------------------------- answers */

void sim_groups_on_member(struct sim_world *w, struct sim_device *d,
                          const struct roam_event *ev)
{
    struct sim_members_asked *p = &d->page.members;
    uint32_t user = sim_oracle_user(ev->u.member.user);
    if (!d->page.asked || d->page.what != SIM_ASKS_MEMBERS ||
        user == SIM_USERS || ev->u.member.ref != d->page.ref) {
        sim_fail(w, "client", "%s gets a member of no page", d->name);
        return;
    }
    p->copy.parts[user].role = ev->u.member.role;
    p->copy.parts[user].muted = ev->u.member.muted;
    p->after = user;
}

/* All pages together are as old as the first: what changed since comes by the
 * chain, or came and has to be asked for again. */
void sim_groups_on_end(struct sim_world *w, struct sim_device *d,
                       const struct roam_event *ev)
{
    struct sim_members_asked *p = &d->page.members;
    (void)w;
    if (p->copy.as_of == 0) {
        p->copy.as_of = ev->u.page_end.as_of;
        p->copy.join = ev->u.page_end.join;
        p->copy.muted = ev->u.page_end.muted;
        p->copy.name =
            sim_hash(0, ev->u.page_end.name.data, ev->u.page_end.name.len);
    }
    p->copy.as_of_high = ev->u.page_end.as_of;
    p->more = ev->u.page_end.more;
    if (p->more || p->group == SIM_GROUPS) {
        return;
    }
    struct sim_group_copy *g = &d->disk.groups[p->group];
    bool asks = p->again || g->changed > p->copy.as_of;
    uint64_t changed = g->changed;
    *g = p->copy;
    g->known = p->copy.parts[d->user].role >= roam_v1_Role_MEMBER;
    g->asks = asks;
    g->told = true;
    g->changed = changed;
}

void sim_groups_on_failed(struct sim_device *d, uint32_t code)
{
    struct sim_members_asked *p = &d->page.members;
    p->more = false;
    if (code != 0 && p->group < SIM_GROUPS) {
        d->disk.groups[p->group].known = false; /* it is out */
        d->disk.groups[p->group].told = true;
        d->disk.groups[p->group].asks = p->again;
    }
}

/* ----------------------------------------------------------------- at end */

static bool knows_part(const struct sim_group_copy *g, uint32_t user,
                       const struct sim_part *part, bool admin)
{
    uint32_t role = part->role == roam_v1_Role_APPLICANT && !admin
                        ? (uint32_t)roam_v1_Role_ROLE_NONE
                        : part->role;
    return g->parts[user].role == role && g->parts[user].muted == part->muted;
}

void sim_groups_check(struct sim_world *w, const struct sim_device *d)
{
    for (uint32_t i = 0; i < sim_oracle_groups(w); i++) {
        const struct sim_group_copy *g = &d->disk.groups[i];
        const struct sim_group_state *s = sim_oracle_group(w, i);
        uint32_t role = s->parts[d->user].role;
        bool right = g->known == sim_role_is_member(role);
        if (right && g->known) {
            right = g->join == s->join && g->muted == s->muted &&
                    g->name == sim_hash(0, s->name.data, s->name.len);
            for (uint32_t u = 0; u < SIM_USERS; u++) {
                right = right && knows_part(g, u, &s->parts[u], is_admin(role));
            }
        }
        if (!right) {
            sim_fail(w, "GRP-23", "%s does not know group %" PRIu32 " as it is",
                     d->name, i);
        }
    }
}
