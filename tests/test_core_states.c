/* SPDX-License-Identifier: Apache-2.0 */
/* Every frame in every state, against the table of section 10.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core_rig.h"

#define PHONE roam_v1_DeviceType_PHONE

#define STATES 7
#define CLIENT_FRAMES 11

/* An error code of the protocol, or 0x100 + the state that follows. */
#define GO(state) (0x100 + ROAM__##state)
#define UNEXPECTED roam_v1_ErrorCode_FRAME_UNEXPECTED
#define AHEAD roam_v1_ErrorCode_ACK_AHEAD
#define BUSY roam_v1_ErrorCode_SYNC_BUSY

/* By frame type - 1: LOGIN, LOGOUT, SYNC, ACK, SEND, PING, HISTORY,
 * CONVERSATIONS, MEMBERS, SESSIONS, END_SESSION. */
static const int table[STATES][CLIENT_FRAMES] = {
    [ROAM__OPEN] = {GO(DECIDING), UNEXPECTED, UNEXPECTED, UNEXPECTED,
                    UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED,
                    UNEXPECTED, UNEXPECTED},
    [ROAM__DECIDING] = {UNEXPECTED, UNEXPECTED, GO(DECIDING), UNEXPECTED,
                        UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED,
                        UNEXPECTED, UNEXPECTED, UNEXPECTED},
    [ROAM__IDLE] = {UNEXPECTED, GO(LEAVING), GO(SYNCING), AHEAD, GO(IDLE),
                    GO(IDLE), GO(IDLE), GO(IDLE), GO(IDLE), GO(IDLE), GO(IDLE)},
    [ROAM__SYNCING] = {UNEXPECTED, GO(LEAVING), BUSY, GO(SYNCING), GO(SYNCING),
                       GO(SYNCING), GO(SYNCING), GO(SYNCING), GO(SYNCING),
                       GO(SYNCING), GO(SYNCING)},
    [ROAM__DELIVERING] = {UNEXPECTED, GO(LEAVING), GO(SYNCING), GO(DELIVERING),
                          GO(DELIVERING), GO(DELIVERING), GO(DELIVERING),
                          GO(DELIVERING), GO(DELIVERING), GO(DELIVERING),
                          GO(DELIVERING)},
    [ROAM__LEAVING] = {UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED,
                       UNEXPECTED, UNEXPECTED, UNEXPECTED, UNEXPECTED,
                       UNEXPECTED, UNEXPECTED, UNEXPECTED},
    [ROAM__ENDING] = {GO(ENDING), GO(ENDING), GO(ENDING), GO(ENDING),
                      GO(ENDING), GO(ENDING), GO(ENDING), GO(ENDING),
                      GO(ENDING), GO(ENDING), GO(ENDING)},
};

static const struct roam_message *client_frame(unsigned type)
{
    switch (type) {
    case ROAM_LOGIN:
        return say_login("alice", 1, PHONE, 9, 0);
    case ROAM_LOGOUT:
        return say_logout();
    case ROAM_SYNC:
        return say_sync(0);
    case ROAM_ACK:
        return say_ack(1);
    case ROAM_SEND:
        return say_send(5, "bob", "x");
    case ROAM_HISTORY:
        return say_history(6, "bob", 0, 0);
    case ROAM_CONVERSATIONS:
        return say_conversations(7, 0, "");
    case ROAM_MEMBERS:
        return say_members(8, "bob", "", 1);
    case ROAM_SESSIONS:
        return say_sessions(9, 0);
    case ROAM_END_SESSION:
        return say_end_session(10, roam_v1_DeviceType_DESKTOP, 1);
    default:
        return say_ping(1);
    }
}

/* Connects a peer and brings it to the state, with nothing left to take. In
 * DELIVERING, version 1 is in flight. */
static void bring(struct rig *rig, struct peer *p, unsigned state)
{
    if (state == ROAM__OPEN || state == ROAM__DECIDING) {
        peer_connect(rig, p);
    } else {
        peer_login(rig, p, "alice", 1, PHONE, 1, 0);
    }
    switch (state) {
    case ROAM__DECIDING:
        peer_put(p, say_login("alice", 1, PHONE, 2, 0));
        break;
    case ROAM__SYNCING:
        peer_put(p, say_sync(0));
        break;
    case ROAM__DELIVERING:
        peer_sync(p, 0);
        peer_send(p, 1, "bob", "first");
        assert_int_equal(rig_take(p, ROAM_PUSH)->u.push.version, 1);
        break;
    case ROAM__LEAVING:
        peer_put(p, say_logout());
        break;
    case ROAM__ENDING:
        p->stuck = true;
        peer_put(p, say_login("alice", 1, PHONE, 2, 0));
        break;
    default:
        break;
    }
    rig_flush(rig);
    assert_int_equal(p->session->state, state);
}

static void check(unsigned state, struct rig *rig, struct peer *p, int want)
{
    if (want >= 0x100) {
        assert_non_null(p->session);
        assert_int_equal(p->session->state, want - 0x100);
        rig_flush(rig);
        assert_true(rig_peek(p) != ROAM_KICK || state == ROAM__ENDING);
        return;
    }
    assert_int_equal(p->session->state, ROAM__ENDING);
    rig_flush(rig);
    rig_take_error(p, (roam_v1_ErrorCode)want);
}

static void test_every_client_frame_in_every_state(void **st)
{
    (void)st;
    for (unsigned state = 0; state < STATES; state++) {
        for (unsigned type = 1; type <= CLIENT_FRAMES; type++) {
            struct rig rig;
            struct peer p;
            rig_init(&rig);
            rig_start(&rig);
            bring(&rig, &p, state);
            peer_put(&p, client_frame(type));
            check(state, &rig, &p, table[state][type - 1]);
            peer_free(&p);
            rig_stop(&rig);
        }
    }
}

/* All 256 types but those that have rows, with an empty payload. */
static void test_every_other_frame_type_in_every_state(void **st)
{
    (void)st;
    for (unsigned state = 0; state < STATES; state++) {
        for (unsigned type = 0; type < 256; type++) {
            if (type >= 1 && type <= CLIENT_FRAMES) {
                continue;
            }
            int want = roam_v1_ErrorCode_FRAME_UNKNOWN; /* [FRAME-7] */
            if (roam_frame_name((uint8_t)type) != NULL) {
                want = UNEXPECTED; /* [FRAME-8] */
            }
            if (type >= 0x80 || state == ROAM__ENDING) { /* [FRAME-6] */
                want = 0x100 + (int)state;
            }
            struct rig rig;
            struct peer p;
            rig_init(&rig);
            rig_start(&rig);
            bring(&rig, &p, state);
            const uint8_t frame[] = {(uint8_t)type, 0, 0, 0};
            peer_feed(&p, frame, sizeof frame);
            check(state, &rig, &p, want);
            peer_free(&p);
            rig_stop(&rig);
        }
    }
}

static void test_second_sync_behind_a_login_is_unexpected(void **st)
{
    (void)st;
    struct rig rig;
    struct peer p;
    rig_init(&rig);
    rig_start(&rig);
    bring(&rig, &p, ROAM__DECIDING);
    peer_put(&p, say_sync(0));
    peer_put(&p, say_sync(0));
    rig_settle(&rig);
    rig_take_error(&p, UNEXPECTED);
    peer_free(&p);
    rig_stop(&rig);
}

static void test_ack_is_accepted_up_to_the_last_version_sent(void **st)
{
    (void)st;
    for (uint64_t version = 1; version <= 2; version++) {
        struct rig rig;
        struct peer p;
        rig_init(&rig);
        rig_start(&rig);
        bring(&rig, &p, ROAM__DELIVERING);
        peer_say(&p, say_ack(version));
        if (version == 1) {
            peer_say(&p, say_ack(1)); /* again: ignored [ACK-5] */
            rig_take_none(&p);
        } else {
            rig_take_error(&p, AHEAD);
        }
        peer_free(&p);
        rig_stop(&rig);
    }
}

static void test_nothing_behind_an_offending_frame_is_processed(void **st)
{
    (void)st;
    struct rig rig;
    struct peer p, bob;
    rig_init(&rig);
    rig_start(&rig);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    peer_put(&p, say_login("alice", 1, PHONE, 2, 0));
    peer_put(&p, say_send(1, "bob", "behind"));
    rig_settle(&rig);
    rig_take_error(&p, UNEXPECTED); /* and no SEND_OK [FRAME-13] */
    peer_say(&bob, say_ping(1));
    assert_int_equal(rig_take(&bob, ROAM_PONG)->u.pong.head, 0);
    peer_free(&p);
    peer_free(&bob);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_client_frame_in_every_state),
        cmocka_unit_test(test_every_other_frame_type_in_every_state),
        cmocka_unit_test(test_second_sync_behind_a_login_is_unexpected),
        cmocka_unit_test(test_ack_is_accepted_up_to_the_last_version_sent),
        cmocka_unit_test(test_nothing_behind_an_offending_frame_is_processed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
