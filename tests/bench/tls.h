/* SPDX-License-Identifier: Apache-2.0 */
/* TLS connections of the load generator. mbedtls is known to tls.c alone. */
#ifndef BENCH_TLS_H
#define BENCH_TLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bench_tls;
struct bench_ticket;

/* fd is borrowed, non-blocking. ticket: of an earlier connection, borrowed;
 * NULL: a full handshake. */
struct bench_tls *bench_tls_open(int fd, const struct bench_ticket *ticket);
void bench_tls_close(struct bench_tls *t);

/* As recv() and send() on a non-blocking socket; the handshake runs inside. */
ssize_t bench_tls_read(struct bench_tls *t, uint8_t *data, size_t len);
ssize_t bench_tls_write(struct bench_tls *t, const uint8_t *data, size_t len);

/* What a later connection needs; to be freed by the caller. */
struct bench_ticket *bench_tls_ticket(const struct bench_tls *t);
void bench_ticket_free(struct bench_ticket *ticket);

/* mbedtls by itself: CPU seconds of the server's half of a full handshake
 * with this certificate, on average of `count`. */
double bench_tls_bare(const char *cert, const char *key, int count);

#endif
