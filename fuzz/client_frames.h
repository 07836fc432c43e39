/* SPDX-License-Identifier: Apache-2.0 */
/* Client frames for fuzzing a server: well-formed, made from a few input
 * bytes, for a small world in which they often hit upon something: the users
 * alice and bob, TOKENS tokens of each ("bob-3"), and the first groups.
 *
 * The judge is told of what the answers will be held against. */
#ifndef ROAM_FUZZ_CLIENT_FRAMES_H
#define ROAM_FUZZ_CLIENT_FRAMES_H

#include "frame.h"
#include "input.h"
#include "server_judge.h"

#define START_WALL_MS 1767225600000ull
/* Small, so that small inputs reach it. */
#define MAX_BODY 300

/* Each makes one message, whose body stands until the next one is made. */
typedef void fuzz_say_fn(struct fuzz_input *in, struct judge *j,
                         struct roam_message *m);

fuzz_say_fn fuzz_say_login, fuzz_say_sync, fuzz_say_ack, fuzz_say_send,
    fuzz_say_history, fuzz_say_conversations, fuzz_say_change, fuzz_say_group,
    fuzz_say_members, fuzz_say_sessions, fuzz_say_end_session, fuzz_say_ping,
    fuzz_say_logout;

#endif
