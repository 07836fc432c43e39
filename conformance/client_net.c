/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of the client role: one listener a device, so that a connection's
 * device is known before its LOGIN. Everything is read together whenever
 * the case waits for anything, so that nobody waits for us. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client_case.h"
#include "peers.h"

#define READ_BYTES 65536u

bool net_listen(struct sut *s, const char **reason)
{
    int on = 1;
    s->listener = peer_listen(&s->port, reason);
    /* Its connections inherit it: net_unplug() binds the port again. */
    return s->listener >= 0 && setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR,
                                          &on, sizeof on) == 0;
}

static bool accept_conn(struct stage *g, struct sut *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return true; /* it went while it waited */
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct conn *c = arena_alloc(sizeof *c);
    c->subject = s;
    c->fd = fd;
    c->since_ms = g->now_ms;
    c->cap = READ_BYTES;
    c->in = arena_alloc(c->cap);
    arena_grow((void **)&g->conns, g->conn_count, &g->conn_cap,
               sizeof *g->conns);
    g->conns[g->conn_count++] = c;
    s->conn = c;
    s->connections++;
    world_event(&g->world, s->device, "-", "connects");
    record_open(&g->world, c, s->device);
    return client_judge_accept(g, c);
}

static bool take_frames(struct stage *g, struct conn *c)
{
    size_t at = 0;
    while (c->have - at >= FRAME_HEADER) {
        const uint8_t *h = c->in + at;
        size_t len = (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
        if (c->have - at < FRAME_HEADER + len) {
            break;
        }
        struct frame *f = frame_decode(h[0], h + FRAME_HEADER, len);
        at += FRAME_HEADER + len;
        if (!client_judge_frame(g, c, f)) {
            return false;
        }
    }
    memmove(c->in, c->in + at, c->have - at);
    c->have -= at;
    return true;
}

static bool read_conn(struct stage *g, struct conn *c)
{
    if (c->cap - c->have < READ_BYTES) {
        uint8_t *in = arena_alloc(c->cap * 2);
        memcpy(in, c->in, c->have);
        c->in = in;
        c->cap *= 2;
    }
    ssize_t n = recv(c->fd, c->in + c->have, c->cap - c->have, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (n <= 0) {
        c->is_closed = true;
        record_end(&g->world, c, false, n < 0);
        world_event(&g->world, c->subject->device, "-",
                    n == 0 ? "closed the connection" : "cut the connection");
        return true;
    }
    record_bytes(&g->world, c, true, c->in + c->have, (size_t)n);
    c->have += (size_t)n;
    c->received += (uint64_t)n;
    return take_frames(g, c);
}

static bool is_read(const struct conn *c)
{
    return c->fd >= 0 && !c->is_closed && !c->is_stalled;
}

/* The adapter first, then listeners, then connections, then `out`. */
static int poll_all(struct stage *g, uint64_t deadline_ms,
                    const struct conn *out, bool *can_write)
{
    size_t devices = g->world.s->device_count, conns = g->conn_count;
    struct pollfd *fds = arena_alloc((devices + conns + 2) * sizeof *fds);
    struct pollfd *of_conns = fds + 1 + devices;
    fds[0] = (struct pollfd){.fd = g->adapter.ended ? -1 : g->adapter.out,
                             .events = POLLIN};
    for (size_t i = 0; i < devices; i++) {
        const struct sut *s = &g->suts[i];
        fds[1 + i] = (struct pollfd){.fd = s->is_unplugged ? -1 : s->listener,
                                     .events = POLLIN};
    }
    for (size_t i = 0; i < conns; i++) {
        of_conns[i] =
            (struct pollfd){.fd = is_read(g->conns[i]) ? g->conns[i]->fd : -1,
                            .events = POLLIN};
    }
    of_conns[conns] =
        (struct pollfd){.fd = out ? out->fd : -1, .events = POLLOUT};
    uint64_t now = now_ms();
    int wait = deadline_ms > now ? (int)(deadline_ms - now) : 0;
    int n = poll(fds, (nfds_t)(devices + conns + 2), wait);
    *can_write = of_conns[conns].revents != 0;
    if (n > 0 && fds[0].revents) {
        adapter_read(&g->adapter);
    }
    for (size_t i = 0; n > 0 && i < conns; i++) {
        if (of_conns[i].revents && is_read(g->conns[i]) &&
            !read_conn(g, g->conns[i])) {
            return -1;
        }
    }
    for (size_t i = 0; n > 0 && i < devices; i++) {
        if (fds[1 + i].revents && !accept_conn(g, &g->suts[i])) {
            return -1;
        }
    }
    return n;
}

/* An adapter that broke its own protocol ends the case. */
static bool adapter_is_well(struct stage *g)
{
    if (!g->adapter.fault) {
        return true;
    }
    const char *errors = adapter_errors(&g->adapter);
    return world_fail(&g->world, NULL,
                      arena_printf("adapter: %s%s%s", g->adapter.fault,
                                   *errors ? "\nits standard error:\n" : "",
                                   errors),
                      "what conformance/ADAPTER.md says", NULL);
}

bool net_pump(struct stage *g, uint64_t deadline_ms)
{
    bool can_write;
    return !g->world.failure.happened &&
           poll_all(g, deadline_ms, NULL, &can_write) > 0 &&
           adapter_is_well(g) && events_judge(g) && !g->world.failure.happened;
}

bool net_write(struct stage *g, struct conn *c, const uint8_t *bytes,
               size_t len, size_t split)
{
    uint64_t deadline = now_ms() + g->world.timeout_ms;
    size_t at = 0;
    while (at < len && !c->is_closed && c->fd >= 0) {
        size_t n = split && split < len - at ? split : len - at;
        ssize_t r = send(c->fd, bytes + at, n, MSG_NOSIGNAL);
        if (r > 0) {
            record_bytes(&g->world, c, false, bytes + at, (size_t)r);
            at += (size_t)r;
            c->sent += (uint64_t)r;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR) {
            return true; /* the client went; reading will tell how */
        }
        bool can_write;
        if (poll_all(g, deadline, c, &can_write) < 0 || !adapter_is_well(g)) {
            return false;
        }
        if (now_ms() >= deadline) {
            return world_fail(&g->world, "FRAME-2",
                              "the client stopped reading", "it reads on",
                              NULL);
        }
    }
    return true;
}

void net_end(struct stage *g, struct conn *c, bool reset)
{
    if (c->fd < 0) {
        return;
    }
    if (reset) {
        const struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close(c->fd);
        c->fd = -1;
    } else {
        shutdown(c->fd, SHUT_WR);
    }
    c->is_left = reset;
    record_end(&g->world, c, true, reset);
    world_event(&g->world, c->subject->device, "-",
                reset ? "the server cuts" : "the server closes");
}

/* A port that is bound and not listened on refuses connections, and nobody
 * else gets it. */
bool net_unplug(struct stage *g, struct sut *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(s->port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    close(s->listener);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    s->is_unplugged = true;
    return (setsockopt(s->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ==
                0 &&
            bind(s->listener, (struct sockaddr *)&a, sizeof a) == 0) ||
           world_mistake(&g->world, arena_string(strerror(errno)));
}

bool net_plug(struct stage *g, struct sut *s)
{
    s->is_unplugged = false;
    return listen(s->listener, 128) == 0 ||
           world_mistake(&g->world, arena_string(strerror(errno)));
}
