/* SPDX-License-Identifier: Apache-2.0 */
/* TLS for the devices and the servers that the suite plays, over a connected
 * socket that does not block. tls.c and tls_server.c alone know mbedtls, 2.28
 * and 3.6; with either they speak TLS 1.2. A device offers whatever the library
 * has, so that the choice is the server's.
 *
 * tls_hello.c knows no library: it says the first words of a handshake byte by
 * byte, those that no library would say, and reads what the server makes of
 * them. */
#ifndef CONFORM_TLS_H
#define CONFORM_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One connection. */
struct tls;
/* By which a later one goes on without a full handshake. */
struct tls_ticket;

/* Shakes hands until deadline_ms (of now_ms()): verifies that the server is
 * host, by the certificates in the PEM file ca, and offers ALPN roam/1 and the
 * ticket, which may be NULL. NULL with a reason. */
struct tls *tls_open(int fd, const char *ca, const char *host,
                     const struct tls_ticket *ticket, uint64_t deadline_ms,
                     const char **reason);
/* What the server chose against [TLS-1] and [TLS-2], and the rule's id; NULL:
 * nothing. */
const char *tls_wrong(const struct tls *t, const char **rule);
bool tls_is_resumed(const struct tls *t);
/* NULL: the server gave none. */
struct tls_ticket *tls_take_ticket(const struct tls *t);

/* Asks for another handshake on this connection, which is of no use any more
 * afterwards. True: the server took part. */
bool tls_renegotiate(struct tls *t, uint64_t deadline_ms);

/* As recv() and send() on a socket that does not block. What is read is
 * never more than one record's plaintext. */
ssize_t tls_read(struct tls *t, void *out, size_t cap);
ssize_t tls_write(struct tls *t, const void *data, size_t len);
/* Tells the peer that nothing more comes; it can still be read. */
void tls_end(struct tls *t);
/* Frees it; `politely`: tells the server that nothing more comes. */
void tls_close(struct tls *t, bool politely);

/* ------------------------------------------------------------ tls_server.c */

/* A server for `localhost`, with an authority of its own, and what it shows to
 * those who connect: the certificate `good`, or one that nobody may trust. */
struct tls_server;
/* It shows `good`. NULL with a reason. */
/* host: its name, or its IPv4 address; kept. */
struct tls_server *tls_server_new(const char *host, const char **reason);
const char *tls_server_host(const struct tls_server *s);
/* The certificate of its authority, in PEM. */
const char *tls_server_ca(const struct tls_server *s);
/* Is there something of that name to show? See tls_server.c. */
bool tls_server_knows(const char *name);
/* Shows that from the next connection on, and takes no ticket from before. */
bool tls_server_show(struct tls_server *s, const char *name,
                     const char **reason);
const char *tls_server_shows(const struct tls_server *s);
/* May a client that is told the authority trust it? */
bool tls_server_is_good(const struct tls_server *s);

/* The server's end of a connection, before the handshake. NULL with a reason.
 * The server has to outlive it. */
struct tls *tls_accept(struct tls_server *s, int fd, const char **reason);
enum tls_progress {
    TLS_SHAKING, /* more has to come from the client */
    TLS_DONE,
    TLS_LEFT,  /* the client ended it, as *reason says */
    TLS_FAILED /* the client says what this server cannot take */
};
/* Goes on with the handshake, without waiting. */
enum tls_progress tls_shake(struct tls *t, const char **reason);
/* Of a server's end: the client offered the ticket that this server gave last.
 */
bool tls_has_offered(const struct tls *t);

/* ------------------------------------------------------------- tls_hello.c */

/* The words of a ClientHello. */
struct tls_hello {
    const char *version; /* "1.0", "1.1", "1.2" */
    const char *alpn;    /* NULL: it does not speak of it */
    const char *suites;  /* see tls_hello.c */
};
/* Sets one of them by its name. False: there is none, or not of this value. */
bool tls_hello_set(struct tls_hello *h, const char *name, const char *value);

enum tls_answer {
    TLS_TAKEN,      /* the server goes on with the handshake */
    TLS_TURNED_AWAY /* it does not: an alert, or the end */
};
/* Says it and reads the answer, with what was chosen or told in *what. False
 * with a reason: there was no answer until deadline_ms, or one that is no
 * TLS. A choice that breaks a rule is in *wrong, with the rule's id in *rule;
 * NULL: it breaks none. */
bool tls_hello(int fd, const struct tls_hello *h, uint64_t deadline_ms,
               enum tls_answer *answer, const char **what, const char **wrong,
               const char **rule);

#endif
