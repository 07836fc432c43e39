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
    for (size_t i = 0; i < w->s->user_count; i++) {
        if (fprintf(s->trace, "user %s\n", w->users[i].name) < 0) {
            return fail(w, "trace");
        }
    }
    for (size_t i = 0; i < w->s->device_count; i++) {
        const struct device *d = &w->devices[i];
        if (fprintf(s->trace, "token %s %s\n", d->user->name, d->token) < 0) {
            return fail(w, "trace");
        }
    }
    return true;
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
