/* SPDX-License-Identifier: Apache-2.0 */
/* What the SQLite store does beyond what every store does: files, locks,
 * schemas, reopening, provisioning from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "roam.pb.h"
#include "db.h"
#include "sqlite_rig.h"
#include "store_suite.h"
#include "writer.h"

#define NOBODY 65534

static int setup(void **state)
{
    static struct sqlite_rig rig;

    rig_setup(&rig);
    rig_add_user(&rig, "alice");
    rig_add_user(&rig, "bob");
    *state = &rig;
    return 0;
}

static int setup_empty(void **state)
{
    static struct sqlite_rig rig;

    rig_setup(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_teardown(*state);
    return 0;
}

static void reopen(struct sqlite_rig *rig)
{
    rig_close(rig);
    rig_open(rig);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The reason for which the store does not open. */
static const char *refusal(const char *path)
{
    static char error[512];
    struct roam_store_sqlite_config config = {.path = path};
    struct roam_store *store =
        roam_store_sqlite_open(&config, error, sizeof(error));

    assert_null(store);
    assert_null(strchr(error, '\n'));
    return error;
}

/* ---------------------------------------------------------------- opening */

static void test_second_server_is_kept_out(void **state)
{
    struct sqlite_rig *rig = *state;

    rig_open(rig);
    assert_non_null(strstr(refusal(rig->path), "in use by another server"));
    reopen(rig); /* and let in when the first one has gone */
}

static void test_other_applications_file_is_refused(void **state)
{
    struct sqlite_rig *rig = *state;

    run_sql(rig->path, "CREATE TABLE t(x)");
    assert_non_null(strstr(refusal(rig->path), "not a Roam store"));
}

static void test_other_schema_version_is_refused(void **state)
{
    struct sqlite_rig *rig = *state;

    run_sql(rig->path, "PRAGMA user_version = 5");
    assert_non_null(strstr(refusal(rig->path), "schema version 5"));
    run_sql(rig->path, "PRAGMA user_version = 6");
    rig_open(rig);
}

static void test_file_that_is_no_database_is_refused(void **state)
{
    struct sqlite_rig *rig = *state;
    FILE *file = fopen(rig->path, "w");

    for (int i = 0; i < 1000; i++) {
        fputs("no database ", file);
    }
    fclose(file);
    assert_non_null(strstr(refusal(rig->path), "not a database"));
}

static void test_missing_directory_is_named(void **state)
{
    const char *reason = refusal("/nonexistent/store.db");

    (void)state;
    assert_non_null(strstr(reason, "/nonexistent/"));
    assert_non_null(strstr(reason, "No such file or directory"));
}

/* Root may write everywhere, so somebody else tries. */
static void test_directory_that_cannot_be_written_is_named(void **state)
{
    struct sqlite_rig *rig = *state;
    int status;

    assert_int_equal(chmod(rig->dir, 0555), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) {
            _exit(2);
        }
        struct roam_store_sqlite_config config = {.path = rig->path};
        char error[512] = "";
        bool refused =
            roam_store_sqlite_open(&config, error, sizeof(error)) == NULL;
        _exit(refused && strstr(error, "Permission denied") != NULL ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(chmod(rig->dir, 0755), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_file_that_cannot_be_written_is_refused(void **state)
{
    struct sqlite_rig *rig = *state;
    char lock[sizeof(rig->path) + 8];
    int status;

    rig_open(rig); /* makes the lock file */
    rig_close(rig);
    snprintf(lock, sizeof(lock), "%s.lock", rig->path);
    assert_int_equal(chmod(rig->dir, 0777), 0);
    assert_int_equal(chmod(lock, 0666), 0);
    assert_int_equal(chmod(rig->path, 0444), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) {
            _exit(2);
        }
        struct roam_store_sqlite_config config = {.path = rig->path};
        char error[512] = "";
        bool refused =
            roam_store_sqlite_open(&config, error, sizeof(error)) == NULL;
        _exit(refused && strstr(error, "cannot be written") != NULL ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_store_is_in_wal_mode_and_log_is_empty_at_open(void **state)
{
    struct sqlite_rig *rig = *state;
    char wal[sizeof(rig->path) + 8];
    uint8_t header[20];
    struct stat st;

    rig_open(rig);
    struct roam_identity alice = rig_login(rig, "alice", 1, 1, 1, 0);
    uint64_t msg_id;
    rig_send(rig, &alice, "bob", 1, "hello", RIG_NOW_MS, &msg_id);
    reopen(rig);
    snprintf(wal, sizeof(wal), "%s-wal", rig->path);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_size, 0);
    FILE *file = fopen(rig->path, "r");
    assert_int_equal(fread(header, 1, sizeof(header), file), sizeof(header));
    fclose(file);
    assert_int_equal(header[18], 2); /* WAL, in the file format */
    assert_int_equal(header[19], 2);
}

/* -------------------------------------------------------------- reopening */

static void test_first_entry_after_an_open_skips_versions(void **state)
{
    struct sqlite_rig *rig = *state;
    uint64_t id = 1;
    uint64_t msg_id;

    for (int life = 0; life < 3; life++) {
        rig_open(rig);
        struct roam_identity alice =
            rig_login(rig, "alice", 1, 1, (uint64_t)life + 1, 0);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(
                rig_send(rig, &alice, "bob", id++, "x", RIG_NOW_MS, &msg_id),
                ROAM_SEND_STORED);
        }
        rig_close(rig);
    }
    rig_open(rig);
    struct roam_identity bob = rig_login(rig, "bob", 1, 1, 1, 0);
    struct roam_store_request *req = rig_read(rig, bob.user);
    const struct roam_store_read *read = &req->u.read;
    rig_check_chain(read);
    assert_int_equal(read->count, 9);
    for (size_t i = 0; i < read->count; i++) {
        uint64_t gap = read->entries[i].version - read->entries[i].prev_version;
        if (i % 3 == 0) {
            assert_true(gap > 1 && gap <= ROAM_VERSION_SKIP_MAX + 1);
        } else {
            assert_true(gap == 1);
        }
    }
    roam_store_request_free(req);
}

static void test_client_msg_id_is_known_after_reopen(void **state)
{
    struct sqlite_rig *rig = *state;
    uint64_t first;
    uint64_t again;
    const uint64_t id = UINT64_C(0xfedcba9876543210); /* top bit set */

    rig_open(rig);
    struct roam_identity alice = rig_login(rig, "alice", 1, 1, 1, 0);
    assert_int_equal(
        rig_send(rig, &alice, "bob", id, "once", RIG_NOW_MS, &first),
        ROAM_SEND_STORED);
    reopen(rig);
    assert_int_equal(
        rig_send(rig, &alice, "bob", id, "once", RIG_NOW_MS + 9, &again),
        ROAM_SEND_DUPLICATE);
    assert_true(first == again);
    assert_int_equal(
        rig_send(rig, &alice, "bob", id, "twice", RIG_NOW_MS, &again),
        ROAM_SEND_REFUSED);
    assert_int_equal(
        rig_send(rig, &alice, "alice", id, "once", RIG_NOW_MS, &again),
        ROAM_SEND_REFUSED);
}

/* The clock of one life is ahead; that of the next one is right. */
static void test_msg_ids_rise_when_the_clock_went_back(void **state)
{
    struct sqlite_rig *rig = *state;
    const uint64_t ahead_ms = RIG_NOW_MS + 1000000;
    uint64_t ahead;
    uint64_t id;

    rig_add_user(rig, "carol");
    rig_open(rig);
    struct roam_identity alice = rig_login(rig, "alice", 1, 1, 1, 0);
    struct roam_identity bob = rig_login(rig, "bob", 1, 1, 1, 0);
    rig_send(rig, &alice, "bob", 1, "x", ahead_ms, &ahead);
    assert_true(ahead == ahead_ms << ROAM_MSG_ID_TIME_SHIFT);
    /* Another conversation keeps to the clock, and hides the first from
     * whoever looks at the newest message alone. */
    rig_send(rig, &alice, "carol", 2, "x", RIG_NOW_MS, &id);
    assert_true(id == RIG_NOW_MS << ROAM_MSG_ID_TIME_SHIFT);
    for (uint64_t n = 1; n <= 3; n++) {
        reopen(rig);
        rig_send(rig, n == 2 ? &bob : &alice, n == 2 ? "alice" : "bob", 10 + n,
                 "x", RIG_NOW_MS + n, &id);
        assert_true(id == ahead + n);
    }
    rig_send(rig, &alice, "carol", 3, "x", RIG_NOW_MS, &id);
    assert_true(id == (RIG_NOW_MS << ROAM_MSG_ID_TIME_SHIFT) + 1);
    rig_send(rig, &alice, "alice", 4, "x", RIG_NOW_MS + 7, &id);
    assert_true(id == (RIG_NOW_MS + 7) << ROAM_MSG_ID_TIME_SHIFT);
}

static void test_what_is_queued_at_close_is_stored(void **state)
{
    struct sqlite_rig *rig = *state;

    rig_open(rig);
    struct roam_identity alice = rig_login(rig, "alice", 1, 1, 1, 0);
    for (uint64_t id = 1; id <= 50; id++) {
        struct roam_store_request *req =
            rig_send_request(&alice, "bob", id, "x", RIG_NOW_MS);
        req->done = rig_done;
        rig->store->ops->submit(rig->store, req);
    }
    reopen(rig);
    struct roam_store_request *req = rig_read(rig, alice.user);
    rig_check_chain(&req->u.read);
    assert_int_equal(req->u.read.count, 50);
    roam_store_request_free(req);
}

/* ------------------------------------------------------ other processes */

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static sqlite3 *foreign(struct sqlite_rig *rig, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(rig->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void submit_one(struct sqlite_rig *rig, const struct roam_identity *from,
                       uint64_t id)
{
    struct roam_store_request *req =
        rig_send_request(from, "bob", id, "x", RIG_NOW_MS);

    req->done = rig_done;
    rig->store->ops->submit(rig->store, req);
}

static void test_request_waits_while_another_process_writes(void **state)
{
    struct sqlite_rig *rig = *state;
    const struct timespec a_while = {0, 600 * 1000000};

    rig_open(rig);
    struct roam_identity alice = rig_login(rig, "alice", 1, 1, 1, 0);
    sqlite3 *db = foreign(rig, "BEGIN IMMEDIATE");
    submit_one(rig, &alice, 1);
    nanosleep(&a_while, NULL); /* it looks around more than once */
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_true(rig_wait(rig));
    assert_int_equal(rig_last()->u.send.result, ROAM_SEND_STORED);
    roam_store_request_free(rig_last());
}

/* Somebody left `sqlite3 roamd.db` open in the middle of a transaction. */
static void test_close_does_not_wait_for_another_process_for_ever(void **state)
{
    struct sqlite_rig *rig = *state;

    rig_open(rig);
    struct roam_identity alice = rig_login(rig, "alice", 1, 1, 1, 0);
    sqlite3 *db = foreign(rig, "BEGIN IMMEDIATE");
    submit_one(rig, &alice, 1);
    alarm(60); /* ends the test program with SIGALRM */
    rig_close(rig);
    alarm(0);
    sqlite3_close(db);
    rig_open(rig);
    struct roam_store_request *req = rig_read(rig, alice.user);
    assert_int_equal(req->u.read.count, 0);
    roam_store_request_free(req);
}

static void test_reader_that_stays_does_not_hold_up_every_commit(void **state)
{
    struct sqlite_rig *rig = *state;
    struct roam_store_sqlite_config config = {.path = rig->path};
    static struct roam_writer w;
    char error[256] = "";

    assert_true(roam_writer_open(&w, &config, error, sizeof(error)));
    sqlite3 *db = foreign(rig, "BEGIN; SELECT count(*) FROM user");
    assert_int_equal(roam_db_exec(w.db, "CREATE TABLE written(x)"), SQLITE_OK);
    w.log_pages = 1 << 20; /* much longer than any that is put up with */
    uint64_t start_ms = now_ms();
    for (int commit = 0; commit < 100; commit++) {
        assert_true(roam_writer_tidy(&w));
    }
    assert_true(now_ms() - start_ms < ROAM_DB_BUSY_MS);
    sqlite3_close(db);
    int waited_at = w.insist_pages;
    assert_true(waited_at > 1 << 20);
    w.log_pages = waited_at; /* grown: it is tried again, and goes well */
    assert_true(roam_writer_tidy(&w));
    assert_int_equal(w.insist_pages, waited_at);
    w.log_pages = 1;
    assert_true(roam_writer_tidy(&w));
    assert_true(w.insist_pages < waited_at);
    roam_writer_close(&w);
}

/* A KICK may be lost: what KICKED needs survives the server. [LOGIN-13] */
static void test_displaced_device_is_kicked_after_reopen(void **state)
{
    struct sqlite_rig *rig = *state;

    rig_open(rig);
    struct roam_identity first = rig_login(rig, "alice", 1, 1, 1, 0);
    rig_login(rig, "alice", 1, 2, 1, first.generation);
    reopen(rig);
    struct roam_store_request *req =
        roam_store_request_new(ROAM_STORE_LOGIN, 0);
    struct roam_store_login *login = &req->u.login;
    strcpy(login->user, "alice");
    strcpy(login->token, "alice");
    memset(login->device_id, 1, sizeof(login->device_id));
    login->device_type = 1;
    login->attempt = 2;
    assert_true(rig_do(rig, req));
    assert_int_equal(login->refused, roam_v1_RefusedReason_KICKED);
    assert_true(login->has_holder);
    assert_string_equal(login->holder_name, "alice's no. 2");
    assert_true(login->holder_since_ms == RIG_NOW_MS);
    roam_store_request_free(req);
}

/* ----------------------------------------------------------- provisioning */

static struct roam_admin *admin_of(struct sqlite_rig *rig)
{
    char error[256] = "";
    struct roam_admin *admin =
        roam_admin_open(rig->path, true, error, sizeof(error));

    if (admin == NULL) {
        fail_msg("%s", error);
    }
    return admin;
}

static uint32_t try_login(struct sqlite_rig *rig, const char *user,
                          const char *token, uint32_t type)
{
    struct roam_store_request *req =
        roam_store_request_new(ROAM_STORE_LOGIN, 0);
    struct roam_store_login *login = &req->u.login;

    snprintf(login->user, sizeof(login->user), "%s", user);
    snprintf(login->token, sizeof(login->token), "%s", token);
    login->device_type = type;
    login->attempt = 1;
    login->now_ms = RIG_NOW_MS;
    assert_true(rig_do(rig, req));
    uint32_t refused = login->refused;
    roam_store_request_free(req);
    return refused;
}

static void test_users_and_tokens_change_while_a_server_runs(void **state)
{
    struct sqlite_rig *rig = *state;
    char error[256];

    rig_open(rig);
    struct roam_admin *admin = admin_of(rig);
    assert_int_equal(try_login(rig, "dave", "secret", 1),
                     roam_v1_RefusedReason_CREDENTIAL);
    assert_true(roam_admin_add_user(admin, "dave", error, sizeof(error)));
    assert_true(roam_admin_add_token(admin, "dave", "secret",
                                     roam_v1_DeviceType_PHONE, 0, error,
                                     sizeof(error)));
    assert_true(roam_admin_add_token(admin, "dave", "old", 0, RIG_NOW_MS, error,
                                     sizeof(error)));
    assert_true(roam_admin_add_token(admin, "dave", "fresh", 0, RIG_NOW_MS + 1,
                                     error, sizeof(error)));
    assert_int_equal(
        try_login(rig, "dave", "secret", roam_v1_DeviceType_TABLET),
        roam_v1_RefusedReason_TYPE_FORBIDDEN);
    assert_int_equal(try_login(rig, "dave", "old", 1),
                     roam_v1_RefusedReason_TOKEN_EXPIRED);
    assert_int_equal(try_login(rig, "alice", "secret", 1),
                     roam_v1_RefusedReason_CREDENTIAL);
    assert_int_equal(try_login(rig, "dave", "fresh", 2), 0);
    assert_int_equal(try_login(rig, "dave", "secret", 1), 0);
    assert_true(roam_admin_revoke_token(admin, "secret", error, sizeof(error)));
    assert_int_equal(try_login(rig, "dave", "secret", 1),
                     roam_v1_RefusedReason_CREDENTIAL);
    roam_admin_close(admin);
}

static void test_admin_refuses_what_cannot_be_used(void **state)
{
    struct sqlite_rig *rig = *state;
    struct roam_admin *admin = admin_of(rig);
    char error[256];
    char name[ROAM_USER_MAX + 2];
    char token[ROAM_TOKEN_MAX + 2];

    memset(name, 'n', sizeof(name));
    memset(token, 't', sizeof(token));
    name[ROAM_USER_MAX + 1] = '\0';
    token[ROAM_TOKEN_MAX + 1] = '\0';
    assert_false(roam_admin_add_user(admin, name, error, sizeof(error)));
    name[ROAM_USER_MAX] = '\0';
    assert_true(roam_admin_add_user(admin, name, error, sizeof(error)));
    assert_false(roam_admin_add_user(admin, name, error, sizeof(error)));
    assert_non_null(strstr(error, "already"));
    assert_false(roam_admin_add_user(admin, "", error, sizeof(error)));
    assert_false(roam_admin_add_user(admin, "\xff", error, sizeof(error)));

    assert_false(
        roam_admin_add_token(admin, name, token, 0, 0, error, sizeof(error)));
    token[ROAM_TOKEN_MAX] = '\0';
    assert_true(
        roam_admin_add_token(admin, name, token, 0, 0, error, sizeof(error)));
    assert_false(
        roam_admin_add_token(admin, name, token, 0, 0, error, sizeof(error)));
    assert_non_null(strstr(error, "before"));
    assert_false(
        roam_admin_add_token(admin, name, "", 0, 0, error, sizeof(error)));
    assert_false(
        roam_admin_add_token(admin, "nobody", "t", 0, 0, error, sizeof(error)));
    assert_non_null(strstr(error, "no user"));
    assert_false(
        roam_admin_revoke_token(admin, "unknown", error, sizeof(error)));
    assert_non_null(strstr(error, "no such token"));
    roam_admin_close(admin);
}

static bool file_contains(const char *path, const char *text)
{
    FILE *file = fopen(path, "r");
    size_t at = 0;
    int c;

    while (file != NULL && text[at] != '\0' && (c = fgetc(file)) != EOF) {
        at = c == text[at] ? at + 1 : c == text[0] ? 1 : 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return text[at] == '\0';
}

/* [SEC-2] */
static void test_tokens_cannot_be_read_from_the_files(void **state)
{
    struct sqlite_rig *rig = *state;
    struct roam_admin *admin = admin_of(rig);
    char error[256];
    char wal[sizeof(rig->path) + 8];

    snprintf(wal, sizeof(wal), "%s-wal", rig->path);
    assert_true(
        roam_admin_add_user(admin, "zoe-the-user", error, sizeof(error)));
    assert_true(roam_admin_add_token(admin, "zoe-the-user", "Kq7-the-token", 0,
                                     0, error, sizeof(error)));
    assert_true(file_contains(wal, "zoe-the-user"));
    assert_false(file_contains(wal, "Kq7-the-token"));
    roam_admin_close(admin);
    assert_true(file_contains(rig->path, "zoe-the-user"));
    assert_false(file_contains(rig->path, "Kq7-the-token"));
}

/* A RECALL or READ; its result. */
static enum roam_send_result aim(struct sqlite_rig *rig,
                                 const struct roam_identity *from,
                                 const char *to, uint64_t id, uint32_t kind,
                                 uint64_t target)
{
    const struct roam_operation op = {.kind = kind, .msg_id = target};
    struct roam_store_request *req =
        rig_send_request(from, to, id, "12345678901", RIG_NOW_MS);
    struct roam_store_send *send = &req->u.send;

    send->kind = kind;
    send->body.len = roam_operation_encode(
        &op, NULL, 0, req->memory + strlen(to), send->body.len);
    assert_true(roam_operation_decode(kind, send->body, &send->operation));
    assert_true(rig_do(rig, req));
    enum roam_send_result result = send->result;
    roam_store_request_free(req);
    return result;
}

/* The row of the older READ is gone, and its number another message's. */
static void test_read_undoes_nothing_but_the_older_read(void **state)
{
    struct sqlite_rig *rig = *state;
    uint64_t said[2];

    rig_open(rig);
    struct roam_identity alice = rig_login(rig, "alice", 1, 1, 1, 0);
    struct roam_identity bob = rig_login(rig, "bob", 1, 1, 1, 0);
    for (uint64_t i = 0; i < 2; i++) {
        rig_send(rig, &alice, "bob", 1 + i, "x", RIG_NOW_MS, &said[i]);
    }
    assert_int_equal(aim(rig, &bob, "alice", 1, roam_v1_Kind_READ, said[0]),
                     ROAM_SEND_STORED);
    run_sql(rig->path, "UPDATE conversation SET read_row = 1"
                       " WHERE read_row <> 0");
    assert_int_equal(aim(rig, &bob, "alice", 2, roam_v1_Kind_READ, said[1]),
                     ROAM_SEND_STORED);
    struct roam_store_request *req = rig_read(rig, bob.user);
    assert_false(req->u.read.entries[0].recalled);
    assert_int_equal(req->u.read.entries[0].body.len, 1);
    roam_store_request_free(req);
}

/* [OP-9]: short bodies, and long ones on pages of their own. The log is
 * emptied when the store closes. */
static void test_recalled_content_is_gone_from_the_file(void **state)
{
    struct sqlite_rig *rig = *state;
    char body[20000];
    static const char *const words[] = {"Xk-short-secret", "Xk-long-secret"};

    for (size_t i = 0; i < 2; i++) {
        memset(body, 'b', sizeof(body));
        memcpy(body + (i == 0 ? 0 : 15000), words[i], strlen(words[i]));
        body[i == 0 ? strlen(words[i]) : sizeof(body) - 1] = '\0';
        rig_open(rig);
        struct roam_identity alice = rig_login(rig, "alice", 1, 1, 1 + i, 0);
        uint64_t msg_id;
        assert_int_equal(
            rig_send(rig, &alice, "bob", 10 + i, body, RIG_NOW_MS, &msg_id),
            ROAM_SEND_STORED);
        rig_close(rig);
        assert_true(file_contains(rig->path, words[i]));
        rig_open(rig);
        assert_int_equal(
            aim(rig, &alice, "bob", 20 + i, roam_v1_Kind_RECALL, msg_id),
            ROAM_SEND_STORED);
        rig_close(rig);
        assert_false(file_contains(rig->path, words[i]));
    }
}

/* ------------------------------------------------- what every store must do */

static struct sqlite_rig suite_rig;

static void suite_open(struct store_suite *suite)
{
    rig_setup(&suite_rig);
    suite_rig.settings = suite->settings;
    suite_rig.keep = suite->keep;
    rig_open(&suite_rig);
    suite->store = suite_rig.store;
}

static void suite_reopen(struct store_suite *suite)
{
    suite_rig.settings = suite->settings;
    suite_rig.keep = suite->keep;
    reopen(&suite_rig);
    suite->store = suite_rig.store;
}

static void suite_close(struct store_suite *suite)
{
    rig_teardown(&suite_rig);
    suite->store = NULL;
}

static void suite_add_user(struct store_suite *suite, const char *user)
{
    struct roam_admin *admin = admin_of(&suite_rig);
    char error[256];

    (void)suite;
    assert_true(roam_admin_add_user(admin, user, error, sizeof(error)));
    roam_admin_close(admin);
}

static void suite_add_token(struct store_suite *suite, const char *user,
                            const char *token, uint32_t device_type,
                            uint64_t expires_ms)
{
    struct roam_admin *admin = admin_of(&suite_rig);
    char error[256];

    (void)suite;
    assert_true(roam_admin_add_token(admin, user, token, device_type,
                                     expires_ms, error, sizeof(error)));
    roam_admin_close(admin);
}

static void suite_revoke_token(struct store_suite *suite, const char *token)
{
    struct roam_admin *admin = admin_of(&suite_rig);
    char error[256];

    (void)suite;
    assert_true(roam_admin_revoke_token(admin, token, error, sizeof(error)));
    roam_admin_close(admin);
}

static void suite_name_user(struct store_suite *suite, const char *user,
                            const char *name)
{
    struct roam_admin *admin = admin_of(&suite_rig);
    char error[256];

    (void)suite;
    assert_true(roam_admin_name_user(admin, user, name, error, sizeof(error)));
    roam_admin_close(admin);
}

static void suite_block_user(struct store_suite *suite, const char *user,
                             const char *other, bool blocked)
{
    struct roam_admin *admin = admin_of(&suite_rig);
    char error[256];

    (void)suite;
    assert_true(roam_admin_block_user(admin, user, other, blocked, error,
                                      sizeof(error)));
    roam_admin_close(admin);
}

static void suite_wait(struct store_suite *suite)
{
    (void)suite;
    rig_sleep();
}

int main(void)
{
    struct store_suite suite = {.open = suite_open,
                                .reopen = suite_reopen,
                                .close = suite_close,
                                .add_user = suite_add_user,
                                .add_token = suite_add_token,
                                .revoke_token = suite_revoke_token,
                                .name_user = suite_name_user,
                                .block_user = suite_block_user,
                                .wait = suite_wait};
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define BARE(name) cmocka_unit_test_setup_teardown(name, setup_empty, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_second_server_is_kept_out),
        BARE(test_other_applications_file_is_refused),
        TEST(test_other_schema_version_is_refused),
        BARE(test_file_that_is_no_database_is_refused),
        BARE(test_missing_directory_is_named),
        BARE(test_directory_that_cannot_be_written_is_named),
        TEST(test_file_that_cannot_be_written_is_refused),
        TEST(test_store_is_in_wal_mode_and_log_is_empty_at_open),
        TEST(test_first_entry_after_an_open_skips_versions),
        TEST(test_client_msg_id_is_known_after_reopen),
        TEST(test_msg_ids_rise_when_the_clock_went_back),
        TEST(test_what_is_queued_at_close_is_stored),
        TEST(test_request_waits_while_another_process_writes),
        TEST(test_close_does_not_wait_for_another_process_for_ever),
        TEST(test_reader_that_stays_does_not_hold_up_every_commit),
        TEST(test_displaced_device_is_kicked_after_reopen),
        TEST(test_users_and_tokens_change_while_a_server_runs),
        TEST(test_admin_refuses_what_cannot_be_used),
        TEST(test_tokens_cannot_be_read_from_the_files),
        TEST(test_recalled_content_is_gone_from_the_file),
        TEST(test_read_undoes_nothing_but_the_older_read),
    };
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    return failures + store_suite_run(&suite);
}
