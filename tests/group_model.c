/* SPDX-License-Identifier: Apache-2.0 */
/* See group_model.h. */
#include "group_model.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

bool model_is_member(const struct model *g, uint32_t u)
{
    return u < USERS && g->parts[u].role >= roam_v1_Role_MEMBER;
}

static unsigned set_of(const struct model *g, uint32_t least)
{
    unsigned set = 0;
    for (uint32_t u = 0; u < USERS; u++) {
        set |= g->parts[u].role >= least ? 1u << u : 0;
    }
    return set;
}

unsigned model_members(const struct model *g)
{
    return set_of(g, roam_v1_Role_MEMBER);
}

uint32_t model_size_of(unsigned set)
{
    uint32_t n = 0;
    for (; set != 0; set &= set - 1) {
        n++;
    }
    return n;
}

static bool in_span(const struct model *g, uint32_t u, uint64_t msg_id)
{
    const struct part *p = &g->parts[u];
    for (size_t i = 0; i < p->span_count; i++) {
        if (p->spans[i].since <= msg_id && msg_id <= p->spans[i].until) {
            return true;
        }
    }
    return false;
}

bool model_sees(const struct model *g, uint32_t u, const struct row *r)
{
    return r->for_all ? in_span(g, u, r->msg_id) : (r->shown >> u & 1) != 0;
}

static const struct row *visible(const struct model *g, uint32_t u,
                                 uint64_t msg_id)
{
    for (size_t i = 0; i < g->row_count; i++) {
        if (g->rows[i].msg_id == msg_id && model_sees(g, u, &g->rows[i])) {
            return &g->rows[i];
        }
    }
    return NULL;
}

static const struct row *deletion(const struct model *g, uint32_t u,
                                  uint64_t target)
{
    for (size_t i = 0; i < g->row_count; i++) {
        const struct row *r = &g->rows[i];
        if (r->kind == KIND(DELETE) && r->user == u && r->target == target) {
            return r;
        }
    }
    return NULL;
}

uint64_t model_newest(const struct model *g, uint32_t u)
{
    uint64_t id = 0;
    for (size_t i = 0; i < g->row_count; i++) {
        id = model_sees(g, u, &g->rows[i]) ? g->rows[i].msg_id : id;
    }
    return id;
}

uint32_t model_unread(const struct model *g, uint32_t u)
{
    uint32_t n = 0;
    for (size_t i = 0; i < g->row_count; i++) {
        const struct row *r = &g->rows[i];
        n += r->kind == KIND(MESSAGE) && r->user != u && model_sees(g, u, r) &&
             r->msg_id > g->parts[u].mark && !r->recalled &&
             deletion(g, u, r->msg_id) == NULL;
    }
    return n;
}

void model_set_role(struct model *g, uint32_t u, uint32_t role, uint64_t msg_id)
{
    struct part *p = &g->parts[u];
    bool was = model_is_member(g, u);
    bool is = role >= roam_v1_Role_MEMBER;
    if (is && !was) {
        assert_true(p->span_count < SPANS_MAX);
        p->spans[p->span_count].since = msg_id;
        p->spans[p->span_count++].until = UINT64_MAX;
    } else if (was && !is) {
        p->spans[p->span_count - 1].until = msg_id;
    }
    if (was != is || p->role == 0) {
        p->since = msg_id;
    }
    if (role == 0 || (is && !was)) {
        p->muted = false;
    }
    p->role = role;
}

/* -------------------------------------------------------------------- steps */

static bool names_unknown(const struct step *s)
{
    return (s->named_count > 0 && s->named[0] == NOBODY) ||
           (s->named_count > 1 && s->named[1] == NOBODY);
}

static unsigned newcomers(const struct model *g, const struct step *s)
{
    unsigned set = 0;
    for (size_t i = 0; i < s->named_count; i++) {
        set |= model_is_member(g, s->named[i]) ? 0 : 1u << s->named[i];
    }
    return set;
}

static bool needs_applicant(uint32_t action)
{
    return action == ACTION(APPROVE) || action == ACTION(DENY);
}

static bool is_forbidden(const struct model *g, const struct step *s,
                         uint32_t role, uint32_t target)
{
    bool admin = role >= roam_v1_Role_ADMIN;
    bool owner = role == roam_v1_Role_OWNER;
    switch (s->action) {
    case ACTION(INVITE):
        return g->join == roam_v1_JoinMode_JOIN_CLOSED && !admin;
    case ACTION(LEAVE):
        return owner;
    case ACTION(REMOVE):
    case ACTION(MUTE):
    case ACTION(UNMUTE):
        return !admin || (s->named_count > 0 && target >= role);
    case ACTION(RENAME):
    case ACTION(SET_JOIN):
        return !admin;
    case ACTION(SET_ADMIN):
    case ACTION(UNSET_ADMIN):
        return !owner || target == roam_v1_Role_OWNER;
    case ACTION(TRANSFER):
    case ACTION(DISSOLVE):
        return !owner;
    default:
        return false;
    }
}

static uint32_t fault_of_change(const struct model *g, const struct step *s)
{
    uint32_t role = g->parts[s->user].role;
    uint32_t target = s->named_count > 0 && s->named[0] != NOBODY
                          ? g->parts[s->named[0]].role
                          : 0;
    bool may_join =
        s->action == ACTION(JOIN) && g->join != roam_v1_JoinMode_JOIN_CLOSED;
    if (!model_is_member(g, s->user) && !may_join) {
        return ERROR(NO_SUCH_CONVERSATION);
    }
    bool one = s->named_count > 0 && s->action != ACTION(INVITE);
    bool there =
        needs_applicant(s->action)
            ? target == roam_v1_Role_APPLICANT && role >= roam_v1_Role_ADMIN
            : target >= roam_v1_Role_MEMBER;
    if (names_unknown(s) || (one && !there)) {
        return ERROR(NO_SUCH_USER);
    }
    return is_forbidden(g, s, role, target) ? ERROR(FORBIDDEN) : 0;
}

/* Is it so already? */
static bool stands(const struct model *g, const struct step *s)
{
    const struct part *t = s->named_count > 0 ? &g->parts[s->named[0]] : NULL;
    bool mutes = s->action == ACTION(MUTE);
    switch (s->action) {
    case ACTION(INVITE):
        return newcomers(g, s) == 0;
    case ACTION(JOIN):
        return model_is_member(g, s->user) ||
               (g->parts[s->user].role == roam_v1_Role_APPLICANT &&
                g->join == roam_v1_JoinMode_JOIN_APPROVAL);
    case ACTION(RENAME):
        return s->name == g->name;
    case ACTION(SET_JOIN):
        return s->join == g->join;
    case ACTION(SET_ADMIN):
        return t->role == roam_v1_Role_ADMIN;
    case ACTION(UNSET_ADMIN):
        return t->role == roam_v1_Role_MEMBER;
    case ACTION(TRANSFER):
        return t->role == roam_v1_Role_OWNER;
    case ACTION(MUTE):
    case ACTION(UNMUTE):
        return (t != NULL ? t->muted : g->muted) == mutes;
    default:
        return false;
    }
}

static struct wanted want_change(const struct model *g, const struct step *s)
{
    struct wanted w = {fault_of_change(g, s), false, 0, 0};
    if (w.error != 0) {
        return w;
    }
    w.stands = stands(g, s);
    if (w.stands) {
        w.msg_id = s->action == ACTION(JOIN) ? g->parts[s->user].since
                                             : g->last_msg_id;
        return w;
    }
    uint32_t more = s->action == ACTION(INVITE) ? model_size_of(newcomers(g, s))
                    : s->action == ACTION(APPROVE) ? 1
                    : s->action == ACTION(JOIN)
                        ? g->join == roam_v1_JoinMode_JOIN_OPEN
                        : 0;
    if (more > 0 && model_size_of(model_members(g)) + more > MEMBERS_MAX) {
        w.error = ERROR(GROUP_FULL);
    }
    return w;
}

static struct wanted want_target(const struct model *g, const struct step *s)
{
    const struct row *r = visible(g, s->user, s->target);
    struct wanted w = {0};
    bool former = g->parts[s->user].span_count > 0;
    if (!model_is_member(g, s->user) && (s->kind == KIND(RECALL) || !former)) {
        w.error = ERROR(NO_SUCH_CONVERSATION);
    } else if (s->kind == KIND(READ)) {
        w.error =
            s->target > model_newest(g, s->user) ? ERROR(NO_SUCH_MESSAGE) : 0;
        w.stands = w.error == 0 && s->target <= g->parts[s->user].mark;
        w.msg_id = g->parts[s->user].read_id;
    } else if (r == NULL ||
               (s->kind == KIND(RECALL) && r->kind != KIND(MESSAGE))) {
        w.error = ERROR(NO_SUCH_MESSAGE);
    } else if (s->kind == KIND(RECALL)) {
        w.error = r->user != s->user ? ERROR(FORBIDDEN) : 0;
        w.stands = r->recalled && w.error == 0;
        w.msg_id = r->recall;
    } else {
        w.stands = deletion(g, s->user, s->target) != NULL;
        w.msg_id = w.stands ? deletion(g, s->user, s->target)->msg_id : 0;
    }
    return w;
}

static struct wanted want_speech(const struct model *g, const struct step *s)
{
    const struct part *p = &g->parts[s->user];
    struct wanted w = {0};
    bool silent = p->muted || (g->muted && p->role == roam_v1_Role_MEMBER);
    if (!model_is_member(g, s->user)) {
        w.error = ERROR(NO_SUCH_CONVERSATION);
    } else if (s->named_count > 0 &&
               (!model_is_member(g, s->named[0]) ||
                (s->named_count > 1 && !model_is_member(g, s->named[1])))) {
        w.error = ERROR(NO_SUCH_USER);
    } else if (silent) {
        w.error = ERROR(MUTED);
    }
    return w;
}

struct wanted model_want(const struct model *g, const struct step *s)
{
    return s->kind == KIND(GROUP) ? want_change(g, s)
           : s->kind == KIND(MESSAGE) || s->kind == KIND(APP)
               ? want_speech(g, s)
               : want_target(g, s);
}

/* ------------------------------------------------------------- carrying out */

static void change(struct model *g, const struct step *s, uint64_t id)
{
    uint32_t t = s->named[0];
    switch (s->action) {
    case ACTION(INVITE):
    case ACTION(APPROVE):
        for (uint32_t u = 0; u < USERS; u++) {
            if ((newcomers(g, s) >> u & 1) != 0) {
                model_set_role(g, u, roam_v1_Role_MEMBER, id);
            }
        }
        break;
    case ACTION(JOIN):
        model_set_role(g, s->user,
                       g->join == roam_v1_JoinMode_JOIN_OPEN
                           ? roam_v1_Role_MEMBER
                           : roam_v1_Role_APPLICANT,
                       id);
        break;
    case ACTION(DENY):
    case ACTION(REMOVE):
        model_set_role(g, t, 0, id);
        break;
    case ACTION(LEAVE):
        model_set_role(g, s->user, 0, id);
        break;
    case ACTION(RENAME):
        g->name = s->name;
        break;
    case ACTION(SET_ADMIN):
        model_set_role(g, t, roam_v1_Role_ADMIN, id);
        break;
    case ACTION(UNSET_ADMIN):
        model_set_role(g, t, roam_v1_Role_MEMBER, id);
        break;
    case ACTION(SET_JOIN):
        g->join = s->join;
        break;
    case ACTION(TRANSFER):
        model_set_role(g, s->user, roam_v1_Role_ADMIN, id);
        model_set_role(g, t, roam_v1_Role_OWNER, id);
        g->parts[t].muted = false;
        break;
    default: /* MUTE, UNMUTE */
        *(s->named_count > 0 ? &g->parts[t].muted : &g->muted) =
            s->action == ACTION(MUTE);
        break;
    }
}

/* An application, or the denial of one, is for those who decide. */
static bool is_application(const struct model *g, const struct step *s)
{
    return s->action == ACTION(DENY) ||
           (s->action == ACTION(JOIN) && !model_is_member(g, s->user));
}

unsigned model_carry_out(struct model *g, const struct step *s, uint64_t id)
{
    assert_true(g->row_count < ROWS_MAX);
    struct row *target, *r = &g->rows[g->row_count++];
    unsigned self = 1u << s->user;
    unsigned before = model_members(g);
    *r = (struct row){.msg_id = id,
                      .target = s->target,
                      .kind = s->kind,
                      .user = s->user,
                      .for_all = true};
    g->last_msg_id = id;
    unsigned named = self;
    for (size_t i = 0; i < s->named_count; i++) {
        named |= 1u << s->named[i];
    }
    switch (s->kind) {
    case KIND(GROUP):
        change(g, s, id);
        if (is_application(g, s)) {
            r->for_all = false;
            r->shown = set_of(g, roam_v1_Role_ADMIN);
            return r->shown | named;
        }
        return before | model_members(g);
    case KIND(APP):
        r->for_all = s->named_count == 0;
        r->shown = named;
        return r->for_all ? before : named;
    case KIND(RECALL):
        target = &g->rows[visible(g, s->user, s->target) - g->rows];
        target->recalled = true;
        target->recall = id;
        return before;
    case KIND(DELETE):
        r->for_all = false;
        r->shown = self;
        return self;
    case KIND(READ):
        r->for_all = false; /* of nobody's history */
        g->parts[s->user].mark = s->target;
        g->parts[s->user].read_id = id;
        return self;
    default:
        return before;
    }
}
