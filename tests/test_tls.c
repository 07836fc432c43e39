/* SPDX-License-Identifier: Apache-2.0 */
/* TLS without sockets: the server's half against mbedtls as a client, both
 * in memory. [TLS-1], [TLS-2], [SEC-3] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>

#include "../server/core/alloc.h"
#include "dev_cert.h"
#include "tls.h"

#define HEADER_BYTES 5     /* of a TLS record */
#define RECORD_MAX 4096    /* plaintext in one, as tls.c has it */
#define OVERHEAD_MAX 29    /* header, nonce and tag with AEAD */
#define STREAM_MAX 1000000 /* more than any test needs */

struct stream {
    uint8_t data[STREAM_MAX];
    size_t len;
    size_t at; /* read of these */
};

struct pair {
    char dir[64];
    char cert_path[80];
    char key_path[80];
    struct roam_tls_server *shared;
    struct roam_tls *server;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt trusted;
    mbedtls_ssl_config config;
    mbedtls_ssl_context client;
    struct stream to_server;
    struct stream to_client;
    size_t step; /* bytes that the server gets at once */
    enum roam_tls_status status;
    uint8_t heard[STREAM_MAX]; /* plaintext, by the server */
    size_t heard_len;
};

static struct pair pair;
static const char *roam_alpn[] = {"roam/1", NULL};
static const char *other_alpn[] = {"h2", NULL};

/* ------------------------------------------------------------- the client */

static int client_send(void *ctx, const unsigned char *data, size_t len)
{
    struct stream *s = &((struct pair *)ctx)->to_server;

    assert_true(s->len + len <= sizeof(s->data));
    memcpy(s->data + s->len, data, len);
    s->len += len;
    return (int)len;
}

static int client_receive(void *ctx, unsigned char *data, size_t len)
{
    struct stream *s = &((struct pair *)ctx)->to_client;
    size_t n = s->len - s->at < len ? s->len - s->at : len;

    if (n == 0) {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    memcpy(data, s->data + s->at, n);
    s->at += n;
    return (int)n;
}

/* alpn NULL: the client does not speak of it. */
static void configure_client(struct pair *p, const char **alpn)
{
    mbedtls_ssl_config_init(&p->config);
    assert_int_equal(mbedtls_ssl_config_defaults(&p->config,
                                                 MBEDTLS_SSL_IS_CLIENT,
                                                 MBEDTLS_SSL_TRANSPORT_STREAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    mbedtls_ssl_conf_rng(&p->config, mbedtls_ctr_drbg_random, &p->random);
    mbedtls_ssl_conf_ca_chain(&p->config, &p->trusted, NULL);
    if (alpn != NULL) {
        mbedtls_ssl_conf_alpn_protocols(&p->config, alpn);
    }
}

static void start_client(struct pair *p)
{
    mbedtls_ssl_init(&p->client);
    assert_int_equal(mbedtls_ssl_setup(&p->client, &p->config), 0);
    assert_int_equal(mbedtls_ssl_set_hostname(&p->client, "localhost"), 0);
    mbedtls_ssl_set_bio(&p->client, p, client_send, client_receive, NULL);
    p->server = roam_tls_new(p->shared);
    assert_non_null(p->server);
    p->status = ROAM_TLS_OK;
    p->to_server.len = p->to_server.at = 0;
    p->to_client.len = p->to_client.at = 0;
    p->heard_len = 0;
}

static void stop_client(struct pair *p)
{
    mbedtls_ssl_free(&p->client);
    roam_tls_free(p->server);
    p->server = NULL;
}

static int setup(void **state)
{
    struct pair *p = &pair;
    const char *base = getenv("TMPDIR");
    char error[256] = "";

    memset(p, 0, sizeof(*p));
    p->step = STREAM_MAX;
    snprintf(p->dir, sizeof(p->dir), "%s/roam-tls-XXXXXX",
             base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->cert_path, sizeof(p->cert_path), "%.63s/cert.pem", p->dir);
    snprintf(p->key_path, sizeof(p->key_path), "%.63s/key.pem", p->dir);
    assert_true(
        roam_dev_cert_write(p->cert_path, p->key_path, error, sizeof(error)));
    p->shared =
        roam_tls_server_new(p->cert_path, p->key_path, error, sizeof(error));
    if (p->shared == NULL) {
        fail_msg("%s", error);
    }
    mbedtls_entropy_init(&p->entropy);
    mbedtls_ctr_drbg_init(&p->random);
    mbedtls_x509_crt_init(&p->trusted);
    assert_int_equal(mbedtls_ctr_drbg_seed(&p->random, mbedtls_entropy_func,
                                           &p->entropy, NULL, 0),
                     0);
    assert_int_equal(mbedtls_x509_crt_parse_file(&p->trusted, p->cert_path), 0);
    configure_client(p, roam_alpn);
    start_client(p);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct pair *p = *state;

    roam__alloc_refuse = NULL;
    stop_client(p);
    mbedtls_ssl_config_free(&p->config);
    mbedtls_x509_crt_free(&p->trusted);
    mbedtls_ctr_drbg_free(&p->random);
    mbedtls_entropy_free(&p->entropy);
    roam_tls_server_free(p->shared);
    unlink(p->cert_path);
    unlink(p->key_path);
    return rmdir(p->dir);
}

/* ----------------------------------------------------------- between them */

static void hear(void *ctx, const uint8_t *data, size_t len)
{
    struct pair *p = ctx;

    assert_true(p->heard_len + len <= sizeof(p->heard));
    memcpy(p->heard + p->heard_len, data, len);
    p->heard_len += len;
}

static void carry_to_client(struct pair *p)
{
    struct roam_slice s = roam_tls_pending(p->server);
    struct stream *to = &p->to_client;

    if (s.len > 0) {
        assert_true(to->len + s.len <= sizeof(to->data));
        memcpy(to->data + to->len, s.data, s.len);
        to->len += s.len;
        roam_tls_sent(p->server, s.len);
    }
}

static void carry_to_server(struct pair *p)
{
    struct stream *s = &p->to_server;

    while (s->at < s->len && p->status == ROAM_TLS_OK) {
        size_t n = s->len - s->at < p->step ? s->len - s->at : p->step;
        p->status = roam_tls_receive(p->server, s->data + s->at, n, hear, p);
        s->at += n;
    }
}

/* Both do what they can, until nothing moves. The client's last result. */
static int shake_hands(struct pair *p)
{
    int rc = MBEDTLS_ERR_SSL_WANT_READ;
    size_t before;

    do {
        before = p->to_server.len + p->to_client.len;
        if (rc == MBEDTLS_ERR_SSL_WANT_READ) {
            rc = mbedtls_ssl_handshake(&p->client);
        }
        carry_to_server(p);
        carry_to_client(p);
    } while (p->to_server.len + p->to_client.len != before);
    return rc;
}

static void connect_both(struct pair *p)
{
    assert_int_equal(shake_hands(p), 0);
    assert_int_equal(p->status, ROAM_TLS_OK);
    assert_true(roam_tls_is_ready(p->server));
}

/* The alert that the client got, as the last record, in the clear. */
static void check_refused_with_alert(struct pair *p, uint8_t description)
{
    const struct stream *s = &p->to_client;

    assert_int_not_equal(shake_hands(p), 0);
    assert_int_equal(p->status, ROAM_TLS_FAILED);
    assert_false(roam_tls_is_ready(p->server));
    assert_true(strlen(roam_tls_error(p->server)) > 0);
    assert_true(s->len >= 7);
    assert_int_equal(s->data[s->len - 7], 21); /* alert */
    assert_int_equal(s->data[s->len - 2], 2);  /* fatal */
    assert_int_equal(s->data[s->len - 1], description);
    assert_int_equal(roam_tls_write(p->server, (const uint8_t *)"x", 1), 0);
}

/* --------------------------------------------------------------- handshake */

static void test_handshake_gives_tls_1_2_alpn_and_a_name(void **state)
{
    struct pair *p = *state;

    connect_both(p);
    assert_string_equal(mbedtls_ssl_get_version(&p->client), "TLSv1.2");
    assert_string_equal(mbedtls_ssl_get_alpn_protocol(&p->client), "roam/1");
    assert_int_equal(mbedtls_ssl_get_verify_result(&p->client), 0);
    assert_non_null(strstr(mbedtls_ssl_get_ciphersuite(&p->client), "ECDHE"));
}

static void test_any_split_of_the_ciphertext_is_taken(void **state)
{
    struct pair *p = *state;
    static const uint8_t text[] = "one byte at a time";

    p->step = 1;
    connect_both(p);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(mbedtls_ssl_write(&p->client, text, sizeof(text)),
                         sizeof(text));
    }
    carry_to_server(p);
    assert_int_equal(p->heard_len, 3 * sizeof(text));
    assert_memory_equal(p->heard + sizeof(text), text, sizeof(text));
}

static void test_client_without_alpn_is_served(void **state)
{
    struct pair *p = *state;

    stop_client(p);
    mbedtls_ssl_config_free(&p->config);
    configure_client(p, NULL);
    start_client(p);
    connect_both(p);
    assert_null(mbedtls_ssl_get_alpn_protocol(&p->client));
}

static void test_client_with_other_alpn_is_refused(void **state)
{
    struct pair *p = *state;

    mbedtls_ssl_conf_alpn_protocols(&p->config, other_alpn);
    check_refused_with_alert(p, 120); /* no_application_protocol */
}

#if MBEDTLS_VERSION_NUMBER < 0x03000000
static void test_tls_1_1_is_refused(void **state)
{
    struct pair *p = *state;

    mbedtls_ssl_conf_min_version(&p->config, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_1);
    mbedtls_ssl_conf_max_version(&p->config, MBEDTLS_SSL_MAJOR_VERSION_3,
                                 MBEDTLS_SSL_MINOR_VERSION_2);
    check_refused_with_alert(p, 70); /* protocol_version */
}
#endif

static void test_suites_without_aead_or_forward_secrecy_are_refused(void **s)
{
    struct pair *p = *s;
    static const int weak[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
                               MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
                               MBEDTLS_TLS_RSA_WITH_AES_128_GCM_SHA256,
                               MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, 0};

    mbedtls_ssl_conf_ciphersuites(&p->config, weak);
    check_refused_with_alert(p, 40); /* handshake_failure */
}

static void test_garbage_is_refused(void **state)
{
    struct pair *p = *state;
    static const uint8_t http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    assert_int_equal(
        roam_tls_receive(p->server, http, sizeof(http) - 1, hear, p),
        ROAM_TLS_FAILED);
    assert_int_equal(p->heard_len, 0);
    assert_int_equal(roam_tls_receive(p->server, http, 1, hear, p),
                     ROAM_TLS_FAILED);
}

#if defined(MBEDTLS_SSL_RENEGOTIATION)
static void test_renegotiation_does_not_happen(void **state)
{
    struct pair *p = *state;
    const struct stream *s = &p->to_client;

    mbedtls_ssl_conf_renegotiation(&p->config,
                                   MBEDTLS_SSL_RENEGOTIATION_ENABLED);
    connect_both(p);
    size_t sent = p->to_server.len;
    size_t received = s->len;
    assert_int_equal(mbedtls_ssl_renegotiate(&p->client),
                     MBEDTLS_ERR_SSL_WANT_READ);
    assert_true(p->to_server.len > sent); /* a ClientHello */
    carry_to_server(p);
    carry_to_client(p);
    /* The answer is one alert (no_renegotiation), no ServerHello. */
    assert_true(s->len > received);
    assert_int_equal(s->data[received], 21);
    assert_int_equal(HEADER_BYTES + ((size_t)s->data[received + 3] << 8 |
                                     s->data[received + 4]),
                     s->len - received);
}
#endif

static void test_ticket_makes_the_second_handshake_short(void **state)
{
    struct pair *p = *state;
    mbedtls_ssl_session session;

    mbedtls_ssl_session_init(&session);
    connect_both(p);
    assert_false(roam_tls_is_resumed(p->server));
    size_t full = p->to_client.len;
    assert_int_equal(mbedtls_ssl_get_session(&p->client, &session), 0);
    stop_client(p);
    start_client(p);
    assert_int_equal(mbedtls_ssl_set_session(&p->client, &session), 0);
    connect_both(p);
    assert_true(p->to_client.len < full / 2); /* no certificate in it */
    assert_true(roam_tls_is_resumed(p->server));
    mbedtls_ssl_session_free(&session);
}

/* A ticket of another server, or of one that has changed its keys. */
static void test_ticket_that_is_not_good_makes_a_full_handshake(void **state)
{
    struct pair *p = *state;
    mbedtls_ssl_session session;
    char error[200];

    mbedtls_ssl_session_init(&session);
    connect_both(p);
    assert_int_equal(mbedtls_ssl_get_session(&p->client, &session), 0);
    stop_client(p);
    roam_tls_server_free(p->shared);
    p->shared =
        roam_tls_server_new(p->cert_path, p->key_path, error, sizeof(error));
    assert_non_null(p->shared);
    start_client(p);
    assert_int_equal(mbedtls_ssl_set_session(&p->client, &session), 0);
    connect_both(p);
    assert_false(roam_tls_is_resumed(p->server));
    mbedtls_ssl_session_free(&session);
}

/* ------------------------------------------------------------------ output */

static size_t longest_record(const uint8_t *data, size_t len)
{
    size_t longest = 0;

    while (len > 0) {
        assert_true(len >= HEADER_BYTES);
        size_t record = (size_t)data[3] << 8 | data[4];
        assert_true(HEADER_BYTES + record <= len);
        longest = record > longest ? record : longest;
        data += HEADER_BYTES + record;
        len -= HEADER_BYTES + record;
    }
    return longest;
}

static void test_unread_output_is_bounded_and_records_are_short(void **state)
{
    struct pair *p = *state;
    static uint8_t text[100000];
    static uint8_t back[sizeof(text)];
    size_t taken = 0;
    size_t n;

    for (size_t i = 0; i < sizeof(text); i++) {
        text[i] = (uint8_t)(i * 7);
    }
    connect_both(p);
    while ((n = roam_tls_write(p->server, text + taken, sizeof(text) - taken)) >
           0) {
        taken += n;
    }
    struct roam_slice s = roam_tls_pending(p->server);
    assert_true(s.len >= ROAM_TLS_WAITING_MAX);
    assert_true(s.len < ROAM_TLS_WAITING_MAX + RECORD_MAX + OVERHEAD_MAX);
    assert_true(longest_record(s.data, s.len) <=
                RECORD_MAX + OVERHEAD_MAX - HEADER_BYTES);
    /* One byte at a time leaves, and what it was arrives. */
    while (taken < sizeof(text)) {
        s = roam_tls_pending(p->server);
        n = s.len < 1000 ? s.len : 1000;
        memcpy(p->to_client.data + p->to_client.len, s.data, n);
        p->to_client.len += n;
        roam_tls_sent(p->server, n);
        taken += roam_tls_write(p->server, text + taken, sizeof(text) - taken);
    }
    carry_to_client(p);
    for (size_t got = 0; got < sizeof(back);) {
        int rc = mbedtls_ssl_read(&p->client, back + got, sizeof(back) - got);
        assert_true(rc > 0);
        got += (size_t)rc;
    }
    assert_memory_equal(back, text, sizeof(text));
    assert_int_equal(roam_tls_pending(p->server).len, 0);
}

static void test_client_that_asks_for_short_records_gets_them(void **state)
{
    struct pair *p = *state;
    static uint8_t text[3000];

    assert_int_equal(
        mbedtls_ssl_conf_max_frag_len(&p->config, MBEDTLS_SSL_MAX_FRAG_LEN_512),
        0);
    stop_client(p);
    start_client(p);
    connect_both(p);
    for (size_t taken = 0; taken < sizeof(text);) {
        size_t n =
            roam_tls_write(p->server, text + taken, sizeof(text) - taken);
        assert_true(n > 0 && n <= 512);
        taken += n;
    }
    struct roam_slice s = roam_tls_pending(p->server);
    assert_true(longest_record(s.data, s.len) <=
                512 + OVERHEAD_MAX - HEADER_BYTES);
}

static void test_end_is_told_both_ways(void **state)
{
    struct pair *p = *state;
    uint8_t byte;

    connect_both(p);
    roam_tls_end(p->server);
    carry_to_client(p);
    assert_int_equal(mbedtls_ssl_read(&p->client, &byte, 1),
                     MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    assert_int_equal(mbedtls_ssl_close_notify(&p->client), 0);
    carry_to_server(p);
    assert_int_equal(p->status, ROAM_TLS_CLOSED);
}

static void test_forged_record_ends_it(void **state)
{
    struct pair *p = *state;

    connect_both(p);
    mbedtls_ssl_write(&p->client, (const uint8_t *)"true", 4);
    p->to_server.data[p->to_server.len - 1] ^= 1;
    carry_to_server(p);
    assert_int_equal(p->status, ROAM_TLS_FAILED);
    assert_int_equal(p->heard_len, 0);
}

static bool refuse(void)
{
    return true;
}

static void test_no_memory_for_output_ends_it(void **state)
{
    struct pair *p = *state;

    connect_both(p);
    roam__alloc_refuse = refuse;
    assert_int_equal(roam_tls_write(p->server, (const uint8_t *)"x", 1), 0);
    assert_null(roam_tls_new(p->shared));
    roam__alloc_refuse = NULL;
    assert_int_equal(roam_tls_receive(p->server, NULL, 0, hear, p),
                     ROAM_TLS_FAILED);
}

/* ------------------------------------------------------------------- files */

static void check_not_loaded(const char *cert, const char *key,
                             const char *because)
{
    char error[256] = "";

    assert_null(roam_tls_server_new(cert, key, error, sizeof(error)));
    assert_non_null(strstr(error, because));
}

static void test_files_that_do_not_fit_are_named(void **state)
{
    struct pair *p = *state;
    char other_cert[96];
    char other_key[96];
    char error[256];

    snprintf(other_cert, sizeof(other_cert), "%.63s/other-cert", p->dir);
    snprintf(other_key, sizeof(other_key), "%.63s/other-key", p->dir);
    assert_true(
        roam_dev_cert_write(other_cert, other_key, error, sizeof(error)));
    check_not_loaded("/nonexistent/cert", p->key_path, "/nonexistent/cert");
    check_not_loaded(p->cert_path, "/nonexistent/key", "/nonexistent/key");
    check_not_loaded(p->key_path, p->key_path, p->key_path);
    check_not_loaded(p->cert_path, other_key, "not the key");
    FILE *chain = fopen(other_cert, "a");
    assert_non_null(chain);
    fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
          chain);
    assert_int_equal(fclose(chain), 0);
    check_not_loaded(other_cert, other_key,
                     "other-cert: 1 of its certificates cannot be read");
    unlink(other_cert);
    unlink(other_key);
}

static void test_key_file_is_for_its_owner_and_never_overwritten(void **s)
{
    struct pair *p = *s;
    struct stat st;
    char error[256] = "";

    assert_int_equal(stat(p->key_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    unlink(p->cert_path);
    assert_false(
        roam_dev_cert_write(p->cert_path, p->key_path, error, sizeof(error)));
    assert_non_null(strstr(error, "File exists"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_handshake_gives_tls_1_2_alpn_and_a_name),
        TEST(test_any_split_of_the_ciphertext_is_taken),
        TEST(test_client_without_alpn_is_served),
        TEST(test_client_with_other_alpn_is_refused),
#if MBEDTLS_VERSION_NUMBER < 0x03000000
        TEST(test_tls_1_1_is_refused),
#endif
        TEST(test_suites_without_aead_or_forward_secrecy_are_refused),
        TEST(test_garbage_is_refused),
#if defined(MBEDTLS_SSL_RENEGOTIATION)
        TEST(test_renegotiation_does_not_happen),
#endif
        TEST(test_ticket_makes_the_second_handshake_short),
        TEST(test_ticket_that_is_not_good_makes_a_full_handshake),
        TEST(test_unread_output_is_bounded_and_records_are_short),
        TEST(test_client_that_asks_for_short_records_gets_them),
        TEST(test_end_is_told_both_ways),
        TEST(test_forged_record_ends_it),
        TEST(test_no_memory_for_output_ends_it),
        TEST(test_files_that_do_not_fit_are_named),
        TEST(test_key_file_is_for_its_owner_and_never_overwritten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
