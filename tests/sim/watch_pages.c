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
#include "watch_page.h"

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
    t->pages[t->page_count] = *p;
    t->pages[t->page_count++].asked_ms = w->now_ms;
}

static uint32_t party(const struct sim_world *w, const char *conversation)
{
    struct roam_bytes name = {(const uint8_t *)conversation,
                              strlen(conversation)};
    return sim_oracle_party(w, name);
}

void sim_watch_take_history(struct sim_world *w, struct sim_link *l,
                            const roam_v1_History *h)
{
    const struct sim_page_wanted p = {.ref = h->ref,
                                      .type = ROAM_HISTORY,
                                      .conversation = party(w, h->conversation),
                                      .before = h->before,
                                      .after = h->after,
                                      .max_rows = h->max_rows,
                                      .max_inflated = h->max_inflated,
                                      .codecs = h->codecs,
                                      .operations_only = h->operations_only};
    take(w, l, &p);
}

void sim_watch_take_list(struct sim_world *w, struct sim_link *l,
                         const roam_v1_Conversations *c)
{
    const struct sim_page_wanted p = {.ref = c->ref,
                                      .type = ROAM_CONVERSATIONS,
                                      .conversation = party(w, c->conversation),
                                      .before = c->before,
                                      .max_rows = c->max_rows,
                                      .max_inflated = c->max_inflated,
                                      .codecs = c->codecs};
    take(w, l, &p);
}

void sim_watch_take_members(struct sim_world *w, struct sim_link *l,
                            const roam_v1_Members *m)
{
    const struct sim_page_wanted p = {.ref = m->ref,
                                      .type = ROAM_MEMBERS,
                                      .conversation = party(w, m->conversation),
                                      .user = party(w, m->after),
                                      .max_rows = m->max_rows};
    take(w, l, &p);
}

void sim_watch_take_sessions(struct sim_world *w, struct sim_link *l,
                             const struct roam_message *m)
{
    bool ends = m->type == ROAM_END_SESSION;
    const struct sim_page_wanted p = {
        .ref = ends ? m->u.end_session.ref : m->u.sessions.ref,
        .type = m->type,
        .conversation = SIM_PARTIES,
        .user = (uint32_t)(ends ? m->u.end_session.device_type
                                : m->u.sessions.after),
        .before = ends ? m->u.end_session.generation : 0};
    take(w, l, &p);
}

/* type 0: of any. */
static bool answer(struct sim_link *l, uint8_t type, uint64_t ref,
                   struct sim_page_wanted *out)
{
    struct sim_watch *t = &l->watch;
    for (size_t i = 0; i < t->page_count; i++) {
        if (t->pages[i].ref == ref && (type == 0 || t->pages[i].type == type)) {
            *out = t->pages[i];
            t->pages[i] = t->pages[--t->page_count];
            return true;
        }
    }
    return false;
}

bool sim_watch_page_answers(struct sim_world *w, struct sim_link *l,
                            uint8_t type, uint64_t ref,
                            struct sim_page_wanted *out)
{
    if (!answer(l, type, ref, out)) {
        sim_fail(w, "HIST-1", "#%u: a page that nobody asked for", l->number);
    }
    return !w->failed;
}

/* May there be nothing to be seen for this user? [HIST-5], [GRP-15] */
static bool may_be_nothing(const struct sim_world *w, const struct sim_link *l,
                           const struct sim_page_wanted *p)
{
    const struct sim_watch *t = &l->watch;
    if (p->type == ROAM_SESSIONS || p->type == ROAM_CONVERSATIONS ||
        p->conversation < SIM_USERS) {
        return false;
    }
    if (p->conversation == SIM_PARTIES) {
        return true;
    }
    if (p->type == ROAM_MEMBERS) {
        return sim_watch_may_be_out(w, l, p->conversation - SIM_USERS);
    }
    size_t first = sim_oracle_first_row(w, t->user, p->conversation);
    return first == 0 || first > t->told;
}

bool sim_watch_page_error(struct sim_world *w, struct sim_link *l,
                          const roam_v1_Error *e)
{
    struct sim_page_wanted p;
    bool limited = sim_watch_is_limit(w, e);
    if (!answer(l, 0, e->ref, &p)) {
        return false;
    }
    bool ends = p.type == ROAM_END_SESSION;
    bool right = ends ? e->code == roam_v1_ErrorCode_NO_SUCH_DEVICE
                      : e->code == roam_v1_ErrorCode_NO_SUCH_CONVERSATION &&
                            may_be_nothing(w, l, &p);
    if (!limited && !right) {
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

static bool same(struct roam_slice a, struct roam_bytes b)
{
    return sim_same_bytes(a.data, a.len, b.data, b.len);
}

/* The line of this row; 0: there is none. */
static size_t line_of(const struct sim_page_check *c,
                      const struct roam_entry *e)
{
    for (size_t i = sim_oracle_count(c->w, c->l->watch.user); i > 0; i--) {
        const struct sim_message *m = message_at(c, i);
        if (m->msg_id == e->msg_id &&
            same(e->conversation,
                 sim_oracle_conversation(c->w, m, c->l->watch.user))) {
            return i;
        }
    }
    return 0;
}

/* Recalled exactly from the line of the RECALL on: what was told is in the
 * page's state, what is not there yet is not. One who had left the group by
 * then is not told, and finds out some time. [OP-3] */
static void check_recalled(const struct sim_page_check *c,
                           const struct sim_message *m,
                           const struct roam_entry *e)
{
    const struct sim_watch *t = &c->l->watch;
    bool undone = m->kind == roam_v1_Kind_MESSAGE && m->undone_by != NULL;
    bool untold = undone && m->undone_by->version[t->user] == 0;
    size_t number = 0;
    if (undone) {
        sim_oracle_find(c->w, t->user, m->undone_by->version[t->user], &number);
    }
    if (e->recalled ? !undone : undone && !untold && number <= t->told) {
        sim_fail(c->w, "OP-3", "#%u: row %" PRIu64 ": recalled is %d",
                 c->l->number, e->msg_id, e->recalled);
    }
}

static void check_content(const struct sim_page_check *c,
                          const struct sim_message *m,
                          const struct roam_entry *e)
{
    const struct sim_watch *t = &c->l->watch;
    bool cut = m->body.len > sim_body_limit(t->max_frame, c->p.max_inflated);
    struct roam_bytes sender = sim_oracle_party_name(c->w, m->user);
    struct roam_bytes body = {m->body.data, cut ? 0 : m->body.len};
    bool own = m->user == t->user && sim_same_id(&m->device, &t->device);
    static const struct roam_bytes nothing;
    check_recalled(c, m, e);
    if (e->recalled) {
        cut = false;
        body = nothing;
    }
    if (e->kind != m->kind || !sim_oracle_is_row(m, t->user) ||
        !same(e->sender, sender) ||
        !same(e->content_type, e->recalled ? nothing : m->content_type) ||
        !same(e->body, body) || e->cut_size != (cut ? m->body.len : 0) ||
        e->client_msg_id != (own ? m->client_msg_id : 0)) {
        sim_fail(c->w, "HIST-7", "#%u: row %" PRIu64 " is not what was sent",
                 c->l->number, e->msg_id);
    }
}

static void take_rows(struct sim_page_check *c, const struct roam_message *m)
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
        sim_watch_names(c->w, c->l, message_at(c, line), &e);
        c->marks[c->count] =
            (struct sim_page_marks){e.read_mark, e.unread, e.role};
        c->lines[c->count++] = line;
    }
    free(buf);
}

/* ---------------------------------------------------------------- HISTORY */

/* Is this line in the range asked for? */
static bool in_range(const struct sim_page_check *c, size_t line)
{
    const struct sim_message *m = message_at(c, line);
    bool wanted = sim_oracle_is_row(m, c->l->watch.user) &&
                  (!c->p.operations_only || m->kind != roam_v1_Kind_MESSAGE);
    return wanted && party_of(c, m) == c->p.conversation &&
           m->msg_id > c->p.after &&
           (c->p.before == 0 || m->msg_id < c->p.before);
}

/* The first line of the range above `line`, up to `last`; 0: none. */
static size_t next_in_range(const struct sim_page_check *c, size_t line,
                            size_t last)
{
    for (size_t i = line + 1; i <= last; i++) {
        if (in_range(c, i)) {
            return i;
        }
    }
    return 0;
}

/* Each row is the range's next one behind the row before. */
static void check_run(const struct sim_page_check *c)
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
static void check_ends(const struct sim_page_check *c)
{
    size_t all = sim_oracle_count(c->w, c->l->watch.user);
    size_t told = c->l->watch.told;
    size_t first = next_in_range(c, 0, all);
    bool up = c->p.before == 0 && c->p.after != 0;
    size_t last = c->count == 0 ? 0 : c->lines[c->count - 1];
    bool begins = c->count != 0 && c->lines[0] == first;
    bool lacks = next_in_range(c, last, told) != 0;
    if (c->count == 0) {
        bool nothing = c->p.conversation >= SIM_USERS &&
                       sim_oracle_first_row(c->w, c->l->watch.user,
                                            c->p.conversation) == 0;
        if (c->more || lacks || nothing) {
            sim_fail(c->w, nothing ? "GRP-15" : "HIST-4", "#%u: an empty page",
                     c->l->number);
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

/* ------------------------------------------------------------------ pages */

void sim_watch_page(struct sim_world *w, struct sim_link *l,
                    const struct roam_message *m)
{
    bool is_list = m->type == ROAM_CONVERSATION_PAGE;
    struct sim_page_check c = {.w = w, .l = l};
    uint64_t ref = is_list ? m->u.conversation_page.ref : m->u.history_page.ref;
    if (!sim_watch_page_answers(
            w, l, is_list ? ROAM_CONVERSATIONS : ROAM_HISTORY, ref, &c.p)) {
        return;
    }
    c.more = is_list ? m->u.conversation_page.more : m->u.history_page.more;
    take_rows(&c, m);
    if (!w->failed && is_list) {
        sim_watch_check_list(&c, m->u.conversation_page.as_of);
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
