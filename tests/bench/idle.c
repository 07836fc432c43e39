/* SPDX-License-Identifier: Apache-2.0 */
/* What 1,000 logged-in connections that do nothing cost in memory. */
#include "bench.h"

#define PEERS 1000

void bench_idle(const char *roamd)
{
    static struct bench_peer peers[PEERS];
    struct bench_server server;
    char user[16];

    bench_server_start(&server, roamd);
    bench_server_add_users(&server, "u", PEERS);
    size_t before = bench_server_memory(&server);
    for (int i = 0; i < PEERS; i++) {
        struct bench_login login = {
            .user = user, .device_type = 1, .codecs = 2};

        snprintf(user, sizeof(user), "u%d", i);
        bench_peer_open(&peers[i], &server, &login);
        bench_peers_run(&peers[i], 1, 0, bench_all_synced, 0);
    }
    size_t after = bench_server_memory(&server);
    bench_result("memory of an idle connection, plain TCP",
                 (double)(after - before) / PEERS, "bytes", "<= 2048");
    for (int i = 0; i < PEERS; i++) {
        bench_peer_close(&peers[i]);
    }
    bench_server_stop(&server);
}
