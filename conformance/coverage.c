/* SPDX-License-Identifier: Apache-2.0 */
/* Which rules a run has tested: see coverage.h. */
#include "coverage.h"

#include <string.h>

#include "client_role.h"
#include "client_scn.h"
#include "judge.h"
#include "report_text.h"
#include "scn_server.h"

static bool is_refusal(const struct frame_type *type)
{
    return type && (type->number == F_REFUSED || type->number == F_ERROR ||
                    type->number == F_KICK);
}

/* Verbs that only do something; all others check what comes of it. */
static bool verb_checks(const struct step *step)
{
    if (step->verb != VERB_CLIENT) {
        return step->verb == VERB_LOGIN || step->verb == VERB_SYNC ||
               step->verb == VERB_START || step->verb == VERB_FENCE ||
               step->verb == VERB_DRAIN || step->verb == VERB_PULL ||
               step->verb == VERB_GREETS || step->verb == VERB_BY_TICKET;
    }
    return step->act == ACT_START || step->act == ACT_GRANT ||
           step->act == ACT_FENCE || step->act == ACT_DRAIN ||
           step->act == ACT_STATE || step->act == ACT_PULL;
}

/* Says what must not be, and nothing else. */
static bool denies(const struct terms *terms)
{
    for (size_t i = 0; i < terms->count; i++) {
        if (terms->at[i].op != OP_NE) {
            return false;
        }
    }
    return true;
}

static enum seen server_seen(const struct step *step)
{
    switch ((enum server_act)step->act) {
    case SERVER_SECRETS:
    case SERVER_UNWRITTEN:
    case SERVER_GROWN_LESS:
        return SEEN_REJECTING;
    case SERVER_WRITTEN:
        return SEEN_ACCEPTING;
    default:
        return SEEN_NOTHING;
    }
}

enum seen coverage_seen(const struct step *step)
{
    switch (step->kind) {
    case STEP_SEND:
        return step->lie ? SEEN_REJECTING : SEEN_NOTHING;
    case STEP_EXPECT:
        return step->subject == ABOUT_CLOSED || is_refusal(step->type)
                   ? SEEN_REJECTING
                   : SEEN_ACCEPTING;
    case STEP_ABSENT:
        return SEEN_REJECTING;
    case STEP_VERB:
        if (step->verb == VERB_GREETS_IN_VAIN ||
            step->verb == VERB_RENEGOTIATES || step->verb == VERB_ELSEWHERE) {
            return SEEN_REJECTING;
        }
        return verb_checks(step) ? SEEN_ACCEPTING : SEEN_NOTHING;
    case STEP_CHECK:
        return denies(&step->where) ? SEEN_REJECTING : SEEN_ACCEPTING;
    case STEP_CHECKPOINT:
    case STEP_EVENT:
        return SEEN_ACCEPTING;
    case STEP_SERVER:
        return server_seen(step);
    case STEP_LET:
    case STEP_PROVISION:
    case STEP_REPEAT:
    case STEP_ANY_OF:
    case STEP_ADVANCE:
        break;
    }
    return SEEN_NOTHING;
}

static bool is_listed(const struct judge_rule *list, size_t count,
                      const char *id)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].rule, id) == 0) {
            return true;
        }
    }
    return false;
}

/* A pair speaks plain TCP, so nobody there sees anything of TLS. */
static bool is_judged(enum role role, const char *id)
{
    if (role == ROLE_PAIR && strncmp(id, "TLS-", strlen("TLS-")) == 0) {
        return false;
    }
    return (role != ROLE_CLIENT &&
            is_listed(judge_rules, judge_rule_count, id)) ||
           (role != ROLE_SERVER &&
            is_listed(client_judge_rules, client_judge_rule_count, id));
}

static bool binds(const struct rule *rule, enum role role)
{
    return (role != ROLE_CLIENT && rule->binds_server) ||
           (role != ROLE_SERVER && rule->binds_client);
}

static bool has_text(const json_t *list, const char *text)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(item), text) == 0) {
            return true;
        }
    }
    return false;
}

/* Once, however often it was seen. */
static void add_text(json_t *list, const char *text)
{
    if (!has_text(list, text)) {
        json_array_append_new(list, json_clean(text));
    }
}

static void add_case(struct coverage_row *row, const struct result *r)
{
    const json_t *observed = json_object_get(r->record, "observed");
    const char *id = row->rule->id;
    if (has_text(json_object_get(observed, "accepting"), id)) {
        add_text(row->accepting, r->s->id);
    }
    if (has_text(json_object_get(observed, "rejecting"), id)) {
        add_text(row->rejecting, r->s->id);
    }
}

static struct coverage_row make_row(const struct rule *rule, enum role role)
{
    return (struct coverage_row){.rule = rule,
                                 .is_judged = is_judged(role, rule->id),
                                 .accepting = json_array(),
                                 .rejecting = json_array(),
                                 .caught = json_array()};
}

void coverage_collect(const struct rules *rules, enum role role,
                      const struct results *results, const struct kills *kills,
                      struct coverage *out)
{
    out->role = role;
    for (size_t i = 0; i < rules->count; i++) {
        const struct rule *rule = &rules->at[i];
        if (!binds(rule, role)) {
            continue;
        }
        arena_grow((void **)&out->at, out->count, &out->cap, sizeof *out->at);
        struct coverage_row *row = &out->at[out->count++];
        *row = make_row(rule, role);
        for (size_t k = 0; k < results->count; k++) {
            if (results->at[k].verdict == VERDICT_PASS) {
                add_case(row, &results->at[k]);
            }
        }
        for (size_t k = 0; kills && k < kills->count; k++) {
            const struct kill *kill = &kills->at[k];
            if (kill->is_caught && strcmp(kill->rule, rule->id) == 0) {
                add_text(row->caught, kill->fault);
            }
        }
    }
}

/* Each rule is one side's, and that side's role holds it; of a pair it is told
 * what was seen there. */
static bool is_told(const struct coverage *c, const struct coverage_row *row)
{
    return c->role != ROLE_PAIR || row->is_judged ||
           json_array_size(row->accepting) || json_array_size(row->rejecting) ||
           json_array_size(row->caught);
}

static const char *yes(bool is)
{
    return is ? "yes" : "-";
}

const char *coverage_table(const struct coverage *c)
{
    struct text t = {0};
    text_add(&t, "# role\trule\tlevel\taccepting\trejecting\tcaught\n");
    for (size_t i = 0; i < c->count; i++) {
        const struct coverage_row *row = &c->at[i];
        if (!is_told(c, row)) {
            continue;
        }
        text_add(&t, "%s\t%s\t%s\t%s\t%s\t%s\n", role_name(c->role),
                 row->rule->id, row->rule->level,
                 yes(row->is_judged || json_array_size(row->accepting)),
                 yes(json_array_size(row->rejecting)),
                 yes(json_array_size(row->caught)));
    }
    return text_str(&t);
}
