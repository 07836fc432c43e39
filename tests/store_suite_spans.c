/* SPDX-License-Identifier: Apache-2.0 */
/* The claims about stores: what a member, and who was one, may see of a group:
 * the history of the spans, its row of CONVERSATIONS, and its members. Spec:
 * section 7.2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "roam.pb.h"
#include "store_party.h"

/* carol comes, goes, and comes back. */
struct spans {
    uint64_t before, joined, seen, left, missed, back, after;
};

static struct spans come_and_go(struct party *p)
{
    struct spans s;
    s.before = party_must_say(p, &p->alice, "before");
    s.joined = party_must(p, &p->carol, JOIN, NULL);
    s.seen = party_must_say(p, &p->alice, "seen");
    s.left = party_must(p, &p->carol, LEAVE, NULL);
    s.missed = party_must_say(p, &p->alice, "missed");
    s.back = party_must(p, &p->carol, JOIN, NULL);
    s.after = party_must_say(p, &p->alice, "after");
    return s;
}

static void test_history_is_what_the_spans_show(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    struct spans s = come_and_go(&p);
    const uint64_t all[] = {s.joined, s.seen, s.left, s.back, s.after};
    uint64_t ids[16];
    assert_int_equal(party_whole_history(&p, &p.carol, ids), 5);
    assert_memory_equal(ids, all, sizeof all);
    assert_int_equal(party_whole_history(&p, &p.bob, ids), 8);
    /* every page size, from both ends */
    for (uint32_t max = 1; max <= 6; max++) {
        int count = max < 5 ? (int)max : 5;
        assert_int_equal(party_history(&p, &p.carol, 0, 0, max, ids), count);
        assert_memory_equal(ids, all + 5 - count, (size_t)count * sizeof *ids);
        assert_int_equal(party_history(&p, &p.carol, 0, 1, max, ids), count);
        assert_memory_equal(ids, all, (size_t)count * sizeof *ids);
    }
    /* bounds inside a span, in the gap, and on its edges */
    assert_int_equal(party_history(&p, &p.carol, s.missed, 0, 16, ids), 3);
    assert_int_equal(party_history(&p, &p.carol, 0, s.missed, 16, ids), 2);
    assert_int_equal(party_history(&p, &p.carol, s.left, s.joined, 16, ids), 1);
    assert_int_equal(ids[0], s.seen);
    assert_int_equal(party_history(&p, &p.carol, s.back, s.left, 16, ids), 0);
    assert_int_equal(party_history(&p, &p.carol, s.joined, 0, 16, ids), 0);
}

static void test_targets_outside_the_spans_are_not_there(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    struct spans s = come_and_go(&p);
    const uint32_t kinds[] = {roam_v1_Kind_DELETE, roam_v1_Kind_RECALL};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(party_aim(&p, &p.carol, kinds[i], s.before).error,
                         NO_MESSAGE);
        assert_int_equal(party_aim(&p, &p.carol, kinds[i], s.missed).error,
                         NO_MESSAGE);
    }
    assert_int_equal(party_aim(&p, &p.carol, roam_v1_Kind_RECALL, s.seen).error,
                     FORBIDDEN);
    assert_int_equal(
        party_aim(&p, &p.carol, roam_v1_Kind_DELETE, s.seen).result,
        ROAM_SEND_STORED);
}

static void test_a_former_member_may_read_and_delete_what_was_seen(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    struct spans s = come_and_go(&p);
    uint64_t ids[16];
    uint64_t left = party_must(&p, &p.carol, LEAVE, NULL);
    uint64_t later = party_must_say(&p, &p.alice, "later");
    assert_int_equal(party_aim(&p, &p.carol, roam_v1_Kind_RECALL, s.seen).error,
                     NO_CONVERSATION);
    assert_int_equal(party_aim(&p, &p.carol, roam_v1_Kind_READ, later).error,
                     NO_MESSAGE);
    assert_int_equal(party_aim(&p, &p.carol, roam_v1_Kind_READ, left).result,
                     ROAM_SEND_STORED);
    struct party_outcome out =
        party_aim(&p, &p.carol, roam_v1_Kind_DELETE, s.seen);
    assert_int_equal(out.result, ROAM_SEND_STORED);
    assert_int_equal(out.count, 1);
    assert_true(party_got(&out, &p.carol));
    /* its row, although it lies behind the span */
    assert_int_equal(party_whole_history(&p, &p.carol, ids), 7);
    assert_int_equal(ids[6], out.msg_id);
    assert_int_equal(party_history(&p, &p.carol, 0, 1, 16, ids), 7);
    assert_int_equal(ids[6], out.msg_id);
}

static void test_conversations_tell_role_mark_and_what_is_unread(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    struct spans s = come_and_go(&p);
    bool found;
    struct roam_entry row = party_conversation(&p, &p.carol, &found);
    assert_true(found);
    assert_int_equal(row.msg_id, s.after);
    assert_int_equal(row.role, roam_v1_Role_MEMBER);
    assert_int_equal(row.unread, 2); /* seen and after */
    row = party_conversation_since(&p, &p.carol, s.seen, &found);
    assert_int_equal(row.unread, 2);
    row = party_conversation_since(&p, &p.carol, s.seen + 1, &found);
    assert_int_equal(row.unread, 1);
    party_aim(&p, &p.carol, roam_v1_Kind_READ, s.seen);
    row = party_conversation(&p, &p.carol, &found);
    assert_int_equal(row.read_mark, s.seen);
    assert_int_equal(row.unread, 1);
    uint64_t left = party_must(&p, &p.carol, LEAVE, NULL);
    party_must_say(&p, &p.alice, "later");
    row = party_conversation(&p, &p.carol, &found);
    assert_int_equal(row.msg_id, left);
    assert_int_equal(row.role, roam_v1_Role_ROLE_NONE);
    assert_int_equal(row.unread, 1);
    row = party_conversation(&p, &p.alice, &found);
    assert_int_equal(row.role, roam_v1_Role_OWNER);
    assert_int_equal(row.unread, 0);
}

static void test_members_are_told_in_pages_without_a_gap(void **state)
{
    (void)state;
    struct party p = party_gather(OPEN);
    party_must(&p, &p.carol, JOIN, NULL);
    party_must(&p, &p.dave, JOIN, NULL);
    static const char *const names[] = {"alice", "bob", "carol", "dave"};
    for (uint32_t max = 1; max <= 5; max++) {
        const char *after = "";
        size_t seen = 0;
        bool more = true;
        while (more) {
            struct roam_store_request *req =
                party_members(&p, &p.dave, after, max);
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
    struct roam_store_request *req = party_members(&p, &p.dave, "dave", 3);
    assert_true(req->u.members.found);
    assert_int_equal(req->u.members.count, 0);
    assert_false(req->u.members.more);
    roam_store_request_free(req);
}

int store_suite_spans(void)
{
    const struct CMUnitTest tests[] = {
        PROBE_CLAIM(test_history_is_what_the_spans_show),
        PROBE_CLAIM(test_targets_outside_the_spans_are_not_there),
        PROBE_CLAIM(test_a_former_member_may_read_and_delete_what_was_seen),
        PROBE_CLAIM(test_conversations_tell_role_mark_and_what_is_unread),
        PROBE_CLAIM(test_members_are_told_in_pages_without_a_gap),
    };
    return cmocka_run_group_tests_name("what members see", tests, NULL, NULL);
}
