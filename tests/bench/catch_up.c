/* SPDX-License-Identifier: Apache-2.0 */
/* A device that missed 1,000 messages: from connect to the last one, and
 * what it costs on the wire, next to the bodies alone. */
#include <string.h>
#include <zlib.h>

#include "bench.h"

#define MESSAGES 1000
/* Enough for a clock of CPU time that ticks every 10 ms. */
#define RUNS 200

/* The limits of one user are not what is measured. */
static const char *const settings[] = {
    "user_backlog_bytes=off",  "user_logins=off",    "user_syncs=off",
    "address_connections=off", "address_logins=off", NULL};

static bool all_answered(const struct bench_peer *peers, size_t count,
                         uint64_t want)
{
    (void)count;
    return peers[0].answered >= want;
}

static bool all_came(const struct bench_peer *peers, size_t count,
                     uint64_t want)
{
    (void)count;
    return peers[0].entries >= want;
}

static void fill(struct bench_server *server)
{
    struct bench_peer sender;
    struct bench_login login = {.user = "s0", .device_type = 1, .codecs = 2};

    bench_peer_open(&sender, server, &login);
    sender.to = "r0";
    sender.to_send = MESSAGES;
    bench_peers_run(&sender, 1, 16, all_answered, MESSAGES);
    bench_peer_close(&sender);
}

static double bodies_deflated(void)
{
    static uint8_t plain[MESSAGES * 512];
    static uint8_t packed[MESSAGES * 512];
    uLongf packed_len = sizeof(packed);
    size_t len = 0;

    for (uint64_t i = 1; i <= MESSAGES; i++) {
        struct roam_slice body = bench_body(i);

        memcpy(plain + len, body.data, body.len);
        len += body.len;
    }
    if (compress2(packed, &packed_len, plain, len, 9) != Z_OK) {
        bench_die("zlib");
    }
    return (double)packed_len / MESSAGES;
}

struct cost {
    double ms;     /* the median */
    double cpu_ms; /* the server's, on average */
    double bytes;  /* a message */
};

static struct cost catch_up(struct bench_server *server, uint32_t codecs,
                            uint32_t device_type)
{
    static double ms[RUNS];
    struct cost cost = {0};
    double cpu = bench_server_cpu(server);
    struct bench_login login = {
        .user = "r0", .device_type = device_type, .codecs = codecs};

    for (int i = 0; i < RUNS; i++) {
        struct bench_peer peer;
        double start = bench_now();

        bench_peer_open(&peer, server, &login);
        bench_peers_run(&peer, 1, 0, all_came, MESSAGES);
        ms[i] = (bench_now() - start) * 1e3;
        cost.bytes = (double)peer.bytes_in / MESSAGES;
        bench_peer_close(&peer);
    }
    cost.cpu_ms = (bench_server_cpu(server) - cpu) * 1e3 / RUNS;
    cost.ms = bench_quantile(ms, RUNS, 0.5);
    return cost;
}

void bench_catch_up(const char *roamd)
{
    struct bench_server server;

    bench_server_start(&server, roamd, settings);
    bench_server_add_users(&server, "s", 1);
    bench_server_add_users(&server, "r", 1);
    fill(&server);
    struct cost packed = catch_up(&server, 2, 1);
    bench_result("catch-up of 1,000 messages, plain TCP", packed.ms, "ms",
                 "<= 4.5");
    bench_result("... server CPU for one", packed.cpu_ms, "ms", NULL);
    bench_result("... bytes a message, DEFLATE", packed.bytes, "bytes",
                 "<= 40");
    bench_result("... its bodies alone, deflated in one piece",
                 bodies_deflated(), "bytes", NULL);
    bench_result("... bytes a message, codec NONE",
                 catch_up(&server, 0, 2).bytes, "bytes", NULL);
    bench_server_stop(&server);
}
