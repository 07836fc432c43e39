/* SPDX-License-Identifier: Apache-2.0 */
/* The form in which tokens are kept: their SHA-256. A token is 256 random
 * bits, so that its hash needs neither salt nor stretching. [SEC-2] */
#ifndef ROAM_TOKEN_HASH_H
#define ROAM_TOKEN_HASH_H

#include <stdbool.h>
#include <stdint.h>

#define ROAM_TOKEN_HASH_BYTES 32

/* Hashes the text `token` (borrowed, ends in NUL). False when the hash could
 * not be computed; out is undefined then. */
bool roam_token_hash(const char *token, uint8_t out[ROAM_TOKEN_HASH_BYTES]);

#endif
