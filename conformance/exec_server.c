/* SPDX-License-Identifier: Apache-2.0 */
/* See exec_server.h. What a server cannot do was found out before the case
 * began: from here on it is the failure of the server, or of the program that
 * runs it. */
#include "exec_server.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "expr.h"
#include "judge.h"
#include "link.h"
#include "scn_server.h"
#include "seeds.h"

static void drop_all(struct world *w)
{
    for (size_t i = 0; i < w->s->device_count; i++) {
        if (w->devices[i].link) {
            link_end(w, &w->devices[i], false);
        }
    }
}

/* A time such as 8d, or an expression that is milliseconds. */
static bool time_of(struct world *w, const struct step *step, uint64_t *ms)
{
    return duration_parse(step->operand, ms) ||
           expr_number(w, step->operand, ms);
}

static bool advance(struct world *w, const struct step *step,
                    const char **reason)
{
    uint64_t ms;
    if (!time_of(w, step, &ms) || !server_advance(w->server, ms, reason)) {
        return false;
    }
    w->passed_ms += ms;
    world_set_now(w);
    return true;
}

static bool set_back(struct world *w, const struct step *step,
                     const char **reason)
{
    uint64_t ms;
    if (!time_of(w, step, &ms) || !server_set_back(w->server, ms, reason)) {
        return false;
    }
    world_set_now(w);
    return true;
}

static bool fail_write(struct world *w, const struct step *step,
                       const char **reason)
{
    bool stored = strcmp(step->operand, "stored") == 0;
    *reason = "fail-write lost, or fail-write stored";
    return (stored || strcmp(step->operand, "lost") == 0) &&
           server_fail_write(w->server, stored, reason);
}

static bool backup(struct world *w, const char **reason)
{
    judge_backup(w);
    return server_backup(w->server, reason);
}

static bool restore(struct world *w, const char **reason)
{
    judge_restored(w);
    return server_restore(w->server, reason);
}

static bool carry_out(struct world *w, const struct step *step,
                      const char **reason)
{
    struct server *s = w->server;
    switch ((enum server_act)step->act) {
    case SERVER_KILL:
        if (!server_stop(s, SIGKILL, reason)) {
            return false;
        }
        drop_all(w);
        return true;
    case SERVER_TERMINATE:
        return server_stop(s, SIGTERM, reason);
    case SERVER_RESTART:
        if (!server_stop(s, SIGTERM, reason)) {
            return false;
        }
        drop_all(w);
        return server_start(s, reason);
    case SERVER_START:
        return server_start(s, reason);
    case SERVER_DRAIN:
        return server_drain(s, reason);
    case SERVER_ENDED:
        return server_await_end(s, reason);
    case SERVER_ADVANCE:
        return advance(w, step, reason);
    case SERVER_SET_BACK:
        return set_back(w, step, reason);
    case SERVER_TRIM:
        return server_trim(s, reason);
    case SERVER_FAIL_WRITE:
        return fail_write(w, step, reason);
    case SERVER_HOLD_STORE:
        return server_hold_store(s, reason);
    case SERVER_FREE_STORE:
        return server_free_store(s, reason);
    case SERVER_BACKUP:
        return backup(w, reason);
    case SERVER_RESTORE:
        return restore(w, reason);
    case SERVER_SECRETS:
        return exec_secrets(w);
    case SERVER_NOTE:
        return exec_note(w);
    case SERVER_UNWRITTEN:
    case SERVER_WRITTEN:
        return exec_store_is_same(w, step->act == SERVER_UNWRITTEN);
    case SERVER_GROWN_LESS:
        return exec_memory_below(w, step->operand);
    }
    return false;
}

bool exec_server(struct world *w, const struct step *step)
{
    const char *reason = "";
    world_event(w, NULL, "-",
                arena_printf("server %s%s%s", step->word,
                             step->operand ? " " : "",
                             step->operand ? step->operand : ""));
    return seeds_server(w, step->word) &&
           (carry_out(w, step, &reason) ||
            world_server_fail(w, reason, "a server that does so"));
}
