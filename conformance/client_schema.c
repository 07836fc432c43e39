/* SPDX-License-Identifier: Apache-2.0 */
/* A client's frames, each by itself: see client_schema.h. */
#include "client_schema.h"

#include <inttypes.h>

#define V_MAX ((uint64_t)INT64_MAX)
#define U24 0xffffffu

/* Bounds of a value, or of the length of a text or bytes field. */
struct bound {
    uint8_t type;
    const char *field;
    uint64_t least, most;
};

static const struct bound bounds[] = {
    {F_LOGIN, "protocol", 1, UINT32_MAX},
    {F_LOGIN, "user", 1, 64},
    {F_LOGIN, "token", 1, 128},
    {F_LOGIN, "device_id", 16, 16},
    {F_LOGIN, "device_type", 1, 6},
    {F_LOGIN, "device_name", 0, 64},
    {F_LOGIN, "software", 0, 64},
    {F_LOGIN, "attempt", 1, V_MAX},
    {F_LOGIN, "take_over", 0, V_MAX},
    {F_LOGIN, "max_frame", 512, U24},
    {F_SYNC, "cursor", 0, V_MAX},
    {F_SYNC, "max_unacked", 4, 100000},
    {F_SYNC, "max_inflated", 1024, U24},
    {F_ACK, "version", 1, V_MAX},
    {F_SEND, "client_msg_id", 1, UINT64_MAX},
    {F_SEND, "conversation", 1, 64},
    {F_SEND, "content_type", 0, 64},
    {F_HISTORY, "ref", 1, UINT64_MAX},
    {F_HISTORY, "conversation", 1, 64},
    {F_HISTORY, "before", 0, V_MAX},
    {F_HISTORY, "after", 0, V_MAX},
    {F_HISTORY, "max_rows", 1, 1000},
    {F_HISTORY, "max_inflated", 1024, U24},
    {F_CONVERSATIONS, "ref", 1, UINT64_MAX},
    {F_CONVERSATIONS, "before", 0, V_MAX},
    {F_CONVERSATIONS, "conversation", 0, 64},
    {F_CONVERSATIONS, "max_rows", 1, 1000},
    {F_CONVERSATIONS, "max_inflated", 1024, U24},
};

static bool check_bounds(const struct frame *f, struct schema_fault *fault)
{
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        const struct bound *b = &bounds[i];
        struct value v;
        if (b->type != f->number || !field_get(f->msg, b->field, &v)) {
            continue;
        }
        uint64_t n = v.kind == VALUE_BYTES ? v.len : v.number;
        if (n < b->least || n > b->most) {
            fault->what = arena_printf(
                "%s %s is %" PRIu64 ", section 4 has %" PRIu64 "..%" PRIu64,
                b->field, v.kind == VALUE_BYTES ? "length" : "value", n,
                b->least, b->most);
            return false;
        }
    }
    return true;
}

/* `conversation` goes with `before`, and comes not without it. */
static bool check_list(const Roam__V1__Conversations *m,
                       struct schema_fault *fault)
{
    fault->what = "conversation is required with before, and only with it";
    return (m->before != 0) == (m->conversation[0] != '\0');
}

bool client_schema_check(const struct frame *f, struct schema_fault *fault)
{
    bool ok = schema_check(f, fault) && check_bounds(f, fault) &&
              (f->number != F_CONVERSATIONS ||
               check_list((const Roam__V1__Conversations *)f->msg, fault));
    fault->rule = "FRAME-16";
    return ok;
}
