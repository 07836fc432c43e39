/* SPDX-License-Identifier: Apache-2.0 */
/* SEND to a group inside the transaction: who may, and who gets it; what
 * changes the group itself is in write_change.c. [GRP-5], [GRP-10] to
 * [GRP-16] */
#include <stdlib.h>
#include <string.h>

#include "../core/alloc.h"
#include "../core/fault.h"
#include "db.h"
#include "post.h"
#include "roam.pb.h"

static bool has_action_create(const struct roam_store_send *send)
{
    return send->kind == roam_v1_Kind_GROUP &&
           send->operation.action == roam_v1_GroupAction_CREATE;
}

bool roam_post_is_create(const struct roam_store_send *send)
{
    return has_action_create(send) && roam_group_id_is_new(send->conversation);
}

/* Sets post->receiver; 0: no such group. Only CREATE goes to `#`. */
static bool find_group(struct roam_writer *w, struct roam_post *post)
{
    const struct roam_store_send *send = post->send;

    post->receiver = 0;
    return has_action_create(send) ||
           roam_groups_find(&w->groups, send->conversation, &post->receiver);
}

/* ----------------------------------------------------------------- members */

/* The users that an APP names, and its sender, without repetition. */
struct named_users {
    int64_t list[ROAM_APP_USERS_MAX + 1];
    size_t count;
};

static void add_user(struct named_users *users, int64_t user)
{
    for (size_t i = 0; i < users->count; i++) {
        if (users->list[i] == user) {
            return;
        }
    }
    users->list[users->count++] = user;
}

/* *all false: somebody is not there, or no member. */
static bool find_named(struct roam_writer *w, const struct roam_post *post,
                       struct named_users *users, bool *all)
{
    struct roam_user_list names = post->send->operation.users;
    struct roam_group_part part;
    struct roam_slice name;
    uint64_t since;
    int64_t user;

    *all = true;
    add_user(users, post->send->identity.user);
    while (roam_user_list_next(&names, &name)) {
        if (!roam_user_names_find(w->names, name, &user) ||
            !roam_groups_part(&w->groups, post->receiver, user, &part,
                              &since)) {
            return false;
        }
        if (!roam_role_is_member(part.role)) {
            *all = false;
            return true;
        }
        add_user(users, user);
    }
    return true;
}

bool roam_post_deliver_group(struct roam_writer *w, struct roam_post *post,
                             int64_t user)
{
    return roam_post_deliver(w, post, user,
                             post->has_made ? post->send->made
                                            : post->send->conversation,
                             post->receiver_name);
}

bool roam_post_deliver_members(struct roam_writer *w, struct roam_post *post)
{
    int64_t *users;
    size_t count;

    if (!roam_groups_users(&w->groups, post->receiver,
                           ROAM_FAULT("applicants-are-told")
                               ? roam_v1_Role_APPLICANT
                               : roam_v1_Role_MEMBER,
                           &users, &count)) {
        return false;
    }
    if (ROAM_FAULT("group-loses-member") && count > 1) {
        count--;
    }
    bool ok = roam_store_send_reserve(post->send, count);
    for (size_t i = 0; ok && i < count; i++) {
        ok = roam_post_deliver_group(w, post, users[i]);
    }
    free(users);
    return ok;
}

/* ------------------------------------------------------- MESSAGE, and APP */

/* To all. A repetition finds itself, as between two users. */
static bool send_to_all(struct roam_writer *w, struct roam_post *post)
{
    bool added;
    bool found;

    if (!roam_post_add(w, post, &added)) {
        return false;
    }
    if (!added) {
        return roam_post_find_earlier(w, post, &found) && found;
    }
    return roam_post_prepare(w, post) && roam_post_deliver_members(w, post);
}

static bool send_to_named(struct roam_writer *w, struct roam_post *post,
                          const struct named_users *users)
{
    bool added;

    post->part = ROAM_PART_PRIVATE;
    if (!roam_post_add(w, post, &added) || !added ||
        !roam_post_prepare(w, post)) {
        return false;
    }
    for (size_t i = 0; i < users->count; i++) {
        if (!roam_post_deliver_group(w, post, users->list[i]) ||
            !roam_post_show(w, post, users->list[i])) {
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------- judge */

/* What the sender may not do there; 0: nothing. */
static bool judge(struct roam_writer *w, const struct roam_post *post,
                  uint32_t *error)
{
    int64_t user = post->send->identity.user;
    struct roam_group_part part;
    uint64_t since;
    bool former = false;

    if (!roam_groups_part(&w->groups, post->receiver, user, &part, &since) ||
        (!roam_role_is_member(part.role) &&
         !roam_groups_in_span(&w->groups, post->receiver, user, 0, &former))) {
        return false;
    }
    *error = roam_group_may_send(&post->group->state, &part, former,
                                 post->send->kind);
    return true;
}

static bool write_app(struct roam_writer *w, struct roam_post *post,
                      uint32_t error)
{
    struct named_users users = {.count = 0};
    bool all;

    post->part = ROAM_PART_OPERATIONS;
    if (error == roam_v1_ErrorCode_NO_SUCH_CONVERSATION) {
        return roam_post_refuse(post, error);
    }
    if (!find_named(w, post, &users, &all)) {
        return false;
    }
    if (!all) {
        return roam_post_refuse(post, roam_v1_ErrorCode_NO_SUCH_USER);
    }
    if (error != 0) {
        return roam_post_refuse(post, error);
    }
    return post->send->operation.users.count > 0 &&
                   !ROAM_FAULT("app-to-all-members")
               ? send_to_named(w, post, &users)
               : send_to_all(w, post);
}

/* An earlier SEND of that id was not found. */
static bool write_entry(struct roam_writer *w, struct roam_post *post,
                        uint32_t error)
{
    if (post->send->kind == roam_v1_Kind_APP) {
        return write_app(w, post, error);
    }
    if (error != 0) {
        return roam_post_refuse(post, error);
    }
    return post->send->kind == roam_v1_Kind_MESSAGE
               ? send_to_all(w, post)
               : roam_write_operation(w, post);
}

/* A repetition of CREATE is told the group's id again. [GRP-1] */
static bool tell_made_again(struct roam_writer *w, struct roam_post *post)
{
    struct roam_store_send *send = post->send;

    if (!roam_post_is_create(send) || send->result != ROAM_SEND_DUPLICATE ||
        ROAM_FAULT("group-told-once")) {
        return true;
    }
    struct roam_slice id = roam_user_names_get(w->names, post->receiver);
    post->req->results = roam__alloc(ROAM_CONVERSATION_MAX);
    if (id.len == 0 || post->req->results == NULL) {
        return false;
    }
    memcpy(post->req->results, id.data, id.len);
    send->made = (struct roam_slice){post->req->results, id.len};
    return true;
}

static bool write_known(struct roam_writer *w, struct roam_post *post)
{
    bool message = post->send->kind == roam_v1_Kind_MESSAGE;
    uint32_t error = 0;
    bool found = false;

    if (!roam_post_is_create(post->send) && post->receiver == 0) {
        error = roam_v1_ErrorCode_NO_SUCH_CONVERSATION;
    } else if (post->send->kind != roam_v1_Kind_GROUP &&
               !judge(w, post, &error)) {
        return false;
    }
    if ((error != 0 || !message) && !roam_post_find_earlier(w, post, &found)) {
        return false;
    }
    if (found) {
        return tell_made_again(w, post);
    }
    if (post->send->kind == roam_v1_Kind_GROUP && error == 0) {
        return roam_write_change(w, post);
    }
    return write_entry(w, post, error);
}

bool roam_write_to_group(struct roam_writer *w, struct roam_post *post)
{
    struct roam_group_row group = {0};

    if (!find_group(w, post) ||
        (post->receiver != 0 &&
         !roam_groups_load(&w->groups, post->receiver, &group))) {
        return false;
    }
    post->group = &group;
    bool ok = write_known(w, post);
    post->group = NULL;
    return ok;
}
