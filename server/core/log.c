/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines: an event and key=value pairs, one line each. Never a token,
 * never a body [SEC-1]. */
#include "session.h"

#include <stdarg.h>
#include <stdio.h>

/* The longest line: two escaped texts and the rest of a line. */
#define LINE_MAX_BYTES 1024u

void roam__log(struct roam_core *core, enum roam__log_level level,
               const char *format, ...)
{
    if (core->config.log == NULL) {
        return;
    }
    char line[LINE_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    core->config.log(core->config.log_ctx, (int)level, line);
}

/* A space, a quote or a line break would let a peer forge pairs. */
static bool is_plain(unsigned char c)
{
    return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
}

const char *roam__log_text(char out[ROAM__LOG_TEXT_MAX], const char *text)
{
    static const char hex[] = "0123456789abcdef";
    size_t len = 0;
    for (; *text != '\0' && len + 4 < ROAM__LOG_TEXT_MAX; text++) {
        unsigned char c = (unsigned char)*text;
        if (is_plain(c)) {
            out[len++] = (char)c;
        } else {
            out[len++] = '\\';
            out[len++] = 'x';
            out[len++] = hex[c >> 4];
            out[len++] = hex[c & 15];
        }
    }
    out[len] = '\0';
    return out;
}
