/* SPDX-License-Identifier: Apache-2.0 */
/* What persons do with groups: at random, also what they may not do. */
#include <string.h>

#include "operation.h"
#include "people.h"
#include "roam.pb.h"
#include "server.h"

/* Of the changes, those that make a group while there can be more. */
#define CREATE_PERMILLE 300u
/* Of what is done in a group, that in one of the user's own. */
#define OWN_PERMILLE 800u
/* Of the changes that name somebody, those that name nobody who exists. */
#define NOBODY_PERMILLE 30u
/* Of the changes that will be lost, those that put somebody out. */
#define DOOMED_PERMILLE 600u
/* The longest body that is drawn here fits. */
#define CHANGE_BYTES 256u

static struct roam_bytes text(const char *s)
{
    return (struct roam_bytes){(const uint8_t *)s, strlen(s)};
}

static bool is_in(const struct sim_world *w, uint32_t user, uint32_t group)
{
    return sim_role_is_member(sim_oracle_group(w, group)->parts[user].role);
}

/* Any group; or one that the user is in, or is not in. */
static uint32_t draw_group(struct sim_world *w, uint32_t user, bool any,
                           bool in)
{
    uint32_t found = SIM_PARTIES;
    uint32_t count = 0;
    for (uint32_t g = 0; g < sim_oracle_groups(w); g++) {
        if ((any || is_in(w, user, g) == in) &&
            sim_rng_below(&w->rng, ++count) == 0) {
            found = SIM_USERS + g;
        }
    }
    return found;
}

uint32_t sim_people_draw_group(struct sim_world *w, uint32_t user)
{
    bool own = sim_rng_chance(&w->rng, OWN_PERMILLE);
    return draw_group(w, user, !own, true);
}

/* Who wants to come in is most often not there yet. */
static uint32_t draw_group_for(struct sim_world *w, uint32_t user,
                               uint32_t action)
{
    bool own = sim_rng_chance(&w->rng, OWN_PERMILLE);
    bool joins = action == roam_v1_GroupAction_JOIN;
    return draw_group(w, user, !own, !joins);
}

size_t sim_people_name(const struct sim_world *w, const struct sim_change *c,
                       struct roam_slice *names)
{
    size_t count = 0;
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        if ((c->users >> u & 1) != 0) {
            struct roam_bytes name = sim_oracle_party_name(w, u);
            names[count++] = (struct roam_slice){name.data, name.len};
        }
    }
    if (c->nobody) {
        names[count++] = (struct roam_slice){(const uint8_t *)"nobody", 6};
    }
    return count;
}

/* A backup was taken, and what is done now will be lost. */
static bool is_doomed(const struct sim_world *w)
{
    return w->dooms && w->server->backup.oracle != NULL;
}

/* Leaving for good is rarer than the rest. */
static uint32_t draw_action(struct sim_world *w)
{
    static const uint32_t actions[] = {
        roam_v1_GroupAction_INVITE,      roam_v1_GroupAction_INVITE,
        roam_v1_GroupAction_INVITE,      roam_v1_GroupAction_JOIN,
        roam_v1_GroupAction_JOIN,        roam_v1_GroupAction_JOIN,
        roam_v1_GroupAction_APPROVE,     roam_v1_GroupAction_APPROVE,
        roam_v1_GroupAction_DENY,        roam_v1_GroupAction_LEAVE,
        roam_v1_GroupAction_REMOVE,      roam_v1_GroupAction_REMOVE,
        roam_v1_GroupAction_RENAME,      roam_v1_GroupAction_SET_ADMIN,
        roam_v1_GroupAction_SET_ADMIN,   roam_v1_GroupAction_SET_ADMIN,
        roam_v1_GroupAction_UNSET_ADMIN, roam_v1_GroupAction_MUTE,
        roam_v1_GroupAction_MUTE,        roam_v1_GroupAction_UNMUTE,
        roam_v1_GroupAction_UNMUTE,      roam_v1_GroupAction_SET_JOIN,
        roam_v1_GroupAction_SET_JOIN,    roam_v1_GroupAction_TRANSFER,
        roam_v1_GroupAction_TRANSFER,    roam_v1_GroupAction_JOIN,
        roam_v1_GroupAction_JOIN};
    uint32_t count = sizeof actions / sizeof actions[0];
    /* What a device comes to know by pages before its entries. */
    if (is_doomed(w) && sim_rng_chance(&w->rng, DOOMED_PERMILLE)) {
        return sim_rng_chance(&w->rng, 500) ? roam_v1_GroupAction_LEAVE
                                            : roam_v1_GroupAction_REMOVE;
    }
    if (sim_rng_chance(&w->rng, 15)) {
        return roam_v1_GroupAction_DISSOLVE;
    }
    return actions[sim_rng_below(&w->rng, count)];
}

static struct roam_bytes draw_name(struct sim_world *w)
{
    static const char *const names[] = {"hikers", "chess club",
                                        "B\303\274cherei", "x"};
    return text(names[sim_rng_below(&w->rng, 4)]);
}

/* Applicants are what most can go wrong with. */
static uint32_t draw_join(struct sim_world *w)
{
    static const uint32_t modes[] = {
        roam_v1_JoinMode_JOIN_OPEN, roam_v1_JoinMode_JOIN_APPROVAL,
        roam_v1_JoinMode_JOIN_APPROVAL, roam_v1_JoinMode_JOIN_CLOSED};
    return modes[sim_rng_below(&w->rng, 4)];
}

/* One user, whatever it is there. JOIN is asked for by strangers, so there may
 * be an applicant. */
static sim_users draw_target(struct sim_world *w, uint32_t group,
                             uint32_t action)
{
    bool judges = action == roam_v1_GroupAction_APPROVE ||
                  action == roam_v1_GroupAction_DENY;
    const struct sim_group_state *s = sim_oracle_group(w, group);
    for (uint32_t u = 0; judges && u < SIM_USERS; u++) {
        if (s->parts[u].role == roam_v1_Role_APPLICANT &&
            sim_rng_chance(&w->rng, 700)) {
            return 1u << u;
        }
    }
    return 1u << sim_rng_below(&w->rng, SIM_USERS);
}

/* With CREATE, group does not matter. */
static struct sim_change draw_change(struct sim_world *w, uint32_t action,
                                     uint32_t group)
{
    struct sim_change c = {.action = action};
    switch ((int)action) {
    case roam_v1_GroupAction_CREATE:
        c.users = (sim_users)sim_rng_below(&w->rng, 1u << SIM_USERS);
        c.join = draw_join(w);
        c.name = sim_rng_chance(&w->rng, 500) ? draw_name(w) : text("");
        break;
    case roam_v1_GroupAction_INVITE:
        c.users = 1 + sim_rng_below(&w->rng, (1u << SIM_USERS) - 1);
        break;
    case roam_v1_GroupAction_RENAME:
        c.name = draw_name(w);
        return c;
    case roam_v1_GroupAction_SET_JOIN:
        c.join = draw_join(w);
        return c;
    case roam_v1_GroupAction_JOIN:
    case roam_v1_GroupAction_LEAVE:
    case roam_v1_GroupAction_DISSOLVE:
        return c;
    case roam_v1_GroupAction_MUTE:
    case roam_v1_GroupAction_UNMUTE:
        if (sim_rng_chance(&w->rng, 300)) {
            return c; /* all */
        }
        c.users = draw_target(w, group, action);
        break;
    default:
        c.users = draw_target(w, group, action);
    }
    if (sim_rng_chance(&w->rng, NOBODY_PERMILLE)) {
        c.nobody = true;
        c.users = action <= roam_v1_GroupAction_INVITE ? c.users : 0;
    }
    return c;
}

struct sim_message *sim_people_draw_change(struct sim_world *w, uint32_t user)
{
    bool makes =
        w->made < SIM_GROUPS_MADE && sim_rng_chance(&w->rng, CREATE_PERMILLE);
    uint32_t action =
        makes ? (uint32_t)roam_v1_GroupAction_CREATE : draw_action(w);
    uint32_t party = draw_group_for(w, user, action);
    if (!makes && party == SIM_PARTIES) {
        return NULL;
    }
    struct sim_change c = draw_change(w, action, party - SIM_USERS);
    struct roam_slice names[SIM_USERS + 1];
    struct roam_operation op = {.kind = roam_v1_Kind_GROUP,
                                .action = c.action,
                                .join = c.join,
                                .name = {c.name.data, c.name.len}};
    if (action == roam_v1_GroupAction_JOIN) {
        op.text = (struct roam_slice){(const uint8_t *)"please", 6};
    }
    uint8_t *body = sim_alloc(w, CHANGE_BYTES);
    size_t len = roam_operation_encode(
        &op, names, sim_people_name(w, &c, names), body, CHANGE_BYTES);
    struct sim_message *m = sim_oracle_message_new(
        w, user, makes ? text("#") : sim_oracle_party_name(w, party), text(""),
        (struct roam_bytes){body, len});
    m->kind = roam_v1_Kind_GROUP;
    m->change = c;
    w->made += makes ? 1u : 0u;
    return m;
}
