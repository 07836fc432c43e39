/* SPDX-License-Identifier: Apache-2.0 */
/* Batches: entries packed into columns, and back. The server packs
 * (batch_pack.c, links zlib), the client unpacks (batch_unpack.c, own
 * inflate, no heap). Spec: section 8. */
#ifndef ROAM_BATCH_H
#define ROAM_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "slice.h"

/* One entry of a timeline, as PUSH and BATCH carry it. The slices are
 * borrowed from whoever made it. A NOOP has only version and prev_version. */
struct roam_entry {
    uint64_t version;
    uint64_t prev_version;
    uint64_t msg_id;
    uint64_t client_msg_id; /* 0: not sent by this very device */
    uint32_t kind;          /* roam_v1_Kind */
    uint32_t cut_size;      /* bytes of a body that was left out; else 0 */
    bool recalled;          /* a message whose body was erased */
    struct roam_slice conversation;
    struct roam_slice sender;
    struct roam_slice content_type;
    struct roam_slice body;
    /* What people read; empty: no name. One conversation or sender has one
     * name in a batch: that of its first row. */
    struct roam_slice conversation_name;
    struct roam_slice sender_name;
    /* In a page of conversations; else 0. */
    uint64_t read_mark; /* msg_id up to which the user has read */
    uint32_t unread;    /* messages */
    uint32_t role;      /* roam_v1_Role of the user */
};

/* The longest body, in bytes, that a device with these limits gets whole. */
uint32_t roam_body_limit(uint32_t max_frame, uint32_t max_inflated);

/* ---------------------------------------------------------------- packing */

/* Heap workspace of the packer (server only): deflate state and buffers,
 * grown on demand and used again. One per thread. */
struct roam_packer;
struct roam_packer *roam_packer_new(void); /* NULL: no memory */
void roam_packer_free(struct roam_packer *p);
/* Asked before every allocation of a packer; true: it fails. NULL but in
 * tests. */
extern bool (*roam__packer_refuse)(void);

struct roam_pack_limits {
    uint32_t max_frame;    /* bytes of the BATCH payload */
    uint32_t max_inflated; /* bytes of the columns */
    uint32_t codecs;       /* bit set, bit n for codec n; NONE is implied */
};

/* Packs as many of the first entries as fit the limits.
 *
 * entries  borrowed; each version above the one before, each prev_version
 *          equal to it; bodies within roam_body_limit() or already cut. Every
 *          entry but a NOOP has msg_id, conversation and sender; a recalled
 *          one neither content type nor body.
 * count    1 or above.
 * m        becomes the BATCH; its body is valid until the next call with p,
 *          and as long as the entries.
 *
 * Returns how many entries were packed, at least 1; 0 when out of memory. */
size_t roam_batch_pack(struct roam_packer *p, const struct roam_entry *entries,
                       size_t count, const struct roam_pack_limits *limits,
                       struct roam_message *m);

/* The same for a page of history: rows without versions, in the order given;
 * count may be 0.
 *
 * m  a HISTORY_PAGE or CONVERSATION_PAGE whose ref and as_of are set, and more
 *    now or later; count, codec, inflated_size and body become set.
 *
 * Returns how many rows were packed, at least 1 of them unless count is 0;
 * SIZE_MAX when out of memory. */
size_t roam_page_pack(struct roam_packer *p, const struct roam_entry *rows,
                      size_t count, const struct roam_pack_limits *limits,
                      struct roam_message *m);

/* -------------------------------------------------------------- unpacking */

struct roam_column {
    const uint8_t *data;
    uint32_t len; /* bytes left to read; 0 with data NULL: all zero */
};

/* Why a batch was rejected; for logs and tests. */
enum roam_batch_error {
    ROAM_BATCH_OK = 0,
    ROAM_BATCH_CODEC,   /* codec not offered */
    ROAM_BATCH_SIZE,    /* inflated_size above the limit, or not what came */
    ROAM_BATCH_INFLATE, /* broken deflate stream, or bytes after its end */
    ROAM_BATCH_COLUMNS, /* not a Columns message, field order, duplicates;
                           versions in a page */
    ROAM_BATCH_COUNT,   /* a column's length differs from count; more rows in
                           a page than were asked for */
    ROAM_BATCH_TABLE,   /* an index past its table, a bad table entry, or
                           more of them than rows or ROAM_BATCH_TABLE_MAX */
    ROAM_BATCH_BODIES,  /* body lengths do not add up */
    ROAM_BATCH_CHAIN,   /* versions do not lead from prev to last */
    ROAM_BATCH_ROW      /* a row breaks the rules of its kind, or the order
                           of a page */
};

/* What leads from row to row: versions in a batch, message ids in a page. */
enum roam_row_order {
    ROAM_ROWS_CHAIN,  /* BATCH */
    ROAM_ROWS_RISING, /* HISTORY_PAGE */
    ROAM_ROWS_FALLING /* CONVERSATION_PAGE */
};

/* The state of one batch or page being read; the caller's memory. */
struct roam_unpack {
    enum roam_row_order order;
    struct roam_slice conversations, senders, content_types, conversation_names,
        sender_names; /* tables */
    struct roam_column version_gap, time_delta, id_rest, conversation, sender,
        kind, content_type, body_length, own_row, own_id, cut_row, cut_size,
        recalled_row, read_mark, unread, role;
    struct roam_slice bodies;
    uint64_t version; /* of the last row read */
    uint64_t last_version;
    uint64_t msg_id;                     /* of the last row read; pages only */
    struct roam_slice last_conversation; /* likewise */
    uint64_t time_ms;                    /* of the last message row */
    uint32_t row, count;
    uint32_t next_own, next_cut, next_recalled; /* row, or UINT32_MAX */
    size_t body_at;
};

/* Inflates into `buf` when the codec says so, and checks the whole batch:
 * after ROAM_BATCH_OK every roam_unpack_next() up to count succeeds, so a
 * bad batch is never half applied.
 *
 * m    a decoded BATCH; its body stays borrowed until the last row is read.
 * buf  kept until then; cap bytes, the max_inflated that the SYNC named.
 * codecs  bit set that the SYNC offered. */
enum roam_batch_error roam_unpack_open(struct roam_unpack *u,
                                       const struct roam_message *m,
                                       uint32_t codecs, uint8_t *buf,
                                       size_t cap);

/* The same for a HISTORY_PAGE or CONVERSATION_PAGE; roam_unpack_next() gives
 * its rows with version and prev_version 0, none of them a NOOP. Those of a
 * HISTORY_PAGE rise strictly by msg_id; those of a CONVERSATION_PAGE fall by
 * msg_id and, where it is the same, strictly by the conversation's bytes.
 * max_rows: what was asked for. */
enum roam_batch_error roam_unpack_open_page(struct roam_unpack *u,
                                            const struct roam_message *m,
                                            uint32_t max_rows, uint32_t codecs,
                                            uint8_t *buf, size_t cap);

/* The next row; false after the last. The slices point into buf or into the
 * frame and live as long as these. */
bool roam_unpack_next(struct roam_unpack *u, struct roam_entry *e);

#endif
