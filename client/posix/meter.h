/* SPDX-License-Identifier: Apache-2.0 */
/* Counts what comes in: frames by their headers as the bytes pass by, and
 * what batches save. It only looks; the engine judges. */
#ifndef ROAM_METER_H
#define ROAM_METER_H

#include <stddef.h>
#include <stdint.h>

#include "roam_posix.h"

struct roam_meter {
    struct roam_posix_stats stats;
    uint8_t header[4];
    size_t header_have;    /* bytes of the header */
    uint32_t payload_left; /* bytes of the frame that are still to come */
};

/* A new byte stream begins. */
void roam_meter_start(struct roam_meter *m);

/* These bytes were received. data: borrowed. */
void roam_meter_bytes(struct roam_meter *m, const uint8_t *data, size_t len);

/* So many were written. */
void roam_meter_sent(struct roam_meter *m, size_t len);

/* This entry was handed out. entry: borrowed. */
void roam_meter_entry(struct roam_meter *m,
                      const struct roam_entry_event *entry);

#endif
