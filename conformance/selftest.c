/* SPDX-License-Identifier: Apache-2.0 */
/* Golden tests of the harness: see selftest.h. */
#include "selftest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peers.h"
#include "runner.h"

/* With one seed names and random numbers are the same in every run. */
#define GOLDEN_SEED 1u
/* Only cases that end by this limit wait for it. */
#define GOLDEN_TIMEOUT_MS 400u

static const char *const verdicts[] = {"pass", "fail", "warn", "unsupported",
                                       "harness"};

static const char *run_golden(const char *dir, const struct scenario *s,
                              const struct rules *rules)
{
    struct peer peer = {0};
    const char *reason = "";
    if (!fake_peer_start(&peer, arena_printf("%s/%s.peer", dir, s->id), s,
                         GOLDEN_SEED, &reason)) {
        return reason;
    }
    const struct run_options o = {.seed = GOLDEN_SEED,
                                  .nonce = "",
                                  .timeout_ms = GOLDEN_TIMEOUT_MS,
                                  .repeat = "roam-conform server"};
    struct server server = {.host = "127.0.0.1", .port = peer.port};
    struct result r = run_case(&o, s, &server, rules);
    peer_stop(&peer);
    return arena_printf("verdict: %s\n%s", verdicts[r.verdict], r.detail);
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

static bool write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    bool ok = f && fputs(text, f) >= 0;
    return f && fclose(f) == 0 && ok;
}

static bool check_golden(const char *dir, const char *name, const char *got,
                         bool update)
{
    const char *path = arena_printf("%s/%s.expected", dir, name);
    got = without_dir(got, dir);
    if (update) {
        return write_file(path, got);
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

static const char *load_bad(const char *dir, const char *file)
{
    const char *error = "it loads";
    scenario_load(arena_printf("%s/%s", dir, file), file, &error);
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
    size_t failed = 0, count = all.count + bad.count;
    printf("TAP version 14\n1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        bool runs = i < all.count;
        const char *name = runs ? all.at[i]->id : bad.at[i - all.count];
        const char *got =
            runs ? run_golden(dir, all.at[i], rules) : load_bad(dir, name);
        bool ok = check_golden(dir, name, got, update);
        printf("%s %zu - golden/%s\n", ok ? "ok" : "not ok", i + 1, name);
        failed += !ok;
    }
    fprintf(stderr, "%zu passed, %zu failed\n", count - failed, failed);
    if (count == 0) {
        return EXIT_USAGE;
    }
    return failed ? EXIT_HARNESS : EXIT_AS_EXPECTED;
}
