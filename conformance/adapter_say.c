/* SPDX-License-Identifier: Apache-2.0 */
/* See adapter_say.h. */
#include "adapter_say.h"

#include <string.h>
#include <sys/wait.h>
#include <time.h>

/* So much of a line or value as a person needs to know it again. */
#define SHOWN_CHARS 100u
/* The same of a traced line, which may be all body. */
#define TRACED_CHARS 1000u
/* For what a process does between the end of its output and its own. */
#define END_PATIENCE_MS 1000u

static const char *start_of(const json_t *value, size_t chars)
{
    const char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (!text) {
        return "";
    }
    return strlen(text) > chars ? arena_printf("%.*s...", (int)chars, text)
                                : text;
}

static const char *shown(const json_t *value)
{
    return start_of(value, SHOWN_CHARS);
}

const char *adapter_say_member(const json_t *line, const char *key,
                               enum member_kind kind)
{
    static const char *const wanted[] = {
        [MEMBER_NUMBER] = "a number as decimal text",
        [MEMBER_ENUM] = "a name of roam.proto, or its number as decimal text",
        [MEMBER_TEXT] = "text",
        [MEMBER_HEX] = "lower-case hexadecimal text",
        [MEMBER_BOOL] = "true or false"};
    const json_t *value = json_object_get(line, key);
    return arena_printf("`%s` must be %s, and is %s", key, wanted[kind],
                        value ? shown(value) : "absent");
}

const char *adapter_say_state(const json_t *state)
{
    static const char *const numbers[] = {"cursor", "attempt", "connections",
                                          "sent", "unsent"};
    uint64_t n;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (!json_u64(state, numbers[i], &n)) {
            return adapter_say_member(state, numbers[i], MEMBER_NUMBER);
        }
    }
    if (json_object_get(state, "next_ms") && !json_u64(state, "next_ms", &n)) {
        return adapter_say_member(state, "next_ms", MEMBER_NUMBER);
    }
    return json_is_boolean(json_object_get(state, "connected"))
               ? NULL
               : adapter_say_member(state, "connected", MEMBER_BOOL);
}

const char *adapter_say_stray(const struct adapter *a, uint64_t id)
{
    for (size_t i = 0; i < a->answer_count; i++) {
        const struct adapter_line *l = &a->answers[i];
        if (l->taken) { /* most, in a long case: nothing is looked up */
            continue;
        }
        const json_t *has = json_object_get(l->json, "id");
        if (json_integer_value(has) != (json_int_t)id) {
            return arena_printf("an answer must have the `id` of its request, "
                                "%" JSON_INTEGER_FORMAT
                                " now, once; what came is %s",
                                (json_int_t)id, shown(l->json));
        }
    }
    return NULL;
}

const char *adapter_say_line(const json_t *line)
{
    return start_of(line, TRACED_CHARS);
}

const char *adapter_say_status(int status)
{
    return WIFSIGNALED(status)
               ? arena_printf("by signal %d", WTERMSIG(status))
               : arena_printf("with status %d", WEXITSTATUS(status));
}

/* -1: it is not ours, or closed its output and goes on. */
static int status_of(struct adapter *a)
{
    const struct timespec step = {.tv_nsec = 2000000};
    uint64_t deadline = now_ms() + END_PATIENCE_MS;
    int status = -1;
    while (a->pid > 0 && waitpid(a->pid, &status, WNOHANG) == 0 &&
           now_ms() < deadline) {
        nanosleep(&step, NULL);
    }
    a->pid = status < 0 ? a->pid : 0;
    return status;
}

const char *adapter_say_fault(struct adapter *a)
{
    bool by_itself =
        a->ended && strcmp(a->fault, arena_printf("%s ended", a->name)) == 0;
    int status = by_itself ? status_of(a) : -1;
    return status < 0
               ? a->fault
               : arena_printf("%s %s", a->fault, adapter_say_status(status));
}
