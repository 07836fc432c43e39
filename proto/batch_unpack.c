/* SPDX-License-Identifier: Apache-2.0 */
/* Unpacking a batch or page without a heap: the tables and columns are noted as
 * slices of the inflated payload, and each row moves one cursor a column.
 *
 * roam_unpack_open() runs through all rows on a copy of the state before it
 * says yes; roam_unpack_next() runs the same code again, so it cannot find a
 * fault that the first run did not.
 *
 * Work: linear in the inflated size, times at most ROAM_BATCH_TABLE_MAX for
 * looking up a row's table entries. Row numbers stay below UINT32_MAX, which
 * therefore can say "no more" in next_own and next_cut. */
#include "batch.h"

#include <string.h>

#include "inflate.h"
#include "utf8.h"
#include "wire.h"

#define ID_REST_MAX ((1u << ROAM_MSG_ID_TIME_SHIFT) - 1)
#define TIME_MAX_MS (ROAM_VERSION_MAX >> ROAM_MSG_ID_TIME_SHIFT)
#define NO_ROW UINT32_MAX

uint32_t roam_body_limit(uint32_t max_frame, uint32_t max_inflated)
{
    uint32_t smaller = max_frame < max_inflated ? max_frame : max_inflated;
    return smaller > ROAM_ENTRY_OVERHEAD ? smaller - ROAM_ENTRY_OVERHEAD : 0;
}

/* ---------------------------------------------------------------- columns */

/* The next value. An absent column is all zero; one that ends too early is
 * of the wrong length. */
static enum roam_batch_error next_value(struct roam_column *c, uint64_t *value)
{
    *value = 0;
    if (c->data == NULL) {
        return ROAM_BATCH_OK;
    }
    if (c->len == 0) {
        return ROAM_BATCH_COUNT;
    }
    struct roam_slice rest = {c->data, c->len};
    if (!roam__wire_varint(&rest, value)) {
        return ROAM_BATCH_COLUMNS;
    }
    c->data = rest.data;
    c->len = (uint32_t)rest.len;
    return ROAM_BATCH_OK;
}

static enum roam_batch_error next_uint32(struct roam_column *c, uint32_t *value)
{
    uint64_t wide;
    enum roam_batch_error error = next_value(c, &wide);
    *value = (uint32_t)wide;
    return error == ROAM_BATCH_OK && wide > UINT32_MAX ? ROAM_BATCH_COLUMNS
                                                       : error;
}

/* The row that a sparse column names next, above `row` (NO_ROW: the first).
 */
static enum roam_batch_error next_sparse(struct roam_column *rows,
                                         const struct roam_column *values,
                                         uint32_t row, uint32_t count,
                                         uint32_t *next)
{
    *next = NO_ROW;
    if ((rows->len == 0) != (values->len == 0)) {
        return ROAM_BATCH_COUNT;
    }
    if (rows->len == 0) {
        return ROAM_BATCH_OK;
    }
    enum roam_batch_error error = next_uint32(rows, next);
    if (error == ROAM_BATCH_OK &&
        (*next >= count || (row != NO_ROW && *next <= row))) {
        return ROAM_BATCH_ROW;
    }
    return error;
}

/* ----------------------------------------------------------------- tables */

/* What a table may hold. */
struct table_form {
    uint8_t number;
    uint8_t head_bytes; /* of an entry: its tag, and a length of one byte */
    uint8_t min, max;   /* bytes of a text */
};

static const struct table_form table_forms[] = {
    {roam_v1_Columns_conversations_tag, 2, 1, ROAM_CONVERSATION_MAX},
    {roam_v1_Columns_senders_tag, 2, 1, ROAM_USER_MAX},
    {roam_v1_Columns_content_types_tag, 2, 0, ROAM_CONTENT_TYPE_MAX},
    {roam_v1_Columns_conversation_names_tag, 3, 0, ROAM_NAME_MAX},
    {roam_v1_Columns_sender_names_tag, 3, 0, ROAM_NAME_MAX}};

static const struct table_form *form_of_table(uint32_t number)
{
    for (size_t i = 0; i < sizeof table_forms / sizeof table_forms[0]; i++) {
        if (table_forms[i].number == number) {
            return &table_forms[i];
        }
    }
    return NULL;
}

/* Table entries stand end to end on the wire, each a tag, a length of one
 * byte and the text; check_columns() has made sure of this. */
static bool table_entry(const struct roam_slice *table, size_t head_bytes,
                        uint32_t index, struct roam_slice *entry)
{
    const uint8_t *at = table->data;
    size_t left = table->len;
    while (left != 0) {
        size_t len = at[head_bytes - 1];
        if (index-- == 0) {
            entry->data = at + head_bytes;
            entry->len = len;
            return true;
        }
        at += head_bytes + len;
        left -= head_bytes + len;
    }
    return false;
}

/* Adds a field to its table. `start` is where the field began; a tag or a
 * length of more bytes than needed is refused. */
static enum roam_batch_error note_entry(struct roam_slice *table,
                                        const struct table_form *form,
                                        const uint8_t *start,
                                        const struct roam__field *f,
                                        uint32_t *entries, uint32_t count)
{
    if (f->bytes.len < form->min || f->bytes.len > form->max ||
        f->bytes.data - start != form->head_bytes || *entries == count ||
        *entries == ROAM_BATCH_TABLE_MAX ||
        !roam_utf8_valid((const char *)f->bytes.data, f->bytes.len)) {
        return ROAM_BATCH_TABLE;
    }
    if (*entries == 0) {
        table->data = start;
    }
    table->len += form->head_bytes + f->bytes.len;
    ++*entries;
    return ROAM_BATCH_OK;
}

static uint32_t table_count(const struct roam_slice *table, size_t head_bytes)
{
    uint32_t count = 0;
    for (size_t at = 0; at < table->len; count++) {
        at += head_bytes + table->data[at + head_bytes - 1];
    }
    return count;
}

/* Names stand beside the whole table, or nowhere. */
static bool names_fit(const struct roam_slice *names,
                      const struct roam_slice *table)
{
    return names->len == 0 || table_count(names, 3) == table_count(table, 2);
}

/* ---------------------------------------------------------------- opening */

/* What BATCH and the pages have in common. */
struct packed {
    roam_v1_Codec codec;
    uint32_t inflated_size;
    struct roam_slice payload;
};

static struct roam_column *column_of(struct roam_unpack *u, uint32_t number)
{
    switch (number) {
    case roam_v1_Columns_version_gap_tag:
        return &u->version_gap;
    case roam_v1_Columns_time_delta_tag:
        return &u->time_delta;
    case roam_v1_Columns_id_rest_tag:
        return &u->id_rest;
    case roam_v1_Columns_conversation_tag:
        return &u->conversation;
    case roam_v1_Columns_sender_tag:
        return &u->sender;
    case roam_v1_Columns_kind_tag:
        return &u->kind;
    case roam_v1_Columns_content_type_tag:
        return &u->content_type;
    case roam_v1_Columns_body_length_tag:
        return &u->body_length;
    case roam_v1_Columns_own_row_tag:
        return &u->own_row;
    case roam_v1_Columns_own_client_msg_id_tag:
        return &u->own_id;
    case roam_v1_Columns_cut_row_tag:
        return &u->cut_row;
    case roam_v1_Columns_cut_size_tag:
        return &u->cut_size;
    case roam_v1_Columns_recalled_row_tag:
        return &u->recalled_row;
    case roam_v1_Columns_read_mark_tag:
        return &u->read_mark;
    case roam_v1_Columns_unread_tag:
        return &u->unread;
    default:
        return &u->role;
    }
}

static struct roam_slice *table_of(struct roam_unpack *u, uint32_t number)
{
    switch (number) {
    case roam_v1_Columns_conversations_tag:
        return &u->conversations;
    case roam_v1_Columns_senders_tag:
        return &u->senders;
    case roam_v1_Columns_content_types_tag:
        return &u->content_types;
    case roam_v1_Columns_conversation_names_tag:
        return &u->conversation_names;
    default:
        return &u->sender_names;
    }
}

/* A page has no versions, and only one of conversations tells their state. */
static bool column_allowed(const struct roam_unpack *u, uint32_t number)
{
    if (number == roam_v1_Columns_version_gap_tag) {
        return u->order == ROAM_ROWS_CHAIN;
    }
    return number < roam_v1_Columns_read_mark_tag ||
           u->order == ROAM_ROWS_FALLING;
}

/* Notes one known field. An empty column, though well-formed, has a length
 * other than count; a column that is left out is all zero. */
static enum roam_batch_error note_column(struct roam_unpack *u,
                                         const struct roam__field *f)
{
    if (f->number == roam_v1_Columns_bodies_tag) {
        u->bodies = f->bytes;
        return ROAM_BATCH_OK;
    }
    if (f->bytes.len == 0) {
        return ROAM_BATCH_COUNT;
    }
    if (f->number == roam_v1_Columns_own_client_msg_id_tag &&
        f->bytes.len % sizeof(uint64_t) != 0) {
        return ROAM_BATCH_COLUMNS;
    }
    struct roam_column *column = column_of(u, f->number);
    column->data = f->bytes.data;
    column->len = (uint32_t)f->bytes.len;
    return ROAM_BATCH_OK;
}

/* Finds tables, columns and bodies in the inflated payload. */
static enum roam_batch_error check_columns(struct roam_unpack *u,
                                           struct roam_slice columns)
{
    uint32_t last = 0; /* number of the field before */
    uint32_t entries = 0;
    while (columns.len != 0) {
        const uint8_t *start = columns.data;
        struct roam__field f;
        if (!roam__wire_field(&columns, &f)) {
            return ROAM_BATCH_COLUMNS;
        }
        if (f.number > roam_v1_Columns_role_tag) {
            last = f.number;
            continue;
        }
        const struct table_form *table = form_of_table(f.number);
        if (f.type != ROAM__WIRE_BYTES || f.number < last ||
            (f.number == last && table == NULL) ||
            !column_allowed(u, f.number)) {
            return ROAM_BATCH_COLUMNS;
        }
        entries = f.number == last ? entries : 0;
        last = f.number;
        enum roam_batch_error error =
            table != NULL ? note_entry(table_of(u, f.number), table, start, &f,
                                       &entries, u->count)
                          : note_column(u, &f);
        if (error != ROAM_BATCH_OK) {
            return error;
        }
    }
    return names_fit(&u->conversation_names, &u->conversations) &&
                   names_fit(&u->sender_names, &u->senders)
               ? ROAM_BATCH_OK
               : ROAM_BATCH_TABLE;
}

/* Where the columns are: in the frame, or inflated into buf. */
static enum roam_batch_error inflate_columns(const struct packed *packed,
                                             uint32_t codecs, uint8_t *buf,
                                             size_t cap,
                                             struct roam_slice *columns)
{
    if (packed->codec != roam_v1_Codec_CODEC_NONE &&
        (packed->codec != roam_v1_Codec_CODEC_DEFLATE ||
         (codecs & 1u << roam_v1_Codec_CODEC_DEFLATE) == 0)) {
        return ROAM_BATCH_CODEC;
    }
    if (packed->inflated_size > cap) {
        return ROAM_BATCH_SIZE;
    }
    if (packed->codec == roam_v1_Codec_CODEC_NONE) {
        *columns = packed->payload;
        return columns->len == packed->inflated_size ? ROAM_BATCH_OK
                                                     : ROAM_BATCH_SIZE;
    }
    columns->data = buf;
    columns->len = packed->inflated_size;
    switch (roam_inflate(packed->payload.data, packed->payload.len, buf,
                         columns->len)) {
    case ROAM_INFLATE_OK:
        return ROAM_BATCH_OK;
    case ROAM_INFLATE_SIZE:
        return ROAM_BATCH_SIZE;
    default:
        return ROAM_BATCH_INFLATE;
    }
}

/* ------------------------------------------------------------------- rows */

/* The values of one row as they stand in the columns. */
struct row {
    uint64_t version_gap;
    uint64_t time_delta; /* zigzag */
    uint32_t id_rest, conversation, sender, kind, content_type, body_length;
    uint64_t read_mark;
    uint32_t unread, role;
};

static enum roam_batch_error read_row(struct roam_unpack *u, struct row *row)
{
    enum roam_batch_error error;
    if ((error = next_value(&u->version_gap, &row->version_gap)) ||
        (error = next_value(&u->time_delta, &row->time_delta)) ||
        (error = next_uint32(&u->id_rest, &row->id_rest)) ||
        (error = next_uint32(&u->conversation, &row->conversation)) ||
        (error = next_uint32(&u->sender, &row->sender)) ||
        (error = next_uint32(&u->kind, &row->kind)) ||
        (error = next_uint32(&u->content_type, &row->content_type)) ||
        (error = next_uint32(&u->body_length, &row->body_length)) ||
        (error = next_value(&u->read_mark, &row->read_mark)) ||
        (error = next_uint32(&u->unread, &row->unread)) ||
        (error = next_uint32(&u->role, &row->role))) {
        return error;
    }
    return ROAM_BATCH_OK;
}

/* Time and message id. In any row that is not a message both columns may be
 * 0, and then the time stays as it is. */
static enum roam_batch_error read_msg_id(struct roam_unpack *u,
                                         const struct row *row,
                                         struct roam_entry *e)
{
    uint64_t magnitude = (row->time_delta >> 1) + (row->time_delta & 1);
    if (row->time_delta & 1) {
        if (magnitude > u->time_ms) {
            return ROAM_BATCH_ROW;
        }
        u->time_ms -= magnitude;
    } else {
        if (magnitude > TIME_MAX_MS - u->time_ms) {
            return ROAM_BATCH_ROW;
        }
        u->time_ms += magnitude;
    }
    if (row->id_rest > ID_REST_MAX) {
        return ROAM_BATCH_ROW;
    }
    e->msg_id = u->time_ms << ROAM_MSG_ID_TIME_SHIFT | row->id_rest;
    return e->msg_id == 0 && roam_kind_is_known(e->kind) ? ROAM_BATCH_ROW
                                                         : ROAM_BATCH_OK;
}

/* A table's entry, or the empty text: index 0 with an empty table means it,
 * where empty text is allowed. */
static bool look_up(const struct roam_slice *table, uint32_t index,
                    bool may_be_empty, struct roam_slice *text)
{
    if (may_be_empty && table->len == 0 && index == 0) {
        return true;
    }
    return table_entry(table, 2, index, text);
}

static enum roam_batch_error read_texts(struct roam_unpack *u,
                                        const struct row *row,
                                        struct roam_entry *e)
{
    bool known = roam_kind_is_known(e->kind);
    if (!look_up(&u->conversations, row->conversation, !known,
                 &e->conversation) ||
        !look_up(&u->senders, row->sender, !known, &e->sender) ||
        !look_up(&u->content_types, row->content_type, true,
                 &e->content_type)) {
        return ROAM_BATCH_TABLE;
    }
    (void)table_entry(&u->conversation_names, 3, row->conversation,
                      &e->conversation_name);
    (void)table_entry(&u->sender_names, 3, row->sender, &e->sender_name);
    if (row->body_length > u->bodies.len - u->body_at) {
        return ROAM_BATCH_BODIES;
    }
    if (row->body_length != 0) {
        e->body.data = u->bodies.data + u->body_at;
        e->body.len = row->body_length;
        u->body_at += row->body_length;
    }
    return ROAM_BATCH_OK;
}

/* Recalled is a message, and then without content. */
static enum roam_batch_error read_recalled(struct roam_unpack *u,
                                           struct roam_entry *e)
{
    if (u->row != u->next_recalled) {
        return ROAM_BATCH_OK;
    }
    e->recalled = true;
    if (e->kind != roam_v1_Kind_MESSAGE || e->content_type.len != 0 ||
        e->body.len != 0 || e->cut_size != 0) {
        return ROAM_BATCH_ROW;
    }
    return next_sparse(&u->recalled_row, &u->recalled_row, u->row, u->count,
                       &u->next_recalled);
}

/* What the sparse columns say about this row. */
static enum roam_batch_error read_sparse(struct roam_unpack *u,
                                         struct roam_entry *e)
{
    if (u->row == u->next_own) {
        struct roam_slice ids = {u->own_id.data, u->own_id.len};
        (void)roam__wire_fixed64(&ids, &e->client_msg_id);
        u->own_id.data = ids.data;
        u->own_id.len = (uint32_t)ids.len;
        enum roam_batch_error error = next_sparse(
            &u->own_row, &u->own_id, u->row, u->count, &u->next_own);
        if (error != ROAM_BATCH_OK || e->client_msg_id == 0) {
            return error != ROAM_BATCH_OK ? error : ROAM_BATCH_ROW;
        }
    }
    if (u->row == u->next_cut) {
        enum roam_batch_error error = next_uint32(&u->cut_size, &e->cut_size);
        if (error == ROAM_BATCH_OK) {
            error = next_sparse(&u->cut_row, &u->cut_size, u->row, u->count,
                                &u->next_cut);
        }
        if (error != ROAM_BATCH_OK || e->cut_size == 0 || e->body.len != 0) {
            return error != ROAM_BATCH_OK ? error : ROAM_BATCH_ROW;
        }
    }
    return read_recalled(u, e);
}

static enum roam_batch_error read_content(struct roam_unpack *u,
                                          const struct row *row,
                                          struct roam_entry *e)
{
    if (e->kind == roam_v1_Kind_NOOP) {
        bool empty = row->time_delta == 0 && row->id_rest == 0 &&
                     row->conversation == 0 && row->sender == 0 &&
                     row->content_type == 0 && row->body_length == 0 &&
                     u->row != u->next_own && u->row != u->next_cut &&
                     u->row != u->next_recalled;
        return empty ? ROAM_BATCH_OK : ROAM_BATCH_ROW;
    }
    enum roam_batch_error error;
    if ((error = read_msg_id(u, row, e)) || (error = read_texts(u, row, e)) ||
        (error = read_sparse(u, e))) {
        return error;
    }
    return ROAM_BATCH_OK;
}

static enum roam_batch_error read_version(struct roam_unpack *u,
                                          const struct row *row,
                                          struct roam_entry *e)
{
    if (u->version >= u->last_version ||
        row->version_gap > u->last_version - u->version - 1) {
        return ROAM_BATCH_CHAIN;
    }
    e->prev_version = u->version;
    e->version = u->version + 1 + row->version_gap;
    u->version = e->version;
    return ROAM_BATCH_OK;
}

static bool text_below(struct roam_slice a, struct roam_slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    return order != 0 ? order < 0 : a.len < b.len;
}

/* A row of a page is a message by its id: a NOOP has none, and an id that
 * stands where it may not would be taken twice or never. */
static enum roam_batch_error check_order(struct roam_unpack *u,
                                         const struct roam_entry *e)
{
    bool good = e->msg_id != 0;
    if (u->row != 0 && u->order == ROAM_ROWS_RISING) {
        good = e->msg_id > u->msg_id;
    } else if (u->row != 0 && e->msg_id == u->msg_id) {
        good = good && text_below(e->conversation, u->last_conversation);
    } else if (u->row != 0) {
        good = good && e->msg_id < u->msg_id;
    }
    u->msg_id = e->msg_id;
    u->last_conversation = e->conversation;
    return good ? ROAM_BATCH_OK : ROAM_BATCH_ROW;
}

static enum roam_batch_error read_entry(struct roam_unpack *u,
                                        struct roam_entry *e)
{
    struct row row;
    memset(e, 0, sizeof *e);
    enum roam_batch_error error = read_row(u, &row);
    if (error != ROAM_BATCH_OK) {
        return error;
    }
    if (u->order == ROAM_ROWS_CHAIN &&
        (error = read_version(u, &row, e)) != ROAM_BATCH_OK) {
        return error;
    }
    e->kind = row.kind;
    e->read_mark = row.read_mark;
    e->unread = row.unread;
    e->role = row.role;
    if (row.read_mark > ROAM_VERSION_MAX) {
        return ROAM_BATCH_ROW;
    }
    error = read_content(u, &row, e);
    if (error == ROAM_BATCH_OK && u->order != ROAM_ROWS_CHAIN) {
        error = check_order(u, e);
    }
    u->row++;
    return error;
}

/* After the last row nothing may be left. */
static enum roam_batch_error check_end(const struct roam_unpack *u)
{
    if (u->version_gap.len != 0 || u->time_delta.len != 0 ||
        u->id_rest.len != 0 || u->conversation.len != 0 || u->sender.len != 0 ||
        u->kind.len != 0 || u->content_type.len != 0 ||
        u->body_length.len != 0 || u->read_mark.len != 0 ||
        u->unread.len != 0 || u->role.len != 0) {
        return ROAM_BATCH_COUNT;
    }
    if (u->version != u->last_version) {
        return ROAM_BATCH_CHAIN;
    }
    return u->body_at == u->bodies.len ? ROAM_BATCH_OK : ROAM_BATCH_BODIES;
}

static enum roam_batch_error check_rows(const struct roam_unpack *u)
{
    struct roam_unpack trial = *u;
    struct roam_entry e;
    while (trial.row < trial.count) {
        enum roam_batch_error error = read_entry(&trial, &e);
        if (error != ROAM_BATCH_OK) {
            return error;
        }
    }
    return check_end(&trial);
}

/* The rest of both ways to open; of *u, order and what the order needs are
 * set. */
static enum roam_batch_error open_rows(struct roam_unpack *u, uint32_t count,
                                       const struct packed *packed,
                                       uint32_t codecs, uint8_t *buf,
                                       size_t cap)
{
    struct roam_slice columns;
    enum roam_batch_error error;
    u->count = count;
    if ((error = inflate_columns(packed, codecs, buf, cap, &columns)) ||
        (error = check_columns(u, columns)) ||
        (error = next_sparse(&u->own_row, &u->own_id, NO_ROW, u->count,
                             &u->next_own)) ||
        (error = next_sparse(&u->cut_row, &u->cut_size, NO_ROW, u->count,
                             &u->next_cut)) ||
        (error = next_sparse(&u->recalled_row, &u->recalled_row, NO_ROW,
                             u->count, &u->next_recalled)) ||
        (error = check_rows(u))) {
        return error;
    }
    return ROAM_BATCH_OK;
}

enum roam_batch_error roam_unpack_open(struct roam_unpack *u,
                                       const struct roam_message *m,
                                       uint32_t codecs, uint8_t *buf,
                                       size_t cap)
{
    const roam_v1_Batch *batch = &m->u.batch;
    const struct packed packed = {batch->codec, batch->inflated_size, m->body};
    memset(u, 0, sizeof *u);
    u->order = ROAM_ROWS_CHAIN;
    u->version = batch->prev_version;
    u->last_version = batch->last_version;
    return open_rows(u, batch->count, &packed, codecs, buf, cap);
}

enum roam_batch_error roam_unpack_open_page(struct roam_unpack *u,
                                            const struct roam_message *m,
                                            uint32_t max_rows, uint32_t codecs,
                                            uint8_t *buf, size_t cap)
{
    struct packed packed = {m->u.history_page.codec,
                            m->u.history_page.inflated_size, m->body};
    uint32_t count = m->u.history_page.count;
    memset(u, 0, sizeof *u);
    u->order = ROAM_ROWS_RISING;
    if (m->type == ROAM_CONVERSATION_PAGE) {
        u->order = ROAM_ROWS_FALLING;
        packed.codec = m->u.conversation_page.codec;
        packed.inflated_size = m->u.conversation_page.inflated_size;
        count = m->u.conversation_page.count;
    }
    if (count > max_rows) {
        return ROAM_BATCH_COUNT;
    }
    return open_rows(u, count, &packed, codecs, buf, cap);
}

bool roam_unpack_next(struct roam_unpack *u, struct roam_entry *e)
{
    return u->row < u->count && read_entry(u, e) == ROAM_BATCH_OK;
}
