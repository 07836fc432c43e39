/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, and what a device remembers. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "commands.h"
#include "options.h"
#include "profile.h"
#include "roam_limits.h"

static char error[ROAM_PROFILE_ERROR_MAX];
static char *words[32];

/* The words of a command line; the last one is NULL. */
static bool parse(struct roam_options *o, ...)
{
    static char store[32][256];
    int count = 1;
    va_list args;
    strcpy(store[0], "roam");
    words[0] = store[0];
    va_start(args, o);
    for (const char *w = va_arg(args, const char *); w;
         w = va_arg(args, const char *)) {
        snprintf(store[count], sizeof store[count], "%s", w);
        words[count] = store[count];
        count++;
    }
    va_end(args);
    error[0] = '\0';
    return roam_options_parse(o, count, words, error);
}

static void test_options_may_stand_anywhere(void **state)
{
    struct roam_options o;
    (void)state;
    assert_true(parse(&o, "--user", "alice", "send", "--type=phone", "bob",
                      "--take-over", "hello", "--timeout", "5", NULL));
    assert_int_equal(o.command, ROAM_COMMAND_SEND);
    assert_string_equal(o.user, "alice");
    assert_int_equal(o.device_type, ROAM_PHONE);
    assert_true(o.take_over);
    assert_int_equal(o.timeout_s, 5);
    assert_int_equal(o.argument_count, 2);
    assert_string_equal(o.arguments[0], "bob");
    assert_string_equal(o.arguments[1], "hello");
}

static void test_what_is_not_said_has_its_default(void **state)
{
    struct roam_options o;
    (void)state;
    assert_true(parse(&o, "tail", "--user", "a", NULL));
    assert_int_equal(o.device_type, ROAM_DESKTOP);
    assert_false(o.json || o.plain || o.take_over || o.exit_when_synced);
    assert_null(o.server);
    assert_null(o.ca);
    assert_null(o.state);
    assert_int_equal(o.exit_at, 0);
    assert_int_equal(o.until_count, 0);
    assert_int_equal(o.timeout_s, 0);
}

static void test_history_goes_online_to_fetch(void **state)
{
    struct roam_options o;
    (void)state;
    assert_true(parse(&o, "history", "bob", "--user", "a", "--json", NULL));
    assert_false(o.fetch || o.all || o.from_now);
    assert_true(parse(&o, "history", "bob", "--user", "a", "--fetch", "--all",
                      "--plain", "--timeout", "5", "--from-now", NULL));
    assert_int_equal(o.command, ROAM_COMMAND_HISTORY);
    assert_true(o.fetch && o.all && o.plain && o.from_now);
    assert_true(parse(&o, "conversations", "--user", "a", "--fetch", NULL));
    assert_int_equal(o.command, ROAM_COMMAND_CONVERSATIONS);
}

static void test_every_type_has_a_name(void **state)
{
    (void)state;
    for (int t = ROAM_PHONE; t <= ROAM_EMBEDDED; t++) {
        struct roam_options o;
        const char *name = roam_device_type_name((enum roam_device_type)t);
        assert_non_null(name);
        assert_true(parse(&o, "tail", "--user", "a", "--type", name, NULL));
        assert_int_equal(o.device_type, t);
    }
    assert_null(roam_device_type_name((enum roam_device_type)0));
    assert_null(
        roam_device_type_name((enum roam_device_type)(ROAM_EMBEDDED + 1)));
}

static void refused(const char *why)
{
    if (!strstr(error, why)) {
        fail_msg("\"%s\" does not say \"%s\"", error, why);
    }
}

static void test_a_wrong_line_is_refused_with_its_reason(void **state)
{
    struct roam_options o;
    (void)state;
    assert_false(parse(&o, NULL));
    refused("no command");
    assert_false(parse(&o, "shout", "--user", "a", NULL));
    refused("unknown command: shout");
    assert_false(parse(&o, "tail", NULL));
    refused("--user");
    assert_false(parse(&o, "tail", "--usr", "a", NULL));
    refused("unknown option: --usr");
    assert_false(parse(&o, "tail", "--user", NULL));
    refused("needs a value: --user");
    assert_false(parse(&o, "tail", "--user", "a", "--json=yes", NULL));
    refused("takes no value");
    assert_false(parse(&o, "tail", "--user", "a", "--type", "fridge", NULL));
    refused("bad value: fridge");
    assert_false(parse(&o, "chat", "--user", "a", "--exit-at", "1", NULL));
    refused("not for this command: exit-at");
    assert_false(
        parse(&o, "login", "--user", "a", "--plain", "--ca", "x", NULL));
    refused("contradict");
    assert_false(parse(&o, "history", "b", "--all", "--user", "a", NULL));
    refused("option is missing: --fetch");
    assert_false(
        parse(&o, "conversations", "--server", "h:1", "--user", "a", NULL));
    refused("option is missing: --fetch");
    assert_false(parse(&o, "tail", "--fetch", "--user", "a", NULL));
    refused("not for this command: fetch");
    assert_false(parse(&o, "send", "b", "--from-now", "--user", "a", NULL));
    refused("not for this command: from-now");
    assert_false(parse(&o, "conversations", "b", "--user", "a", NULL));
    refused("unexpected argument: b");
    assert_false(parse(&o, "send", "--user", "a", NULL));
    refused("argument is missing");
    assert_false(parse(&o, "send", "--user", "a", "b", "c", "d", NULL));
    refused("unexpected argument: d");
    assert_false(parse(&o, "status", "--user", "a", "b", NULL));
    refused("unexpected argument: b");
}

static void test_operations_have_their_arguments(void **state)
{
    static const char *const commands[] = {"recall", "delete", "read"};
    struct roam_options o;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(parse(&o, commands[i], "bob", "7", "--user", "a", NULL));
        assert_int_equal(o.command, ROAM_COMMAND_RECALL + (int)i);
        assert_false(parse(&o, commands[i], "bob", "--user", "a", NULL));
        refused("argument is missing: PEER MSG_ID");
        assert_false(
            parse(&o, commands[i], "bob", "7", "8", "--user", "a", NULL));
        refused("unexpected argument: 8");
    }
    assert_false(parse(&o, "app", "--user", "a", NULL));
    refused("argument is missing");
    assert_false(parse(&o, "app", "b", "c", "d", "--user", "a", NULL));
    refused("unexpected argument: d");
    assert_false(parse(&o, "group", "--user", "a", NULL));
    refused("argument is missing");
    assert_false(
        parse(&o, "sessions", "a", "b", "c", "d", "--user", "a", NULL));
    refused("unexpected argument: d");
    assert_false(parse(&o, "send", "b", "--attach", "f", "--user", "a", NULL));
    refused("belong together");
    assert_false(parse(&o, "send", "b", "--url", "u", "--user", "a", NULL));
    refused("belong together");
    assert_false(parse(&o, "app", "b", "--off", "--user", "a", NULL));
    refused("not for this command: off");
    assert_false(parse(&o, "send", "b", "--to", "c", "--user", "a", NULL));
    refused("not for this command: to");
}

static void test_an_app_names_up_to_16_users(void **state)
{
    (void)state;
    for (unsigned count = ROAM_APP_USERS_MAX; count <= ROAM_APP_USERS_MAX + 1;
         count++) {
        char store[22][16] = {"roam", "app", "#g", "--user=a"};
        char *line[22];
        struct roam_options o;
        for (unsigned i = 0; i < 22; i++) {
            if (i >= 4) {
                snprintf(store[i], sizeof store[i], "--to=u%u", i - 4);
            }
            line[i] = store[i];
        }
        assert_int_equal(sizeof o.to / sizeof o.to[0], ROAM_APP_USERS_MAX);
        bool good = roam_options_parse(&o, 4 + (int)count, line, error);
        assert_int_equal(good, count == ROAM_APP_USERS_MAX);
        assert_int_equal(o.to_count, ROAM_APP_USERS_MAX);
        assert_string_equal(o.to[15], "u15");
    }
    refused("--to: bad value: u16");
}

static void test_numbers_have_bounds(void **state)
{
    struct roam_options o;
    static const char *const bad[] = {
        "0", "-1", "+1", "1x", "", " 1", "9223372036854775808"};
    (void)state;
    assert_true(parse(&o, "tail", "--user", "a", "--exit-at",
                      "9223372036854775807", NULL));
    assert_true(o.exit_at == INT64_MAX);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(
            parse(&o, "tail", "--user", "a", "--exit-at", bad[i], NULL));
    }
    assert_true(parse(&o, "tail", "--user", "a", "--timeout", "1000000", NULL));
    assert_false(
        parse(&o, "tail", "--user", "a", "--timeout", "1000001", NULL));
}

static void test_a_user_name_has_1_to_64_bytes(void **state)
{
    struct roam_options o;
    char name[66];
    (void)state;
    memset(name, 'x', 65);
    name[65] = '\0';
    assert_false(parse(&o, "tail", "--user", name, NULL));
    name[64] = '\0';
    assert_true(parse(&o, "tail", "--user", name, NULL));
    assert_false(parse(&o, "tail", "--user", "", NULL));
}

static void test_two_dashes_end_the_options(void **state)
{
    struct roam_options o;
    (void)state;
    assert_true(parse(&o, "send", "--user", "a", "--", "bob", "--json", NULL));
    assert_false(o.json);
    assert_string_equal(o.arguments[1], "--json");
}

static void test_help_and_version_need_nothing_else(void **state)
{
    struct roam_options o;
    (void)state;
    assert_true(parse(&o, "--help", NULL));
    assert_true(o.help);
    assert_true(parse(&o, "chat", "--version", NULL));
    assert_true(o.version);
}

static void splits(const char *server, const char *want_host,
                   const char *want_port)
{
    char text[64], *host, *port;
    strcpy(text, server);
    assert_true(roam_options_split_server(text, &host, &port));
    assert_string_equal(host, want_host);
    assert_string_equal(port, want_port);
}

static void test_a_server_is_a_host_and_a_port(void **state)
{
    static const char *const bad[] = {
        "host",       ":1",         "host:",   "::1:7",    "[::1]",
        "[]:1",       "[::1:7",     "",        "host:abc", "host:0",
        "host:65536", "host:99999", "host:1x", "host:-1",  "host: 1"};
    (void)state;
    splits("localhost:7626", "localhost", "7626");
    splits("127.0.0.1:1", "127.0.0.1", "1");
    splits("127.0.0.1:65535", "127.0.0.1", "65535");
    splits("[::1]:7626", "::1", "7626");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[64], *host, *port;
        strcpy(text, bad[i]);
        if (roam_options_split_server(text, &host, &port)) {
            fail_msg("%s was taken", bad[i]);
        }
    }
}

/* ---------------------------------------------------------------- profile */

static char home[64];

static int make_home(void **state)
{
    (void)state;
    strcpy(home, "/tmp/roam-profile-XXXXXX");
    assert_non_null(mkdtemp(home));
    setenv("XDG_DATA_HOME", home, 1);
    unsetenv("ROAM_TOKEN");
    return 0;
}

static int remove_home(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", home);
    return system(command);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void test_a_directory_name_cannot_leave_its_place(void **state)
{
    char name[3 * 64 + 16];
    struct roam_options o;
    (void)state;
    assert_true(parse(&o, "tail", "--user", "../x y/\xe4", NULL));
    roam_profile_directory_name(&o, name);
    assert_string_equal(name, "%2E.%2Fx%20y%2F%E4-desktop");
    assert_true(
        parse(&o, "tail", "--user", "Ann.B-c_d@e+f", "--type", "web", NULL));
    roam_profile_directory_name(&o, name);
    assert_string_equal(name, "Ann.B-c_d@e+f-web");
}

static void test_what_login_knew_is_remembered(void **state)
{
    static struct roam_profile p;
    struct roam_options o;
    struct stat st;
    char ca[96], path[256];
    (void)state;
    snprintf(ca, sizeof ca, "%s/ca.pem", home);
    write_file(ca, "x");
    setenv("ROAM_TOKEN", "secret", 1);
    assert_true(parse(&o, "login", "--user", "alice", "--server", "h:1", "--ca",
                      ca, "--device-name", "Ann's", NULL));
    assert_true(roam_profile_load(&p, &o, error));
    assert_true(roam_profile_make_directory(&p, error));
    assert_true(roam_profile_save(&p, error));
    unsetenv("ROAM_TOKEN");

    snprintf(path, sizeof path, "%s/roam/alice-desktop/token", home);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(path, sizeof path, "%s/roam/alice-desktop", home);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);

    assert_true(parse(&o, "tail", "--user", "alice", NULL));
    assert_true(roam_profile_load(&p, &o, error));
    assert_string_equal(p.server, "h:1");
    assert_string_equal(p.ca, ca);
    assert_string_equal(p.device_name, "Ann's");
    assert_string_equal(p.token, "secret");
    assert_false(p.plain);

    assert_true(parse(&o, "tail", "--user", "alice", "--plain", "--server",
                      "other:2", NULL));
    assert_true(roam_profile_load(&p, &o, error));
    assert_string_equal(p.server, "other:2");
    assert_true(p.plain);
    assert_string_equal(p.ca, "");

    assert_true(parse(&o, "tail", "--user", "alice", "--type", "web", NULL));
    assert_true(roam_profile_load(&p, &o, error));
    assert_string_equal(p.server, "");
    assert_string_equal(p.token, "");
}

static void test_what_cannot_be_remembered_is_told_with_its_cause(void **state)
{
    static struct roam_profile p;
    struct roam_options o;
    char path[160];
    (void)state;
    assert_true(parse(&o, "login", "--user", "a", "--server", "h:1", NULL));
    assert_true(roam_profile_load(&p, &o, error));
    assert_true(roam_profile_make_directory(&p, error));
    snprintf(path, sizeof path, "%s/roam/a-desktop/profile", home);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_false(roam_profile_save(&p, error));
    refused(strerror(EISDIR));
    assert_int_equal(rmdir(path), 0);

    /* A disk that takes some of it. */
    struct rlimit all, few;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
    few = all;
    few.rlim_cur = 10;
    void (*usual)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
    errno = 0;
    bool saved = roam_profile_save(&p, error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
    signal(SIGXFSZ, usual);
    assert_false(saved);
    refused(strerror(EFBIG));
    assert_true(roam_profile_save(&p, error));
}

static void test_a_token_file_holds_one_token(void **state)
{
    static struct roam_profile p;
    struct roam_options o;
    char path[96], text[160];
    (void)state;
    snprintf(path, sizeof path, "%s/token", home);
    write_file(path, " abc \nnot this\n");
    assert_true(parse(&o, "login", "--user", "a", "--token-file", path, NULL));
    assert_true(roam_profile_load(&p, &o, error));
    assert_string_equal(p.token, "abc");

    memset(text, 't', 129);
    text[128] = '\0';
    write_file(path, text);
    assert_true(roam_profile_load(&p, &o, error));
    assert_string_equal(p.token, text);
    text[128] = 't';
    text[129] = '\0';
    write_file(path, text);
    assert_false(roam_profile_load(&p, &o, error));
    refused("1 to 128");
    write_file(path, "\n");
    assert_false(roam_profile_load(&p, &o, error));
    unlink(path);
    assert_false(roam_profile_load(&p, &o, error));
    refused(path);
}

static void test_a_spoilt_profile_is_refused(void **state)
{
    static struct roam_profile p;
    static const char *const spoilt[] = {"server\n", "colour=red\n",
                                         "plain=maybe\n"};
    struct roam_options o;
    char path[160];
    (void)state;
    assert_true(parse(&o, "tail", "--user", "a", NULL));
    assert_true(roam_profile_load(&p, &o, error));
    assert_true(roam_profile_make_directory(&p, error));
    snprintf(path, sizeof path, "%s/roam/a-desktop/profile", home);
    for (size_t i = 0; i < sizeof spoilt / sizeof spoilt[0]; i++) {
        write_file(path, spoilt[i]);
        assert_false(roam_profile_load(&p, &o, error));
        refused("cannot be understood");
    }
}

/* Runs a command; what it said on standard error is in `said`. */
static enum roam_exit run(
    enum roam_exit (*command)(const struct roam_options *),
    const struct roam_options *o, char said[512])
{
    FILE *file = tmpfile();
    int before = dup(STDERR_FILENO);
    assert_non_null(file);
    assert_true(before >= 0);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    enum roam_exit code = command(o);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    rewind(file);
    said[fread(said, 1, 511, file)] = '\0';
    fclose(file);
    return code;
}

static void test_a_device_that_never_logged_in_is_told_to(void **state)
{
    struct roam_options o;
    char said[512];
    (void)state;
    assert_true(parse(&o, "history", "--user", "a", NULL));
    assert_int_equal(run(roam_command_history, &o, said), ROAM_EXIT_FAILED);
    assert_non_null(strstr(said, "roam login"));
    assert_true(parse(&o, "status", "--user", "a", NULL));
    assert_int_equal(run(roam_command_status, &o, said), ROAM_EXIT_FAILED);
    assert_non_null(strstr(said, "roam login"));
}

static void test_a_ca_file_that_is_none_is_a_wrong_configuration(void **state)
{
    struct roam_options o;
    char ca[96], said[512];
    (void)state;
    snprintf(ca, sizeof ca, "%s/ca.pem", home);
    write_file(ca, "x");
    setenv("ROAM_TOKEN", "secret", 1);
    assert_true(parse(&o, "login", "--user", "a", "--server", "localhost:1",
                      "--ca", ca, NULL));
    assert_int_equal(run(roam_command_login, &o, said), ROAM_EXIT_USAGE);
    assert_non_null(strstr(said, ca));
    assert_null(strstr(said, "secret"));
}

/* A line with at most four words behind `group`; NULL: fewer. */
static const struct group_line {
    const char *words[4];
    const char *option;
    bool good;
} group_lines[] = {
    {{"create"}, NULL, true},
    {{"create", "bob", "carol"}, "--name=Walks", true},
    {{"create"}, "--join=approval", true},
    {{"create"}, "--join=ajar", false},
    {{"create"},
     "--name=123456789012345678901234567890123456789012345678",
     true},
    {{"create"},
     "--name=1234567890123456789012345678901234567890123456789",
     false},
    {{"create"}, "--off", false},
    {{"invite", "#g", "bob"}, NULL, true},
    {{"invite", "#g", "bob", "carol"}, NULL, true},
    {{"invite", "#g"}, NULL, false},
    {{"invite"}, NULL, false},
    {{"join", "#g"}, NULL, true},
    {{"join", "#g", "please"}, NULL, true},
    {{"join", "#g", "please", "do"}, NULL, false},
    {{"approve", "#g", "bob"}, NULL, true},
    {{"approve", "#g"}, NULL, false},
    {{"deny", "#g", "bob"}, NULL, true},
    {{"deny", "#g", "bob", "carol"}, NULL, false},
    {{"leave", "#g"}, NULL, true},
    {{"leave", "#g", "bob"}, NULL, false},
    {{"remove", "#g", "bob"}, NULL, true},
    {{"remove", "#g", "bob"}, "--off", false},
    {{"rename", "#g", "Hills"}, NULL, true},
    {{"rename", "#g"}, NULL, false},
    {{"rename", "#g", "Hills"}, "--name=Walks", false},
    {{"admin", "#g", "bob"}, NULL, true},
    {{"admin", "#g", "bob"}, "--off", true},
    {{"admin", "#g"}, NULL, false},
    {{"mute", "#g"}, NULL, true},
    {{"mute", "#g", "bob"}, "--off", true},
    {{"mute", "#g", "bob", "carol"}, NULL, false},
    {{"transfer", "#g", "bob"}, NULL, true},
    {{"transfer", "#g"}, NULL, false},
    {{"set-join", "#g", "open"}, NULL, true},
    {{"set-join", "#g", "ajar"}, NULL, false},
    {{"dissolve", "#g"}, NULL, true},
    {{"dissolve", "#g"}, "--join=open", false},
    {{"members", "#g"}, NULL, true},
    {{"members", "#g", "bob"}, NULL, false},
    {{"members", "#g"}, "--off", false},
    {{"shout", "#g"}, NULL, false},
};

static void test_an_action_of_a_group_has_its_words(void **state)
{
    char said[512];
    (void)state;
    for (size_t i = 0; i < sizeof group_lines / sizeof group_lines[0]; i++) {
        const struct group_line *l = &group_lines[i];
        const char *w[6] = {l->words[0], l->words[1], l->words[2],
                            l->words[3], NULL,        NULL};
        struct roam_options o;
        int n = 0;
        while (w[n]) {
            n++;
        }
        w[n] = l->option;
        assert_true(
            parse(&o, "group", "--user=a", w[0], w[1], w[2], w[3], w[4], NULL));
        assert_int_equal(run(roam_command_group, &o, said), ROAM_EXIT_USAGE);
        if (l->good != (strstr(said, "which server?") != NULL)) {
            fail_msg("line %zu: %s", i, said);
        }
    }
}

static void test_an_operation_that_cannot_be_is_not_sent(void **state)
{
    static const char *const ids[] = {"0", "x", "9223372036854775808", ""};
    struct roam_options o;
    char said[512];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_true(parse(&o, "recall", "bob", ids[i], "--user=a", NULL));
        assert_int_equal(run(roam_command_operation, &o, said),
                         ROAM_EXIT_USAGE);
        assert_non_null(strstr(said, "MSG_ID"));
    }
    assert_true(
        parse(&o, "read", "bob", "9223372036854775807", "--user=a", NULL));
    assert_int_equal(run(roam_command_operation, &o, said), ROAM_EXIT_USAGE);
    assert_non_null(strstr(said, "which server?"));
    assert_true(parse(&o, "app", "bob", "--user=a", NULL));
    run(roam_command_operation, &o, said);
    assert_non_null(strstr(said, "empty"));
    assert_true(parse(&o, "sessions", "end", "fridge", "3", "--user=a", NULL));
    run(roam_command_sessions, &o, said);
    assert_non_null(strstr(said, "TYPE GENERATION"));
    assert_true(parse(&o, "sessions", "end", "web", "3", "--user=a", NULL));
    run(roam_command_sessions, &o, said);
    assert_non_null(strstr(said, "which server?"));
    assert_true(parse(&o, "send", "bob", "text", "--attach=/dev/null",
                      "--url=u", "--user=a", NULL));
    run(roam_command_send, &o, said);
    assert_non_null(strstr(said, "does not go with --attach"));
}

int main(void)
{
#define H(f) cmocka_unit_test_setup_teardown(f, make_home, remove_home)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_may_stand_anywhere),
        cmocka_unit_test(test_what_is_not_said_has_its_default),
        cmocka_unit_test(test_history_goes_online_to_fetch),
        cmocka_unit_test(test_every_type_has_a_name),
        cmocka_unit_test(test_a_wrong_line_is_refused_with_its_reason),
        cmocka_unit_test(test_operations_have_their_arguments),
        cmocka_unit_test(test_an_app_names_up_to_16_users),
        cmocka_unit_test(test_numbers_have_bounds),
        cmocka_unit_test(test_a_user_name_has_1_to_64_bytes),
        cmocka_unit_test(test_two_dashes_end_the_options),
        cmocka_unit_test(test_help_and_version_need_nothing_else),
        cmocka_unit_test(test_a_server_is_a_host_and_a_port),
        cmocka_unit_test(test_a_directory_name_cannot_leave_its_place),
        H(test_what_login_knew_is_remembered),
        H(test_what_cannot_be_remembered_is_told_with_its_cause),
        H(test_a_token_file_holds_one_token),
        H(test_a_spoilt_profile_is_refused),
        H(test_a_device_that_never_logged_in_is_told_to),
        H(test_an_action_of_a_group_has_its_words),
        H(test_an_operation_that_cannot_be_is_not_sent),
        H(test_a_ca_file_that_is_none_is_a_wrong_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
