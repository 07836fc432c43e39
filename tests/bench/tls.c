/* SPDX-License-Identifier: Apache-2.0 */
/* TLS for the load generator, and mbedtls by itself for comparison: the
 * handshakes of the server's configuration without a server around them.
 *
 * The generator does not verify the certificate: it is the server's cost that
 * is measured, on a loopback that the run made itself. */
#include "tls.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

#include "bench.h"

#define PIPE_BYTES 32768u

struct bench_tls {
    mbedtls_ssl_context ssl;
    int fd;
    size_t begun; /* bytes of a write that has to be called again */
};

struct bench_ticket {
    mbedtls_ssl_session session;
};

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context drbg;
static mbedtls_ssl_config client_config;
static bool ready;

static void must(int result, const char *what)
{
    if (result != 0) {
        bench_die("%s: mbedtls error -0x%04x", what, (unsigned)-result);
    }
}

static void configure(mbedtls_ssl_config *config, int endpoint)
{
    static const char *protocols[] = {"roam/1", NULL};

    mbedtls_ssl_config_init(config);
    must(mbedtls_ssl_config_defaults(config, endpoint,
                                     MBEDTLS_SSL_TRANSPORT_STREAM,
                                     MBEDTLS_SSL_PRESET_DEFAULT),
         "configuration");
    mbedtls_ssl_conf_rng(config, mbedtls_ctr_drbg_random, &drbg);
    mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_NONE);
    must(mbedtls_ssl_conf_alpn_protocols(config, protocols), "ALPN");
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
#else
    mbedtls_ssl_conf_min_version(config, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3);
#endif
}

static void prepare(void)
{
    if (ready) {
        return;
    }
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    must((int)psa_crypto_init(), "PSA");
#endif
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&drbg);
    must(mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0),
         "random numbers");
    configure(&client_config, MBEDTLS_SSL_IS_CLIENT);
    ready = true;
}

static int socket_send(void *context, const unsigned char *data, size_t len)
{
    const struct bench_tls *t = context;
    ssize_t n = send(t->fd, data, len, MSG_NOSIGNAL);

    if (n >= 0) {
        return (int)n;
    }
    return errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE : -1;
}

static int socket_receive(void *context, unsigned char *data, size_t len)
{
    const struct bench_tls *t = context;
    ssize_t n = recv(t->fd, data, len, 0);

    if (n >= 0) {
        return (int)n;
    }
    return errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ : -1;
}

struct bench_tls *bench_tls_open(int fd, const struct bench_ticket *ticket)
{
    struct bench_tls *t = calloc(1, sizeof(*t));

    prepare();
    if (t == NULL) {
        bench_die("no memory");
    }
    t->fd = fd;
    mbedtls_ssl_init(&t->ssl);
    must(mbedtls_ssl_setup(&t->ssl, &client_config), "setup");
    mbedtls_ssl_set_bio(&t->ssl, t, socket_send, socket_receive, NULL);
    if (ticket != NULL) {
        must(mbedtls_ssl_set_session(&t->ssl, &ticket->session), "ticket");
    }
    return t;
}

void bench_tls_close(struct bench_tls *t)
{
    mbedtls_ssl_free(&t->ssl);
    free(t);
}

/* 0 at the end, -1 with EAGAIN when there is nothing to be done now. */
static ssize_t outcome(int result)
{
    if (result == MBEDTLS_ERR_SSL_WANT_READ ||
        result == MBEDTLS_ERR_SSL_WANT_WRITE) {
        errno = EAGAIN;
        return -1;
    }
    if (result < 0) {
        bench_die("TLS: mbedtls error -0x%04x", (unsigned)-result);
    }
    return result;
}

ssize_t bench_tls_read(struct bench_tls *t, uint8_t *data, size_t len)
{
    return outcome(mbedtls_ssl_read(&t->ssl, data, len));
}

ssize_t bench_tls_write(struct bench_tls *t, const uint8_t *data, size_t len)
{
    size_t some = t->begun != 0 ? t->begun : len;
    ssize_t n = outcome(mbedtls_ssl_write(&t->ssl, data, some));

    t->begun = n < 0 ? some : 0;
    return n;
}

struct bench_ticket *bench_tls_ticket(const struct bench_tls *t)
{
    struct bench_ticket *ticket = calloc(1, sizeof(*ticket));

    if (ticket == NULL) {
        bench_die("no memory");
    }
    mbedtls_ssl_session_init(&ticket->session);
    must(mbedtls_ssl_get_session(&t->ssl, &ticket->session), "ticket");
    return ticket;
}

void bench_ticket_free(struct bench_ticket *ticket)
{
    mbedtls_ssl_session_free(&ticket->session);
    free(ticket);
}

/* ------------------------------------------------------- mbedtls by itself */

struct pipe {
    uint8_t data[PIPE_BYTES];
    size_t len;
};

/* Both ends of a connection in memory. */
struct ends {
    struct pipe *in, *out;
};

static int pipe_send(void *context, const unsigned char *data, size_t len)
{
    struct pipe *out = ((struct ends *)context)->out;

    if (len > sizeof(out->data) - out->len) {
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    memcpy(out->data + out->len, data, len);
    out->len += len;
    return (int)len;
}

static int pipe_receive(void *context, unsigned char *data, size_t len)
{
    struct pipe *in = ((struct ends *)context)->in;
    size_t n = len < in->len ? len : in->len;

    if (n == 0) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    memcpy(data, in->data, n);
    in->len -= n;
    memmove(in->data, in->data + n, in->len);
    return (int)n;
}

static double cpu_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* One handshake; the CPU seconds of the server's half. */
static double handshake(const mbedtls_ssl_config *server_config)
{
    static struct pipe there, back;
    struct ends ends[2] = {{&back, &there}, {&there, &back}};
    mbedtls_ssl_context client, server;
    double spent = 0;
    int a = 1, b = 1;

    there.len = back.len = 0;
    mbedtls_ssl_init(&client);
    mbedtls_ssl_init(&server);
    must(mbedtls_ssl_setup(&client, &client_config), "setup");
    mbedtls_ssl_set_bio(&client, &ends[0], pipe_send, pipe_receive, NULL);
    double start = cpu_now();
    must(mbedtls_ssl_setup(&server, server_config), "setup");
    spent += cpu_now() - start;
    mbedtls_ssl_set_bio(&server, &ends[1], pipe_send, pipe_receive, NULL);
    while (a != 0 || b != 0) {
        a = a == 0 ? 0 : mbedtls_ssl_handshake(&client);
        start = cpu_now();
        b = b == 0 ? 0 : mbedtls_ssl_handshake(&server);
        spent += cpu_now() - start;
        if ((a != 0 && a != MBEDTLS_ERR_SSL_WANT_READ) ||
            (b != 0 && b != MBEDTLS_ERR_SSL_WANT_READ)) {
            bench_die("handshake: mbedtls error -0x%04x",
                      (unsigned)(a != 0 ? -a : -b));
        }
    }
    start = cpu_now();
    mbedtls_ssl_free(&server);
    spent += cpu_now() - start;
    mbedtls_ssl_free(&client);
    return spent;
}

static int read_key(mbedtls_pk_context *key, const char *path)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    return mbedtls_pk_parse_keyfile(key, path, NULL, mbedtls_ctr_drbg_random,
                                    &drbg);
#else
    return mbedtls_pk_parse_keyfile(key, path, NULL);
#endif
}

double bench_tls_bare(const char *cert, const char *key, int count)
{
    mbedtls_ssl_config config;
    mbedtls_x509_crt chain;
    mbedtls_pk_context secret;
    double spent = 0;

    prepare();
    configure(&config, MBEDTLS_SSL_IS_SERVER);
    mbedtls_x509_crt_init(&chain);
    mbedtls_pk_init(&secret);
    must(mbedtls_x509_crt_parse_file(&chain, cert), cert);
    must(read_key(&secret, key), key);
    must(mbedtls_ssl_conf_own_cert(&config, &chain, &secret), "certificate");
    /* The server is measured while the generator keeps the other processor
     * busy, so this is, too. */
    pid_t other = fork();
    if (other == 0) {
        for (;;) {
            handshake(&config);
        }
    }
    for (int i = 0; i < count; i++) {
        spent += handshake(&config);
    }
    if (other > 0) {
        kill(other, SIGKILL);
        waitpid(other, NULL, 0);
    }
    mbedtls_ssl_config_free(&config);
    mbedtls_x509_crt_free(&chain);
    mbedtls_pk_free(&secret);
    return spent / count;
}
