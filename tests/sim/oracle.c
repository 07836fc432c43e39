/* SPDX-License-Identifier: Apache-2.0 */
/* The oracle's own state, and what it says of slots and sends. */
#include "oracle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "oracle_state.h"
#include "roam.pb.h"

static const char *const user_names[SIM_USERS] = {"alice", "bob"};
static const char *const user_tokens[SIM_USERS] = {"alice-token", "bob-token"};

const char *sim_oracle_user_name(uint32_t user)
{
    return user_names[user];
}

const char *sim_oracle_token(uint32_t user)
{
    return user_tokens[user];
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

static uint32_t user_of_text(const char *name)
{
    struct roam_bytes b = {(const uint8_t *)name, strlen(name)};
    return sim_oracle_user(b);
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
    for (size_t u = 0; u < SIM_USERS; u++) {
        free(w->oracle->timelines[u].lines);
        free(w->oracle->timelines[u].due);
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

struct roam_bytes sim_oracle_conversation(const struct sim_message *m,
                                          uint32_t user)
{
    if (user == m->user) {
        return m->conversation;
    }
    const char *name = user_names[m->user];
    return (struct roam_bytes){(const uint8_t *)name, strlen(name)};
}

/* ---------------------------------------------------------------- slots */

static struct sim_slot *slot_at(const struct sim_world *w, uint32_t user,
                                uint32_t type)
{
    return &w->oracle->slots[user][type];
}

static bool was_here(const struct sim_slot *s, const struct sim_id *device)
{
    for (size_t i = 0; i < s->past_count; i++) {
        if (sim_same_id(&s->past[i], device)) {
            return true;
        }
    }
    return false;
}

/* [LOGIN-10] to [LOGIN-13], in the words of the spec. */
static uint32_t decide(const struct sim_slot *s, const struct sim_id *device,
                       uint64_t attempt, uint64_t take_over)
{
    if (s->held && sim_same_id(&s->holder, device)) {
        return attempt > s->attempt ? 0u
                                    : (uint32_t)roam_v1_RefusedReason_STALE;
    }
    if (take_over == s->generation) {
        return 0;
    }
    if (!s->held) {
        return roam_v1_RefusedReason_FREE;
    }
    return was_here(s, device) ? roam_v1_RefusedReason_KICKED
                               : roam_v1_RefusedReason_OCCUPIED;
}

static void forget_past(struct sim_slot *s, const struct sim_id *device)
{
    for (size_t i = 0; i < s->past_count; i++) {
        if (sim_same_id(&s->past[i], device)) {
            s->past[i] = s->past[--s->past_count];
            return;
        }
    }
}

static void remember_past(struct sim_world *w, struct sim_slot *s,
                          const struct sim_id *device)
{
    if (was_here(s, device)) {
        return;
    }
    if (s->past_count == SIM_PAST_MAX) {
        sim_fail(w, "simulator", "too many devices for one slot");
        return;
    }
    s->past[s->past_count++] = *device;
}

void sim_oracle_person_takes(struct sim_world *w, const struct sim_id *device,
                             uint64_t generation)
{
    struct sim_oracle *o = w->oracle;
    struct sim_act *act = &o->acts[o->act_count++ % SIM_ACTS_MAX];
    *act = (struct sim_act){*device, generation};
    w->takeovers++;
}

/* An automatic login never changes a slot: [LOGIN-3]. */
static void check_act(struct sim_world *w, const struct sim_slot *s,
                      const struct sim_id *device,
                      const struct roam_store_login *in)
{
    if (s->generation == 0 || (s->held && sim_same_id(&s->holder, device))) {
        return;
    }
    for (size_t i = 0; i < SIM_ACTS_MAX; i++) {
        struct sim_act *act = &w->oracle->acts[i];
        if (act->generation == in->take_over && act->generation != 0 &&
            sim_same_id(&act->device, device)) {
            act->generation = 0;
            return;
        }
    }
    sim_fail(w, "LOGIN-3", "slot %s/%" PRIu32 " changed hands without a person",
             in->user, in->device_type);
}

static void grant(struct sim_world *w, struct sim_slot *s,
                  const struct sim_id *device,
                  const struct roam_store_login *in, bool told)
{
    check_act(w, s, device, in);
    bool same = s->held && sim_same_id(&s->holder, device);
    uint64_t old = s->generation;
    /* An answer that was lost leaves the next number to a guess; both stores
     * count by one. */
    s->generation = told ? in->generation : old + (same ? 0 : 1);
    if (same ? s->generation != old : s->generation <= old) {
        sim_fail(w, "LOGIN-15", "generation from %" PRIu64 " to %" PRIu64, old,
                 s->generation);
    }
    s->held = true;
    s->holder = *device;
    s->attempt = in->attempt;
    remember_past(w, s, device);
}

/* Learns which device is behind the store's number. */
static void learn_row(struct sim_world *w, const struct roam_identity *who,
                      uint32_t user, const struct sim_id *device)
{
    struct sim_oracle *o = w->oracle;
    for (size_t i = 0; i < o->row_count; i++) {
        if (o->rows[i].row == who->device && o->rows[i].user_row == who->user) {
            if (!sim_same_id(&o->rows[i].device, device) ||
                o->rows[i].user != user) {
                sim_fail(w, "store", "device row %" PRId64 " is two devices",
                         who->device);
            }
            return;
        }
    }
    if (o->row_count == SIM_ROWS_MAX) {
        sim_fail(w, "simulator", "too many devices");
        return;
    }
    o->rows[o->row_count++] =
        (struct sim_row){who->user, who->device, user, *device};
}

static const struct sim_row *row_of(const struct sim_world *w,
                                    const struct roam_identity *who)
{
    for (size_t i = 0; i < w->oracle->row_count; i++) {
        const struct sim_row *r = &w->oracle->rows[i];
        if (r->row == who->device && r->user_row == who->user) {
            return r;
        }
    }
    return NULL;
}

static void refuse_token(struct sim_world *w, const struct roam_store_login *in,
                         bool told)
{
    if (told && (in->refused != roam_v1_RefusedReason_CREDENTIAL ||
                 in->generation != 0 || in->has_holder)) {
        sim_fail(w, "LOGIN-8", "a wrong token of %s: refused %" PRIu32,
                 in->user, in->refused);
    }
}

void sim_oracle_login(struct sim_world *w, const struct roam_store_login *in,
                      bool told)
{
    struct sim_id device;
    memcpy(device.bytes, in->device_id, sizeof device.bytes);
    uint32_t user = user_of_text(in->user);
    if (user == SIM_USERS) {
        sim_fail(w, "LOGIN-8", "login of an unknown user");
        return;
    }
    if (strcmp(in->token, user_tokens[user]) != 0) {
        refuse_token(w, in, told);
        return;
    }
    if (in->only_check) { /* [FLOW-5]: good, and nothing comes of it */
        if (told && (in->refused != 0 || in->generation != 0)) {
            sim_fail(w, "FLOW-5", "a throttled login: refused %" PRIu32,
                     in->refused);
        }
        return;
    }
    struct sim_slot *s = slot_at(w, user, in->device_type);
    uint32_t refused = decide(s, &device, in->attempt, in->take_over);
    if (told && refused != in->refused) {
        sim_fail(w, "LOGIN-10..13",
                 "attempt %" PRIu64 " take_over %" PRIu64 " of %s/%" PRIu32
                 " at generation %" PRIu64 ": refused %" PRIu32
                 ", must be %" PRIu32,
                 in->attempt, in->take_over, in->user, in->device_type,
                 s->generation, in->refused, refused);
        return;
    }
    if (refused == 0) {
        grant(w, s, &device, in, told);
        if (told) {
            learn_row(w, &in->identity, user, &device);
        }
    } else if (told &&
               (in->generation != s->generation || in->has_holder != s->held)) {
        sim_fail(w, "LOGIN-14", "generation %" PRIu64 " told, is %" PRIu64,
                 in->generation, s->generation);
    }
}

bool sim_oracle_holds(const struct sim_world *w, uint32_t user, uint32_t type,
                      const struct sim_id *device, uint64_t generation,
                      uint64_t attempt)
{
    const struct sim_slot *s = slot_at(w, user, type);
    return s->held && s->generation == generation && s->attempt == attempt &&
           sim_same_id(&s->holder, device);
}

bool sim_oracle_is_holder(const struct sim_world *w, uint32_t user,
                          uint32_t type, const struct sim_id *device)
{
    const struct sim_slot *s = slot_at(w, user, type);
    return s->held && sim_same_id(&s->holder, device);
}

static bool identity_holds(const struct sim_world *w,
                           const struct roam_identity *who,
                           const struct sim_row **row)
{
    *row = row_of(w, who);
    return *row != NULL &&
           sim_oracle_holds(w, (*row)->user, who->device_type, &(*row)->device,
                            who->generation, who->attempt);
}

void sim_oracle_logout(struct sim_world *w, const struct roam_store_logout *in,
                       bool told)
{
    const struct sim_row *row;
    bool holds = identity_holds(w, &in->identity, &row);
    if (told && in->fenced == holds) {
        sim_fail(w, "KICK-9", "logout fenced %d, must be %d", in->fenced,
                 !holds);
        return;
    }
    if (!holds) {
        return;
    }
    struct sim_slot *s = slot_at(w, row->user, in->identity.device_type);
    if (told && in->generation <= s->generation) {
        sim_fail(w, "KICK-9", "logout keeps generation %" PRIu64,
                 s->generation);
    }
    s->generation = told ? in->generation : s->generation + 1;
    s->held = false;
    forget_past(s, &s->holder);
}

/* ---------------------------------------------------------------- sends */

static void due_on(struct sim_world *w, uint32_t user, struct sim_message *m)
{
    struct sim_timeline *t = &w->oracle->timelines[user];
    t->due = sim_grow(t->due, &t->due_cap, t->due_count, sizeof *t->due);
    t->due[t->due_count++] = m;
}

/* In the order of [SEND-19]. *error is the code with REFUSED. */
static enum roam_send_result decide_send(const struct sim_world *w,
                                         const struct sim_message *m,
                                         const struct roam_store_send *in,
                                         uint32_t *error, uint64_t *stands)
{
    struct roam_bytes name = {in->conversation.data, in->conversation.len};
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
    if (sim_oracle_user(name) == SIM_USERS) {
        *error = roam_v1_ErrorCode_NO_SUCH_CONVERSATION;
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
    struct roam_bytes name = {in->conversation.data, in->conversation.len};
    uint32_t to = sim_oracle_user(name);
    bool is_private =
        m->kind == roam_v1_Kind_DELETE || m->kind == roam_v1_Kind_READ;
    due_on(w, m->user, m);
    if (to != m->user && !is_private) { /* [OP-11] */
        due_on(w, to, m);
    }
    m->stored_ms = in->now_ms;
    sim_oracle_carry_out(w, m);
}

/* What the answer names must be what was stored: the scan that follows reads
 * msg_id and the versions from the timelines. */
static void note_answer(struct sim_world *w, struct sim_message *m,
                        const struct roam_store_send *in, uint64_t stands)
{
    struct sim_oracle *o = w->oracle;
    if (in->result == ROAM_SEND_DUPLICATE && in->msg_id != stands) {
        sim_fail(w, "SEND-4", "msg_id %" PRIu64 " told again as %" PRIu64,
                 stands, in->msg_id);
    }
    if (in->result == ROAM_SEND_REFUSED) {
        m->refusals |= UINT64_C(1) << in->error;
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
    const struct sim_row *row;
    bool holds = identity_holds(w, &in->identity, &row);
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
