/* SPDX-License-Identifier: Apache-2.0 */
/* Cases in parallel: see runner.h. */
#include "runner.h"

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
#include "coverage.h"
#include "exec.h"
#include "link.h"
#include "pair_role.h"
#include "progress.h"
#include "report_case.h"
#include "seeds.h"
#include "trace.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
    (void)signal;
    interrupted = 1;
}

void run_catch_signals(void)
{
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = on_signal;
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool run_interrupted(void)
{
    return interrupted != 0;
}

/* --------------------------------------------------------------- one case */

const char *run_repeat_command(const struct run_options *o,
                               const struct scenario *s)
{
    return arena_printf("%s --case %s --seed %" PRIu64 "%s%s", o->command,
                        s->id, o->seed, *o->target ? " " : "", o->target);
}

/* Nothing of another round, or of the first sanity case, is written over. */
static const char *trace_name(const struct run_options *o,
                              const struct scenario *s)
{
    const char *round =
        o->rounds > 1 ? arena_printf("-round-%zu", o->round + 1) : "";
    return arena_printf("%s%s%s", s->id, round, o->is_again ? "-again" : "");
}

static enum verdict verdict_of(const struct world *w, bool passed)
{
    if (passed) {
        return VERDICT_PASS;
    }
    if (w->failure.is_harness) {
        return VERDICT_HARNESS;
    }
    return w->s->is_should ? VERDICT_WARN : VERDICT_FAIL;
}

static size_t checks_done(const struct world *w)
{
    size_t count = 0;
    for (size_t i = 0; w->record && i < w->record->step_count; i++) {
        count += coverage_seen(w->record->steps[i]) != SEEN_NOTHING;
    }
    return count;
}

void run_close_case(const struct run_options *o, struct world *w,
                    struct result *r)
{
    const char *reason = "";
    if (r->verdict == VERDICT_PASS && checks_done(w) == 0) {
        r->verdict = VERDICT_NOT_EXERCISED;
        r->what = r->detail = "no step of it checks anything";
    }
    r->ms = o->timeless ? 0 : r->ms;
    bool is_dumped = seeds_from_record(w, o->dump_seeds, &reason);
    record_finish(w);
    if (o->record) {
        r->record = report_case_record(w);
    }
    if (!is_dumped ||
        (o->trace_dir &&
         !trace_write(o->trace_dir, trace_name(o, w->s), w, r, &reason))) {
        r->verdict = VERDICT_HARNESS;
        r->what = r->detail = reason;
    }
}

struct result run_case(const struct run_options *o, const struct scenario *s,
                       struct server *server, const struct rules *rules)
{
    struct world *w = arena_alloc(sizeof *w);
    w->timeout_ms = o->timeout_ms;
    w->trace = o->trace;
    record_begin(w, o->timeless);
    uint64_t start = now_ms();
    bool passed = world_open(w, s, server, o->seed, o->nonce) &&
                  seeds_begin(w, o->dump_seeds) && exec_run(w);
    passed = passed && !w->failure.happened;
    struct result r = {.s = s,
                       .verdict = verdict_of(w, passed),
                       .rules = w->failure.rules ? w->failure.rules : "",
                       .what = passed ? "" : w->failure.what,
                       .detail = "",
                       .ms = now_ms() - start};
    if (!passed) {
        r.detail = report_failure(w, rules, run_repeat_command(o, s));
    }
    run_close_case(o, w, &r);
    link_close_all(w);
    return r;
}

void run_wait_for_key(const struct run_options *o, const char *who)
{
    if (!o->attach) {
        return;
    }
    fprintf(stderr, "roam-conform: %s; press Enter to go on\n", who);
    for (char c = 0; c != '\n' && read(STDIN_FILENO, &c, 1) == 1;) {
    }
}

static void wait_at_server(const struct run_options *o, const struct server *s)
{
    run_wait_for_key(o, arena_printf("server: process %ld, at %s:%u",
                                     (long)s->pid, s->host, (unsigned)s->port));
}

void run_base_server(const struct run_options *o, const char *base,
                     const char *settings, struct server *out)
{
    *out = (struct server){.roamd = o->roamd,
                           .control = o->control,
                           .base = base,
                           .settings = settings,
                           .host = o->host,
                           .port = o->port,
                           .is_tls = o->tls,
                           .ca = o->ca,
                           .tls_name = o->host,
                           .provision = o->provision,
                           .timeout_ms = o->timeout_ms,
                           .bend = o->bend};
    if (out->timeout_ms < RUN_START_MS) {
        out->timeout_ms = RUN_START_MS;
    }
}

/* What a case with a server of its own asks of it: it may stop it, too. */
static const char *needs_of(const struct scenario *s)
{
    return arena_printf("restart %s", scenario_server_needs(s));
}

static bool has_own_server(const struct run_options *o,
                           const struct scenario *s)
{
    bool is_apart = s->is_private || (scenario_needs(s, "tls") && !o->tls);
    return is_apart && (o->roamd || o->control);
}

static bool has_server(const struct run_options *o)
{
    return !o->adapter || o->is_pair;
}

static struct result run_on_server(const struct run_options *o,
                                   const struct scenario *s,
                                   struct server *server,
                                   const struct rules *rules)
{
    return o->is_pair ? pair_run_case(o, s, server, rules)
                      : run_case(o, s, server, rules);
}

/* A case with a server of its own. */
static struct result run_private(const struct run_options *o, const char *base,
                                 const struct scenario *s,
                                 const struct rules *rules)
{
    struct server own;
    const char *reason = "";
    run_base_server(o, base, s->settings, &own);
    own.has_needs = *scenario_server_needs(s) != '\0';
    own.is_tls = o->tls || (o->roamd && scenario_needs(s, "tls"));
    struct result r = {
        .s = s, .verdict = VERDICT_HARNESS, .rules = "", .what = ""};
    if (!server_open(&own, &reason)) {
        r.what = r.detail = reason;
    } else if (server_lacks(&own, needs_of(s))) {
        r.verdict = VERDICT_UNSUPPORTED;
        r.what = r.detail = arena_printf("the server has no capability %s",
                                         server_lacks(&own, needs_of(s)));
    } else if (!o->is_pair && scenario_needs(s, "clock") &&
               !server_hold(&own, &reason)) {
        r.what = r.detail = reason;
    } else {
        wait_at_server(o, &own);
        r = run_on_server(o, s, &own, rules);
    }
    if (!server_close(&own, &reason) && r.verdict == VERDICT_PASS) {
        r.verdict = VERDICT_FAIL;
        r.what = r.detail = reason;
    }
    return r;
}

/* ---------------------------------------------------------- the processes */

struct job {
    pid_t pid;
    int fd;        /* its result comes here */
    size_t number; /* index of the case */
    size_t server; /* index of the shared server; SERVER_NONE */
    struct text out;
};
#define SERVER_NONE SIZE_MAX

struct shared_server {
    struct server server;
    bool is_open;
    bool has_failed; /* a case that is red shows what became of it */
};

/* One case of one round. */
struct planned {
    const struct scenario *s;
    size_t round;
};

struct run {
    const struct run_options *o;
    const char *base; /* directory of all servers that are started */
    const struct rules *rules;
    struct planned *cases;
    size_t count, cap;
    struct result *results; /* one a case; s NULL: not there yet */
    size_t printed, failed;
    struct job *jobs;
    size_t job_count;
    struct shared_server *servers;
    size_t server_count, server_cap;
    const struct scenario *sanity;
    bool is_settled; /* what `until_rule` waits for has come */
    struct progress progress;
};

static bool write_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
    return true;
}

/* In the child. */
static void run_child(struct run *r, size_t number, struct server *server,
                      int fd)
{
    const struct scenario *s = r->cases[number].s;
    /* The sanity case runs twice on one server. */
    struct run_options o = *r->o;
    o.nonce = arena_printf("%s-%zu", o.nonce, number);
    o.round = r->cases[number].round;
    o.is_again = number > 0 && s == r->sanity;
    o.seed += o.round;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    struct result result = !has_server(&o) ? client_run_case(&o, s, r->rules)
                           : has_own_server(&o, s)
                               ? run_private(&o, r->base, s, r->rules)
                               : run_on_server(&o, s, server, r->rules);
    const char *packed = report_case_pack(&result);
    write_all(fd, packed, strlen(packed));
    _exit(0);
}

static struct result parse_result(const char *out, int status)
{
    struct result r = {.rules = ""};
    if (!report_case_unpack(out, &r)) {
        r.verdict = VERDICT_HARNESS;
        r.rules = "";
        r.what = r.detail =
            arena_printf("the case's process ended with status 0x%x and no "
                         "result",
                         (unsigned)status);
    }
    return r;
}

bool run_is_red(const struct result *r)
{
    return r->verdict == VERDICT_FAIL || r->verdict == VERDICT_WARN;
}

/* All rules of its case, as a step without a tag names them. */
static bool names_all(const struct result *r)
{
    struct text all = {0};
    for (size_t i = 0; i < r->s->rule_count; i++) {
        text_add(&all, "%s%s", i ? " " : "", r->s->rules[i]);
    }
    return r->s->rule_count > 1 && strcmp(r->rules, text_str(&all)) == 0;
}

bool run_names(const struct result *r, const char *rule)
{
    return !names_all(r) && rules_named(r->rules, rule);
}

/* A result is there; those whose turn it is are printed. */
static void set_result(struct run *r, size_t number, struct result result)
{
    result.s = r->cases[number].s;
    result.round = r->cases[number].round;
    expectations_judge(r->o->expectations, &result);
    bool failed = result.standing == STANDING_UNEXPECTED ||
                  result.standing == STANDING_UNEXPECTED_PASS;
    r->failed += failed;
    r->results[number] = result;
    r->is_settled = r->is_settled || (r->o->until_rule && run_is_red(&result) &&
                                      run_names(&result, r->o->until_rule));
    progress_hide(&r->progress);
    while (r->printed < r->count && r->results[r->printed].s) {
        if (!r->o->quiet) {
            report_result(r->printed + 1, &r->results[r->printed],
                          r->o->rounds);
        }
        r->printed++;
    }
    progress_show(&r->progress, result.s->id, failed);
}

static void set_reason(struct run *r, size_t number, enum verdict verdict,
                       const char *reason)
{
    set_result(
        r, number,
        (struct result){
            .verdict = verdict, .rules = "", .what = reason, .detail = reason});
}

/* Behind the last case, which speaks for servers that do not end well: a crash
 * that no case has seen is a failure all the same. */
static void close_servers(struct run *r, struct result *last)
{
    for (size_t i = 0; i < r->server_count; i++) {
        struct shared_server *s = &r->servers[i];
        const char *reason = "", *how = "";
        bool lives = !s->is_open || server_is_alive(&s->server, &how);
        if (!lives) {
            reason = arena_printf("the server %s", how);
        }
        bool ends = server_close(&s->server, &reason) && lives;
        s->is_open = false;
        if (!ends && last && last->verdict == VERDICT_PASS && !s->has_failed) {
            last->verdict = VERDICT_FAIL;
            last->what = last->detail = reason;
        } else if (!ends) {
            fprintf(stderr, "roam-conform: %s\n", reason);
        }
    }
}

static void finish_job(struct run *r, size_t at)
{
    struct job *j = &r->jobs[at];
    int status = 0;
    waitpid(j->pid, &status, 0);
    close(j->fd);
    size_t number = j->number, server = j->server;
    struct result result = parse_result(text_str(&j->out), status);
    r->jobs[at] = r->jobs[--r->job_count];
    if (server != SERVER_NONE && run_is_red(&result)) {
        r->servers[server].has_failed = true;
    }
    if (number + 1 == r->count && r->job_count == 0) {
        close_servers(r, &result);
    }
    set_result(r, number, result);
}

/* Nothing more is to be run or waited for. */
static bool is_over(const struct run *r)
{
    return interrupted || r->is_settled;
}

/* Reads results until fewer than `most` jobs are left. */
static void wait_for_jobs(struct run *r, size_t most)
{
    while (r->job_count >= most && r->job_count > 0 && !is_over(r)) {
        struct pollfd *fds = arena_alloc(r->job_count * sizeof *fds);
        for (size_t i = 0; i < r->job_count; i++) {
            fds[i] = (struct pollfd){.fd = r->jobs[i].fd, .events = POLLIN};
        }
        size_t count = r->job_count;
        if (poll(fds, (nfds_t)count, -1) < 0) {
            continue;
        }
        for (size_t i = count; i-- > 0;) {
            char buf[4096];
            if (!fds[i].revents) {
                continue;
            }
            ssize_t n = read(r->jobs[i].fd, buf, sizeof buf);
            if (n > 0) {
                text_add_bytes(&r->jobs[i].out, buf, (size_t)n);
            } else {
                finish_job(r, i);
            }
        }
    }
}

/* The shared server of these settings, alive; NULL with a reason. One that was
 * found dead is started again; *died says how, if no case has shown it. */
static struct shared_server *server_for(struct run *r, const char *settings,
                                        const char **reason, const char **died)
{
    struct shared_server *s = NULL;
    for (size_t i = 0; i < r->server_count; i++) {
        if (strcmp(r->servers[i].server.settings, settings) == 0) {
            s = &r->servers[i];
        }
    }
    if (!s) {
        arena_grow((void **)&r->servers, r->server_count, &r->server_cap,
                   sizeof *r->servers);
        s = &r->servers[r->server_count++];
        run_base_server(r->o, r->base, settings, &s->server);
        s->is_open = false;
    }
    if (!s->is_open) {
        s->is_open = server_open(&s->server, reason);
        if (s->is_open) {
            wait_at_server(r->o, &s->server);
        }
        return s->is_open ? s : NULL;
    }
    const char *how;
    if (server_is_alive(&s->server, &how)) {
        return s;
    }
    *died = s->has_failed
                ? NULL
                : arena_printf("behind cases that passed, the server %s", how);
    s->has_failed = false;
    progress_hide(&r->progress);
    fprintf(stderr, "roam-conform: the server %s; started again\n", how);
    return server_start(&s->server, reason) ? s : NULL;
}

/* Settings are roamd's own, and a server of somebody else's goes on. */
static bool is_out_of_reach(const struct run_options *o,
                            const struct scenario *s)
{
    bool settings = *s->settings && !o->roamd;
    bool own = s->is_private && !o->roamd && !o->control;
    bool tls = scenario_needs(s, "tls") && !o->tls && !o->roamd;
    return (settings || own || tls) && !o->any_settings && has_server(o);
}

static void start_case(struct run *r, size_t number)
{
    const struct scenario *s = r->cases[number].s;
    struct shared_server *server = NULL;
    const char *reason = "", *died = NULL;
    if (is_out_of_reach(r->o, s)) {
        set_reason(r, number, VERDICT_UNSUPPORTED,
                   scenario_needs(s, "tls")
                       ? "needs a server with TLS (--tls)"
                       : "needs a server that the suite starts (--roamd)");
        return;
    }
    if (has_server(r->o) && !has_own_server(r->o, s)) {
        server = server_for(r, s->settings, &reason, &died);
        if (!server || died) {
            set_reason(r, number, server ? VERDICT_FAIL : VERDICT_HARNESS,
                       server ? died : reason);
            return;
        }
    }
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        set_reason(r, number, VERDICT_HARNESS, strerror(errno));
        return;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        run_child(r, number, server ? &server->server : NULL, fds[1]);
    }
    close(fds[1]);
    r->jobs[r->job_count++] = (struct job){
        .pid = pid,
        .fd = fds[0],
        .number = number,
        .server = server ? (size_t)(server - r->servers) : SERVER_NONE};
}

static void end_jobs(struct run *r)
{
    for (size_t i = 0; i < r->job_count; i++) {
        kill(r->jobs[i].pid, SIGKILL);
        waitpid(r->jobs[i].pid, NULL, 0);
    }
}

static void plan_case(struct run *r, const struct scenario *s, size_t round)
{
    arena_grow((void **)&r->cases, r->count, &r->cap, sizeof *r->cases);
    r->cases[r->count++] = (struct planned){s, round};
}

static size_t rounds_of(const struct run_options *o)
{
    return o->rounds ? o->rounds : 1;
}

static void select_by_prefix(struct run *r, const struct scenarios *all,
                             size_t n)
{
    for (size_t round = 0; round < rounds_of(r->o); round++) {
        for (size_t i = 1; i < all->count; i++) {
            if (n == 0 || strncmp(all->at[i]->id, r->o->prefix, n) == 0) {
                plan_case(r, all->at[i], round);
            }
        }
    }
}

/* Where one rule alone is of interest, a sanity case proves nothing. */
static void select_cases(struct run *r, const struct scenarios *all)
{
    size_t n = r->o->prefix ? strlen(r->o->prefix) : 0;
    r->sanity = all->at[0];
    if (r->o->until_rule) {
        select_by_prefix(r, all, n);
        return;
    }
    plan_case(r, all->at[0], 0);
    select_by_prefix(r, all, n);
    bool sanity = n > 0 && strncmp(all->at[0]->id, r->o->prefix, n) == 0;
    if (r->count == 1 && !sanity && n > 0) {
        r->count = 0;
        return;
    }
    plan_case(r, all->at[0], rounds_of(r->o) - 1);
}

/* What was not run is told as such. */
static void fill_up(struct run *r)
{
    for (size_t i = 0; i < r->count && is_over(r); i++) {
        if (!r->results[i].s) {
            set_reason(r, i, VERDICT_NOT_EXERCISED, "it did not run");
        }
    }
}

/* Between two rounds: a failure was what we waited for. */
static bool ends_here(const struct run *r, size_t next)
{
    return r->o->until_failure && r->failed > 0 && next > 1 &&
           r->cases[next].round != r->cases[next - 1].round;
}

static void run_all(struct run *r)
{
    size_t i = 0;
    for (; i < r->count && !is_over(r); i++) {
        bool alone = r->cases[i].s == r->sanity || r->o->attach;
        bool between = i > 1 && r->cases[i].round != r->cases[i - 1].round;
        wait_for_jobs(r, alone || between ? 1 : r->o->jobs);
        if (ends_here(r, i)) {
            r->count = i;
            break;
        }
        if (is_over(r)) {
            break;
        }
        start_case(r, i);
        if (alone) {
            wait_for_jobs(r, 1);
        }
    }
    wait_for_jobs(r, 1);
    end_jobs(r);
    fill_up(r);
}

bool run_suite(const struct run_options *o, const struct scenarios *all,
               const struct rules *rules, struct results *out)
{
    struct run r = {.o = o, .rules = rules};
    if (all->count > 0) {
        select_cases(&r, all);
    }
    if (r.count == 0) {
        return false;
    }
    const char *reason = "";
    r.base = server_base_make(&reason);
    if (!r.base) {
        fprintf(stderr, "roam-conform: %s\n", reason);
        return false;
    }
    r.results = arena_alloc(r.count * sizeof *r.results);
    r.jobs = arena_alloc((o->jobs + 1) * sizeof *r.jobs);
    progress_begin(&r.progress, r.count, o->quiet, !o->trace && !o->attach);
    if (!o->quiet) {
        report_version();
    }
    if (!o->quiet && !o->until_failure) {
        report_plan(r.count);
    }
    run_all(&r);
    progress_hide(&r.progress);
    if (!o->quiet && o->until_failure) {
        report_plan(r.count);
    }
    close_servers(&r, NULL);
    server_base_remove(r.base);
    out->at = r.results;
    out->count = r.count;
    return !interrupted;
}
