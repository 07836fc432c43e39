/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions: see expr.h. */
#include "expr.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "expr_body.h"

/* A body that no frame can carry is a mistake in the scenario. */
#define MAX_BYTES 0xffffffu

const struct value *var_find(const struct world *w, const char *name)
{
    for (size_t i = 0; i < w->var_count; i++) {
        if (strcmp(w->vars[i].name, name) == 0) {
            return &w->vars[i].value;
        }
    }
    return NULL;
}

void var_set(struct world *w, const char *name, const struct value *v)
{
    for (size_t i = 0; i < w->var_count; i++) {
        if (strcmp(w->vars[i].name, name) == 0) {
            w->vars[i].value = *v;
            return;
        }
    }
    arena_grow((void **)&w->vars, w->var_count, &w->var_cap, sizeof *w->vars);
    w->vars[w->var_count++] = (struct var){name, *v};
}

bool value_compare(const struct value *left, enum op op,
                   const struct value *right)
{
    if (op == OP_EQ || op == OP_NE) {
        return value_equal(left, right) == (op == OP_EQ);
    }
    if (left->kind != VALUE_NUMBER || right->kind != VALUE_NUMBER) {
        return false;
    }
    switch (op) {
    case OP_LT:
        return left->number < right->number;
    case OP_LE:
        return left->number <= right->number;
    case OP_GT:
        return left->number > right->number;
    default:
        return left->number >= right->number;
    }
}

/* The last + or - in a word that starts like a number or a variable, and so
 * has no parentheses; NULL: it is no sum. */
static const char *find_sum(const char *expr)
{
    if (*expr != '$' && !isdigit((unsigned char)*expr)) {
        return NULL;
    }
    const char *found = NULL;
    for (const char *s = expr + 1; *s; s++) {
        if (*s == '+' || *s == '-') {
            found = s;
        }
    }
    return found;
}

static enum expr_result bad(const char **reason, const char *what)
{
    *reason = what;
    return EXPR_BAD;
}

/* Bytes that do not compress, or text that does; the same for the same
 * length, so that a reader can make them again. */
static struct value generate(bool is_text, uint64_t len)
{
    struct prng p;
    prng_seed(&p, len, is_text ? "text" : "bytes");
    uint8_t *data = arena_alloc((size_t)len);
    for (size_t i = 0; i < len; i++) {
        data[i] = is_text ? (uint8_t)('a' + i % 26) : (uint8_t)prng_next(&p);
    }
    return (struct value){
        .kind = VALUE_BYTES, .data = data, .len = (size_t)len};
}

/* name(argument): the argument, or NULL when it is no call of `name`. */
static const char *call(const char *expr, const char *name)
{
    size_t n = strlen(name), len = strlen(expr);
    if (strncmp(expr, name, n) != 0 || expr[n] != '(' || expr[len - 1] != ')') {
        return NULL;
    }
    return arena_copy(expr + n + 1, len - n - 2);
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = strchr(digits, c);
    return c && at ? (int)(at - digits) : -1;
}

static enum expr_result eval_hex(const char *arg, struct value *out,
                                 const char **reason)
{
    size_t len = strlen(arg) / 2;
    uint8_t *data = arena_alloc(len);
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(arg[2 * i]), low = hex_digit(arg[2 * i + 1]);
        if (high < 0 || low < 0) {
            return bad(reason, "hex() takes lower-case hexadecimal digits");
        }
        data[i] = (uint8_t)(high << 4 | low);
    }
    *out = (struct value){.kind = VALUE_BYTES, .data = data, .len = len};
    return EXPR_OK;
}

static enum expr_result eval_call(struct world *w, const char *expr,
                                  struct value *out, const char **reason)
{
    const char *arg = call(expr, "hex");
    if (arg) {
        return eval_hex(arg, out, reason);
    }
    arg = call(expr, "id");
    for (size_t i = 0; arg && i < w->s->device_count; i++) {
        if (strcmp(w->s->devices[i].name, arg) == 0) {
            *out = (struct value){.kind = VALUE_BYTES,
                                  .data = w->devices[i].installation->id,
                                  .len = 16};
            return EXPR_OK;
        }
    }
    bool is_body = false;
    const char *name = arena_copy(expr, strcspn(expr, "("));
    if (call(expr, name)) {
        enum expr_result r =
            expr_body(w, name, call(expr, name), out, reason, &is_body);
        if (is_body) {
            return r;
        }
    }
    bool is_text = call(expr, "text") != NULL;
    arg = is_text ? call(expr, "text") : call(expr, "bytes");
    if (!arg) {
        return bad(reason, arena_printf("unknown expression %s", expr));
    }
    struct value n;
    enum expr_result r = expr_eval(w, arg, NULL, &n, reason);
    if (r != EXPR_OK || n.kind != VALUE_NUMBER || n.number > MAX_BYTES) {
        return bad(reason, arena_printf("no length: %s", arg));
    }
    *out = generate(is_text, n.number);
    return EXPR_OK;
}

static enum expr_result eval_quoted(const char *expr, struct value *out,
                                    const char **reason)
{
    struct text t = {0};
    const char *s = expr + 1;
    for (; *s && *s != '"'; s++) {
        if (*s == '\\' && s[1]) {
            s++;
        }
        text_add_bytes(&t, s, 1);
    }
    if (s[0] != '"' || s[1] != '\0') {
        return bad(reason, "a quote is not closed");
    }
    *out = value_text(text_str(&t));
    return EXPR_OK;
}

/* Fields that name users: a bare word there is a user of the case. */
static bool names_user(const ProtobufCFieldDescriptor *fd)
{
    bool of_members = fd && strcmp(fd->name, "after") == 0 &&
                      fd->type == PROTOBUF_C_TYPE_STRING;
    return of_members || (fd && (strcmp(fd->name, "user") == 0 ||
                                 strcmp(fd->name, "conversation") == 0 ||
                                 strcmp(fd->name, "sender") == 0));
}

static enum expr_result eval_word(struct world *w, const char *expr,
                                  const ProtobufCFieldDescriptor *fd,
                                  struct value *out, const char **reason)
{
    uint64_t n;
    if (fd && fd->type == PROTOBUF_C_TYPE_MESSAGE) {
        if (strcmp(expr, "present") == 0) {
            *out = value_number(1);
            return EXPR_OK;
        }
        if (strcmp(expr, "absent") == 0) {
            *out = (struct value){.kind = VALUE_ABSENT};
            return EXPR_OK;
        }
    }
    if (fd && fd->type == PROTOBUF_C_TYPE_BOOL &&
        (strcmp(expr, "true") == 0 || strcmp(expr, "false") == 0)) {
        *out = value_number(expr[0] == 't');
        return EXPR_OK;
    }
    if (field_enum(fd, expr, &n)) {
        *out = value_number(n);
        return EXPR_OK;
    }
    if (strcmp(expr, "random") == 0) {
        *out = value_number(prng_next(&w->prng) | 1);
        return EXPR_OK;
    }
    if (names_user(fd)) {
        *out = value_text(arena_printf("%s-%s", expr, w->suffix));
        return EXPR_OK;
    }
    if (fd && (fd->type == PROTOBUF_C_TYPE_STRING ||
               fd->type == PROTOBUF_C_TYPE_BYTES)) {
        *out = value_text(expr);
        return EXPR_OK;
    }
    return bad(reason, arena_printf("%s means nothing here", expr));
}

static enum expr_result eval_sum(struct world *w, const char *expr,
                                 const char *sign, struct value *out,
                                 const char **reason)
{
    struct value a, b;
    const char *left = arena_copy(expr, (size_t)(sign - expr));
    enum expr_result r = expr_eval(w, left, NULL, &a, reason);
    if (r == EXPR_OK) {
        r = expr_eval(w, sign + 1, NULL, &b, reason);
    }
    if (r != EXPR_OK || a.kind != VALUE_NUMBER || b.kind != VALUE_NUMBER) {
        return bad(reason, arena_printf("%s is not a sum of numbers", expr));
    }
    *out =
        value_number(*sign == '+' ? a.number + b.number : a.number - b.number);
    return EXPR_OK;
}

enum expr_result expr_eval(struct world *w, const char *expr,
                           const ProtobufCFieldDescriptor *fd,
                           struct value *out, const char **reason)
{
    const char *sign = find_sum(expr);
    if (sign) {
        return eval_sum(w, expr, sign, out, reason);
    }
    if (*expr == '$') {
        const struct value *v = var_find(w, expr);
        if (v) {
            *out = *v;
        }
        return v ? EXPR_OK : EXPR_UNBOUND;
    }
    if (*expr == '"') {
        return eval_quoted(expr, out, reason);
    }
    if (isdigit((unsigned char)*expr)) {
        char *end;
        *out = value_number(strtoull(expr, &end, 0));
        return *end == '\0' ? EXPR_OK
                            : bad(reason, arena_printf("no number: %s", expr));
    }
    if (strchr(expr, '(')) {
        return eval_call(w, expr, out, reason);
    }
    return eval_word(w, expr, fd, out, reason);
}

bool expr_number(struct world *w, const char *expr, uint64_t *out)
{
    struct value v;
    const char *reason = "it has no value yet";
    enum expr_result r = expr_eval(w, expr, NULL, &v, &reason);
    if (r != EXPR_OK || v.kind != VALUE_NUMBER) {
        return world_mistake(w, arena_printf("%s: %s", expr, reason));
    }
    *out = v.number;
    return true;
}
