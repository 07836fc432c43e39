/* SPDX-License-Identifier: Apache-2.0 */
/* The claims about stores: changes of a group, and what is said in it. What
 * each role may do is claimed of group_rules.c; here it is that the store asks
 * it in the transaction, keeps what it decides, and tells the right people.
 * Spec: section 7.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "roam.pb.h"
#include "store_party.h"

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

/* ------------------------------------------------------------------ create */

static void test_create_makes_a_group_and_tells_its_id(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    assert_int_equal(strlen(p.group), 23);
    assert_int_equal(p.group[0], '#');
    struct roam_store_request *req = party_members(&p, &p.alice, "", 10);
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
    struct party p = party_gather(OPEN);
    struct roam_operation op = {.kind = GROUP, .action = CREATE, .join = OPEN};
    struct party_outcome other = party_operate(&p, &p.alice, "#", &op, "bob");
    assert_int_equal(other.result, ROAM_SEND_STORED);
    assert_string_not_equal(other.made, p.group);
}

static void test_a_repeated_create_is_told_the_same_id(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    struct roam_operation op = {.kind = GROUP,
                                .action = CREATE,
                                .join = OPEN,
                                .name = probe_text("Lunch")};
    const char *users[] = {"bob", "carol"};
    struct roam_store_request *req =
        probe_make_naming(&p.alice, 101, "#", &op, users, 1);
    probe_answer(req);
    struct party_outcome out = party_outcome_of(req);
    assert_int_equal(out.result, ROAM_SEND_DUPLICATE);
    assert_int_equal(out.msg_id, p.created);
    assert_string_equal(out.made, p.group);
    /* other content, or another conversation, under the same id */
    req = probe_make_naming(&p.alice, 101, "#", &op, users, 2);
    probe_answer(req);
    assert_int_equal(party_outcome_of(req).error, REUSED);
    req = probe_make_naming(&p.alice, 101, p.group, &op, users, 1);
    probe_answer(req);
    assert_int_equal(party_outcome_of(req).error, REUSED);
}

static void test_only_create_goes_to_the_new_group(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    struct roam_operation create = {
        .kind = GROUP, .action = CREATE, .join = OPEN};
    struct roam_operation join = {.kind = GROUP, .action = JOIN};
    assert_int_equal(party_operate(&p, &p.alice, p.group, &create, NULL).error,
                     NO_CONVERSATION);
    assert_int_equal(party_operate(&p, &p.alice, "bob", &create, NULL).error,
                     NO_CONVERSATION);
    assert_int_equal(party_operate(&p, &p.alice, "#", &join, NULL).error,
                     NO_CONVERSATION);
    assert_int_equal(probe_send(&p.alice, 1, "#", "hi").result,
                     ROAM_SEND_REFUSED);
}

static void test_create_with_an_unknown_user_makes_nothing(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    struct roam_operation op = {.kind = GROUP, .action = CREATE, .join = OPEN};
    const char *users[] = {"bob", "nobody"};
    uint64_t head = probe_head(&p.bob);
    struct roam_store_request *req =
        probe_make_naming(&p.alice, 1, "#", &op, users, 2);
    probe_answer(req);
    struct party_outcome out = party_outcome_of(req);
    assert_int_equal(out.error, NO_USER);
    assert_string_equal(out.made, "");
    assert_int_equal(probe_head(&p.bob), head);
}

/* ---------------------------------------------------------------- messages */

static void test_a_message_goes_to_every_member_and_nobody_else(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    party_must(&p, &p.carol, JOIN, NULL);
    struct party_outcome out = party_say(&p, &p.bob, "soup");
    assert_int_equal(out.count, 3);
    assert_true(party_got(&out, &p.alice) && party_got(&out, &p.bob) &&
                party_got(&out, &p.carol));
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
    struct party p = party_gather(CLOSED);
    const uint32_t kinds[] = {roam_v1_Kind_RECALL, roam_v1_Kind_DELETE,
                              roam_v1_Kind_READ};
    uint64_t ids[16];
    assert_int_equal(party_say(&p, &p.carol, "hi").error, NO_CONVERSATION);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(party_aim(&p, &p.carol, kinds[i], p.created).error,
                         NO_CONVERSATION);
    }
    for (uint32_t action = JOIN; action <= DISSOLVE; action++) {
        bool named = action == APPROVE || action == DENY || action == REMOVE ||
                     action == SET_ADMIN || action == TRANSFER ||
                     action == roam_v1_GroupAction_UNSET_ADMIN;
        if (action != SET_JOIN && action != RENAME) {
            party_must_fail(&p, &p.carol, action, named ? "bob" : NULL,
                            NO_CONVERSATION);
        }
    }
    party_must_fail(&p, &p.carol, RENAME, "Dinner", NO_CONVERSATION);
    assert_int_equal(party_whole_history(&p, &p.carol, ids), -1);
    struct roam_store_request *req = party_members(&p, &p.carol, "", 10);
    assert_false(req->u.members.found);
    roam_store_request_free(req);
    bool found;
    party_conversation(&p, &p.carol, &found);
    assert_false(found);
}

static void test_authority_is_what_the_change_before_left(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    struct roam_operation op = {.kind = GROUP, .action = REMOVE};
    const char *bob = "bob";
    unsigned done = 0;
    /* Both in the queue at once: one transaction. */
    struct roam_store_request *first =
        probe_make_naming(&p.alice, 1, p.group, &op, &bob, 1);
    struct roam_store_request *second =
        probe_make_send(&p.bob, 2, p.group, "still here?");
    probe_submit(first, &done);
    probe_submit(second, &done);
    probe_wait(&done, 2);
    assert_int_equal(party_outcome_of(first).result, ROAM_SEND_STORED);
    struct party_outcome out = party_outcome_of(second);
    assert_int_equal(out.result, ROAM_SEND_REFUSED);
    assert_int_equal(out.error, NO_CONVERSATION);
}

static void test_a_repetition_is_known_after_the_sender_is_removed(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    uint64_t msg_id = party_must_say(&p, &p.bob, "soup");
    uint64_t id = p.last_id;
    party_must(&p, &p.alice, REMOVE, "bob");
    struct probe_sent again = probe_send(&p.bob, id, p.group, "soup");
    assert_int_equal(again.result, ROAM_SEND_DUPLICATE);
    assert_int_equal(again.msg_id, msg_id);
}

static void test_the_muted_do_not_speak(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    struct roam_operation app = {.kind = roam_v1_Kind_APP,
                                 .data = probe_text("wave")};
    party_must(&p, &p.alice, MUTE, "bob");
    assert_int_equal(party_say(&p, &p.bob, "hi").error, MUTED);
    assert_int_equal(party_operate(&p, &p.bob, p.group, &app, NULL).error,
                     MUTED);
    party_must(&p, &p.alice, roam_v1_GroupAction_UNMUTE, "bob");
    uint64_t soup = party_must_say(&p, &p.bob, "soup");
    party_must(&p, &p.alice, MUTE, NULL);
    assert_int_equal(party_say(&p, &p.bob, "hi").error, MUTED);
    party_must_say(&p, &p.alice, "quiet please");
    assert_int_equal(party_aim(&p, &p.bob, roam_v1_Kind_RECALL, soup).result,
                     ROAM_SEND_STORED);
}

static void test_an_app_goes_to_whom_it_names(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    struct roam_operation app = {.kind = roam_v1_Kind_APP,
                                 .data = probe_text("vote")};
    uint64_t ids[16];
    party_must(&p, &p.carol, JOIN, NULL);
    struct party_outcome out = party_operate(&p, &p.bob, p.group, &app, NULL);
    assert_int_equal(out.count, 3);
    out = party_operate(&p, &p.bob, p.group, &app, "alice");
    assert_int_equal(out.count, 2);
    assert_true(party_got(&out, &p.bob) && party_got(&out, &p.alice));
    assert_int_equal(party_whole_history(&p, &p.alice, ids), 4);
    assert_int_equal(ids[3], out.msg_id);
    assert_int_equal(party_whole_history(&p, &p.carol, ids), 2);
    assert_int_equal(
        party_aim(&p, &p.carol, roam_v1_Kind_DELETE, out.msg_id).error,
        NO_MESSAGE);
    assert_int_equal(party_operate(&p, &p.bob, p.group, &app, "dave").error,
                     NO_USER);
    assert_int_equal(party_operate(&p, &p.bob, p.group, &app, "nobody").error,
                     NO_USER);
}

/* ----------------------------------------------------------------- changes */

static void test_who_is_removed_is_told_and_sees_no_more(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    struct party_outcome out = party_change(&p, &p.alice, REMOVE, "bob");
    assert_int_equal(out.count, 2);
    assert_true(party_got(&out, &p.alice) && party_got(&out, &p.bob));
    out = party_say(&p, &p.alice, "gone");
    assert_int_equal(out.count, 1);
    party_must_fail(&p, &p.alice, REMOVE, "bob", NO_USER);
}

static void test_who_leaves_is_told(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    party_must_fail(&p, &p.alice, LEAVE, NULL, FORBIDDEN);
    struct party_outcome out = party_change(&p, &p.bob, LEAVE, NULL);
    assert_int_equal(out.count, 2);
    assert_true(party_got(&out, &p.alice) && party_got(&out, &p.bob));
    party_must_fail(&p, &p.bob, LEAVE, NULL, NO_CONVERSATION);
}

static void test_an_application_is_for_those_who_decide(void **state)
{
    (void)state;
    struct party p = party_gather(APPROVAL);
    uint64_t ids[16];
    struct party_outcome out = party_change(&p, &p.carol, JOIN, NULL);
    assert_int_equal(out.result, ROAM_SEND_STORED);
    assert_int_equal(out.count, 2);
    assert_true(party_got(&out, &p.alice) && party_got(&out, &p.carol));
    uint64_t applied = out.msg_id;
    out = party_change(&p, &p.carol, JOIN, NULL); /* again */
    assert_int_equal(out.result, ROAM_SEND_DUPLICATE);
    assert_int_equal(out.msg_id, applied);
    /* in the history of the owner, of neither member nor applicant */
    assert_int_equal(party_whole_history(&p, &p.alice, ids), 2);
    assert_int_equal(ids[1], applied);
    assert_int_equal(party_whole_history(&p, &p.bob, ids), 1);
    assert_int_equal(party_whole_history(&p, &p.carol, ids), -1);
    assert_int_equal(party_say(&p, &p.carol, "hi").error, NO_CONVERSATION);
    /* seen by the owner alone */
    struct roam_store_request *req = party_members(&p, &p.alice, "", 10);
    assert_int_equal(req->u.members.count, 3);
    assert_int_equal(req->u.members.member_count, 2);
    assert_member(&req->u.members, 2, "carol", roam_v1_Role_APPLICANT, false,
                  applied);
    roam_store_request_free(req);
    req = party_members(&p, &p.bob, "", 10);
    assert_int_equal(req->u.members.count, 2);
    roam_store_request_free(req);
    req = party_members(&p, &p.carol, "", 10);
    assert_false(req->u.members.found);
    roam_store_request_free(req);

    party_must_fail(&p, &p.bob, APPROVE, "carol", NO_USER);
    uint64_t approved = party_must(&p, &p.alice, APPROVE, "carol");
    party_must_fail(&p, &p.alice, APPROVE, "carol", NO_USER);
    req = party_members(&p, &p.bob, "bob", 10);
    assert_int_equal(req->u.members.count, 1);
    assert_member(&req->u.members, 0, "carol", roam_v1_Role_MEMBER, false,
                  approved);
    roam_store_request_free(req);
    assert_int_equal(party_whole_history(&p, &p.carol, ids), 1);
    assert_int_equal(ids[0], approved);
}

static void test_who_is_denied_is_told(void **state)
{
    (void)state;
    struct party p = party_gather(APPROVAL);
    party_must(&p, &p.carol, JOIN, NULL);
    struct party_outcome out = party_change(&p, &p.alice, DENY, "carol");
    assert_int_equal(out.count, 2);
    assert_true(party_got(&out, &p.alice) && party_got(&out, &p.carol));
    party_must_fail(&p, &p.alice, DENY, "carol", NO_USER);
    party_must(&p, &p.carol, JOIN, NULL); /* may try again */
}

static void test_an_invitation_takes_all_or_nobody(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    struct roam_operation op = {.kind = GROUP, .action = INVITE};
    const char *users[] = {"carol", "nobody", "dave"};
    struct roam_store_request *req =
        probe_make_naming(&p.bob, 1, p.group, &op, users, 3);
    probe_answer(req);
    assert_int_equal(party_outcome_of(req).error, NO_USER);
    assert_int_equal(party_say(&p, &p.alice, "hm").count, 2);
    users[1] = "bob"; /* a member already: skipped */
    req = probe_make_naming(&p.bob, 2, p.group, &op, users, 3);
    probe_answer(req);
    struct party_outcome out = party_outcome_of(req);
    assert_int_equal(out.result, ROAM_SEND_STORED);
    assert_int_equal(out.count, 4);
    req = probe_make_naming(&p.bob, 3, p.group, &op, users, 3);
    probe_answer(req);
    struct party_outcome again = party_outcome_of(req);
    assert_int_equal(again.result, ROAM_SEND_DUPLICATE);
    assert_int_equal(again.msg_id, out.msg_id);
    assert_int_equal(again.count, 0);
}

static void test_a_user_named_twice_is_one_member(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    struct roam_operation op = {.kind = GROUP, .action = INVITE};
    const char *users[] = {"carol", "carol"};
    struct roam_store_request *req =
        probe_make_naming(&p.bob, 1, p.group, &op, users, 2);
    probe_answer(req);
    assert_int_equal(party_outcome_of(req).count, 3);
    req = party_members(&p, &p.alice, "", 10);
    assert_int_equal(req->u.members.member_count, 3);
    assert_int_equal(req->u.members.count, 3);
    roam_store_request_free(req);
}

static void test_a_full_group_takes_nobody_in(void **state)
{
    (void)state;
    probe_suite->settings.max_members = 3;
    probe_suite->reopen(probe_suite);
    struct party p = party_gather(OPEN);
    party_must(&p, &p.carol, JOIN, NULL);
    party_must_fail(&p, &p.dave, JOIN, NULL, FULL);
    party_must_fail(&p, &p.alice, INVITE, "dave", FULL);
    party_must(&p, &p.carol, LEAVE, NULL);
    party_must(&p, &p.dave, JOIN, NULL);
    probe_suite->settings.max_members = 0;
}

/* A group of that user's, and of bob's if told so. */
static struct party_outcome create(struct party *p,
                                   const struct roam_identity *who,
                                   const char *with)
{
    struct roam_operation op = {.kind = GROUP, .action = CREATE, .join = OPEN};
    return party_operate(p, who, "#", &op, with);
}

static void assert_full(struct party_outcome out)
{
    assert_int_equal(out.result, ROAM_SEND_REFUSED);
    assert_int_equal(out.error, FULL);
}

static void test_a_user_is_in_so_many_groups_and_no_more(void **state)
{
    (void)state; /* [GRP-26] */
    struct roam_operation op = {
        .kind = GROUP, .action = SET_JOIN, .join = APPROVAL};
    probe_suite->settings.max_groups = 2;
    probe_suite->reopen(probe_suite);
    struct party p = party_gather(OPEN);
    assert_int_equal(create(&p, &p.alice, "bob").result, ROAM_SEND_STORED);
    assert_full(create(&p, &p.alice, NULL));
    assert_full(create(&p, &p.carol, "bob"));
    struct party_outcome made = create(&p, &p.carol, NULL);
    assert_int_equal(made.result, ROAM_SEND_STORED);
    memcpy(p.group, made.made, sizeof p.group);
    party_must_fail(&p, &p.bob, JOIN, NULL, FULL);
    party_must_fail(&p, &p.carol, INVITE, "bob", FULL);
    party_must(&p, &p.dave, JOIN, NULL);
    /* Who may ask, asks; of those who are in it all goes on. */
    assert_int_equal(party_operate(&p, &p.carol, p.group, &op, NULL).result,
                     ROAM_SEND_STORED);
    party_must(&p, &p.bob, JOIN, NULL);
    party_must_fail(&p, &p.carol, APPROVE, "bob", FULL);
    party_must(&p, &p.carol, TRANSFER, "dave");
    party_must_say(&p, &p.carol, "soup");
    probe_suite->settings.max_groups = 0;
}

/* A whole round. */
static void trim(uint64_t now_ms)
{
    bool more = true;
    while (more) {
        struct roam_store_request *req = probe_make(ROAM_STORE_TRIM, 0);
        req->u.trim.now_ms = now_ms;
        probe_answer(req);
        more = req->u.trim.more;
        roam_store_request_free(req);
    }
}

/* As long as there is something of it to read. */
static void test_a_group_that_was_left_counts_until_it_is_forgotten(void **st)
{
    (void)st; /* [GRP-27] */
    const uint64_t day_ms = 86400000;
    probe_suite->settings.max_groups = 1;
    probe_suite->keep =
        (struct roam_store_keep){.history_ms = day_ms, .dedup_ms = 1};
    probe_suite->reopen(probe_suite);
    struct party p = party_gather(OPEN);
    struct party other = p;
    struct party_outcome made = create(&p, &p.carol, NULL);
    memcpy(other.group, made.made, sizeof other.group);
    other.last_id += 1000;
    uint64_t seen = party_must(&p, &p.bob, LEAVE, NULL);
    party_must_fail(&other, &p.bob, JOIN, NULL, FULL);
    struct roam_operation op = {.kind = roam_v1_Kind_DELETE, .msg_id = seen};
    struct roam_store_request *req =
        probe_make_naming(&p.bob, 1, p.group, &op, NULL, 0);
    req->u.send.now_ms = NOW_MS + day_ms; /* late: it is a row, too */
    probe_answer(req);
    assert_int_equal(party_outcome_of(req).result, ROAM_SEND_STORED);
    req = probe_make_send(&p.alice, 2, p.group, "soup"); /* the last stays */
    req->u.send.now_ms = NOW_MS + 2 * day_ms;
    probe_answer(req);
    assert_int_equal(party_outcome_of(req).result, ROAM_SEND_STORED);
    trim(NOW_MS + day_ms + 1);
    party_must_fail(&other, &p.bob, JOIN, NULL, FULL);
    trim(NOW_MS + 2 * day_ms + 1);
    party_must(&other, &p.bob, JOIN, NULL);
    party_must_fail(&p, &p.bob, JOIN, NULL, FULL);
    probe_suite->settings.max_groups = 0;
    probe_suite->keep = (struct roam_store_keep){0};
}

static void test_rename_is_told_everywhere(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    uint64_t before = party_must_say(&p, &p.bob, "soup");
    struct party_outcome out = party_change(&p, &p.alice, RENAME, "Dinner");
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
    out = party_change(&p, &p.alice, RENAME, "Dinner");
    assert_int_equal(out.result, ROAM_SEND_DUPLICATE);
    party_must_fail(&p, &p.bob, RENAME, "Mine", FORBIDDEN);
    req = party_members(&p, &p.bob, "", 10);
    assert_string_equal(req->u.members.name, "Dinner");
    roam_store_request_free(req);
}

static void test_transfer_moves_the_ownership(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    party_must(&p, &p.alice, TRANSFER, "bob");
    party_must_fail(&p, &p.alice, DISSOLVE, NULL, FORBIDDEN);
    struct roam_store_request *req = party_members(&p, &p.alice, "", 10);
    assert_member(&req->u.members, 0, "alice", roam_v1_Role_ADMIN, false,
                  p.created);
    assert_member(&req->u.members, 1, "bob", roam_v1_Role_OWNER, false,
                  p.created);
    roam_store_request_free(req);
    party_must(&p, &p.alice, LEAVE, NULL);
}

static void test_a_dissolved_group_is_history(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    uint64_t ids[16];
    uint64_t soup = party_must_say(&p, &p.alice, "soup");
    struct party_outcome out = party_change(&p, &p.alice, DISSOLVE, NULL);
    assert_int_equal(out.count, 2);
    assert_int_equal(party_say(&p, &p.alice, "hi").error, NO_CONVERSATION);
    party_must_fail(&p, &p.carol, JOIN, NULL, NO_CONVERSATION);
    party_must_fail(&p, &p.alice, JOIN, NULL, NO_CONVERSATION);
    assert_int_equal(party_whole_history(&p, &p.bob, ids), 3);
    assert_int_equal(ids[2], out.msg_id);
    struct roam_store_request *req = party_members(&p, &p.alice, "", 10);
    assert_false(req->u.members.found);
    roam_store_request_free(req);
    assert_int_equal(party_aim(&p, &p.bob, roam_v1_Kind_READ, soup).result,
                     ROAM_SEND_STORED);
}

static void test_a_change_survives_a_restart(void **state)
{
    (void)state;
    struct party p = party_gather(CLOSED);
    party_must(&p, &p.alice, INVITE, "carol");
    party_must(&p, &p.alice, SET_ADMIN, "bob");
    party_must(&p, &p.alice, MUTE, "carol");
    probe_suite->reopen(probe_suite);
    struct roam_store_request *req = party_members(&p, &p.bob, "", 10);
    assert_int_equal(req->u.members.count, 3);
    assert_int_equal(req->u.members.rows[1].role, roam_v1_Role_ADMIN);
    assert_true(req->u.members.rows[2].muted);
    roam_store_request_free(req);
    assert_int_equal(party_say(&p, &p.carol, "hi").error, MUTED);
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
        PROBE_CLAIM(test_an_app_goes_to_whom_it_names),
        PROBE_CLAIM(test_who_is_removed_is_told_and_sees_no_more),
        PROBE_CLAIM(test_who_leaves_is_told),
        PROBE_CLAIM(test_an_application_is_for_those_who_decide),
        PROBE_CLAIM(test_who_is_denied_is_told),
        PROBE_CLAIM(test_an_invitation_takes_all_or_nobody),
        PROBE_CLAIM(test_a_user_named_twice_is_one_member),
        PROBE_CLAIM(test_a_full_group_takes_nobody_in),
        PROBE_CLAIM(test_a_user_is_in_so_many_groups_and_no_more),
        PROBE_CLAIM(test_a_group_that_was_left_counts_until_it_is_forgotten),
        PROBE_CLAIM(test_rename_is_told_everywhere),
        PROBE_CLAIM(test_transfer_moves_the_ownership),
        PROBE_CLAIM(test_a_dissolved_group_is_history),
        PROBE_CLAIM(test_a_change_survives_a_restart),
    };
    return cmocka_run_group_tests_name("groups", tests, NULL, NULL);
}
