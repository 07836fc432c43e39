/* SPDX-License-Identifier: Apache-2.0 */
/* What a page costs the SQLite store: its own rows, not the history behind
 * them. The unit is the step of SQLite's virtual machine. [HIST-1], [HIST-8] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "db.h"
#include "reader.h"
#include "sqlite_rig.h"

enum {
    USER = 1,
    FIRST_PEER = 10,
    CONVERSATIONS = 200
};

static struct sqlite_rig rig;
static struct roam_store_reader reader;

static int setup(void **state)
{
    (void)state;
    memset(&reader, 0, sizeof(reader));
    rig_setup(&rig);
    rig.crafted = true;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    roam_store_reader_close(&reader);
    rig_teardown(&rig);
    return 0;
}

/* A store in which the user has so many messages with each of the others, all
 * read but the last 8, and an operation behind them. */
static void fill(unsigned messages)
{
    char error[256] = "";
    sqlite3 *db = roam_db_open(rig.path, true, error, sizeof(error));

    if (db == NULL) {
        fail_msg("%s", error);
    }
    char *sql = sqlite3_mprintf(
        "BEGIN; DELETE FROM message; DELETE FROM conversation;"
        "DELETE FROM timeline;"
        "INSERT OR IGNORE INTO user(id, name) VALUES(%d, 'me');"
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n"
        " WHERE i < %d) INSERT OR IGNORE INTO"
        " user(id, name) SELECT %d + i, 'peer ' || i FROM n;"
        "INSERT INTO conversation(user, peer, read_mark)"
        " SELECT %d, id, %u - 8 FROM user WHERE id >= %d;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
        " WHERE i < %u) INSERT INTO message SELECT i * 1000 + u.id, i, u.id,"
        " %d, 1, 1, 1, i, 0, '', 'x', 0, 0 FROM n, user u WHERE u.id >= %d;"
        "INSERT INTO message SELECT 1000000 + id, 1000, id, %d, 1, 1, 1, 1000,"
        " 5, '', 'x', 1, 0 FROM user WHERE id >= %d;"
        "INSERT INTO timeline SELECT %d, row_number() OVER (ORDER BY id), 1,"
        " id FROM message; COMMIT",
        USER, CONVERSATIONS - 1, FIRST_PEER, USER, messages, FIRST_PEER,
        messages, USER, FIRST_PEER, USER, FIRST_PEER, USER);
    if (roam_db_exec(db, sql) != SQLITE_OK) {
        fail_msg("%s", sqlite3_errmsg(db));
    }
    sqlite3_free(sql);
    roam_db_close(db);
}

static int steps(void)
{
    int sum = 0;

    for (size_t i = 0; i < ROAM_READER_STATEMENTS; i++) {
        sum +=
            sqlite3_stmt_status(reader.stmt[i], SQLITE_STMTSTATUS_VM_STEP, 1);
    }
    return sum;
}

static uint64_t told; /* by the store, of the last page's cost, in rows */

/* Reads one page; returns what it cost. */
static int cost_of(struct roam_store_request *req, size_t want, bool more)
{
    char error[256] = "";

    if (!roam_store_reader_open(&reader, rig.path, error, sizeof(error))) {
        fail_msg("%s", error);
    }
    assert_true(roam_store_reader_begin(&reader));
    assert_true(roam_store_reader_do(&reader, req));
    assert_true(roam_store_reader_end(&reader));
    bool list = req->kind == ROAM_STORE_CONVERSATIONS;
    assert_int_equal(list ? req->u.conversations.count : req->u.history.count,
                     want);
    assert_int_equal(list ? req->u.conversations.more : req->u.history.more,
                     more);
    int cost = steps();
    told = list ? req->u.conversations.cost : req->u.history.cost;
    roam_store_reader_close(&reader);
    roam_store_request_free(req);
    return cost;
}

static int cost_of_list(void)
{
    struct roam_store_request *req =
        roam_store_request_new(ROAM_STORE_CONVERSATIONS, 1);

    assert_non_null(req);
    req->u.conversations.user = USER;
    req->u.conversations.conversation.data = req->memory;
    req->u.conversations.max_count = 50;
    req->u.conversations.max_bytes = 100000;
    req->u.conversations.body_limit = 1000;
    return cost_of(req, 50, true);
}

static int cost_of_history(uint64_t before, uint64_t after)
{
    struct roam_store_request *req =
        roam_store_request_new(ROAM_STORE_HISTORY, 6);

    assert_non_null(req);
    memcpy(req->memory, "peer 7", 6);
    req->u.history.user = USER;
    req->u.history.conversation = (struct roam_slice){req->memory, 6};
    req->u.history.before = before;
    req->u.history.after = after;
    req->u.history.max_count = 5;
    req->u.history.max_bytes = 100000;
    req->u.history.body_limit = 1000;
    return cost_of(req, 5, true);
}

static int cost_of_operations(void)
{
    struct roam_store_request *req =
        roam_store_request_new(ROAM_STORE_HISTORY, 6);

    assert_non_null(req);
    memcpy(req->memory, "peer 7", 6);
    req->u.history.user = USER;
    req->u.history.conversation = (struct roam_slice){req->memory, 6};
    req->u.history.operations_only = true;
    req->u.history.max_count = 5;
    req->u.history.max_bytes = 100000;
    req->u.history.body_limit = 1000;
    return cost_of(req, 1, false);
}

static void test_a_page_costs_what_is_in_it(void **state)
{
    (void)state;
    fill(10);
    int list = cost_of_list();
    int newest = cost_of_history(0, 0);
    int oldest = cost_of_history(0, 1);
    int operations = cost_of_operations();
    assert_true(list > 0 && newest > 0 && oldest > 0);
    fill(200); /* 40,000 messages */
    assert_int_equal(cost_of_list(), list);
    assert_int_equal(cost_of_history(0, 0), newest);
    assert_int_equal(cost_of_history(0, 1), oldest);
    assert_int_equal(cost_of_history(0, 100), oldest);
    assert_int_equal(cost_of_history(1001, 0), newest);
    assert_int_equal(cost_of_operations(), operations);
}

static void change(const char *sql)
{
    char error[256] = "";
    sqlite3 *db = roam_db_open(rig.path, false, error, sizeof(error));

    assert_non_null(db);
    assert_int_equal(roam_db_exec(db, sql), SQLITE_OK);
    roam_db_close(db);
}

/* Whoever asks pays for what was looked at, told or not: conversations that
 * have no place in the page, and own messages above the mark. */
static void test_what_a_page_cost_is_told(void **state)
{
    (void)state;
    fill(100);
    cost_of_history(0, 0);
    assert_in_range(told, 1, 5);
    cost_of_list();
    assert_in_range(told, CONVERSATIONS, 5 * CONVERSATIONS);
    uint64_t before = told;
    change("UPDATE message SET sender = 1, receiver = sender,"
           " client_msg_id = id;"
           "UPDATE conversation SET read_mark = 0");
    cost_of_list(); /* a page of 50 */
    assert_in_range(told - before, 50 * 100 / 64, 50 * 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_page_costs_what_is_in_it, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_a_page_cost_is_told, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
