/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of the store and what goes between them and the loop.
 *
 *   loop --submit()--> writer lane --+
 *                        ^           |
 *                LOGINs with a good  |
 *                   credential       |
 *                        |           |
 *        --submit()--> reader lane --+--> done list --poll()--> loop
 *
 * A *lane* is a thread with the queue before it. A lane takes all that waits
 * at once: the writer commits it together, which is where the speed comes
 * from, and answers only then. One lock guards the queues; no SQLite call is
 * made under it.
 *
 * Invariant: once `failed` is set nothing is answered, not even what was
 * finished before: the process is about to end. */
#include "store_sqlite.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../core/alloc.h"
#include "db.h"
#include "reader.h"
#include "store_file.h"
#include "writer.h"

/* Requests that share a commit: enough that its cost vanishes, few enough
 * that the first one does not wait long for the last. */
#define GROUP_MAX 1024
#define REASON_MAX 256
#define LOG_LINE_MAX 256

struct queue {
    struct roam_store_request *first;
    struct roam_store_request **end;
    size_t count;
};

struct sqlite_store;

struct lane {
    struct sqlite_store *store;
    bool (*run)(struct sqlite_store *s, struct roam_store_request *group);
    pthread_t thread;
    pthread_cond_t more;
    struct queue waiting;
    bool stopping; /* no more comes: ends when all is done */
};

struct sqlite_store {
    struct roam_store base; /* first: the seam hands this one around */
    roam_store_wake_fn wake;
    void *wake_ctx;
    roam_log_fn log;
    void *log_ctx;
    int lock_fd;
    struct roam_writer writer;
    struct roam_store_reader reader;
    pthread_mutex_t lock; /* guards all below */
    struct lane write_lane;
    struct lane read_lane;
    struct queue done;
    struct queue dead; /* of a failed group: never answered */
    bool failed;
    char reason[REASON_MAX];
    /* Waits for another process that writes: begun, ended, and of these the
     * ones that are in the log; the loop's thread writes it. */
    uint64_t waits_begun, waits_ended;
    uint64_t told_begun, told_ended;
    uint64_t waited_ms;                   /* the last one */
    struct roam_store_sqlite_stats stats; /* but for what waits now */
};

/* ----------------------------------------------------------------- queues */

static void queue_init(struct queue *q)
{
    q->first = NULL;
    q->end = &q->first;
    q->count = 0;
}

/* Appends a list that ends in NULL. */
static void queue_append(struct queue *q, struct roam_store_request *list)
{
    *q->end = list;
    while (*q->end != NULL) {
        q->end = &(*q->end)->next;
        q->count++;
    }
}

/* Takes at most max requests off the front. */
static struct roam_store_request *queue_take(struct queue *q, size_t max)
{
    struct roam_store_request *list = q->first;
    struct roam_store_request **cut = &q->first;

    while (*cut != NULL && max > 0) {
        cut = &(*cut)->next;
        q->count--;
        max--;
    }
    struct roam_store_request *rest = *cut;
    *cut = NULL;
    if (rest == NULL) {
        queue_init(q);
    } else {
        q->first = rest;
    }
    return list;
}

static void queue_free(struct queue *q)
{
    struct roam_store_request *req = q->first;

    while (req != NULL) {
        struct roam_store_request *next = req->next;
        roam_store_request_free(req);
        req = next;
    }
    queue_init(q);
}

/* ------------------------------------------------------------ the threads */

static void wake(struct sqlite_store *s)
{
    if (s->wake != NULL) {
        s->wake(s->wake_ctx);
    }
}

static void post(struct sqlite_store *s, struct roam_store_request *group)
{
    pthread_mutex_lock(&s->lock);
    queue_append(&s->done, group);
    pthread_mutex_unlock(&s->lock);
    wake(s);
}

/* group may be NULL. */
static void fail(struct sqlite_store *s, sqlite3 *db, const char *what,
                 struct roam_store_request *group)
{
    pthread_mutex_lock(&s->lock);
    if (!s->failed) {
        snprintf(s->reason, sizeof(s->reason), "%s: %s", what,
                 sqlite3_errmsg(db));
    }
    s->failed = true;
    queue_append(&s->dead, group);
    pthread_mutex_unlock(&s->lock);
    wake(s);
}

static bool carry_out(struct roam_writer *w, struct roam_store_request *group)
{
    for (; group != NULL; group = group->next) {
        if (!roam_writer_do(w, group)) {
            return false;
        }
    }
    return true;
}

static bool is_stopping(struct lane *lane)
{
    pthread_mutex_lock(&lane->store->lock);
    bool stopping = lane->stopping;
    pthread_mutex_unlock(&lane->store->lock);
    return stopping;
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void note_wait(struct sqlite_store *s, uint64_t *count, uint64_t ms)
{
    pthread_mutex_lock(&s->lock);
    ++*count;
    s->waited_ms = ms;
    pthread_mutex_unlock(&s->lock);
    wake(s);
}

/* Waits while another process writes, but not longer than the store is
 * wanted: what was never begun needs no answer. Whoever waits for answers
 * meanwhile must find the reason in the log. */
static bool begin_group(struct sqlite_store *s)
{
    uint64_t since_us = now_us();
    bool waits = false;
    bool busy;

    do {
        if (!roam_writer_begin(&s->writer, &busy)) {
            return false;
        }
        if (busy && !waits) {
            waits = true;
            note_wait(s, &s->waits_begun, 0);
        }
    } while (busy && !is_stopping(&s->write_lane));
    if (waits) {
        note_wait(s, &s->waits_ended, (now_us() - since_us) / 1000);
    }
    return !busy;
}

const uint32_t roam_commit_bounds_us[ROAM_COMMIT_BOUNDS] = {
    250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 1000000};

static void note_commit(struct sqlite_store *s, uint64_t us)
{
    size_t i = 0;

    while (i < ROAM_COMMIT_BOUNDS && us > roam_commit_bounds_us[i]) {
        i++;
    }
    pthread_mutex_lock(&s->lock);
    s->stats.commits++;
    s->stats.commits_us += us;
    s->stats.commits_by_time[i]++;
    pthread_mutex_unlock(&s->lock);
}

static bool write_group(struct sqlite_store *s,
                        struct roam_store_request *group)
{
    struct roam_writer *w = &s->writer;

    if (!begin_group(s)) {
        fail(s, w->db, "cannot begin a transaction", group);
        return false;
    }
    if (!carry_out(w, group)) {
        fail(s, w->db, "cannot write", group);
        return false;
    }
    uint64_t since_us = now_us();
    if (!roam_writer_commit(w)) {
        fail(s, w->db, "a commit failed", group);
        return false;
    }
    note_commit(s, now_us() - since_us);
    post(s, group);
    if (!roam_writer_tidy(w)) {
        fail(s, w->db, "cannot checkpoint the log", NULL);
        return false;
    }
    return true;
}

static void hand_over(struct lane *lane, struct roam_store_request *list)
{
    struct sqlite_store *s = lane->store;

    pthread_mutex_lock(&s->lock);
    queue_append(&lane->waiting, list);
    pthread_mutex_unlock(&s->lock);
    pthread_cond_signal(&lane->more);
}

/* Takes the LOGINs that the reader found no fault with out of the group: what
 * they ask for is to be written. */
static struct roam_store_request *take_logins(struct roam_store_request **group)
{
    struct queue logins;

    queue_init(&logins);
    while (*group != NULL) {
        struct roam_store_request *req = *group;
        if (req->kind == ROAM_STORE_LOGIN && req->u.login.refused == 0 &&
            !req->u.login.only_check) {
            *group = req->next;
            req->next = NULL;
            queue_append(&logins, req);
        } else {
            group = &req->next;
        }
    }
    return logins.first;
}

static bool read_group(struct sqlite_store *s, struct roam_store_request *group)
{
    struct roam_store_reader *r = &s->reader;
    bool ok = roam_store_reader_begin(r);

    for (struct roam_store_request *req = group; ok && req != NULL;
         req = req->next) {
        ok = roam_store_reader_do(r, req);
    }
    if (!ok || !roam_store_reader_end(r)) {
        fail(s, r->db, "cannot read", group);
        return false;
    }
    struct roam_store_request *logins = take_logins(&group);
    if (logins != NULL) {
        hand_over(&s->write_lane, logins);
    }
    if (group != NULL) {
        post(s, group);
    }
    return true;
}

/* The next group of a lane; NULL when the store is closing and all is done. */
static struct roam_store_request *next_group(struct lane *lane)
{
    struct sqlite_store *s = lane->store;

    pthread_mutex_lock(&s->lock);
    while (lane->waiting.first == NULL && !lane->stopping) {
        pthread_cond_wait(&lane->more, &s->lock);
    }
    struct roam_store_request *group = queue_take(&lane->waiting, GROUP_MAX);
    pthread_mutex_unlock(&s->lock);
    return group;
}

static void *lane_main(void *arg)
{
    struct lane *lane = arg;
    struct roam_store_request *group = next_group(lane);

    while (group != NULL && lane->run(lane->store, group)) {
        group = next_group(lane);
    }
    return NULL;
}

/* ---------------------------------------------------------------- the seam */

/* A LOGIN does not: see credential.h. */
static bool begins_with_write(enum roam_store_kind kind)
{
    return kind == ROAM_STORE_LOGOUT || kind == ROAM_STORE_SEND ||
           kind == ROAM_STORE_TRIM || kind == ROAM_STORE_SEEN ||
           kind == ROAM_STORE_END_SESSION;
}

static void store_submit(struct roam_store *self,
                         struct roam_store_request *req)
{
    struct sqlite_store *s = (struct sqlite_store *)self;

    req->next = NULL;
    hand_over(begins_with_write(req->kind) ? &s->write_lane : &s->read_lane,
              req);
}

static void tell(const struct sqlite_store *s, const char *format, uint64_t n)
{
    char line[LOG_LINE_MAX];

    if (s->log != NULL) {
        snprintf(line, sizeof(line), format, (unsigned long long)n);
        s->log(s->log_ctx, 1, line);
    }
}

/* What the store's threads have to say, on the loop's thread. */
static void tell_waits(struct sqlite_store *s)
{
    pthread_mutex_lock(&s->lock);
    bool begun = s->waits_begun > s->told_begun;
    bool ended = s->waits_ended > s->told_ended;
    uint64_t ms = s->waited_ms;
    s->told_begun = s->waits_begun;
    s->told_ended = s->waits_ended;
    pthread_mutex_unlock(&s->lock);
    if (begun) {
        tell(s,
             "store-waits after_ms=%llu reason=\"another process holds the"
             " lock of the store\"",
             ROAM_WRITER_BUSY_MS);
    }
    if (ended) {
        tell(s, "store-goes-on waited_ms=%llu", ms);
    }
}

static enum roam_store_status store_poll(struct roam_store *self)
{
    struct sqlite_store *s = (struct sqlite_store *)self;

    tell_waits(s);
    pthread_mutex_lock(&s->lock);
    bool failed = s->failed;
    struct roam_store_request *req =
        failed ? NULL : queue_take(&s->done, SIZE_MAX);
    pthread_mutex_unlock(&s->lock);
    while (req != NULL) {
        struct roam_store_request *next = req->next;
        req->next = NULL;
        req->done(req);
        req = next;
    }
    return failed ? ROAM_STORE_FAILED : ROAM_STORE_OK;
}

static void free_store(struct sqlite_store *s)
{
    roam_store_reader_close(&s->reader);
    roam_writer_close(&s->writer);
    if (s->lock_fd >= 0) {
        close(s->lock_fd);
    }
    queue_free(&s->write_lane.waiting);
    queue_free(&s->read_lane.waiting);
    queue_free(&s->done);
    queue_free(&s->dead);
    pthread_cond_destroy(&s->write_lane.more);
    pthread_cond_destroy(&s->read_lane.more);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static void stop_lane(struct sqlite_store *s, struct lane *lane)
{
    pthread_mutex_lock(&s->lock);
    lane->stopping = true;
    pthread_mutex_unlock(&s->lock);
    pthread_cond_signal(&lane->more);
    pthread_join(lane->thread, NULL);
}

static void store_close(struct roam_store *self)
{
    struct sqlite_store *s = (struct sqlite_store *)self;

    stop_lane(s, &s->read_lane); /* it hands over to the other */
    stop_lane(s, &s->write_lane);
    free_store(s);
}

static const struct roam_store_ops ops = {
    .submit = store_submit, .poll = store_poll, .close = store_close};

/* ----------------------------------------------------------------- opening */

/* Signals are for the loop's thread alone. */
static bool start_lane(struct lane *lane)
{
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&lane->thread, NULL, lane_main, lane);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0;
}

static struct sqlite_store *new_store(
    const struct roam_store_sqlite_config *config)
{
    struct sqlite_store *s = roam__alloc(sizeof(*s));

    if (s == NULL) {
        return NULL;
    }
    s->base.ops = &ops;
    s->wake = config->wake;
    s->wake_ctx = config->wake_ctx;
    s->log = config->log;
    s->log_ctx = config->log_ctx;
    s->lock_fd = -1;
    s->write_lane.store = s;
    s->write_lane.run = write_group;
    s->read_lane.store = s;
    s->read_lane.run = read_group;
    queue_init(&s->write_lane.waiting);
    queue_init(&s->read_lane.waiting);
    queue_init(&s->done);
    queue_init(&s->dead);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->write_lane.more, NULL);
    pthread_cond_init(&s->read_lane.more, NULL);
    return s;
}

struct roam_store *roam_store_sqlite_open(
    const struct roam_store_sqlite_config *config, char *error, size_t cap)
{
    struct sqlite_store *s = new_store(config);

    if (s == NULL) {
        snprintf(error, cap, "out of memory");
        return NULL;
    }
    s->lock_fd = roam_store_lock(config->path, error, cap);
    if (s->lock_fd < 0 || !roam_writer_open(&s->writer, config, error, cap) ||
        !roam_store_reader_open(&s->reader, config->path, error, cap)) {
        goto close;
    }
    if (!start_lane(&s->write_lane)) {
        snprintf(error, cap, "cannot start a thread");
        goto close;
    }
    if (!start_lane(&s->read_lane)) {
        snprintf(error, cap, "cannot start a thread");
        goto stop_writer;
    }
    return &s->base;

stop_writer:
    stop_lane(s, &s->write_lane);
close:
    free_store(s);
    return NULL;
}

void roam_store_sqlite_get_stats(struct roam_store *store,
                                 struct roam_store_sqlite_stats *out)
{
    struct sqlite_store *s = (struct sqlite_store *)store;

    pthread_mutex_lock(&s->lock);
    *out = s->stats;
    out->writes_waiting = s->write_lane.waiting.count;
    out->reads_waiting = s->read_lane.waiting.count;
    out->lock_waits = s->waits_begun;
    pthread_mutex_unlock(&s->lock);
}

const char *roam_store_sqlite_error(const struct roam_store *store)
{
    return ((const struct sqlite_store *)store)->reason;
}
