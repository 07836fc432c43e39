/* SPDX-License-Identifier: Apache-2.0 */
/* What the policy costs the SQLite store when strangers may only ask: a MESSAGE
 * must not be the dearer the more was asked before it. The unit is the step of
 * SQLite's virtual machine. [POL-2] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "db.h"
#include "post.h"
#include "roam.pb.h"
#include "sqlite_rig.h"

enum {
    STRANGER = 2,
    USER = 3,
    MANY = 10000,
    FEW_STEPS = 200
};

static struct sqlite_rig rig;
static struct roam_writer writer;

static void change(const char *sql)
{
    if (roam_db_exec(writer.db, sql) != SQLITE_OK) {
        fail_msg("%s", sqlite3_errmsg(writer.db));
    }
}

/* The stranger has asked many times, with APPs; nobody has said anything. */
static int setup(void **state)
{
    (void)state;
    char error[256] = "";
    rig_setup(&rig);
    rig.crafted = true;
    const struct roam_store_sqlite_config config = {
        .path = rig.path, .settings = {.strangers_ask = true}};

    memset(&writer, 0, sizeof(writer));
    if (!roam_writer_open(&writer, &config, error, sizeof(error))) {
        fail_msg("%s", error);
    }
    change("INSERT INTO user(id, name) VALUES(2, 'stranger'), (3, 'user');"
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
           " WHERE i < 10000) INSERT INTO message SELECT i, i, 2, 3, 1, 1, 1,"
           " i, 5, '', 'x', 1, 0 FROM n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    roam_writer_close(&writer);
    rig_teardown(&rig);
    return 0;
}

/* Steps of one look at whether the stranger's MESSAGE is refused. */
static int look(bool *refused)
{
    sqlite3_stmt *stmt = writer.stmt[ROAM_WRITER_SPOKE];

    /* Nothing, when the statement is not asked at all. */
    (void)sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
    assert_true(roam_policy_refuses(&writer, STRANGER, USER,
                                    roam_v1_Kind_MESSAGE, refused));
    return sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 0);
}

static void test_stranger_who_asked_much_costs_little(void **state)
{
    (void)state;
    bool refused = false;

    assert_true(look(&refused) > MANY); /* once */
    assert_true(refused);
    assert_in_range(look(&refused), 0, FEW_STEPS);
    assert_true(refused);
    /* What came since is looked at, and only that. */
    change("INSERT INTO message VALUES(10001, 10001, 2, 3, 1, 1, 1, 10001, 5,"
           " '', 'x', 1, 0)");
    assert_in_range(look(&refused), 0, FEW_STEPS);
    assert_true(refused);
    change("INSERT INTO message VALUES(10002, 10002, 3, 2, 1, 1, 1, 1, 5, '',"
           " 'x', 1, 0)");
    assert_in_range(look(&refused), 0, FEW_STEPS);
    assert_false(refused);
}

static void test_answer_behind_much_is_found_once(void **state)
{
    (void)state;
    bool refused = true;

    change("INSERT INTO message VALUES(10001, 10001, 3, 2, 1, 1, 1, 1, 5, '',"
           " 'x', 1, 0)");
    assert_true(look(&refused) > MANY);
    assert_false(refused);
    assert_in_range(look(&refused), 0, FEW_STEPS);
    assert_false(refused);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_stranger_who_asked_much_costs_little),
        TEST(test_answer_behind_much_is_found_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
