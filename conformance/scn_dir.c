/* SPDX-License-Identifier: Apache-2.0 */
/* All scenarios below a directory: see scn.h. */
#include "scn.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* Paths relative to `dir`, one level of folders deep and then files. */
static bool collect(const char *dir, const char *below, const char *end,
                    struct names *out)
{
    const char *path = *below ? arena_printf("%s/%s", dir, below) : dir;
    DIR *d = opendir(path);
    if (!d) {
        return false;
    }
    struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] == '.') {
            continue;
        }
        const char *name = *below ? arena_printf("%s/%s", below, e->d_name)
                                  : arena_string(e->d_name);
        struct stat st;
        if (stat(arena_printf("%s/%s", dir, name), &st) != 0) {
            continue;
        }
        if (S_ISDIR(st.st_mode)) {
            collect(dir, name, end, out);
        } else if (ends_with(name, end)) {
            arena_grow((void **)&out->at, out->count, &out->cap,
                       sizeof *out->at);
            out->at[out->count++] = name;
        }
    }
    closedir(d);
    return true;
}

bool names_load(const char *dir, const char *end, struct names *out)
{
    if (!collect(dir, "", end, out)) {
        return false;
    }
    if (out->count > 0) {
        qsort(out->at, out->count, sizeof *out->at, by_name);
    }
    return true;
}

static bool add(struct scenarios *out, struct scenario *s)
{
    if (!s) {
        return false;
    }
    arena_grow((void **)&out->at, out->count, &out->cap, sizeof *out->at);
    out->at[out->count++] = s;
    return true;
}

static bool load_roles(const char *path, const char *id, struct scenarios *out,
                       const char **error)
{
    struct scenario *s = scenario_load(path, id, (enum role)0, error);
    if (!add(out, s)) {
        return false;
    }
    return s->role == ROLE_PAIR || !(s->roles & ROLE_PAIR) ||
           add(out, scenario_load(path, id, ROLE_PAIR, error));
}

bool scenarios_load(const char *dir, struct scenarios *out, const char **error)
{
    struct names names = {0};
    if (!names_load(dir, ".scn", &names)) {
        *error = arena_printf("%s: %s", dir, strerror(errno));
        return false;
    }
    for (size_t i = 0; i < names.count; i++) {
        if (!load_roles(arena_printf("%s/%s", dir, names.at[i]),
                        arena_copy(names.at[i], strlen(names.at[i]) - 4), out,
                        error)) {
            return false;
        }
    }
    return true;
}
