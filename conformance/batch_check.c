/* SPDX-License-Identifier: Apache-2.0 */
/* A batch or a page to rows: see batch_check.h. */
#include "batch_check.h"

#include <inttypes.h>
#include <string.h>
#include <zlib.h>

#include "wire.h"

/* ROAM_UNACKED_MAX of section 11: no window holds more. It also bounds our
 * own memory. */
#define MAX_COUNT 100000u
#define VERSION_MAX INT64_MAX
/* ROAM_BATCH_TABLE_MAX of section 11. */
#define MAX_TABLE 1024u

static bool bad(struct batch_fault *fault, const char *rule, const char *what)
{
    fault->rule = rule;
    fault->what = what;
    return false;
}

static bool inflate_raw(const ProtobufCBinaryData *in, uint8_t *out,
                        size_t size, struct batch_fault *fault)
{
    z_stream z;
    memset(&z, 0, sizeof z);
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK) {
        return bad(fault, "BATCH-7", "the harness cannot inflate");
    }
    /* One byte more shows a stream that is longer than declared. */
    uint8_t *room = arena_alloc(size + 1);
    z.next_in = in->data;
    z.avail_in = (uInt)in->len;
    z.next_out = room;
    z.avail_out = (uInt)(size + 1);
    int r = inflate(&z, Z_FINISH);
    size_t made = size + 1 - z.avail_out;
    size_t left = z.avail_in;
    inflateEnd(&z);
    if (r != Z_STREAM_END) {
        return bad(fault, "BATCH-5",
                   made > size ? "it inflates to more than inflated_size"
                               : "the deflate stream is broken");
    }
    if (made != size || left > 0) {
        return bad(fault, "BATCH-5",
                   made != size ? "it does not inflate to inflated_size"
                                : "bytes behind the deflate stream");
    }
    memcpy(out, room, size);
    return true;
}

/* Bytes of a table entry's tag and length; 0: not a table. */
static size_t table_head(uint32_t number)
{
    switch (number) {
    case 1: /* conversations, senders, content_types */
    case 2:
    case 3:
        return 2;
    case 18: /* conversation_names, sender_names */
    case 19:
        return 3;
    default:
        return 0;
    }
}

/* [BATCH-1]: rising field numbers, each column once and packed. */
static bool check_order(const uint8_t *p, size_t len, struct batch_fault *fault)
{
    uint32_t before = 0;
    size_t at = 0;
    struct wire_field f;
    enum wire_result r;
    while ((r = wire_next(p, len, &at, &f)) == WIRE_FIELD) {
        if (f.number < before) {
            return bad(fault, "BATCH-1", "columns out of order");
        }
        if (f.number == before && table_head(f.number) == 0) {
            return bad(
                fault, "BATCH-1",
                arena_printf("column %" PRIu32 " is there twice", f.number));
        }
        if (f.wire != WIRE_LENGTH) {
            return bad(
                fault, "BATCH-1",
                arena_printf("column %" PRIu32 " is not packed", f.number));
        }
        if (table_head(f.number) != 0 &&
            f.end - f.at != f.value_len + table_head(f.number)) {
            return bad(fault, "BATCH-1",
                       "the length of a table entry has "
                       "more than one byte");
        }
        before = f.number;
    }
    return r == WIRE_END ||
           bad(fault, "BATCH-1", "the columns are not a proto3 message");
}

static bool check_table(char **at, size_t count, size_t rows, size_t least,
                        size_t most, const char *name,
                        struct batch_fault *fault)
{
    if (count > rows || count > MAX_TABLE) {
        return bad(
            fault, "BATCH-10",
            arena_printf("%zu entries in %s for %zu rows", count, name, rows));
    }
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(at[i]);
        if (len < least || len > most ||
            !wire_is_text((const uint8_t *)at[i], len)) {
            return bad(
                fault, "BATCH-1",
                arena_printf("entry %zu of %s is no legal text", i, name));
        }
    }
    return true;
}

/* Beside the whole table or not at all, and then not all of them empty. */
static bool check_names(char **at, size_t count, size_t table, const char *name,
                        struct batch_fault *fault)
{
    bool any = count == 0;
    if (count != 0 && count != table) {
        return bad(fault, "BATCH-1",
                   arena_printf("%zu entries in %s for %zu in its table", count,
                                name, table));
    }
    for (size_t i = 0; i < count; i++) {
        any = any || at[i][0] != '\0';
    }
    if (!any) {
        return bad(fault, "BATCH-1", arena_printf("%s are all empty", name));
    }
    return check_table(at, count, count, 0, 48, name, fault);
}

static bool check_length(size_t have, size_t count, const char *name,
                         struct batch_fault *fault)
{
    return have == 0 || have == count ||
           bad(fault, "BATCH-1",
               arena_printf("column %s has %zu values for %zu rows", name, have,
                            count));
}

static bool all_zero_32(const uint32_t *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (v[i] != 0) {
            return false;
        }
    }
    return count > 0;
}

/* "...or not at all if all its values are 0". */
static bool check_zero(const Roam__V1__Columns *c, struct batch_fault *fault)
{
    bool gap = c->n_version_gap > 0, time = c->n_time_delta > 0;
    for (size_t i = 0; i < c->n_version_gap; i++) {
        gap = gap && c->version_gap[i] == 0;
    }
    for (size_t i = 0; i < c->n_time_delta; i++) {
        time = time && c->time_delta[i] == 0;
    }
    bool kind = c->n_kind > 0;
    for (size_t i = 0; i < c->n_kind; i++) {
        kind = kind && c->kind[i] == 0;
    }
    bool mark = c->n_read_mark > 0, role = c->n_role > 0;
    for (size_t i = 0; i < c->n_read_mark; i++) {
        mark = mark && c->read_mark[i] == 0;
    }
    for (size_t i = 0; i < c->n_role; i++) {
        role = role && c->role[i] == 0;
    }
    if (gap || time || kind || mark || role ||
        all_zero_32(c->unread, c->n_unread) ||
        all_zero_32(c->id_rest, c->n_id_rest) ||
        all_zero_32(c->conversation, c->n_conversation) ||
        all_zero_32(c->sender, c->n_sender) ||
        all_zero_32(c->content_type, c->n_content_type) ||
        all_zero_32(c->body_length, c->n_body_length)) {
        return bad(fault, "BATCH-1", "a column of zeros is there");
    }
    return true;
}

static bool rising(const uint32_t *rows, size_t n, size_t count)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i] >= count || (i > 0 && rows[i] <= rows[i - 1])) {
            return false;
        }
    }
    return true;
}

static bool check_columns(const Roam__V1__Columns *c, size_t count,
                          struct batch_fault *fault)
{
    if (!check_table(c->conversations, c->n_conversations, count, 1, 64,
                     "conversations", fault) ||
        !check_table(c->senders, c->n_senders, count, 1, 64, "senders",
                     fault) ||
        !check_table(c->content_types, c->n_content_types, count, 0, 64,
                     "content_types", fault) ||
        !check_names(c->conversation_names, c->n_conversation_names,
                     c->n_conversations, "conversation_names", fault) ||
        !check_names(c->sender_names, c->n_sender_names, c->n_senders,
                     "sender_names", fault) ||
        !check_length(c->n_version_gap, count, "version_gap", fault) ||
        !check_length(c->n_time_delta, count, "time_delta", fault) ||
        !check_length(c->n_id_rest, count, "id_rest", fault) ||
        !check_length(c->n_conversation, count, "conversation", fault) ||
        !check_length(c->n_sender, count, "sender", fault) ||
        !check_length(c->n_kind, count, "kind", fault) ||
        !check_length(c->n_content_type, count, "content_type", fault) ||
        !check_length(c->n_body_length, count, "body_length", fault) ||
        !check_length(c->n_read_mark, count, "read_mark", fault) ||
        !check_length(c->n_unread, count, "unread", fault) ||
        !check_length(c->n_role, count, "role", fault) ||
        !check_zero(c, fault)) {
        return false;
    }
    if (!rising(c->recalled_row, c->n_recalled_row, count)) {
        return bad(fault, "BATCH-1", "recalled_row is no list of rising rows");
    }
    if (c->n_own_row != c->n_own_client_msg_id ||
        !rising(c->own_row, c->n_own_row, count)) {
        return bad(fault, "BATCH-1", "own_row is no list of rising rows");
    }
    if (c->n_cut_row != c->n_cut_size ||
        !rising(c->cut_row, c->n_cut_row, count)) {
        return bad(fault, "BATCH-1", "cut_row is no list of rising rows");
    }
    return true;
}

/* ------------------------------------------------------------------- rows */

struct cursor {
    const Roam__V1__Columns *c;
    uint64_t version;
    uint64_t time; /* of the message row before */
    size_t body_at, own_at, cut_at, recalled_at;
};

static bool chain_row(struct cursor *u, size_t i, Roam__V1__Push *p,
                      struct batch_fault *fault)
{
    uint64_t gap = i < u->c->n_version_gap ? u->c->version_gap[i] : 0;
    if (gap >= (uint64_t)VERSION_MAX - u->version) {
        return bad(fault, "CHAIN-1", "a version is above 2^63-1");
    }
    p->prev_version = u->version;
    u->version += gap + 1;
    p->version = u->version;
    return true;
}

static uint32_t at32(const uint32_t *v, size_t n, size_t i)
{
    return i < n ? v[i] : 0;
}

static bool noop_row(const struct cursor *u, size_t i,
                     struct batch_fault *fault)
{
    const Roam__V1__Columns *c = u->c;
    if (i < c->n_time_delta && c->time_delta[i] != 0) {
        return bad(fault, "BATCH-1", "a NOOP has a time_delta");
    }
    if (at32(c->id_rest, c->n_id_rest, i) ||
        at32(c->conversation, c->n_conversation, i) ||
        at32(c->sender, c->n_sender, i) ||
        at32(c->content_type, c->n_content_type, i) ||
        at32(c->body_length, c->n_body_length, i)) {
        return bad(fault, "BATCH-1", "a NOOP has a value beside its kind");
    }
    return true;
}

static bool id_of_row(struct cursor *u, size_t i, Roam__V1__Push *p,
                      struct batch_fault *fault)
{
    int64_t delta = i < u->c->n_time_delta ? u->c->time_delta[i] : 0;
    uint32_t rest = at32(u->c->id_rest, u->c->n_id_rest, i);
    u->time += (uint64_t)delta; /* modulo 2^64; the bound is checked next */
    if (u->time > (uint64_t)VERSION_MAX >> 22 || rest > 0x3fffff) {
        return bad(fault, "BATCH-1", "a msg_id is out of range");
    }
    p->msg_id = u->time << 22 | rest;
    return p->msg_id != 0 || bad(fault, "BATCH-1", "a msg_id is 0");
}

static bool body_of_row(struct cursor *u, size_t i, Roam__V1__Push *p,
                        struct batch_fault *fault)
{
    size_t len = at32(u->c->body_length, u->c->n_body_length, i);
    if (len > u->c->bodies.len - u->body_at) {
        return bad(fault, "BATCH-1", "bodies are shorter than their lengths");
    }
    p->body.data = len ? u->c->bodies.data + u->body_at : NULL;
    p->body.len = len;
    u->body_at += len;
    return true;
}

static bool message_row(struct cursor *u, size_t i, Roam__V1__Push *p,
                        struct batch_fault *fault)
{
    const Roam__V1__Columns *c = u->c;
    uint32_t conversation = at32(c->conversation, c->n_conversation, i);
    uint32_t sender = at32(c->sender, c->n_sender, i);
    uint32_t type = at32(c->content_type, c->n_content_type, i);
    if (conversation >= c->n_conversations || sender >= c->n_senders ||
        (type >= c->n_content_types &&
         !(type == 0 && c->n_content_types == 0))) {
        return bad(fault, "BATCH-1", "an index is past the end of its table");
    }
    p->conversation = c->conversations[conversation];
    p->sender = c->senders[sender];
    if (c->n_conversation_names > 0) {
        p->conversation_name = c->conversation_names[conversation];
    }
    if (c->n_sender_names > 0) {
        p->sender_name = c->sender_names[sender];
    }
    if (c->n_content_types > 0) {
        p->content_type = c->content_types[type];
    }
    return id_of_row(u, i, p, fault) && body_of_row(u, i, p, fault);
}

static bool sparse_row(struct cursor *u, size_t i, Roam__V1__Push *p,
                       struct batch_fault *fault)
{
    const Roam__V1__Columns *c = u->c;
    if (u->own_at < c->n_own_row && c->own_row[u->own_at] == i) {
        p->client_msg_id = c->own_client_msg_id[u->own_at++];
        if (p->client_msg_id == 0) {
            return bad(fault, "BATCH-1", "own_client_msg_id is 0");
        }
    }
    if (u->cut_at < c->n_cut_row && c->cut_row[u->cut_at] == i) {
        p->cut_size = c->cut_size[u->cut_at++];
        if (p->cut_size == 0 || p->body.len > 0) {
            return bad(fault, "BATCH-1", "a cut row has a body or no size");
        }
    }
    if (u->recalled_at < c->n_recalled_row &&
        c->recalled_row[u->recalled_at] == i) {
        u->recalled_at++;
        p->recalled = true;
    }
    if (p->kind == ROAM__V1__KIND__NOOP &&
        (p->client_msg_id || p->cut_size || p->recalled)) {
        return bad(fault, "BATCH-1", "a NOOP has own, cut or recalled values");
    }
    return true;
}

static bool read_row(struct cursor *u, size_t i, Roam__V1__Push *p,
                     struct batch_fault *fault)
{
    p->kind = i < u->c->n_kind ? u->c->kind[i] : ROAM__V1__KIND__MESSAGE;
    if ((unsigned)p->kind > ROAM__V1__KIND__DEVICE) {
        return bad(fault, "BATCH-1", "a kind that Roam 1 does not have");
    }
    bool ok = p->kind == ROAM__V1__KIND__NOOP ? noop_row(u, i, fault)
                                              : message_row(u, i, p, fault);
    return ok && sparse_row(u, i, p, fault);
}

static struct row_state state_of_row(const Roam__V1__Columns *c, size_t i)
{
    return (struct row_state){
        .read_mark = i < c->n_read_mark ? c->read_mark[i] : 0,
        .unread = at32(c->unread, c->n_unread, i),
        .role = i < c->n_role ? c->role[i] : ROAM__V1__ROLE__ROLE_NONE};
}

/* The rows as a table says them; what they must lead to is the caller's. */
static bool read_rows(struct cursor *u, size_t count, bool is_page,
                      struct batch_rows *out, struct batch_fault *fault)
{
    out->at = arena_alloc(count * sizeof *out->at);
    out->states = arena_alloc(count * sizeof *out->states);
    out->count = count;
    for (size_t i = 0; i < count; i++) {
        out->at[i] = (Roam__V1__Push *)message_new(&roam__v1__push__descriptor);
        out->states[i] = state_of_row(u->c, i);
        if (!read_row(u, i, out->at[i], fault) ||
            (!is_page && !chain_row(u, i, out->at[i], fault))) {
            return false;
        }
    }
    return u->body_at == u->c->bodies.len ||
           bad(fault, "BATCH-1", "bytes behind the last body");
}

static bool was_offered(Roam__V1__Codec codec, uint32_t codecs)
{
    return codec == ROAM__V1__CODEC__CODEC_NONE ||
           (codec == ROAM__V1__CODEC__CODEC_DEFLATE &&
            (codecs >> ROAM__V1__CODEC__CODEC_DEFLATE & 1));
}

static bool check_head(const Roam__V1__Batch *b, uint32_t max_inflated,
                       uint32_t codecs, struct batch_fault *fault)
{
    if (!was_offered(b->codec, codecs)) {
        return bad(fault, "BATCH-2", "its codec was not offered");
    }
    if (b->inflated_size > max_inflated) {
        return bad(fault, "BATCH-2", "inflated_size is above max_inflated");
    }
    return b->count <= MAX_COUNT ||
           bad(fault, "ACK-3", "count is above any window");
}

/* Payload to columns, checked one by one. NULL: fault noted. */
static const Roam__V1__Columns *open_columns(const struct page_head *p,
                                             struct batch_fault *fault)
{
    uint8_t *plain = arena_alloc(p->inflated_size);
    if (p->codec == ROAM__V1__CODEC__CODEC_DEFLATE) {
        if (!inflate_raw(p->payload, plain, p->inflated_size, fault)) {
            return NULL;
        }
    } else if (p->payload->len != p->inflated_size) {
        bad(fault, "BATCH-2",
            "without codec the payload is inflated_size long");
        return NULL;
    } else {
        memcpy(plain, p->payload->data, p->payload->len);
    }
    if (!check_order(plain, p->inflated_size, fault)) {
        return NULL;
    }
    const Roam__V1__Columns *c = (const Roam__V1__Columns *)message_decode(
        &roam__v1__columns__descriptor, plain, p->inflated_size);
    if (!c) {
        bad(fault, "BATCH-1", "the columns are not Columns");
        return NULL;
    }
    return check_columns(c, p->count, fault) ? c : NULL;
}

static bool has_states(const Roam__V1__Columns *c)
{
    return c->n_read_mark > 0 || c->n_unread > 0 || c->n_role > 0;
}

bool batch_expand(const Roam__V1__Batch *b, uint32_t max_inflated,
                  uint32_t codecs, struct batch_rows *out,
                  struct batch_fault *fault)
{
    const struct page_head p = {.of_conversations = false,
                                .count = b->count,
                                .inflated_size = b->inflated_size,
                                .codec = b->codec,
                                .payload = &b->payload};
    if (!check_head(b, max_inflated, codecs, fault)) {
        return false;
    }
    struct cursor u = {.c = open_columns(&p, fault),
                       .version = b->prev_version};
    if (u.c && has_states(u.c)) {
        return bad(fault, "BATCH-1",
                   "a batch tells the state of conversations");
    }
    if (!u.c || !read_rows(&u, b->count, false, out, fault)) {
        return false;
    }
    return u.version == b->last_version ||
           bad(fault, "BATCH-1", "the rows do not lead to last_version");
}

/* ------------------------------------------------------------------ pages */

/* Marks and news of devices are on the timeline alone. */
static bool is_history(Roam__V1__Kind kind)
{
    return kind != ROAM__V1__KIND__NOOP && kind != ROAM__V1__KIND__READ &&
           kind != ROAM__V1__KIND__DEVICE;
}

static bool check_page_head(const struct page_head *p, uint32_t max_rows,
                            uint32_t max_inflated, uint32_t codecs,
                            struct batch_fault *fault)
{
    if (!was_offered(p->codec, codecs)) {
        return bad(fault, "FRAME-1", "the page's codec was not offered");
    }
    if (p->inflated_size > max_inflated) {
        return bad(fault, "LIMIT-1", "inflated_size is above max_inflated");
    }
    return p->count <= max_rows ||
           bad(fault, "LIMIT-1", "a page of more than max_rows rows");
}

bool page_expand(const struct page_head *p, uint32_t max_rows,
                 uint32_t max_inflated, uint32_t codecs, struct batch_rows *out,
                 struct batch_fault *fault)
{
    *out = (struct batch_rows){NULL, NULL, 0};
    if (!check_page_head(p, max_rows, max_inflated, codecs, fault)) {
        return false;
    }
    if (p->count == 0) {
        return true; /* then there is no payload: schema.c */
    }
    struct cursor u = {.c = open_columns(p, fault)};
    if (!u.c) {
        return false;
    }
    if (u.c->n_version_gap > 0) {
        return bad(fault, "BATCH-1", "a page has version_gap");
    }
    if (!p->of_conversations && has_states(u.c)) {
        return bad(fault, "BATCH-1",
                   "a page of messages tells the state of conversations");
    }
    if (!read_rows(&u, p->count, true, out, fault)) {
        return false;
    }
    for (size_t i = 0; i < out->count; i++) {
        if (!is_history(out->at[i]->kind)) {
            return bad(fault, "HIST-1", "a row of a page is no history");
        }
    }
    return true;
}
