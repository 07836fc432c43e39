/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves the server as HISTORY_PAGE and CONVERSATION_PAGE, row by row.
 *
 * The oracle does not know in which state of the store a page was read, but
 * that it is one of those between what this connection was told before and
 * now. Timelines only grow, so such a state is a number of lines: at least
 * `told`, at most all of them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "device.h"
#include "net.h"
#include "watch.h"

/* --------------------------------------------------------------- requests */

static void take(struct sim_world *w, struct sim_link *l,
                 const struct sim_page_wanted *p)
{
    struct sim_watch *t = &l->watch;
    if (t->page_count == SIM_PAGES_KEPT) {
        sim_fail(w, "SEND-12", "#%u: %zu pages without an answer", l->number,
                 t->page_count);
        return;
    }
    t->pages[t->page_count++] = *p;
}

static uint32_t party(const char *conversation)
{
    struct roam_bytes name = {(const uint8_t *)conversation,
                              strlen(conversation)};
    return sim_oracle_user(name);
}

void sim_watch_take_history(struct sim_world *w, struct sim_link *l,
                            const roam_v1_History *h)
{
    const struct sim_page_wanted p = {
        h->ref,          false,     party(h->conversation),
        h->before,       h->after,  h->max_rows,
        h->max_inflated, h->codecs, h->operations_only};
    take(w, l, &p);
}

void sim_watch_take_list(struct sim_world *w, struct sim_link *l,
                         const roam_v1_Conversations *c)
{
    const struct sim_page_wanted p = {
        c->ref,          true,      party(c->conversation),
        c->before,       0,         c->max_rows,
        c->max_inflated, c->codecs, false};
    take(w, l, &p);
}

static bool answer(struct sim_link *l, bool is_list, uint64_t ref,
                   struct sim_page_wanted *out)
{
    struct sim_watch *t = &l->watch;
    for (size_t i = 0; i < t->page_count; i++) {
        if (t->pages[i].ref == ref && t->pages[i].is_list == is_list) {
            *out = t->pages[i];
            t->pages[i] = t->pages[--t->page_count];
            return true;
        }
    }
    return false;
}

bool sim_watch_page_error(struct sim_world *w, struct sim_link *l,
                          const roam_v1_Error *e)
{
    struct sim_page_wanted p;
    bool limited = sim_watch_is_limit(w, e);
    if (!answer(l, false, e->ref, &p) &&
        !(limited && answer(l, true, e->ref, &p))) {
        return false;
    }
    if (limited) {
        return true;
    }
    if (p.conversation != SIM_USERS ||
        e->code != roam_v1_ErrorCode_NO_SUCH_CONVERSATION) {
        sim_fail(w, "HIST-5", "#%u: error %d for a page", l->number, e->code);
    }
    return true;
}

void sim_watch_told(struct sim_world *w, struct sim_link *l, uint64_t version)
{
    struct sim_watch *t = &l->watch;
    size_t number = 0;
    sim_oracle_find(w, t->user, version, &number);
    t->told = number > t->told ? number : t->told;
}

/* ------------------------------------------------------------------- rows */

/* What a list says of a conversation beside its newest message. */
struct marks {
    uint64_t mark;
    uint32_t unread;
};

/* A page being compared. */
struct check {
    struct sim_world *w;
    struct sim_link *l;
    struct sim_page_wanted p;
    bool more;
    size_t *lines; /* of the rows, their numbers */
    struct marks *marks;
    size_t count;
};

static const struct sim_message *message_at(const struct check *c, size_t line)
{
    return sim_oracle_line(c->w, c->l->watch.user, line)->message;
}

static uint32_t party_of(const struct check *c, const struct sim_message *m)
{
    return sim_oracle_user(sim_oracle_conversation(m, c->l->watch.user));
}

static bool same(struct roam_slice a, struct roam_bytes b)
{
    return sim_same_bytes(a.data, a.len, b.data, b.len);
}

/* The line of this row; 0: there is none. */
static size_t line_of(const struct check *c, const struct roam_entry *e)
{
    for (size_t i = sim_oracle_count(c->w, c->l->watch.user); i > 0; i--) {
        const struct sim_message *m = message_at(c, i);
        if (m->msg_id == e->msg_id &&
            same(e->conversation,
                 sim_oracle_conversation(m, c->l->watch.user))) {
            return i;
        }
    }
    return 0;
}

/* Recalled exactly from the line of the RECALL on: what was told is in the
 * page's state, what is not there yet is not. [OP-3] */
static void check_recalled(const struct check *c, const struct sim_message *m,
                           const struct roam_entry *e)
{
    const struct sim_watch *t = &c->l->watch;
    bool undone = m->kind == roam_v1_Kind_MESSAGE && m->undone_by != NULL;
    size_t number = 0;
    if (undone) {
        sim_oracle_find(c->w, t->user, m->undone_by->version[t->user], &number);
    }
    if (e->recalled ? !undone : undone && number <= t->told) {
        sim_fail(c->w, "OP-3", "#%u: row %" PRIu64 ": recalled is %d",
                 c->l->number, e->msg_id, e->recalled);
    }
}

static void check_content(const struct check *c, const struct sim_message *m,
                          const struct roam_entry *e)
{
    const struct sim_watch *t = &c->l->watch;
    bool cut = m->body.len > sim_body_limit(t->max_frame, c->p.max_inflated);
    const char *name = sim_oracle_user_name(m->user);
    struct roam_bytes sender = {(const uint8_t *)name, strlen(name)};
    struct roam_bytes body = {m->body.data, cut ? 0 : m->body.len};
    bool own = m->user == t->user && sim_same_id(&m->device, &t->device);
    static const struct roam_bytes nothing;
    check_recalled(c, m, e);
    if (e->recalled) {
        cut = false;
        body = nothing;
    }
    if (e->kind != m->kind || !sim_oracle_is_row(m) ||
        !same(e->sender, sender) ||
        !same(e->content_type, e->recalled ? nothing : m->content_type) ||
        !same(e->body, body) || e->cut_size != (cut ? m->body.len : 0) ||
        e->client_msg_id != (own ? m->client_msg_id : 0)) {
        sim_fail(c->w, "HIST-7", "#%u: row %" PRIu64 " is not what was sent",
                 c->l->number, e->msg_id);
    }
}

static void take_rows(struct check *c, const struct roam_message *m)
{
    uint8_t *buf = malloc(c->p.max_inflated);
    c->lines = calloc(c->p.max_rows, sizeof *c->lines);
    c->marks = calloc(c->p.max_rows, sizeof *c->marks);
    if (buf == NULL || c->lines == NULL || c->marks == NULL) {
        abort();
    }
    struct roam_unpack u;
    struct roam_entry e;
    enum roam_batch_error error = roam_unpack_open_page(
        &u, m, c->p.max_rows, c->p.codecs, buf, c->p.max_inflated);
    if (error != ROAM_BATCH_OK) {
        sim_fail(c->w, "LIMIT-1", "#%u: the page does not unpack: %d",
                 c->l->number, error);
    }
    while (!c->w->failed && roam_unpack_next(&u, &e)) {
        size_t line = line_of(c, &e);
        if (line == 0) {
            sim_fail(c->w, "HIST-1", "#%u: row %" PRIu64 " is not stored",
                     c->l->number, e.msg_id);
            break;
        }
        check_content(c, message_at(c, line), &e);
        c->marks[c->count] = (struct marks){e.read_mark, e.unread};
        c->lines[c->count++] = line;
    }
    free(buf);
}

/* ---------------------------------------------------------------- HISTORY */

/* Is this line in the range asked for? */
static bool in_range(const struct check *c, size_t line)
{
    const struct sim_message *m = message_at(c, line);
    bool wanted = sim_oracle_is_row(m) &&
                  (!c->p.operations_only || m->kind != roam_v1_Kind_MESSAGE);
    return wanted && party_of(c, m) == c->p.conversation &&
           m->msg_id > c->p.after &&
           (c->p.before == 0 || m->msg_id < c->p.before);
}

/* The first line of the range above `line`, up to `last`; 0: none. */
static size_t next_in_range(const struct check *c, size_t line, size_t last)
{
    for (size_t i = line + 1; i <= last; i++) {
        if (in_range(c, i)) {
            return i;
        }
    }
    return 0;
}

/* Each row is the range's next one behind the row before. */
static void check_run(const struct check *c)
{
    for (size_t i = 0; i < c->count && !c->w->failed; i++) {
        if (!in_range(c, c->lines[i])) {
            sim_fail(c->w, "HIST-1", "#%u: a row outside of the range",
                     c->l->number);
        } else if (i > 0 && c->lines[i] <= c->lines[i - 1]) {
            sim_fail(c->w, "HIST-2", "#%u: the rows do not rise", c->l->number);
        } else if (i > 0 && next_in_range(c, c->lines[i - 1], c->lines[i]) !=
                                c->lines[i]) {
            sim_fail(c->w, "HIST-1", "#%u: a row is left out", c->l->number);
        }
    }
}

/* Downwards the page ends with the newest message of its state, upwards it
 * begins with the first of the range. */
static void check_ends(const struct check *c)
{
    size_t all = sim_oracle_count(c->w, c->l->watch.user);
    size_t told = c->l->watch.told;
    size_t first = next_in_range(c, 0, all);
    bool up = c->p.before == 0 && c->p.after != 0;
    size_t last = c->count == 0 ? 0 : c->lines[c->count - 1];
    bool begins = c->count != 0 && c->lines[0] == first;
    bool lacks = next_in_range(c, last, told) != 0;
    if (c->count == 0) {
        if (c->more || lacks) {
            sim_fail(c->w, "HIST-4", "#%u: an empty page", c->l->number);
        }
    } else if (up ? !begins : lacks) {
        sim_fail(c->w, up ? "HIST-1" : "HIST-6",
                 "#%u: the page is not the %s of its range", c->l->number,
                 up ? "oldest" : "newest");
    } else if (up ? (c->more ? next_in_range(c, last, all) == 0 : lacks)
                  : c->more == begins) {
        sim_fail(c->w, "HIST-3", "#%u: more is %d", c->l->number, c->more);
    }
}

/* --------------------------------------------------------- CONVERSATIONS */

/* The newest line of a conversation up to a line; 0: none. */
static size_t newest(const struct check *c, uint32_t conversation, size_t upto)
{
    size_t i = upto;
    while (i > 0 && (party_of(c, message_at(c, i)) != conversation ||
                     !sim_oracle_is_row(message_at(c, i)))) {
        i--;
    }
    return i;
}

/* Does the first pair stand before the second? */
static bool precedes(uint64_t a, uint32_t a_party, uint64_t b, uint32_t b_party)
{
    return a != b ? a > b
                  : strcmp(sim_oracle_user_name(a_party),
                           sim_oracle_user_name(b_party)) > 0;
}

/* Does this line stand behind the pair asked for? */
static bool behind_pair(const struct check *c, size_t line)
{
    const struct sim_message *m = message_at(c, line);
    return c->p.before == 0 ||
           precedes(c->p.before, c->p.conversation, m->msg_id, party_of(c, m));
}

static bool line_precedes(const struct check *c, size_t a, size_t b)
{
    const struct sim_message *x = message_at(c, a);
    const struct sim_message *y = message_at(c, b);
    return precedes(x->msg_id, party_of(c, x), y->msg_id, party_of(c, y));
}

static void check_list_rows(const struct check *c)
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

/* Of some state that the page may be of, all that the row says is true. */
static void check_marks(const struct check *c, size_t i)
{
    uint32_t user = c->l->watch.user;
    uint32_t conversation = party_of(c, message_at(c, c->lines[i]));
    uint64_t mark = 0;
    uint32_t unread = 0;
    size_t all = sim_oracle_count(c->w, user);
    for (size_t line = c->l->watch.told; line <= all; line++) {
        if (newest(c, conversation, line) != c->lines[i]) {
            continue;
        }
        sim_oracle_marks(c->w, user, conversation, line, &mark, &unread);
        if (mark == c->marks[i].mark && unread == c->marks[i].unread) {
            return;
        }
    }
    sim_fail(c->w, "HIST-15",
             "#%u: %s is read up to %" PRIu64 ", %" PRIu32
             " unread; last %" PRIu64 ", %" PRIu32,
             c->l->number, sim_oracle_user_name(conversation), c->marks[i].mark,
             c->marks[i].unread, mark, unread);
}

static bool is_listed(const struct check *c, uint32_t conversation)
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
static void check_unlisted(const struct check *c, bool *may_be_behind)
{
    size_t all = sim_oracle_count(c->w, c->l->watch.user);
    for (uint32_t u = 0; u < SIM_USERS; u++) {
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
            sim_fail(c->w, "HIST-8", "#%u: conversation %s is left out",
                     c->l->number, sim_oracle_user_name(u));
        }
    }
}

static void check_list(const struct check *c, uint64_t as_of)
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

/* ------------------------------------------------------------------ pages */

void sim_watch_page(struct sim_world *w, struct sim_link *l,
                    const struct roam_message *m)
{
    bool is_list = m->type == ROAM_CONVERSATION_PAGE;
    struct check c = {.w = w, .l = l};
    uint64_t ref = is_list ? m->u.conversation_page.ref : m->u.history_page.ref;
    if (!answer(l, is_list, ref, &c.p)) {
        sim_fail(w, "HIST-1", "#%u: a page that nobody asked for", l->number);
        return;
    }
    c.more = is_list ? m->u.conversation_page.more : m->u.history_page.more;
    take_rows(&c, m);
    if (!w->failed && is_list) {
        check_list(&c, m->u.conversation_page.as_of);
    } else if (!w->failed) {
        check_run(&c);
        check_ends(&c);
    }
    for (size_t i = 0; i < c.count; i++) {
        l->watch.told = c.lines[i] > l->watch.told ? c.lines[i] : l->watch.told;
    }
    free(c.lines);
    free(c.marks);
}
