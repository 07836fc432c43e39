/* SPDX-License-Identifier: Apache-2.0 */
/* A person looks where else the user is logged in, and logs some of it out. */
#include "device.h"
#include "pull.h"
#include "roam.pb.h"

/* Of the looks, those that end a session; and of these, those that name a
 * generation that is not the one. */
#define END_PERMILLE 250u
#define WRONG_PERMILLE 200u

enum roam_status sim_sessions_ask(struct sim_world *w, struct sim_device *d)
{
    struct sim_sessions_asked *p = &d->page.sessions;
    p->ends = p->type != 0;
    if (!p->ends) {
        uint32_t after = sim_rng_below(&w->rng, 4);
        sim_step(w, SIM_STEP_ASKS_SESSIONS, d->index, after, 0);
        return roam_client_sessions(&d->client, d->page.ref, after, w->now_ms);
    }
    uint32_t type = p->type;
    p->type = 0;
    sim_step(w, SIM_STEP_ENDS_SESSION, d->index, type, p->generation);
    return roam_client_end_session(&d->client, d->page.ref,
                                   (enum roam_device_type)type, p->generation,
                                   w->now_ms);
}

/* Any of the rows may be the one to be logged out, its own among them. */
void sim_sessions_on_row(struct sim_world *w, struct sim_device *d,
                         const struct roam_event *ev)
{
    struct sim_sessions_asked *p = &d->page.sessions;
    if (!d->page.asked || d->page.what != SIM_ASKS_SESSIONS || p->ends ||
        ev->u.session.ref != d->page.ref) {
        sim_fail(w, "client", "%s gets a session of no list", d->name);
        return;
    }
    if (!sim_fault_on(w, SIM_FAULT_END_SESSION) ||
        !sim_rng_chance(&w->rng, END_PERMILLE)) {
        return;
    }
    bool wrong = sim_rng_chance(&w->rng, WRONG_PERMILLE);
    p->type = (uint32_t)ev->u.session.device_type;
    p->generation = ev->u.session.generation + (wrong ? 1 : 0);
}

void sim_sessions_on_end(struct sim_world *w, struct sim_device *d)
{
    if (d->page.sessions.ends) {
        sim_fault_happened(w, SIM_FAULT_END_SESSION);
    }
}
