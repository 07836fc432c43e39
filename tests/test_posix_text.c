/* SPDX-License-Identifier: Apache-2.0 */
/* Text that leaves the command line client: JSON, what a terminal shows,
 * and the lines that come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "input.h"
#include "show.h"
#include "text.h"

static struct roam_bytes bytes(const void *data, size_t len)
{
    struct roam_bytes b = {data, len};
    return b;
}

static void is_json(const void *in, size_t len, const char *want)
{
    struct roam_text t = {0};
    assert_true(roam_text_add_json_string(&t, bytes(in, len)));
    assert_string_equal(t.data, want);
    roam_text_free(&t);
}

static void is_visible(const void *in, size_t len, const char *want)
{
    struct roam_text t = {0};
    roam_text_add(&t, "", 0);
    roam_text_add_visible(&t, bytes(in, len));
    assert_string_equal(t.data, want);
    roam_text_free(&t);
}

static void test_json_escapes_what_it_must(void **state)
{
    (void)state;
    is_json("", 0, "\"\"");
    is_json("plain", 5, "\"plain\"");
    is_json("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
    is_json("\n\r\t", 3, "\"\\n\\r\\t\"");
    is_json("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\\u007f\"");
}

static void test_json_keeps_utf8_as_it_is(void **state)
{
    (void)state;
    is_json("\xc2\xa0", 2, "\"\xc2\xa0\"");
    is_json("\xe4\xbd\xa0", 3, "\"\xe4\xbd\xa0\"");
    is_json("\xf0\x9f\x8e\x89", 4, "\"\xf0\x9f\x8e\x89\"");
    is_json("\xf4\x8f\xbf\xbf", 4, "\"\xf4\x8f\xbf\xbf\"");
}

static void test_json_cannot_drive_the_terminal_either(void **state)
{
    (void)state;
    is_json("\xc2\x80", 2, "\"\\u0080\"");
    is_json("\xc2\x9b"
            "31m",
            5, "\"\\u009b31m\""); /* CSI in one character */
    is_json("\xc2\x9f", 2, "\"\\u009f\"");
    is_json("\xe2\x80\xae", 3, "\"\\u202e\"");
    is_json("\xe2\x81\xa6", 3, "\"\\u2066\"");
}

static void test_json_takes_no_broken_utf8(void **state)
{
    static const struct {
        const char *data;
        size_t len;
    } broken[] = {
        {"\x80", 1},             /* continuation alone */
        {"\xc0\x80", 2},         /* overlong */
        {"\xe0\x9f\xbf", 3},     /* overlong */
        {"\xf0\x8f\xbf\xbf", 4}, /* overlong */
        {"\xed\xa0\x80", 3},     /* surrogate */
        {"\xf4\x90\x80\x80", 4}, /* above U+10FFFF */
        {"\xf8\x88\x80\x80", 4}, /* five-byte form */
        {"\xe4\xbd", 2},         /* cut */
        {"\xe4\xbdx", 3},        /* cut in the middle */
        {"ok\xff", 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        struct roam_text t = {0};
        assert_false(roam_text_add_json_string(
            &t, bytes(broken[i].data, broken[i].len)));
        assert_int_equal(t.len, 0);
        roam_text_free(&t);
    }
}

static void test_members_get_their_commas(void **state)
{
    struct roam_text t = {0};
    (void)state;
    roam_text_printf(&t, "{");
    roam_text_add_json_text(&t, "a", "x\"y");
    roam_text_add_json_u64(&t, "b", UINT64_MAX);
    roam_text_add_json_u32(&t, "c", UINT32_MAX);
    roam_text_add_json_bool(&t, "d", false);
    roam_text_printf(&t, "}");
    assert_string_equal(t.data, "{\"a\":\"x\\\"y\","
                                "\"b\":\"18446744073709551615\","
                                "\"c\":4294967295,\"d\":false}");
    roam_text_free(&t);
}

static void is_base64(const char *in, size_t len, const char *want)
{
    struct roam_text t = {0};
    roam_text_printf(&t, "{");
    roam_text_add_json_bytes(&t, "body", bytes(in, len));
    assert_string_equal(t.data, want);
    roam_text_free(&t);
}

static void test_other_bytes_become_base64(void **state)
{
    (void)state;
    is_base64("\xff", 1, "{\"body_base64\":\"/w==\"");
    is_base64("\xff\xfe", 2, "{\"body_base64\":\"//4=\"");
    is_base64("\xff\xfe\xfd", 3, "{\"body_base64\":\"//79\"");
    is_base64("\xff\x00\x10\x83", 4, "{\"body_base64\":\"/wAQgw==\"");
    is_base64("", 0, "{\"body\":\"\"");
}

static void test_a_message_cannot_drive_the_terminal(void **state)
{
    (void)state;
    is_visible("hi \xe4\xbd\xa0", 6, "hi \xe4\xbd\xa0");
    is_visible("a\nb", 3, "a\n    b");
    is_visible("\x1b[2J", 4, "\\x1b[2J");
    is_visible("x\ry\tz\x7f", 6, "x\\x0dy\\x09z\\x7f");
    is_visible("\xc2\x9b"
               "31m",
               5, "\\xc2\\x9b31m"); /* C1 control sequence introducer */
    is_visible("\xe2\x80\xae", 3, "\\xe2\\x80\\xae"); /* right to left */
    is_visible("\xff\xc3", 2, "\\xff\\xc3");
    is_visible("\0", 1, "\\x00");
}

static void test_every_refusal_says_what_to_do(void **state)
{
    (void)state;
    for (int r = ROAM_REFUSED_OCCUPIED; r <= ROAM_REFUSED_PROTOCOL_VERSION;
         r++) {
        const char *advice = roam_refused_advice((enum roam_refused)r);
        assert_null(strstr(advice, "does not know"));
        bool slot = r <= ROAM_REFUSED_FREE;
        bool token =
            r == ROAM_REFUSED_CREDENTIAL || r == ROAM_REFUSED_TOKEN_EXPIRED;
        assert_int_equal(strstr(advice, "--take-over") != NULL, slot);
        assert_int_equal(strstr(advice, "--token-file") != NULL, token);
    }
    assert_null(
        strstr(roam_refused_advice(ROAM_REFUSED_THROTTLED), "does not know"));
    assert_non_null(
        strstr(roam_refused_advice((enum roam_refused)99), "does not know"));
}

static void test_long_text_grows(void **state)
{
    struct roam_text t = {0};
    (void)state;
    for (int i = 0; i < 1000; i++) {
        roam_text_printf(&t, "%03d", i);
    }
    assert_int_equal(t.len, 3000);
    assert_memory_equal(t.data + 2997, "999", 4);
    roam_text_free(&t);
}

/* ------------------------------------------------------------------ input */

struct pipe_input {
    struct roam_input in;
    int fd[2];
};

static int open_pipe(void **state)
{
    struct pipe_input *p = calloc(1, sizeof *p);
    assert_non_null(p);
    assert_int_equal(pipe(p->fd), 0);
    roam_input_init(&p->in);
    *state = p;
    return 0;
}

static int close_pipe(void **state)
{
    struct pipe_input *p = *state;
    close(p->fd[0]);
    if (p->fd[1] >= 0) {
        close(p->fd[1]);
    }
    free(p);
    return 0;
}

static void put(struct pipe_input *p, const char *data, size_t len)
{
    assert_int_equal(write(p->fd[1], data, len), (ssize_t)len);
    roam_input_fill(&p->in, p->fd[0]);
}

static void end(struct pipe_input *p)
{
    close(p->fd[1]);
    p->fd[1] = -1;
    roam_input_fill(&p->in, p->fd[0]);
}

static void is_line(struct pipe_input *p, const char *want)
{
    struct roam_bytes line;
    bool too_long;
    assert_true(roam_input_line(&p->in, &line, &too_long));
    assert_false(too_long);
    assert_int_equal(line.len, strlen(want));
    assert_memory_equal(line.data, want, line.len);
}

static void is_no_line(struct pipe_input *p)
{
    struct roam_bytes line;
    bool too_long;
    assert_false(roam_input_line(&p->in, &line, &too_long));
}

static void test_lines_come_whole_however_they_were_cut(void **state)
{
    static const char text[] = "one\n\nthree \xe4\xbd\xa0\n";
    struct pipe_input *p = *state;
    for (size_t i = 0; i < 3; i++) {
        put(p, text + i, 1);
        is_no_line(p);
    }
    put(p, text + 3, strlen(text) - 3);
    is_line(p, "one");
    is_line(p, "");
    is_line(p, "three \xe4\xbd\xa0");
    is_no_line(p);
    assert_false(p->in.ended);
}

static void test_a_last_line_needs_no_newline(void **state)
{
    struct pipe_input *p = *state;
    put(p, "last", 4);
    is_no_line(p);
    end(p);
    assert_true(p->in.ended);
    is_line(p, "last");
    is_no_line(p);
}

static void test_a_line_may_be_as_long_as_a_body_and_no_longer(void **state)
{
    static char line_text[ROAM_POSIX_BODY_MAX + 2];
    struct pipe_input *p = *state;
    struct roam_bytes line;
    bool too_long = false;
    int lengths = 0;
    memset(line_text, 'x', sizeof line_text);
    for (size_t extra = 0; extra <= 1; extra++) {
        size_t len = ROAM_POSIX_BODY_MAX + extra;
        for (size_t at = 0; at < len; at += 4096) {
            size_t n = len - at < 4096 ? len - at : 4096;
            put(p, line_text + at, n);
            is_no_line(p);
        }
        put(p, "\nnext\n", 6);
        if (!roam_input_line(&p->in, &line, &too_long)) {
            roam_input_fill(&p->in, p->fd[0]);
            assert_true(roam_input_line(&p->in, &line, &too_long));
        }
        assert_int_equal(too_long, extra == 1);
        if (!too_long) {
            assert_int_equal(line.len, len);
        }
        lengths++;
        if (!memchr(p->in.data + p->in.at, '\n', p->in.len - p->in.at)) {
            roam_input_fill(&p->in, p->fd[0]);
        }
        is_line(p, "next");
    }
    assert_int_equal(lengths, 2);
}

int main(void)
{
#define P(f) cmocka_unit_test_setup_teardown(f, open_pipe, close_pipe)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_escapes_what_it_must),
        cmocka_unit_test(test_json_keeps_utf8_as_it_is),
        cmocka_unit_test(test_json_cannot_drive_the_terminal_either),
        cmocka_unit_test(test_json_takes_no_broken_utf8),
        cmocka_unit_test(test_members_get_their_commas),
        cmocka_unit_test(test_other_bytes_become_base64),
        cmocka_unit_test(test_a_message_cannot_drive_the_terminal),
        cmocka_unit_test(test_every_refusal_says_what_to_do),
        cmocka_unit_test(test_long_text_grows),
        P(test_lines_come_whole_however_they_were_cut),
        P(test_a_last_line_needs_no_newline),
        P(test_a_line_may_be_as_long_as_a_body_and_no_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
