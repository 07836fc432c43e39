/* SPDX-License-Identifier: Apache-2.0 */
/* The rig of the POSIX driver's tests. */
#include "posix_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MAX_MS 60000u /* only ends what hangs */
#define POLL_MS 100

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000u + (uint64_t)t.tv_nsec / 1000000u;
}

static void open_listener(struct posix_rig *r)
{
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    memset(&a, 0, sizeof a);
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    r->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(r->listener >= 0);
    assert_int_equal(bind(r->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(r->listener, 8), 0);
    assert_int_equal(fcntl(r->listener, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(getsockname(r->listener, (struct sockaddr *)&a, &len), 0);
    snprintf(r->port, sizeof r->port, "%d", ntohs(a.sin_port));
}

int posix_rig_open(void **state)
{
    struct posix_rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->connection = -1;
    strcpy(r->directory, "/tmp/roam-driver-XXXXXX");
    assert_non_null(mkdtemp(r->directory));
    snprintf(r->store, sizeof r->store, "%s/messages.db", r->directory);
    open_listener(r);
    r->config.host = "127.0.0.1";
    r->config.port = r->port;
    r->config.plain = true;
    r->config.user = "alice";
    r->config.token = "token";
    r->config.device_type = ROAM_PHONE;
    r->config.device_name = "rig";
    r->config.store_path = r->store;
    *state = r;
    return 0;
}

int posix_rig_close(void **state)
{
    static const char *const suffix[] = {"", "-wal", "-shm", ".lock"};
    struct posix_rig *r = *state;
    roam_posix_free(r->posix);
    rig_hang_up(r);
    close(r->listener);
    for (size_t i = 0; i < 4; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", r->store, suffix[i]);
        unlink(name);
    }
    int left = rmdir(r->directory);
    free(r);
    return left;
}

void rig_start(struct posix_rig *r)
{
    char detail[ROAM_POSIX_DETAIL_MAX] = "";
    enum roam_posix_status status =
        roam_posix_new(&r->config, &r->posix, detail);
    if (status != ROAM_POSIX_STATUS_OK) {
        fail_msg("%s: %s", roam_posix_status_text(status), detail);
    }
    roam_posix_connect(r->posix);
}

void rig_crash(struct posix_rig *r)
{
    roam_posix_free(r->posix);
    r->posix = NULL;
    rig_hang_up(r);
    r->event_count = 0;
    r->bodies[0] = '\0';
}

/* ------------------------------------------------------------------- runs */

/* What of an event's slices is worth keeping; NULL: nothing. */
static const struct roam_bytes *text_of_event(const struct roam_posix_event *e)
{
    if (e->type != ROAM_POSIX_PROTOCOL) {
        return NULL;
    }
    switch (e->u.engine.type) {
    case ROAM_EVENT_ENTRY:
        return &e->u.engine.u.entry.body;
    case ROAM_EVENT_PAGE_ROW:
        return &e->u.engine.u.page_row.row.body;
    case ROAM_EVENT_MEMBER:
        return &e->u.engine.u.member.user;
    case ROAM_EVENT_SESSION:
        return &e->u.engine.u.session.device_name;
    case ROAM_EVENT_SENT:
        return e->message.kind == ROAM_KIND_GROUP ? &e->message.conversation
                                                  : NULL;
    default:
        return NULL;
    }
}

static void keep_event(struct posix_rig *r, const struct roam_posix_event *e)
{
    assert_true(r->event_count < RIG_EVENTS_MAX);
    r->events[r->event_count++] = *e;
    const struct roam_bytes *said = text_of_event(e);
    if (said) {
        size_t n = strlen(r->bodies);
        snprintf(r->bodies + n, sizeof r->bodies - n, "%.*s|", (int)said->len,
                 said->len ? (const char *)said->data : "");
    }
}

static void take_events(struct posix_rig *r)
{
    struct roam_posix_event e;
    while (roam_posix_next_event(r->posix, &e)) {
        keep_event(r, &e);
    }
}

void rig_run(struct posix_rig *r)
{
    roam_posix_run(r->posix);
    take_events(r);
}

/* Waits a little for the driver's or the server's socket, then runs. */
static void step(struct posix_rig *r)
{
    struct pollfd fds[2];
    int timeout = roam_posix_poll(r->posix, &fds[0]);
    fds[1].fd = r->connection >= 0 ? r->connection : r->listener;
    fds[1].events = POLLIN;
    if (r->eof) {
        fds[1].fd = -1;
    }
    if (timeout < 0 || timeout > POLL_MS) {
        timeout = POLL_MS;
    }
    assert_true(poll(fds, 2, timeout) >= 0 || errno == EINTR);
    rig_run(r);
}

static void check_time(uint64_t since, const char *what)
{
    if (now_ms() - since > WAIT_MAX_MS) {
        fail_msg("%s does not come", what);
    }
}

/* ----------------------------------------------------------- server's end */

static void try_accept(struct posix_rig *r)
{
    r->connection = accept(r->listener, NULL, NULL);
    if (r->connection >= 0) {
        assert_int_equal(fcntl(r->connection, F_SETFL, O_NONBLOCK), 0);
        roam_reader_init(&r->reader, r->memory, sizeof r->memory,
                         RIG_BUFFER_BYTES - ROAM_FRAME_HEADER_BYTES);
        r->at = r->len = 0;
        r->eof = false;
    }
}

static void try_receive(struct posix_rig *r)
{
    if (r->connection < 0) {
        try_accept(r);
    }
    if (r->connection < 0 || r->at < r->len || r->eof) {
        return;
    }
    ssize_t n = recv(r->connection, r->bytes, sizeof r->bytes, 0);
    r->at = 0;
    r->len = n > 0 ? (size_t)n : 0;
    r->eof = n == 0 || (n < 0 && errno == ECONNRESET);
}

static bool try_frame(struct posix_rig *r, uint8_t *type,
                      struct roam_slice *payload)
{
    struct roam_slice in = {r->bytes + r->at, r->len - r->at};
    enum roam_reader_result result =
        roam_reader_next(&r->reader, &in, type, payload);
    r->at = r->len - in.len;
    assert_true(result == ROAM_READER_MORE || result == ROAM_READER_FRAME);
    return result == ROAM_READER_FRAME;
}

void rig_frame(struct posix_rig *r, uint8_t type, struct roam_message *m)
{
    uint64_t since = now_ms();
    uint8_t got = 0;
    struct roam_slice payload;
    for (;;) {
        try_receive(r);
        if (r->connection >= 0 && try_frame(r, &got, &payload)) {
            if (got == ROAM_PING && type != ROAM_PING) {
                continue;
            }
            if (got != type) {
                fail_msg("%s instead of %s", roam_frame_name(got),
                         roam_frame_name(type));
            }
            assert_int_equal(roam_message_decode(got, payload, m),
                             roam_v1_ErrorCode_ERROR_UNSPECIFIED);
            return;
        }
        if (r->eof) {
            fail_msg("the driver hung up before %s", roam_frame_name(type));
        }
        check_time(since, roam_frame_name(type));
        step(r);
    }
}

void rig_answer(struct posix_rig *r, const struct roam_message *m)
{
    static uint8_t out[RIG_BUFFER_BYTES];
    size_t len = roam_message_encode(m, out, sizeof out);
    assert_true(len > 0);
    for (size_t at = 0; at < len;) {
        ssize_t n = send(r->connection, out + at, len - at, MSG_NOSIGNAL);
        if (n > 0) {
            at += (size_t)n;
        } else {
            assert_int_equal(errno, EAGAIN);
            step(r);
        }
    }
}

void rig_hang_up(struct posix_rig *r)
{
    if (r->connection >= 0) {
        close(r->connection);
        r->connection = -1;
    }
    r->eof = false;
}

void rig_eof(struct posix_rig *r)
{
    uint64_t since = now_ms();
    uint8_t type;
    struct roam_slice payload;
    while (!r->eof) {
        try_receive(r);
        while (try_frame(r, &type, &payload)) {
        }
        check_time(since, "the end of the connection");
        if (!r->eof) {
            step(r);
        }
    }
}

/* ---------------------------------------------------------------- answers */

void rig_login_ok(struct posix_rig *r, uint64_t head)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_LOGIN_OK);
    m.u.login_ok.generation = 1;
    m.u.login_ok.head = head;
    m.u.login_ok.max_frame = 131072;
    m.u.login_ok.max_body = ROAM_POSIX_BODY_MAX;
    m.u.login_ok.max_commands = 16;
    m.u.login_ok.heartbeat_ms = 30000;
    m.u.login_ok.dedup_ms = 604800000;
    rig_answer(r, &m);
}

void rig_sync_ok(struct posix_rig *r, uint64_t head, roam_v1_SyncResult result)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_SYNC_OK);
    m.u.sync_ok.result = result;
    m.u.sync_ok.head = head;
    if (result == roam_v1_SyncResult_RESET) {
        m.u.sync_ok.reason = roam_v1_ResetReason_NOT_A_LINK;
    }
    rig_answer(r, &m);
}

void rig_log_in(struct posix_rig *r, uint64_t head, struct roam_message *login)
{
    struct roam_message sync;
    rig_frame(r, ROAM_LOGIN, login);
    rig_frame(r, ROAM_SYNC, &sync);
    rig_login_ok(r, head);
    rig_sync_ok(r, head,
                sync.u.sync.cursor == head ? roam_v1_SyncResult_UP_TO_DATE
                                           : roam_v1_SyncResult_DELTA);
    rig_event(r, ROAM_EVENT_LOGGED_IN);
}

void rig_refuse(struct posix_rig *r, roam_v1_RefusedReason reason,
                roam_v1_Retry retry, uint64_t generation)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_REFUSED);
    m.u.refused.reason = reason;
    m.u.refused.retry = retry;
    m.u.refused.generation = generation;
    rig_answer(r, &m);
}

void rig_kick(struct posix_rig *r, roam_v1_KickReason reason,
              roam_v1_Retry retry)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_KICK);
    m.u.kick.reason = reason;
    m.u.kick.retry = retry;
    rig_answer(r, &m);
}

void rig_push(struct posix_rig *r, uint64_t version, uint64_t prev,
              const char *body)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_PUSH);
    m.u.push.version = version;
    m.u.push.prev_version = prev;
    m.u.push.msg_id = version << ROAM_MSG_ID_TIME_SHIFT;
    strcpy(m.u.push.conversation, "bob");
    strcpy(m.u.push.sender, "bob");
    m.body.data = (const uint8_t *)body;
    m.body.len = strlen(body);
    rig_answer(r, &m);
}

void rig_send_ok(struct posix_rig *r, uint64_t client_msg_id, uint64_t msg_id,
                 bool duplicate)
{
    struct roam_message m;
    roam_message_init(&m, ROAM_SEND_OK);
    m.u.send_ok.client_msg_id = client_msg_id;
    m.u.send_ok.msg_id = msg_id;
    m.u.send_ok.duplicate = duplicate;
    rig_answer(r, &m);
}

/* ----------------------------------------------------------------- events */

static bool take_kept(struct posix_rig *r, enum roam_posix_event_type type,
                      enum roam_event_type engine, struct roam_posix_event *e)
{
    for (size_t i = 0; i < r->event_count; i++) {
        const struct roam_posix_event *kept = &r->events[i];
        if (kept->type == type &&
            (type != ROAM_POSIX_PROTOCOL || kept->u.engine.type == engine)) {
            *e = *kept;
            r->event_count -= i + 1;
            memmove(r->events, r->events + i + 1,
                    r->event_count * sizeof r->events[0]);
            return true;
        }
    }
    return false;
}

static struct roam_posix_event wait_event(struct posix_rig *r,
                                          enum roam_posix_event_type type,
                                          enum roam_event_type engine)
{
    struct roam_posix_event e;
    uint64_t since = now_ms();
    take_events(r);
    while (!take_kept(r, type, engine, &e)) {
        check_time(since, "an event");
        step(r);
    }
    return e;
}

struct roam_posix_event rig_event(struct posix_rig *r,
                                  enum roam_event_type type)
{
    return wait_event(r, ROAM_POSIX_PROTOCOL, type);
}

struct roam_posix_event rig_driver_event(struct posix_rig *r,
                                         enum roam_posix_event_type type)
{
    return wait_event(r, type, ROAM_EVENT_NONE);
}

uint64_t rig_send(struct posix_rig *r, const char *body)
{
    const struct roam_bytes to = {(const uint8_t *)"bob", 3};
    const struct roam_bytes type = {NULL, 0};
    struct roam_bytes bytes = {(const uint8_t *)body, strlen(body)};
    uint64_t id = 0;
    assert_int_equal(
        roam_posix_send(r->posix, ROAM_KIND_MESSAGE, to, type, bytes, &id),
        ROAM_POSIX_STATUS_OK);
    assert_true(id != 0);
    return id;
}

/* ------------------------------------------------------------------- disk */

static struct roam_local *open_reader(struct posix_rig *r)
{
    char detail[ROAM_POSIX_DETAIL_MAX];
    struct roam_local *l;
    assert_int_equal(roam_local_open(r->store, r->config.user,
                                     r->config.device_type, ROAM_LOCAL_READ, &l,
                                     detail),
                     ROAM_POSIX_STATUS_OK);
    return l;
}

struct roam_local_device rig_device(struct posix_rig *r)
{
    struct roam_local_device d;
    struct roam_local *l = open_reader(r);
    roam_local_device(l, &d);
    roam_local_close(l);
    return d;
}

struct roam_local_counts rig_counts(struct posix_rig *r)
{
    struct roam_local_counts c;
    struct roam_local *l = open_reader(r);
    assert_int_equal(roam_local_count(l, &c), ROAM_POSIX_STATUS_OK);
    roam_local_close(l);
    return c;
}
