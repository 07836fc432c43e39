/* SPDX-License-Identifier: Apache-2.0 */
/* A store that is put back to an older state: what was answered and told in
 * between has never been, as far as the server knows; but it was told, and no
 * version of it may come to mean something else. [CHAIN-2] */
#include <inttypes.h>
#include <string.h>

#include "judge.h"

void judge_backup(struct world *w)
{
    w->backup_event = w->event_count;
    w->backup_grants = w->grant_count;
    for (size_t i = 0; i < w->s->user_count; i++) {
        w->users[i].backup_known = w->users[i].known_count;
    }
}

/* What was told since the backup. Some of it may have been stored before, and
 * is told again then. */
static void lose_known(struct user *u)
{
    for (size_t i = u->backup_known; i < u->known_count; i++) {
        arena_grow((void **)&u->lost, u->lost_count, &u->lost_cap,
                   sizeof *u->lost);
        u->lost[u->lost_count++] = u->known[i];
    }
    u->known_count = u->backup_known;
}

void judge_restored(struct world *w)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        if (w->sent[i].done > w->backup_event) {
            w->sent[i].msg_id = 0;
        }
    }
    w->grant_count = w->backup_grants;
    for (size_t i = 0; i < w->s->user_count; i++) {
        lose_known(&w->users[i]);
    }
}

bool judge_never_reused(struct world *w, const struct user *u,
                        const Roam__V1__Push *p, struct frame *f)
{
    for (size_t i = 0; i < u->lost_count; i++) {
        const struct known *k = &u->lost[i];
        if (k->version != p->version || !k->message ||
            p->kind == ROAM__V1__KIND__NOOP ||
            judge_same_message(k->message, p)) {
            continue;
        }
        return world_fail(w, "CHAIN-2",
                          arena_printf("version %" PRIu64 " was used before "
                                       "the store was restored",
                                       p->version),
                          "a version that was never told", f);
    }
    return true;
}
