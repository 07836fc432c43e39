/* SPDX-License-Identifier: Apache-2.0 */
/* What a peer is known to fail: see expectations.h. */
#include "expectations.h"

#include <errno.h>
#include <string.h>

#include "report_text.h"
#include "scn_lex.h"

/* ---------------------------------------------------------------- reading */

/* The word at *at, which moves behind it: up to a space, or in quotes with
 * \ before a quote. NULL: there is none, or its quote has no end. */
static const char *next_word(const char **at)
{
    struct text t = {0};
    const char *p = *at + strspn(*at, " \t");
    bool quoted = *p == '"';
    if (!*p || *p == '#') {
        return NULL;
    }
    for (p += quoted; *p && (quoted ? *p != '"' : !strchr(" \t", *p)); p++) {
        p += quoted && p[0] == '\\' && p[1];
        text_add_bytes(&t, p, 1);
    }
    if (quoted && *p++ != '"') {
        return NULL;
    }
    *at = p;
    return arena_string(text_str(&t));
}

static const char *parse_entry(const char *text, struct expectation *out)
{
    const char *kind, *id;
    if (!(id = next_word(&text)) || !(kind = next_word(&text)) ||
        !(out->message = next_word(&text)) || !(out->url = next_word(&text)) ||
        next_word(&text)) {
        return "case[:RULE] fail|unsupported \"message\" URL";
    }
    const char *colon = strchr(id, ':');
    out->id = colon ? arena_copy(id, (size_t)(colon - id)) : id;
    out->rule = colon ? colon + 1 : NULL;
    out->is_unsupported = strcmp(kind, "unsupported") == 0;
    return out->is_unsupported || strcmp(kind, "fail") == 0
               ? NULL
               : "neither fail nor unsupported";
}

bool expectations_load(const char *path, struct expectations *out,
                       const char **error)
{
    struct text comments = {0};
    const char *text = file_read(path, NULL);
    int number = 0;
    out->path = path;
    if (!text) {
        *error = arena_printf("%s: %s", path, strerror(errno));
        return false;
    }
    while (*text) {
        size_t len = strcspn(text, "\n");
        const char *line = arena_copy(text, len);
        const char *first = line + strspn(line, " \t");
        struct expectation e = {.line = ++number};
        text += len + (text[len] == '\n');
        if (*first == '#' || !*first) {
            text_add(&comments, "%s\n", line);
            continue;
        }
        const char *reason = parse_entry(line, &e);
        if (reason) {
            *error = arena_printf("%s:%d: %s", path, number, reason);
            return false;
        }
        *(out->count ? &e.above : &out->head) = text_str(&comments);
        comments = (struct text){0};
        arena_grow((void **)&out->at, out->count, &out->cap, sizeof *out->at);
        out->at[out->count++] = e;
    }
    *(out->count ? &out->tail : &out->head) = text_str(&comments);
    return true;
}

/* ---------------------------------------------------------------- judging */

static bool is_met(const struct expectation *e, const struct result *r)
{
    bool kind = e->is_unsupported
                    ? r->verdict == VERDICT_UNSUPPORTED
                    : r->verdict == VERDICT_FAIL || r->verdict == VERDICT_WARN;
    return kind && (!e->rule || rules_named(r->rules, e->rule)) &&
           strncmp(text_utf8(r->what), e->message, strlen(e->message)) == 0;
}

static bool is_bad(enum verdict v)
{
    return v == VERDICT_FAIL || v == VERDICT_NOT_EXERCISED ||
           v == VERDICT_HARNESS;
}

void expectations_judge(struct expectations *e, struct result *r)
{
    r->standing =
        is_bad(r->verdict) ? STANDING_UNEXPECTED : STANDING_AS_EXPECTED;
    for (size_t i = 0; e && i < e->count; i++) {
        struct expectation *x = &e->at[i];
        if (strcmp(x->id, r->s->id) != 0) {
            continue;
        }
        x->is_run = true;
        r->expectation = r->standing == STANDING_KNOWN ? r->expectation : x;
        if (is_met(x, r)) {
            x->is_met = true;
            r->expectation = x;
            r->standing = STANDING_KNOWN;
        } else if (r->standing != STANDING_KNOWN) {
            r->standing = r->verdict == VERDICT_PASS ? STANDING_UNEXPECTED_PASS
                                                     : STANDING_UNEXPECTED;
        }
    }
}

const char *expectations_stale(const struct expectation *e,
                               const struct scenarios *all)
{
    bool exists = false;
    for (size_t i = 0; i < all->count; i++) {
        exists = exists || strcmp(all->at[i]->id, e->id) == 0;
    }
    if (!exists) {
        return "no such case";
    }
    return e->is_run && !e->is_met ? "the case did not end so" : NULL;
}

/* --------------------------------------------------------------- updating */

static const char *or_nothing(const char *s)
{
    return s ? s : "";
}

static void add_entry(struct text *t, const struct expectation *e)
{
    text_add(t, "%s%s%s%s  %s  \"", or_nothing(e->above), e->id,
             e->rule ? ":" : "", e->rule ? e->rule : "",
             e->is_unsupported ? "unsupported" : "fail");
    for (const char *p = e->message; *p; p++) {
        text_add(t, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
    }
    text_add(t, "\"  %s\n", e->url);
}

bool expectations_update(const struct expectations *e,
                         const struct results *results,
                         struct expectations_change *out, const char **error)
{
    struct text t = {0};
    *out = (struct expectations_change){0};
    text_add(&t, "%s", or_nothing(e->head));
    for (size_t i = 0; i < e->count; i++) {
        if (e->at[i].is_met) {
            add_entry(&t, &e->at[i]);
            out->kept++;
        }
    }
    out->gone = e->count - out->kept;
    text_add(&t, "%s", or_nothing(e->tail));
    for (size_t i = 0; i < results->count; i++) {
        const struct result *r = &results->at[i];
        if (r->verdict == VERDICT_FAIL && r->standing != STANDING_KNOWN) {
            const char *what = text_utf8(r->what);
            struct words rules;
            words_split(r->rules, &rules);
            add_entry(&t, &(struct expectation){
                              .id = r->s->id,
                              .rule = rules.count == 1 ? rules.at[0] : NULL,
                              .message = arena_copy(what, strcspn(what, "\n")),
                              .url = "-"});
            out->added++;
        }
    }
    return file_write(e->path, text_str(&t), t.len, error);
}
