/* SPDX-License-Identifier: Apache-2.0 */
/* The benchmarks: a load generator that speaks Roam over plain TCP on
 * loopback to a real roamd, and SQLite alone for comparison. Figures, never
 * verdicts: nothing here fails because a machine is slow. A broken server
 * does end the run. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "frame.h"
#include "tls.h"

/* Ends the run with a message. */
_Noreturn void bench_die(const char *format, ...);

/* Wall clock in seconds, from any start. */
double bench_now(void);

/* ----------------------------------------------------------------- server */

struct bench_server {
    char dir[64];
    pid_t pid;
    uint16_t port; /* plain TCP */
    uint16_t tls_port;
    const char *roamd;
    const char *const *settings; /* NAME=VALUE..., NULL; or NULL: none */
};

/* A fresh data directory and a running roamd. All but s kept. */
void bench_server_start(struct bench_server *s, const char *roamd,
                        const char *const *settings);
/* The same store, with an empty write-ahead log; the ports are others. */
void bench_server_restart(struct bench_server *s);
size_t bench_server_log_bytes(const struct bench_server *s);
void bench_server_stop(struct bench_server *s);
/* A user with a token that is the user's name, padded. */
void bench_server_add_users(struct bench_server *s, const char *prefix,
                            int count);
/* CPU seconds used so far, and resident memory in bytes. */
double bench_server_cpu(const struct bench_server *s);
size_t bench_server_memory(const struct bench_server *s);

/* ------------------------------------------------------------------ peers */

/* One connection that logs in, syncs, takes what comes and acks. */
struct bench_peer {
    int fd;
    struct bench_tls *tls; /* NULL: plain TCP */
    bool stuck;            /* the last write waits for something to read */
    struct roam_reader reader;
    uint8_t *in;
    uint8_t out[8192]; /* frames not yet taken by the socket */
    size_t out_len;
    size_t in_flight; /* SENDs without an answer */
    int to_send;      /* SENDs still to be made */
    const char *to;
    uint64_t next_id;
    uint64_t head;        /* told by SYNC_OK */
    uint64_t acked, seen; /* versions */
    uint32_t since_ack;   /* entries */
    uint64_t entries, noops, answered;
    uint64_t bytes_in, frames_in;
    bool synced;
    char made[ROAM_CONVERSATION_MAX + 1]; /* group that a SEND_OK named */
};

struct bench_login {
    const char *user;
    uint32_t device_type; /* the user has a token for each */
    uint64_t cursor;
    uint32_t codecs;
    bool tls;
    const struct bench_ticket *ticket; /* with tls; may be NULL */
};

#define BENCH_UNACKED 256u
#define BENCH_MAX_INFLATED 65536u

/* Connects, and queues LOGIN and SYNC. */
void bench_peer_open(struct bench_peer *p, const struct bench_server *s,
                     const struct bench_login *login);
void bench_peer_close(struct bench_peer *p);
/* Fills the window with SENDs, as far as to_send says. */
void bench_peer_send(struct bench_peer *p, size_t window);
/* Queues a change of a group, which CREATE is sent to `#`, that names these
 * users. */
void bench_peer_change(struct bench_peer *p, const char *group, uint32_t action,
                       const struct roam_slice *users, size_t count);
/* Polls all peers until `done` is true. */
typedef bool (*bench_done_fn)(const struct bench_peer *peers, size_t count,
                              uint64_t want);
void bench_peers_run(struct bench_peer *peers, size_t count, size_t window,
                     bench_done_fn done, uint64_t want);
bool bench_all_synced(const struct bench_peer *peers, size_t count,
                      uint64_t want);

/* The body of the n-th message: words of a chat. */
struct roam_slice bench_body(uint64_t n);
/* Makes them from a file's words; returns the average length, in bytes. */
double bench_bodies_read(const char *path);

/* The value below which `share` of the values are; sorts them. */
double bench_quantile(double *values, size_t count, double share);

/* ---------------------------------------------------------------- results */

/* One figure: printed as a row, and kept for the JSON file. goal may be
 * NULL. */
void bench_result(const char *name, double value, const char *unit,
                  const char *goal);

void bench_sends(const char *roamd);
void bench_catch_up(const char *roamd);
void bench_idle(const char *roamd);
void bench_group(const char *roamd);
void bench_logins(const char *roamd);
void bench_latency(const char *roamd);
/* Runs the SENDs' rows through SQLite alone; `rate` is what roamd reached. */
void bench_bare_sqlite(double rate);

#endif
