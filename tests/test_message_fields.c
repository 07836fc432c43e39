/* SPDX-License-Identifier: Apache-2.0 */
/* Every field of every message: at its bounds and one past them, absent,
 * twice, with the wrong wire type and with bad text; and payloads that are no
 * messages at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "field_rules.h"
#include "message_fields.h"
#include "wire.h"

#define U64 UINT64_MAX

/* Is it one of the fields that are zero or empty all together? Then this is
 * the first and the last number of these. */
static bool is_tied(const struct field *f, uint8_t *first, uint8_t *last)
{
    bool page =
        f->type == ROAM_HISTORY_PAGE || f->type == ROAM_CONVERSATION_PAGE;
    if (page && (f->number == 3 || f->number == 5 || f->number == 6)) {
        *first = 3; /* count, codec, inflated_size, payload */
        *last = 6;
        return true;
    }
    if (f->type == ROAM_MEMBER_PAGE && (f->number == 3 || f->number == 9)) {
        *first = f->number == 3 ? 9 : 3; /* count, rows */
        *last = *first;
        return true;
    }
    if (f->type == ROAM_SESSION_LIST && (f->number == 3 || f->number == 4)) {
        *first = 3; /* count, rows */
        *last = 4;
        return true;
    }
    *first = 2; /* before, conversation */
    *last = 3;
    return f->type == ROAM_CONVERSATIONS && (f->number == 2 || f->number == 3);
}

/* A message without what is tied to f, and so without f. */
static void put_untied(struct wire_out *out, const struct field *f,
                       uint8_t first, uint8_t last)
{
    for (size_t i = 0; i < SPEC_FIELDS; i++) {
        const struct field *other = &spec_fields[i];
        if (other->type == f->type && other != f &&
            (other->number < first || other->number > last)) {
            spec_put_field(out, other, other->base);
        }
    }
}

/* The message with one field at this value; where the spec ties fields to
 * each other, the others follow. */
static roam_v1_ErrorCode decode_with(const struct field *f, uint64_t value)
{
    struct wire_out out = {.len = 0};
    uint8_t first;
    uint8_t last;
    if (f->type == ROAM_SYNC_OK && f->number == 1 && value == 3) {
        wire_put_hex(&out, "08 03 20 01"); /* RESET says why */
    } else if (f->type == ROAM_PUSH && f->number == 3 && value == 1) {
        wire_put_hex(&out, "08 01 18 01"); /* a NOOP has nothing else */
    } else if (f->type == ROAM_PUSH && (f->number == 8 || f->number == 11) &&
               value != 0) {
        wire_put_hex(&out, "08 01 20 01 2a 01 61 32 01 61"); /* no body */
        spec_put_field(&out, f, value);
    } else if (value == 0 && is_tied(f, &first, &last)) {
        put_untied(&out, f, first, last);
    } else {
        spec_put_message(&out, f->type, f, value);
    }
    return spec_decode(f->type, &out);
}

static void expect(const struct field *f, uint64_t value,
                   roam_v1_ErrorCode error)
{
    roam_v1_ErrorCode got = decode_with(f, value);
    if (got != error) {
        fail_msg("type 0x%02x field %u value %llu: %d, not %d", f->type,
                 f->number, (unsigned long long)value, (int)got, (int)error);
    }
}

static void test_every_rule_of_the_codec_stands_in_the_spec(void **state)
{
    (void)state;
    assert_int_equal(roam__field_rule_count, SPEC_FIELDS);
    for (size_t i = 0; i < SPEC_FIELDS; i++) {
        assert_int_equal(roam__field_rules[i].message, spec_fields[i].type);
        assert_int_equal(roam__field_rules[i].number, spec_fields[i].number);
    }
}

static void test_every_message_at_its_base_is_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPEC_TYPES; i++) {
        struct wire_out out = {.len = 0};
        spec_put_message(&out, spec_types[i], NULL, 0);
        assert_int_equal(spec_decode(spec_types[i], &out), OK);
    }
}

static void test_every_field_is_good_at_its_bounds_and_bad_past(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPEC_FIELDS; i++) {
        const struct field *f = &spec_fields[i];
        if (f->form == HOL) {
            continue;
        }
        expect(f, f->min, OK);
        expect(f, f->max, OK);
        if (f->min > 0) {
            expect(f, f->min - 1, FIELD_RANGE);
            expect(f, 0, FIELD_RANGE);
        }
        if (f->form == TXT || f->form == BYT) {
            expect(f, f->max + 1, MALFORMED);
        } else if (f->form == NUM && f->max < U64) {
            expect(f, f->max + 1, f->max < f->wide ? FIELD_RANGE : MALFORMED);
        }
        if (f->form == NUM && f->wide < U64) {
            expect(f, f->wide + 1, MALFORMED);
            expect(f, U64, MALFORMED);
        }
    }
}

static void test_a_required_field_that_is_absent_is_out_of_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPEC_FIELDS; i++) {
        struct wire_out out = {.len = 0};
        uint8_t first;
        uint8_t last;
        spec_put_without(&out, &spec_fields[i]);
        bool required =
            spec_fields[i].min > 0 || is_tied(&spec_fields[i], &first, &last);
        assert_int_equal(spec_decode(spec_fields[i].type, &out),
                         required ? FIELD_RANGE : OK);
    }
}

static void test_the_same_fields_in_any_order_are_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPEC_TYPES; i++) {
        struct wire_out out = {.len = 0};
        for (size_t n = SPEC_FIELDS; n-- != 0;) {
            if (spec_fields[n].type == spec_types[i]) {
                spec_put_field(&out, &spec_fields[n], spec_fields[n].base);
            }
        }
        assert_int_equal(spec_decode(spec_types[i], &out), OK);
    }
}

static void test_a_field_that_comes_twice_is_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPEC_FIELDS; i++) {
        struct wire_out out = {.len = 0};
        spec_put_message(&out, spec_fields[i].type, NULL, 0);
        spec_put_field(&out, &spec_fields[i], spec_fields[i].base);
        assert_int_equal(spec_decode(spec_fields[i].type, &out), MALFORMED);
    }
}

static void test_a_field_of_another_wire_type_is_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPEC_FIELDS; i++) {
        static const unsigned wire[] = {0, 1, 2, 2, 2, 2};
        for (unsigned type = 0; type < 8; type++) {
            struct wire_out out = {.len = 0};
            spec_put_without(&out, &spec_fields[i]);
            if (type == wire[spec_fields[i].form]) {
                continue;
            }
            wire_put_tag(&out, spec_fields[i].number, type);
            /* Good for whatever it is: a number, a length, 4 or 8 bytes. */
            wire_put_hex(&out, type == 5   ? "01000000"
                               : type == 1 ? "0100000000000000"
                               : type == 2 ? "0161"
                                           : "01");
            assert_int_equal(spec_decode(spec_fields[i].type, &out), MALFORMED);
        }
    }
}

static void test_text_that_is_not_utf8_is_told_apart(void **state)
{
    (void)state;
    static const char *const bad[] = {"ff",       "c3", "c080",   "eda080",
                                      "f4908080", "00", "610061", "6100"};
    unsigned texts = 0;
    for (size_t i = 0; i < SPEC_FIELDS; i++) {
        if (spec_fields[i].form != TXT) {
            continue;
        }
        texts++;
        for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
            struct wire_out text = {.len = 0};
            struct wire_out out = {.len = 0};
            spec_put_without(&out, &spec_fields[i]);
            wire_put_hex(&text, bad[b]);
            wire_put_bytes(&out, spec_fields[i].number, text.bytes, text.len);
            assert_int_equal(spec_decode(spec_fields[i].type, &out),
                             INVALID_UTF8);
        }
    }
    assert_int_equal(texts, 20);
}

/* Bytes, on the other hand, may be anything. */
static void test_bytes_need_not_be_text(void **state)
{
    (void)state;
    struct wire_out out = {.len = 0};
    wire_put_fixed64(&out, 1, 1);
    wire_put_bytes(&out, 2, "bob", 3);
    wire_put_bytes(&out, 5, "\xff\x00\xc3", 3);
    assert_int_equal(spec_decode(ROAM_SEND, &out), OK);
}

static void test_the_worst_of_several_faults_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        roam_v1_ErrorCode error;
    } sends[] = {
        {"09 0100000000000000 12 01 61", OK},
        {"09 0000000000000000 12 01 61", FIELD_RANGE},
        {"09 0000000000000000 12 01 ff", INVALID_UTF8},
        {"12 01 ff 09 0000000000000000", INVALID_UTF8},
        {"12 01 ff", INVALID_UTF8},
        {"09 0000000000000000 12 01 ff 2a 05 61", MALFORMED},
        {"2a 01 61 2a 01 61 12 01 ff", MALFORMED},
        {"12 01 ff 28 01", MALFORMED},
        {"28 01 12 01 ff", MALFORMED},
        {"28 01 12 01 61", MALFORMED},
        {"", FIELD_RANGE},
    };
    for (size_t i = 0; i < sizeof sends / sizeof sends[0]; i++) {
        struct wire_out out = {.len = 0};
        wire_put_hex(&out, sends[i].hex);
        assert_int_equal(spec_decode(ROAM_SEND, &out), sends[i].error);
    }
}

/* Of a message cut anywhere, only whole fields are left, or nothing good. */
static void test_a_message_cut_inside_a_field_is_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < SPEC_TYPES; i++) {
        struct wire_out out = {.len = 0};
        spec_put_message(&out, spec_types[i], NULL, 0);
        struct roam_slice rest = wire_slice(&out);
        size_t whole = 0; /* end of the last whole field */
        for (size_t len = 0; len < out.len; len++) {
            struct wire_out cut = out;
            cut.len = len;
            if (len == out.len - rest.len) {
                struct roam__field f;
                whole = len;
                assert_true(roam__wire_field(&rest, &f));
            }
            roam_v1_ErrorCode error = spec_decode(spec_types[i], &cut);
            if (len == whole) {
                assert_true(error == OK || error == FIELD_RANGE);
            } else {
                assert_int_equal(error, MALFORMED);
            }
        }
    }
}

static void test_what_is_no_protobuf_is_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "08",                         /* no value */
        "08 80",                      /* half a varint */
        "08 ffffffffffffffffff02",    /* 65 bits */
        "08 8080808080808080808000",  /* 11 bytes */
        "78 ffffffffffffffffff7f",    /* 70 bits, unknown field */
        "00 00",                      /* field number 0 */
        "02 00",                      /* likewise */
        "0b",                         /* group */
        "0b 0c",                      /* likewise, ended */
        "7b 7c",                      /* likewise, unknown */
        "0c",                         /* end of group */
        "0e 00",                      /* wire type 6 */
        "0f 00",                      /* wire type 7 */
        "7a 02 61",                   /* unknown bytes, cut short */
        "7a ffffffffffffffffff01 61", /* a length of 64 bits */
        "7d 010203",                  /* unknown fixed32, cut short */
        "79 01020304050607",          /* unknown fixed64, cut short */
        "80808080 10 00",             /* field number 2^29 */
        "8880808080808080808000 00",  /* a tag of 11 bytes */
    };
    for (size_t i = 0; i < SPEC_TYPES; i++) {
        for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
            struct wire_out out = {.len = 0};
            wire_put_hex(&out, bad[b]);
            if (spec_decode(spec_types[i], &out) != MALFORMED) {
                fail_msg("0x%02x: %s", spec_types[i], bad[b]);
            }
        }
    }
    assert_int_equal(spec_decode(0, &(struct wire_out){.bytes = {8}, .len = 1}),
                     MALFORMED);
}

static void test_varints_may_be_longer_than_needed(void **state)
{
    (void)state;
    struct wire_out out = {.len = 0};
    wire_put_hex(&out, "08 85808080808080808000"); /* 10 bytes */
    assert_int_equal(spec_decode(ROAM_PING, &out), OK);
    out.len = 0;
    wire_put_hex(&out, "08 ffffffffffffffffff01"); /* 64 bits */
    assert_int_equal(spec_decode(ROAM_PING, &out), OK);
}

static void test_unknown_fields_are_skipped_everywhere(void **state)
{
    (void)state;
    static const char *const unknown[] = {
        "f801 ffffffffffffffffff01", "f901 0102030405060708", "fa01 03 ff0000",
        "fd01 01020304", "f8ffffff0f 00" /* 2^29 - 1 */};
    for (size_t i = 0; i < SPEC_TYPES + 1; i++) {
        uint8_t type = i == SPEC_TYPES ? 0 : spec_types[i];
        struct wire_out out = {.len = 0};
        for (size_t n = 0; n < SPEC_FIELDS; n++) {
            if (spec_fields[n].type == type) {
                wire_put_hex(&out, unknown[n % 5]);
                spec_put_field(&out, &spec_fields[n], spec_fields[n].base);
            }
        }
        for (size_t u = 0; u < 5; u++) {
            wire_put_hex(&out, unknown[u]);
            wire_put_hex(&out, unknown[u]);
        }
        assert_int_equal(spec_decode(type, &out), OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_rule_of_the_codec_stands_in_the_spec),
        cmocka_unit_test(test_every_message_at_its_base_is_good),
        cmocka_unit_test(test_every_field_is_good_at_its_bounds_and_bad_past),
        cmocka_unit_test(test_a_required_field_that_is_absent_is_out_of_range),
        cmocka_unit_test(test_the_same_fields_in_any_order_are_good),
        cmocka_unit_test(test_a_field_that_comes_twice_is_malformed),
        cmocka_unit_test(test_a_field_of_another_wire_type_is_malformed),
        cmocka_unit_test(test_text_that_is_not_utf8_is_told_apart),
        cmocka_unit_test(test_bytes_need_not_be_text),
        cmocka_unit_test(test_the_worst_of_several_faults_is_told),
        cmocka_unit_test(test_a_message_cut_inside_a_field_is_malformed),
        cmocka_unit_test(test_what_is_no_protobuf_is_malformed),
        cmocka_unit_test(test_varints_may_be_longer_than_needed),
        cmocka_unit_test(test_unknown_fields_are_skipped_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
