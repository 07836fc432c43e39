/* SPDX-License-Identifier: Apache-2.0 */
/* The executor of the client role: steps, what they wait for, and what must
 * hold when the last one is done. */
#include <inttypes.h>
#include <string.h>

#include "client_case.h"
#include "expect.h"
#include "expr.h"

static struct expect_outcome pending(void)
{
    return (struct expect_outcome){EXPECT_PENDING, NULL, NULL};
}

static struct expect_outcome mismatch(const char *why, const struct frame *got)
{
    return (struct expect_outcome){EXPECT_MISMATCH, why, got};
}

bool client_closed_for_nothing(const struct conn *c)
{
    /* Refused, it may leave. */
    return c->is_closed && !c->is_left && !c->must_end && !c->close_expected &&
           c->state != CONN_OPEN;
}

/* The rule that the client thinks is broken is one that the case is about. */
bool client_false_end(struct stage *g)
{
    const struct step *step = g->world.step;
    struct text rules = {0};
    text_add(&rules, "FRAME-14");
    if (step && step->rule) {
        text_add(&rules, " %s", step->rule);
    }
    for (size_t i = 0; i < g->world.s->rule_count; i++) {
        if (!rules_named(text_str(&rules), g->world.s->rules[i])) {
            text_add(&rules, " %s", g->world.s->rules[i]);
        }
    }
    return world_fail(
        &g->world, text_str(&rules),
        "the client closed a connection on which nothing was wrong", "it stays",
        NULL);
}

/* ------------------------------------------------------------- expectations */

/* ACK and PING are lanes of their own; everything else comes in order. */
static bool same_lane(uint8_t a, uint8_t b)
{
    bool a_free = a == F_ACK || a == F_PING;
    bool b_free = b == F_ACK || b == F_PING;
    return a == b || (!a_free && !b_free);
}

static struct client_frame *next_frame(struct conn *c, uint8_t number)
{
    for (size_t i = 0; c && i < c->frame_count; i++) {
        struct client_frame *f = &c->frames[i];
        if (!f->consumed && same_lane(f->frame->number, number)) {
            return f;
        }
    }
    return NULL;
}

struct expect_outcome client_try_frame(struct stage *g, struct sut *s,
                                       const struct step *step)
{
    struct conn *c = s->conn;
    struct client_frame *f = next_frame(c, step->type->number);
    if (!f) {
        bool may_come = !c || !c->is_closed || step->type->number == F_LOGIN;
        return may_come ? pending()
                        : mismatch("the client closed the connection", NULL);
    }
    if (f->frame->number != step->type->number) {
        return mismatch(arena_printf("%s came instead", f->frame->type->name),
                        f->frame);
    }
    struct expect_outcome o =
        expect_message(&g->world, f->frame->msg, step, f->frame);
    if (o.result == EXPECT_MATCH) {
        f->consumed = true;
    }
    return o;
}

/* The first connection whose end no step has expected: the client may have
 * made the next one already. */
struct expect_outcome client_try_closed(struct stage *g, const struct sut *s)
{
    for (size_t i = 0; i < g->conn_count; i++) {
        struct conn *c = g->conns[i];
        if (c->subject == s && c->is_closed && !c->close_expected) {
            c->close_expected = true;
            return (struct expect_outcome){EXPECT_MATCH, NULL, NULL};
        }
    }
    return s->conn ? pending() : mismatch("there is no connection", NULL);
}

struct expect_outcome client_try_event(struct stage *g, struct sut *s,
                                       const struct step *step)
{
    const char *reason = "";
    json_t *event = event_next(s, step->word);
    if (!event) {
        return pending();
    }
    struct expect_outcome o =
        expect_message(&g->world, event_message(event, &reason), step, NULL);
    if (o.result == EXPECT_MATCH) {
        event_take(s, event);
    } else {
        o.why = arena_printf("event %s: %s", step->word, o.why);
    }
    return o;
}

static struct expect_outcome try_step(struct stage *g, const struct step *step)
{
    struct sut *s = &g->suts[step->device];
    if (step->kind == STEP_EVENT) {
        return client_try_event(g, s, step);
    }
    return step->subject == ABOUT_CLOSED ? client_try_closed(g, s)
                                         : client_try_frame(g, s, step);
}

static const char *alternatives(const struct step *const *steps, size_t count)
{
    struct text t = {0};
    for (size_t i = 0; i < count; i++) {
        text_add(&t, "%s%s", i ? "\nor " : "", steps[i]->text);
    }
    return text_str(&t);
}

/* For lists of failures, which do not show what was legal. */
static const char *the_one(const struct step *const *steps, size_t count)
{
    return count == 1 ? arena_printf(": %s", steps[0]->text) : "";
}

static bool missing(struct stage *g, const struct step *const *steps,
                    size_t count)
{
    const struct conn *c = g->suts[steps[0]->device].conn;
    /* Where time passed, the client may have had a reason of section 9. */
    if (c && client_closed_for_nothing(c) && c->since_ms == g->now_ms) {
        return client_false_end(g);
    }
    return world_fail(&g->world, NULL,
                      arena_printf("the client has done all that it does, and "
                                   "this did not come%s",
                                   the_one(steps, count)),
                      alternatives(steps, count), NULL);
}

/* Waits until one of the steps matches. Where time stands still, nothing
 * comes any more once the client has taken all that was sent: a fence
 * decides, and the time limit only where the clock is real. */
static bool wait_for(struct stage *g, const struct step *const *steps,
                     size_t count, size_t *chosen)
{
    struct sut *s = &g->suts[steps[0]->device];
    uint64_t deadline = now_ms() + g->world.timeout_ms;
    for (bool settled = false;;) {
        bool open = false;
        struct expect_outcome last = pending();
        for (size_t i = 0; i < count; i++) {
            struct expect_outcome o = try_step(g, steps[i]);
            if (o.result == EXPECT_MATCH) {
                *chosen = i;
                return true;
            }
            open = open || o.result == EXPECT_PENDING;
            last = o.result == EXPECT_MISMATCH ? o : last;
        }
        if (!open) {
            return world_fail(&g->world, NULL, last.why,
                              alternatives(steps, count), last.got);
        }
        if (settled) {
            return missing(g, steps, count);
        }
        if (s->adapter->is_virtual && s->is_open) {
            settled = verb_settle(g, s);
        } else if (!net_pump(g, deadline) && now_ms() >= deadline) {
            return world_fail(
                &g->world, NULL,
                arena_printf("it did not come within %" PRIu64 " ms%s",
                             g->world.timeout_ms, the_one(steps, count)),
                alternatives(steps, count), NULL);
        }
        if (g->world.failure.happened) {
            return false;
        }
    }
}

bool client_await(struct stage *g, struct sut *s, uint8_t number)
{
    const struct frame_type *type = frame_type_numbered(number);
    const struct step step = {
        .kind = STEP_EXPECT,
        .device = (size_t)(s - g->suts),
        .type = type,
        .text = arena_printf("%s> %s", s->decl->name, type->name)};
    const struct step *steps[] = {&step};
    size_t chosen;
    return wait_for(g, steps, 1, &chosen);
}

static bool do_any_of(struct stage *g, const struct step *step);
static bool run_steps(struct stage *g, const struct steps *steps, size_t from);

static bool do_expect(struct stage *g, const struct step *step)
{
    const struct step *steps[] = {step};
    size_t chosen;
    return wait_for(g, steps, 1, &chosen);
}

static bool do_any_of(struct stage *g, const struct step *step)
{
    const struct step **steps = arena_alloc(step->body_count * sizeof *steps);
    size_t chosen;
    for (size_t i = 0; i < step->body_count; i++) {
        steps[i] = &step->bodies[i].at[0];
    }
    if (!wait_for(g, steps, step->body_count, &chosen)) {
        return false;
    }
    record_step(&g->world, steps[chosen]);
    return run_steps(g, &step->bodies[chosen], 1);
}

/* A client that may come back by itself may do so at once: its LOGIN and SYNC
 * need no step as long as nobody answers them. */
static bool comes_back(const struct conn *c, const struct client_frame *f)
{
    bool first = f->frame->number == F_LOGIN || f->frame->number == F_SYNC;
    return first && c->state == CONN_LOGIN && c->subject->connections > 1 &&
           c == c->subject->conn;
}

/* ----------------------------------------------------------------- absence */

static bool absent_frame(struct stage *g, struct sut *s,
                         const struct step *step)
{
    const struct conn *c = s->conn;
    for (size_t i = 0; c && i < c->frame_count; i++) {
        const struct client_frame *f = &c->frames[i];
        if (f->consumed || f->frame->number != step->type->number ||
            comes_back(c, f)) {
            continue;
        }
        size_t vars = g->world.var_count;
        struct expect_outcome o =
            expect_message(&g->world, f->frame->msg, step, f->frame);
        g->world.var_count = vars;
        if (o.result == EXPECT_MATCH) {
            return world_fail(&g->world, NULL, "it came, and must not",
                              step->text, f->frame);
        }
    }
    return true;
}

bool client_absent(struct stage *g, const struct step *step)
{
    struct sut *s = &g->suts[step->device];
    if (step->type) {
        return absent_frame(g, s, step);
    }
    json_t *event = event_next(s, step->word);
    const char *reason = "";
    return !event ||
           expect_message(&g->world, event_message(event, &reason), step, NULL)
                   .result != EXPECT_MATCH ||
           world_fail(&g->world, NULL,
                      arena_printf("event %s came, and must not", step->word),
                      step->text, NULL);
}

static bool do_absent(struct stage *g, const struct step *step)
{
    return verb_fence(g, &g->suts[step->device]) && client_absent(g, step);
}

/* -------------------------------------------------------------------- steps */

static bool do_let(struct stage *g, const struct step *step)
{
    struct value v;
    const char *reason = "it has no value yet";
    if (expr_eval(&g->world, step->operand, NULL, &v, &reason) != EXPR_OK) {
        return world_mistake(&g->world,
                             arena_printf("%s: %s", step->operand, reason));
    }
    var_set(&g->world, step->word, &v);
    return true;
}

static bool do_repeat(struct stage *g, const struct step *step)
{
    struct world *w = &g->world;
    uint64_t count;
    if (!expr_number(w, step->operand, &count)) {
        return false;
    }
    var_set(w, "$i", &(const struct value){.kind = VALUE_NUMBER});
    size_t outside = w->var_count;
    for (uint64_t i = 1; i <= count; i++) {
        const struct value v = value_number(i);
        w->var_count = outside;
        var_set(w, "$i", &v);
        if (!run_steps(g, &step->bodies[0], 0)) {
            return false;
        }
    }
    return true;
}

static bool do_advance(struct stage *g, const struct step *step)
{
    uint64_t ms;
    return expr_number(&g->world, step->operand, &ms) && verb_advance(g, ms);
}

static bool do_step(struct stage *g, const struct step *step)
{
    struct sut *s = &g->suts[step->device];
    switch (step->kind) {
    case STEP_SEND:
        return serve_step(g, s, step);
    case STEP_EXPECT:
    case STEP_EVENT:
        return do_expect(g, step);
    case STEP_ABSENT:
        return do_absent(g, step);
    case STEP_VERB:
        return verb_do(g, s, step);
    case STEP_LET:
        return do_let(g, step);
    case STEP_CHECK:
        return expect_check(&g->world, &step->where);
    case STEP_REPEAT:
        return do_repeat(g, step);
    case STEP_ANY_OF:
        return do_any_of(g, step);
    case STEP_ADVANCE:
        return do_advance(g, step);
    case STEP_CHECKPOINT:
    case STEP_SERVER:
    case STEP_PROVISION:
        return world_mistake(&g->world, "this step is of the server role");
    }
    return false;
}

/* Recursion is as deep as the file's blocks, which the parser bounds. */
static bool run_steps(struct stage *g, const struct steps *steps, size_t from)
{
    for (size_t i = from; i < steps->count; i++) {
        g->world.step = &steps->at[i];
        if (!do_step(g, &steps->at[i]) || g->world.failure.happened) {
            return false;
        }
        record_step(&g->world, &steps->at[i]);
    }
    return true;
}

/* ------------------------------------------------------------- at the end */

static bool nothing_left(struct stage *g)
{
    for (size_t i = 0; i < g->conn_count; i++) {
        const struct conn *c = g->conns[i];
        for (size_t k = 0; k < c->frame_count; k++) {
            const struct client_frame *f = &c->frames[k];
            bool is_free = f->frame->number == F_ACK ||
                           f->frame->number == F_PING || comes_back(c, f);
            if (!f->consumed && !is_free) {
                return world_fail(
                    &g->world, NULL,
                    arena_printf("%s sent a frame that no step expects",
                                 c->subject->decl->name),
                    "nothing more", f->frame);
            }
        }
        if (client_closed_for_nothing(c)) {
            return client_false_end(g);
        }
    }
    return true;
}

bool client_exec(struct stage *g)
{
    if (!run_steps(g, &g->world.s->steps, 0)) {
        return false;
    }
    g->world.step = NULL;
    for (size_t i = 0; i < g->world.s->device_count; i++) {
        if (g->suts[i].is_open && !verb_fence(g, &g->suts[i])) {
            return false;
        }
    }
    return nothing_left(g);
}
