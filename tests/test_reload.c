/* SPDX-License-Identifier: Apache-2.0 */
/* A server that runs, and what its operator and the service manager have
 * with it: SIGHUP, notifications, limits and locks of the machine. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <sqlite3.h>

#include "dev_cert.h"
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
    unsetenv("NOTIFY_SOCKET");
    roamd_rig_teardown(*state);
    return 0;
}

static void enter(struct wire *w, const struct roamd_rig *rig)
{
    struct roam_message m;

    wire_open(w, rig->plain_port);
    wire_login(w, "alice", token, 1, "a device", &m);
    assert_int_equal(m.type, ROAM_LOGIN_OK);
}

/* The session lives, and all that was sent to the server before is done. */
static void assert_alive(struct wire *w)
{
    struct roam_message m;

    roam_message_init(&m, ROAM_PING);
    m.u.ping.id = 7;
    assert_true(wire_send(w, &m));
    assert_true(wire_receive(w, &m));
    assert_int_equal(m.type, ROAM_PONG);
}

static const char *path_of(const struct roamd_rig *rig, const char *name)
{
    static char paths[4][256];
    static unsigned at;
    char *path = paths[at++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", rig->home, name);
    return path;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* What is there already does not count. */
static void reload(struct roamd_rig *rig, const char *outcome)
{
    assert_int_equal(truncate(rig->log_file, 0), 0);
    kill(rig->pid, SIGHUP);
    roamd_await_log(rig, outcome);
}

/* -------------------------------------------------------------------- TLS */

struct tls_client {
    mbedtls_net_context net;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    mbedtls_ssl_config config;
    mbedtls_ssl_context ssl;
};

/* Any certificate is fine: which one it is, is what the tests ask. */
static void tls_open(struct tls_client *t, const struct roamd_rig *rig)
{
    static const char *alpn[] = {"roam/1", NULL};

    mbedtls_net_init(&t->net);
    mbedtls_entropy_init(&t->entropy);
    mbedtls_ctr_drbg_init(&t->random);
    mbedtls_ssl_config_init(&t->config);
    mbedtls_ssl_init(&t->ssl);
    assert_int_equal(mbedtls_ctr_drbg_seed(&t->random, mbedtls_entropy_func,
                                           &t->entropy, NULL, 0),
                     0);
    assert_int_equal(mbedtls_ssl_config_defaults(&t->config,
                                                 MBEDTLS_SSL_IS_CLIENT,
                                                 MBEDTLS_SSL_TRANSPORT_STREAM,
                                                 MBEDTLS_SSL_PRESET_DEFAULT),
                     0);
    mbedtls_ssl_conf_rng(&t->config, mbedtls_ctr_drbg_random, &t->random);
    mbedtls_ssl_conf_authmode(&t->config, MBEDTLS_SSL_VERIFY_OPTIONAL);
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
    mbedtls_ctr_drbg_free(&t->random);
    mbedtls_entropy_free(&t->entropy);
    mbedtls_net_free(&t->net);
}

/* The certificate of the server is the one in that file. */
static bool has_certificate(const struct tls_client *t, const char *path)
{
    const mbedtls_x509_crt *peer = mbedtls_ssl_get_peer_cert(&t->ssl);
    mbedtls_x509_crt want;

    assert_non_null(peer);
    mbedtls_x509_crt_init(&want);
    assert_int_equal(mbedtls_x509_crt_parse_file(&want, path), 0);
    bool same = peer->raw.len == want.raw.len &&
                memcmp(peer->raw.p, want.raw.p, want.raw.len) == 0;
    mbedtls_x509_crt_free(&want);
    return same;
}

static void assert_serves(const struct roamd_rig *rig, const char *path)
{
    struct tls_client t;

    tls_open(&t, rig);
    assert_int_equal(mbedtls_ssl_handshake(&t.ssl), 0);
    assert_true(has_certificate(&t, path));
    tls_close(&t);
}

static void tls_send(struct tls_client *t, const struct roam_message *m)
{
    uint8_t frame[1024];
    size_t len = roam_message_encode(m, frame, sizeof(frame));

    assert_int_equal(mbedtls_ssl_write(&t->ssl, frame, len), len);
}

static void tls_expect(struct tls_client *t, uint8_t type)
{
    uint8_t frame[4096];

    assert_true(mbedtls_ssl_read(&t->ssl, frame, sizeof(frame)) > 0);
    assert_int_equal(frame[0], type);
}

static void replace_certificate(const struct roamd_rig *rig)
{
    char error[256] = "";

    if (!roam_dev_cert_write(path_of(rig, "new.pem"), path_of(rig, "new.key"),
                             error, sizeof(error))) {
        fail_msg("%s", error);
    }
    rename(path_of(rig, "cert.pem"), path_of(rig, "old.pem"));
    rename(path_of(rig, "new.pem"), path_of(rig, "cert.pem"));
    rename(path_of(rig, "new.key"), path_of(rig, "key.pem"));
}

static void test_new_certificate_is_for_new_handshakes_only(void **state)
{
    struct roamd_rig *rig = *state;
    struct roam_message m = login_message("alice", token, 1, "over TLS");
    struct tls_client live, under_way;

    start(rig, "run", "--port", "0");
    tls_open(&live, rig);
    assert_int_equal(mbedtls_ssl_handshake(&live.ssl), 0);
    tls_send(&live, &m);
    tls_expect(&live, ROAM_LOGIN_OK);
    tls_open(&under_way, rig); /* its hello is answered before the reload */
    while (mbedtls_ssl_get_peer_cert(&under_way.ssl) == NULL) {
        assert_int_equal(mbedtls_ssl_handshake_step(&under_way.ssl), 0);
    }
    replace_certificate(rig);
    reload(rig, "info reloaded settings=0 certificate=read\n");
    assert_serves(rig, path_of(rig, "cert.pem"));
    assert_int_equal(mbedtls_ssl_handshake(&under_way.ssl), 0);
    assert_true(has_certificate(&under_way, path_of(rig, "old.pem")));
    roam_message_init(&m, ROAM_PING);
    tls_send(&live, &m);
    tls_expect(&live, ROAM_PONG);
    reload(rig, "info reloaded"); /* and again, with both still there */
    tls_send(&live, &m);
    tls_expect(&live, ROAM_PONG);
    tls_close(&under_way);
    tls_close(&live);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

static void test_broken_certificate_keeps_the_old_one(void **state)
{
    struct roamd_rig *rig = *state;

    start(rig, "run", "--port", "0");
    replace_certificate(rig);
    write_file(path_of(rig, "key.pem"), "no key");
    write_file(path_of(rig, "roamd.conf"), "log_level = debug\n");
    reload(rig, "error reload-failed reason=");
    assert_true(roamd_log_has(rig, "key.pem"));
    assert_serves(rig, path_of(rig, "old.pem"));
    /* All or nothing: the level is the old one, too. */
    assert_false(roamd_log_has(rig, "reloaded"));
    reload(rig, "error reload-failed reason=");
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

/* --------------------------------------------------------------- settings */

static void test_settings_that_may_change_do(void **state)
{
    struct roamd_rig *rig = *state;
    struct roam_message m;

    start(rig, "run", "--plain-port", "0");
    enter(&wires[0], rig);
    write_file(path_of(rig, "roamd.conf"), "max_sessions = 1\n"
                                           "user_sends = 5/1000\n"
                                           "user_deliveries = 5/1000\n"
                                           "heartbeat_ms = 5000\n"
                                           "linger_ms = 7\n");
    reload(rig, "info reloaded settings=3 certificate=none\n");
    assert_true(
        roamd_log_has(rig, "warn setting-kept name=heartbeat_ms until="));
    assert_true(roamd_log_has(rig, "warn setting-kept name=linger_ms until="));
    assert_false(roamd_log_has(rig, "name=max_sessions"));
    wire_open(&wires[1], rig->plain_port);
    assert_true(wire_receive(&wires[1], &m)); /* there is no second place */
    assert_int_equal(m.type, ROAM_KICK);
    assert_int_equal(m.u.kick.reason, roam_v1_KickReason_OVERLOADED);
    wire_close(&wires[1]);
    assert_alive(&wires[0]);
    wire_close(&wires[0]);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

static void test_broken_file_changes_nothing_and_is_named(void **state)
{
    struct roamd_rig *rig = *state;

    start(rig, "run", "--plain-port", "0");
    enter(&wires[0], rig);
    write_file(path_of(rig, "roamd.conf"), "log_level = warn\nmax_body = x\n");
    reload(rig, "error reload-failed reason=");
    assert_true(roamd_log_has(rig, "roamd.conf:2: max_body"));
    write_file(path_of(rig, "roamd.conf"), "colour = red\n");
    reload(rig, "there is no setting 'colour'\"\n"); /* the only value's end */
    write_file(path_of(rig, "roamd.conf"), "max_body = 100000\n");
    reload(rig, "error reload-failed reason=\"max_frame is ");
    assert_int_equal(unlink(path_of(rig, "roamd.conf")), 0);
    reload(rig, "error reload-failed reason=");
    assert_true(roamd_log_has(rig, "No such file"));
    assert_alive(&wires[0]);
    wire_close(&wires[0]);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
    assert_true(roamd_log_has(rig, "info stopped")); /* info is still said */
}

static void test_command_line_stays_above_the_file(void **state)
{
    struct roamd_rig *rig = *state;

    start(rig, "run", "--plain-port", "0", "--set", "max_sessions=9");
    write_file(path_of(rig, "roamd.conf"),
               "max_sessions = 1\nport = 1\nretry_window_ms = 5\n");
    reload(rig, "info reloaded settings=1 certificate=none\n");
    assert_false(roamd_log_has(rig, "setting-kept"));
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

/* -------------------------------------------------------- service manager */

static int notify_socket(const char *path, char first)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 60};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_true(strlen(path) < sizeof(at.sun_path));
    strcpy(at.sun_path, path);
    at.sun_path[0] = first;
    assert_int_equal(bind(fd, (struct sockaddr *)&at,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                                      strlen(path))),
                     0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
    return fd;
}

static void assert_notified(int fd, const char *want)
{
    char text[256];
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

    assert_true(n > 0);
    text[n] = '\0';
    assert_memory_equal(text, want, strlen(want));
}

static void check_notifications(struct roamd_rig *rig, int fd)
{
    start(rig, "run", "--plain-port", "0");
    assert_notified(fd, "READY=1");
    kill(rig->pid, SIGHUP);
    assert_notified(fd, "RELOADING=1\nMONOTONIC_USEC=");
    assert_notified(fd, "READY=1");
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
    assert_notified(fd, "STOPPING=1");
    close(fd);
}

static void test_service_manager_is_told_of_each_state(void **state)
{
    struct roamd_rig *rig = *state;
    char path[sizeof(rig->dir) + 8];

    snprintf(path, sizeof(path), "%s/notify", rig->dir);
    check_notifications(rig, notify_socket(path, path[0]));
    snprintf(path, sizeof(path), "@roamd-test-%d", (int)getpid());
    check_notifications(rig, notify_socket(path, '\0'));
}

static void test_bad_notify_socket_stops_nobody(void **state)
{
    struct roamd_rig *rig = *state;
    char path[200];

    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[199] = '\0';
    setenv("NOTIFY_SOCKET", path, 1);
    start(rig, "run", "--plain-port", "0");
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

/* ------------------------------------------------------------ the machine */

static void test_descriptors_for_all_sessions_are_asked_for(void **state)
{
    struct roamd_rig *rig = *state;
    const struct roamd_limits hundred = {.files = 100};
    struct rlimit before;

    roamd_start(rig, hundred, "run", "--plain-port", "0", "--set",
                "max_sessions=36", NULL);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
    assert_false(roamd_log_has(rig, "file-limit"));
    roamd_start(rig, hundred, "run", "--plain-port", "0", "--set",
                "max_sessions=37", NULL);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
    assert_true(roamd_log_has(rig, "warn file-limit files=100 needed=101"));
    assert_int_equal(truncate(rig->log_file, 0), 0);
    getrlimit(RLIMIT_NOFILE, &before); /* the soft limit alone is raised */
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){100, before.rlim_max});
    start(rig, "run", "--plain-port", "0", "--set", "max_sessions=200");
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
    assert_false(roamd_log_has(rig, "file-limit"));
}

/* Somebody left `sqlite3 roamd.db` open in the middle of a transaction. */
static void test_wait_for_anothers_lock_is_told(void **state)
{
    struct roamd_rig *rig = *state;
    struct roam_message m;
    sqlite3 *db;

    start(rig, "run", "--plain-port", "0");
    enter(&wires[0], rig);
    assert_int_equal(sqlite3_open(path_of(rig, "roamd.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    roam_message_init(&m, ROAM_SEND);
    m.u.send.client_msg_id = 1;
    strcpy(m.u.send.conversation, "alice");
    assert_true(wire_send(&wires[0], &m));
    roamd_await_log(rig, "warn store-waits after_ms=250 reason=\"another");
    assert_false(roamd_log_has(rig, "store-goes-on"));
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_true(wire_receive(&wires[0], &m));
    assert_int_equal(m.type, ROAM_SEND_OK);
    roamd_await_log(rig, "warn store-goes-on waited_ms=");
    wire_close(&wires[0]);
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_new_certificate_is_for_new_handshakes_only),
        TEST(test_broken_certificate_keeps_the_old_one),
        TEST(test_settings_that_may_change_do),
        TEST(test_broken_file_changes_nothing_and_is_named),
        TEST(test_command_line_stays_above_the_file),
        TEST(test_service_manager_is_told_of_each_state),
        TEST(test_bad_notify_socket_stops_nobody),
        TEST(test_descriptors_for_all_sessions_are_asked_for),
        TEST(test_wait_for_anothers_lock_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
