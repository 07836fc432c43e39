/* SPDX-License-Identifier: Apache-2.0 */
/* Lines and values of conformance/ADAPTER.md, for an adapter in C: requests
 * come from standard input, answers and events go to standard output. */
#ifndef ADAPTER_LINES_H
#define ADAPTER_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A member of a struct that is told under its name. */
struct line_field {
    const char *key; /* NULL: behind the last one */
    enum {
        AS_U64,
        AS_U32,
        AS_FLAG,
        AS_TEXT,
        AS_HEX
    } as;
    size_t at; /* offsetof(); AS_TEXT and AS_HEX are of struct line_slice */
};
struct line_slice {
    const uint8_t *data;
    size_t len;
};

/* Before anything else is done with standard input. */
void line_begin(void);
/* The next request, to be freed; NULL: there is none any more. Waits for it,
 * but reads no further: poll() tells whether another one is there. */
json_t *line_next(void);
/* Writes a line, at once, and frees it. */
void line_say(json_t *line);
/* Says an event with these fields of the struct. */
void line_event(const char *event, const char *handle, const void *of,
                const struct line_field *fields);

/* A number as decimal text. */
json_t *line_number(uint64_t n);

/* Fields of a request: text, "" when it is absent; a number that is told as
 * text; bytes in hexadecimal, for the caller to free. */
const char *line_text(const json_t *r, const char *key);
uint64_t line_value(const json_t *r, const char *key, uint64_t otherwise);
bool line_true(const json_t *r, const char *key);
uint8_t *line_bytes(const json_t *r, const char *key, size_t *len);

#endif
