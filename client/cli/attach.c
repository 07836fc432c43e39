/* SPDX-License-Identifier: Apache-2.0 */
/* See attach.h; the only file of the command that knows mbedtls. */
#include "attach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/sha256.h>
#include <mbedtls/version.h>

#include "attachment.h"
#include "roam_limits.h"

#define CHUNK_BYTES 65536u
#define UNKNOWN_TYPE "application/octet-stream"

#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#define SHA256(step) mbedtls_sha256_##step
#else
#define SHA256(step) mbedtls_sha256_##step##_ret
#endif

static bool hash(FILE *file, uint8_t sha256[ROAM_SHA256_BYTES], uint64_t *size)
{
    static uint8_t chunk[CHUNK_BYTES];
    mbedtls_sha256_context c;
    size_t n;
    mbedtls_sha256_init(&c);
    bool good = SHA256(starts)(&c, 0) == 0;
    *size = 0;
    while (good && (n = fread(chunk, 1, sizeof chunk, file)) > 0) {
        *size += n;
        good = SHA256(update)(&c, chunk, n) == 0;
    }
    good = good && !ferror(file) && SHA256(finish)(&c, sha256) == 0;
    mbedtls_sha256_free(&c);
    return good;
}

static struct roam_slice slice_of(const char *text)
{
    struct roam_slice s = {(const uint8_t *)text, strlen(text)};
    return s;
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

size_t roam_attach_describe(const struct roam_options *o,
                            uint8_t out[ROAM_ATTACH_BODY_MAX],
                            char error[ROAM_ATTACH_ERROR_MAX])
{
    uint8_t sha256[ROAM_SHA256_BYTES];
    struct roam_attachment a, check;
    memset(&a, 0, sizeof a);
    FILE *file = fopen(o->attach, "rb");
    if (!file || !hash(file, sha256, &a.size)) {
        snprintf(error, ROAM_ATTACH_ERROR_MAX, "%.400s: %s", o->attach,
                 errno ? strerror(errno) : "cannot be read");
        if (file) {
            fclose(file);
        }
        return 0;
    }
    fclose(file);
    a.sha256.data = sha256;
    a.sha256.len = sizeof sha256;
    a.content_type = slice_of(o->content_type ? o->content_type : UNKNOWN_TYPE);
    a.name = slice_of(name_of(o->attach));
    a.url = slice_of(o->url);
    size_t len = roam_attachment_encode(&a, out, ROAM_ATTACH_BODY_MAX);
    struct roam_slice body = {out, len};
    if (len == 0 || !roam_attachment_decode(body, &check)) {
        snprintf(error, ROAM_ATTACH_ERROR_MAX,
                 "type, URL or file name is too long or not UTF-8");
        return 0;
    }
    return len;
}
