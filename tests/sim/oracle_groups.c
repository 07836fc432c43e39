/* SPDX-License-Identifier: Apache-2.0 */
/* What the oracle says of groups, from the words of section 7.2 and without a
 * look at the server's own rules: who may do what, what a group is
 * afterwards, and who gets the entry. */
#include "oracle.h"

#include <inttypes.h>
#include <string.h>

#include "oracle_state.h"
#include "roam.pb.h"
#include "server.h"

/* `#`, and 16 bytes in base64url. [GRP-1] */
#define GROUP_ID_BYTES 23u

bool sim_role_is_member(uint32_t role)
{
    return role == roam_v1_Role_MEMBER || role == roam_v1_Role_ADMIN ||
           role == roam_v1_Role_OWNER;
}

static bool is_admin(uint32_t role)
{
    return role == roam_v1_Role_ADMIN || role == roam_v1_Role_OWNER;
}

bool sim_oracle_makes_group(const struct sim_message *m)
{
    return m->change.action == roam_v1_GroupAction_CREATE;
}

uint32_t sim_oracle_groups(const struct sim_world *w)
{
    return w->oracle->group_count;
}

const struct sim_group_state *sim_oracle_group(const struct sim_world *w,
                                               uint32_t group)
{
    static const struct sim_group_state lost;
    const struct sim_group *g = &w->oracle->groups[group];
    return g->count == 0 ? &lost : &g->states[g->count - 1];
}

const struct sim_group_state *sim_oracle_group_was(
    const struct sim_world *w, uint32_t group, size_t number,
    const struct sim_message **change)
{
    const struct sim_group *g = &w->oracle->groups[group];
    if (number >= g->count) {
        return NULL;
    }
    *change = g->changes[number];
    return &g->states[number];
}

/* -------------------------------------------------------------- group ids */

static bool id_is_good(struct roam_slice id)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                  "qrstuvwxyz0123456789-_";
    bool good = id.len == GROUP_ID_BYTES && id.data[0] == '#';
    for (size_t i = 1; good && i < id.len; i++) {
        good = id.data[i] != '\0' && strchr(letters, id.data[i]) != NULL;
    }
    return good;
}

void sim_oracle_group_id(struct sim_world *w, const struct sim_message *m,
                         struct roam_slice id)
{
    struct sim_group *g = &w->oracle->groups[m->party - SIM_USERS];
    const struct roam_bytes name = {id.data, id.len};
    uint32_t party = sim_oracle_party(w, name);
    if (g->id[0] == '\0' && party == SIM_PARTIES && id_is_good(id)) {
        memcpy(g->id, id.data, id.len);
    } else if (g->id[0] == '\0' || party != m->party) {
        sim_fail(w, "GRP-1", "%" PRIx64 " made group %.*s", m->client_msg_id,
                 (int)id.len, (const char *)id.data);
    }
}

/* ------------------------------------------------------------ who may what */

/* The one user that a change names; NULL: none, or several. */
static const struct sim_part *target_of(const struct sim_group_state *s,
                                        const struct sim_message *m)
{
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        if (m->change.users == 1u << u) {
            return &s->parts[u];
        }
    }
    return NULL;
}

static bool invites(const struct sim_message *m)
{
    return sim_oracle_makes_group(m) ||
           m->change.action == roam_v1_GroupAction_INVITE;
}

/* [GRP-6], its first half */
static bool names_nobody(const struct sim_group_state *s,
                         const struct sim_message *m)
{
    const struct sim_part *target = target_of(s, m);
    if (m->change.nobody) {
        return true;
    }
    if (invites(m) || target == NULL) {
        return false;
    }
    if (m->change.action == roam_v1_GroupAction_APPROVE ||
        m->change.action == roam_v1_GroupAction_DENY) {
        return target->role != roam_v1_Role_APPLICANT ||
               !is_admin(s->parts[m->user].role);
    }
    return !sim_role_is_member(target->role);
}

/* The table of [GRP-4]: may a member do that? */
static bool table_allows(const struct sim_group_state *s,
                         const struct sim_message *m)
{
    uint32_t role = s->parts[m->user].role;
    const struct sim_part *target = target_of(s, m);
    bool itself = target == &s->parts[m->user];
    switch ((int)m->change.action) {
    case roam_v1_GroupAction_INVITE:
        return s->join != roam_v1_JoinMode_JOIN_CLOSED || is_admin(role);
    case roam_v1_GroupAction_JOIN:
        return true;
    case roam_v1_GroupAction_LEAVE:
        return role != roam_v1_Role_OWNER;
    case roam_v1_GroupAction_APPROVE:
    case roam_v1_GroupAction_DENY:
    case roam_v1_GroupAction_RENAME:
    case roam_v1_GroupAction_SET_JOIN:
        return is_admin(role);
    case roam_v1_GroupAction_REMOVE:
    case roam_v1_GroupAction_MUTE:
    case roam_v1_GroupAction_UNMUTE:
        return is_admin(role) && (target == NULL || target->role < role);
    case roam_v1_GroupAction_SET_ADMIN:
    case roam_v1_GroupAction_UNSET_ADMIN:
        return role == roam_v1_Role_OWNER && !itself;
    case roam_v1_GroupAction_TRANSFER:
    case roam_v1_GroupAction_DISSOLVE:
        return role == roam_v1_Role_OWNER;
    default:
        return false;
    }
}

/* ------------------------------------------------------- what becomes so */

static void set_part(struct sim_part *part, uint32_t role,
                     const struct sim_message *m)
{
    bool was = sim_role_is_member(part->role);
    if (part->role == roam_v1_Role_ROLE_NONE ||
        was != sim_role_is_member(role)) {
        part->since = m;
    }
    part->role = role;
}

/* Everybody whom CREATE or INVITE names, and who is not one yet. */
static void make_members(struct sim_group_state *s, const struct sim_message *m)
{
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        if ((m->change.users >> u & 1) != 0 &&
            !sim_role_is_member(s->parts[u].role)) {
            set_part(&s->parts[u], roam_v1_Role_MEMBER, m);
        }
    }
}

static void join(struct sim_group_state *s, const struct sim_message *m)
{
    struct sim_part *part = &s->parts[m->user];
    if (!sim_role_is_member(part->role)) {
        bool open = s->join == roam_v1_JoinMode_JOIN_OPEN;
        set_part(part, open ? roam_v1_Role_MEMBER : roam_v1_Role_APPLICANT, m);
    }
}

static void transfer(struct sim_part *from, struct sim_part *to)
{
    if (from != to) {
        from->role = roam_v1_Role_ADMIN;
        to->role = roam_v1_Role_OWNER;
        to->muted = false;
    }
}

static void apply(struct sim_group_state *s, const struct sim_message *m)
{
    static const struct sim_part none;
    struct sim_part *actor = &s->parts[m->user];
    const struct sim_part *named = target_of(s, m);
    struct sim_part *target =
        named == NULL ? NULL : &s->parts[named - s->parts];
    bool mutes = m->change.action == roam_v1_GroupAction_MUTE;
    switch ((int)m->change.action) {
    case roam_v1_GroupAction_CREATE:
        s->join = m->change.join;
        s->name = m->change.name;
        set_part(actor, roam_v1_Role_OWNER, m);
        make_members(s, m);
        return;
    case roam_v1_GroupAction_INVITE:
        make_members(s, m);
        return;
    case roam_v1_GroupAction_JOIN:
        join(s, m);
        return;
    case roam_v1_GroupAction_APPROVE:
        set_part(target, roam_v1_Role_MEMBER, m);
        return;
    case roam_v1_GroupAction_DENY:
    case roam_v1_GroupAction_REMOVE:
        *target = none;
        return;
    case roam_v1_GroupAction_LEAVE:
        *actor = none;
        return;
    case roam_v1_GroupAction_RENAME:
        s->name = m->change.name;
        return;
    case roam_v1_GroupAction_SET_ADMIN:
        target->role = roam_v1_Role_ADMIN;
        return;
    case roam_v1_GroupAction_UNSET_ADMIN:
        target->role = roam_v1_Role_MEMBER;
        return;
    case roam_v1_GroupAction_MUTE:
    case roam_v1_GroupAction_UNMUTE:
        *(target == NULL ? &s->muted : &target->muted) = mutes;
        return;
    case roam_v1_GroupAction_SET_JOIN:
        s->join = m->change.join;
        return;
    case roam_v1_GroupAction_TRANSFER:
        transfer(actor, target);
        return;
    case roam_v1_GroupAction_DISSOLVE:
        memset(s->parts, 0, sizeof s->parts);
        s->join = roam_v1_JoinMode_JOIN_CLOSED;
        return;
    default:
        return;
    }
}

static bool is_same(const struct sim_group_state *a,
                    const struct sim_group_state *b)
{
    bool same =
        a->join == b->join && a->muted == b->muted &&
        sim_same_bytes(a->name.data, a->name.len, b->name.data, b->name.len);
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        same = same && a->parts[u].role == b->parts[u].role &&
               a->parts[u].muted == b->parts[u].muted;
    }
    return same;
}

static uint32_t count_members(const struct sim_group_state *s)
{
    uint32_t count = 0;
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        count += sim_role_is_member(s->parts[u].role) ? 1u : 0u;
    }
    return count;
}

/* -------------------------------------------------------------- decisions */

static uint32_t refuse_change(const struct sim_world *w,
                              const struct sim_group_state *now,
                              const struct sim_group_state *then,
                              const struct sim_message *m)
{
    uint32_t most = w->server->config.store_settings.max_members;
    bool makes = sim_oracle_makes_group(m);
    bool joins = m->change.action == roam_v1_GroupAction_JOIN &&
                 now->join != roam_v1_JoinMode_JOIN_CLOSED;
    if (!makes && !joins && !sim_role_is_member(now->parts[m->user].role)) {
        return roam_v1_ErrorCode_NO_SUCH_CONVERSATION; /* [GRP-5] */
    }
    if (names_nobody(now, m)) {
        return roam_v1_ErrorCode_NO_SUCH_USER;
    }
    if (!makes && !table_allows(now, m)) {
        return roam_v1_ErrorCode_FORBIDDEN;
    }
    if (invites(m) && sim_oracle_newcomer_refuses(w, now, m)) {
        return roam_v1_ErrorCode_POLICY;
    }
    bool grows = count_members(then) > count_members(now);
    return grows && count_members(then) > most /* [GRP-7] */
               ? roam_v1_ErrorCode_GROUP_FULL
               : 0u;
}

static const struct sim_group_state no_group;

static const struct sim_group_state *state_of(const struct sim_world *w,
                                              const struct sim_message *m)
{
    bool makes = sim_oracle_makes_group(m);
    return makes ? &no_group : sim_oracle_group(w, m->party - SIM_USERS);
}

static enum roam_send_result decide_change(const struct sim_world *w,
                                           const struct sim_message *m,
                                           uint32_t *error, uint64_t *stands)
{
    const struct sim_group_state *now = state_of(w, m);
    struct sim_group_state then = *now;
    uint32_t before = refuse_change(w, now, now, m);
    if (before == 0) { /* or else what it names may not be there */
        apply(&then, m);
    }
    *error = before != 0 ? before : refuse_change(w, now, &then, m);
    if (*error != 0) {
        return ROAM_SEND_REFUSED;
    }
    if (m->change.action != roam_v1_GroupAction_CREATE && is_same(now, &then)) {
        const struct sim_message *since = now->parts[m->user].since;
        bool joins = m->change.action == roam_v1_GroupAction_JOIN;
        *stands = joins ? since->msg_id /* [GRP-9] */
                        : w->oracle->last_msg_id[m->party][0];
        return ROAM_SEND_DUPLICATE;
    }
    return ROAM_SEND_STORED;
}

/* [GRP-5], [GRP-16], [GRP-24], [GRP-10] */
static uint32_t refuse_send(const struct sim_world *w,
                            const struct sim_message *m)
{
    const struct sim_group *g = &w->oracle->groups[m->party - SIM_USERS];
    const struct sim_group_state *s = sim_oracle_group(w, m->party - SIM_USERS);
    const struct sim_part *part = &s->parts[m->user];
    bool own = m->kind == roam_v1_Kind_DELETE || m->kind == roam_v1_Kind_READ;
    bool speaks =
        m->kind == roam_v1_Kind_MESSAGE || m->kind == roam_v1_Kind_APP;
    if (!sim_role_is_member(part->role)) {
        bool former = (g->ever >> m->user & 1) != 0;
        return own && former ? 0u
                             : (uint32_t)roam_v1_ErrorCode_NO_SUCH_CONVERSATION;
    }
    bool unknown = m->change.nobody;
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        unknown = unknown || ((m->change.users >> u & 1) != 0 &&
                              !sim_role_is_member(s->parts[u].role));
    }
    if (unknown) {
        return roam_v1_ErrorCode_NO_SUCH_USER;
    }
    bool muted = part->muted || (s->muted && part->role == roam_v1_Role_MEMBER);
    return speaks && muted ? roam_v1_ErrorCode_MUTED : 0u;
}

enum roam_send_result sim_oracle_decide_group(const struct sim_world *w,
                                              const struct sim_message *m,
                                              const struct roam_store_send *in,
                                              uint32_t *error, uint64_t *stands)
{
    bool makes = sim_oracle_makes_group(m);
    if (!makes && (m->party == SIM_PARTIES ||
                   w->oracle->groups[m->party - SIM_USERS].count == 0)) {
        *error = roam_v1_ErrorCode_NO_SUCH_CONVERSATION;
        return ROAM_SEND_REFUSED;
    }
    if (m->kind == roam_v1_Kind_GROUP) {
        return decide_change(w, m, error, stands);
    }
    *error = refuse_send(w, m);
    return *error != 0 ? ROAM_SEND_REFUSED
                       : sim_oracle_decide_operation(w, m, in, error, stands);
}

/* ----------------------------------------------------------------- effects */

/* Those whose role is at least that. */
static sim_users with_role(const struct sim_group_state *s, uint32_t least)
{
    sim_users users = 0;
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        users |= s->parts[u].role >= least ? 1u << u : 0u;
    }
    return users;
}

/* [GRP-11], [GRP-12] */
static void tell_change(struct sim_message *m,
                        const struct sim_group_state *before,
                        const struct sim_group_state *after)
{
    bool applies = m->change.action == roam_v1_GroupAction_JOIN &&
                   after->parts[m->user].role == roam_v1_Role_APPLICANT;
    bool denies = m->change.action == roam_v1_GroupAction_DENY;
    if (applies || denies) {
        m->rows = with_role(after, roam_v1_Role_ADMIN);
        m->lines = m->rows | (applies ? 1u << m->user : m->change.users);
        return;
    }
    m->rows = with_role(before, roam_v1_Role_MEMBER) |
              with_role(after, roam_v1_Role_MEMBER);
    m->lines = m->rows;
}

static void add_state(struct sim_world *w, struct sim_message *m,
                      const struct sim_group_state *state)
{
    struct sim_group *g = &w->oracle->groups[m->party - SIM_USERS];
    g->states = sim_grow(g->states, &g->cap, g->count, sizeof *g->states);
    g->changes =
        sim_grow(g->changes, &g->changes_cap, g->count, sizeof(void *));
    g->states[g->count] = *state;
    g->changes[g->count++] = m;
    g->ever |= with_role(state, roam_v1_Role_MEMBER);
}

void sim_oracle_change_group(struct sim_world *w, struct sim_message *m)
{
    const struct sim_group_state before = *state_of(w, m);
    struct sim_group_state after = before;
    if (m->kind == roam_v1_Kind_GROUP) {
        if (sim_oracle_makes_group(m)) {
            if (w->oracle->group_count == SIM_GROUPS) {
                sim_fail(w, "simulator", "too many groups");
                return;
            }
            m->party = SIM_USERS + w->oracle->group_count++;
        }
        apply(&after, m);
        if (m->change.name.len != 0) {
            sim_oracle_note_name(w, m->party, m->change.name);
        }
        tell_change(m, &before, &after);
        add_state(w, m, &after);
    } else if (m->kind == roam_v1_Kind_DELETE || m->kind == roam_v1_Kind_READ) {
        m->lines = 1u << m->user;
        m->rows = m->kind == roam_v1_Kind_READ ? 0 : m->lines;
    } else if (m->change.users != 0) { /* [GRP-24] */
        m->lines = m->rows = m->change.users | 1u << m->user;
    } else {
        m->lines = m->rows = with_role(&before, roam_v1_Role_MEMBER);
    }
}
