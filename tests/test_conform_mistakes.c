/* SPDX-License-Identifier: Apache-2.0 */
/* What the author of a scenario is told of a mistake, to the letter, and in
 * which line: words that mean nothing, values that a field cannot have, edits
 * that a frame does not allow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "edit.h"
#include "exec.h"
#include "expr.h"
#include "scn.h"
#include "world.h"

#define HEAD(role)                                                             \
    "# A title.\nrules LOGIN-5\nroles " role                                   \
    "\ndevice ann user=alice type=PHONE\n"
#define OF_PROVISION "provision name|block|unblock USER WHAT, or revoke DEVICE"
#define OF_DEVICE "device NAME user=U type=T [option=value...]"
#define OF_TOKEN "token $NAME user=U [type=T] [expires=WHEN]"
#define OF_BLOCK "any-of [RULE], or repeat COUNT"

/* Behind the head, from line 5 on. */
static const struct {
    enum role role;
    const char *lines, *says;
} scenarios[] = {
    {ROLE_SERVER, "ann fence", ""},
    {ROLE_SERVER, "let x = 1", "5: let $NAME = EXPRESSION"},
    {ROLE_SERVER, "let $x 1", "5: let $NAME = EXPRESSION"},
    {ROLE_SERVER, "check 1 = 1 2", "5: words left over"},
    {ROLE_SERVER, "check 1 = 1 [LOGIN-5]", ""},
    {ROLE_SERVER, "checkpoint alice", "5: checkpoint USER.*"},
    {ROLE_SERVER, "checkpoint bob.*", "5: checkpoint of an unknown user"},
    {ROLE_SERVER, "checkpoint alice.*", ""},
    {ROLE_SERVER, "provision drop alice x", "5: " OF_PROVISION},
    {ROLE_SERVER, "provision name alice", "5: " OF_PROVISION},
    {ROLE_SERVER, "provision revoke bob",
     "5: provision revoke of an unknown device"},
    {ROLE_SERVER, "provision name bob B", "5: provision of an unknown user"},
    {ROLE_SERVER, "provision block alice bob",
     "5: provision of an unknown user"},
    {ROLE_SERVER, "provision name alice A", ""},
    {ROLE_SERVER, "any-of maybe\nann< LOGIN_OK\nend", "5: " OF_BLOCK},
    {ROLE_SERVER, "repeat\nann fence\nend", "5: " OF_BLOCK},
    {ROLE_SERVER,
     "repeat 2\nrepeat 2\nrepeat 2\nrepeat 2\nrepeat 2\nrepeat 2\nrepeat 2\n"
     "repeat 2\nann fence\nend\nend\nend\nend\nend\nend\nend\nend",
     ""},
    {ROLE_SERVER,
     "repeat 2\nrepeat 2\nrepeat 2\nrepeat 2\nrepeat 2\nrepeat 2\nrepeat 2\n"
     "repeat 2\nrepeat 2\nann fence\nend\nend\nend\nend\nend\nend\nend\nend\n"
     "end",
     "13: " OF_BLOCK},
    {ROLE_SERVER, "repeat 2\nann fence", "5: block without end"},
    {ROLE_SERVER, "any-of\nann fence\nend",
     "5: each alternative starts with an expectation"},
    {ROLE_CLIENT, "advance", "5: advance MILLISECONDS"},
    {ROLE_SERVER, "server fly", "5: no such step of a server"},
    {ROLE_SERVER, "server kill", "5: server steps need a `private` line"},
    {ROLE_SERVER, "server kill now", "5: server kill alone"},
    {ROLE_SERVER, "ann>", "5: a frame's name is missing"},
    {ROLE_SERVER, "ann> LOGN", "5: no frame LOGN"},
    {ROLE_SERVER, "ann> LOGIN name=x", "5: no field name"},
    {ROLE_SERVER, "ann> LOGIN now", "5: now is neither field nor keyword"},
    {ROLE_SERVER, "ann> LOGIN attempt>1", "5: what is sent needs ="},
    {ROLE_SERVER, "bob> LOGIN", "5: no device or keyword bob>"},
    {ROLE_SERVER, "ann sleep", "5: unknown verb"},
    {ROLE_SERVER, "raw", "5: raw without a frame"},
    {ROLE_SERVER, "raw ann< LOGIN_OK", "5: only what is sent can be raw"},
    {ROLE_SERVER, "raw ann> LOGIN", "5: raw without edit"},
    {ROLE_SERVER, "raw ann> LOGIN edit", "5: edit without a name"},
    {ROLE_SERVER, "raw ann> LOGIN edit bend", "5: no edit bend"},
    {ROLE_SERVER, "raw ann> LOGIN edit truncate",
     "5: edit truncate without argument"},
    {ROLE_SERVER, "raw ann> LOGIN edit header-only=1",
     "5: edit header-only with an argument"},
    {ROLE_SERVER, "raw ann> LOGIN edit append=0g", "5: not hexadecimal"},
    {ROLE_SERVER, "raw ann> LOGIN edit append=000", "5: not hexadecimal"},
    {ROLE_SERVER, "raw ann> LOGIN edit text=user", "5: expected FIELD:HEX"},
    {ROLE_SERVER, "raw ann> LOGIN edit text=user:0g", "5: expected FIELD:HEX"},
    {ROLE_CLIENT, "ann: woken", "5: no event woken"},
    {ROLE_CLIENT, "ann jump", "5: unknown verb"},
    {ROLE_PAIR, "ann> LOGIN_OK", "5: LOGIN_OK goes the other way"},
    {ROLE_SERVER, "rules\nann fence", "5: rules without an id"},
    {ROLE_SERVER, "roles nobody\nann fence",
     "5: roles server, client, pair, server pair or client pair"},
    {ROLE_SERVER, "level high\nann fence", "5: level must or level should"},
    {ROLE_SERVER, "level must\nann fence", ""},
    {ROLE_SERVER, "needs wings\nann fence", "5: no capability wings"},
    {ROLE_PAIR, "needs tls\nann start", "5: the role pair has no tls"},
    {ROLE_SERVER, "token t user=alice\nann fence", "5: " OF_TOKEN},
    {ROLE_SERVER, "token $t type=PHONE\nann fence", "5: " OF_TOKEN},
    {ROLE_SERVER, "token $t user=alice age=7\nann fence", "5: no option age"},
    {ROLE_SERVER, "token $t alice\nann fence", "5: alice is not name=value"},
    {ROLE_SERVER, "token $t user=alice expires=soon\nann fence",
     "5: expires is past, or a time such as 60s"},
    {ROLE_SERVER, "device bob type=PHONE user\nann fence",
     "5: user is not name=value"},
    {ROLE_SERVER, "device bob type=PHONE id=ann\nann fence", "5: " OF_DEVICE},
    {ROLE_SERVER, "device bob user=bob id=ann\nann fence", "5: " OF_DEVICE},
    {ROLE_SERVER, "device ann user=bob type=PHONE\nann fence",
     "5: device declared twice"},
    {ROLE_SERVER, "device bob user=bob type=PHONE id=carol\nann fence",
     "5: id= names no device above"},
    {ROLE_SERVER, "device bob user=bob type=PHONE from=here\nann fence",
     "5: from= is no IPv4 address"},
    {ROLE_PAIR, "device b user=bob type=PHONE id=ann\nann start",
     "5: id= and from= are of the role server"},
    {ROLE_SERVER, "", "1: needs a title comment, a rules line and a step"},
};

static void test_a_mistake_of_a_scenario_has_its_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        const char *head = scenarios[i].role == ROLE_SERVER   ? HEAD("server")
                           : scenarios[i].role == ROLE_CLIENT ? HEAD("client")
                                                              : HEAD("pair");
        const char *text = arena_printf("%s%s\n", head, scenarios[i].lines);
        const char *error = "x:";
        scenario_parse(text, "x", "x", scenarios[i].role, &error);
        assert_memory_equal(error, "x:", 2);
        if (strcmp(error + 2, scenarios[i].says) != 0) {
            fail_msg("%s\n  got:      %s\n  expected: %s", scenarios[i].lines,
                     error + 2, scenarios[i].says);
        }
    }
}

/* ------------------------------------------------------------------ values */

static const struct {
    const char *field, *value, *says;
} values[] = {
    {"body", "hex(0g)", "hex() takes lower-case hexadecimal digits"},
    {"body", "hex(0G)", "hex() takes lower-case hexadecimal digits"},
    {"body", "hex(00ff)", NULL},
    {"body", "letters(3)", "unknown expression letters(3)"},
    {"body", "id(bob)", "unknown expression id(bob)"},
    {"body", "text(many)", "no length: many"},
    {"body", "bytes(0x1000000)", "no length: 0x1000000"},
    {"body", "bytes(0xffffff)", NULL},
    {"body", "\"open", "a quote is not closed"},
    {"body", "\"a\"b", "a quote is not closed"},
    {"body", "target(m)", "target() takes a msg_id, not m"},
    {"body", "target(\"m\")", "target() takes a msg_id, not \"m\""},
    {"body", "target(7)", NULL},
    {"body", "app(7)", "app() takes data in quotes"},
    {"body", "app(\"7\", bob)", NULL},
    {"body", "change()", "change() begins with an action"},
    {"body", "change(FLY)", "change() begins with an action"},
    {"body", "change(CREATE, name=7)", "name=7 means nothing in change()"},
    {"body", "change(CREATE, name=\"G\")", NULL},
    {"kind", "SONG", "SONG means nothing here"},
    {"kind", "READ", NULL},
    {"client_msg_id", "7up", "no number: 7up"},
    {"client_msg_id", "7+x", "7+x is not a sum of numbers"},
    {"client_msg_id", "7+1", NULL},
    {"client_msg_id", "\"7\"", "client_msg_id cannot have this value"},
    {"content_type", "7", "content_type cannot have this value"},
    {"subject", "7", "no field subject"},
};

static void test_a_value_that_cannot_be_is_named(void **state)
{
    (void)state;
    static const struct scenario s = {.id = "x", .path = "x"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct world w = {.s = &s, .suffix = "1"};
        struct term term = {values[i].field, OP_EQ, values[i].value};
        const struct terms fields = {.at = &term, .count = 1};
        const char *want = values[i].says
                               ? arena_printf("%s=%s: %s", term.left,
                                              term.right, values[i].says)
                               : NULL;
        bool built = exec_build(&w, NULL, frame_type_named("SEND"), &fields);
        const char *got = w.failure.what;
        if (built != !want || !built != w.failure.happened ||
            (want && strcmp(got, want) != 0)) {
            fail_msg("got %s, expected %s", got, want);
        }
    }
}

static void test_comparisons(void **state)
{
    (void)state;
    static const struct {
        enum op op;
        bool below, same, above;
    } ops[] = {{OP_EQ, false, true, false}, {OP_NE, true, false, true},
               {OP_LT, true, false, false}, {OP_LE, true, true, false},
               {OP_GT, false, false, true}, {OP_GE, false, true, true}};
    const struct value n[] = {value_number(6), value_number(7),
                              value_number(8)};
    const struct value text = value_text("7");
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        assert_int_equal(value_compare(&n[0], ops[i].op, &n[1]), ops[i].below);
        assert_int_equal(value_compare(&n[1], ops[i].op, &n[1]), ops[i].same);
        assert_int_equal(value_compare(&n[2], ops[i].op, &n[1]), ops[i].above);
        /* Of another kind nothing is greater, less, or the same. */
        assert_int_equal(value_compare(&text, ops[i].op, &n[1]),
                         ops[i].op == OP_NE);
        assert_int_equal(value_compare(&n[0], ops[i].op, &text),
                         ops[i].op == OP_NE);
    }
}

/* ------------------------------------------------------------------- edits */

/* Of a PING with the id 1, whose payload is two bytes, or a SEND to bob. */
static const struct {
    const char *frame, *edit, *argument;
    uint64_t number;
    const char *says;
} edits[] = {
    {"PING", "truncate", "0", 0, "the payload is shorter than that"},
    {"PING", "truncate", "2", 2, NULL},
    {"PING", "truncate", "3", 3, "the payload is shorter than that"},
    {"PING", "length", "n", 0xffffff, NULL},
    {"PING", "length", "n", 0x1000000, "length has 24 bits"},
    {"PING", "type", "n", 0xff, NULL},
    {"PING", "type", "n", 0x100, "type has 8 bits"},
    {"PING", "flip-bit", "15", 15, NULL},
    {"PING", "flip-bit", "16", 16, "the payload has no such bit"},
    {"PING", "pad-to", "n", 4, "cannot be padded to that size"},
    {"PING", "pad-to", "n", 5, NULL},
    {"PING", "pad-to", "n", 0xffffff, NULL},
    {"PING", "pad-to", "n", 0x1000000, "cannot be padded to that size"},
    {"PING", "split", "1", 1, NULL},
    {"PING", "split", "0", 0, "split needs at least 1 byte"},
    {"PING", "varint-overlong", "id", 0, NULL},
    {"PING", "varint-overlong", "nr", 0, "nr is not a varint in this frame"},
    {"SEND", "varint-padded", "conversation", 0,
     "conversation is not a varint in this frame"},
    {"SEND", "wide", "kind", 0, "kind is not a varint in this frame"},
    {"SEND", "text", "conversation:ff", 0, NULL},
    {"SEND", "text", "client_msg_id:ff", 0,
     "client_msg_id is not text in this frame"},
    {"SEND", "text", "body:ff", 0, "body is not text in this frame"},
};

static struct raw_frame edited(const char *name)
{
    const struct frame_type *type = frame_type_named(name);
    ProtobufCMessage *m = message_new(type->desc);
    const char *reason = "";
    struct value one = value_number(1), bob = value_text("bob");
    assert_true(field_set(m, type->number == F_PING ? "id" : "client_msg_id",
                          &one, &reason));
    if (type->number == F_SEND) {
        assert_true(field_set(m, "conversation", &bob, &reason));
    }
    struct raw_frame r = {.type = type};
    r.len = frame_encode(type, m, &r.bytes);
    return r;
}

static void test_an_edit_that_a_frame_does_not_allow(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        struct raw_frame r = edited(edits[i].frame);
        const char *got =
            edit_apply(&r, edits[i].edit, edits[i].argument, edits[i].number);
        const char *want = edits[i].says;
        if (!got != !want || (want && strcmp(got, want) != 0)) {
            fail_msg("%s %s=%s: got %s, expected %s", edits[i].frame,
                     edits[i].edit, edits[i].argument, got, want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mistake_of_a_scenario_has_its_line),
        cmocka_unit_test(test_a_value_that_cannot_be_is_named),
        cmocka_unit_test(test_comparisons),
        cmocka_unit_test(test_an_edit_that_a_frame_does_not_allow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
