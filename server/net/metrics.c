/* SPDX-License-Identifier: Apache-2.0 */
/* `GET /metrics` over HTTP/1.1, on loopback alone: just enough for one that
 * scrapes. One request a connection, no body, `Connection: close`.
 *
 * Bounds, whoever connects: so many connections at once, the next one is
 * closed; so many bytes until the head of the request is whole; one deadline
 * for everything, set when the connection is accepted and never moved. What
 * is written comes from one buffer a connection, which it owns.
 *
 * Like every connection here, one whose answer is with the kernel lingers
 * until its peer has closed or the deadline comes: closed at once, what the
 * peer still sends would take the answer back. */
#include "conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../core/alloc.h"

#define HTTP_CONNS_MAX 8
#define HTTP_HEAD_MAX 4096
#define HTTP_DEADLINE_MS 5000
#define HTTP_TEXT_MAX 65536
#define HTTP_ANSWER_HEAD_MAX 256

struct http_conn {
    uv_poll_t poll;
    uv_timer_t timer;
    struct roam_http *http;
    struct http_conn *next;
    int fd;
    unsigned handles; /* open; 0: it can be freed */
    bool closing;
    bool answered; /* what comes is thrown away */
    char head[HTTP_HEAD_MAX];
    size_t head_len;
    char *out;
    size_t out_len;
    size_t out_at;
};

struct roam_http {
    uv_poll_t poll;
    struct roam_net *net;
    int fd;
    roam_metrics_fn fn;
    void *ctx;
    struct http_conn *conns;
    unsigned count;
};

/* ---------------------------------------------------------------- closing */

static void on_handle_closed(uv_handle_t *handle)
{
    struct http_conn *c = handle->data;

    if (--c->handles == 0) {
        close(c->fd);
        free(c->out);
        free(c);
    }
}

static void close_conn(struct http_conn *c)
{
    struct http_conn **at = &c->http->conns;

    if (c->closing) {
        return;
    }
    c->closing = true;
    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    c->http->count--;
    uv_close((uv_handle_t *)&c->poll, on_handle_closed);
    uv_close((uv_handle_t *)&c->timer, on_handle_closed);
}

static void on_deadline(uv_timer_t *timer)
{
    close_conn(timer->data);
}

/* ---------------------------------------------------------------- the answer
 */

struct verdict {
    const char *status;
    const char *more; /* header lines */
};

/* NULL: the metrics are asked for. */
static const struct verdict *judge(const char *head)
{
    static const struct verdict bad = {"400 Bad Request", ""};
    static const struct verdict method = {"405 Method Not Allowed",
                                          "Allow: GET\r\n"};
    static const struct verdict path = {"404 Not Found", ""};
    const char *end = strstr(head, "\r\n");
    const char *target = memchr(head, ' ', (size_t)(end - head));
    const char *version =
        target == NULL ? NULL
                       : memchr(target + 1, ' ', (size_t)(end - target - 1));

    if (version == NULL || end - version != 9 ||
        memcmp(version, " HTTP/1.", 8) != 0) {
        return &bad;
    }
    if (strncmp(head, "GET ", 4) != 0) {
        return &method;
    }
    if (version - target != 9 || memcmp(target, " /metrics", 9) != 0) {
        return &path;
    }
    return NULL;
}

/* Head and text into c->out. False without memory. */
static bool answer(struct http_conn *c, const struct verdict *v)
{
    static const struct verdict good = {
        "200 OK", "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"};
    size_t room = HTTP_ANSWER_HEAD_MAX + (v == NULL ? HTTP_TEXT_MAX : 0);
    char *text = NULL;
    size_t len = 0;

    c->out = roam__alloc(room);
    if (c->out == NULL) {
        return false;
    }
    if (v == NULL) { /* behind the room for the head, then moved there */
        v = &good;
        text = c->out + HTTP_ANSWER_HEAD_MAX;
        len = c->http->fn(c->http->ctx, text, HTTP_TEXT_MAX);
    }
    int head = snprintf(c->out, HTTP_ANSWER_HEAD_MAX,
                        "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n"
                        "Connection: close\r\n\r\n",
                        v->status, v->more, len);
    if (len > 0) {
        memmove(c->out + head, text, len);
    }
    c->out_len = (size_t)head + len;
    return true;
}

/* --------------------------------------------------------------------- I/O */

static void on_event(uv_poll_t *handle, int status, int events);

static void flush(struct http_conn *c)
{
    while (c->out_at < c->out_len) {
        ssize_t n = send(c->fd, c->out + c->out_at, c->out_len - c->out_at,
                         MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            uv_poll_start(&c->poll, UV_READABLE | UV_WRITABLE, on_event);
            return;
        }
        if (n < 0 && errno != EINTR) {
            close_conn(c);
            return;
        }
        c->out_at += n > 0 ? (size_t)n : 0;
    }
    shutdown(c->fd, SHUT_WR);
    uv_poll_start(&c->poll, UV_READABLE, on_event);
}

static void answer_with(struct http_conn *c, const struct verdict *v)
{
    c->answered = true;
    if (!answer(c, v)) {
        close_conn(c);
        return;
    }
    flush(c);
}

static void take(struct http_conn *c, size_t n)
{
    static const struct verdict too_long = {
        "431 Request Header Fields Too Large", ""};

    c->head_len += n;
    c->head[c->head_len] = '\0';
    if (strstr(c->head, "\r\n\r\n") != NULL) {
        answer_with(c, judge(c->head));
    } else if (c->head_len == HTTP_HEAD_MAX - 1) {
        answer_with(c, &too_long);
    }
}

static void on_readable(struct http_conn *c)
{
    char thrown_away[1024];
    char *to = c->answered ? thrown_away : c->head + c->head_len;
    size_t room =
        c->answered ? sizeof(thrown_away) : HTTP_HEAD_MAX - 1 - c->head_len;
    ssize_t n = recv(c->fd, to, room, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        close_conn(c);
    } else if (!c->answered) {
        take(c, (size_t)n);
    }
}

static void on_event(uv_poll_t *handle, int status, int events)
{
    struct http_conn *c = handle->data;

    if (status != 0) {
        close_conn(c);
        return;
    }
    if ((events & UV_WRITABLE) != 0 && c->answered) {
        flush(c);
    }
    if ((events & UV_READABLE) != 0 && !c->closing) {
        on_readable(c);
    }
}

/* --------------------------------------------------------------- accepting */

/* Takes over the socket, in any case. */
static void open_conn(struct roam_http *http, int fd)
{
    uv_loop_t *loop = &http->net->loop;
    struct http_conn *c =
        http->count >= HTTP_CONNS_MAX ? NULL : roam__alloc(sizeof(*c));

    if (c == NULL || uv_poll_init(loop, &c->poll, fd) != 0) {
        free(c);
        close(fd);
        return;
    }
    uv_timer_init(loop, &c->timer);
    c->poll.data = c->timer.data = c;
    c->handles = 2;
    c->http = http;
    c->fd = fd;
    c->next = http->conns;
    http->conns = c;
    http->count++;
    uv_update_time(loop);
    uv_timer_start(&c->timer, on_deadline, HTTP_DEADLINE_MS, 0);
    uv_poll_start(&c->poll, UV_READABLE, on_event);
}

/* One in a turn of the loop: the sessions come first. */
static void on_accept(uv_poll_t *handle, int status, int events)
{
    struct roam_http *http = handle->data;
    int fd = -1;

    (void)events;
    if (status == 0) {
        fd = accept4(http->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    if (fd >= 0) {
        open_conn(http, fd);
    } else if (status == 0) {
        (void)roam_net_rests(http->net, errno);
    }
}

void roam_http_poll(struct roam_net *net, bool on)
{
    if (net->http != NULL && on) {
        uv_poll_start(&net->http->poll, UV_READABLE, on_accept);
    } else if (net->http != NULL) {
        uv_poll_stop(&net->http->poll);
    }
}

bool roam_net_serve_metrics(struct roam_net *net, const char *address,
                            uint16_t port, roam_metrics_fn fn, void *ctx,
                            uint16_t *actual_port, char *error, size_t cap)
{
    if (!roam_net_is_loopback(address)) {
        snprintf(error, cap, "metrics: %s is not loopback", address);
        return false;
    }
    struct roam_http *http = roam__alloc(sizeof(*http));
    if (http == NULL) {
        snprintf(error, cap, "out of memory");
        return false;
    }
    http->fd =
        roam_net_open_socket(net, address, port, actual_port, error, cap);
    if (http->fd < 0) {
        free(http);
        return false;
    }
    if (uv_poll_init(&net->loop, &http->poll, http->fd) != 0) {
        snprintf(error, cap, "cannot poll port %u", port);
        close(http->fd);
        free(http);
        return false;
    }
    http->poll.data = http;
    http->net = net;
    http->fn = fn;
    http->ctx = ctx;
    net->http = http;
    uv_poll_start(&http->poll, UV_READABLE, on_accept);
    return true;
}

static void on_http_closed(uv_handle_t *handle)
{
    struct roam_http *http = handle->data;

    close(http->fd);
    free(http);
}

void roam_http_close(struct roam_net *net)
{
    struct roam_http *http = net->http;

    if (http == NULL) {
        return;
    }
    net->http = NULL;
    while (http->conns != NULL) {
        close_conn(http->conns);
    }
    uv_close((uv_handle_t *)&http->poll, on_http_closed);
}
