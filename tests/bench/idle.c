/* SPDX-License-Identifier: Apache-2.0 */
/* What logged-in connections that do nothing cost in memory: 1,000 of them,
 * and 5,000, with and without TLS. The server is a fresh one each time, but
 * has seen each user before: what its database keeps in memory of them is
 * there when nobody is connected too. */
#include "bench.h"

#include <stdlib.h>

#define PEERS_MAX 5000
/* At a time, or the server's queue of connections overflows. */
#define TOGETHER 50

static struct bench_peer peers[PEERS_MAX];

static void connect_user(const struct bench_server *server, int i, bool tls)
{
    char user[16];
    struct bench_login login = {
        .user = user, .device_type = 1, .codecs = 2, .tls = tls};

    snprintf(user, sizeof(user), "u%d", i);
    bench_peer_open(&peers[i], server, &login);
}

/* One by one, so that the heap never holds many. */
static void warm_up(const struct bench_server *server, int count, bool tls)
{
    for (int i = 0; i < count; i++) {
        connect_user(server, i, tls && i == 0);
        bench_peers_run(&peers[i], 1, 0, bench_all_synced, 0);
        bench_peer_close(&peers[i]);
    }
}

static double memory_of_one(const char *roamd, int count, bool tls)
{
    struct bench_server server;

    bench_server_start(&server, roamd, NULL);
    bench_server_add_users(&server, "u", count);
    warm_up(&server, count, tls);
    size_t before = bench_server_memory(&server);
    for (int i = 0; i < count; i++) {
        connect_user(&server, i, tls);
        if ((i + 1) % TOGETHER == 0 || i + 1 == count) {
            int first = i / TOGETHER * TOGETHER;

            bench_peers_run(&peers[first], (size_t)(i + 1 - first), 0,
                            bench_all_synced, 0);
        }
    }
    size_t after = bench_server_memory(&server);
    for (int i = 0; i < count; i++) {
        bench_peer_close(&peers[i]);
    }
    bench_server_stop(&server);
    return (double)(after - before) / count;
}

void bench_idle(const char *roamd)
{
    bench_result("memory of an idle connection, plain, of 1,000",
                 memory_of_one(roamd, 1000, false), "bytes", "<= 2048");
    bench_result("... of 5,000", memory_of_one(roamd, 5000, false), "bytes",
                 "<= 2048");
    bench_result("memory of an idle connection, TLS, of 1,000",
                 memory_of_one(roamd, 1000, true), "bytes", "<= 40960");
    bench_result("... of 5,000", memory_of_one(roamd, 5000, true), "bytes",
                 "<= 40960");
}
