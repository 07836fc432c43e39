/* SPDX-License-Identifier: Apache-2.0 */
/* See control_check.h. A program that says ok and does nothing would make
 * every case about it worthless, in both ways: one fails that should pass, and
 * the server is told a liar; one passes that should fail. A server that is set
 * otherwise than the suite asks for fails cases that have nothing to do with
 * it.
 *
 * Each of these lies is a case that passes if it is told. Whatever else goes
 * wrong in it is the server's, and is left to the cases of the suite. */
#include "control_check.h"

#include <inttypes.h>

/* In this order: the last one may leave no server. */
static const struct {
    const char *needs; /* a capability; NULL: none */
    const char *what, *steps;
} lies[] = {
    {NULL,
     "the command that provisions says ok to `user` and `token`, and the "
     "server does not know them: REFUSED CREDENTIAL",
     "a connect\n"
     "a> LOGIN\n"
     "a< REFUSED reason=CREDENTIAL\n"},
    {NULL,
     "the server tells a user of a new device [DEV-7]; for this suite it must "
     "be set not to, as nearly every case would meet that entry",
     "device b user=alice type=TABLET\n"
     "a connect\n"
     "a> LOGIN\n"
     "a< LOGIN_OK\n"
     "b connect\n"
     "b> LOGIN\n"
     "b< LOGIN_OK head=$h\n"
     "check $h > 0\n"},
    {"clock",
     "the control program says ok to `advance`, and a message is dated before "
     "the `now` that it tells",
     "server advance 1h\n"
     "a start\n"
     "a> SEND conversation=alice body=\"1\"\n"
     "a< SEND_OK msg_id=$m\n"
     "check $m < $now_id\n"},
    {"clock",
     "the control program says ok to `hold` and `advance`, and a message is "
     "dated behind the `now` that it tells",
     "server advance 1h\n"
     "a start\n"
     "a> SEND conversation=alice body=\"1\"\n"
     "a< SEND_OK msg_id=$m\n"
     "server advance 1\n"
     "check $m >= $now_id\n"},
    {"hold-store",
     "the control program says ok to `hold-store`, and the store answers",
     "a login\n"
     "server hold-store\n"
     "a> SYNC cursor=0\n"
     "repeat 200\n"
     "  a> PING id=7\n"
     "  a< PONG id=7\n"
     "end\n"
     "a> SYNC cursor=0\n"
     "a< SYNC_OK\n"
     "a< SYNC_OK\n"},
    {"restart",
     "the control program says ok to `kill`, and the server lets devices in",
     "server kill\n"
     "a> LOGIN\n"
     "a< LOGIN_OK\n"},
};

static struct scenario *lie(size_t i, const char **error)
{
    const char *needs =
        lies[i].needs ? arena_printf("needs %s\n", lies[i].needs) : "";
    const char *text = arena_printf("# a lie\n"
                                    "rules LOGIN-1\n"
                                    "roles server\n"
                                    "%s"
                                    "device a user=alice type=PHONE\n%s",
                                    needs, lies[i].steps);
    return scenario_parse(text, "(self-check)",
                          arena_printf("self-check-%zu", i + 1), ROLE_SERVER,
                          error);
}

/* Or the case could not be run, by a mistake of the program or command. */
static bool is_told(const struct run_options *o, const struct rules *rules,
                    size_t i, struct server *s, const char **reason)
{
    struct scenario *scenario = lie(i, reason);
    if (!scenario) {
        return true;
    }
    struct result r = run_case(o, scenario, s, rules);
    *reason = r.verdict == VERDICT_PASS ? lies[i].what : r.what;
    return r.verdict == VERDICT_PASS || r.verdict == VERDICT_HARNESS;
}

static bool can_tell(const struct server *s, size_t i)
{
    return !lies[i].needs ||
           (s->channel && control_can(s->channel, lies[i].needs));
}

static bool check_verb(struct server *s, uint64_t seed, const char **reason)
{
    struct prng random;
    prng_seed(&random, seed, "verb");
    const char *verb =
        arena_printf("frobnicate-%" PRIx64, prng_next(&random) >> 40);
    return !s->channel ||
           control_knows_no(s->channel, verb, now_ms() + s->timeout_ms, reason);
}

static bool check(const struct run_options *o, const struct rules *rules,
                  struct server *s, const char **reason)
{
    if (!server_open(s, reason) || !check_verb(s, o->seed, reason)) {
        return false;
    }
    bool is_held = s->channel && control_can(s->channel, "clock");
    if (is_held && !server_hold(s, reason)) {
        return false;
    }
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        if (can_tell(s, i) && is_told(o, rules, i, s, reason)) {
            return false;
        }
    }
    return true;
}

bool control_self_check(const struct run_options *o, const struct rules *rules,
                        const char **reason)
{
    /* Nothing is told of these cases but a failure, and no seed comes of
     * them. */
    struct run_options plain = *o;
    struct server s;
    const char *unused = "";
    plain.record = plain.attach = false;
    plain.trace_dir = plain.dump_seeds = NULL;
    plain.nonce = arena_printf("%s-self", o->nonce);
    if (o->roamd || !o->provision) {
        return true;
    }
    run_base_server(o, NULL, "", &s);
    bool ok = check(&plain, rules, &s, reason);
    server_close(&s, &unused);
    return ok;
}
