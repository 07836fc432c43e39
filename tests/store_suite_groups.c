/* SPDX-License-Identifier: Apache-2.0 */
/* The claims about stores: groups. What each role may do is claimed of
 * group_rules.c; here it is that the store asks it in the transaction, keeps
 * what it decides, and tells the right people. Spec: section 7.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "roam.pb.h"
#include "store_probe.h"

#define GROUP roam_v1_Kind_GROUP
#define CREATE roam_v1_GroupAction_CREATE
#define INVITE roam_v1_GroupAction_INVITE
#define JOIN roam_v1_GroupAction_JOIN
#define APPROVE roam_v1_GroupAction_APPROVE
#define DENY roam_v1_GroupAction_DENY
#define LEAVE roam_v1_GroupAction_LEAVE
#define REMOVE roam_v1_GroupAction_REMOVE
#define RENAME roam_v1_GroupAction_RENAME
#define SET_ADMIN roam_v1_GroupAction_SET_ADMIN
#define MUTE roam_v1_GroupAction_MUTE
#define SET_JOIN roam_v1_GroupAction_SET_JOIN
#define TRANSFER roam_v1_GroupAction_TRANSFER
#define DISSOLVE roam_v1_GroupAction_DISSOLVE
#define OPEN roam_v1_JoinMode_JOIN_OPEN
#define APPROVAL roam_v1_JoinMode_JOIN_APPROVAL
#define CLOSED roam_v1_JoinMode_JOIN_CLOSED

#define NO_CONVERSATION roam_v1_ErrorCode_NO_SUCH_CONVERSATION
#define NO_MESSAGE roam_v1_ErrorCode_NO_SUCH_MESSAGE
#define NO_USER roam_v1_ErrorCode_NO_SUCH_USER
#define FORBIDDEN roam_v1_ErrorCode_FORBIDDEN
#define MUTED roam_v1_ErrorCode_MUTED
#define FULL roam_v1_ErrorCode_GROUP_FULL
#define REUSED roam_v1_ErrorCode_ID_REUSED

#define ALL_USERS_MAX 64u
#define BODY_MAX 4096u

/* alice, bob and carol are logged in; the group is alice's. */
struct party {
    struct roam_identity alice, bob, carol, dave;
    char group[ROAM_CONVERSATION_MAX + 1];
    uint64_t created; /* msg_id */
    uint64_t last_id; /* of client_msg_ids */
};

/* --------------------------------------------------------------- requests */

/* An operation as the core hands it to a store. */
static struct roam_store_request *make(const struct roam_identity *who,
                                       uint64_t id, const char *to,
                                       const struct roam_operation *op,
                                       const char *const *users, size_t count)
{
    uint8_t body[BODY_MAX];
    struct roam_slice list[ALL_USERS_MAX];
    for (size_t i = 0; i < count; i++) {
        list[i] = probe_text(users[i]);
    }
    size_t len = roam_operation_encode(op, list, count, body, sizeof body);
    assert_true(len > 0);
    struct roam_store_request *req = probe_make_send_of(
        who, id, to, probe_text(""), (struct roam_slice){body, len});
    req->u.send.kind = op->kind;
    assert_true(roam_operation_decode(op->kind, req->u.send.body,
                                      &req->u.send.operation));
    return req;
}

/* What came of it. */
struct outcome {
    enum roam_send_result result;
    uint32_t error;
    uint64_t msg_id;
    size_t count;
    int64_t users[ALL_USERS_MAX]; /* who got the entry */
    char made[ROAM_CONVERSATION_MAX + 1];
};

static struct outcome outcome_of(struct roam_store_request *req)
{
    const struct roam_store_send *send = &req->u.send;
    struct outcome out = {send->result,         send->error, send->msg_id,
                          send->delivery_count, {0},         ""};
    for (size_t i = 0; i < out.count && i < ALL_USERS_MAX; i++) {
        out.users[i] = send->deliveries[i].user;
    }
    if (send->made.len > 0) {
        memcpy(out.made, send->made.data, send->made.len);
    }
    roam_store_request_free(req);
    return out;
}

static struct outcome operate(struct party *p, const struct roam_identity *who,
                              const char *to, const struct roam_operation *op,
                              const char *user)
{
    struct roam_store_request *req =
        make(who, ++p->last_id, to, op, &user, user == NULL ? 0 : 1);
    probe_answer(req);
    return outcome_of(req);
}

/* A change of the party's group that names nobody, or one. */
static struct outcome change(struct party *p, const struct roam_identity *who,
                             uint32_t action, const char *user)
{
    struct roam_operation op = {.kind = GROUP, .action = action};
    if (action == RENAME) {
        op.name = probe_text(user);
        user = NULL;
    }
    return operate(p, who, p->group, &op, user);
}

static uint64_t must(struct party *p, const struct roam_identity *who,
                     uint32_t action, const char *user)
{
    struct outcome out = change(p, who, action, user);
    assert_int_equal(out.error, 0);
    assert_int_equal(out.result, ROAM_SEND_STORED);
    return out.msg_id;
}

static void must_fail(struct party *p, const struct roam_identity *who,
                      uint32_t action, const char *user, uint32_t error)
{
    struct outcome out = change(p, who, action, user);
    assert_int_equal(out.result, ROAM_SEND_REFUSED);
    assert_int_equal(out.error, error);
    assert_int_equal(out.count, 0);
}

static struct outcome say(struct party *p, const struct roam_identity *who,
                          const char *text)
{
    struct roam_store_request *req =
        probe_make_send(who, ++p->last_id, p->group, text);
    probe_answer(req);
    return outcome_of(req);
}

static uint64_t must_say(struct party *p, const struct roam_identity *who,
                         const char *text)
{
    struct outcome out = say(p, who, text);
    assert_int_equal(out.result, ROAM_SEND_STORED);
    return out.msg_id;
}

static struct outcome aim(struct party *p, const struct roam_identity *who,
                          uint32_t kind, uint64_t target)
{
    struct roam_operation op = {.kind = kind, .msg_id = target};
    return operate(p, who, p->group, &op, NULL);
}

/* A group of alice's with bob in it; carol and dave are strangers. */
static struct party gather(uint32_t join)
{
    struct party p = {.last_id = 100};
    probe_suite->add_user(probe_suite, "carol");
    probe_suite->add_token(probe_suite, "carol", "carol-token", 0, 0);
    probe_suite->add_user(probe_suite, "dave");
    probe_suite->add_token(probe_suite, "dave", "dave-token", 0, 0);
    p.alice = probe_enter("alice", 1, PHONE, 1, 0);
    p.bob = probe_enter("bob", 1, PHONE, 1, 0);
    p.carol = probe_enter("carol", 1, PHONE, 1, 0);
    p.dave = probe_enter("dave", 1, PHONE, 1, 0);
    struct roam_operation op = {.kind = GROUP,
                                .action = CREATE,
                                .join = join,
                                .name = probe_text("Lunch")};
    struct outcome made = operate(&p, &p.alice, "#", &op, "bob");
    assert_int_equal(made.result, ROAM_SEND_STORED);
    memcpy(p.group, made.made, sizeof p.group);
    p.created = made.msg_id;
    return p;
}

static bool got_it(const struct outcome *out, const struct roam_identity *who)
{
    size_t times = 0;
    for (size_t i = 0; i < out->count; i++) {
        times += out->users[i] == who->user ? 1 : 0;
    }
    assert_true(times <= 1);
    return times == 1;
}

/* ---------------------------------------------------------------- reading */

/* The msg_ids of a history, at most 16, and how many; -1: there is none. */
static int history(const struct party *p, const struct roam_identity *who,
                   uint64_t before, uint64_t after, uint32_t max_count,
                   uint64_t ids[16])
{
    struct roam_store_request *req =
        probe_make(ROAM_STORE_HISTORY, strlen(p->group));
    struct roam_store_history *h = &req->u.history;
    memcpy(req->memory, p->group, strlen(p->group));
    h->user = who->user;
    h->device = who->device;
    h->conversation = (struct roam_slice){req->memory, strlen(p->group)};
    h->before = before;
    h->after = after;
    h->max_count = max_count;
    h->max_bytes = SIZE_MAX;
    h->body_limit = UINT32_MAX;
    probe_answer(req);
    int count = h->found ? (int)h->count : -1;
    assert_true(h->count <= 16);
    for (size_t i = 0; i < h->count; i++) {
        ids[i] = h->rows[i].msg_id;
        probe_assert_slice(h->rows[i].conversation, p->group);
    }
    roam_store_request_free(req);
    return count;
}

static int whole_history(const struct party *p, const struct roam_identity *who,
                         uint64_t ids[16])
{
    return history(p, who, 0, 0, 16, ids);
}

static struct roam_store_request *members(const struct party *p,
                                          const struct roam_identity *who,
                                          const char *after, uint32_t max_count)
{
    size_t len = strlen(p->group);
    struct roam_store_request *req =
        probe_make(ROAM_STORE_MEMBERS, len + strlen(after) + 1);
    struct roam_store_members *m = &req->u.members;
    memcpy(req->memory, p->group, len);
    memcpy(req->memory + len, after, strlen(after));
    m->user = who->user;
    m->conversation = (struct roam_slice){req->memory, len};
    m->after = (struct roam_slice){req->memory + len, strlen(after)};
    m->max_count = max_count;
    probe_answer(req);
    return req;
}

static void assert_member(const struct roam_store_members *m, size_t at,
                          const char *user, uint32_t role, bool muted,
                          uint64_t since)
{
    assert_true(at < m->count);
    probe_assert_slice(m->rows[at].user, user);
    assert_int_equal(m->rows[at].role, role);
    assert_int_equal(m->rows[at].muted, muted);
    assert_int_equal(m->rows[at].since, since);
}

/* The row of the group in CONVERSATIONS, where nothing below oldest counts;
 * *found false: there is none. */
static struct roam_entry conversation_since(const struct party *p,
                                            const struct roam_identity *who,
                                            uint64_t oldest, bool *found)
{
    struct roam_store_request *req = probe_make(ROAM_STORE_CONVERSATIONS, 0);
    struct roam_store_conversations *c = &req->u.conversations;
    struct roam_entry row = {0};
    c->user = who->user;
    c->device = who->device;
    c->max_count = 16;
    c->max_bytes = SIZE_MAX;
    c->body_limit = UINT32_MAX;
    c->oldest = oldest;
    probe_answer(req);
    *found = false;
    for (size_t i = 0; i < c->count; i++) {
        if (c->rows[i].conversation.len == strlen(p->group) &&
            memcmp(c->rows[i].conversation.data, p->group, strlen(p->group)) ==
                0) {
            row = c->rows[i];
            *found = true;
        }
    }
    roam_store_request_free(req);
    return row; /* its slices are not to be looked at */
}

static struct roam_entry conversation(const struct party *p,
                                      const struct roam_identity *who,
                                      bool *found)
{
    return conversation_since(p, who, 0, found);
}

/* ------------------------------------------------------------------ create */

static void test_create_makes_a_group_and_tells_its_id(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    assert_int_equal(strlen(p.group), 23);
    assert_int_equal(p.group[0], '#');
    struct roam_store_request *req = members(&p, &p.alice, "", 10);
    const struct roam_store_members *m = &req->u.members;
    assert_true(m->found);
    assert_false(m->more);
    assert_string_equal(m->name, "Lunch");
    assert_int_equal(m->join, OPEN);
    assert_int_equal(m->member_count, 2);
    assert_int_equal(m->head, probe_head(&p.alice));
    assert_int_equal(m->count, 2);
    assert_member(m, 0, "alice", roam_v1_Role_OWNER, false, p.created);
    assert_member(m, 1, "bob", roam_v1_Role_MEMBER, false, p.created);
    roam_store_request_free(req);
}

static void test_two_groups_have_two_ids(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    struct roam_operation op = {.kind = GROUP, .action = CREATE, .join = OPEN};
    struct outcome other = operate(&p, &p.alice, "#", &op, "bob");
    assert_int_equal(other.result, ROAM_SEND_STORED);
    assert_string_not_equal(other.made, p.group);
}

static void test_a_repeated_create_is_told_the_same_id(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    struct roam_operation op = {.kind = GROUP,
                                .action = CREATE,
                                .join = OPEN,
                                .name = probe_text("Lunch")};
    const char *users[] = {"bob", "carol"};
    struct roam_store_request *req = make(&p.alice, 101, "#", &op, users, 1);
    probe_answer(req);
    struct outcome out = outcome_of(req);
    assert_int_equal(out.result, ROAM_SEND_DUPLICATE);
    assert_int_equal(out.msg_id, p.created);
    assert_string_equal(out.made, p.group);
    /* other content, or another conversation, under the same id */
    req = make(&p.alice, 101, "#", &op, users, 2);
    probe_answer(req);
    assert_int_equal(outcome_of(req).error, REUSED);
    req = make(&p.alice, 101, p.group, &op, users, 1);
    probe_answer(req);
    assert_int_equal(outcome_of(req).error, REUSED);
}

static void test_only_create_goes_to_the_new_group(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    struct roam_operation create = {
        .kind = GROUP, .action = CREATE, .join = OPEN};
    struct roam_operation join = {.kind = GROUP, .action = JOIN};
    assert_int_equal(operate(&p, &p.alice, p.group, &create, NULL).error,
                     NO_CONVERSATION);
    assert_int_equal(operate(&p, &p.alice, "bob", &create, NULL).error,
                     NO_CONVERSATION);
    assert_int_equal(operate(&p, &p.alice, "#", &join, NULL).error,
                     NO_CONVERSATION);
    assert_int_equal(probe_send(&p.alice, 1, "#", "hi").result,
                     ROAM_SEND_REFUSED);
}

static void test_create_with_an_unknown_user_makes_nothing(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    struct roam_operation op = {.kind = GROUP, .action = CREATE, .join = OPEN};
    const char *users[] = {"bob", "nobody"};
    uint64_t head = probe_head(&p.bob);
    struct roam_store_request *req = make(&p.alice, 1, "#", &op, users, 2);
    probe_answer(req);
    struct outcome out = outcome_of(req);
    assert_int_equal(out.error, NO_USER);
    assert_string_equal(out.made, "");
    assert_int_equal(probe_head(&p.bob), head);
}

/* ---------------------------------------------------------------- messages */

static void test_a_message_goes_to_every_member_and_nobody_else(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    must(&p, &p.carol, JOIN, NULL);
    struct outcome out = say(&p, &p.bob, "soup");
    assert_int_equal(out.count, 3);
    assert_true(got_it(&out, &p.alice) && got_it(&out, &p.bob) &&
                got_it(&out, &p.carol));
    struct roam_store_request *req = probe_read_all(&p.carol);
    const struct roam_entry *e = &req->u.read.entries[req->u.read.count - 1];
    assert_int_equal(e->msg_id, out.msg_id);
    probe_assert_slice(e->conversation, p.group);
    probe_assert_slice(e->conversation_name, "Lunch");
    probe_assert_slice(e->sender, "bob");
    probe_assert_slice(e->body, "soup");
    roam_store_request_free(req);
    assert_int_equal(probe_head(&p.dave), 0);
}

static void test_a_stranger_meets_no_conversation(void **state)
{
    (void)state;
    struct party p = gather(CLOSED);
    const uint32_t kinds[] = {roam_v1_Kind_RECALL, roam_v1_Kind_DELETE,
                              roam_v1_Kind_READ};
    uint64_t ids[16];
    assert_int_equal(say(&p, &p.carol, "hi").error, NO_CONVERSATION);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(aim(&p, &p.carol, kinds[i], p.created).error,
                         NO_CONVERSATION);
    }
    for (uint32_t action = JOIN; action <= DISSOLVE; action++) {
        bool named = action == APPROVE || action == DENY || action == REMOVE ||
                     action == SET_ADMIN || action == TRANSFER ||
                     action == roam_v1_GroupAction_UNSET_ADMIN;
        if (action != SET_JOIN && action != RENAME) {
            must_fail(&p, &p.carol, action, named ? "bob" : NULL,
                      NO_CONVERSATION);
        }
    }
    must_fail(&p, &p.carol, RENAME, "Dinner", NO_CONVERSATION);
    assert_int_equal(whole_history(&p, &p.carol, ids), -1);
    struct roam_store_request *req = members(&p, &p.carol, "", 10);
    assert_false(req->u.members.found);
    roam_store_request_free(req);
    bool found;
    conversation(&p, &p.carol, &found);
    assert_false(found);
}

static void test_authority_is_what_the_change_before_left(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    struct roam_operation op = {.kind = GROUP, .action = REMOVE};
    const char *bob = "bob";
    unsigned done = 0;
    /* Both in the queue at once: one transaction. */
    struct roam_store_request *first = make(&p.alice, 1, p.group, &op, &bob, 1);
    struct roam_store_request *second =
        probe_make_send(&p.bob, 2, p.group, "still here?");
    probe_submit(first, &done);
    probe_submit(second, &done);
    probe_wait(&done, 2);
    assert_int_equal(outcome_of(first).result, ROAM_SEND_STORED);
    struct outcome out = outcome_of(second);
    assert_int_equal(out.result, ROAM_SEND_REFUSED);
    assert_int_equal(out.error, NO_CONVERSATION);
}

static void test_a_repetition_is_known_after_the_sender_is_removed(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    uint64_t msg_id = must_say(&p, &p.bob, "soup");
    uint64_t id = p.last_id;
    must(&p, &p.alice, REMOVE, "bob");
    struct probe_sent again = probe_send(&p.bob, id, p.group, "soup");
    assert_int_equal(again.result, ROAM_SEND_DUPLICATE);
    assert_int_equal(again.msg_id, msg_id);
}

static void test_the_muted_do_not_speak(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    struct roam_operation app = {.kind = roam_v1_Kind_APP,
                                 .data = probe_text("wave")};
    must(&p, &p.alice, MUTE, "bob");
    assert_int_equal(say(&p, &p.bob, "hi").error, MUTED);
    assert_int_equal(operate(&p, &p.bob, p.group, &app, NULL).error, MUTED);
    must(&p, &p.alice, roam_v1_GroupAction_UNMUTE, "bob");
    uint64_t soup = must_say(&p, &p.bob, "soup");
    must(&p, &p.alice, MUTE, NULL);
    assert_int_equal(say(&p, &p.bob, "hi").error, MUTED);
    must_say(&p, &p.alice, "quiet please");
    assert_int_equal(aim(&p, &p.bob, roam_v1_Kind_RECALL, soup).result,
                     ROAM_SEND_STORED);
}

/* ----------------------------------------------------------------- changes */

static void test_who_is_removed_is_told_and_sees_no_more(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    struct outcome out = change(&p, &p.alice, REMOVE, "bob");
    assert_int_equal(out.count, 2);
    assert_true(got_it(&out, &p.alice) && got_it(&out, &p.bob));
    out = say(&p, &p.alice, "gone");
    assert_int_equal(out.count, 1);
    must_fail(&p, &p.alice, REMOVE, "bob", NO_USER);
}

static void test_who_leaves_is_told(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    must_fail(&p, &p.alice, LEAVE, NULL, FORBIDDEN);
    struct outcome out = change(&p, &p.bob, LEAVE, NULL);
    assert_int_equal(out.count, 2);
    assert_true(got_it(&out, &p.alice) && got_it(&out, &p.bob));
    must_fail(&p, &p.bob, LEAVE, NULL, NO_CONVERSATION);
}

static void test_an_application_is_for_those_who_decide(void **state)
{
    (void)state;
    struct party p = gather(APPROVAL);
    uint64_t ids[16];
    struct outcome out = change(&p, &p.carol, JOIN, NULL);
    assert_int_equal(out.result, ROAM_SEND_STORED);
    assert_int_equal(out.count, 2);
    assert_true(got_it(&out, &p.alice) && got_it(&out, &p.carol));
    uint64_t applied = out.msg_id;
    out = change(&p, &p.carol, JOIN, NULL); /* again */
    assert_int_equal(out.result, ROAM_SEND_DUPLICATE);
    assert_int_equal(out.msg_id, applied);
    /* in the history of the owner, of neither member nor applicant */
    assert_int_equal(whole_history(&p, &p.alice, ids), 2);
    assert_int_equal(ids[1], applied);
    assert_int_equal(whole_history(&p, &p.bob, ids), 1);
    assert_int_equal(whole_history(&p, &p.carol, ids), -1);
    assert_int_equal(say(&p, &p.carol, "hi").error, NO_CONVERSATION);
    /* seen by the owner alone */
    struct roam_store_request *req = members(&p, &p.alice, "", 10);
    assert_int_equal(req->u.members.count, 3);
    assert_int_equal(req->u.members.member_count, 2);
    assert_member(&req->u.members, 2, "carol", roam_v1_Role_APPLICANT, false,
                  applied);
    roam_store_request_free(req);
    req = members(&p, &p.bob, "", 10);
    assert_int_equal(req->u.members.count, 2);
    roam_store_request_free(req);
    req = members(&p, &p.carol, "", 10);
    assert_false(req->u.members.found);
    roam_store_request_free(req);

    must_fail(&p, &p.bob, APPROVE, "carol", NO_USER);
    uint64_t approved = must(&p, &p.alice, APPROVE, "carol");
    must_fail(&p, &p.alice, APPROVE, "carol", NO_USER);
    req = members(&p, &p.bob, "bob", 10);
    assert_int_equal(req->u.members.count, 1);
    assert_member(&req->u.members, 0, "carol", roam_v1_Role_MEMBER, false,
                  approved);
    roam_store_request_free(req);
    assert_int_equal(whole_history(&p, &p.carol, ids), 1);
    assert_int_equal(ids[0], approved);
}

static void test_who_is_denied_is_told(void **state)
{
    (void)state;
    struct party p = gather(APPROVAL);
    must(&p, &p.carol, JOIN, NULL);
    struct outcome out = change(&p, &p.alice, DENY, "carol");
    assert_int_equal(out.count, 2);
    assert_true(got_it(&out, &p.alice) && got_it(&out, &p.carol));
    must_fail(&p, &p.alice, DENY, "carol", NO_USER);
    must(&p, &p.carol, JOIN, NULL); /* may try again */
}

static void test_an_invitation_takes_all_or_nobody(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    struct roam_operation op = {.kind = GROUP, .action = INVITE};
    const char *users[] = {"carol", "nobody", "dave"};
    struct roam_store_request *req = make(&p.bob, 1, p.group, &op, users, 3);
    probe_answer(req);
    assert_int_equal(outcome_of(req).error, NO_USER);
    assert_int_equal(say(&p, &p.alice, "hm").count, 2);
    users[1] = "bob"; /* a member already: skipped */
    req = make(&p.bob, 2, p.group, &op, users, 3);
    probe_answer(req);
    struct outcome out = outcome_of(req);
    assert_int_equal(out.result, ROAM_SEND_STORED);
    assert_int_equal(out.count, 4);
    req = make(&p.bob, 3, p.group, &op, users, 3);
    probe_answer(req);
    struct outcome again = outcome_of(req);
    assert_int_equal(again.result, ROAM_SEND_DUPLICATE);
    assert_int_equal(again.msg_id, out.msg_id);
    assert_int_equal(again.count, 0);
}

static void test_a_user_named_twice_is_one_member(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    struct roam_operation op = {.kind = GROUP, .action = INVITE};
    const char *users[] = {"carol", "carol"};
    struct roam_store_request *req = make(&p.bob, 1, p.group, &op, users, 2);
    probe_answer(req);
    assert_int_equal(outcome_of(req).count, 3);
    req = members(&p, &p.alice, "", 10);
    assert_int_equal(req->u.members.member_count, 3);
    assert_int_equal(req->u.members.count, 3);
    roam_store_request_free(req);
}

static void test_a_full_group_takes_nobody_in(void **state)
{
    (void)state;
    probe_suite->settings.max_members = 3;
    probe_suite->reopen(probe_suite);
    struct party p = gather(OPEN);
    must(&p, &p.carol, JOIN, NULL);
    must_fail(&p, &p.dave, JOIN, NULL, FULL);
    must_fail(&p, &p.alice, INVITE, "dave", FULL);
    must(&p, &p.carol, LEAVE, NULL);
    must(&p, &p.dave, JOIN, NULL);
    probe_suite->settings.max_members = 0;
}

static void test_rename_is_told_everywhere(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    uint64_t before = must_say(&p, &p.bob, "soup");
    struct outcome out = change(&p, &p.alice, RENAME, "Dinner");
    assert_int_equal(out.result, ROAM_SEND_STORED);
    struct roam_store_request *req = probe_read_all(&p.bob);
    const struct roam_entry *e = req->u.read.entries;
    size_t count = req->u.read.count;
    /* as the name is when the entry is sent */
    assert_int_equal(e[count - 2].kind, roam_v1_Kind_NOOP);
    assert_int_equal(e[count - 1].msg_id, out.msg_id);
    probe_assert_slice(e[count - 1].conversation_name, "Dinner");
    probe_assert_slice(e[0].conversation_name, "Dinner");
    roam_store_request_free(req);
    assert_true(before < out.msg_id);
    out = change(&p, &p.alice, RENAME, "Dinner");
    assert_int_equal(out.result, ROAM_SEND_DUPLICATE);
    must_fail(&p, &p.bob, RENAME, "Mine", FORBIDDEN);
    req = members(&p, &p.bob, "", 10);
    assert_string_equal(req->u.members.name, "Dinner");
    roam_store_request_free(req);
}

static void test_transfer_moves_the_ownership(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    must(&p, &p.alice, TRANSFER, "bob");
    must_fail(&p, &p.alice, DISSOLVE, NULL, FORBIDDEN);
    struct roam_store_request *req = members(&p, &p.alice, "", 10);
    assert_member(&req->u.members, 0, "alice", roam_v1_Role_ADMIN, false,
                  p.created);
    assert_member(&req->u.members, 1, "bob", roam_v1_Role_OWNER, false,
                  p.created);
    roam_store_request_free(req);
    must(&p, &p.alice, LEAVE, NULL);
}

static void test_a_dissolved_group_is_history(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    uint64_t ids[16];
    uint64_t soup = must_say(&p, &p.alice, "soup");
    struct outcome out = change(&p, &p.alice, DISSOLVE, NULL);
    assert_int_equal(out.count, 2);
    assert_int_equal(say(&p, &p.alice, "hi").error, NO_CONVERSATION);
    must_fail(&p, &p.carol, JOIN, NULL, NO_CONVERSATION);
    must_fail(&p, &p.alice, JOIN, NULL, NO_CONVERSATION);
    assert_int_equal(whole_history(&p, &p.bob, ids), 3);
    assert_int_equal(ids[2], out.msg_id);
    struct roam_store_request *req = members(&p, &p.alice, "", 10);
    assert_false(req->u.members.found);
    roam_store_request_free(req);
    assert_int_equal(aim(&p, &p.bob, roam_v1_Kind_READ, soup).result,
                     ROAM_SEND_STORED);
}

static void test_a_change_survives_a_restart(void **state)
{
    (void)state;
    struct party p = gather(CLOSED);
    must(&p, &p.alice, INVITE, "carol");
    must(&p, &p.alice, SET_ADMIN, "bob");
    must(&p, &p.alice, MUTE, "carol");
    probe_suite->reopen(probe_suite);
    struct roam_store_request *req = members(&p, &p.bob, "", 10);
    assert_int_equal(req->u.members.count, 3);
    assert_int_equal(req->u.members.rows[1].role, roam_v1_Role_ADMIN);
    assert_true(req->u.members.rows[2].muted);
    roam_store_request_free(req);
    assert_int_equal(say(&p, &p.carol, "hi").error, MUTED);
}

/* ------------------------------------------------------------------- spans */

/* carol comes, goes, and comes back. */
struct spans {
    uint64_t before, joined, seen, left, missed, back, after;
};

static struct spans come_and_go(struct party *p)
{
    struct spans s;
    s.before = must_say(p, &p->alice, "before");
    s.joined = must(p, &p->carol, JOIN, NULL);
    s.seen = must_say(p, &p->alice, "seen");
    s.left = must(p, &p->carol, LEAVE, NULL);
    s.missed = must_say(p, &p->alice, "missed");
    s.back = must(p, &p->carol, JOIN, NULL);
    s.after = must_say(p, &p->alice, "after");
    return s;
}

static void test_history_is_what_the_spans_show(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    struct spans s = come_and_go(&p);
    const uint64_t all[] = {s.joined, s.seen, s.left, s.back, s.after};
    uint64_t ids[16];
    assert_int_equal(whole_history(&p, &p.carol, ids), 5);
    assert_memory_equal(ids, all, sizeof all);
    assert_int_equal(whole_history(&p, &p.bob, ids), 8);
    /* every page size, from both ends */
    for (uint32_t max = 1; max <= 6; max++) {
        int count = max < 5 ? (int)max : 5;
        assert_int_equal(history(&p, &p.carol, 0, 0, max, ids), count);
        assert_memory_equal(ids, all + 5 - count, (size_t)count * sizeof *ids);
        assert_int_equal(history(&p, &p.carol, 0, 1, max, ids), count);
        assert_memory_equal(ids, all, (size_t)count * sizeof *ids);
    }
    /* bounds inside a span, in the gap, and on its edges */
    assert_int_equal(history(&p, &p.carol, s.missed, 0, 16, ids), 3);
    assert_int_equal(history(&p, &p.carol, 0, s.missed, 16, ids), 2);
    assert_int_equal(history(&p, &p.carol, s.left, s.joined, 16, ids), 1);
    assert_int_equal(ids[0], s.seen);
    assert_int_equal(history(&p, &p.carol, s.back, s.left, 16, ids), 0);
    assert_int_equal(history(&p, &p.carol, s.joined, 0, 16, ids), 0);
}

static void test_targets_outside_the_spans_are_not_there(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    struct spans s = come_and_go(&p);
    const uint32_t kinds[] = {roam_v1_Kind_DELETE, roam_v1_Kind_RECALL};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(aim(&p, &p.carol, kinds[i], s.before).error,
                         NO_MESSAGE);
        assert_int_equal(aim(&p, &p.carol, kinds[i], s.missed).error,
                         NO_MESSAGE);
    }
    assert_int_equal(aim(&p, &p.carol, roam_v1_Kind_RECALL, s.seen).error,
                     FORBIDDEN);
    assert_int_equal(aim(&p, &p.carol, roam_v1_Kind_DELETE, s.seen).result,
                     ROAM_SEND_STORED);
}

static void test_a_former_member_may_read_and_delete_what_was_seen(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    struct spans s = come_and_go(&p);
    uint64_t ids[16];
    uint64_t left = must(&p, &p.carol, LEAVE, NULL);
    uint64_t later = must_say(&p, &p.alice, "later");
    assert_int_equal(aim(&p, &p.carol, roam_v1_Kind_RECALL, s.seen).error,
                     NO_CONVERSATION);
    assert_int_equal(aim(&p, &p.carol, roam_v1_Kind_READ, later).error,
                     NO_MESSAGE);
    assert_int_equal(aim(&p, &p.carol, roam_v1_Kind_READ, left).result,
                     ROAM_SEND_STORED);
    struct outcome out = aim(&p, &p.carol, roam_v1_Kind_DELETE, s.seen);
    assert_int_equal(out.result, ROAM_SEND_STORED);
    assert_int_equal(out.count, 1);
    assert_true(got_it(&out, &p.carol));
    /* its row, although it lies behind the span */
    assert_int_equal(whole_history(&p, &p.carol, ids), 7);
    assert_int_equal(ids[6], out.msg_id);
    assert_int_equal(history(&p, &p.carol, 0, 1, 16, ids), 7);
    assert_int_equal(ids[6], out.msg_id);
}

static void test_conversations_tell_role_mark_and_what_is_unread(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    struct spans s = come_and_go(&p);
    bool found;
    struct roam_entry row = conversation(&p, &p.carol, &found);
    assert_true(found);
    assert_int_equal(row.msg_id, s.after);
    assert_int_equal(row.role, roam_v1_Role_MEMBER);
    assert_int_equal(row.unread, 2); /* seen and after */
    row = conversation_since(&p, &p.carol, s.seen, &found);
    assert_int_equal(row.unread, 2);
    row = conversation_since(&p, &p.carol, s.seen + 1, &found);
    assert_int_equal(row.unread, 1);
    aim(&p, &p.carol, roam_v1_Kind_READ, s.seen);
    row = conversation(&p, &p.carol, &found);
    assert_int_equal(row.read_mark, s.seen);
    assert_int_equal(row.unread, 1);
    uint64_t left = must(&p, &p.carol, LEAVE, NULL);
    must_say(&p, &p.alice, "later");
    row = conversation(&p, &p.carol, &found);
    assert_int_equal(row.msg_id, left);
    assert_int_equal(row.role, roam_v1_Role_ROLE_NONE);
    assert_int_equal(row.unread, 1);
    row = conversation(&p, &p.alice, &found);
    assert_int_equal(row.role, roam_v1_Role_OWNER);
    assert_int_equal(row.unread, 0);
}

/* --------------------------------------------------------------------- app */

static void test_an_app_goes_to_whom_it_names(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    struct roam_operation app = {.kind = roam_v1_Kind_APP,
                                 .data = probe_text("vote")};
    uint64_t ids[16];
    must(&p, &p.carol, JOIN, NULL);
    struct outcome out = operate(&p, &p.bob, p.group, &app, NULL);
    assert_int_equal(out.count, 3);
    out = operate(&p, &p.bob, p.group, &app, "alice");
    assert_int_equal(out.count, 2);
    assert_true(got_it(&out, &p.bob) && got_it(&out, &p.alice));
    assert_int_equal(whole_history(&p, &p.alice, ids), 4);
    assert_int_equal(ids[3], out.msg_id);
    assert_int_equal(whole_history(&p, &p.carol, ids), 2);
    assert_int_equal(aim(&p, &p.carol, roam_v1_Kind_DELETE, out.msg_id).error,
                     NO_MESSAGE);
    assert_int_equal(operate(&p, &p.bob, p.group, &app, "dave").error, NO_USER);
    assert_int_equal(operate(&p, &p.bob, p.group, &app, "nobody").error,
                     NO_USER);
}

/* ----------------------------------------------------------------- MEMBERS */

static void test_members_are_told_in_pages_without_a_gap(void **state)
{
    (void)state;
    struct party p = gather(OPEN);
    must(&p, &p.carol, JOIN, NULL);
    must(&p, &p.dave, JOIN, NULL);
    static const char *const names[] = {"alice", "bob", "carol", "dave"};
    for (uint32_t max = 1; max <= 5; max++) {
        const char *after = "";
        size_t seen = 0;
        bool more = true;
        while (more) {
            struct roam_store_request *req = members(&p, &p.dave, after, max);
            const struct roam_store_members *m = &req->u.members;
            assert_true(m->count > 0 && m->count <= max);
            for (size_t i = 0; i < m->count; i++) {
                probe_assert_slice(m->rows[i].user, names[seen++]);
            }
            more = m->more;
            assert_int_equal(more, seen < 4);
            after = names[seen - 1];
            roam_store_request_free(req);
        }
        assert_int_equal(seen, 4);
    }
    struct roam_store_request *req = members(&p, &p.dave, "dave", 3);
    assert_true(req->u.members.found);
    assert_int_equal(req->u.members.count, 0);
    assert_false(req->u.members.more);
    roam_store_request_free(req);
}

int store_suite_groups(void)
{
    const struct CMUnitTest tests[] = {
        PROBE_CLAIM(test_create_makes_a_group_and_tells_its_id),
        PROBE_CLAIM(test_two_groups_have_two_ids),
        PROBE_CLAIM(test_a_repeated_create_is_told_the_same_id),
        PROBE_CLAIM(test_only_create_goes_to_the_new_group),
        PROBE_CLAIM(test_create_with_an_unknown_user_makes_nothing),
        PROBE_CLAIM(test_a_message_goes_to_every_member_and_nobody_else),
        PROBE_CLAIM(test_a_stranger_meets_no_conversation),
        PROBE_CLAIM(test_authority_is_what_the_change_before_left),
        PROBE_CLAIM(test_a_repetition_is_known_after_the_sender_is_removed),
        PROBE_CLAIM(test_the_muted_do_not_speak),
        PROBE_CLAIM(test_who_is_removed_is_told_and_sees_no_more),
        PROBE_CLAIM(test_who_leaves_is_told),
        PROBE_CLAIM(test_an_application_is_for_those_who_decide),
        PROBE_CLAIM(test_who_is_denied_is_told),
        PROBE_CLAIM(test_an_invitation_takes_all_or_nobody),
        PROBE_CLAIM(test_a_user_named_twice_is_one_member),
        PROBE_CLAIM(test_a_full_group_takes_nobody_in),
        PROBE_CLAIM(test_rename_is_told_everywhere),
        PROBE_CLAIM(test_transfer_moves_the_ownership),
        PROBE_CLAIM(test_a_dissolved_group_is_history),
        PROBE_CLAIM(test_a_change_survives_a_restart),
        PROBE_CLAIM(test_history_is_what_the_spans_show),
        PROBE_CLAIM(test_targets_outside_the_spans_are_not_there),
        PROBE_CLAIM(test_a_former_member_may_read_and_delete_what_was_seen),
        PROBE_CLAIM(test_conversations_tell_role_mark_and_what_is_unread),
        PROBE_CLAIM(test_an_app_goes_to_whom_it_names),
        PROBE_CLAIM(test_members_are_told_in_pages_without_a_gap),
    };
    return cmocka_run_group_tests_name("groups", tests, NULL, NULL);
}
