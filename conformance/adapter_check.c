/* SPDX-License-Identifier: Apache-2.0 */
/* The self-check: whether an adapter can be believed. It comes before any
 * verdict, because an adapter that says ok to everything, mixes its handles
 * up or hides that a server lies would make every case worthless. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "adapter_say.h"
#include "client_role.h"
#include "client_scn.h"
#include "peers.h"

/* Longer than any buffer between two processes. */
#define LONG_LINE_BYTES 200000u
#define HOUR_MS 3600000u

struct probe {
    struct adapter a;
    uint64_t timeout_ms, start_ms;
    bool trace;
    const char *reason; /* NULL: nothing wrong so far */
};

static bool wrong(struct probe *p, const char *reason)
{
    if (!p->reason) {
        const char *errors = adapter_errors(&p->a);
        p->reason = *errors ? arena_printf("%s\nits standard error:\n%s",
                                           reason, errors)
                            : reason;
    }
    return false;
}

/* Nothing came in time: was it written, and is stuck in a buffer? Of a hello
 * nobody can tell whether it was, or the adapter is slow to start. */
static bool silent(struct probe *p, const char *what, bool is_hello,
                   uint64_t limit_ms)
{
    size_t lines = p->a.answer_count + p->a.event_count + (p->a.hello != NULL);
    adapter_close(&p->a, p->start_ms);
    bool late =
        p->a.answer_count + p->a.event_count + (p->a.hello != NULL) > lines;
    const char *slow =
        is_hello ? arena_printf(", or give it more than these %" PRIu64
                                " ms to start: --timeout MS",
                                limit_ms)
                 : "";
    return wrong(p, late ? arena_printf("%s came only when its input was "
                                        "closed: flush standard output "
                                        "behind every line%s",
                                        what, slow)
                         : arena_printf("%s did not come within %" PRIu64 " ms",
                                        what, limit_ms));
}

/* Reads until there is a hello (id 0) or the answer. */
static json_t *await(struct probe *p, uint64_t id, const char *what)
{
    uint64_t limit_ms = id ? p->timeout_ms : p->start_ms;
    uint64_t deadline = now_ms() + limit_ms;
    for (;;) {
        const char *mistake = adapter_say_stray(&p->a, id);
        json_t *found = mistake ? NULL
                        : id    ? adapter_answer(&p->a, id)
                                : p->a.hello;
        if (found) {
            return found;
        }
        if (p->a.fault && !mistake) {
            mistake = adapter_say_fault(&p->a);
        }
        if (mistake) {
            wrong(p, arena_printf("%s (waiting for %s)", mistake, what));
            return NULL;
        }
        uint64_t now = now_ms();
        struct pollfd f = {.fd = p->a.out, .events = POLLIN};
        if (now >= deadline || poll(&f, 1, (int)(deadline - now)) == 0) {
            silent(p, what, id == 0, limit_ms);
            return NULL;
        }
        adapter_read(&p->a);
    }
}

static void trace_line(const struct probe *p, const char *arrow,
                       const json_t *line)
{
    if (p->trace && line) {
        fprintf(stderr, "self-check: adapter%s %s\n", arrow,
                adapter_say_line(line));
    }
}

/* The result of a request: ok, error, unsupported; "" when it went wrong. */
static const char *ask(struct probe *p, const char *verb, json_t *request,
                       json_t **answer)
{
    uint64_t id = adapter_request(&p->a, verb, request);
    trace_line(p, ">", request);
    *answer =
        id ? await(p, id, arena_printf("the answer to `%s`", verb)) : NULL;
    trace_line(p, "<", *answer);
    const char *result = *answer ? adapter_result(*answer) : "";
    if (!id) {
        wrong(p, p->a.fault);
    } else if (!result) {
        wrong(p, arena_printf("the answer to `%s` is neither ok nor error nor "
                              "unsupported",
                              verb));
    }
    return result ? result : "";
}

static bool check_unknown_verb(struct probe *p, uint64_t seed)
{
    struct prng random;
    prng_seed(&random, seed, "verb");
    const char *verb =
        arena_printf("frobnicate-%" PRIx64, prng_next(&random) >> 40);
    char *long_text = arena_alloc(LONG_LINE_BYTES + 1);
    memset(long_text, 'x', LONG_LINE_BYTES);
    for (int i = 0; i < 2; i++) {
        json_t *answer, *r = json_object();
        json_object_set_new(r, "text", json_string(i ? long_text : "short"));
        const char *result = ask(p, verb, r, &answer);
        if (strcmp(result, "unsupported") != 0) {
            return wrong(p, arena_printf("a verb that nobody knows%s must be "
                                         "`unsupported`, and was `%s`",
                                         i ? ", in a line of 200 KB," : "",
                                         result));
        }
    }
    return true;
}

static bool check_unknown_handle(struct probe *p)
{
    json_t *answer, *r = json_object();
    json_object_set_new(r, "handle", json_string("never-opened"));
    const char *result = ask(p, "state", r, &answer);
    if (strcmp(result, "error") != 0) {
        return wrong(p, arena_printf("`state` of a handle that was never "
                                     "opened must be an `error`, and was `%s`",
                                     result));
    }
    return (json_text(answer, "code") &&
            json_is_boolean(json_object_get(answer, "definite"))) ||
           wrong(p, "an error needs `code`, and `definite` true or false");
}

static bool check_clock(struct probe *p)
{
    uint64_t at[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        json_t *answer, *r = json_object();
        json_set_u64(r, "ms", i ? HOUR_MS : 1);
        const char *result = ask(p, "advance", r, &answer);
        if (!p->a.is_virtual) {
            return strcmp(result, "unsupported") == 0 ||
                   wrong(p, "a real clock cannot `advance`: unsupported");
        }
        if (strcmp(result, "ok") != 0 || !json_u64(answer, "now", &at[i])) {
            return wrong(p, "`advance` must be answered ok with `now`");
        }
    }
    return at[1] - at[0] == HOUR_MS ||
           wrong(p,
                 arena_printf("`advance` must move `now` by just so much: "
                              "by %u, and it went from %" PRIu64 " to %" PRIu64,
                              HOUR_MS, at[0], at[1]));
}

static bool check_quit(struct probe *p)
{
    json_t *answer;
    if (strcmp(ask(p, "quit", json_object(), &answer), "ok") != 0) {
        return wrong(p, "`quit` must be answered ok");
    }
    int status = adapter_close(&p->a, p->start_ms);
    return status <= 0 ||
           wrong(p, arena_printf("it ended %s behind `quit`, must be with "
                                 "status 0",
                                 adapter_say_status(status)));
}

/* A slip of the pen here would leave cases out, and look like a pass. */
static bool note_capabilities(const struct adapter *a)
{
    const json_t *list = json_object_get(a->hello, "capabilities");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name || !client_capability_known(name) ||
            strcmp(name, "clock") == 0) {
            fprintf(stderr,
                    "roam-conform: the hello has a capability that this suite "
                    "does not know: %s\n",
                    name ? name : "one that is no text");
        }
    }
    return true;
}

static bool check_lines(struct probe *p, const struct run_options *o)
{
    const char *reason = "";
    if (!adapter_open(&p->a, o->adapter, &reason)) {
        return wrong(p, reason);
    }
    const json_t *hello = await(p, 0, "the hello");
    trace_line(p, "<", hello);
    bool ok = hello && (adapter_greeted(&p->a) || wrong(p, p->a.fault)) &&
              note_capabilities(&p->a) && check_unknown_verb(p, o->seed) &&
              check_unknown_handle(p) && check_clock(p) && check_quit(p);
    adapter_close(&p->a, 0);
    return ok;
}

/* What needs a server: the same machinery as any case. */
static const struct {
    const char *what, *text;
} cases[] = {
    {"it failed with two handles, which must be independent of each other:",
     "# two handles are independent\n"
     "rules LOGIN-1\nroles client\n"
     "device x user=alice type=PHONE\n"
     "device y user=bob type=DESKTOP\n"
     "x open\ny open\n"
     "x start\n"
     "y state\n"
     "check $y.connections = 0\n"
     "y start\n"
     "x< PUSH body=\"for x\"\n"
     "y fence\n"
     "x: message body=\"for x\"\n"
     "y! message\n"
     "y state\nx state\n"
     "check $y.cursor = 0 and $x.cursor = 1\n"},
    {"it failed with a server that lies, which `detail` of event `closed` "
     "must report:",
     "# a server that lies is reported\n"
     "rules FRAME-14\nroles client\n"
     "device x user=alice type=PHONE\n"
     "x start\n"
     "x< PUSH body=\"true\"\n"
     "x: message body=\"true\"\n"
     "raw x< PUSH body=\"false\" lie edit truncate=1\n"
     "x> closed\n"
     "x: closed detail!=\"\"\n"},
};

bool client_self_check(const struct run_options *o, const struct rules *rules,
                       const char **reason)
{
    struct probe p = {.timeout_ms = o->timeout_ms,
                      .start_ms = o->start_ms,
                      .trace = o->trace};
    /* These cases are ours: nothing is told of them but a failure. */
    struct run_options plain = *o;
    plain.record = plain.attach = false;
    /* A client may take plain TCP to elsewhere for a mistake. */
    plain.tls = o->tls && strcmp(o->listen, PEER_LOOPBACK) != 0;
    plain.trace_dir = plain.dump_seeds = NULL;
    *reason = p.reason;
    if (!check_lines(&p, o)) {
        *reason = p.reason;
        return false;
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *error = "";
        struct scenario *s = scenario_parse(
            cases[i].text, "(self-check)",
            arena_printf("self-check-%zu", i + 1), ROLE_CLIENT, &error);
        struct result r = {.verdict = VERDICT_HARNESS, .detail = error};
        if (s) {
            r = client_run_case(&plain, s, rules);
        }
        if (r.verdict == VERDICT_UNSUPPORTED) {
            *reason = r.what;
            return false;
        }
        if (r.verdict != VERDICT_PASS) {
            *reason = arena_printf("%s\n%s", cases[i].what, r.detail);
            return false;
        }
    }
    return true;
}
