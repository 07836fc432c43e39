/* SPDX-License-Identifier: Apache-2.0 */
/* The limit: SQLite alone, writing the rows of a SEND (one message, two
 * timeline entries) into the server's own schema with the same sync. In the
 * same run, because machines differ; once with few messages a commit, once
 * with half of what the senders have in flight, which is what the server
 * finds in its queue when a commit ends. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "store_sqlite.h"

#define MESSAGES 33000
#define FEW 33
#define MANY 800
#define USERS 200

static sqlite3 *db;

static void run_sql(const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        bench_die("%s: %s", sql, sqlite3_errmsg(db));
    }
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        bench_die("%s: %s", sql, sqlite3_errmsg(db));
    }
    return stmt;
}

static void step(sqlite3_stmt *stmt)
{
    if (sqlite3_step(stmt) != SQLITE_DONE) {
        bench_die("step: %s", sqlite3_errmsg(db));
    }
    sqlite3_reset(stmt);
}

static void write_rows(int a_commit)
{
    sqlite3_stmt *message = prepare(
        "INSERT INTO message(msg_id, sender, receiver, device, generation,"
        " attempt, client_msg_id, kind, content_type, body, part)"
        " VALUES(?1, ?2, ?3, 1, 1, 1, ?4, 0, '', ?5, 0)");
    sqlite3_stmt *entry = prepare("INSERT INTO timeline VALUES(?1, ?2, 1, ?3)");
    sqlite3_int64 version[USERS] = {0};

    for (int i = 0; i < MESSAGES; i++) {
        int sender = i % (USERS / 2);
        struct roam_slice body = bench_body((uint64_t)i);

        if (i % a_commit == 0) {
            run_sql("BEGIN IMMEDIATE");
        }
        sqlite3_bind_int64(message, 1, ((sqlite3_int64)i + 1) << 22);
        sqlite3_bind_int(message, 2, sender);
        sqlite3_bind_int(message, 3, sender + USERS / 2);
        sqlite3_bind_int64(message, 4, i + 1);
        sqlite3_bind_blob(message, 5, body.data, (int)body.len, SQLITE_STATIC);
        step(message);
        for (int k = 0; k < 2; k++) {
            int user = sender + k * USERS / 2;

            sqlite3_bind_int(entry, 1, user);
            sqlite3_bind_int64(entry, 2, ++version[user]);
            sqlite3_bind_int64(entry, 3, i + 1);
            step(entry);
        }
        if ((i + 1) % a_commit == 0 || i + 1 == MESSAGES) {
            run_sql("COMMIT");
        }
    }
    sqlite3_finalize(message);
    sqlite3_finalize(entry);
}

/* Messages a second. */
static double bare(int a_commit)
{
    char dir[] = "/tmp/roam-bare-XXXXXX";
    char path[64];
    char command[64];
    char error[256] = "";

    if (mkdtemp(dir) == NULL) {
        bench_die("mkdtemp failed");
    }
    snprintf(path, sizeof(path), "%s/bare.db", dir);
    struct roam_admin *admin =
        roam_admin_open(path, true, error, sizeof(error));
    if (admin == NULL) {
        bench_die("bare: %s", error);
    }
    roam_admin_close(admin);
    if (sqlite3_open(path, &db) != SQLITE_OK) {
        bench_die("bare: %s", sqlite3_errmsg(db));
    }
    run_sql("PRAGMA synchronous=FULL; PRAGMA cache_size=-32768");
    double start = bench_now();
    write_rows(a_commit);
    double seconds = bench_now() - start;
    sqlite3_close(db);
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command) != 0) {
        bench_die("cannot remove %s", dir);
    }
    return MESSAGES / seconds;
}

void bench_bare_sqlite(double rate)
{
    bench_result("SQLite alone, same rows, 33 a commit", bare(FEW), "a second",
                 NULL);
    double many = bare(MANY);
    bench_result("SQLite alone, same rows, 800 a commit", many, "a second",
                 NULL);
    bench_result("sends over SQLite alone, 800 a commit", rate * 100 / many,
                 "%", ">= 60");
}
