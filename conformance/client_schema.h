/* SPDX-License-Identifier: Apache-2.0 */
/* The field tables of section 4.1: what every frame from a client must look
 * like by itself. */
#ifndef CONFORM_CLIENT_SCHEMA_H
#define CONFORM_CLIENT_SCHEMA_H

#include "schema.h"

/* Checks one decoded frame of a known client type. */
bool client_schema_check(const struct frame *f, struct schema_fault *fault);

#endif
