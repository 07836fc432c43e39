/* SPDX-License-Identifier: Apache-2.0 */
/* What the judge says of the rows of a batch or a page, to the letter, and what
 * it says nothing of: each bound from both sides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "batch_check.h"
#include "judge_rig.h"
#include "row_state.h"

/* What SYNC, or the question of a page, allows here. */
#define MAX_INFLATED 300u
#define MAX_ROWS 3u

#define ONE "prev_version=4 last_version=5 count=1"
#define TWO "prev_version=4 last_version=6 count=2"
#define BOB "1:bob 2:bob 6=5 "
#define TEXT_0 "BATCH-1: entry 0 of "
#define ZEROS "BATCH-1: a column of zeros is there"
#define VALUES " has 2 values for 1 rows"
#define RISING " is no list of rising rows"
#define BESIDE "BATCH-1: a NOOP has a value beside its kind"
#define SPARSE "BATCH-1: a NOOP has own, cut or recalled values"
#define INDEX "BATCH-1: an index is past the end of its table"
#define RANGE "BATCH-1: a msg_id is out of range"
#define STATE "BATCH-1: a batch tells the state of conversations"
#define TWICE "length of a table entry has more than one byte"

static const struct table {
    const char *head, *columns, *says;
} batches[] = {
    {ONE, BOB, ""},
    {ONE " codec=DEFLATE", BOB, "BATCH-5: the deflate stream is broken"},
    {ONE " codec=2", BOB, "BATCH-2: its codec was not offered"},
    {ONE " inflated_size=300", BOB,
     "BATCH-2: without codec the payload is inflated_size long"},
    {ONE " inflated_size=301", BOB,
     "BATCH-2: inflated_size is above max_inflated"},
    {"count=100000", BOB,
     "BATCH-1: column id_rest has 1 values for 100000 rows"},
    {"count=100001", BOB, "ACK-3: count is above any window"},
    {"prev_version=4 last_version=6 count=1", BOB,
     "BATCH-1: the rows do not lead to last_version"},
    /* ------------------------------------------------------------- order */
    {ONE, "2:bob 1:bob 6=5", "BATCH-1: columns out of order"},
    {ONE, BOB "6=5", "BATCH-1: column 6 is there twice"},
    {ONE, "1:bob 2:bob 6#5", "BATCH-1: column 6 is not packed"},
    {ONE, "1;bob 2:bob 6=5", "BATCH-1: the " TWICE},
    {ONE, BOB "18;bob", "BATCH-1: the " TWICE},
    {ONE, "0#5", "BATCH-1: the columns are not a proto3 message"},
    {ONE, BOB "13:abc", "BATCH-1: the columns are not Columns"},
    /* ------------------------------------------------------------ tables */
    {ONE, "1:a 1:b 2:bob 6=5",
     "BATCH-10: 2 entries in conversations for 1 rows"},
    {ONE, "1:bob 2:a 2:b 6=5", "BATCH-10: 2 entries in senders for 1 rows"},
    {ONE, "1:bob 2:bob 3:a 3:b 6=5",
     "BATCH-10: 2 entries in content_types for 1 rows"},
    {ONE, "1:" NAME64 " 2:" NAME64 " 3:" NAME64 " 6=5", ""},
    {ONE, "1: 2:bob 6=5", TEXT_0 "conversations is no legal text"},
    {ONE, "1:bob 2: 6=5", TEXT_0 "senders is no legal text"},
    {ONE, "1:bob 2:bob 3: 6=5", ""},
    {ONE, "1:" NAME64 "n 2:bob 6=5", TEXT_0 "conversations is no legal text"},
    {ONE, "1:bob 2:" NAME64 "n 6=5", TEXT_0 "senders is no legal text"},
    {ONE, "1:bob 2:bob 3:" NAME64 "n 6=5",
     TEXT_0 "content_types is no legal text"},
    {ONE, "1:bob 2:\xff 6=5", TEXT_0 "senders is no legal text"},
    {ONE, BOB "18:" NAME48 " 19:" NAME48, ""},
    {ONE, BOB "18:" NAME48 "n", TEXT_0 "conversation_names is no legal text"},
    {ONE, BOB "19:" NAME48 "n", TEXT_0 "sender_names is no legal text"},
    {ONE, BOB "18:a 18:b",
     "BATCH-1: 2 entries in conversation_names for 1 in its table"},
    {ONE, BOB "19:a 19:b",
     "BATCH-1: 2 entries in sender_names for 1 in its table"},
    {ONE, BOB "18:", "BATCH-1: conversation_names are all empty"},
    {ONE, BOB "19:", "BATCH-1: sender_names are all empty"},
    /* ----------------------------------------------------------- columns */
    {ONE, "1:bob 2:bob 4=1,1 6=5", "BATCH-1: column version_gap" VALUES},
    {ONE, "1:bob 2:bob 5=2,2 6=5", "BATCH-1: column time_delta" VALUES},
    {ONE, "1:bob 2:bob 6=5,5", "BATCH-1: column id_rest" VALUES},
    {ONE, BOB "7=1,1", "BATCH-1: column conversation" VALUES},
    {ONE, BOB "8=1,1", "BATCH-1: column sender" VALUES},
    {ONE, BOB "9=2,2", "BATCH-1: column kind" VALUES},
    {ONE, BOB "10=1,1", "BATCH-1: column content_type" VALUES},
    {ONE, BOB "11=1,1", "BATCH-1: column body_length" VALUES},
    {ONE, BOB "20=1,1", "BATCH-1: column read_mark" VALUES},
    {ONE, BOB "21=1,1", "BATCH-1: column unread" VALUES},
    {ONE, BOB "22=1,1", "BATCH-1: column role" VALUES},
    {ONE, "1:bob 2:bob 4=0 6=5", ZEROS},
    {ONE, "1:bob 2:bob 5=0 6=5", ZEROS},
    {ONE, "1:bob 2:bob 6=0", ZEROS},
    {ONE, BOB "7=0", ZEROS},
    {ONE, BOB "8=0", ZEROS},
    {ONE, BOB "9=0", ZEROS},
    {ONE, BOB "10=0", ZEROS},
    {ONE, BOB "11=0", ZEROS},
    {ONE, BOB "20=0", ZEROS},
    {ONE, BOB "21=0", ZEROS},
    {ONE, BOB "22=0", ZEROS},
    {ONE, BOB "12=0 13~7", ""},
    {ONE, BOB "12=1 13~7", "BATCH-1: own_row" RISING},
    {ONE, BOB "12=0,0 13~7,8", "BATCH-1: own_row" RISING},
    {ONE, BOB "12=0", "BATCH-1: own_row" RISING},
    {ONE, BOB "12=0 13~0", "BATCH-1: own_client_msg_id is 0"},
    {ONE, BOB "14=0 15=7", ""},
    {ONE, BOB "14=1 15=7", "BATCH-1: cut_row" RISING},
    {ONE, BOB "14=0,0 15=7,8", "BATCH-1: cut_row" RISING},
    {ONE, BOB "14=0", "BATCH-1: cut_row" RISING},
    {ONE, BOB "14=0 15=0", "BATCH-1: a cut row has a body or no size"},
    {ONE, BOB "11=1 14=0 15=7 16:a",
     "BATCH-1: a cut row has a body or no size"},
    {ONE, BOB "17=0", ""},
    {ONE, BOB "17=1", "BATCH-1: recalled_row" RISING},
    {ONE, BOB "17=0,0", "BATCH-1: recalled_row" RISING},
    {ONE, BOB "20=1", STATE},
    {ONE, BOB "21=1", STATE},
    {ONE, BOB "22=1", STATE},
    /* -------------------------------------------------------------- rows */
    {TWO, "1:bob 2:bob 5=2,0 6=5,6", ""},
    {"prev_version=4 last_version=7 count=2", "1:bob 2:bob 4=0,1 5=2,0 6=5,6",
     ""},
    {"prev_version=0x7ffffffffffffffe last_version=" MOST " count=1", BOB, ""},
    {"prev_version=" MOST " last_version=" MOST " count=1", BOB,
     "CHAIN-1: a version is above 2^63-1"},
    {ONE, "9=1", ""},
    {ONE, "5=2 9=1", "BATCH-1: a NOOP has a time_delta"},
    {ONE, "6=5 9=1", BESIDE},
    {ONE, "7=1 9=1", BESIDE},
    {ONE, "8=1 9=1", BESIDE},
    {ONE, "9=1 10=1", BESIDE},
    {ONE, "9=1 11=1", BESIDE},
    {ONE, "9=1 12=0 13~7", SPARSE},
    {ONE, "9=1 14=0 15=7", SPARSE},
    {ONE, "9=1 17=0", SPARSE},
    {ONE, BOB "9=7", ""},
    {ONE, BOB "9=8", "BATCH-1: a kind that Roam 1 does not have"},
    {ONE, BOB "7=1", INDEX},
    {ONE, BOB "8=1", INDEX},
    {ONE, BOB "10=1", INDEX},
    {ONE, "1:bob 2:bob 3:text 6=5 10=1", INDEX},
    {ONE, "2:bob 6=5", INDEX},
    {ONE, "1:bob 6=5", INDEX},
    {ONE, "1:bob 2:bob 6=0x3fffff", ""},
    {ONE, "1:bob 2:bob 6=0x400000", RANGE},
    {ONE, "1:bob 2:bob 5=0x3fffffffffe", ""},
    {ONE, "1:bob 2:bob 5=0x40000000000", RANGE},
    {ONE, "1:bob 2:bob 5=1", RANGE},
    {ONE, "1:bob 2:bob", "BATCH-1: a msg_id is 0"},
    {ONE, BOB "11=2 16:ab", ""},
    {ONE, BOB "11=3 16:ab", "BATCH-1: bodies are shorter than their lengths"},
    {ONE, BOB "11=1 16:ab", "BATCH-1: bytes behind the last body"},
};

/* The frame with the columns as its payload, and their size unless the head
 * tells another. */
static const struct frame *table_frame(const char *type, const struct table *t)
{
    size_t len = rig_bytes(t->columns).len;
    bool own_size = strstr(t->head, "inflated_size") != NULL;
    return rig_frame(arena_printf(
        "%s %s%s payload={%s}", type, t->head,
        own_size ? "" : arena_printf(" inflated_size=%zu", len), t->columns));
}

static void test_of_a_batch(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        const struct frame *f = table_frame("BATCH", &batches[i]);
        struct batch_rows rows;
        struct batch_fault fault = {NULL, NULL};
        bool good =
            batch_expand((const Roam__V1__Batch *)f->msg, MAX_INFLATED,
                         1u << ROAM__V1__CODEC__CODEC_DEFLATE, &rows, &fault);
        rig_expect(batches[i].columns, good, fault.rule, fault.what,
                   batches[i].says);
    }
}

/* A codec that was not offered, though it is known. */
static void test_of_a_batch_that_nobody_asked_to_deflate(void **state)
{
    (void)state;
    const struct table t = {ONE " codec=DEFLATE", BOB, ""};
    const struct frame *f = table_frame("BATCH", &t);
    struct batch_rows rows;
    struct batch_fault fault = {NULL, NULL};
    bool good = batch_expand((const Roam__V1__Batch *)f->msg, MAX_INFLATED, 0,
                             &rows, &fault);
    rig_expect("codecs=0", good, fault.rule, fault.what,
               "BATCH-2: its codec was not offered");
}

#define NO_HISTORY "HIST-1: a row of a page is no history"
#define NO_STATE "BATCH-1: a page of messages tells the state of conversations"

static const struct page {
    bool of_conversations;
    struct table t;
} pages[] = {
    {false, {"count=1", BOB, ""}},
    {false, {"count=0", "", ""}},
    {false,
     {"count=1 codec=2", BOB, "FRAME-1: the page's codec was not offered"}},
    {false,
     {"count=1 inflated_size=300", BOB,
      "BATCH-2: without codec the payload is inflated_size long"}},
    {false,
     {"count=1 inflated_size=301", BOB,
      "LIMIT-1: inflated_size is above max_inflated"}},
    {false, {"count=3", "1:bob 2:bob 6=5,6,7", ""}},
    {false,
     {"count=4", "1:bob 2:bob 6=5,6,7,8",
      "LIMIT-1: a page of more than max_rows rows"}},
    {false,
     {"count=1", "1:bob 2:bob 4=1 6=5", "BATCH-1: a page has version_gap"}},
    {false, {"count=1", BOB "20=1", NO_STATE}},
    {false, {"count=1", BOB "21=1", NO_STATE}},
    {false, {"count=1", BOB "22=1", NO_STATE}},
    {true, {"count=1", BOB "20=1 21=1 22=1", ""}},
    {false, {"count=1", "9=1", NO_HISTORY}},
    {false, {"count=1", BOB "9=2", ""}},
    {false, {"count=1", BOB "9=3", ""}},
    {false, {"count=1", BOB "9=4", NO_HISTORY}},
    {false, {"count=1", BOB "9=7", NO_HISTORY}},
};

static void test_of_a_page(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        const struct page *p = &pages[i];
        const struct frame *f = table_frame("HISTORY_PAGE", &p->t);
        const Roam__V1__HistoryPage *m = (const Roam__V1__HistoryPage *)f->msg;
        const struct page_head head = {p->of_conversations, m->count,
                                       m->inflated_size, m->codec, &m->payload};
        struct batch_rows rows;
        struct batch_fault fault = {NULL, NULL};
        bool good =
            page_expand(&head, MAX_ROWS, MAX_INFLATED,
                        1u << ROAM__V1__CODEC__CODEC_DEFLATE, &rows, &fault);
        rig_expect(p->t.columns, good, fault.rule, fault.what, p->t.says);
    }
}

/* The batch that every bound of the table is about: 1,024 entries. */
static void test_of_a_table_of_a_batch(void **state)
{
    (void)state;
    for (size_t n = 1024; n <= 1025; n++) {
        struct text columns = {0};
        for (size_t i = 0; i < n; i++) {
            text_add(&columns, "1:%zu ", i);
        }
        text_add(&columns, "2:bob 6=5");
        for (size_t i = 1; i < n; i++) {
            text_add(&columns, ",5");
        }
        text_add(&columns, " 7=0");
        for (size_t i = 1; i < n; i++) {
            text_add(&columns, ",%zu", i);
        }
        const struct table t = {
            arena_printf("last_version=%zu count=%zu", n, n),
            text_str(&columns), ""};
        const struct frame *f = table_frame("BATCH", &t);
        struct batch_rows rows;
        struct batch_fault fault = {NULL, NULL};
        bool good = batch_expand((const Roam__V1__Batch *)f->msg, 1u << 20, 0,
                                 &rows, &fault);
        rig_expect("many conversations", good, fault.rule, fault.what,
                   n == 1024
                       ? ""
                       : "BATCH-10: 1025 entries in conversations for 1025 "
                         "rows");
    }
}

static void test_of_the_state_of_a_conversation(void **state)
{
    (void)state;
    const struct table t = {"count=1", BOB "20=7 21=8 22=3", ""};
    const struct frame *f = table_frame("HISTORY_PAGE", &t);
    const Roam__V1__HistoryPage *m = (const Roam__V1__HistoryPage *)f->msg;
    const struct page_head head = {true, m->count, m->inflated_size, m->codec,
                                   &m->payload};
    struct batch_rows rows;
    struct batch_fault fault = {NULL, NULL};
    assert_true(page_expand(&head, 1, MAX_INFLATED, 0, &rows, &fault));
    assert_int_equal(row_state_get(rows.states, "read_mark").number, 7);
    assert_int_equal(row_state_get(rows.states, "unread").number, 8);
    assert_int_equal(row_state_get(rows.states, "role").number, 3);
    assert_non_null(row_state_find("role"));
    assert_null(row_state_find("kind"));
}

/* What the deflate stream of a batch can be but whole. */
static void test_of_a_stream(void **state)
{
    (void)state;
    static const struct {
        const char *tail, *says;
        int size; /* beside the real one */
    } streams[] = {
        {"", "", 0},
        {"", "BATCH-5: it does not inflate to inflated_size", -1},
        {"", "BATCH-5: it inflates to more than inflated_size", -2},
        {"", "BATCH-5: it does not inflate to inflated_size", 1},
        {"00", "BATCH-5: bytes behind the deflate stream", 0},
    };
    const struct text plain = rig_bytes(BOB);
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        /* One stored block: its length, and the same with all bits turned. */
        struct text hex = {0};
        text_add(&hex, "01%02x00%02xff", (unsigned)plain.len,
                 (unsigned)(0xff - plain.len));
        for (size_t k = 0; k < plain.len; k++) {
            text_add(&hex, "%02x", (unsigned)(uint8_t)plain.s[k]);
        }
        const char *line = arena_printf(
            "BATCH " ONE " codec=DEFLATE inflated_size=%d payload=hex(%s%s)",
            (int)plain.len + streams[i].size, text_str(&hex), streams[i].tail);
        struct batch_rows rows;
        struct batch_fault fault = {NULL, NULL};
        bool good = batch_expand(
            (const Roam__V1__Batch *)rig_frame(line)->msg, MAX_INFLATED,
            1u << ROAM__V1__CODEC__CODEC_DEFLATE, &rows, &fault);
        rig_expect(line, good, fault.rule, fault.what, streams[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_a_batch),
        cmocka_unit_test(test_of_a_batch_that_nobody_asked_to_deflate),
        cmocka_unit_test(test_of_a_page),
        cmocka_unit_test(test_of_the_state_of_a_conversation),
        cmocka_unit_test(test_of_a_stream),
        cmocka_unit_test(test_of_a_table_of_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
