/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 by mbedtls; the only store file that knows it. */
#include <string.h>

#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

#include "content_hash.h"
#include "token_hash.h"

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#define starts mbedtls_sha256_starts
#define update mbedtls_sha256_update
#define finish mbedtls_sha256_finish
#else
#define starts mbedtls_sha256_starts_ret
#define update mbedtls_sha256_update_ret
#define finish mbedtls_sha256_finish_ret
#endif

static bool hash(const struct roam_slice *parts, size_t count, uint8_t *out)
{
    const int not_sha224 = 0;
    mbedtls_sha256_context context;

    mbedtls_sha256_init(&context);
    bool ok = starts(&context, not_sha224) == 0;
    for (size_t i = 0; ok && i < count; i++) {
        ok = parts[i].len == 0 ||
             update(&context, parts[i].data, parts[i].len) == 0;
    }
    ok = ok && finish(&context, out) == 0;
    mbedtls_sha256_free(&context);
    return ok;
}

bool roam_token_hash(const char *token, uint8_t out[ROAM_TOKEN_HASH_BYTES])
{
    struct roam_slice text = {(const uint8_t *)token, strlen(token)};

    return hash(&text, 1, out);
}

/* A content type is at most 64 bytes long. */
bool roam_content_hash(struct roam_slice content_type, struct roam_slice body,
                       uint8_t out[ROAM_CONTENT_HASH_BYTES])
{
    uint8_t len = (uint8_t)content_type.len;
    struct roam_slice parts[] = {{&len, 1}, content_type, body};

    return hash(parts, 3, out);
}
