/* SPDX-License-Identifier: Apache-2.0 */
/* What the program behind a client knows, from its adapter's events alone:
 * messages with their content, which of them were recalled or deleted, and
 * how far each conversation was read. Neither side's judges see this: they
 * look at frames, and the program at what came of all of them. Devices of one
 * user that miss nothing must know the same.
 *
 * A *hole* is what RESET leaves; it is filled when all pages were fetched. Of
 * what a page does not tell (read marks) nothing is compared then. */
#include <inttypes.h>
#include <string.h>

#include "judge.h"
#include "pair_case.h"

struct known_message {
    const char *conversation;
    uint64_t msg_id;
    const char *sender, *content_type;
    struct value body;
    uint64_t cut_size;
    bool is_recalled, is_deleted;
    bool is_placeholder; /* an operation names it, and it was not told */
};

struct mark {
    const char *conversation;
    uint64_t msg_id;
};

/* A message that the program said. */
struct said {
    uint64_t client_msg_id, kind;
    const char *conversation, *content_type;
    struct value body;
    bool is_done;
};

struct view {
    struct known_message *messages;
    size_t message_count, message_cap;
    struct mark *marks;
    size_t mark_count, mark_cap;
    struct said *said;
    size_t said_count, said_cap;
    bool has_hole, had_hole;
};

static struct view *view_of(struct sut *s)
{
    if (!s->view) {
        s->view = arena_alloc(sizeof *s->view);
    }
    return s->view;
}

bool view_misses(const struct sut *s)
{
    return s->view && s->view->has_hole;
}

void view_filled(struct sut *s)
{
    view_of(s)->has_hole = false;
}

static bool counts(const struct known_message *m)
{
    return !m->is_deleted && !m->is_placeholder;
}

size_t view_count(const struct sut *s)
{
    size_t n = 0;
    for (size_t i = 0; s->view && i < s->view->message_count; i++) {
        n += counts(&s->view->messages[i]);
    }
    return n;
}

/* --------------------------------------------------------------- messages */

static struct known_message *find(const struct view *v,
                                  const char *conversation, uint64_t msg_id)
{
    for (size_t i = 0; i < v->message_count; i++) {
        struct known_message *m = &v->messages[i];
        if (m->msg_id == msg_id && strcmp(m->conversation, conversation) == 0) {
            return m;
        }
    }
    return NULL;
}

static struct known_message *get(struct view *v, const char *conversation,
                                 uint64_t msg_id)
{
    struct known_message *m = find(v, conversation, msg_id);
    if (m) {
        return m;
    }
    arena_grow((void **)&v->messages, v->message_count, &v->message_cap,
               sizeof *v->messages);
    m = &v->messages[v->message_count++];
    *m = (struct known_message){.conversation = conversation,
                                .msg_id = msg_id,
                                .sender = "",
                                .content_type = "",
                                .is_placeholder = true};
    return m;
}

/* [SEND-18]: told twice, it is one. */
static void learn(struct view *v, const char *conversation, uint64_t msg_id,
                  const char *sender, const char *content_type,
                  const struct value *body, uint64_t cut_size, bool recalled)
{
    struct known_message *m = get(v, conversation, msg_id);
    m->sender = sender;
    m->content_type = content_type;
    m->body = *body;
    m->cut_size = cut_size;
    m->is_recalled = m->is_recalled || recalled;
    m->is_placeholder = false;
}

static void read_up_to(struct view *v, const char *conversation,
                       uint64_t msg_id)
{
    size_t i = 0;
    while (i < v->mark_count &&
           strcmp(v->marks[i].conversation, conversation) != 0) {
        i++;
    }
    if (i == v->mark_count) {
        arena_grow((void **)&v->marks, v->mark_count, &v->mark_cap,
                   sizeof *v->marks);
        v->marks[v->mark_count++] = (struct mark){conversation, 0};
    }
    if (msg_id > v->marks[i].msg_id) {
        v->marks[i].msg_id = msg_id;
    }
}

static void operate(struct view *v, uint64_t kind, const char *conversation,
                    const ProtobufCBinaryData *body)
{
    uint64_t target = judge_target(kind, body);
    switch (kind) {
    case ROAM__V1__KIND__RECALL:
        get(v, conversation, target)->is_recalled = true;
        break;
    case ROAM__V1__KIND__DELETE:
        get(v, conversation, target)->is_deleted = true;
        break;
    case ROAM__V1__KIND__READ:
        read_up_to(v, conversation, target);
        break;
    default:
        break; /* no message, and nothing done to one */
    }
}

static void take_entry(struct view *v, const Roam__V1__Push *p)
{
    const struct value body = {
        .kind = VALUE_BYTES, .data = p->body.data, .len = p->body.len};
    if (p->kind == ROAM__V1__KIND__MESSAGE) {
        learn(v, p->conversation, p->msg_id, p->sender, p->content_type, &body,
              p->cut_size, p->recalled);
    } else {
        operate(v, (uint64_t)p->kind, p->conversation, &p->body);
    }
}

/* ------------------------------------------------------------- what was said
 */

static struct said *find_said(struct view *v, uint64_t client_msg_id)
{
    for (size_t i = 0; i < v->said_count; i++) {
        if (v->said[i].client_msg_id == client_msg_id) {
            return &v->said[i];
        }
    }
    return NULL;
}

static bool same_bytes(const struct value *a, const ProtobufCBinaryData *b)
{
    return a->len == b->len &&
           (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* What goes out is what the program said. */
static bool check_said(struct stage *g, const struct said *said,
                       const Roam__V1__Send *m, struct frame *f)
{
    const char *differs =
        strcmp(said->conversation, m->conversation) != 0   ? "conversation"
        : strcmp(said->content_type, m->content_type) != 0 ? "content_type"
        : said->kind != (uint64_t)m->kind                  ? "kind"
        : !same_bytes(&said->body, &m->body)               ? "body"
                                                           : NULL;
    return !differs ||
           world_fail(&g->world, "SEND-13",
                      arena_printf("the client sends another %s than its "
                                   "program said",
                                   differs),
                      "the message as it was said", f);
}

bool view_said(struct stage *g, struct sut *s, const struct said_fields *f)
{
    struct view *v = view_of(s);
    arena_grow((void **)&v->said, v->said_count, &v->said_cap, sizeof *v->said);
    struct said *said = &v->said[v->said_count++];
    *said = (struct said){.client_msg_id = f->client_msg_id,
                          .kind = f->kind,
                          .conversation = f->conversation,
                          .content_type = f->content_type,
                          .body = f->body};
    s->last_said = f->client_msg_id;
    /* Its SEND, and even the answer, may have been faster. */
    const struct client_send *sent = client_find_send(s, f->client_msg_id);
    return !sent || !sent->first || check_said(g, said, sent->first, NULL);
}

bool view_send(struct stage *g, struct sut *s, struct frame *f)
{
    const Roam__V1__Send *m = (const Roam__V1__Send *)f->msg;
    const struct said *said = find_said(view_of(s), m->client_msg_id);
    return !said || check_said(g, said, m, f);
}

bool view_unsent(const struct sut *s)
{
    for (size_t i = 0; s->view && i < s->view->said_count; i++) {
        const struct said *said = &s->view->said[i];
        if (!client_find_send((struct sut *)s, said->client_msg_id)) {
            return true;
        }
    }
    return false;
}

static void take_sent(struct sut *s, const Roam__V1__SendOk *m)
{
    struct view *v = view_of(s);
    struct said *said = find_said(v, m->client_msg_id);
    if (!said || said->is_done) {
        return;
    }
    said->is_done = true;
    if (said->kind == ROAM__V1__KIND__MESSAGE) {
        learn(v, said->conversation, m->msg_id, s->device->user->name,
              said->content_type, &said->body, 0, false);
    } else {
        const ProtobufCBinaryData body = {said->body.len,
                                          (uint8_t *)said->body.data};
        operate(v, said->kind, said->conversation, &body);
    }
}

/* ----------------------------------------------------------------- events */

bool view_event(struct stage *g, struct sut *s, const json_t *event)
{
    const char *name = json_text(event, "event"), *reason;
    const ProtobufCMessage *m = event_message(event, &reason);
    struct view *v = view_of(s);
    (void)g;
    if (strcmp(name, "message") == 0 || strcmp(name, "operation") == 0 ||
        strcmp(name, "page-row") == 0) {
        take_entry(v, (const Roam__V1__Push *)m);
    } else if (strcmp(name, "sent") == 0) {
        take_sent(s, (const Roam__V1__SendOk *)m);
    } else if (strcmp(name, "reset") == 0) {
        v->has_hole = v->had_hole = true;
    }
    return true;
}

/* -------------------------------------------------------------- comparing */

static bool same_message(const struct known_message *a,
                         const struct known_message *b)
{
    if (strcmp(a->sender, b->sender) != 0 || a->is_recalled != b->is_recalled) {
        return false;
    }
    bool cut = a->cut_size || b->cut_size;
    return a->is_recalled || (strcmp(a->content_type, b->content_type) == 0 &&
                              (cut || value_equal(&a->body, &b->body)));
}

/* culprit: NULL for the server. */
static bool differ(struct stage *g, const struct sut *culprit,
                   const struct sut *a, const struct sut *b, const char *what,
                   const struct mark *which)
{
    /* What came by pages has pages to blame. */
    bool by_pages = a->view->had_hole || b->view->had_hole;
    const char *rules = culprit    ? by_pages ? "HIST-12 CHAIN-4" : "CHAIN-4"
                        : by_pages ? "HIST-1 HIST-6"
                                   : "PUSH-1";
    relay_accuse(g, culprit);
    return world_fail(&g->world, rules,
                      arena_printf("%s and %s differ: %s msg_id %" PRIu64
                                   " of the conversation with %s",
                                   a->decl->name, b->decl->name, what,
                                   which->msg_id, which->conversation),
                      "the programs of all devices of a user know the same",
                      NULL);
}

/* Whoever was told, and does not know; NULL: it was not told. */
static const struct sut *deaf(const struct stage *g, const struct sut *s,
                              const struct mark *which, bool as_target)
{
    return served(g, s, which->conversation, which->msg_id, as_target) ? s
                                                                       : NULL;
}

/* Whose content is not that of the timeline. */
static const struct sut *mistaken(const struct sut *a, const struct sut *b,
                                  const struct known_message *of_a)
{
    const Roam__V1__Push *p =
        served_message(a, of_a->conversation, of_a->msg_id);
    return p && strcmp(p->sender, of_a->sender) == 0 &&
                   strcmp(p->content_type, of_a->content_type) == 0 &&
                   same_bytes(&of_a->body, &p->body)
               ? b
               : a;
}

/* What a knows, b knows. */
static bool contains(struct stage *g, const struct sut *a, const struct sut *b)
{
    for (size_t i = 0; i < a->view->message_count; i++) {
        const struct known_message *m = &a->view->messages[i];
        const struct known_message *o =
            find(b->view, m->conversation, m->msg_id);
        const struct mark which = {m->conversation, m->msg_id};
        if (!counts(m)) {
            continue;
        }
        if (!o || !counts(o)) {
            bool deleted = o && o->is_deleted; /* then a missed that */
            return differ(g, deaf(g, deleted ? a : b, &which, deleted), a, b,
                          "only the first knows", &which);
        }
        if (m->is_recalled != o->is_recalled) {
            return differ(g, deaf(g, m->is_recalled ? b : a, &which, true), a,
                          b, "only one knows as recalled", &which);
        }
        if (!same_message(m, o)) {
            return differ(g, mistaken(a, b, m), a, b,
                          "they know something else of", &which);
        }
    }
    return true;
}

static bool marks_equal(struct stage *g, const struct sut *a,
                        const struct sut *b)
{
    if (a->view->had_hole || b->view->had_hole) {
        return true;
    }
    for (size_t i = 0; i < a->view->mark_count; i++) {
        const struct mark *m = &a->view->marks[i];
        uint64_t other = 0;
        for (size_t k = 0; k < b->view->mark_count; k++) {
            if (strcmp(b->view->marks[k].conversation, m->conversation) == 0) {
                other = b->view->marks[k].msg_id;
            }
        }
        const struct mark further = {m->conversation,
                                     other > m->msg_id ? other : m->msg_id};
        if (other != m->msg_id) {
            return differ(g, deaf(g, other < m->msg_id ? b : a, &further, true),
                          a, b, "only one has read up to", &further);
        }
    }
    return true;
}

/* Entries are applied only in a session that delivers. */
static bool is_compared(const struct stage *g, const struct sut *s,
                        const char *word)
{
    const struct link *l = s->device->link;
    (void)g;
    return strcmp(s->device->user->word, word) == 0 && s->view && s->is_open &&
           !s->view->has_hole && l && l->is_live && l->is_delivering &&
           !l->is_stalled;
}

bool view_compare(struct stage *g, const char *user_word)
{
    const struct sut *first = NULL;
    for (size_t i = 0; i < g->world.s->device_count; i++) {
        const struct sut *s = &g->suts[i];
        if (!is_compared(g, s, user_word)) {
            continue;
        }
        if (first && (!contains(g, first, s) || !contains(g, s, first) ||
                      !marks_equal(g, first, s) || !marks_equal(g, s, first))) {
            return false;
        }
        first = first ? first : s;
    }
    return true;
}
