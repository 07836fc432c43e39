/* SPDX-License-Identifier: Apache-2.0 */
/* The server that the harness plays, and what it thinks of a client's frame:
 * its packer against the checker that judges servers, each bend a lie that
 * this checker sees too, and each bound of section 4.1 at n and n+1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "batch_check.h"
#include "client_pack.h"
#include "client_schema.h"

#define ROWS 3u

static Roam__V1__Push *row(uint64_t version, const char *body)
{
    Roam__V1__Push *p =
        (Roam__V1__Push *)message_new(&roam__v1__push__descriptor);
    p->version = version;
    p->prev_version = version - 1;
    p->msg_id = (version + 1000) << 22;
    p->conversation = p->sender = arena_string("bob");
    p->content_type = arena_string("text/plain");
    p->body.data = (uint8_t *)arena_string(body);
    p->body.len = strlen(body);
    return p;
}

static bool expands(Roam__V1__Codec codec, const char *bend,
                    struct batch_rows *out)
{
    Roam__V1__Push *rows[ROWS] = {row(1, "one"), row(2, "two"), row(3, "")};
    struct packed p;
    pack_rows(rows, NULL, ROWS, 0, false, codec, bend, &p);
    Roam__V1__Batch b = ROAM__V1__BATCH__INIT;
    b.last_version = ROWS;
    b.count = ROWS;
    b.codec = codec;
    b.inflated_size = p.inflated_size;
    b.payload.data = p.payload;
    b.payload.len = p.len;
    struct batch_fault fault;
    return batch_expand(&b, 1u << 20, 2, out, &fault);
}

static void test_what_is_packed_unpacks_to_the_same(void **state)
{
    (void)state;
    for (int codec = 0; codec <= 1; codec++) {
        struct batch_rows out = {0};
        assert_true(expands((Roam__V1__Codec)codec, NULL, &out));
        assert_int_equal(out.count, ROWS);
        assert_int_equal(out.at[1]->version, 2);
        assert_int_equal(out.at[1]->msg_id, (uint64_t)1002 << 22);
        assert_string_equal(out.at[0]->sender, "bob");
        assert_string_equal(out.at[2]->content_type, "text/plain");
        assert_int_equal(out.at[2]->body.len, 0);
        assert_memory_equal(out.at[1]->body.data, "two", 3);
    }
}

static void test_every_bend_is_a_lie(void **state)
{
    (void)state;
    static const char *const plain[] = {
        "column-short",       "body-too-long", "bodies-left-over",
        "index-out-of-table", "own-rows-fall", "own-row-past-end",
        "name-empty",         "name-too-long", "name-no-text",
        "noop-with-body",     "version-wraps", "column-twice",
        "group-inside",       "columns-cut",   "columns-turned",
        "column-unpacked",    "size-less",     "size-more"};
    static const char *const deflated[] = {
        "deflate-cut", "deflate-trailing", "deflate-zlib", "deflate-garbage",
        "size-less",   "size-more",        "bomb"};
    struct batch_rows out;
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        assert_true(pack_bend_known(plain[i]));
        if (expands(ROAM__V1__CODEC__CODEC_NONE, plain[i], &out)) {
            fail_msg("%s is taken", plain[i]);
        }
    }
    for (size_t i = 0; i < sizeof deflated / sizeof deflated[0]; i++) {
        assert_true(pack_bend_known(deflated[i]));
        if (expands(ROAM__V1__CODEC__CODEC_DEFLATE, deflated[i], &out)) {
            fail_msg("%s is taken", deflated[i]);
        }
    }
    assert_false(pack_bend_known("sideways"));
    assert_false(pack_bend_known(NULL));
}

/* ---------------------------------------------------------------- bounds */

struct probe {
    const char *frame, *field;
    uint64_t least, most; /* of the value, or of the length of text */
    bool is_text;
};

static const struct probe probes[] = {
    {"LOGIN", "user", 1, 64, true},
    {"LOGIN", "token", 1, 128, true},
    {"LOGIN", "device_id", 16, 16, true},
    {"LOGIN", "device_type", 1, 6, false},
    {"LOGIN", "device_name", 0, 64, true},
    {"LOGIN", "software", 0, 64, true},
    {"LOGIN", "attempt", 1, INT64_MAX, false},
    {"LOGIN", "take_over", 0, INT64_MAX, false},
    {"LOGIN", "max_frame", 512, 0xffffff, false},
    {"SYNC", "cursor", 0, INT64_MAX, false},
    {"SYNC", "max_unacked", 4, 100000, false},
    {"SYNC", "max_inflated", 1024, 0xffffff, false},
    {"ACK", "version", 1, INT64_MAX, false},
    {"SEND", "client_msg_id", 1, UINT64_MAX, false},
    {"SEND", "conversation", 1, 64, true},
    {"SEND", "content_type", 0, 64, true},
    {"HISTORY", "ref", 1, UINT64_MAX, false},
    {"HISTORY", "conversation", 1, 64, true},
    {"HISTORY", "before", 0, INT64_MAX, false},
    {"HISTORY", "max_rows", 1, 1000, false},
    {"HISTORY", "max_inflated", 1024, 0xffffff, false},
    {"CONVERSATIONS", "ref", 1, UINT64_MAX, false},
    {"CONVERSATIONS", "max_rows", 1, 1000, false},
};

static const struct {
    const char *frame, *field;
    uint64_t value;
    const char *text;
} good[] = {{"LOGIN", "protocol", 1, NULL},
            {"LOGIN", "user", 0, "u"},
            {"LOGIN", "token", 0, "t"},
            {"LOGIN", "device_id", 0, "0123456789abcdef"},
            {"LOGIN", "device_type", 1, NULL},
            {"LOGIN", "attempt", 1, NULL},
            {"LOGIN", "max_frame", 512, NULL},
            {"SYNC", "max_unacked", 4, NULL},
            {"SYNC", "max_inflated", 1024, NULL},
            {"ACK", "version", 1, NULL},
            {"SEND", "client_msg_id", 1, NULL},
            {"SEND", "conversation", 0, "b"},
            {"HISTORY", "ref", 1, NULL},
            {"HISTORY", "conversation", 0, "b"},
            {"HISTORY", "max_rows", 1, NULL},
            {"HISTORY", "max_inflated", 1024, NULL},
            {"CONVERSATIONS", "ref", 1, NULL},
            {"CONVERSATIONS", "max_rows", 1, NULL},
            {"CONVERSATIONS", "max_inflated", 1024, NULL}};

static void set(ProtobufCMessage *m, const char *field, uint64_t n,
                const char *text)
{
    const char *reason = "";
    struct value v = text ? value_text(text) : value_number(n);
    if (!field_set(m, field, &v, &reason)) {
        fail_msg("%s", reason);
    }
}

static bool is_good(const struct probe *p, uint64_t n)
{
    const struct frame_type *type = frame_type_named(p->frame);
    ProtobufCMessage *m = message_new(type->desc);
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (strcmp(good[i].frame, p->frame) == 0) {
            set(m, good[i].field, good[i].value, good[i].text);
        }
    }
    char *text = NULL;
    if (p->is_text) {
        text = arena_alloc((size_t)n + 1);
        memset(text, 'x', (size_t)n);
    }
    set(m, p->field, n, text);
    uint8_t *bytes;
    size_t len = frame_encode(type, m, &bytes);
    struct schema_fault fault;
    const struct frame *f =
        frame_decode(type->number, bytes + FRAME_HEADER, len - FRAME_HEADER);
    return client_schema_check(f, &fault);
}

static void test_bounds_hold_at_n_and_n_plus_1(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof probes / sizeof probes[0]; i++) {
        const struct probe *p = &probes[i];
        bool ok = is_good(p, p->least) && is_good(p, p->most) &&
                  (p->least == 0 || !is_good(p, p->least - 1)) &&
                  (p->most == UINT64_MAX || !is_good(p, p->most + 1));
        if (!ok) {
            fail_msg("%s.%s", p->frame, p->field);
        }
    }
}

static void test_a_list_names_both_of_before_and_conversation(void **state)
{
    (void)state;
    struct probe p = {"CONVERSATIONS", "before", 0, 0, false};
    assert_true(is_good(&p, 0));
    assert_false(is_good(&p, 5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_packed_unpacks_to_the_same),
        cmocka_unit_test(test_every_bend_is_a_lie),
        cmocka_unit_test(test_bounds_hold_at_n_and_n_plus_1),
        cmocka_unit_test(test_a_list_names_both_of_before_and_conversation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
