/* SPDX-License-Identifier: Apache-2.0 */
/* What tls.c and tls_server.c share of mbedtls; nobody else includes it. */
#ifndef CONFORM_TLS_PARTS_H
#define CONFORM_TLS_PARTS_H

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#include "tls.h"

struct tls {
    int fd;
    bool was_shown; /* a certificate: it was no resumption */
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    mbedtls_x509_crt trusted; /* of a client */

    struct tls_server *server; /* NULL: the other end is the server */
    bool has_offered;          /* the ticket that the server gave last */
};

/* The protocols of ALPN. */
extern const char *tls_alpn[];

const char *tls_explain(const char *what, int rc);
/* One for the process; NULL with a reason. */
mbedtls_ctr_drbg_context *tls_randomness(const char **reason);
/* An end on that socket, with nothing configured. */
struct tls *tls_new(int fd);
/* The version that both sides of the suite speak. */
void tls_limit_version(mbedtls_ssl_config *c);
/* To be called behind mbedtls_ssl_setup(). */
void tls_attach(struct tls *t);
bool tls_would_block(int rc);

#endif
