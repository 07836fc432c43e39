/* SPDX-License-Identifier: Apache-2.0 */
/* The spec's rules: see rules.h. */
#include "rules.h"

#include <errno.h>
#include <string.h>

#include "scn_lex.h"
#include "text.h"

const struct rule *rules_find(const struct rules *rules, const char *id)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (strcmp(rules->at[i].id, id) == 0) {
            return &rules->at[i];
        }
    }
    return NULL;
}

bool rules_named(const char *ids, const char *id)
{
    struct words w;
    words_split(ids, &w);
    for (size_t i = 0; i < w.count; i++) {
        if (strcmp(w.at[i], id) == 0) {
            return true;
        }
    }
    return false;
}

/* A paragraph ends at an empty line. */
static const char *paragraph_end(const char *s)
{
    const char *end = strstr(s, "\n\n");
    return end ? end : s + strlen(s);
}

static bool add_rule(struct rules *out, const char *start, const char *id_end,
                     const char *end)
{
    const char *text = id_end + strlen("]**");
    while (*text == ' ' || *text == '\n') {
        text++;
    }
    struct rule r = {.id = arena_copy(start, (size_t)(id_end - start)),
                     .text = arena_copy(text, (size_t)(end - text))};
    r.binds_server = strncmp(r.text, "A server", 8) == 0 ||
                     strncmp(r.text, "A peer", 6) == 0;
    r.binds_client = strncmp(r.text, "A client", 8) == 0 ||
                     strncmp(r.text, "A peer", 6) == 0;
    r.level = strstr(r.text, "MUST")     ? "MUST"
              : strstr(r.text, "SHOULD") ? "SHOULD"
                                         : "MAY";
    if (rules_find(out, r.id)) {
        return false;
    }
    arena_grow((void **)&out->at, out->count, &out->cap, sizeof *out->at);
    out->at[out->count++] = r;
    return true;
}

/* How far the text was read. */
struct place {
    const char *at;
    int line;
    const char *heading; /* the last one, or "" */
};

/* Reads on to `end`; where that is, the rule stands. */
static void place_rule(struct rule *r, struct place *p, const char *end)
{
    for (; p->at < end; p->at++) {
        if (*p->at == '\n') {
            p->line++;
            p->heading = p->at[1] == '#' ? p->at + 1 : p->heading;
        }
    }
    const char *title = p->heading + strspn(p->heading, "# ");
    r->line = p->line;
    r->section = arena_copy(title, strcspn(title, "\n"));
}

bool rules_load(const char *path, struct rules *out, const char **error)
{
    char *text = file_read(path, NULL);
    if (!text) {
        *error = arena_printf("%s: %s", path, strerror(errno));
        return false;
    }
    struct place place = {.at = text, .line = 1, .heading = ""};
    for (char *at = text; (at = strstr(at, "\n**[")) != NULL;) {
        char *start = at + strlen("\n**[");
        char *id_end = strstr(start, "]**");
        if (!id_end) {
            break;
        }
        const char *end = paragraph_end(id_end);
        if (!add_rule(out, start, id_end, end)) {
            *error = arena_printf("%s: rule %.*s is there twice", path,
                                  (int)(id_end - start), start);
            return false;
        }
        place_rule(&out->at[out->count - 1], &place, start);
        at = id_end;
    }
    *error = arena_printf("%s: no rules", path);
    return out->count > 0;
}
