/* SPDX-License-Identifier: Apache-2.0 */
/* Erasing in the SQLite store: in bounded steps, and a crash in the middle
 * loses nothing that is kept. What is kept is in the suite of all stores. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fault_vfs.h"
#include "sqlite_rig.h"

#define KEPT 20
/* SENDs in one life, at most; a TRIM after each fourth. */
#define SENDS_MAX 2000
/* As in write_trim.c. */
#define STEP_ROWS 512

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
    rig_teardown(*state);
    return 0;
}

static bool trim(struct sqlite_rig *rig, uint64_t now_ms, bool *more)
{
    struct roam_store_request *req = roam_store_request_new(ROAM_STORE_TRIM, 0);

    req->u.trim.now_ms = now_ms;
    if (!rig_do(rig, req)) {
        return false;
    }
    *more = req->u.trim.more;
    roam_store_request_free(req);
    return true;
}

static size_t count_entries(struct sqlite_rig *rig, int64_t user)
{
    struct roam_store_request *req = roam_store_request_new(ROAM_STORE_SYNC, 0);

    req->u.sync.user = user;
    assert_true(rig_do(rig, req));
    uint64_t floor = req->u.sync.floor;
    roam_store_request_free(req);
    req = rig_read_request(user);
    req->u.read.after = floor;
    assert_true(rig_do(rig, req));
    assert_true(req->u.read.is_link);
    size_t count = req->u.read.count;
    for (size_t i = 1; i < count; i++) {
        assert_true(req->u.read.entries[i].prev_version ==
                    req->u.read.entries[i - 1].version);
    }
    roam_store_request_free(req);
    return count;
}

static void test_step_erases_a_bounded_number_of_rows(void **state)
{
    struct sqlite_rig *rig = *state;
    uint64_t msg_id;
    bool more = true;

    rig_open(rig);
    struct roam_identity alice = rig_login(rig, "alice", 1, 1, 1, 0);
    for (uint64_t id = 1; id <= STEP_ROWS + 2; id++) { /* to herself */
        rig_send(rig, &alice, "alice", id, "x", RIG_NOW_MS, &msg_id);
    }
    rig_close(rig);
    rig->keep = (struct roam_store_keep){
        .timeline_ms = 1, .history_ms = 1, .dedup_ms = 1};
    rig_open(rig);
    uint64_t later = RIG_NOW_MS + 10 * ROAM_STORE_DEDUP_GRACE_MS;
    assert_true(trim(rig, later, &more));
    assert_true(more);
    assert_int_equal(count_entries(rig, alice.user), 2);
    int steps = 1;
    while (more) {
        assert_true(trim(rig, later, &more));
        steps++;
    }
    assert_int_equal(count_entries(rig, alice.user), 1);
    assert_int_equal(steps, 3); /* 1 entry and 511 messages, 3 messages */
}

/* --------------------------------------------------------------- the crash */

static int answers_fd;

static uint64_t time_of(uint64_t n)
{
    return RIG_NOW_MS + n * ROAM_STORE_DEDUP_GRACE_MS / 16;
}

static struct roam_store_request *message(const struct roam_identity *alice,
                                          uint64_t n)
{
    char body[32];

    snprintf(body, sizeof(body), "message %llu", (unsigned long long)n);
    return rig_send_request(alice, "bob", n, body, time_of(n));
}

static void send_and_trim(struct sqlite_rig *rig, long operations)
{
    rig_open(rig);
    struct roam_identity alice = rig_login(rig, "alice", 1, 1, 1, 0);
    bool more;

    fault_vfs_die(operations);
    for (uint64_t n = 1; n <= SENDS_MAX; n++) {
        struct roam_store_request *req = message(&alice, n);
        if (!rig_do(rig, req) || req->u.send.result != ROAM_SEND_STORED) {
            _exit(3);
        }
        if (write(answers_fd, &req->u.send.msg_id, 8) != 8) {
            _exit(4);
        }
        roam_store_request_free(req);
        if (n % 4 == 0 && !trim(rig, time_of(n), &more)) {
            _exit(5);
        }
    }
    _exit(6); /* it should have been killed long ago */
}

/* What was told before the process was killed; how many. */
static uint64_t live_and_die(struct sqlite_rig *rig, long operations,
                             uint64_t *msg_ids)
{
    int fds[2];
    int status;
    uint64_t n = 0;

    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        answers_fd = fds[1];
        send_and_trim(rig, operations);
    }
    close(fds[1]);
    while (n < SENDS_MAX && read(fds[0], &msg_ids[n], 8) == 8) {
        n++;
    }
    close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    return n;
}

/* Ids are remembered for two hours: of the last 32 SENDs. */
static void check_memory(struct sqlite_rig *rig,
                         const struct roam_identity *alice,
                         const uint64_t *msg_ids, uint64_t n)
{
    for (uint64_t id = n > 16 ? n - 15 : 1; id <= n; id++) {
        struct roam_store_request *req = message(alice, id);
        assert_true(rig_do(rig, req));
        assert_int_equal(req->u.send.result, ROAM_SEND_DUPLICATE);
        assert_true(req->u.send.msg_id == msg_ids[id - 1]);
        roam_store_request_free(req);
    }
}

static void test_kill_at_each_write_of_a_step_loses_nothing_kept(void **state)
{
    static uint64_t msg_ids[SENDS_MAX];
    struct sqlite_rig *rig = *state;
    const struct roam_store_keep keep = {.timeline_entries = KEPT,
                                         .timeline_ms =
                                             40 * ROAM_STORE_DEDUP_GRACE_MS,
                                         .history_ms = 1,
                                         .dedup_ms = ROAM_STORE_DEDUP_GRACE_MS};

    for (long n = 1300; n < 1340; n++) {
        rig->keep = keep;
        uint64_t told = live_and_die(rig, n, msg_ids);
        assert_true(told > 2 * KEPT);
        rig_open(rig);
        struct roam_identity alice = rig_login(rig, "alice", 1, 1, 2, 0);
        struct roam_identity bob = rig_login(rig, "bob", 1, 2, 1, 0);
        assert_int_equal(count_entries(rig, alice.user), KEPT);
        assert_int_equal(count_entries(rig, bob.user), KEPT);
        check_memory(rig, &alice, msg_ids, told);
        void *again = rig;
        teardown(&again);
        setup(&again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_step_erases_a_bounded_number_of_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_kill_at_each_write_of_a_step_loses_nothing_kept, setup,
            teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
