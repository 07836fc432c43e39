/* SPDX-License-Identifier: Apache-2.0 */
/* The memory store's groups: who is in them, and which spans of their
 * histories each user sees. Spec: section 7.2. */
#ifndef ROAM_STORE_MEM_GROUPS_H
#define ROAM_STORE_MEM_GROUPS_H

#include "group_id.h"
#include "group_rules.h"
#include "store_mem_tables.h"

struct roam__mem_member {
    struct roam__mem_user *user;
    struct roam_group_part part; /* not ROLE_NONE */
    uint64_t since;              /* msg_id */
    struct roam__mem_member *next;
};

struct roam__mem_span {
    const struct roam__mem_user *user;
    uint64_t since, until; /* msg_ids; an open one ends at ROAM_VERSION_MAX */
    struct roam__mem_span *next;
};

struct roam__mem_group {
    struct roam__mem_user self; /* what its messages have as their receiver */
    struct roam_group_state state;
    uint64_t last_msg_id;
    struct roam__mem_member *members; /* by rising bytes of their ids */
    struct roam__mem_span *spans;
    struct roam__mem_group *next;
};

/* NULL: there is none. */
struct roam__mem_group *roam__mem_group(const struct roam__mem *mem,
                                        struct roam_slice id);
/* NULL: a stranger. */
struct roam__mem_member *roam__mem_member(const struct roam__mem_group *group,
                                          const struct roam__mem_user *user);
/* What the user is there; all zero for a stranger. */
struct roam_group_part roam__mem_part(const struct roam__mem_group *group,
                                      const struct roam__mem_user *user);
/* Does msg_id lie in a span of the user's? 0: has the user any? */
bool roam__mem_in_span(const struct roam__mem_group *group,
                       const struct roam__mem_user *user, uint64_t msg_id);
/* Has the user as many spans in all groups as may be (0: any number)? Those
 * that ended and have no row any more are forgotten first. [GRP-27] */
bool roam__mem_is_crowded(struct roam__mem *mem,
                          const struct roam__mem_user *user, uint32_t most);
/* A new group without members under a drawn id, not yet in the list. NULL
 * without memory. */
struct roam__mem_group *roam__mem_group_new(struct roam__mem *mem);

/* Memory for roam__mem_move(), taken before anything is changed. */
struct roam__mem_step {
    struct roam__mem_member *member;
    struct roam__mem_span *span;
};
/* False without memory. */
bool roam__mem_step_new(struct roam__mem_step *step);
void roam__mem_step_free(struct roam__mem_step *step);
/* What a user becomes by the change msg_id. Takes from *step what it needs. */
void roam__mem_move(struct roam__mem_group *group, struct roam__mem_user *user,
                    struct roam_group_part after, uint64_t msg_id,
                    struct roam__mem_step *step);
/* Everybody's part and span ends. */
void roam__mem_dissolve(struct roam__mem_group *group, uint64_t msg_id);
void roam__mem_groups_free(struct roam__mem *mem);

#endif
