/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of JSON on standard input and output: see adapter_io.h. */
#include "adapter_io.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *buffer;
static size_t have, cap;

bool io_ready(void)
{
    return have > 0 && memchr(buffer, '\n', have) != NULL;
}

json_t *io_request(void)
{
    while (!io_ready()) {
        if (cap - have < 65536) {
            cap += 65536;
            buffer = realloc(buffer, cap);
        }
        ssize_t n = buffer ? read(STDIN_FILENO, buffer + have, cap - have) : 0;
        if (n <= 0) {
            return NULL;
        }
        have += (size_t)n;
    }
    size_t len = (size_t)((char *)memchr(buffer, '\n', have) - buffer);
    json_t *request = json_loadb(buffer, len, 0, NULL);
    have -= len + 1;
    memmove(buffer, buffer + len + 1, have);
    return request;
}

void io_say(json_t *line)
{
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

json_t *io_answer(const json_t *request, const char *result)
{
    return json_pack("{s:O?,s:s}", "id", json_object_get(request, "id"),
                     "answer", result);
}

json_t *io_event(const char *handle, const char *name)
{
    return json_pack("{s:s,s:s}", "event", name, "handle", handle);
}

const char *io_text(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));
    return s ? s : "";
}

uint64_t io_number(const json_t *j, const char *key, uint64_t otherwise)
{
    const char *s = io_text(j, key);
    return *s ? strtoull(s, NULL, 10) : otherwise;
}

uint8_t *io_bytes(const json_t *j, const char *key, size_t *len)
{
    const char *hex = io_text(j, key);
    *len = strlen(hex) / 2;
    uint8_t *bytes = malloc(*len + 1);
    for (size_t i = 0; bytes && i < *len; i++) {
        char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return bytes;
}

void io_set(json_t *j, const char *key, uint64_t n)
{
    char s[24];
    snprintf(s, sizeof s, "%" PRIu64, n);
    json_object_set_new(j, key, json_string(s));
}

void io_set_text(json_t *j, const char *key, const void *text, size_t len)
{
    json_object_set_new(j, key, json_stringn(len ? text : "", len));
}

void io_set_bytes(json_t *j, const char *key, const void *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *b = bytes;
    char *hex = malloc(2 * len + 1);
    for (size_t i = 0; hex && i < len; i++) {
        hex[2 * i] = digits[b[i] >> 4];
        hex[2 * i + 1] = digits[b[i] & 15];
    }
    io_set_text(j, key, hex, 2 * len);
    free(hex);
}
