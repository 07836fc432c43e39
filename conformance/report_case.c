/* SPDX-License-Identifier: Apache-2.0 */
/* One case as JSON: see report_case.h. */
#include "report_case.h"

#include <stdlib.h>
#include <string.h>

#include "coverage.h"
#include "report_text.h"
#include "scn_lex.h"

static const char *const kinds[] = {[RECORD_OPEN] = "open",
                                    [RECORD_END] = "end",
                                    [RECORD_FRAME] = "frame",
                                    [RECORD_REST] = "rest",
                                    [RECORD_NOTE] = "note"};

static json_t *devices_json(const struct world *w)
{
    json_t *list = json_array();
    for (size_t i = 0; i < w->s->device_count; i++) {
        const struct device_decl *d = &w->s->devices[i];
        json_array_append_new(list, json_pack("{s:o, s:o, s:o}", "name",
                                              json_clean(d->name), "user",
                                              json_clean(d->user), "type",
                                              json_clean(d->type)));
    }
    return list;
}

static const char *event_text(const struct record_event *e)
{
    struct text t = {0};
    if (e->kind == RECORD_FRAME) {
        frame_print_line(&t, frame_decode(e->bytes[0], e->bytes + FRAME_HEADER,
                                          e->len - FRAME_HEADER));
        return text_str(&t);
    }
    return e->kind == RECORD_REST
               ? arena_printf("%zu bytes that are no whole frame", e->len)
               : e->text;
}

static json_t *event_json(const struct record_event *e)
{
    json_t *j =
        json_pack("{s:I, s:s, s:o, s:s, s:i, s:o}", "us", (json_int_t)e->us,
                  "kind", kinds[e->kind], "device", json_clean(e->device), "to",
                  e->to_server ? "server" : "client", "line", e->line, "text",
                  json_clean(event_text(e)));
    if (e->kind != RECORD_NOTE) {
        json_object_set_new(j, "connection", json_integer((json_int_t)e->conn));
    }
    if (e->bytes) {
        size_t shown = e->len < REPORT_FRAME_MAX ? e->len : REPORT_FRAME_MAX;
        json_object_set_new(j, "length", json_integer((json_int_t)e->len));
        json_object_set_new(j, "bytes", json_string(text_hex(e->bytes, shown)));
    }
    return j;
}

/* The first and the last ones, and `keep` with its number in *kept. */
static json_t *events_json(const struct record *r, size_t keep, int *kept)
{
    json_t *list = json_array();
    size_t skipped = 0;
    *kept = -1;
    for (size_t i = 0; i < r->event_count; i++) {
        if (i != keep && i >= REPORT_EVENTS_FIRST &&
            r->event_count - i > REPORT_EVENTS_LAST) {
            skipped++;
            continue;
        }
        json_t *j = event_json(&r->events[i]);
        if (skipped) {
            json_object_set_new(j, "skipped",
                                json_integer((json_int_t)skipped));
            skipped = 0;
        }
        if (i == keep) {
            *kept = (int)json_array_size(list);
        }
        json_array_append_new(list, j);
    }
    return list;
}

static json_t *words_json(const char *words)
{
    json_t *list = json_array();
    struct words w;
    words_split(words, &w);
    for (size_t i = 0; i < w.count; i++) {
        json_array_append_new(list, json_clean(w.at[i]));
    }
    return list;
}

static json_t *failure_json(const struct world *w, int event)
{
    const struct failure *f = &w->failure;
    json_t *j = json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "line",
                          f->step ? f->step->line : w->s->last_line, "step",
                          f->step ? json_clean(f->step->text) : json_null(),
                          "rules", words_json(f->is_harness ? "" : f->rules),
                          "what", json_clean(f->what), "legal",
                          json_clean(f->legal), "got", json_clean(f->got));
    json_object_set_new(j, "event",
                        event < 0 ? json_null() : json_integer(event));
    if (f->blame) {
        json_object_set_new(j, "blame", json_clean(f->blame));
    }
    return j;
}

static json_t *steps_json(const struct record *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->step_count; i++) {
        json_array_append_new(list, json_integer(r->steps[i]->line));
    }
    return list;
}

/* A step is under its own rule, else under its scenario's, if that has one: of
 * several, nobody can say which of them it was. */
static void add_seen(json_t *list, const struct scenario *s,
                     const struct step *step)
{
    if (step->rule) {
        json_array_append_new(list, json_clean(step->rule));
        return;
    }
    if (s->rule_count == 1) {
        json_array_append_new(list, json_clean(s->rules[0]));
    }
}

static json_t *observed_json(const struct world *w)
{
    json_t *accepting = json_array(), *rejecting = json_array();
    for (size_t i = 0; i < w->record->step_count; i++) {
        const struct step *step = w->record->steps[i];
        enum seen seen = coverage_seen(step);
        if (seen != SEEN_NOTHING) {
            add_seen(seen == SEEN_ACCEPTING ? accepting : rejecting, w->s,
                     step);
        }
    }
    return json_pack("{s:o, s:o}", "accepting", accepting, "rejecting",
                     rejecting);
}

json_t *report_case_record(const struct world *w)
{
    const struct record *r = w->record;
    if (!r) {
        return NULL;
    }
    int event;
    size_t got = record_find(r, w->failure.got_frame);
    json_t *events = events_json(r, got, &event);
    json_t *j = json_pack("{s:o, s:o, s:o, s:o}", "devices", devices_json(w),
                          "steps", steps_json(r), "observed", observed_json(w),
                          "events", events);
    if (w->failure.happened) {
        json_object_set_new(j, "failure", failure_json(w, event));
    }
    return j;
}

char *report_case_pack(const struct result *r)
{
    json_t *j = json_pack("{s:i, s:I, s:o, s:o, s:o, s:O*}", "verdict",
                          (int)r->verdict, "ms", (json_int_t)r->ms, "rules",
                          json_clean(r->rules), "what", json_clean(r->what),
                          "detail", json_clean(r->detail), "record", r->record);
    json_object_set_new(j, "blame", json_clean(r->blame ? r->blame : ""));
    return json_dumps(j, JSON_COMPACT);
}

bool report_case_unpack(const char *line, struct result *out)
{
    int verdict;
    json_int_t ms;
    json_t *j = json_loads(line, 0, NULL);
    if (!j || json_unpack(j, "{s:i, s:I, s:s, s:s, s:s}", "verdict", &verdict,
                          "ms", &ms, "rules", &out->rules, "what", &out->what,
                          "detail", &out->detail) != 0) {
        return false;
    }
    out->verdict = (enum verdict)verdict;
    out->ms = (uint64_t)ms;
    out->record = json_object_get(j, "record");
    out->blame = json_string_value(json_object_get(j, "blame"));
    return verdict >= 0 && verdict < VERDICT_COUNT;
}
