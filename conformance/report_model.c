/* SPDX-License-Identifier: Apache-2.0 */
/* A whole run as one JSON value: see report_model.h. */
#include "report_model.h"

#include <inttypes.h>
#include <string.h>

#include "expectations.h"
#include "report_text.h"

static const char *const standings[] = {[STANDING_AS_EXPECTED] = "as-expected",
                                        [STANDING_KNOWN] = "known",
                                        [STANDING_UNEXPECTED] = "unexpected",
                                        [STANDING_UNEXPECTED_PASS] =
                                            "unexpected-pass"};

static json_t *counts_json(const struct report_run *run)
{
    struct tally t = {0};
    json_t *j = json_object();
    for (size_t i = 0; i < run->results->count; i++) {
        report_count(&t, &run->results->at[i]);
    }
    for (int v = 0; v < VERDICT_COUNT; v++) {
        json_object_set_new(j, verdict_name((enum verdict)v),
                            json_integer((json_int_t)t.of[v]));
    }
    json_object_set_new(j, "known", json_integer((json_int_t)t.known));
    json_object_set_new(j, "unexpected",
                        json_integer((json_int_t)t.unexpected));
    return j;
}

static json_t *scenario_rules(const struct scenario *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->rule_count; i++) {
        json_array_append_new(list, json_clean(s->rules[i]));
    }
    return list;
}

static json_t *expectation_json(const struct expectation *e)
{
    return e ? json_pack("{s:i, s:o}", "line", e->line, "url",
                         json_clean(e->url))
             : json_null();
}

/* Devices, events, failure: as the case's process told them. */
static void add_record(json_t *j, const struct result *r, bool all_events)
{
    const char *key;
    json_t *value;
    bool shown = all_events || r->verdict != VERDICT_PASS;
    json_object_foreach(r->record, key, value)
    {
        if (shown || strcmp(key, "events") != 0) {
            json_object_set(j, key, value);
        }
    }
}

static json_t *case_json(const struct result *r, bool all_events)
{
    const char *slash = strchr(r->s->id, '/');
    json_t *j = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:s, s:s, s:I, s:I}", "id",
        json_clean(r->s->id), "area",
        json_clean(slash ? arena_copy(r->s->id, (size_t)(slash - r->s->id))
                         : ""),
        "title", json_clean(r->s->title), "file", json_clean(r->s->path),
        "rules", scenario_rules(r->s), "verdict", verdict_name(r->verdict),
        "standing", standings[r->standing], "round", (json_int_t)r->round,
        "duration_ms", (json_int_t)r->ms);
    json_object_set_new(j, "expectation", expectation_json(r->expectation));
    if (r->verdict != VERDICT_PASS) {
        json_object_set_new(j, "what", json_clean(r->what));
        json_object_set_new(j, "detail", json_clean(r->detail));
    }
    add_record(j, r, all_events);
    return j;
}

static json_t *rules_json(const struct report_run *run)
{
    json_t *list = json_array();
    struct coverage c = {0};
    coverage_collect(run->rules, run->role, run->results, run->kills, &c);
    for (size_t i = 0; i < c.count; i++) {
        const struct coverage_row *row = &c.at[i];
        json_array_append_new(
            list,
            json_pack("{s:o, s:s, s:o, s:b, s:o, s:o, s:o}", "id",
                      json_clean(row->rule->id), "level", row->rule->level,
                      "sentence", json_clean(row->rule->text), "judged",
                      row->is_judged, "accepting", row->accepting, "rejecting",
                      row->rejecting, "caught", row->caught));
    }
    return list;
}

static json_t *kills_json(const struct kills *kills)
{
    json_t *list = json_array();
    for (size_t i = 0; kills && i < kills->count; i++) {
        const struct kill *k = &kills->at[i];
        json_array_append_new(
            list,
            json_pack("{s:o, s:o, s:b, s:o, s:I, s:I}", "fault",
                      json_clean(k->fault), "rule", json_clean(k->rule),
                      "caught", k->is_caught, "by", json_clean(k->by), "red",
                      (json_int_t)k->red, "cases", (json_int_t)k->cases));
    }
    return kills ? list : json_null();
}

static json_t *stale_json(const struct report_run *run)
{
    json_t *list = json_array();
    const struct expectations *e = run->expectations;
    for (size_t i = 0; e && i < e->count; i++) {
        const char *why = expectations_stale(&e->at[i], run->all);
        if (why) {
            json_array_append_new(list,
                                  json_pack("{s:o, s:i, s:s}", "id",
                                            json_clean(e->at[i].id), "line",
                                            e->at[i].line, "why", why));
        }
    }
    return list;
}

json_t *report_model(const struct report_run *run, bool all_events)
{
    json_t *cases = json_array();
    for (size_t i = 0; i < run->results->count; i++) {
        json_array_append_new(cases,
                              case_json(&run->results->at[i], all_events));
    }
    json_t *j = json_pack(
        "{s:i, s:s, s:s, s:s, s:o, s:o, s:s, s:I, s:b, s:i}", "format",
        REPORT_FORMAT, "suite", "roam-conform", "protocol", "roam/1", "role",
        role_name(run->role), "peer", json_clean(run->peer), "seed",
        json_string(arena_printf("%" PRIu64, run->seed)), "started",
        run->started, "duration_ms", (json_int_t)run->ms, "complete",
        run->is_complete, "exit", run->exit);
    json_object_set_new(j, "counts", counts_json(run));
    json_object_set_new(j, "stale_expectations", stale_json(run));
    json_object_set_new(j, "cases", cases);
    json_object_set_new(j, "rules", rules_json(run));
    json_object_set_new(j, "kills", kills_json(run->kills));
    return j;
}

const char *report_json(const struct report_run *run)
{
    json_t *j = report_model(run, false);
    return arena_printf("%s\n", json_dumps(j, JSON_INDENT(1)));
}
