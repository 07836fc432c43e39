/* SPDX-License-Identifier: Apache-2.0 */
/* What a program may bring along to the driver: a clock, a store, limits, and
 * its own word on what it is done with. The test plays the server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "posix_rig.h"

#define OK ROAM_POSIX_STATUS_OK
#define BAD_ARGUMENT ROAM_POSIX_STATUS_BAD_ARGUMENT

static uint64_t time_ms;

static uint64_t read_clock(void *context)
{
    return *(const uint64_t *)context;
}

static void give_clock(struct posix_rig *r)
{
    time_ms = 1700000000000u;
    r->config.clock_ms = read_clock;
    r->config.clock_context = &time_ms;
}

static int wait_of(struct posix_rig *r)
{
    struct pollfd fd;
    return roam_posix_poll(r->posix, &fd);
}

/* ------------------------------------------------------------------ clock */

static void test_only_the_clock_of_the_program_moves_time(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    give_clock(r);
    rig_start(r);
    rig_log_in(r, 0, &m);
    assert_true(roam_posix_connected(r->posix));
    assert_true(roam_posix_reconnect_ms(r->posix) == UINT64_MAX);
    rig_kick(r, roam_v1_KickReason_OVERLOADED, roam_v1_Retry_AFTER);
    struct roam_posix_event e = rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    rig_eof(r);
    rig_hang_up(r);
    uint64_t ms = e.u.disconnected.reconnect_in_ms;
    assert_true(ms > 1);
    time_ms += ms - 1;
    for (int i = 0; i < 3; i++) {
        rig_run(r);
        assert_int_equal(wait_of(r), 1);
        assert_true(roam_posix_reconnect_ms(r->posix) == 1);
        assert_false(roam_posix_connected(r->posix));
    }
    time_ms++;
    rig_log_in(r, 0, &m);
    assert_int_equal(m.u.login.attempt, 2);
}

static void test_the_store_has_the_time_of_the_program(void **state)
{
    struct posix_rig *r = *state;
    struct roam_local_outgoing m;
    struct roam_message frame;
    bool found = false;
    give_clock(r);
    rig_start(r);
    rig_log_in(r, 0, &frame);
    rig_send(r, "hello");
    rig_frame(r, ROAM_SEND, &frame);
    assert_int_equal(
        roam_local_outbox_next(roam_posix_store(r->posix), 0, &m, &found), OK);
    assert_true(found);
    assert_true(m.queued_ms == time_ms);
    assert_true(m.first_sent_ms == time_ms);
}

static void test_work_waits_for_a_connection_and_no_longer(void **state)
{
    struct posix_rig *r = *state;
    for (int i = 0; i < 2; i++) {
        if (i == 1) {
            give_clock(r);
        }
        rig_start(r);
        roam_posix_work(r->posix);
        assert_true(roam_posix_connected(r->posix));
        rig_crash(r);
    }
    r->config.port = "1"; /* nobody is there */
    rig_start(r);
    roam_posix_work(r->posix);
    assert_false(roam_posix_connected(r->posix));
    assert_true(wait_of(r) > 0);
    rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
}

/* ------------------------------------------------------------------- store */

/* A driver on a store that the caller closes. */
static struct roam_local *start_on_a_store(struct posix_rig *r)
{
    char detail[ROAM_POSIX_DETAIL_MAX];
    struct roam_local *store;
    assert_int_equal(roam_local_open(NULL, "alice", ROAM_PHONE, ROAM_LOCAL_OWN,
                                     &store, detail),
                     OK);
    r->config.store_path = NULL;
    r->config.store = store;
    rig_start(r);
    return store;
}

static void test_a_store_of_the_program_outlives_the_driver(void **state)
{
    struct posix_rig *r = *state;
    char detail[ROAM_POSIX_DETAIL_MAX];
    struct roam_message m;
    struct roam_local_device device;
    struct roam_local *store = start_on_a_store(r);
    assert_ptr_equal(roam_posix_store(r->posix), store);
    rig_log_in(r, 1, &m);
    rig_push(r, 1, 0, "one");
    rig_frame(r, ROAM_ACK, &m);
    rig_crash(r);
    roam_local_device(store, &device);
    assert_int_equal(device.cursor, 1);
    rig_start(r);
    rig_frame(r, ROAM_LOGIN, &m);
    assert_memory_equal(m.u.login.device_id.bytes, device.device_id, 16);
    assert_int_equal(m.u.login.attempt, 2);
    rig_frame(r, ROAM_SYNC, &m);
    assert_int_equal(m.u.sync.cursor, 1);
    rig_crash(r);

    r->config.device_type = ROAM_TABLET;
    assert_int_equal(roam_posix_new(&r->config, &r->posix, detail),
                     ROAM_POSIX_STATUS_STORE_OTHER);
    assert_string_equal(detail, "it belongs to alice's phone");
    r->config.device_type = ROAM_PHONE;
    r->config.user = "bob";
    assert_int_equal(roam_posix_new(&r->config, &r->posix, detail),
                     ROAM_POSIX_STATUS_STORE_OTHER);
    roam_local_close(store);
}

/* Connecting again would not make it fit. */
static void test_a_cursor_moved_beneath_the_driver_ends_it(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    struct roam_local *store = start_on_a_store(r);
    rig_log_in(r, 2, &m);
    rig_push(r, 1, 0, "one");
    rig_frame(r, ROAM_ACK, &m);
    assert_int_equal(roam_local_add_reset(store, 50, 0), OK);
    assert_int_equal(roam_local_commit(store), OK);
    rig_push(r, 2, 1, "two");
    struct roam_posix_event e = rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    assert_int_equal(e.u.disconnected.status, BAD_ARGUMENT);
    assert_false(e.u.disconnected.reconnect);
    rig_crash(r);
    roam_local_close(store);
}

/* ------------------------------------------------------------------ limits */

static void test_limits_are_told_to_the_server(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    rig_frame(r, ROAM_LOGIN, &m);
    assert_int_equal(m.u.login.max_frame, 262144);
    rig_frame(r, ROAM_SYNC, &m);
    assert_int_equal(m.u.sync.max_unacked, 8192);
    assert_int_equal(m.u.sync.max_inflated, 1048576);
    rig_crash(r);
    r->config.max_frame = (1u << 24) - 1;
    r->config.max_unacked = 4;
    r->config.max_inflated = 1024;
    rig_start(r);
    rig_frame(r, ROAM_LOGIN, &m);
    assert_int_equal(m.u.login.max_frame, (1u << 24) - 1);
    rig_frame(r, ROAM_SYNC, &m);
    assert_int_equal(m.u.sync.max_unacked, 4);
    assert_int_equal(m.u.sync.max_inflated, 1024);
}

static void test_limits_have_bounds(void **state)
{
    struct posix_rig *r = *state;
    const struct roam_posix_config good = r->config;
    const struct {
        size_t at;
        uint32_t bad[2];
    } limits[] = {
        {offsetof(struct roam_posix_config, max_frame), {511, 1u << 24}},
        {offsetof(struct roam_posix_config, max_inflated), {1023, 1u << 24}},
        {offsetof(struct roam_posix_config, max_unacked), {3, 100001}},
        {offsetof(struct roam_posix_config, max_body), {16000001, UINT32_MAX}}};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        for (size_t n = 0; n < 2; n++) {
            char detail[ROAM_POSIX_DETAIL_MAX] = "";
            struct roam_posix_config config = good;
            memcpy((char *)&config + limits[i].at, &limits[i].bad[n],
                   sizeof limits[i].bad[n]);
            assert_int_equal(roam_posix_new(&config, &r->posix, detail),
                             BAD_ARGUMENT);
            assert_non_null(strstr(detail, "limit"));
            assert_null(r->posix);
        }
    }
}

static void test_a_longer_body_can_be_allowed(void **state)
{
    struct posix_rig *r = *state;
    static uint8_t bytes[100001];
    struct roam_bytes body = {bytes, sizeof bytes};
    const struct roam_bytes bob = {(const uint8_t *)"bob", 3}, none = {NULL, 0};
    struct roam_message m;
    uint64_t id = 0;
    r->config.max_body = 100000;
    rig_start(r);
    rig_log_in(r, 0, &m);
    assert_int_equal(
        roam_posix_send(r->posix, ROAM_KIND_MESSAGE, bob, none, body, &id),
        BAD_ARGUMENT);
    body.len--;
    assert_int_equal(
        roam_posix_send(r->posix, ROAM_KIND_MESSAGE, bob, none, body, &id), OK);
    rig_frame(r, ROAM_SEND, &m);
    assert_int_equal(m.body.len, 100000);
}

/* ------------------------------------------------------------------- bytes */

static void test_bytes_are_counted_both_ways(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message login, sync;
    struct roam_posix_stats first, second;
    rig_start(r);
    rig_frame(r, ROAM_LOGIN, &login);
    rig_frame(r, ROAM_SYNC, &sync);
    roam_posix_stats(r->posix, &first);
    assert_int_equal(first.bytes_sent,
                     roam_message_size(&login) + roam_message_size(&sync));
    assert_int_equal(first.last_sent, first.bytes_sent);
    assert_int_equal(first.last_received, 0);
    rig_login_ok(r, 0);
    rig_sync_ok(r, 0, roam_v1_SyncResult_UP_TO_DATE);
    rig_event(r, ROAM_EVENT_SYNCED);
    roam_posix_stats(r->posix, &first);
    assert_true(first.last_received > 0);
    assert_true(first.last_received == first.bytes_received);
    rig_hang_up(r);
    rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    rig_frame(r, ROAM_LOGIN, &login);
    rig_frame(r, ROAM_SYNC, &sync);
    roam_posix_stats(r->posix, &second);
    assert_int_equal(second.connections, 2);
    assert_int_equal(second.last_sent,
                     roam_message_size(&login) + roam_message_size(&sync));
    assert_true(second.bytes_sent == first.bytes_sent + second.last_sent);
    assert_int_equal(second.last_received, 0);
    assert_true(second.bytes_received == first.bytes_received);
}

/* ---------------------------------------------- what the program has stored */

/* Two entries come, and are told. */
static void take_two(struct posix_rig *r)
{
    struct roam_message m;
    give_clock(r);
    r->config.says_stored = true;
    rig_start(r);
    rig_log_in(r, 2, &m);
    rig_push(r, 1, 0, "one");
    rig_push(r, 2, 1, "two");
    rig_event(r, ROAM_EVENT_SYNCED);
    assert_string_equal(r->bodies, "one|two|");
    assert_int_equal(rig_counts(r).messages, 2);
    assert_int_equal(rig_device(r).cursor, 2);
    assert_int_equal(roam_posix_cursor(r->posix), 0);
}

static void test_nothing_is_acked_before_the_program_says_so(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    take_two(r);
    time_ms += 20000;
    rig_run(r);
    rig_send(r, "an ACK would go before it");
    rig_frame(r, ROAM_SEND, &m);
    assert_int_equal(roam_posix_stored(r->posix, 3), BAD_ARGUMENT);
    assert_int_equal(roam_posix_stored(r->posix, 1), OK);
    assert_int_equal(roam_posix_cursor(r->posix), 1);
    time_ms += ROAM_ACK_DELAY_MS;
    rig_frame(r, ROAM_ACK, &m);
    assert_int_equal(m.u.ack.version, 1);
    assert_int_equal(roam_posix_stored(r->posix, 2), OK);
    assert_int_equal(roam_posix_stored(r->posix, 1), BAD_ARGUMENT);
    time_ms += ROAM_ACK_DELAY_MS;
    rig_frame(r, ROAM_ACK, &m);
    assert_int_equal(m.u.ack.version, 2);
}

static void test_what_was_not_said_comes_again_and_is_stored_once(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    take_two(r);
    assert_int_equal(roam_posix_stored(r->posix, 1), OK);
    rig_hang_up(r);
    rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    time_ms += 1000;
    rig_frame(r, ROAM_LOGIN, &m);
    rig_frame(r, ROAM_SYNC, &m);
    assert_int_equal(m.u.sync.cursor, 1);
    rig_login_ok(r, 3);
    rig_sync_ok(r, 3, roam_v1_SyncResult_DELTA);
    rig_push(r, 2, 1, "two");
    rig_push(r, 3, 2, "three");
    rig_event(r, ROAM_EVENT_SYNCED);
    assert_string_equal(r->bodies, "one|two|two|three|");
    assert_int_equal(rig_counts(r).messages, 3);
    assert_int_equal(roam_posix_stored(r->posix, 3), OK);
}

static void sync_names(struct posix_rig *r, uint64_t said, uint64_t cursor)
{
    struct roam_message m;
    rig_crash(r);
    r->config.cursor = said;
    rig_start(r);
    rig_frame(r, ROAM_LOGIN, &m);
    rig_frame(r, ROAM_SYNC, &m);
    assert_true(m.u.sync.cursor == cursor);
}

static void test_a_restart_goes_on_where_the_program_is(void **state)
{
    struct posix_rig *r = *state;
    take_two(r);
    sync_names(r, 1, 1);
    sync_names(r, 0, 0);
    sync_names(r, 7, 2); /* the store is an older copy: they come again */
    r->config.says_stored = false;
    sync_names(r, 1, 2);
    assert_int_equal(roam_posix_stored(r->posix, 2),
                     ROAM_POSIX_STATUS_BAD_STATE);
}

static void test_a_reset_counts_as_said(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    r->config.says_stored = r->config.no_survey = true;
    rig_start(r);
    rig_frame(r, ROAM_LOGIN, &m);
    rig_frame(r, ROAM_SYNC, &m);
    rig_login_ok(r, 500);
    rig_sync_ok(r, 500, roam_v1_SyncResult_RESET);
    rig_event(r, ROAM_EVENT_SYNCED);
    assert_int_equal(roam_posix_cursor(r->posix), 500);
    assert_int_equal(rig_device(r).cursor, 500);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, posix_rig_open, posix_rig_close)
    const struct CMUnitTest tests[] = {
        T(test_only_the_clock_of_the_program_moves_time),
        T(test_the_store_has_the_time_of_the_program),
        T(test_work_waits_for_a_connection_and_no_longer),
        T(test_a_store_of_the_program_outlives_the_driver),
        T(test_a_cursor_moved_beneath_the_driver_ends_it),
        T(test_limits_are_told_to_the_server),
        T(test_limits_have_bounds),
        T(test_a_longer_body_can_be_allowed),
        T(test_bytes_are_counted_both_ways),
        T(test_nothing_is_acked_before_the_program_says_so),
        T(test_what_was_not_said_comes_again_and_is_stored_once),
        T(test_a_restart_goes_on_where_the_program_is),
        T(test_a_reset_counts_as_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
