/* SPDX-License-Identifier: Apache-2.0 */
/* The memory store: the claims about all stores, and what is its own:
 * trimming, dedup that ends, failures on demand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "core_rig.h"
#include "roam_limits.h"
#include "store_mem.h"
#include "store_probe.h"
#include "store_suite.h"

/* Not random, but never 0. */
static void fill(void *ctx, uint8_t *out, size_t len)
{
    unsigned *next = ctx;
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(*next = *next * 5 + 1);
    }
}

static unsigned seed = 7;

static void suite_open(struct store_suite *s)
{
    s->store = roam_store_mem_new(fill, &seed);
    assert_non_null(s->store);
}

static void suite_reopen(struct store_suite *s)
{
    roam_store_mem_set_keep(s->store, &s->keep);
    roam_store_mem_restart(s->store, false);
    roam_store_mem_set_settings(s->store, &s->settings);
}

static void suite_close(struct store_suite *s)
{
    s->store->ops->close(s->store);
    s->store = NULL;
}

static void suite_add_user(struct store_suite *s, const char *user)
{
    assert_true(roam_store_mem_add_user(s->store, user));
}

static void suite_add_token(struct store_suite *s, const char *user,
                            const char *token, uint32_t device_type,
                            uint64_t expires_ms)
{
    assert_true(roam_store_mem_add_token(s->store, user, token, device_type,
                                         expires_ms));
}

static void suite_revoke_token(struct store_suite *s, const char *token)
{
    assert_true(roam_store_mem_revoke_token(s->store, token));
}

static void suite_name_user(struct store_suite *s, const char *user,
                            const char *name)
{
    assert_true(roam_store_mem_name_user(s->store, user, name));
}

static void suite_block_user(struct store_suite *s, const char *user,
                             const char *other, bool blocked)
{
    assert_true(roam_store_mem_block_user(s->store, user, other, blocked));
}

/* ------------------------------------------------------- what is its own */

static void test_provisioning_refuses_what_makes_no_sense(void **state)
{
    (void)state;
    struct roam_store *store = roam_store_mem_new(NULL, NULL);
    char name[ROAM_USER_MAX + 2];
    memset(name, 'u', sizeof name);
    name[ROAM_USER_MAX + 1] = '\0';
    assert_false(roam_store_mem_add_user(store, name));
    name[ROAM_USER_MAX] = '\0';
    assert_true(roam_store_mem_add_user(store, name));
    assert_false(roam_store_mem_add_user(store, name)); /* exists */
    assert_false(roam_store_mem_add_user(store, ""));
    assert_false(roam_store_mem_add_user(store, "#group"));
    char title[ROAM_NAME_MAX + 2];
    memset(title, 't', sizeof title);
    title[ROAM_NAME_MAX + 1] = '\0';
    assert_false(roam_store_mem_name_user(store, name, title));
    title[ROAM_NAME_MAX] = '\0';
    assert_true(roam_store_mem_name_user(store, name, title));
    assert_false(roam_store_mem_name_user(store, "nobody", "n"));
    assert_false(roam_store_mem_block_user(store, "nobody", name, true));
    assert_false(roam_store_mem_block_user(store, name, "nobody", true));
    char token[ROAM_TOKEN_MAX + 2];
    memset(token, 't', sizeof token);
    token[ROAM_TOKEN_MAX + 1] = '\0';
    assert_false(roam_store_mem_add_token(store, name, token, 0, 0));
    token[ROAM_TOKEN_MAX] = '\0';
    assert_true(roam_store_mem_add_token(store, name, token, 0, 0));
    assert_false(roam_store_mem_add_token(store, "nobody", "t", 0, 0));
    assert_false(roam_store_mem_add_token(store, name, "", 0, 0));
    assert_false(roam_store_mem_revoke_token(store, "unknown"));
    assert_true(roam_store_mem_revoke_token(store, token));
    store->ops->close(store);
}

static void test_seventeenth_device_back_is_forgotten(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig_start(&rig);
    uint64_t generation = 0;
    for (uint8_t device = 1; device <= ROAM_SLOT_DEVICES + 2; device++) {
        generation =
            peer_login(&rig, &p, "alice", device, PHONE, 1, generation);
        peer_free(&p);
    }
    for (uint8_t device = 1; device <= 2; device++) {
        peer_connect(&rig, &p);
        peer_say(&p, say_login("alice", device, PHONE, 2, 0));
        assert_int_equal(rig_take(&p, ROAM_REFUSED)->u.refused.reason,
                         device == 1 ? roam_v1_RefusedReason_OCCUPIED
                                     : roam_v1_RefusedReason_KICKED);
        peer_free(&p);
    }
    rig_stop(&rig);
}

static void test_id_is_forgotten_after_dedup_ms(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig_start(&rig);
    roam_store_mem_set_dedup(rig.store, 1000);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    peer_send(&p, 1, "bob", "x");
    rig.now.wall_ms += 999;
    peer_say(&p, say_send(1, "bob", "x"));
    assert_true(rig_take(&p, ROAM_SEND_OK)->u.send_ok.duplicate);
    rig.now.wall_ms += 1; /* since the first one, not since the last */
    peer_say(&p, say_send(1, "bob", "other"));
    assert_false(rig_take(&p, ROAM_SEND_OK)->u.send_ok.duplicate);
    peer_say(&p, say_send(1, "bob", "x"));
    assert_int_equal(rig_take(&p, ROAM_ERROR)->u.error.code,
                     roam_v1_ErrorCode_ID_REUSED);
    peer_free(&p);
    rig_stop(&rig);
}

struct walk {
    uint64_t prev;
    size_t count;
};

static void note(void *ctx, const struct roam_entry *e)
{
    struct walk *walk = ctx;
    assert_int_equal(e->prev_version, walk->prev);
    assert_int_equal(e->kind, roam_v1_Kind_MESSAGE);
    walk->prev = e->version;
    walk->count++;
}

static void test_trim_moves_the_floor_and_keeps_the_newest(void **state)
{
    (void)state;
    static const struct {
        uint64_t upto, floor, count;
    } cases[] = {{0, 0, 5}, {1, 1, 4}, {3, 3, 2},
                 {4, 4, 1}, {5, 4, 1}, {99, 4, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig rig;
        struct peer p, bob;
        rig_init(&rig);
        rig_start(&rig);
        peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
        for (uint64_t id = 1; id <= 5; id++) {
            peer_send(&p, id, "bob", "x");
        }
        roam_store_mem_trim(rig.store, "bob", cases[i].upto);
        roam_store_mem_trim(rig.store, "nobody", 1);
        struct walk walk = {cases[i].floor, 0};
        roam_store_mem_walk(rig.store, "bob", note, &walk);
        assert_int_equal(walk.count, cases[i].count);
        assert_int_equal(walk.prev, 5);
        peer_connect(&rig, &bob);
        peer_say(&bob, say_login("bob", 1, PHONE, 1, 0));
        const roam_v1_LoginOk *ok = &rig_take(&bob, ROAM_LOGIN_OK)->u.login_ok;
        assert_int_equal(ok->head, 5);
        assert_int_equal(ok->floor, cases[i].floor);
        peer_free(&bob);
        peer_free(&p);
        rig_stop(&rig);
    }
}

static void test_nothing_is_done_before_the_poll_behind_it(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    peer_put(&p, say_send(1, "bob", "x"));
    struct walk walk = {0, 0};
    roam_store_mem_walk(rig.store, "bob", note, &walk);
    assert_int_equal(walk.count, 0);
    rig_settle(&rig);
    roam_store_mem_walk(rig.store, "bob", note, &walk);
    assert_int_equal(walk.count, 1);
    peer_free(&p);
    rig_stop(&rig);
}

/* Refuses the nth allocation from now on, once. */
static long refuse_in;

static bool refuse(void)
{
    return refuse_in > 0 && --refuse_in == 0;
}

/* Alice's operation on what she said, with allocation n refused. Returns
 * whether there was one; then nothing has changed, and it can be repeated. */
static bool operate_refused(uint32_t kind, long n)
{
    void *state = NULL;
    unsigned done = 0;
    probe_fresh(&state);
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    const struct roam_operation op = {.kind = kind,
                                      .msg_id =
                                          probe_must_send(&a, 1, "bob", "x"),
                                      .data = probe_text("poke")};
    struct roam_store_request *req = probe_make_operation(&a, 2, "bob", &op);
    struct roam_store *store = probe_suite->store;
    probe_submit(req, &done);
    refuse_in = n;
    roam__alloc_refuse = refuse;
    bool failed = store->ops->poll(store) == ROAM_STORE_FAILED;
    roam__alloc_refuse = NULL;
    if (failed) {
        assert_int_equal(done, 0);
        roam_store_mem_restart(store, false); /* req is gone with it */
        struct probe_sent sent = probe_operate_at(&a, 2, "bob", &op, NOW_MS);
        assert_int_equal(sent.result, ROAM_SEND_STORED);
    } else {
        assert_int_equal(req->u.send.result, ROAM_SEND_STORED);
        roam_store_request_free(req);
    }
    probe_done(&state);
    return failed;
}

static void test_operation_without_memory_changes_nothing(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {roam_v1_Kind_RECALL, roam_v1_Kind_DELETE,
                                     roam_v1_Kind_READ, roam_v1_Kind_APP};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        long n = 1;
        while (operate_refused(kinds[i], n)) {
            n++;
        }
        assert_true(n > 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_provisioning_refuses_what_makes_no_sense),
        cmocka_unit_test(test_seventeenth_device_back_is_forgotten),
        cmocka_unit_test(test_id_is_forgotten_after_dedup_ms),
        cmocka_unit_test(test_trim_moves_the_floor_and_keeps_the_newest),
        cmocka_unit_test(test_nothing_is_done_before_the_poll_behind_it),
        cmocka_unit_test(test_operation_without_memory_changes_nothing),
    };
    struct store_suite suite = {
        .open = suite_open,
        .reopen = suite_reopen,
        .close = suite_close,
        .add_user = suite_add_user,
        .add_token = suite_add_token,
        .revoke_token = suite_revoke_token,
        .name_user = suite_name_user,
        .block_user = suite_block_user,
    };
    int failed = store_suite_run(&suite);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
