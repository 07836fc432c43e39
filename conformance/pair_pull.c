/* SPDX-License-Identifier: Apache-2.0 */
/* The verb `pull` of the role pair: a program that fetches all of its
 * history, the conversations first, then each down to its end. */
#include <inttypes.h>
#include <string.h>

#include "pair_case.h"

/* One page of conversations is all that a case has. */
#define LIST_ROWS 100u
#define PAGE_ROWS 10u

struct fetched {
    const char **conversations;
    size_t count, cap;
    uint64_t lowest; /* msg_id of the page */
    bool more;
};

static json_t *page_event(struct sut *s, uint64_t ref, bool *failed)
{
    for (size_t i = 0; i < s->adapter->judged; i++) {
        json_t *e = s->adapter->events[i].json;
        const char *name = json_text(e, "event");
        uint64_t n;
        bool ends = strcmp(name, "page") == 0 || strcmp(name, "failed") == 0;
        if (ends && strcmp(json_text(e, "handle"), s->handle) == 0 &&
            json_u64(e, "ref", &n) && n == ref) {
            *failed = strcmp(name, "failed") == 0;
            return e;
        }
    }
    return NULL;
}

static void take_row(struct fetched *f, const json_t *row)
{
    uint64_t id = 0;
    json_u64(row, "msg_id", &id);
    f->lowest = id < f->lowest ? id : f->lowest;
    arena_grow((void **)&f->conversations, f->count, &f->cap,
               sizeof *f->conversations);
    f->conversations[f->count++] = json_text(row, "conversation");
}

/* Rows come before their page. */
static void take_rows(struct sut *s, size_t from, struct fetched *f)
{
    for (size_t i = from; i < s->adapter->judged; i++) {
        const json_t *e = s->adapter->events[i].json;
        if (strcmp(json_text(e, "event"), "page-row") == 0 &&
            strcmp(json_text(e, "handle"), s->handle) == 0) {
            take_row(f, e);
        }
    }
}

static bool fetch(struct stage *g, struct sut *s, json_t *request,
                  struct fetched *f)
{
    size_t from = s->adapter->event_count;
    json_t *answer = adapter_tell(g, s, "history", request), *page = NULL;
    uint64_t ref, deadline = now_ms() + g->world.timeout_ms;
    bool failed = false;
    if (!answer || !json_u64(answer, "ref", &ref) || !verb_settle(g, s)) {
        return false;
    }
    while (!(page = page_event(s, ref, &failed))) {
        if (!pair_pump(g, deadline) && now_ms() >= deadline) {
            relay_accuse(g, NULL);
            return world_fail(&g->world, NULL, "a page does not come",
                              "HISTORY_PAGE or CONVERSATION_PAGE", NULL);
        }
        if (g->world.failure.happened) {
            return false;
        }
    }
    if (failed) {
        relay_accuse(g, NULL);
        return world_fail(&g->world, NULL, "a page is refused", "the page",
                          NULL);
    }
    take_rows(s, from, f);
    f->more = json_is_true(json_object_get(page, "more"));
    return true;
}

static json_t *request_for(const char *conversation, uint64_t before)
{
    json_t *r = json_object();
    json_object_set_new(r, "list", json_boolean(!conversation));
    if (conversation) {
        json_object_set_new(r, "conversation", json_string(conversation));
    }
    if (before) {
        json_set_u64(r, "before", before);
    }
    json_set_u64(r, "max_rows", conversation ? PAGE_ROWS : LIST_ROWS);
    return r;
}

static bool pull_conversation(struct stage *g, struct sut *s, const char *name)
{
    struct fetched f = {.lowest = UINT64_MAX};
    do {
        uint64_t before = f.lowest == UINT64_MAX ? 0 : f.lowest;
        if (!fetch(g, s, request_for(name, before), &f)) {
            return false;
        }
        if (f.more && f.lowest == (before ? before : UINT64_MAX)) {
            relay_accuse(g, NULL);
            return world_fail(&g->world, "HIST-4",
                              "a page is empty while there is more",
                              "rows as long as there are some", NULL);
        }
    } while (f.more);
    return true;
}

bool pair_pull(struct stage *g, struct sut *s)
{
    struct fetched list = {.lowest = UINT64_MAX};
    if (!fetch(g, s, request_for(NULL, 0), &list)) {
        return false;
    }
    if (list.more) {
        return world_mistake(&g->world, "pull is for a few conversations");
    }
    for (size_t i = 0; i < list.count; i++) {
        if (!pull_conversation(g, s, list.conversations[i])) {
            return false;
        }
    }
    view_filled(s);
    return true;
}
