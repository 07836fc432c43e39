/* SPDX-License-Identifier: Apache-2.0 */
/* A binary heap in one array, the next event in front. */
#include "queue.h"

#include <stdlib.h>

static bool before(const struct sim_queued *x, const struct sim_queued *y)
{
    return x->at_ms != y->at_ms ? x->at_ms < y->at_ms : x->order < y->order;
}

static void swap(struct sim_queued *x, struct sim_queued *y)
{
    struct sim_queued t = *x;
    *x = *y;
    *y = t;
}

static void grow(struct sim_queue *q)
{
    q->cap = q->cap == 0 ? 256 : 2 * q->cap;
    q->heap = realloc(q->heap, q->cap * sizeof *q->heap);
    if (q->heap == NULL) {
        abort(); /* the simulator does without memory errors of its own */
    }
}

void sim_queue_push(struct sim_queue *q, uint64_t at_ms,
                    enum sim_event_kind kind, uint32_t a, uint64_t b)
{
    if (q->count == q->cap) {
        grow(q);
    }
    size_t i = q->count++;
    q->heap[i] = (struct sim_queued){at_ms, q->next_order++, kind, a, b};
    while (i > 0 && before(&q->heap[i], &q->heap[(i - 1) / 2])) {
        swap(&q->heap[i], &q->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

bool sim_queue_pop(struct sim_queue *q, struct sim_queued *out)
{
    if (q->count == 0) {
        return false;
    }
    *out = q->heap[0];
    q->heap[0] = q->heap[--q->count];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < q->count; c++) {
            if (before(&q->heap[c], &q->heap[least])) {
                least = c;
            }
        }
        if (least == i) {
            return true;
        }
        swap(&q->heap[i], &q->heap[least]);
        i = least;
    }
}

void sim_queue_free(struct sim_queue *q)
{
    free(q->heap);
    *q = (struct sim_queue){0};
}
