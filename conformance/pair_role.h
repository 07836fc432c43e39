/* SPDX-License-Identifier: Apache-2.0 */
/* The role `pair`: clients behind adapters and a server, both under test. */
#ifndef CONFORM_PAIR_ROLE_H
#define CONFORM_PAIR_ROLE_H

#include "runner.h"

/* One case in this process, with adapters of its own. */
struct result pair_run_case(const struct run_options *o,
                            const struct scenario *s, struct server *server,
                            const struct rules *rules);

#endif
