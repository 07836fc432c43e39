/* SPDX-License-Identifier: Apache-2.0 */
/* Verbs of the client role: what a person does to a client, and the acts of its
 * server. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client_case.h"
#include "client_pack.h"
#include "expr.h"
#include "pair_case.h"

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
    set_option(r, "host", s->tls ? tls_server_host(s->tls) : g->address);
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
    json_object_set_new(r, "survey",
                        json_boolean(scenario_needs(g->world.s, "survey")));
    s->is_open = adapter_tell(g, s, "open", r) != NULL;
    return s->is_open;
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
        stage_set_var(g, s, names[i], answer_number(answer, names[i], 0));
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

static bool is_fenced_first(enum client_act act)
{
    return act == ACT_SYNC || act == ACT_DROP || act == ACT_CLOSE ||
           act == ACT_RESTART || act == ACT_CUT || act == ACT_END ||
           act == ACT_LOGOUT || act == ACT_STATE || act == ACT_FENCE ||
           act == ACT_DRAIN || act == ACT_ACK || act == ACT_VIEW;
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
        return verb_return(g, s);
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
