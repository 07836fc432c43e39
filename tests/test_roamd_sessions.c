/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator does to sessions that are live: ends them, revokes their
 * tokens, or lets these expire. The server is not asked: it has to find out by
 * itself. Spec: section 5.3, DEV-2. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "roamd_rig.h"

#define NO_LIMITS ((struct roamd_limits){0, 0})
#define PHONE_ID "01010101010101010101010101010101"
#define DESK_ID "02020202020202020202020202020202"

static char phone_token[44], desk_token[44];
static struct wire phone, desk;

/* A server with alice on a phone; her desktop has a token, too. */
static int setup(void **state)
{
    static struct roamd_rig rig;

    roamd_rig_setup(&rig);
    roamd_rig_provision(&rig, "alice", phone_token);
    roamd_expect(&rig, 0, "token", "issue", "alice");
    snprintf(desk_token, sizeof(desk_token), "%.43s", rig.out);
    roamd_start(&rig, NO_LIMITS, "run", "--plain-port", "0", NULL);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    struct roamd_rig *rig = *state;

    wire_close(&phone);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
    roamd_expect(rig, 0, "check");
    roamd_rig_teardown(rig);
    return 0;
}

static void log_in_again(const struct roamd_rig *rig, struct wire *w,
                         const char *token, uint8_t device,
                         roam_v1_DeviceType type, unsigned attempt,
                         struct roam_message *answer)
{
    *answer = login_message("alice", token, device,
                            "a\t\xc2\x9b\xe2\x80\xae"
                            "device");
    answer->u.login.device_type = type;
    answer->u.login.attempt = attempt;
    strcpy(answer->u.login.software, "soft 1");
    wire_open(w, rig->plain_port);
    assert_true(wire_send(w, answer));
    assert_true(wire_receive(w, answer));
}

static void log_in(const struct roamd_rig *rig, struct wire *w,
                   const char *token, uint8_t device, roam_v1_DeviceType type,
                   struct roam_message *answer)
{
    log_in_again(rig, w, token, device, type, 1, answer);
}

static void enter(const struct roamd_rig *rig, struct wire *w,
                  const char *token, uint8_t device, roam_v1_DeviceType type)
{
    struct roam_message m;

    log_in(rig, w, token, device, type, &m);
    assert_int_equal(m.type, ROAM_LOGIN_OK);
}

static void enter_phone(const struct roamd_rig *rig)
{
    enter(rig, &phone, phone_token, 1, roam_v1_DeviceType_PHONE);
}

static void enter_desk(const struct roamd_rig *rig)
{
    enter(rig, &desk, desk_token, 2, roam_v1_DeviceType_DESKTOP);
}

/* KICK with this reason comes next, and nothing behind it. */
static void await_kick(struct wire *w, roam_v1_KickReason reason)
{
    struct roam_message m;

    assert_true(wire_receive(w, &m));
    assert_int_equal(m.type, ROAM_KICK);
    assert_int_equal(m.u.kick.reason, reason);
    assert_int_equal(m.u.kick.retry, roam_v1_Retry_REAUTHENTICATE);
    assert_false(wire_receive(w, &m));
}

/* The session is there, and was told of nothing else. */
static void assert_answers(struct wire *w)
{
    struct roam_message m;

    roam_message_init(&m, ROAM_PING);
    m.u.ping.id = 77;
    assert_true(wire_send(w, &m));
    assert_true(wire_receive(w, &m));
    assert_int_equal(m.type, ROAM_PONG);
    assert_int_equal(m.u.pong.id, 77);
}

static void assert_prints(const struct roamd_rig *rig, const char *text)
{
    if (strstr(rig->out, text) == NULL) {
        fail_msg("\"%s\" is not in: %s", text, rig->out);
    }
}

/* ------------------------------------------------------------ session list */

static void test_slots_that_are_held_are_listed(void **state)
{
    struct roamd_rig *rig = *state;
    char device[33], type[9], since[21], seen[21], name[64], software[9];
    unsigned long long generation;

    roamd_expect(rig, 0, "session", "list", "alice");
    assert_string_equal(rig->out, "");
    enter_phone(rig);
    enter_desk(rig);
    roamd_expect(rig, 0, "session", "list", "alice");
    assert_int_equal(
        sscanf(rig->out, "%32s\t%8s\t%llu\t%20s\t%20s\t%63s\t%8[^\n]", device,
               type, &generation, since, seen, name, software),
        7);
    assert_string_equal(device, PHONE_ID);
    assert_string_equal(type, "phone");
    assert_int_equal(generation, 1);
    assert_string_equal(since, seen);
    assert_string_equal(name, "a\\x09\\xc2\\x9b\\xe2\\x80\\xae"
                              "device");
    assert_string_equal(software, "soft 1");
    assert_prints(rig, DESK_ID "\tdesktop\t1\t");
    roamd_expect(rig, 1, "session", "list", "bob");
    wire_close(&desk);
}

/* ------------------------------------------------------------- session end */

static void test_live_session_is_ended(void **state)
{
    struct roamd_rig *rig = *state;
    char fresh[44];
    struct roam_message m;

    enter_phone(rig);
    enter_desk(rig);
    roamd_expect(rig, 0, "session", "end", "alice", DESK_ID);
    assert_string_equal(rig->out, "");
    await_kick(&desk, roam_v1_KickReason_REVOKED);
    assert_answers(&phone);
    roamd_expect(rig, 0, "session", "list", "alice");
    assert_null(strstr(rig->out, DESK_ID));
    assert_prints(rig, PHONE_ID);
    /* Its token is gone, and its slot is free under a generation above. */
    wire_close(&desk);
    log_in(rig, &desk, desk_token, 2, roam_v1_DeviceType_DESKTOP, &m);
    assert_int_equal(m.type, ROAM_REFUSED);
    assert_int_equal(m.u.refused.reason, roam_v1_RefusedReason_CREDENTIAL);
    wire_close(&desk);
    roamd_expect(rig, 0, "token", "issue", "alice");
    snprintf(fresh, sizeof(fresh), "%.43s", rig->out);
    log_in(rig, &desk, fresh, 2, roam_v1_DeviceType_DESKTOP, &m);
    assert_int_equal(m.u.refused.reason, roam_v1_RefusedReason_FREE);
    assert_int_equal(m.u.refused.generation, 2);
    wire_close(&desk);
}

/* [KICK-5] Whatever it sends before the server has found out. */
static void test_ended_session_that_sends_is_told_and_stores_nothing(
    void **state)
{
    struct roamd_rig *rig = *state;
    struct roam_message m;

    enter_phone(rig);
    roamd_expect(rig, 0, "session", "end", "alice", PHONE_ID);
    roam_message_init(&m, ROAM_SEND);
    m.u.send.client_msg_id = 7;
    strcpy(m.u.send.conversation, "alice");
    (void)wire_send(&phone, &m);
    await_kick(&phone, roam_v1_KickReason_REVOKED);
    roamd_expect(rig, 0, "stats", "--json");
    assert_prints(rig, "\"messages\":0,");
}

/* With all of its tokens, in all of its slots. */
static void test_device_that_is_away_is_ended(void **state)
{
    struct roamd_rig *rig = *state;
    char second[44];

    enter_phone(rig);
    roamd_expect(rig, 0, "token", "issue", "alice");
    snprintf(second, sizeof(second), "%.43s", rig->out);
    enter(rig, &desk, second, 1, roam_v1_DeviceType_WEB);
    wire_close(&desk);
    wire_close(&phone);
    roamd_expect(rig, 0, "session", "end", "alice", PHONE_ID);
    roamd_expect(rig, 0, "session", "list", "alice");
    assert_string_equal(rig->out, "");
    roamd_expect(rig, 0, "token", "list", "alice");
    const char *first = strstr(rig->out, "\trevoked\tany\tnever\t" PHONE_ID);
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "\trevoked\tany\tnever\t" PHONE_ID));
    assert_prints(rig, "\tgood\tany\tnever\t-\t");
    enter_desk(rig);
    wire_close(&desk);
    wire_open(&phone, rig->plain_port);
}

static void test_what_is_not_there_is_not_ended(void **state)
{
    struct roamd_rig *rig = *state;
    static const char *const wrong[][3] = {
        {"alice", DESK_ID, "no such device"},
        {"bob", PHONE_ID, "no user of that name"},
        {"eve", PHONE_ID, "no such device"},
        {"alice", "", "32 hex digits"},
        {"alice", "0101010101010101010101010101010", "32 hex digits"},
        {"alice", PHONE_ID "0", "32 hex digits"},
        {"alice", "g1010101010101010101010101010101", "no such device"},
    };

    roamd_expect(rig, 0, "user", "add", "eve");
    enter_phone(rig);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        roamd_expect(rig, 1, "session", "end", wrong[i][0], wrong[i][1]);
        if (strstr(rig->err, wrong[i][2]) == NULL) {
            fail_msg("line %zu: %s", i, rig->err);
        }
    }
    roamd_expect(rig, 2, "session", "end", "alice");
    roamd_expect(rig, 2, "session", "list");
    roamd_expect(rig, 2, "session", "list", "alice", "x");
    roamd_expect(rig, 2, "session");
    assert_answers(&phone);
    roamd_expect(rig, 0, "token", "list");
    assert_null(strstr(rig->out, "revoked"));
}

/* ------------------------------------------------------------------ tokens */

static void test_revoked_token_ends_its_session_alone(void **state)
{
    struct roamd_rig *rig = *state;

    enter_phone(rig);
    enter_desk(rig);
    roamd_expect(rig, 0, "token", "revoke", desk_token);
    await_kick(&desk, roam_v1_KickReason_REVOKED);
    assert_answers(&phone);
    wire_close(&desk);
}

/* A timer and the clock on the wall may be a millisecond apart: whoever is
 * let in once more is ended once more. */
static void assert_stays_out(const struct roamd_rig *rig, const char *token)
{
    struct roam_message m;

    for (unsigned attempt = 2;; attempt++) {
        log_in_again(rig, &desk, token, 3, roam_v1_DeviceType_WEB, attempt, &m);
        if (m.type != ROAM_LOGIN_OK) {
            break;
        }
        await_kick(&desk, roam_v1_KickReason_EXPIRED);
        wire_close(&desk);
    }
    assert_int_equal(m.type, ROAM_REFUSED);
    assert_int_equal(m.u.refused.reason, roam_v1_RefusedReason_TOKEN_EXPIRED);
    wire_close(&desk);
}

/* Nobody revoked it. Where the machine is so slow that the token was over
 * before the login, one that lasts longer is tried. */
static void test_expired_token_ends_its_session(void **state)
{
    struct roamd_rig *rig = *state;
    struct roam_message m;
    char span[16], token[44];

    enter_phone(rig);
    for (unsigned seconds = 2;; seconds *= 2) {
        snprintf(span, sizeof(span), "%us", seconds);
        roamd_expect(rig, 0, "token", "issue", "alice", "--expires", span);
        snprintf(token, sizeof(token), "%.43s", rig->out);
        log_in(rig, &desk, token, 3, roam_v1_DeviceType_WEB, &m);
        if (m.type == ROAM_LOGIN_OK) {
            break;
        }
        assert_int_equal(m.u.refused.reason,
                         roam_v1_RefusedReason_TOKEN_EXPIRED);
        wire_close(&desk);
    }
    await_kick(&desk, roam_v1_KickReason_EXPIRED);
    wire_close(&desk);
    assert_answers(&phone);
    assert_stays_out(rig, token);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_slots_that_are_held_are_listed),
        TEST(test_live_session_is_ended),
        TEST(test_ended_session_that_sends_is_told_and_stores_nothing),
        TEST(test_device_that_is_away_is_ended),
        TEST(test_what_is_not_there_is_not_ended),
        TEST(test_revoked_token_ends_its_session_alone),
        TEST(test_expired_token_ends_its_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
