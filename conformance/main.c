/* SPDX-License-Identifier: Apache-2.0 */
/* roam-conform: the conformance suite of Roam 1. README.md shows how to run
 * it; here are its commands. */
#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broken.h"
#include "client_role.h"
#include "control_check.h"
#include "explain.h"
#include "options.h"
#include "peers.h"
#include "runner.h"
#include "selftest.h"

static int fail_usage(const char *reason)
{
    fprintf(stderr, "roam-conform: %s\n", reason);
    return EXIT_USAGE;
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
        if (all->at[i]->role == role) {
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

/* An option and its value, with a space before; "" without a value. */
static const char *with_value(const char *option, const char *value)
{
    return value ? arena_printf(" %s %s", option, shell_word(value)) : "";
}

/* The options that say which server it was, with a space before. */
static const char *server_options(const struct run_options *o)
{
    if (o->roamd) {
        return arena_printf("%s%s", with_value("--roamd", o->roamd),
                            o->tls ? " --tls" : "");
    }
    const char *provision = with_value("--provision", o->provision);
    if (o->control) {
        return arena_printf("%s%s", with_value("--control", o->control),
                            provision);
    }
    return arena_printf(" --at %s:%u%s%s%s", o->host, (unsigned)o->port,
                        provision, o->tls ? " --tls" : "",
                        with_value("--ca", o->ca));
}

/* Behind the run of a role: reports, counts, exit code. */
static int run_role(struct options *o, enum role role, const char *peer,
                    const struct scenarios *all, const struct rules *rules)
{
    int status = outputs_begin(&o->outputs, &o->run);
    if (status != EXIT_AS_EXPECTED) {
        return status;
    }
    fprintf(stderr, "roam-conform: seed %" PRIu64 "\n", o->run.seed);
    struct results results = {0};
    bool is_complete = run_suite(&o->run, all, rules, &results);
    if (results.count == 0) {
        return fail_usage("no case is selected");
    }
    struct report_run report = {.role = role,
                                .peer = peer,
                                .rules = rules,
                                .all = all,
                                .results = &results};
    return outputs_end(&o->outputs, &o->run, &report, is_complete);
}

/* NULL, or what is wrong with the options that name the server. */
static const char *server_is_missing(const struct options *o)
{
    bool one = !o->run.roamd + !o->run.host + !o->run.control == 2;
    bool provided = o->run.roamd || o->run.provision;
    bool trusted = !o->run.tls || o->run.roamd || (o->run.ca && o->run.host);
    return !one        ? "one of --roamd, --at and --control, please"
           : !provided ? "--at and --control need --provision"
           : !trusted  ? "--tls needs --roamd, or --at and --ca"
                       : NULL;
}

static bool self_check_server(const struct run_options *run,
                              const struct rules *rules)
{
    const char *reason = "";
    if (!control_self_check(run, rules, &reason)) {
        fprintf(stderr, "roam-conform: self-check: %s\n", reason);
        return false;
    }
    return true;
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
    const char *reason = server_is_missing(o);
    if (reason) {
        return fail_usage(reason);
    }
    if (o->fault) { /* one of broken/faults, to look at it */
        setenv("ROAM_FAULT", o->fault, 1);
        o->run.bend = bend_find(o->fault);
    }
    o->run.command =
        arena_printf("%s%s%s", options_command(o, "server"),
                     server_options(&o->run), with_value("--fault", o->fault));
    const char *peer = o->run.roamd     ? o->run.roamd
                       : o->run.control ? o->run.control
                                        : arena_printf("%s:%u", o->run.host,
                                                       (unsigned)o->run.port);
    return self_check_server(&o->run, &rules)
               ? run_role(o, ROLE_SERVER, peer, &all, &rules)
               : EXIT_HARNESS;
}

/* Takes the adapter, which runs elsewhere or is the words of argv. Returns the
 * options that take it again; NULL: it is neither, or both. */
static const char *take_adapter(struct options *o, char **argv)
{
    struct adapter_target *a = &o->adapter;
    struct text t = {0};
    if (!argv[0] == !(a->host || a->serial)) {
        return NULL;
    }
    o->run.adapter = a;
    if (strcmp(o->run.listen, PEER_LOOPBACK) != 0) {
        text_add(&t, "--listen %s ", o->run.listen);
    }
    if (a->serial) {
        text_add(&t, "--adapter serial:%s,%u", a->serial, (unsigned)a->baud);
    } else if (a->host) {
        text_add(&t, "--adapter tcp:%s:%u", a->host, (unsigned)a->port);
    } else {
        a->argv = argv;
        text_add(&t, "--");
    }
    for (size_t i = 0; argv[i]; i++) {
        text_add(&t, " %s", shell_word(argv[i]));
    }
    return text_str(&t);
}

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
    o->run.target = take_adapter(o, argv);
    if (!o->run.target) {
        return fail_usage("client needs -- ADAPTER, or --adapter");
    }
    o->run.command = arena_printf("%s%s", options_command(o, "client"),
                                  o->run.tls ? " --tls" : "");
    const char *reason = "";
    if (!client_self_check(&o->run, &rules, &reason)) {
        fprintf(stderr, "roam-conform: self-check: %s\n", reason);
        return EXIT_HARNESS;
    }
    const char *peer =
        o->run.target + (strncmp(o->run.target, "-- ", 3) == 0 ? 3 : 0);
    return run_role(o, ROLE_CLIENT, peer, &all, &rules);
}

/* Each adapter by itself, as in the role client. */
static bool self_check_both(const struct run_options *run,
                            const struct rules *rules)
{
    const struct adapter_target *const both[] = {run->adapter, run->sibling};
    for (size_t i = 0; i < 2 && both[i]; i++) {
        struct run_options alone = *run;
        const char *reason = "";
        alone.adapter = both[i];
        if (!client_self_check(&alone, rules, &reason)) {
            fprintf(stderr, "roam-conform: self-check: %s\n", reason);
            return false;
        }
    }
    return true;
}

/* Both sides, as they were given. */
static const char *pair_options(const struct options *o, const char *adapter)
{
    return arena_printf("%s%s %s", server_options(&o->run) + 1,
                        with_value("--sibling", o->sibling), adapter);
}

static int command_pair(struct options *o, char **argv)
{
    struct rules rules = {0};
    struct scenarios all = {0};
    if (!load(o, &rules, &all)) {
        return EXIT_USAGE;
    }
    keep_role(&all, ROLE_PAIR);
    if (o->list) {
        print_list(o, &all);
        return EXIT_AS_EXPECTED;
    }
    const char *adapter = take_adapter(o, argv);
    const char *reason = server_is_missing(o);
    if (reason || !adapter) {
        return fail_usage(reason ? reason
                                 : "pair needs -- ADAPTER, or --adapter");
    }
    if (o->run.tls) {
        return fail_usage("--tls is for the roles server and client");
    }
    o->run.sibling = o->sibling ? &o->sibling_target : NULL;
    o->run.is_pair = true;
    o->run.command = options_command(o, "pair");
    o->run.target = pair_options(o, adapter);
    return self_check_server(&o->run, &rules) &&
                   self_check_both(&o->run, &rules)
               ? run_role(o, ROLE_PAIR, o->run.target, &all, &rules)
               : EXIT_HARNESS;
}

/* The kill matrix, and the coverage with it. */
static int run_broken(struct options *o, enum role role, const char *table,
                      const struct scenarios *all, const struct rules *rules)
{
    struct report_run report = {.role = role,
                                .peer = role == ROLE_SERVER ? o->run.roamd
                                                            : o->run.target,
                                .rules = rules,
                                .all = all};
    if (o->outputs.expectations) {
        return fail_usage("broken takes no expectations");
    }
    int status = outputs_begin(&o->outputs, &o->run);
    if (status != EXIT_AS_EXPECTED) {
        return status;
    }
    report.exit = broken_run(&o->run, o->faults ? o->faults : in_root(o, table),
                             o->fault, o->full, &report);
    report.seed = o->run.seed;
    report.started = o->outputs.started;
    report.ms = now_ms() - o->outputs.start_ms;
    report.is_complete = report.exit != EXIT_INCOMPLETE;
    return report.results ? outputs_write(&o->outputs, &report) : report.exit;
}

static int command_broken_client(struct options *o, char **argv)
{
    struct rules rules = {0};
    struct scenarios all = {0};
    o->run.target = take_adapter(o, argv);
    if (!argv[0] || !o->run.target) {
        return fail_usage("broken --client needs -- ADAPTER that takes "
                          "ROAM_FAULT");
    }
    if (!load(o, &rules, &all)) {
        return EXIT_USAGE;
    }
    keep_role(&all, ROLE_CLIENT);
    return run_broken(o, ROLE_CLIENT, "conformance/broken/client-faults", &all,
                      &rules);
}

static int command_broken_pair(struct options *o, char **argv)
{
    struct rules rules = {0};
    struct scenarios all = {0};
    const char *adapter = take_adapter(o, argv);
    if (!o->run.roamd || !argv[0] || !adapter) {
        return fail_usage("broken --pair needs --roamd with fault points, and "
                          "-- ADAPTER that takes ROAM_FAULT");
    }
    if (!load(o, &rules, &all)) {
        return EXIT_USAGE;
    }
    keep_role(&all, ROLE_PAIR);
    o->run.is_pair = true;
    o->run.target = pair_options(o, adapter);
    return run_broken(o, ROLE_PAIR, "conformance/broken/pair-faults", &all,
                      &rules);
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
    return run_broken(o, ROLE_SERVER, "conformance/broken/faults", &all,
                      &rules);
}

static const char *upper_case(const char *s)
{
    char *copy = arena_string(s);
    for (char *at = copy; *at; at++) {
        *at = (char)toupper((unsigned char)*at);
    }
    return copy;
}

static int command_explain(struct options *o, const char *id)
{
    struct rules rules = {0};
    struct scenarios all = {0};
    if (!load(o, &rules, &all)) {
        return EXIT_USAGE;
    }
    if (!id) {
        return fail_usage("explain needs a rule, an area of rules, or a "
                          "case; see roam-conform --help");
    }
    for (size_t i = 0; i < all.count; i++) {
        if (strcmp(all.at[i]->id, id) == 0) {
            explain_case(&rules, all.at[i]);
            return EXIT_AS_EXPECTED;
        }
    }
    const char *known = upper_case(id);
    if (rules_find(&rules, known)) {
        return explain_rule(o, &rules, &all, known) ? EXIT_AS_EXPECTED
                                                    : EXIT_USAGE;
    }
    return explain_area(&rules, known)
               ? EXIT_AS_EXPECTED
               : fail_usage(arena_printf(
                     "\"%s\" is no rule, and no case of --list; there are "
                     "rules of%s, each with a number; see roam-conform --help",
                     id, explain_areas(&rules)));
}

static int command_coverage(struct options *o)
{
    struct rules rules = {0};
    struct scenarios all = {0};
    if (!load(o, &rules, &all)) {
        return EXIT_USAGE;
    }
    explain_gaps(&rules, &all);
    return EXIT_AS_EXPECTED;
}

static int command_null_server(const char *mode)
{
    uint16_t port;
    const char *reason = "";
    int listener = peer_listen(PEER_LOOPBACK, &port, &reason);
    if (listener < 0) {
        return fail_usage(reason);
    }
    printf("%u\n", (unsigned)port);
    fflush(stdout);
    /* It has no case to end in order. */
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
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

static int command_help(void)
{
    bool bad = fputs(options_usage, stdout) < 0 || fflush(stdout) != 0;
    return bad ? EXIT_HARNESS : EXIT_AS_EXPECTED;
}

static int run_command(int argc, char **argv)
{
    struct options o;
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            return command_help();
        }
    }
    if (argc < 2 || argv[1][0] == '-') {
        fputs(options_usage, stderr);
        return EXIT_USAGE;
    }
    char *name = argv[1];
    argv[1] = argv[0]; /* of whom getopt speaks */
    bool good = options_parse(&o, argc - 1, argv + 1);
    argv[1] = name;
    if (!good) {
        return fail_usage("see roam-conform --help");
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
    if (strcmp(command, "pair") == 0) {
        return command_pair(&o, argv + optind + 1);
    }
    if (strcmp(command, "broken") == 0 && o.client) {
        return command_broken_client(&o, argv + optind + 1);
    }
    if (strcmp(command, "broken") == 0 && o.pair) {
        return command_broken_pair(&o, argv + optind + 1);
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
    return fail_usage(
        arena_printf("\"%s%s%s\" is no command; see roam-conform --help",
                     command, operand ? " " : "", operand ? operand : ""));
}

int main(int argc, char **argv)
{
    json_set_alloc_funcs(arena_alloc, arena_keep);
    int status = run_command(argc, argv);
    arena_close();
    return status;
}
