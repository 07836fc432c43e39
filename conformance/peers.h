/* SPDX-License-Identifier: Apache-2.0 */
/* Servers of our own, to test the harness with: null peers that speak no
 * Roam at all and must pass nothing, and a fake that follows a script and
 * breaks the rules that the script breaks. Each runs in a child process and
 * listens on a free port of the loopback interface. */
#ifndef CONFORM_PEERS_H
#define CONFORM_PEERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct peer {
    pid_t pid;
    uint16_t port;
};

/* The names of the null peers, NULL at the end. */
extern const char *const null_peer_modes[];

#define PEER_LOOPBACK "127.0.0.1"

/* A listening socket on a free port of that IPv4 address; -1 with a reason. */
int peer_listen(const char *address, uint16_t *port, const char **reason);
/* Serves for ever in this process. False: no such mode. */
bool null_peer_serve(int listener, const char *mode);
bool null_peer_start(struct peer *p, const char *mode, const char **reason);

/* A fake that follows the file; names and random numbers are those of the
 * scenario with that id under the same seed, so that both sides agree. */
struct scenario;
bool fake_peer_start(struct peer *p, const char *script,
                     const struct scenario *s, uint64_t seed,
                     const char **reason);
void peer_stop(struct peer *p);

#endif
