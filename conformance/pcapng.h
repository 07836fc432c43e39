/* SPDX-License-Identifier: Apache-2.0 */
/* A record as a pcapng capture: each connection is a TCP connection over
 * IPv4 between two documentation addresses, with handshake, acknowledgements
 * in the segments, ends and right checksums. Segments are the reads and
 * writes of the harness, not the packets that really went. Each device has an
 * address, and the capture its name; a comment at each opening has it, too. */
#ifndef CONFORM_PCAPNG_H
#define CONFORM_PCAPNG_H

#include "record.h"
#include "text.h"

/* Port of the server in every capture. */
#define PCAPNG_SERVER_PORT 7626u
/* Payload of one segment at most. */
#define PCAPNG_SEGMENT_MAX 32768u

void pcapng_add(struct text *out, const struct record *r, const char *id);

#endif
