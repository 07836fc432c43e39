/* SPDX-License-Identifier: Apache-2.0 */
/* TLS for one connection at a time; the only file of the client that knows
 * mbedtls stands behind this header.
 *
 * TLS 1.2 or later, ALPN roam/1, AEAD with ephemeral elliptic-curve keys
 * only. The certificate and the host's name are always verified; there is no
 * way to turn this off. [TLS-3] */
#ifndef ROAM_LINK_TLS_H
#define ROAM_LINK_TLS_H

#include <stddef.h>

#include "roam_posix_status.h"

/* What a step over the socket ends with when it is not a count of bytes. */
enum roam_link_io {
    ROAM_LINK_DONE = 0,
    ROAM_LINK_WANT_READ = -1,
    ROAM_LINK_WANT_WRITE = -2,
    ROAM_LINK_FAILED = -3 /* see status and detail of the link */
};

struct roam_link_tls;

/* Reads the CA certificates and sets up all that connections share.
 *
 * ca_file  borrowed, PEM; NULL: the system's certificates.
 * ca_pem   borrowed; the text of such a file, in place of one; or NULL.
 * host     kept; the name or address that the certificate must be for.
 * detail   ROAM_POSIX_DETAIL_MAX bytes; the cause of a failure.
 *
 * CA_FILE, RANDOM, MEMORY, BAD_ARGUMENT (host is NULL or empty). */
enum roam_posix_status roam_link_tls_new(const char *ca_file,
                                         const char *ca_pem, const char *host,
                                         struct roam_link_tls **tls,
                                         char *detail);
/* NULL is allowed. */
void roam_link_tls_free(struct roam_link_tls *tls);

/* Prepares a connection on fd, which stays the caller's. A session of an
 * earlier connection is offered again. MEMORY, TLS. */
enum roam_posix_status roam_link_tls_start(struct roam_link_tls *tls, int fd);
/* Says good-bye, if fd takes it at once, and forgets the connection. */
void roam_link_tls_stop(struct roam_link_tls *tls);

/* DONE, WANT_READ, WANT_WRITE; FAILED: *status says UNTRUSTED, ALPN, TLS or
 * LOST, and detail (ROAM_POSIX_DETAIL_MAX bytes) more. */
enum roam_link_io roam_link_tls_handshake(struct roam_link_tls *tls,
                                          enum roam_posix_status *status,
                                          char *detail);

/* Bytes read (above 0) or an enum roam_link_io; DONE: the peer closed. */
ptrdiff_t roam_link_tls_read(struct roam_link_tls *tls, void *out, size_t cap);

/* Bytes taken (above 0) or an enum roam_link_io. After WANT_*: the same
 * bytes and length must be given again. */
ptrdiff_t roam_link_tls_write(struct roam_link_tls *tls, const void *data,
                              size_t len);

#endif
