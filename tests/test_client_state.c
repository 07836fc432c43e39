/* SPDX-License-Identifier: Apache-2.0 */
/* The state machine of section 10.2: the table is walked for every (state,
 * event) pair, and the engine for every (state, frame) pair. */
#include <string.h>

#include "client_rig.h"

/* --------------------------------------------------------------- the table */

/* Where each event leads, one letter for a state: Closed, Open, loGin, Sync,
 * Live, Ended; a dot: the event is not allowed there. */
struct row {
    enum roam__on on;
    const char *to; /* from CLOSED, OPEN, LOGIN, SYNC, LIVE, ENDED */
};

static const struct row expected[] = {
    {ON_CONNECTED, "O....."},    {ON_LOGIN, ".G...."},
    {ON_CLOSE, ".EEEE."},        {ON_GONE, "CCCCCC"},
    {ON_SILENT, "..EEE."},       {ON_LOGIN_OK, "..S..."},
    {ON_REFUSED, "..O..."},      {ON_THROTTLED, "..E..."},
    {ON_SYNC_OK, "...L.."},      {ON_RESET, "...L.."},
    {ON_FITS, "...SL."},         {ON_OLD, "...SL."},
    {ON_GAP, "...SS."},          {ON_GAP_AGAIN, "...SE."},
    {ON_LIES, "...EE."},         {ON_PAGE, "...SL."},
    {ON_PAGE_LIES, "...EE."},    {ON_ANSWER, "...SL."},
    {ON_PONG, "...SL."},         {ON_BEHIND, "....S."},
    {ON_BEHIND_AGAIN, "....E."}, {ON_KICK, ".EEEE."},
    {ON_BROKEN, ".EEEE."},       {ON_OTHER, ".EEEE."},
};

static const char letters[] = "COGSLE";

static void test_every_state_and_event_leads_where_the_spec_says(void **unused)
{
    (void)unused;
    assert_int_equal(sizeof expected / sizeof expected[0], ON_COUNT - 1);
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_int_equal(expected[i].on, i + 1);
        for (int s = 0; s < ST_COUNT; s++) {
            const struct roam__edge *edge =
                roam__edge_find((enum roam__state)s, expected[i].on);
            char to = '.';
            if (edge != NULL) {
                to = letters[edge->to == ST_COUNT ? s : edge->to];
            }
            if (to != expected[i].to[s]) {
                fail_msg("state %c, event %d: %c", letters[s],
                         (int)expected[i].on, to);
            }
        }
    }
}

static void test_no_pair_has_two_edges(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < roam__edge_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (roam__edges[i].on == roam__edges[j].on) {
                assert_int_equal(roam__edges[i].from & roam__edges[j].from, 0);
            }
        }
    }
}

/* --------------------------------------------------------------- the engine */

static void reach(struct rig *r, enum roam__state state)
{
    rig_prepare(r);
    rig_init(r);
    if (state == ST_OPEN) {
        rig_open(r);
    }
    if (state >= ST_LOGIN) {
        rig_login(r);
    }
    if (state >= ST_SYNC) {
        rig_say_login_ok(r, 1);
    }
    if (state >= ST_LIVE) {
        rig_say_sync_ok(r, roam_v1_SyncResult_DELTA, 9);
    }
    if (state == ST_ENDED) {
        rig_say_kick(r, roam_v1_KickReason_IDLE, roam_v1_Retry_NOW, 0);
    }
    rig_run(r);
    rig_forget(r);
    assert_int_equal(rig_state(r), state);
}

static void say_sample(struct rig *r, uint8_t type)
{
    struct roam_message m;
    switch (type) {
    case ROAM_LOGIN_OK:
        rig_say_login_ok(r, 1);
        break;
    case ROAM_REFUSED:
        rig_say_refused(r, roam_v1_RefusedReason_OCCUPIED, roam_v1_Retry_NEVER,
                        1);
        break;
    case ROAM_KICK:
        rig_say_kick(r, roam_v1_KickReason_IDLE, roam_v1_Retry_NOW, 0);
        break;
    case ROAM_SYNC_OK:
        rig_say_sync_ok(r, roam_v1_SyncResult_DELTA, 9);
        break;
    case ROAM_PUSH:
        rig_say_push(r, 1, 0, "hi");
        break;
    case ROAM_BATCH:
        rig_say_batch(r, 0, 2, false);
        break;
    case ROAM_SEND_OK:
        rig_say_send_ok(r, 77, false);
        break;
    case ROAM_PONG:
        rig_say_pong(r, 0);
        break;
    case ROAM_HISTORY_PAGE:
    case ROAM_CONVERSATION_PAGE:
        if (roam_client_logged_in(&r->client)) {
            rig_ask(r, 5, 0, 0);
            rig_run(r);
        }
        rig_say_page(r, type, 5, 1, 1, false);
        break;
    case ROAM_ERROR:
        rig_say_error(r, 77, roam_v1_ErrorCode_ID_REUSED);
        break;
    case ROAM_LOGIN:
        roam_message_init(&m, ROAM_LOGIN);
        m.u.login.protocol = 1;
        strcpy(m.u.login.user, "alice");
        strcpy(m.u.login.token, "t");
        m.u.login.device_id.size = 16;
        m.u.login.device_type = roam_v1_DeviceType_PHONE;
        m.u.login.attempt = 1;
        m.u.login.max_frame = 512;
        rig_say(r, &m);
        break;
    default: /* the client's other frames, and unknown ones */
        rig_say_bytes(r, (uint8_t[]){type, 0, 0, 0}, 4);
        break;
    }
}

static void test_every_frame_in_every_state_leads_where_the_spec_says(
    void **unused)
{
    (void)unused;
    static const struct {
        uint8_t type;
        const char *to; /* from OPEN, LOGIN, SYNC, LIVE */
    } frames[] = {
        {ROAM_LOGIN_OK, "ESEE"},
        {ROAM_REFUSED, "EOEE"},
        {ROAM_KICK, "EEEE"},
        {ROAM_SYNC_OK, "EELE"},
        {ROAM_PUSH, "EESL"},
        {ROAM_BATCH, "EESL"},
        {ROAM_SEND_OK, "EESL"},
        {ROAM_PONG, "EESL"},
        {ROAM_ERROR, "EESL"},
        {ROAM_LOGIN, "EEEE"},
        {ROAM_LOGOUT, "EEEE"},
        {ROAM_SYNC, "EEEE"},
        {ROAM_ACK, "EEEE"},
        {ROAM_SEND, "EEEE"},
        {ROAM_PING, "EEEE"},
        {ROAM_HISTORY_PAGE, "EESL"},
        {ROAM_CONVERSATION_PAGE, "EEEE"}, /* HISTORY was asked */
        {ROAM_HISTORY, "EEEE"},
        {ROAM_CONVERSATIONS, "EEEE"},
        {0x00, "EEEE"},
        {0x09, "EEEE"},
        {0x40, "EEEE"},
        {0x4c, "EEEE"},
        {0x7f, "EEEE"},
        {0x80, "OGSL"},
        {0xc1, "OGSL"},
        {0xff, "OGSL"},
    };
    static struct rig r;
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        for (int s = ST_OPEN; s <= ST_LIVE; s++) {
            reach(&r, (enum roam__state)s);
            say_sample(&r, frames[i].type);
            rig_run(&r);
            char to = letters[rig_state(&r)];
            if (to != frames[i].to[s - ST_OPEN]) {
                fail_msg("state %c, frame 0x%02x: %c", letters[s],
                         frames[i].type, to);
            }
            /* The engine ends a connection only with an event CLOSE. */
            assert_true((to == 'E') == (strstr(r.events, "CLOSE") != NULL));
        }
    }
}

static void test_bytes_behind_a_kick_are_taken_and_ignored(void **unused)
{
    (void)unused;
    static struct rig r;
    reach(&r, ST_ENDED);
    rig_say_push(&r, 1, 0, "late");
    rig_run(&r);
    assert_events(&r, "");
    assert_int_equal(r.feed_error, 0);
    assert_int_equal(rig_state(&r), ST_ENDED);
}

static void test_calls_are_refused_where_the_table_has_no_edge(void **unused)
{
    (void)unused;
    static struct rig r;
    static const char *const allowed[] = {
        /* open, login, logout, new identity */
        "Y--Y", "-Y-Y", "----", "--Y-", "--Y-", "---Y"};
    static const uint8_t id[16] = {1};
    for (int s = ST_CLOSED; s <= ST_ENDED; s++) {
        for (int call = 0; call < 4; call++) {
            reach(&r, (enum roam__state)s);
            enum roam_status got =
                call == 0   ? roam_client_open(&r.client, r.now_ms)
                : call == 1 ? roam_client_login(&r.client, 99, 0, r.now_ms)
                : call == 2 ? roam_client_logout(&r.client, r.now_ms)
                            : roam_client_set_device_id(&r.client, id);
            assert_int_equal(got, allowed[s][call] == 'Y'
                                      ? ROAM_STATUS_OK
                                      : ROAM_STATUS_BAD_STATE);
        }
    }
    reach(&r, ST_CLOSED);
    assert_int_equal(roam_client_feed(&r.client, (const uint8_t *)"x", 1, 0),
                     ROAM_STATUS_BAD_STATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state_and_event_leads_where_the_spec_says),
        cmocka_unit_test(test_no_pair_has_two_edges),
        cmocka_unit_test(
            test_every_frame_in_every_state_leads_where_the_spec_says),
        cmocka_unit_test(test_bytes_behind_a_kick_are_taken_and_ignored),
        cmocka_unit_test(test_calls_are_refused_where_the_table_has_no_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
