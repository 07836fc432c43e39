/* SPDX-License-Identifier: Apache-2.0 */
#include "store_suite.h"

#include "store_probe.h"

int store_suite_run(struct store_suite *suite)
{
    probe_suite = suite;
    return store_suite_login() + store_suite_send() + store_suite_read() +
           store_suite_pages() + store_suite_operations() +
           store_suite_names() + store_suite_groups() + store_suite_spans() +
           store_suite_walk() + store_suite_keep() + store_suite_devices() +
           store_suite_news();
}
