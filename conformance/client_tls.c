/* SPDX-License-Identifier: Apache-2.0 */
/* TLS in the client role: what the server that the harness plays shows of
 * itself, the handshake, and the tickets that come back. Above it everything
 * is as without TLS: bytes that are counted, recorded and judged are those of
 * frames. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "client_case.h"
#include "peers.h"

/* [TLS-5]: while no LOGIN has named another. */
#define RECORD_BEFORE_LOGIN 512u
/* Kinds of records: change_cipher_spec to application_data. */
#define RECORD_FIRST 20u
#define RECORD_LAST 23u

bool secure_begin(struct stage *g, struct sut *s)
{
    const char *reason = "";
    if (!g->is_secure) {
        return true;
    }
    s->tls = tls_server_new(strcmp(g->address, PEER_LOOPBACK) == 0 ? "localhost"
                                                                   : g->address,
                            &reason);
    return s->tls || world_mistake(&g->world, reason);
}

bool secure_show(struct stage *g, const struct sut *s, const char *name)
{
    const char *reason = "the case does not need tls";
    return (s->tls && tls_server_show(s->tls, name, &reason)) ||
           world_mistake(&g->world, reason);
}

bool secure_accept(struct stage *g, struct conn *c)
{
    const char *reason = "";
    if (!c->subject->tls) {
        return true;
    }
    c->is_shaking = true;
    c->record_max = RECORD_BEFORE_LOGIN;
    c->shown = tls_server_shows(c->subject->tls);
    c->is_doubtful = !tls_server_is_good(c->subject->tls);
    c->tls = tls_accept(c->subject->tls, c->fd, &reason);
    return c->tls || world_mistake(&g->world, reason);
}

static void note_left(struct stage *g, struct conn *c, const char *reason)
{
    c->is_closed = true;
    world_event(
        &g->world, c->subject->device, "~",
        arena_printf("no handshake; shown was: %s; %s", c->shown, reason));
    record_end(&g->world, c, false, false);
    world_event(&g->world, c->subject->device, "-", "closed the connection");
}

/* The first words of the client are taken, and nothing else. */
static void end_midway(struct stage *g, struct conn *c)
{
    uint8_t hello[4096];
    ssize_t n = recv(c->fd, hello, sizeof hello, 0);
    if (n > 0 && !c->is_left) {
        net_end(g, c, false);
        c->is_left = true;
    } else if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        note_left(g, c, "the server had ended it");
    }
}

static bool note_done(struct stage *g, struct conn *c)
{
    struct sut *s = c->subject;
    bool is_resumed = tls_is_resumed(c->tls);
    c->is_shaking = false;
    s->tickets += tls_has_offered(c->tls);
    s->resumed += is_resumed;
    world_event(&g->world, s->device, "~",
                is_resumed
                    ? "shakes hands, by a ticket"
                    : arena_printf("shakes hands; shown was: %s", c->shown));
    return true;
}

/* No record of TLS begins with any other byte. */
static bool is_plain(const struct conn *c)
{
    uint8_t first;
    ssize_t n = recv(c->fd, &first, 1, MSG_PEEK);
    return n == 1 && (first < RECORD_FIRST || first > RECORD_LAST);
}

static bool note_failed(struct stage *g, const struct conn *c,
                        const char *reason)
{
    world_event(&g->world, c->subject->device, "~", reason);
    return world_fail(&g->world, NULL, reason,
                      "TLS 1.2 with a suite of ECDHE and AEAD, and roam/1 if "
                      "it offers ALPN",
                      NULL);
}

bool secure_shake(struct stage *g, struct conn *c)
{
    const char *reason = "";
    if (is_plain(c)) {
        return world_fail(&g->world, "TLS-3", "the client speaks without TLS",
                          "TLS, as `ca` of the verb `open` asks", NULL);
    }
    if (strcmp(c->shown, "nothing") == 0) {
        end_midway(g, c);
        return true;
    }
    switch (tls_shake(c->tls, &reason)) {
    case TLS_SHAKING:
        return true;
    case TLS_DONE:
        return note_done(g, c);
    case TLS_LEFT:
        note_left(g, c, reason);
        return true;
    case TLS_FAILED:
        return note_failed(g, c, reason);
    }
    return false;
}

ssize_t secure_read(const struct conn *c, uint8_t *out, size_t cap)
{
    return c->tls ? tls_read(c->tls, out, cap) : recv(c->fd, out, cap, 0);
}

/* One call is one record. */
ssize_t secure_write(const struct conn *c, const uint8_t *data, size_t len)
{
    if (!c->tls) {
        return send(c->fd, data, len, MSG_NOSIGNAL);
    }
    return tls_write(c->tls, data, len < c->record_max ? len : c->record_max);
}
