/* SPDX-License-Identifier: Apache-2.0 */
/* The test build's control channel: a clock that stands still until it is
 * told to go on, writes that fail, a store that does not answer, and trimming
 * at once. It is served on the descriptor that the environment variable
 * ROAM_CONTROL_FD names, by lines of JSON as conformance/CONTROL.md has them.
 *
 * In every build without -DROAM_FAULTS nothing of it is left in the program:
 * nobody can set the clock of a product, or make it fail. */
#ifndef ROAM_NET_CONTROL_H
#define ROAM_NET_CONTROL_H

#include <stdbool.h>

#include "net.h"

#ifdef ROAM_FAULTS

/* Makes the clocks stand where they were held, if they are. */
void roam_control_time(struct roam_now *now);
/* The store that the core is to use instead: it counts what is under way. */
struct roam_store *roam_control_store(struct roam_store *store);
/* Says hello on the channel, if there is one, and serves it from the loop
 * on. False: there should be one and it cannot be used. */
bool roam_control_open(struct roam_net *net);
/* Before each wait of the loop: the next step of what was asked for. */
void roam_control_turn(struct roam_net *net);
/* The loop and the core have ended. */
void roam_control_close(void);

#else

static inline void roam_control_time(struct roam_now *now)
{
    (void)now;
}

static inline struct roam_store *roam_control_store(struct roam_store *store)
{
    return store;
}

static inline bool roam_control_open(struct roam_net *net)
{
    (void)net;
    return true;
}

static inline void roam_control_turn(struct roam_net *net)
{
    (void)net;
}

static inline void roam_control_close(void)
{
}

#endif

#endif
