/* SPDX-License-Identifier: Apache-2.0 */
/* What roam-conform says to a command line that it cannot take: which word is
 * wrong, and where help is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "roamd_rig.h"
#include "scn_lex.h"

static char said[16384];

/* What it prints to `from` ("1" or "2"); the exit status. */
static int conform(const char *words, const char *from)
{
    char program[512], command[1024];
    snprintf(program, sizeof program, "%s", roamd_program());
    *(strrchr(program, '/') + 1) = '\0';
    snprintf(command, sizeof command, "'%sroam-conform' %s %s", program, words,
             from[0] == '1' ? "2>/dev/null" : "2>&1 >/dev/null");
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t n = fread(said, 1, sizeof said - 1, pipe);
    said[n] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_a_wrong_word_is_named(void **state)
{
    static const struct {
        const char *words, *reason;
    } wrong[] = {
        {"nosuch", "\"nosuch\""},
        {"server --roamd x nosuchcase", "\"server nosuchcase\""},
        {"server --roamd x --seed abc", "\"abc\" is no value for --seed"},
        {"server --roamd x --at host:65536", "\"host:65536\""},
        {"server --roamd x -j 0", "\"0\" is no value for -j"},
        {"client --adapter tcp:x -- y", "\"tcp:x\" is no value for --adapter"},
        {"server --roamd /no/roamd", "/no/roamd: No such file"},
        {"server --no-such-option", "--no-such-option"},
        {"server --seed", "--seed"},
        {"explain", "a rule, an area of rules, or a case"},
        {"explain KICK-999", "\"KICK-999\" is no rule"},
        {"explain KIC", " KICK "},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int status = conform(wrong[i].words, "2");
        if (status != 2 || !strstr(said, wrong[i].reason) ||
            !strstr(said, "--help") || strstr(said, "usage:")) {
            fail_msg("%s: exit status %d: %s", wrong[i].words, status, said);
        }
    }
}

static void test_a_command_has_words_and_quotes_hold_blanks(void **state)
{
    static const struct {
        const char *command, *words;
    } said_as[] = {
        {"", ""},
        {" \t ", ""},
        {"a", "a|"},
        {" a  b(c #d ", "a|b(c|#d|"},
        {"\"/my app/run\" x", "/my app/run|x|"},
        {"--dir=\"a b\"c \"\"", "--dir=a bc||"},
        {"\"open end", "open end|"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof said_as / sizeof said_as[0]; i++) {
        char got[64] = "";
        for (char **w = command_words(said_as[i].command); *w; w++) {
            strcat(strcat(got, *w), "|");
        }
        assert_string_equal(got, said_as[i].words);
    }
}

static void test_help_is_output(void **state)
{
    (void)state;
    assert_int_equal(conform("--help", "1"), 0);
    assert_non_null(strstr(said, "usage: roam-conform"));
    assert_int_equal(conform("server --help", "1"), 0);
    assert_non_null(strstr(said, "usage: roam-conform"));
    assert_int_equal(conform("", "2"), 2);
    assert_non_null(strstr(said, "usage: roam-conform"));
}

/* Words that are known, and do not go together. */
static void test_what_is_missing_is_named(void **state)
{
    static const struct {
        const char *words, *reason;
    } missing[] = {
        {"server", "one of --roamd, --at and --control, please"},
        {"server --roamd x --at x:1",
         "one of --roamd, --at and --control, please"},
        {"server --at x:1", "--at and --control need --provision"},
        {"server --at x:1 --provision y --tls",
         "--tls needs --roamd, or --at and --ca"},
        {"server --roamd x --update-expectations",
         "--update-expectations needs --expectations"},
        {"client", "client needs -- ADAPTER, or --adapter"},
        {"client --adapter tcp:x:1 -- y",
         "client needs -- ADAPTER, or --adapter"},
        {"pair", "one of --roamd, --at and --control, please"},
        {"pair --roamd x", "pair needs -- ADAPTER, or --adapter"},
        {"pair --roamd x --tls -- y",
         "--tls is for the roles server and client"},
        {"broken", "broken needs --roamd, built with fault points"},
        {"broken --roamd x --expectations y", "broken takes no expectations"},
        {"broken --client",
         "broken --client needs -- ADAPTER that takes ROAM_FAULT"},
        {"broken --pair --roamd x",
         "broken --pair needs --roamd with fault points, and -- ADAPTER that "
         "takes ROAM_FAULT"},
        {"null-server fly", "null-server close|silent|echo|garbage"},
        {"null-adapter fly", "null-adapter exit|silent|echo|ok|garbage"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++) {
        int status = conform(missing[i].words, "2");
        char want[256];
        snprintf(want, sizeof want, "roam-conform: %s\n", missing[i].reason);
        if (status != 2 || strcmp(said, want) != 0) {
            fail_msg("%s: exit status %d: %s", missing[i].words, status, said);
        }
    }
}

static void test_a_rule_is_explained_by_name_or_area(void **state)
{
    (void)state;
    assert_int_equal(conform("explain kick-1", "1"), 0);
    assert_non_null(strstr(said, "MUST end the session"));
    assert_non_null(strstr(said, "spec/roam-1.md:"));
    assert_non_null(strstr(said, ", 5.2 "));
    assert_non_null(strstr(said, "02-kick/takeover "));
    assert_int_equal(conform("explain kick", "1"), 0);
    assert_non_null(strstr(said, "KICK-1\n"));
    assert_non_null(strstr(said, "KICK-10\n"));
    assert_null(strstr(said, "LOGIN-1\n"));
}

static void test_a_case_is_explained(void **state)
{
    (void)state;
    assert_int_equal(conform("explain 54-client-ack/half-window", "1"), 0);
    assert_non_null(strstr(said, "at the latest when half of the window"));
    assert_non_null(strstr(said, "  ACK-2\n    A client MUST acknowledge"));
    assert_non_null(strstr(said, "\n  1  # SPDX-License-Identifier"));
    assert_non_null(strstr(said, "\n 13  "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wrong_word_is_named),
        cmocka_unit_test(test_what_is_missing_is_named),
        cmocka_unit_test(test_a_command_has_words_and_quotes_hold_blanks),
        cmocka_unit_test(test_help_is_output),
        cmocka_unit_test(test_a_rule_is_explained_by_name_or_area),
        cmocka_unit_test(test_a_case_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
