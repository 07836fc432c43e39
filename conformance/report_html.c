/* SPDX-License-Identifier: Apache-2.0 */
/* The HTML report: html/page.html with its parts put in and the run's data
 * behind, so that one file is all there is. A line of the page that is
 * `@NAME@` stands for the file NAME beside it; `@data@` for the data.
 *
 * The data is JSON, deflated (raw, RFC 1951) and in base64: a browser inflates
 * it, and nothing that a peer sent can end the element that it stands in.
 * Frames are there as bytes alone; the page decodes them by the schema. */
#include <errno.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#include "report_model.h"
#include "report_text.h"

static const char *base64(const uint8_t *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqr"
                                 "stuvwxyz0123456789+/";
    char *out = arena_alloc((len + 2) / 3 * 4 + 1), *p = out;
    for (size_t i = 0; i < len; i += 3, p += 4) {
        size_t left = len - i;
        uint32_t v = (uint32_t)bytes[i] << 16;
        v |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        v |= left > 2 ? bytes[i + 2] : 0;
        p[0] = digits[v >> 18];
        p[1] = digits[v >> 12 & 63];
        p[2] = left > 1 ? digits[v >> 6 & 63] : '=';
        p[3] = left > 2 ? digits[v & 63] : '=';
    }
    return out;
}

static uint8_t digit_value(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static const char *base64_of_hex(const char *hex, size_t most)
{
    size_t len = strlen(hex) / 2;
    len = len < most ? len : most;
    uint8_t *bytes = arena_alloc(len + 1);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(digit_value(hex[2 * i]) << 4 |
                             digit_value(hex[2 * i + 1]));
    }
    return base64(bytes, len);
}

/* As report_case.c has it; bytes instead of the text where there are any. */
static json_t *small_event(const json_t *e, size_t most_bytes)
{
    static const char *const kept[] = {"us",   "kind",       "device", "to",
                                       "line", "connection", "length"};
    json_t *j = json_object();
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        json_t *value = json_object_get(e, kept[i]);
        if (value && !json_is_null(value)) {
            json_object_set(j, kept[i], value);
        }
    }
    const char *hex = json_string_value(json_object_get(e, "bytes"));
    if (hex) {
        json_object_set_new(j, "bytes",
                            json_string(base64_of_hex(hex, most_bytes)));
    } else {
        json_object_set(j, "text", json_object_get(e, "text"));
    }
    return j;
}

/* All events of a case that did not pass, few of one that did. */
static json_t *small_events(const json_t *events, bool passed)
{
    json_t *list = json_array();
    size_t count = json_array_size(events);
    json_int_t skipped = 0;
    for (size_t i = 0; i < count; i++) {
        const json_t *e = json_array_get(events, i);
        skipped += json_integer_value(json_object_get(e, "skipped"));
        if (passed && i >= REPORT_PASSED_FIRST &&
            count - i > REPORT_PASSED_LAST) {
            skipped++;
            continue;
        }
        json_t *j = small_event(e, passed ? REPORT_PASSED_BYTES : SIZE_MAX);
        if (skipped) {
            json_object_set_new(j, "skipped", json_integer(skipped));
            skipped = 0;
        }
        json_array_append_new(list, j);
    }
    return list;
}

static void make_small(json_t *item)
{
    const char *verdict = json_string_value(json_object_get(item, "verdict"));
    const char *path = json_string_value(json_object_get(item, "file"));
    const json_t *events = json_object_get(item, "events");
    bool passed = strcmp(verdict, "pass") == 0;
    json_object_del(item, "observed");
    /* A thousand rounds have to fit in a page; the first one shows how it is
     * when all is well. */
    if (passed && json_integer_value(json_object_get(item, "round")) > 0) {
        json_object_del(item, "events");
        json_object_del(item, "steps");
        return;
    }
    json_object_set_new(item, "source", json_clean(file_read(path, NULL)));
    if (events) {
        json_object_set_new(item, "events", small_events(events, passed));
    }
}

const char *report_html_data(const struct report_run *run)
{
    json_t *j = report_model(run, true);
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(j, "cases"), i, item)
    {
        make_small(item);
    }
    json_object_set_new(j, "schema", report_schema());
    return json_dumps(j, JSON_COMPACT);
}

/* NULL: there is no memory for it. */
static const char *packed(const char *data)
{
    z_stream z = {.next_in = (const Bytef *)data,
                  .avail_in = (uInt)strlen(data)};
    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 9,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        return NULL;
    }
    z.avail_out = (uInt)deflateBound(&z, z.avail_in);
    uint8_t *out = arena_alloc(z.avail_out);
    z.next_out = out;
    int status = deflate(&z, Z_FINISH);
    deflateEnd(&z);
    return status == Z_STREAM_END ? base64(out, z.total_out) : NULL;
}

/* NAME of a line `@NAME@`; NULL: another line. */
static const char *part_name(const char *line, size_t len)
{
    return len > 2 && line[0] == '@' && line[len - 1] == '@'
               ? arena_copy(line + 1, len - 2)
               : NULL;
}

const char *report_html(const struct report_run *run, const char *dir,
                        const char **reason)
{
    struct text t = {0};
    const char *path = arena_printf("%s/page.html", dir);
    const char *page = file_read(path, NULL);
    for (; page && *page; page += strcspn(page, "\n") + 1) {
        size_t len = strcspn(page, "\n");
        const char *name = part_name(page, len);
        if (!name) {
            text_add_bytes(&t, page, len + 1);
            continue;
        }
        path = arena_printf("%s/%s", dir, name);
        const char *part = strcmp(name, "data") == 0
                               ? packed(report_html_data(run))
                               : file_read(path, NULL);
        if (!part) {
            page = NULL;
            break;
        }
        text_add(&t, "%s\n", part);
    }
    if (!page) {
        *reason = arena_printf("%s: %s", path, strerror(errno));
        return NULL;
    }
    return text_str(&t);
}
