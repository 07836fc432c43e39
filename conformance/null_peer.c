/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that speak no Roam: see peers.h. A suite that lets one of them pass
 * a case has tested nothing in it. */
#include "peers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "text.h"

#define MAX_CLIENTS 512
#define GARBAGE_BYTES 256

const char *const null_peer_modes[] = {"close", "silent", "echo", "garbage",
                                       NULL};

int peer_listen(const char *address, uint16_t *port, const char **reason)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof a;
    inet_pton(AF_INET, address, &a.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0) {
        *reason =
            arena_printf("cannot listen at %s: %s", address, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    *port = ntohs(a.sin_port);
    return fd;
}

static void send_garbage(int fd, struct prng *random)
{
    uint8_t noise[GARBAGE_BYTES];
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t)prng_next(random);
    }
    (void)!send(fd, noise, sizeof noise, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* What came from a client; false: it is gone. */
static bool answer(int fd, const char *mode, struct prng *random)
{
    char buf[4096];
    ssize_t n = recv(fd, buf, sizeof buf, 0);
    if (n <= 0) {
        return false;
    }
    if (strcmp(mode, "echo") == 0) {
        (void)!send(fd, buf, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
    } else if (strcmp(mode, "garbage") == 0) {
        send_garbage(fd, random);
    }
    return true;
}

static bool is_mode(const char *mode)
{
    for (size_t i = 0; null_peer_modes[i]; i++) {
        if (strcmp(null_peer_modes[i], mode) == 0) {
            return true;
        }
    }
    return false;
}

bool null_peer_serve(int listener, const char *mode)
{
    struct pollfd fds[MAX_CLIENTS + 1];
    nfds_t count = 1;
    struct prng random;
    prng_seed(&random, 1, "garbage");
    if (!is_mode(mode)) {
        return false;
    }
    fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
    for (;;) {
        if (poll(fds, count, -1) < 0) {
            continue;
        }
        for (nfds_t i = count; i-- > 1;) {
            if (fds[i].revents && !answer(fds[i].fd, mode, &random)) {
                close(fds[i].fd);
                fds[i] = fds[--count];
            }
        }
        if (!fds[0].revents) {
            continue;
        }
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0 && (strcmp(mode, "close") == 0 || count > MAX_CLIENTS)) {
            close(fd);
        } else if (fd >= 0) {
            fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
        }
    }
}

bool null_peer_start(struct peer *p, const char *mode, const char **reason)
{
    int listener = peer_listen(PEER_LOOPBACK, &p->port, reason);
    if (listener < 0) {
        return false;
    }
    p->pid = fork();
    if (p->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        null_peer_serve(listener, mode);
        _exit(1);
    }
    close(listener);
    return p->pid > 0;
}

void peer_stop(struct peer *p)
{
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
        waitpid(p->pid, NULL, 0);
        p->pid = 0;
    }
}
