/* SPDX-License-Identifier: Apache-2.0 */
/* What a run leaves: see outputs.h. */
#include "outputs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "report_text.h"
#include "seeds.h"

static const char *time_text(void)
{
    char text[32];
    struct tm tm;
    time_t now = time(NULL);
    gmtime_r(&now, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return arena_string(text);
}

static int fail(const char *reason)
{
    fprintf(stderr, "roam-conform: %s\n", reason);
    return EXIT_USAGE;
}

/* Nobody wants to learn of a wrong path behind a long run. */
static bool can_write(const char *path)
{
    FILE *f = path ? fopen(path, "abe") : NULL;
    if (path && !f) {
        fail(arena_printf("%s: %s", path, strerror(errno)));
        return false;
    }
    return !f || fclose(f) == 0;
}

int outputs_begin(struct outputs *o, struct run_options *run)
{
    const char *reason = "";
    o->start_ms = now_ms();
    o->started = time_text();
    run->record = o->junit || o->json || o->html || o->coverage;
    if ((run->trace_dir && !seeds_make_dir(run->trace_dir, &reason)) ||
        (run->dump_seeds && !seeds_make_dir(run->dump_seeds, &reason))) {
        return fail(reason);
    }
    if (!can_write(o->junit) || !can_write(o->json) || !can_write(o->html) ||
        !can_write(o->coverage)) {
        return EXIT_HARNESS;
    }
    if (!o->expectations) {
        return o->update ? fail("--update-expectations needs --expectations")
                         : EXIT_AS_EXPECTED;
    }
    if (o->update && (run->prefix || run->rounds > 1 || run->until_failure)) {
        return fail("--update-expectations needs a full run");
    }
    bool is_new = o->update && access(o->expectations, F_OK) != 0;
    o->loaded.path = o->expectations;
    if (!is_new && !expectations_load(o->expectations, &o->loaded, &reason)) {
        return fail(reason);
    }
    run->expectations = &o->loaded;
    return EXIT_AS_EXPECTED;
}

static bool write_one(const char *path, const char *content)
{
    const char *reason = "";
    if (!path || file_write(path, content, strlen(content), &reason)) {
        return true;
    }
    fail(reason);
    return false;
}

static bool write_html(const struct outputs *o, const struct report_run *r)
{
    const char *reason = "";
    const char *page = o->html ? report_html(r, o->html_dir, &reason) : "";
    if (!page) {
        fail(reason);
        return false;
    }
    return write_one(o->html, page);
}

static const char *coverage_of(const struct report_run *r)
{
    struct coverage c = {0};
    coverage_collect(r->rules, r->role, r->results, r->kills, &c);
    return coverage_table(&c);
}

int outputs_write(const struct outputs *o, const struct report_run *r)
{
    bool ok = write_one(o->junit, o->junit ? report_junit(r) : "");
    ok = write_one(o->json, o->json ? report_json(r) : "") && ok;
    ok = write_html(o, r) && ok;
    ok = write_one(o->coverage, o->coverage ? coverage_of(r) : "") && ok;
    return ok ? r->exit : EXIT_HARNESS;
}

/* Entries that say what did not happen. */
static size_t print_stale(const struct outputs *o, const struct scenarios *all)
{
    size_t count = 0;
    for (size_t i = 0; i < o->loaded.count; i++) {
        const struct expectation *e = &o->loaded.at[i];
        const char *why = expectations_stale(e, all);
        if (why) {
            fprintf(stderr, "roam-conform: %s:%d: stale: %s%s%s: %s\n",
                    o->loaded.path, e->line, e->id, e->rule ? ":" : "",
                    e->rule ? e->rule : "", why);
            count++;
        }
    }
    return count;
}

static bool is_unexpected(const struct result *r)
{
    return r->standing == STANDING_UNEXPECTED ||
           r->standing == STANDING_UNEXPECTED_PASS;
}

/* Of a repeated run: how often each case failed that ever did. */
static void print_rates(const struct results *results)
{
    for (size_t i = 0; i < results->count; i++) {
        const struct result *first = &results->at[i];
        size_t rounds = 0, failed = 0;
        for (size_t k = 0; k < results->count && first->round == 0; k++) {
            const struct result *r = &results->at[k];
            bool same = r->s == first->s;
            rounds += same;
            failed += same && is_unexpected(r);
        }
        if (failed > 0) {
            fprintf(stderr, "roam-conform: %s failed %zu times of %zu\n",
                    first->s->id, failed, rounds);
        }
    }
}

static int exit_code(const struct tally *t, size_t stale, bool is_complete)
{
    if (!is_complete) {
        return EXIT_INCOMPLETE;
    }
    if (t->of[VERDICT_HARNESS]) {
        return EXIT_HARNESS;
    }
    return t->unexpected || stale ? EXIT_UNEXPECTED : EXIT_AS_EXPECTED;
}

/* Writes the file of expectations anew, where this run may, and says so. Exit
 * code: no entry excuses what did not run or checked nothing. */
static int update(const struct outputs *o, const struct results *results,
                  const struct tally *t, bool is_complete)
{
    const char *reason = "";
    struct expectations_change c;
    if (!is_complete || t->of[VERDICT_HARNESS]) {
        fprintf(stderr, "roam-conform: %s is as it was: the run %s\n",
                o->expectations,
                is_complete ? "has a mistake of the harness"
                            : "was interrupted");
        return exit_code(t, 0, is_complete);
    }
    if (!expectations_update(&o->loaded, results, &c, &reason)) {
        return fail(reason);
    }
    fprintf(stderr, "roam-conform: %s: %zu kept, %zu taken out, %zu added\n",
            o->expectations, c.kept, c.gone, c.added);
    return t->of[VERDICT_NOT_EXERCISED] ? EXIT_UNEXPECTED : EXIT_AS_EXPECTED;
}

int outputs_end(struct outputs *o, const struct run_options *run,
                struct report_run *report, bool is_complete)
{
    struct tally t = {0};
    for (size_t i = 0; i < report->results->count; i++) {
        report_count(&t, &report->results->at[i]);
    }
    report->seed = run->seed;
    report->started = o->started;
    report->ms = now_ms() - o->start_ms;
    report->is_complete = is_complete;
    report->expectations = &o->loaded;
    if (o->update) {
        report->exit = update(o, report->results, &t, is_complete);
    } else {
        size_t stale = print_stale(o, report->all);
        report->exit = exit_code(&t, stale, is_complete);
    }
    if (run->rounds > 1) {
        print_rates(report->results);
    }
    int status = outputs_write(o, report);
    report_summary(&t);
    return status;
}
