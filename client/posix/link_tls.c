/* SPDX-License-Identifier: Apache-2.0 */
/* TLS on mbedtls, 2.28 and 3.6.
 *
 * A host that is an address is not matched by mbedtls 2.28, and must not go
 * into SNI, so its match with the certificate's iPAddress names is made
 * here, in the verify callback, for both versions alike. */
#include "link_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SYSTEM_CA_FILE "/etc/ssl/certs/ca-certificates.crt"
/* Tag of an iPAddress in a SubjectAltName: context-specific, number 7. */
#define SAN_IP_TAG (MBEDTLS_ASN1_CONTEXT_SPECIFIC | 7)
#define ADDRESS_BYTES_MAX 16u

struct roam_link_tls {
    const char *host;
    uint8_t address[ADDRESS_BYTES_MAX]; /* of a host that is an address */
    size_t address_bytes;               /* 4 or 16; 0: host is a name */
    mbedtls_x509_crt ca;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    mbedtls_ssl_session session; /* of the last handshake */
    bool have_session;
    bool started;
    int fd;
};

static const char *const alpn[] = {"roam/1", NULL};

/* [TLS-2], from the client's side. The numbers of TLS 1.3 are what 3.6
 * negotiates; 2.28 skips them. */
static const int suites[] = {
    0x1301,
    0x1302,
    0x1303, /* TLS 1.3: AES-128-GCM, AES-256-GCM, CHACHA20 */
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    0};

static void explain(char *detail, const char *what, int error)
{
    char text[128];
    mbedtls_strerror(error, text, sizeof text);
    snprintf(detail, ROAM_POSIX_DETAIL_MAX, "%.100s: %s", what, text);
}

/* ------------------------------------------------------------ socket glue */

static int send_bytes(void *self, const unsigned char *data, size_t len)
{
    const struct roam_link_tls *tls = self;
    ssize_t n = send(tls->fd, data, len, MSG_NOSIGNAL);
    if (n >= 0) {
        return (int)n;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR
               ? MBEDTLS_ERR_SSL_WANT_WRITE
               : MBEDTLS_ERR_SSL_CONN_EOF;
}

static int receive_bytes(void *self, unsigned char *out, size_t cap)
{
    const struct roam_link_tls *tls = self;
    ssize_t n = recv(tls->fd, out, cap, 0);
    if (n >= 0) {
        return (int)n;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR
               ? MBEDTLS_ERR_SSL_WANT_READ
               : MBEDTLS_ERR_SSL_CONN_EOF;
}

/* ----------------------------------------------------------- verification */

static bool names_address(const mbedtls_x509_crt *crt,
                          const struct roam_link_tls *tls)
{
    const mbedtls_x509_sequence *name = &crt->subject_alt_names;
    for (; name; name = name->next) {
        if ((name->buf.tag & 0xff) == SAN_IP_TAG &&
            name->buf.len == tls->address_bytes &&
            memcmp(name->buf.p, tls->address, tls->address_bytes) == 0) {
            return true;
        }
    }
    return false;
}

/* Called for each certificate of the chain, the server's own at depth 0. */
static int verify(void *self, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    const struct roam_link_tls *tls = self;
    if (depth == 0 && tls->address_bytes && !names_address(crt, tls)) {
        *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    }
    return 0;
}

static void explain_distrust(const struct roam_link_tls *tls, char *detail)
{
    char why[ROAM_POSIX_DETAIL_MAX];
    uint32_t flags = mbedtls_ssl_get_verify_result(&tls->ssl);
    int n = mbedtls_x509_crt_verify_info(why, sizeof why, "", flags);
    if (n <= 0) {
        snprintf(why, sizeof why, "no certificate came");
    }
    char *end = strchr(why, '\n'); /* the first reason is enough */
    if (end) {
        *end = '\0';
    }
    snprintf(detail, ROAM_POSIX_DETAIL_MAX, "%.80s: %.160s", tls->host, why);
}

/* ------------------------------------------------------------------ setup */

static enum roam_posix_status read_ca(struct roam_link_tls *tls,
                                      const char *ca_file, const char *ca_pem,
                                      char *detail)
{
    const char *path = ca_pem    ? "CA certificates"
                       : ca_file ? ca_file
                                 : SYSTEM_CA_FILE;
    int rc =
        ca_pem ? mbedtls_x509_crt_parse(&tls->ca, (const unsigned char *)ca_pem,
                                        strlen(ca_pem) + 1)
               : mbedtls_x509_crt_parse_file(&tls->ca, path);
    /* A bundle may hold certificates that this library cannot read; what is
     * the caller's own must be read whole. */
    if (rc < 0 || (rc > 0 && (ca_file || ca_pem)) || tls->ca.version == 0) {
        if (rc < 0) {
            explain(detail, path, rc);
        } else {
            snprintf(detail, ROAM_POSIX_DETAIL_MAX,
                     "%.100s: %d certificates cannot be read", path, rc);
        }
        return ROAM_POSIX_STATUS_CA_FILE;
    }
    return ROAM_POSIX_STATUS_OK;
}

static enum roam_posix_status configure(struct roam_link_tls *tls, char *detail)
{
    static const char purpose[] = "roam client";
    int rc = mbedtls_ctr_drbg_seed(
        &tls->random, mbedtls_entropy_func, &tls->entropy,
        (const unsigned char *)purpose, sizeof purpose - 1);
    if (rc != 0) {
        explain(detail, "random numbers", rc);
        return ROAM_POSIX_STATUS_RANDOM;
    }
    mbedtls_ssl_config *c = &tls->config;
    rc = mbedtls_ssl_config_defaults(c, MBEDTLS_SSL_IS_CLIENT,
                                     MBEDTLS_SSL_TRANSPORT_STREAM,
                                     MBEDTLS_SSL_PRESET_DEFAULT);
    if (rc == 0) {
        rc = mbedtls_ssl_conf_alpn_protocols(c, (const char **)(void *)alpn);
    }
    if (rc != 0) {
        explain(detail, "TLS", rc);
        return ROAM_POSIX_STATUS_MEMORY;
    }
#if MBEDTLS_VERSION_NUMBER >= 0x03020000
    mbedtls_ssl_conf_min_tls_version(c, MBEDTLS_SSL_VERSION_TLS1_2);
#else
    mbedtls_ssl_conf_min_version(c, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_3);
#endif
    mbedtls_ssl_conf_authmode(c, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(c, &tls->ca, NULL);
    mbedtls_ssl_conf_verify(c, verify, tls);
    mbedtls_ssl_conf_ciphersuites(c, suites);
    mbedtls_ssl_conf_rng(c, mbedtls_ctr_drbg_random, &tls->random);
    return ROAM_POSIX_STATUS_OK;
}

/* Notes the bytes of a host that is an IPv4 or IPv6 address. */
static void note_address(struct roam_link_tls *tls)
{
    if (inet_pton(AF_INET, tls->host, tls->address) == 1) {
        tls->address_bytes = 4;
    } else if (inet_pton(AF_INET6, tls->host, tls->address) == 1) {
        tls->address_bytes = 16;
    }
}

enum roam_posix_status roam_link_tls_new(const char *ca_file,
                                         const char *ca_pem, const char *host,
                                         struct roam_link_tls **out,
                                         char *detail)
{
    *out = NULL;
    if (!host || !*host) {
        snprintf(detail, ROAM_POSIX_DETAIL_MAX, "no host name to verify");
        return ROAM_POSIX_STATUS_BAD_ARGUMENT;
    }
    struct roam_link_tls *tls = calloc(1, sizeof *tls);
    if (!tls) {
        snprintf(detail, ROAM_POSIX_DETAIL_MAX, "TLS");
        return ROAM_POSIX_STATUS_MEMORY;
    }
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    psa_crypto_init(); /* TLS 1.3 needs it; a failure shows at handshake */
#endif
    tls->host = host;
    note_address(tls);
    mbedtls_x509_crt_init(&tls->ca);
    mbedtls_entropy_init(&tls->entropy);
    mbedtls_ctr_drbg_init(&tls->random);
    mbedtls_ssl_config_init(&tls->config);
    mbedtls_ssl_session_init(&tls->session);
    enum roam_posix_status status = read_ca(tls, ca_file, ca_pem, detail);
    if (status == ROAM_POSIX_STATUS_OK) {
        status = configure(tls, detail);
    }
    if (status != ROAM_POSIX_STATUS_OK) {
        roam_link_tls_free(tls);
        return status;
    }
    *out = tls;
    return ROAM_POSIX_STATUS_OK;
}

void roam_link_tls_free(struct roam_link_tls *tls)
{
    if (!tls) {
        return;
    }
    roam_link_tls_stop(tls);
    mbedtls_ssl_session_free(&tls->session);
    mbedtls_ssl_config_free(&tls->config);
    mbedtls_ctr_drbg_free(&tls->random);
    mbedtls_entropy_free(&tls->entropy);
    mbedtls_x509_crt_free(&tls->ca);
    free(tls);
}

/* ------------------------------------------------------------- connection */

enum roam_posix_status roam_link_tls_start(struct roam_link_tls *tls, int fd)
{
    roam_link_tls_stop(tls);
    mbedtls_ssl_init(&tls->ssl);
    tls->started = true;
    tls->fd = fd;
    int rc = mbedtls_ssl_setup(&tls->ssl, &tls->config);
    if (rc == 0) {
        /* An address is verified by `verify`; NULL says so to 3.6. */
        rc = mbedtls_ssl_set_hostname(&tls->ssl,
                                      tls->address_bytes ? NULL : tls->host);
    }
    if (rc != 0) {
        return ROAM_POSIX_STATUS_MEMORY;
    }
    if (tls->have_session) {
        /* Only a shorter handshake is lost if it cannot be used. */
        (void)mbedtls_ssl_set_session(&tls->ssl, &tls->session);
    }
    mbedtls_ssl_set_bio(&tls->ssl, tls, send_bytes, receive_bytes, NULL);
    return ROAM_POSIX_STATUS_OK;
}

void roam_link_tls_stop(struct roam_link_tls *tls)
{
    if (tls->started) {
        (void)mbedtls_ssl_close_notify(&tls->ssl);
        mbedtls_ssl_free(&tls->ssl);
        tls->started = false;
    }
}

static void keep_session(struct roam_link_tls *tls)
{
    mbedtls_ssl_session_free(&tls->session);
    mbedtls_ssl_session_init(&tls->session);
    tls->have_session = mbedtls_ssl_get_session(&tls->ssl, &tls->session) == 0;
}

static void forget_session(struct roam_link_tls *tls)
{
    mbedtls_ssl_session_free(&tls->session);
    mbedtls_ssl_session_init(&tls->session);
    tls->have_session = false;
}

enum roam_link_io roam_link_tls_handshake(struct roam_link_tls *tls,
                                          enum roam_posix_status *status,
                                          char *detail)
{
    int rc = mbedtls_ssl_handshake(&tls->ssl);
    if (rc == MBEDTLS_ERR_SSL_WANT_READ) {
        return ROAM_LINK_WANT_READ;
    }
    if (rc == MBEDTLS_ERR_SSL_WANT_WRITE) {
        return ROAM_LINK_WANT_WRITE;
    }
    if (rc == 0 && mbedtls_ssl_get_verify_result(&tls->ssl) == 0 &&
        mbedtls_ssl_get_alpn_protocol(&tls->ssl)) {
        keep_session(tls);
        return ROAM_LINK_DONE;
    }
    forget_session(tls);
    if (rc == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED ||
        (rc == 0 && mbedtls_ssl_get_verify_result(&tls->ssl) != 0)) {
        *status = ROAM_POSIX_STATUS_UNTRUSTED;
        explain_distrust(tls, detail);
    } else if (rc == 0) {
        *status = ROAM_POSIX_STATUS_ALPN;
        snprintf(detail, ROAM_POSIX_DETAIL_MAX, "%.80s", tls->host);
    } else {
        *status = rc == MBEDTLS_ERR_SSL_CONN_EOF ? ROAM_POSIX_STATUS_LOST
                                                 : ROAM_POSIX_STATUS_TLS;
        explain(detail, tls->host, rc);
    }
    return ROAM_LINK_FAILED;
}

ptrdiff_t roam_link_tls_read(struct roam_link_tls *tls, void *out, size_t cap)
{
    for (;;) {
        int rc = mbedtls_ssl_read(&tls->ssl, out, cap);
        if (rc > 0) {
            return rc;
        }
        switch (rc) {
        case MBEDTLS_ERR_SSL_WANT_READ:
            return ROAM_LINK_WANT_READ;
        case MBEDTLS_ERR_SSL_WANT_WRITE:
            return ROAM_LINK_WANT_WRITE;
#ifdef MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET
        case MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET:
            keep_session(tls);
            continue;
#endif
        case 0:
        case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
            return ROAM_LINK_DONE;
        default:
            return ROAM_LINK_FAILED;
        }
    }
}

ptrdiff_t roam_link_tls_write(struct roam_link_tls *tls, const void *data,
                              size_t len)
{
    int rc = mbedtls_ssl_write(&tls->ssl, data, len);
    if (rc > 0) {
        return rc;
    }
    if (rc == MBEDTLS_ERR_SSL_WANT_WRITE) {
        return ROAM_LINK_WANT_WRITE;
    }
    return rc == MBEDTLS_ERR_SSL_WANT_READ ? ROAM_LINK_WANT_READ
                                           : ROAM_LINK_FAILED;
}
