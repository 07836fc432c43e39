/* SPDX-License-Identifier: Apache-2.0 */
/* What people read beside ids, and who has blocked whom: both are set by the
 * operator, at once and outside of all timelines. Names of groups are set by
 * their members. */
#include "oracle.h"

#include <string.h>

#include "oracle_state.h"
#include "roam.pb.h"
#include "server.h"

/* ------------------------------------------------------------------- names */

void sim_oracle_note_name(struct sim_world *w, uint32_t party,
                          struct roam_bytes name)
{
    struct sim_names *n = &w->oracle->names[party];
    n->list = sim_grow(n->list, &n->cap, n->count, sizeof *n->list);
    n->list[n->count++] = (struct sim_name){name, w->now_ms};
}

void sim_oracle_name_user(struct sim_world *w, uint32_t user, const char *name)
{
    struct roam_bytes text = {(const uint8_t *)name, strlen(name)};
    const struct sim_deed deed = {
        .kind = SIM_DEED_NAME, .user = user, .text = name};
    if (!roam_store_mem_name_user(sim_server_store(w),
                                  sim_oracle_user_name(user), name)) {
        sim_fail(w, "store", "takes no name");
    }
    sim_backup_note(w, &deed);
    sim_oracle_note_name(w, user, text);
}

struct roam_bytes sim_oracle_name(const struct sim_world *w, uint32_t party)
{
    static const struct roam_bytes none;
    const struct sim_names *n = &w->oracle->names[party];
    return n->count == 0 ? none : n->list[n->count - 1].text;
}

/* [PUSH-8]: from the newest back to the one that was the name at that time. At
 * first there is none. */
bool sim_oracle_was_named(const struct sim_world *w, uint32_t party,
                          struct roam_slice name, uint64_t since_ms)
{
    const struct sim_names *n = &w->oracle->names[party];
    for (size_t i = n->count; i > 0; i--) {
        const struct sim_name *was = &n->list[i - 1];
        if (sim_same_bytes(name.data, name.len, was->text.data,
                           was->text.len)) {
            return true;
        }
        if (was->since_ms < since_ms) {
            return false;
        }
    }
    return name.len == 0;
}

/* ------------------------------------------------------------------ blocks */

void sim_oracle_block(struct sim_world *w, uint32_t user, uint32_t other,
                      bool blocked)
{
    sim_users *by = &w->oracle->blocked_by[user];
    const struct sim_deed deed = {.kind = SIM_DEED_BLOCK,
                                  .user = user,
                                  .other = other,
                                  .number = blocked};
    if (!roam_store_mem_block_user(sim_server_store(w),
                                   sim_oracle_user_name(user),
                                   sim_oracle_user_name(other), blocked)) {
        sim_fail(w, "store", "blocks nobody");
    }
    sim_backup_note(w, &deed);
    *by = blocked ? *by | 1u << other : *by & ~(1u << other);
}

bool sim_oracle_has_blocked(const struct sim_world *w, uint32_t user,
                            uint32_t other)
{
    return (w->oracle->blocked_by[user] >> other & 1) != 0;
}

bool sim_oracle_newcomer_refuses(const struct sim_world *w,
                                 const struct sim_group_state *now,
                                 const struct sim_message *m)
{
    bool refuses = false;
    for (uint32_t u = 0; u < SIM_USERS; u++) {
        bool comes = (m->change.users >> u & 1) != 0 && u != m->user &&
                     !sim_role_is_member(now->parts[u].role);
        refuses = refuses || (comes && sim_oracle_has_blocked(w, u, m->user));
    }
    return refuses;
}

/* Has that user sent the other one anything? */
static bool has_written(const struct sim_world *w, uint32_t user,
                        uint32_t other)
{
    for (size_t i = 0; i < w->oracle->message_count; i++) {
        const struct sim_message *m = w->oracle->messages[i];
        if (m->stored && m->user == user && m->party == other &&
            (m->lines >> other & 1) != 0) {
            return true;
        }
    }
    return false;
}

/* [POL-1], [POL-2] */
bool sim_oracle_policy_forbids(const struct sim_world *w,
                               const struct sim_message *m)
{
    bool asks = w->server->config.store_settings.strangers_ask;
    if (m->party == m->user ||
        (m->kind != roam_v1_Kind_MESSAGE && m->kind != roam_v1_Kind_APP)) {
        return false;
    }
    return sim_oracle_has_blocked(w, m->party, m->user) ||
           (asks && m->kind == roam_v1_Kind_MESSAGE &&
            !has_written(w, m->party, m->user));
}
