/* SPDX-License-Identifier: Apache-2.0 */
/* The relay of bend.h: accepts, connects on, and passes bytes both ways, frame
 * by frame where they are bent. It reads a side only while little waits for
 * the other, so a reader who stops is felt by who writes to it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bend.h"
#include "codec.h"

#define PAIRS_MAX 512u
#define READ_BYTES 65536u
/* Above this a side is not read until the other one has taken some. */
#define WAITING_MAX 65536u

/* One direction of a connection. */
struct way {
    int from, to;
    struct text in;  /* begins at a frame; less than a whole one */
    struct text out; /* not yet taken by `to` */
    size_t passing;  /* bytes of a frame that is not bent, yet to come */
    bool ended;      /* `from` has said its last */
    bool shut;       /* and `to` was told */
};
struct pair {
    struct way up, down; /* to the server, to the client */
    struct bend_memory memory;
};
struct relay {
    const struct bend *bend;
    struct sockaddr_in target;
    int listener;
    struct pair *pairs[PAIRS_MAX];
    size_t count;
};

static void consume(struct text *t, size_t n)
{
    if (n == 0) {
        return;
    }
    memmove(t->s, t->s + n, t->len - n);
    t->len -= n;
}

/* ---------------------------------------------------------------- frames */

/* The length of the frame at the start of `in`; 0: its header is not there. */
static size_t frame_length(const struct text *in, size_t at)
{
    const uint8_t *h = (const uint8_t *)in->s + at;
    return in->len - at < FRAME_HEADER
               ? 0
               : FRAME_HEADER + ((size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3]);
}

/* Passes on what is there of a frame that is not bent. */
static size_t pass_on(struct way *w, size_t at)
{
    size_t n = w->in.len - at < w->passing ? w->in.len - at : w->passing;
    text_add_bytes(&w->out, w->in.s + at, n);
    w->passing -= n;
    return n;
}

/* Takes what `in` holds apart, down to an unfinished frame. */
static void take_frames(const struct relay *r, struct pair *p, struct way *w)
{
    bool up = w == &p->up, loses = up && bend_loses_pieces(r->bend);
    size_t at = 0;
    for (;;) {
        at += pass_on(w, at);
        size_t len = frame_length(&w->in, at);
        if (w->passing > 0 || len == 0) {
            break;
        }
        const uint8_t *frame = (const uint8_t *)w->in.s + at;
        if (!bend_takes(r->bend, &p->memory, up, frame[0])) {
            if (loses && w->in.len - at < len) {
                break;
            }
            w->passing = len;
            continue;
        }
        if (w->in.len - at < len) {
            break;
        }
        bend_frame(r->bend, &p->memory, up, frame, len, &w->out);
        at += len;
    }
    consume(&w->in, at);
    if (loses) {
        w->in.len = 0;
    }
}

/* ----------------------------------------------------------------- bytes */

static void read_way(const struct relay *r, struct pair *p, struct way *w)
{
    static char buf[READ_BYTES];
    ssize_t n = recv(w->from, buf, sizeof buf, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        w->ended = true;
        return;
    }
    if (!p->memory.has_ended) {
        text_add_bytes(&w->in, buf, (size_t)n);
        take_frames(r, p, w);
    }
}

static void write_way(struct way *w)
{
    while (w->out.len > 0) {
        ssize_t n = send(w->to, w->out.s, w->out.len, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                w->out.len = 0; /* nobody is there to take it */
                w->ended = true;
            }
            return;
        }
        consume(&w->out, (size_t)n);
    }
}

/* Both have ended, or the bend ended them. */
static bool is_over(struct pair *p)
{
    struct way *ways[] = {&p->up, &p->down};
    for (size_t i = 0; i < 2; i++) {
        struct way *w = ways[i];
        if (w->ended && !w->shut && w->out.len == 0) {
            shutdown(w->to, SHUT_WR);
            w->shut = true;
        }
    }
    return (p->up.shut && p->down.shut) ||
           (p->memory.has_ended && p->down.out.len == 0);
}

static void close_pair(struct relay *r, size_t i)
{
    struct pair *p = r->pairs[i];
    close(p->up.from);
    close(p->up.to);
    r->pairs[i] = r->pairs[--r->count];
}

/* ----------------------------------------------------------- connections */

/* From the address that the client has, because servers count by it. */
static int connect_on(const struct relay *r, const struct sockaddr_in *client)
{
    struct sockaddr_in own = {.sin_family = AF_INET,
                              .sin_addr = client->sin_addr};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (bind(fd, (const struct sockaddr *)&own, sizeof own) != 0 ||
                    connect(fd, (const struct sockaddr *)&r->target,
                            sizeof r->target) != 0)) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void accept_pair(struct relay *r)
{
    struct sockaddr_in client;
    socklen_t len = sizeof client;
    int on = 1;
    int in = accept4(r->listener, (struct sockaddr *)&client, &len,
                     SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (in < 0) {
        return;
    }
    int out = r->count < PAIRS_MAX ? connect_on(r, &client) : -1;
    if (out < 0) {
        close(in);
        return;
    }
    setsockopt(in, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct pair *p = arena_alloc(sizeof *p);
    p->up = (struct way){.from = in, .to = out};
    p->down = (struct way){.from = out, .to = in};
    r->pairs[r->count++] = p;
}

static bool may_read(const struct way *w)
{
    return !w->ended && w->out.len <= WAITING_MAX;
}

static short events_of(const struct way *reads, const struct way *writes)
{
    return (short)((may_read(reads) ? POLLIN : 0) |
                   (writes->out.len > 0 ? POLLOUT : 0));
}

/* Negative descriptors are not looked at. */
static struct pollfd poll_of(const struct way *reads, const struct way *writes)
{
    short events = events_of(reads, writes);
    return (struct pollfd){.fd = events ? reads->from : -1, .events = events};
}

static void serve_pair(const struct relay *r, struct pair *p,
                       const struct pollfd *fds)
{
    struct way *ways[] = {&p->up, &p->down};
    for (size_t i = 0; i < 2; i++) {
        bool readable = (fds[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0;
        if (readable && may_read(ways[i])) {
            read_way(r, p, ways[i]);
        }
    }
    write_way(&p->up);
    write_way(&p->down);
}

static void serve(struct relay *r)
{
    struct pollfd fds[2 * PAIRS_MAX + 1];
    for (;;) {
        size_t count = r->count;
        for (size_t i = 0; i < count; i++) {
            struct pair *p = r->pairs[i];
            fds[2 * i] = poll_of(&p->up, &p->down);
            fds[2 * i + 1] = poll_of(&p->down, &p->up);
        }
        fds[2 * count] = (struct pollfd){.fd = r->listener, .events = POLLIN};
        if (poll(fds, (nfds_t)(2 * count + 1), -1) < 0) {
            continue;
        }
        for (size_t i = count; i-- > 0;) {
            serve_pair(r, r->pairs[i], &fds[2 * i]);
            if (is_over(r->pairs[i])) {
                close_pair(r, i);
            }
        }
        if (fds[2 * count].revents) {
            accept_pair(r);
        }
    }
}

bool relay_start(struct peer *p, const struct bend *b, const char *host,
                 uint16_t target, const char **reason)
{
    struct relay *r = arena_alloc(sizeof *r);
    r->bend = b;
    r->target.sin_family = AF_INET;
    r->target.sin_port = htons(target);
    inet_pton(AF_INET, host, &r->target.sin_addr);
    r->listener = peer_listen(PEER_LOOPBACK, &p->port, reason);
    if (r->listener < 0) {
        return false;
    }
    p->pid = fork();
    if (p->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(r);
    }
    close(r->listener);
    return p->pid > 0;
}
