/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 by mbedtls; the only store file that knows it. */
#include "token_hash.h"

#include <string.h>

#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

bool roam_token_hash(const char *token, uint8_t out[ROAM_TOKEN_HASH_BYTES])
{
    const unsigned char *text = (const unsigned char *)token;
    const int not_sha224 = 0;

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    return mbedtls_sha256(text, strlen(token), out, not_sha224) == 0;
#else
    return mbedtls_sha256_ret(text, strlen(token), out, not_sha224) == 0;
#endif
}
