/* SPDX-License-Identifier: Apache-2.0 */
/* The harness's end of an adapter: lines, split and broken, answers in any
 * order, values. The adapters here are shell commands that say a few lines. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "adapter.h"
#include "serial.h"

#define HELLO                                                                  \
    "{\"hello\":\"sh\",\"adapter\":1,\"protocols\":[1],"                       \
    "\"capabilities\":[\"drop\"],\"clock\":\"virtual\"}"

static char *argv[] = {"/bin/sh", "-c", NULL, NULL};
static const struct adapter_target target = {.argv = argv};

static void start(struct adapter *a, const char *script)
{
    const char *reason = "";
    argv[2] = arena_string(script);
    assert_true(adapter_open(a, &target, &reason));
}

/* Reads until the adapter has ended or did something wrong. */
static void read_all(struct adapter *a)
{
    while (!a->ended && !a->fault) {
        struct pollfd p = {.fd = a->out, .events = POLLIN};
        poll(&p, 1, -1);
        adapter_read(a);
    }
}

static const char *fault_of(const char *script)
{
    struct adapter a;
    start(&a, script);
    read_all(&a);
    const char *fault = a.fault;
    adapter_close(&a, 1000);
    return fault;
}

static void test_one_that_only_falls_silent_is_killed(void **state)
{
    (void)state;
    struct adapter a;
    start(&a, "exec 1>&-; exec sleep 1000");
    read_all(&a);
    assert_true(a.ended);
    assert_int_equal(adapter_close(&a, 0), SIGKILL);
    start(&a, "exit 3");
    read_all(&a);
    assert_int_equal(adapter_close(&a, 0), 3 << 8);
}

static void test_one_that_is_not_there_says_so(void **state)
{
    (void)state;
    static char *nowhere[] = {"/nowhere/adapter", NULL};
    static const struct adapter_target none = {.argv = nowhere};
    const char *reason = "";
    struct adapter a;
    assert_true(adapter_open(&a, &none, &reason));
    read_all(&a);
    assert_int_equal(adapter_close(&a, 0), 127 << 8);
    assert_string_equal(adapter_errors(&a),
                        "/nowhere/adapter: No such file or directory\n");
}

static void test_a_hello_is_taken(void **state)
{
    (void)state;
    struct adapter a;
    start(&a, "echo '" HELLO "'");
    read_all(&a);
    assert_true(adapter_greeted(&a));
    assert_true(a.is_virtual);
    assert_true(adapter_can(&a, "drop"));
    assert_false(adapter_can(&a, "dro"));
    assert_false(adapter_can(&a, "history"));
    assert_int_equal(adapter_close(&a, 1000), 0);
}

static void test_a_line_may_come_in_pieces(void **state)
{
    (void)state;
    struct adapter a;
    start(&a, "printf '{\"hello\":\"x\",'; sleep 0.01; "
              "printf '\"adapter\":1}\\n{\"event\":\"e\",\"handle\":\"h\"}\\n'"
              "'{\"id\":1,\"answer\":\"ok\"}'; sleep 0.01; echo");
    read_all(&a);
    assert_int_equal(a.event_count, 1);
    assert_int_equal(a.answer_count, 1);
    adapter_close(&a, 1000);
}

static void test_what_is_no_line_of_the_protocol_is_a_fault(void **state)
{
    (void)state;
    static const struct {
        const char *script, *fault;
    } cases[] = {
        {"echo hello",
         "a line that is no JSON object ('[' or '{' expected near "
         "'hello'): hello"},
        {"echo '[1]'", "a line that is no JSON object: [1]"},
        {"echo '{\"answer\":\"ok\"}'", "the first line is no hello: "
                                       "{\"answer\":\"ok\"}"},
        {"echo '" HELLO "'; echo '" HELLO "'", "a second hello"},
        {"echo '" HELLO "'; echo '{}'",
         "a line without hello, answer or event: {}"},
        {"echo '" HELLO "'; echo '{\"event\":\"x\"}'",
         "an event without a handle: {\"event\":\"x\"}"},
        {"true", "the adapter ended"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_string_equal(fault_of(cases[i].script), cases[i].fault);
    }
}

static void test_a_line_of_one_mebibyte_is_the_longest(void **state)
{
    (void)state;
    /* Without its newline the buffer holds the line alone. */
    assert_string_equal(fault_of("head -c 1048576 /dev/zero | tr '\\0' 'x'"),
                        "the adapter ended");
    assert_string_equal(
        fault_of("head -c 1048577 /dev/zero | tr '\\0' 'x'; sleep 5"),
        "a line of more than 1 MiB");
}

static void test_a_hello_that_promises_too_little_is_refused(void **state)
{
    (void)state;
    static const char *const hellos[][2] = {
        {"{\"hello\":\"x\",\"protocols\":[1],\"capabilities\":[],"
         "\"clock\":\"real\"}",
         "hello: \"adapter\" must be 1"},
        {"{\"hello\":\"x\",\"adapter\":1,\"protocols\":[2],"
         "\"capabilities\":[],\"clock\":\"real\"}",
         "hello: \"protocols\" must contain 1"},
        {"{\"hello\":\"x\",\"adapter\":1,\"protocols\":[2,1],"
         "\"clock\":\"real\"}",
         "hello: \"capabilities\" must be an array"},
        {"{\"hello\":\"x\",\"adapter\":1,\"protocols\":[1],"
         "\"capabilities\":[],\"clock\":\"sundial\"}",
         "hello: \"clock\" must be virtual, real or none"},
    };
    for (size_t i = 0; i < sizeof hellos / sizeof hellos[0]; i++) {
        struct adapter a;
        start(&a, arena_printf("echo '%s'; sleep 5", hellos[i][0]));
        while (!a.hello) {
            adapter_read(&a);
        }
        assert_false(adapter_greeted(&a));
        assert_string_equal(a.fault, hellos[i][1]);
        adapter_close(&a, 0);
    }
}

static void test_a_case_about_time_needs_a_clock_that_stands_still(void **state)
{
    static const struct {
        const char *clock;
        bool advances, meets;
    } all[] = {
        {"virtual", true, true}, {"real", false, false}, {"none", true, false}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct adapter a;
        start(&a, arena_printf("echo '{\"hello\":\"x\",\"adapter\":1,"
                               "\"protocols\":[1],\"capabilities\":[\"ack\"],"
                               "\"clock\":\"%s\"}'; sleep 5",
                               all[i].clock));
        while (!a.hello) {
            adapter_read(&a);
        }
        assert_true(adapter_greeted(&a));
        assert_int_equal(a.is_virtual, all[i].advances);
        assert_int_equal(adapter_meets(&a, "clock"), all[i].meets);
        assert_true(adapter_meets(&a, "ack"));
        assert_false(adapter_meets(&a, "sync"));
        adapter_close(&a, 0);
    }
}

static void test_answers_are_found_by_their_id_and_once(void **state)
{
    (void)state;
    struct adapter a;
    start(&a, "echo '" HELLO "'; read x; read y;"
              "echo '{\"id\":2,\"answer\":\"unsupported\"}';"
              "echo '{\"id\":1,\"answer\":\"error\",\"code\":\"NO\"}'");
    assert_int_equal(adapter_request(&a, "open", json_object()), 1);
    assert_int_equal(adapter_request(&a, "login", json_object()), 2);
    read_all(&a);
    assert_string_equal(adapter_result(adapter_answer(&a, 1)), "error");
    assert_string_equal(adapter_result(adapter_answer(&a, 2)), "unsupported");
    assert_null(adapter_answer(&a, 1));
    assert_null(adapter_answer(&a, 3));
    adapter_close(&a, 1000);
}

static void test_an_end_behind_quit_is_no_fault(void **state)
{
    (void)state;
    struct adapter a;
    start(&a, "echo '" HELLO "'; read x; echo '{\"id\":1,\"answer\":\"ok\"}'");
    adapter_request(&a, "quit", json_object());
    while (!a.ended) {
        adapter_read(&a);
    }
    assert_null(a.fault);
    assert_non_null(adapter_answer(&a, 1));
    assert_int_equal(adapter_close(&a, 1000), 0);
}

static void test_the_last_lines_of_standard_error_are_kept(void **state)
{
    (void)state;
    struct adapter a;
    start(&a, "seq 1 100 >&2");
    read_all(&a);
    assert_string_equal(adapter_errors(&a) + strlen("69\n"),
                        strstr(adapter_errors(&a), "70\n"));
    adapter_close(&a, 1000);
}

static void test_numbers_are_decimal_text(void **state)
{
    (void)state;
    uint64_t n;
    json_t *j =
        json_pack("{s:s,s:s,s:s,s:s,s:s,s:i}", "most", "18446744073709551615",
                  "over", "18446744073709551616", "minus", "-1", "word", "x",
                  "tail", "7x", "number", 7);
    assert_true(json_u64(j, "most", &n));
    assert_true(n == UINT64_MAX);
    const char *const bad[] = {"over", "minus",  "word",
                               "tail", "number", "absent"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(json_u64(j, bad[i], &n));
    }
}

/* ------------------------------------------------------------ serial lines */

struct line {
    int device; /* the end that the adapter has */
    struct adapter_target target;
    struct adapter a;
};

/* The name of the harness's end; NULL: this machine has no pseudoterminals. */
static const char *make_line(int *device)
{
    *device = posix_openpt(O_RDWR | O_NOCTTY);
    if (*device < 0 || grantpt(*device) != 0 || unlockpt(*device) != 0) {
        return NULL;
    }
    const char *name = ptsname(*device);
    return name && access(name, R_OK | W_OK) == 0 ? name : NULL;
}

/* A bare chroot has no lines: nothing is tested then, and where all has to be
 * tested that is a failure. */
static void plug(struct line *l)
{
    const char *reason = "";
    const char *name = make_line(&l->device);
    if (!name) {
        const char *what = "no serial line can be tested without "
                           "pseudoterminals: mount devpts at /dev/pts";
        if (getenv("CI")) {
            fail_msg("%s", what);
        }
        print_message("# %s\n", what);
        skip();
    }
    l->target = (struct adapter_target){.serial = arena_string(name),
                                        .baud = SERIAL_BAUD};
    if (!adapter_open(&l->a, &l->target, &reason)) {
        fail_msg("%s", reason);
    }
}

static void say(struct line *l, const char *text)
{
    size_t len = strlen(text);
    assert_int_equal(write(l->device, text, len), len);
    struct pollfd p = {.fd = l->a.out, .events = POLLIN};
    poll(&p, 1, -1);
    adapter_read(&l->a);
}

/* What the harness has written, up to as many bytes as are expected. */
static void assert_heard(const struct line *l, const char *text)
{
    char got[256];
    size_t have = 0, len = strlen(text);
    while (have < len) {
        ssize_t n = read(l->device, got + have, sizeof got - 1 - have);
        assert_true(n > 0);
        have += (size_t)n;
    }
    got[have] = '\0';
    assert_string_equal(got, text);
}

static void unplug(struct line *l)
{
    assert_int_equal(adapter_close(&l->a, 60000), -1); /* and waits for none */
    close(l->device);
}

static void test_a_run_on_a_serial_line_begins_with_an_empty_line(void **state)
{
    (void)state;
    struct line l;
    plug(&l);
    assert_heard(&l, "\n\n");
    say(&l, "half an old answer\", and noise\n{\"id\":7,\"answer\":\"ok\"}\n");
    assert_null(l.a.fault);
    assert_false(adapter_greeted(&l.a));
    say(&l, HELLO "\n" HELLO "\n");
    assert_true(adapter_greeted(&l.a));
    assert_int_equal(l.a.answer_count, 0);
    assert_int_equal(adapter_request(&l.a, "quit", json_object()), 1);
    assert_heard(&l, "{\"id\":1,\"verb\":\"quit\"}\n");
    say(&l, "{\"id\":1,\"answer\":\"ok\"}\n");
    assert_non_null(adapter_answer(&l.a, 1));
    assert_null(l.a.fault);
    unplug(&l);
}

static void test_within_a_run_noise_on_the_line_is_a_fault(void **state)
{
    (void)state;
    struct line l;
    plug(&l);
    say(&l, HELLO "\nnoise\n");
    assert_string_equal(
        l.a.fault, "a line that is no JSON object ('[' or '{' expected near "
                   "'noise'): noise");
    unplug(&l);
    plug(&l);
    say(&l, HELLO "\n{\"id\":1,\"answer\":\"ok\"}\n" HELLO "\n");
    assert_string_equal(l.a.fault, "a second hello");
    unplug(&l);
}

/* No byte is changed, echoed or held back. */
static void test_a_serial_line_is_raw(void **state)
{
    (void)state;
    const char *bytes = "\r\n\003\004\021\023\032\177\377\001x";
    char got[32];
    struct line l;
    plug(&l);
    assert_heard(&l, "\n\n");
    size_t len = strlen(bytes);
    assert_int_equal(write(l.a.in, bytes, len), len);
    assert_heard(&l, bytes);
    assert_int_equal(write(l.device, bytes, len), len);
    for (size_t have = 0; have < len;) {
        struct pollfd p = {.fd = l.a.out, .events = POLLIN};
        poll(&p, 1, -1);
        ssize_t n = read(l.a.out, got + have, len - have);
        assert_true(n > 0);
        have += (size_t)n;
    }
    assert_memory_equal(got, bytes, len);
    struct termios t;
    assert_int_equal(tcgetattr(l.a.in, &t), 0);
    assert_int_equal(cfgetospeed(&t), B115200);
    assert_int_equal(t.c_cflag & (CSIZE | PARENB | CSTOPB | CLOCAL | CREAD),
                     CS8 | CLOCAL | CREAD);
    unplug(&l);
}

static void test_what_is_no_serial_line_cannot_be_opened(void **state)
{
    (void)state;
    struct adapter_target nowhere = {.serial = "/nonexistent/tty",
                                     .baud = SERIAL_BAUD};
    struct adapter_target no_line = {.serial = "/dev/null",
                                     .baud = SERIAL_BAUD};
    struct adapter a;
    const char *reason = "";
    assert_false(adapter_open(&a, &nowhere, &reason));
    assert_string_equal(reason, "adapter on /nonexistent/tty: No such file or "
                                "directory");
    assert_false(adapter_open(&a, &no_line, &reason));
    assert_string_equal(reason, "adapter on /dev/null: Inappropriate ioctl "
                                "for device");
    assert_true(serial_baud_known(9600) && serial_baud_known(921600));
    assert_false(serial_baud_known(0) || serial_baud_known(115201));
}

static int json_from_arena(void **state)
{
    (void)state;
    json_set_alloc_funcs(arena_alloc, arena_keep);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_only_falls_silent_is_killed),
        cmocka_unit_test(test_one_that_is_not_there_says_so),
        cmocka_unit_test(test_a_hello_is_taken),
        cmocka_unit_test(test_a_line_may_come_in_pieces),
        cmocka_unit_test(test_what_is_no_line_of_the_protocol_is_a_fault),
        cmocka_unit_test(test_a_line_of_one_mebibyte_is_the_longest),
        cmocka_unit_test(test_a_hello_that_promises_too_little_is_refused),
        cmocka_unit_test(
            test_a_case_about_time_needs_a_clock_that_stands_still),
        cmocka_unit_test(test_answers_are_found_by_their_id_and_once),
        cmocka_unit_test(test_an_end_behind_quit_is_no_fault),
        cmocka_unit_test(test_the_last_lines_of_standard_error_are_kept),
        cmocka_unit_test(test_numbers_are_decimal_text),
        cmocka_unit_test(test_a_run_on_a_serial_line_begins_with_an_empty_line),
        cmocka_unit_test(test_within_a_run_noise_on_the_line_is_a_fault),
        cmocka_unit_test(test_a_serial_line_is_raw),
        cmocka_unit_test(test_what_is_no_serial_line_cannot_be_opened),
    };
    return cmocka_run_group_tests(tests, json_from_arena, NULL);
}
