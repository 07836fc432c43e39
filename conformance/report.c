/* SPDX-License-Identifier: Apache-2.0 */
/* TAP and diagnoses: see report.h. */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "expectations.h"
#include "expr.h"
#include "report_text.h"
#include "scn_lex.h"

/* The last events of all devices; enough for the way to a failure. */
#define EVENTS_SHOWN 16u

static void add_sentences(struct text *t, const char *ids,
                          const struct rules *rules)
{
    struct words w;
    words_split(ids, &w);
    for (size_t i = 0; i < w.count; i++) {
        const struct rule *r = rules_find(rules, w.at[i]);
        text_add(t, "  %s\n", w.at[i]);
        text_add_indented(t, "    ", r ? r->text : "(not in the spec)");
    }
}

static void add_events(struct text *t, const struct world *w)
{
    size_t from =
        w->event_count > EVENTS_SHOWN ? w->event_count - EVENTS_SHOWN : 0;
    text_add(t, "last events:\n");
    for (size_t i = from; i < w->event_count; i++) {
        text_add(t, "  %s\n", w->events[i]);
    }
}

/* A name of the scenario language, `$a.next_ms`, at the start of s: its length.
 */
static size_t variable_at(const char *s)
{
    size_t n = strspn(s + 1, "abcdefghijklmnopqrstuvwxyz0123456789_.") + 1;
    return *s == '$' && n > 1 ? n - (s[n - 1] == '.') : 0;
}

/* What the variables are that were spoken of. Texts may be secret. */
static void add_values(struct text *t, const struct world *w, const char *said)
{
    struct text names = {0};
    for (const char *at = said; (at = strchr(at, '$')) != NULL; at++) {
        const char *name = arena_copy(at, variable_at(at));
        const char *once = arena_printf(" %s ", name);
        const struct value *v = var_find(w, name);
        if (!v || v->kind != VALUE_NUMBER || strstr(text_str(&names), once)) {
            continue;
        }
        text_add(&names, "%s", once);
        text_add(t, "  %s is %" PRIu64 "%s\n", name, v->number,
                 v->number == UINT64_MAX && strstr(name, ".next_ms") ? ": never"
                                                                     : "");
    }
}

const char *report_failure(const struct world *w, const struct rules *rules,
                           const char *repeat)
{
    const struct failure *f = &w->failure;
    struct text t = {0};
    text_add(&t, "about: %s\n", w->s->title);
    text_add(&t, "at: %s:%d\n", w->s->path,
             f->step ? f->step->line : w->s->last_line);
    text_add(&t, "step: %s\n",
             f->step ? f->step->text : "(behind the last step)");
    text_add(&t, "%s: %s\n", f->is_harness ? "mistake" : "failed", f->what);
    if (f->blame) {
        text_add(&t, "blame: %s\n", f->blame);
    }
    if (!f->is_harness && *f->rules) {
        text_add(&t, "rules: %s\n", f->rules);
        add_sentences(&t, f->rules, rules);
    }
    if (f->legal) {
        text_add(&t, "legal:\n");
        text_add_indented(&t, "  ", f->legal);
    }
    add_values(&t, w, arena_printf("%s %s", f->what, f->legal ? f->legal : ""));
    if (f->got) {
        text_add(&t, "got:\n");
        text_add_indented(&t, "  ", f->got);
    }
    add_events(&t, w);
    text_add(&t, "repeat: %s\n", repeat);
    return text_str(&t);
}

const char *verdict_name(enum verdict v)
{
    static const char *const names[VERDICT_COUNT] = {
        [VERDICT_PASS] = "pass",
        [VERDICT_FAIL] = "fail",
        [VERDICT_WARN] = "warn",
        [VERDICT_UNSUPPORTED] = "unsupported",
        [VERDICT_NOT_EXERCISED] = "not-exercised",
        [VERDICT_HARNESS] = "harness-error"};
    return names[v];
}

void report_version(void)
{
    printf("TAP version 14\n");
}

void report_plan(size_t count)
{
    printf("1..%zu\n", count);
    fflush(stdout);
}

/* The diagnosis as one literal block of YAML, which TAP 14 asks for. */
static void add_detail(struct text *t, const struct result *r,
                       const char *detail)
{
    text_add(t, "  ---\n  verdict: %s\n  detail: |\n",
             verdict_name(r->verdict));
    text_add_indented(t, "    ", text_plain(detail));
    text_add(t, "  ...\n");
}

static const char *directive(const struct result *r)
{
    bool known = r->standing == STANDING_KNOWN;
    if (r->verdict == VERDICT_UNSUPPORTED &&
        r->standing != STANDING_UNEXPECTED) {
        /* Not TODO: an `ok` with that is a surprise to who reads TAP. */
        const char *detail = text_plain(r->detail);
        return arena_printf(" # SKIP %.*s%s%s", (int)strcspn(detail, "\n"),
                            detail, known ? "; known: " : "",
                            known ? r->expectation->url : "");
    }
    if (known) {
        return arena_printf(" # TODO known: %s", r->expectation->url);
    }
    return r->verdict == VERDICT_WARN ? " # TODO a SHOULD" : "";
}

const char *report_tap(size_t number, const struct result *r, size_t rounds)
{
    struct text t = {0};
    bool passes =
        r->verdict == VERDICT_PASS && r->standing != STANDING_UNEXPECTED_PASS;
    bool skipped =
        r->verdict == VERDICT_UNSUPPORTED && r->standing != STANDING_UNEXPECTED;
    text_add(&t, "%s %zu - %s", passes || skipped ? "ok" : "not ok", number,
             r->s->id);
    if (rounds > 1) {
        text_add(&t, " (round %zu)", r->round + 1);
    }
    text_add(&t, "%s\n", directive(r));
    if (r->standing == STANDING_UNEXPECTED_PASS) {
        add_detail(&t, r,
                   arena_printf("it passes; line %d of the expectations "
                                "has it as known to fail",
                                r->expectation->line));
    } else if (!passes && !skipped) {
        add_detail(&t, r, r->detail);
    }
    return text_str(&t);
}

void report_result(size_t number, const struct result *r, size_t rounds)
{
    fputs(report_tap(number, r, rounds), stdout);
    fflush(stdout);
}

void report_count(struct tally *t, const struct result *r)
{
    t->of[r->verdict]++;
    t->known += r->standing == STANDING_KNOWN;
    t->unexpected += r->standing == STANDING_UNEXPECTED ||
                     r->standing == STANDING_UNEXPECTED_PASS;
}

static void print_some(size_t count, const char *what)
{
    if (count > 0) {
        fprintf(stderr, "%zu %s, ", count, what);
    }
}

/* Behind the words, for whoever only counts: what is as expected, and what
 * is not. */
void report_summary(const struct tally *t)
{
    print_some(t->of[VERDICT_WARN], "warned");
    print_some(t->of[VERDICT_UNSUPPORTED], "unsupported");
    print_some(t->of[VERDICT_NOT_EXERCISED], "not exercised");
    print_some(t->of[VERDICT_HARNESS], "mistakes of the harness");
    print_some(t->known, "known to fail");
    fprintf(stderr, "%zu passed, %zu failed\n", t->of[VERDICT_PASS],
            t->unexpected);
}
