/* SPDX-License-Identifier: Apache-2.0 */
/* A store in front of another that keeps back one answer until it is
 * released: the state that it was read from is an older one by then. */
#ifndef ROAM_TEST_LATE_STORE_H
#define ROAM_TEST_LATE_STORE_H

#include <stdbool.h>

#include "store.h"

struct late_store {
    struct roam_store store; /* first */
    struct roam_store *real;
    /* Whose answers are kept, NULL: nobody's. There must be no second one
     * while one is kept. */
    bool (*is_late)(const struct roam_store_request *req);
    struct roam_store_request *kept;
    roam_store_done_fn done;
    unsigned reads; /* requests whose answers were kept */
};

/* There is one at a time. `real` is borrowed until the last release; closing
 * this store closes it. */
void late_store_open(struct late_store *late, struct roam_store *real,
                     bool (*is_late)(const struct roam_store_request *req));
/* Hands on the answer that is kept; fails the test if there is none. */
void late_store_release(struct late_store *late);

#endif
