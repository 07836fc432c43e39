/* SPDX-License-Identifier: Apache-2.0 */
/* Batches that lie, and what is offered after one. */
#include <string.h>

#include "client_rig.h"

/* -------------------------------------------------------------- bad batches */

typedef void (*spoil_fn)(struct roam_message *m);

static void spoil_count(struct roam_message *m)
{
    m->u.batch.count++;
}
static void spoil_last(struct roam_message *m)
{
    m->u.batch.last_version++;
}
static void spoil_size(struct roam_message *m)
{
    m->u.batch.inflated_size++;
}
static void spoil_limit(struct roam_message *m)
{
    m->u.batch.inflated_size = 8193; /* one above max_inflated */
}
static void spoil_codec(struct roam_message *m)
{
    m->u.batch.codec = (roam_v1_Codec)5;
}
static void spoil_bytes(struct roam_message *m)
{
    m->body.len--;
}

static void test_a_batch_that_lies_is_not_applied_at_all(void **unused)
{
    (void)unused; /* BATCH-7 */
    static const spoil_fn spoil[] = {spoil_count, spoil_last,  spoil_size,
                                     spoil_limit, spoil_codec, spoil_bytes};
    static struct rig r;
    for (size_t i = 0; i < sizeof spoil / sizeof spoil[0]; i++) {
        for (int deflate = 0; deflate < 2; deflate++) {
            rig_prepare(&r);
            rig_init(&r);
            rig_go_live(&r, 4);
            struct roam_message m;
            rig_batch(&m, 0, 4, deflate);
            spoil[i](&m);
            rig_say(&r, &m);
            rig_run(&r);
            assert_events(&r, "CLOSE -23 back\n");
            assert_int_equal(r.feed_error, ROAM_STATUS_BATCH);
            assert_true(roam_client_cursor(&r.client) == 0);
        }
    }
}

static void test_deflate_that_was_not_offered_is_rejected(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    r.config.deflate = false;
    rig_init(&r);
    rig_go_live(&r, 4);
    struct roam_message m;
    rig_batch(&m, 0, 4, true);
    assert_int_equal(m.u.batch.codec, roam_v1_Codec_CODEC_DEFLATE);
    rig_say(&r, &m);
    rig_run(&r);
    assert_events(&r, "CLOSE -23 back\n");
}

static void say_bad_batch(struct rig *r, uint64_t prev)
{
    struct roam_message m;
    rig_batch(&m, prev, 4, false);
    m.u.batch.count++;
    rig_say(r, &m);
}

static void relogin(struct rig *r, uint64_t head)
{
    rig_lose(r);
    rig_forget(r);
    rig_login(r);
    rig_say_login_ok(r, 1);
    if (head > 0) {
        rig_say_sync_ok(r, roam_v1_SyncResult_DELTA, head);
    }
    rig_run(r);
}

static void test_a_bad_batch_makes_the_next_sync_offer_less(void **unused)
{
    (void)unused; /* BATCH-9 */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 9);
    say_bad_batch(&r, 0);
    rig_run(&r);
    relogin(&r, 9);
    assert_frames(&r, "LOGIN 2\nSYNC 0 plain\n");
    say_bad_batch(&r, 0);
    rig_run(&r);
    relogin(&r, 0);
    assert_frames(&r, "LOGIN 3\nSYNC 0 plain from-now\n");
    rig_say_reset(&r, roam_v1_ResetReason_TOO_MANY, 9);
    rig_run(&r);
    /* Past it, everything is offered again. */
    relogin(&r, 0);
    assert_frames(&r, "LOGIN 4\nSYNC 9\n");
}

static void test_a_sync_without_codec_that_helped_is_the_only_one(void **unused)
{
    (void)unused; /* BATCH-9: "in its next SYNC" */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 9);
    say_bad_batch(&r, 0);
    rig_run(&r);
    relogin(&r, 9);
    rig_say_batch(&r, 0, 4, false);
    rig_run(&r);
    relogin(&r, 9);
    assert_frames(&r, "LOGIN 3\nSYNC 4\n");
}

static void test_a_bad_batch_elsewhere_is_a_first_one_again(void **unused)
{
    (void)unused; /* BATCH-9: "at the same cursor" */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_go_live(&r, 9);
    say_bad_batch(&r, 0);
    rig_run(&r);
    relogin(&r, 9);
    rig_say_push(&r, 1, 0, "good");
    say_bad_batch(&r, 1);
    rig_run(&r);
    relogin(&r, 9);
    assert_frames(&r, "LOGIN 3\nSYNC 1 plain\n");
    say_bad_batch(&r, 1);
    rig_run(&r);
    relogin(&r, 0);
    assert_frames(&r, "LOGIN 4\nSYNC 1 plain from-now\n");
}

static void test_a_bad_batch_behind_unstored_entries_is_found_again(
    void **unused)
{
    (void)unused; /* the cursor that SYNC names may lie before it */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    r.store = false;
    rig_go_live(&r, 9);
    rig_say_push(&r, 1, 0, "not stored");
    say_bad_batch(&r, 1);
    rig_run(&r);
    relogin(&r, 9);
    assert_frames(&r, "LOGIN 2\nSYNC 0 plain\n");
    rig_say_push(&r, 1, 0, "not stored");
    say_bad_batch(&r, 1);
    rig_run(&r);
    relogin(&r, 0);
    assert_frames(&r, "LOGIN 3\nSYNC 0 plain from-now\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_batch_that_lies_is_not_applied_at_all),
        cmocka_unit_test(test_deflate_that_was_not_offered_is_rejected),
        cmocka_unit_test(test_a_bad_batch_makes_the_next_sync_offer_less),
        cmocka_unit_test(test_a_sync_without_codec_that_helped_is_the_only_one),
        cmocka_unit_test(test_a_bad_batch_elsewhere_is_a_first_one_again),
        cmocka_unit_test(
            test_a_bad_batch_behind_unstored_entries_is_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
