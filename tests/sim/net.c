/* SPDX-License-Identifier: Apache-2.0 */
/* Links and what goes wrong with them. A pipe has at most one delivery event
 * in the queue, so its bytes keep their order whatever the delays are; data
 * that is on its way when a side closes still arrives, as with TCP. */
#include "net.h"

#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "server.h"

/* A connection takes this long to be set up and a byte to travel. */
#define LATENCY_MS_MAX 40u
/* The next piece follows the one before within this. */
#define GAP_MS_MAX 4u
/* With the fault LATENCY, now and then this. */
#define LATENCY_BAD_MS_MAX 3000u
/* The end of a connection is seen after this at the latest. */
#define NOTICE_MS_MAX 300u
/* A late connection's bytes arrive after this. */
#define LATE_MS_MIN 8000u
#define LATE_MS_MAX 100000u

/* ---------------------------------------------------------------- pipes */

static struct sim_pipe *pipe_of(struct sim_link *l, bool to_server)
{
    return to_server ? &l->to_server : &l->to_client;
}

static size_t pipe_len(const struct sim_pipe *p)
{
    return p->len - p->at;
}

static void pipe_put(struct sim_pipe *p, const uint8_t *data, size_t len)
{
    if (p->at != 0) {
        memmove(p->data, p->data + p->at, pipe_len(p));
        p->len -= p->at;
        p->at = 0;
    }
    while (p->len + len > p->cap) {
        p->data = sim_grow(p->data, &p->cap, p->cap, 1);
    }
    memcpy(p->data + p->len, data, len);
    p->len += len;
}

static uint64_t pipe_delay(struct sim_world *w)
{
    if (sim_fault_on(w, SIM_FAULT_LATENCY) && sim_rng_chance(&w->rng, 20)) {
        sim_fault_happened(w, SIM_FAULT_LATENCY);
        return sim_rng_between(&w->rng, 1, LATENCY_BAD_MS_MAX);
    }
    return sim_rng_between(&w->rng, 1, LATENCY_MS_MAX);
}

static void pipe_schedule(struct sim_world *w, struct sim_link *l,
                          bool to_server, uint64_t delay_ms)
{
    struct sim_pipe *p = pipe_of(l, to_server);
    if (p->scheduled || p->blocked || (pipe_len(p) == 0 && !p->ending)) {
        return;
    }
    uint64_t at = w->now_ms + delay_ms;
    if (at < p->stalled_to_ms) {
        at = p->stalled_to_ms;
    }
    p->scheduled = true;
    sim_queue_push(&w->queue, at,
                   to_server ? SIM_EV_DELIVER_TO_SERVER
                             : SIM_EV_DELIVER_TO_CLIENT,
                   l->number, 0);
}

/* ---------------------------------------------------------- open, close */

static size_t draw_room(struct sim_world *w)
{
    static const size_t rooms[] = {64, 600, 4096, 65536};
    return rooms[sim_fault_on(w, SIM_FAULT_SMALL) ? sim_rng_below(&w->rng, 4)
                                                  : 3];
}

static void draw_pieces(struct sim_world *w, struct sim_link *l)
{
    static const uint32_t sizes[] = {2, 20, 300, 4000};
    l->whole =
        !sim_fault_on(w, SIM_FAULT_FRAGMENT) || sim_rng_chance(&w->rng, 400);
    l->piece_max = sizes[sim_rng_below(&w->rng, 4)];
    l->to_server.room = draw_room(w);
    l->to_client.room = draw_room(w);
}

static void links_add(struct sim_world *w, struct sim_link *l)
{
    size_t cap = w->link_cap;
    w->links = sim_grow(w->links, &cap, w->link_count, sizeof(void *));
    w->link_cap = (uint32_t)cap;
    l->number = w->link_count;
    w->links[w->link_count++] = l;
}

struct sim_link *sim_link_open(struct sim_world *w, struct sim_device *d,
                               bool late)
{
    struct sim_server *server = w->server;
    if (!server->up) {
        sim_step(w, SIM_STEP_CONNECT_FAILS, d->index, 0, 0);
        return NULL;
    }
    struct sim_link *l = sim_alloc(w, sizeof *l);
    links_add(w, l);
    draw_pieces(w, l);
    sim_watch_open(w, l);
    l->device = d;
    l->session =
        roam_core_accept(server->core, d->name, 1 + d->user, sim_server_now(w));
    if (l->session == NULL) {
        if (!sim_fault_on(w, SIM_FAULT_FEW) && !sim_has_limits(w)) {
            sim_fail(w, "core", "no session for a connection");
        }
        sim_step(w, SIM_STEP_CONNECT_FAILS, d->index, 0, 0);
        return NULL;
    }
    roam_session_set_owner(l->session, l);
    l->client_open = true;
    l->server_open = true;
    if (late) {
        sim_fault_happened(w, SIM_FAULT_LATE);
        l->to_server.stalled_to_ms =
            w->now_ms + sim_rng_between(&w->rng, LATE_MS_MIN, LATE_MS_MAX);
    }
    sim_step(w, SIM_STEP_CONNECT, d->index, l->number, 0);
    sim_server_pump(w); /* a server that stops has something to say */
    return l;
}

void sim_link_client_closes(struct sim_world *w, struct sim_link *l)
{
    if (!l->client_open) {
        return;
    }
    sim_step(w, SIM_STEP_CLIENT_CLOSES, l->number, 0, 0);
    l->client_open = false;
    l->to_server.ending = true;
    if (sim_fault_on(w, SIM_FAULT_LATE) && sim_rng_chance(&w->rng, 200)) {
        sim_fault_happened(w, SIM_FAULT_LATE);
        uint64_t until = w->now_ms + sim_rng_between(&w->rng, 1, LATE_MS_MAX);
        sim_link_stall(l, true, until);
    }
    pipe_schedule(w, l, true, pipe_delay(w));
}

void sim_link_server_closes(struct sim_world *w, struct sim_link *l)
{
    if (!l->server_open) {
        return;
    }
    sim_step(w, SIM_STEP_SERVER_CLOSES, l->number, 0, 0);
    l->server_open = false;
    struct roam_session *s = l->session;
    l->session = NULL;
    if (s != NULL) {
        roam_session_closed(s, sim_server_now(w));
    }
    l->to_client.ending = true;
    pipe_schedule(w, l, false, pipe_delay(w));
}

void sim_link_break(struct sim_world *w, struct sim_link *l, bool tell_client,
                    bool tell_server)
{
    l->cut = true;
    l->to_server.blocked = true;
    l->to_client.blocked = true;
    if (tell_client) {
        sim_queue_push(&w->queue,
                       w->now_ms + sim_rng_below(&w->rng, NOTICE_MS_MAX),
                       SIM_EV_CLIENT_NOTICES, l->number, 0);
    }
    if (tell_server) {
        sim_queue_push(&w->queue,
                       w->now_ms + sim_rng_below(&w->rng, NOTICE_MS_MAX),
                       SIM_EV_SERVER_NOTICES, l->number, 0);
    }
}

void sim_link_stall(struct sim_link *l, bool to_server, uint64_t until_ms)
{
    struct sim_pipe *p = pipe_of(l, to_server);
    if (p->stalled_to_ms < until_ms) {
        p->stalled_to_ms = until_ms;
    }
}

static void pipe_unstall(struct sim_world *w, struct sim_link *l,
                         bool to_server)
{
    struct sim_pipe *p = pipe_of(l, to_server);
    if (p->stalled_to_ms > w->now_ms) {
        p->stalled_to_ms = 0;
        p->scheduled = false; /* the event under way comes too late */
        pipe_schedule(w, l, to_server, 0);
    }
}

void sim_link_unstall(struct sim_world *w, struct sim_link *l)
{
    pipe_unstall(w, l, true);
    pipe_unstall(w, l, false);
}

void sim_link_notice(struct sim_world *w, uint32_t number, bool client)
{
    struct sim_link *l = w->links[number];
    if (client && l->client_open) {
        sim_step(w, SIM_STEP_CLIENT_NOTICES, number, 0, 0);
        l->client_open = false;
        sim_device_transport_gone(w, l->device);
    }
    if (!client && l->server_open) {
        sim_step(w, SIM_STEP_SERVER_NOTICES, number, 0, 0);
        sim_link_server_closes(w, l);
        sim_server_pump(w);
    }
}

/* ------------------------------------------------------------ both ends */

void sim_link_pull_client(struct sim_world *w, struct sim_link *l)
{
    struct sim_device *d = l->device;
    while (l->client_open && d->link == l) {
        struct roam_bytes out = roam_client_pending(&d->client);
        size_t space = l->to_server.room - pipe_len(&l->to_server);
        if (out.len != 0 && space == 0) {
            l->client_full_ms = w->now_ms;
        }
        size_t n = out.len < space ? out.len : space;
        if (n == 0) {
            break;
        }
        pipe_put(&l->to_server, out.data, n);
        sim_watch_client_out(w, l, out.data, n);
        roam_client_sent(&d->client, n, w->now_ms);
    }
    pipe_schedule(w, l, true, pipe_delay(w));
}

void sim_link_pull_server(struct sim_world *w, struct sim_link *l)
{
    while (l->session != NULL) {
        struct roam_slice out = roam_session_pending(l->session);
        size_t space = l->to_client.room - pipe_len(&l->to_client);
        l->watch.stuck = out.len != 0 && space == 0;
        l->watch.was_stuck = l->watch.was_stuck || l->watch.stuck;
        size_t n = out.len < space ? out.len : space;
        if (n == 0) {
            break;
        }
        if (out.len > sim_server_output_bound(w)) {
            sim_fail(w, "SEC-3", "#%u has %zu bytes of output", l->number,
                     out.len);
        }
        pipe_put(&l->to_client, out.data, n);
        sim_watch_server_out(w, l, out.data, n);
        roam_session_sent(l->session, n, sim_server_now(w));
    }
    if (l->session != NULL && roam_session_finished(l->session)) {
        sim_link_server_closes(w, l);
    }
    pipe_schedule(w, l, false, pipe_delay(w));
}

/* ------------------------------------------------------------- delivery */

static size_t draw_piece(struct sim_world *w, const struct sim_link *l,
                         size_t have)
{
    if (l->whole || have <= 1) {
        return have;
    }
    sim_fault_happened(w, SIM_FAULT_FRAGMENT);
    size_t n = sim_rng_chance(&w->rng, 200)
                   ? 1
                   : 1 + sim_rng_below(&w->rng, l->piece_max);
    return n < have ? n : have;
}

static void reaches_server(struct sim_world *w, struct sim_link *l,
                           const uint8_t *data, size_t len)
{
    if (l->session == NULL) {
        return; /* nobody is there any more */
    }
    sim_step(w, SIM_STEP_TO_SERVER, l->number, len, sim_hash(0, data, len));
    l->watch.heard_ms = w->now_ms;
    sim_watch_server_in(w, l, data, len);
    roam_session_feed(l->session, data, len, sim_server_now(w));
    sim_server_pump(w);
}

static void reaches_client(struct sim_world *w, struct sim_link *l,
                           const uint8_t *data, size_t len)
{
    if (!l->client_open) {
        return;
    }
    sim_step(w, SIM_STEP_TO_CLIENT, l->number, len, sim_hash(0, data, len));
    sim_device_feed(w, l->device, data, len);
}

/* The stream's end has arrived. */
static void reaches_end(struct sim_world *w, struct sim_link *l, bool to_server)
{
    pipe_of(l, to_server)->blocked = true;
    sim_link_notice(w, l->number, !to_server);
}

void sim_link_deliver(struct sim_world *w, uint32_t number, bool to_server)
{
    struct sim_link *l = w->links[number];
    struct sim_pipe *p = pipe_of(l, to_server);
    p->scheduled = false;
    if (p->blocked) {
        return;
    }
    if (w->now_ms < p->stalled_to_ms) {
        pipe_schedule(w, l, to_server, 0);
        return;
    }
    bool heard = to_server ? l->session != NULL : l->client_open;
    size_t n = heard ? draw_piece(w, l, pipe_len(p)) : pipe_len(p);
    if (n == 0) {
        if (p->ending) {
            reaches_end(w, l, to_server);
        }
        return; /* or it was delivered after a stall ended early */
    }
    /* The receiver may send, and so move the pipe's memory. */
    uint8_t *data = malloc(n);
    if (data == NULL) {
        abort();
    }
    memcpy(data, p->data + p->at, n);
    p->at += n;
    pipe_schedule(w, l, to_server, sim_rng_below(&w->rng, GAP_MS_MAX));
    if (to_server) {
        reaches_server(w, l, data, n);
        sim_link_pull_client(w, l);
    } else {
        reaches_client(w, l, data, n);
        sim_link_pull_server(w, l);
        sim_server_pump(w);
    }
    free(data);
}

/* ------------------------------------------------------------------ all */

struct sim_link *sim_link_any(struct sim_world *w)
{
    struct sim_link *found = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->link_count; i++) {
        struct sim_link *l = w->links[i];
        if (l->client_open && l->server_open && !l->cut &&
            sim_rng_below(&w->rng, ++count) == 0) {
            found = l;
        }
    }
    return found;
}

void sim_links_free(struct sim_world *w)
{
    for (uint32_t i = 0; i < w->link_count; i++) {
        free(w->links[i]->to_server.data);
        free(w->links[i]->to_client.data);
        sim_watch_close(w->links[i]);
    }
    free(w->links);
    w->links = NULL;
    w->link_count = 0;
}
