/* SPDX-License-Identifier: Apache-2.0 */
/* The memory store: what is kept for how long. One step does all there is to
 * do: this store is for tests. Erased messages stay in memory, because slices
 * into it outlive every request. Spec: section 6.5. */
#include <string.h>

#include "roam_limits.h"
#include "store_mem_tables.h"

/* The first `gone` entries, but never the newest one [KEEP-2]. */
static void cut_front(struct roam__mem_user *user, size_t gone)
{
    if (gone >= user->count) {
        if (user->count == 0) {
            return;
        }
        gone = user->count - 1;
    }
    if (gone == 0) {
        return;
    }
    user->floor = user->entries[gone].prev_version;
    user->count -= gone;
    memmove(user->entries, user->entries + gone,
            user->count * sizeof *user->entries);
}

void roam__mem_trim_excess(const struct roam__mem *mem,
                           struct roam__mem_user *user)
{
    uint32_t most = mem->keep.timeline_entries;
    if (most != 0 && user->count > most) {
        cut_front(user, user->count - most);
    }
}

/* By the time in the msg_id: what is n ms old is kept for n ms. */
static bool is_older(const struct roam__mem_message *m, uint64_t now_ms,
                     uint64_t kept_ms)
{
    uint64_t time = m->msg_id >> ROAM_MSG_ID_TIME_SHIFT;
    return kept_ms != 0 && now_ms > time && now_ms - time > kept_ms;
}

static void trim_user(struct roam__mem *mem, struct roam__mem_user *user,
                      uint64_t now_ms)
{
    size_t gone = 0;
    while (gone < user->count && is_older(user->entries[gone].message, now_ms,
                                          mem->keep.timeline_ms)) {
        gone++;
    }
    cut_front(user, gone);
    roam__mem_trim_excess(mem, user);
}

bool roam__mem_trim(struct roam__mem *mem, struct roam_store_request *req)
{
    uint64_t now_ms = req->u.trim.now_ms;
    uint64_t dedup_ms = mem->keep.dedup_ms + ROAM_STORE_DEDUP_GRACE_MS;
    uint64_t history_ms = mem->keep.history_ms;
    if (history_ms != 0 && mem->keep.dedup_ms != 0 && history_ms < dedup_ms) {
        history_ms = dedup_ms; /* hidden until then, see store.h [KEEP-4] */
    }
    for (struct roam__mem_user *u = mem->users; u != NULL; u = u->next) {
        trim_user(mem, u, now_ms);
    }
    for (struct roam__mem_message *m = mem->messages; m != NULL; m = m->next) {
        m->erased = m->erased || is_older(m, now_ms, history_ms);
    }
    return true;
}

void roam_store_mem_trim(struct roam_store *store, const char *name,
                         uint64_t upto)
{
    struct roam__mem *mem = (struct roam__mem *)store;
    struct roam__mem_user *user = roam__mem_user(mem, name, strlen(name));
    size_t gone = 0;
    while (user != NULL && gone < user->count &&
           user->entries[gone].version <= upto) {
        gone++;
    }
    if (user != NULL) {
        cut_front(user, gone);
    }
}
