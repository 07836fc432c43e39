/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the parser, for its own files: scn.c has the file and the steps of
 * no device, scn_header.c what stands above the first step, scn_device.c the
 * steps of a device. All note the first error and return false then. */
#ifndef CONFORM_SCN_PARSE_H
#define CONFORM_SCN_PARSE_H

#include "scn.h"
#include "scn_lex.h"

struct parser {
    struct scenario *s;
    struct lines lines;
    size_t at;          /* the next line */
    const char *reason; /* the first error, without its place */
    int error_line;
};

/* Notes an error; always false. */
bool parser_fail(struct parser *p, int line, const char *reason);

/* True when the line was a header line (or a bad one). */
bool parser_header(struct parser *p, int line, const struct words *w);
/* The index of the device of that name, which is len bytes long; false: there
 * is none. */
bool parser_device(const struct scenario *s, const char *name, size_t len,
                   size_t *out);

/* A step that begins with a device, or with `raw`. */
bool parser_device_step(struct parser *p, struct step *step,
                        const struct words *w);
/* left operator right, and so on with `and`; *at is behind them then. */
bool parser_where(struct parser *p, int line, const struct words *w, size_t *at,
                  struct terms *out);
/* The rule that a closing [RULE] names; NULL: it is none. */
const char *parser_tag(const char *word);

#endif
