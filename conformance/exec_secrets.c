/* SPDX-License-Identifier: Apache-2.0 */
/* `server secrets`: what a server keeps in its directory, looked through for
 * what it must not keep. Of a roamd that the suite runs: others keep their
 * logs and stores where they like. */
#include <ftw.h>
#include <string.h>

#include "exec_server.h"

/* Bodies shorter than this may be in a log by chance. */
#define BODY_LEAST_BYTES 16u

/* nftw() hands nothing through. */
static struct search {
    struct world *w;
    bool saw_log, saw_user; /* it is the right place that is looked at */
} search;

static bool has(const char *data, size_t len, const void *what, size_t n)
{
    return n > 0 && memmem(data, len, what, n) != NULL;
}

static bool has_token(const struct world *w, const char *data, size_t len)
{
    for (size_t i = 0; i < w->secret_count; i++) {
        if (has(data, len, w->secrets[i], strlen(w->secrets[i]))) {
            return true;
        }
    }
    return false;
}

static bool has_body(const struct world *w, const char *data, size_t len)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        const struct value *body = &w->sent[i].body;
        if (body->len >= BODY_LEAST_BYTES &&
            has(data, len, body->data, body->len)) {
            return true;
        }
    }
    return false;
}

static bool check_log(struct world *w, const char *data, size_t len)
{
    search.saw_log = search.saw_log || len > 0;
    if (has_token(w, data, len) || has_body(w, data, len)) {
        return world_fail(w, "SEC-1", "a token or a body is in the log",
                          "neither, at any level", NULL);
    }
    return true;
}

static bool check_file(struct world *w, const char *path, const char *data,
                       size_t len)
{
    const char *user = w->users[0].name;
    search.saw_user = search.saw_user || has(data, len, user, strlen(user));
    return !has_token(w, data, len) ||
           world_fail(w, "SEC-2",
                      arena_printf("a token can be read in %s", path),
                      "nothing that a token can be read from", NULL);
}

static int look_at(const char *path, const struct stat *st, int flag,
                   struct FTW *ftw)
{
    size_t len = 0;
    (void)st;
    char *data = flag == FTW_F ? file_read(path, &len) : NULL;
    if (!data) {
        return 0;
    }
    bool ok = strcmp(path + ftw->base, "log") == 0
                  ? check_log(search.w, data, len)
                  : check_file(search.w, path, data, len);
    return ok ? 0 : 1;
}

bool exec_secrets(struct world *w)
{
    search = (struct search){.w = w};
    if (nftw(w->server->dir, look_at, 16, FTW_PHYS) != 0) {
        return false;
    }
    return (search.saw_log && search.saw_user) ||
           world_mistake(w, "there is no log, or no store, to look through");
}
