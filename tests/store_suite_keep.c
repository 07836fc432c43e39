/* SPDX-License-Identifier: Apache-2.0 */
/* The claims about stores: what is kept for how long. Spec: section 6.5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "roam.pb.h"
#include "store_probe.h"

#define DAY_MS (86400 * 1000ull)
/* More steps than any round here has. */
#define STEPS_MAX 100

/* From here on the store keeps this. */
static void keep(struct roam_store_keep what)
{
    probe_suite->keep = what;
    probe_suite->reopen(probe_suite);
}

static int forget(void **state)
{
    probe_suite->keep = (struct roam_store_keep){0};
    return probe_done(state);
}

/* A whole round. */
static void trim(uint64_t now_ms)
{
    for (int i = 0; i < STEPS_MAX; i++) {
        struct roam_store_request *req = probe_make(ROAM_STORE_TRIM, 0);
        req->u.trim.now_ms = now_ms;
        probe_answer(req);
        bool more = req->u.trim.more;
        roam_store_request_free(req);
        if (!more) {
            return;
        }
    }
    fail_msg("a round of trimming does not end");
}

/* The retained entries: a chain from the floor to the head. */
static void expect_timeline(const struct roam_identity *who, size_t count)
{
    struct roam_store_request *req = probe_make_read(who, 0, ROAM_VERSION_MAX);
    uint64_t floor = probe_sync(who, 0, 0, 0).floor;
    req->u.read.after = floor;
    probe_answer(req);
    const struct roam_store_read *read = &req->u.read;
    assert_true(read->is_link);
    assert_int_equal(read->count, count);
    uint64_t at = floor;
    for (size_t i = 0; i < count; i++) {
        assert_true(read->entries[i].prev_version == at);
        at = read->entries[i].version;
        assert_true(probe_sync(who, at, ROAM_VERSION_MAX, 0).is_link);
    }
    assert_true(probe_sync(who, floor, ROAM_VERSION_MAX, 0).is_link);
    roam_store_request_free(req);
}

static void test_entries_in_excess_go_with_the_send(void **state)
{
    (void)state;
    keep((struct roam_store_keep){.timeline_entries = 3});
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity b = probe_enter("bob", 1, PHONE, 1, 0);
    uint64_t first = 0;
    for (size_t id = 1; id <= 3; id++) {
        probe_must_send(&a, id, "bob", "x");
        first = id == 1 ? probe_head(&b) : first;
        expect_timeline(&b, id);
    }
    assert_int_equal(probe_sync(&b, 0, 0, 0).floor, 0);
    probe_must_send(&a, 4, "bob", "x");
    expect_timeline(&b, 3);
    expect_timeline(&a, 3);
    assert_true(probe_sync(&b, 0, 0, 0).floor == first); /* [KEEP-3] */
    assert_false(probe_sync(&b, 0, ROAM_VERSION_MAX, 9).is_link);
    struct roam_store_login l =
        probe_login(&(struct probe_login){"bob", NULL, 1, PHONE, 2, 0, 0});
    assert_true(l.floor == first);
}

static void test_lower_bound_takes_effect_with_the_next_round(void **state)
{
    (void)state;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    for (uint64_t id = 1; id <= 1200; id++) {
        probe_must_send(&a, id, "bob", "x");
    }
    keep((struct roam_store_keep){.timeline_entries = 1});
    trim(NOW_MS);
    expect_timeline(&a, 1);
}

static void test_read_of_what_was_trimmed_says_so(void **state)
{
    (void)state;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    for (uint64_t id = 1; id <= 5; id++) {
        probe_must_send(&a, id, "bob", "x");
    }
    keep((struct roam_store_keep){.timeline_entries = 1});
    trim(NOW_MS);
    struct roam_store_request *req = probe_make_read(&a, 0, ROAM_VERSION_MAX);
    probe_answer(req);
    assert_false(req->u.read.is_link);
    assert_int_equal(req->u.read.count, 0);
    roam_store_request_free(req);
}

static void test_old_entries_go_but_never_the_newest(void **state)
{
    (void)state;
    keep((struct roam_store_keep){.timeline_ms = 1000});
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity b = probe_enter("bob", 1, PHONE, 1, 0);
    probe_send_at(&a, 1, "bob", "x", NOW_MS);
    probe_send_at(&a, 2, "bob", "x", NOW_MS + 500);
    probe_send_at(&a, 3, "bob", "x", NOW_MS + 500);
    trim(NOW_MS + 1000);
    expect_timeline(&b, 3);
    trim(NOW_MS + 1001);
    expect_timeline(&b, 2);
    expect_timeline(&a, 2);
    trim(NOW_MS + DAY_MS);
    expect_timeline(&b, 1); /* [KEEP-2] */
    trim(NOW_MS - DAY_MS);  /* the clock went back */
    expect_timeline(&b, 1);
    probe_send_at(&a, 4, "bob", "x", NOW_MS + DAY_MS);
    trim(NOW_MS + DAY_MS);
    expect_timeline(&b, 1);
}

static size_t history_of(const struct roam_identity *who, const char *peer,
                         uint64_t oldest_ms)
{
    struct roam_store_request *req = probe_make_history(who, peer, 0, 0);
    req->u.history.oldest = oldest_ms << ROAM_MSG_ID_TIME_SHIFT;
    probe_answer(req);
    assert_true(req->u.history.found);
    assert_false(req->u.history.more);
    size_t count = req->u.history.count;
    roam_store_request_free(req);
    return count;
}

/* *unread: of the first one. */
static size_t conversations_of(const struct roam_identity *who,
                               uint64_t oldest_ms, uint32_t *unread)
{
    struct roam_store_request *req = probe_make_list(who, 0, "");
    req->u.conversations.oldest = oldest_ms << ROAM_MSG_ID_TIME_SHIFT;
    probe_answer(req);
    size_t count = req->u.conversations.count;
    *unread = count == 0 ? 0 : req->u.conversations.rows[0].unread;
    roam_store_request_free(req);
    return count;
}

static void test_nothing_older_than_asked_for_is_history(void **state)
{
    (void)state;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    for (uint64_t id = 1; id <= 3; id++) {
        probe_send_at(&a, id, "bob", "x", NOW_MS + id);
    }
    assert_int_equal(history_of(&a, "bob", 0), 3);
    assert_int_equal(history_of(&a, "bob", NOW_MS + 1), 3);
    assert_int_equal(history_of(&a, "bob", NOW_MS + 2), 2);
    uint32_t unread;
    assert_int_equal(conversations_of(&a, NOW_MS + 3, &unread), 1);
    assert_int_equal(history_of(&a, "bob", NOW_MS + 4), 0);
    assert_int_equal(conversations_of(&a, NOW_MS + 4, &unread), 0);
}

static void test_what_is_old_is_unread_no_more(void **state)
{
    (void)state;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity b = probe_enter("bob", 1, PHONE, 1, 0);
    uint32_t unread;
    for (uint64_t id = 1; id <= 3; id++) {
        probe_send_at(&a, id, "bob", "x", NOW_MS + id);
    }
    assert_int_equal(conversations_of(&b, 0, &unread), 1);
    assert_int_equal(unread, 3);
    assert_int_equal(conversations_of(&b, NOW_MS + 1, &unread), 1);
    assert_int_equal(unread, 3);
    assert_int_equal(conversations_of(&b, NOW_MS + 2, &unread), 1);
    assert_int_equal(unread, 2);
    assert_int_equal(conversations_of(&b, NOW_MS + 3, &unread), 1);
    assert_int_equal(unread, 1);
}

static void test_old_messages_are_erased_and_ids_rise_all_the_same(void **st)
{
    (void)st;
    keep((struct roam_store_keep){.history_ms = DAY_MS, .dedup_ms = 1});
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity b = probe_enter("bob", 1, PHONE, 1, 0);
    probe_send_at(&a, 1, "bob", "x", NOW_MS);
    uint64_t last = probe_send_at(&a, 2, "bob", "x", NOW_MS).msg_id;
    /* The last message of all may stay. */
    probe_send_at(&a, 9, "alice", "x", NOW_MS + DAY_MS);
    trim(NOW_MS + DAY_MS);
    assert_int_equal(history_of(&b, "alice", 0), 2);
    trim(NOW_MS + DAY_MS + 1);
    assert_int_equal(history_of(&b, "alice", 0), 0);
    uint32_t unread;
    assert_int_equal(conversations_of(&b, 0, &unread), 0);
    probe_suite->reopen(probe_suite);
    /* The entries stay, as links without a body. [KEEP-6] */
    expect_timeline(&b, 2);
    struct roam_store_request *req = probe_read_all(&b);
    assert_int_equal(req->u.read.entries[0].kind, roam_v1_Kind_NOOP);
    assert_int_equal(req->u.read.entries[0].body.len, 0);
    assert_int_equal(req->u.read.entries[0].msg_id, 0);
    roam_store_request_free(req);
    /* [SEND-6], also when the clock went back. */
    struct probe_sent sent = probe_send_at(&b, 3, "alice", "x", NOW_MS - 5);
    assert_true(sent.msg_id == last + 1);
    assert_int_equal(conversations_of(&a, 0, &unread), 2);
    assert_int_equal(history_of(&a, "bob", 0), 1);
}

/* That its message is erased makes no entry old. [KEEP-1] */
static void test_entries_may_be_kept_longer_than_messages(void **state)
{
    (void)state;
    const struct roam_store_keep keeps[] = {
        {.history_ms = DAY_MS, .dedup_ms = 1, .timeline_ms = 10 * DAY_MS},
        {.history_ms = DAY_MS, .dedup_ms = 1, .timeline_entries = 100}};
    for (uint64_t i = 0; i < 2; i++) {
        keep(keeps[i]);
        struct roam_identity a = probe_enter("alice", 1, PHONE, 1 + i, 0);
        struct roam_identity b = probe_enter("bob", 1, PHONE, 1 + i, 0);
        uint64_t now_ms = NOW_MS + 20 * i * DAY_MS;
        probe_send_at(&a, 10 * i + 1, "bob", "x", now_ms);
        probe_send_at(&a, 10 * i + 2, "bob", "x", now_ms);
        trim(now_ms + 2 * DAY_MS);
        probe_send_at(&a, 10 * i + 3, "bob", "x", now_ms + 2 * DAY_MS);
        trim(now_ms + 2 * DAY_MS);
        assert_int_equal(history_of(&b, "alice", 0), 1);
        expect_timeline(&b, i == 0 ? 3 : 4); /* the newest of then */
        probe_send_at(&a, 10 * i + 4, "bob", "x", now_ms + 15 * DAY_MS);
        trim(now_ms + 15 * DAY_MS); /* those of before go with what is old */
        expect_timeline(&b, i == 0 ? 1 : 5);
    }
}

static void test_ids_are_remembered_longer_than_history(void **state)
{
    (void)state;
    keep((struct roam_store_keep){
        .history_ms = 1000, .timeline_ms = 1000, .dedup_ms = DAY_MS});
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    uint64_t first = probe_send_at(&a, 1, "bob", "x", NOW_MS).msg_id;
    trim(NOW_MS + DAY_MS - 1);
    struct probe_sent sent =
        probe_send_at(&a, 1, "bob", "x", NOW_MS + DAY_MS - 1);
    assert_int_equal(sent.result, ROAM_SEND_DUPLICATE); /* [KEEP-4] */
    assert_true(sent.msg_id == first);
    probe_send_at(&a, 2, "bob", "x", NOW_MS + DAY_MS);
    trim(NOW_MS + DAY_MS + ROAM_STORE_DEDUP_GRACE_MS + 1);
    sent = probe_send_at(&a, 1, "bob", "other",
                         NOW_MS + DAY_MS + ROAM_STORE_DEDUP_GRACE_MS + 1);
    assert_int_equal(sent.result, ROAM_SEND_STORED);
}

static void test_message_from_the_future_keeps_nothing_else(void **state)
{
    (void)state;
    keep((struct roam_store_keep){.history_ms = DAY_MS, .dedup_ms = 1});
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    probe_send_at(&a, 1, "bob", "x", NOW_MS + 1000 * DAY_MS);
    probe_send_at(&a, 2, "alice", "x", NOW_MS);
    probe_send_at(&a, 3, "bob", "x", NOW_MS + DAY_MS);
    trim(NOW_MS + DAY_MS + 1);
    assert_int_equal(history_of(&a, "alice", 0), 0);
    assert_int_equal(history_of(&a, "bob", 0), 2);
}

/* Entries of a quiet user outlive their messages: they must not come to show
 * other people's. */
static void test_erased_message_is_never_mistaken_for_a_later_one(void **st)
{
    (void)st;
    keep((struct roam_store_keep){.history_ms = DAY_MS, .dedup_ms = 1});
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity b = probe_enter("bob", 1, PHONE, 1, 0);
    probe_send_at(&b, 1, "bob", "x", NOW_MS);
    probe_send_at(&b, 2, "bob", "x", NOW_MS);
    trim(NOW_MS + 2 * DAY_MS);
    for (uint64_t id = 1; id <= 3; id++) {
        probe_send_at(&a, id, "alice", "secret", NOW_MS + 3 * DAY_MS);
    }
    trim(NOW_MS + 3 * DAY_MS);
    struct roam_store_request *req = probe_read_all(&b);
    assert_int_equal(req->u.read.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(req->u.read.entries[i].kind, roam_v1_Kind_NOOP);
    }
    roam_store_request_free(req);
}

int store_suite_keep(void)
{
#define KEEP_CLAIM(test)                                                       \
    cmocka_unit_test_setup_teardown(test, probe_fresh, forget)
    const struct CMUnitTest tests[] = {
        KEEP_CLAIM(test_entries_in_excess_go_with_the_send),
        KEEP_CLAIM(test_lower_bound_takes_effect_with_the_next_round),
        KEEP_CLAIM(test_read_of_what_was_trimmed_says_so),
        KEEP_CLAIM(test_old_entries_go_but_never_the_newest),
        KEEP_CLAIM(test_nothing_older_than_asked_for_is_history),
        KEEP_CLAIM(test_what_is_old_is_unread_no_more),
        KEEP_CLAIM(test_old_messages_are_erased_and_ids_rise_all_the_same),
        KEEP_CLAIM(test_erased_message_is_never_mistaken_for_a_later_one),
        KEEP_CLAIM(test_entries_may_be_kept_longer_than_messages),
        KEEP_CLAIM(test_ids_are_remembered_longer_than_history),
        KEEP_CLAIM(test_message_from_the_future_keeps_nothing_else),
    };
    return cmocka_run_group_tests_name("store: keep", tests, NULL, NULL);
}
