/* SPDX-License-Identifier: Apache-2.0 */
/* Growing text and JSON. */
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exit_codes.h"

#define FIRST_CAP 256u

static void make_room(struct roam_text *t, size_t more)
{
    size_t need = t->len + more + 1;
    if (need <= t->cap) {
        return;
    }
    size_t cap = t->cap ? t->cap : FIRST_CAP;
    while (cap < need) {
        cap *= 2;
    }
    char *data = realloc(t->data, cap);
    if (!data) {
        fputs("roam: out of memory\n", stderr);
        exit(ROAM_EXIT_FAILED);
    }
    t->data = data;
    t->cap = cap;
}

void roam_text_add(struct roam_text *t, const char *data, size_t len)
{
    make_room(t, len);
    if (len > 0) {
        memcpy(t->data + t->len, data, len);
    }
    t->len += len;
    t->data[t->len] = '\0';
}

static void add_text(struct roam_text *t, const char *text)
{
    roam_text_add(t, text, strlen(text));
}

void roam_text_printf(struct roam_text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n > 0) {
        make_room(t, (size_t)n);
        vsnprintf(t->data + t->len, (size_t)n + 1, format, again);
        t->len += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

void roam_text_free(struct roam_text *t)
{
    free(t->data);
    memset(t, 0, sizeof *t);
}

/* ------------------------------------------------------------------ UTF-8 */

/* Bytes of the character at s and its code; 0: not UTF-8 (RFC 3629). */
static size_t character(const uint8_t *s, size_t len, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80             ? 1
               : (s[0] & 0xe0) == 0xc0 ? 2
               : (s[0] & 0xf0) == 0xe0 ? 3
               : (s[0] & 0xf8) == 0xf0 ? 4
                                       : 0;
    if (n == 0 || n > len) {
        return 0;
    }
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (s[i] & 0x3fu);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return 0;
    }
    *code = c;
    return n;
}

/* C0, DEL, C1, and the marks that turn the direction of text around. */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

void roam_text_add_visible(struct roam_text *t, struct roam_bytes bytes)
{
    for (size_t i = 0; i < bytes.len;) {
        uint32_t code = 0;
        size_t n = character(bytes.data + i, bytes.len - i, &code);
        if (n == 1 && code == '\n') {
            add_text(t, "\n    ");
        } else if (n > 0 && !is_control(code)) {
            roam_text_add(t, (const char *)bytes.data + i, n);
        } else {
            n = n ? n : 1;
            for (size_t k = 0; k < n; k++) {
                roam_text_printf(t, "\\x%02x", bytes.data[i + k]);
            }
        }
        i += n;
    }
}

/* ------------------------------------------------------------------- JSON */

static bool is_utf8(struct roam_bytes bytes)
{
    uint32_t code;
    for (size_t i = 0; i < bytes.len;) {
        size_t n = character(bytes.data + i, bytes.len - i, &code);
        if (n == 0) {
            return false;
        }
        i += n;
    }
    return true;
}

/* Marks that would steer the terminal on which somebody looks at the JSON
 * are escaped, too: to a program both spellings are the same text. */
static void add_json_character(struct roam_text *t, const uint8_t *s, size_t n,
                               uint32_t code)
{
    switch (code) {
    case '"':
        add_text(t, "\\\"");
        return;
    case '\\':
        add_text(t, "\\\\");
        return;
    case '\n':
        add_text(t, "\\n");
        return;
    case '\r':
        add_text(t, "\\r");
        return;
    case '\t':
        add_text(t, "\\t");
        return;
    default:
        break;
    }
    if (is_control(code)) {
        roam_text_printf(t, "\\u%04" PRIx32, code);
    } else {
        roam_text_add(t, (const char *)s, n);
    }
}

bool roam_text_add_json_string(struct roam_text *t, struct roam_bytes bytes)
{
    if (!is_utf8(bytes)) {
        return false;
    }
    roam_text_add(t, "\"", 1);
    for (size_t i = 0; i < bytes.len;) {
        uint32_t code = 0;
        size_t n = character(bytes.data + i, bytes.len - i, &code);
        add_json_character(t, bytes.data + i, n, code);
        i += n;
    }
    roam_text_add(t, "\"", 1);
    return true;
}

static void add_name(struct roam_text *t, const char *name, const char *ending)
{
    bool first = t->len > 0 && t->data[t->len - 1] == '{';
    roam_text_printf(t, "%s\"%s%s\":", first ? "" : ",", name, ending);
}

void roam_text_add_json_u64(struct roam_text *t, const char *name,
                            uint64_t value)
{
    add_name(t, name, "");
    roam_text_printf(t, "\"%" PRIu64 "\"", value);
}

void roam_text_add_json_u32(struct roam_text *t, const char *name,
                            uint32_t value)
{
    add_name(t, name, "");
    roam_text_printf(t, "%" PRIu32, value);
}

void roam_text_add_json_bool(struct roam_text *t, const char *name, bool value)
{
    add_name(t, name, "");
    add_text(t, value ? "true" : "false");
}

void roam_text_add_json_text(struct roam_text *t, const char *name,
                             const char *value)
{
    struct roam_bytes bytes = {(const uint8_t *)value, strlen(value)};
    roam_text_add_json_bytes(t, name, bytes);
}

static void add_base64(struct roam_text *t, struct roam_bytes b)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < b.len; i += 3) {
        size_t left = b.len - i;
        uint32_t group = (uint32_t)b.data[i] << 16;
        group |= left > 1 ? (uint32_t)b.data[i + 1] << 8 : 0;
        group |= left > 2 ? b.data[i + 2] : 0;
        char out[4] = {digits[group >> 18], digits[group >> 12 & 63],
                       left > 1 ? digits[group >> 6 & 63] : '=',
                       left > 2 ? digits[group & 63] : '='};
        roam_text_add(t, out, sizeof out);
    }
}

void roam_text_add_json_bytes(struct roam_text *t, const char *name,
                              struct roam_bytes value)
{
    if (is_utf8(value)) {
        add_name(t, name, "");
        roam_text_add_json_string(t, value);
        return;
    }
    add_name(t, name, "_base64");
    roam_text_add(t, "\"", 1);
    add_base64(t, value);
    roam_text_add(t, "\"", 1);
}

bool roam_text_write(struct roam_text *t, int fd)
{
    size_t at = 0;
    while (at < t->len) {
        ssize_t n = write(fd, t->data + at, t->len - at);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    t->len = 0;
    return true;
}

bool roam_text_print(struct roam_text *t)
{
    if (!roam_text_write(t, STDOUT_FILENO)) {
        perror("roam: standard output");
        return false;
    }
    return true;
}
