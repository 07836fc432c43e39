/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs of the client role: what is told to the adapter, the fence that its
 * verb `state` gives, virtual time, and the acts of the server. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client_case.h"
#include "client_pack.h"
#include "pair_case.h"
#include "expr.h"

/* ------------------------------------------------------------- the adapter */

static bool no_answer(struct stage *g, const char *verb)
{
    return world_fail(&g->world, NULL,
                      arena_printf("adapter: no answer to %s within %" PRIu64
                                   " ms",
                                   verb, g->world.timeout_ms),
                      "an answer, flushed behind every line", NULL);
}

static json_t *wait_answer(struct stage *g, struct adapter *a, const char *verb,
                           uint64_t id)
{
    uint64_t deadline = now_ms() + g->world.timeout_ms;
    for (;;) {
        json_t *answer = adapter_answer(a, id);
        if (answer) {
            return answer;
        }
        if (!net_pump(g, deadline) && now_ms() >= deadline) {
            no_answer(g, verb);
        }
        if (g->world.failure.happened) {
            return NULL;
        }
    }
}

/* NULL with a failure noted, or with g->unsupported set. */
static json_t *tell(struct stage *g, struct adapter *a, const char *verb,
                    json_t *request)
{
    uint64_t id = adapter_request(a, verb, request);
    json_t *answer = id ? wait_answer(g, a, verb, id) : NULL;
    const char *result = answer ? adapter_result(answer) : NULL;
    if (result && strcmp(result, "ok") == 0) {
        return answer;
    }
    if (result && strcmp(result, "unsupported") == 0) {
        g->unsupported = arena_printf("the adapter does not support %s", verb);
        return NULL;
    }
    const char *code = answer ? json_text(answer, "code") : NULL;
    world_fail(&g->world, NULL,
               a->fault ? arena_printf("adapter: %s", a->fault)
                        : arena_printf("adapter: %s failed with %s", verb,
                                       code ? code : "no answer that is legal"),
               "ok", NULL);
    return NULL;
}

json_t *adapter_tell(struct stage *g, struct sut *s, const char *verb,
                     json_t *request)
{
    json_object_set_new(request, "handle", json_string(s->handle));
    if (strcmp(verb, "state") != 0) { /* a fence is nobody's act */
        world_event(&g->world, s->device, "!", verb);
    }
    const char *before = relay_accuse(g, s);
    json_t *answer = tell(g, s->adapter, verb, request);
    g->world.accused = before;
    return answer;
}

bool adapter_tell_all(struct stage *g, const char *verb, const char *key,
                      uint64_t number)
{
    for (size_t i = 0; i < g->adapter_count; i++) {
        json_t *r = json_object();
        if (key) {
            json_set_u64(r, key, number);
        }
        if (!tell(g, &g->adapters[i], verb, r)) {
            return false;
        }
    }
    return true;
}

static void set_option(json_t *request, const char *key, const char *text)
{
    if (text) {
        json_object_set_new(request, key, json_string(text));
    }
}

/* In scenarios a number may be hexadecimal, to an adapter it is decimal. */
static void set_limit(json_t *request, const char *key, const char *number)
{
    if (number) {
        json_set_u64(request, key, strtoull(number, NULL, 0));
    }
}

bool verb_open(struct stage *g, struct sut *s)
{
    const struct device_decl *d = s->decl;
    json_t *r = json_object();
    set_option(r, "host", s->tls ? "localhost" : "127.0.0.1");
    set_option(r, "ca", s->tls ? tls_server_ca(s->tls) : NULL);
    json_object_set_new(r, "port", json_integer(s->port));
    set_option(r, "store", s->store);
    set_option(r, "user", s->device->user->name);
    set_option(r, "token", s->device->token);
    set_option(r, "device_type", d->type);
    set_option(r, "device_name", d->name);
    set_limit(r, "max_frame", d->max_frame);
    set_limit(r, "max_unacked", d->max_unacked);
    set_limit(r, "max_inflated", d->max_inflated);
    set_limit(r, "max_entries", d->max_entries);
    set_limit(r, "codecs", d->codecs);
    set_option(r, "ack", d->manual_ack ? "manual" : "auto");
    s->is_open = adapter_tell(g, s, "open", r) != NULL;
    return s->is_open;
}

/* ------------------------------------------------------------------- the fence
 */

static void set_var(struct stage *g, const struct sut *s, const char *name,
                    uint64_t n)
{
    const struct value v = value_number(n);
    var_set(&g->world, arena_printf("$%s.%s", s->decl->name, name), &v);
}

static uint64_t number_of(const json_t *answer, const char *key,
                          uint64_t otherwise)
{
    uint64_t n;
    return json_u64(answer, key, &n) ? n : otherwise;
}

/* next_ms is 0 where the client has come back already, and 2^64-1 where it
 * never will. */
static void publish(struct stage *g, const struct sut *s, const json_t *state)
{
    set_var(g, s, "cursor", number_of(state, "cursor", 0));
    set_var(g, s, "attempt", number_of(state, "attempt", 0));
    set_var(g, s, "connections", number_of(state, "connections", 0));
    set_var(g, s, "unsent", number_of(state, "unsent", 0));
    set_var(g, s, "tickets", s->tickets);
    set_var(g, s, "resumed", s->resumed);
    bool connected = json_is_true(json_object_get(state, "connected"));
    set_var(g, s, "next_ms",
            number_of(state, "next_ms", connected ? 0 : UINT64_MAX));
}

/* What the client wrote before it answered has to come. */
static bool catch_up(struct stage *g, struct sut *s, const json_t *state)
{
    uint64_t deadline = now_ms() + g->world.timeout_ms;
    uint64_t connections = number_of(state, "connections", 0);
    uint64_t sent = number_of(state, "sent", 0);
    bool open = json_is_true(json_object_get(state, "connected"));
    for (;;) {
        const struct conn *c = s->conn;
        bool all = s->connections >= connections &&
                   (!c || c->fd < 0 || c->is_closed || c->is_stalled ||
                    (open && c->received >= sent));
        if (all) {
            return true;
        }
        if (!net_pump(g, deadline) && now_ms() >= deadline) {
            return world_fail(&g->world, NULL,
                              "adapter: state tells of bytes or of an end "
                              "that did not come",
                              "`connections`, `sent` and `connected` as "
                              "ADAPTER.md has them",
                              NULL);
        }
        if (g->world.failure.happened) {
            return false;
        }
    }
}

/* The rule that a cursor breaks which is not the shadow's. */
static const char *cursor_rule(const struct sut *s, uint64_t cursor)
{
    bool ahead = cursor > s->cursor;
    return s->by_reset                ? "SYNC-9"
           : ahead && s->pages_served ? "HIST-11"
           : ahead && s->manual       ? "ACK-1"
                                      : "CHAIN-4";
}

static bool judge_state(struct stage *g, struct sut *s, const json_t *state)
{
    uint64_t cursor = number_of(state, "cursor", s->cursor);
    if (cursor != s->cursor) {
        return world_fail(&g->world, cursor_rule(s, cursor),
                          arena_printf("the cursor is %" PRIu64
                                       ", what was served and stored ends at "
                                       "%" PRIu64,
                                       cursor, s->cursor),
                          "the version of the last entry stored", NULL);
    }
    const struct conn *c = s->conn;
    bool open = json_is_true(json_object_get(state, "connected"));
    if (c && c->must_end && open && s->connections > 0 && c->fd >= 0) {
        return world_fail(&g->world, c->must_end,
                          "the client keeps a connection that it has to close",
                          "it closes", NULL);
    }
    return true;
}

/* The client takes all that was sent, and all that it wrote comes. */
static json_t *settle(struct stage *g, struct sut *s)
{
    struct conn *c = s->conn;
    json_t *r = json_object();
    if (c && c->fd >= 0 && !c->is_closed) {
        json_set_u64(r, "connections", s->connections);
        json_set_u64(r, "received", c->sent);
    }
    if (c && c->is_left) {
        json_set_u64(r, "connections", s->connections);
        json_object_set_new(r, "ended", json_true());
    }
    json_t *state = adapter_tell(g, s, "state", r);
    return state && catch_up(g, s, state) && events_judge(g) ? state : NULL;
}

json_t *verb_settled(struct stage *g, struct sut *s)
{
    const char *before = relay_accuse(g, s);
    json_t *state = settle(g, s);
    g->world.accused = before;
    return state;
}

bool verb_settle(struct stage *g, struct sut *s)
{
    return verb_settled(g, s) != NULL;
}

bool verb_fence(struct stage *g, struct sut *s)
{
    json_t *state = verb_settled(g, s);
    if (!state) {
        return false;
    }
    publish(g, s, state);
    const char *before = relay_accuse(g, s);
    bool ok = judge_state(g, s, state) && client_judge_fenced(g, s);
    g->world.accused = before;
    return ok;
}

static bool is_fenced_first(enum client_act act)
{
    return act == ACT_SYNC || act == ACT_DROP || act == ACT_CLOSE ||
           act == ACT_RESTART || act == ACT_CUT || act == ACT_END ||
           act == ACT_LOGOUT || act == ACT_STATE || act == ACT_FENCE ||
           act == ACT_DRAIN || act == ACT_ACK || act == ACT_VIEW;
}

/* ------------------------------------------------------------------------ time
 */

/* The longest step of the clock: within it no two timers of section 9 that
 * matter here hide behind each other. */
#define ADVANCE_STEP_MS 3600000u

bool verb_tick(struct stage *g, uint64_t ms)
{
    if (!g->adapters[0].is_virtual) {
        g->unsupported = "needs an adapter with a virtual clock";
        return false;
    }
    for (size_t i = 0; i < g->world.s->device_count; i++) {
        if (g->suts[i].is_open && !verb_fence(g, &g->suts[i])) {
            return false;
        }
    }
    g->now_ms += ms;
    const struct value now = value_number(g->now_ms);
    var_set(&g->world, "$now", &now);
    if (!adapter_tell_all(g, "advance", "ms", ms)) {
        return false;
    }
    for (size_t i = 0; i < g->world.s->device_count; i++) {
        if (g->suts[i].is_open && !verb_fence(g, &g->suts[i])) {
            return false;
        }
    }
    return true;
}

bool verb_advance(struct stage *g, uint64_t ms)
{
    world_event(&g->world, NULL, "-", arena_printf("%" PRIu64 " ms pass", ms));
    return verb_tick(g, ms);
}

static bool stays_away(struct stage *g, const char *what)
{
    return world_fail(&g->world, NULL, what,
                      "it connects again by itself, in its time", NULL);
}

/* With a real clock the client takes its own time. */
static bool wait_return(struct stage *g, const struct sut *s)
{
    uint64_t deadline = now_ms() + g->world.timeout_ms;
    while (!s->conn || s->conn->is_closed || s->conn->fd < 0) {
        if (!net_pump(g, deadline) && now_ms() >= deadline) {
            return stays_away(g, "the client does not come back");
        }
        if (g->world.failure.happened) {
            return false;
        }
    }
    return true;
}

static bool do_return(struct stage *g, struct sut *s)
{
    uint64_t before = s->connections;
    json_t *state = verb_settled(g, s);
    if (!state) {
        return false;
    }
    bool connected = json_is_true(json_object_get(state, "connected"));
    if (connected && !json_object_get(state, "next_ms")) {
        return true;
    }
    if (!s->adapter->is_virtual) {
        return wait_return(g, s);
    }
    uint64_t ms = number_of(state, "next_ms", UINT64_MAX);
    if (ms == UINT64_MAX) {
        return stays_away(g, "the client does not mean to come back");
    }
    return verb_advance(g, ms) &&
           (connected || s->connections > before ||
            stays_away(g, "the client did not come when it said"));
}

/* -------------------------------------------------------------------- messages
 */

/* The value of a field that the step names; NULL: it names it not. */
static const char *named(struct stage *g, const struct step *step,
                         const ProtobufCMessageDescriptor *desc,
                         const char *field, struct value *out)
{
    for (size_t i = 0; i < step->fields.count; i++) {
        const struct term *t = &step->fields.at[i];
        const char *reason = "it has no value yet";
        if (strcmp(t->left, field) != 0) {
            continue;
        }
        if (expr_eval(&g->world, t->right, field_find(desc, field), out,
                      &reason) != EXPR_OK) {
            world_mistake(&g->world, arena_printf("%s: %s", t->right, reason));
        }
        return t->right;
    }
    *out = (struct value){.kind = VALUE_BYTES};
    return NULL;
}

static const char *hex(const struct value *v)
{
    struct text t = {0};
    for (size_t i = 0; i < v->len; i++) {
        text_add(&t, "%02x", v->data[i]);
    }
    return text_str(&t);
}

static const char *text_of(const struct value *v)
{
    return arena_copy((const char *)v->data, v->len);
}

static bool do_send(struct stage *g, struct sut *s, const struct step *step)
{
    const ProtobufCMessageDescriptor *d = &roam__v1__send__descriptor;
    struct value to, type, body, kind, id;
    json_t *r = json_object();
    if (!named(g, step, d, "conversation", &to)) {
        to = value_text(arena_printf("bob-%s", g->world.suffix));
    }
    named(g, step, d, "content_type", &type);
    named(g, step, d, "body", &body);
    json_object_set_new(r, "conversation", json_string(text_of(&to)));
    json_object_set_new(r, "content_type", json_string(text_of(&type)));
    json_object_set_new(r, "body", json_string(hex(&body)));
    if (named(g, step, d, "kind", &kind)) {
        json_set_u64(r, "kind", kind.number);
    }
    json_t *answer = adapter_tell(g, s, "send", r);
    if (!answer) {
        return false;
    }
    id = value_number(0);
    if (!json_u64(answer, "client_msg_id", &id.number) || id.number == 0) {
        return world_fail(&g->world, "SEND-1",
                          "send is answered without a client_msg_id that is "
                          "not 0",
                          NULL, NULL);
    }
    for (size_t i = 0; i < step->fields.count; i++) {
        if (strcmp(step->fields.at[i].left, "client_msg_id") == 0) {
            var_set(&g->world, step->fields.at[i].right, &id);
        }
    }
    const struct said_fields said = {.client_msg_id = id.number,
                                     .kind = kind.number,
                                     .conversation = text_of(&to),
                                     .content_type = text_of(&type),
                                     .body = body};
    const char *before = relay_accuse(g, s);
    bool ok = !g->is_pair || view_said(g, s, &said);
    g->world.accused = before;
    return ok;
}

static bool do_history(struct stage *g, struct sut *s, const struct step *step,
                       bool is_list)
{
    const ProtobufCMessageDescriptor *d =
        is_list ? &roam__v1__conversations__descriptor
                : &roam__v1__history__descriptor;
    static const char *const numbers[] = {"before", "after", "max_rows"};
    json_t *r = json_object();
    struct value v;
    json_object_set_new(r, "list", json_boolean(is_list));
    if (named(g, step, d, "conversation", &v) || !is_list) {
        json_object_set_new(
            r, "conversation",
            json_string(v.len ? text_of(&v)
                              : arena_printf("bob-%s", g->world.suffix)));
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (field_find(d, numbers[i]) && named(g, step, d, numbers[i], &v)) {
            json_set_u64(r, numbers[i], v.number);
        }
    }
    return adapter_tell(g, s, "history", r) != NULL;
}

/* What a person sees of a conversation, and how it stands. */
static bool do_view(struct stage *g, struct sut *s, const struct step *step)
{
    struct value v;
    json_t *r = json_object();
    if (!named(g, step, &roam__v1__history__descriptor, "conversation", &v)) {
        v = value_text(arena_printf("bob-%s", g->world.suffix));
    }
    json_object_set_new(r, "conversation", json_string(text_of(&v)));
    json_t *answer = adapter_tell(g, s, "view", r);
    static const char *const names[] = {"count", "unread", "read_mark", "role"};
    for (size_t i = 0; answer && i < sizeof names / sizeof names[0]; i++) {
        set_var(g, s, names[i], number_of(answer, names[i], 0));
    }
    return answer != NULL;
}

static bool do_login(struct stage *g, struct sut *s, const struct step *step)
{
    struct value v;
    json_t *r = json_object();
    if (!s->is_open && !verb_open(g, s)) {
        return false;
    }
    if (step && named(g, step, &roam__v1__login__descriptor, "take_over", &v)) {
        s->may_take_over = v.number;
        json_set_u64(r, "take_over", v.number);
    }
    s->person_waits = true;
    return adapter_tell(g, s, "login", r) != NULL;
}

static bool do_ack(struct stage *g, struct sut *s, const struct step *step)
{
    struct value v;
    json_t *r = json_object();
    if (!named(g, step, &roam__v1__ack__descriptor, "version", &v)) {
        v = value_number(s->applied);
    }
    shadow_stored(s, v.number);
    json_set_u64(r, "version", v.number);
    return adapter_tell(g, s, "ack", r) != NULL;
}

static bool do_close(struct stage *g, struct sut *s, bool logout)
{
    json_t *r = json_object();
    if (logout) {
        json_object_set_new(r, "logout", json_true());
        return adapter_tell(g, s, "close", r) != NULL;
    }
    if (s->conn) {
        s->conn->close_expected = true;
    }
    s->is_open = false;
    s->stay_out = "LOGIN-18";
    return adapter_tell(g, s, "close", r) != NULL;
}

static bool do_restart(struct stage *g, struct sut *s)
{
    return do_close(g, s, false) && verb_open(g, s);
}

/* --------------------------------------------------------------- the server's
 */

static bool grant(struct stage *g, struct sut *s)
{
    return client_await(g, s, F_LOGIN) && client_await(g, s, F_SYNC) &&
           serve_frame(g, s, F_LOGIN_OK) && serve_frame(g, s, F_SYNC_OK);
}

/* What a row of CONVERSATION_PAGE has beside an entry. */
static uint64_t of_row(struct stage *g, const struct step *step,
                       const char *name)
{
    struct value v;
    bool is_named =
        named(g, step, &roam__v1__columns__descriptor, name, &v) != NULL;
    return is_named ? v.number : 0;
}

static bool do_row(struct stage *g, struct sut *s, const struct step *step)
{
    ProtobufCMessage *m =
        serve_build(g, s, frame_type_numbered(F_PUSH), &step->fields);
    if (!m) {
        return false;
    }
    arena_grow((void **)&s->rows, s->row_count, &s->row_cap, sizeof *s->rows);
    arena_grow((void **)&s->states, s->row_count, &s->state_cap,
               sizeof *s->states);
    s->states[s->row_count] =
        (struct row_state){.read_mark = of_row(g, step, "read_mark"),
                           .unread = (uint32_t)of_row(g, step, "unread"),
                           .role = (Roam__V1__Role)of_row(g, step, "role")};
    s->rows[s->row_count++] = (Roam__V1__Push *)m;
    return !g->world.failure.happened;
}

static bool on_conn(struct stage *g, struct sut *s, enum client_act act)
{
    struct conn *c = s->conn;
    if (!c) {
        return world_mistake(&g->world, "the device has no connection");
    }
    if (act == ACT_CUT || act == ACT_END) {
        net_end(g, c, act == ACT_CUT);
        c->is_left = true;
    } else if (act == ACT_HUSH) {
        c->is_hushed = true;
    } else {
        c->is_stalled = act == ACT_STALL;
    }
    return true;
}

static bool drain(const struct sut *s)
{
    for (size_t i = 0; i < s->adapter->judged; i++) {
        struct adapter_line *l = &s->adapter->events[i];
        l->taken =
            l->taken || strcmp(json_text(l->json, "handle"), s->handle) == 0;
    }
    return true;
}

static bool do_bend(struct stage *g, struct sut *s, const char *name)
{
    s->bend = name;
    return pack_bend_known(name) ||
           world_mistake(&g->world,
                         arena_printf("no bend %s", name ? name : ""));
}

bool verb_do(struct stage *g, struct sut *s, const struct step *step)
{
    enum client_act act = (enum client_act)step->act;
    if (is_fenced_first(act) && s->is_open && !verb_fence(g, s)) {
        return false;
    }
    switch (act) {
    case ACT_OPEN:
        return verb_open(g, s);
    case ACT_LOGIN:
        return do_login(g, s, step);
    case ACT_SEND:
        return do_send(g, s, step);
    case ACT_ACK:
        return do_ack(g, s, step);
    case ACT_SYNC:
        return adapter_tell(g, s, "sync", json_object()) != NULL;
    case ACT_HISTORY:
    case ACT_CONVERSATIONS:
        return do_history(g, s, step, act == ACT_CONVERSATIONS);
    case ACT_VIEW:
        return do_view(g, s, step);
    case ACT_DROP:
        if (s->conn) {
            s->conn->close_expected = true;
        }
        return adapter_tell(g, s, "drop", json_object()) != NULL;
    case ACT_CLOSE:
    case ACT_LOGOUT:
        return do_close(g, s, act == ACT_LOGOUT);
    case ACT_RETURN:
        return do_return(g, s);
    case ACT_RESTART:
        return do_restart(g, s);
    case ACT_START:
        return do_login(g, s, NULL) && grant(g, s);
    case ACT_GRANT:
        return grant(g, s);
    case ACT_STATE:
    case ACT_FENCE:
        return true;
    case ACT_DRAIN:
        return drain(s);
    case ACT_CUT:
    case ACT_END:
    case ACT_HUSH:
    case ACT_STALL:
    case ACT_RESUME:
        return on_conn(g, s, act);
    case ACT_UNPLUG:
        return net_unplug(g, s);
    case ACT_PLUG:
        return net_plug(g, s);
    case ACT_SHOW:
        return secure_show(g, s, step->word);
    case ACT_ROW:
        return do_row(g, s, step);
    case ACT_BEND:
        return do_bend(g, s, step->word);
    case ACT_PULL:
    case ACT_HALF_OPEN:
    case ACT_HOLD:
    case ACT_RELEASE:
    case ACT_DELAY:
    case ACT_SPLIT:
    case ACT_TEAR:
    case ACT_WITHHOLD:
    case ACT_LET_GO:
        break; /* pair_exec.c */
    }
    return false;
}
