/* SPDX-License-Identifier: Apache-2.0 */
/* Each frame by itself: see schema.h. */
#include "schema.h"

#include <inttypes.h>
#include <string.h>

#include "wire.h"

#define V_MAX ((uint64_t)INT64_MAX)
#define U32 ((uint64_t)UINT32_MAX)
/* ROAM_PAGE_ROWS_MAX and ROAM_INFLATED_MAX of section 11. */
#define PAGE_ROWS_MAX 1000u
#define INFLATED_MAX 0xffffffu
/* ROAM_NAME_MAX. */
#define NAME_MAX_BYTES 48u

/* Bounds of a value, or of the length of a text or bytes field. */
struct bound {
    uint8_t type;
    const char *field;
    uint64_t least, most;
};

static const struct bound bounds[] = {
    {F_LOGIN_OK, "generation", 1, V_MAX},
    {F_LOGIN_OK, "head", 0, V_MAX},
    {F_LOGIN_OK, "floor", 0, V_MAX},
    {F_LOGIN_OK, "max_frame", 512, U32},
    {F_LOGIN_OK, "max_body", 1, U32},
    {F_LOGIN_OK, "max_commands", 1, U32},
    {F_LOGIN_OK, "heartbeat_ms", 1000, U32},
    {F_LOGIN_OK, "dedup_ms", 1, UINT64_MAX},
    {F_LOGIN_OK, "protocol", 0, 1},
    {F_REFUSED, "reason", 1, 10},
    {F_REFUSED, "retry", 1, 4},
    {F_REFUSED, "generation", 0, V_MAX},
    {F_KICK, "reason", 1, 13},
    {F_KICK, "retry", 1, 4},
    {F_KICK, "generation", 0, V_MAX},
    {F_KICK, "error", 0, 31},
    {F_KICK, "detail", 0, 128},
    {F_SYNC_OK, "result", 1, 3},
    {F_SYNC_OK, "head", 0, V_MAX},
    {F_SYNC_OK, "floor", 0, V_MAX},
    {F_SYNC_OK, "reason", 0, 3},
    {F_SYNC_OK, "max_unacked", 0, 100000},
    {F_BATCH, "prev_version", 0, V_MAX},
    {F_BATCH, "last_version", 1, V_MAX},
    {F_BATCH, "count", 1, U32},
    {F_BATCH, "codec", 0, 1},
    {F_BATCH, "inflated_size", 1, U32},
    {F_BATCH, "payload", 1, U32},
    {F_SEND_OK, "client_msg_id", 1, UINT64_MAX},
    {F_SEND_OK, "msg_id", 1, V_MAX},
    {F_SEND_OK, "conversation", 0, 64},
    {F_PONG, "head", 0, V_MAX},
    {F_ERROR, "code", 32, 45},
    {F_ERROR, "retry", 1, 4},
    {F_ERROR, "ref", 1, UINT64_MAX},
    {F_ERROR, "detail", 0, 128},
    {F_HISTORY_PAGE, "ref", 1, UINT64_MAX},
    {F_HISTORY_PAGE, "count", 0, PAGE_ROWS_MAX},
    {F_HISTORY_PAGE, "codec", 0, 1},
    {F_HISTORY_PAGE, "inflated_size", 0, INFLATED_MAX},
    {F_CONVERSATION_PAGE, "ref", 1, UINT64_MAX},
    {F_CONVERSATION_PAGE, "count", 0, PAGE_ROWS_MAX},
    {F_CONVERSATION_PAGE, "codec", 0, 1},
    {F_CONVERSATION_PAGE, "inflated_size", 0, INFLATED_MAX},
    {F_CONVERSATION_PAGE, "as_of", 0, V_MAX},
    {F_MEMBER_PAGE, "ref", 1, UINT64_MAX},
    {F_MEMBER_PAGE, "count", 0, PAGE_ROWS_MAX},
    {F_MEMBER_PAGE, "as_of", 0, V_MAX},
    {F_MEMBER_PAGE, "name", 0, NAME_MAX_BYTES},
    {F_MEMBER_PAGE, "join", 1, 3},
    {F_SESSION_LIST, "ref", 1, UINT64_MAX},
    {F_SESSION_LIST, "count", 0, 6},
    {F_SESSION_ENDED, "ref", 1, UINT64_MAX},
};

static bool bad(struct schema_fault *fault, const char *rule, const char *what)
{
    fault->rule = rule;
    fault->what = what;
    return false;
}

static bool check_text(const ProtobufCMessage *m, struct schema_fault *fault)
{
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *fd = &m->descriptor->fields[i];
        struct value v;
        if (fd->type == PROTOBUF_C_TYPE_STRING && field_get(m, fd->name, &v) &&
            !wire_is_text(v.data, v.len)) {
            return bad(fault, "FRAME-1",
                       arena_printf("%s is not UTF-8", fd->name));
        }
    }
    return true;
}

static unsigned wire_of(const ProtobufCFieldDescriptor *fd)
{
    switch (fd->type) {
    case PROTOBUF_C_TYPE_FIXED64:
        return WIRE_64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return WIRE_LENGTH;
    default:
        return WIRE_VARINT;
    }
}

/* Known fields are there once, each with its own wire type. */
static bool check_wire(const struct frame *f, struct schema_fault *fault)
{
    uint64_t seen = 0;
    size_t at = 0;
    struct wire_field w;
    enum wire_result r;
    while ((r = wire_next(f->payload, f->len, &at, &w)) == WIRE_FIELD) {
        const ProtobufCFieldDescriptor *fd =
            protobuf_c_message_descriptor_get_field(f->type->desc, w.number);
        if (!fd) {
            continue;
        }
        if (w.wire != wire_of(fd) || (seen >> w.number & 1)) {
            return bad(fault, "FRAME-1",
                       arena_printf("%s is there twice, or with another wire "
                                    "type",
                                    fd->name));
        }
        seen |= (uint64_t)1 << w.number;
    }
    return r == WIRE_END ||
           bad(fault, "FRAME-1", "the payload is not a proto3 message");
}

static bool check_bounds(const struct frame *f, struct schema_fault *fault)
{
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        const struct bound *b = &bounds[i];
        struct value v;
        if (b->type != f->number || !field_get(f->msg, b->field, &v)) {
            continue;
        }
        uint64_t n = v.kind == VALUE_BYTES ? v.len : v.number;
        if (n < b->least || n > b->most) {
            return bad(fault, "FRAME-16",
                       arena_printf("%s %s is %" PRIu64
                                    ", section 4 has %" PRIu64 "..%" PRIu64,
                                    b->field,
                                    v.kind == VALUE_BYTES ? "length" : "value",
                                    n, b->least, b->most));
        }
    }
    return true;
}

static bool check_holder(const Roam__V1__Holder *h, struct schema_fault *fault)
{
    if (!h) {
        return true;
    }
    if (h->device_type < 1 || h->device_type > 6 ||
        strlen(h->device_name) > 64 || h->since > V_MAX) {
        return bad(fault, "FRAME-16", "the holder is out of its bounds");
    }
    return check_text(&h->base, fault);
}

/* Section 12.2 and 12.3; the index is the reason. */
static const uint8_t refused_retry[] = {0, 4, 4, 4, 1, 3, 3, 3, 4, 3, 2};
static const uint8_t kick_retry[] = {0, 4, 4, 4, 2, 2, 2, 1, 2, 2, 3, 3, 1, 2};

unsigned schema_retry(bool is_kick, uint64_t reason)
{
    size_t known = is_kick ? sizeof kick_retry : sizeof refused_retry;
    const uint8_t *retry = is_kick ? kick_retry : refused_retry;
    return reason < known ? retry[reason] : 0;
}

static bool check_refused(const Roam__V1__Refused *r,
                          struct schema_fault *fault)
{
    if (r->retry != refused_retry[r->reason]) {
        return bad(fault, "KICK-6", "not the retry class of section 12.2");
    }
    bool throttled = r->reason == ROAM__V1__REFUSED_REASON__THROTTLED;
    if (throttled != (r->retry_after_ms != 0)) {
        return bad(fault, "FLOW-5",
                   "a time to wait belongs to THROTTLED and to nothing else");
    }
    bool about_slot = r->reason <= ROAM__V1__REFUSED_REASON__STALE;
    bool has_holder = r->holder != NULL;
    if (!about_slot && (r->generation != 0 || has_holder)) {
        return bad(fault,
                   r->reason == ROAM__V1__REFUSED_REASON__CREDENTIAL
                       ? "LOGIN-8"
                       : "LOGIN-9",
                   "generation or holder are told to a stranger");
    }
    bool is_free = r->reason == ROAM__V1__REFUSED_REASON__FREE;
    if (about_slot && r->generation == 0 && !is_free) { /* 0: never used */
        return bad(fault, "LOGIN-14", "the generation is missing");
    }
    if (about_slot && has_holder == is_free) {
        return bad(fault, "LOGIN-14",
                   has_holder ? "a free slot has a holder"
                              : "the holder is missing");
    }
    return check_holder(r->holder, fault);
}

static bool check_error(const Roam__V1__Error *e, struct schema_fault *fault)
{
    bool limited = e->code == ROAM__V1__ERROR_CODE__RATE_LIMITED;
    if ((int)e->code > ROAM__V1__ERROR_CODE__NO_SUCH_DEVICE) {
        return true; /* of a later version: [CODE-1] */
    }
    if (limited != (e->retry_after_ms != 0)) {
        return bad(fault, "FLOW-2",
                   "a time to wait belongs to RATE_LIMITED and nothing else");
    }
    return e->retry ==
               (limited ? ROAM__V1__RETRY__AFTER : ROAM__V1__RETRY__NEVER) ||
           bad(fault, "SEND-22", "not the retry class of section 12.1");
}

static bool check_kick(const Roam__V1__Kick *k, struct schema_fault *fault)
{
    if (k->retry != kick_retry[k->reason]) {
        return bad(fault, "KICK-6", "not the retry class of section 12.3");
    }
    bool error = k->reason == ROAM__V1__KICK_REASON__PROTOCOL_ERROR;
    if (error != (k->error != 0)) {
        return bad(fault, "FRAME-13",
                   "`error` belongs to PROTOCOL_ERROR and to nothing else");
    }
    bool taken = k->reason == ROAM__V1__KICK_REASON__TAKEN_OVER;
    if (taken && (k->generation == 0 || !k->holder)) {
        return bad(fault, "KICK-1", "generation or holder is missing");
    }
    return check_holder(k->holder, fault);
}

static bool check_sync_ok(const Roam__V1__SyncOk *s, struct schema_fault *fault)
{
    bool reset = s->result == ROAM__V1__SYNC_RESULT__RESET;
    if (reset != (s->reason != 0)) {
        return bad(fault, "SYNC-4",
                   "a reason belongs to RESET and to nothing else");
    }
    if (s->max_unacked != 0 && s->max_unacked < 4) {
        return bad(fault, "ACK-8", "max_unacked is 0, or 4 at least");
    }
    return s->floor <= s->head ||
           bad(fault, "FRAME-16", "the floor is above the head");
}

bool schema_check_row(const Roam__V1__Push *p, struct schema_fault *fault)
{
    size_t conversation = strlen(p->conversation);
    size_t sender = strlen(p->sender);
    if (p->msg_id == 0 || p->msg_id > V_MAX || conversation == 0 ||
        conversation > 64 || sender == 0 || sender > 64 ||
        strlen(p->content_type) > 64 ||
        strlen(p->conversation_name) > NAME_MAX_BYTES ||
        strlen(p->sender_name) > NAME_MAX_BYTES) {
        return bad(fault, "FRAME-16",
                   "msg_id, conversation, sender, content_type or a name is "
                   "out of its bounds");
    }
    if (p->recalled && (p->kind != ROAM__V1__KIND__MESSAGE || p->body.len > 0 ||
                        p->cut_size != 0 || *p->content_type)) {
        return bad(fault, "FRAME-16", "a recalled message has no content");
    }
    if (p->cut_size != 0 && p->body.len > 0) {
        return bad(fault, "BATCH-4", "a cut body is there");
    }
    return check_text(&p->base, fault);
}

bool schema_check_entry(const Roam__V1__Push *p, struct schema_fault *fault)
{
    if (p->version == 0 || p->version > V_MAX ||
        p->prev_version >= p->version) {
        return bad(fault, "CHAIN-1",
                   "prev_version must be below version, both up to 2^63-1");
    }
    if (p->kind == ROAM__V1__KIND__NOOP) {
        bool empty = !p->msg_id && !*p->conversation && !*p->sender &&
                     !*p->content_type && !p->cut_size && !p->client_msg_id &&
                     p->body.len == 0 && !p->recalled &&
                     !*p->conversation_name && !*p->sender_name;
        return empty ||
               bad(fault, "FRAME-16", "a NOOP has only the first three fields");
    }
    return schema_check_row(p, fault);
}

/* 0 only with count 0, and no payload then. */
static bool check_page(uint32_t count, uint32_t inflated_size, size_t payload,
                       struct schema_fault *fault)
{
    bool empty = count == 0;
    return (empty == (inflated_size == 0) && empty == (payload == 0)) ||
           bad(fault, "FRAME-16",
               "count, inflated_size and payload do not fit each other");
}

/* Of the names people read, and of ids; the library took care of the rest. */
static bool text_within(const char *text, size_t least, size_t most)
{
    size_t len = strlen(text);
    return len >= least && len <= most &&
           wire_is_text((const uint8_t *)text, len);
}

static bool check_members(uint32_t count, const ProtobufCBinaryData *rows,
                          struct schema_fault *fault)
{
    const Roam__V1__MemberRows *all =
        (const Roam__V1__MemberRows *)message_decode(
            &roam__v1__member_rows__descriptor, rows->data, rows->len);
    if (!all || all->n_rows != count) {
        return bad(fault, "FRAME-16", "rows are not `count` members");
    }
    for (size_t i = 0; i < all->n_rows; i++) {
        const Roam__V1__MemberRow *r = all->rows[i];
        if (!text_within(r->user, 1, 64) ||
            !text_within(r->name, 0, NAME_MAX_BYTES) || r->role < 1 ||
            r->role > 4 || r->since > V_MAX ||
            (i > 0 && strcmp(all->rows[i - 1]->user, r->user) >= 0)) {
            return bad(fault, "FRAME-16",
                       "a member is out of its bounds or its order");
        }
    }
    return true;
}

static bool check_sessions(uint32_t count, const ProtobufCBinaryData *rows,
                           struct schema_fault *fault)
{
    const Roam__V1__SessionRows *all =
        (const Roam__V1__SessionRows *)message_decode(
            &roam__v1__session_rows__descriptor, rows->data, rows->len);
    if (!all || all->n_rows != count) {
        return bad(fault, "FRAME-16", "rows are not `count` sessions");
    }
    for (size_t i = 0; i < all->n_rows; i++) {
        const Roam__V1__SessionRow *r = all->rows[i];
        if (r->device_type < 1 || r->device_type > 6 ||
            !text_within(r->device_name, 0, 64) ||
            !text_within(r->software, 0, 64) || r->since > V_MAX ||
            r->last_seen > V_MAX || r->generation < 1 ||
            r->generation > V_MAX ||
            (i > 0 && all->rows[i - 1]->device_type >= r->device_type)) {
            return bad(fault, "FRAME-16",
                       "a session is out of its bounds or its order");
        }
    }
    return true;
}

bool schema_check(const struct frame *f, struct schema_fault *fault)
{
    if (!check_wire(f, fault) || !check_text(f->msg, fault) ||
        !check_bounds(f, fault)) {
        return false;
    }
    switch (f->number) {
    case F_REFUSED:
        return check_refused((const Roam__V1__Refused *)f->msg, fault);
    case F_KICK:
        return check_kick((const Roam__V1__Kick *)f->msg, fault);
    case F_SYNC_OK:
        return check_sync_ok((const Roam__V1__SyncOk *)f->msg, fault);
    case F_PUSH:
        return schema_check_entry((const Roam__V1__Push *)f->msg, fault);
    case F_HISTORY_PAGE: {
        const Roam__V1__HistoryPage *p = (const Roam__V1__HistoryPage *)f->msg;
        return check_page(p->count, p->inflated_size, p->payload.len, fault);
    }
    case F_CONVERSATION_PAGE: {
        const Roam__V1__ConversationPage *p =
            (const Roam__V1__ConversationPage *)f->msg;
        return check_page(p->count, p->inflated_size, p->payload.len, fault);
    }
    case F_ERROR:
        return check_error((const Roam__V1__Error *)f->msg, fault);
    case F_MEMBER_PAGE: {
        const Roam__V1__MemberPage *p = (const Roam__V1__MemberPage *)f->msg;
        return check_members(p->count, &p->rows, fault);
    }
    case F_SESSION_LIST: {
        const Roam__V1__SessionList *p = (const Roam__V1__SessionList *)f->msg;
        return check_sessions(p->count, &p->rows, fault);
    }
    default:
        return true;
    }
}
