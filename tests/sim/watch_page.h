/* SPDX-License-Identifier: Apache-2.0 */
/* A page of rows that is being compared: shared by watch_pages.c and
 * watch_list.c. */
#ifndef SIM_WATCH_PAGE_H
#define SIM_WATCH_PAGE_H

#include "net.h"
#include "watch.h"

/* What a list says of a conversation beside its newest message. */
struct sim_page_marks {
    uint64_t mark;
    uint32_t unread, role;
};

/* A page being compared. */
struct sim_page_check {
    struct sim_world *w;
    struct sim_link *l;
    struct sim_page_wanted p;
    bool more;
    size_t *lines; /* of the rows, their numbers */
    struct sim_page_marks *marks;
    size_t count;
};

static inline const struct sim_message *message_at(
    const struct sim_page_check *c, size_t line)
{
    return sim_oracle_line(c->w, c->l->watch.user, line)->message;
}

static inline uint32_t party_of(const struct sim_page_check *c,
                                const struct sim_message *m)
{
    return sim_oracle_party_of(m, c->l->watch.user);
}

/* CONVERSATION_PAGE, whose rows are what was sent. */
void sim_watch_check_list(const struct sim_page_check *c, uint64_t as_of);

#endif
