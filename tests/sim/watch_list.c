/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves the server as CONVERSATION_PAGE: see watch_pages.c. */
#include <inttypes.h>
#include <string.h>

#include "watch_page.h"

/* The newest line of a conversation up to a line; 0: none. */
static size_t newest(const struct sim_page_check *c, uint32_t conversation,
                     size_t upto)
{
    size_t i = upto;
    while (i > 0 && (party_of(c, message_at(c, i)) != conversation ||
                     !sim_oracle_is_row(message_at(c, i), c->l->watch.user))) {
        i--;
    }
    return i;
}

/* Does the first pair stand before the second? */
static bool precedes(const struct sim_world *w, uint64_t a, uint32_t a_party,
                     uint64_t b, uint32_t b_party)
{
    const void *x = sim_oracle_party_name(w, a_party).data;
    const void *y = sim_oracle_party_name(w, b_party).data;
    return a != b ? a > b : strcmp(x, y) > 0; /* they end with NUL */
}

/* Does this line stand behind the pair asked for? */
static bool behind_pair(const struct sim_page_check *c, size_t line)
{
    const struct sim_message *m = message_at(c, line);
    return c->p.before == 0 || precedes(c->w, c->p.before, c->p.conversation,
                                        m->msg_id, party_of(c, m));
}

static bool line_precedes(const struct sim_page_check *c, size_t a, size_t b)
{
    const struct sim_message *x = message_at(c, a);
    const struct sim_message *y = message_at(c, b);
    return precedes(c->w, x->msg_id, party_of(c, x), y->msg_id, party_of(c, y));
}

static void check_list_rows(const struct sim_page_check *c)
{
    for (size_t i = 0; i < c->count && !c->w->failed; i++) {
        uint32_t conversation = party_of(c, message_at(c, c->lines[i]));
        if (c->lines[i] < newest(c, conversation, c->l->watch.told)) {
            sim_fail(c->w, "HIST-6", "#%u: not the newest message",
                     c->l->number);
        }
        if (!behind_pair(c, c->lines[i]) ||
            (i > 0 && !line_precedes(c, c->lines[i - 1], c->lines[i]))) {
            sim_fail(c->w, "HIST-8", "#%u: rows out of order", c->l->number);
        }
    }
}

/* What the user is in that group at that line; what it becomes is always on
 * its timeline. */
static bool may_have_role(const struct sim_page_check *c, uint32_t party,
                          size_t line, uint32_t role)
{
    uint32_t user = c->l->watch.user;
    uint64_t version = sim_oracle_line(c->w, user, line)->version;
    uint32_t must = 0;
    const struct sim_group_state *s = NULL;
    const struct sim_message *change = NULL;
    for (size_t i = 0; party >= SIM_USERS &&
                       (s = sim_oracle_group_was(c->w, party - SIM_USERS, i,
                                                 &change)) != NULL;
         i++) {
        if (change->version[user] != 0 && change->version[user] <= version) {
            must = s->parts[user].role;
        }
    }
    return role == (sim_role_is_member(must) ? must : 0u);
}

/* Of some state that the page may be of, all that the row says is true. */
static void check_marks(const struct sim_page_check *c, size_t i)
{
    uint32_t user = c->l->watch.user;
    uint32_t conversation = party_of(c, message_at(c, c->lines[i]));
    uint64_t mark = 0;
    struct sim_unread unread = {0, 0};
    size_t all = sim_oracle_count(c->w, user);
    for (size_t line = c->l->watch.told; line <= all; line++) {
        if (newest(c, conversation, line) != c->lines[i]) {
            continue;
        }
        sim_oracle_marks(c->w, user, conversation, line, &mark, &unread);
        if (mark == c->marks[i].mark && unread.least <= c->marks[i].unread &&
            c->marks[i].unread <= unread.most &&
            may_have_role(c, conversation, line, c->marks[i].role)) {
            return;
        }
    }
    sim_fail(c->w, "HIST-15",
             "#%u: party %" PRIu32 " is read up to %" PRIu64 ", %" PRIu32
             " unread, role %" PRIu32 "; last %" PRIu64 ", %" PRIu32
             " to %" PRIu32,
             c->l->number, conversation, c->marks[i].mark, c->marks[i].unread,
             c->marks[i].role, mark, unread.least, unread.most);
}

static bool is_listed(const struct sim_page_check *c, uint32_t conversation)
{
    for (size_t i = 0; i < c->count; i++) {
        if (party_of(c, message_at(c, c->lines[i])) == conversation) {
            return true;
        }
    }
    return false;
}

/* A conversation that is not there has nothing in any state that the page
 * may be of, or may stand before the page, or behind it with `more`. */
static void check_unlisted(const struct sim_page_check *c, bool *may_be_behind)
{
    size_t all = sim_oracle_count(c->w, c->l->watch.user);
    for (uint32_t u = 0; u < SIM_PARTIES; u++) {
        size_t least = newest(c, u, c->l->watch.told);
        size_t most = newest(c, u, all);
        if (is_listed(c, u) || most == 0) {
            continue;
        }
        bool in_front = least == 0 || !behind_pair(c, most);
        bool last = c->count == 0 || line_precedes(c, c->lines[c->count - 1],
                                                   least == 0 ? most : least);
        *may_be_behind = *may_be_behind || last;
        if (!in_front && !(c->more && last)) {
            sim_fail(c->w, "HIST-8", "#%u: party %" PRIu32 " is left out",
                     c->l->number, u);
        }
    }
}

void sim_watch_check_list(const struct sim_page_check *c, uint64_t as_of)
{
    const struct sim_watch *t = &c->l->watch;
    size_t number = 0;
    bool may_be_behind = false;
    check_list_rows(c);
    for (size_t i = 0; i < c->count && !c->w->failed; i++) {
        check_marks(c, i);
    }
    check_unlisted(c, &may_be_behind);
    if (c->more && (c->count == 0 || !may_be_behind)) {
        sim_fail(c->w, "HIST-8", "#%u: nothing more is there", c->l->number);
    }
    sim_oracle_find(c->w, t->user, as_of, &number);
    if (as_of > sim_oracle_head(c->w, t->user) ||
        (t->delivering && number < t->sent_most)) {
        sim_fail(c->w, "HIST-9", "#%u: as_of %" PRIu64, c->l->number, as_of);
    }
}
