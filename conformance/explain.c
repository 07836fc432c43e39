/* SPDX-License-Identifier: Apache-2.0 */
/* What the files say of a rule: see explain.h. */
#include "explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broken.h"
#include "client_role.h"
#include "judge.h"
#include "scn_lex.h"

static bool steps_name(const struct steps *steps, const char *id);

/* Recursion as deep as the file's blocks, which the parser bounds. */
static bool step_names(const struct step *step, const char *id)
{
    if (step->rule && strcmp(step->rule, id) == 0) {
        return true;
    }
    for (size_t i = 0; i < step->body_count; i++) {
        if (steps_name(&step->bodies[i], id)) {
            return true;
        }
    }
    return false;
}

static bool steps_name(const struct steps *steps, const char *id)
{
    for (size_t i = 0; i < steps->count; i++) {
        if (step_names(&steps->at[i], id)) {
            return true;
        }
    }
    return false;
}

static bool scenario_names(const struct scenario *s, const char *id)
{
    for (size_t i = 0; i < s->rule_count; i++) {
        if (strcmp(s->rules[i], id) == 0) {
            return true;
        }
    }
    return steps_name(&s->steps, id);
}

/* ---------------------------------------------------------------- rationale */

/* `[AREA-FROM] to [AREA-TO]` somewhere in the text, around number n? */
static bool in_range(const char *text, const char *area, long n)
{
    const char *from = arena_printf("[%s-", area);
    const char *to = arena_printf("] to [%s-", area);
    for (const char *at = text; (at = strstr(at, from)) != NULL; at++) {
        char *end;
        long low = strtol(at + strlen(from), &end, 10);
        if (strncmp(end, to, strlen(to)) == 0 && low <= n &&
            n <= strtol(end + strlen(to), NULL, 10)) {
            return true;
        }
    }
    return false;
}

/* `[AREA-N]` itself, or a range around it. */
static bool names(const char *text, const char *id)
{
    const char *dash = strrchr(id, '-');
    return strstr(text, arena_printf("[%s]", id)) ||
           (dash && in_range(text, arena_copy(id, (size_t)(dash - id)),
                             strtol(dash + 1, NULL, 10)));
}

/* The first item that names the rule: in its heading, which ends with a
 * parenthesis, or at all. NULL: none. */
static const char *find_item(const char *section, const char *id,
                             bool in_heading)
{
    const char *at = section;
    while ((at = strstr(at, "\n- ")) != NULL) {
        const char *next = strstr(at + 1, "\n- ");
        const char *blank = strstr(at + 1, "\n\n");
        const char *end = next && (!blank || next < blank) ? next : blank;
        const char *item =
            end ? arena_copy(at + 3, (size_t)(end - at - 3)) : at + 3;
        if (names(in_heading ? arena_copy(item, strcspn(item, ")")) : item,
                  id)) {
            return item;
        }
        at++;
    }
    return NULL;
}

/* The first row of a table, `| failure | how | prevented by |`, that does. */
static const char *find_failure(const char *section, const char *id)
{
    const char *at = section;
    while ((at = strstr(at, "\n| ")) != NULL) {
        const char *row = arena_copy(at + 3, strcspn(at + 3, "\n"));
        const char *last = strstr(row, " | ");
        last = last ? strstr(last + 1, " | ") : NULL;
        if (last && names(last, id)) {
            return arena_printf(
                "against: %s; %s", arena_copy(row, strcspn(row, "|") - 1),
                arena_copy(strstr(row, " | ") + 3,
                           (size_t)(last - strstr(row, " | ") - 3)));
        }
        at++;
    }
    return NULL;
}

const char *explain_why(const char *spec, const char *id)
{
    const char *at = strstr(spec, ". Rationale\n");
    if (!at) {
        return NULL;
    }
    const char *end = strstr(at, "\n## ");
    const char *section = end ? arena_copy(at, (size_t)(end + 1 - at)) : at;
    const char *why = find_item(section, id, true);
    why = why ? why : find_failure(section, id);
    return why ? why : find_item(section, id, false);
}

/* ----------------------------------------------------------------- printing */

static void print_judges(const struct judge_rule *list, size_t count,
                         const char *role, const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].rule, id) == 0) {
            printf("\njudged in every case of the role %s:\n  %s\n", role,
                   list[i].what);
        }
    }
}

static void print_scenarios(const struct scenarios *all, const char *id)
{
    const char *heading = "\nscenarios:\n";
    for (size_t i = 0; i < all->count; i++) {
        bool again = i > 0 && strcmp(all->at[i]->id, all->at[i - 1]->id) == 0;
        if (!again && scenario_names(all->at[i], id)) {
            printf("%s  %-40s %s\n", heading, all->at[i]->id,
                   all->at[i]->title);
            heading = "";
        }
    }
}

static bool is_in_area(const struct rule *r, const char *area)
{
    size_t len = strlen(area);
    return strncmp(r->id, area, len) == 0 && r->id[len] == '-';
}

bool explain_area(const struct rules *rules, const char *area)
{
    bool any = false;
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *r = &rules->at[i];
        if (is_in_area(r, area)) {
            struct text t = {0};
            text_add_indented(&t, "  ", r->text);
            printf("%s\n%s", r->id, text_str(&t));
            any = true;
        }
    }
    return any;
}

const char *explain_areas(const struct rules *rules)
{
    struct text t = {0};
    for (size_t i = 0; i < rules->count; i++) {
        const char *id = rules->at[i].id;
        const char *area = arena_copy(id, strcspn(id, "-"));
        bool is_first = true;
        for (size_t k = 0; k < i; k++) {
            is_first = is_first && !is_in_area(&rules->at[k], area);
        }
        if (is_first) {
            text_add(&t, " %s", area);
        }
    }
    return text_str(&t);
}

bool explain_rule(const struct options *o, const struct rules *rules,
                  const struct scenarios *all, const char *id)
{
    const char *spec = file_read(o->spec, NULL);
    const char *why = spec ? explain_why(spec, id) : NULL;
    const struct rule *r = rules_find(rules, id);
    printf("%s\n\n%s\n\n%s:%d, %s\n", id, r->text, o->spec, r->line,
           r->section);
    if (why) {
        struct text t = {0};
        text_add_indented(&t, "  ", why);
        printf("\nwhy:\n%s", text_str(&t));
    }
    print_judges(judge_rules, judge_rule_count, "server", id);
    print_judges(client_judge_rules, client_judge_rule_count, "client", id);
    print_scenarios(all, id);
    return broken_explain(in_root(o, "conformance/broken/faults"), rules, id,
                          "servers") &&
           broken_explain(in_root(o, "conformance/broken/client-faults"), rules,
                          id, "clients") &&
           broken_explain(in_root(o, "conformance/broken/pair-faults"), rules,
                          id, "peers of a pair");
}

void explain_case(const struct rules *rules, const struct scenario *s)
{
    const char *steps = file_read(s->path, NULL);
    printf("%s\n\n%s\n\nrules:\n", s->id, s->title);
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *r = &rules->at[i];
        if (scenario_names(s, r->id)) {
            struct text t = {0};
            text_add_indented(&t, "    ", r->text);
            printf("  %s\n%s", r->id, text_str(&t));
        }
    }
    printf("\n%s:\n", s->path);
    for (size_t n = 1; steps && *steps; n++) {
        size_t len = strcspn(steps, "\n");
        printf("%3zu  %.*s\n", n, (int)len, steps);
        steps += len + (steps[len] == '\n');
    }
}

void explain_gaps(const struct rules *rules, const struct scenarios *all)
{
    size_t bound = 0, tested = 0;
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *r = &rules->at[i];
        bool named = false;
        for (size_t k = 0; k < all->count; k++) {
            named = named || scenario_names(all->at[k], r->id);
        }
        bound += r->binds_server;
        tested += r->binds_server && named;
        if (r->binds_server && !named) {
            printf("%s\n", r->id);
        }
    }
    fprintf(stderr, "%zu of %zu rules that bind a server have a scenario\n",
            tested, bound);
}
