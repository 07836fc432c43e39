/* SPDX-License-Identifier: Apache-2.0 */
/* Lines and words of a scenario. A word ends at white space that is neither
 * in quotes nor in parentheses; # starts a comment where a word could start.
 * `for` is expanded here, as text, so that the parser never sees it. */
#ifndef CONFORM_SCN_LEX_H
#define CONFORM_SCN_LEX_H

#include <stddef.h>

#include "scn.h"

struct line {
    int number;
    const char *text;
};
struct lines {
    struct line *at;
    size_t count, cap;
};
/* NULL, or "line: reason". */
const char *lines_split(const char *text, struct lines *out);

struct words {
    const char **at;
    size_t count, cap;
};
void words_split(const char *line, struct words *out);
/* A command that an option names: its words, and NULL. No shell: "..." holds
 * a word with blanks together, and that is all. */
char **command_words(const char *command);

/* Cuts `name=expr`, `name>=expr`... in two; false: no operator in it. */
bool term_split(const char *word, struct term *out);
/* The operator that is this whole word. */
bool op_parse(const char *word, enum op *out);

#endif
