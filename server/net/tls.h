/* SPDX-License-Identifier: Apache-2.0 */
/* TLS for the server, without I/O: ciphertext in, plaintext out, and back.
 * tls.c and dev_cert.c are the only server files in net/ that know mbedtls.
 *
 * TLS 1.2 with forward secrecy and AEAD, no renegotiation, ALPN roam/1.
 * [TLS-1], [TLS-2] */
#ifndef ROAM_NET_TLS_H
#define ROAM_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

/* Ciphertext that may wait for a peer that does not read: while there is
 * this much, roam_tls_write() takes nothing. Bytes. */
#define ROAM_TLS_WAITING_MAX 16384u

/* What all connections share: certificate, key, settings, ticket key. */
struct roam_tls_server;

/* Reads PEM files. NULL with one line of reason in error (cap bytes). */
struct roam_tls_server *roam_tls_server_new(const char *cert_path,
                                            const char *key_path, char *error,
                                            size_t cap);
/* Its connections keep what they need of it until they end. NULL is fine. */
void roam_tls_server_free(struct roam_tls_server *server);

/* One connection. */
struct roam_tls;

/* server is kept, past its own end if need be. NULL without memory. */
struct roam_tls *roam_tls_new(struct roam_tls_server *server);
/* NULL is fine. */
void roam_tls_free(struct roam_tls *tls);

enum roam_tls_status {
    ROAM_TLS_OK,
    ROAM_TLS_CLOSED, /* the peer said that nothing more comes */
    ROAM_TLS_FAILED  /* over; an alert may be pending */
};

/* Plaintext from the peer. data borrowed. */
typedef void (*roam_tls_data_fn)(void *ctx, const uint8_t *data, size_t len);

/* Takes ciphertext, all of it, and calls fn for what it says. There may be
 * ciphertext to send afterwards. */
enum roam_tls_status roam_tls_receive(struct roam_tls *tls, const uint8_t *data,
                                      size_t len, roam_tls_data_fn fn,
                                      void *ctx);

/* True once the handshake is over: before, nothing can be written. */
bool roam_tls_is_ready(const struct roam_tls *tls);

/* True when the handshake goes on from a ticket, as far as it has come: it
 * costs a hundredth of a full one. */
bool roam_tls_is_resumed(const struct roam_tls *tls);

/* Why it failed; for the log. */
const char *roam_tls_error(const struct roam_tls *tls);

/* Encrypts a first part of data (borrowed) and returns its length; 0 while
 * ROAM_TLS_WAITING_MAX bytes wait, and on failure. */
size_t roam_tls_write(struct roam_tls *tls, const uint8_t *data, size_t len);

/* Tells the peer that nothing more comes. */
void roam_tls_end(struct roam_tls *tls);

/* Ciphertext to be sent; borrowed until the next call. */
struct roam_slice roam_tls_pending(const struct roam_tls *tls);
/* The transport took the first n bytes of it. */
void roam_tls_sent(struct roam_tls *tls, size_t n);

#endif
