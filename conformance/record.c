/* SPDX-License-Identifier: Apache-2.0 */
/* A case's bytes, frames and events: see record.h. */
#include "record.h"

#include <string.h>
#include <time.h>

#include "secret.h"
#include "world.h"

static uint64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static uint64_t since_start(const struct record *r)
{
    return r->is_timeless ? 0 : now_us() - r->start_us;
}

void record_begin(struct world *w, bool is_timeless)
{
    w->record = arena_alloc(sizeof *w->record);
    w->record->is_timeless = is_timeless;
    w->record->start_us = now_us();
}

static struct record_event *add_event(struct world *w, enum record_kind kind)
{
    struct record *r = w->record;
    arena_grow((void **)&r->events, r->event_count, &r->event_cap,
               sizeof *r->events);
    struct record_event *e = &r->events[r->event_count++];
    *e = (struct record_event){.kind = kind,
                               .us = since_start(r),
                               .line = w->step ? w->step->line : 0,
                               .text = ""};
    return e;
}

static void add_chunk(struct record *r, enum record_kind kind, size_t conn,
                      bool to_server, const uint8_t *bytes, size_t len)
{
    arena_grow((void **)&r->chunks, r->chunk_count, &r->chunk_cap,
               sizeof *r->chunks);
    r->chunks[r->chunk_count++] = (struct record_chunk){.kind = kind,
                                                        .us = since_start(r),
                                                        .conn = conn,
                                                        .to_server = to_server,
                                                        .bytes = bytes,
                                                        .len = len};
}

/* conn_count: there is no such connection. */
static size_t find_conn(const struct record *r, const void *key)
{
    size_t i = 0;
    while (i < r->conn_count && r->conns[i].key != key) {
        i++;
    }
    return i;
}

void record_open(struct world *w, const void *key, const struct device *d)
{
    struct record *r = w->record;
    if (!r) {
        return;
    }
    arena_grow((void **)&r->conns, r->conn_count, &r->conn_cap,
               sizeof *r->conns);
    size_t conn = r->conn_count++;
    r->conns[conn] = (struct record_conn){.key = key, .device = d->decl->name};
    add_chunk(r, RECORD_OPEN, conn, true, NULL, 0);
    struct record_event *e = add_event(w, RECORD_OPEN);
    e->conn = conn;
    e->device = d->decl->name;
    e->to_server = true;
    e->text = "connects";
}

static void stream_add(struct record_stream *s, const uint8_t *bytes,
                       size_t len)
{
    if (s->cap - s->have < len) {
        size_t cap = (s->have + len) * 2;
        uint8_t *grown = arena_alloc(cap);
        if (s->have > 0) {
            memcpy(grown, s->bytes, s->have);
        }
        s->bytes = grown;
        s->cap = cap;
    }
    memcpy(s->bytes + s->have, bytes, len);
    s->have += len;
}

static void add_bytes_event(struct world *w, enum record_kind kind, size_t conn,
                            bool to_server, const uint8_t *bytes, size_t len)
{
    struct record_event *e = add_event(w, kind);
    e->conn = conn;
    e->device = w->record->conns[conn].device;
    e->to_server = to_server;
    e->bytes = (const uint8_t *)arena_copy((const char *)bytes, len);
    e->len = len;
}

static void cut_frames(struct world *w, size_t conn, bool to_server)
{
    struct record_stream *s = &w->record->conns[conn].streams[to_server];
    size_t at = 0;
    while (s->have - at >= FRAME_HEADER) {
        const uint8_t *h = s->bytes + at;
        size_t len =
            FRAME_HEADER + ((size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3]);
        if (s->have - at < len) {
            break;
        }
        add_bytes_event(w, RECORD_FRAME, conn, to_server, h, len);
        at += len;
    }
    if (at > 0) {
        memmove(s->bytes, s->bytes + at, s->have - at);
        s->have -= at;
    }
}

void record_bytes(struct world *w, const void *key, bool to_server,
                  const uint8_t *bytes, size_t len)
{
    struct record *r = w->record;
    size_t conn = r ? find_conn(r, key) : 0;
    if (!r || conn == r->conn_count || len == 0) {
        return;
    }
    add_chunk(r, RECORD_FRAME, conn, to_server,
              (const uint8_t *)arena_copy((const char *)bytes, len), len);
    stream_add(&r->conns[conn].streams[to_server], bytes, len);
    cut_frames(w, conn, to_server);
}

/* Bytes of one direction that are no whole frame. */
static void add_rest(struct world *w, size_t conn, bool to_server)
{
    struct record_stream *s = &w->record->conns[conn].streams[to_server];
    if (s->have > 0) {
        add_bytes_event(w, RECORD_REST, conn, to_server, s->bytes, s->have);
        s->have = 0;
    }
}

void record_end(struct world *w, const void *key, bool by_server, bool cut)
{
    struct record *r = w->record;
    size_t conn = r ? find_conn(r, key) : 0;
    if (!r || conn == r->conn_count || r->conns[conn].is_over[!by_server]) {
        return;
    }
    add_rest(w, conn, !by_server);
    r->conns[conn].is_over[!by_server] = true;
    r->conns[conn].is_over[by_server] |= cut;
    add_chunk(r, RECORD_END, conn, !by_server, NULL, 0);
    r->chunks[r->chunk_count - 1].is_cut = cut;
    struct record_event *e = add_event(w, RECORD_END);
    e->conn = conn;
    e->device = r->conns[conn].device;
    e->to_server = !by_server;
    e->text = cut ? "cuts the connection" : "closes the connection";
}

void record_note(struct world *w, const struct device *d, const char *arrow,
                 const char *text)
{
    bool beside_the_wire =
        !d || *arrow == ':' || *arrow == '!' || *arrow == '~';
    if (!w->record || !beside_the_wire) {
        return;
    }
    struct record_event *e = add_event(w, RECORD_NOTE);
    e->device = d ? d->decl->name : NULL;
    e->to_server = *arrow == '!';
    e->text = text;
}

void record_step(struct world *w, const struct step *step)
{
    struct record *r = w->record;
    if (!r) {
        return;
    }
    for (size_t i = 0; i < r->step_count; i++) {
        if (r->steps[i] == step) {
            return;
        }
    }
    arena_grow((void **)&r->steps, r->step_count, &r->step_cap,
               sizeof *r->steps);
    r->steps[r->step_count++] = step;
}

/* All that one side said, in one piece, so that a token which went in several
 * is found; and back. What was copied for the record is the record's own. */
static void hide_in_chunks(const struct world *w, size_t conn, bool to_server)
{
    struct record *r = w->record;
    struct record_stream all = {0};
    for (size_t i = 0; i < r->chunk_count; i++) {
        const struct record_chunk *c = &r->chunks[i];
        if (c->len > 0 && c->conn == conn && c->to_server == to_server) {
            stream_add(&all, c->bytes, c->len);
        }
    }
    const uint8_t *at = secret_hide(w, all.bytes, all.have);
    for (size_t i = 0; at != all.bytes && i < r->chunk_count; i++) {
        struct record_chunk *c = &r->chunks[i];
        if (c->len > 0 && c->conn == conn && c->to_server == to_server) {
            c->bytes = at;
            at += c->len;
        }
    }
}

static void hide_secrets(struct world *w)
{
    struct record *r = w->record;
    if (w->secret_count == 0) {
        return;
    }
    for (size_t i = 0; i < r->conn_count; i++) {
        hide_in_chunks(w, i, true);
        hide_in_chunks(w, i, false);
    }
    for (size_t i = 0; i < r->event_count; i++) {
        struct record_event *e = &r->events[i];
        e->bytes = secret_hide(w, e->bytes, e->len);
    }
}

void record_finish(struct world *w)
{
    if (!w->record) {
        return;
    }
    for (size_t i = 0; i < w->record->conn_count; i++) {
        add_rest(w, i, true);
        add_rest(w, i, false);
    }
    hide_secrets(w);
}

size_t record_find(const struct record *r, const struct frame *f)
{
    for (size_t i = r->event_count; f && i-- > 0;) {
        const struct record_event *e = &r->events[i];
        if (e->kind == RECORD_FRAME && e->bytes[0] == f->number &&
            e->len == FRAME_HEADER + f->len &&
            (f->len == 0 ||
             memcmp(e->bytes + FRAME_HEADER, f->payload, f->len) == 0)) {
            return i;
        }
    }
    return r->event_count;
}
