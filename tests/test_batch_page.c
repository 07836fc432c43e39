/* SPDX-License-Identifier: Apache-2.0 */
/* Pages: what is packed comes out the same, within its limits to the byte,
 * and a page in the wrong order is refused before its first row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "batch.h"
#include "entry_rig.h"

#define DEFLATE_BIT (1u << roam_v1_Codec_CODEC_DEFLATE)

enum {
    ROWS = 1200,
    ROOM = 1 << 20
};

static const uint8_t types[] = {ROAM_HISTORY_PAGE, ROAM_CONVERSATION_PAGE};

static struct roam_entry rows[ROWS];
static char names[ROWS][16];
static char bodies[ROWS][64];
static uint8_t buf[ROOM];

/* Rows as a page of that type has them: 3 in a millisecond. */
static void make_rows(uint8_t type)
{
    memset(rows, 0, sizeof rows);
    for (size_t i = 0; i < ROWS; i++) {
        size_t k = type == ROAM_HISTORY_PAGE ? i : ROWS - 1 - i;
        struct roam_entry *e = &rows[i];
        snprintf(names[i], sizeof names[i], "peer %04u", (unsigned)k);
        snprintf(bodies[i], sizeof bodies[i], "body %u %.*s", (unsigned)(k * 7),
                 (int)(k % 30), "and on and on and on and on and");
        e->msg_id = (uint64_t)(1000 + k / 3) << ROAM_MSG_ID_TIME_SHIFT;
        e->msg_id += type == ROAM_HISTORY_PAGE ? k % 3 : 0;
        e->conversation =
            rig_text(type == ROAM_HISTORY_PAGE ? "bob" : names[i]);
        e->sender = rig_text(k % 2 == 0 ? "bob" : "alice");
        e->content_type = rig_text(k % 5 == 0 ? "text/plain" : "");
        e->client_msg_id = k % 4 == 0 ? k + 1 : 0;
        e->cut_size = k % 9 == 8 ? 5000 : 0;
        e->body = e->cut_size != 0 ? rig_text("") : rig_text(bodies[i]);
        e->sender_name = rig_text(k % 2 == 0 ? "Bob" : "");
        if (k % 7 == 3) {
            e->recalled = true;
            e->content_type = rig_text("");
            e->cut_size = 0;
            e->body = rig_text("");
        }
        if (type == ROAM_CONVERSATION_PAGE) {
            e->read_mark = k % 3 == 0 ? 0 : e->msg_id - k;
            e->unread = (uint32_t)k % 4;
            e->role = (uint32_t)k % 5;
        }
    }
}

static uint32_t size_told(const struct roam_message *m)
{
    return m->type == ROAM_HISTORY_PAGE ? m->u.history_page.inflated_size
                                        : m->u.conversation_page.inflated_size;
}

/* A page with fields of its own that are as wide as they get. */
static void widest_page(struct roam_message *m, uint8_t type)
{
    roam_message_init(m, type);
    if (type == ROAM_HISTORY_PAGE) {
        m->u.history_page.ref = UINT64_MAX;
        m->u.history_page.more = true;
    } else {
        m->u.conversation_page.ref = UINT64_MAX;
        m->u.conversation_page.more = true;
        m->u.conversation_page.as_of = ROAM_VERSION_MAX;
    }
}

static void assert_same_rows(const struct roam_message *m, size_t first,
                             size_t count, uint32_t codecs)
{
    struct roam_unpack u;
    struct roam_entry e;
    assert_int_equal(
        roam_unpack_open_page(&u, m, (uint32_t)count, codecs, buf, sizeof buf),
        ROAM_BATCH_OK);
    for (size_t i = 0; i < count; i++) {
        assert_true(roam_unpack_next(&u, &e));
        rig_assert_same_entry(&e, &rows[first + i]);
    }
    assert_false(roam_unpack_next(&u, &e));
}

static void test_pages_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct roam_packer *p = roam_packer_new();
    assert_non_null(p);
    for (size_t t = 0; t < 2; t++) {
        make_rows(types[t]);
        for (uint32_t codecs = 0; codecs <= DEFLATE_BIT; codecs += 2) {
            const struct roam_pack_limits limits = {2000, 4000, codecs};
            size_t at = 0;
            while (at < ROWS) {
                struct roam_message m;
                widest_page(&m, types[t]);
                size_t packed =
                    roam_page_pack(p, rows + at, ROWS - at, &limits, &m);
                assert_true(packed >= 1 && packed <= ROWS - at);
                assert_true(roam_message_size(&m) <=
                            2000 + ROAM_FRAME_HEADER_BYTES);
                assert_true(size_told(&m) <= 4000);
                assert_same_rows(&m, at, packed, codecs);
                at += packed;
            }
        }
    }
    roam_packer_free(p);
}

static void test_limits_of_a_page_are_exact(void **state)
{
    (void)state;
    struct roam_packer *p = roam_packer_new();
    assert_non_null(p);
    for (size_t t = 0; t < 2; t++) {
        make_rows(types[t]);
        for (size_t count = 20; count <= 1000; count += 49) {
            struct roam_pack_limits limits = {ROOM, ROOM, 0};
            struct roam_message m;
            widest_page(&m, types[t]);
            assert_int_equal(roam_page_pack(p, rows, count, &limits, &m),
                             count);
            limits.max_inflated = size_told(&m);
            limits.max_frame =
                (uint32_t)roam_message_size(&m) - ROAM_FRAME_HEADER_BYTES;
            assert_int_equal(roam_page_pack(p, rows, count, &limits, &m),
                             count);
            limits.max_inflated--;
            assert_int_equal(roam_page_pack(p, rows, count, &limits, &m),
                             count - 1);
            limits.max_inflated++;
            limits.max_frame--;
            assert_int_equal(roam_page_pack(p, rows, count, &limits, &m),
                             count - 1);
        }
    }
    roam_packer_free(p);
}

static void test_a_page_without_rows_is_empty_and_read(void **state)
{
    (void)state;
    struct roam_packer *p = roam_packer_new();
    const struct roam_pack_limits limits = {512, 1024, DEFLATE_BIT};
    assert_non_null(p);
    for (size_t t = 0; t < 2; t++) {
        struct roam_message m;
        struct roam_unpack u;
        struct roam_entry e;
        widest_page(&m, types[t]);
        assert_int_equal(roam_page_pack(p, NULL, 0, &limits, &m), 0);
        assert_int_equal(m.body.len, 0);
        assert_int_equal(size_told(&m), 0);
        assert_int_equal(roam_unpack_open_page(&u, &m, 1, 0, buf, sizeof buf),
                         ROAM_BATCH_OK);
        assert_false(roam_unpack_next(&u, &e));
        m.u.history_page.codec = roam_v1_Codec_CODEC_DEFLATE;
        if (types[t] == ROAM_HISTORY_PAGE) { /* nothing is no deflate stream */
            assert_int_equal(
                roam_unpack_open_page(&u, &m, 1, DEFLATE_BIT, buf, sizeof buf),
                ROAM_BATCH_INFLATE);
        }
    }
    roam_packer_free(p);
}

static void test_more_rows_than_asked_for_are_refused(void **state)
{
    (void)state;
    struct roam_packer *p = roam_packer_new();
    const struct roam_pack_limits limits = {ROOM, ROOM, 0};
    assert_non_null(p);
    for (size_t t = 0; t < 2; t++) {
        struct roam_message m;
        struct roam_unpack u;
        make_rows(types[t]);
        widest_page(&m, types[t]);
        assert_int_equal(roam_page_pack(p, rows, 50, &limits, &m), 50);
        assert_int_equal(roam_unpack_open_page(&u, &m, 50, 0, buf, sizeof buf),
                         ROAM_BATCH_OK);
        assert_int_equal(roam_unpack_open_page(&u, &m, 49, 0, buf, sizeof buf),
                         ROAM_BATCH_COUNT);
    }
    roam_packer_free(p);
}

static void test_a_read_mark_above_all_versions_is_refused(void **state)
{
    (void)state;
    struct roam_packer *p = roam_packer_new();
    const struct roam_pack_limits limits = {ROOM, ROOM, 0};
    assert_non_null(p);
    for (uint64_t above = 0; above < 2; above++) {
        struct roam_message m;
        struct roam_unpack u;
        make_rows(ROAM_CONVERSATION_PAGE);
        rows[1].read_mark = ROAM_VERSION_MAX + above;
        widest_page(&m, ROAM_CONVERSATION_PAGE);
        assert_int_equal(roam_page_pack(p, rows, 2, &limits, &m), 2);
        assert_int_equal(roam_unpack_open_page(&u, &m, 2, 0, buf, sizeof buf),
                         above == 0 ? ROAM_BATCH_OK : ROAM_BATCH_ROW);
    }
    roam_packer_free(p);
}

/* Any two rows in each other's place, anywhere in the page. */
static void test_rows_out_of_order_are_refused(void **state)
{
    (void)state;
    struct roam_packer *p = roam_packer_new();
    const struct roam_pack_limits limits = {ROOM, ROOM, 0};
    assert_non_null(p);
    for (size_t t = 0; t < 2; t++) {
        for (size_t i = 0; i < 11; i++) {
            for (size_t k = i; k < 12; k++) {
                struct roam_message m;
                struct roam_unpack u;
                make_rows(types[t]);
                struct roam_entry row = rows[i];
                rows[i] = rows[k];
                rows[k] = row;
                widest_page(&m, types[t]);
                assert_int_equal(roam_page_pack(p, rows, 12, &limits, &m), 12);
                assert_int_equal(
                    roam_unpack_open_page(&u, &m, 12, 0, buf, sizeof buf),
                    i == k ? ROAM_BATCH_OK : ROAM_BATCH_ROW);
                rows[k] = rows[i]; /* one of the two, twice */
                if (i != k) {
                    assert_int_equal(roam_page_pack(p, rows, 12, &limits, &m),
                                     12);
                    assert_int_equal(
                        roam_unpack_open_page(&u, &m, 12, 0, buf, sizeof buf),
                        ROAM_BATCH_ROW);
                }
            }
        }
    }
    roam_packer_free(p);
}

static bool no_more_memory(void)
{
    return true;
}

static void test_a_page_without_memory_says_so(void **state)
{
    (void)state;
    struct roam_packer *p = roam_packer_new();
    const struct roam_pack_limits limits = {ROOM, ROOM, DEFLATE_BIT};
    struct roam_message m;
    assert_non_null(p);
    make_rows(ROAM_HISTORY_PAGE);
    widest_page(&m, ROAM_HISTORY_PAGE);
    roam__packer_refuse = no_more_memory;
    assert_true(roam_page_pack(p, rows, 9, &limits, &m) == SIZE_MAX);
    assert_int_equal(roam_page_pack(p, rows, 0, &limits, &m), 0);
    roam__packer_refuse = NULL;
    assert_int_equal(roam_page_pack(p, rows, 9, &limits, &m), 9);
    roam_packer_free(p);
}

/* The longest body that a device with the smallest limits gets whole. */
static void test_the_widest_row_fits_a_page_alone(void **state)
{
    (void)state;
    static char wide[ROAM_USER_MAX + 1];
    static char name[ROAM_NAME_MAX + 1];
    static const uint8_t body[2048];
    struct roam_packer *p = roam_packer_new();
    assert_non_null(p);
    memset(wide, 'w', ROAM_USER_MAX);
    memset(name, 'n', ROAM_NAME_MAX);
    static const uint32_t limits_of[][2] = {{512, 1024}, {2048, 1024}};
    for (size_t t = 0; t < 4; t++) {
        const uint32_t *of = limits_of[t / 2];
        const struct roam_pack_limits limits = {of[0], of[1], 0};
        struct roam_message m;
        struct roam_entry e = {.msg_id = ROAM_VERSION_MAX,
                               .client_msg_id = UINT64_MAX,
                               .kind = UINT32_MAX,
                               .conversation = rig_text(wide),
                               .sender = rig_text(wide),
                               .content_type = rig_text(wide),
                               .conversation_name = rig_text(name),
                               .sender_name = rig_text(name),
                               .body = {body, roam_body_limit(of[0], of[1])}};
        if (types[t % 2] == ROAM_CONVERSATION_PAGE) {
            e.read_mark = ROAM_VERSION_MAX;
            e.unread = e.role = UINT32_MAX;
        }
        widest_page(&m, types[t % 2]);
        assert_int_equal(roam_page_pack(p, &e, 1, &limits, &m), 1);
        assert_true(roam_message_size(&m) <= of[0] + ROAM_FRAME_HEADER_BYTES);
        assert_true(size_told(&m) <= of[1]);
    }
    roam_packer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_come_out_as_they_went_in),
        cmocka_unit_test(test_limits_of_a_page_are_exact),
        cmocka_unit_test(test_a_page_without_rows_is_empty_and_read),
        cmocka_unit_test(test_more_rows_than_asked_for_are_refused),
        cmocka_unit_test(test_a_read_mark_above_all_versions_is_refused),
        cmocka_unit_test(test_rows_out_of_order_are_refused),
        cmocka_unit_test(test_a_page_without_memory_says_so),
        cmocka_unit_test(test_the_widest_row_fits_a_page_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
