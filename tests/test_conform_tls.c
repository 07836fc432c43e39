/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS server that the harness plays, before its own TLS client in another
 * process: what it shows is bad where it says so and only there, a ticket is
 * seen when it comes back, and records are as short as [TLS-5] asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Before cmocka.h, which has macros of the same names. */
#include "client_case.h"
#include "text.h"
#include "tls.h"

#include <cmocka.h>

#define PATIENCE_MS 60000u /* only ends what hangs */
#define LONG 2000u

/* The file of its authority; the caller frees and removes it. */
static char *ca_file(const struct tls_server *s)
{
    char *path = strdup("/tmp/roam-test-ca-XXXXXX");
    int fd = mkstemp(path);
    const char *pem = tls_server_ca(s);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, pem, strlen(pem)), (ssize_t)strlen(pem));
    close(fd);
    return path;
}

static void make_pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (int i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
    }
}

static struct tls *client_of(int fd, const char *ca, const char *host,
                             const struct tls_ticket *ticket)
{
    const char *reason = "";
    return tls_open(fd, ca, host, ticket, now_ms() + PATIENCE_MS, &reason);
}

static struct tls *client(int fd, const char *ca,
                          const struct tls_ticket *ticket)
{
    return client_of(fd, ca, "localhost", ticket);
}

static bool has_more(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, PATIENCE_MS) > 0;
}

/* TLS_SHAKING: nothing came for a long time. */
static enum tls_progress serve(struct tls *t, int fd)
{
    const char *reason = "";
    enum tls_progress p = TLS_SHAKING;
    while (p == TLS_SHAKING && has_more(fd)) {
        p = tls_shake(t, &reason);
    }
    return p;
}

static void await(pid_t child)
{
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* What a client that looks for that host makes of this certificate. */
static bool is_trusted_as(struct tls_server *s, const char *ca,
                          const char *host)
{
    const char *reason = "";
    int fds[2];
    make_pair(fds);
    pid_t child = fork();
    if (child == 0) {
        close(fds[0]);
        _exit(client_of(fds[1], ca, host, NULL) ? 1 : 0);
    }
    close(fds[1]);
    struct tls *t = tls_accept(s, fds[0], &reason);
    assert_non_null(t);
    enum tls_progress p = serve(t, fds[0]);
    tls_close(t, false);
    close(fds[0]);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(p, WEXITSTATUS(status) ? TLS_DONE : TLS_LEFT);
    return WEXITSTATUS(status);
}

static bool is_trusted(struct tls_server *s, const char *ca)
{
    return is_trusted_as(s, ca, "localhost");
}

static void test_only_the_good_certificate_is_trusted(void **state)
{
    (void)state;
    static const char *const bad[] = {"other-name", "expired", "self-signed",
                                      "other-authority", "no-authority"};
    const char *reason = "";
    struct tls_server *s = tls_server_new("localhost", &reason);
    assert_non_null(s);
    char *ca = ca_file(s);
    assert_true(tls_server_is_good(s));
    assert_true(is_trusted(s, ca));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(tls_server_show(s, bad[i], &reason));
        assert_false(tls_server_is_good(s));
        assert_string_equal(tls_server_shows(s), bad[i]);
        assert_false(is_trusted(s, ca));
    }
    assert_true(tls_server_show(s, "good", &reason));
    assert_true(is_trusted(s, ca));
    assert_false(tls_server_knows("best"));
    assert_false(tls_server_show(s, "best", &reason));
    unlink(ca);
    free(ca);
}

static void test_a_server_at_an_address_is_that_one(void **state)
{
    (void)state;
    const char *reason = "";
    struct tls_server *s = tls_server_new("127.0.0.2", &reason);
    assert_non_null(s);
    char *ca = ca_file(s);
    assert_true(is_trusted_as(s, ca, "127.0.0.2"));
    assert_false(is_trusted_as(s, ca, "127.0.0.3"));
    assert_false(is_trusted(s, ca));
    unlink(ca);
    free(ca);
}

static void test_another_servers_authority_is_none(void **state)
{
    (void)state;
    const char *reason = "";
    struct tls_server *a = tls_server_new("localhost", &reason);
    struct tls_server *b = tls_server_new("localhost", &reason);
    char *ca = ca_file(b);
    assert_false(is_trusted(a, ca));
    assert_true(is_trusted(b, ca));
    unlink(ca);
    free(ca);
}

/* Three connections; the client offers the last one's ticket. */
static int come_three_times(int fds[3][2], const char *ca)
{
    const struct tls_ticket *ticket = NULL;
    int resumed = 0;
    for (int i = 0; i < 3; i++) {
        struct tls *t = client(fds[i][1], ca, ticket);
        if (!t) {
            return 1;
        }
        resumed = resumed * 2 + tls_is_resumed(t);
        ticket = tls_take_ticket(t);
        tls_close(t, true);
    }
    return resumed == 2 ? 0 : 1; /* the second time, and not the third */
}

static void test_a_ticket_is_seen_and_taken_until_something_else_is_shown(
    void **state)
{
    (void)state;
    const char *reason = "";
    struct tls_server *s = tls_server_new("localhost", &reason);
    char *ca = ca_file(s);
    int fds[3][2];
    for (int i = 0; i < 3; i++) {
        make_pair(fds[i]);
    }
    pid_t child = fork();
    if (child == 0) {
        _exit(come_three_times(fds, ca));
    }
    for (int i = 0; i < 3; i++) {
        if (i == 2) {
            assert_true(tls_server_show(s, "good", &reason));
        }
        struct tls *t = tls_accept(s, fds[i][0], &reason);
        assert_non_null(t);
        assert_int_equal(serve(t, fds[i][0]), TLS_DONE);
        assert_int_equal(tls_has_offered(t), i > 0);
        assert_int_equal(tls_is_resumed(t), i == 1);
        tls_close(t, false);
    }
    await(child);
    unlink(ca);
    free(ca);
}

/* What a read gives is one record's plaintext. */
static int read_short_records(int fd, const char *ca, size_t most)
{
    static uint8_t in[LONG];
    struct tls *t = client(fd, ca, NULL);
    size_t have = 0;
    while (t && have < LONG && has_more(fd)) {
        ssize_t n = tls_read(t, in, sizeof in);
        if (n == 0 || n > (ssize_t)most) {
            return 1;
        }
        have += n > 0 ? (size_t)n : 0;
    }
    return have == LONG ? 0 : 1;
}

static void test_records_are_as_short_as_asked(void **state)
{
    (void)state;
    static const uint8_t data[LONG];
    const char *reason = "";
    struct tls_server *s = tls_server_new("localhost", &reason);
    char *ca = ca_file(s);
    int fds[2];
    make_pair(fds);
    struct conn c = {.fd = fds[0], .record_max = 512};
    pid_t child = fork();
    if (child == 0) {
        _exit(read_short_records(fds[1], ca, c.record_max));
    }
    c.tls = tls_accept(s, fds[0], &reason);
    assert_int_equal(serve(c.tls, fds[0]), TLS_DONE);
    for (size_t at = 0; at < LONG;) {
        ssize_t n = secure_write(&c, data + at, LONG - at);
        assert_true(n > 0 && n <= 512);
        at += (size_t)n;
    }
    await(child);
    unlink(ca);
    free(ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_good_certificate_is_trusted),
        cmocka_unit_test(test_a_server_at_an_address_is_that_one),
        cmocka_unit_test(test_another_servers_authority_is_none),
        cmocka_unit_test(
            test_a_ticket_is_seen_and_taken_until_something_else_is_shown),
        cmocka_unit_test(test_records_are_as_short_as_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
