/* SPDX-License-Identifier: Apache-2.0 */
/* The store as a file: backups that are whole, restores that lose nothing,
 * and damage that is named. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "sqlite_rig.h"
#include "store_file.h"

#define LINES_MAX_BYTES 65536

static char error[512];
static char lines[LINES_MAX_BYTES];
static char backup[RIG_PATH_MAX + 32];
static char kept[RIG_PATH_MAX + 64];
static struct roam_identity alice;
static uint64_t next_id;

static int setup(void **state)
{
    static struct sqlite_rig rig;

    rig_setup(&rig);
    rig_add_user(&rig, "alice");
    rig_add_user(&rig, "bob");
    snprintf(backup, sizeof(backup), "%s/backup.db", rig.dir);
    snprintf(kept, sizeof(kept), "%s%s", rig.path, roam_store_kept_suffix);
    error[0] = lines[0] = '\0';
    next_id = 1;
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    struct sqlite_rig *rig = *state;
    char path[sizeof(rig->dir) + 300];
    struct dirent *e;

    rig_close(rig);
    DIR *dir = opendir(rig->dir);
    while ((e = readdir(dir)) != NULL) {
        snprintf(path, sizeof(path), "%s/%s", rig->dir, e->d_name);
        if (e->d_name[0] != '.') {
            unlink(path);
            rmdir(path);
        }
    }
    closedir(dir);
    rig_teardown(rig);
    return 0;
}

static void add_line(void *ctx, const char *line)
{
    size_t len = strlen(lines);

    (void)ctx;
    snprintf(lines + len, sizeof(lines) - len, "%s\n", line);
}

/* Opens the store and logs alice in. */
static void open_store(struct sqlite_rig *rig, uint64_t attempt)
{
    rig_open(rig);
    alice = rig_login(rig, "alice", 1, 1, attempt, 0);
}

static void send_some(struct sqlite_rig *rig, unsigned count)
{
    uint64_t msg_id;

    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(rig_send(rig, &alice, i % 2 == 0 ? "bob" : "alice",
                                  next_id++, "a body", RIG_NOW_MS, &msg_id),
                         ROAM_SEND_STORED);
    }
}

/* The first column of the first row, which must be there. */
static int64_t number(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return n;
}

static int64_t messages_in(const char *path)
{
    return number(path, "SELECT count(*) FROM message");
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    char *reason = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &reason) != SQLITE_OK) {
        fail_msg("%s: %s", sql, reason);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void assert_error(const char *text)
{
    assert_null(strchr(error, '\n'));
    if (strstr(error, text) == NULL) {
        fail_msg("\"%s\" is not in: %s", text, error);
    }
}

static size_t check(const char *path)
{
    size_t bad;

    lines[0] = '\0';
    if (!roam_store_check(path, add_line, NULL, &bad, error, sizeof(error))) {
        fail_msg("%s", error);
    }
    return bad;
}

static void back_up(const struct sqlite_rig *rig)
{
    if (!roam_store_backup(rig->path, backup, error, sizeof(error))) {
        fail_msg("%s", error);
    }
}

static bool restore(const struct sqlite_rig *rig)
{
    return roam_store_restore(backup, rig->path, add_line, NULL, error,
                              sizeof(error));
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* Of the directory's files, how many have such a name? */
static unsigned count_files(const struct sqlite_rig *rig, const char *begin)
{
    DIR *dir = opendir(rig->dir);
    struct dirent *e;
    unsigned n = 0;

    while ((e = readdir(dir)) != NULL) {
        n += strncmp(e->d_name, begin, strlen(begin)) == 0 ? 1 : 0;
    }
    closedir(dir);
    return n;
}

/* ------------------------------------------------------------------ backup */

static void test_backup_has_all_that_was_answered(void **state)
{
    struct sqlite_rig *rig = *state;
    struct stat st;

    open_store(rig, 1);
    send_some(rig, 10);
    back_up(rig); /* most of it is in the log alone */
    assert_int_equal(stat(backup, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(count_files(rig, "backup"), 1);
    assert_int_equal(messages_in(backup), 10);
    assert_int_equal(check(backup), 0);
    send_some(rig, 10);
    back_up(rig); /* in the place of the first one */
    assert_int_equal(messages_in(backup), 20);
}

/* One state between two commits, while commits go on. */
static void test_backup_is_one_state_while_the_store_writes(void **state)
{
    struct sqlite_rig *rig = *state;
    enum {
        MANY = 2000
    };

    open_store(rig, 1);
    send_some(rig, 10);
    for (unsigned i = 0; i < MANY; i++) {
        struct roam_store_request *req =
            rig_send_request(&alice, "bob", next_id++, "more", RIG_NOW_MS);
        req->done = rig_done;
        rig->store->ops->submit(rig->store, req);
    }
    back_up(rig);
    assert_true(messages_in(backup) >= 10);
    assert_int_equal(check(backup), 0);
    rig_close(rig); /* what is queued is still stored */
    assert_int_equal(messages_in(rig->path), 10 + MANY);
}

static void test_backup_replaces_no_part_of_the_store(void **state)
{
    struct sqlite_rig *rig = *state;
    static const char *const own[] = {"", "-wal", "-shm", ".lock"};
    char path[sizeof(rig->path) + 16];

    open_store(rig, 1);
    send_some(rig, 1);
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", rig->path, own[i]);
        assert_false(roam_store_backup(rig->path, path, error, sizeof(error)));
        assert_error("that is the store itself");
    }
    assert_false(roam_store_backup(rig->path, rig->dir, error, sizeof(error)));
    assert_error("not a regular file");
    snprintf(path, sizeof(path), "%s/no/b", rig->dir);
    assert_false(roam_store_backup(rig->path, path, error, sizeof(error)));
    assert_error("No such file");
    assert_int_equal(check(rig->path), 0);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* The name was a slip of the hand, or another server's store. */
static void test_backup_replaces_a_backup_and_no_other_file(void **state)
{
    struct sqlite_rig *rig = *state;
    char other[RIG_PATH_MAX + 32];
    struct stat st;

    open_store(rig, 1);
    send_some(rig, 1);
    write_file(backup, "the only copy of something\n");
    assert_false(roam_store_backup(rig->path, backup, error, sizeof(error)));
    assert_error("no backup; it stays");
    assert_int_equal(stat(backup, &st), 0);
    assert_int_equal(st.st_size, 27);
    assert_int_equal(count_files(rig, "backup"), 1);
    unlink(backup);
    run_sql(backup, "CREATE TABLE t(x)");
    assert_false(roam_store_backup(rig->path, backup, error, sizeof(error)));
    assert_error("no backup; it stays");

    write_file(backup, ""); /* as mktemp leaves it */
    back_up(rig);
    run_sql(backup, "PRAGMA user_version = 1"); /* of an older roamd */
    back_up(rig);
    assert_int_equal(check(backup), 0);

    snprintf(other, sizeof(other), "%s/other.db", rig->dir);
    back_up(rig);
    assert_int_equal(rename(backup, other), 0);
    run_sql(other, "PRAGMA journal_mode=WAL"); /* as a server would */
    assert_false(roam_store_backup(rig->path, other, error, sizeof(error)));
    assert_error("no backup; it stays");
}

static void test_backup_of_what_is_no_store_is_refused(void **state)
{
    struct sqlite_rig *rig = *state;
    char other[RIG_PATH_MAX + 32];

    snprintf(other, sizeof(other), "%s/other.db", rig->dir);
    assert_false(roam_store_backup(other, backup, error, sizeof(error)));
    assert_error("unable to open");
    run_sql(other, "CREATE TABLE t(x)");
    assert_false(roam_store_backup(other, backup, error, sizeof(error)));
    assert_error("not a Roam store");
    assert_int_equal(count_files(rig, "backup"), 0);
}

/* The disk is full: the older backup stays, and nothing beside it. */
static void test_backup_that_fails_leaves_the_older_one(void **state)
{
    struct sqlite_rig *rig = *state;
    struct rlimit before, tight;

    open_store(rig, 1);
    send_some(rig, 2);
    back_up(rig);
    send_some(rig, 500);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    tight = before;
    tight.rlim_cur = 32768;
    setrlimit(RLIMIT_FSIZE, &tight);
    bool ok = roam_store_backup(rig->path, backup, error, sizeof(error));
    setrlimit(RLIMIT_FSIZE, &before);
    assert_false(ok);
    assert_int_equal(count_files(rig, "backup"), 1);
    assert_int_equal(messages_in(backup), 2);
}

/* ----------------------------------------------------------------- restore */

static void test_restore_brings_the_backup_back_and_keeps_the_other(
    void **state)
{
    struct sqlite_rig *rig = *state;

    open_store(rig, 1);
    send_some(rig, 3);
    back_up(rig);
    send_some(rig, 4);
    rig_close(rig);
    assert_true(restore(rig));
    assert_int_equal(messages_in(rig->path), 3);
    assert_int_equal(messages_in(kept), 7);
    open_store(rig, 2); /* a server runs on it, and what comes is whole */
    send_some(rig, 2);
    rig_close(rig);
    assert_int_equal(messages_in(rig->path), 5);
    assert_int_equal(check(rig->path), 0);
    assert_true(restore(rig)); /* the second one keeps what it replaces */
    assert_int_equal(messages_in(kept), 5);
    assert_int_equal(count_files(rig, "store.db.restoring"), 0);
}

static void test_restore_is_refused_while_a_server_runs(void **state)
{
    struct sqlite_rig *rig = *state;

    open_store(rig, 1);
    send_some(rig, 1);
    back_up(rig);
    send_some(rig, 1);
    assert_false(restore(rig));
    assert_error("in use by another server");
    send_some(rig, 1);
    rig_close(rig);
    assert_int_equal(messages_in(rig->path), 3);
    assert_true(restore(rig));
}

static void test_restore_refuses_what_is_no_good_backup(void **state)
{
    struct sqlite_rig *rig = *state;
    char version[64];

    open_store(rig, 1);
    send_some(rig, 3);
    back_up(rig);
    rig_close(rig);
    snprintf(version, sizeof(version), "PRAGMA user_version = %d",
             (int)number(backup, "PRAGMA user_version"));
    run_sql(backup, "PRAGMA user_version = 999");
    assert_false(restore(rig));
    assert_error("schema version 999");
    run_sql(backup, version);
    run_sql(backup, "PRAGMA application_id = 1");
    assert_false(restore(rig));
    assert_error("not a Roam store");
    unlink(backup);
    back_up(rig);
    run_sql(backup, "DELETE FROM message WHERE id = 2");
    assert_false(restore(rig));
    assert_error("damaged, nothing was restored");
    assert_non_null(strstr(lines, "entry-message: "));
    unlink(backup);
    assert_false(restore(rig));
    assert_error("unable to open");
    fclose(fopen(backup, "w"));
    assert_false(restore(rig)); /* an empty file gets no schema here */
    assert_error("not a Roam store");
    assert_int_equal(messages_in(rig->path), 3);
    assert_false(is_there(kept));
    assert_int_equal(count_files(rig, "store.db.restoring"), 0);
}

/* Cut short behind its first step: the file was moved, its log was not. The
 * log must go with its file, and never stay beside another one. */
static void test_restore_that_was_cut_short_is_completed(void **state)
{
    struct sqlite_rig *rig = *state;
    char path[sizeof(kept)];
    char copy[sizeof(kept)];
    char command[1600];

    open_store(rig, 1);
    send_some(rig, 1);
    back_up(rig);
    send_some(rig, 5);
    /* As a power cut leaves it: all of it in the log. */
    snprintf(copy, sizeof(copy), "%s/cut.db", rig->dir);
    snprintf(command, sizeof(command), "cp '%s' '%s' && cp '%s'-wal '%s'-wal",
             rig->path, copy, rig->path, copy);
    assert_int_equal(system(command), 0);
    rig_close(rig);
    unlink(rig->path);
    snprintf(path, sizeof(path), "%s-wal", rig->path);
    unlink(path);
    assert_int_equal(rename(copy, kept), 0);
    snprintf(copy, sizeof(copy), "%s/cut.db-wal", rig->dir);
    assert_int_equal(rename(copy, path), 0);
    assert_true(restore(rig));
    assert_int_equal(messages_in(rig->path), 1);
    assert_int_equal(messages_in(kept), 6);
}

/* Root restores for a server that runs under its own user. */
static void test_restored_store_belongs_to_the_directorys_owner(void **state)
{
    struct sqlite_rig *rig = *state;
    char path[sizeof(kept)];
    struct stat st;

    if (geteuid() != 0) {
        return; /* there is nobody else then */
    }
    back_up(rig);
    assert_int_equal(chown(rig->dir, 65534, 65533), 0);
    assert_true(restore(rig));
    assert_int_equal(stat(rig->path, &st), 0);
    assert_int_equal(st.st_uid, 65534);
    assert_int_equal(st.st_gid, 65533);
    snprintf(path, sizeof(path), "%s.lock", rig->path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, 65534);
}

/* ------------------------------------------------------------------- check */

/* A group with its owner, and these counts of members and applicants. */
#define GROUP_OF_ALICE(counts)                                                 \
    "INSERT INTO grp VALUES(7, '#g', '', 1, 0, " counts ");"                   \
    "INSERT INTO member VALUES(7, 1, 4, 0, 50);"                               \
    "INSERT INTO span VALUES(1, 7, 50, 9223372036854775807);"

/* Makes a note of alice's the news of a device. */
#define NEWS_OF(id)                                                            \
    "UPDATE message SET kind = 7, client_msg_id = NULL, device = 0, part = 2"  \
    " WHERE id = " id ";"
#define NEWS NEWS_OF("2")

/* Each does one harm, which the invariant of that name tells. */
static const struct {
    const char *name;
    const char *sql;
} damages[] = {
    {"chain", "UPDATE timeline SET gap = gap + 1 WHERE version ="
              " (SELECT max(version) FROM timeline WHERE user = 1)"},
    {"chain", "DELETE FROM timeline WHERE user = 1 AND version ="
              " (SELECT max(version) - 1 FROM timeline WHERE user = 1)"},
    {"version", "UPDATE timeline SET gap = 0 WHERE version ="
                " (SELECT max(version) FROM timeline)"},
    {"version", "INSERT INTO timeline(user, version, gap, message)"
                " VALUES(1, 0, 0, 1)"},
    {"version", "UPDATE timeline SET gap = version + 1"},
    {"entry-user", "UPDATE timeline SET user = 99 WHERE user = 2"},
    {"entry-message", "DELETE FROM message WHERE id = 3"},
    {"entry-party", "INSERT INTO user(id, name) VALUES(99, 'eve');"
                    "UPDATE timeline SET user = 99 WHERE user = 2"},
    {"message-user", "DELETE FROM user WHERE id = 2"},
    {"message-user", "UPDATE message SET sender = 99 WHERE id = 3"},
    {"message-user", "UPDATE message SET receiver = -9 WHERE id = 3"},
    {"message-device", "DELETE FROM device"},
    {"message-device", "UPDATE device SET user = 2"},
    {"message-device", NEWS "UPDATE message SET device = 9 WHERE id = 2"},
    {"message-id", "UPDATE message SET msg_id = msg_id + 100 WHERE id = 1"},
    {"message-id", "UPDATE message SET msg_id = -1 WHERE id = 1"},
    {"dedup", "DROP INDEX message_client;"
              "UPDATE message SET client_msg_id = 7"},
    {"news", "UPDATE message SET client_msg_id = NULL WHERE id = 1"},
    {"news", "UPDATE message SET kind = 7 WHERE id = 1"},
    {"news", NEWS "UPDATE message SET receiver = 2 WHERE id = 2"},
    {"news", NEWS "UPDATE message SET part = 1 WHERE id = 2"},
    {"conversation", "DELETE FROM conversation WHERE user = 2"},
    {"slot-device", "UPDATE slot SET device = 99"},
    {"slot-device", "UPDATE device SET type = 3"},
    {"slot-generation", "UPDATE slot SET generation = 0"},
    {"device-user", "UPDATE device SET user = 99"},
    {"private", "INSERT INTO private VALUES(1, 2, 5, 99)"},
    {"private", "INSERT INTO private VALUES(1, 2, 5, 1)"},
    {"deletion", "INSERT INTO deletion VALUES(99, 1, 5)"},
    {"recalled", "UPDATE message SET undone_by = 5 WHERE id = 2"},
    {"read-mark", "UPDATE conversation SET read_row = 1, read_id ="
                  " (SELECT msg_id FROM message WHERE id = 1) WHERE user = 1"},
    {"read-mark", "UPDATE message SET kind = 4 WHERE id = 1;"
                  "UPDATE conversation SET read_row = 1, read_id = 5"},
    {"group-size", GROUP_OF_ALICE("2, 0")},
    {"group-size", GROUP_OF_ALICE("1, 1")},
    {"group-owner", GROUP_OF_ALICE("1, 0") "UPDATE member SET role = 3"},
    {"group-owner",
     GROUP_OF_ALICE("2, 0") "INSERT INTO member VALUES(7, 2, 4, 0, 50)"},
    {"member", GROUP_OF_ALICE("1, 0") "UPDATE member SET user = 99"},
    {"member", GROUP_OF_ALICE("1, 0") "UPDATE member SET grp = 8"},
    {"span", GROUP_OF_ALICE("1, 0") "UPDATE span SET until = 49"},
    {"span", GROUP_OF_ALICE("1, 0") "UPDATE span SET until = 60"},
    {"span", GROUP_OF_ALICE("1, 0") "UPDATE span SET user = 2"},
    {"blocks", "UPDATE user SET blocks = 1 WHERE id = 2"},
    {"token-user", "DELETE FROM user WHERE id = 2"},
    {"pages", "PRAGMA writable_schema = ON;"
              "DELETE FROM sqlite_schema WHERE name = 'message_pair'"},
};
#define DAMAGE_COUNT (sizeof(damages) / sizeof(damages[0]))

static void make_store(struct sqlite_rig *rig)
{
    open_store(rig, 1);
    send_some(rig, 6);
    back_up(rig);
    rig_close(rig);
}

static void test_each_damage_is_named(void **state)
{
    struct sqlite_rig *rig = *state;
    char want[64];

    make_store(rig);
    assert_int_equal(check(rig->path), 0);
    assert_string_equal(lines, "");
    for (size_t i = 0; i < DAMAGE_COUNT; i++) {
        back_up(rig);
        run_sql(backup, damages[i].sql);
        snprintf(want, sizeof(want), "%s: ", damages[i].name);
        if (check(backup) == 0 || strstr(lines, want) == NULL) {
            fail_msg("damage %zu (%s) told: %s", i, damages[i].name, lines);
        }
    }
}

/* Without its tables no invariant holds, which tells how many there are. */
static void test_each_invariant_has_a_damage(void **state)
{
    struct sqlite_rig *rig = *state;
    size_t names = 0;

    make_store(rig);
    for (size_t i = 0; i < DAMAGE_COUNT; i++) {
        bool again = i > 0 && strcmp(damages[i].name, damages[i - 1].name) == 0;
        names += again ? 0 : 1;
    }
    run_sql(backup,
            "DROP TABLE timeline; DROP TABLE message; DROP TABLE device;"
            "DROP TABLE slot; DROP TABLE token; DROP TABLE private;"
            "DROP TABLE deletion; DROP TABLE conversation;"
            "DROP TABLE block; DROP TABLE grp; DROP TABLE member;"
            "DROP TABLE span");
    assert_int_equal(check(backup), names - 1); /* the pages are fine */
}

static void test_group_is_no_damage(void **state)
{
    struct sqlite_rig *rig = *state;

    make_store(rig);
    run_sql(backup, GROUP_OF_ALICE("1, 0"));
    assert_int_equal(check(backup), 0);
}

static void test_news_of_devices_is_no_damage(void **state)
{
    struct sqlite_rig *rig = *state;

    make_store(rig);
    run_sql(backup, NEWS NEWS_OF("4")); /* neither has a client_msg_id */
    assert_int_equal(check(backup), 0);
    assert_string_equal(lines, "");
}

static void test_lines_of_an_invariant_are_bounded(void **state)
{
    struct sqlite_rig *rig = *state;
    unsigned count = 0;

    open_store(rig, 1);
    send_some(rig, ROAM_CHECK_LINES_MAX + 1);
    back_up(rig);
    run_sql(backup, "UPDATE message SET device = 99");
    assert_int_equal(check(backup), 1);
    for (const char *c = lines; *c != '\0'; c++) {
        count += *c == '\n' ? 1 : 0;
    }
    assert_int_equal(count, ROAM_CHECK_LINES_MAX);
    run_sql(backup, "UPDATE message SET device = 1 WHERE id > 20");
    assert_int_equal(check(backup), 1);
}

static void test_check_sees_a_store_in_use(void **state)
{
    struct sqlite_rig *rig = *state;

    open_store(rig, 1);
    send_some(rig, 5);
    assert_int_equal(check(rig->path), 0);
    send_some(rig, 5);
}

/* Garbage in the middle of a file must not end in a crash. */
static void test_garbage_is_told(void **state)
{
    struct sqlite_rig *rig = *state;

    make_store(rig);
    for (long page = 1; page < 12; page++) {
        unlink(backup);
        back_up(rig);
        FILE *file = fopen(backup, "r+");
        fseek(file, page * 4096, SEEK_SET);
        for (int i = 0; i < 4096; i++) {
            fputc(i * 7 % 251, file);
        }
        fclose(file);
        assert_true(check(backup) > 0);
    }
}

/* ------------------------------------------------------------------- count */

static char counted[2048];

static void note_count(void *ctx, const char *name, const char *meaning,
                       uint64_t count)
{
    size_t len = strlen(counted);

    (void)ctx;
    assert_non_null(meaning);
    snprintf(counted + len, sizeof(counted) - len, " %s=%llu", name,
             (unsigned long long)count);
}

static void test_counts_are_those_of_the_store(void **state)
{
    struct sqlite_rig *rig = *state;
    struct stat st;
    char sizes[96];

    open_store(rig, 1);
    send_some(rig, 4); /* two to bob, two to herself */
    run_sql(rig->path, "UPDATE token SET expires_ms = 1000 WHERE user = 2");
    run_sql(rig->path, GROUP_OF_ALICE("1, 0"));
    run_sql(rig->path, "INSERT INTO grp VALUES(8, '#old', '', 1, 0, 0, 0)");
    counted[0] = '\0';
    assert_true(roam_store_count(rig->path, 1000, note_count, NULL, error,
                                 sizeof(error)));
    assert_int_equal(stat(rig->path, &st), 0);
    const char *want =
        " users=2 tokens=20 tokens_ended=20 devices=1"
        " slots_held=1 groups=1 messages=4 body_bytes=24 entries=6"
        " conversations=3";
    assert_memory_equal(counted, want, strlen(want));
    snprintf(sizes, sizeof(sizes), " file_bytes=%lld ", (long long)st.st_size);
    assert_non_null(strstr(counted, sizes));
    assert_null(strstr(counted, "log_bytes=0"));
    counted[0] = '\0';
    assert_true(roam_store_count(rig->path, 999, note_count, NULL, error,
                                 sizeof(error)));
    assert_non_null(strstr(counted, " tokens=40 tokens_ended=0 "));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_backup_has_all_that_was_answered),
        TEST(test_backup_is_one_state_while_the_store_writes),
        TEST(test_backup_replaces_no_part_of_the_store),
        TEST(test_backup_replaces_a_backup_and_no_other_file),
        TEST(test_backup_of_what_is_no_store_is_refused),
        TEST(test_backup_that_fails_leaves_the_older_one),
        TEST(test_restore_brings_the_backup_back_and_keeps_the_other),
        TEST(test_restore_is_refused_while_a_server_runs),
        TEST(test_restore_refuses_what_is_no_good_backup),
        TEST(test_restore_that_was_cut_short_is_completed),
        TEST(test_restored_store_belongs_to_the_directorys_owner),
        TEST(test_each_damage_is_named),
        TEST(test_each_invariant_has_a_damage),
        TEST(test_group_is_no_damage),
        TEST(test_news_of_devices_is_no_damage),
        TEST(test_lines_of_an_invariant_are_bounded),
        TEST(test_check_sees_a_store_in_use),
        TEST(test_garbage_is_told),
        TEST(test_counts_are_those_of_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
