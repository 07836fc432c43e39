/* SPDX-License-Identifier: Apache-2.0 */
/* The link's state machine. `state` is written by start(), stop() and the
 * function of the state that is left. */
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void roam_link_init(struct roam_link *l)
{
    memset(l, 0, sizeof *l);
    l->fd = -1;
}

static void close_socket(struct roam_link *l)
{
    if (l->tls) {
        roam_link_tls_stop(l->tls);
    }
    if (l->fd >= 0) {
        close(l->fd);
        l->fd = -1;
    }
}

void roam_link_stop(struct roam_link *l)
{
    close_socket(l);
    roam_resolve_free(l->resolve);
    l->resolve = NULL;
    if (l->addresses) {
        freeaddrinfo(l->addresses);
        l->addresses = NULL;
    }
    l->next_address = NULL;
    l->state = ROAM_LINK_DOWN;
}

static void fail(struct roam_link *l, enum roam_posix_status status,
                 const char *detail)
{
    l->status = status;
    snprintf(l->detail, sizeof l->detail, "%s", detail);
    roam_link_stop(l);
}

void roam_link_start(struct roam_link *l, uint64_t now_ms)
{
    roam_link_stop(l);
    l->status = ROAM_POSIX_STATUS_OK;
    l->detail[0] = '\0';
    l->resolve = roam_resolve_start(l->host, l->port);
    if (!l->resolve) {
        fail(l, ROAM_POSIX_STATUS_MEMORY, "host name lookup");
        return;
    }
    l->state = ROAM_LINK_RESOLVING;
    l->deadline_ms = now_ms + l->connect_timeout_ms;
}

/* ------------------------------------------------------------- connecting */

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)address;
        return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
    }
    return false;
}

/* False: this address is of no use; detail says why. */
static bool open_socket(struct roam_link *l, const struct addrinfo *a)
{
    int on = 1;
    l->fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
    if (l->fd < 0 || fcntl(l->fd, F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(l->fd, F_SETFD, FD_CLOEXEC) != 0) {
        snprintf(l->detail, sizeof l->detail, "%s", strerror(errno));
        return false;
    }
    /* Frames are written whole; holding back the last one only delays it. */
    (void)setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(l->fd, a->ai_addr, a->ai_addrlen) != 0 &&
        errno != EINPROGRESS && errno != EINTR) {
        snprintf(l->detail, sizeof l->detail, "%.80s port %.10s: %s", l->host,
                 l->port, strerror(errno));
        return false;
    }
    return true;
}

/* Begins with the next address that can be tried; when there is none left,
 * the failure of the last one is the link's. */
static void try_next(struct roam_link *l, uint64_t now_ms)
{
    while (l->next_address) {
        const struct addrinfo *a = l->next_address;
        l->next_address = a->ai_next;
        close_socket(l);
        if (!l->tls && !is_loopback(a->ai_addr)) {
            fail(l, ROAM_POSIX_STATUS_PLAIN_REMOTE, l->host);
            return;
        }
        if (open_socket(l, a)) {
            l->state = ROAM_LINK_CONNECTING;
            l->deadline_ms = now_ms + l->connect_timeout_ms;
            return;
        }
        l->status = ROAM_POSIX_STATUS_CONNECT;
    }
    roam_link_stop(l);
}

static void step_resolving(struct roam_link *l, uint64_t now_ms)
{
    int error = 0;
    if (!roam_resolve_take(l->resolve, &error, &l->addresses)) {
        return;
    }
    roam_resolve_free(l->resolve);
    l->resolve = NULL;
    if (error) {
        char detail[ROAM_POSIX_DETAIL_MAX];
        snprintf(detail, sizeof detail, "%.100s: %s", l->host,
                 gai_strerror(error));
        fail(l, ROAM_POSIX_STATUS_RESOLVE, detail);
        return;
    }
    l->next_address = l->addresses;
    try_next(l, now_ms);
}

/* What became of earlier addresses is no failure of this connection. */
static void come_up(struct roam_link *l)
{
    l->state = ROAM_LINK_UP;
    l->status = ROAM_POSIX_STATUS_OK;
    l->detail[0] = '\0';
}

static void begin_handshake(struct roam_link *l)
{
    if (!l->tls) {
        come_up(l);
        return;
    }
    enum roam_posix_status status = roam_link_tls_start(l->tls, l->fd);
    if (status != ROAM_POSIX_STATUS_OK) {
        fail(l, status, "TLS connection");
        return;
    }
    l->state = ROAM_LINK_HANDSHAKE;
    l->handshake_wants = POLLOUT;
}

static void step_connecting(struct roam_link *l, uint64_t now_ms)
{
    struct pollfd p = {.fd = l->fd, .events = POLLOUT};
    if (poll(&p, 1, 0) <= 0) {
        return;
    }
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }
    if (error) {
        snprintf(l->detail, sizeof l->detail, "%.80s port %.10s: %s", l->host,
                 l->port, strerror(error));
        l->status = ROAM_POSIX_STATUS_CONNECT;
        try_next(l, now_ms);
        return;
    }
    begin_handshake(l);
}

static void step_handshake(struct roam_link *l, uint64_t now_ms)
{
    enum roam_link_io io =
        roam_link_tls_handshake(l->tls, &l->status, l->detail);
    switch (io) {
    case ROAM_LINK_DONE:
        come_up(l);
        break;
    case ROAM_LINK_WANT_READ:
        l->handshake_wants = POLLIN;
        break;
    case ROAM_LINK_WANT_WRITE:
        l->handshake_wants = POLLOUT;
        break;
    case ROAM_LINK_FAILED:
        if (l->status == ROAM_POSIX_STATUS_UNTRUSTED) {
            roam_link_stop(l);
        } else {
            try_next(l, now_ms);
        }
        break;
    }
}

void roam_link_step(struct roam_link *l, uint64_t now_ms)
{
    enum roam_link_state before;
    do {
        before = l->state;
        switch (l->state) {
        case ROAM_LINK_RESOLVING:
            step_resolving(l, now_ms);
            break;
        case ROAM_LINK_CONNECTING:
            step_connecting(l, now_ms);
            break;
        case ROAM_LINK_HANDSHAKE:
            step_handshake(l, now_ms);
            break;
        case ROAM_LINK_DOWN:
        case ROAM_LINK_UP:
            break;
        }
    } while (l->state != before);
    if (now_ms < roam_link_deadline_ms(l)) {
        return;
    }
    l->status = ROAM_POSIX_STATUS_TIMEOUT;
    snprintf(l->detail, sizeof l->detail, "%.100s port %.10s", l->host,
             l->port);
    if (l->state == ROAM_LINK_RESOLVING) {
        roam_link_stop(l);
    } else {
        try_next(l, now_ms);
    }
}

uint64_t roam_link_deadline_ms(const struct roam_link *l)
{
    return l->state == ROAM_LINK_DOWN || l->state == ROAM_LINK_UP
               ? UINT64_MAX
               : l->deadline_ms;
}

void roam_link_poll(const struct roam_link *l, bool writing, struct pollfd *out)
{
    out->fd = l->fd;
    out->events = 0;
    out->revents = 0;
    switch (l->state) {
    case ROAM_LINK_DOWN:
        out->fd = -1;
        break;
    case ROAM_LINK_RESOLVING:
        out->fd = roam_resolve_fd(l->resolve);
        out->events = POLLIN;
        break;
    case ROAM_LINK_CONNECTING:
        out->events = POLLOUT;
        break;
    case ROAM_LINK_HANDSHAKE:
        out->events = l->handshake_wants;
        break;
    case ROAM_LINK_UP:
        out->events = POLLIN;
        if (l->read_wants_write || (writing && !l->write_wants_read)) {
            out->events |= POLLOUT;
        }
        break;
    }
}

/* --------------------------------------------------------- read and write */

static ptrdiff_t lost(struct roam_link *l, const char *why)
{
    fail(l, ROAM_POSIX_STATUS_LOST, why);
    return -1;
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

ptrdiff_t roam_link_read(struct roam_link *l, void *out, size_t cap)
{
    if (!l->tls) {
        ssize_t n = recv(l->fd, out, cap, 0);
        if (n > 0) {
            return n;
        }
        if (n < 0 && would_block()) {
            return 0;
        }
        return lost(l, n == 0 ? "closed by the server" : strerror(errno));
    }
    ptrdiff_t n = roam_link_tls_read(l->tls, out, cap);
    l->read_wants_write = n == ROAM_LINK_WANT_WRITE;
    if (n > 0) {
        return n;
    }
    if (n == ROAM_LINK_WANT_READ || n == ROAM_LINK_WANT_WRITE) {
        return 0;
    }
    return lost(l, n == ROAM_LINK_DONE ? "closed by the server"
                                       : "TLS record or socket failed");
}

ptrdiff_t roam_link_write(struct roam_link *l, const void *data, size_t len)
{
    if (!l->tls) {
        ssize_t n = send(l->fd, data, len, MSG_NOSIGNAL);
        if (n >= 0) {
            return n;
        }
        return would_block() ? 0 : lost(l, strerror(errno));
    }
    ptrdiff_t n = roam_link_tls_write(l->tls, data, len);
    l->write_wants_read = n == ROAM_LINK_WANT_READ;
    if (n > 0) {
        return n;
    }
    if (n == ROAM_LINK_WANT_READ || n == ROAM_LINK_WANT_WRITE) {
        return 0;
    }
    return lost(l, "TLS record or socket failed");
}
