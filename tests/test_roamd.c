/* SPDX-License-Identifier: Apache-2.0 */
/* roamd as a process: its start, its sockets, its end. What it says on the
 * wire is tested elsewhere; here it is one LOGIN that goes through. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>

#include "roamd_rig.h"

#define NO_LIMITS ((struct roamd_limits){0, 0})
#define start(rig, ...) roamd_start((rig), NO_LIMITS, __VA_ARGS__, NULL)

static char token[44];
static struct wire wires[2];

static int setup(void **state)
{
    static struct roamd_rig rig;

    roamd_rig_setup(&rig);
    roamd_rig_provision(&rig, "alice", token);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    roamd_rig_teardown(*state);
    return 0;
}

static void assert_says(const struct roamd_rig *rig, const char *text)
{
    if (strstr(rig->err, text) == NULL) {
        fail_msg("\"%s\" is not in: %s", text, rig->err);
    }
}

/* A connection with a session. */
static void enter(struct wire *w, const struct roamd_rig *rig, const char *user,
                  const char *user_token, uint8_t device)
{
    struct roam_message m;

    wire_open(w, rig->plain_port);
    wire_login(w, user, user_token, device, "a device", &m);
    assert_int_equal(m.type, ROAM_LOGIN_OK);
}

static void assert_kicked(struct wire *w, roam_v1_KickReason reason)
{
    struct roam_message m;

    assert_true(wire_receive(w, &m));
    assert_int_equal(m.type, ROAM_KICK);
    assert_int_equal(m.u.kick.reason, reason);
    assert_false(wire_receive(w, &m)); /* the last frame, then the end */
}

/* ---------------------------------------------------------- start and end */

static void test_sigterm_says_good_bye_and_exits_0(void **state)
{
    struct roamd_rig *rig = *state;

    start(rig, "run", "--plain-port", "0");
    enter(&wires[0], rig, "alice", token, 1);
    kill(rig->pid, SIGTERM);
    assert_kicked(&wires[0], roam_v1_KickReason_GOING_AWAY);
    wire_close(&wires[0]);
    assert_int_equal(roamd_wait(rig), 0);
    assert_true(roamd_log_has(rig, "info stopped\n"));
}

static void test_sigint_does_the_same(void **state)
{
    struct roamd_rig *rig = *state;

    start(rig, "run", "--plain-port", "0");
    enter(&wires[0], rig, "alice", token, 1);
    kill(rig->pid, SIGINT);
    assert_kicked(&wires[0], roam_v1_KickReason_GOING_AWAY);
    wire_close(&wires[0]);
    assert_int_equal(roamd_wait(rig), 0);
}

static void test_second_signal_does_not_wait_for_anybody(void **state)
{
    struct roamd_rig *rig = *state;

    /* A peer that keeps its end open makes the server linger. */
    start(rig, "run", "--plain-port", "0", "--set", "linger_ms=60000");
    enter(&wires[0], rig, "alice", token, 1);
    kill(rig->pid, SIGTERM);
    assert_kicked(&wires[0], roam_v1_KickReason_GOING_AWAY);
    kill(rig->pid, SIGTERM);
    assert_int_equal(roamd_wait(rig), 1);
    wire_close(&wires[0]);
}

static void test_sigkill_leaves_a_store_that_starts_again(void **state)
{
    struct roamd_rig *rig = *state;

    start(rig, "run", "--plain-port", "0");
    enter(&wires[0], rig, "alice", token, 1);
    assert_int_equal(roamd_stop(rig, SIGKILL), -SIGKILL);
    wire_close(&wires[0]);
    start(rig, "run", "--plain-port", "0");
    struct roam_message m;
    wire_open(&wires[0], rig->plain_port);
    wire_login(&wires[0], "alice", token, 1, "", &m);
    assert_int_equal(m.type, ROAM_REFUSED); /* that attempt was used */
    assert_int_equal(m.u.refused.reason, roam_v1_RefusedReason_STALE);
    wire_close(&wires[0]);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

static void test_second_server_on_one_home_is_refused(void **state)
{
    struct roamd_rig *rig = *state;

    start(rig, "run", "--plain-port", "0");
    roamd_expect(rig, 1, "run", "--plain-port", "0");
    assert_says(rig, "in use by another server");
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

static void test_port_in_use_is_named(void **state)
{
    struct roamd_rig *rig = *state;
    struct roamd_rig other;
    char port[16];

    start(rig, "run", "--plain-port", "0");
    snprintf(port, sizeof(port), "%u", rig->plain_port);
    roamd_rig_setup(&other);
    roamd_expect(&other, 0, "init");
    roamd_expect(&other, 1, "run", "--plain-port", port);
    assert_says(&other, "cannot listen on 127.0.0.1 port ");
    assert_says(&other, "Address already in use");
    roamd_rig_teardown(&other);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

static void test_missing_certificate_is_named(void **state)
{
    struct roamd_rig *rig = *state;

    roamd_expect(rig, 1, "run", "--port", "0", "--set",
                 "certificate=no-cert.pem");
    assert_says(rig, "home/no-cert.pem");
    roamd_expect(rig, 1, "run", "--port", "0", "--set", "key=/no/key.pem");
    assert_says(rig, "roamd: /no/key.pem");
}

/* `init` is named where it helps, and nowhere else. */
static void test_a_home_that_cannot_be_read_is_not_to_be_made(void **state)
{
    struct roamd_rig *rig = *state;
    struct roamd_rig other = *rig;

    snprintf(other.home, sizeof other.home, "%.100s/roamd.conf", rig->home);
    roamd_expect(&other, 1, "user", "list");
    assert_says(&other, "Not a directory");
    assert_null(strstr(other.err, "init"));
    snprintf(other.home, sizeof other.home, "%.100s/none", rig->home);
    roamd_expect(&other, 1, "user", "list");
    assert_says(&other, "none init` makes it");
}

static void test_users_added_while_it_runs_can_log_in(void **state)
{
    struct roamd_rig *rig = *state;
    char bobs[44];

    start(rig, "run", "--plain-port", "0");
    roamd_rig_provision(rig, "bob", bobs);
    enter(&wires[0], rig, "bob", bobs, 1);
    roamd_expect(rig, 0, "token", "revoke", bobs);
    struct roam_message m;
    wire_open(&wires[1], rig->plain_port);
    wire_login(&wires[1], "bob", bobs, 1, "", &m);
    assert_int_equal(m.type, ROAM_REFUSED);
    assert_int_equal(m.u.refused.reason, roam_v1_RefusedReason_CREDENTIAL);
    wire_close(&wires[0]);
    wire_close(&wires[1]);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

/* ------------------------------------------------------------------- time */

static void test_silent_connections_are_ended(void **state)
{
    struct roamd_rig *rig = *state;
    uint8_t byte;

    start(rig, "run", "--plain-port", "0", "--port", "0", "--set",
          "login_timeout_ms=100", "--set", "handshake_timeout_ms=100");
    wire_open(&wires[0], rig->plain_port);
    assert_kicked(&wires[0], roam_v1_KickReason_LOGIN_TIMEOUT);
    wire_close(&wires[0]);
    int fd = roamd_connect(rig->tls_port); /* who says nothing hears nothing */
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

/* One that does not read is ended; who sends to it is not held up. */
static void test_peer_that_does_not_read_is_ended_alone(void **state)
{
    struct roamd_rig *rig = *state;
    static uint8_t body[60000];
    struct roam_message m;

    start(rig, "run", "--plain-port", "0", "--set", "write_timeout_ms=300");
    char bobs[44];
    roamd_rig_provision(rig, "bob", bobs);
    enter(&wires[0], rig, "alice", token, 1);
    roam_message_init(&m, ROAM_SYNC);
    m.u.sync.max_entries = 1000;
    m.u.sync.max_unacked = 8192;
    m.u.sync.max_inflated = 262144;
    assert_true(wire_send(&wires[0], &m));
    enter(&wires[1], rig, "bob", bobs, 1);
    for (uint64_t id = 1; id <= 400; id++) { /* 24 MB */
        roam_message_init(&m, ROAM_SEND);
        m.u.send.client_msg_id = id;
        strcpy(m.u.send.conversation, "alice");
        m.body = (struct roam_slice){body, sizeof(body)};
        assert_true(wire_send(&wires[1], &m));
        assert_true(wire_receive(&wires[1], &m));
        assert_int_equal(m.type, ROAM_SEND_OK);
    }
    /* Its end comes by itself; what it can still read breaks off. */
    uint64_t entries = 0;
    roamd_await_log(rig, "TOO_SLOW");
    while (wire_receive(&wires[0], &m)) {
        entries += m.type == ROAM_PUSH;
    }
    assert_true(entries < 400);
    wire_close(&wires[0]);
    wire_close(&wires[1]);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

/* -------------------------------------------------------------- shortages */

static void test_without_descriptors_it_waits_and_goes_on(void **state)
{
    struct roamd_rig *rig = *state;
    enum {
        MANY = 60
    };
    int fds[MANY];
    struct roam_message m;

    roamd_start(rig, (struct roamd_limits){.files = 40}, "run", "--plain-port",
                "0", NULL);
    for (int i = 0; i < MANY; i++) {
        fds[i] = roamd_connect(rig->plain_port); /* the kernel takes them */
    }
    roamd_await_log(rig, "accept-paused");
    for (int i = 0; i < MANY; i++) {
        close(fds[i]);
    }
    wire_open(&wires[0], rig->plain_port);
    wire_login(&wires[0], "alice", token, 1, "", &m);
    assert_int_equal(m.type, ROAM_LOGIN_OK);
    wire_close(&wires[0]);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

static void test_connections_above_the_limit_are_told(void **state)
{
    struct roamd_rig *rig = *state;

    start(rig, "run", "--plain-port", "0", "--set", "max_sessions=1");
    enter(&wires[0], rig, "alice", token, 1);
    wire_open(&wires[1], rig->plain_port);
    assert_kicked(&wires[1], roam_v1_KickReason_OVERLOADED);
    wire_close(&wires[1]);
    wire_close(&wires[0]);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

/* The disk is full: no answer, and an exit status of its own. [SEND-2] */
static void test_store_that_fails_ends_the_server_with_3(void **state)
{
    struct roamd_rig *rig = *state;
    static uint8_t body[20000];
    struct roam_message m;
    uint64_t stored = 0;

    roamd_start(rig, (struct roamd_limits){.bytes = 1 << 20}, "run",
                "--plain-port", "0", NULL);
    enter(&wires[0], rig, "alice", token, 1);
    for (uint64_t id = 1;; id++) {
        roam_message_init(&m, ROAM_SEND);
        m.u.send.client_msg_id = id;
        strcpy(m.u.send.conversation, "alice");
        m.body = (struct roam_slice){body, sizeof(body)};
        if (!wire_send(&wires[0], &m) || !wire_receive(&wires[0], &m)) {
            break;
        }
        assert_int_equal(m.type, ROAM_SEND_OK);
        stored++;
    }
    wire_close(&wires[0]);
    assert_true(stored > 0);
    assert_int_equal(roamd_wait(rig), 3);
    assert_true(roamd_log_has(rig, "error store-failed reason="));
    /* With room again, all that was answered is there. */
    start(rig, "run", "--plain-port", "0");
    struct roam_message login = login_message("alice", token, 1, "");
    login.u.login.attempt = 2;
    wire_open(&wires[0], rig->plain_port);
    assert_true(wire_send(&wires[0], &login));
    assert_true(wire_receive(&wires[0], &m));
    assert_int_equal(m.type, ROAM_LOGIN_OK);
    for (uint64_t id = 1; id <= stored; id++) {
        roam_message_init(&m, ROAM_SEND);
        m.u.send.client_msg_id = id;
        strcpy(m.u.send.conversation, "alice");
        m.body = (struct roam_slice){body, sizeof(body)};
        assert_true(wire_send(&wires[0], &m));
        assert_true(wire_receive(&wires[0], &m));
        assert_int_equal(m.type, ROAM_SEND_OK);
        assert_true(m.u.send_ok.duplicate);
    }
    wire_close(&wires[0]);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

/* -------------------------------------------------------------------- log */

/* [SEC-1] */
static void test_log_has_no_token_and_no_forged_line(void **state)
{
    struct roamd_rig *rig = *state;
    struct roam_message m;

    start(rig, "run", "--plain-port", "0", "--log-level", "debug");
    wire_open(&wires[0], rig->plain_port);
    wire_login(&wires[0], "alice\nforged", token, 1, "\x1b[31m", &m);
    assert_int_equal(m.type, ROAM_REFUSED);
    wire_login(&wires[0], "alice", token, 1, "Ann's\nforged", &m);
    assert_int_equal(m.type, ROAM_LOGIN_OK);
    wire_close(&wires[0]);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
    assert_true(roamd_log_has(rig, "alice"));
    assert_false(roamd_log_has(rig, token));
    assert_false(roamd_log_has(rig, "\nforged"));
    assert_false(roamd_log_has(rig, "\x1b"));
}

/* -------------------------------------------------------------------- TLS */

struct tls_client {
    mbedtls_net_context net;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_x509_crt trusted;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
};

static void tls_open(struct tls_client *t, const struct roamd_rig *rig)
{
    static const char *alpn[] = {"roam/1", NULL};
    char path[256];

    mbedtls_net_init(&t->net);
    mbedtls_entropy_init(&t->entropy);
    mbedtls_ctr_drbg_init(&t->random);
    mbedtls_x509_crt_init(&t->trusted);
    mbedtls_ssl_config_init(&t->config);
    mbedtls_ssl_init(&t->ssl);
    snprintf(path, sizeof(path), "%s/cert.pem", rig->home);
    assert_int_equal(mbedtls_x509_crt_parse_file(&t->trusted, path), 0);
    assert_int_equal(mbedtls_ctr_drbg_seed(&t->random, mbedtls_entropy_func,
                                           &t->entropy, NULL, 0),
                     0);
    assert_int_equal(mbedtls_ssl_config_defaults(&t->config,
                                                 MBEDTLS_SSL_IS_CLIENT,
                                                 MBEDTLS_SSL_TRANSPORT_STREAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    mbedtls_ssl_conf_rng(&t->config, mbedtls_ctr_drbg_random, &t->random);
    mbedtls_ssl_conf_ca_chain(&t->config, &t->trusted, NULL);
    mbedtls_ssl_conf_alpn_protocols(&t->config, alpn);
    assert_int_equal(mbedtls_ssl_setup(&t->ssl, &t->config), 0);
    assert_int_equal(mbedtls_ssl_set_hostname(&t->ssl, "localhost"), 0);
    t->net.fd = roamd_connect(rig->tls_port);
    mbedtls_ssl_set_bio(&t->ssl, &t->net, mbedtls_net_send, mbedtls_net_recv,
                        NULL);
}

static void tls_close(struct tls_client *t)
{
    mbedtls_ssl_free(&t->ssl);
    mbedtls_ssl_config_free(&t->config);
    mbedtls_x509_crt_free(&t->trusted);
    mbedtls_ctr_drbg_free(&t->random);
    mbedtls_entropy_free(&t->entropy);
    mbedtls_net_free(&t->net);
}

static void tls_receive(struct tls_client *t, uint8_t *buf, size_t len)
{
    for (size_t got = 0; got < len;) {
        int rc = mbedtls_ssl_read(&t->ssl, buf + got, len - got);
        assert_true(rc > 0);
        got += (size_t)rc;
    }
}

static void tls_receive_message(struct tls_client *t, struct roam_message *m)
{
    static uint8_t frame[4096];

    tls_receive(t, frame, ROAM_FRAME_HEADER_BYTES);
    size_t len = (size_t)frame[1] << 16 | (size_t)frame[2] << 8 | frame[3];
    assert_true(len <= sizeof(frame) - ROAM_FRAME_HEADER_BYTES);
    uint8_t type = frame[0];
    tls_receive(t, frame, len);
    assert_int_equal(
        roam_message_decode(type, (struct roam_slice){frame, len}, m), 0);
}

static void test_login_and_good_bye_over_tls(void **state)
{
    struct roamd_rig *rig = *state;
    struct roam_message m = login_message("alice", token, 1, "over TLS");
    uint8_t frame[1024];
    size_t len = roam_message_encode(&m, frame, sizeof(frame));
    struct tls_client t;

    start(rig, "run", "--port", "0", "--listen", "127.0.0.1");
    assert_int_equal(rig->plain_port, 0);
    tls_open(&t, rig);
    assert_int_equal(mbedtls_ssl_handshake(&t.ssl), 0);
    for (size_t i = 0; i < len; i++) { /* one byte in a record */
        assert_int_equal(mbedtls_ssl_write(&t.ssl, frame + i, 1), 1);
    }
    tls_receive_message(&t, &m);
    assert_int_equal(m.type, ROAM_LOGIN_OK);
    kill(rig->pid, SIGTERM);
    tls_receive_message(&t, &m);
    assert_int_equal(m.type, ROAM_KICK);
    assert_int_equal(m.u.kick.reason, roam_v1_KickReason_GOING_AWAY);
    assert_int_equal(mbedtls_ssl_read(&t.ssl, frame, 1),
                     MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
    tls_close(&t);
    assert_int_equal(roamd_wait(rig), 0);
}

/* [FLOW-10], with the kernel's addresses. */
static void test_connections_of_an_address_are_counted(void **state)
{
    struct roamd_rig *rig = *state;

    start(rig, "run", "--plain-port", "0", "--set", "limit_loopback=yes",
          "--set", "address_connections=1/600000");
    enter(&wires[0], rig, "alice", token, 1);
    wire_open(&wires[1], rig->plain_port);
    assert_kicked(&wires[1], roam_v1_KickReason_OVERLOADED);
    wire_close(&wires[1]);
    wire_close(&wires[0]);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

/* [TIME-4]: a handshake has no more time than a login, and bytes received
 * give it none. */
static void test_handshake_that_does_not_end_is_ended(void **state)
{
    struct roamd_rig *rig = *state;
    static const uint8_t part_of_a_record[] = {22, 3, 1, 0};
    uint8_t byte;

    start(rig, "run", "--port", "0", "--set", "handshake_timeout_ms=600000",
          "--set", "login_timeout_ms=300");
    int fd = roamd_connect(rig->tls_port);
    for (size_t i = 0; i < sizeof(part_of_a_record); i++) {
        assert_int_equal(send(fd, part_of_a_record + i, 1, MSG_NOSIGNAL), 1);
    }
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

/* [TLS-5]: a hundred answers at once, to a client that has room for 600
 * bytes. The library gives what is in one record. */
static void test_no_record_is_longer_than_the_clients_frames(void **state)
{
    struct roamd_rig *rig = *state;
    struct roam_message m = login_message("alice", token, 1, "small");
    static uint8_t frames[4096];
    static uint8_t record[16384];
    struct tls_client t;
    int longest = 0;

    start(rig, "run", "--port", "0");
    m.u.login.max_frame = 600;
    size_t len = roam_message_encode(&m, frames, sizeof(frames));
    tls_open(&t, rig);
    assert_int_equal(mbedtls_ssl_handshake(&t.ssl), 0);
    assert_int_equal(mbedtls_ssl_write(&t.ssl, frames, len), (int)len);
    tls_receive_message(&t, &m);
    assert_int_equal(m.type, ROAM_LOGIN_OK);
    roam_message_init(&m, ROAM_PING);
    m.u.ping.id = UINT64_MAX;
    for (len = 0; len < 100 * 15;) {
        len += roam_message_encode(&m, frames + len, sizeof(frames) - len);
    }
    assert_int_equal(mbedtls_ssl_write(&t.ssl, frames, len), (int)len);
    for (size_t got = 0; got < len;) { /* PONGs are as long as PINGs */
        int rc = mbedtls_ssl_read(&t.ssl, record, sizeof(record));
        assert_true(rc > 0);
        longest = rc > longest ? rc : longest;
        got += (size_t)rc;
    }
    assert_true(longest > 512 && longest <= 600);
    tls_close(&t);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

/* 600 of them, where 512 may be in the middle of it. */
static void test_idle_handshakes_give_way_to_a_busy_one(void **state)
{
    struct roamd_rig *rig = *state;
    enum {
        MANY = 600
    };
    static int fds[MANY];
    struct tls_client t;

    start(rig, "run", "--port", "0", "--set", "handshake_timeout_ms=600000");
    for (int i = 0; i < MANY; i++) {
        fds[i] = roamd_connect(rig->tls_port);
    }
    roamd_await_log(rig, "accept-paused");
    tls_open(&t, rig);
    assert_int_equal(mbedtls_ssl_handshake(&t.ssl), 0);
    tls_close(&t);
    for (int i = 0; i < MANY; i++) {
        close(fds[i]);
    }
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

static void test_wrong_alpn_hears_an_alert_and_is_logged(void **state)
{
    struct roamd_rig *rig = *state;
    static const char *alpn[] = {"h2", NULL};
    struct tls_client t;

    start(rig, "run", "--port", "0");
    tls_open(&t, rig);
    mbedtls_ssl_conf_alpn_protocols(&t.config, alpn);
    assert_int_equal(mbedtls_ssl_handshake(&t.ssl),
                     MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE);
    tls_close(&t);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
    assert_true(roamd_log_has(rig, "tls-refused"));
}

static void test_drain_does_not_wait_for_a_handshake(void **state)
{
    struct roamd_rig *rig = *state;
    uint8_t byte;

    start(rig, "run", "--port", "0", "--plain-port", "0");
    int fd = roamd_connect(rig->tls_port);
    enter(&wires[0], rig, "alice", token, 1); /* so both were accepted */
    kill(rig->pid, SIGTERM);
    assert_kicked(&wires[0], roam_v1_KickReason_GOING_AWAY);
    wire_close(&wires[0]);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
    close(fd);
    assert_int_equal(roamd_wait(rig), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_sigterm_says_good_bye_and_exits_0),
        TEST(test_sigint_does_the_same),
        TEST(test_second_signal_does_not_wait_for_anybody),
        TEST(test_sigkill_leaves_a_store_that_starts_again),
        TEST(test_second_server_on_one_home_is_refused),
        TEST(test_port_in_use_is_named),
        TEST(test_missing_certificate_is_named),
        TEST(test_a_home_that_cannot_be_read_is_not_to_be_made),
        TEST(test_users_added_while_it_runs_can_log_in),
        TEST(test_silent_connections_are_ended),
        TEST(test_peer_that_does_not_read_is_ended_alone),
        TEST(test_without_descriptors_it_waits_and_goes_on),
        TEST(test_connections_above_the_limit_are_told),
        TEST(test_store_that_fails_ends_the_server_with_3),
        TEST(test_log_has_no_token_and_no_forged_line),
        TEST(test_login_and_good_bye_over_tls),
        TEST(test_connections_of_an_address_are_counted),
        TEST(test_handshake_that_does_not_end_is_ended),
        TEST(test_no_record_is_longer_than_the_clients_frames),
        TEST(test_idle_handshakes_give_way_to_a_busy_one),
        TEST(test_wrong_alpn_hears_an_alert_and_is_logged),
        TEST(test_drain_does_not_wait_for_a_handshake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
