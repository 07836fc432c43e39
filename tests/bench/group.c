/* SPDX-License-Identifier: Apache-2.0 */
/* A message to a group of 500: what it costs the log and the processor, and
 * how long until all have it. Every timeline has some hundreds of entries, so
 * that no two ends of timelines are on one page of the store: the worst case
 * for the log, and the usual one. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define MEMBERS 500
#define FILL 400 /* messages before anything is measured */
#define ALONE 8  /* commits of one message; the log stays below its bound */
#define LIVE 200 /* messages to all of them live */
#define WINDOW 16

static char names[MEMBERS][16];
static struct bench_peer peers[MEMBERS];

/* The limits of one user are not what is measured. */
static const char *const settings[] = {"max_members=1000",
                                       "user_sends=off",
                                       "user_send_bytes=off",
                                       "user_deliveries=off",
                                       "user_backlog_bytes=off",
                                       "user_logins=off",
                                       "user_syncs=off",
                                       "address_connections=off",
                                       "address_logins=off",
                                       "session_cost=off",
                                       NULL};

static bool all_answered(const struct bench_peer *p, size_t count,
                         uint64_t want)
{
    (void)count;
    return p[0].synced && p[0].in_flight == 0 && p[0].to_send == 0 &&
           p[0].answered >= want;
}

static bool all_have(const struct bench_peer *p, size_t count, uint64_t want)
{
    for (size_t i = 0; i < count; i++) {
        if (p[i].entries < want) {
            return false;
        }
    }
    return true;
}

static bool all_caught_up(const struct bench_peer *p, size_t count,
                          uint64_t want)
{
    (void)want;
    for (size_t i = 0; i < count; i++) {
        if (!p[i].synced || p[i].seen < p[i].head) {
            return false;
        }
    }
    return true;
}

/* The first member's session, and only that: entries go to the log alone. */
static void open_sender(struct bench_server *server)
{
    struct bench_login login = {
        .user = names[0], .device_type = 1, .codecs = 2};

    uint64_t used = peers[0].next_id; /* a client_msg_id is used once */
    bench_peer_open(&peers[0], server, &login);
    peers[0].next_id = used;
    bench_peers_run(peers, 1, 0, bench_all_synced, 0);
}

static void make_group(char group[ROAM_CONVERSATION_MAX + 1])
{
    struct roam_slice users[50];
    uint64_t answers = 0;

    for (int from = 1; from < MEMBERS; from += 50) {
        size_t count = 0;
        while (count < 50 && from + (int)count < MEMBERS) {
            const char *name = names[from + (int)count];
            users[count++] =
                (struct roam_slice){(const uint8_t *)name, strlen(name)};
        }
        bench_peer_change(&peers[0], from == 1 ? "#" : group,
                          from == 1 ? roam_v1_GroupAction_CREATE
                                    : roam_v1_GroupAction_INVITE,
                          users, count);
        bench_peers_run(peers, 1, 0, all_answered, ++answers);
        memcpy(group, peers[0].made, sizeof(peers[0].made));
    }
}

/* Sends so many, at most `window` unanswered. Returns the seconds. */
static double send_all(const char *group, int count, size_t window)
{
    uint64_t answered = peers[0].answered;
    double start = bench_now();

    peers[0].to = group;
    peers[0].to_send = count;
    bench_peers_run(peers, 1, window, all_answered, answered + (uint64_t)count);
    return bench_now() - start;
}

static void measure_log(struct bench_server *server, const char *group)
{
    send_all(group, FILL, WINDOW);
    bench_peer_close(&peers[0]);
    bench_server_restart(server);
    open_sender(server);
    send_all(group, 1, 1); /* the first one after a start reads the ends */
    size_t before = bench_server_log_bytes(server);
    double cpu = bench_server_cpu(server);
    double seconds = send_all(group, ALONE, 1);
    bench_result("group of 500: write-ahead log for a message",
                 (double)(bench_server_log_bytes(server) - before) / ALONE /
                     1024,
                 "KiB", NULL);
    bench_result("group of 500: until a message is answered",
                 seconds / ALONE * 1000, "ms", NULL);
    seconds = send_all(group, LIVE, WINDOW);
    cpu = bench_server_cpu(server) - cpu;
    bench_result("group of 500: server CPU a message, all offline",
                 cpu / (ALONE + LIVE) * 1000, "ms", NULL);
    bench_result("group of 500: entries stored", MEMBERS * LIVE / seconds,
                 "a second", NULL);
}

static void open_others(struct bench_server *server)
{
    for (int i = 0; i < MEMBERS; i++) {
        struct bench_login login = {
            .user = names[i], .device_type = 2, .codecs = 2};
        uint64_t used = peers[i].next_id;
        bench_peer_close(&peers[i]);
        bench_peer_open(&peers[i], server, &login);
        peers[i].next_id = used;
    }
    bench_peers_run(peers, MEMBERS, 0, bench_all_synced, 0);
}

static void measure_live(struct bench_server *server, const char *group)
{
    static double times[LIVE];
    uint64_t had = 0;

    bench_peers_run(peers, MEMBERS, 0, all_caught_up, 0);
    for (int i = 0; i < MEMBERS; i++) {
        peers[i].entries = 0;
    }
    double cpu = bench_server_cpu(server);
    for (int i = 0; i < LIVE; i++) {
        double start = bench_now();
        peers[0].to = group;
        peers[0].to_send = 1;
        bench_peers_run(peers, MEMBERS, 1, all_have, ++had);
        times[i] = bench_now() - start;
    }
    cpu = bench_server_cpu(server) - cpu;
    bench_result("group of 500: server CPU a message, all live",
                 cpu / LIVE * 1000, "ms", NULL);
    bench_result("group of 500: until all live have it, p50",
                 bench_quantile(times, LIVE, 0.5) * 1000, "ms", NULL);
    bench_result("group of 500: until all live have it, p99",
                 bench_quantile(times, LIVE, 0.99) * 1000, "ms", NULL);
}

void bench_group(const char *roamd)
{
    char group[ROAM_CONVERSATION_MAX + 1] = "";
    struct bench_server server;

    bench_server_start(&server, roamd, settings);
    bench_server_add_users(&server, "m", MEMBERS);
    for (int i = 0; i < MEMBERS; i++) {
        snprintf(names[i], sizeof(names[i]), "m%d", i);
        peers[i].fd = -1;
    }
    open_sender(&server);
    make_group(group);
    measure_log(&server, group);
    open_others(&server);
    measure_live(&server, group);
    for (int i = 0; i < MEMBERS; i++) {
        bench_peer_close(&peers[i]);
    }
    bench_server_stop(&server);
}
