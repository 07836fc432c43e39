/* SPDX-License-Identifier: Apache-2.0 */
/* What stands inside bytes fields: the bodies of operations, the rows of
 * members and sessions, the description of an attachment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attachment.h"
#include "operation.h"
#include "roam.pb.h"
#include "roam_limits.h"
#include "rows.h"
#include "wire_writer.h"

static char letters[8192];

static struct roam_slice text(const char *s)
{
    struct roam_slice slice = {(const uint8_t *)s, strlen(s)};
    return slice;
}

static struct roam_slice some(size_t len)
{
    struct roam_slice slice = {(const uint8_t *)letters, len};
    return slice;
}

static bool same(struct roam_slice a, struct roam_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* In memory of just its size, so that a byte too far is seen. */
static bool decode(uint32_t kind, const uint8_t *body, size_t len)
{
    struct roam_operation op;
    uint8_t *exact = wire_exact(body, len);
    struct roam_slice slice = {exact, len};
    bool good = roam_operation_decode(kind, slice, &op);
    free(exact);
    return good;
}

static bool decode_hex(uint32_t kind, const char *hex)
{
    struct wire_out out = {.len = 0};
    wire_put_hex(&out, hex);
    return decode(kind, out.bytes, out.len);
}

/* Encodes it and decodes that. */
static bool takes(const struct roam_operation *op,
                  const struct roam_slice *users, size_t count)
{
    static uint8_t body[16384];
    size_t len = roam_operation_encode(op, users, count, body, sizeof body);
    return decode(op->kind, body, len);
}

/* ----------------------------------------------------------------- targets */

static void test_a_target_is_a_message_id(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {roam_v1_Kind_RECALL, roam_v1_Kind_DELETE,
                                     roam_v1_Kind_READ};
    for (size_t i = 0; i < 3; i++) {
        struct roam_operation op = {.kind = kinds[i], .msg_id = 1};
        assert_true(takes(&op, NULL, 0));
        op.msg_id = ROAM_VERSION_MAX;
        assert_true(takes(&op, NULL, 0));
        op.msg_id = ROAM_VERSION_MAX + 1;
        assert_false(takes(&op, NULL, 0));
        op.msg_id = 0;
        assert_false(takes(&op, NULL, 0));
        assert_false(decode_hex(kinds[i], "08 01 08 01"));
        assert_false(decode_hex(kinds[i], "0a 01 61"));
        assert_true(decode_hex(kinds[i], "08 01 9a 06 01 61")); /* unknown */
    }
}

static void test_other_kinds_have_no_such_body(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {roam_v1_Kind_MESSAGE, roam_v1_Kind_NOOP, 8,
                                     UINT32_MAX};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        assert_false(decode_hex(kinds[i], "08 01"));
        assert_false(roam_kind_is_operation(kinds[i]));
    }
    for (uint32_t kind = 2; kind <= 7; kind++) {
        assert_true(roam_kind_is_operation(kind));
    }
}

/* ------------------------------------------------------------------- users */

static void test_users_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct roam_slice users[3] = {text("alice"), some(ROAM_USER_MAX),
                                  text("zo\xc3\xab")};
    struct roam_operation op = {.kind = roam_v1_Kind_APP, .data = text("x")};
    uint8_t body[256];
    size_t len = roam_operation_encode(&op, users, 3, body, sizeof body);
    struct roam_operation got;
    struct roam_slice slice = {body, len};
    struct roam_slice user;
    assert_true(roam_operation_decode(op.kind, slice, &got));
    assert_int_equal(got.users.count, 3);
    assert_true(same(got.data, op.data));
    for (size_t i = 0; i < 3; i++) {
        assert_true(roam_user_list_next(&got.users, &user));
        assert_true(same(user, users[i]));
    }
    assert_false(roam_user_list_next(&got.users, &user));
}

static void test_an_app_says_something(void **state)
{
    (void)state;
    assert_false(decode_hex(roam_v1_Kind_APP, ""));
    assert_false(decode_hex(roam_v1_Kind_APP, "0a 01 61"));
    assert_false(decode_hex(roam_v1_Kind_APP, "12 00"));
    assert_true(decode_hex(roam_v1_Kind_APP, "12 01 00"));
}

static void test_users_are_counted_and_bounded(void **state)
{
    (void)state;
    static const struct {
        uint32_t kind, action, max;
    } cases[] = {{roam_v1_Kind_APP, 0, ROAM_APP_USERS_MAX},
                 {roam_v1_Kind_GROUP, roam_v1_GroupAction_INVITE,
                  ROAM_CHANGE_USERS_MAX}};
    struct roam_slice users[ROAM_CHANGE_USERS_MAX + 1];
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++) {
        users[i] = some(ROAM_USER_MAX);
    }
    for (size_t i = 0; i < 2; i++) {
        struct roam_operation op = {.kind = cases[i].kind,
                                    .action = cases[i].action};
        op.data = cases[i].action == 0 ? text("x") : some(0);
        assert_true(takes(&op, users, cases[i].max));
        assert_false(takes(&op, users, cases[i].max + 1));
        users[0] = some(ROAM_USER_MAX + 1);
        assert_false(takes(&op, users, 1));
        users[0] = some(0);
        assert_false(takes(&op, users, 1));
        users[0] = text("\xff");
        assert_false(takes(&op, users, 1));
        users[0] = some(ROAM_USER_MAX);
    }
}

/* ------------------------------------------------------------------ groups */

static void test_each_action_names_what_it_needs_and_nothing_else(void **state)
{
    (void)state;
    /* Users: fewest, most; name: no, may, must; join, text: no, may, must. */
    static const struct {
        uint32_t action, fewest, most, name, join, text;
    } forms[] = {{1, 0, 50, 1, 2, 0}, {2, 1, 50, 0, 0, 0}, {3, 0, 0, 0, 0, 1},
                 {4, 1, 1, 0, 0, 0},  {5, 1, 1, 0, 0, 0},  {6, 0, 0, 0, 0, 0},
                 {7, 1, 1, 0, 0, 0},  {8, 0, 0, 2, 0, 0},  {9, 1, 1, 0, 0, 0},
                 {10, 1, 1, 0, 0, 0}, {11, 0, 1, 0, 0, 0}, {12, 0, 1, 0, 0, 0},
                 {13, 0, 0, 0, 2, 0}, {14, 1, 1, 0, 0, 0}, {15, 0, 0, 0, 0, 0}};
    struct roam_slice users[51];
    for (size_t i = 0; i < 51; i++) {
        users[i] = text("bob");
    }
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        for (unsigned fields = 0; fields < 8; fields++) {
            bool name = fields & 1, join = fields & 2, why = fields & 4;
            struct roam_operation op = {
                .kind = roam_v1_Kind_GROUP,
                .action = forms[i].action,
                .name = name ? text("Lunch") : some(0),
                .join = join ? roam_v1_JoinMode_JOIN_OPEN : 0,
                .text = why ? text("please") : some(0)};
            bool good = (name ? forms[i].name > 0 : forms[i].name < 2) &&
                        (join ? forms[i].join > 0 : forms[i].join < 2) &&
                        (!why || forms[i].text > 0);
            assert_int_equal(takes(&op, users, forms[i].fewest), good);
            assert_int_equal(takes(&op, users, forms[i].most), good);
            assert_false(takes(&op, users, forms[i].most + 1));
            assert_false(forms[i].fewest > 0 &&
                         takes(&op, users, forms[i].fewest - 1));
        }
    }
}

static void test_the_bounds_of_a_change_are_exact(void **state)
{
    (void)state;
    struct roam_operation op = {.kind = roam_v1_Kind_GROUP,
                                .action = roam_v1_GroupAction_RENAME,
                                .name = some(ROAM_NAME_MAX)};
    assert_true(takes(&op, NULL, 0));
    op.name = some(ROAM_NAME_MAX + 1);
    assert_false(takes(&op, NULL, 0));
    op = (struct roam_operation){.kind = roam_v1_Kind_GROUP,
                                 .action = roam_v1_GroupAction_JOIN,
                                 .text = some(ROAM_JOIN_TEXT_MAX)};
    assert_true(takes(&op, NULL, 0));
    op.text = some(ROAM_JOIN_TEXT_MAX + 1);
    assert_false(takes(&op, NULL, 0));
    op = (struct roam_operation){.kind = roam_v1_Kind_GROUP,
                                 .action = roam_v1_GroupAction_SET_JOIN,
                                 .join = roam_v1_JoinMode_JOIN_CLOSED};
    assert_true(takes(&op, NULL, 0));
    op.join++;
    assert_false(takes(&op, NULL, 0));
    op = (struct roam_operation){.kind = roam_v1_Kind_GROUP, .action = 16};
    assert_false(takes(&op, NULL, 0));
    op.action = 0;
    assert_false(takes(&op, NULL, 0));
}

/* The largest body that is good fits the room that callers set aside. */
static void test_the_largest_change_fits_its_room(void **state)
{
    (void)state;
    static uint8_t body[ROAM_OPERATION_BYTES_MAX];
    struct roam_slice users[ROAM_CHANGE_USERS_MAX];
    for (size_t i = 0; i < ROAM_CHANGE_USERS_MAX; i++) {
        users[i] = some(ROAM_USER_MAX);
    }
    struct roam_operation op = {.kind = roam_v1_Kind_GROUP,
                                .action = roam_v1_GroupAction_CREATE,
                                .name = some(ROAM_NAME_MAX),
                                .join = roam_v1_JoinMode_JOIN_CLOSED};
    size_t len = roam_operation_encode(&op, users, ROAM_CHANGE_USERS_MAX, body,
                                       sizeof body);
    assert_true(len > 0);
    assert_true(decode(op.kind, body, len));
    /* Without room for all of it nothing is written. */
    for (size_t cap = 0; cap < len; cap++) {
        assert_int_equal(
            roam_operation_encode(&op, users, ROAM_CHANGE_USERS_MAX, body, cap),
            0);
    }
}

static void test_a_body_cut_anywhere_is_refused_or_means_less(void **state)
{
    (void)state;
    struct roam_slice users[2] = {text("alice"), text("bob")};
    struct roam_operation op = {.kind = roam_v1_Kind_GROUP,
                                .action = roam_v1_GroupAction_CREATE,
                                .name = text("Lunch"),
                                .join = roam_v1_JoinMode_JOIN_OPEN};
    uint8_t body[128];
    size_t len = roam_operation_encode(&op, users, 2, body, sizeof body);
    /* `join` is needed and stands last. */
    for (size_t cut = 0; cut < len; cut++) {
        assert_false(decode(op.kind, body, cut));
    }
    assert_true(decode(op.kind, body, len));
}

static void test_news_of_a_device_is_read(void **state)
{
    (void)state;
    struct roam_operation op = {.kind = roam_v1_Kind_DEVICE,
                                .device_type = roam_v1_DeviceType_WEB,
                                .name = some(ROAM_DEVICE_NAME_MAX),
                                .since_ms = ROAM_VERSION_MAX};
    assert_true(takes(&op, NULL, 0));
    op.name = some(ROAM_DEVICE_NAME_MAX + 1);
    assert_false(takes(&op, NULL, 0));
    op.name = some(0);
    op.device_type = 7;
    assert_false(takes(&op, NULL, 0));
    op.device_type = 0;
    assert_false(takes(&op, NULL, 0));
}

/* -------------------------------------------------------------------- rows */

static void test_members_come_out_as_they_went_in(void **state)
{
    (void)state;
    const struct roam_member_row in[2] = {
        {some(ROAM_USER_MAX), some(ROAM_NAME_MAX), roam_v1_Role_OWNER, true,
         ROAM_VERSION_MAX},
        {text("b"), some(0), roam_v1_Role_APPLICANT, false, 0}};
    uint8_t out[2 * ROAM_ROW_BYTES_MAX];
    size_t first = roam_member_row_put(&in[0], out, ROAM_ROW_BYTES_MAX);
    assert_true(first > 0);
    assert_int_equal(roam_member_row_put(&in[0], out + first, first - 1), 0);
    size_t second =
        roam_member_row_put(&in[1], out + first, sizeof out - first);
    struct roam_slice rows = {out, first + second};
    assert_true(roam_member_rows_good(rows, 2));
    assert_false(roam_member_rows_good(rows, 1));
    assert_false(roam_member_rows_good(rows, 3));
    for (size_t i = 0; i < 2; i++) {
        struct roam_member_row row;
        assert_true(roam_member_row_next(&rows, &row));
        assert_true(same(row.user, in[i].user) && same(row.name, in[i].name));
        assert_int_equal(row.role, in[i].role);
        assert_int_equal(row.muted, in[i].muted);
        assert_true(row.since == in[i].since);
    }
}

static void test_members_must_rise_and_be_in_bounds(void **state)
{
    (void)state;
    static const struct {
        size_t user, name;
        uint32_t role;
        bool good;
    } cases[] = {{64, 48, 4, true},  {65, 48, 4, false}, {0, 48, 4, false},
                 {64, 49, 4, false}, {64, 48, 0, false}, {64, 48, 5, false}};
    uint8_t out[2 * ROAM_ROW_BYTES_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct roam_member_row row = {some(cases[i].user), some(cases[i].name),
                                      cases[i].role, false, 1};
        struct roam_slice rows = {out,
                                  roam_member_row_put(&row, out, sizeof out)};
        assert_int_equal(roam_member_rows_good(rows, 1), cases[i].good);
    }
    for (int order = 0; order < 3; order++) { /* bob, bob; bob, al; al, bob */
        struct roam_member_row row = {text(order == 2 ? "al" : "bob"), some(0),
                                      2, false, 1};
        size_t len = roam_member_row_put(&row, out, sizeof out);
        row.user = text(order == 1 ? "al" : "bob");
        len += roam_member_row_put(&row, out + len, sizeof out - len);
        struct roam_slice rows = {out, len};
        assert_int_equal(roam_member_rows_good(rows, 2), order == 2);
    }
}

static void test_sessions_come_out_as_they_went_in(void **state)
{
    (void)state;
    const struct roam_session_row in[2] = {
        {roam_v1_DeviceType_PHONE, some(ROAM_DEVICE_NAME_MAX), some(0),
         ROAM_VERSION_MAX, ROAM_VERSION_MAX, true, true, ROAM_VERSION_MAX},
        {roam_v1_DeviceType_EMBEDDED, some(0), some(ROAM_SOFTWARE_MAX), 1, 2,
         false, false, 1}};
    uint8_t out[2 * ROAM_ROW_BYTES_MAX];
    size_t len = roam_session_row_put(&in[0], out, ROAM_ROW_BYTES_MAX);
    assert_true(len > 0);
    len += roam_session_row_put(&in[1], out + len, sizeof out - len);
    struct roam_slice rows = {out, len};
    assert_true(roam_session_rows_good(rows, 2));
    assert_false(roam_session_rows_good(rows, 1));
    for (size_t i = 0; i < 2; i++) {
        struct roam_session_row row;
        assert_true(roam_session_row_next(&rows, &row));
        assert_int_equal(row.device_type, in[i].device_type);
        assert_true(same(row.device_name, in[i].device_name) &&
                    same(row.software, in[i].software));
        assert_true(row.since_ms == in[i].since_ms &&
                    row.last_seen_ms == in[i].last_seen_ms &&
                    row.generation == in[i].generation);
        assert_true(row.online == in[i].online && row.self == in[i].self);
    }
    len = roam_session_row_put(&in[1], out, sizeof out);
    len += roam_session_row_put(&in[0], out + len, sizeof out - len);
    rows = (struct roam_slice){out, len};
    assert_false(roam_session_rows_good(rows, 2)); /* they must rise */
}

static void test_unknown_fields_among_rows_are_skipped(void **state)
{
    (void)state;
    const struct roam_member_row row = {text("bob"), some(0), 2, false, 1};
    struct wire_out out = {.len = 0};
    uint8_t bytes[ROAM_ROW_BYTES_MAX];
    size_t len = roam_member_row_put(&row, bytes, sizeof bytes);
    wire_put_hex(&out, "10 05");
    wire_put_raw(&out, bytes, len);
    wire_put_hex(&out, "1a 01 ff");
    struct roam_slice rows = {out.bytes, out.len};
    assert_true(roam_member_rows_good(rows, 1));
    assert_false(roam_member_rows_good(rows, 0));
    wire_put_raw(&out, bytes, len);
    rows.len = out.len;
    assert_false(roam_member_rows_good(rows, 1));
}

static void test_rows_cut_anywhere_are_refused(void **state)
{
    (void)state;
    const struct roam_session_row row = {roam_v1_DeviceType_WEB,
                                         text("browser"),
                                         text("s/1"),
                                         1,
                                         2,
                                         true,
                                         false,
                                         7};
    uint8_t out[ROAM_ROW_BYTES_MAX];
    size_t len = roam_session_row_put(&row, out, sizeof out);
    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *exact = wire_exact(out, cut);
        struct roam_slice rows = {exact, cut};
        assert_false(roam_session_rows_good(rows, 1));
        free(exact);
    }
}

/* ------------------------------------------------------------- attachments */

static void test_the_bounds_of_an_attachment_are_exact(void **state)
{
    (void)state;
    static const struct {
        size_t sha256, type, name, url, thumbnail;
        bool good;
    } cases[] = {{32, 64, 255, 1024, 4096, true}, {32, 1, 0, 1, 0, true},
                 {31, 1, 0, 1, 0, false},         {33, 1, 0, 1, 0, false},
                 {32, 65, 0, 1, 0, false},        {32, 0, 0, 1, 0, false},
                 {32, 1, 256, 1, 0, false},       {32, 1, 0, 1025, 0, false},
                 {32, 1, 0, 0, 0, false},         {32, 1, 0, 1, 4097, false}};
    static uint8_t body[8192];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct roam_attachment in = {
            some(cases[i].sha256), UINT64_MAX,
            some(cases[i].type),   some(cases[i].name),
            some(cases[i].url),    some(cases[i].thumbnail)};
        struct roam_attachment a;
        size_t len = roam_attachment_encode(&in, body, sizeof body);
        struct roam_slice slice = {body, len};
        assert_true(len > 0);
        assert_int_equal(roam_attachment_decode(slice, &a), cases[i].good);
        if (cases[i].good) {
            assert_true(a.size == in.size && same(a.url, in.url) &&
                        same(a.name, in.name) && same(a.sha256, in.sha256) &&
                        same(a.content_type, in.content_type) &&
                        same(a.thumbnail, in.thumbnail));
        }
        assert_int_equal(roam_attachment_encode(&in, body, len - 1), 0);
    }
}

static int fill_letters(void **state)
{
    (void)state;
    memset(letters, 'a', sizeof letters);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_target_is_a_message_id),
        cmocka_unit_test(test_other_kinds_have_no_such_body),
        cmocka_unit_test(test_users_come_out_as_they_went_in),
        cmocka_unit_test(test_an_app_says_something),
        cmocka_unit_test(test_users_are_counted_and_bounded),
        cmocka_unit_test(test_each_action_names_what_it_needs_and_nothing_else),
        cmocka_unit_test(test_the_bounds_of_a_change_are_exact),
        cmocka_unit_test(test_the_largest_change_fits_its_room),
        cmocka_unit_test(test_a_body_cut_anywhere_is_refused_or_means_less),
        cmocka_unit_test(test_news_of_a_device_is_read),
        cmocka_unit_test(test_members_come_out_as_they_went_in),
        cmocka_unit_test(test_members_must_rise_and_be_in_bounds),
        cmocka_unit_test(test_sessions_come_out_as_they_went_in),
        cmocka_unit_test(test_unknown_fields_among_rows_are_skipped),
        cmocka_unit_test(test_rows_cut_anywhere_are_refused),
        cmocka_unit_test(test_the_bounds_of_an_attachment_are_exact),
    };
    return cmocka_run_group_tests(tests, fill_letters, NULL);
}
