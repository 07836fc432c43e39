/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8, JSON strings, XML: see report_text.h. */
#include "report_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "wire.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Bytes of the sequence that begins with this one; 1 for a wrong one. */
static size_t sequence_length(uint8_t first)
{
    return first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* The length of the whole sequence at `s`; 0: there is none. */
static size_t sequence_at(const char *s, size_t left)
{
    size_t n = sequence_length((uint8_t)*s);
    return n <= left && wire_is_text((const uint8_t *)s, n) ? n : 0;
}

char *text_utf8(const char *s)
{
    struct text t = {0};
    size_t left = strlen(s);
    while (left > 0) {
        size_t n = sequence_at(s, left);
        text_add_bytes(&t, n ? s : REPLACEMENT, n ? n : strlen(REPLACEMENT));
        n = n ? n : 1;
        s += n;
        left -= n;
    }
    return arena_string(text_str(&t));
}

char *text_plain(const char *s)
{
    struct text t = {0};
    for (const char *p = text_utf8(s); *p; p++) {
        bool control = ((uint8_t)*p < 0x20 && *p != '\n' && *p != '\t') ||
                       (uint8_t)*p == 0x7f;
        text_add_bytes(&t, control ? REPLACEMENT : p,
                       control ? strlen(REPLACEMENT) : 1);
    }
    return arena_string(text_str(&t));
}

json_t *json_clean(const char *s)
{
    return s ? json_string(text_utf8(s)) : json_null();
}

/* Char of XML 1.0, for one UTF-8 sequence. */
static bool xml_may_hold(const char *s, size_t n)
{
    uint8_t c = (uint8_t)*s;
    bool control = c < 0x20 && c != '\t' && c != '\n' && c != '\r';
    bool nonchar = n == 3 && (memcmp(s, "\xef\xbf\xbe", 3) == 0 ||
                              memcmp(s, "\xef\xbf\xbf", 3) == 0);
    return !control && !nonchar;
}

static const char *xml_escape(char c, bool in_attribute)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\r':
        return "&#13;";
    case '\n':
        return in_attribute ? "&#10;" : NULL;
    case '\t':
        return in_attribute ? "&#9;" : NULL;
    default:
        return NULL;
    }
}

static void add_escaped(struct text *t, const char *s, bool in_attribute)
{
    for (const char *at = text_utf8(s); *at;) {
        size_t n = sequence_length((uint8_t)*at);
        const char *escaped = xml_escape(*at, in_attribute);
        if (escaped) {
            text_add(t, "%s", escaped);
        } else if (xml_may_hold(at, n)) {
            text_add_bytes(t, at, n);
        } else {
            text_add(t, REPLACEMENT);
        }
        at += n;
    }
}

void xml_add(struct text *t, const char *s)
{
    add_escaped(t, s, false);
}

void xml_add_attribute(struct text *t, const char *name, const char *value)
{
    text_add(t, " %s=\"", name);
    add_escaped(t, value, true);
    text_add(t, "\"");
}

char *text_hex(const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char *out = arena_alloc(2 * len + 1);
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    return out;
}

bool file_write(const char *path, const char *bytes, size_t len,
                const char **reason)
{
    FILE *f = fopen(path, "wbe");
    bool ok = f && fwrite(bytes, 1, len, f) == len;
    ok = f && fclose(f) == 0 && ok;
    if (!ok) {
        *reason = arena_printf("%s: %s", path, strerror(errno));
    }
    return ok;
}
