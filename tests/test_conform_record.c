/* SPDX-License-Identifier: Apache-2.0 */
/* The record of a case: frames cut from any split of the stream, and the
 * capture made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pcapng.h"
#include "record.h"
#include "report_case.h"
#include "report_model.h"
#include "world.h"

static int json_from_arena(void **state)
{
    (void)state;
    json_set_alloc_funcs(arena_alloc, arena_keep);
    return 0;
}

static const struct scenario scenario = {.id = "area/case", .path = "x.scn"};
static struct device_decl decl = {.name = "ann"};
static struct device device = {.decl = &decl};
static const int key;

static void begin(struct world *w)
{
    *w = (struct world){.s = &scenario};
    record_begin(w, true);
    record_open(w, &key, &device);
}

/* Two frames and two bytes that begin a third. */
static const uint8_t stream[] = {0x06, 0, 0, 2, 0x08, 0x07,
                                 0x02, 0, 0, 0, 6,    0};

static void test_frames_are_cut_from_any_split(void **state)
{
    (void)state;
    for (size_t split = 1; split <= sizeof stream; split++) {
        struct world w;
        begin(&w);
        for (size_t at = 0; at < sizeof stream; at += split) {
            size_t left = sizeof stream - at;
            record_bytes(&w, &key, true, stream + at,
                         left < split ? left : split);
        }
        record_finish(&w);
        const struct record *r = w.record;
        assert_int_equal(r->event_count, 4);
        assert_int_equal(r->events[1].kind, RECORD_FRAME);
        assert_int_equal(r->events[1].len, 6);
        assert_memory_equal(r->events[1].bytes, stream, 6);
        assert_int_equal(r->events[2].len, 4);
        assert_int_equal(r->events[3].kind, RECORD_REST);
        assert_int_equal(r->events[3].len, 2);
    }
}

static void test_directions_do_not_mix(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    record_bytes(&w, &key, true, stream, 3);
    record_bytes(&w, &key, false, stream, 6);
    record_bytes(&w, &key, true, stream + 3, 3);
    assert_int_equal(w.record->event_count, 3);
    assert_false(w.record->events[1].to_server);
    assert_true(w.record->events[2].to_server);
}

static void test_only_the_first_end_of_a_side_counts(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    record_end(&w, &key, true, false);
    record_end(&w, &key, true, false);
    record_bytes(&w, &key, true, stream, 6); /* the other side goes on */
    record_end(&w, &key, false, true);
    record_end(&w, &key, true, true);
    assert_int_equal(w.record->event_count, 4);
    assert_string_equal(w.record->events[3].text, "cuts the connection");
}

static void test_a_frame_is_found_again(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    record_bytes(&w, &key, false, stream, 10);
    assert_int_equal(record_find(w.record, frame_decode(6, stream + 4, 2)), 1);
    assert_int_equal(record_find(w.record, frame_decode(2, NULL, 0)), 2);
    assert_int_equal(record_find(w.record, frame_decode(3, NULL, 0)), 3);
    assert_int_equal(record_find(w.record, NULL), 3);
}

static void test_the_middle_of_a_long_case_is_left_out(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    size_t most = REPORT_EVENTS_FIRST + REPORT_EVENTS_LAST;
    for (size_t i = 1; i < most; i++) {
        record_note(&w, NULL, "-", "tick");
    }
    json_t *j = report_case_record(&w);
    assert_int_equal(json_array_size(json_object_get(j, "events")), most);
    record_note(&w, NULL, "-", "tick");
    record_note(&w, NULL, "-", "tick");
    j = report_case_record(&w);
    json_t *events = json_object_get(j, "events");
    assert_int_equal(json_array_size(events), most);
    json_t *behind = json_array_get(events, REPORT_EVENTS_FIRST);
    assert_int_equal(json_integer_value(json_object_get(behind, "skipped")), 2);
}

/* The events that the page has of a case with this record. */
static json_t *page_events(json_t *record, enum verdict verdict)
{
    static const struct rules rules;
    static const struct scenarios all;
    struct result r = {.s = &scenario,
                       .verdict = verdict,
                       .rules = "",
                       .what = "",
                       .detail = "",
                       .record = record};
    const struct results results = {.at = &r, .count = 1};
    const struct report_run run = {.role = ROLE_SERVER,
                                   .peer = "",
                                   .started = "",
                                   .rules = &rules,
                                   .all = &all,
                                   .results = &results};
    json_t *j = json_loads(report_html_data(&run), 0, NULL);
    json_t *item = json_array_get(json_object_get(j, "cases"), 0);
    return json_object_get(item, "events");
}

static void test_a_page_keeps_little_of_what_passed(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    size_t most = REPORT_PASSED_FIRST + REPORT_PASSED_LAST;
    for (size_t i = 1; i < most; i++) {
        record_note(&w, NULL, "-", "tick");
    }
    json_t *events = page_events(report_case_record(&w), VERDICT_PASS);
    assert_int_equal(json_array_size(events), most);
    record_note(&w, NULL, "-", "tick");
    events = page_events(report_case_record(&w), VERDICT_PASS);
    assert_int_equal(json_array_size(events), most);
    json_t *behind = json_array_get(events, REPORT_PASSED_FIRST);
    assert_int_equal(json_integer_value(json_object_get(behind, "skipped")), 1);
    events = page_events(report_case_record(&w), VERDICT_FAIL);
    assert_int_equal(json_array_size(events), most + 1);
}

/* Digits of the bytes that are told of a frame of this length. */
static size_t told_of(size_t len, bool in_page)
{
    struct world w;
    begin(&w);
    uint8_t *frame = arena_alloc(len);
    frame[0] = 0x45;
    frame[2] = (uint8_t)((len - FRAME_HEADER) >> 8);
    frame[3] = (uint8_t)(len - FRAME_HEADER);
    record_bytes(&w, &key, false, frame, len);
    json_t *record = report_case_record(&w);
    json_t *events = in_page ? page_events(record, VERDICT_PASS)
                             : json_object_get(record, "events");
    json_t *e = json_array_get(events, 1);
    assert_int_equal(json_integer_value(json_object_get(e, "length")), len);
    return strlen(json_string_value(json_object_get(e, "bytes")));
}

static void test_long_frames_are_cut_in_reports(void **state)
{
    (void)state;
    size_t n = REPORT_FRAME_MAX;
    assert_int_equal(told_of(n - 1, false), 2 * n - 2);
    assert_int_equal(told_of(n, false), 2 * n);
    assert_int_equal(told_of(n + 1, false), 2 * n);
    /* In base64, 4 digits for 3 bytes: 255, 256 and 256 of 257. */
    assert_int_equal(REPORT_PASSED_BYTES, 256);
    assert_int_equal(told_of(255, true), 340);
    assert_int_equal(told_of(256, true), 344);
    assert_int_equal(told_of(257, true), 344);
}

/* ---------------------------------------------------------------- captures */

static uint32_t u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
}

/* RFC 1071: over data with a right checksum in it, the sum is all ones. */
static uint32_t sum(uint32_t s, const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        s += i % 2 ? (uint32_t)p[i] : (uint32_t)p[i] << 8;
    }
    return s;
}

static uint32_t folded(uint32_t s)
{
    while (s >> 16) {
        s = (s & 0xffffu) + (s >> 16);
    }
    return s;
}

static void check_packet(const uint8_t *ip, size_t len)
{
    assert_int_equal(folded(sum(0, ip, 20)), 0xffff);
    assert_int_equal(ip[2] << 8 | ip[3], len);
    uint32_t pseudo = sum(6 + (uint32_t)len - 20, ip + 12, 8);
    assert_int_equal(folded(sum(pseudo, ip + 20, len - 20)), 0xffff);
}

static void test_checksums_of_a_capture_are_right(void **state)
{
    (void)state;
    struct world w;
    struct text t = {0};
    begin(&w);
    record_bytes(&w, &key, true, stream, 5);
    record_bytes(&w, &key, false, stream, 10);
    uint8_t *big = arena_alloc(PCAPNG_SEGMENT_MAX + 1);
    record_bytes(&w, &key, false, big, PCAPNG_SEGMENT_MAX);
    record_bytes(&w, &key, false, big, PCAPNG_SEGMENT_MAX + 1);
    record_end(&w, &key, true, false);
    record_end(&w, &key, false, true);
    pcapng_add(&t, w.record, "area/case");
    size_t packets = 0;
    for (size_t at = 0; at < t.len;) {
        const uint8_t *block = (const uint8_t *)t.s + at;
        size_t len = u32(block + 4);
        assert_int_equal(len % 4, 0);
        assert_int_equal(u32(block + len - 4), len);
        if (u32(block) == 6) {
            check_packet(block + 28, u32(block + 20));
            packets++;
        }
        at += len;
    }
    assert_int_equal(packets, 3 + 2 + 1 + 2 + 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_are_cut_from_any_split),
        cmocka_unit_test(test_directions_do_not_mix),
        cmocka_unit_test(test_only_the_first_end_of_a_side_counts),
        cmocka_unit_test(test_a_frame_is_found_again),
        cmocka_unit_test(test_the_middle_of_a_long_case_is_left_out),
        cmocka_unit_test(test_a_page_keeps_little_of_what_passed),
        cmocka_unit_test(test_long_frames_are_cut_in_reports),
        cmocka_unit_test(test_checksums_of_a_capture_are_right),
    };
    return cmocka_run_group_tests(tests, json_from_arena, NULL);
}
