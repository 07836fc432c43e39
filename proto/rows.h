/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of MEMBER_PAGE and SESSION_LIST: a list of messages inside a bytes
 * field. No heap, no recursion. Spec: section 4.3. */
#ifndef ROAM_ROWS_H
#define ROAM_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slice.h"

/* The longest row of either kind with its tag and length, in bytes. */
#define ROAM_ROW_BYTES_MAX 192u

struct roam_member_row {
    struct roam_slice user, name;
    uint32_t role; /* roam_v1_Role, not ROLE_NONE */
    bool muted;
    uint64_t since; /* msg_id of the change that made them so */
};

struct roam_session_row {
    uint32_t device_type; /* roam_v1_DeviceType */
    struct roam_slice device_name, software;
    uint64_t since_ms, last_seen_ms; /* since 2020-01-01 UTC */
    bool online, self;
    uint64_t generation;
};

/* True when `rows` (borrowed) are exactly `count` good rows, the users rising
 * by their bytes. */
bool roam_member_rows_good(struct roam_slice rows, uint32_t count);
/* The same, the device types rising. */
bool roam_session_rows_good(struct roam_slice rows, uint32_t count);

/* Takes the next row off the front; false: that was the last one. */
bool roam_member_row_next(struct roam_slice *rows, struct roam_member_row *row);
bool roam_session_row_next(struct roam_slice *rows,
                           struct roam_session_row *row);

/* Writes one row. Returns its bytes; 0 when cap is too small. */
size_t roam_member_row_put(const struct roam_member_row *row, uint8_t *out,
                           size_t cap);
size_t roam_session_row_put(const struct roam_session_row *row, uint8_t *out,
                            size_t cap);

#endif
