/* SPDX-License-Identifier: Apache-2.0 */
/* The memory store: changes of groups. What the table of section 7.2 needs to
 * know is gathered, group_rules.c decides, and then it is carried out. All
 * memory is taken first. [GRP-1] to [GRP-13] */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "fault.h"
#include "roam.pb.h"
#include "store_mem_groups.h"

/* Newcomers, actor and target. */
#define STEPS_MAX (ROAM_CHANGE_USERS_MAX + 2u)

struct change {
    struct roam__mem_post *post;
    struct roam__mem_group *group;
    bool is_new; /* the group is not in the list yet */
    struct roam_group_part actor;
    struct roam__mem_user *target;
    struct roam__mem_user *newcomers[ROAM_CHANGE_USERS_MAX];
    struct roam_group_change asked;
    struct roam_group_verdict verdict;
    struct roam__mem_step steps[STEPS_MAX];
    struct roam__mem_title *title; /* the new one; NULL: it stays */
    /* who gets the entry, and of these the last `guests`, who are no members
     * or not told as such */
    struct roam__mem_user **users;
    size_t count, guests;
};

/* ------------------------------------------------------------------ gather */

/* Who may become a member by the change. */
static void look_for_room(struct change *c, const struct roam__mem_user *user)
{
    struct roam__mem *mem = c->post->mem;
    c->asked.crowded =
        c->asked.crowded ||
        roam__mem_is_crowded(mem, user, mem->settings.max_groups);
}

static void add_newcomer(struct change *c, struct roam__mem_user *user)
{
    uint32_t role = roam__mem_part(c->group, user).role;
    bool known = user == c->post->sender || roam_role_is_member(role);
    for (uint32_t i = 0; i < c->asked.newcomers; i++) {
        known = known || c->newcomers[i] == user;
    }
    if (known) {
        return;
    }
    c->newcomers[c->asked.newcomers++] = user;
    look_for_room(c, user);
    c->asked.applied += role == roam_v1_Role_APPLICANT ? 1u : 0u;
    c->asked.refused = c->asked.refused ||
                       roam__mem_policy_refuses(c->post->mem, c->post->sender,
                                                user, roam_v1_Kind_GROUP);
}

static void gather(struct change *c)
{
    const struct roam_operation *op = &c->post->send->operation;
    struct roam_user_list names = op->users;
    struct roam_slice title = roam__mem_title(&c->group->self);
    struct roam_slice name;
    bool many = op->action == roam_v1_GroupAction_CREATE ||
                op->action == roam_v1_GroupAction_INVITE;
    c->actor = roam__mem_part(c->group, c->post->sender);
    c->asked.action = op->action;
    c->asked.join = op->join;
    if (op->action == roam_v1_GroupAction_CREATE ||
        op->action == roam_v1_GroupAction_JOIN) {
        look_for_room(c, c->post->sender);
    }
    c->asked.same_name =
        op->name.len == title.len &&
        (title.len == 0 || memcmp(op->name.data, title.data, title.len) == 0);
    while (roam_user_list_next(&names, &name)) {
        struct roam__mem_user *user =
            roam__mem_user(c->post->mem, (const char *)name.data, name.len);
        c->asked.unknown = c->asked.unknown || user == NULL;
        if (user != NULL && many) {
            add_newcomer(c, user);
        } else if (user != NULL) {
            c->target = user;
            c->asked.has_target = true;
            if (op->action == roam_v1_GroupAction_APPROVE) {
                look_for_room(c, user);
            }
            c->asked.target = roam__mem_part(c->group, user);
        }
    }
}

/* ---------------------------------------------------------------- audience */

static void add_user(struct change *c, struct roam__mem_user *user)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->users[i] == user) {
            return;
        }
    }
    c->users[c->count++] = user;
}

/* The members before and after are all who can get it, and one applicant. */
static bool find_audience(struct change *c)
{
    bool admins = c->verdict.audience == ROAM_GROUP_ADMINS;
    uint32_t least = admins ? roam_v1_Role_ADMIN : roam_v1_Role_MEMBER;
    size_t most = c->group->state.members + STEPS_MAX;
    c->users = roam__alloc(most * sizeof(struct roam__mem_user *));
    if (c->users == NULL) {
        return false;
    }
    for (const struct roam__mem_member *m = c->group->members; m != NULL;
         m = m->next) {
        bool leaves =
            (m->user == c->target && c->verdict.target.role < least) ||
            (m->user == c->post->sender && c->verdict.actor.role < least);
        if (m->part.role >= least &&
            !(leaves && ROAM_FAULT("removed-is-not-told"))) {
            add_user(c, m->user);
        }
    }
    for (uint32_t i = 0; i < c->asked.newcomers; i++) {
        add_user(c, c->newcomers[i]);
    }
    size_t members = c->count;
    if (admins || roam_role_is_member(c->verdict.actor.role)) {
        add_user(c, c->post->sender);
    }
    if (c->target != NULL &&
        (admins || roam_role_is_member(c->verdict.target.role))) {
        add_user(c, c->target);
    }
    c->guests = admins ? c->count - members : 0;
    return true;
}

/* -------------------------------------------------------------- carrying out
 */

static bool take_steps(struct change *c)
{
    for (uint32_t i = 0; i < c->asked.newcomers + 2; i++) {
        if (!roam__mem_step_new(&c->steps[i])) {
            return false;
        }
    }
    return true;
}

static void free_steps(struct change *c)
{
    for (uint32_t i = 0; i < STEPS_MAX; i++) {
        roam__mem_step_free(&c->steps[i]);
    }
}

/* All memory that it takes; false without, nothing is changed. */
static bool prepare(struct change *c)
{
    struct roam__mem_post *post = c->post;
    bool private = c->verdict.audience == ROAM_GROUP_ADMINS;
    if (post->send->operation.name.len > 0) {
        c->title = roam__mem_title_new(post->send->operation.name);
        if (c->title == NULL) {
            return false;
        }
    }
    if (!take_steps(c) || !find_audience(c) || !roam__mem_post_new(post)) {
        return false;
    }
    for (size_t i = 0; i < c->count; i++) {
        bool shown = private && i < c->count - c->guests;
        if (!roam__mem_post_reserve(post, c->users[i]) ||
            (shown && !roam__mem_post_show(post, c->users[i]))) {
            return false;
        }
    }
    post->message->is_private = private;
    return true;
}

static void move_all(struct change *c)
{
    const struct roam_group_part member = {.role = roam_v1_Role_MEMBER};
    uint64_t msg_id = c->post->send->msg_id;
    uint32_t n = c->asked.newcomers;
    for (uint32_t i = 0; i < n; i++) {
        roam__mem_move(c->group, c->newcomers[i], member, msg_id, &c->steps[i]);
    }
    if (c->verdict.dissolved) {
        roam__mem_dissolve(c->group, msg_id);
        return;
    }
    roam__mem_move(c->group, c->post->sender, c->verdict.actor, msg_id,
                   &c->steps[n]);
    if (c->target != NULL) {
        roam__mem_move(c->group, c->target, c->verdict.target, msg_id,
                       &c->steps[n + 1]);
    }
}

static void carry_out(struct change *c)
{
    struct roam__mem_post *post = c->post;
    roam__mem_title_set(&c->group->self, c->title);
    c->title = NULL;
    if (c->is_new) {
        c->group->next = post->mem->groups;
        post->mem->groups = c->group;
        post->send->made = roam__mem_name(&c->group->self);
    }
    roam__mem_post_store(post);
    move_all(c);
    c->group->state = c->verdict.state;
    for (size_t i = 0; i < c->count; i++) {
        roam__mem_post_deliver(post, c->users[i],
                               roam__mem_name(&c->group->self),
                               roam__mem_title(&c->group->self));
    }
}

/* [GRP-9] */
static bool answer_nothing(const struct change *c)
{
    const struct roam__mem_member *m =
        roam__mem_member(c->group, c->post->sender);
    bool joins = c->asked.action == roam_v1_GroupAction_JOIN;
    return roam__mem_post_stands(
        c->post, joins && m != NULL ? m->since : c->group->last_msg_id);
}

static bool decide(struct change *c)
{
    gather(c);
    c->verdict = roam_group_decide(&c->group->state, &c->actor, &c->asked,
                                   c->post->mem->settings.max_members);
    if (c->verdict.error != 0) {
        return roam__mem_post_refuse(c->post, c->verdict.error);
    }
    if (c->verdict.duplicate) {
        return answer_nothing(c);
    }
    if (!prepare(c)) {
        roam__mem_post_drop(c->post);
        return false;
    }
    carry_out(c);
    c->is_new = false;
    return true;
}

bool roam__mem_change(struct roam__mem_post *post,
                      struct roam__mem_group *group)
{
    struct change c = {.post = post, .group = group, .is_new = group == NULL};
    if (c.is_new) {
        c.group = roam__mem_group_new(post->mem);
    }
    if (c.group == NULL) {
        return false;
    }
    post->receiver = &c.group->self;
    post->last_msg_id = &c.group->last_msg_id;
    bool ok = decide(&c);
    if (c.is_new) {
        free(c.group);
    }
    free_steps(&c);
    free(c.title);
    free(c.users);
    return ok;
}

/* -------------------------------------------------------------- other kinds */

bool roam__mem_post_members(struct roam__mem_post *post)
{
    const struct roam__mem_group *group = post->receiver->group;
    const struct roam__mem_member *m;
    bool skip = ROAM_FAULT("group-loses-member");
    for (m = group->members; m != NULL; m = m->next) {
        if (!roam__mem_post_reserve(post, m->user)) {
            return false;
        }
    }
    roam__mem_post_store(post);
    for (m = group->members; m != NULL; m = m->next) {
        if (roam_role_is_member(m->part.role) &&
            !(skip && m->user != post->sender)) {
            roam__mem_post_deliver(post, m->user,
                                   roam__mem_name(post->receiver),
                                   roam__mem_title(post->receiver));
        }
    }
    return true;
}

/* An APP to the members that it names, and its sender. False without
 * memory. */
static bool post_to_named(struct roam__mem_post *post)
{
    struct roam__mem_user *users[ROAM_APP_USERS_MAX + 1] = {post->sender};
    struct roam_user_list names = post->send->operation.users;
    struct roam_slice name;
    size_t count = 1;
    while (roam_user_list_next(&names, &name)) {
        struct roam__mem_user *user =
            roam__mem_user(post->mem, (const char *)name.data, name.len);
        size_t at = 0;
        while (at < count && users[at] != user) {
            at++;
        }
        users[at] = user;
        count += at == count ? 1 : 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!roam__mem_post_show(post, users[i]) ||
            !roam__mem_post_reserve(post, users[i])) {
            return false;
        }
    }
    roam__mem_post_store(post);
    for (size_t i = 0; i < count; i++) {
        roam__mem_post_deliver(post, users[i], roam__mem_name(post->receiver),
                               roam__mem_title(post->receiver));
    }
    return true;
}

/* All whom an APP names are members. */
static bool names_members(const struct roam__mem_post *post,
                          const struct roam__mem_group *group)
{
    struct roam_user_list names = post->send->operation.users;
    struct roam_slice name;
    while (roam_user_list_next(&names, &name)) {
        const struct roam__mem_user *user =
            roam__mem_user(post->mem, (const char *)name.data, name.len);
        if (user == NULL ||
            !roam_role_is_member(roam__mem_part(group, user).role)) {
            return false;
        }
    }
    return true;
}

static bool post_entry(struct roam__mem_post *post)
{
    uint32_t kind = post->send->kind;
    bool named =
        kind == roam_v1_Kind_APP && post->send->operation.users.count > 0;
    if (kind != roam_v1_Kind_MESSAGE && kind != roam_v1_Kind_APP) {
        return roam__mem_operation(post);
    }
    if (!roam__mem_post_new(post) ||
        !(named && !ROAM_FAULT("app-to-all-members")
              ? post_to_named(post)
              : roam__mem_post_members(post))) {
        roam__mem_post_drop(post);
        return false;
    }
    return true;
}

static uint32_t judge(const struct roam__mem_post *post,
                      const struct roam__mem_group *group)
{
    struct roam_group_part part = roam__mem_part(group, post->sender);
    uint32_t error = roam_group_may_send(
        &group->state, &part, roam__mem_in_span(group, post->sender, 0),
        post->send->kind);
    if (error != roam_v1_ErrorCode_NO_SUCH_CONVERSATION &&
        post->send->kind == roam_v1_Kind_APP && !names_members(post, group)) {
        return roam_v1_ErrorCode_NO_SUCH_USER;
    }
    return error;
}

bool roam__mem_send_to_group(struct roam__mem_post *post)
{
    const struct roam_store_send *send = post->send;
    bool changes = send->kind == roam_v1_Kind_GROUP;
    bool creates =
        changes && send->operation.action == roam_v1_GroupAction_CREATE;
    struct roam__mem_group *group =
        roam__mem_group(post->mem, send->conversation);
    if (creates ? !roam_group_id_is_new(send->conversation) : group == NULL) {
        return roam__mem_post_refuse(post,
                                     roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    }
    if (changes) {
        return roam__mem_change(post, group);
    }
    uint32_t error = judge(post, group);
    if (error != 0) {
        return roam__mem_post_refuse(post, error);
    }
    post->receiver = &group->self;
    post->last_msg_id = &group->last_msg_id;
    return post_entry(post);
}
