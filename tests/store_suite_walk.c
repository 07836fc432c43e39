/* SPDX-License-Identifier: Apache-2.0 */
/* The claims about stores: a long walk in one group. Six users change it,
 * speak in it, leave it and come back, by lot; a model that is written from
 * section 7.2 alone says what must come of each step: the answer, who gets
 * the entry, and for everybody the history, the members, and the row of
 * CONVERSATIONS. It shares no code with a store, nor with group_rules.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "roam.pb.h"
#include "store_probe.h"

#define USERS 6u
#define STEPS 400u
#define SEEDS 2u
#define MEMBERS_MAX 4u /* so that the group is often full */
#define SPANS_MAX 256u
#define BODY_MAX 512u
#define NOBODY USERS /* names a user who does not exist */

#define ACTION(name) roam_v1_GroupAction_##name
#define ERROR(name) roam_v1_ErrorCode_##name
#define KIND(name) roam_v1_Kind_##name

static const char *const names[USERS + 1] = {"alice", "bob",   "carol", "dave",
                                             "erin",  "frank", "nobody"};

/* A stored SEND. */
struct row {
    uint64_t msg_id, target;
    uint32_t kind, user;
    unsigned shown; /* to whom, when it is not for all parties */
    bool for_all, recalled;
    uint64_t recall; /* msg_id of the RECALL */
};

struct part {
    uint32_t role;
    bool muted;
    uint64_t since;
    struct {
        uint64_t since, until;
    } spans[SPANS_MAX];
    size_t span_count;
    uint64_t mark, read_id;
};

static struct model {
    struct roam_identity who[USERS];
    char group[ROAM_CONVERSATION_MAX + 1];
    uint32_t join;
    bool muted;
    uint32_t name; /* a number */
    struct part parts[USERS];
    struct row rows[STEPS + 1];
    size_t row_count;
    uint64_t last_msg_id, last_client_id;
    uint64_t lot;
} g;

static uint32_t draw(uint32_t below)
{
    g.lot = g.lot * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(g.lot >> 33) % below;
}

/* ------------------------------------------------------------------- model */

static bool is_member(uint32_t u)
{
    return u < USERS && g.parts[u].role >= roam_v1_Role_MEMBER;
}

static unsigned set_of(uint32_t least)
{
    unsigned set = 0;
    for (uint32_t u = 0; u < USERS; u++) {
        set |= g.parts[u].role >= least ? 1u << u : 0;
    }
    return set;
}

static unsigned members(void)
{
    return set_of(roam_v1_Role_MEMBER);
}

static uint32_t size_of(unsigned set)
{
    uint32_t n = 0;
    for (; set != 0; set &= set - 1) {
        n++;
    }
    return n;
}

static bool in_span(uint32_t u, uint64_t msg_id)
{
    const struct part *p = &g.parts[u];
    for (size_t i = 0; i < p->span_count; i++) {
        if (p->spans[i].since <= msg_id && msg_id <= p->spans[i].until) {
            return true;
        }
    }
    return false;
}

static bool sees(uint32_t u, const struct row *r)
{
    return r->for_all ? in_span(u, r->msg_id) : (r->shown >> u & 1) != 0;
}

static struct row *visible(uint32_t u, uint64_t msg_id)
{
    for (size_t i = 0; i < g.row_count; i++) {
        if (g.rows[i].msg_id == msg_id && sees(u, &g.rows[i])) {
            return &g.rows[i];
        }
    }
    return NULL;
}

static const struct row *deletion(uint32_t u, uint64_t target)
{
    for (size_t i = 0; i < g.row_count; i++) {
        const struct row *r = &g.rows[i];
        if (r->kind == KIND(DELETE) && r->user == u && r->target == target) {
            return r;
        }
    }
    return NULL;
}

static uint64_t newest(uint32_t u)
{
    uint64_t id = 0;
    for (size_t i = 0; i < g.row_count; i++) {
        id = sees(u, &g.rows[i]) ? g.rows[i].msg_id : id;
    }
    return id;
}

static uint32_t unread(uint32_t u)
{
    uint32_t n = 0;
    for (size_t i = 0; i < g.row_count; i++) {
        const struct row *r = &g.rows[i];
        n += r->kind == KIND(MESSAGE) && r->user != u && sees(u, r) &&
             r->msg_id > g.parts[u].mark && !r->recalled &&
             deletion(u, r->msg_id) == NULL;
    }
    return n;
}

static void set_role(uint32_t u, uint32_t role, uint64_t msg_id)
{
    struct part *p = &g.parts[u];
    bool was = is_member(u);
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

struct step {
    uint32_t kind, action, user;
    uint32_t named[2];
    size_t named_count;
    uint32_t join, name;
    uint64_t target;
};

/* What must come of it. */
struct wanted {
    uint32_t error;
    bool stands;
    uint64_t msg_id;   /* of what stands */
    unsigned audience; /* filled in when it is carried out */
};

static bool names_unknown(const struct step *s)
{
    return (s->named_count > 0 && s->named[0] == NOBODY) ||
           (s->named_count > 1 && s->named[1] == NOBODY);
}

static unsigned newcomers(const struct step *s)
{
    unsigned set = 0;
    for (size_t i = 0; i < s->named_count; i++) {
        set |= is_member(s->named[i]) ? 0 : 1u << s->named[i];
    }
    return set;
}

static bool needs_applicant(uint32_t action)
{
    return action == ACTION(APPROVE) || action == ACTION(DENY);
}

static bool is_forbidden(const struct step *s, uint32_t role, uint32_t target)
{
    bool admin = role >= roam_v1_Role_ADMIN;
    bool owner = role == roam_v1_Role_OWNER;
    switch (s->action) {
    case ACTION(INVITE):
        return g.join == roam_v1_JoinMode_JOIN_CLOSED && !admin;
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

static uint32_t fault_of_change(const struct step *s)
{
    uint32_t role = g.parts[s->user].role;
    uint32_t target = s->named_count > 0 && s->named[0] != NOBODY
                          ? g.parts[s->named[0]].role
                          : 0;
    bool may_join =
        s->action == ACTION(JOIN) && g.join != roam_v1_JoinMode_JOIN_CLOSED;
    if (!is_member(s->user) && !may_join) {
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
    return is_forbidden(s, role, target) ? ERROR(FORBIDDEN) : 0;
}

/* Is it so already? */
static bool stands(const struct step *s)
{
    const struct part *t = s->named_count > 0 ? &g.parts[s->named[0]] : NULL;
    bool mutes = s->action == ACTION(MUTE);
    switch (s->action) {
    case ACTION(INVITE):
        return newcomers(s) == 0;
    case ACTION(JOIN):
        return is_member(s->user) ||
               (g.parts[s->user].role == roam_v1_Role_APPLICANT &&
                g.join == roam_v1_JoinMode_JOIN_APPROVAL);
    case ACTION(RENAME):
        return s->name == g.name;
    case ACTION(SET_JOIN):
        return s->join == g.join;
    case ACTION(SET_ADMIN):
        return t->role == roam_v1_Role_ADMIN;
    case ACTION(UNSET_ADMIN):
        return t->role == roam_v1_Role_MEMBER;
    case ACTION(TRANSFER):
        return t->role == roam_v1_Role_OWNER;
    case ACTION(MUTE):
    case ACTION(UNMUTE):
        return (t != NULL ? t->muted : g.muted) == mutes;
    default:
        return false;
    }
}

static struct wanted want_change(const struct step *s)
{
    struct wanted w = {fault_of_change(s), false, 0, 0};
    if (w.error != 0) {
        return w;
    }
    w.stands = stands(s);
    if (w.stands) {
        w.msg_id =
            s->action == ACTION(JOIN) ? g.parts[s->user].since : g.last_msg_id;
        return w;
    }
    uint32_t more = s->action == ACTION(INVITE)    ? size_of(newcomers(s))
                    : s->action == ACTION(APPROVE) ? 1
                    : s->action == ACTION(JOIN)
                        ? g.join == roam_v1_JoinMode_JOIN_OPEN
                        : 0;
    if (more > 0 && size_of(members()) + more > MEMBERS_MAX) {
        w.error = ERROR(GROUP_FULL);
    }
    return w;
}

static struct wanted want_target(const struct step *s)
{
    const struct row *r = visible(s->user, s->target);
    struct wanted w = {0};
    bool former = g.parts[s->user].span_count > 0;
    if (!is_member(s->user) && (s->kind == KIND(RECALL) || !former)) {
        w.error = ERROR(NO_SUCH_CONVERSATION);
    } else if (s->kind == KIND(READ)) {
        w.error = s->target > newest(s->user) ? ERROR(NO_SUCH_MESSAGE) : 0;
        w.stands = w.error == 0 && s->target <= g.parts[s->user].mark;
        w.msg_id = g.parts[s->user].read_id;
    } else if (r == NULL ||
               (s->kind == KIND(RECALL) && r->kind != KIND(MESSAGE))) {
        w.error = ERROR(NO_SUCH_MESSAGE);
    } else if (s->kind == KIND(RECALL)) {
        w.error = r->user != s->user ? ERROR(FORBIDDEN) : 0;
        w.stands = r->recalled && w.error == 0;
        w.msg_id = r->recall;
    } else {
        w.stands = deletion(s->user, s->target) != NULL;
        w.msg_id = w.stands ? deletion(s->user, s->target)->msg_id : 0;
    }
    return w;
}

static struct wanted want_speech(const struct step *s)
{
    const struct part *p = &g.parts[s->user];
    struct wanted w = {0};
    bool silent = p->muted || (g.muted && p->role == roam_v1_Role_MEMBER);
    if (!is_member(s->user)) {
        w.error = ERROR(NO_SUCH_CONVERSATION);
    } else if (s->named_count > 0 &&
               (!is_member(s->named[0]) ||
                (s->named_count > 1 && !is_member(s->named[1])))) {
        w.error = ERROR(NO_SUCH_USER);
    } else if (silent) {
        w.error = ERROR(MUTED);
    }
    return w;
}

static struct wanted want(const struct step *s)
{
    return s->kind == KIND(GROUP)                             ? want_change(s)
           : s->kind == KIND(MESSAGE) || s->kind == KIND(APP) ? want_speech(s)
                                                              : want_target(s);
}

/* ------------------------------------------------------------- carrying out */

static void change(const struct step *s, uint64_t id)
{
    uint32_t t = s->named[0];
    switch (s->action) {
    case ACTION(INVITE):
    case ACTION(APPROVE):
        for (uint32_t u = 0; u < USERS; u++) {
            if ((newcomers(s) >> u & 1) != 0) {
                set_role(u, roam_v1_Role_MEMBER, id);
            }
        }
        break;
    case ACTION(JOIN):
        set_role(s->user,
                 g.join == roam_v1_JoinMode_JOIN_OPEN ? roam_v1_Role_MEMBER
                                                      : roam_v1_Role_APPLICANT,
                 id);
        break;
    case ACTION(DENY):
    case ACTION(REMOVE):
        set_role(t, 0, id);
        break;
    case ACTION(LEAVE):
        set_role(s->user, 0, id);
        break;
    case ACTION(RENAME):
        g.name = s->name;
        break;
    case ACTION(SET_ADMIN):
        set_role(t, roam_v1_Role_ADMIN, id);
        break;
    case ACTION(UNSET_ADMIN):
        set_role(t, roam_v1_Role_MEMBER, id);
        break;
    case ACTION(SET_JOIN):
        g.join = s->join;
        break;
    case ACTION(TRANSFER):
        set_role(s->user, roam_v1_Role_ADMIN, id);
        set_role(t, roam_v1_Role_OWNER, id);
        g.parts[t].muted = false;
        break;
    default: /* MUTE, UNMUTE */
        *(s->named_count > 0 ? &g.parts[t].muted : &g.muted) =
            s->action == ACTION(MUTE);
        break;
    }
}

/* An application, or the denial of one, is for those who decide. */
static bool is_application(const struct step *s)
{
    return s->action == ACTION(DENY) ||
           (s->action == ACTION(JOIN) && !is_member(s->user));
}

static unsigned carry_out(const struct step *s, uint64_t id)
{
    struct row *r = &g.rows[g.row_count++];
    unsigned self = 1u << s->user;
    unsigned before = members();
    *r = (struct row){.msg_id = id,
                      .target = s->target,
                      .kind = s->kind,
                      .user = s->user,
                      .for_all = true};
    g.last_msg_id = id;
    unsigned named = self;
    for (size_t i = 0; i < s->named_count; i++) {
        named |= 1u << s->named[i];
    }
    switch (s->kind) {
    case KIND(GROUP):
        change(s, id);
        if (is_application(s)) {
            r->for_all = false;
            r->shown = set_of(roam_v1_Role_ADMIN);
            return r->shown | named;
        }
        return before | members();
    case KIND(APP):
        r->for_all = s->named_count == 0;
        r->shown = named;
        return r->for_all ? before : named;
    case KIND(RECALL):
        visible(s->user, s->target)->recalled = true;
        visible(s->user, s->target)->recall = id;
        return before;
    case KIND(DELETE):
        r->for_all = false;
        r->shown = self;
        return self;
    case KIND(READ):
        r->for_all = false; /* of nobody's history */
        g.parts[s->user].mark = s->target;
        g.parts[s->user].read_id = id;
        return self;
    default:
        return before;
    }
}

/* -------------------------------------------------------------------- draws */

static uint32_t draw_user(void)
{
    return draw(25) == 0 ? NOBODY : draw(USERS);
}

/* The owner as often as all, so that much is granted. */
static uint32_t draw_actor(void)
{
    uint32_t u = 0;
    while (u < USERS && g.parts[u].role != roam_v1_Role_OWNER) {
        u++;
    }
    return u < USERS && draw(2) == 0 ? u : draw(USERS);
}

static struct step draw_change(void)
{
    struct step s = {.kind = KIND(GROUP), .user = draw_actor()};
    do {
        s.action = ACTION(INVITE) + draw(ACTION(DISSOLVE) - ACTION(INVITE));
    } while (s.action == ACTION(TRANSFER) && draw(4) != 0);
    bool maybe = s.action == ACTION(MUTE) || s.action == ACTION(UNMUTE);
    bool lone = s.action == ACTION(JOIN) || s.action == ACTION(LEAVE) ||
                s.action == ACTION(RENAME) || s.action == ACTION(SET_JOIN);
    s.named_count = lone                         ? 0
                    : s.action == ACTION(INVITE) ? 1 + draw(2)
                    : maybe && draw(3) == 0      ? 0
                                                 : 1;
    s.named[0] = draw_user();
    s.named[1] = draw_user();
    s.name = 1 + draw(3);
    s.join = 1 + draw(3);
    return s;
}

static struct step draw_step(void)
{
    uint32_t dice = draw(100);
    if (dice < 55) {
        return draw_change();
    }
    struct step s = {.user = draw(USERS)};
    if (dice < 75) {
        s.kind = KIND(MESSAGE);
        return s;
    }
    if (dice < 82) {
        s.kind = KIND(APP);
        s.named_count = draw(3);
        s.named[0] = draw_user();
        s.named[1] = draw_user();
        return s;
    }
    s.kind = dice < 88 ? KIND(RECALL) : dice < 94 ? KIND(DELETE) : KIND(READ);
    size_t back = draw(12);
    size_t at = back < g.row_count ? g.row_count - 1 - back : 0;
    s.target = g.rows[at].msg_id + (draw(20) == 0 ? 1 : 0);
    return s;
}

/* ------------------------------------------------------------------ the store
 */

static struct roam_store_request *make(const struct step *s, uint64_t id)
{
    static const char *const titles[] = {"", "one", "two", "three"};
    uint8_t body[BODY_MAX];
    struct roam_slice list[2];
    struct roam_operation op = {.kind = s->kind, .msg_id = s->target};
    if (s->kind == KIND(MESSAGE)) {
        return probe_make_send(&g.who[s->user], id, g.group, "words");
    }
    op.action = s->action;
    op.name = probe_text(s->action == ACTION(RENAME) ? titles[s->name] : "");
    op.join = s->action == ACTION(SET_JOIN) ? s->join : 0;
    op.data = probe_text(s->kind == KIND(APP) ? "poke" : "");
    for (size_t i = 0; i < s->named_count; i++) {
        list[i] = probe_text(names[s->named[i]]);
    }
    size_t len =
        roam_operation_encode(&op, list, s->named_count, body, sizeof body);
    struct roam_store_request *req =
        probe_make_send_of(&g.who[s->user], id, g.group, probe_text(""),
                           (struct roam_slice){body, len});
    req->u.send.kind = s->kind;
    assert_true(roam_operation_decode(s->kind, req->u.send.body,
                                      &req->u.send.operation));
    return req;
}

static unsigned audience_of(const struct roam_store_send *send)
{
    unsigned set = 0;
    for (size_t i = 0; i < send->delivery_count; i++) {
        for (uint32_t u = 0; u < USERS; u++) {
            if (g.who[u].user == send->deliveries[i].user) {
                assert_true((set >> u & 1) == 0); /* once */
                set |= 1u << u;
            }
        }
    }
    return set;
}

static void take_step(unsigned number)
{
    struct step s = draw_step();
    struct wanted w = want(&s);
    struct roam_store_request *req = make(&s, ++g.last_client_id);
    probe_answer(req);
    const struct roam_store_send *send = &req->u.send;
    uint32_t error = send->result == ROAM_SEND_REFUSED ? send->error : 0;
    bool stood = send->result == ROAM_SEND_DUPLICATE;
    if (error != w.error || stood != w.stands) {
        fail_msg("step %u: kind %u action %u of %s on %s (%zu named): error "
                 "%u, must be %u; stands %d, must be %d",
                 number, s.kind, s.action, names[s.user], names[s.named[0]],
                 s.named_count, error, w.error, stood, w.stands);
    }
    unsigned audience = 0;
    if (w.error == 0 && w.stands) {
        assert_int_equal(send->msg_id, w.msg_id);
    } else if (w.error == 0) {
        assert_true(send->msg_id > g.last_msg_id);
        audience = carry_out(&s, send->msg_id);
    }
    if (audience_of(send) != audience) {
        fail_msg("step %u: kind %u action %u: audience %x, must be %x", number,
                 s.kind, s.action, audience_of(send), audience);
    }
    roam_store_request_free(req);
}

/* ------------------------------------------------------------------- checks */

/* Pages of `max` rows, from the newest down, must be what u sees. */
static void check_history(uint32_t u, uint32_t max)
{
    size_t len = strlen(g.group);
    uint64_t before = 0;
    size_t at = g.row_count;
    bool more = true;
    while (more) {
        struct roam_store_request *req = probe_make(ROAM_STORE_HISTORY, len);
        struct roam_store_history *h = &req->u.history;
        memcpy(req->memory, g.group, len);
        h->user = g.who[u].user;
        h->device = g.who[u].device;
        h->conversation = (struct roam_slice){req->memory, len};
        h->before = before;
        h->max_count = max;
        h->max_bytes = SIZE_MAX;
        h->body_limit = UINT32_MAX;
        probe_answer(req);
        assert_int_equal(h->found, g.parts[u].span_count > 0);
        for (size_t i = h->count; i-- > 0;) {
            do {
                assert_true(at > 0);
                at--;
            } while (!sees(u, &g.rows[at]));
            assert_int_equal(h->rows[i].msg_id, g.rows[at].msg_id);
            assert_int_equal(h->rows[i].kind, g.rows[at].kind);
            assert_int_equal(h->rows[i].recalled, g.rows[at].recalled);
        }
        before = h->count > 0 ? h->rows[0].msg_id : before;
        more = h->more;
        roam_store_request_free(req);
    }
    while (at > 0 && g.parts[u].span_count > 0) {
        assert_false(sees(u, &g.rows[--at]));
    }
}

static void check_conversation(uint32_t u)
{
    struct roam_store_request *req = probe_conversations(&g.who[u]);
    const struct roam_store_conversations *c = &req->u.conversations;
    assert_int_equal(c->count, g.parts[u].span_count > 0);
    if (c->count > 0) {
        uint32_t role = is_member(u) ? g.parts[u].role : 0;
        probe_assert_slice(c->rows->conversation, g.group);
        assert_int_equal(c->rows->msg_id, newest(u));
        assert_int_equal(c->rows->role, role);
        assert_int_equal(c->rows->read_mark, g.parts[u].mark);
        assert_int_equal(c->rows->unread, unread(u));
    }
    roam_store_request_free(req);
}

static void check_members(uint32_t u)
{
    size_t len = strlen(g.group);
    struct roam_store_request *req = probe_make(ROAM_STORE_MEMBERS, len);
    struct roam_store_members *m = &req->u.members;
    memcpy(req->memory, g.group, len);
    m->user = g.who[u].user;
    m->conversation = (struct roam_slice){req->memory, len};
    m->max_count = USERS;
    probe_answer(req);
    assert_int_equal(m->found, is_member(u));
    size_t at = 0;
    bool all = g.parts[u].role >= roam_v1_Role_ADMIN;
    for (uint32_t v = 0; v < USERS && m->found; v++) {
        const struct part *p = &g.parts[v];
        if (is_member(v) || (all && p->role != 0)) {
            assert_true(at < m->count);
            probe_assert_slice(m->rows[at].user, names[v]);
            assert_int_equal(m->rows[at].role, p->role);
            assert_int_equal(m->rows[at].muted, p->muted);
            assert_int_equal(m->rows[at].since, p->since);
            at++;
        }
    }
    assert_int_equal(at, m->count);
    if (m->found) {
        assert_int_equal(m->member_count, size_of(members()));
        assert_int_equal(m->join, g.join);
        assert_int_equal(m->muted, g.muted);
    }
    roam_store_request_free(req);
}

/* --------------------------------------------------------------------- walk */

static void start(uint64_t seed)
{
    memset(&g, 0, sizeof g);
    g.lot = seed;
    probe_suite->settings.max_members = MEMBERS_MAX;
    probe_suite->reopen(probe_suite);
    for (uint32_t u = 0; u < USERS; u++) {
        char token[32];
        snprintf(token, sizeof token, "%s-token", names[u]);
        if (u > 1) {
            probe_suite->add_user(probe_suite, names[u]);
            probe_suite->add_token(probe_suite, names[u], token, 0, 0);
        }
        g.who[u] = probe_enter(names[u], 1, PHONE, 1, 0);
    }
    struct step s = {.kind = KIND(GROUP)};
    uint8_t body[BODY_MAX];
    struct roam_operation op = {.kind = KIND(GROUP),
                                .action = ACTION(CREATE),
                                .join = roam_v1_JoinMode_JOIN_APPROVAL};
    size_t len = roam_operation_encode(&op, NULL, 0, body, sizeof body);
    struct roam_store_request *req =
        probe_make_send_of(&g.who[0], ++g.last_client_id, "#", probe_text(""),
                           (struct roam_slice){body, len});
    req->u.send.kind = KIND(GROUP);
    assert_true(roam_operation_decode(KIND(GROUP), req->u.send.body,
                                      &req->u.send.operation));
    probe_answer(req);
    assert_int_equal(req->u.send.result, ROAM_SEND_STORED);
    memcpy(g.group, req->u.send.made.data, req->u.send.made.len);
    g.join = op.join;
    g.rows[g.row_count++] = (struct row){
        .msg_id = req->u.send.msg_id, .kind = s.kind, .for_all = true};
    g.last_msg_id = req->u.send.msg_id;
    set_role(0, roam_v1_Role_OWNER, req->u.send.msg_id);
    roam_store_request_free(req);
}

static void walk(uint64_t seed)
{
    start(seed);
    for (unsigned i = 1; i < STEPS; i++) {
        take_step(i);
        uint32_t u = i % USERS;
        if (i % 5 == 0) {
            check_members(u);
            check_conversation(u);
        }
        if (i % 20 == 0) {
            check_history(u, 1 + draw(9));
        }
        if (i % 150 == 0) {
            probe_suite->reopen(probe_suite);
        }
    }
    for (uint32_t u = 0; u < USERS; u++) {
        check_members(u);
        check_conversation(u);
        check_history(u, 1 + draw(9));
    }
    probe_suite->settings.max_members = 0;
}

static void test_a_walk_in_a_group_ends_where_the_spec_says(void **state)
{
    walk((uint64_t)(uintptr_t)*state);
}

int store_suite_walk(void)
{
    int failed = 0;
    for (uintptr_t seed = 1; seed <= SEEDS; seed++) {
        const struct CMUnitTest tests[] = {
            cmocka_unit_test_prestate_setup_teardown(
                test_a_walk_in_a_group_ends_where_the_spec_says, probe_fresh,
                probe_done, (void *)seed),
        };
        failed +=
            cmocka_run_group_tests_name("a walk in a group", tests, NULL, NULL);
    }
    return failed;
}
