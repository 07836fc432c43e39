/* SPDX-License-Identifier: Apache-2.0 */
/* See tls.h. Works with mbedtls 2.28 and 3.6.
 *
 * TLS 1.3, which 3.6 could do, stays off: so both branches of the library
 * speak the same protocol, and what the tests prove with one holds with the
 * other. */
#include "tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

#include "../core/alloc.h"
#include "../core/fault.h"

/* Plaintext in a record: little enough that a small client gets the first
 * bytes soon, much enough that 29 bytes of overhead do not count. A client
 * that negotiates max_fragment_length (RFC 6066) gets shorter ones. */
#define RECORD_MAX ((size_t)4096)
/* Above ROAM_TLS_WAITING_MAX comes only what the library answers by itself;
 * a peer that provokes so much of it is up to no good. */
#define ANSWERS_MAX ((size_t)65536)
#define READ_MAX ((size_t)16384)
#define TICKET_LIFETIME_S 86400
#define ERROR_MAX 128

static const int suites[] = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CCM,
    0};

static const char *alpn[] = {"roam/1", NULL};

struct roam_tls_server {
    unsigned users; /* its owner, and connections */
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt cert;
    mbedtls_pk_context key;
    mbedtls_ssl_ticket_context tickets;
    mbedtls_ssl_config config;
    bool ticket_was_good; /* the last one that was shown */
};

struct roam_tls {
    mbedtls_ssl_context ssl;
    struct roam_tls_server *server;
    struct roam_slice in; /* borrowed, during roam_tls_receive() */
    uint8_t *out;         /* NULL while nothing waits */
    size_t out_len;
    size_t out_at; /* sent of these */
    size_t out_cap;
    bool ready;
    bool resumed;
    bool failed;
    char error[ERROR_MAX];
};

/* --------------------------------------------------------- what is shared */

static bool explain(char *error, size_t cap, const char *what, int rc)
{
    char text[100];

    mbedtls_strerror(rc, text, sizeof(text));
    snprintf(error, cap, "%s: %s", what, text);
    return false;
}

static bool load_key(struct roam_tls_server *s, const char *path, char *error,
                     size_t cap)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    int rc = mbedtls_pk_parse_keyfile(&s->key, path, NULL,
                                      mbedtls_ctr_drbg_random, &s->random);
    int pair = rc != 0
                   ? 0
                   : mbedtls_pk_check_pair(&s->cert.pk, &s->key,
                                           mbedtls_ctr_drbg_random, &s->random);
#else
    int rc = mbedtls_pk_parse_keyfile(&s->key, path, NULL);
    int pair = rc != 0 ? 0 : mbedtls_pk_check_pair(&s->cert.pk, &s->key);
#endif
    if (rc != 0) {
        return explain(error, cap, path, rc);
    }
    if (pair != 0) {
        snprintf(error, cap, "%s: not the key of the certificate", path);
        return false;
    }
    return true;
}

static bool load(struct roam_tls_server *s, const char *cert_path,
                 const char *key_path, char *error, size_t cap)
{
    int rc = mbedtls_ctr_drbg_seed(&s->random, mbedtls_entropy_func,
                                   &s->entropy, NULL, 0);
    if (rc != 0) {
        return explain(error, cap, "cannot seed the random generator", rc);
    }
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    if (psa_crypto_init() != PSA_SUCCESS) {
        snprintf(error, cap, "cannot start the crypto library");
        return false;
    }
#endif
    rc = mbedtls_x509_crt_parse_file(&s->cert, cert_path);
    if (rc < 0) {
        return explain(error, cap, cert_path, rc);
    }
    if (rc > 0) { /* half a chain would surprise the clients, not us */
        snprintf(error, cap, "%s: %d of its certificates cannot be read",
                 cert_path, rc);
        return false;
    }
    return load_key(s, key_path, error, cap);
}

/* [TLS-1], [TLS-2] */
static void restrict_protocol(mbedtls_ssl_config *c)
{
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    mbedtls_ssl_conf_min_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_2);
#else
    mbedtls_ssl_conf_min_version(c, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_max_version(c, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3);
#endif
    if (!ROAM_FAULT("tls-any-suite")) {
        mbedtls_ssl_conf_ciphersuites(c, suites);
    }
#if defined(MBEDTLS_SSL_RENEGOTIATION)
    mbedtls_ssl_conf_renegotiation(c, ROAM_FAULT("tls-renegotiates")
                                          ? MBEDTLS_SSL_RENEGOTIATION_ENABLED
                                          : MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
}

/* Called in the middle of a handshake that shows a ticket. */
static int parse_ticket(void *ctx, mbedtls_ssl_session *session,
                        unsigned char *ticket, size_t len)
{
    struct roam_tls_server *s = ctx;
    int rc = mbedtls_ssl_ticket_parse(&s->tickets, session, ticket, len);

    s->ticket_was_good = rc == 0;
    return rc;
}

static int write_ticket(void *ctx, const mbedtls_ssl_session *session,
                        unsigned char *start, const unsigned char *end,
                        size_t *len, uint32_t *lifetime_s)
{
    struct roam_tls_server *s = ctx;

    return mbedtls_ssl_ticket_write(&s->tickets, session, start, end, len,
                                    lifetime_s);
}

static bool configure(struct roam_tls_server *s, char *error, size_t cap)
{
    mbedtls_ssl_config *c = &s->config;
    int rc = mbedtls_ssl_config_defaults(c, MBEDTLS_SSL_IS_SERVER,
                                         MBEDTLS_SSL_TRANSPORT_STREAM,
                                         MBEDTLS_SSL_PRESET_DEFAULT);
    if (rc == 0) {
        restrict_protocol(c);
        mbedtls_ssl_conf_rng(c, mbedtls_ctr_drbg_random, &s->random);
        rc = mbedtls_ssl_conf_own_cert(c, &s->cert, &s->key);
    }
    if (rc == 0 && !ROAM_FAULT("tls-any-alpn")) {
        rc = mbedtls_ssl_conf_alpn_protocols(c, alpn);
    }
    if (rc == 0) {
        rc = mbedtls_ssl_ticket_setup(&s->tickets, mbedtls_ctr_drbg_random,
                                      &s->random, MBEDTLS_CIPHER_AES_256_GCM,
                                      TICKET_LIFETIME_S);
    }
    if (rc != 0) {
        return explain(error, cap, "cannot set up TLS", rc);
    }
    mbedtls_ssl_conf_session_tickets_cb(c, write_ticket, parse_ticket, s);
    return true;
}

struct roam_tls_server *roam_tls_server_new(const char *cert_path,
                                            const char *key_path, char *error,
                                            size_t cap)
{
    struct roam_tls_server *s = roam__alloc(sizeof(*s));

    if (s == NULL) {
        snprintf(error, cap, "out of memory");
        return NULL;
    }
    s->users = 1;
    mbedtls_entropy_init(&s->entropy);
    mbedtls_ctr_drbg_init(&s->random);
    mbedtls_x509_crt_init(&s->cert);
    mbedtls_pk_init(&s->key);
    mbedtls_ssl_ticket_init(&s->tickets);
    mbedtls_ssl_config_init(&s->config);
    if (!load(s, cert_path, key_path, error, cap) ||
        !configure(s, error, cap)) {
        roam_tls_server_free(s);
        return NULL;
    }
    return s;
}

void roam_tls_server_free(struct roam_tls_server *s)
{
    if (s == NULL || --s->users > 0) {
        return;
    }
    mbedtls_ssl_config_free(&s->config);
    mbedtls_ssl_ticket_free(&s->tickets);
    mbedtls_pk_free(&s->key);
    mbedtls_x509_crt_free(&s->cert);
    mbedtls_ctr_drbg_free(&s->random);
    mbedtls_entropy_free(&s->entropy);
    free(s);
}

/* --------------------------------------------------- the library's own I/O */

static int give_input(void *ctx, unsigned char *buf, size_t len)
{
    struct roam_tls *t = ctx;
    size_t n = t->in.len < len ? t->in.len : len;

    if (n == 0) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    memcpy(buf, t->in.data, n);
    t->in.data += n;
    t->in.len -= n;
    return (int)n;
}

static bool make_room(struct roam_tls *t, size_t len)
{
    size_t cap = t->out_cap == 0 ? 1024 : t->out_cap;

    if (t->out_at > 0) {
        memmove(t->out, t->out + t->out_at, t->out_len - t->out_at);
        t->out_len -= t->out_at;
        t->out_at = 0;
    }
    while (cap - t->out_len < len) {
        cap *= 2;
    }
    if (cap == t->out_cap) {
        return true;
    }
    uint8_t *bigger = roam__resize(t->out, cap);
    if (bigger == NULL) {
        return false;
    }
    t->out = bigger;
    t->out_cap = cap;
    return true;
}

static int take_output(void *ctx, const unsigned char *buf, size_t len)
{
    struct roam_tls *t = ctx;

    if (t->out_len - t->out_at + len > ANSWERS_MAX) {
        return MBEDTLS_ERR_SSL_WANT_WRITE;
    }
    if (!make_room(t, len)) {
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
    memcpy(t->out + t->out_len, buf, len);
    t->out_len += len;
    return (int)len;
}

/* -------------------------------------------------------- one connection */

struct roam_tls *roam_tls_new(struct roam_tls_server *server)
{
    struct roam_tls *t = roam__alloc(sizeof(*t));

    if (t == NULL) {
        return NULL;
    }
    t->server = server;
    server->users++;
    mbedtls_ssl_init(&t->ssl);
    if (mbedtls_ssl_setup(&t->ssl, &server->config) != 0) {
        roam_tls_free(t);
        return NULL;
    }
    mbedtls_ssl_set_bio(&t->ssl, t, take_output, give_input, NULL);
    return t;
}

void roam_tls_free(struct roam_tls *t)
{
    if (t != NULL) {
        mbedtls_ssl_free(&t->ssl);
        roam_tls_server_free(t->server);
        free(t->out);
        free(t);
    }
}

static enum roam_tls_status fail(struct roam_tls *t, int rc)
{
    t->failed = true;
    mbedtls_strerror(rc, t->error, sizeof(t->error));
    return ROAM_TLS_FAILED;
}

static enum roam_tls_status read_all(struct roam_tls *t, roam_tls_data_fn fn,
                                     void *ctx)
{
    uint8_t plain[READ_MAX];
    int n;

    while ((n = mbedtls_ssl_read(&t->ssl, plain, sizeof(plain))) > 0) {
        fn(ctx, plain, (size_t)n);
    }
    if (n == MBEDTLS_ERR_SSL_WANT_READ) {
        return ROAM_TLS_OK;
    }
    if (n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || n == 0) {
        return ROAM_TLS_CLOSED;
    }
    return fail(t, n);
}

enum roam_tls_status roam_tls_receive(struct roam_tls *t, const uint8_t *data,
                                      size_t len, roam_tls_data_fn fn,
                                      void *ctx)
{
    if (t->failed) {
        return ROAM_TLS_FAILED;
    }
    t->in = (struct roam_slice){data, len};
    if (!t->ready) {
        t->server->ticket_was_good = false;
        int rc = mbedtls_ssl_handshake(&t->ssl);
        t->resumed = t->resumed || t->server->ticket_was_good;
        if (rc == MBEDTLS_ERR_SSL_WANT_READ) {
            return ROAM_TLS_OK;
        }
        if (rc != 0) {
            return fail(t, rc);
        }
        t->ready = true;
    }
    return read_all(t, fn, ctx);
}

bool roam_tls_is_ready(const struct roam_tls *t)
{
    return t->ready;
}

bool roam_tls_is_resumed(const struct roam_tls *t)
{
    return t->resumed;
}

const char *roam_tls_error(const struct roam_tls *t)
{
    return t->error;
}

size_t roam_tls_write(struct roam_tls *t, const uint8_t *data, size_t len)
{
    if (!t->ready || t->failed ||
        t->out_len - t->out_at >= ROAM_TLS_WAITING_MAX) {
        return 0;
    }
    int n =
        mbedtls_ssl_write(&t->ssl, data, len < RECORD_MAX ? len : RECORD_MAX);
    if (n < 0) {
        fail(t, n);
        return 0;
    }
    return (size_t)n;
}

void roam_tls_end(struct roam_tls *t)
{
    if (t->ready && !t->failed) {
        mbedtls_ssl_close_notify(&t->ssl);
    }
}

struct roam_slice roam_tls_pending(const struct roam_tls *t)
{
    if (t->out == NULL) {
        return (struct roam_slice){NULL, 0};
    }
    return (struct roam_slice){t->out + t->out_at, t->out_len - t->out_at};
}

void roam_tls_sent(struct roam_tls *t, size_t n)
{
    t->out_at += n;
    if (t->out_at == t->out_len) { /* an idle connection keeps no buffer */
        free(t->out);
        t->out = NULL;
        t->out_at = 0;
        t->out_len = 0;
        t->out_cap = 0;
    }
}
