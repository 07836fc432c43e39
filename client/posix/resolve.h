/* SPDX-License-Identifier: Apache-2.0 */
/* A host name looked up without holding up the caller: getaddrinfo() knows
 * no time limit, so it runs on a thread of its own. */
#ifndef ROAM_RESOLVE_H
#define ROAM_RESOLVE_H

#include <netdb.h>
#include <stdbool.h>

struct roam_resolve;

/* Starts a lookup; the strings are copied. NULL: out of memory, threads or
 * files. */
struct roam_resolve *roam_resolve_start(const char *host, const char *port);

/* Becomes readable when the answer is there. */
int roam_resolve_fd(const struct roam_resolve *r);

/* Takes the answer, if it is there.
 *
 * *error      0, or what gai_strerror() explains.
 * *addresses  the caller's, for freeaddrinfo(); NULL on an error.
 *
 * False: not yet. */
bool roam_resolve_take(struct roam_resolve *r, int *error,
                       struct addrinfo **addresses);

/* Gives the lookup up, or tidies up behind it. NULL is allowed. */
void roam_resolve_free(struct roam_resolve *r);

#endif
