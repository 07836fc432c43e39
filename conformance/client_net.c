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

#include "adapter_say.h"
#include "client_case.h"
#include "pair_case.h"
#include "peers.h"

#define READ_BYTES 65536u

bool net_listen(const struct stage *g, struct sut *s, const char **reason)
{
    int on = 1;
    s->listener = peer_listen(g->address, &s->port, reason);
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
    if (g->is_pair) {
        return relay_open(g, c);
    }
    return secure_accept(g, c) && client_judge_accept(g, c);
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
        if (!(c->relay ? relay_up(g, c, f) : client_judge_frame(g, c, f))) {
            return false;
        }
    }
    memmove(c->in, c->in + at, c->have - at);
    c->have -= at;
    return true;
}

static bool read_conn(struct stage *g, struct conn *c)
{
    if (c->is_shaking && !secure_shake(g, c)) {
        return false;
    }
    if (c->is_shaking) {
        return true;
    }
    if (c->cap - c->have < READ_BYTES) {
        uint8_t *in = arena_alloc(c->cap * 2);
        memcpy(in, c->in, c->have);
        c->in = in;
        c->cap *= 2;
    }
    ssize_t n = secure_read(c, c->in + c->have, c->cap - c->have);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (n <= 0) {
        c->is_closed = true;
        record_end(&g->world, c, false, n < 0);
        world_event(&g->world, c->subject->device, "-",
                    n == 0 ? "closed the connection" : "cut the connection");
        return !c->relay || relay_client_ended(g, c, n < 0);
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

/* What is polled: adapters, listeners, connections of clients, those to a
 * real server, and `out`. */
struct polled {
    struct pollfd *adapters, *listeners, *conns, *relays, *out;
    size_t conn_count, count;
};

static void poll_these(const struct stage *g, const struct conn *out,
                       struct polled *p)
{
    size_t devices = g->world.s->device_count;
    p->conn_count = g->conn_count;
    p->count = g->adapter_count + devices + 2 * p->conn_count + 1;
    p->adapters = arena_alloc(p->count * sizeof *p->adapters);
    p->listeners = p->adapters + g->adapter_count;
    p->conns = p->listeners + devices;
    p->relays = p->conns + p->conn_count;
    p->out = p->relays + p->conn_count;
    for (size_t i = 0; i < g->adapter_count; i++) {
        const struct adapter *a = &g->adapters[i];
        p->adapters[i] =
            (struct pollfd){.fd = a->ended ? -1 : a->out, .events = POLLIN};
    }
    for (size_t i = 0; i < devices; i++) {
        const struct sut *s = &g->suts[i];
        p->listeners[i] = (struct pollfd){
            .fd = s->is_unplugged ? -1 : s->listener, .events = POLLIN};
    }
    for (size_t i = 0; i < p->conn_count; i++) {
        const struct conn *c = g->conns[i];
        p->conns[i] =
            (struct pollfd){.fd = is_read(c) ? c->fd : -1, .events = POLLIN};
        p->relays[i] = relay_polled(c);
    }
    *p->out = (struct pollfd){.fd = out ? out->fd : -1, .events = POLLOUT};
}

/* False: a failure was noted. */
static bool read_these(struct stage *g, const struct polled *p)
{
    for (size_t i = 0; i < g->adapter_count; i++) {
        if (p->adapters[i].revents) {
            adapter_read(&g->adapters[i]);
        }
    }
    for (size_t i = 0; i < p->conn_count; i++) {
        struct conn *c = g->conns[i];
        if (p->conns[i].revents && is_read(c) && !read_conn(g, c)) {
            return false;
        }
        if (p->relays[i].revents && !relay_ready(g, c, p->relays[i].revents)) {
            return false;
        }
    }
    for (size_t i = 0; i < g->world.s->device_count; i++) {
        if (p->listeners[i].revents && !accept_conn(g, &g->suts[i])) {
            return false;
        }
    }
    return true;
}

static int poll_all(struct stage *g, uint64_t deadline_ms,
                    const struct conn *out, bool *can_write)
{
    struct polled p;
    poll_these(g, out, &p);
    uint64_t now = now_ms();
    int wait = deadline_ms > now ? (int)(deadline_ms - now) : 0;
    int n = poll(p.adapters, (nfds_t)p.count, wait);
    *can_write = p.out->revents != 0;
    return n > 0 && !read_these(g, &p) ? -1 : n;
}

/* An adapter that broke its own protocol ends the case. */
static bool adapter_is_well(struct stage *g)
{
    struct adapter *a = g->adapters;
    while (a < g->adapters + g->adapter_count && !a->fault) {
        a++;
    }
    if (a == g->adapters + g->adapter_count) {
        return true;
    }
    const char *fault = adapter_say_fault(a), *errors = adapter_errors(a);
    return world_fail(&g->world, "",
                      arena_printf("adapter: %s%s%s", fault,
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
               size_t len)
{
    uint64_t deadline = now_ms() + g->world.timeout_ms;
    size_t at = 0;
    while (at < len && !c->is_closed && c->fd >= 0) {
        ssize_t r = secure_write(c, bytes + at, len - at);
        if (r > 0) {
            if (!c->relay) { /* what is relayed was recorded as it came */
                record_bytes(&g->world, c, false, bytes + at, (size_t)r);
            }
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

bool net_write_pieces(struct stage *g, struct conn *c, const uint8_t *bytes,
                      size_t len, size_t split)
{
    for (size_t at = 0; at < len;) {
        size_t n = split && split < len - at ? split : len - at;
        if (!net_write(g, c, bytes + at, n) ||
            (c->subject->is_open && !verb_settle(g, c->subject))) {
            return false;
        }
        at += n;
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
        if (c->tls && !c->is_shaking) {
            tls_end(c->tls);
        }
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
    struct sockaddr_in a;
    socklen_t len = sizeof a;
    int on = 1;
    getsockname(s->listener, (struct sockaddr *)&a, &len);
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
