/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets and reassembly: see link.h. */
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "judge.h"
#include "seeds.h"
#include "tls.h"

#define READ_BYTES 65536u
/* The longest that a server may send while no LOGIN has named another. */
#define FRAME_BEFORE_LOGIN 512u

/* A socket bound to that address; -1 with errno. from may be NULL. */
static int open_socket(const struct addrinfo *a, const char *from)
{
    struct sockaddr_in own = {.sin_family = AF_INET};
    int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, 0);
    if (fd < 0 || !from) {
        return fd;
    }
    inet_pton(AF_INET, from, &own.sin_addr);
    if (bind(fd, (const struct sockaddr *)&own, sizeof own) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int link_connect(const char *host, uint16_t port, const char *from,
                 const char **reason)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    int r =
        getaddrinfo(host, arena_printf("%u", (unsigned)port), &hints, &list);
    if (r != 0) {
        *reason = gai_strerror(r);
        return -1;
    }
    int fd = -1;
    for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = open_socket(a, from);
        if (fd < 0 || connect(fd, a->ai_addr, a->ai_addrlen) != 0) {
            *reason = arena_string(strerror(errno));
            if (fd >= 0) {
                close(fd);
            }
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

/* Of what the handshake shows, [TLS-1] and [TLS-2] speak. */
static bool open_tls(struct world *w, struct device *d)
{
    const struct server *s = w->server;
    const char *reason = "", *rule = NULL;
    struct link *l = d->link;
    l->tls = tls_open(l->fd, s->ca, s->tls_name, d->ticket,
                      now_ms() + w->timeout_ms, &reason);
    if (!l->tls) {
        return world_fail(w, "TLS-1", reason, "TLS 1.2 with ALPN roam/1", NULL);
    }
    world_event(w, d, "~",
                tls_is_resumed(l->tls) ? "shakes hands, by a ticket"
                                       : "shakes hands");
    const char *wrong = tls_wrong(l->tls, &rule);
    return !wrong || world_fail(w, rule, wrong,
                                "ALPN roam/1; a suite with forward secrecy "
                                "and AEAD",
                                NULL);
}

bool link_open(struct world *w, struct device *d)
{
    return link_open_plain(w, d) && (!w->server->is_tls || open_tls(w, d));
}

bool link_open_plain(struct world *w, struct device *d)
{
    link_end(w, d, false);
    const char *reason = "";
    int fd =
        link_connect(w->server->host, w->server->port, d->decl->from, &reason);
    if (fd < 0) {
        return world_fail(w, NULL, arena_printf("cannot connect: %s", reason),
                          "a server that accepts connections", NULL);
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    struct link *l = arena_alloc(sizeof *l);
    l->device = d;
    l->fd = fd;
    l->cap = READ_BYTES;
    l->in = arena_alloc(l->cap);
    arena_grow((void **)&w->links, w->link_count, &w->link_cap,
               sizeof *w->links);
    w->links[w->link_count++] = l;
    d->link = l;
    world_event(w, d, "-", "connects");
    record_open(w, l, d);
    return seeds_open(w, l);
}

void link_end(struct world *w, struct device *d, bool reset)
{
    struct link *l = d->link;
    if (!l) {
        return;
    }
    if (reset) {
        const struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    if (l->tls) {
        tls_close(l->tls, !reset && !l->is_closed);
        l->tls = NULL;
    }
    close(l->fd);
    l->fd = -1;
    l->is_live = false;
    l->is_dropped = true;
    d->link = NULL;
    world_event(w, d, "-", reset ? "cuts the connection" : "closes");
    record_end(w, l, false, reset);
    seeds_end(w, l, reset ? "cut" : "close");
}

void link_close_all(struct world *w)
{
    for (size_t i = 0; i < w->link_count; i++) {
        struct link *l = w->links[i];
        if (l->tls) {
            tls_close(l->tls, false);
            l->tls = NULL;
        }
        if (l->fd >= 0) {
            close(l->fd);
            l->fd = -1;
        }
    }
}

void link_forget(struct device *d)
{
    if (d->link) {
        d->link->is_dropped = true;
        d->link->is_live = false;
        d->link = NULL;
    }
}

struct frame *link_frame(const struct link *l, size_t *at)
{
    const uint8_t *h = l->in + *at;
    size_t have = l->have - *at;
    if (have < FRAME_HEADER) {
        return NULL;
    }
    size_t len = (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
    if (have < FRAME_HEADER + len) {
        return NULL;
    }
    *at += FRAME_HEADER + len;
    return frame_decode(h[0], h + FRAME_HEADER, len);
}

/* Hands every whole frame at the buffer's start to the judges. */
static bool cut_frames(struct world *w, struct link *l)
{
    size_t at = 0;
    struct frame *f;
    while ((f = link_frame(l, &at)) != NULL) {
        if (!judge_received(w, l, f)) {
            return false;
        }
    }
    memmove(l->in, l->in + at, l->have - at);
    l->have -= at;
    return true;
}

void link_make_room(struct link *l)
{
    if (l->cap - l->have >= READ_BYTES) {
        return;
    }
    size_t cap = l->cap * 2;
    uint8_t *in = arena_alloc(cap);
    memcpy(in, l->in, l->have);
    l->in = in;
    l->cap = cap;
}

/* Acknowledges at half of the window, as [ACK-2] asks of clients. */
static bool ack_if_due(struct world *w, struct link *l)
{
    if (!l->device->auto_ack || !l->is_live || !l->is_delivering ||
        l->syncs_open > 0 || l->displaced || l->flight_count == 0 ||
        l->flight_count < l->active.max_unacked / 2) {
        return true;
    }
    const struct frame_type *type = frame_type_numbered(F_ACK);
    Roam__V1__Ack *m = (Roam__V1__Ack *)message_new(type->desc);
    m->version = l->last;
    uint8_t *bytes;
    size_t len = frame_encode(type, &m->base, &bytes);
    judge_sent(w, l, type, &m->base, false);
    return link_write(w, l, bytes, len, 0);
}

static ssize_t receive(const struct link *l, uint8_t *out, size_t cap)
{
    return l->tls ? tls_read(l->tls, out, cap) : recv(l->fd, out, cap, 0);
}

static ssize_t transmit(const struct link *l, const uint8_t *data, size_t len)
{
    return l->tls ? tls_write(l->tls, data, len)
                  : send(l->fd, data, len, MSG_NOSIGNAL);
}

/* What a read gives is one record's plaintext. [TLS-5] */
static bool check_record(struct world *w, const struct link *l, size_t len)
{
    uint32_t most = l->max_frame ? l->max_frame : FRAME_BEFORE_LOGIN;
    return len <= most ||
           world_fail(w, "TLS-5",
                      arena_printf("a TLS record of %zu bytes", len),
                      arena_printf("at most %" PRIu32, most), NULL);
}

static bool read_link(struct world *w, struct link *l)
{
    link_make_room(l);
    ssize_t n = receive(l, l->in + l->have, l->cap - l->have);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (n <= 0) {
        record_end(w, l, true, n < 0);
        judge_closed(w, l);
        return seeds_end(w, l, "closed") && !w->failure.happened;
    }
    record_bytes(w, l, false, l->in + l->have, (size_t)n);
    if (l->tls && !check_record(w, l, (size_t)n)) {
        return false;
    }
    if (!seeds_to_client(w, l, l->in + l->have, (size_t)n)) {
        return false;
    }
    l->have += (size_t)n;
    return cut_frames(w, l) && ack_if_due(w, l);
}

static bool is_read(const struct link *l)
{
    return l->fd >= 0 && !l->is_closed && !l->is_stalled && !l->is_dropped;
}

/* Polls all links; also `out` for writing when it is not NULL. Returns as
 * poll() does; sets *can_write. */
static int poll_links(struct world *w, uint64_t deadline_ms,
                      const struct link *out, bool *can_write)
{
    struct pollfd *fds = arena_alloc((w->link_count + 1) * sizeof *fds);
    for (size_t i = 0; i < w->link_count; i++) {
        fds[i].fd = is_read(w->links[i]) ? w->links[i]->fd : -1;
        fds[i].events = POLLIN;
    }
    fds[w->link_count].fd = out ? out->fd : -1;
    fds[w->link_count].events = POLLOUT;
    uint64_t now = now_ms();
    int wait = deadline_ms > now ? (int)(deadline_ms - now) : 0;
    int n = poll(fds, (nfds_t)w->link_count + 1, wait);
    *can_write = fds[w->link_count].revents != 0;
    size_t count = w->link_count;
    for (size_t i = 0; n > 0 && i < count; i++) {
        if (fds[i].revents && is_read(w->links[i]) &&
            !read_link(w, w->links[i])) {
            return -1;
        }
    }
    return n;
}

bool link_pump(struct world *w, uint64_t deadline_ms)
{
    bool can_write;
    if (w->ops) {
        return w->ops->pump(w, deadline_ms);
    }
    return !w->failure.happened &&
           poll_links(w, deadline_ms, NULL, &can_write) > 0 &&
           !w->failure.happened;
}

static bool write_now(struct world *w, struct link *l, const uint8_t *bytes,
                      size_t len, size_t split)
{
    uint64_t deadline = now_ms() + w->timeout_ms;
    size_t at = 0;
    if (w->ops) {
        return w->ops->write(w, l, bytes, len);
    }
    while (at < len && !l->is_closed && !l->is_dropped) {
        size_t n = split && split < len - at ? split : len - at;
        ssize_t r = transmit(l, bytes + at, n);
        if (r > 0) {
            record_bytes(w, l, true, bytes + at, (size_t)r);
            if (!seeds_to_server(w, l, bytes + at, (size_t)r)) {
                return false;
            }
            at += (size_t)r;
            continue;
        }
        if (errno != EAGAIN && errno != EINTR) {
            return true; /* the peer went; reading will tell how */
        }
        bool can_write;
        if (poll_links(w, deadline, l, &can_write) < 0) {
            return false;
        }
        if (now_ms() >= deadline) {
            return world_fail(w, "ACK-7", "the server stopped reading",
                              "it reads on, even while its output is stuck",
                              NULL);
        }
    }
    return true;
}

/* One write, so that whoever answers what waited before has read the beginning
 * of this, too. */
static bool gather(struct world *w, struct link *l, const uint8_t *bytes,
                   size_t len, size_t split)
{
    size_t first = l->gathered.len + (split < len ? split : len);
    text_add_bytes(&l->gathered, bytes, len);
    if (split == 0) {
        return true;
    }
    struct text all = l->gathered;
    l->gathered = (struct text){0};
    text_add_bytes(&l->gathered, all.s + first, all.len - first);
    return write_now(w, l, (const uint8_t *)all.s, first, 0);
}

bool link_write(struct world *w, struct link *l, const uint8_t *bytes,
                size_t len, size_t split)
{
    return l->is_gathering ? gather(w, l, bytes, len, split)
                           : write_now(w, l, bytes, len, split);
}

bool link_gather(struct world *w, struct link *l, bool begins)
{
    struct text all = l->gathered;
    l->is_gathering = begins;
    l->gathered = (struct text){0};
    return all.len == 0 || link_write(w, l, (const uint8_t *)all.s, all.len, 0);
}
