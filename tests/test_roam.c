/* SPDX-License-Identifier: Apache-2.0 */
/* The command roam against roamd, both as processes: what one device does
 * shows on the others, and an answer of the server's is the exit status. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "roamd_rig.h"

#define DEVICES 4
/* Those behind are new in the end; the last one comes to nothing. */
#define NEW_DEVICES 3

static const struct device {
    const char *user, *type;
} devices[DEVICES + NEW_DEVICES + 1] = {
    {"alice", "phone"},  {"alice", "desktop"}, {"bob", "phone"},
    {"carol", "phone"},  {"alice", "tablet"},  {"bob", "tablet"},
    {"carol", "tablet"}, {"carol", "web"}};

enum {
    ALICE,
    DESKTOP,
    BOB,
    CAROL
};

static struct roamd_rig rig;
static char out[65536], err[65536];

static void read_file(const char *name, char *text, size_t cap)
{
    char path[192];
    snprintf(path, sizeof path, "%s/%s", rig.dir, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(text, 1, cap, file);
    fclose(file);
    assert_true(n < cap);
    text[n] = '\0';
}

#define USUAL ">out 2>err </dev/null"
static const char *redirections = USUAL;

/* Runs `roam WORDS` on that device; the exit status. What it prints is in
 * `out` and `err`. */
static int roam(int device, const char *format, ...)
{
    char words[512], command[2048], program[512];
    const struct device *d = &devices[device];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    strcpy(program, roamd_program());
    program[strlen(program) - 1] = '\0'; /* roamd, roam */
    int n = snprintf(command, sizeof command,
                     "cd '%s' && '%s' %s --user %s --type %s --state %s-%s"
                     " %s",
                     rig.dir, program, words, d->user, d->type, d->user,
                     d->type, redirections);
    assert_true(n > 0 && (size_t)n < sizeof command);
    int status = system(command);
    read_file("out", out, sizeof out);
    read_file("err", err, sizeof err);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define expect(code, device, ...)                                              \
    do {                                                                       \
        int got_ = roam((device), __VA_ARGS__);                                \
        if (got_ != (code)) {                                                  \
            fail_msg("exit status %d: %s%s", got_, out, err);                  \
        }                                                                      \
    } while (0)

static void assert_out(const char *text)
{
    if (!strstr(out, text)) {
        fail_msg("\"%s\" is not in: %s", text, out);
    }
}

static void assert_not_out(const char *text)
{
    if (strstr(out, text)) {
        fail_msg("\"%s\" is in: %s", text, out);
    }
}

/* What the command printed, without its newline. */
static const char *answer(char id[65])
{
    snprintf(id, 65, "%.64s", out);
    id[strcspn(id, "\n")] = '\0';
    assert_true(id[0] != '\0');
    return id;
}

static void catch_up(int device)
{
    expect(0, device, "tail --exit-when-synced");
}

static void log_in(int device, const char *how)
{
    const struct device *d = &devices[device];
    roamd_expect(&rig, 0, "token", "issue", d->user);
    rig.out[43] = '\0';
    assert_int_equal(setenv("ROAM_TOKEN", rig.out, 1), 0);
    expect(0, device, "login %s --plain --server 127.0.0.1:%u", how,
           (unsigned)rig.plain_port);
    unsetenv("ROAM_TOKEN");
}

static int set_up(void **state)
{
    (void)state;
    roamd_rig_setup(&rig);
    roamd_expect(&rig, 0, "init");
    roamd_expect(&rig, 0, "user", "add", "alice");
    roamd_expect(&rig, 0, "user", "add", "bob");
    roamd_expect(&rig, 0, "user", "add", "carol");
    roamd_start(&rig, (struct roamd_limits){0, 0}, "run", "--plain-port", "0",
                "--port", "0", NULL);
    for (int i = 0; i < DEVICES; i++) {
        log_in(i, "");
    }
    return 0;
}

static int tear_down(void **state)
{
    char command[512];
    (void)state;
    assert_int_equal(roamd_stop(&rig, SIGTERM), 0);
    snprintf(command, sizeof command, "rm -rf '%s'/*-* '%s'/out '%s'/err",
             rig.dir, rig.dir, rig.dir);
    assert_int_equal(system(command), 0);
    roamd_rig_teardown(&rig);
    return 0;
}

/* --------------------------------------------------------------- operations */

static void test_what_is_recalled_is_gone_everywhere(void **state)
{
    char id[65], again[65];
    (void)state;
    expect(0, ALICE, "send bob secret");
    answer(id);
    catch_up(BOB);
    assert_out("alice: secret");
    expect(0, ALICE, "recall bob %s", id);
    answer(again);
    expect(0, ALICE, "recall bob %s", id); /* it stands already */
    char second[65];
    assert_string_equal(answer(second), again);
    catch_up(BOB);
    expect(0, BOB, "history alice --json");
    assert_not_out("secret");
    assert_out("\"recalled\":true");
    assert_out("\"event\":\"recall\"");
    catch_up(DESKTOP); /* it never had the text */
    assert_not_out("secret");
    assert_out("[taken back]");
}

static void test_the_server_s_no_is_told(void **state)
{
    char id[65];
    (void)state;
    expect(0, ALICE, "send bob mine");
    answer(id);
    catch_up(BOB);
    expect(1, BOB, "recall alice %s", id);
    assert_non_null(strstr(err, "FORBIDDEN"));
    expect(1, BOB, "recall alice 12345");
    assert_non_null(strstr(err, "NO_SUCH_MESSAGE"));
    expect(1, BOB, "delete nobody %s", id);
    assert_non_null(strstr(err, "NO_SUCH_CONVERSATION"));
    expect(0, BOB, "history alice");
    assert_out("alice: mine");
}

static void test_a_mark_and_a_deletion_are_for_one_s_own_devices(void **state)
{
    char first[65], second[65];
    (void)state;
    expect(0, BOB, "send alice one");
    answer(first);
    expect(0, BOB, "send alice two");
    answer(second);
    catch_up(ALICE);
    catch_up(DESKTOP);
    expect(0, DESKTOP, "conversations");
    assert_out("(2 unread)");
    expect(0, ALICE, "read bob %s", first);
    expect(0, ALICE, "delete bob %s", second);
    catch_up(DESKTOP);
    expect(0, DESKTOP, "conversations --json");
    assert_out("\"unread\":0,\"unread_open\":false");
    assert_out(first);
    expect(0, DESKTOP, "history bob");
    assert_out("bob: one");
    assert_not_out("bob: two");
    catch_up(BOB);
    expect(0, BOB, "history alice");
    assert_out("two");
    assert_not_out("deleted");
    assert_not_out("read up to");
}

static void test_apps_and_attachments_reach_the_other(void **state)
{
    (void)state;
    expect(0, ALICE, "app bob ping");
    expect(0, ALICE, "send bob --attach err --url https://example.org/x");
    catch_up(BOB);
    assert_out("alice: [app: ping]");
    assert_out("alice: [attachment err, application/octet-stream, 0 bytes: "
               "https://example.org/x]");
}

static void test_a_new_device_fetches_what_was(void **state)
{
    char id[65];
    (void)state;
    expect(0, BOB, "send carol gone");
    answer(id);
    expect(0, BOB, "send carol read");
    expect(0, BOB, "recall carol %s", id);
    expect(0, BOB, "send carol unread");
    catch_up(CAROL);
    expect(0, CAROL, "history bob --ids");
    char *at = strstr(out, " bob: read");
    assert_non_null(at);
    *at = '\0';
    at = strrchr(out, ' ');
    assert_non_null(at);
    snprintf(id, sizeof id, "%s", at + 1);
    expect(0, CAROL, "read bob %s", id);
    /* The store is lost; the device starts over from now on. */
    expect(0, CAROL, "conversations --json");
    static char before[sizeof out];
    strcpy(before, out);
    char command[256];
    snprintf(command, sizeof command, "rm '%s'/carol-phone/messages.db*",
             rig.dir);
    assert_int_equal(system(command), 0);
    log_in(CAROL, "--from-now --take-over");
    expect(0, CAROL, "history --fetch");
    expect(0, CAROL, "conversations --json");
    assert_string_equal(out, before);
    assert_out("\"unread\":1,\"unread_open\":false");
}

/* -------------------------------------------------------------------- groups
 */

static bool has_line(const char *line)
{
    const char *at = strstr(out, line);
    return at && (at == out || at[-1] == '\n') && at[strlen(line)] == '\n';
}

static void test_a_group_from_its_making_to_its_end(void **state)
{
    char group[65], id[65];
    (void)state;
    expect(0, ALICE, "group create bob --name Walks --join approval");
    answer(group);
    assert_int_equal(group[0], '#');
    expect(0, ALICE, "send '%s' hello", group);
    answer(id);
    assert_int_not_equal(id[0], '#');
    catch_up(BOB);
    assert_out("[made the group \"Walks\" with bob]");
    assert_out("alice in Walks <#");
    assert_out(": hello");
    expect(1, CAROL, "send '%s' me", group);
    assert_non_null(strstr(err, "NO_SUCH_CONVERSATION"));
    expect(1, CAROL, "group members '%s'", group);
    assert_non_null(strstr(err, "NO_SUCH_CONVERSATION"));
    expect(0, CAROL, "group join '%s' please", group);
    expect(1, BOB, "group approve '%s' carol", group);
    expect(0, ALICE, "group members '%s'", group);
    assert_true(has_line("alice: owner") && has_line("bob: member") &&
                has_line("carol: applicant"));
    expect(0, ALICE, "group approve '%s' carol", group);
    expect(0, ALICE, "group admin '%s' bob", group);
    expect(0, BOB, "group mute '%s' carol", group);
    expect(1, CAROL, "send '%s' mmm", group);
    assert_non_null(strstr(err, "MUTED"));
    expect(0, BOB, "group mute '%s' carol --off", group);
    expect(0, CAROL, "send '%s' thanks", group);
    expect(0, BOB, "group rename '%s' Hills", group);
    expect(0, ALICE, "group transfer '%s' bob", group);
    expect(0, ALICE, "group leave '%s'", group);
    expect(0, BOB, "group members '%s' --json", group);
    assert_out("\"name\":\"Hills\",\"join\":\"approval\",\"muted\":false,"
               "\"members\":2");
    expect(0, BOB, "group remove '%s' carol", group);
    catch_up(CAROL);
    expect(0, CAROL, "conversations");
    assert_out("Hills <");
    assert_out("(not a member)");
    expect(0, BOB, "group dissolve '%s'", group);
    expect(1, BOB, "send '%s' alone", group);
    assert_non_null(strstr(err, "NO_SUCH_CONVERSATION"));
    expect(0, BOB, "history '%s'", group);
    assert_out("[dissolved the group]");
}

static void test_who_joins_an_open_group_is_a_member(void **state)
{
    char group[65];
    (void)state;
    expect(0, ALICE, "group create --join open");
    answer(group);
    expect(0, CAROL, "group join '%s'", group);
    expect(0, CAROL, "history --fetch '%s'", group);
    assert_out("me -> #");
    assert_out("[joins, or asks to]");
    expect(0, CAROL, "conversations --json");
    assert_out("\"role\":\"member\"");
    catch_up(DESKTOP);
    expect(0, DESKTOP, "conversations --json");
    assert_out("\"role\":\"owner\"");
}

/* ------------------------------------------------------------------ sessions
 */

static void test_a_session_is_listed_and_ended(void **state)
{
    (void)state;
    expect(0, ALICE, "sessions");
    assert_out("phone \"");
    assert_out(", this one");
    assert_out("desktop \"");
    char *at = strstr(out, "desktop ");
    at = strstr(at, "generation ");
    assert_non_null(at);
    int generation = atoi(at + strlen("generation "));
    expect(1, ALICE, "sessions end desktop %d", generation + 1);
    assert_non_null(strstr(err, "NO_SUCH_DEVICE"));
    expect(0, ALICE, "sessions end desktop %d", generation);
    expect(0, ALICE, "sessions");
    assert_not_out("desktop \"");
    expect(3, DESKTOP, "tail --exit-when-synced");
    assert_non_null(strstr(err, "CREDENTIAL"));
}

/* ------------------------------------------------------------------- the end
 */

/* History and conversations of that device, its name left out. */
static void all_of(int device, char *text, size_t cap)
{
    size_t n = 0;
    expect(0, device, "history --fetch");
    for (int list = 0; list < 2; list++) {
        expect(0, device, list ? "conversations --json" : "history --json");
        for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n")) {
            char *event = strstr(line, "\"event\"");
            assert_non_null(event);
            n += (size_t)snprintf(text + n, cap - n, "%s\n", event);
            assert_true(n < cap);
        }
    }
}

/* All that the tests above did is on both: what came as it happened, and what
 * was fetched in the end. */
static void test_new_devices_equal_those_that_saw_it_all(void **state)
{
    static const int old[NEW_DEVICES] = {ALICE, BOB, CAROL};
    static char seen[65536], fetched[65536];
    (void)state;
    for (int i = 0; i < NEW_DEVICES; i++) {
        catch_up(old[i]);
        log_in(DEVICES + i, "--from-now");
        all_of(old[i], seen, sizeof seen);
        all_of(DEVICES + i, fetched, sizeof fetched);
        assert_string_equal(fetched, seen);
        assert_non_null(strstr(seen, "\"unread\""));
    }
}

/* What happens while alice's tablet is away; her phone sees it at once. */
static void live_on(void)
{
    char id[65], group[65];
    for (int i = 0; i < 4; i++) {
        expect(0, BOB, "send alice 'number %d'", i);
        answer(id);
        if (i == 1) {
            expect(0, BOB, "recall alice %s", id);
        }
        catch_up(ALICE);
    }
    expect(0, ALICE, "read bob %s", id);
    expect(0, BOB, "send alice deleted");
    expect(0, ALICE, "delete bob %s", answer(id));
    expect(0, BOB, "send alice unread");
    expect(0, BOB, "group create alice --name Trimmed --join open");
    answer(group);
    catch_up(ALICE);
    expect(0, BOB, "send '%s' one", group);
    expect(0, BOB, "group admin '%s' alice", group);
    expect(0, CAROL, "group join '%s'", group);
    catch_up(ALICE);
    expect(0, CAROL, "send '%s' two", group);
    expect(0, BOB, "group rename '%s' Hedges", group);
    expect(0, BOB, "group create alice --name Left");
    answer(group);
    catch_up(ALICE);
    expect(0, ALICE, "group leave '%s'", group);
    expect(0, BOB, "send alice last");
    catch_up(ALICE);
}

static void test_a_device_that_is_trimmed_away_ends_equal(void **state)
{
    static char seen[65536], fetched[65536];
    const int tablet = DEVICES;
    char port[16];
    (void)state;
    catch_up(tablet);
    assert_int_equal(roamd_stop(&rig, SIGTERM), 0);
    snprintf(port, sizeof port, "%u", (unsigned)rig.plain_port);
    roamd_start(&rig, (struct roamd_limits){0, 0}, "run", "--plain-port", port,
                "--set", "timeline_entries=6", NULL);
    live_on();
    expect(0, tablet, "tail --exit-when-synced --json");
    assert_out("\"event\":\"reset\"");
    all_of(ALICE, seen, sizeof seen);
    all_of(tablet, fetched, sizeof fetched);
    assert_string_equal(fetched, seen);
    assert_non_null(strstr(seen, "\"conversation_name\":\"Hedges\""));
}

/* ------------------------------------------------------------------- people
 */

static void test_people_are_shown_by_their_names(void **state)
{
    (void)state;
    roamd_expect(&rig, 0, "user", "name", "bob", "Bob B.");
    expect(0, BOB, "send alice named");
    catch_up(ALICE);
    assert_out("Bob B. <bob>: named");
    expect(0, ALICE, "history bob");
    assert_out("Bob B. <bob>: one"); /* older ones, too */
    expect(0, ALICE, "conversations --json");
    assert_out("\"conversation_name\":\"Bob B.\"");
}

/* The first of a user's devices is nobody's news. */
static void test_a_new_device_is_told_of(void **state)
{
    (void)state;
    catch_up(ALICE);
    assert_out("[new device: desktop \"");
    assert_not_out("phone");
    catch_up(BOB);
    assert_not_out("new device");
    expect(0, ALICE, "conversations");
    assert_not_out("new device"); /* it is no history */
}

/* A script that feeds chat learns that not all that it said was said. */
static void test_a_line_that_chat_does_not_take_is_told(void **state)
{
    static const char *const bad[] = {"hello", "/no-such-command", "/to ",
                                      "/to "
                                      "0123456789012345678901234567890123456789"
                                      "0123456789012345678901234",
                                      "/recall"};
    char input[256];
    (void)state;
    redirections = input;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(input, sizeof input, ">out 2>err <<'END'\n%s\nEND\n", bad[i]);
        expect(1, ALICE, "chat");
        assert_true(err[0] != '\0');
    }
    snprintf(input, sizeof input, ">out 2>err <<'END'\n/to \xff\nso\nEND\n");
    expect(1, ALICE, "chat");
    snprintf(input, sizeof input, ">out 2>err <<'END'\n/to bob\nso\nEND\n");
    expect(0, ALICE, "chat");
    redirections = USUAL;
}

/* Nor is nothing said in place of what was not written; an empty text is one
 * that somebody wrote. */
static void test_empty_input_is_no_message(void **state)
{
    (void)state;
    expect(2, ALICE, "send bob"); /* from /dev/null */
    assert_non_null(strstr(err, "the input is empty"));
    expect(0, ALICE, "send bob ''");
}

/* Output that cannot be written is a failure, and one that is told. */
static void test_output_that_is_lost_is_told(void **state)
{
    static const char *const commands[] = {
        "status",        "status --json", "history", "conversations",
        "send bob lost", "sessions",      "--help",  "--version"};
    (void)state;
    if (access("/dev/full", W_OK) != 0) {
        skip();
    }
    redirections = ">/dev/full 2>err </dev/null";
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        int code = roam(ALICE, "%s", commands[i]);
        if (code != 1 || !strstr(err, "output")) {
            fail_msg("%s: exit status %d: %s", commands[i], code, err);
        }
    }
    redirections = USUAL;
}

static void test_who_is_blocked_is_told(void **state)
{
    (void)state;
    roamd_expect(&rig, 0, "user", "block", "carol", "alice");
    expect(1, ALICE, "send carol hello");
    assert_non_null(strstr(err, "POLICY"));
    roamd_expect(&rig, 0, "user", "unblock", "carol", "alice");
    expect(0, ALICE, "send carol hello");
}

/* Nobody waits for a server whose certificate the person did not name. */
static void test_a_server_that_is_not_trusted_is_told_at_once(void **state)
{
    (void)state;
    assert_int_equal(setenv("ROAM_TOKEN", "never-sent", 1), 0);
    expect(1, DEVICES + NEW_DEVICES, "login --server localhost:%u",
           (unsigned)rig.tls_port);
    unsetenv("ROAM_TOKEN");
    assert_non_null(strstr(err, "certificate not trusted"));
    assert_null(strstr(err, "too long"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_server_that_is_not_trusted_is_told_at_once),
        cmocka_unit_test(test_a_new_device_is_told_of),
        cmocka_unit_test(test_what_is_recalled_is_gone_everywhere),
        cmocka_unit_test(test_the_server_s_no_is_told),
        cmocka_unit_test(test_a_mark_and_a_deletion_are_for_one_s_own_devices),
        cmocka_unit_test(test_apps_and_attachments_reach_the_other),
        cmocka_unit_test(test_a_new_device_fetches_what_was),
        cmocka_unit_test(test_a_group_from_its_making_to_its_end),
        cmocka_unit_test(test_who_joins_an_open_group_is_a_member),
        cmocka_unit_test(test_a_session_is_listed_and_ended),
        cmocka_unit_test(test_new_devices_equal_those_that_saw_it_all),
        cmocka_unit_test(test_a_device_that_is_trimmed_away_ends_equal),
        /* A name reaches a device with what comes next, a new one at once.
         */
        cmocka_unit_test(test_people_are_shown_by_their_names),
        cmocka_unit_test(test_a_line_that_chat_does_not_take_is_told),
        cmocka_unit_test(test_empty_input_is_no_message),
        cmocka_unit_test(test_output_that_is_lost_is_told),
        cmocka_unit_test(test_who_is_blocked_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
