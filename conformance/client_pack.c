/* SPDX-License-Identifier: Apache-2.0 */
/* The packer of the harness: see client_pack.h. */
#include "client_pack.h"

#include <string.h>
#include <zlib.h>

#include "wire.h"

/* Values that are all zero are left out: [BATCH-1]. */
#define COLUMN(c, name, values, count)                                         \
    do {                                                                       \
        bool zero_ = true;                                                     \
        for (size_t i_ = 0; i_ < (count); i_++) {                              \
            zero_ = zero_ && (values)[i_] == 0;                                \
        }                                                                      \
        (c)->n_##name = zero_ ? 0 : (count);                                   \
        (c)->name = (values);                                                  \
    } while (0)

struct table {
    char **at;
    char **names; /* what people read, beside it; NULL: it has none */
    bool is_named;
    size_t count;
};

static uint32_t table_add(struct table *t, char *text)
{
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->at[i], text) == 0) {
            return (uint32_t)i;
        }
    }
    t->at[t->count] = text;
    return (uint32_t)t->count++;
}

/* The same, with its name for people. */
static uint32_t table_add_named(struct table *t, char *text, char *name)
{
    uint32_t i = table_add(t, text);
    t->names[i] = name;
    t->is_named = t->is_named || *name != '\0';
    return i;
}

struct columns {
    Roam__V1__Columns c;
    struct table conversations, senders, types;
    uint64_t *gap;
    int64_t *time;
    uint32_t *rest, *conversation, *sender, *type, *length, *own, *cut,
        *recalled;
    uint32_t *cut_size;
    uint64_t *own_id;
    Roam__V1__Kind *kind;
    struct text bodies;
    uint64_t version, when;
    size_t n; /* rows */
};

static void open_columns(struct columns *k, size_t n)
{
    memset(k, 0, sizeof *k);
    roam__v1__columns__init(&k->c);
    k->conversations.at = arena_alloc(n * sizeof(char *));
    k->senders.at = arena_alloc(n * sizeof(char *));
    k->types.at = arena_alloc(n * sizeof(char *));
    k->conversations.names = arena_alloc(n * sizeof(char *));
    k->senders.names = arena_alloc(n * sizeof(char *));
    k->gap = arena_alloc(n * sizeof *k->gap);
    k->time = arena_alloc(n * sizeof *k->time);
    k->own_id = arena_alloc(n * sizeof *k->own_id);
    k->kind = arena_alloc(n * sizeof *k->kind);
    uint32_t **lists[] = {&k->rest, &k->conversation, &k->sender,
                          &k->type, &k->length,       &k->recalled,
                          &k->own,  &k->cut,          &k->cut_size};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        *lists[i] = arena_alloc(n * sizeof(uint32_t));
    }
}

static void add_row(struct columns *k, size_t i, const Roam__V1__Push *p,
                    bool is_page)
{
    k->gap[i] = is_page ? 0 : p->version - k->version - 1;
    k->version = p->version;
    k->kind[i] = p->kind;
    if (p->kind == ROAM__V1__KIND__NOOP) {
        return;
    }
    k->time[i] = (int64_t)(p->msg_id >> 22) - (int64_t)k->when;
    k->when = p->msg_id >> 22;
    k->rest[i] = (uint32_t)(p->msg_id & 0x3fffff);
    k->conversation[i] = table_add_named(&k->conversations, p->conversation,
                                         p->conversation_name);
    k->sender[i] = table_add_named(&k->senders, p->sender, p->sender_name);
    k->type[i] = table_add(&k->types, p->content_type);
    k->length[i] = (uint32_t)p->body.len;
    text_add_bytes(&k->bodies, p->body.data, p->body.len);
    if (p->client_msg_id) {
        k->own[k->c.n_own_row] = (uint32_t)i;
        k->own_id[k->c.n_own_row++] = p->client_msg_id;
    }
    if (p->recalled) {
        k->recalled[k->c.n_recalled_row++] = (uint32_t)i;
    }
    if (p->cut_size) {
        k->cut[k->c.n_cut_row] = (uint32_t)i;
        k->cut_size[k->c.n_cut_row++] = p->cut_size;
    }
}

static void close_columns(struct columns *k, size_t n)
{
    Roam__V1__Columns *c = &k->c;
    c->n_conversations = k->conversations.count;
    c->conversations = k->conversations.at;
    c->n_senders = k->senders.count;
    c->senders = k->senders.at;
    /* Only the empty type: no table, [8.1] column 10. */
    bool plain = k->types.count == 1 && k->types.at[0][0] == '\0';
    c->n_content_types = plain ? 0 : k->types.count;
    c->content_types = k->types.at;
    COLUMN(c, version_gap, k->gap, n);
    COLUMN(c, time_delta, k->time, n);
    COLUMN(c, id_rest, k->rest, n);
    COLUMN(c, conversation, k->conversation, n);
    COLUMN(c, sender, k->sender, n);
    COLUMN(c, kind, k->kind, n);
    COLUMN(c, content_type, k->type, n);
    COLUMN(c, body_length, k->length, n);
    c->own_row = k->own;
    c->n_own_client_msg_id = c->n_own_row;
    c->own_client_msg_id = k->own_id;
    c->cut_row = k->cut;
    c->n_cut_size = c->n_cut_row;
    c->cut_size = k->cut_size;
    c->bodies.data = (uint8_t *)k->bodies.s;
    c->bodies.len = k->bodies.len;
    c->recalled_row = k->recalled;
    c->n_conversation_names =
        k->conversations.is_named ? k->conversations.count : 0;
    c->conversation_names = k->conversations.names;
    c->n_sender_names = k->senders.is_named ? k->senders.count : 0;
    c->sender_names = k->senders.names;
}

/* Columns 20 to 22. */
static void add_states(struct columns *k, const struct row_state *states)
{
    Roam__V1__Columns *c = &k->c;
    uint64_t *marks = arena_alloc(k->n * sizeof *marks);
    uint32_t *unread = arena_alloc(k->n * sizeof *unread);
    Roam__V1__Role *roles = arena_alloc(k->n * sizeof *roles);
    for (size_t i = 0; i < k->n; i++) {
        marks[i] = states[i].read_mark;
        unread[i] = states[i].unread;
        roles[i] = states[i].role;
    }
    COLUMN(c, read_mark, marks, k->n);
    COLUMN(c, unread, unread, k->n);
    COLUMN(c, role, roles, k->n);
}

/* -------------------------------------------------------------------- bends */

/* Bends of the columns, before they are encoded. */
static void bend_short(struct columns *k)
{
    k->c.n_body_length -= k->c.n_body_length > 0;
}

static void bend_long(struct columns *k)
{
    k->length[0]++;
}

static void bend_bodies(struct columns *k)
{
    text_add_bytes(&k->bodies, "x", 1);
    k->c.bodies.data = (uint8_t *)k->bodies.s;
    k->c.bodies.len = k->bodies.len;
}

static void bend_index(struct columns *k)
{
    k->sender[0] = (uint32_t)k->senders.count;
    k->c.n_sender = k->n;
}

static void bend_own_falls(struct columns *k)
{
    k->own[0] = 1;
    k->own[1] = 0;
    k->own_id[0] = k->own_id[1] = 7;
    k->c.n_own_row = k->c.n_own_client_msg_id = 2;
}

static void bend_own_past_end(struct columns *k)
{
    k->own[0] = 1000;
    k->own_id[0] = 7;
    k->c.n_own_row = k->c.n_own_client_msg_id = 1;
}

static void bend_empty_name(struct columns *k)
{
    k->conversations.at[0] = arena_string("");
}

static void bend_long_name(struct columns *k)
{
    char *name = arena_alloc(66);
    memset(name, 'n', 65);
    k->senders.at[0] = name;
}

static void bend_bad_text(struct columns *k)
{
    k->senders.at[0] = arena_string("\xc3\x28");
}

static void bend_noop_body(struct columns *k)
{
    k->kind[0] = ROAM__V1__KIND__NOOP;
    k->c.n_kind = k->n;
}

static void bend_version_wraps(struct columns *k)
{
    k->gap[0] = UINT64_MAX;
    k->c.n_version_gap = k->n;
}

/* Bends of the encoded columns. */
static void append(struct packed *p, const void *bytes, size_t len)
{
    uint8_t *more = arena_alloc(p->len + len);
    memcpy(more, p->payload, p->len);
    memcpy(more + p->len, bytes, len);
    p->payload = more;
    p->len += len;
}

/* body_length once more, of no row's length. */
static void bend_twice(struct packed *p)
{
    append(p, "\x5a\x01\x01", 3);
}

static void bend_group(struct packed *p)
{
    append(p, "\x93\x06\x94\x06", 4); /* field 98 starts and ends */
}

/* The first field behind the others: BATCH-1 wants them in order. */
static void bend_order(struct packed *p)
{
    struct wire_field f;
    size_t at = 0;
    if (wire_next(p->payload, p->len, &at, &f) == WIRE_FIELD) {
        append(p, p->payload, at);
        p->payload += at;
        p->len -= at;
    }
}

/* One more value of the column kind, not packed. */
static void bend_unpacked(struct packed *p)
{
    append(p, "\x48\x00", 2);
}

static void bend_cut(struct packed *p)
{
    p->len--;
}

static const struct {
    const char *name;
    void (*columns)(struct columns *k);
    void (*encoded)(struct packed *p);
    int deflate; /* see bend_deflate() */
} bends[] = {
    {"column-short", bend_short, NULL, 0},
    {"body-too-long", bend_long, NULL, 0},
    {"bodies-left-over", bend_bodies, NULL, 0},
    {"index-out-of-table", bend_index, NULL, 0},
    {"own-rows-fall", bend_own_falls, NULL, 0},
    {"own-row-past-end", bend_own_past_end, NULL, 0},
    {"name-empty", bend_empty_name, NULL, 0},
    {"name-too-long", bend_long_name, NULL, 0},
    {"name-no-text", bend_bad_text, NULL, 0},
    {"noop-with-body", bend_noop_body, NULL, 0},
    {"version-wraps", bend_version_wraps, NULL, 0},
    {"column-twice", NULL, bend_twice, 0},
    {"group-inside", NULL, bend_group, 0},
    {"columns-cut", NULL, bend_cut, 0},
    {"columns-turned", NULL, bend_order, 0},
    {"column-unpacked", NULL, bend_unpacked, 0},
    {"deflate-cut", NULL, NULL, 1},
    {"deflate-trailing", NULL, NULL, 2},
    {"deflate-zlib", NULL, NULL, 3},
    {"deflate-garbage", NULL, NULL, 4},
    {"size-less", NULL, NULL, 5},
    {"size-more", NULL, NULL, 6},
    {"bomb", NULL, NULL, 7},
};
#define BEND_COUNT (sizeof bends / sizeof bends[0])

static size_t find_bend(const char *name)
{
    size_t i = 0;
    while (name && i < BEND_COUNT && strcmp(bends[i].name, name) != 0) {
        i++;
    }
    return name ? i : BEND_COUNT;
}

bool pack_bend_known(const char *name)
{
    return find_bend(name) < BEND_COUNT;
}

static void deflate_raw(struct packed *p, int window_bits)
{
    z_stream z;
    memset(&z, 0, sizeof z);
    size_t room = p->len + p->len / 2 + 64;
    uint8_t *out = arena_alloc(room);
    if (deflateInit2(&z, 9, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        return;
    }
    z.next_in = p->payload;
    z.avail_in = (uInt)p->len;
    z.next_out = out;
    z.avail_out = (uInt)room;
    deflate(&z, Z_FINISH);
    p->payload = out;
    p->len = room - z.avail_out;
    deflateEnd(&z);
}

/* A stream that is far longer than it says. */
#define BOMB_BYTES ((size_t)4 << 20)

static void bend_deflate(struct packed *p, int how)
{
    switch (how) {
    case 1:
        p->len--;
        break;
    case 2:
        append(p, "x", 1);
        break;
    case 4:
        memset(p->payload, 0xff, p->len);
        break;
    case 5:
        p->inflated_size--;
        break;
    case 6:
        p->inflated_size++;
        break;
    default:
        break;
    }
}

void pack_rows(Roam__V1__Push *const *rows, const struct row_state *states,
               size_t count, uint64_t prev_version, bool is_page,
               Roam__V1__Codec codec, const char *bend, struct packed *out)
{
    struct columns k;
    size_t b = find_bend(bend);
    open_columns(&k, count + 2);
    k.version = prev_version;
    k.n = count;
    for (size_t i = 0; i < count; i++) {
        add_row(&k, i, rows[i], is_page);
    }
    close_columns(&k, count);
    if (states) {
        add_states(&k, states);
    }
    if (b < BEND_COUNT && bends[b].columns) {
        bends[b].columns(&k);
    }
    *out = (struct packed){.codec = codec};
    out->len = protobuf_c_message_get_packed_size(&k.c.base);
    out->payload = arena_alloc(out->len + 8);
    protobuf_c_message_pack(&k.c.base, out->payload);
    if (b < BEND_COUNT && bends[b].encoded) {
        bends[b].encoded(out);
    }
    int how = b < BEND_COUNT ? bends[b].deflate : 0;
    out->inflated_size = (uint32_t)out->len;
    if (how == 7) { /* what is declared is good, and then it goes on */
        uint8_t *bomb = arena_alloc(BOMB_BYTES);
        memcpy(bomb, out->payload, out->len);
        out->payload = bomb;
        out->len = BOMB_BYTES;
    }
    if (codec == ROAM__V1__CODEC__CODEC_DEFLATE) {
        deflate_raw(out, how == 3 ? MAX_WBITS : -MAX_WBITS);
    }
    bend_deflate(out, how);
}
