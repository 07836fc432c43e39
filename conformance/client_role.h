/* SPDX-License-Identifier: Apache-2.0 */
/* The role `client`: a client under test behind an adapter, the harness as
 * its server. */
#ifndef CONFORM_CLIENT_ROLE_H
#define CONFORM_CLIENT_ROLE_H

#include "adapter.h"
#include "judge.h"
#include "runner.h"

/* One case in this process, with an adapter of its own. */
struct result client_run_case(const struct run_options *o,
                              const struct scenario *s,
                              const struct rules *rules);
/* Proves that the adapter can be believed, before any verdict. False with
 * what is wrong. */
bool client_self_check(const struct run_options *o, const struct rules *rules,
                       const char **reason);

/* Adapters that are none: exits, silent, echo, ok, garbage; NULL at the
 * end. null_adapter() is one of them; false: no such mode. */
extern const char *const null_adapter_modes[];
bool null_adapter(const char *mode);

/* The client role's list, as judge_rules is the server's. */
extern const struct judge_rule client_judge_rules[];
extern const size_t client_judge_rule_count;

#endif
