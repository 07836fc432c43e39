/* SPDX-License-Identifier: Apache-2.0 */
/* From SEND to its PUSH at the other user's device, at 200 a second: one
 * message at a time, the next one 5 ms after the one before. */
#include "bench.h"

#include <time.h>

#define MESSAGES 1000
#define APART_S 0.005

static bool came(const struct bench_peer *peers, size_t count, uint64_t want)
{
    (void)count;
    return peers[0].answered >= want && peers[1].entries >= want;
}

static bool delivered(const struct bench_peer *peers, size_t count,
                      uint64_t want)
{
    (void)count;
    return peers[1].entries >= want;
}

/* Paces the load; it decides nothing. */
static void wait_until(double when)
{
    double left = when - bench_now();

    if (left > 0) {
        struct timespec t = {.tv_nsec = (long)(left * 1e9)};

        nanosleep(&t, NULL);
    }
}

void bench_latency(const char *roamd)
{
    static double ms[MESSAGES];
    struct bench_peer peers[2];
    struct bench_server server;
    struct bench_login from = {.user = "s0", .device_type = 1, .codecs = 2};
    struct bench_login to = {.user = "r0", .device_type = 1, .codecs = 2};

    bench_server_start(&server, roamd, NULL);
    bench_server_add_users(&server, "s", 1);
    bench_server_add_users(&server, "r", 1);
    bench_peer_open(&peers[0], &server, &from);
    bench_peer_open(&peers[1], &server, &to);
    bench_peers_run(peers, 2, 0, bench_all_synced, 0);
    peers[0].to = "r0";
    double due = bench_now();
    for (uint64_t i = 0; i < MESSAGES; i++) {
        wait_until(due);
        due += APART_S;
        peers[0].to_send = 1;
        double start = bench_now();
        bench_peers_run(peers, 2, 1, delivered, i + 1);
        ms[i] = (bench_now() - start) * 1e3;
        bench_peers_run(peers, 2, 1, came, i + 1);
    }
    bench_result("SEND to delivery at 200 a second, p50",
                 bench_quantile(ms, MESSAGES, 0.5), "ms", "<= 1.0");
    bench_result("... p99", bench_quantile(ms, MESSAGES, 0.99), "ms", "<= 3");
    bench_peer_close(&peers[0]);
    bench_peer_close(&peers[1]);
    bench_server_stop(&server);
}
