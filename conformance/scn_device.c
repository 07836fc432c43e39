/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a device: frames and events with their fields, and verbs. See
 * scn_parse.h. */
#include "scn_parse.h"

#include <string.h>

#include "client_scn.h"
#include "edit.h"
#include "row_state.h"
#include "tls.h"

static void add_term(struct terms *terms, struct term t)
{
    arena_grow((void **)&terms->at, terms->count, &terms->cap,
               sizeof *terms->at);
    terms->at[terms->count++] = t;
}

bool parser_where(struct parser *p, int line, const struct words *w, size_t *at,
                  struct terms *out)
{
    do {
        enum op op;
        if (*at + 3 > w->count || !op_parse(w->at[*at + 1], &op)) {
            return parser_fail(p, line, "expected: left operator right");
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
            return parser_fail(p, line, reason);
        }
        add_term(&step->edits, t);
    }
    return step->edits.count > 0 || parser_fail(p, line, "edit without a name");
}

static bool parse_field(struct parser *p, struct step *step, const char *word,
                        const ProtobufCMessageDescriptor *desc)
{
    struct term t;
    if (!term_split(word, &t)) {
        return parser_fail(
            p, step->line,
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
        return parser_fail(p, step->line, arena_printf("no field %s", t.left));
    }
    bool is_matched = step->kind == STEP_EXPECT || step->kind == STEP_ABSENT ||
                      step->kind == STEP_EVENT;
    if (t.op != OP_EQ && !is_matched) {
        return parser_fail(p, step->line, "what is sent needs =");
    }
    add_term(&step->fields, t);
    return true;
}

const char *parser_tag(const char *word)
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
        if (parser_tag(word) && at + 1 == w->count) {
            step->rule = parser_tag(word);
            at++;
        } else if (strcmp(word, "lie") == 0 && step->kind == STEP_SEND &&
                   p->s->role == ROLE_CLIENT) {
            step->lie = true;
            at++;
        } else if (strcmp(word, "where") == 0 &&
                   (step->kind == STEP_EXPECT || step->kind == STEP_EVENT)) {
            at++;
            if (!parser_where(p, step->line, w, &at, &step->where)) {
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
        return parser_fail(p, step->line, "raw without edit");
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
        return parser_fail(
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
            return parser_fail(
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
        return parser_fail(p, step->line, "a frame's name is missing");
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
            return parser_fail(p, step->line,
                               arena_printf("no event %s", name));
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
            return parser_fail(p, step->line,
                               arena_printf("no frame %s", name));
        }
        if (pair && arrow != '!' &&
            step->type->from_server != step->to_client) {
            return parser_fail(p, step->line,
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
                 : parser_fail(p, step->line, "unknown verb");
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (w->count > 1 && strcmp(verbs[i].name, w->at[1]) == 0) {
            step->kind = STEP_VERB;
            step->verb = verbs[i].verb;
            return parse_rest(p, step, w, 2, verbs[i].fields, false);
        }
    }
    return parser_fail(p, step->line, "unknown verb");
}

bool parser_device_step(struct parser *p, struct step *step,
                        const struct words *w)
{
    bool raw = strcmp(w->at[0], "raw") == 0;
    size_t at = raw ? 1 : 0;
    if (at >= w->count) {
        return parser_fail(p, step->line, "raw without a frame");
    }
    size_t len = strlen(w->at[at]);
    char arrow = w->at[at][len - 1];
    bool client = p->s->role == ROLE_CLIENT, pair = p->s->role == ROLE_PAIR;
    bool has_arrow = arrow == '>' || arrow == '<' || arrow == '!' ||
                     ((client || pair) && arrow == ':');
    if (!parser_device(p->s, w->at[at], has_arrow ? len - 1 : len,
                       &step->device)) {
        return parser_fail(p, step->line,
                           arena_printf("no device or keyword %s", w->at[at]));
    }
    if (raw && (pair || arrow != (client ? '<' : '>'))) {
        return parser_fail(p, step->line, "only what is sent can be raw");
    }
    return has_arrow ? parse_arrow(p, step, w, at, arrow, raw)
                     : parse_verb(p, step, w);
}
