/* SPDX-License-Identifier: Apache-2.0 */
/* Lines and words: see scn_lex.h. */
#include "scn_lex.h"

#include <ctype.h>
#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The end of the word that starts at s. */
static const char *word_end(const char *s)
{
    int depth = 0;
    bool quoted = false;
    for (; *s; s++) {
        if (*s == '\\' && quoted && s[1]) {
            s++;
        } else if (*s == '"') {
            quoted = !quoted;
        } else if (!quoted && *s == '(') {
            depth++;
        } else if (!quoted && *s == ')') {
            depth--;
        } else if (!quoted && depth <= 0 && is_space(*s)) {
            break;
        }
    }
    return s;
}

void words_split(const char *line, struct words *out)
{
    memset(out, 0, sizeof *out);
    for (;;) {
        while (is_space(*line)) {
            line++;
        }
        if (*line == '\0' || *line == '#') {
            return;
        }
        const char *end = word_end(line);
        arena_grow((void **)&out->at, out->count, &out->cap, sizeof *out->at);
        out->at[out->count++] = arena_copy(line, (size_t)(end - line));
        line = end;
    }
}

/* Copies the word that starts at s, and returns its end. */
static const char *command_word(const char *s, char *to)
{
    for (bool quoted = false; *s && (quoted || !is_space(*s)); s++) {
        if (*s == '"') {
            quoted = !quoted;
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
    return s;
}

char **command_words(const char *command)
{
    size_t count = 0, most = strlen(command) / 2 + 2; /* one is NULL */
    char **words = arena_alloc(most * sizeof *words);
    for (;;) {
        while (is_space(*command)) {
            command++;
        }
        if (*command == '\0') {
            words[count] = NULL;
            return words;
        }
        words[count] = arena_alloc(strlen(command) + 1);
        command = command_word(command, words[count++]);
    }
}

bool op_parse(const char *word, enum op *out)
{
    static const struct {
        const char *text;
        enum op op;
    } ops[] = {{"=", OP_EQ},  {"!=", OP_NE}, {"<", OP_LT},
               {"<=", OP_LE}, {">", OP_GT},  {">=", OP_GE}};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (strcmp(ops[i].text, word) == 0) {
            *out = ops[i].op;
            return true;
        }
    }
    return false;
}

const char *op_text(enum op op)
{
    static const char *const texts[] = {"=", "!=", "<", "<=", ">", ">="};
    return texts[op];
}

bool term_split(const char *word, struct term *out)
{
    size_t n = strcspn(word, "=!<>");
    if (n == 0 || word[n] == '\0') {
        return false;
    }
    size_t len = word[n + 1] == '=' && word[n] != '=' ? 2 : 1;
    out->left = arena_copy(word, n);
    out->right = arena_string(word + n + len);
    return op_parse(arena_copy(word + n, len), &out->op) && *out->right;
}

static void add_line(struct lines *out, int number, const char *text)
{
    arena_grow((void **)&out->at, out->count, &out->cap, sizeof *out->at);
    out->at[out->count++] = (struct line){number, text};
}

/* The first word, to see where blocks begin and end. */
static bool starts_with(const char *line, const char *word)
{
    while (is_space(*line)) {
        line++;
    }
    size_t n = strlen(word);
    return strncmp(line, word, n) == 0 &&
           (line[n] == '\0' || is_space(line[n]));
}

static bool opens_block(const char *line)
{
    return starts_with(line, "for") || starts_with(line, "repeat") ||
           starts_with(line, "any-of");
}

/* The index of the `end` for the block opened at `at`; count: none. */
static size_t block_end(const struct lines *in, size_t at)
{
    int depth = 0;
    for (size_t i = at; i < in->count; i++) {
        if (opens_block(in->at[i].text)) {
            depth++;
        } else if (starts_with(in->at[i].text, "end") && --depth == 0) {
            return i;
        }
    }
    return in->count;
}

static const char *substitute(const char *line, const char *name,
                              const char *value)
{
    struct text out = {0};
    const char *hole = arena_printf("{%s}", name);
    for (const char *at; (at = strstr(line, hole)) != NULL;) {
        text_add_bytes(&out, line, (size_t)(at - line));
        text_add(&out, "%s", value);
        line = at + strlen(hole);
    }
    text_add(&out, "%s", line);
    return text_str(&out);
}

/* A value in quotes stands for the words in it. */
static const char *unquote(const char *word)
{
    size_t n = strlen(word);
    if (n >= 2 && word[0] == '"' && word[n - 1] == '"') {
        return arena_copy(word + 1, n - 2);
    }
    return word;
}

/* Expands the first `for` found, outermost first; called until none is
 * left, so loops may be nested. */
static const char *expand_one(struct lines *all, bool *found)
{
    *found = false;
    for (size_t i = 0; i < all->count; i++) {
        if (!starts_with(all->at[i].text, "for")) {
            continue;
        }
        size_t end = block_end(all, i);
        struct words w;
        words_split(all->at[i].text, &w);
        if (end == all->count || w.count < 4 || strcmp(w.at[2], "in") != 0) {
            return arena_printf("%d: for NAME in VALUE... needs an end",
                                all->at[i].number);
        }
        struct lines out = {0};
        for (size_t k = 0; k < i; k++) {
            add_line(&out, all->at[k].number, all->at[k].text);
        }
        for (size_t v = 3; v < w.count; v++) {
            for (size_t k = i + 1; k < end; k++) {
                add_line(
                    &out, all->at[k].number,
                    substitute(all->at[k].text, w.at[1], unquote(w.at[v])));
            }
        }
        for (size_t k = end + 1; k < all->count; k++) {
            add_line(&out, all->at[k].number, all->at[k].text);
        }
        *all = out;
        *found = true;
        return NULL;
    }
    return NULL;
}

const char *lines_split(const char *text, struct lines *out)
{
    memset(out, 0, sizeof *out);
    for (int number = 1; *text; number++) {
        size_t len = strcspn(text, "\n");
        add_line(out, number, arena_copy(text, len));
        text += len;
        if (*text == '\n') {
            text++;
        }
    }
    for (bool found = true; found;) {
        const char *error = expand_one(out, &found);
        if (error) {
            return error;
        }
    }
    return NULL;
}
