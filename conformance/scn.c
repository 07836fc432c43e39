/* SPDX-License-Identifier: Apache-2.0 */
/* The parser: lines to steps, every name checked. See scn.h. */
#include "scn.h"

#include <arpa/inet.h>

#include <errno.h>
#include <string.h>

#include "client_scn.h"
#include "control.h"
#include "edit.h"
#include "row_state.h"
#include "scn_lex.h"
#include "scn_server.h"
#include "tls.h"

struct parser {
    struct scenario *s;
    struct lines lines;
    size_t at;          /* the next line */
    const char *reason; /* the first error, without its place */
    int error_line;
};

static bool fail(struct parser *p, int line, const char *reason)
{
    if (!p->reason) {
        p->reason = reason;
        p->error_line = line;
    }
    return false;
}

/* ----------------------------------------------------------------- header */

static void add_user(struct scenario *s, const char *name)
{
    for (size_t i = 0; i < s->user_count; i++) {
        if (strcmp(s->users[i], name) == 0) {
            return;
        }
    }
    arena_grow((void **)&s->users, s->user_count, &s->user_cap,
               sizeof *s->users);
    s->users[s->user_count++] = name;
}

struct option {
    const char *name;
    const char **value;
};

/* key=value words from `from` on into the options that are listed. */
static bool parse_options(struct parser *p, int line, const struct words *w,
                          size_t from, const struct option *options)
{
    for (size_t i = from; i < w->count; i++) {
        struct term t;
        if (!term_split(w->at[i], &t) || t.op != OP_EQ) {
            return fail(p, line,
                        arena_printf("%s is not name=value", w->at[i]));
        }
        const struct option *o = options;
        while (o->name && strcmp(o->name, t.left) != 0) {
            o++;
        }
        if (!o->name) {
            return fail(p, line, arena_printf("no option %s", t.left));
        }
        *o->value = t.right;
    }
    return true;
}

static bool parse_token(struct parser *p, int line, const struct words *w)
{
    struct scenario *s = p->s;
    arena_grow((void **)&s->tokens, s->token_count, &s->token_cap,
               sizeof *s->tokens);
    struct token_decl *t = &s->tokens[s->token_count];
    memset(t, 0, sizeof *t);
    const struct option options[] = {{"user", &t->user},
                                     {"type", &t->type},
                                     {"expires", &t->expires},
                                     {NULL, NULL}};
    if (w->count < 3 || w->at[1][0] != '$' ||
        !parse_options(p, line, w, 2, options) || !t->user) {
        return fail(p, line, "token $NAME user=U [type=T] [expires=WHEN]");
    }
    if (t->expires && strcmp(t->expires, "past") != 0 &&
        !duration_parse(t->expires, &(uint64_t){0})) {
        return fail(p, line, "expires is past, or a time such as 60s");
    }
    t->name = w->at[1];
    add_user(s, t->user);
    s->token_count++;
    return true;
}

static bool device_index(const struct scenario *s, const char *name, size_t len,
                         size_t *out)
{
    for (size_t i = 0; i < s->device_count; i++) {
        if (strlen(s->devices[i].name) == len &&
            memcmp(s->devices[i].name, name, len) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool parse_device(struct parser *p, int line, const struct words *w)
{
    struct scenario *s = p->s;
    arena_grow((void **)&s->devices, s->device_count, &s->device_cap,
               sizeof *s->devices);
    struct device_decl *d = &s->devices[s->device_count];
    memset(d, 0, sizeof *d);
    const char *ack = "auto";
    const struct option options[] = {{"user", &d->user},
                                     {"type", &d->type},
                                     {"id", &d->id},
                                     {"token", &d->token},
                                     {"from", &d->from},
                                     {"max_frame", &d->max_frame},
                                     {"max_unacked", &d->max_unacked},
                                     {"max_inflated", &d->max_inflated},
                                     {"max_entries", &d->max_entries},
                                     {"codecs", &d->codecs},
                                     {"ack", &ack},
                                     {NULL, NULL}};
    if (w->count < 4 || !parse_options(p, line, w, 2, options) || !d->user ||
        !d->type) {
        return fail(p, line, "device NAME user=U type=T [option=value...]");
    }
    size_t other;
    if (device_index(s, w->at[1], strlen(w->at[1]), &other)) {
        return fail(p, line, "device declared twice");
    }
    if (d->id && !device_index(s, d->id, strlen(d->id), &other)) {
        return fail(p, line, "id= names no device above");
    }
    struct in_addr from;
    if (d->from && inet_pton(AF_INET, d->from, &from) != 1) {
        return fail(p, line, "from= is no IPv4 address");
    }
    if (s->role == ROLE_PAIR && (d->id || d->from)) {
        return fail(p, line, "id= and from= are of the role server");
    }
    d->name = w->at[1];
    d->manual_ack = strcmp(ack, "manual") == 0;
    add_user(s, d->user);
    s->device_count++;
    return true;
}

static const char *join(const struct words *w, size_t from)
{
    struct text t = {0};
    for (size_t i = from; i < w->count; i++) {
        text_add(&t, "%s%s", i > from ? " " : "", w->at[i]);
    }
    return text_str(&t);
}

static bool parse_rules(struct scenario *s, const struct words *w)
{
    for (size_t i = 1; i < w->count; i++) {
        arena_grow((void **)&s->rules, s->rule_count, &s->rule_cap,
                   sizeof *s->rules);
        s->rules[s->rule_count++] = w->at[i];
    }
    return s->rule_count > 0;
}

static const enum role all_roles[] = {ROLE_SERVER, ROLE_CLIENT, ROLE_PAIR};

const char *role_name(enum role role)
{
    return role == ROLE_SERVER ? "server"
           : role == ROLE_PAIR ? "pair"
                               : "client";
}

/* server and client never share a file: what one sends the other expects,
 * with other defaults. */
static bool parse_roles(struct scenario *s, const struct words *w)
{
    s->roles = 0;
    for (size_t i = 1; i < w->count; i++) {
        unsigned before = s->roles;
        for (size_t k = 0; k < sizeof all_roles / sizeof all_roles[0]; k++) {
            if (strcmp(w->at[i], role_name(all_roles[k])) == 0) {
                s->roles |= all_roles[k];
            }
        }
        if (s->roles == before) {
            return false;
        }
    }
    for (size_t k = sizeof all_roles / sizeof all_roles[0]; k-- > 0;) {
        if (s->wanted ? s->wanted == all_roles[k]
                      : (s->roles & all_roles[k]) != 0) {
            s->role = all_roles[k];
        }
    }
    return (s->roles & ROLE_SERVER) == 0 || (s->roles & ROLE_CLIENT) == 0;
}

/* True when the line was a header line (or a bad one). */
static bool parse_header(struct parser *p, int line, const struct words *w)
{
    struct scenario *s = p->s;
    const char *word = w->at[0];
    if (strcmp(word, "rules") == 0) {
        if (!parse_rules(s, w)) {
            fail(p, line, "rules without an id");
        }
    } else if (strcmp(word, "roles") == 0) {
        if (!parse_roles(s, w)) {
            fail(p, line,
                 "roles server, client, pair, server pair or client pair");
        }
    } else if (strcmp(word, "needs") == 0) {
        s->needs = join(w, 1);
        if (s->roles == (ROLE_SERVER | ROLE_PAIR)) {
            fail(p, line, "needs of a server, or of an adapter?");
        }
        for (size_t i = 1; i < w->count; i++) {
            bool server = s->roles == ROLE_SERVER;
            bool pair = s->roles == ROLE_PAIR;
            /* TLS disturbs nobody. */
            s->is_private =
                s->is_private || (server && strcmp(w->at[i], "tls") != 0);
            if ((s->roles & ROLE_PAIR) && strcmp(w->at[i], "tls") == 0) {
                fail(p, line, "the role pair has no tls");
            }
            if (!((server || pair) && control_capability_known(w->at[i])) &&
                !(!server && client_capability_known(w->at[i]))) {
                fail(p, line, arena_printf("no capability %s", w->at[i]));
            }
        }
    } else if (strcmp(word, "level") == 0) {
        s->is_should = strcmp(join(w, 1), "should") == 0;
        if (!s->is_should && strcmp(join(w, 1), "must") != 0) {
            fail(p, line, "level must or level should");
        }
    } else if (strcmp(word, "private") == 0) {
        s->is_private = true;
    } else if (strcmp(word, "user") == 0) {
        for (size_t i = 1; i < w->count; i++) {
            add_user(s, w->at[i]);
        }
    } else if (strcmp(word, "token") == 0) {
        parse_token(p, line, w);
    } else if (strcmp(word, "device") == 0) {
        parse_device(p, line, w);
    } else if (strcmp(word, "server") == 0 && w->count > 1 &&
               strchr(w->at[1], '=')) {
        s->settings = join(w, 1);
    } else {
        return false;
    }
    return true;
}

/* ------------------------------------------------------------------ steps */

static void add_term(struct terms *terms, struct term t)
{
    arena_grow((void **)&terms->at, terms->count, &terms->cap,
               sizeof *terms->at);
    terms->at[terms->count++] = t;
}

static bool parse_where(struct parser *p, int line, const struct words *w,
                        size_t *at, struct terms *out)
{
    do {
        enum op op;
        if (*at + 3 > w->count || !op_parse(w->at[*at + 1], &op)) {
            return fail(p, line, "expected: left operator right");
        }
        add_term(out, (struct term){w->at[*at], op, w->at[*at + 2]});
        *at += 3;
    } while (*at < w->count && strcmp(w->at[*at], "and") == 0 && ++*at);
    return true;
}

static bool parse_edits(struct parser *p, int line, const struct words *w,
                        size_t *at, struct step *step)
{
    for (; *at < w->count; ++*at) {
        struct term t;
        if (!term_split(w->at[*at], &t)) {
            t = (struct term){w->at[*at], OP_EQ, NULL};
        }
        const char *reason = edit_check(t.left, t.right);
        if (reason) {
            return fail(p, line, reason);
        }
        add_term(&step->edits, t);
    }
    return step->edits.count > 0 || fail(p, line, "edit without a name");
}

static bool parse_field(struct parser *p, struct step *step, const char *word,
                        const ProtobufCMessageDescriptor *desc)
{
    struct term t;
    if (!term_split(word, &t)) {
        return fail(p, step->line,
                    arena_printf("%s is neither field nor keyword", word));
    }
    bool is_hello =
        step->kind == STEP_VERB &&
        (step->verb == VERB_GREETS || step->verb == VERB_GREETS_IN_VAIN);
    if (is_hello && t.op == OP_EQ &&
        tls_hello_set(&(struct tls_hello){NULL, NULL, NULL}, t.left, t.right)) {
        add_term(&step->fields, t);
        return true;
    }
    bool of_row = (step->subject == ABOUT_ROW || step->act == ACT_ROW) &&
                  row_state_find(t.left) != NULL;
    if (!desc || (!of_row && !field_find(desc, t.left))) {
        return fail(p, step->line, arena_printf("no field %s", t.left));
    }
    bool is_matched = step->kind == STEP_EXPECT || step->kind == STEP_ABSENT ||
                      step->kind == STEP_EVENT;
    if (t.op != OP_EQ && !is_matched) {
        return fail(p, step->line, "what is sent needs =");
    }
    add_term(&step->fields, t);
    return true;
}

/* The rule that a closing [RULE] names; NULL: it is none. */
static const char *tag_of(const char *word)
{
    size_t len = strlen(word);
    return word[0] == '[' && word[len - 1] == ']'
               ? arena_copy(word + 1, len - 2)
               : NULL;
}

/* What follows the frame's or verb's name. */
static bool parse_rest(struct parser *p, struct step *step,
                       const struct words *w, size_t at,
                       const ProtobufCMessageDescriptor *desc, bool raw)
{
    while (at < w->count) {
        const char *word = w->at[at];
        if (tag_of(word) && at + 1 == w->count) {
            step->rule = tag_of(word);
            at++;
        } else if (strcmp(word, "lie") == 0 && step->kind == STEP_SEND &&
                   p->s->role == ROLE_CLIENT) {
            step->lie = true;
            at++;
        } else if (strcmp(word, "where") == 0 &&
                   (step->kind == STEP_EXPECT || step->kind == STEP_EVENT)) {
            at++;
            if (!parse_where(p, step->line, w, &at, &step->where)) {
                return false;
            }
        } else if (strcmp(word, "peek") == 0 && step->type &&
                   step->type->number == F_BATCH) {
            step->peek = true;
            at++;
        } else if (strcmp(word, "edit") == 0 && raw) {
            at++;
            if (!parse_edits(p, step->line, w, &at, step)) {
                return false;
            }
        } else if (!parse_field(p, step, word, desc)) {
            return false;
        } else {
            at++;
        }
    }
    if (raw && step->edits.count == 0) {
        return fail(p, step->line, "raw without edit");
    }
    return true;
}

/* In a file of server and pair, what the one sends the other's client is told
 * to send, as far as a program can choose it. */
static bool parse_told(struct parser *p, struct step *step,
                       const struct words *w, size_t at)
{
    const char *const *fields = client_told_fields(step->type->number);
    step->kind = STEP_VERB;
    step->verb = VERB_CLIENT;
    step->act = (int)client_told_act(step->type->number);
    step->is_whole = true;
    if (!fields) {
        return fail(
            p, step->line,
            arena_printf("no client is told to send %s", step->type->name));
    }
    if (!parse_rest(p, step, w, at, step->type->desc, false)) {
        return false;
    }
    for (size_t i = 0; i < step->fields.count; i++) {
        size_t k = 0;
        while (fields[k] && strcmp(fields[k], step->fields.at[i].left) != 0) {
            k++;
        }
        if (!fields[k]) {
            return fail(
                p, step->line,
                arena_printf("no program chooses %s", step->fields.at[i].left));
        }
    }
    return true;
}

/* dev> TYPE, dev< TYPE, dev! TYPE; `at` is the word with the arrow. */
static bool parse_arrow(struct parser *p, struct step *step,
                        const struct words *w, size_t at, char arrow, bool raw)
{
    if (at + 1 >= w->count) {
        return fail(p, step->line, "a frame's name is missing");
    }
    const char *name = w->at[at + 1];
    const ProtobufCMessageDescriptor *desc = NULL;
    bool server = p->s->role == ROLE_SERVER, pair = p->s->role == ROLE_PAIR;
    bool has_rows = server || pair;
    char sends = server ? '>' : pair ? '\0' : '<';
    step->kind = arrow == '!'     ? STEP_ABSENT
                 : arrow == sends ? STEP_SEND
                                  : STEP_EXPECT;
    step->to_client = arrow == '<';
    if (!server &&
        (arrow == ':' || (arrow == '!' && client_event_find(name)))) {
        step->kind = arrow == ':' ? STEP_EVENT : step->kind;
        step->word = name;
        desc = client_event_find(name);
        if (!desc) {
            return fail(p, step->line, arena_printf("no event %s", name));
        }
    } else if (has_rows && step->kind != STEP_SEND &&
               strcmp(name, "entry") == 0) {
        step->subject = ABOUT_ENTRY;
        desc = &roam__v1__push__descriptor;
    } else if (has_rows && step->kind != STEP_SEND &&
               strcmp(name, "row") == 0) {
        step->subject = ABOUT_ROW;
        desc = &roam__v1__push__descriptor;
    } else if (has_rows && step->kind != STEP_SEND &&
               strcmp(name, "member") == 0) {
        step->subject = ABOUT_MEMBER;
        desc = &roam__v1__member_row__descriptor;
    } else if (step->kind == STEP_EXPECT && strcmp(name, "closed") == 0) {
        step->subject = ABOUT_CLOSED;
    } else {
        step->type = frame_type_named(name);
        if (!step->type) {
            return fail(p, step->line, arena_printf("no frame %s", name));
        }
        if (pair && arrow != '!' &&
            step->type->from_server != step->to_client) {
            return fail(p, step->line,
                        arena_printf("%s goes the other way", name));
        }
        desc = step->type->desc;
    }
    if (pair && step->type && arrow == '>' && (p->s->roles & ROLE_SERVER)) {
        return parse_told(p, step, w, at + 2);
    }
    return parse_rest(p, step, w, at + 2, desc, raw);
}

static const struct {
    const char *name;
    enum verb verb;
    const ProtobufCMessageDescriptor *fields; /* NULL: takes none */
} verbs[] = {
    {"login", VERB_LOGIN, &roam__v1__login__descriptor},
    {"sync", VERB_SYNC, &roam__v1__sync__descriptor},
    {"start", VERB_START, &roam__v1__sync__descriptor},
    {"send", VERB_SEND, &roam__v1__send__descriptor},
    {"logout", VERB_LOGOUT, NULL},
    {"ack", VERB_ACK, NULL},
    {"fence", VERB_FENCE, NULL},
    {"drain", VERB_DRAIN, NULL},
    {"connect", VERB_CONNECT, NULL},
    {"close", VERB_CLOSE, NULL},
    {"cut", VERB_CUT, NULL},
    {"half-open", VERB_HALF_OPEN, NULL},
    {"stall", VERB_STALL, NULL},
    {"resume", VERB_RESUME, NULL},
    {"gather", VERB_GATHER, NULL},
    {"flush", VERB_FLUSH, NULL},
    {"pull", VERB_PULL, &roam__v1__history__descriptor},
    {"greets", VERB_GREETS, NULL},
    {"greets-in-vain", VERB_GREETS_IN_VAIN, NULL},
    {"by-ticket", VERB_BY_TICKET, NULL},
    {"renegotiates-in-vain", VERB_RENEGOTIATES, NULL},
    {"elsewhere", VERB_ELSEWHERE, NULL},
};

static bool parse_verb(struct parser *p, struct step *step,
                       const struct words *w)
{
    if (p->s->role != ROLE_SERVER) {
        const struct client_verb *v =
            w->count > 1 ? client_verb_find(w->at[1], p->s->role) : NULL;
        step->kind = STEP_VERB;
        step->verb = VERB_CLIENT;
        step->is_whole = (p->s->roles & ROLE_SERVER) != 0;
        step->act = v ? (int)v->act : 0;
        step->word = v && v->takes_word && w->count > 2 ? w->at[2] : NULL;
        return v ? parse_rest(p, step, w, step->word ? 3 : 2, v->fields, false)
                 : fail(p, step->line, "unknown verb");
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (w->count > 1 && strcmp(verbs[i].name, w->at[1]) == 0) {
            step->kind = STEP_VERB;
            step->verb = verbs[i].verb;
            return parse_rest(p, step, w, 2, verbs[i].fields, false);
        }
    }
    return fail(p, step->line, "unknown verb");
}

static bool parse_device_step(struct parser *p, struct step *step,
                              const struct words *w)
{
    bool raw = strcmp(w->at[0], "raw") == 0;
    size_t at = raw ? 1 : 0;
    if (at >= w->count) {
        return fail(p, step->line, "raw without a frame");
    }
    size_t len = strlen(w->at[at]);
    char arrow = w->at[at][len - 1];
    bool client = p->s->role == ROLE_CLIENT, pair = p->s->role == ROLE_PAIR;
    bool has_arrow = arrow == '>' || arrow == '<' || arrow == '!' ||
                     ((client || pair) && arrow == ':');
    if (!device_index(p->s, w->at[at], has_arrow ? len - 1 : len,
                      &step->device)) {
        return fail(p, step->line,
                    arena_printf("no device or keyword %s", w->at[at]));
    }
    if (raw && (pair || arrow != (client ? '<' : '>'))) {
        return fail(p, step->line, "only what is sent can be raw");
    }
    return has_arrow ? parse_arrow(p, step, w, at, arrow, raw)
                     : parse_verb(p, step, w);
}

static bool parse_let(struct parser *p, struct step *step,
                      const struct words *w)
{
    step->kind = STEP_LET;
    if (w->count != 4 || w->at[1][0] != '$' || strcmp(w->at[2], "=") != 0) {
        return fail(p, step->line, "let $NAME = EXPRESSION");
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
    return parse_where(p, step->line, w, &at, &step->where) &&
           (at == w->count || fail(p, step->line, "words left over"));
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
        return fail(p, step->line, "checkpoint USER.*");
    }
    step->word = arena_copy(w->at[1], len - 2);
    return knows_user(p, step->word) ||
           fail(p, step->line, "checkpoint of an unknown user");
}

static bool parse_server(struct parser *p, struct step *step, struct words *w)
{
    take_rule(step, w);
    const struct server_step *s =
        w->count > 1 ? server_step_find(w->at[1]) : NULL;
    step->kind = STEP_SERVER;
    if (!s || w->count != (s->operand ? 3 : 2)) {
        return fail(p, step->line,
                    s ? arena_printf("server %s %s", s->name,
                                     s->operand ? s->operand : "alone")
                      : "no such step of a server");
    }
    if (p->s->role == ROLE_PAIR && !s->in_pair) {
        return fail(p, step->line, "that step is of the role server");
    }
    step->act = (int)s->act;
    step->word = s->name;
    step->operand = s->operand ? w->at[2] : NULL;
    if (s->need && !scenario_needs(p->s, s->need)) {
        return fail(p, step->line,
                    arena_printf("it takes a line `needs %s`", s->need));
    }
    return p->s->is_private ||
           fail(p, step->line, "server steps need a `private` line");
}

static bool parse_provision(struct parser *p, struct step *step,
                            const struct words *w)
{
    step->kind = STEP_PROVISION;
    step->command = w->count == 4 ? w->at[1] : "";
    bool names = strcmp(step->command, "name") == 0;
    if (w->count == 3 && strcmp(w->at[1], "revoke") == 0) {
        step->command = w->at[1];
        return device_index(p->s, w->at[2], strlen(w->at[2]), &step->device) ||
               fail(p, step->line, "provision revoke of an unknown device");
    }
    if (!names && strcmp(step->command, "block") != 0 &&
        strcmp(step->command, "unblock") != 0) {
        return fail(p, step->line,
                    "provision name|block|unblock USER WHAT, or "
                    "revoke DEVICE");
    }
    step->word = w->at[2];
    step->operand = w->at[3];
    return (knows_user(p, step->word) &&
            (names || knows_user(p, step->operand))) ||
           fail(p, step->line, "provision of an unknown user");
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
    const char *tag = any && w->count == 2 ? tag_of(w->at[1]) : NULL;
    step->kind = any ? STEP_ANY_OF : STEP_REPEAT;
    step->rule = tag;
    if (depth >= MAX_DEPTH || w->count != (any && !tag ? 1u : 2u)) {
        return fail(p, step->line, "any-of [RULE], or repeat COUNT");
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
        return fail(p, step->line, "block without end");
    }
    for (size_t i = 0; any && i < step->body_count; i++) {
        const struct steps *b = &step->bodies[i];
        if (b->count == 0 || b->at[0].kind != STEP_EXPECT) {
            return fail(p, step->line,
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
        return w->count == 2 || fail(p, step->line, "advance MILLISECONDS");
    }
    if (strcmp(word, "server") == 0) {
        return parse_server(p, step, w);
    }
    if (strcmp(w->at[0], "provision") == 0) {
        return parse_provision(p, step, w);
    }
    return parse_device_step(p, step, w);
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
            parse_header(p, line->number, &w)) {
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
            fail(&p, 1, "needs a title comment, a rules line and a step");
        }
    }
    if (p.reason) {
        *error = arena_printf("%s:%d: %s", path, p.error_line, p.reason);
        return NULL;
    }
    return s;
}
