/* SPDX-License-Identifier: Apache-2.0 */
/* What the harness writes about peers: text that a peer chose, the file of
 * expectations, progress, the reasons of rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "expectations.h"
#include "explain.h"
#include "progress.h"
#include "report_case.h"
#include "report_text.h"

static int json_from_arena(void **state)
{
    (void)state;
    json_set_alloc_funcs(arena_alloc, arena_keep);
    return 0;
}

static const char *xml_of(const char *s)
{
    struct text t = {0};
    xml_add(&t, s);
    return text_str(&t);
}

static void test_every_byte_becomes_utf8(void **state)
{
    (void)state;
    for (unsigned a = 1; a < 256; a++) {
        for (unsigned b = 1; b < 256; b++) {
            const char raw[] = {(char)a, (char)b, 'z', '\0'};
            json_t *j = json_clean(raw);
            assert_non_null(j);
            json_decref(j);
        }
    }
    assert_string_equal(text_utf8("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
                        "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    /* Overlong, surrogate, above U+10FFFF: one mark for each byte. */
    assert_string_equal(text_utf8("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd");
    assert_string_equal(text_utf8("\xed\xa0\x80"),
                        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_string_equal(text_utf8("\xf4\x90\x80\x80"),
                        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

static void test_xml_holds_no_markup_and_no_control(void **state)
{
    (void)state;
    assert_string_equal(xml_of("<a b=\"c\">&</a>\n"),
                        "&lt;a b=&quot;c&quot;&gt;&amp;&lt;/a&gt;\n");
    assert_string_equal(xml_of("]]>"), "]]&gt;");
    for (char c = 1; c < 0x20; c++) {
        const char raw[] = {c, '\0'};
        bool kept = c == '\n' || c == '\t';
        const char *want = kept ? raw : c == '\r' ? "&#13;" : "\xef\xbf\xbd";
        assert_string_equal(xml_of(raw), want);
    }
    assert_string_equal(xml_of("\xef\xbf\xbe"), "\xef\xbf\xbd");
    struct text t = {0};
    xml_add_attribute(&t, "a", "x\n\ty\"");
    assert_string_equal(text_str(&t), " a=\"x&#10;&#9;y&quot;\"");
}

static void test_a_terminal_gets_no_control(void **state)
{
    (void)state;
    assert_string_equal(text_plain("a\x1b[2J\nb\tc\x7f"),
                        "a\xef\xbf\xbd[2J\nb\tc\xef\xbf\xbd");
}

static void test_a_result_survives_its_pipe(void **state)
{
    (void)state;
    struct result in = {.verdict = VERDICT_WARN,
                        .rules = "A-1 B-2",
                        .what = "q\"\\\n\x01\xff",
                        .detail = "line\nline",
                        .ms = 77,
                        .record = json_pack("{s:i}", "x", 1)};
    struct result out = {0};
    assert_true(report_case_unpack(report_case_pack(&in), &out));
    assert_int_equal(out.verdict, VERDICT_WARN);
    assert_string_equal(out.rules, "A-1 B-2");
    assert_string_equal(out.what, "q\"\\\n\x01\xef\xbf\xbd");
    assert_int_equal(out.ms, 77);
    assert_int_equal(json_integer_value(json_object_get(out.record, "x")), 1);
    assert_false(report_case_unpack("", &out));
    assert_false(report_case_unpack("{\"verdict\":9}", &out));
    assert_false(report_case_unpack(
        "{\"verdict\":6,\"ms\":0,\"rules\":\"\",\"what\":\"\",\"detail\":\"\"}",
        &out));
}

/* ------------------------------------------------------------ expectations */

static const char *path_of(const char *content)
{
    static char path[] = "/tmp/test-expectations-XXXXXX";
    const char *reason = "";
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_true(file_write(path, content, strlen(content), &reason));
    return path;
}

static void load(const char *content, struct expectations *e)
{
    const char *error = "";
    const char *path = path_of(content);
    *e = (struct expectations){0};
    if (!expectations_load(path, e, &error)) {
        fail_msg("%s", error);
    }
    unlink(path);
}

static const struct scenario one = {.id = "05-send/one"};

static enum standing judge(struct expectations *e, enum verdict v,
                           const char *rules, const char *what)
{
    struct result r = {.s = &one, .verdict = v, .rules = rules, .what = what};
    expectations_judge(e, &r);
    return r.standing;
}

static void test_an_expectation_is_met_by_case_rule_and_message(void **state)
{
    (void)state;
    struct expectations e;
    load("# head\n05-send/one:SEND-2  fail  \"it \\\"came\\\"\"  http://x/1\n",
         &e);
    assert_int_equal(e.count, 1);
    assert_int_equal(judge(&e, VERDICT_FAIL, "SEND-1 SEND-2", "it \"came\" !"),
                     STANDING_KNOWN);
    assert_int_equal(judge(&e, VERDICT_WARN, "SEND-2", "it \"came\""),
                     STANDING_KNOWN);
    assert_int_equal(judge(&e, VERDICT_FAIL, "SEND-2", "it cam"),
                     STANDING_UNEXPECTED);
    assert_int_equal(judge(&e, VERDICT_FAIL, "SEND-21", "it \"came\""),
                     STANDING_UNEXPECTED);
    assert_int_equal(judge(&e, VERDICT_PASS, "", ""), STANDING_UNEXPECTED_PASS);
    assert_int_equal(judge(&e, VERDICT_HARNESS, "SEND-2", "it \"came\""),
                     STANDING_UNEXPECTED);
    assert_int_equal(judge(&e, VERDICT_NOT_EXERCISED, "SEND-2", "it \"came\""),
                     STANDING_UNEXPECTED);
    assert_int_equal(judge(NULL, VERDICT_FAIL, "SEND-2", "x"),
                     STANDING_UNEXPECTED);
    assert_int_equal(judge(NULL, VERDICT_WARN, "SEND-2", "x"),
                     STANDING_AS_EXPECTED);
}

static void test_unsupported_is_no_failure(void **state)
{
    (void)state;
    struct expectations e;
    load("05-send/one unsupported \"\" -\n", &e);
    assert_int_equal(judge(&e, VERDICT_UNSUPPORTED, "", "no clock"),
                     STANDING_KNOWN);
    assert_int_equal(judge(&e, VERDICT_FAIL, "", "x"), STANDING_UNEXPECTED);
}

static void test_what_did_not_happen_is_stale(void **state)
{
    (void)state;
    struct scenario two = {.id = "05-send/two"};
    struct scenario *list[] = {(struct scenario *)(uintptr_t)&one, &two};
    const struct scenarios all = {.at = list, .count = 2};
    struct expectations e;
    load("05-send/one fail \"a\" -\n05-send/one fail \"b\" -\n"
         "05-send/two fail \"\" -\n05-send/three fail \"\" -\n",
         &e);
    assert_int_equal(judge(&e, VERDICT_FAIL, "", "b"), STANDING_KNOWN);
    assert_string_equal(expectations_stale(&e.at[0], &all),
                        "the case did not end so");
    assert_null(expectations_stale(&e.at[1], &all));
    assert_null(expectations_stale(&e.at[2], &all)); /* it was not run */
    assert_string_equal(expectations_stale(&e.at[3], &all), "no such case");
}

static void test_lines_that_are_no_entries_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "x/y fail \"m\"\n",
        "x/y maybe \"m\" -\n",
        "x/y fail \"m -\n",
        "x/y fail \"m\" - z\n",
        "x/y\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct expectations e = {0};
        const char *error = NULL, *path = path_of(bad[i]);
        assert_false(expectations_load(path, &e, &error));
        assert_non_null(strstr(error, ":1: "));
        unlink(path);
    }
}

static void test_an_update_keeps_what_is_met_and_adds_what_failed(void **state)
{
    (void)state;
    struct expectations e;
    load("# ours\n\n05-send/one fail \"a\" http://x/1\n"
         "# of the one that is gone\n05-send/one fail \"gone\" http://x/2\n"
         "\n# kept\n05-send/one fail \"q\" http://x/3\n# the end\n",
         &e);
    struct result list[] = {
        {.s = &one, .verdict = VERDICT_FAIL, .rules = "A-1", .what = "a b"},
        {.s = &one,
         .verdict = VERDICT_FAIL,
         .rules = "A-2",
         .what = "n \"\\\nsecond"},
        {.s = &one, .verdict = VERDICT_FAIL, .rules = "A-2", .what = "q"},
    };
    const struct results results = {.at = list, .count = 3};
    struct expectations_change change;
    const char *error = "";
    for (size_t i = 0; i < 3; i++) {
        expectations_judge(&e, &list[i]);
    }
    e.path = path_of("");
    assert_true(expectations_update(&e, &results, &change, &error));
    assert_int_equal(change.kept, 2);
    assert_int_equal(change.gone, 1);
    assert_int_equal(change.added, 1);
    assert_string_equal(file_read(e.path, NULL),
                        "# ours\n\n05-send/one  fail  \"a\"  http://x/1\n"
                        "\n# kept\n05-send/one  fail  \"q\"  http://x/3\n"
                        "# the end\n"
                        "05-send/one:A-2  fail  \"n \\\"\\\\\"  -\n");
    struct expectations again = {0};
    assert_true(expectations_load(e.path, &again, &error));
    assert_string_equal(again.at[2].message, "n \"\\");
    unlink(e.path);
}

static void test_what_is_known_and_unsupported_is_skipped(void **state)
{
    (void)state;
    struct expectations e;
    load("05-send/one unsupported \"no\" http://x/1\n", &e);
    struct result r = {.s = &one,
                       .verdict = VERDICT_UNSUPPORTED,
                       .rules = "",
                       .what = "no clock",
                       .detail = "no clock\nok 9 - \x1b"};
    expectations_judge(&e, &r);
    assert_string_equal(
        report_tap(1, &r, 1),
        "ok 1 - 05-send/one # SKIP no clock; known: http://x/1\n");
}

/* ------------------------------------------------------------------ others */

static void test_progress_fits_its_terminal(void **state)
{
    (void)state;
    const struct progress p = {.done = 41, .total = 200, .failed = 2};
    assert_string_equal(progress_line(&p, "05-send/one", 80),
                        "[ 20%] 41 of 200 done, 2 failed  05-send/one");
    assert_string_equal(progress_line(&p, "05-send/one", 0),
                        "41 of 200 done, 2 failed");
    for (size_t width = 2; width < 60; width++) {
        assert_true(strlen(progress_line(&p, "05-send/one", width)) < width);
    }
}

static void test_reasons_are_found_by_id_and_by_range(void **state)
{
    (void)state;
    static const char spec[] =
        "## 9. Other\n\n- **No** ([A-1]).\n\n## 14. Rationale\n\n"
        "- **One** ([A-2]): because\n  of it.\n- **Two** ([A-10] to [A-12]).\n"
        "\n## 15. End\n\n- [A-20]\n";
    assert_string_equal(explain_why(spec, "A-2"),
                        "**One** ([A-2]): because\n  of it.");
    assert_string_equal(explain_why(spec, "A-11"),
                        "**Two** ([A-10] to [A-12]).");
    assert_null(explain_why(spec, "A-1"));
    assert_null(explain_why(spec, "A-13"));
    assert_null(explain_why(spec, "B-11"));
    assert_null(explain_why(spec, "A-20"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_becomes_utf8),
        cmocka_unit_test(test_xml_holds_no_markup_and_no_control),
        cmocka_unit_test(test_a_terminal_gets_no_control),
        cmocka_unit_test(test_a_result_survives_its_pipe),
        cmocka_unit_test(test_an_expectation_is_met_by_case_rule_and_message),
        cmocka_unit_test(test_unsupported_is_no_failure),
        cmocka_unit_test(test_what_did_not_happen_is_stale),
        cmocka_unit_test(test_lines_that_are_no_entries_are_refused),
        cmocka_unit_test(test_an_update_keeps_what_is_met_and_adds_what_failed),
        cmocka_unit_test(test_what_is_known_and_unsupported_is_skipped),
        cmocka_unit_test(test_progress_fits_its_terminal),
        cmocka_unit_test(test_reasons_are_found_by_id_and_by_range),
    };
    return cmocka_run_group_tests(tests, json_from_arena, NULL);
}
