/* SPDX-License-Identifier: Apache-2.0 */
/* A byte stream to the server: look the name up, connect to the addresses
 * one after the other, shake hands, then read and write. Nothing blocks.
 *
 *   DOWN -> RESOLVING -> CONNECTING -> HANDSHAKE -> UP -> DOWN
 *
 * Each address gets connect_timeout_ms for connection and handshake, and so
 * does the lookup. A failure of one address leads to the next one, except
 * that a server which is there but cannot be trusted ends the search. */
#ifndef ROAM_LINK_H
#define ROAM_LINK_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netdb.h>

#include "link_tls.h"
#include "resolve.h"
#include "roam_posix_status.h"

enum roam_link_state {
    ROAM_LINK_DOWN = 0, /* status tells why */
    ROAM_LINK_RESOLVING,
    ROAM_LINK_CONNECTING,
    ROAM_LINK_HANDSHAKE,
    ROAM_LINK_UP
};

struct roam_link {
    /* Set by the owner before start(). */
    const char *host;          /* kept */
    const char *port;          /* kept */
    struct roam_link_tls *tls; /* kept; NULL: plain TCP to loopback */
    uint32_t connect_timeout_ms;

    enum roam_link_state state;
    enum roam_posix_status status; /* of the last failure */
    char detail[ROAM_POSIX_DETAIL_MAX];

    /* Private. */
    struct roam_resolve *resolve;
    struct addrinfo *addresses, *next_address;
    int fd; /* -1: none */
    uint64_t deadline_ms;
    bool read_wants_write, write_wants_read; /* TLS */
    short handshake_wants;
};

/* An idle link without a socket. */
void roam_link_init(struct roam_link *l);

/* Begins to connect. What was there before is dropped. */
void roam_link_start(struct roam_link *l, uint64_t now_ms);

/* Goes on with connecting, as far as it can now. */
void roam_link_step(struct roam_link *l, uint64_t now_ms);

/* What to wait for; fd -1: nothing.
 *
 * writing  bytes wait to be written. */
void roam_link_poll(const struct roam_link *l, bool writing,
                    struct pollfd *out);
/* When step() has work without any event; UINT64_MAX: never. */
uint64_t roam_link_deadline_ms(const struct roam_link *l);

/* Bytes read or taken, above 0; 0: would block; -1: the link went DOWN.
 * write: after 0 the same bytes and length must be given again. */
ptrdiff_t roam_link_read(struct roam_link *l, void *out, size_t cap);
ptrdiff_t roam_link_write(struct roam_link *l, const void *data, size_t len);

/* Closes what is open. Keeps status and detail. */
void roam_link_stop(struct roam_link *l);

#endif
