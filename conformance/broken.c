/* SPDX-License-Identifier: Apache-2.0 */
/* The kill matrix: see broken.h. */
#include "broken.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client_role.h"
#include "peers.h"
#include "scn_lex.h"

/* A null peer's cases all end by this limit; it only has to be above the
 * time of an answer. */
#define NULL_TIMEOUT_MS 250u
/* They only wait for that. */
#define NULL_JOBS 16u
/* A fault often shows as silence, so a step of a trial is short at first; the
 * case of an idle connection takes 2.5 s. A machine that is busy may be slower
 * than this by itself: what is not caught so has another trial, with all the
 * patience of the run without a fault. */
#define TRIAL_TIMEOUT_MS 4000u
/* Most of a broken server's time is waiting for what it does not send. */
#define TRIALS_AT_A_TIME 6u

struct fault {
    const char *name;
    const char *rule;
    const char *prefix; /* of the cases that show it */
    const char *side;   /* role pair: "server" or "client"; else NULL */
};
struct faults {
    struct fault *at;
    size_t count, cap;
};

struct score {
    size_t passed, failed;
    struct kills kills;
};

void broken_environment(const char *side, struct spawn_environment *e)
{
    const char *fault = getenv(side);
    if (fault) {
        spawn_add(e, arena_printf("ROAM_FAULT=%s", fault));
    }
}

static bool is_side(const char *word)
{
    return strcmp(word, "server") == 0 || strcmp(word, "client") == 0;
}

/* FAULT RULE CASES; in the table of the role pair with the side behind. */
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
        bool sided = w.count == 4 && is_side(w.at[3]);
        if ((w.count != 3 && !sided) || !rules_find(rules, w.at[1])) {
            fprintf(stderr, "roam-conform: %s:%d: FAULT RULE CASES\n", path,
                    lines.at[i].number);
            return false;
        }
        arena_grow((void **)&out->at, out->count, &out->cap, sizeof *out->at);
        out->at[out->count++] =
            (struct fault){w.at[0], w.at[1], w.at[2], sided ? w.at[3] : NULL};
    }
    return out->count > 0;
}

/* "the server", or "the client NAME (...)". */
static bool is_blamed(const struct result *r, const char *side)
{
    const char *blame = r->blame ? r->blame : "";
    return !side || strncmp(blame, arena_printf("the %s", side),
                            strlen("the ") + strlen(side)) == 0;
}

/* The sanity case is about nothing: it breaks whatever is broken. */
static const char *first_killer(const struct results *results,
                                const struct scenario *sanity,
                                const struct fault *f)
{
    for (size_t i = 0; i < results->count; i++) {
        const struct result *r = &results->at[i];
        bool named =
            f->side ? rules_named(r->rules, f->rule) : run_names(r, f->rule);
        if (r->s != sanity && run_is_red(r) && named && is_blamed(r, f->side)) {
            return r->s->id;
        }
    }
    return NULL;
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
            printf("         %s names %s%s%s\n", r->s->id,
                   *r->rules ? r->rules : "nothing",
                   r->blame && *r->blame ? ", and blames " : "",
                   r->blame ? r->blame : "");
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
    quiet.trace_dir = quiet.dump_seeds = NULL;
    return quiet;
}

/* One broken peer: a fault of the table, or a peer that is none. It is run in
 * a process of its own, because most of the time nothing happens there but
 * that something does not come. */
struct trial {
    const struct fault *fault; /* NULL: a null peer of this */
    const char *mode;
    bool is_server; /* the null peer is a server */
    pid_t pid;      /* 0: not started */
    int fd;         /* what the process prints comes here */
    bool is_over;
    struct text out; /* how it ended, on a line of its own, and what is shown */
};

/* The environment is what the peers' processes inherit. */
struct matrix {
    const struct run_options *o;
    const struct scenarios *all;
    const struct rules *rules;
    bool full;
    struct trial *at;
    size_t count, cap;
    size_t shown;
};

/* In the trial's process: the line that the matrix reads, see read_ending(). */
static void tell_ending(bool ok, const char *killer, size_t red, size_t cases)
{
    printf("%d %zu %zu %s\n", ok, red, cases, killer ? killer : "-");
}

static void print_row(bool ok, const char *name, const char *rule,
                      const char *text)
{
    printf("%-8s %-28s %-10s %s\n", ok ? "caught" : "SURVIVES", name, rule,
           text);
}

static const char *variable_of(const struct fault *f)
{
    return !f->side                         ? "ROAM_FAULT"
           : strcmp(f->side, "server") == 0 ? BROKEN_SERVER
                                            : BROKEN_CLIENT;
}

/* Returns the case that catches it; NULL: none does. */
static const char *try_fault(const struct matrix *m, const struct fault *f,
                             uint64_t timeout_ms, struct results *results)
{
    struct run_options quiet = quiet_options(m->o);
    quiet.timeout_ms = timeout_ms;
    quiet.prefix = m->full ? NULL : f->prefix;
    /* Red with the wrong peer to blame settles nothing. */
    quiet.until_rule = m->full || f->side ? NULL : f->rule;
    quiet.bend = m->o->adapter ? NULL : bend_find(f->name);
    *results = (struct results){0};
    return run_suite(&quiet, m->all, m->rules, results)
               ? first_killer(results, m->all->at[0], f)
               : NULL;
}

static void run_fault(const struct matrix *m, const struct fault *f)
{
    struct results results;
    uint64_t patient_ms = m->o->timeout_ms;
    bool is_short = patient_ms > TRIAL_TIMEOUT_MS && !m->o->attach;
    setenv(variable_of(f), f->name, 1);
    const char *killer =
        try_fault(m, f, is_short ? TRIAL_TIMEOUT_MS : patient_ms, &results);
    if (!killer && is_short) {
        killer = try_fault(m, f, patient_ms, &results);
    }
    size_t red = 0, cases = 0;
    for (size_t i = 0; i < results.count; i++) {
        red += run_is_red(&results.at[i]);
        cases += results.at[i].verdict != VERDICT_NOT_EXERCISED;
    }
    tell_ending(killer, killer, red, cases);
    print_row(
        killer, f->name, f->rule,
        killer ? arena_printf("%s (%zu of %zu cases red)", killer, red, cases)
        : results.count == 0 ? "no case selected"
                             : "no tag and no judge that fails names the rule");
    if (!killer) {
        show_failures(&results);
    }
}

/* Not one case may be passed by a peer that is none. */
static void run_nobody(const struct matrix *m, const struct run_options *quiet,
                       const char *name)
{
    struct results results = {0};
    run_suite(quiet, m->all, m->rules, &results);
    size_t passed = 0;
    const char *who = "";
    for (size_t i = 0; i < results.count; i++) {
        if (!run_is_red(&results.at[i])) {
            passed++;
            who = arena_printf("%s: %s, %s", results.at[i].s->id,
                               verdict_name(results.at[i].verdict),
                               results.at[i].what);
        }
    }
    bool ok = results.count > 0 && passed == 0;
    tell_ending(ok, NULL, results.count - passed, results.count);
    print_row(ok, name, "-",
              arena_printf("%zu of %zu cases not red %s", passed, results.count,
                           who));
}

/* As the matrix calls a peer that is none, and as --fault takes it. */
static const char *null_name(const char *mode, bool is_server)
{
    return arena_printf("null %s: %s", is_server ? "server" : "adapter", mode);
}

static struct run_options null_options(const struct matrix *m)
{
    struct run_options quiet = quiet_options(m->o);
    quiet.prefix = NULL;
    quiet.timeout_ms = quiet.start_ms = NULL_TIMEOUT_MS;
    /* With a real server beside them its provisioning has work to do. */
    quiet.jobs = m->o->is_pair ? m->o->jobs : NULL_JOBS;
    return quiet;
}

static void survives(const char *name, const char *reason)
{
    tell_ending(false, NULL, 0, 0);
    print_row(false, name, "-", reason);
}

/* An adapter that is none passes no self-check; here it goes without. */
static void run_null_adapter(const struct matrix *m, const char *mode)
{
    char *argv[] = {arena_string("/proc/self/exe"),
                    arena_string("null-adapter"), arena_string(mode), NULL};
    const struct adapter_target target = {.argv = argv};
    struct run_options quiet = null_options(m);
    const char *reason = NULL, *name = null_name(mode, false);
    quiet.adapter = &target;
    if (client_self_check(&quiet, m->rules, &reason)) {
        survives(name, "it passes the self-check");
        return;
    }
    run_nobody(m, &quiet, name);
}

static void run_null_server(const struct matrix *m, const char *mode)
{
    struct peer peer = {0};
    const char *reason = "", *name = null_name(mode, true);
    if (!null_peer_start(&peer, mode, &reason)) {
        survives(name, reason);
        return;
    }
    struct run_options quiet = null_options(m);
    quiet.roamd = NULL;
    quiet.host = "127.0.0.1";
    quiet.port = peer.port;
    quiet.any_settings = true;
    run_nobody(m, &quiet, name);
    peer_stop(&peer);
}

/* ------------------------------------------------- the trials' processes */

static void add_trial(struct matrix *m, const struct fault *f, const char *mode,
                      bool is_server)
{
    arena_grow((void **)&m->at, m->count, &m->cap, sizeof *m->at);
    m->at[m->count++] =
        (struct trial){.fault = f, .mode = mode, .is_server = is_server};
}

static bool is_wanted(const char *only, const char *name)
{
    return !only || strcmp(only, name) == 0;
}

static void add_null_peers(struct matrix *m, const char *const *modes,
                           bool is_server, const char *only)
{
    for (size_t i = 0; modes[i]; i++) {
        if (is_wanted(only, null_name(modes[i], is_server))) {
            add_trial(m, NULL, modes[i], is_server);
        }
    }
}

static void add_trials(struct matrix *m, const struct faults *faults,
                       const char *only)
{
    for (size_t i = 0; i < faults->count; i++) {
        if (is_wanted(only, faults->at[i].name)) {
            add_trial(m, &faults->at[i], NULL, false);
        }
    }
    if (!m->o->adapter || m->o->is_pair) {
        add_null_peers(m, null_peer_modes, true, only);
    }
    if (m->o->adapter) {
        add_null_peers(m, null_adapter_modes, false, only);
    }
}

static void run_trial(const struct matrix *m, const struct trial *t, int out)
{
    dup2(out, STDOUT_FILENO);
    if (t->fault) {
        run_fault(m, t->fault);
    } else if (t->is_server) {
        run_null_server(m, t->mode);
    } else {
        run_null_adapter(m, t->mode);
    }
    fflush(stdout);
    _exit(0);
}

static void start_trial(const struct matrix *m, struct trial *t)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        t->is_over = true;
        return;
    }
    fflush(stdout);
    t->pid = fork();
    if (t->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        close(fds[0]);
        run_trial(m, t, fds[1]);
    }
    close(fds[1]);
    t->fd = fds[0];
    t->is_over = t->pid < 0;
}

static void end_trial(struct trial *t)
{
    close(t->fd);
    waitpid(t->pid, NULL, 0);
    t->is_over = true;
}

static void note_ending(struct score *score, const struct trial *t,
                        const struct kill *kill)
{
    struct kills *k = &score->kills;
    score->passed += kill->is_caught;
    score->failed += !kill->is_caught;
    if (t->fault) {
        arena_grow((void **)&k->at, k->count, &k->cap, sizeof *k->at);
        k->at[k->count] = *kill;
        k->at[k->count].fault = t->fault->name;
        k->at[k->count++].rule = t->fault->rule;
    }
}

/* Its row; a process that died without one has caught nothing. */
static void show_trial(struct score *score, const struct trial *t)
{
    char killer[128] = "-";
    int ok = 0;
    struct kill kill = {.fault = NULL};
    const char *text = text_str(&t->out);
    const char *line = strchr(text, '\n');
    if (line && sscanf(text, "%d %zu %zu %127s", &ok, &kill.red, &kill.cases,
                       killer) == 4) {
        fputs(line + 1, stdout);
    } else {
        print_row(false, t->fault ? t->fault->name : t->mode, "-",
                  "its process ended without a verdict");
    }
    fflush(stdout);
    kill.is_caught = ok != 0;
    kill.by = strcmp(killer, "-") == 0 ? NULL : arena_string(killer);
    note_ending(score, t, &kill);
}

/* Rows appear in the table's order. */
static void show_finished(struct matrix *m, struct score *score)
{
    while (m->shown < m->count && m->at[m->shown].is_over) {
        show_trial(score, &m->at[m->shown++]);
    }
}

static void read_trial(struct trial *t)
{
    char buf[4096];
    ssize_t n = read(t->fd, buf, sizeof buf);
    if (n > 0) {
        text_add_bytes(&t->out, buf, (size_t)n);
    } else if (n == 0 || errno != EINTR) {
        end_trial(t);
    }
}

/* Reads what those that run print, until one of them may have ended. */
static void wait_for_trials(struct matrix *m, size_t started)
{
    struct pollfd fds[TRIALS_AT_A_TIME];
    struct trial *running[TRIALS_AT_A_TIME];
    nfds_t count = 0;
    for (size_t i = m->shown; i < started; i++) {
        if (!m->at[i].is_over) {
            fds[count] = (struct pollfd){.fd = m->at[i].fd, .events = POLLIN};
            running[count++] = &m->at[i];
        }
    }
    if (count == 0 || poll(fds, count, -1) < 0) {
        return;
    }
    for (nfds_t i = 0; i < count; i++) {
        if (fds[i].revents) {
            read_trial(running[i]);
        }
    }
}

/* They clean up behind themselves. */
static void stop_trials(struct matrix *m)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->at[i].pid > 0 && !m->at[i].is_over) {
            kill(m->at[i].pid, SIGTERM);
            end_trial(&m->at[i]);
        }
    }
}

static size_t running_trials(const struct matrix *m, size_t started)
{
    size_t count = 0;
    for (size_t i = m->shown; i < started; i++) {
        count += !m->at[i].is_over;
    }
    return count;
}

static void run_trials(struct matrix *m, struct score *score)
{
    size_t started = 0;
    while (m->shown < m->count && !run_interrupted()) {
        while (started < m->count &&
               running_trials(m, started) < TRIALS_AT_A_TIME) {
            start_trial(m, &m->at[started++]);
        }
        wait_for_trials(m, started);
        show_finished(m, score);
    }
    stop_trials(m);
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
    struct matrix m = {.o = o, .all = all, .rules = rules, .full = full};
    add_trials(&m, &faults, only);
    run_trials(&m, &score);
    /* Last, because its records make each fork behind it dear. */
    if ((!only || o->record) && !run_interrupted()) {
        run_baseline(o, all, rules, &score, baseline);
        report->results = baseline;
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
