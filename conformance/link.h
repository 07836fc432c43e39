/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to the server: bytes to frames and back. All connections of a
 * case are read together whenever the case waits for anything, so that what
 * one device does never fills the buffers of another. */
#ifndef CONFORM_LINK_H
#define CONFORM_LINK_H

#include "world.h"

/* A TCP connection from that address (NULL: any); -1 with a reason. */
int link_connect(const char *host, uint16_t port, const char *from,
                 const char **reason);
/* A new connection for the device, with TLS if the server has it; the one
 * before is ended. */
bool link_open(struct world *w, struct device *d);
/* The same without a word of TLS. */
bool link_open_plain(struct world *w, struct device *d);
/* Ends the device's connection: by a reset, or in order. */
void link_end(struct world *w, struct device *d, bool reset);
/* Forgets it without ending it: a half-open connection. */
void link_forget(struct device *d);
/* Behind a case, for a process that goes on: nothing stays open, and nothing
 * is noted. */
void link_close_all(struct world *w);

/* Sends bytes, `split` at a time (0: all at once), reading meanwhile. While the
 * link gathers they wait, but for the first `split` of them, which go with what
 * waited before. True also when the peer has ended the connection: what it said
 * tells more. */
bool link_write(struct world *w, struct link *l, const uint8_t *bytes,
                size_t len, size_t split);
/* From now on what is written waits; or goes, in one write. */
bool link_gather(struct world *w, struct link *l, bool begins);
/* The whole frame at *at of what was read, and moves *at past it; NULL: there
 * is none. */
struct frame *link_frame(const struct link *l, size_t *at);
/* Room for one read. */
void link_make_room(struct link *l);
/* Reads whatever comes until deadline_ms (of now_ms()); at least once.
 * False: a failure was noted, or nothing came. */
bool link_pump(struct world *w, uint64_t deadline_ms);

#endif
