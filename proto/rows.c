/* SPDX-License-Identifier: Apache-2.0 */
/* See rows.h. */
#include "rows.h"

#include <string.h>

#include "fields.h"
#include "put.h"
#include "roam_limits.h"

#define COUNT(rules) (sizeof(rules) / sizeof(rules)[0])

/* Field numbers, as in proto/roam.proto. */
enum {
    ROWS = 1,
    MEMBER_USER = 1,
    MEMBER_NAME = 2,
    MEMBER_ROLE = 3,
    MEMBER_MUTED = 4,
    MEMBER_SINCE = 5,
    SESSION_TYPE = 1,
    SESSION_NAME = 2,
    SESSION_SOFTWARE = 3,
    SESSION_SINCE = 4,
    SESSION_LAST_SEEN = 5,
    SESSION_ONLINE = 6,
    SESSION_GENERATION = 7,
    SESSION_SELF = 8
};

static const struct roam__field_rule member_rules[] = {
    {0, MEMBER_USER, ROAM__TEXT, 1, ROAM_USER_MAX},
    {0, MEMBER_NAME, ROAM__TEXT, 0, ROAM_NAME_MAX},
    {0, MEMBER_ROLE, ROAM__UINT32, roam_v1_Role_APPLICANT, roam_v1_Role_OWNER},
    {0, MEMBER_MUTED, ROAM__UINT32, 0, 1},
    {0, MEMBER_SINCE, ROAM__VERSION, 0, 0},
};
static const struct roam__field_rule session_rules[] = {
    {0, SESSION_TYPE, ROAM__UINT32, roam_v1_DeviceType_PHONE,
     roam_v1_DeviceType_EMBEDDED},
    {0, SESSION_NAME, ROAM__TEXT, 0, ROAM_DEVICE_NAME_MAX},
    {0, SESSION_SOFTWARE, ROAM__TEXT, 0, ROAM_SOFTWARE_MAX},
    {0, SESSION_SINCE, ROAM__VERSION, 0, 0},
    {0, SESSION_LAST_SEEN, ROAM__VERSION, 0, 0},
    {0, SESSION_ONLINE, ROAM__UINT32, 0, 1},
    {0, SESSION_GENERATION, ROAM__VERSION, 1, 0},
    {0, SESSION_SELF, ROAM__UINT32, 0, 1},
};

/* Takes one row and its fields. False at the end, or on what is no row. */
static bool next_row(struct roam_slice *rows,
                     const struct roam__field_rule *rules, size_t count,
                     struct roam__field *values)
{
    struct roam__field f;
    struct roam__found found;
    memset(values, 0, (ROAM__INNER_FIELD_MAX + 1) * sizeof *values);
    memset(&found, 0, sizeof found);
    found.values = values;
    do { /* [FRAME-12] */
        if (rows->len == 0 || !roam__wire_field(rows, &f)) {
            return false;
        }
    } while (f.number != ROWS);
    return f.type == ROAM__WIRE_BYTES &&
           roam__fields_check(rules, count, f.bytes, &found) ==
               roam_v1_ErrorCode_ERROR_UNSPECIFIED;
}

bool roam_member_row_next(struct roam_slice *rows, struct roam_member_row *row)
{
    struct roam__field v[ROAM__INNER_FIELD_MAX + 1];
    if (!next_row(rows, member_rules, COUNT(member_rules), v)) {
        return false;
    }
    row->user = v[MEMBER_USER].bytes;
    row->name = v[MEMBER_NAME].bytes;
    row->role = (uint32_t)v[MEMBER_ROLE].value;
    row->muted = v[MEMBER_MUTED].value != 0;
    row->since = v[MEMBER_SINCE].value;
    return true;
}

bool roam_session_row_next(struct roam_slice *rows,
                           struct roam_session_row *row)
{
    struct roam__field v[ROAM__INNER_FIELD_MAX + 1];
    if (!next_row(rows, session_rules, COUNT(session_rules), v)) {
        return false;
    }
    row->device_type = (uint32_t)v[SESSION_TYPE].value;
    row->device_name = v[SESSION_NAME].bytes;
    row->software = v[SESSION_SOFTWARE].bytes;
    row->since_ms = v[SESSION_SINCE].value;
    row->last_seen_ms = v[SESSION_LAST_SEEN].value;
    row->online = v[SESSION_ONLINE].value != 0;
    row->generation = v[SESSION_GENERATION].value;
    row->self = v[SESSION_SELF].value != 0;
    return true;
}

static bool below(struct roam_slice a, struct roam_slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    return order != 0 ? order < 0 : a.len < b.len;
}

/* Nothing but fields that Roam 1 does not know. */
static bool ends(struct roam_slice rows)
{
    struct roam__field f;
    while (rows.len != 0) {
        if (!roam__wire_field(&rows, &f) || f.number == ROWS) {
            return false;
        }
    }
    return true;
}

bool roam_member_rows_good(struct roam_slice rows, uint32_t count)
{
    struct roam_slice last = {NULL, 0};
    struct roam_member_row row;
    while (count != 0 && roam_member_row_next(&rows, &row) &&
           below(last, row.user)) {
        last = row.user;
        count--;
    }
    return count == 0 && ends(rows);
}

bool roam_session_rows_good(struct roam_slice rows, uint32_t count)
{
    uint32_t last = 0;
    struct roam_session_row row;
    while (count != 0 && roam_session_row_next(&rows, &row) &&
           row.device_type > last) {
        last = row.device_type;
        count--;
    }
    return count == 0 && ends(rows);
}

/* Puts what was written in `inner` into a row. */
static size_t wrap(const struct roam__put *inner, uint8_t *out, size_t cap)
{
    struct roam__put p = {out, cap, 0, false};
    struct roam_slice bytes = {inner->out, inner->len};
    roam__put_element(&p, ROWS, bytes);
    return p.full || inner->full ? 0 : p.len;
}

size_t roam_member_row_put(const struct roam_member_row *row, uint8_t *out,
                           size_t cap)
{
    uint8_t inner[ROAM_ROW_BYTES_MAX];
    struct roam__put p = {inner, sizeof inner, 0, false};
    roam__put_bytes(&p, MEMBER_USER, row->user);
    roam__put_bytes(&p, MEMBER_NAME, row->name);
    roam__put_number(&p, MEMBER_ROLE, row->role);
    roam__put_number(&p, MEMBER_MUTED, row->muted ? 1 : 0);
    roam__put_number(&p, MEMBER_SINCE, row->since);
    return wrap(&p, out, cap);
}

size_t roam_session_row_put(const struct roam_session_row *row, uint8_t *out,
                            size_t cap)
{
    uint8_t inner[ROAM_ROW_BYTES_MAX];
    struct roam__put p = {inner, sizeof inner, 0, false};
    roam__put_number(&p, SESSION_TYPE, row->device_type);
    roam__put_bytes(&p, SESSION_NAME, row->device_name);
    roam__put_bytes(&p, SESSION_SOFTWARE, row->software);
    roam__put_number(&p, SESSION_SINCE, row->since_ms);
    roam__put_number(&p, SESSION_LAST_SEEN, row->last_seen_ms);
    roam__put_number(&p, SESSION_ONLINE, row->online ? 1 : 0);
    roam__put_number(&p, SESSION_GENERATION, row->generation);
    roam__put_number(&p, SESSION_SELF, row->self ? 1 : 0);
    return wrap(&p, out, cap);
}
