/* SPDX-License-Identifier: Apache-2.0 */
/* What every store must do, as one set of tests. A store's own test program
 * says how it is made and runs them all. */
#ifndef ROAM_TEST_STORE_SUITE_H
#define ROAM_TEST_STORE_SUITE_H

#include "store.h"

/* How a store is made; the functions fail the test when they cannot. */
struct store_suite {
    struct roam_store *store;            /* while it is open */
    struct roam_store_keep keep;         /* likewise */
    struct roam_store_settings settings; /* all zero unless a claim sets them */
    /* An empty store that skips versions after a start. */
    void (*open)(struct store_suite *suite);
    /* As a process that ends and starts again, with `settings`: everything
     * committed is there, no request is left. */
    void (*reopen)(struct store_suite *suite);
    void (*close)(struct store_suite *suite);
    void (*add_user)(struct store_suite *suite, const char *user);
    void (*add_token)(struct store_suite *suite, const char *user,
                      const char *token, uint32_t device_type,
                      uint64_t expires_ms);
    void (*revoke_token)(struct store_suite *suite, const char *token);
    /* What people read instead of the user's id. */
    void (*name_user)(struct store_suite *suite, const char *user,
                      const char *name);
    void (*block_user)(struct store_suite *suite, const char *user,
                       const char *other, bool blocked);
    /* Until poll() may have more to do; NULL: it always has. */
    void (*wait)(struct store_suite *suite);
};

/* Runs all claims, a fresh store for each. Returns the number of failures,
 * for main(). */
int store_suite_run(struct store_suite *suite);

#endif
