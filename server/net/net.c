/* SPDX-License-Identifier: Apache-2.0 */
/* Listening, time, signals, and the turn of the loop. See net.h.
 *
 * There is one timer: before each wait it is set to the earliest deadline of
 * the core, of the two queues of connections and of the listeners' pause. */
#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../core/alloc.h"
#include "control.h"

/* New connections taken before the others get their turn. */
#define ACCEPTS_PER_TURN 64
/* Out of descriptors or memory: all that listens rests this long. */
#define ACCEPT_PAUSE_MS 100
/* Unfinished handshakes cost some 40 KB each, whoever makes them. Whoever
 * needs longer than the grace may have to give way. */
#define HANDSHAKES_MAX 512
#define HANDSHAKE_GRACE_MS 2000
#define PEER_MAX (INET6_ADDRSTRLEN + 8)
#define LOG_LINE_MAX 512

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct roam_now roam_net_now(void)
{
    struct timespec t;
    struct roam_now now;

    clock_gettime(CLOCK_MONOTONIC, &t);
    now.mono_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
    clock_gettime(CLOCK_REALTIME, &t);
    now.wall_ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
    roam_control_time(&now);
    return now;
}

void roam_net_log(struct roam_net *net, int level, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    va_list args;

    if (net->config.log != NULL) {
        va_start(args, format);
        vsnprintf(line, sizeof(line), format, args);
        va_end(args);
        net->config.log(net->config.log_ctx, level, line);
    }
}

/* -------------------------------------------------------------- addresses */

static bool parse_address(const char *text, uint16_t port, union address *a,
                          socklen_t *len)
{
    memset(a, 0, sizeof(*a));
    if (inet_pton(AF_INET, text, &a->v4.sin_addr) == 1) {
        a->v4.sin_family = AF_INET;
        a->v4.sin_port = htons(port);
        *len = sizeof(a->v4);
        return true;
    }
    if (inet_pton(AF_INET6, text, &a->v6.sin6_addr) == 1) {
        a->v6.sin6_family = AF_INET6;
        a->v6.sin6_port = htons(port);
        *len = sizeof(a->v6);
        return true;
    }
    return false;
}

bool roam_net_is_address(const char *text)
{
    union address a;
    socklen_t len;

    return parse_address(text, 0, &a, &len);
}

static uint32_t v4_of(const union address *a)
{
    uint32_t v4 = a->v4.sin_addr.s_addr;

    if (a->any.sa_family == AF_INET6) { /* one that is mapped */
        memcpy(&v4, a->v6.sin6_addr.s6_addr + 12, sizeof(v4));
    }
    return ntohl(v4);
}

static bool is_v4(const union address *a)
{
    return a->any.sa_family == AF_INET ||
           IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr);
}

static bool is_loopback(const union address *a)
{
    return is_v4(a) ? v4_of(a) >> 24 == 127
                    : IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

bool roam_net_is_loopback(const char *address)
{
    union address a;
    socklen_t len;

    return parse_address(address, 0, &a, &len) && is_loopback(&a);
}

/* What limits for addresses go by: all of IPv4, and of IPv6 the half that
 * names a network, because the other half is the peer's to choose. */
static uint64_t number_of(const union address *a)
{
    const uint64_t is_not_v6 = UINT64_C(1) << 63 | UINT64_C(1) << 32;
    uint64_t number = 0;

    if (is_v4(a)) {
        return is_not_v6 | v4_of(a);
    }
    for (int i = 0; i < 8; i++) {
        number = number << 8 | a->v6.sin6_addr.s6_addr[i];
    }
    return number == 0 ? is_not_v6 : number; /* 0 would be none */
}

/* Behind loopback are the owner's own programs, and proxies. */
static uint64_t limited_number(const union address *a, bool limit_loopback)
{
    return is_loopback(a) && !limit_loopback ? 0 : number_of(a);
}

uint64_t roam_net_address_number(const char *address, bool limit_loopback)
{
    union address a;
    socklen_t len;

    return parse_address(address, 0, &a, &len)
               ? limited_number(&a, limit_loopback)
               : 0;
}

static void print_peer(const union address *a, char *out, size_t cap)
{
    char text[INET6_ADDRSTRLEN] = "?";
    unsigned port;

    if (a->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a->v4.sin_addr, text, sizeof(text));
        port = ntohs(a->v4.sin_port);
        snprintf(out, cap, "%s:%u", text, port);
    } else {
        inet_ntop(AF_INET6, &a->v6.sin6_addr, text, sizeof(text));
        port = ntohs(a->v6.sin6_port);
        snprintf(out, cap, "[%s]:%u", text, port);
    }
}

/* -------------------------------------------------------------- accepting */

static void on_connection(uv_poll_t *handle, int status, int events);

static void poll_listeners(struct roam_net *net, bool on)
{
    for (struct roam_listener *l = net->listeners; l != NULL; l = l->next) {
        if (on) {
            uv_poll_start(&l->poll, UV_READABLE, on_connection);
        } else {
            uv_poll_stop(&l->poll);
        }
    }
    roam_http_poll(net, on);
}

static void pause_listeners(struct roam_net *net, const char *reason)
{
    roam_net_log(net, 1, "accept-paused ms=%d reason=\"%s\"", ACCEPT_PAUSE_MS,
                 reason);
    net->accept_again_ms = roam_net_now().mono_ms + ACCEPT_PAUSE_MS;
    poll_listeners(net, false);
}

bool roam_net_rests(struct roam_net *net, int error)
{
    if (error != EMFILE && error != ENFILE && error != ENOBUFS &&
        error != ENOMEM) {
        return false;
    }
    pause_listeners(net, strerror(error));
    return true;
}

/* False: too many are in the middle of a handshake. One that is there for
 * long makes room; a crowd that comes at once waits in the backlog. */
static bool room_for_handshake(struct roam_net *net)
{
    struct roam_deadlines *q = &net->handshakes;

    if (q->count < HANDSHAKES_MAX) {
        return true;
    }
    uint64_t since_ms = q->first->deadline_ms - q->span_ms;
    if (roam_net_now().mono_ms < since_ms + HANDSHAKE_GRACE_MS) {
        return false;
    }
    roam_conn_close(q->first);
    return true;
}

/* False: nobody waits any more, or nobody can be taken now. */
static bool accept_one(struct roam_listener *l)
{
    union address a;
    socklen_t len = sizeof(a);
    char peer[PEER_MAX];
    int one = 1;

    if (l->tls && !room_for_handshake(l->net)) {
        pause_listeners(l->net, "too many handshakes");
        return false;
    }
    int fd = accept4(l->fd, &a.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        int error = errno;
        /* Somebody who waited has left: look at the next one. */
        return !roam_net_rests(l->net, error) &&
               (error == EINTR || error == ECONNABORTED || error == EPROTO);
    }
    l->net->stats.accepted++;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    print_peer(&a, peer, sizeof(peer));
    roam_conn_open(l->net, fd, l->tls, peer,
                   limited_number(&a, l->net->config.limit_loopback));
    return true;
}

static void on_connection(uv_poll_t *handle, int status, int events)
{
    struct roam_listener *l = handle->data;

    (void)events;
    if (status != 0) { /* the loop has stopped to poll it */
        pause_listeners(l->net, strerror(-status));
        return;
    }
    for (int i = 0; i < ACCEPTS_PER_TURN && accept_one(l); i++) {
    }
    roam_conn_flush_ready(l->net);
}

/* A listening socket, or -1 with errno. */
static int open_socket(struct roam_net *net, const union address *a,
                       socklen_t len)
{
    int one = 1;
    int fd =
        socket(a->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, &a->any, len) != 0 ||
        listen(fd, (int)net->config.backlog) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static uint16_t port_of(int fd)
{
    union address a;
    socklen_t len = sizeof(a);

    if (getsockname(fd, &a.any, &len) != 0) {
        return 0;
    }
    return ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
}

int roam_net_open_socket(struct roam_net *net, const char *address,
                         uint16_t port, uint16_t *actual_port, char *error,
                         size_t cap)
{
    union address a;
    socklen_t len;

    if (!parse_address(address, port, &a, &len)) {
        snprintf(error, cap, "%s: not an IPv4 or IPv6 address", address);
        return -1;
    }
    int fd = open_socket(net, &a, len);
    if (fd < 0) {
        snprintf(error, cap, "cannot listen on %s port %u: %s", address, port,
                 strerror(errno));
        return -1;
    }
    *actual_port = port_of(fd);
    return fd;
}

bool roam_net_listen(struct roam_net *net, const char *address, uint16_t port,
                     bool tls, uint16_t *actual_port, char *error, size_t cap)
{
    struct roam_listener *l = roam__alloc(sizeof(*l));
    if (l == NULL) {
        snprintf(error, cap, "out of memory");
        return false;
    }
    l->fd = roam_net_open_socket(net, address, port, actual_port, error, cap);
    if (l->fd < 0) {
        free(l);
        return false;
    }
    if (uv_poll_init(&net->loop, &l->poll, l->fd) != 0) {
        snprintf(error, cap, "cannot poll port %u", port);
        close(l->fd);
        free(l);
        return false;
    }
    l->poll.data = l;
    l->net = net;
    l->tls = tls;
    l->next = net->listeners;
    net->listeners = l;
    return true;
}

static void on_listener_closed(uv_handle_t *handle)
{
    struct roam_listener *l = handle->data;

    close(l->fd);
    free(l);
}

static void close_listeners(struct roam_net *net)
{
    while (net->listeners != NULL) {
        struct roam_listener *l = net->listeners;
        net->listeners = l->next;
        uv_close((uv_handle_t *)&l->poll, on_listener_closed);
    }
}

/* ---------------------------------------------------- the turn of the loop */

static void end_run(struct roam_net *net, enum roam_net_end end)
{
    if (!net->ended) {
        net->ended = true;
        net->end = end;
    }
    uv_stop(&net->loop);
}

static void on_wake(uv_async_t *handle)
{
    struct roam_net *net = handle->data;

    if (net->core == NULL || net->ended) {
        return;
    }
    if (roam_core_poll(net->core, roam_net_now()) != ROAM_STORE_OK) {
        end_run(net, ROAM_NET_STORE_FAILED);
        return;
    }
    roam_conn_flush_ready(net);
}

void roam_net_wake(void *ctx)
{
    struct roam_net *net = ctx;

    uv_async_send(&net->async);
}

void roam_net_tick(struct roam_net *net)
{
    struct roam_now now = roam_net_now();

    if (net->accept_again_ms != 0 && net->accept_again_ms <= now.mono_ms) {
        net->accept_again_ms = 0;
        poll_listeners(net, true);
    }
    roam_conn_expire(&net->handshakes, now.mono_ms);
    roam_conn_expire(&net->lingering, now.mono_ms);
    roam_core_tick(net->core, now);
    roam_conn_flush_ready(net);
}

static void on_timer(uv_timer_t *handle)
{
    struct roam_net *net = handle->data;

    net->armed_ms = UINT64_MAX;
    roam_net_tick(net);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t roam_net_deadline(const struct roam_net *net)
{
    uint64_t at = roam_core_deadline(net->core);

    if (net->handshakes.first != NULL) {
        at = earlier(at, net->handshakes.first->deadline_ms);
    }
    if (net->lingering.first != NULL) {
        at = earlier(at, net->lingering.first->deadline_ms);
    }
    if (net->accept_again_ms != 0) {
        at = earlier(at, net->accept_again_ms);
    }
    return at;
}

/* Before each wait: is it over, and how long may the wait be? */
static void on_prepare(uv_prepare_t *handle)
{
    struct roam_net *net = handle->data;

    roam_control_turn(net);
    if (net->draining && net->conns == NULL && roam_core_drained(net->core)) {
        end_run(net, ROAM_NET_DRAINED);
        return;
    }
    uint64_t at = roam_net_deadline(net);
    if (at == net->armed_ms) {
        return;
    }
    net->armed_ms = at;
    if (at == UINT64_MAX) {
        uv_timer_stop(&net->timer);
        return;
    }
    uint64_t now = roam_net_now().mono_ms;
    uv_update_time(&net->loop);
    uv_timer_start(&net->timer, on_timer, at > now ? at - now : 0, 0);
}

static void on_check(uv_check_t *handle)
{
    struct roam_net *net = handle->data;

    net->handshakes_now = 0;
    net->resumptions_now = 0;
}

/* Nobody in the middle of a handshake can be told anything. */
static void close_handshakes(struct roam_net *net)
{
    while (net->handshakes.first != NULL) {
        roam_conn_close(net->handshakes.first);
    }
}

static void notice(const struct roam_net *net, enum roam_net_notice what)
{
    if (net->config.notice != NULL) {
        net->config.notice(net->config.notice_ctx, what);
    }
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct roam_net *net = handle->data;

    if (net->draining) {
        end_run(net, ROAM_NET_INTERRUPTED);
        return;
    }
    roam_net_log(net, 2, "signal number=%d", signum);
    net->draining = true;
    notice(net, ROAM_NET_STOPPING);
    close_listeners(net);
    close_handshakes(net);
    roam_core_drain(net->core, roam_net_now());
    roam_conn_flush_ready(net);
}

/* A server that stops has no use for new settings. */
static void on_hangup(uv_signal_t *handle, int signum)
{
    struct roam_net *net = handle->data;

    (void)signum;
    if (net->core != NULL && !net->draining) {
        notice(net, ROAM_NET_RELOAD);
        roam_conn_flush_ready(net);
    }
}

void roam_net_get_stats(const struct roam_net *net, struct roam_net_stats *out)
{
    *out = net->stats;
}

struct roam_tls_server *roam_net_set_tls(struct roam_net *net,
                                         struct roam_tls_server *tls)
{
    struct roam_tls_server *before = net->config.tls;

    net->config.tls = tls;
    return before;
}

/* ------------------------------------------------------------ life and end */

/* The loop is told of itself; handles that keep nothing alive but the run. */
static bool init_handles(struct roam_net *net)
{
    bool ok = uv_async_init(&net->loop, &net->async, on_wake) == 0;

    ok = ok && uv_timer_init(&net->loop, &net->timer) == 0;
    ok = ok && uv_prepare_init(&net->loop, &net->prepare) == 0;
    ok = ok && uv_check_init(&net->loop, &net->check) == 0;
    ok = ok && uv_signal_init(&net->loop, &net->sigterm) == 0;
    ok = ok && uv_signal_init(&net->loop, &net->sigint) == 0;
    ok = ok && uv_signal_init(&net->loop, &net->sighup) == 0;
    net->async.data = net;
    net->timer.data = net;
    net->prepare.data = net;
    net->check.data = net;
    net->sigterm.data = net;
    net->sigint.data = net;
    net->sighup.data = net;
    /* From here on it ends nobody: it waits until the loop runs. */
    ok = ok && uv_signal_start(&net->sighup, on_hangup, SIGHUP) == 0;
    return ok;
}

struct roam_net *roam_net_new(const struct roam_net_config *config, char *error,
                              size_t cap)
{
    struct roam_net *net = roam__alloc(sizeof(*net));

    if (net == NULL) {
        snprintf(error, cap, "out of memory");
        return NULL;
    }
    net->config = *config;
    net->handshakes.span_ms = config->handshake_ms;
    net->lingering.span_ms = config->linger_ms;
    net->armed_ms = UINT64_MAX;
    if (uv_loop_init(&net->loop) != 0) {
        snprintf(error, cap, "cannot make an event loop: %s", strerror(errno));
        free(net);
        return NULL;
    }
    if (!init_handles(net)) {
        snprintf(error, cap, "cannot set up the event loop");
        roam_net_free(net);
        return NULL;
    }
    return net;
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

void roam_net_free(struct roam_net *net)
{
    if (net == NULL) {
        return;
    }
    close_listeners(net);
    roam_http_close(net);
    roam_control_close();
    uv_walk(&net->loop, close_handle, NULL);
    uv_run(&net->loop, UV_RUN_DEFAULT);
    uv_loop_close(&net->loop);
    free(net);
}

bool roam_net_catch_signals(struct roam_net *net)
{
    return uv_signal_start(&net->sigterm, on_signal, SIGTERM) == 0 &&
           uv_signal_start(&net->sigint, on_signal, SIGINT) == 0;
}

static void start_handles(struct roam_net *net)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* the store is told by an error code */
    uv_prepare_start(&net->prepare, on_prepare);
    uv_check_start(&net->check, on_check);
    poll_listeners(net, true);
}

enum roam_net_end roam_net_run(struct roam_net *net, struct roam_core *core)
{
    net->core = core;
    start_handles(net);
    uv_run(&net->loop, UV_RUN_DEFAULT);
    while (net->conns != NULL) {
        roam_conn_close(net->conns);
    }
    net->core = NULL;
    return net->end;
}
