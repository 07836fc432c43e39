/* SPDX-License-Identifier: Apache-2.0 */
/* The claims about stores: pages of history. Spec: section 8.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "roam.pb.h"
#include "store_probe.h"

/* ----------------------------------------------------------------- requests */

/* The page must be these messages and this `more`; frees the request. */
static void expect_page(struct roam_store_request *req, const uint64_t *ids,
                        size_t count, bool more)
{
    const struct roam_store_history *h = &req->u.history;
    probe_answer(req);
    assert_true(h->found);
    assert_false(h->no_memory);
    assert_int_equal(h->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_true(h->rows[i].msg_id == ids[i]);
        assert_int_equal(h->rows[i].version, 0);
        assert_int_equal(h->rows[i].prev_version, 0);
    }
    assert_int_equal(h->more, more);
    roam_store_request_free(req);
}

/* ------------------------------------------------------------------ history */

enum {
    MESSAGES = 9
};

/* Nine messages between alice and bob, a millisecond apart, with others in
 * between. ids[0] is no message's: below all. */
static void converse(struct roam_identity *a, struct roam_identity *b,
                     uint64_t ids[MESSAGES + 1])
{
    *a = probe_enter("alice", 1, PHONE, 1, 0);
    *b = probe_enter("bob", 1, PHONE, 1, 0);
    ids[0] = 1;
    for (uint64_t i = 1; i <= MESSAGES; i++) {
        bool from_alice = i % 3 != 0;
        struct probe_sent sent =
            probe_send_at(from_alice ? a : b, i, from_alice ? "bob" : "alice",
                          "ten bytes.", NOW_MS + i);
        assert_int_equal(sent.result, ROAM_SEND_STORED);
        ids[i] = sent.msg_id;
        probe_send_at(a, 100 + i, "alice", "a note", NOW_MS + i);
    }
}

static void test_history_gives_the_newest_or_the_oldest_of_a_range(void **st)
{
    (void)st;
    struct roam_identity a, b;
    uint64_t id[MESSAGES + 1];
    converse(&a, &b, id);
    const struct {
        uint64_t before, after;
        uint32_t max_count;
        size_t first, count;
        bool more;
    } cases[] = {
        {0, 0, 9, 1, 9, false},
        {0, 0, 8, 2, 8, true},
        {0, 0, 1, 9, 1, true},
        {id[5], 0, 3, 2, 3, true},
        {id[5], 0, 4, 1, 4, false},
        {id[1], 0, 4, 1, 0, false},
        {id[1] + 1, 0, 4, 1, 1, false},
        {ROAM_VERSION_MAX, 0, 2, 8, 2, true},
        {1, 0, 2, 1, 0, false},
        {0, id[4], 3, 5, 3, true},
        {0, id[4], 5, 5, 5, false},
        {0, id[4] - 1, 1, 4, 1, true},
        {0, id[9], 5, 1, 0, false},
        {0, ROAM_VERSION_MAX, 5, 1, 0, false},
        {id[7], id[3], 9, 4, 3, false},
        {id[7], id[3], 2, 5, 2, true}, /* both: from the newest */
        {id[4], id[4], 9, 1, 0, false},
        {id[3], id[7], 9, 1, 0, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct roam_identity *both[] = {&a, &b};
        const char *names[] = {"bob", "alice"};
        for (size_t k = 0; k < 2; k++) {
            struct roam_store_request *req = probe_make_history(
                both[k], names[k], cases[i].before, cases[i].after);
            req->u.history.max_count = cases[i].max_count;
            expect_page(req, &id[cases[i].first], cases[i].count,
                        cases[i].more);
        }
    }
}

static void test_history_shows_a_message_as_its_entry_does(void **state)
{
    (void)state;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity tablet = probe_enter("alice", 1, DESKTOP, 1, 0);
    struct roam_identity b = probe_enter("bob", 1, PHONE, 1, 0);
    probe_must_send(&a, 11, "bob", "mine");
    probe_must_send(&tablet, 12, "bob", "");
    probe_must_send(&b, 13, "alice", "theirs");
    struct roam_store_request *req = probe_make_history(&a, "bob", 0, 0);
    probe_answer(req);
    const struct roam_entry *e = req->u.history.rows;
    static const char *const senders[] = {"alice", "alice", "bob"};
    static const char *const bodies[] = {"mine", "", "theirs"};
    assert_int_equal(req->u.history.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(e[i].kind, roam_v1_Kind_MESSAGE);
        assert_int_equal(e[i].cut_size, 0);
        assert_int_equal(e[i].client_msg_id, i == 0 ? 11 : 0);
        probe_assert_slice(e[i].conversation, "bob");
        probe_assert_slice(e[i].sender, senders[i]);
        probe_assert_slice(e[i].content_type, "text/plain");
        probe_assert_slice(e[i].body, bodies[i]);
    }
    roam_store_request_free(req);
    req = probe_make_history(&b, "alice", 0, 0);
    probe_answer(req);
    e = req->u.history.rows;
    probe_assert_slice(e[0].conversation, "alice");
    assert_int_equal(e[0].client_msg_id, 0);
    assert_int_equal(e[2].client_msg_id, 13);
    roam_store_request_free(req);
}

static void test_history_keeps_to_its_bounds_in_bytes(void **state)
{
    (void)state;
    struct roam_identity a, b;
    uint64_t id[MESSAGES + 1];
    converse(&a, &b, id);
    static const struct {
        size_t max_bytes;
        uint32_t body_limit;
        size_t count;
        size_t cut;
    } cases[] = {{90, 10, 9, 0}, {89, 10, 8, 0}, {10, 10, 1, 0}, {9, 10, 1, 0},
                 {0, 10, 1, 0},  {0, 9, 9, 10},  {89, 0, 9, 10}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int up = 0; up < 2; up++) {
            struct roam_store_request *req =
                probe_make_history(&a, "bob", 0, up ? id[0] : 0);
            struct roam_store_history *h = &req->u.history;
            h->max_bytes = cases[i].max_bytes;
            h->body_limit = cases[i].body_limit;
            probe_answer(req);
            assert_int_equal(h->count, cases[i].count);
            assert_int_equal(h->more, cases[i].count < MESSAGES);
            for (size_t k = 0; k < h->count; k++) {
                size_t first = up ? 1 : MESSAGES + 1 - h->count;
                assert_true(h->rows[k].msg_id == id[first + k]);
                assert_int_equal(h->rows[k].cut_size, cases[i].cut);
                assert_int_equal(h->rows[k].body.len,
                                 cases[i].cut == 0 ? 10 : 0);
            }
            roam_store_request_free(req);
        }
    }
}

static void test_history_of_nobody_is_told_from_that_of_a_stranger(void **st)
{
    (void)st;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_store_request *req = probe_make_history(&a, "nobody", 0, 0);
    probe_answer(req);
    assert_false(req->u.history.found);
    assert_int_equal(req->u.history.count, 0);
    roam_store_request_free(req);
    expect_page(probe_make_history(&a, "bob", 0, 0), NULL, 0, false);
    expect_page(probe_make_history(&a, "alice", 0, 0), NULL, 0, false);
}

static void test_notes_to_oneself_are_a_conversation(void **state)
{
    (void)state;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    uint64_t id = probe_must_send(&a, 1, "alice", "milk");
    probe_must_send(&a, 2, "bob", "hello");
    expect_page(probe_make_history(&a, "alice", 0, 0), &id, 1, false);
    struct roam_store_request *req = probe_make_list(&a, 0, "");
    probe_answer(req);
    assert_int_equal(req->u.conversations.count, 2);
    roam_store_request_free(req);
}

static void test_history_tells_the_head_of_what_it_read(void **state)
{
    (void)state;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity b = probe_enter("bob", 1, PHONE, 1, 0);
    for (uint64_t id = 0; id < 20; id++) {
        struct roam_store_request *req = probe_make_history(&b, "alice", 0, 0);
        probe_answer(req); /* all that was answered is seen [HIST-6] */
        assert_int_equal(req->u.history.count, id);
        assert_true(req->u.history.head == probe_head(&b));
        roam_store_request_free(req);
        req = probe_make_list(&b, 0, "");
        probe_answer(req);
        assert_int_equal(req->u.conversations.count, id == 0 ? 0 : 1);
        assert_true(req->u.conversations.head == probe_head(&b));
        roam_store_request_free(req);
        probe_must_send(&a, id + 1, "bob", "x");
    }
}

/* ------------------------------------------------------------ conversations */

/* alice writes to all these in turn, so that the last comes first. */
static struct roam_identity meet(size_t people)
{
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    for (size_t i = 0; i < people; i++) {
        char name[16];
        snprintf(name, sizeof name, "peer-%03u", (unsigned)i);
        probe_suite->add_user(probe_suite, name);
        for (uint64_t k = 0; k < 2; k++) {
            assert_int_equal(
                probe_send_at(&a, 2 * i + k + 1, name, "hi", NOW_MS + i + k)
                    .result,
                ROAM_SEND_STORED);
        }
    }
    return a;
}

static void test_conversations_come_newest_first_page_after_page(void **state)
{
    (void)state;
    enum {
        PEOPLE = 30
    };
    struct roam_identity a = meet(PEOPLE);
    for (uint32_t page = 1; page <= PEOPLE + 1; page++) {
        uint64_t before = 0;
        char last[16] = "";
        size_t seen = 0;
        bool more = true;
        while (more) {
            struct roam_store_request *req = probe_make_list(&a, before, last);
            struct roam_store_conversations *c = &req->u.conversations;
            c->max_count = page;
            probe_answer(req);
            more = c->more;
            assert_int_equal(c->count,
                             PEOPLE - seen < page ? PEOPLE - seen : page);
            for (size_t i = 0; i < c->count; i++) {
                snprintf(last, sizeof last, "peer-%03u",
                         (unsigned)(PEOPLE - 1 - seen));
                probe_assert_slice(c->rows[i].conversation, last);
                assert_int_equal(c->rows[i].client_msg_id, 2 * (PEOPLE - seen));
                before = c->rows[i].msg_id;
                seen++;
            }
            assert_int_equal(more, seen < PEOPLE);
            roam_store_request_free(req);
        }
    }
}

/* Other conversations may have a msg_id of the same number. [HIST-8] */
static void test_equal_ids_are_ordered_by_the_bytes_of_the_name(void **state)
{
    (void)state;
    static const char *const names[] = {"b", "ba", "\xc3\xa9", "B", "a"};
    static const char *const order[] = {"\xc3\xa9", "ba", "b", "a", "B"};
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    uint64_t msg_id = 0;
    for (size_t i = 0; i < 5; i++) {
        probe_suite->add_user(probe_suite, names[i]);
        msg_id = probe_must_send(&a, i + 1, names[i], "x");
    }
    for (size_t skip = 0; skip <= 5; skip++) {
        struct roam_store_request *req = probe_make_list(
            &a, skip == 0 ? 0 : msg_id, skip == 0 ? "" : order[skip - 1]);
        const struct roam_store_conversations *c = &req->u.conversations;
        probe_answer(req);
        assert_int_equal(c->count, 5 - skip);
        for (size_t i = 0; i < c->count; i++) {
            assert_true(c->rows[i].msg_id == msg_id);
            probe_assert_slice(c->rows[i].conversation, order[skip + i]);
        }
        roam_store_request_free(req);
    }
}

static void test_conversations_keep_to_their_bounds_in_bytes(void **state)
{
    (void)state;
    struct roam_identity a = meet(5);
    static const struct {
        size_t max_bytes;
        uint32_t body_limit;
        size_t count;
    } cases[] = {{10, 2, 5}, {9, 2, 4}, {1, 2, 1}, {0, 2, 1}, {0, 1, 5}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct roam_store_request *req = probe_make_list(&a, 0, "");
        struct roam_store_conversations *c = &req->u.conversations;
        c->max_bytes = cases[i].max_bytes;
        c->body_limit = cases[i].body_limit;
        probe_answer(req);
        assert_int_equal(c->count, cases[i].count);
        assert_int_equal(c->more, cases[i].count < 5);
        assert_int_equal(c->rows[0].cut_size, cases[i].body_limit < 2 ? 2 : 0);
        roam_store_request_free(req);
    }
}

static void test_pages_are_the_same_after_a_restart(void **state)
{
    (void)state;
    struct roam_identity a, b;
    uint64_t id[MESSAGES + 1];
    converse(&a, &b, id);
    probe_suite->reopen(probe_suite);
    expect_page(probe_make_history(&b, "alice", 0, 0), &id[1], MESSAGES, false);
    id[0] = probe_must_send(&a, 1000, "bob", "after"); /* clock went back */
    assert_true(id[0] == id[MESSAGES] + 1);
    expect_page(probe_make_history(&b, "alice", 0, id[MESSAGES]), &id[0], 1,
                false);
    struct roam_store_request *req = probe_make_list(&b, 0, "");
    probe_answer(req);
    assert_int_equal(req->u.conversations.count, 1);
    assert_true(req->u.conversations.rows[0].msg_id == id[0]);
    roam_store_request_free(req);
}

int store_suite_pages(void)
{
    const struct CMUnitTest tests[] = {
        PROBE_CLAIM(test_history_gives_the_newest_or_the_oldest_of_a_range),
        PROBE_CLAIM(test_history_shows_a_message_as_its_entry_does),
        PROBE_CLAIM(test_history_keeps_to_its_bounds_in_bytes),
        PROBE_CLAIM(test_history_of_nobody_is_told_from_that_of_a_stranger),
        PROBE_CLAIM(test_notes_to_oneself_are_a_conversation),
        PROBE_CLAIM(test_history_tells_the_head_of_what_it_read),
        PROBE_CLAIM(test_conversations_come_newest_first_page_after_page),
        PROBE_CLAIM(test_equal_ids_are_ordered_by_the_bytes_of_the_name),
        PROBE_CLAIM(test_conversations_keep_to_their_bounds_in_bytes),
        PROBE_CLAIM(test_pages_are_the_same_after_a_restart),
    };
    return cmocka_run_group_tests_name("store: pages", tests, NULL, NULL);
}
