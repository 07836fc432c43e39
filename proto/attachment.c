/* SPDX-License-Identifier: Apache-2.0 */
/* See attachment.h. */
#include "attachment.h"

#include <string.h>

#include "fields.h"
#include "put.h"
#include "roam_limits.h"

/* Field numbers, as in proto/roam.proto. */
enum {
    SHA256 = 1,
    SIZE = 2,
    CONTENT_TYPE = 3,
    NAME = 4,
    URL = 5,
    THUMBNAIL = 6
};

static const struct roam__field_rule rules[] = {
    {0, SHA256, ROAM__BYTES, ROAM_SHA256_BYTES, ROAM_SHA256_BYTES},
    {0, SIZE, ROAM__UINT64, 0, 0},
    {0, CONTENT_TYPE, ROAM__TEXT, 1, ROAM_CONTENT_TYPE_MAX},
    {0, NAME, ROAM__TEXT, 0, ROAM_FILE_NAME_MAX},
    {0, URL, ROAM__TEXT, 1, ROAM_URL_MAX},
    {0, THUMBNAIL, ROAM__BYTES, 0, ROAM_THUMBNAIL_MAX},
};

bool roam_attachment_decode(struct roam_slice body, struct roam_attachment *a)
{
    struct roam__field v[ROAM__INNER_FIELD_MAX + 1];
    struct roam__found found;
    memset(v, 0, sizeof v);
    memset(&found, 0, sizeof found);
    found.values = v;
    if (roam__fields_check(rules, sizeof rules / sizeof rules[0], body,
                           &found) != roam_v1_ErrorCode_ERROR_UNSPECIFIED) {
        return false;
    }
    a->sha256 = v[SHA256].bytes;
    a->size = v[SIZE].value;
    a->content_type = v[CONTENT_TYPE].bytes;
    a->name = v[NAME].bytes;
    a->url = v[URL].bytes;
    a->thumbnail = v[THUMBNAIL].bytes;
    return true;
}

size_t roam_attachment_encode(const struct roam_attachment *a, uint8_t *out,
                              size_t cap)
{
    struct roam__put p = {out, cap, 0, false};
    roam__put_bytes(&p, SHA256, a->sha256);
    roam__put_number(&p, SIZE, a->size);
    roam__put_bytes(&p, CONTENT_TYPE, a->content_type);
    roam__put_bytes(&p, NAME, a->name);
    roam__put_bytes(&p, URL, a->url);
    roam__put_bytes(&p, THUMBNAIL, a->thumbnail);
    return p.full ? 0 : p.len;
}
