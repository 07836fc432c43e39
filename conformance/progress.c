/* SPDX-License-Identifier: Apache-2.0 */
/* How far a run is: see progress.h. */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "text.h"

#define WIDTH_UNKNOWN 80u

void progress_begin(struct progress *p, size_t total, bool quiet, bool is_alone)
{
    *p = (struct progress){.total = quiet ? 0 : total, .last_ms = now_ms()};
    p->is_terminal = is_alone && isatty(STDERR_FILENO) == 1;
}

const char *progress_line(const struct progress *p, const char *id,
                          size_t width)
{
    char *line = arena_printf("%zu of %zu done, %zu failed", p->done, p->total,
                              p->failed);
    if (width == 0) {
        return line;
    }
    line = arena_printf("[%3zu%%] %s  %s", p->done * 100 / p->total, line, id);
    /* One column stays free: in the last one a terminal would wrap. */
    if (strlen(line) >= width) {
        line[width - 1] = '\0';
    }
    return line;
}

static size_t terminal_width(void)
{
    struct winsize size;
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0;
    return known && size.ws_col > 1 ? size.ws_col : WIDTH_UNKNOWN;
}

void progress_show(struct progress *p, const char *id, bool failed)
{
    p->done++;
    p->failed += failed;
    if (p->total == 0) {
        return;
    }
    if (p->is_terminal) {
        fprintf(stderr, "\r\x1b[K%s", progress_line(p, id, terminal_width()));
        p->is_drawn = true;
    } else if (now_ms() - p->last_ms >= PROGRESS_PLAIN_MS) {
        fprintf(stderr, "roam-conform: %s\n", progress_line(p, id, 0));
        p->last_ms = now_ms();
    }
}

void progress_hide(struct progress *p)
{
    if (p->is_drawn) {
        fprintf(stderr, "\r\x1b[K");
        p->is_drawn = false;
    }
}
