/* SPDX-License-Identifier: Apache-2.0 */
/* The control channel of a test build: see control.h; empty in a product.
 *
 *   held       the clocks stand still
 *   under way  a request of the core that the store has not finished
 *   quiet      nothing is under way, and no socket has anything to be read
 *
 * `advance` goes from deadline to deadline, each time until all is quiet, and
 * answers when the last one is: what fell due has been done then, and its
 * frames have been handed to the kernel. So whoever gets the answer need not
 * wait for anything, neither for what happened nor for what did not. */
#include "control.h"

#ifdef ROAM_FAULTS

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../core/fault.h"
#include "conn.h"

#define LINE_MAX_BYTES 1024
#define WORD_MAX_BYTES 32
/* Most steps of an advance: what is nearer to each other is done together,
 * in its order, so that a year costs no more than an hour. */
#define STEPS_MAX 256
/* Sockets that are looked at before time goes on; a test has a few. */
#define SOCKETS_MAX 256
/* A round of trimming may be under way; the second one goes over all. */
#define TRIM_ROUNDS 2

/* A request under way, and who is told of its end. */
struct watched {
    struct roam_store_request *req;
    void (*done)(struct roam_store_request *req);
    bool waits; /* the store has not seen it yet */
    struct watched *next;
};

enum job {
    NO_JOB,
    ADVANCE,
    TRIM
};

static struct {
    struct roam_store base; /* first: the core has this one */
    struct roam_store *store;
    struct watched *watched;
    struct roam_net *net;
    uv_poll_t poll;
    uv_idle_t idle; /* while a job is not done the loop must not wait */
    int fd;         /* -1: no channel */
    char line[LINE_MAX_BYTES];
    size_t have;
    bool held;
    bool store_held;
    struct roam_now now; /* while held */
    enum job job;
    uint64_t job_id;
    uint64_t target_ms; /* of ADVANCE, mono */
    uint64_t step_ms;
    bool ticked; /* at the time that it is now */
    int rounds;  /* of TRIM that are left */
} control = {.fd = -1};

void roam_control_time(struct roam_now *now)
{
    if (control.held) {
        *now = control.now;
    }
}

/* --------------------------------------------------- the store, looked at */

static void watched_done(struct roam_store_request *req)
{
    struct watched **at = &control.watched;

    while ((*at)->req != req) {
        at = &(*at)->next;
    }
    struct watched *w = *at;
    *at = w->next;
    void (*done)(struct roam_store_request *) = w->done;
    free(w);
    done(req);
}

static void submit(struct roam_store *self, struct roam_store_request *req)
{
    struct watched *w = malloc(sizeof(*w));

    (void)self;
    if (w == NULL) {
        abort(); /* no test means this */
    }
    *w = (struct watched){req, req->done, control.store_held, control.watched};
    control.watched = w;
    req->done = watched_done;
    if (!w->waits) {
        control.store->ops->submit(control.store, req);
    }
}

/* What waited goes on in its order: the list has the newest first. */
static void free_store(void)
{
    struct watched *oldest;

    control.store_held = false;
    do {
        oldest = NULL;
        for (struct watched *w = control.watched; w != NULL; w = w->next) {
            oldest = w->waits ? w : oldest;
        }
        if (oldest != NULL) {
            oldest->waits = false;
            control.store->ops->submit(control.store, oldest->req);
        }
    } while (oldest != NULL);
}

static enum roam_store_status poll_store(struct roam_store *self)
{
    (void)self;
    return control.store->ops->poll(control.store);
}

/* Whoever opened the store closes it. */
static void close_store(struct roam_store *self)
{
    (void)self;
}

struct roam_store *roam_control_store(struct roam_store *store)
{
    static const struct roam_store_ops ops = {
        .submit = submit, .poll = poll_store, .close = close_store};

    control.base.ops = &ops;
    control.store = store;
    return &control.base;
}

/* --------------------------------------------------------------- the jobs */

static void say(const char *line)
{
    size_t len = strlen(line);

    while (len > 0) {
        ssize_t n = send(control.fd, line, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            return; /* nobody listens any more */
        }
        line += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

static void answer(uint64_t id, const char *what)
{
    char line[128];

    snprintf(line, sizeof(line),
             "{\"id\":%" PRIu64 ",\"answer\":\"%s\",\"now\":\"%" PRIu64 "\"}\n",
             id, what, roam_net_now().wall_ms);
    say(line);
}

static void end_job(void)
{
    control.job = NO_JOB;
    uv_idle_stop(&control.idle);
    answer(control.job_id, "ok");
}

/* What was sent to the server before it was told to go on in time comes
 * first: no socket that is read has anything. */
static bool is_quiet(const struct roam_net *net)
{
    struct pollfd fds[SOCKETS_MAX];
    nfds_t count = 0;

    if (control.watched != NULL) {
        return false;
    }
    const struct roam_listener *l = net->listeners;
    for (; l != NULL && net->accept_again_ms == 0 && count < SOCKETS_MAX;
         l = l->next) {
        fds[count++] = (struct pollfd){.fd = l->fd, .events = POLLIN};
    }
    for (const struct roam_conn *c = net->conns;
         c != NULL && count < SOCKETS_MAX; c = c->next) {
        if ((c->events & UV_READABLE) != 0) {
            fds[count++] = (struct pollfd){.fd = c->fd, .events = POLLIN};
        }
    }
    return poll(fds, count, 0) <= 0;
}

static void go_to(uint64_t mono_ms)
{
    control.now.wall_ms += mono_ms - control.now.mono_ms;
    control.now.mono_ms = mono_ms;
    control.ticked = false;
}

/* To the next deadline, or the step's end; never beyond the target. */
static void go_on(const struct roam_net *net)
{
    uint64_t to = roam_net_deadline(net);
    uint64_t step = control.now.mono_ms + control.step_ms;

    to = to < step ? step : to;
    go_to(to < control.target_ms ? to : control.target_ms);
}

static void advance_turn(struct roam_net *net)
{
    if (!control.ticked || roam_net_deadline(net) <= control.now.mono_ms) {
        control.ticked = true;
        roam_net_tick(net);
    } else if (control.now.mono_ms < control.target_ms) {
        go_on(net);
    } else {
        end_job();
    }
}

static void trim_done(struct roam_store_request *req)
{
    control.rounds -= req->u.trim.more ? 0 : 1;
    roam_store_request_free(req);
}

static void trim_turn(void)
{
    struct roam_store_request *req;
    uint64_t wall_ms = roam_net_now().wall_ms;

    if (control.rounds == 0) {
        end_job();
        return;
    }
    req = roam_store_request_new(ROAM_STORE_TRIM, 0);
    if (req == NULL) {
        abort();
    }
    req->done = trim_done;
    req->u.trim.now_ms = wall_ms - ROAM_EPOCH_UNIX_MS;
    submit(&control.base, req);
}

void roam_control_turn(struct roam_net *net)
{
    if (control.job == NO_JOB || !is_quiet(net)) {
        return;
    }
    if (control.job == ADVANCE) {
        advance_turn(net);
    } else {
        trim_turn();
    }
}

static void on_idle(uv_idle_t *handle)
{
    (void)handle; /* its being there is what keeps the loop going */
}

static void begin_job(enum job job, uint64_t id)
{
    control.job = job;
    control.job_id = id;
    uv_idle_start(&control.idle, on_idle);
}

/* --------------------------------------------------------------- the lines */

/* The value of a field of a flat object, as text; false: it has none. The
 * lines are the suite's own, which writes no escapes. */
static bool field(const char *line, const char *name, char *out)
{
    char key[WORD_MAX_BYTES + 4];
    size_t n = 0;

    snprintf(key, sizeof(key), "\"%s\":", name);
    const char *at = strstr(line, key);
    if (at == NULL) {
        return false;
    }
    at += strlen(key);
    at += strspn(at, " \"");
    while (at[n] != '\0' && strchr("\",} ", at[n]) == NULL &&
           n + 1 < WORD_MAX_BYTES) {
        out[n] = at[n];
        n++;
    }
    out[n] = '\0';
    return n > 0;
}

static uint64_t number(const char *line, const char *name)
{
    char text[WORD_MAX_BYTES];

    return field(line, name, text) ? strtoull(text, NULL, 10) : 0;
}

static void hold(uint64_t wall_ms)
{
    control.now = roam_net_now();
    if (wall_ms != 0) {
        control.now.wall_ms = wall_ms;
    }
    control.held = true;
}

static void begin_advance(uint64_t id, uint64_t ms)
{
    control.target_ms = control.now.mono_ms + ms;
    control.step_ms = ms / STEPS_MAX;
    control.ticked = false;
    begin_job(ADVANCE, id);
}

static void carry_out(const char *line)
{
    uint64_t id = number(line, "id");
    char verb[WORD_MAX_BYTES];
    char kept[WORD_MAX_BYTES] = "";

    if (!field(line, "verb", verb) || control.job != NO_JOB) {
        answer(id, "error");
    } else if (strcmp(verb, "hold") == 0) {
        hold(0);
        answer(id, "ok");
    } else if (strcmp(verb, "advance") == 0 && control.held) {
        begin_advance(id, number(line, "ms"));
    } else if (strcmp(verb, "set-back") == 0 && control.held) {
        control.now.wall_ms -= number(line, "ms");
        answer(id, "ok");
    } else if (strcmp(verb, "advance") == 0 || strcmp(verb, "set-back") == 0) {
        answer(id, "error"); /* hold comes first */
    } else if (strcmp(verb, "hold-store") == 0) {
        control.store_held = true;
        answer(id, "ok");
    } else if (strcmp(verb, "free-store") == 0) {
        free_store();
        answer(id, "ok");
    } else if (strcmp(verb, "trim") == 0) {
        control.rounds = TRIM_ROUNDS;
        begin_job(TRIM, id);
    } else if (strcmp(verb, "fail-write") == 0) {
        field(line, "stored", kept);
        roam__fault_arm(strcmp(kept, "true") == 0);
        answer(id, "ok");
    } else {
        answer(id, "unsupported");
    }
}

static void take_lines(void)
{
    char *end;

    while ((end = memchr(control.line, '\n', control.have)) != NULL) {
        *end = '\0';
        carry_out(control.line);
        control.have -= (size_t)(end + 1 - control.line);
        memmove(control.line, end + 1, control.have);
    }
}

static void on_readable(uv_poll_t *handle, int status, int events)
{
    ssize_t n = -1;

    (void)handle;
    (void)events;
    if (status == 0 && control.have < sizeof(control.line)) {
        n = recv(control.fd, control.line + control.have,
                 sizeof(control.line) - control.have, MSG_DONTWAIT);
    }
    if (n <= 0) { /* the other end has gone, or talks nonsense */
        _exit(EXIT_FAILURE);
    }
    control.have += (size_t)n;
    take_lines();
}

/* --------------------------------------------------------- life and end */

static void say_hello(void)
{
    char line[160];

    snprintf(line, sizeof(line),
             "{\"hello\":\"roamd\",\"control\":1,\"capabilities\":[\"clock\","
             "\"fail-write\",\"hold-store\",\"trim\"],\"now\":\"%" PRIu64
             "\"}\n",
             roam_net_now().wall_ms);
    say(line);
}

bool roam_control_open(struct roam_net *net)
{
    const char *fd = getenv("ROAM_CONTROL_FD");
    const char *now = getenv("ROAM_CONTROL_NOW");

    if (fd == NULL) {
        return true;
    }
    control.fd = atoi(fd);
    fcntl(control.fd, F_SETFD, FD_CLOEXEC);
    if (uv_poll_init(&net->loop, &control.poll, control.fd) != 0 ||
        uv_idle_init(&net->loop, &control.idle) != 0) {
        return false;
    }
    control.net = net;
    if (now != NULL) {
        hold(strtoull(now, NULL, 10));
    }
    say_hello();
    return uv_poll_start(&control.poll, UV_READABLE, on_readable) == 0;
}

void roam_control_close(void)
{
    if (control.job == ADVANCE) { /* that the server ended is what fell due */
        go_to(control.target_ms);
        answer(control.job_id, "ok");
    }
    control.job = NO_JOB;
    while (control.watched != NULL) { /* never to be answered */
        struct watched *w = control.watched;
        control.watched = w->next;
        free(w);
    }
}

#endif
