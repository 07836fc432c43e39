/* SPDX-License-Identifier: Apache-2.0 */
/* A device that missed 1,000 messages: from connect to the last one, and
 * what it costs on the wire, next to the bodies alone. */
#include <string.h>
#include <zlib.h>

#include "bench.h"

#define MESSAGES 1000
#define RUNS 9

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

/* The median time in ms; the bytes a message in *bytes. */
static double catch_up(struct bench_server *server, uint32_t codecs,
                       uint32_t device_type, double *bytes)
{
    double ms[RUNS];
    struct bench_login login = {
        .user = "r0", .device_type = device_type, .codecs = codecs};

    for (int i = 0; i < RUNS; i++) {
        struct bench_peer peer;
        double start = bench_now();

        bench_peer_open(&peer, server, &login);
        bench_peers_run(&peer, 1, 0, all_came, MESSAGES);
        ms[i] = (bench_now() - start) * 1e3;
        *bytes = (double)peer.bytes_in / MESSAGES;
        bench_peer_close(&peer);
    }
    return bench_quantile(ms, RUNS, 0.5);
}

void bench_catch_up(const char *roamd)
{
    struct bench_server server;
    double bytes = 0;

    bench_server_start(&server, roamd, NULL);
    bench_server_add_users(&server, "s", 1);
    bench_server_add_users(&server, "r", 1);
    fill(&server);
    bench_result("catch-up of 1,000 messages, plain TCP",
                 catch_up(&server, 2, 1, &bytes), "ms", "<= 4.5");
    bench_result("... bytes a message, DEFLATE", bytes, "bytes", "<= 40");
    bench_result("... its bodies alone, deflated in one piece",
                 bodies_deflated(), "bytes", NULL);
    catch_up(&server, 0, 2, &bytes);
    bench_result("... bytes a message, codec NONE", bytes, "bytes", NULL);
    bench_server_stop(&server);
}
