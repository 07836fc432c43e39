/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: bytes from the kernel through TLS to the session, and
 * back. See conn.h. */
#include "conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../core/alloc.h"
#include "../core/fault.h"

/* ------------------------------------------------------------- deadlines */

static void unqueue(struct roam_conn *c)
{
    struct roam_deadlines *q = c->queue;

    if (q == NULL) {
        return;
    }
    *(c->sooner != NULL ? &c->sooner->later : &q->first) = c->later;
    *(c->later != NULL ? &c->later->sooner : &q->last) = c->sooner;
    q->count--;
    c->queue = NULL;
}

static void enqueue(struct roam_conn *c, struct roam_deadlines *q)
{
    unqueue(c);
    c->queue = q;
    c->deadline_ms = roam_net_now().mono_ms + q->span_ms;
    c->later = NULL;
    c->sooner = q->last;
    *(q->last != NULL ? &q->last->later : &q->first) = c;
    q->last = c;
    q->count++;
}

void roam_conn_expire(struct roam_deadlines *queue, uint64_t now_ms)
{
    while (queue->first != NULL && queue->first->deadline_ms <= now_ms) {
        roam_conn_close(queue->first);
    }
}

/* --------------------------------------------------------------- closing */

static void on_closed(uv_handle_t *handle)
{
    struct roam_conn *c = handle->data;

    close(c->fd);
    free(c);
}

/* The session forgets the connection; the slot stays as it is. */
static void release_session(struct roam_conn *c)
{
    struct roam_session *s = c->session;

    if (s != NULL) {
        c->session = NULL;
        roam_session_closed(s, roam_net_now());
    }
}

void roam_conn_close(struct roam_conn *c)
{
    struct roam_net *net = c->net;

    if (c->closing) {
        return;
    }
    c->closing = true;
    unqueue(c);
    release_session(c);
    roam_tls_free(c->tls);
    c->tls = NULL;
    *(c->prev != NULL ? &c->prev->next : &net->conns) = c->next;
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    uv_close((uv_handle_t *)&c->poll, on_closed);
}

/* --------------------------------------------------------------- writing */

/* The kernel takes what it can; -1: the connection is broken. */
static ssize_t send_some(struct roam_conn *c, struct roam_slice s)
{
    ssize_t n;

    do {
        n = send(c->fd, s.data, s.len, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        n = 0;
    }
    c->stuck = n >= 0 && (size_t)n < s.len;
    c->net->stats.bytes_out += n > 0 ? (uint64_t)n : 0;
    return n;
}

static bool flush_plain(struct roam_conn *c)
{
    struct roam_slice s;

    c->stuck = false;
    while (!c->stuck && (s = roam_session_pending(c->session)).len > 0) {
        ssize_t n = send_some(c, s);
        if (n < 0) {
            return false;
        }
        if (n > 0) {
            roam_session_sent(c->session, (size_t)n, roam_net_now());
        }
    }
    return true;
}

/* What is encrypted already. */
static bool flush_ciphertext(struct roam_conn *c)
{
    struct roam_slice s;

    c->stuck = false;
    while (!c->stuck && (s = roam_tls_pending(c->tls)).len > 0) {
        ssize_t n = send_some(c, s);
        if (n < 0) {
            return false;
        }
        roam_tls_sent(c->tls, (size_t)n);
    }
    return true;
}

static size_t shorter(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* A record is taken whole by its reader: none is longer than the longest
 * frame that this client has room for. [TLS-5] */
static size_t record_max(const struct roam_conn *c)
{
    return ROAM_FAULT("tls-long-records")
               ? SIZE_MAX
               : roam_session_peer_max_frame(c->session);
}

/* Encrypts as much as may wait; true if there was anything. */
static bool encrypt_some(struct roam_conn *c)
{
    bool any = false;
    struct roam_slice s;
    size_t n;

    while ((s = roam_session_pending(c->session)).len > 0 &&
           (n = roam_tls_write(c->tls, s.data, shorter(s.len, record_max(c)))) >
               0) {
        roam_session_sent(c->session, n, roam_net_now());
        any = true;
    }
    return any;
}

static bool flush_tls(struct roam_conn *c)
{
    do {
        if (!flush_ciphertext(c)) {
            return false;
        }
    } while (!c->stuck && c->session != NULL && roam_tls_is_ready(c->tls) &&
             encrypt_some(c));
    return true;
}

/* ---------------------------------------------------------------- reading */

static void on_event(uv_poll_t *handle, int status, int events);

/* Polls for reading always, for writing while the kernel is full. */
static void poll_again(struct roam_conn *c)
{
    int events = UV_READABLE | (c->stuck ? UV_WRITABLE : 0);

    if (!c->closing && events != c->events) {
        c->events = events;
        uv_poll_start(&c->poll, events, on_event);
    }
}

/* The last bytes are with the kernel: says so to the peer, once. */
static void end_output(struct roam_conn *c)
{
    if (!c->ended) {
        c->ended = true;
        roam_tls_free(c->tls);
        c->tls = NULL;
        shutdown(c->fd, SHUT_WR);
    }
}

/* The session is over: see `lingering` in conn.h. */
static void linger(struct roam_conn *c)
{
    release_session(c);
    enqueue(c, &c->net->lingering);
    if (c->tls != NULL) {
        roam_tls_end(c->tls);
    }
    roam_conn_flush(c);
}

void roam_conn_flush(struct roam_conn *c)
{
    bool ok = true;

    if (c->closing) {
        return;
    }
    if (c->tls != NULL) {
        ok = flush_tls(c);
    } else if (c->session != NULL) {
        ok = flush_plain(c);
    }
    if (!ok) {
        roam_conn_close(c);
        return;
    }
    if (c->session != NULL && roam_session_finished(c->session)) {
        linger(c);
        return;
    }
    if (c->session == NULL && !c->stuck) {
        end_output(c);
    }
    poll_again(c);
}

void roam_conn_flush_ready(struct roam_net *net)
{
    struct roam_session *s;

    while (net->core != NULL && (s = roam_core_next_ready(net->core)) != NULL) {
        roam_conn_flush(roam_session_owner(s));
    }
}

static void feed(void *ctx, const uint8_t *data, size_t len)
{
    struct roam_conn *c = ctx;

    c->fed = true;
    if (c->session != NULL) {
        roam_session_feed(c->session, data, len, roam_net_now());
    }
}

/* A handshake step, if this turn of the loop has one left for it. */
static bool may_read(struct roam_conn *c)
{
    if (c->tls == NULL || roam_tls_is_ready(c->tls)) {
        return true;
    }
    return c->net->handshakes_now < ROAM_HANDSHAKES_PER_TURN &&
           c->net->resumptions_now < ROAM_RESUMPTIONS_PER_TURN;
}

static void count_step(struct roam_conn *c)
{
    if (roam_tls_is_resumed(c->tls)) {
        c->net->resumptions_now++;
    } else {
        c->net->handshakes_now++;
    }
}

/* A failed handshake's alert, or nothing, is the last that the peer gets. */
static void give_up(struct roam_conn *c)
{
    if (!roam_tls_is_ready(c->tls)) {
        c->net->stats.handshakes_failed++;
        roam_net_log(c->net, 2, "tls-refused reason=\"%s\"",
                     roam_tls_error(c->tls));
    }
    linger(c);
}

static void receive_tls(struct roam_conn *c, const uint8_t *data, size_t len)
{
    bool was_ready = roam_tls_is_ready(c->tls);

    c->fed = false;
    enum roam_tls_status status = roam_tls_receive(c->tls, data, len, feed, c);
    if (!was_ready) {
        count_step(c);
    }
    switch (status) {
    case ROAM_TLS_OK:
        if (!c->fed) {
            feed(c, NULL, 0); /* part of a record: it cost a read */
        }
        if (!was_ready && roam_tls_is_ready(c->tls)) {
            unqueue(c); /* the handshake was in time */
            c->net->stats.handshakes++;
        }
        roam_conn_flush(c);
        break;
    case ROAM_TLS_CLOSED:
        roam_conn_close(c);
        break;
    case ROAM_TLS_FAILED:
        give_up(c);
        break;
    }
}

static void on_readable(struct roam_conn *c)
{
    uint8_t *buf = c->net->read_buf;

    if (c->session != NULL && !may_read(c)) {
        return;
    }
    ssize_t n = recv(c->fd, buf, ROAM_READ_BYTES, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    c->net->stats.bytes_in += n > 0 ? (uint64_t)n : 0;
    if (n <= 0) {
        roam_conn_close(c);
    } else if (c->session == NULL) {
        return; /* lingering: thrown away */
    } else if (c->tls != NULL) {
        receive_tls(c, buf, (size_t)n);
    } else {
        feed(c, buf, (size_t)n);
    }
}

static void on_event(uv_poll_t *handle, int status, int events)
{
    struct roam_conn *c = handle->data;
    struct roam_net *net = c->net;

    if (status != 0) {
        roam_conn_close(c);
    } else {
        if ((events & UV_WRITABLE) != 0) {
            roam_conn_flush(c);
        }
        if ((events & UV_READABLE) != 0 && !c->closing) {
            on_readable(c);
        }
    }
    roam_conn_flush_ready(net);
}

/* ---------------------------------------------------------------- opening */

static struct roam_conn *new_conn(struct roam_net *net, int fd, bool tls)
{
    struct roam_conn *c = roam__alloc(sizeof(*c));

    if (c == NULL) {
        return NULL;
    }
    if (tls) {
        c->tls = roam_tls_new(net->config.tls);
        if (c->tls == NULL) {
            free(c);
            return NULL;
        }
    }
    if (uv_poll_init(&net->loop, &c->poll, fd) != 0) {
        roam_tls_free(c->tls);
        free(c);
        return NULL;
    }
    c->net = net;
    c->fd = fd;
    c->poll.data = c;
    c->next = net->conns;
    if (c->next != NULL) {
        c->next->prev = c;
    }
    net->conns = c;
    return c;
}

/* The core is asked first: a connection that it does not want costs neither a
 * handle nor what TLS needs. */
void roam_conn_open(struct roam_net *net, int fd, bool tls, const char *peer,
                    uint64_t address)
{
    struct roam_session *s =
        roam_core_accept(net->core, peer, address, roam_net_now());

    if (s == NULL) {
        close(fd);
        return;
    }
    struct roam_conn *c = new_conn(net, fd, tls);
    if (c == NULL) {
        roam_session_closed(s, roam_net_now());
        close(fd);
        return;
    }
    c->session = s;
    roam_session_set_owner(s, c);
    if (tls) {
        enqueue(c, &net->handshakes);
    }
    poll_again(c);
}
