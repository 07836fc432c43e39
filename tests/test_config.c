/* SPDX-License-Identifier: Apache-2.0 */
/* roamd's commands and settings, as its operator meets them: every refusal
 * has its exit status and says what is wrong, and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "roamd_rig.h"

static int setup(void **state)
{
    static struct roamd_rig rig;

    roamd_rig_setup(&rig);
    *state = &rig;
    return 0;
}

static int setup_home(void **state)
{
    setup(state);
    roamd_expect((struct roamd_rig *)*state, 0, "init");
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

/* ------------------------------------------------------------------- init */

static mode_t mode_of(const struct roamd_rig *rig, const char *name)
{
    char path[256];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", rig->home, name);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void test_init_makes_a_home_for_its_owner_alone(void **state)
{
    struct roamd_rig *rig = *state;

    roamd_expect(rig, 0, "init");
    assert_string_equal(rig->out, "");
    assert_string_equal(rig->err, "");
    assert_int_equal(mode_of(rig, ""), 0700);
    assert_int_equal(mode_of(rig, "key.pem"), 0600);
    assert_int_equal(mode_of(rig, "roamd.db"), 0600);
    mode_of(rig, "cert.pem");
    mode_of(rig, "roamd.conf");
    roamd_expect(rig, 0, "config"); /* the file it wrote can be read */
}

static void test_init_takes_an_empty_directory_and_no_other(void **state)
{
    struct roamd_rig *rig = *state;

    /* A package's directory may let others in: bodies are not for them. */
    assert_int_equal(mkdir(rig->home, 0755), 0);
    roamd_expect(rig, 0, "init");
    assert_int_equal(mode_of(rig, "roamd.db"), 0600);
    assert_int_equal(mode_of(rig, "key.pem"), 0600);
    roamd_expect(rig, 1, "init");
    assert_says(rig, "not an empty directory");
}

static void test_init_names_a_missing_parent(void **state)
{
    struct roamd_rig *rig = *state;

    strcat(rig->home, "/a/b");
    roamd_expect(rig, 1, "init");
    assert_says(rig, "home/a/b: No such file or directory");
}

/* --------------------------------------------------------------- commands */

static void test_every_command_names_a_missing_home(void **state)
{
    struct roamd_rig *rig = *state;

    roamd_expect(rig, 1, "run");
    assert_says(rig, "No such file or directory");
    assert_says(rig, "init");
    roamd_expect(rig, 1, "config");
    assert_says(rig, "No such file or directory");
    roamd_expect(rig, 1, "user", "add", "alice");
    assert_says(rig, "No such file or directory");
    roamd_expect(rig, 1, "token", "issue", "alice");
    assert_says(rig, "No such file or directory");
    assert_int_equal(mkdir(rig->home, 0700), 0);
    roamd_expect(rig, 1, "run");
    assert_says(rig, "roamd.db: No such file or directory");
}

static void test_misuse_is_status_2(void **state)
{
    struct roamd_rig *rig = *state;
    static const char *const wrong[][4] = {
        {NULL},
        {"dance"},
        {"--dance"},
        {"init", "now"},
        {"user"},
        {"user", "add"},
        {"user", "remove", "alice"},
        {"user", "add", "alice", "bob"},
        {"user", "add", "--help"},
        {"token"},
        {"token", "issue"},
        {"token", "issue", "alice", "bob"},
        {"token", "issue", "alice", "--type=fridge"},
        {"token", "issue", "alice", "--expires=soon"},
        {"token", "issue", "alice", "--expires=30"},
        {"token", "issue", "alice", "--expires=100001d"},
        {"token", "issue", "alice", "--expires=2027-02-29T00:00:00Z"},
        {"token", "issue", "alice", "--expires=2019-12-31T00:00:00Z"},
        {"token", "issue", "alice", "--dance"},
        {"token", "revoke"},
        {"run", "now"},
        {"run", "--dance"},
        {"run", "--port"},
        {"run", "--port=65536"},
        {"run", "--port=-1"},
        {"run", "--port=http"},
        {"run", "--listen=localhost"},
        {"run", "--log-level=loud"},
        {"run", "--set=max_body"},
        {"run", "--set=no_such=1"},
    };

    roamd_expect(rig, 0, "init");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        roamd_do(rig, NULL, wrong[i][0], wrong[i][1], wrong[i][2], wrong[i][3],
                 NULL);
        if (rig->status != 2 || strncmp(rig->err, "roamd: ", 7) != 0) {
            fail_msg("line %zu: status %d: %s", i, rig->status, rig->err);
        }
    }
}

static void test_help_and_version_are_on_the_output(void **state)
{
    struct roamd_rig *rig = *state;
    static const char *const words[] = {
        "init",   "user add",    "token issue", "token revoke", "run",
        "config", "--port",      "--listen",    "--plain-port", "--log-level",
        "--set",  "--port-file", "exit status", "ROAMD_DIR"};

    roamd_expect(rig, 0, "--help");
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        assert_non_null(strstr(rig->out, words[i]));
    }
    roamd_expect(rig, 0, "--version");
    assert_int_equal(strncmp(rig->out, "roamd ", 6), 0);
}

static void test_user_names_are_utf8_of_1_to_64_bytes(void **state)
{
    struct roamd_rig *rig = *state;
    char name[66];

    memset(name, 'n', sizeof(name));
    name[65] = '\0';
    roamd_expect(rig, 1, "user", "add", name);
    assert_says(rig, "1 to 64 bytes");
    name[64] = '\0';
    roamd_expect(rig, 0, "user", "add", name);
    roamd_expect(rig, 1, "user", "add", name);
    assert_says(rig, "already");
    roamd_expect(rig, 1, "user", "add", "");
    roamd_expect(rig, 1, "user", "add", "\xc3");
    roamd_expect(rig, 0, "user", "add", "\xc3\xa4nne");
    roamd_expect(rig, 2, "user", "add", "--help");
    assert_says(rig, "user add -- --help");
    roamd_expect(rig, 0, "user", "add", "--", "--help");
    roamd_expect(rig, 0, "token", "issue", "--", "--help");
}

static void test_users_are_named_and_blocked(void **state)
{
    struct roamd_rig *rig = *state;
    char name[50];

    memset(name, 'n', sizeof(name));
    name[49] = '\0';
    roamd_expect(rig, 2, "user", "add", "--name", name, "alice");
    assert_says(rig, "48 bytes");
    roamd_expect(rig, 0, "user", "add", "--name", name + 1, "alice");
    roamd_expect(rig, 0, "user", "add", "bob");
    roamd_expect(rig, 1, "user", "add", "#bob");
    assert_says(rig, "groups");
    roamd_expect(rig, 0, "user", "name", "bob", "Bob");
    roamd_expect(rig, 0, "user", "name", "bob", "");
    roamd_expect(rig, 1, "user", "name", "bob", name);
    roamd_expect(rig, 1, "user", "name", "bob", "\xc3");
    roamd_expect(rig, 1, "user", "name", "nobody", "x");
    assert_says(rig, "no user");
    roamd_expect(rig, 0, "user", "block", "alice", "bob");
    roamd_expect(rig, 0, "user", "block", "alice", "bob");
    roamd_expect(rig, 1, "user", "block", "alice", "alice");
    roamd_expect(rig, 1, "user", "block", "alice", "nobody");
    roamd_expect(rig, 1, "user", "block", "nobody", "alice");
    roamd_expect(rig, 0, "user", "unblock", "alice", "bob");
    roamd_expect(rig, 2, "user", "block", "alice");
    assert_says(rig, "user block NAME OTHER");
    roamd_expect(rig, 2, "user", "block", "--name", "x", "alice");
    roamd_expect(rig, 2, "user", "rename", "alice", "x");
    roamd_expect(rig, 2, "user");
}

static void test_token_is_all_that_is_printed(void **state)
{
    struct roamd_rig *rig = *state;
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";
    char first[64];

    roamd_expect(rig, 0, "user", "add", "alice");
    roamd_expect(rig, 0, "token", "issue", "alice", "--type", "phone",
                 "--expires", "30d");
    assert_string_equal(rig->err, "");
    assert_int_equal(strspn(rig->out, digits), 43);
    assert_string_equal(rig->out + 43, "\n");
    strcpy(first, rig->out);
    roamd_expect(rig, 0, "token", "issue", "--expires=never", "alice");
    assert_string_not_equal(first, rig->out);
    roamd_expect(rig, 0, "token", "issue", "alice", "--expires",
                 "2030-02-28T23:59:59Z");
    roamd_expect(rig, 1, "token", "issue", "nobody");
    assert_string_equal(rig->out, "");
    assert_says(rig, "no user");
}

static void test_token_is_revoked_by_argument_or_input(void **state)
{
    struct roamd_rig *rig = *state;
    char token[64];

    roamd_expect(rig, 0, "user", "add", "alice");
    roamd_expect(rig, 0, "token", "issue", "alice");
    strcpy(token, rig->out);
    roamd_do(rig, token, "token", "revoke", "-", NULL);
    assert_int_equal(rig->status, 0);
    token[43] = '\0';
    roamd_expect(rig, 0, "token", "revoke", token);
    roamd_do(rig, "", "token", "revoke", "-", NULL);
    assert_int_equal(rig->status, 1);
    assert_says(rig, "no token on the input");
    token[0] ^= 1;
    roamd_expect(rig, 1, "token", "revoke", token);
    assert_says(rig, "no such token");
}

/* --------------------------------------------------------------- settings */

static void write_conf(const struct roamd_rig *rig, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/roamd.conf", rig->home);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_bad_lines_are_told_with_file_and_line(void **state)
{
    struct roamd_rig *rig = *state;
    static char long_line[2000];
    static const struct {
        const char *text;
        const char *said;
    } cases[] = {
        {"# fine\n\nmax_bodies = 3\n",
         "roamd.conf:3: there is no setting \"max_bodies\""},
        {"max_body 3\n", "roamd.conf:1: \"max_body 3\" is not"},
        {"port = 1\nport = 2\n",
         "roamd.conf:2: port is set twice, first in line 1"},
        {"max_body = many\n",
         "roamd.conf:1: max_body: \"many\" is not a number"},
        {"max_body = 12 34\n",
         "roamd.conf:1: max_body: \"12 34\" is not a number"},
        {"max_body =\n", "roamd.conf:1: max_body: \"\" is not a number"},
        {"max_body = -1\n", "roamd.conf:1: max_body: \"-1\" is not a number"},
        {"max_body = 99999999999999999999\n", "roamd.conf:1: max_body: "},
        {"allow_plaintext = maybe\n",
         "roamd.conf:1: allow_plaintext: \"maybe\" is neither yes nor no"},
        {"log_level = loud\n", "roamd.conf:1: log_level: \"loud\""},
        {"\n\nlisten = localhost\n",
         "roamd.conf:3: listen: \"localhost\" is not an IPv4 or IPv6"},
        {"key =\n", "roamd.conf:1: key: "},
        {long_line, "roamd.conf:1: the line is longer than"},
    };

    memset(long_line, '#', sizeof(long_line) - 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_conf(rig, cases[i].text);
        roamd_expect(rig, 1, "config");
        assert_says(rig, cases[i].said);
        roamd_expect(rig, 1, "run"); /* and it does not start */
        assert_says(rig, cases[i].said);
    }
}

static void test_missing_file_is_named(void **state)
{
    struct roamd_rig *rig = *state;
    char path[256];

    snprintf(path, sizeof(path), "%s/roamd.conf", rig->home);
    unlink(path);
    roamd_expect(rig, 1, "config");
    assert_says(rig, "roamd.conf: No such file or directory");
}

static void assert_prints(const struct roamd_rig *rig, const char *line)
{
    char with_end[256];

    snprintf(with_end, sizeof(with_end), "%s\n", line);
    if (strstr(rig->out, with_end) == NULL) {
        fail_msg("\"%s\" is not in: %s", line, rig->out);
    }
}

static void test_file_and_command_line_set_the_same_settings(void **state)
{
    struct roamd_rig *rig = *state;

    write_conf(rig, "max_commands = 7\n  heartbeat_ms=2000  \r\n"
                    "# max_commands = 9\nplain_port = off");
    roamd_expect(rig, 0, "config", "--set", "max_commands=8", "--port", "0",
                 "--log-level", "debug");
    assert_prints(rig, "max_commands = 8");
    assert_prints(rig, "heartbeat_ms = 2000");
    assert_prints(rig, "port = 0");
    assert_prints(rig, "plain_port = off");
    assert_prints(rig, "log_level = debug");
    /* Ports on the command line are all the ports. */
    roamd_expect(rig, 0, "config", "--plain-port", "0");
    assert_prints(rig, "port = off");
    assert_prints(rig, "plain_port = 0");
    roamd_expect(rig, 0, "config");
    assert_prints(rig, "port = 7626");
}

/* Each number at its bounds and one beyond. The other settings are such that
 * only the range decides. */
static void test_ranges_are_kept_to_the_number(void **state)
{
    struct roamd_rig *rig = *state;
    static const struct {
        const char *name;
        unsigned long long min, max;
    } ranges[] = {
        {"port", 0, 65535},
        {"plain_port", 0, 65535},
        {"backlog", 1, 65535},
        {"max_sessions", 1, 1000000},
        {"max_frame", 512, 16777215},
        {"max_body", 1, 16776767},
        {"max_commands", 1, 10000},
        {"max_unacked", 4, 100000},
        {"max_inflated", 1024, 16777215},
        {"output_max_bytes", 1024, 1073741824},
        {"output_total_bytes", 2048, 1099511627776},
        {"max_strangers", 1, 1000000},
        {"max_strangers_address", 1, 1000000},
        {"heartbeat_ms", 1000, 3600000},
        {"handshake_timeout_ms", 100, 600000},
        {"login_timeout_ms", 100, 600000},
        {"decision_timeout_ms", 100, 3600000},
        {"write_timeout_ms", 100, 600000},
        {"linger_ms", 0, 60000},
        {"drain_ms", 0, 600000},
        {"retry_window_ms", 0, 3600000},
        {"max_members", 2, 1000},
        {"max_groups", 1, 10000},
        {"dedup_ms", 1, 3153600000000},
        {"recall_ms", 0, 3153600000000},
        {"timeline_ms", 0, 3153600000000},
        {"timeline_entries", 0, UINT32_MAX},
        {"history_ms", 0, 3153600000000},
        {"watch_ms", 0, 3600000},
        {"trim_ms", 0, 86400000},
    };
    char set[64];

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        bool body = strcmp(ranges[i].name, "max_body") == 0;
        for (int k = 0; k < 4; k++) {
            unsigned long long n = k == 0   ? ranges[i].min
                                   : k == 1 ? ranges[i].max
                                   : k == 2 ? ranges[i].min - 1
                                            : ranges[i].max + 1;
            if (k == 2 && ranges[i].min == 0) {
                continue;
            }
            snprintf(set, sizeof(set), "%s=%llu", ranges[i].name, n);
            roamd_expect(
                rig, k < 2 ? 0 : 2, "config", "--set", "max_body=1", "--set",
                "max_frame=16777215", "--set", "max_inflated=16777215", "--set",
                body ? "output_max_bytes=1073741824" : "output_max_bytes=1024",
                "--set", set);
            if (k >= 2) {
                assert_says(rig, "out of range");
            }
        }
    }
}

static void test_rates_are_a_number_and_a_time_or_off(void **state)
{
    struct roamd_rig *rig = *state;
    static const char *const good[] = {"user_sends=1/1",
                                       "user_sends=1073741824/86400000",
                                       "login_failures=off"};
    static const char *const out_of_range[] = {
        "user_sends=0/1", "user_sends=1/0", "user_sends=1073741825/1",
        "user_sends=1/86400001", "user_sends=18446744073709551616/1"};
    static const char *const no_rate[] = {
        "user_sends=1",     "user_sends=1/",    "user_sends=/1",
        "user_sends=1/1x",  "user_sends=-1/1",  "user_sends=1/-1",
        "user_sends=1 / 1", "user_sends=1/1/1", "user_sends=OFF",
        "user_sends="};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        roamd_expect(rig, 0, "config", "--set", good[i]);
    }
    for (size_t i = 0; i < sizeof(out_of_range) / sizeof(out_of_range[0]);
         i++) {
        roamd_expect(rig, 2, "config", "--set", out_of_range[i]);
        assert_says(rig, "out of range");
    }
    for (size_t i = 0; i < sizeof(no_rate) / sizeof(no_rate[0]); i++) {
        roamd_expect(rig, 2, "config", "--set", no_rate[i]);
        assert_says(rig, "is not `number/milliseconds`");
    }
}

static void test_settings_that_contradict_each_other_are_refused(void **state)
{
    struct roamd_rig *rig = *state;

    roamd_expect(rig, 0, "config", "--set", "max_body=1000", "--set",
                 "max_frame=1448");
    roamd_expect(rig, 1, "config", "--set", "max_body=1000", "--set",
                 "max_frame=1447");
    assert_says(rig, "max_frame is 1447");
    roamd_expect(rig, 0, "config", "--set", "max_body=1000", "--set",
                 "max_inflated=1448");
    roamd_expect(rig, 1, "config", "--set", "max_body=1000", "--set",
                 "max_inflated=1447");
    assert_says(rig, "max_inflated is 1447");
    roamd_expect(rig, 0, "config", "--set", "max_body=1000", "--set",
                 "output_max_bytes=2904");
    roamd_expect(rig, 1, "config", "--set", "max_body=1000", "--set",
                 "output_max_bytes=2903");
    assert_says(rig, "output_max_bytes is 2903");
    roamd_expect(rig, 1, "config", "--port", "off");
    assert_says(rig, "nobody could connect");
}

/* [TLS-4] */
static void test_plaintext_leaves_loopback_only_when_told(void **state)
{
    struct roamd_rig *rig = *state;
    static const char *const inside[] = {"127.0.0.1", "127.9.9.9", "::1"};
    static const char *const outside[] = {"0.0.0.0", "192.0.2.1",
                                          "::", "128.0.0.1"};

    for (size_t i = 0; i < 3; i++) {
        roamd_expect(rig, 0, "config", "--plain-port", "0", "--plain-listen",
                     inside[i]);
    }
    for (size_t i = 0; i < 4; i++) {
        roamd_expect(rig, 1, "config", "--plain-port", "0", "--plain-listen",
                     outside[i]);
        assert_says(rig, "not loopback");
        roamd_expect(rig, 1, "run", "--plain-port", "0", "--plain-listen",
                     outside[i]);
        roamd_expect(rig, 0, "config", "--plain-port", "0", "--plain-listen",
                     outside[i], "--allow-plaintext");
    }
}

static void test_an_option_without_its_value_is_told(void **state)
{
    struct roamd_rig *rig = *state;

    roamd_expect(rig, 2, "run", "--port");
    assert_says(rig, "--port needs a value");
    roamd_expect(rig, 2, "token", "issue", "alice", "--type");
    assert_says(rig, "--type needs a value");
    roamd_expect(rig, 2, "run", "--dance");
    assert_says(rig, "\"--dance\" is not understood");
}

/* The exit status of the command with its output on a full disk. */
static int with_full_output(const struct roamd_rig *rig, const char *command)
{
    char line[1024];
    int len = snprintf(line, sizeof(line), "'%s' -d '%s' %s >/dev/full 2>&1",
                       roamd_program(), rig->home, command);

    assert_true(len > 0 && (size_t)len < sizeof(line));
    int status = system(line);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_output_that_is_lost_is_a_failure(void **state)
{
    struct roamd_rig *rig = *state;

    assert_int_equal(with_full_output(rig, "config"), 1);
    assert_int_equal(with_full_output(rig, "--help"), 1);
    assert_int_equal(with_full_output(rig, "--version"), 1);
    assert_int_equal(with_full_output(rig, "user add alice"), 0);
    assert_int_equal(with_full_output(rig, "token issue alice"), 1);
}

int main(void)
{
#define BARE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define HOME(name) cmocka_unit_test_setup_teardown(name, setup_home, teardown)
    const struct CMUnitTest tests[] = {
        BARE(test_init_makes_a_home_for_its_owner_alone),
        BARE(test_init_takes_an_empty_directory_and_no_other),
        BARE(test_init_names_a_missing_parent),
        BARE(test_every_command_names_a_missing_home),
        BARE(test_misuse_is_status_2),
        BARE(test_help_and_version_are_on_the_output),
        HOME(test_an_option_without_its_value_is_told),
        HOME(test_output_that_is_lost_is_a_failure),
        HOME(test_user_names_are_utf8_of_1_to_64_bytes),
        HOME(test_users_are_named_and_blocked),
        HOME(test_token_is_all_that_is_printed),
        HOME(test_token_is_revoked_by_argument_or_input),
        HOME(test_bad_lines_are_told_with_file_and_line),
        HOME(test_missing_file_is_named),
        HOME(test_file_and_command_line_set_the_same_settings),
        HOME(test_ranges_are_kept_to_the_number),
        HOME(test_rates_are_a_number_and_a_time_or_off),
        HOME(test_settings_that_contradict_each_other_are_refused),
        HOME(test_plaintext_leaves_loopback_only_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
