/* SPDX-License-Identifier: Apache-2.0 */
/* Dumps a case's bytes: see seeds.h.
 *
 * Nothing is buffered: a case's process ends by _exit(), and what was written
 * until then is a whole trace of what happened until then. */
#include "seeds.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "report_text.h"

struct seeds {
    const char *prefix; /* directory, and the case's name in it */
    FILE *trace;
    uint64_t start_ms;
};

/* A link's two streams; none behind its end. */
struct seed_files {
    size_t number; /* of the connection */
    FILE *to_server, *to_client;
};

bool seeds_make_dir(const char *dir, const char **reason)
{
    struct stat st;
    if (mkdir(dir, 0777) == 0 ||
        (errno == EEXIST && stat(dir, &st) == 0 && S_ISDIR(st.st_mode))) {
        return true;
    }
    *reason = arena_printf("%s: %s", dir, strerror(errno));
    return false;
}

static bool fail(struct world *w, const char *path)
{
    return world_mistake(w, arena_printf("%s: %s", path, strerror(errno)));
}

static bool create(struct world *w, const char *path, FILE **out)
{
    *out = fopen(path, "wbe");
    if (!*out) {
        return fail(w, path);
    }
    setvbuf(*out, NULL, _IONBF, 0);
    return true;
}

/* One line of the trace, with the time before it. */
static bool note(struct world *w, const char *line)
{
    const char *text =
        arena_printf("%" PRIu64 " %s\n", now_ms() - w->seeds->start_ms, line);
    return fputs(text, w->seeds->trace) >= 0 || fail(w, "trace");
}

/* AREA/NAME as a file's name. */
static const char *flat_name(const char *id)
{
    char *name = arena_string(id);
    for (char *p = name; *p; p++) {
        *p = *p == '/' ? '-' : *p;
    }
    return name;
}

/* The lines before the first event. */
static const char *who(const struct world *w)
{
    struct text t = {0};
    for (size_t i = 0; i < w->s->user_count; i++) {
        text_add(&t, "user %s\n", w->users[i].name);
    }
    for (size_t i = 0; i < w->s->device_count; i++) {
        const struct device *d = &w->devices[i];
        text_add(&t, "token %s %s\n", d->user->name, d->token);
    }
    return text_str(&t);
}

bool seeds_begin(struct world *w, const char *dir)
{
    if (!dir) {
        return true;
    }
    struct seeds *s = arena_alloc(sizeof *s);
    s->prefix = arena_printf("%s/%s", dir, flat_name(w->s->id));
    s->start_ms = now_ms();
    if (!create(w, arena_printf("%s.trace", s->prefix), &s->trace)) {
        return false;
    }
    w->seeds = s;
    return fputs(who(w), s->trace) >= 0 || fail(w, "trace");
}

/* Connections of the same device until now, this one included. */
static size_t count_of_device(const struct world *w, const struct device *d)
{
    size_t count = 0;
    for (size_t i = 0; i < w->link_count; i++) {
        count += w->links[i]->device == d;
    }
    return count;
}

bool seeds_open(struct world *w, struct link *l)
{
    if (!w->seeds) {
        return true;
    }
    struct seed_files *f = arena_alloc(sizeof *f);
    const char *path =
        arena_printf("%s.%s.%zu", w->seeds->prefix, l->device->decl->name,
                     count_of_device(w, l->device));
    f->number = w->link_count - 1;
    l->seeds = f;
    return create(w, arena_printf("%s.to-server", path), &f->to_server) &&
           create(w, arena_printf("%s.to-client", path), &f->to_client) &&
           note(w,
                arena_printf("open %zu %s", f->number, strrchr(path, '/') + 1));
}

static bool add(struct world *w, const struct link *l, FILE *file,
                const char *direction, const uint8_t *bytes, size_t len)
{
    return (fwrite(bytes, 1, len, file) == len || fail(w, direction)) &&
           note(w,
                arena_printf("%s %zu %zu", direction, l->seeds->number, len));
}

bool seeds_to_server(struct world *w, struct link *l, const uint8_t *bytes,
                     size_t len)
{
    return !l->seeds || add(w, l, l->seeds->to_server, "to-server", bytes, len);
}

bool seeds_to_client(struct world *w, struct link *l, const uint8_t *bytes,
                     size_t len)
{
    return !l->seeds || add(w, l, l->seeds->to_client, "to-client", bytes, len);
}

bool seeds_end(struct world *w, struct link *l, const char *how)
{
    struct seed_files *f = l->seeds;
    if (!f) {
        return true;
    }
    l->seeds = NULL;
    fclose(f->to_server);
    fclose(f->to_client);
    return note(w, arena_printf("end %zu %s", f->number, how));
}

bool seeds_server(struct world *w, const char *act)
{
    return !w->seeds || note(w, arena_printf("server %s", act));
}

/* ------------------------------------------------------- from a record */

/* AREA-NAME.DEVICE.N of a connection of the record. */
static const char *stream_name(const struct world *w, size_t conn)
{
    const struct record_conn *conns = w->record->conns;
    size_t nth = 0;
    for (size_t i = 0; i <= conn; i++) {
        nth += strcmp(conns[i].device, conns[conn].device) == 0;
    }
    return arena_printf("%s.%s.%zu", flat_name(w->s->id), conns[conn].device,
                        nth);
}

static void note_chunk(struct text *trace, const struct world *w,
                       const struct record_chunk *c)
{
    text_add(trace, "%" PRIu64 " ", c->us / 1000);
    if (c->kind == RECORD_OPEN) {
        text_add(trace, "open %zu %s\n", c->conn, stream_name(w, c->conn));
    } else if (c->kind == RECORD_END) {
        text_add(trace, "end %zu %s\n", c->conn,
                 c->is_cut      ? "cut"
                 : c->to_server ? "close"
                                : "closed");
    } else {
        text_add(trace, "%s %zu %zu\n",
                 c->to_server ? "to-server" : "to-client", c->conn, c->len);
    }
}

static bool write_stream(const struct world *w, const char *dir, size_t conn,
                         const struct text *bytes, const char *direction,
                         const char **reason)
{
    return file_write(
        arena_printf("%s/%s.%s", dir, stream_name(w, conn), direction),
        text_str(bytes), bytes->len, reason);
}

bool seeds_from_record(const struct world *w, const char *dir,
                       const char **reason)
{
    const struct record *r = w->record;
    if (!dir || w->seeds || !r) {
        return true;
    }
    struct text trace = {0};
    struct text *streams =
        arena_alloc((2 * r->conn_count + 1) * sizeof *streams);
    text_add(&trace, "%s", who(w));
    for (size_t i = 0; i < r->chunk_count; i++) {
        const struct record_chunk *c = &r->chunks[i];
        note_chunk(&trace, w, c);
        text_add_bytes(&streams[2 * c->conn + c->to_server], c->bytes, c->len);
    }
    bool ok = file_write(arena_printf("%s/%s.trace", dir, flat_name(w->s->id)),
                         text_str(&trace), trace.len, reason);
    for (size_t i = 0; ok && i < r->conn_count; i++) {
        ok = write_stream(w, dir, i, &streams[2 * i], "to-client", reason) &&
             write_stream(w, dir, i, &streams[2 * i + 1], "to-server", reason);
    }
    return ok;
}
