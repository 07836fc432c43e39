/* SPDX-License-Identifier: Apache-2.0 */
/* The loop: sockets, TLS and time around the core. Everything that libuv
 * knows of Roam is behind this header.
 *
 * One thread. roam_net_wake() alone may be called from others. */
#ifndef ROAM_NET_H
#define ROAM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/core.h"
#include "tls.h"

/* What a signal asks for. */
enum roam_net_notice {
    ROAM_NET_RELOAD,  /* SIGHUP: read the settings again */
    ROAM_NET_STOPPING /* SIGTERM or SIGINT: the drain has begun */
};

struct roam_net_config {
    struct roam_tls_server *tls; /* kept; NULL when no listener has TLS */
    roam_log_fn log;             /* may be NULL */
    void *log_ctx;
    void (*notice)(void *ctx, enum roam_net_notice what); /* may be NULL */
    void *notice_ctx;
    uint32_t backlog;      /* connections that wait to be accepted */
    bool limit_loopback;   /* limits for addresses are for loopback too */
    uint32_t handshake_ms; /* from accept to the end of the TLS handshake */
    uint32_t linger_ms;    /* for the peer to read the last frame */
};

struct roam_net;

/* NULL with one line of reason in error (cap bytes). config copied. */
struct roam_net *roam_net_new(const struct roam_net_config *config, char *error,
                              size_t cap);
/* Closes what is left. After the core is freed. NULL is fine. */
void roam_net_free(struct roam_net *net);

/* Listens on a numeric address. port 0: any, told in *actual_port. False
 * with a reason in error. */
bool roam_net_listen(struct roam_net *net, const char *address, uint16_t port,
                     bool tls, uint16_t *actual_port, char *error, size_t cap);

/* From now on handshakes are for this server, kept; those under way and
 * sessions stay with the one they began with. Returns that one, to be freed.
 * From within notice(). */
struct roam_tls_server *roam_net_set_tls(struct roam_net *net,
                                         struct roam_tls_server *tls);

struct roam_net_stats {
    uint64_t accepted;            /* connections */
    uint64_t bytes_in, bytes_out; /* as the kernel gave and took them */
    uint64_t handshakes, handshakes_failed;
};
void roam_net_get_stats(const struct roam_net *net, struct roam_net_stats *out);

/* Answers `GET /metrics` over HTTP with what fn writes, on a numeric address
 * that must be loopback; port 0: any, told in *actual_port. fn writes text of
 * at most cap bytes to out and returns its length. See metrics.c for what is
 * bounded. False with a reason in error. */
typedef size_t (*roam_metrics_fn)(void *ctx, char *out, size_t cap);
bool roam_net_serve_metrics(struct roam_net *net, const char *address,
                            uint16_t port, roam_metrics_fn fn, void *ctx,
                            uint16_t *actual_port, char *error, size_t cap);

/* Makes the loop poll the store soon; from any thread. ctx: the net. */
void roam_net_wake(void *ctx);

enum roam_net_end {
    ROAM_NET_DRAINED,     /* SIGTERM or SIGINT, and all said good-bye */
    ROAM_NET_INTERRUPTED, /* a second one came before that */
    ROAM_NET_STORE_FAILED /* a commit's outcome is unknown */
};

/* From here on SIGTERM and SIGINT wait until the loop runs, and end it in
 * order: before anybody is told that the server is there. False: they
 * cannot be caught. */
bool roam_net_catch_signals(struct roam_net *net);

/* Serves until the end. core is kept until this returns; its sessions are
 * all closed then. */
enum roam_net_end roam_net_run(struct roam_net *net, struct roam_core *core);

/* The two clocks, for the core. */
struct roam_now roam_net_now(void);

/* True for numeric IPv4 and IPv6 addresses. */
bool roam_net_is_address(const char *text);
/* True for the numeric addresses 127.0.0.0/8 and ::1. */
bool roam_net_is_loopback(const char *address);
/* What limits for addresses go by: see roam_core_accept(). 0 for loopback
 * unless it is limited, too. */
uint64_t roam_net_address_number(const char *address, bool limit_loopback);

#endif
