/* SPDX-License-Identifier: Apache-2.0 */
/* What the oracle says of operations: RECALL, DELETE, READ, APP. */
#include "oracle.h"

#include <string.h>

#include "oracle_state.h"
#include "roam.pb.h"
#include "server.h"

/* A person acts on what is on the screen. */
#define ON_SCREEN 30u

void sim_oracle_message_aims(struct sim_message *m, uint32_t kind,
                             uint64_t target)
{
    m->kind = kind;
    m->target = target;
}

bool sim_oracle_is_row(const struct sim_message *m, uint32_t user)
{
    return (m->rows >> user & 1) != 0;
}

bool sim_oracle_is_void(const struct sim_message *m)
{
    return m->kind == roam_v1_Kind_READ && m->undone_by != NULL;
}

/* Is it a row of this user's conversation with `party`? */
static bool sees(const struct sim_message *m, uint32_t user, uint32_t party)
{
    return m->stored && sim_oracle_is_row(m, user) &&
           sim_oracle_party_of(m, user) == party;
}

uint64_t sim_oracle_draw_target(struct sim_world *w, uint32_t user,
                                uint32_t party)
{
    const struct sim_oracle *o = w->oracle;
    uint64_t target = 0;
    uint32_t seen = 0;
    for (size_t i = o->message_count; i-- > 0 && seen < ON_SCREEN;) {
        const struct sim_message *m = o->messages[i];
        if (sees(m, user, party) && sim_rng_below(&w->rng, ++seen) == 0) {
            target = m->msg_id;
        }
    }
    return target;
}

bool sim_oracle_may_stand(const struct sim_world *w,
                          const struct sim_message *m, uint64_t msg_id)
{
    const struct sim_oracle *o = w->oracle;
    for (size_t i = 0; i < o->message_count; i++) {
        const struct sim_message *n = o->messages[i];
        bool any = m->kind == roam_v1_Kind_GROUP; /* [GRP-9] */
        if (n->stored && n->msg_id == msg_id && m->stood &&
            (any || (n->kind == m->kind && n->user == m->user)) &&
            n->party == m->party) {
            return true;
        }
    }
    return false;
}

/* -------------------------------------------------------------- decisions */

static const struct sim_message *find_row(const struct sim_world *w,
                                          const struct sim_message *m)
{
    const struct sim_oracle *o = w->oracle;
    for (size_t i = 0; i < o->message_count; i++) {
        if (sees(o->messages[i], m->user, m->party) &&
            o->messages[i]->msg_id == m->target) {
            return o->messages[i];
        }
    }
    return NULL;
}

/* The user's own stored operation of that kind, and, unless it is 0, with
 * that target, which nothing has replaced; NULL: there is none. */
static struct sim_message *find_standing(const struct sim_world *w,
                                         uint32_t user, uint32_t party,
                                         uint32_t kind, uint64_t target)
{
    const struct sim_oracle *o = w->oracle;
    for (size_t i = 0; i < o->message_count; i++) {
        struct sim_message *n = o->messages[i];
        if (n->stored && n->kind == kind && n->user == user &&
            n->party == party && n->undone_by == NULL &&
            (target == 0 || n->target == target)) {
            return n;
        }
    }
    return NULL;
}

static uint64_t newest_row(const struct sim_world *w, uint32_t user,
                           uint32_t party)
{
    const struct sim_oracle *o = w->oracle;
    uint64_t newest = 0;
    for (size_t i = 0; i < o->message_count; i++) {
        const struct sim_message *m = o->messages[i];
        if (sees(m, user, party)) {
            /* One that was not seen so far is newer than all that were. */
            uint64_t id = m->msg_id == 0 ? UINT64_MAX : m->msg_id;
            newest = id > newest ? id : newest;
        }
    }
    return newest;
}

/* [OP-2] */
static uint32_t refuse_recall(const struct sim_world *w,
                              const struct sim_message *m,
                              const struct sim_message *target,
                              const struct roam_store_send *in)
{
    uint64_t limit = w->server->config.store_settings.recall_ms;
    uint64_t said_ms = m->target >> ROAM_MSG_ID_TIME_SHIFT;
    if (target == NULL || target->kind != roam_v1_Kind_MESSAGE) {
        return roam_v1_ErrorCode_NO_SUCH_MESSAGE;
    }
    if (target->user != m->user) {
        return roam_v1_ErrorCode_FORBIDDEN;
    }
    bool late = in->now_ms > said_ms && in->now_ms - said_ms > limit;
    return target->undone_by == NULL && late ? roam_v1_ErrorCode_TOO_LATE : 0;
}

enum roam_send_result sim_oracle_decide_operation(
    const struct sim_world *w, const struct sim_message *m,
    const struct roam_store_send *in, uint32_t *error, uint64_t *stands)
{
    uint32_t party = m->party;
    const struct sim_message *target = find_row(w, m);
    const struct sim_message *standing = NULL;
    if (m->kind == roam_v1_Kind_RECALL) {
        *error = refuse_recall(w, m, target, in);
        standing = *error == 0 ? target->undone_by : NULL;
    } else if (m->kind == roam_v1_Kind_DELETE) { /* [OP-4] */
        *error = target == NULL ? roam_v1_ErrorCode_NO_SUCH_MESSAGE : 0;
        standing = find_standing(w, m->user, party, m->kind, m->target);
    } else if (m->kind == roam_v1_Kind_READ) { /* [OP-5] */
        *error = m->target > newest_row(w, m->user, party)
                     ? roam_v1_ErrorCode_NO_SUCH_MESSAGE
                     : 0;
        standing = find_standing(w, m->user, party, m->kind, 0);
        if (standing != NULL && standing->target < m->target) {
            standing = NULL;
        }
    }
    if (*error != 0) {
        return ROAM_SEND_REFUSED;
    }
    *stands = standing == NULL ? 0 : standing->msg_id; /* [OP-10] */
    return standing == NULL ? ROAM_SEND_STORED : ROAM_SEND_DUPLICATE;
}

void sim_oracle_carry_out(struct sim_world *w, struct sim_message *m)
{
    struct sim_oracle *o = w->oracle;
    for (size_t i = 0; i < o->message_count; i++) {
        struct sim_message *n = o->messages[i];
        bool target = sees(n, m->user, m->party) && n->msg_id == m->target;
        if (m->kind == roam_v1_Kind_DELETE && target) {
            n->deleted_by[m->user] = m;
        }
        bool recalled = m->kind == roam_v1_Kind_RECALL && target;
        bool replaced = m->kind == roam_v1_Kind_READ && n != m && n->stored &&
                        n->kind == roam_v1_Kind_READ && n->user == m->user &&
                        n->party == m->party;
        if ((recalled || replaced) && n->undone_by == NULL) {
            n->undone_by = m;
        }
    }
}

/* ------------------------------------------------------------------ marks */

/* Is it on this timeline, up to this version? */
static bool is_within(const struct sim_message *m, uint32_t user,
                      uint64_t version)
{
    return m != NULL && m->version[user] != 0 && m->version[user] <= version;
}

/* [HIST-15] */
void sim_oracle_marks(const struct sim_world *w, uint32_t user, uint32_t party,
                      size_t line, uint64_t *mark, struct sim_unread *unread)
{
    uint64_t version = sim_oracle_line(w, user, line)->version;
    *mark = 0;
    *unread = (struct sim_unread){0, 0};
    for (size_t i = 1; i <= line; i++) {
        const struct sim_message *m = sim_oracle_line(w, user, i)->message;
        if (m->kind == roam_v1_Kind_READ && m->party == party) {
            *mark = m->target;
        }
    }
    for (size_t i = 1; i <= line; i++) {
        const struct sim_message *m = sim_oracle_line(w, user, i)->message;
        bool counts = m->kind == roam_v1_Kind_MESSAGE && m->user != user &&
                      sim_oracle_party_of(m, user) == party &&
                      m->msg_id > *mark &&
                      !is_within(m->undone_by, user, version) &&
                      !is_within(m->deleted_by[user], user, version);
        bool untold =
            (m->undone_by != NULL && (m->undone_by->lines >> user & 1) == 0) ||
            (m->undone_by == NULL && m->was_undone);
        unread->most += counts;
        unread->least += counts && !untold;
    }
}
