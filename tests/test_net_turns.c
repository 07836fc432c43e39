/* SPDX-License-Identifier: Apache-2.0 */
/* Turns of the real loop, counted: a crowd that comes at once for a full
 * handshake each gets a few of them in a turn, and a session that is there
 * already is served in every turn [TLS-6]. And what an address counts as. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

#include "conn.h"
#include "dev_cert.h"
#include "frame.h"
#include "store_mem.h"

enum {
    CROWD = 40,
    HELLO_MAX = 1024,
    /* Of a session whose PING and PONG take a turn each, at the most. */
    PONGS_AT_LEAST = CROWD / ROAM_HANDSHAKES_PER_TURN / 2
};

struct scene {
    char dir[32];
    char cert[48], key[48];
    struct roam_tls_server *tls;
    struct roam_store *store;
    struct roam_core *core;
    struct roam_net *net;
    uv_prepare_t turn;
    uint16_t tls_port, plain_port;
    int crowd[CROWD];
    bool answered[CROWD];
    int session;    /* its socket */
    bool logged_in; /* and the crowd has come */
    unsigned turns, pongs, most, answered_count;
    uint8_t hello[HELLO_MAX];
    size_t hello_len;
};

/* -------------------------------------------------------------- the crowd */

static int keep_hello(void *ctx, const unsigned char *data, size_t len)
{
    struct scene *s = ctx;

    assert_true(s->hello_len + len <= sizeof(s->hello));
    memcpy(s->hello + s->hello_len, data, len);
    s->hello_len += len;
    return (int)len;
}

static int hear_nothing(void *ctx, unsigned char *data, size_t len)
{
    (void)ctx;
    (void)data;
    (void)len;
    return MBEDTLS_ERR_SSL_WANT_READ;
}

/* The first flight of a client that has no ticket. */
static void make_hello(struct scene *s)
{
    static const char *alpn[] = {"roam/1", NULL};
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;

    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_init(&ssl);
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    assert_int_equal(psa_crypto_init(), PSA_SUCCESS);
#endif
    assert_int_equal(
        mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0),
        0);
    assert_int_equal(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT,
                                                 MBEDTLS_SSL_TRANSPORT_STREAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_alpn_protocols(&config, alpn);
    assert_int_equal(mbedtls_ssl_setup(&ssl, &config), 0);
    assert_int_equal(mbedtls_ssl_set_hostname(&ssl, "localhost"), 0);
    mbedtls_ssl_set_bio(&ssl, s, keep_hello, hear_nothing, NULL);
    assert_int_equal(mbedtls_ssl_handshake(&ssl), MBEDTLS_ERR_SSL_WANT_READ);
    mbedtls_ssl_free(&ssl);
    mbedtls_ssl_config_free(&config);
    mbedtls_ctr_drbg_free(&random);
    mbedtls_entropy_free(&entropy);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

static void send_all(int fd, const void *data, size_t len)
{
    assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

static void crowd_comes(struct scene *s)
{
    for (int i = 0; i < CROWD; i++) {
        s->crowd[i] = connect_to(s->tls_port);
        send_all(s->crowd[i], s->hello, s->hello_len);
    }
}

/* How many have been answered by now; the server is the same thread. */
static unsigned look_at_crowd(struct scene *s)
{
    uint8_t byte;
    unsigned count = 0;

    for (int i = 0; i < CROWD; i++) {
        if (!s->answered[i] &&
            recv(s->crowd[i], &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1) {
            assert_int_equal(byte, 22); /* a handshake record, no alert */
            s->answered[i] = true;
            count++;
        }
    }
    return count;
}

/* ------------------------------------------------------------- the session */

static void say(struct scene *s, const struct roam_message *m)
{
    uint8_t frame[512];

    send_all(s->session, frame, roam_message_encode(m, frame, sizeof(frame)));
}

static void say_login(struct scene *s)
{
    struct roam_message m;

    roam_message_init(&m, ROAM_LOGIN);
    m.u.login.protocol = ROAM_PROTOCOL_VERSION;
    strcpy(m.u.login.user, "alice");
    strcpy(m.u.login.token, "token");
    m.u.login.device_id.size = ROAM_DEVICE_ID_BYTES;
    m.u.login.device_type = roam_v1_DeviceType_PHONE;
    m.u.login.attempt = 1;
    m.u.login.max_frame = 512;
    say(s, &m);
}

static void say_ping(struct scene *s)
{
    struct roam_message m;

    roam_message_init(&m, ROAM_PING);
    say(s, &m);
}

/* True when something has come; all of it is taken. */
static bool hear(struct scene *s)
{
    uint8_t bytes[512];

    return recv(s->session, bytes, sizeof(bytes), MSG_DONTWAIT) > 0;
}

/* ------------------------------------------------------------------ turns */

/* Before each wait of the loop. */
static void on_turn(uv_prepare_t *handle)
{
    struct scene *s = handle->data;

    roam_net_wake(s->net); /* the store in memory wakes nobody */
    if (!s->logged_in) {
        if (hear(s)) {
            s->logged_in = true;
            crowd_comes(s);
            say_ping(s);
        }
        return;
    }
    unsigned now = look_at_crowd(s);
    s->turns++;
    s->most = now > s->most ? now : s->most;
    s->answered_count += now;
    if (hear(s)) {
        s->pongs++;
        say_ping(s);
    }
    if (s->answered_count == CROWD || s->turns > 100u * CROWD) {
        uv_stop(&s->net->loop);
    }
}

static void make_files(struct scene *s)
{
    char error[200];

    strcpy(s->dir, "/tmp/roam-turns-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->cert, sizeof(s->cert), "%s/cert.pem", s->dir);
    snprintf(s->key, sizeof(s->key), "%s/key.pem", s->dir);
    assert_true(roam_dev_cert_write(s->cert, s->key, error, sizeof(error)));
    s->tls = roam_tls_server_new(s->cert, s->key, error, sizeof(error));
    assert_non_null(s->tls);
}

static void open_server(struct scene *s)
{
    char error[200];
    struct roam_core_config config;

    s->store = roam_store_mem_new(NULL, NULL);
    assert_true(roam_store_mem_add_user(s->store, "alice"));
    assert_true(roam_store_mem_add_token(s->store, "alice", "token", 0, 0));
    roam_core_config_default(&config);
    config.store = s->store;
    s->core = roam_core_new(&config);
    assert_non_null(s->core);
    const struct roam_net_config net = {.tls = s->tls,
                                        .backlog = 2 * CROWD,
                                        .handshake_ms = 60000,
                                        .linger_ms = 1000};
    s->net = roam_net_new(&net, error, sizeof(error));
    assert_non_null(s->net);
    assert_true(roam_net_listen(s->net, "127.0.0.1", 0, true, &s->tls_port,
                                error, sizeof(error)));
    assert_true(roam_net_listen(s->net, "127.0.0.1", 0, false, &s->plain_port,
                                error, sizeof(error)));
    uv_prepare_init(&s->net->loop, &s->turn);
    s->turn.data = s;
    uv_prepare_start(&s->turn, on_turn);
}

static void close_server(struct scene *s)
{
    roam_core_free(s->core);
    s->store->ops->close(s->store);
    roam_net_free(s->net);
    roam_tls_server_free(s->tls);
    unlink(s->cert);
    unlink(s->key);
    rmdir(s->dir);
}

static void test_crowd_of_handshakes_stalls_no_session(void **state)
{
    static struct scene s;

    (void)state;
    make_files(&s);
    make_hello(&s);
    open_server(&s);
    s.session = connect_to(s.plain_port);
    say_login(&s);
    roam_net_run(s.net, s.core);
    assert_int_equal(s.answered_count, CROWD);
    assert_true(s.most <= ROAM_HANDSHAKES_PER_TURN);
    assert_true(s.turns >= CROWD / ROAM_HANDSHAKES_PER_TURN);
    assert_true(s.pongs >= PONGS_AT_LEAST);
    close(s.session);
    for (int i = 0; i < CROWD; i++) {
        close(s.crowd[i]);
    }
    close_server(&s);
}

/* -------------------------------------------------------------- addresses */

static uint64_t number(const char *address)
{
    return roam_net_address_number(address, false);
}

static void test_limits_for_addresses_go_by_v4_and_by_v6_networks(void **st)
{
    (void)st;
    assert_true(number("10.0.0.1") != number("10.0.0.2"));
    assert_true(number("10.0.0.1") == number("::ffff:10.0.0.1"));
    assert_true(number("2001:db8:1:2::1") == number("2001:db8:1:2:3:4:5:6"));
    assert_true(number("2001:db8:1:2::1") != number("2001:db8:1:3::1"));
    assert_true(number("10.0.0.1") != number("::a00:1"));
    assert_true(number("0.0.0.0") != 0);
    assert_true(number("::2") != 0);
    static const char *const loopback[] = {"127.0.0.1", "127.9.9.9", "::1",
                                           "::ffff:127.0.0.1"};
    for (size_t i = 0; i < 4; i++) {
        assert_true(number(loopback[i]) == 0);
        assert_true(roam_net_address_number(loopback[i], true) != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limits_for_addresses_go_by_v4_and_by_v6_networks),
        cmocka_unit_test(test_crowd_of_handshakes_stalls_no_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
