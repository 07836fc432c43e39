/* SPDX-License-Identifier: Apache-2.0 */
/* Golden tests of the harness: see selftest.h. */
#include "selftest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peers.h"
#include "report_text.h"

/* With one seed names and random numbers are the same in every run. */
#define GOLDEN_SEED 1u
/* Nothing waits for this one: it ends a case that hangs. */
#define GOLDEN_TIMEOUT_MS 60000u
/* These are about the limit, and wait for it. */
#define SHORT_TIMEOUT_MS 1000u
static const char *const short_cases[] = {"head-not-reached", "no-answer",
                                          "stays-open", "fence-silent"};

static uint64_t timeout_of(const struct scenario *s)
{
    for (size_t i = 0; i < sizeof short_cases / sizeof short_cases[0]; i++) {
        if (strcmp(s->id, short_cases[i]) == 0) {
            return SHORT_TIMEOUT_MS;
        }
    }
    return GOLDEN_TIMEOUT_MS;
}

struct result selftest_case(const char *dir, const struct scenario *s,
                            const struct rules *rules, const char *trace_dir)
{
    struct peer peer = {0};
    struct result r = {.s = s, .verdict = VERDICT_HARNESS, .rules = ""};
    if (!fake_peer_start(&peer, arena_printf("%s/%s.peer", dir, s->id), s,
                         GOLDEN_SEED, &r.detail)) {
        r.what = r.detail;
        return r;
    }
    const struct run_options o = {.seed = GOLDEN_SEED,
                                  .nonce = "",
                                  .timeout_ms = timeout_of(s),
                                  .record = true,
                                  .timeless = true,
                                  .trace_dir = trace_dir,
                                  .command = "roam-conform server",
                                  .target = ""};
    struct server server = {.host = "127.0.0.1", .port = peer.port};
    r = run_case(&o, s, &server, rules);
    peer_stop(&peer);
    return r;
}

static const char *run_golden(const char *dir, const struct scenario *s,
                              const struct rules *rules)
{
    struct result r = selftest_case(dir, s, rules, NULL);
    return arena_printf("verdict: %s\n%s", verdict_name(r.verdict), r.detail);
}

/* The path of the scenario as given depends on where the folder is. */
static const char *without_dir(const char *text, const char *dir)
{
    struct text out = {0};
    const char *prefix = arena_printf("%s/", dir);
    for (const char *at; (at = strstr(text, prefix)) != NULL;) {
        text_add_bytes(&out, text, (size_t)(at - text));
        text = at + strlen(prefix);
    }
    text_add(&out, "%s", text);
    return text_str(&out);
}

static bool check_golden(const char *dir, const char *name, const char *got,
                         bool update)
{
    const char *path = arena_printf("%s/%s.expected", dir, name);
    got = without_dir(got, dir);
    if (update) {
        const char *reason = "";
        return file_write(path, got, strlen(got), &reason);
    }
    const char *want = file_read(path, NULL);
    if (want && strcmp(want, got) == 0) {
        return true;
    }
    struct text t = {0};
    text_add_indented(&t, "#   ", want ? want : "(no file)");
    text_add(&t, "# but got:\n");
    text_add_indented(&t, "#   ", got);
    printf("# expected by %s:\n%s", path, text_str(&t));
    return false;
}

void selftest_check(struct selftest *t, const char *name, const char *got)
{
    bool ok = check_golden(t->dir, name, got, t->update);
    printf("%s %zu - golden/%s\n", ok ? "ok" : "not ok", ++t->count, name);
    t->failed += !ok;
}

/* Read for each role that it names, as scenarios_load() does. */
static const char *load_bad(const char *dir, const char *file)
{
    const char *error = "it loads", *path = arena_printf("%s/%s", dir, file);
    struct scenario *s = scenario_load(path, file, (enum role)0, &error);
    if (s && (s->roles & ROLE_PAIR)) {
        scenario_load(path, file, ROLE_PAIR, &error);
    }
    return arena_printf("%s\n", error);
}

int selftest_run(const char *dir, const struct rules *rules, bool update)
{
    struct scenarios all = {0};
    struct names bad = {0};
    const char *error = dir;
    if (!scenarios_load(dir, &all, &error) || !names_load(dir, ".bad", &bad)) {
        fprintf(stderr, "roam-conform: %s\n", error);
        return EXIT_USAGE;
    }
    struct selftest t = {.dir = dir, .rules = rules, .update = update};
    printf("TAP version 14\n1..%zu\n",
           all.count + bad.count + selftest_report_count);
    for (size_t i = 0; i < all.count; i++) {
        selftest_check(&t, all.at[i]->id, run_golden(dir, all.at[i], rules));
    }
    for (size_t i = 0; i < bad.count; i++) {
        selftest_check(&t, bad.at[i], load_bad(dir, bad.at[i]));
    }
    selftest_reports(&t, &all);
    fprintf(stderr, "%zu passed, %zu failed\n", t.count - t.failed, t.failed);
    if (all.count + bad.count == 0) {
        return EXIT_USAGE;
    }
    return t.failed ? EXIT_HARNESS : EXIT_AS_EXPECTED;
}
