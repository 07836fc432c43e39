/* SPDX-License-Identifier: Apache-2.0 */
/* What a crash and a broken disk may do to the SQLite store: nothing that
 * was answered is lost, nothing is there twice, every timeline is a chain;
 * and after an error the store answers nothing any more. [CHAIN-2],
 * [SEND-2], [SEND-3], [PUSH-5] */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../server/core/alloc.h"
#include "fault_vfs.h"
#include "sqlite_rig.h"

/* SENDs that are under way at once, so that groups are larger than one. */
#define UNDER_WAY 20
#define SENDS_MAX 20000
#define ALICE_DEVICE 1

/* What was answered, as told by the process that is about to die. */
struct answer {
    uint64_t client_msg_id;
    uint64_t msg_id;
    uint64_t version; /* of the sender's entry */
};

static int setup(void **state)
{
    static struct sqlite_rig rig;

    fault_vfs_install();
    fault_vfs_fail(0, false);
    fault_vfs_die(0);
    rig_setup(&rig);
    rig_add_user(&rig, "alice");
    rig_add_user(&rig, "bob");
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    fault_vfs_fail(0, false);
    roam__alloc_refuse = NULL;
    rig_teardown(*state);
    return 0;
}

/* Message n is the same in every life. */
static struct roam_store_request *message(const struct roam_identity *alice,
                                          uint64_t n)
{
    char body[32];

    snprintf(body, sizeof(body), "message %llu", (unsigned long long)n);
    return rig_send_request(alice, "bob", n, body, RIG_NOW_MS + n / 8);
}

/* ------------------------------------------------------- the other process */

static int answers_fd;
static uint64_t answered;

static void tell_answer(struct roam_store_request *req)
{
    const struct roam_store_send *send = &req->u.send;

    if (send->result != ROAM_SEND_STORED) {
        _exit(3);
    }
    struct answer a = {send->client_msg_id, send->msg_id,
                       send->deliveries[0].version};
    if (write(answers_fd, &a, sizeof(a)) != (ssize_t)sizeof(a)) {
        _exit(4);
    }
    answered++;
    rig_done(req);
    roam_store_request_free(req);
}

static void send_until_killed(struct sqlite_rig *rig, uint64_t first,
                              uint64_t attempt, long operations)
{
    rig_open(rig);
    struct roam_identity alice =
        rig_login(rig, "alice", 1, ALICE_DEVICE, attempt, 0);
    uint64_t submitted = 0;

    fault_vfs_die(operations);
    while (answered < SENDS_MAX) {
        while (submitted < answered + UNDER_WAY) {
            struct roam_store_request *req =
                message(&alice, first + submitted++);
            req->done = tell_answer;
            rig->store->ops->submit(rig->store, req);
        }
        if (!rig_wait(rig)) {
            _exit(5);
        }
    }
    _exit(6); /* it should have been killed long ago */
}

/* Runs that process. Returns how many answers it told before its end. */
static size_t collect(struct sqlite_rig *rig, uint64_t first, uint64_t attempt,
                      long operations, size_t kill_after_answers,
                      struct answer *answers, size_t cap)
{
    int fds[2];
    int status;
    size_t n = 0;

    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        answers_fd = fds[1];
        send_until_killed(rig, first, attempt, operations);
    }
    close(fds[1]);
    while (n < cap &&
           read(fds[0], &answers[n], sizeof(*answers)) == sizeof(*answers)) {
        n++;
        if (n == kill_after_answers) {
            kill(pid, SIGKILL);
        }
    }
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_true(n < cap);
    return n;
}

/* ---------------------------------------------------------------- checking */

static const struct roam_entry *find(const struct roam_store_read *read,
                                     uint64_t version)
{
    for (size_t i = 0; i < read->count; i++) {
        if (read->entries[i].version == version) {
            return &read->entries[i];
        }
    }
    return NULL;
}

/* No body is on a timeline twice: every message has its own. */
static void check_nothing_twice(const struct roam_store_read *read)
{
    for (size_t i = 1; i < read->count; i++) {
        const struct roam_entry *e = &read->entries[i];
        assert_true(e->msg_id > e[-1].msg_id);
        for (size_t k = 0; k < i; k++) {
            struct roam_slice other = read->entries[k].body;
            assert_false(other.len == e->body.len &&
                         memcmp(other.data, e->body.data, other.len) == 0);
        }
    }
}

/* Both timelines have the same messages, and all that was answered. */
static void check_store(struct sqlite_rig *rig,
                        const struct roam_identity *alice,
                        const struct roam_identity *bob,
                        const struct answer *answers, size_t count)
{
    struct roam_store_request *sent = rig_read(rig, alice->user);
    struct roam_store_request *got = rig_read(rig, bob->user);

    rig_check_chain(&sent->u.read);
    rig_check_chain(&got->u.read);
    check_nothing_twice(&sent->u.read);
    assert_int_equal(sent->u.read.count, got->u.read.count);
    for (size_t i = 0; i < sent->u.read.count; i++) {
        assert_true(sent->u.read.entries[i].msg_id ==
                    got->u.read.entries[i].msg_id);
    }
    for (size_t i = 0; i < count; i++) {
        const struct roam_entry *e = find(&sent->u.read, answers[i].version);
        assert_non_null(e);
        assert_true(e->msg_id == answers[i].msg_id);
    }
    roam_store_request_free(sent);
    roam_store_request_free(got);
}

/* Whoever repeats a message is told the first one's msg_id. */
static void check_repetitions(struct sqlite_rig *rig,
                              const struct roam_identity *alice,
                              const struct answer *answers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct roam_store_request *req =
            message(alice, answers[i].client_msg_id);
        assert_true(rig_do(rig, req));
        assert_int_equal(req->u.send.result, ROAM_SEND_DUPLICATE);
        assert_true(req->u.send.msg_id == answers[i].msg_id);
        roam_store_request_free(req);
    }
}

static void survive(struct sqlite_rig *rig, long operations,
                    size_t kill_after_answers)
{
    static struct answer answers[SENDS_MAX];
    size_t n =
        collect(rig, 1, 1, operations, kill_after_answers, answers, SENDS_MAX);

    rig_open(rig);
    struct roam_identity alice = rig_login(rig, "alice", 1, ALICE_DEVICE, 2, 0);
    struct roam_identity bob = rig_login(rig, "bob", 1, 2, 1, 0);
    check_store(rig, &alice, &bob, answers, n);
    check_repetitions(rig, &alice, answers, n);
    check_store(rig, &alice, &bob, answers, n);
    rig_close(rig);
}

static void again(struct sqlite_rig *rig)
{
    void *state = rig;

    teardown(&state);
    setup(&state);
}

static void test_kill_after_some_answers_loses_none(void **state)
{
    static const size_t points[] = {1, 2, 30, 400};

    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        survive(*state, 0, points[i]);
        again(*state);
    }
}

/* A commit of a few messages is some ten writes and one sync: the points
 * cover each of them, in a log that begins and in one that goes on. */
static void test_kill_at_each_write_and_sync_loses_nothing(void **state)
{
    for (long n = 1; n <= 40; n++) {
        survive(*state, n, 0);
        again(*state);
    }
    survive(*state, 997, 0);
}

static void test_kill_in_a_checkpoint_loses_nothing(void **state)
{
    struct sqlite_rig *rig = *state;
    static struct answer answers[SENDS_MAX];
    /* The first life leaves a log, which the second one moves when it
     * opens; it dies over that. */
    size_t n = collect(rig, 1, 1, 300, 0, answers, SENDS_MAX);

    for (long at = 1; at <= 12; at += 3) {
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            fault_vfs_die(at);
            rig_open(rig);
            _exit(7);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
    }
    rig_open(rig);
    struct roam_identity alice = rig_login(rig, "alice", 1, ALICE_DEVICE, 2, 0);
    struct roam_identity bob = rig_login(rig, "bob", 1, 2, 1, 0);
    assert_true(n > 0);
    check_store(rig, &alice, &bob, answers, n);
}

/* ------------------------------------------------------------- the bad disk */

/* Sends until the store fails; the answers that came before. */
static size_t send_until_failed(struct sqlite_rig *rig,
                                const struct roam_identity *alice,
                                struct answer *answers, size_t cap)
{
    size_t n = 0;

    while (n < cap) {
        struct roam_store_request *req = message(alice, n + 1);
        if (!rig_do(rig, req)) {
            return n;
        }
        answers[n].client_msg_id = n + 1;
        answers[n].msg_id = req->u.send.msg_id;
        answers[n].version = req->u.send.deliveries[0].version;
        roam_store_request_free(req);
        n++;
    }
    fail_msg("the disk failed and nobody noticed");
    return n;
}

/* The n-th operation fails: the store says FAILED and answers nothing from
 * there on; what is on the disk then is one of the two possible truths. */
static void fail_at(struct sqlite_rig *rig, long operation, bool sticky)
{
    struct answer answers[64];

    rig_open(rig);
    struct roam_identity alice = rig_login(rig, "alice", 1, ALICE_DEVICE, 1, 0);
    fault_vfs_fail(operation, sticky);
    size_t n = send_until_failed(rig, &alice, answers, 64);
    struct roam_store_request *late = rig_read_request(alice.user);
    assert_false(rig_do(rig, late)); /* reads are not answered either */
    assert_true(strlen(roam_store_sqlite_error(rig->store)) > 0);
    rig_close(rig);

    fault_vfs_fail(0, false);
    rig_open(rig);
    alice = rig_login(rig, "alice", 1, ALICE_DEVICE, 2, 0);
    struct roam_identity bob = rig_login(rig, "bob", 1, 2, 1, 0);
    check_store(rig, &alice, &bob, answers, n);
    /* The one whose outcome was unknown is repeated, and there once. */
    struct roam_store_request *req = message(&alice, n + 1);
    assert_true(rig_do(rig, req));
    assert_true(req->u.send.result == ROAM_SEND_STORED ||
                req->u.send.result == ROAM_SEND_DUPLICATE);
    roam_store_request_free(req);
    check_store(rig, &alice, &bob, answers, n);
    rig_close(rig);
}

static void test_failed_write_or_sync_ends_all_answers(void **state)
{
    for (long n = 1; n <= 30; n++) {
        fail_at(*state, n, n % 2 == 0);
        again(*state);
    }
}

static void test_failed_checkpoint_at_open_is_told(void **state)
{
    struct sqlite_rig *rig = *state;
    struct roam_store_sqlite_config config = {.path = rig->path};
    static struct answer answers[SENDS_MAX];
    char error[256] = "";

    collect(rig, 1, 1, 100, 0, answers, SENDS_MAX);
    fault_vfs_fail(1, true);
    assert_null(roam_store_sqlite_open(&config, error, sizeof(error)));
    assert_true(strlen(error) > 0);
}

/* --------------------------------------------------------------- no memory */

static atomic_long allocations_left;

static bool refuse_when_used_up(void)
{
    return atomic_fetch_sub(&allocations_left, 1) <= 0;
}

static void test_without_memory_for_an_answer_the_store_fails(void **state)
{
    struct sqlite_rig *rig = *state;

    rig_open(rig);
    struct roam_identity alice = rig_login(rig, "alice", 1, ALICE_DEVICE, 1, 0);
    struct roam_store_request *req = message(&alice, 1);
    atomic_store(&allocations_left, 0);
    roam__alloc_refuse = refuse_when_used_up;
    assert_false(rig_do(rig, req));
    roam__alloc_refuse = NULL;
    rig_close(rig);
    rig_open(rig); /* it was not committed */
    req = rig_read(rig, alice.user);
    assert_int_equal(req->u.read.count, 0);
    roam_store_request_free(req);
}

static void test_open_without_memory_is_told(void **state)
{
    struct sqlite_rig *rig = *state;
    struct roam_store_sqlite_config config = {.path = rig->path};
    char error[256] = "";

    atomic_store(&allocations_left, 0);
    roam__alloc_refuse = refuse_when_used_up;
    assert_null(roam_store_sqlite_open(&config, error, sizeof(error)));
    assert_string_equal(error, "out of memory");
    assert_null(roam_admin_open(rig->path, false, error, sizeof(error)));
    assert_string_equal(error, "out of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill_after_some_answers_loses_none,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_kill_at_each_write_and_sync_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kill_in_a_checkpoint_loses_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_failed_write_or_sync_ends_all_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failed_checkpoint_at_open_is_told,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_without_memory_for_an_answer_the_store_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_without_memory_is_told, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
