/* SPDX-License-Identifier: Apache-2.0 */
/* The parser: lines to steps, every name checked. See scn.h; its other files
 * are named in scn_parse.h. */
#include "scn.h"

#include <errno.h>
#include <string.h>

#include "client_scn.h"
#include "scn_parse.h"
#include "scn_server.h"

bool parser_fail(struct parser *p, int line, const char *reason)
{
    if (!p->reason) {
        p->reason = reason;
        p->error_line = line;
    }
    return false;
}

static bool parse_let(struct parser *p, struct step *step,
                      const struct words *w)
{
    step->kind = STEP_LET;
    if (w->count != 4 || w->at[1][0] != '$' || strcmp(w->at[2], "=") != 0) {
        return parser_fail(p, step->line, "let $NAME = EXPRESSION");
    }
    step->word = w->at[1];
    step->operand = w->at[3];
    return true;
}

/* A closing [RULE], taken off. */
static void take_rule(struct step *step, struct words *w)
{
    const char *last = w->at[w->count - 1];
    if (last[0] == '[') {
        step->rule = arena_copy(last + 1, strlen(last) - 2);
        w->count--;
    }
}

static bool parse_check(struct parser *p, struct step *step, struct words *w)
{
    step->kind = STEP_CHECK;
    take_rule(step, w);
    size_t at = 1;
    return parser_where(p, step->line, w, &at, &step->where) &&
           (at == w->count || parser_fail(p, step->line, "words left over"));
}

static bool knows_user(const struct parser *p, const char *word)
{
    for (size_t i = 0; i < p->s->user_count; i++) {
        if (strcmp(p->s->users[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static bool parse_checkpoint(struct parser *p, struct step *step,
                             const struct words *w)
{
    step->kind = STEP_CHECKPOINT;
    size_t len = w->count == 2 ? strlen(w->at[1]) : 0;
    if (len < 3 || strcmp(w->at[1] + len - 2, ".*") != 0) {
        return parser_fail(p, step->line, "checkpoint USER.*");
    }
    step->word = arena_copy(w->at[1], len - 2);
    return knows_user(p, step->word) ||
           parser_fail(p, step->line, "checkpoint of an unknown user");
}

static bool parse_server(struct parser *p, struct step *step, struct words *w)
{
    take_rule(step, w);
    const struct server_step *s =
        w->count > 1 ? server_step_find(w->at[1]) : NULL;
    step->kind = STEP_SERVER;
    if (!s || w->count != (s->operand ? 3 : 2)) {
        return parser_fail(p, step->line,
                           s ? arena_printf("server %s %s", s->name,
                                            s->operand ? s->operand : "alone")
                             : "no such step of a server");
    }
    if (p->s->role == ROLE_PAIR && !s->in_pair) {
        return parser_fail(p, step->line, "that step is of the role server");
    }
    step->act = (int)s->act;
    step->word = s->name;
    step->operand = s->operand ? w->at[2] : NULL;
    if (s->need && !scenario_needs(p->s, s->need)) {
        return parser_fail(p, step->line,
                           arena_printf("it takes a line `needs %s`", s->need));
    }
    return p->s->is_private ||
           parser_fail(p, step->line, "server steps need a `private` line");
}

static bool parse_provision(struct parser *p, struct step *step,
                            const struct words *w)
{
    step->kind = STEP_PROVISION;
    step->command = w->count == 4 ? w->at[1] : "";
    bool names = strcmp(step->command, "name") == 0;
    if (w->count == 3 && strcmp(w->at[1], "revoke") == 0) {
        step->command = w->at[1];
        return parser_device(p->s, w->at[2], strlen(w->at[2]), &step->device) ||
               parser_fail(p, step->line,
                           "provision revoke of an unknown device");
    }
    if (!names && strcmp(step->command, "block") != 0 &&
        strcmp(step->command, "unblock") != 0) {
        return parser_fail(p, step->line,
                           "provision name|block|unblock USER WHAT, or "
                           "revoke DEVICE");
    }
    step->word = w->at[2];
    step->operand = w->at[3];
    return (knows_user(p, step->word) &&
            (names || knows_user(p, step->operand))) ||
           parser_fail(p, step->line, "provision of an unknown user");
}

/* any-of may nest repeat and repeat any-of, as deep as files go. */
static bool parse_steps(struct parser *p, struct steps *out, int depth,
                        const char **stop);

static struct steps *add_body(struct step *step)
{
    arena_grow((void **)&step->bodies, step->body_count, &step->body_cap,
               sizeof *step->bodies);
    struct steps *body = &step->bodies[step->body_count++];
    memset(body, 0, sizeof *body);
    return body;
}

#define MAX_DEPTH 8

static bool parse_block(struct parser *p, struct step *step,
                        const struct words *w, int depth)
{
    bool any = strcmp(w->at[0], "any-of") == 0;
    const char *tag = any && w->count == 2 ? parser_tag(w->at[1]) : NULL;
    step->kind = any ? STEP_ANY_OF : STEP_REPEAT;
    step->rule = tag;
    if (depth >= MAX_DEPTH || w->count != (any && !tag ? 1u : 2u)) {
        return parser_fail(p, step->line, "any-of [RULE], or repeat COUNT");
    }
    step->operand = any ? NULL : w->at[1];
    const char *stop;
    do {
        struct steps body = {0};
        stop = "";
        if (!parse_steps(p, &body, depth + 1, &stop)) {
            return false;
        }
        *add_body(step) = body;
    } while (any && strcmp(stop, "or") == 0);
    if (strcmp(stop, "end") != 0) {
        return parser_fail(p, step->line, "block without end");
    }
    for (size_t i = 0; any && i < step->body_count; i++) {
        const struct steps *b = &step->bodies[i];
        if (b->count == 0 || b->at[0].kind != STEP_EXPECT) {
            return parser_fail(p, step->line,
                               "each alternative starts with an expectation");
        }
    }
    return true;
}

static bool parse_step(struct parser *p, struct step *step, struct words *w,
                       int depth)
{
    const char *word = w->at[0];
    if (strcmp(word, "any-of") == 0 || strcmp(word, "repeat") == 0) {
        return parse_block(p, step, w, depth);
    }
    if (strcmp(word, "let") == 0) {
        return parse_let(p, step, w);
    }
    if (strcmp(word, "check") == 0) {
        return parse_check(p, step, w);
    }
    if (strcmp(word, "checkpoint") == 0) {
        return parse_checkpoint(p, step, w);
    }
    if (strcmp(word, "advance") == 0 && p->s->role != ROLE_SERVER) {
        step->kind = STEP_ADVANCE;
        step->operand = w->count == 2 ? w->at[1] : "";
        return w->count == 2 ||
               parser_fail(p, step->line, "advance MILLISECONDS");
    }
    if (strcmp(word, "server") == 0) {
        return parse_server(p, step, w);
    }
    if (strcmp(w->at[0], "provision") == 0) {
        return parse_provision(p, step, w);
    }
    return parser_device_step(p, step, w);
}

static const char *trim(const char *s)
{
    while (*s == ' ' || *s == '\t') {
        s++;
    }
    return s;
}

static bool parse_steps(struct parser *p, struct steps *out, int depth,
                        const char **stop)
{
    while (p->at < p->lines.count) {
        const struct line *line = &p->lines.at[p->at++];
        struct words w;
        words_split(line->text, &w);
        p->s->last_line = line->number;
        if (w.count == 0) {
            continue;
        }
        if (depth == 0 && out->count == 0 &&
            parser_header(p, line->number, &w)) {
            if (p->reason) {
                return false;
            }
            continue;
        }
        if (w.count == 1 && depth > 0 &&
            (strcmp(w.at[0], "end") == 0 || strcmp(w.at[0], "or") == 0)) {
            *stop = w.at[0];
            return true;
        }
        arena_grow((void **)&out->at, out->count, &out->cap, sizeof *out->at);
        struct step *step = &out->at[out->count];
        memset(step, 0, sizeof *step);
        step->line = line->number;
        step->text = trim(line->text);
        out->count++;
        if (!parse_step(p, step, &w, depth)) {
            return false;
        }
    }
    return true;
}

/* The first comment that is not the licence says what the file is about. */
static const char *find_title(const struct lines *lines)
{
    struct text t = {0};
    for (size_t i = 0; i < lines->count; i++) {
        const char *s = trim(lines->at[i].text);
        bool is_text =
            *s == '#' && *trim(s + 1) && !strstr(s, "SPDX-License-Identifier");
        if (is_text) {
            text_add(&t, "%s%s", t.len ? " " : "", trim(s + 1));
        } else if (t.len > 0) {
            break;
        }
    }
    return t.len ? text_str(&t) : NULL;
}

bool scenario_needs(const struct scenario *s, const char *need)
{
    struct words w;
    words_split(s->needs, &w);
    size_t i = 0;
    while (i < w.count && strcmp(w.at[i], need) != 0) {
        i++;
    }
    return i < w.count;
}

const char *scenario_server_needs(const struct scenario *s)
{
    struct words w;
    struct text t = {0};
    words_split(s->needs, &w);
    for (size_t i = 0; i < w.count; i++) {
        if (s->role == ROLE_SERVER || !client_capability_known(w.at[i])) {
            text_add(&t, "%s%s", t.len > 0 ? " " : "", w.at[i]);
        }
    }
    return text_str(&t);
}

struct scenario *scenario_load(const char *path, const char *id, enum role role,
                               const char **error)
{
    char *text = file_read(path, NULL);
    if (!text) {
        *error = arena_printf("%s: %s", path, strerror(errno));
        return NULL;
    }
    return scenario_parse(text, path, id, role, error);
}

struct scenario *scenario_parse(const char *text, const char *path,
                                const char *id, enum role role,
                                const char **error)
{
    struct scenario *s = arena_alloc(sizeof *s);
    *s = (struct scenario){.path = path,
                           .id = id,
                           .role = ROLE_SERVER,
                           .wanted = role,
                           .roles = ROLE_SERVER,
                           .needs = "",
                           .settings = ""};
    struct parser p = {.s = s};
    const char *reason = lines_split(text, &p.lines);
    if (reason) {
        *error = arena_printf("%s:%s", path, reason);
        return NULL;
    }
    s->title = find_title(&p.lines);
    const char *stop = "";
    if (parse_steps(&p, &s->steps, 0, &stop)) {
        if (!s->title || s->rule_count == 0 || s->steps.count == 0) {
            parser_fail(&p, 1,
                        "needs a title comment, a rules line and a step");
        }
    }
    if (p.reason) {
        *error = arena_printf("%s:%d: %s", path, p.error_line, p.reason);
        return NULL;
    }
    return s;
}
