/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions that their user sees and ends, tokens that end theirs, versions of
 * the protocol. Time is the rig's. Spec: sections 5.1 and 5.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "core_rig.h"
#include "rows.h"

#define PHONE roam_v1_DeviceType_PHONE
#define DESKTOP roam_v1_DeviceType_DESKTOP
#define WATCH_MS 2000u

static void start(struct rig *rig)
{
    rig_init(rig);
    rig->config.heartbeat_ms = 100000000;
    rig->config.watch_ms = WATCH_MS;
    rig_start(rig);
}

/* The rows of a list, in an array of all there can be. Returns how many. */
static size_t take_list(struct peer *p, struct roam_session_row *rows,
                        bool *more)
{
    const struct roam_message *m = rig_take(p, ROAM_SESSION_LIST);
    struct roam_slice rest = m->body;
    size_t count = 0;
    while (roam_session_row_next(&rest, &rows[count])) {
        count++;
    }
    assert_int_equal(m->u.session_list.count, count);
    *more = m->u.session_list.more;
    return count;
}

static void test_list_tells_who_is_online_and_who_asks(void **state)
{
    (void)state;
    struct rig rig;
    struct peer phone, desk;
    struct roam_session_row rows[ROAM_SESSION_ROWS_MAX + 1];
    bool more;
    start(&rig);
    peer_login(&rig, &phone, "alice", 1, PHONE, 1, 0);
    uint64_t since = rig.now.wall_ms - ROAM_EPOCH_UNIX_MS;
    rig_pass(&rig, 1000);
    peer_login(&rig, &desk, "alice", 2, DESKTOP, 1, 0);
    peer_cut(&phone);
    rig_settle(&rig);
    rig_pass(&rig, 500);
    peer_say(&desk, say_sessions(7, 0));
    assert_int_equal(take_list(&desk, rows, &more), 2);
    assert_false(more);
    assert_int_equal(rows[0].device_type, PHONE);
    assert_false(rows[0].online);
    assert_false(rows[0].self);
    assert_int_equal(rows[0].since_ms, since);
    assert_int_equal(rows[0].last_seen_ms, since + 1000);
    assert_int_equal(rows[1].device_type, DESKTOP);
    assert_true(rows[1].online);
    assert_true(rows[1].self);
    assert_int_equal(rows[1].last_seen_ms, since + 1500);
    peer_say(&desk, say_sessions(8, PHONE));
    assert_int_equal(take_list(&desk, rows, &more), 1);
    assert_int_equal(rows[0].device_type, DESKTOP);
    peer_say(&desk, say_sessions(9, DESKTOP));
    assert_int_equal(take_list(&desk, rows, &more), 0);
    peer_free(&desk);
    peer_free(&phone);
    rig_stop(&rig);
}

/* Another gateway of the store gave the slot away: the one who asks has not
 * heard of it, and is not the session that the row tells of. [DEV-4] */
static void test_a_slot_lost_elsewhere_is_not_self(void **state)
{
    (void)state;
    struct rig rig, other;
    struct peer mine, taker;
    struct roam_session_row rows[ROAM_SESSION_ROWS_MAX + 1];
    bool more;
    start(&rig);
    peer_login(&rig, &mine, "alice", 1, PHONE, 1, 0);
    rig_init(&other);
    other.store = rig.store;
    rig_start(&other);
    peer_login(&other, &taker, "alice", 2, PHONE, 1, 1);
    peer_say(&mine, say_sessions(7, 0));
    assert_int_equal(take_list(&mine, rows, &more), 1);
    assert_int_equal(rows[0].generation, 2);
    assert_false(rows[0].online);
    assert_false(rows[0].self);
    peer_free(&taker);
    roam_core_free(other.core);
    peer_free(&mine);
    rig_stop(&rig);
}

/* With names as long as they may be, one by one into the smallest frame. */
static void test_list_keeps_to_the_smallest_frame(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p[6];
    start(&rig);
    for (unsigned type = 1; type <= 6; type++) {
        struct roam_message *m =
            say_login("alice", (uint8_t)type, (roam_v1_DeviceType)type, 1, 0);
        memset(m->u.login.device_name, 'n', ROAM_DEVICE_NAME_MAX);
        memset(m->u.login.software, 's', ROAM_SOFTWARE_MAX);
        m->u.login.max_frame = ROAM_FRAME_MIN;
        peer_connect(&rig, &p[type - 1]);
        peer_say(&p[type - 1], m);
        rig_take(&p[type - 1], ROAM_LOGIN_OK);
    }
    uint32_t after = 0;
    bool more = true;
    while (more) {
        struct roam_session_row rows[ROAM_SESSION_ROWS_MAX + 1];
        peer_say(&p[0], say_sessions(7, after));
        size_t count = take_list(&p[0], rows, &more);
        assert_true(count > 0);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(rows[i].device_type, ++after);
            assert_int_equal(rows[i].device_name.len, ROAM_DEVICE_NAME_MAX);
        }
    }
    assert_int_equal(after, 6);
    for (unsigned i = 0; i < 6; i++) {
        peer_free(&p[i]);
    }
    rig_stop(&rig);
}

static void test_sibling_is_ended_and_told(void **state)
{
    (void)state;
    struct rig rig;
    struct peer phone, desk;
    start(&rig);
    uint64_t g = peer_login(&rig, &phone, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &desk, "alice", 2, DESKTOP, 1, 0);
    peer_say(&desk, say_end_session(5, PHONE, g + 1));
    const roam_v1_Error *error = &rig_take(&desk, ROAM_ERROR)->u.error;
    assert_int_equal(error->code, roam_v1_ErrorCode_NO_SUCH_DEVICE);
    assert_int_equal(error->ref, 5);
    rig_take_none(&phone);
    peer_say(&desk, say_end_session(6, PHONE, g));
    assert_int_equal(rig_take(&desk, ROAM_SESSION_ENDED)->u.session_ended.ref,
                     6);
    assert_int_equal(
        rig_take_kick(&phone, roam_v1_KickReason_REVOKED)->u.kick.retry,
        roam_v1_Retry_REAUTHENTICATE);
    rig_take_none(&desk);
    peer_free(&phone);
    peer_free(&desk);
    rig_stop(&rig);
}

static void test_own_session_is_answered_then_ended(void **state)
{
    (void)state;
    struct rig rig;
    struct peer phone;
    start(&rig);
    uint64_t g = peer_login(&rig, &phone, "alice", 1, PHONE, 1, 0);
    peer_say(&phone, say_end_session(6, PHONE, g));
    rig_take(&phone, ROAM_SESSION_ENDED);
    rig_take_kick(&phone, roam_v1_KickReason_REVOKED);
    peer_free(&phone);
    rig_stop(&rig);
}

/* The same installation as two device types, by one token. */
static void test_all_sessions_of_an_ended_token_go(void **state)
{
    (void)state;
    struct rig rig;
    struct peer phone, desk, web;
    start(&rig);
    uint64_t g = peer_login(&rig, &phone, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &desk, "alice", 1, DESKTOP, 2, 0);
    peer_login(&rig, &web, "alice", 2, roam_v1_DeviceType_WEB, 1, 0);
    peer_say(&web, say_end_session(6, PHONE, g));
    rig_take(&web, ROAM_SESSION_ENDED);
    rig_take_kick(&phone, roam_v1_KickReason_REVOKED);
    rig_pass(&rig, WATCH_MS);
    rig_take_kick(&desk, roam_v1_KickReason_REVOKED);
    rig_take_none(&web);
    peer_free(&phone);
    peer_free(&desk);
    peer_free(&web);
    rig_stop(&rig);
}

static void test_revoked_token_ends_its_session_within_the_watch(void **state)
{
    (void)state;
    struct rig rig;
    struct peer phone, bob;
    start(&rig);
    peer_login(&rig, &phone, "alice", 1, PHONE, 1, 0);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    rig_pass(&rig, WATCH_MS + 1);
    roam_store_mem_revoke_token(rig.store, "alice-token");
    rig_pass(&rig, WATCH_MS);
    rig_take_kick(&phone, roam_v1_KickReason_REVOKED);
    rig_take_none(&bob);
    peer_free(&phone);
    peer_connect(&rig, &phone);
    peer_say(&phone, say_login("alice", 1, PHONE, 2, 0));
    assert_int_equal(rig_take(&phone, ROAM_REFUSED)->u.refused.reason,
                     roam_v1_RefusedReason_CREDENTIAL);
    peer_free(&phone);
    peer_free(&bob);
    rig_stop(&rig);
}

/* A LOGIN that was decided before the revocation, and is answered behind the
 * look that found it. */
static void test_login_that_saw_fewer_revocations_is_not_missed(void **state)
{
    (void)state;
    struct rig rig;
    struct peer phone, bob;
    start(&rig);
    peer_login(&rig, &bob, "bob", 1, PHONE, 1, 0);
    roam_store_mem_revoke_token(rig.store, "alice-token");
    rig_pass(&rig, WATCH_MS);
    assert_int_equal(rig.core->revocations, 1);
    roam__watch_login(rig.core, 0);
    assert_int_equal(rig.core->revocations, 0);
    rig_pass(&rig, WATCH_MS);
    assert_int_equal(rig.core->revocations, 1);
    roam__watch_login(rig.core, 1);
    assert_int_equal(rig.core->revocations, 1);
    peer_connect(&rig, &phone);
    peer_free(&phone);
    peer_free(&bob);
    rig_stop(&rig);
}

static void test_nobody_is_watched_while_nobody_is_here(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    start(&rig);
    assert_true(roam_core_deadline(rig.core) == UINT64_MAX);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    assert_int_equal(roam_core_deadline(rig.core), rig.now.mono_ms + WATCH_MS);
    peer_cut(&p);
    assert_true(roam_core_deadline(rig.core) == UINT64_MAX);
    peer_free(&p);
    rig_stop(&rig);
}

/* Logs in with a token of which 1,000 ms are left. */
static void log_in_shortly(struct rig *rig, struct peer *p)
{
    start(rig);
    uint64_t now = rig->now.wall_ms - ROAM_EPOCH_UNIX_MS;
    roam_store_mem_add_token(rig->store, "alice", "short", 0, now + 1000);
    struct roam_message *m = say_login("alice", 1, PHONE, 1, 0);
    strcpy(m->u.login.token, "short");
    peer_connect(rig, p);
    peer_say(p, m);
    rig_take(p, ROAM_LOGIN_OK);
}

static void take_expired(struct peer *p)
{
    assert_int_equal(rig_take_kick(p, roam_v1_KickReason_EXPIRED)->u.kick.retry,
                     roam_v1_Retry_REAUTHENTICATE);
}

static void test_session_ends_when_its_token_does(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    log_in_shortly(&rig, &p);
    rig_pass(&rig, 999);
    rig_take_none(&p);
    rig_pass(&rig, 1);
    take_expired(&p);
    peer_free(&p);
    rig_stop(&rig);
}

/* Forwards past the token's end, or back: what is left of it stays 1,000 ms. A
 * login is judged by the clock as it is. [DEV-10] [LOGIN-9] */
static void test_a_clock_that_is_set_ends_no_session_and_keeps_none(void **st)
{
    (void)st;
    for (int forwards = 0; forwards < 2; forwards++) {
        struct rig rig;
        struct peer p, late;
        log_in_shortly(&rig, &p);
        rig.now.wall_ms += forwards ? 3600000u : 0u;
        rig.now.wall_ms -= forwards ? 0u : 3600000u;
        rig_pass(&rig, 999);
        rig_take_none(&p);
        rig_pass(&rig, 1);
        take_expired(&p);
        struct roam_message *m = say_login("alice", 1, PHONE, 2, 0);
        strcpy(m->u.login.token, "short");
        peer_connect(&rig, &late);
        peer_say(&late, m);
        if (forwards) {
            assert_int_equal(rig_take(&late, ROAM_REFUSED)->u.refused.reason,
                             roam_v1_RefusedReason_TOKEN_EXPIRED);
        } else {
            rig_take(&late, ROAM_LOGIN_OK);
        }
        peer_free(&late);
        peer_free(&p);
        rig_stop(&rig);
    }
}

static void test_both_count_as_commands(void **state)
{
    (void)state;
    struct rig rig;
    struct peer p;
    start(&rig);
    peer_login(&rig, &p, "alice", 1, PHONE, 1, 0);
    for (uint32_t i = 0; i < rig.config.max_commands; i++) {
        peer_put(&p, i % 2 == 0 ? say_sessions(i + 1, 0)
                                : say_end_session(i + 1, DESKTOP, 1));
    }
    rig_settle(&rig);
    for (uint32_t i = 0; i < rig.config.max_commands; i++) {
        assert_true(rig_peek(&p) == ROAM_SESSION_LIST ||
                    rig_peek(&p) == ROAM_ERROR);
        rig_take(&p, rig_peek(&p));
    }
    p.stuck = true;
    for (uint32_t i = 0; i < rig.config.max_commands; i++) {
        peer_put(&p, say_sessions(i + 1, 0));
    }
    rig_settle(&rig);
    assert_int_equal(p.session->state, ROAM__IDLE);
    peer_put(&p, say_sessions(99, 0));
    p.stuck = false;
    rig_settle(&rig);
    while (rig_peek(&p) == ROAM_SESSION_LIST) {
        rig_take(&p, ROAM_SESSION_LIST);
    }
    rig_take_error(&p, roam_v1_ErrorCode_TOO_MANY_COMMANDS);
    peer_free(&p);
    rig_stop(&rig);
}

static void version_case(uint32_t least, uint32_t most, bool good)
{
    struct rig rig;
    struct peer p;
    start(&rig);
    struct roam_message *m = say_login("alice", 1, PHONE, 1, 0);
    m->u.login.protocol = most;
    m->u.login.protocol_min = least;
    m->u.login.capabilities = UINT64_MAX;
    peer_connect(&rig, &p);
    peer_say(&p, m);
    if (good) {
        const roam_v1_LoginOk *ok = &rig_take(&p, ROAM_LOGIN_OK)->u.login_ok;
        assert_int_equal(ok->protocol, 1);
        assert_int_equal(ok->capabilities, 0); /* [VER-3] */
    } else {
        const roam_v1_Refused *r = &rig_take(&p, ROAM_REFUSED)->u.refused;
        assert_int_equal(r->reason, roam_v1_RefusedReason_PROTOCOL_VERSION);
        assert_int_equal(r->protocol_min, 1);
        assert_int_equal(r->protocol_max, 1);
        peer_say(&p, say_login("alice", 1, PHONE, 1, 0));
        assert_int_equal(rig_take(&p, ROAM_LOGIN_OK)->u.login_ok.protocol, 1);
    }
    peer_free(&p);
    rig_stop(&rig);
}

static void test_highest_version_of_both_is_spoken(void **state)
{
    (void)state;
    version_case(0, 1, true);
    version_case(1, 1, true);
    version_case(1, 2, true);
    version_case(1, UINT32_MAX, true);
    version_case(0, 2, false);
    version_case(2, 3, false);
    version_case(2, 1, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_tells_who_is_online_and_who_asks),
        cmocka_unit_test(test_a_slot_lost_elsewhere_is_not_self),
        cmocka_unit_test(test_list_keeps_to_the_smallest_frame),
        cmocka_unit_test(test_sibling_is_ended_and_told),
        cmocka_unit_test(test_own_session_is_answered_then_ended),
        cmocka_unit_test(test_all_sessions_of_an_ended_token_go),
        cmocka_unit_test(test_revoked_token_ends_its_session_within_the_watch),
        cmocka_unit_test(test_login_that_saw_fewer_revocations_is_not_missed),
        cmocka_unit_test(test_nobody_is_watched_while_nobody_is_here),
        cmocka_unit_test(test_session_ends_when_its_token_does),
        cmocka_unit_test(
            test_a_clock_that_is_set_ends_no_session_and_keeps_none),
        cmocka_unit_test(test_both_count_as_commands),
        cmocka_unit_test(test_highest_version_of_both_is_spoken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
