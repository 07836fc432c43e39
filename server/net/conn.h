/* SPDX-License-Identifier: Apache-2.0 */
/* Connections and listeners, between net.c and conn.c only.
 *
 * A connection is in one of these states:
 *
 *   serving    it has a session; bytes go both ways
 *   lingering  the session is over; what was said last is flushed, the
 *              peer is told that nothing more comes, and what it still
 *              sends is thrown away, so that the kernel has no reason to
 *              reset the connection and take the last frame back
 *   closing    the handle is being closed; gone with its callback
 *
 * Invariants: reading never waits for writing. The session has said
 * `sent` for exactly the bytes that the kernel (plain) or the bounded
 * ciphertext buffer (TLS) took. A connection is on one deadline queue at
 * most; each queue has one time span, so it is in order by itself. */
#ifndef ROAM_NET_CONN_H
#define ROAM_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "net.h"

#define ROAM_READ_BYTES 65536
/* A step of a full handshake costs about 2 ms; more of them in one turn of
 * the loop would keep everybody else waiting. The others stay readable. Steps
 * of those that show a ticket are cheap, and have a bound of their own, because
 * a ticket is known only when it has been read. [TLS-6] */
#define ROAM_HANDSHAKES_PER_TURN 4u
#define ROAM_RESUMPTIONS_PER_TURN 128u

struct roam_conn;

/* Connections by deadline, earliest first. */
struct roam_deadlines {
    struct roam_conn *first;
    struct roam_conn *last;
    size_t count;
    uint32_t span_ms;
};

struct roam_conn {
    uv_poll_t poll; /* first: the handle's data is the connection */
    struct roam_net *net;
    int fd;
    int events; /* that are polled for */
    bool stuck; /* the kernel took less than there was */
    bool closing;
    bool fed;   /* the read under way has brought the session something */
    bool ended; /* lingering: told the peer that nothing more comes */
    struct roam_session *session;  /* NULL: lingering or closing */
    struct roam_tls *tls;          /* NULL: plain */
    struct roam_conn *next, *prev; /* of all connections */
    struct roam_deadlines *queue;  /* NULL: none */
    struct roam_conn *later, *sooner;
    uint64_t deadline_ms;
};

struct roam_listener {
    uv_poll_t poll;
    struct roam_net *net;
    struct roam_listener *next;
    int fd;
    bool tls;
};

struct roam_http; /* metrics.c */

struct roam_net {
    struct roam_net_config config;
    struct roam_core *core;
    uv_loop_t loop;
    uv_async_t async;
    uv_timer_t timer;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_signal_t sigterm, sigint, sighup;
    struct roam_listener *listeners;
    struct roam_conn *conns;
    struct roam_http *http; /* NULL: none */
    struct roam_net_stats stats;
    struct roam_deadlines handshakes;
    struct roam_deadlines lingering;
    uint64_t accept_again_ms; /* 0: all that listens is polled */
    uint64_t armed_ms;        /* what the timer is set to */
    unsigned handshakes_now;  /* steps of full ones in this turn of the loop */
    unsigned resumptions_now; /* and of those with a ticket */
    bool draining;
    bool ended;
    enum roam_net_end end;
    uint8_t read_buf[ROAM_READ_BYTES];
};

/* ------------------------------------------------------------ for net.c */

/* Takes over an accepted, non-blocking socket, in any case. */
void roam_conn_open(struct roam_net *net, int fd, bool tls, const char *peer,
                    uint64_t address);
/* Sends what the session has; lets go of it when it is over. */
void roam_conn_flush(struct roam_conn *c);
/* Ends it without a word. */
void roam_conn_close(struct roam_conn *c);
/* Flushes every session that has something. */
void roam_conn_flush_ready(struct roam_net *net);
/* Closes connections whose time on a queue is over. */
void roam_conn_expire(struct roam_deadlines *queue, uint64_t now_ms);

/* A socket that listens, non-blocking; -1 with a reason in error. */
int roam_net_open_socket(struct roam_net *net, const char *address,
                         uint16_t port, uint16_t *actual_port, char *error,
                         size_t cap);
/* When the next thing falls due, mono_ms; UINT64_MAX: nothing does. */
uint64_t roam_net_deadline(const struct roam_net *net);
/* Does what has fallen due. */
void roam_net_tick(struct roam_net *net);

/* After an accept() that failed with this errno: true when descriptors or
 * memory are short. Then nothing that listens is polled for a while, since a
 * connection that cannot be accepted stays readable. */
bool roam_net_rests(struct roam_net *net, int error);

/* Polls for those who ask for metrics, or does not. Nothing, as the next one
 * does, when there are no metrics. */
void roam_http_poll(struct roam_net *net, bool on);
/* Lets go of metrics. */
void roam_http_close(struct roam_net *net);

/* A line for the log; as printf. */
void roam_net_log(struct roam_net *net, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
