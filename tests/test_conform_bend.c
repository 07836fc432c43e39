/* SPDX-License-Identifier: Apache-2.0 */
/* The bends: each leaves alone what it is not about. A broken server that
 * breaks more than its rule is caught as well, so the kill matrix does not
 * see it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bend.h"
#include "codec.h"

struct bytes {
    uint8_t *at;
    size_t len;
};

static struct bytes encode(uint8_t number, const void *m)
{
    struct bytes b;
    b.len = frame_encode(frame_type_numbered(number), m, &b.at);
    return b;
}

static struct bytes kick(Roam__V1__KickReason reason)
{
    Roam__V1__Kick m = ROAM__V1__KICK__INIT;
    m.reason = reason;
    return encode(F_KICK, &m);
}

static struct bytes sync_from(uint64_t cursor)
{
    Roam__V1__Sync m = ROAM__V1__SYNC__INIT;
    m.cursor = cursor;
    return encode(F_SYNC, &m);
}

static struct bytes sync_ok(Roam__V1__SyncResult result)
{
    Roam__V1__SyncOk m = ROAM__V1__SYNC_OK__INIT;
    m.result = result;
    return encode(F_SYNC_OK, &m);
}

static struct bytes push(uint64_t version)
{
    Roam__V1__Push m = ROAM__V1__PUSH__INIT;
    m.version = version;
    return encode(F_PUSH, &m);
}

/* What goes on instead of the frame, as the relay does it. */
static struct text pass(const char *name, struct bend_memory *m, bool to_server,
                        struct bytes frame)
{
    const struct bend *bend = bend_find(name);
    struct text out = {0};
    assert_non_null(bend);
    if (bend_takes(bend, m, to_server, frame.at[0])) {
        bend_frame(bend, m, to_server, frame.at, frame.len, &out);
    } else {
        text_add_bytes(&out, (const char *)frame.at, frame.len);
    }
    return out;
}

static void assert_bytes(struct text got, struct bytes want)
{
    assert_int_equal(got.len, want.len);
    assert_memory_equal(got.s, want.at, want.len);
}

static void test_only_frames_with_that_value_are_bent(void **state)
{
    (void)state;
    struct bend_memory m = {0};
    struct bytes taken_over = kick(ROAM__V1__KICK_REASON__TAKEN_OVER);
    struct bytes superseded = kick(ROAM__V1__KICK_REASON__SUPERSEDED);
    assert_bytes(pass("superseded-without-kick", &m, false, taken_over),
                 taken_over);
    assert_int_equal(pass("superseded-without-kick", &m, false, superseded).len,
                     0);
}

static void test_a_frame_without_fields_is_left(void **state)
{
    (void)state;
    struct bend_memory m = {0};
    uint8_t broken[] = {F_KICK, 0, 0, 1, 0xff};
    struct bytes frame = {broken, sizeof broken};
    assert_bytes(pass("superseded-without-kick", &m, false, frame), frame);
}

static void test_the_first_frames_are_left(void **state)
{
    (void)state;
    struct bend_memory m = {0};
    struct bytes first = sync_from(1), second = sync_from(2);
    assert_bytes(pass("second-sync-refused", &m, true, first), first);
    struct text bent = pass("second-sync-refused", &m, true, second);
    assert_int_equal(bent.s[0], F_LOGIN);
    second.at[0] = F_LOGIN;
    assert_bytes(bent, second);
}

static void test_a_held_frame_comes_behind_the_next_one_and_once(void **state)
{
    (void)state;
    struct bend_memory m = {0};
    struct bytes held = sync_ok(ROAM__V1__SYNC_RESULT__DELTA);
    struct bytes one = push(1), two = push(2), up = sync_from(1);
    const char *name = "entry-before-sync-ok";
    assert_int_equal(pass(name, &m, false, held).len, 0);
    assert_bytes(pass(name, &m, true, up), up);
    struct text both = pass(name, &m, false, one);
    assert_int_equal(both.len, one.len + held.len);
    assert_memory_equal(both.s, one.at, one.len);
    assert_memory_equal(both.s + one.len, held.at, held.len);
    assert_bytes(pass(name, &m, false, two), two);
}

static void test_only_a_server_lets_go_of_what_is_held(void **state)
{
    (void)state;
    struct bend_memory m = {0};
    struct bytes held = sync_ok(ROAM__V1__SYNC_RESULT__DELTA);
    struct bytes same = sync_ok(ROAM__V1__SYNC_RESULT__UP_TO_DATE);
    const char *name = "entry-before-sync-ok";
    assert_int_equal(pass(name, &m, false, held).len, 0);
    assert_bytes(pass(name, &m, true, same), same);
    assert_int_equal(m.held.len, held.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_frames_with_that_value_are_bent),
        cmocka_unit_test(test_a_frame_without_fields_is_left),
        cmocka_unit_test(test_the_first_frames_are_left),
        cmocka_unit_test(test_a_held_frame_comes_behind_the_next_one_and_once),
        cmocka_unit_test(test_only_a_server_lets_go_of_what_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
