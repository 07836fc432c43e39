/* SPDX-License-Identifier: Apache-2.0 */
/* Judges of SESSIONS and END_SESSION: one answer for each, and a list that its
 * asker can be found in; and of the entries that tell of a new device. See
 * judge.h. */
#include "judge.h"

#include <string.h>

static uint64_t ref_of(uint8_t number, const ProtobufCMessage *m)
{
    return number == F_SESSIONS ? ((const Roam__V1__Sessions *)m)->ref
                                : ((const Roam__V1__EndSession *)m)->ref;
}

void judge_note_question(struct world *w, struct link *l, uint8_t number,
                         const ProtobufCMessage *m)
{
    struct page_sent p = {.link = l,
                          .question = number,
                          .ref = ref_of(number, m),
                          .order = w->event_count};
    if (number == F_SESSIONS) {
        p.after = (uint64_t)((const Roam__V1__Sessions *)m)->after;
    }
    arena_grow((void **)&w->pages, w->page_count, &w->page_cap,
               sizeof *w->pages);
    w->pages[w->page_count++] = p;
}

struct page_sent *judge_find_question(struct world *w, const struct link *l,
                                      uint8_t number, uint64_t ref)
{
    for (size_t i = 0; i < w->page_count; i++) {
        struct page_sent *p = &w->pages[i];
        if (p->link == l && p->question != 0 && p->ref == ref &&
            (number == 0 || p->question == number) && !p->is_answered) {
            return p;
        }
    }
    return NULL;
}

static bool check_row(struct world *w, const struct link *l,
                      const struct page_sent *p,
                      const Roam__V1__SessionRow *row, struct frame *f)
{
    bool own = (uint64_t)row->device_type == l->device->type;
    if ((uint64_t)row->device_type <= p->after) {
        return world_fail(w, "DEV-3", "a device type that was not asked for",
                          "types above `after`", f);
    }
    if (row->self != own || (own && !row->online)) {
        return world_fail(w, "DEV-4", "the asker is not told from others",
                          "self and online for the asker's own type", f);
    }
    return true;
}

static bool check_list(struct world *w, struct link *l,
                       const struct page_sent *p, struct frame *f)
{
    const Roam__V1__SessionList *m = (const Roam__V1__SessionList *)f->msg;
    const Roam__V1__SessionRows *all =
        (const Roam__V1__SessionRows *)message_decode(
            &roam__v1__session_rows__descriptor, m->rows.data, m->rows.len);
    for (size_t i = 0; all && i < all->n_rows; i++) {
        if (!check_row(w, l, p, all->rows[i], f)) {
            return false;
        }
    }
    return m->count > 0 || !m->more ||
           world_fail(w, "DEV-3", "nothing, and more of it", "one row at least",
                      f);
}

bool judge_question_answer(struct world *w, struct link *l, struct frame *f)
{
    bool is_list = f->number == F_SESSION_LIST;
    uint64_t ref = is_list ? ((const Roam__V1__SessionList *)f->msg)->ref
                           : ((const Roam__V1__SessionEnded *)f->msg)->ref;
    struct page_sent *p =
        judge_find_question(w, l, is_list ? F_SESSIONS : F_END_SESSION, ref);
    judge_add_item(l, f, LANE_COMMAND);
    if (!p || !l->is_live) {
        return world_fail(w, is_list ? "DEV-3" : "DEV-6",
                          "no request of this ref is unanswered",
                          "one answer for each request", f);
    }
    p->is_answered = true;
    return judge_overtaken(w, l, p->order, f) &&
           (!is_list || check_list(w, l, p, f));
}

bool judge_question_error(struct world *w, struct link *l, struct page_sent *p,
                          struct frame *f)
{
    const Roam__V1__Error *m = (const Roam__V1__Error *)f->msg;
    p->is_answered = true;
    if (!judge_overtaken(w, l, p->order, f)) {
        return false;
    }
    return m->code == ROAM__V1__ERROR_CODE__RATE_LIMITED ||
           (m->code == ROAM__V1__ERROR_CODE__NO_SUCH_DEVICE &&
            p->question == F_END_SESSION) ||
           world_fail(w, "DEV-5", "this request has other errors",
                      "NO_SUCH_DEVICE to END_SESSION, RATE_LIMITED", f);
}

/* ---------------------------------------------------------- new devices */

void judge_note_caller(struct world *w, const struct link *l,
                       const Roam__V1__Login *m)
{
    arena_grow((void **)&w->callers, w->caller_count, &w->caller_cap,
               sizeof *w->callers);
    w->callers[w->caller_count++] =
        (struct caller){.user = l->device->user,
                        .installation = l->device->installation,
                        .type = (uint64_t)m->device_type,
                        .name = arena_string(m->device_name)};
}

static bool has_called(const struct world *w, const struct user *u,
                       const Roam__V1__DeviceChange *news)
{
    for (size_t i = 0; i < w->caller_count; i++) {
        const struct caller *c = &w->callers[i];
        if (c->user == u && c->type == (uint64_t)news->device_type &&
            strcmp(c->name, news->device_name) == 0) {
            return true;
        }
    }
    return false;
}

bool judge_news(struct world *w, const struct user *u, const Roam__V1__Push *p,
                struct frame *f)
{
    if (strcmp(p->sender, u->name) != 0 ||
        strcmp(p->conversation, u->name) != 0 || p->client_msg_id != 0 ||
        *p->content_type != '\0') {
        return world_fail(w, "DEV-9", "news of a device is no note to oneself",
                          "the user as sender and conversation, no "
                          "client_msg_id and no content type",
                          f);
    }
    if (p->cut_size > 0) {
        return true;
    }
    const Roam__V1__DeviceChange *news =
        (const Roam__V1__DeviceChange *)message_decode(
            &roam__v1__device_change__descriptor, p->body.data, p->body.len);
    return (news && news->since > 0 && has_called(w, u, news)) ||
           world_fail(w, "DEV-9", "no LOGIN named the device that it tells of",
                      "device_type and device_name of a LOGIN, and a time", f);
}

/* Installations of the user that may have been granted a login. */
static size_t count_installations(const struct world *w, const struct user *u)
{
    size_t count = 0;
    for (size_t i = 0; i < w->caller_count; i++) {
        bool again = w->callers[i].user != u;
        for (size_t k = 0; k < i && !again; k++) {
            again = w->callers[k].user == u &&
                    w->callers[k].installation == w->callers[i].installation;
        }
        count += again ? 0 : 1;
    }
    return count;
}

/* The first device is nobody's news, every other one is once. */
bool judge_news_count(struct world *w, const struct user *u)
{
    size_t told = 0;
    for (size_t i = 0; i < u->known_count; i++) {
        const Roam__V1__Push *p = u->known[i].message;
        told += p && p->kind == ROAM__V1__KIND__DEVICE ? 1 : 0;
    }
    return told == 0 || told < count_installations(w, u) ||
           world_fail(w, "DEV-8", "more news than the user has new devices",
                      "an entry for each device but the first", NULL);
}
