/* SPDX-License-Identifier: Apache-2.0 */
/* See tls.h. */
#include "tls.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include "tls_parts.h"
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

#include "text.h"

struct tls_ticket {
    mbedtls_ssl_session session;
};

const char *tls_alpn[] = {"roam/1", NULL};

const char *tls_explain(const char *what, int rc)
{
    char text[128];
    mbedtls_strerror(rc, text, sizeof text);
    return arena_printf("TLS: %s: %s", what, text);
}

mbedtls_ctr_drbg_context *tls_randomness(const char **reason)
{
    static mbedtls_entropy_context entropy;
    static mbedtls_ctr_drbg_context random;
    static bool is_there;
    if (is_there) {
        return &random;
    }
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    int rc =
        mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0);
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    if (rc == 0 && psa_crypto_init() != PSA_SUCCESS) {
        rc = MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED;
    }
#endif
    if (rc != 0) {
        *reason = tls_explain("randomness", rc);
        return NULL;
    }
    is_there = true;
    return &random;
}

/* ----------------------------------------------------------- the transport */

static int give(void *ctx, unsigned char *out, size_t cap)
{
    const struct tls *t = ctx;
    ssize_t n = recv(t->fd, out, cap, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    return n < 0 ? MBEDTLS_ERR_SSL_CONN_EOF : (int)n;
}

static int take(void *ctx, const unsigned char *data, size_t len)
{
    const struct tls *t = ctx;
    ssize_t n = send(t->fd, data, len, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    return n < 0 ? MBEDTLS_ERR_SSL_CONN_EOF : (int)n;
}

bool tls_would_block(int rc)
{
    return rc == MBEDTLS_ERR_SSL_WANT_READ || rc == MBEDTLS_ERR_SSL_WANT_WRITE;
}

void tls_attach(struct tls *t)
{
    mbedtls_ssl_set_bio(&t->ssl, t, take, give, NULL);
}

struct tls *tls_new(int fd)
{
    struct tls *t = arena_alloc(sizeof *t);
    t->fd = fd;
    mbedtls_ssl_config_init(&t->config);
    mbedtls_ssl_init(&t->ssl);
    mbedtls_x509_crt_init(&t->trusted);
    return t;
}

void tls_limit_version(mbedtls_ssl_config *c)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    mbedtls_ssl_conf_min_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_2);
#else
    mbedtls_ssl_conf_min_version(c, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3);
#endif
}

/* ----------------------------------------------------------- the handshake */

/* Called for each certificate of a full handshake, and in no other. */
static int on_certificate(void *ctx, mbedtls_x509_crt *crt, int depth,
                          uint32_t *flags)
{
    struct tls *t = ctx;
    (void)crt;
    (void)depth;
    (void)flags;
    t->was_shown = true;
    return 0;
}

static int configure(struct tls *t, mbedtls_ctr_drbg_context *random)
{
    mbedtls_ssl_config *c = &t->config;
    int rc = mbedtls_ssl_config_defaults(c, MBEDTLS_SSL_IS_CLIENT,
                                         MBEDTLS_SSL_TRANSPORT_STREAM,
                                         MBEDTLS_SSL_PRESET_DEFAULT);
    if (rc != 0) {
        return rc;
    }
    tls_limit_version(c);
    mbedtls_ssl_conf_rng(c, mbedtls_ctr_drbg_random, random);
    mbedtls_ssl_conf_ca_chain(c, &t->trusted, NULL);
    mbedtls_ssl_conf_verify(c, on_certificate, t);
#if defined(MBEDTLS_SSL_RENEGOTIATION)
    mbedtls_ssl_conf_renegotiation(c, MBEDTLS_SSL_RENEGOTIATION_ENABLED);
#endif
    return mbedtls_ssl_conf_alpn_protocols(c, tls_alpn);
}

static int prepare(struct tls *t, const char *host,
                   const struct tls_ticket *ticket,
                   mbedtls_ctr_drbg_context *random)
{
    int rc = configure(t, random);
    if (rc == 0) {
        rc = mbedtls_ssl_setup(&t->ssl, &t->config);
    }
    if (rc == 0) {
        rc = mbedtls_ssl_set_hostname(&t->ssl, host);
    }
    if (rc == 0 && ticket) {
        rc = mbedtls_ssl_set_session(&t->ssl, &ticket->session);
    }
    tls_attach(t);
    return rc;
}

/* True: it may have gone on. */
static bool wait_for(const struct tls *t, int rc, uint64_t deadline_ms)
{
    uint64_t now = now_ms();
    struct pollfd p = {.fd = t->fd,
                       .events =
                           rc == MBEDTLS_ERR_SSL_WANT_WRITE ? POLLOUT : POLLIN};
    return now < deadline_ms && poll(&p, 1, (int)(deadline_ms - now)) > 0;
}

static bool shake_hands(struct tls *t, uint64_t deadline_ms,
                        const char **reason)
{
    int rc;
    while (tls_would_block(rc = mbedtls_ssl_handshake(&t->ssl))) {
        if (!wait_for(t, rc, deadline_ms)) {
            *reason = "TLS: the handshake does not come to its end";
            return false;
        }
    }
    *reason = tls_explain("handshake", rc);
    return rc == 0;
}

struct tls *tls_open(int fd, const char *ca, const char *host,
                     const struct tls_ticket *ticket, uint64_t deadline_ms,
                     const char **reason)
{
    mbedtls_ctr_drbg_context *random = tls_randomness(reason);
    if (!random) {
        return NULL;
    }
    struct tls *t = tls_new(fd);
    int rc = mbedtls_x509_crt_parse_file(&t->trusted, ca);
    const char *what = ca;
    if (rc == 0) {
        what = "settings";
        rc = prepare(t, host, ticket, random);
    }
    *reason = tls_explain(what, rc);
    if (rc != 0 || !shake_hands(t, deadline_ms, reason)) {
        tls_close(t, false);
        return NULL;
    }
    return t;
}

const char *tls_wrong(const struct tls *t, const char **rule)
{
    const char *chosen = mbedtls_ssl_get_alpn_protocol(&t->ssl);
    const char *suite = mbedtls_ssl_get_ciphersuite(&t->ssl);
    bool is_secret_later = strstr(suite, "DHE-") != NULL;
    bool is_whole = strstr(suite, "-GCM") || strstr(suite, "-CCM") ||
                    strstr(suite, "CHACHA20-POLY1305");
    if (!chosen || strcmp(chosen, tls_alpn[0]) != 0) {
        *rule = "TLS-1";
        return arena_printf("it chose ALPN %s", chosen ? chosen : "none");
    }
    if (!is_secret_later || !is_whole) {
        *rule = "TLS-2";
        return arena_printf("it chose %s", suite);
    }
    return NULL;
}

bool tls_is_resumed(const struct tls *t)
{
    return !t->was_shown;
}

struct tls_ticket *tls_take_ticket(const struct tls *t)
{
    struct tls_ticket *ticket = arena_alloc(sizeof *ticket);
    mbedtls_ssl_session_init(&ticket->session);
    return mbedtls_ssl_get_session(&t->ssl, &ticket->session) == 0 ? ticket
                                                                   : NULL;
}

bool tls_renegotiate(struct tls *t, uint64_t deadline_ms)
{
#if defined(MBEDTLS_SSL_RENEGOTIATION)
    int rc;
    while (tls_would_block(rc = mbedtls_ssl_renegotiate(&t->ssl)) &&
           wait_for(t, rc, deadline_ms)) {
    }
    return rc == 0;
#else
    (void)t;
    (void)deadline_ms;
    return false;
#endif
}

/* ---------------------------------------------------------------- the data */

/* As the calls of sockets have it. */
static ssize_t as_socket(int n)
{
    if (n >= 0) {
        return n;
    }
    if (n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        return 0;
    }
    errno = tls_would_block(n) ? EAGAIN : ECONNRESET;
    return -1;
}

ssize_t tls_read(struct tls *t, void *out, size_t cap)
{
    return as_socket(mbedtls_ssl_read(&t->ssl, out, cap));
}

ssize_t tls_write(struct tls *t, const void *data, size_t len)
{
    return as_socket(mbedtls_ssl_write(&t->ssl, data, len));
}

void tls_end(struct tls *t)
{
    mbedtls_ssl_close_notify(&t->ssl);
}

void tls_close(struct tls *t, bool politely)
{
    if (politely) {
        tls_end(t);
    }
    mbedtls_ssl_free(&t->ssl);
    mbedtls_ssl_config_free(&t->config);
    mbedtls_x509_crt_free(&t->trusted);
}
