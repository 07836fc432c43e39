/* SPDX-License-Identifier: Apache-2.0 */
/* The news of a device on its way to all others of its user. Spec: section
 * 5.3, DEV-7 to DEV-9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "core_rig.h"
#include "operation.h"

#define PHONE roam_v1_DeviceType_PHONE
#define TABLET roam_v1_DeviceType_TABLET
#define DESKTOP roam_v1_DeviceType_DESKTOP

static const struct roam_store_settings announcing = {.announce_devices = true};

static void start(struct rig *rig)
{
    rig_init(rig);
    rig_start(rig);
    roam_store_mem_set_settings(rig->store, &announcing);
}

/* The next frame must be a PUSH that tells of this device. */
static void take_news(struct peer *p, roam_v1_DeviceType type, uint64_t version)
{
    const struct roam_message *m = rig_take(p, ROAM_PUSH);
    struct roam_operation op;
    assert_int_equal(m->u.push.kind, roam_v1_Kind_DEVICE);
    assert_int_equal(m->u.push.version, version);
    assert_string_equal(m->u.push.conversation, "alice");
    assert_string_equal(m->u.push.sender, "alice");
    assert_int_equal(m->u.push.client_msg_id, 0);
    assert_true(roam_operation_decode(roam_v1_Kind_DEVICE, m->body, &op));
    assert_int_equal(op.device_type, type);
    assert_int_equal(op.since_ms, p->rig->now.wall_ms - ROAM_EPOCH_UNIX_MS);
}

static void test_siblings_are_told_at_once(void **state)
{
    (void)state;
    struct rig rig;
    struct peer phone, desk, bob;
    start(&rig);
    peer_join(&rig, &phone, "alice", PHONE);
    peer_join(&rig, &bob, "bob", PHONE);
    rig_take_none(&phone);
    peer_connect(&rig, &desk);
    peer_say(&desk, say_login("alice", 2, DESKTOP, 1, 0));
    assert_int_equal(rig_take(&desk, ROAM_LOGIN_OK)->u.login_ok.head, 1);
    take_news(&phone, DESKTOP, 1);
    rig_take_none(&bob);
    /* The new one itself gets it as all others do. */
    peer_sync(&desk, 0);
    take_news(&desk, DESKTOP, 1);
    /* And what comes next has its link in it. */
    peer_send(&phone, 1, "bob", "hello");
    assert_int_equal(rig_take(&desk, ROAM_PUSH)->u.push.prev_version, 1);
    peer_free(&phone);
    peer_free(&desk);
    peer_free(&bob);
    rig_stop(&rig);
}

static void test_displaced_device_is_kicked_and_siblings_are_told(void **state)
{
    (void)state;
    struct rig rig;
    struct peer old, desk, new;
    start(&rig);
    uint64_t g = peer_login(&rig, &old, "alice", 1, PHONE, 1, 0);
    peer_join(&rig, &desk, "alice", DESKTOP);
    take_news(&desk, DESKTOP, 1);
    peer_login(&rig, &new, "alice", 5, PHONE, 1, g);
    rig_take_kick(&old, roam_v1_KickReason_TAKEN_OVER);
    take_news(&desk, PHONE, 2);
    peer_free(&old);
    peer_free(&desk);
    peer_free(&new);
    rig_stop(&rig);
}

/* The grant stands when nobody is there to hear of it. */
static void test_siblings_are_told_of_one_that_is_gone(void **state)
{
    (void)state;
    struct rig rig;
    struct peer phone, desk;
    start(&rig);
    peer_join(&rig, &phone, "alice", PHONE);
    peer_connect(&rig, &desk);
    peer_put(&desk, say_login("alice", 2, DESKTOP, 1, 0));
    peer_cut(&desk);
    rig_settle(&rig);
    take_news(&phone, DESKTOP, 1);
    peer_free(&desk);
    peer_free(&phone);
    rig_stop(&rig);
}

static void test_who_was_away_gets_it_behind_the_cursor(void **state)
{
    (void)state;
    struct rig rig;
    struct peer phone, desk;
    start(&rig);
    peer_join(&rig, &phone, "alice", PHONE);
    peer_cut(&phone);
    rig_settle(&rig);
    peer_login(&rig, &desk, "alice", 2, DESKTOP, 1, 0);
    uint64_t since = rig.now.wall_ms;
    rig_pass(&rig, 1);
    peer_free(&phone);
    peer_login(&rig, &phone, "alice", 1, PHONE, 2, 0);
    peer_sync(&phone, 0);
    rig.now.wall_ms = since; /* when it came; take_news() looks there */
    take_news(&phone, DESKTOP, 1);
    peer_free(&desk);
    peer_free(&phone);
    rig_stop(&rig);
}

/* The name is as long as the smallest device takes no body. [BATCH-4] */
static void test_long_name_is_cut_for_the_smallest_device(void **state)
{
    (void)state;
    struct rig rig;
    struct peer phone, desk;
    start(&rig);
    peer_connect(&rig, &phone);
    struct roam_message *m = say_login("alice", 1, PHONE, 1, 0);
    m->u.login.max_frame = ROAM_FRAME_MIN;
    peer_say(&phone, m);
    rig_take(&phone, ROAM_LOGIN_OK);
    peer_sync(&phone, 0);
    peer_connect(&rig, &desk);
    m = say_login("alice", 2, DESKTOP, 1, 0);
    memset(m->u.login.device_name, 'n', ROAM_DEVICE_NAME_MAX);
    peer_say(&desk, m);
    rig_take(&desk, ROAM_LOGIN_OK);
    const struct roam_message *push = rig_take(&phone, ROAM_PUSH);
    assert_int_equal(push->u.push.kind, roam_v1_Kind_DEVICE);
    assert_int_equal(push->body.len, 0);
    assert_true(push->u.push.cut_size > ROAM_DEVICE_NAME_MAX &&
                push->u.push.cut_size <= ROAM_STORE_NEWS_MAX);
    peer_free(&phone);
    peer_free(&desk);
    rig_stop(&rig);
}

static int64_t allocations_left;

static bool refuse(void)
{
    return allocations_left-- <= 0;
}

static struct roam_store_request *last_done;

static void note_done(struct roam_store_request *req)
{
    last_done = req;
}

static void submit_login(struct roam_store *store, uint8_t device)
{
    struct roam_store_request *req =
        roam_store_request_new(ROAM_STORE_LOGIN, 0);
    assert_non_null(req);
    req->done = note_done;
    strcpy(req->u.login.user, "alice");
    snprintf(req->u.login.token, sizeof req->u.login.token, "token-%u",
             (unsigned)device);
    req->u.login.device_type = device;
    req->u.login.device_id[0] = device;
    req->u.login.attempt = 1;
    store->ops->submit(store, req);
}

/* How many deliveries its news has. */
static size_t news_of_login(struct roam_store *store, uint8_t device)
{
    submit_login(store, device);
    assert_int_equal(store->ops->poll(store), ROAM_STORE_OK);
    assert_int_equal(last_done->u.login.refused, 0);
    size_t count = last_done->u.login.news.delivery_count;
    roam_store_request_free(last_done);
    return count;
}

static void count_entry(void *ctx, const struct roam_entry *e)
{
    size_t *count = ctx;
    assert_int_equal(e->kind, roam_v1_Kind_DEVICE);
    ++*count;
}

/* Whichever allocation fails: neither the device nor its news is there. */
static void test_login_without_memory_leaves_no_news(void **state)
{
    (void)state;
    struct roam_store *store = roam_store_mem_new(NULL, NULL);
    roam_store_mem_set_settings(store, &announcing);
    roam_store_mem_add_user(store, "alice");
    roam_store_mem_add_token(store, "alice", "token-1", 0, 0);
    roam_store_mem_add_token(store, "alice", "token-2", 0, 0);
    assert_int_equal(news_of_login(store, 1), 0);
    size_t failed = 0, entries = 0;
    for (;; failed++) {
        submit_login(store, 2);
        allocations_left = (int64_t)failed;
        roam__alloc_refuse = refuse;
        enum roam_store_status status = store->ops->poll(store);
        roam__alloc_refuse = NULL;
        if (status == ROAM_STORE_OK) {
            break;
        }
        roam_store_mem_restart(store, false);
        roam_store_mem_walk(store, "alice", count_entry, &entries);
        assert_int_equal(entries, 0);
    }
    assert_true(failed >= 3); /* device, message, timeline at least */
    assert_int_equal(last_done->u.login.news.delivery_count, 1);
    roam_store_request_free(last_done);
    roam_store_mem_walk(store, "alice", count_entry, &entries);
    assert_int_equal(entries, 1);
    store->ops->close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siblings_are_told_at_once),
        cmocka_unit_test(test_displaced_device_is_kicked_and_siblings_are_told),
        cmocka_unit_test(test_siblings_are_told_of_one_that_is_gone),
        cmocka_unit_test(test_who_was_away_gets_it_behind_the_cursor),
        cmocka_unit_test(test_long_name_is_cut_for_the_smallest_device),
        cmocka_unit_test(test_login_without_memory_leaves_no_news),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
