/* SPDX-License-Identifier: Apache-2.0 */
/* The bends: see bend.h. A row of the table below says which frames are bent
 * and how; broken/faults says which rule that breaks. */
#include "bend.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "codec.h"
#include "wire.h"

#define IGNORABLE 0x80u

/* Which frames, beside those of one type. */
enum bent_type {
    BENT_TYPE,        /* .type */
    BENT_LOGIN,       /* LOGIN, and its refusal */
    BENT_FROM_CLIENT, /* all that a client says */
    BENT_UNKNOWN,     /* types that nobody has and nobody may skip */
    BENT_IGNORABLE,   /* types that nobody has and everybody skips */
    BENT_NOTHING,
};

/* A frame under way, and what becomes of it. */
struct bending {
    const struct bend *bend;
    struct bend_memory *memory;
    const uint8_t *frame;
    size_t len;
    const struct frame_type *type; /* NULL: unknown */
    ProtobufCMessage *m;           /* NULL: not to be decoded */
    struct text *out;
};

struct bend {
    const char *name;
    enum bent_type which;
    uint8_t type;
    const char *when; /* only where this field has the value `is`; NULL: any */
    uint64_t is;
    size_t from; /* the first frames, that many, are left as they are */
    void (*apply)(struct bending *b);
    const char *field;
    uint64_t value;
    const char *text;
};

/* ------------------------------------------------------------ what goes on */

static void put(struct bending *b, const uint8_t *frame, size_t len)
{
    text_add_bytes(b->out, frame, len);
}

static void put_as_it_is(struct bending *b)
{
    put(b, b->frame, b->len);
}

static void put_message(struct bending *b)
{
    uint8_t *frame;
    size_t len = frame_encode(b->type, b->m, &frame);
    put(b, frame, len);
}

/* The payload, or other bytes in its place, under a header that fits. */
static void put_payload(struct bending *b, const uint8_t *payload, size_t len)
{
    const uint8_t header[FRAME_HEADER] = {b->frame[0], (uint8_t)(len >> 16),
                                          (uint8_t)(len >> 8), (uint8_t)len};
    put(b, header, sizeof header);
    put(b, payload, len);
}

static void put_behind_payload(struct bending *b, const uint8_t *more,
                               size_t len)
{
    struct text t = {0};
    text_add_bytes(&t, b->frame + FRAME_HEADER, b->len - FRAME_HEADER);
    text_add_bytes(&t, more, len);
    put_payload(b, (const uint8_t *)t.s, t.len);
}

/* ----------------------------------------------------------------- fields */

static void set_number(struct bending *b, const char *field, uint64_t n)
{
    const struct value v = value_number(n);
    const char *reason;
    if (!field_set(b->m, field, &v, &reason)) {
        abort(); /* a mistake in the table */
    }
}

static uint64_t get_number(const struct bending *b, const char *field)
{
    struct value v = {.kind = VALUE_ABSENT};
    field_get(b->m, field, &v);
    return v.kind == VALUE_BYTES ? v.len : v.number;
}

static void set(struct bending *b)
{
    set_number(b, b->bend->field, b->bend->value);
    put_message(b);
}

static void add(struct bending *b)
{
    const char *field = b->bend->field;
    set_number(b, field, get_number(b, field) + b->bend->value);
    put_message(b);
}

static void set_text(struct bending *b)
{
    const struct value v = value_text(b->bend->text);
    const char *reason;
    if (!field_set(b->m, b->bend->field, &v, &reason)) {
        abort();
    }
    put_message(b);
}

/* Another field's value: .text names it. */
static void copy(struct bending *b)
{
    set_number(b, b->bend->field, get_number(b, b->bend->text));
    put_message(b);
}

static void raise_to(struct bending *b)
{
    if (get_number(b, b->bend->field) >= b->bend->value) {
        put_as_it_is(b);
        return;
    }
    set_number(b, b->bend->field, b->bend->value);
    put_message(b);
}

static void shorten_bytes(struct bending *b)
{
    struct value v;
    const char *reason;
    if (field_get(b->m, b->bend->field, &v) && v.len > b->bend->value) {
        v.len = (size_t)b->bend->value;
        (void)field_set(b->m, b->bend->field, &v, &reason);
    }
    put_message(b);
}

/* Without its last bytes. */
static void cut_bytes(struct bending *b)
{
    struct value v;
    const char *reason;
    field_get(b->m, b->bend->field, &v);
    v.len -= v.len < b->bend->value ? v.len : (size_t)b->bend->value;
    (void)field_set(b->m, b->bend->field, &v, &reason);
    put_message(b);
}

/* A group's entry, as if it were its sender's. */
static void conversation_as_sender(struct bending *b)
{
    struct value v, sender;
    const char *reason;
    if (field_get(b->m, "conversation", &v) && v.len > 0 && v.data[0] == '#' &&
        field_get(b->m, "sender", &sender)) {
        (void)field_set(b->m, "conversation", &sender, &reason);
    }
    put_message(b);
}

/* The body goes, and its size is told. */
static void cut_body(struct bending *b)
{
    struct value v;
    const struct value empty = {.kind = VALUE_BYTES};
    const char *reason;
    field_get(b->m, "body", &v);
    if (v.len > 0) {
        set_number(b, "cut_size", v.len);
        (void)field_set(b->m, "body", &empty, &reason);
    }
    put_message(b);
}

/* ----------------------------------------------------------------- frames */

static void drop(struct bending *b)
{
    (void)b;
}

/* The first one of a connection alone. */
static void drop_first(struct bending *b)
{
    if (b->memory->seen > 1) {
        put_as_it_is(b);
    }
}

static void twice(struct bending *b)
{
    put_as_it_is(b);
    put_as_it_is(b);
}

static void retype(struct bending *b)
{
    size_t at = b->out->len;
    put_as_it_is(b);
    b->out->s[at] = (char)b->bend->value;
}

/* Goes behind the next frame that the server sends. */
static void hold(struct bending *b)
{
    text_add_bytes(&b->memory->held, b->frame, b->len);
}

static void end_behind(struct bending *b)
{
    put_as_it_is(b);
    b->memory->has_ended = true;
}

static void cut_payload(struct bending *b)
{
    size_t len = b->len - FRAME_HEADER;
    put_payload(b, b->frame + FRAME_HEADER,
                len > b->bend->value ? len - (size_t)b->bend->value : 0);
}

/* An unknown field makes the frame longer. */
static void pad(struct bending *b)
{
    uint8_t *more = arena_alloc((size_t)b->bend->value + 16);
    size_t n = wire_put_varint(more, 1000u << 3 | WIRE_LENGTH);
    n += wire_put_varint(more + n, b->bend->value);
    put_behind_payload(b, more, n + (size_t)b->bend->value);
}

/* What is longer than that is announced as longer than anything. */
static void announce_too_long(struct bending *b)
{
    const uint8_t header[FRAME_HEADER] = {b->frame[0], 0xff, 0xff, 0xff};
    if (b->len - FRAME_HEADER < b->bend->value) {
        put_as_it_is(b);
        return;
    }
    put(b, header, sizeof header);
}

/* Whose name begins with # is granted whatever is asked for. */
static void grant_hash(struct bending *b)
{
    Roam__V1__LoginOk ok = ROAM__V1__LOGIN_OK__INIT;
    struct value user;
    if (b->type->number == F_LOGIN) {
        b->memory->is_meant = field_get(b->m, "user", &user) && user.len > 0 &&
                              user.data[0] == '#';
        put_as_it_is(b);
        return;
    }
    if (b->memory->is_meant) {
        b->type = frame_type_numbered(F_LOGIN_OK);
        ok.generation = ok.dedup_ms = 1;
        ok.max_commands = ok.max_body = 1;
        ok.max_frame = 512;
        ok.heartbeat_ms = 1000;
        b->m = &ok.base;
    }
    put_message(b);
}

/* A server that takes what is none for nothing. */
static void drop_broken(struct bending *b)
{
    if (b->m || !b->type) {
        put_as_it_is(b);
    }
}

static void break_unknown_fields(struct bending *b)
{
    const uint8_t group[] = {0x0b};
    if (b->m && b->m->n_unknown_fields > 0) {
        put_behind_payload(b, group, sizeof group);
        return;
    }
    put_as_it_is(b);
}

/* A server that does not look at what text is. */
static void make_text_good(struct bending *b)
{
    const struct value good = value_text("x");
    const char *reason;
    for (unsigned i = 0; b->m && i < b->m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *fd = &b->m->descriptor->fields[i];
        struct value v;
        if (fd->type == PROTOBUF_C_TYPE_STRING &&
            field_get(b->m, fd->name, &v) && !wire_is_text(v.data, v.len)) {
            (void)field_set(b->m, fd->name, &good, &reason);
        }
    }
    put_message(b);
}

/* Each later page is the first one again, under its own ref. */
static void repeat_first(struct bending *b)
{
    uint64_t ref = get_number(b, "ref");
    if (!b->memory->payload) {
        b->memory->len = b->len - FRAME_HEADER;
        b->memory->payload = (const uint8_t *)arena_copy(
            (const char *)b->frame + FRAME_HEADER, b->memory->len);
    }
    b->m = message_decode(b->type->desc, b->memory->payload, b->memory->len);
    set_number(b, "ref", ref);
    put_message(b);
}

static void empty_page(struct bending *b)
{
    const struct value none = {.kind = VALUE_BYTES};
    const char *reason;
    set_number(b, "more", get_number(b, "count") > 0);
    set_number(b, "count", 0);
    set_number(b, "inflated_size", 0);
    (void)field_set(b->m, "payload", &none, &reason);
    put_message(b);
}

/* Nobody is there, not even who asks. */
static void show_away(struct bending *b)
{
    struct value rows;
    const char *reason;
    field_get(b->m, "rows", &rows);
    Roam__V1__SessionRows *all = (Roam__V1__SessionRows *)message_decode(
        &roam__v1__session_rows__descriptor, rows.data, rows.len);
    for (size_t i = 0; all && i < all->n_rows; i++) {
        all->rows[i]->online = 0;
    }
    uint8_t *bytes = arena_alloc(rows.len);
    rows.len = all ? roam__v1__session_rows__pack(all, bytes) : 0;
    rows.data = bytes;
    (void)field_set(b->m, "rows", &rows, &reason);
    put_message(b);
}

/* ---------------------------------------------------------------- columns */

/* The columns of a batch or a page, inflated. */
static struct value columns_of(const struct bending *b)
{
    struct value v = {.kind = VALUE_BYTES};
    field_get(b->m, "payload", &v);
    if (get_number(b, "codec") == ROAM__V1__CODEC__CODEC_NONE) {
        return v;
    }
    size_t len = (size_t)get_number(b, "inflated_size");
    uint8_t *plain = arena_alloc(len);
    z_stream z = {.next_in = (uint8_t *)(uintptr_t)v.data,
                  .avail_in = (uInt)v.len,
                  .next_out = plain,
                  .avail_out = (uInt)len};
    if (inflateInit2(&z, -MAX_WBITS) == Z_OK) {
        inflate(&z, Z_FINISH);
        inflateEnd(&z);
    }
    return (struct value){.kind = VALUE_BYTES, .data = plain, .len = len};
}

/* Not packed: NONE is always understood. */
static void put_columns(struct bending *b, const struct value *columns)
{
    const char *reason;
    set_number(b, "codec", ROAM__V1__CODEC__CODEC_NONE);
    set_number(b, "inflated_size", columns->len);
    (void)field_set(b->m, "payload", columns, &reason);
    put_message(b);
}

/* Where the first field ends that is not the first one's. */
static size_t end_of_first(const struct value *columns)
{
    struct wire_field w = {.number = 0};
    size_t at = 0, end = 0;
    while (wire_next(columns->data, columns->len, &at, &w) == WIRE_FIELD &&
           w.number == 1) {
        end = w.end;
    }
    return end;
}

/* The table of conversations behind everything else. */
static void turn_columns(struct bending *b)
{
    struct value columns = columns_of(b);
    size_t end = end_of_first(&columns);
    struct text t = {0};
    text_add_bytes(&t, columns.data + end, columns.len - end);
    text_add_bytes(&t, columns.data, end);
    columns.data = (const uint8_t *)t.s;
    put_columns(b, &columns);
}

/* As many conversations more as there are rows. */
static void lengthen_table(struct bending *b)
{
    struct value columns = columns_of(b);
    size_t end = end_of_first(&columns);
    struct text t = {0};
    text_add_bytes(&t, columns.data, end);
    for (uint64_t i = get_number(b, "count"); i > 0; i--) {
        text_add_bytes(&t, "\x0a\x01x", 3);
    }
    text_add_bytes(&t, columns.data + end, columns.len - end);
    columns.data = (const uint8_t *)t.s;
    columns.len = t.len;
    put_columns(b, &columns);
}

/* Another content type in each row that has one. */
static void change_types(struct bending *b)
{
    const struct value columns = columns_of(b);
    Roam__V1__Columns *c = (Roam__V1__Columns *)message_decode(
        &roam__v1__columns__descriptor, columns.data, columns.len);
    for (size_t i = 0; c && i < c->n_content_types; i++) {
        if (*c->content_types[i]) {
            c->content_types[i][0] ^= 1;
        }
    }
    if (!c) {
        put_as_it_is(b);
        return;
    }
    struct value bent = {.kind = VALUE_BYTES};
    uint8_t *bytes = arena_alloc(roam__v1__columns__get_packed_size(c));
    bent.len = roam__v1__columns__pack(c, bytes);
    bent.data = bytes;
    put_columns(b, &bent);
}

/* -------------------------------------------------------------- the table */

#define FRAMES(number) .which = BENT_TYPE, .type = (number)
#define FROM_CLIENT .which = BENT_FROM_CLIENT

static const struct bend bends[] = {
    {"none", .which = BENT_NOTHING},

    /* Frames, section 3. */
    {"payload-cut", FRAMES(F_LOGIN_OK), .apply = cut_payload, .value = 1},
    {"pieces-lost", .which = BENT_NOTHING},
    {"frame-limit-low", FROM_CLIENT, .apply = announce_too_long, .value = 4096},
    {"pushes-padded", FRAMES(F_PUSH), .apply = pad, .value = 512},
    {"ignorable-refused", .which = BENT_IGNORABLE, .apply = retype,
     .value = 0x7f},
    {"unknown-skipped", .which = BENT_UNKNOWN, .apply = drop},
    {"malformed-skipped", FROM_CLIENT, .apply = drop_broken},
    {"utf8-unchecked", FROM_CLIENT, .apply = make_text_good},
    {"range-unchecked", FRAMES(F_SYNC), .apply = raise_to,
     .field = "max_unacked", .value = 4},
    {"unknown-field-refused", FROM_CLIENT, .apply = break_unknown_fields},
    {"later-fault-told", FRAMES(F_KICK), .when = "error",
     .is = ROAM__V1__ERROR_CODE__MALFORMED, .apply = set, .field = "error",
     .value = ROAM__V1__ERROR_CODE__INVALID_UTF8},
    {"error-not-told", FRAMES(F_KICK), .when = "reason",
     .is = ROAM__V1__KICK_REASON__PROTOCOL_ERROR, .apply = set,
     .field = "error", .value = 0},
    {"detail-too-long", FRAMES(F_KICK), .apply = set_text, .field = "detail",
     .text = "a detail that is longer than one hundred and twenty-eight "
             "bytes, which is what a line for a log needs, and what a "
             "smallest device makes room for"},

    /* Login and endings, section 5. */
    {"sync-before-login", FRAMES(F_LOGIN_OK), .apply = hold},
    {"version-unchecked", FRAMES(F_LOGIN), .apply = set, .field = "protocol",
     .value = 1},
    {"credential-tells-slot", FRAMES(F_REFUSED), .when = "reason",
     .is = ROAM__V1__REFUSED_REASON__CREDENTIAL, .apply = set,
     .field = "generation", .value = 7},
    {"expiry-not-told", FRAMES(F_REFUSED), .when = "reason",
     .is = ROAM__V1__REFUSED_REASON__TOKEN_EXPIRED, .apply = set,
     .field = "reason", .value = ROAM__V1__REFUSED_REASON__CREDENTIAL},
    {"take-over-refused", FRAMES(F_LOGIN), .apply = set, .field = "take_over",
     .value = 0},
    {"wrong-generation-told", FRAMES(F_REFUSED), .when = "reason",
     .is = ROAM__V1__REFUSED_REASON__OCCUPIED, .apply = add,
     .field = "generation", .value = 1},
    {"superseded-without-kick", FRAMES(F_KICK), .when = "reason",
     .is = ROAM__V1__KICK_REASON__SUPERSEDED, .apply = drop},
    {"kick-tells-now", FRAMES(F_KICK), .when = "retry",
     .is = ROAM__V1__RETRY__AFTER, .apply = set, .field = "retry",
     .value = ROAM__V1__RETRY__NOW},
    {"shown-as-away", FRAMES(F_SESSION_LIST), .apply = show_away},
    {"logout-without-kick", FRAMES(F_KICK), .when = "reason",
     .is = ROAM__V1__KICK_REASON__LOGGED_OUT, .apply = drop},

    /* Delivery, section 6. */
    {"entry-before-sync-ok", FRAMES(F_SYNC_OK), .when = "result",
     .is = ROAM__V1__SYNC_RESULT__DELTA, .apply = hold},
    {"head-as-delta", FRAMES(F_SYNC_OK), .when = "result",
     .is = ROAM__V1__SYNC_RESULT__UP_TO_DATE, .apply = set, .field = "result",
     .value = ROAM__V1__SYNC_RESULT__DELTA},
    {"max-entries-less", FRAMES(F_SYNC), .when = "max_entries", .is = 5,
     .apply = set, .field = "max_entries", .value = 4},
    {"first-push-lost", FRAMES(F_PUSH), .apply = drop_first},
    {"second-sync-refused", FRAMES(F_SYNC), .from = 1, .apply = retype,
     .value = F_LOGIN},
    {"prev-as-version", FRAMES(F_PUSH), .apply = copy, .field = "prev_version",
     .text = "version"},
    {"sender-wrong", FRAMES(F_PUSH), .when = "kind",
     .is = ROAM__V1__KIND__MESSAGE, .apply = set_text, .field = "sender",
     .text = "somebody"},
    {"stale-ack-kills", FRAMES(F_ACK), .from = 1, .apply = set,
     .field = "version", .value = INT64_MAX},
    {"acks-unheard", FRAMES(F_ACK), .apply = drop},

    /* Sending, section 7. */
    {"answered-twice", FRAMES(F_SEND_OK), .apply = twice},
    {"body-before-kind", FRAMES(F_ERROR), .when = "code",
     .is = ROAM__V1__ERROR_CODE__KIND_UNKNOWN, .apply = set, .field = "code",
     .value = ROAM__V1__ERROR_CODE__BODY_TOO_LONG},
    {"msg-id-wrong", FRAMES(F_SEND_OK), .apply = add, .field = "msg_id",
     .value = 1},
    {"conversation-forbidden", FRAMES(F_ERROR), .when = "code",
     .is = ROAM__V1__ERROR_CODE__NO_SUCH_CONVERSATION, .apply = set,
     .field = "code", .value = ROAM__V1__ERROR_CODE__FORBIDDEN},
    {"long-body-cut", FRAMES(F_SEND), .apply = shorten_bytes, .field = "body",
     .value = 1000},
    {"kind-unchecked", FRAMES(F_SEND), .apply = set, .field = "kind",
     .value = ROAM__V1__KIND__MESSAGE},
    {"error-ends-session", FRAMES(F_ERROR), .apply = end_behind},
    {"error-tells-later", FRAMES(F_ERROR), .when = "retry",
     .is = ROAM__V1__RETRY__NEVER, .apply = set, .field = "retry",
     .value = ROAM__V1__RETRY__AFTER},
    {"user-as-forbidden", FRAMES(F_ERROR), .when = "code",
     .is = ROAM__V1__ERROR_CODE__NO_SUCH_USER, .apply = set, .field = "code",
     .value = ROAM__V1__ERROR_CODE__FORBIDDEN},
    {"hash-logs-in", .which = BENT_LOGIN, .apply = grant_hash},

    /* Batches and pages, section 8. */
    {"columns-turned", FRAMES(F_BATCH), .apply = turn_columns},
    {"table-too-long", FRAMES(F_BATCH), .apply = lengthen_table},
    {"inflated-size-ignored", FRAMES(F_BATCH), .apply = set,
     .field = "inflated_size", .value = 0xffffff},
    {"short-body-cut", FRAMES(F_PUSH), .apply = cut_body},
    {"deflate-not-whole", FRAMES(F_BATCH), .when = "codec",
     .is = ROAM__V1__CODEC__CODEC_DEFLATE, .apply = cut_bytes,
     .field = "payload", .value = 1},
    {"page-empty", FRAMES(F_HISTORY_PAGE), .apply = empty_page},
    {"page-from-the-past", FRAMES(F_HISTORY_PAGE), .apply = repeat_first},
    {"page-types-wrong", FRAMES(F_HISTORY_PAGE), .apply = change_types},
    {"one-row-more", FRAMES(F_HISTORY), .apply = add, .field = "max_rows",
     .value = 1},
    {"group-as-its-sender", FRAMES(F_PUSH), .apply = conversation_as_sender},
    {"members-as-of-nothing", FRAMES(F_MEMBER_PAGE), .apply = set,
     .field = "as_of", .value = 0},

    /* Time, section 9. */
    {"pong-of-another", FRAMES(F_PONG), .apply = add, .field = "id",
     .value = 1},
};
#define BEND_COUNT (sizeof bends / sizeof bends[0])

const struct bend *bend_find(const char *name)
{
    for (size_t i = 0; i < BEND_COUNT; i++) {
        if (strcmp(bends[i].name, name) == 0) {
            return &bends[i];
        }
    }
    return NULL;
}

bool bend_loses_pieces(const struct bend *b)
{
    return strcmp(b->name, "pieces-lost") == 0;
}

bool bend_takes(const struct bend *b, const struct bend_memory *m,
                bool to_server, uint8_t type)
{
    if (m->held.len > 0 && !to_server) {
        return true;
    }
    const struct frame_type *known = frame_type_numbered(type);
    switch (b->which) {
    case BENT_TYPE:
        return type == b->type;
    case BENT_LOGIN:
        return type == F_LOGIN || type == F_REFUSED;
    case BENT_FROM_CLIENT:
        return to_server && known && !known->from_server;
    case BENT_UNKNOWN:
        return to_server && !known && !(type & IGNORABLE);
    case BENT_IGNORABLE:
        return to_server && !known && (type & IGNORABLE) != 0;
    case BENT_NOTHING:
        break;
    }
    return false;
}

/* Is it one of those that the row is about? */
static bool is_meant(struct bending *b)
{
    const struct bend *bend = b->bend;
    if (bend->which == BENT_TYPE && !b->m) {
        return false; /* it has no fields to be bent */
    }
    if (bend->when && get_number(b, bend->when) != bend->is) {
        return false;
    }
    return b->memory->seen++ >= bend->from;
}

void bend_frame(const struct bend *bend, struct bend_memory *m, bool to_server,
                const uint8_t *frame, size_t len, struct text *out)
{
    struct bending b = {.bend = bend,
                        .memory = m,
                        .frame = frame,
                        .len = len,
                        .type = frame_type_numbered(frame[0]),
                        .out = out};
    if (m->held.len > 0 && !to_server) {
        put_as_it_is(&b);
        put(&b, (const uint8_t *)m->held.s, m->held.len);
        m->held.len = 0;
        return;
    }
    b.m = b.type
              ? frame_decode(frame[0], frame + FRAME_HEADER, len - FRAME_HEADER)
                    ->msg
              : NULL;
    if (is_meant(&b)) {
        bend->apply(&b);
    } else {
        put_as_it_is(&b);
    }
}
