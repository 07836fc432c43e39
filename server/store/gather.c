/* SPDX-License-Identifier: Apache-2.0 */
/* See gather.h. [PUSH-4], [PUSH-6], [BATCH-4], [HIST-7] */
#include "gather.h"

#include <string.h>

#include "../core/alloc.h"
#include "db.h"
#include "roam.pb.h"

/* Room for this many rows is taken first, and doubled when used up. */
#define FIRST_ROWS ((size_t)16)
#define FIRST_BYTES ((size_t)4096)

static bool has_kind(const struct roam_gathering *g, sqlite3_stmt *row,
                     int64_t kind)
{
    return sqlite3_column_int64(row, g->first + ROAM_GATHER_KIND) == kind;
}

static bool is_undone(const struct roam_gathering *g, sqlite3_stmt *row)
{
    return sqlite3_column_int64(row, g->first + ROAM_GATHER_UNDONE_BY) != 0;
}

bool roam_gather_is_void(const struct roam_gathering *g, sqlite3_stmt *row)
{
    return is_undone(g, row) && has_kind(g, row, roam_v1_Kind_READ);
}

/* What stands in place of the body is not told. [OP-3] */
static bool is_recalled(const struct roam_gathering *g, sqlite3_stmt *row)
{
    return is_undone(g, row) && has_kind(g, row, roam_v1_Kind_MESSAGE);
}

bool roam_gather_is_too_much(const struct roam_gathering *g, sqlite3_stmt *row)
{
    uint64_t length = roam_db_u64(row, g->first + ROAM_GATHER_BODY_LENGTH);

    return g->count > 0 && !is_recalled(g, row) && length <= g->body_limit &&
           g->body_bytes + length > g->max_bytes;
}

struct roam_entry *roam_gather_add(struct roam_gathering *g)
{
    if (g->count == g->cap) {
        size_t cap = g->cap == 0 ? FIRST_ROWS : g->cap * 2;
        struct roam_entry *bigger =
            roam__resize(g->entries, cap * sizeof(*bigger));
        if (bigger == NULL) {
            return NULL;
        }
        g->entries = bigger;
        g->cap = cap;
    }
    struct roam_entry *e = &g->entries[g->count++];
    memset(e, 0, sizeof(*e));
    return e;
}

static bool room_for_bytes(struct roam_gathering *g, size_t len)
{
    size_t room = g->room == 0 ? FIRST_BYTES : g->room;

    while (room - g->used < len) {
        room *= 2;
    }
    if (room == g->room) {
        return true;
    }
    uint8_t *bigger = roam__resize(g->req->results, room);
    if (bigger == NULL) {
        return false;
    }
    g->req->results = bigger;
    g->room = room;
    return true;
}

/* Copies bytes into the block; *out has only its length until the end. */
static bool keep(struct roam_gathering *g, struct roam_slice from,
                 struct roam_slice *out)
{
    if (!room_for_bytes(g, from.len)) {
        return false;
    }
    if (from.len > 0) {
        memcpy(g->req->results + g->used, from.data, from.len);
    }
    g->used += from.len;
    out->len = from.len;
    return true;
}

static bool keep_user(struct roam_gathering *g,
                      const struct roam_user_name *user,
                      struct roam_slice *name, struct roam_slice *title)
{
    const uint8_t *text = (const uint8_t *)user->text;
    const uint8_t *read = (const uint8_t *)user->title;

    return keep(g, (struct roam_slice){text, user->len}, name) &&
           keep(g, (struct roam_slice){read, user->title_len}, title);
}

/* The two parties, by number, and what people read. The conversation's name
 * is kept before the sender is looked at: it may take its place. */
static bool keep_parties(struct roam_gathering *g, struct roam_entry *e,
                         int64_t peer, int64_t sender)
{
    const struct roam_user_name *user = roam_user_names_entry(g->names, peer);

    if (user == NULL ||
        !keep_user(g, user, &e->conversation, &e->conversation_name)) {
        return false;
    }
    user = roam_user_names_entry(g->names, sender);
    return user != NULL && keep_user(g, user, &e->sender, &e->sender_name);
}

static bool keep_content(struct roam_gathering *g, struct roam_entry *e,
                         sqlite3_stmt *row)
{
    uint32_t length =
        (uint32_t)sqlite3_column_int64(row, g->first + ROAM_GATHER_BODY_LENGTH);
    bool cut = length > g->body_limit;

    e->recalled = is_recalled(g, row);
    if (e->recalled) {
        return true;
    }
    e->cut_size = cut ? length : 0;
    g->body_bytes += cut ? 0 : length;
    return keep(g, roam_db_column(row, g->first + ROAM_GATHER_CONTENT_TYPE),
                &e->content_type) &&
           keep(g, roam_db_column(row, g->first + ROAM_GATHER_BODY), &e->body);
}

bool roam_gather_message(struct roam_gathering *g, sqlite3_stmt *row)
{
    struct roam_entry *e = &g->entries[g->count - 1];
    int at = g->first;
    int64_t sender = sqlite3_column_int64(row, at + ROAM_GATHER_SENDER);
    int64_t receiver = sqlite3_column_int64(row, at + ROAM_GATHER_RECEIVER);

    e->msg_id = roam_db_u64(row, at + ROAM_GATHER_MSG_ID);
    e->kind = (uint32_t)sqlite3_column_int64(row, at + ROAM_GATHER_KIND);
    if (sqlite3_column_int64(row, at + ROAM_GATHER_DEVICE) == g->device) {
        e->client_msg_id = roam_db_u64(row, at + ROAM_GATHER_CLIENT_MSG_ID);
    }
    bool own = receiver < 0 || sender == g->user;
    return keep_parties(g, e, own ? receiver : sender, sender) &&
           keep_content(g, e, row);
}

/* In the order in which they were kept. */
void roam_gather_finish(struct roam_gathering *g)
{
    const uint8_t *at = g->req->results;

    for (size_t i = 0; i < g->count; i++) {
        struct roam_entry *e = &g->entries[i];
        struct roam_slice *slices[] = {&e->conversation, &e->conversation_name,
                                       &e->sender,       &e->sender_name,
                                       &e->content_type, &e->body};
        for (size_t k = 0; k < sizeof(slices) / sizeof(slices[0]); k++) {
            slices[k]->data = at;
            if (slices[k]->len > 0) { /* at may be NULL else */
                at += slices[k]->len;
            }
        }
    }
}
