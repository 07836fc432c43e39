/* SPDX-License-Identifier: Apache-2.0 */
/* LOGIN in the SQLite store: what a stranger can make it do. Who gets the
 * slot is in the suite of all stores. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "reader.h"
#include "roam.pb.h"
#include "sqlite_rig.h"

static int setup(void **state)
{
    static struct sqlite_rig rig;

    rig_setup(&rig);
    rig_open(&rig);
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

static struct roam_store_request *login_request(const char *user,
                                                const char *token)
{
    struct roam_store_request *req =
        roam_store_request_new(ROAM_STORE_LOGIN, 0);

    assert_non_null(req);
    strcpy(req->u.login.user, user);
    strcpy(req->u.login.token, token);
    req->u.login.device_type = 1;
    req->u.login.attempt = 1;
    req->u.login.now_ms = RIG_NOW_MS;
    req->done = rig_done;
    return req;
}

static void submit(struct sqlite_rig *rig, struct roam_store_request *req)
{
    rig->store->ops->submit(rig->store, req);
}

/* Another process in the middle of a transaction that writes. */
static sqlite3 *hold_writers(const struct sqlite_rig *rig)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(rig->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    return db;
}

static void let_go(sqlite3 *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* Waits for this one, which must be the next that is answered. */
static void take_refused(struct sqlite_rig *rig, struct roam_store_request *req,
                         uint32_t refused)
{
    assert_true(rig_wait(rig));
    assert_ptr_equal(rig_last(), req);
    assert_int_equal(req->u.login.refused, refused);
    roam_store_request_free(req);
}

/* [FLOW-12]: it is answered while nobody can write. */
static void test_bad_login_is_no_write_transaction(void **state)
{
    struct sqlite_rig *rig = *state;
    static const char *const users[] = {"alice", "nobody", "bob"};
    sqlite3 *db = hold_writers(rig);
    struct roam_store_request *good = login_request("alice", "alice");

    submit(rig, good);
    for (int i = 0; i < 3; i++) {
        struct roam_store_request *bad =
            login_request(users[i], i == 2 ? "alice" : "wrong");
        submit(rig, bad);
        take_refused(rig, bad, roam_v1_RefusedReason_CREDENTIAL);
    }
    let_go(db, "COMMIT");
    take_refused(rig, good, 0);
}

/* The credential was good when it was looked at first. */
static void test_token_revoked_on_the_way_is_refused(void **state)
{
    struct sqlite_rig *rig = *state;
    sqlite3 *db = hold_writers(rig);
    struct roam_store_request *req = login_request("alice", "alice");
    struct roam_store_request *behind = login_request("alice", "wrong");

    submit(rig, req);
    submit(rig, behind);
    take_refused(rig, behind, roam_v1_RefusedReason_CREDENTIAL);
    /* So the one before has been read, too. */
    let_go(db, "UPDATE token SET revoked = 1; COMMIT");
    take_refused(rig, req, roam_v1_RefusedReason_CREDENTIAL);
}

static void test_login_queued_at_close_is_carried_out(void **state)
{
    struct sqlite_rig *rig = *state;

    for (uint64_t attempt = 1; attempt <= 50; attempt++) {
        struct roam_store_request *req = login_request("alice", "alice");
        req->u.login.attempt = attempt;
        submit(rig, req);
    }
    rig_close(rig);
    rig_open(rig);
    struct roam_store_request *stale = login_request("alice", "alice");
    stale->u.login.attempt = 50;
    submit(rig, stale);
    take_refused(rig, stale, roam_v1_RefusedReason_STALE);
}

/* ------------------------------------------------------------------- work */

static void runs(struct roam_store_reader *r, int *out)
{
    for (int i = 0; i < ROAM_READER_STATEMENTS; i++) {
        out[i] = sqlite3_stmt_status(r->stmt[i], SQLITE_STMTSTATUS_RUN, 1);
    }
}

static void work_of(struct roam_store_reader *r, const char *user,
                    const char *token, int *out)
{
    struct roam_store_request *req = login_request(user, token);

    assert_true(roam_store_reader_begin(r));
    runs(r, out); /* counts anew */
    assert_true(roam_store_reader_do(r, req));
    runs(r, out);
    assert_true(roam_store_reader_end(r));
    assert_int_equal(req->u.login.refused, roam_v1_RefusedReason_CREDENTIAL);
    roam_store_request_free(req);
}

/* [FLOW-12]: the same statements, each as often. */
static void test_unknown_user_and_wrong_token_cost_the_same(void **state)
{
    struct sqlite_rig *rig = *state;
    struct roam_store_reader r = {0};
    char error[200];
    int known[ROAM_READER_STATEMENTS];
    int other[ROAM_READER_STATEMENTS];
    static const struct {
        const char *user, *token;
    } cases[] = {{"nobody", "wrong"}, {"nobody", "alice"}, {"bob", "alice"}};

    assert_true(roam_store_reader_open(&r, rig->path, error, sizeof(error)));
    work_of(&r, "alice", "wrong", known);
    assert_int_equal(known[ROAM_READER_USER], 1);
    assert_int_equal(known[ROAM_READER_TOKEN], 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        work_of(&r, cases[i].user, cases[i].token, other);
        assert_memory_equal(known, other, sizeof(known));
    }
    roam_store_reader_close(&r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_bad_login_is_no_write_transaction),
        TEST(test_token_revoked_on_the_way_is_refused),
        TEST(test_login_queued_at_close_is_carried_out),
        TEST(test_unknown_user_and_wrong_token_cost_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
