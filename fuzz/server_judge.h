/* SPDX-License-Identifier: Apache-2.0 */
/* Reads all that a fuzzed server writes to one connection, and aborts when it
 * is not well-formed, breaks the chain, exceeds the window, goes on after
 * KICK, answers more commands than there were, tells an `as_of` below what it
 * told before, or takes a token from a second device. */
#ifndef ROAM_FUZZ_SERVER_JUDGE_H
#define ROAM_FUZZ_SERVER_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "slice.h"

/* Small, so that small inputs reach it. */
#define MAX_UNACKED 9

#define TOKENS 8 /* of each user */

#define JUDGE(claim)                                                           \
    do {                                                                       \
        if (!(claim)) {                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #claim);        \
            abort();                                                           \
        }                                                                      \
    } while (0)

/* Which device was granted a login with it; 0: none that is known. */
struct token {
    uint8_t device;
};

/* Who writes to the server says here what the answers are held against. */
struct judge {
    uint8_t *out; /* an unfinished frame of the server */
    size_t out_len;
    size_t in_flight; /* entries received, and not acknowledged */
    uint64_t cursor;
    bool syncing; /* cursor is not known: the next entry tells it */
    bool kicked;
    bool acks_unknown; /* raw bytes may have been an ACK or a SYNC */
    uint64_t commands, answers;
    struct token (*tokens)[TOKENS]; /* of alice and of bob; borrowed */
    struct token *token;            /* of the LOGIN that is to be answered */
    uint8_t device;
};

/* The server wrote this; it may end within a frame. */
void judge_bytes(struct judge *j, struct roam_slice bytes);
/* The connection ended. */
void judge_free(struct judge *j);

#endif
