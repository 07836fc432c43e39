/* SPDX-License-Identifier: Apache-2.0 */
/* See sqlite_rig.h. */
#include "sqlite_rig.h"

#include <errno.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_file.h"

/* Nothing here takes long; this only ends a test that hangs. */
#define PATIENCE_S 60
#define DEVICES 20

static sem_t woken;
static struct roam_store_request *last;

static void on_wake(void *ctx)
{
    (void)ctx;
    sem_post(&woken);
}

/* Versions must be the same from run to run. */
static void count_up(void *ctx, uint8_t *out, size_t len)
{
    static uint8_t n;

    (void)ctx;
    for (size_t i = 0; i < len; i++) {
        out[i] = n++;
    }
}

void rig_setup(struct sqlite_rig *rig)
{
    const char *base = getenv("TMPDIR");

    memset(rig, 0, sizeof(*rig));
    snprintf(rig->dir, sizeof(rig->dir), "%s/roam-store-XXXXXX",
             base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(rig->dir));
    snprintf(rig->path, sizeof(rig->path), "%s/store.db", rig->dir);
    sem_init(&woken, 0, 0);
}

static void tell_line(void *ctx, const char *line)
{
    (void)ctx;
    fprintf(stderr, "%s\n", line);
}

/* Whatever a test did by requests, the store's invariants hold after it. A
 * file that is no store is a test's own doing. */
static void check_store(const struct sqlite_rig *rig)
{
    char error[256];
    size_t bad = 0;

    if (!rig->crafted &&
        roam_store_check(rig->path, tell_line, NULL, &bad, error,
                         sizeof(error)) &&
        bad > 0) {
        fail_msg("%zu invariants of the store do not hold", bad);
    }
}

void rig_teardown(struct sqlite_rig *rig)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal",
                                           ".lock"};
    char path[sizeof(rig->path) + 16];

    rig_close(rig);
    check_store(rig);
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", rig->path, suffixes[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(rig->dir), 0);
    sem_destroy(&woken);
}

void rig_open(struct sqlite_rig *rig)
{
    struct roam_store_sqlite_config config = {.path = rig->path,
                                              .random = count_up,
                                              .keep = rig->keep,
                                              .settings = rig->settings,
                                              .wake = on_wake};
    char error[256] = "";

    rig->store = roam_store_sqlite_open(&config, error, sizeof(error));
    if (rig->store == NULL) {
        fail_msg("%s", error);
    }
}

void rig_close(struct sqlite_rig *rig)
{
    if (rig->store != NULL) {
        rig->store->ops->close(rig->store);
        rig->store = NULL;
    }
}

/* A token is one device's. [DEV-1] */
static void name_token(char out[ROAM_TOKEN_MAX + 1], const char *user,
                       int device)
{
    if (device == 1) {
        snprintf(out, ROAM_TOKEN_MAX + 1, "%.64s", user);
    } else {
        snprintf(out, ROAM_TOKEN_MAX + 1, "%.64s-%d", user, device);
    }
}

void rig_add_user(struct sqlite_rig *rig, const char *user)
{
    char error[256] = "";
    struct roam_admin *admin =
        roam_admin_open(rig->path, true, error, sizeof(error));

    if (admin == NULL ||
        !roam_admin_add_user(admin, user, error, sizeof(error))) {
        fail_msg("%s", error);
    }
    for (int device = 1; device <= DEVICES; device++) {
        char token[ROAM_TOKEN_MAX + 1];
        name_token(token, user, device);
        if (!roam_admin_add_token(admin, user, token, 0, 0, error,
                                  sizeof(error))) {
            fail_msg("%s", error);
        }
    }
    roam_admin_close(admin);
}

void rig_done(struct roam_store_request *req)
{
    last = req;
}

struct roam_store_request *rig_last(void)
{
    return last;
}

void rig_sleep(void)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    while (sem_timedwait(&woken, &until) != 0) {
        assert_int_equal(errno, EINTR);
    }
}

bool rig_wait(struct sqlite_rig *rig)
{
    last = NULL;
    for (;;) {
        if (rig->store->ops->poll(rig->store) != ROAM_STORE_OK) {
            assert_null(last); /* a store that failed answers nothing */
            return false;
        }
        if (last != NULL) {
            return true;
        }
        rig_sleep();
    }
}

bool rig_do(struct sqlite_rig *rig, struct roam_store_request *req)
{
    req->done = rig_done;
    rig->store->ops->submit(rig->store, req);
    return rig_wait(rig);
}

struct roam_identity rig_login(struct sqlite_rig *rig, const char *user,
                               uint32_t type, uint8_t device, uint64_t attempt,
                               uint64_t take_over)
{
    struct roam_store_request *req =
        roam_store_request_new(ROAM_STORE_LOGIN, 0);
    struct roam_store_login *login = &req->u.login;

    snprintf(login->user, sizeof(login->user), "%s", user);
    name_token(login->token, user, device);
    snprintf(login->device_name, sizeof(login->device_name), "%s's no. %d",
             user, device);
    memset(login->device_id, device, sizeof(login->device_id));
    login->device_type = type;
    login->attempt = attempt;
    login->take_over = take_over;
    login->now_ms = RIG_NOW_MS;
    assert_true(rig_do(rig, req));
    assert_int_equal(login->refused, 0);
    struct roam_identity identity = login->identity;
    roam_store_request_free(req);
    return identity;
}

/* The request's memory: receiver, then body. */
struct roam_store_request *rig_send_request(const struct roam_identity *from,
                                            const char *to, uint64_t id,
                                            const char *body, uint64_t now_ms)
{
    size_t to_len = strlen(to);
    size_t body_len = strlen(body);
    struct roam_store_request *req =
        roam_store_request_new(ROAM_STORE_SEND, to_len + body_len + 1);
    struct roam_store_send *send = &req->u.send;

    memcpy(req->memory, to, to_len);
    memcpy(req->memory + to_len, body, body_len);
    send->identity = *from;
    send->client_msg_id = id;
    send->conversation = (struct roam_slice){req->memory, to_len};
    send->body = (struct roam_slice){req->memory + to_len, body_len};
    send->now_ms = now_ms;
    return req;
}

enum roam_send_result rig_send(struct sqlite_rig *rig,
                               const struct roam_identity *from, const char *to,
                               uint64_t id, const char *body, uint64_t now_ms,
                               uint64_t *msg_id)
{
    struct roam_store_request *req =
        rig_send_request(from, to, id, body, now_ms);

    assert_true(rig_do(rig, req));
    enum roam_send_result result = req->u.send.result;
    *msg_id = req->u.send.msg_id;
    roam_store_request_free(req);
    return result;
}

struct roam_store_request *rig_read_request(int64_t user)
{
    struct roam_store_request *req = roam_store_request_new(ROAM_STORE_READ, 0);

    req->u.read = (struct roam_store_read){.user = user,
                                           .upto = ROAM_VERSION_MAX,
                                           .max_count = 1000000,
                                           .max_bytes = SIZE_MAX,
                                           .body_limit = UINT32_MAX};
    return req;
}

struct roam_store_request *rig_read(struct sqlite_rig *rig, int64_t user)
{
    struct roam_store_request *req = rig_read_request(user);

    assert_true(rig_do(rig, req));
    return req;
}

void rig_check_chain(const struct roam_store_read *read)
{
    uint64_t at = 0;

    assert_true(read->is_link);
    for (size_t i = 0; i < read->count; i++) {
        assert_true(read->entries[i].prev_version == at);
        assert_true(read->entries[i].version > at);
        at = read->entries[i].version;
    }
}
