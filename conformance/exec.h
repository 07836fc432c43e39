/* SPDX-License-Identifier: Apache-2.0 */
/* Carries out a scenario, step by step. */
#ifndef CONFORM_EXEC_H
#define CONFORM_EXEC_H

#include "world.h"

/* Runs all steps, then the closing checks: every live device reaches the
 * head, nothing came that no step expects, the judges agree. False: the
 * failure is noted in w. */
bool exec_run(struct world *w);

/* Parts of it: all steps; all devices of a user at the same head, and what
 * the judges can say then; every connection ended behind its KICK. */
bool exec_steps(struct world *w);
bool exec_checkpoint(struct world *w, const struct step *step);
bool exec_wait_for_ends(struct world *w);

/* Builds a message of a type: defaults of the device, then the fields. */
ProtobufCMessage *exec_build(struct world *w, struct device *d,
                             const struct frame_type *type,
                             const struct terms *fields);
/* Sends a frame of this type with these fields as a step would. */
bool exec_send(struct world *w, struct device *d, uint8_t number,
               const struct terms *fields);
/* PING, and reading until what was stored before it has come. */
bool exec_fence(struct world *w, struct device *d);

#endif
