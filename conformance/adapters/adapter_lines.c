/* SPDX-License-Identifier: Apache-2.0 */
/* Lines and values of an adapter: see adapter_lines.h. */
#include "adapter_lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ----------------------------------------------------------------- lines */

void line_begin(void)
{
    setvbuf(stdin, NULL, _IONBF, 0);
}

json_t *line_next(void)
{
    json_t *r = json_loadf(stdin, JSON_DISABLE_EOF_CHECK, NULL);
    getchar(); /* the end of the line */
    return r;
}

void line_say(json_t *line)
{
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

/* ---------------------------------------------------------------- values */

json_t *line_number(uint64_t n)
{
    return json_sprintf("%" PRIu64, n);
}

static json_t *hex(struct line_slice b)
{
    char *text = malloc(2 * b.len + 1);
    for (size_t i = 0; text && i < b.len; i++) {
        sprintf(text + 2 * i, "%02x", b.data[i]);
    }
    json_t *j = json_stringn(text, 2 * b.len);
    free(text);
    return j;
}

static json_t *value_of(const struct line_field *f, const void *of)
{
    union {
        uint64_t u64;
        uint32_t u32;
        bool flag;
        struct line_slice slice;
    } v;
    static const size_t sizes[] = {sizeof v.u64, sizeof v.u32, sizeof v.flag,
                                   sizeof v.slice, sizeof v.slice};
    memcpy(&v, (const uint8_t *)of + f->at, sizes[f->as]);
    switch (f->as) {
    case AS_U64:
        return line_number(v.u64);
    case AS_U32:
        return line_number(v.u32);
    case AS_FLAG:
        return json_boolean(v.flag);
    case AS_TEXT:
        return json_stringn(v.slice.len ? (const char *)v.slice.data : "",
                            v.slice.len);
    default:
        return hex(v.slice);
    }
}

void line_event(const char *event, const char *handle, const void *of,
                const struct line_field *fields)
{
    json_t *line = json_pack("{s:s,s:s}", "event", event, "handle", handle);
    for (const struct line_field *f = fields; f->key; f++) {
        json_object_set_new(line, f->key, value_of(f, of));
    }
    line_say(line);
}

const char *line_text(const json_t *r, const char *key)
{
    const char *s = json_string_value(json_object_get(r, key));
    return s ? s : "";
}

uint64_t line_value(const json_t *r, const char *key, uint64_t otherwise)
{
    const char *s = line_text(r, key);
    return *s ? strtoull(s, NULL, 10) : otherwise;
}

bool line_true(const json_t *r, const char *key)
{
    return json_is_true(json_object_get(r, key));
}

uint8_t *line_bytes(const json_t *r, const char *key, size_t *len)
{
    const char *text = line_text(r, key);
    *len = strlen(text) / 2;
    uint8_t *bytes = malloc(*len + 1);
    for (size_t i = 0; bytes && i < *len; i++) {
        sscanf(text + 2 * i, "%2hhx", bytes + i);
    }
    return bytes;
}
