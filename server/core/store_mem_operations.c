/* SPDX-License-Identifier: Apache-2.0 */
/* The memory store: RECALL, DELETE and READ. Spec: section 7.1. */
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "fault.h"
#include "roam.pb.h"
#include "store_mem_groups.h"

/* ---------------------------------------------------------------- looking */

bool roam__mem_sees(const struct roam__mem_user *user,
                    const struct roam__mem_message *m)
{
    if (m->erased) { /* [KEEP-5] */
        return false;
    }
    if (!m->is_private) {
        return m->receiver->group != NULL
                   ? roam__mem_in_span(m->receiver->group, user, m->msg_id)
                   : roam__mem_peer(m, user) != NULL;
    }
    const struct roam__mem_viewer *viewer = m->viewers;
    while (viewer != NULL && viewer->user != user) {
        viewer = viewer->next;
    }
    return viewer != NULL;
}

bool roam__mem_has_deleted(const struct roam__mem_user *user,
                           const struct roam__mem_message *m, uint64_t *msg_id)
{
    const struct roam__mem_deletion *deletion = user->deletions;
    while (deletion != NULL && deletion->target != m) {
        deletion = deletion->next;
    }
    *msg_id = deletion == NULL ? 0 : deletion->msg_id;
    return deletion != NULL;
}

struct roam__mem_mark *roam__mem_mark(const struct roam__mem_user *user,
                                      const struct roam__mem_user *peer)
{
    struct roam__mem_mark *mark = user->marks;
    while (mark != NULL && mark->peer != peer) {
        mark = mark->next;
    }
    return mark;
}

/* The newest row of the conversation that the sender sees, with this msg_id
 * unless it is 0; NULL: there is none. */
static struct roam__mem_message *find_row(const struct roam__mem_post *post,
                                          uint64_t msg_id)
{
    struct roam__mem_message *m = post->mem->messages;
    while (m != NULL && ((msg_id != 0 && m->msg_id != msg_id) ||
                         roam__mem_peer(m, post->sender) != post->receiver ||
                         !roam__mem_sees(post->sender, m))) {
        m = m->next;
    }
    return m;
}

/* ---------------------------------------------------------------- RECALL */

/* By the server's clock, from the time in the msg_id. */
static bool is_too_late(const struct roam__mem_post *post)
{
    uint64_t limit = post->mem->settings.recall_ms;
    uint64_t sent = post->send->operation.msg_id >> ROAM_MSG_ID_TIME_SHIFT;
    uint64_t now = post->send->now_ms;
    return limit != 0 && now > sent && now - sent > limit;
}

static bool recall(struct roam__mem_post *post)
{
    struct roam__mem_message *target =
        find_row(post, post->send->operation.msg_id);
    if (target == NULL || target->kind != roam_v1_Kind_MESSAGE) {
        return roam__mem_post_refuse(post, roam_v1_ErrorCode_NO_SUCH_MESSAGE);
    }
    if (target->sender != post->sender && !ROAM_FAULT("recall-by-anybody")) {
        return roam__mem_post_refuse(post, roam_v1_ErrorCode_FORBIDDEN);
    }
    if (target->undone_by != 0 && !ROAM_FAULT("recall-twice")) {
        return roam__mem_post_stands(post, target->undone_by);
    }
    if (is_too_late(post) && !ROAM_FAULT("recall-any-time")) {
        return roam__mem_post_refuse(post, roam_v1_ErrorCode_TOO_LATE);
    }
    if (!roam__mem_post_new(post) || !roam__mem_post_both(post)) {
        return false;
    }
    if (!ROAM_FAULT("recall-keeps-body")) {
        target->undone_by = post->message->msg_id;
    }
    return true;
}

/* ---------------------------------------------------------------- DELETE */

static bool delete_for_me(struct roam__mem_post *post)
{
    struct roam__mem_message *target =
        find_row(post, post->send->operation.msg_id);
    uint64_t standing;
    if (target == NULL) {
        return roam__mem_post_refuse(post, roam_v1_ErrorCode_NO_SUCH_MESSAGE);
    }
    if (roam__mem_has_deleted(post->sender, target, &standing)) {
        return roam__mem_post_stands(post, standing);
    }
    struct roam__mem_deletion *deletion = roam__alloc(sizeof *deletion);
    bool to_all = ROAM_FAULT("delete-for-all");
    if (deletion == NULL || !roam__mem_post_new(post) ||
        !roam__mem_post_show(post, post->sender) ||
        !(to_all ? roam__mem_post_both(post) : roam__mem_post_own(post))) {
        free(deletion);
        return false;
    }
    deletion->target = target;
    deletion->msg_id = post->message->msg_id;
    deletion->next = post->sender->deletions;
    post->sender->deletions = deletion;
    return true;
}

/* ------------------------------------------------------------------ READ */

/* The user's mark there, made if need be; NULL without memory. */
static struct roam__mem_mark *mark_for(struct roam__mem_user *user,
                                       struct roam__mem_user *peer)
{
    struct roam__mem_mark *mark = roam__mem_mark(user, peer);
    if (mark != NULL) {
        return mark;
    }
    mark = roam__alloc(sizeof *mark);
    if (mark != NULL) {
        mark->peer = peer;
        mark->next = user->marks;
        user->marks = mark;
    }
    return mark;
}

static bool read_up_to(struct roam__mem_post *post)
{
    uint64_t msg_id = post->send->operation.msg_id;
    const struct roam__mem_message *newest = find_row(post, 0);
    if (newest == NULL || msg_id > newest->msg_id) {
        return roam__mem_post_refuse(post, roam_v1_ErrorCode_NO_SUCH_MESSAGE);
    }
    struct roam__mem_mark *mark = mark_for(post->sender, post->receiver);
    if (mark == NULL) {
        return false;
    }
    if (msg_id <= mark->msg_id && !ROAM_FAULT("mark-goes-back")) {
        return roam__mem_post_stands(post, mark->read->msg_id);
    }
    if (!roam__mem_post_new(post)) {
        return false;
    }
    post->message->is_private = true; /* of nobody's history */
    bool to_all = ROAM_FAULT("read-for-all");
    if (!(to_all ? roam__mem_post_both(post) : roam__mem_post_own(post))) {
        return false;
    }
    if (mark->read != NULL && !ROAM_FAULT("old-read-stays")) {
        mark->read->undone_by = post->message->msg_id;
    }
    mark->msg_id = msg_id;
    mark->read = post->message;
    return true;
}

bool roam__mem_operation(struct roam__mem_post *post)
{
    bool ok = false;
    switch (post->send->kind) {
    case roam_v1_Kind_RECALL:
        ok = recall(post);
        break;
    case roam_v1_Kind_DELETE:
        ok = delete_for_me(post);
        break;
    case roam_v1_Kind_READ:
        ok = read_up_to(post);
        break;
    default:
        break;
    }
    if (!ok && post->message != NULL) {
        roam__mem_post_drop(post);
    }
    return ok;
}
