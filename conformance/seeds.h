/* SPDX-License-Identifier: Apache-2.0 */
/* Writes down what goes over the wire in a case, as raw material for a
 * fuzzer's corpus (`--dump-seeds`).
 *
 * A case AREA/NAME whose device ann has connections 1, 2, ... leaves in the
 * directory
 *
 *   AREA-NAME.ann.1.to-server   every byte that was sent, nothing else
 *   AREA-NAME.ann.1.to-client   every byte that was received
 *   AREA-NAME.trace             the order of all this
 *
 * The trace is text. A line starts with a word:
 *
 *   user NAME                   on the wire; first line: first user
 *   token NAME TOKEN            one a device, in the scenario's order
 *   MS server ACT               stop, kill, start ... by the scenario
 *   MS open CONNECTION FILE     FILE without .to-server or .to-client
 *   MS to-server CONNECTION N   the next N bytes of that file, in one write
 *   MS to-client CONNECTION N   likewise, as they were read
 *   MS end CONNECTION HOW       close, cut; closed: by the server
 *
 * where MS counts from the first line and CONNECTION numbers the case's
 * connections from 0. All functions do nothing in a world that is not
 * dumped; false: writing failed, and the failure is noted in w. */
#ifndef CONFORM_SEEDS_H
#define CONFORM_SEEDS_H

#include "world.h"

/* Makes the directory unless it is there. */
bool seeds_make_dir(const char *dir, const char **reason);

/* Before the first step; `dir` NULL: the world is not dumped. */
bool seeds_begin(struct world *w, const char *dir);
/* The link is the newest of w->links. */
bool seeds_open(struct world *w, struct link *l);
bool seeds_to_server(struct world *w, struct link *l, const uint8_t *bytes,
                     size_t len);
bool seeds_to_client(struct world *w, struct link *l, const uint8_t *bytes,
                     size_t len);
bool seeds_end(struct world *w, struct link *l, const char *how);
bool seeds_server(struct world *w, const char *act);

/* The same of a case that plays no links, from its record, when it has ended;
 * before the record's tokens are hidden. Nothing if it was dumped already. */
bool seeds_from_record(const struct world *w, const char *dir,
                       const char **reason);

#endif
