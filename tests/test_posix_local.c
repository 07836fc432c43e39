/* SPDX-License-Identifier: Apache-2.0 */
/* The local store: what it promises across crashes, checked by closing it
 * without a commit, by opening it again, and by a child that is killed. */
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
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "history_rig.h"

static bool is(struct roam_bytes bytes, const char *text)
{
    return bytes.len == strlen(text) &&
           memcmp(bytes.data, text, bytes.len) == 0;
}

static struct roam_local *open_as(enum roam_local_mode mode)
{
    char detail[ROAM_POSIX_DETAIL_MAX] = "";
    struct roam_local *l;
    enum roam_posix_status status =
        roam_local_open(local_path, "alice", ROAM_PHONE, mode, &l, detail);
    if (status != OK) {
        fail_msg("%s: %s", roam_posix_status_text(status), detail);
    }
    return l;
}

static struct roam_entry_event message(uint64_t version, uint64_t prev,
                                       uint64_t msg_id, const char *body)
{
    struct roam_entry_event e;
    memset(&e, 0, sizeof e);
    e.version = version;
    e.prev_version = prev;
    e.msg_id = msg_id;
    e.conversation = local_rig_text("bob");
    e.sender = local_rig_text("bob");
    e.body = local_rig_text(body);
    return e;
}

static struct roam_local_counts count(struct roam_local *l)
{
    struct roam_local_counts c;
    assert_int_equal(roam_local_count(l, &c), OK);
    return c;
}

static uint64_t cursor(struct roam_local *l)
{
    struct roam_local_device d;
    roam_local_device(l, &d);
    return d.cursor;
}

static void add(struct roam_local *l, struct roam_entry_event e)
{
    assert_int_equal(roam_local_add_entry(l, &e), OK);
}

/* ------------------------------------------------------------------ tests */

static void test_a_new_store_is_private_and_random(void **state)
{
    struct roam_local_device first, second;
    struct stat st;
    (void)state;
    struct roam_local *l = local_rig_store();
    roam_local_device(l, &first);
    roam_local_close(l);
    assert_int_equal(stat(local_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_string_equal(first.user, "alice");
    assert_int_equal(first.device_type, ROAM_PHONE);
    assert_int_equal(first.attempt, 0);
    assert_int_equal(first.cursor, 0);

    unlink(local_path);
    l = local_rig_store();
    roam_local_device(l, &second);
    roam_local_close(l);
    assert_memory_not_equal(first.device_id, second.device_id, 16);
}

static void test_the_identity_survives(void **state)
{
    struct roam_local_device before, after;
    (void)state;
    struct roam_local *l = local_rig_store();
    roam_local_device(l, &before);
    roam_local_close(l);
    l = local_rig_store();
    roam_local_device(l, &after);
    roam_local_close(l);
    assert_memory_equal(before.device_id, after.device_id, 16);
}

static void test_another_users_store_is_refused(void **state)
{
    char detail[ROAM_POSIX_DETAIL_MAX];
    struct roam_local *l = local_rig_store();
    (void)state;
    roam_local_close(l);
    assert_int_equal(roam_local_open(local_path, "bob", ROAM_PHONE,
                                     ROAM_LOCAL_OWN, &l, detail),
                     ROAM_POSIX_STATUS_STORE_OTHER);
    assert_null(l);
    assert_string_equal(detail, "it belongs to alice's phone");
    assert_int_equal(roam_local_open(local_path, "alice", ROAM_WEB,
                                     ROAM_LOCAL_READ, &l, detail),
                     ROAM_POSIX_STATUS_STORE_OTHER);
}

static void test_a_user_of_64_bytes_fits_and_65_do_not(void **state)
{
    char detail[ROAM_POSIX_DETAIL_MAX], name[66];
    struct roam_local *l;
    struct roam_local_device d;
    (void)state;
    memset(name, 'u', 65);
    name[65] = '\0';
    assert_int_equal(roam_local_open(local_path, name, ROAM_PHONE,
                                     ROAM_LOCAL_OWN, &l, detail),
                     ROAM_POSIX_STATUS_BAD_ARGUMENT);
    name[64] = '\0';
    assert_int_equal(roam_local_open(local_path, name, ROAM_PHONE,
                                     ROAM_LOCAL_OWN, &l, detail),
                     OK);
    roam_local_device(l, &d);
    assert_string_equal(d.user, name);
    roam_local_close(l);
}

static void test_a_store_in_memory_is_nobody_elses_and_gone_with_it(
    void **state)
{
    char detail[ROAM_POSIX_DETAIL_MAX];
    struct roam_local *l, *other;
    uint64_t attempt;
    (void)state;
    assert_int_equal(
        roam_local_open(NULL, "alice", ROAM_PHONE, ROAM_LOCAL_READ, &l, detail),
        ROAM_POSIX_STATUS_BAD_ARGUMENT);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(roam_local_open(NULL, "alice", ROAM_PHONE,
                                         ROAM_LOCAL_OWN, &l, detail),
                         OK);
        assert_int_equal(roam_local_open(NULL, "bob", ROAM_WEB, ROAM_LOCAL_OWN,
                                         &other, detail),
                         OK);
        add(l, message(1, 0, 10, "x"));
        assert_int_equal(roam_local_next_attempt(l, &attempt), OK);
        assert_int_equal(attempt, 1);
        assert_int_equal(count(l).messages, 1);
        assert_int_equal(count(other).messages, 0);
        roam_local_close(other);
        roam_local_close(l);
    }
}

static void test_a_second_owner_is_kept_out_and_a_reader_is_not(void **state)
{
    char detail[ROAM_POSIX_DETAIL_MAX];
    struct roam_local *second;
    (void)state;
    struct roam_local *l = local_rig_store();
    add(l, message(1, 0, 10, "x"));
    assert_int_equal(roam_local_commit(l), OK);
    assert_int_equal(roam_local_open(local_path, "alice", ROAM_PHONE,
                                     ROAM_LOCAL_OWN, &second, detail),
                     ROAM_POSIX_STATUS_STORE_IN_USE);
    struct roam_local *reader = open_as(ROAM_LOCAL_READ);
    assert_int_equal(count(reader).messages, 1);
    uint64_t attempt;
    assert_int_equal(roam_local_next_attempt(reader, &attempt),
                     ROAM_POSIX_STATUS_STORE);
    roam_local_close(reader);
    roam_local_close(l);
    roam_local_close(local_rig_store());
}

static void test_an_attempt_is_durable_at_once(void **state)
{
    uint64_t attempt = 0;
    (void)state;
    struct roam_local *l = local_rig_store();
    for (uint64_t i = 1; i <= 3; i++) {
        assert_int_equal(roam_local_next_attempt(l, &attempt), OK);
        assert_int_equal(attempt, i);
        struct roam_local *reader = open_as(ROAM_LOCAL_READ);
        struct roam_local_device d;
        roam_local_device(reader, &d);
        assert_int_equal(d.attempt, i);
        roam_local_close(reader);
    }
    roam_local_close(l);
}

static void test_a_new_device_keeps_all_but_its_id(void **state)
{
    struct roam_local_device before, after;
    uint64_t attempt;
    (void)state;
    struct roam_local *l = local_rig_store();
    add(l, message(5, 0, 10, "x"));
    assert_int_equal(roam_local_next_attempt(l, &attempt), OK);
    roam_local_device(l, &before);
    assert_int_equal(roam_local_new_device(l), OK);
    roam_local_close(l);
    l = local_rig_store();
    roam_local_device(l, &after);
    assert_memory_not_equal(before.device_id, after.device_id, 16);
    assert_int_equal(after.attempt, before.attempt);
    assert_int_equal(after.cursor, 5);
    assert_int_equal(count(l).messages, 1);
    roam_local_close(l);
}

static void test_entries_and_cursor_are_there_together_or_not(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    add(l, message(3, 0, 10, "a"));
    assert_int_equal(roam_local_commit(l), OK);
    add(l, message(7, 3, 20, "b"));
    add(l, message(9, 7, 30, "c"));
    assert_int_equal(cursor(l), 9);
    roam_local_close(l); /* as a crash would */

    l = local_rig_store();
    assert_int_equal(cursor(l), 3);
    assert_int_equal(count(l).messages, 1);
    add(l, message(7, 3, 20, "b"));
    add(l, message(9, 7, 30, "c"));
    roam_local_rollback(l);
    assert_int_equal(cursor(l), 3);
    assert_int_equal(count(l).messages, 1);
    add(l, message(7, 3, 20, "b"));
    assert_int_equal(roam_local_commit(l), OK);
    roam_local_close(l);

    l = local_rig_store();
    assert_int_equal(cursor(l), 7);
    assert_string_equal(rig_bodies(l, "bob"), "a|b|");
    roam_local_close(l);
}

static void test_a_killed_process_leaves_whole_transactions(void **state)
{
    int ready[2];
    char byte;
    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct roam_local *l = local_rig_store();
        add(l, message(1, 0, 10, "a"));
        roam_local_commit(l);
        add(l, message(2, 1, 20, "b"));
        if (write(ready[1], "r", 1) != 1) {
            _exit(1);
        }
        for (;;) {
            pause();
        }
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    struct roam_local *l = local_rig_store(); /* the lock died with it */
    assert_int_equal(cursor(l), 1);
    assert_string_equal(rig_bodies(l, NULL), "a|");
    roam_local_close(l);
    close(ready[0]);
    close(ready[1]);
}

static void test_an_entry_off_the_chain_changes_nothing(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    add(l, message(3, 0, 10, "a"));
    struct roam_entry_event gap = message(9, 7, 30, "c");
    struct roam_entry_event again = message(3, 0, 10, "a");
    struct roam_entry_event back = message(2, 3, 40, "d");
    assert_int_equal(roam_local_add_entry(l, &gap),
                     ROAM_POSIX_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_local_add_entry(l, &again),
                     ROAM_POSIX_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_local_add_entry(l, &back),
                     ROAM_POSIX_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_local_commit(l), OK);
    assert_int_equal(cursor(l), 3);
    assert_string_equal(rig_bodies(l, NULL), "a|");
    roam_local_close(l);
}

static void test_a_message_that_comes_twice_is_there_once(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    add(l, message(1, 0, 10, "first"));
    add(l, message(2, 1, 10, "again"));
    assert_int_equal(roam_local_commit(l), OK);
    assert_int_equal(cursor(l), 2);
    assert_string_equal(rig_bodies(l, "bob"), "first|");
    roam_local_close(l);
}

static void test_a_noop_moves_the_cursor_alone(void **state)
{
    struct roam_entry_event noop;
    (void)state;
    memset(&noop, 0, sizeof noop);
    noop.version = 4;
    noop.kind = ROAM_KIND_NOOP;
    struct roam_local *l = local_rig_store();
    add(l, noop);
    assert_int_equal(roam_local_commit(l), OK);
    assert_int_equal(cursor(l), 4);
    assert_int_equal(count(l).messages, 0);
    roam_local_close(l);
}

static void test_an_unknown_kind_is_kept_and_passed(void **state)
{
    struct roam_entry_event e = message(4, 0, 0, "raw");
    (void)state;
    e.kind = 77;
    struct roam_local *l = local_rig_store();
    add(l, e);
    assert_int_equal(roam_local_commit(l), OK);
    assert_int_equal(cursor(l), 4);
    assert_int_equal(count(l).unknown, 1);
    assert_int_equal(count(l).messages, 0);
    roam_local_close(l);
}

static void test_a_hole_stands_where_it_happened(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    add(l, message(1, 0, 10, "before"));
    assert_int_equal(roam_local_add_reset(l, 100, 1700000000000u), OK);
    assert_int_equal(cursor(l), 100);
    add(l, message(101, 100, 20, "after"));
    assert_int_equal(roam_local_commit(l), OK);
    assert_string_equal(rig_bodies(l, "bob"), "before|HOLE|after|");
    assert_int_equal(count(l).holes, 1);
    roam_local_close(l);
}

static void test_history_is_in_the_order_of_msg_id(void **state)
{
    struct roam_entry_event other = message(3, 2, 15, "other");
    (void)state;
    other.conversation = local_rig_text("carol");
    struct roam_local *l = local_rig_store();
    add(l, message(1, 0, 30, "late"));
    add(l, message(2, 1, 10, "early"));
    add(l, other);
    assert_int_equal(roam_local_commit(l), OK);
    assert_string_equal(rig_bodies(l, NULL), "early|other|late|");
    assert_string_equal(rig_bodies(l, "bob"), "early|late|");
    assert_string_equal(rig_bodies(l, "nobody"), "");
    roam_local_close(l);
}

/* ----------------------------------------------------------------- outbox */

static struct roam_local_outgoing outgoing(uint64_t id, const char *body)
{
    struct roam_local_outgoing m;
    memset(&m, 0, sizeof m);
    m.client_msg_id = id;
    m.conversation = local_rig_text("bob");
    m.content_type = local_rig_text("text/x");
    m.body = local_rig_text(body);
    m.queued_ms = 1;
    return m;
}

static void queue(struct roam_local *l, uint64_t id, const char *body)
{
    struct roam_local_outgoing m = outgoing(id, body);
    assert_int_equal(roam_local_outbox_add(l, &m), OK);
    assert_true(m.order > 0);
}

static void test_the_outbox_survives_in_order(void **state)
{
    const uint64_t high = UINT64_MAX;
    struct roam_local_outgoing m;
    bool found;
    (void)state;
    struct roam_local *l = local_rig_store();
    queue(l, high, "one");
    queue(l, 2, "two");
    roam_local_close(l);

    l = local_rig_store();
    assert_int_equal(roam_local_outbox_next(l, 0, &m, &found), OK);
    assert_true(found);
    assert_true(m.client_msg_id == high);
    assert_true(is(m.body, "one"));
    assert_true(is(m.conversation, "bob"));
    assert_true(is(m.content_type, "text/x"));
    assert_int_equal(m.first_sent_ms, 0);
    assert_int_equal(roam_local_outbox_next(l, m.order, &m, &found), OK);
    assert_true(found && m.client_msg_id == 2);
    assert_int_equal(roam_local_outbox_next(l, m.order, &m, &found), OK);
    assert_false(found);
    roam_local_close(l);
}

static void test_an_id_can_be_in_the_outbox_once(void **state)
{
    struct roam_local_outgoing again = outgoing(5, "y");
    (void)state;
    struct roam_local *l = local_rig_store();
    queue(l, 5, "x");
    assert_int_equal(roam_local_outbox_add(l, &again),
                     ROAM_POSIX_STATUS_BAD_ARGUMENT);
    assert_int_equal(count(l).outbox, 1);
    roam_local_close(l);
}

static void test_the_first_time_sent_is_kept(void **state)
{
    struct roam_local_outgoing m;
    bool found;
    (void)state;
    struct roam_local *l = local_rig_store();
    queue(l, 5, "x");
    assert_int_equal(roam_local_outbox_mark(l, 5, 111), OK);
    assert_int_equal(roam_local_outbox_mark(l, 5, 222), OK);
    assert_int_equal(roam_local_commit(l), OK);
    roam_local_close(l);
    l = local_rig_store();
    assert_int_equal(roam_local_outbox_next(l, 0, &m, &found), OK);
    assert_true(found);
    assert_int_equal(m.first_sent_ms, 111);
    roam_local_close(l);
}

static void test_a_sent_message_moves_into_the_history(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    queue(l, 5, "hello");
    rig_sent_as(l, 5, 40);
    rig_sent_as(l, 5, 40); /* no more */
    assert_int_equal(roam_local_commit(l), OK);
    assert_int_equal(count(l).outbox, 0);
    assert_string_equal(rig_bodies(l, "bob"), "hello|");
    roam_local_close(l);
}

static void test_an_own_entry_completes_the_outbox(void **state)
{
    struct roam_entry_event own = message(1, 0, 40, "hello");
    (void)state;
    own.sender = local_rig_text("alice");
    own.client_msg_id = 5;
    struct roam_local *l = local_rig_store();
    queue(l, 5, "hello");
    add(l, own);
    rig_sent_as(l, 5, 40);
    assert_int_equal(roam_local_commit(l), OK);
    assert_int_equal(count(l).outbox, 0);
    assert_string_equal(rig_bodies(l, "bob"), "hello|");
    roam_local_close(l);
}

static void test_a_dropped_message_leaves_nothing(void **state)
{
    (void)state;
    struct roam_local *l = local_rig_store();
    queue(l, 5, "x");
    assert_int_equal(roam_local_outbox_drop(l, 5), OK);
    assert_int_equal(roam_local_commit(l), OK);
    assert_int_equal(count(l).outbox, 0);
    assert_int_equal(count(l).messages, 0);
    roam_local_close(l);
}

/* ---------------------------------------------------------------- failure */

static void test_a_full_disk_undoes_the_whole_transaction(void **state)
{
    struct rlimit before, small;
    struct stat st;
    (void)state;
    static char body[60000];
    memset(body, 'x', sizeof body - 1);
    struct roam_local *l = local_rig_store();
    add(l, message(1, 0, 10, "a"));
    assert_int_equal(roam_local_commit(l), OK);

    /* No file may grow any more: write() fails like on a full disk. */
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(stat(local_path, &st), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = (rlim_t)st.st_size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum roam_posix_status status = OK;
    uint64_t version = 1;
    while (status == OK && version < 1000) {
        struct roam_entry_event e =
            message(version + 1, version, version * 100, body);
        status = roam_local_add_entry(l, &e);
        if (status == OK) {
            status = roam_local_commit(l);
        }
        version += status == OK;
    }
    roam_local_rollback(l);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, ROAM_POSIX_STATUS_STORE);
    assert_true(strlen(roam_local_error(l)) > 0);
    assert_int_equal(cursor(l), version);
    assert_int_equal(count(l).messages, version);
    roam_local_close(l);

    l = local_rig_store();
    assert_int_equal(cursor(l), version);
    assert_int_equal(count(l).messages, version);
    roam_local_close(l);
}

static void test_what_is_no_store_is_refused(void **state)
{
    char detail[ROAM_POSIX_DETAIL_MAX] = "";
    struct roam_local *l;
    (void)state;
    FILE *f = fopen(local_path, "w");
    assert_non_null(f);
    for (int i = 0; i < 200; i++) {
        fputs("this is not a database\n", f);
    }
    fclose(f);
    assert_int_equal(roam_local_open(local_path, "alice", ROAM_PHONE,
                                     ROAM_LOCAL_OWN, &l, detail),
                     ROAM_POSIX_STATUS_STORE);
    assert_null(l);
    assert_true(strlen(detail) > 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, local_rig_open, local_rig_close)
    const struct CMUnitTest tests[] = {
        T(test_a_new_store_is_private_and_random),
        T(test_the_identity_survives),
        T(test_another_users_store_is_refused),
        T(test_a_user_of_64_bytes_fits_and_65_do_not),
        T(test_a_store_in_memory_is_nobody_elses_and_gone_with_it),
        T(test_a_second_owner_is_kept_out_and_a_reader_is_not),
        T(test_an_attempt_is_durable_at_once),
        T(test_a_new_device_keeps_all_but_its_id),
        T(test_entries_and_cursor_are_there_together_or_not),
        T(test_a_killed_process_leaves_whole_transactions),
        T(test_an_entry_off_the_chain_changes_nothing),
        T(test_a_message_that_comes_twice_is_there_once),
        T(test_a_noop_moves_the_cursor_alone),
        T(test_an_unknown_kind_is_kept_and_passed),
        T(test_a_hole_stands_where_it_happened),
        T(test_history_is_in_the_order_of_msg_id),
        T(test_the_outbox_survives_in_order),
        T(test_an_id_can_be_in_the_outbox_once),
        T(test_the_first_time_sent_is_kept),
        T(test_a_sent_message_moves_into_the_history),
        T(test_an_own_entry_completes_the_outbox),
        T(test_a_dropped_message_leaves_nothing),
        T(test_a_full_disk_undoes_the_whole_transaction),
        T(test_what_is_no_store_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
