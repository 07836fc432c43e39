/* SPDX-License-Identifier: Apache-2.0 */
/* The kill matrix: see broken.h. */
#include "broken.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_role.h"
#include "peers.h"
#include "scn_lex.h"

/* A null peer's cases all end by this limit; it only has to be above the
 * time of an answer. */
#define NULL_TIMEOUT_MS 250u

struct fault {
    const char *name;
    const char *rule;
    const char *prefix; /* of the cases that show it */
};
struct faults {
    struct fault *at;
    size_t count, cap;
};

struct score {
    size_t passed, failed;
    struct kills kills;
};

static bool load_table(const char *path, const struct rules *rules,
                       struct faults *out)
{
    char *text = file_read(path, NULL);
    struct lines lines = {0};
    if (!text || lines_split(text, &lines)) {
        fprintf(stderr, "roam-conform: %s: %s\n", path, strerror(errno));
        return false;
    }
    for (size_t i = 0; i < lines.count; i++) {
        struct words w;
        words_split(lines.at[i].text, &w);
        if (w.count == 0) {
            continue;
        }
        if (w.count != 3 || !rules_find(rules, w.at[1])) {
            fprintf(stderr, "roam-conform: %s:%d: FAULT RULE CASES\n", path,
                    lines.at[i].number);
            return false;
        }
        arena_grow((void **)&out->at, out->count, &out->cap, sizeof *out->at);
        out->at[out->count++] = (struct fault){w.at[0], w.at[1], w.at[2]};
    }
    return out->count > 0;
}

static bool is_red(const struct result *r)
{
    return r->verdict == VERDICT_FAIL || r->verdict == VERDICT_WARN;
}

static const char *first_killer(const struct results *results, const char *rule)
{
    for (size_t i = 0; i < results->count; i++) {
        const struct result *r = &results->at[i];
        if (is_red(r) && rules_named(r->rules, rule)) {
            return r->s->id;
        }
    }
    return NULL;
}

static void print_row(struct score *score, bool ok, const char *name,
                      const char *rule, const char *text)
{
    printf("%-8s %-28s %-10s %s\n", ok ? "caught" : "SURVIVES", name, rule,
           text);
    fflush(stdout);
    score->passed += ok;
    score->failed += !ok;
}

/* What an honest client does not offer, it cannot break either. */
static bool is_missing(const struct run_options *o, const struct result *r)
{
    return r->verdict != VERDICT_PASS &&
           !(o->adapter && r->verdict == VERDICT_UNSUPPORTED);
}

static void show_failures(const struct results *results)
{
    for (size_t i = 0; i < results->count; i++) {
        const struct result *r = &results->at[i];
        if (r->verdict != VERDICT_PASS && r->verdict != VERDICT_UNSUPPORTED) {
            printf("         %s names %s\n", r->s->id,
                   *r->rules ? r->rules : "nothing");
        }
    }
}

/* Without a fault the same program must pass, or red proves nothing. */
static void run_baseline(const struct run_options *o,
                         const struct scenarios *all, const struct rules *rules,
                         struct score *score, struct results *out)
{
    struct results results = {0};
    struct run_options quiet = *o;
    quiet.quiet = true;
    unsetenv("ROAM_FAULT");
    bool ran = run_suite(&quiet, all, rules, &results);
    size_t red = 0;
    for (size_t i = 0; i < results.count; i++) {
        red += is_missing(o, &results.at[i]);
    }
    *out = results;
    bool ok = ran && red == 0;
    printf("%-8s %-28s %-10s %zu cases, %zu not passed\n", ok ? "green" : "RED",
           "(no fault)", "-", results.count, red);
    show_failures(&results);
    score->passed += ok;
    score->failed += !ok;
}

/* As the run without a fault, but of interest for its verdicts alone. */
static struct run_options quiet_options(const struct run_options *o)
{
    struct run_options quiet = *o;
    quiet.quiet = true;
    quiet.record = false;
    quiet.trace_dir = NULL;
    return quiet;
}

static void note_kill(struct score *score, const char *fault, const char *rule,
                      const char *killer, size_t red, size_t cases)
{
    struct kills *k = &score->kills;
    arena_grow((void **)&k->at, k->count, &k->cap, sizeof *k->at);
    k->at[k->count++] = (struct kill){.fault = fault,
                                      .rule = rule,
                                      .is_caught = killer != NULL,
                                      .by = killer,
                                      .red = red,
                                      .cases = cases};
}

static void run_fault(const struct run_options *o, const struct fault *f,
                      bool full, const struct scenarios *all,
                      const struct rules *rules, struct score *score)
{
    struct results results = {0};
    struct run_options quiet = quiet_options(o);
    quiet.prefix = full ? NULL : f->prefix;
    setenv("ROAM_FAULT", f->name, 1);
    bool ran = run_suite(&quiet, all, rules, &results);
    unsetenv("ROAM_FAULT");
    const char *killer = first_killer(&results, f->rule);
    size_t red = 0;
    for (size_t i = 0; i < results.count; i++) {
        red += is_red(&results.at[i]);
    }
    note_kill(score, f->name, f->rule, ran ? killer : NULL, red, results.count);
    print_row(score, ran && killer, f->name, f->rule,
              !ran     ? "no case selected"
              : killer ? arena_printf("%s (%zu of %zu cases red)", killer, red,
                                      results.count)
                       : "no failing check names the rule");
    if (!killer) {
        show_failures(&results);
    }
}

/* Not one case may be passed by a peer that is none. */
static void run_nobody(const struct run_options *quiet, const char *name,
                       const struct scenarios *all, const struct rules *rules,
                       struct score *score)
{
    struct results results = {0};
    run_suite(quiet, all, rules, &results);
    size_t passed = 0;
    const char *who = "";
    for (size_t i = 0; i < results.count; i++) {
        if (!is_red(&results.at[i])) {
            passed++;
            who = results.at[i].s->id;
        }
    }
    print_row(score, results.count > 0 && passed == 0, name, "-",
              arena_printf("%zu of %zu cases not red %s", passed, results.count,
                           who));
}

/* An adapter that is none passes no self-check; here it goes without. */
static void run_null_adapter(const struct run_options *o, const char *mode,
                             const struct scenarios *all,
                             const struct rules *rules, struct score *score)
{
    char *argv[] = {arena_string("/proc/self/exe"),
                    arena_string("null-adapter"), arena_string(mode), NULL};
    const struct adapter_target target = {.argv = argv};
    struct run_options quiet = quiet_options(o);
    const char *reason = NULL, *name = arena_printf("null adapter: %s", mode);
    quiet.adapter = &target;
    quiet.prefix = NULL;
    quiet.timeout_ms = NULL_TIMEOUT_MS;
    if (client_self_check(&quiet, rules, &reason)) {
        print_row(score, false, name, "-", "it passes the self-check");
        return;
    }
    run_nobody(&quiet, name, all, rules, score);
}

static void run_null(const struct run_options *o, const char *mode,
                     const struct scenarios *all, const struct rules *rules,
                     struct score *score)
{
    struct peer peer = {0};
    const char *reason = "";
    if (!null_peer_start(&peer, mode, &reason)) {
        print_row(score, false, mode, "-", reason);
        return;
    }
    struct run_options quiet = quiet_options(o);
    quiet.roamd = NULL;
    quiet.host = "127.0.0.1";
    quiet.port = peer.port;
    quiet.any_settings = true;
    quiet.prefix = NULL;
    quiet.timeout_ms = NULL_TIMEOUT_MS;
    run_nobody(&quiet, arena_printf("null server: %s", mode), all, rules,
               score);
    peer_stop(&peer);
}

static void run_all_null(const struct run_options *o,
                         const struct scenarios *all, const struct rules *rules,
                         struct score *score)
{
    const char *const *modes =
        o->adapter ? null_adapter_modes : null_peer_modes;
    for (size_t i = 0; modes[i] && !run_interrupted(); i++) {
        if (o->adapter) {
            run_null_adapter(o, modes[i], all, rules, score);
        } else {
            run_null(o, modes[i], all, rules, score);
        }
    }
}

bool broken_explain(const char *table, const struct rules *rules,
                    const char *id, const char *who)
{
    struct faults faults = {0};
    if (!load_table(table, rules, &faults)) {
        return false;
    }
    bool first = true;
    for (size_t i = 0; i < faults.count; i++) {
        if (strcmp(faults.at[i].rule, id) == 0) {
            if (first) {
                printf("\nbroken %s that must be caught:\n", who);
            }
            printf("  %s, by %s\n", faults.at[i].name, faults.at[i].prefix);
            first = false;
        }
    }
    return true;
}

int broken_run(const struct run_options *o, const char *table, const char *only,
               bool full, struct report_run *report)
{
    const struct scenarios *all = report->all;
    const struct rules *rules = report->rules;
    struct faults faults = {0};
    struct score score = {0};
    struct results *baseline = arena_alloc(sizeof *baseline);
    if (!load_table(table, rules, &faults)) {
        return EXIT_USAGE;
    }
    printf("%-8s %-28s %-10s %s\n", "verdict", "broken peer", "rule",
           "caught by");
    if (!only || o->record) {
        run_baseline(o, all, rules, &score, baseline);
        report->results = baseline;
    }
    for (size_t i = 0; i < faults.count && !run_interrupted(); i++) {
        if (!only || strcmp(only, faults.at[i].name) == 0) {
            run_fault(o, &faults.at[i], full, all, rules, &score);
        }
    }
    if (!only) {
        run_all_null(o, all, rules, &score);
    }
    struct kills *kills = arena_alloc(sizeof *kills);
    *kills = score.kills;
    report->kills = kills;
    fprintf(stderr, "%zu passed, %zu failed\n", score.passed, score.failed);
    if (run_interrupted()) {
        return EXIT_INCOMPLETE;
    }
    if (score.passed + score.failed == 0) {
        return EXIT_USAGE;
    }
    return score.failed ? EXIT_UNEXPECTED : EXIT_AS_EXPECTED;
}
