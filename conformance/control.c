/* SPDX-License-Identifier: Apache-2.0 */
/* See control.h. The lines go as those of adapters do. */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "adapter.h"
#include "scn_lex.h"

struct control {
    struct adapter channel;
    struct adapter_target target; /* of a program */
};

bool control_capability_known(const char *name)
{
    static const char *const known[] = {"clock",  "fail-write", "trim",
                                        "backup", "restart",    "tls",
                                        "far",    "files"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i], name) == 0) {
            return true;
        }
    }
    return false;
}

struct control *control_pair(int *theirs, const char **reason)
{
    struct control *c = arena_alloc(sizeof *c);
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        *reason = arena_string(strerror(errno));
        return NULL;
    }
    adapter_attach(&c->channel, fds[0]);
    c->channel.may_end = true; /* when the server does */
    *theirs = fds[1];
    return c;
}

struct control *control_run(const char *command, const char **reason)
{
    struct control *c = arena_alloc(sizeof *c);
    struct words w;
    words_split(command, &w);
    char **argv = arena_alloc((w.count + 1) * sizeof *argv);
    for (size_t i = 0; i < w.count; i++) {
        argv[i] = arena_string(w.at[i]);
    }
    c->target.argv = argv;
    return adapter_open(&c->channel, &c->target, reason) ? c : NULL;
}

/* Reads what comes until then; false: nothing will come any more. */
static bool wait(struct control *c, uint64_t deadline_ms)
{
    struct adapter *a = &c->channel;
    uint64_t now = now_ms();
    struct pollfd p = {.fd = a->out, .events = POLLIN};
    poll(&p, 1, deadline_ms > now ? (int)(deadline_ms - now) : 0);
    adapter_read(a);
    return !a->ended && !a->fault && now_ms() < deadline_ms;
}

static const char *what_ended(const struct control *c)
{
    if (c->channel.fault) {
        return arena_printf("%s %s", c->channel.fault,
                            adapter_errors(&c->channel));
    }
    return c->channel.ended ? "the other end has gone" : "no answer";
}

bool control_greet(struct control *c, uint64_t deadline_ms, const char **reason)
{
    const json_t *hello = NULL;
    bool goes_on = true;
    while (!(hello = c->channel.hello) && goes_on) {
        goes_on = wait(c, deadline_ms);
    }
    if (!hello) {
        *reason = arena_printf("control: no hello: %s", what_ended(c));
        return false;
    }
    bool good = json_integer_value(json_object_get(hello, "control")) ==
                    CONTROL_VERSION &&
                json_is_array(json_object_get(hello, "capabilities"));
    if (!good) {
        *reason = "control: hello: \"control\" must be 1, \"capabilities\" an "
                  "array";
    }
    return good;
}

const json_t *control_hello(const struct control *c)
{
    return c->channel.hello;
}

bool control_can(const struct control *c, const char *capability)
{
    return adapter_can(&c->channel, capability);
}

json_t *control_ask(struct control *c, const char *verb, json_t *request,
                    uint64_t deadline_ms, const char **reason)
{
    struct adapter *a = &c->channel;
    uint64_t id = adapter_request(a, verb, request);
    json_t *answer = NULL;
    bool goes_on = id != 0;
    while (id != 0 && !(answer = adapter_answer(a, id)) && goes_on) {
        goes_on = wait(c, deadline_ms);
    }
    const char *result = answer ? adapter_result(answer) : NULL;
    if (result && strcmp(result, "ok") == 0) {
        return answer;
    }
    const char *code = answer ? json_text(answer, "code") : NULL;
    *reason = arena_printf("control: %s: %s %s", verb,
                           result   ? result
                           : answer ? "no answer that CONTROL.md knows"
                                    : what_ended(c),
                           code ? code : "");
    return NULL;
}

void control_close(struct control *c, uint64_t patience_ms)
{
    adapter_close(&c->channel, patience_ms);
}
