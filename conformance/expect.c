/* SPDX-License-Identifier: Apache-2.0 */
/* Matching what came against what is legal: see expect.h. */
#include "expect.h"

#include <inttypes.h>
#include <string.h>

#include "expr.h"
#include "link.h"
#include "row_state.h"

static struct expect_outcome pending(void)
{
    return (struct expect_outcome){EXPECT_PENDING, NULL, NULL};
}

static struct expect_outcome mismatch(const char *why, const struct frame *got)
{
    return (struct expect_outcome){EXPECT_MISMATCH, why, got};
}

static struct expect_outcome match(void)
{
    return (struct expect_outcome){EXPECT_MATCH, NULL, NULL};
}

static const char *print_value(const struct value *v)
{
    struct text t = {0};
    value_print(&t, v);
    return text_str(&t);
}

/* ---------------------------------------------------------------- fields */

/* Variables bound by a line become visible only when all of it matches. */
struct bindings {
    struct {
        const char *name;
        struct value value;
    } at[16];
    size_t count;
};

static const struct value *bound(const struct bindings *b, const char *name)
{
    for (size_t i = 0; i < b->count; i++) {
        if (strcmp(b->at[i].name, name) == 0) {
            return &b->at[i].value;
        }
    }
    return NULL;
}

/* What a step looks at. */
struct subject_of {
    const ProtobufCMessage *m;
    const struct row_state *state; /* of a row of a page; else NULL */
};

static const ProtobufCFieldDescriptor *read_field(const struct subject_of *s,
                                                  const char *name,
                                                  struct value *have)
{
    const ProtobufCFieldDescriptor *fd = row_state_find(name);
    if (s->state && fd) {
        *have = row_state_get(s->state, name);
        return fd;
    }
    fd = field_find(s->m->descriptor, name);
    return fd && field_get(s->m, name, have) ? fd : NULL;
}

/* One field: NULL when it fits, else why not. */
static const char *match_field(struct world *w, const struct subject_of *s,
                               const struct term *t, struct bindings *b)
{
    struct value have, want;
    const char *reason = "";
    const ProtobufCFieldDescriptor *fd = read_field(s, t->left, &have);
    if (!fd) {
        return arena_printf("no field %s", t->left);
    }
    enum expr_result r = expr_eval(w, t->right, fd, &want, &reason);
    if (r == EXPR_BAD) {
        world_mistake(w, reason);
        return reason;
    }
    if (r == EXPR_UNBOUND) {
        const struct value *v = bound(b, t->right);
        if (!v && t->op != OP_EQ) {
            reason = arena_printf("%s has no value to compare with", t->right);
            world_mistake(w, reason);
            return reason;
        }
        if (!v) {
            if (b->count < sizeof b->at / sizeof b->at[0]) {
                b->at[b->count].name = t->right;
                b->at[b->count++].value = have;
            }
            return NULL;
        }
        want = *v;
    }
    if (value_compare(&have, t->op, &want)) {
        return NULL;
    }
    struct text shown = {0};
    value_print_as(&shown, &have, fd);
    return arena_printf("%s is %s, must be %s%s%s", t->left, text_str(&shown),
                        t->op == OP_EQ ? "" : op_text(t->op),
                        t->op == OP_EQ ? "" : " ", t->right);
}

static const char *match_fields(struct world *w, const struct subject_of *s,
                                const struct terms *fields, struct bindings *b)
{
    for (size_t i = 0; i < fields->count; i++) {
        const char *why = match_field(w, s, &fields->at[i], b);
        if (why) {
            return why;
        }
    }
    return NULL;
}

/* One comparison of a where; NULL when it holds. */
static const char *check_term(struct world *w, const struct term *t)
{
    struct value left, right;
    const char *reason = "a variable has no value";
    if (expr_eval(w, t->left, NULL, &left, &reason) != EXPR_OK ||
        expr_eval(w, t->right, NULL, &right, &reason) != EXPR_OK) {
        world_mistake(w, reason);
        return reason;
    }
    if (value_compare(&left, t->op, &right)) {
        return NULL;
    }
    return arena_printf("%s %s %s does not hold: %s and %s", t->left,
                        op_text(t->op), t->right, print_value(&left),
                        print_value(&right));
}

static const char *check_terms(struct world *w, const struct terms *where)
{
    for (size_t i = 0; i < where->count; i++) {
        const char *why = check_term(w, &where->at[i]);
        if (why) {
            return why;
        }
    }
    return NULL;
}

bool expect_check(struct world *w, const struct terms *where)
{
    const char *why = check_terms(w, where);
    return !why || world_fail(w, NULL, why, NULL, NULL);
}

static struct expect_outcome expect_subject(struct world *w,
                                            const struct subject_of *s,
                                            const struct step *step,
                                            const struct frame *f)
{
    struct bindings b = {.count = 0};
    const char *why = match_fields(w, s, &step->fields, &b);
    if (why) {
        return mismatch(why, f);
    }
    size_t before = w->var_count;
    for (size_t i = 0; i < b.count; i++) {
        var_set(w, b.at[i].name, &b.at[i].value);
    }
    why = check_terms(w, &step->where);
    if (why) {
        w->var_count = before;
        return mismatch(why, f);
    }
    return match();
}

struct expect_outcome expect_message(struct world *w, const ProtobufCMessage *m,
                                     const struct step *step,
                                     const struct frame *f)
{
    return expect_subject(w, &(struct subject_of){m, NULL}, step, f);
}

/* ----------------------------------------------------------------- lanes */

static enum lane lane_of(uint8_t number)
{
    switch (number) {
    case F_LOGIN_OK:
    case F_REFUSED:
        return LANE_LOGIN;
    case F_SYNC_OK:
        return LANE_SYNC;
    case F_PONG:
        return LANE_PONG;
    case F_KICK:
        return LANE_KICK;
    default:
        return LANE_COMMAND;
    }
}

static struct item *first_item(struct link *l, enum lane lane)
{
    for (size_t i = 0; i < l->item_count; i++) {
        if (!l->items[i].consumed && l->items[i].lane == lane) {
            return &l->items[i];
        }
    }
    return NULL;
}

static struct row *first_row(struct link *l)
{
    for (size_t i = 0; i < l->row_count; i++) {
        if (!l->rows[i].consumed) {
            return &l->rows[i];
        }
    }
    return NULL;
}

/* The id of the command that an answer names. */
static const char *id_field(uint8_t number)
{
    return number == F_SEND_OK ? "client_msg_id" : "ref";
}

static uint64_t command_id(const struct frame *f)
{
    struct value v = value_number(0);
    field_get(f->msg, id_field(f->number), &v);
    return v.number;
}

/* Answers of commands come in any order: a step that names a command looks
 * for that command's answer. */
static struct item *item_for(struct world *w, struct link *l,
                             const struct step *step)
{
    enum lane lane = lane_of(step->type->number);
    const char *name = id_field(step->type->number);
    struct value want;
    const char *reason;
    for (size_t i = 0; lane == LANE_COMMAND && i < step->fields.count; i++) {
        const struct term *t = &step->fields.at[i];
        if (strcmp(t->left, name) != 0 || t->op != OP_EQ ||
            expr_eval(w, t->right, NULL, &want, &reason) != EXPR_OK) {
            continue;
        }
        for (size_t k = 0; k < l->item_count; k++) {
            struct item *item = &l->items[k];
            if (!item->consumed && item->lane == lane &&
                command_id(item->frame) == want.number) {
                return item;
            }
        }
        return NULL;
    }
    return first_item(l, lane);
}

/* What there is when nothing of the kind has come: an end decides it. */
static struct expect_outcome nothing_yet(struct link *l)
{
    struct item *kick = first_item(l, LANE_KICK);
    if (kick) {
        return mismatch("KICK came instead", kick->frame);
    }
    if (l->is_closed) {
        return mismatch("the connection was closed", NULL);
    }
    return pending();
}

static struct expect_outcome try_frame(struct world *w, struct link *l,
                                       const struct step *step)
{
    struct item *item = item_for(w, l, step);
    if (!item) {
        return step->type->number == F_KICK && !l->is_closed ? pending()
                                                             : nothing_yet(l);
    }
    if (item->frame->number != step->type->number) {
        return mismatch(
            arena_printf("%s came instead", item->frame->type->name),
            item->frame);
    }
    struct expect_outcome o =
        expect_message(w, item->frame->msg, step, item->frame);
    if (o.result == EXPECT_MATCH) {
        item->consumed = true;
    }
    if (o.result == EXPECT_MATCH && item->members) {
        l->members = item->members;
        l->member_at = 0;
    }
    if (o.result == EXPECT_MATCH && item->page) {
        l->page = item->page;
        l->page_frame = item->frame;
        l->page_at = 0;
    }
    return o;
}

/* The next row of the page taken last: all of it is there, nothing can come
 * any more. */
static struct subject_of subject_of_row(const struct link *l, size_t at)
{
    return (struct subject_of){&l->page->at[at]->base,
                               l->page->states ? &l->page->states[at] : NULL};
}

static struct expect_outcome try_page_row(struct world *w, struct link *l,
                                          const struct step *step)
{
    if (!l->page || l->page_at == l->page->count) {
        return mismatch(l->page ? "the page has no further row"
                                : "no page was taken before",
                        l->page_frame);
    }
    const struct subject_of subject = subject_of_row(l, l->page_at);
    struct expect_outcome o = expect_subject(w, &subject, step, l->page_frame);
    if (o.result == EXPECT_MATCH) {
        l->page_at++;
    } else {
        o.why = arena_printf("row %zu: %s", l->page_at, o.why);
    }
    return o;
}

/* The same for the MEMBER_PAGE taken last. */
static struct expect_outcome try_member(struct world *w, struct link *l,
                                        const struct step *step)
{
    if (!l->members || l->member_at == l->members->count) {
        return mismatch(l->members ? "the page has no further member"
                                   : "no page of members was taken before",
                        NULL);
    }
    struct expect_outcome o =
        expect_message(w, &l->members->at[l->member_at]->base, step, NULL);
    if (o.result == EXPECT_MATCH) {
        l->member_at++;
    }
    return o;
}

static struct expect_outcome try_row(struct world *w, struct link *l,
                                     const struct step *step)
{
    struct row *row = first_row(l);
    if (!row) {
        return nothing_yet(l);
    }
    if (step->subject == ABOUT_FRAME && row->from_batch) {
        return mismatch("the entry came in a BATCH", row->frame);
    }
    struct expect_outcome o =
        expect_message(w, &row->push->base, step, row->frame);
    if (o.result == EXPECT_MATCH) {
        row->consumed = true;
    } else if (row->from_batch) {
        o.why = arena_printf("row %zu: %s", row->index, o.why);
    }
    return o;
}

static struct expect_outcome try_batch(struct world *w, struct link *l,
                                       const struct step *step)
{
    struct row *row = first_row(l);
    if (!row) {
        return nothing_yet(l);
    }
    if (!row->from_batch || row->index != 0) {
        return mismatch("the next entry is not the first of a BATCH",
                        row->frame);
    }
    struct expect_outcome o =
        expect_message(w, row->frame->msg, step, row->frame);
    const struct frame *f = row->frame;
    for (size_t i = 0;
         o.result == EXPECT_MATCH && !step->peek && i < l->row_count; i++) {
        if (l->rows[i].frame == f) {
            l->rows[i].consumed = true;
        }
    }
    return o;
}

/* Closed means closed behind everything that was expected. The device has
 * no connection then; what it sends next opens another one. */
static struct expect_outcome try_closed(struct device *d)
{
    struct link *l = d->link;
    for (size_t i = 0; i < l->item_count; i++) {
        if (!l->items[i].consumed) {
            return mismatch(arena_printf("%s came before the end",
                                         l->items[i].frame->type->name),
                            l->items[i].frame);
        }
    }
    if (!l->is_closed) {
        return pending();
    }
    l->end_expected = true;
    d->link = NULL;
    return match();
}

struct expect_outcome expect_try_link(struct world *w, const struct step *step)
{
    struct link *l = w->devices[step->device].link;
    if (!l) {
        world_mistake(w, "the device has no connection");
        return mismatch("the device has no connection", NULL);
    }
    if (step->subject == ABOUT_CLOSED) {
        return try_closed(&w->devices[step->device]);
    }
    if (step->subject == ABOUT_ROW) {
        return try_page_row(w, l, step);
    }
    if (step->subject == ABOUT_MEMBER) {
        return try_member(w, l, step);
    }
    if (step->subject == ABOUT_ENTRY || step->type->number == F_PUSH) {
        return try_row(w, l, step);
    }
    if (step->type->number == F_BATCH) {
        return try_batch(w, l, step);
    }
    return try_frame(w, l, step);
}

struct expect_outcome expect_try(struct world *w, const struct step *step)
{
    if (!w->ops) {
        return expect_try_link(w, step);
    }
    struct expect_outcome o = pending();
    w->ops->decide(w, step, &o);
    return o;
}

/* --------------------------------------------------------------- waiting */

static bool no_answer(struct world *w, const struct step *step,
                      const char *legal)
{
    if (w->ops) {
        w->ops->nothing_came(w, step);
    }
    return world_fail(
        w, NULL, arena_printf("no answer within %" PRIu64 " ms", w->timeout_ms),
        legal, NULL);
}

bool expect_wait(struct world *w, const struct step *step)
{
    uint64_t deadline = now_ms() + w->timeout_ms;
    for (;;) {
        struct expect_outcome o = expect_try(w, step);
        if (o.result == EXPECT_MATCH) {
            return true;
        }
        if (o.result == EXPECT_MISMATCH) {
            return world_fail(w, NULL, o.why, step->text, o.got);
        }
        if (!link_pump(w, deadline) && now_ms() >= deadline) {
            return no_answer(w, step, step->text);
        }
        if (w->failure.happened) {
            return false;
        }
    }
}

static const char *alternatives(const struct step *any_of)
{
    struct text t = {0};
    for (size_t i = 0; i < any_of->body_count; i++) {
        text_add(&t, "%s%s", i ? "\nor " : "", any_of->bodies[i].at[0].text);
    }
    return text_str(&t);
}

bool expect_any(struct world *w, const struct step *any_of, size_t *chosen)
{
    uint64_t deadline = now_ms() + w->timeout_ms;
    for (;;) {
        bool open = false;
        struct expect_outcome last = pending();
        for (size_t i = 0; i < any_of->body_count; i++) {
            struct expect_outcome o = expect_try(w, &any_of->bodies[i].at[0]);
            if (o.result == EXPECT_MATCH) {
                *chosen = i;
                return true;
            }
            open = open || o.result == EXPECT_PENDING;
            last = o.result == EXPECT_MISMATCH ? o : last;
        }
        if (!open) {
            return world_fail(w, NULL, last.why, alternatives(any_of),
                              last.got);
        }
        if (!link_pump(w, deadline) && now_ms() >= deadline) {
            return no_answer(w, &any_of->bodies[0].at[0], alternatives(any_of));
        }
        if (w->failure.happened) {
            return false;
        }
    }
}

/* --------------------------------------------------------------- absence */

static bool absent_row(struct world *w, struct link *l, const struct step *step)
{
    for (size_t i = 0; i < l->row_count; i++) {
        struct row *r = &l->rows[i];
        bool by_kind = step->subject == ABOUT_ENTRY ||
                       r->from_batch == (step->type->number == F_BATCH);
        struct bindings b = {.count = 0};
        const ProtobufCMessage *m =
            step->subject == ABOUT_FRAME && step->type->number == F_BATCH
                ? r->frame->msg
                : &r->push->base;
        if (!r->consumed && by_kind &&
            !match_fields(w, &(struct subject_of){m, NULL}, &step->fields,
                          &b)) {
            return world_fail(w, NULL, "it came, and must not", step->text,
                              r->frame);
        }
    }
    return true;
}

/* In the whole page, also where steps have read it. */
static bool absent_page_row(struct world *w, const struct link *l,
                            const struct step *step)
{
    for (size_t i = 0; l->page && i < l->page->count; i++) {
        struct bindings b = {.count = 0};
        const struct subject_of subject = subject_of_row(l, i);
        if (!match_fields(w, &subject, &step->fields, &b)) {
            return world_fail(w, NULL, "it is in the page, and must not be",
                              step->text, l->page_frame);
        }
    }
    return l->page || world_mistake(w, "no page was taken before");
}

static bool absent_member(struct world *w, const struct link *l,
                          const struct step *step)
{
    for (size_t i = 0; l->members && i < l->members->count; i++) {
        struct bindings b = {.count = 0};
        const struct subject_of subject = {&l->members->at[i]->base, NULL};
        if (!match_fields(w, &subject, &step->fields, &b)) {
            return world_fail(w, NULL, "it is in the page, and must not be",
                              step->text, NULL);
        }
    }
    return l->members ||
           world_mistake(w, "no page of members was taken before");
}

bool expect_absent(struct world *w, const struct step *step)
{
    struct link *l = w->devices[step->device].link;
    if (step->subject == ABOUT_MEMBER) {
        return absent_member(w, l, step);
    }
    if (step->subject == ABOUT_ROW) {
        return absent_page_row(w, l, step);
    }
    if (step->subject == ABOUT_ENTRY || step->type->number == F_PUSH ||
        step->type->number == F_BATCH) {
        return absent_row(w, l, step);
    }
    for (size_t i = 0; i < l->item_count; i++) {
        const struct item *item = &l->items[i];
        struct bindings b = {.count = 0};
        if (!item->consumed && item->frame->number == step->type->number &&
            !match_fields(w, &(struct subject_of){item->frame->msg, NULL},
                          &step->fields, &b)) {
            return world_fail(w, NULL, "it came, and must not", step->text,
                              item->frame);
        }
    }
    return true;
}

bool expect_nothing_left(struct world *w)
{
    for (size_t i = 0; i < w->link_count; i++) {
        const struct link *l = w->links[i];
        for (size_t k = 0; k < l->item_count; k++) {
            if (!l->items[k].consumed && !l->is_dropped) {
                return world_fail(
                    w, NULL,
                    arena_printf("%s got a frame that no step expects",
                                 l->device->decl->name),
                    "nothing more", l->items[k].frame);
            }
        }
        if (l->is_closed && !l->is_kicked && !l->is_dropped &&
            !l->end_expected) {
            return world_fail(w, "KICK-4",
                              "the server closed a connection without KICK",
                              "KICK, then the end", NULL);
        }
    }
    return true;
}
