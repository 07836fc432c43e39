/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking: a batch that is good gives its rows, and one that lies in any way
 * is refused, with the right word for it, before its first row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "batch.h"
#include "entry_rig.h"
#include "wire.h"
#include "wire_writer.h"

#define DEFLATE_BIT (1u << roam_v1_Codec_CODEC_DEFLATE)

/* ------------------------------------------------- a batch built by hand */

/* Contents of the fields of Columns, in hex; NULL: the field is not there.
 * Tables have up to two entries here. */
struct columns {
    const char *table[4][2]; /* [1..3]: conversations, senders, types */
    const char *column[23];  /* [4..22]; of tables their first entry */
    const char *tail;        /* whole fields behind the last */
};

/* Three rows: bob's "hi" to us, a NOOP, and our own to carol, cut. */
static const struct columns good_columns = {
    .table = {{NULL, NULL},
              {"626f62", "6361726f6c"},
              {"626f62", "616c696365"},
              {"746578742f706c61696e", NULL}},
    .column = {[4] = "00 03 04",
               [5] = "d00f 00 c701",
               [6] = "05 00 07",
               [7] = "00 00 01",
               [8] = "00 00 01",
               [9] = "00 01 00",
               [11] = "02 00 00",
               [12] = "02",
               [13] = "8877665544332211",
               [14] = "02",
               [15] = "8827",
               [16] = "6869"}};

enum {
    GOOD_PREV = 10,
    GOOD_LAST = 20,
    GOOD_COUNT = 3
};

static void put_columns(struct wire_out *out, const struct columns *c)
{
    struct wire_out content;
    for (uint32_t n = 1; n <= 3; n++) {
        for (size_t i = 0; i < 2 && c->table[n][i] != NULL; i++) {
            content.len = 0;
            wire_put_hex(&content, c->table[n][i]);
            wire_put_bytes(out, n, content.bytes, content.len);
        }
    }
    for (uint32_t n = 4; n <= 22; n++) {
        if (c->column[n] != NULL) {
            content.len = 0;
            wire_put_hex(&content, c->column[n]);
            wire_put_bytes(out, n, content.bytes, content.len);
        }
    }
    if (c->tail != NULL) {
        wire_put_hex(out, c->tail);
    }
}

static void plain_batch(struct roam_message *m, const struct wire_out *out)
{
    roam_message_init(m, ROAM_BATCH);
    m->u.batch.prev_version = GOOD_PREV;
    m->u.batch.last_version = GOOD_LAST;
    m->u.batch.count = GOOD_COUNT;
    m->u.batch.inflated_size = (uint32_t)out->len;
    m->body = wire_slice(out);
}

/* Opens with the payload on the heap, to the byte. */
static enum roam_batch_error open_exact(const struct roam_message *m,
                                        uint32_t codecs, size_t cap)
{
    struct roam_message exact = *m;
    struct roam_unpack u;
    uint8_t *payload = wire_exact(m->body.data, m->body.len);
    uint8_t *buf = malloc(cap == 0 ? 1 : cap);
    assert_non_null(buf);
    exact.body.data = payload;
    enum roam_batch_error error =
        roam_unpack_open(&u, &exact, codecs, buf, cap);
    free(buf);
    free(payload);
    return error;
}

static enum roam_batch_error open_columns(const struct columns *c)
{
    struct wire_out out = {.len = 0};
    struct roam_message m;
    put_columns(&out, c);
    plain_batch(&m, &out);
    return open_exact(&m, 0, 4096);
}

static void test_a_batch_built_by_hand_is_read(void **state)
{
    (void)state;
    struct wire_out out = {.len = 0};
    struct roam_message m;
    struct roam_unpack u;
    struct roam_entry e;
    put_columns(&out, &good_columns);
    plain_batch(&m, &out);
    assert_int_equal(roam_unpack_open(&u, &m, 0, NULL, 4096), ROAM_BATCH_OK);

    const struct roam_entry rows[GOOD_COUNT] = {
        {.version = 11,
         .prev_version = 10,
         .msg_id = 1000ull << 22 | 5,
         .conversation = rig_text("bob"),
         .sender = rig_text("bob"),
         .content_type = rig_text("text/plain"),
         .body = rig_text("hi")},
        {.version = 15, .prev_version = 11, .kind = roam_v1_Kind_NOOP},
        {.version = 20,
         .prev_version = 15,
         .msg_id = 900ull << 22 | 7,
         .client_msg_id = 0x1122334455667788ull,
         .cut_size = 5000,
         .conversation = rig_text("carol"),
         .sender = rig_text("alice"),
         .content_type = rig_text("text/plain")},
    };
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        assert_true(roam_unpack_next(&u, &e));
        rig_assert_same_entry(&e, &rows[i]);
    }
    assert_false(roam_unpack_next(&u, &e));
    assert_false(roam_unpack_next(&u, &e));
}

/* ------------------------------------------------------- batches that lie */

#define ID_65                                                                  \
    "6161616161616161616161616161616161616161616161616161616161616161"         \
    "6161616161616161616161616161616161616161616161616161616161616161"         \
    "61"
#define ID_64                                                                  \
    "6161616161616161616161616161616161616161616161616161616161616161"         \
    "6161616161616161616161616161616161616161616161616161616161616161"

struct lie {
    const char *what;
    enum roam_batch_error error;
    unsigned field; /* whose content is replaced */
    unsigned entry; /* of a table */
    const char *hex;
};

#define LETTERS_12 "616161616161616161616161"
#define NAME_48 LETTERS_12 LETTERS_12 LETTERS_12 LETTERS_12

static const struct lie lies[] = {
    /* The columns' own lengths. */
    {"a gap too few", ROAM_BATCH_COUNT, 4, 0, "0003"},
    {"a gap too many", ROAM_BATCH_COUNT, 4, 0, "00030400"},
    {"an empty gap column", ROAM_BATCH_COUNT, 4, 0, ""},
    {"a time too few", ROAM_BATCH_COUNT, 5, 0, "d00f00"},
    {"a time too many", ROAM_BATCH_COUNT, 5, 0, "d00f00c70100"},
    {"an id too few", ROAM_BATCH_COUNT, 6, 0, "0500"},
    {"an id too many", ROAM_BATCH_COUNT, 6, 0, "05000700"},
    {"a conversation too few", ROAM_BATCH_COUNT, 7, 0, "0000"},
    {"a conversation too many", ROAM_BATCH_COUNT, 7, 0, "00000100"},
    {"a sender too few", ROAM_BATCH_COUNT, 8, 0, "0000"},
    {"a sender too many", ROAM_BATCH_COUNT, 8, 0, "00000100"},
    {"a kind too few", ROAM_BATCH_COUNT, 9, 0, "0001"},
    {"a kind too many", ROAM_BATCH_COUNT, 9, 0, "00010000"},
    {"a type too few", ROAM_BATCH_COUNT, 10, 0, "0000"},
    {"a type too many", ROAM_BATCH_COUNT, 10, 0, "00000000"},
    {"a length too few", ROAM_BATCH_COUNT, 11, 0, "0200"},
    {"a length too many", ROAM_BATCH_COUNT, 11, 0, "02000000"},
    {"own rows without ids", ROAM_BATCH_COUNT, 13, 0, NULL},
    {"own ids without rows", ROAM_BATCH_COUNT, 12, 0, NULL},
    {"an own row without id", ROAM_BATCH_COUNT, 12, 0, "0002"},
    {"an own id without row", ROAM_BATCH_COUNT, 13, 0,
     "88776655443322118877665544332211"},
    {"an empty column of own rows", ROAM_BATCH_COUNT, 12, 0, ""},
    {"cut rows without sizes", ROAM_BATCH_COUNT, 15, 0, NULL},
    {"cut sizes without rows", ROAM_BATCH_COUNT, 14, 0, NULL},
    {"a cut size too many", ROAM_BATCH_COUNT, 15, 0, "882701"},
    /* Not a Columns message. */
    {"a value cut short", ROAM_BATCH_COLUMNS, 4, 0, "000384"},
    {"a gap of more than 64 bits", ROAM_BATCH_COLUMNS, 4, 0,
     "ffffffffffffffffff02 03 04"},
    {"a varint of 11 bytes", ROAM_BATCH_COLUMNS, 4, 0,
     "8080808080808080808000 03 04"},
    {"an id of 33 bits", ROAM_BATCH_COLUMNS, 6, 0, "8080808010 00 07"},
    {"a conversation of 33 bits", ROAM_BATCH_COLUMNS, 7, 0, "8080808010 00 01"},
    {"a sender of 33 bits", ROAM_BATCH_COLUMNS, 8, 0, "8080808010 00 01"},
    {"a kind of 33 bits", ROAM_BATCH_COLUMNS, 9, 0, "8080808010 01 00"},
    {"a type of 33 bits", ROAM_BATCH_COLUMNS, 10, 0, "8080808010 00 00"},
    {"a length of 33 bits", ROAM_BATCH_COLUMNS, 11, 0, "8280808010 00 00"},
    {"a cut size of 33 bits", ROAM_BATCH_COLUMNS, 15, 0, "8080808010"},
    {"an own row of 33 bits", ROAM_BATCH_COLUMNS, 12, 0, "8280808010"},
    {"an own id of 7 bytes", ROAM_BATCH_COLUMNS, 13, 0, "88776655443322"},
    {"an own id of 9 bytes", ROAM_BATCH_COLUMNS, 13, 0, "887766554433221100"},
    {"a column twice", ROAM_BATCH_COLUMNS, 23, 0, "82 01 02 6869"},
    {"a column behind the bodies", ROAM_BATCH_COLUMNS, 23, 0, "52 01 00"},
    {"a table behind the bodies", ROAM_BATCH_COLUMNS, 23, 0, "0a 01 61"},
    {"a known field behind an unknown one", ROAM_BATCH_COLUMNS, 23, 0,
     "88 01 00 82 01 00"},
    {"a field cut short", ROAM_BATCH_COLUMNS, 23, 0, "8a 01 05 00"},
    {"field number 0", ROAM_BATCH_COLUMNS, 23, 0, "02 00"},
    {"a group", ROAM_BATCH_COLUMNS, 23, 0, "8b 01 8c 01"},
    /* Tables. */
    {"a conversation past the table", ROAM_BATCH_TABLE, 7, 0, "000002"},
    {"a sender past the table", ROAM_BATCH_TABLE, 8, 0, "020000"},
    {"a type past the table", ROAM_BATCH_TABLE, 10, 0, "000001"},
    {"an empty conversation", ROAM_BATCH_TABLE, 1, 1, ""},
    {"an empty sender", ROAM_BATCH_TABLE, 2, 1, ""},
    {"a conversation of 65 bytes", ROAM_BATCH_TABLE, 1, 0, ID_65},
    {"a sender of 65 bytes", ROAM_BATCH_TABLE, 2, 0, ID_65},
    {"a type of 65 bytes", ROAM_BATCH_TABLE, 3, 0, ID_65},
    {"a conversation that is not UTF-8", ROAM_BATCH_TABLE, 1, 0, "c328"},
    {"a sender that is not UTF-8", ROAM_BATCH_TABLE, 2, 1, "eda080"},
    {"a type that is not UTF-8", ROAM_BATCH_TABLE, 3, 0, "ff"},
    {"a sender with NUL", ROAM_BATCH_TABLE, 2, 1, "610062"},
    {"a message without conversations", ROAM_BATCH_TABLE, 1, 0, NULL},
    {"a message without senders", ROAM_BATCH_TABLE, 2, 0, NULL},
    /* Bodies. */
    {"a body too short", ROAM_BATCH_BODIES, 16, 0, "68"},
    {"bodies left over", ROAM_BATCH_BODIES, 16, 0, "686921"},
    {"no bodies", ROAM_BATCH_BODIES, 16, 0, NULL},
    {"a length past the bodies", ROAM_BATCH_BODIES, 11, 0, "030000"},
    {"no lengths", ROAM_BATCH_BODIES, 11, 0, NULL},
    /* The chain. */
    {"a gap that ends below last_version", ROAM_BATCH_CHAIN, 4, 0, "000303"},
    {"a gap that ends above last_version", ROAM_BATCH_CHAIN, 4, 0, "000305"},
    {"no gaps", ROAM_BATCH_CHAIN, 4, 0, NULL},
    {"the last version before the last row", ROAM_BATCH_CHAIN, 4, 0, "000800"},
    {"a version twice", ROAM_BATCH_CHAIN, 4, 0, "00 ffffffffffffffffff01 08"},
    {"the last version twice", ROAM_BATCH_CHAIN, 4, 0,
     "00 08 ffffffffffffffffff01"},
    {"a version that wraps", ROAM_BATCH_CHAIN, 4, 0,
     "00 03 ffffffffffffffffff01"},
    /* Rows. */
    {"a NOOP with a time", ROAM_BATCH_ROW, 5, 0, "d00f 02 c701"},
    {"a NOOP with an id", ROAM_BATCH_ROW, 6, 0, "050107"},
    {"a NOOP with a conversation", ROAM_BATCH_ROW, 7, 0, "000101"},
    {"a NOOP with a sender", ROAM_BATCH_ROW, 8, 0, "000101"},
    {"a NOOP with a type", ROAM_BATCH_ROW, 10, 0, "000100"},
    {"a NOOP with a body", ROAM_BATCH_ROW, 11, 0, "010100"},
    {"a NOOP that this device sent", ROAM_BATCH_ROW, 12, 0, "01"},
    {"a NOOP that was cut", ROAM_BATCH_ROW, 14, 0, "01"},
    {"a time below 0", ROAM_BATCH_ROW, 5, 0, "d00f 00 d10f"},
    {"a time below 0 at once", ROAM_BATCH_ROW, 5, 0, "01 00 00"},
    {"a time of 42 bits", ROAM_BATCH_ROW, 5, 0, "808080808080 01 00 00"},
    {"a time of 42 bits by two rows", ROAM_BATCH_ROW, 5, 0,
     "feffffffff7f 00 02"},
    {"a time that wraps", ROAM_BATCH_ROW, 5, 0, "d00f 00 feffffffffffffffff01"},
    {"the lowest time delta", ROAM_BATCH_ROW, 5, 0,
     "d00f 00 ffffffffffffffffff01"},
    {"an id of 23 bits", ROAM_BATCH_ROW, 6, 0, "80808002 00 07"},
    {"an own row past the last", ROAM_BATCH_ROW, 12, 0, "03"},
    {"an own row that says no more", ROAM_BATCH_ROW, 12, 0, "ffffffff0f"},
    {"an own id of 0", ROAM_BATCH_ROW, 13, 0, "0000000000000000"},
    {"a cut row past the last", ROAM_BATCH_ROW, 14, 0, "03"},
    {"a cut size of 0", ROAM_BATCH_ROW, 15, 0, "00"},
    {"a body that was cut", ROAM_BATCH_ROW, 14, 0, "00"},
    /* Recalled: row 0 has a body and a type, row 1 is a NOOP. */
    {"a recalled message with a body", ROAM_BATCH_ROW, 17, 0, "00"},
    {"a recalled NOOP", ROAM_BATCH_ROW, 17, 0, "01"},
    {"a recalled row past the last", ROAM_BATCH_ROW, 17, 0, "03"},
    {"recalled rows without a row", ROAM_BATCH_COUNT, 17, 0, ""},
    /* Names, and the state of conversations. */
    {"one name for two conversations", ROAM_BATCH_TABLE, 18, 0, "426f62"},
    {"one name for two senders", ROAM_BATCH_TABLE, 19, 0, "426f62"},
    {"names of conversations that are no text", ROAM_BATCH_TABLE, 23, 0,
     "9201 01 ff 9201 00"},
    {"a name of 49 bytes", ROAM_BATCH_TABLE, 23, 0,
     "9201 31 " NAME_48 "61"
     "9201 00"},
    {"a read mark in a batch", ROAM_BATCH_COLUMNS, 20, 0, "000000"},
    {"unread messages in a batch", ROAM_BATCH_COLUMNS, 21, 0, "000000"},
    {"roles in a batch", ROAM_BATCH_COLUMNS, 22, 0, "000000"},
};

static void test_a_lie_in_the_columns_is_refused_by_its_name(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct columns c = good_columns;
        if (lies[i].field <= 3) {
            c.table[lies[i].field][lies[i].entry] = lies[i].hex;
        } else if (lies[i].field <= 22) {
            c.column[lies[i].field] = lies[i].hex;
        } else {
            c.tail = lies[i].hex;
        }
        enum roam_batch_error error = open_columns(&c);
        if (error != lies[i].error) {
            fail_msg("%s: error %d, not %d", lies[i].what, (int)error,
                     (int)lies[i].error);
        }
        seen |= 1u << error;
    }
    assert_int_equal(seen, 1u << ROAM_BATCH_COLUMNS | 1u << ROAM_BATCH_COUNT |
                               1u << ROAM_BATCH_TABLE |
                               1u << ROAM_BATCH_BODIES |
                               1u << ROAM_BATCH_CHAIN | 1u << ROAM_BATCH_ROW);
}

/* The other side of the bounds above. */
static void test_what_only_looks_like_a_lie_is_read(void **state)
{
    (void)state;
    static const struct lie truths[] = {
        {"as it is", ROAM_BATCH_OK, 23, 0, NULL},
        {"a type column of zeros", ROAM_BATCH_OK, 10, 0, "000000"},
        {"a conversation of 64 bytes", ROAM_BATCH_OK, 1, 0, ID_64},
        {"a sender of 64 bytes", ROAM_BATCH_OK, 2, 0, ID_64},
        {"a type of 64 bytes", ROAM_BATCH_OK, 3, 0, ID_64},
        {"an empty type", ROAM_BATCH_OK, 3, 0, ""},
        {"no types, index 0", ROAM_BATCH_OK, 3, 0, NULL},
        {"varints longer than needed", ROAM_BATCH_OK, 4, 0,
         "8000 8380808080808080 8000 04"},
        {"the highest id", ROAM_BATCH_OK, 6, 0, "ffffff01 00 07"},
        {"the highest time", ROAM_BATCH_OK, 5, 0, "feffffffff7f 00 00"},
        {"the time back to 0", ROAM_BATCH_OK, 5, 0, "d00f 00 cf0f"},
        {"an unknown kind", ROAM_BATCH_OK, 9, 0, "00 01 ffffffff0f"},
        {"names of 48 bytes and of none", ROAM_BATCH_OK, 23, 0,
         "9201 30 " NAME_48 "9201 00 9a01 00 9a01 01 61"},
        {"unknown fields behind the columns", ROAM_BATCH_OK, 23, 0,
         "b8 01 05 c1 01 0102030405060708 ca 01 01 ff d5 01 01020304"},
    };
    for (size_t i = 0; i < sizeof truths / sizeof truths[0]; i++) {
        struct columns c = good_columns;
        if (truths[i].field <= 3) {
            c.table[truths[i].field][truths[i].entry] = truths[i].hex;
        } else if (truths[i].field <= 22) {
            c.column[truths[i].field] = truths[i].hex;
        } else {
            c.tail = truths[i].hex;
        }
        enum roam_batch_error error = open_columns(&c);
        if (error != ROAM_BATCH_OK) {
            fail_msg("%s: error %d", truths[i].what, (int)error);
        }
    }
}

static void test_own_and_cut_rows_must_rise(void **state)
{
    (void)state;
    struct columns c = good_columns;
    c.column[13] = "01000000000000000200000000000000";
    c.column[12] = "0002";
    assert_int_equal(open_columns(&c), ROAM_BATCH_OK);
    c.column[12] = "0200";
    assert_int_equal(open_columns(&c), ROAM_BATCH_ROW);
    c.column[12] = "0202";
    assert_int_equal(open_columns(&c), ROAM_BATCH_ROW);

    c = good_columns;
    c.column[11] = NULL;
    c.column[16] = NULL;
    c.column[15] = "0102";
    c.column[14] = "0002";
    assert_int_equal(open_columns(&c), ROAM_BATCH_OK);
    c.column[14] = "0200";
    assert_int_equal(open_columns(&c), ROAM_BATCH_ROW);
    c.column[14] = "0202";
    assert_int_equal(open_columns(&c), ROAM_BATCH_ROW);
}

static void test_a_table_longer_than_the_batch_is_refused(void **state)
{
    (void)state;
    struct columns c = good_columns;
    c.tail = NULL;
    struct wire_out extra = {.len = 0};
    struct wire_out out = {.len = 0};
    struct roam_message m;
    put_columns(&out, &c);
    /* Two more in front: four for three rows. */
    wire_put_bytes(&extra, 1, "x", 1);
    wire_put_raw(&extra, out.bytes, out.len);
    plain_batch(&m, &extra);
    assert_int_equal(open_exact(&m, 0, 4096), ROAM_BATCH_OK);
    struct wire_out more = {.len = 0};
    wire_put_bytes(&more, 1, "y", 1);
    wire_put_raw(&more, extra.bytes, extra.len);
    plain_batch(&m, &more);
    assert_int_equal(open_exact(&m, 0, 4096), ROAM_BATCH_TABLE);
}

static void test_a_table_entry_has_a_length_of_one_byte(void **state)
{
    (void)state;
    struct wire_out out = {.len = 0};
    struct roam_message m;
    wire_put_hex(&out, "0a 8300 626f62 12 03 626f62");
    struct columns c = good_columns;
    memset(c.table, 0, sizeof c.table);
    put_columns(&out, &c);
    plain_batch(&m, &out);
    assert_int_equal(open_exact(&m, 0, 4096), ROAM_BATCH_TABLE);
}

static void test_numbers_that_are_not_packed_are_refused(void **state)
{
    (void)state;
    for (uint32_t n = 1; n <= 16; n++) {
        struct wire_out out = {.len = 0};
        struct roam_message m;
        wire_put_number(&out, n, 1);
        plain_batch(&m, &out);
        assert_int_equal(open_exact(&m, 0, 4096), ROAM_BATCH_COLUMNS);
    }
}

static void test_a_message_id_of_0_is_refused(void **state)
{
    (void)state;
    struct columns c = good_columns;
    c.column[5] = "00 00 02";
    c.column[6] = "01 00 00";
    assert_int_equal(open_columns(&c), ROAM_BATCH_OK);
    c.column[6] = "00 00 01";
    assert_int_equal(open_columns(&c), ROAM_BATCH_ROW);
}

static void test_columns_cut_inside_a_field_are_refused(void **state)
{
    (void)state;
    struct wire_out out = {.len = 0};
    struct roam_message m;
    put_columns(&out, &good_columns);
    struct roam_slice rest = wire_slice(&out);
    unsigned refused = 0;
    while (rest.len != 0) {
        size_t start = out.len - rest.len;
        struct roam__field f;
        assert_true(roam__wire_field(&rest, &f));
        struct wire_out prefix = out;
        for (prefix.len = start + 1; prefix.len < out.len - rest.len;
             prefix.len++) {
            plain_batch(&m, &prefix);
            assert_int_equal(open_exact(&m, 0, 4096), ROAM_BATCH_COLUMNS);
            refused++;
        }
    }
    assert_true(refused > 50);
}

static void test_a_count_that_lies_is_refused(void **state)
{
    (void)state;
    struct wire_out out = {.len = 0};
    struct roam_message m;
    put_columns(&out, &good_columns);
    static const uint32_t counts[] = {1, 2, 4, 5, UINT32_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        plain_batch(&m, &out);
        m.u.batch.count = counts[i];
        assert_int_not_equal(open_exact(&m, 0, 4096), ROAM_BATCH_OK);
    }
}

static void test_versions_end_at_the_bound_and_not_above(void **state)
{
    (void)state;
    struct columns c = good_columns;
    struct wire_out out = {.len = 0};
    struct roam_message m;
    c.column[4] = "00 00 00";
    put_columns(&out, &c);
    plain_batch(&m, &out);
    m.u.batch.prev_version = ROAM_VERSION_MAX - 3;
    m.u.batch.last_version = ROAM_VERSION_MAX;
    assert_int_equal(open_exact(&m, 0, 4096), ROAM_BATCH_OK);
    m.u.batch.prev_version++;
    assert_int_equal(open_exact(&m, 0, 4096), ROAM_BATCH_CHAIN);
}

/* ------------------------------------------------------------- compression */

/* Raw deflate of in, on the heap. */
static uint8_t *deflated(struct roam_slice in, size_t *len)
{
    z_stream z;
    memset(&z, 0, sizeof z);
    assert_int_equal(
        deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    *len = deflateBound(&z, (uLong)in.len);
    uint8_t *out = malloc(*len);
    assert_non_null(out);
    z.next_in = (Bytef *)(uintptr_t)in.data;
    z.avail_in = (uInt)in.len;
    z.next_out = out;
    z.avail_out = (uInt)*len;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    *len = z.total_out;
    assert_int_equal(deflateEnd(&z), Z_OK);
    return out;
}

static void deflated_good_batch(struct roam_message *m, uint8_t **payload)
{
    struct wire_out out = {.len = 0};
    put_columns(&out, &good_columns);
    plain_batch(m, &out);
    *payload = deflated(wire_slice(&out), &m->body.len);
    m->body.data = *payload;
    m->u.batch.codec = roam_v1_Codec_CODEC_DEFLATE;
}

static void test_a_codec_that_was_not_offered_is_refused(void **state)
{
    (void)state;
    struct roam_message m;
    uint8_t *payload;
    deflated_good_batch(&m, &payload);
    assert_int_equal(open_exact(&m, DEFLATE_BIT, 4096), ROAM_BATCH_OK);
    assert_int_equal(open_exact(&m, 0, 4096), ROAM_BATCH_CODEC);
    assert_int_equal(open_exact(&m, ~DEFLATE_BIT, 4096), ROAM_BATCH_CODEC);
    m.u.batch.codec = (roam_v1_Codec)2;
    assert_int_equal(open_exact(&m, UINT32_MAX, 4096), ROAM_BATCH_CODEC);
    m.u.batch.codec = (roam_v1_Codec)33; /* bit 33 mod 32 is DEFLATE's */
    assert_int_equal(open_exact(&m, UINT32_MAX, 4096), ROAM_BATCH_CODEC);
    free(payload);
}

static void test_a_size_that_lies_is_refused(void **state)
{
    (void)state;
    struct roam_message m;
    uint8_t *payload;
    deflated_good_batch(&m, &payload);
    uint32_t size = m.u.batch.inflated_size;
    assert_int_equal(open_exact(&m, DEFLATE_BIT, size), ROAM_BATCH_OK);
    assert_int_equal(open_exact(&m, DEFLATE_BIT, size - 1), ROAM_BATCH_SIZE);
    m.u.batch.inflated_size = size - 1;
    assert_int_equal(open_exact(&m, DEFLATE_BIT, 4096), ROAM_BATCH_SIZE);
    m.u.batch.inflated_size = size + 1;
    assert_int_equal(open_exact(&m, DEFLATE_BIT, 4096), ROAM_BATCH_SIZE);
    free(payload);

    struct wire_out out = {.len = 0};
    put_columns(&out, &good_columns);
    plain_batch(&m, &out);
    assert_int_equal(open_exact(&m, 0, out.len), ROAM_BATCH_OK);
    assert_int_equal(open_exact(&m, 0, out.len - 1), ROAM_BATCH_SIZE);
    m.u.batch.inflated_size++;
    assert_int_equal(open_exact(&m, 0, 4096), ROAM_BATCH_SIZE);
    m.u.batch.inflated_size -= 2;
    assert_int_equal(open_exact(&m, 0, 4096), ROAM_BATCH_SIZE);
}

static void test_a_broken_stream_is_refused(void **state)
{
    (void)state;
    struct roam_message m;
    uint8_t *payload;
    deflated_good_batch(&m, &payload);
    m.body.len--;
    assert_int_equal(open_exact(&m, DEFLATE_BIT, 4096), ROAM_BATCH_INFLATE);
    m.body.len++;
    struct wire_out trailing = {.len = 0};
    wire_put_raw(&trailing, m.body.data, m.body.len);
    wire_put_raw(&trailing, "", 1);
    m.body = wire_slice(&trailing);
    assert_int_equal(open_exact(&m, DEFLATE_BIT, 4096), ROAM_BATCH_INFLATE);
    free(payload);
}

/* 1,000 bytes that inflate to a million; the buffer is the bound, whatever
 * is declared. */
static void test_a_deflate_bomb_writes_no_byte_too_many(void **state)
{
    (void)state;
    enum {
        BOMB = 1000000,
        CAP = 1024
    };
    uint8_t *zeros = calloc(1, BOMB);
    assert_non_null(zeros);
    size_t len;
    struct roam_slice in = {zeros, BOMB};
    uint8_t *payload = deflated(in, &len);
    assert_true(len < 2000);
    struct roam_message m;
    roam_message_init(&m, ROAM_BATCH);
    m.u.batch.last_version = 1;
    m.u.batch.count = 1;
    m.u.batch.codec = roam_v1_Codec_CODEC_DEFLATE;
    m.body.data = payload;
    m.body.len = len;
    static const uint32_t declared[] = {1, 1000, CAP};
    for (size_t i = 0; i < sizeof declared / sizeof declared[0]; i++) {
        m.u.batch.inflated_size = declared[i];
        assert_int_equal(open_exact(&m, DEFLATE_BIT, CAP), ROAM_BATCH_SIZE);
    }
    m.u.batch.inflated_size = CAP + 1;
    assert_int_equal(open_exact(&m, DEFLATE_BIT, CAP), ROAM_BATCH_SIZE);
    free(payload);
    free(zeros);
}

static void test_the_unpacker_counts_a_tables_texts_too(void **state)
{
    (void)state;
    for (uint32_t texts = 1023; texts <= 1025; texts++) {
        struct wire_out out = {.len = 0};
        for (uint32_t i = 0; i < texts; i++) {
            wire_put_bytes(&out, 2, "x", 1);
        }
        struct wire_out kinds = {.len = 0};
        for (uint32_t i = 0; i < 1100; i++) {
            wire_put_varint(&kinds, roam_v1_Kind_NOOP);
        }
        wire_put_bytes(&out, 9, kinds.bytes, kinds.len);
        struct roam_message m;
        plain_batch(&m, &out);
        m.u.batch.count = 1100;
        m.u.batch.last_version = GOOD_PREV + 1100;
        assert_int_equal(open_exact(&m, 0, sizeof out.bytes),
                         texts <= 1024 ? ROAM_BATCH_OK : ROAM_BATCH_TABLE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_batch_built_by_hand_is_read),
        cmocka_unit_test(test_a_lie_in_the_columns_is_refused_by_its_name),
        cmocka_unit_test(test_what_only_looks_like_a_lie_is_read),
        cmocka_unit_test(test_own_and_cut_rows_must_rise),
        cmocka_unit_test(test_a_table_longer_than_the_batch_is_refused),
        cmocka_unit_test(test_a_table_entry_has_a_length_of_one_byte),
        cmocka_unit_test(test_numbers_that_are_not_packed_are_refused),
        cmocka_unit_test(test_a_message_id_of_0_is_refused),
        cmocka_unit_test(test_columns_cut_inside_a_field_are_refused),
        cmocka_unit_test(test_a_count_that_lies_is_refused),
        cmocka_unit_test(test_versions_end_at_the_bound_and_not_above),
        cmocka_unit_test(test_a_codec_that_was_not_offered_is_refused),
        cmocka_unit_test(test_a_size_that_lies_is_refused),
        cmocka_unit_test(test_a_broken_stream_is_refused),
        cmocka_unit_test(test_a_deflate_bomb_writes_no_byte_too_many),
        cmocka_unit_test(test_the_unpacker_counts_a_tables_texts_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
