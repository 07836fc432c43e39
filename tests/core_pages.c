/* SPDX-License-Identifier: Apache-2.0 */
/* See core_pages.h. */
#include "core_pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define INFLATED_ROOM (1u << 20)

void rig_take_page(struct peer *p, uint8_t type, uint64_t ref,
                   struct rig_page *page)
{
    struct roam_unpack u;
    memset(page, 0, sizeof *page);
    page->m = *rig_take(p, type);
    bool history = type == ROAM_HISTORY_PAGE;
    assert_true((history ? page->m.u.history_page.ref
                         : page->m.u.conversation_page.ref) == ref);
    page->more = history ? page->m.u.history_page.more
                         : page->m.u.conversation_page.more;
    page->buf = malloc(INFLATED_ROOM);
    assert_non_null(page->buf);
    assert_int_equal(roam_unpack_open_page(&u, &page->m, ROAM_PAGE_ROWS_MAX,
                                           ~0u, page->buf, INFLATED_ROOM),
                     ROAM_BATCH_OK);
    while (page->count < RIG_PAGE_ROWS &&
           roam_unpack_next(&u, &page->rows[page->count])) {
        page->count++;
    }
    assert_int_equal(page->count, history ? page->m.u.history_page.count
                                          : page->m.u.conversation_page.count);
}

void rig_expect_history(struct peer *p, uint64_t ref, unsigned first,
                        unsigned last, bool more)
{
    struct rig_page page;
    rig_take_page(p, ROAM_HISTORY_PAGE, ref, &page);
    assert_int_equal(page.count, last + 1 - first);
    for (unsigned i = 0; i < page.count; i++) {
        char body[32];
        int len = snprintf(body, sizeof body, "message %u", first + i);
        assert_int_equal(page.rows[i].body.len, len);
        assert_memory_equal(page.rows[i].body.data, body, (size_t)len);
    }
    assert_int_equal(page.more, more);
    free(page.buf);
}
