/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle's own state, and what it says of sends. */
#include "oracle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "oracle_state.h"
#include "roam.pb.h"

static const char *const user_names[SIM_USERS] = {"alice", "bob", "carol",
                                                  "dave"};
const char *sim_oracle_user_name(uint32_t user)
{
    return user_names[user];
}

bool sim_same_bytes(const void *a, size_t a_len, const void *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

bool sim_same_id(const struct sim_id *a, const struct sim_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

uint32_t sim_oracle_user(struct roam_bytes name)
{
    uint32_t u = 0;
    while (u < SIM_USERS && !sim_same_bytes(name.data, name.len, user_names[u],
                                            strlen(user_names[u]))) {
        u++;
    }
    return u;
}

uint32_t sim_oracle_party(const struct sim_world *w, struct roam_bytes name)
{
    uint32_t user = sim_oracle_user(name);
    if (user < SIM_USERS) {
        return user;
    }
    for (uint32_t g = 0; g < w->oracle->group_count; g++) {
        const char *id = w->oracle->groups[g].id;
        if (id[0] != '\0' && w->oracle->groups[g].count != 0 &&
            sim_same_bytes(name.data, name.len, id, strlen(id))) {
            return SIM_USERS + g;
        }
    }
    return SIM_PARTIES;
}

struct roam_bytes sim_oracle_party_name(const struct sim_world *w,
                                        uint32_t party)
{
    const char *name = "nobody";
    if (party < SIM_USERS) {
        name = user_names[party];
    } else if (party < SIM_PARTIES) {
        name = w->oracle->groups[party - SIM_USERS].id;
    }
    return (struct roam_bytes){(const uint8_t *)name, strlen(name)};
}

void sim_oracle_open(struct sim_world *w)
{
    w->oracle = sim_alloc(w, sizeof *w->oracle);
}

void sim_oracle_close(struct sim_world *w)
{
    if (w->oracle == NULL) {
        return;
    }
    free(w->oracle->messages);
    free(w->oracle->tokens);
    free(w->oracle->ghosts);
    free(w->oracle->known);
    for (size_t p = 0; p < SIM_PARTIES; p++) {
        free(w->oracle->names[p].list);
    }
    for (size_t u = 0; u < SIM_USERS; u++) {
        free(w->oracle->timelines[u].lines);
        free(w->oracle->timelines[u].due);
    }
    for (size_t g = 0; g < SIM_GROUPS; g++) {
        free(w->oracle->groups[g].states);
        free(w->oracle->groups[g].changes);
    }
    w->oracle = NULL;
}

/* ------------------------------------------------------------- messages */

struct sim_message *sim_oracle_message_new(struct sim_world *w, uint32_t user,
                                           struct roam_bytes conversation,
                                           struct roam_bytes content_type,
                                           struct roam_bytes body)
{
    struct sim_oracle *o = w->oracle;
    struct sim_message *m = sim_alloc(w, sizeof *m);
    m->client_msg_id = sim_rng_next(&w->rng) | 1;
    m->user = user;
    m->conversation = conversation;
    m->party = sim_oracle_party(w, conversation);
    m->content_type = content_type;
    m->body = body;
    o->messages = sim_grow(o->messages, &o->message_cap, o->message_count,
                           sizeof *o->messages);
    o->messages[o->message_count++] = m;
    return m;
}

struct sim_message *sim_oracle_message(const struct sim_world *w,
                                       uint64_t client_msg_id)
{
    const struct sim_oracle *o = w->oracle;
    for (size_t i = o->message_count; i-- > 0;) {
        if (o->messages[i]->client_msg_id == client_msg_id) {
            return o->messages[i];
        }
    }
    return NULL;
}

size_t sim_oracle_stored(const struct sim_world *w)
{
    size_t stored = 0;
    for (size_t i = 0; i < w->oracle->message_count; i++) {
        stored += w->oracle->messages[i]->stored;
    }
    return stored;
}

uint32_t sim_oracle_party_of(const struct sim_message *m, uint32_t user)
{
    return m->party >= SIM_USERS || user == m->user ? m->party : m->user;
}

struct roam_bytes sim_oracle_conversation(const struct sim_world *w,
                                          const struct sim_message *m,
                                          uint32_t user)
{
    return sim_oracle_party_name(w, sim_oracle_party_of(m, user));
}

uint64_t *sim_oracle_last_msg_id(struct sim_world *w,
                                 const struct sim_message *m)
{
    uint32_t a = m->party;
    uint32_t b = m->user;
    if (a >= SIM_USERS) {
        return &w->oracle->last_msg_id[a][0];
    }
    return &w->oracle->last_msg_id[a > b ? a : b][a > b ? b : a];
}

/* ---------------------------------------------------------------- sends */

void sim_oracle_due(struct sim_world *w, struct sim_message *m)
{
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        struct sim_timeline *t = &w->oracle->timelines[u];
        if ((m->lines >> u & 1) != 0) {
            t->due =
                sim_grow(t->due, &t->due_cap, t->due_count, sizeof *t->due);
            t->due[t->due_count++] = m;
        }
    }
}

/* In the order of [SEND-19]. *error is the code with REFUSED. */
static enum roam_send_result decide_send(const struct sim_world *w,
                                         const struct sim_message *m,
                                         const struct roam_store_send *in,
                                         uint32_t *error, uint64_t *stands)
{
    bool same =
        in->kind == m->kind &&
        sim_same_bytes(in->conversation.data, in->conversation.len,
                       m->conversation.data, m->conversation.len) &&
        sim_same_bytes(in->content_type.data, in->content_type.len,
                       m->content_type.data, m->content_type.len) &&
        sim_same_bytes(in->body.data, in->body.len, m->body.data, m->body.len);
    *error = 0;
    if (m->stored) {
        *stands = m->msg_id;
        *error = same ? 0 : (uint32_t)roam_v1_ErrorCode_ID_REUSED;
        return same ? ROAM_SEND_DUPLICATE : ROAM_SEND_REFUSED;
    }
    if (m->party >= SIM_USERS) {
        return sim_oracle_decide_group(w, m, in, error, stands);
    }
    if (m->kind == roam_v1_Kind_APP &&
        (m->change.users != 0 || m->change.nobody)) { /* [OP-12] */
        *error = roam_v1_ErrorCode_NO_SUCH_USER;
        return ROAM_SEND_REFUSED;
    }
    if (sim_oracle_policy_forbids(w, m)) {
        *error = roam_v1_ErrorCode_POLICY;
        return ROAM_SEND_REFUSED;
    }
    return sim_oracle_decide_operation(w, m, in, error, stands);
}

/* What a device wrote is stored in that order, whatever was lost, limited or
 * sent again on the way; but a server waits for a limited one no longer than
 * this. [FLOW-3], [FLOW-4] */
#define LIMITED_HOLD_MS 10000u

static void check_order(struct sim_world *w, const struct sim_message *m)
{
    const struct sim_message *first = NULL; /* that has yet to be stored */
    const struct sim_message *b = m->before;
    for (; b != NULL && !b->had_turn; b = b->before) {
        first = b->must_fail == 0 && b->arrived ? b : first;
    }
    if (first != NULL && w->now_ms < first->arrived_ms + LIMITED_HOLD_MS) {
        sim_fail(w, "FLOW-3", "%" PRIx64 " overtakes %" PRIx64,
                 m->client_msg_id, first->client_msg_id);
    }
}

static void store_message(struct sim_world *w, struct sim_message *m,
                          const struct sim_row *row,
                          const struct roam_store_send *in)
{
    check_order(w, m);
    m->stored = true;
    m->order = ++w->oracle->stored_count;
    m->device = row->device;
    m->generation = in->identity.generation;
    m->attempt = in->identity.attempt;
    m->stored_ms = in->now_ms;
    if (m->party < SIM_USERS) { /* [OP-11] */
        bool own =
            m->kind == roam_v1_Kind_DELETE || m->kind == roam_v1_Kind_READ;
        m->lines = 1u << m->user | (own ? 0u : 1u << m->party);
        m->rows = m->kind == roam_v1_Kind_READ ? 0 : m->lines;
    } else {
        sim_oracle_change_group(w, m);
    }
    sim_oracle_due(w, m);
    sim_oracle_carry_out(w, m);
}

/* What the answer names must be what was stored: the scan that follows reads
 * msg_id and the versions from the timelines. */
static void note_answer(struct sim_world *w, struct sim_message *m,
                        const struct roam_store_send *in, uint64_t stands)
{
    struct sim_oracle *o = w->oracle;
    if (in->result == ROAM_SEND_DUPLICATE && stands == 0 && m->stored &&
        sim_oracle_is_void(m)) {
        m->msg_id = in->msg_id; /* its first answer got lost, and no entry tells
                                   it any more */
    } else if (in->result == ROAM_SEND_DUPLICATE && in->msg_id != stands) {
        sim_fail(w, "SEND-4", "msg_id %" PRIu64 " told again as %" PRIu64,
                 stands, in->msg_id);
    }
    if (in->result == ROAM_SEND_REFUSED) {
        m->refusals |= UINT64_C(1) << in->error;
    }
    bool answered =
        in->result == ROAM_SEND_STORED || in->result == ROAM_SEND_DUPLICATE;
    bool made = answered && m->stored && sim_oracle_makes_group(m);
    if (made) {
        sim_oracle_group_id(w, m, in->made);
    } else if (in->made.len != 0) {
        sim_fail(w, "GRP-1", "%" PRIx64 " made no group", m->client_msg_id);
    }
    m->stood = m->stood || (in->result == ROAM_SEND_DUPLICATE && !m->stored);
    if (in->result == ROAM_SEND_STORED) {
        o->told_msg_id = in->msg_id;
        o->told_count = in->delivery_count;
    }
}

void sim_oracle_send(struct sim_world *w, const struct roam_store_send *in,
                     bool told)
{
    const struct sim_row *row = NULL;
    bool holds = sim_oracle_identity_holds(w, &in->identity, &row);
    struct sim_message *m = sim_oracle_message(w, in->client_msg_id);
    if (m == NULL || row == NULL || m->user != row->user) {
        sim_fail(w, "SEND-1", "client_msg_id %" PRIx64 " that nobody wrote",
                 in->client_msg_id);
        return;
    }
    uint32_t error = 0;
    uint64_t stands = 0;
    enum roam_send_result result =
        holds ? decide_send(w, m, in, &error, &stands) : ROAM_SEND_FENCED;
    if (told && (result != in->result || error != in->error)) {
        sim_fail(w, result == ROAM_SEND_FENCED ? "KICK-5" : "SEND-4",
                 "send %" PRIx64 ": result %d/%" PRIu32 ", must be %d/%" PRIu32,
                 in->client_msg_id, in->result, in->error, result, error);
        return;
    }
    m->had_turn = m->had_turn || result != ROAM_SEND_FENCED;
    if (error == roam_v1_ErrorCode_ID_REUSED) {
        sim_fail(w, "SEND-1", "%" PRIx64 " was sent with other content",
                 in->client_msg_id);
    }
    if (result == ROAM_SEND_STORED) {
        store_message(w, m, row, in);
    }
    if (told) {
        note_answer(w, m, in, stands);
    }
}
