/* SPDX-License-Identifier: Apache-2.0 */
/* Text for reports. What a peer sent may hold any bytes; what is written
 * here is always UTF-8, and legal in the format that it goes into. */
#ifndef CONFORM_REPORT_TEXT_H
#define CONFORM_REPORT_TEXT_H

#include <jansson.h>

#include "text.h"

/* A copy in which every byte that is part of no UTF-8 sequence is U+FFFD. */
char *text_utf8(const char *s);
/* A JSON string of it; NULL becomes null. */
json_t *json_clean(const char *s);
/* Likewise for a terminal: control characters but line feed and tab are
 * U+FFFD too. */
char *text_plain(const char *s);
/* Markup is escaped; what XML 1.0 cannot hold at all is U+FFFD. */
void xml_add(struct text *t, const char *s);
/* The same for an attribute in double quotes: white space is kept. */
void xml_add_attribute(struct text *t, const char *name, const char *value);
/* Small letters, two a byte. */
char *text_hex(const uint8_t *bytes, size_t len);
/* Writes a whole file; false with a reason. */
bool file_write(const char *path, const char *bytes, size_t len,
                const char **reason);

#endif
