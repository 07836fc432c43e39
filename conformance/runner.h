/* SPDX-License-Identifier: Apache-2.0 */
/* Runs many cases: each in a process of its own, several at a time, on one
 * server for all that want the same settings. A case that crashes, or
 * crashes the server, costs one case. */
#ifndef CONFORM_RUNNER_H
#define CONFORM_RUNNER_H

#include "adapter.h"
#include "expectations.h"
#include "report.h"

/* The least for a start, however short the steps are: it loads libraries, or
 * opens a store and syncs it, which takes seconds on a machine that is busy. */
#define RUN_START_MS 10000u

struct run_options {
    const struct adapter_target *adapter; /* client and pair; else NULL */
    const struct adapter_target
        *sibling;            /* pair: every other device; or NULL */
    bool is_pair;            /* a real server too */
    const char *roamd;       /* program; or NULL and: */
    const char *control;     /* words of a program that runs it */
    const struct bend *bend; /* before roamd; NULL: none */
    const char *host;
    uint16_t port;
    const char *listen;    /* IPv4; where clients find their server */
    bool tls;              /* all cases go over it */
    const char *ca;        /* PEM file for that; NULL: roamd's own */
    const char *provision; /* NULL: any user is taken as it is */
    bool any_settings;     /* run cases although settings cannot be made */
    const char *prefix;    /* of case ids; NULL: all */
    uint64_t seed;
    const char *nonce; /* makes names fresh on a server that stays */
    size_t jobs;
    uint64_t timeout_ms; /* of each step */
    uint64_t start_ms;   /* for a peer to start, and to end when told to */
    bool trace;
    bool record;            /* what happened, for reports */
    bool timeless;          /* durations are told as 0: for golden files */
    const char *trace_dir;  /* a trace of each case there; NULL: none */
    bool attach;            /* waits for a debugger, knows no time limit */
    size_t rounds;          /* of all cases but the sanity case; 0 is 1 */
    bool until_failure;     /* ends behind the first round with one */
    const char *until_rule; /* ends with the first red case that names this
                               rule; NULL: runs all */
    struct expectations *expectations; /* of the peer; NULL: none */
    const char *dump_seeds;            /* directory; NULL: nothing is dumped */
    bool quiet;                        /* print nothing, only collect */
    /* What runs it again, without and behind the case and its seed. */
    const char *command;
    const char *target; /* whom, for the roles client and pair; else "" */
    size_t round;       /* of the case, from 0 */
    bool is_again;      /* the sanity case, as the last one */
};

/* The first scenario is the sanity case; it runs first and last, alone, but
 * not with until_rule.
 * Fills *out in order. False when nothing was selected, and with results
 * when the run was interrupted: what did not run is NOT_EXERCISED. */
bool run_suite(const struct run_options *o, const struct scenarios *all,
               const struct rules *rules, struct results *out);
/* One case in this process; never returns a verdict UNSUPPORTED. */
struct result run_case(const struct run_options *o, const struct scenario *s,
                       struct server *server, const struct rules *rules);
/* A server as the options have it, not yet open. */
void run_base_server(const struct run_options *o, const char *base,
                     const char *settings, struct server *out);
/* The command that runs this one case again. */
const char *run_repeat_command(const struct run_options *o,
                               const struct scenario *s);
/* What both roles do when a case has ended: record, traces. */
void run_close_case(const struct run_options *o, struct world *w,
                    struct result *r);
/* With --attach: says who waits, and waits for a line on standard input. */
void run_wait_for_key(const struct run_options *o, const char *who);
/* Did the peer break a rule in it? This one? A step without a tag names none of
 * the rules of its case, unless there is only one. */
bool run_is_red(const struct result *r);
bool run_names(const struct result *r, const char *rule);
bool run_interrupted(void);
void run_catch_signals(void);

#endif
