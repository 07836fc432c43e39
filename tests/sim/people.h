/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of what persons do, shared by people.c and people_groups.c. */
#ifndef SIM_PEOPLE_H
#define SIM_PEOPLE_H

#include "oracle.h"
#include "sim.h"

/* A group, most often one that the user is in; SIM_PARTIES: there is none. */
uint32_t sim_people_draw_group(struct sim_world *w, uint32_t user);
/* A change of a group, or a new one. NULL: there is no group. */
struct sim_message *sim_people_draw_change(struct sim_world *w, uint32_t user);
/* The names of those whom a change names, for its body: room for SIM_USERS + 1.
 * Returns how many. */
size_t sim_people_name(const struct sim_world *w, const struct sim_change *c,
                       struct roam_slice *names);

#endif
