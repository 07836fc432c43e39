/* SPDX-License-Identifier: Apache-2.0 */
/* A local store of alice's phone in a directory of its own, and what comes to
 * it: entries, rows of pages, and answers, made from what happened at the
 * server. */
#ifndef LOCAL_RIG_H
#define LOCAL_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "frame.h"
#include "roam_local.h"

#define OK ROAM_POSIX_STATUS_OK
#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define GROUP(action) roam_v1_GroupAction_##action

/* One thing that happened, as the server sees it. What alice's devices get is
 * an entry; `row`: in alice's history as well. */
struct happening {
    const char *conversation;
    uint32_t kind;
    const char *sender;
    uint64_t target; /* RECALL, DELETE, READ: msg_id */
    uint32_t action; /* GROUP */
    const char *user, *name;
    enum roam_role role; /* alice's in the conversation from here on */
    bool no_row;
};

extern char local_path[96]; /* of the store's file */

/* cmocka setup and teardown. */
int local_rig_open(void **state);
int local_rig_close(void **state);

struct roam_local *local_rig_store(void);
struct roam_bytes local_rig_text(const char *text);

/* The entry of `h` under this msg_id, its body in static memory. */
struct roam_entry_event local_rig_entry(const struct happening *h,
                                        uint64_t msg_id);

/* The next entry of the chain; a row of a page of HISTORY. */
void local_rig_arrive(struct roam_local *l, struct roam_entry_event e);
void local_rig_arrive_noop(struct roam_local *l);
void local_rig_page_row(struct roam_local *l, struct roam_entry_event e);

/* alice's own: into the outbox, out of it by an answer, and both. */
void local_rig_post(struct roam_local *l, const struct happening *h,
                    uint64_t msg_id);
void local_rig_sent(struct roam_local *l, const struct happening *h,
                    uint64_t msg_id, bool duplicate);
void local_rig_answer(struct roam_local *l, const struct happening *h,
                      uint64_t msg_id, bool duplicate);

/* All that a person can see: rows, then conversations. The last two stay. */
const char *local_rig_dump(struct roam_local *l);

/* The row of one conversation in the list; fails if there is none. */
struct roam_local_row local_rig_listed(struct roam_local *l,
                                       const char *conversation);

#endif
