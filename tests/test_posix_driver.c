/* SPDX-License-Identifier: Apache-2.0 */
/* The POSIX driver: what is on the disk before what goes over the wire, and
 * what it does when connections, refusals and restarts come in between. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "batch.h"
#include "dev_cert.h"
#include "posix_rig.h"

#define OK ROAM_POSIX_STATUS_OK

/* A name with two addresses, the second of which is the rig's; all others
 * are the system's. */
#define TWO_ADDRESSES "two.example"

typedef int lookup_fn(const char *, const char *, const struct addrinfo *,
                      struct addrinfo **);

int getaddrinfo(const char *restrict host, const char *restrict port,
                const struct addrinfo *restrict hints,
                struct addrinfo **restrict out)
{
    lookup_fn *system_lookup;
    struct addrinfo *first, *second;
    *(void **)&system_lookup = dlsym(RTLD_NEXT, "getaddrinfo");
    if (host == NULL || strcmp(host, TWO_ADDRESSES) != 0) {
        return system_lookup(host, port, hints, out);
    }
    int error = system_lookup("127.0.0.2", port, hints, &first);
    if (error == 0) {
        error = system_lookup("127.0.0.1", port, hints, &second);
    }
    if (error == 0) {
        first->ai_next = second;
        *out = first;
    }
    return error;
}

static void test_the_attempt_is_on_the_disk_before_login(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message login;
    rig_start(r);
    for (uint64_t attempt = 1; attempt <= 3; attempt++) {
        rig_log_in(r, 0, &login);
        assert_int_equal(login.u.login.attempt, attempt);
        assert_true(rig_device(r).attempt >= attempt);
        struct roam_local_device device = rig_device(r);
        assert_memory_equal(device.device_id, login.u.login.device_id.bytes,
                            16);
        assert_int_equal(login.u.login.take_over, 0);
        rig_hang_up(r);
        struct roam_posix_event e =
            rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
        assert_true(e.u.disconnected.reconnect);
        assert_int_equal(e.u.disconnected.status, ROAM_POSIX_STATUS_LOST);
    }
    rig_crash(r);
    rig_start(r);
    rig_frame(r, ROAM_LOGIN, &login);
    assert_int_equal(login.u.login.attempt, 4);
}

static void test_an_entry_is_told_and_acked_after_it_is_stored(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    rig_log_in(r, 0, &m);
    rig_push(r, 10, 0, "one");
    rig_push(r, 20, 10, "two");
    rig_event(r, ROAM_EVENT_ENTRY);
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_ENTRY);
    assert_int_equal(e.u.engine.u.entry.version, 20);
    assert_int_equal(rig_device(r).cursor, 20);
    assert_int_equal(rig_counts(r).messages, 2);
    rig_frame(r, ROAM_ACK, &m);
    assert_int_equal(m.u.ack.version, 20);
    assert_string_equal(r->bodies, "one|two|");
}

static void test_a_restart_goes_on_at_the_cursor(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    rig_log_in(r, 0, &m);
    rig_push(r, 10, 0, "one");
    rig_event(r, ROAM_EVENT_ENTRY);
    rig_crash(r);
    rig_start(r);
    rig_frame(r, ROAM_LOGIN, &m);
    rig_frame(r, ROAM_SYNC, &m);
    assert_int_equal(m.u.sync.cursor, 10);
    rig_login_ok(r, 20);
    rig_sync_ok(r, 20, roam_v1_SyncResult_DELTA);
    rig_push(r, 20, 10, "two");
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_SYNCED);
    assert_int_equal(e.u.engine.u.synced.version, 20);
    assert_string_equal(r->bodies, "two|");
    assert_int_equal(rig_counts(r).messages, 2);
}

static void test_a_reset_is_stored_with_its_hole(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    rig_frame(r, ROAM_LOGIN, &m);
    rig_frame(r, ROAM_SYNC, &m);
    rig_login_ok(r, 500);
    rig_sync_ok(r, 500, roam_v1_SyncResult_RESET);
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_RESET);
    assert_int_equal(e.u.engine.u.reset.head, 500);
    assert_int_equal(rig_device(r).cursor, 500);
    assert_true(rig_counts(r).survey_due);
    rig_push(r, 501, 500, "on");
    rig_event(r, ROAM_EVENT_ENTRY);
    assert_int_equal(rig_device(r).cursor, 501);
}

static void test_a_batch_is_one_transaction_and_is_measured(void **state)
{
    enum {
        COUNT = 100
    };
    struct posix_rig *r = *state;
    struct roam_message m, push;
    struct roam_entry entries[COUNT];
    struct roam_posix_stats stats;
    size_t as_pushes = 0;
    const struct roam_pack_limits limits = {100000, 100000, 2};
    static const uint8_t text[] = "bob says hello";
    memset(entries, 0, sizeof entries);
    for (size_t i = 0; i < COUNT; i++) {
        struct roam_slice bob = {text, 3}, body = {text, sizeof text - 1};
        entries[i].version = 10 + i;
        entries[i].prev_version = i ? 9 + i : 0;
        entries[i].msg_id = (uint64_t)(1000 + i) << ROAM_MSG_ID_TIME_SHIFT;
        entries[i].conversation = entries[i].sender = bob;
        entries[i].body = body;
        roam_message_init(&push, ROAM_PUSH);
        push.u.push.version = entries[i].version;
        push.u.push.prev_version = entries[i].prev_version;
        push.u.push.msg_id = entries[i].msg_id;
        strcpy(push.u.push.conversation, "bob");
        strcpy(push.u.push.sender, "bob");
        push.body = body;
        as_pushes += roam_message_size(&push);
    }
    rig_start(r);
    rig_log_in(r, 109, &m);
    struct roam_packer *packer = roam_packer_new();
    assert_non_null(packer);
    assert_int_equal(roam_batch_pack(packer, entries, COUNT, &limits, &m),
                     COUNT);
    rig_answer(r, &m);
    size_t batch_bytes = roam_message_size(&m);
    roam_packer_free(packer);
    rig_event(r, ROAM_EVENT_SYNCED);
    assert_int_equal(rig_counts(r).messages, COUNT);
    assert_int_equal(rig_device(r).cursor, 109);
    roam_posix_stats(r->posix, &stats);
    assert_int_equal(stats.connections, 1);
    assert_int_equal(stats.batch_frames, 1);
    assert_int_equal(stats.batch_bytes, batch_bytes);
    assert_int_equal(stats.batch_entries, COUNT);
    assert_int_equal(stats.batch_as_push_bytes, as_pushes);
    assert_int_equal(stats.batch_body_bytes, COUNT * (sizeof text - 1));
    assert_int_equal(stats.push_frames, 0);
}

/* ---------------------------------------------------------------- sending */

static void test_a_sent_message_leaves_the_outbox_for_the_history(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    rig_log_in(r, 0, &m);
    uint64_t id = rig_send(r, "hello");
    assert_int_equal(rig_counts(r).outbox, 1);
    rig_frame(r, ROAM_SEND, &m);
    assert_true(m.u.send.client_msg_id == id);
    assert_string_equal(m.u.send.conversation, "bob");
    assert_int_equal(m.body.len, 5);
    assert_memory_equal(m.body.data, "hello", 5);
    rig_send_ok(r, id, 77, false);
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_SENT);
    assert_true(e.message.client_msg_id == id);
    assert_int_equal(e.u.engine.u.sent.msg_id, 77);
    assert_int_equal(rig_counts(r).outbox, 0);
    assert_int_equal(rig_counts(r).messages, 1);
}

static void test_a_message_goes_out_again_after_a_lost_connection(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    rig_log_in(r, 0, &m);
    uint64_t id = rig_send(r, "hello");
    rig_frame(r, ROAM_SEND, &m);
    rig_hang_up(r);
    rig_log_in(r, 0, &m);
    rig_frame(r, ROAM_SEND, &m);
    assert_true(m.u.send.client_msg_id == id);
    rig_send_ok(r, id, 77, true);
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_SENT);
    assert_true(e.u.engine.u.sent.duplicate);
    assert_int_equal(rig_counts(r).messages, 1);
}

static void test_the_outbox_goes_out_in_order_after_a_restart(void **state)
{
    enum {
        COUNT = 100
    }; /* more than the engine holds at once */
    struct posix_rig *r = *state;
    struct roam_message m;
    uint64_t ids[COUNT];
    char body[16];
    rig_start(r);
    for (int i = 0; i < COUNT; i++) {
        snprintf(body, sizeof body, "%d", i);
        ids[i] = rig_send(r, body);
    }
    assert_int_equal(rig_counts(r).outbox, COUNT);
    rig_crash(r);
    rig_start(r);
    rig_log_in(r, 0, &m);
    for (int i = 0; i < COUNT; i++) {
        rig_frame(r, ROAM_SEND, &m);
        assert_true(m.u.send.client_msg_id == ids[i]);
        rig_send_ok(r, ids[i], (uint64_t)i + 1, false);
    }
    for (int i = 0; i < COUNT; i++) {
        rig_event(r, ROAM_EVENT_SENT);
    }
    assert_int_equal(rig_counts(r).outbox, 0);
    assert_int_equal(rig_counts(r).messages, COUNT);
}

static void test_a_refused_message_is_told_and_dropped(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    rig_log_in(r, 0, &m);
    uint64_t id = rig_send(r, "hello");
    rig_frame(r, ROAM_SEND, &m);
    roam_message_init(&m, ROAM_ERROR);
    m.u.error.code = roam_v1_ErrorCode_NO_SUCH_CONVERSATION;
    m.u.error.retry = roam_v1_Retry_NEVER;
    m.u.error.ref = id;
    rig_answer(r, &m);
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_SEND_FAILED);
    assert_true(e.message.client_msg_id == id);
    assert_int_equal(e.u.engine.u.send_failed.code,
                     roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
    assert_int_equal(rig_counts(r).outbox, 0);
    assert_int_equal(rig_counts(r).messages, 0);
}

/* It was sent in an earlier run, longer ago than the server remembers. */
static void test_a_message_too_old_to_be_sent_again_is_given_up(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    char detail[ROAM_POSIX_DETAIL_MAX];
    struct roam_local *store;
    struct roam_local_outgoing old;
    memset(&old, 0, sizeof old);
    old.client_msg_id = 9;
    old.conversation.data = old.body.data = (const uint8_t *)"bob";
    old.conversation.len = old.body.len = 3;
    old.queued_ms = old.first_sent_ms = 1000;
    assert_int_equal(roam_local_open(r->store, "alice", ROAM_PHONE,
                                     ROAM_LOCAL_OWN, &store, detail),
                     OK);
    assert_int_equal(roam_local_outbox_add(store, &old), OK);
    roam_local_close(store);
    rig_start(r);
    rig_log_in(r, 0, &m);
    uint64_t fresh = rig_send(r, "fresh");
    rig_frame(r, ROAM_SEND, &m);
    assert_true(m.u.send.client_msg_id == fresh);
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_SEND_FAILED);
    assert_int_equal(e.message.client_msg_id, 9);
    assert_int_equal(e.u.engine.u.send_failed.code, 0);
    assert_int_equal(rig_counts(r).outbox, 1);
}

static void test_the_first_time_sent_is_on_the_disk_before_it_is(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    struct roam_local_outgoing out;
    bool found;
    rig_start(r);
    rig_send(r, "offline");
    assert_int_equal(
        roam_local_outbox_next(roam_posix_store(r->posix), 0, &out, &found),
        OK);
    assert_true(found && out.first_sent_ms == 0);
    rig_log_in(r, 0, &m);
    rig_frame(r, ROAM_SEND, &m);
    assert_int_equal(
        roam_local_outbox_next(roam_posix_store(r->posix), 0, &out, &found),
        OK);
    assert_true(found && out.first_sent_ms != 0);
}

static void test_what_cannot_be_a_message_is_not_taken(void **state)
{
    static char long_body[ROAM_POSIX_BODY_MAX + 1];
    static const char name[] =
        "1234567890123456789012345678901234567890123456789012345678901234567";
    struct posix_rig *r = *state;
    struct roam_message m;
    const struct roam_bytes none = {NULL, 0};
    struct roam_bytes to = {(const uint8_t *)name, 65};
    struct roam_bytes body = {(const uint8_t *)long_body, 1};
    struct roam_bytes broken = {(const uint8_t *)"\xff", 1};
    uint64_t id;
    rig_start(r);
    assert_int_equal(
        roam_posix_send(r->posix, ROAM_KIND_MESSAGE, to, none, body, &id),
        ROAM_POSIX_STATUS_BAD_ARGUMENT);
    assert_int_equal(
        roam_posix_send(r->posix, ROAM_KIND_MESSAGE, none, none, body, &id),
        ROAM_POSIX_STATUS_BAD_ARGUMENT);
    assert_int_equal(
        roam_posix_send(r->posix, ROAM_KIND_MESSAGE, broken, none, body, &id),
        ROAM_POSIX_STATUS_BAD_ARGUMENT);
    assert_int_equal(
        roam_posix_send(r->posix, ROAM_KIND_MESSAGE, body, to, body, &id),
        ROAM_POSIX_STATUS_BAD_ARGUMENT);
    to.len = 64;
    assert_int_equal(
        roam_posix_send(r->posix, ROAM_KIND_MESSAGE, to, broken, body, &id),
        ROAM_POSIX_STATUS_BAD_ARGUMENT);
    body.len = ROAM_POSIX_BODY_MAX + 1;
    assert_int_equal(
        roam_posix_send(r->posix, ROAM_KIND_MESSAGE, to, none, body, &id),
        ROAM_POSIX_STATUS_BAD_ARGUMENT);
    assert_int_equal(rig_counts(r).outbox, 0);
    body.len = ROAM_POSIX_BODY_MAX;
    assert_int_equal(
        roam_posix_send(r->posix, ROAM_KIND_MESSAGE, to, to, body, &id), OK);
    rig_log_in(r, 0, &m);
    rig_frame(r, ROAM_SEND, &m);
    assert_true(m.u.send.client_msg_id == id);
    assert_int_equal(m.body.len, ROAM_POSIX_BODY_MAX);
}

/* ------------------------------------------------------------------ login */

static void test_a_refused_login_waits_for_a_person(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    struct pollfd fd;
    rig_start(r);
    rig_frame(r, ROAM_LOGIN, &m);
    rig_frame(r, ROAM_SYNC, &m);
    rig_refuse(r, roam_v1_RefusedReason_OCCUPIED, roam_v1_Retry_NEVER, 41);
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_REFUSED);
    assert_int_equal(e.u.engine.u.refused.generation, 41);
    assert_int_equal(roam_posix_poll(r->posix, &fd), -1); /* no time limit */

    assert_int_equal(roam_posix_take_over(r->posix, 41), OK);
    rig_frame(r, ROAM_LOGIN, &m);
    assert_int_equal(m.u.login.take_over, 41);
    assert_int_equal(m.u.login.attempt, 2);
    rig_frame(r, ROAM_SYNC, &m);
    rig_login_ok(r, 0);
    rig_sync_ok(r, 0, roam_v1_SyncResult_UP_TO_DATE);
    rig_event(r, ROAM_EVENT_SYNCED);
    assert_int_equal(roam_posix_take_over(r->posix, 41),
                     ROAM_POSIX_STATUS_BAD_STATE);

    /* One act, one LOGIN: it comes back without the generation. */
    rig_hang_up(r);
    rig_frame(r, ROAM_LOGIN, &m);
    assert_int_equal(m.u.login.take_over, 0);

    /* And not even a person who merely connects again has said so again. */
    rig_refuse(r, roam_v1_RefusedReason_KICKED, roam_v1_Retry_NEVER, 43);
    rig_event(r, ROAM_EVENT_REFUSED);
    rig_hang_up(r);
    rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    roam_posix_connect(r->posix);
    rig_frame(r, ROAM_LOGIN, &m);
    assert_int_equal(m.u.login.take_over, 0);
}

static void test_a_person_may_decide_after_the_connection_is_gone(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    rig_frame(r, ROAM_LOGIN, &m);
    rig_refuse(r, roam_v1_RefusedReason_KICKED, roam_v1_Retry_NEVER, 5);
    rig_event(r, ROAM_EVENT_REFUSED);
    rig_hang_up(r);
    struct roam_posix_event e = rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    assert_false(e.u.disconnected.reconnect);
    assert_int_equal(roam_posix_take_over(r->posix, 5), OK);
    rig_frame(r, ROAM_LOGIN, &m);
    assert_int_equal(m.u.login.take_over, 5);
}

static void test_no_take_over_before_an_answer(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    rig_frame(r, ROAM_LOGIN, &m);
    rig_frame(r, ROAM_SYNC, &m);
    uint64_t attempt = rig_device(r).attempt;
    assert_int_equal(roam_posix_take_over(r->posix, 5),
                     ROAM_POSIX_STATUS_BAD_STATE);
    assert_true(rig_device(r).attempt == attempt);
    rig_refuse(r, roam_v1_RefusedReason_OCCUPIED, roam_v1_Retry_NEVER, 5);
    rig_event(r, ROAM_EVENT_REFUSED);
    assert_int_equal(roam_posix_take_over(r->posix, 5), OK);
    rig_frame(r, ROAM_LOGIN, &m);
    assert_int_equal(m.u.login.take_over, 5);
    assert_int_equal(roam_posix_take_over(r->posix, 5),
                     ROAM_POSIX_STATUS_BAD_STATE);
}

/* The next LOGIN has an id of its own, which is also the store's. */
static void expect_another_device(struct posix_rig *r, uint8_t id[16])
{
    struct roam_message m;
    rig_frame(r, ROAM_LOGIN, &m);
    assert_memory_not_equal(id, m.u.login.device_id.bytes, 16);
    memcpy(id, m.u.login.device_id.bytes, 16);
    struct roam_local_device device = rig_device(r);
    assert_memory_equal(device.device_id, id, 16);
    assert_true(device.attempt == m.u.login.attempt);
    rig_frame(r, ROAM_SYNC, &m);
}

static void test_a_copied_state_becomes_a_device_of_its_own(void **state)
{
    struct posix_rig *r = *state;
    uint8_t id[16] = {0};
    rig_start(r);
    expect_another_device(r, id);
    for (uint32_t i = 0; i < ROAM_POSIX_NEW_DEVICES_MAX; i++) {
        rig_refuse(r, roam_v1_RefusedReason_STALE, roam_v1_Retry_NOW, 1);
        struct roam_posix_event e = rig_driver_event(r, ROAM_POSIX_NEW_DEVICE);
        assert_int_equal(e.u.engine.u.refused.reason, ROAM_REFUSED_STALE);
        expect_another_device(r, id);
    }

    /* A server that says so every time is not believed; but the id that it
     * refused does not come again. */
    rig_refuse(r, roam_v1_RefusedReason_STALE, roam_v1_Retry_NOW, 1);
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_REFUSED);
    assert_int_equal(e.u.engine.u.refused.reason, ROAM_REFUSED_STALE);
    assert_int_equal(roam_posix_take_over(r->posix, 0), OK);
    expect_another_device(r, id);
}

static void test_a_kicked_device_stays_away(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    struct pollfd fd;
    rig_start(r);
    rig_log_in(r, 0, &m);
    rig_kick(r, roam_v1_KickReason_TAKEN_OVER, roam_v1_Retry_NEVER);
    struct roam_posix_event e = rig_event(r, ROAM_EVENT_KICKED);
    assert_int_equal(e.u.engine.u.kicked.reason, ROAM_KICK_TAKEN_OVER);
    e = rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    assert_int_equal(e.u.disconnected.status, OK);
    assert_false(e.u.disconnected.reconnect);
    rig_eof(r);
    assert_int_equal(roam_posix_poll(r->posix, &fd), -1);
    assert_int_equal(fd.fd, -1);
    rig_hang_up(r);
    roam_posix_connect(r->posix); /* a person wants so */
    rig_frame(r, ROAM_LOGIN, &m);
    assert_int_equal(m.u.login.take_over, 0);
}

static void test_a_server_that_goes_away_is_come_back_to(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    rig_log_in(r, 0, &m);
    rig_kick(r, roam_v1_KickReason_GOING_AWAY, roam_v1_Retry_AFTER);
    struct roam_posix_event e = rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    assert_true(e.u.disconnected.reconnect);
    rig_eof(r);
    rig_hang_up(r);
    rig_log_in(r, 0, &m);
    assert_int_equal(m.u.login.attempt, 2);
}

static void test_logout_ends_with_logged_out(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    assert_int_equal(roam_posix_logout(r->posix), ROAM_POSIX_STATUS_BAD_STATE);
    rig_log_in(r, 0, &m);
    assert_int_equal(roam_posix_logout(r->posix), OK);
    rig_frame(r, ROAM_LOGOUT, &m);
    rig_kick(r, roam_v1_KickReason_LOGGED_OUT, roam_v1_Retry_NEVER);
    rig_event(r, ROAM_EVENT_KICKED);
    struct roam_posix_event e = rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    assert_false(e.u.disconnected.reconnect);
}

static void test_close_ends_a_session_and_a_wait_alike(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    rig_log_in(r, 0, &m);
    roam_posix_close(r->posix);
    struct roam_posix_event e = rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    assert_false(e.u.disconnected.reconnect);
    assert_int_equal(e.u.disconnected.status, OK);
    rig_eof(r);
    rig_hang_up(r);

    roam_posix_connect(r->posix);
    rig_log_in(r, 0, &m);
    rig_hang_up(r);
    e = rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    assert_true(e.u.disconnected.reconnect);
    roam_posix_close(r->posix);
    e = rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    assert_false(e.u.disconnected.reconnect);
    assert_int_equal(e.u.disconnected.status, OK);
}

/* --------------------------------------------------------------- trouble */

static void test_a_liar_is_left_and_nothing_is_applied(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    rig_start(r);
    rig_log_in(r, 0, &m);
    roam_message_init(&m, ROAM_BATCH);
    m.u.batch.last_version = 10;
    m.u.batch.count = 2;
    m.u.batch.inflated_size = 4;
    m.body.data = (const uint8_t *)"nope";
    m.body.len = 4;
    rig_answer(r, &m);
    struct roam_posix_event e = rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    assert_int_equal(e.u.disconnected.status, ROAM_POSIX_STATUS_PROTOCOL);
    assert_true(e.u.disconnected.reconnect);
    assert_int_equal(rig_device(r).cursor, 0);
    assert_int_equal(rig_counts(r).messages, 0);
}

static void test_plain_tcp_is_for_loopback(void **state)
{
    struct posix_rig *r = *state;
    r->config.host = "192.0.2.1"; /* reserved for documentation */
    rig_start(r);
    struct roam_posix_event e = rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    assert_int_equal(e.u.disconnected.status, ROAM_POSIX_STATUS_PLAIN_REMOTE);
    assert_false(e.u.disconnected.reconnect);
}

static void test_a_silent_server_is_given_up_in_time(void **state)
{
    struct posix_rig *r = *state;
    char cert[96], key[96], error[256];
    snprintf(cert, sizeof cert, "%s/cert.pem", r->directory);
    snprintf(key, sizeof key, "%s/key.pem", r->directory);
    assert_true(roam_dev_cert_write(cert, key, error, sizeof error));
    r->config.plain = false;
    r->config.ca_file = cert;
    r->config.connect_timeout_ms = 50;
    /* The kernel accepts; nobody answers the handshake. [TIME-9] */
    rig_start(r);
    struct roam_posix_event e = rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    assert_int_equal(e.u.disconnected.status, ROAM_POSIX_STATUS_TIMEOUT);
    assert_true(e.u.disconnected.reconnect);
    remove(cert);
    remove(key);
}

static void test_nobody_there_is_tried_again(void **state)
{
    struct posix_rig *r = *state;
    r->config.port = "1"; /* needs a privileged program to be open */
    rig_start(r);
    for (int i = 0; i < 2; i++) {
        struct roam_posix_event e =
            rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
        assert_int_equal(e.u.disconnected.status, ROAM_POSIX_STATUS_CONNECT);
        assert_true(e.u.disconnected.reconnect);
    }
}

static void test_an_address_that_failed_is_no_fault_of_the_session(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message login;
    r->config.host = TWO_ADDRESSES;
    rig_start(r);
    rig_log_in(r, 0, &login);
    roam_posix_close(r->posix);
    rig_eof(r);
    struct roam_posix_event e = rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    assert_int_equal(e.u.disconnected.status, OK);
    assert_string_equal(e.u.disconnected.detail, "");
}

static void test_a_full_disk_stops_the_driver_before_it_acks(void **state)
{
    struct posix_rig *r = *state;
    struct roam_message m;
    struct rlimit before, small;
    struct stat st;
    static char body[30000];
    memset(body, 'x', sizeof body - 1);
    rig_start(r);
    rig_log_in(r, 0, &m);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(stat(r->store, &st), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = (rlim_t)st.st_size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    uint64_t version = 1;
    while (r->event_count == 0 ||
           r->events[r->event_count - 1].type != ROAM_POSIX_DISCONNECTED) {
        assert_true(version < 200);
        rig_push(r, version, version - 1, body);
        version++;
        for (int i = 0; i < 3; i++) {
            rig_run(r);
        }
        r->bodies[0] = '\0';
        if (r->event_count > 400) {
            r->event_count = 0;
        }
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    struct roam_posix_event e = rig_driver_event(r, ROAM_POSIX_DISCONNECTED);
    assert_int_equal(e.u.disconnected.status, ROAM_POSIX_STATUS_STORE);
    assert_false(e.u.disconnected.reconnect);
    uint64_t cursor = rig_device(r).cursor;
    assert_true(cursor < version - 1);
    assert_int_equal(rig_counts(r).messages, cursor);

    /* With room again, a new start goes on where the disk is. */
    rig_crash(r);
    rig_start(r);
    rig_frame(r, ROAM_LOGIN, &m);
    rig_frame(r, ROAM_SYNC, &m);
    assert_int_equal(m.u.sync.cursor, cursor);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, posix_rig_open, posix_rig_close)
    const struct CMUnitTest tests[] = {
        T(test_the_attempt_is_on_the_disk_before_login),
        T(test_an_entry_is_told_and_acked_after_it_is_stored),
        T(test_a_restart_goes_on_at_the_cursor),
        T(test_a_reset_is_stored_with_its_hole),
        T(test_a_batch_is_one_transaction_and_is_measured),
        T(test_a_sent_message_leaves_the_outbox_for_the_history),
        T(test_a_message_goes_out_again_after_a_lost_connection),
        T(test_the_outbox_goes_out_in_order_after_a_restart),
        T(test_a_refused_message_is_told_and_dropped),
        T(test_a_message_too_old_to_be_sent_again_is_given_up),
        T(test_the_first_time_sent_is_on_the_disk_before_it_is),
        T(test_what_cannot_be_a_message_is_not_taken),
        T(test_a_refused_login_waits_for_a_person),
        T(test_a_person_may_decide_after_the_connection_is_gone),
        T(test_no_take_over_before_an_answer),
        T(test_a_copied_state_becomes_a_device_of_its_own),
        T(test_a_kicked_device_stays_away),
        T(test_a_server_that_goes_away_is_come_back_to),
        T(test_logout_ends_with_logged_out),
        T(test_close_ends_a_session_and_a_wait_alike),
        T(test_a_liar_is_left_and_nothing_is_applied),
        T(test_plain_tcp_is_for_loopback),
        T(test_a_silent_server_is_given_up_in_time),
        T(test_nobody_there_is_tried_again),
        T(test_an_address_that_failed_is_no_fault_of_the_session),
        T(test_a_full_disk_stops_the_driver_before_it_acks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
