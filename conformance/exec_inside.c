/* SPDX-License-Identifier: Apache-2.0 */
/* `server note`, and what became of it: whether the server has written to its
 * store since, and how much more memory it takes. Of a roamd that the suite
 * runs, like exec_secrets.c.
 *
 * Memory is what the kernel had to give to the process for itself: pages that
 * it has written to. What it only reserved costs nobody anything. */
#include <ftw.h>
#include <inttypes.h>
#include <string.h>

#include "exec_server.h"
#include "expr.h"

/* nftw() hands nothing through. */
static uint64_t sum;

static void add(const void *data, size_t len)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++) { /* FNV-1a */
        sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
    }
}

/* What readers share among themselves is in the memory that SQLite keeps in a
 * file, -shm; the log is no store. */
static bool is_store(const char *name)
{
    const char *end = strrchr(name, '-');
    return strcmp(name, "log") != 0 && (!end || strcmp(end, "-shm") != 0);
}

static int look_at(const char *path, const struct stat *st, int flag,
                   struct FTW *ftw)
{
    size_t len = 0;
    (void)st;
    char *data = flag == FTW_F && is_store(path + ftw->base)
                     ? file_read(path, &len)
                     : NULL;
    if (data) {
        add(path, strlen(path) + 1);
        add(data, len);
    }
    return 0;
}

static bool look_at_store(struct world *w, uint64_t *seen)
{
    sum = UINT64_C(0xcbf29ce484222325);
    if (nftw(w->server->dir, look_at, 16, FTW_PHYS) != 0) {
        return world_mistake(w, "there is no store to look at");
    }
    *seen = sum;
    return true;
}

bool exec_note(struct world *w)
{
    w->noted_bytes = server_memory(w->server);
    return look_at_store(w, &w->noted_store);
}

bool exec_store_is_same(struct world *w, bool same)
{
    uint64_t now = 0;
    return look_at_store(w, &now) &&
           ((now == w->noted_store) == same ||
            world_fail(
                w, NULL,
                same ? "its store was written to" : "its store is as it was",
                same ? "nothing is written" : "something is written", NULL));
}

bool exec_memory_below(struct world *w, const char *limit)
{
    uint64_t now = server_memory(w->server), most;
    if (!expr_number(w, limit, &most)) {
        return false;
    }
    return now < w->noted_bytes + most ||
           world_fail(w, NULL,
                      arena_printf("it takes %" PRIu64
                                   " bytes more than before",
                                   now - w->noted_bytes),
                      arena_printf("less than %" PRIu64, most), NULL);
}
