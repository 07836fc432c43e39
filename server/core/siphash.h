/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4: a hash that nobody without the key can make collide. */
#ifndef ROAM_SIPHASH_H
#define ROAM_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define ROAM_HASH_KEY_BYTES 16u

/* key, data borrowed. */
uint64_t roam__siphash(const uint8_t key[ROAM_HASH_KEY_BYTES], const void *data,
                       size_t len);

#endif
