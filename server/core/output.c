/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "fault.h"
#include "frame.h"

/* An empty queue gives back anything larger: many sessions idle, and most
 * answers and live pushes fit this. */
#define KEEP_BYTES 256u

static void compact(struct roam__output *out)
{
    memmove(out->data, out->data + out->start, out->len);
    out->start = 0;
}

static bool grow(struct roam__output *out, size_t len)
{
    size_t cap = out->cap < KEEP_BYTES ? KEEP_BYTES : out->cap;
    while (cap - out->start - out->len < len) {
        cap *= 2;
    }
    uint8_t *data = roam__resize(out->data, cap);
    if (data == NULL) {
        return false;
    }
    out->data = data;
    out->cap = cap;
    return true;
}

uint8_t *roam__output_room(struct roam__output *out, size_t len)
{
    if (out->cap - out->start - out->len < len) {
        /* Moved only when as much has left as is moved: so each byte is
         * moved once for each byte sent, at most. */
        if (out->start > out->len && out->cap - out->len >= len) {
            compact(out);
        } else if (!grow(out, len)) {
            return NULL;
        }
    }
    return out->data + out->start + out->len;
}

void roam__output_add(struct roam__output *out, size_t len)
{
    assert(out->start + out->len + len <= out->cap);
    out->len += len;
}

static void open_front(struct roam__output *out)
{
    const uint8_t *h = out->data + out->start;
    out->front_type = h[0];
    out->front_left = ROAM_FRAME_HEADER_BYTES + ((size_t)h[1] << 16) +
                      ((size_t)h[2] << 8) + h[3];
}

static bool is_answer(uint8_t type)
{
    return type == ROAM_SEND_OK || type == ROAM_ERROR ||
           type == ROAM_HISTORY_PAGE || type == ROAM_CONVERSATION_PAGE ||
           (type == ROAM_MEMBER_PAGE &&
            !ROAM_FAULT("members-keep-their-place")) ||
           type == ROAM_SESSION_LIST || type == ROAM_SESSION_ENDED;
}

uint32_t roam__output_sent(struct roam__output *out, size_t n)
{
    uint32_t answers = 0;
    while (n > 0 && out->len > 0) {
        if (out->front_left == 0) {
            open_front(out);
        }
        size_t take = n < out->front_left ? n : out->front_left;
        out->start += take;
        out->len -= take;
        out->front_left -= take;
        n -= take;
        if (out->front_left == 0 && is_answer(out->front_type)) {
            answers++;
        }
    }
    if (out->len == 0) {
        out->start = 0;
        if (out->cap > KEEP_BYTES) {
            free(out->data);
            out->data = NULL;
            out->cap = 0;
        }
    }
    return answers;
}

struct roam_slice roam__output_pending(const struct roam__output *out)
{
    struct roam_slice pending = {NULL, out->len};
    if (out->len > 0) {
        pending.data = out->data + out->start;
    }
    return pending;
}

void roam__output_close(struct roam__output *out)
{
    free(out->data);
    memset(out, 0, sizeof *out);
}
