/* SPDX-License-Identifier: Apache-2.0 */
/* roam-conform: the conformance suite of Roam 1. README.md shows how to run
 * it; this file reads the command line. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broken.h"
#include "client_role.h"
#include "judge.h"
#include "peers.h"
#include "runner.h"
#include "seeds.h"
#include "selftest.h"

#define DEFAULT_TIMEOUT_MS 10000u
/* A fault often shows as silence, so this is short; idle takes 2.5 s. */
#define BROKEN_TIMEOUT_MS 4000u
#define DEFAULT_JOBS 4u
#define MAX_JOBS 64u

static const char usage[] =
    "usage: roam-conform COMMAND [option...]\n"
    "\n"
    "  server        judge a server\n"
    "  client        judge a client: client [option...] -- ADAPTER [arg...]\n"
    "  explain ID    a rule, and what checks it\n"
    "  coverage      rules that bind a server and have no scenario\n"
    "  broken        prove that the suite catches broken servers\n"
    "  broken --client -- ADAPTER...   or broken clients\n"
    "  null-server MODE   be one: close, silent, echo, garbage\n"
    "  null-adapter MODE  be one: exit, silent, echo, ok, garbage\n"
    "  selftest      test the harness itself\n"
    "\n"
    "  --roamd PATH         start this roamd\n"
    "  --at HOST:PORT       or use a server that runs there\n"
    "  --provision CMD      makes users and tokens for --at\n"
    "  --adapter tcp:HOST:PORT   client: an adapter that runs there\n"
    "  --list               names and titles of the cases, nothing is run\n"
    "  --case PREFIX        only cases whose name starts so\n"
    "  --seed N             of all that is random (default: drawn, printed)\n"
    "  -j N                 cases at a time (4)\n"
    "  --timeout MS         for each step (10000)\n"
    "  --trace              every frame of every device, on stderr\n"
    "  --dump-seeds DIR     server: writes there what went over the wire\n"
    "  --scenarios DIR      instead of conformance/scenarios\n"
    "  --spec FILE          instead of spec/roam-1.md\n"
    "  --fault NAME         broken: only this one\n"
    "  --full               broken: the whole suite for each fault\n"
    "  --update             selftest: write the golden files\n"
    "\n"
    "exit status: 0 as expected, 1 a case failed, 2 usage or nothing to run,\n"
    "3 the harness is at fault, 4 interrupted\n";

struct options {
    struct run_options run;
    struct adapter_target adapter; /* host NULL: none was named */
    const char *root;              /* of the project, where the defaults are */
    const char *scenarios, *spec, *fault;
    bool list, full, update, has_timeout, client;
};

static int fail_usage(const char *reason)
{
    fprintf(stderr, "roam-conform: %s\n", reason);
    return EXIT_USAGE;
}

static bool is_root(const char *path)
{
    return access(arena_printf("%s/spec/roam-1.md", path), R_OK) == 0;
}

/* Spec and scenarios are found from where we are, or from where the program
 * is: in a build directory of the project, or installed with share/roam. */
static const char *find_root(void)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    if (is_root(".")) {
        return ".";
    }
    for (char *slash; (slash = strrchr(path, '/')) != NULL;) {
        *slash = '\0';
        const char *share = arena_printf("%s/share/roam", path);
        if (is_root(path) || is_root(share)) {
            return is_root(path) ? arena_string(path) : share;
        }
    }
    return ".";
}

static const char *in_root(const struct options *o, const char *path)
{
    return strcmp(o->root, ".") == 0 ? path
                                     : arena_printf("%s/%s", o->root, path);
}

static bool parse_number(const char *text, uint64_t most, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 0);
    return *text != '\0' && *text != '-' && *end == '\0' && *out <= most;
}

static bool parse_address(const char *text, struct run_options *o)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (!colon || !parse_number(colon + 1, UINT16_MAX, &port) || port == 0) {
        return false;
    }
    o->host = arena_copy(text, (size_t)(colon - text));
    o->port = (uint16_t)port;
    return true;
}

/* tcp:HOST:PORT */
static bool parse_adapter(const char *text, struct adapter_target *out)
{
    struct run_options at = {.host = NULL};
    if (strncmp(text, "tcp:", 4) != 0 || !parse_address(text + 4, &at)) {
        return false;
    }
    *out = (struct adapter_target){.host = at.host, .port = at.port};
    return true;
}

enum {
    OPT_ROAMD = 256,
    OPT_AT,
    OPT_PROVISION,
    OPT_LIST,
    OPT_CASE,
    OPT_SEED,
    OPT_TIMEOUT,
    OPT_TRACE,
    OPT_DUMP_SEEDS,
    OPT_SCENARIOS,
    OPT_SPEC,
    OPT_FAULT,
    OPT_FULL,
    OPT_UPDATE,
    OPT_ADAPTER,
    OPT_CLIENT
};

static const struct option long_options[] = {
    {"roamd", required_argument, NULL, OPT_ROAMD},
    {"at", required_argument, NULL, OPT_AT},
    {"provision", required_argument, NULL, OPT_PROVISION},
    {"list", no_argument, NULL, OPT_LIST},
    {"case", required_argument, NULL, OPT_CASE},
    {"seed", required_argument, NULL, OPT_SEED},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"trace", no_argument, NULL, OPT_TRACE},
    {"dump-seeds", required_argument, NULL, OPT_DUMP_SEEDS},
    {"scenarios", required_argument, NULL, OPT_SCENARIOS},
    {"spec", required_argument, NULL, OPT_SPEC},
    {"fault", required_argument, NULL, OPT_FAULT},
    {"full", no_argument, NULL, OPT_FULL},
    {"update", no_argument, NULL, OPT_UPDATE},
    {"adapter", required_argument, NULL, OPT_ADAPTER},
    {"client", no_argument, NULL, OPT_CLIENT},
    {NULL, 0, NULL, 0}};

static bool take_option(struct options *o, int option, const char *arg)
{
    uint64_t n = 0;
    bool ok = true;
    switch (option) {
    case OPT_ROAMD:
        o->run.roamd = arg;
        break;
    case OPT_AT:
        ok = parse_address(arg, &o->run);
        break;
    case OPT_PROVISION:
        o->run.provision = arg;
        break;
    case OPT_LIST:
        o->list = true;
        break;
    case OPT_CASE:
        o->run.prefix = arg;
        break;
    case OPT_SEED:
        ok = parse_number(arg, UINT64_MAX, &o->run.seed);
        break;
    case 'j':
        ok = parse_number(arg, MAX_JOBS, &n) && n > 0;
        o->run.jobs = (size_t)n;
        break;
    case OPT_TIMEOUT:
        ok = parse_number(arg, 3600000, &o->run.timeout_ms);
        o->has_timeout = true;
        break;
    case OPT_TRACE:
        o->run.trace = true;
        break;
    case OPT_DUMP_SEEDS:
        o->run.dump_seeds = arg;
        break;
    case OPT_SCENARIOS:
        o->scenarios = arg;
        break;
    case OPT_SPEC:
        o->spec = arg;
        break;
    case OPT_FAULT:
        o->fault = arg;
        break;
    case OPT_FULL:
        o->full = true;
        break;
    case OPT_UPDATE:
        o->update = true;
        break;
    case OPT_CLIENT:
        o->client = true;
        break;
    case OPT_ADAPTER:
        ok = parse_adapter(arg, &o->adapter);
        break;
    default:
        ok = false;
        break;
    }
    return ok;
}

static void draw_seed(struct options *o)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    struct prng p;
    prng_seed(&p, (uint64_t)ts.tv_nsec ^ (uint64_t)ts.tv_sec << 20, "seed");
    o->run.seed = prng_next(&p) >> 32;
    o->run.nonce =
        arena_printf("%x%x", (unsigned)ts.tv_sec, (unsigned)getpid());
}

static bool parse_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){
        .run = {.jobs = DEFAULT_JOBS, .timeout_ms = DEFAULT_TIMEOUT_MS}};
    draw_seed(o);
    int option;
    while ((option = getopt_long(argc, argv, "j:", long_options, NULL)) != -1) {
        if (!take_option(o, option, optarg)) {
            return false;
        }
    }
    o->root = find_root();
    if (!o->scenarios) {
        o->scenarios = in_root(o, "conformance/scenarios");
    }
    if (!o->spec) {
        o->spec = in_root(o, "spec/roam-1.md");
    }
    return true;
}

/* --------------------------------------------------------------- commands */

static bool has_rule(const struct rules *rules, const struct scenario *s,
                     const char *id)
{
    if (rules_find(rules, id)) {
        return true;
    }
    fail_usage(arena_printf("%s: no rule %s", s->path, id));
    return false;
}

/* Recursion as deep as the file's blocks, which the parser bounds. */
static bool steps_have_rules(const struct rules *rules,
                             const struct scenario *s,
                             const struct steps *steps)
{
    for (size_t i = 0; i < steps->count; i++) {
        const struct step *step = &steps->at[i];
        if (step->rule && !has_rule(rules, s, step->rule)) {
            return false;
        }
        for (size_t k = 0; k < step->body_count; k++) {
            if (!steps_have_rules(rules, s, &step->bodies[k])) {
                return false;
            }
        }
    }
    return true;
}

static bool load(const struct options *o, struct rules *rules,
                 struct scenarios *all)
{
    const char *error = "";
    if (!rules_load(o->spec, rules, &error) ||
        !scenarios_load(o->scenarios, all, &error)) {
        fail_usage(error);
        return false;
    }
    for (size_t i = 0; i < all->count; i++) {
        const struct scenario *s = all->at[i];
        for (size_t k = 0; k < s->rule_count; k++) {
            if (!has_rule(rules, s, s->rules[k])) {
                return false;
            }
        }
        if (!steps_have_rules(rules, s, &s->steps)) {
            return false;
        }
    }
    return true;
}

/* The cases of one role, in their order. */
static void keep_role(struct scenarios *all, enum role role)
{
    size_t n = 0;
    for (size_t i = 0; i < all->count; i++) {
        if (all->at[i]->roles & (unsigned)role) {
            all->at[n++] = all->at[i];
        }
    }
    all->count = n;
}

static void print_list(const struct options *o, const struct scenarios *all)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct scenario *s = all->at[i];
        if (!o->run.prefix ||
            strncmp(s->id, o->run.prefix, strlen(o->run.prefix)) == 0) {
            printf("%-40s %s\n", s->id, s->title);
        }
    }
}

static const char *repeat_command(const struct run_options *o)
{
    if (o->roamd) {
        return arena_printf("roam-conform server --roamd %s", o->roamd);
    }
    return arena_printf("roam-conform server --at %s:%u%s%s", o->host,
                        (unsigned)o->port, o->provision ? " --provision " : "",
                        o->provision ? o->provision : "");
}

static int exit_code(const struct results *results)
{
    struct tally t = {0, 0, 0, 0, 0};
    for (size_t i = 0; i < results->count; i++) {
        report_count(&t, &results->at[i]);
    }
    report_summary(&t);
    if (t.harness) {
        return EXIT_HARNESS;
    }
    return t.failed ? EXIT_UNEXPECTED : EXIT_AS_EXPECTED;
}

static int command_server(struct options *o)
{
    struct rules rules = {0};
    struct scenarios all = {0};
    if (!load(o, &rules, &all)) {
        return EXIT_USAGE;
    }
    keep_role(&all, ROLE_SERVER);
    if (o->list) {
        print_list(o, &all);
        return EXIT_AS_EXPECTED;
    }
    if (!o->run.roamd == !o->run.host) {
        return fail_usage("one of --roamd and --at, please");
    }
    if (o->run.host && !o->run.provision) {
        return fail_usage("--at needs --provision");
    }
    const char *reason = "";
    if (o->run.dump_seeds && !seeds_make_dir(o->run.dump_seeds, &reason)) {
        return fail_usage(reason);
    }
    o->run.repeat = repeat_command(&o->run);
    fprintf(stderr, "roam-conform: seed %" PRIu64 "\n", o->run.seed);
    struct results results = {0};
    if (!run_suite(&o->run, &all, &rules, &results)) {
        return run_interrupted() ? EXIT_INCOMPLETE
                                 : fail_usage("no case is selected");
    }
    return exit_code(&results);
}

static const char *adapter_words(char **argv)
{
    struct text t = {0};
    for (size_t i = 0; argv[i]; i++) {
        text_add(&t, " %s", argv[i]);
    }
    return text_str(&t);
}

/* argv: the adapter's, NULL or empty when it is reached by --adapter. */
static int command_client(struct options *o, char **argv)
{
    struct rules rules = {0};
    struct scenarios all = {0};
    if (!load(o, &rules, &all)) {
        return EXIT_USAGE;
    }
    keep_role(&all, ROLE_CLIENT);
    if (o->list) {
        print_list(o, &all);
        return EXIT_AS_EXPECTED;
    }
    if (!argv[0] == !o->adapter.host) {
        return fail_usage("client needs -- ADAPTER, or --adapter");
    }
    if (argv[0]) {
        o->adapter.argv = argv;
        o->run.repeat = arena_printf("--%s", adapter_words(argv));
    } else {
        o->run.jobs = 1; /* there is one of it */
        o->run.repeat = arena_printf("--adapter tcp:%s:%u", o->adapter.host,
                                     (unsigned)o->adapter.port);
    }
    o->run.adapter = &o->adapter;
    const char *reason = "";
    if (!client_self_check(&o->run, &rules, &reason)) {
        fprintf(stderr, "roam-conform: self-check: %s\n", reason);
        return EXIT_HARNESS;
    }
    fprintf(stderr, "roam-conform: seed %" PRIu64 "\n", o->run.seed);
    struct results results = {0};
    if (!run_suite(&o->run, &all, &rules, &results)) {
        return run_interrupted() ? EXIT_INCOMPLETE
                                 : fail_usage("no case is selected");
    }
    return exit_code(&results);
}

static int command_broken_client(struct options *o, char **argv)
{
    struct rules rules = {0};
    struct scenarios all = {0};
    if (!argv[0]) {
        return fail_usage("broken --client needs -- ADAPTER that takes "
                          "ROAM_FAULT");
    }
    if (!load(o, &rules, &all)) {
        return EXIT_USAGE;
    }
    keep_role(&all, ROLE_CLIENT);
    o->adapter.argv = argv;
    o->run.adapter = &o->adapter;
    o->run.repeat = arena_printf("--%s", adapter_words(argv));
    return broken_run(&o->run, in_root(o, "conformance/broken/client-faults"),
                      o->fault, o->full, &all, &rules);
}

static int command_broken(struct options *o)
{
    struct rules rules = {0};
    struct scenarios all = {0};
    if (!o->run.roamd) {
        return fail_usage("broken needs --roamd, built with fault points");
    }
    if (!load(o, &rules, &all)) {
        return EXIT_USAGE;
    }
    keep_role(&all, ROLE_SERVER);
    if (!o->has_timeout) {
        o->run.timeout_ms = BROKEN_TIMEOUT_MS;
    }
    o->run.repeat = repeat_command(&o->run);
    return broken_run(&o->run, in_root(o, "conformance/broken/faults"),
                      o->fault, o->full, &all, &rules);
}

static bool scenario_names(const struct scenario *s, const char *id)
{
    for (size_t i = 0; i < s->rule_count; i++) {
        if (strcmp(s->rules[i], id) == 0) {
            return true;
        }
    }
    return false;
}

static void explain_judges(const struct judge_rule *list, size_t count,
                           const char *role, const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].rule, id) == 0) {
            printf("\njudged in every case of the role %s:\n  %s\n", role,
                   list[i].what);
        }
    }
}

static int command_explain(struct options *o, const char *id)
{
    struct rules rules = {0};
    struct scenarios all = {0};
    if (!load(o, &rules, &all)) {
        return EXIT_USAGE;
    }
    const struct rule *r = id ? rules_find(&rules, id) : NULL;
    if (!r) {
        return fail_usage("no such rule");
    }
    printf("%s\n\n%s\n", r->id, r->text);
    explain_judges(judge_rules, judge_rule_count, "server", id);
    explain_judges(client_judge_rules, client_judge_rule_count, "client", id);
    const char *heading = "\nscenarios:\n";
    for (size_t i = 0; i < all.count; i++) {
        if (scenario_names(all.at[i], id)) {
            printf("%s  %-40s %s\n", heading, all.at[i]->id, all.at[i]->title);
            heading = "";
        }
    }
    return EXIT_AS_EXPECTED;
}

static int command_coverage(struct options *o)
{
    struct rules rules = {0};
    struct scenarios all = {0};
    size_t bound = 0, tested = 0;
    if (!load(o, &rules, &all)) {
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < rules.count; i++) {
        const struct rule *r = &rules.at[i];
        bool named = false;
        for (size_t k = 0; k < all.count; k++) {
            named = named || scenario_names(all.at[k], r->id);
        }
        bound += r->binds_server;
        tested += r->binds_server && named;
        if (r->binds_server && !named) {
            printf("%s\n", r->id);
        }
    }
    fprintf(stderr, "%zu of %zu rules that bind a server have a scenario\n",
            tested, bound);
    return EXIT_AS_EXPECTED;
}

static int command_null_server(const char *mode)
{
    uint16_t port;
    const char *reason = "";
    int listener = peer_listen(&port, &reason);
    if (listener < 0) {
        return fail_usage(reason);
    }
    printf("%u\n", (unsigned)port);
    fflush(stdout);
    return mode && null_peer_serve(listener, mode)
               ? EXIT_AS_EXPECTED
               : fail_usage("null-server close|silent|echo|garbage");
}

static int command_selftest(struct options *o)
{
    struct rules rules = {0};
    const char *error = "";
    const char *dir = in_root(o, "conformance/golden");
    /* Rules of its own, so that no word of the spec is part of a test. */
    if (!rules_load(arena_printf("%s/rules.md", dir), &rules, &error)) {
        return fail_usage(error);
    }
    return selftest_run(dir, &rules, o->update);
}

int main(int argc, char **argv)
{
    struct options o;
    if (argc < 2 || argv[1][0] == '-' ||
        !parse_options(&o, argc - 1, argv + 1)) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    run_catch_signals();
    const char *command = argv[1];
    const char *operand = optind + 1 < argc ? argv[optind + 1] : NULL;
    if (strcmp(command, "server") == 0 && !operand) {
        return command_server(&o);
    }
    if (strcmp(command, "client") == 0) {
        return command_client(&o, argv + optind + 1);
    }
    if (strcmp(command, "broken") == 0 && o.client) {
        return command_broken_client(&o, argv + optind + 1);
    }
    if (strcmp(command, "broken") == 0 && !operand) {
        return command_broken(&o);
    }
    if (strcmp(command, "explain") == 0) {
        return command_explain(&o, operand);
    }
    if (strcmp(command, "coverage") == 0 && !operand) {
        return command_coverage(&o);
    }
    if (strcmp(command, "null-server") == 0) {
        return command_null_server(operand);
    }
    if (strcmp(command, "null-adapter") == 0) {
        return operand && null_adapter(operand)
                   ? EXIT_AS_EXPECTED
                   : fail_usage("null-adapter exit|silent|echo|ok|garbage");
    }
    if (strcmp(command, "selftest") == 0 && !operand) {
        return command_selftest(&o);
    }
    fputs(usage, stderr);
    return EXIT_USAGE;
}
