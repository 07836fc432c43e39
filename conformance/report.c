/* SPDX-License-Identifier: Apache-2.0 */
/* TAP and diagnoses: see report.h. */
#include "report.h"

#include <stdio.h>
#include <string.h>

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

const char *report_failure(const struct world *w, const struct rules *rules,
                           const char *repeat)
{
    const struct failure *f = &w->failure;
    struct text t = {0};
    text_add(&t, "at: %s:%d\n", w->s->path,
             f->step ? f->step->line : w->s->last_line);
    text_add(&t, "step: %s\n",
             f->step ? f->step->text : "(behind the last step)");
    text_add(&t, "%s: %s\n", f->is_harness ? "mistake" : "failed", f->what);
    if (!f->is_harness) {
        text_add(&t, "rules: %s\n", f->rules);
        add_sentences(&t, f->rules, rules);
    }
    if (f->legal) {
        text_add(&t, "legal:\n");
        text_add_indented(&t, "  ", f->legal);
    }
    if (f->got) {
        text_add(&t, "got:\n");
        text_add_indented(&t, "  ", f->got);
    }
    add_events(&t, w);
    text_add(&t, "repeat: %s\n", repeat);
    return text_str(&t);
}

void report_plan(size_t count)
{
    printf("TAP version 14\n1..%zu\n", count);
}

/* The diagnosis as one literal block of YAML, which TAP 14 asks for. */
static void print_detail(const char *detail)
{
    struct text t = {0};
    text_add_indented(&t, "    ", detail);
    printf("  ---\n  detail: |\n%s  ...\n", text_str(&t));
}

void report_result(size_t number, const struct result *r)
{
    const char *id = r->s->id;
    switch (r->verdict) {
    case VERDICT_PASS:
        printf("ok %zu - %s\n", number, id);
        break;
    case VERDICT_UNSUPPORTED:
        printf("ok %zu - %s # SKIP %s\n", number, id, r->detail);
        break;
    case VERDICT_WARN:
        printf("not ok %zu - %s # TODO a SHOULD\n", number, id);
        print_detail(r->detail);
        break;
    case VERDICT_FAIL:
    case VERDICT_HARNESS:
        printf("not ok %zu - %s\n", number, id);
        print_detail(r->detail);
        break;
    }
    fflush(stdout);
}

void report_count(struct tally *t, const struct result *r)
{
    switch (r->verdict) {
    case VERDICT_PASS:
        t->passed++;
        break;
    case VERDICT_FAIL:
        t->failed++;
        break;
    case VERDICT_WARN:
        t->warned++;
        break;
    case VERDICT_UNSUPPORTED:
        t->unsupported++;
        break;
    case VERDICT_HARNESS:
        t->harness++;
        break;
    }
}

void report_summary(const struct tally *t)
{
    if (t->warned) {
        fprintf(stderr, "%zu warned, ", t->warned);
    }
    if (t->unsupported) {
        fprintf(stderr, "%zu unsupported, ", t->unsupported);
    }
    if (t->harness) {
        fprintf(stderr, "%zu mistakes of the harness, ", t->harness);
    }
    fprintf(stderr, "%zu passed, %zu failed\n", t->passed, t->failed);
}
