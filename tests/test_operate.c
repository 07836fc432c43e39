/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator does with roamd, by its commands: copies, going back to
 * one, looking, provisioning. What a copy holds is tested with the store. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <sqlite3.h>

#include "roamd_rig.h"

#define NO_LIMITS ((struct roamd_limits){0, 0})
#define start(rig, ...) roamd_start((rig), NO_LIMITS, __VA_ARGS__, NULL)

static char token[44];
static char backup[256];
static struct wire wire;

static int setup(void **state)
{
    static struct roamd_rig rig;

    roamd_rig_setup(&rig);
    roamd_rig_provision(&rig, "alice", token);
    snprintf(backup, sizeof(backup), "%s/backup.db", rig.dir);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    roamd_rig_teardown(*state);
    return 0;
}

static void assert_says(const struct roamd_rig *rig, const char *text)
{
    if (strstr(rig->err, text) == NULL) {
        fail_msg("\"%s\" is not in: %s", text, rig->err);
    }
}

static void assert_prints(const struct roamd_rig *rig, const char *text)
{
    if (strstr(rig->out, text) == NULL) {
        fail_msg("\"%s\" is not in: %s", text, rig->out);
    }
}

/* ------------------------------------------------- a device and its cursor */

static void enter(const struct roamd_rig *rig, uint64_t attempt)
{
    struct roam_message m = login_message("alice", token, 1, "a device");

    m.u.login.attempt = attempt;
    wire_open(&wire, rig->plain_port);
    assert_true(wire_send(&wire, &m));
    assert_true(wire_receive(&wire, &m));
    assert_int_equal(m.type, ROAM_LOGIN_OK);
}

static void send_note(uint64_t id)
{
    struct roam_message m;

    roam_message_init(&m, ROAM_SEND);
    m.u.send.client_msg_id = id;
    strcpy(m.u.send.conversation, "alice");
    m.body = (struct roam_slice){(const uint8_t *)"a note", 6};
    assert_true(wire_send(&wire, &m));
    do { /* entries of the SYNC before */
        assert_true(wire_receive(&wire, &m));
    } while (m.type != ROAM_SEND_OK);
}

static struct roam_message sync_at(uint64_t cursor)
{
    struct roam_message m;

    roam_message_init(&m, ROAM_SYNC);
    m.u.sync.cursor = cursor;
    m.u.sync.max_entries = 100;
    m.u.sync.max_unacked = 100;
    m.u.sync.max_inflated = 65536;
    m.u.sync.codecs = 1;
    assert_true(wire_send(&wire, &m));
    do {
        assert_true(wire_receive(&wire, &m));
    } while (m.type != ROAM_SYNC_OK);
    return m;
}

/* The head as a device learns it. */
static uint64_t head(void)
{
    return sync_at(0).u.sync_ok.head;
}

static void assert_reset(uint64_t cursor, roam_v1_ResetReason reason)
{
    struct roam_message m = sync_at(cursor);

    assert_int_equal(m.u.sync_ok.result, roam_v1_SyncResult_RESET);
    assert_int_equal(m.u.sync_ok.reason, reason);
}

static void leave(struct roamd_rig *rig)
{
    wire_close(&wire);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

/* [CHAIN-8] A device stored what the store then lost: it must learn that. */
static void test_cursors_of_a_lost_past_are_reset(void **state)
{
    struct roamd_rig *rig = *state;

    start(rig, "run", "--plain-port", "0");
    enter(rig, 1);
    send_note(1);
    uint64_t saved = head();
    roamd_expect(rig, 0, "backup", backup);
    send_note(2);
    send_note(3);
    uint64_t lost = head();
    assert_true(lost > saved);
    leave(rig);
    roamd_expect(rig, 0, "restore", backup);
    start(rig, "run", "--plain-port", "0");
    enter(rig, 2);
    assert_int_equal(head(), saved);
    assert_reset(lost, roam_v1_ResetReason_AHEAD);
    struct roam_message m = sync_at(saved);
    assert_int_equal(m.u.sync_ok.result, roam_v1_SyncResult_UP_TO_DATE);
    leave(rig);
    start(rig, "run", "--plain-port", "0");
    enter(rig, 3);
    send_note(4); /* the chain goes on, past what was lost */
    assert_true(head() > lost);
    assert_reset(lost, roam_v1_ResetReason_NOT_A_LINK);
    assert_reset(lost - 1, roam_v1_ResetReason_NOT_A_LINK);
    m = sync_at(saved);
    assert_int_equal(m.u.sync_ok.result, roam_v1_SyncResult_DELTA);
    leave(rig);
    roamd_expect(rig, 0, "check");
}

/* ------------------------------------------------------ the store's commands
 */

static void test_restore_is_for_a_server_that_is_stopped(void **state)
{
    struct roamd_rig *rig = *state;

    start(rig, "run", "--plain-port", "0");
    roamd_expect(rig, 0, "backup", backup);
    roamd_expect(rig, 1, "restore", backup);
    assert_says(rig, "in use by another server");
    enter(rig, 1);
    leave(rig);
    roamd_expect(rig, 0, "restore", backup);
}

/* The machine is a new one: `init`, then the backup. */
static void test_backup_comes_up_in_another_home(void **state)
{
    struct roamd_rig *rig = *state;

    roamd_expect(rig, 0, "backup", backup);
    snprintf(rig->home, sizeof(rig->home), "%s/other", rig->dir);
    roamd_expect(rig, 0, "init");
    roamd_expect(rig, 0, "restore", backup);
    start(rig, "run", "--plain-port", "0");
    enter(rig, 1);
    leave(rig);
}

static void damage(const char *path)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE token SET user = 99", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
}

static void test_check_names_what_is_wrong_and_fails(void **state)
{
    struct roamd_rig *rig = *state;

    roamd_expect(rig, 0, "check");
    assert_string_equal(rig->out, "ok\n");
    roamd_expect(rig, 0, "backup", backup);
    damage(backup);
    roamd_expect(rig, 1, "check", backup);
    assert_prints(rig, "token-user: token ");
    assert_says(rig, "1 invariants do not hold");
    roamd_expect(rig, 1, "restore", backup);
    assert_prints(rig, "token-user: token ");
    assert_says(rig, "nothing was restored");
    roamd_expect(rig, 0, "check");
    roamd_expect(rig, 1, "check", "/no/such/file");
    assert_says(rig, "unable to open");
}

static void test_stats_are_for_people_and_for_programs(void **state)
{
    struct roamd_rig *rig = *state;
    static const char *const names[] = {
        "users",    "tokens",     "tokens_ended", "devices",
        "messages", "slots_held", "groups",       "body_bytes",
        "entries",  "file_bytes", "log_bytes",    "conversations"};

    start(rig, "run", "--plain-port", "0");
    enter(rig, 1);
    send_note(1);
    roamd_expect(rig, 0, "stats", "--json");
    json_t *stats = json_loads(rig->out, 0, NULL);
    assert_non_null(stats);
    assert_int_equal(json_integer_value(json_object_get(stats, "messages")), 1);
    assert_int_equal(json_integer_value(json_object_get(stats, "users")), 1);
    roamd_expect(rig, 0, "stats");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_true(json_is_integer(json_object_get(stats, names[i])));
        assert_prints(rig, names[i]);
    }
    assert_int_equal(json_object_size(stats), sizeof(names) / sizeof(names[0]));
    json_decref(stats);
    leave(rig);
}

static void test_misuse_of_them_is_status_2(void **state)
{
    struct roamd_rig *rig = *state;
    static const char *const wrong[][4] = {
        {"stats", "--xml"},
        {"stats", "--json", "x"},
        {"check", "a", "b"},
        {"check", "--all"},
        {"backup"},
        {"backup", "--to"},
        {"restore"},
        {"restore", "a", "b"},
        {"user", "list", "x"},
        {"token", "list", "a", "b"},
        {"token", "issue", "alice", "--expires=2020-01-01T00:00:00Z"},
        {"token", "issue", "alice", "--expires=1969-12-31T23:59:59Z"},
        {"token", "revoke"},
        {"token", "revoke", "--id", NULL},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        roamd_do(rig, NULL, wrong[i][0], wrong[i][1], wrong[i][2], wrong[i][3],
                 NULL);
        if (rig->status != 2) {
            fail_msg("line %zu: status %d: %s", i, rig->status, rig->err);
        }
    }
}

/* ----------------------------------------------------------- provisioning */

static void test_lists_show_all_but_the_secret(void **state)
{
    struct roamd_rig *rig = *state;
    char id[17];

    roamd_expect(rig, 0, "user", "add", "bob\nforged");
    roamd_expect(rig, 0, "token", "issue", "bob\nforged", "--type", "web",
                 "--expires", "2090-01-31T12:00:00Z");
    roamd_expect(rig, 0, "token", "issue", "alice", "--allow-past", "--expires",
                 "2021-01-31T12:00:00Z");
    roamd_expect(rig, 0, "user", "list");
    assert_string_equal(rig->out, "alice\nbob\\x0aforged\n");
    roamd_expect(rig, 0, "token", "list");
    assert_null(strstr(rig->out, token));
    assert_prints(rig, "\tgood\tany\tnever\t-\t2");
    assert_prints(rig, "\texpired\tany\t2021-01-31T12:00:00Z\t-\t2");
    assert_prints(rig, "\tgood\tweb\t2090-01-31T12:00:00Z\t-\t2");
    assert_prints(rig, "Z\tbob\\x0aforged\n");
    roamd_expect(rig, 0, "token", "list", "bob\nforged");
    assert_null(strstr(rig->out, "alice"));
    memcpy(id, rig->out, 16);
    id[16] = '\0';
    roamd_expect(rig, 0, "token", "revoke", "--id", id);
    roamd_expect(rig, 0, "token", "list", "bob\nforged");
    assert_prints(rig, "\trevoked\tweb\t");
    roamd_expect(rig, 1, "token", "revoke", "--id", "0123456789abcdef");
    assert_says(rig, "no token of that id");
    roamd_expect(rig, 1, "token", "list", "carol");
    assert_says(rig, "no user");
}

/* [DEV-1] */
static void test_list_tells_the_device_of_a_token(void **state)
{
    struct roamd_rig *rig = *state;

    start(rig, "run", "--plain-port", "0");
    enter(rig, 1);
    leave(rig);
    roamd_expect(rig, 0, "token", "list");
    assert_prints(rig, "\tnever\t01010101010101010101010101010101\t2");
}

/* To the second. */
static void test_list_tells_when_a_token_was_made(void **state)
{
    struct roamd_rig *rig = *state;
    char made[32], first[32], last[32];
    time_t now = time(NULL);

    strftime(first, sizeof(first), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    roamd_expect(rig, 0, "user", "add", "bob");
    roamd_expect(rig, 0, "token", "issue", "bob");
    now = time(NULL);
    strftime(last, sizeof(last), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    roamd_expect(rig, 0, "token", "list", "bob");
    assert_int_equal(sscanf(rig->out, "%*s good any never - %31s bob\n", made),
                     1);
    assert_true(strcmp(first, made) <= 0);
    assert_true(strcmp(made, last) <= 0);
}

static void test_token_that_is_over_already_must_be_meant(void **state)
{
    struct roamd_rig *rig = *state;

    roamd_expect(rig, 1, "token", "issue", "alice", "--expires",
                 "2021-01-31T12:00:00Z");
    assert_says(rig, "--allow-past");
    assert_string_equal(rig->out, "");
    roamd_expect(rig, 0, "token", "issue", "alice", "--expires",
                 "2021-01-31T12:00:00Z", "--allow-past");
    assert_int_equal(strlen(rig->out), 44);
    roamd_expect(rig, 0, "token", "issue", "alice", "--expires", "1s");
    roamd_expect(rig, 0, "token", "issue", "alice", "--expires", "never");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_cursors_of_a_lost_past_are_reset),
        TEST(test_restore_is_for_a_server_that_is_stopped),
        TEST(test_backup_comes_up_in_another_home),
        TEST(test_check_names_what_is_wrong_and_fails),
        TEST(test_stats_are_for_people_and_for_programs),
        TEST(test_misuse_of_them_is_status_2),
        TEST(test_lists_show_all_but_the_secret),
        TEST(test_list_tells_the_device_of_a_token),
        TEST(test_list_tells_when_a_token_was_made),
        TEST(test_token_that_is_over_already_must_be_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
