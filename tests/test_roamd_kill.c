/* SPDX-License-Identifier: Apache-2.0 */
/* roamd killed by SIGKILL in the middle of its work, again and again on one
 * store: what was told stored is there, nothing is there twice, and it starts
 * again. [SEND-2], [SEND-3], [SEND-4]
 *
 * A life: SENDs in a full window until so many were answered, then the kill;
 * what was answered before the end is read to the last byte. The next life
 * repeats all of them: who was told SEND_OK is told the same msg_id, and the
 * history behind the last life has each of them once.
 *
 * ROAM_KILL_POINTS is how many lives there are, in the environment or as a
 * variable of make; few by default. How long the starts took is printed, and
 * decides nothing. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "roamd_rig.h"

#define POINTS 8
/* SENDs under way at once; below the default of max_commands. */
#define UNDER_WAY 48
/* Answers that a life waits for, at most. */
#define ANSWERS_MAX 150
#define SENDS_MAX (ANSWERS_MAX + UNDER_WAY)

static struct roamd_rig rig;
static struct wire wire;
static char token[44];

struct life {
    uint64_t first_id;          /* client_msg_id of the first SEND */
    size_t sent;                /* SENDs */
    uint64_t msg_id[SENDS_MAX]; /* as told; 0: not told */
};

static struct life life;

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void enter(uint64_t attempt)
{
    struct roam_message m = login_message("alice", token, 1, "a device");

    m.u.login.attempt = attempt;
    wire_open(&wire, rig.plain_port);
    assert_true(wire_send(&wire, &m));
    assert_true(wire_receive(&wire, &m));
    assert_int_equal(m.type, ROAM_LOGIN_OK);
}

static bool say(size_t n)
{
    struct roam_message m;
    char body[32];

    roam_message_init(&m, ROAM_SEND);
    m.u.send.client_msg_id = life.first_id + n;
    strcpy(m.u.send.conversation, "bob");
    int len = snprintf(body, sizeof(body), "message %zu", n);
    m.body = (struct roam_slice){(const uint8_t *)body, (size_t)len};
    return wire_send(&wire, &m);
}

/* False at the end of the stream. */
static bool hear(size_t *n, bool *duplicate)
{
    struct roam_message m;

    if (!wire_receive(&wire, &m)) {
        return false;
    }
    assert_int_equal(m.type, ROAM_SEND_OK);
    *n = (size_t)(m.u.send_ok.client_msg_id - life.first_id);
    *duplicate = m.u.send_ok.duplicate;
    assert_true(*n < life.sent);
    if (life.msg_id[*n] != 0) { /* told before: the same again */
        assert_true(*duplicate);
        assert_true(m.u.send_ok.msg_id == life.msg_id[*n]);
    }
    life.msg_id[*n] = m.u.send_ok.msg_id;
    return true;
}

static void send_until_killed(size_t answers)
{
    bool duplicate;
    size_t n;

    for (size_t heard = 0; heard < answers; heard++) {
        while (life.sent < heard + UNDER_WAY) {
            life.sent++;
            assert_true(say(life.sent - 1));
        }
        assert_true(hear(&n, &duplicate));
        assert_false(duplicate);
    }
    assert_int_equal(roamd_stop(&rig, SIGKILL), -SIGKILL);
    while (hear(&n, &duplicate)) { /* what was on the way */
    }
    wire_close(&wire);
}

/* Each SEND of the life is there now, by this or by the first one. */
static void repeat(void)
{
    bool duplicate;
    size_t n;

    for (size_t i = 0; i < life.sent; i++) {
        assert_true(say(i));
        assert_true(hear(&n, &duplicate));
        assert_int_equal(n, i);
    }
}

static uint32_t count_history(uint64_t after)
{
    struct roam_message m;

    roam_message_init(&m, ROAM_HISTORY);
    m.u.history.ref = 1;
    strcpy(m.u.history.conversation, "bob");
    m.u.history.after = after;
    m.u.history.max_rows = ROAM_PAGE_ROWS_MAX;
    m.u.history.max_inflated = 1u << 18;
    assert_true(wire_send(&wire, &m));
    assert_true(wire_receive(&wire, &m));
    assert_int_equal(m.type, ROAM_HISTORY_PAGE);
    assert_false(m.u.history_page.more);
    return m.u.history_page.count;
}

static uint64_t highest(uint64_t last)
{
    for (size_t i = 0; i < life.sent; i++) {
        assert_true(life.msg_id[i] > 0);
        last = life.msg_id[i] > last ? life.msg_id[i] : last;
    }
    return last;
}

static int setup(void **state)
{
    roamd_rig_setup(&rig);
    roamd_rig_provision(&rig, "alice", token);
    roamd_expect(&rig, 0, "user", "add", "bob");
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    roamd_rig_teardown(&rig);
    return 0;
}

static void start(void)
{
    roamd_start(&rig, (struct roamd_limits){0}, "run", "--plain-port", "0",
                NULL);
}

static void test_killed_under_load_it_loses_and_doubles_nothing(void **state)
{
    (void)state;
    const char *asked = getenv("ROAM_KILL_POINTS");
    int points = asked != NULL ? atoi(asked) : POINTS;
    uint64_t last = 0;
    double slowest = 0;
    double all = 0;

    assert_true(points > 0);
    start();
    for (int point = 0; point < points; point++) {
        life = (struct life){.first_id = 1 + (uint64_t)point * SENDS_MAX};
        enter(2 * (uint64_t)point + 1);
        /* All over a window: also in the middle of a group, or of none. */
        send_until_killed(1 + (size_t)(point * 37) % ANSWERS_MAX);
        double began = now_ms();
        start();
        double took = now_ms() - began;
        slowest = took > slowest ? took : slowest;
        all += took;
        enter(2 * (uint64_t)point + 2);
        repeat();
        assert_int_equal(count_history(last), life.sent);
        last = highest(last);
        wire_close(&wire);
    }
    assert_int_equal(roamd_stop(&rig, SIGTERM), 0);
    printf("%d lives, ready again after %.0f ms, at most %.0f\n", points,
           all / points, slowest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_killed_under_load_it_loses_and_doubles_nothing, setup,
            teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
