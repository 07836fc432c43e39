/* SPDX-License-Identifier: Apache-2.0 */
/* The verb `pull`: see exec_pull.h.
 *
 * A conversation in which something is written while the list is walked
 * moves up to where the walk has been already; but then its new message
 * comes as an entry, and the device walks it for that. */
#include "exec_pull.h"

#include <inttypes.h>
#include <string.h>

#include "exec.h"
#include "expect.h"
#include "judge.h"

/* Fields of a request beside those of the step. */
#define OWN_FIELDS 3u

struct walk {
    struct world *w;
    struct device *d;
    const struct step *step;
    size_t told_before; /* of what this connection was told */
    struct told *must;  /* all that it must have in the end */
    size_t must_count, must_cap;
    struct told *have;
    size_t have_count, have_cap;
    const char **names; /* conversations */
    size_t name_count, name_cap;
};

static void add_told(struct told **at, size_t *count, size_t *cap,
                     const char *conversation, uint64_t msg_id)
{
    arena_grow((void **)at, *count, cap, sizeof **at);
    (*at)[(*count)++] = (struct told){conversation, msg_id, false};
}

static bool has(const struct told *at, size_t count, const struct told *t)
{
    for (size_t i = 0; i < count; i++) {
        if (at[i].msg_id == t->msg_id &&
            strcmp(at[i].conversation, t->conversation) == 0) {
            return true;
        }
    }
    return false;
}

static void add_name(struct walk *k, const char *name)
{
    for (size_t i = 0; i < k->name_count; i++) {
        if (strcmp(k->names[i], name) == 0) {
            return;
        }
    }
    arena_grow((void **)&k->names, k->name_count, &k->name_cap,
               sizeof *k->names);
    k->names[k->name_count++] = name;
}

/* Every row of history that reached a device of this user, or was answered. */
static void note_must(struct walk *k)
{
    const struct user *u = k->d->user;
    for (size_t i = 0; i < u->known_count; i++) {
        const Roam__V1__Push *m = u->known[i].message;
        if (m && judge_is_row((uint64_t)m->kind)) {
            add_told(&k->must, &k->must_count, &k->must_cap, m->conversation,
                     m->msg_id);
        }
    }
    for (size_t i = 0; i < k->w->sent_count; i++) {
        const struct sent *s = &k->w->sent[i];
        const char *seen = judge_seen_as(s, u);
        if (seen && s->msg_id != 0 && judge_is_row(s->kind)) {
            add_told(&k->must, &k->must_count, &k->must_cap, seen, s->msg_id);
        }
    }
}

/* ------------------------------------------------------------------ pages */

static struct term number_term(const char *field, uint64_t n)
{
    return (struct term){field, OP_EQ, arena_printf("%" PRIu64, n)};
}

static struct term text_term(const char *field, const char *text)
{
    return (struct term){field, OP_EQ, arena_printf("\"%s\"", text)};
}

/* Sends a request and takes its page. `before` 0: the first one. */
static bool ask(struct walk *k, uint8_t request, uint8_t page, uint64_t before,
                const char *conversation)
{
    uint64_t ref = prng_next(&k->w->prng) | 1;
    struct terms fields = {0};
    size_t room = k->step->fields.count + OWN_FIELDS;
    fields.at = arena_alloc(room * sizeof *fields.at);
    for (size_t i = 0; i < k->step->fields.count; i++) {
        fields.at[fields.count++] = k->step->fields.at[i];
    }
    struct term ref_term = number_term("ref", ref);
    fields.at[fields.count++] = ref_term;
    if (before != 0) {
        fields.at[fields.count++] = number_term("before", before);
    }
    if (conversation) {
        fields.at[fields.count++] = text_term("conversation", conversation);
    }
    struct step expected = {
        .kind = STEP_EXPECT,
        .line = k->step->line,
        .rule = k->step->rule,
        .device = k->step->device,
        .type = frame_type_numbered(page),
        .fields = {&ref_term, 1, 1},
        .text = arena_printf("%s< %s ref=%" PRIu64, k->d->decl->name,
                             frame_type_numbered(page)->name, ref)};
    return exec_send(k->w, k->d, request, &fields) &&
           expect_wait(k->w, &expected);
}

static bool walk_list(struct walk *k)
{
    uint64_t before = 0;
    const char *conversation = NULL;
    for (;;) {
        if (!ask(k, F_CONVERSATIONS, F_CONVERSATION_PAGE, before,
                 conversation)) {
            return false;
        }
        const struct link *l = k->d->link;
        const struct batch_rows *rows = l->page;
        for (size_t i = 0; i < rows->count; i++) {
            add_name(k, rows->at[i]->conversation);
        }
        if (!((const Roam__V1__ConversationPage *)l->page_frame->msg)->more) {
            return true;
        }
        before = rows->at[rows->count - 1]->msg_id;
        conversation = rows->at[rows->count - 1]->conversation;
    }
}

static bool walk_conversation(struct walk *k, const char *name)
{
    uint64_t before = 0;
    for (;;) {
        if (!ask(k, F_HISTORY, F_HISTORY_PAGE, before, name)) {
            return false;
        }
        const struct link *l = k->d->link;
        const struct batch_rows *rows = l->page;
        for (size_t i = 0; i < rows->count; i++) {
            add_told(&k->have, &k->have_count, &k->have_cap, name,
                     rows->at[i]->msg_id);
        }
        if (!((const Roam__V1__HistoryPage *)l->page_frame->msg)->more) {
            return true;
        }
        before = rows->at[0]->msg_id;
    }
}

/* ------------------------------------------------------------------- pull */

static bool check_all(struct walk *k)
{
    for (size_t i = 0; i < k->must_count; i++) {
        const struct told *t = &k->must[i];
        if (!has(k->have, k->have_count, t)) {
            return world_fail(
                k->w, "HIST-1 HIST-3 HIST-8",
                arena_printf("msg_id %" PRIu64 " of conversation %s is in no "
                             "page, as another device was told of it",
                             t->msg_id, t->conversation),
                "every message of the user", NULL);
        }
    }
    return true;
}

bool exec_pull(struct world *w, struct device *d, const struct step *step)
{
    struct walk k = {.w = w, .d = d, .step = step};
    if (!exec_fence(w, d)) {
        return false;
    }
    note_must(&k);
    k.told_before = d->link->told_count;
    if (!walk_list(&k) || !exec_fence(w, d)) {
        return false;
    }
    for (size_t i = k.told_before; i < d->link->told_count; i++) {
        add_name(&k, d->link->told[i].conversation);
    }
    for (size_t i = 0; i < k.name_count; i++) {
        if (!walk_conversation(&k, k.names[i])) {
            return false;
        }
    }
    return check_all(&k);
}
