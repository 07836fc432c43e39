/* SPDX-License-Identifier: Apache-2.0 */
/* One message or operation, sent and answered. Done means that the server has
 * it for good; until then it is in the outbox, from where any later command
 * of this device sends it. */
#ifndef ROAM_CLI_SUBMIT_H
#define ROAM_CLI_SUBMIT_H

#include "exit_codes.h"
#include "online.h"

/* Time limit of a command that asks one thing. */
#define ROAM_SUBMIT_TIMEOUT_S 30u

struct roam_submission {
    enum roam_kind kind;
    struct roam_bytes conversation, content_type, body;
};

struct roam_bytes roam_bytes_of(const char *text);

/* Sends and waits for the answer to this very submission; prints the msg_id,
 * or the id of the group that it made. True: the server has it, and the
 * session goes on; false: it is over, see exit_code. */
bool roam_submit(struct roam_online *s, const struct roam_submission *what);

/* The whole command: opens, submits, closes. */
enum roam_exit roam_submit_alone(const struct roam_options *o,
                                 const struct roam_submission *what);

/* Waits until what was asked is answered: true: by PAGE_END, whose rows were
 * shown; false: by PAGE_FAILED, or the session is over. */
bool roam_await_answer(struct roam_online *s);

#endif
