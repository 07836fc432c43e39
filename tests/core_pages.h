/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of HISTORY and CONVERSATIONS, for the tests of the core. */
#ifndef ROAM_TEST_CORE_PAGES_H
#define ROAM_TEST_CORE_PAGES_H

#include "core_rig.h"

#define RIG_PAGE_ROWS 64u

struct rig_page {
    struct roam_message m;
    struct roam_entry rows[RIG_PAGE_ROWS];
    size_t count;
    bool more;
    uint8_t *buf;
};

/* Takes a page of this type and ref, and unpacks it; buf is the caller's to
 * free. */
void rig_take_page(struct peer *p, uint8_t type, uint64_t ref,
                   struct rig_page *page);

/* The page must hold the messages from id `first` to `last` of
 * peer_send_many(), or none when last is below first. */
void rig_expect_history(struct peer *p, uint64_t ref, unsigned first,
                        unsigned last, bool more);

#endif
