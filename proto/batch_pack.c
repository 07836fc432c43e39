/* SPDX-License-Identifier: Apache-2.0 */
/* Packing a batch or page: entries become rows of numbers, texts become indices
 * into tables, and a row's numbers go to one column each. Server only: C11,
 * heap, and the only file that knows zlib.
 *
 * An *extent* is what the first n rows come to in bytes. It is exact, so the
 * number of rows that fit uncompressed is found while the rows are made, and
 * nothing is ever written that does not fit. Only how well columns deflate
 * must be tried out: deflate_most() does, a bounded number of times, starting
 * from the ratio at which the rows that fit uncompressed deflate. */
#include "batch.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

/* The columns with one value a row, in the order of their numbers. */
static const uint8_t column_numbers[] = {
    roam_v1_Columns_version_gap_tag,  roam_v1_Columns_time_delta_tag,
    roam_v1_Columns_id_rest_tag,      roam_v1_Columns_conversation_tag,
    roam_v1_Columns_sender_tag,       roam_v1_Columns_kind_tag,
    roam_v1_Columns_content_type_tag, roam_v1_Columns_body_length_tag,
    roam_v1_Columns_read_mark_tag,    roam_v1_Columns_unread_tag,
    roam_v1_Columns_role_tag};

/* Their indices there. The last three stand behind the bodies. */
enum {
    GAP,
    TIME_DELTA,
    ID_REST,
    CONVERSATION,
    SENDER,
    KIND,
    CONTENT_TYPE,
    BODY_LENGTH,
    READ_MARK,
    UNREAD,
    ROLE,
    COLUMN_COUNT
};

enum {
    TABLE_COUNT = roam_v1_Columns_content_types_tag,
    HASH_SLOTS = 2 * ROAM_BATCH_TABLE_MAX, /* a power of 2, half empty */
    DEFLATE_TRIES = 4,
    /* Chats deflate to a quarter or so; more than this is not aimed for. */
    RATIO_MAX = 16,
    WIRE_BYTES = 2 /* the wire type of tables, columns and bodies */
};

struct table {
    struct roam_slice texts[ROAM_BATCH_TABLE_MAX];
    size_t ends[ROAM_BATCH_TABLE_MAX]; /* bytes on the wire up to here */
    struct roam_slice names[ROAM_BATCH_TABLE_MAX];
    size_t name_ends[ROAM_BATCH_TABLE_MAX]; /* likewise */
    size_t first_named; /* index of the first that has a name */
    size_t count;
    uint16_t slots[HASH_SLOTS]; /* index + 1; 0: free */
};

struct row {
    uint64_t value[COLUMN_COUNT];
    size_t columns_size; /* of the extent that ends with this row */
};

struct extent {
    size_t count; /* rows */
    size_t texts[TABLE_COUNT];
    size_t bytes[COLUMN_COUNT]; /* of the values, whether written or not */
    uint64_t any[COLUMN_COUNT]; /* all values or-ed: 0 leaves the column out */
    size_t own_rows, own_ids;   /* bytes */
    size_t cut_rows, cut_sizes;
    size_t recalled_rows;
    size_t bodies;
};

struct buffer {
    uint8_t *data;
    size_t cap;
};

struct roam_packer {
    bool page;         /* what is packed: a page, or a BATCH */
    bool states;       /* ... a page of conversations, with their state */
    size_t page_bytes; /* of a page's own fields in the payload */
    z_stream deflate;
    struct row *rows;
    size_t row_cap;
    struct buffer columns;
    struct buffer packed;
    struct table tables[TABLE_COUNT];
};

bool (*roam__packer_refuse)(void) = NULL;

static void *resize(void *old, size_t bytes)
{
    if (roam__packer_refuse != NULL && roam__packer_refuse()) {
        return NULL;
    }
    return realloc(old, bytes);
}

/* zlib's allocations go the same way. */
static voidpf zlib_alloc(voidpf opaque, uInt items, uInt size)
{
    (void)opaque;
    return resize(NULL, (size_t)items * size);
}

static void zlib_free(voidpf opaque, voidpf memory)
{
    (void)opaque;
    free(memory);
}

struct roam_packer *roam_packer_new(void)
{
    struct roam_packer *p = resize(NULL, sizeof *p);
    if (p == NULL) {
        return NULL;
    }
    memset(p, 0, sizeof *p);
    p->deflate.zalloc = zlib_alloc;
    p->deflate.zfree = zlib_free;
    if (deflateInit2(&p->deflate, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS,
                     MAX_MEM_LEVEL - 1, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(p);
        return NULL;
    }
    return p;
}

void roam_packer_free(struct roam_packer *p)
{
    if (p == NULL) {
        return;
    }
    (void)deflateEnd(&p->deflate);
    free(p->packed.data);
    free(p->columns.data);
    free(p->rows);
    free(p);
}

static bool reserve(struct buffer *b, size_t bytes)
{
    if (bytes <= b->cap) {
        return true;
    }
    size_t cap = bytes + bytes / 4;
    uint8_t *data = resize(b->data, cap);
    if (data == NULL) {
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

static bool reserve_row(struct roam_packer *p, size_t index)
{
    if (index < p->row_cap) {
        return true;
    }
    size_t cap = p->row_cap == 0 ? 64 : 2 * p->row_cap;
    struct row *rows = resize(p->rows, cap * sizeof *rows);
    if (rows == NULL) {
        return false;
    }
    p->rows = rows;
    p->row_cap = cap;
    return true;
}

/* ----------------------------------------------------------- wire writing */

static size_t varint_size(uint64_t v)
{
    size_t bytes = 1;
    for (; v > 0x7f; v >>= 7) {
        bytes++;
    }
    return bytes;
}

static uint8_t *put_varint(uint8_t *at, uint64_t v)
{
    for (; v > 0x7f; v >>= 7) {
        *at++ = (uint8_t)(v | 0x80);
    }
    *at++ = (uint8_t)v;
    return at;
}

static uint64_t tag_of(unsigned number)
{
    return (uint64_t)number << 3 | WIRE_BYTES;
}

/* A field of `len` bytes; without any it is left out. */
static size_t field_size(unsigned number, size_t len)
{
    return len == 0 ? 0 : varint_size(tag_of(number)) + varint_size(len) + len;
}

static uint8_t *put_field_start(uint8_t *at, unsigned number, size_t len)
{
    return put_varint(put_varint(at, tag_of(number)), len);
}

static uint8_t *put_text(uint8_t *at, unsigned number, struct roam_slice text)
{
    at = put_field_start(at, number, text.len);
    if (text.len != 0) {
        memcpy(at, text.data, text.len);
    }
    return at + text.len;
}

/* ----------------------------------------------------------------- tables */

static size_t hash(struct roam_slice text) /* FNV-1a */
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < text.len; i++) {
        h = (h ^ text.data[i]) * 16777619u;
    }
    return (h ^ h >> 16) % HASH_SLOTS;
}

static bool same_text(struct roam_slice a, struct roam_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* Tables of names have numbers of two bytes; content types have none. */
static unsigned names_number(size_t table)
{
    return table == 0 ? roam_v1_Columns_conversation_names_tag
                      : roam_v1_Columns_sender_names_tag;
}

static void add_text(struct table *t, struct roam_slice text,
                     struct roam_slice name)
{
    size_t before = t->count == 0 ? 0 : t->ends[t->count - 1];
    size_t names_before = t->count == 0 ? 0 : t->name_ends[t->count - 1];

    t->texts[t->count] = text;
    t->ends[t->count] = before + 2 + text.len;
    t->names[t->count] = name;
    t->name_ends[t->count] = names_before + 3 + name.len;
    if (name.len != 0 && t->first_named == ROAM_BATCH_TABLE_MAX) {
        t->first_named = t->count;
    }
    t->count++;
}

/* The index of a text, which is added if new. False: the table is full. */
static bool intern(struct table *t, struct roam_slice text,
                   struct roam_slice name, uint64_t *index)
{
    size_t slot = hash(text);
    for (; t->slots[slot] != 0; slot = (slot + 1) % HASH_SLOTS) {
        if (same_text(t->texts[t->slots[slot] - 1], text)) {
            *index = (uint64_t)t->slots[slot] - 1;
            return true;
        }
    }
    if (t->count == ROAM_BATCH_TABLE_MAX) {
        return false;
    }
    *index = t->count;
    add_text(t, text, name);
    t->slots[slot] = (uint16_t)t->count;
    return true;
}

/* Bytes of a table's first `count` entries. A lone empty text is what an
 * empty table means: it is left out. */
static size_t table_size(const struct table *t, size_t count)
{
    if (count == 0 || (count == 1 && t->texts[0].len == 0)) {
        return 0;
    }
    return t->ends[count - 1];
}

/* Bytes of the names of a table's first `count` entries: none, or all. */
static size_t names_size(const struct table *t, size_t count)
{
    return count == 0 || t->first_named >= count ? 0 : t->name_ends[count - 1];
}

/* ------------------------------------------------------------------- rows */

static uint64_t zigzag(uint64_t from, uint64_t to)
{
    return to >= from ? (to - from) << 1 : ((from - to) << 1) - 1;
}

/* Turns an entry into a row. *time_ms is that of the last message row. False:
 * a table is full. */
static bool make_row(struct roam_packer *p, const struct roam_entry *e,
                     uint64_t prev_version, uint64_t *time_ms, struct row *row)
{
    const struct roam_slice no_name = {NULL, 0};
    memset(row, 0, sizeof *row);
    row->value[GAP] = p->page ? 0 : e->version - prev_version - 1;
    row->value[KIND] = e->kind;
    if (e->kind == roam_v1_Kind_NOOP) {
        return true;
    }
    uint64_t to_ms = e->msg_id >> ROAM_MSG_ID_TIME_SHIFT;
    row->value[TIME_DELTA] = zigzag(*time_ms, to_ms);
    row->value[ID_REST] = e->msg_id & ((1u << ROAM_MSG_ID_TIME_SHIFT) - 1);
    row->value[BODY_LENGTH] = e->body.len;
    if (p->states) {
        row->value[READ_MARK] = e->read_mark;
        row->value[UNREAD] = e->unread;
        row->value[ROLE] = e->role;
    }
    *time_ms = to_ms;
    return intern(&p->tables[0], e->conversation, e->conversation_name,
                  &row->value[CONVERSATION]) &&
           intern(&p->tables[1], e->sender, e->sender_name,
                  &row->value[SENDER]) &&
           intern(&p->tables[2], e->content_type, no_name,
                  &row->value[CONTENT_TYPE]);
}

static void count_text(size_t *texts, uint64_t index)
{
    if (index >= *texts) {
        *texts = (size_t)index + 1;
    }
}

static void extend(struct extent *x, const struct row *row,
                   const struct roam_entry *e)
{
    for (size_t i = 0; i < COLUMN_COUNT; i++) {
        x->bytes[i] += varint_size(row->value[i]);
        x->any[i] |= row->value[i];
    }
    if (e->kind != roam_v1_Kind_NOOP) {
        count_text(&x->texts[0], row->value[CONVERSATION]);
        count_text(&x->texts[1], row->value[SENDER]);
        count_text(&x->texts[2], row->value[CONTENT_TYPE]);
    }
    if (e->client_msg_id != 0) {
        x->own_rows += varint_size(x->count);
        x->own_ids += sizeof e->client_msg_id;
    }
    if (e->cut_size != 0) {
        x->cut_rows += varint_size(x->count);
        x->cut_sizes += varint_size(e->cut_size);
    }
    if (e->recalled) {
        x->recalled_rows += varint_size(x->count);
    }
    x->bodies += e->body.len;
    x->count++;
}

static size_t columns_size(const struct roam_packer *p, const struct extent *x)
{
    size_t size = 0;
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        size += table_size(&p->tables[i], x->texts[i]);
        size += names_size(&p->tables[i], x->texts[i]);
    }
    for (unsigned i = 0; i < COLUMN_COUNT; i++) {
        size += x->any[i] == 0 ? 0 : field_size(column_numbers[i], x->bytes[i]);
    }
    return size + field_size(roam_v1_Columns_own_row_tag, x->own_rows) +
           field_size(roam_v1_Columns_own_client_msg_id_tag, x->own_ids) +
           field_size(roam_v1_Columns_cut_row_tag, x->cut_rows) +
           field_size(roam_v1_Columns_cut_size_tag, x->cut_sizes) +
           field_size(roam_v1_Columns_recalled_row_tag, x->recalled_rows) +
           field_size(roam_v1_Columns_bodies_tag, x->bodies);
}

static void measure(const struct roam_packer *p,
                    const struct roam_entry *entries, size_t count,
                    struct extent *x)
{
    memset(x, 0, sizeof *x);
    for (size_t i = 0; i < count; i++) {
        extend(x, &p->rows[i], &entries[i]);
    }
}

/* ---------------------------------------------------------------- writing */

/* The four sparse columns; an entry with neither adds nothing to them. */
static uint8_t *put_sparse(uint8_t *at, const struct roam_entry *entries,
                           const struct extent *x)
{
    if (x->own_rows != 0) {
        at = put_field_start(at, roam_v1_Columns_own_row_tag, x->own_rows);
        for (size_t i = 0; i < x->count; i++) {
            at = entries[i].client_msg_id != 0 ? put_varint(at, i) : at;
        }
        at = put_field_start(at, roam_v1_Columns_own_client_msg_id_tag,
                             x->own_ids);
        for (size_t i = 0; i < x->count; i++) {
            uint64_t id = entries[i].client_msg_id;
            for (size_t n = 0; id != 0 && n < sizeof id; n++) {
                *at++ = (uint8_t)(id >> 8 * n);
            }
        }
    }
    if (x->cut_rows != 0) {
        at = put_field_start(at, roam_v1_Columns_cut_row_tag, x->cut_rows);
        for (size_t i = 0; i < x->count; i++) {
            at = entries[i].cut_size != 0 ? put_varint(at, i) : at;
        }
        at = put_field_start(at, roam_v1_Columns_cut_size_tag, x->cut_sizes);
        for (size_t i = 0; i < x->count; i++) {
            at = entries[i].cut_size != 0 ? put_varint(at, entries[i].cut_size)
                                          : at;
        }
    }
    return at;
}

static uint8_t *put_bodies(uint8_t *at, const struct roam_entry *entries,
                           const struct extent *x)
{
    if (x->bodies == 0) {
        return at;
    }
    at = put_field_start(at, roam_v1_Columns_bodies_tag, x->bodies);
    for (size_t i = 0; i < x->count; i++) {
        if (entries[i].body.len != 0) {
            memcpy(at, entries[i].body.data, entries[i].body.len);
            at += entries[i].body.len;
        }
    }
    return at;
}

/* The columns from `first` on, up to before `end`. */
static uint8_t *put_dense(const struct roam_packer *p, uint8_t *at,
                          unsigned first, unsigned end, const struct extent *x)
{
    for (unsigned c = first; c < end; c++) {
        if (x->any[c] != 0) {
            at = put_field_start(at, column_numbers[c], x->bytes[c]);
            for (size_t i = 0; i < x->count; i++) {
                at = put_varint(at, p->rows[i].value[c]);
            }
        }
    }
    return at;
}

static uint8_t *put_recalled(uint8_t *at, const struct roam_entry *entries,
                             const struct extent *x)
{
    if (x->recalled_rows == 0) {
        return at;
    }
    at =
        put_field_start(at, roam_v1_Columns_recalled_row_tag, x->recalled_rows);
    for (size_t i = 0; i < x->count; i++) {
        at = entries[i].recalled ? put_varint(at, i) : at;
    }
    return at;
}

static uint8_t *put_names(const struct roam_packer *p, uint8_t *at,
                          const struct extent *x)
{
    for (size_t t = 0; t < TABLE_COUNT; t++) {
        size_t names =
            names_size(&p->tables[t], x->texts[t]) == 0 ? 0 : x->texts[t];
        for (size_t i = 0; i < names; i++) {
            at = put_text(at, names_number(t), p->tables[t].names[i]);
        }
    }
    return at;
}

/* Writes the columns of the first `count` rows. False: no memory. */
static bool write_columns(struct roam_packer *p,
                          const struct roam_entry *entries, size_t count)
{
    size_t size = p->rows[count - 1].columns_size;
    struct extent x;
    measure(p, entries, count, &x);
    if (!reserve(&p->columns, size)) {
        return false;
    }
    uint8_t *at = p->columns.data;
    for (unsigned t = 0; t < TABLE_COUNT; t++) {
        size_t texts =
            table_size(&p->tables[t], x.texts[t]) == 0 ? 0 : x.texts[t];
        for (size_t i = 0; i < texts; i++) {
            at = put_text(at, t + 1, p->tables[t].texts[i]);
        }
    }
    at = put_dense(p, at, GAP, READ_MARK, &x);
    at = put_bodies(put_sparse(at, entries, &x), entries, &x);
    at = put_names(p, put_recalled(at, entries, &x), &x);
    at = put_dense(p, at, READ_MARK, COLUMN_COUNT, &x);
    assert((size_t)(at - p->columns.data) == size);
    return true;
}

/* ---------------------------------------------------------------- fitting */

/* What was packed: `count` rows, in p->columns or p->packed. */
struct outcome {
    size_t count; /* 0: no memory */
    roam_v1_Codec codec;
    struct roam_slice payload;
};

static struct outcome outcome_of(const struct roam_packer *p, size_t count,
                                 roam_v1_Codec codec, size_t len)
{
    struct outcome outcome = {count, codec, {p->columns.data, len}};
    if (codec != roam_v1_Codec_CODEC_NONE) {
        outcome.payload.data = p->packed.data;
    }
    return outcome;
}

/* Bytes of the fields of a BATCH that a page has not, or the other way
 * round. */
static size_t own_fields(const struct roam_packer *p,
                         const struct roam_entry *entries, size_t count)
{
    if (p->page) {
        return p->page_bytes;
    }
    uint64_t prev = entries[0].prev_version;
    return (prev == 0 ? 0 : 1 + varint_size(prev)) + 1 +
           varint_size(entries[count - 1].version);
}

/* Bytes of the frame's payload. The fields that BATCH and the pages share
 * have the same numbers in all of them. */
static size_t frame_size(const struct roam_packer *p,
                         const struct roam_entry *entries, size_t count,
                         roam_v1_Codec codec, size_t columns, size_t len)
{
    return own_fields(p, entries, count) + 1 + varint_size(count) +
           (codec == roam_v1_Codec_CODEC_NONE ? 0 : 2) + 1 +
           varint_size(columns) + field_size(roam_v1_Batch_payload_tag, len);
}

/* The most bytes of columns that are worth making rows for: more than a frame
 * can hold would be made again for the next one, and again. */
static size_t columns_max(const struct roam_pack_limits *limits)
{
    bool deflates = (limits->codecs & 1u << roam_v1_Codec_CODEC_DEFLATE) != 0;
    size_t frames = (size_t)limits->max_frame * (deflates ? RATIO_MAX : 1);
    return frames < limits->max_inflated ? frames : limits->max_inflated;
}

/* Makes rows as long as their columns fit columns_max(). *plain becomes the
 * number that fits max_frame uncompressed. Returns the number of rows; 0: no
 * memory. */
static size_t make_rows(struct roam_packer *p, const struct roam_entry *entries,
                        size_t count, const struct roam_pack_limits *limits,
                        size_t *plain)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        p->tables[i].count = 0;
        p->tables[i].first_named = ROAM_BATCH_TABLE_MAX;
        memset(p->tables[i].slots, 0, sizeof p->tables[i].slots);
    }
    struct extent x;
    memset(&x, 0, sizeof x);
    uint64_t version = entries[0].prev_version;
    uint64_t time_ms = 0;
    size_t size_max = columns_max(limits);
    *plain = 0;
    for (size_t i = 0; i < count; i++) {
        if (!reserve_row(p, i)) {
            return 0;
        }
        struct row *row = &p->rows[i];
        if (!make_row(p, &entries[i], version, &time_ms, row)) {
            return i;
        }
        extend(&x, row, &entries[i]);
        row->columns_size = columns_size(p, &x);
        if (row->columns_size > size_max) {
            return i;
        }
        version = entries[i].version;
        if (*plain == i &&
            frame_size(p, entries, i + 1, roam_v1_Codec_CODEC_NONE,
                       row->columns_size,
                       row->columns_size) <= limits->max_frame) {
            *plain = i + 1;
        }
    }
    return count;
}

/* Writes and deflates the first `count` rows. Returns the deflated size; 0:
 * no memory. */
static size_t deflate_rows(struct roam_packer *p,
                           const struct roam_entry *entries, size_t count)
{
    size_t size = p->rows[count - 1].columns_size;
    size_t bound = deflateBound(&p->deflate, (uLong)size);
    if (!write_columns(p, entries, count) || !reserve(&p->packed, bound)) {
        return 0;
    }
    (void)deflateReset(&p->deflate);
    p->deflate.next_in = p->columns.data;
    p->deflate.avail_in = (uInt)size;
    p->deflate.next_out = p->packed.data;
    p->deflate.avail_out = (uInt)bound;
    int result = deflate(&p->deflate, Z_FINISH);
    assert(result == Z_STREAM_END); /* deflateBound() promised it */
    (void)result;
    return (size_t)p->deflate.total_out;
}

/* How many of the rows have columns of up to `size` bytes. */
static size_t rows_within(const struct roam_packer *p, size_t rows,
                          uint64_t size)
{
    while (rows != 0 && p->rows[rows - 1].columns_size > size) {
        rows--;
    }
    return rows;
}

/* Deflates as many of the `rows` rows as fit max_frame; the first `plain` fit
 * even uncompressed. Each try aims a little below what the ratio of the last
 * one promises; a frame filled to 7/8 is good enough. Returns the number of
 * rows, whose deflated size is *deflated; 0: no memory. */
static size_t deflate_most(struct roam_packer *p,
                           const struct roam_entry *entries, size_t plain,
                           size_t rows, uint32_t max_frame, size_t *deflated)
{
    size_t best = plain; /* fits */
    size_t count = plain;
    *deflated = deflate_rows(p, entries, count);
    for (unsigned i = 0; i < DEFLATE_TRIES && *deflated != 0; i++) {
        if (count == best && *deflated >= max_frame - max_frame / 8) {
            break;
        }
        uint64_t aim = (uint64_t)p->rows[count - 1].columns_size *
                       (max_frame - max_frame / 32) / *deflated;
        size_t next = rows_within(p, rows, aim);
        if (next <= best) {
            break;
        }
        count = next;
        *deflated = deflate_rows(p, entries, count);
        if (frame_size(p, entries, count, roam_v1_Codec_CODEC_DEFLATE,
                       p->rows[count - 1].columns_size,
                       *deflated) <= max_frame) {
            best = count;
        } else {
            rows = count - 1;
        }
    }
    if (count != best) {
        *deflated = deflate_rows(p, entries, best);
    }
    return *deflated == 0 ? 0 : best;
}

/* Packs as many of the first entries as fit; at least 1 of them. */
static struct outcome pack(struct roam_packer *p,
                           const struct roam_entry *entries, size_t count,
                           const struct roam_pack_limits *limits)
{
    const struct outcome no_memory = {.count = 0};
    size_t plain;
    size_t rows = make_rows(p, entries, count, limits, &plain);
    if (rows == 0) {
        return no_memory;
    }
    assert(plain != 0); /* an entry within roam_body_limit() fits alone */
    if ((limits->codecs & 1u << roam_v1_Codec_CODEC_DEFLATE) != 0) {
        size_t deflated;
        size_t most =
            deflate_most(p, entries, plain, rows, limits->max_frame, &deflated);
        if (most == 0) {
            return no_memory;
        }
        /* A codec other than NONE costs the frame two bytes of its own. */
        if (most > plain || deflated + 2 < p->rows[plain - 1].columns_size) {
            return outcome_of(p, most, roam_v1_Codec_CODEC_DEFLATE, deflated);
        }
    }
    if (!write_columns(p, entries, plain)) {
        return no_memory;
    }
    return outcome_of(p, plain, roam_v1_Codec_CODEC_NONE,
                      p->rows[plain - 1].columns_size);
}

size_t roam_batch_pack(struct roam_packer *p, const struct roam_entry *entries,
                       size_t count, const struct roam_pack_limits *limits,
                       struct roam_message *m)
{
    p->page = false;
    p->states = false;
    const struct outcome packed = pack(p, entries, count, limits);
    if (packed.count == 0) {
        return 0;
    }
    roam_message_init(m, ROAM_BATCH);
    m->u.batch.prev_version = entries[0].prev_version;
    m->u.batch.last_version = entries[packed.count - 1].version;
    m->u.batch.count = (uint32_t)packed.count;
    m->u.batch.codec = packed.codec;
    m->u.batch.inflated_size = (uint32_t)p->rows[packed.count - 1].columns_size;
    m->body = packed.payload;
    return packed.count;
}

static void set_page(struct roam_message *m, uint32_t inflated_size,
                     const struct outcome *packed)
{
    m->body = packed->payload;
    if (m->type == ROAM_HISTORY_PAGE) {
        m->u.history_page.count = (uint32_t)packed->count;
        m->u.history_page.codec = packed->codec;
        m->u.history_page.inflated_size = inflated_size;
    } else {
        m->u.conversation_page.count = (uint32_t)packed->count;
        m->u.conversation_page.codec = packed->codec;
        m->u.conversation_page.inflated_size = inflated_size;
    }
}

size_t roam_page_pack(struct roam_packer *p, const struct roam_entry *rows,
                      size_t count, const struct roam_pack_limits *limits,
                      struct roam_message *m)
{
    const struct outcome none = {.count = 0};
    set_page(m, 0, &none);
    if (count == 0) {
        return 0;
    }
    bool more = m->type == ROAM_HISTORY_PAGE ? m->u.history_page.more
                                             : m->u.conversation_page.more;
    p->page = true;
    p->states = m->type == ROAM_CONVERSATION_PAGE;
    p->page_bytes = roam_message_size(m) - ROAM_FRAME_HEADER_BYTES;
    p->page_bytes += more ? 0 : 2; /* it may be set yet */
    const struct outcome packed = pack(p, rows, count, limits);
    if (packed.count == 0) {
        return SIZE_MAX;
    }
    set_page(m, (uint32_t)p->rows[packed.count - 1].columns_size, &packed);
    return packed.count;
}
