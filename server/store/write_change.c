/* SPDX-License-Identifier: Apache-2.0 */
/* A change of a group inside the transaction: what the table of section 7.2
 * needs to know is gathered, group_rules.c decides, and then it is carried
 * out. [GRP-1] to [GRP-13] */
#include <stdlib.h>
#include <string.h>

#include "../core/fault.h"
#include "db.h"
#include "post.h"
#include "roam.pb.h"

/* A user, and what the user is in the group before the change. */
struct named {
    int64_t user;
    struct roam_group_part part;
    uint64_t since;
};

struct change {
    struct roam_group_row group;
    struct named actor, target;
    struct named newcomers[ROAM_CHANGE_USERS_MAX];
    struct roam_group_change asked;
    struct roam_group_verdict verdict;
};

/* ------------------------------------------------------------------ gather */

static bool look_up(struct roam_writer *w, int64_t group, struct named *out)
{
    return group == 0 || roam_groups_part(&w->groups, group, out->user,
                                          &out->part, &out->since);
}

static bool is_known(const struct change *c, int64_t user)
{
    for (uint32_t i = 0; i < c->asked.newcomers; i++) {
        if (c->newcomers[i].user == user) {
            return true;
        }
    }
    return user == c->actor.user;
}

/* Who may become a member by the change. */
static bool look_for_room(struct roam_writer *w, struct change *c, int64_t user)
{
    bool crowded;

    if (!roam_groups_is_crowded(&w->groups, user, w->settings.max_groups,
                                &crowded)) {
        return false;
    }
    c->asked.crowded = c->asked.crowded || crowded;
    return true;
}

/* One user named by CREATE or INVITE. */
static bool add_newcomer(struct roam_writer *w, struct change *c, int64_t user)
{
    struct named *n = &c->newcomers[c->asked.newcomers];
    bool refused;

    n->user = user;
    if (is_known(c, user)) {
        return true;
    }
    if (!look_up(w, c->group.number, n)) {
        return false;
    }
    if (roam_role_is_member(n->part.role)) {
        return true;
    }
    if (!look_for_room(w, c, user) ||
        !roam_policy_refuses(w, c->actor.user, user, roam_v1_Kind_GROUP,
                             &refused)) {
        return false;
    }
    c->asked.newcomers++;
    c->asked.applied += n->part.role == roam_v1_Role_APPLICANT ? 1u : 0u;
    c->asked.refused = c->asked.refused || refused;
    return true;
}

static bool add_target(struct roam_writer *w, struct change *c, int64_t user)
{
    c->target.user = user;
    c->asked.has_target = true;
    if (!look_up(w, c->group.number, &c->target)) {
        return false;
    }
    c->asked.target = c->target.part;
    return c->asked.action != roam_v1_GroupAction_APPROVE ||
           look_for_room(w, c, user);
}

static bool gather_users(struct roam_writer *w, struct change *c,
                         struct roam_user_list users)
{
    bool many = c->asked.action == roam_v1_GroupAction_CREATE ||
                c->asked.action == roam_v1_GroupAction_INVITE;
    struct roam_slice name;
    int64_t user;

    while (roam_user_list_next(&users, &name)) {
        if (!roam_user_names_find(w->names, name, &user)) {
            return false;
        }
        if (user == 0) {
            c->asked.unknown = true;
        } else if (many ? !add_newcomer(w, c, user) : !add_target(w, c, user)) {
            return false;
        }
    }
    return true;
}

static bool gather(struct roam_writer *w, const struct roam_post *post,
                   struct change *c)
{
    const struct roam_operation *op = &post->send->operation;

    c->group = *post->group;
    c->actor.user = post->send->identity.user;
    c->asked.action = op->action;
    c->asked.join = op->join;
    c->asked.same_name =
        op->name.len == c->group.name_len &&
        (op->name.len == 0 ||
         memcmp(op->name.data, c->group.name, op->name.len) == 0);
    bool enters = op->action == roam_v1_GroupAction_CREATE ||
                  op->action == roam_v1_GroupAction_JOIN;
    return look_up(w, c->group.number, &c->actor) &&
           (!enters || look_for_room(w, c, c->actor.user)) &&
           gather_users(w, c, op->users);
}

/* ---------------------------------------------------------------- audience */

struct users {
    int64_t *list;
    size_t count;
};

/* Who was there, and is not any more, or never was a member. */
static bool gets_it_too(const struct named *before,
                        const struct roam_group_part *after,
                        enum roam_group_audience audience)
{
    uint32_t least = audience == ROAM_GROUP_ADMINS ? roam_v1_Role_ADMIN
                                                   : roam_v1_Role_MEMBER;
    return before->user != 0 && after->role < least &&
           (roam_role_is_member(before->part.role) ||
            audience == ROAM_GROUP_ADMINS) &&
           !ROAM_FAULT("removed-is-not-told");
}

static bool deliver(struct roam_writer *w, struct roam_post *post,
                    const struct users *users)
{
    if (!roam_store_send_reserve(post->send, users->count)) {
        return false;
    }
    for (size_t i = 0; i < users->count; i++) {
        if (!roam_post_deliver_group(w, post, users->list[i]) ||
            (post->part == ROAM_PART_PRIVATE &&
             !roam_post_show(w, post, users->list[i]))) {
            return false;
        }
    }
    return true;
}

/* The members and, of an application or its denial, only those who decide
 * on it; then who is none of them. */
static bool deliver_change(struct roam_writer *w, struct roam_post *post,
                           const struct change *c, const struct users *users)
{
    enum roam_group_audience audience = c->verdict.audience;
    const struct named *extra[] = {&c->actor, &c->target};
    const struct roam_group_part *after[] = {&c->verdict.actor,
                                             &c->verdict.target};

    if (!deliver(w, post, users)) {
        return false;
    }
    for (int i = 0; i < 2 && !c->verdict.dissolved; i++) {
        if (gets_it_too(extra[i], after[i], audience) &&
            !roam_post_deliver_group(w, post, extra[i]->user)) {
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------- carrying out */

static bool move(struct roam_writer *w, const struct roam_post *post,
                 const struct named *who, const struct roam_group_part *after)
{
    sqlite3_stmt *stmt = w->stmt[ROAM_WRITER_CONVERSATION_ADD];
    bool enters = roam_role_is_member(after->role) &&
                  !roam_role_is_member(who->part.role);

    if (who->user == 0 ||
        !roam_groups_move(&w->groups, post->receiver, who->user, &who->part,
                          after, who->since, post->send->msg_id)) {
        return who->user == 0;
    }
    if (!enters) {
        return true;
    }
    sqlite3_bind_int64(stmt, 1, who->user);
    sqlite3_bind_int64(stmt, 2, post->receiver);
    return roam_db_run(stmt) == SQLITE_OK;
}

static bool move_all(struct roam_writer *w, const struct roam_post *post,
                     const struct change *c)
{
    const struct roam_group_part member = {.role = roam_v1_Role_MEMBER};

    for (uint32_t i = 0; i < c->asked.newcomers; i++) {
        if (!move(w, post, &c->newcomers[i], &member)) {
            return false;
        }
    }
    if (c->verdict.dissolved) {
        return roam_groups_dissolve(&w->groups, post->receiver,
                                    post->send->msg_id);
    }
    return move(w, post, &c->actor, &c->verdict.actor) &&
           move(w, post, &c->target, &c->verdict.target);
}

/* Names that were remembered are read again, by the reader too. */
static bool save_group(struct roam_writer *w, struct change *c,
                       const struct roam_operation *op)
{
    c->group.state = c->verdict.state;
    if (op->action == roam_v1_GroupAction_RENAME) {
        memcpy(c->group.name, op->name.data, op->name.len);
        c->group.name_len = op->name.len;
        if (roam_db_run(w->stmt[ROAM_WRITER_CHANGED]) != SQLITE_OK) {
            return false;
        }
    }
    return roam_groups_save(&w->groups, &c->group);
}

/* The new group, with the name and state that its rows will have. */
static bool make_group(struct roam_writer *w, struct roam_post *post,
                       struct change *c)
{
    const struct roam_operation *op = &post->send->operation;

    if (op->name.len > 0) {
        memcpy(c->group.name, op->name.data, op->name.len);
        c->group.name_len = op->name.len;
    }
    c->group.state = c->verdict.state;
    bool ok = roam_groups_add(&w->groups, &c->group, post->made);
    post->receiver = c->group.number;
    post->has_made = true;
    return ok;
}

static bool store_change(struct roam_writer *w, struct roam_post *post,
                         struct change *c)
{
    const struct roam_operation *op = &post->send->operation;
    bool admins = c->verdict.audience == ROAM_GROUP_ADMINS;
    uint32_t least = admins ? roam_v1_Role_ADMIN : roam_v1_Role_MEMBER;
    struct users users = {NULL, 0};
    bool added;

    post->part = admins ? ROAM_PART_PRIVATE : ROAM_PART_OPERATIONS;
    bool ok = roam_post_add(w, post, &added) && added &&
              (!c->verdict.dissolved ||
               roam_groups_users(&w->groups, post->receiver, least, &users.list,
                                 &users.count)) &&
              move_all(w, post, c) && save_group(w, c, op) &&
              (c->verdict.dissolved ||
               roam_groups_users(&w->groups, post->receiver, least, &users.list,
                                 &users.count));
    post->group = &c->group;
    ok = ok && roam_post_prepare(w, post) && deliver_change(w, post, c, &users);
    post->group = NULL;
    free(users.list);
    return ok;
}

bool roam_write_change(struct roam_writer *w, struct roam_post *post)
{
    struct change c = {0};

    if (!gather(w, post, &c)) {
        return false;
    }
    c.verdict = roam_group_decide(&c.group.state, &c.actor.part, &c.asked,
                                  w->settings.max_members);
    if (c.verdict.error != 0) {
        return roam_post_refuse(post, c.verdict.error);
    }
    if (c.verdict.duplicate && !ROAM_FAULT("group-change-repeated")) {
        /* [GRP-9] */
        uint64_t newest = c.actor.since;
        bool joins = c.asked.action == roam_v1_GroupAction_JOIN;
        return (joins || roam_msg_ids_last(&w->msg_ids, c.actor.user,
                                           post->receiver, &newest)) &&
               roam_post_stands(post, newest);
    }
    return (c.asked.action != roam_v1_GroupAction_CREATE ||
            make_group(w, post, &c)) &&
           store_change(w, post, &c);
}
