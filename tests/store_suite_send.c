/* SPDX-License-Identifier: Apache-2.0 */
/* The claims about stores: messages and their ids. Spec: section 7. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "roam.pb.h"
#include "store_probe.h"

static void test_send_makes_an_entry_for_both_parties(void **state)
{
    (void)state;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity b = probe_enter("bob", 1, PHONE, 1, 0);
    struct roam_store_request *req = probe_make_send(&a, 77, "bob", "hello");
    probe_answer(req);
    const struct roam_store_send *send = &req->u.send;
    assert_int_equal(send->result, ROAM_SEND_STORED);
    assert_int_equal(send->msg_id >> ROAM_MSG_ID_TIME_SHIFT, NOW_MS);
    probe_assert_slice(send->sender, "alice");
    assert_int_equal(send->delivery_count, 2);
    uint64_t versions[2] = {0, 0};
    for (size_t i = 0; i < 2; i++) {
        const struct roam_delivery *d = &send->deliveries[i];
        bool is_sender = d->user == a.user;
        assert_true(is_sender || d->user == b.user);
        probe_assert_slice(d->conversation, is_sender ? "bob" : "alice");
        assert_int_equal(d->prev_version, 0);
        versions[is_sender ? 0 : 1] = d->version;
    }
    const struct roam_identity *who[] = {&a, &b};
    for (size_t i = 0; i < 2; i++) {
        assert_true(versions[i] > 0);
        assert_int_equal(probe_head(who[i]), versions[i]);
    }
    uint64_t msg_id = send->msg_id;
    roam_store_request_free(req);
    req = probe_read_all(&b);
    const struct roam_entry *e = req->u.read.entries;
    assert_int_equal(req->u.read.count, 1);
    assert_int_equal(e->version, versions[1]);
    assert_int_equal(e->prev_version, 0);
    assert_int_equal(e->msg_id, msg_id);
    assert_int_equal(e->kind, roam_v1_Kind_MESSAGE);
    assert_int_equal(e->client_msg_id, 0);
    assert_int_equal(e->cut_size, 0);
    probe_assert_slice(e->conversation, "alice");
    probe_assert_slice(e->sender, "alice");
    probe_assert_slice(e->content_type, "text/plain");
    probe_assert_slice(e->body, "hello");
    roam_store_request_free(req);
}

static void test_note_to_self_makes_one_entry(void **state)
{
    (void)state;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity d = probe_enter("alice", 2, DESKTOP, 1, 0);
    struct probe_sent sent = probe_send(&a, 1, "alice", "milk");
    assert_int_equal(sent.result, ROAM_SEND_STORED);
    assert_int_equal(sent.count, 1);
    struct roam_store_request *req = probe_read_all(&d);
    assert_int_equal(req->u.read.count, 1);
    probe_assert_slice(req->u.read.entries->conversation, "alice");
    probe_assert_slice(req->u.read.entries->sender, "alice");
    roam_store_request_free(req);
}

static void test_any_bytes_and_longest_names_come_back_as_sent(void **state)
{
    (void)state;
    char name[ROAM_USER_MAX + 1];
    char type[ROAM_CONTENT_TYPE_MAX + 1];
    memset(name, 'n', ROAM_USER_MAX);
    name[ROAM_USER_MAX] = '\0';
    memset(type, 't', ROAM_CONTENT_TYPE_MAX);
    type[ROAM_CONTENT_TYPE_MAX] = '\0';
    probe_suite->add_user(probe_suite, name);
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity d = probe_enter("alice", 1, DESKTOP, 1, 0);
    uint8_t bytes[512];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    struct roam_slice bodies[] = {{bytes, sizeof bytes}, {bytes, 0}};
    for (size_t i = 0; i < 2; i++) {
        struct roam_store_request *req =
            probe_make_send_of(&a, UINT64_MAX - i, name,
                               probe_text(i == 0 ? type : ""), bodies[i]);
        probe_answer(req);
        assert_int_equal(req->u.send.result, ROAM_SEND_STORED);
        roam_store_request_free(req);
    }
    struct roam_store_request *req = probe_read_all(&d);
    assert_int_equal(req->u.read.count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct roam_entry *e = &req->u.read.entries[i];
        probe_assert_slice(e->conversation, name);
        probe_assert_slice(e->content_type, i == 0 ? type : "");
        assert_int_equal(e->body.len, bodies[i].len);
        if (e->body.len > 0) {
            assert_memory_equal(e->body.data, bytes, e->body.len);
        }
        assert_int_equal(e->cut_size, 0);
    }
    roam_store_request_free(req);
}

static void test_send_to_nobody_writes_nothing(void **state)
{
    (void)state;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    static const char *const nobody[] = {"nobody", "Bob", "bo", "bobb"};
    for (size_t i = 0; i < 4; i++) {
        struct probe_sent sent = probe_send(&a, 1, nobody[i], "x");
        assert_int_equal(sent.result, ROAM_SEND_REFUSED);
        assert_int_equal(sent.error, roam_v1_ErrorCode_NO_SUCH_CONVERSATION);
        assert_int_equal(sent.count, 0);
    }
    assert_int_equal(probe_head(&a), 0);
    probe_must_send(&a, 1, "bob", "x"); /* the id was not used up */
}

static void test_fenced_send_writes_nothing(void **state)
{
    (void)state;
    uint64_t generation;
    struct roam_identity first = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity again = probe_enter("alice", 1, PHONE, 2, 0);
    struct roam_identity other = probe_enter("alice", 2, PHONE, 1, 1);
    assert_true(probe_logout(&other, &generation));
    const struct roam_identity *late[] = {&first, &again, &other};
    for (size_t i = 0; i < 3; i++) {
        struct probe_sent sent = probe_send(late[i], 1, "bob", "late");
        assert_int_equal(sent.result, ROAM_SEND_FENCED);
        assert_int_equal(sent.count, 0);
    }
    assert_int_equal(probe_head(&first), 0);
}

static void test_repeated_send_gets_the_first_answer(void **state)
{
    (void)state;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    uint64_t msg_id = probe_must_send(&a, 9, "bob", "once");
    uint64_t head = probe_head(&a);
    a = probe_enter("alice", 1, PHONE, 2, 0);
    struct roam_identity d = probe_enter("alice", 3, DESKTOP, 1, 0);
    const struct roam_identity *who[] = {&a, &d};
    for (size_t i = 0; i < 2; i++) { /* the user counts, not the device */
        struct probe_sent sent =
            probe_send_at(who[i], 9, "bob", "once", NOW_MS + WEEK_MS - 1);
        assert_int_equal(sent.result, ROAM_SEND_DUPLICATE);
        assert_int_equal(sent.msg_id, msg_id);
        assert_int_equal(sent.count, 0);
    }
    assert_int_equal(probe_head(&a), head);
    /* Time that runs backwards makes nobody forget. */
    assert_int_equal(probe_send_at(&a, 9, "bob", "once", NOW_MS - 1000).result,
                     ROAM_SEND_DUPLICATE);
    /* Another user's ids are their own. */
    struct roam_identity b = probe_enter("bob", 1, PHONE, 1, 0);
    probe_must_send(&b, 9, "alice", "once");
}

static void test_same_id_with_other_content_is_refused(void **state)
{
    (void)state;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    probe_must_send(&a, 9, "bob", "once");
    uint64_t head = probe_head(&a);
    static const struct {
        const char *to, *type, *body;
    } others[] = {
        {"alice", "text/plain", "once"},  {"bob", "text/plai", "nonce"},
        {"bob", "text/plain", "oncf"},    {"bob", "text/plain", ""},
        {"bob", "text/html", "once"},     {"bob", "", "once"},
        {"nobody", "text/plain", "once"},
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct roam_store_request *req =
            probe_make_send_of(&a, 9, others[i].to, probe_text(others[i].type),
                               probe_text(others[i].body));
        probe_answer(req);
        assert_int_equal(req->u.send.result, ROAM_SEND_REFUSED);
        assert_int_equal(req->u.send.error, roam_v1_ErrorCode_ID_REUSED);
        assert_int_equal(req->u.send.delivery_count, 0);
        roam_store_request_free(req);
    }
    assert_int_equal(probe_head(&a), head);
}

static void test_msg_ids_rise_in_a_conversation_whatever_the_clock(void **st)
{
    (void)st;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity b = probe_enter("bob", 1, PHONE, 1, 0);
    uint64_t clock = NOW_MS << ROAM_MSG_ID_TIME_SHIFT;
    assert_int_equal(probe_send(&a, 1, "bob", "x").msg_id, clock);
    assert_int_equal(probe_send(&b, 1, "alice", "x").msg_id, clock + 1);
    assert_int_equal(probe_send_at(&a, 2, "bob", "x", NOW_MS - 5000).msg_id,
                     clock + 2);
    assert_int_equal(probe_send_at(&b, 2, "alice", "x", NOW_MS + 1).msg_id,
                     (NOW_MS + 1) << ROAM_MSG_ID_TIME_SHIFT);
    /* Another conversation has its own. */
    assert_int_equal(probe_send(&a, 3, "alice", "x").msg_id, clock);
    assert_int_equal(probe_send(&a, 4, "alice", "x").msg_id, clock + 1);
    probe_suite->reopen(probe_suite);
    assert_int_equal(probe_send(&a, 5, "alice", "x").msg_id, clock + 2);
}

static void test_versions_rise_and_chain(void **state)
{
    (void)state;
    struct roam_identity a = probe_enter("alice", 1, PHONE, 1, 0);
    struct roam_identity b = probe_enter("bob", 1, PHONE, 1, 0);
    for (uint64_t id = 1; id <= 20; id++) {
        probe_must_send(id % 3 == 0 ? &b : &a, id,
                        id % 3 == 0 ? "alice" : "bob", "x");
    }
    const struct roam_identity *who[] = {&a, &b};
    for (size_t i = 0; i < 2; i++) {
        struct roam_store_request *req = probe_read_all(who[i]);
        assert_int_equal(req->u.read.count, 20);
        uint64_t last = 0;
        for (size_t k = 0; k < 20; k++) {
            const struct roam_entry *e = &req->u.read.entries[k];
            assert_int_equal(e->prev_version, last);
            assert_true(e->version > last);
            assert_true(e->version <= ROAM_VERSION_MAX);
            last = e->version;
        }
        roam_store_request_free(req);
    }
}

int store_suite_send(void)
{
    const struct CMUnitTest tests[] = {
        PROBE_CLAIM(test_send_makes_an_entry_for_both_parties),
        PROBE_CLAIM(test_note_to_self_makes_one_entry),
        PROBE_CLAIM(test_any_bytes_and_longest_names_come_back_as_sent),
        PROBE_CLAIM(test_send_to_nobody_writes_nothing),
        PROBE_CLAIM(test_fenced_send_writes_nothing),
        PROBE_CLAIM(test_repeated_send_gets_the_first_answer),
        PROBE_CLAIM(test_same_id_with_other_content_is_refused),
        PROBE_CLAIM(test_msg_ids_rise_in_a_conversation_whatever_the_clock),
        PROBE_CLAIM(test_versions_rise_and_chain),
    };
    return cmocka_run_group_tests_name("store: send", tests, NULL, NULL);
}
