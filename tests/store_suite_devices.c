/* SPDX-License-Identifier: Apache-2.0 */
/* The claims about stores: whose a token is, a user's sessions, how one ends
 * another, what was revoked. Spec: section 5.3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "roam.pb.h"
#include "store_probe.h"

static struct roam_store_login login_with(const char *token, uint8_t device,
                                          uint32_t type, uint64_t attempt,
                                          uint64_t take_over)
{
    return probe_login(&(struct probe_login){"alice", token, device, type,
                                             attempt, take_over, 0});
}

static void test_token_is_the_first_granted_devices(void **state)
{
    (void)state;
    probe_suite->add_token(probe_suite, "alice", "t", 0, 0);
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    /* Refused: the token stays free. */
    assert_int_equal(login_with("t", 2, PHONE, 1, 0).refused,
                     roam_v1_RefusedReason_OCCUPIED);
    assert_int_equal(login_with("t", 3, PHONE, 1, a.generation).refused, 0);
    struct roam_store_login l = login_with("t", 2, PHONE, 2, 2);
    assert_int_equal(l.refused, roam_v1_RefusedReason_TOKEN_BOUND);
    assert_int_equal(l.generation, 0);
    assert_false(l.has_holder);
    /* The device is the installation, whatever type it says. */
    assert_int_equal(login_with("t", 3, DESKTOP, 2, 0).refused, 0);
    /* One device may have several tokens. */
    assert_int_equal(login_with(NULL, 3, DESKTOP, 3, 0).refused, 0);
    probe_suite->reopen(probe_suite);
    assert_int_equal(login_with("t", 2, DESKTOP, 1, 1).refused,
                     roam_v1_RefusedReason_TOKEN_BOUND);
}

static struct roam_store_request *sessions_of(const struct roam_identity *who)
{
    struct roam_store_request *req = probe_make(ROAM_STORE_SESSIONS, 0);
    req->u.sessions.user = who->user;
    probe_answer(req);
    assert_non_null(req->u.sessions.rows);
    return req;
}

static void see(const struct roam_identity *who, uint64_t now_ms)
{
    struct roam_store_request *req = probe_make(ROAM_STORE_SEEN, 0);
    req->u.seen.identity = *who;
    req->u.seen.now_ms = now_ms;
    probe_answer(req);
    roam_store_request_free(req);
}

static void test_sessions_are_the_slots_that_are_held(void **state)
{
    (void)state;
    struct roam_identity desk = probe_enter("alice", 2, DESKTOP, 1, 0);
    struct roam_store_request *req = probe_make_login(
        &(struct probe_login){"alice", NULL, 1, PHONE, 1, 0, NOW_MS + 5});
    snprintf(req->u.login.software, sizeof req->u.login.software, "soft 1");
    probe_answer(req);
    struct roam_identity phone = req->u.login.identity;
    roam_store_request_free(req);
    probe_enter("bob", 1, PHONE, 1, 0);
    see(&phone, NOW_MS + 99);
    req = sessions_of(&desk);
    const struct roam_store_session *rows = req->u.sessions.rows;
    assert_int_equal(req->u.sessions.count, 2);
    assert_int_equal(rows[0].type, PHONE);
    assert_string_equal(rows[0].name, "device 1");
    assert_string_equal(rows[0].software, "soft 1");
    assert_int_equal(rows[0].since_ms, NOW_MS + 5);
    assert_int_equal(rows[0].seen_ms, NOW_MS + 99);
    assert_int_equal(rows[0].generation, phone.generation);
    assert_int_equal(rows[1].type, DESKTOP);
    assert_int_equal(rows[1].seen_ms, NOW_MS);
    roam_store_request_free(req);
    uint64_t generation;
    assert_true(probe_logout(&phone, &generation));
    see(&phone, NOW_MS + 200); /* late: nobody's any more */
    req = sessions_of(&desk);
    assert_int_equal(req->u.sessions.count, 1);
    assert_int_equal(req->u.sessions.rows[0].type, DESKTOP);
    roam_store_request_free(req);
}

static enum roam_end_result end(const struct roam_identity *who, uint32_t type,
                                uint64_t generation)
{
    struct roam_store_request *req = probe_make(ROAM_STORE_END_SESSION, 0);
    req->u.end_session.identity = *who;
    req->u.end_session.device_type = type;
    req->u.end_session.generation = generation;
    probe_answer(req);
    enum roam_end_result result = req->u.end_session.result;
    roam_store_request_free(req);
    return result;
}

/* Whatever such a session asks for, it has lost its slot; unheld: to nobody. */
static void expect_fenced(const struct roam_identity *who, bool unheld)
{
    struct roam_store_request *req = probe_make_send(who, 99, "bob", "x");
    probe_answer(req);
    assert_int_equal(req->u.send.result, ROAM_SEND_FENCED);
    assert_int_equal(req->u.send.unheld, unheld);
    roam_store_request_free(req);
    req = probe_make(ROAM_STORE_LOGOUT, 0);
    req->u.logout.identity = *who;
    probe_answer(req);
    assert_true(req->u.logout.fenced);
    assert_int_equal(req->u.logout.unheld, unheld);
    roam_store_request_free(req);
    req = probe_make(ROAM_STORE_END_SESSION, 0);
    req->u.end_session.identity = *who;
    req->u.end_session.device_type = who->device_type;
    req->u.end_session.generation = who->generation;
    probe_answer(req);
    assert_int_equal(req->u.end_session.result, ROAM_END_FENCED);
    assert_int_equal(req->u.end_session.unheld, unheld);
    roam_store_request_free(req);
}

static void test_fenced_session_is_told_if_somebody_has_its_slot(void **state)
{
    (void)state;
    struct roam_identity desk = probe_enter("alice", 2, DESKTOP, 1, 0);
    struct roam_identity first = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity phone =
        probe_enter("alice", 3, PHONE, 1, first.generation);
    expect_fenced(&first, false);
    assert_int_equal(end(&desk, PHONE, phone.generation), ROAM_END_DONE);
    expect_fenced(&phone, true);
    expect_fenced(&first, true);
}

static void test_session_is_ended_if_that_is_its_generation(void **state)
{
    (void)state;
    struct roam_identity desk = probe_enter("alice", 2, DESKTOP, 1, 0);
    struct roam_identity phone = probe_enter("alice", 1, PHONE, 1, 0);
    uint64_t g = phone.generation;
    assert_int_equal(end(&desk, PHONE, g + 1), ROAM_END_NO_DEVICE);
    assert_int_equal(end(&desk, roam_v1_DeviceType_WEB, 1), ROAM_END_NO_DEVICE);
    assert_int_equal(probe_send(&phone, 1, "bob", "x").result,
                     ROAM_SEND_STORED);
    assert_int_equal(end(&desk, PHONE, g), ROAM_END_DONE);
    assert_int_equal(probe_send(&phone, 2, "bob", "x").result,
                     ROAM_SEND_FENCED);
    assert_int_equal(end(&phone, DESKTOP, desk.generation), ROAM_END_FENCED);
    assert_int_equal(end(&desk, PHONE, g), ROAM_END_NO_DEVICE);
    /* Its token is worth nothing now; a new one finds the slot free. */
    assert_int_equal(login_with(NULL, 1, PHONE, 2, 0).refused,
                     roam_v1_RefusedReason_CREDENTIAL);
    probe_suite->add_token(probe_suite, "alice", "new", 0, 0);
    struct roam_store_login l = login_with("new", 1, PHONE, 2, 0);
    assert_int_equal(l.refused, roam_v1_RefusedReason_FREE);
    assert_true(l.generation > g);
    assert_int_equal(login_with("new", 1, PHONE, 3, l.generation).refused, 0);
    /* One's own. */
    assert_int_equal(end(&desk, DESKTOP, desk.generation), ROAM_END_DONE);
    assert_int_equal(login_with(NULL, 2, DESKTOP, 2, 0).refused,
                     roam_v1_RefusedReason_CREDENTIAL);
}

static void expect_revoked(uint64_t after, const int64_t *tokens, size_t count)
{
    struct roam_store_request *req = probe_make(ROAM_STORE_REVOKED, 0);
    req->u.revoked.after = after;
    probe_answer(req);
    const struct roam_store_revoked *r = &req->u.revoked;
    assert_int_equal(r->count, count);
    assert_false(r->more);
    assert_int_equal(r->upto, after + count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(r->rows[i].token, tokens[i]);
    }
    roam_store_request_free(req);
}

static void test_revoked_tokens_are_told_in_their_order_once(void **state)
{
    (void)state;
    struct roam_store_login one = login_with(NULL, 1, PHONE, 1, 0);
    struct roam_store_login two = login_with(NULL, 2, DESKTOP, 1, 0);
    assert_int_equal(two.revocations, 0);
    expect_revoked(0, NULL, 0);
    probe_suite->revoke_token(probe_suite, "alice-token-2");
    probe_suite->revoke_token(probe_suite, "alice-token");
    probe_suite->revoke_token(probe_suite, "alice-token-2"); /* again */
    const int64_t tokens[] = {two.token_number, one.token_number};
    expect_revoked(0, tokens, 2);
    expect_revoked(1, tokens + 1, 1);
    expect_revoked(2, NULL, 0);
    assert_int_equal(login_with(NULL, 3, PHONE, 1, 1).revocations, 2);
}

static void test_many_revocations_are_told_in_parts(void **state)
{
    (void)state;
    char token[16];
    for (unsigned i = 0; i <= ROAM_STORE_REVOKED_MAX; i++) {
        snprintf(token, sizeof token, "t%u", i);
        probe_suite->add_token(probe_suite, "alice", token, 0, 0);
        probe_suite->revoke_token(probe_suite, token);
    }
    struct roam_store_request *req = probe_make(ROAM_STORE_REVOKED, 0);
    probe_answer(req);
    assert_int_equal(req->u.revoked.count, ROAM_STORE_REVOKED_MAX);
    assert_int_equal(req->u.revoked.upto, ROAM_STORE_REVOKED_MAX);
    assert_true(req->u.revoked.more);
    roam_store_request_free(req);
    req = probe_make(ROAM_STORE_REVOKED, 0);
    req->u.revoked.after = 1;
    probe_answer(req);
    assert_int_equal(req->u.revoked.count, ROAM_STORE_REVOKED_MAX);
    assert_false(req->u.revoked.more);
    roam_store_request_free(req);
}

static void test_login_tells_when_its_token_ends(void **state)
{
    (void)state;
    probe_suite->add_token(probe_suite, "alice", "short", 0, NOW_MS + 100);
    struct roam_store_login l = login_with("short", 1, PHONE, 1, 0);
    assert_int_equal(l.refused, 0);
    assert_int_equal(l.token_expires_ms, NOW_MS + 100);
    assert_int_equal(login_with(NULL, 2, DESKTOP, 1, 0).token_expires_ms, 0);
}

int store_suite_devices(void)
{
    const struct CMUnitTest tests[] = {
        PROBE_CLAIM(test_token_is_the_first_granted_devices),
        PROBE_CLAIM(test_sessions_are_the_slots_that_are_held),
        PROBE_CLAIM(test_session_is_ended_if_that_is_its_generation),
        PROBE_CLAIM(test_fenced_session_is_told_if_somebody_has_its_slot),
        PROBE_CLAIM(test_revoked_tokens_are_told_in_their_order_once),
        PROBE_CLAIM(test_many_revocations_are_told_in_parts),
        PROBE_CLAIM(test_login_tells_when_its_token_ends),
    };
    return cmocka_run_group_tests_name("store: devices", tests, NULL, NULL);
}
