/* SPDX-License-Identifier: Apache-2.0 */
/* What sessions share: the loop's time for packing, and memory for output.
 *
 * A reader is a session with a READ or a page in the store. What a read
 * brings is packed in the loop, all of it in one turn if it all comes at
 * once. So there are only so many readers; the others wait in a queue and
 * have their turn one after the other. A session has one request of each
 * kind at a time, and a request brings a bounded number of bytes: a turn of
 * the loop packs what ROAM__READERS_MAX of them brought, whoever asks.
 *
 * Output is bounded for each session; but there are many. When all of them
 * together hold too much, whoever holds most of it is the one that does not
 * read, and goes: the log has all of it once more. [FLOW-11] */
#include "fault.h"
#include "session.h"

/* ------------------------------------------------------------------ turns */

static void enqueue(struct roam_session *s)
{
    struct roam_core *core = s->core;
    if (s->awaits_turn) {
        return;
    }
    s->awaits_turn = true;
    s->turn_next = NULL;
    s->turn_prev = core->turn_last;
    *(core->turn_last != NULL ? &core->turn_last->turn_next
                              : &core->turn_first) = s;
    core->turn_last = s;
}

void roam__turns_leave(struct roam_session *s)
{
    struct roam_core *core = s->core;
    if (!s->awaits_turn) {
        return;
    }
    s->awaits_turn = false;
    *(s->turn_prev != NULL ? &s->turn_prev->turn_next : &core->turn_first) =
        s->turn_next;
    *(s->turn_next != NULL ? &s->turn_next->turn_prev : &core->turn_last) =
        s->turn_prev;
}

bool roam__turns_mine(struct roam_session *s)
{
    if (s->core->reads >= ROAM__READERS_MAX) {
        enqueue(s);
        return false;
    }
    return true;
}

void roam__turns_began(struct roam_core *core)
{
    core->reads++;
}

void roam__turns_ended(struct roam_core *core)
{
    core->reads--;
    while (core->reads < ROAM__READERS_MAX && core->turn_first != NULL) {
        struct roam_session *s = core->turn_first;
        roam__turns_leave(s);
        roam__delivery_pump(s);
        roam__pages_pump(s);
    }
}

/* ----------------------------------------------------------------- output */

void roam__output_added(struct roam_core *core, size_t len)
{
    core->output_bytes += len;
}

void roam__output_left(struct roam_core *core, size_t len)
{
    core->output_bytes -= len;
}

static struct roam_session *biggest(struct roam_core *core)
{
    struct roam_session *found = NULL;
    for (struct roam_session *s = core->sessions; s != NULL; s = s->next) {
        if (found == NULL || s->out.len > found->out.len) {
            found = s;
        }
    }
    return found;
}

/* Its bytes go at once; what is lost with them is a KICK that a peer which
 * does not read would not have read. */
static void give_up(struct roam_session *s)
{
    roam__session_end(s, roam_v1_KickReason_TOO_SLOW);
    s->given_up = true;
    roam__output_left(s->core, s->out.len);
    roam__output_close(&s->out);
    roam__session_ready(s);
}

void roam__output_relieve(struct roam_core *core)
{
    while (core->output_bytes > core->config.output_total_bytes &&
           !ROAM_FAULT("output-of-all-unbounded")) {
        struct roam_session *s = biggest(core);
        if (s == NULL || s->out.len == 0) {
            return;
        }
        give_up(s);
    }
}
