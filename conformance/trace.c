/* SPDX-License-Identifier: Apache-2.0 */
/* Traces as text: see trace.h. */
#include "trace.h"

#include <inttypes.h>
#include <string.h>

#include "pcapng.h"
#include "report_text.h"

/* Bytes of a frame that are printed; a body may have 64 KiB. */
#define BYTES_SHOWN 256u
#define BYTES_A_LINE 16u

const char *trace_flat_name(const char *id)
{
    char *name = arena_string(id);
    for (char *p = name; *p; p++) {
        *p = *p == '/' ? '-' : *p;
    }
    return name;
}

static void add_bytes(struct text *t, const uint8_t *bytes, size_t len)
{
    size_t shown = len < BYTES_SHOWN ? len : BYTES_SHOWN;
    for (size_t at = 0; at < shown; at += BYTES_A_LINE) {
        text_add(t, "      %04zx ", at);
        for (size_t i = at; i < at + BYTES_A_LINE && i < shown; i++) {
            text_add(t, " %02x", bytes[i]);
        }
        text_add(t, "\n");
    }
    if (shown < len) {
        text_add(t, "      ... %zu bytes more\n", len - shown);
    }
}

static void add_event(struct text *t, const struct record_event *e)
{
    text_add(t, "%5" PRIu64 ".%03" PRIu64 "  ", e->us / 1000, e->us % 1000);
    if (e->kind == RECORD_NOTE) {
        text_add(t, "%s%s%s\n", e->device ? e->device : "",
                 e->device ? " " : "", e->text);
        return;
    }
    const char *arrow = e->to_server ? "->" : "<-";
    text_add(t, "%s/%zu %s ", e->device, e->conn, arrow);
    if (e->kind == RECORD_FRAME) {
        struct text fields = {0};
        frame_print_offsets(&fields,
                            frame_decode(e->bytes[0], e->bytes + FRAME_HEADER,
                                         e->len - FRAME_HEADER));
        const char *rest = strchr(text_str(&fields), '\n') + 1;
        text_add_bytes(t, fields.s, (size_t)(rest - fields.s));
        text_add_indented(t, "    ", rest);
        add_bytes(t, e->bytes, e->len);
    } else if (e->kind == RECORD_REST) {
        text_add(t, "%zu bytes that are no whole frame\n", e->len);
        add_bytes(t, e->bytes, e->len);
    } else {
        text_add(t, "%s\n", e->text);
    }
}

const char *trace_text(const struct world *w, const struct result *r)
{
    struct text t = {0};
    int line = 0;
    text_add(&t, "case: %s\nverdict: %s\n", r->s->id, verdict_name(r->verdict));
    for (size_t i = 0; i < w->record->event_count; i++) {
        const struct record_event *e = &w->record->events[i];
        if (e->line != line) {
            line = e->line;
            text_add(&t, line ? "line %d\n" : "behind the last step\n", line);
        }
        add_event(&t, e);
    }
    if (*r->detail) {
        text_add(&t, "\n%s\n", r->detail);
    }
    return text_str(&t);
}

bool trace_write(const char *dir, const char *name, const struct world *w,
                 const struct result *r, const char **reason)
{
    const char *path = arena_printf("%s/%s", dir, trace_flat_name(name));
    const char *text = trace_text(w, r);
    struct text capture = {0};
    pcapng_add(&capture, w->record, r->s->id);
    return file_write(arena_printf("%s.txt", path), text, strlen(text),
                      reason) &&
           file_write(arena_printf("%s.pcapng", path), text_str(&capture),
                      capture.len, reason);
}
