/* SPDX-License-Identifier: Apache-2.0 */
/* The claims about stores: how a user is told of a new device. Spec: section
 * 5.3, DEV-7 to DEV-9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "roam.pb.h"
#include "store_probe.h"

#define WEB ((uint32_t)roam_v1_DeviceType_WEB)
#define DEVICE ((uint32_t)roam_v1_Kind_DEVICE)

static void announcing(void)
{
    probe_suite->settings.announce_devices = true;
    probe_suite->reopen(probe_suite);
}

/* A login that must be granted, answered; free it. */
static struct roam_store_request *enter(uint8_t device, uint32_t type,
                                        uint64_t attempt, uint64_t take_over)
{
    struct roam_store_request *req = probe_make_login(&(struct probe_login){
        "alice", NULL, device, type, attempt, take_over, NOW_MS});
    probe_answer(req);
    assert_int_equal(req->u.login.refused, 0);
    return req;
}

static size_t news_of(struct roam_store_request *req)
{
    size_t count = req->u.login.news.delivery_count;
    roam_store_request_free(req);
    return count;
}

/* What the entry must tell, wherever it comes from. */
static void expect_body(struct roam_slice body, const char *name, uint32_t type)
{
    struct roam_operation op;
    assert_true(roam_operation_decode(DEVICE, body, &op));
    assert_int_equal(op.device_type, type);
    probe_assert_slice(op.name, name);
    assert_int_equal(op.since_ms, NOW_MS);
}

static void test_second_device_is_news(void **state)
{
    (void)state;
    announcing();
    probe_suite->name_user(probe_suite, "alice", "Alice A.");
    assert_int_equal(news_of(enter(1, PHONE, 1, 0)), 0);
    struct roam_store_request *req = enter(2, DESKTOP, 1, 0);
    const struct roam_store_login *l = &req->u.login;
    const struct roam_store_send *news = &l->news;
    assert_int_equal(news->result, ROAM_SEND_STORED);
    assert_int_equal(news->delivery_count, 1);
    assert_int_equal(news->kind, DEVICE);
    assert_int_equal(news->client_msg_id, 0);
    assert_true(news->msg_id >> ROAM_MSG_ID_TIME_SHIFT == NOW_MS);
    probe_assert_slice(news->sender, "alice");
    probe_assert_slice(news->sender_name, "Alice A.");
    expect_body(news->body, "device 2", DESKTOP);
    const struct roam_delivery *d = news->deliveries;
    assert_int_equal(d->user, l->identity.user);
    assert_int_equal(d->prev_version, 0);
    assert_true(d->version == l->head);
    probe_assert_slice(d->conversation, "alice");
    probe_assert_slice(d->conversation_name, "Alice A.");
    roam_store_request_free(req);
}

/* Every device gets it alike, the new one in the session that made it so. */
static void test_news_is_an_entry_for_every_device(void **state)
{
    (void)state;
    announcing();
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity d = probe_enter("alice", 2, DESKTOP, 1, 0);
    const struct roam_identity *who[] = {&a, &d};
    for (size_t i = 0; i < 2; i++) {
        struct roam_store_request *req = probe_read_all(who[i]);
        const struct roam_entry *e = req->u.read.entries;
        assert_int_equal(req->u.read.count, 1);
        assert_int_equal(e->kind, DEVICE);
        assert_int_equal(e->client_msg_id, 0);
        probe_assert_slice(e->sender, "alice");
        probe_assert_slice(e->conversation, "alice");
        expect_body(e->body, "device 2", DESKTOP);
        roam_store_request_free(req);
    }
    struct roam_identity b = probe_enter("bob", 1, PHONE, 1, 0);
    assert_true(probe_head(&b) == 0);
}

static void test_known_device_is_no_news(void **state)
{
    (void)state;
    announcing();
    struct roam_store_request *req = enter(1, PHONE, 1, 0);
    uint64_t g = req->u.login.generation;
    roam_store_request_free(req);
    assert_int_equal(news_of(enter(2, DESKTOP, 1, 0)), 1);
    assert_int_equal(news_of(enter(2, DESKTOP, 2, 0)), 0);
    /* The device is the installation, whatever type it says. */
    assert_int_equal(news_of(enter(2, WEB, 3, 0)), 0);
    assert_int_equal(news_of(enter(1, WEB, 2, 1)), 0);
    /* Not before it is granted a slot; then once, also where it is taken. */
    struct roam_store_login l = probe_login(
        &(struct probe_login){"alice", NULL, 3, PHONE, 1, 0, NOW_MS});
    assert_int_equal(l.refused, roam_v1_RefusedReason_OCCUPIED);
    assert_int_equal(l.news.delivery_count, 0);
    assert_int_equal(news_of(enter(3, PHONE, 2, g)), 1);
    probe_suite->reopen(probe_suite);
    assert_int_equal(news_of(enter(3, PHONE, 3, 0)), 0);
    assert_int_equal(news_of(enter(1, PHONE, 3, g + 1)), 0);
}

static void test_device_that_logged_out_is_still_known(void **state)
{
    (void)state;
    announcing();
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    uint64_t g;
    assert_true(probe_logout(&a, &g));
    assert_int_equal(news_of(enter(1, PHONE, 2, g)), 0);
    /* And so it is another one, for the next. */
    assert_int_equal(news_of(enter(2, DESKTOP, 1, 0)), 1);
}

static void test_nobody_is_told_where_that_is_off(void **state)
{
    (void)state;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    assert_int_equal(news_of(enter(2, DESKTOP, 1, 0)), 0);
    assert_true(probe_head(&a) == 0);
}

/* A row of nobody's, in the order of notes to oneself. */
static void test_news_is_no_history(void **state)
{
    (void)state;
    announcing();
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_store_request *req = enter(2, DESKTOP, 1, 0);
    uint64_t news = req->u.login.news.msg_id;
    roam_store_request_free(req);
    req = probe_history(&a, "alice", false);
    assert_true(req->u.history.found);
    assert_int_equal(req->u.history.count, 0);
    roam_store_request_free(req);
    req = probe_conversations(&a);
    assert_int_equal(req->u.conversations.count, 0);
    roam_store_request_free(req);
    assert_int_equal(probe_aim(&a, 1, "alice", roam_v1_Kind_DELETE, news).error,
                     roam_v1_ErrorCode_NO_SUCH_MESSAGE);
    assert_int_equal(probe_aim(&a, 2, "alice", roam_v1_Kind_RECALL, news).error,
                     roam_v1_ErrorCode_NO_SUCH_MESSAGE);
    assert_int_equal(probe_aim(&a, 3, "alice", roam_v1_Kind_READ, news).error,
                     roam_v1_ErrorCode_NO_SUCH_MESSAGE);
    uint64_t note = probe_must_send(&a, 4, "alice", "note");
    assert_true(note == news + 1); /* the clock stands still */
    req = enter(3, WEB, 1, 0);
    assert_true(req->u.login.news.msg_id == note + 1);
    roam_store_request_free(req);
    probe_suite->reopen(probe_suite);
    assert_true(probe_must_send(&a, 5, "alice", "note") == note + 2);
}

static void test_news_counts_among_the_entries_that_are_kept(void **state)
{
    (void)state;
    probe_suite->keep.timeline_entries = 2;
    announcing();
    probe_suite->keep = (struct roam_store_keep){0};
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    probe_must_send(&a, 1, "alice", "note");
    uint64_t first = probe_head(&a);
    roam_store_request_free(enter(2, DESKTOP, 1, 0));
    struct roam_store_request *req = enter(3, WEB, 1, 0);
    assert_true(req->u.login.floor == first);
    roam_store_request_free(req);
    req = probe_make_read(&a, first, UINT64_MAX >> 1);
    probe_answer(req);
    assert_int_equal(req->u.read.count, 2);
    expect_body(req->u.read.entries[0].body, "device 2", DESKTOP);
    expect_body(req->u.read.entries[1].body, "device 3", WEB);
    roam_store_request_free(req);
}

int store_suite_news(void)
{
    const struct CMUnitTest tests[] = {
        PROBE_CLAIM(test_second_device_is_news),
        PROBE_CLAIM(test_news_is_an_entry_for_every_device),
        PROBE_CLAIM(test_known_device_is_no_news),
        PROBE_CLAIM(test_device_that_logged_out_is_still_known),
        PROBE_CLAIM(test_nobody_is_told_where_that_is_off),
        PROBE_CLAIM(test_news_is_no_history),
        PROBE_CLAIM(test_news_counts_among_the_entries_that_are_kept),
    };
    return cmocka_run_group_tests_name("store: news of devices", tests, NULL,
                                       NULL);
}
