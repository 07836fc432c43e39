/* SPDX-License-Identifier: Apache-2.0 */
/* The table below is the one of section 7.2, action by action. Roles rise
 * with what they may do, so most of it is a comparison. */
#include "group_rules.h"

#include <stddef.h>

#include "fault.h"
#include "roam.pb.h"
#include "roam_limits.h"

#define OK roam_v1_ErrorCode_ERROR_UNSPECIFIED

enum target_need {
    NOBODY,
    MEMBER_OF_IT,  /* a member, of any role */
    LOWER_MEMBER,  /* a member of a lower role than the actor's; with MUTE
                      and UNMUTE nobody means all */
    NOT_THE_OWNER, /* a member, but the owner may not be */
    APPLICANT_OF_IT
};

struct action_rule {
    uint32_t least; /* role of the actor */
    enum target_need target;
};

static const struct action_rule rules[] = {
    [roam_v1_GroupAction_CREATE] = {roam_v1_Role_ROLE_NONE, NOBODY},
    [roam_v1_GroupAction_INVITE] = {roam_v1_Role_MEMBER, NOBODY},
    [roam_v1_GroupAction_JOIN] = {roam_v1_Role_ROLE_NONE, NOBODY},
    [roam_v1_GroupAction_APPROVE] = {roam_v1_Role_ADMIN, APPLICANT_OF_IT},
    [roam_v1_GroupAction_DENY] = {roam_v1_Role_ADMIN, APPLICANT_OF_IT},
    [roam_v1_GroupAction_LEAVE] = {roam_v1_Role_MEMBER, NOBODY},
    [roam_v1_GroupAction_REMOVE] = {roam_v1_Role_ADMIN, LOWER_MEMBER},
    [roam_v1_GroupAction_RENAME] = {roam_v1_Role_ADMIN, NOBODY},
    [roam_v1_GroupAction_SET_ADMIN] = {roam_v1_Role_OWNER, NOT_THE_OWNER},
    [roam_v1_GroupAction_UNSET_ADMIN] = {roam_v1_Role_OWNER, NOT_THE_OWNER},
    [roam_v1_GroupAction_MUTE] = {roam_v1_Role_ADMIN, LOWER_MEMBER},
    [roam_v1_GroupAction_UNMUTE] = {roam_v1_Role_ADMIN, LOWER_MEMBER},
    [roam_v1_GroupAction_SET_JOIN] = {roam_v1_Role_ADMIN, NOBODY},
    [roam_v1_GroupAction_TRANSFER] = {roam_v1_Role_OWNER, MEMBER_OF_IT},
    [roam_v1_GroupAction_DISSOLVE] = {roam_v1_Role_OWNER, NOBODY},
};

bool roam_role_is_member(uint32_t role)
{
    return role >= roam_v1_Role_MEMBER;
}

/* ------------------------------------------------------------------ faults */

/* A group that is closed to somebody is told from none by nothing. */
static bool is_seen(const struct roam_group_state *group,
                    const struct roam_group_part *actor,
                    const struct roam_group_change *change)
{
    if (change->action == roam_v1_GroupAction_CREATE) {
        return true;
    }
    if (ROAM_FAULT("group-open-to-strangers")) {
        return true;
    }
    return roam_role_is_member(actor->role) ||
           (change->action == roam_v1_GroupAction_JOIN &&
            group->join != roam_v1_JoinMode_JOIN_CLOSED);
}

static bool target_is_there(enum target_need need,
                            const struct roam_group_part *actor,
                            const struct roam_group_change *change)
{
    if (need == APPLICANT_OF_IT) {
        /* Members do not see applicants, so to them there are none. */
        return change->target.role == roam_v1_Role_APPLICANT &&
               actor->role >= roam_v1_Role_ADMIN;
    }
    return !change->has_target || roam_role_is_member(change->target.role);
}

static bool is_forbidden(const struct roam_group_state *group,
                         const struct roam_group_part *actor,
                         const struct roam_group_change *change)
{
    const struct action_rule *rule = &rules[change->action];
    uint32_t least = rule->least;
    if (change->action == roam_v1_GroupAction_INVITE &&
        group->join == roam_v1_JoinMode_JOIN_CLOSED) {
        least = roam_v1_Role_ADMIN;
    }
    if (actor->role < least && !ROAM_FAULT("group-authority-ignored")) {
        return true;
    }
    if (change->action == roam_v1_GroupAction_LEAVE) {
        return actor->role == roam_v1_Role_OWNER;
    }
    if (!change->has_target) {
        return false;
    }
    if (rule->target == LOWER_MEMBER) {
        return actor->role <= change->target.role &&
               !ROAM_FAULT("group-admin-removes-admin");
    }
    return rule->target == NOT_THE_OWNER &&
           change->target.role == roam_v1_Role_OWNER;
}

static uint32_t first_fault(const struct roam_group_state *group,
                            const struct roam_group_part *actor,
                            const struct roam_group_change *change)
{
    if (!is_seen(group, actor, change)) {
        return roam_v1_ErrorCode_NO_SUCH_CONVERSATION;
    }
    if ((change->unknown && !ROAM_FAULT("unknown-users-left-out")) ||
        !target_is_there(rules[change->action].target, actor, change)) {
        return roam_v1_ErrorCode_NO_SUCH_USER;
    }
    if (is_forbidden(group, actor, change)) {
        return roam_v1_ErrorCode_FORBIDDEN;
    }
    return change->refused && !ROAM_FAULT("blocked-are-invited")
               ? roam_v1_ErrorCode_POLICY
               : OK;
}

/* ----------------------------------------------------------------- effects */

static void join(struct roam_group_verdict *v)
{
    if (roam_role_is_member(v->actor.role)) {
        return;
    }
    v->actor.role = v->state.join == roam_v1_JoinMode_JOIN_OPEN
                        ? roam_v1_Role_MEMBER
                        : roam_v1_Role_APPLICANT;
    if (v->actor.role == roam_v1_Role_APPLICANT &&
        !ROAM_FAULT("application-to-all")) {
        v->audience = ROAM_GROUP_ADMINS;
    }
}

static void create(struct roam_group_verdict *v, uint32_t join_mode)
{
    v->state.join = join_mode;
    v->actor.role = ROAM_FAULT("creator-is-member") ? roam_v1_Role_MEMBER
                                                    : roam_v1_Role_OWNER;
}

static void set_muted(struct roam_group_verdict *v, bool has_target, bool muted)
{
    if (has_target) {
        v->target.muted = muted;
    } else {
        v->state.muted = muted;
    }
}

/* The old owner stays as an admin; nobody could unmute the new one. To
 * transfer to oneself changes nothing. */
static void transfer(struct roam_group_verdict *v)
{
    if (v->target.role != roam_v1_Role_OWNER) {
        v->actor.role = roam_v1_Role_ADMIN;
        v->target = (struct roam_group_part){.role = roam_v1_Role_OWNER,
                                             .muted = false};
    }
}

static const struct roam_group_part stranger;

static void apply(struct roam_group_verdict *v,
                  const struct roam_group_change *change)
{
    switch (change->action) {
    case roam_v1_GroupAction_CREATE:
        create(v, change->join);
        break;
    case roam_v1_GroupAction_JOIN:
        join(v);
        break;
    case roam_v1_GroupAction_APPROVE:
        v->target.role = roam_v1_Role_MEMBER;
        break;
    case roam_v1_GroupAction_DENY:
        v->target = stranger;
        v->audience = ROAM_GROUP_ADMINS;
        break;
    case roam_v1_GroupAction_LEAVE:
        v->actor = stranger;
        break;
    case roam_v1_GroupAction_REMOVE:
        v->target = stranger;
        break;
    case roam_v1_GroupAction_SET_ADMIN:
        v->target.role = roam_v1_Role_ADMIN;
        break;
    case roam_v1_GroupAction_UNSET_ADMIN:
        v->target.role = roam_v1_Role_MEMBER;
        break;
    case roam_v1_GroupAction_MUTE:
        set_muted(v, change->has_target, true);
        break;
    case roam_v1_GroupAction_UNMUTE:
        set_muted(v, change->has_target, false);
        break;
    case roam_v1_GroupAction_SET_JOIN:
        v->state.join = change->join;
        break;
    case roam_v1_GroupAction_TRANSFER:
        transfer(v);
        break;
    case roam_v1_GroupAction_DISSOLVE:
        v->dissolved = true;
        v->state.join = roam_v1_JoinMode_JOIN_CLOSED;
        v->actor = stranger;
        v->state.members = 0;
        v->state.applicants = 0;
        break;
    default: /* INVITE and RENAME: the newcomers' and the name's */
        break;
    }
}

static bool same_part(const struct roam_group_part *a,
                      const struct roam_group_part *b)
{
    return a->role == b->role && a->muted == b->muted;
}

static bool changes_nothing(const struct roam_group_verdict *v,
                            const struct roam_group_state *group,
                            const struct roam_group_part *actor,
                            const struct roam_group_change *change)
{
    bool renames =
        change->action == roam_v1_GroupAction_RENAME && !change->same_name;
    return !renames && change->newcomers == 0 && !v->dissolved &&
           same_part(&v->actor, actor) &&
           same_part(&v->target, &change->target) &&
           v->state.join == group->join && v->state.muted == group->muted;
}

/* Adds one user's step from `before` to `after` to the counts. */
static void count(struct roam_group_state *state, uint32_t before,
                  uint32_t after)
{
    state->members += roam_role_is_member(after) ? 1u : 0u;
    state->members -= roam_role_is_member(before) ? 1u : 0u;
    state->applicants += after == roam_v1_Role_APPLICANT ? 1u : 0u;
    state->applicants -= before == roam_v1_Role_APPLICANT ? 1u : 0u;
}

static bool is_full(const struct roam_group_state *before,
                    const struct roam_group_state *after, bool crowded,
                    uint32_t max_members)
{
    bool grows = after->members > before->members;
    if (grows && crowded && !ROAM_FAULT("groups-without-limit")) {
        return true; /* [GRP-26] */
    }
    if (ROAM_FAULT("group-without-limit")) {
        return false;
    }
    uint32_t most = max_members == 0 || max_members > ROAM_MEMBERS_MAX
                        ? ROAM_MEMBERS_MAX
                        : max_members;
    return (grows && after->members > most) ||
           (after->applicants > before->applicants &&
            after->applicants > ROAM_APPLICANTS_MAX);
}

static struct roam_group_verdict nothing(const struct roam_group_state *group,
                                         const struct roam_group_part *actor,
                                         const struct roam_group_change *change)
{
    struct roam_group_verdict v = {.audience = ROAM_GROUP_MEMBERS,
                                   .state = *group,
                                   .actor = *actor,
                                   .target = change->target};
    return v;
}

struct roam_group_verdict roam_group_decide(
    const struct roam_group_state *group, const struct roam_group_part *actor,
    const struct roam_group_change *change, uint32_t max_members)
{
    struct roam_group_verdict before = nothing(group, actor, change);
    struct roam_group_verdict v = before;
    before.error = first_fault(group, actor, change);
    if (before.error != OK) {
        return before;
    }
    apply(&v, change);
    before.duplicate = changes_nothing(&v, group, actor, change);
    if (before.duplicate) {
        return before;
    }
    if (v.dissolved) {
        return v;
    }
    count(&v.state, actor->role, v.actor.role);
    if (change->has_target) {
        count(&v.state, change->target.role, v.target.role);
    }
    v.state.members += change->newcomers;
    v.state.applicants -= change->applied;
    if (is_full(group, &v.state, change->crowded, max_members)) {
        before.error = roam_v1_ErrorCode_GROUP_FULL;
        return before;
    }
    return v;
}

/* ----------------------------------------------------------- other entries */

uint32_t roam_group_may_send(const struct roam_group_state *group,
                             const struct roam_group_part *actor, bool former,
                             uint32_t kind)
{
    bool own = kind == roam_v1_Kind_DELETE || kind == roam_v1_Kind_READ;
    bool speaks = kind == roam_v1_Kind_MESSAGE || kind == roam_v1_Kind_APP;
    if (!roam_role_is_member(actor->role)) {
        return former && own && !ROAM_FAULT("former-are-strangers")
                   ? OK
                   : roam_v1_ErrorCode_NO_SUCH_CONVERSATION;
    }
    bool muted =
        actor->muted || (group->muted && actor->role == roam_v1_Role_MEMBER);
    return speaks && muted && !ROAM_FAULT("mute-ignored")
               ? roam_v1_ErrorCode_MUTED
               : OK;
}
