/* SPDX-License-Identifier: Apache-2.0 */
/* Who may change a group, and what a change does to it. Pure functions on
 * what a store has read; both stores call them inside the transaction that
 * writes the group, so that a change which waited behind another one is
 * judged by what that one left. Spec: section 7.2, [GRP-*].
 *
 * Words: a *part* is what one user is in one group. The *actor* sent the
 * change, the *target* is the one user that it names. *Newcomers* are the
 * users named by CREATE or INVITE who are not members yet.
 *
 * Left out: users, names and histories; those are the stores'. */
#ifndef ROAM_GROUP_RULES_H
#define ROAM_GROUP_RULES_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: a stranger. */
struct roam_group_part {
    uint32_t role; /* roam_v1_Role */
    bool muted;
};

/* All zero: no group yet, for CREATE. */
struct roam_group_state {
    uint32_t join; /* roam_v1_JoinMode */
    bool muted;    /* every MEMBER is */
    uint32_t members;
    uint32_t applicants;
};

/* A change, with what the store knows of whom it names. */
struct roam_group_change {
    uint32_t action; /* roam_v1_GroupAction */
    uint32_t join;   /* CREATE, SET_JOIN */
    bool same_name;  /* RENAME: that is its name already */
    bool unknown;    /* a user named does not exist */
    bool refused;    /* a newcomer's policy is against it */
    bool crowded;    /* somebody who may become a member by it is in as many
                        groups as may be */
    uint32_t newcomers;
    uint32_t applied; /* of these, the ones who are applicants */
    bool has_target;  /* one user is named, by another action than those */
    struct roam_group_part target;
};

/* Whose timelines and histories the change is for. */
enum roam_group_audience {
    ROAM_GROUP_MEMBERS, /* all afterwards, and who ceased to be one */
    ROAM_GROUP_ADMINS   /* ADMINs, OWNER, and the applicant */
};

/* What is to be done. With an error, or a duplicate, nothing is: the state
 * and the parts are those of before. */
struct roam_group_verdict {
    uint32_t error; /* roam_v1_ErrorCode; 0: granted */
    bool duplicate; /* nothing changes */
    bool dissolved; /* nobody is a member any more */
    enum roam_group_audience audience;
    struct roam_group_state state;        /* afterwards */
    struct roam_group_part actor, target; /* afterwards; newcomers become
                                             MEMBERs, not muted */
};

/* True for MEMBER, ADMIN and OWNER. */
bool roam_role_is_member(uint32_t role);

/* Decides on a change. max_members is the server's setting, 0 for the most
 * that there may be. Of several
 * faults the first of section 7.2 is told. */
struct roam_group_verdict roam_group_decide(
    const struct roam_group_state *group, const struct roam_group_part *actor,
    const struct roam_group_change *change, uint32_t max_members);

/* May this part send an entry of that kind (roam_v1_Kind, not GROUP)?
 * former: the user is no member, but was one. Returns 0 or the
 * roam_v1_ErrorCode: NO_SUCH_CONVERSATION, MUTED. */
uint32_t roam_group_may_send(const struct roam_group_state *group,
                             const struct roam_group_part *actor, bool former,
                             uint32_t kind);

#endif
