/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves the server as SESSION_LIST and SESSION_ENDED. Slots have no
 * timeline, so a list is compared as far as slots have not changed since it
 * was asked for. */
#include <inttypes.h>
#include <string.h>

#include "device.h"
#include "net.h"
#include "rows.h"
#include "watch.h"

/* One row against the slot that it tells of. [DEV-3], [DEV-4] */
static void check_row(struct sim_world *w, const struct sim_link *l,
                      const struct sim_page_wanted *p,
                      const struct roam_session_row *row)
{
    const struct sim_watch *t = &l->watch;
    struct sim_slot_view slot =
        sim_oracle_slot(w, t->user, row->device_type % SIM_TYPES);
    bool settled = slot.changed_ms < p->asked_ms;
    bool self = row->device_type == t->type && row->generation == t->generation;
    bool right = settled ? slot.held && row->generation == slot.generation
                         : row->generation <= slot.generation;
    if (!right || row->device_type <= p->user || row->self != self ||
        (self && !row->online)) {
        sim_fail(w, "DEV-3",
                 "#%u: slot %" PRIu32 " at generation %" PRIu64 ", self %d",
                 l->number, row->device_type, row->generation, row->self);
    }
}

void sim_watch_session_list(struct sim_world *w, struct sim_link *l,
                            const struct roam_message *m)
{
    struct sim_page_wanted p;
    struct roam_slice rows = m->body;
    struct roam_session_row row;
    uint32_t told = 0; /* set of types */
    uint32_t last = 0;
    if (!sim_watch_page_answers(w, l, ROAM_SESSIONS, m->u.session_list.ref,
                                &p)) {
        return;
    }
    while (!w->failed && roam_session_row_next(&rows, &row)) {
        check_row(w, l, &p, &row);
        told |= 1u << row.device_type;
        last = row.device_type;
    }
    for (uint32_t type = p.user + 1; type < SIM_TYPES && !w->failed; type++) {
        struct sim_slot_view slot = sim_oracle_slot(w, l->watch.user, type);
        bool must = slot.held && slot.changed_ms < p.asked_ms &&
                    !(m->u.session_list.more && type > last);
        if (must && (told >> type & 1) == 0) {
            sim_fail(w, "DEV-3", "#%u: slot %" PRIu32 " is left out", l->number,
                     type);
        }
    }
}

void sim_watch_session_ended(struct sim_world *w, struct sim_link *l,
                             uint64_t ref)
{
    struct sim_page_wanted p;
    if (!sim_watch_page_answers(w, l, ROAM_END_SESSION, ref, &p)) {
        return;
    }
    if (sim_oracle_slot(w, l->watch.user, p.user).generation <= p.before) {
        sim_fail(w, "DEV-6", "#%u: slot %" PRIu32 " goes on", l->number,
                 p.user);
    }
}
