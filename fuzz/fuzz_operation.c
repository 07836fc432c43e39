/* SPDX-License-Identifier: Apache-2.0 */
/* What stands inside bytes fields. The first byte says what: a kind of
 * operation, or rows, or an attachment. What is good must be good again when
 * it is written anew. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "attachment.h"
#include "operation.h"
#include "roam_limits.h"
#include "rows.h"

enum {
    ROWS_OF_MEMBERS = 8,
    ROWS_OF_SESSIONS,
    ATTACHMENT,
    TARGETS
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void try_operation(uint32_t kind, struct roam_slice body)
{
    static uint8_t again[8192];
    struct roam_slice users[ROAM_CHANGE_USERS_MAX];
    struct roam_operation op, back;
    uint32_t count = 0;
    if (!roam_operation_decode(kind, body, &op)) {
        return;
    }
    struct roam_user_list walk = op.users;
    while (count < ROAM_CHANGE_USERS_MAX &&
           roam_user_list_next(&walk, &users[count])) {
        count++;
    }
    expect(count == op.users.count);
    size_t len = roam_operation_encode(&op, users, count, again, sizeof again);
    if (len == 0) { /* data longer than our room */
        expect(op.data.len > sizeof again / 2);
        return;
    }
    struct roam_slice written = {again, len};
    expect(roam_operation_decode(kind, written, &back));
    expect(back.msg_id == op.msg_id && back.action == op.action &&
           back.users.count == op.users.count && back.join == op.join &&
           back.name.len == op.name.len && back.text.len == op.text.len &&
           back.data.len == op.data.len && back.since_ms == op.since_ms);
}

static void try_members(struct roam_slice rows)
{
    uint8_t again[ROAM_ROW_BYTES_MAX];
    struct roam_slice walk = rows;
    struct roam_member_row row;
    uint32_t count = 0;
    while (roam_member_row_next(&walk, &row)) {
        size_t len = roam_member_row_put(&row, again, sizeof again);
        struct roam_slice written = {again, len};
        expect(len != 0 && roam_member_rows_good(written, 1));
        count++;
    }
    expect(!roam_member_rows_good(rows, count + 1));
}

static void try_sessions(struct roam_slice rows)
{
    uint8_t again[ROAM_ROW_BYTES_MAX];
    struct roam_slice walk = rows;
    struct roam_session_row row;
    uint32_t count = 0;
    while (roam_session_row_next(&walk, &row)) {
        size_t len = roam_session_row_put(&row, again, sizeof again);
        struct roam_slice written = {again, len};
        expect(len != 0 && roam_session_rows_good(written, 1));
        count++;
    }
    expect(!roam_session_rows_good(rows, count + 1));
}

static void try_attachment(struct roam_slice body)
{
    static uint8_t again[8192];
    struct roam_attachment a, back;
    if (roam_attachment_decode(body, &a)) {
        size_t len = roam_attachment_encode(&a, again, sizeof again);
        struct roam_slice written = {again, len};
        expect(len != 0 && roam_attachment_decode(written, &back));
        expect(back.size == a.size && back.url.len == a.url.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct roam_slice rest = {data + 1, size - 1};
    switch (data[0] % TARGETS) {
    case ROWS_OF_MEMBERS:
        try_members(rest);
        break;
    case ROWS_OF_SESSIONS:
        try_sessions(rest);
        break;
    case ATTACHMENT:
        try_attachment(rest);
        break;
    default:
        try_operation(data[0] % TARGETS, rest);
        break;
    }
    return 0;
}
