/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of a real server, kept out of what a case leaves: events, traces,
 * captures and reports show stars in their place, as many as they are long,
 * so that all lengths stay right. */
#ifndef CONFORM_SECRET_H
#define CONFORM_SECRET_H

#include "world.h"

/* Kept. */
void secret_add(struct world *w, const char *token);
/* The bytes with a 0 behind them, in the arena, if there is a token among
 * them; the bytes themselves if there is none. */
const uint8_t *secret_hide(const struct world *w, const uint8_t *bytes,
                           size_t len);

#endif
