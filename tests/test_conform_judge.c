/* SPDX-License-Identifier: Apache-2.0 */
/* What the judge says of a frame by itself, to the letter, and what it says
 * nothing of: each bound from both sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "judge_rig.h"
#include "schema.h"

/* ------------------------------------------------------------------ frames */

#define HOLDER " holder.device_type=PHONE"
#define ROW                                                                    \
    "FRAME-16: msg_id, conversation, sender, content_type or a name "          \
    "is out of its bounds"
#define MEMBER "FRAME-16: a member is out of its bounds or its order"
#define SESSION "FRAME-16: a session is out of its bounds or its order"
#define FIT "FRAME-16: count, inflated_size and payload do not fit each other"
#define MESSAGE "PUSH version=2 prev_version=1 msg_id=9 "
#define VERSIONS                                                               \
    "CHAIN-1: prev_version must be below version, both up to 2^63-1"
#define ONLY_3 "FRAME-16: a NOOP has only the first three fields"
#define ERASED "FRAME-16: a recalled message has no content"

static const struct saying {
    const char *frame, *says;
} frames[] = {
    /* ------------------------------------------------------------- REFUSED */
    {"REFUSED reason=CREDENTIAL retry=NEVER",
     "KICK-6: not the retry class of section 12.2"},
    {"REFUSED reason=CREDENTIAL retry=REAUTHENTICATE", ""},
    {"REFUSED reason=CREDENTIAL retry=REAUTHENTICATE generation=1",
     "LOGIN-8: generation or holder are told to a stranger"},
    {"REFUSED reason=TOKEN_EXPIRED retry=REAUTHENTICATE" HOLDER,
     "LOGIN-9: generation or holder are told to a stranger"},
    {"REFUSED reason=THROTTLED retry=AFTER",
     "FLOW-5: a time to wait belongs to THROTTLED and to nothing else"},
    {"REFUSED reason=THROTTLED retry=AFTER retry_after_ms=1", ""},
    {"REFUSED reason=FREE retry=NEVER generation=1 retry_after_ms=1",
     "FLOW-5: a time to wait belongs to THROTTLED and to nothing else"},
    {"REFUSED reason=FREE retry=NEVER generation=1", ""},
    {"REFUSED reason=FREE retry=NEVER", ""}, /* a slot that was never used */
    {"REFUSED reason=FREE retry=NEVER generation=1" HOLDER,
     "LOGIN-14: a free slot has a holder"},
    {"REFUSED reason=OCCUPIED retry=NEVER" HOLDER,
     "LOGIN-14: the generation is missing"},
    {"REFUSED reason=OCCUPIED retry=NEVER generation=1",
     "LOGIN-14: the holder is missing"},
    {"REFUSED reason=STALE retry=NOW generation=1",
     "LOGIN-14: the holder is missing"},
    {"REFUSED reason=STALE retry=NOW generation=1" HOLDER, ""},
    {"REFUSED reason=OCCUPIED retry=NEVER generation=1 holder.device_type=6 "
     "holder.device_name=" NAME64 " holder.since=" MOST,
     ""},
    {"REFUSED reason=OCCUPIED retry=NEVER generation=1 holder.device_type=7",
     "FRAME-16: the holder is out of its bounds"},
    {"REFUSED reason=OCCUPIED retry=NEVER generation=1 holder.since=1",
     "FRAME-16: the holder is out of its bounds"},
    {"REFUSED reason=OCCUPIED retry=NEVER generation=1" HOLDER
     " holder.device_name=" NAME64 "n",
     "FRAME-16: the holder is out of its bounds"},
    {"REFUSED reason=OCCUPIED retry=NEVER generation=1" HOLDER
     " holder.since=" ABOVE,
     "FRAME-16: the holder is out of its bounds"},
    {"REFUSED reason=OCCUPIED retry=NEVER generation=1" HOLDER
     " holder.device_name=hex(ff)",
     "FRAME-1: device_name is not UTF-8"},
    {"REFUSED reason=0 retry=NEVER",
     "FRAME-16: reason value is 0, section 4 has 1..10"},
    {"REFUSED reason=11 retry=NEVER",
     "FRAME-16: reason value is 11, section 4 has 1..10"},
    /* ---------------------------------------------------------------- KICK */
    {"KICK reason=IDLE retry=AFTER",
     "KICK-6: not the retry class of section 12.3"},
    {"KICK reason=IDLE retry=NOW", ""},
    {"KICK reason=IDLE retry=NOW error=MALFORMED",
     "FRAME-13: `error` belongs to PROTOCOL_ERROR and to nothing else"},
    {"KICK reason=PROTOCOL_ERROR retry=AFTER",
     "FRAME-13: `error` belongs to PROTOCOL_ERROR and to nothing else"},
    {"KICK reason=PROTOCOL_ERROR retry=AFTER error=MALFORMED", ""},
    {"KICK reason=TAKEN_OVER retry=NEVER generation=1",
     "KICK-1: generation or holder is missing"},
    {"KICK reason=TAKEN_OVER retry=NEVER" HOLDER,
     "KICK-1: generation or holder is missing"},
    {"KICK reason=TAKEN_OVER retry=NEVER generation=1" HOLDER, ""},
    {"KICK reason=IDLE retry=NOW holder.since=1",
     "FRAME-16: the holder is out of its bounds"},
    {"KICK reason=IDLE retry=NOW detail=text(128)", ""},
    {"KICK reason=IDLE retry=NOW detail=text(129)",
     "FRAME-16: detail length is 129, section 4 has 0..128"},
    {"KICK reason=IDLE retry=NOW detail=hex(c3)",
     "FRAME-1: detail is not UTF-8"},
    /* ------------------------------------------------------------- SYNC_OK */
    {"SYNC_OK result=DELTA reason=AHEAD",
     "SYNC-4: a reason belongs to RESET and to nothing else"},
    {"SYNC_OK result=RESET",
     "SYNC-4: a reason belongs to RESET and to nothing else"},
    {"SYNC_OK result=RESET reason=AHEAD", ""},
    {"SYNC_OK result=DELTA max_unacked=3",
     "ACK-8: max_unacked is 0, or 4 at least"},
    {"SYNC_OK result=DELTA max_unacked=4 head=3 floor=3", ""},
    {"SYNC_OK result=DELTA head=3 floor=4",
     "FRAME-16: the floor is above the head"},
    /* --------------------------------------------------------------- ERROR */
    {"ERROR ref=1 code=NO_SUCH_MESSAGE retry=NEVER", ""},
    {"ERROR ref=1 code=NO_SUCH_MESSAGE retry=AFTER",
     "SEND-22: not the retry class of section 12.1"},
    {"ERROR ref=1 code=NO_SUCH_MESSAGE retry=NEVER retry_after_ms=1",
     "FLOW-2: a time to wait belongs to RATE_LIMITED and nothing else"},
    {"ERROR ref=1 code=RATE_LIMITED retry=AFTER",
     "FLOW-2: a time to wait belongs to RATE_LIMITED and nothing else"},
    {"ERROR ref=1 code=RATE_LIMITED retry=NEVER retry_after_ms=1",
     "SEND-22: not the retry class of section 12.1"},
    {"ERROR ref=1 code=RATE_LIMITED retry=AFTER retry_after_ms=1", ""},
    /* ---------------------------------------------------------------- PUSH */
    {"PUSH version=1 prev_version=0 kind=NOOP", ""},
    {"PUSH version=" MOST " kind=NOOP", ""},
    {"PUSH version=" ABOVE " kind=NOOP", VERSIONS},
    {"PUSH version=0 kind=NOOP", VERSIONS},
    {"PUSH version=5 prev_version=5 kind=NOOP", VERSIONS},
    {"PUSH version=5 kind=NOOP msg_id=1", ONLY_3},
    {"PUSH version=5 kind=NOOP conversation=\"b\"", ONLY_3},
    {"PUSH version=5 kind=NOOP sender=\"b\"", ONLY_3},
    {"PUSH version=5 kind=NOOP content_type=b", ONLY_3},
    {"PUSH version=5 kind=NOOP cut_size=1", ONLY_3},
    {"PUSH version=5 kind=NOOP client_msg_id=1", ONLY_3},
    {"PUSH version=5 kind=NOOP body=b", ONLY_3},
    {"PUSH version=5 kind=NOOP recalled=true", ONLY_3},
    {"PUSH version=5 kind=NOOP conversation_name=b", ONLY_3},
    {"PUSH version=5 kind=NOOP sender_name=b", ONLY_3},
    {"PUSH version=2 msg_id=" MOST " conversation=\"" NAME64
     "\" sender=\"" NAME64 "\" content_type=" NAME64
     " conversation_name=" NAME48 " sender_name=" NAME48,
     ""},
    {"PUSH version=2 msg_id=" ABOVE " conversation=\"b\" sender=\"b\"", ROW},
    {"PUSH version=2 conversation=\"b\" sender=\"b\"", ROW},
    {MESSAGE "sender=\"b\"", ROW},
    {MESSAGE "conversation=\"b\"", ROW},
    {MESSAGE "conversation=\"" NAME64 "n\" sender=\"b\"", ROW},
    {MESSAGE "conversation=\"b\" sender=\"" NAME64 "n\"", ROW},
    {MESSAGE "conversation=\"b\" sender=\"b\" content_type=" NAME64 "n", ROW},
    {MESSAGE "conversation=\"b\" sender=\"b\" sender_name=" NAME48 "n", ROW},
    {MESSAGE "conversation=\"b\" sender=\"b\" conversation_name=" NAME48 "n",
     ROW},
    {MESSAGE "conversation=\"b\" sender=\"b\" recalled=true", ""},
    {MESSAGE "conversation=\"b\" sender=\"b\" recalled=true body=b", ERASED},
    {MESSAGE "conversation=\"b\" sender=\"b\" recalled=true cut_size=1",
     ERASED},
    {MESSAGE "conversation=\"b\" sender=\"b\" recalled=true content_type=b",
     ERASED},
    {MESSAGE "conversation=\"b\" sender=\"b\" recalled=true kind=READ", ERASED},
    {MESSAGE "conversation=\"b\" sender=\"b\" cut_size=1 body=b",
     "BATCH-4: a cut body is there"},
    {MESSAGE "conversation=\"b\" sender=\"b\" cut_size=1", ""},
    /* --------------------------------------------------------------- pages */
    {"HISTORY_PAGE ref=1", ""},
    {"HISTORY_PAGE ref=1 count=1 inflated_size=1 payload=a", ""},
    {"HISTORY_PAGE ref=1 count=1", FIT},
    {"HISTORY_PAGE ref=1 count=1 inflated_size=1", FIT},
    {"HISTORY_PAGE ref=1 count=1 payload=a", FIT},
    {"CONVERSATION_PAGE ref=1 inflated_size=1", FIT},
    {"CONVERSATION_PAGE ref=1 payload=a", FIT},
    {"HISTORY_PAGE ref=1 count=1000 inflated_size=1 payload=a", ""},
    {"HISTORY_PAGE ref=1 count=1001 inflated_size=1 payload=a",
     "FRAME-16: count value is 1001, section 4 has 0..1000"},
    {"MEMBER_PAGE ref=1 join=JOIN_OPEN", ""},
    {"MEMBER_PAGE ref=1 join=JOIN_OPEN count=1",
     "FRAME-16: rows are not `count` members"},
    {"MEMBER_PAGE ref=1 join=JOIN_OPEN count=1 rows=hex(0a)",
     "FRAME-16: rows are not `count` members"},
    {"MEMBER_PAGE ref=1 join=JOIN_OPEN count=2 "
     "rows={1(1:ann 3#1) 1(1:bob 2:" NAME48 " 3#4)}",
     ""},
    {"MEMBER_PAGE ref=1 join=JOIN_OPEN count=1 rows={1(1:" NAME64 " 3#2 5#" MOST
     ")}",
     ""},
    {"MEMBER_PAGE ref=1 join=JOIN_OPEN count=1 rows={1(3#2)}", MEMBER},
    {"MEMBER_PAGE ref=1 join=JOIN_OPEN count=1 rows={1(1:" NAME64 "n 3#2)}",
     MEMBER},
    {"MEMBER_PAGE ref=1 join=JOIN_OPEN count=1 rows={1(1:a 2:" NAME48 "n 3#2)}",
     MEMBER},
    {"MEMBER_PAGE ref=1 join=JOIN_OPEN count=1 rows={1(1:\xff 3#2)}", MEMBER},
    {"MEMBER_PAGE ref=1 join=JOIN_OPEN count=1 rows={1(1:ann)}", MEMBER},
    {"MEMBER_PAGE ref=1 join=JOIN_OPEN count=1 rows={1(1:ann 3#5)}", MEMBER},
    {"MEMBER_PAGE ref=1 join=JOIN_OPEN count=1 rows={1(1:ann 3#2 5#" ABOVE ")}",
     MEMBER},
    {"MEMBER_PAGE ref=1 join=JOIN_OPEN count=2 "
     "rows={1(1:ann 3#2) 1(1:ann 3#2)}",
     MEMBER},
    {"SESSION_LIST ref=1", ""},
    {"SESSION_LIST ref=1 count=1", "FRAME-16: rows are not `count` sessions"},
    {"SESSION_LIST ref=1 count=1 rows=hex(0a)",
     "FRAME-16: rows are not `count` sessions"},
    {"SESSION_LIST ref=1 count=2 rows={1(1#1 7#1) 1(1#6 2:" NAME64 " 3:" NAME64
     " 4#" MOST " 5#" MOST " 7#" MOST ")}",
     ""},
    {"SESSION_LIST ref=1 count=1 rows={1(7#1)}", SESSION},
    {"SESSION_LIST ref=1 count=1 rows={1(1#7 7#1)}", SESSION},
    {"SESSION_LIST ref=1 count=1 rows={1(1#1 2:" NAME64 "n 7#1)}", SESSION},
    {"SESSION_LIST ref=1 count=1 rows={1(1#1 3:" NAME64 "n 7#1)}", SESSION},
    {"SESSION_LIST ref=1 count=1 rows={1(1#1 4#" ABOVE " 7#1)}", SESSION},
    {"SESSION_LIST ref=1 count=1 rows={1(1#1 5#" ABOVE " 7#1)}", SESSION},
    {"SESSION_LIST ref=1 count=1 rows={1(1#1)}", SESSION},
    {"SESSION_LIST ref=1 count=1 rows={1(1#1 7#" ABOVE ")}", SESSION},
    {"SESSION_LIST ref=1 count=2 rows={1(1#1 7#1) 1(1#1 7#1)}", SESSION},
};

static void test_of_a_frame_by_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        const struct frame *f = rig_frame(frames[i].frame);
        struct schema_fault fault = {NULL, NULL};
        bool good = schema_check(f, &fault);
        rig_expect(frames[i].frame, good, fault.rule, fault.what,
                   frames[i].says);
    }
}

/* Bytes that no message encodes to. */
static const struct {
    uint8_t number;
    const char *payload, *says;
} bytes[] = {
    {F_PONG, "1#5 2#6", ""},
    {F_PONG, "1#5 99#6 99#6", ""},
    {F_PONG, "1#5 1#6",
     "FRAME-1: id is there twice, or with another wire type"},
    {F_SESSION_ENDED, "1~6 1~6",
     "FRAME-1: ref is there twice, or with another wire type"},
    {F_PONG, "1!ffffffffffffffffff01", ""},
    {F_PONG, "1!ffffffffffffffffff02",
     "FRAME-1: the payload is not a proto3 message"},
};

static void test_of_the_bytes_of_a_frame(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        struct text payload = rig_bytes(bytes[i].payload);
        struct frame *f = frame_decode(bytes[i].number,
                                       (const uint8_t *)payload.s, payload.len);
        struct schema_fault fault = {NULL, NULL};
        if (!f->msg) { /* of which the judge of frames has spoken before */
            f->msg = message_new(f->type->desc);
        }
        bool good = schema_check(f, &fault);
        rig_expect(bytes[i].payload, good, fault.rule, fault.what,
                   bytes[i].says);
    }
}

/* ------------------------------------------------------------------ bounds */

/* The tables of section 4.2: what holds at both ends and not beyond. */
static const struct probe {
    const char *frame, *field;
    uint64_t least, most;
    bool is_text;
} probes[] = {
    {"LOGIN_OK", "generation", 1, INT64_MAX, false},
    {"LOGIN_OK", "head", 0, INT64_MAX, false},
    {"LOGIN_OK", "floor", 0, INT64_MAX, false},
    {"LOGIN_OK", "max_frame", 512, UINT32_MAX, false},
    {"LOGIN_OK", "max_body", 1, UINT32_MAX, false},
    {"LOGIN_OK", "max_commands", 1, UINT32_MAX, false},
    {"LOGIN_OK", "heartbeat_ms", 1000, UINT32_MAX, false},
    {"LOGIN_OK", "dedup_ms", 1, UINT64_MAX, false},
    {"LOGIN_OK", "protocol", 0, 1, false},
    {"REFUSED", "reason", 1, 10, false},
    {"REFUSED", "retry", 1, 4, false},
    {"REFUSED", "generation", 0, INT64_MAX, false},
    {"KICK", "reason", 1, 13, false},
    {"KICK", "retry", 1, 4, false},
    {"KICK", "generation", 0, INT64_MAX, false},
    {"KICK", "error", 0, 31, false},
    {"KICK", "detail", 0, 128, true},
    {"SYNC_OK", "result", 1, 3, false},
    {"SYNC_OK", "head", 0, INT64_MAX, false},
    {"SYNC_OK", "floor", 0, INT64_MAX, false},
    {"SYNC_OK", "reason", 0, 3, false},
    {"SYNC_OK", "max_unacked", 0, 100000, false},
    {"BATCH", "prev_version", 0, INT64_MAX, false},
    {"BATCH", "last_version", 1, INT64_MAX, false},
    {"BATCH", "count", 1, UINT32_MAX, false},
    {"BATCH", "codec", 0, 1, false},
    {"BATCH", "inflated_size", 1, UINT32_MAX, false},
    {"SEND_OK", "client_msg_id", 1, UINT64_MAX, false},
    {"SEND_OK", "msg_id", 1, INT64_MAX, false},
    {"SEND_OK", "conversation", 0, 64, true},
    {"PONG", "head", 0, INT64_MAX, false},
    {"ERROR", "code", 32, 45, false},
    {"ERROR", "retry", 1, 4, false},
    {"ERROR", "ref", 1, UINT64_MAX, false},
    {"ERROR", "detail", 0, 128, true},
    {"HISTORY_PAGE", "ref", 1, UINT64_MAX, false},
    {"HISTORY_PAGE", "count", 0, 1000, false},
    {"HISTORY_PAGE", "codec", 0, 1, false},
    {"HISTORY_PAGE", "inflated_size", 0, 0xffffff, false},
    {"CONVERSATION_PAGE", "ref", 1, UINT64_MAX, false},
    {"CONVERSATION_PAGE", "count", 0, 1000, false},
    {"CONVERSATION_PAGE", "codec", 0, 1, false},
    {"CONVERSATION_PAGE", "inflated_size", 0, 0xffffff, false},
    {"CONVERSATION_PAGE", "as_of", 0, INT64_MAX, false},
    {"MEMBER_PAGE", "ref", 1, UINT64_MAX, false},
    {"MEMBER_PAGE", "count", 0, 1000, false},
    {"MEMBER_PAGE", "as_of", 0, INT64_MAX, false},
    {"MEMBER_PAGE", "name", 0, 48, true},
    {"MEMBER_PAGE", "join", 1, 3, false},
    {"SESSION_LIST", "ref", 1, UINT64_MAX, false},
    {"SESSION_LIST", "count", 0, 6, false},
    {"SESSION_ENDED", "ref", 1, UINT64_MAX, false},
};

/* Legal but for fields that another check looks at behind the bounds. */
static const char *const legal[] = {
    ("LOGIN_OK generation=1 max_frame=512 max_body=1 max_commands=1 "
     "heartbeat_ms=1000 dedup_ms=1"),
    "REFUSED reason=FREE retry=NEVER generation=1",
    "KICK reason=IDLE retry=NOW",
    "SYNC_OK result=DELTA",
    "BATCH last_version=1 count=1 inflated_size=1 payload=a",
    "SEND_OK client_msg_id=1 msg_id=1",
    "PONG id=1",
    "ERROR ref=1 code=NO_SUCH_MESSAGE retry=NEVER",
    "HISTORY_PAGE ref=1",
    "CONVERSATION_PAGE ref=1",
    "MEMBER_PAGE ref=1 join=JOIN_OPEN",
    "SESSION_LIST ref=1",
    "SESSION_ENDED ref=1"};

static const char *legal_frame(const char *name)
{
    size_t i = 0, len = strlen(name);
    while (strncmp(legal[i], name, len) != 0 || legal[i][len] != ' ') {
        i++;
        assert_true(i < sizeof legal / sizeof legal[0]);
    }
    return legal[i];
}

static void expect_bound(const struct probe *p, uint64_t n, bool holds)
{
    const char *line =
        arena_printf(p->is_text ? "%s %s=text(%llu)" : "%s %s=%llu",
                     legal_frame(p->frame), p->field, (unsigned long long)n);
    const char *want =
        arena_printf("%s %s is %llu, section 4 has %llu..%llu", p->field,
                     p->is_text ? "length" : "value", (unsigned long long)n,
                     (unsigned long long)p->least, (unsigned long long)p->most);
    struct schema_fault fault = {"", ""};
    schema_check(rig_frame(line), &fault);
    bool of_bound = strcmp(fault.what, want) == 0;
    if (of_bound == holds || (!holds && strcmp(fault.rule, "FRAME-16") != 0)) {
        fail_msg("%s\n  got: %s: %s", line, fault.rule, fault.what);
    }
}

static void test_bounds_hold_at_n_and_not_at_n_plus_1(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
        const struct probe *p = &probes[i];
        const struct frame_type *type = frame_type_named(p->frame);
        expect_bound(p, p->least, true);
        expect_bound(p, p->most, true);
        if (p->least > 0) {
            expect_bound(p, p->least - 1, false);
        }
        bool wide =
            field_find(type->desc, p->field)->type != PROTOBUF_C_TYPE_UINT32;
        if (p->most < UINT32_MAX || (wide && p->most < UINT64_MAX)) {
            expect_bound(p, p->most + 1, false);
        }
    }
}

static void test_a_legal_frame_is_legal(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof legal / sizeof legal[0]; i++) {
        struct schema_fault fault = {NULL, NULL};
        bool good = schema_check(rig_frame(legal[i]), &fault);
        rig_expect(legal[i], good, fault.rule, fault.what, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_a_frame_by_itself),
        cmocka_unit_test(test_of_the_bytes_of_a_frame),
        cmocka_unit_test(test_a_legal_frame_is_legal),
        cmocka_unit_test(test_bounds_hold_at_n_and_not_at_n_plus_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
