/* SPDX-License-Identifier: Apache-2.0 */
/* The client's TLS against the server's, and against servers that must not
 * be trusted. Both ends are in this process, on a socket pair. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>

#include <cmocka.h>

#include "dev_cert.h"
#include "link_tls.h"
#include "tls.h"

/* More than any handshake takes. */
#define STEPS_MAX 100

static char directory[64], cert[96], key[96], other_cert[96], other_key[96];

static int write_certificates(void **state)
{
    char error[256];
    (void)state;
    strcpy(directory, "/tmp/roam-tls-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(cert, sizeof cert, "%s/cert.pem", directory);
    snprintf(key, sizeof key, "%s/key.pem", directory);
    snprintf(other_cert, sizeof other_cert, "%s/other.pem", directory);
    snprintf(other_key, sizeof other_key, "%s/other-key.pem", directory);
    assert_true(roam_dev_cert_write(cert, key, error, sizeof error));
    assert_true(
        roam_dev_cert_write(other_cert, other_key, error, sizeof error));
    return 0;
}

static int remove_certificates(void **state)
{
    (void)state;
    unlink(cert);
    unlink(key);
    unlink(other_cert);
    unlink(other_key);
    return rmdir(directory);
}

/* ------------------------------------------------------- the true server */

struct server {
    struct roam_tls_server *shared;
    struct roam_tls *tls;
    int fd;
    char got[64];
    size_t got_len;
    size_t sent; /* bytes of TLS */
};

static void collect(void *ctx, const uint8_t *data, size_t len)
{
    struct server *s = ctx;
    assert_true(s->got_len + len <= sizeof s->got);
    memcpy(s->got + s->got_len, data, len);
    s->got_len += len;
}

static void server_step(struct server *s)
{
    uint8_t buffer[4096];
    ssize_t n = recv(s->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (n > 0) {
        roam_tls_receive(s->tls, buffer, (size_t)n, collect, s);
    }
    struct roam_slice out = roam_tls_pending(s->tls);
    if (out.len > 0) {
        ssize_t sent = send(s->fd, out.data, out.len, MSG_NOSIGNAL);
        if (sent > 0) {
            roam_tls_sent(s->tls, (size_t)sent);
            s->sent += (size_t)sent;
        }
    }
}

struct pair {
    struct server server;
    struct roam_link_tls *client;
    int fd;
    enum roam_posix_status status;
    char detail[ROAM_POSIX_DETAIL_MAX];
};

static void open_sockets(struct pair *p)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    p->fd = fds[0];
    p->server.fd = fds[1];
    assert_int_equal(fcntl(p->fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
}

static void open_pair_pem(struct pair *p, const char *ca, const char *pem,
                          const char *host)
{
    char error[256];
    memset(p, 0, sizeof *p);
    open_sockets(p);
    p->server.shared = roam_tls_server_new(cert, key, error, sizeof error);
    assert_non_null(p->server.shared);
    p->server.tls = roam_tls_new(p->server.shared);
    assert_non_null(p->server.tls);
    assert_int_equal(roam_link_tls_new(ca, pem, host, &p->client, p->detail),
                     ROAM_POSIX_STATUS_OK);
    assert_int_equal(roam_link_tls_start(p->client, p->fd),
                     ROAM_POSIX_STATUS_OK);
}

static void open_pair(struct pair *p, const char *ca, const char *host)
{
    open_pair_pem(p, ca, NULL, host);
}

static void close_pair(struct pair *p)
{
    roam_link_tls_free(p->client);
    roam_tls_free(p->server.tls);
    roam_tls_server_free(p->server.shared);
    close(p->fd);
    close(p->server.fd);
}

static enum roam_link_io shake(struct pair *p)
{
    for (int i = 0; i < STEPS_MAX; i++) {
        enum roam_link_io io =
            roam_link_tls_handshake(p->client, &p->status, p->detail);
        if (io == ROAM_LINK_DONE || io == ROAM_LINK_FAILED) {
            return io;
        }
        server_step(&p->server);
    }
    fail_msg("the handshake does not end");
    return ROAM_LINK_FAILED;
}

static void test_a_trusted_server_is_talked_to(void **state)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "::1"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct pair p;
        char answer[16];
        open_pair(&p, cert, hosts[i]);
        if (shake(&p) != ROAM_LINK_DONE) {
            fail_msg("%s: %s", hosts[i], p.detail);
        }
        assert_int_equal(roam_link_tls_write(p.client, "hello", 5), 5);
        server_step(&p.server);
        assert_int_equal(p.server.got_len, 5);
        assert_memory_equal(p.server.got, "hello", 5);
        assert_int_equal(roam_link_tls_read(p.client, answer, sizeof answer),
                         ROAM_LINK_WANT_READ);
        assert_int_equal(
            roam_tls_write(p.server.tls, (const uint8_t *)"world", 5), 5);
        server_step(&p.server);
        assert_int_equal(roam_link_tls_read(p.client, answer, sizeof answer),
                         5);
        assert_memory_equal(answer, "world", 5);
        close_pair(&p);
    }
}

static void test_another_host_is_not_trusted(void **state)
{
    static const char *const hosts[] = {"example.org", "localhost.example",
                                        "127.0.0.2",   "::2",
                                        "10.0.0.1",    "local"};
    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct pair p;
        open_pair(&p, cert, hosts[i]);
        if (shake(&p) != ROAM_LINK_FAILED) {
            fail_msg("%s was trusted", hosts[i]);
        }
        assert_int_equal(p.status, ROAM_POSIX_STATUS_UNTRUSTED);
        assert_non_null(strstr(p.detail, hosts[i]));
        assert_int_equal(p.server.got_len, 0);
        close_pair(&p);
    }
}

static void test_an_unknown_ca_is_not_trusted(void **state)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct pair p;
        open_pair(&p, other_cert, hosts[i]);
        assert_int_equal(shake(&p), ROAM_LINK_FAILED);
        assert_int_equal(p.status, ROAM_POSIX_STATUS_UNTRUSTED);
        close_pair(&p);
    }
}

static void test_a_host_is_needed(void **state)
{
    struct roam_link_tls *tls;
    char detail[ROAM_POSIX_DETAIL_MAX];
    (void)state;
    assert_int_equal(roam_link_tls_new(cert, NULL, NULL, &tls, detail),
                     ROAM_POSIX_STATUS_BAD_ARGUMENT);
    assert_int_equal(roam_link_tls_new(cert, NULL, "", &tls, detail),
                     ROAM_POSIX_STATUS_BAD_ARGUMENT);
    assert_null(tls);
}

static void test_a_ca_file_must_hold_certificates(void **state)
{
    struct roam_link_tls *tls;
    char detail[ROAM_POSIX_DETAIL_MAX] = "";
    (void)state;
    assert_int_equal(roam_link_tls_new(key, NULL, "localhost", &tls, detail),
                     ROAM_POSIX_STATUS_CA_FILE);
    assert_non_null(strstr(detail, key));
    assert_int_equal(
        roam_link_tls_new("/nonexistent.pem", NULL, "localhost", &tls, detail),
        ROAM_POSIX_STATUS_CA_FILE);
    assert_null(tls);
}

static void test_a_ca_may_come_as_text(void **state)
{
    static char pem[4096];
    struct roam_link_tls *tls;
    char detail[ROAM_POSIX_DETAIL_MAX] = "";
    struct pair p;
    (void)state;
    FILE *file = fopen(cert, "r");
    assert_non_null(file);
    size_t len = fread(pem, 1, sizeof pem - 1, file);
    fclose(file);
    assert_true(len > 0 && len < sizeof pem - 1);
    open_pair_pem(&p, NULL, pem, "localhost");
    assert_int_equal(shake(&p), ROAM_LINK_DONE);
    close_pair(&p);
    open_pair_pem(&p, other_cert, pem, "localhost"); /* not the file's */
    assert_int_equal(shake(&p), ROAM_LINK_DONE);
    close_pair(&p);
    static const char *const bad[] = {"", "no certificate"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(
            roam_link_tls_new(cert, bad[i], "localhost", &tls, detail),
            ROAM_POSIX_STATUS_CA_FILE);
        assert_null(tls);
    }
}

static void test_a_second_connection_resumes_the_session(void **state)
{
    struct pair p;
    (void)state;
    open_pair(&p, cert, "localhost");
    assert_int_equal(shake(&p), ROAM_LINK_DONE);
    size_t full = p.server.sent;
    for (int i = 0; i < 2; i++) {
        roam_link_tls_stop(p.client);
        roam_tls_free(p.server.tls);
        close(p.fd);
        close(p.server.fd);
        open_sockets(&p);
        p.server.tls = roam_tls_new(p.server.shared);
        p.server.got_len = p.server.sent = 0;
        assert_int_equal(roam_link_tls_start(p.client, p.fd),
                         ROAM_POSIX_STATUS_OK);
        assert_int_equal(shake(&p), ROAM_LINK_DONE);
        /* No certificate comes again: half of the bytes and more. */
        assert_true(p.server.sent > 0 && p.server.sent < full / 2);
        assert_int_equal(roam_link_tls_write(p.client, "x", 1), 1);
        server_step(&p.server);
        assert_int_equal(p.server.got_len, 1);
    }
    close_pair(&p);
}

static void test_the_end_of_the_stream_is_told(void **state)
{
    struct pair p;
    char byte;
    (void)state;
    open_pair(&p, cert, "localhost");
    assert_int_equal(shake(&p), ROAM_LINK_DONE);
    roam_tls_end(p.server.tls);
    server_step(&p.server);
    assert_int_equal(roam_link_tls_read(p.client, &byte, 1), ROAM_LINK_DONE);
    close_pair(&p);

    open_pair(&p, cert, "localhost");
    assert_int_equal(shake(&p), ROAM_LINK_DONE);
    shutdown(p.server.fd, SHUT_WR); /* cut off, without a good-bye */
    assert_true(roam_link_tls_read(p.client, &byte, 1) <= 0);
    close_pair(&p);
}

/* -------------------------------------------------------- other servers */

/* A TLS server that can be told to be unfit. */
struct odd_server {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt cert;
    mbedtls_pk_context key;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
    int fd;
};

static int odd_send(void *ctx, const unsigned char *data, size_t len)
{
    const struct odd_server *s = ctx;
    ssize_t n = send(s->fd, data, len, MSG_NOSIGNAL);
    return n >= 0 ? (int)n : MBEDTLS_ERR_SSL_WANT_WRITE;
}

static int odd_receive(void *ctx, unsigned char *out, size_t cap)
{
    const struct odd_server *s = ctx;
    ssize_t n = recv(s->fd, out, cap, 0);
    return n >= 0 ? (int)n : MBEDTLS_ERR_SSL_WANT_READ;
}

static void odd_open(struct odd_server *s, int fd)
{
    s->fd = fd;
    mbedtls_entropy_init(&s->entropy);
    mbedtls_ctr_drbg_init(&s->random);
    mbedtls_x509_crt_init(&s->cert);
    mbedtls_pk_init(&s->key);
    mbedtls_ssl_config_init(&s->config);
    mbedtls_ssl_init(&s->ssl);
    assert_int_equal(mbedtls_ctr_drbg_seed(&s->random, mbedtls_entropy_func,
                                           &s->entropy, NULL, 0),
                     0);
    assert_int_equal(mbedtls_x509_crt_parse_file(&s->cert, cert), 0);
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    assert_int_equal(mbedtls_pk_parse_keyfile(&s->key, key, NULL,
                                              mbedtls_ctr_drbg_random,
                                              &s->random),
                     0);
#else
    assert_int_equal(mbedtls_pk_parse_keyfile(&s->key, key, NULL), 0);
#endif
    assert_int_equal(mbedtls_ssl_config_defaults(&s->config,
                                                 MBEDTLS_SSL_IS_SERVER,
                                                 MBEDTLS_SSL_TRANSPORT_STREAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    mbedtls_ssl_conf_rng(&s->config, mbedtls_ctr_drbg_random, &s->random);
    assert_int_equal(mbedtls_ssl_conf_own_cert(&s->config, &s->cert, &s->key),
                     0);
}

static void odd_start(struct odd_server *s)
{
    assert_int_equal(mbedtls_ssl_setup(&s->ssl, &s->config), 0);
    mbedtls_ssl_set_bio(&s->ssl, s, odd_send, odd_receive, NULL);
}

static void odd_close(struct odd_server *s)
{
    mbedtls_ssl_free(&s->ssl);
    mbedtls_ssl_config_free(&s->config);
    mbedtls_pk_free(&s->key);
    mbedtls_x509_crt_free(&s->cert);
    mbedtls_ctr_drbg_free(&s->random);
    mbedtls_entropy_free(&s->entropy);
}

/* What the client makes of such a server. */
static enum roam_posix_status meet(struct odd_server *s, struct pair *p)
{
    enum roam_link_io io = ROAM_LINK_WANT_WRITE;
    assert_int_equal(
        roam_link_tls_new(cert, NULL, "localhost", &p->client, p->detail),
        ROAM_POSIX_STATUS_OK);
    assert_int_equal(roam_link_tls_start(p->client, p->fd),
                     ROAM_POSIX_STATUS_OK);
    for (int i = 0; i < STEPS_MAX && io != ROAM_LINK_DONE; i++) {
        io = roam_link_tls_handshake(p->client, &p->status, p->detail);
        if (io == ROAM_LINK_FAILED) {
            return p->status;
        }
        if (mbedtls_ssl_handshake(&s->ssl) == MBEDTLS_ERR_SSL_CONN_EOF) {
            break;
        }
    }
    return io == ROAM_LINK_DONE ? ROAM_POSIX_STATUS_OK
                                : ROAM_POSIX_STATUS_TIMEOUT;
}

static void test_a_server_that_speaks_something_else_is_refused(void **state)
{
    static const char *const others[] = {"http/1.1", NULL};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct odd_server s;
        struct pair p;
        memset(&p, 0, sizeof p);
        open_sockets(&p);
        odd_open(&s, p.server.fd);
        if (i == 1) {
            assert_int_equal(mbedtls_ssl_conf_alpn_protocols(
                                 &s.config, (const char **)(void *)others),
                             0);
        }
        odd_start(&s);
        enum roam_posix_status status = meet(&s, &p);
        /* Without ALPN at all, or with an alert because nothing matches. */
        assert_int_equal(status, i == 0 ? ROAM_POSIX_STATUS_ALPN
                                        : ROAM_POSIX_STATUS_TLS);
        roam_link_tls_free(p.client);
        odd_close(&s);
        close(p.fd);
        close(p.server.fd);
    }
}

static void test_a_cipher_without_aead_is_refused(void **state)
{
    static const int cbc[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
                              MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, 0};
    static const char *const roam[] = {"roam/1", NULL};
    struct odd_server s;
    struct pair p;
    (void)state;
    memset(&p, 0, sizeof p);
    open_sockets(&p);
    odd_open(&s, p.server.fd);
    assert_int_equal(
        mbedtls_ssl_conf_alpn_protocols(&s.config, (const char **)(void *)roam),
        0);
    mbedtls_ssl_conf_ciphersuites(&s.config, cbc);
    odd_start(&s);
    assert_int_equal(meet(&s, &p), ROAM_POSIX_STATUS_TLS);
    roam_link_tls_free(p.client);
    odd_close(&s);
    close(p.fd);
    close(p.server.fd);
}

static void test_the_odd_server_is_fine_when_it_is_fit(void **state)
{
    static const char *const roam[] = {"roam/1", NULL};
    struct odd_server s;
    struct pair p;
    (void)state;
    memset(&p, 0, sizeof p);
    open_sockets(&p);
    odd_open(&s, p.server.fd);
    assert_int_equal(
        mbedtls_ssl_conf_alpn_protocols(&s.config, (const char **)(void *)roam),
        0);
    odd_start(&s);
    assert_int_equal(meet(&s, &p), ROAM_POSIX_STATUS_OK);
    roam_link_tls_free(p.client);
    odd_close(&s);
    close(p.fd);
    close(p.server.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_trusted_server_is_talked_to),
        cmocka_unit_test(test_another_host_is_not_trusted),
        cmocka_unit_test(test_an_unknown_ca_is_not_trusted),
        cmocka_unit_test(test_a_host_is_needed),
        cmocka_unit_test(test_a_ca_file_must_hold_certificates),
        cmocka_unit_test(test_a_ca_may_come_as_text),
        cmocka_unit_test(test_a_second_connection_resumes_the_session),
        cmocka_unit_test(test_the_end_of_the_stream_is_told),
        cmocka_unit_test(test_a_server_that_speaks_something_else_is_refused),
        cmocka_unit_test(test_a_cipher_without_aead_is_refused),
        cmocka_unit_test(test_the_odd_server_is_fine_when_it_is_fit),
    };
    return cmocka_run_group_tests(tests, write_certificates,
                                  remove_certificates);
}
