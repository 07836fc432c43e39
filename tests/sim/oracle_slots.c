/* SPDX-License-Identifier: Apache-2.0 */
/* What the oracle says of slots: logins and logouts. */
#include "oracle.h"

#include <inttypes.h>
#include <string.h>

#include "oracle_state.h"
#include "roam.pb.h"

static uint32_t user_of_text(const char *name)
{
    struct roam_bytes b = {(const uint8_t *)name, strlen(name)};
    return sim_oracle_user(b);
}

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
    s->changed_ms = w->now_ms;
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

static void check_refused(struct sim_world *w,
                          const struct roam_store_login *in, uint32_t refused)
{
    if (in->refused != refused || in->generation != 0 || in->has_holder) {
        sim_fail(w, "LOGIN-8",
                 "token %s of %s: refused %" PRIu32 ", must be %" PRIu32,
                 in->token, in->user, in->refused, refused);
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
    uint32_t refused =
        sim_oracle_judge_token(w, in->token, user, &device, in->now_ms);
    if (refused != 0 || in->only_check) { /* [FLOW-5]: nothing comes of it */
        if (told) {
            check_refused(w, in, refused);
        }
        return;
    }
    struct sim_slot *s = slot_at(w, user, in->device_type);
    refused = decide(s, &device, in->attempt, in->take_over);
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
        sim_oracle_bind_token(w, in->token, &device);
        sim_oracle_note_device(w, user, &device, in);
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

bool sim_oracle_identity_holds(const struct sim_world *w,
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
    bool holds = sim_oracle_identity_holds(w, &in->identity, &row);
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
    s->changed_ms = w->now_ms;
    forget_past(s, &s->holder);
}

/* [DEV-5], [DEV-6]: what was ended did not log out. */
void sim_oracle_end_session(struct sim_world *w,
                            const struct roam_store_end_session *in, bool told)
{
    const struct sim_row *row;
    bool holds = sim_oracle_identity_holds(w, &in->identity, &row);
    struct sim_slot *s = NULL;
    enum roam_end_result result = ROAM_END_FENCED;
    if (holds) {
        s = slot_at(w, row->user, in->device_type);
        bool there = s->held && s->generation == in->generation;
        result = there ? ROAM_END_DONE : ROAM_END_NO_DEVICE;
    }
    if (told && in->result != result) {
        sim_fail(w, "DEV-5",
                 "end of type %" PRIu32 " at %" PRIu64 ": %d, must be %d",
                 in->device_type, in->generation, in->result, result);
    }
    if (result == ROAM_END_DONE) {
        s->generation++;
        s->held = false;
        s->changed_ms = w->now_ms;
        sim_oracle_revoke_bound(w, row->user, &s->holder);
    }
}

struct sim_slot_view sim_oracle_slot(const struct sim_world *w, uint32_t user,
                                     uint32_t type)
{
    const struct sim_slot *s = slot_at(w, user, type);
    return (struct sim_slot_view){s->held, s->generation, s->changed_ms};
}
