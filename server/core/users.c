/* SPDX-License-Identifier: Apache-2.0 */
/* The users with live sessions: a hash table by the store's number. */
#include "session.h"

#include <assert.h>
#include <stdlib.h>

#include "alloc.h"
#include "fault.h"

#define BUCKETS_MIN 64u

static size_t bucket_of(const struct roam_core *core, int64_t id)
{
    /* Fibonacci hashing: the numbers are dense, their products are not. */
    uint64_t hash = (uint64_t)id * 0x9e3779b97f4a7c15ull;
    return (size_t)(hash >> 32) & (core->user_buckets - 1);
}

struct roam__user *roam__users_find(const struct roam_core *core, int64_t id)
{
    if (core->user_buckets == 0) {
        return NULL;
    }
    struct roam__user *user = core->users[bucket_of(core, id)];
    while (user != NULL && user->id != id) {
        user = user->next;
    }
    return user;
}

static void put(struct roam_core *core, struct roam__user *user)
{
    size_t bucket = bucket_of(core, user->id);
    user->next = core->users[bucket];
    core->users[bucket] = user;
}

static bool grow(struct roam_core *core)
{
    size_t old_buckets = core->user_buckets;
    size_t buckets = old_buckets == 0 ? BUCKETS_MIN : 2 * old_buckets;
    struct roam__user **users = roam__alloc(buckets * sizeof(*users));
    if (users == NULL) {
        return false;
    }
    struct roam__user **old = core->users;
    core->users = users;
    core->user_buckets = buckets;
    for (size_t i = 0; i < old_buckets; i++) {
        while (old[i] != NULL) {
            struct roam__user *user = old[i];
            old[i] = user->next;
            put(core, user);
        }
    }
    free(old);
    return true;
}

static struct roam__user *create(struct roam_core *core, int64_t id,
                                 uint64_t head)
{
    if (core->user_count == core->user_buckets && !grow(core)) {
        return NULL;
    }
    struct roam__user *user = roam__alloc(sizeof *user);
    if (user == NULL) {
        return NULL;
    }
    user->id = id;
    user->head = head;
    put(core, user);
    core->user_count++;
    return user;
}

/* Only a broken server leaves a displaced session in its place. */
static bool is_broken(void)
{
    return ROAM_FAULT("no-kick") || ROAM_FAULT("kick-wrong-type") ||
           ROAM_FAULT("command-after-kick");
}

bool roam__users_join(struct roam_session *s, uint64_t head)
{
    struct roam_core *core = s->core;
    struct roam__user *user = roam__users_find(core, s->identity.user);
    if (user == NULL) {
        user = create(core, s->identity.user, head);
        if (user == NULL) {
            return false;
        }
    }
    assert(user->live[s->identity.device_type] == NULL || is_broken());
    user->live[s->identity.device_type] = s;
    user->live_count++;
    s->user = user;
    core->stats.sessions++;
    return true;
}

static void forget(struct roam_core *core, struct roam__user *user)
{
    struct roam__user **link = &core->users[bucket_of(core, user->id)];
    while (*link != user) {
        link = &(*link)->next;
    }
    *link = user->next;
    core->user_count--;
    free(user);
}

void roam__users_leave(struct roam_session *s)
{
    struct roam__user *user = s->user;
    if (user == NULL) {
        return;
    }
    s->user = NULL;
    if (user->live[s->identity.device_type] == s) {
        user->live[s->identity.device_type] = NULL;
    }
    user->live_count--;
    s->core->stats.sessions--;
    if (user->live_count == 0) {
        forget(s->core, user);
    }
}

void roam__users_close(struct roam_core *core)
{
    for (size_t i = 0; i < core->user_buckets; i++) {
        while (core->users[i] != NULL) {
            struct roam__user *user = core->users[i];
            core->users[i] = user->next;
            free(user);
        }
    }
    free(core->users);
}
