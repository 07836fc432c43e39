/* SPDX-License-Identifier: Apache-2.0 */
/* The test build's clock: what was sent to the server before it is told to go
 * on in time is read and done before time goes on (CONTROL.md, advance). The
 * suite's cases rely on it in each step, and cannot see it: their frames are
 * mostly read by then. Here the server is stopped until there is more to be
 * read than it reads in one turn. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "roamd_rig.h"

/* Of any type with the top bit set: skipped, and heard [FRAME-6]. */
#define SKIPPED_TYPE 0x90u
/* A frame as long as the server takes, and more of them than it reads in some
 * turns; still less than the kernel keeps for a receiver. */
#define SKIPPED_BYTES 65000u
#define SKIPPED_COUNT 6
/* More than it accepts in one turn. */
#define CROWD 150
#define LOGIN_TIMEOUT_MS "1000"
#define LINE_MAX_BYTES 256

static struct wire phone;
static int channel;
static char token[44];
static unsigned last_id;

static void say(const char *format, unsigned id)
{
    char line[LINE_MAX_BYTES];
    int len = snprintf(line, sizeof(line), format, id);

    assert_int_equal(send(channel, line, (size_t)len, MSG_NOSIGNAL), len);
}

static void hear(char line[LINE_MAX_BYTES])
{
    size_t n = 0;

    while (n == 0 || line[n - 1] != '\n') {
        assert_true(n + 1 < LINE_MAX_BYTES);
        assert_int_equal(recv(channel, line + n, 1, 0), 1);
        n++;
    }
    line[n] = '\0';
}

static void await_ok(unsigned id)
{
    char line[LINE_MAX_BYTES], want[64];

    hear(line);
    snprintf(want, sizeof(want), "{\"id\":%u,\"answer\":\"ok\"", id);
    if (strncmp(line, want, strlen(want)) != 0) {
        fail_msg("%s", line);
    }
}

static void say_advance(uint32_t ms)
{
    char line[LINE_MAX_BYTES];

    snprintf(line, sizeof(line),
             "{\"id\":%%u,\"verb\":\"advance\",\"ms\":\"%u\"}\n", ms);
    say(line, ++last_id);
}

static int setup(void **state)
{
    static struct roamd_rig rig;
    const struct timeval patience = {.tv_sec = 60};
    char text[LINE_MAX_BYTES];
    int fds[2];

    roamd_rig_setup(&rig);
    rig.program = "roamd-faulty";
    roamd_rig_provision(&rig, "alice", token);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    channel = fds[0];
    setsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    snprintf(text, sizeof(text), "%d", fds[1]);
    setenv("ROAM_CONTROL_FD", text, 1);
    roamd_start(&rig, (struct roamd_limits){0, 0}, "run", "--plain-port", "0",
                "--set", "login_timeout_ms=" LOGIN_TIMEOUT_MS, NULL);
    unsetenv("ROAM_CONTROL_FD");
    close(fds[1]);
    hear(text);
    assert_non_null(strstr(text, "\"hello\""));
    say("{\"id\":%u,\"verb\":\"hold\"}\n", ++last_id);
    await_ok(last_id);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    struct roamd_rig *rig = *state;

    static const char go_on[] =
        "{\"id\":0,\"verb\":\"advance\",\"ms\":\"60000\"}\n";

    kill(rig->pid, SIGTERM);
    /* So that it waits for nobody; it may have gone by then. */
    (void)!send(channel, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL);
    assert_int_equal(roamd_wait(rig), 0);
    close(channel);
    roamd_rig_teardown(rig);
    return 0;
}

static void stop_or_go_on(const struct roamd_rig *rig, bool stops)
{
    int status;

    kill(rig->pid, stops ? SIGSTOP : SIGCONT);
    assert_int_equal(waitpid(rig->pid, &status, stops ? WUNTRACED : WCONTINUED),
                     rig->pid);
}

static void send_skipped(const struct wire *w)
{
    static uint8_t frame[4 + SKIPPED_BYTES] = {
        SKIPPED_TYPE, 0, SKIPPED_BYTES >> 8, SKIPPED_BYTES & 0xff};

    for (int i = 0; i < SKIPPED_COUNT; i++) {
        assert_int_equal(
            send(w->fd, frame, sizeof(frame), MSG_NOSIGNAL | MSG_DONTWAIT),
            sizeof(frame));
    }
}

/* It is there: nothing is waited for. */
static void assert_kicked(struct wire *w, roam_v1_KickReason reason)
{
    struct pollfd has_come = {.fd = w->fd, .events = POLLIN};
    struct roam_message m;

    assert_int_equal(poll(&has_come, 1, 0), 1);
    assert_true(wire_receive(w, &m));
    assert_int_equal(m.type, ROAM_KICK);
    assert_int_equal(m.u.kick.reason, reason);
}

/* 2.5 heartbeats behind the last frame a session is idle: to the millisecond,
 * however many turns it took to read what was sent [TIME-2]. */
static void test_time_waits_for_what_is_to_be_read(void **state)
{
    struct roamd_rig *rig = *state;
    struct roam_message m;

    wire_open(&phone, rig->plain_port);
    wire_login(&phone, "alice", token, 1, "a device", &m);
    assert_int_equal(m.type, ROAM_LOGIN_OK);
    uint32_t idle_ms = m.u.login_ok.heartbeat_ms * 5 / 2;
    stop_or_go_on(rig, true);
    send_skipped(&phone);
    say_advance(idle_ms);
    stop_or_go_on(rig, false);
    await_ok(last_id);
    assert_kicked(&phone, roam_v1_KickReason_IDLE);
    wire_close(&phone);
}

/* A connection's time begins when it was made, although others are accepted
 * before it [TIME-4]. */
static void test_time_waits_for_who_is_to_be_accepted(void **state)
{
    struct roamd_rig *rig = *state;
    int crowd[CROWD];

    stop_or_go_on(rig, true);
    for (int i = 0; i < CROWD; i++) {
        crowd[i] = roamd_connect(rig->plain_port);
    }
    say_advance((uint32_t)atoi(LOGIN_TIMEOUT_MS));
    stop_or_go_on(rig, false);
    await_ok(last_id);
    for (int i = 0; i < CROWD; i++) {
        wire_attach(&phone, crowd[i]);
        assert_kicked(&phone, roam_v1_KickReason_LOGIN_TIMEOUT);
        wire_close(&phone);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_time_waits_for_what_is_to_be_read),
        TEST(test_time_waits_for_who_is_to_be_accepted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
