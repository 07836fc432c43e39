/* SPDX-License-Identifier: Apache-2.0 */
/* JUnit XML, in the shape that CI systems agree on: one <testsuite> an
 * area, one <testcase> a case. JUnit has fewer words than we have verdicts:
 *
 *   fail, not-exercised, an unexpected pass   <failure type="...">
 *   harness-error                             <error type="harness-error">
 *   unsupported                               <skipped>
 *   what the expectations have, and warn      passes; <system-out> tells it */
#include <inttypes.h>
#include <string.h>

#include "report_model.h"
#include "report_text.h"

struct suite {
    size_t tests, failures, errors, skipped;
    uint64_t ms;
    struct text cases;
};

static void add_time(struct text *t, uint64_t ms)
{
    text_add(t, " time=\"%" PRIu64 ".%03" PRIu64 "\"", ms / 1000, ms % 1000);
}

/* <failure> or <error>; `type` is the verdict in our words. */
static void add_bad(struct text *t, const char *element, const char *type,
                    const char *message, const char *detail)
{
    text_add(t, "      <%s", element);
    xml_add_attribute(t, "message", message);
    xml_add_attribute(t, "type", type);
    text_add(t, ">");
    xml_add(t, detail);
    text_add(t, "</%s>\n", element);
}

static void add_outcome(struct suite *s, const struct result *r)
{
    struct text *t = &s->cases;
    if (r->standing == STANDING_UNEXPECTED_PASS) {
        s->failures++;
        add_bad(t, "failure", "unexpected-pass",
                "it passes, and the expectations have it as known to fail", "");
    } else if (r->verdict == VERDICT_HARNESS) {
        s->errors++;
        add_bad(t, "error", "harness-error", r->what, r->detail);
    } else if (r->standing == STANDING_UNEXPECTED) {
        s->failures++;
        add_bad(t, "failure", verdict_name(r->verdict), r->what, r->detail);
    } else if (r->verdict == VERDICT_UNSUPPORTED) {
        s->skipped++;
        text_add(t, "      <skipped");
        xml_add_attribute(t, "message", r->what);
        text_add(t, "/>\n");
    } else if (r->verdict != VERDICT_PASS) {
        text_add(t, "      <system-out>%s%s: ",
                 r->standing == STANDING_KNOWN ? "known " : "",
                 verdict_name(r->verdict));
        xml_add(t, r->detail);
        text_add(t, "</system-out>\n");
    }
}

static const char *area_of(const struct result *r)
{
    return arena_copy(r->s->id, strcspn(r->s->id, "/"));
}

/* No two in one round have one name: the sanity case is there first and last.
 */
static const char *name_of(const struct results *all, const struct result *r)
{
    const char *slash = strchr(r->s->id, '/');
    const char *name = slash ? slash + 1 : r->s->id;
    bool again = r != all->at && r->s == all->at[0].s;
    return arena_printf("%s%s%s", name,
                        r->round ? arena_printf(" (round %zu)", r->round + 1)
                                 : "",
                        again ? " (again)" : "");
}

static void add_case(struct suite *s, const struct results *all,
                     const struct result *r)
{
    text_add(&s->cases, "    <testcase");
    xml_add_attribute(&s->cases, "name", name_of(all, r));
    xml_add_attribute(&s->cases, "classname",
                      arena_printf("roam-conform.%s", area_of(r)));
    xml_add_attribute(&s->cases, "file", r->s->path);
    add_time(&s->cases, r->ms);
    text_add(&s->cases, ">\n");
    add_outcome(s, r);
    text_add(&s->cases, "    </testcase>\n");
    s->tests++;
    s->ms += r->ms;
}

static void add_suite(struct text *t, const struct report_run *run,
                      const char *area, size_t from, struct suite *total)
{
    struct suite s = {0};
    for (size_t i = from; i < run->results->count; i++) {
        const struct result *r = &run->results->at[i];
        if (strcmp(area_of(r), area) == 0) {
            add_case(&s, run->results, r);
        }
    }
    text_add(t, "  <testsuite");
    xml_add_attribute(t, "name", area);
    text_add(t,
             " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"",
             s.tests, s.failures, s.errors, s.skipped);
    add_time(t, s.ms);
    if (*run->started) {
        xml_add_attribute(t, "timestamp", run->started);
    }
    text_add(t, ">\n%s  </testsuite>\n", text_str(&s.cases));
    total->tests += s.tests;
    total->failures += s.failures;
    total->errors += s.errors;
    total->skipped += s.skipped;
}

/* Is this the first result of its area? */
static bool opens_area(const struct results *results, size_t at)
{
    for (size_t i = 0; i < at; i++) {
        if (strcmp(area_of(&results->at[i]), area_of(&results->at[at])) == 0) {
            return false;
        }
    }
    return true;
}

const char *report_junit(const struct report_run *run)
{
    struct text suites = {0}, t = {0};
    struct suite total = {0};
    for (size_t i = 0; i < run->results->count; i++) {
        if (opens_area(run->results, i)) {
            add_suite(&suites, run, area_of(&run->results->at[i]), i, &total);
        }
    }
    text_add(&t, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites");
    xml_add_attribute(&t, "name", "roam-conform");
    text_add(&t,
             " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"",
             total.tests, total.failures, total.errors, total.skipped);
    add_time(&t, run->ms);
    text_add(&t, ">\n%s</testsuites>\n", text_str(&suites));
    return text_str(&t);
}
