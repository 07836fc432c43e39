/* SPDX-License-Identifier: Apache-2.0 */
/* Logins: connect, LOGIN and SYNC, both answers, close; 64 connections at a
 * time, each a device of its own that comes back. Plain, over TLS with a
 * full handshake, and over TLS with the ticket of the connection before. */
#include "bench.h"

#define DEVICES 64

enum way {
    PLAIN,
    FULL,
    TICKET
};

struct device {
    char user[16];
    struct bench_ticket *ticket;
    int logins;
};

static struct bench_peer peers[DEVICES];
static struct device devices[DEVICES];

static bool one_synced(const struct bench_peer *all, size_t count,
                       uint64_t want)
{
    (void)want;
    for (size_t i = 0; i < count; i++) {
        if (all[i].synced) {
            return true;
        }
    }
    return false;
}

static void open_one(const struct bench_server *server, int i, enum way way)
{
    struct bench_login login = {.user = devices[i].user,
                                .device_type = 1,
                                .codecs = 2,
                                .tls = way != PLAIN,
                                .ticket = devices[i].ticket};

    bench_peer_open(&peers[i], server, &login);
}

/* Device i has logged in: it keeps its ticket and comes back. */
static void again(const struct bench_server *server, int i, enum way way)
{
    if (way == TICKET && devices[i].ticket == NULL) {
        devices[i].ticket = bench_tls_ticket(peers[i].tls);
    }
    devices[i].logins++;
    bench_peer_close(&peers[i]);
    open_one(server, i, way);
}

static int total(void)
{
    int sum = 0;

    for (int i = 0; i < DEVICES; i++) {
        sum += devices[i].logins;
    }
    return sum;
}

/* Logs in `count` times. */
static void run(const struct bench_server *server, enum way way, int count)
{
    int goal = total() + count;

    while (total() < goal) {
        bench_peers_run(peers, DEVICES, 0, one_synced, 0);
        for (int i = 0; i < DEVICES; i++) {
            if (peers[i].synced) {
                again(server, i, way);
            }
        }
    }
}

/* Returns the server's CPU seconds for a login. */
static double measure(const struct bench_server *server, enum way way,
                      int count, const char *name, const char *goal)
{
    for (int i = 0; i < DEVICES; i++) {
        open_one(server, i, way);
    }
    run(server, way, 4 * DEVICES); /* every device has its ticket then */
    double start = bench_now();
    double cpu = bench_server_cpu(server);
    run(server, way, count);
    double seconds = bench_now() - start;
    cpu = (bench_server_cpu(server) - cpu) / count;
    bench_result(name, count / seconds, "a second", goal);
    bench_result("... server CPU for one", cpu * 1e6, "us", NULL);
    for (int i = 0; i < DEVICES; i++) {
        bench_peer_close(&peers[i]);
        if (devices[i].ticket != NULL) {
            bench_ticket_free(devices[i].ticket);
        }
        devices[i].ticket = NULL;
    }
    return cpu;
}

void bench_logins(const char *roamd)
{
    struct bench_server server;
    char cert[96];
    char key[96];

    bench_server_start(&server, roamd, NULL);
    bench_server_add_users(&server, "u", DEVICES);
    for (int i = 0; i < DEVICES; i++) {
        snprintf(devices[i].user, sizeof(devices[i].user), "u%d", i);
    }
    measure(&server, PLAIN, 20000, "logins, plain TCP", ">= 10000");
    double cpu =
        measure(&server, FULL, 1000, "logins, TLS, full handshake", NULL);
    snprintf(cert, sizeof(cert), "%s/data/cert.pem", server.dir);
    snprintf(key, sizeof(key), "%s/data/key.pem", server.dir);
    double bare = bench_tls_bare(cert, key, 200);
    bench_result("... mbedtls alone, server's half", bare * 1e6, "us", NULL);
    bench_result("... mbedtls alone over the server's CPU", bare * 100 / cpu,
                 "%", ">= 90");
    measure(&server, TICKET, 10000, "logins, TLS by ticket", ">= 8000");
    bench_server_stop(&server);
}
