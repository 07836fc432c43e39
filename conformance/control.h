/* SPDX-License-Identifier: Apache-2.0 */
/* The control channel of a server under test: lines of JSON by which the
 * suite moves its clock, makes a write fail, and so on. CONTROL.md is the
 * contract; here is the harness's end of it, which knows nothing of Roam.
 *
 * The other end is a program that runs the server, or the server itself. */
#ifndef CONFORM_CONTROL_H
#define CONFORM_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Version of CONTROL.md. */
#define CONTROL_VERSION 1

struct control;

/* The words that CONTROL.md has for capabilities. */
bool control_capability_known(const char *name);

/* A channel whose other end is handed to a server as *theirs, which the
 * caller closes. NULL with a reason. */
struct control *control_pair(int *theirs, const char **reason);
/* Starts a program (words with spaces between). NULL with a reason. */
struct control *control_run(const char *command, const char **reason);
/* Waits for the hello until deadline_ms (of now_ms()); at least looks for it
 * once. False with a reason: it did not come, or is none. */
bool control_greet(struct control *c, uint64_t deadline_ms,
                   const char **reason);
const json_t *control_hello(const struct control *c);
bool control_can(const struct control *c, const char *capability);
/* Asks, and waits for the answer. NULL with a reason: it was not `ok`, or did
 * not come. The request is taken over. */
json_t *control_ask(struct control *c, const char *verb, json_t *request,
                    uint64_t deadline_ms, const char **reason);
/* A verb that is none has to be `unsupported`. False with a reason. */
bool control_knows_no(struct control *c, const char *verb, uint64_t deadline_ms,
                      const char **reason);
/* Whose failure the last one was: the server's, or that of the program which
 * has to say so. A server that serves the channel itself is its own. */
bool control_blames_server(const struct control *c);
/* Who is at the other end, for a person. */
const char *control_name(const struct control *c);
/* Closes the channel; a program that does not end by it is killed then. */
void control_close(struct control *c, uint64_t patience_ms);

#endif
