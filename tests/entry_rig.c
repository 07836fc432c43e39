/* SPDX-License-Identifier: Apache-2.0 */
/* See entry_rig.h. */
#include "entry_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct roam_slice rig_text(const char *s)
{
    struct roam_slice slice = {(const uint8_t *)s, strlen(s)};
    return slice;
}

static bool same(struct roam_slice a, struct roam_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

void rig_assert_same_entry(const struct roam_entry *a,
                           const struct roam_entry *b)
{
    assert_true(a->version == b->version);
    assert_true(a->prev_version == b->prev_version);
    assert_true(a->msg_id == b->msg_id);
    assert_true(a->client_msg_id == b->client_msg_id);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->cut_size, b->cut_size);
    assert_true(same(a->conversation, b->conversation));
    assert_true(same(a->sender, b->sender));
    assert_true(same(a->content_type, b->content_type));
    assert_true(same(a->body, b->body));
    assert_int_equal(a->recalled, b->recalled);
    assert_true(same(a->conversation_name, b->conversation_name));
    assert_true(same(a->sender_name, b->sender_name));
    assert_true(a->read_mark == b->read_mark);
    assert_int_equal(a->unread, b->unread);
    assert_int_equal(a->role, b->role);
}
