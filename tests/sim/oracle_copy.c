/* SPDX-License-Identifier: Apache-2.0 */
/* What the oracle knew at the time of a backup, and how it forgets what came
 * after it. Messages, tokens and groups that are lost keep their numbers, but
 * are not there any more; what was told of them is remembered as lost. Lines
 * and states are lists that only grow, so of them a copy is their length. */
#include "oracle.h"

#include <string.h>

#include "oracle_state.h"

struct sim_oracle_copy {
    struct sim_message *messages;
    size_t message_count;
    struct sim_token *tokens;
    size_t token_count;
    struct sim_slot slots[SIM_USERS][SIM_TYPES];
    struct sim_row rows[SIM_ROWS_MAX];
    size_t row_count, known_count;
    size_t lines[SIM_USERS], floors[SIM_USERS];
    size_t states[SIM_GROUPS];
    sim_users ever[SIM_GROUPS];
    uint64_t last_msg_id[SIM_PARTIES][SIM_USERS];
    struct roam_bytes names[SIM_PARTIES];
    sim_users blocked_by[SIM_USERS];
};

struct sim_oracle_copy *sim_oracle_copy(struct sim_world *w)
{
    const struct sim_oracle *o = w->oracle;
    struct sim_oracle_copy *c = sim_alloc(w, sizeof *c);
    c->messages = sim_alloc(w, o->message_count * sizeof *c->messages);
    c->message_count = o->message_count;
    for (size_t i = 0; i < o->message_count; i++) {
        c->messages[i] = *o->messages[i];
    }
    c->tokens = sim_alloc(w, o->token_count * sizeof *c->tokens);
    c->token_count = o->token_count;
    for (size_t i = 0; i < o->token_count; i++) {
        c->tokens[i] = *o->tokens[i];
    }
    memcpy(c->slots, o->slots, sizeof c->slots);
    memcpy(c->rows, o->rows, sizeof c->rows);
    c->row_count = o->row_count;
    c->known_count = o->known_count;
    memcpy(c->last_msg_id, o->last_msg_id, sizeof c->last_msg_id);
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        c->lines[u] = o->timelines[u].count;
        c->floors[u] = o->timelines[u].floor;
    }
    for (uint32_t p = 0; p < SIM_PARTIES; p++) {
        c->names[p] = sim_oracle_name(w, p);
    }
    memcpy(c->blocked_by, o->blocked_by, sizeof c->blocked_by);
    for (uint32_t g = 0; g < SIM_GROUPS; g++) {
        c->states[g] = o->groups[g].count;
        c->ever[g] = o->groups[g].ever;
    }
    return c;
}

/* ------------------------------------------------------------------ return */

static void note_lost(struct sim_world *w, struct sim_message *m)
{
    struct sim_oracle *o = w->oracle;
    m->lost = true;
    o->ghosts =
        sim_grow(o->ghosts, &o->ghost_cap, o->ghost_count, sizeof *o->ghosts);
    o->ghosts[o->ghost_count++] =
        (struct sim_ghost){m->msg_id, m->user, m->party};
}

bool sim_oracle_is_ghost(const struct sim_world *w, uint32_t user,
                         uint64_t party, uint64_t msg_id)
{
    for (size_t i = 0; i < w->oracle->ghost_count; i++) {
        const struct sim_ghost *g = &w->oracle->ghosts[i];
        uint32_t with =
            g->party >= SIM_USERS || user == g->user ? g->party : g->user;
        if (g->msg_id == msg_id && with == party) {
            return true;
        }
    }
    return false;
}

/* What the store knew of the message; what persons and devices did with it
 * happened all the same. */
static void go_back(struct sim_world *w, struct sim_message *m,
                    const struct sim_message *was)
{
    struct sim_message now = *m;
    m->was_undone = m->was_undone || m->undone_by != NULL;
    if (m->stored && !was->stored) {
        note_lost(w, m);
    }
    now.lost = m->lost;
    now.was_undone = m->was_undone;
    *m = *was;
    m->refusals = now.refusals;
    m->stood = now.stood;
    m->arrived = now.arrived;
    m->arrived_ms = now.arrived_ms;
    m->had_turn = now.had_turn;
    m->lost = now.lost;
    m->was_undone = now.was_undone;
}

/* As it was written, and not sent so far. */
static struct sim_message unsent(const struct sim_message *m)
{
    struct sim_message was = {.client_msg_id = m->client_msg_id,
                              .user = m->user,
                              .party = m->party,
                              .kind = m->kind,
                              .change = m->change,
                              .target = m->target,
                              .must_fail = m->must_fail,
                              .conversation = m->conversation,
                              .content_type = m->content_type,
                              .body = m->body,
                              .before = m->before};
    if (sim_oracle_makes_group(m)) {
        was.party = SIM_PARTIES;
    }
    return was;
}

static void return_tokens(struct sim_oracle *o, const struct sim_oracle_copy *c)
{
    for (size_t i = 0; i < o->token_count; i++) {
        struct sim_token *t = o->tokens[i];
        if (i < c->token_count) {
            *t = c->tokens[i];
        } else {
            t->lost = true;
        }
    }
}

void sim_oracle_return(struct sim_world *w, const struct sim_oracle_copy *c)
{
    struct sim_oracle *o = w->oracle;
    for (size_t i = 0; i < o->message_count; i++) {
        struct sim_message was =
            i < c->message_count ? c->messages[i] : unsent(o->messages[i]);
        go_back(w, o->messages[i], &was);
    }
    return_tokens(o, c);
    memcpy(o->slots, c->slots, sizeof o->slots);
    memcpy(o->rows, c->rows, sizeof o->rows);
    o->row_count = c->row_count;
    o->known_count = c->known_count;
    memcpy(o->last_msg_id, c->last_msg_id, sizeof o->last_msg_id);
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        o->timelines[u].count = c->lines[u];
        o->timelines[u].floor = c->floors[u];
        uint64_t head = sim_oracle_head(w, u);
        o->told_head[u] = o->told_head[u] < head ? o->told_head[u] : head;
    }
    for (uint32_t g = 0; g < SIM_GROUPS; g++) {
        o->groups[g].count = c->states[g];
        o->groups[g].ever = c->ever[g];
    }
    for (uint32_t p = 0; p < SIM_PARTIES; p++) {
        sim_oracle_note_name(w, p, c->names[p]);
    }
    memcpy(o->blocked_by, c->blocked_by, sizeof o->blocked_by);
    o->told_msg_id = 0;
}
