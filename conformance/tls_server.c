/* SPDX-License-Identifier: Apache-2.0 */
/* The server's end of TLS: see tls.h. All keys and certificates are made when
 * they are needed and kept in memory; nobody could have been told of them
 * before. What a server can show:
 *
 *   good              for its host, of the authority that clients are told
 *   other-name        the same, for another host
 *   expired           the same, and over since 2001
 *   self-signed       for its host, signed by nobody else
 *   other-authority   for its host, of another authority with the same name
 *   no-authority      for its host, signed by a server that is no authority
 *   nothing           it ends the connection in the middle of the handshake
 *
 * Certificates have what strict clients ask for, so that each of the bad ones
 * is bad in one way. */
#include <arpa/inet.h>
#include <string.h>

#include <mbedtls/error.h>
#include <mbedtls/oid.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>
#include "tls_parts.h"

#include "text.h"

#define PEM_BYTES 2048u
#define TICKET_LIFE_S 86400u
#define OTHER_HOST "example.org"
#define HOST_MAX 15 /* an IPv4 address; the names are shorter */
#define AUTHORITY "CN=Roam conformance"
/* By any clock, also one that starts in 1970 or today. */
#define ALWAYS_FROM "19700101000000"
#define ALWAYS_TO "20991231235959"

enum signer {
    BY_AUTHORITY,
    BY_ITSELF,
    BY_STRANGER, /* of the authority's name */
    BY_SERVER    /* who has a good certificate, but for itself alone */
};

static const struct shown {
    const char *name, *host, *to; /* host NULL: its own */
    enum signer signer;
} all_shown[] = {
    {"good", NULL, ALWAYS_TO, BY_AUTHORITY},
    {"other-name", OTHER_HOST, ALWAYS_TO, BY_AUTHORITY},
    {"expired", NULL, "20011231235959", BY_AUTHORITY},
    {"self-signed", NULL, ALWAYS_TO, BY_ITSELF},
    {"other-authority", NULL, ALWAYS_TO, BY_STRANGER},
    {"no-authority", NULL, ALWAYS_TO, BY_SERVER},
    {"nothing", NULL, ALWAYS_TO, BY_AUTHORITY},
};

struct tls_server {
    const char *host;
    mbedtls_ctr_drbg_context *random;
    mbedtls_pk_context authority; /* its key */
    mbedtls_pk_context key;       /* this server's */
    char ca[PEM_BYTES];
    const struct shown *shown;
    mbedtls_x509_crt *chain; /* the present one; ends have older ones */
    mbedtls_ssl_ticket_context *tickets;
    uint8_t *last; /* the ticket given last */
    size_t last_len;
};

static const struct shown *find_shown(const char *name)
{
    for (size_t i = 0; i < sizeof all_shown / sizeof all_shown[0]; i++) {
        if (name && strcmp(all_shown[i].name, name) == 0) {
            return &all_shown[i];
        }
    }
    return NULL;
}

bool tls_server_knows(const char *name)
{
    return find_shown(name) != NULL;
}

/* ------------------------------------------------------------ certificates */

static int make_key(struct tls_server *s, mbedtls_pk_context *key)
{
    mbedtls_pk_init(key);
    int rc = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
    return rc ? rc
              : mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1,
                                    mbedtls_pk_ec(*key),
                                    mbedtls_ctr_drbg_random, s->random);
}

/* What a certificate says. */
struct words {
    const char *subject, *issuer; /* as in "CN=..." */
    const char *host;             /* NULL: an authority's */
    const char *to;
    mbedtls_pk_context *subject_key, *issuer_key;
};

static int set_serial(mbedtls_x509write_cert *c)
{
    static uint8_t serial; /* issuer and serial are there once */
    serial++;
#if MBEDTLS_VERSION_NUMBER >= 0x03040000
    return mbedtls_x509write_crt_set_serial_raw(c, &serial, 1);
#else
    mbedtls_mpi number;
    mbedtls_mpi_init(&number);
    int rc = mbedtls_mpi_lset(&number, serial);
    rc = rc ? rc : mbedtls_x509write_crt_set_serial(c, &number);
    mbedtls_mpi_free(&number);
    return rc;
#endif
}

/* GeneralNames, which mbedtls 2.28 cannot write: a dNSName; and for an address
 * an iPAddress, too, because 2.28 does not read those. */
static int set_host(mbedtls_x509write_cert *c, const char *host)
{
    struct in_addr address;
    uint8_t der[2 + 2 + HOST_MAX + 2 + sizeof address];
    size_t len = strlen(host);
    size_t at = 4 + len;
    der[0] = 0x30; /* SEQUENCE */
    der[2] = 0x82; /* [2] dNSName */
    der[3] = (uint8_t)len;
    memcpy(der + 4, host, len);
    if (inet_pton(AF_INET, host, &address) == 1) {
        der[at++] = 0x87; /* [7] iPAddress */
        der[at++] = sizeof address;
        memcpy(der + at, &address, sizeof address);
        at += sizeof address;
    }
    der[1] = (uint8_t)(at - 2);
    return mbedtls_x509write_crt_set_extension(
        c, MBEDTLS_OID_SUBJECT_ALT_NAME,
        MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0, der, at);
}

static int set_usage(mbedtls_x509write_cert *c, bool is_authority)
{
    int rc = mbedtls_x509write_crt_set_basic_constraints(c, is_authority, -1);
    rc = rc ? rc
            : mbedtls_x509write_crt_set_key_usage(
                  c, is_authority ? MBEDTLS_X509_KU_KEY_CERT_SIGN
                                  : MBEDTLS_X509_KU_DIGITAL_SIGNATURE);
    rc = rc ? rc : mbedtls_x509write_crt_set_subject_key_identifier(c);
    return rc ? rc : mbedtls_x509write_crt_set_authority_key_identifier(c);
}

static int fill(mbedtls_x509write_cert *c, const struct words *w)
{
    mbedtls_x509write_crt_set_version(c, MBEDTLS_X509_CRT_VERSION_3);
    mbedtls_x509write_crt_set_md_alg(c, MBEDTLS_MD_SHA256);
    mbedtls_x509write_crt_set_subject_key(c, w->subject_key);
    mbedtls_x509write_crt_set_issuer_key(c, w->issuer_key);
    int rc = set_serial(c);
    rc = rc ? rc : mbedtls_x509write_crt_set_subject_name(c, w->subject);
    rc = rc ? rc : mbedtls_x509write_crt_set_issuer_name(c, w->issuer);
    rc = rc ? rc : mbedtls_x509write_crt_set_validity(c, ALWAYS_FROM, w->to);
    rc = rc ? rc : set_usage(c, !w->host);
    return rc || !w->host ? rc : set_host(c, w->host);
}

static int write_pem(const struct tls_server *s, const struct words *w,
                     char pem[PEM_BYTES])
{
    mbedtls_x509write_cert c;
    mbedtls_x509write_crt_init(&c);
    int rc = fill(&c, w);
    rc = rc ? rc
            : mbedtls_x509write_crt_pem(&c, (uint8_t *)pem, PEM_BYTES,
                                        mbedtls_ctr_drbg_random, s->random);
    mbedtls_x509write_crt_free(&c);
    return rc;
}

static int add(const struct tls_server *s, const struct words *w)
{
    char pem[PEM_BYTES];
    int rc = write_pem(s, w, pem);
    return rc ? rc
              : mbedtls_x509_crt_parse(s->chain, (const uint8_t *)pem,
                                       strlen(pem) + 1);
}

/* The one to be shown, and the one who signed it if that is no authority. */
static int make_chain(struct tls_server *s)
{
    const struct shown *n = s->shown;
    mbedtls_pk_context other;
    const char *host = n->host ? n->host : s->host;
    struct words w = {.subject = arena_printf("CN=%s", host),
                      .issuer = AUTHORITY,
                      .host = host,
                      .to = n->to,
                      .subject_key = &s->key,
                      .issuer_key = &s->authority};
    s->chain = arena_alloc(sizeof *s->chain);
    mbedtls_x509_crt_init(s->chain);
    if (n->signer == BY_AUTHORITY) {
        return add(s, &w);
    }
    if (n->signer == BY_ITSELF) {
        w.issuer = w.subject;
        w.issuer_key = w.subject_key;
        return add(s, &w);
    }
    int rc = make_key(s, &other);
    w.issuer_key = &other;
    w.issuer = n->signer == BY_SERVER ? "CN=" OTHER_HOST : AUTHORITY;
    rc = rc ? rc : add(s, &w);
    if (rc == 0 && n->signer == BY_SERVER) {
        rc = add(s, &(struct words){.subject = w.issuer,
                                    .issuer = AUTHORITY,
                                    .host = OTHER_HOST,
                                    .to = n->to,
                                    .subject_key = &other,
                                    .issuer_key = &s->authority});
    }
    mbedtls_pk_free(&other);
    return rc;
}

/* ------------------------------------------------------------------ tickets */

static int make_tickets(struct tls_server *s)
{
    s->tickets = arena_alloc(sizeof *s->tickets);
    mbedtls_ssl_ticket_init(s->tickets);
    return mbedtls_ssl_ticket_setup(s->tickets, mbedtls_ctr_drbg_random,
                                    s->random, MBEDTLS_CIPHER_AES_256_GCM,
                                    TICKET_LIFE_S);
}

static int give_ticket(void *ctx, const mbedtls_ssl_session *session,
                       unsigned char *start, const unsigned char *end,
                       size_t *len, uint32_t *life_s)
{
    struct tls_server *s = ((struct tls *)ctx)->server;
    int rc =
        mbedtls_ssl_ticket_write(s->tickets, session, start, end, len, life_s);
    if (rc == 0) {
        s->last = arena_alloc(*len);
        memcpy(s->last, start, *len);
        s->last_len = *len;
    }
    return rc;
}

static int take_ticket(void *ctx, mbedtls_ssl_session *session,
                       unsigned char *ticket, size_t len)
{
    struct tls *t = ctx;
    const struct tls_server *s = t->server;
    t->has_offered =
        s->last && s->last_len == len && memcmp(s->last, ticket, len) == 0;
    int rc = mbedtls_ssl_ticket_parse(s->tickets, session, ticket, len);
    t->was_shown = t->was_shown && rc != 0;
    return rc;
}

/* --------------------------------------------------------------- the server */

bool tls_server_show(struct tls_server *s, const char *name,
                     const char **reason)
{
    s->shown = find_shown(name);
    if (!s->shown) {
        *reason = arena_printf("no server shows %s", name ? name : "");
        return false;
    }
    int rc = make_chain(s);
    rc = rc ? rc : make_tickets(s);
    *reason = tls_explain("certificates", rc);
    return rc == 0;
}

struct tls_server *tls_server_new(const char *host, const char **reason)
{
    struct tls_server *s = arena_alloc(sizeof *s);
    s->host = host;
    s->random = tls_randomness(reason);
    if (!s->random) {
        return NULL;
    }
    int rc = make_key(s, &s->authority);
    rc = rc ? rc : make_key(s, &s->key);
    rc = rc ? rc
            : write_pem(s,
                        &(struct words){.subject = AUTHORITY,
                                        .issuer = AUTHORITY,
                                        .to = ALWAYS_TO,
                                        .subject_key = &s->authority,
                                        .issuer_key = &s->authority},
                        s->ca);
    *reason = tls_explain("an authority", rc);
    return rc == 0 && tls_server_show(s, "good", reason) ? s : NULL;
}

const char *tls_server_host(const struct tls_server *s)
{
    return s->host;
}

const char *tls_server_ca(const struct tls_server *s)
{
    return s->ca;
}

const char *tls_server_shows(const struct tls_server *s)
{
    return s->shown->name;
}

bool tls_server_is_good(const struct tls_server *s)
{
    return s->shown == &all_shown[0];
}

/* ----------------------------------------------------------- the handshake */

/* What [TLS-1] and [TLS-2] leave to a server. */
static int configure(struct tls *t)
{
    static const int suites[] = {
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, 0};
    struct tls_server *s = t->server;
    mbedtls_ssl_config *c = &t->config;
    int rc = mbedtls_ssl_config_defaults(c, MBEDTLS_SSL_IS_SERVER,
                                         MBEDTLS_SSL_TRANSPORT_STREAM,
                                         MBEDTLS_SSL_PRESET_DEFAULT);
    if (rc != 0) {
        return rc;
    }
    tls_limit_version(c);
    mbedtls_ssl_conf_rng(c, mbedtls_ctr_drbg_random, s->random);
    mbedtls_ssl_conf_ciphersuites(c, suites);
    mbedtls_ssl_conf_session_tickets_cb(c, give_ticket, take_ticket, t);
    rc = mbedtls_ssl_conf_alpn_protocols(c, tls_alpn);
    return rc ? rc : mbedtls_ssl_conf_own_cert(c, s->chain, &s->key);
}

struct tls *tls_accept(struct tls_server *s, int fd, const char **reason)
{
    struct tls *t = tls_new(fd);
    t->server = s;
    t->was_shown = true;
    int rc = configure(t);
    rc = rc ? rc : mbedtls_ssl_setup(&t->ssl, &t->config);
    tls_attach(t);
    *reason = tls_explain("settings", rc);
    return rc == 0 ? t : NULL;
}

enum tls_progress tls_shake(struct tls *t, const char **reason)
{
    int rc = mbedtls_ssl_handshake(&t->ssl);
    if (tls_would_block(rc)) {
        return TLS_SHAKING;
    }
    *reason = tls_explain("handshake", rc);
    switch (rc) {
    case 0:
        return TLS_DONE;
    case MBEDTLS_ERR_SSL_CONN_EOF:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        return TLS_LEFT;
    default:
        return TLS_FAILED;
    }
}

bool tls_has_offered(const struct tls *t)
{
    return t->has_offered;
}
