/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as a whole: fields that must go together, and the way to bytes and
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "message_fields.h"

static void test_sync_ok_says_why_with_reset_and_only_then(void **state)
{
    (void)state;
    for (unsigned result = 0; result <= 4; result++) {
        for (unsigned reason = 0; reason <= 4; reason++) {
            struct wire_out out = {.len = 0};
            wire_put_number(&out, 1, result);
            wire_put_number(&out, 4, reason);
            bool good =
                result >= 1 && result <= 3 && (result == 3) == (reason != 0);
            assert_int_equal(spec_decode(ROAM_SYNC_OK, &out),
                             good ? OK : FIELD_RANGE);
        }
    }
}

static void test_a_window_told_is_a_legal_one_or_none(void **state)
{
    (void)state;
    for (unsigned window = 0; window <= 5; window++) {
        struct wire_out out = {.len = 0};
        wire_put_number(&out, 1, 1);
        wire_put_number(&out, 5, window);
        bool good = window == 0 || window >= ROAM_UNACKED_MIN;
        assert_int_equal(spec_decode(ROAM_SYNC_OK, &out),
                         good ? OK : FIELD_RANGE);
    }
}

static void test_a_chain_only_goes_forward(void **state)
{
    (void)state;
    assert_int_equal(spec_decode_hex(ROAM_PUSH, "08 06 10 05 18 01"), OK);
    assert_int_equal(spec_decode_hex(ROAM_PUSH, "08 05 10 05 18 01"),
                     FIELD_RANGE);
    assert_int_equal(spec_decode_hex(ROAM_PUSH, "08 05 10 06 18 01"),
                     FIELD_RANGE);
    assert_int_equal(
        spec_decode_hex(ROAM_BATCH, "08 05 10 06 18 01 28 01 32 01 00"), OK);
    assert_int_equal(
        spec_decode_hex(ROAM_BATCH, "08 05 10 05 18 01 28 01 32 01 00"),
        FIELD_RANGE);
    assert_int_equal(
        spec_decode_hex(ROAM_BATCH, "08 06 10 05 18 01 28 01 32 01 00"),
        FIELD_RANGE);
}

static void test_a_noop_has_nothing_but_its_link(void **state)
{
    (void)state;
    static const char *const more[] = {"20 01",    "2a 01 61",
                                       "32 01 61", "3a 01 61",
                                       "40 01",    "49 0100000000000000",
                                       "52 01 61"};
    assert_int_equal(spec_decode_hex(ROAM_PUSH, "08 06 10 05 18 01"), OK);
    assert_int_equal(
        spec_decode_hex(ROAM_PUSH, "08 06 10 05 18 01 20 00 2a 00 52 00"), OK);
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        struct wire_out out = {.len = 0};
        wire_put_hex(&out, "08 06 10 05 18 01");
        wire_put_hex(&out, more[i]);
        assert_int_equal(spec_decode(ROAM_PUSH, &out), FIELD_RANGE);
    }
}

static void test_an_entry_of_an_unknown_kind_is_taken_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(spec_decode_hex(ROAM_PUSH, "08 06 18 08"), OK);
    assert_int_equal(spec_decode_hex(ROAM_PUSH, "08 06 18 ffffffff0f"), OK);
    assert_int_equal(spec_decode_hex(ROAM_PUSH, "08 06 18 08 40 05"), OK);
    assert_int_equal(spec_decode_hex(ROAM_PUSH, "08 06 18 08 52 01 61"), OK);
    assert_int_equal(spec_decode_hex(ROAM_PUSH, "08 06 18 08 40 05 52 01 61"),
                     FIELD_RANGE);
    assert_int_equal(spec_decode_hex(ROAM_PUSH, "08 06 18 08 20 01"), OK);
    assert_int_equal(spec_decode_hex(ROAM_PUSH, "08 06 18 08 2a 01 ff"),
                     INVALID_UTF8);
}

static void test_a_message_that_was_cut_has_no_body(void **state)
{
    (void)state;
    const char *cut = "08 06 20 01 2a 01 61 32 01 61 40 05";
    const char *both = "08 06 20 01 2a 01 61 32 01 61 40 05 52 01 61";
    const char *whole = "08 06 20 01 2a 01 61 32 01 61 52 01 61";
    assert_int_equal(spec_decode_hex(ROAM_PUSH, cut), OK);
    assert_int_equal(spec_decode_hex(ROAM_PUSH, both), FIELD_RANGE);
    assert_int_equal(spec_decode_hex(ROAM_PUSH, whole), OK);
}

/* 2 to 7: RECALL to DEVICE. */
static void test_an_operation_has_what_a_message_has(void **state)
{
    (void)state;
    for (unsigned kind = 2; kind <= 7; kind++) {
        char hex[64];
        snprintf(hex, sizeof hex, "08 06 18 %02x 20 01 2a 01 61 32 01 61",
                 kind);
        assert_int_equal(spec_decode_hex(ROAM_PUSH, hex), OK);
        snprintf(hex, sizeof hex, "08 06 18 %02x 2a 01 61 32 01 61", kind);
        assert_int_equal(spec_decode_hex(ROAM_PUSH, hex), FIELD_RANGE);
        snprintf(hex, sizeof hex, "08 06 18 %02x 20 01 32 01 61", kind);
        assert_int_equal(spec_decode_hex(ROAM_PUSH, hex), FIELD_RANGE);
        snprintf(hex, sizeof hex, "08 06 18 %02x 20 01 2a 01 61", kind);
        assert_int_equal(spec_decode_hex(ROAM_PUSH, hex), FIELD_RANGE);
        snprintf(hex, sizeof hex, "08 06 18 %02x 20 01 2a 01 61 32 01 61 58 01",
                 kind);
        assert_int_equal(spec_decode_hex(ROAM_PUSH, hex), FIELD_RANGE);
    }
}

static void test_a_recalled_message_has_no_content(void **state)
{
    (void)state;
    assert_int_equal(
        spec_decode_hex(ROAM_PUSH, "08 06 20 01 2a 01 61 32 01 61 58 01"), OK);
    assert_int_equal(spec_decode_hex(ROAM_PUSH, "08 06 20 01 2a 01 61 32 01 61"
                                                " 3a 01 61 58 01"),
                     FIELD_RANGE);
    assert_int_equal(spec_decode_hex(ROAM_PUSH, "08 06 20 01 2a 01 61 32 01 61"
                                                " 40 05 58 01"),
                     FIELD_RANGE);
    assert_int_equal(spec_decode_hex(ROAM_PUSH, "08 06 20 01 2a 01 61 32 01 61"
                                                " 52 01 61 58 01"),
                     FIELD_RANGE);
    assert_int_equal(spec_decode_hex(ROAM_PUSH, "08 06 18 01 58 01"),
                     FIELD_RANGE);
}

static void test_rows_of_a_list_are_there_with_a_count_and_only_then(
    void **state)
{
    (void)state;
    static const uint8_t types[] = {ROAM_MEMBER_PAGE, ROAM_SESSION_LIST};
    static const char *const rows[] = {"4a 01 61", "22 01 61"};
    for (size_t i = 0; i < 2; i++) {
        char hex[96];
        snprintf(hex, sizeof hex, "09 0100000000000000 18 01 %s", rows[i]);
        assert_int_equal(spec_decode_hex(types[i], hex), OK);
        snprintf(hex, sizeof hex, "09 0100000000000000 %s", rows[i]);
        assert_int_equal(spec_decode_hex(types[i], hex), FIELD_RANGE);
        assert_int_equal(spec_decode_hex(types[i], "09 0100000000000000 18 01"),
                         FIELD_RANGE);
        assert_int_equal(spec_decode_hex(types[i], "09 0100000000000000"), OK);
    }
}

static void test_a_holder_is_checked_inside(void **state)
{
    (void)state;
    assert_int_equal(spec_decode_hex(ROAM_REFUSED, "08 01 10 04 22 00"), OK);
    assert_int_equal(spec_decode_hex(ROAM_REFUSED, "08 01 10 04 22 02 08 01"),
                     OK);
    assert_int_equal(spec_decode_hex(ROAM_REFUSED, "08 01 10 04 22 01 08"),
                     MALFORMED);
    assert_int_equal(
        spec_decode_hex(ROAM_REFUSED, "08 01 10 04 22 04 08 01 08 01"),
        MALFORMED);
    assert_int_equal(spec_decode_hex(ROAM_KICK, "08 01 10 04 2a 03 12 01 ff"),
                     INVALID_UTF8);
    assert_int_equal(
        spec_decode_hex(ROAM_KICK, "08 01 10 04 2a 02 0a 00 3a 01 ff"),
        MALFORMED);
    /* A fault outside that is worse, and one that is not. */
    assert_int_equal(spec_decode_hex(ROAM_KICK, "10 04 2a 03 12 01 ff"),
                     INVALID_UTF8);
    assert_int_equal(
        spec_decode_hex(ROAM_KICK, "08 01 10 04 2a 03 12 01 ff 3a"), MALFORMED);
}

/* Nothing, or a place to go on from: a pair. */
static void test_a_place_among_conversations_is_named_in_full(void **state)
{
    (void)state;
    const char *rest = "20 01 28 8008";
    for (unsigned before = 0; before <= 1; before++) {
        for (unsigned name = 0; name <= 1; name++) {
            struct wire_out out = {.len = 0};
            wire_put_fixed64(&out, 1, 1);
            wire_put_number(&out, 2, before);
            wire_put_bytes(&out, 3, "b", name);
            wire_put_hex(&out, rest);
            assert_int_equal(spec_decode(ROAM_CONVERSATIONS, &out),
                             before == name ? OK : FIELD_RANGE);
        }
    }
}

static void test_a_page_has_columns_with_rows_and_only_then(void **state)
{
    (void)state;
    static const uint8_t types[] = {ROAM_HISTORY_PAGE, ROAM_CONVERSATION_PAGE};
    for (unsigned set = 0; set < 16; set++) {
        bool rows = (set & 1) != 0;
        bool size = (set & 2) != 0;
        bool payload = (set & 4) != 0;
        struct wire_out out = {.len = 0};
        wire_put_fixed64(&out, 1, 1);
        wire_put_number(&out, 3, rows);
        wire_put_number(&out, 5, size);
        wire_put_bytes(&out, 6, "x", payload);
        assert_int_equal(spec_decode(types[set >> 3], &out),
                         rows == size && rows == payload ? OK : FIELD_RANGE);
    }
}

/* --------------------------------------------------- there and back again */

static void test_what_is_decoded_encodes_to_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPEC_TYPES; i++) {
        struct wire_out first = {.len = 0};
        struct roam_message m;
        struct roam_message again;
        uint8_t frame[1024];
        uint8_t second[1024];
        spec_put_message(&first, spec_types[i], NULL, 0);
        assert_int_equal(
            roam_message_decode(spec_types[i], wire_slice(&first), &m), OK);
        assert_int_equal(m.type, spec_types[i]);
        size_t size = roam_message_encode(&m, frame, sizeof frame);
        assert_true(size >= ROAM_FRAME_HEADER_BYTES);
        assert_int_equal(size, roam_message_size(&m));
        assert_int_equal(frame[0], spec_types[i]);
        assert_int_equal(frame[2] << 8 | frame[3], size - 4);
        struct roam_slice payload = {frame + 4, size - 4};
        assert_int_equal(roam_message_decode(spec_types[i], payload, &again),
                         OK);
        assert_int_equal(roam_message_encode(&again, second, sizeof second),
                         size);
        assert_memory_equal(frame, second, size);
    }
}

/* Fields in order and none that is zero: then the bytes are these very ones.
 */
static void test_encoding_leaves_out_zeros_and_keeps_order(void **state)
{
    (void)state;
    struct wire_out want = {.len = 0};
    struct roam_message m;
    uint8_t frame[256];
    roam_message_init(&m, ROAM_PUSH);
    m.u.push.version = 300;
    m.u.push.prev_version = 299;
    m.u.push.msg_id = 5;
    strcpy(m.u.push.conversation, "bob");
    strcpy(m.u.push.sender, "al");
    m.u.push.client_msg_id = 0x0102030405060708ull;
    m.body.data = (const uint8_t *)"hi";
    m.body.len = 2;
    wire_put_hex(&want, "45 00001e 08 ac02 10 ab02 20 05 2a 03 626f62 "
                        "32 02 616c 49 0807060504030201 52 02 6869");
    want.bytes[3] = (uint8_t)(want.len - 4);
    assert_int_equal(roam_message_encode(&m, frame, sizeof frame), want.len);
    assert_memory_equal(frame, want.bytes, want.len);
}

static void test_encoding_fits_to_the_byte_or_not_at_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPEC_TYPES; i++) {
        struct wire_out out = {.len = 0};
        struct roam_message m;
        spec_put_message(&out, spec_types[i], NULL, 0);
        assert_int_equal(
            roam_message_decode(spec_types[i], wire_slice(&out), &m), OK);
        size_t size = roam_message_size(&m);
        for (size_t cap = 0; cap <= size; cap++) {
            uint8_t *frame = malloc(cap == 0 ? 1 : cap);
            assert_non_null(frame);
            assert_int_equal(roam_message_encode(&m, frame, cap),
                             cap < size ? 0 : size);
            free(frame);
        }
    }
}

static void test_the_longest_frame_is_2_to_the_24_less_1(void **state)
{
    (void)state;
    struct roam_message m;
    size_t cap = (size_t)ROAM_FRAME_MAX + 100;
    uint8_t *body = calloc(1, cap);
    uint8_t *frame = malloc(cap);
    assert_non_null(body);
    assert_non_null(frame);
    roam_message_init(&m, ROAM_SEND);
    m.u.send.client_msg_id = 1;
    strcpy(m.u.send.conversation, "b");
    m.body.data = body;
    m.body.len = ROAM_FRAME_MAX - 9 - 3 - 5; /* id, conversation, body's tag */
    assert_int_equal(roam_message_size(&m), ROAM_FRAME_MAX + 4u);
    assert_int_equal(roam_message_encode(&m, frame, cap), ROAM_FRAME_MAX + 4u);
    assert_memory_equal(frame, "\x05\xff\xff\xff", 4);
    struct roam_message got;
    struct roam_slice payload = {frame + 4, ROAM_FRAME_MAX};
    assert_int_equal(roam_message_decode(ROAM_SEND, payload, &got), OK);
    assert_int_equal(got.body.len, m.body.len);
    m.body.len++;
    assert_int_equal(roam_message_size(&m), 0);
    assert_int_equal(roam_message_encode(&m, frame, cap), 0);
    free(frame);
    free(body);
}

static void test_a_body_is_a_slice_of_the_payload(void **state)
{
    (void)state;
    struct wire_out out = {.len = 0};
    struct roam_message m;
    wire_put_hex(&out, "09 0100000000000000 12 01 61 2a 03 010203");
    assert_int_equal(roam_message_decode(ROAM_SEND, wire_slice(&out), &m), OK);
    assert_ptr_equal(m.body.data, out.bytes + out.len - 3);
    assert_int_equal(m.body.len, 3);
}

static void test_a_type_that_is_not_known_is_neither_read_nor_written(
    void **state)
{
    (void)state;
    struct roam_slice empty = {NULL, 0};
    for (unsigned type = 0; type <= 0xff; type++) {
        if (roam_frame_name((uint8_t)type) == NULL) {
            struct roam_message m;
            uint8_t out[64];
            assert_int_equal(roam_message_decode((uint8_t)type, empty, &m),
                             MALFORMED);
            roam_message_init(&m, (uint8_t)type);
            assert_int_equal(roam_message_size(&m), 0);
            assert_int_equal(roam_message_encode(&m, out, sizeof out), 0);
        }
    }
}

static void test_an_empty_payload_from_nowhere_is_read(void **state)
{
    (void)state;
    struct roam_message m;
    struct roam_slice empty = {NULL, 0};
    assert_int_equal(roam_message_decode(ROAM_LOGOUT, empty, &m), OK);
    assert_int_equal(roam_message_decode(ROAM_PING, empty, &m), OK);
    assert_int_equal(roam_message_decode(ROAM_LOGIN, empty, &m), FIELD_RANGE);
}

/* nanopb's bounds, in roam.options, are those of roam_limits.h. */
static void test_the_structs_are_as_wide_as_the_limits(void **state)
{
    (void)state;
    struct roam_message *m = NULL;
    assert_int_equal(sizeof m->u.login.user, ROAM_USER_MAX + 1);
    assert_int_equal(sizeof m->u.login.token, ROAM_TOKEN_MAX + 1);
    assert_int_equal(sizeof m->u.login.device_id.bytes, ROAM_DEVICE_ID_BYTES);
    assert_int_equal(sizeof m->u.login.device_name, ROAM_DEVICE_NAME_MAX + 1);
    assert_int_equal(sizeof m->u.login.software, ROAM_SOFTWARE_MAX + 1);
    assert_int_equal(sizeof m->u.send.conversation, ROAM_CONVERSATION_MAX + 1);
    assert_int_equal(sizeof m->u.send.content_type, ROAM_CONTENT_TYPE_MAX + 1);
    assert_int_equal(sizeof m->u.refused.holder.device_name,
                     ROAM_DEVICE_NAME_MAX + 1);
    assert_int_equal(sizeof m->u.kick.detail, ROAM_DETAIL_MAX + 1);
    assert_int_equal(sizeof m->u.push.conversation, ROAM_CONVERSATION_MAX + 1);
    assert_int_equal(sizeof m->u.push.sender, ROAM_USER_MAX + 1);
    assert_int_equal(sizeof m->u.push.content_type, ROAM_CONTENT_TYPE_MAX + 1);
    assert_int_equal(sizeof m->u.error.detail, ROAM_DETAIL_MAX + 1);
    assert_int_equal(sizeof m->u.history.conversation,
                     ROAM_CONVERSATION_MAX + 1);
    assert_int_equal(sizeof m->u.conversations.conversation,
                     ROAM_CONVERSATION_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sync_ok_says_why_with_reset_and_only_then),
        cmocka_unit_test(test_a_window_told_is_a_legal_one_or_none),
        cmocka_unit_test(test_a_chain_only_goes_forward),
        cmocka_unit_test(test_a_noop_has_nothing_but_its_link),
        cmocka_unit_test(test_an_entry_of_an_unknown_kind_is_taken_as_it_is),
        cmocka_unit_test(test_an_operation_has_what_a_message_has),
        cmocka_unit_test(test_a_recalled_message_has_no_content),
        cmocka_unit_test(
            test_rows_of_a_list_are_there_with_a_count_and_only_then),
        cmocka_unit_test(test_a_message_that_was_cut_has_no_body),
        cmocka_unit_test(test_a_holder_is_checked_inside),
        cmocka_unit_test(test_a_place_among_conversations_is_named_in_full),
        cmocka_unit_test(test_a_page_has_columns_with_rows_and_only_then),
        cmocka_unit_test(test_what_is_decoded_encodes_to_the_same),
        cmocka_unit_test(test_encoding_leaves_out_zeros_and_keeps_order),
        cmocka_unit_test(test_encoding_fits_to_the_byte_or_not_at_all),
        cmocka_unit_test(test_the_longest_frame_is_2_to_the_24_less_1),
        cmocka_unit_test(test_a_body_is_a_slice_of_the_payload),
        cmocka_unit_test(
            test_a_type_that_is_not_known_is_neither_read_nor_written),
        cmocka_unit_test(test_an_empty_payload_from_nowhere_is_read),
        cmocka_unit_test(test_the_structs_are_as_wide_as_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
