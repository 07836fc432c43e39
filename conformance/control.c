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

/* The code of an error by which a program says that it did its part. */
#define CODE_SERVER "SERVER"

struct control {
    struct adapter channel;
    struct adapter_target target; /* of a program; argv NULL: there is none */
    bool is_servers;              /* the last failure */
};

bool control_capability_known(const char *name)
{
    static const char *const known[] = {
        "clock", "fail-write", "trim", "backup", "restart",
        "tls",   "hold-store", "far",  "files",  "memory"};
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
    c->target.argv = command_words(command);
    bool ok = adapter_open(&c->channel, &c->target, reason);
    c->channel.name = control_name(c);
    return ok ? c : NULL;
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

const char *control_name(const struct control *c)
{
    return c->target.argv ? "the control program" : "the server";
}

bool control_blames_server(const struct control *c)
{
    return c->is_servers;
}

/* Why no line of it came, and its last words. */
static const char *why_silent(const struct control *c)
{
    const struct adapter *a = &c->channel;
    const char *why = a->ended   ? "it ended"
                      : a->fault ? arena_printf("it said: %s", a->fault)
                                 : "it did not come in time";
    const char *errors = adapter_errors(a);
    return *errors ? arena_printf("%s\nits standard error:\n%s", why, errors)
                   : why;
}

bool control_greet(struct control *c, uint64_t deadline_ms, const char **reason)
{
    const json_t *hello = NULL;
    bool goes_on = true;
    while (!(hello = c->channel.hello) && goes_on) {
        goes_on = wait(c, deadline_ms);
    }
    if (!hello) {
        *reason = arena_printf("control: no hello: %s", why_silent(c));
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

/* What a program answered that is not `ok`. */
static const char *refusal(struct control *c, const char *verb,
                           const json_t *answer)
{
    const char *result = adapter_result(answer);
    const char *code = json_text(answer, "code");
    const char *detail = json_text(answer, "detail");
    detail = detail ? arena_printf(": %s", detail) : "";
    if (!result) {
        return arena_printf("%s answered %s neither ok nor error nor "
                            "unsupported",
                            control_name(c), verb);
    }
    if (strcmp(result, "error") == 0 && code &&
        strcmp(code, CODE_SERVER) == 0) {
        c->is_servers = true;
        return arena_printf("the server failed at `%s`%s", verb, detail);
    }
    return arena_printf("%s answered %s%s%s to %s%s", control_name(c), result,
                        code ? " " : "", code ? code : "", verb, detail);
}

/* NULL with a reason: no answer came. */
static json_t *exchange(struct control *c, const char *verb, json_t *request,
                        uint64_t deadline_ms, const char **reason)
{
    struct adapter *a = &c->channel;
    uint64_t id = adapter_request(a, verb, request);
    json_t *answer = NULL;
    bool goes_on = id != 0;
    while (id != 0 && !(answer = adapter_answer(a, id)) && goes_on) {
        goes_on = wait(c, deadline_ms);
    }
    c->is_servers = !c->target.argv;
    if (!answer) {
        *reason = arena_printf("no answer of %s to %s: %s", control_name(c),
                               verb, why_silent(c));
    }
    return answer;
}

json_t *control_ask(struct control *c, const char *verb, json_t *request,
                    uint64_t deadline_ms, const char **reason)
{
    json_t *answer = exchange(c, verb, request, deadline_ms, reason);
    const char *result = answer ? adapter_result(answer) : NULL;
    if (answer && (!result || strcmp(result, "ok") != 0)) {
        *reason = refusal(c, verb, answer);
        return NULL;
    }
    return answer;
}

bool control_knows_no(struct control *c, const char *verb, uint64_t deadline_ms,
                      const char **reason)
{
    json_t *request = json_pack("{s:s}", "field", "that nobody knows, too");
    json_t *answer = exchange(c, verb, request, deadline_ms, reason);
    const char *result = answer ? adapter_result(answer) : NULL;
    if (!answer || (result && strcmp(result, "unsupported") == 0)) {
        return answer != NULL;
    }
    *reason =
        arena_printf("%s answered %s to a verb that nobody knows; it must "
                     "be unsupported",
                     control_name(c), result ? result : "nonsense");
    return false;
}

void control_close(struct control *c, uint64_t patience_ms)
{
    adapter_close(&c->channel, patience_ms);
}
