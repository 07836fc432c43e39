/* SPDX-License-Identifier: Apache-2.0 */
/* Golden files of the reports: one run that has every verdict and standing,
 * written in each format. Some cases really run, against scripted peers;
 * the verdicts that no peer can bring about are made here, and so is what
 * a hostile peer might have said. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "expectations.h"
#include "report_model.h"
#include "report_text.h"
#include "selftest.h"

/* Control characters, markup, a lone continuation byte, a cut sequence. */
#define HOSTILE "a\x01\x1b[31m <b>&\"'</script> \x80 \xe2\x82 ]]> z"

static const char *const real_cases[] = {"pass", "other-value", "should",
                                         "mistake", "not-decodable"};
#define REAL_COUNT (sizeof real_cases / sizeof real_cases[0])

static const struct result made[] = {
    {.verdict = VERDICT_UNSUPPORTED,
     .rules = "",
     .what = "needs a server that the suite starts (--roamd)",
     .detail = "needs a server that the suite starts (--roamd)"},
    {.verdict = VERDICT_NOT_EXERCISED,
     .rules = "",
     .what = "it did not run",
     .detail = "it did not run"},
    {.verdict = VERDICT_FAIL,
     .rules = "LOGIN-5",
     .what = HOSTILE,
     .detail = "failed: " HOSTILE "\nsecond line\n"},
    {.verdict = VERDICT_FAIL,
     .rules = "LOGIN-5",
     .what = "LOGIN_OK came instead",
     .detail = "failed: LOGIN_OK came instead\n"},
    {.verdict = VERDICT_PASS, .rules = "", .what = "", .detail = ""},
};
#define MADE_COUNT (sizeof made / sizeof made[0])

static const struct scenario made_scenarios[MADE_COUNT] = {
    {.id = "90-made/unsupported", .path = "unsupported.scn", .title = "U."},
    {.id = "90-made/not-exercised", .path = "not-run.scn", .title = "N."},
    {.id = "90-made/hostile", .path = "hostile.scn", .title = HOSTILE},
    {.id = "90-made/known", .path = "known.scn", .title = "K."},
    {.id = "90-made/repaired", .path = "repaired.scn", .title = "R."},
};

static struct expectation known[] = {
    {.id = "90-made/known",
     .rule = "LOGIN-5",
     .message = "LOGIN_OK came",
     .url = "https://example.org/1",
     .line = 1},
    {.id = "90-made/repaired",
     .message = "",
     .url = "https://example.org/2",
     .line = 2},
    {.id = "90-made/gone", .message = "", .url = "-", .line = 3},
};

static const struct kill kill_list[] = {
    {"no-kick", "LOGIN-5", true, "other-value", 2, 5},
    {"echo", "BATCH-6", false, NULL, 0, 5},
};

const size_t selftest_report_count = 5;

static const struct scenario *find_case(const struct scenarios *all,
                                        const char *id)
{
    size_t i = 0;
    while (strcmp(all->at[i]->id, id) != 0) {
        i++;
    }
    return all->at[i];
}

static void collect(const struct selftest *t, const struct scenarios *all,
                    const char *trace_dir, struct expectations *e,
                    struct results *out)
{
    out->count = REAL_COUNT + MADE_COUNT;
    out->at = arena_alloc(out->count * sizeof *out->at);
    for (size_t i = 0; i < out->count; i++) {
        struct result *r = &out->at[i];
        if (i < REAL_COUNT) {
            *r = selftest_case(t->dir, find_case(all, real_cases[i]), t->rules,
                               trace_dir);
        } else {
            *r = made[i - REAL_COUNT];
            r->s = &made_scenarios[i - REAL_COUNT];
        }
        expectations_judge(e, r);
    }
}

static const char *tap_of(const struct results *results)
{
    struct text t = {0};
    for (size_t i = 0; i < results->count; i++) {
        text_add(&t, "%s", report_tap(i + 1, &results->at[i], 1));
    }
    return text_str(&t);
}

/* The data of the page, but what roam.proto has; a line an object, so that
 * differences can be read. */
static const char *html_of(const struct report_run *run)
{
    const char *data = report_html_data(run);
    const char *end = strstr(data, "\"schema\":");
    struct text t = {0};
    for (const char *p = data; p < end; p++) {
        text_add_bytes(&t, p, 1);
        if (p[0] == ',' && p > data && p[-1] == '}') {
            text_add(&t, "\n");
        }
    }
    return text_str(&t);
}

static const char *trace_of(const char *dir, const char *name)
{
    const char *text = file_read(arena_printf("%s/%s.txt", dir, name), NULL);
    return text ? text : "(no file)\n";
}

/* A capture holds bytes; golden is its length and its text. */
static void remove_traces(const char *dir)
{
    for (size_t i = 0; i < REAL_COUNT; i++) {
        unlink(arena_printf("%s/%s.txt", dir, real_cases[i]));
        unlink(arena_printf("%s/%s.pcapng", dir, real_cases[i]));
    }
    rmdir(dir);
}

void selftest_reports(struct selftest *t, const struct scenarios *all)
{
    char *trace_dir = arena_string("/tmp/roam-conform-XXXXXX");
    struct expectations e = {.path = "known", .at = known, .count = 3};
    struct results results = {0};
    struct kills kills = {.at = arena_alloc(sizeof kill_list), .count = 2};
    memcpy(kills.at, kill_list, sizeof kill_list);
    if (!mkdtemp(trace_dir)) {
        trace_dir = arena_string(".");
    }
    collect(t, all, trace_dir, &e, &results);
    struct report_run run = {.role = ROLE_SERVER,
                             .peer = "a scripted peer",
                             .seed = UINT64_MAX,
                             .started = "2026-01-02T03:04:05Z",
                             .ms = 1234,
                             .is_complete = true,
                             .exit = EXIT_UNEXPECTED,
                             .rules = t->rules,
                             .all = all,
                             .results = &results,
                             .kills = &kills,
                             .expectations = &e};
    selftest_check(t, "report.tap", tap_of(&results));
    selftest_check(t, "report.xml", report_junit(&run));
    selftest_check(t, "report.json", report_json(&run));
    selftest_check(t, "report.trace", trace_of(trace_dir, "other-value"));
    selftest_check(t, "report.html", html_of(&run));
    remove_traces(trace_dir);
}
