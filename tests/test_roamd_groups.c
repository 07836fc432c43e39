/* SPDX-License-Identifier: Apache-2.0 */
/* roamd group: what an operator is told of the groups, while the server
 * runs. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "operation.h"
#include "roamd_rig.h"

static int setup(void **state)
{
    static struct roamd_rig rig;
    roamd_rig_setup(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    roamd_rig_teardown(*state);
    return 0;
}

/* Logs in as alice and makes a group of this name; its id into group. */
static void make_group(struct roamd_rig *rig, const char *token,
                       const char *name, char group[ROAM_CONVERSATION_MAX + 1])
{
    static struct wire w;
    struct roam_message m;
    uint8_t body[ROAM_OPERATION_BYTES_MAX];
    struct roam_slice bob = {(const uint8_t *)"bob", 3};
    struct roam_operation op = {.kind = roam_v1_Kind_GROUP,
                                .action = roam_v1_GroupAction_CREATE,
                                .join = roam_v1_JoinMode_JOIN_APPROVAL,
                                .name = {(const uint8_t *)name, strlen(name)}};
    wire_open(&w, rig->plain_port);
    wire_login(&w, "alice", token, 1, "test", &m);
    assert_int_equal(m.type, ROAM_LOGIN_OK);
    roam_message_init(&m, ROAM_SEND);
    m.u.send.client_msg_id = 7;
    m.u.send.kind = roam_v1_Kind_GROUP;
    strcpy(m.u.send.conversation, "#");
    size_t len = roam_operation_encode(&op, &bob, 1, body, sizeof body);
    m.body = (struct roam_slice){body, len};
    assert_true(wire_send(&w, &m));
    assert_true(wire_receive(&w, &m));
    assert_int_equal(m.type, ROAM_SEND_OK);
    strcpy(group, m.u.send_ok.conversation);
    wire_close(&w);
}

static void test_group_list_and_show_tell_what_is_there(void **state)
{
    struct roamd_rig *rig = *state;
    char token[44];
    char group[ROAM_CONVERSATION_MAX + 1];
    char line[256];
    roamd_rig_provision(rig, "alice", token);
    roamd_expect(rig, 0, "user", "add", "bob");
    roamd_expect(rig, 0, "group", "list");
    assert_string_equal(rig->out, "");
    roamd_start(rig, (struct roamd_limits){0}, "run", "--plain-port", "0",
                NULL);
    /* a name that would draw on the terminal, or look like a second line */
    make_group(rig, token, "Lunch\n\033[2J", group);
    roamd_expect(rig, 0, "group", "list");
    snprintf(line, sizeof line, "%s 2 0 approval - Lunch\\x0a\\x1b[2J\n",
             group);
    assert_string_equal(rig->out, line);
    roamd_expect(rig, 0, "group", "show", group);
    assert_int_equal(strncmp(rig->out, line, strlen(line)), 0);
    assert_non_null(strstr(rig->out, "\nalice owner - 20"));
    assert_non_null(strstr(rig->out, "\nbob member - 20"));
    assert_int_equal(roamd_stop(rig, SIGTERM), 0);
}

static void test_a_group_that_is_not_there_is_status_1(void **state)
{
    struct roamd_rig *rig = *state;
    roamd_expect(rig, 0, "init");
    roamd_expect(rig, 1, "group", "show", "#AAAAAAAAAAAAAAAAAAAAAA");
    assert_non_null(strstr(rig->err, "no such group"));
    roamd_expect(rig, 1, "group", "show", "");
    roamd_expect(rig, 1, "group", "show", "alice");
    roamd_expect(rig, 2, "group");
    roamd_expect(rig, 2, "group", "show");
    roamd_expect(rig, 2, "group", "list", "all");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_group_list_and_show_tell_what_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_group_that_is_not_there_is_status_1, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
