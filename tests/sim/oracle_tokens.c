/* SPDX-License-Identifier: Apache-2.0 */
/* The tokens: which there are, what they are good for, and which are good no
 * more. */
#include "oracle.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "oracle_state.h"
#include "roam.pb.h"
#include "server.h"

const struct sim_token *sim_oracle_grant(struct sim_world *w, uint32_t user,
                                         uint64_t expires_ms)
{
    struct sim_oracle *o = w->oracle;
    struct sim_token *t = sim_alloc(w, sizeof *t);
    snprintf(t->text, sizeof t->text, "token-%zu", o->token_count);
    t->number = o->token_count;
    t->user = user;
    t->expires_ms = expires_ms;
    o->tokens =
        sim_grow(o->tokens, &o->token_cap, o->token_count, sizeof *o->tokens);
    o->tokens[o->token_count++] = t;
    if (!roam_store_mem_add_token(sim_server_store(w),
                                  sim_oracle_user_name(user), t->text, 0,
                                  expires_ms)) {
        sim_fail(w, "store", "takes no token");
    }
    const struct sim_deed deed = {.kind = SIM_DEED_TOKEN,
                                  .user = user,
                                  .text = t->text,
                                  .number = expires_ms};
    sim_backup_note(w, &deed);
    return t;
}

static struct sim_token *find(const struct sim_world *w, const char *text)
{
    for (size_t i = w->oracle->token_count; i-- > 0;) {
        if (strcmp(w->oracle->tokens[i]->text, text) == 0) {
            return w->oracle->tokens[i];
        }
    }
    return NULL;
}

const struct sim_token *sim_oracle_token(const struct sim_world *w,
                                         const char *text)
{
    return find(w, text);
}

static void set_revoked(struct sim_world *w, struct sim_token *t)
{
    if (!t->revoked) {
        t->revoked = true;
        t->revoked_ms = w->now_ms;
        sim_step(w, SIM_STEP_REVOKED, t->number, 0, 0);
    }
}

void sim_oracle_revoke(struct sim_world *w, const struct sim_token *token)
{
    struct sim_token *t = find(w, token->text);
    if (!t->revoked &&
        !roam_store_mem_revoke_token(sim_server_store(w), t->text)) {
        sim_fail(w, "store", "revokes no token");
    }
    const struct sim_deed deed = {.kind = SIM_DEED_REVOKE, .text = t->text};
    sim_backup_note(w, &deed);
    set_revoked(w, t);
}

void sim_oracle_revoke_expiring(struct sim_world *w)
{
    for (size_t i = 0; i < w->oracle->token_count; i++) {
        const struct sim_token *t = w->oracle->tokens[i];
        if (t->expires_ms != 0 && !t->lost && !t->revoked) {
            sim_oracle_revoke(w, w->oracle->tokens[i]);
        }
    }
}

/* [DEV-6] */
void sim_oracle_revoke_bound(struct sim_world *w, uint32_t user,
                             const struct sim_id *device)
{
    for (size_t i = 0; i < w->oracle->token_count; i++) {
        struct sim_token *t = w->oracle->tokens[i];
        if (t->user == user && t->bound && sim_same_id(&t->device, device)) {
            set_revoked(w, t);
        }
    }
}

/* [LOGIN-8], [LOGIN-9], [DEV-1] */
uint32_t sim_oracle_judge_token(const struct sim_world *w, const char *text,
                                uint32_t user, const struct sim_id *device,
                                uint64_t at_ms)
{
    const struct sim_token *t = find(w, text);
    if (t == NULL || t->lost || t->user != user || t->revoked) {
        return roam_v1_RefusedReason_CREDENTIAL;
    }
    if (t->expires_ms != 0 && at_ms >= t->expires_ms) {
        return roam_v1_RefusedReason_TOKEN_EXPIRED;
    }
    return t->bound && !sim_same_id(&t->device, device)
               ? roam_v1_RefusedReason_TOKEN_BOUND
               : 0u;
}

void sim_oracle_bind_token(const struct sim_world *w, const char *text,
                           const struct sim_id *device)
{
    struct sim_token *t = find(w, text);
    t->bound = true;
    t->device = *device;
}
