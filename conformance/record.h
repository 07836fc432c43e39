/* SPDX-License-Identifier: Apache-2.0 */
/* What a case leaves behind for reports and traces: every byte of every
 * connection in its order, the frames cut out of them, and what happened
 * beside the wire. The frames are cut here and not taken from the judges, so
 * that a trace shows what went over the wire, also where a judge errs.
 *
 * All functions do nothing in a world without a record. */
#ifndef CONFORM_RECORD_H
#define CONFORM_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct device;
struct frame;
struct step;
struct world;

enum record_kind {
    RECORD_OPEN,
    RECORD_END,
    RECORD_FRAME,
    RECORD_REST, /* bytes that are no whole frame, at a connection's end */
    RECORD_NOTE  /* an adapter's verb or event, a server's restart, ... */
};

struct record_event {
    enum record_kind kind;
    uint64_t us; /* since the record began */
    size_t conn; /* number of the connection; of NOTE: not used */
    int line;    /* of the step that was carried out; 0: none */
    bool to_server;
    const char *device; /* NULL: of none */
    const char *text;   /* for people; "" of FRAME and REST */
    const uint8_t *bytes;
    size_t len; /* FRAME: header and payload */
};

/* Bytes as they were read or written. */
struct record_chunk {
    enum record_kind kind; /* OPEN, FRAME for bytes, END */
    uint64_t us;
    size_t conn;
    bool to_server;
    bool is_cut; /* END: by a reset */
    const uint8_t *bytes;
    size_t len;
};

/* One direction of one connection, until its next frame is whole. */
struct record_stream {
    uint8_t *bytes;
    size_t have, cap;
};

struct record_conn {
    const void *key; /* the link or conn */
    const char *device;
    struct record_stream streams[2]; /* to the client, to the server */
    bool is_over[2];                 /* ended by the server, by the client */
};

struct record {
    bool is_timeless; /* every time is told as 0: for golden files */
    uint64_t start_us;
    struct record_event *events;
    size_t event_count, event_cap;
    struct record_chunk *chunks;
    size_t chunk_count, chunk_cap;
    struct record_conn *conns;
    size_t conn_count, conn_cap;
    const struct step **steps; /* carried out, in their order, once each */
    size_t step_count, step_cap;
};

void record_begin(struct world *w, bool is_timeless);
/* key: what names this connection later. */
void record_open(struct world *w, const void *key, const struct device *d);
void record_bytes(struct world *w, const void *key, bool to_server,
                  const uint8_t *bytes, size_t len);
/* One side ends it: `cut` takes the other side's end with it. Only the first
 * end of a side counts. */
void record_end(struct world *w, const void *key, bool by_server, bool cut);
/* Frames and connections are left out: they are recorded from the bytes. */
void record_note(struct world *w, const struct device *d, const char *arrow,
                 const char *text);
/* A step held. */
void record_step(struct world *w, const struct step *step);
/* What is left of the streams, and the tokens out of it; the last call of a
 * case. */
void record_finish(struct world *w);
/* The number of the newest event that is this frame; event_count: none is. */
size_t record_find(const struct record *r, const struct frame *f);

#endif
