/* SPDX-License-Identifier: Apache-2.0 */
/* The relay: bytes from one side to the other, frame by frame past the
 * judges of both. See pair_case.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "judge.h"
#include "link.h"
#include "pair_case.h"

#define READ_BYTES 65536u

const char *relay_accuse(struct stage *g, const struct sut *s)
{
    const char *before = g->world.accused;
    if (g->is_pair) {
        const char *name = s ? json_text(s->adapter->hello, "hello") : NULL;
        g->world.accused =
            !s     ? "the server"
            : name ? arena_printf("the client %s (%s)", s->decl->name, name)
                   : arena_printf("the client %s", s->decl->name);
    }
    return before;
}

struct link *relay_newest_link(const struct sut *s)
{
    return s->conn && s->conn->relay ? s->conn->relay->link : NULL;
}

struct passage *relay_passage(struct stage *g, const struct sut *s)
{
    return &g->passages[s - g->suts];
}

/* ------------------------------------------------------------- connections */

static struct link *new_link(struct stage *g, struct conn *c, int fd)
{
    struct world *w = &g->world;
    struct link *l = arena_alloc(sizeof *l);
    l->device = c->subject->device;
    l->fd = fd;
    l->cap = READ_BYTES;
    l->in = arena_alloc(l->cap);
    arena_grow((void **)&w->links, w->link_count, &w->link_cap,
               sizeof *w->links);
    w->links[w->link_count++] = l;
    l->device->link = l;
    return l;
}

bool relay_open(struct stage *g, struct conn *c)
{
    struct world *w = &g->world;
    const char *reason = "", *before = relay_accuse(g, c->subject);
    bool may = client_judge_accept(g, c);
    w->accused = before;
    if (!may) {
        return false;
    }
    int fd = link_connect(w->server->host, w->server->port, NULL, &reason);
    if (fd < 0) {
        relay_accuse(g, NULL);
        return world_fail(w, NULL, arena_printf("cannot connect: %s", reason),
                          "a server that accepts connections", NULL);
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    c->relay = arena_alloc(sizeof *c->relay);
    c->relay->conn = c;
    c->relay->link = new_link(g, c, fd);
    return true;
}

static void close_fd(int *fd, bool reset)
{
    if (*fd < 0) {
        return;
    }
    if (reset) {
        const struct linger now = {.l_onoff = 1, .l_linger = 0};
        setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    close(*fd);
    *fd = -1;
}

/* The device has no connection to the server any more. */
static void drop_link(struct link *l)
{
    l->is_live = false;
    l->is_dropped = true;
    if (l->device->link == l) {
        l->device->link = NULL;
    }
}

bool relay_client_ended(struct stage *g, struct conn *c, bool cut)
{
    struct relay *r = c->relay;
    (void)g;
    if (r->is_broken) {
        return true; /* the server does not come to know */
    }
    r->waiting_count = 0; /* lost with it */
    if (cut) {
        close_fd(&r->link->fd, true);
    } else if (r->link->fd >= 0 && r->up_len == 0) {
        /* In order: the server reads all before it sees the end. */
        shutdown(r->link->fd, SHUT_WR);
    }
    if (cut) {
        drop_link(r->link);
    } else if (r->link->device->link == r->link) {
        r->link->device->link = NULL;
    }
    return true;
}

void relay_cut(struct stage *g, struct conn *c)
{
    close_fd(&c->relay->link->fd, true);
    drop_link(c->relay->link);
    c->relay->down_at = c->relay->down_count;
    net_end(g, c, true);
}

void relay_half_open(struct stage *g, struct conn *c)
{
    c->relay->is_broken = true;
    drop_link(c->relay->link);
    net_end(g, c, true);
}

void relay_break(struct conn *c)
{
    c->relay->is_broken = true;
    drop_link(c->relay->link);
}

/* --------------------------------------------------------------------- up */

static void write_up(struct relay *r)
{
    struct link *l = r->link;
    size_t at = 0;
    while (at < r->up_len && l->fd >= 0) {
        ssize_t n = send(l->fd, r->up + at, r->up_len - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            /* Stuck: poll() tells when it goes on. Gone: reading will tell
             * how, and nothing is written any more. */
            at = n < 0 && errno == EAGAIN ? at : r->up_len;
            break;
        }
        at += (size_t)n;
    }
    if (at > 0) {
        memmove(r->up, r->up + at, r->up_len - at);
        r->up_len -= at;
    }
    if (r->up_len == 0 && r->conn->is_closed && l->fd >= 0) {
        shutdown(l->fd, SHUT_WR);
    }
}

static void add_up(struct relay *r, const uint8_t *bytes, size_t len)
{
    if (r->up_cap - r->up_len < len) {
        size_t cap = (r->up_len + len) * 2;
        uint8_t *grown = arena_alloc(cap);
        if (r->up_len > 0) {
            memcpy(grown, r->up, r->up_len);
        }
        r->up = grown;
        r->up_cap = cap;
    }
    memcpy(r->up + r->up_len, bytes, len);
    r->up_len += len;
    write_up(r);
}

static size_t whole(const struct frame *f, uint8_t **out)
{
    uint8_t *bytes = arena_alloc(FRAME_HEADER + f->len);
    bytes[0] = f->number;
    bytes[1] = (uint8_t)(f->len >> 16);
    bytes[2] = (uint8_t)(f->len >> 8);
    bytes[3] = (uint8_t)f->len;
    if (f->len > 0) {
        memcpy(bytes + FRAME_HEADER, f->payload, f->len);
    }
    *out = bytes;
    return FRAME_HEADER + f->len;
}

/* [LOGIN-17]: another device_id is another installation to the server. */
static void note_identity(struct device *d, const Roam__V1__Login *m,
                          const uint8_t *before, uint64_t attempt)
{
    if (attempt == 0 || memcmp(before, m->device_id.data, 16) == 0) {
        return;
    }
    struct installation *i = arena_alloc(sizeof *i);
    *i = *d->installation;
    memcpy(d->installation->id, before, sizeof i->id);
    d->installation = i;
}

/* The server's judges hear of it now: it is sent when it leaves here. */
static void send_up(struct world *w, struct relay *r, const struct frame *f)
{
    uint8_t *bytes;
    size_t len = whole(f, &bytes);
    judge_sent(w, r->link, f->type, f->msg, false);
    add_up(r, bytes, len);
}

bool relay_up(struct stage *g, struct conn *c, struct frame *f)
{
    struct world *w = &g->world;
    struct sut *s = c->subject;
    struct link *l = c->relay->link;
    uint8_t id[16];
    uint64_t attempt = s->attempt;
    memcpy(id, s->device->installation->id, sizeof id);
    const char *before = relay_accuse(g, s);
    bool ok = client_judge_frame(g, c, f) &&
              (f->number != F_SEND || view_send(g, s, f));
    w->accused = before;
    if (!ok || c->relay->is_broken || l->fd < 0 || !f->msg) {
        return ok;
    }
    if (f->number == F_LOGIN) {
        note_identity(s->device, (const Roam__V1__Login *)f->msg, id, attempt);
    }
    if (relay_passage(g, s)->is_withheld) {
        struct relay *r = c->relay;
        arena_grow((void **)&r->waiting, r->waiting_count, &r->waiting_cap,
                   sizeof(struct frame *));
        r->waiting[r->waiting_count++] = f;
    } else {
        send_up(w, c->relay, f);
    }
    return true;
}

void relay_let_go(struct stage *g, struct sut *s)
{
    relay_passage(g, s)->is_withheld = false;
    for (size_t i = 0; i < g->conn_count; i++) {
        struct relay *r = g->conns[i]->relay;
        if (!r || g->conns[i]->subject != s || r->is_broken) {
            continue;
        }
        for (size_t k = 0; k < r->waiting_count && r->link->fd >= 0; k++) {
            send_up(&g->world, r, r->waiting[k]);
        }
        r->waiting_count = 0;
    }
}

bool relay_add(struct stage *g, struct link *l, const uint8_t *bytes,
               size_t len)
{
    for (size_t i = 0; i < g->conn_count; i++) {
        struct conn *c = g->conns[i];
        if (c->relay && c->relay->link == l) {
            record_bytes(&g->world, c, true, bytes, len);
            add_up(c->relay, bytes, len);
            return true;
        }
    }
    return world_mistake(&g->world, "no relay has this link");
}

/* ------------------------------------------------------------------- down */

static void queue_down(struct stage *g, struct relay *r, struct frame *f)
{
    uint8_t *bytes;
    size_t len = whole(f, &bytes);
    arena_grow((void **)&r->down, r->down_count, &r->down_cap, sizeof *r->down);
    r->down[r->down_count++] = (struct passing){
        .frame = f,
        .bytes = bytes,
        .len = len,
        .due_ms = g->now_ms + relay_passage(g, r->conn->subject)->delay_ms};
}

static bool take_down(struct stage *g, struct relay *r)
{
    struct link *l = r->link;
    size_t at = 0;
    struct frame *f;
    while ((f = link_frame(l, &at)) != NULL) {
        if (!judge_received(&g->world, l, f)) {
            return false;
        }
        if (!judge_is_fence(l, f)) {
            queue_down(g, r, f);
        }
    }
    memmove(l->in, l->in + at, l->have - at);
    l->have -= at;
    return true;
}

static bool server_ended(struct stage *g, struct relay *r, bool cut)
{
    struct link *l = r->link;
    if (g->is_stopped) {
        l->have = 0; /* killed within a frame */
    }
    r->link_was_cut = cut;
    record_end(&g->world, r->conn, true, cut);
    close_fd(&l->fd, false);
    judge_closed(&g->world, l);
    return !g->world.failure.happened;
}

static bool read_down(struct stage *g, struct relay *r)
{
    struct link *l = r->link;
    link_make_room(l);
    ssize_t n = recv(l->fd, l->in + l->have, l->cap - l->have, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (n <= 0) {
        return server_ended(g, r, n < 0);
    }
    record_bytes(&g->world, r->conn, false, l->in + l->have, (size_t)n);
    l->have += (size_t)n;
    return take_down(g, r);
}

struct pollfd relay_polled(const struct conn *c)
{
    const struct relay *r = c->relay;
    struct pollfd p = {.fd = -1};
    if (r && r->link->fd >= 0 && !r->is_broken && !r->link->is_stalled) {
        p.fd = r->link->fd;
        p.events = (short)(POLLIN | (r->up_len > 0 ? POLLOUT : 0));
    }
    return p;
}

bool relay_ready(struct stage *g, struct conn *c, short revents)
{
    struct relay *r = c->relay;
    if (revents & POLLOUT) {
        write_up(r);
    }
    if (r->link->fd < 0 || !(revents & (POLLIN | POLLHUP | POLLERR))) {
        return true;
    }
    const char *before = relay_accuse(g, NULL);
    bool ok = read_down(g, r);
    g->world.accused = before;
    return ok;
}

/* ---------------------------------------------------------------- passing */

static bool can_pass(struct stage *g, const struct relay *r)
{
    const struct conn *c = r->conn;
    return !r->is_broken && !c->is_stalled && c->fd >= 0 && !c->is_closed &&
           !relay_passage(g, c->subject)->is_held;
}

/* One with a frame that may pass, or whose server has ended it when its frames
 * have all passed. */
static struct relay *next_relay(struct stage *g)
{
    for (size_t i = 0; i < g->conn_count; i++) {
        struct relay *r = g->conns[i]->relay;
        if (!r || !can_pass(g, r)) {
            continue;
        }
        if (r->down_at == r->down_count) {
            if (r->link->is_closed && !r->end_passed) {
                return r;
            }
            continue;
        }
        if (r->down[r->down_at].due_ms <= g->now_ms) {
            return r;
        }
    }
    return NULL;
}

uint64_t relay_next_ms(const struct stage *g)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < g->conn_count; i++) {
        const struct relay *r = g->conns[i]->relay;
        if (r && !r->is_broken && r->down_at < r->down_count &&
            r->down[r->down_at].due_ms < next) {
            next = r->down[r->down_at].due_ms;
        }
    }
    return next;
}

static bool settle(struct stage *g, struct sut *s)
{
    return !s->is_open || verb_settle(g, s);
}

/* The beginning of a frame, and the connection is lost. */
static bool tear(struct stage *g, struct conn *c, const struct passing *p)
{
    struct passage *way = relay_passage(g, c->subject);
    size_t n = way->tear < p->len ? (size_t)way->tear : p->len - 1;
    way->tear = 0;
    world_event(&g->world, c->subject->device, "-",
                arena_printf("only %zu of %zu bytes pass", n, p->len));
    if (!net_write_pieces(g, c, p->bytes, n, 0)) {
        return false;
    }
    relay_cut(g, c);
    return true;
}

static bool pass_frame(struct stage *g, struct relay *r)
{
    struct conn *c = r->conn;
    const struct passing *p = &r->down[r->down_at++];
    const struct passage *way = relay_passage(g, c->subject);
    if (way->tear) {
        return tear(g, c, p);
    }
    const char *before = relay_accuse(g, NULL);
    bool ok = shadow_served(g, c, p->frame, NULL);
    g->world.accused = before;
    return ok && net_write_pieces(g, c, p->bytes, p->len, (size_t)way->split);
}

static bool pass_end(struct stage *g, struct relay *r)
{
    r->end_passed = true;
    drop_link(r->link);
    net_end(g, r->conn, r->link_was_cut);
    r->conn->is_left = true;
    return settle(g, r->conn->subject);
}

bool relay_pass(struct stage *g, bool *did)
{
    struct relay *r = next_relay(g);
    *did = r != NULL;
    if (!r) {
        return true;
    }
    return r->down_at < r->down_count ? pass_frame(g, r) : pass_end(g, r);
}

bool relay_pass_all(struct stage *g)
{
    bool did = true;
    while (did) {
        if (!relay_pass(g, &did) || g->world.failure.happened) {
            return false;
        }
    }
    return true;
}
