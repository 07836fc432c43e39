/* SPDX-License-Identifier: Apache-2.0 */
/* Text that grows, JSON in it, and how it leaves the program.
 *
 * A line leaves in one write, so that lines of several processes on one pipe
 * never mix while they are shorter than PIPE_BUF. 64-bit numbers are JSON
 * strings: many readers of JSON keep no more than 53 bits of a number. */
#ifndef ROAM_CLI_TEXT_H
#define ROAM_CLI_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "roam.h"

/* Zero it before use. Out of memory ends the program with EXIT_FAILED. */
struct roam_text {
    char *data; /* NUL behind the last byte; NULL while empty */
    size_t len, cap;
};

void roam_text_add(struct roam_text *t, const char *data, size_t len);
void roam_text_printf(struct roam_text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void roam_text_free(struct roam_text *t);

/* Adds what a person may read of these bytes on a terminal: control
 * characters, and bytes that are not UTF-8, are shown as \xNN, so that no
 * message can move the cursor or worse. A newline becomes a newline and four
 * spaces. */
void roam_text_add_visible(struct roam_text *t, struct roam_bytes bytes);

/* Adds a JSON string, quotes included. False, and nothing added: the bytes
 * are not UTF-8. Control characters, NUL among them, are
 * escaped, and so are the marks that turn the direction of text around. */
bool roam_text_add_json_string(struct roam_text *t, struct roam_bytes bytes);

/* Members of a JSON object: ,"name":value. The comma is left out behind an
 * opening brace. */
void roam_text_add_json_u64(struct roam_text *t, const char *name,
                            uint64_t value); /* as a string */
void roam_text_add_json_u32(struct roam_text *t, const char *name,
                            uint32_t value); /* as a number */
void roam_text_add_json_bool(struct roam_text *t, const char *name, bool value);
void roam_text_add_json_text(struct roam_text *t, const char *name,
                             const char *value);
/* UTF-8 as "name"; anything else as "name_base64". */
void roam_text_add_json_bytes(struct roam_text *t, const char *name,
                              struct roam_bytes value);

/* Writes all of it to the file descriptor, and empties it. False: it could
 * not be written. */
bool roam_text_write(struct roam_text *t, int fd);

/* The same to the standard output; that it failed is said. */
bool roam_text_print(struct roam_text *t);

#endif
