/* SPDX-License-Identifier: Apache-2.0 */
/* Committed and synced SENDs: 100 senders with 16 in flight each, every
 * message delivered to three other sessions (two of the receiver, one of the
 * sender's siblings). Over when all are answered and all deliveries came. */
#include <stdlib.h>

#include "bench.h"

#define SENDERS 100
#define WINDOW 16
#define EACH 400
#define SESSIONS 4 /* sender, sibling, two of the receiver */

static bool all_through(const struct bench_peer *peers, size_t count,
                        uint64_t want)
{
    for (size_t i = 0; i < count; i++) {
        if (peers[i].entries < want ||
            (i % SESSIONS == 0 && peers[i].answered < want)) {
            return false;
        }
    }
    return true;
}

static void open_all(struct bench_peer *peers, struct bench_server *server,
                     char names[][2][16])
{
    for (int i = 0; i < SENDERS; i++) {
        for (int k = 0; k < SESSIONS; k++) {
            struct bench_login login = {.user = names[i][k / 2],
                                        .device_type = 1u + (uint32_t)(k % 2),
                                        .codecs = 2};
            bench_peer_open(&peers[i * SESSIONS + k], server, &login);
        }
    }
}

void bench_sends(const char *roamd)
{
    static struct bench_peer peers[SENDERS * SESSIONS];
    static char names[SENDERS][2][16];
    struct bench_server server;
    size_t count = SENDERS * SESSIONS;

    bench_server_start(&server, roamd, NULL);
    bench_server_add_users(&server, "s", SENDERS);
    bench_server_add_users(&server, "r", SENDERS);
    for (int i = 0; i < SENDERS; i++) {
        snprintf(names[i][0], sizeof(names[i][0]), "s%d", i);
        snprintf(names[i][1], sizeof(names[i][1]), "r%d", i);
    }
    open_all(peers, &server, names);
    bench_peers_run(peers, count, 0, bench_all_synced, 0);
    for (int i = 0; i < SENDERS; i++) {
        peers[i * SESSIONS].to = names[i][1];
        peers[i * SESSIONS].to_send = EACH;
    }
    double start = bench_now();
    double cpu = bench_server_cpu(&server);
    bench_peers_run(peers, count, WINDOW, all_through, EACH);
    double seconds = bench_now() - start;
    cpu = bench_server_cpu(&server) - cpu;
    double rate = SENDERS * EACH / seconds;
    bench_result("sends, committed and synced, 3 deliveries each", rate,
                 "a second", ">= 19000");
    bench_result("server CPU for 10,000 such sends",
                 cpu * 10000 / (SENDERS * EACH), "s", "<= 0.5");
    for (size_t i = 0; i < count; i++) {
        bench_peer_close(&peers[i]);
    }
    bench_server_stop(&server);
    bench_bare_sqlite(rate);
}
