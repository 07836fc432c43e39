/* SPDX-License-Identifier: Apache-2.0 */
/* The executor: see exec.h. */
#include "exec.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "edit.h"
#include "exec_pull.h"
#include "exec_server.h"
#include "exec_tls.h"
#include "expect.h"
#include "expr.h"
#include "judge.h"
#include "link.h"
#include "seeds.h"

/* ---------------------------------------------------------------- sending */

static void default_login(struct device *d, Roam__V1__Login *m)
{
    m->protocol = 1;
    m->user = arena_string(d->user->name);
    m->token = arena_string(d->token);
    m->device_id.data = d->installation->id;
    m->device_id.len = sizeof d->installation->id;
    m->device_type = (Roam__V1__DeviceType)d->type;
    m->device_name = arena_string(d->decl->name);
    m->software = arena_string("roam-conform");
    m->attempt = d->installation->attempt + 1;
    m->max_frame = d->max_frame;
}

static void default_sync(const struct device *d, Roam__V1__Sync *m)
{
    m->cursor = d->cursor;
    m->max_entries = d->max_entries;
    m->max_unacked = d->max_unacked;
    m->max_inflated = d->max_inflated;
    m->codecs = d->codecs;
}

/* ROAM_PAGE_ROWS_MAX of section 11: what a page may have by default. */
#define PAGE_ROWS_MAX 1000u

static void set_defaults(struct world *w, struct device *d, uint8_t number,
                         ProtobufCMessage *m)
{
    switch (number) {
    case F_LOGIN:
        default_login(d, (Roam__V1__Login *)m);
        break;
    case F_SYNC:
        default_sync(d, (Roam__V1__Sync *)m);
        break;
    case F_ACK:
        ((Roam__V1__Ack *)m)->version = d->link ? d->link->last : 0;
        break;
    case F_SEND:
        ((Roam__V1__Send *)m)->client_msg_id = prng_next(&w->prng) | 1;
        break;
    case F_PING:
        ((Roam__V1__Ping *)m)->id = prng_next(&w->prng);
        break;
    case F_HISTORY:
        ((Roam__V1__History *)m)->ref = prng_next(&w->prng) | 1;
        ((Roam__V1__History *)m)->max_rows = PAGE_ROWS_MAX;
        ((Roam__V1__History *)m)->max_inflated = d->max_inflated;
        ((Roam__V1__History *)m)->codecs = d->codecs;
        break;
    case F_CONVERSATIONS:
        ((Roam__V1__Conversations *)m)->ref = prng_next(&w->prng) | 1;
        ((Roam__V1__Conversations *)m)->max_rows = PAGE_ROWS_MAX;
        ((Roam__V1__Conversations *)m)->max_inflated = d->max_inflated;
        ((Roam__V1__Conversations *)m)->codecs = d->codecs;
        break;
    case F_MEMBERS:
        ((Roam__V1__Members *)m)->ref = prng_next(&w->prng) | 1;
        ((Roam__V1__Members *)m)->max_rows = PAGE_ROWS_MAX;
        break;
    case F_SESSIONS:
        ((Roam__V1__Sessions *)m)->ref = prng_next(&w->prng) | 1;
        break;
    case F_END_SESSION:
        ((Roam__V1__EndSession *)m)->ref = prng_next(&w->prng) | 1;
        break;
    default:
        break;
    }
}

/* A variable without a value in something that is sent draws one. */
static bool set_field(struct world *w, ProtobufCMessage *m,
                      const struct term *t)
{
    const ProtobufCFieldDescriptor *fd = field_find(m->descriptor, t->left);
    struct value v;
    const char *reason = "";
    enum expr_result r = expr_eval(w, t->right, fd, &v, &reason);
    if (r == EXPR_UNBOUND) {
        v = value_number(prng_next(&w->prng) | 1);
        var_set(w, t->right, &v);
        r = EXPR_OK;
    }
    if (r != EXPR_OK || !field_set(m, t->left, &v, &reason)) {
        return world_mistake(
            w, arena_printf("%s=%s: %s", t->left, t->right, reason));
    }
    return true;
}

ProtobufCMessage *exec_build(struct world *w, struct device *d,
                             const struct frame_type *type,
                             const struct terms *fields)
{
    ProtobufCMessage *m = message_new(type->desc);
    if (d) {
        set_defaults(w, d, type->number, m);
    }
    for (size_t i = 0; i < fields->count; i++) {
        if (!set_field(w, m, &fields->at[i])) {
            return NULL;
        }
    }
    return m;
}

static bool apply_edits(struct world *w, struct raw_frame *raw,
                        const struct terms *edits)
{
    for (size_t i = 0; i < edits->count; i++) {
        const struct term *t = &edits->at[i];
        uint64_t number = 0;
        if (edit_argument(t->left) == EDIT_TAKES_NUMBER &&
            !expr_number(w, t->right, &number)) {
            return false;
        }
        const char *reason = edit_apply(raw, t->left, t->right, number);
        if (reason) {
            return world_mistake(w, reason);
        }
    }
    return true;
}

static void note_event(struct world *w, const struct device *d,
                       const struct frame_type *type, const ProtobufCMessage *m,
                       const struct terms *edits)
{
    struct text t = {0}, fields = {0};
    message_print_line(&fields, m);
    text_add(&t, "%s%s%s", type->name, fields.len ? " " : "",
             text_str(&fields));
    for (size_t i = 0; i < edits->count; i++) {
        text_add(&t, "%s%s%s%s", i ? " " : " edit ", edits->at[i].left,
                 edits->at[i].right ? "=" : "",
                 edits->at[i].right ? edits->at[i].right : "");
    }
    if (!w->ops) { /* a fence on a client's connection is nobody's act */
        world_event(w, d, ">", text_str(&t));
    }
}

/* Numbers that no server may accept use up nothing. */
static void note_attempt(struct installation *i, uint64_t attempt)
{
    if (attempt > i->attempt && attempt <= INT64_MAX) {
        i->attempt = attempt;
    }
}

static bool send_message(struct world *w, struct device *d,
                         const struct frame_type *type, ProtobufCMessage *m,
                         const struct terms *edits, bool is_fence)
{
    if (!d->link && !link_open(w, d)) {
        return false;
    }
    struct raw_frame raw = {.type = type};
    raw.len = frame_encode(type, m, &raw.bytes);
    if (!apply_edits(w, &raw, edits)) {
        return false;
    }
    if (type->number == F_LOGIN) {
        note_attempt(d->installation, ((Roam__V1__Login *)m)->attempt);
    }
    note_event(w, d, type, m, edits);
    if (!raw.is_foreign) {
        judge_sent(w, d->link, type, m, is_fence);
    }
    return link_write(w, d->link, raw.bytes, raw.len, raw.split);
}

static bool send_frame(struct world *w, struct device *d, uint8_t number,
                       const struct terms *fields, const struct terms *edits)
{
    const struct frame_type *type = frame_type_numbered(number);
    ProtobufCMessage *m = exec_build(w, d, type, fields);
    return m && send_message(w, d, type, m, edits, false);
}

bool exec_send(struct world *w, struct device *d, uint8_t number,
               const struct terms *fields)
{
    static const struct terms unedited;
    return send_frame(w, d, number, fields, &unedited);
}

/* ------------------------------------------------------------------ fence */

static const struct terms nothing;

static bool fence_broken(struct world *w, const struct link *l)
{
    for (size_t i = 0; i < l->item_count; i++) {
        if (!l->items[i].consumed && l->items[i].lane == LANE_KICK) {
            return world_fail(w, NULL, "KICK came instead of PONG",
                              "the session goes on", l->items[i].frame);
        }
    }
    return world_fail(w, NULL, "the connection was closed before PONG",
                      "the session goes on", NULL);
}

/* Everything up to `head` has come, or the window allows no more. */
static bool reached(const struct link *l, uint64_t head)
{
    return !l->is_delivering || l->syncs_open > 0 || l->last >= head ||
           l->flight_count >= l->active.max_unacked;
}

/* PING, and reading until the head that PONG tells has come: what was
 * stored before has been seen then, and what has not come does not exist. */
bool exec_fence(struct world *w, struct device *d)
{
    struct link *l = d->link;
    if (!l || !l->is_live) {
        return l && l->is_kicked ? fence_broken(w, l)
                                 : world_mistake(w, "a fence needs a session");
    }
    const struct frame_type *type = frame_type_numbered(F_PING);
    Roam__V1__Ping *m = (Roam__V1__Ping *)exec_build(w, d, type, &nothing);
    if (!send_message(w, d, type, &m->base, &nothing, true)) {
        return false;
    }
    size_t ping = l->ping_count - 1;
    uint64_t deadline = now_ms() + w->timeout_ms;
    while (!l->pings[ping].is_answered || !reached(l, l->pings[ping].head)) {
        if (l->is_dropped) { /* role pair: torn meanwhile, as a step asked */
            return true;
        }
        if (l->is_closed || l->is_kicked) {
            return fence_broken(w, l);
        }
        if (!link_pump(w, deadline) && now_ms() >= deadline) {
            return world_fail(
                w, NULL,
                l->pings[ping].is_answered
                    ? arena_printf("the entries up to the head that PONG "
                                   "told did not come within %" PRIu64 " ms",
                                   w->timeout_ms)
                    : arena_printf("no PONG within %" PRIu64 " ms",
                                   w->timeout_ms),
                l->pings[ping].is_answered
                    ? arena_printf("entries up to version %" PRIu64
                                   "; the last was %" PRIu64,
                                   l->pings[ping].head, l->last)
                    : "PONG",
                NULL);
        }
        if (w->failure.happened) {
            return false;
        }
    }
    l->fenced = l->pings[ping].head;
    return true;
}

static bool drain(struct world *w, struct device *d)
{
    if (!exec_fence(w, d)) {
        return false;
    }
    for (size_t i = 0; i < d->link->row_count; i++) {
        d->link->rows[i].consumed = true;
    }
    return true;
}

/* ------------------------------------------------------------------ verbs */

/* Waits for a frame of a type as a step of its own would. */
static bool await(struct world *w, const struct step *step, uint8_t number,
                  const struct term *field)
{
    struct step expected = {
        .kind = STEP_EXPECT,
        .line = step->line,
        .rule = step->rule,
        .device = step->device,
        .type = frame_type_numbered(number),
        .text = arena_printf("%s< %s", w->s->devices[step->device].name,
                             frame_type_numbered(number)->name)};
    struct term copy;
    if (field) {
        copy = *field;
        expected.fields = (struct terms){&copy, 1, 1};
    }
    return expect_wait(w, &expected);
}

static bool await_closed(struct world *w, const struct step *step)
{
    struct step expected = {
        .kind = STEP_EXPECT,
        .rule = step->rule,
        .device = step->device,
        .subject = ABOUT_CLOSED,
        .text = arena_printf("%s< closed", w->s->devices[step->device].name)};
    return expect_wait(w, &expected);
}

static bool verb_send(struct world *w, struct device *d,
                      const struct step *step)
{
    if (!send_frame(w, d, F_SEND, &step->fields, &nothing)) {
        return false;
    }
    uint64_t id = w->sent[w->sent_count - 1].client_msg_id;
    const struct term field = {"client_msg_id", OP_EQ,
                               arena_printf("%" PRIu64, id)};
    return await(w, step, F_SEND_OK, &field);
}

static bool verb_logout(struct world *w, struct device *d,
                        const struct step *step)
{
    const struct term reason = {"reason", OP_EQ, "LOGGED_OUT"};
    return send_frame(w, d, F_LOGOUT, &nothing, &nothing) &&
           await(w, step, F_KICK, &reason) && await_closed(w, step);
}

static bool do_verb(struct world *w, const struct step *step)
{
    struct device *d = &w->devices[step->device];
    switch (step->verb) {
    case VERB_LOGIN:
        return send_frame(w, d, F_LOGIN, &step->fields, &nothing) &&
               await(w, step, F_LOGIN_OK, NULL);
    case VERB_SYNC:
        return send_frame(w, d, F_SYNC, &step->fields, &nothing) &&
               await(w, step, F_SYNC_OK, NULL);
    case VERB_START:
        return send_frame(w, d, F_LOGIN, &nothing, &nothing) &&
               send_frame(w, d, F_SYNC, &step->fields, &nothing) &&
               await(w, step, F_LOGIN_OK, NULL) &&
               await(w, step, F_SYNC_OK, NULL);
    case VERB_SEND:
        return verb_send(w, d, step);
    case VERB_LOGOUT:
        return verb_logout(w, d, step);
    case VERB_ACK:
        return send_frame(w, d, F_ACK, &nothing, &nothing);
    case VERB_FENCE:
        return exec_fence(w, d);
    case VERB_DRAIN:
        return drain(w, d);
    case VERB_PULL:
        return exec_pull(w, d, step);
    case VERB_CONNECT:
        return link_open(w, d);
    case VERB_GREETS:
    case VERB_GREETS_IN_VAIN:
        return exec_greets(w, d, step, step->verb == VERB_GREETS_IN_VAIN);
    case VERB_BY_TICKET:
        return exec_by_ticket(w, d);
    case VERB_RENEGOTIATES:
        return exec_renegotiates(w, d);
    case VERB_ELSEWHERE:
        return exec_elsewhere(w);
    case VERB_CLOSE:
    case VERB_CUT:
        link_end(w, d, step->verb == VERB_CUT);
        return true;
    case VERB_HALF_OPEN:
        link_forget(d);
        return true;
    case VERB_STALL:
    case VERB_RESUME:
        if (!d->link) {
            return world_mistake(w, "the device has no connection");
        }
        d->link->is_stalled = step->verb == VERB_STALL;
        d->link->was_stalled |= d->link->is_stalled;
        return true;
    case VERB_GATHER:
    case VERB_FLUSH:
        return d->link ? link_gather(w, d->link, step->verb == VERB_GATHER)
                       : world_mistake(w, "the device has no connection");
    case VERB_CLIENT:
        break; /* client_exec.c */
    }
    return false;
}

/* ------------------------------------------------------------ other steps */

static bool is_delivering(const struct device *d)
{
    return d->link && d->link->is_live && d->link->is_delivering &&
           !d->link->is_stalled;
}

bool exec_checkpoint(struct world *w, const struct step *step)
{
    const struct device *first = NULL;
    for (size_t i = 0; i < w->s->device_count; i++) {
        struct device *d = &w->devices[i];
        if (strcmp(d->user->word, step->word) != 0 || !is_delivering(d)) {
            continue;
        }
        if (!exec_fence(w, d)) {
            return false;
        }
        if (!d->link) {
            continue;
        }
        if (first && first->link && first->link->last != d->link->last) {
            return world_fail(
                w, "PUSH-1 CHAIN-3",
                arena_printf("%s is at %" PRIu64 ", %s at %" PRIu64,
                             first->decl->name, first->link->last,
                             d->decl->name, d->link->last),
                "all devices of a user at the same version", NULL);
        }
        first = d;
    }
    if (!first) {
        return world_mistake(w, "a checkpoint of nobody");
    }
    return judge_finish(w);
}

static bool do_revoke(struct world *w, const struct step *step)
{
    const char *reason = "";
    const struct device *d = &w->devices[step->device];
    world_event(w, d, "-", "its token is revoked");
    return server_revoke_token(w->server, d->token, &reason) ||
           world_mistake(w, reason);
}

/* `what` is a user to block, or a name. */
static bool do_provision(struct world *w, const struct step *step)
{
    const char *reason = "";
    if (strcmp(step->command, "revoke") == 0) {
        return do_revoke(w, step);
    }
    const char *what = step->operand;
    size_t len = strlen(what);
    if (strcmp(step->command, "name") != 0) {
        what = arena_printf("%s-%s", what, w->suffix);
    } else if (*what == '"') {
        what = arena_copy(what + 1, len - 2);
    }
    world_event(w, NULL, "-",
                arena_printf("%s %s %s", step->command, step->word, what));
    return server_change_user(w->server, step->command,
                              arena_printf("%s-%s", step->word, w->suffix),
                              what, &reason) ||
           world_mistake(w, reason);
}

static bool do_let(struct world *w, const struct step *step)
{
    struct value v;
    const char *reason = "it has no value yet";
    if (expr_eval(w, step->operand, NULL, &v, &reason) != EXPR_OK) {
        return world_mistake(w, arena_printf("%s: %s", step->operand, reason));
    }
    var_set(w, step->word, &v);
    return true;
}

static bool run_steps(struct world *w, const struct steps *steps, size_t from);

static bool do_repeat(struct world *w, const struct step *step)
{
    uint64_t count;
    if (!expr_number(w, step->operand, &count)) {
        return false;
    }
    /* What a turn binds first is forgotten at its end; `let` on a variable
     * from outside is how one turn tells the next. */
    var_set(w, "$i", &(const struct value){.kind = VALUE_NUMBER});
    size_t outside = w->var_count;
    for (uint64_t i = 1; i <= count; i++) {
        const struct value v = value_number(i);
        w->var_count = outside;
        var_set(w, "$i", &v);
        if (!run_steps(w, &step->bodies[0], 0)) {
            return false;
        }
    }
    return true;
}

static bool do_any_of(struct world *w, const struct step *step)
{
    size_t chosen;
    if (!expect_any(w, step, &chosen)) {
        return false;
    }
    record_step(w, &step->bodies[chosen].at[0]);
    return run_steps(w, &step->bodies[chosen], 1);
}

static bool do_absent(struct world *w, const struct step *step)
{
    return exec_fence(w, &w->devices[step->device]) && expect_absent(w, step);
}

static bool do_step(struct world *w, const struct step *step)
{
    if (w->ops && w->ops->takes(step)) {
        return w->ops->carry_out(w, step);
    }
    struct device *d = &w->devices[step->device];
    switch (step->kind) {
    case STEP_SEND:
        return send_frame(w, d, step->type->number, &step->fields,
                          &step->edits);
    case STEP_EXPECT:
        return expect_wait(w, step);
    case STEP_ABSENT:
        return do_absent(w, step);
    case STEP_VERB:
        return do_verb(w, step);
    case STEP_LET:
        return do_let(w, step);
    case STEP_CHECK:
        return expect_check(w, &step->where);
    case STEP_CHECKPOINT:
        return exec_checkpoint(w, step);
    case STEP_SERVER:
        return exec_server(w, step);
    case STEP_PROVISION:
        return do_provision(w, step);
    case STEP_REPEAT:
        return do_repeat(w, step);
    case STEP_ANY_OF:
        return do_any_of(w, step);
    case STEP_EVENT:
    case STEP_ADVANCE:
        break; /* client_exec.c */
    }
    return false;
}

/* Recursion is as deep as the file's blocks, which the parser bounds. */
static bool run_steps(struct world *w, const struct steps *steps, size_t from)
{
    for (size_t i = from; i < steps->count; i++) {
        w->step = &steps->at[i];
        if (!do_step(w, &steps->at[i]) || w->failure.happened) {
            return false;
        }
        record_step(w, &steps->at[i]);
    }
    return true;
}

/* ------------------------------------------------------------ the closing */

bool exec_steps(struct world *w)
{
    bool ok = run_steps(w, &w->s->steps, 0);
    w->step = ok ? NULL : w->step;
    return ok;
}

/* [KICK-4]: a connection ends behind its KICK. */
bool exec_wait_for_ends(struct world *w)
{
    uint64_t deadline = now_ms() + w->timeout_ms;
    for (size_t i = 0; i < w->link_count; i++) {
        struct link *l = w->links[i];
        while (l->is_kicked && !l->is_closed && !l->is_dropped) {
            if (!link_pump(w, deadline) && now_ms() >= deadline) {
                return world_fail(w, "KICK-4",
                                  "the connection stays open behind KICK",
                                  "its end", NULL);
            }
            if (w->failure.happened) {
                return false;
            }
        }
    }
    return true;
}

bool exec_run(struct world *w)
{
    if (!exec_steps(w)) {
        return false;
    }
    for (size_t i = 0; i < w->s->device_count; i++) {
        struct device *d = &w->devices[i];
        if (d->link && d->link->is_live && !d->link->is_stalled &&
            !exec_fence(w, d)) {
            return false;
        }
    }
    return expect_nothing_left(w) && exec_wait_for_ends(w) && judge_finish(w);
}
