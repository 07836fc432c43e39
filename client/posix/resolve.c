/* SPDX-License-Identifier: Apache-2.0 */
/* One lookup, shared by two owners: the caller and the thread. `owners`
 * counts them; whoever leaves last frees it. The thread tells that it is
 * done by closing its end of the pipe, so nobody needs to read bytes. */
#include "resolve.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct roam_resolve {
    pthread_mutex_t mutex; /* guards all below but the strings */
    int owners;
    bool done;
    int error;
    struct addrinfo *addresses;
    int read_fd, write_fd;
    char *host, *port;
};

static void leave(struct roam_resolve *r)
{
    pthread_mutex_lock(&r->mutex);
    int left = --r->owners;
    pthread_mutex_unlock(&r->mutex);
    if (left > 0) {
        return;
    }
    if (r->addresses) {
        freeaddrinfo(r->addresses);
    }
    pthread_mutex_destroy(&r->mutex);
    free(r->host);
    free(r->port);
    free(r);
}

static void *look_up(void *self)
{
    struct roam_resolve *r = self;
    struct addrinfo hints, *addresses = NULL;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    /* localhost is this machine, also where nothing says so (RFC 6761). */
    const char *name = strcmp(r->host, "localhost") == 0 ? NULL : r->host;
    int error = getaddrinfo(name, r->port, &hints, &addresses);
    pthread_mutex_lock(&r->mutex);
    r->done = true;
    r->error = error;
    r->addresses = error ? NULL : addresses;
    pthread_mutex_unlock(&r->mutex);
    close(r->write_fd);
    leave(r);
    return NULL;
}

/* The thread takes no signals: they are for the program's own threads. */
static bool start_thread(struct roam_resolve *r)
{
    sigset_t all, before;
    pthread_attr_t attr;
    pthread_t thread;
    if (pthread_attr_init(&attr) != 0) {
        return false;
    }
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attr, look_up, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return error == 0;
}

struct roam_resolve *roam_resolve_start(const char *host, const char *port)
{
    int fds[2];
    struct roam_resolve *r = calloc(1, sizeof *r);
    if (!r) {
        return NULL;
    }
    r->owners = 2;
    r->host = strdup(host);
    r->port = strdup(port);
    if (!r->host || !r->port || pipe(fds) != 0) {
        goto fail_strings;
    }
    r->read_fd = fds[0];
    r->write_fd = fds[1];
    fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    fcntl(fds[1], F_SETFD, FD_CLOEXEC);
    if (pthread_mutex_init(&r->mutex, NULL) != 0) {
        goto fail_pipe;
    }
    if (!start_thread(r)) {
        goto fail_mutex;
    }
    return r;

fail_mutex:
    pthread_mutex_destroy(&r->mutex);
fail_pipe:
    close(fds[0]);
    close(fds[1]);
fail_strings:
    free(r->host);
    free(r->port);
    free(r);
    return NULL;
}

int roam_resolve_fd(const struct roam_resolve *r)
{
    return r->read_fd;
}

bool roam_resolve_take(struct roam_resolve *r, int *error,
                       struct addrinfo **addresses)
{
    pthread_mutex_lock(&r->mutex);
    bool done = r->done;
    if (done) {
        *error = r->error;
        *addresses = r->addresses;
        r->addresses = NULL;
    }
    pthread_mutex_unlock(&r->mutex);
    return done;
}

void roam_resolve_free(struct roam_resolve *r)
{
    if (r) {
        close(r->read_fd);
        leave(r);
    }
}
