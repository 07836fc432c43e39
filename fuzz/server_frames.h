/* SPDX-License-Identifier: Apache-2.0 */
/* Server frames for fuzzing a client: well-formed, made from a few input
 * bytes, and near enough to the truth of the client's timeline that it often
 * believes them. */
#ifndef ROAM_FUZZ_SERVER_FRAMES_H
#define ROAM_FUZZ_SERVER_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input.h"

#define FUZZ_FRAME_BYTES 4096u /* no frame made here is longer */

enum fuzz_frame {
    FUZZ_LOGIN_OK,
    FUZZ_SYNC_OK, /* any result, head near the cursor */
    FUZZ_PUSH,    /* near the end of the chain: fits, is old, or a gap */
    FUZZ_BATCH,   /* the same with 1..24 rows; now and then it lies */
    FUZZ_ANSWER,  /* SEND_OK or ERROR */
    FUZZ_OTHER,   /* PONG, REFUSED or KICK */
    FUZZ_PAGE     /* an answer to `asked`; now and then it lies */
};

/* The page or list that the client asked for. */
struct fuzz_asked {
    bool history; /* else CONVERSATIONS */
    bool list;    /* MEMBERS if history, else SESSIONS or END_SESSION */
    uint64_t ref, before, after;
    uint32_t max_rows;
};

/* Makes one frame.
 *
 * chain   version of the last entry that the client told.
 * cursor  version that it stored.
 * asked   what FUZZ_PAGE answers.
 *
 * Returns its bytes; 0 when cap is too small. */
size_t fuzz_server_frame(enum fuzz_frame what, struct fuzz_input *in,
                         uint64_t chain, uint64_t cursor,
                         const struct fuzz_asked *asked, uint8_t *out,
                         size_t cap);

#endif
