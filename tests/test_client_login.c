/* SPDX-License-Identifier: Apache-2.0 */
/* LOGIN, and being refused. */
#include <string.h>

#include "client_rig.h"

static char text[256];

static const char *text_of(size_t len)
{
    memset(text, 'x', sizeof text);
    text[len] = '\0';
    return text;
}

/* -------------------------------------------------------------------- login */

static void test_login_and_sync_go_in_one_flight(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    r.config.cursor = 17;
    rig_init(&r);
    rig_open(&r);
    rig_run(&r);
    assert_frames(&r, ""); /* LOGIN-1: nothing before LOGIN */
    assert_int_equal(roam_client_login(&r.client, 5, 0, r.now_ms),
                     ROAM_STATUS_OK);
    rig_run(&r);
    assert_frames(&r, "LOGIN 5\nSYNC 17\n");
    rig_forget(&r);
    rig_say_login_ok(&r, 3);
    rig_say_sync_ok(&r, roam_v1_SyncResult_UP_TO_DATE, 17);
    rig_run(&r);
    assert_events(&r, "LOGGED_IN 3\nSYNCED 17\n");
    assert_frames(&r, "");
    assert_true(roam_client_logged_in(&r.client));
}

static void test_nothing_is_sent_between_login_and_its_answer(void **unused)
{
    (void)unused; /* LOGIN-4 */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_send(&r, 5, "early");
    rig_login(&r);
    rig_send(&r, 6, "later");
    rig_wait(&r, 9999);
    assert_frames(&r, "LOGIN 1\nSYNC 0\n");
}

static void test_login_says_what_the_config_says(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    r.config.device_name = "Ann's watch";
    r.config.software = "test 1";
    r.config.deflate = false;
    r.config.inflated_bytes = 2000;
    rig_init(&r);
    rig_open(&r);
    assert_int_equal(roam_client_login(&r.client, 9, 4, r.now_ms), 0);
    struct roam_bytes out = roam_client_pending(&r.client);
    struct roam_slice login = {out.data + 4,
                               (size_t)out.data[2] << 8 | out.data[3]};
    struct roam_message m;
    assert_int_equal(roam_message_decode(out.data[0], login, &m), 0);
    assert_int_equal(m.type, ROAM_LOGIN);
    assert_int_equal(m.u.login.protocol, 1);
    assert_string_equal(m.u.login.user, "alice");
    assert_string_equal(m.u.login.token, "secret");
    assert_memory_equal(m.u.login.device_id.bytes, r.config.device_id, 16);
    assert_int_equal(m.u.login.device_type, roam_v1_DeviceType_EMBEDDED);
    assert_string_equal(m.u.login.device_name, "Ann's watch");
    assert_string_equal(m.u.login.software, "test 1");
    assert_int_equal(m.u.login.attempt, 9);
    assert_int_equal(m.u.login.take_over, 4);
    assert_int_equal(m.u.login.max_frame, sizeof r.rx - 4);
    rig_pull(&r, SIZE_MAX);
    assert_int_equal(r.last_frame.type, ROAM_SYNC);
    assert_int_equal(r.last_frame.u.sync.max_entries, 100);
    assert_int_equal(r.last_frame.u.sync.max_unacked, 8);
    assert_int_equal(r.last_frame.u.sync.max_inflated, 2000);
    assert_int_equal(r.last_frame.u.sync.codecs, 0);
}

static void test_buffers_longer_than_a_frame_are_named_as_the_longest(
    void **unused)
{
    (void)unused;
    static struct rig r;
    for (size_t over = 0; over < 2; over++) {
        rig_prepare(&r);
        r.config.rx_bytes = ROAM_FRAME_MAX + 4 + over;
        r.config.inflated_bytes = ROAM_INFLATED_MAX + over;
        rig_init(&r);
        rig_open(&r);
        assert_int_equal(roam_client_login(&r.client, 1, 0, r.now_ms), 0);
        struct roam_bytes out = roam_client_pending(&r.client);
        struct roam_slice login = {out.data + 4,
                                   (size_t)out.data[2] << 8 | out.data[3]};
        struct roam_message m;
        assert_int_equal(roam_message_decode(ROAM_LOGIN, login, &m), 0);
        assert_int_equal(m.u.login.max_frame, ROAM_FRAME_MAX);
        rig_pull(&r, SIZE_MAX);
        assert_int_equal(r.last_frame.u.sync.max_inflated, ROAM_INFLATED_MAX);
    }
}

static void test_the_longest_login_fits_the_smallest_buffer(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare_minimal(&r);
    r.config.user = r.config.device_name = r.config.software = text_of(64);
    static char token[129];
    memset(token, 't', 128);
    r.config.token = token;
    r.config.cursor = ROAM_VERSION_MAX;
    r.config.max_entries = UINT32_MAX;
    r.config.max_unacked = ROAM_UNACKED_MAX;
    rig_init(&r);
    rig_open(&r);
    assert_int_equal(roam_client_login(&r.client, ROAM_VERSION_MAX,
                                       ROAM_VERSION_MAX, r.now_ms),
                     ROAM_STATUS_OK);
    struct roam_bytes out = roam_client_pending(&r.client);
    assert_true(out.len > 400 && out.len <= ROAM_TX_BYTES_MIN);
    rig_pull(&r, SIZE_MAX);
    assert_int_equal(r.last_frame.type, ROAM_SYNC);
}

static void test_an_attempt_is_never_used_twice(void **unused)
{
    (void)unused; /* LOGIN-2 */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_open(&r);
    struct roam_client *c = &r.client;
    assert_int_equal(roam_client_login(c, 0, 0, 0), ROAM_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_client_login(c, ROAM_VERSION_MAX + 1, 0, 0),
                     ROAM_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_client_login(c, 7, 0, 0), ROAM_STATUS_OK);
    rig_lose(&r);
    rig_open(&r);
    assert_int_equal(roam_client_login(c, 7, 0, 0), ROAM_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_client_login(c, 8, 0, 0), ROAM_STATUS_OK);
}

static void test_take_over_is_sent_once_and_not_remembered(void **unused)
{
    (void)unused; /* LOGIN-3 */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_login(&r);
    rig_say_refused(&r, roam_v1_RefusedReason_OCCUPIED, roam_v1_Retry_NEVER, 6);
    rig_run(&r);
    assert_int_equal(roam_client_login(&r.client, ++r.attempt, 6, r.now_ms),
                     ROAM_STATUS_OK);
    rig_run(&r);
    rig_lose(&r);
    rig_login(&r);
    assert_frames(&r, "LOGIN 1\nSYNC 0\nLOGIN 2 take_over=6\nSYNC 0\n"
                      "LOGIN 3\nSYNC 0\n");
    /* The same act again, while nobody told the generation again. */
    rig_lose(&r);
    rig_open(&r);
    assert_int_equal(roam_client_login(&r.client, ++r.attempt, 6, r.now_ms),
                     ROAM_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_client_login(&r.client, r.attempt, 0, r.now_ms),
                     ROAM_STATUS_OK);
    rig_say_refused(&r, roam_v1_RefusedReason_OCCUPIED, roam_v1_Retry_NEVER, 6);
    rig_run(&r);
    assert_int_equal(roam_client_login(&r.client, ++r.attempt, 6, r.now_ms),
                     ROAM_STATUS_OK);
}

static void test_take_over_of_a_lost_unsent_login_is_forgotten(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_open(&r);
    assert_int_equal(roam_client_login(&r.client, ++r.attempt, 6, r.now_ms),
                     ROAM_STATUS_OK);
    rig_lose(&r); /* before a byte was taken */
    rig_login(&r);
    assert_frames(&r, "LOGIN 2\nSYNC 0\n");
}

/* A server that refuses what it has not read yet leaves bytes of the first
 * LOGIN in the buffer, so that a second one may find no room. */
static void refuse_early(struct rig *r, size_t taken)
{
    rig_prepare_minimal(r);
    r->config.user = r->config.device_name = r->config.software = text_of(64);
    static char token[129];
    memset(token, 't', 128);
    r->config.token = token;
    r->pull = false;
    rig_init(r);
    rig_login(r);
    rig_pull(r, taken);
    rig_say_refused(r, roam_v1_RefusedReason_OCCUPIED, roam_v1_Retry_NEVER, 3);
    rig_run(r);
    assert_int_equal(rig_state(r), ST_OPEN);
    assert_int_equal(roam_client_login(&r->client, ++r->attempt, 0, r->now_ms),
                     ROAM_STATUS_OK);
    (void)roam_client_pending(&r->client);
}

static void test_sync_never_overtakes_its_login(void **unused)
{
    (void)unused;
    static struct rig r;
    for (size_t taken = 1; taken < 360; taken++) {
        refuse_early(&r, taken);
        rig_pull(&r, SIZE_MAX);
        assert_frames(&r, "LOGIN 1\nSYNC 0\nLOGIN 2\nSYNC 0\n");
    }
}

static void test_a_refusal_takes_an_unsent_sync_with_it(void **unused)
{
    (void)unused; /* LOGIN-6: a SYNC goes with a LOGIN, or not at all */
    static struct rig r;
    unsigned without = 0;
    for (size_t taken = 1; taken < 360; taken++) {
        refuse_early(&r, taken);
        bool unsent = roam__engine(&r.client)->sync_due &&
                      !roam__engine(&r.client)->login_due;
        rig_say_refused(&r, roam_v1_RefusedReason_OCCUPIED, roam_v1_Retry_NEVER,
                        3);
        rig_run(&r);
        if (unsent) {
            rig_pull(&r, SIZE_MAX);
            assert_frames(&r, "LOGIN 1\nSYNC 0\nLOGIN 2\n");
            without++;
        }
    }
    assert_true(without > 0);
}

/* ----------------------------------------------------------------- refusals */

static void test_refused_keeps_the_connection_open_for_another_login(
    void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_login(&r);
    struct roam_message m;
    roam_message_init(&m, ROAM_REFUSED);
    m.u.refused.reason = roam_v1_RefusedReason_KICKED;
    m.u.refused.retry = roam_v1_Retry_NEVER;
    m.u.refused.generation = 12;
    m.u.refused.has_holder = true;
    m.u.refused.holder.device_type = roam_v1_DeviceType_PHONE;
    strcpy(m.u.refused.holder.device_name, "Ann's phone");
    m.u.refused.holder.since = 5000;
    rig_say(&r, &m);
    rig_run(&r);
    assert_events(&r, "REFUSED 2 12\n");
    assert_int_equal(rig_state(&r), ST_OPEN);
    assert_int_equal(r.last_event.u.refused.retry, ROAM_RETRY_NEVER);
    const struct roam_holder *holder = &r.last_event.u.refused.holder;
    assert_int_equal(holder->device_type, ROAM_PHONE);
    assert_string_equal(holder->device_name, "Ann's phone");
    assert_true(holder->since_ms == ROAM_EPOCH_UNIX_MS + 5000);
    /* A person may think for as long as the server lets them. */
    assert_true(roam_client_deadline_ms(&r.client) == UINT64_MAX);
    rig_wait(&r, 100000);
    assert_int_equal(rig_state(&r), ST_OPEN);
    rig_forget(&r);
    assert_int_equal(roam_client_login(&r.client, ++r.attempt, 12, r.now_ms),
                     ROAM_STATUS_OK);
    rig_say_login_ok(&r, 13);
    rig_run(&r);
    assert_events(&r, "LOGGED_IN 13\n");
    assert_frames(&r, "LOGIN 2 take_over=12\nSYNC 0\n");
}

static void test_refusals_decide_whether_to_come_back(void **unused)
{
    (void)unused; /* LOGIN-17, LOGIN-18, section 12.2 */
    static const struct {
        roam_v1_RefusedReason reason;
        roam_v1_Retry retry;
        bool back;
    } cases[] = {
        {roam_v1_RefusedReason_OCCUPIED, roam_v1_Retry_NEVER, false},
        {roam_v1_RefusedReason_KICKED, roam_v1_Retry_NEVER, false},
        {roam_v1_RefusedReason_FREE, roam_v1_Retry_NEVER, false},
        /* A wrong class does not make a client fight for a slot. */
        {roam_v1_RefusedReason_OCCUPIED, roam_v1_Retry_NOW, false},
        {roam_v1_RefusedReason_KICKED, roam_v1_Retry_AFTER, false},
        {roam_v1_RefusedReason_FREE, roam_v1_Retry_NOW, false},
        {roam_v1_RefusedReason_STALE, roam_v1_Retry_NOW, false},
        {roam_v1_RefusedReason_CREDENTIAL, roam_v1_Retry_REAUTHENTICATE, false},
        {roam_v1_RefusedReason_TOKEN_EXPIRED, roam_v1_Retry_REAUTHENTICATE,
         false},
        {roam_v1_RefusedReason_TYPE_FORBIDDEN, roam_v1_Retry_REAUTHENTICATE,
         false},
        {roam_v1_RefusedReason_PROTOCOL_VERSION, roam_v1_Retry_NEVER, false},
        /* A reason of a later version: its class decides. */
        {(roam_v1_RefusedReason)99, roam_v1_Retry_NOW, true},
        {(roam_v1_RefusedReason)99, roam_v1_Retry_AFTER, true},
        {(roam_v1_RefusedReason)99, roam_v1_Retry_NEVER, false},
        /* A class of a later version counts as AFTER, as in a KICK. */
        {(roam_v1_RefusedReason)99, (roam_v1_Retry)99, true},
        {roam_v1_RefusedReason_OCCUPIED, (roam_v1_Retry)99, false},
    };
    static struct rig r;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_prepare(&r);
        rig_init(&r);
        rig_login(&r);
        rig_say_refused(&r, cases[i].reason, cases[i].retry, 2);
        rig_run(&r);
        assert_int_equal(r.last_event.type, ROAM_EVENT_REFUSED);
        assert_int_equal(r.last_event.u.refused.reason, (int)cases[i].reason);
        rig_lose(&r);
        assert_int_equal(r.last_event.type, ROAM_EVENT_CLOSE);
        assert_int_equal(r.last_event.u.close.reconnect, cases[i].back);
        /* Nor does a connection that could not be had change that. */
        rig_lose(&r);
        assert_int_equal(r.last_event.u.close.reconnect, cases[i].back);
    }
}

static void test_a_kick_behind_a_refusal_does_not_bring_it_back(void **unused)
{
    (void)unused; /* LOGIN-18: a person has not answered yet */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_login(&r);
    rig_say_refused(&r, roam_v1_RefusedReason_OCCUPIED, roam_v1_Retry_NEVER, 2);
    rig_say_kick(&r, roam_v1_KickReason_GOING_AWAY, roam_v1_Retry_NOW, 0);
    rig_run(&r);
    assert_int_equal(r.last_event.type, ROAM_EVENT_CLOSE);
    assert_false(r.last_event.u.close.reconnect);
}

static void test_stale_needs_a_new_device_id(void **unused)
{
    (void)unused; /* LOGIN-17 */
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_login(&r);
    rig_say_refused(&r, roam_v1_RefusedReason_STALE, roam_v1_Retry_NOW, 2);
    rig_run(&r);
    assert_int_equal(roam_client_login(&r.client, 50, 0, r.now_ms),
                     ROAM_STATUS_BAD_STATE);
    static const uint8_t id[16] = "new device's id";
    assert_int_equal(roam_client_set_device_id(&r.client, id), ROAM_STATUS_OK);
    /* Its attempts count anew. */
    assert_int_equal(roam_client_login(&r.client, 1, 0, r.now_ms),
                     ROAM_STATUS_OK);
    struct roam_bytes out = roam_client_pending(&r.client);
    struct roam_slice login = {out.data + 4,
                               (size_t)out.data[2] << 8 | out.data[3]};
    struct roam_message m;
    assert_int_equal(roam_message_decode(ROAM_LOGIN, login, &m), 0);
    assert_memory_equal(m.u.login.device_id.bytes, id, 16);
}

static void test_another_token_is_named_after_reauthentication(void **unused)
{
    (void)unused;
    static struct rig r;
    rig_prepare(&r);
    rig_init(&r);
    rig_login(&r);
    assert_int_equal(roam_client_set_token(&r.client, "fresh"),
                     ROAM_STATUS_BAD_STATE);
    rig_say_refused(&r, roam_v1_RefusedReason_TOKEN_EXPIRED,
                    roam_v1_Retry_REAUTHENTICATE, 0);
    rig_run(&r);
    assert_int_equal(roam_client_set_token(&r.client, ""),
                     ROAM_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_client_set_token(&r.client, text_of(129)),
                     ROAM_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_client_set_token(&r.client, "fresh"), ROAM_STATUS_OK);
    assert_int_equal(roam_client_login(&r.client, ++r.attempt, 0, r.now_ms),
                     ROAM_STATUS_OK);
    struct roam_bytes out = roam_client_pending(&r.client);
    struct roam_slice login = {out.data + 4,
                               (size_t)out.data[2] << 8 | out.data[3]};
    struct roam_message m;
    assert_int_equal(roam_message_decode(ROAM_LOGIN, login, &m), 0);
    assert_string_equal(m.u.login.token, "fresh");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_login_and_sync_go_in_one_flight),
        cmocka_unit_test(test_nothing_is_sent_between_login_and_its_answer),
        cmocka_unit_test(test_login_says_what_the_config_says),
        cmocka_unit_test(
            test_buffers_longer_than_a_frame_are_named_as_the_longest),
        cmocka_unit_test(test_the_longest_login_fits_the_smallest_buffer),
        cmocka_unit_test(test_an_attempt_is_never_used_twice),
        cmocka_unit_test(test_take_over_is_sent_once_and_not_remembered),
        cmocka_unit_test(test_take_over_of_a_lost_unsent_login_is_forgotten),
        cmocka_unit_test(test_sync_never_overtakes_its_login),
        cmocka_unit_test(test_a_refusal_takes_an_unsent_sync_with_it),
        cmocka_unit_test(
            test_refused_keeps_the_connection_open_for_another_login),
        cmocka_unit_test(test_refusals_decide_whether_to_come_back),
        cmocka_unit_test(test_a_kick_behind_a_refusal_does_not_bring_it_back),
        cmocka_unit_test(test_stale_needs_a_new_device_id),
        cmocka_unit_test(test_another_token_is_named_after_reauthentication),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
