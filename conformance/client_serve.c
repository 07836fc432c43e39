/* SPDX-License-Identifier: Apache-2.0 */
/* The server that the harness plays: each frame has honest defaults, so that
 * a scenario says only what it is about, and how it lies. */
#include <inttypes.h>
#include <string.h>

#include "client_case.h"
#include "client_pack.h"
#include "edit.h"
#include "expr.h"
#include "schema.h"

#define LOGIN_MAX_FRAME 65536u
#define LOGIN_MAX_BODY 16384u
#define LOGIN_MAX_COMMANDS 16u
#define LOGIN_HEARTBEAT_MS 30000u
#define LOGIN_DEDUP_MS 604800000u
/* 2026-01-01 in a msg_id: every message of a case is later than the last. */
#define FIRST_MSG_ID ((uint64_t)189388800000u << 22)

/* A field that this version of the protocol may not have. */
static void put(ProtobufCMessage *m, const char *field, uint64_t n)
{
    struct value v = value_number(n);
    const char *reason;
    if (field_find(m->descriptor, field)) {
        field_set(m, field, &v, &reason);
    }
}

static void put_text(ProtobufCMessage *m, const char *field, const char *text)
{
    struct value v = value_text(text);
    const char *reason;
    field_set(m, field, &v, &reason);
}

static uint64_t get(const ProtobufCMessage *m, const char *field)
{
    struct value v = value_number(0);
    field_get(m, field, &v);
    return v.number;
}

/* ---------------------------------------------------------------- defaults */

static void default_login_ok(struct sut *s, ProtobufCMessage *m)
{
    put(m, "generation", s->generation ? s->generation : 1);
    put(m, "head", s->head);
    put(m, "max_frame", LOGIN_MAX_FRAME);
    put(m, "max_body", LOGIN_MAX_BODY);
    put(m, "max_commands", LOGIN_MAX_COMMANDS);
    put(m, "heartbeat_ms", LOGIN_HEARTBEAT_MS);
    put(m, "dedup_ms", LOGIN_DEDUP_MS);
    put(m, "protocol", 1);
}

static void default_sync_ok(const struct sut *s, ProtobufCMessage *m)
{
    uint64_t cursor = s->conn && s->conn->sync ? s->conn->sync->cursor : 0;
    put(m, "head", s->head);
    put(m, "result",
        cursor == s->head  ? ROAM__V1__SYNC_RESULT__UP_TO_DATE
        : cursor < s->head ? ROAM__V1__SYNC_RESULT__DELTA
                           : ROAM__V1__SYNC_RESULT__RESET);
    if (cursor > s->head) {
        put(m, "reason", ROAM__V1__RESET_REASON__AHEAD);
    }
}

/* What a message has besides its versions. */
static void default_message(struct stage *g, struct sut *s, ProtobufCMessage *m)
{
    const char *bob = arena_printf("bob-%s", g->world.suffix);
    s->next_msg_id += 1u << 22;
    put(m, "msg_id", FIRST_MSG_ID + s->next_msg_id);
    put_text(m, "conversation", bob);
    put_text(m, "sender", bob);
    put_text(m, "body", arena_printf("m%" PRIu64, s->next_msg_id >> 22));
}

static void default_push(struct stage *g, struct sut *s, ProtobufCMessage *m)
{
    uint64_t last = s->conn ? s->conn->last_sent : 0;
    if (s->row_count > 0) {
        last = s->rows[s->row_count - 1]->version;
    }
    put(m, "prev_version", last);
    put(m, "version", last + 1);
    default_message(g, s, m);
}

static uint64_t first_command(const struct sut *s)
{
    return s->conn && s->conn->command_count ? s->conn->open_commands[0] : 0;
}

static void default_holder(ProtobufCMessage *m)
{
    if (get(m, "holder.device_type") == 0) {
        put(m, "holder.device_type", ROAM__V1__DEVICE_TYPE__PHONE);
    }
    if (get(m, "holder.since") == 0) {
        put(m, "holder.since", 189388800000u);
    }
}

static void set_defaults(struct stage *g, struct sut *s, uint8_t number,
                         ProtobufCMessage *m)
{
    switch (number) {
    case F_LOGIN_OK:
        default_login_ok(s, m);
        break;
    case F_SYNC_OK:
        default_sync_ok(s, m);
        break;
    case F_PUSH:
        default_push(g, s, m);
        break;
    case F_SEND_OK:
        s->next_msg_id += 1u << 22;
        put(m, "client_msg_id", first_command(s));
        put(m, "msg_id", FIRST_MSG_ID + s->next_msg_id);
        break;
    case F_ERROR:
        put(m, "ref", first_command(s));
        put(m, "retry", ROAM__V1__RETRY__NEVER);
        break;
    case F_PONG:
        put(m, "id", s->conn ? s->conn->ping : 0);
        put(m, "head", s->conn ? s->conn->last_sent : 0);
        break;
    case F_HISTORY_PAGE:
    case F_CONVERSATION_PAGE:
        put(m, "ref", first_command(s));
        break;
    default:
        break;
    }
}

/* What follows from the reason that the step named. */
static void complete_ending(const struct sut *s, ProtobufCMessage *m,
                            bool is_kick)
{
    uint64_t reason = get(m, "reason");
    if (get(m, "retry") == 0) {
        put(m, "retry", schema_retry(is_kick, reason));
    }
    bool about_slot = is_kick ? reason == ROAM__V1__KICK_REASON__TAKEN_OVER
                              : reason <= ROAM__V1__REFUSED_REASON__STALE;
    if (about_slot && get(m, "generation") == 0) {
        put(m, "generation", s->generation + 1);
    }
    if (about_slot && (is_kick || reason != ROAM__V1__REFUSED_REASON__FREE)) {
        default_holder(m);
    }
    if (is_kick && reason == ROAM__V1__KICK_REASON__PROTOCOL_ERROR &&
        get(m, "error") == 0) {
        put(m, "error", ROAM__V1__ERROR_CODE__MALFORMED);
    }
}

/* Only this one asks for a repetition: [FLOW-2]. */
static void complete_error(ProtobufCMessage *m)
{
    if (get(m, "code") == ROAM__V1__ERROR_CODE__RATE_LIMITED) {
        put(m, "retry", ROAM__V1__RETRY__AFTER);
    }
}

/* A NOOP has only the first three fields, an own entry our user as sender. */
static void complete_push(const struct sut *s, Roam__V1__Push *p,
                          const struct terms *fields)
{
    bool sender_named = false, body_named = false;
    for (size_t i = 0; i < fields->count; i++) {
        sender_named |= strcmp(fields->at[i].left, "sender") == 0;
        body_named |= strcmp(fields->at[i].left, "body") == 0;
    }
    if (p->kind == ROAM__V1__KIND__NOOP) {
        p->msg_id = 0;
        p->conversation = p->sender = arena_string("");
        p->body.len = body_named ? p->body.len : 0;
    }
    if (p->client_msg_id && !sender_named) {
        p->sender = arena_string(s->device->user->name);
    }
    if ((p->cut_size || p->recalled) && !body_named) {
        p->body.len = 0;
    }
}

/* ------------------------------------------------------------------- packing
 */

static Roam__V1__Codec wanted_codec(const struct terms *fields,
                                    const ProtobufCMessage *m)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (strcmp(fields->at[i].left, "codec") == 0) {
            return (Roam__V1__Codec)get(m, "codec");
        }
    }
    return ROAM__V1__CODEC__CODEC_NONE;
}

/* The rows that the steps before have collected become the payload; what
 * the step names stays as it is. */
static void pack_into(struct sut *s, ProtobufCMessage *m,
                      const struct terms *fields, bool is_page)
{
    struct packed p;
    uint64_t prev = s->row_count ? s->rows[0]->prev_version : 0;
    bool is_list = m->descriptor == &roam__v1__conversation_page__descriptor;
    pack_rows(s->rows, is_list ? s->states : NULL, s->row_count, prev, is_page,
              wanted_codec(fields, m), s->bend, &p);
    put(m, "count", s->row_count);
    if (s->row_count > 0 || !is_page) {
        struct value payload = {
            .kind = VALUE_BYTES, .data = p.payload, .len = p.len};
        const char *reason;
        put(m, "codec", p.codec);
        put(m, "inflated_size", p.inflated_size);
        field_set(m, "payload", &payload, &reason);
    }
    if (!is_page && s->row_count > 0) {
        put(m, "prev_version", prev);
        put(m, "last_version", s->rows[s->row_count - 1]->version);
    }
    s->packed = s->rows;
    s->packed_count = s->row_count;
    s->rows = NULL;
    s->states = NULL;
    s->row_count = s->row_cap = s->state_cap = 0;
    s->bend = NULL;
}

/* ------------------------------------------------------------------ building
 */

/* A variable without a value takes what would have been sent without it. */
static bool set_field(struct stage *g, ProtobufCMessage *m,
                      const struct term *t)
{
    struct world *w = &g->world;
    const ProtobufCFieldDescriptor *fd = field_find(m->descriptor, t->left);
    struct value v;
    const char *reason = "";
    if (!fd) {
        return true; /* beside the entry, in a row of a page: do_row() */
    }
    enum expr_result r = expr_eval(w, t->right, fd, &v, &reason);
    if (r == EXPR_UNBOUND && field_get(m, t->left, &v)) {
        var_set(w, t->right, &v);
        return true;
    }
    if (r == EXPR_OK && v.kind == VALUE_ABSENT) {
        return true; /* holder=absent: the default is taken away behind */
    }
    if (fd->type == PROTOBUF_C_TYPE_MESSAGE) {
        return true;
    }
    return (r == EXPR_OK && field_set(m, t->left, &v, &reason)) ||
           world_mistake(w,
                         arena_printf("%s=%s: %s", t->left, t->right, reason));
}

static bool set_fields(struct stage *g, ProtobufCMessage *m,
                       const struct terms *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (!set_field(g, m, &fields->at[i])) {
            return false;
        }
    }
    return true;
}

static void take_holder_away(ProtobufCMessage *m, const struct terms *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (strcmp(fields->at[i].left, "holder") != 0 ||
            strcmp(fields->at[i].right, "absent") != 0) {
            continue;
        }
        if (m->descriptor == &roam__v1__kick__descriptor) {
            ((Roam__V1__Kick *)m)->holder = NULL;
        } else if (m->descriptor == &roam__v1__refused__descriptor) {
            ((Roam__V1__Refused *)m)->holder = NULL;
        }
    }
}

ProtobufCMessage *serve_build(struct stage *g, struct sut *s,
                              const struct frame_type *type,
                              const struct terms *fields)
{
    ProtobufCMessage *m = message_new(type->desc);
    set_defaults(g, s, type->number, m);
    if (!set_fields(g, m, fields)) {
        return NULL;
    }
    switch (type->number) {
    case F_KICK:
    case F_REFUSED:
        complete_ending(s, m, type->number == F_KICK);
        take_holder_away(m, fields);
        break;
    case F_ERROR:
        complete_error(m);
        break;
    case F_PUSH:
        complete_push(s, (Roam__V1__Push *)m, fields);
        break;
    case F_BATCH:
    case F_HISTORY_PAGE:
    case F_CONVERSATION_PAGE:
        pack_into(s, m, fields, type->number != F_BATCH);
        /* Behind the packing, so that a step can lie about it. */
        return set_fields(g, m, fields) ? m : NULL;
    default:
        break;
    }
    return m;
}

/* ------------------------------------------------------------------- sending
 */

static void note(struct stage *g, struct sut *s, const struct frame *f,
                 const struct step *step)
{
    struct text t = {0};
    frame_print_line(&t, f);
    for (size_t i = 0; step && i < step->edits.count; i++) {
        const struct term *e = &step->edits.at[i];
        text_add(&t, "%s%s%s%s", i ? " " : " edit ", e->left,
                 e->right ? "=" : "", e->right ? e->right : "");
    }
    world_event(&g->world, s->device, "<", text_str(&t));
}

static bool edit_all(struct stage *g, struct raw_frame *raw,
                     const struct terms *edits)
{
    for (size_t i = 0; i < edits->count; i++) {
        const struct term *t = &edits->at[i];
        uint64_t number = 0;
        if (edit_argument(t->left) == EDIT_TAKES_NUMBER &&
            !expr_number(&g->world, t->right, &number)) {
            return false;
        }
        const char *reason = edit_apply(raw, t->left, t->right, number);
        if (reason) {
            return world_mistake(&g->world, reason);
        }
    }
    return true;
}

/* The rule that a step's lie breaks: its own, or the one for all. */
static const char *lie_rule(const struct step *step)
{
    if (!step || !step->lie) {
        return NULL;
    }
    return step->rule ? step->rule : "FRAME-14";
}

/* Frames in a row may come together; pieces of one may not, or nobody would
 * have been shown that a piece is enough for nothing. */
static bool write_frame(struct stage *g, struct conn *c,
                        const struct raw_frame *raw)
{
    return raw->split ? net_write_pieces(g, c, raw->bytes, raw->len, raw->split)
                      : net_write(g, c, raw->bytes, raw->len);
}

static bool send_it(struct stage *g, struct sut *s,
                    const struct frame_type *type, const ProtobufCMessage *m,
                    const struct step *step)
{
    struct conn *c = s->conn;
    if (!c || c->fd < 0) {
        return world_mistake(&g->world, "the device has no connection");
    }
    struct raw_frame raw = {.type = type};
    raw.len = frame_encode(type, m, &raw.bytes);
    if (step && !edit_all(g, &raw, &step->edits)) {
        return false;
    }
    size_t told =
        (size_t)raw.bytes[1] << 16 | (size_t)raw.bytes[2] << 8 | raw.bytes[3];
    if (told > raw.len - FRAME_HEADER && !(step && step->lie)) {
        /* The beginning of a frame is nothing yet. */
        world_event(&g->world, s->device, "<",
                    arena_printf("%zu of %zu bytes of %s",
                                 raw.len - FRAME_HEADER, told, type->name));
        return write_frame(g, c, &raw);
    }
    /* As the client reads it: edits may have made it anything. */
    struct frame *f = frame_decode(raw.bytes[0], raw.bytes + FRAME_HEADER,
                                   raw.len - FRAME_HEADER);
    note(g, s, f, step);
    return shadow_served(g, c, f, lie_rule(step)) && write_frame(g, c, &raw);
}

bool serve_step(struct stage *g, struct sut *s, const struct step *step)
{
    ProtobufCMessage *m = serve_build(g, s, step->type, &step->fields);
    return m && send_it(g, s, step->type, m, step);
}

bool serve_frame(struct stage *g, struct sut *s, uint8_t number)
{
    static const struct terms none;
    const struct frame_type *type = frame_type_numbered(number);
    ProtobufCMessage *m = serve_build(g, s, type, &none);
    return m && send_it(g, s, type, m, NULL);
}

bool serve_pong(struct stage *g, struct conn *c)
{
    if (c->relay || c->is_hushed || c->must_end || c->state != CONN_SESSION ||
        c->fd < 0 || c != c->subject->conn) {
        return true;
    }
    return serve_frame(g, c->subject, F_PONG);
}
